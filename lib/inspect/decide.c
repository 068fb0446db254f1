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
	struct wk_policy_peer peer;

	if (flow->source.version == inspect->version && flow->source.service == inspect->service)
		return &flow->source;
	wk_insp_peer(&flow->entry.key, &peer);
	wk_policy_source(inspect->policy, inspect->service, &peer, &flow->source);
	return &flow->source;
}

static struct wk_policy_str policy_str(const struct wk_h2_str *str)
{
	return (struct wk_policy_str){ str->s, str->len_b };
}

static void field(const void *fields, uint32_t i, struct wk_policy_str *name,
		  struct wk_policy_str *value)
{
	struct wk_h2_str n, v;

	wk_h2_request_field(fields, i, &n, &v);
	*name = policy_str(&n);
	*value = policy_str(&v);
}

/* The verdict alone. Source and path first: their reasons say more to the operator. */
static void judge(struct wk_inspect *inspect, const struct wk_h2_request *request,
		  struct wk_policy_verdict *verdict)
{
	const struct wk_policy_source *source = source_of(inspect, inspect->flow);
	const struct wk_policy_request call = {
		.path = policy_str(&request->path),
		.authority = policy_str(&request->authority),
		.n_fields = request->n_fields,
		.fields = request,
		.field = field,
	};

	wk_policy_match(inspect->policy, source, &call, inspect->scratch, verdict);
	wk_count(inspect->stats, WK_CNT_REGEX_LIMIT, verdict->regex_limit);
	if (verdict->reason != WK_CALL_ALLOWED || !inspect->svc)
		return;
	verdict->reason = wk_insp_form(&inspect->svc->form, request);
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

static void fill_denial(const struct wk_h2_request *request, enum wk_policy_reply reply,
			struct wk_h2_decision *decision, uint64_t ref)
{
	decision->verdict = reply == WK_REPLY_RESET ? WK_H2_RESET : WK_H2_DENY;
	decision->reply = reply == WK_REPLY_GRPC ? WK_H2_REPLY_GRPC : WK_H2_REPLY_HTTP_403;
	decision->grpc_status = grpc_status(&request->path);
	put_message(decision->message, ref);
}

/* Carries a denial out and tells of it. */
static void deny(struct wk_inspect *inspect, const struct wk_h2_request *request,
		 const struct wk_policy_verdict *verdict, struct wk_h2_decision *decision)
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
		fill_denial(request, verdict->reply, decision, event.ref);
		if (decision->verdict == WK_H2_RESET)
			flow->why = WK_DROP_PROTOCOL;
	}
	wk_insp_copy_name(event.rule,
			  wk_policy_rule_name(inspect->policy, inspect->service, verdict->rule));
	tell(inspect, &event, request->stream_id, &request->path, verdict->reason);
}

static void decide(void *user, const struct wk_h2_request *request, struct wk_h2_decision *decision)
{
	struct wk_inspect *inspect = user;
	struct wk_policy_verdict verdict = { .reason = WK_CALL_UNGUARDED };

	if (inspect->mode != WK_MODE_OFF)
		judge(inspect, request, &verdict);
	inspect->stats->call[verdict.reason]++;
	decision->verdict = WK_H2_ALLOW;
	if (verdict.reason != WK_CALL_ALLOWED && verdict.reason != WK_CALL_UNGUARDED)
		deny(inspect, request, &verdict, decision);
	else if (inspect->svc && !verdict.regex_limit)
		decision->again = true;
	decision->note = verdict.reason;
}

/* What decide counts of an allowed call. Nothing else is known of one that was not decoded. */
static void repeated(void *user, uint32_t stream_id, uint32_t note)
{
	struct wk_inspect *inspect = user;

	(void)stream_id;
	inspect->stats->call[note]++;
}

/* A running call, by a policy that came after it. Counted as a call it has been. What was not kept
 * cannot be judged, and does not go on. */
static void review(void *user, const struct wk_h2_request *request, struct wk_h2_decision *decision)
{
	struct wk_inspect *inspect = user;
	struct wk_policy_verdict verdict = { .reason = WK_CALL_REFUSED_LIST,
					     .rule = WK_POLICY_RULE_NONE };
	struct wk_event event;

	if (request->path.s)
		judge(inspect, request, &verdict);
	decision->verdict = WK_H2_ALLOW;
	if (verdict.reason == WK_CALL_ALLOWED || verdict.reason == WK_CALL_UNGUARDED)
		return;
	wk_insp_event_begin(inspect, &inspect->flow->entry.key, WK_EVENT_CALL, &event);
	event.enforced = true;
	event.ended = true;
	event.ref = WK_INSP_REF(inspect->ref_tag, inspect->ref_count++);
	fill_denial(request, WK_REPLY_GRPC, decision, event.ref);
	wk_insp_copy_name(event.rule,
			  wk_policy_rule_name(inspect->policy, inspect->service, verdict.rule));
	tell(inspect, &event, request->stream_id, &request->path, verdict.reason);
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
	.repeated = repeated,
	.review = review,
	.refused = refused,
};
