/* SPDX-License-Identifier: Apache-2.0 */
/* port.h - the ports of the wires, from a device string to running queues.
 *
 * An rx and a tx queue for each worker, promiscuous, nothing stripped, filtered or coalesced.
 * Configured while the device is still in our namespace: a net_tap that is moved away afterwards
 * answers nothing but rx and tx. Main lcore; workers use the id alone, telemetry the link state. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wk_conf.h"

struct rte_mempool;

#define WK_PORT_NAME_MAX_B 64u

/* How a port spreads what it receives. */
struct wk_port_rss {
	uint64_t types;     /* of packets, RTE_ETH_RSS_*; 0: it does not, or not as we say */
	uint16_t reta_size; /* entries of its redirection table */
};

struct wk_port {
	char name[WK_PORT_NAME_MAX_B];   /* in the file */
	char device[WK_PORT_NAME_MAX_B]; /* in ethdev */
	uint16_t id;
	uint32_t mtu;  /* of L3 */
	int socket_id; /* where its memory is */
	bool pci;
	bool started;
	struct wk_port_rss rss;
	struct rte_mempool *pool;
	_Atomic bool link_up; /* as reported, nothing depends on it */
	_Atomic uint32_t link_mbps;
};

struct wk_ports {
	struct wk_port v[WK_CONF_PORTS_MAX];
	uint32_t n;
};

/* Finds and configures all ports, makes the pools (port_pool.c). @return 0 or -errno, logged. */
int wk_ports_open(struct wk_ports *ports, const struct wk_conf *conf);
/* Starts them, then brings all links up. @return 0 or -errno, logged. */
int wk_ports_start(struct wk_ports *ports);
/* Reads the link states. changed is called for each port whose state is another one now. */
void wk_ports_poll_links(struct wk_ports *ports, void (*changed)(void *user, struct wk_port *port),
			 void *user);
/* Stops and closes whatever has been opened. */
void wk_ports_close(struct wk_ports *ports);

/* The pool of a socket (SOCKET_ID_ANY: of this lcore's), made at its first use and kept as long as
 * EAL runs. @return NULL, logged. */
struct rte_mempool *wk_port_pool(const struct wk_conf *conf, int socket_id);

struct rte_eth_conf;
struct rte_eth_dev_info;
struct rte_eth_rxconf;

/* port_rx.c: no port hands over several segments in one frame. */

/* Does the device receive by an interface of the kernel which joins segments? *iface is its name,
 * as far as one is known. Before it is configured. */
bool wk_port_rx_joins(const char *device, char *iface, size_t size_b);
/* What is wrong with what a driver has made of its configuration. @return static text or NULL. */
const char *wk_port_rx_refuse(const struct rte_eth_conf *set);
/* The configuration of its queues: what was asked of the port and nothing else. */
struct rte_eth_rxconf wk_port_rx_queue(const struct rte_eth_dev_info *info,
				       const struct rte_eth_conf *conf);

/* port_rss.c */

/* Before a port is configured: asks for a symmetric hash over addresses and ports, if it can. */
void wk_port_rss_ask(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);
/* On a started port: sets key, types and table for n queues, and reads them back into *rss.
 * @return NULL, or what the port does not do as told (static text; *rss is zero). */
const char *wk_port_rss_set(uint16_t port_id, uint32_t n_queues, struct wk_port_rss *rss);
