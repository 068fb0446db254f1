/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that are looked up ahead of their packets, and timers that packets have moved away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "inspect_rig.h"

#define S 1000000000ull

static struct rig *start(void)
{
	struct rig_conf conf = rig_conf_default;
	struct rig *rig;

	conf.on.mid_stream = WK_ON_DROP; /* a stray is answered by nothing */
	rig = rig_new(&conf);
	rig->events_off = true;
	rig_connect(rig);
	rig_greet(rig);
	return rig;
}

/* Parses a frame without a buffer: enough to be announced. */
static void announce(struct rig *rig, struct wk_pkt *pkt, const uint8_t *frame, uint32_t len_b)
{
	const struct wk_inspect_next next = { pkt, 3, WK_C2S };

	wk_pkt_parse(frame, len_b, pkt);
	wk_inspect_ahead(rig->inspect, &next, 1);
}

static void a_flow_that_is_forgotten_before_its_packet_comes_is_not_used(void **state)
{
	struct rig *rig = start();
	uint8_t frame[PAIR_FRAME_MAX_B];
	uint32_t len_b = pair_send(&rig->pair, WK_C2S, PAIR_ACK, NULL, 0, frame);
	struct wk_pkt pkt;

	(void)state;
	announce(rig, &pkt, frame, len_b);
	rig_close(rig);
	rig_wait(rig, 100 * S);
	assert_int_equal(rig_flows(rig), 0);
	/* Nothing but a stray: it would touch freed memory otherwise. */
	assert_int_equal(wk_inspect_packet(rig->inspect, &pkt, 1, 3, WK_C2S, rig->now_ns),
			 WK_INSPECT_FREE);
	assert_int_equal(rig->stats.reason[WK_DROP_MID_STREAM], 1);
	wk_count(&rig->stats, WK_CNT_RX, 1);
	rig_free(rig);
}

static void an_announced_packet_that_never_comes_lends_its_flow_to_nobody(void **state)
{
	struct rig *rig = start();
	struct pair other;
	struct pair_conf conf = rig_conf_default.pair;
	uint8_t frame[PAIR_FRAME_MAX_B];
	struct wk_pkt pkt;
	uint32_t len_b;

	(void)state;
	len_b = pair_send(&rig->pair, WK_C2S, PAIR_ACK, NULL, 0, frame);
	announce(rig, &pkt, frame, len_b);
	/* At the same place in memory, a packet of another connection. */
	conf.client_port++;
	pair_init(&other, &conf);
	len_b = pair_send(&other, WK_C2S, PAIR_ACK, "x", 1, frame);
	wk_pkt_parse(frame, len_b, &pkt);
	assert_int_equal(wk_inspect_packet(rig->inspect, &pkt, 1, 3, WK_C2S, rig->now_ns),
			 WK_INSPECT_FREE);
	assert_int_equal(rig->stats.reason[WK_DROP_MID_STREAM], 1);
	wk_count(&rig->stats, WK_CNT_RX, 1);
	assert_int_equal(rig_flows(rig), 1);
	rig_free(rig);
}

static void packets_of_a_burst_that_are_left_out_do_not_mislead_the_others(void **state)
{
	struct rig *rig = start();
	uint8_t frame[4][PAIR_FRAME_MAX_B];
	struct wk_inspect_next next[4];
	struct wk_pkt pkt[4];
	uint32_t len_b;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		len_b = pair_send(&rig->pair, WK_C2S, PAIR_ACK, NULL, 0, frame[i]);
		wk_pkt_parse(frame[i], len_b, &pkt[i]);
		next[i] = (struct wk_inspect_next){ &pkt[i], 3, WK_C2S };
	}
	wk_inspect_ahead(rig->inspect, next, 4);
	for (uint32_t i = 1; i < 4; i += 2)
		assert_int_equal(wk_inspect_packet(rig->inspect, &pkt[i], 1, 3, WK_C2S,
						   rig->now_ns),
				 WK_INSPECT_FORWARD);
	/* Out of its turn: looked up for itself. */
	assert_int_equal(wk_inspect_packet(rig->inspect, &pkt[0], 1, 3, WK_C2S, rig->now_ns),
			 WK_INSPECT_FORWARD);
	assert_int_equal(rig->stats.reason[WK_DROP_MID_STREAM], 0);
	wk_count(&rig->stats, WK_CNT_RX, 3);
	wk_count(&rig->stats, WK_CNT_TX, 3);
	wk_inspect_ahead(rig->inspect, next, 0);
	rig_free(rig);
}

/* A timer that was armed for an earlier time runs, and finds nothing to do. */
static void a_tombstone_stays_for_its_whole_time_whatever_was_due_before(void **state)
{
	struct rig *rig = start();

	(void)state;
	/* The decoder is to be folded soon: that arms the flow's timer. */
	rig_call(rig, 1, RIG_PATH_NAME);
	rig_answer(rig, 1);
	rig_close(rig);
	rig_wait(rig, 55 * S);
	assert_int_equal(rig_flows(rig), 1);
	rig_wait(rig, 10 * S);
	assert_int_equal(rig_flows(rig), 0);
	rig_free(rig);
}

/* Killed by the inspector itself: lib/tcp has no timer for it. */
static void a_grave_of_our_own_stays_for_its_whole_time(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct rig *rig;
	uint8_t bytes[256];
	uint32_t n;

	(void)state;
	conf.mode = WK_MODE_AUDIT;
	rig = rig_new(&conf);
	rig->events_off = true;
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_NAME);
	rig_answer(rig, 1);
	/* In the middle of a frame the flow cannot be turned: its denied call ends it. */
	n = h2w_request(&rig->client, bytes, 3, "POST", RIG_PATH_SECRET, RIG_GRPC, 0);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n - 4);
	rig_policy(rig, WK_MODE_ENFORCE);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes + n - 4, 4),
			 WK_INSPECT_FREE);
	rig_wait(rig, 55 * S);
	assert_int_equal(rig_flows(rig), 1);
	rig_wait(rig, 10 * S);
	assert_int_equal(rig_flows(rig), 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_that_is_forgotten_before_its_packet_comes_is_not_used),
		cmocka_unit_test(an_announced_packet_that_never_comes_lends_its_flow_to_nobody),
		cmocka_unit_test(packets_of_a_burst_that_are_left_out_do_not_mislead_the_others),
		cmocka_unit_test(a_tombstone_stays_for_its_whole_time_whatever_was_due_before),
		cmocka_unit_test(a_grave_of_our_own_stays_for_its_whole_time),
	};

	return cmocka_run_group_tests_name("inspect_ahead", tests, rig_eal_start, rig_eal_stop);
}
