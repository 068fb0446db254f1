/* SPDX-License-Identifier: Apache-2.0 */
/* app.c - tables, first snapshot and workers: made in this order, undone in reverse. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "app.h"
#include "log.h"

WK_LOG_TYPE(app);

#define READY_WAIT_S 5u
#define STOP_WAIT_S  3u
#define POLL_NS      200000l

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
}

static int rcu_make(struct wk_app *app)
{
	size_t size_b = rte_rcu_qsbr_get_memsize(app->n_workers);

	app->rcu = rte_zmalloc("wk_rcu", size_b, RTE_CACHE_LINE_SIZE);
	if (!app->rcu)
		return -ENOMEM;
	return rte_rcu_qsbr_init(app->rcu, app->n_workers) == 0 ? 0 : -EINVAL;
}

static void wire_names(struct wk_app *app)
{
	const struct wk_conf *conf = app->conf;

	app->n_wires = conf->n_wires;
	for (uint32_t i = 0; i < conf->n_wires; i++) {
		snprintf(app->wires[i], sizeof(app->wires[i]), "%s-%s",
			 conf->ports[conf->wires[i].client].name,
			 conf->ports[conf->wires[i].server].name);
		app->wire_names[i] = app->wires[i];
	}
}

int wk_app_tables_init(struct wk_app *app)
{
	const struct wk_conf *conf = app->conf;
	int rc;

	wk_clock_init(&app->clock);
	app->started_ns = wk_clock_now(&app->clock);
	wire_names(app);
	app->n_workers = conf->workers;
	rc = rcu_make(app);
	if (rc == 0)
		rc = wk_app_team_make(app);
	if (rc == 0)
		rc = wk_ports_open(&app->ports, conf); /* tells itself what is wrong */
	for (uint32_t i = 0; i < app->n_workers && rc == 0; i++) {
		rc = wk_app_worker_make(app, i);
		if (rc != 0)
			WK_LOG(app, ERR,
			       "worker %u: %s; %u flows and %u KiB held by all workers need %u "
			       "MiB in all\n",
			       i, strerror(-rc), conf->limits.flows, conf->limits.held_kib,
			       wk_eal_memory_mib(conf));
	}
	if (rc != 0)
		wk_app_tables_fini(app);
	return rc;
}

/* Pools, arenas and tables stay where they are: their memory is EAL's and ends with it. Giving it
 * back piece by piece would clear every byte, gigabytes of them, while the network waits. */
void wk_app_tables_fini(struct wk_app *app)
{
	wk_ports_close(&app->ports);
	app->n_workers = 0;
}

int wk_app_snapshot_init(struct wk_app *app)
{
	struct wk_conf_error err = { "" };
	struct wk_snapshot *snapshot;
	int rc = wk_snapshot_build(app->conf, ++app->last_version, NULL, 0, &snapshot, &err);

	if (rc != 0) {
		WK_LOG(app, ERR, "%s\n", err.text);
		return rc;
	}
	app->conf = NULL;
	atomic_store(&app->snapshot, snapshot);
	return 0;
}

void wk_app_snapshot_fini(struct wk_app *app)
{
	wk_snapshot_free(atomic_exchange(&app->snapshot, NULL));
}

/* Waits until all launched workers are in a state. */
static bool wait_for(struct wk_app *app, enum wk_worker_state state, uint32_t seconds)
{
	uint64_t end = wk_clock_now(&app->clock) + seconds * WK_NS_PER_S;
	uint32_t there;

	do {
		there = 0;
		for (uint32_t i = 0; i < app->launched; i++)
			there += atomic_load(&app->workers[i]->state) == state;
		if (there == app->launched)
			return true;
		wk_app_drain(app);
		nap();
	} while (wk_clock_now(&app->clock) < end);
	return false;
}

int wk_app_workers_init(struct wk_app *app)
{
	unsigned int lcore = rte_get_next_lcore((unsigned int)-1, 1, 0);
	int rc;

	for (uint32_t i = 0; i < app->n_workers; i++) {
		struct wk_worker *worker = app->workers[i];

		worker->lcore = lcore;
		if (rte_lcore_to_socket_id(lcore) != (unsigned int)app->ports.v[0].socket_id)
			WK_LOG(app, WARNING, "worker %u is not on the socket of its ports\n", i);
		rc = rte_eal_remote_launch(wk_worker_main, worker, lcore);
		if (rc != 0) {
			WK_LOG(app, ERR, "worker %u does not start: %s\n", i, strerror(-rc));
			wk_app_workers_fini(app);
			return rc;
		}
		app->launched++;
		lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	if (wait_for(app, WK_WORKER_READY, READY_WAIT_S))
		return 0;
	WK_LOG(app, ERR, "workers are not ready after %u s\n", READY_WAIT_S);
	wk_app_workers_fini(app);
	return -ETIMEDOUT;
}

void wk_app_run(struct wk_app *app)
{
	for (uint32_t i = 0; i < app->launched; i++)
		atomic_store(&app->workers[i]->state, WK_WORKER_RUN);
}

void wk_app_workers_fini(struct wk_app *app)
{
	for (uint32_t i = 0; i < app->launched; i++)
		atomic_store(&app->workers[i]->state, WK_WORKER_STOP);
	if (!wait_for(app, WK_WORKER_IDLE, STOP_WAIT_S)) {
		/* It may still touch everything: nothing can be undone in order any more. */
		WK_LOG(app, CRIT, "a worker does not stop\n");
		_exit(WK_EXIT_RUN);
	}
	rte_eal_mp_wait_lcore();
	for (uint32_t i = 0; i < app->launched; i++)
		wk_worker_clear(app->workers[i]);
	wk_app_drain(app);
	app->launched = 0;
}

void wk_app_drain(struct wk_app *app)
{
	uint64_t now_ns = wk_clock_now(&app->clock);

	for (uint32_t i = 0; i < app->n_workers; i++)
		wk_events_drain(&app->events, app->workers[i]->events, now_ns, app->wire_names);
}

uint32_t wk_app_edited_flows(struct wk_app *app)
{
	uint32_t edited = 0;

	pthread_mutex_lock(&app->ask_lock);
	for (uint32_t i = 0; i < app->launched; i++) {
		uint32_t pos = 0;

		while (pos != UINT32_MAX && edited == 0) {
			const struct wk_ask *ask =
				wk_worker_ask(app->workers[i], WK_ASK_BOUND, pos);

			edited += ask ? ask->n : 1;
			pos = ask ? ask->pos : UINT32_MAX;
			wk_app_drain(app); /* a large table takes a while */
		}
	}
	pthread_mutex_unlock(&app->ask_lock);
	return edited;
}
