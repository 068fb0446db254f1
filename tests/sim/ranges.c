/* SPDX-License-Identifier: Apache-2.0 */
#include "ranges.h"

#include <stdlib.h>
#include <string.h>

#include "list.h"

/* Index of the first range that ends at or after off. */
static uint32_t lower(const struct ranges *set, uint64_t off)
{
	uint32_t lo = 0, hi = set->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (set->r[mid].to < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void ranges_add(struct ranges *set, uint64_t from, uint64_t to)
{
	uint32_t i, j;

	if (from >= to)
		return;
	i = lower(set, from);
	for (j = i; j < set->n && set->r[j].from <= to; j++) {
		if (set->r[j].from < from)
			from = set->r[j].from;
		if (set->r[j].to > to)
			to = set->r[j].to;
	}
	if (j == i) {
		set->r = list_room(set->r, set->n, &set->cap, sizeof(*set->r));
		memmove(&set->r[i + 1], &set->r[i], (set->n - i) * sizeof(*set->r));
		set->n++;
	} else if (j > i + 1) {
		memmove(&set->r[i + 1], &set->r[j], (set->n - j) * sizeof(*set->r));
		set->n -= j - i - 1;
	}
	set->r[i] = (struct range){ .from = from, .to = to };
}

void ranges_cut(struct ranges *set, uint64_t to)
{
	uint32_t i = 0;

	while (i < set->n && set->r[i].to <= to)
		i++;
	if (i > 0) {
		memmove(&set->r[0], &set->r[i], (set->n - i) * sizeof(*set->r));
		set->n -= i;
	}
	if (set->n > 0 && set->r[0].from < to)
		set->r[0].from = to;
}

const struct range *ranges_find(const struct ranges *set, uint64_t off)
{
	uint32_t i = lower(set, off + 1);

	return i < set->n && set->r[i].from <= off ? &set->r[i] : NULL;
}

const struct range *ranges_next(const struct ranges *set, uint64_t off)
{
	uint32_t i = lower(set, off);

	while (i < set->n && set->r[i].from < off)
		i++;
	return i < set->n ? &set->r[i] : NULL;
}

bool ranges_cover(const struct ranges *set, uint64_t from, uint64_t to)
{
	const struct range *r;

	if (from >= to)
		return true;
	r = ranges_find(set, from);
	return r && r->to >= to;
}

void ranges_trim(struct ranges *set, uint64_t from)
{
	while (set->n > 0 && set->r[set->n - 1].from >= from)
		set->n--;
	if (set->n > 0 && set->r[set->n - 1].to > from)
		set->r[set->n - 1].to = from;
}

void ranges_clear(struct ranges *set)
{
	set->n = 0;
}

void ranges_fini(struct ranges *set)
{
	free(set->r);
	*set = (struct ranges){ 0 };
}
