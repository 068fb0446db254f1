/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire_bytes.h"

/* The server's bytes from data[i] on. @return how many were judged, 0: no more. */
static uint32_t judge_server(struct world *w, const uint8_t *data, uint32_t len,
			     struct wk_op_list *ops)
{
	uint32_t left_b = w->left_b > 0 ? w->left_b : data[0] == 'f' ? FRAME : 1;

	if (w->left_b == 0 && data[0] == 'q')
		return len >= FRAME && wk_op_push(ops, WK_OP_PASS, FRAME, true) ? FRAME : 0;
	if (!wk_op_push(ops, WK_OP_PASS, 1, left_b == 1))
		return 0;
	w->left_b = left_b - 1;
	return 1;
}

/* A byte of a client's frame that streams through. */
static uint32_t judge_through(struct world *w, bool first, struct wk_op_list *ops)
{
	enum wk_op_kind kind = w->c_deleted ? WK_OP_DEL : first ? WK_OP_PIN : WK_OP_PASS;

	if (!wk_op_push(ops, kind, 1, false))
		return 0;
	w->c_left_b--;
	return 1;
}

static uint32_t judge_client(struct world *w, const uint8_t *data, uint32_t len,
			     struct wk_op_list *ops)
{
	if (w->c_left_b > 0)
		return judge_through(w, false, ops);
	if (data[0] == 'p' || data[0] == 'k') {
		w->c_left_b = FRAME;
		w->c_deleted = data[0] == 'k';
		return judge_through(w, true, ops);
	}
	if (!strchr("drh", data[0]))
		return wk_op_push(ops, WK_OP_PASS, 1, false) ? 1 : 0;
	if (len < FRAME)
		return 0;
	if (data[0] == 'd') {
		w->replies++;
		wk_op_push(ops, WK_OP_DEL, FRAME, true);
	} else if (data[0] == 'r') {
		wk_op_push_bytes(ops, WK_OP_REPL, FRAME, (const uint8_t *)REPL, REPL_B, true);
	} else {
		wk_op_push(ops, WK_OP_PIN, FRAME, true);
	}
	return FRAME;
}

static int judge(void *user, enum wk_dir dir, const uint8_t *data, uint32_t len,
		 struct wk_op_list *ops)
{
	struct world *w = user;
	uint32_t i = 0, n = 1;

	if (w->fail)
		return -1;
	for (; i < len && n > 0; i += n)
		n = dir == WK_S2C ? judge_server(w, data + i, len - i, ops)
				  : judge_client(w, data + i, len - i, ops);
	ops->to_boundary_b = dir == WK_S2C ? w->left_b : 0;
	ops->pass_b = dir == WK_C2S && !w->c_deleted ? w->c_left_b : 0;
	return 0;
}

static void finished(void *user, enum wk_dir dir)
{
	(void)user;
	(void)dir;
}

static uint32_t pending(void *user)
{
	struct world *w = user;

	return w->replies ? REPLY_B : 0;
}

static uint32_t pull(void *user, uint8_t *buf, uint32_t room)
{
	struct world *w = user;

	assert_true(room >= REPLY_B);
	memcpy(buf, REPLY, REPLY_B);
	w->replies--;
	return REPLY_B;
}

static void tx(void *user, const struct wk_tcp_out *out)
{
	struct world *w = user;
	uint32_t at = 0;

	assert_true(w->n_sent < 64);
	w->sent[w->n_sent].out = *out;
	for (uint32_t i = 0; i < out->n_iov; i++) {
		memcpy(w->sent[w->n_sent].data + at, out->iov[i].data, out->iov[i].len_b);
		at += out->iov[i].len_b;
	}
	assert_int_equal(at, out->data_len_b);
	w->n_sent++;
}

static const struct wk_tcp_hooks hooks = {
	.judge = judge,
	.finished = finished,
	.pending = pending,
	.pull = pull,
	.tx = tx,
};

/* @return true when the segment makes the flow. */
static bool opens(struct world *w, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	if (!w->shaking)
		wk_tcp_hs_start(&w->hs, seg, w->passive);
	w->shaking = true;
	w->step = wk_tcp_hs_input(&w->hs, dir, seg, &w->stats, &w->result);
	if (w->step != WK_TCP_HS_DONE)
		return false;
	wk_tcp_init(&w->flow, &w->hs, &w->env);
	w->open = true;
	return true;
}

const struct wk_tcp_result *give_sack(struct world *w, enum wk_dir dir, uint32_t seq, uint8_t flags,
				      const char *data, const uint32_t (*blocks)[2], uint32_t n)
{
	struct wk_tcp_seg seg = {
		.seq = seq,
		.ack = dir == WK_C2S ? w->c_ack : w->s_ack,
		.wnd = w->wnd[dir],
		.flags = flags,
		.data = (const uint8_t *)data,
		.data_len_b = (uint32_t)strlen(data),
		.has_ts = w->ts,
		.has_auth = w->signs,
		.has_wscale = w->shift > 0,
		.wscale = w->shift,
		.tsval = w->clock[dir],
		.has_mss = true,
		.mss = 100,
		.n_sack = (uint8_t)n,
	};

	for (uint32_t i = 0; i < n; i++)
		seg.sack[i] = (struct wk_tcp_sack){ blocks[i][0], blocks[i][1] };
	w->n_sent = 0;
	if (!(flags & WK_TCP_ACK))
		seg.ack = 0;
	if (w->open || opens(w, dir, &seg))
		wk_tcp_input(&w->flow, dir, &seg, &w->env, &w->result);
	return &w->result;
}

const struct wk_tcp_result *give(struct world *w, enum wk_dir dir, uint32_t seq, uint8_t flags,
				 const char *data)
{
	return give_sack(w, dir, seq, flags, data, NULL, 0);
}

const struct wk_tcp_result *from_client(struct world *w, const char *data)
{
	uint32_t seq = w->c_seq;

	w->c_seq += (uint32_t)strlen(data);
	return give(w, WK_C2S, seq, WK_TCP_ACK | WK_TCP_PSH, data);
}

const struct wk_tcp_result *from_server(struct world *w, const char *data)
{
	uint32_t seq = w->s_seq;

	w->s_seq += (uint32_t)strlen(data);
	return give(w, WK_S2C, seq, WK_TCP_ACK | WK_TCP_PSH, data);
}

const struct wk_tcp_result *ack_from_client(struct world *w, uint32_t ack)
{
	w->c_ack = ack;
	return from_client(w, "");
}

const struct wk_tcp_result *ack_from_server(struct world *w, uint32_t ack)
{
	w->s_ack = ack;
	return from_server(w, "");
}

bool pass_time(struct world *w, uint64_t ns)
{
	w->env.now_ns += ns;
	w->n_sent = 0;
	return wk_tcp_timer(&w->flow, &w->env);
}

void new_world(struct world *w, bool passive)
{
	size_t size = wk_mem_footprint(1 << 20);

	memset(w, 0, sizeof(*w));
	w->clock[WK_C2S] = w->clock[WK_S2C] = 1000;
	assert_int_equal(posix_memalign(&w->arena, 64, size), 0);
	w->limits = wk_tcp_limits_default;
	w->env = (struct wk_tcp_env){
		.now_ns = 1000 * MS,
		.mem = wk_mem_create(w->arena, size),
		.stats = &w->stats,
		.limits = &w->limits,
		.hooks = &hooks,
		.user = w,
	};
	w->passive = passive;
	w->wnd[WK_C2S] = 60000;
	w->wnd[WK_S2C] = 60000;
	w->c_seq = ISN_C;
	w->s_seq = ISN_S;
}

void greet_world(struct world *w)
{
	give(w, WK_C2S, w->c_seq++, WK_TCP_SYN, "");
	w->s_ack = w->c_seq;
	give(w, WK_S2C, w->s_seq++, WK_TCP_SYN | WK_TCP_ACK, "");
	w->c_ack = w->s_seq;
}

static void shake_hands(struct world *w)
{
	greet_world(w);
	assert_int_equal(from_client(w, "")->verdict, WK_TCP_FORWARD);
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
}

void open_world_of(struct world *w, bool passive, uint16_t client_wnd)
{
	new_world(w, passive);
	w->wnd[WK_C2S] = client_wnd;
	shake_hands(w);
}

void open_world(struct world *w, bool passive)
{
	open_world_of(w, passive, 60000);
}

void open_world_timed(struct world *w)
{
	new_world(w, false);
	w->ts = true;
	shake_hands(w);
}

void open_world_scaled(struct world *w, uint8_t shift, uint16_t server_wnd)
{
	new_world(w, false);
	w->shift = shift;
	w->wnd[WK_S2C] = server_wnd;
	shake_hands(w);
}

uint32_t sent_tsval(const struct world *w, unsigned int i)
{
	const uint8_t *p = w->sent[i].out.opts;

	assert_true(i < w->n_sent);
	for (uint32_t at = 0; at < w->sent[i].out.opts_len_b; at += p[at] == 1 ? 1 : p[at + 1])
		if (p[at] == 8)
			return get32(p + at + 2);
	fail_msg("no timestamp");
	return 0;
}

void close_world(struct world *w)
{
	struct wk_mem_usage usage;

	wk_tcp_fini(&w->flow, &w->env);
	wk_mem_usage(w->env.mem, &usage);
	assert_int_equal(usage.used_b, 0);
	assert_int_equal(w->stats.counter[WK_CNT_INVARIANT], 0);
	free(w->arena);
}

static struct world fixture;

int set_up_new_world(void **state)
{
	*state = &fixture;
	new_world(&fixture, false);
	return 0;
}

int set_up_world(void **state)
{
	*state = &fixture;
	open_world(&fixture, false);
	return 0;
}

int set_up_passive_world(void **state)
{
	*state = &fixture;
	open_world(&fixture, true);
	return 0;
}

int set_up_sack_world(void **state)
{
	set_up_world(state);
	fixture.flow.sack_on = true;
	return 0;
}

int set_up_timed_world(void **state)
{
	*state = &fixture;
	open_world_timed(&fixture);
	return 0;
}

int tear_down_world(void **state)
{
	close_world(*state);
	return 0;
}

void assert_blocks(const struct world *w, unsigned int i, const uint32_t (*blocks)[2], uint32_t n)
{
	struct wk_tcp_seg seg;
	uint8_t tcp[WK_TCP_HDR_MIN_B + WK_TCP_OPTS_MAX_B] = { 0 };

	assert_true(i < w->n_sent);
	tcp[12] = (uint8_t)((WK_TCP_HDR_MIN_B + w->sent[i].out.opts_len_b) / 4 << 4);
	memcpy(tcp + WK_TCP_HDR_MIN_B, w->sent[i].out.opts, w->sent[i].out.opts_len_b);
	assert_int_equal(wk_tcp_seg_parse(&seg, tcp, sizeof(tcp)), 0);
	assert_int_equal(seg.n_sack, n);
	for (uint32_t k = 0; k < n; k++) {
		assert_int_equal(seg.sack[k].left, blocks[k][0]);
		assert_int_equal(seg.sack[k].right, blocks[k][1]);
	}
}

void assert_sent(const struct world *w, unsigned int i, enum wk_dir dir, uint32_t seq, uint32_t ack,
		 const char *data)
{
	assert_true(i < w->n_sent);
	assert_int_equal(w->sent[i].out.dir, dir);
	assert_int_equal(w->sent[i].out.seq, seq);
	assert_int_equal(w->sent[i].out.ack, ack);
	assert_int_equal(w->sent[i].out.data_len_b, strlen(data));
	assert_memory_equal(w->sent[i].data, data, strlen(data));
}

void assert_only(const struct world *w, enum wk_dir dir, uint32_t seq, uint32_t ack,
		 const char *data)
{
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, dir, seq, ack, data);
}

void assert_reset(const struct world *w)
{
	assert_int_equal(w->n_sent, 2);
	assert_int_not_equal(w->sent[0].out.dir, w->sent[1].out.dir);
	assert_true(w->sent[0].out.flags & WK_TCP_RST);
	assert_true(w->sent[1].out.flags & WK_TCP_RST);
}
