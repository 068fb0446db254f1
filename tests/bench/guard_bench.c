/* SPDX-License-Identifier: Apache-2.0 */
/* guard_bench.c - what a guarded packet costs, from few connections to very many, and what a
 * connection takes of memory.
 *
 * usage: guard_bench [-H] [-m MIB] [-r ROUNDS] [-p calls|data] [FLOWS...]
 *
 * -H: on hugepages, else without. -p: nothing but such packets for some seconds, for a profiler.
 * Rows of tab-separated values: what, flows, rules, packets, cycles a packet (median of the bursts
 * of all rounds), the medians of the slowest and of the fastest round, and the ratio to the same
 * row of the first number of flows. Rounds of all numbers are interleaved, so that what else the
 * machine does meets them alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include "bench_eal.h"
#include "crowd.h"
#include "wk_mem.h"

#define CROWDS_MAX 12u
#define BURSTS     400u /* of one row in one round */
#define ROUNDS_MAX 32u
#define WARM_CALLS 3u    /* of each connection before anything is measured */
#define ARENA_B    6400u /* a connection, awake; and as much for all */
#define ARENA_MORE (64u << 20)

struct row {
	const char *what;
	uint32_t flows;
	uint32_t rules;
	double *cycles; /* of each burst, per packet */
	uint32_t n;
	double round[ROUNDS_MAX];
	uint32_t rounds;
	double median;
};

struct run {
	struct crowd *crowd;
	struct row call;
	struct row answer;
	struct row up;
	struct row ack;
	bool uploading;
};

static uint32_t lcg = 1;

static uint32_t rnd(uint32_t below)
{
	lcg = lcg * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(lcg >> 4) * below >> 28);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

static void row_init(struct row *row, const char *what, const struct crowd *crowd)
{
	*row = (struct row){ .what = what, .flows = crowd->conf.n, .rules = crowd->conf.rules };
	row->cycles = calloc((size_t)BURSTS * ROUNDS_MAX, sizeof(double));
	if (!row->cycles)
		abort();
}

static void row_add(struct row *row, double cycles)
{
	row->cycles[row->n++] = cycles;
}

/* The bursts since the last round make one. */
static void row_round(struct row *row)
{
	row->round[row->rounds] = median(row->cycles + (size_t)row->rounds * BURSTS, BURSTS);
	row->rounds++;
}

static void row_print(struct row *row, double base)
{
	double low = row->round[0], high = row->round[0];

	for (uint32_t i = 1; i < row->rounds; i++) {
		low = RTE_MIN(low, row->round[i]);
		high = RTE_MAX(high, row->round[i]);
	}
	row->median = median(row->round, row->rounds);
	printf("%s\t%u\t%u\t%u\t%.1f\t%.1f\t%.1f\t%.2f\n", row->what, row->flows, row->rules,
	       row->n * CROWD_BURST, row->median, low, high, base > 0 ? row->median / base : 1.0);
}

/* As many different connections as a burst has, anywhere; where there are fewer, in turn. */
static void pick(const struct crowd *crowd, uint32_t *conns)
{
	uint32_t step = crowd->conf.n / CROWD_BURST;

	for (uint32_t i = 0; i < CROWD_BURST; i++)
		conns[i] = i * step + rnd(step);
}

static void calls(struct run *run)
{
	uint32_t conns[CROWD_BURST];

	for (uint32_t i = 0; i < BURSTS; i++) {
		pick(run->crowd, conns);
		row_add(&run->call,
			(double)crowd_burst(run->crowd, CROWD_CALL, conns, CROWD_BURST) /
				CROWD_BURST);
		row_add(&run->answer,
			(double)crowd_burst(run->crowd, CROWD_ANSWER, conns, CROWD_BURST) /
				CROWD_BURST);
	}
	row_round(&run->call);
	row_round(&run->answer);
}

static void uploads(struct run *run)
{
	uint32_t conns[CROWD_BURST];

	for (uint32_t i = 0; i < BURSTS; i++) {
		pick(run->crowd, conns);
		row_add(&run->up, (double)crowd_burst(run->crowd, CROWD_UP, conns, CROWD_BURST) /
					  CROWD_BURST);
		row_add(&run->ack, (double)crowd_burst(run->crowd, CROWD_ACK, conns, CROWD_BURST) /
					   CROWD_BURST);
	}
	row_round(&run->up);
	row_round(&run->ack);
}

static struct run *run_new(uint32_t flows, uint32_t rules, enum crowd_style style, bool verdicts,
			   const char *const *names)
{
	const struct crowd_conf conf = {
		.n = flows,
		.rules = rules,
		.style = style,
		.verdicts = verdicts,
		.arena_b = (uint64_t)flows * ARENA_B + ARENA_MORE,
	};
	struct run *run = calloc(1, sizeof(*run));
	uint64_t greet;

	if (!run)
		abort();
	run->crowd = crowd_new(&conf);
	row_init(&run->call, names[0], run->crowd);
	row_init(&run->answer, names[1], run->crowd);
	row_init(&run->up, names[2], run->crowd);
	row_init(&run->ack, names[3], run->crowd);
	crowd_connect(run->crowd, &greet);
	for (uint32_t i = 0; i < WARM_CALLS; i++) {
		crowd_all(run->crowd, CROWD_CALL);
		crowd_all(run->crowd, CROWD_ANSWER);
	}
	return run;
}

static void run_free(struct run *run)
{
	crowd_free(run->crowd);
	free(run->call.cycles);
	free(run->answer.cycles);
	free(run->up.cycles);
	free(run->ack.cycles);
	free(run);
}

/* The same runs in rounds, first with calls, then with long bodies. */
static void measure(struct run **runs, uint32_t n, uint32_t rounds)
{
	for (uint32_t r = 0; r < rounds; r++)
		for (uint32_t i = 0; i < n; i++)
			calls(runs[i]);
	for (uint32_t i = 0; i < n; i++) {
		crowd_all(runs[i]->crowd, CROWD_OPEN);
		crowd_all(runs[i]->crowd, CROWD_ACK);
	}
	for (uint32_t r = 0; r < rounds; r++)
		for (uint32_t i = 0; i < n; i++)
			uploads(runs[i]);
	for (uint32_t i = 0; i < n; i++)
		row_print(&runs[i]->call, runs[0]->call.median);
	for (uint32_t i = 0; i < n; i++)
		row_print(&runs[i]->answer, runs[0]->answer.median);
	for (uint32_t i = 0; i < n; i++)
		row_print(&runs[i]->up, runs[0]->up.median);
	for (uint32_t i = 0; i < n; i++)
		row_print(&runs[i]->ack, runs[0]->ack.median);
}

static const char *const names_plain[] = { "call", "answer", "1400 B of DATA", "ACK" };
static const char *const names_sums[] = { "call, verified here", "answer, verified here",
					  "1400 B of DATA, verified here", "ACK, verified here" };
static const char *const names_literal[] = { "call, literal path", "answer, literal path",
					     "1400 B of DATA, literal path", "ACK, literal path" };
static const char *const names_traced[] = { "call, traced", "answer, traced",
					    "1400 B of DATA, traced", "ACK, traced" };

/* What a connection takes: the table's part, and of the arena after each step. */
static void memory(uint32_t flows)
{
	static const struct {
		const char *what;
		enum crowd_style style;
	} kinds[] = { { "plain", CROWD_INDEXED }, { "full table", CROWD_SMALL } };

	for (size_t k = 0; k < RTE_DIM(kinds); k++) {
		const struct crowd_conf conf = {
			.n = flows,
			.rules = 16,
			.style = kinds[k].style,
			.verdicts = true,
			.arena_b = (uint64_t)flows * 40000u + ARENA_MORE,
		};
		struct crowd *crowd = crowd_new(&conf);
		uint64_t zero_b = crowd_used_b(crowd), greet, hands;
		double fixed = (double)(crowd->heap_b - wk_mem_footprint(conf.arena_b)) / flows;

#define PER_FLOW(crowd) ((double)(crowd_used_b(crowd) - zero_b) / flows)
		hands = crowd_connect(crowd, &greet);
		if (k == 0) {
			printf("memory: table\t%u\t%.0f\n", flows, fixed);
			printf("set-up: handshake\t%u\t%.0f\t%.0f\n", flows, (double)hands / flows,
			       (double)rte_get_tsc_hz() * flows / (double)hands);
			printf("set-up: to the first call\t%u\t%.0f\t%.0f\n", flows,
			       (double)(hands + greet) / flows,
			       (double)rte_get_tsc_hz() * flows / (double)(hands + greet));
		}
		printf("memory: %s, greeted\t%u\t%.0f\n", kinds[k].what, flows, PER_FLOW(crowd));
		for (uint32_t i = 0; i < WARM_CALLS; i++) {
			crowd_all(crowd, CROWD_CALL);
			crowd_all(crowd, CROWD_ANSWER);
		}
		crowd_all(crowd, CROWD_THIRD);
		printf("memory: %s, after calls\t%u\t%.0f\n", kinds[k].what, flows,
		       PER_FLOW(crowd));
		crowd_rest(crowd, 1000000000ull);
		printf("memory: %s, at rest\t%u\t%.0f\n", kinds[k].what, flows, PER_FLOW(crowd));
		crowd_free(crowd);
	}
}

/* rte_hash alone, with as many keys: the yardstick of the look-up. */
static void hash_rows(const uint32_t *flows, uint32_t n)
{
	for (uint32_t f = 0; f < n; f++) {
		const struct rte_hash_parameters params = {
			.name = "yardstick",
			.entries = 2 * flows[f],
			.key_len = sizeof(struct wk_flow_key),
			.hash_func = rte_jhash,
			.hash_func_init_val = 42,
			.socket_id = SOCKET_ID_ANY,
			.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
		};
		struct rte_hash *hash = rte_hash_create(&params);
		struct wk_flow_key keys[CROWD_BURST] = { 0 };
		const void *ptrs[CROWD_BURST];
		void *found[CROWD_BURST];
		static double cycles[4096];
		uint64_t hits;

		if (!hash)
			abort();
		for (uint32_t i = 0; i < flows[f]; i++) {
			memcpy(keys[0].client, &i, sizeof(i));
			if (rte_hash_add_key_data(hash, &keys[0], hash) != 0)
				abort();
		}
		for (size_t i = 0; i < RTE_DIM(cycles); i++) {
			uint64_t begin;

			for (uint32_t k = 0; k < CROWD_BURST; k++) {
				uint32_t at = rnd(flows[f]);

				memcpy(keys[k].client, &at, sizeof(at));
				ptrs[k] = &keys[k];
			}
			begin = rte_rdtsc_precise();
			rte_hash_lookup_bulk_data(hash, ptrs, CROWD_BURST, &hits, found);
			cycles[i] = (double)(rte_rdtsc_precise() - begin) / CROWD_BURST;
		}
		printf("rte_hash lookup, 32 at once\t%u\t0\t%zu\t%.1f\n", flows[f],
		       RTE_DIM(cycles) * CROWD_BURST, median(cycles, RTE_DIM(cycles)));
		rte_hash_free(hash);
	}
}

static void scale(const uint32_t *flows, uint32_t n, uint32_t rounds)
{
	struct run *runs[CROWDS_MAX];

	for (uint32_t i = 0; i < n; i++)
		runs[i] = run_new(flows[i], 16, CROWD_INDEXED, true, names_plain);
	measure(runs, n, rounds);
	for (uint32_t i = 0; i < n; i++)
		run_free(runs[i]);
}

static void rules(uint32_t flows, uint32_t rounds)
{
	static const uint32_t numbers[] = { 16, 256, 4096 };
	struct run *runs[RTE_DIM(numbers)];

	for (size_t i = 0; i < RTE_DIM(numbers); i++)
		runs[i] = run_new(flows, numbers[i], CROWD_INDEXED, true, names_plain);
	measure(runs, RTE_DIM(numbers), rounds);
	for (size_t i = 0; i < RTE_DIM(numbers); i++)
		run_free(runs[i]);
}

static void mixes(uint32_t flows, uint32_t rounds)
{
	struct run *runs[] = {
		run_new(flows, 16, CROWD_INDEXED, true, names_plain),
		run_new(flows, 16, CROWD_INDEXED, false, names_sums),
		run_new(flows, 16, CROWD_LITERAL, true, names_literal),
		run_new(flows, 16, CROWD_TRACED, true, names_traced),
	};

	measure(runs, RTE_DIM(runs), rounds);
	for (size_t i = 0; i < RTE_DIM(runs); i++)
		run_free(runs[i]);
}

/* Something to look at with a profiler. */
static void profile(uint32_t flows, bool data)
{
	enum crowd_kind kinds[2] = { CROWD_CALL, CROWD_ANSWER };
	struct run *run = run_new(flows, 16, CROWD_INDEXED, true, names_plain);
	uint64_t end = rte_rdtsc() + 5 * rte_get_tsc_hz();
	uint64_t cycles[2] = { 0 }, n = 0;
	uint32_t conns[CROWD_BURST];

	if (data) {
		crowd_all(run->crowd, CROWD_OPEN);
		crowd_all(run->crowd, CROWD_ACK);
		kinds[0] = CROWD_UP;
		kinds[1] = CROWD_ACK;
	}
	for (; rte_rdtsc() < end; n++) {
		pick(run->crowd, conns);
		for (int k = 0; k < 2; k++)
			cycles[k] += crowd_burst(run->crowd, kinds[k], conns, CROWD_BURST);
	}
	printf("%.1f %.1f\n", (double)cycles[0] / (double)n / CROWD_BURST,
	       (double)cycles[1] / (double)n / CROWD_BURST);
	run_free(run);
}

int main(int argc, char **argv)
{
	uint32_t flows[CROWDS_MAX] = { 1024, 16384 };
	uint32_t n = 0, rounds = 5;
	const char *mib = "1024";
	const char *what = NULL;
	bool huge = false;
	int opt;

	while ((opt = getopt(argc, argv, "Hm:r:p:")) != -1) {
		if (opt == 'H')
			huge = true;
		else if (opt == 'm')
			mib = optarg;
		else if (opt == 'r')
			rounds = RTE_MIN((uint32_t)atoi(optarg), ROUNDS_MAX);
		else if (opt == 'p')
			what = optarg;
		else
			return 1;
	}
	for (; optind < argc && n < CROWDS_MAX; optind++)
		flows[n++] = RTE_MAX((uint32_t)atoi(argv[optind]), CROWD_BURST);
	n = n > 0 ? n : 2;
	bench_eal_start("guard_bench", huge, mib);
	if (what) {
		profile(flows[0], strcmp(what, "data") == 0);
		test_eal_stop();
		return 0;
	}
	printf("name\tflows\trules\tn\tcycles\tfastest\tslowest\tratio\n");
	hash_rows(flows, n);
	scale(flows, n, rounds);
	rules(flows[0], rounds);
	mixes(flows[0], rounds);
	memory(flows[n - 1] > 65536 ? 65536 : flows[n - 1]);
	test_eal_stop();
	return 0;
}
