/* SPDX-License-Identifier: Apache-2.0 */
#include "mix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"

#define STEPS_MAX 200000u

static void choose_style(struct truth_style *style, struct sim_rng *rng)
{
	static const uint32_t segments[] = { 3, 40, 300, 1400 };

	*style = (struct truth_style){
		.calls = rng_range32(rng, 1, rng_chance(rng, 300) ? TRUTH_CALLS : 8),
		.segment_b = segments[rng_chance(rng, 50) ? 0 : rng_range32(rng, 1, 3)],
		.messy = rng_chance(rng, 200),
	};
}

static bool all_quiet(struct truth_conn **conn, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!truth_conn_quiet(conn[i]))
			return false;
	return true;
}

static void count(struct truth_result *result, const struct truth_box *box,
		  struct truth_conn *const *conn)
{
	for (uint32_t c = 0; c < box->n; c++)
		for (uint32_t i = 0; i < conn[c]->n_calls; i++)
			switch (conn[c]->call[i].want) {
			case TRUTH_ALLOW:
				result->allowed++;
				break;
			case TRUTH_DENY:
				result->denied++;
				break;
			default:
				result->refused++;
				break;
			}
	result->conns = box->n;
	result->reencoded = (uint32_t)box->stats.counter[WK_CNT_REENCODED];
	result->packets = box->stats.counter[WK_CNT_RX];
}

static void write_file(const char *folder, uint64_t seed, uint32_t conn, const char *suffix,
		       const void *p, size_t n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%" PRIu64 ".%u.%s", folder, seed, conn, suffix);
	f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* For servers of another make: the bytes that ours got, its SETTINGS, what it has decoded, and the
 * streams that it has reset. */
static void dump_conn(const char *folder, uint64_t seed, const struct truth_conn *conn)
{
	const struct pair_end *end = &conn->box->pair[conn->number]->end[WK_S2C];
	char reset[TRUTH_CALLS * 12] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < conn->n_calls; i++)
		if (conn->call[i].reset)
			n += (size_t)snprintf(reset + n, sizeof(reset) - n, "%u ",
					      conn->call[i].id);
	write_file(folder, seed, conn->number, "reset", reset, n);
	write_file(folder, seed, conn->number, "bytes", end->rx, end->rx_len_b);
	write_file(folder, seed, conn->number, "settings", conn->announced.p, conn->announced.n);
	write_file(folder, seed, conn->number, "calls", conn->got.p, conn->got.n);
}

static void run(struct truth_box *box, struct truth_conn **conn, struct sim_rng *rng)
{
	uint32_t steps = 0, end;

	while (box->fault[0] == '\0' && steps++ < STEPS_MAX && !all_quiet(conn, box->n))
		truth_conn_step(conn[rng_range32(rng, 0, box->n - 1)]);
	for (uint32_t i = 0; steps >= STEPS_MAX && i < box->n; i++)
		truth_conn_hangs(conn[i]);
	/* Whatever comes late must change nothing. */
	for (end = 0; box->fault[0] == '\0' && end < 20 * box->n; end++)
		truth_conn_step(conn[end % box->n]);
	for (uint32_t i = 0; box->fault[0] == '\0' && i < box->n; i++)
		truth_conn_judge(conn[i]);
}

bool truth_mix(uint64_t seed, const char *dump, struct truth_result *result)
{
	struct sim_rng rng = { .state = seed };
	enum wk_policy_reply reply = rng_chance(&rng, 300) ? WK_REPLY_GRPC : WK_REPLY_HTTP_403;
	uint32_t n = rng_chance(&rng, 250) ? rng_range32(&rng, 2, TRUTH_CONNS) : 1;
	struct truth_conn *conn[TRUTH_CONNS];
	struct truth_box box;

	memset(result, 0, sizeof(*result));
	truth_box_init(&box, n, reply, &rng);
	for (uint32_t i = 0; i < n; i++) {
		struct truth_style style;

		choose_style(&style, &rng);
		conn[i] = malloc(sizeof(*conn[i]));
		if (!conn[i])
			abort();
		truth_conn_init(conn[i], &box, i, &style, reply, rng_fork(&rng));
	}
	run(&box, conn, &rng);
	count(result, &box, conn);
	for (uint32_t i = 0; i < n; i++) {
		if (dump)
			dump_conn(dump, seed, conn[i]);
		truth_conn_fini(conn[i]);
		free(conn[i]);
	}
	truth_box_fini(&box);
	memcpy(result->fault, box.fault, sizeof(result->fault));
	return box.fault[0] == '\0';
}
