/* SPDX-License-Identifier: Apache-2.0 */
/* h2.c - cuts what an end receives into frames, and compares them. */
#include "h2.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "block.h"
#include "calls.h"
#include "grpc.h"
#include "wire.h"

#define WINDOW_MAX_B INT32_MAX

void h2_say(struct conn *conn, enum side side, struct item item)
{
	wire_measure(conn, side, &item);
	conn_say(conn, side, &item);
}

void h2_hello(struct conn *conn, enum side side)
{
	struct end *end = &conn->end[side];

	end->window_b = WIRE_FIRST_WINDOW_B;
	end->preface_left = side == SERVER ? WIRE_PREFACE_B : 0;
	h2_say(conn, side,
	       (struct item){ .what = (uint8_t)(side == CLIENT ? ITEM_HELLO : ITEM_WELCOME) });
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void settings(struct conn *conn, enum side side, const uint8_t *payload, uint32_t n)
{
	struct end *end = &conn->end[side];

	if (end->flags & FLAG_ACK) {
		if (n > 0 || end->agreed)
			conn_fail(conn, side, "a SETTINGS ACK that nobody sent");
		end->agreed = true;
		return;
	}
	if (conn->agreed[side] || n != wire_settings_b || memcmp(payload, wire_settings, n) != 0)
		conn_fail(conn, side, "SETTINGS of %u bytes that are not those sent", n);
	conn->agreed[side] = true;
	h2_say(conn, side, (struct item){ .what = ITEM_AGREED });
	if (side == CLIENT)
		calls_ready(conn);
}

/* From the peer as it says it, or of the box for what it took out. */
static void window_update(struct conn *conn, enum side side, const uint8_t *payload, uint32_t n)
{
	struct end *end = &conn->end[side];
	uint32_t credit_b;

	if (n != 4 || end->stream != 0)
		conn_fail(conn, side, "a WINDOW_UPDATE of %u bytes", n);
	credit_b = be32(payload);
	if (credit_b != WIRE_WINDOW_B && credit_b != WIRE_CREDIT_B) {
		if (side == SERVER || credit_b > conn->denied_b)
			conn_fail(conn, side, "credit of %u bytes that nobody gave", credit_b);
		conn->denied_b -= credit_b;
	}
	end->window_b += credit_b;
	if (end->window_b > WINDOW_MAX_B)
		conn_fail(conn, side, "more credit than bytes: window %lld",
			  (long long)end->window_b);
}

/* Only behind a 403, if the client has not ended the stream. */
static void rst_stream(struct conn *conn, enum side side, const uint8_t *payload, uint32_t n)
{
	struct end *end = &conn->end[side];
	const struct call *call = conn_call(conn, end->stream);

	if (side == SERVER || n != 4 || be32(payload) != 0 || end->stream >= conn->next_stream ||
	    (call && !call->denied))
		conn_fail(conn, side, "RST_STREAM, code %u", n == 4 ? be32(payload) : 0);
}

/* All but DATA, whole. */
static void frame(struct conn *conn, enum side side, const uint8_t *payload, uint32_t n)
{
	struct end *end = &conn->end[side];

	switch (end->type) {
	case FRAME_SETTINGS:
		settings(conn, side, payload, n);
		break;
	case FRAME_WINDOW_UPDATE:
		window_update(conn, side, payload, n);
		break;
	case FRAME_HEADERS:
		grpc_headers(conn, side, payload, n);
		break;
	case FRAME_RST_STREAM:
		rst_stream(conn, side, payload, n);
		break;
	case FRAME_GOAWAY:
		conn_fail(conn, side, "GOAWAY, code %u", n >= 8 ? be32(payload + 4) : 0);
	default:
		conn_fail(conn, side, "a frame of type %u and %u bytes", end->type, n);
	}
}

/* Tells the peer that it may send more. */
static void consume(struct conn *conn, enum side side, uint32_t n)
{
	struct end *end = &conn->end[side];

	end->credit_b += n;
	if (end->credit_b < WIRE_CREDIT_B)
		return;
	end->credit_b -= WIRE_CREDIT_B;
	h2_say(conn, side, (struct item){ .what = ITEM_CREDIT });
}

static uint32_t take_header(struct conn *conn, enum side side, const uint8_t *bytes, uint32_t n)
{
	struct end *end = &conn->end[side];

	n = RTE_MIN(n, FRAME_HEADER_B - end->have);
	memcpy(end->header + end->have, bytes, n);
	end->have = (uint8_t)(end->have + n);
	if (end->have < FRAME_HEADER_B)
		return n;
	end->left = be32(end->header) >> 8;
	end->type = end->header[3];
	end->flags = end->header[4];
	end->stream = be32(end->header + 5);
	end->partial_b = 0;
	if (end->left > (end->type == FRAME_DATA ? WIRE_FRAME_MAX_B : BLOCK_MAX_B))
		conn_fail(conn, side, "a frame of type %u and %u bytes", end->type, end->left);
	if (end->type == FRAME_DATA) {
		grpc_data_begin(conn, side);
		consume(conn, side, end->left);
	}
	return n;
}

static uint32_t take_payload(struct conn *conn, enum side side, const uint8_t *bytes, uint32_t n)
{
	struct end *end = &conn->end[side];

	n = RTE_MIN(n, end->left);
	if (end->type == FRAME_DATA) {
		end->left -= n;
		grpc_data(conn, side, bytes, n);
		return n;
	}
	if (n < end->left || end->partial_b > 0) {
		if (!end->partial)
			end->partial = malloc(BLOCK_MAX_B);
		if (!end->partial)
			gen_fail("no memory for a frame");
		memcpy(end->partial + end->partial_b, bytes, n);
		end->partial_b = (uint16_t)(end->partial_b + n);
		end->left -= n;
		if (end->left == 0)
			frame(conn, side, end->partial, end->partial_b);
		return n;
	}
	end->left = 0;
	frame(conn, side, bytes, n);
	return n;
}

static uint32_t take_preface(struct conn *conn, const uint8_t *bytes, uint32_t n)
{
	struct end *end = &conn->end[SERVER];

	n = RTE_MIN(n, (uint32_t)end->preface_left);
	if (memcmp(bytes, wire_preface + WIRE_PREFACE_B - end->preface_left, n) != 0)
		conn_fail(conn, SERVER, "a preface that is none");
	end->preface_left = (uint8_t)(end->preface_left - n);
	return n;
}

void h2_receive(struct conn *conn, enum side side, const uint8_t *bytes, uint32_t n)
{
	struct end *end = &conn->end[side];

	while (n > 0) {
		uint32_t took;

		if (end->preface_left > 0)
			took = take_preface(conn, bytes, n);
		else if (end->have < FRAME_HEADER_B)
			took = take_header(conn, side, bytes, n);
		else
			took = 0;
		bytes += took;
		n -= took;
		if (end->have < FRAME_HEADER_B)
			continue;
		took = take_payload(conn, side, bytes, n);
		bytes += took;
		n -= took;
		if (end->left == 0)
			end->have = 0;
	}
}
