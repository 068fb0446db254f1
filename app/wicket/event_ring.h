/* SPDX-License-Identifier: Apache-2.0 */
/* event_ring.h - events on their way from one worker to the main lcore.
 *
 * An rte_ring whose elements are the events themselves: one producer (the worker), one consumer
 * (the main lcore), nothing to allocate or free on the way. Lives from before the worker starts
 * until after it has stopped. WK_EVENT_RING_SLOTS x sizeof(struct wk_event). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wk_inspect.h"

#define WK_EVENT_RING_SLOTS 4096u

struct rte_ring;

/* Kept as long as EAL runs. @return NULL when out of memory. */
struct rte_ring *wk_event_ring_create(uint32_t worker, int socket_id);
/* Worker. @return false when it is full. */
bool wk_event_ring_put(struct rte_ring *ring, const struct wk_event *event);
/* Main lcore. @return how many were taken out. */
uint32_t wk_event_ring_get(struct rte_ring *ring, struct wk_event *events, uint32_t max);
size_t wk_event_ring_footprint(void);
