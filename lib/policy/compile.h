/* SPDX-License-Identifier: Apache-2.0 */
/* compile.h - shared by the files that build a policy. */
#pragma once

#include "internal.h"

/* What an input takes. The conditions of a service are counted as often as they are said, though
 * those that are alike share a bit. */
struct counts {
	uint32_t rules;
	uint32_t prefixes;
	uint32_t keys;
	uint32_t regexes;
	uint32_t authorities;
	uint32_t headers;
	uint32_t vlans;
	size_t text_b;
};

/* Fills err. @return -EINVAL. */
int policy_refuse(struct wk_policy_error *err, const char *bad, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* check.c */
int policy_check(const struct wk_policy_in *in, struct counts *counts, struct wk_policy_error *err);

/* Where the next rule, prefix, string ... goes. */
struct fill {
	struct wk_policy *policy;
	struct wk_policy_error *err;
	struct rule *rule;
	struct wk_prefix *prefix;
	uint16_t *vlan;
	struct regex *regex;
	struct header *header;
	struct matcher *authority;
	char *text;
};

const char *fill_text(struct fill *fill, const char *text);

/* fill_conditions.c. @return 0, or -EINVAL with the error filled. */
int fill_regex(struct fill *fill, struct service *s, uint32_t rule, const char *pattern,
	       bool allow);
int fill_conditions(struct fill *fill, struct service *s, const struct wk_policy_rule_in *in,
		    struct rule *rule);
