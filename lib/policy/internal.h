/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of lib/policy share: the compiled form.
 *
 * One open-addressing table over all services. Its keys are prefixes of paths whose last byte says
 * what they are: "/pkg.Svc/Method" a method, "/pkg.Svc/" a service, "/pkg." a package. A path is
 * therefore hashed once, from left to right, and looked up where a key may end. Each entry has one
 * bit a rule for "allows it" and one for "denies it", to be met with the bits of the source. */
#pragma once

#include <stddef.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

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

/* How a text is compared with one of the operator's. */
struct matcher {
	const char *text; /* as in the file */
	uint32_t len_b;
	bool suffix;      /* "*.domain": text begins at the dot */
	bool port;        /* AUTHORITY: the text has a port */
	pcre2_code *code; /* an expression, or NULL */
};

/* A condition on a header field. */
struct header {
	const char *name;
	uint32_t name_len_b;
	bool any; /* it only has to be there */
	struct matcher value;
};

/* An expression for paths, with the rules that have it. */
struct regex {
	const char *text; /* with its "regex:" */
	pcre2_code *code;
	uint64_t allow[RULE_WORDS];
	uint64_t deny[RULE_WORDS];
};

struct rule {
	const char *name;
	const char *file;
	uint32_t line;
	const struct wk_prefix *from;
	uint32_t n_from;
	const uint16_t *vlans;
	uint32_t n_vlans;
	uint32_t wires;
	uint64_t authorities; /* bits of the service's, one of which must be met; 0: none asked */
	uint64_t headers;     /* all of which must be */
	bool has_reply;
	enum wk_policy_reply reply;
};

struct service {
	struct wk_policy_service pub;
	const struct rule *rules;
	uint32_t max_package_b; /* longest "/pkg." key, 0: none */
	uint32_t max_key_b;     /* longest key of any kind */
	struct regex *regexes;
	uint32_t n_regexes;
	struct header *headers;
	uint32_t n_headers;
	struct matcher *authorities;
	uint32_t n_authorities;
	uint64_t conditional[RULE_WORDS]; /* rules with conditions on the request */
};

struct wk_policy {
	uint64_t version;
	struct service *services;
	uint32_t n_services;
	uint32_t mask; /* slots - 1 */
	struct entry *table;
	struct rule *rules;
	struct wk_prefix *prefixes;
	uint16_t *vlans;
	struct regex *regexes;
	uint32_t n_regexes; /* places; those that are not used have no code */
	struct header *headers;
	uint32_t n_headers;
	struct matcher *authorities;
	uint32_t n_authorities;
	char *text; /* every string */
};

enum pattern_kind {
	PATTERN_METHOD,
	PATTERN_SERVICE,
	PATTERN_PACKAGE,
	PATTERN_GROUP,
	PATTERN_REGEX,
};

/* What stands in front of an expression. */
#define REGEX_MARK "regex:"
static inline bool is_regex(const char *pattern)
{
	return strncmp(pattern, REGEX_MARK, sizeof(REGEX_MARK) - 1) == 0;
}

/* regex.c. @return NULL and *why (static or in buf[size_b]). */
pcre2_code *wk_policy_regex_compile(const char *pattern, char *buf, size_t size_b);
/* Does the whole text match? An expression that gives up sets *limit and does not. */
bool wk_policy_regex_match(struct wk_policy_scratch *scratch, const pcre2_code *code,
			   const char *text, uint32_t len_b, bool *limit);
/* The bits of all expressions of a service that a path meets, from the cache if they are there. */
void wk_policy_regex_gather(const struct wk_policy *policy, uint32_t service, const char *path,
			    uint32_t len_b, struct wk_policy_scratch *scratch, uint64_t *allow,
			    uint64_t *deny, bool *limit);

/* condition.c: what a request has of the conditions of a service. */
struct facts {
	uint64_t authorities;
	bool unnamed;         /* no authority at all: its server may take it for any */
	uint64_t headers_all; /* there, and each field of the name meets it */
	uint64_t headers_any; /* one of them does */
	bool split;           /* :authority and host do not agree, or name a user */
	bool limit;           /* an expression gave up */
};
void wk_policy_facts(const struct service *service, const struct wk_policy_request *request,
		     struct wk_policy_scratch *scratch, struct facts *facts);
/* @return NULL, or what is wrong with it. */
const char *wk_policy_authority_error(const char *pattern);
const char *wk_policy_header_error(const struct wk_policy_header_in *header);

/* @return NULL and *kind, or what is wrong. An expression is not compiled here. */
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
