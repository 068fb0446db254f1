/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in several packet buffers, as virtual ports hand them over: joined before anything is read
 * of them, or dropped. No header may stand where only its receiver would look. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/test_frame.h"
#include "team_kit.h"

#define MS 1000000ull

#define CONF                                                                                       \
	"version = 1; ports = ( { name = \"a\"; device = \"net_ring0\"; }, "                       \
	"{ name = \"b\"; device = \"net_ring1\"; }, { name = \"c\"; device = \"net_ring2\"; }, "   \
	"{ name = \"d\"; device = \"net_ring3\"; } );\n"                                           \
	"wires = ( { client = \"a\"; server = \"b\"; }, { client = \"c\"; server = \"d\"; } );\n"  \
	"services = ( { name = \"s\"; addresses = [ \"10.12.0.10\", \"fd00:12::10\" ]; "           \
	"port = 50051; mode = \"enforce\"; access = ( { name = \"r\"; from = [ \"10.0.0.0/8\", "   \
	"\"fd00::/16\" ]; allow = [ \"/S/M\" ]; } ); } );\n"

enum way { GUARDED = 0, PLAIN = 1 };

static struct wk_snapshot *snapshot;

static void begin(uint32_t workers)
{
	const struct team_conf conf = {
		.workers = workers,
		.inbox = 16,
		.owner_secret = 77,
		.inspect_secret = 99,
	};

	snapshot = team_snapshot(CONF);
	assert_non_null(snapshot);
	assert_int_equal(team_open(&conf, snapshot), 0);
}

static void end(void)
{
	assert_true(team_balanced());
	assert_true(team_close());
	wk_snapshot_free(snapshot);
}

/* A SYN with options; of a guarded port, or of another one. */
static void build(struct test_frame *frame, uint8_t ip_version, uint8_t n_tags, enum way way,
		  uint16_t sport)
{
	static const uint8_t opts[] = { 2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
					0, 1, 0, 0,   0, 0, 1, 3,  3, 7 };
	struct test_frame_spec spec = {
		.ip_version = ip_version,
		.n_tags = n_tags,
		.tpid = { 0x88a8, 0x8100 },
		.vlan = { 7, 8 },
		.proto = IPPROTO_TCP,
		.src = { 10, 11, 0, 7 },
		.dst = { 10, 12, 0, 10 },
		.sport = sport,
		.dport = way == GUARDED ? 50051 : 443,
		.seq = 1000,
		.wnd = 64000,
		.tcp_flags = 0x02,
		.tcp_opts = opts,
		.tcp_opts_b = sizeof(opts),
	};

	if (ip_version == 6) {
		memcpy(spec.src, (const uint8_t[]){ 0xfd, 0, 0, 0x11, [15] = 7 }, 16);
		memcpy(spec.dst, (const uint8_t[]){ 0xfd, 0, 0, 0x12, [15] = 0x10 }, 16);
	}
	test_frame_build(frame, &spec);
}

/* Cuts a frame in two. Without room, its first buffer ends where the frame does. */
static void cut(struct rte_mbuf *m, uint32_t at, bool room)
{
	uint16_t tail_b = (uint16_t)(rte_pktmbuf_data_len(m) - at);
	struct rte_mbuf *tail = rte_pktmbuf_alloc(team.pool);

	assert_non_null(tail);
	memcpy(rte_pktmbuf_append(tail, tail_b), rte_pktmbuf_mtod_offset(m, void *, at), tail_b);
	assert_int_equal(rte_pktmbuf_trim(m, tail_b), 0);
	if (!room) {
		memmove((char *)m->buf_addr + m->buf_len - at, rte_pktmbuf_mtod(m, void *), at);
		m->data_off = (uint16_t)(m->buf_len - at);
	}
	assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
}

static void arrive(uint32_t queue, const struct test_frame *frame, uint32_t at, bool room)
{
	struct rte_mbuf *m = team_feed(0, WK_C2S, queue, frame->bytes, frame->len_b);

	assert_non_null(m);
	cut(m, at, room);
	team_run(team.now_ns + MS);
}

static uint64_t count(enum wk_reason reason)
{
	struct wk_stats sum;

	team_stats(&sum);
	return sum.reason[reason];
}

static void expect_sent(const struct test_frame *frame)
{
	uint32_t queue;
	struct rte_mbuf *m = team_sent(0, WK_C2S, &queue);

	assert_non_null(m);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(rte_pktmbuf_data_len(m), frame->len_b);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), frame->bytes, frame->len_b);
	rte_pktmbuf_free(m);
}

static void expect_silence(void)
{
	uint32_t queue;

	assert_null(team_sent(0, WK_C2S, &queue));
	assert_null(team_sent(0, WK_S2C, &queue));
}

/* Each place of each header may be where the first buffer ends. */
static void a_frame_in_two_buffers_is_what_it_would_be_in_one(void **state)
{
	struct test_frame frame;
	uint32_t n[2] = { 0, 0 };

	(void)state;
	begin(1);
	for (uint32_t i = 0; i < 12; i++) {
		enum way way = i % 2 ? PLAIN : GUARDED;

		build(&frame, i < 6 ? 4 : 6, (uint8_t)(i / 2 % 3), way, 40000);
		for (uint32_t at = 1; at < frame.len_b; at++) {
			arrive(0, &frame, at, true);
			expect_sent(&frame);
		}
		n[way] += frame.len_b - 1;
	}
	assert_int_equal(count(WK_FWD_GUARDED), n[GUARDED]);
	assert_int_equal(count(WK_FWD_PLAIN), n[PLAIN]);
	expect_silence();
	end();
}

/* A guarded address in the second buffer is as good as none: nothing of such a frame is read. */
static void a_frame_that_cannot_be_joined_is_dropped(void **state)
{
	struct test_frame frame;
	uint32_t n = 0;

	(void)state;
	begin(1);
	for (uint8_t version = 4; version <= 6; version += 2)
		for (int way = GUARDED; way <= PLAIN; way++) {
			build(&frame, version, 0, (enum way)way, 40000);
			for (uint32_t at = 1; at < frame.len_b; at++)
				arrive(0, &frame, at, false);
			n += frame.len_b - 1;
		}
	assert_int_equal(count(WK_DROP_SEGMENTS), n);
	expect_silence();
	end();
}

/* Whoever else has the buffer would see what is written behind its end. */
static void a_buffer_that_others_have_is_not_written_to(void **state)
{
	struct test_frame frame;
	struct rte_mbuf *m;

	(void)state;
	begin(1);
	build(&frame, 4, 0, PLAIN, 40000);
	m = team_feed(0, WK_C2S, 0, frame.bytes, frame.len_b);
	assert_non_null(m);
	cut(m, 40, true);
	rte_mbuf_refcnt_update(m, 1);
	team_run(MS);
	assert_int_equal(count(WK_DROP_SEGMENTS), 1);
	expect_silence();
	rte_pktmbuf_free_seg(m);
	end();
}

/* On every queue, so all but one are another worker's: it gets the frame in one piece. */
static void what_is_handed_over_is_joined(void **state)
{
	struct test_frame frame;
	struct wk_stats sum;

	(void)state;
	begin(3);
	build(&frame, 4, 0, GUARDED, 40000);
	for (uint32_t queue = 0; queue < 3; queue++) {
		arrive(queue, &frame, frame.l4_off + 1, true);
		expect_sent(&frame);
		arrive(queue, &frame, frame.l4_off + 1, false);
	}
	team_stats(&sum);
	assert_int_equal(sum.counter[WK_CNT_HANDOVER], 2);
	assert_int_equal(sum.reason[WK_FWD_GUARDED], 3);
	assert_int_equal(sum.reason[WK_DROP_SEGMENTS], 3);
	expect_silence();
	end();
}

/* The part [from, to) of a datagram's payload as a fragment of its own. */
static void fragment_of(struct test_frame *part, const struct test_frame *whole, uint32_t from,
			uint32_t to, bool more)
{
	uint32_t hdr_b = whole->l4_off - whole->l3_off;
	struct rte_ipv4_hdr *ip;

	*part = *whole;
	memcpy(part->bytes + whole->l4_off, whole->bytes + whole->l4_off + from, to - from);
	part->len_b = whole->l4_off + to - from;
	ip = (struct rte_ipv4_hdr *)(void *)(part->bytes + part->l3_off);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(hdr_b + to - from));
	ip->fragment_offset =
		rte_cpu_to_be_16((uint16_t)(from / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void fragments_in_two_buffers_make_one_datagram(void **state)
{
	struct test_frame whole, first, second;

	(void)state;
	begin(1);
	build(&whole, 4, 0, GUARDED, 40000);
	fragment_of(&first, &whole, 0, 24, true);
	fragment_of(&second, &whole, 24, whole.len_b - whole.l4_off, false);
	arrive(0, &first, first.l4_off + 2, true);
	arrive(0, &second, second.l4_off + 2, true);
	expect_sent(&whole);
	assert_int_equal(count(WK_ABSORB_FRAG), 2);
	/* One of them is missing here. */
	arrive(0, &first, first.l4_off + 2, true);
	arrive(0, &second, second.l4_off + 2, false);
	assert_int_equal(count(WK_DROP_SEGMENTS), 1);
	expect_silence();
	end();
}

/* What segmentation offload makes: one header, 64 KiB, a buffer for each 2 KiB. */
static void a_super_frame_is_dropped_whole(void **state)
{
	struct test_frame frame;

	(void)state;
	begin(1);
	for (int way = GUARDED; way <= PLAIN; way++) {
		struct rte_mbuf *m;

		build(&frame, 4, 0, (enum way)way, 40000);
		put16(frame.bytes + frame.l3_off + 2, 65535);
		m = team_feed(0, WK_C2S, 0, frame.bytes, frame.len_b);
		assert_non_null(m);
		for (uint32_t i = 0; i < 32; i++) {
			struct rte_mbuf *more = rte_pktmbuf_alloc(team.pool);

			assert_non_null(more);
			memset(rte_pktmbuf_append(more, 2046), 0x5a, 2046);
			assert_int_equal(rte_pktmbuf_chain(m, more), 0);
		}
		team_run(team.now_ns + MS);
	}
	assert_int_equal(count(WK_DROP_OVERSIZE), 2);
	expect_silence();
	end();
}

static int start(void **state)
{
	(void)state;
	return team_start("segments_test");
}

static int stop(void **state)
{
	(void)state;
	team_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_in_two_buffers_is_what_it_would_be_in_one),
		cmocka_unit_test(a_frame_that_cannot_be_joined_is_dropped),
		cmocka_unit_test(a_buffer_that_others_have_is_not_written_to),
		cmocka_unit_test(what_is_handed_over_is_joined),
		cmocka_unit_test(fragments_in_two_buffers_make_one_datagram),
		cmocka_unit_test(a_super_frame_is_dropped_whole),
	};

	return cmocka_run_group_tests_name("segments", tests, start, stop);
}
