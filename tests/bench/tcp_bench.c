/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_bench.c - what a packet costs lib/tcp alone, in order and unedited: the fast path. */
#include "bench.h"
#include "tcp_world.h"

#define OPS    32u
#define DATA_B 1400u

struct kit {
	struct world *w;
	struct wk_tcp_hooks hooks;
	struct wk_tcp_env env;
	uint8_t segment[20 + 12 + DATA_B];
};

/* All of it passes. */
static int judge(void *user, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
		 struct wk_op_list *ops)
{
	(void)user;
	(void)dir;
	(void)data;
	wk_op_push(ops, WK_OP_PASS, len_b, true);
	return 0;
}

static void put_be32(uint8_t *to, uint32_t value)
{
	rte_be32_t be = rte_cpu_to_be_32(value);

	memcpy(to, &be, sizeof(be));
}

static void give_one(struct kit *kit, enum wk_dir dir, uint32_t data_b)
{
	struct world *w = kit->w;
	struct wk_tcp_result result;
	struct wk_tcp_seg seg;

	put_be32(kit->segment + 4, dir == WK_C2S ? w->c_seq : w->s_seq);
	put_be32(kit->segment + 8, dir == WK_C2S ? w->c_ack : w->s_ack);
	if (wk_tcp_seg_parse(&seg, kit->segment, 32 + data_b) < 0)
		abort();
	wk_tcp_input(&w->flow, dir, &seg, &kit->env, &result);
	if (result.verdict != WK_TCP_FORWARD)
		abort();
}

/* A full segment and its ACK. */
static void segment_and_ack(void *user)
{
	struct kit *kit = user;

	for (uint32_t i = 0; i < OPS; i++) {
		give_one(kit, WK_C2S, DATA_B);
		kit->w->c_seq += DATA_B;
		kit->w->s_ack = kit->w->c_seq;
		give_one(kit, WK_S2C, 0);
	}
}

static void copy_two(void *user)
{
	struct kit *kit = user;
	static uint8_t to[sizeof(kit->segment)];

	for (uint32_t i = 0; i < OPS; i++) {
		memcpy(to, kit->segment, 32 + DATA_B);
		__asm__ volatile("" : : "r"(to) : "memory");
		memcpy(to, kit->segment, 32);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
}

static void parse_two(void *user)
{
	struct kit *kit = user;
	struct wk_tcp_seg seg;

	for (uint32_t i = 0; i < OPS; i++) {
		wk_tcp_seg_parse(&seg, kit->segment, 32 + DATA_B);
		__asm__ volatile("" : : "r"(&seg) : "memory");
		wk_tcp_seg_parse(&seg, kit->segment, 32);
		__asm__ volatile("" : : "r"(&seg) : "memory");
	}
}

int main(void)
{
	static struct kit kit;
	void *world;

	if (set_up_timed_world(&world) != 0)
		return 1;
	kit.w = world;
	kit.hooks = *kit.w->env.hooks;
	kit.hooks.judge = judge;
	kit.env = kit.w->env;
	kit.env.hooks = &kit.hooks;
	kit.segment[12] = 8 << 4;
	kit.segment[13] = WK_TCP_ACK;
	kit.segment[14] = 0xff;
	memcpy(kit.segment + 20, (const uint8_t[]){ 1, 1, 8, 10 }, 4);
	put_be32(kit.segment + 24, kit.w->clock[WK_C2S] + 1000);
	bench_begin();
	bench_row("memcpy of both", OPS, copy_two, &kit);
	bench_row("headers of both", OPS, parse_two, &kit);
	bench_row("1400 B and their ACK", OPS, segment_and_ack, &kit);
	return 0;
}
