/* SPDX-License-Identifier: Apache-2.0 */
/* drain.c - what waited behind a hole is judged and goes on, as far as there is room for it.
 *
 * Its sender has been told that we have it (SACK) and will not send it again: what gets lost behind
 * us is ours to repeat, so all of it is owned. It goes on in portions of half a ledger, the next
 * one as the receiver acknowledges the last; the rest is owned where it waits. Taking the word back
 * would cost the sender a timeout and everything that it has under way (Linux: reneging). */
#include "internal.h"

void send_judged(struct ctx *c, enum wk_dir dir, uint64_t from_in, const struct src *src,
		 uint8_t flags)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t from = ledger_out(half, from_in);

	if (half->fin_out)
		flags |= WK_TCP_FIN;
	else
		flags &= (uint8_t)~WK_TCP_FIN;
	emit(c, dir, from, half->e_out, src, 1, flags);
}

/* Has its sender been told of these bytes? */
static bool may_own(const struct ctx *c, const struct wk_tcp_ooo *ooo)
{
	return c->flow->sack_on && !c->flow->passive && !ooo->gone;
}

/* The other half of the ledger is kept for what is judged. */
static bool own_is_full(const struct ctx *c, const struct wk_tcp_half *half)
{
	return half->ledger_b > c->env->limits->ledger_b / 2 ||
	       half->n_recs > c->env->limits->ledger_records / 2 || ledger_has_enough(c, half);
}

static bool consume_waited(struct ctx *c, enum wk_dir dir, const struct wk_tcp_ooo *ooo,
			   uint64_t in, uint32_t len_b)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t end = in + len_b, owned_in = half->owned_in;
	bool ok;

	if (owned_in < end && may_own(c, ooo))
		half->owned_in = end;
	ok = consume(c, dir, in, ooo->bytes + (in - ooo->in_off), len_b, ooo->gone || ooo->touched);
	/* What is held for the judge is not owned by that. */
	if (half->owned_in > half->e_in)
		half->owned_in = owned_in > half->e_in ? owned_in : half->e_in;
	return ok;
}

/* Is there no room for the next bytes of it? Then its receiver owes an ACK, with which it goes on.
 * What has gone on its receiver may acknowledge: it is read at once. */
static bool is_full(struct ctx *c, enum wk_dir dir, const struct wk_tcp_ooo *ooo)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	bool (*full)(const struct ctx *, const struct wk_tcp_half *) = ledger_has_enough;

	if (ooo->gone || ooo->touched)
		return false;
	if (may_own(c, ooo))
		full = own_is_full;
	else if (dir == WK_S2C)
		return false;
	if (!full(c, half))
		return false;
	ledger_retire(c, half);
	return full(c, half);
}

/* One that the bytes before it have reached, as far as there is room for what is judged. @return
 * false when the flow has been reset. */
static bool drain_one(struct ctx *c, enum wk_dir dir, const struct wk_tcp_ooo *ooo)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t from_in = half->e_in, end = ooo->in_off + ooo->len_b;
	uint64_t in = half->e_in + half->held_len_b;
	struct src src = { ooo->in_off, ooo->bytes, ooo->len_b };
	bool held = half->held_len_b > 0;
	uint32_t packet_b = packet_room(c->flow, dir), n;

	/* The held bytes may be a later copy of some that have gone on. */
	if ((ooo->gone || ooo->touched) && half->gone_in < end)
		half->gone_in = end;
	if (end <= in)
		return true;
	for (; in < end; in += n) {
		n = end - in < packet_b ? (uint32_t)(end - in) : packet_b;
		if (is_full(c, dir, ooo))
			break;
		if (!consume_waited(c, dir, ooo, in, n))
			return false;
	}
	/* Held bytes before it have not gone out; saying the rest twice does no harm. */
	if (!ooo->gone || held) {
		consume_fin(c, dir);
		if (!c->fatal && (half->e_in > from_in || half->fin_out))
			send_judged(c, dir, from_in, &src, WK_TCP_PSH);
	} else if (half->nxt_out < half->e_out) {
		/* An insertion has found its place behind it: what follows must not overtake. */
		emit(c, dir, half->nxt_out, half->e_out, NULL, 0, WK_TCP_PSH);
	}
	return !c->fatal;
}

bool drain_waits(const struct wk_tcp_half *half)
{
	return half->ooo && half->ooo->in_off <= half->e_in + half->held_len_b;
}

bool drain_own_rest(struct ctx *c, struct wk_tcp_half *half)
{
	uint64_t begin = half->e_in + half->held_len_b, end = begin;

	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo && ooo->in_off <= end; ooo = ooo->next) {
		if (!may_own(c, ooo))
			break;
		end = ooo->in_off + ooo->len_b;
	}
	if (end == begin || end <= half->owned_in)
		return false;
	half->owned_in = end;
	return ack_refresh(half);
}

/* Copies that were waiting for the hole to close, as far as there is room. */
bool drain(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_ooo *ooo;
	bool waited = false, ok = true, full = false;

	while (ok && !full && (ooo = ooo_pop(half, half->e_in + half->held_len_b))) {
		waited |= !ooo->gone;
		ok = drain_one(c, dir, ooo);
		full = ok && ooo->in_off + ooo->len_b > half->e_in + half->held_len_b;
		if (full)
			ooo_put_back(half, ooo);
		else
			wk_mem_free(c->env->mem, ooo);
	}
	if (full)
		drain_own_rest(c, half);
	if (ok && half->fin_in && !half->fin_out) {
		consume_fin(c, dir);
		if (!c->fatal && half->fin_out)
			emit(c, dir, half->nxt_out, half->e_out, NULL, 0, WK_TCP_FIN);
	}
	if (waited)
		half->drained_out = half->nxt_out;
	return ok && !c->fatal;
}

bool drain_resume(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_half *reply = stream(c->flow, WK_S2C);
	bool more;

	if (!drain_waits(half) || !drain(c, dir))
		return false;
	half->drained_out = 0; /* no longer at once: its sender is to see it move */
	if (!c->flow->passive && half->held_len_b > 0)
		half->hold_at_ns = c->env->now_ns + c->env->limits->hold_ns;
	more = ack_refresh(half);
	edge_refresh(c, dir, half);
	if (dir == WK_C2S && insert_try(c))
		emit(c, WK_S2C, reply->nxt_out, reply->e_out, NULL, 0, WK_TCP_PSH);
	return more;
}
