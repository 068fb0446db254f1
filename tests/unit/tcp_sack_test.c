/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of acknowledgements: what waits here, what the receiver has, what came twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

/* Without it the client takes a late segment for a lost one, for good. */
static void acknowledged_bytes_that_come_again_are_reported(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "ABCDEFGH");
	ack_from_server(w, seq + 6);
	assert_int_equal(give(w, WK_C2S, seq, WK_TCP_ACK, "ABCDE")->reason, WK_ABSORB_OLD);
	assert_only(w, WK_S2C, w->s_seq, seq + 6, "");
	assert_blocks(w, 0, BLOCKS({ seq, seq + 5 }), 1);
	/* The next one at once: only if all of them are reported is the window given back. */
	give(w, WK_C2S, seq + 1, WK_TCP_ACK, "BCDE");
	assert_blocks(w, 0, BLOCKS({ seq + 1, seq + 5 }), 1);
	/* What is not acknowledged yet goes on: the server answers that. */
	assert_int_equal(give(w, WK_C2S, seq, WK_TCP_ACK, "ABCDEFGH")->reason, WK_ABSORB_REBUILT);
	assert_sent(w, 0, WK_C2S, seq + 6, w->c_ack, "GH");
}

static void reports_of_what_came_again_are_bounded(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq, n = 0;

	from_client(w, "ABCDE");
	ack_from_server(w, w->c_seq);
	for (uint32_t i = 0; i < 2000; i++) {
		give(w, WK_C2S, seq, WK_TCP_ACK, "ABCDE");
		n += w->n_sent;
	}
	assert_in_range(n, 200, 300);
	w->env.now_ns += 10 * MS;
	n = 0;
	for (uint32_t i = 0; i < 2000; i++) {
		give(w, WK_C2S, seq, WK_TCP_ACK, "ABCDE");
		n += w->n_sent;
	}
	assert_in_range(n, 50, 110);
}

static void a_copy_of_what_waits_is_reported_before_its_block(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	give(w, WK_C2S, seq + 10, WK_TCP_ACK, "dABCD");
	give(w, WK_C2S, seq + 15, WK_TCP_ACK, "EFGHI");
	assert_blocks(w, 0, BLOCKS({ seq + 10, seq + 20 }), 1);
	give(w, WK_C2S, seq + 15, WK_TCP_ACK, "EFGHI");
	assert_blocks(w, 0, BLOCKS({ seq + 15, seq + 20 }, { seq + 10, seq + 20 }), 2);
	/* In part it is new. */
	give(w, WK_C2S, seq + 18, WK_TCP_ACK, "HIJ");
	assert_blocks(w, 0, BLOCKS({ seq + 10, seq + 21 }), 1);
}

/* The server's D-SACK, once the numbers are not the same any more. */
static void what_the_server_got_twice_is_told_in_the_clients_numbers(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "AB"
		       "d123456789");
	ack_from_server(w, seq + 2);
	from_client(w, "CDEFGH");
	assert_int_equal(ack_from_server(w, seq + 8)->ack, seq + 18);
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 4, seq + 6 }), 1);
	assert_sent(w, 0, WK_S2C, w->s_seq + REPLY_B, seq + 18, "");
	assert_blocks(w, 0, BLOCKS({ seq + 14, seq + 16 }), 1);
	/* Within a block that lies above the acknowledgement. */
	from_client(w, "IJKLMNOP");
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "",
		  BLOCKS({ seq + 12, seq + 14 }, { seq + 10, seq + 16 }), 2);
	assert_blocks(w, 0, BLOCKS({ seq + 22, seq + 24 }, { seq + 20, seq + 26 }), 2);
}

/* A32: the server has lost a segment behind a deletion and before a replacement. What it reports
 * ends where the client's own segments end; a replacement of which it has a part, it has not. */
static void the_servers_blocks_behind_an_edit_stand_on_the_clients_boundaries(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq, in;

	from_client(w, "d123456789");
	w->c_ack += REPLY_B;
	in = w->c_seq;
	from_client(w, "ABCDE"); /* lost */
	from_client(w, "FGHIJKL");
	from_client(w, "r123456789");
	from_client(w, "MNO");
	w->s_ack = seq;
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 5, seq + 12 }), 1);
	assert_sent(w, 0, WK_S2C, w->c_ack, in, "");
	assert_blocks(w, 0, BLOCKS({ in + 5, in + 12 }), 1);
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 5, seq + 20 }), 1);
	assert_blocks(w, 0, BLOCKS({ in + 5, in + 12 }), 1);
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 20, seq + 35 }), 1);
	assert_blocks(w, 0, BLOCKS({ in + 22, in + 25 }), 1);
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 5, seq + 35 }), 1);
	assert_blocks(w, 0, BLOCKS({ in + 5, in + 25 }), 1);
	/* The client fills the hole, and all is acknowledged where it ends for the client. */
	give(w, WK_C2S, in, WK_TCP_ACK, "ABCDE");
	assert_sent(w, 0, WK_C2S, seq, w->s_seq, "ABCDE");
	assert_int_equal(ack_from_server(w, seq + 35)->ack, w->c_seq);
}

/* Where those bytes were for the client, nobody knows any more: another number would be a lie. */
static void what_the_server_got_twice_before_an_edit_is_not_told(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "ABCD");
	from_client(w, "d123456789");
	from_client(w, "EF");
	ack_from_server(w, seq + 6);
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 1, seq + 3 }), 1);
	assert_sent(w, 0, WK_S2C, w->s_seq + REPLY_B, seq + 16, "");
	assert_blocks(w, 0, NULL, 0);
}

static void the_receivers_blocks_and_ours_stand_in_one_acknowledgement(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "ABCDEFGHIJKLMNOPQRST");
	give(w, WK_C2S, seq + 30, WK_TCP_ACK, "abc");
	give(w, WK_C2S, seq + 40, WK_TCP_ACK, "def");
	w->s_ack = seq + 2;
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "",
		  BLOCKS({ seq + 16, seq + 18 }, { seq + 12, seq + 14 }, { seq + 8, seq + 10 },
			 { seq + 4, seq + 6 }),
		  4);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->sent[0].out.ack, seq + 2);
	assert_blocks(w, 0,
		      BLOCKS({ seq + 16, seq + 18 }, { seq + 12, seq + 14 }, { seq + 8, seq + 10 },
			     { seq + 40, seq + 43 }),
		      4);
	/* One without blocks does not hide ours, nor its own news. */
	assert_int_equal(ack_from_server(w, seq + 10)->reason, WK_ABSORB_REBUILT);
	assert_int_equal(w->sent[0].out.ack, seq + 10);
	assert_blocks(w, 0, BLOCKS({ seq + 40, seq + 43 }, { seq + 30, seq + 33 }), 2);
}

/* A data packet that is built has no room for blocks: they come behind it. */
static void blocks_of_a_data_packet_that_is_rebuilt_are_not_lost(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "d123456789");
	w->c_ack += REPLY_B;
	from_client(w, "ABCDEFGH");
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK | WK_TCP_PSH, "xyz", BLOCKS({ seq + 4, seq + 6 }),
		  1);
	assert_int_equal(w->n_sent, 2);
	assert_sent(w, 0, WK_S2C, w->s_seq + REPLY_B, seq + 10, "xyz");
	assert_sent(w, 1, WK_S2C, w->s_seq + REPLY_B + 3, seq + 10, "");
	assert_blocks(w, 1, BLOCKS({ seq + 14, seq + 16 }), 1);
}

/* The server is not told of what arrives behind an insertion that is lost, since a block cannot
 * begin at the acknowledgement; its timer runs meanwhile. */
static void an_insertion_lost_twice_is_sent_again_after_a_round_trip(void **state)
{
	struct world *w = *state;
	uint32_t len = REPLY_B, at;

	from_client(w, "d123456789");
	w->env.now_ns += 10 * MS;
	ack_from_client(w, w->c_ack + len);
	from_client(w, "d123456789");
	at = w->c_ack;
	from_server(w, "abc");
	from_server(w, "def");
	w->env.now_ns += 10 * MS;
	give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", BLOCKS({ at + len, at + len + 3 }), 1);
	assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY);
	for (uint32_t ms = 5; ms <= 40; ms += 5) {
		w->env.now_ns += 5 * MS;
		give_sack(w, WK_C2S, w->c_seq, WK_TCP_ACK, "", BLOCKS({ at + len, at + len + 6 }),
			  1);
		/* Each time that its ACK is overdue. */
		assert_int_equal(w->n_sent > 0, ms % 20 == 0);
		if (w->n_sent > 0)
			assert_sent(w, 0, WK_S2C, at, w->c_seq, REPLY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sack_world_test(acknowledged_bytes_that_come_again_are_reported),
		sack_world_test(reports_of_what_came_again_are_bounded),
		sack_world_test(a_copy_of_what_waits_is_reported_before_its_block),
		sack_world_test(what_the_server_got_twice_is_told_in_the_clients_numbers),
		sack_world_test(the_servers_blocks_behind_an_edit_stand_on_the_clients_boundaries),
		sack_world_test(what_the_server_got_twice_before_an_edit_is_not_told),
		sack_world_test(the_receivers_blocks_and_ours_stand_in_one_acknowledgement),
		sack_world_test(blocks_of_a_data_packet_that_is_rebuilt_are_not_lost),
		sack_world_test(an_insertion_lost_twice_is_sent_again_after_a_round_trip),
	};

	return cmocka_run_group_tests_name("tcp_sack", tests, NULL, NULL);
}
