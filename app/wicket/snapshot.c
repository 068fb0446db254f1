/* SPDX-License-Identifier: Apache-2.0 */
/* From struct wk_conf to the inputs of classifier and policy. */
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retire.h"

struct wk_snapshot_conf {
	struct wk_conf *conf;
	uint32_t snapshots; /* counted on the main lcore alone */
};

/* Inputs live until the compilers have copied them. */
struct scratch {
	void **blocks;
	uint32_t n;
};

static void *scratch_calloc(struct scratch *scratch, size_t n, size_t size_b)
{
	void **grown = reallocarray(scratch->blocks, scratch->n + 1u, sizeof(*grown));
	void *block;

	if (grown == NULL)
		return NULL;
	scratch->blocks = grown;
	block = calloc(n != 0 ? n : 1, size_b);
	if (block != NULL)
		scratch->blocks[scratch->n++] = block;
	return block;
}

static void scratch_free(struct scratch *scratch)
{
	for (uint32_t i = 0; i < scratch->n; i++)
		free(scratch->blocks[i]);
	free(scratch->blocks);
}

static int no_memory(struct wk_conf_error *err)
{
	snprintf(err->text, sizeof(err->text), "out of memory");
	return -ENOMEM;
}

/* Both ends of these are our own enums: spelled out, so that neither depends on the other's
 * order. */
static enum wk_policy_mode mode_of(enum wk_conf_mode mode)
{
	switch (mode) {
	case WK_CONF_AUDIT:
		return WK_MODE_AUDIT;
	case WK_CONF_OFF:
		return WK_MODE_OFF;
	default:
		return WK_MODE_ENFORCE;
	}
}

static enum wk_policy_unlisted unlisted_of(enum wk_conf_unlisted unlisted)
{
	switch (unlisted) {
	case WK_CONF_UNLISTED_RESET:
		return WK_UNLISTED_RESET;
	case WK_CONF_UNLISTED_REPLY:
		return WK_UNLISTED_REPLY;
	default:
		return WK_UNLISTED_DROP;
	}
}

static enum wk_policy_reply reply_of(enum wk_conf_reply reply)
{
	switch (reply) {
	case WK_CONF_REPLY_GRPC:
		return WK_REPLY_GRPC;
	case WK_CONF_REPLY_RESET:
		return WK_REPLY_RESET;
	default:
		return WK_REPLY_HTTP_403;
	}
}

static enum wk_on on_of(enum wk_conf_on on)
{
	switch (on) {
	case WK_CONF_ON_PASS:
		return WK_ON_PASS;
	case WK_CONF_ON_DROP:
		return WK_ON_DROP;
	default:
		return WK_ON_RESET;
	}
}

static int rule_in(struct scratch *scratch, const struct wk_conf_rule *rule,
		   struct wk_policy_rule_in *in)
{
	struct wk_prefix *from = scratch_calloc(scratch, rule->from.n, sizeof(*from));

	if (from == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rule->from.n; i++) {
		from[i].family = rule->from.v[i].family;
		from[i].len = rule->from.v[i].len;
		memcpy(from[i].addr, rule->from.v[i].addr, sizeof(from[i].addr));
	}
	*in = (struct wk_policy_rule_in){
		.name = rule->name,
		.file = rule->at.file,
		.line = rule->at.line,
		.from = from,
		.n_from = rule->from.n,
		.allow = (const char *const *)rule->allow.v,
		.n_allow = rule->allow.n,
		.deny = (const char *const *)rule->deny.v,
		.n_deny = rule->deny.n,
	};
	return 0;
}

static int service_in(struct scratch *scratch, const struct wk_conf_service *service,
		      struct wk_policy_service_in *in)
{
	struct wk_policy_rule_in *rules =
		scratch_calloc(scratch, service->n_access, sizeof(*rules));
	int rc = rules == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < service->n_access && rc == 0; i++)
		rc = rule_in(scratch, &service->access[i], &rules[i]);
	*in = (struct wk_policy_service_in){
		.name = service->name,
		.mode = mode_of(service->mode),
		.unlisted = unlisted_of(service->unlisted_source),
		.reply = reply_of(service->reply),
		.rules = rules,
		.n_rules = service->n_access,
	};
	return rc;
}

/* Is it one of these very strings, not one like it? */
static bool holds(const struct wk_conf_strings *strings, const char *text)
{
	for (uint32_t i = 0; i < strings->n; i++)
		if (strings->v[i] == text)
			return true;
	return false;
}

/* The message of wk_policy_compile, with the place of the rule that it is about. */
static int policy_error(const struct wk_conf *conf, int rc, const char *why, const char *bad,
			struct wk_conf_error *err)
{
	if (rc == -ENOMEM)
		return no_memory(err);
	for (uint32_t s = 0; s < conf->n_services; s++) {
		const struct wk_conf_service *service = &conf->services[s];

		for (uint32_t r = 0; r < service->n_access; r++) {
			const struct wk_conf_rule *rule = &service->access[r];

			if (!holds(&rule->allow, bad) && !holds(&rule->deny, bad) &&
			    rule->name != bad)
				continue;
			snprintf(err->text, sizeof(err->text),
				 "%s:%u: service \"%s\", rule \"%s\": \"%s\": %s", rule->at.file,
				 rule->at.line, service->name, rule->name, bad, why);
			return rc;
		}
	}
	snprintf(err->text, sizeof(err->text), "%s:1: \"%s\": %s", conf->file, bad, why);
	return rc;
}

/* n_retired services without rules follow those of the file. */
static int compile_policy(const struct wk_conf *conf, uint64_t version,
			  const struct wk_snapshot_service *retired, uint32_t n_retired,
			  struct wk_policy **policy, struct wk_conf_error *err)
{
	uint32_t n = conf->n_services + n_retired;
	struct scratch scratch = { 0 };
	struct wk_policy_service_in *services = scratch_calloc(&scratch, n, sizeof(*services));
	struct wk_policy_in in = { .version = version, .services = services, .n_services = n };
	const char *why = "out of memory", *bad = "";
	int rc = services == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < conf->n_services && rc == 0; i++)
		rc = service_in(&scratch, &conf->services[i], &services[i]);
	for (uint32_t i = 0; i < n_retired && rc == 0; i++)
		services[conf->n_services + i] = (struct wk_policy_service_in){
			.name = retired[i].name,
			.mode = WK_MODE_OFF,
		};
	if (rc == 0)
		rc = wk_policy_compile(&in, policy, &why, &bad);
	if (rc != 0)
		rc = policy_error(conf, rc, why, bad, err);
	scratch_free(&scratch);
	return rc;
}

static int prefixes_in(struct scratch *scratch, const struct wk_conf_prefixes *from,
		       const struct wk_acl_prefix **to, uint32_t *n)
{
	struct wk_acl_prefix *v = scratch_calloc(scratch, from->n, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->n; i++)
		v[i] = wk_retire_prefix(&from->v[i]);
	*to = v;
	*n = from->n;
	return 0;
}

static int acl_rules_in(struct scratch *scratch, const struct wk_conf *conf,
			struct wk_acl_rule_in *rules)
{
	int rc = 0;

	for (uint32_t i = 0; i < conf->n_acl && rc == 0; i++) {
		const struct wk_conf_acl *rule = &conf->acl[i];

		rules[i] = (struct wk_acl_rule_in){
			.proto = rule->proto,
			.port_low = rule->port_low,
			.port_high = rule->port_high,
			.vlan = rule->vlan,
			.drop = rule->action == WK_CONF_DROP,
		};
		rc = prefixes_in(scratch, &rule->from, &rules[i].from, &rules[i].n_from);
		if (rc == 0)
			rc = prefixes_in(scratch, &rule->to, &rules[i].to, &rules[i].n_to);
	}
	return rc;
}

static int create_acl(struct wk_snapshot *snapshot, struct wk_conf_error *err)
{
	const struct wk_conf *conf = snapshot->conf;
	struct scratch scratch = { 0 };
	struct wk_acl_rule_in *rules = scratch_calloc(&scratch, conf->n_acl, sizeof(*rules));
	struct wk_acl_service_in *services =
		scratch_calloc(&scratch, snapshot->n_services, sizeof(*services));
	struct wk_acl_in in = {
		.version = snapshot->version,
		.services = services,
		.n_services = snapshot->n_services,
		.rules = rules,
		.n_rules = conf->n_acl,
		.default_drop = conf->default_action == WK_CONF_DROP,
		.socket_id = -1, /* SOCKET_ID_ANY: one classifier for every worker */
	};
	int rc = rules == NULL || services == NULL ? -ENOMEM : acl_rules_in(&scratch, conf, rules);

	for (uint32_t i = 0; i < snapshot->n_services && rc == 0; i++)
		services[i] = (struct wk_acl_service_in){
			.addresses = snapshot->services[i].addresses,
			.n_addresses = snapshot->services[i].n_addresses,
			.port = snapshot->services[i].port,
			.enforced = i < conf->n_services &&
				    conf->services[i].mode == WK_CONF_ENFORCE,
		};
	if (rc == 0)
		rc = wk_acl_create(&in, &snapshot->acl);
	if (rc != 0)
		snprintf(err->text, sizeof(err->text), "%s:1: the classifier cannot be built: %s",
			 conf->file, strerror(rc < 0 ? -rc : rc));
	scratch_free(&scratch);
	return rc;
}

/* The file's services, then the retired ones. */
static int list_services(struct wk_snapshot *snapshot, const struct wk_snapshot *previous,
			 bool retire, struct wk_conf_error *err)
{
	const struct wk_conf *conf = snapshot->conf;
	uint32_t room = conf->n_services + (retire ? previous->n_services : 0);
	int rc = 0;

	snapshot->services = calloc(room + 1u, sizeof(*snapshot->services));
	if (snapshot->services == NULL)
		return no_memory(err);
	for (uint32_t i = 0; i < conf->n_services && rc == 0; i++)
		rc = wk_retire_copy(&conf->services[i],
				    &snapshot->services[snapshot->n_services++]);
	for (uint32_t i = 0; retire && i < previous->n_services && rc == 0; i++) {
		struct wk_snapshot_service *left = &snapshot->services[snapshot->n_services];

		rc = wk_retire(&previous->services[i], conf, left);
		if (rc != 0 || left->n_addresses == 0)
			continue;
		snapshot->n_services++;
		snapshot->n_retired++;
	}
	if (rc == 0 && snapshot->n_services > WK_POLICY_SERVICES_MAX) {
		snprintf(err->text, sizeof(err->text),
			 "%s:1: too many services are kept for edited connections", conf->file);
		return -EINVAL;
	}
	return rc != 0 ? no_memory(err) : 0;
}

static void fill_on(struct wk_snapshot *snapshot)
{
	const struct wk_conf *conf = snapshot->conf;

	snapshot->on = (struct wk_inspect_on){
		.mid_stream = on_of(conf->on.mid_stream),
		.table_full = on_of(conf->on.table_full),
		.protocol_error = on_of(conf->on.protocol_error),
		.tls = on_of(conf->on.tls),
		.http1 = on_of(conf->on.http1),
	};
	snapshot->reassemble = conf->on.fragment == WK_CONF_ON_REASSEMBLE;
	snapshot->on_fragment = on_of(conf->on.fragment);
	snapshot->on_tunnel = on_of(conf->on.tunnel);
}

/* Everything but the configuration's ownership. */
static int fill(struct wk_snapshot *snapshot, const struct wk_snapshot *previous, bool retire,
		struct wk_conf_error *err)
{
	const struct wk_conf *conf = snapshot->conf;
	int rc = list_services(snapshot, previous, retire, err);

	if (rc == 0)
		rc = compile_policy(conf, snapshot->version, snapshot->services + conf->n_services,
				    snapshot->n_retired, &snapshot->policy, err);
	if (rc == 0)
		rc = create_acl(snapshot, err);
	fill_on(snapshot);
	return rc;
}

static int build(struct wk_snapshot_conf *shared, uint64_t version,
		 const struct wk_snapshot *previous, uint32_t edited_flows,
		 struct wk_snapshot **snapshot, struct wk_conf_error *err)
{
	struct wk_snapshot *s;
	int rc;

	if (version == 0 || (previous != NULL && version <= previous->version)) {
		snprintf(err->text, sizeof(err->text), "snapshot version used before");
		return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return no_memory(err);
	s->version = version;
	s->conf = shared->conf;
	rc = fill(s, previous, previous != NULL && edited_flows > 0, err);
	if (rc != 0) {
		wk_snapshot_free(s); /* shares no configuration yet */
		return rc;
	}
	s->shared = shared;
	shared->snapshots++;
	*snapshot = s;
	return 0;
}

int wk_snapshot_build(struct wk_conf *conf, uint64_t version, const struct wk_snapshot *previous,
		      uint32_t edited_flows, struct wk_snapshot **snapshot,
		      struct wk_conf_error *err)
{
	struct wk_snapshot_conf *shared = calloc(1, sizeof(*shared));
	int rc;

	*snapshot = NULL;
	if (shared == NULL)
		return no_memory(err);
	shared->conf = conf;
	rc = build(shared, version, previous, edited_flows, snapshot, err);
	if (rc != 0)
		free(shared);
	return rc;
}

int wk_snapshot_rebuild(const struct wk_snapshot *previous, uint64_t version, uint32_t edited_flows,
			struct wk_snapshot **snapshot, struct wk_conf_error *err)
{
	*snapshot = NULL;
	return build(previous->shared, version, previous, edited_flows, snapshot, err);
}

void wk_snapshot_free(struct wk_snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	wk_acl_free(snapshot->acl);
	wk_policy_free(snapshot->policy);
	for (uint32_t i = 0; snapshot->services != NULL && i < snapshot->n_services; i++)
		wk_retire_free(&snapshot->services[i]);
	free(snapshot->services);
	if (snapshot->shared != NULL && --snapshot->shared->snapshots == 0) {
		wk_conf_free(snapshot->shared->conf);
		free(snapshot->shared);
	}
	free(snapshot);
}

int wk_snapshot_check(const struct wk_conf *conf, struct wk_conf_error *err)
{
	struct wk_policy *policy = NULL;
	int rc = compile_policy(conf, 1, NULL, 0, &policy, err);

	wk_policy_free(policy);
	return rc;
}
