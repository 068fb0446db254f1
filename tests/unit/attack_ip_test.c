/* SPDX-License-Identifier: Apache-2.0 */
/* What lies below TCP as an attacker uses it: options and extension headers around a denied call,
 * unusual values around an allowed one. Fragments and tunnels are the classifier's: see acl_test
 * and the golden case plain_rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/wire_bytes.h"
#include "inspect_rig.h"

#define ETH_B 14u

static struct rig *start(const struct rig_conf *conf)
{
	struct rig *rig = rig_new(conf);

	rig->events_off = true;
	rig_connect(rig);
	rig_greet(rig);
	return rig;
}

static void expect_reply(struct rig *rig, uint32_t stream)
{
	struct h2w_fields fields = { 0 };

	assert_int_equal(rig_client_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":status"), "403");
}

/* The connection lives: an allowed call arrives, a denied one is answered. */
static void expect_alive(struct rig *rig, uint32_t stream)
{
	struct h2w_fields fields;

	rig_call(rig, stream, RIG_PATH_NAME);
	assert_int_equal(rig_server_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":path"), RIG_PATH_NAME);
	rig_call(rig, stream + 2, RIG_PATH_SECRET);
	assert_int_equal(rig_server_headers(rig, &fields), 0);
	expect_reply(rig, stream + 2);
}

/* A denied call next in order, with room for extra bytes behind its IP header. @return its length.
 */
static uint32_t denied(struct rig *rig, uint32_t stream, uint8_t *frame, const void *extra,
		       uint32_t extra_b)
{
	uint32_t at = ETH_B + (rig->conf.pair.ip_version == 4 ? 20 : 40), n;
	uint8_t bytes[512];

	/* Literals only: whether it counts or not, the table stays what it is. */
	static const uint8_t block[] = "\x83\x86\x04\x24" RIG_PATH_SECRET "\x0f\x10\x10" RIG_GRPC;

	n = h2w_frame(bytes, H2W_HEADERS, H2W_END_STREAM | H2W_END_HEADERS, stream, block,
		      sizeof(block) - 1);
	n = pair_send(&rig->pair, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n, frame);
	memmove(frame + at + extra_b, frame + at, n - at);
	memcpy(frame + at, extra, extra_b);
	return n + extra_b;
}

/* Adds up a header whose checksum field is not 0, and mends that. */
static void mend_ipv4(uint8_t *ip, uint32_t hdr_b, uint32_t total_b)
{
	ip[0] = (uint8_t)(0x40 | hdr_b / 4);
	put16(ip + 2, total_b);
	put16(ip + 10, 0);
	put16(ip + 10, fold16(sum16(0, ip, hdr_b)));
}

/* B08 */
static void ip_options_hide_no_call(void **state)
{
	static const struct {
		uint8_t opts[8];
		bool routes;
	} rows[] = {
		{ { 1, 1, 1, 1, 1, 1, 1, 1 }, false },
		{ { 148, 4, 0, 0, 1, 1, 1, 1 }, false },   /* router alert */
		{ { 0x9e, 8, 1, 2, 3, 4, 5, 6 }, false },  /* nobody's */
		{ { 7, 7, 4, 0, 0, 0, 0, 0 }, true },      /* record route */
		{ { 131, 7, 4, 10, 12, 0, 10, 0 }, true }, /* loose source route */
		{ { 137, 7, 4, 10, 12, 0, 10, 0 }, true }, /* strict */
		{ { 1, 0x9e, 0, 0, 0, 0, 0, 0 }, true },   /* no length */
		{ { 0x9e, 9, 0, 0, 0, 0, 0, 0 }, true },   /* beyond the header */
		{ { 1, 1, 1, 131, 3, 4, 0, 0 }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *rig = start(&rig_conf_default);
		uint8_t frame[PAIR_FRAME_MAX_B];
		struct pair_end before = rig->pair.end[WK_C2S];
		uint32_t n = denied(rig, 1, frame, rows[i].opts, 8);

		mend_ipv4(frame + ETH_B, 28, n - ETH_B);
		assert_int_equal(rig_frame(rig, WK_C2S, frame, n), WK_INSPECT_FREE);
		assert_int_equal(rig->stats.reason[WK_DROP_IPOPT], rows[i].routes);
		assert_int_equal(rig_count_out(rig, WK_C2S), 0);
		if (rows[i].routes)
			rig->pair.end[WK_C2S].nxt = before.nxt;
		else
			expect_reply(rig, 1);
		expect_alive(rig, 3);
		rig_free(rig);
	}
}

/* B05, B06 */
static void extension_headers_hide_no_call(void **state)
{
	static const struct {
		uint8_t type;
		uint8_t ext[24]; /* of the last header, the first byte says TCP */
		uint32_t ext_b;
		bool read; /* the call is found: it gets its reply */
	} rows[] = {
		{ 0, { 6, 0, 1, 4 }, 8, true },  /* hop-by-hop */
		{ 60, { 6, 0, 1, 4 }, 8, true }, /* destination */
		{ 60, { 60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4 }, 16, true },
		{ 44, { 6 }, 8, true },             /* atomic fragment */
		{ 43, { 6, 2, 4, 0 }, 24, true },   /* routing, over */
		{ 43, { 6, 2, 4, 1 }, 24, false },  /* a segment is left */
		{ 44, { 6, 0, 0, 1 }, 8, false },   /* first of many */
		{ 44, { 6, 0, 0, 8 }, 8, false },   /* the last one */
		{ 60, { 6, 200, 1, 4 }, 8, false }, /* beyond the packet */
	};
	struct rig_conf conf = rig_conf_default;

	(void)state;
	conf.pair.ip_version = 6;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *rig = start(&conf);
		uint8_t frame[PAIR_FRAME_MAX_B];
		uint32_t before = rig->pair.end[WK_C2S].nxt, n;

		n = denied(rig, 1, frame, rows[i].ext, rows[i].ext_b);
		put16(frame + ETH_B + 4, n - ETH_B - 40);
		frame[ETH_B + 6] = rows[i].type;
		assert_int_equal(rig_frame(rig, WK_C2S, frame, n), WK_INSPECT_FREE);
		assert_int_equal(rig_count_out(rig, WK_C2S), 0);
		if (rows[i].read)
			expect_reply(rig, 1);
		else
			rig->pair.end[WK_C2S].nxt = before;
		expect_alive(rig, 3);
		rig_free(rig);
	}
}

/* B12: a bump in the wire leaves no trace. */
static void unusual_headers_of_allowed_calls_stay(void **state)
{
	static const uint8_t ttls[] = { 1, 2, 64, 255 };
	static const uint8_t classes[] = { 0, 1, 2, 0x2c, 0xfc };

	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct rig_conf conf = rig_conf_default;
		struct rig *rig;
		uint32_t stream = 1;

		conf.pair.ip_version = version;
		rig = start(&conf);
		for (size_t i = 0; i < sizeof(ttls); i++) {
			for (size_t k = 0; k < sizeof(classes); k++, stream += 2) {
				rig->pair.end[WK_C2S].ttl = ttls[i];
				rig->pair.end[WK_S2C].tos = classes[k];
				rig->pair.end[WK_C2S].tos = classes[k];
				rig->pair.ident = (uint16_t)(0xfff0u + stream);
				rig_call(rig, stream, RIG_PATH_NAME);
				assert_int_equal(rig->n_out, 1);
				assert_true(rig_all_same(rig));
				rig_answer(rig, stream);
				assert_true(rig_all_same(rig));
			}
		}
		rig_free(rig);
	}
}

/* B13: the side tells who the client is, not the port. */
static void one_port_on_both_ends_confuses_nobody(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct h2w_fields fields = { 0 };
	struct rig *rig;

	(void)state;
	conf.pair.client_port = conf.pair.server_port;
	rig = start(&conf);
	expect_alive(rig, 1);
	rig_answer(rig, 1);
	assert_int_equal(rig_client_headers(rig, &fields), 1);
	assert_string_equal(h2w_field(&fields, ":status"), "200");
	assert_int_equal(rig_client_headers(rig, &fields), 1); /* trailers */
	expect_alive(rig, 5);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_options_hide_no_call),
		cmocka_unit_test(extension_headers_hide_no_call),
		cmocka_unit_test(unusual_headers_of_allowed_calls_stay),
		cmocka_unit_test(one_port_on_both_ends_confuses_nobody),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
