/* SPDX-License-Identifier: Apache-2.0 */
/* invariant.c - what must hold after every packet (wk_tcp.h). A build with debug_invariants walks
 * the ledger as well and aborts; otherwise the flow is reset and counted: a bug must not let bytes
 * pass. */
#include <stdlib.h>

#include "internal.h"

/* Nothing of a client goes out unjudged but the rest of a DATA frame that is let through (I2), and
 * nobody acknowledges what has not gone out. */
static bool edges_ok(const struct wk_tcp_half *half, bool judged_only)
{
	return half->base_in <= half->e_in && half->base_out <= half->e_out &&
	       half->b_out <= half->nxt_out && (!judged_only || half->nxt_out <= pass_out(half));
}

/* Where the bytes end that are here in order, held or waiting for room. */
static uint64_t kept_in(const struct wk_tcp_half *half)
{
	uint64_t end = half->e_in + half->held_len_b;

	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo && ooo->in_off <= end; ooo = ooo->next)
		if (ooo->in_off + ooo->len_b > end)
			end = ooo->in_off + ooo->len_b;
	return end;
}

/* No byte is acknowledged to its sender before it is judged or owned (I3), or has gone on out of
 * order, so that its receiver has it. */
static bool ack_ok(const struct wk_tcp_half *half)
{
	uint64_t fin = half->fin_out ? 1 : 0;
	uint64_t limit = half->owned_in > half->e_in + fin ? half->owned_in : half->e_in + fin;

	if (limit < half->gone_in)
		limit = half->gone_in;
	return half->acked_in <= limit && half->owned_in <= kept_in(half);
}

#ifdef WK_DEBUG_INVARIANTS
/* Records are sorted and do not overlap, offsets between them advance alike, sums are right. */
static bool ledger_ok(const struct wk_tcp_half *half)
{
	uint64_t in = half->base_in, out = half->base_out;
	const struct wk_tcp_rec *last = NULL;
	const struct wk_tcp_rec *stone = half->skip_head;
	uint32_t n = 0, bytes = 0, edits = 0, owned = 0;

	for (const struct wk_tcp_rec *rec = half->head; rec; rec = rec->next) {
		if (rec->in_off < in || rec->in_off - in != rec->out_off - out)
			return false;
		in = rec->in_off + rec->in_len_b;
		out = rec->out_off + rec->out_len_b;
		bytes += rec->out_len_b;
		edits += rec->kind != REC_PIN || rec->owned;
		owned += rec->owned && rec->out_len_b > 0;
		if (rec == stone)
			stone = rec->skip;
		last = rec;
		n++;
	}
	return last == half->tail && n == half->n_recs && bytes == half->ledger_b &&
	       edits == half->n_edits && owned == half->n_owned && !stone &&
	       !half->skip_head == !half->skip_tail && in <= half->e_in &&
	       half->e_in - in == half->e_out - out;
}

/* Waiting segments are sorted, apart from each other, and beyond what is in order. */
static bool ooo_ok(const struct wk_tcp_half *half)
{
	uint64_t end = half->e_in + half->held_len_b;

	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo; ooo = ooo->next) {
		if (ooo->in_off + ooo->len_b <= end)
			return false;
		end = ooo->in_off + ooo->len_b;
	}
	return true;
}

static bool deep_ok(const struct wk_tcp_half *half)
{
	return ledger_ok(half) && ooo_ok(half) && half->acked_in >= 1 &&
	       ledger_ack(half) <= half->acked_in;
}
#endif

static bool half_ok(const struct wk_tcp_flow *flow, enum wk_dir dir)
{
	const struct wk_tcp_half *half = &flow->half[dir];

	if (!edges_ok(half, dir == WK_C2S) || !ack_ok(half))
		return false;
#ifdef WK_DEBUG_INVARIANTS
	return deep_ok(half);
#else
	return true;
#endif
}

void invariant_check(struct ctx *c)
{
	const struct wk_tcp_flow *flow = c->flow;

	/* A passive flow sees what has gone out already, in whatever order. */
	if (flow->passive || flow->state != WK_TCP_ST_ESTABLISHED)
		return;
	if (half_ok(flow, WK_C2S) && half_ok(flow, WK_S2C))
		return;
#ifdef WK_DEBUG_INVARIANTS
	abort();
#endif
	wk_count(c->env->stats, WK_CNT_INVARIANT, 1);
	wk_tcp_reset(c->flow, c->env, NULL, 0);
	c->fatal = true;
}
