/* SPDX-License-Identifier: Apache-2.0 */
/* frag_priv.h - private to lib/frag. */
#pragma once

#include <rte_mbuf.h>

#include "wk_frag.h"

#define FRAG_L3_MAX_B   65535u
#define FRAG_ETH_HDR_B  14u
#define FRAG_FRAME_B    (FRAG_ETH_HDR_B + 4u * WK_PKT_TAGS_MAX + FRAG_L3_MAX_B)
#define FRAG_IPV6_HDR_B 40u
#define FRAG_EXT_HDR_B  8u /* of the fragment header */
#define FRAG_ECN_CE     3u
#define FRAG_ECN_NONE   0u

/* Hashed as it lies: no byte of padding that is not zero. */
struct frag_key {
	uint8_t src[16];
	uint8_t dst[16];
	uint32_t id;
	uint16_t vlan[2];
	uint16_t wire;
	uint8_t dir;
	uint8_t ip_version;
	uint8_t proto; /* IPv6: 0 */
	uint8_t zero[3];
};
_Static_assert(sizeof(struct frag_key) % sizeof(uint32_t) == 0, "hashed in words");

/* What one fragment says of itself. */
struct frag_piece {
	struct rte_mbuf *m;
	uint32_t off_b; /* of its bytes in the datagram's payload */
	uint32_t end_b;
	uint16_t at; /* where they stand in the frame */
	uint16_t l3_off;
	uint16_t l3_len_b;
	uint16_t unfrag_b; /* IPv6: headers in front of the fragment header; IPv4: the header */
	uint16_t next_off; /* IPv6, in the frame: the byte that names the fragment header */
	uint8_t next;      /* IPv6: what the fragment header names */
	uint8_t ecn;
	bool last;
};

enum datagram_state {
	DATAGRAM_FREE = 0,
	DATAGRAM_WAITS = 1,
	DATAGRAM_ENDED = 2, /* what still comes of it ends as it did */
};

struct datagram {
	struct frag_key key;
	struct datagram *older; /* age: oldest first */
	struct datagram *newer;
	uint64_t since_ns;
	uint8_t state; /* enum datagram_state */
	bool open;
	uint8_t ecn_seen; /* one bit a codepoint */
	uint16_t n;
	int16_t first; /* index of the piece at 0, -1: not here */
	enum wk_reason why;
	uint32_t total_b; /* 0: the last fragment is not here */
	uint32_t sum_b;
	uint32_t reach_b; /* end of the farthest piece */
	uint32_t largest_b;
	struct frag_piece piece[WK_FRAG_PIECES_MAX];
};

struct rte_hash;

struct wk_frag {
	struct rte_hash *hash;
	struct datagram *all;
	struct datagram *free; /* by ->newer */
	struct datagram *oldest;
	struct datagram *newest;
	uint32_t max_datagrams;
	uint32_t n_datagrams;
	uint32_t max_mbufs;
	uint32_t n_mbufs;
	uint64_t timeout_ns;
	uint16_t ident; /* of the IPv4 packets cut from a datagram, but the first */
	struct rte_mempool *pool;
	struct wk_stats *stats;
	const struct wk_frag_hooks *hooks;
	void *user;
	struct rte_mbuf *done[WK_FRAG_PIECES_MAX];
	uint8_t frame[FRAG_FRAME_B];
};

static inline uint16_t frag_be16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static inline void frag_put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* piece.c */
/* @return FWD_PLAIN, or why the fragment cannot be one. */
enum wk_reason piece_read(struct frag_piece *piece, struct frag_key *key, const struct wk_pkt *pkt);

/* build.c */
/* Lays a complete datagram out in frag->frame. @return its length, 0 if it is too long. */
uint32_t build_frame(struct wk_frag *frag, const struct datagram *datagram);
