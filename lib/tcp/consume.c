/* SPDX-License-Identifier: Apache-2.0 */
/* consume.c - in-order bytes are judged, and the judgement is carried out on the ledger. */
#include "internal.h"

/* What is read at once behind held bytes. */
#define PIECE_B 4096u

struct view {
	const uint8_t *data;
	uint32_t len_b;
	uint32_t done_b;
	uint64_t keep_in; /* bytes below exist nowhere but here: they are kept in the ledger */
};

static bool add(struct ctx *c, struct wk_tcp_half *half, enum rec_kind kind, uint32_t in_len_b,
		const uint8_t *bytes, uint32_t out_len_b)
{
	bool owned = half->e_in < half->owned_in;

	return ledger_add(c, half, kind, in_len_b, bytes, out_len_b, owned);
}

/* How many of the next len_b bytes, from the last one back, an edit has put beyond the window that
 * their sender could count on. Kept, they go on when it opens; else their sender would have to send
 * them again. What finds no room in the ledger counts as never received. */
static uint32_t beyond_edge(const struct ctx *c, const struct wk_tcp_half *half, uint32_t len_b)
{
	uint64_t end = half->e_out + len_b;
	uint32_t room_b = 0;

	if (half_plain(half) || end <= half->edge_out)
		return 0;
	if (half->ledger_b < c->env->limits->ledger_b &&
	    half->n_recs < c->env->limits->ledger_records)
		room_b = c->env->limits->ledger_b - half->ledger_b;
	if (end - half->edge_out < len_b)
		len_b = (uint32_t)(end - half->edge_out);
	return len_b <= room_b ? len_b : 0;
}

/* PASS: nothing to remember, unless the sender will not send the bytes again or the packet at hand
 * does not hold them. */
static bool apply_pass(struct ctx *c, struct wk_tcp_half *half, const struct view *view,
		       uint32_t len_b)
{
	const uint8_t *bytes = view->data + view->done_b;
	uint64_t keep = view->keep_in > half->owned_in ? view->keep_in : half->owned_in;
	uint32_t pin_b = 0;

	/* A server's bytes are never judged anew: what only watches needs none of them. */
	if (c->flow->passive && half == stream(c->flow, WK_S2C))
		keep = 0;
	if (keep > half->e_in)
		pin_b = keep - half->e_in < len_b ? (uint32_t)(keep - half->e_in) : len_b;
	if (pin_b > 0 && !add(c, half, REC_PIN, pin_b, bytes, pin_b))
		return false;
	bytes += pin_b;
	len_b -= pin_b;
	pin_b = beyond_edge(c, half, len_b);
	half->e_in += len_b - pin_b;
	half->e_out += len_b - pin_b;
	return pin_b == 0 || add(c, half, REC_PIN, pin_b, bytes + (len_b - pin_b), pin_b);
}

/* Where the last of the next len_b bytes ends that has been forwarded already, out of order. */
static uint32_t gone_b(const struct wk_tcp_half *half, uint32_t len_b)
{
	uint64_t end = half->gone_in, limit = half->e_in + len_b;

	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo && ooo->in_off < limit; ooo = ooo->next)
		if ((ooo->gone || ooo->touched) && ooo->in_off + ooo->len_b > end)
			end = ooo->in_off + ooo->len_b;
	if (end <= half->e_in)
		return 0;
	return end < limit ? (uint32_t)(end - half->e_in) : len_b;
}

static bool apply(struct ctx *c, struct wk_tcp_half *half, const struct view *view,
		  const struct wk_op *op)
{
	const uint8_t *bytes = view->data + view->done_b;

	switch (op->kind) {
	case WK_OP_PASS:
		return apply_pass(c, half, view, op->in_len_b);
	case WK_OP_PIN:
		return add(c, half, REC_PIN, op->in_len_b, bytes, op->in_len_b);
	case WK_OP_DEL:
		c->cut = true;
		return add(c, half, REC_DEL, op->in_len_b, NULL, 0);
	case WK_OP_REPL:
		c->cut = true;
		return add(c, half, REC_REPL, op->in_len_b, op->out_bytes, op->out_len_b);
	case WK_OP_PATCH:
		/* What has gone out cannot be changed any more, and the judge was told. */
		if (gone_b(half, op->in_len_b) > 0)
			return false;
		c->cut = true;
		return add(c, half, REC_PATCH, op->in_len_b, op->out_bytes, op->in_len_b);
	}
	return false;
}

static bool apply_list(struct ctx *c, enum wk_dir dir, struct view *view,
		       const struct wk_op_list *ops)
{
	struct wk_tcp_half *half = stream(c->flow, dir);

	for (uint32_t i = 0; i < ops->n; i++) {
		const struct wk_op *op = &ops->ops[i];

		if (op->in_len_b > view->len_b - view->done_b || !apply(c, half, view, op)) {
			close_fail(c);
			return false;
		}
		view->done_b += op->in_len_b;
		half->at_boundary = op->boundary;
		half->was_boundary |= op->boundary;
		half->to_boundary_b = op->boundary ? 0 : WK_OP_BOUNDARY_UNKNOWN;
		half->pass_in = 0;
		if (op->boundary && dir == WK_S2C)
			insert_try(c);
		else if (op->boundary)
			insert_server(c);
		if (c->fatal)
			return false;
	}
	if (ops->n > 0) {
		half->to_boundary_b = ops->to_boundary_b;
		half->pass_in = half->e_in + ops->pass_b;
	}
	return true;
}

static bool judge(struct ctx *c, enum wk_dir dir, struct view *view)
{
	struct wk_op_list ops;

	while (view->done_b < view->len_b) {
		ops.n = 0;
		ops.gone_b = gone_b(stream(c->flow, dir), view->len_b - view->done_b);
		ops.to_boundary_b = WK_OP_BOUNDARY_UNKNOWN;
		ops.pass_b = 0;
		if (c->env->hooks->judge(c->env->user, dir, view->data + view->done_b,
					 view->len_b - view->done_b, &ops) < 0) {
			close_fail(c);
			return false;
		}
		if (ops.n == 0)
			return true;
		if (!apply_list(c, dir, view, &ops))
			return false;
	}
	return true;
}

static bool consume_piece(struct ctx *c, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
			  uint64_t keep_in)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint32_t held_b = half->held_len_b;
	struct view view = { data, len_b, 0, keep_in };

	if (held_b > 0) {
		if (!hold_append(c, half, data, len_b)) {
			close_fail(c);
			return false;
		}
		view.data = half->held;
		view.len_b = half->held_len_b;
	}
	if (!judge(c, dir, &view))
		return false;
	if (held_b > 0) {
		if (view.done_b > 0)
			hold_consume(half, view.done_b, c->env->mem);
	} else if (view.done_b < view.len_b &&
		   !hold_append(c, half, view.data + view.done_b, view.len_b - view.done_b)) {
		close_fail(c);
		return false;
	}
	return true;
}

/* Behind held bytes only as much as may complete them: a row of segments that waited is longer than
 * what may be held. */
static uint32_t piece_b(const struct ctx *c, const struct wk_tcp_half *half, uint32_t len_b)
{
	uint32_t room_b = PIECE_B;

	if (half->held_len_b == 0)
		return len_b;
	if (half->held_len_b < c->env->limits->hold_b &&
	    c->env->limits->hold_b - half->held_len_b < room_b)
		room_b = c->env->limits->hold_b - half->held_len_b;
	return len_b < room_b ? len_b : room_b;
}

bool consume(struct ctx *c, enum wk_dir dir, uint64_t in, const uint8_t *data, uint32_t len_b,
	     bool gone)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint64_t keep_in = half->e_in + half->held_len_b;
	uint32_t n;

	if (gone && half->gone_in < in + len_b)
		half->gone_in = in + len_b;
	/* The server has acknowledged these bytes before they were read: it has had another copy.
	 */
	if (c->flow->passive && dir == WK_C2S && half->b_out > keep_in)
		c->flow->doubtful = true;
	data += keep_in - in;
	len_b -= (uint32_t)(keep_in - in);
	for (; len_b > 0; data += n, len_b -= n) {
		n = piece_b(c, half, len_b);
		if (!consume_piece(c, dir, data, n, keep_in))
			return false;
	}
	if (half->held_len_b > 0)
		c->cut = true;
	return true;
}

bool consume_held(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct view view = { half->held, half->held_len_b, 0, half->e_in + half->held_len_b };

	if (!judge(c, dir, &view))
		return false;
	if (view.done_b > 0)
		hold_consume(half, view.done_b, c->env->mem);
	return true;
}

void consume_fin(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	uint32_t len_b = half->held_len_b;
	bool ok = true;

	if (!half->fin_in || half->fin_out || half->e_in + len_b != half->fin_in)
		return;
	c->env->hooks->finished(c->env->user, dir);
	if (len_b > 0) {
		/* An unfinished frame: a client's was never judged, a server's is not ours to keep.
		 */
		wk_count(c->env->stats, WK_CNT_HDR_TRUNCATED, 1);
		c->cut = true;
		if (dir == WK_C2S && !c->flow->passive)
			ok = add(c, half, REC_DEL, len_b, NULL, 0);
		else
			ok = add(c, half, REC_PIN, len_b, half->held, len_b);
		hold_consume(half, len_b, c->env->mem);
	}
	if (!ok) {
		close_fail(c);
		return;
	}
	half->fin_out = half->e_out;
}
