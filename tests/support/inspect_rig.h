/* SPDX-License-Identifier: Apache-2.0 */
/* inspect_rig.h - an inspector with a client and a server on its two sides, for tests.
 *
 * Every frame goes through wk_inspect_packet as the worker would do it. What comes out, forwarded
 * or built, arrives at the receiver at once, is checked there, and is kept for the test to look at.
 * After every frame the packet account must be even. Needs EAL (rig_eal_*). */
#pragma once

#include "h2_wire.h"
#include "wire_pair.h"
#include "wk_inspect.h"

#define RIG_OUT_MAX    512u
#define RIG_EVENTS_MAX 64u

#define RIG_PATH_NAME   "/cloudcity.DoorManager/GetName"
#define RIG_PATH_PLACE  "/cloudcity.DoorManager/GetLocation"
#define RIG_PATH_SECRET "/cloudcity.DoorManager/SetAccessCode"
#define RIG_GRPC        "application/grpc"

/* Hosts below 128 are listed by the rule, the others are not. */
#define RIG_HOST_LISTED   7u
#define RIG_HOST_UNLISTED 200u

struct rig_conf {
	struct pair_conf pair;
	enum wk_policy_mode mode;
	enum wk_policy_unlisted unlisted;
	enum wk_policy_reply reply;
	struct wk_policy_form form;
	struct wk_inspect_on on;
	uint32_t lcore;
	uint32_t max_flows;
	uint32_t flows_per_source;
	uint32_t mtu_b;
	uint32_t ticket_b; /* limits of lib/h2: running calls are judged again */
	bool forgotten;    /* no service of a new policy has the connection */
};
/* IPv4, no tags, timestamps, enforce, drop, http-403, all `on` reset, 16 flows. */
extern const struct rig_conf rig_conf_default;

/* A frame that came out. */
struct rig_out {
	enum wk_dir dir;
	bool built;
	bool same; /* forwarded bit for bit */
	struct pair_seg seg;
	uint32_t len_b;
	uint8_t frame[PAIR_FRAME_MAX_B];
};

struct rig {
	struct wk_inspect *inspect;
	struct wk_policy *policy;
	struct wk_stats stats;
	struct rig_conf conf;
	uint64_t version;
	uint64_t now_ns;
	uint64_t mem_used_b; /* with no flow */
	struct pair pair;
	struct h2w_end client;
	struct h2w_end server;
	uint32_t n_out;
	struct rig_out out[RIG_OUT_MAX];
	uint32_t n_events;
	struct wk_event events[RIG_EVENTS_MAX];
	bool events_full;     /* the event hook refuses */
	bool events_off;      /* nobody looks at them */
	uint32_t lose_in_256; /* of the frames that come out, how many get lost */
	uint32_t random;
};

/* Group set-up and tear-down for cmocka. */
int rig_eal_start(void **state);
int rig_eal_stop(void **state);

struct rig *rig_new(const struct rig_conf *conf);
/* Ends everything; fails when a buffer or a block is not given back. */
void rig_free(struct rig *rig);
/* A new policy, with another mode. */
void rig_policy(struct rig *rig, enum wk_policy_mode mode);
/* A new policy in mode enforce, with these rules for the service at hand. */
void rig_rules(struct rig *rig, const struct wk_policy_rule_in *rules, uint32_t n);
/* Lets time pass, a millisecond at a time up to a second, then in larger steps. */
void rig_wait(struct rig *rig, uint64_t ns);

/* Pseudo-random, the same for the same rig->random. */
uint32_t rig_random(struct rig *rig, uint32_t below);

/* One frame into the inspector; rig->out begins anew. @return its verdict. */
enum wk_inspect_verdict rig_frame(struct rig *rig, enum wk_dir dir, uint8_t *frame, uint32_t len_b);
/* An ICMP error that comes in on the side of dir, where nobody knows a plain one. What goes on is
 * left in `frame`. */
enum wk_inspect_verdict rig_icmp(struct rig *rig, enum wk_dir dir, uint8_t *frame, uint32_t len_b);
/* The sender's next segment. */
enum wk_inspect_verdict rig_send(struct rig *rig, enum wk_dir dir, uint8_t flags, const void *data,
				 uint32_t len_b);
/* A pure ACK. */
enum wk_inspect_verdict rig_ack(struct rig *rig, enum wk_dir dir);

/* SYN, SYN-ACK, ACK. */
void rig_connect(struct rig *rig);
/* Preface and SETTINGS of both sides, all acknowledged. */
void rig_greet(struct rig *rig);
/* The client's request in one segment. */
enum wk_inspect_verdict rig_call(struct rig *rig, uint32_t stream, const char *path);
/* The server's answer to it, and its acknowledgements. */
void rig_answer(struct rig *rig, uint32_t stream);
/* FIN, FIN-ACK, ACK. */
void rig_close(struct rig *rig);

/* The next frame that has arrived at the server or client. */
bool rig_server_next(struct rig *rig, struct h2w_frame *frame);
bool rig_client_next(struct rig *rig, struct h2w_frame *frame);
/* The next HEADERS frame there, decoded; frames before it are skipped. @return its stream, or 0. */
uint32_t rig_server_headers(struct rig *rig, struct h2w_fields *fields);
uint32_t rig_client_headers(struct rig *rig, struct h2w_fields *fields);
/* Frames that went one way: forwarded and built. */
uint32_t rig_count_out(const struct rig *rig, enum wk_dir dir);
bool rig_all_same(const struct rig *rig);
uint32_t rig_flows(const struct rig *rig);
/* Handshakes under way. */
uint32_t rig_syns(const struct rig *rig);
