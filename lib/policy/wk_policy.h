/* SPDX-License-Identifier: Apache-2.0 */
/* wk_policy.h - which source may call which gRPC method of which service.
 *
 * Default deny: what no rule of a service's access list allows is denied; a deny pattern wins over
 * every allow, whatever the order. Immutable after wk_policy_compile; readers: any lcore, each with
 * a scratch of its own. Knows no HTTP/2 and no packets. Memory: about 200 bytes a pattern, 80 a
 * rule, 18 a prefix, what PCRE2 makes of an expression (some 100 bytes), plus names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wk_mem.h"
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

/* Which :scheme a request may have. */
enum wk_policy_scheme {
	WK_SCHEME_HTTP_OR_HTTPS = 0,
	WK_SCHEME_HTTP = 1,
	WK_SCHEME_HTTPS = 2,
	WK_SCHEME_ANY = 3,
};

/* What a request of a service has to look like, whatever the rules say. All zero: as the gRPC
 * specification has it. */
struct wk_policy_form {
	bool any_method;  /* else POST */
	bool any_type;    /* else content-type application/grpc */
	bool te_optional; /* else te: trailers */
	bool any_host;    /* else :authority and host agree and name no user */
	enum wk_policy_scheme scheme;
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

/* Whom a call comes from, as far as a packet tells. */
struct wk_policy_peer {
	struct wk_addr addr;
	uint16_t vlan; /* outer VLAN id, or WK_POLICY_VLAN_NONE */
	uint16_t wire; /* number of the wire whose client side it came in on */
};
#define WK_POLICY_VLAN_NONE UINT16_MAX

/* A header field that a call must have. Names are compared as HTTP/2 has them, in lower case. */
struct wk_policy_header_in {
	const char *name;
	const char *value; /* exact, or "regex:..."; NULL: any, it only has to be there */
};

/* Input of the compiler; everything is copied.
 *
 * Patterns: a whole path /Service/Method, a service with "*" for its method, a package followed by
 * ".*" (its subpackages too), one of the groups @health, @reflection and @channelz, or "regex:" and
 * a PCRE2 expression that the whole path has to match. A rule without a source is refused.
 *
 * A rule speaks, be it to allow or to deny, only of calls that meet all its conditions: the source,
 * one of the VLANs, one of the wires, one of the authorities, every header. Authorities: "host",
 * "host:port", "*.domain" (any name below it) or "regex:..."; host names without regard to case; a
 * pattern without a port meets any. */
struct wk_policy_rule_in {
	const char *name;
	const char *file; /* where it stands, for explanations */
	uint32_t line;
	const struct wk_prefix *from;
	uint32_t n_from;
	const uint16_t *vlans; /* outer VLAN ids; n 0: any, and untagged */
	uint32_t n_vlans;
	uint32_t wires; /* bits; 0: any */
	const char *const *authorities;
	uint32_t n_authorities;
	const struct wk_policy_header_in *headers;
	uint32_t n_headers;
	const char *const *allow;
	uint32_t n_allow;
	const char *const *deny;
	uint32_t n_deny;
	bool has_reply; /* else the service's */
	enum wk_policy_reply reply;
};

struct wk_policy_service_in {
	const char *name;
	enum wk_policy_mode mode;
	enum wk_policy_unlisted unlisted;
	enum wk_policy_reply reply;
	struct wk_policy_form form;
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
/* Of one service, each kind counted once however many rules have it. */
#define WK_POLICY_REGEX_MAX     64u /* expressions for paths */
#define WK_POLICY_HEADER_MAX    64u /* conditions on headers */
#define WK_POLICY_AUTHORITY_MAX 64u /* conditions on authorities */

struct wk_policy;

struct wk_policy_error {
	char text[192];
	const char *bad; /* the pattern or name at fault, the caller's own string; "" for none */
};

/* @return 0, -ENOMEM, or -EINVAL; *err is filled on failure. */
int wk_policy_compile(const struct wk_policy_in *in, struct wk_policy **policy,
		      struct wk_policy_error *err);
void wk_policy_free(struct wk_policy *policy);

uint64_t wk_policy_version(const struct wk_policy *policy);

struct wk_policy_service {
	const char *name;
	enum wk_policy_mode mode;
	enum wk_policy_unlisted unlisted;
	enum wk_policy_reply reply;
	struct wk_policy_form form; /* looked at by whoever has the request */
	uint32_t n_rules;
};
/* @return NULL if there is no such service. */
const struct wk_policy_service *wk_policy_service(const struct wk_policy *policy, uint32_t service);
/* Name of a rule of a service; "default" for WK_POLICY_RULE_NONE. */
const char *wk_policy_rule_name(const struct wk_policy *policy, uint32_t service, uint32_t rule);
/* The file and line of a rule. @return NULL and line 0 for what is no rule. */
const char *wk_policy_rule_at(const struct wk_policy *policy, uint32_t service, uint32_t rule,
			      uint32_t *line);

/* The rules of a service that speak of a peer: the union over all prefixes that hold its address,
 * less those for other VLANs and wires. Found once per flow and policy version. */
struct wk_policy_source {
	uint64_t version;
	uint32_t service;
	bool listed;
	uint64_t rules[WK_POLICY_RULES_MAX / 64];
};
void wk_policy_source(const struct wk_policy *policy, uint32_t service,
		      const struct wk_policy_peer *peer, struct wk_policy_source *source);

/* What one lcore needs to match expressions without the heap, and the paths it has met lately with
 * what the expressions said. */
struct wk_policy_scratch;
/* match_limit: steps of one match (PCRE2's). @return NULL when out of memory. */
struct wk_policy_scratch *wk_policy_scratch_create(struct wk_mem *mem, uint32_t match_limit);
void wk_policy_scratch_free(struct wk_policy_scratch *scratch, struct wk_mem *mem);

struct wk_policy_str {
	const char *s; /* not NUL-terminated; NULL: absent */
	uint32_t len_b;
};

/* Do :authority and host, where both are there, say the same, and name no user? */
bool wk_policy_one_authority(const struct wk_policy_str *authority,
			     const struct wk_policy_str *host);

struct wk_policy_request {
	struct wk_policy_str path;      /* exact bytes, as on the wire */
	struct wk_policy_str authority; /* the pseudo-header field */
	/* All fields of the request that are no pseudo-headers; asked only where a rule has a
	 * condition. */
	uint32_t n_fields;
	const void *fields;
	void (*field)(const void *fields, uint32_t i, struct wk_policy_str *name,
		      struct wk_policy_str *value);
};

struct wk_policy_verdict {
	/* ALLOWED, UNGUARDED (mode off), DENIED_METHOD, _SOURCE, _RULE, _PATH (not of the form
	 * /Service/Method), _CONDITION (a rule allows the method, but not to this call) or
	 * _AUTHORITY (a rule looks at it, and :authority and host do not agree on one). */
	enum wk_call_reason reason;
	uint32_t rule;              /* that decided, or WK_POLICY_RULE_NONE */
	enum wk_policy_reply reply; /* to a denial */
	bool regex_limit; /* an expression gave up: taken as no in an allow, yes in a deny */
};

/* Judges one request. */
void wk_policy_match(const struct wk_policy *policy, const struct wk_policy_source *source,
		     const struct wk_policy_request *request, struct wk_policy_scratch *scratch,
		     struct wk_policy_verdict *verdict);

/* The grammar gate: '/' Service '/' Method, where Service is identifiers joined by single dots and
 * Method one identifier ([A-Za-z_][A-Za-z0-9_]*). */
bool wk_policy_path_ok(const char *path, uint32_t len_b);
