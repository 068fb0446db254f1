/* SPDX-License-Identifier: Apache-2.0 */
/* sim: simulated connections through lib/tcp. See --help. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "options.h"

enum mode {
	MODE_SEEDS = 0,
	MODE_SCRIPTS,
	MODE_ECHO,
	MODE_SHRINK,
};

static void usage(FILE *to)
{
	fprintf(to,
		"usage: sim [--seeds FROM-TO | --seed N] [--jobs N] [--profile NAME] [--verbose]\n"
		"           [--keep-going]\n"
		"       sim --script FILE-OR-FOLDER [--verbose]\n"
		"       sim --echo [--seeds FROM-TO] [--profile NAME]\n"
		"       sim --shrink [--seeds FROM-TO | --seed N] [--profile NAME] [--out FILE]\n"
		"           [--attempts N] [--most-lines N]\n"
		"Runs simulated connections through lib/tcp; a seed chooses everything.\n"
		"--script plays runs that were written down. --shrink looks for the first seed\n"
		"that fails and makes a short script of it. --echo writes each run down, plays\n"
		"it, and compares.\n"
		"profiles:");
	for (int i = 0; i < PROFILES; i++)
		fprintf(to, " %s", profile_name((enum profile_kind)i));
	fprintf(to, "\n--mistake NAME: the box makes a mistake, to see that it is found:");
	for (int i = 1; i < MISTAKES; i++)
		fprintf(to, " %s", mistake_name((enum mistake)i));
	fprintf(to, "\n");
}

static bool parse_seeds(struct sim_options *opt, const char *arg)
{
	return sscanf(arg, "%" SCNu64 "-%" SCNu64, &opt->from, &opt->to) == 2 &&
	       opt->from <= opt->to;
}

/* One option with its argument. */
static bool parse_one(struct sim_options *opt, int c, const char *arg)
{
	switch (c) {
	case 's':
		return parse_seeds(opt, arg);
	case 'n':
		opt->from = opt->to = strtoull(arg, NULL, 0);
		return true;
	case 'j':
		opt->jobs = strtol(arg, NULL, 0);
		return opt->jobs > 0;
	case 'p':
		opt->kind = profile_by_name(arg);
		return opt->kind != PROFILES;
	case 'm':
		opt->mistake = mistake_by_name(arg);
		return opt->mistake != MISTAKES;
	case 'f':
		opt->scripts = arg;
		return true;
	case 'o':
		opt->out = arg;
		return true;
	case 'a':
		opt->attempts = (uint32_t)strtoul(arg, NULL, 0);
		return true;
	case 'l':
		opt->most_lines = (uint32_t)strtoul(arg, NULL, 0);
		return true;
	default:
		return false;
	}
}

static bool parse(struct sim_options *opt, enum mode *mode, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seeds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'n' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "profile", required_argument, NULL, 'p' },
		{ "mistake", required_argument, NULL, 'm' },
		{ "script", required_argument, NULL, 'f' },
		{ "out", required_argument, NULL, 'o' },
		{ "attempts", required_argument, NULL, 'a' },
		{ "most-lines", required_argument, NULL, 'l' },
		{ "echo", no_argument, NULL, 'e' },
		{ "shrink", no_argument, NULL, 'z' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "keep-going", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == 'v')
			opt->verbose = true;
		else if (c == 'k')
			opt->keep_going = true;
		else if (c == 'e')
			*mode = MODE_ECHO;
		else if (c == 'z')
			*mode = MODE_SHRINK;
		else if (!parse_one(opt, c, optarg))
			return false;
	}
	if (opt->scripts)
		*mode = MODE_SCRIPTS;
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct sim_options opt = {
		.from = 1,
		.to = 1000,
		.jobs = sysconf(_SC_NPROCESSORS_ONLN),
		.attempts = 20000,
	};
	enum mode mode = MODE_SEEDS;

	if (!parse(&opt, &mode, argc, argv)) {
		usage(stderr);
		return 2;
	}
	if ((uint64_t)opt.jobs > opt.to - opt.from + 1)
		opt.jobs = (long)(opt.to - opt.from + 1);
	switch (mode) {
	case MODE_SCRIPTS:
		return sim_scripts(&opt);
	case MODE_ECHO:
		return sim_echo(&opt);
	case MODE_SHRINK:
		return sim_shrink(&opt);
	default:
		return sim_seeds(&opt);
	}
}
