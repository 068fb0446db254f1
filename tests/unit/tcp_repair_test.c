/* SPDX-License-Identifier: Apache-2.0 */
/* Several owned packets are lost at once: what goes out again, when, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

#define MSS 100u /* of both peers */

/* Denied calls, whose replies go out one by one. @return the number of the first one's first byte
 * as the client sees it. */
static uint32_t replies(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		from_client(w, "d123456789");
	return w->c_ack;
}

/* The client has everything below reply `first` and what the blocks say. */
static void client_has(struct world *w, uint32_t at, unsigned int first,
		       const uint32_t (*blocks)[2], uint32_t n)
{
	w->c_ack = at + first * REPLY_B;
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", blocks, n);
}

static void each_partial_acknowledgement_brings_the_next_hole(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 6);
	const uint32_t blocks[][2] = { { at + 1 * REPLY_B, at + 2 * REPLY_B },
				       { at + 3 * REPLY_B, at + 4 * REPLY_B },
				       { at + 5 * REPLY_B, at + 6 * REPLY_B } };

	client_has(w, at, 0, blocks, 3);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY);
	client_has(w, at, 2, blocks + 1, 2);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, at + 2 * REPLY_B, w->c_seq, REPLY);
	/* Nor is anything sent for what comes twice meanwhile. */
	client_has(w, at, 2, blocks + 1, 2);
	assert_int_equal(w->n_sent, 0);
	client_has(w, at, 4, blocks + 2, 1);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, at + 4 * REPLY_B, w->c_seq, REPLY);
	client_has(w, at, 6, NULL, 0);
	assert_int_equal(w->n_sent, 0);
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_REXMIT], 3);
}

static void without_sack_the_acknowledgement_names_the_hole(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 40);

	for (unsigned int i = 0; i < 3; i++)
		from_client(w, "");
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->sent[0].out.seq, at);
	assert_int_equal(w->sent[0].out.data_len_b, MSS);
	/* The others had arrived; the next one that had not is named. */
	ack_from_client(w, at + 30 * REPLY_B);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->sent[0].out.seq, at + 30 * REPLY_B);
	ack_from_client(w, at + 40 * REPLY_B);
	assert_int_equal(w->n_sent, 0);
}

static void far_below_what_has_arrived_a_hole_need_not_be_named(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 60);
	const uint32_t blocks[][2] = { { at + 5 * REPLY_B, at + 7 * REPLY_B },
				       { at + 10 * REPLY_B, at + 60 * REPLY_B } };

	client_has(w, at, 0, blocks, 2);
	assert_int_equal(w->n_sent, 2);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY REPLY REPLY REPLY REPLY);
	assert_sent(w, 1, WK_S2C, at + 7 * REPLY_B, w->c_seq, REPLY REPLY REPLY);
	for (unsigned int i = 0; i < 10; i++) {
		client_has(w, at, 0, blocks, 2);
		assert_int_equal(w->n_sent, 0);
	}
}

static void after_a_timeout_each_acknowledgement_brings_two_packets(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 120); /* six packets */

	pass_time(w, 250 * MS);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->sent[0].out.seq, at);
	assert_int_equal(w->sent[0].out.data_len_b, MSS);
	for (uint32_t done = 1; done < 5; done += 2) {
		ack_from_client(w, at + done * MSS);
		assert_int_equal(w->n_sent, 2);
		assert_int_equal(w->sent[0].out.seq, at + done * MSS);
		assert_int_equal(w->sent[1].out.seq, at + (done + 1) * MSS);
	}
	ack_from_client(w, at + 5 * MSS);
	assert_int_equal(w->n_sent, 1);
	ack_from_client(w, at + 6 * MSS);
	assert_int_equal(w->n_sent, 0);
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_REXMIT], 6);
}

/* A reply that goes out behind the loss is not lost with it. */
static void what_went_out_since_is_left_alone(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 2);

	pass_time(w, 250 * MS);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY REPLY);
	from_client(w, "d123456789");
	client_has(w, at, 2, NULL, 0);
	assert_int_equal(w->n_sent, 0);
	client_has(w, at, 3, NULL, 0);
	assert_int_equal(w->n_sent, 0);
}

/* Blocks of bytes that never went out, or that lie below the acknowledgement, say nothing. */
static void false_reports_hide_no_loss(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 3);
	const uint32_t lies[][2] = { { at + REPLY_B, at + 900 },
				     { at - 100, at + 2 },
				     { at + 2 * REPLY_B, at + REPLY_B } };

	client_has(w, at, 0, lies, 3);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY REPLY REPLY);
	client_has(w, at, 1, lies, 3);
	pass_time(w, 1000 * MS);
	assert_sent(w, 0, WK_S2C, at + REPLY_B, w->c_seq, REPLY REPLY);
}

static void what_the_receiver_throws_away_is_sent_again(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 4);

	client_has(w, at, 0, BLOCKS({ at + REPLY_B, at + 4 * REPLY_B }), 1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY);
	client_has(w, at, 1, NULL, 0);
	for (unsigned int i = 0; i < 3; i++)
		client_has(w, at, 1, NULL, 0);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, at + REPLY_B, w->c_seq, REPLY REPLY REPLY);
}

static void what_it_throws_away_is_sent_again_below_what_went_out_again(void **state)
{
	struct world *w = *state;
	uint32_t at = replies(w, 60);
	const uint32_t blocks[][2] = { { at + 5 * REPLY_B, at + 7 * REPLY_B },
				       { at + 10 * REPLY_B, at + 60 * REPLY_B } };

	client_has(w, at, 0, blocks, 2);
	assert_int_equal(w->n_sent, 2);
	client_has(w, at, 5, blocks + 1, 1);
	assert_int_equal(w->n_sent, 1);
	assert_sent(w, 0, WK_S2C, at + 5 * REPLY_B, w->c_seq, REPLY REPLY REPLY REPLY REPLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sack_world_test(each_partial_acknowledgement_brings_the_next_hole),
		world_test(without_sack_the_acknowledgement_names_the_hole),
		sack_world_test(far_below_what_has_arrived_a_hole_need_not_be_named),
		world_test(after_a_timeout_each_acknowledgement_brings_two_packets),
		sack_world_test(after_a_timeout_each_acknowledgement_brings_two_packets),
		world_test(what_went_out_since_is_left_alone),
		sack_world_test(false_reports_hide_no_loss),
		sack_world_test(what_the_receiver_throws_away_is_sent_again),
		sack_world_test(what_it_throws_away_is_sent_again_below_what_went_out_again),
	};

	return cmocka_run_group_tests_name("tcp_repair", tests, NULL, NULL);
}
