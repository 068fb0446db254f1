/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#define DESCRIPTORS 1024u
#define BUFFERS     32767u
#define CACHE       256u
#define WAIT_MAX    (1u << 15) /* more than there are buffers */
#define RING        (1u << 15)
#define ARGS_MAX    24
#define ANY_SOCKET  ((unsigned int)SOCKET_ID_ANY)

struct port {
	uint16_t id;
	uint32_t head, tail; /* of those that wait */
	struct rte_mbuf *wait[WAIT_MAX];
};

static struct port ports[2];
static struct rte_mempool *pool;
static bool started; /* EAL */

static void start_eal(void)
{
	char lcore[16], memory[16], prefix[128];
	const char *argv[ARGS_MAX] = {
		"wicket-gen",
		"--no-pci",
		"--no-telemetry",
		"--log-level=lib.*:error",
		"--log-level=pmd.*:error",
		"-l",
		lcore,
		"-m",
		memory,
		prefix,
		options.huge ? "--huge-unlink" : "--no-huge",
	};
	int n = 11;

	snprintf(lcore, sizeof(lcore), "%u", options.lcore);
	snprintf(memory, sizeof(memory), "%u", options.memory_mib);
	if (options.file_prefix)
		snprintf(prefix, sizeof(prefix), "--file-prefix=%s", options.file_prefix);
	else
		snprintf(prefix, sizeof(prefix), "--file-prefix=wicket-gen-%d", (int)getpid());
	for (int side = 0; side < 2 && options.device[side]; side++) {
		argv[n++] = "--vdev";
		argv[n++] = options.device[side];
	}
	/* It orders the pointers anew and writes to nothing else. */
	if (rte_eal_init(n, (char **)(uintptr_t)argv) < 0)
		gen_fail("EAL does not start: %s", rte_strerror(rte_errno));
	started = true;
}

/* What the client sends is what the server receives, and the other way round. */
static void open_rings(void)
{
	struct rte_ring *ring[2];

	for (int i = 0; i < 2; i++) {
		ring[i] = rte_ring_create(i ? "to_server" : "to_client", RING, SOCKET_ID_ANY,
					  RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!ring[i])
			gen_fail("no ring of %u: %s", RING, rte_strerror(rte_errno));
	}
	for (int side = 0; side < 2; side++) {
		int id = rte_eth_from_rings(side ? "server" : "client", &ring[side], 1,
					    &ring[!side], 1, 0);

		if (id < 0)
			gen_fail("no port of rings: %s", rte_strerror(rte_errno));
		ports[side].id = (uint16_t)id;
	}
}

static void find_device(enum side side)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(options.device[side], ","),
		 options.device[side]);
	if (rte_eth_dev_get_port_by_name(name, &ports[side].id) != 0)
		gen_fail("no device %s", name);
}

static void start_port(enum side side)
{
	uint16_t id = ports[side].id;
	struct rte_eth_conf conf = { .rxmode = { .mq_mode = RTE_ETH_MQ_RX_NONE } };
	uint16_t rx = DESCRIPTORS;
	uint16_t tx = DESCRIPTORS;
	int rc = rte_eth_dev_configure(id, 1, 1, &conf);

	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(id, 0, rx, ANY_SOCKET, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(id, 0, tx, ANY_SOCKET, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(id);
	if (rc == 0)
		rte_eth_promiscuous_enable(id); /* where there is such a thing */
	else
		gen_fail("the %s's port does not start: %s", side ? "server" : "client",
			 rte_strerror(-rc));
}

void net_open(void)
{
	start_eal();
	pool = rte_pktmbuf_pool_create("frames", BUFFERS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!pool)
		gen_fail("no memory for %u packet buffers (--memory-mib %u): %s", BUFFERS,
			 options.memory_mib, rte_strerror(rte_errno));
	if (!options.device[0])
		open_rings();
	for (int side = 0; side < 2; side++) {
		if (options.device[0])
			find_device(side);
		start_port(side);
	}
}

bool net_up(void)
{
	for (int side = 0; side < 2; side++) {
		struct rte_eth_link link;

		if (rte_eth_link_get_nowait(ports[side].id, &link) != 0 ||
		    link.link_status != RTE_ETH_LINK_UP)
			return false;
	}
	return true;
}

struct rte_mbuf *net_frame(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

	if (!mbuf)
		gen_fail("no packet buffer left: %u wait for a port", net_waiting());
	return mbuf;
}

static void flush(struct port *port)
{
	while (port->head != port->tail) {
		uint32_t at = port->head % WAIT_MAX;
		uint32_t n = RTE_MIN(port->tail - port->head, WAIT_MAX - at);
		uint16_t took = rte_eth_tx_burst(port->id, 0, &port->wait[at],
						 (uint16_t)RTE_MIN(n, NET_BURST));

		port->head += took;
		gen.counts.sent += took;
		if (took == 0)
			return;
	}
}

void net_flush(void)
{
	flush(&ports[CLIENT]);
	flush(&ports[SERVER]);
}

void net_send(enum side side, struct rte_mbuf *mbuf)
{
	struct port *port = &ports[side];

	port->wait[port->tail++ % WAIT_MAX] = mbuf;
	if (port->tail - port->head >= NET_BURST)
		flush(port);
}

uint32_t net_receive(enum side side, struct rte_mbuf **mbufs)
{
	return rte_eth_rx_burst(ports[side].id, 0, mbufs, NET_BURST);
}

uint32_t net_waiting(void)
{
	return ports[0].tail - ports[0].head + ports[1].tail - ports[1].head;
}

/* EAL leaves the folder of its prefix behind. */
static void remove_runtime(const char *folder)
{
	char path[PATH_MAX + 256];
	const struct dirent *entry;
	DIR *dir = opendir(folder);

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	closedir(dir);
	rmdir(folder);
}

void net_close(void)
{
	char folder[PATH_MAX];

	for (int side = 0; side < 2; side++) {
		rte_eth_dev_stop(ports[side].id);
		rte_eth_dev_close(ports[side].id);
	}
	snprintf(folder, sizeof(folder), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	remove_runtime(folder);
}

void net_abandon(void)
{
	if (started)
		remove_runtime(rte_eal_get_runtime_dir());
}
