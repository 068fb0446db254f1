/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of lib/policy share: the compiled form.
 *
 * One open-addressing table over all services. Its keys are prefixes of paths whose last byte says
 * what they are: "/pkg.Svc/Method" a method, "/pkg.Svc/" a service, "/pkg." a package. A path is
 * therefore hashed once, from left to right, and looked up where a key may end. Each entry has one
 * bit a rule for "allows it" and one for "denies it", to be met with the bits of the source. */
#pragma once

#include <stddef.h>

#include "wk_policy.h"

#define RULE_WORDS (WK_POLICY_RULES_MAX / 64u)
/* Of a pattern in the file, not of a path on the wire. */
#define PATTERN_MAX_B 1024u

struct entry {
	const char *key; /* NULL: free slot */
	uint32_t len_b;
	uint32_t hash;
	uint32_t service;
	uint64_t allow[RULE_WORDS];
	uint64_t deny[RULE_WORDS];
};

struct rule {
	const char *name;
	const char *file;
	uint32_t line;
	const struct wk_prefix *from;
	uint32_t n_from;
};

struct service {
	struct wk_policy_service pub;
	const struct rule *rules;
	uint32_t max_package_b; /* longest "/pkg." key, 0: none */
	uint32_t max_key_b;     /* longest key of any kind */
};

struct wk_policy {
	uint64_t version;
	struct service *services;
	uint32_t n_services;
	uint32_t mask; /* slots - 1 */
	struct entry *table;
	struct rule *rules;
	struct wk_prefix *prefixes;
	char *text; /* every string */
};

enum pattern_kind { PATTERN_METHOD, PATTERN_SERVICE, PATTERN_PACKAGE, PATTERN_GROUP };

/* @return NULL and *kind, or what is wrong. */
const char *wk_policy_pattern_kind(const char *pattern, enum pattern_kind *kind);
/* The patterns that an @group stands for, NULL-terminated; NULL when there is no such group. */
const char *const *wk_policy_group(const char *name);

/* FNV-1a: byte by byte, so that the hash of each prefix comes for free. Keys are the operator's;
 * what an attacker chooses is only looked up. */
static inline uint32_t hash_begin(uint32_t service)
{
	return (2166136261u ^ service) * 16777619u;
}

static inline uint32_t hash_add(uint32_t hash, char c)
{
	return (hash ^ (uint8_t)c) * 16777619u;
}

/* FNV's low bits are weak where the last bytes differ little. */
static inline uint32_t hash_end(uint32_t hash)
{
	hash ^= hash >> 16;
	hash *= 0x85ebca6bu;
	return hash ^ (hash >> 13);
}

/* The slot of a key, or the free one where it would go. */
struct entry *wk_policy_slot(const struct wk_policy *policy, uint32_t service, const char *key,
			     uint32_t len_b, uint32_t hash);
