/* SPDX-License-Identifier: Apache-2.0 */
/* sack.c - the blocks of an ACK that is built here (RFC 2018, RFC 2883): what its receiver has
 * reported, in the sender's numbers, and what waits here behind a hole.
 *
 * A sender takes what it hears twice as the word that a retransmission was needless (D-SACK). It
 * gives back the window that it has cut, and waits longer before the next one. Without that a wire
 * that only disorders is as slow as one that loses. */
#include "internal.h"

struct list {
	struct span span[WK_TCP_SACK_MAX];
	uint32_t n;
	uint32_t fixed; /* the first ones that nothing may be joined to: a D-SACK */
	uint32_t max;
};

/* Joins a block to one that it touches, or appends it. */
static void take(struct list *list, struct span add)
{
	for (uint32_t i = list->fixed; i < list->n; i++) {
		struct span *span = &list->span[i];

		if (add.from > span->to || add.to < span->from)
			continue;
		span->from = add.from < span->from ? add.from : span->from;
		span->to = add.to > span->to ? add.to : span->to;
		return;
	}
	if (list->n < list->max)
		list->span[list->n++] = add;
}

/* A block of the receiver's in the sender's numbers. @return false when nothing is left of it. */
static bool translate(const struct wk_tcp_half *acked, const struct wk_tcp_sack *block,
		      struct span *span)
{
	int64_t left = wk_seq_unwrap(acked->isn, block->left, acked->b_out);
	int64_t right = wk_seq_unwrap(acked->isn, block->right, acked->b_out);

	if (left < 1 || right <= left || right > (int64_t)acked->nxt_out)
		return false;
	span->from = ledger_in(acked, (uint64_t)left, true);
	span->to = ledger_in(acked, (uint64_t)right, false);
	return span->from < span->to;
}

/* What the receiver has got twice. Below the last edit that is forgotten nobody knows any more
 * where that was for the sender. */
static bool translate_again(const struct wk_tcp_half *acked, const struct wk_tcp_seg *seg,
			    struct span *again)
{
	const struct wk_tcp_sack *block = &seg->sack[0], *around = &seg->sack[1];
	bool below, inside;

	if (seg->n_sack == 0)
		return false;
	below = !wk_seq_lt(seg->ack, block->right);
	inside = seg->n_sack > 1 && !wk_seq_lt(block->left, around->left) &&
		 !wk_seq_lt(around->right, block->right);
	if (!below && !inside)
		return false;
	if (wk_seq_unwrap(acked->isn, block->left, acked->b_out) < (int64_t)acked->even_out ||
	    !translate(acked, block, again))
		return false;
	/* What its sender has been acknowledged may be more than its receiver has. */
	return below ? again->to <= acked->acked_in : again->from > acked->acked_in;
}

/* The blocks above the acknowledgement; one that begins at it is about a hole of ours. */
static void take_receivers(const struct wk_tcp_half *acked, const struct wk_tcp_seg *seg,
			   struct list *list)
{
	struct span span;

	for (uint32_t i = 0; i < seg->n_sack; i++) {
		if (wk_seq_lt(seg->sack[i].left, seg->ack) ||
		    !translate(acked, &seg->sack[i], &span) || span.from <= acked->acked_in)
			continue;
		if (wk_seq_unwrap(acked->isn, seg->sack[i].left, acked->b_out) >=
		    (int64_t)acked->b_out)
			take(list, span);
	}
}

/* The copy that holds the byte `at`, with its neighbours; or the first one from there on. What has
 * gone on is the receiver's to report: if it was lost, only its sender will send it again. */
static bool block_at(const struct wk_tcp_half *acked, uint64_t at, struct span *span)
{
	*span = (struct span){ 0, 0 };
	for (const struct wk_tcp_ooo *ooo = acked->ooo; ooo; ooo = ooo->next) {
		/* Nothing is missing before one that waits for room. */
		if (ooo->gone || ooo->in_off <= acked->e_in + acked->held_len_b ||
		    ooo->in_off < acked->owned_in || ooo->in_off <= acked->acked_in)
			continue;
		if (ooo->in_off != span->to) {
			if (span->to > at)
				break;
			span->from = ooo->in_off;
		}
		span->to = ooo->in_off + ooo->len_b;
	}
	return span->to > at;
}

/* Our own out-of-order queue, towards its sender: the latest change first, then what was reported
 * last (RFC 2018 4), then the lowest. */
static void own_blocks(struct wk_tcp_half *acked, struct list *own)
{
	const uint32_t n_arrived = sizeof(acked->arrived_in) / sizeof(acked->arrived_in[0]);
	struct span span;
	uint64_t at;

	for (uint32_t i = 0; i < n_arrived; i++) {
		at = acked->arrived_in[i];
		if (at > 0 && block_at(acked, at, &span) && span.from <= at)
			take(own, span);
	}
	for (at = 0; own->n < own->max && block_at(acked, at, &span); at = span.to)
		take(own, span);
	for (uint32_t i = 0; i < n_arrived; i++)
		acked->arrived_in[i] = i < own->n ? own->span[i].from : 0;
}

void sack_arrived(struct wk_tcp_half *half, uint64_t in)
{
	for (uint32_t i = sizeof(half->arrived_in) / sizeof(half->arrived_in[0]) - 1; i > 0; i--)
		half->arrived_in[i] = half->arrived_in[i - 1];
	half->arrived_in[0] = in;
}

bool sack_waits(const struct wk_tcp_half *half)
{
	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo; ooo = ooo->next)
		if (!ooo->gone)
			return true;
	return false;
}

uint32_t sack_blocks(struct wk_tcp_half *acked, const struct wk_tcp_seg *seg,
		     const struct span *again, uint32_t max, struct wk_tcp_sack *blocks)
{
	struct list list = { .max = max }, own = { .max = SACK_OWN };
	struct span span;

	if (again)
		span = *again;
	if (again || (seg && translate_again(acked, seg, &span))) {
		list.span[list.n++] = span;
		list.fixed = 1;
	}
	own_blocks(acked, &own);
	if (seg) {
		/* A place is kept for the latest change here. */
		list.max = own.n > 0 ? max - 1 : max;
		take_receivers(acked, seg, &list);
		list.max = max;
	}
	for (uint32_t i = 0; i < own.n; i++)
		take(&list, own.span[i]);
	for (uint32_t i = 0; i < list.n; i++) {
		blocks[i].left = wk_seq_wrap(acked->isn, list.span[i].from);
		blocks[i].right = wk_seq_wrap(acked->isn, list.span[i].to);
	}
	return list.n;
}
