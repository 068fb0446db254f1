/* SPDX-License-Identifier: Apache-2.0 */
/* hold.c - bytes that wait: in order but not decidable yet, and out of order. */
#include <string.h>

#include "internal.h"

#define HELD_MIN_B   64u
#define HELD_SMALL_B 4096u /* what an honest header block needs */
#define OOO_BLOCK_B  (64u * 1024u)

/* The last quarter of the memory is not for what one connection can pile up: else a few of them
 * would end all others. What waits behind a hole can be had again from its sender, and a long
 * header block that will not end has no claim. */
bool room_to_pile_up(const struct wk_mem *mem)
{
	struct wk_mem_usage usage;

	wk_mem_usage(mem, &usage);
	return usage.used_b < usage.arena_b - usage.arena_b / 4;
}

/* Do two pieces of a stream say different things where they overlap? */
static bool differ(uint64_t a_in, const uint8_t *a, uint32_t a_b, uint64_t b_in, const uint8_t *b,
		   uint32_t b_b)
{
	uint64_t from = a_in > b_in ? a_in : b_in;
	uint64_t to = a_in + a_b < b_in + b_b ? a_in + a_b : b_in + b_b;

	return from < to && memcmp(a + (from - a_in), b + (from - b_in), to - from) != 0;
}

bool hold_differs(const struct wk_tcp_half *half, uint64_t in, const uint8_t *data, uint32_t len_b)
{
	if (differ(half->e_in, half->held, half->held_len_b, in, data, len_b))
		return true;
	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo; ooo = ooo->next)
		if (differ(ooo->in_off, ooo->bytes, ooo->len_b, in, data, len_b))
			return true;
	return false;
}

bool hold_append(struct ctx *c, struct wk_tcp_half *half, const uint8_t *data, uint32_t len_b)
{
	uint32_t need = half->held_len_b + len_b;
	uint32_t cap = half->held_cap_b > 0 ? half->held_cap_b : HELD_MIN_B;
	uint8_t *buf;

	if (need > c->env->limits->hold_b)
		return false;
	if (need > half->held_cap_b) {
		while (cap < need)
			cap *= 2;
		if (cap > HELD_SMALL_B && !room_to_pile_up(c->env->mem))
			return false;
		buf = wk_mem_realloc(c->env->mem, half->held, cap);
		if (!buf)
			return false;
		half->held = buf;
		half->held_cap_b = cap;
	}
	memcpy(half->held + half->held_len_b, data, len_b);
	half->held_len_b = need;
	return true;
}

/* Takes len_b judged bytes from the front; an empty buffer is given back. */
void hold_consume(struct wk_tcp_half *half, uint32_t len_b, struct wk_mem *mem)
{
	half->held_len_b -= len_b;
	if (half->held_len_b > 0) {
		memmove(half->held, half->held + len_b, half->held_len_b);
		return;
	}
	wk_mem_free(mem, half->held);
	half->held = NULL;
	half->held_cap_b = 0;
	half->hold_now = false;
	half->hold_at_ns = NEVER;
}

static uint64_t ooo_end(const struct wk_tcp_ooo *ooo)
{
	return ooo->in_off + ooo->len_b;
}

/* Charged as what it takes of the arena: small segments cannot multiply the bound. Their number has
 * one of its own, since the list is walked. */
static struct wk_tcp_ooo *ooo_new(struct ctx *c, struct wk_tcp_half *half, uint64_t in,
				  size_t want_b, bool gone)
{
	struct wk_tcp_ooo *ooo;
	size_t usable_b;

	if (half->n_ooo >= c->env->limits->ooo_records || !room_to_pile_up(c->env->mem))
		return NULL;
	ooo = wk_mem_alloc(c->env->mem, want_b);
	if (!ooo)
		return NULL;
	usable_b = wk_mem_usable_b(c->env->mem, ooo);
	if (half->ooo_b + usable_b > c->env->limits->ooo_b) {
		wk_mem_free(c->env->mem, ooo);
		return NULL;
	}
	*ooo = (struct wk_tcp_ooo){ .in_off = in, .gone = gone };
	ooo->cap_b = (uint32_t)(usable_b - sizeof(*ooo));
	half->ooo_b += (uint32_t)usable_b;
	half->n_ooo++;
	return ooo;
}

/* Keeps data[len_b] at `in`, where nothing is, or the first of it: behind `prev`, if it goes on
 * there and prev has room, else in a record of its own. One that goes on is larger than the last,
 * so that a long row of segments takes few. @return the number of bytes kept, 0 for no room. */
static uint32_t ooo_put(struct ctx *c, struct wk_tcp_half *half, struct wk_tcp_ooo *prev,
			struct wk_tcp_ooo **link, uint64_t in, const uint8_t *data, uint32_t len_b,
			bool gone)
{
	bool goes_on = prev && ooo_end(prev) == in && prev->gone == gone && !prev->touched;
	struct wk_tcp_ooo *ooo = prev;
	size_t want_b = sizeof(*ooo) + len_b;

	if (!goes_on || prev->cap_b == prev->len_b) {
		if (goes_on && want_b < 2 * (sizeof(*ooo) + prev->cap_b))
			want_b = 2 * (sizeof(*ooo) + prev->cap_b);
		if (want_b > OOO_BLOCK_B && len_b <= OOO_BLOCK_B - sizeof(*ooo))
			want_b = OOO_BLOCK_B;
		ooo = ooo_new(c, half, in, want_b, gone);
		if (!ooo)
			return 0;
		ooo->next = *link;
		*link = ooo;
	}
	if (len_b > ooo->cap_b - ooo->len_b)
		len_b = ooo->cap_b - ooo->len_b;
	memcpy(ooo->bytes + ooo->len_b, data, len_b);
	ooo->len_b += len_b;
	return len_b;
}

bool ooo_has(const struct wk_tcp_half *half, uint64_t in, uint32_t len_b)
{
	uint64_t end = in + len_b;

	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo && ooo->in_off <= in; ooo = ooo->next) {
		if (!ooo->gone && in < ooo->in_off + ooo->len_b)
			in = ooo->in_off + ooo->len_b;
		if (in >= end)
			return true;
	}
	return false;
}

/* Keeps the parts of data[len_b] at `in` that are not there yet: the first copy of a byte wins.
 * @return false when something found no room. */
bool ooo_insert(struct ctx *c, struct wk_tcp_half *half, uint64_t in, const uint8_t *data,
		uint32_t len_b, bool gone)
{
	struct wk_tcp_ooo **link = &half->ooo, *prev = NULL;
	uint64_t end = in + len_b, stop;
	uint32_t n;

	while (in < end) {
		while (*link && ooo_end(*link) <= in) {
			prev = *link;
			link = &prev->next;
		}
		if (*link && (*link)->in_off <= in) {
			stop = ooo_end(*link);
			(*link)->touched |= gone;
			if (stop >= end)
				return true;
			n = (uint32_t)(stop - in);
		} else {
			stop = *link && (*link)->in_off < end ? (*link)->in_off : end;
			n = ooo_put(c, half, prev, link, in, data, (uint32_t)(stop - in), gone);
			if (n == 0)
				return false;
		}
		data += n;
		in += n;
	}
	return true;
}

/* Takes the first segment off the list if it begins at or below upto. The caller frees it. */
struct wk_tcp_ooo *ooo_pop(struct wk_tcp_half *half, uint64_t upto)
{
	struct wk_tcp_ooo *ooo = half->ooo;

	if (!ooo || ooo->in_off > upto)
		return NULL;
	half->ooo = ooo->next;
	half->ooo_b -= (uint32_t)sizeof(*ooo) + ooo->cap_b;
	half->n_ooo--;
	return ooo;
}

void ooo_put_back(struct wk_tcp_half *half, struct wk_tcp_ooo *ooo)
{
	uint32_t done_b = (uint32_t)(half->e_in + half->held_len_b - ooo->in_off);

	ooo->in_off += done_b;
	ooo->len_b -= done_b;
	if (done_b > 0)
		memmove(ooo->bytes, ooo->bytes + done_b, ooo->len_b);
	ooo->next = half->ooo;
	half->ooo = ooo;
	half->ooo_b += (uint32_t)sizeof(*ooo) + ooo->cap_b;
	half->n_ooo++;
}

void hold_free(struct wk_tcp_half *half, struct wk_mem *mem)
{
	struct wk_tcp_ooo *ooo;

	wk_mem_free(mem, half->held);
	half->held = NULL;
	half->held_len_b = 0;
	half->held_cap_b = 0;
	half->hold_at_ns = NEVER;
	while ((ooo = ooo_pop(half, UINT64_MAX)))
		wk_mem_free(mem, ooo);
}
