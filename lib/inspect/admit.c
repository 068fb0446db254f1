/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - packets that have no flow: a client's SYN may begin one, everything else is a stray;
 * and flows that end without lib/tcp.
 *
 * Only mode enforce judges here. In audit and off every packet goes on, followed or not. */
#include <string.h>

#include "inspect_impl.h"

/* How many entries are looked at for one SYN that finds the table full. */
#define EVICT_LOOKS 16u

/* Ends a packet by an `on` policy. */
static enum wk_reason refuse(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
			     const struct wk_flow_key *key, enum wk_on on, enum wk_reason reason)
{
	if (on == WK_ON_PASS)
		return WK_FWD_GUARDED;
	if (on == WK_ON_RESET)
		wk_insp_refuse(inspect, seg);
	wk_insp_event_conn(inspect, NULL, key, reason);
	return reason;
}

void wk_insp_peer(const struct wk_flow_key *key, struct wk_policy_peer *peer)
{
	*peer = (struct wk_policy_peer){
		.addr.family = key->ip_version,
		.vlan = key->vlan[0] == WK_PKT_VLAN_NONE ? WK_POLICY_VLAN_NONE : key->vlan[0],
		.wire = key->wire,
	};
	memcpy(peer->addr.addr, key->client, sizeof(peer->addr.addr));
}

/* May this client open a connection? */
static bool source_may(struct wk_inspect *inspect, const struct wk_tcp_seg *syn,
		       const struct wk_flow_key *key, struct wk_policy_source *source,
		       enum wk_reason *reason)
{
	struct wk_policy_peer peer;

	wk_insp_peer(key, &peer);
	wk_policy_source(inspect->policy, inspect->service, &peer, source);
	if (inspect->mode != WK_MODE_ENFORCE || source->listed || !inspect->svc ||
	    inspect->svc->unlisted == WK_UNLISTED_REPLY)
		return true;
	*reason = refuse(inspect, syn, key,
			 inspect->svc->unlisted == WK_UNLISTED_RESET ? WK_ON_RESET : WK_ON_DROP,
			 WK_DROP_UNLISTED);
	return false;
}

/* Makes room in a full table by forgetting a handshake that has not finished: anybody can send
 * SYNs. The search goes round, so that each is left as much time as there is. Not where a stray
 * packet passes: to be forgotten would be of use there. */
static bool evict_handshake(struct wk_inspect *inspect)
{
	if (inspect->on.mid_stream == WK_ON_PASS)
		return false;
	for (uint32_t i = 0; i < EVICT_LOOKS; i++) {
		struct wk_flow_entry *entry = wk_flow_next(inspect->table, &inspect->evict_pos);
		struct wk_insp_flow *flow = (struct wk_insp_flow *)entry;

		if (!entry) {
			inspect->evict_pos = 0;
			continue;
		}
		if (wk_tcp_state(&flow->tcp) > WK_TCP_ST_SYN_ACK || flow->dead)
			continue;
		wk_insp_forget(inspect, flow);
		wk_count(inspect->stats, WK_CNT_SYN_EVICTED, 1);
		return true;
	}
	return false;
}

/* An entry as good as new, in the place of a tombstone. */
static struct wk_insp_flow *reuse(struct wk_inspect *inspect, struct wk_insp_flow *flow)
{
	struct wk_flow_key key = flow->entry.key;

	wk_insp_forget(inspect, flow);
	return (struct wk_insp_flow *)wk_flow_add(inspect->table, &key);
}

bool wk_insp_admit(struct wk_inspect *inspect, const struct wk_tcp_seg *syn,
		   const struct wk_flow_key *key, struct wk_insp_flow **flow,
		   enum wk_reason *reason)
{
	struct wk_policy_source source;
	struct wk_insp_flow *fresh;

	if (!source_may(inspect, syn, key, &source, reason))
		return false;
	fresh = *flow ? reuse(inspect, *flow)
		      : (struct wk_insp_flow *)wk_flow_add(inspect->table, key);
	if (!fresh && evict_handshake(inspect))
		fresh = (struct wk_insp_flow *)wk_flow_add(inspect->table, key);
	if (!fresh) {
		*reason = refuse(inspect, syn, key,
				 inspect->mode == WK_MODE_ENFORCE ? inspect->on.table_full
								  : WK_ON_PASS,
				 WK_DROP_TABLE_FULL);
		return false;
	}
	fresh->source = source;
	fresh->passive = inspect->mode != WK_MODE_ENFORCE;
	fresh->opened_ns = inspect->tcp_env.now_ns;
	wk_tcp_init(&fresh->tcp, syn, fresh->passive, &inspect->tcp_env);
	wk_count(inspect->stats, WK_CNT_FLOWS_OPENED, 1);
	*flow = fresh;
	return true;
}

enum wk_reason wk_insp_stray(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
			     const struct wk_flow_key *key)
{
	if (inspect->mode != WK_MODE_ENFORCE)
		return WK_FWD_GUARDED;
	if (inspect->dir == WK_S2C && (seg->flags & (WK_TCP_SYN | WK_TCP_ACK)) == WK_TCP_SYN)
		return WK_DROP_SRV_SYN;
	/* The last words of a connection that is forgotten already. */
	if (seg->flags & WK_TCP_RST)
		return inspect->on.mid_stream == WK_ON_PASS ? WK_FWD_GUARDED : WK_DROP_MID_STREAM;
	wk_count(inspect->stats, WK_CNT_MID_STREAM, 1);
	return refuse(inspect, seg, key, inspect->on.mid_stream, WK_DROP_MID_STREAM);
}

enum wk_reason wk_insp_kill(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			    const struct wk_tcp_seg *seg)
{
	flow->dead = true;
	wk_count(inspect->stats, WK_CNT_FLOWS_RESET, 1);
	/* Both sides have the same numbers, and this packet was the next in order. */
	wk_insp_replace(inspect, seg);
	wk_insp_refuse(inspect, seg);
	wk_insp_event_conn(inspect, flow, &flow->entry.key, WK_DROP_PROTOCOL);
	return WK_DROP_PROTOCOL;
}

enum wk_reason wk_insp_buried(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			      const struct wk_tcp_seg *seg)
{
	flow->last_ns = inspect->tcp_env.now_ns;
	wk_insp_refuse(inspect, seg);
	return WK_ABSORB_CLOSED;
}
