/* SPDX-License-Identifier: Apache-2.0 */
/* regex.c - expressions for paths, authorities and header values, by PCRE2.
 *
 * The expression is the operator's, the text an attacker's: a match has a bounded number of steps,
 * takes its memory from the lcore's arena, and what it said of a path is remembered, so that a path
 * that is called all the time costs a compare. Nothing is matched but whole texts. */
#include <stdio.h>

#include "internal.h"

/* Paths that are remembered: in sets of WAYS, so that a few that collide do not chase each other
 * away. A longer path is matched each time. */
#define CACHE_SETS   64u
#define CACHE_WAYS   4u
#define CACHE_PATH_B 120u
/* What a match may take of the arena, in KiB. */
#define HEAP_KIB 64u

struct seen {
	uint64_t version; /* of the policy; 0: free */
	uint32_t service;
	uint32_t hash;
	uint32_t len_b;
	char path[CACHE_PATH_B];
	uint64_t allow[RULE_WORDS];
	uint64_t deny[RULE_WORDS];
};

struct wk_policy_scratch {
	pcre2_general_context *general;
	pcre2_match_context *match;
	pcre2_match_data *data;
	uint8_t next[CACHE_SETS]; /* the way that goes first */
	struct seen seen[CACHE_SETS][CACHE_WAYS];
};

static void *take(size_t size_b, void *mem)
{
	return wk_mem_alloc(mem, size_b);
}

static void give(void *block, void *mem)
{
	wk_mem_free(mem, block);
}

/* PCRE2 takes its first frames at the first match and keeps them: so they are taken at the start,
 * when there is room. */
static bool warm_up(struct wk_policy_scratch *scratch)
{
	PCRE2_SIZE at;
	int err, rc = PCRE2_ERROR_NOMEMORY;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR) "a", 1, 0, &err, &at, NULL);

	if (code != NULL)
		rc = pcre2_match(code, (PCRE2_SPTR) "a", 1, 0, 0, scratch->data, scratch->match);
	pcre2_code_free(code);
	return rc > 0;
}

struct wk_policy_scratch *wk_policy_scratch_create(struct wk_mem *mem, uint32_t match_limit)
{
	struct wk_policy_scratch *scratch = wk_mem_calloc(mem, 1, sizeof(*scratch));

	if (scratch == NULL)
		return NULL;
	scratch->general = pcre2_general_context_create(take, give, mem);
	if (scratch->general != NULL) {
		scratch->match = pcre2_match_context_create(scratch->general);
		scratch->data = pcre2_match_data_create(1, scratch->general);
	}
	if (scratch->match != NULL && scratch->data != NULL) {
		pcre2_set_match_limit(scratch->match, match_limit);
		pcre2_set_depth_limit(scratch->match, match_limit);
		pcre2_set_heap_limit(scratch->match, HEAP_KIB);
		if (warm_up(scratch))
			return scratch;
	}
	wk_policy_scratch_free(scratch, mem);
	return NULL;
}

void wk_policy_scratch_free(struct wk_policy_scratch *scratch, struct wk_mem *mem)
{
	if (scratch == NULL)
		return;
	pcre2_match_data_free(scratch->data);
	pcre2_match_context_free(scratch->match);
	pcre2_general_context_free(scratch->general);
	wk_mem_free(mem, scratch);
}

pcre2_code *wk_policy_regex_compile(const char *pattern, char *buf, size_t size_b)
{
	const char *text = pattern + sizeof(REGEX_MARK) - 1;
	pcre2_code *code = NULL;
	PCRE2_UCHAR why[96];
	PCRE2_SIZE at = 0;
	int err = 0;

	/* Bytes, not characters: what is on the wire is compared as it stands. */
	if (*text != '\0')
		code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
				     PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
					     PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C |
					     PCRE2_NO_AUTO_CAPTURE,
				     &err, &at, NULL);
	if (code != NULL)
		return code;
	if (*text == '\0')
		snprintf(buf, size_b, "an empty expression");
	else if (pcre2_get_error_message(err, why, sizeof(why)) > 0)
		snprintf(buf, size_b, "%s, at character %zu of the expression", (const char *)why,
			 at + 1);
	else
		snprintf(buf, size_b, "an expression that PCRE2 does not take");
	return NULL;
}

bool wk_policy_regex_match(struct wk_policy_scratch *scratch, const pcre2_code *code,
			   const char *text, uint32_t len_b, bool *limit)
{
	/* PCRE2 wants a pointer for an empty text as well. */
	int rc = pcre2_match(code, (PCRE2_SPTR)(text != NULL ? text : ""), len_b, 0, 0,
			     scratch->data, scratch->match);

	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		*limit = true;
	return rc >= 0;
}

/* Any hash does: what collides is compared in full, and is at worst matched anew. */
static uint32_t hash_path(uint32_t service, const char *path, uint32_t len_b)
{
	uint32_t hash = hash_begin(service);

	for (uint32_t i = 0; i < len_b; i++)
		hash = hash_add(hash, path[i]);
	return hash_end(hash);
}

static struct seen *recall(struct wk_policy_scratch *scratch, uint64_t version, uint32_t service,
			   const char *path, uint32_t len_b, uint32_t hash)
{
	struct seen *set = scratch->seen[hash % CACHE_SETS];

	for (uint32_t i = 0; i < CACHE_WAYS; i++)
		if (set[i].version == version && set[i].service == service && set[i].hash == hash &&
		    set[i].len_b == len_b && memcmp(set[i].path, path, len_b) == 0)
			return &set[i];
	return NULL;
}

static void add_bits(uint64_t *to, const uint64_t *bits)
{
	for (uint32_t w = 0; w < RULE_WORDS; w++)
		to[w] |= bits[w];
}

/* An expression that gives up does not allow, and does deny. */
static bool match_all(const struct service *s, const char *path, uint32_t len_b,
		      struct wk_policy_scratch *scratch, uint64_t *allow, uint64_t *deny)
{
	bool any_limit = false;

	for (uint32_t i = 0; i < s->n_regexes; i++) {
		const struct regex *regex = &s->regexes[i];
		bool limit = false;
		bool met = wk_policy_regex_match(scratch, regex->code, path, len_b, &limit);

		if (met)
			add_bits(allow, regex->allow);
		if (met || limit)
			add_bits(deny, regex->deny);
		any_limit |= limit;
	}
	return any_limit;
}

void wk_policy_regex_gather(const struct wk_policy *policy, uint32_t service, const char *path,
			    uint32_t len_b, struct wk_policy_scratch *scratch, uint64_t *allow,
			    uint64_t *deny, bool *limit)
{
	const struct service *s = &policy->services[service];
	uint64_t met[RULE_WORDS] = { 0 }, barred[RULE_WORDS] = { 0 };
	uint32_t hash = hash_path(service, path, len_b);
	struct seen *seen;
	uint8_t *next = &scratch->next[hash % CACHE_SETS];

	seen = len_b <= CACHE_PATH_B ? recall(scratch, policy->version, service, path, len_b, hash)
				     : NULL;
	if (seen != NULL) {
		add_bits(allow, seen->allow);
		add_bits(deny, seen->deny);
		return;
	}
	*limit |= match_all(s, path, len_b, scratch, met, barred);
	add_bits(allow, met);
	add_bits(deny, barred);
	/* What a match gave up on is not remembered: it is to be counted each time. */
	if (len_b > CACHE_PATH_B || *limit)
		return;
	seen = &scratch->seen[hash % CACHE_SETS][*next];
	*next = (uint8_t)((*next + 1) % CACHE_WAYS);
	seen->version = policy->version;
	seen->service = service;
	seen->hash = hash;
	seen->len_b = len_b;
	memcpy(seen->path, path, len_b);
	memcpy(seen->allow, met, sizeof(met));
	memcpy(seen->deny, barred, sizeof(barred));
}
