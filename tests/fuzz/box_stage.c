/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "box_stage.h"

#include <inttypes.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "test_eal.h"

#define MS        1000000ull
#define S         (1000 * MS)
#define WIRE      3u
#define ARENA_B   (1u << 20)
#define SEGMENT_B 1400u
#define SLOT_NS   (200 * MS)
#define ROUND_NS  (5 * MS)
#define ROUNDS    30u
#define SINGLES   100u
#define HDR_B     9u
#define PREFACE_B 24u

static struct rte_mempool *pool;
static uint32_t boxes;                   /* that are open */
static struct wk_policy *policies[2][2]; /* by audit and the reply's kind */

static void compile(struct wk_policy **policy, enum wk_policy_mode mode, enum wk_policy_reply reply)
{
	static const struct wk_prefix from[] = { { .family = 4, .len = 0 },
						 { .family = 6, .len = 0 } };
	static const char *const allow[] = { BOX_ALLOWED, BOX_ALLOWED2 };
	const struct wk_policy_rule_in rule = { .name = "rule1",
						.file = "fuzz",
						.line = 1,
						.from = from,
						.n_from = 2,
						.allow = allow,
						.n_allow = 2 };
	const struct wk_policy_service_in service = {
		.name = "attack", .mode = mode, .reply = reply, .rules = &rule, .n_rules = 1
	};
	const struct wk_policy_in in = { .version = 1, .services = &service, .n_services = 1 };
	struct wk_policy_error err;

	must(wk_policy_compile(&in, policy, &err) == 0);
}

static void stop(void)
{
	for (int i = 0; i < 4; i++)
		wk_policy_free(policies[i / 2][i % 2]);
	rte_mempool_free(pool);
	test_eal_stop();
}

void box_start(void)
{
	if (pool)
		return;
	test_eal_start("box");
	pool = rte_pktmbuf_pool_create("box", 511, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	must(pool);
	for (int i = 0; i < 4; i++)
		compile(&policies[i / 2][i % 2], i / 2 ? WK_MODE_AUDIT : WK_MODE_ENFORCE,
			i % 2 ? WK_REPLY_GRPC : WK_REPLY_HTTP_403);
	atexit(stop);
}

/* ---- what comes out ---- */

static void arrive(struct box *box, enum wk_dir dir, const struct rte_mbuf *m)
{
	const struct pair_end *end = &box->pair.end[wk_dir_flip(dir)];
	struct pair_seg seg;
	const char *wrong;

	wk_count(&box->stats, WK_CNT_TX, 1);
	if (end->rx_len_b + PAIR_FRAME_MAX_B > PAIR_STREAM_MAX_B) {
		box->full = true;
		return;
	}
	wrong = pair_receive(&box->pair, dir, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len,
			     &seg);
	if (wrong)
		fprintf(stderr, "a packet of %u bytes: %s\n", m->data_len, wrong);
	must(!wrong);
}

static void tx(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m)
{
	must(wire == WIRE);
	arrive(user, dir, m);
	rte_pktmbuf_free(m);
}

static bool event(void *user, const struct wk_event *ev)
{
	struct box *box = user;
	char line[128];
	int n;

	if (ev->kind == WK_EVENT_CALL)
		n = snprintf(line, sizeof(line), "%u %s %d ", ev->stream_id,
			     wk_call_reason_key(ev->call_reason), ev->enforced);
	else
		n = snprintf(line, sizeof(line), "%s %s", wk_reason_key(ev->reason),
			     wk_h2_error_key(ev->h2_error));
	h2_bytes_add(&box->told, line, (size_t)n);
	h2_bytes_add(&box->told, ev->path, strnlen(ev->path, sizeof(ev->path)));
	h2_bytes_add(&box->told, "\n", 1);
	return true;
}

/* ---- the box ---- */

static const struct wk_inspect_hooks hooks = { .tx = tx, .event = event };
static const struct wk_inspect_on on_reset;

static void small_limits(struct wk_h2_limits *limits)
{
	limits->block_b = 300;
	limits->continuations = 3;
	limits->header_list_b = 400;
	limits->fields = 10;
	limits->streams = 3;
	limits->control_burst = 30;
	limits->control_frame_b = 64;
	limits->credit_b = 100;
}

static void open_inspect(struct box *box, const struct box_conf *conf)
{
	char name[16];
	struct wk_inspect_conf in = {
		.name = name,
		.max_flows = 8,
		.max_syns = 8,
		.syn_ns = 30 * S,
		.held_b = ARENA_B,
		.tcp = wk_tcp_limits_default,
		.h2 = wk_h2_limits_default,
		.regex_steps = 1000,
		.mtu_b = 1500,
		.secret = conf->secret,
		.socket_id = SOCKET_ID_ANY,
		.pool = pool,
		.stats = &box->stats,
		.hooks = &hooks,
		.user = box,
	};

	snprintf(name, sizeof(name), "box%u", boxes++);
	if (conf->small)
		small_limits(&in.h2);
	in.h2.reencode = conf->reencode;
	must(wk_inspect_create(&in, &box->inspect) == 0);
	wk_inspect_policy(box->inspect, policies[conf->audit][conf->grpc], &on_reset);
}

static uint64_t mem_used_b(const struct box *box)
{
	struct wk_inspect_usage usage;

	wk_inspect_usage(box->inspect, &usage);
	return usage.mem.used_b;
}

static void check_account(const struct box *box)
{
	const uint64_t *counter = box->stats.counter;

	must(counter[WK_CNT_RX] + counter[WK_CNT_ORIGINATED] ==
	     counter[WK_CNT_TX] + wk_stats_dropped(&box->stats) + box->stats.held);
	must(counter[WK_CNT_INVARIANT] == 0);
}

static void inspect_frame(struct box *box, enum wk_dir dir, const uint8_t *frame, uint32_t len_b)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct wk_pkt pkt;

	must(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)len_b), frame, len_b);
	wk_count(&box->stats, WK_CNT_RX, 1);
	wk_pkt_parse_burst(&m, 1, &pkt);
	if (wk_inspect_packet(box->inspect, &pkt, 0, WIRE, dir, box->now_ns) == WK_INSPECT_FORWARD)
		arrive(box, dir, pkt.m);
	rte_pktmbuf_free(pkt.m);
	check_account(box);
}

static void shake_hands(struct box *box)
{
	static const uint8_t flags[] = { PAIR_SYN, PAIR_SYN | PAIR_ACK, PAIR_ACK };
	uint8_t frame[PAIR_FRAME_MAX_B];

	for (uint32_t i = 0; i < 3; i++) {
		enum wk_dir dir = i == 1 ? WK_S2C : WK_C2S;

		inspect_frame(box, dir, frame,
			      pair_send(&box->pair, dir, flags[i], NULL, 0, frame));
	}
}

void box_init(struct box *box, const struct box_conf *conf)
{
	const struct pair_conf pair = { .ip_version = conf->ipv6 ? 6 : 4,
					.client_host = 7,
					.client_port = 40000,
					.server_port = 50051,
					.timestamps = conf->ipv6 };

	memset(box, 0, sizeof(*box));
	box->now_ns = box->slot_ns = 1000 * S;
	open_inspect(box, conf);
	box->mem_used_b = mem_used_b(box);
	pair_init(&box->pair, &pair);
	shake_hands(box);
}

void box_fini(struct box *box)
{
	wk_inspect_stop(box->inspect, box->now_ns);
	check_account(box);
	must(mem_used_b(box) == box->mem_used_b);
	wk_inspect_free(box->inspect);
	boxes--;
	must(boxes > 0 || rte_mempool_in_use_count(pool) == 0);
	for (int dir = 0; dir < WK_DIRS; dir++)
		h2_bytes_free(&box->talk[dir]);
	h2_bytes_free(&box->told);
}

bool box_ended(const struct box *box)
{
	return box->full || box->pair.end[WK_C2S].reset || box->pair.end[WK_S2C].reset;
}

const uint8_t *box_arrived(const struct box *box, enum wk_dir dir, uint32_t *len_b)
{
	const struct pair_end *end = &box->pair.end[wk_dir_flip(dir)];

	*len_b = end->rx_len_b;
	return end->rx;
}

bool box_flow(struct box *box, struct wk_inspect_flow *row)
{
	uint32_t pos = 0;

	return wk_inspect_flows(box->inspect, &pos, row, 1) == 1;
}

/* ---- segments ---- */

static uint32_t acked_b(const struct box *box, enum wk_dir dir)
{
	const struct pair_end *end = &box->pair.end[dir];

	return end->una - end->isn - 1;
}

static void segment(struct box *box, enum wk_dir dir, uint32_t from_b, uint32_t len_b)
{
	const struct pair_end *end = &box->pair.end[dir];
	const struct h2_bytes *talk = &box->talk[dir];
	uint8_t frame[PAIR_FRAME_MAX_B];
	uint8_t flags = PAIR_ACK;

	if (box_ended(box))
		return;
	if (from_b + len_b == talk->n)
		flags |= PAIR_PSH;
	box->pair.clock++;
	len_b = pair_send_at(&box->pair, dir, end->isn + 1 + from_b, end->ack, flags,
			     talk->p ? talk->p + from_b : NULL, len_b, frame);
	inspect_frame(box, dir, frame, len_b);
}

/* The length of the next segment of what is said. at_b: where its frame begins. */
static uint32_t choose(const struct box *box, enum wk_dir dir, uint32_t from_b, uint32_t *at_b,
		       enum box_cut cut, struct sim_rng *rng)
{
	const struct h2_bytes *talk = &box->talk[dir];
	const uint8_t *p = talk->p;

	switch (cut) {
	case BOX_WHOLE:
		return SEGMENT_B;
	case BOX_BYTES:
		return from_b - *at_b < SINGLES ? 1 : SEGMENT_B;
	case BOX_FRAMES:
		while (*at_b <= from_b && talk->n - *at_b >= HDR_B)
			*at_b += HDR_B + ((uint32_t)p[*at_b] << 16 | (uint32_t)p[*at_b + 1] << 8 |
					  p[*at_b + 2]);
		if (*at_b <= from_b)
			return SEGMENT_B;
		return *at_b - from_b + (uint32_t)rng_range(rng, 0, 2) - (*at_b - from_b > 1);
	default:
		return rng_range32(rng, 1, rng_chance(rng, 500) ? 20 : 300);
	}
}

/* Some of it comes before its time, and again; the rest, and what was lost by that, in order. */
static void mess(struct box *box, enum wk_dir dir, uint32_t from_b, struct sim_rng *rng)
{
	uint32_t all_b = (uint32_t)box->talk[dir].n;

	for (uint32_t i = rng_range32(rng, 1, 12); i > 0; i--) {
		uint32_t back_b = rng_chance(rng, 200) ? (from_b < 200 ? from_b : 200) : 0;
		uint32_t at_b = rng_range32(rng, from_b - back_b, all_b - 1);
		uint32_t len_b = rng_range32(rng, 1, 200);

		segment(box, dir, at_b, len_b < all_b - at_b ? len_b : all_b - at_b);
	}
}

/* Both ends acknowledge what they have, and say again what is missing. */
static void settle(struct box *box)
{
	for (uint32_t round = 0; round < ROUNDS && !box_ended(box); round++) {
		bool open = false;

		box->now_ns += ROUND_NS;
		wk_inspect_timers(box->inspect, box->now_ns);
		for (int i = 0; i < WK_DIRS; i++) {
			enum wk_dir dir = (enum wk_dir)i;
			uint32_t all_b = (uint32_t)box->talk[dir].n, acked = acked_b(box, dir);

			segment(box, dir, all_b, 0);
			if (acked < all_b && round % 4 == 3)
				for (uint32_t n; acked < all_b; acked += n) {
					n = all_b - acked < SEGMENT_B ? all_b - acked : SEGMENT_B;
					segment(box, dir, acked, n);
				}
			open = open || acked_b(box, dir) < all_b;
		}
		if (!open && round >= 2)
			break;
	}
	for (int dir = 0; dir < WK_DIRS; dir++)
		must(box_ended(box) || acked_b(box, (enum wk_dir)dir) == box->talk[dir].n);
	must(box->now_ns <= box->slot_ns);
}

void box_say(struct box *box, enum wk_dir dir, const void *p, size_t n, enum box_cut cut,
	     struct sim_rng *rng)
{
	uint32_t from_b = (uint32_t)box->talk[dir].n, at_b = from_b, len_b;

	if (box_ended(box) || n == 0)
		return;
	if (at_b == 0 && dir == WK_C2S && cut == BOX_FRAMES)
		at_b = PREFACE_B;
	h2_bytes_add(&box->talk[dir], p, n);
	box->slot_ns += SLOT_NS;
	if (cut == BOX_MESSY)
		mess(box, dir, from_b, rng);
	for (; from_b < box->talk[dir].n; from_b += len_b) {
		len_b = choose(box, dir, from_b, &at_b, cut, rng);
		if (len_b > SEGMENT_B)
			len_b = SEGMENT_B;
		if (len_b > box->talk[dir].n - from_b)
			len_b = (uint32_t)box->talk[dir].n - from_b;
		segment(box, dir, from_b, len_b);
	}
	settle(box);
	box->now_ns = box->slot_ns;
	wk_inspect_timers(box->inspect, box->now_ns);
	check_account(box);
}
