/* SPDX-License-Identifier: Apache-2.0 */
/* crowd.h - many gRPC connections through one inspector, without ports, for benchmarks.
 *
 * Every packet is a real frame with real checksums, and goes the way that a worker sends it:
 * parser, classifier, inspector. Only that way is timed; the frames are made before. All
 * connections say the same: a preface, then unary calls whose header blocks a real encoder made. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_acl.h"
#include "wk_inspect.h"

#define CROWD_BURST 32u

/* How a client encodes its requests. */
enum crowd_style {
	CROWD_INDEXED = 0, /* all fields from the table, as gRPC's own stacks do */
	CROWD_LITERAL = 1, /* the path is spelled out in each block, as nghttp2's encoder does */
	CROWD_TRACED = 2,  /* and a field with a new value enters the table with each call */
	CROWD_SMALL = 3,   /* the first call fills the table with the smallest entries there are */
};

struct crowd_conf {
	uint32_t n;
	uint32_t rules; /* of the operator's acl */
	enum crowd_style style;
	bool verdicts; /* the port has verified the checksums */
	bool denied;   /* calls ask for a method that is not allowed */
	uint64_t arena_b;
};

struct crowd_conn {
	uint32_t seq[WK_DIRS];
	uint32_t calls;
	uint32_t at_b; /* in the DATA frame that is under way */
};

struct crowd {
	struct crowd_conf conf;
	struct wk_inspect *inspect;
	struct wk_policy *policy;
	struct wk_acl *acl;
	struct wk_stats stats;
	struct crowd_conn *conn;
	uint64_t now_ns;
	uint64_t heap_b; /* what creating the inspector took */
	uint64_t built;
};

/* The packets of a burst. */
enum crowd_kind {
	CROWD_SYN = 0,
	CROWD_SYN_ACK,
	CROWD_THIRD,
	CROWD_PREFACE,
	CROWD_SETTINGS, /* the server's, and its ACK of the client's */
	CROWD_SETTINGS_ACK,
	CROWD_CALL,   /* HEADERS and DATA in one segment */
	CROWD_ANSWER, /* HEADERS, DATA and trailers in one */
	CROWD_OPEN,   /* a call's HEADERS, and the head of a DATA frame: its body follows */
	CROWD_UP,     /* 1400 bytes of it, in DATA frames of 14 KB */
	CROWD_ACK,    /* an ACK of the server */
	CROWD_KINDS,
};

/* Needs EAL. Ends the process when anything is missing. */
struct crowd *crowd_new(const struct crowd_conf *conf);
void crowd_free(struct crowd *crowd);
/* One packet of this kind on each of n connections, n <= CROWD_BURST. @return the cycles of all. */
uint64_t crowd_burst(struct crowd *crowd, enum crowd_kind kind, const uint32_t *conns, uint32_t n);
/* Handshake, and preface and SETTINGS of both sides, on every connection.
 * @return the cycles of the handshakes; *greet those of the rest. */
uint64_t crowd_connect(struct crowd *crowd, uint64_t *greet);
/* The same packet on every connection. @return the cycles. */
uint64_t crowd_all(struct crowd *crowd, enum crowd_kind kind);
/* Lets time pass with nothing said. */
void crowd_rest(struct crowd *crowd, uint64_t ns);
/* Bytes of the arena in use. */
uint64_t crowd_used_b(const struct crowd *crowd);
