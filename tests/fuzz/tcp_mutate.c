/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of tcp_fuzz, for mutate.c. */
#include "mutate.h"
#include "tcp_input.h"

const uint32_t mutate_cfg_b = CFG_B;
const uint32_t mutate_step_b = STEP_B;

/* A step as an honest peer, and now and then a liar, would take it. */
void mutate_make_step(struct sim_rng *rng, uint8_t *step)
{
	static const uint8_t wanted[] = { NEXT, NEXT,  NEXT,  NEXT, AT,   ANSWER, ANSWER, ACK,
					  ACK,  AGAIN, AGAIN, WAIT, POKE, LOSE,   DEAF,   DEAF };
	static const uint8_t near[] = { 0, 0, 0, 1, 255, 5, 250, 8 };

	for (uint32_t i = 0; i < STEP_B; i++)
		step[i] = (uint8_t)rng_next(rng);
	if (rng_next(rng) % 4)
		step[0] = (uint8_t)((step[0] & 0xf0) | wanted[rng_next(rng) % sizeof(wanted)]);
	if (rng_next(rng) % 2)
		step[0] &= 0x1f; /* at once */
	if (rng_next(rng) % 4)
		step[1] = rng_next(rng) % 2 ? 8 : 0; /* PSH */
	step[3] = near[rng_next(rng) % sizeof(near)];
	step[4] = near[rng_next(rng) % sizeof(near)];
	if (rng_next(rng) % 2)
		step[6] &= 0x30;
	if (rng_next(rng) % 4)
		step[7] &= 0xf0;
}
