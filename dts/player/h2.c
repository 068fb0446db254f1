/* SPDX-License-Identifier: Apache-2.0 */
#include "h2.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define FRAME_HDR_B   9u
#define T_DATA        0u
#define T_HEADERS     1u
#define T_SETTINGS    4u
#define T_WINDOW      8u
#define F_END_STREAM  0x1u
#define F_ACK         0x1u
#define F_END_HEADERS 0x4u

#define LITERAL 0x00u /* without indexing */
#define INDEXED 0x40u /* with incremental indexing */
#define N_PATH  4u    /* index of the name :path */

#define BODY_B 14u /* gRPC prefix, kind, connection, stream */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_B (sizeof(preface) - 1)

/* As grpc-core sends them in the first call, in this order. */
static char authority[32];
static struct {
	const char *name, *value;
} fields[] = {
	{ ":authority", authority },
	{ ":path", NULL },
	{ "te", "trailers" },
	{ "content-type", "application/grpc" },
	{ "user-agent", "grpc-python/1.51.1 grpc-c/29.0.0 (linux; chttp2)" },
	{ "grpc-accept-encoding", "identity, deflate, gzip" },
};
#define N_FIELDS  (sizeof(fields) / sizeof(fields[0]))
#define PATH_AT   1u
#define DYNAMIC_1 62u /* the first index of the dynamic table */

void h2_init(void)
{
	struct in_addr address = { .s_addr = htonl(options.server) };

	snprintf(authority, sizeof(authority), "%s:%u", inet_ntoa(address), options.port);
	fields[PATH_AT].value = options.allowed;
}

static uint8_t *put_frame(uint8_t *p, uint32_t len_b, uint32_t type, uint32_t flags, uint32_t id)
{
	p[0] = (uint8_t)(len_b >> 16);
	p[1] = (uint8_t)(len_b >> 8);
	p[2] = (uint8_t)len_b;
	p[3] = (uint8_t)type;
	p[4] = (uint8_t)flags;
	id = htonl(id);
	memcpy(p + 5, &id, sizeof(id));
	return p + FRAME_HDR_B;
}

/* Strings are below 127 bytes, so a length is one byte. */
static uint8_t *put_string(uint8_t *p, const char *text)
{
	size_t len_b = strlen(text);

	*p++ = (uint8_t)len_b;
	memcpy(p, text, len_b);
	return p + len_b;
}

static uint8_t *put_field(uint8_t *p, uint32_t at, uint32_t indexed, bool first)
{
	if (!first) {
		*p++ = (uint8_t)(0x80u | (DYNAMIC_1 + indexed + N_FIELDS - 1 - at));
		return p;
	}
	*p++ = INDEXED;
	p = put_string(p, fields[at].name);
	return put_string(p, fields[at].value);
}

static uint8_t *put_body(uint8_t *p, char kind, const struct h2_call *call)
{
	const uint32_t words[] = { htonl(call->number), htonl(call->stream) };

	memset(p, 0, 5);
	p[4] = BODY_B - 5;
	p[5] = (uint8_t)kind;
	memcpy(p + 6, words, sizeof(words));
	return p + BODY_B;
}

static uint8_t *put_request(uint8_t *to, enum say say, const struct h2_call *call)
{
	uint32_t indexed = call->indexed;
	uint8_t *p = to + FRAME_HDR_B;

	*p++ = 0x86; /* :scheme http */
	*p++ = 0x83; /* :method POST */
	for (uint32_t at = 0; at < N_FIELDS; at++) {
		if (at != PATH_AT || say == SAY_ALLOWED) {
			p = put_field(p, at, indexed, call->first);
		} else {
			*p++ = (say == SAY_CALL_ODD ? INDEXED : LITERAL) | N_PATH;
			p = put_string(p, options.denied);
			indexed += say == SAY_CALL_ODD;
		}
	}
	put_frame(to, (uint32_t)(p - to) - FRAME_HDR_B, T_HEADERS, F_END_HEADERS, call->stream);
	p = put_frame(p, BODY_B, T_DATA, F_END_STREAM, call->stream);
	return put_body(p, say == SAY_ALLOWED ? 'A' : 'D', call);
}

static uint8_t *put_answer(uint8_t *p, const struct h2_call *call)
{
	uint8_t *head = p;

	p += FRAME_HDR_B;
	*p++ = 0x88; /* :status 200 */
	*p++ = LITERAL;
	p = put_string(p, "content-type");
	p = put_string(p, "application/grpc");
	put_frame(head, (uint32_t)(p - head) - FRAME_HDR_B, T_HEADERS, F_END_HEADERS, call->stream);
	p = put_frame(p, BODY_B, T_DATA, 0, call->stream);
	p = put_body(p, 'R', call);
	head = p;
	p += FRAME_HDR_B;
	*p++ = LITERAL;
	p = put_string(p, "grpc-status");
	p = put_string(p, "0");
	put_frame(head, (uint32_t)(p - head) - FRAME_HDR_B, T_HEADERS, F_END_HEADERS | F_END_STREAM,
		  call->stream);
	return p;
}

uint32_t h2_write(enum say say, const struct h2_call *call, uint8_t *to)
{
	uint8_t *p = to;

	switch (say) {
	case SAY_NOTHING:
		break;
	case SAY_HELLO:
		memcpy(p, preface, PREFACE_B);
		p = put_frame(p + PREFACE_B, 0, T_SETTINGS, 0, 0);
		break;
	case SAY_WELCOME:
		p = put_frame(p, 0, T_SETTINGS, 0, 0);
		p = put_frame(p, 0, T_SETTINGS, F_ACK, 0);
		break;
	case SAY_THANKS:
		p = put_frame(p, 0, T_SETTINGS, F_ACK, 0);
		break;
	case SAY_ALLOWED:
	case SAY_DENIED:
	case SAY_CALL_ODD:
		p = put_request(p, say, call);
		break;
	case SAY_ANSWER:
		p = put_answer(p, call);
		break;
	}
	return (uint32_t)(p - to);
}

struct seen {
	uint32_t len_b, type, flags, id;
	const uint8_t *payload;
};

/* The next whole frame, or false. Every segment here ends where a frame does. */
static bool next_frame(const uint8_t **p, const uint8_t *end, struct seen *seen)
{
	uint32_t id;

	if (end - *p < (ptrdiff_t)FRAME_HDR_B)
		return false;
	seen->len_b = (uint32_t)(*p)[0] << 16 | (uint32_t)(*p)[1] << 8 | (*p)[2];
	seen->type = (*p)[3];
	seen->flags = (*p)[4];
	memcpy(&id, *p + 5, sizeof(id));
	seen->id = ntohl(id);
	seen->payload = *p + FRAME_HDR_B;
	if (end - seen->payload < (ptrdiff_t)seen->len_b)
		return false;
	*p = seen->payload + seen->len_b;
	return true;
}

static bool body_is(const struct seen *seen, char kind, uint32_t number, uint32_t stream)
{
	const struct h2_call call = { .number = number, .stream = stream };
	uint8_t body[BODY_B];

	put_body(body, kind, &call);
	return seen->len_b == BODY_B && memcmp(seen->payload, body, BODY_B) == 0;
}

static uint32_t client_headers(const struct seen *seen, uint32_t got)
{
	static const char forbidden[] = "\x08\x03"
					"403";
	bool end = seen->flags & F_END_STREAM;

	if (seen->len_b > 5 && memcmp(seen->payload, forbidden, 5) == 0)
		return end && !got ? H2_FORBID : H2_WRONG;
	if (!end)
		return seen->payload[0] == 0x88 && !got ? 0 : H2_WRONG;
	return got ? H2_ANSWER : H2_WRONG;
}

uint32_t h2_read_client(const uint8_t *data, uint32_t len_b, const struct h2_call *call)
{
	const uint8_t *p = data;
	uint32_t bits = 0, got = 0; /* got: DATA of this answer */
	struct seen seen;

	while (next_frame(&p, data + len_b, &seen)) {
		if (seen.type == T_SETTINGS)
			bits |= seen.flags & F_ACK ? H2_ACK : H2_SETTINGS;
		else if (seen.type == T_HEADERS && seen.id == call->stream)
			bits |= client_headers(&seen, got);
		else if (seen.type == T_DATA && body_is(&seen, 'R', call->number, call->stream))
			got++;
		else if (seen.type != T_WINDOW || seen.id != 0)
			bits |= H2_WRONG;
	}
	return p == data + len_b ? bits : bits | H2_WRONG;
}

uint32_t h2_read_server(const uint8_t *data, uint32_t len_b, uint32_t number, uint32_t *stream)
{
	const uint8_t *p = data;
	uint32_t bits = 0, opened = 0;
	struct seen seen;

	if (len_b > PREFACE_B && memcmp(data, preface, PREFACE_B) == 0)
		p += PREFACE_B;
	while (next_frame(&p, data + len_b, &seen)) {
		if (seen.type == T_SETTINGS)
			bits |= seen.flags & F_ACK ? H2_ACK : H2_SETTINGS;
		else if (seen.type == T_HEADERS)
			opened = seen.id;
		else if (seen.type == T_DATA && body_is(&seen, 'A', number, opened))
			bits |= H2_REQUEST;
		else if (seen.type == T_DATA && body_is(&seen, 'D', number, seen.id))
			bits |= H2_LEAK;
		else
			bits |= H2_WRONG;
	}
	if (opened && !(bits & (H2_REQUEST | H2_LEAK)))
		bits |= H2_WRONG;
	*stream = opened;
	return p == data + len_b ? bits : bits | H2_WRONG;
}
