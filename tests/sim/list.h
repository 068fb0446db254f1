/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - lists that grow, and lists of names. Without memory the process ends. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* @return `items`, of which there are n, with room for one more. */
static inline void *list_room(void *items, uint32_t n, uint32_t *cap, size_t size_b)
{
	if (n < *cap)
		return items;
	*cap = *cap > 0 ? 2 * *cap : 16;
	items = realloc(items, *cap * size_b);
	if (!items)
		abort();
	return items;
}

/* @return bytes with room for `len_b` of them. */
static inline uint8_t *list_bytes(uint8_t *bytes, uint64_t len_b, uint64_t *cap_b)
{
	if (len_b <= *cap_b)
		return bytes;
	*cap_b = 2 * len_b;
	bytes = realloc(bytes, *cap_b);
	if (!bytes)
		abort();
	return bytes;
}

/* @return which of n names it is, or n. */
static inline int list_find(const char *const *names, int n, const char *name)
{
	int i = 0;

	while (i < n && strcmp(names[i], name) != 0)
		i++;
	return i;
}
