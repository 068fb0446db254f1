/* SPDX-License-Identifier: Apache-2.0 */
/* wire_pair.h - a client and a server on the two ends of a wire, for tests.
 *
 * Makes Ethernet frames of one TCP connection as a plain stack would, and takes apart what arrives
 * at the other end, with checksum code of its own, so that a mistake in the code under test does
 * not repeat itself here. No timers: the test says what is sent when. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"

#define PAIR_FRAME_MAX_B  2048u
#define PAIR_STREAM_MAX_B 131072u

#define PAIR_FIN 0x01u
#define PAIR_SYN 0x02u
#define PAIR_RST 0x04u
#define PAIR_PSH 0x08u
#define PAIR_ACK 0x10u
#define PAIR_URG 0x20u

struct pair_conf {
	uint8_t ip_version; /* 4 or 6 */
	uint8_t n_tags;     /* 0, 1 (0x8100) or 2 (0x88a8, 0x8100) */
	uint16_t vlan[2];
	uint8_t client_host; /* last byte of the client's address */
	uint16_t client_port;
	uint16_t server_port;
	bool timestamps;
	bool bare;      /* the SYNs say nothing: no scaling, no SACK, segments of 536 bytes */
	bool fast_open; /* the SYNs carry an option that an enforcing box takes away */
};

/* One end. nxt and ack are what a stack calls SND.NXT and RCV.NXT. */
struct pair_end {
	uint32_t isn;
	uint32_t nxt;
	uint32_t ack;
	uint32_t una; /* highest acknowledgement that has arrived */
	uint32_t peer_tsval;
	uint16_t wnd;
	uint8_t ttl;
	uint8_t tos;
	bool synced; /* ack is meaningful */
	bool reset;  /* an RST for it has arrived */
	bool closed; /* a FIN has arrived */
	uint32_t rx_len_b;
	uint8_t rx[PAIR_STREAM_MAX_B]; /* in-order bytes that have arrived */
};

struct pair {
	struct pair_conf conf;
	uint32_t clock; /* of timestamps */
	uint16_t ident;
	struct pair_end end[WK_DIRS]; /* WK_C2S: the client, which sends that way */
};

/* What a frame said. data points into it. */
struct pair_seg {
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd;
	uint8_t flags;
	uint8_t ttl;
	const uint8_t *data;
	uint32_t len_b;
};

void pair_init(struct pair *pair, const struct pair_conf *conf);

/* A frame of the sender of dir, at its next number, which moves on. @return its length. */
uint32_t pair_send(struct pair *pair, enum wk_dir dir, uint8_t flags, const void *data,
		   uint32_t len_b, uint8_t *frame);
/* The same at any numbers; nothing moves. */
uint32_t pair_send_at(struct pair *pair, enum wk_dir dir, uint32_t seq, uint32_t ack, uint8_t flags,
		      const void *data, uint32_t len_b, uint8_t *frame);

/* A frame that arrives at the receiver of dir. Everything is verified: addresses, tags, lengths and
 * checksums. In-order payload is taken into the receiver's stream; bytes that it has already are
 * compared with it. @return NULL, or what is wrong with the frame. */
const char *pair_receive(struct pair *pair, enum wk_dir dir, const uint8_t *frame, uint32_t len_b,
			 struct pair_seg *seg);
