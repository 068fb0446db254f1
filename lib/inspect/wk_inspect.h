/* SPDX-License-Identifier: Apache-2.0 */
/* wk_inspect.h - joins tcp, h2 and policy for the guarded flows of one lcore.
 *
 * One struct wk_inspect per worker. It owns the flow table, the arena (wk_mem) and every flow's
 * state; packets come in from the worker with their classification, packets go out through the tx
 * hook, verdicts as events through the event hook. Owner: one lcore. Never logs, never allocates
 * from the heap after creation, never makes a system call; time comes in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"
#include "wk_flow.h"
#include "wk_flow_syn.h"
#include "wk_h2.h"
#include "wk_pkt.h"
#include "wk_policy.h"
#include "wk_stats.h"
#include "wk_tcp.h"

enum wk_on { WK_ON_RESET = 0, WK_ON_DROP = 1, WK_ON_PASS = 2 };

/* Addresses that were not guarded for a while, until a version which may be yet to come. What their
 * connections said meanwhile has been read by nobody. */
struct wk_inspect_gap {
	uint8_t family; /* 4 or 6 */
	uint8_t len;    /* of the prefix */
	uint16_t port;  /* host order, 0: any */
	uint8_t addr[16];
	uint64_t version; /* the first that did not guard them */
};

/* What an exceptional situation leads to, in mode enforce. A table_full (or source_full) of pass
 * lets a SYN through that nobody will follow: its next packet is judged by mid_stream.
 * protocol_error, tls and http1 can only pass as long as no call has been taken out of the
 * connection; else it is reset. */
struct wk_inspect_on {
	enum wk_on mid_stream;
	enum wk_on table_full;
	enum wk_on source_full;
	enum wk_on protocol_error;
	enum wk_on tls;
	enum wk_on http1;
	const struct wk_inspect_gap *gaps; /* valid as long as the policy is */
	uint32_t n_gaps;
};

/* A verdict worth telling. Copied by the hook. */
#define WK_EVENT_PATH_MAX_B 256u
#define WK_EVENT_NAME_MAX_B 64u

enum wk_event_kind {
	WK_EVENT_CALL = 0, /* a denied or refused call, or one that audit would have denied */
	WK_EVENT_CONN = 1, /* a connection reset or refused as a whole */
};

struct wk_event {
	enum wk_event_kind kind;
	bool enforced;      /* false: audit, nothing was changed */
	bool ended;         /* CALL: it had been running for a while */
	uint8_t ip_version; /* 4 or 6 */
	uint16_t wire;
	uint16_t vlan[2];
	uint8_t client[16];
	uint8_t server[16];
	uint16_t client_port; /* host order */
	uint16_t server_port;
	uint32_t stream_id;
	uint32_t flow_id;                /* unique among the lcores: see struct wk_inspect_flow */
	enum wk_call_reason call_reason; /* CALL */
	enum wk_h2_error h2_error;       /* CONN */
	enum wk_reason reason;           /* CONN */
	uint64_t now_ns;                 /* monotonic, as the worker saw it */
	uint64_t policy_version;
	/* The reference that the client reads in grpc-message, as "%04x-%06x" of ref >> 24 and
	 * ref & 0xffffff; 0 for none. */
	uint64_t ref;
	uint16_t path_len_b; /* of the whole path; what is stored is cut at WK_EVENT_PATH_MAX_B */
	char path[WK_EVENT_PATH_MAX_B];
	char service[WK_EVENT_NAME_MAX_B];
	char rule[WK_EVENT_NAME_MAX_B];
};

struct wk_inspect_hooks {
	/* Sends a frame that was built here (ownership passes) out of the side of `wire` that
	 * dir's receiver is on: WK_S2C leaves by the client's port. */
	void (*tx)(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m);
	/* @return false when there was no room (counted as events_lost by the caller of the hook).
	 */
	bool (*event)(void *user, const struct wk_event *event);
	/* The number of the service that a connection belongs to by the present policy, where no
	 * packet tells. @return false if it belongs to none. May be NULL: then a new policy leaves
	 * running calls alone. */
	bool (*service)(void *user, const struct wk_flow_key *key, uint32_t *service);
};

struct wk_inspect_conf {
	const char *name; /* unique in the process */
	uint32_t lcore;   /* number of this one among those that share the upper half of secret */
	uint32_t max_flows;
	uint32_t flows_per_source; /* 0: any number */
	uint32_t max_syns;         /* handshakes under way that are remembered; rounded up */
	uint64_t syn_ns;           /* how long */
	uint64_t held_b;           /* arena */
	struct wk_tcp_limits tcp;
	struct wk_h2_limits h2;
	struct wk_inspect_on on;
	uint32_t regex_steps; /* of one match of an expression of the policy */
	uint32_t mtu_b;       /* of L3, for packets built here */
	/* Random. Lower half: hash seed. Upper half: of this start, references of its lcores. */
	uint64_t secret;
	int socket_id;
	struct rte_mempool *pool; /* for packets built here */
	struct wk_stats *stats;
	const struct wk_inspect_hooks *hooks;
	void *user;
};

struct wk_inspect;

int wk_inspect_create(const struct wk_inspect_conf *conf, struct wk_inspect **inspect);
/* Frees every flow; sends nothing. */
void wk_inspect_free(struct wk_inspect *inspect);

/* The snapshot that judges from now on. `policy` must stay valid until the next call of this (the
 * worker reports itself quiescent only afterwards). Live flows are judged by it at their next
 * call; mode changes take effect at a flow's next packet. With limits.ticket_b, wk_inspect_timers
 * then judges the calls that are running, some flows at a time. */
void wk_inspect_policy(struct wk_inspect *inspect, const struct wk_policy *policy,
		       const struct wk_inspect_on *on);

enum wk_inspect_verdict {
	WK_INSPECT_FORWARD = 0, /* send pkt->m (possibly edited in place) out of the other side */
	WK_INSPECT_FREE = 1,    /* free pkt->m */
};

/* One guarded packet. dir is the ingress side, service the number that the current classifier and
 * policy give it (it is not kept: numbers change with each snapshot). Counts its reason. */
enum wk_inspect_verdict wk_inspect_packet(struct wk_inspect *inspect, struct wk_pkt *pkt,
					  uint32_t service, uint16_t wire, enum wk_dir dir,
					  uint64_t now_ns);

/* Optional: up to WK_INSPECT_AHEAD_MAX packets that will be shown to wk_inspect_packet next, in
 * this order (some of them may be left out). Their flows are looked up at once, and each has its
 * memory fetched while the packets before it are being worked on. */
#define WK_INSPECT_AHEAD_MAX 64u
struct wk_inspect_next {
	const struct wk_pkt *pkt; /* the very struct that wk_inspect_packet will get */
	uint16_t wire;
	enum wk_dir dir;
};
void wk_inspect_ahead(struct wk_inspect *inspect, const struct wk_inspect_next *next, uint32_t n);

/* An ICMP error that quotes a packet of a guarded connection, which went the other way: dir is the
 * ingress side of the error. One about a followed connection goes on with the number that its
 * receiver knows, if it can be true; one about any other ends as `plain` says. Counts its reason.
 */
enum wk_inspect_verdict wk_inspect_icmp(struct wk_inspect *inspect, struct wk_pkt *pkt,
					uint16_t wire, enum wk_dir dir, enum wk_reason plain,
					uint64_t now_ns);

/* Would wk_inspect_packet of this packet forward it for sure, and touch nothing? So it is where the
 * service is not enforced and no flow of before still has to be translated. */
bool wk_inspect_passive(struct wk_inspect *inspect, const struct wk_pkt *pkt, uint32_t service,
			uint16_t wire, enum wk_dir dir);

/* Runs what is due. Call at least every millisecond while flows exist. */
void wk_inspect_timers(struct wk_inspect *inspect, uint64_t now_ns);
/* Nothing is due before this (UINT64_MAX: nothing at all). */
uint64_t wk_inspect_next_due(const struct wk_inspect *inspect);

/* Stopping: resets both sides of every edited flow (their numbers mean nothing once the box is
 * bypassed) and forgets all flows. @return how many were reset. */
uint32_t wk_inspect_stop(struct wk_inspect *inspect, uint64_t now_ns);

/* One row of the flow list. */
struct wk_inspect_flow {
	struct wk_flow_key key;
	uint32_t id; /* lcore x max_flows + its place in the table */
	enum wk_tcp_state state;
	bool passive;
	bool edited;
	bool bound; /* edited, or bytes wait here that are to go on: not to be left alone */
	char service[WK_EVENT_NAME_MAX_B];
	uint64_t packets[WK_DIRS];
	uint64_t bytes[WK_DIRS];
	uint64_t opened_ns;
	uint64_t last_ns;
	struct wk_h2_info h2;
};
/* Fills up to max rows from position *pos on (0 at first); *pos is where to go on, UINT32_MAX at
 * the end. Called by the owner lcore in its housekeeping. @return rows filled. */
uint32_t wk_inspect_flows(struct wk_inspect *inspect, uint32_t *pos, struct wk_inspect_flow *rows,
			  uint32_t max);

struct wk_inspect_usage {
	uint32_t flows;
	uint32_t flows_max;
	uint32_t sources; /* of the flows, where they are counted */
	uint32_t syns;    /* handshakes under way */
	uint32_t syns_max;
	struct wk_mem_usage mem;
};
void wk_inspect_usage(const struct wk_inspect *inspect, struct wk_inspect_usage *usage);
