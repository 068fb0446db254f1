/* SPDX-License-Identifier: Apache-2.0 */
/* truth: does a real server decode exactly the allowed calls? See --help. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "mix.h"

struct options {
	uint64_t from;
	uint64_t to;
	long jobs;
	bool keep_going;
	const char *dump;
};

/* Shared by the jobs: each writes its own. */
struct tally {
	uint64_t done, failed, conns, allowed, denied, refused, reencoded, packets;
};

static void usage(FILE *to)
{
	fprintf(to,
		"usage: truth [--seeds FROM-TO | --seed N] [--jobs N] [--keep-going]\n"
		"             [--dump FOLDER]\n"
		"Mixes of allowed, denied and malformed calls, their header blocks written in\n"
		"random ways, go through the inspector in random segments to a server of\n"
		"libnghttp2: what it decodes has to be the allowed ones, field by field. A seed\n"
		"chooses everything. --dump writes down what each server got.\n");
}

static bool parse_one(struct options *opt, int c, const char *arg)
{
	switch (c) {
	case 's':
		return sscanf(arg, "%" SCNu64 "-%" SCNu64, &opt->from, &opt->to) == 2 &&
		       opt->from <= opt->to;
	case 'n':
		opt->from = opt->to = strtoull(arg, NULL, 0);
		return true;
	case 'j':
		opt->jobs = strtol(arg, NULL, 0);
		return opt->jobs > 0;
	case 'd':
		opt->dump = arg;
		return true;
	case 'k':
		opt->keep_going = true;
		return true;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		return false;
	}
}

static bool parse(struct options *opt, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seeds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'n' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "dump", required_argument, NULL, 'd' },
		{ "keep-going", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (!parse_one(opt, c, optarg))
			return false;
	return optind == argc;
}

static void job(const struct options *opt, long number, struct tally *tally)
{
	struct truth_result result;

	truth_eal_start();
	for (uint64_t seed = opt->from + (uint64_t)number; seed <= opt->to;
	     seed += (uint64_t)opt->jobs) {
		if (!truth_mix(seed, opt->dump, &result)) {
			tally->failed++;
			printf("FAIL seed %" PRIu64 ": %s\n", seed, result.fault);
			fflush(stdout);
		}
		tally->done++;
		tally->conns += result.conns;
		tally->allowed += result.allowed;
		tally->denied += result.denied;
		tally->refused += result.refused;
		tally->reencoded += result.reencoded;
		tally->packets += result.packets;
		if (tally->failed > 0 && !opt->keep_going)
			break;
	}
	truth_eal_stop();
}

/* @return false when a job died. */
static bool fork_jobs(const struct options *opt, struct tally *tallies)
{
	bool fine = true;
	int status;

	for (long i = 0; i < opt->jobs; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return false;
		}
		if (pid == 0) {
			job(opt, i, &tallies[i]);
			fflush(stdout);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		fine &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return fine;
}

static void report(const struct options *opt, const struct tally *tallies, double s,
		   struct tally *sum)
{
	*sum = (struct tally){ 0 };
	for (long i = 0; i < opt->jobs; i++) {
		sum->done += tallies[i].done;
		sum->failed += tallies[i].failed;
		sum->conns += tallies[i].conns;
		sum->allowed += tallies[i].allowed;
		sum->denied += tallies[i].denied;
		sum->refused += tallies[i].refused;
		sum->reencoded += tallies[i].reencoded;
		sum->packets += tallies[i].packets;
	}
	printf("seeds %" PRIu64 "-%" PRIu64 ": %" PRIu64 " mixes, %" PRIu64 " failed, %.1f s, "
	       "%.0f mixes/s\n"
	       "%" PRIu64 " connections, calls: %" PRIu64 " allowed, %" PRIu64 " denied, %" PRIu64
	       " malformed; %" PRIu64 " blocks re-encoded, %" PRIu64 " packets\n",
	       opt->from, opt->to, sum->done, sum->failed, s, (double)sum->done / s, sum->conns,
	       sum->allowed, sum->denied, sum->refused, sum->reencoded, sum->packets);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct options opt = { .from = 1, .to = 1000, .jobs = sysconf(_SC_NPROCESSORS_ONLN) };
	struct tally *tallies, sum;
	double begin = seconds();
	bool fine;

	if (!parse(&opt, argc, argv)) {
		usage(stderr);
		return 2;
	}
	if ((uint64_t)opt.jobs > opt.to - opt.from + 1)
		opt.jobs = (long)(opt.to - opt.from + 1);
	tallies = mmap(NULL, (size_t)opt.jobs * sizeof(*tallies), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	fine = fork_jobs(&opt, tallies);
	report(&opt, tallies, seconds() - begin, &sum);
	return fine && sum.failed == 0 ? 0 : 1;
}
