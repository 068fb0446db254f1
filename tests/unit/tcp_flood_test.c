/* SPDX-License-Identifier: Apache-2.0 */
/* Many small segments: what a client can make the box remember, walk through and send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

#define ARENA_B  (1u << 20)
#define FLOWS    64u
#define LEDGERS  16u
#define RECORD_B 256u /* of the arena, that one of the ledger takes */

static uint64_t used_b(const struct world *w)
{
	struct wk_mem_usage usage;

	wk_mem_usage(w->env.mem, &usage);
	return usage.used_b;
}

/* The pattern that costs most: each byte waits alone. */
static void single_bytes_behind_holes_are_bounded_in_number_and_memory(void **state)
{
	struct world *w = *state;
	uint32_t reasons[WK_REASON_MAX] = { 0 };

	for (uint32_t i = 0; i < 20000; i++) {
		give(w, WK_C2S, w->c_seq + 1 + 2 * i, WK_TCP_ACK, "A");
		reasons[w->result.reason]++;
		assert_in_range(w->n_sent, 0, 1);
		assert_in_range(w->flow.half[WK_C2S].n_ooo, 0, w->limits.ooo_records);
		assert_int_equal(used_b(w), w->flow.half[WK_C2S].ooo_b);
	}
	assert_int_equal(reasons[WK_ABSORB_OOO], w->limits.ooo_records);
	assert_int_equal(reasons[WK_DROP_OOO_CAP], 20000 - w->limits.ooo_records);
	/* The connection goes on: what was dropped is new when it comes again. */
	give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "xAxAxA");
	assert_int_equal(w->sent[0].out.seq, w->c_seq);
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
}

static void the_memory_of_waiting_bytes_is_counted_as_the_arena_counts_it(void **state)
{
	struct world *w = *state;

	w->limits.ooo_b = 8192;
	w->limits.ooo_records = UINT32_MAX;
	for (uint32_t i = 0; i < 1000; i++) {
		give(w, WK_C2S, w->c_seq + 1 + 2 * i, WK_TCP_ACK, "A");
		assert_in_range(used_b(w), 0, w->limits.ooo_b);
	}
	assert_int_equal(w->result.reason, WK_DROP_OOO_CAP);
	assert_int_equal(w->flow.half[WK_C2S].n_ooo, 8192 / WK_MEM_MIN_B);
}

/* What a single loss in a full window leaves behind is a row, not a list. */
static void a_row_of_segments_behind_one_hole_takes_few_records(void **state)
{
	struct world *w = *state;
	static char segment[1001];

	memset(segment, 'A', sizeof(segment) - 1);
	for (uint32_t i = 0; i < 59; i++) {
		give(w, WK_C2S, w->c_seq + 1 + 1000 * i, WK_TCP_ACK, segment);
		assert_int_equal(w->result.reason, WK_ABSORB_OOO);
	}
	assert_in_range(w->flow.half[WK_C2S].n_ooo, 1, 8);
	assert_in_range(used_b(w), 59000, 2 * 65536);
}

static void many_connections_that_pile_up_leave_room_for_others(void **state)
{
	struct world *w = *state;
	static struct wk_tcp_flow flows[FLOWS];

	for (uint32_t f = 0; f < FLOWS; f++)
		flows[f] = w->flow;
	for (uint32_t i = 0; i < 600; i++)
		for (uint32_t f = 0; f < FLOWS; f++) {
			w->flow = flows[f];
			give(w, WK_C2S, w->c_seq + 1 + 2 * i, WK_TCP_ACK, "A");
			flows[f] = w->flow;
			assert_in_range(used_b(w), 0, ARENA_B - ARENA_B / 4);
		}
	w->flow = flows[0];
	from_client(w, "h123");
	assert_int_equal(w->result.reason, WK_ABSORB_HELD);
	for (uint32_t f = 1; f < FLOWS; f++)
		wk_tcp_fini(&flows[f], &w->env);
}

/* Small frames behind a hole, as many as fit into `segments` of them. */
static uint32_t pile_up(struct world *w, uint32_t segments)
{
	static const char frames[] = "p123456789p123456789p123456789p123456789p123456789";
	uint32_t seq = w->c_seq + 1;

	for (uint32_t i = 0; i < segments; i++) {
		give(w, WK_C2S, seq, WK_TCP_ACK, frames);
		assert_int_equal(w->result.reason, WK_ABSORB_OOO);
		seq += (uint32_t)sizeof(frames) - 1;
	}
	return seq;
}

/* They all come at once when the hole closes. The rest goes on as the server acknowledges. */
static void frames_that_waited_are_read_as_far_as_there_is_room(void **state)
{
	struct world *w = *state;
	const struct wk_tcp_half *half = &w->flow.half[WK_C2S];
	uint64_t judged_in;
	uint32_t end;

	w->limits.ledger_records = 8;
	end = pile_up(w, 120);
	give(w, WK_C2S, w->c_seq, WK_TCP_ACK, "x");
	w->c_seq = end;
	assert_non_null(half->ooo);
	while (half->ooo) {
		assert_in_range(half->n_recs, 8, 8 + 1500 / FRAME + 1);
		judged_in = half->e_in;
		ack_from_server(w, wk_seq_wrap(half->isn, half->nxt_out));
		/* The client learns of it all the same, and of nothing else. */
		assert_int_equal(w->result.verdict, WK_TCP_FORWARD);
		assert_int_equal(w->result.edits, 0);
		assert_int_not_equal(w->n_sent, 0);
		assert_true(half->e_in > judged_in);
	}
	assert_int_equal(half->e_in, 6002);
	assert_int_equal(ack_from_server(w, end)->verdict, WK_TCP_FORWARD);
	assert_int_equal(used_b(w), 0);
	assert_int_equal(from_client(w, "x")->verdict, WK_TCP_FORWARD);
}

/* Small frames with bytes between them, and a server that acknowledges nothing. */
static uint32_t fill_ledger(struct world *w, uint32_t frames)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < frames; i++) {
		from_client(w, "h123456789x");
		if (w->result.reason != WK_DROP_LEDGER_CAP)
			taken++;
		else
			w->c_seq -= FRAME + 1;
	}
	return taken;
}

static void frames_that_are_not_acknowledged_are_bounded_in_number_and_memory(void **state)
{
	struct world *w = *state;

	assert_int_equal(fill_ledger(w, 5000), w->limits.ledger_records + 1);
	assert_in_range(used_b(w), 0, (w->limits.ledger_records + 1) * RECORD_B);
	ack_from_server(w, w->c_seq);
	assert_int_equal(used_b(w), 0);
	assert_int_equal(fill_ledger(w, 1), 1);
}

static void many_connections_with_full_ledgers_leave_room_for_others(void **state)
{
	struct world *w = *state;
	static struct wk_tcp_flow flows[LEDGERS];
	uint32_t seq = w->c_seq, last = 0;

	for (uint32_t f = 0; f < LEDGERS; f++)
		flows[f] = w->flow;
	for (uint32_t f = 0; f < LEDGERS; f++) {
		w->c_seq = seq;
		w->flow = flows[f];
		last = fill_ledger(w, 2000);
		flows[f] = w->flow;
		assert_int_equal(wk_tcp_state(&flows[f]), WK_TCP_ST_ESTABLISHED);
	}
	/* The last one has what a connection needs. */
	assert_in_range(last, 1, 100);
	assert_int_equal(w->result.reason, WK_DROP_LEDGER_CAP);
	assert_true(used_b(w) < ARENA_B);
	for (uint32_t f = 0; f + 1 < LEDGERS; f++)
		wk_tcp_fini(&flows[f], &w->env);
}

/* A client with a very large window that acknowledges nothing, and is denied call after call. */
static void replies_that_are_not_acknowledged_are_bounded_in_number_and_memory(void **state)
{
	struct world world, *w = &world;

	(void)state;
	open_world_scaled(w, 14, 60000);
	for (uint32_t i = 0; i < 2000; i++) {
		from_client(w, "d123456789");
		assert_int_equal(w->result.reason, WK_ABSORB_DELETED);
		assert_in_range(w->flow.half[WK_S2C].n_recs, 0, w->limits.ledger_records + 1);
	}
	assert_int_equal(w->replies, 2000 - w->limits.ledger_records - 1);
	assert_in_range(used_b(w), 0, (w->limits.ledger_records + 2) * RECORD_B);
	/* They go on as it acknowledges. */
	w->c_ack = ISN_S + 1 + (w->limits.ledger_records + 1) * (uint32_t)(sizeof(REPLY) - 1);
	from_client(w, "");
	assert_int_equal(w->replies, 0);
	assert_true(w->n_sent > 0);
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
	close_world(w);
}

/* Each of a server's frames comes in two pieces, the first of which is kept. */
static uint32_t fill_download(struct world *w, uint32_t frames)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < frames; i++) {
		if (from_server(w, "q123")->reason == WK_DROP_LEDGER_CAP) {
			w->s_seq -= 4;
			continue;
		}
		from_server(w, "456789x");
		taken++;
	}
	return taken;
}

static void a_download_that_is_not_acknowledged_is_bounded_in_number_and_memory(void **state)
{
	struct world world, *w = &world;

	(void)state;
	open_world_scaled(w, 14, 60000);
	assert_int_equal(fill_download(w, 5000), w->limits.ledger_records + 1);
	assert_in_range(used_b(w), 0, (w->limits.ledger_records + 2) * RECORD_B);
	w->c_ack = w->s_seq;
	from_client(w, "");
	assert_int_equal(fill_download(w, 1), 1);
	close_world(w);
}

static void nothing_is_kept_of_a_download_that_is_only_watched(void **state)
{
	struct world *w = *state;

	assert_int_equal(fill_download(w, 2000), 2000);
	assert_int_equal(used_b(w), 0);
	assert_int_equal(wk_tcp_state(&w->flow), WK_TCP_ST_ESTABLISHED);
}

/* Three duplicates ask for it once; what comes afterwards does not ask. */
static void a_lost_insertion_is_not_sent_again_for_each_packet(void **state)
{
	struct world *w = *state;

	from_client(w, "d123456789");
	from_server(w, "ABC");
	for (uint32_t i = 0; i < 3; i++)
		from_client(w, "");
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_REXMIT], 1);
	for (uint32_t i = 0; i < 50; i++)
		from_client(w, "x");
	assert_int_equal(w->stats.counter[WK_CNT_OWNED_REXMIT], 1);
}

/* Records are found by stepping stones. While the server acknowledges one after the other from the
 * front, each of those behind is what it always was. */
static void each_of_many_records_is_found(void **state)
{
	struct world *w = *state;
	uint32_t out_b = (uint32_t)strlen(REPL), n = 300, seq = w->c_seq, first = w->s_ack;

	for (uint32_t i = 0; i < n; i++)
		from_client(w, "r123456789");
	for (uint32_t acked = 0; acked < n; acked += 7) {
		w->s_ack = first + acked * out_b;
		give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "");
		assert_int_equal(w->result.ack, seq + acked * FRAME);
		for (uint32_t i = acked; i < n; i += 5) {
			give(w, WK_C2S, seq + i * FRAME, WK_TCP_ACK | WK_TCP_PSH, "other word");
			assert_only(w, WK_C2S, first + i * out_b, w->c_ack, REPL);
		}
	}
	/* The list begins anew once it was empty. */
	w->s_ack = first + n * out_b;
	give(w, WK_S2C, w->s_seq, WK_TCP_ACK, "");
	for (uint32_t i = 0; i < 100; i++) {
		from_client(w, "r123456789");
		assert_only(w, WK_C2S, first + (n + i) * out_b, w->c_ack, REPL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(single_bytes_behind_holes_are_bounded_in_number_and_memory),
		world_test(the_memory_of_waiting_bytes_is_counted_as_the_arena_counts_it),
		world_test(a_row_of_segments_behind_one_hole_takes_few_records),
		world_test(many_connections_that_pile_up_leave_room_for_others),
		world_test(frames_that_are_not_acknowledged_are_bounded_in_number_and_memory),
		world_test(frames_that_waited_are_read_as_far_as_there_is_room),
		world_test(many_connections_with_full_ledgers_leave_room_for_others),
		cmocka_unit_test(
			replies_that_are_not_acknowledged_are_bounded_in_number_and_memory),
		cmocka_unit_test(
			a_download_that_is_not_acknowledged_is_bounded_in_number_and_memory),
		passive_world_test(nothing_is_kept_of_a_download_that_is_only_watched),
		world_test(a_lost_insertion_is_not_sent_again_for_each_packet),
		world_test(each_of_many_records_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
