/* SPDX-License-Identifier: Apache-2.0 */
/* port_rx.c - what a port may do to frames before we see them: nothing that makes one of several.
 *
 * A frame of 64 KiB that stands for many segments is larger than the other side of the wire takes,
 * and cut apart here it would no longer be what its sender sent. A port that hands over such frames
 * is refused before it runs. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include <rte_ethdev.h>
#include <rte_kvargs.h>

#include "port.h"

#define KERNEL_DRIVER "net_af_packet"

struct rte_eth_rxconf wk_port_rx_queue(const struct rte_eth_dev_info *info,
				       const struct rte_eth_conf *conf)
{
	struct rte_eth_rxconf queue = info->default_rxconf;

	/* A queue without a configuration of its own gets what its driver likes best. */
	queue.offloads = conf->rxmode.offloads;
	return queue;
}

const char *wk_port_rx_refuse(const struct rte_eth_conf *set)
{
	if (set->rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)
		return "it puts TCP segments together (LRO) and cannot be told not to";
	if (set->rxmode.offloads & RTE_ETH_RX_OFFLOAD_BUFFER_SPLIT)
		return "it takes frames apart (buffer split) and cannot be told not to";
	return NULL;
}

/* What the kernel says of one of its interfaces, 0 where it does not. */
static uint32_t ethtool(const char *iface, uint32_t what)
{
	struct ethtool_value value = { .cmd = what };
	struct ifreq request = { .ifr_data = (char *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		return 0;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCETHTOOL, &request) != 0)
		value.data = 0;
	close(fd);
	return value.data;
}

bool wk_port_rx_joins(const char *device, char *iface, size_t size_b)
{
	const char *args = strchr(device, ',');
	struct rte_kvargs *list;
	const char *name;

	iface[0] = '\0';
	if (!args || strncmp(device, KERNEL_DRIVER, strlen(KERNEL_DRIVER)) != 0)
		return false;
	list = rte_kvargs_parse(args + 1, NULL);
	if (!list)
		return false; /* its driver will say so */
	name = rte_kvargs_get(list, "iface");
	snprintf(iface, size_b, "%s", name ? name : "");
	rte_kvargs_free(list);
	return ethtool(iface, ETHTOOL_GGRO) != 0 ||
	       (ethtool(iface, ETHTOOL_GFLAGS) & ETH_FLAG_LRO) != 0;
}
