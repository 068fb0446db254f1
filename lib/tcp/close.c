/* SPDX-License-Identifier: Apache-2.0 */
/* close.c - how a connection ends: FINs, RSTs, our own resets, and the tombstone behind them. */
#include "internal.h"

#define ANSWER_GAP_NS 1000000ull /* of ACKs and RSTs that answer what brought nothing */
#define AGAIN_GAP_NS  100000ull  /* of those that say which bytes came again, on average */
#define AGAIN_BURST   256u
#define FAREWELL_B    512u

void close_free(struct ctx *c, enum wk_tcp_state state)
{
	for (int d = 0; d < WK_DIRS; d++) {
		struct wk_tcp_half *half = &c->flow->half[d];

		ledger_free(half, c->env->mem);
		hold_free(half, c->env->mem);
		repair_end(half, c->env->mem);
		half->rto_at_ns = NEVER;
	}
	c->flow->state = (uint8_t)state;
	c->flow->since_ns = c->env->now_ns;
	c->flow->insert_ns = 0;
	c->fatal = true;
}

static bool answer_due(struct ctx *c)
{
	if (c->flow->answer_ns != 0 && c->env->now_ns - c->flow->answer_ns < ANSWER_GAP_NS)
		return false;
	c->flow->answer_ns = c->env->now_ns;
	return true;
}

void close_answer(struct ctx *c, enum wk_dir dir)
{
	if (answer_due(c))
		emit_ack(c, dir, NULL, stream(c->flow, dir)->nxt_out);
}

/* A window that was sent again for nothing is undone only if all of it is reported. */
static bool again_due(struct ctx *c)
{
	uint64_t now = c->env->now_ns;

	if (c->flow->again_ns > now + AGAIN_BURST * AGAIN_GAP_NS)
		return false;
	c->flow->again_ns = (c->flow->again_ns > now ? c->flow->again_ns : now) + AGAIN_GAP_NS;
	return true;
}

void close_answer_again(struct ctx *c, enum wk_dir dir, uint64_t from, uint64_t to)
{
	uint64_t acked_in = acked_by(c->flow, dir)->acked_in;
	struct span again = { from, to < acked_in ? to : acked_in };

	if (!c->flow->sack_on || again.from >= again.to)
		close_answer(c, dir);
	else if (again_due(c))
		emit_ack_again(c, dir, &again);
}

/* RFC 5961 3.2, narrower: the end of what arrived in order, or the last ACK given to its sender
 * (which is what a closed socket answers with). */
void close_rst(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_half *acked = acked_by(c->flow, dir);
	int64_t at = wk_seq_unwrap(half->isn, seg->seq, half->e_in);
	uint64_t end = half->e_in + half->held_len_b + (half->fin_out ? 1 : 0);
	struct wk_tcp_result *result = c->result;

	if (at != (int64_t)end && at != (int64_t)half->acked_in) {
		set_drop(result, WK_DROP_RST_BADSEQ);
		if (at > (int64_t)half->acked_in && at <= (int64_t)half->edge_given)
			close_answer(c, wk_dir_flip(dir));
		return;
	}
	result->verdict = WK_TCP_FORWARD;
	result->reason = WK_FWD_GUARDED;
	result->edits = seg->data_len_b > 0 ? WK_TCP_EDIT_TRIM_DATA : 0;
	if (!half_plain(half) || !half_plain(acked) || half->held_len_b > 0) {
		result->edits |= WK_TCP_EDIT_NUMBERS;
		result->seq = wk_seq_wrap(half->isn, half->nxt_out);
		result->ack = (seg->flags & WK_TCP_ACK) ? wk_seq_wrap(acked->isn, acked->acked_in)
							: 0;
		result->wnd = seg->wnd;
	}
	if (result->edits)
		result->reason = WK_FWD_EDITED;
	close_free(c, WK_TCP_ST_CLOSED);
}

void wk_tcp_reset(struct wk_tcp_flow *flow, const struct wk_tcp_env *env, const uint8_t *farewell,
		  uint32_t len_b)
{
	struct ctx c = { .flow = flow, .env = env };
	struct wk_tcp_half *s2c = stream(flow, WK_S2C);

	if (flow->state == WK_TCP_ST_CLOSED || flow->state == WK_TCP_ST_UNTRACKED)
		return;
	if (flow->passive) {
		wk_count(env->stats, WK_CNT_UNTRACKED, 1);
		close_free(&c, WK_TCP_ST_UNTRACKED);
		return;
	}
	wk_count(env->stats, WK_CNT_FLOWS_RESET, 1);
	if (len_b > 0 && flow->state == WK_TCP_ST_ESTABLISHED && s2c->at_boundary &&
	    s2c->nxt_out <= s2c->e_out && !s2c->fin_out &&
	    ledger_add(&c, s2c, REC_INSERT, 0, farewell, len_b, true))
		emit(&c, WK_S2C, s2c->nxt_out, s2c->e_out, NULL, 0, WK_TCP_PSH);
	emit_rst(&c, WK_S2C);
	emit_rst(&c, WK_C2S);
	close_free(&c, WK_TCP_ST_CLOSED);
}

/* The judge, a bound or a broken invariant ends the connection. */
void close_fail(struct ctx *c)
{
	uint8_t buf[FAREWELL_B];
	uint32_t len_b = 0;

	if (c->fatal)
		return;
	if (c->env->hooks->farewell && !c->flow->passive)
		len_b = c->env->hooks->farewell(c->env->user, buf, sizeof(buf));
	wk_tcp_reset(c->flow, c->env, buf, len_b);
	c->fatal = true;
	if (c->result)
		set_drop(c->result, WK_DROP_PROTOCOL);
}

/* Both FINs acknowledged: stragglers are still served for a while, as in TIME-WAIT. */
void close_check(struct ctx *c)
{
	const struct wk_tcp_half *c2s = stream(c->flow, WK_C2S), *s2c = stream(c->flow, WK_S2C);

	if (c->flow->both_closed || !c2s->fin_out || !s2c->fin_out)
		return;
	if (c2s->b_out <= c2s->fin_out || s2c->b_out <= s2c->fin_out)
		return;
	c->flow->both_closed = true;
	c->flow->since_ns = c->env->now_ns;
}

void close_tombstone(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_out out;

	set_absorb(c->result, WK_ABSORB_CLOSED);
	if (c->flow->passive || !answer_due(c) || !wk_tcp_refuse(seg, dir, &out))
		return;
	wk_count(c->env->stats, WK_CNT_BUILT_RSTS, 1);
	c->env->hooks->tx(c->env->user, &out);
}
