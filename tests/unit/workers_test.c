/* SPDX-License-Identifier: Apache-2.0 */
/* Several workers on ports made of rings, one thread, stepped by hand: what arrives at the wrong
 * one is judged by the right one, and nothing gets lost on the way. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "../support/test_frame.h"
#include "team_kit.h"

#define MS         1000000ull
#define INBOX      8u
#define FIRST_PORT 32768u

#define PORT(name, device) "{ name = \"" name "\"; device = \"" device "\"; }"
#define FOUR_PORTS                                                                                 \
	"version = 1; ports = ( " PORT("a", "net_ring0") ", " PORT("b", "net_ring1") ", " PORT(    \
		"c",                                                                               \
		"net_ring2") ", " PORT("d",                                                        \
				       "net_ring3") " );\n"                                        \
						    "wires = ( { client = \"a\"; server = \"b\"; " \
						    "}, { client = \"c\"; server = \"d\"; } );\n"
#define GUARD(mode)                                                                                \
	"services = ( { name = \"s\"; addresses = [ \"10.12.0.10\" ]; port = 50051; "              \
	"mode = \"" mode "\"; access = ( { name = \"r\"; from = [ \"10.0.0.0/8\" ]; "              \
	"allow = [ \"/S/M\" ]; } ); } );\n"

static struct wk_snapshot *snapshot;
static struct wk_snapshot *build(const char *text)
{
	struct wk_snapshot *made = team_snapshot(text);

	assert_non_null(made);
	return made;
}

static void begin(const char *text, uint32_t workers)
{
	const struct team_conf conf = {
		.workers = workers,
		.inbox = INBOX,
		.owner_secret = 77,
		.inspect_secret = 99,
	};

	snapshot = build(text);
	assert_int_equal(team_open(&conf, snapshot), 0);
}

static void end(void)
{
	assert_true(team_balanced());
	assert_true(team_close());
	wk_snapshot_free(snapshot);
}

static struct test_frame_spec client_spec(uint16_t sport, uint8_t flags)
{
	struct test_frame_spec spec = {
		.ip_version = 4,
		.proto = IPPROTO_TCP,
		.src = { 10, 11, 0, 7 },
		.dst = { 10, 12, 0, 10 },
		.sport = sport,
		.dport = 50051,
		.seq = 1000,
		.wnd = 64000,
		.tcp_flags = flags,
	};

	return spec;
}

/* A client's port whose connection is a worker's. */
static uint16_t port_of(uint32_t owner, uint16_t wire)
{
	for (uint16_t port = FIRST_PORT;; port++) {
		struct test_frame_spec spec = client_spec(port, 0x02);
		struct test_frame frame;
		struct wk_pkt pkt;

		test_frame_build(&frame, &spec);
		wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
		if (wk_owner_flow(&team.shared.owners, &pkt, wire) == owner)
			return port;
	}
}

static struct rte_mbuf *arrive(uint16_t wire, enum wk_dir dir, uint32_t queue,
			       const struct test_frame_spec *spec)
{
	struct test_frame frame;
	struct rte_mbuf *m;

	test_frame_build(&frame, spec);
	m = team_feed(wire, dir, queue, frame.bytes, frame.len_b);
	assert_non_null(m);
	return m;
}

static uint64_t reason(uint32_t worker, enum wk_reason which)
{
	return team.worker[worker]->stats.reason[which];
}

static uint64_t counter(uint32_t worker, enum wk_counter which)
{
	return team.worker[worker]->stats.counter[which];
}

/* What has left, and nothing besides: by the queue of this worker. */
static void expect_sent(uint16_t wire, enum wk_dir dir, uint32_t worker)
{
	uint32_t queue;
	struct rte_mbuf *m = team_sent(wire, dir, &queue);

	assert_non_null(m);
	assert_int_equal(queue, worker);
	rte_pktmbuf_free(m);
}

static void expect_silence(void)
{
	uint32_t queue;

	for (uint16_t w = 0; w < TEAM_WIRES; w++)
		for (int dir = 0; dir < WK_DIRS; dir++)
			assert_null(team_sent(w, (enum wk_dir)dir, &queue));
}

/* Handshakes under way. */
static uint32_t syns_of(uint32_t worker)
{
	struct wk_inspect_usage usage;

	wk_inspect_usage(team.worker[worker]->inspect, &usage);
	return usage.syns;
}

static struct test_frame_spec answer_to(const struct test_frame_spec *spec)
{
	struct test_frame_spec answer = test_frame_back(spec);

	answer.seq = 5000;
	answer.ack = spec->seq + 1;
	answer.tcp_flags = 0x12;
	return answer;
}

/* Both directions on the wrong queue, on either wire. */
static void a_handshake_on_wrong_queues_is_followed_by_its_owner(void **state)
{
	(void)state;
	for (uint16_t wire = 0; wire < TEAM_WIRES; wire++) {
		struct test_frame_spec syn;
		struct test_frame_spec syn_ack;

		begin(FOUR_PORTS GUARD("enforce"), 2);
		syn = client_spec(port_of(1, wire), 0x02);
		syn_ack = answer_to(&syn);
		arrive(wire, WK_C2S, 0, &syn);
		team_run(1 * MS);
		expect_sent(wire, WK_C2S, 1);
		arrive(wire, WK_S2C, 0, &syn_ack);
		team_run(2 * MS);
		expect_sent(wire, WK_S2C, 1);
		expect_silence();
		assert_int_equal(syns_of(0), 0);
		assert_int_equal(syns_of(1), 1);
		assert_int_equal(counter(0, WK_CNT_HANDOVER), 2);
		assert_int_equal(counter(0, WK_CNT_TX), 0);
		assert_int_equal(counter(1, WK_CNT_TAKEN), 2);
		assert_int_equal(counter(1, WK_CNT_RX), 0);
		assert_int_equal(reason(1, WK_FWD_GUARDED), 2);
		assert_int_equal(counter(0, WK_CNT_HANDOVER_BYTES), counter(0, WK_CNT_RX_BYTES));
		end();
	}
}

static void what_arrives_at_its_owner_stays_there(void **state)
{
	struct test_frame_spec syn;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	syn = client_spec(port_of(1, 0), 0x02);
	arrive(0, WK_C2S, 1, &syn);
	team_run(1 * MS);
	expect_sent(0, WK_C2S, 1);
	assert_int_equal(counter(1, WK_CNT_HANDOVER), 0);
	assert_int_equal(counter(0, WK_CNT_TAKEN), 0);
	end();
}

static void unguarded_packets_leave_by_who_received_them(void **state)
{
	struct test_frame_spec spec = client_spec(40000, 0x02);

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 4);
	spec.dport = 443;
	for (uint32_t queue = 0; queue < 4; queue++)
		arrive(queue % 2, WK_C2S, queue, &spec);
	team_run(1 * MS);
	for (uint32_t queue = 0; queue < 4; queue++) {
		expect_sent(queue % 2, WK_C2S, queue);
		assert_int_equal(counter(queue, WK_CNT_HANDOVER), 0);
		assert_int_equal(reason(queue, WK_FWD_PLAIN), 1);
	}
	end();
}

/* It says nothing about a connection: there is no state to protect. */
static void a_spoofed_packet_is_dropped_where_it_arrived(void **state)
{
	struct test_frame_spec syn;
	struct test_frame_spec spoofed;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	syn = client_spec(port_of(1, 0), 0x02);
	spoofed = answer_to(&syn);
	arrive(0, WK_C2S, 0, &spoofed);
	team_run(1 * MS);
	assert_int_equal(reason(0, WK_DROP_SPOOF_PORT), 1);
	assert_int_equal(counter(0, WK_CNT_HANDOVER), 0);
	end();
}

/* The owner has a ring of 8; 20 come before it looks. */
static void a_full_ring_drops_and_counts(void **state)
{
	struct test_frame_spec syn;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	syn = client_spec(port_of(1, 0), 0x02);
	for (uint32_t i = 0; i < 20; i++)
		arrive(0, WK_C2S, 0, &syn);
	wk_worker_step(team.worker[0], 1 * MS);
	assert_int_equal(counter(0, WK_CNT_HANDOVER), INBOX);
	assert_int_equal(reason(0, WK_DROP_HANDOVER), 20 - INBOX);
	assert_int_equal(counter(0, WK_CNT_HANDOVER_BYTES) * 20,
			 counter(0, WK_CNT_RX_BYTES) * INBOX);
	assert_true(team_balanced());
	team_run(2 * MS);
	assert_int_equal(counter(1, WK_CNT_TAKEN), INBOX);
	end();
}

/* More than a burst on one outbox: it is posted when it is full. */
static void a_whole_burst_of_another_s_packets_finds_room(void **state)
{
	struct test_frame_spec syn;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	syn = client_spec(port_of(1, 0), 0x02);
	for (uint32_t i = 0; i < 2 * WK_BURST_MAX; i++)
		arrive(0, WK_C2S, 0, &syn);
	for (uint32_t i = 0; i < 4; i++)
		wk_worker_step(team.worker[0], 1 * MS);
	assert_int_equal(counter(0, WK_CNT_HANDOVER) + reason(0, WK_DROP_HANDOVER),
			 2 * WK_BURST_MAX);
	end();
}

/* --- the books --- */

static void what_is_in_a_ring_is_held(void **state)
{
	struct test_frame_spec syn;
	struct wk_stats sum;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	syn = client_spec(port_of(1, 0), 0x02);
	arrive(0, WK_C2S, 0, &syn);
	wk_worker_step(team.worker[0], 1 * MS);
	team_stats(&sum);
	assert_int_equal(sum.held, 1);
	assert_true(team_balanced());
	wk_worker_step(team.worker[1], 2 * MS);
	team_stats(&sum);
	assert_int_equal(sum.held, 0);
	end();
}

static void expect_cuts(uint64_t held)
{
	struct wk_stats sum = { .held = 0 };

	for (uint32_t i = 0; i < team.shared.owners.n; i++)
		wk_stats_add(&sum, &team.worker[i]->cut);
	assert_true(sum.counter[WK_CNT_TAKEN] <= sum.counter[WK_CNT_HANDOVER]);
	wk_stats_close(&sum);
	assert_int_equal(sum.held, held);
	assert_int_equal(sum.counter[WK_CNT_RX] + sum.counter[WK_CNT_ORIGINATED],
			 sum.counter[WK_CNT_TX] + wk_stats_dropped(&sum) + sum.held);
}

/* One is asked before, the other after a packet went from one to the other. */
static void counters_are_of_one_moment(void **state)
{
	struct test_frame_spec syn;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	syn = client_spec(port_of(1, 0), 0x02);
	/* The sender first: what it sends afterwards must not count as taken. */
	wk_worker_cut(team.worker[0], 1);
	arrive(0, WK_C2S, 0, &syn);
	team_run(1 * MS);
	assert_int_equal(counter(1, WK_CNT_TAKEN), 1);
	wk_worker_cut(team.worker[1], 1);
	expect_cuts(0);
	assert_int_equal(team.worker[1]->cut.counter[WK_CNT_TAKEN], 0);
	/* The receiver first: what was sent before is on its way. */
	wk_worker_cut(team.worker[1], 2);
	arrive(0, WK_C2S, 0, &syn);
	wk_worker_step(team.worker[0], 2 * MS);
	wk_worker_cut(team.worker[0], 2);
	wk_worker_step(team.worker[1], 3 * MS);
	expect_cuts(1);
	/* Asked twice for the same, nothing changes. */
	wk_worker_cut(team.worker[1], 2);
	expect_cuts(1);
	/* Both behind, and in the ring packets of before and after. */
	arrive(0, WK_C2S, 0, &syn);
	wk_worker_step(team.worker[0], 4 * MS);
	wk_worker_cut(team.worker[0], 3);
	arrive(0, WK_C2S, 0, &syn);
	wk_worker_step(team.worker[0], 5 * MS);
	assert_int_equal(rte_ring_count(team.shared.inbox[1]), 2);
	wk_worker_step(team.worker[1], 6 * MS);
	expect_cuts(1);
	assert_int_equal(team.worker[1]->cut_number, 3);
	end();
}

static void numbers_of_cuts_wrap(void **state)
{
	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	team.worker[0]->cut_number = UINT32_MAX;
	team.worker[0]->stats.counter[WK_CNT_INVARIANT] = 5;
	wk_worker_cut(team.worker[0], 1);
	assert_int_equal(team.worker[0]->cut_number, 1);
	assert_int_equal(team.worker[0]->cut.counter[WK_CNT_INVARIANT], 5);
	wk_worker_cut(team.worker[0], UINT32_MAX);
	assert_int_equal(team.worker[0]->cut_number, 1);
	end();
}

static void what_is_left_in_a_ring_at_the_end_is_counted(void **state)
{
	struct test_frame_spec syn;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	syn = client_spec(port_of(1, 0), 0x02);
	for (uint32_t i = 0; i < 3; i++)
		arrive(0, WK_C2S, 0, &syn);
	wk_worker_step(team.worker[0], 1 * MS);
	wk_worker_clear(team.worker[1]);
	assert_int_equal(reason(1, WK_DROP_STOPPING), 3);
	assert_int_equal(rte_ring_count(team.shared.inbox[1]), 0);
	end();
}

/* --- what goes along --- */

/* A wrong checksum that the port has called right, and the other way round: the port is believed,
 * by the owner too. One that nobody has looked at is looked at. */
static void checksum_verdicts_go_along(void **state)
{
	static const struct {
		uint64_t flags;
		bool spoil;
		bool forwarded;
	} rows[] = {
		{ RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, true, true },
		{ RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD, false, false },
		{ RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, false, false },
		{ 0, true, false },
		{ 0, false, true },
		{ RTE_MBUF_F_RX_L4_CKSUM_NONE, true, true }, /* completed where it arrived */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_frame_spec syn;
		struct rte_mbuf *m;

		begin(FOUR_PORTS GUARD("enforce"), 2);
		syn = client_spec(port_of(1, 0), 0x02);
		m = arrive(0, WK_C2S, 0, &syn);
		m->ol_flags |= rows[i].flags;
		if (rows[i].spoil)
			rte_pktmbuf_mtod(m, uint8_t *)[14 + 20 + 16] ^= 0x55;
		team_run(1 * MS);
		assert_int_equal(reason(1, WK_FWD_GUARDED), rows[i].forwarded);
		assert_int_equal(reason(1, WK_DROP_CSUM), !rows[i].forwarded);
		end();
	}
}

/* A reload between the two: the owner judges by what is in force where it is. */
static void the_owner_classifies_anew(void **state)
{
	struct wk_snapshot *none;
	struct test_frame_spec syn;

	(void)state;
	begin(FOUR_PORTS GUARD("enforce"), 2);
	none = build(FOUR_PORTS "default = \"drop\";");
	syn = client_spec(port_of(1, 0), 0x02);
	arrive(0, WK_C2S, 0, &syn);
	wk_worker_step(team.worker[0], 1 * MS);
	team_policy(none);
	wk_worker_step(team.worker[1], 2 * MS);
	assert_int_equal(reason(1, WK_DROP_DEFAULT), 1);
	end();
	wk_snapshot_free(none);
}

/* --- fragments --- */

/* Two fragments of a SYN that nobody would fragment, on two queues. */
static void send_halves(uint16_t sport, uint16_t id, uint32_t first_queue)
{
	struct test_frame_spec spec = client_spec(sport, 0x02);
	struct test_frame whole;
	struct test_frame half[2];

	spec.tcp_opts = (const uint8_t[12]){ 2, 4, 5, 0xb4, 1, 1, 1, 1, 1, 1, 1, 1 };
	spec.tcp_opts_b = 12;
	test_frame_build(&whole, &spec);
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t *ip = half[i].bytes + 14;
		uint32_t from_b = i * 24;
		uint32_t len_b = i == 0 ? 24 : whole.len_b - 34 - 24;
		struct rte_ipv4_hdr *hdr = (struct rte_ipv4_hdr *)(void *)ip;

		memcpy(half[i].bytes, whole.bytes, 34);
		memcpy(ip + 20, whole.bytes + 34 + from_b, len_b);
		put16(ip + 2, (uint16_t)(20 + len_b));
		put16(ip + 4, id);
		put16(ip + 6, i == 0 ? 0x2000 : 24 / 8);
		hdr->hdr_checksum = 0;
		hdr->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, 20);
		assert_non_null(team_feed(0, WK_C2S, (first_queue + i) % team.shared.owners.n,
					  half[i].bytes, 34 + len_b));
	}
}

/* Whoever receives the parts, whoever puts them together: the owner of the connection judges. */
static void fragments_reach_the_owner_of_their_connection(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 32; id++) {
		uint32_t owner = id % 4;
		struct wk_stats sum;

		begin(FOUR_PORTS GUARD("enforce"), 4);
		send_halves(port_of(owner, 0), (uint16_t)id, id / 4);
		team_run(1 * MS);
		expect_sent(0, WK_C2S, owner);
		expect_silence();
		team_stats(&sum);
		assert_int_equal(sum.counter[WK_CNT_REASSEMBLED], 1);
		assert_int_equal(reason(owner, WK_ABSORB_FRAG), 2);
		assert_int_equal(reason(owner, WK_FWD_GUARDED), 1);
		assert_int_equal(syns_of(owner), 1);
		assert_int_equal(sum.held, 0);
		end();
	}
}

static void fragments_that_are_only_audited_leave_as_they_came(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 16; id++) {
		uint32_t owner = id % 4;

		begin(FOUR_PORTS GUARD("audit"), 4);
		send_halves(port_of(owner, 0), (uint16_t)id, id / 4);
		team_run(1 * MS);
		expect_sent(0, WK_C2S, owner);
		expect_sent(0, WK_C2S, owner);
		expect_silence();
		assert_int_equal(syns_of(owner), 1);
		end();
	}
}

/* All of a datagram or none: a rest would wait for what never comes. */
static void fragments_that_find_no_room_end_together(void **state)
{
	bool met = false;

	(void)state;
	for (uint32_t id = 1; id <= 32 && !met; id++) {
		struct test_frame_spec syn;

		begin(FOUR_PORTS GUARD("enforce"), 2);
		syn = client_spec(port_of(1, 0), 0x02);
		for (uint32_t i = 0; i < INBOX - 1; i++)
			arrive(0, WK_C2S, 0, &syn);
		send_halves(port_of(1, 0), (uint16_t)id, 0);
		wk_worker_step(team.worker[0], 1 * MS);
		/* Does worker 0 put them together? Then both halves have to be there. */
		met = team.worker[0]->stats.held == 1;
		if (met) {
			struct rte_mbuf *m[WK_BURST_MAX];

			/* The second half goes to worker 0's queue instead. */
			assert_int_equal(wk_worker_step(team.worker[0], 1 * MS), 0);
			assert_int_equal(
				rte_eth_rx_burst(team.worker[0]->ports[0].port_id, 1, m, 1), 1);
			assert_non_null(team_feed(0, WK_C2S, 0, rte_pktmbuf_mtod(m[0], uint8_t *),
						  rte_pktmbuf_data_len(m[0])));
			rte_pktmbuf_free(m[0]);
			wk_worker_step(team.worker[0], 2 * MS);
			assert_int_equal(reason(0, WK_DROP_HANDOVER), 2);
			assert_int_equal(counter(0, WK_CNT_HANDOVER), INBOX - 1);
			assert_int_equal(team.worker[0]->stats.held, 0);
		}
		team_run(3 * MS);
		end();
	}
	assert_true(met);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_on_wrong_queues_is_followed_by_its_owner),
		cmocka_unit_test(what_arrives_at_its_owner_stays_there),
		cmocka_unit_test(unguarded_packets_leave_by_who_received_them),
		cmocka_unit_test(a_spoofed_packet_is_dropped_where_it_arrived),
		cmocka_unit_test(a_full_ring_drops_and_counts),
		cmocka_unit_test(a_whole_burst_of_another_s_packets_finds_room),
		cmocka_unit_test(what_is_in_a_ring_is_held),
		cmocka_unit_test(counters_are_of_one_moment),
		cmocka_unit_test(numbers_of_cuts_wrap),
		cmocka_unit_test(what_is_left_in_a_ring_at_the_end_is_counted),
		cmocka_unit_test(checksum_verdicts_go_along),
		cmocka_unit_test(the_owner_classifies_anew),
		cmocka_unit_test(fragments_reach_the_owner_of_their_connection),
		cmocka_unit_test(fragments_that_are_only_audited_leave_as_they_came),
		cmocka_unit_test(fragments_that_find_no_room_end_together),
	};

	return cmocka_run_group_tests_name("workers", tests, team_set_up, team_tear_down);
}
