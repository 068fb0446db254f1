/* SPDX-License-Identifier: Apache-2.0 */
#include "wk_mem.h"

#include <assert.h>
#include <string.h>

#include "wk_poison.h"

/* A unit is WK_MEM_MIN_B bytes, a block of order k is 2^k units, aligned to its own size within the
 * arena: its buddy is the block whose unit number differs in bit k. */
#define ORDERS    13u /* 64 B << 12 = 256 KiB */
#define TOP_UNITS (WK_MEM_MAX_B / WK_MEM_MIN_B)
#define NIL       UINT32_MAX
#define CACHE_B   64u

_Static_assert((WK_MEM_MIN_B << (ORDERS - 1)) == WK_MEM_MAX_B, "orders do not span the sizes");

/* State of the block that begins at a unit; 0 where none begins. */
#define ST_FREE  0x40u
#define ST_USED  0x80u
#define ST_ORDER 0x0fu

/* Kept in the block itself while it is free. */
struct link {
	uint32_t prev;
	uint32_t next;
};

struct wk_mem {
	uint8_t *arena;
	uint8_t *state; /* one byte a unit */
	uint32_t n_units;
	uint32_t head[ORDERS];
	struct wk_mem_usage usage;
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static size_t layout_b(size_t n_top)
{
	return round_up(sizeof(struct wk_mem), CACHE_B) + n_top * TOP_UNITS + n_top * WK_MEM_MAX_B;
}

/* One store each, so that telemetry never sees half of a figure. */
static void set(uint64_t *figure, uint64_t value)
{
	__atomic_store_n(figure, value, __ATOMIC_RELAXED);
}

static void *block_at(const struct wk_mem *mem, uint32_t unit)
{
	return mem->arena + (size_t)unit * WK_MEM_MIN_B;
}

static size_t order_b(unsigned int order)
{
	return (size_t)WK_MEM_MIN_B << order;
}

/* Free blocks are poisoned whole under ASan; these two alone may look into them. */
__attribute__((no_sanitize_address)) static void list_push(struct wk_mem *mem, unsigned int order,
							   uint32_t unit)
{
	struct link *self = block_at(mem, unit);
	uint32_t next = mem->head[order];

	self->prev = NIL;
	self->next = next;
	if (next != NIL)
		((struct link *)block_at(mem, next))->prev = unit;
	mem->head[order] = unit;
	mem->state[unit] = (uint8_t)(ST_FREE | order);
}

__attribute__((no_sanitize_address)) static void list_del(struct wk_mem *mem, unsigned int order,
							  uint32_t unit)
{
	const struct link *self = block_at(mem, unit);

	/* A link that points elsewhere was overwritten: somebody wrote to freed memory. */
	assert(self->prev == NIL ? mem->head[order] == unit : self->prev < mem->n_units);
	assert(self->next == NIL || self->next < mem->n_units);
	if (self->prev == NIL)
		mem->head[order] = self->next;
	else
		((struct link *)block_at(mem, self->prev))->next = self->next;
	if (self->next != NIL)
		((struct link *)block_at(mem, self->next))->prev = self->prev;
	mem->state[unit] = 0;
}

size_t wk_mem_footprint(size_t arena_b)
{
	return layout_b(round_up(arena_b, WK_MEM_MAX_B) / WK_MEM_MAX_B);
}

struct wk_mem *wk_mem_create(void *base, size_t footprint_b)
{
	struct wk_mem *mem = base;
	size_t n_top = footprint_b / WK_MEM_MAX_B;

	while (n_top > 0 && layout_b(n_top) > footprint_b)
		n_top--;
	if (n_top > NIL / TOP_UNITS)
		n_top = NIL / TOP_UNITS;
	if (n_top == 0 || (uintptr_t)base % CACHE_B != 0)
		return NULL;
	wk_unpoison(base, footprint_b);
	memset(mem, 0, sizeof(*mem));
	mem->state = (uint8_t *)base + round_up(sizeof(*mem), CACHE_B);
	mem->arena = mem->state + n_top * TOP_UNITS;
	mem->n_units = (uint32_t)(n_top * TOP_UNITS);
	memset(mem->state, 0, mem->n_units);
	for (unsigned int i = 0; i < ORDERS; i++)
		mem->head[i] = NIL;
	/* From the end, so that the first blocks of the arena are taken first. */
	for (size_t i = n_top; i-- > 0;)
		list_push(mem, ORDERS - 1, (uint32_t)(i * TOP_UNITS));
	mem->usage.arena_b = n_top * WK_MEM_MAX_B;
	wk_poison(mem->arena, n_top * WK_MEM_MAX_B);
	return mem;
}

void wk_mem_destroy(struct wk_mem *mem)
{
	if (mem)
		wk_unpoison(mem->arena, mem->usage.arena_b);
}

static unsigned int order_of(size_t size_b)
{
	if (size_b <= WK_MEM_MIN_B)
		return 0;
	return 64u - (unsigned int)__builtin_clzll((size_b - 1) / WK_MEM_MIN_B);
}

/* Gives the upper halves of a block back until it is of the order wanted. */
static void split(struct wk_mem *mem, uint32_t unit, unsigned int from, unsigned int to)
{
	while (from > to) {
		from--;
		list_push(mem, from, unit + (1u << from));
	}
}

static void *refuse(struct wk_mem *mem)
{
	set(&mem->usage.failures, mem->usage.failures + 1);
	return NULL;
}

void *wk_mem_alloc(struct wk_mem *mem, size_t size_b)
{
	unsigned int order;
	unsigned int from;
	uint32_t unit;

	if (size_b > WK_MEM_MAX_B)
		return refuse(mem);
	order = order_of(size_b);
	for (from = order; from < ORDERS && mem->head[from] == NIL; from++)
		;
	if (from == ORDERS)
		return refuse(mem);
	unit = mem->head[from];
	list_del(mem, from, unit);
	split(mem, unit, from, order);
	mem->state[unit] = (uint8_t)(ST_USED | order);
	set(&mem->usage.used_b, mem->usage.used_b + order_b(order));
	if (mem->usage.used_b > mem->usage.peak_b)
		set(&mem->usage.peak_b, mem->usage.used_b);
	wk_unpoison(block_at(mem, unit), order_b(order));
	return block_at(mem, unit);
}

void *wk_mem_calloc(struct wk_mem *mem, size_t n, size_t size_b)
{
	size_t total_b;
	void *ptr;

	if (__builtin_mul_overflow(n, size_b, &total_b))
		return refuse(mem);
	ptr = wk_mem_alloc(mem, total_b);
	if (ptr)
		memset(ptr, 0, total_b);
	return ptr;
}

/* The unit of a live block. A pointer that is none is a bug of the caller: stop at once, before the
 * lists are corrupt. */
static uint32_t unit_of(const struct wk_mem *mem, const void *ptr)
{
	size_t off_b = (size_t)((uintptr_t)ptr - (uintptr_t)mem->arena);
	uint32_t unit = (uint32_t)(off_b / WK_MEM_MIN_B);

	assert((uintptr_t)ptr >= (uintptr_t)mem->arena && off_b < mem->usage.arena_b);
	assert(off_b % WK_MEM_MIN_B == 0);
	assert((mem->state[unit] & ST_USED) != 0);
	return unit;
}

void wk_mem_free(struct wk_mem *mem, void *ptr)
{
	unsigned int order;
	uint32_t unit;

	if (!ptr)
		return;
	unit = unit_of(mem, ptr);
	order = mem->state[unit] & ST_ORDER;
	mem->state[unit] = 0;
	set(&mem->usage.used_b, mem->usage.used_b - order_b(order));
	wk_poison(ptr, order_b(order));
	for (; order < ORDERS - 1; order++) {
		uint32_t buddy = unit ^ (1u << order);

		if (mem->state[buddy] != (uint8_t)(ST_FREE | order))
			break;
		list_del(mem, order, buddy);
		unit &= ~(1u << order);
	}
	list_push(mem, order, unit);
}

/* Shrinks in place: the rest goes back, the address stays. */
static void shrink(struct wk_mem *mem, uint32_t unit, unsigned int from, unsigned int to)
{
	size_t keep_b = order_b(to);

	wk_poison((uint8_t *)block_at(mem, unit) + keep_b, order_b(from) - keep_b);
	split(mem, unit, from, to);
	mem->state[unit] = (uint8_t)(ST_USED | to);
	set(&mem->usage.used_b, mem->usage.used_b - (order_b(from) - keep_b));
}

void *wk_mem_realloc(struct wk_mem *mem, void *ptr, size_t size_b)
{
	unsigned int order;
	uint32_t unit;
	void *copy;

	if (!ptr)
		return wk_mem_alloc(mem, size_b);
	if (size_b > WK_MEM_MAX_B)
		return refuse(mem);
	unit = unit_of(mem, ptr);
	order = mem->state[unit] & ST_ORDER;
	if (order_of(size_b) < order)
		shrink(mem, unit, order, order_of(size_b));
	if (order_of(size_b) <= order)
		return ptr;
	copy = wk_mem_alloc(mem, size_b);
	if (!copy)
		return NULL;
	memcpy(copy, ptr, order_b(order));
	wk_mem_free(mem, ptr);
	return copy;
}

size_t wk_mem_usable_b(const struct wk_mem *mem, const void *ptr)
{
	return order_b(mem->state[unit_of(mem, ptr)] & ST_ORDER);
}

void wk_mem_usage(const struct wk_mem *mem, struct wk_mem_usage *usage)
{
	const struct wk_mem_usage *from = &mem->usage;

	*usage = (struct wk_mem_usage){
		.arena_b = from->arena_b,
		.used_b = __atomic_load_n(&from->used_b, __ATOMIC_RELAXED),
		.peak_b = __atomic_load_n(&from->peak_b, __ATOMIC_RELAXED),
		.failures = __atomic_load_n(&from->failures, __ATOMIC_RELAXED),
	};
}
