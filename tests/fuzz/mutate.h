/* SPDX-License-Identifier: Apache-2.0 */
/* mutate.h - what mutate.c has to know about inputs that are a row of steps. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rng.h"

/* Neither above 16. */
extern const uint32_t mutate_cfg_b; /* what goes before the steps */
extern const uint32_t mutate_step_b;
/* A new step, of the kind that gets far. */
void mutate_make_step(struct sim_rng *rng, uint8_t *step);
