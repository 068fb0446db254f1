/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what is wrong with an input, and how much room it takes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "compile.h"

/* Far above what a file can say; keeps the size of the table within 32 bits. */
#define KEYS_MAX (1u << 24)

int policy_refuse(struct wk_policy_error *err, const char *bad, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	err->bad = bad;
	return -EINVAL;
}

static int count_pattern(const char *pattern, struct counts *counts, struct wk_policy_error *err)
{
	const char *const *member;
	enum pattern_kind kind;
	const char *why = wk_policy_pattern_kind(pattern, &kind);

	if (why != NULL)
		return policy_refuse(err, pattern, "%s", why);
	if (kind == PATTERN_REGEX) {
		counts->text_b += strlen(pattern) + 1;
		counts->regexes++;
		return 0;
	}
	member = wk_policy_group(pattern);
	if (member == NULL) {
		counts->keys++;
		counts->text_b += strlen(pattern) + 1;
	}
	for (; member != NULL && *member != NULL; member++) {
		counts->keys++;
		counts->text_b += strlen(*member) + 1;
	}
	return counts->keys > KEYS_MAX ? policy_refuse(err, pattern, "too many patterns") : 0;
}

static int count_patterns(const char *const *patterns, uint32_t n, struct counts *counts,
			  struct wk_policy_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = count_pattern(patterns[i], counts, err);
	return rc;
}

static int count_conditions(const struct wk_policy_rule_in *rule, struct counts *counts,
			    struct wk_policy_error *err)
{
	for (uint32_t i = 0; i < rule->n_authorities; i++) {
		const char *why = wk_policy_authority_error(rule->authorities[i]);

		if (why != NULL)
			return policy_refuse(err, rule->authorities[i], "%s", why);
		counts->text_b += strlen(rule->authorities[i]) + 1;
	}
	for (uint32_t i = 0; i < rule->n_headers; i++) {
		const struct wk_policy_header_in *header = &rule->headers[i];
		const char *why = wk_policy_header_error(header);

		if (why != NULL)
			return policy_refuse(err, header->name, "%s", why);
		counts->text_b += strlen(header->name) + 1;
		counts->text_b += (header->value != NULL ? strlen(header->value) : 0) + 1;
	}
	counts->authorities += rule->n_authorities;
	counts->headers += rule->n_headers;
	counts->vlans += rule->n_vlans;
	return 0;
}

static int count_rule(const struct wk_policy_rule_in *rule, struct counts *counts,
		      struct wk_policy_error *err)
{
	int rc;

	if (rule->name == NULL || rule->name[0] == '\0')
		return policy_refuse(err, "", "a rule without a name");
	if (rule->n_from == 0)
		return policy_refuse(err, rule->name, "a rule without sources");
	for (uint32_t i = 0; i < rule->n_from; i++) {
		const struct wk_prefix *p = &rule->from[i];

		if (!(p->family == 4 && p->len <= 32) && !(p->family == 6 && p->len <= 128))
			return policy_refuse(err, rule->name, "a source that is no prefix");
	}
	counts->prefixes += rule->n_from;
	counts->text_b += strlen(rule->name) + 1;
	counts->text_b += (rule->file != NULL ? strlen(rule->file) : 0) + 1;
	rc = count_conditions(rule, counts, err);
	if (rc == 0)
		rc = count_patterns(rule->allow, rule->n_allow, counts, err);
	return rc != 0 ? rc : count_patterns(rule->deny, rule->n_deny, counts, err);
}

int policy_check(const struct wk_policy_in *in, struct counts *counts, struct wk_policy_error *err)
{
	if (in->n_services > WK_POLICY_SERVICES_MAX)
		return policy_refuse(err, "", "more than 1024 services");
	for (uint32_t s = 0; s < in->n_services; s++) {
		const struct wk_policy_service_in *service = &in->services[s];

		if (service->name == NULL || service->name[0] == '\0')
			return policy_refuse(err, "", "a service without a name");
		if (service->n_rules > WK_POLICY_RULES_MAX)
			return policy_refuse(err, service->name, "more than 256 access rules");
		counts->rules += service->n_rules;
		counts->text_b += strlen(service->name) + 1;
		for (uint32_t r = 0; r < service->n_rules; r++) {
			int rc = count_rule(&service->rules[r], counts, err);

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}
