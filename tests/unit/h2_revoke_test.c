/* SPDX-License-Identifier: Apache-2.0 */
/* Running calls that a later policy denies: both sides are told, and nothing else is disturbed. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h2_case.h"
#include "h2_truth.h"

#define RST  3
#define PING 6
#define MARK "\x17random"

static const char response[] = "\x88\x0f\x10\x10"
			       "application/grpc";

/* Two running calls on a connection whose calls are kept: 1 is the one that will be ended. */
static void start(struct h2_kit *kit, bool answered)
{
	kit->limits.ticket_b = 4096;
	memcpy(&kit->env.mark, MARK, sizeof(kit->env.mark));
	h2_kit_start(kit);
	h2_kit_call(kit, 1, H2_ALLOWED2, false);
	h2_kit_call(kit, 3, H2_ALLOWED, false);
	if (answered)
		h2_kit_frame(kit, WK_S2C, 1, 4, 1, response, sizeof(response) - 1);
	h2_kit_frame(kit, WK_C2S, 0, 0, 1, "one", 3);
}

static void ack(struct h2_kit *kit)
{
	h2_kit_frame(kit, WK_S2C, PING, 1, 0, MARK, 8);
}

static void assert_frames(const struct h2_kit *kit, enum wk_dir dir, uint32_t nth, const char *want)
{
	char buf[512];

	assert_string_equal(h2_case_frames(kit, dir, nth, buf, sizeof(buf)), want);
}

/* The last HEADERS to the client. */
static void last_headers(const struct h2_kit *kit, struct h2_seen *found)
{
	struct h2_seen seen;

	*found = (struct h2_seen){ .payload = NULL };
	for (uint32_t i = 0; h2_kit_nth(kit, WK_S2C, i, &seen); i++)
		if (seen.type == 1)
			*found = seen;
}

static bool says(const struct h2_seen *seen, const char *text)
{
	return memmem(seen->payload, seen->len_b, text, strlen(text)) != NULL;
}

/* arg: whether response headers had gone before. */
static void run_end(struct h2_kit *kit, const void *arg)
{
	const bool *answered = arg;
	struct h2_seen seen;

	start(kit, *answered);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	assert_frames(kit, WK_C2S, 2, "H1 H3 D1 R1 I0");
	assert_int_equal(h2_kit_count(kit, WK_S2C, 1, 1), *answered ? 1 : 0);
	/* What the server had under way goes on, until it says that it knows. */
	h2_kit_frame(kit, WK_S2C, 0, 0, 1, "under way", 9);
	assert_int_equal(h2_kit_count(kit, WK_S2C, 0, 1), 1);
	ack(kit);
	last_headers(kit, &seen);
	assert_int_equal(seen.id, 1);
	assert_int_equal(seen.flags, 5);
	assert_true(says(&seen, "grpc-status\1"
				"7"));
	assert_true(says(&seen, "application/grpc") != *answered);
	assert_true(says(&seen, "call denied by policy"));
	assert_int_equal(h2_kit_count(kit, WK_S2C, RST, 1), 1);
	assert_int_equal(h2_kit_count(kit, WK_S2C, PING, -1), 0);
	assert_int_equal(kit->stats.counter[WK_CNT_REVOKED], 1);
	/* The other call does not notice. */
	h2_kit_frame(kit, WK_C2S, 0, 1, 3, "two", 3);
	h2_kit_answer(kit, 3);
	assert_frames(kit, WK_C2S, 2, "H1 H3 D1 R1 I0 D3e");
	assert_int_equal(h2_kit_count(kit, WK_S2C, 1, 3), 1);
	h2_kit_call(kit, 5, H2_ALLOWED, true);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, 5), 1);
	assert_false(kit->ended);
}

static void both_sides_of_a_running_call_are_told(void **state)
{
	static const bool answered[] = { false, true };

	(void)state;
	h2_case_run(run_end, &answered[0]);
	h2_case_run(run_end, &answered[1]);
}

static void run_not_kept(struct h2_kit *kit, const void *arg)
{
	const uint32_t *ticket_b = arg;

	kit->limits.ticket_b = *ticket_b;
	h2_kit_start(kit);
	h2_kit_call(kit, 1, H2_ALLOWED, false);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
}

static void a_call_that_was_not_kept_does_not_go_on(void **state)
{
	static const uint32_t ticket_b[] = { 0, 64 };

	(void)state;
	h2_case_run(run_not_kept, &ticket_b[0]);
	h2_case_run(run_not_kept, &ticket_b[1]);
}

static void run_nothing(struct h2_kit *kit, const void *arg)
{
	struct wk_h2_info info;

	(void)arg;
	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_DENIED), 0);
	h2_kit_frame(kit, WK_C2S, 0, 1, 1, "two", 3);
	assert_frames(kit, WK_C2S, 2, "H1 H3 D1 D1e");
	wk_h2_info(kit->conn, &info);
	assert_false(info.deleting);
	assert_int_equal(info.open_streams, 2);
	/* A PING that is no answer to one of ours is nobody's business. */
	ack(kit);
	assert_int_equal(h2_kit_count(kit, WK_S2C, PING, -1), 1);
}

/* The server answers a PING of its client in between, with what that one has guessed. */
static void run_guess(struct h2_kit *kit, const void *arg)
{
	struct h2_seen seen = { .payload = NULL }, last = { .payload = NULL };

	(void)arg;
	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	h2_kit_frame(kit, WK_C2S, PING, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	for (uint32_t i = 0; h2_kit_nth(kit, WK_C2S, i, &seen); i++)
		if (seen.type == PING && memcmp(seen.payload, MARK, 8) == 0)
			last = seen;
	assert_non_null(last.payload);
	h2_kit_frame(kit, WK_S2C, PING, 1, 0, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(h2_kit_count(kit, WK_S2C, PING, -1), 1);
	assert_int_equal(h2_kit_count(kit, WK_S2C, 1, 1), 1);
	ack(kit);
	assert_int_equal(h2_kit_count(kit, WK_S2C, PING, -1), 1);
	assert_int_equal(h2_kit_count(kit, WK_S2C, 1, 1), 2);
}

static void an_answer_to_the_client_is_not_taken_for_one_to_us(void **state)
{
	(void)state;
	h2_case_run(run_guess, NULL);
}

static void a_policy_that_still_allows_a_call_changes_nothing(void **state)
{
	(void)state;
	h2_case_run(run_nothing, NULL);
}

/* Frames of the ended call in both directions, and the windows of the connection. */
static void run_windows(struct h2_kit *kit, const void *arg)
{
	static const char data[9000];
	struct h2_seen seen;
	uint32_t n = 0;

	(void)arg;
	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	ack(kit);
	for (int i = 0; i < 2; i++) {
		h2_kit_frame(kit, WK_C2S, 0, 0, 1, data, sizeof(data));
		h2_kit_frame(kit, WK_S2C, 0, 0, 1, data, sizeof(data));
	}
	assert_int_equal(h2_kit_count(kit, WK_C2S, 0, 1), 1);
	assert_int_equal(h2_kit_count(kit, WK_S2C, 0, 1), 0);
	for (int dir = 0; dir < WK_DIRS; dir++) {
		assert_int_equal(h2_kit_count(kit, (enum wk_dir)dir, 8, 0), 1);
		for (uint32_t i = 0; h2_kit_nth(kit, (enum wk_dir)dir, i, &seen); i++)
			if (seen.type == 8) {
				assert_memory_equal(seen.payload, "\x00\x00\x46\x50", 4);
				n++;
			}
	}
	assert_int_equal(n, 2);
	/* Neither do other frames of it reach the server. */
	h2_kit_frame(kit, WK_C2S, 8, 0, 1, "\0\0\0\1", 4);
	h2_kit_frame(kit, WK_C2S, RST, 0, 1, "\0\0\0\x08", 4);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 8, 1), 0);
	assert_int_equal(h2_kit_count(kit, WK_C2S, RST, 1), 1);
	assert_false(kit->ended);
}

static void what_is_taken_out_of_both_directions_is_given_back(void **state)
{
	(void)state;
	h2_case_run(run_windows, NULL);
}

/* The server's header blocks go on: its table stays that of the client. */
static void run_tables(struct h2_kit *kit, const void *arg)
{
	static const char first[] = "\x88\x40\x05x-one\x01"
				    "1";
	static const char second[] = "\x88\x40\x05x-two\x01"
				     "2";
	struct h2_truth *client = malloc(sizeof(*client));
	struct h2_bytes said = { 0 };

	(void)arg;
	start(kit, false);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	h2_kit_frame(kit, WK_S2C, 1, 4, 1, first, sizeof(first) - 1);
	ack(kit);
	h2_kit_frame(kit, WK_S2C, 1, 4, 3, second, sizeof(second) - 1);
	h2_kit_frame(kit, WK_S2C, 1, 5, 3, "\xbf\xbe", 2);
	h2_truth_client(client, NULL, 0);
	for (int i = 0; i < 2; i++)
		h2_truth_call(client, H2_ALLOWED, -1);
	h2_truth_send(client, &said);
	h2_bytes_free(&said);
	h2_truth_recv(client, kit->out[WK_S2C].p, kit->out[WK_S2C].n);
	assert_false(client->broken);
	assert_true(h2_truth_says(client, 1, "x-one: 1\n--\ngrpc-status: 7\n"));
	assert_true(h2_truth_says(client, 3, "x-two: 2\n--\nx-one: 1\nx-two: 2\n"));
	h2_truth_fini(client);
	free(client);
}

static void the_tables_of_client_and_server_stay_in_step(void **state)
{
	(void)state;
	h2_case_run(run_tables, NULL);
}

/* arg: the server's frame that ends the stream before it knows of ours. */
struct last_word {
	uint8_t type, flags;
	const char *payload;
	size_t n;
	const char *want; /* to the client */
};

static void run_last_word(struct h2_kit *kit, const void *arg)
{
	const struct last_word *c = arg;

	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	h2_kit_frame(kit, WK_S2C, c->type, c->flags, 1, c->payload, c->n);
	ack(kit);
	assert_frames(kit, WK_S2C, 2, c->want);
	assert_false(kit->ended);
}

static void a_server_that_ends_the_stream_first_is_heard_once(void **state)
{
	static const struct last_word cases[] = {
		{ 1, 5,
		  "\0\x0bgrpc-status\1"
		  "0",
		  15, "H1 H1e" },
		{ 0, 1, "end", 3, "H1 D1e" },
		/* Its reset would hide the reason. */
		{ RST, 0, "\0\0\0\x08", 4, "H1 W1 H1e R1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		h2_case_run(run_last_word, &cases[i]);
}

static void run_cancelled(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	h2_kit_frame(kit, WK_C2S, RST, 0, 1, "\0\0\0\x08", 4);
	ack(kit);
	assert_frames(kit, WK_S2C, 2, "H1");
	assert_frames(kit, WK_C2S, 2, "H1 H3 D1 R1 I0");
}

static void a_client_that_cancels_first_gets_no_trailers(void **state)
{
	(void)state;
	h2_case_run(run_cancelled, NULL);
}

static void run_silent_server(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	kit->env.now_ns += kit->limits.revoke_ns;
	h2_kit_frame(kit, WK_S2C, 0, 0, 1, "still", 5);
	assert_frames(kit, WK_S2C, 2, "H1 D1");
	kit->env.now_ns++;
	h2_kit_frame(kit, WK_C2S, PING, 0, 0, "12345678", 8);
	h2_kit_insert(kit);
	assert_frames(kit, WK_S2C, 2, "H1 D1 H1e R1");
	h2_kit_frame(kit, WK_S2C, 0, 0, 1, "still", 5);
	assert_frames(kit, WK_S2C, 2, "H1 D1 H1e R1");
}

static void a_server_that_does_not_answer_keeps_no_client_waiting(void **state)
{
	(void)state;
	h2_case_run(run_silent_server, NULL);
}

/* In the middle of a DATA frame of the client. */
static void run_mid_frame(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	start(kit, true);
	h2_kit_send(kit, WK_C2S, "\0\0\5\0\0\0\0\0\1he", 11);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	assert_int_equal(h2_kit_count(kit, WK_C2S, RST, 1), 0);
	h2_kit_send(kit, WK_C2S, "llo", 3);
	assert_frames(kit, WK_C2S, 2, "H1 H3 D1 D1 R1 I0");
}

static void no_frame_of_the_client_is_cut_in_two(void **state)
{
	(void)state;
	h2_case_run(run_mid_frame, NULL);
}

/* A second policy while the server has not answered to the first. */
static void run_twice(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED), 1);
	assert_frames(kit, WK_C2S, 2, "H1 H3 D1 R1 I0 R3");
	ack(kit);
	assert_frames(kit, WK_C2S, 2, "H1 H3 D1 R1 I0 R3 I0");
	assert_frames(kit, WK_S2C, 2, "H1 H1e R1");
	ack(kit);
	assert_frames(kit, WK_S2C, 2, "H1 H1e R1 H3e R3");
}

static void each_call_waits_for_an_answer_of_its_own(void **state)
{
	(void)state;
	h2_case_run(run_twice, NULL);
}

/* Too many answers wait: the connection ends rather than the policy. */
static void run_queue_full(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	kit->limits.pending = 0;
	start(kit, true);
	assert_int_equal(h2_kit_review(kit, H2_ALLOWED2), 1);
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_QUEUE_CAP);
	h2_kit_frame(kit, WK_C2S, 0, 0, 3, "two", 3);
	assert_true(kit->ended);
}

static void without_room_for_the_answer_the_connection_ends(void **state)
{
	(void)state;
	h2_case_run(run_queue_full, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_to_the_client_is_not_taken_for_one_to_us),
		cmocka_unit_test(both_sides_of_a_running_call_are_told),
		cmocka_unit_test(a_call_that_was_not_kept_does_not_go_on),
		cmocka_unit_test(a_policy_that_still_allows_a_call_changes_nothing),
		cmocka_unit_test(what_is_taken_out_of_both_directions_is_given_back),
		cmocka_unit_test(the_tables_of_client_and_server_stay_in_step),
		cmocka_unit_test(a_server_that_ends_the_stream_first_is_heard_once),
		cmocka_unit_test(a_client_that_cancels_first_gets_no_trailers),
		cmocka_unit_test(a_server_that_does_not_answer_keeps_no_client_waiting),
		cmocka_unit_test(no_frame_of_the_client_is_cut_in_two),
		cmocka_unit_test(each_call_waits_for_an_answer_of_its_own),
		cmocka_unit_test(without_room_for_the_answer_the_connection_ends),
	};

	return cmocka_run_group_tests_name("h2_revoke", tests, NULL, NULL);
}
