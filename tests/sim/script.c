/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts as text. */
#include "script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8

static const char *const parts[PARTS] = { "client",     "server",     "client>box",
					  "box>server", "server>box", "box>client" };

static const struct {
	const char *name;
	bool is_time;
} kinds[CHOICE_KINDS] = {
	[CHOICE_WRITE] = { "write", false },     [CHOICE_WRITE_GAP] = { "write-gap", true },
	[CHOICE_READ] = { "read", false },       [CHOICE_READ_GAP] = { "read-gap", true },
	[CHOICE_STALL] = { "stall", true },      [CHOICE_WAKE] = { "wake", true },
	[CHOICE_CUT] = { "cut", false },         [CHOICE_LIE] = { "lie", false },
	[CHOICE_CE] = { "marked", false },       [CHOICE_RENEGE] = { "renege", false },
	[CHOICE_FACE] = { "other-face", false }, [CHOICE_AGAIN] = { "again", false },
	[CHOICE_LOST] = { "lost", false },       [CHOICE_TWICE] = { "twice", true },
	[CHOICE_LATE] = { "late", true },
};

static const struct {
	const char *name;
	uint8_t kind;
} frame_kinds[] = {
	{ "data", PROTO_DATA },         { "ctrl", PROTO_CTRL },
	{ "deny", PROTO_DENY },         { "deny-stream", PROTO_DENY_STREAM },
	{ "eat", PROTO_EAT },           { "replace", PROTO_REPL },
	{ "settings", PROTO_SETTINGS }, { "head", PROTO_HEAD },
	{ "ask", PROTO_ASK },
};
#define N_FRAME_KINDS (sizeof(frame_kinds) / sizeof(frame_kinds[0]))

void script_init(struct script *script, enum profile_kind kind)
{
	*script = (struct script){ .profile.kind = kind, .tape.playing = true };
	settings_default(&script->profile);
}

void script_fini(struct script *script)
{
	tape_fini(&script->tape);
	free(script->frames[0].frames);
	free(script->frames[1].frames);
	free(script->attacks.attacks);
	*script = (struct script){ 0 };
}

struct script script_copy(const struct script *script)
{
	struct script copy = *script;

	copy.tape.choices = NULL;
	copy.tape.n = copy.tape.cap = 0;
	copy.attacks = (struct attack_list){ 0 };
	for (uint32_t i = 0; i < script->tape.n; i++)
		tape_add(&copy.tape, &script->tape.choices[i]);
	for (uint32_t i = 0; i < script->attacks.n; i++)
		attack_add(&copy.attacks, &script->attacks.attacks[i]);
	for (int dir = 0; dir < 2; dir++) {
		copy.frames[dir] = (struct proto_frames){ .cut_b = script->frames[dir].cut_b };
		for (uint32_t i = 0; i < script->frames[dir].n; i++)
			proto_add(&copy.frames[dir], &script->frames[dir].frames[i]);
	}
	return copy;
}

/* Room for a frame that is held whole, and for an insertion. */
static void repair_windows(struct script *script)
{
	struct profile *p = &script->profile;

	for (int dir = 0; dir < 2; dir++) {
		struct ep_cfg *to = dir == WK_C2S ? &p->server : &p->client;

		for (uint32_t i = 0; i < script->frames[dir].n; i++) {
			const struct proto_frame *f = &script->frames[dir].frames[i];

			if (f->kind != PROTO_DATA && f->kind != PROTO_DENY_STREAM &&
			    f->kind != PROTO_EAT && f->kind != PROTO_HEAD &&
			    to->rcvbuf_b < 2 * f->len_b + 400)
				to->rcvbuf_b = 2 * f->len_b + 400;
		}
		while (to->shift > 0 && (1u << to->shift) > to->rcvbuf_b / 16)
			to->shift--;
	}
	if (p->insert_max_b > p->client.rcvbuf_b / 4)
		p->insert_max_b = p->client.rcvbuf_b / 4;
	if (p->ask_max_b > p->server.rcvbuf_b / 4)
		p->ask_max_b = p->server.rcvbuf_b / 4;
	if (p->limits.hold_b < 10000u + p->client.mss)
		p->limits.hold_b = 10000u + p->client.mss;
}

void script_repair(struct script *script)
{
	struct proto_frames *s2c = &script->frames[WK_S2C];
	struct proto_frame first = { .kind = PROTO_SETTINGS };
	struct profile *p = &script->profile;

	if (s2c->n == 0 || s2c->frames[0].kind != PROTO_SETTINGS) {
		proto_add(s2c, &first);
		memmove(&s2c->frames[1], &s2c->frames[0], (s2c->n - 1) * sizeof(first));
		s2c->frames[0] = first;
	}
	if (s2c->frames[s2c->n - 1].kind == PROTO_HEAD)
		s2c->frames[s2c->n - 1].kind = PROTO_DATA;
	s2c->cut_b = 0;
	if (p->client.lie_permille > 0)
		p->server.strict = false;
	repair_windows(script);
	tape_sort(&script->tape);
}

static void write_frame(enum wk_dir dir, const struct proto_frame *frame, FILE *to)
{
	const char *name = "?";

	for (uint32_t i = 0; i < N_FRAME_KINDS; i++)
		if (frame_kinds[i].kind == frame->kind)
			name = frame_kinds[i].name;
	fprintf(to, "frame %s %s %u", dir == WK_C2S ? "c2s" : "s2c", name, frame->len_b);
	if (frame->kind == PROTO_REPL)
		fprintf(to, " to %u", frame->to_b);
	fputs(frame->patch ? " patch\n" : "\n", to);
}

static void write_choice(const struct choice *choice, FILE *to)
{
	fprintf(to, "%s %s %u", parts[choice->part], kinds[choice->kind].name, choice->n);
	if (kinds[choice->kind].is_time) {
		fputc(' ', to);
		time_write(choice->value, to);
	} else if (choice->value != 1) {
		fprintf(to, " %" PRIu64, choice->value);
	}
	fprintf(to, "%s%s\n", choice->note[0] ? "   # " : "", choice->note);
}

void script_write(const struct script *script, FILE *to)
{
	struct profile plain = script->profile;

	settings_default(&plain);
	fprintf(to, "profile %s\nend %s\n", profile_name(script->profile.kind),
		profile_end_name(script->profile.end));
	for (uint32_t i = 0; i < n_settings; i++) {
		uint64_t value = setting_get(&settings[i], &script->profile);

		if (value != setting_get(&settings[i], &plain))
			setting_write(&settings[i], value, to);
	}
	for (int dir = 0; dir < 2; dir++) {
		for (uint32_t i = 0; i < script->frames[dir].n; i++)
			write_frame((enum wk_dir)dir, &script->frames[dir].frames[i], to);
		if (script->frames[dir].cut_b > 0)
			fprintf(to, "cut-off %u\n", script->frames[dir].cut_b);
	}
	for (uint32_t i = 0; i < script->tape.n; i++)
		write_choice(&script->tape.choices[i], to);
	for (uint32_t i = 0; i < script->attacks.n; i++) {
		const struct attack *a = &script->attacks.attacks[i];

		fputs("attack ", to);
		time_write(a->at_ns, to);
		fprintf(to, " %s of %u %" PRId64 "\n", attack_name((enum attack_kind)a->kind),
			a->of, a->arg);
	}
}

uint32_t script_lines(const struct script *script)
{
	char *text = NULL;
	size_t size = 0;
	uint32_t lines = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	script_write(script, to);
	fclose(to);
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	free(text);
	return lines;
}

static bool read_u32(const char *word, uint32_t *value)
{
	uint64_t wide;

	if (!word || !value_read(word, &wide) || wide > UINT32_MAX)
		return false;
	*value = (uint32_t)wide;
	return true;
}

static bool read_setting(struct script *script, char **word, int n)
{
	uint64_t value;

	for (uint32_t i = 0; i < n_settings && n == 3; i++) {
		if (strcmp(settings[i].name, word[1]) != 0)
			continue;
		if (!value_read(word[2], &value))
			return false;
		setting_put(&settings[i], &script->profile, value);
		return true;
	}
	return false;
}

static bool read_frame(struct script *script, char **word, int n)
{
	struct proto_frame frame = { 0 };
	bool c2s = n > 3 && strcmp(word[1], "c2s") == 0;

	if (n < 4 || (!c2s && strcmp(word[1], "s2c") != 0) || !read_u32(word[3], &frame.len_b))
		return false;
	for (uint32_t i = 0; i < N_FRAME_KINDS; i++)
		if (strcmp(frame_kinds[i].name, word[2]) == 0)
			frame.kind = frame_kinds[i].kind;
	if (frame.kind == 0 || frame.len_b > 1u << 24)
		return false;
	if (frame.kind == PROTO_REPL) {
		if (n != 6 || strcmp(word[4], "to") != 0 || !read_u32(word[5], &frame.to_b))
			return false;
	} else if (n == 5 && strcmp(word[4], "patch") == 0) {
		frame.patch = true;
	} else if (n != 4) {
		return false;
	}
	proto_add(&script->frames[c2s ? WK_C2S : WK_S2C], &frame);
	return true;
}

static bool read_attack(struct script *script, char **word, int n)
{
	struct attack attack = { 0 };

	if (n != 6 || !value_read(word[1], &attack.at_ns) || strcmp(word[3], "of") != 0 ||
	    !read_u32(word[4], &attack.of))
		return false;
	attack.kind = (uint8_t)attack_by_name(word[2]);
	attack.arg = strtoll(word[5], NULL, 10);
	attack_add(&script->attacks, &attack);
	return attack.kind < ATTACK_KINDS;
}

static bool read_choice(struct script *script, char **word, int n)
{
	struct choice choice = { .part = PARTS, .kind = CHOICE_KINDS, .value = 1 };

	for (uint8_t i = 0; i < PARTS; i++)
		if (strcmp(parts[i], word[0]) == 0)
			choice.part = i;
	for (uint8_t i = 0; n > 1 && i < CHOICE_KINDS; i++)
		if (strcmp(kinds[i].name, word[1]) == 0)
			choice.kind = i;
	if (choice.part == PARTS || choice.kind == CHOICE_KINDS || n < 3 || n > 4 ||
	    !read_u32(word[2], &choice.n) || (n == 4 && !value_read(word[3], &choice.value)))
		return false;
	tape_add(&script->tape, &choice);
	return true;
}

static bool read_line(struct script *script, char **word, int n)
{
	if (strcmp(word[0], "profile") == 0) {
		script->profile.kind = n == 2 ? profile_by_name(word[1]) : PROFILES;
		return script->profile.kind < PROFILES;
	}
	if (strcmp(word[0], "end") == 0) {
		script->profile.end = n == 2 ? profile_end_by_name(word[1]) : ENDS;
		return script->profile.end < ENDS;
	}
	if (strcmp(word[0], "set") == 0)
		return read_setting(script, word, n);
	if (strcmp(word[0], "frame") == 0)
		return read_frame(script, word, n);
	if (strcmp(word[0], "cut-off") == 0)
		return n == 2 && read_u32(word[1], &script->frames[WK_C2S].cut_b);
	if (strcmp(word[0], "attack") == 0)
		return read_attack(script, word, n);
	return read_choice(script, word, n);
}

int script_read(struct script *script, FILE *from)
{
	char line[1000], *word[WORDS_MAX], *rest;
	int number = 0;

	script_init(script, PROFILE_EDIT);
	while (fgets(line, sizeof(line), from)) {
		int n = 0;

		number++;
		line[strcspn(line, "#\n")] = 0;
		for (char *w = strtok_r(line, " \t", &rest); w && n < WORDS_MAX;
		     w = strtok_r(NULL, " \t", &rest))
			word[n++] = w;
		if (n > 0 && !read_line(script, word, n))
			return number;
	}
	script_repair(script);
	return 0;
}
