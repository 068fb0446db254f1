/* SPDX-License-Identifier: Apache-2.0 */
/* Every key of the file. Units stand in the names; all figures fit 31 bits. */
#include <string.h>

#include "internal.h"
#include "strings_check.h"

#define FIELD(owner, member)                                                                       \
	.offset = offsetof(struct owner, member), .size = sizeof(((struct owner *)0)->member)

static const char *const modes[] = { "enforce", "audit", "off", NULL };
static const char *const unlisted[] = { "drop", "reset", "reply", NULL };
static const char *const replies[] = { "http-403", "grpc", "reset", NULL };
static const char *const rule_replies[] = { "http-403", "grpc", "reset", "service", NULL };
static const char *const actions[] = { "pass", "drop", NULL };
static const char *const ons[] = { "reset", "drop", "pass", NULL };
static const char *const fragments[] = { "reset", "drop", "pass", "reassemble", NULL };
static const char *const idles[] = { "spin", "sleep", NULL }; /* as bool idle_sleep */
static const char *const rsses[] = { "auto", "software", "nic", NULL };
static const char *const hpacks[] = { "keep", "reencode-always", NULL };
static const char *const revokes[] = { "next-call", "end-streams", NULL };
static const char *const http_methods[] = { "post", "any", NULL };  /* as bool any_method */
static const char *const content_types[] = { "grpc", "any", NULL }; /* as bool any_type */
static const char *const tes[] = { "trailers", "optional", NULL };  /* as bool te_optional */
static const char *const hosts[] = { "authority", "any", NULL };    /* as bool any_host */
static const char *const schemes[] = { "http-or-https", "http", "https", "any", NULL };
static const char *const levels[] = { "emerg",  "alert", "critical", "error", "warning",
				      "notice", "info",  "debug",    NULL };

const char *wk_conf_mode_name(enum wk_conf_mode mode)
{
	return modes[mode];
}

const char *wk_conf_unlisted_name(enum wk_conf_unlisted choice)
{
	return unlisted[choice];
}

/* clang-format off */
static const struct key port_keys[] = {
	{ "name", "ports.name", KEY_STRING, .required = true, FIELD(wk_conf_port, name),
	  .check = wk_conf_bad_name, .text = "what wires call it" },
	{ "device", "ports.device", KEY_STRING, .required = true, FIELD(wk_conf_port, device),
	  .check = wk_conf_bad_device,
	  .text = "PCI address, or net_tap*, net_af_packet*, net_pcap*, net_memif*, net_ring*, "
		  "net_null* with arguments" },
	{ "mtu", "ports.mtu", KEY_INT, FIELD(wk_conf_port, mtu), .min = 576, .max = 9216, .def = 0,
	  .unit = "bytes of L3", .text = "its MTU where it differs from the file's" },
	{ .name = NULL },
};

static const struct key wire_keys[] = {
	{ "client", "wires.client", KEY_PORT_REF, .required = true, FIELD(wk_conf_wire, client),
	  .text = "port on the side of the clients" },
	{ "server", "wires.server", KEY_PORT_REF, .required = true, FIELD(wk_conf_wire, server),
	  .text = "port on the side of the guarded servers" },
	{ .name = NULL },
};

static const struct key header_keys[] = {
	{ "name", "services.access.headers.name", KEY_STRING, .required = true,
	  FIELD(wk_conf_header, name), .text = "a field of the request, in lower case" },
	{ "value", "services.access.headers.value", KEY_STRING, FIELD(wk_conf_header, value),
	  .text = "exact, or \"regex:...\"; absent: it only has to be there" },
	{ .name = NULL },
};

static const struct key rule_keys[] = {
	{ "name", "services.access.name", KEY_STRING, .required = true, FIELD(wk_conf_rule, name),
	  .check = wk_conf_bad_name, .text = "what events call it" },
	{ "from", "services.access.from", KEY_PREFIXES, .required = true, .groups = true,
	  FIELD(wk_conf_rule, from), .text = "sources: addresses, prefixes, @groups" },
	{ "vlans", "services.access.vlans", KEY_INTS, FIELD(wk_conf_rule, vlans), .min = 1,
	  .max = 4094, .text = "outer VLAN ids the calls come in; absent: any, and untagged" },
	{ "ingress", "services.access.ingress", KEY_STRINGS, FIELD(wk_conf_rule, ingress),
	  .text = "ports on the clients' side the calls come in by; absent: any" },
	{ "authority", "services.access.authority", KEY_STRINGS, FIELD(wk_conf_rule, authority),
	  .text = "\"host\", \"host:port\", \"*.domain\", \"regex:...\"; absent: any" },
	{ "headers", "services.access.headers", KEY_LIST,
	  .offset = offsetof(struct wk_conf_rule, headers),
	  .offset_2 = offsetof(struct wk_conf_rule, n_headers),
	  .size = sizeof(struct wk_conf_header), .max = WK_CONF_HEADERS_MAX, .keys = header_keys,
	  .text = "fields that the calls have, all of them; absent: any" },
	{ "allow", "services.access.allow", KEY_STRINGS, .required = true,
	  FIELD(wk_conf_rule, allow),
	  .text = "/pkg.Service/Method, /pkg.Service/*, /pkg.*, @health, @reflection, @channelz, "
		  "\"regex:...\" for a whole path" },
	{ "deny", "services.access.deny", KEY_STRINGS, FIELD(wk_conf_rule, deny),
	  .text = "the same; wins over every allow" },
	{ "reply", "services.access.reply", KEY_CHOICE, FIELD(wk_conf_rule, reply),
	  .choices = rule_replies, .def = WK_CONF_REPLY_SERVICE,
	  .text = "what a call denied to these sources is answered with" },
	{ .name = NULL },
};

static const struct key service_keys[] = {
	{ "name", "services.name", KEY_STRING, .required = true, FIELD(wk_conf_service, name),
	  .check = wk_conf_bad_name, .text = "what events and wicketctl call it" },
	{ "addresses", "services.addresses", KEY_PREFIXES, .required = true,
	  FIELD(wk_conf_service, addresses), .text = "guarded addresses or prefixes" },
	{ "port", "services.port", KEY_INTS, .required = true, .scalar = true,
	  FIELD(wk_conf_service, ports), .min = 1, .max = 65535,
	  .text = "guarded TCP port, or an array of up to 64, each at every address" },
	{ "mode", "services.mode", KEY_CHOICE, FIELD(wk_conf_service, mode), .choices = modes,
	  .def = WK_CONF_ENFORCE,
	  .text = "audit judges and reports only, off follows and allows all" },
	{ "unlisted_source", "services.unlisted_source", KEY_CHOICE,
	  FIELD(wk_conf_service, unlisted_source), .choices = unlisted,
	  .def = WK_CONF_UNLISTED_DROP, .text = "what a source meets that no rule lists" },
	{ "reply", "services.reply", KEY_CHOICE, FIELD(wk_conf_service, reply), .choices = replies,
	  .def = WK_CONF_REPLY_HTTP_403, .text = "what a denied call is answered with" },
	{ "http_method", "services.http_method", KEY_CHOICE, FIELD(wk_conf_service, any_method),
	  .choices = http_methods, .text = "what :method a call has" },
	{ "content_type", "services.content_type", KEY_CHOICE, FIELD(wk_conf_service, any_type),
	  .choices = content_types,
	  .text = "grpc: application/grpc, alone or followed by + or ;" },
	{ "te", "services.te", KEY_CHOICE, FIELD(wk_conf_service, te_optional), .choices = tes,
	  .text = "whether a call without te: trailers is one" },
	{ "scheme", "services.scheme", KEY_CHOICE, FIELD(wk_conf_service, scheme),
	  .choices = schemes, .text = "what :scheme a call has" },
	{ "host", "services.host", KEY_CHOICE, FIELD(wk_conf_service, any_host), .choices = hosts,
	  .text = "authority: :authority and host, where both are there, agree and name no user" },
	{ "access", "services.access", KEY_LIST, .offset = offsetof(struct wk_conf_service, access),
	  .offset_2 = offsetof(struct wk_conf_service, n_access),
	  .size = sizeof(struct wk_conf_rule), .max = WK_CONF_RULES_MAX, .keys = rule_keys,
	  .text = "who may call what; no rule allows: denied" },
	{ .name = NULL },
};

static const struct key acl_keys[] = {
	{ "from", "acl.from", KEY_PREFIXES, .groups = true, FIELD(wk_conf_acl, from),
	  .text = "source addresses, prefixes, @groups; absent: any" },
	{ "to", "acl.to", KEY_PREFIXES, .groups = true, FIELD(wk_conf_acl, to),
	  .text = "destinations, the same" },
	{ "proto", "acl.proto", KEY_PROTO, FIELD(wk_conf_acl, proto),
	  .text = "\"tcp\", \"udp\", \"icmp\", \"icmpv6\" or an IP protocol number; absent: any" },
	{ "port", "acl.port", KEY_PORT_RANGE, FIELD(wk_conf_acl, port_low),
	  .offset_2 = offsetof(struct wk_conf_acl, port_high),
	  .text = "destination port or \"low-high\"; absent: any" },
	{ "vlan", "acl.vlan", KEY_INT, FIELD(wk_conf_acl, vlan), .min = 0, .max = 4094, .def = -1,
	  .text = "outer VLAN id, 0: in none; absent: any" },
	{ "action", "acl.action", KEY_CHOICE, .required = true, FIELD(wk_conf_acl, action),
	  .choices = actions, .text = "drop beats a guard, a guard beats pass" },
	{ .name = NULL },
};

static const struct key log_keys[] = {
	{ "level", "log.level", KEY_STRING, FIELD(wk_conf, log.level), .choices = levels,
	  .def_text = "notice", .text = "least severe message that is written" },
	{ "file", "log.file", KEY_STRING, FIELD(wk_conf, log.file),
	  .def_text = "-", .check = wk_conf_bad_file, .text = "\"-\" is standard error" },
	{ .name = NULL },
};

static const struct key events_keys[] = {
	{ "file", "events.file", KEY_STRING, FIELD(wk_conf, events.file),
	  .def_text = "", .check = wk_conf_bad_events_file,
	  .text = "JSON lines, one a denied call; \"-\" is standard output, \"\" none" },
	{ "per_second", "events.per_second", KEY_INT, FIELD(wk_conf, events.per_second),
	  .min = 1, .max = 1000000, .def = 1000, .unit = "lines a second",
	  .text = "what comes above it is lost and counted" },
	{ .name = NULL },
};

/* Taken by the workers' tables at the start: none of them changes while they run. */
#define LIMIT(field, low, high, normal, what, about)                                               \
	{ #field, "limits." #field, KEY_INT, .restart = true, FIELD(wk_conf, limits.field),        \
	  .min = low, .max = high, .def = normal, .unit = what, .text = about }

static const struct key limits_keys[] = {
	LIMIT(flows, 64, 4194304, 65536, "connections", "guarded connections; shared by the workers"),
	LIMIT(flows_per_source, 0, 4194304, 16384, "connections",
	      "of one IPv4 address or IPv6 /64; 0: any number; likewise"),
	LIMIT(syns, 64, 16777216, 65536, "handshakes", "32 bytes each, the oldest give way; likewise"),
	LIMIT(held_kib, 1024, 16777216, 65536, "KiB", "arenas: all state of flows; shared likewise"),
	LIMIT(held_mbufs, 64, 1048576, 4096, "packets", "packet buffers kept: fragments; likewise"),
	LIMIT(fragments, 8, 65536, 1024, "datagrams", "datagrams that wait for fragments; likewise"),
	LIMIT(handover, 64, 65536, 1024, "packets", "on their way to one worker from the others"),
	LIMIT(fragment_ms, 100, 60000, 10000, "ms", "time for all fragments of a datagram"),
	LIMIT(hold_us, 100, 100000, 1000, "us", "quiet time after which held bytes are owned"),
	LIMIT(flow_hold_kib, 16, 256, 128, "KiB", "in-order bytes held, a flow and direction"),
	LIMIT(flow_ooo_kib, 16, 8192, 1024, "KiB", "out-of-order bytes held, the same"),
	LIMIT(flow_ledger_kib, 16, 1024, 256, "KiB", "judged and unacknowledged, the same"),
	LIMIT(header_block_kib, 1, 256, 64, "KiB", "one encoded header block"),
	LIMIT(header_list_kib, 1, 256, 64, "KiB", "one decoded header list"),
	LIMIT(header_fields, 16, 4096, 256, "fields", "fields of one header block"),
	LIMIT(continuations, 0, 1024, 16, "frames", "CONTINUATION frames of one block"),
	LIMIT(frame_s, 1, 600, 60, "s", "time of a client for one frame or header block; then reset"),
	LIMIT(hpack_table_kib, 4, 512, 64, "KiB", "a table the client was told of unclamped"),
	LIMIT(seen_blocks, 0, 64, 8, "blocks", "header blocks a connection remembers; 0: none"),
	LIMIT(seen_block_b, 16, 16384, 512, "bytes", "longest header block that is remembered"),
	LIMIT(revoke_request_kib, 1, 63, 8, "KiB", "kept of a running call's request, for end-streams"),
	LIMIT(revoke_ms, 10, 60000, 5000, "ms", "time of a server for the end of a running call"),
	LIMIT(streams, 1, 65536, 256, "streams", "open calls of a connection"),
	LIMIT(pending_replies, 1, 65536, 256, "replies", "replies that wait for room"),
	LIMIT(control_per_s, 1, 1000000, 1000, "frames a second", "control frames of a connection"),
	LIMIT(control_burst, 1, 1000000, 4000, "frames", "and at once"),
	LIMIT(regex_steps, 100, 1000000, 1000, "steps", "one match of an expression of the policy"),
	LIMIT(rest_ms, 10, 60000, 200, "ms", "quiet time after which a connection is packed away"),
	LIMIT(rto_min_ms, 10, 10000, 200, "ms", "floor of our retransmission timer"),
	LIMIT(owned_retries, 1, 30, 10, "times", "retransmissions of owned bytes, then reset"),
	LIMIT(insert_wait_s, 1, 600, 30, "s", "wait of a reply while nothing moves, then reset"),
	LIMIT(insert_total_s, 1, 7200, 900, "s", "whole wait of a reply for room, then reset"),
	LIMIT(closed_s, 1, 600, 60, "s", "memory of a closed connection"),
	LIMIT(idle_s, 7440, 604800, 7440, "s", "silence after which both sides are asked, 2 h 4 min at least"),
	LIMIT(keepalive_s, 1, 600, 15, "s", "between two such keepalives"),
	LIMIT(keepalive_probes, 0, 20, 5, "times", "keepalives that may stay without answer; then reset"),
	LIMIT(syn_s, 1, 600, 30, "s", "time for one step of a handshake"),
	{ .name = NULL },
};

#define ON(field, normal, about)                                                                   \
	{ #field, "on." #field, KEY_CHOICE, FIELD(wk_conf, on.field), .choices = ons,              \
	  .def = normal, .text = about }

static const struct key on_keys[] = {
	ON(mid_stream, WK_CONF_ON_RESET, "a connection whose SYN was not seen"),
	ON(table_full, WK_CONF_ON_DROP, "no room for one more connection"),
	ON(source_full, WK_CONF_ON_DROP, "too many connections of one source"),
	ON(protocol_error, WK_CONF_ON_RESET, "broken HTTP/2 or a limit that ends a connection"),
	ON(tls, WK_CONF_ON_RESET, "TLS on a guarded port"),
	ON(http1, WK_CONF_ON_RESET, "HTTP/1 on a guarded port"),
	{ "fragment", "on.fragment", KEY_CHOICE, FIELD(wk_conf, on.fragment), .choices = fragments,
	  .def = WK_CONF_ON_REASSEMBLE, .text = "TCP fragments to or from a guarded address" },
	ON(tunnel, WK_CONF_ON_DROP, "tunnels to or from a guarded address"),
	{ .name = NULL },
};

/* Groups before who names them, ports before wires: read in this order. */
const struct key wk_conf_schema[] = {
	{ "version", "version", KEY_VERSION, .required = true, .text = "of this form: 1" },
	{ "instance", "instance", KEY_STRING, .restart = true, FIELD(wk_conf, instance),
	  .def_text = "wicket", .check = wk_conf_bad_instance,
	  .text = "name of this process among DPDK's (EAL file prefix)" },
	{ "workers", "workers", KEY_INT, .restart = true, FIELD(wk_conf, workers),
	  .min = 1, .max = WK_CONF_WORKERS_MAX, .def = 1, .unit = "lcores",
	  .text = "each polls a queue of every port, and one lcore more is the main one's" },
	{ "rss", "rss", KEY_CHOICE, .restart = true, FIELD(wk_conf, rss), .choices = rsses,
	  .def = WK_CONF_RSS_AUTO,
	  .text = "who says which worker owns a packet: software a hash of ours, nic the port's, "
		  "auto nic where both ports of a wire can, else software" },
	{ "idle", "idle", KEY_CHOICE, .restart = true, FIELD(wk_conf, idle_sleep),
	  .choices = idles, .def = 1,
	  .text = "whether a worker without packets sleeps (up to 100 us) or spins" },
	{ "hpack", "hpack", KEY_CHOICE, .restart = true, FIELD(wk_conf, hpack), .choices = hpacks,
	  .def = WK_CONF_HPACK_KEEP,
	  .text = "keep: clients' header blocks go on as they are until one that is deleted has "
		  "changed the table; reencode-always: none does" },
	{ "revoke", "revoke", KEY_CHOICE, .restart = true, FIELD(wk_conf, revoke),
	  .choices = revokes, .def = WK_CONF_REVOKE_NEXT_CALL,
	  .text = "what a reload that denies a running call does: nothing to that one, or end it" },
	{ "mtu", "mtu", KEY_INT, .restart = true, FIELD(wk_conf, mtu), .min = 576, .max = 9216,
	  .def = 1500, .unit = "bytes of L3", .text = "largest packet, without Ethernet and tags" },
	{ "eal", "eal", KEY_STRINGS, .restart = true, FIELD(wk_conf, eal),
	  .check = wk_conf_bad_eal, .text = "arguments for DPDK's EAL" },
	{ "ports", "ports", KEY_LIST, .required = true, .restart = true,
	  .offset = offsetof(struct wk_conf, ports), .offset_2 = offsetof(struct wk_conf, n_ports),
	  .size = sizeof(struct wk_conf_port), .max = WK_CONF_PORTS_MAX, .keys = port_keys,
	  .text = "network ports" },
	{ "wires", "wires", KEY_LIST, .required = true, .restart = true,
	  .offset = offsetof(struct wk_conf, wires), .offset_2 = offsetof(struct wk_conf, n_wires),
	  .size = sizeof(struct wk_conf_wire), .max = WK_CONF_WIRES_MAX, .keys = wire_keys,
	  .text = "pairs of ports: what enters one leaves the other" },
	{ "groups", "groups", KEY_GROUPS,
	  .text = "names for lists of prefixes, used as @name; written out where they are used" },
	{ "services", "services", KEY_LIST, .offset = offsetof(struct wk_conf, services),
	  .offset_2 = offsetof(struct wk_conf, n_services), .size = sizeof(struct wk_conf_service),
	  .max = WK_CONF_SERVICES_MAX, .keys = service_keys,
	  .text = "guarded gRPC services; what no rule allows is denied" },
	{ "acl", "acl", KEY_LIST, .offset = offsetof(struct wk_conf, acl),
	  .offset_2 = offsetof(struct wk_conf, n_acl), .size = sizeof(struct wk_conf_acl),
	  .max = WK_CONF_ACL_MAX, .keys = acl_keys, .text = "plain L3/L4 rules, the first match counts" },
	{ "default", "default", KEY_CHOICE, FIELD(wk_conf, default_action), .choices = actions,
	  .def = WK_CONF_PASS, .text = "for what neither a service nor an acl rule selects" },
	{ "log", "log", KEY_GROUP, .keys = log_keys, .text = "messages of the program" },
	{ "events", "events", KEY_GROUP, .keys = events_keys, .text = "verdicts" },
	{ "limits", "limits", KEY_GROUP, .keys = limits_keys, .text = "bounds of memory and time" },
	{ "on", "on", KEY_GROUP, .keys = on_keys,
	  .text = "what exceptional situations lead to: reset, drop or pass" },
	{ .name = NULL },
};
/* clang-format on */

static const struct {
	const char *name;
	uint16_t number;
} protos[] = { { "tcp", 6 }, { "udp", 17 }, { "icmp", 1 }, { "icmpv6", 58 } };

const char *wk_conf_proto_name(uint16_t proto)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].number == proto)
			return protos[i].name;
	return NULL;
}

int wk_conf_proto_number(const char *name)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strcmp(protos[i].name, name) == 0)
			return protos[i].number;
	return -1;
}
