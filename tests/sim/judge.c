/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

#define SCRATCH_B ((WK_OP_LIST_MAX + 1) * PROTO_REPL_MAX_B)

void judge_init(struct judge *judge, uint64_t salt, uint32_t insert_max_b)
{
	*judge = (struct judge){
		.salt = salt,
		.insert_max_b = insert_max_b,
		.ask_max_b = insert_max_b,
	};
	judge->scratch = malloc(SCRATCH_B);
	if (!judge->scratch)
		abort();
}

void judge_fini(struct judge *judge)
{
	for (int i = 0; i < 2; i++) {
		free(judge->dir[i].in);
		free(judge->dir[i].map);
		free(judge->dir[i].held);
		ranges_fini(&judge->dir[i].kept);
		ranges_fini(&judge->dir[i].watched);
	}
	free(judge->scratch);
}

/* One operation for a whole frame. @return false when the list is full. */
static bool whole(struct judge *judge, const uint8_t *p, const struct proto_hdr *hdr, bool gone,
		  struct wk_op_list *ops)
{
	uint32_t len_b = PROTO_HDR_B + hdr->len_b;
	uint8_t *out = judge->scratch + judge->scratch_b;
	uint32_t out_b;

	if (judge->passive)
		return wk_op_push(ops, WK_OP_PIN, len_b, true);
	switch (hdr->kind) {
	case PROTO_ASK:
		if (!wk_op_push(ops, WK_OP_PIN, len_b, true))
			return false;
		judge->asks++;
		return true;
	case PROTO_CTRL:
		return wk_op_push(ops, WK_OP_PIN, len_b, true);
	case PROTO_DENY:
		if (!wk_op_push(ops, WK_OP_DEL, len_b, true))
			return false;
		judge->wanted++;
		return true;
	case PROTO_REPL:
		out_b = proto_replace(p, len_b, out);
		if (!wk_op_push_bytes(ops, WK_OP_REPL, len_b, out, out_b, true))
			return false;
		judge->scratch_b += out_b;
		return true;
	default:
		if (gone || !proto_patch(p, len_b, out))
			return wk_op_push(ops, WK_OP_PASS, len_b, true);
		judge->scratch_b += len_b;
		return wk_op_push_bytes(ops, WK_OP_PATCH, len_b, out, len_b, true);
	}
}

/* The payload of a frame that streams through. */
static uint32_t stream_on(struct judge_dir *d, uint32_t avail_b, struct wk_op_list *ops)
{
	uint32_t n = d->rem_b < avail_b ? d->rem_b : avail_b;
	bool end = n == d->rem_b;
	enum wk_op_kind kind = WK_OP_DEL;

	if (d->rem_watched || d->rem_kind == PROTO_DATA || d->rem_kind == PROTO_HEAD ||
	    d->rem_kind == PROTO_ASK)
		kind = WK_OP_PASS;
	if (!wk_op_push(ops, kind, n, end && d->rem_kind != PROTO_HEAD))
		return 0;
	d->rem_b -= n;
	return n;
}

/* The header of a frame that streams through (client: whole; server: its last piece). */
static bool begin(struct judge *judge, struct judge_dir *d, const struct proto_hdr *hdr,
		  enum wk_op_kind kind, uint32_t piece_b, struct wk_op_list *ops)
{
	bool end = hdr->len_b == 0 && hdr->kind != PROTO_HEAD;

	if (judge->passive && kind == WK_OP_DEL)
		kind = WK_OP_PIN;
	if (!wk_op_push(ops, kind, piece_b, end))
		return false;
	if (hdr->kind == PROTO_DENY_STREAM && !judge->passive)
		judge->wanted++;
	if (hdr->kind == PROTO_ASK && !judge->passive)
		judge->asks++;
	d->rem_b = hdr->len_b;
	d->rem_kind = hdr->kind;
	d->rem_watched = judge->passive;
	return true;
}

/* @return bytes covered, 0 for "hold", negative for an error. */
static int64_t client_frame(struct judge *judge, struct judge_dir *d, const uint8_t *p,
			    uint32_t avail_b, struct wk_op_list *ops)
{
	struct proto_hdr hdr;

	if (!d->started) {
		if (memcmp(p, PROTO_PREFACE, avail_b < PROTO_PREFACE_B ? avail_b : PROTO_PREFACE_B))
			return -EPROTO;
		if (avail_b < PROTO_PREFACE_B || !wk_op_push(ops, WK_OP_PIN, PROTO_PREFACE_B, true))
			return 0;
		d->started = true;
		return PROTO_PREFACE_B;
	}
	if (avail_b < PROTO_HDR_B)
		return 0;
	proto_read(p, &hdr);
	switch (hdr.kind) {
	case PROTO_DATA:
		return begin(judge, d, &hdr, WK_OP_PIN, PROTO_HDR_B, ops) ? PROTO_HDR_B : 0;
	case PROTO_DENY_STREAM:
	case PROTO_EAT:
		return begin(judge, d, &hdr, WK_OP_DEL, PROTO_HDR_B, ops) ? PROTO_HDR_B : 0;
	case PROTO_ASK:
	case PROTO_CTRL:
	case PROTO_DENY:
	case PROTO_REPL:
		if (avail_b < PROTO_HDR_B + hdr.len_b || !whole(judge, p, &hdr, false, ops))
			return 0;
		return PROTO_HDR_B + hdr.len_b;
	default:
		return -EPROTO;
	}
}

/* A server's header passes piece by piece; SETTINGS are held as soon as their kind is known. */
static int64_t server_frame(struct judge *judge, struct judge_dir *d, const uint8_t *p,
			    uint32_t avail_b, bool gone, struct wk_op_list *ops)
{
	struct proto_hdr hdr;
	uint32_t n;

	if (avail_b >= PROTO_HDR_B && d->hdr_b == 0) {
		proto_read(p, &hdr);
		if (!d->started && hdr.kind != PROTO_SETTINGS)
			return -EPROTO;
		if (hdr.kind == PROTO_SETTINGS) {
			if (avail_b < PROTO_HDR_B + hdr.len_b || !whole(judge, p, &hdr, gone, ops))
				return 0;
			d->started = true;
			d->rem_kind = hdr.kind;
			if (judge->settings_end == 0)
				judge->settings_end = PROTO_HDR_B + hdr.len_b;
			return PROTO_HDR_B + hdr.len_b;
		}
	}
	/* Whether it is SETTINGS is not known before the fourth byte. */
	if (!d->started || (d->hdr_b == 0 && (avail_b < 4 || p[3] == PROTO_SETTINGS)))
		return 0;
	n = PROTO_HDR_B - d->hdr_b < avail_b ? PROTO_HDR_B - d->hdr_b : avail_b;
	memcpy(d->hdr + d->hdr_b, p, n);
	if (d->hdr_b + n < PROTO_HDR_B) {
		if (!wk_op_push(ops, WK_OP_PASS, n, false))
			return 0;
		d->hdr_b += n;
		return n;
	}
	proto_read(d->hdr, &hdr);
	if (hdr.kind != PROTO_DATA && hdr.kind != PROTO_HEAD && hdr.kind != PROTO_ASK)
		return -EPROTO;
	if (!begin(judge, d, &hdr, WK_OP_PASS, n, ops))
		return 0;
	d->hdr_b = 0;
	return n;
}

static void put_map(struct judge_dir *d, const struct wk_op *op)
{
	struct judge_map *last = d->n_map > 0 ? &d->map[d->n_map - 1] : NULL;
	uint32_t out_b = op->in_len_b;
	uint64_t pass_end = last ? last->pass_end : 0;

	if (op->kind == WK_OP_DEL)
		out_b = 0;
	else if (op->kind == WK_OP_REPL)
		out_b = op->out_len_b;
	if (op->kind == WK_OP_PASS)
		pass_end = d->in_b + op->in_len_b;
	else
		ranges_add(&d->kept, d->in_b, d->in_b + op->in_len_b);
	if (last && last->kind == op->kind && op->kind <= WK_OP_DEL) {
		last->in_b += op->in_len_b;
		last->out_b += out_b;
		last->pass_end = pass_end;
	} else {
		d->map = list_room(d->map, d->n_map, &d->cap_map, sizeof(*d->map));
		d->map[d->n_map++] = (struct judge_map){ .in = d->in_b,
							 .out = d->out_b,
							 .pass_end = pass_end,
							 .in_b = op->in_len_b,
							 .out_b = out_b,
							 .kind = op->kind };
	}
	d->in_b += op->in_len_b;
	d->out_b += out_b;
	if ((int64_t)(d->in_b - d->out_b) > d->shift_max)
		d->shift_max = (int64_t)(d->in_b - d->out_b);
	if ((int64_t)(d->in_b - d->out_b) < d->shift_min)
		d->shift_min = (int64_t)(d->in_b - d->out_b);
}

/* Cuts the entry in two, the second of which begins at `in`. */
static void split(struct judge *judge, struct judge_map *map, uint64_t in)
{
	uint32_t head_b = (uint32_t)(in - map[0].in);

	if (map[0].kind > WK_OP_DEL)
		judge->fault = "an insertion in the middle of a frame that was changed";
	map[1] = map[0];
	map[0].in_b = head_b;
	map[1].in_b -= head_b;
	map[1].in = in;
	if (map[0].kind == WK_OP_DEL)
		return;
	map[0].out_b = head_b;
	map[1].out_b -= head_b;
	map[1].out += head_b;
	if (map[0].kind == WK_OP_PASS)
		map[0].pass_end = in;
}

/* Bytes of ours, as a replacement of nothing in front of the byte `in`. More may have been judged
 * by now. */
static void put_own(struct judge *judge, struct judge_dir *d, uint64_t in, uint64_t out,
		    uint32_t len_b)
{
	struct judge_map own = { .in = in, .out = d->out_b, .out_b = len_b, .kind = WK_OP_REPL };
	uint32_t i = 0;

	/* for two more */
	d->map = list_room(d->map, d->n_map + 1, &d->cap_map, sizeof(*d->map));
	while (i < d->n_map && d->map[i].in + d->map[i].in_b <= in)
		i++;
	if (i < d->n_map && d->map[i].in < in) {
		memmove(&d->map[i + 1], &d->map[i], (d->n_map - i) * sizeof(own));
		d->n_map++;
		split(judge, &d->map[i++], in);
	}
	if (i < d->n_map)
		own.out = d->map[i].out;
	if (i > 0)
		own.pass_end = d->map[i - 1].pass_end;
	if (own.out != out || in > d->in_b)
		judge->fault = "an insertion is not where the judged bytes before it end";
	memmove(&d->map[i + 1], &d->map[i], (d->n_map - i) * sizeof(own));
	d->n_map++;
	d->map[i] = own;
	while (++i < d->n_map)
		d->map[i].out += len_b;
	d->out_b += len_b;
	if ((int64_t)(in - own.out - len_b) < d->shift_min)
		d->shift_min = (int64_t)(in - own.out - len_b);
	if ((int64_t)(d->in_b - d->out_b) < d->shift_min)
		d->shift_min = (int64_t)(d->in_b - d->out_b);
}

static void record(struct judge_dir *d, const uint8_t *data, uint32_t len_b,
		   const struct wk_op_list *ops, uint32_t covered_b)
{
	uint32_t left_b = len_b - covered_b;

	d->in = list_bytes(d->in, d->in_b + covered_b, &d->in_cap);
	if (covered_b > 0)
		memcpy(d->in + d->in_b, data, covered_b);
	for (uint32_t i = 0; i < ops->n; i++)
		put_map(d, &ops->ops[i]);
	d->held = list_bytes(d->held, left_b, &d->held_cap);
	d->held_b = left_b;
	ranges_add(&d->kept, d->in_b, d->in_b + left_b);
	if (left_b > 0)
		memcpy(d->held, data + covered_b, left_b);
}

/* Held bytes must come again as they were. */
static void check_held(struct judge *judge, const struct judge_dir *d, const uint8_t *data,
		       uint32_t len_b)
{
	if (d->finished)
		judge->fault = "the judge is called after the stream's end";
	if (len_b < d->held_b)
		judge->fault = "the judge is shown less than it held";
	else if (d->held_b > 0 && memcmp(d->held, data, d->held_b) != 0)
		judge->fault = "held bytes came back changed";
}

static uint32_t to_boundary(const struct judge_dir *d, enum wk_dir dir)
{
	if (d->rem_b > 0)
		return d->rem_kind == PROTO_HEAD ? WK_OP_BOUNDARY_UNKNOWN : d->rem_b;
	if (dir == WK_S2C && (d->hdr_b > 0 || d->rem_kind == PROTO_HEAD))
		return WK_OP_BOUNDARY_UNKNOWN;
	return 0;
}

int judge_bytes(struct judge *judge, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
		struct wk_op_list *ops)
{
	struct judge_dir *d = &judge->dir[dir];
	uint32_t at = 0;
	int64_t n = 1;

	check_held(judge, d, data, len_b);
	judge->scratch_b = 0;
	ops->n = 0;
	ops->pass_b = 0;
	while (at < len_b && n > 0) {
		bool starts = d->rem_b == 0, gone = at < ops->gone_b;

		if (d->rem_b > 0)
			n = stream_on(d, len_b - at, ops);
		else if (dir == WK_C2S)
			n = client_frame(judge, d, data + at, len_b - at, ops);
		else
			n = server_frame(judge, d, data + at, len_b - at, gone, ops);
		if (n > 0 && starts && (judge->passive || (gone && dir == WK_S2C)))
			ranges_add(&d->watched, d->in_b + at, d->in_b + at + (uint32_t)n);
		if (n > 0)
			at += (uint32_t)n;
	}
	if (n < 0) {
		judge->gave_up = true;
		return (int)n;
	}
	ops->to_boundary_b = to_boundary(d, dir);
	if (dir == WK_C2S && d->rem_kind == PROTO_DATA)
		ops->pass_b = d->rem_b;
	record(d, data, len_b, ops, at);
	return 0;
}

void judge_finished(struct judge *judge, enum wk_dir dir)
{
	if (judge->dir[dir].finished)
		judge->fault = "a stream finished twice";
	/* What was held of an unfinished frame is lost: deleted, for the client. */
	judge->dir[dir].lost_b = judge->dir[dir].held_b;
	judge->dir[dir].shift_max += judge->dir[dir].held_b;
	judge->dir[dir].finished = true;
}

uint32_t judge_pending(struct judge *judge)
{
	if (judge->passive || !judge->dir[WK_S2C].started || judge->pulled == judge->wanted)
		return 0;
	return proto_insertion_b(judge->salt, judge->pulled, judge->insert_max_b);
}

uint32_t judge_pull(struct judge *judge, uint8_t *buf, uint32_t room_b)
{
	uint32_t len_b = 0, next;

	while ((next = judge_pending(judge)) > 0 && len_b + next <= room_b) {
		proto_insertion(judge->salt, judge->pulled, judge->insert_max_b, buf + len_b);
		len_b += next;
		judge->pulled++;
	}
	return len_b;
}

uint64_t judge_ask_salt(const struct judge *judge)
{
	return ~judge->salt;
}

uint32_t judge_ask_pending(struct judge *judge)
{
	if (judge->passive || !judge->dir[WK_C2S].started || judge->asked == judge->asks)
		return 0;
	return proto_insertion_b(judge_ask_salt(judge), judge->asked, judge->ask_max_b);
}

uint32_t judge_ask_pull(struct judge *judge, uint64_t in, uint64_t out, uint8_t *buf,
			uint32_t room_b)
{
	uint32_t len_b = 0, next;

	while ((next = judge_ask_pending(judge)) > 0 && len_b + next <= room_b) {
		proto_insertion(judge_ask_salt(judge), judge->asked, judge->ask_max_b, buf + len_b);
		len_b += next;
		judge->asked++;
	}
	if (len_b > 0)
		put_own(judge, &judge->dir[WK_C2S], in, out, len_b);
	return len_b;
}
