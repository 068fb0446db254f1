/* SPDX-License-Identifier: Apache-2.0 */
/* eal.c - looks at the machine and starts EAL. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "eal.h"
#include "log.h"

WK_LOG_TYPE(eal);

#define HUGE_DIR "/sys/kernel/mm/hugepages"

/* Is there a hugetlbfs that we may create files in? */
static bool hugetlbfs_writable(void)
{
	FILE *mounts = setmntent("/proc/mounts", "r");
	struct mntent *entry;
	bool found = false;

	if (!mounts)
		return false;
	while (!found && (entry = getmntent(mounts)) != NULL)
		found = strcmp(entry->mnt_type, "hugetlbfs") == 0 &&
			access(entry->mnt_dir, R_OK | W_OK | X_OK) == 0;
	endmntent(mounts);
	return found;
}

static uint64_t huge_free_b(void)
{
	DIR *dir = opendir(HUGE_DIR);
	const struct dirent *entry;
	uint64_t sum_b = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		char path[sizeof(HUGE_DIR) + sizeof(entry->d_name) + 32];
		uint64_t kib;
		uint64_t n;
		FILE *file;

		if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &kib) != 1)
			continue;
		snprintf(path, sizeof(path), HUGE_DIR "/%s/free_hugepages", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%" SCNu64, &n) == 1)
			sum_b += n * kib * 1024;
		fclose(file);
	}
	closedir(dir);
	return sum_b;
}

static void host_probe(struct wk_eal_host *host)
{
	cpu_set_t set;

	*host = (struct wk_eal_host){ .n_cpus = 0 };
	if (hugetlbfs_writable())
		host->huge_free_b = huge_free_b();
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		CPU_ZERO(&set);
	for (uint32_t i = 0; i < CPU_SETSIZE && host->n_cpus < WK_CPUS_MAX; i++)
		if (CPU_ISSET(i, &set))
			host->cpus[host->n_cpus++] = (uint16_t)i;
}

static void log_argv(const struct wk_eal_argv *argv)
{
	char line[1024] = "";
	size_t len_b = 0;

	for (int i = 1; i < argv->n && len_b < sizeof(line); i++)
		len_b += (size_t)snprintf(line + len_b, sizeof(line) - len_b, " %s", argv->v[i]);
	WK_LOG(eal, NOTICE, "EAL arguments:%s\n", line);
}

int wk_eal_start(const struct wk_conf *conf, char *const *extra, int n_extra,
		 struct wk_eal_argv *argv)
{
	struct wk_eal_host host;
	int rc;

	host_probe(&host);
	rc = wk_eal_argv_build(conf, &host, extra, n_extra, argv);
	if (rc == -EINVAL)
		WK_LOG(eal, ERR,
		       "a PCI device needs %u MiB of free hugepages, %" PRIu64 " MiB are usable\n",
		       wk_eal_memory_mib(conf), host.huge_free_b >> 20);
	if (rc != 0)
		return rc;
	WK_LOG(eal, NOTICE,
	       "memory: %u MiB (%u packet buffers of %u bytes, %u KiB held, %u flows, "
	       "%u workers)%s\n",
	       wk_eal_memory_mib(conf), wk_eal_mbufs(conf), wk_eal_mbuf_room_b(conf),
	       conf->limits.held_kib, conf->limits.flows, conf->workers,
	       argv->no_huge ? ", without hugepages" : "");
	log_argv(argv);
	argv->passed = calloc((size_t)argv->n + 1, sizeof(*argv->passed));
	if (!argv->passed)
		return -ENOMEM;
	memcpy(argv->passed, argv->v, (size_t)argv->n * sizeof(*argv->passed));
	if (rte_eal_init(argv->n, argv->passed) < 0) {
		rc = rte_errno > 0 ? -rte_errno : -EINVAL;
		WK_LOG(eal, ERR, "EAL did not start (%s); memory asked for: %u MiB\n",
		       strerror(-rc), wk_eal_memory_mib(conf));
		return rc;
	}
	if (rte_lcore_count() < conf->workers + 1) {
		WK_LOG(eal, ERR, "%u lcores for %u workers: one more than workers is needed\n",
		       rte_lcore_count(), conf->workers);
		rte_eal_cleanup();
		return -EINVAL;
	}
	return 0;
}
