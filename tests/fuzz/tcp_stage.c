/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp_stage.h"

#include <string.h>

#define MS_NS      1000000ull
#define TIMERS_MAX 64u /* that may come due in a row without progress of time */
#define INSERT_MAX 300u
#define LAST_WORDS "these are the last words"
#define SMALL_HOLD 2000u

static uint8_t arena[STAGE_ARENA_B * 2] __attribute__((aligned(64)));

/* Any byte of a stream has its value: where the frames end, a hash goes on. */
static uint8_t stream_byte(void *user, enum wk_dir dir, uint64_t at, uint32_t version)
{
	const struct stage *stage = user;
	const struct proto_stream *stream = &stage->peer[dir].stream;
	bool soft = at >= stream->len_b || stream->soft[at];
	uint8_t byte = at < stream->len_b ? stream->bytes[at] : (uint8_t)(at * 37 + (at >> 8));

	switch (version) {
	case 1:
		return soft ? byte ^ 0xff : byte; /* another payload */
	case 2:
		return soft ? byte : byte ^ ('D' ^ 'X'); /* a frame of another kind */
	case 3:
		return byte ^ 1;
	default:
		return byte;
	}
}

static int hook_judge(void *user, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
		      struct wk_op_list *ops)
{
	struct stage *stage = user;
	int ret = judge_bytes(&stage->judge, dir, data, len_b, ops);

	if (ret == 0)
		tap_judged(&stage->tap, dir, data, ops);
	must(!stage->judge.fault);
	return ret;
}

static void hook_finished(void *user, enum wk_dir dir)
{
	struct stage *stage = user;
	const struct judge_dir *d = &stage->judge.dir[dir];

	judge_finished(&stage->judge, dir);
	must(!stage->judge.fault);
	tap_finished(&stage->tap, dir, d->held, d->held_b, dir == WK_S2C || stage->tap.passive);
}

static uint32_t hook_pending(void *user)
{
	struct stage *stage = user;

	return stage->tap.n_inserts < TAP_INSERTS ? judge_pending(&stage->judge) : 0;
}

/* One at a time: where each begins has to be known. */
static uint32_t hook_pull(void *user, uint8_t *buf, uint32_t room_b)
{
	struct stage *stage = user;
	uint32_t len_b = judge_pending(&stage->judge);

	must(len_b <= room_b);
	proto_insertion(stage->judge.salt, stage->judge.pulled++, INSERT_MAX, buf);
	tap_inserted(&stage->tap, buf, len_b);
	return len_b;
}

static void last_words(struct stage *stage)
{
	stage->tap.last_words = (const uint8_t *)LAST_WORDS;
	stage->tap.last_words_b = sizeof(LAST_WORDS) - 1;
	stage->tap.last_words_at = stage->flow.half[WK_S2C].e_out - 1;
}

static uint32_t hook_farewell(void *user, uint8_t *buf, uint32_t room_b)
{
	must(room_b >= sizeof(LAST_WORDS) - 1);
	memcpy(buf, LAST_WORDS, sizeof(LAST_WORDS) - 1);
	last_words(user);
	return sizeof(LAST_WORDS) - 1;
}

/* With TCP_FUZZ_TRACE in the environment each packet is a line. */
static bool traced(void)
{
	static int asked = -1;

	if (asked < 0)
		asked = getenv("TCP_FUZZ_TRACE") != NULL;
	return asked;
}

static void trace(const struct stage *stage, const char *what, enum wk_dir dir,
		  const struct wk_tcp_seg *seg)
{
	const struct tap_half *half = &stage->tap.half[dir];
	const struct tap_half *other = &stage->tap.half[wk_dir_flip(dir)];

	if (!traced())
		return;
	fprintf(stderr, "%10.3f %-9s %s%s%s%s%s seq %u len %u ack %u wnd %u",
		(double)stage->now_ns / 1e6, what, dir == WK_C2S ? "c>s " : "s>c ",
		seg->flags & WK_TCP_SYN ? "S" : "", seg->flags & WK_TCP_FIN ? "F" : "",
		seg->flags & WK_TCP_RST ? "R" : "", seg->flags & WK_TCP_ACK ? "" : "no ACK ",
		seg->seq - half->isn, seg->data_len_b, seg->ack - other->isn, seg->wnd);
	for (uint32_t i = 0; i < seg->n_sack; i++)
		fprintf(stderr, " sack %u-%u", seg->sack[i].left - other->isn,
			seg->sack[i].right - other->isn);
	if (seg->has_ts)
		fprintf(stderr, " ts %u", seg->tsval);
	fprintf(stderr, "\n");
}

static void trace_halves(const struct stage *stage)
{
	if (!traced())
		return;
	for (int d = 0; d < WK_DIRS; d++) {
		const struct wk_tcp_half *half = &stage->flow.half[d];

		fprintf(stderr,
			"  %s e %lu/%lu b %lu nxt %lu edge %lu acked %lu given %lu owned %lu "
			"gone %lu held %u recs %u fin %lu/%lu\n",
			d == WK_C2S ? "c>s" : "s>c", half->e_in, half->e_out, half->b_out,
			half->nxt_out, half->edge_out, half->acked_in, half->edge_given,
			half->owned_in, half->gone_in, half->held_len_b, half->n_recs, half->fin_in,
			half->fin_out);
	}
}

static void leaves(struct stage *stage, const struct sim_pkt *pkt, const struct wk_tcp_seg *in)
{
	const struct judge_dir *d = &stage->judge.dir[WK_C2S];
	struct wk_tcp_seg seg;

	/* What is built must be right; what was said passes as it is. */
	must(pkt_read(pkt, &seg) || (in && wk_tcp_seg_parse(&seg, pkt->b, pkt->len_b) == 0));
	stage->tap.data_left_b = d->rem_kind == PROTO_DATA ? d->rem_b : 0;
	trace(stage, in ? "  forward" : "  built", pkt->dir, &seg);
	tap_leaves(&stage->tap, pkt->dir, &seg, in);
}

static void hook_tx(void *user, const struct wk_tcp_out *out)
{
	struct sim_pkt *pkt = pkt_build_out(out);

	leaves(user, pkt, NULL);
	free(pkt);
}

static const struct wk_tcp_hooks hooks = {
	.judge = hook_judge,
	.finished = hook_finished,
	.pending = hook_pending,
	.pull = hook_pull,
	.farewell = hook_farewell,
	.tx = hook_tx,
};

static struct wk_tcp_env env_now(struct stage *stage)
{
	return (struct wk_tcp_env){
		.now_ns = stage->now_ns,
		.mem = stage->mem,
		.stats = &stage->stats,
		.limits = &stage->limits,
		.hooks = &hooks,
		.user = stage,
	};
}

static void make_streams(struct stage *stage)
{
	struct sim_rng rng = { .state = stage->cfg.seed };
	uint8_t mix = stage->cfg.mix;
	struct proto_mix client = {
		.frames = 4 + (mix & 7u) * 4,
		.weight_data = 6,
		.weight_ctrl = 2,
		.weight_deny = mix & 8 ? 3u : 0,
		.weight_deny_stream = mix & 0x10 ? 3u : 0,
		.weight_eat = mix & 0x10 ? 2u : 0,
		.weight_repl = mix & 0x20 ? 3u : 0,
		.data_max_b = 400,
		.whole_max_b = 100,
		.eat_max_b = 200,
		.repl_max_b = 300,
		.truncated = mix & 0x80,
	};
	struct proto_mix server = {
		.frames = 4 + (mix & 7u) * 4,
		.weight_data = 6,
		.weight_head = 2,
		.weight_settings = mix & 0x40 ? 2u : 0,
		.data_max_b = 400,
		.whole_max_b = 100,
		.patch_permille = mix & 0x40 ? 500u : 0,
	};

	proto_make_client(&stage->peer[WK_C2S].stream, &client, &rng);
	proto_make_server(&stage->peer[WK_S2C].stream, &server, &rng);
}

static void set_bounds(struct stage *stage)
{
	stage->limits = wk_tcp_limits_default;
	if (!stage->cfg.small)
		return;
	stage->limits.hold_b = SMALL_HOLD;
	stage->limits.ooo_b = 1000;
	stage->limits.ledger_b = 600;
	stage->limits.ledger_records = 8;
}

/* Takes memory away until only so much is left, in blocks of any size. */
static void take_memory(struct stage *stage)
{
	struct wk_mem_usage usage;
	size_t size_b = WK_MEM_MAX_B;

	for (uint32_t i = 0; i < STAGE_BALLAST && size_b >= WK_MEM_MIN_B; i++, size_b /= 2) {
		wk_mem_usage(stage->mem, &usage);
		if (usage.arena_b - usage.used_b < stage->cfg.room_b + size_b)
			continue;
		stage->ballast[stage->n_ballast] = wk_mem_alloc(stage->mem, size_b);
		must(stage->ballast[stage->n_ballast++]);
	}
}

static void open_flow(struct stage *stage, struct wk_tcp_hs *hs)
{
	struct say third = stage_third(stage);
	struct sim_pkt *pkt = stage_pkt(stage, &third);
	struct wk_tcp_env env = env_now(stage);

	stage_check_third(stage, hs, pkt);
	wk_tcp_init(&stage->flow, hs, &env);
	if (stage->cfg.wscale == UINT8_MAX)
		tap_scale(&stage->tap, false);
	stage_input_pkt(stage, pkt, 0);
	must(wk_tcp_state(&stage->flow) == WK_TCP_ST_ESTABLISHED || stage->cfg.poor);
}

void stage_open(struct stage *stage, const struct stage_cfg *cfg)
{
	size_t arena_b = cfg->poor ? WK_MEM_MAX_B : STAGE_ARENA_B;
	struct wk_tcp_hs hs;

	memset(stage, 0, sizeof(*stage));
	stage->cfg = *cfg;
	stage->now_ns = 1000 * MS_NS;
	set_bounds(stage);
	must(wk_mem_footprint(arena_b) <= sizeof(arena));
	stage->mem = wk_mem_create(arena, wk_mem_footprint(arena_b));
	must(stage->mem);
	if (cfg->poor)
		take_memory(stage);
	make_streams(stage);
	judge_init(&stage->judge, cfg->seed, INSERT_MAX);
	stage->judge.passive = cfg->passive;
	tap_init(&stage->tap, &stage->flow);
	stage->tap.byte = stream_byte;
	stage->tap.user = stage;
	stage->tap.passive = cfg->passive;
	stage->peer[WK_C2S].nxt = stage->peer[WK_S2C].nxt = 1;
	stage_shake_hands(stage, &hs);
	open_flow(stage, &hs);
}

void stage_close(struct stage *stage)
{
	struct wk_tcp_env env = env_now(stage);
	struct wk_mem_usage usage;

	if (!stage->over)
		wk_tcp_fini(&stage->flow, &env);
	for (uint32_t i = 0; i < stage->n_ballast; i++)
		wk_mem_free(stage->mem, stage->ballast[i]);
	wk_mem_usage(stage->mem, &usage);
	must(usage.used_b == 0);
	must(stage->stats.counter[WK_CNT_INVARIANT] == 0);
	wk_mem_destroy(stage->mem);
	judge_fini(&stage->judge);
	tap_fini(&stage->tap);
	for (int d = 0; d < WK_DIRS; d++)
		proto_free(&stage->peer[d].stream);
}

uint64_t stage_received(const struct stage *stage, enum wk_dir dir)
{
	const struct tap_half *half = &stage->tap.half[dir];
	uint64_t at = stage->flow.half[dir].b_out;
	const struct range *range = ranges_find(&half->got, at);

	if (range)
		at = range->to < half->end_out ? range->to : half->end_out;
	if (half->fin_got && half->fin_out == at && at > 0 && half->end_out > at)
		at++;
	return at;
}

struct say stage_says(struct stage *stage, enum wk_dir dir, uint64_t in, uint32_t len_b)
{
	return (struct say){
		.dir = dir,
		.in = in,
		.len_b = len_b,
		.flags = WK_TCP_ACK,
		.ack = stage_received(stage, wk_dir_flip(dir)),
		.wnd_b = stage->cfg.wnd_b[dir],
	};
}

static uint8_t put_opts(const struct stage *stage, const struct say *say, uint8_t *opts)
{
	const struct tap_half *other = &stage->tap.half[wk_dir_flip(say->dir)];
	struct wk_tcp_sack sack[WK_TCP_SACK_MAX];
	uint32_t n_max = stage->cfg.ts ? 3 : 4, n = 0;
	uint8_t len_b = 0;

	if (say->opts) {
		memcpy(opts, say->opts, say->opts_len_b);
		return say->opts_len_b;
	}
	if (stage->cfg.ts)
		len_b = opt_put_ts(opts, 0,
				   stage->cfg.ts_base + 100u * say->dir +
					   (uint32_t)(stage->now_ns / MS_NS) +
					   (uint32_t)say->ts_step,
				   other->ts_out);
	for (; n < say->n_sack && n < n_max; n++) {
		sack[n].left = wk_seq_wrap(other->isn, say->sack[n][0]);
		sack[n].right = wk_seq_wrap(other->isn, say->sack[n][1]);
	}
	if (n > 0)
		len_b = opt_put_sack(opts, len_b, sack, n);
	return len_b;
}

struct sim_pkt *stage_pkt(const struct stage *stage, const struct say *say)
{
	uint8_t opts[WK_TCP_OPTS_MAX_B];
	const struct tap_half *half = &stage->tap.half[say->dir];
	const struct tap_half *other = &stage->tap.half[wk_dir_flip(say->dir)];
	uint32_t wnd = say->wnd_b >> half->shift;
	struct wk_tcp_seg seg = {
		.seq = wk_seq_wrap(half->isn, say->in),
		.ack = wk_seq_wrap(other->isn, say->ack),
		.wnd = (uint16_t)(wnd > UINT16_MAX ? UINT16_MAX : wnd),
		.flags = say->flags,
		.opts = opts,
		.opts_len_b = put_opts(stage, say, opts),
		.data_len_b = say->len_b,
	};
	struct sim_pkt *pkt;
	uint8_t *data;

	data = malloc(say->len_b + 1u);
	must(data);
	/* In front of the first byte there is none: such a segment is stale whatever it says. */
	for (uint32_t i = 0; i < say->len_b; i++)
		data[i] = say->in + i >= 1 ? stream_byte((void *)(uintptr_t)stage, say->dir,
							 say->in + i - 1, say->version)
					   : 0;
	seg.data = data;
	pkt = pkt_build(say->dir, &seg);
	free(data);
	return pkt;
}

void stage_input(struct stage *stage, const struct say *say)
{
	if (say->in + say->len_b <= STAGE_FAR_B)
		stage_input_pkt(stage, stage_pkt(stage, say), say->version);
}

/* How many packets one may bring about: those that its bytes, and what waited, are cut into. */
static void check_count(const struct stage *stage, uint32_t waited, uint32_t recs)
{
	must(stage->tap.built <= 8 + waited + recs + stage->tap.built_b / 32);
}

static uint32_t count_waiting(const struct stage *stage)
{
	uint32_t n = 0;

	for (int d = 0; d < WK_DIRS; d++)
		for (const struct wk_tcp_ooo *ooo = stage->flow.half[d].ooo; ooo; ooo = ooo->next)
			n++;
	return n;
}

static void pass_on(struct stage *stage, struct sim_pkt *pkt, const struct wk_tcp_seg *in,
		    bool was_closed)
{
	static const enum wk_reason_class classes[] = {
		[WK_TCP_FORWARD] = WK_REASON_FORWARD,
		[WK_TCP_ABSORB] = WK_REASON_ABSORB,
		[WK_TCP_DROP] = WK_REASON_DROP,
	};
	const struct wk_tcp_result *result = &stage->result;
	struct sim_pkt *copy;

	must(wk_reason_class(result->reason) == classes[result->verdict]);
	if (stage->tap.passive)
		must(result->verdict == WK_TCP_FORWARD && result->edits == 0);
	if (result->verdict != WK_TCP_FORWARD)
		return;
	must(stage->tap.passive || !was_closed);
	copy = pkt_copy(pkt);
	pkt_edit(copy, result);
	leaves(stage, copy, in);
	free(copy);
}

void stage_input_pkt(struct stage *stage, struct sim_pkt *pkt, uint32_t version)
{
	bool was_closed = stage->flow.state == WK_TCP_ST_CLOSED;
	uint32_t waited = count_waiting(stage);
	uint32_t recs = stage->flow.half[WK_C2S].n_recs + stage->flow.half[WK_S2C].n_recs;
	struct wk_tcp_env env = env_now(stage);
	struct wk_tcp_seg seg;

	if (stage->over || wk_tcp_seg_parse(&seg, pkt->b, pkt->len_b) != 0) {
		free(pkt);
		return;
	}
	trace(stage, "in", pkt->dir, &seg);
	for (int d = 0; d < WK_DIRS; d++)
		stage->tap.stale_edge[d] = stage->tap.half[d].edge_max;
	tap_arrives(&stage->tap, pkt->dir, &seg, version);
	tap_before(&stage->tap);
	wk_tcp_input(&stage->flow, pkt->dir, &seg, &env, &stage->result);
	check_count(stage, waited, recs);
	pass_on(stage, pkt, &seg, was_closed);
	trace_halves(stage);
	tap_after(&stage->tap, &stage->limits);
	free(pkt);
}

uint64_t stage_deadline(const struct stage *stage)
{
	return stage->over ? NEVER : wk_tcp_deadline(&stage->flow, &stage->limits);
}

static void run_timer(struct stage *stage)
{
	struct wk_tcp_env env = env_now(stage);

	tap_before(&stage->tap);
	if (!wk_tcp_timer(&stage->flow, &env)) {
		wk_tcp_fini(&stage->flow, &env);
		stage->over = true;
		return;
	}
	check_count(stage, 0, stage->flow.half[WK_C2S].n_recs + stage->flow.half[WK_S2C].n_recs);
	tap_after(&stage->tap, &stage->limits);
	/* What was due has been done. */
	must(stage_deadline(stage) > stage->now_ns);
}

void stage_wait(struct stage *stage, uint64_t ns)
{
	uint64_t until = stage->now_ns + ns;
	uint32_t n = 0;

	while (!stage->over && stage_deadline(stage) <= until) {
		if (stage_deadline(stage) > stage->now_ns)
			stage->now_ns = stage_deadline(stage);
		must(n++ < TIMERS_MAX + ns / (100 * MS_NS));
		run_timer(stage);
	}
	stage->now_ns = until;
}

void stage_poke(struct stage *stage)
{
	struct wk_tcp_env env = env_now(stage);

	if (stage->over)
		return;
	stage->judge.wanted++;
	tap_before(&stage->tap);
	wk_tcp_poke(&stage->flow, &env);
	tap_after(&stage->tap, &stage->limits);
}

static void set_passive(struct stage *stage, bool passive)
{
	stage->judge.passive = stage->tap.passive = passive;
}

void stage_switch(struct stage *stage)
{
	bool mid_stream;

	if (stage->over)
		return;
	if (stage->tap.passive) {
		if (wk_tcp_enforce(&stage->flow, &mid_stream)) {
			must(!stage->cfg.strange || !stage->cfg.passive ||
			     wk_tcp_state(&stage->flow) == WK_TCP_ST_CLOSED);
			set_passive(stage, false);
			tap_enforced(&stage->tap);
		}
	} else if (judge_pending(&stage->judge) == 0 && wk_tcp_relax(&stage->flow)) {
		set_passive(stage, true);
	}
}

void stage_reset(struct stage *stage)
{
	struct wk_tcp_env env = env_now(stage);

	if (stage->over)
		return;
	tap_before(&stage->tap);
	last_words(stage);
	wk_tcp_reset(&stage->flow, &env, stage->tap.last_words, stage->tap.last_words_b);
}

void stage_too_big(struct stage *stage, enum wk_dir dir, uint64_t out, uint32_t len_b,
		   uint64_t since_ns)
{
	const struct tap_half *half = &stage->tap.half[dir];
	struct wk_tcp_env env = env_now(stage);
	uint32_t seq = wk_seq_wrap(half->isn, out), in_seq;
	uint64_t said = half->fin_in > half->versions_b ? half->fin_in : half->versions_b;
	int64_t in;

	if (stage->over || stage->tap.passive || !wk_tcp_quoted(&stage->flow, dir, seq, &in_seq))
		return;
	/* A number that its sender takes to be under way. */
	in = wk_seq_unwrap(half->isn, in_seq, half->told_ack);
	must(in >= (int64_t)half->told_ack && in <= (int64_t)said + 1);
	tap_before(&stage->tap);
	wk_tcp_too_big(&stage->flow, dir, seq, len_b, since_ns, &env);
	check_count(stage, 0, stage->flow.half[dir].n_recs);
	tap_after(&stage->tap, &stage->limits);
}
