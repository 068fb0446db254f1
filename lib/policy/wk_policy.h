/* SPDX-License-Identifier: Apache-2.0 */
/* wk_policy.h - which source may call which gRPC method of which service.
 *
 * Default deny: what no rule of a service's access list allows is denied; a deny pattern wins over
 * every allow, whatever the order. Immutable after wk_policy_compile; readers: any lcore. Knows no
 * HTTP/2 and no packets. Memory: about 200 bytes a pattern, 40 a rule, 18 a prefix, plus names. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_reasons.h"

enum wk_policy_mode {
	WK_MODE_ENFORCE = 0,
	WK_MODE_AUDIT = 1, /* judged and reported, nothing changed */
	WK_MODE_OFF = 2,   /* tracked, everything allowed */
};

enum wk_policy_unlisted {
	WK_UNLISTED_DROP = 0,
	WK_UNLISTED_RESET = 1,
	WK_UNLISTED_REPLY = 2,
};

enum wk_policy_reply {
	WK_REPLY_HTTP_403 = 0,
	WK_REPLY_GRPC = 1,
	WK_REPLY_RESET = 2,
};

/* An address with a prefix length. IPv4 uses addr[0..3]. Network order. */
struct wk_prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t len;    /* bits */
	uint8_t addr[16];
};

/* An IPv4 (addr[0..3]) or IPv6 address, network order. */
struct wk_addr {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16];
};

/* Input of the compiler; everything is copied. Patterns: a whole path /Service/Method, a service
 * with "*" for its method, a package followed by ".*" (its subpackages too), or one of the groups
 * @health, @reflection and @channelz. A rule without a source is refused. */
struct wk_policy_rule_in {
	const char *name;
	const char *file; /* where it stands, for explanations */
	uint32_t line;
	const struct wk_prefix *from;
	uint32_t n_from;
	const char *const *allow;
	uint32_t n_allow;
	const char *const *deny;
	uint32_t n_deny;
};

struct wk_policy_service_in {
	const char *name;
	enum wk_policy_mode mode;
	enum wk_policy_unlisted unlisted;
	enum wk_policy_reply reply;
	const struct wk_policy_rule_in *rules;
	uint32_t n_rules;
};

struct wk_policy_in {
	uint64_t version;
	const struct wk_policy_service_in *services;
	uint32_t n_services;
};

#define WK_POLICY_RULES_MAX    256u /* rules of one service */
#define WK_POLICY_SERVICES_MAX 1024u
#define WK_POLICY_RULE_NONE    UINT32_MAX

struct wk_policy;

/* @return 0, -ENOMEM, or -EINVAL with *err (static text) and *bad the pattern or name at fault. */
int wk_policy_compile(const struct wk_policy_in *in, struct wk_policy **policy, const char **err,
		      const char **bad);
void wk_policy_free(struct wk_policy *policy);

uint64_t wk_policy_version(const struct wk_policy *policy);

struct wk_policy_service {
	const char *name;
	enum wk_policy_mode mode;
	enum wk_policy_unlisted unlisted;
	enum wk_policy_reply reply;
	uint32_t n_rules;
};
/* @return NULL if there is no such service. */
const struct wk_policy_service *wk_policy_service(const struct wk_policy *policy, uint32_t service);
/* Name of a rule of a service; "default" for WK_POLICY_RULE_NONE. */
const char *wk_policy_rule_name(const struct wk_policy *policy, uint32_t service, uint32_t rule);
/* The file and line of a rule. @return NULL and line 0 for what is no rule. */
const char *wk_policy_rule_at(const struct wk_policy *policy, uint32_t service, uint32_t rule,
			      uint32_t *line);

/* The rules of a service that list a source: the union over all prefixes that hold it. Found once
 * per flow and policy version. */
struct wk_policy_source {
	uint64_t version;
	uint32_t service;
	bool listed;
	uint64_t rules[WK_POLICY_RULES_MAX / 64];
};
void wk_policy_source(const struct wk_policy *policy, uint32_t service, const struct wk_addr *addr,
		      struct wk_policy_source *source);

/* Judges a path, exact bytes, not NUL-terminated, as it stands on the wire.
 * @return WK_CALL_ALLOWED, WK_CALL_UNGUARDED (mode off), WK_CALL_DENIED_METHOD, _SOURCE, _RULE or
 * _PATH (not of the form /Service/Method). *rule: the rule that decided, or WK_POLICY_RULE_NONE. */
enum wk_call_reason wk_policy_match(const struct wk_policy *policy,
				    const struct wk_policy_source *source, const char *path,
				    uint32_t len_b, uint32_t *rule);

/* The grammar gate: '/' Service '/' Method, where Service is identifiers joined by single dots and
 * Method one identifier ([A-Za-z_][A-Za-z0-9_]*). */
bool wk_policy_path_ok(const char *path, uint32_t len_b);
/* Is this a pattern that wk_policy_compile takes? @return NULL if so, else why not. */
const char *wk_policy_pattern_error(const char *pattern);
