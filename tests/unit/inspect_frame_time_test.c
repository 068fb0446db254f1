/* SPDX-License-Identifier: Apache-2.0 */
/* A client that begins a header block and says no more: nothing but the time ends that (E10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

#define SECOND 1000000000ull
#define PART_B 20u

/* A connection whose client has sent the first bytes of a call. */
static struct rig *start(const struct rig_conf *conf, uint8_t *call, uint32_t *call_b)
{
	struct rig *rig = rig_new(conf);

	rig_connect(rig);
	rig_greet(rig);
	*call_b = h2w_request(&rig->client, call, 1, "POST", RIG_PATH_NAME, RIG_GRPC, 0);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, call, PART_B);
	return rig;
}

static void a_frame_that_stays_unfinished_ends_the_connection_by_itself(void **state)
{
	struct rig_conf conf = rig_conf_default;
	uint32_t call_b, had_b;
	struct wk_inspect_usage usage;
	struct h2w_frame frame = { 0 }, last = { 0 };
	uint8_t call[512];
	struct rig *rig;

	(void)state;
	rig = start(&conf, call, &call_b);
	had_b = rig->pair.end[WK_S2C].rx_len_b;
	rig_wait(rig, 59 * SECOND);
	assert_false(rig->pair.end[WK_C2S].reset);
	assert_int_equal(rig->stats.counter[WK_CNT_HDR_TIMEOUT], 0);
	rig_wait(rig, 3 * SECOND);
	assert_true(rig->pair.end[WK_C2S].reset);
	assert_true(rig->pair.end[WK_S2C].reset);
	assert_int_equal(rig->pair.end[WK_S2C].rx_len_b, had_b);
	while (rig_client_next(rig, &frame))
		last = frame;
	assert_int_equal(last.type, 7); /* GOAWAY(ENHANCE_YOUR_CALM) */
	assert_memory_equal(last.payload + 4, "\0\0\0\x0b", 4);
	assert_int_equal(rig->stats.counter[WK_CNT_HDR_TIMEOUT], 1);
	assert_int_equal(rig->n_events, 1);
	assert_int_equal(rig->events[0].kind, WK_EVENT_CONN);
	assert_int_equal(rig->events[0].h2_error, WK_H2_E_HOLD_TIME);
	wk_inspect_usage(rig->inspect, &usage);
	assert_int_equal(usage.mem.used_b, rig->mem_used_b);
	rig_free(rig);
}

static void the_rest_in_time_makes_it_a_call(void **state)
{
	uint8_t call[512];
	uint32_t call_b;
	struct rig *rig = start(&rig_conf_default, call, &call_b);
	struct h2w_fields fields;

	(void)state;
	rig_wait(rig, 59 * SECOND);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, call + PART_B, call_b - PART_B);
	assert_int_equal(rig_server_headers(rig, &fields), 1);
	rig_wait(rig, 200 * SECOND);
	assert_false(rig->pair.end[WK_C2S].reset);
	assert_int_equal(rig->stats.counter[WK_CNT_HDR_TIMEOUT], 0);
	rig_answer(rig, 1);
	rig_free(rig);
}

/* What has been acknowledged to the client here cannot be left to it: pass means reset then. */
static void what_a_broken_protocol_means_holds_for_the_time_as_well(void **state)
{
	static const enum wk_on on[] = { WK_ON_DROP, WK_ON_PASS };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rig_conf conf = rig_conf_default;
		uint8_t call[512];
		uint32_t call_b, had_b;
		struct rig *rig;

		conf.on.protocol_error = on[i];
		rig = start(&conf, call, &call_b);
		had_b = rig->pair.end[WK_S2C].rx_len_b;
		rig_wait(rig, 62 * SECOND);
		assert_int_equal(rig->stats.counter[WK_CNT_HDR_TIMEOUT], 1);
		assert_int_equal(rig->pair.end[WK_S2C].rx_len_b, had_b);
		assert_int_equal(rig->pair.end[WK_C2S].reset, on[i] == WK_ON_PASS);
		assert_int_equal(rig->pair.end[WK_S2C].reset, on[i] == WK_ON_PASS);
		rig_free(rig);
	}
}

/* The FIN takes the bytes along: there is nothing to wait for, and no timer to run for it. */
static void a_client_that_has_finished_is_in_no_hurry(void **state)
{
	uint8_t call[512];
	uint32_t call_b;
	struct rig *rig = start(&rig_conf_default, call, &call_b);

	(void)state;
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_FIN, NULL, 0);
	rig_ack(rig, WK_S2C);
	rig_wait(rig, 62 * SECOND);
	assert_int_equal(rig->stats.counter[WK_CNT_HDR_TIMEOUT], 0);
	assert_true(wk_inspect_next_due(rig->inspect) > rig->now_ns);
	assert_false(rig->pair.end[WK_C2S].reset);
	rig_free(rig);
}

static void nothing_of_it_is_seen_where_nothing_is_enforced(void **state)
{
	struct rig_conf conf = rig_conf_default;
	uint8_t call[512];
	uint32_t call_b;
	struct h2w_fields fields;
	struct rig *rig;

	(void)state;
	conf.mode = WK_MODE_AUDIT;
	rig = start(&conf, call, &call_b);
	rig_wait(rig, 62 * SECOND);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, call + PART_B, call_b - PART_B);
	assert_true(rig_all_same(rig));
	assert_int_equal(rig_server_headers(rig, &fields), 1);
	assert_int_equal(rig->stats.counter[WK_CNT_ORIGINATED], 0);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_that_stays_unfinished_ends_the_connection_by_itself),
		cmocka_unit_test(the_rest_in_time_makes_it_a_call),
		cmocka_unit_test(what_a_broken_protocol_means_holds_for_the_time_as_well),
		cmocka_unit_test(a_client_that_has_finished_is_in_no_hurry),
		cmocka_unit_test(nothing_of_it_is_seen_where_nothing_is_enforced),
	};

	return cmocka_run_group_tests_name("inspect_frame_time", tests, rig_eal_start,
					   rig_eal_stop);
}
