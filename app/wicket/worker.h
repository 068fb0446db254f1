/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - one lcore that moves packets.
 *
 * A worker has one receive and one transmit queue, of its number, on every port. It follows the
 * connections that it owns (owner.h) and hands other guarded packets to their owners, by a ring to
 * each worker (worker_handover.c); what is not guarded it sends on itself. Besides those rings it
 * shares nothing but the snapshot, which it reads under RCU, and four mailboxes: its state (written
 * by the main lcore), its event ring, its counters (read by anybody), and one request at a time
 * from the control side (struct wk_ask).
 *
 * In the packet's way there is no lock, no log, no heap and no system call. Memory: this struct,
 * the arena and flow table of struct wk_inspect, the table of fragments, both rings. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "eal.h"
#include "owner.h"
#include "snapshot.h"
#include "wk_acl.h"
#include "wk_frag.h"
#include "wk_inspect.h"
#include "wk_pkt.h"
#include "wk_stats.h"

struct rte_mbuf;
struct rte_mempool;
struct rte_rcu_qsbr;
struct rte_ring;

/* What is collected before it is sent. */
#define WK_TX_BUFFER 64u
/* Flow rows of one answer. */
#define WK_ASK_ROWS 32u

enum wk_worker_state {
	WK_WORKER_IDLE = 0,  /* not launched, or gone */
	WK_WORKER_READY = 1, /* waits for its ports */
	WK_WORKER_RUN = 2,
	WK_WORKER_STOP = 3, /* has been asked to finish */
};

/* Port 2w is the client's side of wire w, port 2w + 1 the server's. */
struct wk_worker_port {
	uint16_t port_id;
	uint16_t wire;
	uint16_t peer;   /* index of the other side in the worker's ports */
	enum wk_dir dir; /* of what comes in here */
	uint32_t mtu;
	uint16_t n_tx;
	struct rte_mbuf *tx[WK_TX_BUFFER];
};

/* A question of the control side, answered by the worker in its housekeeping. */
enum wk_ask_kind {
	WK_ASK_STATS = 0, /* the counters at one moment, the same one for all workers */
	WK_ASK_FLOWS = 1,
	WK_ASK_BOUND = 2, /* n: flows of the next part of the table that need us */
};

enum wk_ask_state { WK_ASK_FREE = 0, WK_ASK_ASKED = 1, WK_ASK_ANSWERED = 2 };

struct wk_ask {
	_Atomic uint32_t state; /* enum wk_ask_state */
	enum wk_ask_kind kind;
	uint32_t pos; /* where to go on; STATS: of which cut */
	uint32_t n;
	struct wk_stats stats;
	struct wk_inspect_flow rows[WK_ASK_ROWS];
};

/* Figures of the loop, each one a 64-bit store of the worker. */
struct wk_worker_load {
	_Atomic uint64_t loops;
	_Atomic uint64_t busy_cycles; /* of loops that moved a packet */
	_Atomic uint64_t sleeps;
};

/* What all workers share: who owns what, and the ways between them. Set up before they run. */
struct wk_team {
	struct wk_owners owners;
	struct rte_ring *inbox[WK_CONF_WORKERS_MAX]; /* none when there is one worker */
};

/* What is collected before it is handed over. */
struct wk_outbox {
	uint32_t n;
	struct rte_mbuf *m[WK_BURST_MAX];
};

struct wk_worker {
	uint32_t index; /* its number, and that of its queues */
	unsigned int lcore;
	bool idle_sleep;
	struct wk_clock clock;

	/* Hot. */
	const struct wk_snapshot *snapshot; /* the one at work */
	uint64_t version;                   /* its version */
	struct wk_inspect *inspect;
	struct wk_frag *frag;
	const struct wk_team *team;
	struct wk_stats stats;
	uint32_t n_ports;
	struct wk_worker_port ports[2 * WK_CONF_WIRES_MAX];
	struct wk_outbox out[WK_CONF_WORKERS_MAX];

	/* The counters at the moment of the last cut. */
	uint32_t cut_number;
	struct wk_stats cut;

	/* Loop. */
	uint64_t now_ns;
	uint64_t house_ns;    /* last housekeeping */
	uint32_t house_loops; /* loops since */
	uint64_t idle_since_ns;
	uint32_t sleep_ns; /* length of the next sleep */
	struct wk_worker_load load;

	/* Shared. */
	_Atomic uint32_t state;                 /* enum wk_worker_state */
	struct wk_snapshot *_Atomic *published; /* where the next snapshot appears */
	struct rte_rcu_qsbr *rcu;
	struct rte_ring *events;
	struct wk_ask ask;
};

/* One round over ring and ports: the whole way of a packet. Time comes in. @return packets
 * received. */
uint32_t wk_worker_step(struct wk_worker *worker, uint64_t now_ns);

/* Hooks for struct wk_inspect; user is the worker. */
extern const struct wk_inspect_hooks wk_worker_hooks;

/* Hooks for struct wk_frag; user is the worker. */
extern const struct wk_frag_hooks wk_worker_frag_hooks;

/* Sends what has been collected. */
void wk_worker_flush(struct wk_worker *worker);
/* Sends a frame (ownership passes) out of the side of a wire that dir's receiver is on. */
void wk_worker_send(struct wk_worker *worker, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m);

/* Where a packet goes. */
enum wk_way {
	WK_WAY_FORWARD = 0,
	WK_WAY_FREE = 1,
	WK_WAY_KEPT = 2, /* it has another owner */
};
/* Is anything held against the packets of a service? Not if it is not enforced. */
bool wk_worker_enforces(const struct wk_worker *worker, uint32_t service);
/* The same of a packet that is guarded. */
bool wk_worker_enforces_any(const struct wk_worker *worker, const struct wk_acl_verdict *verdict);

/* worker_frag.c */

/* A fragment with a guarded address, of a datagram that this worker is to put together. */
enum wk_way wk_worker_fragment(struct wk_worker *worker, const struct wk_pkt *pkt,
			       const struct wk_acl_verdict *verdict,
			       const struct wk_worker_port *port);

/* worker_handover.c: packets between workers.
 *
 * A ring leads to each worker; all others write to it. A packet goes there before anything but the
 * classifier has looked at it, and is classified anew by its owner: nothing that it carries ages.
 * It carries the port it came in on (mbuf->port), what is known of its checksums (ol_flags), and
 * the number of its sender's last cut (hash.usr). */

/* For its owner, another worker. Counted when it goes, with the burst at the latest. */
enum wk_way wk_worker_hand_over(struct wk_worker *worker, uint32_t owner, const struct wk_pkt *pkt,
				const struct wk_worker_port *port);
/* The fragments of one datagram: all or none. @return false: still the caller's. */
bool wk_worker_hand_over_all(struct wk_worker *worker, uint32_t owner, struct rte_mbuf **mbufs,
			     uint32_t n, const struct wk_worker_port *port);
/* Hands over what has been collected; what finds no room ends there. */
void wk_worker_post(struct wk_worker *worker);
/* Takes up to WK_BURST_MAX packets out of the ring to this worker. */
uint16_t wk_worker_take(struct wk_worker *worker, struct rte_mbuf **mbufs);
/* Counters at one moment: no packet is counted by its receiver before its sender. Whoever is asked
 * for a cut, or meets a packet of one who has made it, makes it before anything else, if it has not
 * yet. What a sender has counted and nobody has taken is in a ring. */
void wk_worker_cut(struct wk_worker *worker, uint32_t number);
/* Once no worker runs any more: what is left in the ring. */
void wk_worker_clear(struct wk_worker *worker);

/* worker_loop.c */

/* The lcore's function: runs until the state is STOP, then resets what cannot outlive it. */
int wk_worker_main(void *worker);
/* Control side, one asker at a time (its caller holds a lock): waits up to 200 ms.
 * @return the answer, valid until the next question, or NULL when the worker does not answer. */
const struct wk_ask *wk_worker_ask(struct wk_worker *worker, enum wk_ask_kind kind, uint32_t pos);
