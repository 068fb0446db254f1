/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving half of an endpoint: acceptability, handshake, data, acknowledgements. */
#include "endpoint.h"

#include <inttypes.h>
#include <string.h>

#include "list.h"
#include "wk_seq.h"

#define DELACK_NS    40000000ull
#define KEEPALIVE_NS 10000000000ull
#define RTO_MIN_NS   200000000ull

static uint64_t unwrap(uint32_t isn, uint32_t seq, uint64_t near)
{
	int64_t off = wk_seq_unwrap(isn, seq, near);

	return off < 0 ? 0 : (uint64_t)off;
}

static void opened(struct ep *ep)
{
	uint32_t own = ep->cfg.mss > 0 ? ep->cfg.mss : 536;

	ep->state = EP_OPEN;
	ep->rto_at = NEVER;
	ep->rto_ns = RTO_MIN_NS * 2;
	ep->una = 1;
	if (ep->mss > own)
		ep->mss = own;
	ep->cwnd = 10ull * ep->mss;
	ep->write_at = ep->now_ns + ep_write_gap(ep);
}

/* What the peer's SYN or SYN-ACK says. */
static void learn_syn(struct ep *ep, const struct wk_tcp_seg *seg)
{
	ep->irs = seg->seq;
	ep->rcv_nxt = 1;
	ep->mss = seg->has_mss ? seg->mss : 536;
	ep->ts = ep->cfg.ts && seg->has_ts;
	ep->sack = ep->cfg.sack && seg->sack_permitted;
	ep->ecn = ep->cfg.ecn &&
		  (seg->flags & (WK_TCP_ECE | WK_TCP_CWR)) ==
			  (ep->state == EP_LISTEN ? WK_TCP_ECE | WK_TCP_CWR : WK_TCP_ECE);
	ep->scaled = ep->cfg.wscale && seg->has_wscale;
	ep->peer_shift = ep->scaled ? seg->wscale : 0;
	ep->ts_recent = seg->tsval;
	ep->edge = 1 + (uint64_t)seg->wnd;
	ep->wl1 = 0;
	ep->wl2 = 1;
	ep->keep_at = ep->now_ns + KEEPALIVE_NS;
}

static void in_listen(struct ep *ep, const struct wk_tcp_seg *seg)
{
	if ((seg->flags & (WK_TCP_SYN | WK_TCP_ACK | WK_TCP_RST)) != WK_TCP_SYN)
		return;
	if (seg->data_len_b > 0)
		ep->fault = "payload in a SYN";
	learn_syn(ep, seg);
	ep->state = EP_SYN_RCVD;
	ep_send_syn(ep);
}

static void in_syn_sent(struct ep *ep, const struct wk_tcp_seg *seg)
{
	bool acks = (seg->flags & WK_TCP_ACK) && seg->ack == ep->cfg.isn + 1;
	bool bytes = (seg->flags & WK_TCP_ACK) && seg->ack == ep->cfg.isn + 1 + ep_syn_b(ep);

	if ((seg->flags & WK_TCP_RST) && (acks || bytes)) {
		ep->state = EP_DEAD;
		ep->reset_by_peer = true;
		return;
	}
	if ((seg->flags & (WK_TCP_SYN | WK_TCP_ACK)) != (WK_TCP_SYN | WK_TCP_ACK) || !acks)
		return;
	learn_syn(ep, seg);
	opened(ep);
	ep_send_ack(ep);
}

/* RFC 9293 3.10.7.4, first check; the right edge itself is good for an empty segment, as the ACK of
 * a sender that has filled the window. */
static bool acceptable(const struct ep *ep, uint64_t seq, uint64_t len)
{
	if (len == 0)
		return seq >= ep->rcv_nxt && seq <= ep->rcv_adv;
	if (ep->rcv_adv <= ep->rcv_nxt)
		return false;
	return seq < ep->rcv_adv && seq + len > ep->rcv_nxt;
}

static void store(struct ep *ep, const uint8_t *data, uint64_t from, uint64_t to)
{
	ep->rx = list_bytes(ep->rx, to, &ep->rx_cap);
	for (uint64_t off = from; off < to; off++) {
		const struct range *r = ranges_find(&ep->ever, off);

		if (!r) {
			const struct range *next = ranges_next(&ep->ever, off);
			uint64_t end = next && next->from < to ? next->from : to;

			memcpy(ep->rx + off - 1, data + (off - from), end - off);
			ranges_add(&ep->ever, off, end);
			off = end - 1;
		} else if (ep->cfg.strict && ep->rx[off - 1] != data[off - from]) {
			ep->fault = "a byte came again with another value";
		}
	}
	ranges_add(&ep->got, from, to);
}

static void remember(struct ep *ep, uint64_t off)
{
	memmove(&ep->recent[1], &ep->recent[0], 3 * sizeof(ep->recent[0]));
	ep->recent[0] = off;
}

/* Moves rcv_nxt over what is there, the FIN included. */
static void advance(struct ep *ep)
{
	uint64_t before = ep->rcv_nxt, end = ep_received_b(ep) + 1;

	if (end > ep->rcv_nxt)
		ep->rcv_nxt = end;
	if (ep->fin_at > 0 && ep->rcv_nxt == ep->fin_at && !ep->fin_rcvd) {
		ep->rcv_nxt++;
		ep->fin_rcvd = true;
		if (ep->cfg.close == EP_CLOSE_AFTER_PEER &&
		    ep->avail == 1 + (uint64_t)ep->stream.len_b && !ep->closing)
			ep->close_at = ep->now_ns + ep->cfg.close_delay_ns;
	}
	ep->unacked += (uint32_t)(ep->rcv_nxt - before);
	if (ep->rcv_nxt > before && ep->read_at == NEVER)
		ep->read_at = ep->now_ns +
			      choose(&ep->chooser, CHOICE_WAKE,
				     rng_range(&ep->chooser.rng, 0, ep->cfg.read_gap_ns));
}

/* Throws away what is out of order, as it may (RFC 2018 8). */
static void renege(struct ep *ep)
{
	if (ep->cfg.renege_permille == 0 || ep->got.n < 2 ||
	    !choose(&ep->chooser, CHOICE_RENEGE,
		    rng_chance(&ep->chooser.rng, ep->cfg.renege_permille)))
		return;
	choice_note(&ep->chooser, CHOICE_RENEGE, "at %.3f ms: beyond byte %" PRIu64,
		    (double)ep->now_ns / 1e6, ep->rcv_nxt - 1);
	ranges_trim(&ep->got, ep->rcv_nxt);
	if (!ep->fin_rcvd)
		ep->fin_at = 0;
}

/* Congestion marks that come, and what the sender says it has done about them. */
static void take_mark(struct ep *ep, const struct wk_tcp_seg *seg)
{
	if (!ep->ecn || seg->data_len_b == 0)
		return;
	if (seg->flags & WK_TCP_CWR)
		ep->ece = false;
	ep->ece |=
		choose(&ep->chooser, CHOICE_CE, rng_chance(&ep->chooser.rng, ep->cfg.ce_permille));
}

static void take_data(struct ep *ep, const struct wk_tcp_seg *seg, uint64_t seq)
{
	uint64_t from = seq, to = seq + seg->data_len_b;
	bool fin = seg->flags & WK_TCP_FIN, in_order, hole;

	if (from < 1)
		from = 1;
	if (fin && to < ep->rcv_adv + 1) {
		if (ep->fin_at > 0 && ep->fin_at != to)
			ep->fault = "a second FIN at another place";
		ep->fin_at = to;
	}
	if (to > ep->rcv_adv)
		to = ep->rcv_adv;
	in_order = from <= ep->rcv_nxt && (to > ep->rcv_nxt || fin);
	hole = from > ep->rcv_nxt || ep->got.n > 1;
	if (ep->cfg.dsack && from < to && ranges_cover(&ep->got, from, to))
		ep->dsack = (struct range){ .from = from, .to = to };
	if (from < to) {
		if (ep->fin_at > 0 && to > ep->fin_at)
			ep->fault = "bytes behind the FIN";
		store(ep, seg->data + (from - seq), from, to);
		if (from > ep->rcv_nxt)
			remember(ep, from);
	}
	advance(ep);
	if (!in_order || hole || ep->fin_rcvd || ep->unacked >= 2u * 536u)
		ep_send_ack(ep);
	else if (ep->unacked > 0 && ep->delack_at == NEVER)
		ep->delack_at = ep->now_ns + DELACK_NS;
}

static void in_rst(struct ep *ep, uint64_t seq)
{
	if (seq == ep->rcv_nxt) {
		ep->state = EP_DEAD;
		ep->reset_by_peer = true;
	} else if (seq > ep->rcv_nxt && seq <= ep->rcv_adv) {
		ep_send_ack(ep);
	}
}

/* PAWS (RFC 7323 5.3, R1). @return false when the segment must not be used. */
static bool check_ts(struct ep *ep, const struct wk_tcp_seg *seg)
{
	if (!ep->ts)
		return true;
	if (!seg->has_ts) {
		if (!ep->cfg.besieged)
			ep->fault = "a segment without the agreed timestamp";
		return false;
	}
	if ((int32_t)(seg->tsval - ep->ts_recent) < 0) {
		ep_send_ack(ep);
		return false;
	}
	return true;
}

static void in_open(struct ep *ep, const struct wk_tcp_seg *seg)
{
	uint64_t seq = unwrap(ep->irs, seg->seq, ep->rcv_nxt);
	uint64_t len = seg->data_len_b + (seg->flags & WK_TCP_FIN ? 1 : 0);

	if (seg->flags & WK_TCP_RST) {
		in_rst(ep, seq);
		return;
	}
	if (!check_ts(ep, seg))
		return;
	if (seg->flags & WK_TCP_SYN) {
		ep_send_ack(ep);
		return;
	}
	if (!acceptable(ep, seq, len)) {
		if (ep->cfg.strict && seg->data_len_b > 0 && seq > 0 && seq < ep->rcv_nxt) {
			uint64_t to = seq + seg->data_len_b;

			for (uint64_t off = seq; off < to && off <= ep_received_b(ep); off++) {
				if (ep->rx[off - 1] != seg->data[off - seq])
					ep->fault = "an old byte came with another value";
			}
		}
		ep_send_ack(ep);
		return;
	}
	/* R3, after R2: what is outside of the window has no time to tell. */
	if (ep->ts && seq <= ep->last_ack)
		ep->ts_recent = seg->tsval;
	if (!(seg->flags & WK_TCP_ACK))
		return;
	ep_on_ack(ep, seg, seq);
	take_mark(ep, seg);
	if (len > 0)
		take_data(ep, seg, seq);
	renege(ep);
	ep_output(ep);
}

static void in_dead(struct ep *ep, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_seg rst = {
		.seq = seg->flags & WK_TCP_ACK ? seg->ack : 0,
		.flags = WK_TCP_RST,
	};

	if (seg->flags & WK_TCP_RST)
		return;
	if (!(seg->flags & WK_TCP_ACK)) {
		rst.flags |= WK_TCP_ACK;
		rst.ack = seg->seq + seg->data_len_b + (seg->flags & WK_TCP_SYN ? 1 : 0) +
			  (seg->flags & WK_TCP_FIN ? 1 : 0);
	}
	ep->send(ep->user, pkt_build(ep->cfg.dir, &rst));
}

void ep_input(struct ep *ep, const struct sim_pkt *pkt, uint64_t now_ns)
{
	struct wk_tcp_seg seg;

	ep->now_ns = now_ns;
	if (!pkt_read(pkt, &seg)) {
		ep->fault = "a packet that does not parse";
		return;
	}
	if (ep->keep_at != NEVER)
		ep->keep_at = now_ns + KEEPALIVE_NS;
	switch (ep->state) {
	case EP_LISTEN:
		in_listen(ep, &seg);
		break;
	case EP_SYN_SENT:
		in_syn_sent(ep, &seg);
		break;
	case EP_SYN_RCVD:
		if ((seg.flags & (WK_TCP_SYN | WK_TCP_ACK)) == WK_TCP_SYN) {
			ep_send_syn(ep);
			break;
		}
		if (!(seg.flags & WK_TCP_ACK) || seg.ack != ep->cfg.isn + 1) {
			if ((seg.flags & WK_TCP_RST) && seg.seq == ep->irs + 1)
				ep->state = EP_DEAD;
			break;
		}
		opened(ep);
		in_open(ep, &seg);
		break;
	case EP_OPEN:
		in_open(ep, &seg);
		break;
	case EP_DEAD:
	case EP_CLOSED:
		in_dead(ep, &seg);
		break;
	}
}
