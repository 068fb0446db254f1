/* SPDX-License-Identifier: Apache-2.0 */
/* drive.h - takes many connections through a step, a limited number at a time. */
#pragma once

#include "conn.h"

/* Every stride-th of n connections; those that have failed are left out. */
void drive(enum step step, uint32_t n, uint32_t stride);
/* Gives each frame that has come to the connections; what is not theirs is counted. */
void drive_input(enum side at, const uint8_t *frame, size_t len_b);
