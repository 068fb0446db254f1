/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - what the policy says about one request, and what becomes of that. */
#include <string.h>

#include "inspect_impl.h"

#define GRPC_PERMISSION_DENIED 7u
#define GRPC_UNIMPLEMENTED     12u

static bool str_is(const struct wk_h2_str *str, const char *want)
{
	return str->s && str->len_b == strlen(want) && memcmp(str->s, want, str->len_b) == 0;
}

static bool str_begins(const struct wk_h2_str *str, const char *want)
{
	size_t len_b = strlen(want);

	return str->s && str->len_b >= len_b && memcmp(str->s, want, len_b) == 0;
}

/* application/grpc, application/grpc+proto, application/grpc;charset=utf-8: what the gRPC
 * specification calls a gRPC request. */
static bool is_grpc(const struct wk_h2_str *type)
{
	static const char want[] = "application/grpc";
	const size_t len_b = sizeof(want) - 1;

	if (!str_begins(type, want))
		return false;
	return type->len_b == len_b || type->s[len_b] == '+' || type->s[len_b] == ';';
}

/* A client whose health watch or reflection is denied with PERMISSION_DENIED takes the whole server
 * for broken; UNIMPLEMENTED makes it go on without. */
static uint8_t grpc_status(const struct wk_h2_str *path)
{
	if (str_is(path, "/grpc.health.v1.Health/Watch") ||
	    str_begins(path, "/grpc.reflection.v1.ServerReflection/") ||
	    str_begins(path, "/grpc.reflection.v1alpha.ServerReflection/"))
		return GRPC_UNIMPLEMENTED;
	return GRPC_PERMISSION_DENIED;
}

static char *put_hex(char *to, uint32_t value, unsigned int digits)
{
	for (unsigned int i = digits; i-- > 0;)
		*to++ = "0123456789abcdef"[value >> (4 * i) & 0xfu];
	return to;
}

static void put_message(char *to, uint64_t ref)
{
	static const char head[] = "call denied by policy (ref ";

	memcpy(to, head, sizeof(head) - 1);
	to += sizeof(head) - 1;
	to = put_hex(to, (uint32_t)(ref >> 24), 4);
	*to++ = '-';
	to = put_hex(to, (uint32_t)(ref & 0xffffffu), 6);
	*to++ = ')';
	*to = '\0';
}

/* The rules that list the flow's client under the service at hand, from its cache. */
static const struct wk_policy_source *source_of(struct wk_inspect *inspect,
						struct wk_insp_flow *flow)
{
	struct wk_addr addr = { .family = flow->entry.key.ip_version };

	if (flow->source.version == inspect->version && flow->source.service == inspect->service)
		return &flow->source;
	memcpy(addr.addr, flow->entry.key.client, sizeof(addr.addr));
	wk_policy_source(inspect->policy, inspect->service, &addr, &flow->source);
	return &flow->source;
}

/* The verdict alone. Source and path first: their reasons say more to the operator. */
static enum wk_call_reason judge(struct wk_inspect *inspect, const struct wk_h2_request *request,
				 uint32_t *rule)
{
	const struct wk_policy_source *source = source_of(inspect, inspect->flow);
	enum wk_call_reason reason;

	reason = wk_policy_match(inspect->policy, source, request->path.s, request->path.len_b,
				 rule);
	if (reason != WK_CALL_ALLOWED)
		return reason;
	if (!str_is(&request->method, "POST"))
		return WK_CALL_DENIED_NOT_POST;
	if (!is_grpc(&request->content_type))
		return WK_CALL_DENIED_NOT_GRPC;
	return WK_CALL_ALLOWED;
}

static void tell(struct wk_inspect *inspect, struct wk_event *event, uint32_t stream_id,
		 const struct wk_h2_str *path, enum wk_call_reason reason)
{
	const struct wk_insp_flow *flow = inspect->flow;
	uint32_t len_b = path->s ? path->len_b : 0;

	event->stream_id = stream_id;
	event->flow_id = wk_insp_id(inspect, flow);
	event->call_reason = reason;
	event->path_len_b = (uint16_t)(len_b < UINT16_MAX ? len_b : UINT16_MAX);
	if (len_b > WK_EVENT_PATH_MAX_B)
		len_b = WK_EVENT_PATH_MAX_B;
	if (len_b > 0)
		memcpy(event->path, path->s, len_b);
	wk_insp_event_send(inspect, event);
}

static void fill_denial(struct wk_inspect *inspect, const struct wk_h2_request *request,
			struct wk_h2_decision *decision, uint64_t ref)
{
	enum wk_policy_reply reply = inspect->svc ? inspect->svc->reply : WK_REPLY_HTTP_403;

	decision->verdict = reply == WK_REPLY_RESET ? WK_H2_RESET : WK_H2_DENY;
	decision->reply = reply == WK_REPLY_GRPC ? WK_H2_REPLY_GRPC : WK_H2_REPLY_HTTP_403;
	decision->grpc_status = grpc_status(&request->path);
	put_message(decision->message, ref);
}

/* Carries a denial out and tells of it. */
static void deny(struct wk_inspect *inspect, const struct wk_h2_request *request,
		 enum wk_call_reason reason, uint32_t rule, struct wk_h2_decision *decision)
{
	struct wk_insp_flow *flow = inspect->flow;
	struct wk_event event;

	wk_insp_event_begin(inspect, &flow->entry.key, WK_EVENT_CALL, &event);
	event.enforced = inspect->mode == WK_MODE_ENFORCE;
	if (event.enforced && flow->passive) {
		/* No reply can be given yet: the connection ends instead. */
		flow->caught = true;
	} else if (event.enforced) {
		event.ref = WK_INSP_REF(inspect->ref_tag, inspect->ref_count++);
		fill_denial(inspect, request, decision, event.ref);
		if (decision->verdict == WK_H2_RESET)
			flow->why = WK_DROP_PROTOCOL;
	}
	wk_insp_copy_name(event.rule, wk_policy_rule_name(inspect->policy, inspect->service, rule));
	tell(inspect, &event, request->stream_id, &request->path, reason);
}

static void decide(void *user, const struct wk_h2_request *request, struct wk_h2_decision *decision)
{
	struct wk_inspect *inspect = user;
	uint32_t rule = WK_POLICY_RULE_NONE;
	enum wk_call_reason reason = WK_CALL_UNGUARDED;

	if (inspect->mode != WK_MODE_OFF)
		reason = judge(inspect, request, &rule);
	inspect->stats->call[reason]++;
	decision->verdict = WK_H2_ALLOW;
	if (reason != WK_CALL_ALLOWED && reason != WK_CALL_UNGUARDED)
		deny(inspect, request, reason, rule, decision);
}

/* What lib/h2 refuses by itself. In a passive flow the request has gone on all the same. */
static void refused(void *user, const struct wk_h2_refusal *refusal)
{
	struct wk_inspect *inspect = user;
	struct wk_insp_flow *flow = inspect->flow;
	struct wk_event event;

	if (inspect->mode == WK_MODE_OFF && flow->passive) {
		inspect->stats->call[WK_CALL_UNGUARDED]++;
		return;
	}
	inspect->stats->call[refusal->reason]++;
	if (flow->passive && inspect->mode == WK_MODE_ENFORCE)
		flow->caught = true;
	wk_insp_event_begin(inspect, &flow->entry.key, WK_EVENT_CALL, &event);
	event.enforced = !flow->passive || flow->caught;
	tell(inspect, &event, refusal->stream_id, &refusal->path, refusal->reason);
}

const struct wk_h2_hooks wk_insp_h2_hooks = {
	.decide = decide,
	.refused = refused,
};
