/* SPDX-License-Identifier: Apache-2.0 */
/* The editable stream at its edges: bounds, windows, old acknowledgements, marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

static void what_waits_behind_a_hole_is_bounded(void **state)
{
	struct world *w = *state;
	uint32_t kept = 0;

	w->limits.ooo_b = 1000;
	for (uint32_t i = 0; i < 100; i++) {
		give(w, WK_C2S, w->c_seq + 1 + 10 * i, WK_TCP_ACK, "ABCDEFGHIJ");
		kept += w->result.reason == WK_ABSORB_OOO;
		if (w->result.reason != WK_ABSORB_OOO)
			assert_int_equal(w->result.reason, WK_DROP_OOO_CAP);
	}
	assert_in_range(kept, 10, 100 - 10);
	/* What was kept is used when the hole closes, and be it half a segment. */
	give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "x");
	assert_in_range(w->sent[w->n_sent - 1].out.seq + w->sent[w->n_sent - 1].out.data_len_b,
			w->c_seq + 1 + 10 * kept, w->c_seq + 1 + 10 * kept + 9);
}

static void a_full_ledger_takes_no_more_until_the_server_acknowledges(void **state)
{
	struct world *w = *state;
	uint32_t taken = 0;

	w->limits.ledger_b = 100;
	while (from_client(w, "h123456789")->verdict == WK_TCP_FORWARD)
		assert_true(++taken < 50);
	assert_int_equal(w->result.reason, WK_DROP_LEDGER_CAP);
	assert_in_range(taken, 10, 12);
	w->c_seq -= FRAME;
	ack_from_server(w, w->c_seq);
	assert_int_equal(from_client(w, "h123456789")->verdict, WK_TCP_FORWARD);
}

/* I3: an acknowledgement that has been overtaken is not passed on with the data it comes with. */
static void an_old_acknowledgement_is_brought_up_to_date(void **state)
{
	struct world w;
	uint32_t old;

	(void)state;
	for (int edited = 0; edited < 2; edited++) {
		open_world(&w, false);
		old = w.s_ack;
		from_client(&w, edited ? "d123456789" : "");
		from_client(&w, "ABCDE");
		ack_from_server(&w, old + 5);
		w.s_ack = old + 2;
		from_server(&w, "data");
		assert_int_equal(w.result.verdict, WK_TCP_FORWARD);
		assert_int_equal(w.result.edits, WK_TCP_EDIT_NUMBERS);
		assert_int_equal(w.result.ack, w.c_seq);
		close_world(&w);
	}
}

/* The end of what went on out of order is the beginning of a frame that waits here. The client has
 * it and says so, sooner than the timer of held bytes runs out. */
static void what_went_on_out_of_order_may_be_acknowledged_while_it_is_held(void **state)
{
	struct world *w = *state;

	from_server(w, "x");
	assert_int_equal(give(w, WK_S2C, w->s_seq + 3, WK_TCP_ACK, "ABq1")->verdict,
			 WK_TCP_FORWARD);
	give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "abc");
	w->s_seq += 7;
	ack_from_client(w, w->s_seq);
	assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
	from_server(w, "23456789yz");
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
}

/* Its sender has heard of the beginning from its receiver, and must hear of the rest from here:
 * with a small window it could not say what completes the frame. */
static void held_bytes_are_owned_behind_some_that_went_on_out_of_order(void **state)
{
	struct world *w = *state;

	from_server(w, "x");
	give(w, WK_S2C, w->s_seq + 3, WK_TCP_ACK, "ABq1");
	give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "abc");
	w->s_seq += 7;
	ack_from_client(w, w->s_seq);
	from_server(w, "234");
	assert_only(w, WK_C2S, w->c_seq, w->s_seq, "");
	from_server(w, "56789");
	assert_only(w, WK_S2C, w->c_ack, w->c_seq, "23456789");
}

/* A sender that has nothing more to say for now and sets no PSH waits for an ACK all the same. */
static void held_bytes_are_owned_after_a_quiet_millisecond(void **state)
{
	struct world *w = *state;

	give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "h123");
	assert_int_equal(w->result.reason, WK_ABSORB_HELD);
	assert_int_equal(w->n_sent, 0);
	assert_int_equal(wk_tcp_deadline(&w->flow, &w->limits), w->env.now_ns + MS);
	w->env.now_ns += MS;
	assert_true(wk_tcp_timer(&w->flow, &w->env));
	assert_only(w, WK_S2C, w->s_seq, w->c_seq + 4, "");
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_BYTES], 4);
}

/* A replacement has taken room that the client counts on. What it sends into it is held all the
 * same, and the rest is its own until the server's window opens. */
static void no_more_is_owned_than_the_receiver_has_room_for(void **state)
{
	struct world w;

	(void)state;
	open_world_scaled(&w, 0, 24);
	from_client(&w, "r123456789");
	w.s_ack += (uint32_t)strlen(REPL);
	w.wnd[WK_S2C] = 4;
	from_server(&w, "");
	give(&w, WK_C2S, w.c_seq, WK_TCP_ACK, "h1234567");
	assert_int_equal(w.result.reason, WK_ABSORB_HELD);
	w.env.now_ns += MS;
	assert_true(wk_tcp_timer(&w.flow, &w.env));
	assert_int_equal(w.stats.counter[WK_CNT_OWNED_BYTES], 4);
	assert_only(&w, WK_S2C, w.s_seq, w.c_seq + 4, "");
	w.wnd[WK_S2C] = 40;
	from_server(&w, "");
	assert_int_equal(w.stats.counter[WK_CNT_OWNED_BYTES], 8);
	close_world(&w);
}

static void bytes_beyond_the_window_are_none(void **state)
{
	struct world *w = *state;

	give(w, WK_C2S, w->c_seq + 60001, WK_TCP_ACK, "ABC");
	assert_int_equal(w->result.reason, WK_DROP_WINDOW);
	assert_only(w, WK_S2C, w->s_seq, w->c_seq, "");
	w->env.now_ns += 10 * MS;
	give(w, WK_C2S, w->c_seq + 59000, WK_TCP_ACK, "ABC");
	assert_int_equal(w->result.reason, WK_ABSORB_OOO);
}

/* The reply finds no room behind the frame at hand: the server may send to its end, no further. */
static void a_reply_that_waits_for_room_holds_the_download_at_the_next_boundary(void **state)
{
	struct world w;

	(void)state;
	open_world_of(&w, false, 8);
	from_server(&w, "f123");
	w.c_ack += 4;
	w.wnd[WK_C2S] = 3;
	from_client(&w, "d123456789");
	assert_int_equal(w.replies, 1);
	w.wnd[WK_C2S] = 8;
	from_client(&w, "");
	assert_int_equal(w.result.verdict, WK_TCP_FORWARD);
	assert_int_equal(w.result.wnd, 6);
	from_server(&w, "456789");
	assert_int_equal(w.replies, 1);
	ack_from_client(&w, w.c_ack + 6);
	assert_only(&w, WK_S2C, w.s_seq, w.c_seq, REPLY);
	close_world(&w);
}

/* A reply waits for the end of the server's frame. */
static void let_a_reply_wait(struct world *w)
{
	open_world(w, false);
	from_server(w, "f123");
	ack_from_client(w, w->c_ack + 4);
	from_client(w, "d123456789");
	assert_int_equal(w->replies, 1);
}

static bool alive_after(struct world *w, uint64_t s)
{
	pass_time(w, s * 1000 * MS);
	return wk_tcp_state(&w->flow) == WK_TCP_ST_ESTABLISHED;
}

static void a_reply_waits_as_long_as_something_moves(void **state)
{
	struct world w;

	(void)state;
	let_a_reply_wait(&w);
	assert_true(alive_after(&w, 29));
	assert_false(alive_after(&w, 1));
	assert_reset(&w);
	close_world(&w);
	/* A byte now and then. */
	let_a_reply_wait(&w);
	for (int i = 0; i < 5; i++) {
		assert_true(alive_after(&w, 29));
		from_server(&w, "4");
		w.c_ack++;
		from_client(&w, "");
	}
	assert_true(alive_after(&w, 29));
	from_server(&w, "9");
	assert_int_equal(w.replies, 0);
	close_world(&w);
}

/* Nothing is wrong when the server's timer has doubled beyond 30 s. */
static void a_reply_waits_behind_a_hole_for_longer(void **state)
{
	struct world w;

	(void)state;
	for (int lost_behind = 0; lost_behind < 2; lost_behind++) {
		for (int filled = 0; filled < 2; filled++) {
			let_a_reply_wait(&w);
			/* Lost before it came here, or on its way to the client. */
			if (lost_behind)
				from_server(&w, "4567");
			else
				give(&w, WK_S2C, w.s_seq + 2, WK_TCP_ACK, "67");
			assert_true(alive_after(&w, 899));
			if (!filled) {
				assert_false(alive_after(&w, 1));
				close_world(&w);
				continue;
			}
			w.s_seq = ISN_S + 5;
			from_server(&w, "456789");
			ack_from_client(&w, w.c_ack + 6);
			assert_int_equal(w.replies, 0);
			close_world(&w);
		}
	}
}

/* What its sender has sent into it must be sent again, if lost, and not byte by byte. */
static void less_than_a_unit_of_window_is_told_as_one_while_bytes_are_out(void **state)
{
	struct world w;

	(void)state;
	open_world_scaled(&w, 8, 256);
	from_client(&w, "d123456789");
	from_client(&w, "123456789A123456789A");
	w.s_ack = ISN_C + 11;
	w.wnd[WK_S2C] = 0;
	from_server(&w, "");
	assert_int_equal(w.result.ack, ISN_C + 21);
	assert_int_equal(w.result.wnd, 1);
	ack_from_server(&w, ISN_C + 21);
	assert_int_equal(w.result.ack, w.c_seq);
	assert_int_equal(w.result.wnd, 0);
	close_world(&w);
}

/* I3: neither is it taken back while they wait here for the rest of their frame. */
static void a_unit_of_window_stays_told_while_bytes_are_held(void **state)
{
	struct world w;

	(void)state;
	open_world_scaled(&w, 8, 200);
	w.wnd[WK_S2C] = 0;
	give(&w, WK_C2S, w.c_seq + 4, WK_TCP_ACK, "456");
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(w.sent[0].out.wnd, 1);
	give(&w, WK_C2S, w.c_seq, WK_TCP_ACK, "h123");
	assert_int_equal(w.result.reason, WK_ABSORB_HELD);
	w.env.now_ns += 10 * MS;
	give(&w, WK_C2S, w.c_seq + 30000, WK_TCP_ACK, "A");
	assert_int_equal(w.result.reason, WK_DROP_WINDOW);
	assert_only(&w, WK_S2C, w.s_seq, w.c_seq, "");
	assert_int_equal(w.sent[0].out.wnd, 1);
	close_world(&w);
}

/* Without it the server would go on asking for it. */
static void a_congestion_mark_on_a_deleted_segment_goes_with_the_next_data(void **state)
{
	struct world *w = *state;

	give(w, WK_C2S, w->c_seq, WK_TCP_ACK | WK_TCP_CWR, "d123456789");
	w->c_seq += FRAME;
	ack_from_client(w, w->c_ack + REPLY_B);
	from_client(w, "ABC");
	assert_only(w, WK_C2S, ISN_C + 1, ISN_S + 1, "ABC");
	assert_true(w->sent[0].out.flags & WK_TCP_CWR);
	assert_int_equal(from_client(w, "DEF")->verdict, WK_TCP_FORWARD);
}

static void a_congestion_mark_on_a_rebuilt_segment_goes_with_it(void **state)
{
	struct world *w = *state;

	give(w, WK_C2S, w->c_seq, WK_TCP_ACK | WK_TCP_CWR, "ABCd123456789");
	w->c_seq += 3 + FRAME;
	w->c_ack += REPLY_B;
	assert_sent(w, 0, WK_C2S, ISN_C + 1, ISN_S + 1, "ABC");
	assert_true(w->sent[0].out.flags & WK_TCP_CWR);
	from_client(w, "");
	assert_int_equal(from_client(w, "DEF")->verdict, WK_TCP_FORWARD);
}

/* A client's SYN inside a connection asks the server; only its answer to that SYN ends the old
 * connection. */
static void a_syn_inside_a_connection_is_the_servers_to_answer(void **state)
{
	struct world *w = *state;
	const uint32_t isn = 0x33333333u;

	assert_int_equal(give(w, WK_S2C, ISN_S, WK_TCP_SYN, "")->reason, WK_DROP_SRV_SYN);
	for (int asked = 0; asked < 2; asked++) {
		give(w, WK_S2C, 99, WK_TCP_SYN | WK_TCP_ACK, "");
		assert_int_equal(w->result.reason, WK_DROP_SYN_IN_EST);
		assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
		assert_int_equal(give(w, WK_C2S, isn, WK_TCP_SYN, "")->verdict, WK_TCP_FORWARD);
		assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
	}
	w->s_ack = isn + 1;
	give(w, WK_S2C, 99, WK_TCP_SYN | WK_TCP_ACK, "");
	assert_int_equal(w->result.reason, WK_DROP_SYN_IN_EST);
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_CLOSED);
}

/* Ten bytes less and ten more: the numbers are the same again, the bytes are not. */
static void an_edited_stream_stays_followed_even_if_its_numbers_match_again(void **state)
{
	struct world w;

	(void)state;
	open_world_of(&w, false, 2); /* no room for a reply, which is not what this is about */
	from_client(&w, "d123456789"
			"r123456789");
	w.replies = 0;
	assert_false(wk_tcp_relax(&w.flow));
	ack_from_server(&w, w.c_seq);
	assert_false(wk_tcp_edited(&w.flow));
	assert_false(wk_tcp_relax(&w.flow));
	close_world(&w);
	/* Bytes that were only held are the same at both ends. */
	open_world(&w, false);
	from_client(&w, "h123");
	assert_false(wk_tcp_relax(&w.flow));
	from_client(&w, "456789");
	assert_false(wk_tcp_relax(&w.flow));
	ack_from_server(&w, w.c_seq);
	assert_true(wk_tcp_relax(&w.flow));
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(what_waits_behind_a_hole_is_bounded),
		world_test(a_full_ledger_takes_no_more_until_the_server_acknowledges),
		cmocka_unit_test(an_old_acknowledgement_is_brought_up_to_date),
		world_test(bytes_beyond_the_window_are_none),
		world_test(held_bytes_are_owned_after_a_quiet_millisecond),
		cmocka_unit_test(no_more_is_owned_than_the_receiver_has_room_for),
		world_test(held_bytes_are_owned_behind_some_that_went_on_out_of_order),
		world_test(what_went_on_out_of_order_may_be_acknowledged_while_it_is_held),
		cmocka_unit_test(
			a_reply_that_waits_for_room_holds_the_download_at_the_next_boundary),
		cmocka_unit_test(a_reply_waits_as_long_as_something_moves),
		cmocka_unit_test(a_reply_waits_behind_a_hole_for_longer),
		cmocka_unit_test(less_than_a_unit_of_window_is_told_as_one_while_bytes_are_out),
		cmocka_unit_test(a_unit_of_window_stays_told_while_bytes_are_held),
		world_test(a_congestion_mark_on_a_deleted_segment_goes_with_the_next_data),
		world_test(a_congestion_mark_on_a_rebuilt_segment_goes_with_it),
		world_test(a_syn_inside_a_connection_is_the_servers_to_answer),
		cmocka_unit_test(an_edited_stream_stays_followed_even_if_its_numbers_match_again),
	};

	return cmocka_run_group_tests_name("tcp_edge", tests, NULL, NULL);
}
