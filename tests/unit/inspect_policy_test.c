/* SPDX-License-Identifier: Apache-2.0 */
/* Rules with conditions, from the frame on the wire to the server: who somebody is by VLAN and
 * wire, what a call has besides its path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

#define WIRE 3u /* of the rig */

static const struct wk_prefix any[] = { { .family = 4 }, { .family = 6 } };
static const char *const all[] = { "/cloudcity.DoorManager/*" };

/* A gRPC request with its own authority and two more fields. */
static void call_with(struct rig *rig, uint32_t stream, const char *authority, const char *host,
		      const char *role)
{
	const struct {
		const char *name;
		const char *value;
	} fields[] = {
		{ ":method", "POST" },      { ":scheme", "http" },
		{ ":path", RIG_PATH_NAME }, { ":authority", authority },
		{ "te", "trailers" },       { "content-type", RIG_GRPC },
		{ "host", host },           { "x-role", role },
	};
	nghttp2_nv nv[8];
	uint8_t block[512], bytes[600];
	size_t n = 0;
	ssize_t len;

	for (size_t i = 0; i < 8; i++)
		if (fields[i].value)
			nv[n++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)fields[i].name,
						.namelen = strlen(fields[i].name),
						.value = (uint8_t *)(uintptr_t)fields[i].value,
						.valuelen = strlen(fields[i].value) };
	len = nghttp2_hd_deflate_hd(rig->client.deflater, block, sizeof(block), nv, n);
	assert_true(len > 0);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes,
		 h2w_frame(bytes, H2W_HEADERS, H2W_END_HEADERS | H2W_END_STREAM, stream, block,
			   (uint32_t)len));
}

static void authority_and_headers_are_those_on_the_wire(void **state)
{
	static const char *const authorities[] = { "doors.example" };
	static const struct wk_policy_header_in headers[] = { { "x-role", "regex:(chief|op-.+)" } };
	const struct wk_policy_rule_in rule = {
		.name = "chiefs",
		.from = any,
		.n_from = 2,
		.allow = all,
		.n_allow = 1,
		.authorities = authorities,
		.n_authorities = 1,
		.headers = headers,
		.n_headers = 1,
	};
	static const struct {
		const char *authority;
		const char *host;
		const char *role;
		enum wk_call_reason reason;
	} t[] = {
		{ "doors.example:50051", NULL, "chief", WK_CALL_ALLOWED },
		{ "doors.example", "doors.example", "op-7", WK_CALL_ALLOWED },
		{ NULL, "doors.example", "op-7", WK_CALL_ALLOWED },
		{ "doors.example", "other.example", "chief", WK_CALL_DENIED_AUTHORITY },
		{ "other.example", NULL, "chief", WK_CALL_DENIED_CONDITION },
		{ "doors.example", NULL, "chief2", WK_CALL_DENIED_CONDITION },
		{ "doors.example", NULL, NULL, WK_CALL_DENIED_CONDITION },
	};
	struct rig *rig = rig_new(&rig_conf_default);
	struct h2w_fields fields;

	(void)state;
	rig_rules(rig, &rule, 1);
	rig_connect(rig);
	rig_greet(rig);
	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t before = rig->stats.call[t[i].reason];
		bool allowed = t[i].reason == WK_CALL_ALLOWED;
		uint32_t stream = 2 * i + 1;

		call_with(rig, stream, t[i].authority, t[i].host, t[i].role);
		assert_int_equal(rig->stats.call[t[i].reason], before + 1);
		assert_int_equal(rig_server_headers(rig, &fields), allowed ? stream : 0);
		if (!allowed)
			assert_int_equal(rig_client_headers(rig, &fields), stream);
		rig_ack(rig, WK_C2S);
		rig_ack(rig, WK_S2C);
	}
	rig_free(rig);
}

static void vlan_and_wire_are_those_of_the_frame(void **state)
{
	static const uint16_t vlan[] = { 100 };
	const struct {
		struct wk_policy_rule_in rule;
		bool listed_tagged; /* the client in VLAN 100 */
		bool listed_plain;
	} t[] = {
		{ { .name = "r", .vlans = vlan, .n_vlans = 1 }, true, false },
		{ { .name = "r", .wires = 1u << WIRE }, true, true },
		{ { .name = "r", .wires = ~(1u << WIRE) }, false, false },
	};

	(void)state;
	for (uint32_t i = 0; i < 2 * sizeof(t) / sizeof(t[0]); i++) {
		struct wk_policy_rule_in rule = t[i / 2].rule;
		struct rig_conf conf = rig_conf_default;
		struct h2w_fields fields;
		struct rig *rig;

		rule.from = any;
		rule.n_from = 2;
		rule.allow = all;
		rule.n_allow = 1;
		conf.unlisted = WK_UNLISTED_REPLY;
		conf.pair.n_tags = i % 2;
		conf.pair.vlan[0] = 100;
		rig = rig_new(&conf);
		rig_rules(rig, &rule, 1);
		rig_connect(rig);
		rig_greet(rig);
		rig_call(rig, 1, RIG_PATH_SECRET);
		assert_int_equal(rig_server_headers(rig, &fields),
				 (i % 2 ? t[i / 2].listed_tagged : t[i / 2].listed_plain) ? 1 : 0);
		rig_free(rig);
	}
}

static void a_rule_answers_in_its_own_way(void **state)
{
	static const char *const secret[] = { RIG_PATH_SECRET };
	const struct wk_policy_rule_in rules[] = {
		{ .name = "all", .from = any, .n_from = 2, .allow = all, .n_allow = 1 },
		{ .name = "secret",
		  .from = any,
		  .n_from = 2,
		  .deny = secret,
		  .n_deny = 1,
		  .has_reply = true,
		  .reply = WK_REPLY_GRPC },
	};
	struct rig *rig = rig_new(&rig_conf_default);
	struct h2w_fields fields;

	(void)state;
	rig_rules(rig, rules, 2);
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_SECRET);
	assert_int_equal(rig_client_headers(rig, &fields), 1);
	assert_string_equal(h2w_field(&fields, ":status"), "200");
	assert_string_equal(h2w_field(&fields, "grpc-status"), "7");
	assert_string_equal(rig->events[0].rule, "secret");
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(authority_and_headers_are_those_on_the_wire),
		cmocka_unit_test(vlan_and_wire_are_those_of_the_frame),
		cmocka_unit_test(a_rule_answers_in_its_own_way),
	};

	return cmocka_run_group_tests_name("inspect_policy", tests, rig_eal_start, rig_eal_stop);
}
