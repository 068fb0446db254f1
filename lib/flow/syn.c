/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include "wk_flow_syn.h"

#define WAYS        8u
#define ENTRIES_MIN 64u
#define ENTRIES_MAX (1u << 28)
#define STEPS       256u /* a round of the sweep is so many calls */

/* Time in an entry, 16 bits: with a life of at most an hour a difference never wraps before the
 * sweep has come by. */
#define STAMP_SHIFT 28u /* 268 ms */
#define LIFE_MAX_NS (UINT64_C(3600) * 1000000000u)

struct entry {
	uint32_t tag; /* 0: free */
	uint16_t stamp;
	uint8_t value[WK_FLOW_SYN_VALUE_B];
};

_Static_assert(sizeof(struct entry) == 32, "two in a cache line");

struct bucket {
	struct entry way[WAYS]; /* the newest first */
};

struct wk_flow_syns {
	struct bucket *buckets;
	uint32_t mask;
	uint32_t n;
	uint32_t seed[2];
	uint16_t life; /* in stamps */
	uint32_t hand; /* the bucket to sweep next */
	uint64_t step_ns;
	uint64_t swept_ns;
};

static uint16_t stamp_of(uint64_t now_ns)
{
	return (uint16_t)(now_ns >> STAMP_SHIFT);
}

static uint32_t entries_for(uint32_t max_entries)
{
	return rte_align32pow2(RTE_MAX(max_entries, ENTRIES_MIN));
}

uint64_t wk_flow_syn_footprint(uint32_t max_entries)
{
	return sizeof(struct wk_flow_syns) +
	       (uint64_t)entries_for(max_entries) * sizeof(struct entry);
}

int wk_flow_syns_create(const struct wk_flow_syns_conf *conf, struct wk_flow_syns **syns)
{
	uint32_t entries = entries_for(conf->max_entries);
	struct wk_flow_syns *new;

	*syns = NULL;
	if (conf->max_entries > ENTRIES_MAX || conf->life_ns == 0 || conf->life_ns > LIFE_MAX_NS)
		return -EINVAL;
	new = rte_zmalloc_socket("wk_syn", sizeof(*new), RTE_CACHE_LINE_SIZE, conf->socket_id);
	if (!new)
		return -ENOMEM;
	new->mask = entries / WAYS - 1;
	new->seed[0] = (uint32_t)conf->secret;
	new->seed[1] = (uint32_t)(conf->secret >> 32);
	new->life = (uint16_t)((conf->life_ns >> STAMP_SHIFT) + 1);
	new->step_ns = RTE_MAX(conf->life_ns / STEPS, UINT64_C(1));
	new->buckets = rte_calloc_socket("wk_syn", entries / WAYS, sizeof(struct bucket),
					 RTE_CACHE_LINE_SIZE, conf->socket_id);
	if (!new->buckets) {
		rte_free(new);
		return -ENOMEM;
	}
	*syns = new;
	return 0;
}

void wk_flow_syns_free(struct wk_flow_syns *syns)
{
	if (!syns)
		return;
	rte_free(syns->buckets);
	rte_free(syns);
}

/* Two words of one pass: the bucket and the tag have nothing in common. */
static struct bucket *bucket_of(const struct wk_flow_syns *syns, const struct wk_flow_key *key,
				uint32_t *tag)
{
	uint32_t at = syns->seed[0], mark = syns->seed[1];

	rte_jhash_2hashes(key, sizeof(*key), &at, &mark);
	*tag = mark == 0 ? 1 : mark;
	return &syns->buckets[at & syns->mask];
}

static bool is_over(const struct wk_flow_syns *syns, const struct entry *entry, uint16_t now)
{
	return (uint16_t)(now - entry->stamp) > syns->life;
}

static struct entry *entry_of(void *value)
{
	return (struct entry *)(void *)((uint8_t *)value - offsetof(struct entry, value));
}

static void clear(struct wk_flow_syns *syns, struct entry *entry)
{
	entry->tag = 0;
	syns->n--;
}

void *wk_flow_syn_find(struct wk_flow_syns *syns, const struct wk_flow_key *key, uint64_t now_ns)
{
	uint16_t now = stamp_of(now_ns);
	struct bucket *bucket;
	uint32_t tag;

	if (syns->n == 0)
		return NULL;
	bucket = bucket_of(syns, key, &tag);
	for (uint32_t i = 0; i < WAYS; i++) {
		struct entry *entry = &bucket->way[i];

		if (entry->tag == tag && !is_over(syns, entry, now))
			return entry->value;
	}
	return NULL;
}

/* @return the way that a new entry may take: a free one, else the oldest that is over, else WAYS.
 */
static uint32_t room_in(const struct wk_flow_syns *syns, const struct bucket *bucket, uint32_t tag,
			uint16_t now)
{
	uint32_t room = WAYS;

	for (uint32_t i = 0; i < WAYS; i++) {
		const struct entry *entry = &bucket->way[i];

		if (entry->tag == 0 || entry->tag == tag)
			return i;
		if (is_over(syns, entry, now))
			room = i;
	}
	return room;
}

void *wk_flow_syn_add(struct wk_flow_syns *syns, const struct wk_flow_key *key, uint64_t now_ns,
		      bool may_evict, bool *evicted)
{
	uint16_t now = stamp_of(now_ns);
	struct bucket *bucket;
	uint32_t tag, room;

	bucket = bucket_of(syns, key, &tag);
	room = room_in(syns, bucket, tag, now);
	*evicted = room == WAYS;
	if (*evicted && !may_evict) {
		*evicted = false;
		return NULL;
	}
	if (*evicted)
		room = WAYS - 1;
	else if (bucket->way[room].tag == 0 && syns->n++ == 0)
		syns->swept_ns = now_ns;
	memmove(&bucket->way[1], &bucket->way[0], room * sizeof(bucket->way[0]));
	bucket->way[0].tag = tag;
	bucket->way[0].stamp = now;
	return bucket->way[0].value;
}

void *wk_flow_syn_refresh(struct wk_flow_syns *syns, void *value, uint64_t now_ns)
{
	struct entry *entry = entry_of(value), kept = *entry;
	ptrdiff_t nth = entry - &syns->buckets[0].way[0];
	struct bucket *bucket = &syns->buckets[(size_t)nth / WAYS];

	kept.stamp = stamp_of(now_ns);
	memmove(&bucket->way[1], &bucket->way[0], ((size_t)nth % WAYS) * sizeof(kept));
	bucket->way[0] = kept;
	return bucket->way[0].value;
}

void wk_flow_syn_del(struct wk_flow_syns *syns, void *value)
{
	clear(syns, entry_of(value));
}

void wk_flow_syn_clear(struct wk_flow_syns *syns)
{
	if (syns->n == 0)
		return;
	memset(syns->buckets, 0, ((size_t)syns->mask + 1) * sizeof(*syns->buckets));
	syns->n = 0;
}

static void sweep(struct wk_flow_syns *syns, struct bucket *bucket, uint16_t now)
{
	for (uint32_t i = 0; i < WAYS; i++)
		if (bucket->way[i].tag != 0 && is_over(syns, &bucket->way[i], now))
			clear(syns, &bucket->way[i]);
}

void wk_flow_syn_sweep(struct wk_flow_syns *syns, uint64_t now_ns)
{
	uint32_t n_buckets = syns->mask + 1;
	uint32_t todo = (n_buckets + STEPS - 1) / STEPS;

	if (syns->n == 0 || now_ns - syns->swept_ns < syns->step_ns)
		return;
	/* After a pause of a round or more, all of them: a stamp must not come round. */
	if (now_ns - syns->swept_ns >= syns->step_ns * STEPS)
		todo = n_buckets;
	syns->swept_ns = now_ns;
	for (uint32_t i = 0; i < todo; i++) {
		sweep(syns, &syns->buckets[syns->hand], stamp_of(now_ns));
		syns->hand = (syns->hand + 1) & syns->mask;
	}
}

uint64_t wk_flow_syn_next_due(const struct wk_flow_syns *syns)
{
	return syns->n == 0 ? UINT64_MAX : syns->swept_ns + syns->step_ns;
}

uint32_t wk_flow_syn_count(const struct wk_flow_syns *syns)
{
	return syns->n;
}

uint32_t wk_flow_syn_capacity(const struct wk_flow_syns *syns)
{
	return (syns->mask + 1) * WAYS;
}
