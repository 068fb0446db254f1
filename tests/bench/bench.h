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
#include <rte_tcp.h>

#include "../support/test_frame.h"
#include "wk_pkt.h"

#define BENCH_ROUNDS 301
#define BENCH_BURST  32u

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

static inline void bench_copy(void *user)
{
	static uint8_t from[BENCH_BURST][64];
	static uint8_t to[BENCH_BURST][64];

	(void)user;
	for (uint32_t i = 0; i < BENCH_BURST; i++) {
		memcpy(to[i], from[i], 64);
		__asm__ volatile("" : : "r"(to[i]) : "memory");
	}
}

/* The title and the first row. */
static inline void bench_begin(void)
{
	printf("name\tn\tcycles\tp99\tratio\n");
	bench_row("memcpy 64 B", BENCH_BURST, bench_copy, NULL);
}

/* A burst of segments of one client's connections, and what the parser says of them. */
static inline void bench_fill(struct rte_mempool *pool, uint32_t data_b, struct rte_mbuf **mbufs,
			      struct wk_pkt *pkts)
{
	struct test_frame_spec spec = {
		.ip_version = 4,
		.proto = IPPROTO_TCP,
		.src = { 10, 11, 0, 1 },
		.dst = { 10, 12, 0, 10 },
		.dport = 50051,
		.tcp_flags = RTE_TCP_ACK_FLAG,
		.data_b = data_b,
	};

	for (uint32_t i = 0; i < BENCH_BURST; i++) {
		struct test_frame frame;

		spec.sport = (uint16_t)(4000 + i);
		test_frame_build(&frame, &spec);
		mbufs[i] = rte_pktmbuf_alloc(pool);
		if (!mbufs[i])
			abort();
		memcpy(rte_pktmbuf_append(mbufs[i], (uint16_t)frame.len_b), frame.bytes,
		       frame.len_b);
	}
	wk_pkt_parse_burst(mbufs, BENCH_BURST, pkts);
}
