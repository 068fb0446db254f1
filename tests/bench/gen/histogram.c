/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#define PARTS (1u << HISTOGRAM_PART_BITS)

static uint32_t cell_of(uint64_t value)
{
	uint32_t shift;

	if (value < 2 * PARTS)
		return (uint32_t)value;
	shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_PART_BITS;
	return (shift << HISTOGRAM_PART_BITS) + (uint32_t)(value >> shift);
}

static uint64_t last_of(uint32_t cell)
{
	uint32_t shift;

	if (cell < 2 * PARTS)
		return cell;
	shift = (cell >> HISTOGRAM_PART_BITS) - 1;
	return (((uint64_t)(cell & (PARTS - 1)) + PARTS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->n++;
	h->cell[cell_of(value)]++;
	if (value > h->max)
		h->max = value;
}

uint64_t histogram_at(const struct histogram *h, double part)
{
	uint64_t rank = (uint64_t)(part * (double)h->n);
	uint64_t seen = 0;

	if ((double)rank < part * (double)h->n)
		rank++;
	for (uint32_t i = 0; i < HISTOGRAM_CELLS && h->n > 0; i++) {
		seen += h->cell[i];
		if (seen >= rank && seen > 0)
			return last_of(i) < h->max ? last_of(i) : h->max;
	}
	return h->max;
}
