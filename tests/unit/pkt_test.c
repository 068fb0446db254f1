/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/pkt_spec.h"

static const uint8_t tcp_opts[] = { MSS_OPT, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7 };
static const uint8_t opts_nop[] = { NOP4 };
static const uint8_t opts_rr[] = { 1, 7, 7, 4, 0, 0, 0, 0 };
static const uint8_t opts_lsrr[] = { 131, 7, 4, 10, 0, 0, 1, 0 };
static const uint8_t opts_ssrr[] = { 137, 7, 4, 10, 0, 0, 1, 0 };
static const uint8_t opts_alert[] = { 148, 4, 0, 0 };
static const uint8_t opts_len_0[] = { 148, 0, 0, 0 };
static const uint8_t opts_len_9[] = { 148, 9, 0, 0 };
static const uint8_t opts_cut[] = { 1, 1, 1, 148 };
static const uint8_t opts_eol[] = { 0, 131, 7, 4 };
static const uint8_t ext_hbh[] = { 6, 0, 5, 2, 0, 0, 1, 0 };
static const uint8_t ext_chain[] = { 60, 0, 1, 4,  0, 0, 0, 0, /* hop-by-hop */
				     43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* dest */
				     51, 2, 4, 0,  0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2,
				     3,  3, 3, 3,  4, 4, 4, 4, /* routing, done */
				     44, 4, 0, 0,  9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
				     9,  9, 9, 9,  9, 9, 9, 9,   /* AH, 24 bytes */
				     6,  0, 0, 0,  1, 2, 3, 4 }; /* atomic fragment */
static const uint8_t ext_routing_left[] = { 6, 0, 3, 1, 0, 0, 0, 0 };
static const uint8_t ext_atomic[] = { 6, 0, 0, 0, 1, 2, 3, 4 };
static const uint8_t ext_frag_first[] = { 6, 0, 0, 1, 1, 2, 3, 4 };
static const uint8_t ext_frag_last[] = { 6, 0, 0, 8, 1, 2, 3, 4 };
static const uint8_t ext_frag_giant[] = { 6, 0, 0xff, 0xf8, 1, 2, 3, 4 };
static const uint8_t ext_long[] = { 6, 200, 0, 0, 0, 0, 0, 0 };
static const uint8_t ext_nine[] = { 60, 0, 1,  4, 0,  0, 0,  0, 60, 0, 1, 4, 0,  0, 0,  0, 60, 0,
				    1,  4, 0,  0, 0,  0, 60, 0, 1,  4, 0, 0, 0,  0, 60, 0, 1,  4,
				    0,  0, 0,  0, 60, 0, 1,  4, 0,  0, 0, 0, 60, 0, 1,  4, 0,  0,
				    0,  0, 60, 0, 1,  4, 0,  0, 0,  0, 6, 0, 1,  4, 0,  0, 0,  0 };

struct row {
	const char *name;
	struct test_frame_spec spec;
	uint32_t flags; /* expected */
};

static const struct row rows[] = {
	{ "ipv4 tcp", { V4_BASE, TCP_33 }, F_TCP },
	{ "ipv4 tcp without data", { V4_BASE, TCP_BASE, .data_b = 0 }, F_TCP },
	{ "ipv4 tcp with options",
	  { V4_BASE, TCP_33, .tcp_opts = tcp_opts, .tcp_opts_b = sizeof(tcp_opts) },
	  F_TCP },
	{ "ipv4 tcp with a trailer", { V4_BASE, TCP_BASE, .data_b = 1, .trailer_b = 5 }, F_TCP },
	{ "ipv4 udp", { V4_BASE, UDP_BASE }, WK_PKT_F_L4_PORTS },
	/* Its first byte is a 3: unreachable. */
	{ "ipv4 icmp", { V4_BASE, .proto = IPPROTO_ICMP, .data_b = 40 }, WK_PKT_F_ICMP_ERR },
	{ "ipv4 sctp", { V4_BASE, .proto = IPPROTO_SCTP, .data_b = 0 }, 0 },
	{ "ipv4 esp", { V4_BASE, .proto = IPPROTO_ESP, .data_b = 40 }, WK_PKT_F_TUNNEL },
	{ "ipv6 ipcomp", { V6_BASE, .proto = 108, .data_b = 40 }, WK_PKT_F_TUNNEL },
	{ "ipv4 l2tp", { V4_BASE, .proto = 115, .data_b = 40 }, WK_PKT_F_TUNNEL },
	{ "esp in udp",
	  { V4_BASE, .proto = IPPROTO_UDP, .dport = 4500, .data_b = 50 },
	  WK_PKT_F_TUNNEL | WK_PKT_F_L4_PORTS },
	{ "teredo",
	  { V4_BASE, .proto = IPPROTO_UDP, .dport = 3544, .data_b = 50 },
	  WK_PKT_F_TUNNEL | WK_PKT_F_L4_PORTS },
	{ "one tag", { V4_BASE, TCP_33, TAGS1(0xe064) }, F_TCP },
	{ "priority tag", { V4_BASE, TCP_33, TAGS1(0xe000) }, F_TCP },
	{ "priority tag outside of a VLAN", { V4_BASE, TCP_33, TAGS2(0x8100, 0, 7) }, F_TCP },
	{ "priority tag inside of a VLAN", { V6_BASE, TCP_33, TAGS2(0x88a8, 7, 0) }, F_TCP },
	{ "three tags",
	  { V4_BASE, TCP_33, .n_tags = 3, .tpid = { 0x88a8, 0x8100, 0x8100 }, .vlan = { 7, 8, 9 } },
	  F_TCP | WK_PKT_F_DEEP_TAGS },
	{ "three priority tags",
	  { V6_BASE, TCP_33, .n_tags = 3, .tpid = { 0x8100, 0x8100, 0x8100 } },
	  F_TCP | WK_PKT_F_DEEP_TAGS },
	{ "QinQ", { V4_BASE, TCP_33, TAGS2(0x88a8, 100, 200) }, F_TCP },
	{ "QinQ of old", { V6_BASE, TCP_33, TAGS2(0x9100, 100, 200) }, F_TCP },
	{ "NOP option", { V4_BASE, TCP_33, IP_OPTS(opts_nop) }, F_TCP | WK_PKT_F_IP_OPTS },
	{ "router alert", { V4_BASE, TCP_33, IP_OPTS(opts_alert) }, F_TCP | WK_PKT_F_IP_OPTS },
	{ "end of options", { V4_BASE, TCP_33, IP_OPTS(opts_eol) }, F_TCP | WK_PKT_F_IP_OPTS },
	{ "record route",
	  { V4_BASE, TCP_33, IP_OPTS(opts_rr) },
	  F_TCP | WK_PKT_F_IP_OPTS | WK_PKT_F_IP_ROUTE },
	{ "loose route",
	  { V4_BASE, TCP_33, IP_OPTS(opts_lsrr) },
	  F_TCP | WK_PKT_F_IP_OPTS | WK_PKT_F_IP_ROUTE },
	{ "strict route",
	  { V4_BASE, TCP_33, IP_OPTS(opts_ssrr) },
	  F_TCP | WK_PKT_F_IP_OPTS | WK_PKT_F_IP_ROUTE },
	{ "option of length 0",
	  { V4_BASE, TCP_33, IP_OPTS(opts_len_0) },
	  F_TCP | WK_PKT_F_IP_OPTS | WK_PKT_F_IP_ROUTE },
	{ "option beyond the header",
	  { V4_BASE, TCP_33, IP_OPTS(opts_len_9) },
	  F_TCP | WK_PKT_F_IP_OPTS | WK_PKT_F_IP_ROUTE },
	{ "option without a length",
	  { V4_BASE, TCP_33, IP_OPTS(opts_cut) },
	  F_TCP | WK_PKT_F_IP_OPTS | WK_PKT_F_IP_ROUTE },
	{ "first fragment",
	  { V4_BASE, TCP_BASE, .data_b = 44, .frag = 0x2000 },
	  WK_PKT_F_FRAG | WK_PKT_F_FRAG_FIRST | WK_PKT_F_L4_PORTS },
	{ "later fragment", { V4_BASE, TCP_33, .frag = 0x0001 }, WK_PKT_F_FRAG },
	{ "fragment of odd length",
	  { V4_BASE, TCP_33, .frag = 0x2002 },
	  WK_PKT_F_FRAG | WK_PKT_F_MALFORMED },
	{ "don't fragment", { V4_BASE, TCP_33, .frag = 0x4000 }, F_TCP },
	{ "IPIP", { V4_BASE, .proto = IPPROTO_IPIP, .data_b = 40 }, WK_PKT_F_TUNNEL },
	{ "6in4", { V4_BASE, .proto = IPPROTO_IPV6, .data_b = 40 }, WK_PKT_F_TUNNEL },
	{ "GRE", { V4_BASE, .proto = IPPROTO_GRE, .data_b = 40 }, WK_PKT_F_TUNNEL },
	{ "VXLAN",
	  { V4_BASE, .proto = IPPROTO_UDP, .dport = 4789, .data_b = 50 },
	  WK_PKT_F_TUNNEL | WK_PKT_F_L4_PORTS },
	{ "GENEVE over IPv6",
	  { V6_BASE, .proto = IPPROTO_UDP, .dport = 6081, .data_b = 50 },
	  WK_PKT_F_TUNNEL | WK_PKT_F_L4_PORTS },
	{ "GTP-U",
	  { V4_BASE, .proto = IPPROTO_UDP, .dport = 2152, .data_b = 50 },
	  WK_PKT_F_TUNNEL | WK_PKT_F_L4_PORTS },
	{ "ipv6 tcp", { V6_BASE, TCP_33 }, F_TCP },
	{ "ipv6 udp", { V6_BASE, UDP_BASE }, WK_PKT_F_L4_PORTS },
	{ "ipv6 hop-by-hop", { V6_BASE, TCP_33, EXT(0, ext_hbh) }, F_TCP | WK_PKT_F_V6_EXT },
	{ "ipv6 all headers", { V6_BASE, TCP_33, EXT(0, ext_chain) }, F_TCP | WK_PKT_F_V6_EXT },
	{ "ipv6 segments left",
	  { V6_BASE, TCP_33, EXT(43, ext_routing_left) },
	  F_TCP | WK_PKT_F_V6_EXT | WK_PKT_F_IP_ROUTE },
	{ "ipv6 atomic fragment",
	  { V6_BASE, TCP_33, EXT(44, ext_atomic) },
	  F_TCP | WK_PKT_F_V6_EXT },
	{ "ipv6 first fragment",
	  { V6_BASE, TCP_BASE, .data_b = 44, EXT(44, ext_frag_first) },
	  WK_PKT_F_V6_EXT | WK_PKT_F_FRAG | WK_PKT_F_FRAG_FIRST | WK_PKT_F_L4_PORTS },
	{ "ipv6 later fragment",
	  { V6_BASE, TCP_33, EXT(44, ext_frag_last) },
	  WK_PKT_F_V6_EXT | WK_PKT_F_FRAG },
	{ "ipv6 fragment beyond 64 KiB",
	  { V6_BASE, TCP_33, EXT(44, ext_frag_giant) },
	  WK_PKT_F_V6_EXT | WK_PKT_F_MALFORMED },
	{ "ipv6 header beyond the packet",
	  { V6_BASE, TCP_33, EXT(60, ext_long) },
	  WK_PKT_F_MALFORMED },
	{ "ipv6 nine headers",
	  { V6_BASE, TCP_33, EXT(60, ext_nine) },
	  WK_PKT_F_V6_EXT | WK_PKT_F_MALFORMED },
};

/* Those that are not 0, the first two. */
static void check_vlans(const struct test_frame_spec *spec, const struct wk_pkt *pkt)
{
	uint16_t want[4] = { WK_PKT_VLAN_NONE, WK_PKT_VLAN_NONE };
	uint32_t n = 0;

	for (uint32_t i = 0; i < spec->n_tags; i++)
		if ((spec->vlan[i] & 0xfff) != 0)
			want[n++] = spec->vlan[i] & 0xfff;
	assert_int_equal(pkt->vlan[0], want[0]);
	assert_int_equal(pkt->vlan[1], want[1]);
}

static void check_row(const struct row *row)
{
	const struct test_frame_spec *spec = &row->spec;
	struct test_frame frame;
	struct wk_pkt pkt;

	test_frame_build(&frame, spec);
	wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
	if (pkt.flags != row->flags)
		fail_msg("%s: flags 0x%x, not 0x%x", row->name, pkt.flags, row->flags);
	assert_int_equal(pkt.ip_version, spec->ip_version);
	assert_int_equal(pkt.l3_off, frame.l3_off);
	assert_int_equal(pkt.n_tags, spec->n_tags);
	check_vlans(spec, &pkt);
	assert_memory_equal(pkt.src, spec->src, 16);
	assert_memory_equal(pkt.dst, spec->dst, 16);
	assert_int_equal(pkt.ttl, 64);
	assert_int_equal(pkt.l3_off + pkt.l3_len_b, frame.len_b - spec->trailer_b);
	if (row->flags & WK_PKT_F_MALFORMED)
		return;
	assert_int_equal(pkt.proto, spec->proto);
	assert_int_equal(pkt.l4_off, frame.l4_off);
	assert_int_equal(pkt.sport, row->flags & WK_PKT_F_L4_PORTS ? spec->sport : 0);
	assert_int_equal(pkt.dport, row->flags & WK_PKT_F_L4_PORTS ? spec->dport : 0);
	if (row->flags & WK_PKT_F_FRAG)
		return;
	assert_int_equal(pkt.data_off, frame.data_off);
	assert_int_equal(pkt.data_len_b, spec->data_b);
	assert_true(wk_pkt_csum_ok(&pkt));
}

static void good_and_odd_frames_are_described_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(&rows[i]);
}

/* One byte of a good frame changed. */
static const struct {
	const char *name;
	bool v6;
	uint32_t off; /* from the IP header */
	uint8_t value;
	uint8_t ip_version; /* expected: 0 when the IP header is what does not fit */
} spoiled[] = {
	{ "version 5", false, 0, 0x55, 0 },
	{ "version 6 in IPv4", false, 0, 0x65, 0 },
	{ "IHL 4", false, 0, 0x44, 0 },
	{ "IHL beyond the total length", false, 0, 0x4f, 4 },
	{ "total length 19", false, 3, 19, 0 },
	{ "total length one above", false, 3, 74, 0 },
	{ "total length huge", false, 2, 0xff, 0 },
	{ "data offset 4", false, 32, 0x40, 4 },
	{ "data offset beyond", false, 32, 0xf0, 4 },
	{ "total length cuts the TCP header", false, 3, 39, 4 },
	{ "version 4 in IPv6", true, 0, 0x40, 0 },
	{ "payload one above", true, 5, 54, 0 },
	{ "payload huge", true, 4, 0xff, 0 },
	{ "payload 0", true, 5, 0, 6 },
	{ "payload cuts the TCP header", true, 5, 19, 6 },
	{ "data offset 0", true, 52, 0x00, 6 },
	{ "data offset beyond", true, 52, 0xf0, 6 },
};

static void lengths_that_do_not_fit_are_malformed(void **state)
{
	static const struct test_frame_spec v4 = { V4_BASE, TCP_33 };
	static const struct test_frame_spec v6 = { V6_BASE, TCP_33 };

	(void)state;
	for (size_t i = 0; i < COUNT(spoiled); i++) {
		struct test_frame frame;
		struct wk_pkt pkt;

		test_frame_build(&frame, spoiled[i].v6 ? &v6 : &v4);
		frame.bytes[frame.l3_off + spoiled[i].off] = spoiled[i].value;
		wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
		if ((pkt.flags & WK_PKT_F_MALFORMED) == 0 ||
		    pkt.ip_version != spoiled[i].ip_version)
			fail_msg("%s: flags 0x%x version %u", spoiled[i].name, pkt.flags,
				 pkt.ip_version);
		assert_int_equal(pkt.flags & WK_PKT_F_TCP, 0);
	}
}

static void a_fragment_that_ends_beyond_64_kib_is_malformed(void **state)
{
	static const struct test_frame_spec spec = { V4_BASE, .proto = IPPROTO_ICMP, .data_b = 64,
						     .frag = 0x1ff9 };
	struct test_frame frame;
	struct wk_pkt pkt;

	(void)state;
	test_frame_build(&frame, &spec);
	wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
	assert_int_equal(pkt.flags, WK_PKT_F_MALFORMED);
	assert_int_equal(pkt.ip_version, 0);
}

static void a_udp_length_that_does_not_fit_is_malformed(void **state)
{
	static const struct test_frame_spec spec = { V4_BASE, UDP_BASE };
	static const uint16_t lengths[] = { 0, 7, 25, 0xffff };

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct test_frame frame;
		struct wk_pkt pkt;

		test_frame_build(&frame, &spec);
		put16(frame.bytes + frame.l4_off + 4, lengths[i]);
		wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
		assert_int_equal(pkt.flags, WK_PKT_F_MALFORMED | WK_PKT_F_L4_PORTS);
		assert_int_equal(pkt.ip_version, 4);
	}
}

static void what_is_not_ip_is_no_error(void **state)
{
	static const uint16_t ethertypes[] = { 0x0806, 0x88cc, 0x0026, 0x8847, 0x05ff };
	struct test_frame frame = { .len_b = 60 };
	struct wk_pkt pkt;

	(void)state;
	for (size_t i = 0; i < COUNT(ethertypes); i++) {
		put16(frame.bytes + 12, ethertypes[i]);
		wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
		assert_int_equal(pkt.flags, 0);
		assert_int_equal(pkt.ip_version, 0);
		assert_int_equal(pkt.ethertype, ethertypes[i]);
	}
}

static void tags_that_do_not_end_are_malformed(void **state)
{
	struct test_frame frame = { .len_b = 64 };
	struct wk_pkt pkt;

	(void)state;
	for (uint32_t n = 1; n <= 12; n++) {
		put16(frame.bytes + 12 + 4 * (n - 1), 0x8100);
		wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
		assert_int_equal(pkt.ip_version, 0);
		assert_int_equal(pkt.n_tags, n <= 8 ? n : 8);
		assert_int_equal(pkt.flags, n <= 2   ? 0
					    : n <= 8 ? WK_PKT_F_DEEP_TAGS
						     : WK_PKT_F_MALFORMED);
		/* Nor may the frame end inside a tag. */
		wk_pkt_parse(frame.bytes, 12 + 4 * n, &pkt);
		assert_int_equal(pkt.flags, WK_PKT_F_MALFORMED);
	}
}

/* Parses a copy that ends where its allocation ends, and checks that nothing points outside. */
static void parse_exact(const uint8_t *bytes, uint32_t len_b, struct wk_pkt *pkt)
{
	uint8_t *copy = malloc(len_b > 0 ? len_b : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len_b);
	wk_pkt_parse(copy, len_b, pkt);
	if (pkt->ip_version != 0) {
		assert_true(pkt->l3_off + pkt->l3_len_b <= len_b);
		assert_true(pkt->l4_off <= pkt->l3_off + pkt->l3_len_b);
	}
	if ((pkt->flags & WK_PKT_F_TCP) != 0) {
		assert_int_equal(pkt->flags & (WK_PKT_F_MALFORMED | WK_PKT_F_FRAG), 0);
		assert_int_equal(pkt->data_off + pkt->data_len_b, pkt->l3_off + pkt->l3_len_b);
		wk_pkt_csum_ok(pkt);
	}
	free(copy);
}

static void no_truncation_is_read_beyond_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct test_frame frame;
		struct wk_pkt pkt;

		test_frame_build(&frame, &rows[i].spec);
		for (uint32_t len_b = 0; len_b < frame.len_b; len_b++) {
			parse_exact(frame.bytes, len_b, &pkt);
			if (len_b < frame.len_b - rows[i].spec.trailer_b)
				assert_true(pkt.flags & WK_PKT_F_MALFORMED);
		}
	}
}

static void no_mutation_is_read_beyond_its_end(void **state)
{
	(void)state;
	srandom(7);
	for (uint32_t i = 0; i < 100000; i++) {
		struct test_frame frame;
		struct wk_pkt pkt;

		test_frame_build(&frame, &rows[(size_t)random() % COUNT(rows)].spec);
		for (long n = random() % 4; n >= 0; n--)
			frame.bytes[12 + random() % (long)(frame.len_b - 12)] = (uint8_t)random();
		parse_exact(frame.bytes, (uint32_t)random() % (frame.len_b + 1), &pkt);
		parse_exact(frame.bytes, frame.len_b, &pkt);
	}
}

static void checksums_agree_with_the_library(void **state)
{
	(void)state;
	srandom(11);
	for (uint32_t i = 0; i < 4000; i++) {
		struct test_frame_spec spec = { TCP_33, .ip_version = i % 2 ? 4 : 6 };
		struct test_frame frame;
		uint8_t *tcp;
		uint16_t csum;
		struct wk_pkt pkt;

		for (uint32_t k = 0; k < (i % 2 ? 4 : 16); k++) {
			spec.src[k] = (uint8_t)random();
			spec.dst[k] = (uint8_t)random();
		}
		spec.data_b = (uint32_t)random() % 1461;
		spec.seq = (uint32_t)random();
		test_frame_build(&frame, &spec);
		tcp = frame.bytes + frame.l4_off;
		memcpy(&csum, tcp + 16, sizeof(csum));
		assert_int_equal(wk_pkt_tcp_csum(spec.ip_version, spec.src, spec.dst, tcp,
						 frame.len_b - frame.l4_off),
				 csum);
		wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
		assert_true(wk_pkt_csum_ok(&pkt));
		frame.bytes[frame.l4_off + (uint32_t)random() % (20 + spec.data_b)] ^= 0x10;
		assert_false(wk_pkt_csum_ok(&pkt));
	}
}

static void a_bad_ipv4_header_checksum_is_noticed(void **state)
{
	static const struct test_frame_spec spec = { V4_BASE, TCP_33, IP_OPTS(opts_alert) };
	struct test_frame frame;
	struct wk_pkt pkt;

	(void)state;
	test_frame_build(&frame, &spec);
	frame.bytes[frame.l3_off + 8] ^= 1;
	wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
	assert_false(wk_pkt_csum_ok(&pkt));
	pkt.ip_csum = WK_PKT_CSUM_GOOD;
	assert_true(wk_pkt_csum_ok(&pkt));
	pkt.l4_csum = WK_PKT_CSUM_BAD;
	assert_false(wk_pkt_csum_ok(&pkt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_and_odd_frames_are_described_exactly),
		cmocka_unit_test(lengths_that_do_not_fit_are_malformed),
		cmocka_unit_test(a_fragment_that_ends_beyond_64_kib_is_malformed),
		cmocka_unit_test(a_udp_length_that_does_not_fit_is_malformed),
		cmocka_unit_test(what_is_not_ip_is_no_error),
		cmocka_unit_test(tags_that_do_not_end_are_malformed),
		cmocka_unit_test(no_truncation_is_read_beyond_its_end),
		cmocka_unit_test(no_mutation_is_read_beyond_its_end),
		cmocka_unit_test(checksums_agree_with_the_library),
		cmocka_unit_test(a_bad_ipv4_header_checksum_is_noticed),
	};

	return cmocka_run_group_tests_name("pkt", tests, NULL, NULL);
}
