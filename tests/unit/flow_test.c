/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/test_eal.h"
#include "wk_flow.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MS       UINT64_C(1000000)
#define S        (1000 * MS)
#define FAR_END  (UINT64_C(1) << 44) /* how far the far wheel reaches, in ns */

/* What an owner embeds. */
struct flow {
	struct wk_flow_entry entry;
	uint32_t tag;
	uint8_t body[200];
};

static struct wk_flow_table *open_table(uint32_t max_flows)
{
	static uint32_t n;
	char name[32];
	struct wk_flow_table_conf conf = {
		.name = name,
		.max_flows = max_flows,
		.entry_size_b = sizeof(struct flow),
		.secret = 0x5ec2e7,
		.socket_id = SOCKET_ID_ANY,
	};
	struct wk_flow_table *table;

	snprintf(name, sizeof(name), "flow_test_%u", n++);
	assert_int_equal(wk_flow_table_create(&conf, &table), 0);
	return table;
}

static struct wk_flow_key key_of(uint32_t n)
{
	struct wk_flow_key key = { .ip_version = 4,
				   .server_port = 50051,
				   .vlan = { WK_PKT_VLAN_NONE, WK_PKT_VLAN_NONE } };

	memcpy(key.client, &n, sizeof(n));
	key.client_port = (uint16_t)(n * 31);
	return key;
}

static struct flow *add(struct wk_flow_table *table, uint32_t n)
{
	struct wk_flow_key key = key_of(n);
	struct flow *flow = (struct flow *)wk_flow_add(table, &key);

	if (flow)
		flow->tag = n;
	return flow;
}

static struct flow *lookup(struct wk_flow_table *table, uint32_t n)
{
	struct wk_flow_key key = key_of(n);

	return (struct flow *)wk_flow_lookup(table, &key);
}

static void both_directions_of_a_connection_have_one_key(void **state)
{
	struct wk_pkt out = { .ip_version = 6,
			      .proto = IPPROTO_TCP,
			      .sport = 4000,
			      .dport = 50051,
			      .vlan = { 7, WK_PKT_VLAN_NONE },
			      .src = { 1, 2 },
			      .dst = { 3, [15] = 4 } };
	struct wk_pkt back = { .ip_version = 6,
			       .proto = IPPROTO_TCP,
			       .sport = 50051,
			       .dport = 4000,
			       .vlan = { 7, WK_PKT_VLAN_NONE },
			       .src = { 3, [15] = 4 },
			       .dst = { 1, 2 } };
	struct wk_flow_key a;
	struct wk_flow_key b;

	(void)state;
	memset(&a, 0xff, sizeof(a));
	memset(&b, 0, sizeof(b));
	wk_flow_key_fill(&a, &out, 2, WK_C2S);
	wk_flow_key_fill(&b, &back, 2, WK_S2C);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.client_port, 4000);
	assert_int_equal(a.server_port, 50051);
	assert_memory_equal(a.client, out.src, 16);
	assert_memory_equal(a.server, out.dst, 16);
	/* The side decides, not what the packet says of itself. */
	wk_flow_key_fill(&b, &back, 2, WK_C2S);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

static void connections_that_differ_anywhere_have_two_keys(void **state)
{
	static const struct wk_pkt base = { .ip_version = 4,
					    .sport = 4000,
					    .dport = 50051,
					    .vlan = { 7, 8 },
					    .src = { 1 },
					    .dst = { 2 } };
	struct wk_pkt others[] = { base, base, base, base, base, base, base };
	struct wk_flow_key key;
	struct wk_flow_key other;

	(void)state;
	others[0].sport++;
	others[1].dport++;
	others[2].vlan[0]++;
	others[3].vlan[1] = WK_PKT_VLAN_NONE;
	others[4].src[3]++;
	others[5].dst[15]++;
	others[6].ip_version = 6;
	wk_flow_key_fill(&key, &base, 0, WK_C2S);
	for (size_t i = 0; i < COUNT(others); i++) {
		wk_flow_key_fill(&other, &others[i], 0, WK_C2S);
		assert_memory_not_equal(&key, &other, sizeof(key));
	}
	wk_flow_key_fill(&other, &base, 1, WK_C2S);
	assert_memory_not_equal(&key, &other, sizeof(key));
}

static void wrong_figures_are_refused(void **state)
{
	static const struct wk_flow_table_conf confs[] = {
		{ .name = "a", .max_flows = 0, .entry_size_b = sizeof(struct flow) },
		{ .name = "a", .max_flows = UINT32_MAX, .entry_size_b = sizeof(struct flow) },
		{ .name = "a", .max_flows = 8, .entry_size_b = sizeof(struct wk_flow_entry) - 1 },
		{ .name = "a name of more than thirty-one bytes",
		  .max_flows = 8,
		  .entry_size_b = sizeof(struct flow) },
	};
	struct wk_flow_table_conf huge = { .name = "huge",
					   .max_flows = 1u << 20,
					   .entry_size_b = 1u << 20,
					   .socket_id = SOCKET_ID_ANY };
	struct wk_flow_table_conf twice = { .name = "twice",
					    .max_flows = 8,
					    .entry_size_b = sizeof(struct flow),
					    .socket_id = SOCKET_ID_ANY };
	struct wk_flow_table *table;
	struct wk_flow_table *second;

	(void)state;
	for (size_t i = 0; i < COUNT(confs); i++) {
		assert_int_equal(wk_flow_table_create(&confs[i], &table), -EINVAL);
		assert_null(table);
	}
	assert_int_equal(wk_flow_table_create(&huge, &table), -ENOMEM);
	assert_int_equal(wk_flow_table_create(&twice, &table), 0);
	assert_int_equal(wk_flow_table_create(&twice, &second), -EINVAL);
	wk_flow_table_free(table);
	wk_flow_table_free(NULL);
}

static void a_table_takes_as_many_as_it_says(void **state)
{
	enum { N = 5000 };
	struct wk_flow_table *table = open_table(N);

	(void)state;
	assert_int_equal(wk_flow_capacity(table), N);
	/* Twice: what was deleted has left no trace. */
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < N; i++)
			assert_non_null(add(table, i));
		assert_null(add(table, N));
		assert_int_equal(wk_flow_count(table), N);
		for (uint32_t i = 0; i < N; i++) {
			assert_int_equal(lookup(table, i)->tag, i);
			wk_flow_del(table, &lookup(table, i)->entry);
			assert_null(lookup(table, i));
		}
		assert_int_equal(wk_flow_count(table), 0);
	}
	wk_flow_table_free(table);
}

static void a_new_entry_is_zeroed(void **state)
{
	static const uint8_t zeroes[200];
	struct wk_flow_table *table = open_table(1);
	struct flow *flow = add(table, 1);

	(void)state;
	memset(flow->body, 0xff, sizeof(flow->body));
	wk_flow_arm(table, &flow->entry, 5);
	wk_flow_del(table, &flow->entry);
	flow = add(table, 2);
	assert_memory_equal(flow->body, zeroes, sizeof(zeroes));
	assert_int_equal((uintptr_t)flow % 64, 0);
	assert_null(wk_flow_due(table, 10));
	assert_int_equal(wk_flow_next_due(table), UINT64_MAX);
	wk_flow_table_free(table);
}

#define KEYS 400u

/* tags[n] of the model: whether key n is in the table. */
static uint32_t check_walk(struct wk_flow_table *table, const bool *in_table)
{
	bool seen[KEYS] = { false };
	struct flow *flow;
	uint32_t pos = 0;
	uint32_t n = 0;

	while ((flow = (struct flow *)wk_flow_next(table, &pos)) != NULL) {
		assert_true(in_table[flow->tag]);
		assert_false(seen[flow->tag]);
		seen[flow->tag] = true;
		n++;
	}
	return n;
}

static void random_use_agrees_with_a_model(void **state)
{
	static bool in_table[KEYS];
	struct wk_flow_table *table = open_table(KEYS / 2);
	uint32_t count = 0;

	(void)state;
	srandom(23);
	for (uint32_t step = 0; step < 40000; step++) {
		uint32_t n = (uint32_t)random() % KEYS;
		struct flow *flow = lookup(table, n);

		assert_int_equal(flow != NULL, in_table[n]);
		if (flow) {
			assert_int_equal(flow->tag, n);
			if (random() % 2) {
				wk_flow_del(table, &flow->entry);
				in_table[n] = false;
				count--;
			}
		} else if (add(table, n)) {
			in_table[n] = true;
			count++;
		} else {
			assert_int_equal(count, KEYS / 2);
		}
		assert_int_equal(wk_flow_count(table), count);
		if (step % 1000 == 0)
			assert_int_equal(check_walk(table, in_table), count);
	}
	wk_flow_table_free(table);
}

static void a_burst_finds_what_single_lookups_find(void **state)
{
	struct wk_flow_table *table = open_table(1000);
	struct wk_flow_key keys[64];
	const struct wk_flow_key *ptrs[64];
	struct wk_flow_entry *entries[64];

	(void)state;
	for (uint32_t i = 0; i < 1000; i += 2)
		assert_non_null(add(table, i));
	wk_flow_lookup_burst(table, ptrs, 0, entries);
	for (uint32_t n = 1; n <= 64; n++) {
		for (uint32_t i = 0; i < n; i++) {
			keys[i] = key_of(i * 13 % 1000);
			ptrs[i] = &keys[i];
		}
		wk_flow_lookup_burst(table, ptrs, n, entries);
		for (uint32_t i = 0; i < n; i++) {
			assert_ptr_equal(entries[i], wk_flow_lookup(table, ptrs[i]));
			assert_int_equal(entries[i] != NULL, i * 13 % 1000 % 2 == 0);
		}
	}
	wk_flow_table_free(table);
}

static void entries_may_be_deleted_while_walking(void **state)
{
	struct wk_flow_table *table = open_table(200);
	struct wk_flow_entry *entry;
	uint32_t pos = 0;
	uint32_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < 130; i++)
		assert_non_null(add(table, i));
	while ((entry = wk_flow_next(table, &pos)) != NULL) {
		if (n++ % 3 != 0)
			wk_flow_del(table, entry);
	}
	assert_int_equal(n, 130);
	assert_int_equal(wk_flow_count(table), 44);
	assert_null(wk_flow_next(table, &pos));
	wk_flow_table_free(table);
}

static void a_timer_is_never_early_and_late_by_a_tick_at_most(void **state)
{
	static const uint64_t dues[] = { 1,
					 WK_FLOW_TICK_NS - 1,
					 WK_FLOW_TICK_NS,
					 WK_FLOW_TICK_NS + 1,
					 MS,
					 200 * MS,
					 269 * MS,
					 7440 * S };
	static const uint64_t starts[] = { 0, 12345, 4096ull * WK_FLOW_TICK_NS - 1, 3600 * S,
					   1000000 * S + 7 };

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		for (size_t k = 0; k < COUNT(dues); k++) {
			struct wk_flow_table *table = open_table(1);
			struct flow *flow = add(table, 1);
			uint64_t due = starts[i] + dues[k];
			uint64_t next;

			wk_flow_arm(table, &flow->entry, due);
			assert_null(wk_flow_due(table, starts[i]));
			assert_null(wk_flow_due(table, due - 1));
			/* Sleeping until what it says and looking again must come to the end. */
			while ((next = wk_flow_next_due(table)) < due) {
				assert_null(wk_flow_due(table, next));
				assert_true(wk_flow_next_due(table) > next);
			}
			assert_true(next >= due && next <= due + WK_FLOW_TICK_NS);
			assert_ptr_equal(wk_flow_due(table, due + WK_FLOW_TICK_NS), flow);
			assert_null(wk_flow_due(table, due + S));
			assert_int_equal(wk_flow_next_due(table), UINT64_MAX);
			wk_flow_table_free(table);
		}
	}
}

static void each_distance_is_due_in_time(void **state)
{
	static const uint64_t distances[] = { 268 * MS, 269 * MS,     S,
					      60 * S,   7440 * S,     17590 * S,
					      FAR_END,  FAR_END + MS, 86400 * S };

	(void)state;
	for (size_t i = 0; i < COUNT(distances); i++) {
		struct wk_flow_table *table = open_table(1);
		struct flow *flow = add(table, 1);
		uint64_t now = 777 * S + 13;

		for (int round = 0; round < 3; round++) {
			uint64_t due = now + distances[i];

			assert_null(wk_flow_due(table, now));
			wk_flow_arm(table, &flow->entry, due);
			assert_null(wk_flow_due(table, now + distances[i] / 2));
			assert_null(wk_flow_due(table, due - 1));
			assert_ptr_equal(wk_flow_due(table, due + WK_FLOW_TICK_NS), flow);
			now = due + WK_FLOW_TICK_NS;
		}
		wk_flow_table_free(table);
	}
}

static void a_deadline_of_the_past_is_due_at_once_and_does_not_spin(void **state)
{
	struct wk_flow_table *table = open_table(1);
	struct flow *flow = add(table, 1);

	(void)state;
	assert_null(wk_flow_due(table, 10 * S));
	wk_flow_arm(table, &flow->entry, 3 * S);
	assert_true(wk_flow_next_due(table) <= 10 * S);
	assert_ptr_equal(wk_flow_due(table, 10 * S), flow);
	/* Armed from its own timer for a little later: not again in this round. */
	wk_flow_arm(table, &flow->entry, 10 * S + 1);
	assert_null(wk_flow_due(table, 10 * S));
	assert_ptr_equal(wk_flow_due(table, 10 * S + 1 + WK_FLOW_TICK_NS), flow);
	/* A clock that goes back is no harm. */
	assert_null(wk_flow_due(table, 0));
	wk_flow_table_free(table);
}

static void a_moved_or_disarmed_timer_is_forgotten(void **state)
{
	struct wk_flow_table *table = open_table(3);
	struct flow *flows[3] = { add(table, 0), add(table, 1), add(table, 2) };

	(void)state;
	for (int i = 0; i < 3; i++)
		wk_flow_arm(table, &flows[i]->entry, 5 * MS);
	wk_flow_arm(table, &flows[0]->entry, UINT64_MAX);
	wk_flow_arm(table, &flows[1]->entry, 50 * MS);
	wk_flow_del(table, &flows[2]->entry);
	assert_null(wk_flow_due(table, 49 * MS));
	assert_ptr_equal(wk_flow_due(table, 51 * MS), flows[1]);
	assert_int_equal(flows[1]->entry.due_ns, UINT64_MAX);
	assert_null(wk_flow_due(table, 7440 * S));
	wk_flow_table_free(table);
}

/* The model of the timers: due[n], UINT64_MAX where none is armed. */
#define TIMERS 500u

struct timer_model {
	struct wk_flow_table *table;
	struct flow *flows[TIMERS];
	uint64_t due[TIMERS];
	uint64_t now;
};

static uint64_t random_span(void)
{
	static const uint64_t spans[] = {
		WK_FLOW_TICK_NS / 2, MS, 100 * MS, 300 * MS, 5 * S, 600 * S, 7440 * S, 20000 * S
	};

	return (((uint64_t)random() << 31) + (uint64_t)random()) %
	       spans[(size_t)random() % COUNT(spans)];
}

static void model_arm(struct timer_model *model, uint32_t n)
{
	uint64_t due = model->now + random_span();

	if (random() % 10 == 0)
		due = UINT64_MAX;
	else if (random() % 10 == 0)
		due = model->now > S ? model->now - S : 0;
	wk_flow_arm(model->table, &model->flows[n]->entry, due);
	model->due[n] = due;
}

static uint32_t model_poll(struct timer_model *model)
{
	uint64_t next = wk_flow_next_due(model->table);
	struct flow *flow;
	uint32_t n = 0;

	while ((flow = (struct flow *)wk_flow_due(model->table, model->now)) != NULL) {
		assert_true(model->due[flow->tag] <= model->now);
		assert_true(next <= model->now);
		model->due[flow->tag] = UINT64_MAX;
		if (random() % 4 == 0)
			model_arm(model, flow->tag);
		n++;
	}
	next = wk_flow_next_due(model->table);
	for (uint32_t i = 0; i < TIMERS; i++) {
		if (model->due[i] == UINT64_MAX)
			continue;
		assert_true(model->due[i] + WK_FLOW_TICK_NS > model->now);
		assert_true(next < model->due[i] + WK_FLOW_TICK_NS);
	}
	return n;
}

static void random_timers_agree_with_a_model(void **state)
{
	static struct timer_model model;
	uint32_t fired = 0;

	(void)state;
	srandom(29);
	model.table = open_table(TIMERS);
	for (uint32_t i = 0; i < TIMERS; i++) {
		model.flows[i] = add(model.table, i);
		model.due[i] = UINT64_MAX;
	}
	for (uint32_t step = 0; step < 30000; step++) {
		for (uint32_t i = (uint32_t)random() % 4; i > 0; i--)
			model_arm(&model, (uint32_t)random() % TIMERS);
		if (random() % 20 == 0) {
			uint32_t n = (uint32_t)random() % TIMERS;

			wk_flow_del(model.table, &model.flows[n]->entry);
			model.flows[n] = add(model.table, n);
			model.due[n] = UINT64_MAX;
		}
		model.now += random() % 3 ? random_span() / 100 : (uint64_t)random() % MS;
		fired += model_poll(&model);
	}
	assert_true(fired > 10000);
	wk_flow_table_free(model.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_of_a_connection_have_one_key),
		cmocka_unit_test(connections_that_differ_anywhere_have_two_keys),
		cmocka_unit_test(wrong_figures_are_refused),
		cmocka_unit_test(a_table_takes_as_many_as_it_says),
		cmocka_unit_test(a_new_entry_is_zeroed),
		cmocka_unit_test(random_use_agrees_with_a_model),
		cmocka_unit_test(a_burst_finds_what_single_lookups_find),
		cmocka_unit_test(entries_may_be_deleted_while_walking),
		cmocka_unit_test(a_timer_is_never_early_and_late_by_a_tick_at_most),
		cmocka_unit_test(each_distance_is_due_in_time),
		cmocka_unit_test(a_deadline_of_the_past_is_due_at_once_and_does_not_spin),
		cmocka_unit_test(a_moved_or_disarmed_timer_is_forgotten),
		cmocka_unit_test(random_timers_agree_with_a_model),
	};

	return cmocka_run_group_tests_name("flow", tests, test_eal_set_up, test_eal_tear_down);
}
