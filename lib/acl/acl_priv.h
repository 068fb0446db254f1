/* SPDX-License-Identifier: Apache-2.0 */
/* acl_priv.h - private to lib/acl: the key that rte_acl sees, and the two contexts over it.
 *
 * The key is filled from struct wk_pkt, never read from the frame: tags, options and extension
 * headers move the fields there. rte_acl wants one byte first and then words of four bytes; keys
 * are in network order, the values of rules in host order. */
#pragma once

#include <rte_acl.h>

#include "wk_acl.h"

enum acl_category {
	ACL_CAT_RULES = 0,
	ACL_CAT_DST = 1,
	ACL_CAT_SRC = 2,
	ACL_CAT_ADDR = 3,
	ACL_CATS = 4,
};

enum acl_family {
	ACL_V4 = 0,
	ACL_V6 = 1,
	ACL_FAMILIES = 2,
};

struct acl_key_tail {
	rte_be16_t sport;
	rte_be16_t dport;
	rte_be16_t vlan[2];
};

struct acl_key4 {
	uint8_t proto;
	uint8_t zero[3];
	uint8_t src[4];
	uint8_t dst[4];
	struct acl_key_tail tail;
};

struct acl_key6 {
	uint8_t proto;
	uint8_t zero[3];
	uint8_t src[16];
	uint8_t dst[16];
	struct acl_key_tail tail;
};

#define ACL_FIELDS4    7u
#define ACL_FIELDS6    13u
#define ACL_FIELDS_MAX ACL_FIELDS6

RTE_ACL_RULE_DEF(acl_rule, ACL_FIELDS_MAX);

struct wk_acl {
	struct rte_acl_ctx *ctx[ACL_FAMILIES]; /* NULL: no rule of this family */
	bool default_drop;
	uint32_t n_rules;
	bool drop[]; /* of each rule */
};

/* Calls add for every rte_acl rule that `in` comes to in one family. @return 0, or what add
 * returned. */
int acl_expand(const struct wk_acl_in *in, enum acl_family family,
	       int (*add)(void *user, const struct acl_rule *rule), void *user);
/* The fields of a family's key. */
void acl_config(enum acl_family family, struct rte_acl_config *config);
