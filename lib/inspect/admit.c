/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - packets that have no flow: a client's SYN begins a handshake, its third segment makes a
 * flow of that, everything else is a stray; and flows that end without lib/tcp.
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
		       const struct wk_flow_key *key, enum wk_reason *reason)
{
	struct wk_policy_source source;
	struct wk_policy_peer peer;

	if (inspect->mode != WK_MODE_ENFORCE || !inspect->svc ||
	    inspect->svc->unlisted == WK_UNLISTED_REPLY)
		return true;
	wk_insp_peer(key, &peer);
	wk_policy_source(inspect->policy, inspect->service, &peer, &source);
	if (source.listed)
		return true;
	*reason = refuse(inspect, syn, key,
			 inspect->svc->unlisted == WK_UNLISTED_RESET ? WK_ON_RESET : WK_ON_DROP,
			 WK_DROP_UNLISTED);
	return false;
}

/* A connection that is over, to be forgotten for one that begins. The search goes round, so that
 * each stays for as long as can be. Not where a stray packet passes: what follows a reset would. */
static struct wk_insp_flow *find_closed(struct wk_inspect *inspect)
{
	if (inspect->on.mid_stream == WK_ON_PASS)
		return NULL;
	for (uint32_t i = 0; i < EVICT_LOOKS; i++) {
		struct wk_flow_entry *entry = wk_flow_next(inspect->table, &inspect->evict_pos);
		struct wk_insp_flow *flow = (struct wk_insp_flow *)entry;

		if (!entry)
			inspect->evict_pos = 0;
		else if (flow->dead || wk_tcp_state(&flow->tcp) == WK_TCP_ST_CLOSED)
			return flow;
	}
	return NULL;
}

/* Whether the connection would find a place: its own of before, a free one, or that of *victim. */
static enum wk_flow_room room(struct wk_inspect *inspect, const struct wk_insp_start *start,
			      struct wk_insp_flow **victim)
{
	enum wk_flow_room place = wk_flow_room(inspect->table, start->key);

	*victim = start->old;
	if (place != WK_FLOW_FULL)
		return place;
	if (!*victim)
		*victim = find_closed(inspect);
	return *victim ? WK_FLOW_ROOM : place;
}

static enum wk_on on_no_room(const struct wk_inspect *inspect, enum wk_flow_room room)
{
	if (inspect->mode != WK_MODE_ENFORCE)
		return WK_ON_PASS;
	return room == WK_FLOW_SOURCE_FULL ? inspect->on.source_full : inspect->on.table_full;
}

static enum wk_reason no_room(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
			      const struct wk_flow_key *key, enum wk_flow_room room)
{
	return refuse(inspect, seg, key, on_no_room(inspect, room),
		      room == WK_FLOW_SOURCE_FULL ? WK_DROP_SOURCE_FULL : WK_DROP_TABLE_FULL);
}

/* The handshake of a client's SYN, made anew if there is none. A connection that would find no room
 * is refused here already. @return NULL when the packet ends with *reason. */
static struct wk_tcp_hs *admit(struct wk_inspect *inspect, const struct wk_tcp_seg *syn,
			       const struct wk_insp_start *start, enum wk_reason *reason)
{
	struct wk_tcp_hs *hs = start->hs;
	struct wk_insp_flow *victim;
	enum wk_flow_room place;
	bool evicted = false;

	if (!source_may(inspect, syn, start->key, reason))
		return NULL;
	if (hs)
		return hs;
	place = room(inspect, start, &victim);
	if (place == WK_FLOW_ROOM) {
		place = WK_FLOW_FULL;
		hs = wk_flow_syn_add(inspect->syns, start->key, inspect->tcp_env.now_ns,
				     inspect->mode != WK_MODE_ENFORCE ||
					     inspect->on.mid_stream != WK_ON_PASS,
				     &evicted);
	}
	if (evicted)
		wk_count(inspect->stats, WK_CNT_SYN_EVICTED, 1);
	if (hs)
		wk_tcp_hs_start(hs, syn, inspect->mode != WK_MODE_ENFORCE);
	else
		*reason = no_room(inspect, syn, start->key, place);
	return hs;
}

/* The third segment found no room. What is not dropped has an end here: dropped, it comes again. */
static enum wk_reason stay_out(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
			       const struct wk_insp_start *start, enum wk_flow_room place)
{
	enum wk_on on = on_no_room(inspect, place);

	if (on != WK_ON_DROP)
		wk_flow_syn_del(inspect->syns, start->hs);
	if (on == WK_ON_RESET)
		wk_insp_replace(inspect, seg);
	return no_room(inspect, seg, start->key, place);
}

/* The third segment makes a flow of a handshake. */
static enum wk_reason open_flow(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
				const struct wk_insp_start *start)
{
	struct wk_insp_flow *victim, *flow;
	enum wk_flow_room place = room(inspect, start, &victim);

	if (place != WK_FLOW_ROOM)
		return stay_out(inspect, seg, start, place);
	if (victim != start->old)
		wk_count(inspect->stats, WK_CNT_CLOSED_EVICTED, 1);
	if (victim)
		wk_insp_forget(inspect, victim);
	flow = (struct wk_insp_flow *)wk_flow_add(inspect->table, start->key);
	if (!flow)
		return stay_out(inspect, seg, start, WK_FLOW_FULL);
	flow->opened_ns = inspect->tcp_env.now_ns;
	flow->passive = wk_tcp_hs_passive(start->hs);
	flow->version = inspect->version;
	wk_tcp_init(&flow->tcp, start->hs, &inspect->tcp_env);
	/* What is built on the way of this packet has no other to take its headers from. */
	wk_insp_tmpl_learn(&flow->tmpl[inspect->dir], inspect->pkt);
	wk_flow_syn_del(inspect->syns, start->hs);
	wk_count(inspect->stats, WK_CNT_FLOWS_OPENED, 1);
	return wk_insp_follow(inspect, flow, seg, start->key);
}

static enum wk_reason carry_out(struct wk_inspect *inspect, const struct wk_tcp_result *result)
{
	wk_insp_edit(inspect, result);
	return result->reason;
}

enum wk_reason wk_insp_begin(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
			     struct wk_insp_start *start)
{
	uint8_t hand = WK_TCP_SYN | WK_TCP_ACK | WK_TCP_RST | WK_TCP_FIN;
	struct wk_tcp_result result;
	enum wk_reason reason;

	if (inspect->dir == WK_C2S && (seg->flags & hand) == WK_TCP_SYN) {
		start->hs = admit(inspect, seg, start, &reason);
		if (!start->hs)
			return reason;
	}
	if (start->hs) {
		switch (wk_tcp_hs_input(start->hs, inspect->dir, seg, inspect->stats, &result)) {
		case WK_TCP_HS_ON:
			wk_flow_syn_refresh(inspect->syns, start->hs, inspect->tcp_env.now_ns);
			return carry_out(inspect, &result);
		case WK_TCP_HS_OVER:
			wk_flow_syn_del(inspect->syns, start->hs);
			return carry_out(inspect, &result);
		case WK_TCP_HS_DONE:
			return open_flow(inspect, seg, start);
		case WK_TCP_HS_ALIEN:
			break;
		}
	}
	/* What is none of the handshake's may be the last of the connection before. */
	if (start->old)
		return wk_insp_follow(inspect, start->old, seg, start->key);
	if (start->hs)
		return inspect->mode == WK_MODE_ENFORCE || !wk_tcp_hs_passive(start->hs)
			       ? result.reason
			       : WK_FWD_GUARDED;
	return wk_insp_stray(inspect, seg, start->key);
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
