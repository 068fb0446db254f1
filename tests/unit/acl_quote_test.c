/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors are classified by the packet that they quote. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/acl_kit.h"
#include "../support/icmp_quote.h"
#include "../support/test_eal.h"

#define ROUTER_BAD 66u

/* Of the router whose errors are not wanted. */
static const struct wk_acl_prefix bad_router[] = { V4(10, 12, 0, ROUTER_BAD, 32) };
static const struct wk_acl_prefix trusted_router[] = { V6(0x12, 77, 128) };
static const struct wk_acl_rule_in rules[] = {
	{ .from = bad_router, .n_from = 1, .proto = 256, ANY_PORT, .vlan = -1, .drop = true },
	{ .from = trusted_router, .n_from = 1, .proto = 256, ANY_PORT, .vlan = -1 },
};

static const struct {
	const char *name;
	struct test_frame_spec quoted;
	uint8_t router;
	uint32_t quote_b;
	struct wk_acl_verdict want;
	enum wk_acl_action strict; /* with default = drop */
	enum wk_reason strict_reason;
} rows[] = {
	{ "a client's packet",
	  { V4_BASE, TCP_33 },
	  99,
	  28,
	  { .action = WK_ACL_QUOTE, .guarded_dst = true },
	  WK_ACL_QUOTE,
	  WK_DROP_DEFAULT },
	{ "the same, IPv6 and two tags",
	  { V6_BASE, TCP_33, TAGS2(0x88a8, 100, 200) },
	  99,
	  0,
	  { .action = WK_ACL_QUOTE, .guarded_dst = true },
	  WK_ACL_QUOTE,
	  WK_DROP_DEFAULT },
	{ "from a router with a pass rule",
	  { V6_BASE, TCP_33 },
	  77,
	  0,
	  { .action = WK_ACL_QUOTE, .guarded_dst = true },
	  WK_ACL_QUOTE,
	  WK_FWD_PLAIN },
	{ "a server's packet",
	  { .ip_version = 4,
	    TCP,
	    .data_b = 20,
	    .src = LIFT4,
	    .dst = CLIENT4,
	    .sport = 50052,
	    .dport = 4000 },
	  99,
	  0,
	  { .action = WK_ACL_QUOTE, .guarded_src = true, .service_src = 1 },
	  WK_ACL_QUOTE,
	  WK_DROP_DEFAULT },
	{ "from one service to the other",
	  { .ip_version = 4,
	    TCP,
	    .data_b = 20,
	    .src = DOOR4,
	    .dst = LIFT4,
	    .sport = 50051,
	    .dport = 50052 },
	  99,
	  0,
	  { .action = WK_ACL_QUOTE, .guarded_dst = true, .service_dst = 1, .guarded_src = true },
	  WK_ACL_QUOTE,
	  WK_DROP_DEFAULT },
	{ "another port",
	  { .ip_version = 4,
	    TCP,
	    .data_b = 20,
	    .src = CLIENT4,
	    .dst = DOOR4,
	    .sport = 4000,
	    .dport = 22 },
	  99,
	  0,
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP,
	  WK_DROP_DEFAULT },
	{ "another host",
	  { .ip_version = 4,
	    TCP,
	    .data_b = 20,
	    .src = CLIENT4,
	    .dst = OTHER4,
	    .sport = 4000,
	    .dport = 50051 },
	  99,
	  0,
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP,
	  WK_DROP_DEFAULT },
	{ "UDP",
	  { V4_BASE, .proto = IPPROTO_UDP, .sport = 4000, .dport = 50051 },
	  99,
	  0,
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP,
	  WK_DROP_DEFAULT },
	{ "too little of it",
	  { V4_BASE, TCP_33 },
	  99,
	  27,
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP,
	  WK_DROP_DEFAULT },
	{ "a drop rule for its sender",
	  { V4_BASE, TCP_33 },
	  ROUTER_BAD,
	  0,
	  { .action = WK_ACL_DROP, .reason = WK_DROP_ACL },
	  WK_ACL_DROP,
	  WK_DROP_ACL },
};

static uint32_t build(uint8_t *error, size_t row)
{
	struct icmp_quote what = icmp_too_big(rows[row].quoted.ip_version, 1300);
	struct test_frame frame;

	what.router = rows[row].router;
	what.quote_b = rows[row].quote_b;
	test_frame_build(&frame, &rows[row].quoted);
	return icmp_build(error, frame.bytes, &what);
}

static void an_error_belongs_to_the_packet_it_quotes(void **state)
{
	struct wk_acl_in in = { .services = services,
				.n_services = COUNT(services),
				.rules = rules,
				.n_rules = COUNT(rules) };
	struct wk_acl *open = open_acl(&in), *strict;
	uint8_t errors[COUNT(rows)][2 * TEST_FRAME_MAX_B];
	struct wk_acl_verdict verdicts[COUNT(rows)];
	struct wk_pkt pkts[COUNT(rows)];

	(void)state;
	in.default_drop = true;
	strict = open_acl(&in);
	for (size_t i = 0; i < COUNT(rows); i++)
		wk_pkt_parse(errors[i], build(errors[i], i), &pkts[i]);
	wk_acl_classify_burst(open, pkts, COUNT(rows), verdicts);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_verdict(rows[i].name, &verdicts[i], &rows[i].want);
	wk_acl_classify_burst(strict, pkts, COUNT(rows), verdicts);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wk_acl_verdict want = rows[i].want;

		want.action = (uint8_t)rows[i].strict;
		want.reason = (uint8_t)rows[i].strict_reason;
		assert_verdict(rows[i].name, &verdicts[i], &want);
	}
	wk_acl_free(open);
	wk_acl_free(strict);
}

/* A family that no rule is about has no context. */
static void without_rules_an_error_is_plain(void **state)
{
	const struct wk_acl_in in = { .services = &services[1], .n_services = 1 };
	struct wk_acl *acl = open_acl(&in);
	uint8_t error[2 * TEST_FRAME_MAX_B];
	struct wk_acl_verdict verdict;
	struct wk_pkt pkt;

	(void)state;
	wk_pkt_parse(error, build(error, 1), &pkt);
	wk_acl_classify_burst(acl, &pkt, 1, &verdict);
	assert_int_equal(verdict.action, WK_ACL_PASS);
	wk_acl_free(acl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_belongs_to_the_packet_it_quotes),
		cmocka_unit_test(without_rules_an_error_is_plain),
	};

	return cmocka_run_group_tests_name("acl_quote", tests, test_eal_set_up, test_eal_tear_down);
}
