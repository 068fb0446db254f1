/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc.h"

#include <string.h>

#include <rte_common.h>

#include "block.h"
#include "calls.h"
#include "h2.h"
#include "wire.h"

static void say_message(struct conn *conn, enum side side, struct call *call, struct item item)
{
	struct end *end = &conn->end[side];

	item.what |= ITEM_MESSAGE;
	item.slot = conn_slot(conn, call);
	end->window_b -= wire_message_b(call, side);
	if (end->window_b < 0)
		conn_fail(conn, side, "the connection's window is used up: credit is missing");
	h2_say(conn, side, item);
}

void grpc_request(struct conn *conn, struct call *call)
{
	uint8_t head = block_request(conn, call);

	say_message(conn, CLIENT, call,
		    (struct item){ .what = ITEM_HEAD, .variant = ITEM_VARIANTS(head, 0) });
}

static void over_if_done(struct conn *conn, struct call *call)
{
	if (call->said && call->answered)
		calls_over(conn, call);
}

void grpc_written(struct conn *conn, enum side side, const struct item *item)
{
	struct call *call = &conn->calls[item->slot];

	if (side == SERVER || !(item->what & ITEM_MESSAGE))
		return;
	/* A denied stream of messages ends with its first one. */
	if (!wire_last_turn(call, item->turn) && !call->denied)
		return;
	call->said = true;
	over_if_done(conn, call);
}

static void server_headers(struct conn *conn, const uint8_t *block, uint32_t n)
{
	struct end *end = &conn->end[SERVER];
	struct call *call = conn_call(conn, end->stream);

	if (!call || call->asked)
		conn_fail(conn, SERVER, "a header block that no client sent, or once too often");
	if (call->denied)
		conn_fail(conn, SERVER, "a denied call has reached the server");
	if (end->flags != FLAG_END_HEADERS)
		conn_fail(conn, SERVER, "a header block with flags 0x%x", end->flags);
	block_check_request(conn, call, block, n);
	call->asked = true;
}

static bool answer_is(struct conn *conn, uint32_t what, const uint8_t *bytes, uint32_t n)
{
	uint8_t variant = block_answer(&conn->end[CLIENT].table_read, what);
	struct block block = block_of_answer(what, variant);

	return block.len_b == n && memcmp(block.bytes, bytes, n) == 0;
}

static void client_headers(struct conn *conn, const uint8_t *block, uint32_t n)
{
	struct end *end = &conn->end[CLIENT];
	struct call *call = conn_call(conn, end->stream);
	bool last = call && (call->denied || call->headed);

	if (!call || call->answered)
		conn_fail(conn, CLIENT, "an answer to no call, or once too often");
	if (end->flags != (last ? FLAG_END_HEADERS | FLAG_END_STREAM : FLAG_END_HEADERS))
		conn_fail(conn, CLIENT, "an answer with flags 0x%x", end->flags);
	if (call->denied)
		block_check_denial(conn, block, n);
	else if (!answer_is(conn, last ? ITEM_TAIL : ITEM_HEAD, block, n))
		conn_fail(conn, CLIENT, "a header block of %u bytes that is not the server's", n);
	if (last && !call->denied && call->down_turn != kinds[call->kind].turns)
		conn_fail(conn, CLIENT, "trailers after %u of %u messages", call->down_turn,
			  kinds[call->kind].turns);
	call->headed = true;
	call->answered = last;
	over_if_done(conn, call);
}

void grpc_headers(struct conn *conn, enum side side, const uint8_t *block, uint32_t n)
{
	if (side == SERVER)
		server_headers(conn, block, n);
	else
		client_headers(conn, block, n);
}

/* What has come of the message that is on its way to this end. */
static uint32_t *progress(struct call *call, enum side side)
{
	return side == SERVER ? &call->up_b : &call->down_b;
}

static uint32_t turn(const struct call *call, enum side side)
{
	return side == SERVER ? call->up_turn : call->down_turn;
}

void grpc_data_begin(struct conn *conn, enum side side)
{
	struct end *end = &conn->end[side];
	struct call *call = conn_call(conn, end->stream);
	uint32_t left_b, flags;

	if (!call || call->denied || (side == SERVER ? !call->asked : !call->headed) ||
	    turn(call, side) == kinds[call->kind].turns)
		conn_fail(conn, side, "DATA of %u bytes that nobody sent", end->left);
	left_b = wire_message_b(call, !side) - *progress(call, side);
	flags = side == SERVER && wire_last_turn(call, call->up_turn) && left_b <= WIRE_FRAME_MAX_B
			? FLAG_END_STREAM
			: 0;
	if (end->left != RTE_MIN(left_b, WIRE_FRAME_MAX_B) || end->flags != flags)
		conn_fail(conn, side, "DATA of %u bytes with flags 0x%x, sent were %u with 0x%x",
			  end->left, end->flags, RTE_MIN(left_b, WIRE_FRAME_MAX_B), flags);
}

static void server_message(struct conn *conn, struct call *call)
{
	uint8_t *table = &conn->end[SERVER].table;
	struct item item = { .turn = call->up_turn };
	uint8_t head = 0, tail = 0;

	/* In the order in which they are sent: the tables follow. */
	if (call->up_turn == 0) {
		item.what |= ITEM_HEAD;
		head = block_answer(table, ITEM_HEAD);
	}
	if (wire_last_turn(call, call->up_turn)) {
		item.what |= ITEM_TAIL;
		tail = block_answer(table, ITEM_TAIL);
	}
	item.variant = ITEM_VARIANTS(head, tail);
	call->up_turn++;
	say_message(conn, SERVER, call, item);
}

static void client_message(struct conn *conn, struct call *call)
{
	call->down_turn++;
	if (call->down_turn < kinds[call->kind].turns)
		say_message(conn, CLIENT, call, (struct item){ .turn = call->down_turn });
}

void grpc_data(struct conn *conn, enum side side, const uint8_t *bytes, uint32_t n)
{
	struct call *call = conn_call(conn, conn->end[side].stream);
	uint32_t *got_b = progress(call, side);

	if (!wire_is(call, !side, turn(call, side), *got_b, bytes, n))
		conn_fail(conn, side, "a wrong byte in message %u of call %u (%s), at %u or behind",
			  turn(call, side), call->number, kinds[call->kind].name, *got_b);
	*got_b += n;
	if (*got_b < wire_message_b(call, !side))
		return;
	*got_b = 0;
	if (side == SERVER)
		server_message(conn, call);
	else
		client_message(conn, call);
}
