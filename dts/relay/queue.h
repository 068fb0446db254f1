/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - frames that wait for their time.
 * A fixed number of slots, handed out by the queue; ordered by time, then by arrival. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX_B 2048u

struct frame {
	uint64_t due_ns;
	uint64_t number; /* in order of arrival */
	size_t len_b;
	bool to_tap;
	uint8_t bytes[FRAME_MAX_B];
};

/* A free slot, or NULL when all are waiting. */
struct frame *queue_slot(void);
/* Gives a slot back that was not put, or has been taken. */
void queue_free(struct frame *frame);
void queue_put(struct frame *frame);
/* The frame that is due first; NULL when none waits. It stays in the queue. */
const struct frame *queue_first(void);
/* Takes the first one out. */
struct frame *queue_take(void);
