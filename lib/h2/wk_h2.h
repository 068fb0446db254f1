/* SPDX-License-Identifier: Apache-2.0 */
/* wk_h2.h - the HTTP/2 inspector: one connection, both directions (RFC 9113, RFC 7541).
 *
 * It is shown the in-order bytes of each direction, asks a decision for each request, and answers
 * with operations (wk_op.h): pass, pin, delete, replace. What it wants to say to the client (the
 * reply to a denied call, RST_STREAM, WINDOW_UPDATE credit) waits in the connection until it is
 * pulled at a place where frames may be inserted. A pure function of the bytes: shown a stream
 * whole or one byte at a time, it says the same.
 *
 * Client to server, each frame header, header block and control frame is pinned, DATA payload
 * passes, frames of denied streams are deleted; a header block is held until it is complete. Server
 * to client everything passes, but for a HEADER_TABLE_SIZE above 4096 in SETTINGS, which is
 * patched unless it has gone out already: then the decoder follows it, up to a limit.
 *
 * Knows no TCP and no policy. Owner: one lcore, that of `lcore`. Memory: about 700 bytes, the HPACK
 * decoder (1.3 to 16 KiB), 32 bytes an open stream and about 64 a waiting reply, from env->mem. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wk_dir.h"
#include "wk_mem.h"
#include "wk_op.h"
#include "wk_stats.h"

struct wk_h2_conn;
struct wk_h2_lcore;

/* Error codes of RFC 9113 section 7. */
enum wk_h2_code {
	WK_H2_NO_ERROR = 0x0,
	WK_H2_PROTOCOL_ERROR = 0x1,
	WK_H2_INTERNAL_ERROR = 0x2,
	WK_H2_FLOW_CONTROL_ERROR = 0x3,
	WK_H2_SETTINGS_TIMEOUT = 0x4,
	WK_H2_STREAM_CLOSED = 0x5,
	WK_H2_FRAME_SIZE_ERROR = 0x6,
	WK_H2_REFUSED_STREAM = 0x7,
	WK_H2_CANCEL = 0x8,
	WK_H2_COMPRESSION_ERROR = 0x9,
	WK_H2_CONNECT_ERROR = 0xa,
	WK_H2_ENHANCE_YOUR_CALM = 0xb,
};

/* Why a connection ended here. X(SYMBOL, key, text) */
#define WK_H2_ERRORS(X)                                                                            \
	X(OK, ok, "no error")                                                                      \
	X(NOT_H2_HTTP1, not_h2_http1, "HTTP/1 on a guarded port")                                  \
	X(NOT_H2_TLS, not_h2_tls, "TLS on a guarded port")                                         \
	X(NOT_H2, not_h2, "neither HTTP/2, HTTP/1 nor TLS")                                        \
	X(PREFACE, h2_preface, "the first frame is not SETTINGS")                                  \
	X(SEQUENCE, h2_seq, "a frame inside a header block, or CONTINUATION outside")              \
	X(FRAME_SIZE, h2_size, "a frame of a length its type does not allow")                      \
	X(PADDING, h2_pad, "padding beyond the frame")                                             \
	X(STREAM_ID, h2_stream_id, "a stream identifier that may not be used here")                \
	X(TRAILERS, h2_trailers, "trailers with a pseudo-header or without END_STREAM")            \
	X(STREAM_CLOSED, h2_stream_closed, "a frame on a half-closed stream")                      \
	X(SETTINGS, h2_settings, "a SETTINGS frame or value that is not allowed")                  \
	X(PUSH, h2_push, "PUSH_PROMISE from a client")                                             \
	X(WINDOW, h2_window, "WINDOW_UPDATE of zero")                                              \
	X(FLOW_CONTROL, h2_flow_control, "a window beyond the largest")                            \
	X(HPACK, hpack_error, "a header block that does not decode")                               \
	X(TABLE_CAP, hpack_table_cap, "a header table above its limit")                            \
	X(BLOCK_CAP, hdr_block_cap, "a header block above its limit")                              \
	X(CONTINUATION_CAP, continuation_cap, "too many CONTINUATION frames")                      \
	X(FLOOD, flood_ctl, "too many control frames")                                             \
	X(QUEUE_CAP, inj_queue_full, "too many replies waiting for room")                          \
	X(MEMORY, h2_memory, "out of memory for the connection's state")                           \
	X(SERVER, h2_server, "the server's frames cannot be followed")                             \
	X(HOLD_TIME, hdr_timeout, "a frame or header block that took too long to complete")        \
	X(LENGTH, h2_length, "DATA that does not come to the content-length")                      \
	X(POLICY, h2_policy, "a denied call, and the policy wants the connection reset")

#define WK_H2_ERROR_ENUM(sym, key, text) WK_H2_E_##sym,
enum wk_h2_error { WK_H2_ERRORS(WK_H2_ERROR_ENUM) WK_H2_E_MAX };
const char *wk_h2_error_key(enum wk_h2_error error);
const char *wk_h2_error_text(enum wk_h2_error error);

struct wk_h2_limits {
	uint32_t block_b;         /* encoded header block, joined */
	uint32_t continuations;   /* CONTINUATION frames of one block */
	uint32_t header_list_b;   /* decoded header list (RFC 9113 6.5.2: name + value + 32) */
	uint32_t fields;          /* header fields of one block */
	uint32_t streams;         /* open allowed streams */
	uint32_t pending;         /* replies waiting for room */
	uint32_t control_per_s;   /* token bucket: control frames a second */
	uint32_t control_burst;   /* and at once */
	uint32_t control_frame_b; /* a held frame that is neither HEADERS nor DATA */
	uint32_t credit_b;        /* coalescing of connection-window credit (16 KiB) */
	uint32_t table_b;         /* HPACK table, where the client has read more than 4096 */
	uint32_t ticket_b; /* kept of an open call's request, to judge it again; 0: nothing */
	/* Header blocks of allowed requests that a connection remembers, 0: none; and their length.
	 */
	uint32_t seen_blocks;
	uint32_t seen_block_b;
	uint64_t revoke_ns; /* time that a server has for the end of a running call */
	bool reencode;      /* every header block to the server is written anew */
	uint64_t rest_ns;   /* quiet time after which wk_h2_fold is worth it */
	uint64_t hold_ns;   /* longest time a client may take over what is held; 0: any */
};
extern const struct wk_h2_limits wk_h2_limits_default;

struct wk_h2_str {
	const char *s; /* not NUL-terminated */
	uint32_t len_b;
};

/* A well-formed request, for the duration of the decide hook. Fields that are absent have
 * s == NULL. */
struct wk_h2_request {
	uint32_t stream_id;
	bool end_stream;
	struct wk_h2_str method;
	struct wk_h2_str path; /* the only :path, exact bytes */
	struct wk_h2_str scheme;
	struct wk_h2_str authority;
	struct wk_h2_str content_type;
	struct wk_h2_str host;
	bool te_trailers;  /* the only thing that te may say */
	int64_t length_b;  /* content-length, -1 for none */
	uint32_t n_fields; /* of the whole list, pseudo-header fields included */
	const void *fields;
};
/* The i-th field of a request, for the duration of the decide hook. */
void wk_h2_request_field(const struct wk_h2_request *request, uint32_t i, struct wk_h2_str *name,
			 struct wk_h2_str *value);

enum wk_h2_verdict {
	WK_H2_ALLOW = 0,
	WK_H2_DENY = 1,  /* delete it and reply as the decision says */
	WK_H2_RESET = 2, /* end the connection */
};

enum wk_h2_reply {
	WK_H2_REPLY_HTTP_403 =
		0,            /* :status 403 with grpc-status 7 (bare 403 for a non-gRPC request) */
	WK_H2_REPLY_GRPC = 1, /* :status 200 with grpc-status 7 */
};

#define WK_H2_MESSAGE_MAX_B 126u

struct wk_h2_decision {
	enum wk_h2_verdict verdict;
	enum wk_h2_reply reply;
	uint8_t grpc_status;                   /* 7, PERMISSION_DENIED */
	char message[WK_H2_MESSAGE_MAX_B + 1]; /* plain text; percent-encoded on the way out */
	/* Of an allowed request: whenever the same comes again on this connection, with version and
	 * scope of the env the same, it is allowed as well, and the repeated hook gets the note. */
	bool again;
	uint32_t note;
};

/* A request that is refused without asking (malformed, over a limit), for the observer. Calls are
 * counted by the hooks' owner: the inspector counts frames and connection errors only. */
struct wk_h2_refusal {
	uint32_t stream_id;
	enum wk_call_reason reason;
	struct wk_h2_str path; /* may be absent */
};

struct wk_h2_hooks {
	/* Judges one request. Fills *decision (preset to DENY, HTTP_403, 7, ""). */
	void (*decide)(void *user, const struct wk_h2_request *request,
		       struct wk_h2_decision *decision);
	/* Instead of decide. May be NULL where no decision says again. */
	void (*repeated)(void *user, uint32_t stream_id, uint32_t note);
	/* May be NULL. */
	void (*refused)(void *user, const struct wk_h2_refusal *refusal);
	/* As decide, for a call that is running. One that was not kept has no path: it cannot be
	 * judged. May be NULL where limits.ticket_b is 0. */
	void (*review)(void *user, const struct wk_h2_request *request,
		       struct wk_h2_decision *decision);
};

struct wk_h2_env {
	uint64_t now_ns;
	struct wk_mem *mem;
	struct wk_stats *stats;
	const struct wk_h2_limits *limits;
	const struct wk_h2_hooks *hooks;
	struct wk_h2_lcore *lcore;
	/* Nothing may be changed: every verdict counts as ALLOW, a refused request passes, nothing
	 * becomes pending, no value is patched. */
	bool passive;
	/* Of the bytes shown to wk_h2_feed: those at or beyond this place have not gone out yet.
	 * Others may have, and cannot be changed. */
	uint32_t gone_b;
	/* What the decide hook judges by: it says the same of the same request as long as both are.
	 */
	uint64_t version;
	uint32_t scope;
	/* Random, for wk_h2_review alone: what the connection's PINGs to the server say, so that no
	 * client can send one that says the same. */
	uint64_t mark;
	void *user;
};

/* Scratch space and the shared stateless encoder (nghttp2_hd_deflate, table size 0) of one lcore.
 * Made at start-up, from mem. @return NULL when out of memory. */
struct wk_h2_lcore *wk_h2_lcore_create(struct wk_mem *mem, const struct wk_h2_limits *limits);
void wk_h2_lcore_free(struct wk_h2_lcore *lcore, struct wk_mem *mem);

/* @return NULL when out of memory. */
struct wk_h2_conn *wk_h2_create(const struct wk_h2_env *env);
void wk_h2_free(struct wk_h2_conn *conn, struct wk_mem *mem);

/* Has the processor fetch what the next feed will look at. */
void wk_h2_prefetch(const struct wk_h2_conn *conn);

/* Has memory that wk_h2_fold could give back, at the price of making it anew at the next call. */
bool wk_h2_awake(const struct wk_h2_conn *conn);
/* Packs what is kept between header blocks: worth it after a while without any. Where it cannot,
 * nothing changes. */
void wk_h2_fold(struct wk_h2_conn *conn, struct wk_mem *mem);

/* Judges data[len_b], the in-order bytes of dir from the first one not yet covered by an operation.
 * Fills ops as wk_op.h says (n, to_boundary_b and pass_b included). As long as it covers something,
 * call it again with the rest: it returns after a REPL or PATCH (their bytes live in the lcore's
 * scratch), at a boundary where something may be inserted, and in front of a fault, which the next
 * call tells.
 * @return 0, or -1 when the connection must end: wk_h2_error and wk_h2_farewell tell why. */
int wk_h2_feed(struct wk_h2_conn *conn, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
	       const struct wk_h2_env *env, struct wk_op_list *ops);

/* Bytes of the next frames that wait to be inserted towards the client, 0 if none may be inserted
 * now (none waits, the server's SETTINGS has not passed, the server is between HEADERS and
 * CONTINUATION, or the client knows better after a GOAWAY). */
uint32_t wk_h2_pending(const struct wk_h2_conn *conn, const struct wk_h2_env *env);
/* Writes waiting frames, whole replies only, into buf[room_b]. @return bytes written. */
uint32_t wk_h2_pull(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint8_t *buf,
		    uint32_t room_b);

/* The client has finished: what is held of its frames will never be complete, and is gone. */
void wk_h2_finished(struct wk_h2_conn *conn);

/* Something happens at this time unless bytes come before: what has been held for too long ends the
 * connection when it is shown again, a server that does not confirm the end of a call is waited for
 * no longer. UINT64_MAX: nothing does. */
uint64_t wk_h2_deadline(const struct wk_h2_conn *conn, const struct wk_h2_limits *limits);
/* At that time. What becomes pending may be pulled then. */
void wk_h2_timer(struct wk_h2_conn *conn, const struct wk_h2_env *env);

/* Judges the running calls again, and ends those that may not go on: RST_STREAM to the server, and
 * when that has said its last on the stream, trailers with the decision's status to the client.
 * Not for a passive connection. Between two feeds. From the first call ended on, nothing of the
 * server's may go on before it has been judged.
 * @return how many have been ended. */
uint32_t wk_h2_review(struct wk_h2_conn *conn, const struct wk_h2_env *env);
/* As wk_h2_pending and wk_h2_pull, for frames to the server. */
uint32_t wk_h2_server_pending(const struct wk_h2_conn *conn, const struct wk_h2_env *env);
uint32_t wk_h2_server_pull(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint8_t *buf,
			   uint32_t room_b);

enum wk_h2_error wk_h2_error(const struct wk_h2_conn *conn);
/* What to tell the client before the connection ends: GOAWAY with the highest stream that went to
 * the server, or an HTTP/1.1 403. @return its length, 0 if nothing may be said. */
uint32_t wk_h2_farewell(const struct wk_h2_conn *conn, uint8_t *buf, uint32_t room_b);

/* For the flow list. */
struct wk_h2_info {
	uint32_t open_streams;
	uint32_t highest_id;
	uint32_t denied_calls;
	uint32_t allowed_calls;
	bool deleting;   /* a call has been deleted from this connection */
	bool reencoding; /* header blocks are re-encoded from now on */
};
void wk_h2_info(const struct wk_h2_conn *conn, struct wk_h2_info *info);
