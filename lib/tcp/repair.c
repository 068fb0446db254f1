/* SPDX-License-Identifier: Apache-2.0 */
/* repair.c - owned bytes that were lost go out again, one hole after the other.
 *
 * What we own may be a long row that waited behind a hole and went out at once, so that a bad link
 * takes several packets of it. RFC 6675 in small: what the receiver has (SACK) is remembered while
 * a loss is mended, and each hole below goes out. A copy that is not reported in a round trip and a
 * half is lost, too (RFC 8985 in small): the holes are passed through anew. Without SACK each
 * partial acknowledgement names the next hole (RFC 6582). */
#include "internal.h"

#define SPANS           32u
#define PER_ACK         2u /* packets: doubles after a timeout, as a slow start does */
#define REORDER_B       2u /* full packets above a hole, before it is taken for lost */
#define PATIENCE_MIN_NS 1000000ull

struct repair {
	uint64_t until_out; /* one past what had gone out when the loss was noticed */
	uint64_t next_out;  /* below, every hole has been passed */
	uint64_t pass_ns;   /* when that was begun */
	uint64_t last_out;  /* how far the pass before that came */
	bool all;           /* the timer ran out: nothing is on its way any more */
	bool first;         /* nothing has gone out yet */
	uint32_t n;
	struct span got[SPANS]; /* what the receiver has, not sorted, not touching */
};

void repair_end(struct wk_tcp_half *half, struct wk_mem *mem)
{
	wk_mem_free(mem, half->repair);
	half->repair = NULL;
}

bool repair_begin(struct ctx *c, struct wk_tcp_half *half, bool all)
{
	struct repair *repair = half->repair;

	if (!repair) {
		repair = wk_mem_alloc(c->env->mem, sizeof(*repair));
		if (!repair)
			return false;
		repair->n = 0;
		half->repair = repair;
	}
	repair->until_out = half->nxt_out;
	repair->next_out = half->b_out;
	repair->pass_ns = c->env->now_ns;
	repair->last_out = half->b_out;
	repair->all = all;
	repair->first = true;
	/* After a timeout what was reported no longer counts (RFC 6675 5.1). */
	if (all)
		repair->n = 0;
	return true;
}

/* How long a copy may be on its way before it is taken for lost. */
static uint64_t patience_ns(const struct ctx *c, const struct wk_tcp_half *half)
{
	uint64_t patience = half->srtt_ns + half->srtt_ns / 2;

	if (half->srtt_ns == 0)
		return c->env->limits->rto_min_ns;
	return patience > PATIENCE_MIN_NS ? patience : PATIENCE_MIN_NS;
}

static void take(struct repair *repair, struct span add)
{
	for (uint32_t i = 0; i < repair->n;) {
		struct span *got = &repair->got[i];

		if (add.from > got->to || add.to < got->from) {
			i++;
			continue;
		}
		add.from = add.from < got->from ? add.from : got->from;
		add.to = add.to > got->to ? add.to : got->to;
		*got = repair->got[--repair->n];
		i = 0;
	}
	if (repair->n < SPANS)
		repair->got[repair->n++] = add;
}

static void learn(struct wk_tcp_half *half, const struct wk_tcp_seg *seg)
{
	struct repair *repair = half->repair;

	for (uint32_t i = repair->n; i-- > 0;) {
		if (repair->got[i].from > half->b_out)
			continue;
		/* Acknowledged in the middle of what it had: it has thrown it away (RFC 2018 8),
		 * and no copy is on its way. */
		if (repair->got[i].to > half->b_out) {
			repair->next_out = half->b_out;
			repair->last_out = half->b_out;
		}
		repair->got[i] = repair->got[--repair->n];
	}
	for (uint32_t i = 0; i < seg->n_sack; i++) {
		int64_t left = wk_seq_unwrap(half->isn, seg->sack[i].left, half->b_out);
		int64_t right = wk_seq_unwrap(half->isn, seg->sack[i].right, half->b_out);

		if (left > (int64_t)half->b_out && right > left && right <= (int64_t)half->nxt_out)
			take(repair, (struct span){ (uint64_t)left, (uint64_t)right });
	}
}

/* The first byte from `at` on that the receiver has not reported, and where that hole ends. */
static uint64_t hole_at(const struct wk_tcp_half *half, uint64_t at, uint64_t *end)
{
	const struct repair *repair = half->repair;

	*end = half->nxt_out;
	for (uint32_t i = 0; i < repair->n;) {
		const struct span *got = &repair->got[i++];

		if (got->from <= at && at < got->to) {
			at = got->to;
			i = 0;
		}
	}
	for (uint32_t i = 0; i < repair->n; i++)
		if (repair->got[i].from > at && repair->got[i].from < *end)
			*end = repair->got[i].from;
	return at;
}

/* How far the receiver has reported, less what may only have been overtaken. */
static uint64_t lost_below(const struct wk_tcp_half *half, uint32_t packet_b)
{
	const struct repair *repair = half->repair;
	uint64_t top = 0;

	if (repair->all)
		return repair->until_out;
	for (uint32_t i = 0; i < repair->n; i++)
		top = repair->got[i].to > top ? repair->got[i].to : top;
	return top > (uint64_t)REORDER_B * packet_b ? top - (uint64_t)REORDER_B * packet_b : 0;
}

/* Is what begins at `at` lost? At the acknowledgement, anything that has arrived above says so,
 * three duplicates do, and without SACK the acknowledgement itself (it is a partial one). */
static bool is_lost(const struct ctx *c, const struct wk_tcp_half *half, uint64_t at,
		    uint32_t packet_b)
{
	const struct repair *repair = half->repair;

	if (at == half->b_out && (repair->n > 0 || !c->flow->sack_on || half->dup_acks >= DUP_ACKS))
		return true;
	return repair->first || at < lost_below(half, packet_b);
}

/* May the copy that the last pass has sent still be on its way? */
static bool is_under_way(const struct ctx *c, const struct wk_tcp_half *half,
			 const struct wk_tcp_rec *rec)
{
	const struct repair *repair = half->repair;

	return rec->rexmit && !repair->first && rec->sent_ns < repair->pass_ns &&
	       c->env->now_ns - rec->sent_ns < patience_ns(c, half);
}

/* The next bytes that are ours to send again, at most a packet. What is passed is not looked at
 * again before the next pass. */
static bool next_hole(const struct ctx *c, struct wk_tcp_half *half, uint32_t packet_b,
		      struct span *span)
{
	struct repair *repair = half->repair;
	uint64_t at = repair->next_out > half->b_out ? repair->next_out : half->b_out;
	const struct wk_tcp_rec *rec;
	uint64_t end = 0, upto = 0;

	for (rec = ledger_near(half, at); rec; rec = rec->next) {
		upto = rec->out_off + rec->out_len_b;
		if (!rec->owned || upto <= at)
			continue;
		at = hole_at(half, at > rec->out_off ? at : rec->out_off, &end);
		if (at < upto && at < repair->last_out && is_under_way(c, half, rec))
			at = hole_at(half, upto < repair->last_out ? upto : repair->last_out, &end);
		if (at < upto)
			break;
	}
	if (rec)
		repair->next_out = at;
	if (!rec || at >= end || !is_lost(c, half, at, packet_b))
		return false;
	upto = own_run_end(rec);
	end = upto < end ? upto : end;
	*span = (struct span){ at, end < at + packet_b ? end : at + packet_b };
	return span->from < span->to;
}

void repair_go(struct ctx *c, enum wk_dir dir, uint32_t packets)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint32_t packet_b = packet_room(c->flow, dir);
	struct span span;

	for (uint32_t i = 0; i < packets && next_hole(c, half, packet_b, &span); i++) {
		if (span.from >= half->edge_out)
			return;
		half->repair->next_out = span.to;
		half->repair->first = false;
		wk_count(c->env->stats, WK_CNT_OWNED_REXMIT, 1);
		emit(c, dir, span.from, span.to, NULL, 0, WK_TCP_PSH);
	}
}

void repair_acked(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct repair *repair = half->repair;

	if (!repair)
		return;
	learn(half, seg);
	if (half->b_out >= repair->until_out) {
		if (repair->n == 0) {
			repair_end(half, c->env->mem);
			return;
		}
		/* Something that went out since is missing as well. */
		repair->until_out = half->nxt_out;
		repair->all = false;
	}
	if (c->env->now_ns - repair->pass_ns > patience_ns(c, half)) {
		repair->pass_ns = c->env->now_ns;
		if (repair->last_out < repair->next_out)
			repair->last_out = repair->next_out;
		repair->next_out = half->b_out;
	}
	repair_go(c, dir, PER_ACK);
}
