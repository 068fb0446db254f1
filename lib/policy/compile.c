/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the compiled form: counts and checks first, then allocates once for each array. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Far above what a file can say; keeps the size of the table within 32 bits. */
#define KEYS_MAX (1u << 24)

struct counts {
	uint32_t rules;
	uint32_t prefixes;
	uint32_t keys;
	size_t text_b;
};

struct fault {
	const char *err;
	const char *bad;
};

/* Where the next rule, prefix and string go. */
struct fill {
	struct wk_policy *policy;
	struct rule *rule;
	struct wk_prefix *prefix;
	char *text;
};

static int refuse(struct fault *fault, const char *err, const char *bad)
{
	fault->err = err;
	fault->bad = bad;
	return -EINVAL;
}

static int count_patterns(const char *const *patterns, uint32_t n, struct counts *counts,
			  struct fault *fault)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *const *member;
		const char *err = wk_policy_pattern_error(patterns[i]);

		if (err != NULL)
			return refuse(fault, err, patterns[i]);
		member = wk_policy_group(patterns[i]);
		if (member == NULL) {
			counts->keys++;
			counts->text_b += strlen(patterns[i]) + 1;
		}
		for (; member != NULL && *member != NULL; member++) {
			counts->keys++;
			counts->text_b += strlen(*member) + 1;
		}
		if (counts->keys > KEYS_MAX)
			return refuse(fault, "too many patterns", patterns[i]);
	}
	return 0;
}

static int count_rule(const struct wk_policy_rule_in *rule, struct counts *counts,
		      struct fault *fault)
{
	int rc;

	if (rule->name == NULL || rule->name[0] == '\0')
		return refuse(fault, "a rule without a name", "");
	if (rule->n_from == 0)
		return refuse(fault, "a rule without sources", rule->name);
	for (uint32_t i = 0; i < rule->n_from; i++) {
		const struct wk_prefix *p = &rule->from[i];

		if (!(p->family == 4 && p->len <= 32) && !(p->family == 6 && p->len <= 128))
			return refuse(fault, "a source that is no prefix", rule->name);
	}
	counts->prefixes += rule->n_from;
	counts->text_b += strlen(rule->name) + 1;
	counts->text_b += (rule->file != NULL ? strlen(rule->file) : 0) + 1;
	rc = count_patterns(rule->allow, rule->n_allow, counts, fault);
	return rc != 0 ? rc : count_patterns(rule->deny, rule->n_deny, counts, fault);
}

static int count_all(const struct wk_policy_in *in, struct counts *counts, struct fault *fault)
{
	if (in->n_services > WK_POLICY_SERVICES_MAX)
		return refuse(fault, "more than 1024 services", "");
	for (uint32_t s = 0; s < in->n_services; s++) {
		const struct wk_policy_service_in *service = &in->services[s];

		if (service->name == NULL || service->name[0] == '\0')
			return refuse(fault, "a service without a name", "");
		if (service->n_rules > WK_POLICY_RULES_MAX)
			return refuse(fault, "more than 256 access rules", service->name);
		counts->rules += service->n_rules;
		counts->text_b += strlen(service->name) + 1;
		for (uint32_t r = 0; r < service->n_rules; r++) {
			int rc = count_rule(&service->rules[r], counts, fault);

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static const char *copy_text(struct fill *fill, const char *text)
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
		e->key = copy_text(fill, pattern);
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

static void add_patterns(struct fill *fill, uint32_t service, uint32_t rule,
			 const char *const *patterns, uint32_t n, bool allow)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *const *member = wk_policy_group(patterns[i]);

		if (member == NULL)
			add_key(fill, service, rule, patterns[i], allow);
		for (; member != NULL && *member != NULL; member++)
			add_key(fill, service, rule, *member, allow);
	}
}

static void fill_service(struct fill *fill, uint32_t number, const struct wk_policy_service_in *in)
{
	struct service *s = &fill->policy->services[number];

	s->pub = (struct wk_policy_service){
		.name = copy_text(fill, in->name),
		.mode = in->mode,
		.unlisted = in->unlisted,
		.reply = in->reply,
		.n_rules = in->n_rules,
	};
	s->rules = fill->rule;
	for (uint32_t r = 0; r < in->n_rules; r++) {
		const struct wk_policy_rule_in *rule_in = &in->rules[r];
		struct rule *rule = fill->rule++;

		rule->name = copy_text(fill, rule_in->name);
		rule->file = copy_text(fill, rule_in->file != NULL ? rule_in->file : "");
		rule->line = rule_in->line;
		rule->from = fill->prefix;
		rule->n_from = rule_in->n_from;
		memcpy(fill->prefix, rule_in->from, rule_in->n_from * sizeof(*rule_in->from));
		fill->prefix += rule_in->n_from;
		add_patterns(fill, number, r, rule_in->allow, rule_in->n_allow, true);
		add_patterns(fill, number, r, rule_in->deny, rule_in->n_deny, false);
	}
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
	policy->table = calloc(slots, sizeof(*policy->table));
	policy->text = calloc(counts->text_b + 1u, 1);
	policy->mask = slots - 1;
	if (policy->services == NULL || policy->rules == NULL || policy->prefixes == NULL ||
	    policy->table == NULL || policy->text == NULL)
		return -ENOMEM;
	policy->n_services = n_services;
	return 0;
}

int wk_policy_compile(const struct wk_policy_in *in, struct wk_policy **policy, const char **err,
		      const char **bad)
{
	struct counts counts = { 0 };
	struct fault fault = { "out of memory", "" };
	struct wk_policy *p = NULL;
	struct fill fill;
	int rc = count_all(in, &counts, &fault);

	*policy = NULL;
	if (rc == 0) {
		p = calloc(1, sizeof(*p));
		rc = p == NULL ? -ENOMEM : allocate(p, &counts, in->n_services);
	}
	if (rc != 0) {
		wk_policy_free(p);
		*err = fault.err;
		*bad = fault.bad;
		return rc;
	}
	p->version = in->version;
	fill = (struct fill){ p, p->rules, p->prefixes, p->text };
	for (uint32_t s = 0; s < in->n_services; s++)
		fill_service(&fill, s, &in->services[s]);
	*policy = p;
	return 0;
}

void wk_policy_free(struct wk_policy *policy)
{
	if (policy == NULL)
		return;
	free(policy->services);
	free(policy->rules);
	free(policy->prefixes);
	free(policy->table);
	free(policy->text);
	free(policy);
}
