/* SPDX-License-Identifier: Apache-2.0 */
/* What one key alone does not show: names twice, ports in no wire, services that overlap, limits
 * that contradict each other. */
#include <string.h>

#include "internal.h"
#include "strings_check.h"

#define FAIL_AT(place, ...) wk_conf_fail(err, (place).file, (place).line, __VA_ARGS__)

static uint32_t port_mtu(const struct wk_conf *conf, uint32_t port)
{
	return conf->ports[port].mtu != 0 ? conf->ports[port].mtu : conf->mtu;
}

static int check_ports(const struct wk_conf *conf, struct wk_conf_error *err)
{
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		const struct wk_conf_port *port = &conf->ports[i];

		for (uint32_t k = 0; k < i; k++) {
			const struct wk_conf_port *other = &conf->ports[k];

			if (strcmp(port->name, other->name) == 0)
				return FAIL_AT(port->at, "two ports are called \"%s\"", port->name);
			if (wk_conf_same_device(port->device, other->device))
				return FAIL_AT(port->at,
					       "ports \"%s\" and \"%s\" are the same device",
					       other->name, port->name);
		}
	}
	return 0;
}

static int check_wires(const struct wk_conf *conf, struct wk_conf_error *err)
{
	uint32_t used[WK_CONF_PORTS_MAX] = { 0 };

	for (uint32_t i = 0; i < conf->n_wires; i++) {
		const struct wk_conf_wire *wire = &conf->wires[i];

		if (wire->client == wire->server)
			return FAIL_AT(wire->at, "a wire needs two ports, \"%s\" is on both sides",
				       conf->ports[wire->client].name);
		if (used[wire->client]++ != 0 || used[wire->server]++ != 0)
			return FAIL_AT(
				wire->at, "port \"%s\" is in another wire already",
				conf->ports[used[wire->client] > 1 ? wire->client : wire->server]
					.name);
		if (port_mtu(conf, wire->client) != port_mtu(conf, wire->server))
			return FAIL_AT(wire->at, "the ports of a wire differ in mtu: %u and %u",
				       port_mtu(conf, wire->client), port_mtu(conf, wire->server));
	}
	for (uint32_t i = 0; i < conf->n_ports; i++)
		if (used[i] == 0)
			return FAIL_AT(conf->ports[i].at, "port \"%s\" is in no wire",
				       conf->ports[i].name);
	return 0;
}

static bool has_port(const struct wk_conf_ints *ports, uint32_t n, uint32_t port)
{
	for (uint32_t i = 0; i < n; i++)
		if (ports->v[i] == port)
			return true;
	return false;
}

/* @return 0 for none. */
static uint32_t common_port(const struct wk_conf_ints *a, const struct wk_conf_ints *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (has_port(a, a->n, b->v[i]))
			return b->v[i];
	return 0;
}

/* Each pair of an address and a port is a rule of the classifier, four times. */
static int check_pairs(const struct wk_conf_service *service, struct wk_conf_error *err)
{
	const struct wk_conf_ints *ports = &service->ports;

	if (ports->n > WK_CONF_SVC_PORTS_MAX)
		return FAIL_AT(service->at, "service \"%s\" has %u ports, not 1 to %u",
			       service->name, ports->n, WK_CONF_SVC_PORTS_MAX);
	for (uint32_t i = 0; i < ports->n; i++)
		if (has_port(ports, i, ports->v[i]))
			return FAIL_AT(service->at, "service \"%s\" has port %u twice",
				       service->name, ports->v[i]);
	if ((uint64_t)service->addresses.n * ports->n > WK_CONF_SVC_PAIRS_MAX)
		return FAIL_AT(service->at,
			       "service \"%s\" has %u addresses with %u ports each, more than %u "
			       "pairs",
			       service->name, service->addresses.n, ports->n,
			       WK_CONF_SVC_PAIRS_MAX);
	return 0;
}

static int check_overlap(const struct wk_conf_service *a, const struct wk_conf_service *b,
			 struct wk_conf_error *err)
{
	char text[PREFIX_TEXT_MAX];
	uint32_t port = common_port(&a->ports, &b->ports);

	if (port == 0)
		return 0;
	for (uint32_t i = 0; i < a->addresses.n; i++) {
		for (uint32_t k = 0; k < b->addresses.n; k++) {
			if (!wk_conf_prefix_overlap(&a->addresses.v[i], &b->addresses.v[k]))
				continue;
			wk_conf_prefix_print(&b->addresses.v[k], text);
			return FAIL_AT(b->at, "services \"%s\" and \"%s\" both have %s port %u",
				       a->name, b->name, text, port);
		}
	}
	return 0;
}

/* Calls come in on the clients' side of a wire, nowhere else. */
static bool is_client_port(const struct wk_conf *conf, const char *name)
{
	for (uint32_t i = 0; i < conf->n_wires; i++)
		if (strcmp(conf->ports[conf->wires[i].client].name, name) == 0)
			return true;
	return false;
}

static int check_ingress(const struct wk_conf *conf, const struct wk_conf_rule *rule,
			 struct wk_conf_error *err)
{
	for (uint32_t i = 0; i < rule->ingress.n; i++)
		if (!is_client_port(conf, rule->ingress.v[i]))
			return FAIL_AT(rule->at,
				       "services.access.ingress: no wire has a client port \"%s\"",
				       rule->ingress.v[i]);
	return 0;
}

static int check_access(const struct wk_conf *conf, const struct wk_conf_service *service,
			struct wk_conf_error *err)
{
	for (uint32_t i = 0; i < service->n_access; i++) {
		const struct wk_conf_rule *rule = &service->access[i];
		int rc = check_ingress(conf, rule, err);

		for (uint32_t k = 0; k < i && rc == 0; k++)
			if (strcmp(rule->name, service->access[k].name) == 0)
				return FAIL_AT(rule->at,
					       "two access rules of \"%s\" are called \"%s\"",
					       service->name, rule->name);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int check_services(const struct wk_conf *conf, struct wk_conf_error *err)
{
	for (uint32_t i = 0; i < conf->n_services; i++) {
		const struct wk_conf_service *service = &conf->services[i];
		int rc = check_pairs(service, err);

		if (rc == 0)
			rc = check_access(conf, service, err);
		for (uint32_t k = 0; k < i && rc == 0; k++) {
			if (strcmp(service->name, conf->services[k].name) == 0)
				return FAIL_AT(service->at, "two services are called \"%s\"",
					       service->name);
			rc = check_overlap(&conf->services[k], service, err);
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

static bool share_a_family(const struct wk_conf_prefixes *a, const struct wk_conf_prefixes *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t k = 0; k < b->n; k++)
			if (a->v[i].family == b->v[k].family)
				return true;
	return a->n == 0 || b->n == 0;
}

static int check_acl(const struct wk_conf *conf, struct wk_conf_error *err)
{
	for (uint32_t i = 0; i < conf->n_acl; i++) {
		const struct wk_conf_acl *rule = &conf->acl[i];
		bool ports = rule->port_low != 0 || rule->port_high != UINT16_MAX;

		if (ports && rule->proto != 6 && rule->proto != 17)
			return FAIL_AT(rule->at,
				       "acl.port needs proto = \"tcp\" or proto = \"udp\"");
		if (!share_a_family(&rule->from, &rule->to))
			return FAIL_AT(rule->at,
				       "acl.from and acl.to have no address family in common");
	}
	return 0;
}

/* Where a limit stands, or the group that lacks it, or the file. */
static const config_setting_t *limit_at(const config_setting_t *root, const char *name)
{
	const config_setting_t *limits = config_setting_get_member(root, "limits");
	const config_setting_t *limit = limits != NULL ? config_setting_get_member(limits, name)
						       : NULL;

	if (limit != NULL)
		return limit;
	return limits != NULL ? limits : root;
}

static int check_limits(struct reader *reader, const config_setting_t *root)
{
	const struct wk_conf *conf = &reader->box->pub;
	uint32_t flow_kib = 2 * (conf->limits.flow_hold_kib + conf->limits.flow_ooo_kib +
				 conf->limits.flow_ledger_kib);

	if (conf->limits.flow_hold_kib < conf->limits.header_block_kib)
		return wk_conf_refuse(reader, limit_at(root, "flow_hold_kib"),
				      "limits.flow_hold_kib (%u) is below limits.header_block_kib "
				      "(%u): a block is held until it is whole",
				      conf->limits.flow_hold_kib, conf->limits.header_block_kib);
	if (conf->limits.held_kib / conf->workers < flow_kib)
		return wk_conf_refuse(reader, limit_at(root, "held_kib"),
				      "limits.held_kib (%u) has no room for one connection of each "
				      "worker (%u): both directions of flow_hold_kib, flow_ooo_kib "
				      "and flow_ledger_kib are %u",
				      conf->limits.held_kib, conf->workers, flow_kib);
	if (conf->limits.fragments < conf->workers)
		return wk_conf_refuse(reader, limit_at(root, "fragments"),
				      "limits.fragments (%u) is below workers (%u): each has its "
				      "share",
				      conf->limits.fragments, conf->workers);
	if (conf->limits.insert_total_s < conf->limits.insert_wait_s)
		return wk_conf_refuse(reader, limit_at(root, "insert_total_s"),
				      "limits.insert_total_s (%u) is below limits.insert_wait_s "
				      "(%u), which is part of it",
				      conf->limits.insert_total_s, conf->limits.insert_wait_s);
	if (conf->limits.hold_us > 1000 * conf->limits.rto_min_ms / 2)
		return wk_conf_refuse(reader, limit_at(root, "hold_us"),
				      "limits.hold_us (%u) is above half of limits.rto_min_ms "
				      "(%u): senders would retransmit what is held",
				      conf->limits.hold_us, conf->limits.rto_min_ms);
	return 0;
}

int wk_conf_check(struct reader *reader, const config_setting_t *root)
{
	static int (*const checks[])(const struct wk_conf *, struct wk_conf_error *) = {
		check_ports,
		check_wires,
		check_services,
		check_acl,
	};
	const struct wk_conf *conf = &reader->box->pub;
	int rc = 0;

	if (conf->n_wires == 0)
		return wk_conf_refuse(reader, config_setting_get_member(root, "wires"),
				      "there are no wires");
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && rc == 0; i++)
		rc = checks[i](conf, reader->err);
	return rc != 0 ? rc : check_limits(reader, root);
}
