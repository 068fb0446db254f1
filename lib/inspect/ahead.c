/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - the flows of a whole burst are looked up at once, and each is fetched into the cache
 * while the packets before it are being worked on: with many flows nothing of a flow is in any
 * cache when its packet comes. */
#include <stddef.h>
#include <string.h>

#include <rte_prefetch.h>

#include "inspect_impl.h"

/* So many packets ahead a flow is fetched, and its HTTP/2 state, which only the flow knows where to
 * find. Further ahead the first would push the last out of the nearest cache. */
#define FLOW_AHEAD 4u
#define H2_AHEAD   2u

static void fetch_flow(const struct wk_insp_ahead *ahead, uint32_t i)
{
	const struct wk_insp_flow *flow = ahead->flow[i];

	if (!flow)
		return;
	for (size_t off = 0; off < offsetof(struct wk_insp_flow, tcp); off += RTE_CACHE_LINE_SIZE)
		rte_prefetch0((const uint8_t *)flow + off);
	wk_tcp_prefetch(&flow->tcp);
	rte_prefetch0(&flow->tmpl[ahead->dir[i]]);
}

static void fetch_h2(const struct wk_insp_ahead *ahead, uint32_t i)
{
	if (ahead->flow[i] && ahead->flow[i]->h2)
		wk_h2_prefetch(ahead->flow[i]->h2);
}

void wk_inspect_ahead(struct wk_inspect *inspect, const struct wk_inspect_next *next, uint32_t n)
{
	const struct wk_flow_key *ptrs[WK_INSPECT_AHEAD_MAX];
	struct wk_flow_entry *entries[WK_INSPECT_AHEAD_MAX];
	struct wk_flow_key keys[WK_INSPECT_AHEAD_MAX];
	struct wk_insp_ahead *ahead = &inspect->ahead;

	n = RTE_MIN(n, WK_INSPECT_AHEAD_MAX);
	ahead->n = n;
	ahead->at = 0;
	if (n == 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		wk_flow_key_fill(&keys[i], next[i].pkt, next[i].wire, next[i].dir);
		ptrs[i] = &keys[i];
	}
	wk_flow_lookup_burst(inspect->table, ptrs, n, entries);
	for (uint32_t i = 0; i < n; i++) {
		ahead->pkt[i] = next[i].pkt;
		ahead->dir[i] = (uint8_t)next[i].dir;
		ahead->flow[i] = (struct wk_insp_flow *)entries[i];
	}
	for (uint32_t i = 0; i < n && i < FLOW_AHEAD; i++)
		fetch_flow(ahead, i);
	for (uint32_t i = 0; i < n && i < H2_AHEAD; i++)
		fetch_h2(ahead, i);
}

/* @return the flow that was found for the packet at hand, if it was. */
static struct wk_insp_flow *take(struct wk_inspect *inspect)
{
	struct wk_insp_ahead *ahead = &inspect->ahead;
	uint32_t i = ahead->at;

	while (i < ahead->n && ahead->pkt[i] != inspect->pkt)
		i++;
	if (i >= ahead->n)
		return NULL;
	ahead->at = i + 1;
	if (i + FLOW_AHEAD < ahead->n)
		fetch_flow(ahead, i + FLOW_AHEAD);
	if (i + H2_AHEAD < ahead->n)
		fetch_h2(ahead, i + H2_AHEAD);
	return ahead->flow[i];
}

struct wk_insp_flow *wk_insp_find(struct wk_inspect *inspect, const struct wk_flow_key *key)
{
	struct wk_insp_flow *flow = take(inspect);

	/* The key decides: the burst that was announced may never have come. */
	if (flow && memcmp(&flow->entry.key, key, sizeof(*key)) == 0)
		return flow;
	return (struct wk_insp_flow *)wk_flow_lookup(inspect->table, key);
}
