/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions and conditions: what else a rule asks of a call. */
#include <errno.h>

#include "../support/policy_kit.h"

#define ARENA_B (1u << 20)
#define STEPS   1000u

struct world {
	void *base;
	struct wk_mem *mem;
	struct wk_policy_scratch *scratch;
	struct wk_mem_usage before;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t footprint_b = wk_mem_footprint(ARENA_B);

	assert_non_null(w);
	assert_int_equal(posix_memalign(&w->base, 64, footprint_b), 0);
	w->mem = wk_mem_create(w->base, footprint_b);
	assert_non_null(w->mem);
	wk_mem_usage(w->mem, &w->before);
	w->scratch = wk_policy_scratch_create(w->mem, STEPS);
	assert_non_null(w->scratch);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct wk_mem_usage after;

	wk_policy_scratch_free(w->scratch, w->mem);
	wk_mem_usage(w->mem, &after);
	assert_int_equal(after.used_b, w->before.used_b);
	wk_mem_destroy(w->mem);
	free(w->base);
	free(w);
	return 0;
}

/* A request in a line: "/S/M authority name=value name=value"; "-" for no authority. */
struct call {
	char text[512];
	struct wk_policy_str name[16], value[16];
	struct wk_policy_request request;
};

static void call_field(const void *fields, uint32_t i, struct wk_policy_str *name,
		       struct wk_policy_str *value)
{
	const struct call *call = fields;

	*name = call->name[i];
	*value = call->value[i];
}

static void call_parse(struct call *call, const char *line)
{
	char *save = NULL, *word;
	uint32_t n = 0;

	*call = (struct call){ .request = { .fields = call, .field = call_field } };
	assert_true(strlen(line) < sizeof(call->text));
	strcpy(call->text, line);
	word = strtok_r(call->text, " ", &save);
	call->request.path = (struct wk_policy_str){ word, (uint32_t)strlen(word) };
	word = strtok_r(NULL, " ", &save);
	if (word != NULL && strcmp(word, "-") != 0)
		call->request.authority = (struct wk_policy_str){ word, (uint32_t)strlen(word) };
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		char *eq = strchr(word, '=');

		assert_non_null(eq);
		assert_true(n < COUNT(call->name));
		call->name[n] = (struct wk_policy_str){ word, (uint32_t)(eq - word) };
		call->value[n++] = (struct wk_policy_str){ eq + 1, (uint32_t)strlen(eq + 1) };
	}
	call->request.n_fields = n;
}

static struct wk_policy_verdict ask(struct world *w, const struct wk_policy *policy,
				    const struct wk_policy_peer *from, const char *line)
{
	struct wk_policy_verdict verdict;
	struct wk_policy_source source;
	struct call call;

	call_parse(&call, line);
	wk_policy_source(policy, 0, from, &source);
	wk_policy_match(policy, &source, &call.request, w->scratch, &verdict);
	return verdict;
}

struct row {
	const char *line;
	enum wk_call_reason reason;
};

static void check(struct world *w, const struct wk_policy *policy, const struct row *rows,
		  uint32_t n)
{
	struct wk_policy_peer from = peer("1.2.3.4");

	/* Twice: from the expressions, then from what is remembered of them. */
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < n; i++) {
			struct wk_policy_verdict verdict = ask(w, policy, &from, rows[i].line);

			if (verdict.reason != rows[i].reason)
				fail_msg("round %u, %s: %d, not %d", round, rows[i].line,
					 verdict.reason, rows[i].reason);
			assert_false(verdict.regex_limit);
		}
}

static void an_expression_meets_whole_paths_only(void **state)
{
	static const char *const allow[] = { "regex:/door\\.[A-Z][a-z]+/(Get|List).*",
					     "regex:/x.S/A|/x.S/B" };
	static const char *const deny[] = { "regex:.*/GetSecret.*", "/door.Name/ListAll" };
	static const struct row rows[] = {
		{ "/door.Name/GetIt", WK_CALL_ALLOWED },
		{ "/door.Name/List", WK_CALL_ALLOWED },
		{ "/door.name/List", WK_CALL_DENIED_METHOD },
		{ "/my.door.Name/List", WK_CALL_DENIED_METHOD },
		{ "/door.Name/Set_GetIt", WK_CALL_DENIED_METHOD },
		{ "/doorxName/GetIt", WK_CALL_DENIED_METHOD },
		{ "/door.Name/GetSecretCode", WK_CALL_DENIED_RULE },
		{ "/door.Name/ListAll", WK_CALL_DENIED_RULE },
		/* An alternative at the outside is anchored at both ends as well. */
		{ "/x.S/A", WK_CALL_ALLOWED },
		{ "/x.S/B", WK_CALL_ALLOWED },
		{ "/x.S/AB", WK_CALL_DENIED_METHOD },
		{ "/x.S/Ax.S/B", WK_CALL_DENIED_PATH },
		/* The grammar comes first, whatever an expression would take. */
		{ "/door.Name/Get/../Set", WK_CALL_DENIED_PATH },
		{ "/door.Name/Get%2e", WK_CALL_DENIED_PATH },
		{ "/door.Name/GetIt\n", WK_CALL_DENIED_PATH },
	};
	struct wk_policy *policy = of_patterns(allow, COUNT(allow), deny, COUNT(deny));

	check(*state, policy, rows, COUNT(rows));
	wk_policy_free(policy);
}

/* (a+a+)+ and the like: what cannot be told within the steps is denied, and said so each time. */
static void an_expression_that_gives_up_fails_closed(void **state)
{
	static const char *const allow[] = { "regex:/S/(a+a+)+bc*" }, *const all[] = { "/S/*" };
	static const char *const deny[] = { "regex:/S/(a+a+)+c" };
	struct wk_policy *allows = of_patterns(allow, 1, NULL, 0);
	struct wk_policy *denies = of_patterns(all, 1, deny, 1);
	struct wk_policy_peer from = peer("1.2.3.4");
	struct world *w = *state;
	struct wk_policy_verdict verdict;

	assert_int_equal(ask(w, allows, &from, "/S/aab").reason, WK_CALL_ALLOWED);
	for (int round = 0; round < 3; round++) {
		verdict = ask(w, allows, &from, "/S/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaxbc");
		assert_int_equal(verdict.reason, WK_CALL_DENIED_METHOD);
		assert_true(verdict.regex_limit);
		verdict = ask(w, denies, &from, "/S/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaxbc");
		assert_int_equal(verdict.reason, WK_CALL_DENIED_RULE);
		assert_true(verdict.regex_limit);
	}
	assert_int_equal(ask(w, denies, &from, "/S/x").reason, WK_CALL_ALLOWED);
	wk_policy_free(allows);
	wk_policy_free(denies);
}

/* What takes more steps than a path is worth gives up, also where more of them would find it. */
static void the_steps_of_an_expression_are_bounded(void **state)
{
	static const char *const allow[] = { "regex:/S/(a|aa)+bd" };
	struct wk_policy *policy = of_patterns(allow, 1, NULL, 0);
	struct wk_policy_peer from = peer("1.2.3.4");
	struct wk_policy_verdict verdict;
	struct world *w = *state;

	verdict = ask(w, policy, &from, "/S/aaaabd");
	assert_int_equal(verdict.reason, WK_CALL_ALLOWED);
	/* Some tens of thousands of ways, of which none leads on. */
	verdict = ask(w, policy, &from, "/S/aaaaaaaaaaaaaaaaaaaacbd");
	assert_int_equal(verdict.reason, WK_CALL_DENIED_METHOD);
	assert_true(verdict.regex_limit);
	wk_policy_free(policy);
}

/* More paths than are remembered, of two policies that say the opposite. */
static void what_is_remembered_is_of_one_policy_and_one_path(void **state)
{
	static const char *const even[] = { "regex:/S/M[0-9]*[02468]" };
	static const char *const odd[] = { "regex:/S/M[0-9]*[13579]" };
	struct wk_policy_peer from = peer("1.2.3.4");
	struct wk_policy *policy[2];
	struct world *w = *state;
	char line[24];

	for (uint32_t i = 0; i < 2; i++) {
		struct wk_policy_rule_in rule = { .name = "r",
						  .from = &(struct wk_prefix){ .family = 4 },
						  .n_from = 1,
						  .allow = i == 0 ? even : odd,
						  .n_allow = 1 };
		struct wk_policy_service_in service = { .name = "s", .rules = &rule, .n_rules = 1 };
		struct wk_policy_in in = { .version = 8 + i,
					   .services = &service,
					   .n_services = 1 };

		policy[i] = compile(&in);
	}
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < 3000; i++) {
			/* Some are met often, so that there is something to remember. */
			uint32_t n = i % 3 == 0 ? i % 16 : i;

			snprintf(line, sizeof(line), "/S/M%u", n);
			for (uint32_t p = 0; p < 2; p++)
				assert_int_equal(ask(w, policy[p], &from, line).reason,
						 n % 2 == p ? WK_CALL_ALLOWED
							    : WK_CALL_DENIED_METHOD);
		}
	wk_policy_free(policy[0]);
	wk_policy_free(policy[1]);
}

static void what_is_remembered_is_of_one_service(void **state)
{
	static const char *const allow[] = { "regex:/S/A", "regex:/S/B" };
	static const struct wk_policy_request a = { .path = { "/S/A", 4 } };
	struct wk_prefix any = prefix("0.0.0.0", 0);
	struct wk_policy_rule_in rules[2];
	struct wk_policy_service_in services[2];
	struct wk_policy_in in = { .version = 7, .services = services, .n_services = 2 };
	struct wk_policy_peer from = peer("1.2.3.4");
	struct wk_policy_verdict verdict;
	struct wk_policy_source source;
	struct wk_policy *policy;
	struct world *w = *state;

	for (uint32_t i = 0; i < 2; i++) {
		rules[i] = (struct wk_policy_rule_in){
			.name = "r", .from = &any, .n_from = 1, .allow = &allow[i], .n_allow = 1
		};
		services[i] = (struct wk_policy_service_in){ .name = i == 0 ? "a" : "b",
							     .rules = &rules[i],
							     .n_rules = 1 };
	}
	policy = compile(&in);
	for (uint32_t i = 0; i < 4; i++) {
		wk_policy_source(policy, i % 2, &from, &source);
		wk_policy_match(policy, &source, &a, w->scratch, &verdict);
		assert_int_equal(verdict.reason,
				 i % 2 == 0 ? WK_CALL_ALLOWED : WK_CALL_DENIED_METHOD);
	}
	wk_policy_free(policy);
}

static struct wk_policy *of_conditions(const char *const *authorities, uint32_t n_authorities,
				       const struct wk_policy_header_in *headers,
				       uint32_t n_headers, bool denies)
{
	static const char *const get[] = { "/S/Get" }, *const all[] = { "/S/*" };
	struct wk_prefix any = prefix("0.0.0.0", 0);
	struct wk_policy_rule_in rules[] = {
		{ .name = "conditional",
		  .from = &any,
		  .n_from = 1,
		  .authorities = authorities,
		  .n_authorities = n_authorities,
		  .headers = headers,
		  .n_headers = n_headers,
		  .allow = get,
		  .n_allow = !denies,
		  .deny = get,
		  .n_deny = denies },
		{ .name = "all", .from = &any, .n_from = 1, .allow = all, .n_allow = 1 },
	};

	return of_rules(rules, denies ? 2 : 1);
}

static void an_authority_is_a_host_a_port_or_a_domain(void **state)
{
	static const char *const authorities[] = { "Doors.example", "lift:50051",
						   "*.cloud.city",  "[fd00::1]:50051",
						   "[fd00::2]",     "regex:h[0-9]+(:[0-9]+)?" };
	static const struct row rows[] = {
		{ "/S/Get doors.example", WK_CALL_ALLOWED },
		{ "/S/Get DOORS.example:1", WK_CALL_ALLOWED },
		{ "/S/Get doors.example.org", WK_CALL_DENIED_CONDITION },
		{ "/S/Get xdoors.example", WK_CALL_DENIED_CONDITION },
		{ "/S/Get lift:50051", WK_CALL_ALLOWED },
		{ "/S/Get lift", WK_CALL_DENIED_CONDITION },
		{ "/S/Get lift:5005", WK_CALL_DENIED_CONDITION },
		{ "/S/Get a.cloud.city", WK_CALL_ALLOWED },
		{ "/S/Get a.b.cloud.city:9", WK_CALL_ALLOWED },
		{ "/S/Get cloud.city", WK_CALL_DENIED_CONDITION },
		{ "/S/Get .cloud.city", WK_CALL_DENIED_CONDITION },
		{ "/S/Get acloud.city", WK_CALL_DENIED_CONDITION },
		{ "/S/Get [fd00::1]:50051", WK_CALL_ALLOWED },
		{ "/S/Get [fd00::1]", WK_CALL_DENIED_CONDITION },
		{ "/S/Get [fd00::2]:7", WK_CALL_ALLOWED },
		{ "/S/Get h12:7", WK_CALL_ALLOWED },
		{ "/S/Get h12x", WK_CALL_DENIED_CONDITION },
		{ "/S/Get -", WK_CALL_DENIED_CONDITION },
		/* Where there is no :authority, host is it. */
		{ "/S/Get - host=doors.example", WK_CALL_ALLOWED },
		{ "/S/Get doors.example host=DOORS.EXAMPLE", WK_CALL_ALLOWED },
		/* Two that differ, a user in front: servers differ in what they take. */
		{ "/S/Get doors.example host=lift:50051", WK_CALL_DENIED_AUTHORITY },
		{ "/S/Get - host=doors.example host=lift:50051", WK_CALL_DENIED_AUTHORITY },
		{ "/S/Get doors.example@evil", WK_CALL_DENIED_AUTHORITY },
		{ "/S/Get evil@doors.example", WK_CALL_DENIED_AUTHORITY },
		{ "/S/Set doors.example", WK_CALL_DENIED_METHOD },
	};
	struct wk_policy *policy = of_conditions(authorities, COUNT(authorities), NULL, 0, false);

	check(*state, policy, rows, COUNT(rows));
	wk_policy_free(policy);
}

static void a_deny_by_authority_holds_where_none_is_named(void **state)
{
	static const char *const authorities[] = { "doors.example" };
	static const struct row rows[] = {
		{ "/S/Get doors.example", WK_CALL_DENIED_RULE },
		{ "/S/Get - host=doors.example", WK_CALL_DENIED_RULE },
		{ "/S/Get lift", WK_CALL_ALLOWED },
		/* Its server chooses whom such a call is for. */
		{ "/S/Get -", WK_CALL_DENIED_RULE },
		{ "/S/Get - host=", WK_CALL_DENIED_RULE },
	};
	struct wk_policy *policy = of_conditions(authorities, COUNT(authorities), NULL, 0, true);

	check(*state, policy, rows, COUNT(rows));
	wk_policy_free(policy);
}

static const struct wk_policy_header_in headers[] = {
	{ "x-tenant", "blue" },
	{ "x-debug", NULL },
	{ "x-level", "regex:[1-3]" },
};

static void an_allow_needs_every_header_however_often_it_comes(void **state)
{
	static const struct row rows[] = {
		{ "/S/Get - x-tenant=blue x-debug= x-level=2", WK_CALL_ALLOWED },
		{ "/S/Get - x-level=1 x-debug=0 a=b x-tenant=blue", WK_CALL_ALLOWED },
		{ "/S/Get - x-tenant=blue x-level=2", WK_CALL_DENIED_CONDITION },
		{ "/S/Get - x-tenant=Blue x-debug= x-level=2", WK_CALL_DENIED_CONDITION },
		{ "/S/Get - x-tenant=bluex x-debug= x-level=2", WK_CALL_DENIED_CONDITION },
		{ "/S/Get - x-tenant=blue x-debug= x-level=22", WK_CALL_DENIED_CONDITION },
		/* A server that takes the other one must not be fooled. */
		{ "/S/Get - x-tenant=blue x-tenant=red x-debug= x-level=2",
		  WK_CALL_DENIED_CONDITION },
		{ "/S/Get - x-tenant=red x-tenant=blue x-debug= x-level=2",
		  WK_CALL_DENIED_CONDITION },
		{ "/S/Get - x-tenant=blue x-tenant=blue x-debug= x-level=2", WK_CALL_ALLOWED },
		{ "/S/Set - x-tenant=blue x-debug= x-level=2", WK_CALL_DENIED_METHOD },
	};
	struct wk_policy *policy = of_conditions(NULL, 0, headers, COUNT(headers), false);

	check(*state, policy, rows, COUNT(rows));
	wk_policy_free(policy);
}

static void a_deny_needs_one_of_them_to_be_met(void **state)
{
	static const struct row rows[] = {
		{ "/S/Get - x-tenant=blue x-debug= x-level=2", WK_CALL_DENIED_RULE },
		{ "/S/Get - x-tenant=red x-tenant=blue x-debug= x-level=2", WK_CALL_DENIED_RULE },
		{ "/S/Get - x-tenant=blue x-level=2", WK_CALL_ALLOWED },
		{ "/S/Get - x-tenant=red x-debug= x-level=2", WK_CALL_ALLOWED },
		{ "/S/Set - x-tenant=blue x-debug= x-level=2", WK_CALL_ALLOWED },
	};
	struct wk_policy *policy = of_conditions(NULL, 0, headers, COUNT(headers), true);

	check(*state, policy, rows, COUNT(rows));
	wk_policy_free(policy);
}

static void vlan_and_wire_are_part_of_who_somebody_is(void **state)
{
	static const uint16_t vlans[] = { 10, 20 };
	static const char *const get[] = { "/S/Get" };
	struct wk_prefix any = prefix("0.0.0.0", 0);
	struct wk_policy_rule_in rules[] = {
		{ .name = "tagged",
		  .from = &any,
		  .n_from = 1,
		  .vlans = vlans,
		  .n_vlans = 2,
		  .allow = get,
		  .n_allow = 1 },
		{ .name = "second",
		  .from = &any,
		  .n_from = 1,
		  .wires = 1u << 1,
		  .allow = get,
		  .n_allow = 1 },
	};
	static const struct {
		uint16_t vlan;
		uint16_t wire;
		enum wk_call_reason reason;
		uint32_t rule;
	} t[] = {
		{ 10, 0, WK_CALL_ALLOWED, 0 },
		{ 20, 7, WK_CALL_ALLOWED, 0 },
		{ 11, 0, WK_CALL_DENIED_SOURCE, WK_POLICY_RULE_NONE },
		{ WK_POLICY_VLAN_NONE, 0, WK_CALL_DENIED_SOURCE, WK_POLICY_RULE_NONE },
		{ WK_POLICY_VLAN_NONE, 1, WK_CALL_ALLOWED, 1 },
		{ 11, 1, WK_CALL_ALLOWED, 1 },
		{ 11, 33, WK_CALL_DENIED_SOURCE, WK_POLICY_RULE_NONE },
	};
	struct wk_policy *policy = of_rules(rules, 2);

	for (uint32_t i = 0; i < COUNT(t); i++) {
		struct wk_policy_peer from = peer("1.2.3.4");
		struct wk_policy_verdict verdict;

		from.vlan = t[i].vlan;
		from.wire = t[i].wire;
		verdict = ask(*state, policy, &from, "/S/Get");
		assert_int_equal(verdict.reason, t[i].reason);
		assert_int_equal(verdict.rule, t[i].rule);
	}
	wk_policy_free(policy);
}

static void a_denial_is_answered_as_its_rule_says(void **state)
{
	static const char *const get[] = { "/S/Get" }, *const set[] = { "/S/Set" };
	struct wk_prefix any = prefix("0.0.0.0", 0), ten = prefix("10.0.0.0", 8);
	struct wk_policy_rule_in rules[] = {
		{ .name = "plain", .from = &any, .n_from = 1, .allow = get, .n_allow = 1 },
		{ .name = "ten",
		  .from = &ten,
		  .n_from = 1,
		  .allow = get,
		  .n_allow = 1,
		  .has_reply = true,
		  .reply = WK_REPLY_GRPC },
		{ .name = "set",
		  .from = &any,
		  .n_from = 1,
		  .deny = set,
		  .n_deny = 1,
		  .has_reply = true,
		  .reply = WK_REPLY_RESET },
		{ .name = "silent", .from = &ten, .n_from = 1, .deny = get, .n_deny = 1 },
	};
	struct wk_policy_service_in service = {
		.name = "s", .rules = rules, .n_rules = 4, .reply = WK_REPLY_HTTP_403
	};
	struct wk_policy_in in = { .version = 7, .services = &service, .n_services = 1 };
	struct wk_policy *policy = compile(&in);
	static const struct {
		const char *from;
		const char *path;
		enum wk_call_reason reason;
		enum wk_policy_reply reply;
	} t[] = {
		{ "1.2.3.4", "/S/Set", WK_CALL_DENIED_RULE, WK_REPLY_RESET },
		{ "10.2.3.4", "/S/Set", WK_CALL_DENIED_RULE, WK_REPLY_RESET },
		{ "10.2.3.4", "/S/Get", WK_CALL_DENIED_RULE, WK_REPLY_HTTP_403 },
		{ "10.2.3.4", "/S/New", WK_CALL_DENIED_METHOD, WK_REPLY_GRPC },
		{ "10.2.3.4", "/S/%", WK_CALL_DENIED_PATH, WK_REPLY_GRPC },
		/* The first rule of this source with a reply of its own. */
		{ "1.2.3.4", "/S/New", WK_CALL_DENIED_METHOD, WK_REPLY_RESET },
	};

	for (uint32_t i = 0; i < COUNT(t); i++) {
		struct wk_policy_peer from = peer(t[i].from);
		struct wk_policy_verdict verdict = ask(*state, policy, &from, t[i].path);

		assert_int_equal(verdict.reason, t[i].reason);
		assert_int_equal(verdict.reply, t[i].reply);
	}
	wk_policy_free(policy);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expression_meets_whole_paths_only),
		cmocka_unit_test(an_expression_that_gives_up_fails_closed),
		cmocka_unit_test(the_steps_of_an_expression_are_bounded),
		cmocka_unit_test(what_is_remembered_is_of_one_policy_and_one_path),
		cmocka_unit_test(what_is_remembered_is_of_one_service),
		cmocka_unit_test(an_authority_is_a_host_a_port_or_a_domain),
		cmocka_unit_test(a_deny_by_authority_holds_where_none_is_named),
		cmocka_unit_test(an_allow_needs_every_header_however_often_it_comes),
		cmocka_unit_test(a_deny_needs_one_of_them_to_be_met),
		cmocka_unit_test(vlan_and_wire_are_part_of_who_somebody_is),
		cmocka_unit_test(a_denial_is_answered_as_its_rule_says),
	};

	return cmocka_run_group_tests_name("policy_condition", tests, setup, teardown);
}
