/* SPDX-License-Identifier: Apache-2.0 */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot_policy.h"
#include "wk_stats.h"

/* The steps of an expression need an arena, as on a worker. */
#define ARENA_B (1u << 20)

struct question {
	const struct wk_conf *conf;
	const struct wk_args_call *call;
	struct wk_conf_prefix to;
	uint32_t port;
	struct wk_policy_peer peer;
	struct wk_policy *policy;
	FILE *out;
};

static int wrong(FILE *err, const char *what, const char *text, const char *why)
{
	fprintf(err, "wicket: %s %s %s\n", what, text, why);
	return -1;
}

static int parse_address(const char *text, const char *what, struct wk_conf_prefix *prefix,
			 FILE *err)
{
	const char *why = wk_conf_prefix_parse(text, prefix);

	if (why == NULL && strchr(text, '/') != NULL)
		why = "is a prefix, not an address";
	return why == NULL ? 0 : wrong(err, what, text, why);
}

static int parse_number(const char *text, const char *what, uint32_t max, uint32_t *number,
			FILE *err)
{
	size_t n = strspn(text, "0123456789");

	*number = n > 0 && n < 6 && text[n] == '\0' ? (uint32_t)strtoul(text, NULL, 10) : 0;
	return *number > 0 && *number <= max ? 0 : wrong(err, what, text, "is out of range");
}

/* "10.0.0.1:50051" or "[fd00::1]:50051". */
static int parse_to(struct question *q, FILE *err)
{
	const char *text = q->call->to, *colon = strrchr(text, ':');
	const char *end = colon;
	char address[64];

	if (colon != NULL && text[0] == '[') {
		text++;
		end = colon > text && colon[-1] == ']' ? colon - 1 : NULL;
	}
	if (end == NULL || (size_t)(end - text) >= sizeof(address))
		return wrong(err, "--to", q->call->to, "is not ADDRESS:PORT");
	memcpy(address, text, (size_t)(end - text));
	address[end - text] = '\0';
	if (parse_address(address, "--to", &q->to, err) != 0)
		return -1;
	return parse_number(colon + 1, "the port of --to", UINT16_MAX, &q->port, err);
}

/* Without --ingress the first wire: most boxes have one. */
static int parse_ingress(struct question *q, FILE *err)
{
	const struct wk_conf *conf = q->conf;

	if (q->call->ingress == NULL)
		return 0;
	for (uint32_t i = 0; i < conf->n_wires; i++) {
		if (strcmp(conf->ports[conf->wires[i].client].name, q->call->ingress) != 0)
			continue;
		q->peer.wire = (uint16_t)i;
		return 0;
	}
	return wrong(err, "--ingress", q->call->ingress, "is the client's port of no wire");
}

static int parse(struct question *q, FILE *err)
{
	struct wk_conf_prefix from;
	uint32_t vlan = WK_POLICY_VLAN_NONE;

	if (parse_address(q->call->from, "--from", &from, err) != 0 || parse_to(q, err) != 0 ||
	    parse_ingress(q, err) != 0)
		return -1;
	if (q->call->vlan != NULL && parse_number(q->call->vlan, "--vlan", 4094, &vlan, err) != 0)
		return -1;
	if (from.family != q->to.family)
		return wrong(err, "--from", q->call->from, "and --to are of two address families");
	for (uint32_t i = 0; i < q->call->n_headers; i++)
		if (strchr(q->call->headers[i], '=') == NULL)
			return wrong(err, "--header", q->call->headers[i], "is not NAME=VALUE");
	q->peer.vlan = (uint16_t)vlan;
	q->peer.addr.family = from.family;
	memcpy(q->peer.addr.addr, from.addr, sizeof(from.addr));
	return 0;
}

static bool guards(const struct wk_conf_service *service, const struct question *q)
{
	bool port = false;

	for (uint32_t i = 0; i < service->ports.n; i++)
		port = port || service->ports.v[i] == q->port;
	for (uint32_t i = 0; port && i < service->addresses.n; i++)
		if (wk_conf_prefix_overlap(&service->addresses.v[i], &q->to))
			return true;
	return false;
}

static void header(const void *fields, uint32_t i, struct wk_policy_str *name,
		   struct wk_policy_str *value)
{
	const struct wk_args_call *call = fields;
	const char *text = call->headers[i], *eq = strchr(text, '=');

	*name = (struct wk_policy_str){ text, (uint32_t)(eq - text) };
	*value = (struct wk_policy_str){ eq + 1, (uint32_t)strlen(eq + 1) };
}

static void print_rule(const struct question *q, uint32_t service, uint32_t rule, const char *role)
{
	uint32_t line;
	const char *file = wk_policy_rule_at(q->policy, service, rule, &line);

	fprintf(q->out, "%s \"%s\" at %s:%u\n", role, wk_policy_rule_name(q->policy, service, rule),
		file, line);
}

static void print(const struct question *q, const struct wk_policy_source *source,
		  const struct wk_policy_verdict *verdict)
{
	const struct wk_conf_service *service = &q->conf->services[source->service];
	static const char *const replies[] = {
		[WK_REPLY_HTTP_403] = "http-403",
		[WK_REPLY_GRPC] = "grpc",
		[WK_REPLY_RESET] = "reset",
	};
	bool allowed = verdict->reason == WK_CALL_ALLOWED || verdict->reason == WK_CALL_UNGUARDED;

	fprintf(q->out, "%s: %s (%s)\n", allowed ? "allowed" : "denied",
		wk_call_reason_text(verdict->reason), wk_call_reason_key(verdict->reason));
	fprintf(q->out, "service \"%s\" at %s:%u, mode %s\n", service->name, service->at.file,
		service->at.line, wk_conf_mode_name(service->mode));
	if (verdict->rule != WK_POLICY_RULE_NONE)
		print_rule(q, source->service, verdict->rule, "decided by rule");
	for (uint32_t i = 0; i < service->n_access; i++)
		if ((source->rules[i / 64] >> (i % 64) & 1u) != 0 && i != verdict->rule)
			print_rule(q, source->service, i, "the source is also in rule");
	if (!allowed && service->mode == WK_CONF_ENFORCE &&
	    verdict->reason != WK_CALL_DENIED_SOURCE)
		fprintf(q->out, "reply %s\n", replies[verdict->reply]);
	if (verdict->reason == WK_CALL_DENIED_SOURCE)
		fprintf(q->out, "unlisted_source = \"%s\" decides what the connection meets\n",
			wk_conf_unlisted_name(service->unlisted_source));
	if (!allowed && service->mode == WK_CONF_AUDIT)
		fputs("in mode audit the call passes all the same\n", q->out);
}

static int ask(const struct question *q, uint32_t number, struct wk_policy_scratch *scratch)
{
	const struct wk_args_call *call = q->call;
	const struct wk_policy_request request = {
		.path = { call->path, (uint32_t)strlen(call->path) },
		.authority = { call->authority,
			       call->authority != NULL ? (uint32_t)strlen(call->authority) : 0 },
		.n_fields = call->n_headers,
		.fields = call,
		.field = header,
	};
	struct wk_policy_verdict verdict;
	struct wk_policy_source source;

	wk_policy_source(q->policy, number, &q->peer, &source);
	wk_policy_match(q->policy, &source, &request, scratch, &verdict);
	print(q, &source, &verdict);
	return verdict.reason == WK_CALL_ALLOWED || verdict.reason == WK_CALL_UNGUARDED
		       ? WK_EXIT_OK
		       : WK_EXIT_DENY;
}

static int with_policy(struct question *q, uint32_t number, FILE *err)
{
	size_t footprint_b = wk_mem_footprint(ARENA_B);
	struct wk_policy_scratch *scratch = NULL;
	struct wk_conf_error error = { "out of memory" };
	struct wk_mem *mem = NULL;
	int rc = WK_EXIT_RUN;
	void *base;

	base = aligned_alloc(64, (footprint_b + 63) / 64 * 64);
	if (base != NULL)
		mem = wk_mem_create(base, footprint_b);
	if (mem != NULL)
		scratch = wk_policy_scratch_create(mem, q->conf->limits.regex_steps);
	if (scratch != NULL && wk_snapshot_policy(q->conf, 1, NULL, 0, &q->policy, &error) == 0)
		rc = ask(q, number, scratch);
	else
		fprintf(err, "wicket: %s\n", error.text);
	wk_policy_free(q->policy);
	wk_policy_scratch_free(scratch, mem);
	wk_mem_destroy(mem);
	free(base);
	return rc;
}

int wk_explain(const struct wk_conf *conf, const struct wk_args_call *call, FILE *out, FILE *err)
{
	struct question q = { .conf = conf, .call = call, .out = out };

	if (parse(&q, err) != 0)
		return WK_EXIT_USAGE;
	for (uint32_t i = 0; i < conf->n_services; i++)
		if (guards(&conf->services[i], &q))
			return with_policy(&q, i, err);
	fprintf(out, "not guarded: no service has %s\n", call->to);
	return WK_EXIT_OK;
}
