/* SPDX-License-Identifier: Apache-2.0 */
/* Connections in which nothing is said for hours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

/* Runs the flow's timer when it wants to be. @return whether the flow lives on. */
static bool ring(struct world *w)
{
	uint64_t due_ns = wk_tcp_deadline(&w->flow, &w->limits);

	assert_true(due_ns > w->env.now_ns);
	w->env.now_ns = due_ns;
	w->n_sent = 0;
	return wk_tcp_timer(&w->flow, &w->env);
}

/* Both are asked, each by the other's number before the last that it has acknowledged. */
static void expect_question(const struct world *w)
{
	assert_int_equal(w->n_sent, 2);
	assert_sent(w, 0, WK_C2S, w->s_ack - 1, w->s_seq, "");
	assert_sent(w, 1, WK_S2C, w->c_ack - 1, w->c_seq, "");
}

static void talk(struct world *w)
{
	from_client(w, "abc");
	w->s_ack = w->c_seq;
	give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "");
	from_server(w, "xyz");
	w->c_ack = w->s_seq;
	give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "");
}

static void a_silent_connection_lives_on_if_both_sides_answer(void **state)
{
	struct world *w = *state;

	talk(w);
	for (int round = 0; round < 3; round++) {
		uint64_t silent_ns = w->env.now_ns;

		assert_true(ring(w));
		assert_true(w->env.now_ns - silent_ns >= w->limits.idle_ns);
		expect_question(w);
		/* The server answers first; the client only after the next question, which the
		 * server is spared. */
		give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "");
		assert_true(ring(w));
		assert_only(w, WK_S2C, w->c_ack - 1, w->c_seq, "");
		give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "");
		assert_true(wk_tcp_deadline(&w->flow, &w->limits) - w->env.now_ns >=
			    w->limits.idle_ns);
	}
	/* And it works as before. */
	assert_int_equal(from_client(w, "abc")->verdict, WK_TCP_FORWARD);
}

static void a_side_that_is_gone_ends_it(void **state)
{
	struct world w;

	(void)state;
	for (int alive = 0; alive < 3; alive++) { /* nobody, the client, the server */
		uint32_t questions = 0;

		open_world(&w, false);
		talk(&w);
		while (ring(&w) && wk_tcp_state(&w.flow) == WK_TCP_ST_ESTABLISHED) {
			questions++;
			assert_in_range(w.n_sent, 1, 2);
			if (alive == 1)
				give(&w, WK_C2S, w.c_seq, WK_TCP_ACK, "");
			else if (alive == 2)
				give(&w, WK_S2C, w.s_seq, WK_TCP_ACK, "");
		}
		assert_int_equal(questions, w.limits.keepalive_probes);
		assert_reset(&w);
		assert_int_equal(w.stats.counter[WK_CNT_IDLE_ENDED], 1);
		assert_int_equal(w.stats.counter[WK_CNT_KEEPALIVES],
				 alive == 0 ? 2 * questions : questions + 1);
		close_world(&w);
	}
}

/* It was only out of reach, and comes back with numbers that mean nothing to the other side. */
static void late_words_meet_a_tombstone(void **state)
{
	struct world *w = *state;

	talk(w);
	from_client(w, "d123456789abc");
	w->s_ack += 3;
	give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "");
	w->c_ack += (uint32_t)strlen(REPLY);
	give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "");
	assert_true(wk_tcp_edited(&w->flow));
	while (wk_tcp_state(&w->flow) == WK_TCP_ST_ESTABLISHED)
		assert_true(ring(w));
	for (int d = 0; d < WK_DIRS; d++) {
		const struct wk_tcp_result *result;

		w->env.now_ns += w->limits.closed_ns / 3;
		w->n_sent = 0;
		result = give(w, (enum wk_dir)d, d == WK_C2S ? w->c_seq : w->s_seq,
			      WK_TCP_ACK | WK_TCP_PSH, "abc");
		assert_int_equal(result->verdict, WK_TCP_ABSORB);
		assert_int_equal(result->reason, WK_ABSORB_CLOSED);
		assert_int_equal(w->n_sent, 1);
		assert_true(w->sent[0].out.flags & WK_TCP_RST);
		assert_int_equal(w->sent[0].out.dir, wk_dir_flip((enum wk_dir)d));
	}
	assert_int_equal(w->stats.counter[WK_CNT_IDLE_ENDED], 1);
	assert_int_equal(w->stats.counter[WK_CNT_FLOWS_RESET], 1);
	/* For as long as any other. */
	assert_false(ring(w));
}

static void words_that_do_not_count_keep_nothing_alive(void **state)
{
	struct world *w = *state;
	uint64_t due_ns;

	talk(w);
	due_ns = wk_tcp_deadline(&w->flow, &w->limits);
	w->env.now_ns += w->limits.idle_ns / 2;
	/* An acknowledgement of what was never sent. */
	w->s_ack += 100000;
	assert_int_equal(give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "")->verdict, WK_TCP_DROP);
	assert_int_equal(wk_tcp_deadline(&w->flow, &w->limits), due_ns);
}

static void a_passive_connection_is_asked_nothing(void **state)
{
	struct world *w = *state;

	talk(w);
	assert_false(ring(w));
	assert_int_equal(w->n_sent, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		world_test(a_silent_connection_lives_on_if_both_sides_answer),
		cmocka_unit_test(a_side_that_is_gone_ends_it),
		world_test(late_words_meet_a_tombstone),
		world_test(words_that_do_not_count_keep_nothing_alive),
		passive_world_test(a_passive_connection_is_asked_nothing),
	};

	return cmocka_run_group_tests_name("tcp_idle", tests, NULL, NULL);
}
