/* SPDX-License-Identifier: Apache-2.0 */
/* server_side.h - header blocks as text, what a client has said by a reading of its bytes that
 * shares nothing with the box but libnghttp2's HPACK, and a server that is libnghttp2 as it is. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "h2_kit.h"

#define BLOCKS_MAX 512u

/* A line for each field; '!' marks one that is never indexed. */
struct block_list {
	struct h2_bytes text;
	uint32_t n;
	struct {
		uint32_t id;
		bool request; /* else trailers */
		size_t from;
		size_t to;
	} block[BLOCKS_MAX];
};

void block_begin(struct block_list *list, uint32_t id, bool request);
void block_field(struct block_list *list, const nghttp2_nv *nv);
void block_end(struct block_list *list);
void block_list_fini(struct block_list *list);

/* What the client has said, read from its first byte on. settings: the HEADER_TABLE_SIZEs that it
 * was told, smallest and last of each SETTINGS frame in turn, taken at its ACKs. Ends at the first
 * thing that cannot be. */
void model_read(const uint8_t *bytes, size_t n, const uint32_t (*settings)[2], uint32_t n_settings,
		struct block_list *list);

#define SERVER_EXTENSION 1 /* fault_error: settings that the box knows nothing of */

struct server_side {
	nghttp2_session *session;
	struct block_list got;
	struct h2_bytes announced; /* a line for each SETTINGS, for servers of another make */
	uint32_t read_b;           /* of what has arrived */
	uint32_t n_open;
	uint32_t open[BLOCKS_MAX]; /* requests without an answer */
	uint32_t n_reset;
	uint32_t reset[BLOCKS_MAX]; /* by it, or turned away */
	bool told_off;              /* the client has said GOAWAY: the library takes nothing new */
	const char *fault;          /* it met something that no server should, */
	uint8_t fault_type;         /* in a frame of this type (or in one it sent), */
	uint32_t fault_id;          /* on this stream, */
	int fault_error;            /* of the library's, or GOAWAY's code; 0 for others */
};

void server_init(struct server_side *server);
void server_fini(struct server_side *server);
void server_read(struct server_side *server, const uint8_t *bytes, uint32_t n);
void server_write(struct server_side *server, struct h2_bytes *to);
void server_answer(struct server_side *server, uint8_t which, bool whole);
void server_reset(struct server_side *server, uint8_t which);
void server_settings(struct server_side *server, uint8_t what);
bool server_has_reset(const struct server_side *server, uint32_t id);
