/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "print.h"
#include "wk_stats.h"

uint64_t ctl_u64(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return 0;
	return json_object_get_uint64(value);
}

const char *ctl_str(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return "";
	return json_object_get_string(value);
}

static const char *reason_text(const char *key)
{
	for (int i = 0; i < WK_REASON_MAX; i++)
		if (strcmp(wk_reason_key((enum wk_reason)i), key) == 0)
			return wk_reason_text((enum wk_reason)i);
	return "";
}

static const char *counter_text(const char *key)
{
	static const char calls[] = "calls_";

	for (int i = 0; i < WK_COUNTER_MAX; i++)
		if (strcmp(wk_counter_key((enum wk_counter)i), key) == 0)
			return wk_counter_text((enum wk_counter)i);
	if (strcmp(key, "dropped") == 0)
		return "packets that did not go on";
	if (strcmp(key, "held") == 0)
		return "packets kept for a moment";
	if (strncmp(key, calls, strlen(calls)) != 0)
		return "";
	for (int i = 0; i < WK_CALL_REASON_MAX; i++)
		if (strcmp(wk_call_reason_key((enum wk_call_reason)i), key + strlen(calls)) == 0)
			return wk_call_reason_text((enum wk_call_reason)i);
	return "calls, all reasons together";
}

static void row(const char *key, uint64_t value, const char *text)
{
	printf("  %-24s %14" PRIu64 "  %s\n", key, value, text);
}

void ctl_print_reasons(struct json_object *reasons, bool all)
{
	json_object_object_foreach(reasons, key, value)
	{
		uint64_t n = json_object_get_uint64(value);

		if (all || n > 0)
			row(key, n, reason_text(key));
	}
}

void ctl_print_stats(struct json_object *stats)
{
	json_object_object_foreach(stats, key, value)
	{
		row(key, json_object_get_uint64(value), counter_text(key));
	}
}

static void print_uptime(uint64_t s)
{
	if (s >= 86400)
		printf("%" PRIu64 "d ", s / 86400);
	if (s >= 3600)
		printf("%" PRIu64 "h ", s / 3600 % 24);
	printf("%" PRIu64 "m %" PRIu64 "s", s / 60 % 60, s % 60);
}

static void print_ports(struct json_object *ports)
{
	puts("\nports");
	json_object_object_foreach(ports, key, port)
	{
		(void)key;
		printf("  %-16s %-20s mtu %-5" PRIu64 " link %s\n", ctl_str(port, "name"),
		       ctl_str(port, "device"), ctl_u64(port, "mtu"), ctl_str(port, "link"));
	}
}

static void print_service(struct json_object *service)
{
	uint64_t more = ctl_u64(service, "more_ports");

	printf("  %-32s port %-5" PRIu64 " %s", ctl_str(service, "name"), ctl_u64(service, "port"),
	       ctl_str(service, "mode"));
	if (more != 0)
		printf(" (and %" PRIu64 " port%s more)", more, more == 1 ? "" : "s");
	putchar('\n');
}

static void print_services(struct json_object *services)
{
	puts("\nservices");
	if (json_object_object_length(services) == 0)
		puts("  none");
	json_object_object_foreach(services, key, service)
	{
		if (strcmp(key, "next") == 0)
			printf("  ... (more from number %" PRIu64 " on)\n",
			       json_object_get_uint64(service));
		else
			print_service(service);
	}
}

static void print_packets(struct json_object *stats)
{
	uint64_t in = ctl_u64(stats, "rx");
	uint64_t built = ctl_u64(stats, "originated");
	uint64_t out = ctl_u64(stats, "tx");
	uint64_t dropped = ctl_u64(stats, "dropped");
	uint64_t held = ctl_u64(stats, "held");

	puts("\npackets");
	row("in", in, "");
	row("built here", built, "");
	row("out", out, "");
	row("dropped or absorbed", dropped, "");
	row("held", held, "");
	row("handed over", ctl_u64(stats, "handover"), "to the worker that owns them");
	printf("  in + built = out + dropped + held: %s\n",
	       in + built == out + dropped + held ? "holds" : "DOES NOT HOLD");
}

void ctl_print_tables(struct json_object *tables)
{
	json_object_object_foreach(tables, name, table)
	{
		uint64_t used = ctl_u64(table, "used");
		uint64_t capacity = ctl_u64(table, "capacity");

		printf("  %-16s %12" PRIu64 " of %-12" PRIu64 " %3" PRIu64 " %%", name, used,
		       capacity, capacity > 0 ? used * 100 / capacity : 0);
		if (ctl_u64(table, "failures") > 0)
			printf("   refused %" PRIu64, ctl_u64(table, "failures"));
		putchar('\n');
	}
}

void ctl_print_status(const struct ctl_status *status)
{
	struct json_object *info = status->info;

	printf("wicket %s, instance %s, pid %" PRIu64 ", up ", ctl_str(info, "version"),
	       ctl_str(info, "instance"), ctl_u64(info, "pid"));
	print_uptime(ctl_u64(info, "uptime_s"));
	printf(", workers %" PRIu64 ", policy version %" PRIu64 "\n", ctl_u64(info, "workers"),
	       ctl_u64(info, "policy_version"));
	print_ports(status->ports);
	print_services(status->services);
	print_packets(status->stats);
	puts("\ncalls");
	row("allowed", ctl_u64(status->stats, "calls_allowed"), "");
	row("denied", ctl_u64(status->stats, "calls_denied"), "");
	row("refused", ctl_u64(status->stats, "calls_refused"), "malformed, or above a limit");
	row("unguarded", ctl_u64(status->stats, "calls_unguarded"), "mode off");
	puts("\npackets by reason");
	ctl_print_reasons(status->reasons, false);
	puts("\ntables");
	ctl_print_tables(status->tables);
}

void ctl_print_flows(struct json_object *flows)
{
	if (json_object_object_length(flows) == 0) {
		puts("no guarded connections");
		return;
	}
	printf("%-24s %-24s %-16s %-11s %5s %8s %8s %9s %6s  %s\n", "client", "server", "service",
	       "state", "open", "allowed", "denied", "packets", "idle_s", "flags");
	json_object_object_foreach(flows, key, flow)
	{
		(void)key;
		printf("%-24s %-24s %-16s %-11s %5" PRIu64 " %8" PRIu64 " %8" PRIu64 " %9" PRIu64
		       " %6" PRIu64 "  %s\n",
		       ctl_str(flow, "client"), ctl_str(flow, "server"), ctl_str(flow, "service"),
		       ctl_str(flow, "state"), ctl_u64(flow, "open"), ctl_u64(flow, "allowed"),
		       ctl_u64(flow, "denied"), ctl_u64(flow, "packets"), ctl_u64(flow, "idle_s"),
		       ctl_str(flow, "flags"));
	}
}
