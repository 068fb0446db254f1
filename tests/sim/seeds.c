/* SPDX-License-Identifier: Apache-2.0 */
/* Many seeds, on several processors. */
#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

/* Shared by the jobs: each writes its own. */
struct tally {
	uint64_t done, failed, packets, forwarded, edited, absorbed, dropped, built, wanted,
		inserted, asks, asked, quotes, bytes;
	uint64_t sim_ns;
	uint64_t waited_ns;
	uint64_t first_failed;
};

static void add_run(struct tally *tally, const struct run_result *result)
{
	tally->done++;
	tally->packets += result->packets;
	tally->forwarded += result->forwarded;
	tally->edited += result->edited;
	tally->absorbed += result->absorbed;
	tally->dropped += result->dropped;
	tally->built += result->built;
	tally->wanted += result->wanted;
	tally->inserted += result->inserted;
	tally->asks += result->asks;
	tally->asked += result->asked;
	tally->quotes += result->quotes;
	tally->bytes += result->c2s_b + result->s2c_b;
	tally->sim_ns += result->sim_ns;
	if (result->waited_ns > tally->waited_ns)
		tally->waited_ns = result->waited_ns;
}

static void one(const struct sim_options *opt, uint64_t seed, struct tally *tally)
{
	struct run_result result;
	struct profile profile;

	profile_choose(&profile, seed, opt->kind);
	profile.mistake = opt->mistake;
	if (!run_profile(&profile, opt->verbose, NULL, &result)) {
		if (tally->failed++ == 0)
			tally->first_failed = seed;
		printf("FAIL seed %" PRIu64 " (%s, end %d) at %.6f s: %s\n", seed,
		       profile_name(profile.kind), profile.end, (double)result.sim_ns / 1e9,
		       result.fault);
		fflush(stdout);
	}
	if (opt->verbose)
		printf("seed %" PRIu64 " %s: %" PRIu64 " packets, %.3f s simulated, %" PRIu64
		       " + %" PRIu64 " bytes, %u of %u insertions, longest wait %.3f s\n",
		       seed, profile_name(profile.kind), result.packets,
		       (double)result.sim_ns / 1e9, result.c2s_b, result.s2c_b, result.inserted,
		       result.wanted, (double)result.waited_ns / 1e9);
	add_run(tally, &result);
}

static void job(const struct sim_options *opt, long number, struct tally *tally)
{
	for (uint64_t seed = opt->from + (uint64_t)number; seed <= opt->to;
	     seed += (uint64_t)opt->jobs) {
		one(opt, seed, tally);
		if (tally->failed > 0 && !opt->keep_going)
			return;
	}
}

/* @return false when a job died. */
static bool fork_jobs(const struct sim_options *opt, struct tally *tallies)
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

static void sum_up(const struct sim_options *opt, const struct tally *tallies, struct tally *sum)
{
	*sum = (struct tally){ 0 };
	for (long i = 0; i < opt->jobs; i++) {
		const struct tally *t = &tallies[i];

		sum->done += t->done;
		sum->failed += t->failed;
		sum->packets += t->packets;
		sum->forwarded += t->forwarded;
		sum->edited += t->edited;
		sum->absorbed += t->absorbed;
		sum->dropped += t->dropped;
		sum->built += t->built;
		sum->wanted += t->wanted;
		sum->inserted += t->inserted;
		sum->asks += t->asks;
		sum->asked += t->asked;
		sum->quotes += t->quotes;
		sum->bytes += t->bytes;
		sum->sim_ns += t->sim_ns;
		if (t->waited_ns > sum->waited_ns)
			sum->waited_ns = t->waited_ns;
	}
}

static void print_sum(const struct sim_options *opt, const struct tally *sum, double s)
{
	printf("seeds %" PRIu64 "-%" PRIu64 ": %" PRIu64 " runs, %" PRIu64 " failed, %.1f s, "
	       "%.0f runs/s\n"
	       "packets %" PRIu64 ", through the box: %" PRIu64 " forwarded (%" PRIu64
	       " with other numbers), %" PRIu64 " absorbed, %" PRIu64 " dropped, %" PRIu64
	       " built\n"
	       "%" PRIu64 " bytes delivered, %" PRIu64 " of %" PRIu64
	       " insertions, longest wait %.1f s, %.0f s simulated\n"
	       "%" PRIu64 " of %" PRIu64 " insertions towards the server, %" PRIu64
	       " ICMP errors translated\n",
	       opt->from, opt->to, sum->done, sum->failed, s, (double)sum->done / s, sum->packets,
	       sum->forwarded, sum->edited, sum->absorbed, sum->dropped, sum->built, sum->bytes,
	       sum->inserted, sum->wanted, (double)sum->waited_ns / 1e9, (double)sum->sim_ns / 1e9,
	       sum->asked, sum->asks, sum->quotes);
}

int sim_seeds(const struct sim_options *opt)
{
	size_t size = (size_t)opt->jobs * sizeof(struct tally);
	struct timespec start, end;
	struct tally *tallies, sum;
	bool fine = true;

	tallies = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (opt->jobs == 1)
		job(opt, 0, &tallies[0]);
	else
		fine = fork_jobs(opt, tallies);
	clock_gettime(CLOCK_MONOTONIC, &end);
	sum_up(opt, tallies, &sum);
	print_sum(opt, &sum,
		  (double)(end.tv_sec - start.tv_sec) +
			  (double)(end.tv_nsec - start.tv_nsec) / 1e9);
	munmap(tallies, size);
	if (!fine)
		printf("a job died\n");
	return fine && sum.failed == 0 ? 0 : 1;
}
