/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h - of 64-bit values, exact below 64 and to one part in 32 above: powers of two, each
 * cut into 32 equal parts. 15 KiB. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_PART_BITS 5u
#define HISTOGRAM_CELLS     ((64u - HISTOGRAM_PART_BITS + 1u) << HISTOGRAM_PART_BITS)

struct histogram {
	uint64_t n;
	uint64_t max;
	uint64_t cell[HISTOGRAM_CELLS];
};

void histogram_add(struct histogram *h, uint64_t value);
/* The value that `part` (0 to 1) of all values are not above: the upper end of its cell, and never
 * above the largest value; 0 if there is none. */
uint64_t histogram_at(const struct histogram *h, double part);
