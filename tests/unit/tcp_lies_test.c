/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer says that cannot be: found by the fuzz target tcp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

static void an_acknowledgement_of_a_hole_is_not_believed(void **state)
{
	struct world *w = *state;

	from_server(w, "x");
	/* Goes on out of order; the three bytes in front of it nobody has. */
	assert_int_equal(give(w, WK_S2C, w->s_seq + 3, WK_TCP_ACK, "ABC")->verdict, WK_TCP_FORWARD);
	assert_int_equal(ack_from_client(w, w->s_seq + 1)->reason, WK_DROP_BADACK);
	assert_int_equal(ack_from_client(w, w->s_seq + 6)->reason, WK_DROP_BADACK);
	assert_int_equal(ack_from_client(w, w->s_seq)->verdict, WK_TCP_FORWARD);
}

static void an_acknowledgement_below_the_first_byte_is_old(void **state)
{
	struct world *w = *state;

	w->c_ack = ISN_S;
	assert_int_equal(from_client(w, "abc")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, WK_TCP_EDIT_NUMBERS);
	assert_int_equal(w->result.ack, ISN_S + 1);
	/* Nor does its window count from the first byte. */
	w->wnd[WK_C2S] = 61000;
	from_client(w, "xyz");
	assert_int_equal(w->result.edits, WK_TCP_EDIT_NUMBERS);
	assert_int_equal(w->result.wnd, 60000);
}

/* The server knows what it has sent before the box does: it takes a segment whose ACK is beyond
 * that, and another copy, which is read here, comes too late. */
static void bytes_that_a_passive_flow_let_by_unread_keep_it_from_being_enforced(void **state)
{
	static const struct {
		const char *what;
		int32_t seq, ack;
	} cases[] = {
		{ "acknowledges what the box has not seen yet", 0, 5 },
		{ "begins in front of the first byte", -4, 0 },
	};
	bool mid_stream;
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_world(&w, true);
		w.c_ack += (uint32_t)cases[i].ack;
		give(&w, WK_C2S, w.c_seq + (uint32_t)cases[i].seq, WK_TCP_ACK, "ABCDEF");
		assert_int_equal(w.result.verdict, WK_TCP_FORWARD);
		w.c_ack -= (uint32_t)cases[i].ack;
		from_client(&w, "abcdef");
		ack_from_server(&w, w.c_seq);
		assert_false(wk_tcp_enforce(&w.flow, &mid_stream));
		assert_true(mid_stream);
		close_world(&w);
	}
}

/* Say, in fragments, or around the box. What is read at these numbers later is another copy. */
static void bytes_that_came_another_way_keep_a_flow_from_being_enforced(void **state)
{
	struct world *w = *state;
	bool mid_stream;

	ack_from_server(w, w->s_ack + 6);
	from_client(w, "abcdef");
	from_server(w, "");
	assert_false(wk_tcp_enforce(&w->flow, &mid_stream));
	assert_true(mid_stream);
}

static void a_guess_at_the_clients_number_does_not_keep_a_flow_from_being_enforced(void **state)
{
	struct world *w = *state;
	bool mid_stream;

	w->c_ack += 5;
	give(w, WK_C2S, w->c_seq + 0x40000000u, WK_TCP_ACK, "ABCDEF");
	give(w, WK_C2S, w->c_seq - 1000, WK_TCP_ACK, "ABCDEF");
	assert_true(wk_tcp_enforce(&w->flow, &mid_stream));
}

/* The first frame passed elsewhere; its copy that is read here need not say the same. */
static void bytes_behind_a_gap_that_is_filled_later_are_doubtful(void **state)
{
	struct world *w = *state;
	bool mid_stream;

	give(w, WK_C2S, w->c_seq + FRAME, WK_TCP_ACK, "h987654321");
	ack_from_server(w, w->c_seq + 2 * FRAME);
	assert_false(w->flow.doubtful);
	give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "h123456789");
	assert_false(wk_tcp_enforce(&w->flow, &mid_stream));
	assert_true(mid_stream);
}

/* A full ledger reads nothing, and the server takes it all the same. */
static void bytes_that_are_read_after_their_acknowledgement_are_doubtful(void **state)
{
	struct world *w = *state;
	bool mid_stream;

	w->limits.ledger_b = 5;
	from_client(w, "h123456789");
	from_client(w, "h987654321");
	ack_from_server(w, w->c_seq);
	give(w, WK_C2S, w->c_seq - FRAME, WK_TCP_ACK, "ABCDEFGHIJ");
	assert_false(wk_tcp_enforce(&w->flow, &mid_stream));
	assert_true(mid_stream);
}

/* The rest of the server's frame is here already, and has gone on. */
static void an_insertion_behind_what_went_on_out_of_order_is_sent_at_once(void **state)
{
	struct world *w = *state;

	from_server(w, "xf1");
	give(w, WK_S2C, w->s_seq + 4, WK_TCP_ACK, "6789");
	assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
	from_client(w, "d123456789");
	assert_int_equal(w->replies, 1);
	from_server(w, "2345");
	assert_int_equal(w->replies, 0);
	assert_sent(w, w->n_sent - 1, WK_S2C, w->s_seq + 4, w->c_seq, REPLY);
	assert_true(wk_tcp_deadline(&w->flow, &w->limits) < w->env.now_ns + 1000 * MS);
}

/* Only the server's answer says that it is alive: one of ours would not. */
static void a_keepalive_before_the_first_byte_reaches_the_server(void **state)
{
	struct world *w = *state;

	give(w, WK_C2S, ISN_C, WK_TCP_ACK, "?");
	assert_int_equal(w->result.reason, WK_ABSORB_OLD);
	assert_only(w, WK_C2S, ISN_C, w->c_ack, "");
}

static uint32_t bytes_sent(const struct world *w, enum wk_dir dir)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < w->n_sent; i++)
		if (w->sent[i].out.dir == dir)
			sum += w->sent[i].out.data_len_b;
	return sum;
}

/* Each byte of a block that was replaced stands for the whole replacement. */
static void many_small_copies_do_not_make_many_large_ones(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq, largest = (uint32_t)strlen(REPL), burst_b = 10 * largest;

	w->limits.ledger_b = burst_b;
	from_client(w, "r123456789");
	assert_int_equal(bytes_sent(w, WK_C2S), largest);
	for (int round = 0; round < 3; round++) {
		uint32_t sum = 0, cut = (uint32_t)w->stats.counter[WK_CNT_REXMIT_CUT];

		for (uint32_t i = 0; i < 1000; i++) {
			give(w, WK_C2S, seq + i % 10, WK_TCP_ACK, "?");
			assert_int_equal(w->result.verdict, WK_TCP_ABSORB);
			sum += bytes_sent(w, WK_C2S);
		}
		/* A burst, as much again as it takes to notice, and each byte for itself. */
		assert_in_range(sum, burst_b, 3 * burst_b + 1000);
		assert_in_range(w->stats.counter[WK_CNT_REXMIT_CUT] - cut, 900, 1000);
		/* Who has really lost it gets it all by the time that it is sure. */
		w->env.now_ns += 2 * w->limits.rto_min_ns;
		give(w, WK_C2S, seq, WK_TCP_ACK | WK_TCP_PSH, "r123456789");
		assert_only(w, WK_C2S, seq, w->c_ack, REPL);
	}
}

/* Where nothing was replaced a copy is as large as it is. */
static void copies_that_do_not_grow_are_not_counted(void **state)
{
	struct world *w = *state;
	uint32_t seq;

	w->limits.ledger_b = 20;
	from_client(w, "d123456789");
	seq = w->c_seq;
	from_client(w, "h123456789abc");
	for (uint32_t i = 0; i < 1000; i++) {
		give(w, WK_C2S, seq, WK_TCP_ACK | WK_TCP_PSH, "h123456789abc");
		assert_int_equal(bytes_sent(w, WK_C2S), 13);
	}
	assert_int_equal(w->stats.counter[WK_CNT_REXMIT_CUT], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(an_acknowledgement_of_a_hole_is_not_believed),
		world_test(an_acknowledgement_below_the_first_byte_is_old),
		cmocka_unit_test(
			bytes_that_a_passive_flow_let_by_unread_keep_it_from_being_enforced),
		passive_world_test(bytes_that_came_another_way_keep_a_flow_from_being_enforced),
		passive_world_test(
			a_guess_at_the_clients_number_does_not_keep_a_flow_from_being_enforced),
		passive_world_test(bytes_behind_a_gap_that_is_filled_later_are_doubtful),
		passive_world_test(bytes_that_are_read_after_their_acknowledgement_are_doubtful),
		world_test(an_insertion_behind_what_went_on_out_of_order_is_sent_at_once),
		world_test(many_small_copies_do_not_make_many_large_ones),
		world_test(copies_that_do_not_grow_are_not_counted),
		world_test(a_keepalive_before_the_first_byte_reaches_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
