/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out of order: what may go on at once, and what nobody may get past the judge by it.
 *
 * "p123456789" is a frame of which nine bytes pass whatever they say (tcp_world.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

/* The server sees the order that the wire gave, and says itself what is missing. */
static void the_rest_of_a_frame_that_passes_goes_on_at_once(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "p12");
	assert_int_equal(give(w, WK_C2S, seq + 5, WK_TCP_ACK, "567")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	assert_int_equal(give(w, WK_C2S, seq + 8, WK_TCP_ACK, "89")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->n_sent, 0);
	/* The server's word about it is the only one. */
	w->s_ack = seq + 3;
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 5, seq + 10 }), 1);
	assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	/* The hole closes: only what is missing goes on. */
	w->c_seq = seq + 10;
	give(w, WK_C2S, seq + 3, WK_TCP_ACK, "34");
	assert_only(w, WK_C2S, seq + 3, w->c_ack, "34");
	assert_int_equal(from_client(w, "h123456789")->verdict, WK_TCP_FORWARD);
}

static void it_goes_on_in_the_numbers_of_an_edited_stream(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "d123456789");
	from_client(w, "p12");
	assert_int_equal(give(w, WK_C2S, seq + 15, WK_TCP_ACK, "567")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, WK_TCP_EDIT_NUMBERS);
	assert_int_equal(w->result.seq, seq + 5);
	/* An acknowledgement of the hole is a lie. */
	assert_int_equal(ack_from_server(w, seq + 8)->reason, WK_DROP_BADACK);
}

/* Each of these would be a byte that nobody has judged. */
static void what_lies_beyond_such_a_frame_waits(void **state)
{
	static const struct {
		const char *before; /* in order */
		uint32_t at;        /* of the segment, from the first byte of `before` */
		const char *data;
	} t[] = {
		{ "p12", 5, "56789d" },             /* ends one byte beyond */
		{ "p12", 10, "d123456789" },        /* begins behind it */
		{ "p123456789", 11, "x" },          /* the frame is over */
		{ "k12", 5, "567" },                /* its frame is deleted */
		{ "p123456789h12", 14, "4567" },    /* half a header: nothing is known */
		{ "p123456789d123", 15, "56789x" }, /* nor whether it will be denied */
		{ "ABC", 5, "p123" },               /* no frame at all */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world w;
		uint32_t seq;

		open_world(&w, false);
		seq = w.c_seq;
		from_client(&w, t[i].before);
		give(&w, WK_C2S, seq + t[i].at, WK_TCP_ACK, t[i].data);
		assert_int_equal(w.result.reason, WK_ABSORB_OOO);
		for (uint32_t k = 0; k < w.n_sent; k++)
			assert_int_equal(w.sent[k].out.data_len_b, 0);
		close_world(&w);
	}
}

/* A FIN ends the stream where it stands: it has to be judged in its place. */
static void a_fin_does_not_overtake(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "p12");
	give(w, WK_C2S, seq + 5, WK_TCP_ACK | WK_TCP_FIN, "567");
	assert_int_equal(w->result.reason, WK_ABSORB_OOO);
}

/* The header has been judged and is pinned: what a second copy says of length, flags or stream
 * comes too late, whether before or after what was let through. */
static void a_second_version_of_the_header_changes_nothing(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "p12");
	give(w, WK_C2S, seq, WK_TCP_ACK, "d12");
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, "p12");
	assert_int_equal(w->stats.counter[WK_CNT_RETRANS_MISMATCH], 1);
	assert_int_equal(give(w, WK_C2S, seq + 5, WK_TCP_ACK, "567")->verdict, WK_TCP_FORWARD);
	/* A copy that joins both, then goes on behind the frame. */
	give(w, WK_C2S, seq, WK_TCP_ACK, "d1234XYZ89h12345");
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, "p1234XYZ89");
	give(w, WK_C2S, seq + 10, WK_TCP_ACK, "d123456789");
	assert_sent(w, 0, WK_C2S, seq + 10, w->c_ack, "h123456789"); /* as it was read first */
	assert_int_equal(w->replies, 0);
}

/* First a copy that waits, since nothing was known of it; then another one, that may go on. What
 * was read first is what is judged: the frame passes either way, and not a byte more. */
static void a_copy_that_waited_does_not_carry_bytes_out_of_the_frame(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	give(w, WK_C2S, seq + 5, WK_TCP_ACK, "56789d12");
	assert_int_equal(w->result.reason, WK_ABSORB_OOO);
	from_client(w, "p12");
	assert_int_equal(give(w, WK_C2S, seq + 5, WK_TCP_ACK, "VWXYZ")->verdict, WK_TCP_FORWARD);
	give(w, WK_C2S, seq + 8, WK_TCP_ACK, "YZABCDE");
	assert_int_equal(w->result.reason, WK_ABSORB_OOO);
	give(w, WK_C2S, seq + 3, WK_TCP_ACK, "34");
	assert_sent(w, 0, WK_C2S, seq + 3, w->c_ack, "34");
	assert_sent(w, 1, WK_C2S, seq + 5, w->c_ack, "56789");
	assert_int_equal(w->n_sent, 2);
	give(w, WK_C2S, seq + 13, WK_TCP_ACK, "3456789");
	assert_int_equal(w->replies, 0);
	for (uint32_t k = 0; k < w->n_sent; k++)
		assert_int_not_equal(w->sent[k].out.dir, WK_C2S); /* d is denied, as it was read */
}

/* The stream grows by a replacement: what is then beyond the server's window must wait. */
static void it_does_not_go_beyond_the_receivers_window(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq, len = REPL_B;

	w->wnd[WK_S2C] = 40;
	w->flow.half[WK_C2S].edge_out = w->flow.half[WK_C2S].edge_given = 1 + len + 8;
	from_client(w, "r123456789");
	from_client(w, "p12");
	assert_int_equal(give(w, WK_C2S, seq + 15, WK_TCP_ACK, "567")->verdict, WK_TCP_FORWARD);
	assert_int_equal(give(w, WK_C2S, seq + 18, WK_TCP_ACK, "89")->reason, WK_ABSORB_OOO);
}

/* Growth has put them there: their sender kept to the window that it knew. */
static void what_is_beyond_the_window_goes_on_when_it_opens(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq, len = REPL_B;

	w->wnd[WK_S2C] = 40;
	w->flow.half[WK_C2S].edge_out = 1 + len + 3;
	from_client(w, "r123456789"
		       "ABCDEFGH");
	assert_only(w, WK_C2S, seq, w->c_ack, REPL "ABC");
	/* Nobody has acknowledged the rest, so its sender still has it too. */
	ack_from_server(w, seq + len + 3);
	assert_int_equal(w->result.ack, seq + FRAME + 3);
	assert_only(w, WK_C2S, seq + len + 3, w->c_ack, "DEFGH");
	ack_from_server(w, w->s_ack + 5);
	assert_int_equal(w->result.ack, w->c_seq);
}

static void what_is_beyond_the_window_finds_no_room_above_the_bound(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq, len = REPL_B;

	w->wnd[WK_S2C] = 40;
	w->limits.ledger_b = len + 4;
	w->flow.half[WK_C2S].edge_out = 1 + len + 3;
	from_client(w, "r123456789"
		       "ABCDEFGH");
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, REPL "ABC");
	ack_from_server(w, seq + len + 3);
	assert_int_equal(w->n_sent, 0);
	give(w, WK_C2S, seq + FRAME + 3, WK_TCP_ACK, "DEFGH");
	assert_int_equal(w->result.verdict == WK_TCP_FORWARD || w->n_sent == 1, 1);
}

/* Its sender was told that it has arrived, and forgets it. */
static void what_was_reported_and_gets_lost_behind_us_is_ours_to_repeat(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	give(w, WK_C2S, seq + 2, WK_TCP_ACK, "CDEF");
	assert_blocks(w, 0, BLOCKS({ seq + 2, seq + 6 }), 1);
	w->c_seq = seq;
	from_client(w, "AB");
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, "AB");
	assert_sent(w, 1, WK_C2S, seq + 2, w->c_ack, "CDEF");
	w->c_seq = seq + 6;
	from_client(w, "GH");
	/* CDEF is lost: the client hears that it is done, the server gets it from us. */
	assert_int_equal(ack_from_server(w, seq + 2)->ack, seq + 6);
	give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", BLOCKS({ seq + 6, seq + 8 }), 1);
	assert_sent(w, 0, WK_C2S, seq + 2, w->c_ack, "CDEF");
	assert_int_equal(ack_from_server(w, seq + 8)->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	assert_false(wk_tcp_edited(&w->flow));
}

/* Nor does a copy of another version, sent meanwhile, take its place. */
static void what_was_reported_is_repeated_as_it_was_read(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	give(w, WK_C2S, seq + 2, WK_TCP_ACK, "h123456789CDE");
	w->c_seq = seq;
	from_client(w, "AB");
	give(w, WK_C2S, seq + 2, WK_TCP_ACK, "d123456789XYZ");
	assert_sent(w, 0, WK_C2S, seq + 2, w->c_ack, "h123456789CDE");
}

/* An insertion goes to the next boundary: what lies before it need not wait for it, nor for its
 * acknowledgement. */
static void an_insertion_holds_back_only_what_it_may_shift(void **state)
{
	struct world *w = *state;
	uint32_t seq;

	w->s_ack = w->c_seq;
	from_server(w, "xf12");
	seq = w->s_seq;
	from_client(w, "d123456789");
	w->s_ack = w->c_seq - FRAME;
	assert_int_equal(give(w, WK_S2C, seq + 2, WK_TCP_ACK, "567")->verdict, WK_TCP_FORWARD);
	assert_int_equal(give(w, WK_S2C, seq + 5, WK_TCP_ACK, "89f1")->reason, WK_ABSORB_OOO);
	give(w, WK_S2C, seq, WK_TCP_ACK, "34");
	w->s_seq = seq + 9;
	assert_sent(w, 0, WK_S2C, seq, w->c_seq, "34");
	assert_sent(w, 1, WK_S2C, seq + 5, w->c_seq, "89" REPLY "f1");
	/* The reply is out and not acknowledged: its place is known now. */
	assert_int_equal(give(w, WK_S2C, w->s_seq + 3, WK_TCP_ACK, "56")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.seq, w->s_seq + 3 + REPLY_B);
}

/* Its place is found when the hole closes, between what has gone on and what waited. */
static void an_insertion_goes_with_what_waited_behind_it(void **state)
{
	struct world *w = *state;
	uint32_t seq;

	from_server(w, "x");
	seq = w->s_seq;
	assert_int_equal(give(w, WK_S2C, seq + 2, WK_TCP_ACK, "34")->verdict, WK_TCP_FORWARD);
	from_client(w, "d123456789");
	assert_int_equal(give(w, WK_S2C, seq + 4, WK_TCP_ACK, "56")->reason, WK_ABSORB_OOO);
	give(w, WK_S2C, seq, WK_TCP_ACK, "12");
	assert_int_equal(w->n_sent, 3);
	assert_sent(w, 0, WK_S2C, seq, w->c_seq, "12");
	assert_sent(w, 1, WK_S2C, seq + 4, w->c_seq, REPLY);
	assert_sent(w, 2, WK_S2C, seq + 4 + REPLY_B, w->c_seq, "56");
}

/* Segments that touch share a record. Behind the beginning of a frame it is read by the piece. */
static void a_row_that_waited_may_be_longer_than_what_may_be_held(void **state)
{
	struct world *w = *state;
	uint32_t seq;

	w->limits.hold_b = 12;
	seq = w->c_seq;
	give(w, WK_C2S, seq, WK_TCP_ACK, "h1");
	give(w, WK_C2S, seq + 4, WK_TCP_ACK, "456789ABCEF");
	assert_int_equal(w->result.reason, WK_ABSORB_OOO);
	give(w, WK_C2S, seq + 2, WK_TCP_ACK, "23");
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, "h123456789ABCEF");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sack_world_test(the_rest_of_a_frame_that_passes_goes_on_at_once),
		world_test(it_goes_on_in_the_numbers_of_an_edited_stream),
		cmocka_unit_test(what_lies_beyond_such_a_frame_waits),
		world_test(a_fin_does_not_overtake),
		world_test(a_second_version_of_the_header_changes_nothing),
		world_test(a_copy_that_waited_does_not_carry_bytes_out_of_the_frame),
		world_test(it_does_not_go_beyond_the_receivers_window),
		world_test(what_is_beyond_the_window_goes_on_when_it_opens),
		world_test(what_is_beyond_the_window_finds_no_room_above_the_bound),
		sack_world_test(what_was_reported_and_gets_lost_behind_us_is_ours_to_repeat),
		sack_world_test(what_was_reported_is_repeated_as_it_was_read),
		world_test(an_insertion_holds_back_only_what_it_may_shift),
		world_test(an_insertion_goes_with_what_waited_behind_it),
		world_test(a_row_that_waited_may_be_longer_than_what_may_be_held),
	};

	return cmocka_run_group_tests_name("tcp_ooo", tests, NULL, NULL);
}
