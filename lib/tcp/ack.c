/* SPDX-License-Identifier: Apache-2.0 */
/* ack.c - what a receiver acknowledges, told to the sender in the sender's numbers. */
#include "internal.h"

bool ack_refresh(struct wk_tcp_half *half)
{
	uint64_t in = ledger_ack(half);

	if (in <= half->acked_in)
		return false;
	half->acked_in = in;
	return true;
}

/* The receiver's right edge in the sender's numbers; it never goes back. @return true if it grew.
 */
bool edge_refresh(struct ctx *c, enum wk_dir dir, struct wk_tcp_half *half)
{
	uint64_t edge;

	if (half->edge_out >= half->e_out)
		edge = half->e_in + (half->edge_out - half->e_out);
	else
		edge = ledger_in(half, half->edge_out, false);
	if (dir == WK_S2C)
		edge = insert_edge_cap(c, edge);
	if (edge <= half->edge_given)
		return false;
	half->edge_given = edge;
	return true;
}

/* The first unacknowledged byte is one that only we can send again. */
static bool hole_is_owned(const struct wk_tcp_half *half)
{
	const struct wk_tcp_rec *rec = half->head;

	/* What was deleted since the last acknowledgement takes no place. */
	while (rec && rec->out_len_b == 0)
		rec = rec->next;
	return rec && rec->owned && rec->out_off <= half->b_out && half->nxt_out > half->b_out;
}

static bool sack_above(const struct wk_tcp_half *half, const struct wk_tcp_seg *seg)
{
	for (uint32_t i = 0; i < seg->n_sack; i++)
		if (wk_seq_unwrap(half->isn, seg->sack[i].left, half->b_out) > (int64_t)half->b_out)
			return true;
	return false;
}

/* Our own fast retransmit: the receiver reports a hole that is ours to fill. */
static void check_hole(struct ctx *c, enum wk_dir dir, struct wk_tcp_half *half,
		       const struct wk_tcp_seg *seg)
{
	bool above = sack_above(half, seg);
	bool first = half->dup_acks == DUP_ACKS || (above && half->dup_acks == 1);

	if (hole_is_owned(half) && first && !half->repair && !repair_begin(c, half, false))
		own_rexmit(c, dir, true);
	repair_acked(c, dir, seg);
}

static bool is_pure(const struct wk_tcp_seg *seg)
{
	return seg->data_len_b == 0 && !(seg->flags & (WK_TCP_SYN | WK_TCP_FIN | WK_TCP_RST));
}

/* The receiver acknowledges one by one what waited here behind a hole. It would have acknowledged
 * it at once, with the packet that filled the hole, had it waited there; and a sender without SACK
 * takes the wait for a round trip if an ACK covers nothing that it has sent twice (RFC 6298 3). The
 * last of these ACKs goes on, and if it does not come, a duplicate or the answer to a
 * retransmission says as much. */
static bool amid_drained(const struct ctx *c, const struct wk_tcp_half *half, bool advanced)
{
	return !c->flow->sack_on && advanced && half->b_out < half->drained_out &&
	       half->b_out < half->e_out;
}

/* What the receiver's news make possible in its stream: bytes that waited for its window, ownership
 * of held bytes, an insertion. All of it travels towards the receiver. @return true if the sender
 * has more acknowledged than before. */
static bool follow_up(struct ctx *c, enum wk_dir dir, struct wk_tcp_half *half)
{
	bool owned = half->held_len_b > 0 && half->hold_now && own_held(c, dir);

	if (half->nxt_out < half->e_out)
		emit(c, dir, half->nxt_out, half->e_out, NULL, 0, WK_TCP_PSH);
	if (dir == WK_S2C ? insert_try(c) : insert_server(c))
		emit(c, dir, half->nxt_out, half->e_out, NULL, 0, WK_TCP_PSH);
	return owned;
}

/* How far its receiver can have the stream. What has gone on out of order begins behind a hole that
 * nothing has filled. */
static uint64_t within_reach(const struct ctx *c, const struct wk_tcp_half *half)
{
	uint64_t reach = judged_out(half);

	if (c->flow->passive || half->nxt_out <= reach)
		return half->nxt_out;
	if (half->gone_in > half->e_in && half->e_out + (half->gone_in - half->e_in) > reach)
		reach = half->e_out + (half->gone_in - half->e_in);
	return reach < half->nxt_out ? reach : half->nxt_out;
}

/* How far an ACK may be behind: the largest window that its sender ever gave (RFC 5961 5). What a
 * passive flow makes of it changes nothing, and it may have missed a larger one. */
static int64_t oldest(const struct ctx *c, const struct wk_tcp_half *half)
{
	return c->flow->passive ? INT32_MAX / 2 : (int64_t)half->wnd_max_b;
}

bool ack_input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, struct ack_news *news)
{
	enum wk_dir rdir = wk_dir_flip(dir);
	struct wk_tcp_half *half = stream(c->flow, rdir);
	int64_t ack = wk_seq_unwrap(half->isn, seg->ack, half->b_out);
	uint64_t old_b_out = half->b_out;
	uint32_t dup_acks = half->dup_acks;
	uint64_t edge = 0;
	bool advanced;
	uint16_t wnd;

	*news = (struct ack_news){ 0 };
	if (ack > (int64_t)within_reach(c, half) || ack < (int64_t)half->b_out - oldest(c, half)) {
		/* The server has bytes that have not come this way. */
		if (c->flow->passive && dir == WK_S2C && ack > (int64_t)half->nxt_out)
			c->flow->doubtful = true;
		close_answer(c, rdir);
		set_drop(c->result, WK_DROP_BADACK);
		return false;
	}
	if (half->wnd_max_b < (uint32_t)seg->wnd << stream(c->flow, dir)->wscale)
		half->wnd_max_b = (uint32_t)seg->wnd << stream(c->flow, dir)->wscale;
	advanced = ack > (int64_t)half->b_out;
	news->old = ack < (int64_t)half->b_out;
	if (ack >= 1)
		edge = (uint64_t)ack + ((uint64_t)seg->wnd << stream(c->flow, dir)->wscale);
	if (advanced) {
		half->b_out = (uint64_t)ack;
		half->dup_acks = 0;
		own_acked(c, rdir, old_b_out, dup_acks > 0);
		ledger_retire(c, half);
	} else if (!news->old && is_pure(seg) && edge <= half->edge_out &&
		   half->nxt_out > half->b_out) {
		half->dup_acks++;
	}
	if (edge > half->edge_out)
		half->edge_out = edge;
	news->acked = ack_refresh(half);
	if (!c->flow->passive) {
		if (advanced)
			repair_acked(c, rdir, seg);
		else if (half->dup_acks > dup_acks)
			check_hole(c, rdir, half, seg);
		news->acked |= follow_up(c, rdir, half);
	}
	/* News is what the sender can see: growth of less than a unit of the scale is none, and an
	 * ACK without news looks like a duplicate. */
	wnd = window_raw(c->flow, dir);
	news->acked |= drain_resume(c, rdir);
	edge_refresh(c, rdir, half);
	news->edge = window_raw(c->flow, dir) != wnd;
	news->capped = half_plain(half) &&
		       (edge > half->edge_given || (half->edited && edge < half->edge_given));
	/* One that was kept back may have had the news. */
	if (is_pure(seg) && !news->acked && !news->edge && half->told_in >= half->acked_in)
		news->suppress = (news->old && seg->n_sack == 0) || advanced || hole_is_owned(half);
	if (is_pure(seg) && seg->n_sack == 0)
		news->suppress |= amid_drained(c, half, advanced);
	return !c->fatal;
}
