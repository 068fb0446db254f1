/* SPDX-License-Identifier: Apache-2.0 */
/* accept.c - what a receiver looks at before anything else of a segment: its number, its timestamp,
 * and only then its acknowledgement (RFC 9293 3.10.7.4, RFC 7323 5.3). */
#include "internal.h"

/* The fastest clocks of timestamps tick every microsecond: what was heard longer ago may look newer
 * than what comes now. */
#define STAMP_VALID_NS 2147483648000ull

static bool is_bare(const struct wk_tcp_seg *seg)
{
	return seg->data_len_b == 0 && !(seg->flags & WK_TCP_FIN);
}

/* A number that its sender can have sent: not beyond the window, which may have been told as one
 * unit too much, and not further below it than two windows (copies may be late). */
static bool in_reach(const struct wk_tcp_flow *flow, enum wk_dir dir, int64_t at)
{
	const struct wk_tcp_half *half = &flow->half[dir];
	int64_t unit = (int64_t)1 << flow->half[wk_dir_flip(dir)].wscale;
	uint64_t edge = edge_in(half), window = edge - half->acked_in;
	int64_t below = (int64_t)(window > UINT16_MAX ? window : UINT16_MAX);

	return at <= (int64_t)edge + unit && at >= (int64_t)half->acked_in - below - below;
}

static bool stamped(const struct ctx *c, const struct wk_tcp_seg *seg)
{
	return c->flow->ts_on && seg->has_ts;
}

static bool stamps_known(const struct ctx *c, const struct wk_tcp_half *half)
{
	return half->ts_known && c->env->now_ns - half->ts_ns < STAMP_VALID_NS;
}

/* Does it acknowledge or offer more than is known? Its sender cannot have done so long ago. */
static bool has_news(const struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	const struct wk_tcp_half *half = &c->flow->half[wk_dir_flip(dir)];
	int64_t ack = wk_seq_unwrap(half->isn, seg->ack, half->b_out);
	int64_t edge = ack + ((int64_t)seg->wnd << c->flow->half[dir].wscale);

	return ack > (int64_t)half->b_out || edge > (int64_t)half->edge_out;
}

/* PAWS. A bare ACK that was overtaken has nothing to say but "again", and may. */
static bool is_from_the_past(const struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	const struct wk_tcp_half *half = &c->flow->half[dir];

	return stamped(c, seg) && stamps_known(c, half) && wk_seq_lt(seg->tsval, half->ts_recent) &&
	       (!is_bare(seg) || has_news(c, dir, seg));
}

bool accept_input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, bool *acks)
{
	const struct wk_tcp_half *half = stream(c->flow, dir);
	int64_t at = wk_seq_unwrap(half->isn, seg->seq, half->e_in);
	uint64_t in = at > 0 ? (uint64_t)at : 0;

	/* A receiver that has all of it answers and reads no further: keepalives, late copies. */
	*acks = c->flow->passive || at + (int64_t)seg->data_len_b >= (int64_t)half->told_in;
	if (c->flow->passive)
		return true; /* it goes on whatever is found here */
	if (!in_reach(c->flow, dir, at)) {
		close_answer(c, wk_dir_flip(dir));
		set_drop(c->result, WK_DROP_WINDOW);
		return false;
	}
	if (is_from_the_past(c, dir, seg)) {
		close_answer_again(c, wk_dir_flip(dir), in, in + seg->data_len_b);
		set_drop(c->result, WK_DROP_PAWS);
		return false;
	}
	return true;
}

/* Only where its receiver would take the timestamp too: not from beyond a hole, nor from below what
 * is acknowledged, and from a bare ACK only at the very end of what has arrived. What we build with
 * it is at numbers that the receiver accepts: a wrong one would make all that its sender sends
 * afterwards look old. */
static bool believed(const struct wk_tcp_half *half, const struct wk_tcp_seg *seg, uint64_t in)
{
	uint64_t rcv = half->e_in + half->held_len_b;

	if (half->fin_out)
		rcv = half->fin_in + 1;
	if (is_bare(seg))
		return in == rcv;
	return in <= rcv &&
	       in + seg->data_len_b + (seg->flags & WK_TCP_FIN ? 1 : 0) > half->acked_in;
}

void accept_stamp(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	bool known = stamps_known(c, half);

	if (!stamped(c, seg) || !believed(half, seg, in))
		return;
	if (!known || (in <= half->acked_in && wk_seq_lt(half->ts_recent, seg->tsval)))
		half->ts_recent = seg->tsval;
	if (!known || wk_seq_lt(half->tsval, seg->tsval))
		half->tsval = seg->tsval;
	half->ts_known = true;
	half->ts_ns = c->env->now_ns;
}

bool accept_bare_stamp(const struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg,
		       uint64_t in)
{
	const struct wk_tcp_half *half = &c->flow->half[dir];

	if (!stamped(c, seg) || !wk_seq_lt(half->tsval, seg->tsval))
		return true;
	return in < half->acked_in ||
	       (half_plain(half) && in > half->e_in + half->held_len_b && in <= half->nxt_out);
}
