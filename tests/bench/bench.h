/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - cycles of an operation, as one row of tab-separated values.
 *
 * A row: name, operations, cycles an operation (median of the rounds), p99 of the rounds, and the
 * ratio to the first row, a memcpy of 64 bytes in the same run: machines differ and are noisy,
 * ratios less so. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#define BENCH_ROUNDS 301

static double bench_baseline;

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Runs fn(user) in rounds, each of which does n operations. */
static inline void bench_row(const char *name, uint32_t n, void (*fn)(void *), void *user)
{
	static double cycles[BENCH_ROUNDS];
	double median;

	fn(user);
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		uint64_t begin = rte_rdtsc_precise();

		fn(user);
		cycles[i] = (double)(rte_rdtsc_precise() - begin) / n;
	}
	qsort(cycles, BENCH_ROUNDS, sizeof(cycles[0]), bench_compare);
	median = cycles[BENCH_ROUNDS / 2];
	if (bench_baseline <= 0)
		bench_baseline = median;
	printf("%s\t%u\t%.1f\t%.1f\t%.2f\n", name, n * BENCH_ROUNDS, median,
	       cycles[BENCH_ROUNDS * 99 / 100], median / bench_baseline);
}
