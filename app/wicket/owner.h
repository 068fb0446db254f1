/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h - which worker a guarded packet belongs to.
 *
 * A flow is private to one worker, its owner. All workers name the same one, for both directions,
 * whoever of them received the packet: by a keyed hash of ours, or, on a wire whose ports spread as
 * we told them to, by the hash of the ports. Nothing but bytes of the packet and this struct goes
 * in: the configuration in force does not matter.
 *
 * Set up on the main lcore before workers run, read by all of them afterwards. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_conf.h"
#include "wk_dir.h"
#include "wk_pkt.h"

/* Toeplitz with a key that repeats itself every 16 bits gives both directions the same value: a
 * port's key, whatever its length, is a piece of this one. */
#define WK_OWNER_RSS_KEY_B 64u
extern const uint8_t wk_owner_rss_key[WK_OWNER_RSS_KEY_B];

struct wk_owners {
	uint32_t n;         /* workers */
	uint32_t secret[2]; /* random, of this start */
	/* By wire: entries of the ports' redirection tables, which name worker i % n at entry i; 0
	 * where our own hash decides. */
	uint16_t reta_size[WK_CONF_WIRES_MAX];
};

/* The owner of a connection, by the addresses, ports, VLANs and wire of one of its packets in
 * either direction; also by those that an ICMP error quotes. */
uint32_t wk_owner_flow(const struct wk_owners *owners, const struct wk_pkt *pkt, uint16_t wire);

/* Who puts a fragment's datagram together. self: who has it now, and keeps what is no fragment that
 * could be put together. */
uint32_t wk_owner_fragment(const struct wk_owners *owners, const struct wk_pkt *pkt, uint16_t wire,
			   enum wk_dir dir, uint32_t self);

/* Has the port hashed what its key and types say? A NIC may look no further than at a second tag,
 * at options and at extension headers. */
static inline bool wk_owner_hashed(const struct wk_owners *owners, const struct wk_pkt *pkt,
				   uint16_t wire)
{
	return owners->reta_size[wire] > 0 && pkt->n_tags < 2 &&
	       pkt->l4_off == pkt->l3_off + (pkt->ip_version == 4 ? 20 : 40);
}

/* The owner of a guarded packet that worker `self` has received on a port. */
static inline uint32_t wk_owner(const struct wk_owners *owners, const struct wk_pkt *pkt,
				uint16_t wire, enum wk_dir dir, uint32_t self)
{
	if (owners->n == 1)
		return self;
	if ((pkt->flags & WK_PKT_F_FRAG) != 0)
		return wk_owner_fragment(owners, pkt, wire, dir, self);
	return wk_owner_hashed(owners, pkt, wire) ? self : wk_owner_flow(owners, pkt, wire);
}
