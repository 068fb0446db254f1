/* SPDX-License-Identifier: Apache-2.0 */
/* wk_conf.h - the configuration file as a struct.
 *
 * libconfig reads the file; a schema table names every key with its type, range, unit and default;
 * whatever the table does not name is refused. Knows no sibling: the application turns struct
 * wk_conf into ports, tables, classifier and policy. Used on the main thread only. Every string and
 * array belongs to the struct and goes with wk_conf_free. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WK_CONF_PORTS_MAX     16u
#define WK_CONF_WIRES_MAX     8u
#define WK_CONF_WORKERS_MAX   32u
#define WK_CONF_SERVICES_MAX  256u
#define WK_CONF_RULES_MAX     256u   /* access rules of one service */
#define WK_CONF_HEADERS_MAX   64u    /* conditions on headers of one rule */
#define WK_CONF_SVC_PORTS_MAX 64u    /* ports of one service */
#define WK_CONF_SVC_PAIRS_MAX 65536u /* of an address and a port, of one service */
#define WK_CONF_ACL_MAX       4096u

/* Where a setting stands, for messages after the load. */
struct wk_conf_at {
	const char *file;
	uint32_t line;
};

struct wk_conf_prefix {
	uint8_t family;   /* 4 or 6 */
	uint8_t len;      /* bits */
	uint8_t addr[16]; /* network order, IPv4 in the first four; host bits are zero */
};

struct wk_conf_prefixes {
	struct wk_conf_prefix *v;
	uint32_t n;
};

struct wk_conf_strings {
	char **v;
	uint32_t n;
};

struct wk_conf_ints {
	uint32_t *v;
	uint32_t n;
};

struct wk_conf_port {
	struct wk_conf_at at;
	char *name;
	char *device; /* PCI address or vdev string */
	uint32_t mtu; /* 0: as the file's mtu */
};

struct wk_conf_wire {
	struct wk_conf_at at;
	uint32_t client; /* index into ports */
	uint32_t server;
};

enum wk_conf_mode { WK_CONF_ENFORCE, WK_CONF_AUDIT, WK_CONF_OFF };
enum wk_conf_unlisted { WK_CONF_UNLISTED_DROP, WK_CONF_UNLISTED_RESET, WK_CONF_UNLISTED_REPLY };
/* SERVICE: of a rule alone, as the service's. */
enum wk_conf_reply {
	WK_CONF_REPLY_HTTP_403,
	WK_CONF_REPLY_GRPC,
	WK_CONF_REPLY_RESET,
	WK_CONF_REPLY_SERVICE,
};
enum wk_conf_action { WK_CONF_PASS, WK_CONF_DROP };
/* Who says which worker a packet belongs to. */
enum wk_conf_rss { WK_CONF_RSS_AUTO, WK_CONF_RSS_SOFTWARE, WK_CONF_RSS_NIC };
/* What becomes of the header blocks that go to a server. */
enum wk_conf_hpack { WK_CONF_HPACK_KEEP, WK_CONF_HPACK_REENCODE };
/* When a reload denies what it is already doing, a call ends: with the next one, or at once. */
enum wk_conf_revoke { WK_CONF_REVOKE_NEXT_CALL, WK_CONF_REVOKE_END_STREAMS };
/* REASSEMBLE: fragment alone. */
enum wk_conf_on { WK_CONF_ON_RESET, WK_CONF_ON_DROP, WK_CONF_ON_PASS, WK_CONF_ON_REASSEMBLE };

struct wk_conf_header {
	struct wk_conf_at at;
	char *name;
	char *value; /* NULL: it only has to be there */
};

/* Empty lists of conditions: any. */
struct wk_conf_rule {
	struct wk_conf_at at;
	char *name;
	struct wk_conf_prefixes from;   /* groups resolved; empty list in the file is an error */
	struct wk_conf_ints vlans;      /* outer VLAN ids */
	struct wk_conf_strings ingress; /* names of ports, each the client's of a wire */
	struct wk_conf_strings authority;
	struct wk_conf_header *headers;
	uint32_t n_headers;
	struct wk_conf_strings allow;
	struct wk_conf_strings deny;
	enum wk_conf_reply reply;
};

enum wk_conf_scheme {
	WK_CONF_SCHEME_HTTP_OR_HTTPS = 0,
	WK_CONF_SCHEME_HTTP = 1,
	WK_CONF_SCHEME_HTTPS = 2,
	WK_CONF_SCHEME_ANY = 3,
};

struct wk_conf_service {
	struct wk_conf_at at;
	char *name;
	struct wk_conf_prefixes addresses;
	struct wk_conf_ints ports; /* each of them at each of the addresses; none twice */
	enum wk_conf_mode mode;
	enum wk_conf_unlisted unlisted_source;
	enum wk_conf_reply reply;
	/* What a call may lack of the gRPC specification. */
	bool any_method;
	bool any_type;
	bool te_optional;
	bool any_host;
	enum wk_conf_scheme scheme;
	struct wk_conf_rule *access;
	uint32_t n_access;
};

#define WK_CONF_PROTO_ANY 256u

struct wk_conf_acl {
	struct wk_conf_at at;
	struct wk_conf_prefixes from; /* empty: any */
	struct wk_conf_prefixes to;   /* empty: any */
	uint16_t proto;               /* IP protocol number or WK_CONF_PROTO_ANY */
	uint16_t port_low;            /* destination port, host order; 0..65535 for any */
	uint16_t port_high;
	int32_t vlan; /* outer VLAN id, -1 for any */
	enum wk_conf_action action;
};

struct wk_conf {
	char *file;
	char *instance;
	uint32_t workers;
	enum wk_conf_rss rss;
	enum wk_conf_hpack hpack;
	enum wk_conf_revoke revoke;
	bool idle_sleep; /* idle = "sleep" (default) or "spin" */
	uint32_t mtu;    /* bytes of L3, default 1500 */
	struct wk_conf_strings eal;

	struct wk_conf_port *ports;
	uint32_t n_ports;
	struct wk_conf_wire *wires;
	uint32_t n_wires;
	struct wk_conf_service *services;
	uint32_t n_services;
	struct wk_conf_acl *acl;
	uint32_t n_acl;
	enum wk_conf_action default_action;

	struct {
		char *level; /* emerg alert critical error warning notice info debug */
		char *file;  /* "-" is stderr */
	} log;
	struct {
		char *file; /* "-" is stdout; "" is none */
		uint32_t per_second;
	} events;
	struct {
		/* Of all workers together, each has its share: */
		uint32_t flows;
		uint32_t flows_per_source;
		uint32_t syns;     /* handshakes under way */
		uint32_t held_kib; /* arenas */
		uint32_t held_mbufs;
		uint32_t fragments; /* datagrams that wait for the rest of theirs */
		/* Of each: */
		uint32_t handover; /* packets on their way to one worker from the others */
		uint32_t fragment_ms;
		uint32_t hold_us;
		uint32_t flow_hold_kib;   /* in-order bytes held, one flow and direction */
		uint32_t flow_ooo_kib;    /* out-of-order bytes, the same */
		uint32_t flow_ledger_kib; /* judged and unacknowledged, the same */
		uint32_t header_block_kib;
		uint32_t header_list_kib;
		uint32_t header_fields;
		uint32_t continuations;
		uint32_t hpack_table_kib;
		uint32_t frame_s;
		uint32_t seen_blocks;
		uint32_t seen_block_b;
		uint32_t revoke_request_kib;
		uint32_t revoke_ms;
		uint32_t streams;
		uint32_t pending_replies;
		uint32_t control_per_s;
		uint32_t control_burst;
		uint32_t regex_steps;
		uint32_t rest_ms;
		uint32_t rto_min_ms;
		uint32_t owned_retries;
		uint32_t insert_wait_s;
		uint32_t insert_total_s;
		uint32_t closed_s;
		uint32_t idle_s;
		uint32_t keepalive_s;
		uint32_t keepalive_probes;
		uint32_t syn_s;
	} limits;
	struct {
		enum wk_conf_on mid_stream;
		enum wk_conf_on table_full;
		enum wk_conf_on source_full;
		enum wk_conf_on protocol_error;
		enum wk_conf_on tls;
		enum wk_conf_on http1;
		enum wk_conf_on fragment;
		enum wk_conf_on tunnel;
	} on;
};

/* "file:line: message", NUL-terminated, cut to fit. */
struct wk_conf_error {
	char text[512];
};

/* Reads and validates a file. @return 0, -ENOENT / -EACCES / -EIO when it cannot be read, -EINVAL
 * when it is wrong, -ENOMEM; *conf is NULL and *err is filled on every failure. */
int wk_conf_load(const char *path, struct wk_conf **conf, struct wk_conf_error *err);
void wk_conf_free(struct wk_conf *conf);

/* Prints a configuration with every key, its unit and whether a reload changes it as comments. */
void wk_conf_dump(const struct wk_conf *conf, FILE *out);
/* All defaults, no ports and services. */
struct wk_conf *wk_conf_defaults(void);

/* Whether two configurations differ in a key that a reload cannot change.
 * @return its name, or NULL. */
const char *wk_conf_needs_restart(const struct wk_conf *running, const struct wk_conf *next);

/* As the file says them. */
const char *wk_conf_mode_name(enum wk_conf_mode mode);
const char *wk_conf_unlisted_name(enum wk_conf_unlisted unlisted);

/* "10.0.0.0/8", "fd00::1" (whole address); host bits must be zero.
 * @return NULL, or what is wrong with it (static text). */
const char *wk_conf_prefix_parse(const char *text, struct wk_conf_prefix *prefix);
/* Is there an address that both hold? */
bool wk_conf_prefix_overlap(const struct wk_conf_prefix *a, const struct wk_conf_prefix *b);
