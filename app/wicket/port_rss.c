/* SPDX-License-Identifier: Apache-2.0 */
/* port_rss.c - a port that sends both directions of a connection to the same queue. */
#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>

#include "owner.h"
#include "port.h"

/* What must be hashed by addresses and ports, and what may be besides. */
#define TYPES_NEEDED (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP)
#define TYPES_WANTED                                                                               \
	(TYPES_NEEDED | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV4_UDP |       \
	 RTE_ETH_RSS_NONFRAG_IPV6_UDP)
/* Where the driver does not say. */
#define KEY_USUAL_B 40u

static uint8_t key_size_b(const struct rte_eth_dev_info *info)
{
	return info->hash_key_size > 0 ? info->hash_key_size : KEY_USUAL_B;
}

/* The library takes a pointer to mutable memory and only reads it. */
static uint8_t *our_key(void)
{
	return (uint8_t *)(uintptr_t)wk_owner_rss_key;
}

void wk_port_rss_ask(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	uint64_t types = info->flow_type_rss_offloads & TYPES_WANTED;

	if (types == 0 || key_size_b(info) > WK_OWNER_RSS_KEY_B)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
		.rss_key = our_key(),
		.rss_key_len = key_size_b(info),
		.rss_hf = types,
	};
}

static bool key_holds(uint16_t port_id, uint8_t len_b, struct wk_port_rss *rss)
{
	uint8_t key[WK_OWNER_RSS_KEY_B] = { 0 };
	struct rte_eth_rss_conf back = { .rss_key = key, .rss_key_len = len_b };

	if (rte_eth_dev_rss_hash_conf_get(port_id, &back) != 0 ||
	    memcmp(key, wk_owner_rss_key, len_b) != 0)
		return false;
	rss->types = back.rss_hf & TYPES_WANTED;
	return true;
}

/* Entry i names queue i % n. */
static bool table_holds(uint16_t port_id, uint16_t size, uint32_t n)
{
	struct rte_eth_rss_reta_entry64 table[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	uint32_t groups = RTE_DIM(table);

	if (size == 0 || size > groups * RTE_ETH_RETA_GROUP_SIZE)
		return false;
	memset(table, 0, sizeof(table));
	for (uint32_t i = 0; i < size; i++) {
		table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << (i % RTE_ETH_RETA_GROUP_SIZE);
		table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			(uint16_t)(i % n);
	}
	if (rte_eth_dev_rss_reta_update(port_id, table, size) != 0)
		return false;
	for (uint32_t i = 0; i < groups; i++)
		memset(table[i].reta, 0xff, sizeof(table[i].reta));
	if (rte_eth_dev_rss_reta_query(port_id, table, size) != 0)
		return false;
	for (uint32_t i = 0; i < size; i++)
		if (table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] != i % n)
			return false;
	return true;
}

const char *wk_port_rss_set(uint16_t port_id, uint32_t n_queues, struct wk_port_rss *rss)
{
	struct rte_eth_dev_info info;
	struct rte_eth_rss_conf want = { .rss_key = our_key() };
	struct wk_port_rss got = { 0 };

	*rss = got;
	if (rte_eth_dev_info_get(port_id, &info) != 0)
		return "it cannot be asked for what it is";
	want.rss_key_len = key_size_b(&info);
	want.rss_hf = info.flow_type_rss_offloads & TYPES_WANTED;
	if ((want.rss_hf & TYPES_NEEDED) != TYPES_NEEDED)
		return "it does not hash TCP ports of IPv4 and IPv6";
	if (want.rss_key_len > WK_OWNER_RSS_KEY_B ||
	    rte_eth_dev_rss_hash_update(port_id, &want) != 0)
		return "it does not take the symmetric key";
	if (!key_holds(port_id, want.rss_key_len, &got))
		return "it does not read back the symmetric key";
	if ((got.types & TYPES_NEEDED) != TYPES_NEEDED)
		return "it does not read back the types of packets";
	if (!table_holds(port_id, info.reta_size, n_queues))
		return "it does not take or read back the redirection table";
	got.reta_size = info.reta_size;
	*rss = got;
	return NULL;
}
