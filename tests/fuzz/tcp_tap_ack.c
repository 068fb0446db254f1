/* SPDX-License-Identifier: Apache-2.0 */
/* What senders are told, and what the flow may look like between two calls: I3 and bounds. */
#include <string.h>

#include "tcp_tap.h"
#include "tcp_tap_impl.h"

/* A byte of a stream that only we can send again, and will. */
static bool is_owned(const struct wk_tcp_half *half, uint64_t in)
{
	for (const struct wk_tcp_rec *rec = half->head; rec; rec = rec->next)
		if (in >= rec->in_off && in < rec->in_off + rec->in_len_b)
			return rec->owned;
	return in >= half->e_in && in < half->e_in + half->held_len_b && in < half->owned_in;
}

/* May the sender be told that the byte `in` (offset) has arrived? */
static bool may_tell(const struct tap *tap, enum wk_dir told, uint64_t in, bool sack)
{
	const struct tap_half *half = &tap->half[told];
	const struct wk_tcp_half *fh = &tap->flow->half[told];
	uint64_t from, to;

	if (in > TAP_MAX_B || (!sack && half->versions[in - 1] == 0))
		return false;
	if (in - 1 < half->in_b) {
		const struct tap_in *b = &half->in[in - 1];

		if (b->deleted)
			return true;
		from = 1 + tap_out(tap, told, b->from);
		to = b->to > b->from ? 2 + tap_out(tap, told, b->to - 1) : from;
	} else {
		from = 1 + tap_out(tap, told, half->ref_b + (in - 1 - half->in_b));
		to = from + 1;
	}
	if (to <= fh->b_out || is_owned(fh, in))
		return true;
	return sack && ranges_cover(&half->sacked, from > fh->b_out ? from : fh->b_out, to);
}

/* @return the end of what waits here from the byte `in` on, or `in`. */
static uint64_t waits_to(const struct wk_tcp_half *half, uint64_t in)
{
	if (in >= half->e_in && in < half->e_in + half->held_len_b)
		in = half->e_in + half->held_len_b;
	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo && ooo->in_off <= in; ooo = ooo->next)
		if (!ooo->gone && in < ooo->in_off + ooo->len_b)
			in = ooo->in_off + ooo->len_b;
	return in;
}

static void check_sack(const struct tap *tap, enum wk_dir told, const struct wk_tcp_seg *seg,
		       uint64_t ack)
{
	const struct tap_half *half = &tap->half[told];
	const struct wk_tcp_half *fh = &tap->flow->half[told];

	for (uint32_t i = 0; i < seg->n_sack; i++) {
		int64_t left = wk_seq_unwrap(half->isn, seg->sack[i].left, ack);
		int64_t right = wk_seq_unwrap(half->isn, seg->sack[i].right, ack);

		must(right > left && left >= 0);
		if (i == 0 && right <= (int64_t)ack)
			continue; /* what came twice (RFC 2883) */
		must(left > (int64_t)ack);
		for (uint64_t in = (uint64_t)left; in < (uint64_t)right; in++) {
			in = waits_to(fh, in);
			if (in >= (uint64_t)right ||
			    (in == fh->fin_in && in + 1 == (uint64_t)right))
				break;
			must(may_tell(tap, told, in, true));
		}
	}
}

/* How far windows may go: what the receiver announced, by as much as was taken out of the stream
 * in front of it. */
static void stretch(struct tap *tap)
{
	for (int d = 0; d < WK_DIRS; d++) {
		struct tap_half *half = &tap->half[d];
		uint64_t bound = half->edge_max + half->taken_b;

		if (half->edge_bound < bound)
			half->edge_bound = bound;
	}
}

static void check_edge(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg,
		       const struct wk_tcp_seg *in, uint64_t ack)
{
	enum wk_dir told = wk_dir_flip(dir);
	struct tap_half *half = &tap->half[told];
	uint64_t unit = 1ull << tap->half[dir].shift;
	uint64_t edge = ack + seg->wnd * unit;

	stretch(tap);
	must(edge < half->edge_bound + unit || seg->wnd == 0);
	if (edge + unit <= half->told_edge) {
		/* Only its receiver may have taken it back. */
		must(in);
		must((uint64_t)wk_seq_unwrap(half->isn, in->ack, half->ack_max) + in->wnd * unit <
		     tap->stale_edge[told]);
	}
	if (half->told_edge < edge)
		half->told_edge = edge;
}

void tap_acks(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg,
	      const struct wk_tcp_seg *in)
{
	enum wk_dir told = wk_dir_flip(dir);
	struct tap_half *half = &tap->half[told];
	int64_t ack = wk_seq_unwrap(half->isn, seg->ack, half->told_ack);
	const struct wk_tcp_half *fh = &tap->flow->half[told];
	uint64_t end;

	if (tap->passive)
		return;
	must(ack >= (int64_t)half->told_ack);
	end = (uint64_t)ack;
	if (fh->fin_in && end > fh->fin_in) {
		must(end == fh->fin_in + 1 && fh->fin_out && fh->b_out > fh->fin_out);
		end = fh->fin_in;
	}
	for (uint64_t at = half->told_ack; at < end; at++)
		must(may_tell(tap, told, at, false));
	half->told_ack = (uint64_t)ack;
	check_edge(tap, dir, seg, in, (uint64_t)ack);
	if (!in) /* else they are the receiver's own words */
		check_sack(tap, told, seg, (uint64_t)ack);
}

void tap_before(struct tap *tap)
{
	tap->built = 0;
	tap->built_b = 0;
	for (int d = 0; d < WK_DIRS; d++)
		tap->b_out[d] = tap->flow->half[d].b_out;
	stretch(tap);
}

/* The server can have nothing else than what was read. */
static void check_read(const struct tap_half *half, const struct wk_tcp_half *fh)
{
	if (half->sent.n > 0)
		must(half->sent.r[half->sent.n - 1].to <= fh->nxt_out);
	for (uint32_t i = 0; i < half->ref_b; i++)
		if (half->hard[i] && (half->left[i] == 1 || half->left[i] == 3))
			must(half->left[i] == 1 && half->first[i] == half->ref[i]);
}

/* What flowed by while nothing was to be changed has been read, as far as it counts. */
void tap_enforced(struct tap *tap)
{
	if (tap->flow->state != WK_TCP_ST_ESTABLISHED)
		return; /* over: nothing passes any more */
	for (int d = 0; d < WK_DIRS; d++) {
		struct tap_half *half = &tap->half[d];
		const struct wk_tcp_half *fh = &tap->flow->half[d];

		if (d == WK_C2S)
			check_read(half, fh);
		ranges_clear(&half->sent);
		ranges_add(&half->sent, 1, fh->nxt_out);
		half->end_out = fh->nxt_out;
		half->ack_max = fh->b_out;
		half->told_ack = fh->acked_in;
		half->told_edge = fh->edge_given;
		half->ts_out = fh->tsval;
	}
}

static bool owes(const struct wk_tcp_half *half)
{
	for (const struct wk_tcp_rec *rec = half->head; rec; rec = rec->next)
		if (rec->owned && rec->out_len_b > 0 && rec->out_off + rec->out_len_b > half->b_out)
			return true;
	return false;
}

static void check_half(const struct tap *tap, enum wk_dir dir, const struct wk_tcp_limits *limits)
{
	const struct wk_tcp_half *half = &tap->flow->half[dir];
	const struct tap_half *seen = &tap->half[dir];

	must(half->b_out >= tap->b_out[dir]);
	must(half->b_out <= seen->ack_max || half->b_out <= 1);
	must(half->nxt_out <= seen->end_out || tap->passive);
	must(half->held_len_b <= limits->hold_b);
	must(half->ooo_b <= limits->ooo_b);
	if (tap->passive)
		return;
	must(!owes(half) || half->rto_at_ns != NEVER);
	/* One segment, with what was held before it, above the bound at most. */
	must(half->ledger_b <= limits->ledger_b + limits->hold_b + UINT16_MAX);
}

void tap_after(struct tap *tap, const struct wk_tcp_limits *limits)
{
	if (tap->flow->state != WK_TCP_ST_ESTABLISHED)
		return;
	for (int d = 0; d < WK_DIRS; d++)
		check_half(tap, (enum wk_dir)d, limits);
}
