/* SPDX-License-Identifier: Apache-2.0 */
#include "h2_kit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_B    (2u * 1024 * 1024)
#define PREFACE    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_B  24u
#define STATIC_MAX 61u

void h2_bytes_add(struct h2_bytes *b, const void *p, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2;
		b->p = realloc(b->p, b->cap);
		assert(b->p);
	}
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

void h2_bytes_free(struct h2_bytes *b)
{
	free(b->p);
	*b = (struct h2_bytes){ 0 };
}

bool h2_bytes_equal(const struct h2_bytes *a, const struct h2_bytes *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void add_byte(struct h2_bytes *to, uint32_t byte)
{
	uint8_t b = (uint8_t)byte;

	h2_bytes_add(to, &b, 1);
}

void h2_enc_int(struct h2_bytes *to, uint8_t pattern, unsigned int bits, uint32_t value)
{
	uint32_t max = (1u << bits) - 1;

	if (value < max) {
		add_byte(to, pattern | value);
		return;
	}
	add_byte(to, pattern | max);
	for (value -= max; value > 0x7f; value >>= 7)
		add_byte(to, 0x80 | (value & 0x7f));
	add_byte(to, value);
}

static void put_literal(struct h2_bytes *to, uint8_t pattern, const char *name, const char *value)
{
	add_byte(to, pattern);
	h2_enc_int(to, 0, 7, (uint32_t)strlen(name));
	h2_bytes_add(to, name, strlen(name));
	h2_enc_int(to, 0, 7, (uint32_t)strlen(value));
	h2_bytes_add(to, value, strlen(value));
}

void h2_enc_field(struct h2_enc *enc, struct h2_bytes *to, const char *name, const char *value,
		  enum h2_indexing how)
{
	if (how != H2_INDEXED) {
		put_literal(to, how == H2_NEVER ? 0x10 : 0x00, name, value);
		return;
	}
	for (uint32_t i = 0; i < enc->n; i++) {
		if (strcmp(enc->entry[i].name, name) || strcmp(enc->entry[i].value, value))
			continue;
		h2_enc_int(to, 0x80, 7, STATIC_MAX + 1 + i);
		return;
	}
	put_literal(to, 0x40, name, value);
	assert(enc->n < H2_ENC_ENTRIES && strlen(name) < sizeof(enc->entry[0].name) &&
	       strlen(value) < sizeof(enc->entry[0].value));
	memmove(&enc->entry[1], &enc->entry[0], enc->n * sizeof(enc->entry[0]));
	strcpy(enc->entry[0].name, name);
	strcpy(enc->entry[0].value, value);
	enc->n++;
}

void h2_put(struct h2_bytes *to, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
	    size_t n)
{
	const uint8_t head[9] = {
		(uint8_t)(n >> 16),  (uint8_t)(n >> 8),   (uint8_t)n,         type,       flags,
		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id
	};

	h2_bytes_add(to, head, sizeof(head));
	h2_bytes_add(to, payload, n);
}

void h2_put_preface(struct h2_bytes *to)
{
	h2_bytes_add(to, PREFACE, PREFACE_B);
}

static void add_be(struct h2_bytes *to, uint32_t value, unsigned int bytes)
{
	while (bytes-- > 0)
		add_byte(to, value >> (8 * bytes) & 0xff);
}

void h2_put_settings(struct h2_bytes *to, const uint32_t (*pairs)[2], size_t n)
{
	struct h2_bytes payload = { 0 };

	for (size_t i = 0; i < n; i++) {
		add_be(&payload, pairs[i][0], 2);
		add_be(&payload, pairs[i][1], 4);
	}
	h2_put(to, 4, 0, 0, payload.p, payload.n);
	h2_bytes_free(&payload);
}

void h2_put_block(struct h2_enc *enc, struct h2_bytes *to, const char *path)
{
	add_byte(to, 0x83); /* :method POST */
	add_byte(to, 0x86); /* :scheme http */
	h2_enc_field(enc, to, ":path", path, H2_INDEXED);
	h2_enc_field(enc, to, ":authority", "attack.example:50051", H2_INDEXED);
	h2_enc_field(enc, to, "content-type", "application/grpc", H2_INDEXED);
	h2_enc_field(enc, to, "te", "trailers", H2_INDEXED);
}

static bool str_is(const struct wk_h2_str *str, const char *want)
{
	return str->s && str->len_b == strlen(want) && memcmp(str->s, want, str->len_b) == 0;
}

static void decide(void *user, const struct wk_h2_request *request, struct wk_h2_decision *decision)
{
	struct h2_kit *kit = user;
	bool ok = str_is(&request->path, H2_ALLOWED) ||
		  (!kit->narrow && str_is(&request->path, H2_ALLOWED2));
	uint32_t n = request->path.len_b;

	assert(decision->verdict == WK_H2_DENY && decision->grpc_status == 7 &&
	       decision->reply == WK_H2_REPLY_HTTP_403 && decision->message[0] == '\0');
	if (ok && str_is(&request->method, "POST"))
		decision->verdict = WK_H2_ALLOW;
	else if (kit->frozen_policy)
		decision->verdict = WK_H2_RESET;
	decision->reply = kit->reply;
	strncpy(decision->message, kit->message, WK_H2_MESSAGE_MAX_B);
	decision->again = decision->verdict == WK_H2_ALLOW;
	decision->note = kit->n_decided;
	if (kit->n_decided == H2_KIT_CALLS)
		return;
	kit->decided[kit->n_decided].id = request->stream_id;
	kit->decided[kit->n_decided].verdict = decision->verdict;
	if (n > sizeof(kit->decided[0].path) - 1)
		n = sizeof(kit->decided[0].path) - 1;
	memcpy(kit->decided[kit->n_decided].path, request->path.s, n);
	kit->decided[kit->n_decided++].path[n] = '\0';
}

/* As the first time. */
static void repeated(void *user, uint32_t stream_id, uint32_t note)
{
	struct h2_kit *kit = user;

	if (kit->n_decided == H2_KIT_CALLS)
		return;
	assert(note < kit->n_decided && kit->decided[note].verdict == WK_H2_ALLOW);
	kit->decided[kit->n_decided] = kit->decided[note];
	kit->decided[kit->n_decided++].id = stream_id;
}

static void refused(void *user, const struct wk_h2_refusal *refusal)
{
	struct h2_kit *kit = user;

	if (kit->n_refused == H2_KIT_CALLS)
		return;
	kit->refused[kit->n_refused].id = refusal->stream_id;
	kit->refused[kit->n_refused++].reason = refusal->reason;
}

static void review(void *user, const struct wk_h2_request *request, struct wk_h2_decision *decision)
{
	struct h2_kit *kit = user;

	assert(decision->verdict == WK_H2_DENY && decision->grpc_status == 7);
	if (request->path.s && !str_is(&request->path, kit->revoked))
		decision->verdict = WK_H2_ALLOW;
	strncpy(decision->message, kit->message, WK_H2_MESSAGE_MAX_B);
}

void h2_kit_init(struct h2_kit *kit, enum h2_cuts cuts, uint32_t seed)
{
	size_t footprint = wk_mem_footprint(ARENA_B);

	memset(kit, 0, sizeof(*kit));
	kit->base = aligned_alloc(64, (footprint + 63) / 64 * 64);
	assert(kit->base);
	kit->mem = wk_mem_create(kit->base, footprint);
	assert(kit->mem);
	kit->limits = wk_h2_limits_default;
	kit->hooks = (struct wk_h2_hooks){ decide, repeated, refused, review };
	kit->cuts = cuts;
	kit->seed = seed;
	kit->folding = cuts == H2_RANDOM && seed % 2;
	kit->message = "call denied by policy";
	kit->env = (struct wk_h2_env){
		.now_ns = 1000000000ull,
		.mem = kit->mem,
		.stats = &kit->stats,
		.limits = &kit->limits,
		.hooks = &kit->hooks,
		.user = kit,
	};
	h2_kit_restart(kit);
}

static void stop(struct h2_kit *kit)
{
	wk_h2_free(kit->conn, kit->mem);
	wk_h2_lcore_free(kit->env.lcore, kit->mem);
	for (int dir = 0; dir < WK_DIRS; dir++) {
		h2_bytes_free(&kit->held[dir]);
		h2_bytes_free(&kit->out[dir]);
	}
}

void h2_kit_restart(struct h2_kit *kit)
{
	stop(kit);
	kit->ended = false;
	kit->at_boundary = true;
	kit->at_server_boundary = true;
	kit->room_b = UINT32_MAX;
	kit->enc.n = 0;
	kit->env.lcore = wk_h2_lcore_create(kit->mem, &kit->limits);
	assert(kit->env.lcore);
	kit->conn = wk_h2_create(&kit->env);
	assert(kit->conn);
}

void h2_kit_fini(struct h2_kit *kit)
{
	struct wk_mem_usage usage;

	stop(kit);
	wk_mem_usage(kit->mem, &usage);
	assert(usage.used_b == 0); /* nothing leaks */
	free(kit->base);
}

void h2_kit_insert(struct h2_kit *kit)
{
	uint8_t buf[4096];
	uint32_t want, room, got;

	while (!kit->ended && kit->at_boundary &&
	       (want = wk_h2_pending(kit->conn, &kit->env)) > 0) {
		if (want > kit->room_b)
			return;
		room = kit->room_b < sizeof(buf) ? kit->room_b : (uint32_t)sizeof(buf);
		got = wk_h2_pull(kit->conn, &kit->env, buf, room);
		assert(got >= want && got <= room);
		h2_bytes_add(&kit->out[WK_S2C], buf, got);
		kit->room_b -= kit->room_b == UINT32_MAX ? 0 : got;
	}
}

static void insert_server(struct h2_kit *kit)
{
	uint8_t buf[4096];
	uint32_t got;

	while (!kit->ended && kit->at_server_boundary &&
	       wk_h2_server_pending(kit->conn, &kit->env) > 0) {
		got = wk_h2_server_pull(kit->conn, &kit->env, buf, sizeof(buf));
		assert(got > 0 && got <= sizeof(buf));
		h2_bytes_add(&kit->out[WK_C2S], buf, got);
	}
}

uint32_t h2_kit_review(struct h2_kit *kit, const char *path)
{
	uint32_t n;

	kit->revoked = path;
	n = wk_h2_review(kit->conn, &kit->env);
	kit->n_ended += n;
	insert_server(kit);
	h2_kit_insert(kit);
	return n;
}

static void apply(struct h2_kit *kit, enum wk_dir dir, const struct wk_op *op, const uint8_t *data)
{
	switch (op->kind) {
	case WK_OP_PASS:
	case WK_OP_PIN:
		h2_bytes_add(&kit->out[dir], data, op->in_len_b);
		break;
	case WK_OP_DEL:
		assert(dir == WK_C2S || kit->n_ended > 0);
		break;
	case WK_OP_PATCH:
		assert(op->out_len_b == op->in_len_b && dir == WK_S2C);
		h2_bytes_add(&kit->out[dir], op->out_bytes, op->out_len_b);
		break;
	case WK_OP_REPL:
		assert(dir == WK_C2S);
		h2_bytes_add(&kit->out[dir], op->out_bytes, op->out_len_b);
		break;
	}
	if (dir == WK_C2S) {
		kit->at_server_boundary = op->boundary;
	} else {
		kit->at_boundary = op->boundary;
		h2_kit_insert(kit);
	}
	insert_server(kit);
}

/* Shows what is held once. The copy ends where the bytes end, for the address sanitizer.
 * @return bytes covered. */
/* What was said to pass whatever it says has passed. */
static void keep_promise(struct h2_kit *kit, const struct wk_op *op)
{
	uint32_t n = op->in_len_b < kit->promised_b ? op->in_len_b : kit->promised_b;

	assert(n == 0 || op->kind == WK_OP_PASS);
	kit->promised_b -= n;
}

static size_t show(struct h2_kit *kit, enum wk_dir dir)
{
	struct h2_bytes *held = &kit->held[dir];
	uint8_t *copy = malloc(held->n + 1);
	struct wk_op_list ops;
	size_t covered = 0;

	assert(copy);
	memcpy(copy + 1, held->p, held->n); /* and is not aligned */
	kit->env.gone_b = kit->gone ? (uint32_t)held->n : 0;
	if (wk_h2_feed(kit->conn, dir, copy + 1, (uint32_t)held->n, &kit->env, &ops) < 0) {
		assert(wk_h2_error(kit->conn) != WK_H2_E_OK);
		kit->ended = true;
		free(copy);
		return 0;
	}
	for (uint32_t i = 0; i < ops.n; i++) {
		assert(ops.ops[i].in_len_b > 0);
		if (dir == WK_C2S)
			keep_promise(kit, &ops.ops[i]);
		assert(covered + ops.ops[i].in_len_b <= held->n);
		apply(kit, dir, &ops.ops[i], copy + 1 + covered);
		covered += ops.ops[i].in_len_b;
	}
	free(copy);
	memmove(held->p, held->p + covered, held->n - covered);
	held->n -= covered;
	if (dir == WK_C2S && ops.n > 0)
		kit->promised_b = ops.pass_b;
	if (kit->folding)
		wk_h2_fold(kit->conn, kit->mem);
	return covered;
}

static size_t next_cut(struct h2_kit *kit, size_t left)
{
	size_t n = 1;

	if (kit->cuts == H2_WHOLE)
		return left;
	if (kit->cuts == H2_RANDOM) {
		kit->seed = kit->seed * 1664525u + 1013904223u;
		n += (kit->seed >> 16) % 40;
	}
	return n < left ? n : left;
}

void h2_kit_send(struct h2_kit *kit, enum wk_dir dir, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n > 0 && !kit->ended) {
		size_t cut = next_cut(kit, n);

		h2_bytes_add(&kit->held[dir], from, cut);
		from += cut;
		n -= cut;
		while (!kit->ended && kit->held[dir].n > 0 && show(kit, dir) > 0)
			;
	}
	h2_kit_insert(kit);
}

void h2_kit_frame(struct h2_kit *kit, enum wk_dir dir, uint8_t type, uint8_t flags, uint32_t id,
		  const void *payload, size_t n)
{
	struct h2_bytes frame = { 0 };

	h2_put(&frame, type, flags, id, payload, n);
	h2_kit_send(kit, dir, frame.p, frame.n);
	h2_bytes_free(&frame);
}

void h2_kit_start(struct h2_kit *kit)
{
	struct h2_bytes hello = { 0 };

	h2_put_preface(&hello);
	h2_put(&hello, 4, 0, 0, NULL, 0);
	h2_kit_send(kit, WK_C2S, hello.p, hello.n);
	h2_bytes_free(&hello);
	h2_kit_frame(kit, WK_S2C, 4, 0, 0, NULL, 0);
	h2_kit_frame(kit, WK_S2C, 4, 1, 0, NULL, 0);
	h2_kit_frame(kit, WK_C2S, 4, 1, 0, NULL, 0);
}

void h2_kit_call(struct h2_kit *kit, uint32_t id, const char *path, bool end_stream)
{
	struct h2_bytes block = { 0 };

	h2_put_block(&kit->enc, &block, path);
	h2_kit_frame(kit, WK_C2S, 1, end_stream ? 5 : 4, id, block.p, block.n);
	h2_bytes_free(&block);
}

void h2_kit_answer(struct h2_kit *kit, uint32_t id)
{
	h2_kit_frame(kit, WK_S2C, 1, 5, id, "\x88", 1);
}

bool h2_kit_nth(const struct h2_kit *kit, enum wk_dir dir, uint32_t nth, struct h2_seen *seen)
{
	const struct h2_bytes *out = &kit->out[dir];
	size_t at = 0;

	if (dir == WK_C2S && out->n >= PREFACE_B && memcmp(out->p, PREFACE, PREFACE_B) == 0)
		at = PREFACE_B;
	while (out->n - at >= 9) {
		const uint8_t *p = out->p + at;

		seen->len_b = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		seen->type = p[3];
		seen->flags = p[4];
		seen->id = (uint32_t)(p[5] & 0x7f) << 24 | (uint32_t)p[6] << 16 |
			   (uint32_t)p[7] << 8 | p[8];
		seen->payload = p + 9;
		if (out->n - at - 9 < seen->len_b)
			return false;
		if (nth-- == 0)
			return true;
		at += 9 + seen->len_b;
	}
	return false;
}

uint32_t h2_kit_count(const struct h2_kit *kit, enum wk_dir dir, int type, int64_t id)
{
	struct h2_seen seen;
	uint32_t n = 0;

	for (uint32_t i = 0; h2_kit_nth(kit, dir, i, &seen); i++)
		if ((type < 0 || seen.type == type) && (id < 0 || seen.id == (uint32_t)id))
			n++;
	return n;
}
