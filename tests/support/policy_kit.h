/* SPDX-License-Identifier: Apache-2.0 */
/* policy_kit.h - policies in a line or two, for tests of lib/policy. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "wk_policy.h"

#define COUNT(a) (uint32_t)(sizeof(a) / sizeof((a)[0]))

static inline struct wk_prefix prefix(const char *text, uint8_t len)
{
	struct wk_prefix p = { .family = strchr(text, ':') != NULL ? 6 : 4, .len = len };

	assert_int_equal(inet_pton(p.family == 6 ? AF_INET6 : AF_INET, text, p.addr), 1);
	return p;
}

static inline struct wk_addr addr(const char *text)
{
	struct wk_prefix p = prefix(text, 0);
	struct wk_addr a = { .family = p.family };

	memcpy(a.addr, p.addr, sizeof(a.addr));
	return a;
}

static inline struct wk_policy *compile(const struct wk_policy_in *in)
{
	struct wk_policy_error err;
	struct wk_policy *policy = NULL;

	if (wk_policy_compile(in, &policy, &err) != 0)
		fail_msg("%s: %s", err.text, err.bad);
	return policy;
}

/* One service, in enforce, with the given rules. */
static inline struct wk_policy *of_rules(const struct wk_policy_rule_in *rules, uint32_t n)
{
	struct wk_policy_service_in service = { .name = "svc", .rules = rules, .n_rules = n };
	struct wk_policy_in in = { .version = 7, .services = &service, .n_services = 1 };

	return compile(&in);
}

static inline struct wk_policy *of_patterns(const char *const *allow, uint32_t n_allow,
					    const char *const *deny, uint32_t n_deny)
{
	struct wk_prefix any = prefix("0.0.0.0", 0);
	struct wk_policy_rule_in rule = { .name = "r",
					  .from = &any,
					  .n_from = 1,
					  .allow = allow,
					  .n_allow = n_allow,
					  .deny = deny,
					  .n_deny = n_deny };

	return of_rules(&rule, 1);
}

static inline struct wk_policy_peer peer(const char *from)
{
	return (struct wk_policy_peer){ .addr = addr(from), .vlan = WK_POLICY_VLAN_NONE };
}

/* A call with nothing but a path. */
static inline enum wk_call_reason match_path(const struct wk_policy *policy,
					     const struct wk_policy_source *source,
					     const char *path, uint32_t len_b, uint32_t *rule)
{
	const struct wk_policy_request request = { .path = { path, len_b } };
	struct wk_policy_verdict verdict;

	wk_policy_match(policy, source, &request, NULL, &verdict);
	*rule = verdict.rule;
	return verdict.reason;
}

static inline enum wk_call_reason judge_n(const struct wk_policy *policy, const char *from,
					  const char *path, uint32_t len_b, uint32_t *rule)
{
	struct wk_policy_peer p = peer(from);
	struct wk_policy_source source;
	/* An exact copy: a read beyond it is a finding of the sanitizer. */
	char *exact = malloc(len_b + 1u);
	enum wk_call_reason reason;

	assert_non_null(exact);
	memcpy(exact, path, len_b);
	exact = realloc(exact, len_b == 0 ? 1 : len_b);
	assert_non_null(exact);
	wk_policy_source(policy, 0, &p, &source);
	reason = match_path(policy, &source, exact, len_b, rule);
	free(exact);
	return reason;
}

static inline enum wk_call_reason judge(const struct wk_policy *policy, const char *path)
{
	uint32_t rule;

	return judge_n(policy, "10.11.0.9", path, (uint32_t)strlen(path), &rule);
}
