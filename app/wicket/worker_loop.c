/* SPDX-License-Identifier: Apache-2.0 */
/* worker_loop.c - what a worker does around the packets: housekeeping, idling, starting, stopping.
 */
#include <sys/prctl.h>
#include <time.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "worker.h"

#define HOUSE_LOOPS 256u
#define HOUSE_NS    100000u
/* Empty polls with a pause for so long, then sleeps that grow. */
#define SPIN_NS      20000u
#define SLEEP_MIN_NS 5000u
#define SLEEP_MAX_NS 100000u
/* A sleep shorter than this costs more than it saves. */
#define SLEEP_LEAST_NS 2000u
/* Pages of flows looked at in one go, some 30 us. */
#define BOUND_PARTS 8u
#define ASK_WAIT_NS 200000000u
#define ASK_POLL_NS 100000u

static void nap(uint64_t ns)
{
	struct timespec ts = { .tv_nsec = (long)ns };

	/* Interrupted by a signal (a net_tap's arrival): so much the better. */
	nanosleep(&ts, NULL);
}

/* Takes the newest snapshot. Told apart by version: after a sleep the old one may be gone, and the
 * new one may stand at its address. */
static void snapshot_refresh(struct wk_worker *worker)
{
	const struct wk_snapshot *next =
		atomic_load_explicit(worker->published, memory_order_acquire);

	if (next->version == worker->version)
		return;
	worker->snapshot = next;
	worker->version = next->version;
	wk_inspect_policy(worker->inspect, next->policy, &next->on);
}

/* One is enough to know. */
static void count_bound(struct wk_worker *worker, struct wk_ask *ask)
{
	ask->n = 0;
	for (uint32_t part = 0; part < BOUND_PARTS; part++) {
		uint32_t n = 0;

		if (ask->pos == UINT32_MAX || ask->n > 0)
			return;
		n = wk_inspect_flows(worker->inspect, &ask->pos, ask->rows, WK_ASK_ROWS);
		for (uint32_t i = 0; i < n; i++)
			ask->n += ask->rows[i].bound;
	}
}

static void answer(struct wk_worker *worker)
{
	struct wk_ask *ask = &worker->ask;

	if (atomic_load_explicit(&ask->state, memory_order_acquire) != WK_ASK_ASKED)
		return;
	switch (ask->kind) {
	case WK_ASK_STATS:
		wk_worker_cut(worker, ask->pos);
		ask->stats = worker->cut;
		break;
	case WK_ASK_FLOWS:
		ask->n = wk_inspect_flows(worker->inspect, &ask->pos, ask->rows, WK_ASK_ROWS);
		break;
	case WK_ASK_BOUND:
		count_bound(worker, ask);
		break;
	}
	atomic_store_explicit(&ask->state, WK_ASK_ANSWERED, memory_order_release);
}

static void housekeeping(struct wk_worker *worker)
{
	worker->house_ns = worker->now_ns;
	worker->house_loops = 0;
	snapshot_refresh(worker);
	wk_inspect_timers(worker->inspect, worker->now_ns);
	wk_frag_expire(worker->frag, worker->now_ns);
	wk_worker_flush(worker);
	answer(worker);
	rte_rcu_qsbr_quiescent(worker->rcu, worker->index);
}

static void idle(struct wk_worker *worker)
{
	uint64_t due_ns;
	uint64_t sleep_ns;

	rte_pause();
	if (!worker->idle_sleep || worker->now_ns - worker->idle_since_ns < SPIN_NS)
		return;
	due_ns = wk_inspect_next_due(worker->inspect);
	sleep_ns = worker->sleep_ns;
	if (due_ns <= worker->now_ns + SLEEP_LEAST_NS)
		return;
	sleep_ns = RTE_MIN(sleep_ns, due_ns - worker->now_ns);
	worker->sleep_ns = RTE_MIN(2 * worker->sleep_ns, SLEEP_MAX_NS);
	/* Up to date first, then away: while offline the snapshot may be exchanged and freed. */
	housekeeping(worker);
	rte_rcu_qsbr_thread_offline(worker->rcu, worker->index);
	nap(sleep_ns);
	rte_rcu_qsbr_thread_online(worker->rcu, worker->index);
	snapshot_refresh(worker);
	atomic_fetch_add_explicit(&worker->load.sleeps, 1, memory_order_relaxed);
}

static void bump(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer: a load and a store are enough, no locked instruction. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static void run(struct wk_worker *worker)
{
	while (atomic_load_explicit(&worker->state, memory_order_relaxed) == WK_WORKER_RUN) {
		uint64_t begin = rte_rdtsc();
		uint32_t n = wk_worker_step(worker, wk_clock_ns(&worker->clock, begin));

		bump(&worker->load.loops, 1);
		if (++worker->house_loops >= HOUSE_LOOPS ||
		    worker->now_ns - worker->house_ns >= HOUSE_NS)
			housekeeping(worker);
		if (n > 0) {
			worker->idle_since_ns = worker->now_ns;
			worker->sleep_ns = SLEEP_MIN_NS;
			bump(&worker->load.busy_cycles, rte_rdtsc() - begin);
		} else {
			idle(worker);
		}
	}
}

int wk_worker_main(void *arg)
{
	struct wk_worker *worker = arg;
	uint32_t idle_state = WK_WORKER_IDLE;

	/* The default slack of 50 us would make sleeps half as long again. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	worker->sleep_ns = SLEEP_MIN_NS;
	rte_rcu_qsbr_thread_register(worker->rcu, worker->index);
	rte_rcu_qsbr_thread_online(worker->rcu, worker->index);
	snapshot_refresh(worker);
	/* Unless it has been told to stop by now. */
	atomic_compare_exchange_strong(&worker->state, &idle_state, WK_WORKER_READY);
	/* A poll of a port that is not started would be an error. */
	while (atomic_load(&worker->state) == WK_WORKER_READY) {
		snapshot_refresh(worker);
		rte_rcu_qsbr_quiescent(worker->rcu, worker->index);
		nap(SLEEP_MAX_NS);
	}
	run(worker);
	wk_worker_flush(worker);
	wk_frag_drain(worker->frag, WK_DROP_STOPPING);
	wk_inspect_stop(worker->inspect, wk_clock_now(&worker->clock));
	wk_worker_flush(worker);
	rte_rcu_qsbr_thread_offline(worker->rcu, worker->index);
	rte_rcu_qsbr_thread_unregister(worker->rcu, worker->index);
	atomic_store(&worker->state, WK_WORKER_IDLE);
	return 0;
}

const struct wk_ask *wk_worker_ask(struct wk_worker *worker, enum wk_ask_kind kind, uint32_t pos)
{
	struct wk_ask *ask = &worker->ask;
	uint64_t end = wk_clock_now(&worker->clock) + ASK_WAIT_NS;
	bool asked = false;

	/* An answer that nobody waited for may still come: only then is the slot ours. */
	for (;;) {
		uint32_t state = atomic_load_explicit(&ask->state, memory_order_acquire);

		if (state == WK_ASK_ANSWERED && asked)
			return ask;
		if (state != WK_ASK_ASKED) {
			ask->kind = kind;
			ask->pos = pos;
			ask->n = 0;
			atomic_store_explicit(&ask->state, WK_ASK_ASKED, memory_order_release);
			asked = true;
		}
		if (atomic_load(&worker->state) != WK_WORKER_RUN ||
		    wk_clock_now(&worker->clock) >= end)
			return NULL;
		nap(ASK_POLL_NS);
	}
}
