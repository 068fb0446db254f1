/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>

#include "crowd_words.h"

#define NS_PER_MS  1000000ull
#define BURST_NS   10000u /* from one burst to the next */
#define PORT       50051u
#define PORTS      16u /* connections of one client */
#define TCP_OFF    34u
#define OPTS_OFF   54u
#define OPTS_B     12u /* a timestamp */
#define SYN_OPTS_B 20u
#define SEGMENT_B  1400u
#define ISN        1000u

static struct rte_mempool *pool;
static struct rte_mbuf *mbufs[CROWD_BURST];

static void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static void hook_tx(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf *m)
{
	struct crowd *crowd = user;

	(void)wire;
	(void)dir;
	crowd->built++;
	rte_pktmbuf_free(m);
}

static bool hook_event(void *user, const struct wk_event *event)
{
	(void)user;
	(void)event;
	return true;
}

static const struct wk_inspect_hooks hooks = { .tx = hook_tx, .event = hook_event };

static void make_policy(struct crowd *crowd)
{
	static const struct wk_prefix from[] = { { .family = 4, .len = 8, .addr = { 10 } } };
	static const char *const allow[] = { WORDS_PATH, "/cloudcity.DoorManager/GetLocation" };
	static const struct wk_policy_rule_in rule = {
		.name = "rule1",
		.file = "bench",
		.line = 1,
		.from = from,
		.n_from = 1,
		.allow = allow,
		.n_allow = 2,
	};
	static const struct wk_policy_service_in service = {
		.name = "door-manager",
		.mode = WK_MODE_ENFORCE,
		.rules = &rule,
		.n_rules = 1,
	};
	const struct wk_policy_in in = { .version = 1, .services = &service, .n_services = 1 };
	const struct wk_inspect_on on = { 0 };
	struct wk_policy_error err;

	if (wk_policy_compile(&in, &crowd->policy, &err) != 0)
		die(err.text);
	wk_inspect_policy(crowd->inspect, crowd->policy, &on);
}

/* Rules as a site of some size has them, and the service that the crowd talks to. */
static void make_acl(struct crowd *crowd)
{
	static const struct wk_acl_prefix door = { .family = 4,
						   .len = 32,
						   .addr = { 10, 12, 0, 10 } };
	static const uint16_t port = PORT;
	static const struct wk_acl_service_in service = { &door, 1, &port, 1, true };
	static uint64_t version;
	uint32_t n = crowd->conf.rules, random = 1;
	struct wk_acl_prefix *to = calloc(n + 1, sizeof(*to));
	struct wk_acl_rule_in *rules = calloc(n + 1, sizeof(*rules));
	const struct wk_acl_in in = {
		.version = ++version,
		.services = &service,
		.n_services = 1,
		.rules = rules,
		.n_rules = n,
		.socket_id = SOCKET_ID_ANY,
	};

	for (uint32_t i = 0; to && rules && i < n; i++) {
		random = random * 1664525u + 1013904223u;
		to[i] = (struct wk_acl_prefix){
			.family = 4,
			.len = (uint8_t)(16 + (random >> 8) % 17),
			.addr = { 10, (uint8_t)(random >> 24), (uint8_t)(random >> 16),
				  (uint8_t)(random >> 12) },
		};
		rules[i] = (struct wk_acl_rule_in){
			.to = &to[i],
			.n_to = 1,
			.proto = IPPROTO_TCP,
			.port_low = (uint16_t)(1024 + (random >> 16) % 1000),
			.port_high = 3000,
			.vlan = -1,
			.drop = true,
		};
	}
	if (!to || !rules || wk_acl_create(&in, &crowd->acl) != 0)
		die("no classifier");
	free(to);
	free(rules);
}

static uint64_t heap_b(void)
{
	struct rte_malloc_socket_stats stats;

	if (rte_malloc_get_socket_stats(0, &stats) != 0)
		die("no figures of the heap");
	return stats.heap_allocsz_bytes;
}

static void make_inspect(struct crowd *crowd)
{
	static unsigned int n;
	char name[16];
	const struct wk_inspect_conf conf = {
		.name = name,
		.max_flows = crowd->conf.n,
		.flows_per_source = 0,
		.max_syns = 65536,
		.syn_ns = 30ull * NS_PER_S,
		.held_b = crowd->conf.arena_b,
		.tcp = wk_tcp_limits_default,
		.h2 = wk_h2_limits_default,
		.regex_steps = 1000,
		.mtu_b = 1500,
		.secret = 0x5eed5eed12345678ull,
		.socket_id = SOCKET_ID_ANY,
		.pool = pool,
		.stats = &crowd->stats,
		.hooks = &hooks,
		.user = crowd,
	};
	uint64_t before_b = heap_b();

	snprintf(name, sizeof(name), "crowd%u", n++);
	if (wk_inspect_create(&conf, &crowd->inspect) != 0)
		die("too little memory for this many connections");
	crowd->heap_b = heap_b() - before_b;
}

struct crowd *crowd_new(const struct crowd_conf *conf)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	if (!pool)
		pool = rte_pktmbuf_pool_create("crowd", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					       SOCKET_ID_ANY);
	if (!crowd || !pool)
		die("no memory");
	if (!mbufs[0] && rte_pktmbuf_alloc_bulk(pool, mbufs, CROWD_BURST) != 0)
		die("no buffers");
	crowd->conf = *conf;
	crowd->now_ns = NS_PER_S;
	crowd->conn = calloc(conf->n, sizeof(*crowd->conn));
	if (!crowd->conn)
		die("no memory");
	make_inspect(crowd);
	make_policy(crowd);
	make_acl(crowd);
	return crowd;
}

void crowd_free(struct crowd *crowd)
{
	wk_inspect_free(crowd->inspect);
	wk_policy_free(crowd->policy);
	wk_acl_free(crowd->acl);
	free(crowd->conn);
	free(crowd);
}

static enum wk_dir dir_of(enum crowd_kind kind)
{
	switch (kind) {
	case CROWD_SYN_ACK:
	case CROWD_SETTINGS:
	case CROWD_ANSWER:
	case CROWD_ACK:
		return WK_S2C;
	default:
		return WK_C2S;
	}
}

/* Connections are at different places of their frames, so that one in ten of their segments begins
 * with the head of one. */
static uint32_t place_b(const struct crowd *crowd, const struct crowd_conn *conn)
{
	uint32_t i = (uint32_t)(conn - crowd->conn);

	return (1 + i % 9) * SEGMENT_B;
}

static uint32_t say(const struct crowd *crowd, struct crowd_conn *conn, enum crowd_kind kind,
		    uint8_t *to)
{
	switch (kind) {
	case CROWD_PREFACE:
		return words_preface(to);
	case CROWD_SETTINGS:
		return words_settings(to);
	case CROWD_SETTINGS_ACK:
		return words_settings_ack(to);
	case CROWD_CALL:
		return words_call(to, crowd->conf.style, crowd->conf.denied, conn->calls++);
	case CROWD_ANSWER:
		return words_answer(to, conn->calls - 1);
	case CROWD_OPEN:
		conn->at_b = place_b(crowd, conn);
		return words_open(to, crowd->conf.style, conn->calls++,
				  WORDS_HEAD_B + WORDS_BODY_B - conn->at_b);
	case CROWD_UP:
		return words_body(to, conn->calls - 1, &conn->at_b, SEGMENT_B);
	default:
		return 0;
	}
}

static uint8_t flags_of(enum crowd_kind kind)
{
	switch (kind) {
	case CROWD_SYN:
		return RTE_TCP_SYN_FLAG;
	case CROWD_SYN_ACK:
		return RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG;
	case CROWD_THIRD:
	case CROWD_ACK:
	case CROWD_UP:
		return RTE_TCP_ACK_FLAG;
	default:
		return RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG;
	}
}

static bool is_syn(enum crowd_kind kind)
{
	return kind == CROWD_SYN || kind == CROWD_SYN_ACK;
}

/* As Linux has them. @return their length. */
static uint32_t put_options(const struct crowd *crowd, enum crowd_kind kind, uint8_t *to)
{
	/* MSS, SACK permitted, timestamp, window scale. */
	static const uint8_t syn[SYN_OPTS_B] = { 2, 4, 5, 180, 4, 2, 8, 10, [16] = 1, 3, 3, 7 };
	static const uint8_t stamp[OPTS_B] = { 1, 1, 8, 10 };
	rte_be32_t clock = rte_cpu_to_be_32((uint32_t)(crowd->now_ns / NS_PER_MS));
	uint32_t len_b = is_syn(kind) ? SYN_OPTS_B : OPTS_B;

	memcpy(to, is_syn(kind) ? syn : stamp, len_b);
	memcpy(to + (is_syn(kind) ? 8 : 4), &clock, sizeof(clock));
	if (kind != CROWD_SYN)
		memcpy(to + (is_syn(kind) ? 12 : 8), &clock, sizeof(clock));
	return len_b;
}

static void put_headers(const struct crowd *crowd, uint32_t i, enum crowd_kind kind, uint8_t *frame,
			uint32_t data_b)
{
	uint32_t opts_b = put_options(crowd, kind, frame + OPTS_OFF);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(void *)(frame + 14);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(void *)(frame + TCP_OFF);
	const struct crowd_conn *conn = &crowd->conn[i];
	enum wk_dir dir = dir_of(kind);
	rte_be32_t client = rte_cpu_to_be_32(RTE_IPV4(10, 64, 0, 0) + i / PORTS);
	rte_be32_t server = RTE_BE32(RTE_IPV4(10, 12, 0, 10));
	rte_be16_t sport = rte_cpu_to_be_16((uint16_t)(40000 + i % PORTS));

	memset(frame, 2, 12);
	frame[12] = 8;
	frame[13] = 0;
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(OPTS_OFF - 14 + opts_b + data_b)),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 62,
		.next_proto_id = IPPROTO_TCP,
		.src_addr = dir == WK_C2S ? client : server,
		.dst_addr = dir == WK_C2S ? server : client,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*tcp = (struct rte_tcp_hdr){
		.src_port = dir == WK_C2S ? sport : RTE_BE16(PORT),
		.dst_port = dir == WK_C2S ? RTE_BE16(PORT) : sport,
		.sent_seq = rte_cpu_to_be_32(conn->seq[dir]),
		.recv_ack = rte_cpu_to_be_32(kind == CROWD_SYN ? 0 : conn->seq[wk_dir_flip(dir)]),
		.data_off = (uint8_t)((20 + opts_b) / 4 << 4),
		.tcp_flags = flags_of(kind),
		.rx_win = RTE_BE16(0xffff),
	};
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
}

static void make(struct crowd *crowd, uint32_t i, enum crowd_kind kind, struct rte_mbuf *m)
{
	struct crowd_conn *conn = &crowd->conn[i];
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	enum wk_dir dir = dir_of(kind);
	uint32_t data_off = OPTS_OFF + (is_syn(kind) ? SYN_OPTS_B : OPTS_B);
	uint32_t data_b;

	if (is_syn(kind))
		conn->seq[dir] = ISN;
	data_b = say(crowd, conn, kind, frame + data_off);
	put_headers(crowd, i, kind, frame, data_b);
	conn->seq[dir] += data_b + is_syn(kind);
	m->data_len = (uint16_t)(data_off + data_b);
	m->pkt_len = m->data_len;
	m->ol_flags = 0;
	if (crowd->conf.verdicts)
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

/* What a worker does between its ports. @return how many packets go on. */
static uint32_t way(struct crowd *crowd, enum wk_dir dir, uint32_t n)
{
	struct wk_acl_verdict verdicts[CROWD_BURST];
	struct wk_pkt pkts[CROWD_BURST];
	struct wk_inspect_next next[CROWD_BURST];
	uint32_t forwarded = 0;
	uint32_t service;

	wk_pkt_parse_burst(mbufs, (uint16_t)n, pkts);
	wk_acl_classify_burst(crowd->acl, pkts, (uint16_t)n, verdicts);
	for (uint32_t i = 0; i < n; i++)
		next[i] = (struct wk_inspect_next){ &pkts[i], 0, dir };
	wk_inspect_ahead(crowd->inspect, next, n);
	for (uint32_t i = 0; i < n; i++)
		if (verdicts[i].action == WK_ACL_GUARD &&
		    wk_acl_service(&verdicts[i], dir, &service))
			forwarded += wk_inspect_packet(crowd->inspect, &pkts[i], service, 0, dir,
						       crowd->now_ns) == WK_INSPECT_FORWARD;
	return forwarded;
}

uint64_t crowd_burst(struct crowd *crowd, enum crowd_kind kind, const uint32_t *conns, uint32_t n)
{
	bool absorbed = crowd->conf.denied && kind == CROWD_CALL;
	uint64_t begin, end;
	uint32_t forwarded;

	for (uint32_t i = 0; i < n; i++)
		make(crowd, conns[i], kind, mbufs[i]);
	crowd->now_ns += BURST_NS;
	begin = rte_rdtsc_precise();
	forwarded = way(crowd, dir_of(kind), n);
	end = rte_rdtsc_precise();
	if (forwarded != (absorbed ? 0 : n)) {
		for (int r = 0; r < WK_REASON_MAX; r++)
			if (crowd->stats.reason[r] > 0)
				fprintf(stderr, "%s %ju\n", wk_reason_key((enum wk_reason)r),
					(uintmax_t)crowd->stats.reason[r]);
		die("a packet did not go the way it should");
	}
	return end - begin;
}

uint64_t crowd_all(struct crowd *crowd, enum crowd_kind kind)
{
	uint32_t conns[CROWD_BURST];
	uint64_t cycles = 0;
	uint32_t n;

	for (uint32_t i = 0; i < crowd->conf.n; i += n) {
		n = RTE_MIN(CROWD_BURST, crowd->conf.n - i);
		for (uint32_t k = 0; k < n; k++)
			conns[k] = i + k;
		cycles += crowd_burst(crowd, kind, conns, n);
	}
	return cycles;
}

uint64_t crowd_connect(struct crowd *crowd, uint64_t *greet)
{
	uint32_t conns[CROWD_BURST];
	uint64_t cycles = 0;
	uint32_t n;

	*greet = 0;
	for (uint32_t i = 0; i < crowd->conf.n; i += n) {
		n = RTE_MIN(CROWD_BURST, crowd->conf.n - i);
		for (uint32_t k = 0; k < n; k++)
			conns[k] = i + k;
		for (int kind = CROWD_SYN; kind <= CROWD_THIRD; kind++)
			cycles += crowd_burst(crowd, (enum crowd_kind)kind, conns, n);
	}
	for (int kind = CROWD_PREFACE; kind <= CROWD_SETTINGS_ACK; kind++)
		*greet += crowd_all(crowd, (enum crowd_kind)kind);
	*greet += crowd_all(crowd, CROWD_ACK);
	return cycles;
}

void crowd_rest(struct crowd *crowd, uint64_t ns)
{
	uint64_t end_ns = crowd->now_ns + ns;

	while (crowd->now_ns < end_ns) {
		crowd->now_ns += 50000;
		wk_inspect_timers(crowd->inspect, crowd->now_ns);
	}
}

uint64_t crowd_used_b(const struct crowd *crowd)
{
	struct wk_inspect_usage usage;

	wk_inspect_usage(crowd->inspect, &usage);
	return usage.mem.used_b;
}
