/* SPDX-License-Identifier: Apache-2.0 */
/* What a port is told about spreading, and whether it listens. net_null keeps what it is told, as a
 * NIC does; net_ring cannot be told anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "../support/test_eal.h"
#include "owner.h"
#include "port.h"

#define QUEUES 3u

static struct rte_mempool *pool;

static uint16_t make_port(const char *name)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	uint16_t id;

	assert_int_equal(rte_dev_probe(name), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(name, &id), 0);
	assert_int_equal(rte_eth_dev_info_get(id, &info), 0);
	wk_port_rss_ask(&info, &conf);
	assert_int_equal(rte_eth_dev_configure(id, QUEUES, QUEUES, &conf), 0);
	for (uint16_t q = 0; q < QUEUES; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(id, q, 64, 0, NULL, pool), 0);
		assert_int_equal(rte_eth_tx_queue_setup(id, q, 64, 0, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(id), 0);
	return id;
}

static void a_port_that_listens_has_key_types_and_table(void **state)
{
	uint16_t id = make_port("net_null0");
	struct rte_eth_rss_reta_entry64 table[2] = { { .mask = 1ull << 63 }, { .mask = 2 } };
	uint8_t key[WK_OWNER_RSS_KEY_B] = { 0 };
	struct rte_eth_rss_conf conf = { .rss_key = key, .rss_key_len = 40 };
	struct wk_port_rss rss;

	(void)state;
	assert_null(wk_port_rss_set(id, QUEUES, &rss));
	assert_int_equal(rss.reta_size, 128);
	assert_true(rss.types & RTE_ETH_RSS_NONFRAG_IPV4_TCP);
	assert_true(rss.types & RTE_ETH_RSS_NONFRAG_IPV6_TCP);
	assert_int_equal(rte_eth_dev_rss_hash_conf_get(id, &conf), 0);
	for (uint32_t i = 0; i < 40; i += 2) {
		assert_int_equal(key[i], 0x6d);
		assert_int_equal(key[i + 1], 0x5a);
	}
	assert_int_equal(rte_eth_dev_rss_reta_query(id, table, 128), 0);
	assert_int_equal(table[0].reta[63], 63 % QUEUES);
	assert_int_equal(table[1].reta[1], 65 % QUEUES);
	assert_int_equal(rte_eth_dev_stop(id), 0);
	assert_int_equal(rte_eth_dev_close(id), 0);
}

static void a_port_that_does_not_is_refused_with_a_reason(void **state)
{
	uint16_t id = make_port("net_ring0");
	struct wk_port_rss rss = { .types = 1, .reta_size = 1 };

	(void)state;
	assert_string_equal(wk_port_rss_set(id, QUEUES, &rss),
			    "it does not hash TCP ports of IPv4 and IPv6");
	assert_int_equal(rss.types, 0);
	assert_int_equal(rss.reta_size, 0);
	assert_int_equal(rte_eth_dev_stop(id), 0);
	assert_int_equal(rte_eth_dev_close(id), 0);
}

static void a_port_is_asked_for_what_it_can_alone(void **state)
{
	struct rte_eth_dev_info info = {
		.hash_key_size = 52,
		.flow_type_rss_offloads = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_SCTP,
	};
	struct rte_eth_conf conf = { 0 };

	(void)state;
	wk_port_rss_ask(&info, &conf);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_NONFRAG_IPV4_TCP);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 52);
	info.hash_key_size = WK_OWNER_RSS_KEY_B + 2; /* longer than any that we have */
	conf = (struct rte_eth_conf){ 0 };
	wk_port_rss_ask(&info, &conf);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
	info.hash_key_size = 0; /* the driver does not say */
	wk_port_rss_ask(&info, &conf);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 40);
}

static int start(void **state)
{
	test_eal_set_up(state);
	pool = rte_pktmbuf_pool_create("rss", 511, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return pool ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_listens_has_key_types_and_table),
		cmocka_unit_test(a_port_that_does_not_is_refused_with_a_reason),
		cmocka_unit_test(a_port_is_asked_for_what_it_can_alone),
	};

	return cmocka_run_group_tests_name("port_rss", tests, start, test_eal_tear_down);
}
