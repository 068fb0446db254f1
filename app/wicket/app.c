/* SPDX-License-Identifier: Apache-2.0 */
/* app.c - tables, first snapshot and workers: made in this order, undone in reverse. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "app.h"
#include "event_ring.h"
#include "log.h"

WK_LOG_TYPE(app);

#define KIB          1024u
#define READY_WAIT_S 5u
#define STOP_WAIT_S  3u
#define POLL_NS      200000l

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
}

static void worker_ports(struct wk_app *app, struct wk_worker *worker, const struct wk_conf *conf)
{
	for (uint32_t w = worker->index; w < app->n_wires; w += app->n_workers) {
		const uint32_t sides[WK_DIRS] = { conf->wires[w].client, conf->wires[w].server };

		for (int dir = 0; dir < WK_DIRS; dir++) {
			const struct wk_port *from = &app->ports.v[sides[dir]];

			worker->ports[worker->n_ports] = (struct wk_worker_port){
				.port_id = from->id,
				.wire = (uint16_t)w,
				.peer = (uint16_t)(worker->n_ports ^ 1u),
				.dir = (enum wk_dir)dir,
				.mtu = from->mtu,
			};
			worker->n_ports++;
		}
	}
}

static void tcp_limits(const struct wk_conf *conf, struct wk_tcp_limits *tcp)
{
	*tcp = wk_tcp_limits_default;
	tcp->hold_b = conf->limits.flow_hold_kib * KIB;
	tcp->ooo_b = conf->limits.flow_ooo_kib * KIB;
	tcp->ledger_b = conf->limits.flow_ledger_kib * KIB;
	tcp->hold_ns = conf->limits.hold_us * WK_NS_PER_US;
	tcp->rto_min_ns = conf->limits.rto_min_ms * WK_NS_PER_MS;
	tcp->owned_retries = conf->limits.owned_retries;
	tcp->insert_wait_ns = conf->limits.insert_wait_s * WK_NS_PER_S;
	tcp->closed_ns = conf->limits.closed_s * WK_NS_PER_S;
	tcp->syn_ns = conf->limits.syn_s * WK_NS_PER_S;
	tcp->idle_ns = conf->limits.idle_s * WK_NS_PER_S;
}

static void h2_limits(const struct wk_conf *conf, struct wk_h2_limits *h2)
{
	*h2 = wk_h2_limits_default;
	h2->block_b = conf->limits.header_block_kib * KIB;
	h2->header_list_b = conf->limits.header_list_kib * KIB;
	h2->fields = conf->limits.header_fields;
	h2->continuations = conf->limits.continuations;
	h2->table_b = conf->limits.hpack_table_kib * KIB;
	h2->streams = conf->limits.streams;
	h2->pending = conf->limits.pending_replies;
	h2->control_per_s = conf->limits.control_per_s;
	h2->control_burst = conf->limits.control_burst;
}

/* The smallest MTU of a worker's ports: what is built must fit on all of them. */
static uint32_t worker_mtu(const struct wk_worker *worker)
{
	uint32_t mtu = UINT32_MAX;

	for (uint32_t i = 0; i < worker->n_ports; i++)
		mtu = RTE_MIN(mtu, worker->ports[i].mtu);
	return mtu;
}

static int worker_inspect(struct wk_app *app, struct wk_worker *worker, const struct wk_conf *conf)
{
	const struct wk_port *first = &app->ports.v[conf->wires[worker->index].client];
	char name[16];
	struct wk_inspect_conf in = {
		.name = name,
		.max_flows = conf->limits.flows,
		.held_b = (uint64_t)conf->limits.held_kib * KIB,
		.mtu_b = worker_mtu(worker),
		.socket_id = first->socket_id,
		.pool = first->pool,
		.stats = &worker->stats,
		.hooks = &wk_worker_hooks,
		.user = worker,
	};

	snprintf(name, sizeof(name), "wk_w%u", worker->index);
	tcp_limits(conf, &in.tcp);
	h2_limits(conf, &in.h2);
	if (getrandom(&in.secret, sizeof(in.secret), 0) != sizeof(in.secret))
		return -EIO;
	return wk_inspect_create(&in, &worker->inspect);
}

static int worker_frag(struct wk_app *app, struct wk_worker *worker, const struct wk_conf *conf)
{
	const struct wk_port *first = &app->ports.v[conf->wires[worker->index].client];
	char name[16];
	struct wk_frag_conf in = {
		.name = name,
		.max_datagrams = conf->limits.fragments,
		.max_mbufs = conf->limits.held_mbufs / app->n_workers,
		.timeout_ns = conf->limits.fragment_ms * WK_NS_PER_MS,
		.socket_id = first->socket_id,
		.pool = first->pool,
		.stats = &worker->stats,
		.hooks = &wk_worker_frag_hooks,
		.user = worker,
	};

	snprintf(name, sizeof(name), "wk_f%u", worker->index);
	if (getrandom(&in.secret, sizeof(in.secret), 0) != sizeof(in.secret))
		return -EIO;
	return wk_frag_create(&in, &worker->frag);
}

static int worker_make(struct wk_app *app, uint32_t index)
{
	const struct wk_conf *conf = app->conf;
	struct wk_worker *worker = rte_zmalloc("wk_worker", sizeof(*worker), RTE_CACHE_LINE_SIZE);
	int rc;

	if (!worker)
		return -ENOMEM;
	app->workers[index] = worker;
	worker->index = index;
	worker->idle_sleep = conf->idle_sleep;
	worker->clock = app->clock;
	worker->published = &app->snapshot;
	worker->rcu = app->rcu;
	worker_ports(app, worker, conf);
	worker->events = wk_event_ring_create(index, SOCKET_ID_ANY);
	if (!worker->events)
		return -ENOMEM;
	rc = worker_inspect(app, worker, conf);
	return rc == 0 ? worker_frag(app, worker, conf) : rc;
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
	app->n_workers = wk_eal_workers(conf);
	if (app->n_workers < conf->workers)
		WK_LOG(app, WARNING,
		       "%u workers for %u wires: the others would have nothing to do\n",
		       conf->workers, app->n_wires);
	rc = rcu_make(app);
	if (rc == 0)
		rc = wk_ports_open(&app->ports, conf); /* tells itself what is wrong */
	for (uint32_t i = 0; i < app->n_workers && rc == 0; i++) {
		rc = worker_make(app, i);
		if (rc != 0)
			WK_LOG(app, ERR,
			       "worker %u: %s; %u flows and %u KiB held for each worker "
			       "need %u MiB in all\n",
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
				wk_worker_ask(app->workers[i], WK_ASK_EDITED, pos);

			edited += ask ? ask->n : 1;
			pos = ask ? ask->pos : UINT32_MAX;
			wk_app_drain(app); /* a large table takes a while */
		}
	}
	pthread_mutex_unlock(&app->ask_lock);
	return edited;
}
