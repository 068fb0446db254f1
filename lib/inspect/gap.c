/* SPDX-License-Identifier: Apache-2.0 */
/* gap.c - connections of addresses that a reload gave up and a later one guards again.
 *
 * Their numbers tell nothing of what went by meanwhile: a client may say it once more in other
 * words, which its server has no use for, and be judged by those. */
#include <string.h>

#include "inspect_impl.h"

static bool holds(const struct wk_inspect_gap *gap, const struct wk_flow_key *key)
{
	uint32_t bytes = gap->len / 8u, bits = gap->len % 8u;

	if (gap->family != key->ip_version || (gap->port != 0 && gap->port != key->server_port) ||
	    memcmp(gap->addr, key->server, bytes) != 0)
		return false;
	return bits == 0 || ((gap->addr[bytes] ^ key->server[bytes]) >> (8u - bits)) == 0;
}

bool wk_insp_unseen(const struct wk_inspect *inspect, const struct wk_insp_flow *flow)
{
	if (flow->version == inspect->version)
		return false;
	for (uint32_t i = 0; i < inspect->on.n_gaps; i++)
		if (inspect->on.gaps[i].version > flow->version &&
		    holds(&inspect->on.gaps[i], &flow->entry.key))
			return true;
	return false;
}

void wk_insp_gaps_taken(struct wk_inspect *inspect, uint64_t before)
{
	/* A handshake does not say since when it is known, nor whose it is. */
	for (uint32_t i = 0; i < inspect->on.n_gaps; i++)
		if (inspect->on.gaps[i].version > before) {
			wk_flow_syn_clear(inspect->syns);
			return;
		}
}
