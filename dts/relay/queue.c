/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - a binary heap of frames. */
#include "queue.h"

#define SLOTS 8192u

static struct frame slots[SLOTS];
static struct frame *unused[SLOTS];
static uint32_t n_unused;
static uint32_t n_touched; /* slots beyond have never been used */
static struct frame *heap[SLOTS];
static uint32_t n_heap;

struct frame *queue_slot(void)
{
	if (n_unused > 0)
		return unused[--n_unused];
	return n_touched < SLOTS ? &slots[n_touched++] : NULL;
}

void queue_free(struct frame *frame)
{
	unused[n_unused++] = frame;
}

static bool before(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void swap(uint32_t i, uint32_t j)
{
	struct frame *frame = heap[i];

	heap[i] = heap[j];
	heap[j] = frame;
}

void queue_put(struct frame *frame)
{
	uint32_t i = n_heap++;

	heap[i] = frame;
	for (; i > 0 && before(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

const struct frame *queue_first(void)
{
	return n_heap > 0 ? heap[0] : NULL;
}

struct frame *queue_take(void)
{
	struct frame *first = heap[0];
	uint32_t i = 0, child;

	heap[0] = heap[--n_heap];
	while ((child = 2 * i + 1) < n_heap) {
		if (child + 1 < n_heap && before(heap[child + 1], heap[child]))
			child++;
		if (!before(heap[child], heap[i]))
			break;
		swap(i, child);
		i = child;
	}
	return first;
}
