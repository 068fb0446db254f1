/* SPDX-License-Identifier: Apache-2.0 */
/* What workers ask a compiled policy. Reads only, allocates nothing. */
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

static bool rule_lists(const struct rule *rule, const struct wk_policy_peer *peer)
{
	bool vlan = rule->n_vlans == 0, held = false;

	if (rule->wires != 0 && (peer->wire >= 32 || (rule->wires >> peer->wire & 1u) == 0))
		return false;
	for (uint32_t i = 0; i < rule->n_vlans && !vlan; i++)
		vlan = rule->vlans[i] == peer->vlan;
	for (uint32_t i = 0; i < rule->n_from && vlan && !held; i++)
		held = prefix_holds(&rule->from[i], &peer->addr);
	return held;
}

void wk_policy_source(const struct wk_policy *policy, uint32_t service,
		      const struct wk_policy_peer *peer, struct wk_policy_source *source)
{
	*source = (struct wk_policy_source){ .version = policy->version, .service = service };
	if (service >= policy->n_services)
		return;
	for (uint32_t i = 0; i < policy->services[service].pub.n_rules; i++) {
		if (!rule_lists(&policy->services[service].rules[i], peer))
			continue;
		source->rules[i / 64] |= UINT64_C(1) << (i % 64);
		source->listed = true;
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

/* The first rule of a set. */
static uint32_t first_rule(const uint64_t *rules)
{
	for (uint32_t w = 0; w < RULE_WORDS; w++)
		if (rules[w] != 0)
			return w * 64 + (uint32_t)__builtin_ctzll(rules[w]);
	return WK_POLICY_RULE_NONE;
}

/* Takes the rules whose conditions the request does not meet out of a set of rules that allow
 * (strict) or deny. */
static void meet(const struct service *s, const struct facts *facts, bool strict, uint64_t *rules)
{
	uint64_t headers = strict ? facts->headers_all : facts->headers_any;
	uint64_t authorities = !strict && facts->unnamed ? UINT64_MAX : facts->authorities;

	for (uint32_t w = 0; w < RULE_WORDS; w++) {
		for (uint64_t left = rules[w] & s->conditional[w]; left != 0; left &= left - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(left);
			const struct rule *rule = &s->rules[w * 64 + bit];

			if ((rule->authorities != 0 && (rule->authorities & authorities) == 0) ||
			    (rule->headers & headers) != rule->headers)
				rules[w] &= ~(UINT64_C(1) << bit);
		}
	}
}

static bool meets(const uint64_t *a, const uint64_t *b)
{
	uint64_t both = 0;

	for (uint32_t w = 0; w < RULE_WORDS; w++)
		both |= a[w] & b[w];
	return both != 0;
}

/* The reply to a denial: that of the rule that denied, or else of the first rule of the source that
 * has one, or else the service's. */
static enum wk_policy_reply reply_of(const struct service *s, const struct wk_policy_source *source,
				     uint32_t rule)
{
	if (rule != WK_POLICY_RULE_NONE)
		return s->rules[rule].has_reply ? s->rules[rule].reply : s->pub.reply;
	for (uint32_t i = 0; i < s->pub.n_rules; i++)
		if ((source->rules[i / 64] >> (i % 64) & 1u) != 0 && s->rules[i].has_reply)
			return s->rules[i].reply;
	return s->pub.reply;
}

/* The rules of the source that name the path. */
static void name_path(const struct wk_policy *policy, const struct wk_policy_source *source,
		      const struct wk_policy_str *path, struct wk_policy_scratch *scratch,
		      uint64_t *allow, uint64_t *deny, bool *limit)
{
	gather(policy, source->service, path->s, path->len_b, allow, deny);
	if (policy->services[source->service].n_regexes > 0)
		wk_policy_regex_gather(policy, source->service, path->s, path->len_b, scratch,
				       allow, deny, limit);
	for (uint32_t w = 0; w < RULE_WORDS; w++) {
		allow[w] &= source->rules[w];
		deny[w] &= source->rules[w];
	}
}

static enum wk_call_reason decide(const struct wk_policy *policy,
				  const struct wk_policy_source *source,
				  const struct wk_policy_request *request,
				  struct wk_policy_scratch *scratch,
				  struct wk_policy_verdict *verdict)
{
	const struct service *s = &policy->services[source->service];
	uint64_t allow[RULE_WORDS] = { 0 }, deny[RULE_WORDS] = { 0 };
	struct facts facts;
	bool named;

	if (!source->listed)
		return WK_CALL_DENIED_SOURCE;
	if (!wk_policy_path_ok(request->path.s, request->path.len_b))
		return WK_CALL_DENIED_PATH;
	name_path(policy, source, &request->path, scratch, allow, deny, &verdict->regex_limit);
	named = first_rule(allow) != WK_POLICY_RULE_NONE;
	if (meets(s->conditional, source->rules)) {
		wk_policy_facts(s, request, scratch, &facts);
		verdict->regex_limit |= facts.limit;
		if (s->n_authorities > 0 && facts.split)
			return WK_CALL_DENIED_AUTHORITY;
		meet(s, &facts, true, allow);
		meet(s, &facts, false, deny);
	}
	verdict->rule = first_rule(deny);
	if (verdict->rule != WK_POLICY_RULE_NONE)
		return WK_CALL_DENIED_RULE;
	verdict->rule = first_rule(allow);
	if (verdict->rule != WK_POLICY_RULE_NONE)
		return WK_CALL_ALLOWED;
	return named ? WK_CALL_DENIED_CONDITION : WK_CALL_DENIED_METHOD;
}

void wk_policy_match(const struct wk_policy *policy, const struct wk_policy_source *source,
		     const struct wk_policy_request *request, struct wk_policy_scratch *scratch,
		     struct wk_policy_verdict *verdict)
{
	*verdict = (struct wk_policy_verdict){ .reason = WK_CALL_DENIED_SOURCE,
					       .rule = WK_POLICY_RULE_NONE };
	/* Bits of another version name other rules: fail closed. */
	if (source->version != policy->version || source->service >= policy->n_services)
		return;
	if (policy->services[source->service].pub.mode == WK_MODE_OFF) {
		verdict->reason = WK_CALL_UNGUARDED;
		return;
	}
	verdict->reason = decide(policy, source, request, scratch, verdict);
	verdict->reply = reply_of(&policy->services[source->service], source, verdict->rule);
}
