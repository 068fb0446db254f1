/* SPDX-License-Identifier: Apache-2.0 */
/* noise.h - an attacker next to the wire: forged packets made from real ones (stale bytes,
 * impossible ACKs, bad flags, RST and SYN at the wrong place, urgent data).
 * None of them may change what either side gets, nor reach the other side. */
#pragma once

#include <stdint.h>

#include "box.h"
#include "rng.h"

#define NOISE_KEPT 16u

enum attack_kind {
	ATTACK_STALE = 0,               /* acknowledged bytes, said otherwise */
	ATTACK_BAD_ACK,                 /* acknowledges what was never sent */
	ATTACK_FLAGS,                   /* flags that no stack sends, with payload */
	ATTACK_RST,                     /* near, but not at a number that counts */
	ATTACK_SYN,                     /* inside the connection */
	ATTACK_URG,                     /* a true copy with an urgent pointer */
	ATTACK_PAWS,                    /* next in order, but from the past */
	ATTACK_WINDOW,                  /* far outside */
	ATTACK_KEEPALIVE,               /* one garbage byte below the window */
	ATTACK_COPY,                    /* a true copy */
	ATTACKS_NOISE,                  /* so far of the profile noise; siege has all */
	ATTACK_SYN_ACK = ATTACKS_NOISE, /* of the server, inside the connection */
	ATTACK_MIRROR,                  /* a packet comes back from the other side */
	ATTACK_BAD_SACK,                /* blocks of what was never sent, or upside down */
	ATTACK_SHRINK,                  /* a window that retreats */
	ATTACK_OPTIONS,                 /* unknown, forbidden and broken ones */
	ATTACK_REWRITE,                 /* judged bytes, said otherwise */
	ATTACK_EARLY_FIN,               /* in front of bytes that have come */
	ATTACK_NO_TS,                   /* the agreed timestamp is missing */
	ATTACK_OLD_ACK,
	ATTACK_ECN,
	ATTACK_SYN_DATA, /* a SYN with bytes */
	ATTACK_QUOTE,    /* an ICMP error about what is not under way, or may be */
	ATTACK_KINDS,
};

/* One forged packet. */
struct attack {
	uint64_t at_ns;
	uint32_t of; /* the how many-th packet that arrived at the box it is made from */
	uint8_t kind;
	int64_t arg; /* by kind, see forge.c */
};

struct attack_list {
	struct attack *attacks;
	uint32_t n;
	uint32_t cap;
};

struct noise {
	uint64_t gap_ns;
	enum attack_kind kinds; /* those below it */
	uint64_t at_ns;
	struct sim_rng rng;
	const struct attack_list *played; /* instead of chance, ascending; NULL: chance */
	struct attack_list *recorded;     /* NULL: not */
	uint32_t next;                    /* of those played */
	struct sim_pkt **kept;            /* recent packets of both directions; played: all */
	uint32_t *kept_no;
	uint32_t n;
	uint32_t cap;
	uint32_t seen;
	uint64_t made;
};

void noise_init(struct noise *noise, uint64_t gap_ns, enum attack_kind kinds, struct sim_rng rng);
void noise_fini(struct noise *noise);
void noise_see(struct noise *noise, const struct sim_pkt *pkt);
uint64_t noise_next(const struct noise *noise);
void noise_make(struct noise *noise, struct box *box, uint64_t now_ns);

void attack_add(struct attack_list *list, const struct attack *attack);
const char *attack_name(enum attack_kind kind);
/* @return ATTACK_KINDS for a name that is none. */
enum attack_kind attack_by_name(const char *name);

/* forge.c: the packet of an attack on what `check` has seen, made from kept->; NULL where it cannot
 * be. With rng the attack's argument is drawn and written into it. */
struct sim_pkt *forge(struct sim_rng *rng, struct attack *attack, const struct check *check,
		      const struct sim_pkt *kept);
