/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "event_ring.h"

_Static_assert(sizeof(struct wk_event) % 4 == 0, "rte_ring copies elements by 4 bytes");

struct rte_ring *wk_event_ring_create(uint32_t worker, int socket_id)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "wk_events_%u", worker);
	return rte_ring_create_elem(name, sizeof(struct wk_event), WK_EVENT_RING_SLOTS, socket_id,
				    RING_F_SP_ENQ | RING_F_SC_DEQ);
}

bool wk_event_ring_put(struct rte_ring *ring, const struct wk_event *event)
{
	/* The library takes a pointer to mutable memory and only reads it. */
	return rte_ring_sp_enqueue_elem(ring, (void *)(uintptr_t)event, sizeof(*event)) == 0;
}

uint32_t wk_event_ring_get(struct rte_ring *ring, struct wk_event *events, uint32_t max)
{
	return rte_ring_sc_dequeue_burst_elem(ring, events, sizeof(*events), max, NULL);
}

size_t wk_event_ring_footprint(void)
{
	return WK_EVENT_RING_SLOTS * sizeof(struct wk_event) + sizeof(struct rte_ring);
}
