/* SPDX-License-Identifier: Apache-2.0 */
/* h2_priv.h - what the files of lib/h2 share. Not for other libs. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "wk_h2.h"

#define H2_FRAME_HDR_B      9u
#define H2_ID_MASK          0x7fffffffu
#define H2_FRAME_DEFAULT_B  16384u /* SETTINGS_MAX_FRAME_SIZE before any SETTINGS */
#define H2_TABLE_DEFAULT_B  4096u  /* SETTINGS_HEADER_TABLE_SIZE before any SETTINGS */
#define H2_WINDOW_DEFAULT_B 65535u /* INITIAL_WINDOW_SIZE before any SETTINGS */
#define H2_ABSENT           UINT32_MAX
#define H2_NOTES_MAX        16u

enum h2_type {
	H2_DATA = 0x0,
	H2_HEADERS = 0x1,
	H2_PRIORITY = 0x2,
	H2_RST_STREAM = 0x3,
	H2_SETTINGS = 0x4,
	H2_PUSH_PROMISE = 0x5,
	H2_PING = 0x6,
	H2_GOAWAY = 0x7,
	H2_WINDOW_UPDATE = 0x8,
	H2_CONTINUATION = 0x9,
	H2_PRIORITY_UPDATE = 0x10, /* RFC 9218 */
};

#define H2_FLAG_END_STREAM  0x01u
#define H2_FLAG_ACK         0x01u
#define H2_FLAG_END_HEADERS 0x04u
#define H2_FLAG_PADDED      0x08u
#define H2_FLAG_PRIORITY    0x20u

struct h2_frame {
	uint32_t len_b; /* of the payload */
	uint8_t type;
	uint8_t flags;
	uint32_t id; /* without the reserved bit */
};

/* What one SETTINGS frame said; takes effect at its ACK. H2_ABSENT: said nothing. A frame may
 * give HEADER_TABLE_SIZE twice, and the smallest value counts as well (RFC 7541 4.2). */
struct h2_note {
	uint32_t table_min_b;
	uint32_t table_last_b;
	uint32_t streams;
	uint32_t window_b;
};

/* SETTINGS that wait for their ACK, oldest first. */
struct h2_notes {
	struct h2_note *v; /* H2_NOTES_MAX of them, while any waits */
	uint8_t head;
	uint8_t n;
};

struct h2_ticket;

struct h2_stream {
	uint32_t id;
	bool client_ended;
	bool server_ended;
	bool answered;            /* response headers have gone to the client */
	struct h2_ticket *ticket; /* what the call can be judged by again, or NULL */
	int64_t granted_b;        /* WINDOW_UPDATEs of the client less the server's DATA */
	int64_t left_b;           /* of the content-length, -1: there is none */
};

/* The open allowed streams, sorted by id: new ids are always the highest. */
struct h2_streams {
	struct h2_stream *v;
	uint32_t n;
	uint32_t cap;
};

/* Something to tell the client about one stream, once there is room. */
struct h2_answer {
	STAILQ_ENTRY(h2_answer) next;
	uint32_t id;
	bool rst_only; /* RST_STREAM(code) instead of a reply */
	bool bare;     /* not a gRPC request: :status 403 alone */
	bool client_ended;
	/* The end of a running call. In conn->revoked the server has still to be told. */
	bool revoked;
	bool trailers; /* response headers have gone before */
	bool sent;     /* RST_STREAM has gone to the server, */
	bool asked;    /* and a PING behind it */
	bool mute;     /* the client wants no answer any more */
	uint8_t code;
	uint8_t reply; /* enum wk_h2_reply */
	uint8_t grpc_status;
	uint8_t message_len_b;
	char message[]; /* percent-encoded */
};
STAILQ_HEAD(h2_answers, h2_answer);

enum h2_c2s_state {
	H2_C2S_PREFACE = 0,
	H2_C2S_SETTINGS = 1, /* the first frame */
	H2_C2S_FRAMES = 2,
};

struct h2_seen_block;

/* What every feed looks at stands in the first two lines of the processor's caches. Not above 256
 * bytes: the next size that the arena has is 512. */
struct wk_h2_conn {
	enum wk_h2_error error;
	/* client to server */
	enum h2_c2s_state c2s_state;
	enum wk_op_kind data_op; /* for the rest of the DATA frame at hand: PASS or DEL */
	uint32_t data_left_b;
	uint64_t held_ns; /* since when something is held, 0 if nothing is */
	/* server to client */
	uint32_t left_b;         /* of the frame at hand */
	enum wk_op_kind left_op; /* for the rest of it: PASS or DEL */
	uint32_t block_id;       /* while in_block */
	uint32_t highest_id;     /* of any HEADERS of the client */
	bool deleting;
	bool reencoding;
	bool table_emptied; /* our size update 0 has gone to the server */
	bool table_moved;   /* by SETTINGS since the last header block of the client */
	bool settings_passed;
	bool in_block;         /* of the server: from HEADERS to the end of its last CONTINUATION */
	bool reply_update_due; /* the next block to the client begins with a size update */
	bool revoking;         /* has ever ended a call because of a reload */
	struct h2_streams streams;

	struct h2_seen_block *seen;    /* requests that need not be decoded, latest first */
	nghttp2_hd_inflater *inflater; /* of the client's header blocks; NULL: folded */
	struct h2_answers answers;     /* towards the client */
	struct h2_answers revoked;     /* calls that a reload ends: the server may still speak */
	uint64_t mark;                 /* of our PINGs */
	uint64_t revoked_ns;           /* since when one waits, 0: none does */
	uint32_t credit_b;             /* deleted DATA, not yet given back */
	uint32_t server_credit_b;      /* the same of the server's */
	int64_t granted_b;             /* as that of a stream, for the whole connection */

	/* Rarely looked at from here on. */
	uint32_t window_b;     /* the client's INITIAL_WINDOW_SIZE */
	uint32_t forwarded_id; /* the highest of any HEADERS that went to the server */
	uint32_t max_frame_b;  /* largest MAX_FRAME_SIZE the server ever announced */
	uint32_t max_streams;  /* the server's, as acknowledged */
	uint32_t allowed_calls;
	uint32_t denied_calls;
	uint32_t tokens; /* token bucket of control frames */
	uint32_t n_answers;
	uint64_t tokens_ns;
	uint8_t *folded; /* the block that makes the table anew; NULL: an empty one */
	uint32_t folded_b;
	uint32_t table_b; /* the server's HEADER_TABLE_SIZE, as acknowledged */
	struct h2_notes server_notes;
	struct h2_notes client_notes;
	uint32_t promised_id;
	uint32_t goaway_last;
	uint32_t reply_table_b; /* upper bound of the client's decoder table */
	uint32_t reply_update_min_b;
	bool ping_out; /* a PING of ours waits for its ACK */
};

#define H2_CONN_HOT_B 192u
_Static_assert(sizeof(struct wk_h2_conn) <= 256, "twice the memory for each connection");

/* A decoded header block, in the lcore's scratch. */
struct h2_list {
	nghttp2_nv *nv;
	uint32_t n;
	uint32_t text_b; /* used of the text buffer */
	bool over;       /* above a limit: decoded to its end, but not kept */
};

struct wk_h2_lcore {
	nghttp2_mem mem;
	nghttp2_hd_deflater *deflater;
	uint32_t block_cap_b;
	uint32_t text_cap_b;
	uint32_t nv_cap;
	uint32_t encoded_cap_b;
	uint32_t out_cap_b;
	uint8_t *block;   /* joined fragments */
	uint8_t *text;    /* names and values of list */
	uint8_t *encoded; /* a re-encoded block */
	uint8_t *out;     /* bytes of the REPL or PATCH under way */
	struct h2_list list;
};

/* One call of wk_h2_feed: the bytes left to judge. */
struct h2_cut {
	struct wk_h2_conn *conn;
	const struct wk_h2_env *env;
	const uint8_t *data;
	uint32_t len_b;
	const uint8_t *gone_end; /* what lies below may have gone out already */
	struct wk_op_list *ops;
};

enum h2_step {
	H2_NEXT = 0, /* covered something: go on */
	H2_MORE = 1, /* hold the rest */
	H2_STOP = 2, /* covered something: return first */
	H2_FAIL = 3, /* conn->error is set */
};

/* Operations one step may append. */
#define H2_STEP_OPS 2u

/* A complete header block: HEADERS and its CONTINUATIONs. */
struct h2_block {
	uint32_t id;
	bool end_stream;
	bool has_priority;
	uint8_t priority[5];
	uint32_t raw_b; /* on the wire, frame headers included */
	const uint8_t *fragment;
	uint32_t fragment_b;
};

static inline uint32_t h2_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void h2_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline void h2_get_frame(const uint8_t *p, struct h2_frame *f)
{
	f->len_b = h2_get32(p) >> 8;
	f->type = p[3];
	f->flags = p[4];
	f->id = h2_get32(p + 5) & H2_ID_MASK;
}

/* @return where the payload goes. */
static inline uint8_t *h2_put_frame(uint8_t *p, uint32_t len_b, enum h2_type type, uint32_t flags,
				    uint32_t id)
{
	h2_put32(p, len_b << 8 | (uint32_t)type);
	p[4] = (uint8_t)flags;
	h2_put32(p + 5, id);
	return p + H2_FRAME_HDR_B;
}

/* Covers the next n bytes (none if n is 0). */
static inline void h2_take(struct h2_cut *cut, enum wk_op_kind kind, uint32_t n, bool boundary)
{
	if (n == 0)
		return;
	wk_op_push(cut->ops, kind, n, boundary);
	cut->data += n;
	cut->len_b -= n;
}

/* error.c */
enum h2_step h2_fail(struct h2_cut *cut, enum wk_h2_error error);

/* flood.c */
bool h2_charge(struct wk_h2_conn *conn, const struct wk_h2_env *env);
void h2_reward(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint32_t tokens);

/* preface.c, frames_c2s.c, frames_s2c.c, block.c, control.c */
enum h2_step h2_preface_step(struct h2_cut *cut);
enum h2_step h2_c2s_step(struct h2_cut *cut);
enum h2_step h2_s2c_step(struct h2_cut *cut);
enum h2_step h2_block_step(struct h2_cut *cut, const struct h2_frame *f);
enum h2_step h2_control_step(struct h2_cut *cut, const struct h2_frame *f);
/* No HEADERS and no PUSH_PROMISE has opened this stream or a later one of its kind. */
bool h2_is_idle(const struct wk_h2_conn *conn, uint32_t id);

/* inflate.c: decodes into env->lcore->list. @return 0, or the error that ends the connection. */
enum wk_h2_error h2_inflate(struct wk_h2_conn *conn, const struct wk_h2_env *env,
			    const uint8_t *block, uint32_t len_b);

/* fold.c: makes the decoder, if there is none. @return false when out of memory. */
bool h2_unfold(struct wk_h2_conn *conn, const struct wk_h2_env *env);
void h2_fold_free(struct wk_h2_conn *conn, struct wk_mem *mem);

/* scan.c: reads the representations of a block without decoding them. */
enum h2_scan {
	H2_SCAN_CLEAN = 0,   /* leaves the dynamic table as it is */
	H2_SCAN_CHANGES = 1, /* inserts an entry or changes the table's size */
	H2_SCAN_ODD = 2,     /* not what an encoder writes: cannot be read, or not minimal */
};
enum h2_scan h2_scan_block(const uint8_t *block, uint32_t len_b);

/* request.c. @return CALL_ALLOWED for a well-formed request, or what is wrong first. */
enum wk_call_reason h2_request_parse(const struct h2_list *list, bool end_stream,
				     struct wk_h2_request *request);
bool h2_has_pseudo(const struct h2_list *list);

/* seen.c: blocks that need not be decoded again. What is known of one: */
struct h2_seen {
	struct h2_ticket *ticket; /* shared with the streams, or NULL */
	int64_t length_b;         /* content-length, or -1 */
	uint32_t note;            /* of the decide hook */
};
/* Only for a block that opens a stream. @return NULL if it has not been seen. */
const struct h2_seen *h2_seen_find(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				   const struct h2_block *block);
/* The block was decoded, has changed nothing, and is allowed. The ticket stays the caller's. */
void h2_seen_keep(struct wk_h2_conn *conn, const struct wk_h2_env *env,
		  const struct h2_block *block, const struct h2_seen *known);
/* The table is no longer what it was, or blocks must be decoded from here on. */
void h2_seen_empty(struct wk_h2_conn *conn, struct wk_mem *mem);

/* reencode.c: builds the frames for env->lcore->list in lcore->out. @return their length, 0 on
 * failure. */
uint32_t h2_reencode(struct wk_h2_conn *conn, const struct wk_h2_env *env,
		     const struct h2_block *block);

/* ticket.c: what is kept of an open call's request. NULL where nothing is to be kept, or it is too
 * large, or there is no memory. */
struct h2_ticket *h2_ticket_keep(const struct wk_h2_env *env);
/* Each share is freed by itself. NULL is fine. */
void h2_ticket_share(struct h2_ticket *ticket);
void h2_ticket_free(struct h2_ticket *ticket, struct wk_mem *mem);
/* Puts the request back into lcore->list. @return false if it was not kept. */
bool h2_ticket_list(const struct h2_ticket *ticket, struct wk_h2_lcore *lcore);

/* revoke.c: the ends of running calls. */
struct h2_answer *h2_revoked_find(const struct wk_h2_conn *conn, uint32_t id);
/* The server will not say anything any more on the streams it was asked about (all: or it had time
 * enough): their clients can be told. */
void h2_revoked_release(struct wk_h2_conn *conn, const struct wk_h2_env *env, bool all);
/* Ours: behind the RST_STREAM frames. */
bool h2_revoked_is_ack(const struct wk_h2_conn *conn, const struct h2_frame *f,
		       const uint8_t *payload);
uint64_t h2_revoked_due(const struct wk_h2_conn *conn, const struct wk_h2_limits *limits);
void h2_revoked_overdue(struct wk_h2_conn *conn, const struct wk_h2_env *env);

/* streams.c */
struct h2_stream *h2_stream_find(struct h2_streams *streams, uint32_t id);
/* ticket: taken over unless it fails; may be NULL. */
struct h2_stream *h2_stream_add(struct h2_streams *streams, struct wk_mem *mem, uint32_t id,
				bool client_ended, struct h2_ticket *ticket);
/* More of the body, or the end of it. @return false when that is not what content-length says. */
bool h2_stream_body(struct h2_stream *stream, uint32_t body_b, bool end);
void h2_streams_free(struct h2_streams *streams, struct wk_mem *mem);
void h2_stream_remove(struct h2_streams *streams, struct wk_mem *mem, struct h2_stream *stream);
void h2_stream_client_ended(struct h2_streams *streams, struct wk_mem *mem,
			    struct h2_stream *stream);
void h2_stream_server_ended(struct h2_streams *streams, struct wk_mem *mem,
			    struct h2_stream *stream);

/* settings.c */
enum wk_h2_error h2_settings_client(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				    const uint8_t *payload, uint32_t len_b);
enum wk_h2_error h2_settings_server(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				    const uint8_t *payload, uint32_t len_b, bool clamped);
enum wk_h2_error h2_settings_client_ack(struct wk_h2_conn *conn, const struct wk_h2_env *env);
void h2_settings_server_ack(struct wk_h2_conn *conn, struct wk_mem *mem);
void h2_notes_free(struct h2_notes *notes, struct wk_mem *mem);

/* reply.c */
enum wk_h2_error h2_answer_deny(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				const struct wk_h2_request *request,
				const struct wk_h2_decision *decision);
/* Ends the running call of a stream: the answer waits in conn->revoked. */
enum wk_h2_error h2_answer_revoke(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				  const struct h2_stream *stream,
				  const struct wk_h2_decision *decision);
/* One that waits, in either list. */
struct h2_answer *h2_answer_find(const struct wk_h2_conn *conn, uint32_t id);
void h2_answer_drop(struct wk_h2_conn *conn, struct wk_mem *mem, struct h2_answers *list,
		    struct h2_answer *answer);
enum wk_h2_error h2_answer_rst(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint32_t id,
			       enum wk_h2_code code);
void h2_answers_forget(struct wk_h2_conn *conn, struct wk_mem *mem, uint32_t id);
void h2_answers_above(struct wk_h2_conn *conn, struct wk_mem *mem, uint32_t last);
void h2_answers_ended(struct wk_h2_conn *conn, uint32_t id);
bool h2_wants_insertion(const struct wk_h2_conn *conn, const struct wk_h2_env *env);
