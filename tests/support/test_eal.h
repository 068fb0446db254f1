/* SPDX-License-Identifier: Apache-2.0 */
/* test_eal.h - EAL for a test: no hugepages, no devices, a runtime folder of its own which is gone
 * afterwards. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_debug.h>
#include <rte_eal.h>

/* To be called once, before the tests. Ends the process if EAL does not start. */
static inline void test_eal_start(const char *name)
{
	char prefix[64];
	char program[] = "test";
	char no_huge[] = "--no-huge";
	char mem[] = "-m";
	char mem_mib[] = "64";
	char no_pci[] = "--no-pci";
	char no_telemetry[] = "--no-telemetry";
	char lcores[] = "-l";
	char lcore[] = "0";
	char log[] = "--log-level=lib.*:error";
	char *argv[] = { program,      no_huge, mem,   mem_mib, no_pci,
			 no_telemetry, lcores,  lcore, log,     prefix };

	snprintf(prefix, sizeof(prefix), "--file-prefix=%s-%d", name, (int)getpid());
	if (rte_eal_init((int)(sizeof(argv) / sizeof(argv[0])), argv) < 0) {
		fprintf(stderr, "EAL does not start\n");
		exit(1);
	}
}

static inline void test_eal_stop(void)
{
	char folder[PATH_MAX];
	char path[PATH_MAX + 256];
	const struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	dir = opendir(folder);
	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' &&
		    (entry->d_name[1] == '\0' || entry->d_name[1] == '.'))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	closedir(dir);
	rmdir(folder);
}

/* Both as fixtures of a group of tests: the folder is called as the program is. */
static inline int test_eal_set_up(void **state)
{
	(void)state;
	test_eal_start(program_invocation_short_name);
	return 0;
}

static inline int test_eal_tear_down(void **state)
{
	(void)state;
	test_eal_stop();
	return 0;
}
