/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_stage.h - one flow of lib/tcp, two peers that say what a fuzzer wants, and the tap.
 *
 * The streams are those of the simulator's toy protocol, made from a seed, so that what a fuzzer
 * cuts, repeats and spoils means something to the judge. */
#pragma once

#include "judge.h"
#include "proto.h"
#include "tcp_tap.h"
#include "wire.h"
#include "wk_tcp.h"

#define STAGE_ARENA_B (1u << 20)
#define STAGE_BALLAST 16u        /* blocks: one of each size */
#define STAGE_FAR_B   (1u << 18) /* nobody goes beyond: the tap's arrays have an end */

/* How a connection begins, and the box's bounds. */
struct stage_cfg {
	uint16_t seed; /* of the streams */
	uint8_t mix;   /* what frames are in them */
	bool ts;
	bool sack;
	bool passive;
	bool small; /* bounds that are soon reached */
	bool poor;  /* little memory: so much */
	uint32_t room_b;
	bool strange;   /* SYNs with an option that is taken away */
	uint8_t wscale; /* of both, UINT8_MAX: no such option */
	uint16_t mss[WK_DIRS];
	uint32_t wnd_b[WK_DIRS]; /* that a side announces if it is not told otherwise */
	uint32_t isn[WK_DIRS];
	uint32_t ts_base;
	/* The third segment may carry bytes, and not the first ones. */
	uint32_t third_in;
	uint32_t third_b;
	bool third_fin;
	const uint8_t *noise; /* STAGE_NOISE_B bytes for each strange packet in the handshake */
	uint32_t n_noise;
};
#define STAGE_NOISE_B 8u

/* One side, named by the direction of what it sends. */
struct peer {
	struct proto_stream stream;
	uint64_t nxt; /* offset of its next new byte */
	bool fin;     /* it has said its last, at nxt - 1 */
};

/* A segment to be sent. */
struct say {
	enum wk_dir dir;
	uint64_t in; /* offset, as the sender numbers it */
	uint32_t len_b;
	uint8_t flags;
	uint8_t version;
	uint64_t ack; /* offset, as the sender sees the other stream */
	uint32_t wnd_b;
	int32_t ts_step; /* against its clock, ms */
	uint32_t n_sack;
	uint64_t sack[WK_TCP_SACK_MAX][2]; /* offsets as it sees them */
	const uint8_t *opts;               /* instead of all others */
	uint8_t opts_len_b;
};

struct stage {
	struct stage_cfg cfg;
	struct wk_tcp_flow flow;
	struct wk_stats stats;
	struct wk_tcp_limits limits;
	struct wk_mem *mem;
	struct judge judge;
	struct tap tap;
	struct peer peer[WK_DIRS];
	uint64_t now_ns;
	bool over; /* the flow is forgotten */
	void *ballast[STAGE_BALLAST];
	uint32_t n_ballast;
	struct wk_tcp_result result;
};

/* Up to the third ACK. */
void stage_open(struct stage *stage, const struct stage_cfg *cfg);
/* Everything must have been given back. */
void stage_close(struct stage *stage);

/* What an honest peer of this stream's receiver would acknowledge; its next number as the receiver
 * sees it. */
uint64_t stage_received(const struct stage *stage, enum wk_dir dir);
/* An honest segment: ACK and window as they are, from `in` on. */
struct say stage_says(struct stage *stage, enum wk_dir dir, uint64_t in, uint32_t len_b);
void stage_input(struct stage *stage, const struct say *say);
struct sim_pkt *stage_pkt(const struct stage *stage, const struct say *say);
/* The same of any bytes: a TCP header, options and payload of this version. */
void stage_input_pkt(struct stage *stage, struct sim_pkt *pkt, uint32_t version);

/* Lets time go by, with the timers that come due on the way. */
void stage_wait(struct stage *stage, uint64_t ns);
uint64_t stage_deadline(const struct stage *stage);
void stage_poke(struct stage *stage);
void stage_switch(struct stage *stage);
void stage_reset(struct stage *stage);
/* An ICMP error: the packet of the stream dir that began at `out`, as its receiver numbers it, was
 * too big for a path that takes less since then. */
void stage_too_big(struct stage *stage, enum wk_dir dir, uint64_t out, uint32_t len_b,
		   uint64_t since_ns);

/* tcp_hand.c: up to the SYN-ACK; the third segment, and whether it is one. */
void stage_shake_hands(struct stage *stage, struct wk_tcp_hs *hs);
struct say stage_third(struct stage *stage);
void stage_check_third(struct stage *stage, struct wk_tcp_hs *hs, const struct sim_pkt *pkt);

/* tcp_calm.c: from here on both peers are honest and the wire is perfect. All that was said must
 * arrive as the judge wants it. */
void stage_calm(struct stage *stage);
