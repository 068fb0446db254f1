/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../support/wire_bytes.h"
#include "frag_kit.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define CWR 0x80

/* One packet of a datagram that is cut. */
static void check_packet(struct rte_mbuf *m, const struct wk_pkt *whole, uint32_t at, uint32_t l3_b,
			 uint8_t flags)
{
	struct wk_pkt pkt;
	const uint8_t *tcp;

	assert_non_null(m);
	wk_pkt_parse_burst(&m, 1, &pkt);
	assert_true((pkt.flags & WK_PKT_F_TCP) != 0 && (pkt.flags & WK_PKT_F_FRAG) == 0);
	assert_true(wk_pkt_csum_ok(&pkt));
	assert_true(pkt.l3_len_b <= l3_b);
	assert_memory_equal(pkt.vlan, whole->vlan, sizeof(pkt.vlan));
	tcp = pkt.frame + pkt.l4_off;
	assert_int_equal(get32(tcp + 4), get32(whole->frame + whole->l4_off + 4) + at);
	assert_int_equal(get32(tcp + 8), get32(whole->frame + whole->l4_off + 8));
	assert_int_equal(tcp[13], flags);
	assert_memory_equal(tcp + 20, whole->frame + whole->l4_off + 20, 12);
	assert_memory_equal(pkt.frame + pkt.data_off, whole->frame + whole->data_off + at,
			    pkt.data_len_b);
	rte_pktmbuf_free(m);
}

static void a_large_segment_is_cut_as_its_sender_would_have_done(void **state)
{
	static const struct {
		uint8_t ip_version;
		uint32_t total_b;
		uint32_t size_b;
		uint32_t limit_b;
		uint32_t fits_b; /* L3 length of a full packet */
		uint32_t packets;
	} cuts[] = {
		{ 4, 32, 8, 1500, 576, 1 },       { 4, 556, 8 * 60, 1500, 576, 1 },
		{ 4, 557, 8 * 60, 1500, 576, 2 }, { 4, 3000, 1480, 1500, 1500, 3 },
		{ 4, 3000, 1480, 1000, 1000, 4 }, { 4, 65515, 1480, 1500, 1500, 46 },
		{ 6, 1240, 40, 1500, 1280, 1 },   { 6, 1241, 640, 1500, 1280, 2 },
		{ 6, 4000, 1440, 1500, 1488, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct spec spec = { .ip_version = cuts[i].ip_version,
				     .proto = IPPROTO_TCP,
				     .id = (uint32_t)i,
				     .n_tags = 1,
				     .total_b = cuts[i].total_b,
				     .tcp = true,
				     .tcp_flags = FIN | PSH | ACK | CWR };
		struct wk_frag_cut cut;
		struct wk_pkt whole;
		struct rte_mbuf *m;
		uint32_t at = 0;
		uint32_t n = 0;

		kit_send_all(&spec, cuts[i].size_b);
		assert_int_equal(kit.last, WK_FRAG_WHOLE);
		wk_pkt_parse(kit.whole.frame, kit.whole.len_b, &whole);
		assert_true(wk_frag_cut_begin(&cut, &whole, kit.whole.largest_b, cuts[i].limit_b));
		for (; wk_frag_cut_next(kit.frag, &cut, &m); n++) {
			uint32_t room_b = cuts[i].fits_b - (whole.data_off - whole.l3_off);
			uint8_t flags = ACK;

			if (at == 0)
				flags |= CWR;
			if (at + room_b >= whole.data_len_b)
				flags |= FIN | PSH;
			check_packet(m, &whole, at, cuts[i].fits_b, flags);
			at += room_b;
		}
		assert_int_equal(n, cuts[i].packets);
		assert_true(at >= whole.data_len_b);
	}
}

static void what_must_be_one_packet_is_not_cut(void **state)
{
	static const uint8_t flags[] = { SYN, SYN | ACK, RST, RST | ACK };

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct spec spec = { .ip_version = 4,
				     .id = (uint32_t)i,
				     .total_b = 2000,
				     .tcp = true,
				     .tcp_flags = flags[i] };
		struct wk_frag_cut cut;
		struct wk_pkt whole;

		kit_send_all(&spec, 1000);
		wk_pkt_parse(kit.whole.frame, kit.whole.len_b, &whole);
		assert_false(wk_frag_cut_begin(&cut, &whole, 1500, 1500));
		assert_true(wk_frag_cut_begin(&cut, &whole, 2020, 2020));
	}
}

static void a_packet_that_has_no_buffer_is_counted(void **state)
{
	struct spec spec = { .ip_version = 4, .total_b = 2000, .tcp = true, .tcp_flags = ACK };
	struct rte_mbuf *all[1023];
	struct wk_frag_cut cut;
	struct wk_pkt whole;
	struct rte_mbuf *m;
	uint32_t n = 0;

	(void)state;
	kit_send_all(&spec, 1000);
	wk_pkt_parse(kit.whole.frame, kit.whole.len_b, &whole);
	assert_true(wk_frag_cut_begin(&cut, &whole, 1500, 1500));
	assert_int_equal(rte_pktmbuf_alloc_bulk(kit.pool, all, 1023), 0);
	for (; wk_frag_cut_next(kit.frag, &cut, &m); n++)
		assert_null(m);
	rte_pktmbuf_free_bulk(all, 1023);
	assert_int_equal(n, 2);
	assert_int_equal(kit.stats.counter[WK_CNT_ORIGINATED], 2);
	assert_int_equal(kit.stats.reason[WK_DROP_NO_MBUF], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(a_large_segment_is_cut_as_its_sender_would_have_done),
		KIT_TEST(what_must_be_one_packet_is_not_cut),
		KIT_TEST(a_packet_that_has_no_buffer_is_counted),
	};

	return cmocka_run_group_tests_name("frag_cut", tests, kit_set_up, kit_tear_down);
}
