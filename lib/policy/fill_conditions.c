/* SPDX-License-Identifier: Apache-2.0 */
/* fill_conditions.c - expressions and conditions of a service: those that are alike share one place
 * and one bit. */
#include "compile.h"

static int compile(struct fill *fill, const char *pattern, pcre2_code **code)
{
	char why[160] = "";

	*code = wk_policy_regex_compile(pattern, why, sizeof(why));
	return *code != NULL ? 0 : policy_refuse(fill->err, pattern, "%s", why);
}

int fill_regex(struct fill *fill, struct service *s, uint32_t rule, const char *pattern, bool allow)
{
	struct regex *regex = NULL;
	int rc;

	for (uint32_t i = 0; i < s->n_regexes && regex == NULL; i++)
		if (strcmp(s->regexes[i].text, pattern) == 0)
			regex = &s->regexes[i];
	if (regex == NULL) {
		if (s->n_regexes == WK_POLICY_REGEX_MAX)
			return policy_refuse(fill->err, pattern,
					     "more than 64 expressions for paths in one service");
		regex = fill->regex;
		rc = compile(fill, pattern, &regex->code);
		if (rc != 0)
			return rc;
		regex->text = fill_text(fill, pattern);
		fill->regex++;
		s->n_regexes++;
	}
	(allow ? regex->allow : regex->deny)[rule / 64] |= UINT64_C(1) << (rule % 64);
	return 0;
}

static bool has_port(const char *authority)
{
	const char *colon = strrchr(authority, ':');

	/* The colons of an address in brackets are none. */
	return colon != NULL && strchr(colon, ']') == NULL;
}

static int fill_matcher(struct fill *fill, struct matcher *m, const char *text)
{
	m->text = fill_text(fill, text);
	m->len_b = (uint32_t)strlen(text);
	return is_regex(text) ? compile(fill, text, &m->code) : 0;
}

static int authority_bit(struct fill *fill, struct service *s, const char *pattern, uint64_t *bits)
{
	const char *text = pattern[0] == '*' && !is_regex(pattern) ? pattern + 1 : pattern;
	struct matcher *m;
	int rc;

	for (uint32_t i = 0; i < s->n_authorities; i++) {
		m = &s->authorities[i];
		if (m->suffix != (text != pattern) || strcmp(m->text, text) != 0)
			continue;
		*bits |= UINT64_C(1) << i;
		return 0;
	}
	if (s->n_authorities == WK_POLICY_AUTHORITY_MAX)
		return policy_refuse(fill->err, pattern, "more than 64 authorities in one service");
	m = fill->authority++;
	m->suffix = text != pattern;
	m->port = has_port(text);
	*bits |= UINT64_C(1) << s->n_authorities++;
	rc = fill_matcher(fill, m, text);
	if (rc != 0)
		fill->err->bad = pattern;
	return rc;
}

static bool same_value(const struct header *header, const char *value)
{
	return value == NULL ? header->any : !header->any && strcmp(header->value.text, value) == 0;
}

static int header_bit(struct fill *fill, struct service *s, const struct wk_policy_header_in *in,
		      uint64_t *bits)
{
	struct header *header;

	for (uint32_t i = 0; i < s->n_headers; i++) {
		if (strcmp(s->headers[i].name, in->name) != 0 ||
		    !same_value(&s->headers[i], in->value))
			continue;
		*bits |= UINT64_C(1) << i;
		return 0;
	}
	if (s->n_headers == WK_POLICY_HEADER_MAX)
		return policy_refuse(fill->err, in->name,
				     "more than 64 conditions on headers in one service");
	header = fill->header++;
	*bits |= UINT64_C(1) << s->n_headers++;
	header->name = fill_text(fill, in->name);
	header->name_len_b = (uint32_t)strlen(in->name);
	header->any = in->value == NULL;
	return header->any ? 0 : fill_matcher(fill, &header->value, in->value);
}

int fill_conditions(struct fill *fill, struct service *s, const struct wk_policy_rule_in *in,
		    struct rule *rule)
{
	uint32_t number = (uint32_t)(rule - s->rules);
	int rc = 0;

	rule->vlans = fill->vlan;
	rule->n_vlans = in->n_vlans;
	if (in->n_vlans > 0)
		memcpy(fill->vlan, in->vlans, in->n_vlans * sizeof(*in->vlans));
	fill->vlan += in->n_vlans;
	rule->wires = in->wires;
	for (uint32_t i = 0; i < in->n_authorities && rc == 0; i++)
		rc = authority_bit(fill, s, in->authorities[i], &rule->authorities);
	for (uint32_t i = 0; i < in->n_headers && rc == 0; i++)
		rc = header_bit(fill, s, &in->headers[i], &rule->headers);
	if (rule->authorities != 0 || rule->headers != 0)
		s->conditional[number / 64] |= UINT64_C(1) << (number % 64);
	return rc;
}
