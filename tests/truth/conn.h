/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - one connection: a client whose header blocks are written by hand, a real server.
 *
 * The client is a session of libnghttp2, which keeps the streams, the windows and the SETTINGS, and
 * which reads everything that arrives; of what it writes, each header block is replaced by one that
 * encoder.h has written of the call's own fields. The server is a session of libnghttp2 as it is.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "box.h"
#include "plan.h"

#define TRUTH_CALLS    24u
#define TRUTH_NOTES    16u
#define TRUTH_SETTINGS 4u /* frames of one side */
#define TRUTH_WHIMS    40u

/* How a connection behaves. */
struct truth_style {
	uint32_t calls;
	uint32_t segment_b; /* the longest */
	bool messy;         /* segments come twice and out of order */
};

/* A frame header in a stream that arrives. */
struct truth_frame {
	uint32_t len_b;
	uint8_t type;
	uint8_t flags;
	uint32_t id;
};

struct truth_conn {
	struct truth_box *box;
	uint32_t number;
	struct sim_rng rng;
	struct truth_style style;
	struct truth_words words;
	enum wk_policy_reply reply;
	uint32_t n_calls; /* begun */
	uint32_t header_b;
	struct truth_call call[TRUTH_CALLS];
	struct h2_bytes talk[WK_DIRS]; /* everything that is said */
	uint32_t sent_b[WK_DIRS];
	uint32_t read_b[WK_DIRS];   /* of what has arrived: shown to the session */
	uint32_t walked_b[WK_DIRS]; /* and where its next frame begins */
	uint32_t frame_b;           /* where the last frame begins that the server was sent */
	uint32_t acked_b[WK_DIRS];
	uint32_t stalled[WK_DIRS];
	struct h2_bytes want; /* what the server has to decode, as text */
	struct h2_bytes got;  /* what it has decoded */

	/* the client */
	nghttp2_session *client;
	struct h2_bytes raw; /* of the session, not rewritten yet */
	bool magic_seen;
	struct truth_encoder enc;
	uint32_t n_notes; /* SETTINGS of the server that wait for their ACK: smallest, last table */
	uint32_t note[TRUTH_NOTES][2];
	uint32_t client_settings;
	uint32_t whims[WK_DIRS]; /* frames that nothing asked for, of either side */

	/* the server */
	nghttp2_session *server;
	uint32_t server_settings;
	struct h2_bytes announced; /* for the dump: its SETTINGS, a line each */
};

struct truth_call *truth_find(struct truth_conn *conn, uint32_t id);
/* "H id" or "T id", then a line for each field; '!' marks one that is never indexed. */
void truth_put_block(struct h2_bytes *to, char kind, uint32_t id);
void truth_put_line(struct h2_bytes *to, const void *name, size_t name_b, const void *value,
		    size_t value_b, bool never);
/* The next frame header of what has arrived at dir's receiver. */
bool truth_walk(struct truth_conn *conn, enum wk_dir dir, struct truth_frame *frame);
uint64_t truth_hash(uint64_t hash, const void *name, size_t name_b, const void *value,
		    size_t value_b);

/* client.c */
void truth_client_init(struct truth_conn *conn);
/* Something new to say, or a change of mind. */
void truth_client_act(struct truth_conn *conn);
void truth_client_read(struct truth_conn *conn);
void truth_client_write(struct truth_conn *conn);

/* server.c */
void truth_server_init(struct truth_conn *conn);
void truth_server_act(struct truth_conn *conn);
void truth_server_read(struct truth_conn *conn);
void truth_server_write(struct truth_conn *conn);

/* conn.c */
void truth_conn_init(struct truth_conn *conn, struct truth_box *box, uint32_t number,
		     const struct truth_style *style, enum wk_policy_reply reply,
		     struct sim_rng rng);
void truth_conn_fini(struct truth_conn *conn);
/* One thing happens. */
void truth_conn_step(struct truth_conn *conn);
bool truth_conn_quiet(struct truth_conn *conn);
/* It should be quiet by now: says what is not. */
void truth_conn_hangs(struct truth_conn *conn);
/* Everything has been said: is it as it should be? */
void truth_conn_judge(struct truth_conn *conn);
