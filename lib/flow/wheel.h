/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.h - private to lib/flow: the timers of all entries of a table.
 *
 * Two wheels: one of 4096 slots of a tick (65.5 us) for what is due within 268 ms, one of 65536
 * slots of 268 ms for the rest (4.9 h; what lies beyond waits in its last slot and is put in
 * again). A far slot is spread over the near wheel when its time begins, so an entry moves once or
 * twice in its life whatever its deadline. Lists are doubly linked by entry number; bitmaps name
 * the slots in use, so that time may jump without a walk. */
#pragma once

#include <stdint.h>

#include "wk_flow.h"

#define WHEEL_TICK_SHIFT 16u
#define WHEEL_NEAR_BITS  12u
#define WHEEL_NEAR_SLOTS (1u << WHEEL_NEAR_BITS)
#define WHEEL_FAR_SLOTS  (1u << 16)
#define WHEEL_SLOTS      (WHEEL_NEAR_SLOTS + WHEEL_FAR_SLOTS)
#define WHEEL_NIL        UINT32_MAX
#define WHEEL_WORDS      (WHEEL_FAR_SLOTS / 64)
#define WHEEL_SUMS       (WHEEL_WORDS / 64)

_Static_assert(WK_FLOW_TICK_NS == 1u << WHEEL_TICK_SHIFT, "the header says another tick");

/* The slots in use, with a bit for each word that is not 0. */
struct wheel_bitmap {
	uint64_t sum[WHEEL_SUMS];
	uint64_t word[WHEEL_WORDS];
};

struct wheel {
	uint8_t *entries;
	uint32_t stride_b;
	uint64_t tick; /* everything before has been taken out */
	struct wheel_bitmap near;
	struct wheel_bitmap far;
	uint32_t head[WHEEL_SLOTS]; /* near, then far */
};

void wheel_init(struct wheel *wheel, void *entries, uint32_t stride_b);
/* due_ns UINT64_MAX takes the entry off the wheel. */
void wheel_arm(struct wheel *wheel, struct wk_flow_entry *entry, uint64_t due_ns);
struct wk_flow_entry *wheel_due(struct wheel *wheel, uint64_t now_ns);
uint64_t wheel_next_due(const struct wheel *wheel);
