/* SPDX-License-Identifier: Apache-2.0 */
/* What an ICMP error says of a packet on its way: the number that its sender knows it by, and what
 * has to be sent again. The letters of the peers: tcp_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

#define NONE UINT64_MAX
#define DATA "d123456789"

struct row {
	uint64_t out;
	uint64_t in; /* NONE: not under way */
};

static void check(const struct world *w, enum wk_dir dir, const struct row *rows, size_t n)
{
	uint32_t isn = dir == WK_C2S ? ISN_C : ISN_S;

	for (size_t i = 0; i < n; i++) {
		uint32_t seq = isn + (uint32_t)rows[i].out, got = 0;
		bool found = wk_tcp_quoted(&w->flow, dir, seq, &got);

		if (found != (rows[i].in != NONE))
			fail_msg("%d: number %d is under way: %d", dir, (int)rows[i].out, found);
		if (found && got != isn + (uint32_t)rows[i].in)
			fail_msg("%d: number %d is %d, not %d", dir, (int)rows[i].out,
				 (int)(got - isn), (int)rows[i].in);
	}
}
#define CHECK(w, dir, rows) check(w, dir, rows, sizeof(rows) / sizeof(rows[0]))

static void numbers_of_an_unedited_stream_stay(void **state)
{
	struct world *w = *state;
	static const struct row before[] = {
		{ 0, NONE }, { 1, 1 }, { 3, 3 }, { 6, 6 }, { 7, NONE }
	};
	static const struct row after[] = { { 3, NONE }, { 4, 4 }, { 6, 6 }, { 7, NONE } };

	from_client(w, "ABCDE");
	CHECK(w, WK_C2S, before);
	ack_from_server(w, ISN_C + 4);
	CHECK(w, WK_C2S, after);
}

/* AB, ten bytes deleted, CD, ten that become twenty, EF. */
static void numbers_around_a_deletion_and_a_replacement_are_translated(void **state)
{
	struct world *w = *state;
	static const struct row rows[] = {
		{ 0, NONE }, { 1, 1 },   { 2, 2 },   { 3, 13 },  { 4, 14 },  { 5, 15 },
		{ 6, 15 },   { 24, 15 }, { 25, 25 }, { 26, 26 }, { 27, 27 }, { 28, NONE },
	};

	from_client(w, "AB");
	from_client(w, DATA);
	from_client(w, "CD");
	from_client(w, "r123456789");
	from_client(w, "EF");
	CHECK(w, WK_C2S, rows);
}

static void numbers_around_an_insertion_are_translated(void **state)
{
	struct world *w = *state;
	static const struct row rows[] = {
		{ 0, NONE }, { 1, 1 }, { 3, 3 },  { 4, 3 },     { 7, 3 },
		{ 8, 3 },    { 9, 4 }, { 10, 5 }, { 11, NONE },
	};

	from_server(w, "ab");
	from_client(w, DATA);
	from_server(w, "cd");
	CHECK(w, WK_S2C, rows);
}

/* The deletion has been acknowledged to its sender and forgotten: the shift is left. */
static void numbers_after_forgotten_edits_are_translated(void **state)
{
	struct world *w = *state;
	static const struct row rows[] = {
		{ 2, NONE }, { 3, 13 }, { 4, 14 }, { 5, 15 }, { 6, NONE }
	};

	from_client(w, "AB");
	ack_from_server(w, ISN_C + 3);
	from_client(w, DATA);
	from_client(w, "CD");
	CHECK(w, WK_C2S, rows);
}

/* To its sender a number below its last acknowledgement would not be true. */
static void what_is_acknowledged_already_is_not_told(void **state)
{
	struct world *w = *state;
	static const struct row rows[] = {
		{ 0, NONE }, { 1, 11 }, { 6, 11 }, { 11, 11 }, { 12, NONE }
	};

	from_client(w, "h123");
	from_client(w, "456789");
	CHECK(w, WK_C2S, rows);
}

static void a_fin_has_a_number_too(void **state)
{
	struct world *w = *state;
	static const struct row rows[] = { { 1, 11 }, { 2, 12 }, { 3, 13 }, { 4, NONE } };

	from_client(w, DATA);
	from_client(w, "A");
	give(w, WK_C2S, w->c_seq, WK_TCP_ACK | WK_TCP_FIN, "");
	CHECK(w, WK_C2S, rows);
}

static void before_the_handshake_is_over_only_its_numbers_count(void **state)
{
	struct world w;

	(void)state;
	for (int passive = 0; passive < 2; passive++) {
		new_world(&w, passive);
		give(&w, WK_C2S, ISN_C, WK_TCP_SYN, "");
		for (uint32_t off = 0; off < 2; off++) {
			assert_true(wk_tcp_hs_quoted(&w.hs, WK_C2S, ISN_C + off));
			assert_false(wk_tcp_hs_quoted(&w.hs, WK_S2C, off));
		}
		w.s_ack = ISN_C + 1;
		give(&w, WK_S2C, ISN_S, WK_TCP_SYN | WK_TCP_ACK, "");
		assert_false(wk_tcp_hs_quoted(&w.hs, WK_C2S, ISN_C - 1));
		assert_false(wk_tcp_hs_quoted(&w.hs, WK_C2S, ISN_C + 2));
		assert_false(wk_tcp_hs_quoted(&w.hs, WK_S2C, ISN_S - 1));
		assert_true(wk_tcp_hs_quoted(&w.hs, WK_S2C, ISN_S));
		assert_true(wk_tcp_hs_quoted(&w.hs, WK_S2C, ISN_S + 1));
		assert_false(wk_tcp_hs_quoted(&w.hs, WK_S2C, ISN_S + 2));
		close_world(&w);
	}
}

static void after_the_handshake_its_numbers_are_old(void **state)
{
	struct world *w = *state;
	static const struct row rows[] = { { 0, NONE }, { 1, 1 }, { 2, NONE } };

	CHECK(w, WK_C2S, rows);
	CHECK(w, WK_S2C, rows);
	give(w, WK_C2S, w->c_seq, WK_TCP_RST, "");
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_CLOSED);
	assert_false(wk_tcp_quoted(&w->flow, WK_C2S, ISN_C + 1, &(uint32_t){ 0 }));
}

static unsigned int too_big(struct world *w, enum wk_dir dir, uint32_t seq, uint64_t since_ns)
{
	w->n_sent = 0;
	wk_tcp_too_big(&w->flow, dir, seq, 100, since_ns, &w->env);
	return w->n_sent;
}

static void what_only_we_can_send_is_sent_again_once(void **state)
{
	struct world *w = *state;
	uint32_t reply;
	uint64_t since_ns;

	from_server(w, "ab");
	reply = w->s_seq;
	from_client(w, DATA);
	since_ns = w->env.now_ns;
	/* It went out after the path was known. */
	assert_int_equal(too_big(w, WK_S2C, reply, since_ns), 0);
	w->env.now_ns += MS;
	since_ns = w->env.now_ns;
	assert_int_equal(too_big(w, WK_S2C, reply - 3, since_ns), 0); /* not under way */
	assert_int_equal(too_big(w, WK_S2C, reply + 6, since_ns), 0);
	/* Behind a byte that the server itself will send again. */
	assert_int_equal(too_big(w, WK_S2C, reply - 1, since_ns), 1);
	assert_sent(w, 0, WK_S2C, reply, w->c_seq, REPLY);
	assert_int_equal(too_big(w, WK_S2C, reply, since_ns), 0);
	/* Narrower still. */
	w->env.now_ns += MS;
	assert_int_equal(too_big(w, WK_S2C, reply + 2, w->env.now_ns), 1);
	assert_sent(w, 0, WK_S2C, reply + 2, w->c_seq, REPLY + 2);
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_REXMIT], 2);
}

/* The client's own segments are small: it would find nothing to send again. */
static void what_grew_on_its_way_is_sent_again(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "r123456789");
	from_client(w, "h123456789");
	w->env.now_ns += MS;
	/* Nothing but what it can send itself. */
	assert_int_equal(too_big(w, WK_C2S, seq + REPL_B, w->env.now_ns), 0);
	assert_int_equal(too_big(w, WK_C2S, seq, w->env.now_ns), 1);
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, REPL "h123456789");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(numbers_of_an_unedited_stream_stay),
		world_test(numbers_around_a_deletion_and_a_replacement_are_translated),
		world_test(numbers_around_an_insertion_are_translated),
		world_test(numbers_after_forgotten_edits_are_translated),
		world_test(what_is_acknowledged_already_is_not_told),
		world_test(a_fin_has_a_number_too),
		cmocka_unit_test(before_the_handshake_is_over_only_its_numbers_count),
		world_test(after_the_handshake_its_numbers_are_old),
		world_test(what_only_we_can_send_is_sent_again_once),
		world_test(what_grew_on_its_way_is_sent_again),
	};

	return cmocka_run_group_tests_name("tcp_path", tests, NULL, NULL);
}
