/* SPDX-License-Identifier: Apache-2.0 */
/* app.h - the running program: what main.c starts and stops, in order.
 *
 * One struct wk_app, of the main lcore. The telemetry thread reads ports, workers and, under
 * `lock`, the snapshot. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "args.h"
#include "clock.h"
#include "eal.h"
#include "events.h"
#include "port.h"
#include "snapshot.h"
#include "worker.h"

struct wk_app {
	struct wk_args args;
	char instance[WK_PORT_NAME_MAX_B];
	struct wk_conf *conf; /* until the first snapshot owns it */
	struct wk_eal_argv eal;
	struct wk_clock clock;
	uint64_t started_ns;

	struct wk_ports ports;
	uint32_t n_wires;
	char wires[WK_CONF_WIRES_MAX][2 * WK_PORT_NAME_MAX_B];
	const char *wire_names[WK_CONF_WIRES_MAX];

	struct rte_rcu_qsbr *rcu;
	struct wk_snapshot *_Atomic snapshot;
	uint64_t last_version;    /* given out; never used twice */
	pthread_mutex_t lock;     /* exchange of the snapshot against its readers in telemetry */
	pthread_mutex_t ask_lock; /* one question at a time */

	uint32_t n_workers;
	struct wk_team team;
	uint32_t ref_secret; /* of the references that clients read */
	struct wk_worker *workers[WK_CONF_WORKERS_MAX];
	uint32_t launched;
	uint32_t cut_number; /* of the last question for counters; under ask_lock */

	struct wk_events events;
	int signal_fd;
};

/* Steps of the start-up and what undoes them, in this order (main.c). 0 or -errno, logged. */
int wk_app_tables_init(struct wk_app *app);
void wk_app_tables_fini(struct wk_app *app);
int wk_app_snapshot_init(struct wk_app *app);
void wk_app_snapshot_fini(struct wk_app *app);
int wk_app_workers_init(struct wk_app *app);
/* Stops what is launched: resets edited flows, waits for the workers, writes their last events. */
void wk_app_workers_fini(struct wk_app *app);

/* app_worker.c: parts of the tables. 0 or -errno; app_team_make logs. */
int wk_app_team_make(struct wk_app *app);
int wk_app_worker_make(struct wk_app *app, uint32_t index);
/* rss.c: who owns the packets of each wire, once the ports are started. 0 or -errno, logged. */
int wk_app_rss_init(struct wk_app *app);

/* Lets the workers poll their ports, once those are started. */
void wk_app_run(struct wk_app *app);
/* Writes events of all workers. */
void wk_app_drain(struct wk_app *app);

/* Are there connections whose numbers are translated right now? Asked from the workers; more than 0
 * if so, or when one of them does not answer. */
uint32_t wk_app_edited_flows(struct wk_app *app);

/* reload.c: all or nothing. @return 0 or -errno, logged; on failure the old one stays. */
int wk_app_reload(struct wk_app *app);
/* Sheds services that were kept for edited flows, once there are none. */
void wk_app_shed_retired(struct wk_app *app);
/* Opens log and events anew. */
void wk_app_reopen(struct wk_app *app);

/* control.c */
/* Blocks our signals, in this thread and all that it starts. @return 0 or -errno. */
int wk_control_signals(struct wk_app *app);
/* Until SIGTERM or SIGINT; from its return on, another one ends the program at once. */
void wk_control_loop(struct wk_app *app);

/* telemetry.c */
int wk_telemetry_init(struct wk_app *app);
/* From its return on, no handler touches app. */
void wk_telemetry_fini(struct wk_app *app);
