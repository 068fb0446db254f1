/* SPDX-License-Identifier: Apache-2.0 */
/* worker_frag.c - fragments with a guarded address: kept until their datagram can be judged.
 *
 * What it turns out to be decides. Unguarded, or of a service that is not enforced: the fragments
 * go on as they came. Guarded: the fragments end here, and the inspector gets packets cut from the
 * datagram, as if its sender had known the path.
 *
 * Only a whole datagram tells which connection it belongs to. Where that is another worker's, the
 * fragments go there together, and are put together once more by who can judge them. */
#include <rte_mbuf.h>

#include "worker.h"

static void release(struct wk_worker *worker, uint16_t wire, enum wk_dir dir,
		    struct rte_mbuf **mbufs, uint32_t n, enum wk_reason reason)
{
	worker->stats.reason[reason] += n;
	if (wk_reason_class(reason) != WK_REASON_FORWARD) {
		rte_pktmbuf_free_bulk(mbufs, n);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		wk_worker_send(worker, wire, dir, mbufs[i]);
}

static void hook_give_up(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf **mbufs,
			 uint32_t n, enum wk_reason reason)
{
	release(user, wire, dir, mbufs, n, reason);
}

const struct wk_frag_hooks wk_worker_frag_hooks = { .give_up = hook_give_up };

/* The inspector reads along and counts one packet; the fragments leave as they came. */
static enum wk_reason follow(struct wk_worker *worker, struct wk_pkt *pkt, uint32_t service,
			     const struct wk_worker_port *port, uint32_t *counted)
{
	*counted = 1;
	return wk_inspect_packet(worker->inspect, pkt, service, port->wire, port->dir,
				 worker->now_ns) == WK_INSPECT_FORWARD
		       ? WK_FWD_GUARDED
		       : WK_ABSORB_FRAG;
}

static void inspect_cut(struct wk_worker *worker, struct wk_frag_cut *cut, uint32_t service,
			const struct wk_worker_port *port)
{
	struct rte_mbuf *m;
	struct wk_pkt pkt;

	while (wk_frag_cut_next(worker->frag, cut, &m)) {
		if (!m)
			continue;
		wk_pkt_parse_burst(&m, 1, &pkt);
		pkt.ip_csum = WK_PKT_CSUM_GOOD;
		pkt.l4_csum = WK_PKT_CSUM_GOOD;
		if (wk_inspect_packet(worker->inspect, &pkt, service, port->wire, port->dir,
				      worker->now_ns) == WK_INSPECT_FORWARD)
			wk_worker_send(worker, port->wire, port->dir, m);
		else
			rte_pktmbuf_free(m);
	}
}

/* @return what becomes of the fragments; *cut is begun if it is ABSORB_FRAG. */
static enum wk_reason begin_cut(struct wk_worker *worker, struct wk_frag_cut *cut,
				const struct wk_pkt *pkt, uint32_t largest_b,
				const struct wk_worker_port *port)
{
	uint32_t limit_b = RTE_MIN(port->mtu, worker->ports[port->peer].mtu);

	/* Before checksums of our own cover what is wrong. */
	if (!wk_pkt_csum_ok(pkt))
		return WK_DROP_CSUM;
	return wk_frag_cut_begin(cut, pkt, largest_b, limit_b) ? WK_ABSORB_FRAG : WK_DROP_OVERSIZE;
}

/* @return true when the connection is another worker's: the fragments have been seen to.
 * last: the fragment that made the datagram whole. */
static bool other_owner(struct wk_worker *worker, const struct wk_pkt *pkt,
			const struct wk_pkt *last, const struct wk_frag_whole *whole,
			const struct wk_worker_port *port)
{
	const struct wk_owners *owners = &worker->team->owners;
	uint32_t self = worker->index;
	uint32_t owner = owners->n > 1 ? wk_owner_flow(owners, pkt, port->wire) : self;
	enum wk_reason reason = WK_DROP_HANDOVER;

	if (owner == self)
		return false;
	/* Handed over by who found another owner in them: then other bytes of the same datagram
	 * were here before. */
	if (wk_owner_fragment(owners, last, port->wire, port->dir, self) != self)
		reason = WK_DROP_FRAG_OVERLAP;
	else if (wk_worker_hand_over_all(worker, owner, whole->mbufs, whole->n, port)) {
		worker->stats.counter[WK_CNT_REASSEMBLED]--; /* counted where it is judged */
		return true;
	}
	release(worker, port->wire, port->dir, whole->mbufs, whole->n, reason);
	return true;
}

static void guarded(struct wk_worker *worker, struct wk_pkt *pkt,
		    const struct wk_acl_verdict *verdict, const struct wk_frag_whole *whole,
		    const struct wk_worker_port *port)
{
	enum wk_reason reason;
	struct wk_frag_cut cut;
	uint32_t counted = 0;
	uint32_t service;

	if (!wk_acl_service(verdict, port->dir, &service))
		reason = wk_worker_enforces_any(worker, verdict) ? WK_DROP_SPOOF_PORT
								 : WK_FWD_PLAIN;
	else if (wk_inspect_passive(worker->inspect, pkt, service, port->wire, port->dir))
		reason = follow(worker, pkt, service, port, &counted);
	else
		reason = begin_cut(worker, &cut, pkt, whole->largest_b, port);
	release(worker, port->wire, port->dir, whole->mbufs, whole->n, reason);
	worker->stats.reason[reason] -= counted;
	if (reason == WK_ABSORB_FRAG && counted == 0)
		inspect_cut(worker, &cut, service, port);
}

static void judge(struct wk_worker *worker, const struct wk_frag_whole *whole,
		  const struct wk_pkt *last, const struct wk_worker_port *port)
{
	enum wk_reason reason = WK_DROP_MALFORMED;
	struct wk_acl_verdict verdict;
	struct wk_pkt pkt;

	wk_pkt_parse(whole->frame, whole->len_b, &pkt);
	wk_acl_classify_burst(worker->snapshot->acl, &pkt, 1, &verdict);
	switch ((enum wk_acl_action)verdict.action) {
	case WK_ACL_GUARD:
		if (!other_owner(worker, &pkt, last, whole, port))
			guarded(worker, &pkt, &verdict, whole, port);
		return;
	case WK_ACL_PASS:
		reason = WK_FWD_PLAIN;
		break;
	case WK_ACL_DROP:
		reason = (enum wk_reason)verdict.reason;
		break;
	case WK_ACL_TUNNEL:
		reason = whole->open || worker->snapshot->on_tunnel == WK_ON_PASS ? WK_FWD_PLAIN
										  : WK_DROP_TUNNEL;
		break;
	case WK_ACL_QUOTE: /* in fragments an ICMP error is not translated */
		reason = (enum wk_reason)verdict.reason;
		break;
	case WK_ACL_FRAG: /* fragments in a fragmented datagram */
		reason = whole->open ? WK_FWD_PLAIN : WK_DROP_V6_FRAG;
		break;
	}
	release(worker, port->wire, port->dir, whole->mbufs, whole->n, reason);
}

enum wk_way wk_worker_fragment(struct wk_worker *worker, const struct wk_pkt *pkt,
			       const struct wk_acl_verdict *verdict,
			       const struct wk_worker_port *port)
{
	bool open = !wk_worker_enforces(worker, verdict->service_addr);
	struct wk_frag_whole whole;
	enum wk_reason reason;

	switch (wk_frag_input(worker->frag, pkt, port->wire, port->dir, open, worker->now_ns,
			      &whole, &reason)) {
	case WK_FRAG_KEPT:
		break;
	case WK_FRAG_WHOLE:
		judge(worker, &whole, pkt, port);
		break;
	case WK_FRAG_END:
		release(worker, port->wire, port->dir, (struct rte_mbuf *[]){ pkt->m }, 1, reason);
		break;
	}
	return WK_WAY_KEPT;
}
