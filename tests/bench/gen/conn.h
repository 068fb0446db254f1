/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - a connection with both of its ends, and the calls on it.
 *
 * The two ends share the record of a call, since one process plays both, but what a server does
 * follows from the bytes that it received, each compared with what the record says was sent. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "gen.h"

/* What an end has to say, in order; its bytes are made when there is room for them. */
enum item_what {
	ITEM_HELLO = 1,   /* preface, SETTINGS, a large window */
	ITEM_WELCOME = 2, /* the server's */
	ITEM_AGREED = 4,  /* SETTINGS ACK */
	ITEM_CREDIT = 8,  /* WINDOW_UPDATE */
	ITEM_HEAD = 16,   /* of a request or an answer */
	ITEM_MESSAGE = 32,
	ITEM_TAIL = 64, /* trailers */
};

/* Of item.variant: an item may have both. */
#define ITEM_VARIANTS(head, tail) ((uint8_t)((head) | (tail) << 4))
#define ITEM_HEAD_VARIANT(v)      ((uint8_t)((v)&0xf))
#define ITEM_TAIL_VARIANT(v)      ((uint8_t)((v) >> 4))

struct item {
	uint32_t len_b;
	uint8_t what;
	uint8_t slot;
	uint8_t turn;    /* which message */
	uint8_t variant; /* which header block: tables change, see block.h */
};

struct call {
	uint64_t begin;   /* TSC */
	uint32_t stream;  /* 0: none */
	uint32_t number;  /* of all calls; its messages and fields follow from it */
	uint16_t block_b; /* of the request */
	uint8_t kind;
	bool denied, traced, deadline;
	bool said;             /* the client has said everything */
	bool answered;         /* the client has the end of the answer */
	bool asked;            /* the server has the request's header block */
	bool headed;           /* the client has the answer's */
	bool asked_all;        /* the server has END_STREAM */
	uint32_t up_b, down_b; /* of the current message, prefix included, that have arrived */
	uint8_t up_turn, down_turn;
};

enum state {
	ST_CLOSED = 0,
	ST_SYN_SENT,
	ST_SYN_RECEIVED,
	ST_OPEN,
	ST_FINISHED, /* our FIN is out */
};

#define FRAME_HEADER_B 9u

struct end {
	/* TCP */
	uint32_t snd_una, snd_nxt;
	uint32_t snd_edge; /* right edge of the peer's window */
	uint32_t rcv_nxt;
	uint32_t ts_recent;
	uint8_t state;
	uint8_t scale; /* of the peer's windows */
	uint8_t owed;  /* segments that we have not acknowledged */
	bool ack_now;
	bool fin; /* of the peer */
	bool dirty, late;
	/* what it has to say */
	uint8_t head; /* in the ring of items */
	uint16_t n;
	uint32_t item_off;
	/* what it is reading */
	uint8_t header[FRAME_HEADER_B];
	uint8_t have;         /* of the header */
	uint8_t preface_left; /* server only */
	uint8_t type, flags;
	bool agreed;   /* SETTINGS ACK has come */
	uint8_t table; /* which header blocks have been said: bits of block.h */
	uint8_t table_read;
	uint16_t partial_b;
	uint8_t *partial; /* of a frame in several segments, DATA aside */
	uint32_t left;    /* of the payload */
	uint32_t stream;
	uint32_t credit_b; /* DATA that the peer has not been told it may send again */
	int64_t window_b;  /* DATA that the peer takes */
};

struct conn {
	struct end end[2];
	nghttp2_hd_deflater *deflater; /* of requests that differ, else NULL */
	nghttp2_hd_inflater *inflater; /* of the server, once blocks come that were written anew */
	uint64_t denied_b;             /* DATA of denied calls that has not been given back */
	uint32_t next_stream;
	uint32_t calls_left;
	uint16_t open;  /* calls */
	bool agreed[2]; /* the peer's SETTINGS have come to this end */
	struct call calls[];
};

/* All of them, memory zeroed. Slots and items by options.streams. */
void conn_create(uint32_t n);
void conn_free(void);
struct conn *conn_at(uint32_t index);
uint32_t conn_index(const struct conn *conn);
uint32_t conn_slots(void);
uint32_t conn_count(void);

/* The call on a stream, or NULL. */
struct call *conn_call(struct conn *conn, uint32_t stream);
/* A free slot for the connection's next stream; NULL if none. Takes the stream number. */
struct call *conn_take(struct conn *conn);
uint8_t conn_slot(const struct conn *conn, const struct call *call);

/* Where something is wrong: fails with the connection, the side and the stream in front. */
void conn_fail(const struct conn *conn, enum side side, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

/* The first of what an end has to say, or NULL. */
struct item *conn_item(struct conn *conn, enum side side);
/* Appends; the end is put on the list of those that have something to send. */
void conn_say(struct conn *conn, enum side side, const struct item *item);
void conn_said(struct conn *conn, enum side side);
