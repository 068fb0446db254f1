/* SPDX-License-Identifier: Apache-2.0 */
/* The editable stream, one property a test. What its letters mean: tcp_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

static void allowed_bytes_are_forwarded_untouched(void **state)
{
	struct world *w = *state;

	assert_int_equal(from_client(w, "ABC"
					"h123456789")
				 ->verdict,
			 WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	assert_int_equal(w->result.reason, WK_FWD_GUARDED);
	w->s_ack = w->c_seq;
	assert_int_equal(from_server(w, "hello")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	assert_int_equal(w->n_sent, 0);
	assert_false(wk_tcp_edited(&w->flow));
}

static void a_denied_frame_vanishes_and_is_answered_with_its_ack(void **state)
{
	struct world *w = *state;

	assert_int_equal(from_client(w, "d123456789")->verdict, WK_TCP_ABSORB);
	assert_int_equal(w->result.reason, WK_ABSORB_DELETED);
	assert_only(w, WK_S2C, w->s_seq, w->c_seq, REPLY);
	assert_true(wk_tcp_edited(&w->flow));
	/* The next bytes follow where the server expects them. */
	w->c_ack += REPLY_B;
	assert_int_equal(from_client(w, "AB")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, WK_TCP_EDIT_NUMBERS);
	assert_int_equal(w->result.seq, ISN_C + 1);
	assert_int_equal(w->result.ack, ISN_S + 1);
	/* And the server's answer where the client expects it. */
	w->s_ack = ISN_C + 3;
	from_server(w, "ok");
	assert_int_equal(w->result.seq, ISN_S + 1 + REPLY_B);
	assert_int_equal(w->result.ack, w->c_seq);
}

static void a_pure_ack_of_an_insertion_is_kept_from_the_server(void **state)
{
	struct world *w = *state;

	from_client(w, "d123456789");
	assert_int_equal(ack_from_client(w, w->c_ack + REPLY_B)->verdict, WK_TCP_ABSORB);
	assert_int_equal(w->result.reason, WK_ABSORB_ACK);
	assert_int_equal(w->n_sent, 0);
}

static void an_insertion_is_sent_again_until_it_is_acknowledged(void **state)
{
	struct world *w = *state;
	unsigned int copies = 0;

	from_client(w, "d123456789");
	for (int i = 0; i < 40; i++) {
		assert_true(pass_time(w, 100 * MS));
		if (w->n_sent > 0) {
			assert_sent(w, 0, WK_S2C, w->s_seq, w->c_seq, REPLY);
			copies++;
		}
	}
	assert_in_range(copies, 2, 9);
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_REXMIT], copies);
	for (int i = 0; i < 10000 && wk_tcp_state(&w->flow) == WK_TCP_ST_ESTABLISHED; i++)
		pass_time(w, 100 * MS);
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_TIMEOUT], 1);
	assert_reset(w);
}

static void a_retransmission_says_what_was_judged_whatever_it_says_now(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "h123456789");
	assert_int_equal(give(w, WK_C2S, seq, WK_TCP_ACK, "hEVILEVILE")->verdict, WK_TCP_ABSORB);
	assert_only(w, WK_C2S, seq, w->c_ack, "h123456789");
	assert_int_equal(w->stats.counter[WK_CNT_RETRANS_MISMATCH], 1);
	/* Other boundaries, old and new bytes in one. */
	give(w, WK_C2S, seq + 4, WK_TCP_ACK, "EVILEVxy");
	assert_only(w, WK_C2S, seq + 4, w->c_ack, "456789xy");
}

static void bytes_below_the_acknowledged_edge_are_answered_not_forwarded(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "ABCDE");
	ack_from_server(w, w->c_seq);
	assert_int_equal(give(w, WK_C2S, seq, WK_TCP_ACK, "dEVIL")->verdict, WK_TCP_ABSORB);
	assert_int_equal(w->result.reason, WK_ABSORB_OLD);
	assert_only(w, WK_S2C, w->s_seq, w->c_seq, "");
	give(w, WK_C2S, seq, WK_TCP_ACK, "dEVIL");
	assert_int_equal(w->n_sent, 0); /* limited per flow */
}

static void an_incomplete_frame_is_held_owned_and_sent_when_whole(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "AB"
		       "h123");
	assert_int_equal(w->result.verdict, WK_TCP_ABSORB);
	assert_int_equal(w->n_sent, 1); /* AB; the rest waits for the server's ACK of it */
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, "AB");
	ack_from_server(w, seq + 2);
	assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.ack, w->c_seq); /* held bytes are ours now */
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_BYTES], 4);
	from_client(w, "456789");
	assert_sent(w, 0, WK_C2S, seq + 2, w->c_ack, "h123456789");
	pass_time(w, 1000 * MS);
	assert_int_equal(w->n_sent, 1); /* the client will not send them again: we do */
	assert_sent(w, 0, WK_C2S, seq + 2, w->c_ack, "h123456789");
}

static void out_of_order_bytes_wait_and_are_reported(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	assert_int_equal(give(w, WK_C2S, seq + 5, WK_TCP_ACK, "d123456789")->reason, WK_ABSORB_OOO);
	assert_only(w, WK_S2C, w->s_seq, seq, "");
	w->c_seq = seq;
	from_client(w, "ABCDE");
	assert_int_equal(w->n_sent, 2);
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, "ABCDE");
	assert_sent(w, 1, WK_S2C, w->s_seq, seq, REPLY); /* the deletion waits for ABCDE's ACK */
	ack_from_server(w, seq + 5);
	assert_int_equal(w->result.ack, seq + 15);
}

/* Three segments, the last one first. */
static void give_backwards(struct world *w, uint32_t seq)
{
	give(w, WK_C2S, seq + 10, WK_TCP_ACK, "KLMNO");
	give(w, WK_C2S, seq + 5, WK_TCP_ACK, "FGHIJ");
	give(w, WK_C2S, seq, WK_TCP_ACK, "ABCDE");
	assert_int_equal(w->n_sent, 3);
}

/* As if it had waited at the receiver: else a sender without SACK takes the wait for a round trip.
 */
static void what_waited_behind_a_hole_is_acknowledged_at_once(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	give_backwards(w, seq);
	assert_int_equal(ack_from_server(w, seq + 5)->reason, WK_ABSORB_ACK);
	/* What the server asks for again, the client has to hear. */
	assert_int_equal(from_server(w, "")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	assert_int_equal(ack_from_server(w, seq + 10)->reason, WK_ABSORB_ACK);
	assert_int_equal(give(w, WK_C2S, seq, WK_TCP_ACK, "ABCDE")->reason, WK_ABSORB_OLD);
	assert_sent(w, 0, WK_S2C, w->s_seq, seq + 10, "");
	assert_int_equal(ack_from_server(w, seq + 15)->verdict, WK_TCP_FORWARD);
}

/* The burst has got lost. What its sender repeats has an answer of its own each time: without one
 * its timer would grow, and a keepalive begin where the server's last word is unknown. */
static void a_repeated_segment_of_a_lost_burst_is_acknowledged(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	give_backwards(w, seq);
	give(w, WK_C2S, seq, WK_TCP_ACK, "ABCDE");
	assert_int_equal(ack_from_server(w, seq + 5)->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
}

/* RFC 2018 4: with more holes than fit, the sender would never hear of the others. */
static void the_latest_out_of_order_bytes_are_reported_first(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	for (uint32_t i = 1; i <= 5; i++)
		give(w, WK_C2S, seq + 10 * i, WK_TCP_ACK, "ABCDE");
	assert_blocks(
		w, 0,
		BLOCKS({ seq + 50, seq + 55 }, { seq + 40, seq + 45 }, { seq + 30, seq + 35 }), 3);
	/* It joins two blocks: one change, first; the next ones are those reported before. */
	give(w, WK_C2S, seq + 15, WK_TCP_ACK, "FGHIJ");
	assert_blocks(
		w, 0,
		BLOCKS({ seq + 10, seq + 25 }, { seq + 50, seq + 55 }, { seq + 40, seq + 45 }), 3);
}

static void a_replacement_shifts_what_follows_and_is_acknowledged_whole(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq, len = REPL_B;

	from_client(w, "r123456789");
	assert_only(w, WK_C2S, seq, w->c_ack, REPL);
	w->s_ack = seq + len - 1; /* not all of it: none of the client's bytes */
	from_server(w, "x");
	assert_int_equal(w->result.ack, seq);
	w->s_ack = seq + len;
	from_server(w, "y");
	assert_int_equal(w->result.ack, seq + FRAME);
	from_client(w, "Z");
	assert_int_equal(w->result.seq, seq + len);
}

static void growth_beyond_the_mss_is_split(void **state)
{
	struct world *w = *state;
	char data[101] = "";

	memcpy(data, "r123456789", 10);
	memset(data + 10, 'x', 90);
	from_client(w, data);
	assert_int_equal(w->n_sent, 2);
	assert_int_equal(w->sent[0].out.data_len_b, 100);
	assert_int_equal(w->sent[1].out.data_len_b, 10);
	assert_int_equal(w->sent[1].out.seq, w->sent[0].out.seq + 100);
}

static void an_rst_counts_at_two_exact_numbers(void **state)
{
	static const struct {
		int32_t off;
		enum wk_tcp_verdict verdict;
	} rows[] = { { 0, WK_TCP_FORWARD }, { 1, WK_TCP_DROP },    { 3000, WK_TCP_DROP },
		     { -1, WK_TCP_DROP },   { -100, WK_TCP_DROP }, { 70000, WK_TCP_DROP } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		open_world(&w, false);
		from_client(&w, "ABCDE");
		ack_from_server(&w, w.c_seq);
		give(&w, WK_C2S, w.c_seq + (uint32_t)rows[i].off, WK_TCP_RST, "");
		assert_int_equal(w.result.verdict, rows[i].verdict);
		assert_int_equal(wk_tcp_state(&w.flow), rows[i].verdict == WK_TCP_FORWARD
								? WK_TCP_ST_CLOSED
								: WK_TCP_ST_ESTABLISHED);
		close_world(&w);
	}
}

static void bad_flags_and_acks_are_dropped_before_they_touch_anything(void **state)
{
	struct world *w = *state;

	assert_int_equal(give(w, WK_C2S, w->c_seq, 0, "ABC")->reason, WK_DROP_BADFLAGS);
	assert_int_equal(give(w, WK_C2S, w->c_seq, WK_TCP_SYN | WK_TCP_FIN, "")->reason,
			 WK_DROP_BADFLAGS);
	w->c_ack += 1000;
	assert_int_equal(give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "ABC")->reason, WK_DROP_BADACK);
	w->c_ack -= 1000;
	assert_int_equal(from_client(w, "XYZ")->verdict, WK_TCP_FORWARD);
}

static void an_ack_with_a_number_from_nowhere_releases_nothing(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	from_client(w, "h123456789");
	w->s_ack = w->c_seq;
	assert_int_equal(give(w, WK_S2C, w->s_seq + 5000000, WK_TCP_ACK, "")->reason,
			 WK_DROP_WINDOW);
	assert_int_equal(give(w, WK_S2C, w->s_seq - 5000000, WK_TCP_ACK, "")->reason,
			 WK_DROP_WINDOW);
	give(w, WK_C2S, seq, WK_TCP_ACK, "hEVILEVILE");
	assert_sent(w, 0, WK_C2S, seq, w->c_ack, "h123456789");
}

static void a_judge_that_ends_the_connection_resets_both_sides(void **state)
{
	struct world *w = *state;

	w->fail = true;
	assert_int_equal(from_client(w, "ABC")->reason, WK_DROP_PROTOCOL);
	assert_reset(w);
	assert_int_not_equal(w->sent[0].out.dir, w->sent[1].out.dir);
	/* The tombstone answers at the number the sender expects. */
	w->env.now_ns += 10 * MS;
	from_client(w, "ABC");
	assert_int_equal(w->result.reason, WK_ABSORB_CLOSED);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->sent[0].out.seq, w->c_ack);
}

static void a_passive_flow_changes_nothing_and_can_be_enforced_later(void **state)
{
	struct world *w = *state;
	bool mid_stream;

	assert_int_equal(from_client(w, "AB"
					"h12")
				 ->verdict,
			 WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
	assert_false(wk_tcp_enforce(&w->flow, &mid_stream)); /* inside a frame */
	assert_false(mid_stream);
	from_client(w, "3456789");
	assert_int_equal(w->n_sent, 0);
	w->s_ack = w->c_seq;
	from_server(w, "xyz");
	assert_true(wk_tcp_enforce(&w->flow, &mid_stream));
	from_client(w, "d123456789");
	assert_int_equal(w->result.verdict, WK_TCP_ABSORB);
	assert_sent(w, 0, WK_S2C, w->s_seq, w->c_seq, REPLY);
}

static void fins_close_a_connection_for_good(void **state)
{
	struct world *w = *state;

	from_client(w, "d123456789");
	w->c_ack += REPLY_B;
	give(w, WK_C2S, w->c_seq, WK_TCP_FIN | WK_TCP_ACK, "");
	assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.seq, ISN_C + 1);
	w->s_ack = ISN_C + 2;
	give(w, WK_S2C, w->s_seq, WK_TCP_FIN | WK_TCP_ACK, "");
	assert_int_equal(w->result.seq, ISN_S + 1 + REPLY_B);
	assert_int_equal(w->result.ack, w->c_seq + 1);
	w->c_ack += 1;
	give(w, WK_C2S, w->c_seq + 1, WK_TCP_ACK, "");
	assert_int_equal(w->result.ack, ISN_S + 2);
	assert_int_equal(w->result.seq, ISN_C + 2);
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_CLOSED);
}

static void a_fin_inside_a_held_frame_takes_its_bytes_with_it(void **state)
{
	struct world *w = *state;
	uint32_t seq = w->c_seq;

	give(w, WK_C2S, seq, WK_TCP_FIN | WK_TCP_ACK, "ABd1234");
	assert_only(w, WK_C2S, seq, w->c_ack, "AB");
	assert_true(w->sent[0].out.flags & WK_TCP_FIN);
	assert_int_equal(w->stats.counter[WK_CNT_HDR_TRUNCATED], 1);
}

static void only_four_options_survive_in_a_syn(void **state)
{
	uint8_t opts[] = { 2, 4, 5,  180, 1, 3, 3, 7, 4,  2, 8, 10, 0, 0, 0, 1, 0, 0,
			   0, 0, 34, 6,   1, 2, 3, 4, 30, 4, 0, 1,  1, 1, 1, 1, 1, 1 };
	uint8_t want[] = { 2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0,
			   0, 0, 1, 1,   1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1 };

	(void)state;
	assert_int_equal(wk_tcp_syn_filter(opts, sizeof(opts)), 2);
	assert_memory_equal(opts, want, sizeof(opts));
	assert_int_equal(wk_tcp_syn_filter(opts, sizeof(opts)), 0);
}

static void headers_that_do_not_fit_are_refused(void **state)
{
	uint8_t tcp[60] = { [12] = 0x50 };
	struct wk_tcp_seg seg;

	(void)state;
	assert_int_equal(wk_tcp_seg_parse(&seg, tcp, 20), 0);
	assert_int_not_equal(wk_tcp_seg_parse(&seg, tcp, 19), 0);
	tcp[12] = 0x40;
	assert_int_not_equal(wk_tcp_seg_parse(&seg, tcp, 60), 0);
	tcp[12] = 0xf0;
	assert_int_not_equal(wk_tcp_seg_parse(&seg, tcp, 59), 0);
	assert_int_equal(wk_tcp_seg_parse(&seg, tcp, 60), 0);
	tcp[20] = 8;
	tcp[21] = 60; /* an option longer than the header */
	assert_int_not_equal(wk_tcp_seg_parse(&seg, tcp, 60), 0);
	tcp[21] = 1; /* shorter than itself */
	assert_int_not_equal(wk_tcp_seg_parse(&seg, tcp, 60), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(allowed_bytes_are_forwarded_untouched),
		world_test(a_denied_frame_vanishes_and_is_answered_with_its_ack),
		world_test(a_pure_ack_of_an_insertion_is_kept_from_the_server),
		world_test(an_insertion_is_sent_again_until_it_is_acknowledged),
		world_test(a_retransmission_says_what_was_judged_whatever_it_says_now),
		world_test(bytes_below_the_acknowledged_edge_are_answered_not_forwarded),
		world_test(an_incomplete_frame_is_held_owned_and_sent_when_whole),
		world_test(out_of_order_bytes_wait_and_are_reported),
		world_test(what_waited_behind_a_hole_is_acknowledged_at_once),
		world_test(a_repeated_segment_of_a_lost_burst_is_acknowledged),
		sack_world_test(the_latest_out_of_order_bytes_are_reported_first),
		world_test(a_replacement_shifts_what_follows_and_is_acknowledged_whole),
		world_test(growth_beyond_the_mss_is_split),
		cmocka_unit_test(an_rst_counts_at_two_exact_numbers),
		world_test(bad_flags_and_acks_are_dropped_before_they_touch_anything),
		world_test(an_ack_with_a_number_from_nowhere_releases_nothing),
		world_test(a_judge_that_ends_the_connection_resets_both_sides),
		passive_world_test(a_passive_flow_changes_nothing_and_can_be_enforced_later),
		world_test(fins_close_a_connection_for_good),
		world_test(a_fin_inside_a_held_frame_takes_its_bytes_with_it),
		cmocka_unit_test(only_four_options_survive_in_a_syn),
		cmocka_unit_test(headers_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
