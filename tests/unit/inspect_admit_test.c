/* SPDX-License-Identifier: Apache-2.0 */
/* Who may open a connection, and what becomes of packets that belong to none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

#define SECOND 1000000000ull

struct stray_case {
	enum wk_on on;
	enum wk_inspect_verdict verdict;
	uint32_t n_out;
};

/* One result for each `on`. */
static const struct stray_case strays[] = {
	{ WK_ON_RESET, WK_INSPECT_FREE, 1 },
	{ WK_ON_DROP, WK_INSPECT_FREE, 0 },
	{ WK_ON_PASS, WK_INSPECT_FORWARD, 1 },
};
#define N_STRAYS (sizeof(strays) / sizeof(strays[0]))

static void a_connection_met_in_the_middle_ends_as_configured(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 * N_STRAYS; i++) {
		const struct stray_case *want = &strays[i % N_STRAYS];
		enum wk_dir dir = i < N_STRAYS ? WK_C2S : WK_S2C;
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;

		conf.on.mid_stream = want->on;
		conf.pair.ip_version = i % 2 ? 6 : 4;
		rig = rig_new(&conf);
		rig->pair.end[dir].ack = 0x01020304;
		rig->pair.end[dir].nxt = 0x11111111;
		assert_int_equal(rig_send(rig, dir, PAIR_ACK, "hello", 5), want->verdict);
		assert_int_equal(rig->n_out, want->n_out);
		assert_int_equal(rig->stats.counter[WK_CNT_MID_STREAM], 1);
		assert_int_equal(rig_flows(rig), 0);
		if (want->on == WK_ON_RESET) {
			assert_int_equal(rig->out[0].dir, wk_dir_flip(dir));
			assert_int_equal(rig->out[0].seg.seq, 0x01020304);
			assert_true(rig->pair.end[dir].reset);
			assert_int_equal(rig->out[0].seg.ttl, 64);
		}
		if (want->on == WK_ON_PASS)
			assert_true(rig_all_same(rig));
		else
			assert_int_equal(rig->stats.reason[WK_DROP_MID_STREAM], 1);
		rig_free(rig);
	}
}

static void resets_for_strays_are_limited(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	uint32_t resets = 0;

	(void)state;
	for (uint32_t i = 0; i < 2500; i++) {
		rig->n_events = 0;
		rig->now_ns -= 10000; /* all at once */
		rig_send(rig, WK_C2S, PAIR_ACK, "x", 1);
		resets += rig->n_out;
	}
	assert_in_range(resets, 900, 1100);
	assert_true(rig->stats.counter[WK_CNT_EVENTS_LOST] > 2000);
	/* An RST is never answered. */
	rig->now_ns += SECOND;
	rig_send(rig, WK_C2S, PAIR_RST, NULL, 0);
	assert_int_equal(rig->n_out, 0);
	rig_free(rig);
}

struct unlisted_case {
	enum wk_policy_unlisted unlisted;
	enum wk_policy_mode mode;
	enum wk_inspect_verdict verdict;
	bool reset;
};

static void an_unlisted_source_is_judged_at_its_syn(void **state)
{
	static const struct unlisted_case cases[] = {
		{ WK_UNLISTED_DROP, WK_MODE_ENFORCE, WK_INSPECT_FREE, false },
		{ WK_UNLISTED_RESET, WK_MODE_ENFORCE, WK_INSPECT_FREE, true },
		{ WK_UNLISTED_REPLY, WK_MODE_ENFORCE, WK_INSPECT_FORWARD, false },
		{ WK_UNLISTED_DROP, WK_MODE_AUDIT, WK_INSPECT_FORWARD, false },
		{ WK_UNLISTED_RESET, WK_MODE_OFF, WK_INSPECT_FORWARD, false },
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;

		conf.pair.client_host = RIG_HOST_UNLISTED;
		conf.pair.ip_version = i % 2 ? 4 : 6;
		conf.unlisted = cases[i].unlisted;
		conf.mode = cases[i].mode;
		rig = rig_new(&conf);
		assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), cases[i].verdict);
		assert_int_equal(rig->pair.end[WK_C2S].reset, cases[i].reset);
		assert_int_equal(rig_syns(rig), cases[i].verdict == WK_INSPECT_FORWARD);
		assert_int_equal(rig_flows(rig), 0);
		if (cases[i].verdict == WK_INSPECT_FREE) {
			assert_int_equal(rig->stats.reason[WK_DROP_UNLISTED], 1);
			assert_int_equal(rig->n_events, 1);
			assert_int_equal(rig->events[0].reason, WK_DROP_UNLISTED);
		}
		rig_free(rig);
	}
}

static void an_unlisted_source_may_get_replies_instead(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct h2w_fields fields;
	struct rig *rig;

	(void)state;
	conf.pair.client_host = RIG_HOST_UNLISTED;
	conf.unlisted = WK_UNLISTED_REPLY;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_NAME);
	assert_int_equal(rig->stats.call[WK_CALL_DENIED_SOURCE], 1);
	assert_int_equal(rig_client_headers(rig, &fields), 1);
	assert_string_equal(h2w_field(&fields, ":status"), "403");
	assert_int_equal(rig_server_headers(rig, &fields), 0);
	rig_free(rig);
}

/* Another client of the same pair of hosts. */
static void another(struct rig *rig)
{
	struct pair_conf pair = rig->pair.conf;

	pair.client_port++;
	pair_init(&rig->pair, &pair);
}

static void fill(struct rig *rig, uint32_t flows)
{
	for (uint32_t n = 0; n < flows; n++) {
		another(rig);
		rig_connect(rig);
	}
	assert_int_equal(rig_flows(rig), flows);
	another(rig);
}

static void a_full_table_ends_a_syn_as_configured(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N_STRAYS; i++) {
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;

		conf.on.table_full = strays[i].on;
		conf.max_flows = 4;
		rig = rig_new(&conf);
		fill(rig, 4);
		assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), strays[i].verdict);
		assert_int_equal(rig->n_out, strays[i].n_out);
		assert_int_equal(rig->pair.end[WK_C2S].reset, strays[i].on == WK_ON_RESET);
		assert_int_equal(rig_flows(rig), 4);
		assert_int_equal(rig_syns(rig), 0);
		assert_int_equal(rig->stats.reason[WK_DROP_TABLE_FULL],
				 strays[i].on == WK_ON_PASS ? 0 : 1);
		rig_free(rig);
	}
}

/* The last place goes while its handshake is under way. */
static void a_table_that_fills_up_ends_a_third_segment_as_configured(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N_STRAYS; i++) {
		struct rig_conf conf = rig_conf_default;
		struct pair late;
		struct rig *rig;

		conf.on.table_full = strays[i].on;
		conf.max_flows = 4;
		rig = rig_new(&conf);
		fill(rig, 3);
		rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0);
		rig_send(rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
		late = rig->pair;
		another(rig);
		rig_connect(rig);
		rig->pair = late;
		assert_int_equal(rig_ack(rig, WK_C2S), strays[i].verdict);
		assert_int_equal(rig->n_out, strays[i].on == WK_ON_RESET ? 2 : strays[i].n_out);
		assert_int_equal(rig->pair.end[WK_C2S].reset, strays[i].on == WK_ON_RESET);
		assert_int_equal(rig->pair.end[WK_S2C].reset, strays[i].on == WK_ON_RESET);
		assert_int_equal(rig_flows(rig), 4);
		/* Dropped, it comes again. */
		assert_int_equal(rig_syns(rig), strays[i].on == WK_ON_DROP);
		rig_free(rig);
	}
}

/* A source is an IPv4 address, or an IPv6 /64. */
static void one_source_has_so_many_connections(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 * N_STRAYS; i++) {
		const struct stray_case *want = &strays[i % N_STRAYS];
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;

		conf.pair.ip_version = i < N_STRAYS ? 4 : 6;
		conf.on.source_full = want->on;
		conf.flows_per_source = 3;
		rig = rig_new(&conf);
		fill(rig, 3);
		assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), want->verdict);
		assert_int_equal(rig->n_out, want->n_out);
		assert_int_equal(rig->pair.end[WK_C2S].reset, want->on == WK_ON_RESET);
		assert_int_equal(rig->stats.reason[WK_DROP_SOURCE_FULL],
				 want->on == WK_ON_PASS ? 0 : 1);
		assert_int_equal(rig_syns(rig), 0);
		/* Its neighbour is another source with IPv4, and the same with IPv6. */
		rig->pair.conf.client_host++;
		another(rig);
		rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0);
		assert_int_equal(rig_syns(rig), i < N_STRAYS);
		rig_free(rig);
	}
}

/* Four handshakes at once, where there is room for three. */
static void a_source_is_counted_again_at_the_third_segment(void **state)
{
	struct rig_conf conf = rig_conf_default;
	static struct pair pairs[4];
	struct rig *rig;

	(void)state;
	conf.flows_per_source = 3;
	conf.on.source_full = WK_ON_DROP;
	rig = rig_new(&conf);
	for (int i = 0; i < 4; i++) {
		another(rig);
		rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0);
		rig_send(rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
		pairs[i] = rig->pair;
	}
	for (int i = 0; i < 4; i++) {
		rig->pair = pairs[i];
		assert_int_equal(rig_ack(rig, WK_C2S),
				 i < 3 ? WK_INSPECT_FORWARD : WK_INSPECT_FREE);
	}
	assert_int_equal(rig->stats.reason[WK_DROP_SOURCE_FULL], 1);
	assert_int_equal(rig_flows(rig), 3);
	/* One of the three ends: the fourth, whose segment comes again, has its place. */
	pairs[3] = rig->pair;
	rig->pair = pairs[0];
	rig->pair.end[WK_C2S].nxt = rig->pair.end[WK_C2S].isn + 1;
	rig_send(rig, WK_C2S, PAIR_RST | PAIR_ACK, NULL, 0);
	rig->pair = pairs[3];
	assert_int_equal(rig_ack(rig, WK_C2S), WK_INSPECT_FORWARD);
	assert_int_equal(rig_flows(rig), 4);
	rig_free(rig);
}

static void a_connection_that_is_over_makes_room_in_a_full_table(void **state)
{
	(void)state;
	for (int pass = 0; pass < 2; pass++) {
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;

		conf.max_flows = 4;
		conf.on.mid_stream = pass ? WK_ON_PASS : WK_ON_RESET;
		rig = rig_new(&conf);
		fill(rig, 3);
		rig_connect(rig);
		rig_send(rig, WK_C2S, PAIR_RST | PAIR_ACK, NULL, 0);
		another(rig);
		if (pass) {
			/* What follows the reset would pass then. */
			assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), WK_INSPECT_FREE);
		} else {
			rig_connect(rig);
			rig_greet(rig);
		}
		assert_int_equal(rig->stats.counter[WK_CNT_CLOSED_EVICTED], pass ? 0 : 1);
		assert_int_equal(rig_flows(rig), 4);
		rig_free(rig);
	}
}

static void a_handshake_that_does_not_finish_is_forgotten(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);

	(void)state;
	for (uint32_t n = 0; n < 16; n++) {
		another(rig);
		assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), WK_INSPECT_FORWARD);
		if (n % 2)
			rig_send(rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
	}
	assert_int_equal(rig_syns(rig), 16);
	assert_int_not_equal(wk_inspect_next_due(rig->inspect), UINT64_MAX);
	rig_wait(rig, 120 * SECOND);
	assert_int_equal(rig_syns(rig), 0);
	assert_int_equal(wk_inspect_next_due(rig->inspect), UINT64_MAX);
	/* The third segment comes too late. */
	assert_int_equal(rig_ack(rig, WK_C2S), WK_INSPECT_FREE);
	assert_int_equal(rig->stats.reason[WK_DROP_MID_STREAM], 1);
	rig_free(rig);
}

/* A39: its SYN is no reason to forget what ended; the new connection is, once it stands. */
static void a_tombstone_stands_until_the_next_connection_does(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	struct pair old;
	struct pair_conf conf = rig->pair.conf;
	struct pair new;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	rig_send(rig, WK_C2S, PAIR_RST | PAIR_ACK, NULL, 0);
	old = rig->pair;
	pair_init(&rig->pair, &conf);
	rig->pair.end[WK_C2S].nxt = rig->pair.end[WK_C2S].isn = 0x4711;
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), WK_INSPECT_FORWARD);
	new = rig->pair;
	/* The server has not heard of the end and is told. */
	rig->pair = old;
	assert_int_equal(rig_send(rig, WK_S2C, PAIR_ACK, "x", 1), WK_INSPECT_FREE);
	assert_int_equal(rig->stats.reason[WK_ABSORB_CLOSED], 1);
	assert_true(rig->pair.end[WK_S2C].reset);
	assert_int_equal(rig->stats.counter[WK_CNT_FLOWS_OPENED], 1);
	rig->pair = new;
	assert_int_equal(rig_send(rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0), WK_INSPECT_FORWARD);
	assert_int_equal(rig_flows(rig), 1);
	assert_int_equal(rig_ack(rig, WK_C2S), WK_INSPECT_FORWARD);
	assert_int_equal(rig_flows(rig), 1);
	assert_int_equal(rig->stats.counter[WK_CNT_FLOWS_OPENED], 2);
	assert_int_equal(rig->stats.counter[WK_CNT_FLOWS_CLOSED], 1);
	rig_greet(rig);
	rig_free(rig);
}

static void a_syn_from_the_server_goes_nowhere(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	struct wk_inspect_usage usage;

	(void)state;
	assert_int_equal(rig_send(rig, WK_S2C, PAIR_SYN, NULL, 0), WK_INSPECT_FREE);
	wk_inspect_usage(rig->inspect, &usage);
	assert_int_equal(usage.syns, 0);
	assert_int_equal(rig->stats.reason[WK_DROP_SRV_SYN], 1);
	assert_int_equal(rig->n_out, 0);
	rig_free(rig);
}

static void a_bad_checksum_touches_nothing(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	uint8_t frame[PAIR_FRAME_MAX_B];
	uint32_t n;

	(void)state;
	n = pair_send(&rig->pair, WK_C2S, PAIR_SYN, NULL, 0, frame);
	frame[14 + 20 + 4] ^= 1;
	assert_int_equal(rig_frame(rig, WK_C2S, frame, n), WK_INSPECT_FREE);
	assert_int_equal(rig->stats.reason[WK_DROP_CSUM], 1);
	assert_int_equal(rig_flows(rig), 0);
	rig_free(rig);
}

static void urgent_data_becomes_ordinary(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	uint8_t bytes[128];
	uint32_t n;

	(void)state;
	rig_connect(rig);
	n = h2w_preface(bytes);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_URG, bytes, n), WK_INSPECT_FORWARD);
	assert_int_equal(rig->out[0].seg.flags, PAIR_ACK);
	assert_int_equal(rig->stats.counter[WK_CNT_NORM_URG], 1);
	assert_int_equal(rig->stats.reason[WK_FWD_EDITED], 1);
	rig_free(rig);
}

static void the_same_addresses_make_a_new_connection_after_the_old_one(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	struct pair_conf pair = rig_conf_default.pair;
	struct h2w_fields fields;

	(void)state;
	for (int i = 0; i < 5; i++) {
		rig_connect(rig);
		rig_greet(rig);
		rig_call(rig, 1, RIG_PATH_SECRET);
		assert_int_equal(rig_client_headers(rig, &fields), 1);
		rig_ack(rig, WK_C2S);
		if (i % 2)
			rig_close(rig);
		else
			rig_send(rig, WK_C2S, PAIR_RST | PAIR_ACK, NULL, 0);
		assert_int_equal(rig_flows(rig), 1);
		pair_init(&rig->pair, &pair);
		rig->pair.clock = 5000u * (uint32_t)(i + 1);
		rig->pair.end[WK_C2S].nxt = 0x1000u * (uint32_t)(i + 1);
		rig->pair.end[WK_S2C].nxt = 0x2000u * (uint32_t)(i + 1);
		h2w_fini(&rig->client);
		h2w_fini(&rig->server);
		h2w_init(&rig->client);
		h2w_init(&rig->server);
	}
	assert_int_equal(rig->stats.counter[WK_CNT_FLOWS_OPENED], 5);
	rig_free(rig);
}

static void the_flow_list_shows_a_connection(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	struct wk_inspect_flow rows[4];
	uint32_t pos = 0;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_NAME);
	rig_call(rig, 3, RIG_PATH_SECRET);
	assert_int_equal(wk_inspect_flows(rig->inspect, &pos, rows, 4), 1);
	assert_int_equal(pos, UINT32_MAX);
	assert_int_equal(wk_inspect_flows(rig->inspect, &pos, rows, 4), 0);
	assert_int_equal(rows[0].state, WK_TCP_ST_ESTABLISHED);
	assert_false(rows[0].passive);
	assert_true(rows[0].edited);
	assert_string_equal(rows[0].service, "door-manager");
	/* From its third segment on. */
	assert_int_equal(rows[0].packets[WK_C2S], 5);
	assert_int_equal(rows[0].packets[WK_S2C], 2);
	assert_int_equal(rows[0].h2.allowed_calls, 1);
	assert_int_equal(rows[0].h2.denied_calls, 1);
	assert_int_equal(rows[0].key.client_port, 40000);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_met_in_the_middle_ends_as_configured),
		cmocka_unit_test(resets_for_strays_are_limited),
		cmocka_unit_test(an_unlisted_source_is_judged_at_its_syn),
		cmocka_unit_test(an_unlisted_source_may_get_replies_instead),
		cmocka_unit_test(a_full_table_ends_a_syn_as_configured),
		cmocka_unit_test(a_table_that_fills_up_ends_a_third_segment_as_configured),
		cmocka_unit_test(one_source_has_so_many_connections),
		cmocka_unit_test(a_source_is_counted_again_at_the_third_segment),
		cmocka_unit_test(a_connection_that_is_over_makes_room_in_a_full_table),
		cmocka_unit_test(a_handshake_that_does_not_finish_is_forgotten),
		cmocka_unit_test(a_tombstone_stands_until_the_next_connection_does),
		cmocka_unit_test(a_syn_from_the_server_goes_nowhere),
		cmocka_unit_test(a_bad_checksum_touches_nothing),
		cmocka_unit_test(urgent_data_becomes_ordinary),
		cmocka_unit_test(the_same_addresses_make_a_new_connection_after_the_old_one),
		cmocka_unit_test(the_flow_list_shows_a_connection),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
