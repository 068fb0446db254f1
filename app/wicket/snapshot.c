/* SPDX-License-Identifier: Apache-2.0 */
/* From struct wk_conf to the classifier, and all of it into one snapshot. */
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gaps.h"
#include "retire.h"
#include "snapshot_policy.h"

struct wk_snapshot_conf {
	struct wk_conf *conf;
	uint32_t snapshots; /* counted on the main lcore alone */
};

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

static int prefixes_in(struct wk_scratch *scratch, const struct wk_conf_prefixes *from,
		       const struct wk_acl_prefix **to, uint32_t *n)
{
	struct wk_acl_prefix *v = wk_scratch_calloc(scratch, from->n, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->n; i++)
		v[i] = wk_retire_prefix(&from->v[i]);
	*to = v;
	*n = from->n;
	return 0;
}

static int acl_rules_in(struct wk_scratch *scratch, const struct wk_conf *conf,
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
	struct wk_scratch scratch = { 0 };
	struct wk_acl_rule_in *rules = wk_scratch_calloc(&scratch, conf->n_acl, sizeof(*rules));
	struct wk_acl_service_in *services =
		wk_scratch_calloc(&scratch, snapshot->n_services, sizeof(*services));
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
			.ports = snapshot->services[i].ports,
			.n_ports = snapshot->services[i].n_ports,
			.enforced = i < conf->n_services &&
				    conf->services[i].mode == WK_CONF_ENFORCE,
		};
	if (rc == 0)
		rc = wk_acl_create(&in, &snapshot->acl);
	if (rc != 0)
		snprintf(err->text, sizeof(err->text), "%s:1: the classifier cannot be built: %s",
			 conf->file, strerror(rc < 0 ? -rc : rc));
	wk_scratch_free(&scratch);
	return rc;
}

/* What the new file leaves of one service of the old one: the same of all its ports in most files,
 * and then one service again. */
static int retire_service(struct wk_snapshot *snapshot, const struct wk_snapshot_service *from)
{
	uint32_t first = snapshot->n_services;
	int rc = 0;

	for (uint32_t i = 0; i < from->n_ports && rc == 0; i++) {
		struct wk_snapshot_service *left = &snapshot->services[snapshot->n_services];

		rc = wk_retire(from, from->ports[i], snapshot->conf, left);
		if (rc != 0 || left->n_addresses == 0)
			continue;
		if (snapshot->n_services > first && wk_retire_join(left - 1, left)) {
			wk_retire_free(left);
			*left = (struct wk_snapshot_service){ 0 };
			continue;
		}
		snapshot->n_services++;
		snapshot->n_retired++;
	}
	return rc;
}

/* The file's services, then the retired ones. */
static int list_services(struct wk_snapshot *snapshot, const struct wk_snapshot *previous,
			 bool retire, struct wk_conf_error *err)
{
	const struct wk_conf *conf = snapshot->conf;
	uint32_t room = conf->n_services;
	int rc = 0;

	for (uint32_t i = 0; retire && i < previous->n_services; i++)
		room += previous->services[i].n_ports;
	snapshot->services = calloc(room + 1u, sizeof(*snapshot->services));
	if (snapshot->services == NULL)
		return wk_snapshot_no_memory(err);
	for (uint32_t i = 0; i < conf->n_services && rc == 0; i++)
		rc = wk_retire_copy(&conf->services[i],
				    &snapshot->services[snapshot->n_services++]);
	for (uint32_t i = 0; retire && i < previous->n_services && rc == 0; i++)
		rc = retire_service(snapshot, &previous->services[i]);
	if (rc == 0 && snapshot->n_services > WK_POLICY_SERVICES_MAX) {
		snprintf(err->text, sizeof(err->text),
			 "%s:1: too many services are kept for edited connections", conf->file);
		return -EINVAL;
	}
	return rc != 0 ? wk_snapshot_no_memory(err) : 0;
}

static void fill_on(struct wk_snapshot *snapshot)
{
	const struct wk_conf *conf = snapshot->conf;

	snapshot->on = (struct wk_inspect_on){
		.mid_stream = on_of(conf->on.mid_stream),
		.table_full = on_of(conf->on.table_full),
		.source_full = on_of(conf->on.source_full),
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
		rc = wk_snapshot_policy(conf, snapshot->version,
					snapshot->services + conf->n_services, snapshot->n_retired,
					&snapshot->policy, err);
	if (rc == 0)
		rc = create_acl(snapshot, err);
	fill_on(snapshot);
	if (rc == 0 && wk_gaps_fill(snapshot, previous, retire) != 0)
		rc = wk_snapshot_no_memory(err);
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
		return wk_snapshot_no_memory(err);
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
		return wk_snapshot_no_memory(err);
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
	free(snapshot->gaps);
	if (snapshot->shared != NULL && --snapshot->shared->snapshots == 0) {
		wk_conf_free(snapshot->shared->conf);
		free(snapshot->shared);
	}
	free(snapshot);
}

int wk_snapshot_check(const struct wk_conf *conf, struct wk_conf_error *err)
{
	struct wk_policy *policy = NULL;
	int rc = wk_snapshot_policy(conf, 1, NULL, 0, &policy, err);

	wk_policy_free(policy);
	return rc;
}
