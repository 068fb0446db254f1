/* SPDX-License-Identifier: Apache-2.0 */
/* The SYN cache: what it keeps, what it loses, and to whom. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/test_eal.h"
#include "wk_flow_syn.h"

#define MS   UINT64_C(1000000)
#define S    (1000 * MS)
#define LIFE (30 * S)
#define NOW  (1000 * S)

static struct wk_flow_syns *open_syns(uint32_t max, uint64_t secret)
{
	const struct wk_flow_syns_conf conf = {
		.max_entries = max,
		.life_ns = LIFE,
		.secret = secret,
		.socket_id = SOCKET_ID_ANY,
	};
	struct wk_flow_syns *syns;

	assert_int_equal(wk_flow_syns_create(&conf, &syns), 0);
	return syns;
}

static struct wk_flow_key key_of(uint32_t n)
{
	struct wk_flow_key key = { .ip_version = 4,
				   .server_port = 50051,
				   .vlan = { WK_PKT_VLAN_NONE, WK_PKT_VLAN_NONE } };

	memcpy(key.client, &n, sizeof(n));
	return key;
}

/* @return whether another one was lost. */
static bool put(struct wk_flow_syns *syns, uint32_t n, uint64_t now_ns)
{
	struct wk_flow_key key = key_of(n);
	bool evicted;
	void *value = wk_flow_syn_add(syns, &key, now_ns, true, &evicted);

	assert_non_null(value);
	assert_int_equal((uintptr_t)value % 2, 0);
	memset(value, (int)(n * 7), WK_FLOW_SYN_VALUE_B);
	return evicted;
}

static void *get(struct wk_flow_syns *syns, uint32_t n, uint64_t now_ns)
{
	struct wk_flow_key key = key_of(n);
	uint8_t *value = wk_flow_syn_find(syns, &key, now_ns);

	for (uint32_t i = 0; value && i < WK_FLOW_SYN_VALUE_B; i++)
		assert_int_equal(value[i], (uint8_t)(n * 7));
	return value;
}

static void wrong_configurations_are_refused(void **state)
{
	static const struct wk_flow_syns_conf bad[] = {
		{ .max_entries = 64, .life_ns = 0 },
		{ .max_entries = 64, .life_ns = 3601 * S },
		{ .max_entries = UINT32_MAX, .life_ns = LIFE },
	};
	struct wk_flow_syns *syns;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(wk_flow_syns_create(&bad[i], &syns), -EINVAL);
		assert_null(syns);
	}
	wk_flow_syns_free(NULL);
	for (uint32_t max = 1; max < 300; max += 7) {
		syns = open_syns(max, max);
		assert_true(wk_flow_syn_capacity(syns) >= max);
		assert_true(wk_flow_syn_capacity(syns) >= 64);
		assert_in_range(wk_flow_syn_footprint(max), 32 * wk_flow_syn_capacity(syns),
				32 * wk_flow_syn_capacity(syns) + 256);
		wk_flow_syns_free(syns);
	}
}

static void what_has_room_is_kept(void **state)
{
	struct wk_flow_syns *syns = open_syns(65536, 1);
	uint32_t lost = 0;

	(void)state;
	for (uint32_t n = 0; n < 8192; n++)
		lost += put(syns, n, NOW);
	/* An eighth full: a bucket of eight has one on average. */
	assert_int_equal(lost, 0);
	assert_int_equal(wk_flow_syn_count(syns), 8192);
	for (uint32_t n = 0; n < 8192; n++)
		assert_non_null(get(syns, n, NOW));
	for (uint32_t n = 8192; n < 16384; n++)
		assert_null(get(syns, n, NOW));
	wk_flow_syn_clear(syns);
	assert_int_equal(wk_flow_syn_count(syns), 0);
	for (uint32_t n = 0; n < 8192; n++)
		assert_null(get(syns, n, NOW));
	for (uint32_t n = 0; n < 8192; n++)
		assert_int_equal(put(syns, n, NOW), 0);
	for (uint32_t n = 0; n < 8192; n += 2)
		wk_flow_syn_del(syns, get(syns, n, NOW));
	for (uint32_t n = 0; n < 8192; n++)
		assert_int_equal(!!get(syns, n, NOW), n % 2);
	assert_int_equal(wk_flow_syn_count(syns), 4096);
	wk_flow_syns_free(syns);
}

/* E11: memory stays as it is, each loss is told, and what is lost is what is oldest. */
static void a_flood_takes_the_oldest_first(void **state)
{
	enum { N = 4096, FLOOD = 1000000 };
	struct wk_flow_syns *syns = open_syns(N, 2);
	uint32_t lost = 0, young = 0, old = 0;

	(void)state;
	for (uint32_t n = 0; n < FLOOD; n++)
		lost += put(syns, n, NOW + n);
	assert_int_equal(wk_flow_syn_count(syns), N);
	assert_int_equal(lost, FLOOD - N);
	for (uint32_t n = FLOOD - N / 4; n < FLOOD; n++)
		young += get(syns, n, NOW + FLOOD) != NULL;
	for (uint32_t n = FLOOD - 4 * N; n < FLOOD - 3 * N; n++)
		old += get(syns, n, NOW + FLOOD) != NULL;
	/* A quarter of the cache later, nearly everything is still there; after three times,
	 * nothing much. */
	assert_true(young >= N / 4 - N / 400);
	assert_true(old < N / 100);
	wk_flow_syns_free(syns);
}

static void a_bucket_that_is_full_keeps_the_last_eight(void **state)
{
	struct wk_flow_syns *syns = open_syns(1, 3);
	uint32_t n_in[8] = { 0 };
	bool evicted;
	uint32_t kept = 0;

	(void)state;
	/* Until one is full, nothing is lost; then without permission nothing is taken. */
	for (uint32_t n = 0; n < 64; n++) {
		struct wk_flow_key key = key_of(n);

		kept += wk_flow_syn_add(syns, &key, NOW, false, &evicted) != NULL;
		assert_false(evicted);
	}
	assert_int_equal(kept, wk_flow_syn_count(syns));
	assert_in_range(kept, 32, 63);
	for (uint32_t n = 0; n < 64; n++) {
		struct wk_flow_key key = key_of(n);

		n_in[n / 8] += wk_flow_syn_find(syns, &key, NOW) != NULL;
	}
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(n_in[i], 8); /* the first ones have room */
	wk_flow_syns_free(syns);
}

static void a_refreshed_entry_is_the_youngest(void **state)
{
	struct wk_flow_syns *syns = open_syns(1, 4);

	(void)state;
	put(syns, 0, NOW);
	for (uint32_t n = 1; n < 10000; n++) {
		uint8_t *value = get(syns, 0, NOW);

		assert_non_null(value);
		value = wk_flow_syn_refresh(syns, value, NOW);
		assert_ptr_equal(value, get(syns, 0, NOW));
		put(syns, n, NOW);
	}
	wk_flow_syns_free(syns);
}

static void an_entry_lives_for_its_time_and_no_longer(void **state)
{
	struct wk_flow_syns *syns = open_syns(64, 5);

	(void)state;
	put(syns, 1, NOW);
	put(syns, 2, NOW);
	assert_non_null(get(syns, 1, NOW + LIFE));
	assert_non_null(wk_flow_syn_refresh(syns, get(syns, 2, NOW + LIFE), NOW + LIFE));
	/* Within two ticks of 268 ms. */
	assert_null(get(syns, 1, NOW + LIFE + 600 * MS));
	assert_non_null(get(syns, 2, NOW + LIFE + 600 * MS));
	assert_null(get(syns, 2, NOW + 2 * LIFE + 600 * MS));
	wk_flow_syns_free(syns);
}

/* What is over gives its place to another before anything that lives is lost. */
static void what_is_over_makes_room_first(void **state)
{
	struct wk_flow_syns *syns = open_syns(1, 6);
	uint64_t later = NOW + LIFE + S;
	uint32_t lost = 0;

	(void)state;
	for (uint32_t n = 0; n < 1000; n++)
		put(syns, n, NOW);
	assert_int_equal(wk_flow_syn_count(syns), 64);
	for (uint32_t n = 2000; n < 2024; n++)
		lost += put(syns, n, later);
	for (uint32_t n = 2000; n < 2024; n++)
		assert_non_null(get(syns, n, later));
	assert_int_equal(lost, 0);
	assert_int_equal(wk_flow_syn_count(syns), 64);
	wk_flow_syns_free(syns);
}

static void the_sweep_frees_what_is_over_and_then_rests(void **state)
{
	struct wk_flow_syns *syns = open_syns(4096, 7);
	uint64_t now = NOW;

	(void)state;
	assert_int_equal(wk_flow_syn_next_due(syns), UINT64_MAX);
	for (uint32_t n = 0; n < 2000; n++)
		put(syns, n, now);
	while (wk_flow_syn_next_due(syns) != UINT64_MAX) {
		assert_true(wk_flow_syn_next_due(syns) > now);
		now = wk_flow_syn_next_due(syns);
		wk_flow_syn_sweep(syns, now);
		if (now < NOW + LIFE)
			assert_non_null(get(syns, 1999, now));
		assert_true(now < NOW + 3 * LIFE);
	}
	assert_int_equal(wk_flow_syn_count(syns), 0);
	/* After a long pause it is all done at once: hours later no stamp looks young again. */
	for (uint32_t n = 0; n < 2000; n++)
		put(syns, n, now);
	now += 2 * LIFE;
	wk_flow_syn_sweep(syns, now);
	assert_int_equal(wk_flow_syn_count(syns), 0);
	wk_flow_syns_free(syns);
}

/* A model with whole keys under random use: nothing is ever found that was not put there. */
static void nothing_is_found_that_was_not_put_in(void **state)
{
	enum { KEYS = 3000 };
	struct wk_flow_syns *syns = open_syns(1024, 8);
	static uint64_t put_ns[KEYS];
	uint64_t now = NOW;
	uint32_t hits = 0;

	(void)state;
	srand(11);
	memset(put_ns, 0, sizeof(put_ns));
	for (uint32_t i = 0; i < 300000; i++) {
		uint32_t n = (uint32_t)rand() % KEYS;
		void *value;

		now += (uint64_t)rand() % (100 * MS);
		wk_flow_syn_sweep(syns, now);
		value = get(syns, n, now);
		if (value) {
			assert_true(put_ns[n] != 0 && now - put_ns[n] <= LIFE + 600 * MS);
			hits++;
		}
		if (rand() % 3 == 0 && value) {
			wk_flow_syn_del(syns, value);
			put_ns[n] = 0;
		} else if (rand() % 2 == 0) {
			if (value)
				wk_flow_syn_refresh(syns, value, now);
			else
				put(syns, n, now);
			put_ns[n] = now;
		}
		assert_true(wk_flow_syn_count(syns) <= wk_flow_syn_capacity(syns));
	}
	assert_true(hits > 1000);
	wk_flow_syns_free(syns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_configurations_are_refused),
		cmocka_unit_test(what_has_room_is_kept),
		cmocka_unit_test(a_flood_takes_the_oldest_first),
		cmocka_unit_test(a_bucket_that_is_full_keeps_the_last_eight),
		cmocka_unit_test(a_refreshed_entry_is_the_youngest),
		cmocka_unit_test(an_entry_lives_for_its_time_and_no_longer),
		cmocka_unit_test(what_is_over_makes_room_first),
		cmocka_unit_test(the_sweep_frees_what_is_over_and_then_rests),
		cmocka_unit_test(nothing_is_found_that_was_not_put_in),
	};

	return cmocka_run_group_tests_name("flow_syn", tests, test_eal_set_up, test_eal_tear_down);
}
