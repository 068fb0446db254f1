/* SPDX-License-Identifier: Apache-2.0 */
/* eal_args.c - what EAL is told: a pure function. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_pci.h>

#include "eal.h"
#include "event_ring.h"
#include "wk_frag.h"
#include "wk_inspect.h"

#define MIB (1024ull * 1024ull)
/* Parts of an estimate: what EAL, mempools and drivers take for themselves, classifiers of two
 * snapshots, and per flow and packet buffer what surrounds the structs named here. */
#define BASE_B     (64 * MIB)
#define ACL_B      (64 * MIB)
#define ACL_RULE_B (16ull * 1024)
#define FLOW_B     (sizeof(struct wk_tcp_flow) + 2 * sizeof(struct wk_flow_key) + 1024)
#define MBUF_B     (sizeof(struct rte_mbuf) + 192)
/* Of each worker beside its shares: wheel, HTTP/2's tables, struct wk_worker. */
#define WORKER_B (2 * MIB)

bool wk_eal_device(const char *device, char *name, size_t size_b)
{
	size_t len_b = strcspn(device, ",");
	struct rte_pci_addr addr;

	snprintf(name, size_b, "%.*s", (int)len_b, device);
	if (rte_pci_addr_parse(name, &addr) != 0)
		return false;
	rte_pci_device_name(&addr, name, size_b);
	return true;
}

uint32_t wk_eal_mbufs(const struct wk_conf *conf)
{
	uint32_t handover = conf->workers > 1 ? conf->workers * conf->limits.handover : 0;

	return conf->n_ports * conf->workers * (WK_PORT_RX_DESC + WK_PORT_TX_DESC) +
	       (conf->workers + 1) * (4 * WK_BURST_MAX + WK_POOL_CACHE) + handover +
	       conf->limits.held_mbufs;
}

uint32_t wk_eal_mbuf_room_b(const struct wk_conf *conf)
{
	uint32_t mtu = conf->mtu;
	uint32_t least_b = 0;

	for (uint32_t i = 0; i < conf->n_ports; i++) {
		mtu = RTE_MAX(mtu, conf->ports[i].mtu);
		/* Refuses buffers that a whole frame of its ring (framesz, 2 KiB) may not fit in.
		 */
		if (strncmp(conf->ports[i].device, "net_af_packet", strlen("net_af_packet")) == 0)
			least_b = RTE_MBUF_DEFAULT_DATAROOM;
	}
	return RTE_PKTMBUF_HEADROOM +
	       RTE_ALIGN_CEIL(RTE_MAX(mtu + WK_PORT_L2_B, least_b), RTE_CACHE_LINE_SIZE);
}

uint32_t wk_eal_memory_mib(const struct wk_conf *conf)
{
	uint64_t shared_b = conf->limits.held_kib * 1024ull + conf->limits.flows * FLOW_B;
	uint64_t worker_b = wk_event_ring_footprint() +
			    wk_frag_footprint(conf->limits.fragments / conf->workers) + WORKER_B +
			    wk_flow_syn_footprint(conf->limits.syns / conf->workers) +
			    conf->limits.handover * 2 * sizeof(void *);
	uint64_t sum_b = BASE_B + ACL_B + conf->n_acl * ACL_RULE_B + shared_b +
			 conf->workers * worker_b +
			 (uint64_t)wk_eal_mbufs(conf) * (MBUF_B + wk_eal_mbuf_room_b(conf));

	/* A quarter more: blocks are rounded up and never fit without a gap. */
	return (uint32_t)((sum_b + sum_b / 4) / MIB) + 1;
}

__attribute__((format(printf, 2, 3))) static void add(struct wk_eal_argv *argv, const char *format,
						      ...)
{
	va_list ap;

	if (argv->n + 1 >= argv->size) {
		int size = argv->size > 0 ? 2 * argv->size : 32;
		char **v = realloc(argv->v, (size_t)size * sizeof(*v));

		if (!v) {
			argv->failed = true;
			return;
		}
		argv->v = v;
		argv->size = size;
	}
	va_start(ap, format);
	if (vasprintf(&argv->v[argv->n], format, ap) < 0) {
		argv->v[argv->n] = NULL;
		argv->failed = true;
	} else {
		argv->v[++argv->n] = NULL;
	}
	va_end(ap);
}

/* Is `option` ("-m", "--lcores") among the words, alone, with "=" or, for a short one, joined? */
static bool among(const char *option, char *const *words, uint32_t n)
{
	size_t len_b = strlen(option);
	bool is_long = option[1] == '-';

	for (uint32_t i = 0; i < n; i++) {
		if (strncmp(words[i], option, len_b) != 0)
			continue;
		if (words[i][len_b] == '\0' || words[i][len_b] == '=' || !is_long)
			return true;
	}
	return false;
}

struct given {
	const struct wk_conf *conf;
	char *const *extra;
	uint32_t n_extra;
};

static bool has(const struct given *given, const char *option)
{
	return among(option, given->conf->eal.v, given->conf->eal.n) ||
	       among(option, given->extra, given->n_extra);
}

/* One CPU for each lcore where there are enough, else all of them share all. */
static void add_lcores(struct wk_eal_argv *argv, const struct wk_conf *conf,
		       const struct wk_eal_host *host)
{
	uint32_t n = conf->workers + 1;
	char all[WK_CPUS_MAX * 6] = "";
	char list[1024] = "";
	size_t len_b = 0;

	for (uint32_t i = 0; i < host->n_cpus; i++)
		len_b += (size_t)snprintf(all + len_b, sizeof(all) - len_b, "%s%u",
					  i > 0 ? "," : "", host->cpus[i]);
	if (host->n_cpus < n) {
		add(argv, "--lcores");
		if (n > 1)
			add(argv, "(0-%u)@(%s)", n - 1, all);
		else
			add(argv, "0@(%s)", all);
		return;
	}
	len_b = 0;
	for (uint32_t i = 0; i < n; i++)
		len_b += (size_t)snprintf(list + len_b, sizeof(list) - len_b, "%s%u@%u",
					  i > 0 ? "," : "", i, host->cpus[i]);
	add(argv, "--lcores");
	add(argv, "%s", list);
}

static void add_devices(struct wk_eal_argv *argv, const struct given *given, bool *pci)
{
	const struct wk_conf *conf = given->conf;
	char name[64];

	*pci = false;
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		if (wk_eal_device(conf->ports[i].device, name, sizeof(name))) {
			add(argv, "-a");
			*pci = true;
		} else {
			add(argv, "--vdev");
		}
		add(argv, "%s", conf->ports[i].device);
	}
	if (!*pci && !has(given, "--no-pci") && !has(given, "-a") && !has(given, "--allow"))
		add(argv, "--no-pci");
}

static void add_memory(struct wk_eal_argv *argv, const struct given *given,
		       const struct wk_eal_host *host)
{
	uint32_t mib = wk_eal_memory_mib(given->conf);
	bool told = has(given, "--no-huge");

	argv->no_huge = told || host->huge_free_b < mib * MIB;
	if (!argv->no_huge) {
		if (!has(given, "--huge-unlink") && !has(given, "--in-memory"))
			add(argv, "--huge-unlink");
		return;
	}
	if (!told)
		add(argv, "--no-huge");
	if (!has(given, "-m") && !has(given, "--socket-mem")) {
		add(argv, "-m");
		add(argv, "%u", mib);
	}
}

int wk_eal_argv_build(const struct wk_conf *conf, const struct wk_eal_host *host,
		      char *const *extra, int n_extra, struct wk_eal_argv *argv)
{
	struct given given = { .conf = conf, .extra = extra, .n_extra = (uint32_t)n_extra };
	bool pci;

	*argv = (struct wk_eal_argv){ .n = 0 };
	add(argv, "wicket");
	if (!has(&given, "--file-prefix"))
		add(argv, "--file-prefix=%s", conf->instance);
	if (!has(&given, "-l") && !has(&given, "--lcores") && !has(&given, "-c"))
		add_lcores(argv, conf, host);
	add_memory(argv, &given, host);
	add_devices(argv, &given, &pci);
	for (uint32_t i = 0; i < conf->eal.n; i++)
		add(argv, "%s", conf->eal.v[i]);
	for (int i = 0; i < n_extra; i++)
		add(argv, "%s", extra[i]);
	if (argv->failed)
		return -ENOMEM;
	return pci && argv->no_huge ? -EINVAL : 0;
}

void wk_eal_argv_free(struct wk_eal_argv *argv)
{
	for (int i = 0; i < argv->n; i++)
		free(argv->v[i]);
	free(argv->v);
	free(argv->passed);
	*argv = (struct wk_eal_argv){ .n = 0 };
}
