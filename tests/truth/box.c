/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <inttypes.h>
#include <rte_mbuf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "test_eal.h"

#define MS      1000000ull
#define S       (1000 * MS)
#define WIRE    3u
#define SERVICE 0u
#define ARENA_B (2u << 20)

static struct rte_mempool *pool;

void truth_fault(struct truth_box *box, const char *format, ...)
{
	va_list args;

	if (box->fault[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(box->fault, sizeof(box->fault), format, args);
	va_end(args);
}

void truth_eal_start(void)
{
	test_eal_start("truth");
	pool = rte_pktmbuf_pool_create("truth", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!pool)
		abort();
}

void truth_eal_stop(void)
{
	rte_mempool_free(pool);
	test_eal_stop();
}

/* What came out arrives at once. Its client tells a packet's connection. */
static void arrive(struct truth_box *box, enum wk_dir dir, const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const char *wrong = "of no connection";
	struct pair_seg seg;

	wk_count(&box->stats, WK_CNT_TX, 1);
	for (uint32_t i = 0; i < box->n; i++) {
		const struct pair_conf *conf = &box->pair[i]->conf;
		uint32_t at = 14 + (conf->ip_version == 4 ? 20u : 40u) + (dir == WK_C2S ? 0 : 2);
		uint16_t port = (uint16_t)(frame[at] << 8 | frame[at + 1]);

		if ((frame[14] >> 4) == conf->ip_version && port == conf->client_port)
			wrong = pair_receive(box->pair[i], dir, frame, m->data_len, &seg);
	}
	if (wrong)
		truth_fault(box, "a packet of %u bytes: %s", m->data_len, wrong);
}

static void tx(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m)
{
	struct truth_box *box = user;

	if (wire != WIRE)
		truth_fault(box, "wire %u", wire);
	arrive(box, dir, m);
	rte_pktmbuf_free(m);
}

static bool event(void *user, const struct wk_event *ev)
{
	(void)user;
	(void)ev;
	return true;
}

static const struct wk_inspect_hooks hooks = { .tx = tx, .event = event };
static const struct wk_inspect_on on_reset;

static void install(struct truth_box *box, enum wk_policy_reply reply)
{
	static const struct wk_prefix from[] = { { .family = 4, .len = 0 },
						 { .family = 6, .len = 0 } };
	static const char *const allow[] = { TRUTH_ALLOWED_1, TRUTH_ALLOWED_2, TRUTH_ALLOWED_3 };
	const struct wk_policy_rule_in rule = { .name = "rule1",
						.file = "truth",
						.line = 1,
						.from = from,
						.n_from = 2,
						.allow = allow,
						.n_allow = 3 };
	const struct wk_policy_service_in service = { .name = "door-manager",
						      .mode = WK_MODE_ENFORCE,
						      .reply = reply,
						      .rules = &rule,
						      .n_rules = 1 };
	const struct wk_policy_in in = { .version = 1, .services = &service, .n_services = 1 };
	struct wk_policy_error err;

	if (wk_policy_compile(&in, &box->policy, &err) != 0)
		abort();
	wk_inspect_policy(box->inspect, box->policy, &on_reset);
}

static void open_inspect(struct truth_box *box)
{
	const struct wk_inspect_conf conf = {
		.name = "truth",
		.max_flows = 8,
		.max_syns = 8,
		.syn_ns = 30 * S,
		.held_b = ARENA_B,
		.tcp = wk_tcp_limits_default,
		.h2 = wk_h2_limits_default,
		.regex_steps = 1000,
		.mtu_b = 1500,
		.secret = 0x5eed5eed12345678ull,
		.socket_id = SOCKET_ID_ANY,
		.pool = pool,
		.stats = &box->stats,
		.hooks = &hooks,
		.user = box,
	};

	if (wk_inspect_create(&conf, &box->inspect) != 0)
		abort();
}

static uint64_t mem_used_b(const struct truth_box *box)
{
	struct wk_inspect_usage usage;

	wk_inspect_usage(box->inspect, &usage);
	return usage.mem.used_b;
}

static void check_account(struct truth_box *box)
{
	const uint64_t *counter = box->stats.counter;
	uint64_t in = counter[WK_CNT_RX] + counter[WK_CNT_ORIGINATED];
	uint64_t out = counter[WK_CNT_TX] + wk_stats_dropped(&box->stats) + box->stats.held;

	if (in != out)
		truth_fault(box, "%" PRIu64 " packets in, %" PRIu64 " out", in, out);
	if (counter[WK_CNT_INVARIANT] > 0)
		truth_fault(box, "a broken invariant");
}

static void inspect_frame(struct truth_box *box, enum wk_dir dir, const uint8_t *frame,
			  uint32_t len_b)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct wk_pkt pkt;

	if (!m)
		abort();
	memcpy(rte_pktmbuf_append(m, (uint16_t)len_b), frame, len_b);
	wk_count(&box->stats, WK_CNT_RX, 1);
	box->now_ns += 10000;
	wk_pkt_parse_burst(&m, 1, &pkt);
	if (wk_inspect_packet(box->inspect, &pkt, SERVICE, WIRE, dir, box->now_ns) ==
	    WK_INSPECT_FORWARD)
		arrive(box, dir, pkt.m);
	rte_pktmbuf_free(pkt.m);
	check_account(box);
}

static void shake_hands(struct truth_box *box, struct pair *pair)
{
	static const uint8_t flags[] = { PAIR_SYN, PAIR_SYN | PAIR_ACK, PAIR_ACK };
	uint8_t frame[PAIR_FRAME_MAX_B];

	for (uint32_t i = 0; i < 3; i++) {
		enum wk_dir dir = i == 1 ? WK_S2C : WK_C2S;

		inspect_frame(box, dir, frame, pair_send(pair, dir, flags[i], NULL, 0, frame));
	}
}

void truth_box_init(struct truth_box *box, uint32_t n, enum wk_policy_reply reply,
		    struct sim_rng *rng)
{
	memset(box, 0, sizeof(*box));
	box->now_ns = 1000 * S;
	open_inspect(box);
	install(box, reply);
	box->mem_used_b = mem_used_b(box);
	for (uint32_t i = 0; i < n; i++) {
		const struct pair_conf conf = {
			.ip_version = rng_chance(rng, 300) ? 6 : 4,
			.client_host = 7,
			.client_port = (uint16_t)(40000 + i),
			.server_port = 50051,
			.timestamps = rng_chance(rng, 700),
		};

		box->pair[i] = malloc(sizeof(*box->pair[i]));
		if (!box->pair[i])
			abort();
		pair_init(box->pair[i], &conf);
		box->n++;
		shake_hands(box, box->pair[i]);
	}
}

void truth_box_fini(struct truth_box *box)
{
	wk_inspect_stop(box->inspect, box->now_ns);
	check_account(box);
	if (mem_used_b(box) != box->mem_used_b)
		truth_fault(box, "memory is not given back");
	wk_inspect_free(box->inspect);
	wk_policy_free(box->policy);
	if (rte_mempool_in_use_count(pool) > 0)
		truth_fault(box, "buffers are not given back");
	for (uint32_t i = 0; i < box->n; i++)
		free(box->pair[i]);
}

void truth_box_send(struct truth_box *box, uint32_t conn, enum wk_dir dir, uint32_t from_b,
		    const uint8_t *data, uint32_t len_b, bool push)
{
	struct pair *pair = box->pair[conn];
	const struct pair_end *end = &pair->end[dir];
	uint8_t frame[PAIR_FRAME_MAX_B];

	pair->clock++;
	len_b = pair_send_at(pair, dir, end->isn + 1 + from_b, end->ack,
			     push ? PAIR_ACK | PAIR_PSH : PAIR_ACK, data, len_b, frame);
	inspect_frame(box, dir, frame, len_b);
}

void truth_box_wait(struct truth_box *box, uint64_t ns)
{
	const uint64_t end_ns = box->now_ns + ns, step_ns = ns < 100 * MS ? MS : ns / 100;

	while (box->now_ns < end_ns) {
		box->now_ns += step_ns;
		wk_inspect_timers(box->inspect, box->now_ns);
	}
	check_account(box);
}
