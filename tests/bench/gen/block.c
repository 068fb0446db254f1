/* SPDX-License-Identifier: Apache-2.0 */
#include "block.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_B     4096u
#define FIELDS_MAX  12u
#define VALUE_MAX_B 64u
#define PATHS       (KIND_MAX + 1u) /* and the denied one */
#define ANSWERS     3u              /* first, before any trailers, after them */
#define SIZE_0      0x20u

struct stored {
	uint32_t len_b;
	uint8_t bytes[BLOCK_MAX_B];
};

static struct stored requests[2][PATHS]; /* first of a connection, later ones */
static struct stored heads[ANSWERS], tails[2];
/* Where requests differ: one for each slot of each connection. */
static uint8_t *varying;
/* Of 403s: they leave no trace in a table, so one decoder reads all of them. */
static nghttp2_hd_inflater *denials;

bool block_varies(void)
{
	return options.traced_pct > 0 || options.deadline_pct > 0;
}

struct fields {
	uint32_t n;
	nghttp2_nv v[FIELDS_MAX];
	char values[2][VALUE_MAX_B];
};

static void add(struct fields *fields, const char *name, const char *value)
{
	fields->v[fields->n++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = strlen(value),
		.flags = NGHTTP2_NV_FLAG_NONE,
	};
}

static const char *path_of(const struct call *call)
{
	return call->denied ? kind_denied_path : kinds[call->kind].path;
}

static void request_fields(struct fields *fields, const struct call *call)
{
	fields->n = 0;
	add(fields, ":scheme", "http");
	add(fields, ":method", "POST");
	add(fields, ":authority", "10.12.0.10:50051");
	add(fields, ":path", path_of(call));
	add(fields, "te", "trailers");
	add(fields, "content-type", "application/grpc");
	add(fields, "user-agent", "wicket-gen/1 (closed loop)");
	add(fields, "grpc-accept-encoding", "identity, deflate, gzip");
	if (call->deadline) {
		snprintf(fields->values[0], VALUE_MAX_B, "%" PRIu32 "u",
			 1000000 + call->number % 1000000);
		add(fields, "grpc-timeout", fields->values[0]);
	}
	if (call->traced) {
		uint64_t id = call->number * UINT64_C(0x9e3779b97f4a7c15);

		snprintf(fields->values[1], VALUE_MAX_B,
			 "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01", id, ~id,
			 id ^ options.seed);
		add(fields, "traceparent", fields->values[1]);
	}
}

static uint32_t deflate(nghttp2_hd_deflater *deflater, const struct fields *fields, uint8_t *to)
{
	ssize_t n = nghttp2_hd_deflate_hd(deflater, to, BLOCK_MAX_B, fields->v, fields->n);

	if (n < 0)
		gen_fail("a header block that cannot be encoded: %s", nghttp2_strerror((int)n));
	return (uint32_t)n;
}

static nghttp2_hd_deflater *new_deflater(void)
{
	nghttp2_hd_deflater *deflater;

	if (nghttp2_hd_deflate_new(&deflater, TABLE_B) != 0)
		gen_fail("no memory for an encoder");
	return deflater;
}

static void store(nghttp2_hd_deflater *deflater, const struct fields *fields, struct stored *to)
{
	to->len_b = deflate(deflater, fields, to->bytes);
}

/* The path is the only difference, and nghttp2 never puts it into the table. */
static void store_requests(void)
{
	for (uint32_t path = 0; path < PATHS; path++) {
		struct call call = { .kind = (uint8_t)(path % KIND_MAX),
				     .denied = path == KIND_MAX };
		nghttp2_hd_deflater *deflater = new_deflater();
		struct fields fields;

		request_fields(&fields, &call);
		for (int later = 0; later < 2; later++)
			store(deflater, &fields, &requests[later][path]);
		nghttp2_hd_deflate_del(deflater);
	}
}

static void store_answers(void)
{
	nghttp2_hd_deflater *deflater = new_deflater();
	struct fields head = { .n = 0 };
	struct fields tail = { .n = 0 };

	add(&head, ":status", "200");
	add(&head, "content-type", "application/grpc");
	add(&tail, "grpc-status", "0");
	store(deflater, &head, &heads[0]);
	store(deflater, &head, &heads[1]);
	store(deflater, &tail, &tails[0]);
	store(deflater, &head, &heads[2]);
	store(deflater, &tail, &tails[1]);
	nghttp2_hd_deflate_del(deflater);
}

void block_create(uint32_t n)
{
	store_requests();
	store_answers();
	if (!block_varies())
		return;
	varying = calloc((size_t)n * conn_slots() + 1, BLOCK_MAX_B);
	if (!varying)
		gen_fail("no memory for the header blocks of %u connections", n);
}

void block_free(void)
{
	free(varying);
	if (denials)
		nghttp2_hd_inflate_del(denials);
}

static uint8_t *varying_of(const struct conn *conn, const struct call *call)
{
	return varying +
	       ((size_t)conn_index(conn) * conn_slots() + conn_slot(conn, call)) * BLOCK_MAX_B;
}

uint8_t block_request(struct conn *conn, struct call *call)
{
	struct end *client = &conn->end[CLIENT];
	uint8_t later = client->table & TABLE_HEAD;
	struct fields fields;

	client->table |= TABLE_HEAD;
	if (!block_varies()) {
		call->block_b =
			(uint16_t)requests[later][call->denied ? KIND_MAX : call->kind].len_b;
		return later;
	}
	if (!conn->deflater)
		conn->deflater = new_deflater();
	request_fields(&fields, call);
	call->block_b = (uint16_t)deflate(conn->deflater, &fields, varying_of(conn, call));
	return later;
}

/* Where the answer's first fields stand in the table depends on whether trailers are in it. */
static uint8_t answer_variant(uint8_t table, uint32_t what)
{
	if (what == ITEM_TAIL)
		return table & TABLE_TAIL ? 1 : 0;
	if (!(table & TABLE_HEAD))
		return 0;
	return table & TABLE_TAIL ? 2 : 1;
}

uint8_t block_answer(uint8_t *table, uint32_t what)
{
	uint8_t variant = answer_variant(*table, what);

	*table |= what == ITEM_TAIL ? TABLE_TAIL : TABLE_HEAD;
	return variant;
}

struct block block_of_request(const struct conn *conn, const struct call *call, uint8_t variant)
{
	const struct stored *stored = &requests[variant][call->denied ? KIND_MAX : call->kind];

	if (block_varies())
		return (struct block){ varying_of(conn, call), call->block_b };
	return (struct block){ stored->bytes, stored->len_b };
}

struct block block_of_answer(uint32_t what, uint8_t variant)
{
	const struct stored *stored = what == ITEM_TAIL ? &tails[variant] : &heads[variant];

	return (struct block){ stored->bytes, stored->len_b };
}

/* Decodes a whole block; each field is shown while it is valid. @return how many. */
static uint32_t inflate(const struct conn *conn, nghttp2_hd_inflater *inflater,
			const uint8_t *bytes, uint32_t len_b, enum side side,
			void (*take)(const struct conn *conn, const nghttp2_nv *field, uint32_t at,
				     void *user),
			void *user)
{
	uint32_t n = 0;

	for (;;) {
		nghttp2_nv field;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, bytes, len_b, 1);

		if (used < 0)
			conn_fail(conn, side, "a header block that cannot be decoded: %s",
				  nghttp2_strerror((int)used));
		bytes += used;
		len_b -= (uint32_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			take(conn, &field, n++, user);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(inflater);
	return n;
}

static bool field_is(const nghttp2_nv *a, const nghttp2_nv *b)
{
	return a->namelen == b->namelen && a->valuelen == b->valuelen &&
	       memcmp(a->name, b->name, a->namelen) == 0 &&
	       memcmp(a->value, b->value, a->valuelen) == 0;
}

static bool same_bytes(const struct conn *conn, const struct call *call, const uint8_t *bytes,
		       uint32_t len_b)
{
	struct block block =
		block_of_request(conn, call, conn->end[SERVER].table_read & TABLE_HEAD);

	return block.len_b == len_b && memcmp(block.bytes, bytes, len_b) == 0;
}

static void compare_field(const struct conn *conn, const nghttp2_nv *got, uint32_t at, void *user)
{
	const struct fields *want = user;

	if (at >= want->n)
		conn_fail(conn, SERVER, "a request of more than %u fields", want->n);
	if (!field_is(got, &want->v[at]))
		conn_fail(conn, SERVER, "a request with %.*s: %.*s, not %s: %s", (int)got->namelen,
			  got->name, (int)got->valuelen, got->value, want->v[at].name,
			  want->v[at].value);
}

static void check_fields(const struct conn *conn, const struct call *call, const uint8_t *bytes,
			 uint32_t len_b)
{
	struct fields want;
	uint32_t n;

	request_fields(&want, call);
	n = inflate(conn, conn->inflater, bytes, len_b, SERVER, compare_field, &want);
	if (n != want.n)
		conn_fail(conn, SERVER, "a request of %u fields, not %u", n, want.n);
}

void block_check_request(struct conn *conn, const struct call *call, const uint8_t *bytes,
			 uint32_t len_b)
{
	bool same = !conn->inflater && same_bytes(conn, call, bytes, len_b);

	conn->end[SERVER].table_read |= TABLE_HEAD;
	if (same)
		return;
	if (!conn->inflater) {
		if (len_b == 0 || bytes[0] != SIZE_0)
			conn_fail(conn, SERVER,
				  "a header block of %u bytes that is not the one "
				  "sent (%u bytes), and does not empty the table",
				  len_b, call->block_b);
		if (nghttp2_hd_inflate_new(&conn->inflater) != 0)
			gen_fail("no memory for a decoder");
		gen.counts.edited++;
	}
	check_fields(conn, call, bytes, len_b);
}

#define DENIAL_STATUS 1u
#define DENIAL_GRPC   2u

static bool is(const nghttp2_nv *got, const char *name, const char *value)
{
	const nghttp2_nv want = {
		.name = (uint8_t *)(uintptr_t)name,
		.namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = strlen(value),
	};

	return field_is(got, &want);
}

static void take_denial(const struct conn *conn, const nghttp2_nv *got, uint32_t at, void *user)
{
	uint32_t *found = user;

	(void)conn;
	(void)at;
	if (is(got, ":status", "403"))
		*found |= DENIAL_STATUS;
	if (is(got, "grpc-status", "7"))
		*found |= DENIAL_GRPC;
}

void block_check_denial(const struct conn *conn, const uint8_t *bytes, uint32_t len_b)
{
	uint32_t found = 0;

	if (!denials && nghttp2_hd_inflate_new(&denials) != 0)
		gen_fail("no memory for a decoder");
	inflate(conn, denials, bytes, len_b, CLIENT, take_denial, &found);
	if (found != (DENIAL_STATUS | DENIAL_GRPC))
		conn_fail(conn, CLIENT,
			  "a denied call whose answer is not status 403 with grpc-status 7");
}
