/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - the way of a packet. */
#include <netinet/in.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "event_ring.h"
#include "worker.h"

/* Attempts to hand packets to a full transmit queue before they are given up. */
#define TX_TRIES 8u

#define L2_MAX_B (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)

static void send_all(struct wk_worker *worker, struct wk_worker_port *port)
{
	uint16_t sent = 0;
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < port->n_tx; i++)
		bytes += rte_pktmbuf_pkt_len(port->tx[i]);
	for (uint32_t try = 0; try < TX_TRIES && sent < port->n_tx; try++) {
		if (try > 0)
			rte_pause();
		sent = (uint16_t)(sent + rte_eth_tx_burst(port->port_id, (uint16_t)worker->index,
							  port->tx + sent,
							  (uint16_t)(port->n_tx - sent)));
	}
	for (uint16_t i = sent; i < port->n_tx; i++)
		bytes -= rte_pktmbuf_pkt_len(port->tx[i]);
	if (sent < port->n_tx) {
		worker->stats.reason[WK_DROP_TX_FULL] += (uint64_t)(port->n_tx - sent);
		rte_pktmbuf_free_bulk(port->tx + sent, (unsigned int)(port->n_tx - sent));
	}
	wk_count(&worker->stats, WK_CNT_TX, sent);
	wk_count(&worker->stats, WK_CNT_TX_BYTES, bytes);
	port->n_tx = 0;
}

void wk_worker_flush(struct wk_worker *worker)
{
	for (uint32_t i = 0; i < worker->n_ports; i++)
		if (worker->ports[i].n_tx > 0)
			send_all(worker, &worker->ports[i]);
}

static void send_one(struct wk_worker *worker, struct wk_worker_port *port, struct rte_mbuf *m)
{
	if (port->n_tx == WK_TX_BUFFER)
		send_all(worker, port);
	port->tx[port->n_tx++] = m;
}

void wk_worker_send(struct wk_worker *worker, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m)
{
	send_one(worker, &worker->ports[2u * wire + (dir == WK_C2S ? 1u : 0u)], m);
}

static void hook_tx(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m)
{
	wk_worker_send(user, wire, dir, m);
}

static bool hook_event(void *user, const struct wk_event *event)
{
	struct wk_worker *worker = user;

	return wk_event_ring_put(worker->events, event);
}

/* As a packet of its client would be classified. */
static bool hook_service(void *user, const struct wk_flow_key *key, uint32_t *service)
{
	const struct wk_worker *worker = user;
	struct wk_acl_verdict verdict;
	struct wk_pkt pkt = {
		.flags = WK_PKT_F_TCP | WK_PKT_F_L4_PORTS,
		.ip_version = key->ip_version,
		.proto = IPPROTO_TCP,
		.vlan = { key->vlan[0], key->vlan[1] },
		.sport = key->client_port,
		.dport = key->server_port,
	};

	memcpy(pkt.src, key->client, sizeof(pkt.src));
	memcpy(pkt.dst, key->server, sizeof(pkt.dst));
	wk_acl_classify_burst(worker->snapshot->acl, &pkt, 1, &verdict);
	return verdict.action == WK_ACL_GUARD && wk_acl_service(&verdict, WK_C2S, service);
}

const struct wk_inspect_hooks wk_worker_hooks = {
	.tx = hook_tx,
	.event = hook_event,
	.service = hook_service,
};

static enum wk_way drop(struct wk_worker *worker, enum wk_reason reason)
{
	worker->stats.reason[reason]++;
	return WK_WAY_FREE;
}

static enum wk_way forward_plain(struct wk_worker *worker)
{
	worker->stats.reason[WK_FWD_PLAIN]++;
	return WK_WAY_FORWARD;
}

bool wk_worker_enforces(const struct wk_worker *worker, uint32_t service)
{
	const struct wk_policy_service *svc = wk_policy_service(worker->snapshot->policy, service);

	return !svc || svc->mode == WK_MODE_ENFORCE;
}

bool wk_worker_enforces_any(const struct wk_worker *worker, const struct wk_acl_verdict *verdict)
{
	return (verdict->guarded_dst && wk_worker_enforces(worker, verdict->service_dst)) ||
	       (verdict->guarded_src && wk_worker_enforces(worker, verdict->service_src));
}

/* taken: the packet came by our ring, from a worker that has named us its owner. */
static enum wk_way guarded(struct wk_worker *worker, struct wk_pkt *pkt,
			   const struct wk_acl_verdict *verdict, const struct wk_worker_port *port,
			   bool taken)
{
	uint32_t service;
	uint32_t owner;

	if (!wk_acl_service(verdict, port->dir, &service))
		return wk_worker_enforces_any(worker, verdict) ? drop(worker, WK_DROP_SPOOF_PORT)
							       : forward_plain(worker);
	owner = taken ? worker->index
		      : wk_owner(&worker->team->owners, pkt, port->wire, port->dir, worker->index);
	if (owner != worker->index)
		return wk_worker_hand_over(worker, owner, pkt, port);
	return wk_inspect_packet(worker->inspect, pkt, service, port->wire, port->dir,
				 worker->now_ns) == WK_INSPECT_FORWARD
		       ? WK_WAY_FORWARD
		       : WK_WAY_FREE;
}

/* A fragment or a tunnel hides what the inspector would have to see. */
static enum wk_way hidden(struct wk_worker *worker, const struct wk_acl_verdict *verdict,
			  enum wk_on on, enum wk_reason reason)
{
	return on == WK_ON_PASS || !wk_worker_enforces(worker, verdict->service_addr)
		       ? forward_plain(worker)
		       : drop(worker, reason);
}

static enum wk_way fragment(struct wk_worker *worker, struct wk_pkt *pkt,
			    const struct wk_acl_verdict *verdict, const struct wk_worker_port *port,
			    bool taken)
{
	uint32_t owner;

	if (!worker->snapshot->reassemble)
		return hidden(worker, verdict, worker->snapshot->on_fragment, WK_DROP_FRAG);
	owner = taken ? worker->index
		      : wk_owner(&worker->team->owners, pkt, port->wire, port->dir, worker->index);
	if (owner == worker->index)
		return wk_worker_fragment(worker, pkt, verdict, port);
	pkt->ip_csum = WK_PKT_CSUM_GOOD; /* or it would have been kept here */
	return wk_worker_hand_over(worker, owner, pkt, port);
}

/* An ICMP error about a guarded connection. What it quotes went out where it came in. */
static enum wk_way quote(struct wk_worker *worker, struct wk_pkt *pkt,
			 const struct wk_acl_verdict *verdict, const struct wk_worker_port *port,
			 bool taken)
{
	enum wk_reason plain = (enum wk_reason)verdict->reason;
	struct wk_pkt quoted;
	uint32_t service;
	uint32_t owner;

	if (!wk_acl_service(verdict, wk_dir_flip(port->dir), &service)) {
		if (wk_worker_enforces_any(worker, verdict))
			return drop(worker, WK_DROP_SPOOF_PORT);
		return plain == WK_FWD_PLAIN ? forward_plain(worker) : drop(worker, plain);
	}
	owner = taken || !wk_pkt_quoted(pkt, &quoted)
			? worker->index
			: wk_owner_flow(&worker->team->owners, &quoted, port->wire);
	if (owner != worker->index)
		return wk_worker_hand_over(worker, owner, pkt, port);
	return wk_inspect_icmp(worker->inspect, pkt, port->wire, port->dir, plain,
			       worker->now_ns) == WK_INSPECT_FORWARD
		       ? WK_WAY_FORWARD
		       : WK_WAY_FREE;
}

static enum wk_way one_packet(struct wk_worker *worker, struct wk_pkt *pkt,
			      const struct wk_acl_verdict *verdict,
			      const struct wk_worker_port *port, bool taken)
{
	/* Where the parser could not reach the IP header, both tags are given the benefit. */
	uint32_t l2_b = pkt->l3_off > 0 ? pkt->l3_off : L2_MAX_B;
	uint32_t mtu = RTE_MIN(port->mtu, worker->ports[port->peer].mtu);

	if (rte_pktmbuf_pkt_len(pkt->m) > mtu + l2_b)
		return drop(worker, WK_DROP_OVERSIZE);
	if (pkt->flags & WK_PKT_F_SEGMENTS)
		return drop(worker, WK_DROP_SEGMENTS);
	switch ((enum wk_acl_action)verdict->action) {
	case WK_ACL_PASS:
		return forward_plain(worker);
	case WK_ACL_DROP:
		return drop(worker, (enum wk_reason)verdict->reason);
	case WK_ACL_GUARD:
		return guarded(worker, pkt, verdict, port, taken);
	case WK_ACL_FRAG:
		return fragment(worker, pkt, verdict, port, taken);
	case WK_ACL_TUNNEL:
		return hidden(worker, verdict, worker->snapshot->on_tunnel, WK_DROP_TUNNEL);
	case WK_ACL_QUOTE:
		return quote(worker, pkt, verdict, port, taken);
	}
	return drop(worker, WK_DROP_MALFORMED);
}

static struct wk_worker_port *port_of(struct wk_worker *worker, uint16_t port_id)
{
	struct wk_worker_port *port = worker->ports;

	while (port->port_id != port_id)
		port++;
	return port;
}

/* Tells the inspector what it is going to get. Packets that another worker owns are among them:
 * they cost a look-up that finds nothing. */
static void announce(struct wk_worker *worker, const struct wk_pkt *pkts,
		     const struct wk_acl_verdict *verdicts, uint16_t n,
		     const struct wk_worker_port *from)
{
	struct wk_inspect_next next[WK_BURST_MAX];
	uint32_t guarded = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct wk_worker_port *port = from;

		if (verdicts[i].action != WK_ACL_GUARD)
			continue;
		if (!port)
			port = port_of(worker, pkts[i].m->port);
		next[guarded++] = (struct wk_inspect_next){ &pkts[i], port->wire, port->dir };
	}
	if (guarded > 1)
		wk_inspect_ahead(worker->inspect, next, guarded);
}

/* The whole way, from one port to the other. from: NULL when they were taken from our ring. */
static void burst(struct wk_worker *worker, struct rte_mbuf **mbufs, uint16_t n,
		  struct wk_worker_port *from)
{
	struct wk_pkt pkts[WK_BURST_MAX];
	struct wk_acl_verdict verdicts[WK_BURST_MAX];

	wk_pkt_parse_burst(mbufs, n, pkts);
	wk_acl_classify_burst(worker->snapshot->acl, pkts, n, verdicts);
	announce(worker, pkts, verdicts, n, from);
	for (uint16_t i = 0; i < n; i++) {
		const struct wk_worker_port *port = from ? from : port_of(worker, mbufs[i]->port);

		switch (one_packet(worker, &pkts[i], &verdicts[i], port, !from)) {
		case WK_WAY_FORWARD:
			send_one(worker, &worker->ports[port->peer], pkts[i].m);
			break;
		case WK_WAY_FREE:
			rte_pktmbuf_free(pkts[i].m);
			break;
		case WK_WAY_KEPT:
			break;
		}
	}
}

static uint16_t port_burst(struct wk_worker *worker, struct wk_worker_port *port)
{
	struct rte_mbuf *mbufs[WK_BURST_MAX];
	uint16_t n = rte_eth_rx_burst(port->port_id, (uint16_t)worker->index, mbufs, WK_BURST_MAX);

	if (n == 0)
		return 0;
	wk_count(&worker->stats, WK_CNT_RX, n);
	for (uint16_t i = 0; i < n; i++)
		wk_count(&worker->stats, WK_CNT_RX_BYTES, rte_pktmbuf_pkt_len(mbufs[i]));
	burst(worker, mbufs, n, port);
	wk_worker_post(worker);
	return n;
}

/* As much of the ring as of the ports, at most. */
static uint32_t ring_bursts(struct wk_worker *worker)
{
	struct rte_mbuf *mbufs[WK_BURST_MAX];
	uint16_t n = WK_BURST_MAX;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < worker->n_ports && n == WK_BURST_MAX; i++) {
		n = wk_worker_take(worker, mbufs);
		if (n > 0)
			burst(worker, mbufs, n, NULL);
		sum += n;
	}
	wk_worker_post(worker); /* fragments of a flow that is another's */
	return sum;
}

uint32_t wk_worker_step(struct wk_worker *worker, uint64_t now_ns)
{
	uint32_t n;

	worker->now_ns = now_ns;
	n = ring_bursts(worker);
	for (uint32_t i = 0; i < worker->n_ports; i++)
		n += port_burst(worker, &worker->ports[i]);
	wk_worker_flush(worker);
	return n;
}
