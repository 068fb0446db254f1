/* SPDX-License-Identifier: Apache-2.0 */
/* Life of an endpoint, its application and its timers. */
#include "endpoint.h"

#include <inttypes.h>
#include <stdlib.h>

#define KEEPALIVE_NS 10000000000ull
#define RTO_FIRST_NS 1000000000ull

void ep_init(struct ep *ep, const struct ep_cfg *cfg, const struct ep_stream *stream,
	     const struct chooser *chooser, void (*send)(void *user, struct sim_pkt *pkt),
	     void *user)
{
	*ep = (struct ep){
		.cfg = *cfg,
		.stream = *stream,
		.chooser = *chooser,
		.send = send,
		.user = user,
		.state = cfg->dir == WK_C2S ? EP_CLOSED : EP_LISTEN,
		.mss = 536,
		.avail = 1,
		.rto_ns = RTO_FIRST_NS,
		.ssthresh = UINT32_MAX,
		.read = 1,
		.rto_at = NEVER,
		.persist_at = NEVER,
		.delack_at = NEVER,
		.write_at = NEVER,
		.read_at = NEVER,
		.close_at = NEVER,
		.keep_at = NEVER,
		.abort_at = cfg->abort_ns,
	};
	if (cfg->dir == WK_C2S)
		ep->write_at = cfg->open_ns;
}

void ep_fini(struct ep *ep)
{
	ranges_fini(&ep->sacked);
	ranges_fini(&ep->got);
	ranges_fini(&ep->ever);
	free(ep->rx);
	ep->rx = NULL;
}

uint64_t ep_deadline(const struct ep *ep)
{
	const uint64_t at[] = { ep->rto_at,  ep->persist_at, ep->delack_at, ep->write_at,
				ep->read_at, ep->close_at,   ep->keep_at,   ep->abort_at };
	uint64_t min = NEVER;

	for (uint32_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		min = at[i] < min ? at[i] : min;
	return min;
}

bool ep_finished(const struct ep *ep)
{
	return ep->state == EP_DEAD || (ep->fin_acked && ep->fin_rcvd);
}

uint64_t ep_received_b(const struct ep *ep)
{
	const struct range *r = ranges_find(&ep->got, 1);

	return r ? r->to - 1 : 0;
}

/* How far the application writes: some bytes, or up to the end of a frame. */
static uint64_t draw_write(struct ep *ep, uint64_t end)
{
	struct sim_rng *rng = &ep->chooser.rng;
	uint64_t to = ep->avail + rng_range(rng, 1, ep->cfg.write_max_b);

	if (ep->cfg.aligned || rng_chance(rng, 500)) {
		for (uint32_t i = 0; i < ep->stream.n_cuts; i++) {
			if (ep->stream.cuts[i] + 1 >= to) {
				to = ep->stream.cuts[i] + 1;
				break;
			}
			if (i + 1 == ep->stream.n_cuts)
				to = end;
		}
	}
	return to < end ? to : end;
}

uint64_t ep_write_gap(struct ep *ep)
{
	struct sim_rng *rng = &ep->chooser.rng;

	return choose(&ep->chooser, CHOICE_WRITE_GAP, rng_range(rng, 0, ep->cfg.write_gap_ns));
}

static void on_write(struct ep *ep)
{
	uint64_t end = 1 + ep->stream.len_b, to = draw_write(ep, end);
	uint64_t len_b = choose(&ep->chooser, CHOICE_WRITE, to < end ? to - ep->avail : 0);

	choice_note(&ep->chooser, CHOICE_WRITE, "from byte %" PRIu64, ep->avail - 1);
	ep->avail = len_b > 0 && len_b < end - ep->avail ? ep->avail + len_b : end;
	if (ep->avail < end) {
		ep->write_at = ep->now_ns + ep_write_gap(ep);
	} else {
		ep->write_at = NEVER;
		if (ep->cfg.close == EP_CLOSE_WRITTEN || ep->fin_rcvd)
			ep->close_at = ep->now_ns + ep->cfg.close_delay_ns;
	}
	ep_output(ep);
}

/* The application reads; an idle one looks again later. */
static void on_read(struct ep *ep)
{
	struct chooser *c = &ep->chooser;
	uint64_t end = ep_received_b(ep) + 1, left_b = end - ep->read;
	uint64_t len_b = rng_range(&c->rng, 1, ep->cfg.read_max_b), stall_ns;

	len_b = choose(c, CHOICE_READ, len_b < left_b ? len_b : 0);
	ep->read = len_b > 0 && len_b < left_b ? ep->read + len_b : end;
	ep->read_at = NEVER;
	if (ep->read < end)
		ep->read_at = ep->now_ns + choose(c, CHOICE_READ_GAP,
						  rng_range(&c->rng, 0, ep->cfg.read_gap_ns));
	stall_ns = rng_chance(&c->rng, ep->cfg.stall_permille) ? ep->cfg.stall_ns : 0;
	stall_ns = choose(c, CHOICE_STALL, stall_ns);
	choice_note(c, CHOICE_STALL, "at %.3f ms", (double)ep->now_ns / 1e6);
	if (stall_ns > 0)
		ep->read_at = ep->now_ns + stall_ns;
	if (ep_window_moves(ep) && !ep->fin_rcvd)
		ep_send_ack(ep);
}

static void on_abort(struct ep *ep)
{
	ep->abort_at = NEVER;
	if (ep->state == EP_OPEN && !ep_finished(ep))
		ep_send_rst(ep, ep->max);
	else if (ep->state != EP_OPEN && ep->state != EP_DEAD)
		ep->abort_at = ep->now_ns + 100000000ull;
}

static bool due(uint64_t *at, uint64_t now_ns)
{
	if (*at > now_ns)
		return false;
	*at = NEVER;
	return true;
}

void ep_timer(struct ep *ep, uint64_t now_ns)
{
	ep->now_ns = now_ns;
	if (ep->state == EP_DEAD) {
		ep->rto_at = ep->persist_at = ep->delack_at = ep->write_at = NEVER;
		ep->read_at = ep->close_at = ep->keep_at = ep->abort_at = NEVER;
		return;
	}
	if (ep->state == EP_CLOSED && due(&ep->write_at, now_ns)) {
		ep->state = EP_SYN_SENT;
		ep_send_syn(ep);
		return;
	}
	if (due(&ep->abort_at, now_ns))
		on_abort(ep);
	if (due(&ep->read_at, now_ns))
		on_read(ep);
	if (due(&ep->write_at, now_ns))
		on_write(ep);
	if (due(&ep->close_at, now_ns)) {
		ep->closing = true;
		ep_output(ep);
	}
	if (due(&ep->delack_at, now_ns))
		ep_send_ack(ep);
	if (due(&ep->persist_at, now_ns))
		ep_on_persist(ep);
	if (due(&ep->rto_at, now_ns))
		ep_on_rto(ep);
	if (due(&ep->keep_at, now_ns)) {
		ep->keep_at = now_ns + KEEPALIVE_NS;
		ep_on_keepalive(ep);
	}
}
