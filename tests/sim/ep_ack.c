/* SPDX-License-Identifier: Apache-2.0 */
/* What an acknowledgement does to the sending half of an endpoint. */
#include "endpoint.h"

#include "wk_seq.h"

#define RTO_MIN_NS 200000000ull

static void sample_rtt(struct ep *ep, uint64_t ack)
{
	uint64_t rtt;

	if (ep->rtt_off == 0 || ack < ep->rtt_off)
		return;
	rtt = ep->now_ns - ep->rtt_at;
	ep->rtt_off = 0;
	if (ep->srtt_ns == 0) {
		ep->srtt_ns = rtt;
		ep->rttvar_ns = rtt / 2;
	} else {
		uint64_t d = rtt > ep->srtt_ns ? rtt - ep->srtt_ns : ep->srtt_ns - rtt;

		ep->rttvar_ns = (3 * ep->rttvar_ns + d) / 4;
		ep->srtt_ns = (7 * ep->srtt_ns + rtt) / 8;
	}
}

static void reset_rto(struct ep *ep)
{
	ep->rto_ns = ep->srtt_ns + 4 * ep->rttvar_ns;
	if (ep->rto_ns < RTO_MIN_NS)
		ep->rto_ns = RTO_MIN_NS;
	ep->backoffs = 0;
}

/* @return true when a block says something new. */
static bool take_sack(struct ep *ep, const struct wk_tcp_seg *seg, uint64_t ack)
{
	bool news = false;

	for (uint32_t i = 0; i < seg->n_sack; i++) {
		int64_t left = wk_seq_unwrap(ep->cfg.isn, seg->sack[i].left, ep->una);
		int64_t right = wk_seq_unwrap(ep->cfg.isn, seg->sack[i].right, ep->una);

		if (left >= right || left < 0 || (uint64_t)right > ep->max) {
			if (!ep->cfg.besieged)
				ep->fault = "a SACK block of what was never sent";
			continue;
		}
		if ((uint64_t)right <= ack || (uint64_t)left <= ep->una)
			continue;
		if (!ranges_cover(&ep->sacked, (uint64_t)left, (uint64_t)right))
			news = true;
		ranges_add(&ep->sacked, (uint64_t)left, (uint64_t)right);
	}
	return news;
}

static void fast_retransmit(struct ep *ep)
{
	uint64_t flight = ep->max - ep->una;

	ep->ssthresh = flight / 2 > 2 * ep->mss ? flight / 2 : 2 * ep->mss;
	ep->recover = ep->max;
	ep->in_recovery = true;
	ep->cwnd = ep->ssthresh + 3 * ep->mss;
	ep_retransmit(ep, ep->una);
	ep->rexmit = ep->una + ep->mss;
}

/* The next hole below a SACKed range, once per recovery. */
static void fill_hole(struct ep *ep)
{
	const struct range *r = ranges_find(&ep->sacked, ep->rexmit);

	if (r)
		ep->rexmit = r->to;
	if (ranges_next(&ep->sacked, ep->rexmit)) {
		ep_retransmit(ep, ep->rexmit);
		ep->rexmit += ep->mss;
	}
}

static void duplicate(struct ep *ep)
{
	ep->dupacks++;
	if (ep->in_recovery) {
		ep->cwnd += ep->mss;
		fill_hole(ep);
	} else if (ep->dupacks == 3 && ep->una >= ep->recover) {
		fast_retransmit(ep);
	}
}

static void progress(struct ep *ep, uint64_t ack)
{
	uint64_t acked = ack - ep->una;

	sample_rtt(ep, ack);
	reset_rto(ep);
	ep->una = ack;
	if (ep->nxt < ack)
		ep->nxt = ack;
	ranges_cut(&ep->sacked, ack);
	ep->dupacks = 0;
	ep->rto_at = NEVER;
	ep->persist_at = NEVER;
	if (ep->closing && ack == 2 + (uint64_t)ep->stream.len_b)
		ep->fin_acked = true;
	if (ep->in_recovery) {
		if (ack >= ep->recover) {
			ep->in_recovery = false;
			ep->cwnd = ep->ssthresh;
		} else {
			ep_retransmit(ep, ack);
			ep->rexmit = ack + ep->mss;
		}
	} else {
		ep->cwnd += ep->cwnd < ep->ssthresh ? acked : ep->mss * ep->mss / ep->cwnd + 1;
	}
}

/* The path is congested: half the window, once a round trip (RFC 3168 6.1.2). */
static void slow_down(struct ep *ep)
{
	ep->ssthresh = ep->cwnd / 2 > 2 * ep->mss ? ep->cwnd / 2 : 2 * ep->mss;
	ep->cwnd = ep->ssthresh;
	ep->cwr_due = true;
	ep->ecn_recover = ep->max;
}

void ep_on_ack(struct ep *ep, const struct wk_tcp_seg *seg, uint64_t seq)
{
	int64_t off = wk_seq_unwrap(ep->cfg.isn, seg->ack, ep->una);
	uint64_t ack = off < 0 ? 0 : (uint64_t)off;
	uint64_t edge = ack + ((uint64_t)seg->wnd << ep->peer_shift);
	bool same_edge = edge == ep->edge, news;

	if (off > (int64_t)ep->max) {
		ep->fault = "an ACK of what was never sent";
		ep_send_ack(ep);
		return;
	}
	if (ack < ep->una)
		return;
	news = take_sack(ep, seg, ack);
	if (ep->ecn && (seg->flags & WK_TCP_ECE) && ack >= ep->ecn_recover)
		slow_down(ep);
	if (ack > ep->una || ep->wl1 < seq || (ep->wl1 == seq && ep->wl2 <= ack)) {
		if (edge > ep->edge)
			ep->persist_at = NEVER;
		ep->edge = edge;
		ep->wl1 = seq;
		ep->wl2 = ack;
	}
	if (ack > ep->una)
		progress(ep, ack);
	else if (ep->una < ep->max && seg->data_len_b == 0 && !(seg->flags & WK_TCP_FIN) &&
		 (news || (same_edge && ep->sacked.n == 0)))
		duplicate(ep);
}
