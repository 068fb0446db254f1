/* SPDX-License-Identifier: Apache-2.0 */
/* How libFuzzer changes inputs of tcp_fuzz: by whole steps, so that one that goes or comes leaves
 * the meaning of those behind it alone; inside a step, and in the beginning, byte by byte. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rng.h"
#include "tcp_input.h"

#define ROWS_MAX 8u /* steps that are moved at once */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_b, const uint8_t *b, size_t b_b,
				 uint8_t *out, size_t max_b, unsigned int seed);

static uint32_t steps_of(size_t size)
{
	return size < CFG_B ? 0 : (uint32_t)((size - CFG_B) / STEP_B);
}

static uint8_t *step_at(uint8_t *data, uint32_t i)
{
	return data + CFG_B + (size_t)i * STEP_B;
}

/* Bytes of a fixed number stay as many. */
static void mutate_in(uint8_t *data, uint32_t len_b)
{
	uint8_t copy[CFG_B > STEP_B ? CFG_B : STEP_B];

	memcpy(copy, data, len_b);
	LLVMFuzzerMutate(copy, len_b, len_b);
	memcpy(data, copy, len_b);
}

/* A step as an honest peer, and now and then a liar, would take it. */
static void make_step(struct sim_rng *rng, uint8_t *step)
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

/* Makes room for n steps at `at`. @return the new size, or the old one where it does not fit. */
static size_t open_gap(uint8_t *data, size_t size, size_t max_size, uint32_t at, uint32_t n)
{
	size_t gap_b = (size_t)n * STEP_B, from = CFG_B + (size_t)at * STEP_B;

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
		make_step(rng, step_at(data, at));
	return grown;
}

static size_t erase_steps(uint8_t *data, size_t size, struct sim_rng *rng)
{
	uint32_t n = steps_of(size), at = (uint32_t)(rng_next(rng) % n);
	uint32_t k = 1 + (uint32_t)(rng_next(rng) % ROWS_MAX);
	uint8_t *from = step_at(data, at), *to;

	if (k > n - at)
		k = n - at;
	to = from + (size_t)k * STEP_B;
	memmove(from, to, (size_t)(data + size - to));
	return size - (size_t)k * STEP_B;
}

static size_t repeat_steps(uint8_t *data, size_t size, size_t max_size, struct sim_rng *rng)
{
	uint8_t rows[ROWS_MAX * STEP_B];
	uint32_t n = steps_of(size), from = (uint32_t)(rng_next(rng) % n);
	uint32_t at = (uint32_t)(rng_next(rng) % (n + 1));
	uint32_t k = 1 + (uint32_t)(rng_next(rng) % ROWS_MAX);
	size_t grown;

	if (k > n - from)
		k = n - from;
	memcpy(rows, step_at(data, from), (size_t)k * STEP_B);
	grown = open_gap(data, size, max_size, at, k);
	if (grown > size)
		memcpy(step_at(data, at), rows, (size_t)k * STEP_B);
	return grown;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct sim_rng rng = { .state = seed };
	uint32_t n = steps_of(size), how = (uint32_t)(rng_next(&rng) % 10);

	if (size < CFG_B || max_size < CFG_B + STEP_B || how == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (n == 0 || how <= 2)
		return add_step(data, size, max_size, &rng);
	switch (how) {
	case 3:
		return erase_steps(data, size, &rng);
	case 4:
		return repeat_steps(data, size, max_size, &rng);
	case 5:
		mutate_in(data, CFG_B);
		break;
	case 6:
		make_step(&rng, step_at(data, (uint32_t)(rng_next(&rng) % n)));
		break;
	default:
		mutate_in(step_at(data, (uint32_t)(rng_next(&rng) % n)), STEP_B);
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
	size_t head_b = CFG_B + rng_next(&rng) % (steps_of(a_b) + 1) * STEP_B;
	size_t tail_b = (size_t)(n - skip) * STEP_B;

	if (a_b < CFG_B || head_b > max_b)
		return 0;
	if (tail_b > max_b - head_b)
		tail_b = max_b - head_b;
	memcpy(out, a, head_b);
	if (tail_b > 0)
		memcpy(out + head_b, b + CFG_B + (size_t)skip * STEP_B, tail_b);
	return head_b + tail_b;
}
