/* SPDX-License-Identifier: Apache-2.0 */
/* ranges.h - a sorted set of disjoint half-open ranges of stream offsets. Heap, unbounded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct range {
	uint64_t from;
	uint64_t to;
};

struct ranges {
	struct range *r;
	uint32_t n;
	uint32_t cap;
};

/* Adds [from, to), merging what it touches. */
void ranges_add(struct ranges *set, uint64_t from, uint64_t to);
/* Forgets everything below `to`. */
void ranges_cut(struct ranges *set, uint64_t to);
/* The range that holds off, or NULL. */
const struct range *ranges_find(const struct ranges *set, uint64_t off);
/* The first range that begins at or after off, or NULL. */
const struct range *ranges_next(const struct ranges *set, uint64_t off);
bool ranges_cover(const struct ranges *set, uint64_t from, uint64_t to);
/* Forgets what is at `from` and beyond. */
void ranges_trim(struct ranges *set, uint64_t from);
void ranges_clear(struct ranges *set);
void ranges_fini(struct ranges *set);
