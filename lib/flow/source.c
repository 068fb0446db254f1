/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#define V6_PREFIX_B 8u /* one host has a /64, and every address in it */

struct source_key {
	uint8_t prefix[8]; /* an IPv4 address, or the first half of an IPv6 one */
	uint16_t vlan[2];
	uint16_t wire;
	uint16_t ip_version;
};

_Static_assert(sizeof(struct source_key) == 16, "the key has bytes that nobody fills");

struct sources {
	struct rte_hash *hash; /* its positions are the numbers */
	uint32_t *count;
	uint32_t n;
	uint32_t max; /* entries of one source */
};

static void fill(struct source_key *to, const struct wk_flow_key *key)
{
	*to = (struct source_key){
		.vlan = { key->vlan[0], key->vlan[1] },
		.wire = key->wire,
		.ip_version = key->ip_version,
	};
	memcpy(to->prefix, key->client, key->ip_version == 4 ? 4 : V6_PREFIX_B);
}

static int create_hash(const struct wk_flow_table_conf *conf, struct sources *sources)
{
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
		.name = name,
		.entries = RTE_MAX(conf->max_flows, 64u), /* all fit: buckets extend */
		.key_len = sizeof(struct source_key),
		.hash_func = rte_jhash,
		.hash_func_init_val = conf->secret,
		.socket_id = conf->socket_id,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	if (snprintf(name, sizeof(name), "%s.src", conf->name) >= (int)sizeof(name))
		return -EINVAL;
	sources->hash = rte_hash_create(&params);
	if (!sources->hash)
		return rte_errno == EINVAL || rte_errno == EEXIST ? -EINVAL : -ENOMEM;
	sources->count =
		rte_calloc_socket("wk_source", (size_t)rte_hash_max_key_id(sources->hash) + 1,
				  sizeof(sources->count[0]), RTE_CACHE_LINE_SIZE, conf->socket_id);
	return sources->count ? 0 : -ENOMEM;
}

int sources_create(const struct wk_flow_table_conf *conf, struct sources **sources)
{
	struct sources *new =
		rte_zmalloc_socket("wk_source", sizeof(*new), RTE_CACHE_LINE_SIZE, conf->socket_id);
	int rc;

	*sources = NULL;
	if (!new)
		return -ENOMEM;
	new->max = conf->flows_per_source;
	rc = create_hash(conf, new);
	if (rc != 0) {
		sources_free(new);
		return rc;
	}
	*sources = new;
	return 0;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	rte_hash_free(sources->hash);
	rte_free(sources->count);
	rte_free(sources);
}

bool sources_room(const struct sources *sources, const struct wk_flow_key *key)
{
	struct source_key source;
	int32_t at;

	fill(&source, key);
	at = rte_hash_lookup(sources->hash, &source);
	return at < 0 || sources->count[at] < sources->max;
}

uint32_t sources_take(struct sources *sources, const struct wk_flow_key *key)
{
	struct source_key source;
	int32_t at;

	fill(&source, key);
	at = rte_hash_add_key(sources->hash, &source); /* or the one that is there */
	if (at < 0 || sources->count[at] == sources->max)
		return SOURCE_NONE;
	if (sources->count[at]++ == 0)
		sources->n++;
	return (uint32_t)at;
}

void sources_drop(struct sources *sources, uint32_t number)
{
	struct source_key source;
	void *key;

	if (--sources->count[number] > 0)
		return;
	sources->n--;
	if (rte_hash_get_key_with_position(sources->hash, (int32_t)number, &key) != 0)
		return;
	memcpy(&source, key, sizeof(source)); /* its place is about to be another's */
	rte_hash_del_key(sources->hash, &source);
}

uint32_t sources_count(const struct sources *sources)
{
	return sources->n;
}
