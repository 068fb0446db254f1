/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - one run written down: settings, frames, decisions, attacks, a line each. What is not
 * said is the plain case. Played, it needs no chance. docs/testing.md has the form. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "choice.h"
#include "noise.h"
#include "profile.h"
#include "proto.h"

struct script {
	struct profile profile; /* settings */
	struct proto_frames frames[2];
	struct tape tape;
	struct attack_list attacks;
};

/* A run with nothing in it, of this kind. */
void script_init(struct script *script, enum profile_kind kind);
void script_fini(struct script *script);
struct script script_copy(const struct script *script);
/* Undoes what would make no run: frames in the wrong place, windows that are too small. */
void script_repair(struct script *script);

void script_write(const struct script *script, FILE *to);
/* @return 0 on success, otherwise the number of the line that is wrong. */
int script_read(struct script *script, FILE *from);
uint32_t script_lines(const struct script *script);

/* script_settings.c: what a profile says besides its kind. */
struct setting {
	const char *name;
	uint32_t at; /* in struct profile */
	uint8_t size_b;
	bool is_time;
};
extern const struct setting settings[];
extern const uint32_t n_settings;
uint64_t setting_get(const struct setting *setting, const struct profile *profile);
void setting_put(const struct setting *setting, struct profile *profile, uint64_t value);
/* The plain case of all of them. */
void settings_default(struct profile *profile);
void setting_write(const struct setting *setting, uint64_t value, FILE *to);
/* Reads a number or a time. @return false when the word is neither. */
bool value_read(const char *word, uint64_t *value);
void time_write(uint64_t ns, FILE *to);
