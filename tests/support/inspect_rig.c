/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "test_eal.h"

#define MS 1000000ull
#define S  (1000 * MS)

static struct rte_mempool *pool;

const struct rig_conf rig_conf_default = {
	.pair = { .ip_version = 4,
		  .client_host = RIG_HOST_LISTED,
		  .client_port = 40000,
		  .server_port = 50051,
		  .timestamps = true },
	.mode = WK_MODE_ENFORCE,
	.max_flows = 16,
	.mtu_b = 1500,
};

int rig_eal_start(void **state)
{
	test_eal_set_up(state);
	pool = rte_pktmbuf_pool_create("rig", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return pool ? 0 : -1;
}

int rig_eal_stop(void **state)
{
	rte_mempool_free(pool);
	return test_eal_tear_down(state);
}

uint32_t rig_random(struct rig *rig, uint32_t below)
{
	rig->random = rig->random * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(rig->random >> 8) * below >> 24);
}

/* What left the inspector arrives. */
static void arrive(struct rig *rig, enum wk_dir dir, struct rte_mbuf *m, bool built,
		   const uint8_t *original, uint32_t original_len_b)
{
	struct rig_out *out;
	const char *wrong;

	assert_true(rig->n_out < RIG_OUT_MAX);
	out = &rig->out[rig->n_out++];
	out->dir = dir;
	out->built = built;
	out->len_b = m->data_len;
	assert_true(out->len_b <= PAIR_FRAME_MAX_B);
	memcpy(out->frame, rte_pktmbuf_mtod(m, void *), out->len_b);
	out->same = original && original_len_b == out->len_b &&
		    memcmp(out->frame, original, out->len_b) == 0;
	wk_count(&rig->stats, WK_CNT_TX, 1);
	rte_pktmbuf_free(m);
	if (rig->lose_in_256 > 0 && rig_random(rig, 256) < rig->lose_in_256)
		return;
	wrong = pair_receive(&rig->pair, dir, out->frame, out->len_b, &out->seg);
	if (wrong)
		fail_msg("frame %u: %s", rig->n_out - 1, wrong);
}

static void tx(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m)
{
	assert_int_equal(wire, 3);
	arrive(user, dir, m, true, NULL, 0);
}

static bool event(void *user, const struct wk_event *ev)
{
	struct rig *rig = user;

	if (rig->events_full)
		return false;
	if (rig->events_off)
		return true;
	assert_true(rig->n_events < RIG_EVENTS_MAX);
	rig->events[rig->n_events++] = *ev;
	return true;
}

static bool service(void *user, const struct wk_flow_key *key, uint32_t *number)
{
	struct rig *rig = user;

	assert_int_equal(key->server_port, rig->conf.pair.server_port);
	*number = 1;
	return !rig->conf.forgotten;
}

static const struct wk_inspect_hooks hooks = { .tx = tx, .event = event, .service = service };

static void check_account(const struct rig *rig)
{
	const uint64_t *counter = rig->stats.counter;

	assert_int_equal(counter[WK_CNT_RX] + counter[WK_CNT_ORIGINATED],
			 counter[WK_CNT_TX] + wk_stats_dropped(&rig->stats) + rig->stats.held);
	assert_int_equal(counter[WK_CNT_INVARIANT], 0);
}

static void install(struct rig *rig, enum wk_policy_mode mode,
		    const struct wk_policy_rule_in *rules, uint32_t n)
{
	const struct wk_policy_service_in services[] = {
		{ .name = "other", .mode = WK_MODE_ENFORCE },
		{ .name = "door-manager",
		  .mode = mode,
		  .unlisted = rig->conf.unlisted,
		  .reply = rig->conf.reply,
		  .form = rig->conf.form,
		  .rules = rules,
		  .n_rules = n },
	};
	const struct wk_policy_in in = { .version = ++rig->version,
					 .services = services,
					 .n_services = 2 };
	struct wk_policy *old = rig->policy;
	struct wk_policy_error err;

	assert_int_equal(wk_policy_compile(&in, &rig->policy, &err), 0);
	wk_inspect_policy(rig->inspect, rig->policy, &rig->conf.on);
	wk_policy_free(old);
}

void rig_rules(struct rig *rig, const struct wk_policy_rule_in *rules, uint32_t n)
{
	install(rig, WK_MODE_ENFORCE, rules, n);
}

void rig_policy(struct rig *rig, enum wk_policy_mode mode)
{
	static const struct wk_prefix from[] = {
		{ .family = 4, .len = 25, .addr = { 10, 11 } },
		{ .family = 6, .len = 121, .addr = { 0xfd, 0, 0, 11 } },
	};
	static const char *const allow[] = { RIG_PATH_NAME, RIG_PATH_PLACE };
	const struct wk_policy_rule_in rule = { .name = "rule1",
						.file = "rig",
						.line = 1,
						.from = from,
						.n_from = 2,
						.allow = allow,
						.n_allow = 2 };

	install(rig, mode, &rule, 1);
}

struct rig *rig_new(const struct rig_conf *conf)
{
	static unsigned int rigs;
	char name[16];
	struct wk_inspect_conf inspect = {
		.name = name,
		.max_flows = conf->max_flows,
		.flows_per_source = conf->flows_per_source,
		.max_syns = 64,
		.syn_ns = 30 * S,
		.held_b = 1 << 20,
		.tcp = wk_tcp_limits_default,
		.h2 = wk_h2_limits_default,
		.on = conf->on,
		.regex_steps = 1000,
		.mtu_b = conf->mtu_b,
		.secret = 0x5eed5eed12345678ull,
		.lcore = conf->lcore,
		.socket_id = SOCKET_ID_ANY,
		.pool = pool,
		.hooks = &hooks,
	};
	struct rig *rig = calloc(1, sizeof(*rig));
	struct wk_inspect_usage usage;

	assert_non_null(rig);
	rig->conf = *conf;
	rig->now_ns = 1000 * S;
	/* A rig that a failed test left behind must not fail the next one. */
	snprintf(name, sizeof(name), "rig%u", rigs++);
	inspect.stats = &rig->stats;
	inspect.h2.ticket_b = conf->ticket_b;
	inspect.user = rig;
	assert_int_equal(wk_inspect_create(&inspect, &rig->inspect), 0);
	rig_policy(rig, conf->mode);
	wk_inspect_usage(rig->inspect, &usage);
	rig->mem_used_b = usage.mem.used_b;
	pair_init(&rig->pair, &conf->pair);
	h2w_init(&rig->client);
	h2w_init(&rig->server);
	return rig;
}

void rig_free(struct rig *rig)
{
	struct wk_inspect_usage usage;

	rig->n_out = 0;
	wk_inspect_stop(rig->inspect, rig->now_ns);
	check_account(rig);
	wk_inspect_usage(rig->inspect, &usage);
	assert_int_equal(usage.flows, 0);
	assert_int_equal(usage.mem.used_b, rig->mem_used_b);
	wk_inspect_free(rig->inspect);
	wk_policy_free(rig->policy);
	h2w_fini(&rig->client);
	h2w_fini(&rig->server);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	free(rig);
}

void rig_wait(struct rig *rig, uint64_t ns)
{
	uint64_t end_ns = rig->now_ns + ns;

	rig->n_out = 0;
	while (rig->now_ns < end_ns) {
		uint64_t step_ns = ns <= S ? MS : ns / 1000;

		rig->now_ns += step_ns;
		wk_inspect_timers(rig->inspect, rig->now_ns);
	}
	check_account(rig);
}

/* A frame that arrives, in a buffer of its own. */
static void receive(struct rig *rig, const uint8_t *frame, uint32_t len_b, struct wk_pkt *pkt)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)len_b), frame, len_b);
	wk_count(&rig->stats, WK_CNT_RX, 1);
	rig->n_out = 0;
	rig->now_ns += 10000;
	wk_pkt_parse_burst(&m, 1, pkt);
}

enum wk_inspect_verdict rig_frame(struct rig *rig, enum wk_dir dir, uint8_t *frame, uint32_t len_b)
{
	enum wk_inspect_verdict verdict;
	struct wk_pkt pkt;

	receive(rig, frame, len_b, &pkt);
	/* Announced or not, it makes no difference. */
	if (rig->stats.counter[WK_CNT_RX] % 2 == 0)
		wk_inspect_ahead(rig->inspect, &(struct wk_inspect_next){ &pkt, 3, dir }, 1);
	verdict = wk_inspect_packet(rig->inspect, &pkt, 1, 3, dir, rig->now_ns);
	if (verdict == WK_INSPECT_FORWARD)
		arrive(rig, dir, pkt.m, false, frame, len_b);
	else
		rte_pktmbuf_free(pkt.m);
	check_account(rig);
	return verdict;
}

enum wk_inspect_verdict rig_icmp(struct rig *rig, enum wk_dir dir, uint8_t *frame, uint32_t len_b)
{
	enum wk_inspect_verdict verdict;
	struct wk_pkt pkt;

	receive(rig, frame, len_b, &pkt);
	verdict = wk_inspect_icmp(rig->inspect, &pkt, 3, dir, WK_FWD_PLAIN, rig->now_ns);
	if (verdict == WK_INSPECT_FORWARD) {
		assert_int_equal(pkt.m->data_len, len_b);
		memcpy(frame, rte_pktmbuf_mtod(pkt.m, void *), len_b);
		wk_count(&rig->stats, WK_CNT_TX, 1);
	}
	rte_pktmbuf_free(pkt.m);
	check_account(rig);
	return verdict;
}

enum wk_inspect_verdict rig_send(struct rig *rig, enum wk_dir dir, uint8_t flags, const void *data,
				 uint32_t len_b)
{
	uint8_t frame[PAIR_FRAME_MAX_B];

	return rig_frame(rig, dir, frame, pair_send(&rig->pair, dir, flags, data, len_b, frame));
}

enum wk_inspect_verdict rig_ack(struct rig *rig, enum wk_dir dir)
{
	return rig_send(rig, dir, PAIR_ACK, NULL, 0);
}

void rig_connect(struct rig *rig)
{
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_SYN, NULL, 0), WK_INSPECT_FORWARD);
	assert_int_equal(rig_send(rig, WK_S2C, PAIR_SYN | PAIR_ACK, NULL, 0), WK_INSPECT_FORWARD);
	assert_int_equal(rig_ack(rig, WK_C2S), WK_INSPECT_FORWARD);
}

void rig_greet(struct rig *rig)
{
	uint8_t bytes[128];
	uint32_t n;

	n = h2w_preface(bytes);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n), WK_INSPECT_FORWARD);
	n = h2w_frame(bytes, H2W_SETTINGS, 0, 0, NULL, 0);
	n += h2w_frame(bytes + n, H2W_SETTINGS, H2W_ACK, 0, NULL, 0);
	assert_int_equal(rig_send(rig, WK_S2C, PAIR_ACK | PAIR_PSH, bytes, n), WK_INSPECT_FORWARD);
	n = h2w_frame(bytes, H2W_SETTINGS, H2W_ACK, 0, NULL, 0);
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n), WK_INSPECT_FORWARD);
	assert_int_equal(rig_ack(rig, WK_S2C), WK_INSPECT_FORWARD);
}

enum wk_inspect_verdict rig_call(struct rig *rig, uint32_t stream, const char *path)
{
	uint8_t bytes[1400];
	uint32_t n = h2w_request(&rig->client, bytes, stream, "POST", path, RIG_GRPC, 12);

	return rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n);
}

void rig_answer(struct rig *rig, uint32_t stream)
{
	uint8_t bytes[512];
	uint32_t n = h2w_response(&rig->server, bytes, stream);

	assert_int_equal(rig_send(rig, WK_S2C, PAIR_ACK | PAIR_PSH, bytes, n), WK_INSPECT_FORWARD);
	rig_ack(rig, WK_C2S);
}

void rig_close(struct rig *rig)
{
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_FIN, NULL, 0);
	rig_send(rig, WK_S2C, PAIR_ACK | PAIR_FIN, NULL, 0);
	rig_ack(rig, WK_C2S);
	assert_true(rig->pair.end[WK_C2S].closed);
	assert_true(rig->pair.end[WK_S2C].closed);
}

bool rig_server_next(struct rig *rig, struct h2w_frame *frame)
{
	const struct pair_end *end = &rig->pair.end[WK_S2C];

	return h2w_next(&rig->server, end->rx, end->rx_len_b, frame);
}

bool rig_client_next(struct rig *rig, struct h2w_frame *frame)
{
	const struct pair_end *end = &rig->pair.end[WK_C2S];

	return h2w_next(&rig->client, end->rx, end->rx_len_b, frame);
}

uint32_t rig_server_headers(struct rig *rig, struct h2w_fields *fields)
{
	struct h2w_frame frame;

	while (rig_server_next(rig, &frame))
		if (frame.type == H2W_HEADERS) {
			assert_true(h2w_decode(&rig->server, &frame, fields));
			return frame.stream;
		}
	return 0;
}

uint32_t rig_client_headers(struct rig *rig, struct h2w_fields *fields)
{
	struct h2w_frame frame;

	while (rig_client_next(rig, &frame))
		if (frame.type == H2W_HEADERS) {
			assert_true(h2w_decode(&rig->client, &frame, fields));
			return frame.stream;
		}
	return 0;
}

uint32_t rig_count_out(const struct rig *rig, enum wk_dir dir)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rig->n_out; i++)
		n += rig->out[i].dir == dir;
	return n;
}

bool rig_all_same(const struct rig *rig)
{
	for (uint32_t i = 0; i < rig->n_out; i++)
		if (!rig->out[i].same)
			return false;
	return true;
}

uint32_t rig_flows(const struct rig *rig)
{
	struct wk_inspect_usage usage;

	wk_inspect_usage(rig->inspect, &usage);
	return usage.flows;
}

uint32_t rig_syns(const struct rig *rig)
{
	struct wk_inspect_usage usage;

	wk_inspect_usage(rig->inspect, &usage);
	return usage.syns;
}
