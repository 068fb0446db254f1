/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <string.h>

#include <rte_common.h>

#include "block.h"

/* Every message is a piece of this, from a place that follows from its call: it stays in the first
 * level of the cache, and comparing is memcmp. */
#define PATTERN_B 4096u

#define FRAME_B    (FRAME_HEADER_B + WIRE_FRAME_MAX_B)
#define SETTINGS_B 12u
#define CREDIT_B   (FRAME_HEADER_B + 4u)

const uint8_t wire_preface[WIRE_PREFACE_B] = {
	'P', 'R', 'I',  ' ',  '*',  ' ',  'H', 'T', 'T',  'P',  '/',  '2',
	'.', '0', '\r', '\n', '\r', '\n', 'S', 'M', '\r', '\n', '\r', '\n',
};
/* INITIAL_WINDOW_SIZE 2^30, MAX_FRAME_SIZE 16384. */
const uint8_t wire_settings[SETTINGS_B] = { 0, 4, 0x40, 0, 0, 0, 0, 5, 0, 0, 0x40, 0 };
const uint32_t wire_settings_b = SETTINGS_B;

static uint8_t pattern[2 * PATTERN_B];

void wire_create(void)
{
	for (uint32_t i = 0; i < PATTERN_B; i++) {
		pattern[i] = (uint8_t)gen_draw();
		pattern[i + PATTERN_B] = pattern[i];
	}
}

uint32_t wire_message_b(const struct call *call, enum side from)
{
	const struct kind_spec *spec = &kinds[call->kind];

	return WIRE_PREFIX_B + (from == CLIENT ? spec->request_b : spec->response_b);
}

bool wire_last_turn(const struct call *call, uint32_t turn)
{
	return turn + 1 == kinds[call->kind].turns;
}

static uint32_t place(const struct call *call, enum side from, uint32_t turn)
{
	return (call->number * 61u + turn * 17u + (from == CLIENT ? 0 : 7u)) % PATTERN_B;
}

static void prefix(uint8_t *to, uint32_t message_b)
{
	to[0] = 0;
	to[1] = (uint8_t)(message_b >> 24);
	to[2] = (uint8_t)(message_b >> 16);
	to[3] = (uint8_t)(message_b >> 8);
	to[4] = (uint8_t)message_b;
}

/* The piece at off of a message with its prefix, as far as it lies in one place: up to *n bytes. */
static const uint8_t *piece(const struct call *call, enum side from, uint32_t turn, uint32_t off,
			    uint8_t *room, uint32_t *n)
{
	if (off < WIRE_PREFIX_B) {
		prefix(room, wire_message_b(call, from) - WIRE_PREFIX_B);
		*n = RTE_MIN(*n, WIRE_PREFIX_B - off);
		return room + off;
	}
	*n = RTE_MIN(*n, PATTERN_B);
	return &pattern[(place(call, from, turn) + off - WIRE_PREFIX_B) % PATTERN_B];
}

bool wire_is(const struct call *call, enum side from, uint32_t turn, uint32_t off,
	     const uint8_t *bytes, uint32_t n)
{
	while (n > 0) {
		uint8_t room[WIRE_PREFIX_B];
		uint32_t step = n;
		const uint8_t *want = piece(call, from, turn, off, room, &step);

		if (memcmp(want, bytes, step) != 0)
			return false;
		off += step;
		bytes += step;
		n -= step;
	}
	return true;
}

static uint8_t *frame(uint8_t *to, uint32_t len_b, uint32_t type, uint32_t flags, uint32_t stream)
{
	to[0] = (uint8_t)(len_b >> 16);
	to[1] = (uint8_t)(len_b >> 8);
	to[2] = (uint8_t)len_b;
	to[3] = (uint8_t)type;
	to[4] = (uint8_t)flags;
	to[5] = (uint8_t)(stream >> 24);
	to[6] = (uint8_t)(stream >> 16);
	to[7] = (uint8_t)(stream >> 8);
	to[8] = (uint8_t)stream;
	return to + FRAME_HEADER_B;
}

static uint8_t *credit(uint8_t *to, uint32_t n)
{
	to = frame(to, 4, FRAME_WINDOW_UPDATE, 0, 0);
	to[0] = (uint8_t)(n >> 24);
	to[1] = (uint8_t)(n >> 16);
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
	return to + 4;
}

/* Frames that fit into a small buffer: all but those of messages. @return their length. */
static uint32_t control(const struct conn *conn, enum side side, const struct item *item,
			uint32_t what, uint8_t *to)
{
	const struct call *call = &conn->calls[item->slot];
	uint8_t *p = to;
	struct block block;

	switch (what) {
	case ITEM_HELLO:
		memcpy(p, wire_preface, WIRE_PREFACE_B);
		p += WIRE_PREFACE_B;
		/* fallthrough */
	case ITEM_WELCOME:
		p = frame(p, SETTINGS_B, FRAME_SETTINGS, 0, 0);
		memcpy(p, wire_settings, SETTINGS_B);
		return (uint32_t)(credit(p + SETTINGS_B, WIRE_WINDOW_B) - to);
	case ITEM_AGREED:
		return (uint32_t)(frame(p, 0, FRAME_SETTINGS, FLAG_ACK, 0) - to);
	case ITEM_CREDIT:
		return (uint32_t)(credit(p, WIRE_CREDIT_B) - to);
	}
	if (side == CLIENT)
		block = block_of_request(conn, call, ITEM_HEAD_VARIANT(item->variant));
	else if (what == ITEM_HEAD)
		block = block_of_answer(what, ITEM_HEAD_VARIANT(item->variant));
	else
		block = block_of_answer(what, ITEM_TAIL_VARIANT(item->variant));
	p = frame(p, block.len_b, FRAME_HEADERS,
		  FLAG_END_HEADERS | (what == ITEM_TAIL ? FLAG_END_STREAM : 0), call->stream);
	memcpy(p, block.bytes, block.len_b);
	return (uint32_t)(p - to) + block.len_b;
}

/* Of the message's frames. */
static uint32_t frames_b(const struct call *call, enum side side)
{
	uint32_t all_b = wire_message_b(call, side);

	return all_b + (all_b + WIRE_FRAME_MAX_B - 1) / WIRE_FRAME_MAX_B * FRAME_HEADER_B;
}

static uint32_t write_message(const struct call *call, enum side side, const struct item *item,
			      uint32_t off, uint8_t *to, uint32_t n)
{
	uint32_t all_b = wire_message_b(call, side);
	uint32_t begin = off / FRAME_B * WIRE_FRAME_MAX_B;
	uint32_t payload_b = RTE_MIN(all_b - begin, WIRE_FRAME_MAX_B);
	uint32_t in = off % FRAME_B;
	uint8_t room[FRAME_HEADER_B];
	const uint8_t *from;

	if (in < FRAME_HEADER_B) {
		bool end = side == CLIENT && wire_last_turn(call, item->turn) &&
			   begin + payload_b == all_b;

		frame(room, payload_b, FRAME_DATA, end ? FLAG_END_STREAM : 0, call->stream);
		n = RTE_MIN(n, FRAME_HEADER_B - in);
		memcpy(to, room + in, n);
		return n;
	}
	in -= FRAME_HEADER_B;
	n = RTE_MIN(n, payload_b - in);
	from = piece(call, side, item->turn, begin + in, room, &n);
	memcpy(to, from, n);
	return n;
}

/* What an item has in front of its message, and the message itself. */
static const uint32_t heads[] = { ITEM_HELLO, ITEM_WELCOME, ITEM_AGREED, ITEM_CREDIT, ITEM_HEAD };

uint32_t wire_write(const struct conn *conn, enum side side, const struct item *item, uint32_t off,
		    uint8_t *to, uint32_t n)
{
	const struct call *call = &conn->calls[item->slot];
	uint8_t room[FRAME_HEADER_B + BLOCK_MAX_B];
	uint32_t len_b;

	for (uint32_t i = 0; i < RTE_DIM(heads); i++) {
		if (!(item->what & heads[i]))
			continue;
		len_b = control(conn, side, item, heads[i], room);
		if (off < len_b) {
			n = RTE_MIN(n, len_b - off);
			memcpy(to, room + off, n);
			return n;
		}
		off -= len_b;
	}
	if (item->what & ITEM_MESSAGE) {
		len_b = frames_b(call, side);
		if (off < len_b)
			return write_message(call, side, item, off, to, n);
		off -= len_b;
	}
	len_b = control(conn, side, item, ITEM_TAIL, room);
	n = RTE_MIN(n, len_b - off);
	memcpy(to, room + off, n);
	return n;
}

void wire_measure(const struct conn *conn, enum side side, struct item *item)
{
	uint8_t room[FRAME_HEADER_B + BLOCK_MAX_B];

	item->len_b = 0;
	for (uint32_t i = 0; i < RTE_DIM(heads); i++)
		if (item->what & heads[i])
			item->len_b += control(conn, side, item, heads[i], room);
	if (item->what & ITEM_MESSAGE)
		item->len_b += frames_b(&conn->calls[item->slot], side);
	if (item->what & ITEM_TAIL)
		item->len_b += control(conn, side, item, ITEM_TAIL, room);
}
