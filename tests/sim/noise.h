/* SPDX-License-Identifier: Apache-2.0 */
/* noise.h - an attacker next to the client: forged packets made from real ones (attacks.md in
 * spirit: stale bytes, impossible ACKs, bad flags, RST and SYN at the wrong place, urgent data).
 * None of them may change what either side gets, nor reach the other side. */
#pragma once

#include <stdint.h>

#include "box.h"
#include "rng.h"

#define NOISE_KEPT 16u

struct noise {
	uint64_t gap_ns;
	uint64_t at_ns;
	struct sim_rng rng;
	struct sim_pkt *kept[NOISE_KEPT]; /* recent packets, both directions */
	uint32_t n;
	uint64_t made;
};

void noise_init(struct noise *noise, uint64_t gap_ns, struct sim_rng rng);
void noise_fini(struct noise *noise);
void noise_see(struct noise *noise, const struct sim_pkt *pkt);
uint64_t noise_next(const struct noise *noise);
void noise_make(struct noise *noise, struct box *box, uint64_t now_ns);
