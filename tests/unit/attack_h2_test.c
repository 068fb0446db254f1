/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 as an attacker uses it, through a whole connection: one denied name in many clothes,
 * fields that name another method, frames of absurd lengths, and what silence costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attack_kit.h"

#define CALL_B    512u
#define POST_HTTP "\x83\x86"
#define PLAIN     "\x04\x1e"
#define REST                                                                                       \
	"\x0f\x10\x10"                                                                             \
	"application/grpc"                                                                         \
	"\x00\x02te\x08trailers"

/* A block of the client, in one segment. */
static void send_block(struct attack *a, uint32_t stream, const char *block, size_t len_b)
{
	uint8_t bytes[CALL_B];
	uint32_t n = h2w_frame(bytes, H2W_HEADERS, H2W_END_STREAM | H2W_END_HEADERS, stream, block,
			       (uint32_t)len_b);

	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	sent_to(a, a->at + n);
}

#define SEND_BLOCK(a, stream, block) send_block(a, stream, block, sizeof(block) - 1)

/* D02: how a name is written makes no difference. The last form is an index of what the second one
 * has put into the table. */
static void a_denied_name_is_denied_however_it_is_encoded(void **state)
{
	struct attack *a = attack_start();
	uint32_t stream = 1;

	(void)state;
	SEND_BLOCK(a, stream, POST_HTTP "\x04\x1e" DENIED REST);
	expect_denied(a, stream);
	stream += 2;
	SEND_BLOCK(a, stream, POST_HTTP "\x44\x1e" DENIED REST); /* into the table */
	expect_denied(a, stream);
	stream += 2;
	SEND_BLOCK(a, stream, POST_HTTP "\x14\x1e" DENIED REST); /* never indexed */
	expect_denied(a, stream);
	stream += 2;
	SEND_BLOCK(a, stream, POST_HTTP "\0\x05:path\x1e" DENIED REST); /* a literal name */
	expect_denied(a, stream);
	stream += 2;
	SEND_BLOCK(a, stream, POST_HTTP "\xbe" REST); /* by its index */
	expect_denied(a, stream);
	expect_nothing_served(a);
	/* And in Huffman code. */
	rig_call(a->rig, stream + 2, DENIED);
	sent_to(a, a->rig->pair.end[WK_C2S].nxt);
	expect_denied(a, stream + 2);
	expect_alive(a, stream + 4);
	attack_end(a);
}

/* D15, D18: the path alone counts. */
static void no_other_field_has_a_say(void **state)
{
	static const char denied[] = POST_HTTP PLAIN DENIED REST
		"\0\x16x-http-method-override\x03GET"
		"\0\x0bgrpc-method\x07GetName"
		"\0\x0ex-original-url\x1e" ALLOWED;
	static const char allowed[] = POST_HTTP PLAIN ALLOWED "\x01\x05"
							      "a:500" REST
							      "\0\x16x-http-method-override\x03PUT"
							      "\0\x0bgrpc-method\x07"
							      "AnyName"
							      "\0\x04host\x05"
							      "A:500";
	static const char split[] = POST_HTTP PLAIN ALLOWED "\x01\x05"
							    "a:500" REST "\0\x04host\x05"
							    "b:500";
	struct attack *a = attack_start();

	(void)state;
	SEND_BLOCK(a, 1, denied);
	expect_denied(a, 1);
	expect_nothing_served(a);
	SEND_BLOCK(a, 3, allowed);
	expect_served(a, 3, ALLOWED);
	/* D15 */
	SEND_BLOCK(a, 5, split);
	expect_denied(a, 5);
	expect_nothing_served(a);
	assert_int_equal(a->rig->stats.call[WK_CALL_DENIED_AUTHORITY], 1);
	attack_end(a);
}

/* C09 */
static void a_header_frame_of_absurd_length_goes_nowhere(void **state)
{
	static const uint32_t lens_b[] = { 16385, 1 << 20, (1 << 24) - 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(lens_b) / sizeof(lens_b[0]); i++) {
		struct attack *a = attack_start();
		uint32_t have = a->rig->pair.end[WK_S2C].rx_len_b;
		uint8_t bytes[1400] = { 0 };

		h2w_frame(bytes, H2W_HEADERS, H2W_END_HEADERS, 1, bytes + H2W_HEAD_B,
			  sizeof(bytes) - H2W_HEAD_B);
		bytes[0] = (uint8_t)(lens_b[i] >> 16);
		bytes[1] = (uint8_t)(lens_b[i] >> 8);
		bytes[2] = (uint8_t)lens_b[i];
		put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, sizeof(bytes));
		assert_int_equal(a->rig->pair.end[WK_S2C].rx_len_b, have);
		assert_true(a->rig->pair.end[WK_S2C].reset);
		assert_true(a->rig->pair.end[WK_C2S].reset);
		attack_end(a);
	}
}

/* C17 */
static void nothing_is_said_behind_the_fin_of_the_server(void **state)
{
	struct attack *a = attack_start();
	const struct pair_end *client = &a->rig->pair.end[WK_C2S];
	uint8_t bytes[CALL_B];
	uint32_t have, n;

	(void)state;
	expect_alive(a, 1);
	rig_send(a->rig, WK_S2C, PAIR_ACK | PAIR_FIN, NULL, 0);
	assert_true(client->closed);
	have = client->rx_len_b;
	n = request(bytes, 3, DENIED);
	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	sent_to(a, a->at + n);
	quiet(a, 5000000000ull);
	assert_int_equal(client->rx_len_b, have);
	assert_int_equal(client->una, a->at);
	expect_nothing_served(a);
	attack_end(a);
}

/* E12 */
static void a_connection_that_says_nothing_takes_no_memory(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	struct wk_inspect_usage usage;

	(void)state;
	rig_connect(rig);
	assert_int_equal(rig_flows(rig), 1);
	wk_inspect_usage(rig->inspect, &usage);
	assert_int_equal(usage.mem.used_b, rig->mem_used_b);
	rig_greet(rig);
	wk_inspect_usage(rig->inspect, &usage);
	assert_true(usage.mem.used_b > rig->mem_used_b);
	rig_free(rig);
}

static uint64_t held_b(const struct attack *a)
{
	struct wk_inspect_usage usage;

	wk_inspect_usage(a->rig->inspect, &usage);
	return usage.mem.used_b;
}

/* E12: what sleeps gives its decoder back, and reads on as before. The rest is two open streams,
 * what the server has not acknowledged, and the blocks of both calls. */
static void a_quiet_connection_is_packed_away(void **state)
{
	struct attack *a = attack_start();
	uint64_t before = held_b(a);

	(void)state;
	expect_alive(a, 1);
	quiet(a, 150000000ull);
	expect_alive(a, 3);
	assert_true(held_b(a) > before + 1024);
	/* 200 ms after the first call, but not after the second. */
	quiet(a, 100000000ull);
	assert_true(held_b(a) > before + 1024);
	quiet(a, 200000000ull);
	assert_true(held_b(a) <= before + 768);
	SEND_BLOCK(a, 5, POST_HTTP PLAIN DENIED REST);
	expect_denied(a, 5);
	expect_alive(a, 7);
	quiet(a, 300000000ull);
	assert_true(held_b(a) <= before + 1024);
	expect_alive(a, 9);
	attack_end(a);
}

/* SETTINGS with a table of size_b that arrive before the PING in front of them: they have gone out
 * when they are read. */
static void table_out_of_order(struct attack *a, uint32_t size_b)
{
	const uint8_t setting[] = { 0,
				    1,
				    (uint8_t)(size_b >> 24),
				    (uint8_t)(size_b >> 16),
				    (uint8_t)(size_b >> 8),
				    (uint8_t)size_b };
	struct pair_end *server = &a->rig->pair.end[WK_S2C];
	uint8_t ping[32], settings[32], frame[PAIR_FRAME_MAX_B];
	uint32_t ping_b = h2w_frame(ping, H2W_PING, 0, 0, "12345678", 8), n;
	uint32_t settings_b = h2w_frame(settings, H2W_SETTINGS, 0, 0, setting, sizeof(setting));

	n = pair_send_at(&a->rig->pair, WK_S2C, server->nxt + ping_b, server->ack,
			 PAIR_ACK | PAIR_PSH, settings, settings_b, frame);
	assert_int_equal(rig_frame(a->rig, WK_S2C, frame, n), WK_INSPECT_FORWARD);
	assert_true(rig_all_same(a->rig));
	rig_send(a->rig, WK_S2C, PAIR_ACK | PAIR_PSH, ping, ping_b);
	if (a->rig->pair.end[WK_S2C].reset)
		return;
	/* The end of the pair keeps nothing that comes out of order. */
	rig_send(a->rig, WK_S2C, PAIR_ACK | PAIR_PSH, settings, settings_b);
	assert_true(rig_all_same(a->rig));
	rig_ack(a->rig, WK_C2S);
	n = h2w_frame(settings, H2W_SETTINGS, H2W_ACK, 0, NULL, 0);
	put(a, a->at, PAIR_ACK | PAIR_PSH, settings, n);
	sent_to(a, a->at + n);
}

/* D09: such a table cannot be clamped any more, and is followed up to a limit. */
static void a_table_that_was_told_out_of_order_is_followed(void **state)
{
	struct attack *a = attack_start();

	(void)state;
	table_out_of_order(a, 65536);
	assert_int_equal(a->rig->stats.counter[WK_CNT_CLAMP_TABLE], 0);
	nghttp2_hd_inflate_change_table_size(a->rig->server.inflater, 65536);
	SEND_BLOCK(a, 1, "\x3f\xe1\xff\x03" POST_HTTP "\x44\x1e" DENIED REST);
	expect_denied(a, 1);
	SEND_BLOCK(a, 3, POST_HTTP "\xbe" REST);
	expect_denied(a, 3);
	SEND_BLOCK(a, 5, POST_HTTP PLAIN ALLOWED REST);
	expect_served(a, 5, ALLOWED);
	attack_end(a);

	a = attack_start();
	table_out_of_order(a, 65537);
	assert_true(a->rig->pair.end[WK_C2S].reset && a->rig->pair.end[WK_S2C].reset);
	assert_int_equal(a->rig->stats.counter[WK_CNT_H2_CAPS], 1);
	attack_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_denied_name_is_denied_however_it_is_encoded),
		cmocka_unit_test(no_other_field_has_a_say),
		cmocka_unit_test(a_header_frame_of_absurd_length_goes_nowhere),
		cmocka_unit_test(nothing_is_said_behind_the_fin_of_the_server),
		cmocka_unit_test(a_connection_that_says_nothing_takes_no_memory),
		cmocka_unit_test(a_quiet_connection_is_packed_away),
		cmocka_unit_test(a_table_that_was_told_out_of_order_is_followed),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
