/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are played from what was written down. */
#include "options.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run.h"

static bool play_file(const struct sim_options *opt, const char *path)
{
	struct run_result result;
	struct script script;
	FILE *from = fopen(path, "r");
	int wrong;
	bool fine;

	if (!from) {
		perror(path);
		return false;
	}
	wrong = script_read(&script, from);
	fclose(from);
	if (wrong > 0) {
		printf("FAIL %s: line %d is no script\n", path, wrong);
		script_fini(&script);
		return false;
	}
	script.profile.mistake = opt->mistake;
	fine = run_script(&script, opt->verbose, &result);
	if (!fine)
		printf("FAIL %s at %.6f s: %s\n", path, (double)result.sim_ns / 1e9, result.fault);
	else
		printf("ok %s: %" PRIu64 " packets\n", path, result.packets);
	fflush(stdout);
	script_fini(&script);
	return fine;
}

static int is_script(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".sim") == 0;
}

int sim_scripts(const struct sim_options *opt)
{
	int n, failed = 0;
	struct dirent **names;
	struct stat st;

	if (stat(opt->scripts, &st) == 0 && !S_ISDIR(st.st_mode))
		return play_file(opt, opt->scripts) ? 0 : 1;
	n = scandir(opt->scripts, &names, is_script, alphasort);
	if (n < 0)
		perror(opt->scripts);
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", opt->scripts, names[i]->d_name);
		failed += !play_file(opt, path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	printf("%d scripts, %d failed\n", n > 0 ? n : 0, failed);
	return n > 0 && failed == 0 ? 0 : 1;
}

/* The script as it comes back from a file. */
static bool as_text(struct script *script)
{
	FILE *file = tmpfile();
	int wrong;

	if (!file) {
		perror("tmpfile");
		return false;
	}
	script_write(script, file);
	rewind(file);
	script_fini(script);
	wrong = script_read(script, file);
	fclose(file);
	if (wrong > 0)
		printf("line %d cannot be read again\n", wrong);
	return wrong == 0;
}

static bool alike(const struct run_result *a, const struct run_result *b)
{
	return strcmp(a->fault, b->fault) == 0 && a->packets == b->packets &&
	       a->sim_ns == b->sim_ns && a->c2s_b == b->c2s_b && a->s2c_b == b->s2c_b &&
	       a->wanted == b->wanted && a->inserted == b->inserted &&
	       a->forwarded == b->forwarded && a->edited == b->edited &&
	       a->absorbed == b->absorbed && a->dropped == b->dropped && a->built == b->built;
}

int sim_echo(const struct sim_options *opt)
{
	uint64_t failed = 0;

	for (uint64_t seed = opt->from; seed <= opt->to; seed++) {
		struct run_result first, again;
		struct profile profile;
		struct script script;

		profile_choose(&profile, seed, opt->kind);
		script_init(&script, profile.kind);
		run_profile(&profile, false, &script, &first);
		script.tape.playing = true;
		if (!as_text(&script) || !(run_script(&script, false, &again), true) ||
		    !alike(&first, &again)) {
			printf("FAIL seed %" PRIu64 " (%s): another run when it is played: %" PRIu64
			       " packets, %.6f s; %" PRIu64 " packets, %.6f s\n",
			       seed, profile_name(profile.kind), first.packets,
			       (double)first.sim_ns / 1e9, again.packets,
			       (double)again.sim_ns / 1e9);
			failed++;
		}
		script_fini(&script);
	}
	printf("%" PRIu64 " runs played, %" PRIu64 " failed\n", opt->to - opt->from + 1, failed);
	return failed == 0 ? 0 : 1;
}
