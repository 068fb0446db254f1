/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the TCP stream: two versions of a byte, odd flags, wrong numbers, ends that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attack_kit.h"

/* A01, A02, A03 */
static void a_denied_call_in_pieces_last_to_first_goes_nowhere(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 11, 40, 500 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct attack *a = attack_start();
		uint8_t bytes[512];
		uint32_t n = request(bytes, 1, DENIED);

		n += request(bytes + n, 3, ALLOWED);
		for (uint32_t k = (n + sizes[i] - 1) / sizes[i]; k-- > 0;) {
			uint32_t from = k * sizes[i];
			uint32_t len_b = n - from < sizes[i] ? n - from : sizes[i];

			put(a, a->at + from, PAIR_ACK | PAIR_PSH, bytes + from, len_b);
		}
		sent_to(a, a->at + n);
		expect_served(a, 3, ALLOWED);
		expect_nothing_served(a);
		expect_denied(a, 1);
		attack_end(a);
	}
}

/* A04, A05: what was judged is lost behind wicket, then something else comes in its place, on other
 * boundaries. */
static void a_later_copy_cannot_say_something_else(void **state)
{
	static const uint32_t cuts[] = { 0, 1, 9, 20, 40 };

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct attack *a = attack_start();
		uint8_t good[512], evil[512];
		uint32_t n = request(good, 1, ALLOWED), cut = cuts[i];

		request(evil, 1, DENIED);
		request(evil + n, 3, DENIED);
		request(good + n, 3, ALLOWED);
		put_lost(a, a->at, PAIR_ACK | PAIR_PSH, good, n);
		/* Straddles what was judged and what is new. */
		for (int k = 0; k < 3; k++)
			put_lost(a, a->at + cut, PAIR_ACK | PAIR_PSH, evil + cut, n);
		put_lost(a, a->at, PAIR_ACK | PAIR_PSH, evil, n);
		put(a, a->at, PAIR_ACK | PAIR_PSH, evil, n);
		expect_served(a, 1, ALLOWED);
		expect_nothing_served(a);
		assert_true(a->rig->stats.counter[WK_CNT_RETRANS_MISMATCH] > 0);
		attack_end(a);
	}
}

/* A06: two versions while a hole is open; one of them is judged, and that one alone can go on. */
static void two_versions_behind_a_hole_are_one(void **state)
{
	(void)state;
	for (int evil_first = 0; evil_first < 2; evil_first++) {
		for (uint32_t shift = 0; shift < 60; shift += 7) {
			struct attack *a = attack_start();
			uint8_t good[512], evil[512];
			uint32_t n = request(good, 1, ALLOWED);
			const uint8_t *one = evil_first ? evil : good;
			const uint8_t *two = evil_first ? good : evil;

			request(evil, 1, DENIED);
			put(a, a->at + 10, PAIR_ACK, one + 10, n - 10 - shift);
			put(a, a->at + 3 + shift, PAIR_ACK, two + 3 + shift, n - 3 - shift);
			put(a, a->at + 10, PAIR_ACK | PAIR_PSH, two + 10, n - 10);
			put(a, a->at, PAIR_ACK | PAIR_PSH, good, 10 + shift);
			put(a, a->at, PAIR_ACK | PAIR_PSH, evil, n);
			quiet(a, 5000000);
			sent_to(a, a->at + n);
			attack_end(a);
		}
	}
}

/* The same with held bytes: what is held and owned is not the sender's to change. */
static void held_bytes_cannot_be_exchanged(void **state)
{
	(void)state;
	for (uint32_t cut = 1; cut < 70; cut += 3) {
		struct attack *a = attack_start();
		uint8_t good[512], evil[512];
		uint32_t n = request(good, 1, ALLOWED);

		request(evil, 1, DENIED);
		put(a, a->at, PAIR_ACK | (cut & 1 ? PAIR_PSH : 0), good, cut);
		put(a, a->at, PAIR_ACK, evil, cut);
		put(a, a->at, PAIR_ACK | PAIR_PSH, evil, n);
		quiet(a, 5000000);
		put(a, a->at + cut, PAIR_ACK | PAIR_PSH, good + cut, n - cut);
		put(a, a->at, PAIR_ACK | PAIR_PSH, evil, n);
		sent_to(a, a->at + n);
		attack_end(a);
	}
}

/* A10: flags with which only some stacks take the bytes; RST with payload (A16). */
static void bytes_under_odd_flags_do_not_count(void **state)
{
	static const uint8_t odd[] = { 0,
				       PAIR_PSH,
				       PAIR_FIN,
				       PAIR_FIN | PAIR_PSH | PAIR_URG,
				       PAIR_SYN | PAIR_FIN,
				       PAIR_SYN | PAIR_FIN | PAIR_ACK,
				       PAIR_SYN | PAIR_RST,
				       PAIR_FIN | PAIR_RST | PAIR_ACK,
				       PAIR_SYN,
				       PAIR_SYN | PAIR_ACK,
				       PAIR_SYN | PAIR_ACK | PAIR_PSH };

	(void)state;
	for (size_t i = 0; i < sizeof(odd); i++) {
		struct attack *a = attack_start();
		uint8_t good[512], evil[512];
		uint32_t n = request(good, 1, ALLOWED);

		request(evil, 1, DENIED);
		/* A SYN's payload begins one number later. */
		put(a, a->at - (odd[i] & PAIR_SYN ? 1 : 0), odd[i], good, n);
		put(a, a->at - (odd[i] & PAIR_SYN ? 1 : 0), odd[i], evil, n);
		expect_nothing_served(a);
		put(a, a->at, PAIR_ACK | PAIR_PSH, evil, n);
		sent_to(a, a->at + n);
		expect_denied(a, 1);
		server_acks(a);
		expect_alive(a, 3);
		attack_end(a);
	}
}

/* A11: inline the third byte of the length is there, for a server that takes urgent bytes out of
 * the stream it is not. */
static void an_urgent_byte_stays_in_line(void **state)
{
	struct attack *a = attack_start();
	uint8_t bytes[512], inner[256];
	uint32_t n = request(inner, 3, DENIED), at;

	(void)state;
	at = request(bytes, 1, ALLOWED);
	bytes[4] &= (uint8_t)~H2W_END_STREAM;
	/* DATA of 1 byte on stream 1: without the urgent byte its header begins elsewhere. */
	at += h2w_frame(bytes + at, H2W_DATA, 0, 1, inner, n);
	put(a, a->at, PAIR_ACK | PAIR_PSH | PAIR_URG, bytes, at);
	sent_to(a, a->at + at);
	expect_served(a, 1, ALLOWED);
	expect_nothing_served(a);
	assert_int_equal(a->rig->stats.counter[WK_CNT_NORM_URG], 1);
	/* The name is payload here, and the tap must not mistake it. */
	memset(a->first, 0, TAP_B);
	memset(a->last, 0, TAP_B);
	attack_end(a);
}

/* A14 */
static void a_syn_inside_a_connection_changes_nothing(void **state)
{
	static const int32_t jump[] = { 0, -5, 1, 4000, 70000, 1 << 30, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(jump) / sizeof(jump[0]); i++) {
		struct attack *a = attack_start();
		uint8_t bytes[512];
		uint32_t n = request(bytes, 1, DENIED);
		uint32_t isn = a->at + (uint32_t)jump[i];

		a->rig->lose_in_256 = ALL; /* the pair would believe the SYN */
		put(a, isn, PAIR_SYN, NULL, 0);
		put(a, isn, PAIR_SYN, bytes, n);
		put(a, isn, PAIR_SYN | PAIR_ACK, bytes, n);
		a->rig->lose_in_256 = 0;
		put(a, isn + 1, PAIR_ACK | PAIR_PSH, bytes, n);
		if (jump[i] != -1)
			put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		sent_to(a, a->at + n);
		quiet(a, 2000000);
		expect_nothing_served(a);
		attack_end(a);
	}
}

/* A15 */
static void an_rst_for_the_box_alone_opens_nothing(void **state)
{
	static const int32_t jump[] = { 0, 1, 3000, -100, 1 << 20, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(jump) / sizeof(jump[0]); i++) {
		struct attack *a = attack_start();
		uint8_t bytes[512];
		uint32_t n = request(bytes, 1, DENIED);

		put_lost(a, a->at + (uint32_t)jump[i], PAIR_RST | PAIR_ACK, bytes, n);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		/* A new connection for the box, the old one for the server. */
		a->rig->lose_in_256 = ALL;
		put(a, a->at - 1, PAIR_SYN, NULL, 0);
		a->rig->lose_in_256 = 0;
		put(a, a->at, PAIR_ACK, NULL, 0);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		expect_nothing_served(a);
		quiet(a, 70ull * 1000000000);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		expect_nothing_served(a);
		attack_end(a);
	}
}

/* A17 */
static void numbers_that_wrap_confuse_nobody(void **state)
{
	static const uint32_t before_wrap[] = { 1, 40, 200, 400, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(before_wrap) / sizeof(before_wrap[0]); i++) {
		struct attack *a = attack_new(&rig_conf_default);

		for (int d = 0; d < WK_DIRS; d++) {
			struct pair_end *end = &a->rig->pair.end[d];

			end->isn = end->nxt = end->una = 0u - before_wrap[i];
		}
		attack_open(a);
		for (uint32_t stream = 1; stream < 40; stream += 4) {
			uint8_t bytes[512];
			uint32_t n = request(bytes, stream, DENIED);

			put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
			sent_to(a, a->at + n);
			expect_denied(a, stream);
			expect_alive(a, stream + 2);
			rig_answer(a->rig, stream + 2);
			attack_tap(a);
			a->rig->client.read_b = a->rig->pair.end[WK_C2S].rx_len_b;
		}
		attack_end(a);
	}
}

/* A18 */
static void a_syn_carries_nothing(void **state)
{
	struct rig_conf conf = rig_conf_default;
	uint8_t bytes[512];
	struct attack *a;
	uint32_t n;

	(void)state;
	conf.pair.fast_open = true;
	a = attack_new(&conf);
	n = h2w_preface(bytes);
	n += request(bytes + n, 1, DENIED);
	put(a, a->rig->pair.end[WK_C2S].isn, PAIR_SYN, bytes, n);
	assert_int_equal(a->rig->stats.counter[WK_CNT_NORM_SYN_DATA], 1);
	assert_int_equal(a->rig->stats.counter[WK_CNT_NORM_SYN_OPTION], 1);
	sent_to(a, a->rig->pair.end[WK_C2S].isn + 1);
	rig_send(a->rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	expect_nothing_served(a);
	attack_end(a);
}

/* A20: the third ACK comes with bytes and wrong numbers. */
static void a_wrong_third_ack_opens_nothing(void **state)
{
	struct attack *a = attack_new(&rig_conf_default);
	struct pair_end *client = &a->rig->pair.end[WK_C2S];
	uint8_t bytes[512];
	uint32_t n = h2w_preface(bytes);

	(void)state;
	n += request(bytes + n, 1, DENIED);
	rig_send(a->rig, WK_C2S, PAIR_SYN, NULL, 0);
	put(a, client->isn + 1, PAIR_ACK | PAIR_PSH, bytes, n);
	rig_send(a->rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0);
	for (int32_t off = -2; off <= 2; off++) {
		client->ack += (uint32_t)off;
		put(a, client->isn + 1, PAIR_ACK | PAIR_PSH, bytes, n);
		client->ack -= (uint32_t)off;
	}
	expect_nothing_served(a);
	attack_end(a);
}

/* A23, A36: the stream has shrunk by denied calls; old segments are tried with every offset. */
static void old_numbers_are_never_read_with_new_offsets(void **state)
{
	struct attack *a = attack_start();
	uint32_t begin = a->at, n;
	uint8_t bytes[512], evil[512];

	(void)state;
	for (uint32_t stream = 1; stream < 20; stream += 4) {
		n = request(bytes, stream, DENIED);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		sent_to(a, a->at + n);
		expect_alive(a, stream + 2);
		if (stream > 8)
			server_acks(a);
	}
	n = request(evil, 101, DENIED);
	for (uint32_t at = begin; at + n < a->at; at += 5)
		put(a, at, PAIR_ACK | PAIR_PSH, evil, n);
	/* And over the edge, so that part of it is new. */
	for (uint32_t back = 1; back < n; back += 4)
		put_lost(a, a->at - back, PAIR_ACK | PAIR_PSH, evil, n);
	expect_nothing_served(a);
	attack_end(a);
}

/* A26 */
static void a_fin_inside_a_denied_block_takes_it_along(void **state)
{
	static const uint32_t cuts[] = { 1, 5, 9, 60 };

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		for (int parts = 1; parts <= 2; parts++) {
			struct attack *a = attack_start();
			uint32_t have = a->rig->pair.end[WK_S2C].rx_len_b;
			uint8_t bytes[512];

			request(bytes, 1, DENIED);
			if (parts == 1) {
				put(a, a->at, PAIR_ACK | PAIR_FIN, bytes, cuts[i]);
			} else {
				put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, cuts[i]);
				put(a, a->at + cuts[i], PAIR_ACK | PAIR_FIN, NULL, 0);
			}
			sent_to(a, a->at + cuts[i] + 1);
			assert_true(a->rig->pair.end[WK_S2C].closed);
			assert_int_equal(a->rig->pair.end[WK_S2C].rx_len_b, have);
			assert_int_equal(a->rig->stats.counter[WK_CNT_HDR_TRUNCATED], 1);
			attack_end(a);
		}
	}
}

/* A27 */
static void three_calls_and_a_fin_in_one_segment_are_told_apart(void **state)
{
	struct attack *a = attack_start();
	uint8_t bytes[512];
	uint32_t n = request(bytes, 1, ALLOWED);

	(void)state;
	n += request(bytes + n, 3, DENIED);
	n += request(bytes + n, 5, RIG_PATH_PLACE);
	put(a, a->at, PAIR_ACK | PAIR_PSH | PAIR_FIN, bytes, n);
	sent_to(a, a->at + n + 1);
	expect_served(a, 1, ALLOWED);
	expect_served(a, 5, RIG_PATH_PLACE);
	assert_true(a->rig->pair.end[WK_S2C].closed);
	expect_denied(a, 3);
	attack_end(a);
}

/* A FIN in the middle of what has been judged: to a server that lost the original the stream would
 * end there, while wicket reads on. */
static void a_fin_in_front_of_judged_bytes_is_none(void **state)
{
	(void)state;
	for (int edited = 0; edited < 2; edited++) {
		struct attack *a = attack_start();
		uint8_t bytes[512];
		uint32_t n = edited ? request(bytes, 1, DENIED) : 0;

		n += request(bytes + n, 3, ALLOWED);
		n += request(bytes + n, 5, ALLOWED);
		put_lost(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		put(a, a->at, PAIR_ACK | PAIR_FIN, bytes, n - 20);
		assert_false(a->rig->pair.end[WK_S2C].closed);
		put(a, a->at + n - 20, PAIR_ACK | PAIR_PSH, bytes + n - 20, 20);
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		sent_to(a, a->at + n);
		expect_served(a, 3, ALLOWED);
		expect_served(a, 5, ALLOWED);
		assert_int_equal(a->fin_at, 0);
		attack_end(a);
	}
}

/* The same with bytes that wait out of order. */
static void nothing_is_read_behind_a_fin(void **state)
{
	(void)state;
	for (int later = 0; later < 2; later++) {
		struct attack *a = attack_start();
		uint8_t bytes[512];
		uint32_t n = request(bytes, 1, ALLOWED), whole;

		whole = n + request(bytes + n, 3, ALLOWED);
		put(a, a->at + n, PAIR_ACK, bytes + n, whole - n);
		if (later) {
			put(a, a->at + n, PAIR_ACK | PAIR_FIN, NULL, 0);
			put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
		} else {
			put(a, a->at, PAIR_ACK | PAIR_FIN, bytes, n);
		}
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, whole);
		attack_end(a);
	}
}

/* Two versions of one stream of calls, of the same length. */
struct versions {
	uint32_t len_b;
	uint8_t bytes[2][8192];
};

static void write_versions(struct rig *rig, struct versions *v)
{
	static const char *const paths[4][2] = {
		{ ALLOWED, ALLOWED }, { ALLOWED, DENIED }, { DENIED, ALLOWED }, { DENIED, DENIED }
	};

	v->len_b = 0;
	for (uint32_t stream = 1; stream < 100; stream += 2) {
		uint32_t kind = rig_random(rig, 5), n = 0;

		for (int i = 0; i < 2; i++) {
			uint8_t *to = v->bytes[i] + v->len_b;

			if (kind == 4) {
				n = h2w_frame(to, H2W_PING, 0, 0, "12345678", 8);
				continue;
			}
			n = request(to, stream, paths[kind][i]);
			/* The path goes to the dynamic table. */
			if (rig_random(rig, 3) == 0)
				to[H2W_HEAD_B + 2] = 0x44;
		}
		v->len_b += n;
	}
}

static void random_segment(struct attack *a, const struct versions *v, uint32_t begin,
			   uint32_t *end)
{
	struct rig *rig = a->rig;
	uint32_t acked = rig->pair.end[WK_C2S].una - begin;
	uint32_t back = rig_random(rig, 100), off, len_b;
	uint8_t flags = PAIR_ACK;

	off = acked > back ? acked - back : 0;
	off += rig_random(rig, rig_random(rig, 3) == 0 ? 600 : 120);
	if (off >= v->len_b)
		off = v->len_b - 1;
	len_b = 1 + rig_random(rig, rig_random(rig, 2) == 0 ? 12 : 300);
	if (len_b > v->len_b - off)
		len_b = v->len_b - off;
	if (rig_random(rig, 2) == 0)
		flags |= PAIR_PSH;
	if (rig_random(rig, 16) == 0)
		flags |= PAIR_URG;
	if (off + len_b > *end)
		*end = off + len_b;
	rig->pair.end[WK_C2S].nxt = begin + *end;
	rig->lose_in_256 = rig_random(rig, 4) == 0 ? ALL : 0;
	put(a, begin + off, flags, v->bytes[rig_random(rig, 2)] + off, len_b);
	rig->lose_in_256 = 0;
}

/* After all that, an honest end: everything is taken, nothing hangs. */
static void finish_honestly(struct attack *a, const struct versions *v, uint32_t begin)
{
	const struct pair_end *client = &a->rig->pair.end[WK_C2S];

	a->rig->pair.end[WK_C2S].nxt = begin + v->len_b;
	for (int i = 0; i < 400 && client->una != begin + v->len_b; i++) {
		uint32_t off = client->una - begin;
		uint32_t len_b = v->len_b - off < 500 ? v->len_b - off : 500;

		put(a, client->una, PAIR_ACK | PAIR_PSH, v->bytes[0] + off, len_b);
		server_acks(a);
		quiet(a, 5000000);
	}
	assert_int_equal(client->una, begin + v->len_b);
	assert_false(client->reset);
}

/* A04 to A06, A23, A24 and what lies between them: any piece of either version, in any order, with
 * any loss. One byte has one value, and what the server reads is allowed. */
static void pieces_of_two_versions_at_random_make_one_allowed_stream(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct attack *a = attack_start();
		uint32_t begin = a->at, end = 0, calls = 0;
		struct h2w_fields fields;
		struct versions v;

		a->rig->random = seed;
		write_versions(a->rig, &v);
		for (int i = 0; i < 400; i++) {
			random_segment(a, &v, begin, &end);
			if (rig_random(a->rig, 4) == 0)
				server_acks(a);
			if (rig_random(a->rig, 40) == 0)
				quiet(a, 300000000);
		}
		finish_honestly(a, &v, begin);
		while (rig_server_headers(a->rig, &fields) != 0) {
			assert_string_equal(h2w_field(&fields, ":path"), ALLOWED);
			calls++;
		}
		assert_true(calls > 5);
		assert_memory_equal(a->first, a->last, TAP_B);
		attack_end(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_denied_call_in_pieces_last_to_first_goes_nowhere),
		cmocka_unit_test(a_later_copy_cannot_say_something_else),
		cmocka_unit_test(two_versions_behind_a_hole_are_one),
		cmocka_unit_test(held_bytes_cannot_be_exchanged),
		cmocka_unit_test(bytes_under_odd_flags_do_not_count),
		cmocka_unit_test(an_urgent_byte_stays_in_line),
		cmocka_unit_test(a_syn_inside_a_connection_changes_nothing),
		cmocka_unit_test(an_rst_for_the_box_alone_opens_nothing),
		cmocka_unit_test(numbers_that_wrap_confuse_nobody),
		cmocka_unit_test(a_syn_carries_nothing),
		cmocka_unit_test(a_wrong_third_ack_opens_nothing),
		cmocka_unit_test(old_numbers_are_never_read_with_new_offsets),
		cmocka_unit_test(a_fin_inside_a_denied_block_takes_it_along),
		cmocka_unit_test(three_calls_and_a_fin_in_one_segment_are_told_apart),
		cmocka_unit_test(a_fin_in_front_of_judged_bytes_is_none),
		cmocka_unit_test(nothing_is_read_behind_a_fin),
		cmocka_unit_test(pieces_of_two_versions_at_random_make_one_allowed_stream),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
