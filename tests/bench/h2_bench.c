/* SPDX-License-Identifier: Apache-2.0 */
/* h2_bench.c - what HTTP/2 costs: frames, header blocks, replies; next to nghttp2's decoder of the
 * same blocks. */
#include <nghttp2/nghttp2.h>

#include "bench.h"
#include "crowd_words.h"
#include "wk_h2.h"

#define OPS     32u
#define ARENA_B (8u << 20)
#define DATA_B  100u
#define HEAD_B  9u

struct kit {
	struct wk_h2_env env;
	struct wk_h2_limits limits;
	struct wk_stats stats;
	struct wk_h2_conn *conn;
	enum crowd_style style;
	bool denied;
	uint32_t calls;
	uint64_t repeated;
	uint8_t data[OPS * (HEAD_B + DATA_B)]; /* frames of DATA */
	nghttp2_hd_inflater *inflater;
};

static void decide(void *user, const struct wk_h2_request *request, struct wk_h2_decision *decision)
{
	const struct kit *kit = user;

	(void)request;
	decision->verdict = kit->denied ? WK_H2_DENY : WK_H2_ALLOW;
	decision->again = !kit->denied;
	memcpy(decision->message, "denied by rule1", 16);
}

static void repeated(void *user, uint32_t stream_id, uint32_t note)
{
	struct kit *kit = user;

	(void)stream_id;
	kit->repeated += note + 1;
}

static const struct wk_h2_hooks hooks = { .decide = decide, .repeated = repeated };

/* All of it, in one call or several. */
static void feed(struct kit *kit, enum wk_dir dir, const uint8_t *data, uint32_t len_b)
{
	struct wk_op_list ops;

	kit->env.now_ns += 10000000; /* control frames are not for every nanosecond */
	while (len_b > 0) {
		if (wk_h2_feed(kit->conn, dir, data, len_b, &kit->env, &ops) < 0 || ops.n == 0) {
			fprintf(stderr, "%s\n", wk_h2_error_text(wk_h2_error(kit->conn)));
			exit(1);
		}
		for (uint32_t i = 0; i < ops.n; i++) {
			data += ops.ops[i].in_len_b;
			len_b -= ops.ops[i].in_len_b;
		}
	}
}

static void put_head(uint8_t *to, uint32_t len_b, uint8_t type, uint8_t flags, uint32_t stream)
{
	const uint8_t head[HEAD_B] = { (uint8_t)(len_b >> 16),
				       (uint8_t)(len_b >> 8),
				       (uint8_t)len_b,
				       type,
				       flags,
				       (uint8_t)(stream >> 24),
				       (uint8_t)(stream >> 16),
				       (uint8_t)(stream >> 8),
				       (uint8_t)stream };

	memcpy(to, head, sizeof(head));
}

/* The next request, whole, and the server's RST_STREAM, so that streams do not pile up. */
static void request(void *user)
{
	struct kit *kit = user;
	uint8_t bytes[1024], rst[HEAD_B + 4] = { 0 };

	for (uint32_t i = 0; i < OPS; i++) {
		uint32_t call = kit->calls++, len_b, stream = 2 * call + 1;
		const uint8_t *block = words_block(kit->style, kit->denied, call, &len_b);

		put_head(bytes, len_b, 1, 5, stream);
		memcpy(bytes + HEAD_B, block, len_b);
		feed(kit, WK_C2S, bytes, HEAD_B + len_b);
		if (kit->denied) {
			if (wk_h2_pull(kit->conn, &kit->env, bytes, sizeof(bytes)) == 0)
				abort();
			continue;
		}
		put_head(rst, 4, 3, 0, stream);
		feed(kit, WK_S2C, rst, sizeof(rst));
	}
}

static void rst_alone(void *user)
{
	struct kit *kit = user;
	uint8_t rst[HEAD_B + 4] = { 0 };

	for (uint32_t i = 0; i < OPS; i++) {
		put_head(rst, 4, 3, 0, 1);
		feed(kit, WK_S2C, rst, sizeof(rst));
	}
}

static void frames(void *user)
{
	struct kit *kit = user;

	feed(kit, WK_C2S, kit->data, sizeof(kit->data));
}

static void answers(void *user)
{
	struct kit *kit = user;

	feed(kit, WK_S2C, kit->data, sizeof(kit->data));
}

static void copy_frames(void *user)
{
	struct kit *kit = user;
	static uint8_t to[sizeof(kit->data)];

	for (uint32_t i = 0; i < OPS; i++)
		memcpy(to + i * (HEAD_B + DATA_B), kit->data + i * (HEAD_B + DATA_B),
		       HEAD_B + DATA_B);
	__asm__ volatile("" : : "r"(to) : "memory");
}

/* The yardstick: the decoder alone, which keeps nothing of what it says. */
static void inflate(void *user)
{
	struct kit *kit = user;

	for (uint32_t i = 0; i < OPS; i++) {
		uint32_t len_b;
		const uint8_t *block = words_block(kit->style, false, kit->calls++, &len_b);
		int flags = 0;

		while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
			nghttp2_nv nv;
			ssize_t used =
				nghttp2_hd_inflate_hd2(kit->inflater, &nv, &flags, block, len_b, 1);

			if (used < 0)
				abort();
			block += used;
			len_b -= (uint32_t)used;
		}
		nghttp2_hd_inflate_end_headers(kit->inflater);
	}
}

static void open_conn(struct kit *kit, enum crowd_style style, bool denied)
{
	uint8_t bytes[256];

	wk_h2_free(kit->conn, kit->env.mem);
	kit->conn = wk_h2_create(&kit->env);
	if (!kit->conn)
		abort();
	kit->style = style;
	kit->denied = denied;
	kit->calls = 0;
	feed(kit, WK_C2S, bytes, words_preface(bytes));
	feed(kit, WK_S2C, bytes, words_settings(bytes));
	feed(kit, WK_C2S, bytes, words_settings_ack(bytes));
}

static void block_rows(struct kit *kit)
{
	static const struct {
		const char *ours;
		const char *theirs;
		enum crowd_style style;
	} rows[] = {
		{ "a request, all indexed", "nghttp2_hd_inflate, all indexed", CROWD_INDEXED },
		{ "a request, literal path", "nghttp2_hd_inflate, literal path", CROWD_LITERAL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_conn(kit, rows[i].style, false);
		bench_row(rows[i].ours, OPS, request, kit);
		if (nghttp2_hd_inflate_new(&kit->inflater) != 0)
			abort();
		kit->calls = 0;
		bench_row(rows[i].theirs, OPS, inflate, kit);
		nghttp2_hd_inflate_del(kit->inflater);
	}
	bench_row("RST_STREAM, as behind each request", OPS, rst_alone, kit);
	open_conn(kit, CROWD_INDEXED, true);
	bench_row("a denied request, and its reply", OPS, request, kit);
}

static void frame_rows(struct kit *kit)
{
	uint8_t bytes[512];

	open_conn(kit, CROWD_INDEXED, false);
	feed(kit, WK_C2S, bytes, words_open(bytes, CROWD_INDEXED, 0, 0));
	for (uint32_t i = 0; i < OPS; i++)
		put_head(kit->data + i * (HEAD_B + DATA_B), DATA_B, 0, 0, 1);
	bench_row("memcpy of a DATA frame of 100 B", OPS, copy_frames, kit);
	bench_row("a DATA frame of the client", OPS, frames, kit);
	bench_row("a DATA frame of the server", OPS, answers, kit);
}

int main(void)
{
	static struct kit kit;
	void *arena = aligned_alloc(64, wk_mem_footprint(ARENA_B));

	kit.limits = wk_h2_limits_default;
	kit.env = (struct wk_h2_env){
		.now_ns = 1000000000,
		.mem = arena ? wk_mem_create(arena, wk_mem_footprint(ARENA_B)) : NULL,
		.stats = &kit.stats,
		.limits = &kit.limits,
		.hooks = &hooks,
		.user = &kit,
	};
	if (!kit.env.mem)
		return 1;
	kit.env.lcore = wk_h2_lcore_create(kit.env.mem, &kit.limits);
	if (!kit.env.lcore)
		return 1;
	bench_begin();
	frame_rows(&kit);
	block_rows(&kit);
	return 0;
}
