/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - verdicts worth telling. */
#include <string.h>

#include "inspect_impl.h"

/* Events about packets without a flow: anybody can send those, so they must not crowd out the
 * events about calls. */
#define STRAY_EVENTS_PER_S 100u

void wk_insp_copy_name(char *to, const char *from)
{
	size_t len_b = strnlen(from, WK_EVENT_NAME_MAX_B - 1);

	memcpy(to, from, len_b);
	to[len_b] = '\0';
}

void wk_insp_event_begin(const struct wk_inspect *inspect, const struct wk_flow_key *key,
			 enum wk_event_kind kind, struct wk_event *event)
{
	memset(event, 0, sizeof(*event));
	event->kind = kind;
	event->enforced = true;
	event->ip_version = key->ip_version;
	event->wire = key->wire;
	memcpy(event->vlan, key->vlan, sizeof(event->vlan));
	memcpy(event->client, key->client, sizeof(event->client));
	memcpy(event->server, key->server, sizeof(event->server));
	event->client_port = key->client_port;
	event->server_port = key->server_port;
	event->now_ns = inspect->tcp_env.now_ns;
	event->policy_version = inspect->version;
	if (inspect->svc)
		wk_insp_copy_name(event->service, inspect->svc->name);
}

void wk_insp_event_send(struct wk_inspect *inspect, const struct wk_event *event)
{
	if (!inspect->hooks->event(inspect->user, event))
		wk_count(inspect->stats, WK_CNT_EVENTS_LOST, 1);
}

void wk_insp_event_conn(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			const struct wk_flow_key *key, enum wk_reason reason)
{
	struct wk_event event;

	if (flow && flow->told)
		return;
	if (!flow && !wk_insp_take(&inspect->events, STRAY_EVENTS_PER_S, inspect->tcp_env.now_ns)) {
		wk_count(inspect->stats, WK_CNT_EVENTS_LOST, 1);
		return;
	}
	wk_insp_event_begin(inspect, key, WK_EVENT_CONN, &event);
	event.reason = reason;
	if (flow) {
		flow->told = true;
		event.flow_id = wk_insp_id(inspect, flow);
		if (flow->h2)
			event.h2_error = wk_h2_error(flow->h2);
	}
	wk_insp_event_send(inspect, &event);
}
