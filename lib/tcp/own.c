/* SPDX-License-Identifier: Apache-2.0 */
/* own.c - bytes that only we can send again: insertions, and held bytes that we have acknowledged
 * to their sender. The estimate is RFC 6298's, with a floor of our own. */
#include "internal.h"

#define RTO_FIRST_NS 1000000000ull /* RFC 6298 2.1 */
#define PROBE_MIN_NS 10000000ull

static struct wk_tcp_rec *first_owned(const struct wk_tcp_half *half)
{
	for (struct wk_tcp_rec *rec = half->head; rec && half->n_owned > 0; rec = rec->next)
		if (rec->owned && rec->out_len_b > 0 && rec->out_off + rec->out_len_b > half->b_out)
			return rec;
	return NULL;
}

static uint64_t rto_bounded(const struct ctx *c, uint64_t rto_ns)
{
	if (rto_ns < c->env->limits->rto_min_ns)
		return c->env->limits->rto_min_ns;
	if (rto_ns > c->env->limits->rto_max_ns)
		return c->env->limits->rto_max_ns;
	return rto_ns;
}

/* Where more than two packets are out, an ACK is not delayed: if none comes in two round trips, the
 * last one or the copy of a lost one is lost. One more copy shows what is missing long before the
 * timer does (RFC 8985 7). */
static bool may_probe(const struct ctx *c, enum wk_dir dir, const struct wk_tcp_half *half)
{
	return c->flow->sack_on && !half->probed && half->retries == 0 && half->srtt_ns > 0 &&
	       half->nxt_out - half->b_out > 2ull * packet_room(c->flow, dir);
}

void own_arm(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t wait_ns = 2 * half->srtt_ns > PROBE_MIN_NS ? 2 * half->srtt_ns : PROBE_MIN_NS;
	uint64_t now = c->env->now_ns;

	if (half->rto_at_ns == NEVER) {
		if (!first_owned(half))
			return;
		if (half->rto_ns == 0)
			half->rto_ns = rto_bounded(c, RTO_FIRST_NS / 4);
		half->rto_at_ns = now + half->rto_ns;
		half->probing = false;
	}
	if (!half->probing && now + wait_ns < half->rto_at_ns && may_probe(c, dir, half)) {
		half->rto_at_ns = now + wait_ns;
		half->probing = true;
	}
}

static void rtt_sample(struct ctx *c, struct wk_tcp_half *half, uint64_t rtt_ns)
{
	uint64_t diff;

	if (half->srtt_ns == 0) {
		half->srtt_ns = rtt_ns;
		half->rttvar_ns = rtt_ns / 2;
	} else {
		diff = half->srtt_ns > rtt_ns ? half->srtt_ns - rtt_ns : rtt_ns - half->srtt_ns;
		half->rttvar_ns = half->rttvar_ns * 3 / 4 + diff / 4;
		half->srtt_ns = half->srtt_ns * 7 / 8 + rtt_ns / 8;
	}
	half->rto_ns = rto_bounded(c, half->srtt_ns + 4 * half->rttvar_ns);
}

/* What the receiver has acknowledged at once, without a hole in between, took so long there and
 * back, if it was sent once (RFC 6298 3). */
static void sample(struct ctx *c, struct wk_tcp_half *half, uint64_t old_b_out)
{
	const struct wk_tcp_rec *last = NULL;

	for (const struct wk_tcp_rec *rec = half->head; rec && rec->out_off < half->b_out;
	     rec = rec->next) {
		if (!rec->owned || rec->out_off < old_b_out || rec->sent_ns == 0)
			continue;
		if (rec->rexmit)
			return;
		last = rec;
	}
	if (last)
		rtt_sample(c, half, c->env->now_ns - last->sent_ns);
}

/* The receiver has acknowledged more: a fresh timer. */
void own_acked(struct ctx *c, enum wk_dir dir, uint64_t old_b_out, bool after_hole)
{
	struct wk_tcp_half *half = stream(c->flow, dir);

	if (half->rto_at_ns == NEVER)
		return;
	if (!after_hole && !half->repair)
		sample(c, half, old_b_out);
	else if (half->srtt_ns > 0)
		half->rto_ns = rto_bounded(c, half->srtt_ns + 4 * half->rttvar_ns);
	half->retries = 0;
	half->probed = false;
	half->rto_at_ns = NEVER;
	own_arm(c, dir);
}

/* Where the owned bytes end that begin with a record. */
uint64_t own_run_end(const struct wk_tcp_rec *rec)
{
	uint64_t end = rec->out_off + rec->out_len_b;

	for (rec = rec->next; rec && rec->owned && rec->out_off == end; rec = rec->next)
		end += rec->out_len_b;
	return end;
}

void own_rexmit(struct ctx *c, enum wk_dir dir, bool probe)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	const struct wk_tcp_rec *rec = first_owned(half);
	uint64_t from, to;

	if (!rec)
		return;
	from = rec->out_off > half->b_out ? rec->out_off : half->b_out;
	if (from >= half->edge_out) {
		/* A closed window: probe it instead (RFC 9293 3.8.6.1). */
		emit_ack(c, dir, NULL, half->b_out - 1);
		return;
	}
	if (repair_begin(c, half, !probe)) {
		repair_go(c, dir, 1);
		return;
	}
	to = own_run_end(rec);
	if (to > from + packet_room(c->flow, dir))
		to = from + packet_room(c->flow, dir);
	wk_count(c->env->stats, WK_CNT_OWNED_REXMIT, 1);
	emit(c, dir, from, to, NULL, 0, WK_TCP_PSH);
}

void own_timer(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	bool probe = half->probing;

	if (half->rto_at_ns > c->env->now_ns)
		return;
	half->rto_at_ns = NEVER;
	half->probed |= probe;
	if (!probe && half->edge_out > half->b_out &&
	    ++half->retries > c->env->limits->owned_retries) {
		wk_count(c->env->stats, WK_CNT_OWNED_TIMEOUT, 1);
		wk_tcp_reset(c->flow, c->env, NULL, 0);
		c->fatal = true;
		return;
	}
	if (!probe)
		half->rto_ns *= 2;
	if (half->rto_ns > c->env->limits->rto_max_ns)
		half->rto_ns = c->env->limits->rto_max_ns;
	own_rexmit(c, dir, probe);
	own_arm(c, dir);
}

/* Becomes the owner of what is held, as far as the receiver's window goes, once the receiver has
 * acknowledged everything before it: an ACK is cumulative, and DATA payload that has gone on can be
 * retransmitted by its sender alone.
 * @return true if the sender is to be told (acked_in has grown). */
bool own_held(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t upto = half->e_in + half->held_len_b;
	uint64_t room;

	half->hold_at_ns = NEVER;
	half->hold_now = true;
	if (c->flow->passive || half->fin_out || half->b_out < half->e_out ||
	    half->edge_out <= half->e_out)
		return false;
	room = half->edge_out - half->e_out;
	if (half->held_len_b > room)
		upto = half->e_in + room;
	if (upto <= half->owned_in)
		return false;
	wk_count(c->env->stats, WK_CNT_OWNED_BYTES,
		 upto - (half->owned_in > half->e_in ? half->owned_in : half->e_in));
	half->owned_in = upto;
	return ack_refresh(half);
}
