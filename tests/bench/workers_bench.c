/* SPDX-License-Identifier: Apache-2.0 */
/* workers_bench.c - what several workers cost each packet: naming its owner, and the way there. */
#include "bench.h"
#include "team_kit.h"

#define BURST BENCH_BURST

static const char *const conf_text =
	"version = 1; ports = ( { name = \"a\"; device = \"net_ring0\"; },"
	" { name = \"b\"; device = \"net_ring1\"; } );"
	"wires = ( { client = \"a\"; server = \"b\"; } );";

struct kit {
	struct rte_mbuf *mbufs[BURST];
	struct wk_pkt pkts[BURST];
	struct wk_owners owners;
	uint32_t sum;
};

static void name_owners(void *user)
{
	struct kit *kit = user;

	for (uint32_t i = 0; i < BURST; i++)
		kit->sum += wk_owner(&kit->owners, &kit->pkts[i], 0, WK_C2S, 0);
}

static void there(void *user)
{
	struct kit *kit = user;
	struct wk_worker *worker = team.worker[0];

	for (uint32_t i = 0; i < BURST; i++)
		wk_worker_hand_over(worker, 1, &kit->pkts[i], &worker->ports[0]);
	wk_worker_post(worker);
	if (wk_worker_take(team.worker[1], kit->mbufs) != BURST)
		abort();
}

static void there_and_parsed_again(void *user)
{
	struct kit *kit = user;

	there(user);
	wk_pkt_parse_burst(kit->mbufs, BURST, kit->pkts);
}

int main(void)
{
	static struct kit kit = { .owners = { .n = 2, .secret = { 1, 2 } } };
	const struct team_conf conf = { .workers = 2, .inbox = 1024 };
	struct wk_snapshot *snapshot;

	if (team_start("workers_bench") != 0)
		return 1;
	snapshot = team_snapshot(conf_text);
	if (!snapshot || team_open(&conf, snapshot) != 0)
		return 1;
	bench_fill(team.pool, 60, kit.mbufs, kit.pkts);
	bench_begin();
	kit.owners.n = 1;
	bench_row("owner, one worker", BURST, name_owners, &kit);
	kit.owners.n = 2;
	bench_row("owner, software", BURST, name_owners, &kit);
	kit.owners.reta_size[0] = 128;
	bench_row("owner, nic", BURST, name_owners, &kit);
	bench_row("hand over and take", BURST, there, &kit);
	bench_row("the same and parse", BURST, there_and_parsed_again, &kit);
	team_stop();
	return 0;
}
