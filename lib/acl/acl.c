/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "acl_priv.h"

#define MAX_SIZE_DEFAULT_B (64u * 1024u * 1024u)
/* Far above what a file means; a cross product that comes to more is a mistake in it. */
#define RULES_MAX (1u << 20)

static bool prefix_ok(const struct wk_acl_prefix *prefix)
{
	return (prefix->family == 4 && prefix->len <= 32) ||
	       (prefix->family == 6 && prefix->len <= 128);
}

static bool prefixes_ok(const struct wk_acl_prefix *prefixes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!prefix_ok(&prefixes[i]))
			return false;
	return true;
}

static bool input_ok(const struct wk_acl_in *in)
{
	for (uint32_t i = 0; i < in->n_services; i++)
		if (!prefixes_ok(in->services[i].addresses, in->services[i].n_addresses))
			return false;
	for (uint32_t i = 0; i < in->n_rules; i++) {
		const struct wk_acl_rule_in *rule = &in->rules[i];

		if (!prefixes_ok(rule->from, rule->n_from) || !prefixes_ok(rule->to, rule->n_to) ||
		    rule->port_low > rule->port_high || rule->proto > 256 || rule->vlan < -1 ||
		    rule->vlan > 4095)
			return false;
	}
	return true;
}

static int count_rule(void *user, const struct acl_rule *rule)
{
	uint32_t *n = user;

	(void)rule;
	return ++*n > RULES_MAX ? -E2BIG : 0;
}

static int add_rule(void *user, const struct acl_rule *rule)
{
	return rte_acl_add_rules(user, (const struct rte_acl_rule *)rule, 1);
}

static int build_family(const struct wk_acl_in *in, enum acl_family family,
			struct rte_acl_ctx **ctx)
{
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {
		.name = name,
		.socket_id = in->socket_id,
		.rule_size = RTE_ACL_RULE_SZ(family == ACL_V4 ? ACL_FIELDS4 : ACL_FIELDS6),
	};
	struct rte_acl_config config;
	int ret;

	ret = acl_expand(in, family, count_rule, &param.max_rule_num);
	/* rte_acl refuses to build nothing: a family without rules has no context. */
	if (ret != 0 || param.max_rule_num == 0)
		return ret;
	snprintf(name, sizeof(name), "wk%c.%" PRIu64, family == ACL_V4 ? '4' : '6', in->version);
	/* rte_acl_create would hand out the live context of that name. */
	if (rte_acl_find_existing(name))
		return -EEXIST;
	*ctx = rte_acl_create(&param);
	if (!*ctx)
		return rte_errno > 0 ? -rte_errno : -ENOMEM;
	ret = acl_expand(in, family, add_rule, *ctx);
	if (ret != 0)
		return ret;
	acl_config(family, &config);
	config.max_size = in->max_size_b > 0 ? in->max_size_b : MAX_SIZE_DEFAULT_B;
	return rte_acl_build(*ctx, &config);
}

int wk_acl_create(const struct wk_acl_in *in, struct wk_acl **acl)
{
	struct wk_acl *new;

	*acl = NULL;
	if (!input_ok(in))
		return -EINVAL;
	new = rte_zmalloc_socket("wk_acl", sizeof(*new) + in->n_rules * sizeof(new->drop[0]), 0,
				 in->socket_id);
	if (!new)
		return -ENOMEM;
	new->default_drop = in->default_drop;
	new->n_rules = in->n_rules;
	for (uint32_t i = 0; i < in->n_rules; i++)
		new->drop[i] = in->rules[i].drop;
	for (int family = 0; family < ACL_FAMILIES; family++) {
		int ret = build_family(in, (enum acl_family)family, &new->ctx[family]);

		if (ret != 0) {
			wk_acl_free(new);
			return ret;
		}
	}
	*acl = new;
	return 0;
}

void wk_acl_free(struct wk_acl *acl)
{
	if (!acl)
		return;
	for (int family = 0; family < ACL_FAMILIES; family++)
		rte_acl_free(acl->ctx[family]);
	rte_free(acl);
}
