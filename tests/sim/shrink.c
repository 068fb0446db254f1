/* SPDX-License-Identifier: Apache-2.0 */
/* A failing run, made short: leaves out what it fails without, makes the rest plain (delta
 * debugging), until nothing more can go or the attempts are used up. An attempt counts if the run
 * still fails with the same words, numbers aside. */
#include "options.h"

#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

#define ATTEMPT_S      20 /* a run that takes longer hangs */
#define SHARED_CHOICES (1u << 20)
#define SHARED_ATTACKS (1u << 16)
#define SHARED_FRAMES  4096u

enum list_kind {
	LIST_CHOICES = 0,
	LIST_ATTACKS,
	LIST_C2S,
	LIST_S2C,
	LISTS,
};

struct list {
	uint8_t *items;
	uint32_t *n;
	size_t size;
};

struct shrink {
	struct script best;
	char fault[sizeof(((struct run_result *)NULL)->fault)];
	struct run_result *shared; /* an attempt is a process: it may crash */
	uint32_t attempts, budget;
};

static struct list list_of(struct script *script, enum list_kind kind)
{
	struct proto_frames *frames = &script->frames[kind == LIST_C2S ? WK_C2S : WK_S2C];

	switch (kind) {
	case LIST_CHOICES:
		return (struct list){ (uint8_t *)script->tape.choices, &script->tape.n,
				      sizeof(struct choice) };
	case LIST_ATTACKS:
		return (struct list){ (uint8_t *)script->attacks.attacks, &script->attacks.n,
				      sizeof(struct attack) };
	default:
		return (struct list){ (uint8_t *)frames->frames, &frames->n,
				      sizeof(struct proto_frame) };
	}
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '-';
}

/* A number, or a byte in hex. */
static bool is_number(const char *word, size_t len)
{
	bool hex = len <= 2;

	for (size_t i = 0; i < len; i++) {
		if (isdigit((unsigned char)word[i]))
			return true;
		hex &= isxdigit((unsigned char)word[i]) != 0;
	}
	return hex;
}

/* The same words, numbers aside. */
static bool same_fault(const char *a, const char *b)
{
	while (*a && *b) {
		size_t n = 0, m = 0;

		while (in_word(a[n]))
			n++;
		while (in_word(b[m]))
			m++;
		if (n == 0 || m == 0) {
			if (*a++ != *b++)
				return false;
			continue;
		}
		if (!(is_number(a, n) && is_number(b, m)) && (n != m || memcmp(a, b, n) != 0))
			return false;
		a += n;
		b += m;
	}
	return *a == *b;
}

/* Runs the script, or what chance makes of a profile, in a process of its own. */
static void attempt(struct shrink *shrink, struct script *script, const struct profile *profile)
{
	int status;
	pid_t pid;

	shrink->attempts++;
	*shrink->shared = (struct run_result){ 0 };
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0) {
		struct run_result result;

		alarm(ATTEMPT_S);
		if (profile)
			run_profile(profile, false, script, &result);
		else
			run_script(script, false, &result);
		*shrink->shared = result;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		snprintf(shrink->shared->fault, sizeof(shrink->shared->fault),
			 "ended by signal %d: %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(shrink->shared->fault, sizeof(shrink->shared->fault),
			 "ended with status %d", WEXITSTATUS(status));
}

static bool same_list(struct script *a, struct script *b, enum list_kind kind)
{
	struct list x = list_of(a, kind), y = list_of(b, kind);

	return *x.n == *y.n && (*x.n == 0 || memcmp(x.items, y.items, *x.n * x.size) == 0);
}

static bool same_script(struct script *a, struct script *b)
{
	bool same = a->profile.kind == b->profile.kind && a->profile.end == b->profile.end &&
		    a->frames[WK_C2S].cut_b == b->frames[WK_C2S].cut_b;

	for (uint32_t i = 0; i < n_settings; i++)
		same &= setting_get(&settings[i], &a->profile) ==
			setting_get(&settings[i], &b->profile);
	for (int i = 0; i < LISTS; i++)
		same &= same_list(a, b, (enum list_kind)i);
	return same;
}

/* Takes the candidate (ownership passes) if it is another and fails in the same way. */
static bool better(struct shrink *shrink, struct script *candidate)
{
	script_repair(candidate);
	if (shrink->attempts < shrink->budget && !same_script(candidate, &shrink->best)) {
		attempt(shrink, candidate, NULL);
		if (same_fault(shrink->shared->fault, shrink->fault)) {
			script_fini(&shrink->best);
			shrink->best = *candidate;
			return true;
		}
	}
	script_fini(candidate);
	return false;
}

/* Leaves out items, many at once where that works. */
static bool leave_out(struct shrink *shrink, enum list_kind kind)
{
	uint32_t chunk = *list_of(&shrink->best, kind).n;
	bool any = false;

	while (chunk > 0) {
		for (uint32_t at = 0; at < *list_of(&shrink->best, kind).n;) {
			struct script candidate = script_copy(&shrink->best);
			struct list list = list_of(&candidate, kind);
			uint32_t n = *list.n - at < chunk ? *list.n - at : chunk;

			memmove(list.items + at * list.size, list.items + (at + n) * list.size,
				(*list.n - at - n) * list.size);
			*list.n -= n;
			if (better(shrink, &candidate))
				any = true;
			else
				at += chunk;
			if (shrink->attempts >= shrink->budget)
				return any;
		}
		chunk = chunk > 1 ? (chunk + 1) / 2 : 0;
	}
	return any;
}

static bool plain_settings(struct shrink *shrink)
{
	struct profile plain = shrink->best.profile;
	struct script candidate = script_copy(&shrink->best);
	bool any = false;

	settings_default(&plain);
	for (uint32_t i = 0; i < n_settings; i++)
		setting_put(&settings[i], &candidate.profile, setting_get(&settings[i], &plain));
	if (better(shrink, &candidate))
		return true;
	for (uint32_t i = 0; i < n_settings; i++) {
		uint64_t value = setting_get(&settings[i], &plain);

		if (setting_get(&settings[i], &shrink->best.profile) == value)
			continue;
		candidate = script_copy(&shrink->best);
		setting_put(&settings[i], &candidate.profile, value);
		any |= better(shrink, &candidate);
	}
	return any;
}

/* A time, rounded down: to 100 ms, 10 ms, 1 ms, 100 us. Never up, or it might go on for ever. */
static uint64_t rounder(uint64_t ns, int step)
{
	static const uint64_t units[] = { 100000000, 10000000, 1000000, 100000 };
	uint64_t unit = units[step];

	return ns / unit * unit;
}

static bool round_settings(struct shrink *shrink)
{
	bool any = false;

	for (uint32_t i = 0; i < n_settings; i++) {
		struct profile plain = shrink->best.profile;
		uint64_t value = setting_get(&settings[i], &shrink->best.profile);

		settings_default(&plain);
		if (!settings[i].is_time || value == setting_get(&settings[i], &plain) ||
		    value == NEVER)
			continue;
		for (int step = 0; step < 4; step++) {
			uint64_t to = rounder(value, step);
			struct script candidate;

			if (to == 0 || to == value)
				continue;
			candidate = script_copy(&shrink->best);
			setting_put(&settings[i], &candidate.profile, to);
			if (better(shrink, &candidate)) {
				any = true;
				break;
			}
		}
	}
	return any;
}

/* Makes a length as small as it may be. */
static bool lower(struct shrink *shrink, uint32_t *(*length)(struct script *, uint32_t), uint32_t i)
{
	uint32_t low = 0, value = *length(&shrink->best, i);
	bool any = false;

	while (low < value && shrink->attempts < shrink->budget) {
		uint32_t to = low == 0 && !any ? 0 : low + (value - low) / 2;
		struct script candidate = script_copy(&shrink->best);

		*length(&candidate, i) = to;
		if (better(shrink, &candidate)) {
			value = to;
			any = true;
		} else {
			low = to + 1;
		}
	}
	return any;
}

static uint32_t *frame_length(struct script *script, uint32_t i)
{
	struct proto_frames *c2s = &script->frames[WK_C2S], *s2c = &script->frames[WK_S2C];

	return i < c2s->n ? &c2s->frames[i].len_b : &s2c->frames[i - c2s->n].len_b;
}

static uint32_t *replacement_length(struct script *script, uint32_t i)
{
	return &script->frames[WK_C2S].frames[i].to_b;
}

static uint32_t *cut_off(struct script *script, uint32_t i)
{
	(void)i;
	return &script->frames[WK_C2S].cut_b;
}

static uint32_t *attack_of(struct script *script, uint32_t i)
{
	return &script->attacks.attacks[i].of;
}

/* Attacks earlier, with earlier packets: what comes later can go then. */
static bool lower_attacks(struct shrink *shrink)
{
	bool any = false;

	for (uint32_t i = 0; i < shrink->best.attacks.n; i++) {
		struct script candidate;

		any |= lower(shrink, attack_of, i);
		do {
			candidate = script_copy(&shrink->best);
			candidate.attacks.attacks[i].at_ns /= 2;
		} while (better(shrink, &candidate));
	}
	return any;
}

static bool lower_frames(struct shrink *shrink)
{
	uint32_t n = shrink->best.frames[WK_C2S].n + shrink->best.frames[WK_S2C].n;
	bool any = lower(shrink, cut_off, 0);

	for (uint32_t i = 0; i < n; i++)
		any |= lower(shrink, frame_length, i);
	for (uint32_t i = 0; i < shrink->best.frames[WK_C2S].n; i++)
		any |= lower(shrink, replacement_length, i);
	return any;
}

static bool is_time(enum choice_kind kind)
{
	return kind == CHOICE_WRITE_GAP || kind == CHOICE_READ_GAP || kind == CHOICE_STALL ||
	       kind == CHOICE_WAKE || kind == CHOICE_LATE || kind == CHOICE_TWICE;
}

static bool round_times(struct shrink *shrink)
{
	bool any = false;

	for (uint32_t i = 0; i < shrink->best.tape.n + shrink->best.attacks.n; i++) {
		bool choice = i < shrink->best.tape.n;
		uint32_t at = i - shrink->best.tape.n;
		uint64_t value = choice ? shrink->best.tape.choices[i].value
					: shrink->best.attacks.attacks[at].at_ns;

		if (choice && !is_time((enum choice_kind)shrink->best.tape.choices[i].kind))
			continue;
		for (int step = -1; step < 4; step++) {
			uint64_t to = step < 0 ? 1 : rounder(value, step);
			struct script candidate;

			if (to == 0 || to >= value)
				continue;
			candidate = script_copy(&shrink->best);
			if (choice)
				candidate.tape.choices[i].value = to;
			else
				candidate.attacks.attacks[at].at_ns = to;
			if (better(shrink, &candidate)) {
				any = true;
				break;
			}
		}
	}
	return any;
}

/* The plain profile with the plain end. */
static bool plain_kind(struct shrink *shrink)
{
	struct script candidate;
	bool any = false;

	if (shrink->best.profile.kind != PROFILE_EDIT) {
		candidate = script_copy(&shrink->best);
		candidate.profile.kind = PROFILE_EDIT;
		any |= better(shrink, &candidate);
	}
	if (shrink->best.profile.end != END_BOTH) {
		candidate = script_copy(&shrink->best);
		candidate.profile.end = END_BOTH;
		any |= better(shrink, &candidate);
	}
	return any;
}

static void shrink_all(struct shrink *shrink)
{
	bool any = true;

	while (any && shrink->attempts < shrink->budget) {
		any = leave_out(shrink, LIST_ATTACKS);
		any |= lower_attacks(shrink);
		any |= leave_out(shrink, LIST_C2S);
		any |= leave_out(shrink, LIST_S2C);
		for (int i = 0; i < LISTS; i++)
			any |= leave_out(shrink, (enum list_kind)i);
		any |= plain_kind(shrink);
		any |= plain_settings(shrink);
		if (any)
			continue;
		any |= lower_frames(shrink);
		any |= round_times(shrink);
		any |= round_settings(shrink);
	}
}

/* Memory that a process which crashes leaves its notes in. */
static void *shared_b(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static struct script *shared_script(void)
{
	struct script *script = shared_b(sizeof(*script));

	script_init(script, PROFILE_EDIT);
	script->tape.cap = SHARED_CHOICES;
	script->tape.choices = shared_b(SHARED_CHOICES * sizeof(struct choice));
	script->attacks.cap = SHARED_ATTACKS;
	script->attacks.attacks = shared_b(SHARED_ATTACKS * sizeof(struct attack));
	for (int i = 0; i < 2; i++) {
		script->frames[i].cap = SHARED_FRAMES;
		script->frames[i].frames = shared_b(SHARED_FRAMES * sizeof(struct proto_frame));
	}
	return script;
}

/* Looks for the first seed that fails. */
static bool find(const struct sim_options *opt, struct shrink *shrink, uint64_t *seed)
{
	struct script *script = shared_script();

	for (*seed = opt->from; *seed <= opt->to; ++*seed) {
		struct profile profile;

		profile_choose(&profile, *seed, opt->kind);
		profile.mistake = opt->mistake;
		script->tape.n = script->attacks.n = 0;
		attempt(shrink, script, &profile);
		if (!shrink->shared->fault[0])
			continue;
		shrink->best = script_copy(script);
		shrink->best.tape.playing = true;
		script_repair(&shrink->best);
		memcpy(shrink->fault, shrink->shared->fault, sizeof(shrink->fault));
		return true;
	}
	return false;
}

/* Without its mistake on purpose the script must pass. */
static bool passes_without_mistake(struct shrink *shrink)
{
	struct script copy = script_copy(&shrink->best);
	bool passes;

	copy.profile.mistake = MISTAKE_NONE;
	attempt(shrink, &copy, NULL);
	passes = !shrink->shared->fault[0];
	if (!passes)
		printf("without the mistake: %s\n", shrink->shared->fault);
	script_fini(&copy);
	return passes;
}

/* Plays it once more, for the notes. */
static void annotate(struct shrink *shrink)
{
	struct run_result result;

	if (strncmp(shrink->fault, "ended ", 6) != 0)
		run_script(&shrink->best, false, &result);
}

static bool print(const struct sim_options *opt, const struct shrink *shrink, uint64_t seed)
{
	FILE *to = opt->out ? fopen(opt->out, "w") : stdout;

	if (!to) {
		perror(opt->out);
		return false;
	}
	fprintf(to, "# seed %" PRIu64 " (%s): %s\n", seed, profile_name(opt->kind), shrink->fault);
	script_write(&shrink->best, to);
	return to == stdout || fclose(to) == 0;
}

int sim_shrink(const struct sim_options *opt)
{
	struct shrink shrink = { .shared = shared_b(sizeof(struct run_result)) };
	uint32_t before, lines;
	uint64_t seed;
	bool fine;

	if (!find(opt, &shrink, &seed)) {
		printf("no seed fails\n");
		return 1;
	}
	printf("seed %" PRIu64 ": %s\n", seed, shrink.fault);
	before = script_lines(&shrink.best);
	attempt(&shrink, &shrink.best, NULL);
	if (!same_fault(shrink.shared->fault, shrink.fault)) {
		printf("written down it fails in another way: %s\n", shrink.shared->fault);
		return 1;
	}
	shrink.attempts = 0;
	shrink.budget = opt->attempts;
	shrink_all(&shrink);
	annotate(&shrink);
	lines = script_lines(&shrink.best);
	fine = print(opt, &shrink, seed);
	printf("%u lines of %u, %u attempts\n", lines, before, shrink.attempts);
	if (opt->mistake)
		fine &= passes_without_mistake(&shrink);
	script_fini(&shrink.best);
	return fine && (opt->most_lines == 0 || lines <= opt->most_lines) ? 0 : 1;
}
