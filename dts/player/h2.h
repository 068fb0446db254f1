/* SPDX-License-Identifier: Apache-2.0 */
/* h2.h - the HTTP/2 that both ends of a connection speak: few words, always the same ones. */
#pragma once

#include "player.h"

/* What a segment says. Each is written anew from the same few numbers when it has to be sent
 * again, so that a connection keeps no bytes. */
enum say {
	SAY_NOTHING = 0,
	SAY_HELLO = 1,    /* client: preface and SETTINGS */
	SAY_WELCOME = 2,  /* server: SETTINGS and the ACK of the client's */
	SAY_THANKS = 3,   /* client: the ACK of the server's */
	SAY_ALLOWED = 4,  /* client: a call that the policy allows */
	SAY_DENIED = 5,   /* client: a call that it denies */
	SAY_ANSWER = 6,   /* server: HEADERS, DATA, trailers */
	SAY_CALL_ODD = 7, /* client: a denied call whose path enters the table */
};

/* Who speaks, in which call. */
struct h2_call {
	uint32_t number; /* of the connection */
	uint32_t stream;
	uint32_t indexed; /* denied paths that have entered the client's table */
	bool first;       /* call of the connection: its fields enter the table */
};

/* What a segment has brought, as bits. */
#define H2_SETTINGS 0x01u
#define H2_ACK      0x02u /* of SETTINGS */
#define H2_REQUEST  0x04u /* an allowed call, whole */
#define H2_ANSWER   0x08u /* the right answer to one */
#define H2_FORBID   0x10u /* a 403 */
#define H2_WRONG    0x20u /* something that should not have come */
#define H2_LEAK     0x40u /* a denied call */

void h2_init(void);
/* @return how many bytes it wrote; room for FRAME_DATA_B. */
uint32_t h2_write(enum say say, const struct h2_call *call, uint8_t *to);
uint32_t h2_read_client(const uint8_t *data, uint32_t len_b, const struct h2_call *call);
/* *stream: of the request, if there is one. */
uint32_t h2_read_server(const uint8_t *data, uint32_t len_b, uint32_t number, uint32_t *stream);
