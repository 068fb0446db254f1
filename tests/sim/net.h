/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - four one-way links around the box and the packets that travel on them.
 *
 * Packets wait in one heap ordered by arrival, ties by the order of sending, so that a run never
 * depends on anything but its seed. */
#pragma once

#include <stdint.h>

#include "choice.h"
#include "wire.h"

enum sim_link {
	LINK_CLIENT_BOX = 0, /* from the client to the box */
	LINK_BOX_SERVER = 1,
	LINK_SERVER_BOX = 2,
	LINK_BOX_CLIENT = 3,
	LINKS = 4,
};

struct link_cfg {
	uint64_t delay_ns;
	uint64_t clump_ns;  /* they arrive in clumps, so far apart; 0: as they come */
	uint64_t jitter_ns; /* of those that are reordered */
	uint32_t loss_permille;
	uint32_t dup_permille;
	uint32_t reorder_permille; /* the rest stays in order */
	uint64_t mtu_at_ns;        /* from then on a router drops what is larger, and says so */
	uint32_t mtu_b;            /* of IP; 0: everything fits */
};

struct flight {
	uint64_t at_ns;
	uint64_t order;
	enum sim_link link;
	struct sim_pkt *pkt;
};

struct net {
	struct link_cfg cfg[LINKS];
	uint64_t last_ns[LINKS]; /* arrival of the latest packet that keeps its order */
	struct sim_rng rng;
	struct chooser chooser[LINKS]; /* they share the rng above */
	struct flight *heap;
	uint32_t n;
	uint32_t cap;
	uint64_t order;
	uint64_t sent;
	uint64_t lost;
};

/* Sends a packet (ownership passes). */
void net_send(struct net *net, enum sim_link link, struct sim_pkt *pkt, uint64_t now_ns);
/* Arrival of the next packet; UINT64_MAX when nothing is on its way. */
uint64_t net_next(const struct net *net);
/* Takes the next packet out. There must be one. */
struct flight net_pop(struct net *net);
void net_fini(struct net *net);
