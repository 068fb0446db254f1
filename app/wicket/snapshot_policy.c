/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *wk_scratch_calloc(struct wk_scratch *scratch, size_t n, size_t size_b)
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

void wk_scratch_free(struct wk_scratch *scratch)
{
	for (uint32_t i = 0; i < scratch->n; i++)
		free(scratch->blocks[i]);
	free(scratch->blocks);
}

int wk_snapshot_no_memory(struct wk_conf_error *err)
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

static enum wk_policy_scheme scheme_of(enum wk_conf_scheme scheme)
{
	switch (scheme) {
	case WK_CONF_SCHEME_HTTP:
		return WK_SCHEME_HTTP;
	case WK_CONF_SCHEME_HTTPS:
		return WK_SCHEME_HTTPS;
	case WK_CONF_SCHEME_ANY:
		return WK_SCHEME_ANY;
	default:
		return WK_SCHEME_HTTP_OR_HTTPS;
	}
}

static struct wk_policy_form form_of(const struct wk_conf_service *service)
{
	return (struct wk_policy_form){
		.any_method = service->any_method,
		.any_type = service->any_type,
		.te_optional = service->te_optional,
		.any_host = service->any_host,
		.scheme = scheme_of(service->scheme),
	};
}

static int prefixes_of(struct wk_scratch *scratch, const struct wk_conf_rule *rule,
		       struct wk_policy_rule_in *in)
{
	struct wk_prefix *from = wk_scratch_calloc(scratch, rule->from.n, sizeof(*from));

	if (from == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rule->from.n; i++) {
		from[i].family = rule->from.v[i].family;
		from[i].len = rule->from.v[i].len;
		memcpy(from[i].addr, rule->from.v[i].addr, sizeof(from[i].addr));
	}
	in->from = from;
	in->n_from = rule->from.n;
	return 0;
}

/* The wires whose client's port is named. lib/conf has seen to it that each is one. */
static uint32_t wires_of(const struct wk_conf *conf, const struct wk_conf_strings *ingress)
{
	uint32_t wires = 0;

	for (uint32_t i = 0; i < conf->n_wires; i++)
		for (uint32_t k = 0; k < ingress->n; k++)
			if (strcmp(conf->ports[conf->wires[i].client].name, ingress->v[k]) == 0)
				wires |= 1u << i;
	return wires;
}

static int conditions_of(struct wk_scratch *scratch, const struct wk_conf *conf,
			 const struct wk_conf_rule *rule, struct wk_policy_rule_in *in)
{
	struct wk_policy_header_in *headers =
		wk_scratch_calloc(scratch, rule->n_headers, sizeof(*headers));
	uint16_t *vlans = wk_scratch_calloc(scratch, rule->vlans.n, sizeof(*vlans));

	if (headers == NULL || vlans == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rule->n_headers; i++)
		headers[i] = (struct wk_policy_header_in){ rule->headers[i].name,
							   rule->headers[i].value };
	for (uint32_t i = 0; i < rule->vlans.n; i++)
		vlans[i] = (uint16_t)rule->vlans.v[i];
	in->headers = headers;
	in->n_headers = rule->n_headers;
	in->vlans = vlans;
	in->n_vlans = rule->vlans.n;
	in->authorities = (const char *const *)rule->authority.v;
	in->n_authorities = rule->authority.n;
	in->wires = wires_of(conf, &rule->ingress);
	return 0;
}

static int rule_in(struct wk_scratch *scratch, const struct wk_conf *conf,
		   const struct wk_conf_rule *rule, struct wk_policy_rule_in *in)
{
	int rc;

	*in = (struct wk_policy_rule_in){
		.name = rule->name,
		.file = rule->at.file,
		.line = rule->at.line,
		.allow = (const char *const *)rule->allow.v,
		.n_allow = rule->allow.n,
		.deny = (const char *const *)rule->deny.v,
		.n_deny = rule->deny.n,
		.has_reply = rule->reply != WK_CONF_REPLY_SERVICE,
		.reply = reply_of(rule->reply),
	};
	rc = prefixes_of(scratch, rule, in);
	return rc != 0 ? rc : conditions_of(scratch, conf, rule, in);
}

static int service_in(struct wk_scratch *scratch, const struct wk_conf *conf,
		      const struct wk_conf_service *service, struct wk_policy_service_in *in)
{
	struct wk_policy_rule_in *rules =
		wk_scratch_calloc(scratch, service->n_access, sizeof(*rules));
	int rc = rules == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < service->n_access && rc == 0; i++)
		rc = rule_in(scratch, conf, &service->access[i], &rules[i]);
	*in = (struct wk_policy_service_in){
		.name = service->name,
		.mode = mode_of(service->mode),
		.unlisted = unlisted_of(service->unlisted_source),
		.reply = reply_of(service->reply),
		.form = form_of(service),
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

static bool says(const struct wk_conf_rule *rule, const char *text)
{
	for (uint32_t i = 0; i < rule->n_headers; i++)
		if (rule->headers[i].name == text || rule->headers[i].value == text)
			return true;
	return rule->name == text || holds(&rule->allow, text) || holds(&rule->deny, text) ||
	       holds(&rule->authority, text);
}

/* The message of wk_policy_compile, with the place of the rule that it is about. */
static int policy_error(const struct wk_conf *conf, int rc, const struct wk_policy_error *fault,
			struct wk_conf_error *err)
{
	if (rc == -ENOMEM)
		return wk_snapshot_no_memory(err);
	for (uint32_t s = 0; s < conf->n_services; s++) {
		const struct wk_conf_service *service = &conf->services[s];

		for (uint32_t r = 0; r < service->n_access; r++) {
			const struct wk_conf_rule *rule = &service->access[r];

			if (!says(rule, fault->bad))
				continue;
			snprintf(err->text, sizeof(err->text),
				 "%s:%u: service \"%s\", rule \"%s\": \"%s\": %s", rule->at.file,
				 rule->at.line, service->name, rule->name, fault->bad, fault->text);
			return rc;
		}
	}
	snprintf(err->text, sizeof(err->text), "%s:1: \"%s\": %s", conf->file, fault->bad,
		 fault->text);
	return rc;
}

int wk_snapshot_policy(const struct wk_conf *conf, uint64_t version,
		       const struct wk_snapshot_service *retired, uint32_t n_retired,
		       struct wk_policy **policy, struct wk_conf_error *err)
{
	uint32_t n = conf->n_services + n_retired;
	struct wk_scratch scratch = { 0 };
	struct wk_policy_service_in *services = wk_scratch_calloc(&scratch, n, sizeof(*services));
	struct wk_policy_in in = { .version = version, .services = services, .n_services = n };
	struct wk_policy_error fault = { "out of memory", "" };
	int rc = services == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < conf->n_services && rc == 0; i++)
		rc = service_in(&scratch, conf, &conf->services[i], &services[i]);
	for (uint32_t i = 0; i < n_retired && rc == 0; i++)
		services[conf->n_services + i] = (struct wk_policy_service_in){
			.name = retired[i].name,
			.mode = WK_MODE_OFF,
		};
	if (rc == 0)
		rc = wk_policy_compile(&in, policy, &fault);
	if (rc != 0)
		rc = policy_error(conf, rc, &fault, err);
	wk_scratch_free(&scratch);
	return rc;
}
