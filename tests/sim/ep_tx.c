/* SPDX-License-Identifier: Apache-2.0 */
/* The sending half of an endpoint: segments, retransmission, probes. */
#include "endpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "wk_seq.h"

#define RTO_MAX_NS     5000000000ull
#define PERSIST_MAX_NS 2000000000ull
#define SYN_B          30u
#define PATH_MTU_MIN_B 552u /* no path that is worth having takes less */

static uint32_t seq_of(const struct ep *ep, uint64_t off)
{
	return ep->cfg.isn + (uint32_t)off;
}

static uint64_t fin_off(const struct ep *ep)
{
	return 1 + ep->stream.len_b;
}

static uint32_t ts_now(const struct ep *ep)
{
	if (ep->cfg.ts_tick_ns == 0)
		return ep->cfg.ts_start;
	return ep->cfg.ts_start + (uint32_t)(ep->now_ns / ep->cfg.ts_tick_ns);
}

/* Right edge that the buffer allows, moved only in steps worth telling (RFC 9293 3.8.6.2.2). */
static uint64_t wanted_edge(const struct ep *ep)
{
	uint64_t edge = ep->read + ep->cfg.rcvbuf_b;
	uint64_t step = ep->cfg.rcvbuf_b / 2;

	if (ep->cfg.mss > 0 && ep->cfg.mss < step)
		step = ep->cfg.mss;
	return edge >= ep->rcv_adv + step ? edge : ep->rcv_adv;
}

bool ep_window_moves(const struct ep *ep)
{
	return wanted_edge(ep) > ep->rcv_adv;
}

static uint16_t window(struct ep *ep, bool syn)
{
	uint8_t shift = syn || !ep->scaled ? 0 : ep->cfg.shift;
	uint64_t edge = wanted_edge(ep), raw;
	/* A SYN's window counts from the peer's first byte, whatever its number will be. */
	uint64_t nxt = ep->rcv_nxt > 0 ? ep->rcv_nxt : 1;

	if (edge < nxt)
		edge = nxt;
	raw = (edge - nxt) >> shift;
	if (nxt + (raw << shift) < ep->rcv_adv)
		raw++; /* an edge never goes back */
	if (raw > 65535)
		raw = 65535;
	if (nxt + (raw << shift) > ep->rcv_adv)
		ep->rcv_adv = nxt + (raw << shift);
	return (uint16_t)raw;
}

static uint8_t put_sack(struct ep *ep, uint8_t *opts, uint8_t len_b)
{
	struct wk_tcp_sack sack[4];
	uint32_t n = 0, max = ep->ts ? 3 : 4;
	uint64_t seen[4];

	if (ep->dsack.from < ep->dsack.to) {
		sack[n].left = ep->irs + (uint32_t)ep->dsack.from;
		sack[n].right = ep->irs + (uint32_t)ep->dsack.to;
		seen[n++] = NEVER;
		ep->dsack = (struct range){ 0 };
	}
	for (uint32_t i = 0; i < 4 && n < max; i++) {
		const struct range *r = ranges_find(&ep->got, ep->recent[i]);
		bool known = false;

		if (ep->recent[i] < ep->rcv_nxt || !r || r->from <= ep->rcv_nxt)
			continue;
		for (uint32_t j = 0; j < n; j++)
			known |= seen[j] == r->from;
		if (known)
			continue;
		sack[n].left = ep->irs + (uint32_t)r->from;
		sack[n].right = ep->irs + (uint32_t)r->to;
		seen[n++] = r->from;
	}
	return n > 0 ? opt_put_sack(opts, len_b, sack, n) : len_b;
}

static uint8_t put_syn_options(const struct ep *ep, uint8_t *opts)
{
	/* MPTCP, a request for a fast open cookie, an experiment */
	static const uint8_t odd[] = { 30, 4, 0, 0x81, 34, 2, 254, 2 };
	bool answer = ep->state == EP_SYN_RCVD;
	uint8_t n = 0;

	if (ep->cfg.mss > 0)
		n = opt_put_mss(opts, n, ep->cfg.mss);
	if (ep->cfg.sack && (!answer || ep->sack))
		n = opt_put_sack_permitted(opts, n);
	if (ep->cfg.ts && (!answer || ep->ts))
		n = opt_put_ts(opts, n, ts_now(ep), answer ? ep->ts_recent : 0);
	if (ep->cfg.wscale && (!answer || ep->scaled))
		n = opt_put_wscale(opts, n, ep->cfg.shift);
	if (ep->cfg.odd_syn && !answer) {
		memcpy(opts + n, odd, sizeof(odd));
		n = (uint8_t)(n + sizeof(odd));
	}
	return n;
}

/* Changes bytes of a retransmission that a liar may change. */
static void lie(struct ep *ep, uint8_t *data, uint64_t off, uint32_t len_b)
{
	bool lies = rng_chance(&ep->chooser.rng, ep->cfg.lie_permille);

	if (!choose(&ep->chooser, CHOICE_LIE, lies))
		return;
	choice_note(&ep->chooser, CHOICE_LIE, "at %.3f ms: %u bytes from %" PRIu64,
		    (double)ep->now_ns / 1e6, len_b, off - 1);
	for (uint32_t i = 0; i < len_b; i++) {
		if (ep->stream.soft[off - 1 + i])
			data[i] ^= 0x55;
	}
}

/* Congestion: what it says of the path that it hears, and of the one it speaks on. */
static uint8_t ecn_flags(struct ep *ep, uint64_t off, uint32_t len_b, uint8_t flags)
{
	if (flags & WK_TCP_SYN) {
		if (!(flags & WK_TCP_ACK))
			return ep->cfg.ecn ? WK_TCP_ECE | WK_TCP_CWR : 0;
		return ep->ecn ? WK_TCP_ECE : 0;
	}
	/* On new data, never on a probe of a closed window. */
	flags = ep->ece ? WK_TCP_ECE : 0;
	if (ep->cwr_due && len_b > 0 && off >= ep->max && off + len_b <= ep->edge) {
		flags |= WK_TCP_CWR;
		ep->cwr_due = false;
	}
	return flags;
}

/* The bytes of a segment, which need not be true. */
static void put_bytes(struct ep *ep, uint8_t *data, uint64_t off, uint32_t len_b)
{
	bool face;

	if (off < 1 || off - 1 + len_b > ep->stream.len_b) {
		data[0] = '?'; /* a keepalive's byte where the FIN was */
	} else {
		memcpy(data, ep->stream.bytes + off - 1, len_b);
		face = ep->stream.face &&
		       choose(&ep->chooser, CHOICE_FACE,
			      rng_chance(&ep->chooser.rng, ep->cfg.face_permille));
		if (face) {
			choice_note(&ep->chooser, CHOICE_FACE, "at %.3f ms: %u bytes from %" PRIu64,
				    (double)ep->now_ns / 1e6, len_b, off - 1);
			memcpy(data, ep->stream.face + off - 1, len_b);
		}
		if (off < ep->max && ep->stream.soft && off >= ep->una)
			lie(ep, data, off, len_b);
	}
	for (uint32_t i = 0; ep->cfg.garbage && i < len_b && off + i < ep->una; i++)
		data[i] = '?';
}

static void send_seg(struct ep *ep, uint64_t off, uint32_t len_b, uint8_t flags)
{
	uint8_t opts[WK_TCP_OPTS_MAX_B], data[SIM_PKT_MAX_B];
	struct wk_tcp_seg seg = {
		.seq = seq_of(ep, off),
		.ack = flags & WK_TCP_ACK ? ep->irs + (uint32_t)ep->rcv_nxt : 0,
		.flags = flags,
		.opts = opts,
		.data = data,
		.data_len_b = len_b,
	};

	seg.wnd = window(ep, flags & WK_TCP_SYN);
	if (flags & WK_TCP_SYN) {
		seg.opts_len_b = put_syn_options(ep, opts);
	} else {
		if (ep->ts)
			seg.opts_len_b = opt_put_ts(opts, 0, ts_now(ep), ep->ts_recent);
		if (ep->sack && len_b == 0)
			seg.opts_len_b = put_sack(ep, opts, seg.opts_len_b);
	}
	if (len_b > 0)
		put_bytes(ep, data, flags & WK_TCP_SYN ? 1 : off, len_b);
	seg.flags |= ecn_flags(ep, off, len_b, flags);
	if (flags & WK_TCP_ACK) {
		ep->last_ack = ep->rcv_nxt;
		ep->unacked = 0;
		ep->delack_at = NEVER;
	}
	ep->send(ep->user, pkt_build(ep->cfg.dir, &seg));
}

void ep_send_ack(struct ep *ep)
{
	send_seg(ep, ep->max, 0, WK_TCP_ACK);
}

void ep_send_rst(struct ep *ep, uint64_t off)
{
	send_seg(ep, off, 0, WK_TCP_RST | WK_TCP_ACK);
	ep->state = EP_DEAD;
}

uint32_t ep_syn_b(const struct ep *ep)
{
	return ep->cfg.odd_syn && ep->stream.len_b > SYN_B ? SYN_B : 0;
}

void ep_send_syn(struct ep *ep)
{
	if (ep->state == EP_SYN_SENT)
		send_seg(ep, 0, ep_syn_b(ep), WK_TCP_SYN);
	else
		send_seg(ep, 0, 0, WK_TCP_SYN | WK_TCP_ACK);
	ep->nxt = ep->max = 1;
	ep->rto_at = ep->now_ns + ep->rto_ns;
}

static uint32_t mss_now(const struct ep *ep)
{
	uint32_t mss = ep->mss;

	/* as a message of the path said */
	if (ep->now_ns >= ep->cfg.mss_at_ns && ep->cfg.mss_low < mss)
		mss = ep->cfg.mss_low;
	if (ep->path_mss > 0 && ep->path_mss < mss)
		mss = ep->path_mss;
	return mss - (ep->ts ? 12 : 0);
}

/* Ends a segment before the frame it cannot hold whole, if it holds one before that. */
static uint32_t align(const struct ep *ep, uint64_t off, uint32_t len_b)
{
	uint64_t end = off + len_b, best = 0;

	for (uint32_t i = 0; i < ep->stream.n_cuts; i++) {
		uint64_t cut = 1 + (uint64_t)ep->stream.cuts[i];

		if (cut > off && cut <= end)
			best = cut;
		if (cut > end)
			break;
	}
	if (end == fin_off(ep))
		best = end;
	return best > 0 ? (uint32_t)(best - off) : len_b;
}

/* What of `len` > 1 bytes at off goes into one segment. */
static uint64_t shorten(struct ep *ep, uint64_t off, uint64_t len)
{
	struct sim_rng *rng = &ep->chooser.rng;
	uint64_t cut = 0;

	if (rng_chance(rng, ep->cfg.short_permille))
		cut = rng_chance(rng, 300) ? rng_range(rng, 1, len < 20 ? len : 20)
					   : rng_range(rng, 1, len);
	cut = choose(&ep->chooser, CHOICE_CUT, cut < len ? cut : 0);
	choice_note(&ep->chooser, CHOICE_CUT, "at %.3f ms: from byte %" PRIu64,
		    (double)ep->now_ns / 1e6, off - 1);
	return cut > 0 && cut < len ? cut : len;
}

static uint32_t cut_seg(struct ep *ep, uint64_t off, uint64_t room)
{
	uint64_t len = mss_now(ep);

	if (len > room)
		len = room;
	if (len > ep->avail - off)
		len = ep->avail - off;
	if (ep->cfg.aligned)
		return align(ep, off, (uint32_t)len);
	return (uint32_t)(len > 1 ? shorten(ep, off, len) : len);
}

static void send_data(struct ep *ep, uint64_t off, uint32_t len_b)
{
	uint8_t flags = WK_TCP_ACK;
	uint64_t end = off + len_b;

	if (len_b > 0 && end == ep->avail)
		flags |= WK_TCP_PSH;
	if (ep->closing && end == fin_off(ep)) {
		flags |= WK_TCP_FIN;
		end++;
	}
	send_seg(ep, off, len_b, flags);
	if (end > ep->max) {
		ep->max = end;
		if (ep->rtt_off == 0) {
			ep->rtt_off = end;
			ep->rtt_at = ep->now_ns;
		}
	}
	if (end > ep->nxt)
		ep->nxt = end;
}

void ep_retransmit(struct ep *ep, uint64_t off)
{
	const struct range *next = ranges_next(&ep->sacked, off);
	uint32_t len_b;

	ep->rtt_off = 0;
	if (off >= ep->max)
		return;
	if (off >= ep->avail) {
		send_data(ep, off, 0);
		return;
	}
	len_b = cut_seg(ep, off, ep->edge > off ? ep->edge - off : 1);
	/* A block that begins at off itself: its receiver has thrown it away (RFC 2018 8). */
	if (next && next->from > off && off + len_b > next->from)
		len_b = (uint32_t)(next->from - off);
	send_data(ep, off, len_b);
}

static void arm(struct ep *ep)
{
	bool more = ep->nxt < ep->avail || (ep->closing && ep->nxt == fin_off(ep));

	if (ep->una < ep->max) {
		ep->persist_at = NEVER;
		if (ep->rto_at == NEVER)
			ep->rto_at = ep->now_ns + ep->rto_ns;
	} else {
		ep->rto_at = NEVER;
		if (!more)
			ep->persist_at = NEVER;
		else if (ep->persist_at == NEVER)
			ep->persist_at = ep->now_ns + ep->rto_ns;
	}
}

/* Some of the latest bytes once more, across the boundaries of the segments that they came in. */
static void send_again(struct ep *ep)
{
	struct sim_rng *rng = &ep->chooser.rng;
	uint64_t end = ep->max < fin_off(ep) ? ep->max : fin_off(ep), back, what = 0;
	uint32_t len_b;

	if (rng_chance(rng, ep->cfg.again_permille)) {
		back = rng_range(rng, 1, rng_chance(rng, 500) ? 40 : 4000);
		what = back << 16 | rng_range(rng, 1, 1400);
	}
	what = choose(&ep->chooser, CHOICE_AGAIN, what);
	back = what >> 16;
	len_b = (uint32_t)(what & 0xffff);
	if (what == 0 || back >= end || len_b == 0)
		return;
	if (len_b > mss_now(ep))
		len_b = mss_now(ep);
	if (len_b > back)
		len_b = (uint32_t)back;
	choice_note(&ep->chooser, CHOICE_AGAIN, "at %.3f ms: %u bytes from %" PRIu64,
		    (double)ep->now_ns / 1e6, len_b, end - back - 1);
	ep->rtt_off = 0;
	send_seg(ep, end - back, len_b, WK_TCP_ACK);
}

/* One segment at nxt, if there is something to send and room for it. */
static bool output_one(struct ep *ep)
{
	uint64_t limit = ep->una + ep->cwnd < ep->edge ? ep->una + ep->cwnd : ep->edge;
	const struct range *held = ranges_find(&ep->sacked, ep->nxt);
	uint64_t before = ep->nxt;
	uint32_t len_b;

	if (held && ep->nxt < ep->max)
		ep->nxt = held->to;
	if (ep->nxt >= limit)
		return false;
	if (ep->nxt >= ep->avail) {
		if (!ep->closing || ep->nxt != fin_off(ep))
			return false;
		send_data(ep, ep->nxt, 0);
		return true;
	}
	len_b = cut_seg(ep, ep->nxt, limit - ep->nxt);
	if (limit - ep->nxt < mss_now(ep) && ep->nxt + len_b < ep->avail &&
	    (ep->una < ep->nxt || ep->cfg.aligned)) {
		ep->nxt = before;
		return false; /* silly window: wait for more room while something is out */
	}
	if (ep->nxt < ep->max)
		ep->rtt_off = 0;
	send_data(ep, ep->nxt, len_b);
	if (ep->cfg.again_permille > 0)
		send_again(ep);
	return true;
}

void ep_output(struct ep *ep)
{
	if (ep->state != EP_OPEN)
		return;
	while (output_one(ep))
		continue;
	arm(ep);
}

void ep_on_rto(struct ep *ep)
{
	uint64_t flight = ep->max - ep->una;

	ep->rto_ns = 2 * ep->rto_ns < RTO_MAX_NS ? 2 * ep->rto_ns : RTO_MAX_NS;
	ep->backoffs++;
	ep->rtt_off = 0;
	if (ep->state == EP_SYN_SENT || ep->state == EP_SYN_RCVD) {
		ep_send_syn(ep);
		return;
	}
	ep->ssthresh = flight / 2 > 2 * ep->mss ? flight / 2 : 2 * ep->mss;
	ep->cwnd = ep->mss;
	ep->in_recovery = false;
	ep->dupacks = 0;
	ranges_clear(&ep->sacked);
	if (ep->edge <= ep->una && ep->una < ep->avail) {
		send_data(ep, ep->una, 1);
		ep->nxt = ep->max;
	} else {
		ep->nxt = ep->una;
	}
	ep_output(ep);
}

void ep_on_persist(struct ep *ep)
{
	uint64_t next = 2 * ep->rto_ns < PERSIST_MAX_NS ? 2 * ep->rto_ns : PERSIST_MAX_NS;

	ep->rto_ns = next;
	if (ep->cfg.probe_empty || ep->una >= ep->avail)
		send_seg(ep, ep->una - 1, 0, WK_TCP_ACK);
	else
		send_data(ep, ep->una, 1);
	ep->persist_at = ep->now_ns + next;
	arm(ep);
}

void ep_on_keepalive(struct ep *ep)
{
	if (ep->state != EP_OPEN || ep_finished(ep))
		return;
	ep->keepalives++;
	/* One garbage byte below the window, as old stacks do; offset 0 has no byte. */
	if (!ep->cfg.probe_empty && ep->una > 1)
		send_seg(ep, ep->una - 1, 1, WK_TCP_ACK);
	else
		send_seg(ep, ep->una - 1, 0, WK_TCP_ACK);
}

/* What is not under way is nobody's answer (RFC 5927 4.1). What is may be lost: all of it once more
 * (RFC 1191 6.5). */
void ep_icmp(struct ep *ep, const struct sim_pkt *quote, uint64_t now_ns)
{
	int64_t off = wk_seq_unwrap(ep->cfg.isn, pkt_seq(quote), ep->una);
	uint32_t mtu_b = quote->mtu_b < PATH_MTU_MIN_B ? PATH_MTU_MIN_B : quote->mtu_b;
	uint32_t mss = mtu_b - SIM_IP_HDR_B - WK_TCP_HDR_MIN_B;

	ep->now_ns = now_ns;
	if (ep->state != EP_OPEN || off < (int64_t)ep->una || off > (int64_t)ep->max ||
	    quote->mtu_b == 0 || mss >= mss_now(ep) + (ep->ts ? 12 : 0))
		return;
	ep->path_mss = mss;
	ep->nxt = ep->una;
	ep->rtt_off = 0;
	ep_output(ep);
}
