/* SPDX-License-Identifier: Apache-2.0 */
#include "team_kit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "event_ring.h"
#include "test_eal.h"

#define RING_SLOTS 256u
#define ARENA_B    (4u * 1024u * 1024u)
#define FLOWS      64u
#define DATAGRAMS  8u
#define HELD_MBUFS 64u
#define PORTS      (2u * TEAM_WIRES)

struct ring_port {
	struct rte_ring *rx[TEAM_WORKERS_MAX]; /* what enters here */
	struct rte_ring *tx[TEAM_WORKERS_MAX]; /* what leaves here */
	uint16_t id;
};

struct team team;
static struct ring_port ports[PORTS];

static int make_rings(struct rte_ring **rings, const char *way, uint32_t port)
{
	char name[RTE_RING_NAMESIZE];

	for (uint32_t q = 0; q < TEAM_WORKERS_MAX; q++) {
		snprintf(name, sizeof(name), "%s_%u_%u", way, port, q);
		rings[q] = rte_ring_create(name, RING_SLOTS, SOCKET_ID_ANY, 0);
		if (!rings[q])
			return -ENOMEM;
	}
	return 0;
}

static int open_port(uint32_t number)
{
	const struct rte_eth_conf conf = { 0 };
	struct ring_port *port = &ports[number];
	char name[32];
	int id;

	snprintf(name, sizeof(name), "team%u", number);
	if (make_rings(port->rx, "rx", number) != 0 || make_rings(port->tx, "tx", number) != 0)
		return -ENOMEM;
	id = rte_eth_from_rings(name, port->rx, TEAM_WORKERS_MAX, port->tx, TEAM_WORKERS_MAX, 0);
	if (id < 0)
		return -ENODEV;
	port->id = (uint16_t)id;
	if (rte_eth_dev_configure(port->id, TEAM_WORKERS_MAX, TEAM_WORKERS_MAX, &conf) != 0)
		return -ENODEV;
	for (uint16_t q = 0; q < TEAM_WORKERS_MAX; q++)
		if (rte_eth_rx_queue_setup(port->id, q, RING_SLOTS, 0, NULL, team.pool) != 0 ||
		    rte_eth_tx_queue_setup(port->id, q, RING_SLOTS, 0, NULL) != 0)
			return -ENODEV;
	return rte_eth_dev_start(port->id);
}

int team_start(const char *name)
{
	int rc = 0;

	test_eal_start(name);
	team.pool = rte_pktmbuf_pool_create("team", TEAM_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					    SOCKET_ID_ANY);
	if (!team.pool)
		return -ENOMEM;
	for (uint32_t i = 0; i < PORTS && rc == 0; i++)
		rc = open_port(i);
	return rc;
}

void team_stop(void)
{
	test_eal_stop();
}

int team_set_up(void **state)
{
	(void)state;
	return team_start(program_invocation_short_name);
}

int team_tear_down(void **state)
{
	return test_eal_tear_down(state);
}

struct wk_snapshot *team_snapshot(const char *text)
{
	static uint64_t version;
	char path[] = "/tmp/wicket-team-XXXXXX";
	struct wk_snapshot *snapshot = NULL;
	struct wk_conf_error error = { "cannot be written" };
	struct wk_conf *conf = NULL;
	int fd = mkstemp(path);

	if (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
	    wk_conf_load(path, &conf, &error) == 0 &&
	    wk_snapshot_build(conf, ++version, NULL, 0, &snapshot, &error) != 0)
		wk_conf_free(conf);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	if (!snapshot)
		printf("  %s\n", error.text);
	return snapshot;
}

static void open_ports(struct wk_worker *worker)
{
	for (uint32_t i = 0; i < PORTS; i++)
		worker->ports[i] = (struct wk_worker_port){
			.port_id = ports[i].id,
			.wire = (uint16_t)(i / 2),
			.peer = (uint16_t)(i ^ 1u),
			.dir = (enum wk_dir)(i % 2),
			.mtu = TEAM_MTU_B,
		};
	worker->n_ports = PORTS;
}

static int open_parts(struct wk_worker *worker, const struct team_conf *conf,
		      const struct wk_conf *limits)
{
	char name[32];
	struct wk_inspect_conf inspect = {
		.name = name,
		.max_flows = FLOWS,
		.max_syns = FLOWS,
		.syn_ns = limits->limits.syn_s * WK_NS_PER_S,
		.held_b = ARENA_B,
		.tcp = wk_tcp_limits_default,
		.h2 = wk_h2_limits_default,
		.regex_steps = 1000,
		.mtu_b = TEAM_MTU_B,
		.secret = conf->inspect_secret,
		.socket_id = SOCKET_ID_ANY,
		.pool = team.pool,
		.stats = &worker->stats,
		.hooks = &wk_worker_hooks,
		.user = worker,
	};
	struct wk_frag_conf frag = {
		.name = name,
		.max_datagrams = DATAGRAMS,
		.max_mbufs = HELD_MBUFS,
		.timeout_ns = limits->limits.fragment_ms * WK_NS_PER_MS,
		.socket_id = SOCKET_ID_ANY,
		.pool = team.pool,
		.stats = &worker->stats,
		.hooks = &wk_worker_frag_hooks,
		.user = worker,
	};
	int rc;

	snprintf(name, sizeof(name), "team_inspect_%u", worker->index);
	rc = wk_inspect_create(&inspect, &worker->inspect);
	snprintf(name, sizeof(name), "team_frag_%u", worker->index);
	return rc == 0 ? wk_frag_create(&frag, &worker->frag) : rc;
}

static int open_worker(uint32_t index, const struct team_conf *conf,
		       const struct wk_snapshot *snapshot)
{
	struct wk_worker *worker = rte_zmalloc("worker", sizeof(*worker), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (!worker)
		return -ENOMEM;
	team.worker[index] = worker;
	worker->index = index;
	worker->team = &team.shared;
	open_ports(worker);
	worker->events = wk_event_ring_create(index, SOCKET_ID_ANY);
	if (!worker->events)
		return -ENOMEM;
	if (conf->workers == 1)
		return open_parts(worker, conf, snapshot->conf);
	snprintf(name, sizeof(name), "team_inbox_%u", index);
	team.shared.inbox[index] =
		rte_ring_create(name, conf->inbox, SOCKET_ID_ANY,
				RING_F_MP_HTS_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (!team.shared.inbox[index])
		return -ENOMEM;
	return open_parts(worker, conf, snapshot->conf);
}

int team_open(const struct team_conf *conf, const struct wk_snapshot *snapshot)
{
	int rc = 0;

	team.shared = (struct wk_team){
		.owners = { .n = conf->workers, .secret = { conf->owner_secret, 0x5eed } },
	};
	memset(team.worker, 0, sizeof(team.worker));
	for (uint32_t i = 0; i < conf->workers && rc == 0; i++)
		rc = open_worker(i, conf, snapshot);
	if (rc == 0)
		team_policy(snapshot);
	return rc;
}

void team_policy(const struct wk_snapshot *snapshot)
{
	for (uint32_t i = 0; i < team.shared.owners.n; i++) {
		team.worker[i]->snapshot = snapshot;
		team.worker[i]->version = snapshot->version;
		wk_inspect_policy(team.worker[i]->inspect, snapshot->policy, &snapshot->on);
	}
}

bool team_close(void)
{
	struct rte_mbuf *m;
	uint32_t queue;

	for (uint16_t w = 0; w < TEAM_WIRES; w++)
		for (int dir = 0; dir < WK_DIRS; dir++)
			while ((m = team_sent(w, (enum wk_dir)dir, &queue)) != NULL)
				rte_pktmbuf_free(m);
	for (uint32_t i = 0; i < team.shared.owners.n && team.worker[i]; i++) {
		struct wk_worker *worker = team.worker[i];

		wk_worker_clear(worker);
		wk_inspect_free(worker->inspect);
		wk_frag_free(worker->frag);
		rte_ring_free(worker->events);
		rte_ring_free(team.shared.inbox[i]);
		rte_free(worker);
	}
	if (rte_mempool_in_use_count(team.pool) == 0)
		return true;
	printf("  %u packet buffers are not given back\n", rte_mempool_in_use_count(team.pool));
	return false;
}

struct rte_mbuf *team_feed(uint16_t wire, enum wk_dir dir, uint32_t queue, const uint8_t *bytes,
			   uint32_t len_b)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(team.pool);
	char *room = m ? rte_pktmbuf_append(m, (uint16_t)len_b) : NULL;

	if (!room || rte_ring_enqueue(ports[2u * wire + dir].rx[queue], m) != 0) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(room, bytes, len_b);
	return m;
}

void team_run(uint64_t now_ns)
{
	uint32_t n;

	team.now_ns = now_ns;
	do {
		n = 0;
		for (uint32_t i = 0; i < team.shared.owners.n; i++)
			n += wk_worker_step(team.worker[i], now_ns);
	} while (n > 0);
}

static struct wk_worker *next_due(uint64_t *due_ns)
{
	struct wk_worker *first = NULL;

	*due_ns = UINT64_MAX;
	for (uint32_t i = 0; i < team.shared.owners.n; i++) {
		uint64_t ns = wk_inspect_next_due(team.worker[i]->inspect);

		if (ns >= *due_ns)
			continue;
		*due_ns = ns;
		first = team.worker[i];
	}
	return first;
}

void team_timers(uint64_t now_ns, void (*out)(void *user, uint64_t now_ns), void *user)
{
	struct wk_worker *worker;
	uint64_t due_ns;

	while ((worker = next_due(&due_ns)) != NULL && due_ns <= now_ns) {
		worker->now_ns = due_ns;
		wk_inspect_timers(worker->inspect, due_ns);
		wk_worker_flush(worker);
		if (out)
			out(user, due_ns);
	}
	for (uint32_t i = 0; i < team.shared.owners.n; i++) {
		worker = team.worker[i];
		worker->now_ns = now_ns;
		wk_frag_expire(worker->frag, now_ns);
		wk_worker_flush(worker);
	}
	if (out)
		out(user, now_ns);
}

struct rte_mbuf *team_sent(uint16_t wire, enum wk_dir dir, uint32_t *queue)
{
	const struct ring_port *port = &ports[2u * wire + wk_dir_flip(dir)];
	void *m;

	for (*queue = 0; *queue < TEAM_WORKERS_MAX; (*queue)++)
		if (rte_ring_dequeue(port->tx[*queue], &m) == 0)
			return m;
	return NULL;
}

void team_stats(struct wk_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < team.shared.owners.n; i++)
		wk_stats_add(sum, &team.worker[i]->stats);
	wk_stats_close(sum);
}

static bool even(const char *who, uint64_t in, uint64_t out)
{
	if (in != out)
		printf("  %s: %lu packets came in or were made, %lu have ended\n", who,
		       (unsigned long)in, (unsigned long)out);
	return in == out;
}

bool team_balanced(void)
{
	struct wk_stats sum;
	bool good = true;

	for (uint32_t i = 0; i < team.shared.owners.n; i++) {
		const struct wk_stats *s = &team.worker[i]->stats;
		char who[32];

		snprintf(who, sizeof(who), "worker %u", i);
		good &= even(who,
			     s->counter[WK_CNT_RX] + s->counter[WK_CNT_ORIGINATED] +
				     s->counter[WK_CNT_TAKEN],
			     s->counter[WK_CNT_TX] + wk_stats_dropped(s) + s->held +
				     s->counter[WK_CNT_HANDOVER]);
	}
	team_stats(&sum);
	return even("all", sum.counter[WK_CNT_RX] + sum.counter[WK_CNT_ORIGINATED],
		    sum.counter[WK_CNT_TX] + wk_stats_dropped(&sum) + sum.held) &&
	       good;
}
