/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h - the only source of chance in a run (splitmix64): the same seed, the same run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct sim_rng *rng)
{
	uint64_t z = (rng->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* lo <= result <= hi */
static inline uint64_t rng_range(struct sim_rng *rng, uint64_t lo, uint64_t hi)
{
	return lo + rng_next(rng) % (hi - lo + 1);
}

static inline uint32_t rng_range32(struct sim_rng *rng, uint32_t lo, uint32_t hi)
{
	return (uint32_t)rng_range(rng, lo, hi);
}

/* True permille times in a thousand. */
static inline bool rng_chance(struct sim_rng *rng, uint32_t permille)
{
	return rng_next(rng) % 1000 < permille;
}

/* A generator of its own for one part of a run, so that a change in one part leaves the others'
 * chances alone. */
static inline struct sim_rng rng_fork(struct sim_rng *rng)
{
	return (struct sim_rng){ .state = rng_next(rng) };
}
