/* SPDX-License-Identifier: Apache-2.0 */
/* h2_wire.h - the HTTP/2 bytes of a gRPC client and server, for tests.
 *
 * Real HPACK on both ends (libnghttp2), one table for each direction, so that a test notices when
 * client and server no longer agree. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

#define H2W_DATA          0x0u
#define H2W_HEADERS       0x1u
#define H2W_RST_STREAM    0x3u
#define H2W_SETTINGS      0x4u
#define H2W_PING          0x6u
#define H2W_WINDOW_UPDATE 0x8u

#define H2W_END_STREAM  0x1u
#define H2W_ACK         0x1u
#define H2W_END_HEADERS 0x4u

#define H2W_HEAD_B     9u
#define H2W_FIELDS_MAX 16u

struct h2w_frame {
	uint8_t type;
	uint8_t flags;
	uint32_t stream;
	uint32_t len_b;
	const uint8_t *payload;
};

struct h2w_fields {
	uint32_t n;
	struct {
		char name[64];
		char value[256];
	} field[H2W_FIELDS_MAX];
};

/* One end: what it encodes with and what it decodes with. */
struct h2w_end {
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
	uint32_t read_b; /* of the bytes that have arrived, how many are taken apart */
};

void h2w_init(struct h2w_end *end);
void h2w_fini(struct h2w_end *end);

/* All writers return the number of bytes written. */
uint32_t h2w_frame(uint8_t *to, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
		   uint32_t len_b);
/* The client's preface and its SETTINGS. */
uint32_t h2w_preface(uint8_t *to);
/* HEADERS and, unless body_b is 0, one DATA frame with END_STREAM. content_type may be NULL. */
uint32_t h2w_request(struct h2w_end *end, uint8_t *to, uint32_t stream, const char *method,
		     const char *path, const char *content_type, uint32_t body_b);
/* A whole gRPC answer: HEADERS, DATA, trailers. */
uint32_t h2w_response(struct h2w_end *end, uint8_t *to, uint32_t stream);

/* The next whole frame of bytes[len_b] from end->read_b on (a client preface is skipped).
 * @return false if there is none. */
bool h2w_next(struct h2w_end *end, const uint8_t *bytes, uint32_t len_b, struct h2w_frame *frame);
/* Decodes a HEADERS frame without padding and priority. @return false if it does not decode. */
bool h2w_decode(struct h2w_end *end, const struct h2w_frame *frame, struct h2w_fields *fields);
/* @return the value, or NULL. */
const char *h2w_field(const struct h2w_fields *fields, const char *name);
