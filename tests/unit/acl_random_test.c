/* SPDX-License-Identifier: Apache-2.0 */
/* Random services and rules: rte_acl agrees with a walk over the rules, which is plain to see. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/test_eal.h"
#include "wk_acl.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint32_t rnd(uint32_t below)
{
	return (uint32_t)random() % below;
}

/* From a small space, so that rules meet. */
static void random_address(uint8_t family, uint8_t *addr)
{
	memset(addr, 0, 16);
	for (uint32_t i = 0; i < (family == 4 ? 4u : 16u); i++)
		addr[i] = (uint8_t)(rnd(4) == 0 ? rnd(2) << 7 : 0);
}

static void random_prefixes(struct wk_acl_prefix *prefixes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		prefixes[i].family = rnd(2) ? 4 : 6;
		prefixes[i].len = (uint8_t)rnd(prefixes[i].family == 4 ? 33 : 129);
		random_address(prefixes[i].family, prefixes[i].addr);
	}
}

static bool prefix_holds(const struct wk_acl_prefix *prefix, const struct wk_pkt *pkt,
			 const uint8_t *addr)
{
	if (prefix->family != pkt->ip_version)
		return false;
	for (uint32_t bit = 0; bit < prefix->len; bit++)
		if (((prefix->addr[bit / 8] ^ addr[bit / 8]) >> (7 - bit % 8)) & 1)
			return false;
	return true;
}

static bool any_holds(const struct wk_acl_prefix *prefixes, uint32_t n, const struct wk_pkt *pkt,
		      const uint8_t *addr)
{
	for (uint32_t i = 0; i < n; i++)
		if (prefix_holds(&prefixes[i], pkt, addr))
			return true;
	return n == 0;
}

static int naive_rule(const struct wk_acl_in *in, const struct wk_pkt *pkt)
{
	for (uint32_t i = 0; i < in->n_rules; i++) {
		const struct wk_acl_rule_in *rule = &in->rules[i];

		if (any_holds(rule->from, rule->n_from, pkt, pkt->src) &&
		    any_holds(rule->to, rule->n_to, pkt, pkt->dst) &&
		    (rule->proto == 256 || rule->proto == pkt->proto) &&
		    pkt->dport >= rule->port_low && pkt->dport <= rule->port_high &&
		    (rule->vlan < 0 ||
		     (rule->vlan > 0 ? (uint32_t)rule->vlan : WK_PKT_VLAN_NONE) == pkt->vlan[0]))
			return (int)i;
	}
	return -1;
}

static bool has_port(const struct wk_acl_service_in *service, uint16_t port)
{
	for (uint32_t i = 0; i < service->n_ports; i++)
		if (service->ports[i] == port)
			return true;
	return false;
}

static int naive_service(const struct wk_acl_in *in, const struct wk_pkt *pkt, bool dst)
{
	for (uint32_t i = 0; i < in->n_services; i++)
		if (in->services[i].n_addresses > 0 &&
		    has_port(&in->services[i], dst ? pkt->dport : pkt->sport) &&
		    any_holds(in->services[i].addresses, in->services[i].n_addresses, pkt,
			      dst ? pkt->dst : pkt->src))
			return (int)i;
	return -1;
}

static void naive(const struct wk_acl_in *in, const struct wk_pkt *pkt,
		  struct wk_acl_verdict *verdict)
{
	int rule = naive_rule(in, pkt);
	int dst = pkt->proto == IPPROTO_TCP ? naive_service(in, pkt, true) : -1;
	int src = pkt->proto == IPPROTO_TCP ? naive_service(in, pkt, false) : -1;

	memset(verdict, 0, sizeof(*verdict));
	if (rule >= 0 && in->rules[rule].drop) {
		verdict->action = WK_ACL_DROP;
		verdict->reason = WK_DROP_ACL;
	} else if (dst >= 0 || src >= 0) {
		verdict->action = WK_ACL_GUARD;
		verdict->guarded_dst = dst >= 0;
		verdict->guarded_src = src >= 0;
		verdict->service_dst = dst >= 0 ? (uint32_t)dst : 0;
		verdict->service_src = src >= 0 ? (uint32_t)src : 0;
	} else if (rule < 0 && in->default_drop) {
		verdict->action = WK_ACL_DROP;
		verdict->reason = WK_DROP_DEFAULT;
	}
}

#define MAX_RULES    24
#define MAX_SERVICES 6
#define MAX_PREFIXES 4
#define MAX_PORTS    3

struct random_input {
	struct wk_acl_in in;
	struct wk_acl_rule_in rules[MAX_RULES];
	struct wk_acl_service_in services[MAX_SERVICES];
	struct wk_acl_prefix from[MAX_RULES][MAX_PREFIXES];
	struct wk_acl_prefix to[MAX_RULES][MAX_PREFIXES];
	struct wk_acl_prefix addresses[MAX_SERVICES][MAX_PREFIXES];
	uint16_t ports[MAX_SERVICES][MAX_PORTS];
};

static void random_in(struct random_input *r)
{
	static const uint16_t protos[] = { 6, 6, 17, 256 };

	r->in = (struct wk_acl_in){ .rules = r->rules,
				    .n_rules = rnd(MAX_RULES + 1),
				    .services = r->services,
				    .n_services = rnd(MAX_SERVICES + 1),
				    .default_drop = rnd(2) };
	for (uint32_t i = 0; i < MAX_RULES; i++) {
		uint16_t low = (uint16_t)rnd(8);

		random_prefixes(r->from[i], MAX_PREFIXES);
		random_prefixes(r->to[i], MAX_PREFIXES);
		r->rules[i] = (struct wk_acl_rule_in){
			.from = r->from[i],
			.n_from = rnd(MAX_PREFIXES),
			.to = r->to[i],
			.n_to = rnd(MAX_PREFIXES),
			.proto = protos[rnd(COUNT(protos))],
			.port_low = rnd(2) ? low : 0,
			.port_high = (uint16_t)(rnd(2) ? low + rnd(4) : 65535),
			.vlan = rnd(3) ? -1 : (int32_t)rnd(3),
			.drop = rnd(2),
		};
	}
	for (uint32_t i = 0; i < MAX_SERVICES; i++) {
		random_prefixes(r->addresses[i], MAX_PREFIXES);
		for (uint32_t k = 0; k < MAX_PORTS; k++)
			r->ports[i][k] = (uint16_t)rnd(8);
		r->services[i] = (struct wk_acl_service_in){ r->addresses[i], rnd(MAX_PREFIXES + 1),
							     r->ports[i], 1 + rnd(MAX_PORTS),
							     rnd(2) == 0 };
	}
}

static void random_pkt(struct wk_pkt *pkt)
{
	*pkt = (struct wk_pkt){
		.ip_version = rnd(2) ? 4 : 6,
		.proto = rnd(3) ? IPPROTO_TCP : IPPROTO_UDP,
		.flags = WK_PKT_F_L4_PORTS,
		.sport = (uint16_t)rnd(12),
		.dport = (uint16_t)rnd(12),
		.vlan = { (uint16_t)(rnd(2) ? 1 + rnd(3) : WK_PKT_VLAN_NONE), WK_PKT_VLAN_NONE },
	};
	if (pkt->proto == IPPROTO_TCP)
		pkt->flags |= WK_PKT_F_TCP;
	random_address(pkt->ip_version, pkt->src);
	random_address(pkt->ip_version, pkt->dst);
}

static void random_rules_agree_with_a_naive_matcher(void **state)
{
	static struct random_input r;
	uint32_t seen[5] = { 0 };

	(void)state;
	srandom(17);
	for (uint32_t round = 0; round < 150; round++) {
		struct wk_acl_verdict got[WK_ACL_BURST_MAX];
		struct wk_pkt pkts[WK_ACL_BURST_MAX];
		struct wk_acl *acl;

		random_in(&r);
		r.in.version = round + 1;
		r.in.socket_id = SOCKET_ID_ANY;
		assert_int_equal(wk_acl_create(&r.in, &acl), 0);
		for (uint32_t burst = 0; burst < 20; burst++) {
			uint16_t n = (uint16_t)(1 + rnd(WK_ACL_BURST_MAX));

			for (uint16_t i = 0; i < n; i++)
				random_pkt(&pkts[i]);
			wk_acl_classify_burst(acl, pkts, n, got);
			for (uint16_t i = 0; i < n; i++) {
				struct wk_acl_verdict want;

				naive(&r.in, &pkts[i], &want);
				seen[want.action]++;
				assert_int_equal(got[i].action, want.action);
				assert_int_equal(got[i].reason, want.reason);
				assert_int_equal(got[i].guarded_dst, want.guarded_dst);
				assert_int_equal(got[i].guarded_src, want.guarded_src);
				assert_int_equal(got[i].service_dst, want.service_dst);
				assert_int_equal(got[i].service_src, want.service_src);
			}
		}
		wk_acl_free(acl);
	}
	/* All outcomes did occur, often. */
	assert_true(seen[WK_ACL_PASS] > 1000 && seen[WK_ACL_DROP] > 1000 &&
		    seen[WK_ACL_GUARD] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_rules_agree_with_a_naive_matcher),
	};

	return cmocka_run_group_tests_name("acl_random", tests, test_eal_set_up,
					   test_eal_tear_down);
}
