/* SPDX-License-Identifier: Apache-2.0 */
/* event_line.c - one event as one line of JSON: a pure function. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "events.h"

static void put_time(struct wk_json *json, uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / 1000000000u);
	char day[32];
	char text[48];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06uZ", day, (unsigned int)(wall_ns % 1000000000u / 1000));
	wk_json_str(json, "time", text);
}

void wk_event_line_begin(struct wk_json *json, char *buf, size_t size_b, uint64_t wall_ns,
			 const char *name, const char *instance)
{
	wk_json_begin(json, buf, size_b);
	put_time(json, wall_ns);
	wk_json_str(json, "event", name);
	wk_json_str(json, "instance", instance);
}

static const char *event_name(const struct wk_event *event)
{
	bool refused = event->call_reason >= WK_CALL_REFUSED_FIRST;

	if (event->kind == WK_EVENT_CONN)
		return event->enforced ? "connection_reset" : "connection_would_be_reset";
	if (event->ended)
		return "call_ended";
	if (refused)
		return event->enforced ? "call_refused" : "call_would_be_refused";
	return event->enforced ? "call_denied" : "call_would_be_denied";
}

static void put_address(struct wk_json *json, const char *key, uint8_t ip_version,
			const uint8_t *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(ip_version == 4 ? AF_INET : AF_INET6, addr, text, sizeof(text)))
		wk_json_str(json, key, text);
}

static void put_vlans(struct wk_json *json, const uint16_t *vlan)
{
	uint32_t n = 0;

	while (n < WK_PKT_TAGS_MAX && vlan[n] != WK_PKT_VLAN_NONE)
		n++;
	wk_json_u16s(json, "vlan", vlan, n);
}

static void put_call(struct wk_json *json, const struct wk_event *event)
{
	uint16_t stored_b = event->path_len_b;
	char ref[32];

	if (stored_b > WK_EVENT_PATH_MAX_B)
		stored_b = WK_EVENT_PATH_MAX_B;
	wk_json_u64(json, "stream", event->stream_id);
	wk_json_bytes(json, "path", event->path, stored_b);
	if (stored_b < event->path_len_b)
		wk_json_u64(json, "path_length", event->path_len_b);
	wk_json_str(json, "rule", event->rule);
	wk_json_str(json, "reason", wk_call_reason_key(event->call_reason));
	if (event->ref != 0) {
		/* As the client reads it in grpc-message. */
		snprintf(ref, sizeof(ref), "%04" PRIx64 "-%06" PRIx64, event->ref >> 24,
			 event->ref & 0xffffffu);
		wk_json_str(json, "ref", ref);
	}
}

size_t wk_event_line(const struct wk_event *event, const struct wk_event_ctx *ctx, char *buf,
		     size_t size_b)
{
	struct wk_json json;

	wk_event_line_begin(&json, buf, size_b, ctx->wall_ns, event_name(event), ctx->instance);
	wk_json_str(&json, "wire", ctx->wire);
	put_vlans(&json, event->vlan);
	put_address(&json, "client", event->ip_version, event->client);
	wk_json_u64(&json, "client_port", event->client_port);
	put_address(&json, "server", event->ip_version, event->server);
	wk_json_u64(&json, "server_port", event->server_port);
	wk_json_bytes(&json, "service", event->service,
		      strnlen(event->service, sizeof(event->service)));
	if (event->kind == WK_EVENT_CALL) {
		put_call(&json, event);
	} else {
		wk_json_str(&json, "reason", wk_reason_key(event->reason));
		if (event->h2_error != WK_H2_E_OK)
			wk_json_str(&json, "h2_error", wk_h2_error_key(event->h2_error));
	}
	wk_json_u64(&json, "flow", event->flow_id);
	wk_json_u64(&json, "policy_version", event->policy_version);
	return wk_json_end(&json);
}
