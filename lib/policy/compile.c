/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the compiled form: checks and counts first, then allocates once for each array. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "compile.h"

const char *fill_text(struct fill *fill, const char *text)
{
	char *copy = fill->text;
	size_t size = strlen(text) + 1;

	memcpy(copy, text, size);
	fill->text += size;
	return copy;
}

static void add_key(struct fill *fill, uint32_t service, uint32_t rule, const char *pattern,
		    bool allow)
{
	struct service *s = &fill->policy->services[service];
	uint32_t hash = hash_begin(service), len_b = (uint32_t)strlen(pattern);
	enum pattern_kind kind = PATTERN_METHOD;
	struct entry *e;

	(void)wk_policy_pattern_kind(pattern, &kind);
	if (kind != PATTERN_METHOD)
		len_b--; /* the "*" */
	for (uint32_t i = 0; i < len_b; i++)
		hash = hash_add(hash, pattern[i]);
	hash = hash_end(hash);
	e = wk_policy_slot(fill->policy, service, pattern, len_b, hash);
	if (e->key == NULL) {
		e->key = fill_text(fill, pattern);
		e->len_b = len_b;
		e->hash = hash;
		e->service = service;
	}
	(allow ? e->allow : e->deny)[rule / 64] |= 1ull << (rule % 64);
	if (len_b > s->max_key_b)
		s->max_key_b = len_b;
	if (kind == PATTERN_PACKAGE && len_b > s->max_package_b)
		s->max_package_b = len_b;
}

static int add_patterns(struct fill *fill, uint32_t service, uint32_t rule,
			const char *const *patterns, uint32_t n, bool allow)
{
	struct service *s = &fill->policy->services[service];
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		const char *const *member = wk_policy_group(patterns[i]);

		if (is_regex(patterns[i]))
			rc = fill_regex(fill, s, rule, patterns[i], allow);
		else if (member == NULL)
			add_key(fill, service, rule, patterns[i], allow);
		for (; member != NULL && *member != NULL; member++)
			add_key(fill, service, rule, *member, allow);
	}
	return rc;
}

static int fill_rule(struct fill *fill, uint32_t service, uint32_t number,
		     const struct wk_policy_rule_in *in)
{
	struct rule *rule = fill->rule++;
	int rc;

	rule->name = fill_text(fill, in->name);
	rule->file = fill_text(fill, in->file != NULL ? in->file : "");
	rule->line = in->line;
	rule->has_reply = in->has_reply;
	rule->reply = in->reply;
	rule->from = fill->prefix;
	rule->n_from = in->n_from;
	memcpy(fill->prefix, in->from, in->n_from * sizeof(*in->from));
	fill->prefix += in->n_from;
	rc = fill_conditions(fill, &fill->policy->services[service], in, rule);
	if (rc == 0)
		rc = add_patterns(fill, service, number, in->allow, in->n_allow, true);
	return rc != 0 ? rc : add_patterns(fill, service, number, in->deny, in->n_deny, false);
}

static int fill_service(struct fill *fill, uint32_t number, const struct wk_policy_service_in *in)
{
	struct service *s = &fill->policy->services[number];
	int rc = 0;

	s->pub = (struct wk_policy_service){
		.name = fill_text(fill, in->name),
		.mode = in->mode,
		.unlisted = in->unlisted,
		.reply = in->reply,
		.form = in->form,
		.n_rules = in->n_rules,
	};
	s->rules = fill->rule;
	s->regexes = fill->regex;
	s->headers = fill->header;
	s->authorities = fill->authority;
	for (uint32_t r = 0; r < in->n_rules && rc == 0; r++)
		rc = fill_rule(fill, number, r, &in->rules[r]);
	return rc;
}

static int allocate(struct wk_policy *policy, const struct counts *counts, uint32_t n_services)
{
	uint32_t slots = 2;

	while (slots < 2 * counts->keys)
		slots *= 2;
	/* One more of each: nothing is asked for zero bytes. */
	policy->services = calloc(n_services + 1u, sizeof(*policy->services));
	policy->rules = calloc(counts->rules + 1u, sizeof(*policy->rules));
	policy->prefixes = calloc(counts->prefixes + 1u, sizeof(*policy->prefixes));
	policy->vlans = calloc(counts->vlans + 1u, sizeof(*policy->vlans));
	policy->regexes = calloc(counts->regexes + 1u, sizeof(*policy->regexes));
	policy->headers = calloc(counts->headers + 1u, sizeof(*policy->headers));
	policy->authorities = calloc(counts->authorities + 1u, sizeof(*policy->authorities));
	policy->table = calloc(slots, sizeof(*policy->table));
	policy->text = calloc(counts->text_b + 1u, 1);
	policy->mask = slots - 1;
	if (policy->services == NULL || policy->rules == NULL || policy->prefixes == NULL ||
	    policy->vlans == NULL || policy->regexes == NULL || policy->headers == NULL ||
	    policy->authorities == NULL || policy->table == NULL || policy->text == NULL)
		return -ENOMEM;
	policy->n_services = n_services;
	policy->n_regexes = counts->regexes;
	policy->n_headers = counts->headers;
	policy->n_authorities = counts->authorities;
	return 0;
}

static int fill_all(struct wk_policy *policy, const struct wk_policy_in *in,
		    struct wk_policy_error *err)
{
	struct fill fill = {
		.policy = policy,
		.err = err,
		.rule = policy->rules,
		.prefix = policy->prefixes,
		.vlan = policy->vlans,
		.regex = policy->regexes,
		.header = policy->headers,
		.authority = policy->authorities,
		.text = policy->text,
	};
	int rc = 0;

	policy->version = in->version;
	for (uint32_t s = 0; s < in->n_services && rc == 0; s++)
		rc = fill_service(&fill, s, &in->services[s]);
	return rc;
}

int wk_policy_compile(const struct wk_policy_in *in, struct wk_policy **policy,
		      struct wk_policy_error *err)
{
	struct counts counts = { 0 };
	struct wk_policy *p = NULL;
	int rc;

	snprintf(err->text, sizeof(err->text), "out of memory");
	err->bad = "";
	*policy = NULL;
	rc = policy_check(in, &counts, err);
	if (rc == 0) {
		p = calloc(1, sizeof(*p));
		rc = p == NULL ? -ENOMEM : allocate(p, &counts, in->n_services);
	}
	if (rc == 0)
		rc = fill_all(p, in, err);
	if (rc != 0) {
		wk_policy_free(p);
		return rc;
	}
	*policy = p;
	return 0;
}

void wk_policy_free(struct wk_policy *policy)
{
	if (policy == NULL)
		return;
	for (uint32_t i = 0; i < policy->n_regexes; i++)
		pcre2_code_free(policy->regexes[i].code);
	for (uint32_t i = 0; i < policy->n_headers; i++)
		pcre2_code_free(policy->headers[i].value.code);
	for (uint32_t i = 0; i < policy->n_authorities; i++)
		pcre2_code_free(policy->authorities[i].code);
	free(policy->services);
	free(policy->rules);
	free(policy->prefixes);
	free(policy->vlans);
	free(policy->regexes);
	free(policy->headers);
	free(policy->authorities);
	free(policy->table);
	free(policy->text);
	free(policy);
}
