/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in packet buffers: what a port has done to them is undone, and edits keep the checksum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_mbuf.h>

#include "../support/pkt_spec.h"
#include "../support/test_eal.h"

static struct rte_mempool *pool;

static const uint8_t tcp_opts[] = { MSS_OPT, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7 };
static const uint8_t opts_nop[] = { NOP4 };
static const uint8_t ext_hbh[] = { 6, 0, 5, 2, 0, 0, 1, 0 };
static const uint8_t ext_atomic[] = { 6, 0, 0, 0, 1, 2, 3, 4 };

static struct rte_mbuf *mbuf_of(const struct test_frame *frame)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame->len_b), frame->bytes, frame->len_b);
	return m;
}

static void checksum_verdicts_of_the_port_are_taken(void **state)
{
	static const struct {
		uint64_t ol_flags;
		enum wk_pkt_csum ip;
		enum wk_pkt_csum l4;
	} verdicts[] = {
		{ 0, WK_PKT_CSUM_UNKNOWN, WK_PKT_CSUM_UNKNOWN },
		{ RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, WK_PKT_CSUM_GOOD,
		  WK_PKT_CSUM_GOOD },
		{ RTE_MBUF_F_RX_IP_CKSUM_BAD, WK_PKT_CSUM_BAD, WK_PKT_CSUM_UNKNOWN },
		{ RTE_MBUF_F_RX_L4_CKSUM_BAD, WK_PKT_CSUM_UNKNOWN, WK_PKT_CSUM_BAD },
		/* Completed on the way in. */
		{ RTE_MBUF_F_RX_L4_CKSUM_NONE, WK_PKT_CSUM_UNKNOWN, WK_PKT_CSUM_GOOD },
		{ RTE_MBUF_F_RX_IP_CKSUM_NONE, WK_PKT_CSUM_GOOD, WK_PKT_CSUM_UNKNOWN },
	};
	static const struct test_frame_spec spec = { V4_BASE, TCP_33 };
	struct test_frame frame;

	(void)state;
	test_frame_build(&frame, &spec);
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		struct rte_mbuf *m = mbuf_of(&frame);
		struct wk_pkt pkt;

		m->ol_flags = verdicts[i].ol_flags;
		wk_pkt_parse_burst(&m, 1, &pkt);
		assert_int_equal(pkt.ip_csum, verdicts[i].ip);
		assert_int_equal(pkt.l4_csum, verdicts[i].l4);
		assert_int_equal(pkt.flags, F_TCP);
		assert_ptr_equal(pkt.m, m);
		rte_pktmbuf_free(m);
	}
}

static void pseudo_header_checksums_are_completed(void **state)
{
	static const struct test_frame_spec specs[] = {
		{ V4_BASE, TCP_33 },
		{ V6_BASE, TCP_33 },
		{ V4_BASE, UDP_BASE },
		{ V6_BASE, UDP_BASE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(specs); i++) {
		struct test_frame frame;
		struct rte_mbuf *m;
		struct wk_pkt pkt;
		uint32_t off;

		test_frame_build(&frame, &specs[i]);
		m = mbuf_of(&frame);
		off = frame.l4_off + (specs[i].proto == IPPROTO_TCP ? 16 : 6);
		memset(rte_pktmbuf_mtod_offset(m, void *, off), 0x5a, 2);
		m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
		wk_pkt_parse_burst(&m, 1, &pkt);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), frame.bytes, frame.len_b);
		rte_pktmbuf_free(m);
	}
}

static void header_checksums_are_completed(void **state)
{
	static const struct test_frame_spec specs[] = {
		{ V4_BASE, TCP_33 },
		{ V4_BASE, TCP_33, IP_OPTS(opts_nop), TAGS1(7) },
		{ V4_BASE, TCP_BASE, .data_b = 40, .frag = 0x2000 },
		{ V6_BASE, TCP_33 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(specs); i++) {
		struct test_frame frame;
		struct rte_mbuf *m;
		struct wk_pkt pkt;

		test_frame_build(&frame, &specs[i]);
		m = mbuf_of(&frame);
		if (specs[i].ip_version == 4)
			memset(rte_pktmbuf_mtod_offset(m, void *, frame.l3_off + 10), 0, 2);
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_NONE;
		wk_pkt_parse_burst(&m, 1, &pkt);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), frame.bytes, frame.len_b);
		rte_pktmbuf_free(m);
	}
}

static void stripped_tags_come_back(void **state)
{
	static const struct test_frame_spec plain = { V4_BASE, TCP_33 };
	static const struct test_frame_spec one = { V4_BASE, TCP_33, TAGS1(0x6064) };
	static const struct test_frame_spec two = { V4_BASE, TCP_33,
						    TAGS2(0x88a8, 0x2007, 0x6064) };
	struct test_frame frame;
	struct test_frame want;
	struct rte_mbuf *mbufs[2];
	struct wk_pkt pkts[2];

	(void)state;
	test_frame_build(&frame, &plain);
	mbufs[0] = mbuf_of(&frame);
	mbufs[0]->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	mbufs[0]->vlan_tci = 0x6064;
	mbufs[1] = mbuf_of(&frame);
	mbufs[1]->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ |
			     RTE_MBUF_F_RX_QINQ_STRIPPED;
	mbufs[1]->vlan_tci = 0x6064;
	mbufs[1]->vlan_tci_outer = 0x2007;
	wk_pkt_parse_burst(mbufs, 2, pkts);
	test_frame_build(&want, &one);
	assert_int_equal(pkts[0].frame_len_b, want.len_b);
	assert_memory_equal(pkts[0].frame, want.bytes, want.len_b);
	assert_int_equal(pkts[0].vlan[0], 0x064);
	test_frame_build(&want, &two);
	assert_int_equal(pkts[1].frame_len_b, want.len_b);
	assert_memory_equal(pkts[1].frame, want.bytes, want.len_b);
	assert_int_equal(pkts[1].vlan[0], 0x007);
	assert_int_equal(pkts[1].vlan[1], 0x064);
	rte_pktmbuf_free_bulk(mbufs, 2);
}

static void segments_are_joined_where_there_is_room(void **state)
{
	static const struct test_frame_spec spec = { V4_BASE, TCP_BASE, .data_b = 1000 };
	struct test_frame frame;

	(void)state;
	test_frame_build(&frame, &spec);
	for (int room = 0; room < 2; room++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		struct rte_mbuf *tail = rte_pktmbuf_alloc(pool);
		struct wk_pkt pkt;

		if (!room)
			m->data_off = (uint16_t)(m->buf_len - 100);
		memcpy(rte_pktmbuf_append(m, 100), frame.bytes, 100);
		memcpy(rte_pktmbuf_append(tail, (uint16_t)(frame.len_b - 100)), frame.bytes + 100,
		       frame.len_b - 100);
		assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
		wk_pkt_parse_burst(&m, 1, &pkt);
		assert_int_equal(pkt.flags, room ? F_TCP : WK_PKT_F_MALFORMED | WK_PKT_F_SEGMENTS);
		if (room)
			assert_memory_equal(pkt.frame, frame.bytes, frame.len_b);
		rte_pktmbuf_free(m);
	}
}

/* The packet's checksums are right and the rest of it is what a new packet would be. */
static void assert_is(const struct wk_pkt *pkt, const struct test_frame_spec *spec)
{
	struct test_frame want;

	test_frame_build(&want, spec);
	assert_int_equal(pkt->frame_len_b, want.len_b);
	assert_int_equal(rte_pktmbuf_pkt_len(pkt->m), want.len_b);
	assert_memory_equal(rte_pktmbuf_mtod(pkt->m, void *), want.bytes, want.len_b);
	assert_true(wk_pkt_csum_ok(pkt));
}

static struct wk_pkt open_pkt(const struct test_frame_spec *spec)
{
	struct test_frame frame;
	struct rte_mbuf *m;
	struct wk_pkt pkt;

	test_frame_build(&frame, spec);
	m = mbuf_of(&frame);
	wk_pkt_parse_burst(&m, 1, &pkt);
	return pkt;
}

static void numbers_are_written_with_their_checksum(void **state)
{
	(void)state;
	srandom(13);
	for (uint32_t i = 0; i < 20000; i++) {
		struct test_frame_spec v4 = { V4_BASE, TCP_BASE, .data_b = i % 7 };
		struct test_frame_spec v6 = { V6_BASE, TCP_33, EXT(44, ext_atomic) };
		struct test_frame_spec *spec = i % 2 ? &v4 : &v6;
		struct wk_pkt pkt = open_pkt(spec);

		if (i % 16 == 0) {
			pkt.l4_csum = WK_PKT_CSUM_NONE;
			memset(rte_pktmbuf_mtod_offset(pkt.m, void *, pkt.l4_off + 16), 9, 2);
		}
		spec->seq = i % 5 ? (uint32_t)random() : 0xffffffffu;
		spec->ack = i % 3 ? (uint32_t)random() : 0;
		spec->wnd = (uint16_t)random();
		wk_pkt_set_numbers(&pkt, spec->seq, spec->ack, spec->wnd);
		assert_is(&pkt, spec);
		rte_pktmbuf_free(pkt.m);
	}
}

static void urgent_data_is_declared_ordinary(void **state)
{
	struct test_frame_spec spec = { V4_BASE, TCP_33 };
	struct test_frame frame;
	struct rte_mbuf *m;
	struct wk_pkt pkt;
	uint16_t csum;

	(void)state;
	spec.tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_URG_FLAG | RTE_TCP_PSH_FLAG;
	test_frame_build(&frame, &spec);
	put16(frame.bytes + frame.l4_off + 18, 0x1234);
	csum = wk_pkt_tcp_csum(4, spec.src, spec.dst, frame.bytes + frame.l4_off,
			       frame.len_b - frame.l4_off);
	memcpy(frame.bytes + frame.l4_off + 16, &csum, sizeof(csum));
	m = mbuf_of(&frame);
	wk_pkt_parse_burst(&m, 1, &pkt);
	assert_true(wk_pkt_csum_ok(&pkt));
	wk_pkt_clear_urg(&pkt);
	spec.tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG;
	assert_is(&pkt, &spec);
	rte_pktmbuf_free(m);
}

static unsigned int only_nops(uint8_t *opts, uint32_t len_b)
{
	memset(opts, 1, len_b);
	return len_b;
}

static void options_are_edited_in_place(void **state)
{
	static const uint8_t nops[sizeof(tcp_opts)] = { NOP4, NOP4, NOP4, NOP4, NOP4 };
	struct test_frame_spec spec = { V4_BASE, TCP_33, .tcp_opts = tcp_opts,
					.tcp_opts_b = sizeof(tcp_opts) };
	struct wk_pkt pkt = open_pkt(&spec);

	(void)state;
	wk_pkt_edit_opts(&pkt, only_nops);
	spec.tcp_opts = nops;
	assert_is(&pkt, &spec);
	rte_pktmbuf_free(pkt.m);
}

static void a_payload_is_taken_away_whole(void **state)
{
	struct test_frame_spec specs[] = {
		{ V4_BASE, TCP_BASE, .data_b = 33, .trailer_b = 3 },
		{ V4_BASE, TCP_BASE, .data_b = 1400, IP_OPTS(opts_nop) },
		{ V6_BASE, TCP_BASE, .data_b = 1, TAGS1(5) },
		{ V6_BASE, TCP_BASE, .data_b = 0, EXT(0, ext_hbh) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(specs); i++) {
		struct wk_pkt pkt = open_pkt(&specs[i]);

		wk_pkt_trim_data(&pkt);
		specs[i].data_b = 0;
		specs[i].trailer_b = 0;
		assert_is(&pkt, &specs[i]);
		rte_pktmbuf_free(pkt.m);
	}
}

static int start(void **state)
{
	test_eal_set_up(state);
	pool = rte_pktmbuf_pool_create("pkt_mbuf_test", 255, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM,
				       SOCKET_ID_ANY);
	return pool ? 0 : -1;
}

static int stop(void **state)
{
	rte_mempool_free(pool);
	return test_eal_tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_verdicts_of_the_port_are_taken),
		cmocka_unit_test(pseudo_header_checksums_are_completed),
		cmocka_unit_test(header_checksums_are_completed),
		cmocka_unit_test(stripped_tags_come_back),
		cmocka_unit_test(segments_are_joined_where_there_is_room),
		cmocka_unit_test(numbers_are_written_with_their_checksum),
		cmocka_unit_test(urgent_data_is_declared_ordinary),
		cmocka_unit_test(options_are_edited_in_place),
		cmocka_unit_test(a_payload_is_taken_away_whole),
	};

	return cmocka_run_group_tests_name("pkt_mbuf", tests, start, stop);
}
