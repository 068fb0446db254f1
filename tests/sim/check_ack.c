/* SPDX-License-Identifier: Apache-2.0 */
/* Acknowledgements, windows and SACK blocks that leave: I3, and whether they tell the truth. */
#include "check.h"

#include <stddef.h>

#include "wk_seq.h"

/* The map entry that holds the payload offset `in`, or the one before it; NULL: none. */
static const struct judge_map *map_at_in(const struct judge_dir *d, uint64_t in)
{
	uint32_t lo = 0, hi = d->n_map;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (d->map[mid].in <= in)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 ? &d->map[lo - 1] : NULL;
}

static uint64_t inserted_below_in(const struct check_half *half, uint64_t in)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < half->n_inserts; i++) {
		if (half->inserts[i].out - sum > in)
			break;
		sum += half->inserts[i].len_b;
	}
	return sum;
}

uint64_t check_server_in(const struct check *check, uint64_t out)
{
	const struct check_half *half = &check->half[WK_S2C];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < half->n_inserts; i++) {
		const struct check_insert *ins = &half->inserts[i];

		if (ins->out >= out)
			break;
		sum += out - ins->out < ins->len_b ? out - ins->out : ins->len_b;
	}
	return out - sum;
}

uint64_t check_client_in(const struct judge_dir *d, uint64_t out)
{
	const struct judge_map *map = check_map_at(d, out);

	if (!map)
		return d->in_b;
	return map->kind == WK_OP_REPL || out < map->out ? map->in : map->in + (out - map->out);
}

/* No acknowledgement to the client of DATA payload that the server has not acknowledged, unless it
 * has been kept here for a while; what else is below it must be deleted or ours to send again, and
 * then the run would not end without it. */
static void check_client_told(struct check *check, uint64_t ack)
{
	const struct judge_dir *d = &check->judge->dir[WK_C2S];
	const struct check_half *half = &check->half[WK_C2S];
	uint64_t upto = ack - 1 < d->in_b ? ack - 1 : d->in_b, pass_end, out;
	const struct judge_map *map;

	if (upto == 0)
		return;
	map = map_at_in(d, upto - 1);
	pass_end = map->kind == WK_OP_PASS ? upto : map > d->map ? map[-1].pass_end : 0;
	if (pass_end == 0)
		return;
	map = map_at_in(d, pass_end - 1);
	out = map->out + (pass_end - map->in);
	if (out + 1 > half->ack_heard &&
	    !ranges_cover(&d->kept, check_client_in(d, half->ack_heard - 1), upto))
		check_fail(check,
			   "I3: DATA to %lu acknowledged to the client, by the server only to %lu",
			   out + 1, half->ack_heard);
}

static void check_server_told(struct check *check, uint64_t ack)
{
	const struct check_half *half = &check->half[WK_S2C];
	uint64_t acked_in = check_server_in(check, half->ack_heard - 1);

	if (!ranges_cover(&check->judge->dir[WK_S2C].kept, acked_in, ack - 1))
		check_fail(check, "I3: %lu acknowledged to the server, by the client only %lu",
			   ack - 1, acked_in);
}

static void check_told(struct check *check, enum wk_dir told, uint64_t ack)
{
	const struct check_half *half = &check->half[told];

	if (half->fin_in > 0 && ack > half->fin_in) {
		if (half->fin_out == 0 || half->ack_heard <= half->fin_out)
			check_fail(check,
				   "I3: FIN of stream %d acknowledged before its receiver did",
				   told);
		ack = half->fin_in;
	}
	if (!ranges_cover(&half->seen, 0, ack))
		check_fail(check, "acknowledged to %lu what has not arrived on stream %d", ack,
			   told);
	if (ack < 1)
		return;
	if (told == WK_C2S)
		check_client_told(check, ack);
	else
		check_server_told(check, ack);
}

/* Does the receiver have the byte, or the box it still? A byte that has left and not arrived, and
 * is SACKed all the same, would be nobody's. */
static bool byte_is_safe(const struct check *check, enum wk_dir told, uint64_t in)
{
	const struct judge_dir *d = &check->judge->dir[told];
	uint64_t out = in, end;
	const struct judge_map *map;

	if (told == WK_S2C) {
		out = in + inserted_below_in(&check->half[told], in);
	} else if (in < d->in_b) {
		map = map_at_in(d, in);
		if (map->kind == WK_OP_DEL)
			return true;
		out = map->out + (map->kind == WK_OP_REPL ? 0 : in - map->in);
		end = map->kind == WK_OP_REPL ? map->out + map->out_b : out + 1;
		return ranges_cover(check->got[told], out + 1, end + 1) ||
		       !ranges_find(&check->half[told].sent, out + 1);
	} else {
		if (d->rem_kind != PROTO_DATA || in >= d->in_b + d->rem_b)
			return true;
		out = d->out_b + (in - d->in_b);
	}
	return ranges_find(check->got[told], out + 1) ||
	       !ranges_find(&check->half[told].sent, out + 1);
}

static void check_sack(struct check *check, enum wk_dir told, const struct wk_tcp_seg *seg,
		       uint64_t ack)
{
	const struct check_half *half = &check->half[told];

	for (uint32_t i = 0; i < seg->n_sack; i++) {
		int64_t left = wk_seq_unwrap(half->isn, seg->sack[i].left, ack);
		int64_t right = wk_seq_unwrap(half->isn, seg->sack[i].right, ack);

		if (left < 0 || left >= right) {
			check_fail(check, "SACK block [%ld, %ld)", left, right);
			return;
		}
		if (!ranges_cover(&half->seen, (uint64_t)left, (uint64_t)right))
			check_fail(check, "SACK of [%ld, %ld), which has not arrived", left, right);
		if ((uint64_t)left <= ack) {
			if (i > 0 || (uint64_t)right > ack)
				check_fail(check, "SACK block [%ld, %ld) at or below ACK %lu", left,
					   right, ack);
			continue;
		}
		for (uint64_t off = (uint64_t)left; off < (uint64_t)right; off++) {
			if (half->fin_in > 0 && off >= half->fin_in)
				break;
			if (!byte_is_safe(check, told, off - 1) &&
			    !check->holds(check->user, told, off)) {
				check_fail(check,
					   "SACK of [%ld, %ld) on stream %d, but %lu has left and "
					   "not arrived",
					   left, right, told, off);
				return;
			}
		}
	}
}

void check_bound(struct check *check)
{
	for (int told = 0; told < 2; told++) {
		struct check_half *half = &check->half[told];
		int64_t shift = told == WK_C2S ? check->judge->dir[told].shift_max : 0;
		int64_t bound = (int64_t)half->edge_heard + shift;

		if (bound > (int64_t)half->edge_bound)
			half->edge_bound = (uint64_t)bound;
	}
}

void check_hole(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct check_half *half = &check->half[wk_dir_flip(dir)];
	bool pure = seg->data_len_b == 0 && !(seg->flags & (WK_TCP_SYN | WK_TCP_FIN | WK_TCP_RST));
	int64_t ack = wk_seq_unwrap(half->isn, seg->ack, half->ack_max);

	if (!half->open || !check->counts || ack != (int64_t)half->ack_max ||
	    half->ack_max > half->stale_ack) {
		half->dups = half->ack_max > half->stale_ack ? 0 : half->dups;
		return;
	}
	/* One that came before anything was out is none (RFC 5681 2). */
	if (!pure || half->edge_max > half->stale_edge || half->stale_end <= half->ack_max)
		return;
	if (++half->dups != 3 || half->edge_max <= half->ack_max)
		return;
	for (uint32_t i = 0; i < half->n_inserts; i++) {
		const struct check_insert *ins = &half->inserts[i];

		if (half->ack_max > ins->out && half->ack_max <= ins->out + ins->len_b &&
		    !ranges_find(&half->again, half->ack_max))
			check_fail(check,
				   "three duplicates, and the insertion at %lu of stream %d is not "
				   "sent again",
				   half->ack_max, wk_dir_flip(dir));
	}
}

void check_deleted(struct check *check)
{
	const struct judge_dir *d = &check->judge->dir[WK_C2S];
	const struct check_half *half = &check->half[WK_C2S];

	if (d->in_b > 0 && half->ack_sure >= 1 + d->out_b && half->ack_in_max < 1 + d->in_b)
		check_fail(check, "deleted bytes to %lu wait, acknowledged to %lu", 1 + d->in_b,
			   half->ack_in_max);
}

/* A window that was built may not be less than what the server announced. */
static void check_edge_kept(struct check *check, const struct wk_tcp_seg *seg, uint64_t edge)
{
	const struct judge_dir *d = &check->judge->dir[WK_C2S];
	const struct check_half *half = &check->half[WK_C2S];
	uint64_t unit = check->scaled ? 1ull << check->half[WK_S2C].shift : 1;

	if (seg->wnd == UINT16_MAX || half->edge_max < 1 + d->out_b)
		return;
	if ((int64_t)(edge + unit) <= (int64_t)half->edge_max + d->shift_min)
		check_fail(check, "window towards the client to %lu, the server's is %lu", edge,
			   half->edge_max + (uint64_t)d->shift_min);
}

/* An ACK that acknowledged nothing but an insertion looks like a duplicate to the server. */
static void check_duplicate(struct check *check, const struct wk_tcp_seg *seg,
			    const struct wk_tcp_seg *in, uint64_t ack)
{
	const struct check_half *half = &check->half[WK_S2C];
	int64_t in_ack = wk_seq_unwrap(half->isn, in->ack, half->stale_ack);
	uint8_t shift = check->scaled ? check->half[WK_C2S].shift : 0;
	uint64_t edge = ack + ((uint64_t)seg->wnd << shift);

	if (seg->data_len_b > 0 || (seg->flags & WK_TCP_FIN) || seg->n_sack > 0)
		return;
	if (in_ack > (int64_t)half->stale_heard && ack == half->ack_in_max &&
	    edge <= half->edge_in_max)
		check_fail(check, "a duplicate made of the ACK of an insertion");
}

/* Its sender has sent beyond: less than a unit of window may be told as one, or it could not send
 * those bytes again. */
static bool has_more(const struct check_half *half, uint64_t ack)
{
	return ranges_find(&half->seen, ack) || ranges_next(&half->seen, ack);
}

static void check_edge(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg,
		       const struct wk_tcp_seg *in, uint64_t ack)
{
	enum wk_dir told = wk_dir_flip(dir);
	struct check_half *half = &check->half[told];
	uint64_t edge = ack + ((uint64_t)seg->wnd << (check->scaled ? check->half[dir].shift : 0));
	uint64_t unit = check->scaled ? 1ull << check->half[dir].shift : 1;

	check_bound(check);
	if (!in && told == WK_C2S)
		check_edge_kept(check, seg, edge);
	/* A closed window promises nothing. The byte that came to probe it may have completed what
	 * is owned here, and then it is acknowledged, one beyond the receiver's edge. */
	if (seg->wnd > 0 && edge > half->edge_bound &&
	    !(seg->wnd == 1 && has_more(half, ack) && edge < half->edge_bound + unit))
		check_fail(check, "window towards the sender of stream %d to %lu, at most %lu",
			   told, edge, half->edge_bound);
	if (edge + unit <= half->edge_in_max) {
		int64_t in_ack = in ? wk_seq_unwrap(half->isn, in->ack, ack) : 0;
		uint64_t in_edge = in ? (uint64_t)in_ack + ((uint64_t)in->wnd * unit) : 0;

		if (!in || in_edge >= half->stale_edge)
			check_fail(check, "I3: window edge of stream %d went back from %lu to %lu",
				   told, half->edge_in_max, edge);
	}
	if (edge > half->edge_in_max)
		half->edge_in_max = edge;
}

void check_ack(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg,
	       const struct wk_tcp_seg *in)
{
	enum wk_dir told = wk_dir_flip(dir);
	struct check_half *half = &check->half[told];
	int64_t ack = wk_seq_unwrap(half->isn, seg->ack, half->ack_in_max);

	if (ack < 0) {
		check_fail(check, "an ACK below the initial sequence number");
		return;
	}
	if (in && dir == WK_C2S &&
	    wk_seq_unwrap(check->half[dir].isn, seg->seq, check->half[dir].ack_max) >=
		    (int64_t)check->half[dir].ack_max)
		check_duplicate(check, seg, in, (uint64_t)ack);
	if ((uint64_t)ack < half->ack_in_max) {
		/* A late packet that was already old when it came in may stay old. */
		if (!in ||
		    wk_seq_unwrap(half->isn, in->ack, half->stale_ack) >= (int64_t)half->stale_ack)
			check_fail(check, "I3: ACK of stream %d went back from %lu to %ld", told,
				   half->ack_in_max, ack);
	} else if ((uint64_t)ack > half->ack_in_max) {
		check_told(check, told, (uint64_t)ack);
		half->ack_in_max = (uint64_t)ack;
	}
	check_edge(check, dir, seg, in, (uint64_t)ack);
	/* What an attacker says has arrived goes on where nothing is edited. */
	if (!check->forged)
		check_sack(check, told, seg, (uint64_t)ack);
}
