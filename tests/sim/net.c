/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <stdlib.h>

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

	if (net->n == net->cap) {
		net->cap = net->cap ? 2 * net->cap : 64;
		net->heap = realloc(net->heap, net->cap * sizeof(*net->heap));
		if (!net->heap)
			abort();
	}
	net->heap[net->n++] = flight;
	while (i > 0 && before(&net->heap[i], &net->heap[(i - 1) / 2])) {
		swap(&net->heap[i], &net->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

/* When a packet sent now arrives: in order, or late by a random jitter. */
static uint64_t arrival(struct net *net, enum sim_link link, uint64_t now_ns)
{
	const struct link_cfg *cfg = &net->cfg[link];
	uint64_t at_ns = now_ns + cfg->delay_ns;

	if (cfg->jitter_ns > 0 && rng_chance(&net->rng, cfg->reorder_permille))
		return at_ns + rng_range(&net->rng, 1, cfg->jitter_ns);
	if (at_ns < net->last_ns[link])
		at_ns = net->last_ns[link];
	net->last_ns[link] = at_ns;
	return at_ns;
}

void net_send(struct net *net, enum sim_link link, struct sim_pkt *pkt, uint64_t now_ns)
{
	const struct link_cfg *cfg = &net->cfg[link];

	net->sent++;
	if (rng_chance(&net->rng, cfg->dup_permille))
		push(net, (struct flight){ .at_ns = arrival(net, link, now_ns),
					   .order = net->order++,
					   .link = link,
					   .pkt = pkt_copy(pkt) });
	if (rng_chance(&net->rng, cfg->loss_permille)) {
		net->lost++;
		free(pkt);
		return;
	}
	push(net, (struct flight){ .at_ns = arrival(net, link, now_ns),
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
