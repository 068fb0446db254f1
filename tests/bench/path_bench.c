/* SPDX-License-Identifier: Apache-2.0 */
/* path_bench.c - what the parts of a packet's way cost: parse, classify, look up, checksum, timers,
 * arena. */
#include <stdbool.h>

#include <rte_malloc.h>

#include "../support/test_eal.h"
#include "bench.h"
#include "wk_acl.h"
#include "wk_flow.h"
#include "wk_mem.h"

#define BURST   BENCH_BURST
#define FLOWS   16384u
#define ARENA_B (4u * 1024u * 1024u)
#define MS      UINT64_C(1000000)

struct kit {
	struct rte_mbuf *mbufs[BURST];
	struct wk_pkt pkts[BURST];
	struct wk_acl *acl;
	struct wk_flow_table *table;
	struct wk_flow_key keys[BURST];
	struct wk_mem *mem;
	uint64_t now_ns;
};

static uint32_t lcg = 1;

static uint32_t rnd(uint32_t below)
{
	lcg = lcg * 1664525u + 1013904223u;
	return (lcg >> 8) % below;
}

static void parse(void *user)
{
	struct kit *kit = user;

	wk_pkt_parse_burst(kit->mbufs, BURST, kit->pkts);
}

static void classify(void *user)
{
	struct wk_acl_verdict verdicts[BURST];
	struct kit *kit = user;

	wk_acl_classify_burst(kit->acl, kit->pkts, BURST, verdicts);
	__asm__ volatile("" : : "r"(verdicts) : "memory");
}

static void verify(void *user)
{
	struct kit *kit = user;
	bool good = true;

	for (uint32_t i = 0; i < BURST; i++)
		good = wk_pkt_csum_ok(&kit->pkts[i]) && good;
	if (!good)
		abort();
}

static void renumber(void *user)
{
	struct kit *kit = user;

	for (uint32_t i = 0; i < BURST; i++)
		wk_pkt_set_numbers(&kit->pkts[i], i, i + 1, (uint16_t)i);
}

static void look_up(void *user)
{
	const struct wk_flow_key *keys[BURST];
	struct wk_flow_entry *entries[BURST];
	struct kit *kit = user;

	for (uint32_t i = 0; i < BURST; i++) {
		uint32_t client = rnd(FLOWS);

		memcpy(kit->keys[i].client, &client, sizeof(client));
		keys[i] = &kit->keys[i];
	}
	wk_flow_lookup_burst(kit->table, keys, BURST, entries);
	for (uint32_t i = 0; i < BURST; i++)
		if (!entries[i])
			abort();
}

static void look_up_single(void *user)
{
	struct kit *kit = user;

	for (uint32_t i = 0; i < BURST; i++) {
		uint32_t client = rnd(FLOWS);

		memcpy(kit->keys[0].client, &client, sizeof(client));
		if (!wk_flow_lookup(kit->table, &kit->keys[0]))
			abort();
	}
}

static void rearm(void *user)
{
	struct kit *kit = user;
	uint32_t pos = 0;

	kit->now_ns += MS;
	for (uint32_t i = 0; i < BURST; i++)
		wk_flow_arm(kit->table, wk_flow_next(kit->table, &pos),
			    kit->now_ns + rnd(1000) * MS);
	while (wk_flow_due(kit->table, kit->now_ns))
		;
}

static void alloc_free(void *user)
{
	struct kit *kit = user;
	void *blocks[BURST];

	for (uint32_t i = 0; i < BURST; i++)
		blocks[i] = wk_mem_alloc(kit->mem, 64u << i % 6);
	for (uint32_t i = 0; i < BURST; i++)
		wk_mem_free(kit->mem, blocks[i]);
}

/* Services and rules as a site of some size has them. */
static struct wk_acl *open_acl(uint32_t n_rules)
{
	static const struct wk_acl_prefix doors[] = {
		{ .family = 4, .len = 32, .addr = { 10, 12, 0, 10 } },
	};
	static const uint16_t port = 50051;
	static const struct wk_acl_service_in service = { doors, 1, &port, 1, true };
	struct wk_acl_prefix *to = calloc(n_rules, sizeof(*to));
	struct wk_acl_rule_in *rules = calloc(n_rules, sizeof(*rules));
	struct wk_acl_in in = {
		.version = n_rules,
		.services = &service,
		.n_services = 1,
		.rules = rules,
		.n_rules = n_rules,
		.socket_id = SOCKET_ID_ANY,
	};
	struct wk_acl *acl;

	if (!to || !rules)
		abort();
	for (uint32_t i = 0; i < n_rules; i++) {
		to[i] = (struct wk_acl_prefix){
			.family = 4,
			.len = (uint8_t)(16 + rnd(17)),
			.addr = { 10, (uint8_t)rnd(32), (uint8_t)rnd(256), (uint8_t)rnd(256) },
		};
		rules[i] = (struct wk_acl_rule_in){
			.to = &to[i],
			.n_to = 1,
			.proto = 6,
			.port_low = (uint16_t)(1024 + rnd(1000)),
			.port_high = 3000,
			.vlan = -1,
			.drop = true,
		};
	}
	if (wk_acl_create(&in, &acl) != 0)
		abort();
	free(rules);
	free(to);
	return acl;
}

static void fill_table(struct kit *kit)
{
	const struct wk_flow_table_conf conf = {
		.name = "bench",
		.max_flows = FLOWS,
		.entry_size_b = 512,
		.secret = 42,
		.socket_id = SOCKET_ID_ANY,
	};

	if (wk_flow_table_create(&conf, &kit->table) != 0)
		abort();
	for (uint32_t i = 0; i < BURST; i++)
		kit->keys[i] = (struct wk_flow_key){ .ip_version = 4, .server_port = 50051 };
	for (uint32_t client = 0; client < FLOWS; client++) {
		memcpy(kit->keys[0].client, &client, sizeof(client));
		if (!wk_flow_add(kit->table, &kit->keys[0]))
			abort();
	}
}

int main(void)
{
	static struct kit kit;
	static const uint32_t rules[] = { 1, 16, 256 };
	struct rte_mempool *pool;
	void *arena = aligned_alloc(64, wk_mem_footprint(ARENA_B));

	test_eal_start("path_bench");
	pool = rte_pktmbuf_pool_create("bench", 255, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	kit.mem = arena ? wk_mem_create(arena, wk_mem_footprint(ARENA_B)) : NULL;
	if (!pool || !kit.mem)
		return 1;
	bench_begin();
	bench_fill(pool, 60, kit.mbufs, kit.pkts);
	bench_row("parse", BURST, parse, &kit);
	for (size_t i = 0; i < RTE_DIM(rules); i++) {
		char name[32];

		kit.acl = open_acl(rules[i]);
		snprintf(name, sizeof(name), "classify, %u rules", rules[i]);
		bench_row(name, BURST, classify, &kit);
		wk_acl_free(kit.acl);
	}
	bench_row("checksum, 60 B", BURST, verify, &kit);
	bench_row("set numbers", BURST, renumber, &kit);
	rte_pktmbuf_free_bulk(kit.mbufs, BURST);
	bench_fill(pool, 1448, kit.mbufs, kit.pkts);
	bench_row("checksum, 1448 B", BURST, verify, &kit);
	fill_table(&kit);
	bench_row("look up, burst", BURST, look_up, &kit);
	bench_row("look up, single", BURST, look_up_single, &kit);
	bench_row("arm a timer", BURST, rearm, &kit);
	bench_row("arena alloc + free", BURST, alloc_free, &kit);
	wk_flow_table_free(kit.table);
	test_eal_stop();
	return 0;
}
