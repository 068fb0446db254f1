/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy allows, denies and refuses to be. */
#include <errno.h>

#include "../support/policy_kit.h"

#define SVC "/cloudcity.DoorManager/"

static const char *const door_allow[] = { SVC "GetName", SVC "GetLocation",
					  SVC "RequestMaintenance" };

static void only_the_listed_methods_are_allowed(void **state)
{
	static const struct {
		const char *path;
		enum wk_call_reason reason;
	} t[] = {
		{ SVC "GetName", WK_CALL_ALLOWED },
		{ SVC "GetLocation", WK_CALL_ALLOWED },
		{ SVC "RequestMaintenance", WK_CALL_ALLOWED },
		{ SVC "SetAccessCode", WK_CALL_DENIED_METHOD },
		{ SVC "GetStatus", WK_CALL_DENIED_METHOD },
		{ SVC "GetNam", WK_CALL_DENIED_METHOD },
		{ SVC "GetName2", WK_CALL_DENIED_METHOD },
		{ SVC "getname", WK_CALL_DENIED_METHOD },
		{ SVC "NoSuchMethod", WK_CALL_DENIED_METHOD },
		{ "/cloudcity.DoorManager2/GetName", WK_CALL_DENIED_METHOD },
		{ "/cloudcity.doormanager/GetName", WK_CALL_DENIED_METHOD },
		{ "/CloudCity.DoorManager/GetName", WK_CALL_DENIED_METHOD },
		{ "/DoorManager/GetName", WK_CALL_DENIED_METHOD },
		{ "/x.cloudcity.DoorManager/GetName", WK_CALL_DENIED_METHOD },
		{ "/grpc.health.v1.Health/Check", WK_CALL_DENIED_METHOD },
		{ "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		  WK_CALL_DENIED_METHOD },
	};
	struct wk_policy *policy = of_patterns(door_allow, COUNT(door_allow), NULL, 0);

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++)
		if (judge(policy, t[i].path) != t[i].reason)
			fail_msg("%s", t[i].path);
	wk_policy_free(policy);
}

/* Each is a spelling that some server or proxy maps to the allowed method. */
static const struct {
	const char *path;
	uint32_t len_b; /* 0: strlen */
} spellings[] = {
	{ "", 0 },
	{ "/", 0 },
	{ "//", 0 },
	{ "*", 0 },
	{ "cloudcity.DoorManager/GetName", 0 },
	{ "/cloudcity.DoorManager", 0 },
	{ SVC, 0 },
	{ SVC "GetName/", 0 },
	{ SVC "GetName//", 0 },
	{ SVC "GetName?x", 0 },
	{ SVC "GetName?", 0 },
	{ SVC "GetName#f", 0 },
	{ SVC "GetName;v=1", 0 },
	{ SVC "GetName ", 0 },
	{ SVC " GetName", 0 },
	{ SVC "GetName\t", 0 },
	{ SVC "GetName\r\n", 0 },
	{ SVC "GetName.", 0 },
	{ SVC "Get.Name", 0 },
	{ SVC "GetName\0", sizeof(SVC "GetName") },
	{ SVC "GetName\0x", sizeof(SVC "GetName") + 1 },
	{ "/cloudcity.DoorManager\0/GetName", 31 },
	{ SVC "%47etName", 0 },
	{ SVC "GetN%61me", 0 },
	{ "/cloudcity.DoorManager%2FGetName", 0 },
	{ "/cloudcity%2eDoorManager/GetName", 0 },
	{ "//cloudcity.DoorManager/GetName", 0 },
	{ "/cloudcity.DoorManager//GetName", 0 },
	{ "/./cloudcity.DoorManager/GetName", 0 },
	{ "/cloudcity.DoorManager/./GetName", 0 },
	{ "/x/../cloudcity.DoorManager/GetName", 0 },
	{ SVC "SetAccessCode/../GetName", 0 },
	{ SVC "../x/M", 0 },
	{ SVC "a/b", 0 },
	{ SVC "/M", 0 },
	{ SVC "*", 0 },
	{ "/cloudcity..DoorManager/GetName", 0 },
	{ "/.cloudcity.DoorManager/GetName", 0 },
	{ "/cloudcity.DoorManager./GetName", 0 },
	{ "/1cloudcity.DoorManager/GetName", 0 },
	{ SVC "1GetName", 0 },
	{ SVC "Get-Name", 0 },
	{ SVC "GetN\xc3\xa4me", 0 },
	{ SVC "GetName\xff", 0 },
	{ "\\cloudcity.DoorManager\\GetName", 0 },
	{ "/cloudcity.DoorManager\\GetName", 0 },
	{ "http://10.12.0.10/cloudcity.DoorManager/GetName", 0 },
	{ "http://x" SVC "GetName", 0 },
	{ " " SVC "GetName", 0 },
};

static void no_other_spelling_passes_the_grammar(void **state)
{
	static const char *const wide[] = { "/cloudcity.*", SVC "*", SVC "GetName" };
	struct wk_policy *policy = of_patterns(wide, COUNT(wide), NULL, 0);

	(void)state;
	for (uint32_t i = 0; i < COUNT(spellings); i++) {
		const char *path = spellings[i].path;
		uint32_t len_b = spellings[i].len_b, rule;

		if (len_b == 0)
			len_b = (uint32_t)strlen(path);
		if (wk_policy_path_ok(path, len_b))
			fail_msg("passes: %s", path);
		if (judge_n(policy, "10.0.0.1", path, len_b, &rule) != WK_CALL_DENIED_PATH)
			fail_msg("not denied as a path: %s", path);
		assert_int_equal(rule, WK_POLICY_RULE_NONE);
	}
	wk_policy_free(policy);
}

static void good_paths_pass_the_grammar(void **state)
{
	static const char *const t[] = { SVC "GetName", "/S/M", "/_a._b/_c", "/a.b.c.D9/e_9" };

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++)
		assert_true(wk_policy_path_ok(t[i], (uint32_t)strlen(t[i])));
}

/* Every byte of an allowed path, replaced by every other byte: never allowed. */
static void one_byte_off_is_never_allowed(void **state)
{
	static const char allowed[] = SVC "GetName";
	struct wk_policy *policy = of_patterns(door_allow, 1, NULL, 0);

	(void)state;
	for (uint32_t i = 0; i < sizeof(allowed) - 1; i++) {
		for (uint32_t c = 0; c < 256; c++) {
			char path[sizeof(allowed)];
			uint32_t rule;
			bool same = (char)c == allowed[i];

			memcpy(path, allowed, sizeof(path));
			path[i] = (char)c;
			assert_int_equal(judge_n(policy, "10.0.0.1", path, sizeof(path) - 1,
						 &rule) == WK_CALL_ALLOWED,
					 same);
		}
	}
	wk_policy_free(policy);
}

static void wildcards_end_where_a_name_ends(void **state)
{
	static const char *const allow[] = { "/a.b.S/*", "/p.q.*", "/Lone/*" };
	static const struct {
		const char *path;
		bool allowed;
	} t[] = {
		{ "/a.b.S/M", true },   { "/a.b.S/Other", true }, { "/a.b.S2/M", false },
		{ "/a.b/M", false },    { "/a.b.S.T/M", false },  { "/b.S/M", false },
		{ "/p.q.S/M", true },   { "/p.q.r.S/M", true },   { "/p.q/M", false },
		{ "/p.qq.S/M", false }, { "/p.S/M", false },      { "/x.p.q.S/M", false },
		{ "/Lone/M", true },    { "/Lone.S/M", false },   { "/Lon/M", false },
	};
	struct wk_policy *policy = of_patterns(allow, COUNT(allow), NULL, 0);

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++)
		if ((judge(policy, t[i].path) == WK_CALL_ALLOWED) != t[i].allowed)
			fail_msg("%s", t[i].path);
	wk_policy_free(policy);
}

static void groups_stand_for_the_usual_services(void **state)
{
	static const struct {
		const char *group;
		const char *path;
		bool allowed;
	} t[] = {
		{ "@health", "/grpc.health.v1.Health/Check", true },
		{ "@health", "/grpc.health.v1.Health/Watch", true },
		{ "@health", "/grpc.health.v1.Health/List", false },
		{ "@health", "/grpc.health.v2.Health/Check", false },
		{ "@reflection", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		  true },
		{ "@reflection", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		  true },
		{ "@reflection", "/grpc.reflection.v1beta.ServerReflection/ServerReflectionInfo",
		  false },
		{ "@reflection", "/grpc.health.v1.Health/Check", false },
		{ "@channelz", "/grpc.channelz.v1.Channelz/GetServers", true },
		{ "@channelz", "/grpc.channelz.v1.Other/GetServers", false },
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++) {
		struct wk_policy *policy = of_patterns(&t[i].group, 1, NULL, 0);

		if ((judge(policy, t[i].path) == WK_CALL_ALLOWED) != t[i].allowed)
			fail_msg("%s %s", t[i].group, t[i].path);
		wk_policy_free(policy);
	}
}

static void deny_wins_whatever_the_order_and_the_rule(void **state)
{
	static const char *const all[] = { "/a.*" };
	static const char *const one[] = { "/a.S/M" };
	struct wk_prefix any = prefix("0.0.0.0", 0);
	struct wk_policy_rule_in allow = {
		.name = "allow", .from = &any, .n_from = 1, .allow = all, .n_allow = 1
	};
	struct wk_policy_rule_in deny = {
		.name = "deny", .from = &any, .n_from = 1, .deny = one, .n_deny = 1
	};
	struct wk_policy_rule_in narrow = allow, wide = deny;

	(void)state;
	narrow.allow = one; /* an exact allow does not beat a wide deny */
	wide.deny = all;
	for (uint32_t order = 0; order < 4; order++) {
		struct wk_policy_rule_in rules[2] = { allow, deny };
		struct wk_policy *policy;
		uint32_t rule;

		if (order >= 2) {
			rules[0] = narrow;
			rules[1] = wide;
		}
		if (order % 2 == 1) {
			struct wk_policy_rule_in first = rules[0];

			rules[0] = rules[1];
			rules[1] = first;
		}
		policy = of_rules(rules, 2);
		assert_int_equal(judge_n(policy, "10.0.0.1", "/a.S/M", 6, &rule),
				 WK_CALL_DENIED_RULE);
		assert_string_equal(wk_policy_rule_name(policy, 0, rule), "deny");
		if (order < 2)
			assert_int_equal(judge(policy, "/a.S/N"), WK_CALL_ALLOWED);
		wk_policy_free(policy);
	}
}

static void a_source_has_the_union_of_its_rules(void **state)
{
	static const char *const m[] = { "/S/A", "/S/B", "/S/C" };
	struct wk_prefix from[] = { prefix("10.0.0.0", 8), prefix("10.1.0.0", 17),
				    prefix("fd00:11::", 31), prefix("10.1.2.3", 32) };
	struct wk_policy_rule_in rules[] = {
		{ .name = "wide", .from = &from[0], .n_from = 1, .allow = &m[0], .n_allow = 1 },
		{ .name = "narrow", .from = &from[1], .n_from = 2, .allow = &m[1], .n_allow = 1 },
		{ .name = "host", .from = &from[3], .n_from = 1, .allow = &m[2], .n_allow = 1 },
	};
	static const struct {
		const char *from;
		const char *allowed; /* letters of the methods; NULL: not listed */
	} t[] = {
		{ "10.1.2.3", "ABC" },     { "10.1.2.4", "AB" },        { "10.1.127.255", "AB" },
		{ "10.1.128.0", "A" },     { "10.2.0.0", "A" },         { "11.0.0.0", NULL },
		{ "9.255.255.255", NULL }, { "fd00:11::1", "B" },       { "fd00:10::1", "B" },
		{ "fd00:12::1", NULL },    { "::ffff:10.1.2.3", NULL },
	};
	struct wk_policy *policy = of_rules(rules, COUNT(rules));

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++) {
		for (uint32_t k = 0; k < COUNT(m); k++) {
			uint32_t rule;
			enum wk_call_reason reason = judge_n(policy, t[i].from, m[k], 4, &rule),
					    want = WK_CALL_DENIED_SOURCE;

			if (t[i].allowed != NULL)
				want = strchr(t[i].allowed, m[k][3]) != NULL
					       ? WK_CALL_ALLOWED
					       : WK_CALL_DENIED_METHOD;
			if (reason != want)
				fail_msg("%s %s: %d", t[i].from, m[k], (int)reason);
			if (reason == WK_CALL_ALLOWED)
				assert_int_equal(rule, k);
			else
				assert_int_equal(rule, WK_POLICY_RULE_NONE);
		}
	}
	wk_policy_free(policy);
}

static void the_whole_internet_is_a_prefix(void **state)
{
	struct wk_prefix from[] = { prefix("0.0.0.0", 0), prefix("::", 0) };
	static const char *const m[] = { "/S/A" };
	struct wk_policy_rule_in rule = {
		.name = "all", .from = from, .n_from = 2, .allow = m, .n_allow = 1
	};
	struct wk_policy *policy = of_rules(&rule, 1);
	uint32_t which;

	(void)state;
	assert_int_equal(judge_n(policy, "255.255.255.255", "/S/A", 4, &which), WK_CALL_ALLOWED);
	assert_int_equal(judge_n(policy, "ffff::1", "/S/A", 4, &which), WK_CALL_ALLOWED);
	wk_policy_free(policy);
}

static void modes_and_numbers_of_services_are_kept_apart(void **state)
{
	static const char *const m[] = { "/S/A" };
	struct wk_prefix any = prefix("0.0.0.0", 0);
	struct wk_policy_rule_in rule = { .name = "r",
					  .file = "w.conf",
					  .line = 12,
					  .from = &any,
					  .n_from = 1,
					  .allow = m,
					  .n_allow = 1 };
	struct wk_policy_service_in services[] = {
		{ .name = "on", .rules = &rule, .n_rules = 1, .reply = WK_REPLY_GRPC },
		{ .name = "empty", .unlisted = WK_UNLISTED_REPLY, .mode = WK_MODE_AUDIT },
		{ .name = "off", .mode = WK_MODE_OFF },
	};
	struct wk_policy_in in = { .version = 1ull << 40, .services = services, .n_services = 3 };
	struct wk_policy *policy = compile(&in);
	struct wk_policy_source source;
	struct wk_policy_peer a = peer("1.2.3.4");
	uint32_t r, line;

	(void)state;
	assert_int_equal(wk_policy_version(policy), 1ull << 40);
	wk_policy_source(policy, 0, &a, &source);
	assert_int_equal(match_path(policy, &source, "/S/A", 4, &r), WK_CALL_ALLOWED);
	/* The same method, but no rule of that service. */
	wk_policy_source(policy, 1, &a, &source);
	assert_false(source.listed);
	assert_int_equal(match_path(policy, &source, "/S/A", 4, &r), WK_CALL_DENIED_SOURCE);
	wk_policy_source(policy, 2, &a, &source);
	assert_int_equal(match_path(policy, &source, "?", 1, &r), WK_CALL_UNGUARDED);
	wk_policy_source(policy, 3, &a, &source);
	assert_int_equal(match_path(policy, &source, "/S/A", 4, &r), WK_CALL_DENIED_SOURCE);
	assert_null(wk_policy_service(policy, 3));
	assert_string_equal(wk_policy_service(policy, 1)->name, "empty");
	assert_int_equal(wk_policy_service(policy, 1)->mode, WK_MODE_AUDIT);
	assert_int_equal(wk_policy_service(policy, 1)->unlisted, WK_UNLISTED_REPLY);
	assert_int_equal(wk_policy_service(policy, 0)->reply, WK_REPLY_GRPC);
	assert_string_equal(wk_policy_rule_name(policy, 0, 0), "r");
	assert_string_equal(wk_policy_rule_name(policy, 0, WK_POLICY_RULE_NONE), "default");
	assert_string_equal(wk_policy_rule_at(policy, 0, 0, &line), "w.conf");
	assert_int_equal(line, 12);
	assert_null(wk_policy_rule_at(policy, 1, 0, &line));
	wk_policy_free(policy);
}

static void a_source_of_another_version_fails_closed(void **state)
{
	static const char *const all[] = { "/S/*" };
	struct wk_policy *policy = of_patterns(all, 1, NULL, 0);
	struct wk_policy_source source;
	struct wk_policy_peer a = peer("1.2.3.4");
	uint32_t rule;

	(void)state;
	wk_policy_source(policy, 0, &a, &source);
	source.version++;
	assert_int_equal(match_path(policy, &source, "/S/A", 4, &rule), WK_CALL_DENIED_SOURCE);
	wk_policy_free(policy);
}

static void all_256_rules_of_a_service_count(void **state)
{
	struct wk_policy_rule_in *rules = calloc(257, sizeof(*rules));
	struct wk_prefix any = prefix("0.0.0.0", 0);
	char names[257][16], methods[257][16];
	struct wk_policy_error err;
	const char *m[257];
	struct wk_policy_service_in service = { .name = "s", .rules = rules, .n_rules = 257 };
	struct wk_policy_in in = { .services = &service, .n_services = 1 };
	struct wk_policy *policy;

	(void)state;
	assert_non_null(rules);
	for (uint32_t i = 0; i < 257; i++) {
		snprintf(names[i], sizeof(names[i]), "r%u", i);
		snprintf(methods[i], sizeof(methods[i]), "/S/M%u", i);
		m[i] = methods[i];
		rules[i] = (struct wk_policy_rule_in){
			.name = names[i], .from = &any, .n_from = 1, .allow = &m[i], .n_allow = 1
		};
	}
	assert_int_equal(wk_policy_compile(&in, &policy, &err), -EINVAL);
	assert_null(policy);
	service.n_rules = 256;
	policy = compile(&in);
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t rule;

		assert_int_equal(judge_n(policy, "1.1.1.1", m[i], (uint32_t)strlen(m[i]), &rule),
				 WK_CALL_ALLOWED);
		assert_int_equal(rule, i);
	}
	assert_int_equal(judge(policy, m[256]), WK_CALL_DENIED_METHOD);
	wk_policy_free(policy);
	free(rules);
}

/* A pattern given as "/p.*" must not be met through a longer or shorter hash prefix. */
static void a_path_of_many_dots_and_bytes_is_just_denied(void **state)
{
	static const char *const allow[] = { "/a.a.*", "/S/M" };
	struct wk_policy *policy = of_patterns(allow, COUNT(allow), NULL, 0);
	char *path = malloc(65536);
	uint32_t rule;

	(void)state;
	assert_non_null(path);
	path[0] = '/';
	for (uint32_t i = 1; i < 65532; i += 2)
		memcpy(path + i, "b.", 2);
	memcpy(path + 65533, "b/M", 3);
	assert_int_equal(judge_n(policy, "1.1.1.1", path, 65536, &rule), WK_CALL_DENIED_METHOD);
	memcpy(path + 1, "a.a.", 4);
	assert_int_equal(judge_n(policy, "1.1.1.1", path, 65536, &rule), WK_CALL_ALLOWED);
	free(path);
	wk_policy_free(policy);
}

static void an_empty_policy_compiles(void **state)
{
	struct wk_policy_in in = { .version = 3 };
	struct wk_policy *policy = compile(&in);

	(void)state;
	assert_null(wk_policy_service(policy, 0));
	wk_policy_free(policy);
	wk_policy_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_listed_methods_are_allowed),
		cmocka_unit_test(no_other_spelling_passes_the_grammar),
		cmocka_unit_test(good_paths_pass_the_grammar),
		cmocka_unit_test(one_byte_off_is_never_allowed),
		cmocka_unit_test(wildcards_end_where_a_name_ends),
		cmocka_unit_test(groups_stand_for_the_usual_services),
		cmocka_unit_test(deny_wins_whatever_the_order_and_the_rule),
		cmocka_unit_test(a_source_has_the_union_of_its_rules),
		cmocka_unit_test(the_whole_internet_is_a_prefix),
		cmocka_unit_test(modes_and_numbers_of_services_are_kept_apart),
		cmocka_unit_test(a_source_of_another_version_fails_closed),
		cmocka_unit_test(all_256_rules_of_a_service_count),
		cmocka_unit_test(a_path_of_many_dots_and_bytes_is_just_denied),
		cmocka_unit_test(an_empty_policy_compiles),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
