/* SPDX-License-Identifier: Apache-2.0 */
/* team_kit.h - workers on ports made of rings, stepped by hand in one thread.
 *
 * Two wires, so four ports, each with a queue for every worker: a test says on which queue a frame
 * arrives, and sees by which one a frame leaves. */
#pragma once

#include <rte_mbuf.h>

#include "worker.h"

#define TEAM_WORKERS_MAX 4u
#define TEAM_WIRES       2u
#define TEAM_MTU_B       1500u
#define TEAM_MBUFS       1023u

struct team_conf {
	uint32_t workers;
	uint32_t inbox; /* slots of the ring to each */
	uint32_t owner_secret;
	uint64_t inspect_secret;
};

struct team {
	struct wk_team shared;
	struct wk_worker *worker[TEAM_WORKERS_MAX];
	struct rte_mempool *pool;
	uint64_t now_ns;
};
extern struct team team;

/* EAL, pool and ports, once. @return 0 or -errno. */
int team_start(const char *name);
void team_stop(void);
/* Both as fixtures of a group of tests. */
int team_set_up(void **state);
int team_tear_down(void **state);

/* The next version of a file with this text. @return NULL, having said why. */
struct wk_snapshot *team_snapshot(const char *text);

/* @return 0 or -errno. The snapshot stays the caller's. */
int team_open(const struct team_conf *conf, const struct wk_snapshot *snapshot);
/* What workers are told of a new snapshot. */
void team_policy(const struct wk_snapshot *snapshot);
/* @return false when a packet buffer has not been given back; says so. */
bool team_close(void);

/* A frame for a queue of the side that `dir` enters on. @return NULL: no room. */
struct rte_mbuf *team_feed(uint16_t wire, enum wk_dir dir, uint32_t queue, const uint8_t *bytes,
			   uint32_t len_b);
/* Steps all workers, in turn, until nothing moves. */
void team_run(uint64_t now_ns);
/* Lets time pass: each timer at its own time. out, if any, is called after each. */
void team_timers(uint64_t now_ns, void (*out)(void *user, uint64_t now_ns), void *user);
/* The next frame that has left on the side where `dir` leaves, by any queue; *queue says which.
 * @return NULL: none. The caller frees it. */
struct rte_mbuf *team_sent(uint16_t wire, enum wk_dir dir, uint32_t *queue);

/* The counters of all workers together, closed. */
void team_stats(struct wk_stats *sum);
/* Do the books of each worker and of all together balance? Says where not. */
bool team_balanced(void);
