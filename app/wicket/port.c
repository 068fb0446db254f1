/* SPDX-License-Identifier: Apache-2.0 */
#define ALLOW_EXPERIMENTAL_API  /* rte_eth_dev_conf_get: how else to learn what a driver made of it \
				 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "eal.h"
#include "log.h"
#include "port.h"

WK_LOG_TYPE(port);

#define DRAIN_NS      10000000l
#define CSUM_OFFLOADS (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)

static int port_failed(const struct wk_port *port, const char *what, int rc)
{
	WK_LOG(port, ERR, "port %s (%s): %s: %s\n", port->name, port->device, what,
	       rte_strerror(-rc));
	return rc;
}

/* A virtual device may lack what a NIC must have. */
static int needed_on_nic(const struct wk_port *port, const char *what, int rc)
{
	if (rc == 0 || (!port->pci && (rc == -ENOTSUP || rc == -ENOSYS)))
		return 0;
	return port_failed(port, what, rc);
}

/* The MTU to set on the device, so that two tags fit beside it. Drivers of NICs count what they add
 * to it differently; a virtual device's is that of an interface which hosts see, left as it is. */
static uint16_t device_mtu(const struct wk_port *port, const struct rte_eth_dev_info *info)
{
	uint32_t overhead_b = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead_b = info->max_rx_pktlen - info->max_mtu;
	if (!port->pci || overhead_b >= WK_PORT_L2_B)
		return (uint16_t)port->mtu;
	return (uint16_t)(port->mtu + WK_PORT_L2_B - overhead_b);
}

static int port_queues(const struct wk_port *port, uint32_t n, const struct rte_eth_rxconf *rxconf)
{
	uint16_t rx = WK_PORT_RX_DESC;
	uint16_t tx = WK_PORT_TX_DESC;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
	unsigned int socket = (unsigned int)port->socket_id;

	for (uint16_t q = 0; q < n && rc == 0; q++) {
		rc = rte_eth_rx_queue_setup(port->id, q, rx, socket, rxconf, port->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(port->id, q, tx, socket, NULL);
	}
	return rc;
}

/* A driver may switch on what nobody asked for. */
static int port_merges(const struct wk_port *port)
{
	struct rte_eth_conf set;
	int rc = rte_eth_dev_conf_get(port->id, &set);
	const char *why;

	if (rc != 0)
		return port_failed(port, "cannot be asked for its configuration", rc);
	why = wk_port_rx_refuse(&set);
	if (!why)
		return 0;
	WK_LOG(port, ERR, "port %s (%s): %s\n", port->name, port->device, why);
	return -ENOTSUP;
}

/* So may the kernel, by default. */
static int kernel_merges(const struct wk_port *port, const char *device)
{
	char iface[WK_PORT_NAME_MAX_B];

	if (!wk_port_rx_joins(device, iface, sizeof(iface)))
		return 0;
	WK_LOG(port, ERR,
	       "port %s (%s): its interface hands over many segments as one frame, which no wire "
	       "takes: ethtool -K %s gro off lro off\n",
	       port->name, port->device, iface);
	return -ENOTSUP;
}

static int port_mtu(const struct wk_port *port, uint16_t mtu)
{
	uint16_t now = 0;

	if (rte_eth_dev_get_mtu(port->id, &now) == 0 && now == mtu && port->pci)
		return 0;
	return rte_eth_dev_set_mtu(port->id, mtu);
}

/* Each worker has a queue of its own in both directions. */
static int enough_queues(const struct wk_port *port, const struct rte_eth_dev_info *info,
			 uint32_t n)
{
	if (info->max_rx_queues >= n && info->max_tx_queues >= n)
		return 0;
	WK_LOG(port, ERR,
	       "port %s (%s) has %u rx and %u tx queues, %u workers need one of each: set workers "
	       "to %u, or give the device more queues\n",
	       port->name, port->device, info->max_rx_queues, info->max_tx_queues, n,
	       (unsigned int)RTE_MIN(info->max_rx_queues, info->max_tx_queues));
	return -ENOTSUP;
}

static int port_configure(struct wk_port *port, uint32_t n)
{
	struct rte_eth_dev_info info;
	struct rte_eth_rxconf rxconf;
	struct rte_eth_conf conf = { .rxmode = { .mq_mode = RTE_ETH_MQ_RX_NONE } };
	int rc = rte_eth_dev_info_get(port->id, &info);

	if (rc != 0)
		return port_failed(port, "cannot be asked for what it is", rc);
	rc = enough_queues(port, &info, n);
	if (rc != 0)
		return rc;
	/* A virtual device would compute the checksums of unguarded traffic as well. */
	if (port->pci)
		conf.rxmode.offloads = CSUM_OFFLOADS & info.rx_offload_capa;
	if (port->pci && n > 1)
		wk_port_rss_ask(&info, &conf);
	conf.rxmode.mtu = device_mtu(port, &info);
	rc = rte_eth_dev_configure(port->id, (uint16_t)n, (uint16_t)n, &conf);
	if (rc != 0)
		return port_failed(port, "cannot be configured (is the MTU one it takes?)", rc);
	rc = port_merges(port);
	if (rc != 0)
		return rc;
	rxconf = wk_port_rx_queue(&info, &conf);
	rc = port_queues(port, n, &rxconf);
	if (rc != 0)
		return port_failed(port, "no queues", rc);
	rc = needed_on_nic(port, "MTU", port_mtu(port, device_mtu(port, &info)));
	if (rc == 0)
		rc = needed_on_nic(port, "promiscuous", rte_eth_promiscuous_enable(port->id));
	if (rc == 0)
		rc = needed_on_nic(port, "all multicast", rte_eth_allmulticast_enable(port->id));
	return rc;
}

static int port_open(struct wk_port *port, const struct wk_conf *conf,
		     const struct wk_conf_port *from)
{
	int socket;
	int rc;

	snprintf(port->name, sizeof(port->name), "%s", from->name);
	port->pci = wk_eal_device(from->device, port->device, sizeof(port->device));
	port->mtu = from->mtu > 0 ? from->mtu : conf->mtu;
	rc = kernel_merges(port, from->device);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_get_port_by_name(port->device, &port->id);
	if (rc != 0)
		return port_failed(port, "no such device", rc);
	socket = rte_eth_dev_socket_id(port->id);
	port->socket_id = socket < 0 ? (int)rte_socket_id() : socket;
	port->pool = wk_port_pool(conf, port->socket_id);
	if (!port->pool)
		return -ENOMEM;
	return port_configure(port, conf->workers);
}

int wk_ports_open(struct wk_ports *ports, const struct wk_conf *conf)
{
	int rc = 0;

	for (uint32_t i = 0; i < conf->n_ports && rc == 0; i++) {
		rc = port_open(&ports->v[i], conf, &conf->ports[i]);
		if (rc == 0)
			ports->n++;
	}
	return rc;
}

int wk_ports_start(struct wk_ports *ports)
{
	int rc;

	for (uint32_t i = 0; i < ports->n; i++) {
		rc = rte_eth_dev_start(ports->v[i].id);
		if (rc != 0)
			return port_failed(&ports->v[i], "does not start", rc);
		ports->v[i].started = true;
	}
	for (uint32_t i = 0; i < ports->n; i++) {
		rc = rte_eth_dev_set_link_up(ports->v[i].id);
		/* Not every driver can, and a started port is up on those. */
		if (rc != 0 && rc != -ENOTSUP && rc != -ENOSYS)
			return port_failed(&ports->v[i], "link does not come up", rc);
	}
	return 0;
}

void wk_ports_poll_links(struct wk_ports *ports, void (*changed)(void *user, struct wk_port *port),
			 void *user)
{
	for (uint32_t i = 0; i < ports->n; i++) {
		struct wk_port *port = &ports->v[i];
		struct rte_eth_link link;
		bool up;

		if (rte_eth_link_get_nowait(port->id, &link) != 0)
			continue;
		up = link.link_status == RTE_ETH_LINK_UP;
		atomic_store_explicit(&port->link_mbps, link.link_speed, memory_order_relaxed);
		if (up == atomic_exchange_explicit(&port->link_up, up, memory_order_relaxed))
			continue;
		changed(user, port);
	}
}

void wk_ports_close(struct wk_ports *ports)
{
	/* The last packets, resets among them, are still in the queues of a NIC. */
	if (ports->n > 0 && ports->v[0].started)
		nanosleep(&(struct timespec){ .tv_nsec = DRAIN_NS }, NULL);
	for (uint32_t i = 0; i < ports->n; i++) {
		if (ports->v[i].started && rte_eth_dev_stop(ports->v[i].id) != 0)
			WK_LOG(port, WARNING, "port %s does not stop\n", ports->v[i].name);
		rte_eth_dev_close(ports->v[i].id);
	}
	ports->n = 0;
}
