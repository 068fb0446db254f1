/* SPDX-License-Identifier: Apache-2.0 */
/* A policy that denies a running call, from the frames of both peers to the frames at both peers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

#define MS 1000000ull

static const struct wk_prefix any[] = { { .family = 4 }, { .family = 6 } };

/* A policy that allows one method alone. */
static void allow_only(struct rig *rig, const char *path)
{
	const struct wk_policy_rule_in rule = {
		.name = "one", .from = any, .n_from = 2, .allow = &path, .n_allow = 1
	};

	rig_rules(rig, &rule, 1);
}

/* Calls 1 and 3 run; 1 has response headers already. */
static struct rig *running(const struct rig_conf *conf)
{
	static const uint8_t status[] = { 0x88 };
	struct rig *rig = rig_new(conf);
	uint8_t bytes[512];
	uint32_t n;

	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_NAME);
	rig_call(rig, 3, RIG_PATH_PLACE);
	n = h2w_frame(bytes, H2W_HEADERS, H2W_END_HEADERS, 1, status, sizeof(status));
	rig_send(rig, WK_S2C, PAIR_ACK | PAIR_PSH, bytes, n);
	rig_ack(rig, WK_C2S);
	return rig;
}

/* @return how many frames of that kind on that stream have arrived since the last time. */
static uint32_t arrived(struct rig *rig, enum wk_dir dir, uint8_t type, uint32_t stream)
{
	struct h2w_frame frame;
	uint32_t n = 0;

	while (dir == WK_C2S ? rig_server_next(rig, &frame) : rig_client_next(rig, &frame))
		n += frame.type == type && frame.stream == stream;
	return n;
}

/* The server acknowledges our PING. */
static void answer_ping(struct rig *rig)
{
	struct h2w_frame frame;
	uint8_t bytes[64];
	uint32_t n = 0, resets = 0;

	while (rig_server_next(rig, &frame)) {
		resets += frame.type == H2W_RST_STREAM && frame.stream == 1;
		if (frame.type == H2W_PING)
			n = h2w_frame(bytes, H2W_PING, H2W_ACK, 0, frame.payload, 8);
	}
	assert_int_equal(resets, 1);
	assert_int_equal(n, 17);
	rig_send(rig, WK_S2C, PAIR_ACK | PAIR_PSH, bytes, n);
}

static void a_new_policy_ends_what_it_denies_and_nothing_else(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct h2w_fields fields;
	struct rig *rig;

	(void)state;
	conf.ticket_b = 4096;
	rig = running(&conf);
	arrived(rig, WK_S2C, 0, 0);
	allow_only(rig, RIG_PATH_PLACE);
	assert_int_equal(wk_inspect_next_due(rig->inspect), 0);
	rig_wait(rig, 2 * MS);
	assert_int_equal(rig->stats.counter[WK_CNT_REVOKED], 1);
	rig_ack(rig, WK_S2C);
	answer_ping(rig);
	assert_int_equal(rig_client_headers(rig, &fields), 1);
	assert_string_equal(h2w_field(&fields, "grpc-status"), "7");
	assert_null(h2w_field(&fields, ":status"));
	rig_ack(rig, WK_C2S);
	/* The event says which, and by which reference the client knows it. */
	assert_int_equal(rig->n_events, 1);
	assert_true(rig->events[0].ended);
	assert_int_equal(rig->events[0].stream_id, 1);
	assert_int_equal(rig->events[0].call_reason, WK_CALL_DENIED_METHOD);
	assert_string_equal(rig->events[0].path, RIG_PATH_NAME);
	/* The other call goes on, and new ones are judged as ever. */
	rig_answer(rig, 3);
	assert_true(arrived(rig, WK_S2C, H2W_HEADERS, 3) > 0);
	rig_call(rig, 5, RIG_PATH_PLACE);
	assert_int_equal(arrived(rig, WK_C2S, H2W_HEADERS, 5), 1);
	rig_close(rig);
	rig_free(rig);
}

/* Neither peer says anything: the client is told all the same, in time. */
static void a_server_that_says_nothing_keeps_no_client_waiting(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct h2w_fields fields;
	struct rig *rig;

	(void)state;
	conf.ticket_b = 4096;
	rig = running(&conf);
	arrived(rig, WK_S2C, 0, 0);
	allow_only(rig, RIG_PATH_PLACE);
	rig_wait(rig, 2 * MS);
	rig_ack(rig, WK_S2C);
	rig_wait(rig, 4900 * MS);
	assert_int_equal(rig_client_headers(rig, &fields), 0);
	rig_wait(rig, 200 * MS);
	assert_int_equal(rig_client_headers(rig, &fields), 1);
	assert_string_equal(h2w_field(&fields, "grpc-status"), "7");
	rig_ack(rig, WK_C2S);
	assert_true(wk_inspect_next_due(rig->inspect) > rig->now_ns);
	rig_free(rig);
}

/* What leaves a running call alone. */
static void some_policies_end_nothing(void **state)
{
	static const struct {
		const char *name;
		uint32_t ticket_b;
		bool forgotten;
		enum wk_policy_mode mode;
		const char *allow;
	} t[] = {
		{ "next-call", 0, false, WK_MODE_ENFORCE, RIG_PATH_PLACE },
		{ "no service has it", 4096, true, WK_MODE_ENFORCE, RIG_PATH_PLACE },
		{ "both are still allowed", 4096, false, WK_MODE_ENFORCE, NULL },
		{ "audit", 4096, false, WK_MODE_AUDIT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;

		conf.ticket_b = t[i].ticket_b;
		conf.forgotten = t[i].forgotten;
		rig = running(&conf);
		if (t[i].allow)
			allow_only(rig, t[i].allow);
		else
			rig_policy(rig, t[i].mode);
		rig_wait(rig, 2 * MS);
		if (rig->stats.counter[WK_CNT_REVOKED] != 0 || rig->n_events != 0)
			fail_msg("%s: a call has been ended", t[i].name);
		arrived(rig, WK_C2S, 0, 0);
		rig_answer(rig, 1);
		assert_int_equal(arrived(rig, WK_C2S, H2W_RST_STREAM, 1), 0);
		rig_close(rig);
		rig_free(rig);
	}
}

/* What the server sends behind a hole, from then on, waits for the judge. */
static void nothing_of_the_server_overtakes_the_judge_any_more(void **state)
{
	struct rig_conf conf = rig_conf_default;
	uint8_t bytes[64], first[PAIR_FRAME_MAX_B], second[PAIR_FRAME_MAX_B];
	uint32_t n, first_b, second_b;
	struct rig *rig;

	(void)state;
	conf.ticket_b = 4096;
	rig = running(&conf);
	allow_only(rig, RIG_PATH_PLACE);
	rig_wait(rig, 2 * MS);
	answer_ping(rig);
	rig_ack(rig, WK_C2S);
	arrived(rig, WK_S2C, 0, 0);
	n = h2w_frame(bytes, H2W_DATA, 0, 1, "one", 3);
	first_b = pair_send(&rig->pair, WK_S2C, PAIR_ACK | PAIR_PSH, bytes, n, first);
	n = h2w_frame(bytes, H2W_DATA, 0, 3, "three", 5);
	second_b = pair_send(&rig->pair, WK_S2C, PAIR_ACK | PAIR_PSH, bytes, n, second);
	rig_frame(rig, WK_S2C, second, second_b);
	assert_int_equal(arrived(rig, WK_S2C, H2W_DATA, 3), 0);
	rig_frame(rig, WK_S2C, first, first_b);
	assert_int_equal(arrived(rig, WK_S2C, H2W_DATA, 1), 0);
	rig->client.read_b = 0;
	assert_int_equal(arrived(rig, WK_S2C, H2W_DATA, 3), 1);
	rig_ack(rig, WK_C2S);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_policy_ends_what_it_denies_and_nothing_else),
		cmocka_unit_test(a_server_that_says_nothing_keeps_no_client_waiting),
		cmocka_unit_test(some_policies_end_nothing),
		cmocka_unit_test(nothing_of_the_server_overtakes_the_judge_any_more),
	};

	return cmocka_run_group_tests_name("inspect_revoke", tests, rig_eal_start, rig_eal_stop);
}
