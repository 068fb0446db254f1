/* SPDX-License-Identifier: Apache-2.0 */
/* How libFuzzer changes inputs that are a row of steps: by whole steps, so that one that goes or
 * comes leaves the meaning of those behind it alone; inside a step, and in the beginning, byte by
 * byte. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mutate.h"

#define ROWS_MAX   8u /* steps that are moved at once */
#define STEP_MAX_B 16u

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_b, const uint8_t *b, size_t b_b,
				 uint8_t *out, size_t max_b, unsigned int seed);

static uint32_t steps_of(size_t size)
{
	return size < mutate_cfg_b ? 0 : (uint32_t)((size - mutate_cfg_b) / mutate_step_b);
}

static uint8_t *step_at(uint8_t *data, uint32_t i)
{
	return data + mutate_cfg_b + (size_t)i * mutate_step_b;
}

/* Bytes of a fixed number stay as many. */
static void mutate_in(uint8_t *data, uint32_t len_b)
{
	uint8_t copy[STEP_MAX_B];

	memcpy(copy, data, len_b);
	LLVMFuzzerMutate(copy, len_b, len_b);
	memcpy(data, copy, len_b);
}

/* Makes room for n steps at `at`. @return the new size, or the old one where it does not fit. */
static size_t open_gap(uint8_t *data, size_t size, size_t max_size, uint32_t at, uint32_t n)
{
	size_t gap_b = (size_t)n * mutate_step_b, from = mutate_cfg_b + (size_t)at * mutate_step_b;

	if (size + gap_b > max_size)
		return size;
	memmove(data + from + gap_b, data + from, size - from);
	return size + gap_b;
}

static size_t add_step(uint8_t *data, size_t size, size_t max_size, struct sim_rng *rng)
{
	uint32_t at = (uint32_t)(rng_next(rng) % (steps_of(size) + 1));
	size_t grown = open_gap(data, size, max_size, at, 1);

	if (grown > size)
		mutate_make_step(rng, step_at(data, at));
	return grown;
}

static size_t erase_steps(uint8_t *data, size_t size, struct sim_rng *rng)
{
	uint32_t n = steps_of(size), at = (uint32_t)(rng_next(rng) % n);
	uint32_t k = 1 + (uint32_t)(rng_next(rng) % ROWS_MAX);
	uint8_t *from = step_at(data, at), *to;

	if (k > n - at)
		k = n - at;
	to = from + (size_t)k * mutate_step_b;
	memmove(from, to, (size_t)(data + size - to));
	return size - (size_t)k * mutate_step_b;
}

static size_t repeat_steps(uint8_t *data, size_t size, size_t max_size, struct sim_rng *rng)
{
	uint8_t rows[ROWS_MAX * STEP_MAX_B];
	uint32_t n = steps_of(size), from = (uint32_t)(rng_next(rng) % n);
	uint32_t at = (uint32_t)(rng_next(rng) % (n + 1));
	uint32_t k = 1 + (uint32_t)(rng_next(rng) % ROWS_MAX);
	size_t grown;

	if (k > n - from)
		k = n - from;
	memcpy(rows, step_at(data, from), (size_t)k * mutate_step_b);
	grown = open_gap(data, size, max_size, at, k);
	if (grown > size)
		memcpy(step_at(data, at), rows, (size_t)k * mutate_step_b);
	return grown;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct sim_rng rng = { .state = seed };
	uint32_t n = steps_of(size), how = (uint32_t)(rng_next(&rng) % 10);

	if (size < mutate_cfg_b || max_size < mutate_cfg_b + mutate_step_b || how == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (n == 0 || how <= 2)
		return add_step(data, size, max_size, &rng);
	switch (how) {
	case 3:
		return erase_steps(data, size, &rng);
	case 4:
		return repeat_steps(data, size, max_size, &rng);
	case 5:
		mutate_in(data, mutate_cfg_b);
		break;
	case 6:
		mutate_make_step(&rng, step_at(data, (uint32_t)(rng_next(&rng) % n)));
		break;
	default:
		mutate_in(step_at(data, (uint32_t)(rng_next(&rng) % n)), mutate_step_b);
		break;
	}
	return size;
}

/* The beginning and first steps of the one, and the other's last ones. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_b, const uint8_t *b, size_t b_b,
				 uint8_t *out, size_t max_b, unsigned int seed)
{
	struct sim_rng rng = { .state = seed };
	uint32_t n = steps_of(b_b), skip = (uint32_t)(rng_next(&rng) % (n + 1));
	size_t head_b = mutate_cfg_b + rng_next(&rng) % (steps_of(a_b) + 1) * mutate_step_b;
	size_t tail_b = (size_t)(n - skip) * mutate_step_b;

	if (a_b < mutate_cfg_b || head_b > max_b)
		return 0;
	if (tail_b > max_b - head_b)
		tail_b = max_b - head_b;
	memcpy(out, a, head_b);
	if (tail_b > 0)
		memcpy(out + head_b, b + mutate_cfg_b + (size_t)skip * mutate_step_b, tail_b);
	return head_b + tail_b;
}
