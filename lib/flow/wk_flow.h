/* SPDX-License-Identifier: Apache-2.0 */
/* wk_flow.h - the table of guarded connections of one lcore, and its timer wheel.
 *
 * An rte_hash from a canonical key (client first; the ingress side says who the client is) to a
 * fixed pool of entries that the owner embeds its flow in. Keyed hash: rte_jhash with a secret of
 * each start. One writer and reader, its lcore; no locks. Memory: entry_size_b + about 160 bytes a
 * flow (60 more where sources are counted) and 300 KiB for the wheel, allocated at start. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"
#include "wk_pkt.h"

struct wk_flow_key {
	uint8_t client[16]; /* network order, IPv4 in the first four bytes */
	uint8_t server[16];
	uint16_t client_port; /* host order */
	uint16_t server_port;
	uint16_t vlan[2]; /* outer, inner; WK_PKT_VLAN_NONE */
	uint16_t wire;
	uint8_t ip_version; /* 4 or 6 */
	uint8_t zero;       /* padding, kept 0: the key is hashed as bytes */
	uint32_t zero4;     /* 48 bytes: a length that rte_hash compares in whole registers */
} __attribute__((aligned(4)));

/* Fills the key of a TCP packet that came in on the client's (WK_C2S) or server's (WK_S2C) side. */
void wk_flow_key_fill(struct wk_flow_key *key, const struct wk_pkt *pkt, uint16_t wire,
		      enum wk_dir dir);

/* Head of an entry. The owner's struct begins with it. */
struct wk_flow_entry {
	struct wk_flow_key key;
	uint64_t due_ns; /* private, of the timer wheel; UINT64_MAX: not armed */
	uint32_t id;     /* index in the pool, stable while the flow lives */
	uint32_t slot;   /* private, of the wheel; so are the next two */
	uint32_t wheel_prev;
	uint32_t wheel_next;
	uint32_t source; /* private: whose it counts as */
};

struct wk_flow_table;

struct wk_flow_table_conf {
	const char *name;          /* of the rte_hash, unique in the process */
	uint32_t max_flows;        /* admitted; the hash is made twice as large */
	uint32_t flows_per_source; /* 0: any number */
	uint32_t entry_size_b;     /* sizeof the owner's struct */
	uint32_t secret;           /* random, of this start */
	int socket_id;
};

/* @return 0 or -ENOMEM / -EINVAL. Needs EAL. */
int wk_flow_table_create(const struct wk_flow_table_conf *conf, struct wk_flow_table **table);
void wk_flow_table_free(struct wk_flow_table *table);

/* @return NULL if there is none. */
struct wk_flow_entry *wk_flow_lookup(struct wk_flow_table *table, const struct wk_flow_key *key);
/* Looks up n keys at once; entries[i] is NULL where there is none. n <= 64. */
void wk_flow_lookup_burst(struct wk_flow_table *table, const struct wk_flow_key *const *keys,
			  uint32_t n, struct wk_flow_entry **entries);

/* A source is what one client can send from at will: an IPv4 address or an IPv6 /64, on its wire
 * and VLANs. */
enum wk_flow_room {
	WK_FLOW_ROOM = 0,
	WK_FLOW_FULL = 1,        /* the table */
	WK_FLOW_SOURCE_FULL = 2, /* this source has as many as one may have */
};
/* Could an entry be added? */
enum wk_flow_room wk_flow_room(const struct wk_flow_table *table, const struct wk_flow_key *key);
/* A new entry, zeroed behind its head, not armed. @return NULL when there is no room. */
struct wk_flow_entry *wk_flow_add(struct wk_flow_table *table, const struct wk_flow_key *key);
/* From here on it does not count for its source: what is over keeps nobody out. */
void wk_flow_release(struct wk_flow_table *table, struct wk_flow_entry *entry);
/* Takes it out of table and wheel. */
void wk_flow_del(struct wk_flow_table *table, struct wk_flow_entry *entry);

uint32_t wk_flow_count(const struct wk_flow_table *table);
uint32_t wk_flow_capacity(const struct wk_flow_table *table);
/* Different sources of the entries; 0 where they are not counted. */
uint32_t wk_flow_sources(const struct wk_flow_table *table);
/* Walks all entries in pool order: *pos starts at 0. @return NULL at the end. Entries may be
 * deleted while walking. */
struct wk_flow_entry *wk_flow_next(struct wk_flow_table *table, uint32_t *pos);

/* Arms, moves (UINT64_MAX: disarms) an entry's timer. O(1). An entry is never due early, so that
 * arming it again from its own timer cannot spin; it is late by at most WK_FLOW_TICK_NS, and as the
 * caller polls late. */
#define WK_FLOW_TICK_NS 65536u
void wk_flow_arm(struct wk_flow_table *table, struct wk_flow_entry *entry, uint64_t due_ns);
/* Arms it unless it is due earlier already: a deadline that every packet moves away is looked at
 * again when its old time comes. That saves the packets the neighbours in the wheel, which are
 * anywhere in memory. */
static inline void wk_flow_arm_by(struct wk_flow_table *table, struct wk_flow_entry *entry,
				  uint64_t due_ns)
{
	if (due_ns < entry->due_ns)
		wk_flow_arm(table, entry, due_ns);
}
/* Takes one due entry off the wheel (disarmed). @return NULL if none is due at now. */
struct wk_flow_entry *wk_flow_due(struct wk_flow_table *table, uint64_t now_ns);
/* wk_flow_due has nothing before this (a lower bound; UINT64_MAX when nothing is armed). */
uint64_t wk_flow_next_due(const struct wk_flow_table *table);
