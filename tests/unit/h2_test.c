/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and streams: what passes, what is deleted, what ends the connection. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h2_case.h"

#define FRAMES_MAX 10

struct lit {
	bool used;
	enum wk_dir dir;
	uint8_t type;
	uint8_t flags;
	uint32_t id;
	const char *p;
	size_t n;
};

/* clang-format off */
#define C(type, flags, id, p) { true, WK_C2S, type, flags, id, p, sizeof(p) - 1 }
#define S(type, flags, id, p) { true, WK_S2C, type, flags, id, p, sizeof(p) - 1 }
/* clang-format on */

/* Frame types. */
#define DATA 0
#define HEAD 1
#define PRIO 2
#define RSTS 3
#define SETT 4
#define PUSH 5
#define PING 6
#define GOAW 7
#define WIND 8
#define CONT 9
#define UNKN 0xbe
/* Flags: end of stream, end of headers, padded, priority. */
#define ES 1
#define EH 4
#define PA 8
#define PR 0x20

/* clang-format off */
/* Blocks that leave the dynamic table alone. */
#define GRPC	"\x0f\x10\x10" "application/grpc"
#define ALLOWED "\x83\x86\x04\x14/attack.Allowed/Ping" GRPC
#define DENIED	"\x83\x86\x04\x13/attack.Secret/Drop" GRPC
#define TRAILER "\x00\x03x-a\x01" "b"
#define ONE	"\0\0\0\1"
#define EIGHT	"12345678"
/* clang-format on */

struct table_case {
	const char *name;
	struct lit frame[FRAMES_MAX];
	enum wk_h2_error error;
	const char *c2s; /* after SETTINGS and ACK */
	const char *s2c;
};

/* clang-format off */
static const struct table_case cases[] = {
	{ "an_allowed_call_passes_with_its_data",
	  { C(HEAD, EH, 1, ALLOWED), C(DATA, ES, 1, "hello"), S(HEAD, EH | ES, 1, "\x88") },
	  WK_H2_E_OK, "H1 D1e", "H1e" },
	{ "a_denied_call_is_deleted_and_answered",
	  { C(HEAD, EH | ES, 1, DENIED) }, WK_H2_E_OK, "", "H1e" },
	{ "an_unfinished_denied_call_gets_rst_stream_as_well",
	  { C(HEAD, EH, 1, DENIED) }, WK_H2_E_OK, "", "H1e R1" },
	{ "all_frames_of_a_denied_stream_are_deleted",
	  { C(HEAD, EH, 1, DENIED), C(DATA, 0, 1, "abc"), C(WIND, 0, 1, ONE),
	    C(PRIO, 0, 1, "\0\0\0\3\1"), C(UNKN, 0, 1, "x"), C(RSTS, 0, 1, ONE),
	    C(HEAD, EH | ES, 1, TRAILER), C(DATA, ES, 1, ""), C(HEAD, EH | ES, 3, ALLOWED) },
	  WK_H2_E_OK, "H3e", "H1e R1" },
	{ "a_neighbour_stream_goes_on_after_a_denial",
	  { C(HEAD, EH, 1, ALLOWED), C(HEAD, EH | ES, 3, DENIED), C(DATA, 0, 1, "abc"),
	    C(WIND, 0, 1, ONE), C(WIND, 0, 0, ONE), C(HEAD, EH | ES, 1, TRAILER) },
	  WK_H2_E_OK, "H1 D1 W1 W0 H1e", "H3e" },
	{ "continuation_of_an_allowed_block_passes",
	  { C(HEAD, 0, 1, ""), C(CONT, 0, 1, "\x83\x86\x04\x14/attack.Al"),
	    C(CONT, 0, 1, "lowed/Ping"), C(CONT, EH, 1, "") },
	  WK_H2_E_OK, "H1 C1 C1 C1", "" },
	{ "continuation_of_a_denied_block_is_deleted",
	  { C(HEAD, ES, 1, ""), C(CONT, 0, 1, "\x83\x86\x04\x13/attack.Sec"),
	    C(CONT, EH, 1, "ret/Drop") },
	  WK_H2_E_OK, "", "H1e" },
	{ "data_between_headers_and_continuation_is_an_error",
	  { C(HEAD, 0, 1, "\x83"), C(DATA, 0, 1, "x") }, WK_H2_E_SEQUENCE, "", "" },
	{ "ping_between_headers_and_continuation_is_an_error",
	  { C(HEAD, 0, 1, "\x83"), C(PING, 0, 0, EIGHT) }, WK_H2_E_SEQUENCE, "", "" },
	{ "an_unknown_type_between_headers_and_continuation_is_an_error",
	  { C(HEAD, 0, 1, "\x83"), C(UNKN, 0, 0, "") }, WK_H2_E_SEQUENCE, "", "" },
	{ "headers_between_headers_and_continuation_is_an_error",
	  { C(HEAD, 0, 1, "\x83"), C(HEAD, EH, 1, ALLOWED) }, WK_H2_E_SEQUENCE, "", "" },
	{ "continuation_of_another_stream_is_an_error",
	  { C(HEAD, 0, 1, ALLOWED), C(CONT, EH, 3, "") }, WK_H2_E_SEQUENCE, "", "" },
	{ "continuation_out_of_nowhere_is_an_error",
	  { C(CONT, EH, 1, ALLOWED) }, WK_H2_E_SEQUENCE, "", "" },
	{ "padding_and_priority_are_taken_off",
	  { C(HEAD, EH | PA, 1, "\2" ALLOWED "\0\0"), C(HEAD, EH | PR, 3, "\0\0\0\1\7" ALLOWED),
	    C(HEAD, EH | PA | PR, 5, "\1\x80\0\0\1\7" ALLOWED "\0"),
	    C(HEAD, EH | ES | PA | PR, 7, "\1\x80\0\0\1\7" DENIED "\0") },
	  WK_H2_E_OK, "H1 H3 H5", "H7e" },
	{ "padding_beyond_the_block_is_an_error",
	  { C(HEAD, EH | PA, 1, "\x2c" ALLOWED) }, WK_H2_E_PADDING, "", "" },
	{ "padding_beyond_the_block_and_priority_is_an_error",
	  { C(HEAD, EH | PA | PR, 1, "\3\0\0\0\3\1\x83\x86") }, WK_H2_E_PADDING, "", "" },
	{ "headers_too_short_for_their_priority_are_an_error",
	  { C(HEAD, EH | PR, 1, "\0\0\0\3") }, WK_H2_E_FRAME_SIZE, "", "" },
	{ "headers_that_depend_on_themselves_are_an_error",
	  { C(HEAD, EH | PR, 1, "\0\0\0\1\1" ALLOWED) }, WK_H2_E_STREAM_ID, "", "" },
	{ "padding_as_long_as_its_data_frame_is_an_error",
	  { C(HEAD, EH, 1, ALLOWED), C(DATA, PA, 1, "\4abc") }, WK_H2_E_PADDING, "H1", "" },
	{ "padding_of_a_denied_data_frame_is_checked_too",
	  { C(HEAD, EH | ES, 1, DENIED), C(DATA, PA, 1, "\4abc") }, WK_H2_E_PADDING, "", "H1e" },
	{ "padded_data_without_a_length_is_an_error",
	  { C(HEAD, EH, 1, ALLOWED), C(DATA, PA, 1, "") }, WK_H2_E_FRAME_SIZE, "H1", "" },
	{ "padded_data_passes",
	  { C(HEAD, EH, 1, ALLOWED), C(DATA, PA | ES, 1, "\3a\0\0\0") }, WK_H2_E_OK, "H1 D1e", "" },
	{ "the_reserved_bit_is_not_part_of_the_stream_id",
	  { C(HEAD, EH, 0x80000001u, ALLOWED), C(DATA, ES, 1, "a"),
	    C(HEAD, EH | ES, 0x80000003u, DENIED), C(DATA, ES, 3, "a") },
	  WK_H2_E_OK, "H1 D1e", "H3e" },
	{ "headers_on_stream_zero_are_an_error",
	  { C(HEAD, EH, 0, ALLOWED) }, WK_H2_E_STREAM_ID, "", "" },
	{ "headers_on_an_even_stream_are_an_error",
	  { C(HEAD, EH, 2, ALLOWED) }, WK_H2_E_STREAM_ID, "", "" },
	{ "headers_on_a_lower_stream_are_an_error",
	  { C(HEAD, EH | ES, 5, ALLOWED), C(HEAD, EH, 3, ALLOWED) }, WK_H2_E_STREAM_ID, "H5e", "" },
	{ "a_request_on_a_lower_stream_with_its_end_is_an_error",
	  { C(HEAD, EH | ES, 5, ALLOWED), C(HEAD, EH | ES, 3, ALLOWED) },
	  WK_H2_E_TRAILERS, "H5e", "" },
	{ "a_request_on_a_denied_stream_is_an_error",
	  { C(HEAD, EH, 5, DENIED), C(HEAD, EH | ES, 5, ALLOWED) }, WK_H2_E_TRAILERS, "", "H5e R5" },
	{ "after_the_highest_id_nothing_can_be_opened",
	  { C(HEAD, EH | ES, 0x7fffffff, DENIED), C(HEAD, EH, 3, ALLOWED) },
	  WK_H2_E_STREAM_ID, "", "H2147483647e" },
	{ "trailers_with_a_pseudo_header_are_an_error",
	  { C(HEAD, EH, 1, ALLOWED), C(HEAD, EH | ES, 1, DENIED) }, WK_H2_E_TRAILERS, "H1", "" },
	{ "trailers_without_the_end_are_an_error",
	  { C(HEAD, EH, 1, ALLOWED), C(HEAD, EH, 1, TRAILER) }, WK_H2_E_TRAILERS, "H1", "" },
	{ "trailers_after_the_end_are_an_error",
	  { C(HEAD, EH | ES, 1, ALLOWED), C(HEAD, EH | ES, 1, TRAILER) },
	  WK_H2_E_STREAM_CLOSED, "H1e", "" },
	{ "data_after_the_end_is_an_error",
	  { C(HEAD, EH, 1, ALLOWED), C(DATA, ES, 1, ""), C(DATA, 0, 1, "a") },
	  WK_H2_E_STREAM_CLOSED, "H1 D1e", "" },
	{ "data_on_stream_zero_is_an_error",
	  { C(DATA, 0, 0, "a") }, WK_H2_E_STREAM_ID, "", "" },
	{ "data_on_an_idle_stream_is_an_error",
	  { C(DATA, 0, 3, "a") }, WK_H2_E_STREAM_ID, "", "" },
	{ "after_a_deletion_frames_on_idle_streams_are_deleted",
	  { C(HEAD, EH | ES, 1, DENIED), C(DATA, 0, 3, "a"), C(RSTS, 0, 5, ONE), C(WIND, 0, 8, ONE),
	    C(PRIO, 0, 9, "\0\0\0\1\1") },
	  WK_H2_E_OK, "", "H1e" },
	{ "priority_and_rst_stream_pass_on_an_idle_stream",
	  { C(PRIO, 0, 3, "\0\0\0\0\1"), C(RSTS, 0, 5, ONE) }, WK_H2_E_OK, "P3 R5", "" },
	{ "window_update_on_an_idle_stream_is_an_error",
	  { C(WIND, 0, 3, ONE) }, WK_H2_E_STREAM_ID, "", "" },
	{ "an_unknown_type_on_an_idle_stream_is_an_error",
	  { C(UNKN, 0, 3, "") }, WK_H2_E_STREAM_ID, "", "" },
	{ "late_frames_on_closed_streams_pass_while_nothing_is_deleted",
	  { C(HEAD, EH | ES, 1, ALLOWED), S(HEAD, EH | ES, 1, "\x88"), C(WIND, 0, 1, ONE),
	    C(RSTS, 0, 1, ONE), C(DATA, ES, 1, "x"), C(HEAD, EH | ES, 1, TRAILER) },
	  WK_H2_E_OK, "H1e W1 R1 D1e H1e", "H1e" },
	{ "late_frames_on_closed_streams_are_deleted_after_a_deletion",
	  { C(HEAD, EH | ES, 1, ALLOWED), S(HEAD, EH | ES, 1, "\x88"), C(HEAD, EH | ES, 3, DENIED),
	    C(WIND, 0, 1, ONE), C(RSTS, 0, 1, ONE), C(DATA, 0, 1, "x"), C(HEAD, EH | ES, 1, TRAILER) },
	  WK_H2_E_OK, "H1e", "H1e H3e" },
	{ "rst_stream_of_the_server_closes_an_allowed_stream",
	  { C(HEAD, EH, 1, ALLOWED), C(HEAD, EH | ES, 3, DENIED), C(DATA, 0, 1, "a"),
	    S(RSTS, 0, 1, ONE), C(DATA, 0, 1, "b") },
	  WK_H2_E_OK, "H1 D1", "H3e R1" },
	{ "the_end_of_the_server_alone_leaves_a_stream_open",
	  { C(HEAD, EH, 1, ALLOWED), C(HEAD, EH | ES, 3, DENIED), S(HEAD, EH, 1, "\x88"),
	    S(DATA, ES, 1, "a"), C(DATA, 0, 1, "b"), C(DATA, ES, 1, ""), C(WIND, 0, 1, ONE) },
	  WK_H2_E_OK, "H1 D1 D1e", "H3e H1 D1e" },
	{ "frames_of_stream_zero_pass_after_a_deletion",
	  { C(HEAD, EH | ES, 1, DENIED), C(PING, 0, 0, EIGHT), C(SETT, 0, 0, "\0\4\0\0\0\1"),
	    C(UNKN, 0, 0, "abc"), C(GOAW, 0, 0, EIGHT "why") },
	  WK_H2_E_OK, "I0 S0 U0 A0", "H1e" },
	{ "priority_update_of_a_denied_stream_is_deleted",
	  { C(HEAD, EH, 1, ALLOWED), C(0x10, 0, 0, "\0\0\0\3u=1"), C(HEAD, EH | ES, 3, DENIED),
	    C(0x10, 0, 0, "\0\0\0\3u=1"), C(0x10, 0, 0, "\0\0\0\1u=1") },
	  WK_H2_E_OK, "H1 U0 U0", "H3e" },
	{ "priority_update_on_a_stream_is_an_error",
	  { C(0x10, 0, 1, "\0\0\0\3u=1") }, WK_H2_E_STREAM_ID, "", "" },
	{ "push_promise_of_a_client_is_an_error",
	  { C(PUSH, EH, 1, "\0\0\0\2\x88") }, WK_H2_E_PUSH, "", "" },
	{ "settings_of_an_odd_length_are_an_error",
	  { C(SETT, 0, 0, "\0\4\0\0\0") }, WK_H2_E_FRAME_SIZE, "", "" },
	{ "settings_on_a_stream_are_an_error",
	  { C(SETT, 0, 3, "") }, WK_H2_E_SETTINGS, "", "" },
	{ "a_settings_ack_with_payload_is_an_error",
	  { C(SETT, 1, 0, "\0\4\0\0\0\1") }, WK_H2_E_FRAME_SIZE, "", "" },
	{ "a_settings_ack_of_nothing_is_an_error",
	  { C(SETT, 1, 0, "") }, WK_H2_E_SETTINGS, "", "" },
	{ "enable_push_of_two_is_an_error",
	  { C(SETT, 0, 0, "\0\2\0\0\0\2") }, WK_H2_E_SETTINGS, "", "" },
	{ "an_initial_window_above_its_limit_is_an_error",
	  { C(SETT, 0, 0, "\0\4\x80\0\0\0") }, WK_H2_E_FLOW_CONTROL, "", "" },
	{ "a_max_frame_size_below_its_limit_is_an_error",
	  { C(SETT, 0, 0, "\0\5\0\0\x3f\xff") }, WK_H2_E_SETTINGS, "", "" },
	{ "a_window_update_of_zero_is_an_error",
	  { C(WIND, 0, 0, "\x80\0\0\0") }, WK_H2_E_WINDOW, "", "" },
	{ "a_window_may_grow_to_its_limit",
	  { C(HEAD, EH, 1, ALLOWED), C(WIND, 0, 0, "\x7f\xff\0\0"), C(WIND, 0, 1, "\x7f\xff\0\0"),
	    S(DATA, 0, 1, "12345"), C(WIND, 0, 0, "\0\0\0\5"), C(WIND, 0, 1, "\0\0\0\5") },
	  WK_H2_E_OK, "H1 W0 W1 W0 W1", "D1" },
	{ "a_window_of_a_stream_beyond_its_limit_is_an_error",
	  { C(HEAD, EH, 1, ALLOWED), C(WIND, 0, 1, "\x7f\xff\0\0"), S(DATA, 0, 1, "12345"),
	    C(WIND, 0, 1, "\0\0\0\6") },
	  WK_H2_E_FLOW_CONTROL, "H1 W1", "D1" },
	{ "the_window_of_the_connection_beyond_its_limit_is_an_error",
	  { C(WIND, 0, 0, "\x7f\xff\0\0"), C(WIND, 0, 0, ONE) }, WK_H2_E_FLOW_CONTROL, "W0", "" },
	{ "the_initial_window_counts",
	  { C(SETT, 0, 0, "\0\4\x7f\xff\xff\xff"), C(HEAD, EH, 1, ALLOWED), C(WIND, 0, 1, ONE) },
	  WK_H2_E_FLOW_CONTROL, "S0 H1", "" },
	{ "a_window_update_of_three_bytes_is_an_error",
	  { C(WIND, 0, 0, "\0\0\1") }, WK_H2_E_FRAME_SIZE, "", "" },
	{ "a_priority_of_four_bytes_is_an_error",
	  { C(PRIO, 0, 3, "\0\0\0\1") }, WK_H2_E_FRAME_SIZE, "", "" },
	{ "a_priority_on_itself_is_an_error",
	  { C(PRIO, 0, 3, "\0\0\0\3\1") }, WK_H2_E_STREAM_ID, "", "" },
	{ "a_priority_on_stream_zero_is_an_error",
	  { C(PRIO, 0, 0, "\0\0\0\3\1") }, WK_H2_E_STREAM_ID, "", "" },
	{ "a_rst_stream_on_stream_zero_is_an_error",
	  { C(RSTS, 0, 0, ONE) }, WK_H2_E_STREAM_ID, "", "" },
	{ "a_ping_on_a_stream_is_an_error",
	  { C(PING, 0, 1, EIGHT) }, WK_H2_E_STREAM_ID, "", "" },
	{ "a_ping_of_seven_bytes_is_an_error",
	  { C(PING, 0, 0, "1234567") }, WK_H2_E_FRAME_SIZE, "", "" },
	{ "a_goaway_of_seven_bytes_is_an_error",
	  { C(GOAW, 0, 0, "1234567") }, WK_H2_E_FRAME_SIZE, "", "" },
	{ "what_came_before_an_error_is_carried_out",
	  { C(HEAD, EH, 1, ALLOWED), C(HEAD, EH | ES, 3, DENIED), C(WIND, 0, 0, "\0\0\0\0") },
	  WK_H2_E_WINDOW, "H1", "H3e" },
	{ "a_push_promise_of_the_server_opens_its_stream",
	  { C(HEAD, EH | ES, 1, ALLOWED), S(PUSH, EH, 1, "\0\0\0\2\x82"), C(WIND, 0, 2, ONE),
	    C(RSTS, 0, 2, ONE) },
	  WK_H2_E_OK, "H1e W2 R2", "X1" },
	{ "a_server_that_breaks_into_its_block_is_an_error",
	  { S(HEAD, 0, 1, "\x88"), S(DATA, 0, 1, "x") }, WK_H2_E_SERVER, "", "H1" },
	{ "a_server_that_continues_nothing_is_an_error",
	  { S(CONT, EH, 1, "\x88") }, WK_H2_E_SERVER, "", "" },
};
/* clang-format on */

static void run_table_case(struct h2_kit *kit, const void *arg)
{
	const struct table_case *c = arg;
	char buf[512];

	h2_kit_start(kit);
	for (uint32_t i = 0; i < FRAMES_MAX && c->frame[i].used; i++) {
		const struct lit *f = &c->frame[i];

		h2_kit_frame(kit, f->dir, f->type, f->flags, f->id, f->p, f->n);
	}
	assert_string_equal(wk_h2_error_key(wk_h2_error(kit->conn)), wk_h2_error_key(c->error));
	assert_true(kit->ended == (c->error != WK_H2_E_OK));
	assert_string_equal(h2_case_frames(kit, WK_C2S, 2, buf, sizeof(buf)), c->c2s);
	assert_string_equal(h2_case_frames(kit, WK_S2C, 2, buf, sizeof(buf)), c->s2c);
}

static void table_case(void **state)
{
	h2_case_run(run_table_case, *state);
}

struct opening {
	const char *bytes;
	size_t n;
	enum wk_h2_error error;
	bool ended;
	size_t out_b;
};

/* clang-format off */
#define OPENING(s, error, ended, out_b) { s, sizeof(s) - 1, error, ended, out_b }
#define PRI				"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
static const struct opening openings[] = {
	OPENING("", WK_H2_E_OK, false, 0),
	OPENING("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", WK_H2_E_OK, false, 0),
	OPENING(PRI, WK_H2_E_OK, false, 24),
	OPENING(PRI "\0\0\0\4\0\0\0\0\0", WK_H2_E_OK, false, 33),
	OPENING(PRI "\0\0\0\4\1\0\0\0\0", WK_H2_E_PREFACE, true, 24),
	OPENING(PRI "\0\0\1\1\5\0\0\0\1", WK_H2_E_PREFACE, true, 24),
	OPENING(PRI "\0\0\0\4\0\0\0\0\1", WK_H2_E_SETTINGS, true, 24),
	OPENING("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", WK_H2_E_NOT_H2, true, 0),
	OPENING("P", WK_H2_E_OK, false, 0),
	OPENING("PO", WK_H2_E_OK, false, 0),
	OPENING("POST ", WK_H2_E_NOT_H2_HTTP1, true, 0),
	OPENING("POST /attack.Secret/Drop HTTP/1.1\r\n", WK_H2_E_NOT_H2_HTTP1, true, 0),
	OPENING("GET / HTTP/1.1\r\nUpgrade: h2c\r\n", WK_H2_E_NOT_H2_HTTP1, true, 0),
	OPENING("OPTIONS * HTTP/1.1", WK_H2_E_NOT_H2_HTTP1, true, 0),
	OPENING("POX", WK_H2_E_NOT_H2, true, 0),
	OPENING("\x16", WK_H2_E_OK, false, 0),
	OPENING("\x16\x03\x01\x02", WK_H2_E_NOT_H2_TLS, true, 0),
	OPENING("\x16\x02", WK_H2_E_NOT_H2, true, 0),
	OPENING("SSH-2.0-x", WK_H2_E_NOT_H2, true, 0),
	OPENING("\0", WK_H2_E_NOT_H2, true, 0),
};
/* clang-format on */

static void run_opening(struct h2_kit *kit, const void *arg)
{
	const struct opening *c = arg;
	uint8_t buf[256];
	uint32_t n;

	h2_kit_send(kit, WK_C2S, c->bytes, c->n);
	assert_int_equal(wk_h2_error(kit->conn), c->error);
	assert_true(kit->ended == c->ended);
	assert_int_equal(kit->out[WK_C2S].n, c->out_b);
	n = wk_h2_farewell(kit->conn, buf, sizeof(buf));
	assert_true((n > 0) == (c->error == WK_H2_E_NOT_H2_HTTP1));
	if (n > 0)
		assert_memory_equal(buf, "HTTP/1.1 403 ", 13);
}

static void openings_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++)
		h2_case_run(run_opening, &openings[i]);
}

static void run_data_extent(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes inner = { 0 };

	(void)arg;
	h2_kit_start(kit);
	h2_put_preface(&inner);
	h2_put(&inner, 1, 5, 3, DENIED, sizeof(DENIED) - 1);
	h2_kit_frame(kit, WK_C2S, 1, 4, 1, ALLOWED, sizeof(ALLOWED) - 1);
	h2_kit_frame(kit, WK_C2S, 0, 1, 1, inner.p, inner.n);
	assert_int_equal(kit->n_decided, 1);
	assert_false(kit->ended);
	h2_bytes_free(&inner);
}

static void data_that_looks_like_frames_is_data(void **state)
{
	(void)state;
	h2_case_run(run_data_extent, NULL);
}

static void send_big(struct h2_kit *kit, uint8_t type, uint8_t flags, uint32_t id, size_t n)
{
	char *payload = calloc(1, n);

	h2_kit_frame(kit, WK_C2S, type, flags, id, payload, n);
	free(payload);
}

static void run_big_data(struct h2_kit *kit, const void *arg)
{
	static const uint32_t server[][2] = { { 5, 4194303 } };
	struct h2_bytes hello = { 0 };
	const bool *announced = arg;

	h2_kit_start(kit);
	h2_put_settings(&hello, server, 1);
	if (*announced)
		h2_kit_send(kit, WK_S2C, hello.p, hello.n);
	h2_bytes_free(&hello);
	h2_kit_frame(kit, WK_C2S, 1, 4, 1, ALLOWED, sizeof(ALLOWED) - 1);
	send_big(kit, 0, 1, 1, 20000);
	assert_true(kit->ended != *announced);
	assert_int_equal(wk_h2_error(kit->conn), *announced ? WK_H2_E_OK : WK_H2_E_FRAME_SIZE);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 0, 1), *announced ? 1 : 0);
}

static void data_may_be_as_long_as_the_server_says(void **state)
{
	static const bool yes = true, no = false;

	(void)state;
	h2_case_run(run_big_data, &yes);
	h2_case_run(run_big_data, &no);
}

static void run_passive(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes in = { 0 };

	(void)arg;
	kit->env.passive = true;
	kit->frozen_policy = true;
	h2_kit_start(kit);
	h2_put(&in, 1, 4, 1, DENIED, sizeof(DENIED) - 1);
	h2_put(&in, 0, 1, 1, "abc", 3);
	h2_put(&in, 1, 5, 3, "\x82", 1); /* malformed */
	h2_put(&in, 1, 5, 5, ALLOWED, sizeof(ALLOWED) - 1);
	h2_kit_send(kit, WK_C2S, in.p, in.n);
	assert_false(kit->ended);
	assert_memory_equal(kit->out[WK_C2S].p + kit->out[WK_C2S].n - in.n, in.p, in.n);
	assert_int_equal(kit->n_decided, 2);
	assert_int_equal(kit->n_refused, 1);
	assert_int_equal(wk_h2_pending(kit->conn, &kit->env), 0);
	h2_bytes_free(&in);
}

static void passive_mode_changes_nothing(void **state)
{
	(void)state;
	h2_case_run(run_passive, NULL);
}

static void run_reset(struct h2_kit *kit, const void *arg)
{
	uint8_t buf[64];

	(void)arg;
	kit->frozen_policy = true;
	h2_kit_start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 5, 1, DENIED, sizeof(DENIED) - 1);
	assert_true(kit->ended);
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_POLICY);
	assert_int_equal(wk_h2_farewell(kit->conn, buf, sizeof(buf)), 0);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, -1), 0);
}

static void a_verdict_of_reset_ends_the_connection(void **state)
{
	(void)state;
	h2_case_run(run_reset, NULL);
}

static void run_farewell(struct h2_kit *kit, const void *arg)
{
	static const uint8_t want[] = { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1 };
	uint8_t buf[64];

	(void)arg;
	h2_kit_start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 5, 1, ALLOWED, sizeof(ALLOWED) - 1);
	h2_kit_frame(kit, WK_C2S, 1, 5, 3, DENIED, sizeof(DENIED) - 1);
	h2_kit_frame(kit, WK_C2S, 9, 4, 3, "", 0);
	assert_true(kit->ended);
	assert_int_equal(wk_h2_farewell(kit->conn, buf, sizeof(buf)), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(wk_h2_farewell(kit->conn, buf, 16), 0);
}

static void the_farewell_names_the_highest_stream_of_the_server(void **state)
{
	(void)state;
	h2_case_run(run_farewell, NULL);
}

/* RFC 9113 4.2, 6.5, 6.5.2, 6.9, 6.9.1. */
static const struct goodbye {
	uint8_t type, flags, id;
	const char *payload;
	uint32_t len_b;
	enum wk_h2_code code;
} goodbyes[] = {
	{ 4, 0, 0, "\0\4\0\0\0", 5, WK_H2_FRAME_SIZE_ERROR },
	{ 4, 1, 0, "\0\4\0\0\0\1", 6, WK_H2_FRAME_SIZE_ERROR },
	{ 4, 0, 1, "", 0, WK_H2_PROTOCOL_ERROR },
	{ 4, 0, 0, "\0\2\0\0\0\2", 6, WK_H2_PROTOCOL_ERROR },
	{ 4, 0, 0, "\0\4\x80\0\0\0", 6, WK_H2_FLOW_CONTROL_ERROR },
	{ 8, 0, 0, "\0\0\0\0", 4, WK_H2_PROTOCOL_ERROR },
	{ 8, 0, 0, "\x7f\xff\xff\xff", 4, WK_H2_FLOW_CONTROL_ERROR },
};

static void run_goodbye(struct h2_kit *kit, const void *arg)
{
	const struct goodbye *c = arg;
	uint8_t buf[64];

	h2_kit_start(kit);
	h2_kit_frame(kit, WK_C2S, c->type, c->flags, c->id, c->payload, c->len_b);
	assert_true(kit->ended);
	assert_int_equal(wk_h2_farewell(kit->conn, buf, sizeof(buf)), 17);
	assert_int_equal(buf[3], 7);
	assert_int_equal(buf[16], c->code);
}

static void the_farewell_has_the_code_of_the_rule_that_was_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(goodbyes) / sizeof(goodbyes[0]); i++)
		h2_case_run(run_goodbye, &goodbyes[i]);
}

static void run_extent(struct h2_kit *kit, const void *arg)
{
	struct wk_op_list ops;
	uint8_t frame[9 + 5] = { 0, 0, 5, 0, 0, 0, 0, 0, 1 };

	(void)arg;
	h2_kit_start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 4, 1, ALLOWED, sizeof(ALLOWED) - 1);
	for (uint32_t dir = 0; dir < 2; dir++) {
		assert_int_equal(wk_h2_feed(kit->conn, dir, frame, 8, &kit->env, &ops), 0);
		assert_int_equal(ops.n, 0);
		assert_int_equal(ops.to_boundary_b, 0);
		assert_int_equal(wk_h2_feed(kit->conn, dir, frame, 11, &kit->env, &ops), 0);
		assert_int_equal(ops.to_boundary_b, 3);
		assert_false(ops.ops[ops.n - 1].boundary);
		assert_int_equal(wk_h2_feed(kit->conn, dir, frame + 11, 3, &kit->env, &ops), 0);
		assert_int_equal(ops.to_boundary_b, 0);
		assert_true(ops.ops[ops.n - 1].boundary);
	}
	frame[3] = 1; /* HEADERS, to be continued */
	assert_int_equal(wk_h2_feed(kit->conn, WK_S2C, frame, 11, &kit->env, &ops), 0);
	assert_int_equal(ops.to_boundary_b, WK_OP_BOUNDARY_UNKNOWN);
	assert_int_equal(wk_h2_feed(kit->conn, WK_S2C, frame + 11, 3, &kit->env, &ops), 0);
	assert_int_equal(ops.to_boundary_b, WK_OP_BOUNDARY_UNKNOWN);
	assert_false(ops.ops[ops.n - 1].boundary);
}

/* Only the payload of a DATA frame that goes to the server, and only once it is judged what the
 * payload is. */
static void run_promise(struct h2_kit *kit, const void *arg)
{
	uint8_t frame[9 + 5] = { 0, 0, 5, 0, 0, 0, 0, 0, 1, 2 };
	struct wk_op_list ops;

	(void)arg;
	h2_kit_start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 4, 1, ALLOWED, sizeof(ALLOWED) - 1);
	assert_int_equal(kit->promised_b, 0);
	assert_int_equal(wk_h2_feed(kit->conn, WK_C2S, frame, 9, &kit->env, &ops), 0);
	assert_int_equal(ops.pass_b, 5);
	assert_int_equal(wk_h2_feed(kit->conn, WK_C2S, frame + 9, 2, &kit->env, &ops), 0);
	assert_int_equal(ops.pass_b, 3);
	assert_int_equal(wk_h2_feed(kit->conn, WK_C2S, frame + 11, 3, &kit->env, &ops), 0);
	assert_int_equal(ops.pass_b, 0);
	/* Padded: the pad length first, since it may be an error. */
	frame[4] = 8;
	assert_int_equal(wk_h2_feed(kit->conn, WK_C2S, frame, 9, &kit->env, &ops), 0);
	assert_int_equal(ops.n, 0);
	assert_int_equal(ops.pass_b, 0);
	assert_int_equal(wk_h2_feed(kit->conn, WK_C2S, frame, 10, &kit->env, &ops), 0);
	assert_int_equal(ops.pass_b, 4);
	assert_int_equal(wk_h2_feed(kit->conn, WK_C2S, frame + 10, 4, &kit->env, &ops), 0);
	/* Of a denied call, and of the server, nothing is promised. */
	h2_kit_frame(kit, WK_C2S, 1, 4, 3, DENIED, sizeof(DENIED) - 1);
	frame[4] = 0;
	frame[8] = 3;
	assert_int_equal(wk_h2_feed(kit->conn, WK_C2S, frame, 11, &kit->env, &ops), 0);
	assert_int_equal(ops.ops[0].kind, WK_OP_DEL);
	assert_int_equal(ops.pass_b, 0);
	frame[8] = 1;
	assert_int_equal(wk_h2_feed(kit->conn, WK_S2C, frame, 11, &kit->env, &ops), 0);
	assert_int_equal(ops.pass_b, 0);
}

static void what_will_pass_whatever_it_says_is_told(void **state)
{
	(void)state;
	h2_case_run(run_promise, NULL);
}

static void the_distance_to_the_next_boundary_is_told(void **state)
{
	(void)state;
	h2_case_run(run_extent, NULL);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(what_will_pass_whatever_it_says_is_told),
		cmocka_unit_test(openings_are_told_apart),
		cmocka_unit_test(data_that_looks_like_frames_is_data),
		cmocka_unit_test(data_may_be_as_long_as_the_server_says),
		cmocka_unit_test(passive_mode_changes_nothing),
		cmocka_unit_test(a_verdict_of_reset_ends_the_connection),
		cmocka_unit_test(the_farewell_names_the_highest_stream_of_the_server),
		cmocka_unit_test(the_farewell_has_the_code_of_the_rule_that_was_broken),
		cmocka_unit_test(the_distance_to_the_next_boundary_is_told),
	};
	enum { N = sizeof(cases) / sizeof(cases[0]), M = sizeof(others) / sizeof(others[0]) };
	struct CMUnitTest tests[N + M];

	for (size_t i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){ cases[i].name, table_case, NULL, NULL,
						(void *)(uintptr_t)&cases[i] };
	memcpy(tests + N, others, sizeof(others));
	return cmocka_run_group_tests_name("h2", tests, NULL, NULL);
}
