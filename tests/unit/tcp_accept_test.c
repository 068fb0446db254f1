/* SPDX-License-Identifier: Apache-2.0 */
/* What counts of a segment: its number first, then its timestamp, then its acknowledgement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

#define SECOND_NS (1000 * MS)

/* A reply is owed to the client, who has bytes under way. */
static void owe_a_reply(struct world *w)
{
	from_client(w, "ABCDEFGHIJ");
	ack_from_server(w, w->c_seq);
	from_client(w, "d123456789");
	assert_int_equal(w->sent[w->n_sent - 1].out.data_len_b, REPLY_B);
}

/* Is the reply still ours to send again? */
static bool still_owed(struct world *w)
{
	pass_time(w, SECOND_NS);
	return w->n_sent > 0;
}

/* The right acknowledgement at a number that no receiver would look at. */
static void a_bare_ack_outside_of_the_window_acknowledges_nothing(void **state)
{
	static const int32_t off[] = { -1,    -2,      -10,        -70000,    -200000,
				       60002, 1 << 29, -(1 << 29), -(1 << 30) };

	(void)state;
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		struct world w;

		open_world(&w, false);
		owe_a_reply(&w);
		w.c_ack += REPLY_B;
		w.wnd[WK_C2S] = 65535;
		give(&w, WK_C2S, w.c_seq + (uint32_t)off[i], WK_TCP_ACK, "");
		assert_true(w.flow.half[WK_S2C].edge_out < ISN_S + 65535);
		assert_true(still_owed(&w));
		/* And at the right number. */
		give(&w, WK_C2S, w.c_seq, WK_TCP_ACK, "");
		assert_false(still_owed(&w));
		close_world(&w);
	}
}

/* RFC 5961 5: not of what was never sent, nor further behind than the largest window. */
static void an_ack_too_far_behind_is_answered_and_dropped(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 700; i++) {
		from_server(w, "123456789A123456789A123456789A123456789A123456789A"
			       "123456789A123456789A123456789A123456789A123456789A");
		ack_from_client(w, w->s_seq);
	}
	w->c_ack = w->s_seq - 60000;
	assert_int_not_equal(from_client(w, "AB")->reason, WK_DROP_BADACK);
	w->env.now_ns += 10 * MS;
	w->c_ack = w->s_seq - 60001;
	assert_int_equal(from_client(w, "AB")->reason, WK_DROP_BADACK);
	assert_only(w, WK_S2C, w->s_seq, ISN_C + 1, "");
	w->env.now_ns += 10 * MS;
	w->c_ack = w->s_seq + 1;
	w->c_seq -= 2;
	assert_int_equal(from_client(w, "AB")->reason, WK_DROP_BADACK);
	assert_only(w, WK_S2C, w->s_seq, ISN_C + 1, "");
}

/* PAWS comes before the acknowledgement, too. */
static void an_acknowledgement_from_the_past_counts_for_nothing(void **state)
{
	struct world *w = *state;

	owe_a_reply(w);
	w->clock[WK_C2S] += 100;
	from_client(w, "AB");
	w->clock[WK_C2S] -= 50;
	assert_int_equal(ack_from_client(w, w->c_ack + REPLY_B)->reason, WK_DROP_PAWS);
	assert_true(still_owed(w));
	assert_int_equal(from_client(w, "XY")->reason, WK_DROP_PAWS);
	w->c_seq -= 2;
	assert_true(still_owed(w));
	/* One that was overtaken says nothing new, and may go on. */
	w->c_ack -= REPLY_B;
	assert_int_not_equal(from_client(w, "")->verdict, WK_TCP_DROP);
	w->clock[WK_C2S] += 50;
	ack_from_client(w, w->c_ack + REPLY_B);
	assert_false(still_owed(w));
}

/* A timestamp from far ahead, at numbers where its receiver would not take it. What we build next
 * must not have it, and what its sender sends next is not too old. */
static void a_forged_timestamp_is_in_nothing_that_is_built(void **state)
{
	static const struct {
		int32_t off;
		const char *data;
	} rows[] = {
		{ -1, "" },    { -1, "?" },    { -2, "" },   { -5, "ABC" },
		{ 1, "" },     { 5, "" },      { 5, "ABC" }, { 50000, "A" },
		{ 59000, "" }, { 200000, "" }, { -100, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int edited = 0; edited < 2; edited++) {
			struct world w;

			open_world_timed(&w);
			from_client(&w, edited ? "d123456789" : "123456789A");
			w.c_ack += edited ? REPLY_B : 0;
			ack_from_server(&w, ISN_C + 1 + (edited ? 0 : 10));
			w.clock[WK_C2S] += 1u << 30;
			give(&w, WK_C2S, w.c_seq + (uint32_t)rows[i].off, WK_TCP_ACK, rows[i].data);
			for (unsigned int n = 0; n < w.n_sent; n++)
				assert_int_equal(sent_tsval(&w, n), 1000);
			w.clock[WK_C2S] -= (1u << 30) - 1;
			from_client(&w, "r123456789");
			assert_int_equal(w.n_sent, 1);
			assert_int_equal(sent_tsval(&w, 0), 1001);
			close_world(&w);
		}
	}
}

/* A bare ACK ahead of what has arrived is put back to where the server is: with its own timestamp
 * it would be taken there. */
static void a_bare_ack_that_is_put_back_leaves_its_timestamp(void **state)
{
	struct world *w = *state;

	from_client(w, "ABC");
	w->clock[WK_C2S] += 1000000;
	w->c_seq += 10;
	assert_int_equal(from_client(w, "")->reason, WK_ABSORB_REBUILT);
	assert_only(w, WK_C2S, ISN_C + 4, w->c_ack, "");
	assert_int_equal(sent_tsval(w, 0), 1000);
	/* At the very end it stands, as it would without us. */
	w->c_seq -= 10;
	w->clock[WK_C2S] = 1001;
	assert_int_equal(from_client(w, "")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.edits, 0);
}

/* The fastest clocks of timestamps are half way round in 36 minutes. */
static void timestamps_are_forgotten_after_long_silence(void **state)
{
	struct world *w = *state;

	from_client(w, "ABC");
	w->env.now_ns += 30 * 60 * SECOND_NS;
	w->clock[WK_C2S] -= 10;
	assert_int_equal(from_client(w, "DEF")->reason, WK_DROP_PAWS);
	w->c_seq -= 3;
	w->env.now_ns += 6 * 60 * SECOND_NS;
	assert_int_equal(from_client(w, "DEF")->verdict, WK_TCP_FORWARD);
	from_client(w, "r123456789");
	assert_int_equal(sent_tsval(w, 0), 990);
}

/* A late copy of the server's SYN-ACK. */
static void the_older_of_two_syn_acks_does_not_turn_the_clock_back(void **state)
{
	struct world *w = *state;

	w->ts = true;
	greet_world(w);
	w->clock[WK_S2C] -= 10;
	give(w, WK_S2C, ISN_S, WK_TCP_SYN | WK_TCP_ACK, "");
	from_client(w, "");
	give(w, WK_C2S, w->c_seq + 70000, WK_TCP_ACK, "ABC");
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(sent_tsval(w, 0), 1000);
}

/* A keepalive is not heard, only answered: it goes to the server with numbers of ours. */
static void a_keepalive_asks_and_says_nothing(void **state)
{
	struct world *w = *state;

	owe_a_reply(w);
	w->c_ack += REPLY_B;
	give(w, WK_C2S, w->c_seq - 1, WK_TCP_ACK, "");
	assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
	assert_int_equal(w->result.seq, ISN_C + 10);
	assert_int_equal(w->result.ack, ISN_S + 1);
	assert_true(still_owed(w));
}

/* A byte of the next frame would take the place of the reply that waits for room. */
static void a_probe_at_a_boundary_goes_on_without_its_byte(void **state)
{
	struct world w;

	(void)state;
	open_world_of(&w, false, 3);
	from_client(&w, "d123456789");
	assert_int_equal(w.replies, 1);
	from_server(&w, "abc");
	w.c_ack += 3;
	w.wnd[WK_C2S] = 0;
	from_client(&w, "");
	assert_int_equal(from_server(&w, "x")->reason, WK_DROP_WINDOW);
	assert_only(&w, WK_S2C, ISN_S + 3, w.c_seq, "");
	w.s_seq--;
	w.wnd[WK_C2S] = 100;
	from_client(&w, "");
	assert_int_equal(w.replies, 0);
	ack_from_client(&w, w.c_ack + REPLY_B);
	assert_int_equal(from_server(&w, "x")->verdict, WK_TCP_FORWARD);
	close_world(&w);
}

/* A40. A header with an MSS and a signature of this kind. */
static void parse_signed(struct wk_tcp_seg *seg, uint8_t *tcp, uint8_t kind, uint8_t flags)
{
	memset(tcp, 0, 60);
	tcp[12] = 0xb0;
	tcp[13] = flags;
	tcp[20] = 2;
	tcp[21] = 4;
	tcp[22] = 5;
	tcp[24] = kind;
	tcp[25] = kind == 19 ? 18 : 16;
	assert_int_equal(wk_tcp_seg_parse(seg, tcp, 44), 0);
}

/* Taken out of the SYN, so that a side which asks for it hears nothing that it believes. */
static void a_signature_is_taken_out_of_a_syn_and_counted(void **state)
{
	static const uint8_t kinds[] = { 19, 29 };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds); i++) {
		for (int passive = 0; passive < 2; passive++) {
			struct wk_tcp_seg seg;
			uint8_t tcp[60];
			struct world w;

			new_world(&w, passive);
			parse_signed(&seg, tcp, kinds[i], WK_TCP_SYN);
			assert_true(seg.has_auth);
			wk_tcp_hs_start(&w.hs, &seg, passive);
			wk_tcp_hs_input(&w.hs, WK_C2S, &seg, &w.stats, &w.result);
			assert_int_equal(w.result.verdict, WK_TCP_FORWARD);
			assert_int_equal(w.result.edits, passive ? 0 : WK_TCP_EDIT_SYN_OPTS);
			assert_int_equal(w.stats.counter[WK_CNT_NORM_AUTH_OPT], passive ? 0 : 1);
			assert_int_equal(w.stats.counter[WK_CNT_NORM_SYN_OPTION], 0);
			assert_int_equal(wk_tcp_syn_filter(tcp + 20, 24), 1);
			assert_int_equal(tcp[24], 1);
			close_world(&w);
		}
	}
}

/* Nobody agreed to it: a decoy that only one of two readers takes, whether edited or not. */
static void a_signed_segment_of_a_connection_goes_nowhere(void **state)
{
	(void)state;
	for (int edited = 0; edited < 2; edited++) {
		struct world w;

		open_world(&w, false);
		from_client(&w, edited ? "d123456789" : "ABC");
		w.c_ack += edited ? REPLY_B : 0;
		w.signs = true;
		assert_int_equal(from_client(&w, "XYZ")->reason, WK_DROP_AUTH_OPT);
		assert_int_equal(from_server(&w, "xyz")->reason, WK_DROP_AUTH_OPT);
		give(&w, WK_S2C, w.s_seq - 3, WK_TCP_RST | WK_TCP_ACK, "");
		assert_int_equal(w.result.reason, WK_DROP_AUTH_OPT);
		assert_int_equal(w.n_sent, 0);
		w.signs = false;
		w.c_seq -= 3;
		w.s_seq -= 3;
		assert_int_equal(from_client(&w, "DEF")->verdict, WK_TCP_FORWARD);
		close_world(&w);
	}
	/* Where nothing is changed it is not looked at. */
	struct world w;

	open_world(&w, true);
	w.signs = true;
	assert_int_equal(from_client(&w, "XYZ")->verdict, WK_TCP_FORWARD);
	assert_int_equal(w.result.edits, 0);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bare_ack_outside_of_the_window_acknowledges_nothing),
		world_test(an_ack_too_far_behind_is_answered_and_dropped),
		timed_world_test(an_acknowledgement_from_the_past_counts_for_nothing),
		cmocka_unit_test(a_forged_timestamp_is_in_nothing_that_is_built),
		timed_world_test(a_bare_ack_that_is_put_back_leaves_its_timestamp),
		timed_world_test(timestamps_are_forgotten_after_long_silence),
		new_world_test(the_older_of_two_syn_acks_does_not_turn_the_clock_back),
		world_test(a_keepalive_asks_and_says_nothing),
		cmocka_unit_test(a_probe_at_a_boundary_goes_on_without_its_byte),
		cmocka_unit_test(a_signature_is_taken_out_of_a_syn_and_counted),
		cmocka_unit_test(a_signed_segment_of_a_connection_goes_nowhere),
	};

	return cmocka_run_group_tests_name("tcp_accept", tests, NULL, NULL);
}
