/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what the command line asks for, and the ways to carry it out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "profile.h"

struct sim_options {
	uint64_t from, to; /* seeds */
	long jobs;
	bool verbose;
	bool keep_going;
	enum profile_kind kind;
	enum mistake mistake;
	const char *scripts; /* a file, or a folder of *.sim */
	const char *out;     /* of the shrunken script; NULL: standard output */
	uint32_t attempts;   /* to shrink */
	uint32_t most_lines; /* 0: any number will do */
};

/* Each @return the exit status. */
int sim_seeds(const struct sim_options *opt);
/* Plays scripts that must pass. */
int sim_scripts(const struct sim_options *opt);
/* Every seed twice, the second time from what was written down of the first. */
int sim_echo(const struct sim_options *opt);
/* Looks for the first seed that fails and makes a short script of it. */
int sim_shrink(const struct sim_options *opt);
