/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that leave: I1, I2, the receiver's window and MSS. */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wk_seq.h"

void check_fail(struct check *check, const char *fmt, ...)
{
	va_list ap;

	if (check->fault[0] || check->mute)
		return;
	va_start(ap, fmt);
	vsnprintf(check->fault, sizeof(check->fault), fmt, ap);
	va_end(ap);
}

void check_fini(struct check *check)
{
	for (int i = 0; i < 2; i++) {
		ranges_fini(&check->half[i].seen);
		ranges_fini(&check->half[i].sent);
		ranges_fini(&check->half[i].again);
		ranges_fini(&check->half[i].fresh);
		free(check->half[i].inserts);
		free(check->half[i].bytes);
	}
}

static void in_syn(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct check_half *half = &check->half[dir];
	bool again = half->open;

	half->open = true;
	half->has_shift = seg->has_wscale;
	half->shift = seg->wscale;
	half->has_ts = seg->has_ts;
	half->mss = seg->has_mss ? seg->mss : 536;
	if (!again || half->isn != seg->seq)
		half->ts_in = half->ts_out = seg->tsval;
	half->isn = seg->seq;
	if (check->half[wk_dir_flip(dir)].edge_max < 1u + seg->wnd)
		check->half[wk_dir_flip(dir)].edge_max = 1u + seg->wnd;
	if (check->half[wk_dir_flip(dir)].edge_heard < 1u + seg->wnd)
		check->half[wk_dir_flip(dir)].edge_heard = 1u + seg->wnd;
	if (dir == WK_S2C) {
		check->scaled = half->has_shift && check->half[WK_C2S].has_shift;
		check->ts = half->has_ts && check->half[WK_C2S].has_ts;
	}
}

/* The acknowledgement in a packet of dir, for the other stream. In one that lies beyond the window
 * of its own stream it need not be believed. */
static void in_ack(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg, int64_t seq)
{
	const struct check_half *own = &check->half[dir];
	struct check_half *half = &check->half[wk_dir_flip(dir)];
	uint8_t shift = check->scaled && !(seg->flags & WK_TCP_SYN) ? check->half[dir].shift : 0;
	int64_t ack = wk_seq_unwrap(half->isn, seg->ack, half->ack_max);
	uint64_t edge = (uint64_t)ack + ((uint64_t)seg->wnd << shift);

	half->stale_ack = half->ack_max;
	half->stale_edge = half->edge_max;
	half->stale_end = half->end_out;
	half->stale_heard = half->ack_heard;
	if (!half->open || ack < 0 || (uint64_t)ack > half->end_out + 1)
		return;
	if ((uint64_t)ack > half->ack_heard)
		half->ack_heard = (uint64_t)ack;
	if (edge > half->edge_heard)
		half->edge_heard = edge;
	if (!check->counts)
		return;
	if ((uint64_t)ack > half->ack_max)
		half->ack_max = (uint64_t)ack;
	if ((uint64_t)ack > half->ack_sure &&
	    (!own->edge_in_max || seq <= (int64_t)own->edge_in_max))
		half->ack_sure = (uint64_t)ack;
	if (edge > half->edge_max)
		half->edge_max = edge;
}

void check_in(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct check_half *half = &check->half[dir];
	int64_t seq;

	check->forged = false;
	if (seg->flags & WK_TCP_SYN)
		in_syn(check, dir, seg);
	if (!half->open || (seg->flags & WK_TCP_RST))
		return;
	seq = wk_seq_unwrap(half->isn, seg->seq, half->ack_in_max);
	if (seq >= 0) {
		uint64_t end = (uint64_t)seq + seg->data_len_b + !!(seg->flags & WK_TCP_SYN);

		const struct judge_dir *d = &check->judge->dir[dir];

		if (seg->flags & WK_TCP_FIN)
			half->fin_in = end++;
		half->said_cwr = (seg->flags & WK_TCP_CWR) && seg->data_len_b > 0 &&
				 (uint64_t)seq == 1 + d->in_b + d->held_b && !half->cwr_owed;
		half->cwr_owed |= half->said_cwr;
		ranges_add(&half->seen, (uint64_t)seq, end);
	}
	check->counts = seq + (int64_t)seg->data_len_b >= (int64_t)half->ack_in_max;
	if (seg->flags & WK_TCP_ACK)
		in_ack(check, dir, seg, seq);
	if (seg->has_ts && (int32_t)(seg->tsval - half->ts_in) > 0)
		half->ts_in = seg->tsval;
}

void check_settled(struct check *check, enum wk_dir dir, bool dropped)
{
	struct check_half *half = &check->half[dir];

	if (half->said_cwr && dropped)
		half->cwr_owed = false;
	half->said_cwr = false;
}

const struct judge_map *check_map_at(const struct judge_dir *d, uint64_t out)
{
	uint32_t lo = 0, hi = d->n_map;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (d->map[mid].out + d->map[mid].out_b <= out)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < d->n_map ? &d->map[lo] : NULL;
}

static bool may_differ(const struct check *check, enum wk_dir dir, uint64_t out)
{
	const struct judge_map *map;

	if (!check->lies || dir != WK_C2S)
		return false;
	map = check_map_at(&check->judge->dir[dir], out);
	return !map || map->kind == WK_OP_PASS;
}

/* I1: the same byte at each position, whenever it leaves. */
static void check_bytes(struct check *check, enum wk_dir dir, uint64_t off, const uint8_t *data,
			uint32_t len_b)
{
	struct check_half *half = &check->half[dir];

	if (off - 1 + len_b > half->cap) {
		half->cap = 2 * (off - 1 + len_b);
		half->bytes = realloc(half->bytes, half->cap);
		if (!half->bytes)
			abort();
	}
	for (uint32_t i = 0; i < len_b; i++) {
		uint64_t at = off - 1 + i;

		if (ranges_find(&half->sent, at + 1) && half->bytes[at] != data[i] &&
		    !may_differ(check, dir, at))
			check_fail(check, "I1: byte %lu of stream %d changed from %02x to %02x", at,
				   dir, half->bytes[at], data[i]);
		half->bytes[at] = data[i];
	}
	ranges_add(&half->sent, off, off + len_b);
}

/* How far the receiver's window goes. A forged packet with the right number may have said again
 * what a genuine one had said that did not count. */
static uint64_t edge_told(const struct check *check, const struct check_half *half)
{
	return check->forged ? half->edge_heard : half->edge_max;
}

void check_inserted(struct check *check, enum wk_dir dir, uint64_t out, uint64_t len_b)
{
	struct check_half *half = &check->half[dir];
	uint64_t edge = edge_told(check, half);

	if (out + 1 + len_b > edge)
		check_fail(check,
			   "an insertion in stream %d to %lu, its receiver's window ends at %lu",
			   dir, out + 1 + len_b, edge);
	half->inserts = realloc(half->inserts, (half->n_inserts + 1) * sizeof(*half->inserts));
	if (!half->inserts)
		abort();
	half->inserts[half->n_inserts++] = (struct check_insert){ .out = out, .len_b = len_b };
}

static void check_judged(struct check *check, uint64_t end)
{
	const struct judge_dir *d = &check->judge->dir[WK_C2S];
	uint64_t limit = 1 + d->out_b;

	if (d->rem_b > 0 && d->rem_kind == PROTO_DATA)
		limit += d->rem_b;
	if (end > limit)
		check_fail(check, "I2: unjudged bytes left: up to %lu, judged to %lu", end, limit);
}

static bool is_inserted(const struct check_half *half, uint64_t from, uint64_t to)
{
	for (uint32_t i = 0; i < half->n_inserts && from < to; i++) {
		const struct check_insert *ins = &half->inserts[i];

		if (from > ins->out && from <= ins->out + ins->len_b)
			from = ins->out + ins->len_b + 1;
	}
	return from >= to;
}

static void check_payload(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg,
			  uint64_t off)
{
	struct check_half *half = &check->half[dir];
	const struct check_half *peer = &check->half[wk_dir_flip(dir)];
	uint64_t end = off + seg->data_len_b;
	uint64_t unit = check->scaled ? 1ull << peer->shift : 1;
	uint64_t edge = edge_told(check, half);

	if (off < half->ack_sure)
		check_fail(check, "I2: byte %lu of stream %d left, acknowledged to %lu", off, dir,
			   half->ack_sure);
	if (dir == WK_C2S)
		check_judged(check, end);
	if (seg->data_len_b + seg->opts_len_b > peer->mss)
		check_fail(check, "segment of %u bytes, the receiver takes %u",
			   seg->data_len_b + seg->opts_len_b, peer->mss);
	if (end > edge + unit - 1 && !(seg->data_len_b == 1 && off <= edge))
		check_fail(check, "bytes of stream %d to %lu beyond the window's edge %lu", dir,
			   end, edge);
	check_bytes(check, dir, off, seg->data, seg->data_len_b);
	/* The ACK in the packet that says it may have made place for an insertion, which leaves
	 * first. */
	if (half->cwr_owed && end > half->end_out && !(seg->flags & WK_TCP_CWR) &&
	    !(half->said_cwr && is_inserted(half, half->end_out, end)))
		check_fail(check, "a CWR of stream %d does not go on with the next bytes", dir);
	half->cwr_owed &= !(seg->flags & WK_TCP_CWR);
	if (off < half->end_out)
		ranges_add(&half->again, off, end < half->end_out ? end : half->end_out);
	ranges_add(&half->fresh, off, end);
	if (end > half->end_out)
		half->end_out = end;
}

static void check_syn(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct check_half *told = &check->half[wk_dir_flip(dir)];

	if (told->edge_bound < told->edge_max)
		told->edge_bound = told->edge_max;
	if (seg->data_len_b > 0)
		check_fail(check, "a SYN left with payload");
	for (uint32_t i = 0; i < seg->opts_len_b;) {
		uint8_t kind = seg->opts[i];

		if (kind == 0)
			break;
		if (kind > 5 && kind != 8)
			check_fail(check, "SYN option %u left", kind);
		i += kind == 1 ? 1 : seg->opts[i + 1];
	}
}

/* Might its receiver take the timestamp of a packet that leaves at `off`? Not beyond a hole, nor
 * where it has all of it (RFC 7323 4.3). */
static bool stamp_counts(const struct check_half *half, uint64_t off)
{
	const struct range *sent = ranges_find(&half->sent, 1);

	return off >= half->ack_max && off <= (sent ? sent->to : 1);
}

void check_out(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg,
	       const struct wk_tcp_seg *in)
{
	struct check_half *half = &check->half[dir];
	int64_t off;

	check->left[dir]++;
	if (seg->flags & WK_TCP_SYN) {
		check_syn(check, dir, seg);
		return;
	}
	if (seg->flags & WK_TCP_RST)
		return;
	off = wk_seq_unwrap(half->isn, seg->seq, half->ack_max);
	if (off < 0 && seg->data_len_b == 0 && !(seg->flags & WK_TCP_FIN))
		off = 0; /* an empty packet may be anywhere: its receiver answers it */
	/* Its number would stay the highest the receiver has taken a window from. */
	if (seg->data_len_b == 0 && !(seg->flags & WK_TCP_FIN) &&
	    off > (int64_t)half->end_out + (half->fin_out > 0 ? 1 : 0) && off > 1)
		check_fail(check, "a bare ACK at %ld, what has left ends at %lu", off,
			   half->end_out);
	if (off < 0)
		check_fail(check, "a packet below the initial sequence number");
	if (seg->data_len_b > 0)
		check_payload(check, dir, seg, (uint64_t)off);
	if (seg->flags & WK_TCP_FIN) {
		uint64_t at = (uint64_t)off + seg->data_len_b;

		if (half->fin_out > 0 && half->fin_out != at)
			check_fail(check, "FIN of stream %d moved from %lu to %lu", dir,
				   half->fin_out, at);
		half->fin_out = at;
		if (at > half->end_out)
			half->end_out = at;
	}
	if (seg->flags & WK_TCP_URG)
		check_fail(check, "URG left");
	if (check->ts && !seg->has_ts && !(check->forged && in && !in->has_ts))
		check_fail(check, "a packet without the agreed timestamp left");
	if (seg->has_ts) {
		/* A late packet may carry its own old value; one that was built may not. */
		if (!in && (int32_t)(seg->tsval - half->ts_out) < 0)
			check_fail(check, "I3: TSval of stream %d went back by %u", dir,
				   half->ts_out - seg->tsval);
		if ((int32_t)(seg->tsval - half->ts_in) > 0)
			check_fail(check, "TSval of stream %d was invented", dir);
		if ((int32_t)(seg->tsval - half->ts_out) > 0 && stamp_counts(half, (uint64_t)off))
			half->ts_out = seg->tsval;
	}
	if (seg->flags & WK_TCP_ACK)
		check_ack(check, dir, seg, in);
}

void check_forged(struct check *check)
{
	check->forged = true;
	for (int i = 0; i < 2; i++) {
		check->half[i].dups = 3; /* it may have been a duplicate too */
		check->half[i].stale_ack = check->half[i].ack_max;
		check->half[i].stale_edge = check->half[i].edge_max;
		check->half[i].stale_end = check->half[i].end_out;
		check->half[i].stale_heard = check->half[i].ack_heard;
	}
}
