/* SPDX-License-Identifier: Apache-2.0 */
/* wk_frag.h - puts the fragments of guarded datagrams together.
 *
 * One table per lcore. It keeps the fragments themselves (they are `held`), so that a datagram that
 * turns out to concern nobody can leave as it came, and copies a complete one together for whoever
 * has to read it. What goes on instead of the fragments is cut from that copy: never a packet
 * larger than the largest fragment, or than what every path must carry.
 *
 * A datagram is known by wire, ingress side, VLANs, addresses, IP id and, IPv4 only, protocol
 * (RFC 791; RFC 8200 section 4.5 takes the protocol of the first fragment alone). Nothing that a
 * receiver could read in two ways is put together: fragments that overlap or contradict each other
 * end their datagram, what comes of it later included (RFC 5722). Only an exact duplicate is let
 * off: it is dropped alone.
 *
 * Bounds: datagrams, fragments in all, WK_FRAG_PIECES_MAX fragments of a datagram, time. What finds
 * no room takes the place of the oldest datagram: a flood leaves the others as much time as there
 * is room. Memory: about 2.5 KiB a datagram, and 64 KiB. Owner: one lcore; no heap after creation,
 * time comes in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"
#include "wk_pkt.h"
#include "wk_stats.h"

struct rte_mbuf;
struct rte_mempool;

#define WK_FRAG_PIECES_MAX 64u

struct wk_frag_hooks {
	/* Fragments that are not waited with any longer, in the order they came; theirs is the
	 * caller now. FWD_PLAIN: they are to go on as they are; any other reason: to be freed.
	 * Either way they are to be counted. */
	void (*give_up)(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf **mbufs,
			uint32_t n, enum wk_reason reason);
};

struct wk_frag_conf {
	const char *name; /* unique in the process */
	uint32_t max_datagrams;
	uint32_t max_mbufs;
	uint64_t timeout_ns; /* shorter than that of any receiver */
	uint32_t secret;     /* random: hash seed */
	int socket_id;
	struct rte_mempool *pool; /* for what is cut */
	struct wk_stats *stats;
	const struct wk_frag_hooks *hooks;
	void *user;
};

struct wk_frag;

/* @return 0, -EINVAL or -ENOMEM. Needs EAL. */
int wk_frag_create(const struct wk_frag_conf *conf, struct wk_frag **frag);
/* Frees what is held; tells nobody. NULL is allowed. */
void wk_frag_free(struct wk_frag *frag);
/* What a table takes. */
uint64_t wk_frag_footprint(uint32_t max_datagrams);

enum wk_frag_verdict {
	WK_FRAG_KEPT = 0,  /* the fragment is the table's now */
	WK_FRAG_WHOLE = 1, /* it was the last one: *whole is complete */
	WK_FRAG_END =
		2, /* it is not kept: *reason, as in give_up, is for the caller to carry out */
};

/* A complete datagram, valid until the next call of wk_frag_input. */
struct wk_frag_whole {
	const uint8_t *frame; /* a frame without fragmentation, in a buffer of the table */
	uint32_t len_b;
	uint32_t largest_b;      /* L3 length of its largest fragment */
	struct rte_mbuf **mbufs; /* the fragments in the order they came: the caller's now */
	uint32_t n;
	bool open;
};

/* One fragment (WK_PKT_F_FRAG, not malformed). open: nothing is held against its service, so what
 * cannot be put together goes on all the same. */
enum wk_frag_verdict wk_frag_input(struct wk_frag *frag, const struct wk_pkt *pkt, uint16_t wire,
				   enum wk_dir dir, bool open, uint64_t now_ns,
				   struct wk_frag_whole *whole, enum wk_reason *reason);

/* Hashes what a fragment's datagram is known by, from and to hash[2] (rte_jhash's two values).
 * @return false when it is none that could be put together: wk_frag_input will say why. */
bool wk_frag_hash(const struct wk_pkt *pkt, uint16_t wire, enum wk_dir dir, uint32_t hash[2]);

/* Gives up what has waited for too long, a part at a time. */
void wk_frag_expire(struct wk_frag *frag, uint64_t now_ns);
/* Gives up everything with this reason. */
void wk_frag_drain(struct wk_frag *frag, enum wk_reason reason);

/* How many wait, and how many can. */
uint32_t wk_frag_datagrams(const struct wk_frag *frag);
uint32_t wk_frag_capacity(const struct wk_frag *frag);

/* A TCP datagram on its way into packets. */
struct wk_frag_cut {
	const struct wk_pkt *whole;
	uint32_t from_b; /* of the payload: what is still to come */
	uint32_t room_b; /* payload of one packet */
	bool done;
};

/* pkt: the frame of a struct wk_frag_whole, parsed, a TCP segment. limit_b: largest L3 length that
 * may be made. @return false when it cannot be cut: a SYN or RST too large for one packet, or
 * headers that leave no room. */
bool wk_frag_cut_begin(struct wk_frag_cut *cut, const struct wk_pkt *pkt, uint32_t largest_b,
		       uint32_t limit_b);
/* The next packet, all its checksums right, counted as originated. @return false at the end;
 * otherwise *m, or NULL where the pool had none (counted too). */
bool wk_frag_cut_next(struct wk_frag *frag, struct wk_frag_cut *cut, struct rte_mbuf **m);
