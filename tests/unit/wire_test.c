/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that one side of a wire can carry and the other cannot. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/test_frame.h"
#include "team_kit.h"

#define CONF                                                                                       \
	"version = 1; ports = ( { name = \"a\"; device = \"net_ring0\"; }, "                       \
	"{ name = \"b\"; device = \"net_ring1\"; }, { name = \"c\"; device = \"net_ring2\"; }, "   \
	"{ name = \"d\"; device = \"net_ring3\"; } );\n"                                           \
	"wires = ( { client = \"a\"; server = \"b\"; }, { client = \"c\"; server = \"d\"; } );\n"

static struct wk_snapshot *snapshot;

static void begin(uint32_t client_mtu, uint32_t server_mtu)
{
	static const struct team_conf conf = { .workers = 1, .inbox = 8 };

	snapshot = team_snapshot(CONF);
	assert_non_null(snapshot);
	assert_int_equal(team_open(&conf, snapshot), 0);
	for (uint32_t i = 0; i < team.worker[0]->n_ports; i++) {
		struct wk_worker_port *port = &team.worker[0]->ports[i];

		port->mtu = port->dir == WK_C2S ? client_mtu : server_mtu;
	}
}

static void end(void)
{
	assert_true(team_balanced());
	assert_true(team_close());
	wk_snapshot_free(snapshot);
}

static bool passes(enum wk_dir dir, uint32_t l3_b, uint8_t n_tags)
{
	const struct test_frame_spec spec = {
		.ip_version = 4,
		.n_tags = n_tags,
		.tpid = { 0x8100, 0x8100, 0x8100 },
		.vlan = { 7, 8, 9 },
		.proto = IPPROTO_UDP,
		.src = { 10, 1, 0, 1 },
		.dst = { 10, 1, 0, 2 },
		.data_b = l3_b - 28,
	};
	struct test_frame frame;
	struct rte_mbuf *m;
	uint32_t queue;

	test_frame_build(&frame, &spec);
	assert_non_null(team_feed(0, dir, 0, frame.bytes, frame.len_b));
	team_run(1000000);
	m = team_sent(0, dir, &queue);
	if (m) {
		assert_int_equal(rte_pktmbuf_data_len(m), frame.len_b);
		rte_pktmbuf_free(m);
	}
	return m != NULL;
}

/* Not by its tags, which stand in front of what is counted. */
static void a_packet_larger_than_the_wire_is_dropped(void **state)
{
	(void)state;
	begin(1500, 1500);
	for (uint8_t n_tags = 0; n_tags <= 3; n_tags++) {
		assert_true(passes(WK_C2S, 1500, n_tags));
		assert_false(passes(WK_C2S, 1501, n_tags));
		assert_true(passes(WK_S2C, 1500, n_tags));
		assert_false(passes(WK_S2C, 1501, n_tags));
	}
	assert_int_equal(team.worker[0]->stats.reason[WK_DROP_OVERSIZE], 8);
	end();
}

static void the_narrower_side_of_a_wire_counts(void **state)
{
	(void)state;
	for (int wide = 0; wide < WK_DIRS; wide++) {
		begin(wide == WK_C2S ? 1500 : 1000, wide == WK_C2S ? 1000 : 1500);
		for (int dir = 0; dir < WK_DIRS; dir++) {
			assert_true(passes((enum wk_dir)dir, 1000, 0));
			assert_false(passes((enum wk_dir)dir, 1001, 0));
		}
		assert_int_equal(team.worker[0]->stats.reason[WK_DROP_OVERSIZE], 2);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_larger_than_the_wire_is_dropped),
		cmocka_unit_test(the_narrower_side_of_a_wire_counts),
	};

	return cmocka_run_group_tests_name("wire", tests, team_set_up, team_tear_down);
}
