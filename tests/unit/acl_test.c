/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_tcp.h>

#include "../support/acl_kit.h"
#include "../support/test_eal.h"

static const struct wk_acl_prefix net12[] = { V4(10, 12, 0, 0, 16), V6(0x12, 0, 64) };
static const struct wk_acl_prefix bad_host[] = { V4(10, 66, 0, 1, 32) };
static const struct wk_acl_rule_in rules[] = {
	/* A hole in the rule after it. */
	{ .to = net12, .n_to = 1, .proto = 6, .port_low = 22, .port_high = 22, .vlan = 7 },
	{ .to = net12,
	  .n_to = 2,
	  .proto = 6,
	  .port_low = 22,
	  .port_high = 23,
	  .vlan = -1,
	  .drop = true },
	{ .from = bad_host, .n_from = 1, .proto = 256, ANY_PORT, .vlan = -1, .drop = true },
	{ .to = net12, .n_to = 1, .proto = 6, .port_low = 50051, .port_high = 50051, .vlan = -1 },
	{ .proto = 17, .port_low = 53, .port_high = 53, .vlan = -1 },
};

#define FRAG_OPTION(proto) proto, 0, 0, 8, 1, 2, 3, 4
static const uint8_t frag_tcp[] = { FRAG_OPTION(6) };
static const uint8_t frag_dest[] = { FRAG_OPTION(60) };
static const uint8_t frag_udp[] = { FRAG_OPTION(17) };

/* `row` is one packet; what the classifier with services, rules and default pass says. */
static const struct {
	const char *name;
	struct test_frame_spec spec;
	struct wk_acl_verdict want;
	enum wk_acl_action want_default_drop; /* with default = drop */
} rows[] = {
	{ "client to door",
	  { .ip_version = 4, TCP, .src = CLIENT4, .dst = DOOR4, .sport = 4000, .dport = 50051 },
	  { WK_ACL_GUARD, 0, true, false, 0, 0, 0 },
	  WK_ACL_GUARD },
	{ "door to client",
	  { .ip_version = 4, TCP, .src = DOOR4, .dst = CLIENT4, .sport = 50051, .dport = 4000 },
	  { WK_ACL_GUARD, 0, false, true, 0, 0, 0 },
	  WK_ACL_GUARD },
	{ "client to door, IPv6, one tag",
	  { .ip_version = 6,
	    TCP,
	    .src = CLIENT6,
	    .dst = DOOR6,
	    .sport = 4000,
	    .dport = 50051,
	    .n_tags = 1,
	    .tpid = { 0x8100 },
	    .vlan = { 5 } },
	  { WK_ACL_GUARD, 0, true, false, 0, 0, 0 },
	  WK_ACL_GUARD },
	{ "lift, a network",
	  { .ip_version = 4, TCP, .src = CLIENT4, .dst = LIFT4, .sport = 4000, .dport = 50052 },
	  { WK_ACL_GUARD, 0, true, false, 1, 0, 0 },
	  WK_ACL_GUARD },
	{ "door to lift, both guarded",
	  { .ip_version = 4, TCP, .src = DOOR4, .dst = LIFT4, .sport = 50051, .dport = 50052 },
	  { WK_ACL_GUARD, 0, true, true, 1, 0, 0 },
	  WK_ACL_GUARD },
	{ "door, other port",
	  { .ip_version = 4, TCP, .src = CLIENT4, .dst = DOOR4, .sport = 4000, .dport = 50052 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP },
	{ "other host, same port: a pass rule",
	  { .ip_version = 4, TCP, .src = CLIENT4, .dst = OTHER4, .sport = 4000, .dport = 50051 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_PASS },
	{ "UDP to the guarded port",
	  { .ip_version = 4, .proto = IPPROTO_UDP, .src = CLIENT4, .dst = DOOR4, .dport = 50051 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP },
	{ "a drop rule beats a guard",
	  { .ip_version = 4, TCP, .src = BAD4, .dst = DOOR4, .sport = 4000, .dport = 50051 },
	  { .action = WK_ACL_DROP, .reason = WK_DROP_ACL },
	  WK_ACL_DROP },
	{ "a drop rule by port",
	  { .ip_version = 4, TCP, .src = CLIENT4, .dst = DOOR4, .sport = 4000, .dport = 22 },
	  { .action = WK_ACL_DROP, .reason = WK_DROP_ACL },
	  WK_ACL_DROP },
	{ "a drop rule by port, IPv6",
	  { .ip_version = 6, TCP, .src = CLIENT6, .dst = OTHER6, .sport = 4000, .dport = 23 },
	  { .action = WK_ACL_DROP, .reason = WK_DROP_ACL },
	  WK_ACL_DROP },
	{ "an earlier pass rule for one VLAN",
	  { .ip_version = 4,
	    TCP,
	    .src = CLIENT4,
	    .dst = DOOR4,
	    .sport = 4000,
	    .dport = 22,
	    .n_tags = 1,
	    .tpid = { 0x8100 },
	    .vlan = { 7 } },
	  { .action = WK_ACL_PASS },
	  WK_ACL_PASS },
	{ "the outer tag counts",
	  { .ip_version = 4,
	    TCP,
	    .src = CLIENT4,
	    .dst = DOOR4,
	    .sport = 4000,
	    .dport = 22,
	    .n_tags = 2,
	    .tpid = { 0x88a8, 0x8100 },
	    .vlan = { 8, 7 } },
	  { .action = WK_ACL_DROP, .reason = WK_DROP_ACL },
	  WK_ACL_DROP },
	{ "a pass rule without addresses",
	  { .ip_version = 6, .proto = IPPROTO_UDP, .src = CLIENT6, .dst = OTHER6, .dport = 53 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_PASS },
	{ "nothing selects it",
	  { .ip_version = 6, .proto = IPPROTO_UDP, .src = CLIENT6, .dst = OTHER6, .dport = 54 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP },
	{ "first TCP fragment to the door",
	  { .ip_version = 4,
	    TCP,
	    .src = CLIENT4,
	    .dst = DOOR4,
	    .dport = 50051,
	    .data_b = 28,
	    .frag = 0x2000 },
	  { .action = WK_ACL_FRAG },
	  WK_ACL_FRAG },
	{ "later TCP fragment from the door",
	  { .ip_version = 4, TCP, .src = DOOR4, .dst = CLIENT4, .frag = 0x0005 },
	  { .action = WK_ACL_FRAG },
	  WK_ACL_FRAG },
	{ "UDP fragment to the door",
	  { .ip_version = 4, .proto = IPPROTO_UDP, .src = CLIENT4, .dst = DOOR4, .frag = 5 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP },
	{ "TCP fragment to another host",
	  { .ip_version = 4, TCP, .src = CLIENT4, .dst = OTHER4, .frag = 5 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP },
	{ "later IPv6 TCP fragment",
	  { .ip_version = 6,
	    TCP,
	    .src = CLIENT6,
	    .dst = DOOR6,
	    .ext_type = 44,
	    .ext = frag_tcp,
	    .ext_b = 8 },
	  { .action = WK_ACL_FRAG },
	  WK_ACL_FRAG },
	{ "later IPv6 fragment behind a hidden header",
	  { .ip_version = 6,
	    TCP,
	    .src = CLIENT6,
	    .dst = DOOR6,
	    .ext_type = 44,
	    .ext = frag_dest,
	    .ext_b = 8 },
	  { .action = WK_ACL_FRAG },
	  WK_ACL_FRAG },
	{ "later IPv6 UDP fragment",
	  { .ip_version = 6,
	    TCP,
	    .src = CLIENT6,
	    .dst = DOOR6,
	    .ext_type = 44,
	    .ext = frag_udp,
	    .ext_b = 8 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP },
	{ "GRE to the door",
	  { .ip_version = 4, .proto = IPPROTO_GRE, .src = CLIENT4, .dst = DOOR4, .data_b = 40 },
	  { .action = WK_ACL_TUNNEL },
	  WK_ACL_TUNNEL },
	{ "VXLAN to the door",
	  { .ip_version = 6, .proto = IPPROTO_UDP, .src = CLIENT6, .dst = DOOR6, .dport = 4789 },
	  { .action = WK_ACL_TUNNEL },
	  WK_ACL_TUNNEL },
	{ "GRE to another host",
	  { .ip_version = 4, .proto = IPPROTO_GRE, .src = CLIENT4, .dst = OTHER4, .data_b = 40 },
	  { .action = WK_ACL_PASS },
	  WK_ACL_DROP },
};

static void rows_are_classified_as_the_table_says(void **state)
{
	struct wk_acl_in in = { .services = services,
				.n_services = COUNT(services),
				.rules = rules,
				.n_rules = COUNT(rules) };
	struct wk_acl *acl = open_acl(&in);
	struct wk_acl *strict;

	(void)state;
	in.default_drop = true;
	strict = open_acl(&in);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wk_acl_verdict got = verdict_of(acl, &rows[i].spec);
		const struct wk_acl_verdict *want = &rows[i].want;

		assert_verdict(rows[i].name, &got, want);
		got = verdict_of(strict, &rows[i].spec);
		if (got.action != rows[i].want_default_drop)
			fail_msg("%s: action %u with default drop", rows[i].name, got.action);
		if (want->action == WK_ACL_PASS && got.action == WK_ACL_DROP)
			assert_int_equal(got.reason, WK_DROP_DEFAULT);
	}
	wk_acl_free(acl);
	wk_acl_free(strict);
}

static void the_service_is_named_by_the_side(void **state)
{
	struct wk_acl_verdict verdict = { .action = WK_ACL_GUARD,
					  .guarded_dst = true,
					  .service_dst = 3 };
	uint32_t service;

	(void)state;
	assert_true(wk_acl_service(&verdict, WK_C2S, &service));
	assert_int_equal(service, 3);
	assert_false(wk_acl_service(&verdict, WK_S2C, &service));
}

static void an_enforced_service_speaks_for_an_address(void **state)
{
	static const struct wk_acl_prefix wide[] = { V4(10, 12, 0, 0, 16), V4(10, 13, 0, 0, 16) };
	static const struct wk_acl_service_in shared[] = {
		{ wide, COUNT(wide), &lift_port, 1, false },
		{ door_addresses, COUNT(door_addresses), &door_port, 1, true },
	};
	static const struct test_frame_spec to_door = {
		.ip_version = 4, TCP, .src = CLIENT4, .dst = DOOR4, .frag = 5
	};
	static const struct test_frame_spec from_lift = {
		.ip_version = 4, TCP, .src = LIFT4, .dst = CLIENT4, .frag = 5
	};
	static const struct test_frame_spec both = {
		.ip_version = 4, TCP, .src = LIFT4, .dst = DOOR4, .frag = 5
	};
	const struct wk_acl_in in = { .version = ++acl_versions,
				      .services = shared,
				      .n_services = COUNT(shared),
				      .socket_id = SOCKET_ID_ANY };
	struct wk_acl *acl = open_acl(&in);

	(void)state;
	assert_int_equal(verdict_of(acl, &to_door).service_addr, 1);
	assert_int_equal(verdict_of(acl, &from_lift).service_addr, 0);
	assert_int_equal(verdict_of(acl, &both).service_addr, 1);
	wk_acl_free(acl);
}

static void every_port_is_guarded_at_every_address(void **state)
{
	static const struct wk_acl_prefix wide[] = { V4(10, 12, 0, 10, 32), V4(10, 13, 0, 0, 24),
						     V6(0x12, 2, 128) };
	static const uint16_t ports[] = { 443, 50051, 50052 };
	static const struct wk_acl_service_in service = { wide, COUNT(wide), ports, COUNT(ports),
							  true };
	static const struct {
		struct test_frame_spec frame;
	} to[] = {
		{ { .ip_version = 4, TCP, .src = CLIENT4, .dst = DOOR4 } },
		{ { .ip_version = 4, TCP, .src = CLIENT4, .dst = LIFT4 } },
		{ { .ip_version = 6, TCP, .src = CLIENT6, .dst = DOOR6 } },
	};
	struct wk_acl_in in = { .services = &service, .n_services = 1 };
	struct wk_acl *acl = open_acl(&in);

	(void)state;
	for (uint32_t i = 0; i < COUNT(to); i++) {
		struct test_frame_spec frame = to[i].frame;

		for (uint32_t k = 0; k < COUNT(ports); k++) {
			struct wk_acl_verdict verdict;

			frame.dport = ports[k];
			verdict = verdict_of(acl, &frame);
			assert_int_equal(verdict.action, WK_ACL_GUARD);
			assert_true(verdict.guarded_dst);
			assert_false(verdict.guarded_src);
			frame.dport = (uint16_t)(ports[k] + 2);
			assert_int_equal(verdict_of(acl, &frame).action, WK_ACL_PASS);
		}
	}
	wk_acl_free(acl);
}

static void empty_inputs_work(void **state)
{
	static const struct test_frame_spec v4 = {
		.ip_version = 4, TCP, .src = CLIENT4, .dst = DOOR4, .dport = 50051
	};
	static const struct test_frame_spec v6 = {
		.ip_version = 6, TCP, .src = CLIENT6, .dst = DOOR6, .dport = 50051
	};

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		struct wk_acl_in in = { .default_drop = strict };
		struct wk_acl *acl = open_acl(&in);
		uint8_t want = strict ? WK_ACL_DROP : WK_ACL_PASS;

		assert_int_equal(verdict_of(acl, &v4).action, want);
		assert_int_equal(verdict_of(acl, &v6).action, want);
		wk_acl_classify_burst(acl, NULL, 0, NULL);
		wk_acl_free(acl);
	}
	wk_acl_free(NULL);
}

static void a_family_without_rules_gets_the_default(void **state)
{
	static const struct wk_acl_service_in lift_only = { lift_addresses, 1, &lift_port, 1,
							    true };
	static const struct test_frame_spec v6 = {
		.ip_version = 6, TCP, .src = CLIENT6, .dst = DOOR6, .dport = 50052
	};
	static const struct test_frame_spec v4 = {
		.ip_version = 4, TCP, .src = CLIENT4, .dst = LIFT4, .dport = 50052
	};
	struct wk_acl_in in = { .services = &lift_only, .n_services = 1, .default_drop = true };
	struct wk_acl *acl = open_acl(&in);

	(void)state;
	assert_int_equal(verdict_of(acl, &v6).reason, WK_DROP_DEFAULT);
	assert_int_equal(verdict_of(acl, &v4).action, WK_ACL_GUARD);
	wk_acl_free(acl);
}

static void what_is_not_ip_passes_unless_default_is_drop(void **state)
{
	static const struct {
		uint16_t ethertype;
		uint8_t strict;
	} frames[] = {
		{ 0x0806, WK_ACL_PASS },
		{ 0x88cc, WK_ACL_DROP },
		{ 0x0026, WK_ACL_DROP },
	};
	struct wk_acl_in in = { .services = services, .n_services = COUNT(services) };
	struct wk_acl *acl = open_acl(&in);
	struct wk_acl *strict;

	(void)state;
	in.default_drop = true;
	strict = open_acl(&in);
	for (size_t i = 0; i < COUNT(frames); i++) {
		uint8_t bytes[60] = { 0 };
		struct wk_acl_verdict verdict;
		struct wk_pkt pkt;

		put16(bytes + 12, frames[i].ethertype);
		wk_pkt_parse(bytes, sizeof(bytes), &pkt);
		wk_acl_classify_burst(acl, &pkt, 1, &verdict);
		assert_int_equal(verdict.action, WK_ACL_PASS);
		wk_acl_classify_burst(strict, &pkt, 1, &verdict);
		assert_int_equal(verdict.action, frames[i].strict);
	}
	wk_acl_free(acl);
	wk_acl_free(strict);
}

static void neighbour_discovery_passes_whatever_the_rules_say(void **state)
{
	static const struct wk_acl_rule_in all = {
		.proto = 256, ANY_PORT, .vlan = -1, .drop = true
	};
	struct wk_acl_in in = { .rules = &all, .n_rules = 1, .default_drop = true };
	struct wk_acl *acl = open_acl(&in);
	struct test_frame_spec spec = {
		.ip_version = 6, .proto = 58, .src = CLIENT6, .dst = DOOR6, .data_b = 24
	};

	(void)state;
	for (uint32_t type = 128; type < 140; type++) {
		for (int hops = 254; hops <= 255; hops++) {
			struct wk_acl_verdict verdict;
			struct test_frame frame;
			struct wk_pkt pkt;

			test_frame_build(&frame, &spec);
			frame.bytes[frame.l3_off + 7] = (uint8_t)hops;
			frame.bytes[frame.l4_off] = (uint8_t)type;
			wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
			wk_acl_classify_burst(acl, &pkt, 1, &verdict);
			assert_int_equal(verdict.action, hops == 255 && type >= 133 && type <= 137
								 ? WK_ACL_PASS
								 : WK_ACL_DROP);
		}
	}
	wk_acl_free(acl);
}

static void malformed_packets_are_dropped_where_they_matter(void **state)
{
	static const struct {
		uint8_t dst[16];
		uint32_t off;
		uint8_t value;
		uint8_t action;
	} packets[] = {
		/* The IP header itself: nobody would take it. */
		{ OTHER4, 0, 0x44, WK_ACL_DROP },
		/* The TCP header: odd TCP is none of our business elsewhere. */
		{ DOOR4, 32, 0x40, WK_ACL_DROP },
		{ OTHER4, 32, 0x40, WK_ACL_PASS },
	};
	struct wk_acl_in in = { .services = services, .n_services = COUNT(services) };
	struct wk_acl *acl = open_acl(&in);

	(void)state;
	for (size_t i = 0; i < COUNT(packets); i++) {
		struct test_frame_spec spec = {
			.ip_version = 4, TCP, .src = CLIENT4, .dport = 50051
		};
		struct wk_acl_verdict verdict;
		struct test_frame frame;
		struct wk_pkt pkt;

		memcpy(spec.dst, packets[i].dst, 16);
		test_frame_build(&frame, &spec);
		frame.bytes[frame.l3_off + packets[i].off] = packets[i].value;
		wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
		wk_acl_classify_burst(acl, &pkt, 1, &verdict);
		assert_int_equal(verdict.action, packets[i].action);
		if (packets[i].action == WK_ACL_DROP)
			assert_int_equal(verdict.reason, WK_DROP_MALFORMED);
	}
	wk_acl_free(acl);
}

static void wrong_inputs_are_refused(void **state)
{
	static const struct wk_acl_prefix long4[] = { V4(1, 2, 3, 4, 33) };
	static const struct wk_acl_prefix family5[] = { { .family = 5 } };
	static const struct wk_acl_rule_in bad_rules[] = {
		{ .from = long4, .n_from = 1, .proto = 6, ANY_PORT, .vlan = -1 },
		{ .to = family5, .n_to = 1, .proto = 6, ANY_PORT, .vlan = -1 },
		{ .proto = 6, .port_low = 9, .port_high = 8, .vlan = -1 },
		{ .proto = 257, ANY_PORT, .vlan = -1 },
		{ .proto = 6, ANY_PORT, .vlan = 4096 },
	};
	struct wk_acl *acl;

	(void)state;
	for (size_t i = 0; i < COUNT(bad_rules); i++) {
		struct wk_acl_in in = { .version = ++acl_versions,
					.rules = &bad_rules[i],
					.n_rules = 1,
					.socket_id = SOCKET_ID_ANY };

		assert_int_equal(wk_acl_create(&in, &acl), -EINVAL);
		assert_null(acl);
	}
}

static void a_version_names_its_contexts_once(void **state)
{
	struct wk_acl_in in = { .version = UINT64_MAX,
				.services = services,
				.n_services = 2,
				.socket_id = SOCKET_ID_ANY };
	struct wk_acl *first;
	struct wk_acl *second;

	(void)state;
	assert_int_equal(wk_acl_create(&in, &first), 0);
	assert_int_equal(wk_acl_create(&in, &second), -EEXIST);
	assert_null(second);
	in.version--;
	assert_int_equal(wk_acl_create(&in, &second), 0);
	wk_acl_free(first);
	wk_acl_free(second);
}

static void a_build_above_its_bound_is_refused(void **state)
{
	enum { N = 200 };
	static struct wk_acl_prefix from[N];
	struct wk_acl_rule_in rule = { .from = from,
				       .n_from = N,
				       .to = from,
				       .n_to = 1,
				       .proto = 6,
				       .port_low = 5,
				       .port_high = 500,
				       .vlan = -1 };
	struct wk_acl_in in = { .version = ++acl_versions,
				.rules = &rule,
				.n_rules = 1,
				.socket_id = SOCKET_ID_ANY,
				.max_size_b = 4096 };
	struct wk_acl *acl;

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		from[i] = (struct wk_acl_prefix){ .family = 4,
						  .len = 32,
						  .addr = { (uint8_t)(i * 7), (uint8_t)i, 3, 4 } };
	assert_true(wk_acl_create(&in, &acl) < 0);
	assert_null(acl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_classified_as_the_table_says),
		cmocka_unit_test(the_service_is_named_by_the_side),
		cmocka_unit_test(an_enforced_service_speaks_for_an_address),
		cmocka_unit_test(every_port_is_guarded_at_every_address),
		cmocka_unit_test(empty_inputs_work),
		cmocka_unit_test(a_family_without_rules_gets_the_default),
		cmocka_unit_test(what_is_not_ip_passes_unless_default_is_drop),
		cmocka_unit_test(neighbour_discovery_passes_whatever_the_rules_say),
		cmocka_unit_test(malformed_packets_are_dropped_where_they_matter),
		cmocka_unit_test(wrong_inputs_are_refused),
		cmocka_unit_test(a_version_names_its_contexts_once),
		cmocka_unit_test(a_build_above_its_bound_is_refused),
	};

	return cmocka_run_group_tests_name("acl", tests, test_eal_set_up, test_eal_tear_down);
}
