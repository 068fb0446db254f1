/* SPDX-License-Identifier: Apache-2.0 */
/* forge.h - between the files that make an attacker's packets. */
#pragma once

#include "noise.h"

struct sim_pkt *forge_siege(struct sim_rng *rng, struct attack *attack, const struct check *check,
			    const struct sim_pkt *kept, struct wk_tcp_seg *seg);
