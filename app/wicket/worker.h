/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - one lcore that moves packets.
 *
 * A worker has whole wires: it alone receives on both of their ports, follows the guarded
 * connections between them and sends on them. It shares nothing but the snapshot, which it reads
 * under RCU, and four mailboxes: its state (written by the main lcore), its event ring, its
 * counters (read by anybody), and one request at a time from the control side (struct wk_ask).
 *
 * In the packet's way there is no lock, no log, no heap and no system call. Memory: this struct,
 * the arena and flow table of struct wk_inspect, the event ring. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "eal.h"
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
	WK_ASK_STATS = 0, /* the counters at one moment, when nothing is on its way */
	WK_ASK_FLOWS = 1,
	WK_ASK_EDITED = 2, /* n: edited flows in the next part of the table */
};

enum wk_ask_state { WK_ASK_FREE = 0, WK_ASK_ASKED = 1, WK_ASK_ANSWERED = 2 };

struct wk_ask {
	_Atomic uint32_t state; /* enum wk_ask_state */
	enum wk_ask_kind kind;
	uint32_t pos; /* where to go on */
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

struct wk_worker {
	uint32_t index;
	unsigned int lcore;
	bool idle_sleep;
	struct wk_clock clock;

	/* Hot. */
	const struct wk_snapshot *snapshot; /* the one at work */
	uint64_t version;                   /* its version */
	struct wk_inspect *inspect;
	struct wk_frag *frag;
	struct wk_stats stats;
	uint32_t n_ports;
	struct wk_worker_port ports[WK_CONF_PORTS_MAX];

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

/* One round over all ports: the whole way of a packet. Time comes in. @return packets received. */
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

/* A fragment with a guarded address. */
enum wk_way wk_worker_fragment(struct wk_worker *worker, const struct wk_pkt *pkt,
			       const struct wk_acl_verdict *verdict,
			       const struct wk_worker_port *port);

/* worker_loop.c */

/* The lcore's function: runs until the state is STOP, then resets what cannot outlive it. */
int wk_worker_main(void *worker);
/* Control side, one asker at a time (its caller holds a lock): waits up to 200 ms.
 * @return the answer, valid until the next question, or NULL when the worker does not answer. */
const struct wk_ask *wk_worker_ask(struct wk_worker *worker, enum wk_ask_kind kind, uint32_t pos);
