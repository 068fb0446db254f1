/* SPDX-License-Identifier: Apache-2.0 */
/* Modes: enforce, audit and off, and what happens to live connections when they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

static struct rig *rig_in(enum wk_policy_mode mode)
{
	struct rig_conf conf = rig_conf_default;

	conf.mode = mode;
	return rig_new(&conf);
}

static void expect_denied(struct rig *rig, uint32_t stream)
{
	struct h2w_fields fields;

	assert_int_equal(rig_server_headers(rig, &fields), 0);
	assert_int_equal(rig_client_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":status"), "403");
	rig_ack(rig, WK_C2S);
}

static void expect_served(struct rig *rig, uint32_t stream, const char *path)
{
	struct h2w_fields fields;

	assert_int_equal(rig_server_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":path"), path);
	rig_answer(rig, stream);
	assert_int_equal(rig_client_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":status"), "200");
	assert_int_equal(rig_client_headers(rig, &fields), stream);
}

static void a_policy_holds_for_connections_that_are_older(void **state)
{
	struct rig *rig = rig_in(WK_MODE_OFF);

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_SECRET);
	expect_served(rig, 1, RIG_PATH_SECRET);
	assert_int_equal(rig->stats.call[WK_CALL_UNGUARDED], 1);
	assert_int_equal(rig->n_events, 0);

	rig_policy(rig, WK_MODE_ENFORCE);
	rig_call(rig, 3, RIG_PATH_SECRET);
	expect_denied(rig, 3);
	assert_int_equal(rig->events[0].policy_version, 2);
	rig_call(rig, 5, RIG_PATH_NAME);
	expect_served(rig, 5, RIG_PATH_NAME);

	/* And back: the numbers stay translated, everything is allowed. */
	rig_policy(rig, WK_MODE_OFF);
	rig_call(rig, 7, RIG_PATH_SECRET);
	expect_served(rig, 7, RIG_PATH_SECRET);
	assert_int_equal(rig->stats.call[WK_CALL_UNGUARDED], 2);

	rig_policy(rig, WK_MODE_AUDIT);
	rig_call(rig, 9, RIG_PATH_SECRET);
	expect_served(rig, 9, RIG_PATH_SECRET);
	assert_int_equal(rig->n_events, 2);
	assert_false(rig->events[1].enforced);

	rig_policy(rig, WK_MODE_ENFORCE);
	rig_call(rig, 11, RIG_PATH_SECRET);
	expect_denied(rig, 11);
	rig_close(rig);
	rig_free(rig);
}

static void audit_and_off_change_nothing(void **state)
{
	static const enum wk_policy_mode modes[] = { WK_MODE_AUDIT, WK_MODE_OFF };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig *rig = rig_in(modes[i]);
		uint8_t bytes[1024];
		uint8_t frame[PAIR_FRAME_MAX_B];
		uint32_t n;

		rig_connect(rig);
		rig_greet(rig);
		rig_call(rig, 1, RIG_PATH_SECRET);
		assert_true(rig->n_out == 1 && rig_all_same(rig));
		expect_served(rig, 1, RIG_PATH_SECRET);
		n = h2w_request(&rig->client, bytes, 3, "GET", RIG_PATH_NAME, NULL, 0);
		for (uint32_t b = 0; b < n; b++) {
			rig_send(rig, WK_C2S, PAIR_ACK | PAIR_URG, bytes + b, 1);
			assert_true(rig->n_out == 1 && rig_all_same(rig));
			rig_wait(rig, 3000000);
			assert_int_equal(rig->n_out, 0);
		}
		/* Out of order, from beyond the window, with a bad checksum, with odd flags. */
		n = pair_send_at(&rig->pair, WK_C2S, rig->pair.end[WK_C2S].nxt + 100, 0, PAIR_ACK,
				 "x", 1, frame);
		assert_int_equal(rig_frame(rig, WK_C2S, frame, n), WK_INSPECT_FORWARD);
		n = pair_send_at(&rig->pair, WK_C2S, 12345678, 0, PAIR_FIN, "x", 1, frame);
		assert_int_equal(rig_frame(rig, WK_C2S, frame, n), WK_INSPECT_FORWARD);
		assert_true(rig_all_same(rig));
		rig_close(rig);
		assert_int_equal(rig->stats.counter[WK_CNT_ORIGINATED], 0);
		assert_int_equal(rig->stats.reason[WK_FWD_GUARDED], rig->stats.counter[WK_CNT_RX]);
		if (modes[i] == WK_MODE_AUDIT) {
			assert_int_equal(rig->stats.call[WK_CALL_DENIED_METHOD], 1);
			assert_int_equal(rig->stats.call[WK_CALL_DENIED_NOT_POST], 1);
			assert_int_equal(rig->n_events, 2);
			assert_false(rig->events[0].enforced);
			assert_int_equal(rig->events[0].ref, 0);
		} else {
			assert_int_equal(rig->stats.call[WK_CALL_UNGUARDED], 2);
			assert_int_equal(rig->n_events, 0);
		}
		rig_free(rig);
	}
}

static void what_cannot_be_followed_passes_in_audit(void **state)
{
	struct rig *rig = rig_in(WK_MODE_AUDIT);

	(void)state;
	rig_connect(rig);
	for (int i = 0; i < 4; i++) {
		rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, "GET / HTTP/1.1\r\n\r\n", 18);
		assert_true(rig->n_out == 1 && rig_all_same(rig));
		rig_send(rig, WK_S2C, PAIR_ACK | PAIR_PSH, "HTTP/1.1 200 OK\r\n\r\n", 19);
		assert_true(rig->n_out == 1 && rig_all_same(rig));
	}
	assert_int_equal(rig->stats.counter[WK_CNT_UNTRACKED], 1);
	/* Enforcing makes it a connection met in the middle. */
	rig_policy(rig, WK_MODE_ENFORCE);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, "GET / HTTP/1.1\r\n\r\n", 18),
			 WK_INSPECT_FREE);
	assert_int_equal(rig->stats.reason[WK_DROP_MID_STREAM], 1);
	assert_true(rig->pair.end[WK_C2S].reset);
	assert_int_equal(rig_flows(rig), 0);
	rig_free(rig);
}

static void a_denied_call_that_straddles_the_change_ends_the_connection(void **state)
{
	struct rig *rig = rig_in(WK_MODE_OFF);
	struct h2w_fields fields;
	uint8_t frame[PAIR_FRAME_MAX_B];
	uint8_t bytes[1024];
	uint32_t again_b;
	uint32_t again;
	uint32_t n;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	n = h2w_request(&rig->client, bytes, 1, "POST", RIG_PATH_SECRET, RIG_GRPC, 12);
	rig_send(rig, WK_C2S, PAIR_ACK, bytes, 20);
	assert_true(rig_all_same(rig));
	rig_policy(rig, WK_MODE_ENFORCE);
	again = rig->pair.end[WK_C2S].nxt;
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes + 20, n - 20),
			 WK_INSPECT_FREE);
	assert_int_equal(rig_server_headers(rig, &fields), 0);
	assert_true(rig->pair.end[WK_C2S].reset);
	assert_true(rig->pair.end[WK_S2C].reset);
	assert_int_equal(rig->stats.call[WK_CALL_DENIED_METHOD], 1);
	assert_int_equal(rig->n_events, 2);
	/* Whatever is said afterwards, nothing passes. */
	assert_int_equal(rig_call(rig, 3, RIG_PATH_NAME), WK_INSPECT_FREE);
	assert_int_equal(rig_ack(rig, WK_S2C), WK_INSPECT_FREE);
	assert_int_equal(rig_count_out(rig, WK_C2S), 1);
	/* Least of all what was dropped, should the RST get lost. */
	again_b = pair_send_at(&rig->pair, WK_C2S, again, rig->pair.end[WK_C2S].ack, PAIR_ACK,
			       bytes + 20, n - 20, frame);
	assert_int_equal(rig_frame(rig, WK_C2S, frame, again_b), WK_INSPECT_FREE);
	assert_int_equal(rig_count_out(rig, WK_C2S), 0);
	/* A minute later it is forgotten; a new SYN need not wait so long. */
	assert_int_equal(rig_flows(rig), 1);
	rig_wait(rig, 61000000000ull);
	assert_int_equal(rig_flows(rig), 0);
	rig_free(rig);
}

static void what_cannot_be_read_while_the_change_is_due_ends_the_connection(void **state)
{
	struct rig *rig = rig_in(WK_MODE_OFF);
	uint8_t bytes[64];
	uint32_t n;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	/* PUSH_PROMISE from a client, in two pieces. */
	n = h2w_frame(bytes, 5, H2W_END_HEADERS, 1, "\0\0\0\2\x82", 5);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK, bytes, 4), WK_INSPECT_FORWARD);
	rig_policy(rig, WK_MODE_ENFORCE);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK, bytes + 4, n - 4), WK_INSPECT_FREE);
	assert_true(rig->pair.end[WK_C2S].reset);
	assert_true(rig->pair.end[WK_S2C].reset);
	assert_int_equal(rig->n_events, 1);
	assert_int_equal(rig->events[0].kind, WK_EVENT_CONN);
	rig_free(rig);
}

static void a_handshake_with_options_that_enforcing_strips_is_mid_stream(void **state)
{
	static const enum wk_policy_mode modes[] = { WK_MODE_AUDIT, WK_MODE_OFF };
	struct rig_conf conf = rig_conf_default;

	(void)state;
	conf.pair.fast_open = true;
	for (int i = 0; i < 2; i++) {
		struct rig *rig;

		conf.mode = modes[i];
		rig = rig_new(&conf);
		rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0);
		assert_true(rig->n_out == 1 && rig_all_same(rig));
		rig_send(rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
		assert_true(rig->n_out == 1 && rig_all_same(rig));
		rig_ack(rig, WK_C2S);
		rig_greet(rig);
		rig_policy(rig, WK_MODE_ENFORCE);
		assert_int_equal(rig_call(rig, 1, RIG_PATH_NAME), WK_INSPECT_FREE);
		assert_int_equal(rig->stats.reason[WK_DROP_MID_STREAM], 1);
		assert_int_equal(rig_flows(rig), 0);
		rig_free(rig);
	}
}

static void enforcing_strips_the_option_instead(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct rig *rig;

	(void)state;
	conf.pair.fast_open = true;
	rig = rig_new(&conf);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), WK_INSPECT_FORWARD);
	assert_false(rig_all_same(rig));
	assert_int_equal(rig->stats.counter[WK_CNT_NORM_SYN_OPTION], 1);
	assert_int_equal(rig->stats.reason[WK_FWD_EDITED], 1);
	rig_free(rig);
}

static void a_connection_that_is_over_stays_over_when_enforced(void **state)
{
	struct rig *rig = rig_in(WK_MODE_OFF);

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	rig_send(rig, WK_C2S, PAIR_RST | PAIR_ACK, NULL, 0);
	rig_policy(rig, WK_MODE_ENFORCE);
	assert_int_equal(rig_call(rig, 1, RIG_PATH_NAME), WK_INSPECT_FREE);
	assert_int_equal(rig_count_out(rig, WK_C2S), 0);
	rig_free(rig);
}

/* A service that was taken out of the file and put back: what went by meanwhile went by unseen. */
static void a_gap_makes_a_connection_mid_stream(void **state)
{
	static const enum wk_policy_mode modes[] = { WK_MODE_ENFORCE, WK_MODE_OFF };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct rig *rig = rig_in(modes[i / 2]);
		enum wk_dir dir = i % 2 ? WK_S2C : WK_C2S;

		rig_connect(rig);
		rig_greet(rig);
		rig->pair.end[WK_C2S].nxt += 500;
		rig->pair.end[WK_C2S].ack += 900;
		rig->pair.end[WK_S2C].nxt += 900;
		rig->pair.end[WK_S2C].ack += 500;
		rig_policy(rig, WK_MODE_ENFORCE);
		assert_int_equal(rig_send(rig, dir, PAIR_ACK, "x", 1), WK_INSPECT_FREE);
		assert_true(rig->pair.end[dir].reset);
		assert_int_equal(rig->n_events, 1);
		assert_int_equal(rig->events[0].reason, WK_DROP_MID_STREAM);
		assert_int_equal(rig_send(rig, wk_dir_flip(dir), PAIR_ACK, "x", 1),
				 WK_INSPECT_FREE);
		assert_true(rig->pair.end[wk_dir_flip(dir)].reset);
		rig_free(rig);
	}
}

/* A reload gave its address up, a later one guards it again. The client says once more, in other
 * words, what its server has already: no number shows that anything is missing. */
static void a_connection_of_before_a_gap_is_met_in_the_middle(void **state)
{
	static const enum wk_policy_mode modes[] = { WK_MODE_ENFORCE, WK_MODE_AUDIT, WK_MODE_OFF };

	(void)state;
	for (int i = 0; i < 9; i++) {
		enum wk_policy_mode before = modes[i / 3], after = modes[i % 3];
		struct wk_inspect_gap gap = { .family = 4, .version = 2 };
		struct rig *rig = rig_in(before);

		rig_connect(rig);
		rig_greet(rig);
		rig_call(rig, 1, RIG_PATH_NAME);
		expect_served(rig, 1, RIG_PATH_NAME);
		rig->conf.on.gaps = &gap;
		rig->conf.on.n_gaps = 1;
		rig_policy(rig, before);
		rig_policy(rig, after);
		if (after == WK_MODE_ENFORCE) {
			assert_int_equal(rig_call(rig, 3, RIG_PATH_NAME), WK_INSPECT_FREE);
			assert_int_equal(rig_count_out(rig, WK_C2S), before == WK_MODE_ENFORCE);
			assert_true(rig->pair.end[WK_C2S].reset);
			assert_int_equal(rig->events[rig->n_events - 1].reason, WK_DROP_MID_STREAM);
			assert_int_equal(rig_send(rig, WK_S2C, PAIR_ACK, "x", 1), WK_INSPECT_FREE);
			assert_true(rig->pair.end[WK_S2C].reset);
		} else {
			/* Nothing is held against it, but nothing is followed. */
			assert_int_equal(rig_call(rig, 3, RIG_PATH_SECRET), WK_INSPECT_FORWARD);
			assert_true(rig->n_out == 1 && rig_all_same(rig));
			assert_int_equal(rig_flows(rig), 0);
		}
		assert_int_equal(
			rig->stats.call[WK_CALL_ALLOWED] + rig->stats.call[WK_CALL_UNGUARDED], 1);
		rig_free(rig);
	}
}

static void a_gap_elsewhere_or_of_before_is_none(void **state)
{
	static const struct wk_inspect_gap gaps[] = {
		{ .family = 6, .version = 2 },
		{ .family = 4, .port = 50052, .version = 2 },
		{ .family = 4, .len = 32, .addr = { 10, 12, 0, 99 }, .version = 2 },
		{ .family = 4, .len = 9, .addr = { 10, 128 }, .version = 2 },
		{ .family = 4, .version = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		struct rig *rig = rig_in(WK_MODE_ENFORCE);

		rig_connect(rig);
		rig_greet(rig);
		rig->conf.on.gaps = &gaps[i];
		rig->conf.on.n_gaps = 1;
		rig_policy(rig, WK_MODE_ENFORCE);
		rig_policy(rig, WK_MODE_ENFORCE);
		rig_call(rig, 1, RIG_PATH_NAME);
		expect_served(rig, 1, RIG_PATH_NAME);
		rig_call(rig, 3, RIG_PATH_SECRET);
		expect_denied(rig, 3);
		rig_free(rig);
	}
}

/* Edited as it is, it stays guarded; and its numbers stay what they are, whatever the mode. */
static void an_edited_connection_is_translated_through_every_mode(void **state)
{
	static const enum wk_policy_mode modes[] = { WK_MODE_OFF, WK_MODE_ENFORCE, WK_MODE_AUDIT,
						     WK_MODE_OFF, WK_MODE_ENFORCE };
	struct rig *rig = rig_in(WK_MODE_ENFORCE);
	uint32_t stream = 3;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_SECRET);
	expect_denied(rig, 1);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		uint8_t frame[PAIR_FRAME_MAX_B];
		uint32_t again = rig->pair.end[WK_C2S].nxt, n;

		rig_policy(rig, modes[i]);
		rig_call(rig, stream, RIG_PATH_NAME);
		expect_served(rig, stream, RIG_PATH_NAME);
		/* Its old numbers in new words: the server has that, and gets none of it. */
		n = pair_send_at(&rig->pair, WK_C2S, again, rig->pair.end[WK_C2S].ack,
				 PAIR_ACK | PAIR_PSH, "other words", 11, frame);
		assert_int_equal(rig_frame(rig, WK_C2S, frame, n), WK_INSPECT_FREE);
		assert_int_equal(rig_count_out(rig, WK_C2S), 0);
		stream += 2;
	}
	rig_close(rig);
	rig_free(rig);
}

/* Its service cannot be given up in the middle of a frame that is held. */
static void a_connection_whose_bytes_wait_here_is_bound(void **state)
{
	struct rig *rig = rig_in(WK_MODE_ENFORCE);
	uint8_t bytes[1024];
	uint32_t n;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	n = h2w_request(&rig->client, bytes, 1, "POST", RIG_PATH_NAME, RIG_GRPC, 12);
	for (int part = 0; part < 2; part++) {
		struct wk_inspect_flow row;
		uint32_t pos = 0;

		rig_send(rig, WK_C2S, PAIR_ACK, part == 0 ? bytes : bytes + 20,
			 part == 0 ? 20 : n - 20);
		assert_int_equal(wk_inspect_flows(rig->inspect, &pos, &row, 1), 1);
		assert_false(row.edited);
		assert_int_equal(row.bound, part == 0);
	}
	expect_served(rig, 1, RIG_PATH_NAME);
	rig_free(rig);
}

/* What was said between them may not have been seen. */
static void a_gap_ends_the_handshakes_under_way(void **state)
{
	struct wk_inspect_gap gap = { .family = 6, .version = 2 };
	struct rig *rig = rig_in(WK_MODE_ENFORCE);

	(void)state;
	rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0);
	assert_int_equal(rig_syns(rig), 1);
	rig->conf.on.gaps = &gap;
	rig_policy(rig, WK_MODE_ENFORCE);
	assert_int_equal(rig_syns(rig), 1);
	gap.version = 3;
	rig->conf.on.n_gaps = 1;
	rig_policy(rig, WK_MODE_ENFORCE);
	assert_int_equal(rig_syns(rig), 0);
	/* Once. */
	rig_connect(rig);
	rig_greet(rig);
	rig_policy(rig, WK_MODE_ENFORCE);
	rig_call(rig, 1, RIG_PATH_NAME);
	expect_served(rig, 1, RIG_PATH_NAME);
	rig_free(rig);
}

static void an_allowed_call_that_straddles_the_change_goes_on(void **state)
{
	struct rig *rig = rig_in(WK_MODE_OFF);
	uint8_t bytes[1024];
	uint32_t n;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	n = h2w_request(&rig->client, bytes, 1, "POST", RIG_PATH_NAME, RIG_GRPC, 12);
	rig_send(rig, WK_C2S, PAIR_ACK, bytes, 20);
	rig_policy(rig, WK_MODE_ENFORCE);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes + 20, n - 20),
			 WK_INSPECT_FORWARD);
	expect_served(rig, 1, RIG_PATH_NAME);
	rig_call(rig, 3, RIG_PATH_SECRET);
	expect_denied(rig, 3);
	rig_free(rig);
}

static void strays_and_foreign_packets_pass_where_nothing_is_enforced(void **state)
{
	struct rig *rig = rig_in(WK_MODE_OFF);

	(void)state;
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK, "x", 1), WK_INSPECT_FORWARD);
	assert_int_equal(rig_send(rig, WK_S2C, PAIR_SYN, NULL, 0), WK_INSPECT_FORWARD);
	assert_int_equal(rig_send(rig, WK_S2C, PAIR_RST, NULL, 0), WK_INSPECT_FORWARD);
	assert_int_equal(rig_flows(rig), 0);
	assert_int_equal(rig->n_events, 0);
	rig_free(rig);
}

static void stopping_resets_edited_connections_only(void **state)
{
	(void)state;
	for (int edited = 0; edited < 2; edited++) {
		struct rig *rig = rig_in(WK_MODE_ENFORCE);

		rig_connect(rig);
		rig_greet(rig);
		rig_call(rig, 1, RIG_PATH_NAME);
		expect_served(rig, 1, RIG_PATH_NAME);
		if (edited) {
			rig_call(rig, 3, RIG_PATH_SECRET);
			expect_denied(rig, 3);
		}
		rig->n_out = 0;
		assert_int_equal(wk_inspect_stop(rig->inspect, rig->now_ns), edited);
		assert_int_equal(rig->pair.end[WK_C2S].reset, edited);
		assert_int_equal(rig->pair.end[WK_S2C].reset, edited);
		assert_int_equal(rig_flows(rig), 0);
		rig_free(rig);
	}
}

/* on.protocol_error = "pass" is for connections that both sides see alike. After a denial they do
 * not: a client cannot break the rules to be let through. */
static void what_breaks_the_rules_after_a_denial_is_reset_whatever_on_says(void **state)
{
	(void)state;
	for (int edited = 0; edited < 2; edited++) {
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;
		uint8_t bytes[32];
		uint32_t n;

		conf.on.protocol_error = WK_ON_PASS;
		rig = rig_new(&conf);
		rig_connect(rig);
		rig_greet(rig);
		if (edited) {
			rig_call(rig, 1, RIG_PATH_SECRET);
			expect_denied(rig, 1);
		}
		n = h2w_frame(bytes, H2W_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4);
		rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n);
		assert_int_equal(rig->pair.end[WK_C2S].reset, edited);
		assert_int_equal(rig->pair.end[WK_S2C].reset, edited);
		rig_free(rig);
	}
}

static void a_source_that_a_reload_unlists_gets_replies(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct rig *rig;

	(void)state;
	conf.pair.client_host = RIG_HOST_UNLISTED;
	conf.mode = WK_MODE_OFF;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_greet(rig);
	rig_policy(rig, WK_MODE_ENFORCE);
	rig_call(rig, 1, RIG_PATH_NAME);
	expect_denied(rig, 1);
	assert_int_equal(rig->stats.call[WK_CALL_DENIED_SOURCE], 1);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_holds_for_connections_that_are_older),
		cmocka_unit_test(audit_and_off_change_nothing),
		cmocka_unit_test(what_cannot_be_followed_passes_in_audit),
		cmocka_unit_test(a_denied_call_that_straddles_the_change_ends_the_connection),
		cmocka_unit_test(what_cannot_be_read_while_the_change_is_due_ends_the_connection),
		cmocka_unit_test(a_handshake_with_options_that_enforcing_strips_is_mid_stream),
		cmocka_unit_test(enforcing_strips_the_option_instead),
		cmocka_unit_test(a_connection_that_is_over_stays_over_when_enforced),
		cmocka_unit_test(a_gap_makes_a_connection_mid_stream),
		cmocka_unit_test(a_connection_of_before_a_gap_is_met_in_the_middle),
		cmocka_unit_test(a_gap_elsewhere_or_of_before_is_none),
		cmocka_unit_test(an_edited_connection_is_translated_through_every_mode),
		cmocka_unit_test(a_connection_whose_bytes_wait_here_is_bound),
		cmocka_unit_test(a_gap_ends_the_handshakes_under_way),
		cmocka_unit_test(an_allowed_call_that_straddles_the_change_goes_on),
		cmocka_unit_test(strays_and_foreign_packets_pass_where_nothing_is_enforced),
		cmocka_unit_test(stopping_resets_edited_connections_only),
		cmocka_unit_test(what_breaks_the_rules_after_a_denial_is_reset_whatever_on_says),
		cmocka_unit_test(a_source_that_a_reload_unlists_gets_replies),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
