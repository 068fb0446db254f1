/* SPDX-License-Identifier: Apache-2.0 */
/* golden.c - captures through a whole worker, compared frame by frame.
 *
 * golden DIR...: each DIR holds in.pcap, wicket.conf and what must come out: expect.client.pcap and
 * expect.server.pcap (the frames that leave on each side, in order, byte for byte) and
 * expect.stats (every reason that is not 0). The capture's time is the clock. Exit code: cases that
 * failed; what they gave is left in golden.<case>.{client,server}.pcap in the working folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "../support/test_eal.h"
#include "capture.h"
#include "event_ring.h"
#include "side.h"
#include "worker.h"

#define MTU_B      1500u
#define MBUFS      1023u
#define RING_SLOTS 256u
#define ARENA_B    (4u * 1024u * 1024u)
#define FLOWS      64u
#define DATAGRAMS  8u
#define HELD_MBUFS 64u
/* References of replies are made of its upper half. */
#define SECRET UINT64_C(0x328eff5200000001)

struct side {
	struct rte_ring *rx; /* what enters here */
	struct rte_ring *tx; /* what leaves here */
	uint16_t port_id;
};

/* The appliance on two ports made of rings: one for all cases, a worker for each. */
static struct side sides[WK_DIRS]; /* by the direction of what enters */
static struct rte_mempool *pool;
static const struct wk_team team = { .owners = { .n = 1 } };

static int open_side(struct side *side, const char *name)
{
	const struct rte_eth_conf conf = { 0 };
	char ring[RTE_RING_NAMESIZE];
	int port;

	snprintf(ring, sizeof(ring), "%s_rx", name);
	side->rx = rte_ring_create(ring, RING_SLOTS, SOCKET_ID_ANY, 0);
	snprintf(ring, sizeof(ring), "%s_tx", name);
	side->tx = rte_ring_create(ring, RING_SLOTS, SOCKET_ID_ANY, 0);
	if (!side->rx || !side->tx)
		return -ENOMEM;
	port = rte_eth_from_rings(name, &side->rx, 1, &side->tx, 1, 0);
	if (port < 0)
		return -ENODEV;
	side->port_id = (uint16_t)port;
	if (rte_eth_dev_configure(side->port_id, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(side->port_id, 0, RING_SLOTS, 0, NULL, pool) != 0 ||
	    rte_eth_tx_queue_setup(side->port_id, 0, RING_SLOTS, 0, NULL) != 0)
		return -ENODEV;
	return rte_eth_dev_start(side->port_id);
}

static int open_frag(struct wk_worker *worker, const struct wk_snapshot *snapshot)
{
	const struct wk_frag_conf in = {
		.name = "golden_frag",
		.max_datagrams = DATAGRAMS,
		.max_mbufs = HELD_MBUFS,
		.timeout_ns = snapshot->conf->limits.fragment_ms * WK_NS_PER_MS,
		.socket_id = SOCKET_ID_ANY,
		.pool = pool,
		.stats = &worker->stats,
		.hooks = &wk_worker_frag_hooks,
		.user = worker,
	};

	return wk_frag_create(&in, &worker->frag);
}

static int open_worker(struct wk_worker *worker, const struct wk_snapshot *snapshot)
{
	struct wk_inspect_conf in = {
		.name = "golden",
		.max_flows = FLOWS,
		.held_b = ARENA_B,
		.tcp = wk_tcp_limits_default,
		.h2 = wk_h2_limits_default,
		.on = snapshot->on,
		.mtu_b = MTU_B,
		.secret = SECRET,
		.socket_id = SOCKET_ID_ANY,
		.pool = pool,
		.stats = &worker->stats,
		.hooks = &wk_worker_hooks,
		.user = worker,
	};
	int ret;

	for (uint16_t dir = 0; dir < WK_DIRS; dir++) {
		worker->ports[dir] = (struct wk_worker_port){
			.port_id = sides[dir].port_id,
			.peer = dir ^ 1u,
			.dir = (enum wk_dir)dir,
			.mtu = MTU_B,
		};
	}
	worker->n_ports = WK_DIRS;
	worker->team = &team;
	worker->snapshot = snapshot;
	worker->version = snapshot->version;
	worker->events = wk_event_ring_create(0, SOCKET_ID_ANY);
	if (!worker->events)
		return -ENOMEM;
	ret = wk_inspect_create(&in, &worker->inspect);
	if (ret == 0)
		wk_inspect_policy(worker->inspect, snapshot->policy, &snapshot->on);
	return ret == 0 ? open_frag(worker, snapshot) : ret;
}

static void close_worker(struct wk_worker *worker)
{
	wk_inspect_free(worker->inspect);
	wk_frag_free(worker->frag);
	rte_ring_free(worker->events);
	rte_free(worker);
}

/* Takes what has left. `dir` is that of the frames: WK_S2C leaves on the client's side. */
static void collect(enum wk_dir dir, struct capture *out, uint64_t now_ns)
{
	struct rte_ring *ring = sides[wk_dir_flip(dir)].tx;
	void *taken;

	while (rte_ring_dequeue(ring, &taken) == 0) {
		struct rte_mbuf *m = taken;

		capture_add(out, rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m),
			    now_ns);
		rte_pktmbuf_free(m);
	}
}

static void collect_both(struct capture *outs, uint64_t now_ns)
{
	collect(WK_C2S, &outs[WK_C2S], now_ns);
	collect(WK_S2C, &outs[WK_S2C], now_ns);
}

/* Runs all timers up to a time, each at its own. */
static void run_timers(struct wk_worker *worker, uint64_t now_ns, struct capture *outs)
{
	uint64_t due_ns;

	while ((due_ns = wk_inspect_next_due(worker->inspect)) <= now_ns) {
		worker->now_ns = due_ns;
		wk_inspect_timers(worker->inspect, due_ns);
		wk_worker_flush(worker);
		collect_both(outs, due_ns);
	}
	worker->now_ns = now_ns;
	wk_frag_expire(worker->frag, now_ns);
	wk_worker_flush(worker);
	collect_both(outs, now_ns);
}

static int feed(struct wk_worker *worker, const struct capture_frame *frame, enum wk_dir dir,
		struct capture *outs)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *bytes;

	if (!m)
		return -ENOMEM;
	bytes = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)frame->len_b);
	if (!bytes || rte_ring_enqueue(sides[dir].rx, m) != 0) {
		rte_pktmbuf_free(m);
		return -ENOSPC;
	}
	memcpy(bytes, frame->bytes, frame->len_b);
	wk_worker_step(worker, frame->time_ns);
	collect_both(outs, frame->time_ns);
	return 0;
}

static bool same_stats(const char *dir, const struct wk_worker *worker)
{
	static const struct wk_stats zero;
	struct wk_stats want = zero;
	char path[PATH_MAX];
	char line[128];
	bool same = true;
	FILE *file;

	snprintf(path, sizeof(path), "%s/expect.stats", dir);
	file = fopen(path, "r");
	if (!file) {
		printf("  %s: %s\n", path, strerror(errno));
		return false;
	}
	while (fgets(line, sizeof(line), file)) {
		char key[64];
		unsigned long n;

		if (sscanf(line, "%63s %lu", key, &n) != 2)
			continue;
		for (int i = 0; i < WK_REASON_MAX; i++)
			if (strcmp(key, wk_reason_key((enum wk_reason)i)) == 0)
				want.reason[i] = n;
		for (int i = 0; i < WK_CALL_REASON_MAX; i++)
			if (strcmp(key, wk_call_reason_key((enum wk_call_reason)i)) == 0)
				want.call[i] = n;
	}
	fclose(file);
	for (int i = 0; i < WK_REASON_MAX; i++) {
		if (worker->stats.reason[i] == want.reason[i])
			continue;
		printf("  reason %s: %lu, not %lu\n", wk_reason_key((enum wk_reason)i),
		       (unsigned long)worker->stats.reason[i], (unsigned long)want.reason[i]);
		same = false;
	}
	for (int i = 0; i < WK_CALL_REASON_MAX; i++) {
		if (worker->stats.call[i] == want.call[i])
			continue;
		printf("  calls %s: %lu, not %lu\n", wk_call_reason_key((enum wk_call_reason)i),
		       (unsigned long)worker->stats.call[i], (unsigned long)want.call[i]);
		same = false;
	}
	return same;
}

/* Nothing gets lost without a reason. */
static bool account_even(const struct wk_worker *worker)
{
	const struct wk_stats *stats = &worker->stats;
	uint64_t in = stats->counter[WK_CNT_RX] + stats->counter[WK_CNT_ORIGINATED];
	uint64_t out = stats->counter[WK_CNT_TX] + wk_stats_dropped(stats) + stats->held;

	if (in != out)
		printf("  rx + originated is %lu, tx + dropped + held is %lu\n", (unsigned long)in,
		       (unsigned long)out);
	return in == out;
}

static bool same_side(const char *dir, const char *side, const struct capture *got)
{
	struct capture want = { 0 };
	char path[PATH_MAX];
	bool same;

	snprintf(path, sizeof(path), "%s/expect.%s.pcap", dir, side);
	if (!capture_read(&want, path))
		return false;
	same = capture_same(&want, got, side);
	capture_free(&want);
	if (!same) {
		const char *name = strrchr(dir, '/');

		snprintf(path, sizeof(path), "golden.%s.%s.pcap", name ? name + 1 : dir, side);
		capture_write(got, path);
	}
	return same;
}

static bool run_frames(struct wk_worker *worker, const char *dir,
		       const struct wk_snapshot *snapshot, struct capture *outs)
{
	struct capture in = { 0 };
	struct side_rule rule;
	char path[PATH_MAX];
	int ret = 0;

	snprintf(path, sizeof(path), "%s/in.pcap", dir);
	if (!capture_read(&in, path))
		return false;
	side_rule_init(&rule, snapshot->acl, dir);
	for (uint32_t i = 0; i < in.n && ret == 0; i++) {
		run_timers(worker, in.frames[i].time_ns, outs);
		ret = feed(worker, &in.frames[i], side_of(&rule, &in.frames[i], i), outs);
	}
	if (ret != 0)
		printf("  feeding: %s\n", strerror(-ret));
	capture_free(&in);
	return ret == 0;
}

static bool run_worker(const char *dir, const struct wk_snapshot *snapshot)
{
	struct wk_worker *worker = rte_zmalloc("worker", sizeof(*worker), RTE_CACHE_LINE_SIZE);
	struct capture outs[WK_DIRS] = { { 0 }, { 0 } };
	bool good;

	if (!worker)
		return false;
	good = open_worker(worker, snapshot) == 0 && run_frames(worker, dir, snapshot, outs);
	if (good) {
		good = same_side(dir, "client", &outs[WK_S2C]);
		good = same_side(dir, "server", &outs[WK_C2S]) && good;
		good = same_stats(dir, worker) && good;
		good = account_even(worker) && good;
	}
	capture_free(&outs[WK_C2S]);
	capture_free(&outs[WK_S2C]);
	close_worker(worker);
	return good;
}

static bool run_case(const char *dir)
{
	static uint64_t version;
	struct wk_snapshot *snapshot = NULL;
	struct wk_conf_error error;
	struct wk_conf *conf = NULL;
	char path[PATH_MAX];
	bool good;

	snprintf(path, sizeof(path), "%s/wicket.conf", dir);
	if (wk_conf_load(path, &conf, &error) != 0) {
		printf("  %s\n", error.text);
		return false;
	}
	if (wk_snapshot_build(conf, ++version, NULL, 0, &snapshot, &error) != 0) {
		printf("  %s\n", error.text);
		wk_conf_free(conf);
		return false;
	}
	good = run_worker(dir, snapshot);
	wk_snapshot_free(snapshot);
	if (rte_mempool_in_use_count(pool) != 0) {
		printf("  %u packet buffers are not given back\n", rte_mempool_in_use_count(pool));
		good = false;
	}
	return good;
}

int main(int argc, char **argv)
{
	int failed = 0;

	test_eal_start("golden");
	pool = rte_pktmbuf_pool_create("golden", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!pool || open_side(&sides[WK_C2S], "client") != 0 ||
	    open_side(&sides[WK_S2C], "server") != 0) {
		fprintf(stderr, "no pool or no ports\n");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		printf("%s\n", argv[i]);
		fflush(stdout);
		if (!run_case(argv[i])) {
			printf("  FAILED\n");
			failed++;
		}
	}
	printf("%d cases, %d failed\n", argc - 1, failed);
	test_eal_stop();
	return failed;
}
