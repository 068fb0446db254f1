/* SPDX-License-Identifier: Apache-2.0 */
/* TCP as an attacker uses it: segments that only one reader takes, handshakes with two answers,
 * closed windows, keepalives, timestamps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attack_kit.h"

#define MS       1000000ull
#define SECOND   1000000000ull
#define SYN_WND  64240u /* of the pair's SYNs */
#define FILL_B   1400u
#define CALL_MAX 512u
#define MSS_BARE 536u

/* The denied call, next in order. */
static void call_denied(struct attack *a, uint32_t stream)
{
	uint8_t bytes[CALL_MAX];
	uint32_t n = request(bytes, stream, DENIED);

	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	sent_to(a, a->at + n);
}

static void expect_denial_of_the_next(struct attack *a)
{
	expect_nothing_served(a);
	call_denied(a, 1);
	expect_nothing_served(a);
	expect_denied(a, 1);
	expect_alive(a, 3);
	attack_end(a);
}

/* A07: what no receiver takes must not count here either. */
static void a_call_under_a_bad_checksum_does_not_count(void **state)
{
	struct attack *a = attack_start();
	uint8_t bytes[CALL_MAX], frame[PAIR_FRAME_MAX_B];
	uint32_t n = request(bytes, 1, ALLOWED);

	(void)state;
	n = pair_send_at(&a->rig->pair, WK_C2S, a->at, a->rig->pair.end[WK_C2S].ack,
			 PAIR_ACK | PAIR_PSH, bytes, n, frame);
	frame[n - 1] ^= 1;
	assert_int_equal(rig_frame(a->rig, WK_C2S, frame, n), WK_INSPECT_FREE);
	assert_int_equal(a->rig->stats.reason[WK_DROP_CSUM], 1);
	expect_denial_of_the_next(a);
}

/* A09 */
static void a_call_from_the_past_does_not_count(void **state)
{
	struct attack *a = attack_start();
	uint8_t bytes[CALL_MAX];
	uint32_t n = request(bytes, 1, ALLOWED);

	(void)state;
	a->rig->pair.clock -= 500;
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	assert_int_equal(a->rig->stats.reason[WK_DROP_PAWS], 1);
	a->rig->pair.clock += 500;
	expect_denial_of_the_next(a);
}

/* A10 */
static void a_call_that_acknowledges_the_unsent_does_not_count(void **state)
{
	struct attack *a = attack_start();
	uint32_t *ack = &a->rig->pair.end[WK_C2S].ack;
	uint8_t bytes[CALL_MAX];
	uint32_t n = request(bytes, 1, ALLOWED);

	(void)state;
	*ack += 5000;
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	*ack -= 5000;
	assert_int_equal(a->rig->stats.reason[WK_DROP_BADACK], 1);
	expect_denial_of_the_next(a);
}

/* What the server has sent, as it counts. */
static uint32_t sent_by(const struct pair_end *end)
{
	return end->nxt - end->isn - 1;
}

/* The sender of dir fills the other's window, which stays what its SYN said, with DATA. */
static void fill_window(struct rig *rig, enum wk_dir dir, uint32_t stream)
{
	struct pair_end *end = &rig->pair.end[dir];
	uint8_t bytes[FILL_B], zeroes[FILL_B] = { 0 };

	while (sent_by(end) < SYN_WND) {
		uint32_t room = SYN_WND - sent_by(end), n;

		/* Never less than a frame header at the end. */
		n = room < FILL_B ? room : room < 2 * FILL_B ? room / 2 : FILL_B;
		h2w_frame(bytes, H2W_DATA, 0, stream, zeroes, n - H2W_HEAD_B);
		rig_send(rig, dir, PAIR_ACK, bytes, n);
	}
}

/* A12: a call that is lost on its way to the server, an ACK of it in the server's name but from the
 * client's side, then another call in its place. */
static void an_ack_in_the_name_of_the_server_makes_no_room(void **state)
{
	struct attack *a = attack_start();
	uint8_t bytes[CALL_MAX], frame[PAIR_FRAME_MAX_B];
	uint32_t n = request(bytes, 1, ALLOWED), len_b;

	(void)state;
	put_lost(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	expect_nothing_served(a);
	len_b = pair_send_at(&a->rig->pair, WK_S2C, a->rig->pair.end[WK_S2C].nxt, a->at + n,
			     PAIR_ACK, NULL, 0, frame);
	a->rig->lose_in_256 = ALL; /* an answer to it would be nobody's */
	assert_int_equal(rig_frame(a->rig, WK_C2S, frame, len_b), WK_INSPECT_FREE);
	assert_int_equal(rig_count_out(a->rig, WK_C2S), 0);
	a->rig->lose_in_256 = 0;

	assert_int_equal(request(bytes, 1, DENIED), n);
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	assert_int_equal(a->rig->stats.counter[WK_CNT_RETRANS_MISMATCH], 1);
	sent_to(a, a->at + n);
	expect_served(a, 1, ALLOWED);
	expect_alive(a, 3);
	attack_end(a);
}

/* A call with a body, in segments that a peer without an MSS option takes. */
static void call_in_pieces(struct attack *a, uint32_t stream, const char *path, uint32_t body_b)
{
	uint8_t bytes[4096];
	uint32_t n = h2w_request(&a->rig->client, bytes, stream, "POST", path, RIG_GRPC, body_b);

	for (uint32_t at = 0; at < n; at += MSS_BARE) {
		uint32_t len_b = n - at < MSS_BARE ? n - at : MSS_BARE;

		put(a, a->at, PAIR_ACK | (at + len_b == n ? PAIR_PSH : 0), bytes + at, len_b);
		for (uint32_t i = 0; i < a->rig->n_out; i++)
			assert_in_range(a->rig->out[i].seg.len_b, 0, MSS_BARE);
		sent_to(a, a->at + len_b);
		server_acks(a);
	}
}

/* A37: the denied calls shift the client's table, so that the allowed ones are written anew and
 * grow. */
static void a_stack_without_options_gets_all_its_answers(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct h2w_fields fields;
	struct attack *a;

	(void)state;
	conf.pair.timestamps = false;
	conf.pair.bare = true;
	a = attack_new(&conf);
	attack_open(a);
	for (uint32_t stream = 1; stream < 24; stream += 2) {
		bool denied = stream % 3 == 1;

		call_in_pieces(a, stream, denied ? DENIED : ALLOWED, 900);
		if (denied) {
			expect_denied(a, stream);
			rig_ack(a->rig, WK_C2S);
			continue;
		}
		expect_served(a, stream, ALLOWED);
		rig_answer(a->rig, stream);
		assert_int_equal(rig_client_headers(a->rig, &fields), stream);
		assert_string_equal(h2w_field(&fields, ":status"), "200");
		assert_int_equal(rig_client_headers(a->rig, &fields), stream);
		assert_string_equal(h2w_field(&fields, "grpc-status"), "0");
	}
	assert_int_equal(a->rig->stats.call[WK_CALL_ALLOWED], 8);
	assert_int_equal(a->rig->stats.counter[WK_CNT_REPLIES], 4);
	assert_true(a->rig->stats.counter[WK_CNT_REENCODED] > 0);
	attack_end(a);
}

/* A13, A29: five replies wait for a closed window; an ACK of what has not been sent opens nothing.
 */
static void replies_wait_for_a_closed_window(void **state)
{
	struct attack *a = attack_new(&rig_conf_default);
	struct pair_end *client = &a->rig->pair.end[WK_C2S];
	uint32_t have;

	(void)state;
	client->wnd = 0;
	attack_open(a);
	expect_alive(a, 1);
	server_acks(a);
	fill_window(a->rig, WK_S2C, 1);
	have = client->rx_len_b;
	assert_int_equal(have, SYN_WND);
	for (uint32_t stream = 3; stream <= 11; stream += 2)
		call_denied(a, stream);
	client->ack += 40;
	rig_ack(a->rig, WK_C2S);
	client->ack -= 40;
	assert_int_equal(a->rig->stats.reason[WK_DROP_BADACK], 1);
	quiet(a, 3 * SECOND);
	assert_int_equal(client->rx_len_b, have);
	assert_int_equal(client->una, a->at);

	client->wnd = 512;
	rig_ack(a->rig, WK_C2S);
	for (uint32_t stream = 3; stream <= 11; stream += 2)
		expect_denied(a, stream);
	rig_ack(a->rig, WK_C2S);
	assert_int_equal(a->rig->stats.counter[WK_CNT_REPLIES], 5);
	have = client->rx_len_b;
	quiet(a, 3 * SECOND);
	assert_int_equal(client->rx_len_b, have);
	expect_alive(a, 13);
	attack_end(a);
}

/* A25: a byte of a frame header, sent to see whether the window is still closed. It waits here, and
 * the server is asked without it. */
static void a_window_probe_inside_a_header_completes_its_call(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	struct pair_end *server = &rig->pair.end[WK_S2C];
	struct pair_end *client = &rig->pair.end[WK_C2S];
	struct h2w_fields fields;
	uint8_t bytes[CALL_MAX];
	uint32_t n = request(bytes, 1, ALLOWED), from;

	(void)state;
	server->wnd = 0;
	rig_connect(rig);
	rig_greet(rig);
	bytes[4] &= (uint8_t)~H2W_END_STREAM;
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n);
	assert_int_equal(rig_server_headers(rig, &fields), 1);
	fill_window(rig, WK_C2S, 1);
	rig_ack(rig, WK_S2C);
	assert_int_equal(server->rx_len_b, SYN_WND);
	n = request(bytes, 3, ALLOWED);
	from = client->nxt;
	for (int i = 0; i < 5; i++) {
		client->nxt = from;
		rig_send(rig, WK_C2S, PAIR_ACK, bytes, 1);
		assert_int_equal(rig_count_out(rig, WK_C2S), 1);
		assert_int_equal(rig->out[0].seg.len_b, 0);
		assert_int_equal(rig->out[0].seg.seq, from - 1);
		assert_int_equal(rig_ack(rig, WK_S2C), WK_INSPECT_FORWARD);
		rig_wait(rig, 500 * MS);
	}
	assert_int_equal(server->rx_len_b, SYN_WND);
	server->wnd = 512;
	rig_ack(rig, WK_S2C);
	client->nxt = client->una;
	n -= client->una - from;
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes + (client->una - from), n);
	assert_int_equal(rig_server_headers(rig, &fields), 3);
	rig_free(rig);
}

/* A22 */
static void the_syn_ack_that_is_acknowledged_counts(void **state)
{
	(void)state;
	for (int last = 0; last < 2; last++) {
		struct attack *a = attack_new(&rig_conf_default);
		struct pair_end *server = &a->rig->pair.end[WK_S2C];
		struct pair_end *client = &a->rig->pair.end[WK_C2S];
		uint8_t bytes[CALL_MAX];
		uint32_t first, n;

		rig_send(a->rig, WK_C2S, PAIR_SYN, NULL, 0);
		rig_send(a->rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
		first = client->ack;
		server->nxt = server->isn = 0x7777;
		rig_send(a->rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
		sent_to(a, client->isn + 1);
		if (last) {
			rig_ack(a->rig, WK_C2S);
			rig_greet(a->rig);
			sent_to(a, client->nxt);
			call_denied(a, 1);
			expect_denied(a, 1);
			expect_alive(a, 3);
		} else {
			client->ack = first;
			n = h2w_preface(bytes);
			n += request(bytes + n, 1, DENIED);
			put(a, a->at, PAIR_ACK, NULL, 0);
			put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
			assert_int_equal(server->rx_len_b, 0);
		}
		attack_end(a);
	}
}

/* One keepalive; the server is asked and its answer arrives. */
static void keep_alive(struct attack *a, uint32_t garbage_b)
{
	const uint64_t *tx = &a->rig->stats.counter[WK_CNT_TX];
	uint32_t have = a->rig->pair.end[WK_S2C].rx_len_b;
	uint64_t before = *tx;

	put(a, a->at - 1, PAIR_ACK, "X", garbage_b);
	assert_int_equal(*tx, before + 1);
	server_acks(a);
	assert_int_equal(*tx, before + 2);
	assert_int_equal(a->rig->pair.end[WK_S2C].rx_len_b, have);
}

/* A24: before and after the numbers of both sides differ. */
static void a_keepalive_brings_an_answer_and_no_byte(void **state)
{
	struct attack *a = attack_start();

	(void)state;
	expect_alive(a, 1);
	server_acks(a);
	keep_alive(a, 0);
	keep_alive(a, 1);
	call_denied(a, 3);
	expect_denied(a, 3);
	rig_ack(a->rig, WK_C2S);
	keep_alive(a, 0);
	keep_alive(a, 1);
	expect_alive(a, 5);
	server_acks(a);
	keep_alive(a, 1);
	assert_memory_equal(a->first, a->last, TAP_B);
	attack_end(a);
}

/* A33: the client says only once that the server's answer has arrived. */
static void an_acknowledgement_on_a_denied_call_arrives(void **state)
{
	struct attack *a = attack_start();
	const struct pair_end *server = &a->rig->pair.end[WK_S2C];
	uint8_t bytes[CALL_MAX];
	uint32_t n;

	(void)state;
	expect_alive(a, 1);
	n = h2w_response(&a->rig->server, bytes, 1);
	rig_send(a->rig, WK_S2C, PAIR_ACK | PAIR_PSH, bytes, n);
	assert_int_not_equal(server->una, server->nxt);
	call_denied(a, 3);
	assert_int_equal(server->una, server->nxt);
	attack_end(a);
}

/* Timestamps that arrive at one end must not go back: a receiver would drop what carries them. */
static uint32_t stamp(const struct attack *a, enum wk_dir at)
{
	return a->rig->pair.end[at].peer_tsval;
}

/* A34: half of a call, an ACK with a later timestamp, the rest. */
static void a_held_call_is_not_too_old_when_it_goes_on(void **state)
{
	struct attack *a = attack_start();
	uint8_t bytes[CALL_MAX];
	uint32_t n = request(bytes, 1, ALLOWED), late;

	(void)state;
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, 40);
	a->rig->pair.clock += 900;
	put(a, a->at + 40, PAIR_ACK, NULL, 0);
	late = stamp(a, WK_S2C);
	put(a, a->at + 40, PAIR_ACK | PAIR_PSH, bytes + 40, n - 40);
	sent_to(a, a->at + n);
	expect_served(a, 1, ALLOWED);
	assert_true((int32_t)(stamp(a, WK_S2C) - late) >= 0);
	attack_end(a);
}

/* A35: a reply after a pause, and the server's next word at once; the server's clock may stand. */
static void a_reply_after_a_pause_makes_no_later_word_too_old(void **state)
{
	(void)state;
	for (uint32_t passed = 0; passed <= 1300; passed += 1300) {
		struct attack *a = attack_start();
		uint32_t before;

		expect_alive(a, 1);
		server_acks(a);
		before = stamp(a, WK_C2S);
		quiet(a, 1300 * MS);
		call_denied(a, 3);
		expect_denied(a, 3);
		assert_true((int32_t)(stamp(a, WK_C2S) - before) >= 0);
		before = stamp(a, WK_C2S);
		a->rig->pair.clock += passed;
		a->rig->pair.clock -= 1; /* which the denied call moved */
		rig_answer(a->rig, 1);
		assert_true((int32_t)(stamp(a, WK_C2S) - before) >= 0);
		attack_end(a);
	}
}

/* A44: the server hears nothing of replies that it has not written. */
static void replies_on_an_idle_connection_are_none_of_the_servers_business(void **state)
{
	struct attack *a = attack_start();
	const uint64_t *rx = &a->rig->stats.counter[WK_CNT_RX];
	uint64_t reach = 0, before;

	(void)state;
	for (uint32_t stream = 1; stream < 17; stream += 2) {
		call_denied(a, stream);
		expect_denied(a, stream);
		before = *rx;
		rig_ack(a->rig, WK_C2S);
		reach += rig_count_out(a->rig, WK_C2S);
		assert_int_equal(*rx, before + 1);
	}
	assert_true(reach <= 4);
	expect_alive(a, 17);
	attack_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_under_a_bad_checksum_does_not_count),
		cmocka_unit_test(a_call_from_the_past_does_not_count),
		cmocka_unit_test(a_call_that_acknowledges_the_unsent_does_not_count),
		cmocka_unit_test(an_ack_in_the_name_of_the_server_makes_no_room),
		cmocka_unit_test(a_stack_without_options_gets_all_its_answers),
		cmocka_unit_test(replies_wait_for_a_closed_window),
		cmocka_unit_test(a_window_probe_inside_a_header_completes_its_call),
		cmocka_unit_test(the_syn_ack_that_is_acknowledged_counts),
		cmocka_unit_test(a_keepalive_brings_an_answer_and_no_byte),
		cmocka_unit_test(an_acknowledgement_on_a_denied_call_arrives),
		cmocka_unit_test(a_held_call_is_not_too_old_when_it_goes_on),
		cmocka_unit_test(a_reply_after_a_pause_makes_no_later_word_too_old),
		cmocka_unit_test(replies_on_an_idle_connection_are_none_of_the_servers_business),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
