/* SPDX-License-Identifier: Apache-2.0 */
/* block.h - header blocks: made by nghttp2's encoder, compared byte by byte where they arrive.
 *
 * Requests that do not differ from call to call have the same bytes on each connection, once for
 * its first call and once for all others, and so have answers: encoded once. A traceparent or a
 * grpc-timeout enters the table and shifts it: such a run has an encoder for each connection. A
 * server that is sent other bytes than the client wrote takes them only if they begin by emptying
 * the table, as one must who writes blocks anew; from then on it decodes, and compares fields. */
#pragma once

#include "conn.h"

#define BLOCK_MAX_B 512u

/* Which blocks have been said in a direction. */
#define TABLE_HEAD 1u
#define TABLE_TAIL 2u

struct block {
	const uint8_t *bytes;
	uint32_t len_b;
};

void block_create(uint32_t n);
void block_free(void);
/* Does the client's encoding differ from call to call in this run? */
bool block_varies(void);
/* To be called in the order in which blocks are sent. @return which one: see block_of(). */
uint8_t block_request(struct conn *conn, struct call *call);
/* The same for answers; what: ITEM_HEAD or ITEM_TAIL. Also in the order in which they arrive. */
uint8_t block_answer(uint8_t *table, uint32_t what);
/* The bytes of what these have chosen. */
struct block block_of_request(const struct conn *conn, const struct call *call, uint8_t variant);
struct block block_of_answer(uint32_t what, uint8_t variant);
/* A request's block at the server; ends the process unless it is right. */
void block_check_request(struct conn *conn, const struct call *call, const uint8_t *bytes,
			 uint32_t len_b);
/* The 403 at the client. */
void block_check_denial(const struct conn *conn, const uint8_t *bytes, uint32_t len_b);
