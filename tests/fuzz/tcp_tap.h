/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_tap.h - watches one flow of lib/tcp from both sides, whoever speaks.
 *
 * Knows what was judged, what left, and what the peers said, honest or not. Where it has to know
 * what lib/tcp has believed it looks into the flow, and checks that there was a reason to. A broken
 * invariant ends the process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "internal.h" /* to see what the flow holds */
#include "must.h"
#include "ranges.h"
#include "wk_op.h"

#define TAP_MAX_B    (1u << 20) /* payload offsets; more than a run can reach */
#define TAP_VERSIONS 4u
#define TAP_INSERTS  64u
#define TAP_INSERT_B 1400u

/* What a judged byte of the sender has become: bytes [from, to) of the reference. */
struct tap_in {
	uint32_t from;
	uint32_t to;
	bool deleted;
};

struct tap_insert {
	uint64_t out; /* payload offset for the client */
	uint32_t len_b;
	uint8_t bytes[TAP_INSERT_B];
};

/* One stream, and what its receiver says of it. Offsets: 0 is the SYN; payload offsets are one
 * less. */
struct tap_half {
	uint32_t isn;
	uint8_t shift; /* of the windows in this stream's packets */
	uint16_t mss;  /* that its sender takes */

	/* The reference: what was judged, edited as the judge said; without insertions. */
	uint8_t *ref;
	bool *hard;     /* must never change */
	bool *boundary; /* an insertion may come before this byte */
	uint32_t ref_b;
	struct tap_in *in;
	uint32_t in_b;
	uint32_t last_in; /* found last */

	uint8_t *versions; /* of each byte, as they have arrived: a bit each */
	uint64_t versions_b;
	uint64_t fin_in; /* where its sender may have ended it, highest */

	uint8_t *first; /* byte that left at each place */
	/* 0: none has, 1: while nothing was to be changed, 3: so in two versions, 2: judged and to
	 * be kept, 4: else */
	uint8_t *left;
	uint64_t left_b;
	uint64_t end_out;
	uint64_t fin_out;
	struct ranges sent;
	struct ranges got; /* of it, what has not been lost on its way to the receiver */
	bool fin_got;
	uint32_t lose; /* so many packets with bytes or a FIN are lost there next */

	uint64_t ack_max;  /* by its receiver, as it arrived */
	uint64_t edge_max; /* the same of its window */
	struct ranges sacked;

	uint64_t told_ack; /* to its sender */
	uint64_t told_edge;
	uint64_t edge_bound;
	uint32_t taken_b; /* most that the stream was ever shorter by */
	uint32_t ts_in, ts_out;
	bool ts_in_known, ts_out_known;
};

struct tap {
	struct tap_half half[WK_DIRS];
	const struct wk_tcp_flow *flow;
	/* Bytes of a stream in one of their versions, by payload offset. */
	uint8_t (*byte)(void *user, enum wk_dir dir, uint64_t at, uint32_t version);
	void *user;
	struct tap_insert inserts[TAP_INSERTS];
	uint32_t n_inserts;
	const uint8_t *last_words;
	uint32_t last_words_b;
	uint64_t last_words_at; /* payload offset for the client */
	uint32_t data_left_b;   /* of the client's DATA frame at hand, behind what was judged */
	bool passive;
	/* Of the call at hand. */
	uint32_t built;
	uint64_t built_b;
	uint64_t b_out[WK_DIRS]; /* of the flow, before it */
	uint64_t stale_edge[WK_DIRS];
};

void tap_init(struct tap *tap, const struct wk_tcp_flow *flow);
void tap_fini(struct tap *tap);
/* A SYN of this side has been accepted. */
void tap_syn(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg);
void tap_scale(struct tap *tap, bool on);

/* A packet comes in; its payload is of this version. */
void tap_arrives(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg, uint32_t version);
/* A packet leaves; `in` is what came in when it is forwarded, NULL when it was built. */
void tap_leaves(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg,
		const struct wk_tcp_seg *in);
/* The judge has spoken about data[]. */
void tap_judged(struct tap *tap, enum wk_dir dir, const uint8_t *data,
		const struct wk_op_list *ops);
/* The stream is over; these bytes were held. keep: they go on as they are. */
void tap_finished(struct tap *tap, enum wk_dir dir, const uint8_t *held, uint32_t len_b, bool keep);
/* Of the whole stream as its receiver gets it. */
uint64_t tap_length(const struct tap *tap, enum wk_dir dir);
void tap_inserted(struct tap *tap, const uint8_t *bytes, uint32_t len_b);

/* What peers were told before counts from here on. */
void tap_enforced(struct tap *tap);

/* Around each call into lib/tcp. */
void tap_before(struct tap *tap);
void tap_after(struct tap *tap, const struct wk_tcp_limits *limits);
