/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "source.h"
#include "wheel.h"
#include "wk_flow.h"
#include "wk_poison.h"

#define MAX_FLOWS (1u << 29) /* the hash holds twice as many */

struct wk_flow_table {
	struct rte_hash *hash;
	uint8_t *entries;
	uint32_t stride_b;
	uint32_t entry_size_b;
	uint32_t max_flows;
	uint32_t n_flows;
	uint32_t *free_ids; /* a stack: the entry last freed is the one still in the cache */
	uint64_t *used;     /* one bit an entry */
	struct wheel *wheel;
	struct sources *sources; /* NULL: not counted */
};

static struct wk_flow_entry *entry_at(const struct wk_flow_table *table, uint32_t id)
{
	return (struct wk_flow_entry *)(void *)(table->entries + (size_t)id * table->stride_b);
}

static uint32_t used_words(const struct wk_flow_table *table)
{
	return (table->max_flows + 63) / 64;
}

static int create_hash(const struct wk_flow_table_conf *conf, struct rte_hash **hash)
{
	/* Twice the flows, and buckets to extend into: an add never fails for want of a place. */
	struct rte_hash_parameters params = {
		.name = conf->name,
		.entries = RTE_MAX(2 * conf->max_flows, 64u),
		.key_len = sizeof(struct wk_flow_key),
		.hash_func = rte_jhash,
		.hash_func_init_val = conf->secret,
		.socket_id = conf->socket_id,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	/* rte_hash_create cuts a long name, and two that are then alike collide. */
	if (strlen(conf->name) >= RTE_HASH_NAMESIZE)
		return -EINVAL;
	*hash = rte_hash_create(&params);
	if (*hash)
		return 0;
	return rte_errno == EINVAL || rte_errno == EEXIST ? -EINVAL : -ENOMEM;
}

static void *zalloc(const struct wk_flow_table_conf *conf, size_t n, size_t size_b)
{
	return rte_calloc_socket("wk_flow", n, size_b, RTE_CACHE_LINE_SIZE, conf->socket_id);
}

static int create_pools(const struct wk_flow_table_conf *conf, struct wk_flow_table *table)
{
	table->entries = zalloc(conf, table->max_flows, table->stride_b);
	table->free_ids = zalloc(conf, table->max_flows, sizeof(table->free_ids[0]));
	table->used = zalloc(conf, used_words(table), sizeof(table->used[0]));
	table->wheel = zalloc(conf, 1, sizeof(*table->wheel));
	if (!table->entries || !table->free_ids || !table->used || !table->wheel)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->max_flows; i++)
		table->free_ids[i] = table->max_flows - 1 - i;
	wheel_init(table->wheel, table->entries, table->stride_b);
	wk_poison(table->entries, (size_t)table->max_flows * table->stride_b);
	return 0;
}

int wk_flow_table_create(const struct wk_flow_table_conf *conf, struct wk_flow_table **table)
{
	struct wk_flow_table *new;
	int ret;

	*table = NULL;
	if (conf->max_flows == 0 || conf->max_flows > MAX_FLOWS ||
	    conf->entry_size_b < sizeof(struct wk_flow_entry) ||
	    conf->entry_size_b > UINT32_MAX - RTE_CACHE_LINE_SIZE)
		return -EINVAL;
	new = zalloc(conf, 1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->max_flows = conf->max_flows;
	new->entry_size_b = conf->entry_size_b;
	new->stride_b = RTE_CACHE_LINE_ROUNDUP(conf->entry_size_b);
	ret = create_pools(conf, new);
	if (ret == 0)
		ret = create_hash(conf, &new->hash);
	if (ret == 0 && conf->flows_per_source > 0)
		ret = sources_create(conf, &new->sources);
	if (ret != 0) {
		wk_flow_table_free(new);
		return ret;
	}
	*table = new;
	return 0;
}

void wk_flow_table_free(struct wk_flow_table *table)
{
	if (!table)
		return;
	if (table->entries)
		wk_unpoison(table->entries, (size_t)table->max_flows * table->stride_b);
	sources_free(table->sources);
	rte_hash_free(table->hash);
	rte_free(table->wheel);
	rte_free(table->used);
	rte_free(table->free_ids);
	rte_free(table->entries);
	rte_free(table);
}

struct wk_flow_entry *wk_flow_lookup(struct wk_flow_table *table, const struct wk_flow_key *key)
{
	void *entry;

	return rte_hash_lookup_data(table->hash, key, &entry) >= 0 ? entry : NULL;
}

void wk_flow_lookup_burst(struct wk_flow_table *table, const struct wk_flow_key *const *keys,
			  uint32_t n, struct wk_flow_entry **entries)
{
	void *found[RTE_HASH_LOOKUP_BULK_MAX];
	uint64_t hits = 0;

	if (n == 0)
		return;
	rte_hash_lookup_bulk_data(table->hash, (const void **)(uintptr_t)keys, n, &hits, found);
	for (uint32_t i = 0; i < n; i++) {
		entries[i] = (hits >> i & 1) != 0 ? found[i] : NULL;
		rte_prefetch0(entries[i]);
	}
}

enum wk_flow_room wk_flow_room(const struct wk_flow_table *table, const struct wk_flow_key *key)
{
	if (table->sources && !sources_room(table->sources, key))
		return WK_FLOW_SOURCE_FULL;
	return table->n_flows == table->max_flows ? WK_FLOW_FULL : WK_FLOW_ROOM;
}

struct wk_flow_entry *wk_flow_add(struct wk_flow_table *table, const struct wk_flow_key *key)
{
	struct wk_flow_entry *entry;
	uint32_t id, source = SOURCE_NONE;

	if (table->n_flows == table->max_flows)
		return NULL;
	if (table->sources) {
		source = sources_take(table->sources, key);
		if (source == SOURCE_NONE)
			return NULL;
	}
	id = table->free_ids[table->max_flows - table->n_flows - 1];
	entry = entry_at(table, id);
	if (rte_hash_add_key_data(table->hash, key, entry) != 0) {
		if (table->sources)
			sources_drop(table->sources, source);
		return NULL;
	}
	table->n_flows++;
	table->used[id / 64] |= UINT64_C(1) << id % 64;
	wk_unpoison(entry, table->stride_b);
	memset(entry, 0, table->entry_size_b);
	entry->key = *key;
	entry->id = id;
	entry->source = source;
	entry->due_ns = UINT64_MAX;
	return entry;
}

void wk_flow_release(struct wk_flow_table *table, struct wk_flow_entry *entry)
{
	if (entry->source != SOURCE_NONE)
		sources_drop(table->sources, entry->source);
	entry->source = SOURCE_NONE;
}

void wk_flow_del(struct wk_flow_table *table, struct wk_flow_entry *entry)
{
	uint32_t id = entry->id;

	wheel_arm(table->wheel, entry, UINT64_MAX);
	rte_hash_del_key(table->hash, &entry->key);
	wk_flow_release(table, entry);
	table->used[id / 64] &= ~(UINT64_C(1) << id % 64);
	table->n_flows--;
	table->free_ids[table->max_flows - table->n_flows - 1] = id;
	wk_poison(entry, table->stride_b);
}

uint32_t wk_flow_count(const struct wk_flow_table *table)
{
	return table->n_flows;
}

uint32_t wk_flow_capacity(const struct wk_flow_table *table)
{
	return table->max_flows;
}

uint32_t wk_flow_sources(const struct wk_flow_table *table)
{
	return table->sources ? sources_count(table->sources) : 0;
}

struct wk_flow_entry *wk_flow_next(struct wk_flow_table *table, uint32_t *pos)
{
	for (uint32_t word = *pos / 64; word < used_words(table); word++) {
		uint64_t bits = table->used[word];
		uint32_t id;

		if (word == *pos / 64)
			bits &= UINT64_MAX << *pos % 64;
		if (bits == 0)
			continue;
		id = word * 64 + (uint32_t)__builtin_ctzll(bits);
		*pos = id + 1;
		return entry_at(table, id);
	}
	*pos = table->max_flows;
	return NULL;
}

void wk_flow_arm(struct wk_flow_table *table, struct wk_flow_entry *entry, uint64_t due_ns)
{
	wheel_arm(table->wheel, entry, due_ns);
}

struct wk_flow_entry *wk_flow_due(struct wk_flow_table *table, uint64_t now_ns)
{
	return wheel_due(table->wheel, now_ns);
}

uint64_t wk_flow_next_due(const struct wk_flow_table *table)
{
	return wheel_next_due(table->wheel);
}
