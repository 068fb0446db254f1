/* SPDX-License-Identifier: Apache-2.0 */
/* wk_mem.h - a bounded allocator over one arena, for everything a worker needs while it runs.
 *
 * A binary buddy allocator: blocks are powers of two between WK_MEM_MIN_B and WK_MEM_MAX_B, split
 * and merged as needed, so that nothing fragments for ever. Owned by one lcore, no locks, never the
 * heap: when the arena is full an allocation fails, is counted, and the caller ends the flow with
 * its reason. Cost: 1 byte of bookkeeping per WK_MEM_MIN_B of arena; alloc and free O(log n). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WK_MEM_MIN_B 64u
#define WK_MEM_MAX_B (256u * 1024u)

struct wk_mem;

/* Figures for telemetry. Read by another thread without locks: each is one 64-bit store. */
struct wk_mem_usage {
	uint64_t arena_b;
	uint64_t used_b;
	uint64_t peak_b;
	uint64_t failures; /* allocations refused: arena full, or above WK_MEM_MAX_B */
};

/* Bytes that wk_mem_create needs for an arena of arena_b usable bytes (rounded up to a multiple of
 * WK_MEM_MAX_B). */
size_t wk_mem_footprint(size_t arena_b);

/* Lays the allocator out in base[footprint]; base is aligned to 64 and stays the caller's to free.
 * @return NULL when the arena would be empty. */
struct wk_mem *wk_mem_create(void *base, size_t footprint_b);
/* To be called before the owner of base frees it: ends the watch over free blocks that builds with
 * AddressSanitizer keep. NULL is fine. */
void wk_mem_destroy(struct wk_mem *mem);

/* @return NULL when full (counted). Aligned to 64. Not zeroed. A size of 0 counts as 1. */
void *wk_mem_alloc(struct wk_mem *mem, size_t size_b);
void *wk_mem_calloc(struct wk_mem *mem, size_t n, size_t size_b);
/* As realloc(3), but a size of 0 counts as 1; on failure the old block stays. Shrinks in place. */
void *wk_mem_realloc(struct wk_mem *mem, void *ptr, size_t size_b);
/* NULL is fine. A pointer that is not a live block aborts: a bug of the caller. */
void wk_mem_free(struct wk_mem *mem, void *ptr);
/* The usable size of a block: the power of two it was rounded up to. */
size_t wk_mem_usable_b(const struct wk_mem *mem, const void *ptr);
void wk_mem_usage(const struct wk_mem *mem, struct wk_mem_usage *usage);
