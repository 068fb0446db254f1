/* SPDX-License-Identifier: Apache-2.0 */
/* What the client is told: replies, RST_STREAM, credit, and where they may stand. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h2_case.h"
#include "h2_truth.h"

/* clang-format off */
#define GRPC	"\x0f\x10\x10" "application/grpc"
#define ALLOWED "\x83\x86\x04\x14/attack.Allowed/Ping" GRPC
#define DENIED	"\x83\x86\x04\x13/attack.Secret/Drop" GRPC
#define PLAIN	"\x83\x86\x04\x13/attack.Secret/Drop"
#define TEXT	"\x83\x86\x04\x13/attack.Secret/Drop\x0f\x10\x0atext/plain"
#define PROTO	"\x83\x86\x04\x13/attack.Secret/Drop\x0f\x10\x16" "application/grpc+proto"
#define ES	1
#define EH	4

#define SEND(kit, dir, type, flags, id, p) \
	h2_kit_frame(kit, dir, type, flags, id, p, sizeof(p) - 1)
/* clang-format on */

static void assert_frames(const struct h2_kit *kit, enum wk_dir dir, uint32_t from,
			  const char *want)
{
	char buf[512];

	assert_string_equal(h2_case_frames(kit, dir, from, buf, sizeof(buf)), want);
}

/* clang-format off */
#define STATUS_403 "\x08\x03" "403"
#define FIELDS(status) GRPC "\0\x0bgrpc-status" status

static const struct form {
	const char *request;
	size_t request_b;
	enum wk_h2_reply reply;
	const char *message;
	const char *block;
	size_t block_b;
} forms[] = {
#define FORM(request, reply, message, block) \
	{ request, sizeof(request) - 1, reply, message, block, sizeof(block) - 1 }
	FORM(DENIED, WK_H2_REPLY_HTTP_403, "call denied by policy (ref 7f3a-000123)",
	     STATUS_403 FIELDS("\x01" "7")
	     "\0\x0cgrpc-message\x27" "call denied by policy (ref 7f3a-000123)"),
	FORM(PROTO, WK_H2_REPLY_HTTP_403, "", STATUS_403 FIELDS("\x01" "7")),
	FORM(DENIED, WK_H2_REPLY_GRPC, "no", "\x88" FIELDS("\x01" "7") "\0\x0cgrpc-message\x02no"),
	FORM(PLAIN, WK_H2_REPLY_HTTP_403, "no", STATUS_403),
	FORM(TEXT, WK_H2_REPLY_GRPC, "no", STATUS_403),
	FORM(DENIED, WK_H2_REPLY_GRPC, "100%\n\xc3\xa4~",
	     "\x88" FIELDS("\x01" "7") "\0\x0cgrpc-message\x10" "100%25%0A%C3%A4~"),
};
/* clang-format on */

static void run_form(struct h2_kit *kit, const void *arg)
{
	const struct form *form = arg;
	struct h2_seen seen;

	kit->reply = form->reply;
	kit->message = form->message;
	h2_kit_start(kit);
	h2_kit_frame(kit, WK_C2S, 1, EH | ES, 1, form->request, form->request_b);
	assert_true(h2_kit_nth(kit, WK_S2C, 2, &seen));
	assert_int_equal(seen.type, 1);
	assert_int_equal(seen.flags, EH | ES);
	assert_int_equal(seen.id, 1);
	assert_int_equal(seen.len_b, form->block_b);
	assert_memory_equal(seen.payload, form->block, form->block_b);
	assert_false(h2_kit_nth(kit, WK_S2C, 3, &seen));
	assert_int_equal(kit->stats.counter[WK_CNT_REPLIES], 1);
	assert_int_equal(kit->stats.counter[WK_CNT_RST_STREAMS], 0);
}

static void replies_look_as_grpc_clients_want_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		h2_case_run(run_form, &forms[i]);
}

static void run_long_message(struct h2_kit *kit, const void *arg)
{
	struct h2_seen seen;

	kit->message = arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, DENIED);
	assert_true(h2_kit_nth(kit, WK_S2C, 2, &seen));
	assert_true(seen.len_b > 126 && seen.len_b < 200);
}

static void a_long_message_is_cut_below_127_bytes(void **state)
{
	static char plain[200], percent[200];

	(void)state;
	memset(plain, 'm', sizeof(plain) - 1);
	memset(percent, '%', sizeof(percent) - 1);
	h2_case_run(run_long_message, plain);
	h2_case_run(run_long_message, percent);
}

/* Whether the request had ended is looked up when the reply goes out. */
static void run_late_pull(struct h2_kit *kit, const void *arg)
{
	const bool *ended = arg;

	h2_kit_start(kit);
	kit->room_b = 0;
	SEND(kit, WK_C2S, 1, EH, 1, DENIED);
	if (*ended)
		SEND(kit, WK_C2S, 0, ES, 1, "body");
	assert_frames(kit, WK_S2C, 2, "");
	kit->room_b = UINT32_MAX;
	h2_kit_insert(kit);
	assert_frames(kit, WK_S2C, 2, *ended ? "H1e" : "H1e R1");
	assert_int_equal(kit->stats.counter[WK_CNT_RST_STREAMS], *ended ? 0 : 1);
}

static void rst_stream_follows_only_an_unfinished_request(void **state)
{
	static const bool yes = true, no = false;

	(void)state;
	h2_case_run(run_late_pull, &yes);
	h2_case_run(run_late_pull, &no);
}

static void run_before_settings(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes in = { 0 };
	struct h2_seen seen;

	(void)arg;
	h2_put_preface(&in);
	h2_put(&in, 4, 0, 0, NULL, 0);
	h2_put(&in, 1, EH | ES, 1, DENIED, sizeof(DENIED) - 1);
	h2_kit_send(kit, WK_C2S, in.p, in.n);
	h2_bytes_free(&in);
	assert_int_equal(kit->out[WK_S2C].n, 0);
	SEND(kit, WK_S2C, 4, 0, 0, "\0\3\0\0\0\x64");
	assert_true(h2_kit_nth(kit, WK_S2C, 0, &seen));
	assert_int_equal(seen.type, 4);
	assert_frames(kit, WK_S2C, 1, "H1e");
}

static void a_reply_waits_for_the_servers_settings(void **state)
{
	(void)state;
	h2_case_run(run_before_settings, NULL);
}

/* The server is in the middle of something; then it goes on, all at once. */
static void run_between_frames(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes rest = { 0 };

	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, ALLOWED);
	h2_put(&rest, 1, 0, 1, "\x88", 1);
	h2_put(&rest, 9, 0, 1, "", 0);
	h2_kit_send(kit, WK_S2C, rest.p, 12);
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	assert_int_equal(h2_kit_count(kit, WK_S2C, 1, 3), 0);
	h2_put(&rest, 9, EH, 1, "\x88", 1);
	h2_put(&rest, 0, 0, 1, "data", 4);
	h2_put(&rest, 0, ES, 1, "", 0);
	h2_kit_send(kit, WK_S2C, rest.p + 12, rest.n - 12);
	h2_bytes_free(&rest);
	assert_frames(kit, WK_S2C, 2, "H1 C1 C1 H3e D1 D1e");
}

static void a_reply_stands_between_frames_and_never_inside_a_block(void **state)
{
	(void)state;
	h2_case_run(run_between_frames, NULL);
}

/* Whoever asks, and whenever: nothing is to be had between HEADERS and the last CONTINUATION. */
static void run_asked_in_block(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, ALLOWED);
	SEND(kit, WK_S2C, 1, 0, 1, "\x88");
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	assert_int_equal(wk_h2_pending(kit->conn, &kit->env), 0);
	SEND(kit, WK_S2C, 9, 0, 1, "");
	assert_int_equal(wk_h2_pending(kit->conn, &kit->env), 0);
	SEND(kit, WK_S2C, 9, EH, 1, "");
	assert_int_equal(h2_kit_count(kit, WK_S2C, 1, 3), 1);
}

static void nothing_waits_for_who_asks_inside_a_block_of_the_server(void **state)
{
	(void)state;
	h2_case_run(run_asked_in_block, NULL);
}

static void run_in_data(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes data = { 0 };
	char body[1000] = "";

	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, ALLOWED);
	h2_put(&data, 0, 0, 1, body, sizeof(body));
	h2_put(&data, 0, 0, 1, body, sizeof(body));
	h2_kit_send(kit, WK_S2C, data.p, 500);
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	SEND(kit, WK_C2S, 1, EH, 5, DENIED);
	h2_kit_send(kit, WK_S2C, data.p + 500, data.n - 500);
	h2_bytes_free(&data);
	assert_frames(kit, WK_S2C, 2, "D1 H3e H5e R5 D1");
}

static void a_reply_waits_for_the_end_of_a_data_frame(void **state)
{
	(void)state;
	h2_case_run(run_in_data, NULL);
}

/* Room for one reply after the other: whole ones only. */
static void run_room(struct h2_kit *kit, const void *arg)
{
	uint32_t want;
	uint8_t buf[600];

	(void)arg;
	h2_kit_start(kit);
	kit->room_b = 0;
	SEND(kit, WK_C2S, 1, EH | ES, 1, DENIED);
	SEND(kit, WK_C2S, 1, EH, 3, DENIED);
	SEND(kit, WK_C2S, 1, EH | ES, 5, DENIED);
	want = wk_h2_pending(kit->conn, &kit->env);
	assert_true(want > 60);
	assert_int_equal(wk_h2_pull(kit->conn, &kit->env, buf, want - 1), 0);
	assert_int_equal(wk_h2_pull(kit->conn, &kit->env, buf, want), want);
	want = wk_h2_pending(kit->conn, &kit->env);
	assert_int_equal(wk_h2_pull(kit->conn, &kit->env, buf, want + 20), want);
	kit->room_b = UINT32_MAX;
	h2_kit_insert(kit);
	assert_frames(kit, WK_S2C, 2, "H5e");
	assert_int_equal(wk_h2_pending(kit->conn, &kit->env), 0);
}

static void only_whole_replies_are_pulled(void **state)
{
	(void)state;
	h2_case_run(run_room, NULL);
}

static void run_reset_meanwhile(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	h2_kit_start(kit);
	kit->room_b = 0;
	SEND(kit, WK_C2S, 1, EH, 1, DENIED);
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	SEND(kit, WK_C2S, 3, 0, 1, "\0\0\0\x08");
	kit->room_b = UINT32_MAX;
	h2_kit_insert(kit);
	assert_frames(kit, WK_S2C, 2, "H3e");
	assert_frames(kit, WK_C2S, 2, "");
}

static void a_client_that_resets_its_stream_gets_no_reply(void **state)
{
	(void)state;
	h2_case_run(run_reset_meanwhile, NULL);
}

static void run_goaway(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, ALLOWED);
	kit->room_b = 0;
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	SEND(kit, WK_C2S, 1, EH | ES, 5, DENIED);
	SEND(kit, WK_S2C, 7, 0, 0, "\x7f\xff\xff\xff\0\0\0\0");
	assert_true(wk_h2_pending(kit->conn, &kit->env) > 0);
	SEND(kit, WK_S2C, 7, 0, 0, "\0\0\0\3\0\0\0\0debug");
	SEND(kit, WK_C2S, 1, EH | ES, 7, DENIED);
	kit->room_b = UINT32_MAX;
	h2_kit_insert(kit);
	assert_frames(kit, WK_S2C, 2, "A0 A0 H3e");
	assert_frames(kit, WK_C2S, 2, "H1e");
	assert_int_equal(kit->n_decided, 4);
}

static void calls_above_a_goaway_get_no_reply(void **state)
{
	(void)state;
	h2_case_run(run_goaway, NULL);
}

/* The client lowers its table; the reply may be the first block after the server's ACK. */
/* clang-format off */
static const struct update {
	const char *settings;
	size_t settings_b;
	const char *prefix;
	size_t prefix_b;
} updates[] = {
#define UPDATE(settings, prefix) { settings, sizeof(settings) - 1, prefix, sizeof(prefix) - 1 }
	UPDATE("\0\1\0\0\0\0", "\x20\x08"),
	UPDATE("\0\1\0\0\4\0", "\x3f\xe1\x07\x08"),
	UPDATE("\0\1\0\0\0\0\0\1\0\0\4\0", "\x20\x3f\xe1\x07\x08"),
	UPDATE("\0\1\0\0\x10\0", "\x08"),
	UPDATE("\0\1\0\1\0\0", "\x08"),
	UPDATE("\0\4\0\0\0\0", "\x08"),
};
/* clang-format on */

static void assert_block_begins(const struct h2_kit *kit, uint32_t nth, const char *p, size_t n)
{
	struct h2_seen seen;

	assert_true(h2_kit_nth(kit, WK_S2C, nth, &seen));
	assert_int_equal(seen.type, 1);
	assert_memory_equal(seen.payload, p, n);
}

static void run_update(struct h2_kit *kit, const void *arg)
{
	const struct update *u = arg;

	h2_kit_start(kit);
	h2_kit_frame(kit, WK_C2S, 4, 0, 0, u->settings, u->settings_b);
	SEND(kit, WK_C2S, 1, EH | ES, 1, DENIED); /* 2: before the ACK */
	assert_block_begins(kit, 2, "\x08", 1);
	SEND(kit, WK_S2C, 4, 1, 0, ""); /* 3 */
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	assert_block_begins(kit, 4, u->prefix, u->prefix_b);
	SEND(kit, WK_C2S, 1, EH | ES, 5, DENIED);
	assert_block_begins(kit, 5, "\x08", 1);
}

static void a_lowered_table_is_acknowledged_by_the_reply(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++)
		h2_case_run(run_update, &updates[i]);
}

static void run_update_by_server(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, ALLOWED);
	SEND(kit, WK_C2S, 4, 0, 0, "\0\1\0\0\0\0");
	SEND(kit, WK_S2C, 4, 1, 0, "");
	SEND(kit, WK_S2C, 1, EH | ES, 1, "\x20\x88");
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	assert_block_begins(kit, 4, "\x08", 1);
}

/* A reply that waits is written for the place where it stands: what arrives together with the rest
 * of the frame at hand comes behind it. */
static void run_update_in_place(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes s2c = { 0 };
	const bool *with_block = arg;

	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, ALLOWED);
	SEND(kit, WK_C2S, 4, 0, 0, "\0\1\0\0\x10\0\0\1\0\0\0\0");
	h2_put(&s2c, 6, 0, 0, "12345678", 8);
	h2_kit_send(kit, WK_S2C, s2c.p, 10);
	SEND(kit, WK_C2S, 1, EH | ES, 3, DENIED);
	h2_put(&s2c, 4, 1, 0, "", 0);
	if (*with_block)
		h2_put(&s2c, 1, EH | ES, 1, "\x20\x88", 2);
	h2_kit_send(kit, WK_S2C, s2c.p + 10, s2c.n - 10);
	assert_frames(kit, WK_S2C, 2, *with_block ? "I0 H3e S0 H1e" : "I0 H3e S0");
	assert_block_begins(kit, 3, "\x08", 1);
	SEND(kit, WK_C2S, 1, EH | ES, 5, DENIED);
	assert_block_begins(kit, *with_block ? 6 : 5, *with_block ? "\x08" : "\x20\x08",
			    *with_block ? 1 : 2);
	h2_bytes_free(&s2c);
}

static void a_reply_is_written_for_its_place(void **state)
{
	static const bool yes = true, no = false;

	(void)state;
	h2_case_run(run_update_in_place, &yes);
	h2_case_run(run_update_in_place, &no);
}

static void the_servers_own_block_carries_the_update_itself(void **state)
{
	(void)state;
	h2_case_run(run_update_by_server, NULL);
}

static void send_data(struct h2_kit *kit, uint32_t id, uint8_t flags, size_t n)
{
	uint8_t *body = calloc(1, n);

	body[0] = 10; /* a pad length, if it is padded */
	h2_kit_frame(kit, WK_C2S, 0, flags, id, body, n);
	free(body);
}

static void run_credit(struct h2_kit *kit, const void *arg)
{
	struct h2_seen seen;

	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, DENIED);
	SEND(kit, WK_C2S, 1, EH, 3, ALLOWED);
	send_data(kit, 3, 0, 16384);
	send_data(kit, 1, 0, 16000);
	send_data(kit, 1, 8, 383);
	assert_frames(kit, WK_S2C, 2, "H1e");
	kit->room_b = 0;
	send_data(kit, 1, 0, 1);
	assert_int_equal(wk_h2_pending(kit->conn, &kit->env), 13);
	send_data(kit, 1, 0, 16);
	kit->room_b = UINT32_MAX;
	h2_kit_insert(kit);
	assert_true(h2_kit_nth(kit, WK_S2C, 3, &seen));
	assert_int_equal(seen.type, 8);
	assert_int_equal(seen.id, 0);
	assert_memory_equal(seen.payload, "\0\0\x40\x10", 4);
	assert_int_equal(kit->stats.counter[WK_CNT_CREDITS], 1);
	assert_frames(kit, WK_C2S, 2, "H3 D3");
}

static void deleted_data_is_given_back_in_steps_of_16_kib(void **state)
{
	(void)state;
	h2_case_run(run_credit, NULL);
}

/* A real client uploads 1 MiB to a denied method, twice, and then calls allowed ones. */
static void run_upload(struct h2_kit *kit, const void *arg)
{
	struct h2_truth *client = malloc(sizeof(*client)), *server = malloc(sizeof(*server));
	uint32_t denied[3], allowed;

	(void)arg;
	h2_truth_client(client, NULL, 0);
	h2_truth_server(server, NULL, 0);
	kit->cuts = kit->cuts == H2_BYTEWISE ? H2_RANDOM : kit->cuts; /* time */
	for (uint32_t i = 0; i < 3; i++) {
		denied[i] = h2_truth_call(client, H2_DENIED, i == 2 ? -1 : 200000);
		h2_truth_run(client, server, kit);
	}
	allowed = h2_truth_call(client, H2_ALLOWED, 150000);
	h2_truth_run(client, server, kit);
	assert_false(kit->ended || client->broken || server->broken);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(h2_truth_says(client, denied[i], ":status: 403\n"));
		assert_true(h2_truth_find(client, denied[i])->closed);
		assert_int_equal(h2_truth_find(client, denied[i])->close_code, NGHTTP2_NO_ERROR);
		assert_null(h2_truth_find(server, denied[i]));
	}
	assert_true(h2_truth_says(client, allowed, ":status: 200\n"));
	assert_int_equal(h2_truth_find(server, allowed)->data_b, 150000);
	h2_truth_fini(client);
	h2_truth_fini(server);
	free(client);
	free(server);
}

static void a_denied_upload_leaves_the_connection_usable(void **state)
{
	struct h2_kit *kit = malloc(sizeof(*kit));

	(void)state;
	/* When a reply meets an upload depends on the cuts: each is right in itself. */
	for (uint32_t run = 0; run < 4; run++) {
		h2_kit_init(kit, run == 0 ? H2_WHOLE : H2_RANDOM, run);
		run_upload(kit, NULL);
		h2_kit_fini(kit);
	}
	free(kit);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_look_as_grpc_clients_want_them),
		cmocka_unit_test(a_long_message_is_cut_below_127_bytes),
		cmocka_unit_test(rst_stream_follows_only_an_unfinished_request),
		cmocka_unit_test(a_reply_waits_for_the_servers_settings),
		cmocka_unit_test(a_reply_stands_between_frames_and_never_inside_a_block),
		cmocka_unit_test(nothing_waits_for_who_asks_inside_a_block_of_the_server),
		cmocka_unit_test(a_reply_waits_for_the_end_of_a_data_frame),
		cmocka_unit_test(only_whole_replies_are_pulled),
		cmocka_unit_test(a_client_that_resets_its_stream_gets_no_reply),
		cmocka_unit_test(calls_above_a_goaway_get_no_reply),
		cmocka_unit_test(a_lowered_table_is_acknowledged_by_the_reply),
		cmocka_unit_test(the_servers_own_block_carries_the_update_itself),
		cmocka_unit_test(a_reply_is_written_for_its_place),
		cmocka_unit_test(deleted_data_is_given_back_in_steps_of_16_kib),
		cmocka_unit_test(a_denied_upload_leaves_the_connection_usable),
	};

	return cmocka_run_group_tests_name("h2_reply", tests, NULL, NULL);
}
