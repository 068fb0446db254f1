/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>
#include <rte_common.h>

#define CALLS_MAX 4096u /* whose blocks differ */
#define STYLES    4u
#define BLOCK_MAX 4096u
#define MESSAGE_B 69u  /* a gRPC prefix and 64 bytes */
#define SMALL     120u /* entries of 34 bytes in a table of 4096 */

struct block {
	uint8_t *bytes;
	uint32_t len_b;
};

struct script {
	nghttp2_hd_deflater *deflater;
	struct block block[CALLS_MAX];
	uint32_t n;
};

static struct script scripts[STYLES][2];

static uint32_t frame(uint8_t *to, uint8_t type, uint8_t flags, uint32_t stream, uint32_t len_b)
{
	const uint8_t head[WORDS_HEAD_B] = {
		(uint8_t)(len_b >> 16),
		(uint8_t)(len_b >> 8),
		(uint8_t)len_b,
		type,
		flags,
		(uint8_t)(stream >> 24),
		(uint8_t)(stream >> 16),
		(uint8_t)(stream >> 8),
		(uint8_t)stream,
	};

	memcpy(to, head, sizeof(head));
	return WORDS_HEAD_B;
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value),
	};
}

/* As nghttp2's encoder has it, which never puts a path into the table. */
static uint32_t deflate(struct script *script, const char *path, enum crowd_style style,
			uint32_t call, uint8_t *to)
{
	char names[SMALL][2], values[SMALL][2], trace[64];
	nghttp2_nv nva[8 + SMALL];
	size_t n = 0;
	ssize_t len_b;

	nva[n++] = nv(":method", "POST");
	nva[n++] = nv(":scheme", "http");
	nva[n++] = nv(":path", path);
	nva[n++] = nv(":authority", "door-manager:50051");
	nva[n++] = nv("content-type", "application/grpc");
	nva[n++] = nv("te", "trailers");
	nva[n++] = nv("user-agent", "grpc-bench/1.0");
	snprintf(trace, sizeof(trace), "00-%08x%08x%016x-%016x-01", call, ~call, call, call);
	if (style == CROWD_TRACED)
		nva[n++] = nv("traceparent", trace);
	for (uint32_t i = 0; style == CROWD_SMALL && call == 0 && i < SMALL; i++) {
		names[i][0] = (char)('a' + i % 26);
		values[i][0] = (char)('0' + i / 26);
		names[i][1] = values[i][1] = '\0';
		nva[n++] = nv(names[i], values[i]);
	}
	len_b = nghttp2_hd_deflate_hd(script->deflater, to, BLOCK_MAX, nva, n);
	if (len_b < 0)
		abort();
	return (uint32_t)len_b;
}

static uint32_t literal(uint8_t *to, uint8_t name, const char *name_text, const char *value)
{
	uint32_t n = 0;

	to[n++] = 0x40 | name;
	if (name_text) {
		to[n++] = (uint8_t)strlen(name_text);
		memcpy(to + n, name_text, strlen(name_text));
		n += (uint32_t)strlen(name_text);
	}
	to[n++] = (uint8_t)strlen(value);
	memcpy(to + n, value, strlen(value));
	return n + (uint32_t)strlen(value);
}

/* Everything enters the table with the first call, and is an index in all others. */
static uint32_t indexed(const char *path, uint32_t call, uint8_t *to)
{
	static const uint8_t again[] = { 0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe };
	uint32_t n = 0;

	if (call > 0) {
		memcpy(to, again, sizeof(again));
		return (uint32_t)sizeof(again);
	}
	to[n++] = 0x83;
	to[n++] = 0x86;
	n += literal(to + n, 4, NULL, path);
	n += literal(to + n, 1, NULL, "door-manager:50051");
	n += literal(to + n, 31, NULL, "application/grpc");
	n += literal(to + n, 0, "te", "trailers");
	return n + literal(to + n, 58, NULL, "grpc-bench/1.0");
}

const uint8_t *words_block(enum crowd_style style, bool denied, uint32_t call, uint32_t *len_b)
{
	struct script *script = &scripts[style][denied];
	const char *path = denied ? WORDS_DENIED : WORDS_PATH;
	uint8_t block[BLOCK_MAX];

	if (style != CROWD_TRACED)
		call = RTE_MIN(call, 2u);
	if (call >= CALLS_MAX)
		abort();
	if (!script->deflater && nghttp2_hd_deflate_new(&script->deflater, 4096) != 0)
		abort();
	while (script->n <= call) {
		struct block *made = &script->block[script->n];

		made->len_b = style == CROWD_INDEXED
				      ? indexed(path, script->n, block)
				      : deflate(script, path, style, script->n, block);
		made->bytes = malloc(made->len_b);
		if (!made->bytes)
			abort();
		memcpy(made->bytes, block, made->len_b);
		script->n++;
	}
	*len_b = script->block[call].len_b;
	return script->block[call].bytes;
}

static uint32_t put_block(uint8_t *to, enum crowd_style style, bool denied, uint32_t call)
{
	uint32_t len_b;
	const uint8_t *block = words_block(style, denied, call, &len_b);
	uint32_t n = frame(to, 1, 4, 2 * call + 1, len_b);

	memcpy(to + n, block, len_b);
	return n + len_b;
}

uint32_t words_preface(uint8_t *to)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

	memcpy(to, preface, sizeof(preface) - 1);
	return (uint32_t)sizeof(preface) - 1 + frame(to + sizeof(preface) - 1, 4, 0, 0, 0);
}

uint32_t words_settings(uint8_t *to)
{
	uint32_t n = frame(to, 4, 0, 0, 0);

	return n + frame(to + n, 4, 1, 0, 0);
}

uint32_t words_settings_ack(uint8_t *to)
{
	return frame(to, 4, 1, 0, 0);
}

uint32_t words_call(uint8_t *to, enum crowd_style style, bool denied, uint32_t call)
{
	uint32_t n = put_block(to, style, denied, call);

	n += frame(to + n, 0, 1, 2 * call + 1, MESSAGE_B);
	memset(to + n, 0, MESSAGE_B);
	return n + MESSAGE_B;
}

uint32_t words_open(uint8_t *to, enum crowd_style style, uint32_t call, uint32_t left_b)
{
	uint32_t n = put_block(to, style, false, call);

	return n + frame(to + n, 0, 0, 2 * call + 1, left_b);
}

uint32_t words_answer(uint8_t *to, uint32_t call)
{
	/* :status 200, content-type; and grpc-status 0: all in the table of the client by then. */
	static const uint8_t head[] = { 0x88, 0xbf };
	static const uint8_t trailers[] = { 0xbe };
	uint32_t stream = 2 * call + 1, n = frame(to, 1, 4, stream, sizeof(head));

	memcpy(to + n, head, sizeof(head));
	n += (uint32_t)sizeof(head);
	n += frame(to + n, 0, 0, stream, MESSAGE_B);
	memset(to + n, 0, MESSAGE_B);
	n += MESSAGE_B;
	n += frame(to + n, 1, 5, stream, sizeof(trailers));
	memcpy(to + n, trailers, sizeof(trailers));
	return n + (uint32_t)sizeof(trailers);
}

uint32_t words_body(uint8_t *to, uint32_t call, uint32_t *at_b, uint32_t len_b)
{
	uint8_t head[WORDS_HEAD_B];
	uint32_t n;

	frame(head, 0, 0, 2 * call + 1, WORDS_BODY_B);
	memset(to, 0, len_b);
	for (uint32_t at = 0; at < len_b; at += n) {
		if (*at_b < WORDS_HEAD_B) {
			n = RTE_MIN(WORDS_HEAD_B - *at_b, len_b - at);
			memcpy(to + at, head + *at_b, n);
		} else {
			n = RTE_MIN(WORDS_HEAD_B + WORDS_BODY_B - *at_b, len_b - at);
		}
		*at_b = (*at_b + n) % (WORDS_HEAD_B + WORDS_BODY_B);
	}
	return len_b;
}
