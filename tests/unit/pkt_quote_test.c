/* SPDX-License-Identifier: Apache-2.0 */
/* What ICMP errors quote: found or not, never read beyond its end, and rewritten with every
 * checksum right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/icmp_quote.h"
#include "../support/pkt_spec.h"

#define ERROR_MAX_B (2u * TEST_FRAME_MAX_B)

static const uint8_t opts_nop[] = { NOP4 };
static const uint8_t ext_hbh[] = { 6, 0, 5, 2, 0, 0, 1, 0 };
static const uint8_t ext_atomic[] = { 6, 0, 0, 0, 1, 2, 3, 4 };
static const uint8_t ext_first[] = { 6, 0, 0, 1, 1, 2, 3, 4 };
static const uint8_t ext_later[] = { 6, 0, 0, 9, 1, 2, 3, 4 };

/* `specs` are of packets that are quoted. */
static const struct {
	const char *name;
	struct test_frame_spec spec;
	bool found;
} rows[] = {
	{ "ipv4", { V4_BASE, TCP_33 }, true },
	{ "ipv6", { V6_BASE, TCP_33 }, true },
	{ "ipv4, options", { V4_BASE, TCP_33, IP_OPTS(opts_nop) }, true },
	{ "ipv4, one tag", { V4_BASE, TCP_33, TAGS1(7) }, true },
	{ "ipv6, two tags", { V6_BASE, TCP_33, TAGS2(0x88a8, 100, 200) }, true },
	{ "ipv4, first fragment", { V4_BASE, TCP_33, .frag = 0x2000 }, true },
	{ "ipv4, later fragment", { V4_BASE, TCP_33, .frag = 0x2001 }, false },
	{ "ipv6, hop-by-hop", { V6_BASE, TCP_33, EXT(0, ext_hbh) }, true },
	{ "ipv6, atomic fragment", { V6_BASE, TCP_33, EXT(44, ext_atomic) }, true },
	{ "ipv6, first fragment", { V6_BASE, TCP_BASE, .data_b = 36, EXT(44, ext_first) }, false },
	{ "ipv6, later fragment", { V6_BASE, TCP_BASE, .data_b = 36, EXT(44, ext_later) }, false },
	{ "udp", { V4_BASE, UDP_BASE }, false },
	{ "ipv6 udp", { V6_BASE, UDP_BASE }, false },
};

static const struct icmp_quote *error_for(const struct test_frame_spec *spec)
{
	static struct icmp_quote error;

	error = icmp_too_big(spec->ip_version, 1300);
	return &error;
}

static uint32_t build(uint8_t *error, const struct test_frame_spec *spec, uint32_t quote_b)
{
	struct icmp_quote what = *error_for(spec);
	struct test_frame frame;

	test_frame_build(&frame, spec);
	what.quote_b = quote_b;
	return icmp_build(error, frame.bytes, &what);
}

static void a_quoted_packet_is_found_by_its_tuple(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct test_frame_spec *spec = &rows[i].spec;
		uint8_t error[ERROR_MAX_B];
		uint32_t len_b = build(error, spec, 0);
		struct wk_pkt pkt, quoted;
		uint32_t mtu_b = 0;

		wk_pkt_parse(error, len_b, &pkt);
		if (!(pkt.flags & WK_PKT_F_ICMP_ERR) || (pkt.flags & WK_PKT_F_MALFORMED) ||
		    !wk_pkt_icmp_csum_ok(&pkt) || wk_pkt_quoted(&pkt, &quoted) != rows[i].found)
			fail_msg("%s", rows[i].name);
		assert_true(wk_pkt_icmp_too_big(&pkt, &mtu_b));
		assert_int_equal(mtu_b, 1300);
		if (!rows[i].found)
			continue;
		assert_int_equal(quoted.ip_version, spec->ip_version);
		assert_int_equal(quoted.proto, IPPROTO_TCP);
		assert_memory_equal(quoted.src, spec->src, 16);
		assert_memory_equal(quoted.dst, spec->dst, 16);
		assert_int_equal(quoted.sport, spec->sport);
		assert_int_equal(quoted.dport, spec->dport);
		assert_int_equal(wk_pkt_quoted_seq(&quoted), spec->seq);
		assert_int_equal(quoted.l3_len_b, icmp_l3_len(error + quoted.l3_off));
		assert_int_equal(quoted.vlan[0],
				 spec->n_tags > 0 ? spec->vlan[0] : WK_PKT_VLAN_NONE);
		assert_int_equal(quoted.vlan[1],
				 spec->n_tags > 1 ? spec->vlan[1] : WK_PKT_VLAN_NONE);
	}
}

/* In a buffer of exactly its length, so that a sanitizer sees the first byte too far. */
static void a_quote_is_never_read_beyond_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test_frame frame;
		uint32_t whole_b, tcp_off;

		test_frame_build(&frame, &rows[i].spec);
		whole_b = frame.len_b - frame.l3_off;
		tcp_off = frame.l4_off - frame.l3_off;
		for (uint32_t quote_b = 1; quote_b <= whole_b; quote_b++) {
			uint8_t error[ERROR_MAX_B];
			uint32_t len_b = build(error, &rows[i].spec, quote_b);
			uint8_t *exact = malloc(len_b);
			struct wk_pkt pkt, quoted;
			bool found;

			assert_non_null(exact);
			memcpy(exact, error, len_b);
			wk_pkt_parse(exact, len_b, &pkt);
			found = wk_pkt_quoted(&pkt, &quoted);
			if (found != (rows[i].found && quote_b >= tcp_off + 8))
				fail_msg("%s: %u bytes quoted", rows[i].name, quote_b);
			if (found)
				assert_int_equal(wk_pkt_quoted_seq(&quoted), rows[i].spec.seq);
			free(exact);
		}
	}
}

static void what_a_quote_says_of_lengths_is_not_believed(void **state)
{
	static const struct test_frame_spec v4 = { V4_BASE, TCP_33 };
	static const struct test_frame_spec v6 = { V6_BASE, TCP_33, EXT(0, ext_hbh) };
	static const struct {
		const struct test_frame_spec *spec;
		uint32_t off; /* in the quote */
		uint8_t value;
		bool found;
	} lies[] = {
		{ &v4, 0, 0x44, false }, /* a header of 16 bytes */
		{ &v4, 0, 0x4f, false }, /* of 60, in a quote of 56 */
		{ &v4, 0, 0x65, false }, /* IPv6 */
		{ &v4, 2, 0xff, true },  /* 65 313 bytes: quotes are cut */
		{ &v4, 9, 58, false },   { &v6, 0, 0x45, false },
		{ &v6, 4, 0xff, true },  { &v6, 41, 9, false }, /* extension header beyond it */
		{ &v6, 40, 59, false },                         /* nothing follows */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lies); i++) {
		uint8_t error[ERROR_MAX_B];
		uint32_t len_b = build(error, lies[i].spec, lies[i].spec == &v4 ? 56 : 80);
		uint32_t at = lies[i].spec == &v4 ? 14 + 20 + 8 : 14 + 40 + 8;
		struct wk_pkt pkt, quoted;

		error[at + lies[i].off] = lies[i].value;
		wk_pkt_parse(error, len_b, &pkt);
		assert_int_equal(wk_pkt_quoted(&pkt, &quoted), lies[i].found);
	}
}

static void only_errors_quote(void **state)
{
	static const struct {
		uint8_t ip_version;
		uint8_t type;
		bool error;
	} types[] = {
		{ 4, 0, false },   { 4, 3, true },   { 4, 4, true },    { 4, 5, true },
		{ 4, 8, false },   { 4, 11, true },  { 4, 12, true },   { 4, 13, false },
		{ 6, 0, false },   { 6, 1, true },   { 6, 2, true },    { 6, 3, true },
		{ 6, 4, true },    { 6, 127, true }, { 6, 128, false }, { 6, 129, false },
		{ 6, 137, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		static const struct test_frame_spec specs[] = { { V4_BASE, TCP_33 },
								{ V6_BASE, TCP_33 } };
		uint8_t error[ERROR_MAX_B];
		uint32_t len_b = build(error, &specs[types[i].ip_version == 6], 0);
		struct wk_pkt pkt, quoted;
		uint32_t mtu_b;

		error[types[i].ip_version == 6 ? 54 : 34] = types[i].type;
		wk_pkt_parse(error, len_b, &pkt);
		assert_int_equal((pkt.flags & WK_PKT_F_ICMP_ERR) != 0, types[i].error);
		assert_int_equal(wk_pkt_quoted(&pkt, &quoted), types[i].error);
		assert_int_equal(wk_pkt_icmp_too_big(&pkt, &mtu_b),
				 types[i].type == (types[i].ip_version == 6 ? 2 : 3));
	}
}

/* The other way round: an ICMP fragment, and an error too short for a quote. */
static void a_message_that_is_not_whole_quotes_nothing(void **state)
{
	static const struct test_frame_spec spec = { V4_BASE, TCP_33 };
	uint8_t error[ERROR_MAX_B];
	uint32_t len_b = build(error, &spec, 0);
	struct wk_pkt pkt;

	(void)state;
	error[14 + 6] = 0x20;
	wk_pkt_parse(error, len_b, &pkt);
	assert_int_equal(pkt.flags & WK_PKT_F_ICMP_ERR, 0);
	error[14 + 6] = 0;
	put16(error + 14 + 2, 27);
	wk_pkt_parse(error, len_b, &pkt);
	assert_int_equal(pkt.flags & WK_PKT_F_ICMP_ERR, 0);
}

static void a_rewritten_number_leaves_every_checksum_right(void **state)
{
	(void)state;
	srandom(20261122);
	for (uint32_t i = 0; i < 4000; i++) {
		struct test_frame_spec spec = rows[i % COUNT(rows)].spec;
		struct rte_mbuf m = { .nb_segs = 1, .refcnt = 1 };
		uint8_t error[ERROR_MAX_B], want[ERROR_MAX_B];
		struct wk_pkt pkt, quoted;
		uint32_t seq = (uint32_t)random(), quote_b, len_b;
		struct test_frame frame;

		spec.seq = i % 7 ? (uint32_t)random() : 0;
		test_frame_build(&frame, &spec);
		quote_b = frame.l4_off - frame.l3_off + 8 +
			  (uint32_t)random() % (frame.len_b - frame.l4_off - 8 + 1);
		len_b = build(error, &spec, quote_b);
		m.buf_addr = error;
		m.buf_len = m.data_len = (uint16_t)len_b;
		m.pkt_len = len_b;
		wk_pkt_parse(error, len_b, &pkt);
		if (!wk_pkt_quoted(&pkt, &quoted))
			continue;
		pkt.m = &m;
		wk_pkt_set_quoted_seq(&pkt, &quoted, seq);
		assert_int_equal(wk_pkt_quoted_seq(&quoted), seq);
		assert_true(wk_pkt_icmp_csum_ok(&pkt));
		spec.seq = seq;
		build(want, &spec, quote_b);
		/* -0 and +0 are both right where one's complement is summed up. */
		if (memcmp(error, want, len_b) != 0)
			assert_int_equal(icmp_sum(error + pkt.l3_off,
						  (uint32_t)pkt.l3_off + pkt.l3_len_b - pkt.l4_off),
					 0);
		if (quote_b >= (uint32_t)quoted.l4_off - quoted.l3_off + 18)
			assert_memory_equal(error + quoted.l4_off + 16, want + quoted.l4_off + 16,
					    2);
	}
}

static void a_wrong_checksum_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t error[ERROR_MAX_B];
		uint32_t len_b = build(error, &rows[i].spec, 0);
		struct wk_pkt pkt;

		error[len_b - 1] ^= 4;
		wk_pkt_parse(error, len_b, &pkt);
		assert_false(wk_pkt_icmp_csum_ok(&pkt));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quoted_packet_is_found_by_its_tuple),
		cmocka_unit_test(a_quote_is_never_read_beyond_its_end),
		cmocka_unit_test(what_a_quote_says_of_lengths_is_not_believed),
		cmocka_unit_test(only_errors_quote),
		cmocka_unit_test(a_message_that_is_not_whole_quotes_nothing),
		cmocka_unit_test(a_rewritten_number_leaves_every_checksum_right),
		cmocka_unit_test(a_wrong_checksum_is_noticed),
	};

	return cmocka_run_group_tests_name("pkt_quote", tests, NULL, NULL);
}
