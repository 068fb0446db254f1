/* SPDX-License-Identifier: Apache-2.0 */
/* condition.c - what a call must have besides its path: an authority, header fields.
 *
 * All conditions of a service are met with a request at once, each field looked at once; a rule
 * then asks for bits. Where a request can be read in two ways, an allow needs both and a deny only
 * one. */
#include "internal.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_host(const char *a, const char *b, uint32_t len_b)
{
	for (uint32_t i = 0; i < len_b; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

/* Where the host ends and ":port" begins; an IPv6 address stands in brackets. */
static uint32_t host_len(const char *s, uint32_t len_b)
{
	for (uint32_t i = len_b; i-- > 0;) {
		if (s[i] == ':')
			return i;
		if (s[i] < '0' || s[i] > '9')
			break;
	}
	return len_b;
}

static bool authority_met(const struct matcher *m, const struct wk_policy_str *authority,
			  struct wk_policy_scratch *scratch, bool *limit)
{
	uint32_t len_b = authority->len_b;

	if (m->code != NULL)
		return wk_policy_regex_match(scratch, m->code, authority->s, len_b, limit);
	if (!m->port)
		len_b = host_len(authority->s, len_b);
	if (m->suffix)
		return len_b > m->len_b &&
		       same_host(authority->s + len_b - m->len_b, m->text, m->len_b);
	return len_b == m->len_b && same_host(authority->s, m->text, len_b);
}

static bool value_met(const struct header *header, const struct wk_policy_str *value,
		      struct wk_policy_scratch *scratch, bool *limit)
{
	const struct matcher *m = &header->value;

	if (header->any)
		return true;
	if (m->code != NULL)
		return wk_policy_regex_match(scratch, m->code, value->s, value->len_b, limit);
	return value->len_b == m->len_b && memcmp(value->s, m->text, m->len_b) == 0;
}

static bool is_named(const struct wk_policy_str *name, const char *want, uint32_t len_b)
{
	return name->len_b == len_b && memcmp(name->s, want, len_b) == 0;
}

/* Servers differ in which of two they take, and in what they take for the host behind a user. */
bool wk_policy_one_authority(const struct wk_policy_str *authority,
			     const struct wk_policy_str *host)
{
	const struct wk_policy_str *one = authority->s != NULL ? authority : host;

	if (authority->s != NULL && host->s != NULL &&
	    (host->len_b != authority->len_b || !same_host(host->s, authority->s, host->len_b)))
		return false;
	return one->s == NULL || memchr(one->s, '@', one->len_b) == NULL;
}

static void look_at_field(const struct service *service, const struct wk_policy_str *name,
			  const struct wk_policy_str *value, struct wk_policy_scratch *scratch,
			  struct facts *facts, uint64_t *missed)
{
	for (uint32_t i = 0; i < service->n_headers; i++) {
		const struct header *header = &service->headers[i];
		bool limit = false;

		if (!is_named(name, header->name, header->name_len_b))
			continue;
		if (value_met(header, value, scratch, &limit))
			facts->headers_any |= UINT64_C(1) << i;
		else
			*missed |= UINT64_C(1) << i;
		/* Unknown is a yes to a deny and a no to an allow. */
		if (limit)
			facts->headers_any |= UINT64_C(1) << i;
		facts->limit |= limit;
	}
}

void wk_policy_facts(const struct service *service, const struct wk_policy_request *request,
		     struct wk_policy_scratch *scratch, struct facts *facts)
{
	struct wk_policy_str authority = request->authority, host = { NULL, 0 }, name, value;
	uint64_t missed = 0;

	*facts = (struct facts){ 0 };
	for (uint32_t i = 0; i < request->n_fields; i++) {
		request->field(request->fields, i, &name, &value);
		if (is_named(&name, "host", 4)) {
			facts->split |= host.s != NULL;
			host = value;
		}
		look_at_field(service, &name, &value, scratch, facts, &missed);
	}
	facts->headers_all = facts->headers_any & ~missed;
	facts->split |= !wk_policy_one_authority(&authority, &host);
	if (authority.s == NULL)
		authority = host;
	facts->unnamed = authority.len_b == 0;
	if (facts->unnamed || facts->split)
		return;
	for (uint32_t i = 0; i < service->n_authorities; i++) {
		bool limit = false;

		if (authority_met(&service->authorities[i], &authority, scratch, &limit))
			facts->authorities |= UINT64_C(1) << i;
		/* An authority that cannot be told is treated like two that differ. */
		facts->split |= limit;
		facts->limit |= limit;
	}
}

const char *wk_policy_authority_error(const char *pattern)
{
	const char *text = pattern;

	if (pattern == NULL || *pattern == '\0')
		return "an empty authority";
	if (strlen(pattern) > PATTERN_MAX_B)
		return "an authority longer than 1024 bytes";
	if (is_regex(pattern))
		return NULL;
	if (text[0] == '*' && text[1] == '.' && text[2] != '\0')
		text += 2;
	for (; *text != '\0'; text++) {
		if (*text == '*')
			return "'*' stands only in front, as in \"*.example.org\"";
		if (strchr("@/?#\\ ", *text) != NULL || (unsigned char)*text < 0x21 ||
		    (unsigned char)*text > 0x7e)
			return "not a host, host:port, \"*.domain\" or \"regex:...\"";
	}
	return NULL;
}

const char *wk_policy_header_error(const struct wk_policy_header_in *header)
{
	if (header->name == NULL || header->name[0] == '\0')
		return "a header without a name";
	if (header->name[0] == ':')
		return "a pseudo-header: paths and authorities have keys of their own";
	for (const char *c = header->name; *c != '\0'; c++)
		if ((unsigned char)*c < 0x21 || (unsigned char)*c > 0x7e ||
		    (*c >= 'A' && *c <= 'Z') || strchr("\"(),/:;<=>?@[\\]{}", *c) != NULL)
			return "not the name of a header field in lower case";
	if (header->value != NULL && strlen(header->value) > PATTERN_MAX_B)
		return "a value longer than 1024 bytes";
	return NULL;
}
