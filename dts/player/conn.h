/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - TCP connections between our two ends, without sockets. 64 bytes each.
 *
 * Each end has one segment under way at most, and makes it anew when it must be sent again. What
 * comes out of order is not kept. */
#pragma once

#include "h2.h"

enum step {
	STEP_NONE = 0,
	STEP_OPEN = 1,  /* the handshake */
	STEP_HELLO = 2, /* preface, SETTINGS of both sides and their ACKs */
	STEP_CALL = 3,
	STEP_DENIED = 4,
	STEP_CLOSE = 5, /* the client's RST */
};

struct conn_end {
	uint32_t nxt, una, rcv;
	uint32_t said; /* enum say: the last segment */
};

struct conn {
	struct conn_end end[SIDES];
	uint64_t due_ns;
	uint32_t stream;     /* of the client's call */
	uint32_t srv_stream; /* of the server's answer */
	uint16_t calls;
	uint16_t indexed;
	uint8_t step; /* enum step, while it is under way */
	uint8_t tries;
	uint8_t bits[SIDES]; /* H2_*: what has come in this step */
	bool opened, closed; /* as the server sees it */
	bool failed;
};

void conn_init(uint32_t n);
struct conn *conn_at(uint32_t number);
/* Begins a step of a connection. Its client has room for one frame. */
void conn_begin(uint32_t number, enum step step);
/* The step has come to its good end. */
bool conn_done(const struct conn *conn);
/* Sends again what may be lost. */
void conn_again(uint32_t number);
/* A segment between the addresses of our connections. @return false: it is not. */
bool conn_input(enum side at, const struct tcp *tcp);
/* Whose segment it is. @return false: not of one of ours. */
bool conn_number(enum side at, const struct tcp *tcp, uint32_t *number);
void conn_ack(uint32_t number, enum side from);
/* Sends a segment of the client with the numbers of a connection but for seq. */
void conn_send_at(uint32_t number, uint32_t seq, uint8_t flags, const uint8_t *data,
		  uint32_t data_b);
