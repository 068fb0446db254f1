/* SPDX-License-Identifier: Apache-2.0 */
/* wk_tcp_seg.h - one TCP segment, parsed and to be built.
 *
 * Values only: nothing here owns memory. Sequence and acknowledgement numbers, windows and
 * timestamps are in host order; pointers refer to the packet at hand and live as long as it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"

#define WK_TCP_FIN 0x01u
#define WK_TCP_SYN 0x02u
#define WK_TCP_RST 0x04u
#define WK_TCP_PSH 0x08u
#define WK_TCP_ACK 0x10u
#define WK_TCP_URG 0x20u
#define WK_TCP_ECE 0x40u
#define WK_TCP_CWR 0x80u

#define WK_TCP_HDR_MIN_B  20u
#define WK_TCP_OPTS_MAX_B 40u
#define WK_TCP_SACK_MAX   4u

struct wk_tcp_sack {
	uint32_t left;  /* first sequence number of the block */
	uint32_t right; /* one past its last */
};

struct wk_tcp_seg {
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd; /* raw, not scaled */
	uint8_t flags;
	uint8_t opts_len_b;
	const uint8_t *opts;
	const uint8_t *data;
	uint32_t data_len_b;

	/* Options, parsed. The last three are meaningful in a SYN only. */
	bool has_ts;
	bool has_auth; /* TCP-MD5 (RFC 2385) or TCP-AO (RFC 5925) */
	bool has_mss;
	bool has_wscale;
	bool sack_permitted;
	uint8_t n_sack;
	uint8_t wscale;
	uint16_t mss;
	uint32_t tsval;
	uint32_t tsecr;
	struct wk_tcp_sack sack[WK_TCP_SACK_MAX];
};

/* Parses a TCP header with its options and payload, tcp[len_b] (len_b ends with the IP datagram).
 * @return 0, or -EBADMSG: data offset below 5 or beyond len_b, or options that do not parse. */
int wk_tcp_seg_parse(struct wk_tcp_seg *seg, const uint8_t *tcp, uint32_t len_b);

/* Overwrites every SYN option but MSS, window scale, SACK-permitted and timestamps with NOPs, in
 * place, length unchanged. @return the number of options taken away. */
unsigned int wk_tcp_syn_filter(uint8_t *opts, uint32_t len_b);

/* A packet to be built: header fields and up to WK_TCP_IOV_MAX pieces of payload, valid for the
 * duration of the tx hook. */
#define WK_TCP_IOV_MAX 32u

struct wk_tcp_iov {
	const uint8_t *data;
	uint32_t len_b;
};

struct wk_tcp_out {
	enum wk_dir dir; /* whose stream it belongs to: WK_S2C goes to the client */
	uint8_t flags;
	uint8_t opts_len_b; /* a multiple of 4 */
	uint16_t wnd;       /* raw */
	uint32_t seq;
	uint32_t ack;
	uint32_t n_iov;
	uint32_t data_len_b; /* sum of the pieces */
	struct wk_tcp_iov iov[WK_TCP_IOV_MAX];
	uint8_t opts[WK_TCP_OPTS_MAX_B];
};
