/* SPDX-License-Identifier: Apache-2.0 */
/* The records of server_fuzz, for mutate.c. */
#include "mutate.h"
#include "server_input.h"

const uint32_t mutate_cfg_b = CFG_B;
const uint32_t mutate_step_b = RECORD_B;

/* A record as a client of good will, and now and then of ill will, would have it. */
void mutate_make_step(struct sim_rng *rng, uint8_t *step)
{
	static const uint8_t wanted[] = { REC_REQUEST, REC_REQUEST,  REC_REQUEST, REC_REQUEST,
					  REC_REQUEST, REC_TRAILERS, REC_DATA,    REC_DATA,
					  REC_ANSWER,  REC_ANSWER,   REC_SERVER,  REC_RESET };

	for (uint32_t i = 0; i < RECORD_B; i++)
		step[i] = (uint8_t)rng_next(rng);
	if (rng_next(rng) % 4)
		step[0] = wanted[rng_next(rng) % sizeof(wanted)];
	if (rng_next(rng) % 4)
		step[1] = rng_next(rng) % 2; /* END_STREAM the other way round */
	if (rng_next(rng) % 4)
		step[2] = (uint8_t)(rng_next(rng) % 4); /* one of the last streams */
	if (rng_next(rng) % 4)
		step[5] = 0; /* no mistake */
	if (rng_next(rng) % 2)
		step[7] = 0; /* one frame */
}
