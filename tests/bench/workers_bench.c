/* SPDX-License-Identifier: Apache-2.0 */
/* workers_bench.c - what several workers cost each packet: naming its owner, and the way there. */
#include "../support/test_frame.h"
#include "bench.h"
#include "team_kit.h"

#define BURST WK_BURST_MAX

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

static void copy(void *user)
{
	static uint8_t from[BURST][64];
	static uint8_t to[BURST][64];

	(void)user;
	for (uint32_t i = 0; i < BURST; i++) {
		memcpy(to[i], from[i], 64);
		__asm__ volatile("" : : "r"(to[i]) : "memory");
	}
}

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

static void fill(struct kit *kit)
{
	struct test_frame_spec spec = {
		.ip_version = 4,
		.proto = IPPROTO_TCP,
		.src = { 10, 11, 0, 1 },
		.dst = { 10, 12, 0, 10 },
		.dport = 50051,
		.tcp_flags = 0x10,
		.data_b = 60,
	};

	for (uint32_t i = 0; i < BURST; i++) {
		struct test_frame frame;

		spec.sport = (uint16_t)(4000 + i);
		test_frame_build(&frame, &spec);
		kit->mbufs[i] = rte_pktmbuf_alloc(team.pool);
		if (!kit->mbufs[i])
			abort();
		memcpy(rte_pktmbuf_append(kit->mbufs[i], (uint16_t)frame.len_b), frame.bytes,
		       frame.len_b);
	}
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
	fill(&kit);
	printf("name\tn\tcycles\tp99\tratio\n");
	bench_row("memcpy 64 B", BURST, copy, &kit);
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
