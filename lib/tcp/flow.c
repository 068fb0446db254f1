/* SPDX-License-Identifier: Apache-2.0 */
/* flow.c - the way in: packets, timers, modes. */
#include "internal.h"

#define MS_NS 1000000ull
#define S_NS  1000000000ull

#define GAP_NEAR_B (1u << 20) /* how far a client can have come while nobody looked */

const struct wk_tcp_limits wk_tcp_limits_default = {
	.hold_b = 128 * 1024,
	.ooo_b = 1024 * 1024,
	.ooo_records = 256,
	.ledger_b = 256 * 1024,
	.ledger_records = 1024,
	.hold_ns = 1 * MS_NS,
	.rto_min_ns = 200 * MS_NS,
	.rto_max_ns = 60 * S_NS,
	.owned_retries = 10,
	.insert_wait_ns = 30 * S_NS,
	.insert_total_ns = 900 * S_NS,
	.closed_ns = 60 * S_NS,
	.idle_ns = 7440 * S_NS,
	.keepalive_ns = 15 * S_NS,
	.keepalive_probes = 5,
};

static void established(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct ack_news news = { .old = true };
	bool acks;

	if (seg->flags & WK_TCP_SYN) {
		handshake_syn_inside(c, dir, seg);
		return;
	}
	/* Its option was taken out of the handshake: some receivers drop a signature that they did
	 * not ask for, others pay no heed to it, and none can check it behind an edit. */
	if (seg->has_auth && !c->flow->passive) {
		set_drop(c->result, WK_DROP_AUTH_OPT);
		return;
	}
	if (seg->flags & WK_TCP_RST) {
		close_rst(c, dir, seg);
		return;
	}
	if (!accept_input(c, dir, seg, &acks))
		return;
	if (acks && !ack_input(c, dir, seg, &news))
		return;
	data_input(c, dir, seg, &news);
	if (c->fatal)
		return;
	ledger_retire(c, stream(c->flow, dir));
	insert_watch(c);
	close_check(c);
	invariant_check(c);
}

static void input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	if (!flags_ok(seg)) {
		set_drop(c->result, WK_DROP_BADFLAGS);
		return;
	}
	established(c, dir, seg);
}

/* A passive flow has let bytes go on that were not read here. The server may take them all the same
 * (it knows what it has sent, and may have forgotten what we remember), and then has something else
 * than what is read later. */
static void check_unread(struct wk_tcp_flow *flow, enum wk_dir dir, const struct wk_tcp_seg *seg,
			 const struct wk_tcp_result *result)
{
	const struct wk_tcp_half *half = stream(flow, dir);
	int64_t at = wk_seq_unwrap(half->isn, seg->seq, half->e_in);

	if (dir != WK_C2S || flow->state != WK_TCP_ST_ESTABLISHED || seg->data_len_b == 0 ||
	    (result->verdict != WK_TCP_DROP && result->reason != WK_ABSORB_OLD))
		return;
	if (at + seg->data_len_b > (int64_t)half->acked_in &&
	    at <= (int64_t)(half->edge_given + GAP_NEAR_B))
		flow->doubtful = true;
}

void wk_tcp_input(struct wk_tcp_flow *flow, enum wk_dir dir, const struct wk_tcp_seg *seg,
		  const struct wk_tcp_env *env, struct wk_tcp_result *result)
{
	struct ctx c = { .flow = flow, .env = env, .result = result };

	*result = (struct wk_tcp_result){ .verdict = WK_TCP_FORWARD, .reason = WK_FWD_GUARDED };
	if (flow->state == WK_TCP_ST_UNTRACKED)
		return;
	if (flow->state == WK_TCP_ST_CLOSED) {
		close_tombstone(&c, dir, seg);
	} else {
		input(&c, dir, seg);
		/* What does not count keeps no connection alive either. */
		if (result->verdict != WK_TCP_DROP || flow->passive) {
			flow->last_ns = env->now_ns;
			idle_heard(flow, dir);
		}
	}
	if (flow->passive) {
		check_unread(flow, dir, seg, result);
		stream(flow, wk_dir_flip(dir))->told_in = stream(flow, wk_dir_flip(dir))->acked_in;
		*result = (struct wk_tcp_result){ .verdict = WK_TCP_FORWARD,
						  .reason = WK_FWD_GUARDED };
	}
}

static uint64_t state_deadline(const struct wk_tcp_flow *flow, const struct wk_tcp_limits *limits)
{
	switch (flow->state) {
	case WK_TCP_ST_CLOSED:
		return flow->since_ns + limits->closed_ns;
	default:
		return flow->both_closed ? flow->since_ns + limits->closed_ns
					 : idle_due(flow, limits);
	}
}

uint64_t wk_tcp_deadline(const struct wk_tcp_flow *flow, const struct wk_tcp_limits *limits)
{
	uint64_t due = state_deadline(flow, limits);

	for (int d = 0; d < WK_DIRS; d++) {
		if (flow->half[d].hold_at_ns < due)
			due = flow->half[d].hold_at_ns;
		if (flow->half[d].rto_at_ns < due)
			due = flow->half[d].rto_at_ns;
	}
	if (insert_due(flow, limits) < due)
		due = insert_due(flow, limits);
	return due;
}

static void hold_timer(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);

	if (half->hold_at_ns > c->env->now_ns)
		return;
	if (own_held(c, dir))
		emit_ack(c, wk_dir_flip(dir), NULL, acked_by(c->flow, dir)->nxt_out);
}

/* The time of its state is over. Other timers may be due at the same moment. Who did not answer may
 * only have been out of reach, and still speaks in numbers of its own: a tombstone hears that. */
static bool lives_on(struct ctx *c)
{
	struct wk_tcp_flow *flow = c->flow;

	if (flow->state != WK_TCP_ST_ESTABLISHED || flow->both_closed)
		return false;
	if (idle_probe(c))
		return true;
	wk_count(c->env->stats, WK_CNT_IDLE_ENDED, 1);
	wk_tcp_reset(flow, c->env, NULL, 0);
	c->fatal = true;
	return flow->state == WK_TCP_ST_CLOSED;
}

bool wk_tcp_timer(struct wk_tcp_flow *flow, const struct wk_tcp_env *env)
{
	struct ctx c = { .flow = flow, .env = env };

	if (env->now_ns >= state_deadline(flow, env->limits) && !lives_on(&c))
		return false;
	for (int d = 0; d < WK_DIRS && !c.fatal; d++) {
		hold_timer(&c, (enum wk_dir)d);
		own_timer(&c, (enum wk_dir)d);
	}
	if (!c.fatal)
		insert_timer(&c);
	return true;
}

void wk_tcp_poke(struct wk_tcp_flow *flow, const struct wk_tcp_env *env)
{
	struct ctx c = { .flow = flow, .env = env };
	struct wk_tcp_half *s2c = stream(flow, WK_S2C), *c2s = stream(flow, WK_C2S);

	if (insert_try(&c))
		emit(&c, WK_S2C, s2c->nxt_out, s2c->e_out, NULL, 0, WK_TCP_PSH);
	if (!c.fatal && insert_server(&c))
		emit(&c, WK_C2S, c2s->nxt_out, c2s->e_out, NULL, 0, WK_TCP_PSH);
	insert_watch(&c);
}

void wk_tcp_judge_again(struct wk_tcp_flow *flow, const struct wk_tcp_env *env)
{
	struct ctx c = { .flow = flow, .env = env };
	struct wk_tcp_half *half = stream(flow, WK_C2S);

	if (flow->state == WK_TCP_ST_ESTABLISHED && half->held_len_b > 0 &&
	    consume_held(&c, WK_C2S) && !flow->passive)
		emit(&c, WK_C2S, half->nxt_out, half->e_out, NULL, 0, WK_TCP_PSH);
}

void wk_tcp_in_order(struct wk_tcp_flow *flow)
{
	flow->in_order = true;
}

void wk_tcp_fini(struct wk_tcp_flow *flow, const struct wk_tcp_env *env)
{
	struct ctx c = { .flow = flow, .env = env };

	close_free(&c, WK_TCP_ST_CLOSED);
}

/* The receiver has taken bytes that have not been read here. */
static bool read_less(const struct wk_tcp_half *half)
{
	return half->b_out > judged_out(half) + half->held_len_b;
}

bool wk_tcp_enforce(struct wk_tcp_flow *flow, bool *mid_stream)
{
	*mid_stream = flow->state == WK_TCP_ST_UNTRACKED || flow->stripped || flow->doubtful ||
		      (flow->state == WK_TCP_ST_ESTABLISHED && read_less(stream(flow, WK_C2S)));
	if (!flow->passive)
		return true;
	if (*mid_stream)
		return false;
	for (int d = 0; d < WK_DIRS && flow->state == WK_TCP_ST_ESTABLISHED; d++) {
		const struct wk_tcp_half *half = &flow->half[d];

		if (half->held_len_b > 0 || half->ooo || half->nxt_out != judged_out(half))
			return false;
	}
	flow->passive = false;
	return true;
}

/* Anybody can send in a client's name: a number that is nowhere near is a guess. */
static bool is_guess(const struct wk_tcp_half *half, uint32_t seq)
{
	int64_t at = wk_seq_unwrap(half->isn, seq, half->e_in);

	return at + 1 < (int64_t)half->acked_in || at > (int64_t)(half->edge_given + GAP_NEAR_B);
}

bool wk_tcp_gap(const struct wk_tcp_flow *flow, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	const struct wk_tcp_half *half = &flow->half[wk_dir_flip(dir)];

	if (dir == WK_C2S && is_guess(&flow->half[dir], seg->seq))
		return false;
	if (flow->state != WK_TCP_ST_ESTABLISHED || (seg->flags & WK_TCP_SYN) ||
	    !(seg->flags & WK_TCP_ACK))
		return false;
	return wk_seq_unwrap(half->isn, seg->ack, half->nxt_out) > (int64_t)half->nxt_out;
}

bool wk_tcp_relax(struct wk_tcp_flow *flow)
{
	if (flow->passive)
		return true;
	if (wk_tcp_edited(flow))
		return false;
	/* Numbers may be the same again by chance, but a late copy would still say what its sender
	 * said. */
	for (int d = 0; d < WK_DIRS; d++)
		if (flow->half[d].altered || flow->half[d].held_len_b > 0 || flow->half[d].ooo)
			return false;
	flow->passive = true;
	return true;
}

enum wk_tcp_state wk_tcp_state(const struct wk_tcp_flow *flow)
{
	return flow->both_closed ? WK_TCP_ST_CLOSED : (enum wk_tcp_state)flow->state;
}

bool wk_tcp_edited(const struct wk_tcp_flow *flow)
{
	for (int d = 0; d < WK_DIRS; d++)
		if (!half_plain(&flow->half[d]))
			return true;
	return false;
}

bool wk_tcp_waits(const struct wk_tcp_flow *flow)
{
	for (int d = 0; d < WK_DIRS && !flow->passive; d++)
		if (flow->half[d].held_len_b > 0 || flow->half[d].ooo)
			return true;
	return false;
}
