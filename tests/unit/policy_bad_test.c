/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy refuses to be. */
#include <errno.h>

#include "../support/policy_kit.h"

static void bad_patterns_are_refused_and_named(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
	} t[] = {
		{ "", "empty" },
		{ "GetName", "begins with" },
		{ "*", "begins with" },
		{ "@helth", "@health" },
		{ "@", "@health" },
		{ "/", "not of the form" },
		{ "/*", "'*' stands only" },
		{ "/*/M", "'*' stands only" },
		{ "/a.*.S/M", "'*' stands only" },
		{ "/a.S/Get*", "'*' stands only" },
		{ "/a.S/**", "'*' stands only" },
		{ "/a.S/*/x", "'*' stands only" },
		{ "/a*", "'*' stands only" },
		{ "/.*", "'*' stands only" },
		{ "/a..*", "'*' stands only" },
		{ "/a.S", "not of the form" },
		{ "/a.S/", "not of the form" },
		{ "/a.S/M/", "not of the form" },
		{ "/a.S/M?x", "not of the form" },
		{ "/a.S/M ", "not of the form" },
		{ "regex:", "empty expression" },
		{ "regex:/a(", "parenthesis" },
		{ "regex:/a.S/[", "at character" },
		{ "regex:\\C", "\\C" },
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++) {
		const char *patterns[] = { "/ok.S/M", t[i].pattern };
		struct wk_policy_error err;
		struct wk_prefix any = prefix("0.0.0.0", 0);
		struct wk_policy_rule_in rule = {
			.name = "r", .from = &any, .n_from = 1, .deny = patterns, .n_deny = 2
		};
		struct wk_policy_service_in service = { .name = "s", .rules = &rule, .n_rules = 1 };
		struct wk_policy_in in = { .services = &service, .n_services = 1 };
		struct wk_policy *policy;

		assert_int_equal(wk_policy_compile(&in, &policy, &err), -EINVAL);
		assert_null(policy);
		assert_ptr_equal(err.bad, t[i].pattern);
		if (strstr(err.text, t[i].text) == NULL)
			fail_msg("%s: %s", t[i].pattern, err.text);
	}
}

static void bad_rules_are_refused_and_named(void **state)
{
	struct wk_prefix good = prefix("10.0.0.0", 8), wrong[] = { good, good, good };
	struct {
		struct wk_policy_rule_in rule;
		const char *text;
	} t[] = {
		{ { .name = "r" }, "without sources" },
		{ { .name = "", .from = &good, .n_from = 1 }, "without a name" },
		{ { .name = "r", .from = &wrong[0], .n_from = 1 }, "no prefix" },
		{ { .name = "r", .from = &wrong[1], .n_from = 1 }, "no prefix" },
		{ { .name = "r", .from = &wrong[2], .n_from = 1 }, "no prefix" },
	};

	(void)state;
	wrong[0].len = 33;
	wrong[1].family = 6;
	wrong[1].len = 129;
	wrong[2].family = 5;
	for (uint32_t i = 0; i < COUNT(t); i++) {
		struct wk_policy_service_in service = { .name = "s",
							.rules = &t[i].rule,
							.n_rules = 1 };
		struct wk_policy_in in = { .services = &service, .n_services = 1 };
		struct wk_policy_error err;
		struct wk_policy *policy;

		assert_int_equal(wk_policy_compile(&in, &policy, &err), -EINVAL);
		if (strstr(err.text, t[i].text) == NULL)
			fail_msg("%u: %s", i, err.text);
		assert_non_null(err.bad);
	}
}

static void bad_conditions_are_refused_and_named(void **state)
{
	static const struct {
		const char *authority;
		struct wk_policy_header_in header;
		const char *text;
	} t[] = {
		{ "", { "x", NULL }, "empty authority" },
		{ "a.*.b", { "x", NULL }, "only in front" },
		{ "user@host", { "x", NULL }, "not a host" },
		{ "a b", { "x", NULL }, "not a host" },
		{ "regex:(", { "x", NULL }, "parenthesis" },
		{ "ok", { "", NULL }, "without a name" },
		{ "ok", { ":path", NULL }, "pseudo-header" },
		{ "ok", { "X-Tenant", NULL }, "lower case" },
		{ "ok", { "x y", NULL }, "lower case" },
		{ "ok", { "x", "regex:[" }, "at character" },
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++) {
		struct wk_prefix any = prefix("0.0.0.0", 0);
		struct wk_policy_rule_in rule = {
			.name = "r",
			.from = &any,
			.n_from = 1,
			.authorities = &t[i].authority,
			.n_authorities = 1,
			.headers = &t[i].header,
			.n_headers = 1,
		};
		struct wk_policy_service_in service = { .name = "s", .rules = &rule, .n_rules = 1 };
		struct wk_policy_in in = { .services = &service, .n_services = 1 };
		struct wk_policy_error err;
		struct wk_policy *policy;

		assert_int_equal(wk_policy_compile(&in, &policy, &err), -EINVAL);
		assert_null(policy);
		if (strstr(err.text, t[i].text) == NULL)
			fail_msg("%u: %s", i, err.text);
		assert_true(err.bad == t[i].authority || err.bad == t[i].header.name ||
			    err.bad == t[i].header.value);
	}
}

/* One of each kind above its bound: refused; the same thing said often counts once. */
static void conditions_of_a_service_are_bounded(void **state)
{
	struct wk_prefix any = prefix("0.0.0.0", 0);
	struct wk_policy_header_in headers[WK_POLICY_HEADER_MAX + 1];
	const char *authorities[WK_POLICY_AUTHORITY_MAX + 1], *regexes[WK_POLICY_REGEX_MAX + 1];
	char text[3][65][24];
	struct wk_policy_rule_in rules[] = {
		{ .name = "h", .from = &any, .n_from = 1, .headers = headers },
		{ .name = "a", .from = &any, .n_from = 1, .authorities = authorities },
		{ .name = "r", .from = &any, .n_from = 1, .allow = regexes },
		{ .name = "again",
		  .from = &any,
		  .n_from = 1,
		  .headers = headers,
		  .authorities = authorities,
		  .allow = regexes,
		  .n_headers = 64,
		  .n_authorities = 64,
		  .n_allow = 64 },
	};
	struct wk_policy_service_in service = { .name = "s", .rules = rules, .n_rules = 4 };
	struct wk_policy_in in = { .services = &service, .n_services = 1 };
	struct wk_policy_error err;
	struct wk_policy *policy;

	(void)state;
	for (uint32_t i = 0; i < 65; i++) {
		snprintf(text[0][i], sizeof(text[0][i]), "x-%u", i);
		snprintf(text[1][i], sizeof(text[1][i]), "*.h%u.org", i);
		snprintf(text[2][i], sizeof(text[2][i]), "regex:/S/M%u", i);
		headers[i] = (struct wk_policy_header_in){ text[0][i], i % 2 ? "v" : NULL };
		authorities[i] = text[1][i];
		regexes[i] = text[2][i];
	}
	for (uint32_t over = 0; over < 4; over++) {
		rules[0].n_headers = 64 + (over == 1);
		rules[1].n_authorities = 64 + (over == 2);
		rules[2].n_allow = 64 + (over == 3);
		assert_int_equal(wk_policy_compile(&in, &policy, &err), over == 0 ? 0 : -EINVAL);
		if (over == 0)
			wk_policy_free(policy);
		else
			assert_non_null(strstr(err.text, "more than 64"));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_patterns_are_refused_and_named),
		cmocka_unit_test(bad_rules_are_refused_and_named),
		cmocka_unit_test(bad_conditions_are_refused_and_named),
		cmocka_unit_test(conditions_of_a_service_are_bounded),
	};

	return cmocka_run_group_tests_name("policy_bad", tests, NULL, NULL);
}
