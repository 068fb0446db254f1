/* SPDX-License-Identifier: Apache-2.0 */
/* eal.h - from the configuration to a running EAL.
 *
 * What EAL is told is a pure function of the configuration, of what the machine has, and of the
 * arguments behind "--" (eal_args.c); eal.c looks at the machine and starts EAL. Main lcore. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wk_conf.h"

/* Descriptors of each queue that we ask for; a port may take fewer. */
#define WK_PORT_RX_DESC 512u
#define WK_PORT_TX_DESC 512u
/* Room for Ethernet, two tags and FCS beside the MTU. */
#define WK_PORT_L2_B  26u
#define WK_BURST_MAX  32u
#define WK_POOL_CACHE 256u

#define WK_CPUS_MAX 256u

struct wk_eal_host {
	uint64_t huge_free_b; /* of hugepages that we may use */
	uint32_t n_cpus;      /* that we may run on */
	uint16_t cpus[WK_CPUS_MAX];
};

struct wk_eal_argv {
	char **v;      /* each one allocated; v[n] is NULL */
	char **passed; /* the same pointers, for EAL to move about */
	int n;
	int size;
	bool no_huge;
	bool failed; /* out of memory while it was built */
};

/* Is it a PCI address (with or without ",arguments")? Else it is a vdev. name: as ethdev calls the
 * device. */
bool wk_eal_device(const char *device, char *name, size_t size_b);

/* Packet buffers of all ports and workers (descriptors, bursts, caches, hand-over, held), and what
 * one takes. */
uint32_t wk_eal_mbufs(const struct wk_conf *conf);
uint32_t wk_eal_mbuf_room_b(const struct wk_conf *conf);
/* Memory for pools, arenas, flow tables and classifiers, in MiB: what EAL has to have. */
uint32_t wk_eal_memory_mib(const struct wk_conf *conf);

/* @return 0, -ENOMEM, or -EINVAL when a PCI device is to work without hugepages. */
int wk_eal_argv_build(const struct wk_conf *conf, const struct wk_eal_host *host,
		      char *const *extra, int n_extra, struct wk_eal_argv *argv);
void wk_eal_argv_free(struct wk_eal_argv *argv);

/* Starts EAL. argv must live as long as EAL does. @return 0 or -errno, with a message logged. */
int wk_eal_start(const struct wk_conf *conf, char *const *extra, int n_extra,
		 struct wk_eal_argv *argv);
