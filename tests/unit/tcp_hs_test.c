/* SPDX-License-Identifier: Apache-2.0 */
/* From the first SYN to the flow: what a handshake keeps, which numbers count, and which packets
 * are none of its own. The letters of the peers: tcp_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum wk_tcp_hs_step step(struct world *w, enum wk_dir dir, uint32_t seq, uint8_t flags,
				const char *data)
{
	give(w, dir, seq, flags, data);
	return w->step;
}

/* A20 */
static void a_third_segment_with_another_number_opens_nothing(void **state)
{
	static const struct {
		int32_t seq, ack;
		bool opens;
	} rows[] = { { 0, 0, true },          { 0, -1, false },    { 0, 1, false },
		     { 0, 1000, false },      { 0, -1000, false }, { 0, 1 << 30, false },
		     { -1, 0, false },        { 1, 0, true },      { 60000, 0, true },
		     { 60001, 0, false },     { -2, 0, false },    { 1 << 30, 0, false },
		     { -(1 << 30), 0, false } };

	(void)state;
	for (size_t i = 0; i < 4 * COUNT(rows); i++) {
		bool passive = i / COUNT(rows) / 2, data = i / COUNT(rows) % 2;
		size_t row = i % COUNT(rows);
		struct world w;

		new_world(&w, passive);
		greet_world(&w);
		w.c_ack += (uint32_t)rows[row].ack;
		give(&w, WK_C2S, w.c_seq + (uint32_t)rows[row].seq, WK_TCP_ACK, data ? "ABC" : "");
		if (w.open != rows[row].opens)
			fail_msg("row %zu, passive %d, data %d: open %d", row, passive, data,
				 w.open);
		if (!w.open) {
			assert_int_equal(w.step, WK_TCP_HS_ALIEN);
			assert_int_equal(w.result.reason, WK_DROP_HS);
		}
		close_world(&w);
	}
}

static void only_a_segment_with_an_ack_and_no_syn_is_the_third(void **state)
{
	static const struct {
		uint8_t flags;
		enum wk_reason reason;
	} rows[] = { { WK_TCP_PSH, WK_DROP_BADFLAGS },
		     { 0, WK_DROP_BADFLAGS },
		     { WK_TCP_FIN, WK_DROP_BADFLAGS },
		     { WK_TCP_SYN | WK_TCP_ACK, WK_DROP_HS },
		     { WK_TCP_SYN | WK_TCP_FIN | WK_TCP_ACK, WK_DROP_BADFLAGS },
		     { WK_TCP_FIN | WK_TCP_RST | WK_TCP_ACK, WK_DROP_BADFLAGS } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		new_world(&w, false);
		greet_world(&w);
		give(&w, WK_C2S, w.c_seq, rows[i].flags, "ABC");
		assert_int_equal(w.step, WK_TCP_HS_ALIEN);
		assert_int_equal(w.result.reason, rows[i].reason);
		assert_int_equal(from_client(&w, "")->verdict, WK_TCP_FORWARD);
		assert_true(w.open);
		close_world(&w);
	}
}

/* The pure ACK was lost on its way here, and the first segment of data as well. */
static void the_first_data_that_arrives_is_the_third_segment(void **state)
{
	struct world w;

	(void)state;
	for (uint32_t lost = 0; lost < 2; lost++) {
		new_world(&w, false);
		greet_world(&w);
		w.c_seq += lost;
		from_client(&w, "d123456789");
		assert_true(w.open);
		assert_int_equal(w.result.reason, lost ? WK_ABSORB_OOO : WK_ABSORB_DELETED);
		if (lost) {
			give(&w, WK_C2S, w.c_seq - FRAME - 1, WK_TCP_ACK, "A");
			assert_sent(&w, 0, WK_C2S, ISN_C + 1, w.c_ack, "A");
		}
		assert_int_equal(w.replies, 0);
		close_world(&w);
	}
}

/* It cannot know yet that anybody hears it. */
static void what_a_server_sends_before_the_third_segment_goes_nowhere(void **state)
{
	struct world *w = *state;

	greet_world(w);
	assert_int_equal(from_server(w, "abc")->reason, WK_DROP_HS);
	assert_int_equal(w->step, WK_TCP_HS_ALIEN);
	w->s_seq -= 3;
	from_client(w, "");
	assert_true(w->open);
	assert_int_equal(from_server(w, "abc")->verdict, WK_TCP_FORWARD);
}

static void a_split_handshake_is_none(void **state)
{
	struct world *w = *state;

	give(w, WK_C2S, w->c_seq++, WK_TCP_SYN, "");
	/* A21: the server's own SYN, which asks the client to be a server. */
	assert_int_equal(step(w, WK_S2C, ISN_S, WK_TCP_SYN, ""), WK_TCP_HS_ALIEN);
	assert_int_equal(w->result.reason, WK_DROP_SRV_SYN);
	/* Neither an ACK alone nor a SYN-ACK of the client's goes on from here. */
	w->s_ack = w->c_seq;
	assert_int_equal(step(w, WK_S2C, ISN_S, WK_TCP_ACK, ""), WK_TCP_HS_ALIEN);
	w->c_ack = ISN_S + 1;
	assert_int_equal(step(w, WK_C2S, ISN_C, WK_TCP_SYN | WK_TCP_ACK, ""), WK_TCP_HS_ALIEN);
	assert_int_equal(step(w, WK_C2S, ISN_C + 1, WK_TCP_ACK, ""), WK_TCP_HS_ALIEN);
	assert_int_equal(w->result.reason, WK_DROP_HS);
}

static void a_syn_ack_for_another_syn_is_dropped(void **state)
{
	struct world *w = *state;
	static const int32_t off[] = { -1, 1, 1 << 30 };

	give(w, WK_C2S, w->c_seq++, WK_TCP_SYN, "");
	for (size_t i = 0; i < COUNT(off); i++) {
		w->s_ack = w->c_seq + (uint32_t)off[i];
		give(w, WK_S2C, ISN_S, WK_TCP_SYN | WK_TCP_ACK, "");
		assert_int_equal(w->step, WK_TCP_HS_ALIEN);
		assert_int_equal(w->result.reason, WK_DROP_HS);
	}
	w->c_ack = ISN_S + 1;
	assert_int_equal(step(w, WK_C2S, w->c_seq, WK_TCP_ACK, ""), WK_TCP_HS_ALIEN);
}

/* A22 */
static void of_two_syn_acks_the_last_one_counts(void **state)
{
	struct world *w = *state;

	greet_world(w);
	give(w, WK_S2C, 0x7777, WK_TCP_SYN | WK_TCP_ACK, "");
	assert_int_equal(w->step, WK_TCP_HS_ON);
	assert_int_equal(step(w, WK_C2S, w->c_seq, WK_TCP_ACK, ""), WK_TCP_HS_ALIEN);
	w->c_ack = 0x7778;
	assert_int_equal(step(w, WK_C2S, w->c_seq, WK_TCP_ACK, ""), WK_TCP_HS_DONE);
	w->s_seq = 0x7778;
	assert_int_equal(from_server(w, "abc")->verdict, WK_TCP_FORWARD);
}

/* The client tries anew with another number: what was answered to the first one is void. */
static void another_syn_begins_the_handshake_anew(void **state)
{
	struct world *w = *state;

	greet_world(w);
	/* The same one again changes nothing. */
	assert_int_equal(step(w, WK_C2S, ISN_C, WK_TCP_SYN, ""), WK_TCP_HS_ON);
	assert_int_equal(step(w, WK_C2S, 0x5555, WK_TCP_SYN, ""), WK_TCP_HS_ON);
	w->c_seq = 0x5556;
	assert_int_equal(step(w, WK_C2S, w->c_seq, WK_TCP_ACK, ""), WK_TCP_HS_ALIEN);
	assert_int_equal(step(w, WK_S2C, ISN_S, WK_TCP_SYN | WK_TCP_ACK, ""), WK_TCP_HS_ALIEN);
	w->s_ack = 0x5556;
	assert_int_equal(step(w, WK_S2C, ISN_S, WK_TCP_SYN | WK_TCP_ACK, ""), WK_TCP_HS_ON);
	assert_int_equal(step(w, WK_C2S, w->c_seq, WK_TCP_ACK, ""), WK_TCP_HS_DONE);
}

static void an_rst_ends_a_handshake_at_its_exact_number(void **state)
{
	static const struct {
		enum wk_dir dir;
		uint8_t flags;
		int32_t off; /* of what counts: the server's ack, the client's number */
		enum wk_tcp_hs_step step;
	} rows[] = { { WK_S2C, WK_TCP_RST | WK_TCP_ACK, 0, WK_TCP_HS_OVER },
		     { WK_S2C, WK_TCP_RST | WK_TCP_ACK, 1, WK_TCP_HS_ALIEN },
		     { WK_S2C, WK_TCP_RST | WK_TCP_ACK, -1, WK_TCP_HS_ALIEN },
		     { WK_S2C, WK_TCP_RST, 0, WK_TCP_HS_ALIEN },
		     { WK_C2S, WK_TCP_RST, 0, WK_TCP_HS_OVER },
		     { WK_C2S, WK_TCP_RST, 1, WK_TCP_HS_ALIEN },
		     { WK_C2S, WK_TCP_RST | WK_TCP_ACK, -1, WK_TCP_HS_ALIEN } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		new_world(&w, false);
		greet_world(&w);
		w.s_ack += (uint32_t)rows[i].off;
		give(&w, rows[i].dir, w.c_seq + (uint32_t)rows[i].off, rows[i].flags, "ABC");
		assert_int_equal(w.step, rows[i].step);
		if (w.step == WK_TCP_HS_OVER) {
			assert_int_equal(w.result.verdict, WK_TCP_FORWARD);
			assert_int_equal(w.result.edits, WK_TCP_EDIT_TRIM_DATA);
		} else {
			assert_int_equal(w.result.reason, WK_DROP_RST_BADSEQ);
		}
		close_world(&w);
	}
}

/* One side of a handshake, and what the flow makes of it. */
struct offer {
	bool ts, sack, ws;
	uint8_t wscale;
	uint16_t mss;
};

static void offer(struct world *w, enum wk_dir dir, const struct offer *with, bool ack)
{
	struct wk_tcp_seg seg = {
		.seq = dir == WK_C2S ? ISN_C : ISN_S,
		.ack = ack ? ISN_C + 1 : 0,
		.wnd = (uint16_t)(dir == WK_C2S ? 0xffff : 0xfffe),
		.flags = (uint8_t)(WK_TCP_SYN | (ack ? WK_TCP_ACK : 0)),
		.has_ts = with->ts,
		.tsval = dir == WK_C2S ? 0xfffffffeu : 0x80000000u,
		.sack_permitted = with->sack,
		.has_wscale = with->ws,
		.wscale = with->wscale,
		.has_mss = with->mss > 0,
		.mss = with->mss,
	};

	if (dir == WK_C2S)
		wk_tcp_hs_start(&w->hs, &seg, false);
	assert_int_equal(wk_tcp_hs_input(&w->hs, dir, &seg, &w->stats, &w->result), WK_TCP_HS_ON);
}

static void a_flow_knows_what_both_sides_have_said(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		struct offer c = { .ts = i & 1,
				   .sack = i & 2,
				   .ws = i & 4,
				   .wscale = i & 4 ? 14 : 0,
				   .mss = (uint16_t)(i & 1 ? 1460 : 0) };
		struct offer s = { .ts = i & 8,
				   .sack = i & 16,
				   .ws = i & 32,
				   .wscale = i & 32 ? 7 : 0,
				   .mss = 65535 };
		const struct wk_tcp_half *c2s, *s2c;
		struct world w;

		new_world(&w, false);
		offer(&w, WK_C2S, &c, false);
		offer(&w, WK_S2C, &s, true);
		wk_tcp_init(&w.flow, &w.hs, &w.env);
		c2s = &w.flow.half[WK_C2S];
		s2c = &w.flow.half[WK_S2C];
		assert_int_equal(w.flow.ts_on, c.ts && s.ts);
		assert_int_equal(w.flow.sack_on, c.sack && s.sack);
		assert_int_equal(c2s->wscale, c.ws && s.ws ? 14 : 0);
		assert_int_equal(s2c->wscale, c.ws && s.ws ? 7 : 0);
		assert_int_equal(c2s->mss, c.mss);
		assert_int_equal(s2c->mss, 65535);
		assert_int_equal(c2s->isn, ISN_C);
		assert_int_equal(s2c->isn, ISN_S);
		/* The window that a side announces is the other stream's. */
		assert_int_equal(c2s->edge_out, 1 + 0xfffe);
		assert_int_equal(s2c->edge_out, 1 + 0xffff);
		assert_int_equal(c2s->tsval, 0xfffffffeu);
		assert_int_equal(s2c->ts_recent, 0x80000000u);
		close_world(&w);
	}
}

/* A SYN that comes again later has a later timestamp: nothing built here may be older. */
static void the_latest_timestamp_of_a_repeated_syn_counts(void **state)
{
	struct world *w = *state;
	struct wk_tcp_seg seg = { .seq = ISN_C, .flags = WK_TCP_SYN, .has_ts = true, .tsval = 10 };

	wk_tcp_hs_start(&w->hs, &seg, false);
	for (uint32_t tsval = 10; tsval < 14; tsval++) {
		seg.tsval = tsval == 13 ? 5 : tsval; /* the last one is late */
		wk_tcp_hs_input(&w->hs, WK_C2S, &seg, &w->stats, &w->result);
	}
	offer(w, WK_S2C, &(struct offer){ .ts = true }, true);
	wk_tcp_init(&w->flow, &w->hs, &w->env);
	assert_int_equal(w->flow.half[WK_C2S].tsval, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_third_segment_with_another_number_opens_nothing),
		cmocka_unit_test(only_a_segment_with_an_ack_and_no_syn_is_the_third),
		cmocka_unit_test(the_first_data_that_arrives_is_the_third_segment),
		new_world_test(what_a_server_sends_before_the_third_segment_goes_nowhere),
		new_world_test(a_split_handshake_is_none),
		new_world_test(a_syn_ack_for_another_syn_is_dropped),
		new_world_test(of_two_syn_acks_the_last_one_counts),
		new_world_test(another_syn_begins_the_handshake_anew),
		cmocka_unit_test(an_rst_ends_a_handshake_at_its_exact_number),
		cmocka_unit_test(a_flow_knows_what_both_sides_have_said),
		new_world_test(the_latest_timestamp_of_a_repeated_syn_counts),
	};

	return cmocka_run_group_tests_name("tcp_hs", tests, NULL, NULL);
}
