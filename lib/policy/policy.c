/* SPDX-License-Identifier: Apache-2.0 */
/* What workers ask a compiled policy. Reads only, allocates nothing. */
#include <string.h>

#include "internal.h"

struct entry *wk_policy_slot(const struct wk_policy *policy, uint32_t service, const char *key,
			     uint32_t len_b, uint32_t hash)
{
	uint32_t i = hash;

	/* At most half of the slots are taken: this ends. */
	for (;; i++) {
		struct entry *e = &policy->table[i & policy->mask];

		if (e->key == NULL)
			return e;
		if (e->hash == hash && e->service == service && e->len_b == len_b &&
		    memcmp(e->key, key, len_b) == 0)
			return e;
	}
}

uint64_t wk_policy_version(const struct wk_policy *policy)
{
	return policy->version;
}

const struct wk_policy_service *wk_policy_service(const struct wk_policy *policy, uint32_t service)
{
	return service < policy->n_services ? &policy->services[service].pub : NULL;
}

static const struct rule *find_rule(const struct wk_policy *policy, uint32_t service, uint32_t rule)
{
	if (service >= policy->n_services || rule >= policy->services[service].pub.n_rules)
		return NULL;
	return &policy->services[service].rules[rule];
}

const char *wk_policy_rule_name(const struct wk_policy *policy, uint32_t service, uint32_t rule)
{
	const struct rule *r = find_rule(policy, service, rule);

	return r != NULL ? r->name : "default";
}

const char *wk_policy_rule_at(const struct wk_policy *policy, uint32_t service, uint32_t rule,
			      uint32_t *line)
{
	const struct rule *r = find_rule(policy, service, rule);

	*line = r != NULL ? r->line : 0;
	return r != NULL ? r->file : NULL;
}

static bool prefix_holds(const struct wk_prefix *prefix, const struct wk_addr *addr)
{
	uint32_t bytes = prefix->len / 8u, bits = prefix->len % 8u;

	if (prefix->family != addr->family || memcmp(prefix->addr, addr->addr, bytes) != 0)
		return false;
	return bits == 0 || ((prefix->addr[bytes] ^ addr->addr[bytes]) >> (8u - bits)) == 0;
}

void wk_policy_source(const struct wk_policy *policy, uint32_t service, const struct wk_addr *addr,
		      struct wk_policy_source *source)
{
	*source = (struct wk_policy_source){ .version = policy->version, .service = service };
	if (service >= policy->n_services)
		return;
	for (uint32_t i = 0; i < policy->services[service].pub.n_rules; i++) {
		const struct rule *rule = &policy->services[service].rules[i];

		for (uint32_t k = 0; k < rule->n_from; k++) {
			if (!prefix_holds(&rule->from[k], addr))
				continue;
			source->rules[i / 64] |= 1ull << (i % 64);
			source->listed = true;
			break;
		}
	}
}

/* May a key end with the n-th byte, c? A path of many dots costs no look-up beyond the longest
 * package. */
static bool key_ends(const struct service *s, uint32_t n, char c)
{
	return (c == '.' && n <= s->max_package_b) || (c == '/' && n > 1);
}

/* Bits of all patterns of a service that a path of the right form meets. */
static void gather(const struct wk_policy *policy, uint32_t service, const char *path,
		   uint32_t len_b, uint64_t *allow, uint64_t *deny)
{
	const struct service *s = &policy->services[service];
	uint32_t end_b = len_b < s->max_key_b ? len_b : s->max_key_b;
	uint32_t hash = hash_begin(service);

	for (uint32_t n = 1; n <= end_b; n++) {
		char c = path[n - 1];
		const struct entry *e;

		hash = hash_add(hash, c);
		if (n < len_b && !key_ends(s, n, c))
			continue;
		e = wk_policy_slot(policy, service, path, n, hash_end(hash));
		if (e->key == NULL)
			continue;
		for (uint32_t w = 0; w < RULE_WORDS; w++) {
			allow[w] |= e->allow[w];
			deny[w] |= e->deny[w];
		}
	}
}

/* The first rule that is in both sets. */
static uint32_t first_rule(const uint64_t *a, const uint64_t *b)
{
	for (uint32_t w = 0; w < RULE_WORDS; w++)
		if ((a[w] & b[w]) != 0)
			return w * 64 + (uint32_t)__builtin_ctzll(a[w] & b[w]);
	return WK_POLICY_RULE_NONE;
}

enum wk_call_reason wk_policy_match(const struct wk_policy *policy,
				    const struct wk_policy_source *source, const char *path,
				    uint32_t len_b, uint32_t *rule)
{
	uint64_t allow[RULE_WORDS] = { 0 }, deny[RULE_WORDS] = { 0 };

	*rule = WK_POLICY_RULE_NONE;
	/* Bits of another version name other rules: fail closed. */
	if (source->version != policy->version || source->service >= policy->n_services)
		return WK_CALL_DENIED_SOURCE;
	if (policy->services[source->service].pub.mode == WK_MODE_OFF)
		return WK_CALL_UNGUARDED;
	if (!source->listed)
		return WK_CALL_DENIED_SOURCE;
	if (!wk_policy_path_ok(path, len_b))
		return WK_CALL_DENIED_PATH;
	gather(policy, source->service, path, len_b, allow, deny);
	*rule = first_rule(deny, source->rules);
	if (*rule != WK_POLICY_RULE_NONE)
		return WK_CALL_DENIED_RULE;
	*rule = first_rule(allow, source->rules);
	return *rule != WK_POLICY_RULE_NONE ? WK_CALL_ALLOWED : WK_CALL_DENIED_METHOD;
}
