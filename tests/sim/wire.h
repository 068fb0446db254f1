/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - packets of the simulated network: a TCP header with options and payload, as bytes.
 *
 * The endpoints read them with a parser of their own, so that a mistake in wk_tcp_seg_parse is not
 * made twice. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_tcp.h"
#include "wk_tcp_seg.h"

#define SIM_PKT_MAX_B 10000u

struct sim_pkt {
	uint64_t id;       /* of the run, for traces */
	enum wk_dir dir;   /* whose stream it belongs to */
	uint32_t quoted_b; /* an ICMP error about a TCP packet of that length; 0: it is TCP */
	uint32_t mtu_b;    /* of one that says the packet was too big: what fits; 0: another */
	uint32_t len_b;
	uint8_t b[]; /* TCP header, options, payload; of an error: the header that it quotes */
};

#define SIM_IP_HDR_B 20u /* counts for an MTU */

struct sim_pkt *pkt_new(enum wk_dir dir, uint32_t len_b);
struct sim_pkt *pkt_copy(const struct sim_pkt *pkt);

/* Builds the bytes from the values of seg: its opts[] and data[] are copied as they are. */
struct sim_pkt *pkt_build(enum wk_dir dir, const struct wk_tcp_seg *seg);
/* Builds the bytes of a packet that lib/tcp wants sent. */
struct sim_pkt *pkt_build_out(const struct wk_tcp_out *out);
/* @return false when the bytes are no TCP segment. */
bool pkt_read(const struct sim_pkt *pkt, struct wk_tcp_seg *seg);

/* An ICMP error about a packet: back to its sender. */
struct sim_pkt *pkt_quote(const struct sim_pkt *pkt, uint32_t mtu_b);
/* The sequence number in a header. */
uint32_t pkt_seq(const struct sim_pkt *pkt);
void pkt_set_seq(struct sim_pkt *pkt, uint32_t seq);

/* What the caller of lib/tcp writes into a packet that goes on. */
void pkt_edit(struct sim_pkt *pkt, const struct wk_tcp_result *result);

/* Puts an option at opts[len_b]. @return the new length. */
uint8_t opt_put_mss(uint8_t *opts, uint8_t len_b, uint16_t mss);
uint8_t opt_put_wscale(uint8_t *opts, uint8_t len_b, uint8_t wscale);
uint8_t opt_put_sack_permitted(uint8_t *opts, uint8_t len_b);
uint8_t opt_put_ts(uint8_t *opts, uint8_t len_b, uint32_t tsval, uint32_t tsecr);
uint8_t opt_put_sack(uint8_t *opts, uint8_t len_b, const struct wk_tcp_sack *sack, uint32_t n);
