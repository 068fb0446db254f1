/* SPDX-License-Identifier: Apache-2.0 */
/* Requests seen before: judged without decoding, and only while that is certain to say the same. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h2_kit.h"

#define POST "\x83\x86"
#define TYPE                                                                                       \
	"\x00\x0c"                                                                                 \
	"content-type"                                                                             \
	"\x10"                                                                                     \
	"application/grpc"
#define PLAIN  "\x04\x14" H2_ALLOWED
#define PLAIN2 "\x04\x16" H2_ALLOWED2
#define DENIED "\x04\x13" H2_DENIED
#define CALL   POST PLAIN TYPE
#define CALL2  POST PLAIN2 TYPE
#define LENGTH5                                                                                    \
	"\x0f\x0d\x01"                                                                             \
	"5"

static uint64_t hits(const struct h2_kit *kit)
{
	return kit->stats.counter[WK_CNT_SEEN_HITS];
}

static uint64_t misses(const struct h2_kit *kit)
{
	return kit->stats.counter[WK_CNT_SEEN_MISSES];
}

static void send(struct h2_kit *kit, uint32_t id, uint8_t flags, const char *bytes, size_t len_b)
{
	h2_kit_frame(kit, WK_C2S, 1, flags, id, bytes, len_b);
}
#define SEND(kit, id, bytes) send(kit, id, 5, bytes, sizeof(bytes) - 1)

static void start(struct h2_kit *kit)
{
	h2_kit_init(kit, H2_WHOLE, 0);
	h2_kit_start(kit);
}

static void table_size(struct h2_kit *kit, uint32_t size_b)
{
	const uint32_t said[][2] = { { 1, size_b } };
	struct h2_bytes bytes = { 0 };

	h2_put_settings(&bytes, said, 1);
	h2_kit_send(kit, WK_S2C, bytes.p, bytes.n);
	h2_bytes_free(&bytes);
	h2_kit_frame(kit, WK_C2S, 4, 1, 0, NULL, 0);
}

static void nothing(struct h2_kit *kit)
{
	(void)kit;
}

static void deny_one(struct h2_kit *kit)
{
	SEND(kit, 3, POST DENIED TYPE);
}

static void fold(struct h2_kit *kit)
{
	wk_h2_fold(kit->conn, kit->mem);
}

static void same_settings(struct h2_kit *kit)
{
	table_size(kit, 4096);
}

static void insert(struct h2_kit *kit)
{
	SEND(kit, 3,
	     CALL "\x40\x01"
		  "a"
		  "\x01"
		  "b");
}

static void insert_in_trailers(struct h2_kit *kit)
{
	send(kit, 3, 4, CALL, sizeof(CALL) - 1);
	SEND(kit, 3,
	     "\x40\x01"
	     "a"
	     "\x01"
	     "b");
}

static void insert_and_be_denied(struct h2_kit *kit)
{
	SEND(kit, 3,
	     POST DENIED TYPE "\x40\x01"
			      "a"
			      "\x01"
			      "b");
}

static void size_update(struct h2_kit *kit)
{
	SEND(kit, 3, "\x3f\x01" CALL);
}

static void larger_table(struct h2_kit *kit)
{
	table_size(kit, 0);
	SEND(kit, 3, "\x20" POST DENIED TYPE);
}

static void settings_ack(struct h2_kit *kit)
{
	table_size(kit, 1024);
	SEND(kit, 3, "\x3f\xe1\x07" CALL2);
}

static void new_version(struct h2_kit *kit)
{
	kit->env.version++;
}

static void other_scope(struct h2_kit *kit)
{
	kit->env.scope++;
}

static void reencode(struct h2_kit *kit)
{
	kit->limits.reencode = true;
}

static void full(struct h2_kit *kit)
{
	kit->limits.streams = 0;
}

static const struct {
	const char *name;
	void (*between)(struct h2_kit *kit);
	bool hit;
} causes[] = {
	{ "nothing happens", nothing, true },
	{ "a denied call that changes nothing", deny_one, true },
	{ "a quiet time", fold, true },
	{ "SETTINGS that change nothing", same_settings, true },
	{ "an insertion", insert, false },
	{ "an insertion in trailers", insert_in_trailers, false },
	{ "an insertion of a denied call", insert_and_be_denied, false },
	{ "a size update", size_update, false },
	{ "a table emptied at an ACK", larger_table, false },
	{ "a table made smaller at an ACK", settings_ack, false },
	{ "a new version of the policy", new_version, false },
	{ "another service", other_scope, false },
	{ "blocks are written anew from here on", reencode, false },
	{ "there is no room for a stream", full, false },
};

static void what_empties_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		struct h2_kit kit;
		uint64_t before, decoded;

		start(&kit);
		SEND(&kit, 1, CALL);
		causes[i].between(&kit);
		before = hits(&kit);
		decoded = misses(&kit);
		SEND(&kit, 5, CALL);
		if (hits(&kit) - before != causes[i].hit ||
		    misses(&kit) - decoded != !causes[i].hit)
			fail_msg("%s", causes[i].name);
		assert_false(kit.ended);
		h2_kit_fini(&kit);
	}
}

/* Each differs from the CALL that was seen in what makes another request of it, or none. */
static const struct {
	const char *name;
	const char *bytes;
	size_t len_b;
	uint32_t id;
	uint8_t flags;
	bool ended; /* the connection */
} others[] = {
#define BYTES(s) s, sizeof(s) - 1
	{ "the last byte",
	  BYTES(POST PLAIN "\x00\x0c"
			   "content-type"
			   "\x10"
			   "application/grpd"),
	  5, 5, false },
	{ "a byte in the middle",
	  BYTES(POST "\x04\x14"
		     "/attack.Allowed/Pinh" TYPE),
	  5, 5, false },
	{ "a field more",
	  BYTES(CALL "\x00\x01"
		     "a"
		     "\x01"
		     "b"),
	  5, 5, false },
	{ "a field less", BYTES(POST PLAIN), 5, 5, false },
	{ "no END_STREAM", BYTES(CALL), 5, 4, false },
	{ "the place: trailers", BYTES(CALL), 3, 5, true },
	{ "the place: late trailers", BYTES(CALL), 1, 5, true },
};

static void what_is_not_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct h2_kit kit;

		start(&kit);
		SEND(&kit, 1, CALL);
		h2_kit_answer(&kit, 1);
		send(&kit, 3, 4, CALL2, sizeof(CALL2) - 1);
		send(&kit, others[i].id, others[i].flags, others[i].bytes, others[i].len_b);
		if (hits(&kit) != 0 || kit.ended != others[i].ended)
			fail_msg("%s", others[i].name);
		h2_kit_fini(&kit);
	}
}

/* An indexed field whose entry has become another: the same bytes, another path. */
static void the_same_bytes_under_another_table_are_another_request(void **state)
{
	struct h2_kit kit;

	(void)state;
	start(&kit);
	SEND(&kit, 1, POST "\x44\x14" H2_ALLOWED TYPE);
	SEND(&kit, 3, POST "\xbe" TYPE);
	SEND(&kit, 5, POST "\xbe" TYPE);
	assert_int_equal(hits(&kit), 1);
	SEND(&kit, 7, POST "\x44\x13" H2_DENIED TYPE);
	SEND(&kit, 9, POST "\xbe" TYPE);
	assert_int_equal(hits(&kit), 1);
	assert_int_equal(kit.n_decided, 5);
	assert_string_equal(kit.decided[2].path, H2_ALLOWED);
	assert_string_equal(kit.decided[4].path, H2_DENIED);
	assert_int_equal(kit.decided[4].verdict, WK_H2_DENY);
	assert_int_equal(h2_kit_count(&kit, WK_C2S, 1, 9), 0);
	h2_kit_fini(&kit);
}

/* It would insert again. */
static void a_block_that_inserts_is_decoded_each_time(void **state)
{
	struct h2_kit kit;

	(void)state;
	start(&kit);
	for (uint32_t id = 1; id < 9; id += 2)
		SEND(&kit, id,
		     CALL "\x40\x01"
			  "a"
			  "\x01"
			  "b");
	assert_int_equal(hits(&kit), 0);
	assert_int_equal(misses(&kit), 4);
	h2_kit_fini(&kit);
}

/* Where the server has lowered the table a decoder insists on a size update: so does wicket. */
static void a_seen_block_without_its_size_update_ends_the_connection(void **state)
{
	struct h2_kit kit;

	(void)state;
	start(&kit);
	SEND(&kit, 1, CALL);
	table_size(&kit, 1024);
	SEND(&kit, 3, CALL);
	assert_int_equal(hits(&kit), 0);
	assert_true(kit.ended);
	assert_int_equal(wk_h2_error(kit.conn), WK_H2_E_HPACK);
	h2_kit_fini(&kit);
}

/* Nothing is remembered of it, so nothing is said in its place. */
static void a_denied_call_is_decoded_each_time(void **state)
{
	struct h2_kit kit;

	(void)state;
	start(&kit);
	for (uint32_t id = 1; id < 9; id += 2)
		SEND(&kit, id, POST DENIED TYPE);
	assert_int_equal(hits(&kit), 0);
	assert_int_equal(misses(&kit), 4);
	for (uint32_t id = 1; id < 9; id += 2)
		assert_int_equal(h2_kit_count(&kit, WK_S2C, 1, id), 1);
	h2_kit_fini(&kit);
}

/* Content-length is checked against the DATA of each call. */
static void a_seen_call_has_its_content_length(void **state)
{
	struct h2_kit kit;

	(void)state;
	start(&kit);
	send(&kit, 1, 4, BYTES(CALL LENGTH5));
	h2_kit_frame(&kit, WK_C2S, 0, 1, 1, "12345", 5);
	send(&kit, 3, 4, BYTES(CALL LENGTH5));
	assert_int_equal(hits(&kit), 1);
	h2_kit_frame(&kit, WK_C2S, 0, 1, 3, "1234", 4);
	assert_true(kit.ended);
	assert_int_equal(wk_h2_error(kit.conn), WK_H2_E_LENGTH);
	h2_kit_fini(&kit);
}

/* The latest stay. */
static void no_more_are_remembered_than_the_limit_says(void **state)
{
	static const uint32_t limits[] = { 0, 1, 2, 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct h2_kit kit;

		start(&kit);
		kit.limits.seen_blocks = limits[i];
		SEND(&kit, 1, CALL);
		SEND(&kit, 3, CALL2);
		SEND(&kit, 5, CALL);
		assert_int_equal(hits(&kit), limits[i] >= 2);
		SEND(&kit, 7,
		     CALL "\x00\x01"
			  "a"
			  "\x01"
			  "b");
		SEND(&kit, 9, CALL);
		assert_int_equal(hits(&kit), (limits[i] >= 2) * 2);
		SEND(&kit, 11, CALL2);
		assert_int_equal(hits(&kit), (limits[i] >= 2) * 2 + (limits[i] >= 3));
		assert_int_equal(hits(&kit) + misses(&kit), limits[i] > 0 ? 6 : 0);
		assert_int_equal(kit.n_decided, 6);
		h2_kit_fini(&kit);
	}
}

static void a_long_block_is_not_remembered_and_counted(void **state)
{
	struct h2_kit kit;

	(void)state;
	start(&kit);
	kit.limits.seen_block_b = sizeof(CALL) - 2;
	SEND(&kit, 1, CALL);
	SEND(&kit, 3, CALL);
	assert_int_equal(hits(&kit), 0);
	assert_int_equal(kit.stats.counter[WK_CNT_SEEN_LONG], 2);
	kit.limits.seen_block_b++;
	SEND(&kit, 5, CALL);
	SEND(&kit, 7, CALL);
	assert_int_equal(hits(&kit), 1);
	assert_int_equal(kit.stats.counter[WK_CNT_SEEN_LONG], 2);
	h2_kit_fini(&kit);
}

/* Padding, priority and CONTINUATION are no part of it. */
static void frames_around_a_block_do_not_matter(void **state)
{
	static const char padded[] = "\x03" CALL "\0\0";
	struct h2_kit kit;

	(void)state;
	start(&kit);
	SEND(&kit, 1, CALL);
	send(&kit, 3, 0x0d, padded, sizeof(padded));
	send(&kit, 5, 0x25, BYTES("\0\0\0\1\x10" CALL));
	send(&kit, 7, 0x01, BYTES(POST PLAIN));
	h2_kit_frame(&kit, WK_C2S, 9, 4, 7, BYTES(TYPE));
	assert_int_equal(hits(&kit), 3);
	assert_int_equal(kit.n_decided, 4);
	h2_kit_fini(&kit);
}

/* A running call is judged again by its own request, also if that was not decoded for it. */
static void a_seen_call_can_be_revoked(void **state)
{
	struct h2_kit kit;

	(void)state;
	h2_kit_init(&kit, H2_WHOLE, 0);
	kit.limits.ticket_b = 1024;
	h2_kit_restart(&kit);
	h2_kit_start(&kit);
	SEND(&kit, 1, CALL);
	SEND(&kit, 3, CALL);
	SEND(&kit, 5, CALL2);
	h2_kit_answer(&kit, 1);
	SEND(&kit, 7, CALL);
	assert_int_equal(hits(&kit), 2);
	assert_int_equal(h2_kit_review(&kit, H2_ALLOWED), 2);
	assert_int_equal(h2_kit_count(&kit, WK_C2S, 3, 3), 1);
	assert_int_equal(h2_kit_count(&kit, WK_C2S, 3, 5), 0);
	assert_int_equal(h2_kit_count(&kit, WK_C2S, 3, 7), 1);
	h2_kit_fini(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_empties_it),
		cmocka_unit_test(what_is_not_the_same),
		cmocka_unit_test(the_same_bytes_under_another_table_are_another_request),
		cmocka_unit_test(a_block_that_inserts_is_decoded_each_time),
		cmocka_unit_test(a_seen_block_without_its_size_update_ends_the_connection),
		cmocka_unit_test(a_denied_call_is_decoded_each_time),
		cmocka_unit_test(a_seen_call_has_its_content_length),
		cmocka_unit_test(no_more_are_remembered_than_the_limit_says),
		cmocka_unit_test(a_long_block_is_not_remembered_and_counted),
		cmocka_unit_test(frames_around_a_block_do_not_matter),
		cmocka_unit_test(a_seen_call_can_be_revoked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
