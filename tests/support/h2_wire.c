/* SPDX-License-Identifier: Apache-2.0 */
#include "h2_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_B (sizeof(preface) - 1)

void h2w_init(struct h2w_end *end)
{
	memset(end, 0, sizeof(*end));
	if (nghttp2_hd_deflate_new(&end->deflater, 4096) != 0 ||
	    nghttp2_hd_inflate_new(&end->inflater) != 0)
		abort();
}

void h2w_fini(struct h2w_end *end)
{
	nghttp2_hd_deflate_del(end->deflater);
	nghttp2_hd_inflate_del(end->inflater);
}

uint32_t h2w_frame(uint8_t *to, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
		   uint32_t len_b)
{
	const uint8_t head[H2W_HEAD_B] = {
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
	if (len_b > 0)
		memmove(to + sizeof(head), payload, len_b);
	return H2W_HEAD_B + len_b;
}

uint32_t h2w_preface(uint8_t *to)
{
	static const uint8_t settings[] = { 0, 2, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0 };

	memcpy(to, preface, PREFACE_B);
	return (uint32_t)PREFACE_B +
	       h2w_frame(to + PREFACE_B, H2W_SETTINGS, 0, 0, settings, sizeof(settings));
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

static uint32_t headers(struct h2w_end *end, uint8_t *to, uint32_t stream, uint8_t flags,
			const nghttp2_nv *nva, size_t n)
{
	uint8_t block[4096];
	ssize_t len_b = nghttp2_hd_deflate_hd(end->deflater, block, sizeof(block), nva, n);

	if (len_b < 0)
		abort();
	return h2w_frame(to, H2W_HEADERS, (uint8_t)(flags | H2W_END_HEADERS), stream, block,
			 (uint32_t)len_b);
}

uint32_t h2w_request(struct h2w_end *end, uint8_t *to, uint32_t stream, const char *method,
		     const char *path, const char *content_type, uint32_t body_b)
{
	nghttp2_nv nva[8];
	uint8_t *body;
	uint32_t len_b;
	size_t n = 0;

	nva[n++] = nv(":method", method);
	nva[n++] = nv(":scheme", "http");
	nva[n++] = nv(":path", path);
	nva[n++] = nv(":authority", "door-manager:50051");
	if (content_type)
		nva[n++] = nv("content-type", content_type);
	nva[n++] = nv("te", "trailers");
	nva[n++] = nv("user-agent", "wicket-test/1");
	len_b = headers(end, to, stream, (uint8_t)(body_b > 0 ? 0 : H2W_END_STREAM), nva, n);
	if (body_b == 0)
		return len_b;
	body = calloc(1, body_b);
	if (!body)
		abort();
	len_b += h2w_frame(to + len_b, H2W_DATA, H2W_END_STREAM, stream, body, body_b);
	free(body);
	return len_b;
}

uint32_t h2w_response(struct h2w_end *end, uint8_t *to, uint32_t stream)
{
	static const uint8_t message[] = { 0, 0, 0, 0, 3, 1, 2, 3 };
	const nghttp2_nv head[] = { nv(":status", "200"), nv("content-type", "application/grpc") };
	const nghttp2_nv trailers[] = { nv("grpc-status", "0") };
	uint32_t len_b = headers(end, to, stream, 0, head, 2);

	len_b += h2w_frame(to + len_b, H2W_DATA, 0, stream, message, sizeof(message));
	return len_b + headers(end, to + len_b, stream, H2W_END_STREAM, trailers, 1);
}

bool h2w_next(struct h2w_end *end, const uint8_t *bytes, uint32_t len_b, struct h2w_frame *frame)
{
	const uint8_t *at;
	uint32_t n;

	if (end->read_b == 0 && len_b >= PREFACE_B && memcmp(bytes, preface, PREFACE_B) == 0)
		end->read_b = (uint32_t)PREFACE_B;
	if (len_b - end->read_b < H2W_HEAD_B)
		return false;
	at = bytes + end->read_b;
	n = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
	if (len_b - end->read_b < H2W_HEAD_B + n)
		return false;
	frame->len_b = n;
	frame->type = at[3];
	frame->flags = at[4];
	frame->stream = (uint32_t)(at[5] & 0x7fu) << 24 | (uint32_t)at[6] << 16 |
			(uint32_t)at[7] << 8 | at[8];
	frame->payload = at + H2W_HEAD_B;
	end->read_b += H2W_HEAD_B + n;
	return true;
}

bool h2w_decode(struct h2w_end *end, const struct h2w_frame *frame, struct h2w_fields *fields)
{
	const uint8_t *at = frame->payload;
	size_t left_b = frame->len_b;

	fields->n = 0;
	for (;;) {
		nghttp2_nv out;
		int flags = 0;
		ssize_t used_b = nghttp2_hd_inflate_hd2(end->inflater, &out, &flags, at, left_b, 1);

		if (used_b < 0)
			return false;
		at += used_b;
		left_b -= (size_t)used_b;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) && fields->n < H2W_FIELDS_MAX) {
			snprintf(fields->field[fields->n].name, sizeof(fields->field[0].name),
				 "%.*s", (int)out.namelen, (const char *)out.name);
			snprintf(fields->field[fields->n].value, sizeof(fields->field[0].value),
				 "%.*s", (int)out.valuelen, (const char *)out.value);
			fields->n++;
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(end->inflater);
	return true;
}

const char *h2w_field(const struct h2w_fields *fields, const char *name)
{
	for (uint32_t i = 0; i < fields->n; i++)
		if (strcmp(fields->field[i].name, name) == 0)
			return fields->field[i].value;
	return NULL;
}
