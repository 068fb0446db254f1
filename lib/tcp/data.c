/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - a segment of an established connection: pure ACK, retransmission, out of order, or new.
 */
#include <string.h>

#include "internal.h"

static bool is_fin(const struct wk_tcp_seg *seg)
{
	return seg->flags & WK_TCP_FIN;
}

/* Sequence number for the receiver of an empty segment at `in`. */
static uint64_t empty_seq(const struct wk_tcp_half *half, uint64_t in)
{
	uint64_t out;

	if (half->fin_out && in > half->fin_in)
		return half->nxt_out; /* the FIN itself may still wait for the window */
	if (in < half->acked_in)
		return half->b_out - 1; /* a keepalive or probe: unacceptable, so it is answered */
	out = in >= half->e_in ? half->e_out + (in - half->e_in) : ledger_out(half, in);
	return out < half->nxt_out ? out : half->nxt_out;
}

/* The window it announces is the one that may be told: the same numbers on both sides, no insertion
 * that waits for room, and none that was promised while the numbers were others. */
static bool window_stands(const struct wk_tcp_half *acked, const struct wk_tcp_half *half,
			  const struct wk_tcp_seg *seg, uint32_t ack)
{
	uint64_t edge = acked->acked_in + ((uint64_t)seg->wnd << half->wscale);

	if (!half_plain(acked) || ack != seg->ack)
		return false;
	return acked->edited ? edge == acked->edge_given : edge <= acked->edge_given;
}

/* The segment goes on in its own packet, with the numbers that its receiver knows. */
static void forward(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t seq_out,
		    bool as_is)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_half *acked = acked_by(c->flow, dir);
	struct wk_tcp_result *result = c->result;

	result->verdict = WK_TCP_FORWARD;
	result->reason = WK_FWD_GUARDED;
	result->edits = 0;
	acked->told_in = acked->acked_in;
	if (!as_is) {
		result->seq = wk_seq_wrap(half->isn, seq_out);
		result->ack = wk_seq_wrap(acked->isn, acked->acked_in);
		result->wnd = window_stands(acked, half, seg, result->ack)
				      ? seg->wnd
				      : window_raw(c->flow, dir);
		if (result->seq != seg->seq || result->ack != seg->ack || result->wnd != seg->wnd) {
			result->edits = WK_TCP_EDIT_NUMBERS;
			result->reason = WK_FWD_EDITED;
		}
	}
	if (seg->flags & WK_TCP_URG) {
		result->edits |= WK_TCP_EDIT_URG;
		result->reason = WK_FWD_EDITED;
		wk_count(c->env->stats, WK_CNT_NORM_URG, 1);
	}
}

/* May this packet's own acknowledgement and options stand? */
static bool ack_as_is(const struct ctx *c, enum wk_dir dir, const struct ack_news *news)
{
	return half_plain(acked_by(c->flow, dir)) && !news->old && !news->capped;
}

/* What the packet told about the other stream must arrive even where its bytes do not. */
static void deliver_ack(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg,
			const struct ack_news *news, uint32_t emitted)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	bool blocks = seg->n_sack > 0 && !news->old;

	/* Data that is built carries no blocks. */
	if (c->fatal || (c->emitted[dir] != emitted && !blocks) ||
	    !(news->acked || news->edge || blocks))
		return;
	emit_ack(c, dir, seg, half->nxt_out);
}

static void pure_ack(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in,
		     const struct ack_news *news)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	const struct wk_tcp_half *acked = acked_by(c->flow, dir);
	bool own_stamp = accept_bare_stamp(c, dir, seg, in);

	if (news->suppress) {
		set_absorb(c->result, WK_ABSORB_ACK);
		return;
	}
	/* Beyond what has gone on, the number would still count if those bytes were deleted: the
	 * receiver takes no window from a lower one afterwards (RFC 9293 3.10.7.4, SND.WL1). */
	if (half_plain(half) && in <= half->nxt_out && ack_as_is(c, dir, news) && own_stamp &&
	    !sack_waits(acked)) {
		forward(c, dir, seg, 0, true);
		return;
	}
	if (seg->n_sack > 0 || !own_stamp || (c->flow->sack_on && sack_waits(acked))) {
		emit_ack(c, dir, seg, empty_seq(half, in));
		set_absorb(c->result, WK_ABSORB_REBUILT);
		return;
	}
	forward(c, dir, seg, empty_seq(half, in), false);
}

/* Every byte has been seen before: sent on as it was judged, whatever the sender says now. */
static void old_bytes(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in,
		      const struct ack_news *news)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t end = in + seg->data_len_b;
	uint64_t to = end < half->e_in ? end : half->e_in;
	struct src src = { in, seg->data, seg->data_len_b };
	uint32_t emitted = c->emitted[dir];

	if (end + (is_fin(seg) ? 1 : 0) <= half->acked_in) {
		close_answer_again(c, wk_dir_flip(dir), in, end);
		deliver_ack(c, dir, seg, news, emitted);
		set_absorb(c->result, WK_ABSORB_OLD);
		return;
	}
	if (ledger_differs(half, in, seg->data, seg->data_len_b))
		wk_count(c->env->stats, WK_CNT_RETRANS_MISMATCH, 1);
	else if (!c->cut && half_plain(half) && ack_as_is(c, dir, news) && in >= half->acked_in &&
		 end <= half->e_in && end <= half->nxt_out) {
		/* A FIN that waited for the window may go with this copy for the first time. */
		if (is_fin(seg) && half->nxt_out == half->fin_out)
			half->nxt_out++;
		forward(c, dir, seg, 0, true);
		return;
	}
	if (end > half->e_in && half->held_len_b > 0 && own_held(c, dir))
		emit_ack(c, wk_dir_flip(dir), NULL, acked_by(c->flow, dir)->nxt_out);
	if (in < half->acked_in)
		in = half->acked_in;
	if (in < to || is_fin(seg)) {
		again_emit(c, dir, ledger_out(half, in < to ? in : to), ledger_out_end(half, to),
			   &src, seg->flags);
	}
	deliver_ack(c, dir, seg, news, emitted);
	set_absorb(c->result, WK_ABSORB_REBUILT);
}

/* No room for new bytes. What the segment repeats is sent on all the same: until the receiver has
 * it, the ledger stays full. */
static void ledger_full(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in,
			const struct ack_news *news)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_seg old = *seg;

	if (in < half->e_in) {
		old.data_len_b = (uint32_t)(half->e_in - in);
		old.flags &= (uint8_t) ~(WK_TCP_FIN | WK_TCP_PSH);
		c->cut = true;
		old_bytes(c, dir, &old, in, news);
	} else {
		deliver_ack(c, dir, seg, news, c->emitted[dir]);
	}
	set_drop(c->result, WK_DROP_LEDGER_CAP);
}

/* May an out-of-order segment that ends at `end` go on at once? Server to client nothing can be
 * denied; but an insertion that waits goes to the next frame boundary, and before the server's
 * first frame nothing may be out. Client to server, only the rest of a DATA frame that is let
 * through. */
static bool ooo_may_pass(const struct ctx *c, enum wk_dir dir, const struct wk_tcp_half *half,
			 uint64_t end, bool fin)
{
	if (c->flow->passive)
		return true;
	if (half->held_len_b > 0 || half->owned_in > half->e_in || drain_waits(half) ||
	    (half->e_in != half->e_out && half->e_out + (end - half->e_in) > half->edge_out))
		return false;
	if (dir == WK_C2S)
		return end <= half->pass_in && !fin; /* which is judged in its place */
	if (c->flow->in_order)
		return false;
	if (!half->was_boundary || c->flow->insert_ns == 0)
		return half->was_boundary;
	return half->to_boundary_b != WK_OP_BOUNDARY_UNKNOWN &&
	       end <= half->e_in + half->to_boundary_b;
}

static void ooo_pass(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in,
		     const struct ack_news *news)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t seq_out = half->e_out + (in - half->e_in);
	struct src src = { in, seg->data, seg->data_len_b };
	uint32_t emitted = c->emitted[dir];

	if (seg->n_sack == 0 || c->flow->passive || ack_as_is(c, dir, news)) {
		sent_up_to(half, seq_out + seg->data_len_b + (is_fin(seg) ? 1 : 0));
		forward(c, dir, seg, seq_out, half_plain(half) && ack_as_is(c, dir, news));
		return;
	}
	/* Its blocks would be in the wrong numbers: they follow by themselves. */
	emit(c, dir, seq_out, seq_out + seg->data_len_b, &src, 1, seg->flags & WK_TCP_PSH);
	deliver_ack(c, dir, seg, news, emitted);
	set_absorb(c->result, WK_ABSORB_REBUILT);
}

static void ooo_hold(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in,
		     bool again, const struct ack_news *news)
{
	enum wk_dir back = wk_dir_flip(dir);
	uint32_t emitted = c->emitted[dir];

	sack_arrived(stream(c->flow, dir), in);
	drain_own_rest(c, stream(c->flow, dir));
	if (again)
		emit_ack_again(c, back, &(struct span){ in, in + seg->data_len_b });
	else
		emit_ack(c, back, NULL, stream(c->flow, back)->nxt_out);
	deliver_ack(c, dir, seg, news, emitted);
	set_absorb(c->result, WK_ABSORB_OOO);
}

static void out_of_order(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in,
			 const struct ack_news *news)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t end = in + seg->data_len_b + (is_fin(seg) ? 1 : 0);
	bool pass = ooo_may_pass(c, dir, half, end, is_fin(seg)) &&
		    (!is_fin(seg) || seg->n_sack == 0 || c->flow->passive);
	bool again = seg->data_len_b > 0 && ooo_has(half, in, seg->data_len_b);

	if (!ooo_insert(c, half, in, seg->data, seg->data_len_b, pass)) {
		if (c->flow->passive)
			close_fail(c);
		deliver_ack(c, dir, seg, news, c->emitted[dir]);
		set_drop(c->result, WK_DROP_OOO_CAP);
		return;
	}
	if (is_fin(seg))
		half->fin_in = in + seg->data_len_b;
	if (pass)
		ooo_pass(c, dir, seg, in, news);
	else
		ooo_hold(c, dir, seg, in, again, news);
}

/* Held bytes: owned at once if the sender has nothing more to say for now, else after a while. */
static void hold(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_half *half = stream(c->flow, dir);

	if (c->flow->passive || half->held_len_b == 0)
		return;
	if (!(seg->flags & WK_TCP_PSH) && !half->hold_now) {
		half->hold_at_ns = c->env->now_ns + c->env->limits->hold_ns;
		return;
	}
	own_held(c, dir);
}

/* After the judging of a c2s segment the sender may be owed an ACK that nobody else will send (its
 * bytes are deleted or owned), and the client a reply. One packet can carry both. */
static void settle(struct ctx *c, enum wk_dir dir, uint64_t acked_in)
{
	enum wk_dir back = wk_dir_flip(dir);
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_half *reply = stream(c->flow, WK_S2C);
	struct wk_tcp_half *asked = stream(c->flow, WK_C2S);
	uint32_t emitted = c->emitted[back];

	ack_refresh(half);
	/* Deleted bytes take no room: without this a long deleted frame would use up the window,
	 * and a server that got nothing has no reason to announce a new one. */
	edge_refresh(c, dir, half);
	if (dir == WK_C2S && insert_try(c))
		emit(c, WK_S2C, reply->nxt_out, reply->e_out, NULL, 0, WK_TCP_PSH);
	if (dir == WK_S2C && !c->fatal && insert_server(c))
		emit(c, WK_C2S, asked->nxt_out, asked->e_out, NULL, 0, WK_TCP_PSH);
	if (!c->fatal && half->acked_in > acked_in && c->emitted[back] == emitted)
		emit_ack(c, back, NULL, acked_by(c->flow, dir)->nxt_out);
}

static void new_bytes(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in,
		      const struct ack_news *news)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct src src = { in, seg->data, seg->data_len_b };
	uint64_t from_in = half->e_in, from_out = half->e_out, acked_in = half->acked_in;
	uint64_t resend = in < from_in && in + seg->data_len_b > half->acked_in ? in : from_in;
	uint32_t emitted = c->emitted[dir];
	bool whole;

	c->cut = half->held_len_b > 0 || in != half->e_in || half->ooo != NULL || half->cwr_owed ||
		 (seg->n_sack > 0 && !ack_as_is(c, dir, news));
	if (is_fin(seg))
		half->fin_in = in + seg->data_len_b;
	if (!consume(c, dir, in, seg->data, seg->data_len_b, c->flow->passive))
		return;
	consume_fin(c, dir);
	if (c->fatal)
		return;
	ledger_retire(c, half);
	/* A FIN that came before these bytes goes with them: the packet at hand has none. */
	c->cut |= half->fin_out && !is_fin(seg);
	whole = !c->cut && (half_plain(half) || judged_out(half) <= half->edge_out);
	if (whole) {
		sent_up_to(half, judged_out(half));
		forward(c, dir, seg, from_out, half_plain(half) && ack_as_is(c, dir, news));
		own_arm(c, dir);
		return;
	}
	if (resend < half->acked_in)
		resend = half->acked_in < from_in ? half->acked_in : from_in;
	/* It goes with the next data that is built: of these bytes, or of later ones. */
	half->cwr_owed |= !c->flow->passive && (seg->flags & WK_TCP_CWR);
	if (half->e_in > resend || half->fin_out || half->e_out > from_out) {
		send_judged(c, dir, resend, &src, seg->flags);
		set_absorb(c->result, WK_ABSORB_REBUILT);
	}
	if (c->emitted[dir] != emitted)
		wk_count(c->env->stats, WK_CNT_RESEGMENTED, 1);
	else
		set_absorb(c->result, half->held_len_b > 0 ? WK_ABSORB_HELD : WK_ABSORB_DELETED);
	if (!drain(c, dir))
		return;
	hold(c, dir, seg);
	settle(c, dir, acked_in);
	deliver_ack(c, dir, seg, news, emitted);
}

/* A FIN at `end` in front of bytes that its sender has sent before: a receiver that lost those
 * would end the stream there, and this one read on. */
static bool fin_contradicts(const struct wk_tcp_half *half, uint64_t end)
{
	if (end < half->e_in + half->held_len_b)
		return true;
	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo; ooo = ooo->next)
		if (ooo->in_off + ooo->len_b > end)
			return true;
	return false;
}

/* A passive flow lets every copy of a byte pass, and the server may take another one than was read
 * here. That does no harm until the flow is to be enforced: then it has to be known. */
static void check_copies(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t from = in > half->acked_in ? in : half->acked_in, end = in + seg->data_len_b;
	const uint8_t *data;

	/* What the receiver has acknowledged it has: a later copy is too late. */
	if (!c->flow->passive || dir != WK_C2S || from >= end ||
	    (from >= half->e_in + half->held_len_b && !half->ooo))
		return;
	data = seg->data + (from - in);
	c->flow->doubtful |= ledger_differs(half, from, data, (uint32_t)(end - from)) ||
			     hold_differs(half, from, data, (uint32_t)(end - from));
}

/* A byte that came to probe the window, at a boundary where an insertion waits for room: it must
 * not begin the next frame. The receiver is asked without it. */
static bool waits_for_room(const struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg,
			   uint64_t in)
{
	const struct wk_tcp_half *half = &c->flow->half[dir];

	return dir == WK_S2C && c->flow->insert_ns != 0 && half->at_boundary &&
	       seg->data_len_b > 0 && in == half->e_in && in == edge_in(half);
}

/* A segment that came to see whether the receiver's window is still closed. If it cannot go on, the
 * receiver is asked without it: else nobody would hear that the window has opened. */
static void ask_instead(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg,
			uint32_t emitted)
{
	if (!c->fatal && c->emitted[dir] == emitted && c->result->verdict != WK_TCP_FORWARD)
		emit_ack(c, dir, seg, stream(c->flow, dir)->b_out - 1);
}

/* One with its garbage byte: others are bare ACKs. */
static bool is_keepalive(const struct wk_tcp_half *half, const struct wk_tcp_seg *seg, int64_t at)
{
	return seg->data_len_b == 1 && at + 1 == (int64_t)half->acked_in && !is_fin(seg);
}

void data_input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg,
		const struct ack_news *news)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	int64_t at = wk_seq_unwrap(half->isn, seg->seq, half->e_in);
	uint64_t in = at > 0 ? (uint64_t)at : 0;
	uint64_t rcv = half->e_in + half->held_len_b;
	bool closed = half->edge_out <= half->b_out;
	uint32_t emitted = c->emitted[dir];
	uint64_t end;

	/* Before the first byte nothing can be new, but for a keepalive before any data. */
	if (at < 1 && (seg->data_len_b > 0 || is_fin(seg)) && !is_keepalive(half, seg, at)) {
		close_answer(c, wk_dir_flip(dir));
		set_absorb(c->result, WK_ABSORB_OLD);
		return;
	}
	check_copies(c, dir, seg, in);
	accept_stamp(c, dir, seg, in);
	if (seg->data_len_b == 0 && !is_fin(seg)) {
		pure_ack(c, dir, seg, in, news);
		return;
	}
	end = in + seg->data_len_b;
	if (in < half->e_in)
		half->drained_out = 0; /* sent twice: its sender waits for every ACK */
	if (is_keepalive(half, seg, at)) {
		/* The receiver is asked without its byte, since only its answer says that it is
		 * alive. */
		emit_ack(c, dir, seg, half->b_out - 1);
		set_absorb(c->result, WK_ABSORB_OLD);
		return;
	}
	if ((half->fin_in && (end > half->fin_in || (is_fin(seg) && end != half->fin_in))) ||
	    (is_fin(seg) && fin_contradicts(half, end)) ||
	    (in > edge_in(half) && !c->flow->passive)) {
		deliver_ack(c, dir, seg, news, emitted);
		close_answer(c, wk_dir_flip(dir));
		set_drop(c->result, WK_DROP_WINDOW);
		return;
	}
	if (waits_for_room(c, dir, seg, in)) {
		deliver_ack(c, dir, seg, news, emitted);
		emit_ack(c, dir, seg, half->b_out - 1);
		set_drop(c->result, WK_DROP_WINDOW);
		return;
	}
	if (end < rcv || (end == rcv && (!is_fin(seg) || half->fin_out)))
		old_bytes(c, dir, seg, in, news);
	else if (in > rcv || (in == rcv && drain_waits(half)))
		out_of_order(c, dir, seg, in, news);
	else if (ledger_has_enough(c, half) || drain_waits(half))
		ledger_full(c, dir, seg, in, news);
	else
		new_bytes(c, dir, seg, in, news);
	if (closed)
		ask_instead(c, dir, seg, emitted);
	end += is_fin(seg) ? 1 : 0;
	if (c->flow->passive)
		sent_up_to(half, end);
}
