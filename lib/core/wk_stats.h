/* SPDX-License-Identifier: Apache-2.0 */
/* wk_stats.h - the counters of one lcore.
 *
 * Written by its lcore alone, read by the telemetry thread without a lock (each counter is one
 * aligned 64-bit store). About 700 bytes. */
#pragma once

#include <stdint.h>

#include "wk_reasons.h"

struct wk_stats {
	uint64_t reason[WK_REASON_MAX];
	uint64_t call[WK_CALL_REASON_MAX];
	uint64_t counter[WK_COUNTER_MAX];
	uint64_t held; /* gauge: mbufs kept over a burst */
};

const char *wk_reason_key(enum wk_reason reason);
const char *wk_reason_text(enum wk_reason reason);
enum wk_reason_class wk_reason_class(enum wk_reason reason);
const char *wk_call_reason_key(enum wk_call_reason reason);
const char *wk_call_reason_text(enum wk_call_reason reason);
const char *wk_counter_key(enum wk_counter counter);
const char *wk_counter_text(enum wk_counter counter);

/* Packets that did not go on: the sum of all ABSORB and DROP reasons. */
uint64_t wk_stats_dropped(const struct wk_stats *stats);
/* sum += one */
void wk_stats_add(struct wk_stats *sum, const struct wk_stats *one);
/* After the counters of all workers have been added: what is on its way between them is held. */
void wk_stats_close(struct wk_stats *sum);

static inline void wk_count(struct wk_stats *stats, enum wk_counter counter, uint64_t n)
{
	stats->counter[counter] += n;
}
