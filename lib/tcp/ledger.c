/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - the ranges of a stream that must never change, and the way between its two numberings.
 */
#include <string.h>

#include "internal.h"

/* Small pins share a record: a block of this size holds a few frame headers. */
#define PIN_CHUNK_B 256u
/* Of so many records one is a stepping stone: of a thousand, sixty or so are looked at. */
#define SKIP 32u

#define LEDGER_SMALL 64u /* records, when memory is short */

static uint64_t rec_in_end(const struct wk_tcp_rec *rec)
{
	return rec->in_off + rec->in_len_b;
}

static uint64_t rec_out_end(const struct wk_tcp_rec *rec)
{
	return rec->out_off + rec->out_len_b;
}

static bool rec_is_edit(const struct wk_tcp_rec *rec)
{
	return rec->kind != REC_PIN || rec->owned;
}

static bool rec_is_ours(const struct wk_tcp_rec *rec)
{
	return rec->owned && rec->out_len_b > 0;
}

/* Those before it end at or below `in`. */
static struct wk_tcp_rec *near_in(const struct wk_tcp_half *half, uint64_t in)
{
	struct wk_tcp_rec *rec = half->head;

	for (struct wk_tcp_rec *s = half->skip_head; s && s->in_off <= in; s = s->skip)
		rec = s;
	return rec;
}

struct wk_tcp_rec *ledger_near(const struct wk_tcp_half *half, uint64_t out)
{
	struct wk_tcp_rec *rec = half->head;

	for (struct wk_tcp_rec *s = half->skip_head; s && s->out_off <= out; s = s->skip)
		rec = s;
	return rec;
}

/* Grows the last record instead of making one where that changes nothing. */
static bool merge_into_tail(struct wk_tcp_half *half, enum rec_kind kind, uint32_t in_len_b,
			    const uint8_t *bytes, uint32_t out_len_b, bool owned)
{
	struct wk_tcp_rec *tail = half->tail;

	if (!tail || tail->kind != kind || tail->owned != owned || tail->rexmit)
		return false;
	if (rec_in_end(tail) != half->e_in || rec_out_end(tail) != half->e_out)
		return false;
	if (kind == REC_DEL) {
		tail->in_len_b += in_len_b;
		return true;
	}
	if (kind != REC_PIN || tail->cap_b - tail->out_len_b < out_len_b)
		return false;
	memcpy(tail->bytes + tail->out_len_b, bytes, out_len_b);
	tail->in_len_b += in_len_b;
	tail->out_len_b += out_len_b;
	half->ledger_b += out_len_b;
	return true;
}

static struct wk_tcp_rec *rec_new(struct ctx *c, enum rec_kind kind, uint32_t out_len_b)
{
	size_t want = sizeof(struct wk_tcp_rec) + out_len_b;
	struct wk_tcp_rec *rec;

	if (kind == REC_PIN && want < PIN_CHUNK_B)
		want = PIN_CHUNK_B;
	rec = wk_mem_alloc(c->env->mem, want);
	if (!rec)
		return NULL;
	memset(rec, 0, sizeof(*rec));
	rec->kind = (uint8_t)kind;
	rec->cap_b = (uint32_t)(want - sizeof(*rec));
	return rec;
}

static void append(struct wk_tcp_half *half, struct wk_tcp_rec *rec)
{
	if (half->tail)
		half->tail->next = rec;
	else
		half->head = rec;
	half->tail = rec;
	if (half->to_skip > 0) {
		half->to_skip--;
		return;
	}
	half->to_skip = SKIP - 1;
	if (half->skip_tail)
		half->skip_tail->skip = rec;
	else
		half->skip_head = rec;
	half->skip_tail = rec;
}

/* Records [e_in, e_in + in_len_b) and moves E past it. */
bool ledger_add(struct ctx *c, struct wk_tcp_half *half, enum rec_kind kind, uint32_t in_len_b,
		const uint8_t *bytes, uint32_t out_len_b, bool owned)
{
	struct wk_tcp_rec *rec;

	if (merge_into_tail(half, kind, in_len_b, bytes, out_len_b, owned)) {
		half->e_in += in_len_b;
		half->e_out += out_len_b;
		return true;
	}
	rec = rec_new(c, kind, out_len_b);
	if (!rec)
		return false;
	rec->in_off = half->e_in;
	rec->out_off = half->e_out;
	rec->in_len_b = in_len_b;
	rec->out_len_b = out_len_b;
	rec->owned = owned;
	if (out_len_b > 0)
		memcpy(rec->bytes, bytes, out_len_b);
	append(half, rec);
	half->n_recs++;
	half->n_owned += rec_is_ours(rec);
	half->ledger_b += out_len_b;
	if (rec_is_edit(rec)) {
		half->n_edits++;
		half->edited = true;
		half->altered |= kind != REC_PIN;
	}
	half->e_in += in_len_b;
	half->e_out += out_len_b;
	return true;
}

static void pop_head(struct wk_tcp_half *half, struct wk_mem *mem)
{
	struct wk_tcp_rec *rec = half->head;

	half->base_in = rec_in_end(rec);
	half->base_out = rec_out_end(rec);
	if (!rec_same_len(rec) || rec->owned)
		half->even_out = half->base_out;
	half->head = rec->next;
	if (!half->head)
		half->tail = NULL;
	if (half->skip_head == rec)
		half->skip_head = rec->skip;
	if (!half->skip_head)
		half->skip_tail = NULL;
	half->n_recs--;
	half->n_owned -= rec_is_ours(rec);
	half->ledger_b -= rec->out_len_b;
	if (rec_is_edit(rec))
		half->n_edits--;
	wk_mem_free(mem, rec);
}

/* Forgets what the receiver has acknowledged; deletions with nothing unacknowledged before them go
 * with it. */
void ledger_retire(struct ctx *c, struct wk_tcp_half *half)
{
	while (half->head && rec_out_end(half->head) <= half->b_out)
		pop_head(half, c->env->mem);
}

bool ledger_has_enough(const struct ctx *c, const struct wk_tcp_half *half)
{
	const struct wk_tcp_limits *limits = c->env->limits;

	return half->ledger_b > limits->ledger_b || half->n_recs > limits->ledger_records ||
	       (half->n_recs > LEDGER_SMALL && !room_to_pile_up(c->env->mem));
}

void ledger_free(struct wk_tcp_half *half, struct wk_mem *mem)
{
	while (half->head)
		pop_head(half, mem);
}

/* `base` less `back`: what lies so far back that the edits in between were larger than the stream
 * itself is acknowledged long since, and any small number serves. */
static uint64_t before(uint64_t base, uint64_t back)
{
	return base > back ? base - back : 0;
}

uint64_t ledger_out(const struct wk_tcp_half *half, uint64_t in)
{
	uint64_t ai = half->base_in, ao = half->base_out;

	if (in < ai)
		return before(ao, ai - in);
	for (const struct wk_tcp_rec *rec = near_in(half, in); rec; rec = rec->next) {
		if (in < rec->in_off)
			break;
		if (in < rec_in_end(rec))
			return rec_same_len(rec) ? rec->out_off + (in - rec->in_off) : rec->out_off;
		ai = rec_in_end(rec);
		ao = rec_out_end(rec);
	}
	return ao + (in - ai);
}

uint64_t ledger_out_end(const struct wk_tcp_half *half, uint64_t in)
{
	uint64_t ai = half->base_in, ao = half->base_out;

	if (in < ai)
		return before(ao, ai - in);
	for (const struct wk_tcp_rec *rec = near_in(half, in - 1); rec; rec = rec->next) {
		if (in <= rec->in_off)
			break;
		if (in <= rec_in_end(rec))
			return rec_same_len(rec) ? rec->out_off + (in - rec->in_off)
						 : rec_out_end(rec);
		ai = rec_in_end(rec);
		ao = rec_out_end(rec);
	}
	return ao + (in - ai);
}

uint64_t ledger_in(const struct wk_tcp_half *half, uint64_t out, bool up)
{
	uint64_t ai = half->base_in, ao = half->base_out;

	if (out < ao)
		return before(ai, ao - out);
	for (const struct wk_tcp_rec *rec = ledger_near(half, out); rec; rec = rec->next) {
		if (out < rec->out_off)
			break;
		if (out < rec_out_end(rec)) {
			if (rec_same_len(rec))
				return rec->in_off + (out - rec->out_off);
			return up && out > rec->out_off ? rec_in_end(rec) : rec->in_off;
		}
		ai = rec_in_end(rec);
		ao = rec_out_end(rec);
	}
	return ai + (out - ao);
}

uint64_t ledger_ack(const struct wk_tcp_half *half)
{
	uint64_t fin = half->fin_out;
	uint64_t in;

	if (fin && half->b_out > fin)
		return half->fin_in + 1;
	in = ledger_in(half, half->b_out, false);
	/* What has been acknowledged once stays so. */
	if (in < half->acked_in)
		in = half->acked_in;
	for (const struct wk_tcp_rec *rec = near_in(half, in); rec; rec = rec->next) {
		if (rec->in_off > in)
			return in;
		if (rec_in_end(rec) <= in)
			continue;
		if (rec->kind != REC_DEL && !rec->owned)
			return in;
		in = rec_in_end(rec);
	}
	if (in >= half->e_in && half->owned_in > in)
		in = half->owned_in;
	return in;
}

bool ledger_differs(const struct wk_tcp_half *half, uint64_t in, const uint8_t *data,
		    uint32_t len_b)
{
	uint64_t from, to;

	for (const struct wk_tcp_rec *rec = near_in(half, in); rec; rec = rec->next) {
		if (rec->in_off >= in + len_b)
			break;
		if (rec->kind != REC_PIN || rec_in_end(rec) <= in)
			continue;
		from = rec->in_off > in ? rec->in_off : in;
		to = rec_in_end(rec) < in + len_b ? rec_in_end(rec) : in + len_b;
		if (memcmp(rec->bytes + (from - rec->in_off), data + (from - in), to - from) != 0)
			return true;
	}
	return false;
}
