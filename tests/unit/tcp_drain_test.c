/* SPDX-License-Identifier: Apache-2.0 */
/* What waited behind a hole is more than there is room for: it goes on in portions, and is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

#define MSS     100u /* of both peers */
#define PIECE   "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"
#define PIECE_B ((uint32_t)sizeof(PIECE) - 1)
#define PIECES  5u

/* The client's first byte is lost, five pieces behind it arrive: half of a ledger is not enough for
 * two of them. @return the number of the byte. */
static uint32_t row(struct world *w)
{
	uint32_t hole = w->c_seq;

	w->limits.ledger_b = 2 * PIECE_B;
	for (uint32_t i = 0; i < PIECES; i++)
		give(w, WK_C2S, hole + 1 + i * PIECE_B, WK_TCP_ACK | WK_TCP_PSH, PIECE);
	assert_blocks(w, 0, BLOCKS({ hole + 1, hole + 1 + PIECES * PIECE_B }), 1);
	return hole;
}

static uint32_t sent_b(const struct world *w, enum wk_dir dir)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < w->n_sent; i++)
		if (w->sent[i].out.dir == dir)
			sum += w->sent[i].out.data_len_b;
	return sum;
}

/* The last acknowledgement that went to the client. */
static uint32_t told(const struct world *w)
{
	for (unsigned int i = w->n_sent; i-- > 0;)
		if (w->sent[i].out.dir == WK_S2C)
			return w->sent[i].out.ack;
	assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
	return w->result.ack;
}

static void it_goes_on_in_portions_as_it_is_acknowledged(void **state)
{
	struct world *w = *state;
	uint32_t hole = row(w), seq = hole + 1, end = hole + 1 + PIECES * PIECE_B;
	unsigned int rounds = 0;

	give(w, WK_C2S, hole, WK_TCP_ACK | WK_TCP_PSH, "x");
	assert_sent(w, 0, WK_C2S, hole, w->c_ack, "x");
	seq += sent_b(w, WK_C2S) - 1;
	assert_true(seq < end);
	for (; seq != end && rounds < PIECES; rounds++) {
		ack_from_server(w, seq);
		/* It had been told that we have all of it, and must not see that taken back. */
		assert_int_equal(told(w), end);
		assert_true(sent_b(w, WK_C2S) > 0);
		seq += sent_b(w, WK_C2S);
	}
	assert_int_equal(seq, end);
	assert_true(rounds > 1);
	/* And it is ours: nobody else would send it again. */
	pass_time(w, 250 * MS);
	assert_true(sent_b(w, WK_C2S) > 0);
}

static void what_comes_meanwhile_is_acknowledged_with_it(void **state)
{
	struct world *w = *state;
	uint32_t hole = row(w), end = hole + 1 + PIECES * PIECE_B;

	give(w, WK_C2S, hole, WK_TCP_ACK | WK_TCP_PSH, "x");
	ack_from_server(w, hole + 1);
	assert_int_equal(told(w), end);
	give(w, WK_C2S, end, WK_TCP_ACK | WK_TCP_PSH, PIECE);
	assert_int_equal(sent_b(w, WK_C2S), 0);
	assert_only(w, WK_S2C, w->s_seq, end + PIECE_B, "");
}

/* The copy that was reported is the one that its receiver gets, whatever is said later. */
static void a_later_version_of_what_waits_changes_nothing(void **state)
{
	struct world *w = *state;
	uint32_t hole = row(w), at = hole + 1, n;

	give(w, WK_C2S, hole, WK_TCP_ACK | WK_TCP_PSH, "x");
	at += sent_b(w, WK_C2S) - 1;
	give(w, WK_C2S, at, WK_TCP_ACK | WK_TCP_PSH, "EVIL");
	assert_int_equal(sent_b(w, WK_C2S), 0);
	give(w, WK_C2S, at - 1, WK_TCP_ACK | WK_TCP_PSH, "EVIL");
	n = (at - hole - 1) % 3;
	ack_from_server(w, at);
	assert_true(w->n_sent > 0);
	for (uint32_t i = 0; i < w->sent[0].out.data_len_b; i++)
		assert_int_equal(w->sent[0].data[i], "abc"[(n + i) % 3]);
}

/* Without SACK its sender has not been told, and sends all of it again. */
static void what_was_not_reported_is_not_ours(void **state)
{
	struct world *w = *state;
	uint32_t hole = w->c_seq;

	give(w, WK_C2S, hole + 1, WK_TCP_ACK | WK_TCP_PSH, PIECE);
	give(w, WK_C2S, hole, WK_TCP_ACK | WK_TCP_PSH, "x");
	assert_int_equal(sent_b(w, WK_C2S), 1 + PIECE_B);
	pass_time(w, 1000 * MS);
	assert_int_equal(w->n_sent, 0);
}

/* A round trip of 4 ms is known. @return the number of the first of n replies, not acknowledged. */
static uint32_t replies_after_a_round_trip(struct world *w, unsigned int n)
{
	uint32_t at = w->c_ack;

	from_client(w, "d123456789");
	pass_time(w, 4 * MS);
	w->c_ack = at + REPLY_B;
	ack_from_client(w, w->c_ack);
	for (unsigned int i = 0; i < n; i++)
		from_client(w, "d123456789");
	return at + REPLY_B;
}

static void what_is_not_acknowledged_in_two_round_trips_is_asked_for_once(void **state)
{
	struct world *w = *state;
	uint32_t at = replies_after_a_round_trip(w, 60);

	pass_time(w, 9 * MS);
	assert_int_equal(w->n_sent, 0);
	pass_time(w, 2 * MS);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->sent[0].out.seq, at);
	assert_int_equal(w->sent[0].out.data_len_b, MSS);
	/* From here on it is the timer's. */
	pass_time(w, 190 * MS);
	assert_int_equal(w->n_sent, 0);
	pass_time(w, 20 * MS);
	assert_int_equal(w->n_sent, 1);
}

/* Its ACK may be delayed, and nothing but it would show a loss. */
static void a_single_reply_waits_for_the_timer(void **state)
{
	struct world *w = *state;

	replies_after_a_round_trip(w, 1);
	pass_time(w, 190 * MS);
	assert_int_equal(w->n_sent, 0);
	pass_time(w, 20 * MS);
	assert_int_equal(w->n_sent, 1);
}

static void a_loss_behind_the_loss_is_mended_without_a_timeout(void **state)
{
	struct world *w = *state;
	uint32_t at = replies_after_a_round_trip(w, 3);
	uint32_t later;

	w->c_ack = at;
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", BLOCKS({ at + REPLY_B, at + 3 * REPLY_B }),
		  1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY);
	later = at + 3 * REPLY_B;
	for (unsigned int i = 0; i < 60; i++)
		from_client(w, "d123456789");
	/* The first of those is lost. */
	w->c_ack = later;
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "",
		  BLOCKS({ later + REPLY_B, later + 60 * REPLY_B }), 1);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, later, w->c_seq, REPLY);
}

static void a_copy_that_is_lost_too_goes_out_anew_after_a_round_trip_and_a_half(void **state)
{
	struct world *w = *state;
	uint32_t at = replies_after_a_round_trip(w, 3);
	const uint32_t blocks[][2] = { { at + REPLY_B, at + 3 * REPLY_B } };

	w->c_ack = at;
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", blocks, 1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY);
	pass_time(w, 5 * MS);
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", blocks, 1);
	assert_int_equal(w->n_sent, 0);
	pass_time(w, 2 * MS);
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", blocks, 1);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY);
}

/* A copy that was under way a moment ago has been reported since: what is thrown away then, nothing
 * will bring. */
static void what_is_thrown_away_is_not_waited_for(void **state)
{
	struct world *w = *state;
	uint32_t at = replies_after_a_round_trip(w, 60), seven = at + 7 * REPLY_B;
	const uint32_t few[][2] = { { at + 5 * REPLY_B, seven } };
	const uint32_t most[][2] = { { at + 5 * REPLY_B, seven },
				     { at + 10 * REPLY_B, at + 60 * REPLY_B } };

	w->c_ack = at;
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", few, 1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY REPLY REPLY REPLY REPLY);
	pass_time(w, 5 * MS);
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", most, 2);
	assert_sent(w, 0, WK_S2C, seven, w->c_seq, REPLY REPLY REPLY);
	pass_time(w, 2 * MS);
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", most, 2);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY REPLY REPLY REPLY REPLY);
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "",
		  BLOCKS({ at + 5 * REPLY_B, at + 60 * REPLY_B }), 1);
	assert_int_equal(w->n_sent, 0);
	w->c_ack = seven;
	ack_from_client(w, seven);
	for (unsigned int i = 0; i < 3; i++)
		ack_from_client(w, seven);
	assert_int_equal(w->sent[0].out.seq, seven);
}

/* What waits behind a hole says nothing of the way: the timer must not grow with it. */
static void the_estimate_is_not_of_what_waited_behind_a_hole(void **state)
{
	struct world *w = *state;
	uint32_t at = replies_after_a_round_trip(w, 3);

	w->c_ack = at;
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", BLOCKS({ at + REPLY_B, at + 3 * REPLY_B }),
		  1);
	pass_time(w, 150 * MS);
	w->c_ack = at + 3 * REPLY_B;
	ack_from_client(w, w->c_ack);
	from_client(w, "d123456789");
	pass_time(w, 190 * MS);
	assert_int_equal(w->n_sent, 0);
	pass_time(w, 20 * MS);
	assert_int_equal(w->n_sent, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sack_world_test(it_goes_on_in_portions_as_it_is_acknowledged),
		sack_world_test(what_comes_meanwhile_is_acknowledged_with_it),
		sack_world_test(a_later_version_of_what_waits_changes_nothing),
		world_test(what_was_not_reported_is_not_ours),
		sack_world_test(what_is_not_acknowledged_in_two_round_trips_is_asked_for_once),
		sack_world_test(a_single_reply_waits_for_the_timer),
		sack_world_test(a_loss_behind_the_loss_is_mended_without_a_timeout),
		sack_world_test(
			a_copy_that_is_lost_too_goes_out_anew_after_a_round_trip_and_a_half),
		sack_world_test(what_is_thrown_away_is_not_waited_for),
		sack_world_test(the_estimate_is_not_of_what_waited_behind_a_hole),
	};

	return cmocka_run_group_tests_name("tcp_drain", tests, NULL, NULL);
}
