/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that come, are judged, and leave: I1, I2. */
#include "tcp_tap.h"

#include <string.h>

#include "tcp_tap_impl.h"

/* Kept from run to run: what one has touched is cleared at its end. */
static struct {
	uint8_t ref[TAP_MAX_B];
	bool hard[TAP_MAX_B];
	bool boundary[TAP_MAX_B + 1];
	struct tap_in in[TAP_MAX_B];
	uint8_t versions[TAP_MAX_B];
	uint8_t first[TAP_MAX_B];
	uint8_t left[TAP_MAX_B];
} store[WK_DIRS];

void tap_init(struct tap *tap, const struct wk_tcp_flow *flow)
{
	memset(tap, 0, sizeof(*tap));
	tap->flow = flow;
	for (int d = 0; d < WK_DIRS; d++) {
		struct tap_half *half = &tap->half[d];

		half->ref = store[d].ref;
		half->hard = store[d].hard;
		half->boundary = store[d].boundary;
		half->boundary[0] = false;
		half->in = store[d].in;
		half->versions = store[d].versions;
		half->first = store[d].first;
		half->left = store[d].left;
	}
}

void tap_fini(struct tap *tap)
{
	for (int d = 0; d < WK_DIRS; d++) {
		struct tap_half *half = &tap->half[d];

		memset(half->versions, 0, half->versions_b);
		memset(half->left, 0, half->left_b);
		ranges_fini(&half->sent);
		ranges_fini(&half->got);
		ranges_fini(&half->sacked);
	}
}

static void mark_version(struct tap_half *half, uint64_t at, uint32_t version)
{
	must(at < TAP_MAX_B);
	half->versions[at] |= (uint8_t)(1u << version);
	if (half->versions_b <= at)
		half->versions_b = at + 1;
}

static void mark_left(struct tap_half *half, uint64_t at, uint8_t byte, uint8_t how)
{
	must(at < TAP_MAX_B);
	half->first[at] = byte;
	half->left[at] = how;
	if (half->left_b <= at)
		half->left_b = at + 1;
}

void tap_syn(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct tap_half *half = &tap->half[dir], *other = &tap->half[wk_dir_flip(dir)];

	half->isn = seg->seq;
	half->shift = seg->has_wscale ? seg->wscale : 0;
	half->mss = seg->has_mss && seg->mss > 0 ? seg->mss : 536;
	half->told_ack = half->ack_max = half->end_out = 1;
	half->ts_in = half->ts_out = seg->tsval;
	half->ts_in_known = half->ts_out_known = seg->has_ts;
	other->edge_max = other->told_edge = other->edge_bound = 1u + seg->wnd;
}

void tap_scale(struct tap *tap, bool on)
{
	for (int d = 0; d < WK_DIRS && !on; d++)
		tap->half[d].shift = 0;
}

static void note_ack(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct tap_half *half = &tap->half[wk_dir_flip(dir)];
	int64_t ack = wk_seq_unwrap(half->isn, seg->ack, half->ack_max);
	uint64_t edge;

	if (ack >= 1 && (uint64_t)ack <= half->end_out) {
		edge = (uint64_t)ack + ((uint64_t)seg->wnd << tap->half[dir].shift);
		if (half->ack_max < (uint64_t)ack)
			half->ack_max = (uint64_t)ack;
		if (half->edge_max < edge)
			half->edge_max = edge;
	}
	for (uint32_t i = 0; i < seg->n_sack; i++) {
		int64_t left = wk_seq_unwrap(half->isn, seg->sack[i].left, half->ack_max);
		int64_t right = wk_seq_unwrap(half->isn, seg->sack[i].right, half->ack_max);

		/* It may be about what leaves only now: its own lie. */
		if (left >= 1 && right > left && (uint64_t)right <= TAP_MAX_B)
			ranges_add(&half->sacked, (uint64_t)left, (uint64_t)right);
	}
}

void tap_arrives(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg, uint32_t version)
{
	struct tap_half *half = &tap->half[dir];
	int64_t at = wk_seq_unwrap(half->isn, seg->seq, tap->flow->half[dir].e_in);

	for (uint32_t i = 0; i < seg->data_len_b; i++)
		if (at + i >= 1)
			mark_version(half, (uint64_t)(at + i - 1), version);
	if ((seg->flags & WK_TCP_FIN) && at + seg->data_len_b > (int64_t)half->fin_in)
		half->fin_in = (uint64_t)(at + seg->data_len_b);
	if (seg->has_ts && (!half->ts_in_known || wk_seq_lt(half->ts_in, seg->tsval)))
		half->ts_in = seg->tsval;
	half->ts_in_known |= seg->has_ts;
	if ((seg->flags & WK_TCP_ACK) && !(seg->flags & (WK_TCP_SYN | WK_TCP_RST)))
		note_ack(tap, dir, seg);
}

/* ---- the reference ---- */

static void ref_put(struct tap_half *half, const uint8_t *bytes, uint32_t len_b, bool hard)
{
	must(half->ref_b + len_b <= TAP_MAX_B);
	if (len_b > 0)
		memcpy(half->ref + half->ref_b, bytes, len_b);
	memset(half->hard + half->ref_b, hard, len_b);
	memset(half->boundary + half->ref_b + 1, false, len_b);
	half->ref_b += len_b;
}

static void in_put(struct tap_half *half, uint32_t len_b, enum wk_op_kind kind, uint32_t from)
{
	bool one_by_one = kind != WK_OP_REPL && kind != WK_OP_DEL;

	must(half->in_b + len_b <= TAP_MAX_B);
	for (uint32_t i = 0; i < len_b; i++)
		half->in[half->in_b++] = (struct tap_in){
			.from = one_by_one ? from + i : from,
			.to = one_by_one ? from + i + 1 : half->ref_b,
			.deleted = kind == WK_OP_DEL,
		};
	if (half->in_b > half->ref_b && half->taken_b < half->in_b - half->ref_b)
		half->taken_b = half->in_b - half->ref_b;
}

void tap_judged(struct tap *tap, enum wk_dir dir, const uint8_t *data, const struct wk_op_list *ops)
{
	struct tap_half *half = &tap->half[dir];

	for (uint32_t i = 0; i < ops->n; i++) {
		const struct wk_op *op = &ops->ops[i];
		uint32_t from = half->ref_b;

		/* What is shown is what has arrived, in order. */
		for (uint32_t k = 0; k < op->in_len_b; k++) {
			uint64_t at = half->in_b + k;
			bool ok = false;

			for (uint32_t v = 0; v < TAP_VERSIONS; v++)
				ok |= (half->versions[at] & 1u << v) &&
				      tap->byte(tap->user, dir, at, v) == data[k];
			must(ok);
		}
		if (op->kind == WK_OP_REPL || op->kind == WK_OP_PATCH)
			ref_put(half, op->out_bytes,
				op->kind == WK_OP_REPL ? op->out_len_b : op->in_len_b, true);
		else if (op->kind != WK_OP_DEL)
			ref_put(half, data, op->in_len_b, op->kind == WK_OP_PIN);
		in_put(half, op->in_len_b, op->kind, from);
		half->boundary[half->ref_b] = op->boundary;
		data += op->in_len_b;
	}
}

void tap_finished(struct tap *tap, enum wk_dir dir, const uint8_t *held, uint32_t len_b, bool keep)
{
	struct tap_half *half = &tap->half[dir];
	uint32_t from = half->ref_b;

	if (keep)
		ref_put(half, held, len_b, true);
	in_put(half, len_b, keep ? WK_OP_PIN : WK_OP_DEL, from);
}

void tap_inserted(struct tap *tap, const uint8_t *bytes, uint32_t len_b)
{
	struct tap_insert *insert = &tap->inserts[tap->n_inserts];
	uint64_t ref;

	must(tap->n_inserts < TAP_INSERTS && len_b <= TAP_INSERT_B);
	insert->out = tap->flow->half[WK_S2C].e_out - 1;
	insert->len_b = len_b;
	memcpy(insert->bytes, bytes, len_b);
	/* All of it has room, no frame is cut in two, and nothing behind it has gone out. */
	must(!tap_insert_at(tap, insert->out, &ref) && tap->half[WK_S2C].boundary[ref]);
	tap->n_inserts++;
	must(insert->out + 1 + len_b <= tap->half[WK_S2C].edge_max);
	must(tap->half[WK_S2C].end_out <= insert->out + 1);
}

const struct tap_insert *tap_insert_at(const struct tap *tap, uint64_t out, uint64_t *ref)
{
	*ref = out;
	for (uint32_t i = 0; i < tap->n_inserts; i++) {
		const struct tap_insert *insert = &tap->inserts[i];

		if (out < insert->out)
			break;
		if (out < insert->out + insert->len_b)
			return insert;
		*ref -= insert->len_b;
	}
	return NULL;
}

uint64_t tap_out(const struct tap *tap, enum wk_dir dir, uint64_t ref)
{
	uint64_t out = ref;

	for (uint32_t i = 0; i < tap->n_inserts && dir == WK_S2C; i++)
		if (tap->inserts[i].out <= out)
			out += tap->inserts[i].len_b;
	return out;
}

uint64_t tap_length(const struct tap *tap, enum wk_dir dir)
{
	return tap_out(tap, dir, tap->half[dir].ref_b);
}

/* ---- what leaves ---- */

static bool is_a_version(const struct tap *tap, enum wk_dir dir, uint64_t in, uint8_t byte)
{
	const struct tap_half *half = &tap->half[dir];

	if (in >= TAP_MAX_B)
		return false;
	for (uint32_t v = 0; v < TAP_VERSIONS; v++)
		if ((half->versions[in] & 1u << v) && tap->byte(tap->user, dir, in, v) == byte)
			return true;
	return false;
}

/* Where the soft byte `ref` of the reference has come from: mostly the one behind the last. */
static uint64_t in_of(struct tap_half *half, uint64_t ref)
{
	uint32_t lo = 0, hi = half->in_b, next = half->last_in + 1;

	if (ref >= half->ref_b)
		return half->in_b + (ref - half->ref_b);
	if (next < half->in_b && half->in[next].to > ref && half->in[next - 1].to <= ref)
		return half->last_in = next;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (half->in[mid].to <= ref)
			lo = mid + 1;
		else
			hi = mid;
	}
	return half->last_in = lo;
}

/* One byte at the payload offset `out`. */
static void check_byte(struct tap *tap, enum wk_dir dir, uint64_t out, uint8_t byte)
{
	struct tap_half *half = &tap->half[dir];
	const struct tap_insert *insert = NULL;
	bool hard = true;
	uint64_t ref = out;

	must(out < TAP_MAX_B);
	if (dir == WK_S2C && tap->last_words && out >= tap->last_words_at) {
		must(out - tap->last_words_at < tap->last_words_b);
		must(byte == tap->last_words[out - tap->last_words_at]);
		return;
	}
	if (dir == WK_S2C)
		insert = tap_insert_at(tap, out, &ref);
	if (insert) {
		must(byte == insert->bytes[out - insert->out]);
	} else if (ref < half->ref_b && half->hard[ref]) {
		must(byte == half->ref[ref]);
	} else {
		hard = false;
		must(is_a_version(tap, dir, in_of(half, ref), byte));
		if (dir == WK_C2S)
			must(ref < half->ref_b + tap->data_left_b);
	}
	/* I1, where it was watched over from the beginning. */
	if (half->left[out] == 2 && hard)
		must(half->first[out] == byte);
	if (half->left[out] == 1 && hard && dir == WK_C2S)
		must(half->first[out] == byte);
	if (half->left[out] != 0)
		return;
	mark_left(half, out, byte, hard ? 2 : 4);
}

/* Nothing is checked of what passes unguarded, but it is remembered: whether a receiver that has
 * not acknowledged the byte has had a choice. */
static void note_byte(struct tap *tap, enum wk_dir dir, uint64_t out, uint8_t byte)
{
	struct tap_half *half = &tap->half[dir];

	if (half->left[out] == 0)
		mark_left(half, out, byte, 1);
	else if (half->first[out] != byte && out + 1 >= tap->flow->half[dir].b_out)
		half->left[out] = 3;
}

static void check_data(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg, int64_t off,
		       bool lost)
{
	struct tap_half *half = &tap->half[dir];
	uint64_t end = (uint64_t)off + seg->data_len_b;

	if (!tap->passive) {
		must(off >= 1);
		must((uint64_t)off >= tap->flow->half[dir].b_out);
		must((uint64_t)off >= tap->b_out[dir]);
	}
	for (uint32_t i = 0; i < seg->data_len_b; i++) {
		if (!tap->passive)
			check_byte(tap, dir, (uint64_t)off - 1 + i, seg->data[i]);
		else if (off + i >= 1)
			note_byte(tap, dir, (uint64_t)(off - 1 + i), seg->data[i]);
	}
	if (off >= 1) {
		ranges_add(&half->sent, (uint64_t)off, end);
		if (!lost)
			ranges_add(&half->got, (uint64_t)off, end);
		if (half->end_out < end)
			half->end_out = end;
	}
}

/* What is built fits its receiver: its MSS, and its window where the box has made the stream
 * longer. */
static void check_fits(const struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg,
		       int64_t off)
{
	const struct tap_half *peer = &tap->half[wk_dir_flip(dir)];
	const struct tap_half *half = &tap->half[dir];
	uint64_t unit = 1ull << peer->shift;

	must(seg->data_len_b + seg->opts_len_b <= peer->mss);
	if (half->ref_b > half->in_b)
		must((uint64_t)off + seg->data_len_b <= half->edge_max + unit);
}

static void check_fin(struct tap *tap, enum wk_dir dir, uint64_t at, bool lost)
{
	struct tap_half *half = &tap->half[dir];

	if (!tap->passive) {
		must(half->fin_in > 0);
		must(half->fin_out == 0 || half->fin_out == at);
		/* A server's may go on out of order. */
		if (tap->flow->half[dir].fin_out || dir == WK_C2S)
			must(at == 1 + tap_out(tap, dir, half->ref_b));
		else
			must(at == 1 + tap_out(tap, dir, half->ref_b) +
					   (tap->flow->half[dir].fin_in - 1 - half->in_b));
		half->fin_out = at;
	}
	half->fin_got |= !lost;
	if (half->end_out < at + 1)
		half->end_out = at + 1;
}

/* Would its receiver remember the timestamp of this packet (RFC 7323 4.3)? It has all that has left
 * up to the first hole, or less. */
static bool counts(const struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg,
		   int64_t off)
{
	int64_t b_out = (int64_t)tap->flow->half[dir].b_out;
	const struct range *range = ranges_find(&tap->half[dir].sent, (uint64_t)b_out);
	int64_t has = range ? (int64_t)range->to : b_out;

	return off <= has && off + seg->data_len_b >= b_out;
}

static void check_ts(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg, int64_t off,
		     bool built)
{
	struct tap_half *half = &tap->half[dir];

	if (!seg->has_ts)
		return;
	if (built) {
		must(!half->ts_out_known || !wk_seq_lt(seg->tsval, half->ts_out));
		must(half->ts_in_known && !wk_seq_lt(half->ts_in, seg->tsval));
	}
	if (!counts(tap, dir, seg, off))
		return;
	if (!half->ts_out_known || wk_seq_lt(half->ts_out, seg->tsval))
		half->ts_out = seg->tsval;
	half->ts_out_known = true;
}

void tap_leaves(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg,
		const struct wk_tcp_seg *in)
{
	struct tap_half *half = &tap->half[dir];
	uint64_t near = half->end_out;
	int64_t off = wk_seq_unwrap(half->isn, seg->seq, near);
	bool lost;

	if (!in) {
		must(!tap->passive);
		tap->built++;
		tap->built_b += seg->data_len_b;
		must(!(seg->flags & (WK_TCP_SYN | WK_TCP_URG)));
	}
	if (seg->flags & WK_TCP_SYN) {
		must(tap->passive || seg->data_len_b == 0);
		return;
	}
	if (seg->flags & WK_TCP_RST) {
		must(tap->passive || seg->data_len_b == 0);
		return;
	}
	must(tap->passive || tap->flow->state == WK_TCP_ST_ESTABLISHED);
	must(tap->passive || !(seg->flags & WK_TCP_URG));
	/* A number beyond what has gone out would be the one its receiver takes windows from. */
	if (!tap->passive && seg->data_len_b == 0 && !(seg->flags & WK_TCP_FIN))
		must(off <= (int64_t)half->end_out);
	lost = half->lose > 0 && (seg->data_len_b > 0 || (seg->flags & WK_TCP_FIN));
	half->lose -= lost;
	/* Its receiver reads nothing of one that acknowledges nothing (RFC 9293 3.10.7.4). */
	lost |= !(seg->flags & WK_TCP_ACK);
	if (seg->data_len_b > 0)
		check_data(tap, dir, seg, off, lost);
	if (seg->data_len_b > 0 && !in)
		check_fits(tap, dir, seg, off);
	if (seg->flags & WK_TCP_FIN)
		check_fin(tap, dir, (uint64_t)off + seg->data_len_b, lost);
	check_ts(tap, dir, seg, off, !in);
	if (seg->flags & WK_TCP_ACK)
		tap_acks(tap, dir, seg, in);
}
