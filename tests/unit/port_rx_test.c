/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that would hand over several segments in one frame are refused, and none is asked to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ethdev.h>

#include "port.h"

static void a_port_that_merges_or_splits_is_refused(void **state)
{
	static const struct {
		uint64_t offloads;
		const char *why;
	} cases[] = {
		{ 0, NULL },
		{ RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_RSS_HASH, NULL },
		/* Frames in several buffers are joined. */
		{ RTE_ETH_RX_OFFLOAD_SCATTER, NULL },
		{ RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER,
		  "it puts TCP segments together (LRO) and cannot be told not to" },
		{ RTE_ETH_RX_OFFLOAD_BUFFER_SPLIT,
		  "it takes frames apart (buffer split) and cannot be told not to" },
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct rte_eth_conf conf = { .rxmode.offloads = cases[i].offloads };
		const char *why = wk_port_rx_refuse(&conf);

		if (!cases[i].why)
			assert_null(why);
		else
			assert_string_equal(why, cases[i].why);
	}
}

/* Whether it joins anything is up to the machine, and tried in the system tests. */
static void the_interface_of_a_kernel_port_is_found(void **state)
{
	static const struct {
		const char *device;
		const char *iface;
	} cases[] = {
		{ "net_af_packet0,iface=not-here", "not-here" },
		{ "net_af_packet0,qpairs=2,iface=not-here,framesz=2048", "not-here" },
		{ "net_af_packet0", "" },
		{ "net_af_packet0,", "" },
		{ "net_af_packet0,qpairs=2", "" },
		{ "net_tap0,iface=not-here", "" },
		{ "0000:3b:00.0,iface=not-here", "" },
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		char iface[WK_PORT_NAME_MAX_B];

		assert_false(wk_port_rx_joins(cases[i].device, iface, sizeof(iface)));
		assert_string_equal(iface, cases[i].iface);
	}
}

/* A driver's favourite configuration is not ours. */
static void queues_do_what_was_asked_of_their_port(void **state)
{
	const struct rte_eth_dev_info info = {
		.default_rxconf = { .rx_free_thresh = 32, .offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO },
	};
	const struct rte_eth_conf conf = { .rxmode.offloads = RTE_ETH_RX_OFFLOAD_TCP_CKSUM };
	struct rte_eth_rxconf queue = wk_port_rx_queue(&info, &conf);

	(void)state;
	assert_int_equal(queue.offloads, RTE_ETH_RX_OFFLOAD_TCP_CKSUM);
	assert_int_equal(queue.rx_free_thresh, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_merges_or_splits_is_refused),
		cmocka_unit_test(the_interface_of_a_kernel_port_is_found),
		cmocka_unit_test(queues_do_what_was_asked_of_their_port),
	};

	return cmocka_run_group_tests_name("port_rx", tests, NULL, NULL);
}
