/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <stdlib.h>

#include "list.h"

static bool before(const struct flight *a, const struct flight *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(struct flight *a, struct flight *b)
{
	struct flight t = *a;

	*a = *b;
	*b = t;
}

static void push(struct net *net, struct flight flight)
{
	uint32_t i = net->n;

	net->heap = list_room(net->heap, net->n, &net->cap, sizeof(*net->heap));
	net->heap[net->n++] = flight;
	while (i > 0 && before(&net->heap[i], &net->heap[(i - 1) / 2])) {
		swap(&net->heap[i], &net->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

/* By how much a packet is too late; 0: it keeps its place. */
static uint64_t draw_late(struct net *net, enum sim_link link)
{
	const struct link_cfg *cfg = &net->cfg[link];

	if (cfg->jitter_ns > 0 && rng_chance(&net->rng, cfg->reorder_permille))
		return rng_range(&net->rng, 1, cfg->jitter_ns);
	return 0;
}

/* When a packet sent now arrives. */
static uint64_t arrival(struct net *net, enum sim_link link, uint64_t now_ns, uint64_t late_ns)
{
	uint64_t at_ns = now_ns + net->cfg[link].delay_ns, clump_ns = net->cfg[link].clump_ns;

	if (clump_ns > 0)
		at_ns = (at_ns + clump_ns - 1) / clump_ns * clump_ns;
	if (late_ns > 0)
		return at_ns + late_ns;
	if (at_ns < net->last_ns[link])
		at_ns = net->last_ns[link];
	net->last_ns[link] = at_ns;
	return at_ns;
}

static void note(struct chooser *chooser, enum choice_kind kind, const struct sim_pkt *pkt,
		 uint64_t now_ns)
{
	struct wk_tcp_seg seg;

	if (chooser->tape && chooser->tape->playing && pkt_read(pkt, &seg))
		choice_note(chooser, kind, "at %.3f ms: flags %02x seq %u len %u ack %u",
			    (double)now_ns / 1e6, seg.flags, seg.seq, seg.data_len_b, seg.ack);
}

/* The way back. */
static enum sim_link back(enum sim_link link)
{
	static const enum sim_link links[LINKS] = {
		[LINK_CLIENT_BOX] = LINK_BOX_CLIENT,
		[LINK_BOX_SERVER] = LINK_SERVER_BOX,
		[LINK_SERVER_BOX] = LINK_BOX_SERVER,
		[LINK_BOX_CLIENT] = LINK_CLIENT_BOX,
	};

	return links[link];
}

static bool fits(const struct link_cfg *cfg, const struct sim_pkt *pkt, uint64_t now_ns)
{
	return cfg->mtu_b == 0 || now_ns < cfg->mtu_at_ns || pkt->quoted_b > 0 ||
	       pkt->len_b + SIM_IP_HDR_B <= cfg->mtu_b;
}

void net_send(struct net *net, enum sim_link link, struct sim_pkt *pkt, uint64_t now_ns)
{
	const struct link_cfg *cfg = &net->cfg[link];
	struct chooser *chooser = &net->chooser[link];
	uint64_t late_ns;
	bool twice, lost;

	net->sent++;
	if (!fits(cfg, pkt, now_ns)) {
		net_send(net, back(link), pkt_quote(pkt, cfg->mtu_b), now_ns);
		free(pkt);
		return;
	}
	twice = rng_chance(&net->rng, cfg->dup_permille);
	late_ns = choose(chooser, CHOICE_TWICE, twice ? 1 + draw_late(net, link) : 0);
	if (late_ns > 0) {
		note(chooser, CHOICE_TWICE, pkt, now_ns);
		push(net, (struct flight){ .at_ns = arrival(net, link, now_ns, late_ns - 1),
					   .order = net->order++,
					   .link = link,
					   .pkt = pkt_copy(pkt) });
	}
	lost = choose(chooser, CHOICE_LOST, rng_chance(&net->rng, cfg->loss_permille));
	late_ns = choose(chooser, CHOICE_LATE, lost ? 0 : draw_late(net, link));
	if (lost) {
		note(chooser, CHOICE_LOST, pkt, now_ns);
		net->lost++;
		free(pkt);
		return;
	}
	if (late_ns > 0)
		note(chooser, CHOICE_LATE, pkt, now_ns);
	push(net, (struct flight){ .at_ns = arrival(net, link, now_ns, late_ns),
				   .order = net->order++,
				   .link = link,
				   .pkt = pkt });
}

uint64_t net_next(const struct net *net)
{
	return net->n > 0 ? net->heap[0].at_ns : UINT64_MAX;
}

struct flight net_pop(struct net *net)
{
	struct flight top = net->heap[0];
	uint32_t i = 0;

	net->heap[0] = net->heap[--net->n];
	for (;;) {
		uint32_t least = i, left = 2 * i + 1, right = 2 * i + 2;

		if (left < net->n && before(&net->heap[left], &net->heap[least]))
			least = left;
		if (right < net->n && before(&net->heap[right], &net->heap[least]))
			least = right;
		if (least == i)
			return top;
		swap(&net->heap[i], &net->heap[least]);
		i = least;
	}
}

void net_fini(struct net *net)
{
	for (uint32_t i = 0; i < net->n; i++)
		free(net->heap[i].pkt);
	free(net->heap);
	net->heap = NULL;
	net->n = net->cap = 0;
}
