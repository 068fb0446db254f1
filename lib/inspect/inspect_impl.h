/* SPDX-License-Identifier: Apache-2.0 */
/* inspect_impl.h - what the files of lib/inspect share; nobody else includes it.
 *
 * One lcore works on one packet or one timer at a time. What that piece of work needs (the flow,
 * the service, the packet, the time) stands in struct wk_inspect as "the call at hand", so that the
 * hooks of lib/tcp and lib/h2 get along with one pointer. */
#pragma once

#include <rte_mbuf.h>

#include "wk_inspect.h"

/* Ethernet, two tags, and the longer of both fixed IP headers. */
#define WK_INSP_TMPL_MAX_B (14u + 8u + 40u)

/* The headers that frames of one direction carry, as last seen. 64 bytes. */
struct wk_insp_tmpl {
	uint8_t len_b;  /* 0: none seen yet */
	uint8_t l3_off; /* where the IP header begins */
	uint8_t bytes[WK_INSP_TMPL_MAX_B];
};

/* A flow's entry in the table. About 1300 bytes, most of them lib/tcp's; a packet of an ordinary
 * connection looks at 13 of its 20 lines of the processor's caches. */
struct wk_insp_flow {
	struct wk_flow_entry entry; /* first: lib/flow knows nothing else */
	uint32_t service;
	uint64_t version;      /* of the policy that `service` is a number of */
	struct wk_h2_conn *h2; /* NULL until the first byte of payload */
	uint64_t last_ns;
	/* When it is looked at again whether the HTTP/2 state can be packed away. Not moved by
	 * every packet: that would be two neighbours in the wheel each time. UINT64_MAX: never. */
	uint64_t rest_ns;
	uint64_t packets[WK_DIRS];
	uint64_t bytes[WK_DIRS];
	bool passive;
	/* Enforce given up by an `on` policy: every byte passes from here on. */
	bool blind;
	/* Closed by an `on` policy that says drop: the RSTs are not sent. */
	bool mute;
	/* A passive flow that must be enforced made a call that is denied. */
	bool caught;
	/* Ended here because of that: nothing passes, lib/tcp is not asked any more. */
	bool dead;
	/* Inside the payload of a frame that passes: its stream should not end here. */
	bool inside[WK_DIRS];
	/* A reset of ours has been told. */
	bool told;
	/* Some link of the path takes less than every path must: what is built may be cut up. */
	bool path_below[WK_DIRS];
	uint16_t
		path_mtu_b[WK_DIRS]; /* of what is sent that way, 0: as far as we know the wire's */
	enum wk_reason why;          /* reason of a reset that the judge asked for, 0 if none */
	uint64_t path_ns[WK_DIRS];   /* when path_mtu_b was learned */
	struct wk_tcp_flow tcp;
	struct wk_insp_tmpl tmpl[WK_DIRS];
	struct wk_policy_source source;
	uint64_t opened_ns;
};

/* So many at once, so many a second. */
struct wk_insp_bucket {
	uint64_t last_ns;
	uint32_t tokens;
};

/* What wk_inspect_ahead has found. Valid until a flow is forgotten: an entry never moves. */
struct wk_insp_ahead {
	uint32_t n;
	uint32_t at;
	const struct wk_pkt *pkt[WK_INSPECT_AHEAD_MAX];
	struct wk_insp_flow *flow[WK_INSPECT_AHEAD_MAX]; /* NULL: none, then */
	uint8_t dir[WK_INSPECT_AHEAD_MAX];
};

struct wk_inspect {
	/* The call at hand. */
	struct wk_insp_flow *flow;
	struct wk_pkt *pkt;                  /* NULL in a timer */
	const struct wk_policy_service *svc; /* NULL: no such service */
	uint32_t service;
	enum wk_policy_mode mode;
	enum wk_dir dir;
	uint16_t wire;
	struct wk_tcp_env tcp_env;
	struct wk_h2_env h2_env;

	const struct wk_policy *policy;
	uint64_t version;
	struct wk_inspect_on on;
	struct wk_flow_table *table;
	struct wk_flow_syns *syns;
	struct wk_mem *mem;
	struct wk_stats *stats;
	struct rte_mempool *pool;
	const struct wk_inspect_hooks *hooks;
	void *user;
	uint32_t mtu_b;
	uint16_t ident;      /* of IPv4 packets built here that may be fragmented */
	uint32_t review_pos; /* where the review of running calls goes on, UINT32_MAX: it is done */
	uint32_t evict_pos;  /* where the search for a closed connection goes on */
	uint32_t first_id;   /* of this lcore's flows */
	uint16_t ref_tag;
	uint32_t mark_key; /* of the PINGs to servers */
	uint32_t ref_count;
	struct wk_insp_bucket rsts;   /* answers to packets without a flow */
	struct wk_insp_bucket events; /* about packets without a flow */
	struct wk_tcp_limits tcp_limits;
	struct wk_h2_limits h2_limits;
	struct wk_h2_lcore *lcore;
	struct wk_policy_scratch *scratch;
	void *arena;
	struct wk_insp_ahead ahead;
};

/* The reference that a denied client reads: "%04x-%06x" of these two. */
#define WK_INSP_REF(tag, count) ((uint64_t)(tag) << 24 | ((count)&0xffffffu))

/* A flow as events and lists call it. */
static inline uint32_t wk_insp_id(const struct wk_inspect *inspect, const struct wk_insp_flow *flow)
{
	return inspect->first_id + flow->entry.id;
}

/* inspect.c */
bool wk_insp_take(struct wk_insp_bucket *bucket, uint32_t per_s, uint64_t now_ns);
void wk_insp_set_service(struct wk_inspect *inspect, uint32_t service);
/* Makes a flow the one at hand for work that no packet brought. */
void wk_insp_enter(struct wk_inspect *inspect, struct wk_insp_flow *flow, uint64_t now_ns);
/* Gives back what nobody will ask for again: the HTTP/2 state of a flow whose bytes are no longer
 * shown to it, and its place among the connections of its source. */
void wk_insp_shed(struct wk_inspect *inspect, struct wk_insp_flow *flow);
/* Client and server no longer see the same bytes, or would not if we stepped aside. */
bool wk_insp_edited(const struct wk_insp_flow *flow);
/* After a packet or a timer: packs the HTTP/2 state of a quiet flow away, or sees when to look. */
void wk_insp_rest(struct wk_inspect *inspect, struct wk_insp_flow *flow);
uint64_t wk_insp_deadline(const struct wk_inspect *inspect, const struct wk_insp_flow *flow);
/* Forgets a flow and everything it holds. */
void wk_insp_forget(struct wk_inspect *inspect, struct wk_insp_flow *flow);

/* The connection is over: nothing but a client's SYN concerns it any more. */
static inline bool wk_insp_over(const struct wk_insp_flow *flow)
{
	return flow->dead || wk_tcp_state(&flow->tcp) >= WK_TCP_ST_CLOSED;
}
/* Carries out on the packet at hand what lib/tcp asks for. */
void wk_insp_edit(struct wk_inspect *inspect, const struct wk_tcp_result *result);
/* The packet at hand is the flow's: brings the flow to its service's mode and shows lib/tcp the
 * segment. A flow that cannot be guarded is forgotten, and the packet is a stray. */
enum wk_reason wk_insp_follow(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			      const struct wk_tcp_seg *seg, const struct wk_flow_key *key);

/* ahead.c */
/* The flow of the packet at hand, NULL if there is none. */
struct wk_insp_flow *wk_insp_find(struct wk_inspect *inspect, const struct wk_flow_key *key);
/* A flow is about to be forgotten. */
static inline void wk_insp_ahead_forget(struct wk_inspect *inspect)
{
	inspect->ahead.n = 0;
}

/* gap.c */
/* Was the flow's address not guarded for a while since its last packet? */
bool wk_insp_unseen(const struct wk_inspect *inspect, const struct wk_insp_flow *flow);
/* There is a new version: handshakes of before are forgotten if it gave up any address. */
void wk_insp_gaps_taken(struct wk_inspect *inspect, uint64_t before);

/* icmp.c */
/* Forgets what has been known of a path for too long to be believed. */
void wk_insp_path_age(const struct wk_inspect *inspect, struct wk_insp_flow *flow, enum wk_dir dir);

/* admit.c: packets that have no flow, or one that is over. */
struct wk_insp_start {
	const struct wk_flow_key *key;
	struct wk_tcp_hs *hs;     /* the handshake under way, or NULL */
	struct wk_insp_flow *old; /* the connection that is over, or NULL */
};
enum wk_reason wk_insp_begin(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
			     struct wk_insp_start *start);
/* Belongs to nothing that is known. */
enum wk_reason wk_insp_stray(struct wk_inspect *inspect, const struct wk_tcp_seg *seg,
			     const struct wk_flow_key *key);

/* What the policy knows a connection's client by. */
void wk_insp_peer(const struct wk_flow_key *key, struct wk_policy_peer *peer);

/* Ends a flow that lib/tcp cannot reset, because it is passive, with the packet at hand. */
enum wk_reason wk_insp_kill(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			    const struct wk_tcp_seg *seg);
/* A packet of a flow that has been ended so. */
enum wk_reason wk_insp_buried(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			      const struct wk_tcp_seg *seg);

/* judge.c */
extern const struct wk_tcp_hooks wk_insp_tcp_hooks;

/* What lib/h2 is to do with the flow at hand. */
void wk_insp_h2_env(struct wk_inspect *inspect);

/* review.c: judges the running calls of some more flows by a new policy. */
void wk_insp_review(struct wk_inspect *inspect, uint64_t now_ns);

/* form.c: does a request look as its service wants it? @return CALL_ALLOWED, or why not. */
enum wk_call_reason wk_insp_form(const struct wk_policy_form *form,
				 const struct wk_h2_request *request);

/* decide.c */
extern const struct wk_h2_hooks wk_insp_h2_hooks;

/* event.c */
/* Starts an event about a key with the names of the service at hand. */
void wk_insp_event_begin(const struct wk_inspect *inspect, const struct wk_flow_key *key,
			 enum wk_event_kind kind, struct wk_event *event);
void wk_insp_event_send(struct wk_inspect *inspect, const struct wk_event *event);
/* Tells that a connection ended here: at most once in the life of a flow (NULL: there is none). */
void wk_insp_event_conn(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			const struct wk_flow_key *key, enum wk_reason reason);
void wk_insp_copy_name(char *to, const char *from);

/* build.c */
/* Remembers the headers of a packet. */
void wk_insp_tmpl_learn(struct wk_insp_tmpl *tmpl, const struct wk_pkt *pkt);
/* Builds and sends out->data in frames of at most the MTU, by the headers of the flow at hand. */
void wk_insp_send(struct wk_inspect *inspect, const struct wk_tcp_out *out);
/* Answers the packet at hand, which has no flow, with an RST, if the bucket allows one. */
void wk_insp_refuse(struct wk_inspect *inspect, const struct wk_tcp_seg *seg);
/* Sends an RST on in the place of the packet at hand. */
void wk_insp_replace(struct wk_inspect *inspect, const struct wk_tcp_seg *seg);
