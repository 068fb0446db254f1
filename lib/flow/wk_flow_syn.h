/* SPDX-License-Identifier: Apache-2.0 */
/* wk_flow_syn.h - the SYN cache of one lcore: handshakes under way, 32 bytes each, in fixed memory.
 *
 * Set-associative: a keyed hash of the flow key (rte_jhash, a secret of each start) gives a bucket
 * of eight and a 32-bit tag; the key itself is not kept, so two handshakes share an entry once in
 * some hundred million, and then fail each other's numbers. Lossy: a bucket that is full loses its
 * oldest entry to the newest, because anybody can send SYNs; what is lost is made anew by the SYN's
 * retransmission. So an entry lives for as long as it takes to send about as many SYNs as there are
 * entries, and no flood takes more memory than was allocated at the start. Owner: one lcore. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_flow.h"

#define WK_FLOW_SYN_VALUE_B 26u

struct wk_flow_syns;

struct wk_flow_syns_conf {
	uint32_t max_entries; /* rounded up to a power of two, at least 64 */
	uint64_t life_ns;     /* of an entry, since it was made or last refreshed; at most 1 h */
	uint64_t secret;
	int socket_id;
};

/* Bytes that so many entries take. */
uint64_t wk_flow_syn_footprint(uint32_t max_entries);

/* @return 0 or -ENOMEM / -EINVAL. Needs EAL. */
int wk_flow_syns_create(const struct wk_flow_syns_conf *conf, struct wk_flow_syns **syns);
void wk_flow_syns_free(struct wk_flow_syns *syns);

/* @return the value of a key, aligned to 2, or NULL; valid until the next add, refresh or sweep. */
void *wk_flow_syn_find(struct wk_flow_syns *syns, const struct wk_flow_key *key, uint64_t now_ns);
/* Makes an entry for a key that has none, its value undefined. *evicted: another one was lost.
 * @return NULL when that would be needed and may_evict is false. */
void *wk_flow_syn_add(struct wk_flow_syns *syns, const struct wk_flow_key *key, uint64_t now_ns,
		      bool may_evict, bool *evicted);
/* Its life begins anew. @return the value's new place. */
void *wk_flow_syn_refresh(struct wk_flow_syns *syns, void *value, uint64_t now_ns);
void wk_flow_syn_del(struct wk_flow_syns *syns, void *value);
/* All of them. */
void wk_flow_syn_clear(struct wk_flow_syns *syns);

/* Frees what has outlived its time, a few buckets a call; goes round once in a life. */
void wk_flow_syn_sweep(struct wk_flow_syns *syns, uint64_t now_ns);
/* When it wants to be called again; UINT64_MAX: nothing is kept. */
uint64_t wk_flow_syn_next_due(const struct wk_flow_syns *syns);

uint32_t wk_flow_syn_count(const struct wk_flow_syns *syns);
uint32_t wk_flow_syn_capacity(const struct wk_flow_syns *syns);
