/* SPDX-License-Identifier: Apache-2.0 */
/* app_worker.c - what workers are made of: each its share of the limits, and the ways between them.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "app.h"
#include "event_ring.h"
#include "log.h"

WK_LOG_TYPE(worker);

#define KIB 1024u

static void worker_ports(struct wk_app *app, struct wk_worker *worker, const struct wk_conf *conf)
{
	for (uint32_t w = 0; w < app->n_wires; w++) {
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
	tcp->insert_total_ns = conf->limits.insert_total_s * WK_NS_PER_S;
	tcp->closed_ns = conf->limits.closed_s * WK_NS_PER_S;
	tcp->idle_ns = conf->limits.idle_s * WK_NS_PER_S;
	tcp->keepalive_ns = conf->limits.keepalive_s * WK_NS_PER_S;
	tcp->keepalive_probes = conf->limits.keepalive_probes;
}

static void h2_limits(const struct wk_conf *conf, struct wk_h2_limits *h2)
{
	*h2 = wk_h2_limits_default;
	h2->block_b = conf->limits.header_block_kib * KIB;
	h2->header_list_b = conf->limits.header_list_kib * KIB;
	h2->fields = conf->limits.header_fields;
	h2->continuations = conf->limits.continuations;
	h2->table_b = conf->limits.hpack_table_kib * KIB;
	h2->seen_blocks = conf->limits.seen_blocks;
	h2->seen_block_b = conf->limits.seen_block_b;
	h2->streams = conf->limits.streams;
	h2->pending = conf->limits.pending_replies;
	h2->hold_ns = conf->limits.frame_s * WK_NS_PER_S;
	h2->control_per_s = conf->limits.control_per_s;
	h2->control_burst = conf->limits.control_burst;
	h2->reencode = conf->hpack == WK_CONF_HPACK_REENCODE;
	if (conf->revoke == WK_CONF_REVOKE_END_STREAMS)
		h2->ticket_b = conf->limits.revoke_request_kib * KIB;
	h2->revoke_ns = conf->limits.revoke_ms * WK_NS_PER_MS;
	h2->rest_ns = conf->limits.rest_ms * WK_NS_PER_MS;
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
	const struct wk_port *first = &app->ports.v[conf->wires[0].client];
	char name[16];
	uint32_t seed;
	struct wk_inspect_conf in = {
		.name = name,
		.lcore = worker->index,
		.max_flows = conf->limits.flows / app->n_workers,
		/* Rounded up: a source's connections are not spread evenly. */
		.flows_per_source = (conf->limits.flows_per_source + app->n_workers - 1) /
				    app->n_workers,
		.max_syns = conf->limits.syns / app->n_workers,
		.syn_ns = conf->limits.syn_s * WK_NS_PER_S,
		.held_b = (uint64_t)conf->limits.held_kib * KIB / app->n_workers,
		.regex_steps = conf->limits.regex_steps,
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
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	in.secret = (uint64_t)app->ref_secret << 32 | seed;
	return wk_inspect_create(&in, &worker->inspect);
}

static int worker_frag(struct wk_app *app, struct wk_worker *worker, const struct wk_conf *conf)
{
	const struct wk_port *first = &app->ports.v[conf->wires[0].client];
	char name[16];
	struct wk_frag_conf in = {
		.name = name,
		.max_datagrams = conf->limits.fragments / app->n_workers,
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

int wk_app_worker_make(struct wk_app *app, uint32_t index)
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
	worker->team = &app->team;
	worker_ports(app, worker, conf);
	worker->events = wk_event_ring_create(index, SOCKET_ID_ANY);
	if (!worker->events)
		return -ENOMEM;
	rc = worker_inspect(app, worker, conf);
	return rc == 0 ? worker_frag(app, worker, conf) : rc;
}

/* Of exactly the size asked for; many workers write, one reads. A writer that is put aside by the
 * kernel in the middle of it must not keep the others waiting for the order of their turns. */
static struct rte_ring *inbox_make(uint32_t index, uint32_t slots)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "wk_inbox_%u", index);
	return rte_ring_create(name, slots, SOCKET_ID_ANY,
			       RING_F_MP_HTS_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

int wk_app_team_make(struct wk_app *app)
{
	struct wk_team *team = &app->team;

	team->owners.n = app->n_workers;
	if (getrandom(&app->ref_secret, sizeof(app->ref_secret), 0) != sizeof(app->ref_secret) ||
	    getrandom(team->owners.secret, sizeof(team->owners.secret), 0) !=
		    sizeof(team->owners.secret))
		return -EIO;
	for (uint32_t i = 0; i < app->n_workers && app->n_workers > 1; i++) {
		team->inbox[i] = inbox_make(i, app->conf->limits.handover);
		if (team->inbox[i])
			continue;
		WK_LOG(worker, ERR, "no ring of %u packets to worker %u: %s\n",
		       app->conf->limits.handover, i, rte_strerror(rte_errno));
		return -ENOMEM;
	}
	return 0;
}
