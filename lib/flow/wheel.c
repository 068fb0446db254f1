/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel.h"

#include <string.h>

#define NEAR_MASK (WHEEL_NEAR_SLOTS - 1u)
#define FAR_MASK  (WHEEL_FAR_SLOTS - 1u)
#define NONE      UINT64_MAX

static void bit_set(struct wheel_bitmap *map, uint32_t bit)
{
	map->word[bit / 64] |= UINT64_C(1) << bit % 64;
	map->sum[bit / 64 / 64] |= UINT64_C(1) << bit / 64 % 64;
}

static void bit_clear(struct wheel_bitmap *map, uint32_t bit)
{
	map->word[bit / 64] &= ~(UINT64_C(1) << bit % 64);
	if (map->word[bit / 64] == 0)
		map->sum[bit / 64 / 64] &= ~(UINT64_C(1) << bit / 64 % 64);
}

/* The bits at and above `bit` of a word. */
static uint64_t from_bit(uint64_t word, uint32_t bit)
{
	return word & (UINT64_MAX << bit);
}

/* @return the first bit set at or above `from`, or NONE. */
static uint64_t bit_find(const struct wheel_bitmap *map, uint32_t from)
{
	uint32_t word = from / 64;
	uint64_t bits = from_bit(map->word[word], from % 64);

	if (bits == 0) {
		uint32_t sum = ++word / 64;

		if (word == WHEEL_WORDS)
			return NONE;
		bits = from_bit(map->sum[sum], word % 64);
		while (bits == 0) {
			if (++sum == WHEEL_SUMS)
				return NONE;
			bits = map->sum[sum];
		}
		word = sum * 64 + (uint32_t)__builtin_ctzll(bits);
		bits = map->word[word];
	}
	return word * 64u + (uint32_t)__builtin_ctzll(bits);
}

/* The distance, going round, from a slot to the first one in use; NONE if there is none. */
static uint64_t slots_ahead(const struct wheel_bitmap *map, uint32_t from, uint32_t n_slots)
{
	uint64_t found = bit_find(map, from);

	if (found == NONE)
		found = bit_find(map, 0);
	return found == NONE ? NONE : (found + n_slots - from) % n_slots;
}

static struct wk_flow_entry *entry_at(const struct wheel *wheel, uint32_t id)
{
	return (struct wk_flow_entry *)(void *)(wheel->entries + (size_t)id * wheel->stride_b);
}

static void mark(struct wheel *wheel, uint32_t slot, bool used)
{
	bool near = slot < WHEEL_NEAR_SLOTS;
	struct wheel_bitmap *map = near ? &wheel->near : &wheel->far;

	if (!near)
		slot -= WHEEL_NEAR_SLOTS;
	if (used)
		bit_set(map, slot);
	else
		bit_clear(map, slot);
}

static void link_in(struct wheel *wheel, struct wk_flow_entry *entry, uint32_t slot)
{
	uint32_t next = wheel->head[slot];

	entry->slot = slot;
	entry->wheel_prev = WHEEL_NIL;
	entry->wheel_next = next;
	if (next != WHEEL_NIL)
		entry_at(wheel, next)->wheel_prev = entry->id;
	else
		mark(wheel, slot, true);
	wheel->head[slot] = entry->id;
}

static void link_out(struct wheel *wheel, struct wk_flow_entry *entry)
{
	if (entry->wheel_next != WHEEL_NIL)
		entry_at(wheel, entry->wheel_next)->wheel_prev = entry->wheel_prev;
	if (entry->wheel_prev != WHEEL_NIL)
		entry_at(wheel, entry->wheel_prev)->wheel_next = entry->wheel_next;
	else
		wheel->head[entry->slot] = entry->wheel_next;
	if (wheel->head[entry->slot] == WHEEL_NIL)
		mark(wheel, entry->slot, false);
}

/* The slot for an entry's due_ns as seen from now. Rounded up to a tick: never early. */
static uint32_t slot_of(const struct wheel *wheel, uint64_t due_ns)
{
	uint64_t tick = (due_ns >> WHEEL_TICK_SHIFT) + ((due_ns & (WK_FLOW_TICK_NS - 1)) != 0);
	uint64_t far = tick >> WHEEL_NEAR_BITS;
	uint64_t far_now = wheel->tick >> WHEEL_NEAR_BITS;

	if (tick < wheel->tick)
		tick = wheel->tick;
	if (tick - wheel->tick < WHEEL_NEAR_SLOTS)
		return (uint32_t)tick & NEAR_MASK;
	/* At least the next far slot: the current one has been spread already. */
	if (far - far_now > FAR_MASK)
		far = far_now + FAR_MASK;
	return WHEEL_NEAR_SLOTS + ((uint32_t)far & FAR_MASK);
}

void wheel_init(struct wheel *wheel, void *entries, uint32_t stride_b)
{
	memset(wheel, 0, sizeof(*wheel));
	memset(wheel->head, 0xff, sizeof(wheel->head));
	wheel->entries = entries;
	wheel->stride_b = stride_b;
}

void wheel_arm(struct wheel *wheel, struct wk_flow_entry *entry, uint64_t due_ns)
{
	uint32_t slot;

	if (entry->due_ns == due_ns)
		return;
	slot = due_ns == UINT64_MAX ? WHEEL_NIL : slot_of(wheel, due_ns);
	if (entry->due_ns != UINT64_MAX) {
		/* A deadline that every packet moves a little often stays in its slot. */
		if (entry->slot == slot) {
			entry->due_ns = due_ns;
			return;
		}
		link_out(wheel, entry);
	}
	entry->due_ns = due_ns;
	if (slot != WHEEL_NIL)
		link_in(wheel, entry, slot);
}

/* Moves on to a tick. At the first one of a far slot, that slot is spread. */
static void move_to(struct wheel *wheel, uint64_t tick)
{
	uint32_t slot = WHEEL_NEAR_SLOTS + ((uint32_t)(tick >> WHEEL_NEAR_BITS) & FAR_MASK);
	uint32_t id;

	wheel->tick = tick;
	if ((tick & NEAR_MASK) != 0 || wheel->head[slot] == WHEEL_NIL)
		return;
	id = wheel->head[slot];
	wheel->head[slot] = WHEEL_NIL;
	mark(wheel, slot, false);
	while (id != WHEEL_NIL) {
		struct wk_flow_entry *entry = entry_at(wheel, id);

		id = entry->wheel_next;
		link_in(wheel, entry, slot_of(wheel, entry->due_ns));
	}
}

/* The next tick at which there is something to take out or to spread, NONE if there is none. */
static uint64_t next_tick(const struct wheel *wheel)
{
	uint64_t far_tick = wheel->tick >> WHEEL_NEAR_BITS;
	uint64_t near =
		slots_ahead(&wheel->near, (uint32_t)wheel->tick & NEAR_MASK, WHEEL_NEAR_SLOTS);
	uint64_t far = slots_ahead(&wheel->far, (uint32_t)far_tick & FAR_MASK, WHEEL_FAR_SLOTS);
	uint64_t near_at = near == NONE ? NONE : wheel->tick + near;
	uint64_t far_at = far == NONE ? NONE : (far_tick + far) << WHEEL_NEAR_BITS;

	return near_at < far_at ? near_at : far_at;
}

struct wk_flow_entry *wheel_due(struct wheel *wheel, uint64_t now_ns)
{
	uint64_t now = now_ns >> WHEEL_TICK_SHIFT;

	while (wheel->tick <= now) {
		uint32_t id = wheel->head[wheel->tick & NEAR_MASK];
		uint64_t next;

		if (id != WHEEL_NIL) {
			struct wk_flow_entry *entry = entry_at(wheel, id);

			wheel_arm(wheel, entry, UINT64_MAX);
			return entry;
		}
		next = next_tick(wheel);
		if (next > now) {
			/* Stay within now: what is armed for it from here on is still to come. */
			if (wheel->tick < now)
				move_to(wheel, now);
			return NULL;
		}
		move_to(wheel, next);
	}
	return NULL;
}

uint64_t wheel_next_due(const struct wheel *wheel)
{
	uint64_t next = next_tick(wheel);

	return next == NONE ? UINT64_MAX : next << WHEEL_TICK_SHIFT;
}
