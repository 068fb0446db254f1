/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that take their time: prepared in audit, hidden behind limits, or on memory and tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attack_kit.h"

/* Fields that do not fit the list hide a pseudo-header behind them: late trailers of a closed
 * stream, and of one that was skipped. */
static void a_request_hidden_behind_a_long_list_goes_nowhere(void **state)
{
	static const uint32_t streams[] = { 1, 3, 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct attack *a = attack_start();
		uint8_t block[512], bytes[600];
		uint32_t n = 300;

		expect_alive(a, 1);
		rig_answer(a->rig, 1);
		expect_alive(a, 5);
		rig_answer(a->rig, 5);
		attack_tap(a);
		memset(block, 0x90, n); /* accept-encoding, from the static table */
		n += request(block + n, 1, DENIED) - H2W_HEAD_B;
		memmove(block + 300, block + 300 + H2W_HEAD_B, n - 300);
		n = h2w_frame(bytes, H2W_HEADERS, H2W_END_STREAM | H2W_END_HEADERS, streams[i],
			      block, n);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		sent_to(a, a->at + n);
		expect_nothing_served(a);
		attack_end(a);
	}
}

static struct attack *audited(void)
{
	struct rig_conf conf = rig_conf_default;
	struct attack *a;
	uint8_t bytes[512];
	uint32_t n = request(bytes, 1, ALLOWED);

	conf.mode = WK_MODE_AUDIT;
	a = attack_new(&conf);
	attack_open(a);
	bytes[4] &= (uint8_t)~H2W_END_STREAM;
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	sent_to(a, a->at + n);
	expect_served(a, 1, ALLOWED);
	server_acks(a);
	return a;
}

static void expect_not_guarded_any_more(struct attack *a)
{
	uint8_t bytes[512];
	uint32_t n = request(bytes, 7, DENIED);

	rig_policy(a->rig, WK_MODE_ENFORCE);
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	expect_nothing_served(a);
	assert_true(a->rig->pair.end[WK_C2S].reset);
	attack_end(a);
}

/* Audit changes nothing, so a client can prepare there what enforcing would not let it do: the
 * server gets another copy than the one that was read. The flow is known to be in doubt when it is
 * to be enforced. */
static void a_connection_that_said_two_things_in_audit_is_not_trusted(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct attack *a = audited();
		uint8_t good[600], evil[600] = { 0 };
		uint32_t n = request(good, 3, ALLOWED);

		/* For wicket the payload of a long frame begins, for the server a call. */
		h2w_frame(evil, H2W_DATA, 0, 1, NULL, 0);
		evil[1] = 2;
		if (way == 0) { /* judged, then repeated */
			put_lost(a, a->at, PAIR_ACK | PAIR_PSH, evil, n);
			put(a, a->at, PAIR_ACK | PAIR_PSH, good, n);
		} else if (way == 1) { /* held */
			put_lost(a, a->at, PAIR_ACK | PAIR_PSH, evil, 8);
			put(a, a->at, PAIR_ACK | PAIR_PSH, good, 8);
			put_lost(a, a->at + 8, PAIR_ACK | PAIR_PSH, evil + 8, n - 8);
			put(a, a->at + 8, PAIR_ACK | PAIR_PSH, good + 8, n - 8);
		} else { /* out of order */
			put_lost(a, a->at + 1, PAIR_ACK | PAIR_PSH, evil + 1, n - 1);
			put(a, a->at + 1, PAIR_ACK | PAIR_PSH, good + 1, n - 1);
			put(a, a->at, PAIR_ACK | PAIR_PSH, good, 1);
			put_lost(a, a->at + 1, PAIR_ACK | PAIR_PSH, evil + 1, n - 1);
			put(a, a->at + 1, PAIR_ACK | PAIR_PSH, good + 1, n - 1);
		}
		sent_to(a, a->at + n);
		expect_served(a, 3, ALLOWED);
		server_acks(a);
		expect_not_guarded_any_more(a);
	}
}

/* A09, seen from the other side: wicket takes a segment for too old, the server does not. */
static void a_gap_made_in_audit_hides_nothing(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		struct attack *a = audited();
		uint8_t bytes[512];
		uint32_t n;

		a->rig->pair.clock += 1000;
		put_lost(a, a->at, PAIR_ACK, NULL, 0);
		a->rig->pair.clock -= 900;
		n = request(bytes, 3, ALLOWED);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		sent_to(a, a->at + n);
		a->rig->pair.clock += 1000;
		expect_served(a, 3, ALLOWED);
		if (more)
			expect_alive(a, 5);
		server_acks(a);
		rig_policy(a->rig, WK_MODE_ENFORCE);
		n = request(bytes, 7, DENIED);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		attack_end(a);
	}
}

/* A reload makes every connection be looked at again: a spoofed packet, whose sender knows
 * addresses and ports but no numbers, must not pass for a sign that bytes were missed. */
static void a_blind_packet_after_a_reload_ends_nothing(void **state)
{
	struct attack *a = attack_start();
	uint8_t frame[PAIR_FRAME_MAX_B];

	(void)state;
	expect_alive(a, 1);
	server_acks(a);
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t ack = a->rig->pair.end[WK_C2S].ack + 1000 + (i << 24);
		uint32_t seq = a->at + 0x02000000u + i * 0x03f00000u;

		rig_policy(a->rig, WK_MODE_ENFORCE);
		rig_frame(a->rig, WK_C2S, frame,
			  pair_send_at(&a->rig->pair, WK_C2S, seq, ack, PAIR_ACK, NULL, 0, frame));
		a->rig->n_out = 0;
	}
	assert_false(a->rig->pair.end[WK_C2S].reset);
	expect_alive(a, 3);
	attack_end(a);
}

static void flood_syns(struct attack *a, uint16_t port, uint32_t n)
{
	const uint16_t own = a->rig->pair.conf.client_port;
	uint8_t frame[PAIR_FRAME_MAX_B];

	a->rig->lose_in_256 = ALL; /* the pair knows one connection only */
	for (uint32_t i = 0; i < n; i++) {
		a->rig->pair.conf.client_port = (uint16_t)(port + i);
		rig_frame(a->rig, WK_C2S, frame,
			  pair_send_at(&a->rig->pair, WK_C2S, i, 0, PAIR_SYN, NULL, 0, frame));
		a->rig->n_out = 0;
	}
	a->rig->pair.conf.client_port = own;
	a->rig->lose_in_256 = 0;
}

/* A client of its own for each: they come and go, the inspector keeps what they left. */
static void another_client(struct attack *a, struct pair_conf *conf)
{
	conf->client_port++;
	pair_init(&a->rig->pair, conf);
	h2w_fini(&a->rig->client);
	h2w_fini(&a->rig->server);
	h2w_init(&a->rig->client);
	h2w_init(&a->rig->server);
	attack_open(a);
}

static void expect_room_for_another(struct attack *a, struct pair_conf *conf)
{
	another_client(a, conf);
	expect_alive(a, 1);
	rig_call(a->rig, 3, RIG_PATH_SECRET);
	expect_denied(a, 3);
	assert_false(a->rig->pair.end[WK_C2S].reset);
	rig_free(a->rig);
	free(a);
}

/* E13: what waits behind holes, of a few connections, is not the memory of all others. */
static void segments_behind_holes_leave_room_for_others(void **state)
{
	struct attack *a = attack_new(&rig_conf_default);
	struct pair_conf conf = rig_conf_default.pair;
	uint8_t filler[1400] = { 0 };

	(void)state;
	for (int flow = 0; flow < 8; flow++) {
		another_client(a, &conf);
		for (uint32_t i = 0; i < 40; i++)
			put(a, a->at + 1 + i * 1400, PAIR_ACK, filler, sizeof(filler));
	}
	assert_true(a->rig->stats.reason[WK_DROP_OOO_CAP] > 0);
	expect_room_for_another(a, &conf);
}

/* E10: nor are header blocks that never end. */
static void blocks_that_never_end_leave_room_for_others(void **state)
{
	struct attack *a = attack_new(&rig_conf_default);
	struct pair_conf conf = rig_conf_default.pair;
	static const uint32_t lens_b[] = { 48000, 48000, 48000, 48000, 48000, 48000, 48000,
					   24000, 24000, 12000, 12000, 6000,  3600 };
	uint8_t bytes[3 * 16000] = { 0 };
	uint32_t n = sizeof(bytes) / 3 - H2W_HEAD_B;

	(void)state;
	h2w_frame(bytes, H2W_HEADERS, 0, 1, bytes + H2W_HEAD_B, n);
	h2w_frame(bytes + sizeof(bytes) / 3, 9, 0, 1, bytes + H2W_HEAD_B, n);
	h2w_frame(bytes + 2 * sizeof(bytes) / 3, 9, 0, 1, bytes + H2W_HEAD_B, n);
	for (size_t flow = 0; flow < sizeof(lens_b) / sizeof(lens_b[0]); flow++) {
		another_client(a, &conf);
		for (uint32_t i = 0; i < lens_b[flow]; i += 1200)
			put(a, a->at + i, PAIR_ACK, bytes + i, 1200);
	}
	assert_true(a->rig->stats.counter[WK_CNT_FLOWS_RESET] > 0);
	expect_room_for_another(a, &conf);
}

/* E11: spoofed SYNs cost neither the connections that stand nor those that come. */
static void a_flood_of_syns_keeps_nobody_out(void **state)
{
	struct attack *a = attack_start();

	(void)state;
	a->rig->pair.end[WK_C2S].reset = false;
	flood_syns(a, 1000, 500);
	assert_int_equal(rig_flows(a->rig), 1);
	assert_in_range(rig_syns(a->rig), 32, 64);
	assert_true(a->rig->stats.counter[WK_CNT_SYN_EVICTED] > 400);
	expect_alive(a, 1);
	/* A second client in the middle of it. */
	pair_init(&a->rig->pair, &rig_conf_default.pair);
	a->rig->pair.conf.client_port++;
	assert_int_equal(rig_send(a->rig, WK_C2S, PAIR_SYN, NULL, 0), WK_INSPECT_FORWARD);
	flood_syns(a, 3000, 5);
	assert_int_equal(rig_send(a->rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0),
			 WK_INSPECT_FORWARD);
	flood_syns(a, 4000, 5);
	assert_int_equal(rig_ack(a->rig, WK_C2S), WK_INSPECT_FORWARD);
	flood_syns(a, 5000, 500);
	rig_greet(a->rig);
	rig_free(a->rig);
	free(a);
}

/* Where strays pass, a connection that lost its entry would pass as well. */
static void a_handshake_is_not_forgotten_where_strays_pass(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct attack *a;

	(void)state;
	conf.on.mid_stream = WK_ON_PASS;
	a = attack_new(&conf);
	rig_send(a->rig, WK_C2S, PAIR_SYN, NULL, 0);
	rig_send(a->rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
	flood_syns(a, 1000, 100);
	assert_int_equal(a->rig->stats.counter[WK_CNT_SYN_EVICTED], 0);
	rig_free(a->rig);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_hidden_behind_a_long_list_goes_nowhere),
		cmocka_unit_test(a_connection_that_said_two_things_in_audit_is_not_trusted),
		cmocka_unit_test(a_gap_made_in_audit_hides_nothing),
		cmocka_unit_test(segments_behind_holes_leave_room_for_others),
		cmocka_unit_test(blocks_that_never_end_leave_room_for_others),
		cmocka_unit_test(a_blind_packet_after_a_reload_ends_nothing),
		cmocka_unit_test(a_flood_of_syns_keeps_nobody_out),
		cmocka_unit_test(a_handshake_is_not_forgotten_where_strays_pass),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
