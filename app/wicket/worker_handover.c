/* SPDX-License-Identifier: Apache-2.0 */
/* worker_handover.c - packets on their way to the worker that owns them. */
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "worker.h"

static uint64_t csum_flags(const struct wk_pkt *pkt)
{
	uint64_t flags = 0;

	if (pkt->ip_csum == WK_PKT_CSUM_GOOD)
		flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	else if (pkt->ip_csum == WK_PKT_CSUM_BAD)
		flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
	if (pkt->l4_csum == WK_PKT_CSUM_GOOD)
		flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	else if (pkt->l4_csum == WK_PKT_CSUM_BAD)
		flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD;
	return flags;
}

static uint64_t bytes_of(struct rte_mbuf *const *mbufs, uint32_t n)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		bytes += rte_pktmbuf_pkt_len(mbufs[i]);
	return bytes;
}

static void count(struct wk_worker *worker, uint32_t n, uint64_t bytes)
{
	wk_count(&worker->stats, WK_CNT_HANDOVER, n);
	wk_count(&worker->stats, WK_CNT_HANDOVER_BYTES, bytes);
}

static void post(struct wk_worker *worker, uint32_t owner)
{
	struct wk_outbox *out = &worker->out[owner];
	/* Before they go: whoever takes one may have freed it by the time we look again. */
	uint64_t bytes = bytes_of(out->m, out->n);
	uint32_t n =
		rte_ring_enqueue_burst(worker->team->inbox[owner], (void **)out->m, out->n, NULL);

	count(worker, n, bytes - bytes_of(out->m + n, out->n - n));
	if (n < out->n) {
		worker->stats.reason[WK_DROP_HANDOVER] += out->n - n;
		rte_pktmbuf_free_bulk(out->m + n, out->n - n);
	}
	out->n = 0;
}

void wk_worker_post(struct wk_worker *worker)
{
	for (uint32_t i = 0; i < worker->team->owners.n; i++)
		if (worker->out[i].n > 0)
			post(worker, i);
}

enum wk_way wk_worker_hand_over(struct wk_worker *worker, uint32_t owner, const struct wk_pkt *pkt,
				const struct wk_worker_port *port)
{
	struct wk_outbox *out = &worker->out[owner];
	struct rte_mbuf *m = pkt->m;

	m->port = port->port_id;
	m->hash.usr = worker->cut_number;
	m->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
	m->ol_flags |= csum_flags(pkt);
	out->m[out->n++] = m;
	if (out->n == WK_BURST_MAX)
		post(worker, owner);
	return WK_WAY_KEPT;
}

bool wk_worker_hand_over_all(struct wk_worker *worker, uint32_t owner, struct rte_mbuf **mbufs,
			     uint32_t n, const struct wk_worker_port *port)
{
	uint64_t bytes = bytes_of(mbufs, n);

	if (worker->out[owner].n > 0)
		post(worker, owner);
	for (uint32_t i = 0; i < n; i++) {
		mbufs[i]->port = port->port_id;
		mbufs[i]->hash.usr = worker->cut_number;
		mbufs[i]->ol_flags &= ~RTE_MBUF_F_RX_IP_CKSUM_MASK;
		mbufs[i]->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD; /* each was looked at */
	}
	if (rte_ring_enqueue_bulk(worker->team->inbox[owner], (void **)mbufs, n, NULL) == 0)
		return false;
	count(worker, n, bytes);
	return true;
}

void wk_worker_cut(struct wk_worker *worker, uint32_t number)
{
	/* Numbers wrap. */
	if ((int32_t)(number - worker->cut_number) <= 0)
		return;
	wk_worker_flush(worker);
	wk_worker_post(worker);
	worker->cut = worker->stats;
	worker->cut_number = number;
}

uint16_t wk_worker_take(struct wk_worker *worker, struct rte_mbuf **mbufs)
{
	struct rte_ring *inbox = worker->team->inbox[worker->index];
	uint32_t n;

	if (!inbox)
		return 0;
	n = rte_ring_sc_dequeue_burst(inbox, (void **)mbufs, WK_BURST_MAX, NULL);
	for (uint32_t i = 0; i < n; i++)
		wk_worker_cut(worker, mbufs[i]->hash.usr);
	wk_count(&worker->stats, WK_CNT_TAKEN, n);
	return (uint16_t)n;
}

void wk_worker_clear(struct wk_worker *worker)
{
	struct rte_mbuf *mbufs[WK_BURST_MAX];
	uint16_t n;

	while ((n = wk_worker_take(worker, mbufs)) > 0) {
		worker->stats.reason[WK_DROP_STOPPING] += n;
		rte_pktmbuf_free_bulk(mbufs, n);
	}
}
