/* SPDX-License-Identifier: Apache-2.0 */
/* port_pool.c - packet buffers: one pool for each socket that has ports. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "log.h"
#include "port.h"

WK_LOG_TYPE(pool);

static struct rte_mempool *pools[RTE_MAX_NUMA_NODES];

struct rte_mempool *wk_port_pool(const struct wk_conf *conf, int socket_id)
{
	uint32_t n = wk_eal_mbufs(conf);
	uint32_t room_b = wk_eal_mbuf_room_b(conf);
	uint64_t kib = (uint64_t)n * (room_b + sizeof(struct rte_mbuf)) / 1024;
	unsigned int socket = socket_id < 0 ? rte_socket_id() : (unsigned int)socket_id;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (pools[socket])
		return pools[socket];
	if (room_b > UINT16_MAX) {
		WK_LOG(pool, ERR, "an MTU of %u does not fit in a packet buffer\n", conf->mtu);
		return NULL;
	}
	snprintf(name, sizeof(name), "wk_pool_%u", socket);
	pools[socket] =
		rte_pktmbuf_pool_create(name, n, WK_POOL_CACHE, 0, (uint16_t)room_b, (int)socket);
	if (!pools[socket]) {
		WK_LOG(pool, ERR,
		       "no memory for %u packet buffers of %u bytes (%" PRIu64
		       " KiB) on socket %u: %s\n",
		       n, room_b, kib, socket, rte_strerror(rte_errno));
		return NULL;
	}
	WK_LOG(pool, NOTICE, "%u packet buffers of %u bytes (%" PRIu64 " KiB) on socket %u\n", n,
	       room_b, kib, socket);
	return pools[socket];
}
