/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "acl_priv.h"

#define PORT_MAX 65535u
#define VLAN_MAX 65535u /* above the ids: untagged is WK_PKT_VLAN_NONE */

/* What one rte_acl rule selects, before it is cut into fields. */
struct match {
	enum acl_category category;
	uint32_t priority;
	uint32_t index;
	uint16_t proto;                  /* 256: any */
	const struct wk_acl_prefix *src; /* NULL: any */
	const struct wk_acl_prefix *dst;
	uint16_t sport[2];
	uint16_t dport[2];
	uint16_t vlan[2];
};

static uint32_t words_of(enum acl_family family)
{
	return family == ACL_V4 ? 1 : 4;
}

static void set_field(struct rte_acl_config *config, uint8_t type, uint8_t size_b, uint32_t input,
		      size_t offset)
{
	uint32_t i = config->num_fields++;

	config->defs[i] = (struct rte_acl_field_def){
		.type = type,
		.size = size_b,
		.field_index = (uint8_t)i,
		.input_index = (uint8_t)input,
		.offset = (uint32_t)offset,
	};
}

void acl_config(enum acl_family family, struct rte_acl_config *config)
{
	uint32_t words = words_of(family);
	size_t src = family == ACL_V4 ? offsetof(struct acl_key4, src)
				      : offsetof(struct acl_key6, src);
	size_t tail = family == ACL_V4 ? offsetof(struct acl_key4, tail)
				       : offsetof(struct acl_key6, tail);
	uint32_t input = 0;

	memset(config, 0, sizeof(*config));
	config->num_categories = ACL_CATS;
	set_field(config, RTE_ACL_FIELD_TYPE_BITMASK, 1, input++, 0);
	/* Source and destination lie behind one another. */
	for (uint32_t i = 0; i < 2 * words; i++)
		set_field(config, RTE_ACL_FIELD_TYPE_MASK, 4, input++, src + 4 * (size_t)i);
	/* Two fields share an input: ports first, then VLANs. */
	for (uint32_t i = 0; i < 4; i++)
		set_field(config, RTE_ACL_FIELD_TYPE_RANGE, 2, input + i / 2, tail + 2 * (size_t)i);
}

static struct rte_acl_field *put_prefix(struct rte_acl_field *field,
					const struct wk_acl_prefix *prefix, uint32_t words)
{
	for (uint32_t i = 0; i < words; i++, field++) {
		uint32_t len = 0;
		uint32_t word = 0;

		if (prefix) {
			len = prefix->len > 32 * i ? RTE_MIN(prefix->len - 32 * i, 32u) : 0;
			memcpy(&word, prefix->addr + 4 * i, sizeof(word));
		}
		/* Bits below the mask would keep the rule from ever matching. */
		word = rte_be_to_cpu_32(word) & (len == 0 ? 0 : UINT32_MAX << (32 - len));
		field->value.u32 = word;
		field->mask_range.u32 = len;
	}
	return field;
}

static struct rte_acl_field *put_range(struct rte_acl_field *field, const uint16_t range[2])
{
	field->value.u16 = range[0];
	field->mask_range.u16 = range[1];
	return field + 1;
}

static void put_rule(struct acl_rule *rule, const struct match *match, enum acl_family family)
{
	static const uint16_t any_vlan[2] = { 0, VLAN_MAX };
	uint32_t words = words_of(family);
	struct rte_acl_field *field = rule->field;

	memset(rule, 0, sizeof(*rule));
	rule->data.category_mask = 1u << match->category;
	rule->data.priority = (int32_t)match->priority;
	rule->data.userdata = match->index + 1; /* 0 means no match */
	field->value.u8 = match->proto > 255 ? 0 : (uint8_t)match->proto;
	field->mask_range.u8 = match->proto > 255 ? 0 : 0xff;
	field = put_prefix(field + 1, match->src, words);
	field = put_prefix(field, match->dst, words);
	field = put_range(field, match->sport);
	field = put_range(field, match->dport);
	field = put_range(field, match->vlan);
	put_range(field, any_vlan);
}

static bool of_family(const struct wk_acl_prefix *prefix, enum acl_family family)
{
	return !prefix || (prefix->family == 4) == (family == ACL_V4);
}

/* A rule of the file: every source prefix with every destination prefix. */
static int expand_rule(const struct wk_acl_rule_in *in, struct match *match, enum acl_family family,
		       int (*add)(void *, const struct acl_rule *), void *user)
{
	uint32_t n_from = RTE_MAX(in->n_from, 1u);
	uint32_t n_to = RTE_MAX(in->n_to, 1u);

	for (uint32_t i = 0; i < n_from; i++) {
		match->src = in->n_from > 0 ? &in->from[i] : NULL;
		if (!of_family(match->src, family))
			continue;
		for (uint32_t j = 0; j < n_to; j++) {
			struct acl_rule rule;
			int ret;

			match->dst = in->n_to > 0 ? &in->to[j] : NULL;
			if (!of_family(match->dst, family))
				continue;
			put_rule(&rule, match, family);
			ret = add(user, &rule);
			if (ret != 0)
				return ret;
		}
	}
	return 0;
}

static int expand_rules(const struct wk_acl_in *in, enum acl_family family,
			int (*add)(void *, const struct acl_rule *), void *user)
{
	for (uint32_t i = 0; i < in->n_rules; i++) {
		const struct wk_acl_rule_in *rule = &in->rules[i];
		struct match match = {
			.category = ACL_CAT_RULES,
			.priority = in->n_rules - i,
			.index = i,
			.proto = rule->proto,
			.sport = { 0, PORT_MAX },
			.dport = { rule->port_low, rule->port_high },
			.vlan = { 0, VLAN_MAX },
		};
		int ret;

		/* Id 0 is that of priority tags, which name no VLAN. */
		if (rule->vlan >= 0) {
			match.vlan[0] = rule->vlan > 0 ? (uint16_t)rule->vlan : WK_PKT_VLAN_NONE;
			match.vlan[1] = match.vlan[0];
		}
		ret = expand_rule(rule, &match, family, add, user);
		if (ret != 0)
			return ret;
	}
	return 0;
}

/* One address of a service, guarded as destination and as source: with a port for TCP, or (NULL)
 * without for what has no ports to see. */
static int expand_pair(const struct wk_acl_prefix *prefix, const uint16_t *port, struct match match,
		       enum acl_family family, int (*add)(void *, const struct acl_rule *),
		       void *user)
{
	int ret = 0;

	match.proto = port ? IPPROTO_TCP : 256;
	for (int as_src = 0; as_src < 2 && ret == 0; as_src++) {
		uint16_t *range = as_src ? match.sport : match.dport;
		struct acl_rule rule;

		match.category = as_src ? ACL_CAT_SRC : ACL_CAT_DST;
		if (!port)
			match.category = ACL_CAT_ADDR;
		match.src = as_src ? prefix : NULL;
		match.dst = as_src ? NULL : prefix;
		match.sport[0] = match.dport[0] = 0;
		match.sport[1] = match.dport[1] = PORT_MAX;
		if (port)
			range[0] = range[1] = *port;
		put_rule(&rule, &match, family);
		ret = add(user, &rule);
	}
	return ret;
}

static int expand_address(const struct wk_acl_prefix *prefix, const struct wk_acl_in *in,
			  struct match match, enum acl_family family,
			  int (*add)(void *, const struct acl_rule *), void *user)
{
	const struct wk_acl_service_in *service = &in->services[match.index];
	int ret = 0;

	match.priority = in->n_services - match.index;
	for (uint32_t i = 0; i < service->n_ports && ret == 0; i++)
		ret = expand_pair(prefix, &service->ports[i], match, family, add, user);
	if (ret != 0)
		return ret;
	if (service->enforced)
		match.priority += in->n_services;
	return expand_pair(prefix, NULL, match, family, add, user);
}

int acl_expand(const struct wk_acl_in *in, enum acl_family family,
	       int (*add)(void *user, const struct acl_rule *rule), void *user)
{
	for (uint32_t i = 0; i < in->n_services; i++) {
		const struct wk_acl_service_in *service = &in->services[i];
		struct match match = {
			.index = i,
			.vlan = { 0, VLAN_MAX },
		};

		for (uint32_t j = 0; j < service->n_addresses; j++) {
			int ret;

			if (!of_family(&service->addresses[j], family))
				continue;
			ret = expand_address(&service->addresses[j], in, match, family, add, user);
			if (ret != 0)
				return ret;
		}
	}
	return expand_rules(in, family, add, user);
}
