/* SPDX-License-Identifier: Apache-2.0 */
/* bench_eal.h - EAL for a benchmark that needs more memory than a test: without devices, on the
 * second core where there is one. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../support/test_eal.h"

/* huge: on hugepages. Ends the process if EAL does not start. */
static inline void bench_eal_start(const char *name, bool huge, const char *mib)
{
	char no_pci[] = "--no-pci", no_telemetry[] = "--no-telemetry", mem[] = "-m";
	char lcores[] = "-l", lcore[] = "1", log[] = "--log-level=lib.*:error";
	char in_memory[] = "--in-memory", no_huge[] = "--no-huge";
	char program[64], prefix[64], amount[16];
	char *argv[] = { program, no_pci, no_telemetry,
			 mem,     amount, lcores,
			 lcore,   log,    huge ? in_memory : no_huge,
			 prefix };
	int argc = (int)(sizeof(argv) / sizeof(argv[0]));

	snprintf(program, sizeof(program), "%s", name);
	snprintf(amount, sizeof(amount), "%s", mib);
	snprintf(prefix, sizeof(prefix), "--file-prefix=%s-%d", name, (int)getpid());
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		lcore[0] = '0';
	if (rte_eal_init(huge ? argc - 1 : argc, argv) < 0) {
		fprintf(stderr, "EAL does not start\n");
		exit(1);
	}
}
