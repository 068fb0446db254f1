/* SPDX-License-Identifier: Apache-2.0 */
/* Who keeps whom out of a flow table: how many connections one source has, and keys that were
 * chosen to collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_hash.h>
#include <rte_jhash.h>

#include "../support/test_eal.h"
#include "wk_flow.h"

#define SECRET 0x5ec2e7u
#define OTHER  0x0dd5ec2eu

static char table_name[32];

static struct wk_flow_table *open_table(uint32_t max_flows, uint32_t per_source, uint32_t secret)
{
	static uint32_t n;
	struct wk_flow_table_conf conf = {
		.name = table_name,
		.max_flows = max_flows,
		.flows_per_source = per_source,
		.entry_size_b = sizeof(struct wk_flow_entry),
		.secret = secret,
		.socket_id = SOCKET_ID_ANY,
	};
	struct wk_flow_table *table;

	snprintf(table_name, sizeof(table_name), "source_test_%u", n++);
	assert_int_equal(wk_flow_table_create(&conf, &table), 0);
	return table;
}

static struct wk_flow_key key_of(uint8_t version, uint32_t source, uint32_t n)
{
	struct wk_flow_key key = { .ip_version = version,
				   .server_port = 50051,
				   .vlan = { WK_PKT_VLAN_NONE, WK_PKT_VLAN_NONE } };

	/* The last bytes of an IPv6 address are anybody's. */
	memcpy(key.client, &source, sizeof(source));
	if (version == 6)
		memcpy(key.client + 8, &n, sizeof(n));
	key.client_port = (uint16_t)n;
	memcpy(key.server, &n, sizeof(n));
	return key;
}

/* --- sources --- */

static void a_source_has_as_many_as_it_may_and_no_more(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct wk_flow_table *table = open_table(64, 5, SECRET);
		struct wk_flow_entry *entry[5];
		struct wk_flow_key key;

		for (uint32_t n = 0; n < 5; n++) {
			key = key_of(version, 1, n);
			assert_int_equal(wk_flow_room(table, &key), WK_FLOW_ROOM);
			entry[n] = wk_flow_add(table, &key);
			assert_non_null(entry[n]);
		}
		key = key_of(version, 1, 5);
		assert_int_equal(wk_flow_room(table, &key), WK_FLOW_SOURCE_FULL);
		assert_null(wk_flow_add(table, &key));
		assert_null(wk_flow_lookup(table, &key));
		assert_int_equal(wk_flow_count(table), 5);
		assert_int_equal(wk_flow_sources(table), 1);
		/* What is over does not count, and is not counted off twice. */
		wk_flow_release(table, entry[0]);
		wk_flow_release(table, entry[0]);
		entry[0] = wk_flow_add(table, &key);
		assert_non_null(entry[0]);
		key = key_of(version, 1, 6);
		assert_int_equal(wk_flow_room(table, &key), WK_FLOW_SOURCE_FULL);
		wk_flow_del(table, entry[0]);
		assert_int_equal(wk_flow_room(table, &key), WK_FLOW_ROOM);
		wk_flow_table_free(table);
	}
}

static void sources_that_differ_are_counted_apart(void **state)
{
	struct wk_flow_table *table = open_table(64, 1, SECRET);
	struct wk_flow_key base = key_of(4, 7, 1), keys[6];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		keys[i] = base;
	keys[1].client[3] = 1;
	keys[2].vlan[0] = 7;
	keys[3].vlan[1] = 7;
	keys[4].wire = 1;
	keys[5].ip_version = 6;
	for (size_t i = 0; i < 6; i++)
		assert_non_null(wk_flow_add(table, &keys[i]));
	assert_int_equal(wk_flow_sources(table), 6);
	/* Ports and servers are no other source. */
	base.client_port++;
	assert_int_equal(wk_flow_room(table, &base), WK_FLOW_SOURCE_FULL);
	base.server[0]++;
	assert_int_equal(wk_flow_room(table, &base), WK_FLOW_SOURCE_FULL);
	wk_flow_table_free(table);
}

/* There are never more sources than there is room for. */
static void a_table_is_full_before_its_sources_are(void **state)
{
	struct wk_flow_table *table = open_table(1000, 1, SECRET);
	struct wk_flow_key key;

	(void)state;
	for (int round = 0; round < 3; round++) {
		struct wk_flow_entry *entry;
		uint32_t pos = 0;

		for (uint32_t n = 0; n < 1000; n++) {
			key = key_of(4, n * 2654435761u + (uint32_t)round, n);
			assert_non_null(wk_flow_add(table, &key));
		}
		assert_int_equal(wk_flow_sources(table), 1000);
		key = key_of(4, 77, 1);
		assert_int_equal(wk_flow_room(table, &key), WK_FLOW_FULL);
		while ((entry = wk_flow_next(table, &pos)) != NULL)
			wk_flow_del(table, entry);
		assert_int_equal(wk_flow_sources(table), 0);
	}
	wk_flow_table_free(table);
}

static void the_count_of_a_source_never_drifts(void **state)
{
	enum { SOURCES = 50, LIMIT = 12, FLOWS = 400 };
	struct wk_flow_table *table = open_table(FLOWS, LIMIT, SECRET);
	static struct wk_flow_entry *entry[FLOWS];
	static uint32_t whose[FLOWS];
	static bool counts[FLOWS];
	uint32_t have[SOURCES] = { 0 }, n_flows = 0, refused = 0, live = 0;

	(void)state;
	srand(5);
	memset(entry, 0, sizeof(entry));
	for (uint32_t i = 0; i < 400000; i++) {
		uint32_t at = (uint32_t)rand() % FLOWS, source = (uint32_t)rand() % SOURCES;

		/* Some sources send more than others. */
		source = source * source / SOURCES;
		if (!entry[at]) {
			struct wk_flow_key key = key_of(source % 2 ? 6 : 4, source, i);
			enum wk_flow_room room = wk_flow_room(table, &key);

			entry[at] = wk_flow_add(table, &key);
			assert_int_equal(room, have[source] == LIMIT ? WK_FLOW_SOURCE_FULL
								     : WK_FLOW_ROOM);
			assert_int_equal(entry[at] != NULL, room == WK_FLOW_ROOM);
			refused += !entry[at];
			if (!entry[at])
				continue;
			whose[at] = source;
			counts[at] = true;
			live += have[source]++ == 0;
			n_flows++;
		} else if (rand() % 3 == 0) {
			wk_flow_release(table, entry[at]);
			live -= counts[at] && --have[whose[at]] == 0;
			counts[at] = false;
		} else {
			wk_flow_del(table, entry[at]);
			live -= counts[at] && --have[whose[at]] == 0;
			entry[at] = NULL;
			n_flows--;
		}
		assert_int_equal(wk_flow_count(table), n_flows);
		assert_int_equal(wk_flow_sources(table), live);
	}
	assert_true(refused > 1000);
	wk_flow_table_free(table);
}

/* --- keys that collide (E16) --- */

static uint32_t compared;

static int count_compare(const void *a, const void *b, size_t len_b)
{
	compared++;
	return memcmp(a, b, len_b);
}

/* Keys whose hash under a secret has given bits in common. */
static void search(struct wk_flow_key *keys, uint32_t n, uint32_t mask)
{
	uint32_t found = 0;

	for (uint32_t i = 0; found < n; i++) {
		struct wk_flow_key key = key_of(4, i, i);

		if (((rte_jhash(&key, sizeof(key), SECRET) ^ 0x12345678u) & mask) == 0)
			keys[found++] = key;
	}
}

struct steps {
	uint32_t most;  /* keys compared for one look-up */
	uint32_t total; /* for one of each */
};

static struct steps walk(const struct wk_flow_key *keys, uint32_t n, uint32_t max_flows,
			 uint32_t secret)
{
	struct wk_flow_table *table = open_table(max_flows, 0, secret);
	struct rte_hash *hash = rte_hash_find_existing(table_name);
	struct steps steps = { 0 };

	assert_non_null(hash);
	rte_hash_set_cmp_func(hash, count_compare);
	for (uint32_t i = 0; i < n; i++)
		assert_non_null(wk_flow_add(table, &keys[i]));
	for (uint32_t i = 0; i < n; i++) {
		compared = 0;
		assert_non_null(wk_flow_lookup(table, &keys[i]));
		steps.total += compared;
		if (steps.most < compared)
			steps.most = compared;
	}
	for (uint32_t i = 0; i < n; i++)
		wk_flow_del(table, wk_flow_lookup(table, &keys[i]));
	assert_int_equal(wk_flow_count(table), 0);
	wk_flow_table_free(table);
	return steps;
}

/* The worst there is: one bucket, one signature. Who does not know the secret cannot choose it. */
static void keys_that_collide_under_one_secret_do_not_under_another(void **state)
{
	enum { KEYS = 32, FLOWS = 64 };    /* 16 buckets */
	const uint32_t mask = 0xffff000fu; /* the signature, and the bucket's number */
	struct wk_flow_key keys[KEYS];
	struct steps known, unknown;

	(void)state;
	search(keys, KEYS, mask);
	known = walk(keys, KEYS, FLOWS, SECRET);
	unknown = walk(keys, KEYS, FLOWS, OTHER);
	print_message(
		"%u keys of one hash: %u compares a look-up at most, %u under another secret\n",
		KEYS, known.most, unknown.most);
	assert_true(known.most > KEYS / 2); /* the search found what it was to find */
	assert_true(known.most <= KEYS);
	assert_true(unknown.most <= 2);
	assert_true(unknown.total <= KEYS + 2);
}

/* A full table of keys for one bucket: each is added, and a look-up compares a few keys only. */
static void a_flood_of_keys_for_one_bucket_is_taken_and_found(void **state)
{
	enum { FLOWS = 4096 };        /* 1024 buckets */
	const uint32_t mask = 0x3ffu; /* the bucket's number */
	static struct wk_flow_key keys[FLOWS];
	struct steps known, unknown;

	(void)state;
	search(keys, FLOWS, mask);
	known = walk(keys, FLOWS, FLOWS, SECRET);
	unknown = walk(keys, FLOWS, FLOWS, OTHER);
	print_message("%u keys of one bucket: %u compares a look-up at most, %u under another\n",
		      FLOWS, known.most, unknown.most);
	assert_true(known.most <= 8);
	assert_true(known.total <= FLOWS + FLOWS / 8);
	assert_true(unknown.most <= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_has_as_many_as_it_may_and_no_more),
		cmocka_unit_test(sources_that_differ_are_counted_apart),
		cmocka_unit_test(a_table_is_full_before_its_sources_are),
		cmocka_unit_test(the_count_of_a_source_never_drifts),
		cmocka_unit_test(keys_that_collide_under_one_secret_do_not_under_another),
		cmocka_unit_test(a_flood_of_keys_for_one_bucket_is_taken_and_found),
	};

	return cmocka_run_group_tests_name("flow_source", tests, test_eal_set_up,
					   test_eal_tear_down);
}
