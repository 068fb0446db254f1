/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h" /* to see what the flow still holds */

#define ARENA_B      (8u << 20)
#define HANDSHAKE_NS (30ull * 1000000000ull) /* life of one */

void trace(uint64_t now_ns, const char *where, const struct sim_pkt *pkt, const char *what)
{
	struct wk_tcp_seg seg;

	if (!pkt_read(pkt, &seg))
		return;
	if (pkt->quoted_b > 0) {
		printf("%12.6f %-14s %sICMP about seq %u len %u: mtu %u %s\n", (double)now_ns / 1e9,
		       where, pkt->dir == WK_C2S ? "c>s " : "s>c ", seg.seq, pkt->quoted_b,
		       pkt->mtu_b, what);
		return;
	}
	printf("%12.6f %-14s %s%s%s%s%s%s%s seq %u len %u ack %u wnd %u", (double)now_ns / 1e9,
	       where, pkt->dir == WK_C2S ? "c>s " : "s>c ", seg.flags & WK_TCP_SYN ? "S" : "",
	       seg.flags & WK_TCP_FIN ? "F" : "", seg.flags & WK_TCP_RST ? "R" : "",
	       seg.flags & WK_TCP_PSH ? "P" : "", seg.flags & WK_TCP_ECE ? "E" : "",
	       seg.flags & WK_TCP_CWR ? "W" : "", seg.seq, seg.data_len_b, seg.ack, seg.wnd);
	if (seg.has_ts)
		printf(" ts %u/%u", seg.tsval, seg.tsecr);
	for (uint32_t i = 0; i < seg.n_sack; i++)
		printf(" sack %u-%u", seg.sack[i].left, seg.sack[i].right);
	printf(" %s\n", what);
}

static bool holds(void *user, enum wk_dir dir, uint64_t in)
{
	const struct box *box = user;

	for (const struct wk_tcp_ooo *ooo = box->flow.half[dir].ooo; ooo; ooo = ooo->next)
		if (!ooo->gone && in >= ooo->in_off && in < ooo->in_off + ooo->len_b)
			return true;
	return false;
}

/* A fault that holds for passive flows too. */
static void box_fail(struct box *box, const char *what)
{
	box->check.mute = false;
	check_fail(&box->check, "%s", what);
}

static int hook_judge(void *user, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
		      struct wk_op_list *ops)
{
	struct box *box = user;
	int ret = judge_bytes(&box->judge, dir, data, len_b, ops);

	if (box->cfg.verbose)
		printf("%12.6f judge %s %u bytes: %d, %u ops, in %" PRIu64 " out %" PRIu64 "\n",
		       (double)box->now_ns / 1e9, dir == WK_C2S ? "c>s" : "s>c", len_b, ret, ops->n,
		       box->judge.dir[dir].in_b, box->judge.dir[dir].out_b);
	return ret;
}

static void hook_finished(void *user, enum wk_dir dir)
{
	judge_finished(&((struct box *)user)->judge, dir);
}

static uint32_t hook_pending(void *user)
{
	return judge_pending(&((struct box *)user)->judge);
}

static uint32_t hook_pull(void *user, uint8_t *buf, uint32_t room_b)
{
	struct box *box = user;
	uint32_t len_b = judge_pull(&box->judge, buf, room_b);

	if (len_b > 0)
		box->waits_ns = 0; /* another is the oldest now */

	if (len_b > 0)
		check_inserted(&box->check, WK_S2C, box->flow.half[WK_S2C].e_out - 1, len_b);
	if (box->cfg.verbose)
		printf("%12.6f insertion of %u bytes at %" PRIu64 "\n", (double)box->now_ns / 1e9,
		       len_b, box->flow.half[WK_S2C].e_out - 1);
	return len_b;
}

static uint32_t hook_ask_pending(void *user)
{
	return judge_ask_pending(&((struct box *)user)->judge);
}

static uint32_t hook_ask_pull(void *user, uint8_t *buf, uint32_t room_b)
{
	struct box *box = user;
	const struct wk_tcp_half *half = &box->flow.half[WK_C2S];
	uint32_t len_b = judge_ask_pull(&box->judge, half->e_in - 1, half->e_out - 1, buf, room_b);

	if (len_b > 0)
		check_inserted(&box->check, WK_C2S, half->e_out - 1, len_b);
	if (box->cfg.verbose)
		printf("%12.6f insertion of %u bytes towards the server at %" PRIu64 "\n",
		       (double)box->now_ns / 1e9, len_b, half->e_out - 1);
	return len_b;
}

static uint32_t hook_farewell(void *user, uint8_t *buf, uint32_t room_b)
{
	(void)user;
	(void)buf;
	(void)room_b;
	return 0;
}

static void leave(struct box *box, struct sim_pkt *pkt, const struct wk_tcp_seg *in,
		  const char *what)
{
	struct wk_tcp_seg seg;

	if (box->cfg.verbose)
		trace(box->now_ns, "  box sends", pkt, what);
	if (!pkt_read(pkt, &seg))
		check_fail(&box->check, "a packet that does not parse was made");
	else
		check_out(&box->check, pkt->dir, &seg, in);
	if (box->judge.fault)
		check_fail(&box->check, "%s", box->judge.fault);
	box->send(box->user, pkt);
}

/* As packets that fit the path, as far as that is known: FIN and PSH in the last one, CWR in the
 * first. */
static void leave_cut(struct box *box, struct sim_pkt *whole)
{
	uint32_t mtu_b = box->path_mtu_b[whole->dir], from_b = 0, room_b, left_b;
	struct wk_tcp_seg seg, part;

	if (mtu_b == 0 || whole->len_b + SIM_IP_HDR_B <= mtu_b || !pkt_read(whole, &seg)) {
		box->built++;
		leave(box, whole, NULL, "built");
		return;
	}
	room_b = mtu_b - SIM_IP_HDR_B - WK_TCP_HDR_MIN_B - seg.opts_len_b;
	while (from_b < seg.data_len_b) {
		left_b = seg.data_len_b - from_b;
		part = seg;
		part.seq += from_b;
		part.data += from_b;
		part.data_len_b = left_b < room_b ? left_b : room_b;
		if (left_b > room_b)
			part.flags &= (uint8_t) ~(WK_TCP_FIN | WK_TCP_PSH);
		if (from_b > 0)
			part.flags &= (uint8_t)~WK_TCP_CWR;
		from_b += part.data_len_b;
		box->built++;
		leave(box, pkt_build(whole->dir, &part), NULL, "built");
	}
	free(whole);
}

/* What waits behind a hole is kept, and may be the box's to send again later. */
static void note_waiting(struct box *box, enum wk_dir dir)
{
	for (const struct wk_tcp_ooo *ooo = box->flow.half[dir].ooo; ooo; ooo = ooo->next)
		if (!ooo->gone)
			ranges_add(&box->judge.dir[dir].kept, ooo->in_off - 1,
				   ooo->in_off - 1 + ooo->len_b);
}

static void hook_tx(void *user, const struct wk_tcp_out *out)
{
	struct box *box = user;

	if (box->cfg.passive)
		box_fail(box, "a passive flow built a packet");
	/* What has come with this packet may be acknowledged by it. */
	note_waiting(box, wk_dir_flip(out->dir));
	leave_cut(box, pkt_build_out(out));
}

static const struct wk_tcp_hooks hooks = {
	.judge = hook_judge,
	.finished = hook_finished,
	.pending = hook_pending,
	.pull = hook_pull,
	.server_pending = hook_ask_pending,
	.server_pull = hook_ask_pull,
	.farewell = hook_farewell,
	.tx = hook_tx,
};

/* How long insertions wait for a place. */
static void clock_wait(struct box *box)
{
	if (judge_pending(&box->judge) == 0 || box->judge.dir[WK_S2C].finished ||
	    wk_tcp_state(&box->flow) != WK_TCP_ST_ESTABLISHED)
		box->waits_ns = 0;
	else if (box->waits_ns == 0)
		box->waits_ns = box->now_ns;
	if (box->waits_ns > 0 && box->now_ns - box->waits_ns > box->waited_ns)
		box->waited_ns = box->now_ns - box->waits_ns;
}

struct wk_tcp_env box_env(struct box *box)
{
	return (struct wk_tcp_env){
		.now_ns = box->now_ns,
		.mem = box->mem,
		.stats = &box->stats,
		.limits = &box->cfg.limits,
		.hooks = &hooks,
		.user = box,
	};
}

static void set_passive(struct box *box, bool passive)
{
	box->cfg.passive = box->judge.passive = box->check.mute = passive;
	if (box->cfg.verbose)
		printf("%12.6f the flow is %s\n", (double)box->now_ns / 1e9,
		       passive ? "passive" : "enforcing");
}

void box_init(struct box *box, const struct box_cfg *cfg, uint64_t salt, uint32_t insert_max_b)
{
	size_t footprint = wk_mem_footprint(ARENA_B);

	*box = (struct box){ .cfg = *cfg, .poke_ns = UINT64_MAX, .reset_ns = UINT64_MAX };
	box->switch_ns = UINT64_MAX;
	box->want_passive = cfg->passive;
	judge_init(&box->judge, salt, insert_max_b);
	set_passive(box, cfg->passive);
	box->check.judge = &box->judge;
	box->check.holds = holds;
	box->check.user = box;
	footprint = (footprint + 63) / 64 * 64;
	box->arena = aligned_alloc(64, footprint);
	if (!box->arena)
		abort();
	box->mem = wk_mem_create(box->arena, footprint);
}

void box_fini(struct box *box)
{
	judge_fini(&box->judge);
	check_fini(&box->check);
	free(box->arena);
}

void box_close(struct box *box)
{
	struct wk_tcp_env env = box_env(box);
	struct wk_mem_usage usage;

	if (box->has_flow)
		wk_tcp_fini(&box->flow, &env);
	box->has_flow = box->has_hs = false;
	wk_mem_usage(box->mem, &usage);
	if (usage.used_b != 0)
		check_fail(&box->check, "%" PRIu64 " bytes of memory not given back", usage.used_b);
	if (box->stats.counter[WK_CNT_INVARIANT] > 0)
		check_fail(&box->check, "lib/tcp itself found a broken invariant");
}

static void answer_stray(struct box *box, struct sim_pkt *pkt, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_out out;

	if (wk_tcp_refuse(seg, pkt->dir, &out))
		box->send(box->user, pkt_build_out(&out));
	free(pkt);
}

/* What a packet is to the box. */
enum belongs {
	STRAY,    /* nothing */
	EARLY,    /* one of a handshake's, or none of it: the result says */
	FOLLOWED, /* the flow's */
};

static bool is_client_syn(enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	uint8_t hand = WK_TCP_SYN | WK_TCP_ACK | WK_TCP_RST | WK_TCP_FIN;

	return dir == WK_C2S && (seg->flags & hand) == WK_TCP_SYN;
}

static enum belongs shake_hands(struct box *box, enum wk_dir dir, const struct wk_tcp_seg *seg,
				struct wk_tcp_result *result)
{
	struct wk_tcp_env env = box_env(box);

	switch (wk_tcp_hs_input(&box->hs, dir, seg, &box->stats, result)) {
	case WK_TCP_HS_DONE:
		if (box->has_flow)
			wk_tcp_fini(&box->flow, &env);
		wk_tcp_init(&box->flow, &box->hs, &env);
		box->has_flow = box->had_flow = true;
		box->has_hs = false;
		return FOLLOWED;
	case WK_TCP_HS_OVER:
		box->has_hs = false;
		return EARLY;
	case WK_TCP_HS_ON:
		box->hs_ns = box->now_ns;
		return EARLY;
	default:
		return box->has_flow ? FOLLOWED : EARLY;
	}
}

static enum belongs find_flow(struct box *box, enum wk_dir dir, const struct wk_tcp_seg *seg,
			      struct wk_tcp_result *result)
{
	bool over = box->has_flow && wk_tcp_state(&box->flow) == WK_TCP_ST_CLOSED;

	if (box->has_flow && !over)
		return FOLLOWED;
	if (box->has_hs && box->now_ns - box->hs_ns > HANDSHAKE_NS)
		box->has_hs = false;
	if (!box->has_hs && is_client_syn(dir, seg) && (over || !box->had_flow)) {
		wk_tcp_hs_start(&box->hs, seg, box->cfg.passive);
		box->has_hs = true;
	}
	if (box->has_hs)
		return shake_hands(box, dir, seg, result);
	return box->has_flow ? FOLLOWED : STRAY;
}

/* Brings the flow to the mode asked for, as soon as it can be. */
static void follow_mode(struct box *box)
{
	bool mid_stream;

	if (box->now_ns >= box->switch_ns) {
		box->want_passive = !box->want_passive;
		box->switch_ns = box->now_ns + box->switch_gap_ns;
	}
	if (box->want_passive == box->cfg.passive)
		return;
	if (box->want_passive && judge_pending(&box->judge) == 0 && wk_tcp_relax(&box->flow)) {
		set_passive(box, true);
	} else if (!box->want_passive && wk_tcp_enforce(&box->flow, &mid_stream)) {
		/* What it lost track of before its end went on all the same. */
		if (wk_tcp_state(&box->flow) == WK_TCP_ST_CLOSED)
			ranges_add(&box->judge.dir[WK_C2S].watched, box->judge.dir[WK_C2S].in_b,
				   UINT64_MAX);
		set_passive(box, false);
	}
}

static void settle(struct box *box, enum wk_dir dir)
{
	struct judge_dir *d = &box->judge.dir[dir];

	d->shift_max = d->shift_min = (int64_t)(d->in_b + d->lost_b - d->out_b);
}

/* A keepalive or window probe with its one byte. */
static bool is_probe(const struct box *box, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	const struct check_half *half = &box->check.half[dir];

	return seg->data_len_b == 1 && !(seg->flags & WK_TCP_FIN) &&
	       seg->seq + 1 == half->isn + (uint32_t)half->ack_in_max;
}

/* One packet through lib/tcp, and what can be said of it before it goes on. */
static struct wk_tcp_result pass(struct box *box, enum wk_dir dir, const struct wk_tcp_seg *seg,
				 bool forged)
{
	bool probe = !forged && !box->cfg.passive && is_probe(box, dir, seg);
	uint64_t left = box->check.left[dir];
	uint64_t told = box->check.half[dir].ack_in_max;
	struct wk_tcp_env env = box_env(box);
	struct wk_tcp_result result = { 0 };
	bool open;

	settle(box, WK_C2S);
	wk_tcp_input(&box->flow, dir, seg, &env, &result);
	if (box->cfg.mistake)
		mistake_make(box->cfg.mistake, seg, &result);
	open = wk_tcp_state(&box->flow) == WK_TCP_ST_ESTABLISHED;
	check_bound(&box->check);
	clock_wait(box);
	/* Where an ACK that had been kept back answers it, the other side need not. */
	if (open && probe && result.verdict != WK_TCP_FORWARD && result.reason != WK_DROP_PAWS &&
	    box->check.left[dir] == left && box->check.half[dir].ack_in_max == told)
		check_fail(&box->check, "a probe did not reach the other side");
	if (open && !forged)
		check_hole(&box->check, dir, seg);
	if (box->cfg.passive && (result.verdict != WK_TCP_FORWARD || result.edits))
		box_fail(box, "a passive flow did not forward");
	if (box->judge.fault)
		check_fail(&box->check, "%s", box->judge.fault);
	return result;
}

static void forward(struct box *box, struct sim_pkt *pkt, const struct wk_tcp_result *result)
{
	struct sim_pkt *came = pkt_copy(pkt);
	struct wk_tcp_seg in;

	pkt_read(came, &in);
	pkt_edit(pkt, result);
	if (result->edits & WK_TCP_EDIT_NUMBERS)
		box->edited++;
	box->forwarded++;
	leave(box, pkt, &in, "forwarded");
	free(came);
}

void box_input(struct box *box, struct sim_pkt *pkt, bool forged, uint64_t now_ns)
{
	static const char *const verdicts[] = { "forward", "absorb", "drop" };
	struct wk_tcp_result result;
	struct wk_tcp_seg seg, own;
	enum wk_dir dir = pkt->dir;
	enum belongs belongs;

	box->now_ns = now_ns;
	if (box->cfg.verbose)
		trace(now_ns, forged ? "box gets FORGED" : "box gets", pkt, "");
	if (pkt->quoted_b > 0) {
		box_icmp(box, pkt, forged);
		return;
	}
	if (wk_tcp_seg_parse(&seg, pkt->b, pkt->len_b) != 0 || !pkt_read(pkt, &own)) {
		if (!forged)
			check_fail(&box->check, "wk_tcp_seg_parse refuses a good packet");
		box->dropped++;
		free(pkt);
		return;
	}
	belongs = find_flow(box, pkt->dir, &seg, &result);
	if (belongs == STRAY) {
		answer_stray(box, pkt, &seg);
		return;
	}
	if (forged)
		check_forged(&box->check);
	else
		check_in(&box->check, pkt->dir, &own);
	if (belongs == FOLLOWED) {
		follow_mode(box);
		note_waiting(box, WK_C2S);
		note_waiting(box, WK_S2C);
		result = pass(box, pkt->dir, &seg, forged);
	} else if (box->cfg.passive) {
		result = (struct wk_tcp_result){ .reason = WK_FWD_GUARDED };
	}
	if (box->cfg.verbose)
		printf("%12.6f   %s, %s, edits %x\n", (double)box->now_ns / 1e9,
		       verdicts[result.verdict], wk_reason_key(result.reason), result.edits);
	if (result.verdict == WK_TCP_FORWARD) {
		forward(box, pkt, &result);
	} else {
		if (result.verdict == WK_TCP_DROP)
			box->dropped++;
		else
			box->absorbed++;
		free(pkt);
	}
	check_settled(&box->check, dir, result.verdict == WK_TCP_DROP);
	if (wk_tcp_state(&box->flow) == WK_TCP_ST_ESTABLISHED)
		check_deleted(&box->check);
}

uint64_t box_deadline(const struct box *box)
{
	uint64_t at = box->has_flow ? wk_tcp_deadline(&box->flow, &box->cfg.limits) : UINT64_MAX;

	if (box->has_flow && box->poke_ns < at)
		at = box->poke_ns;
	if (box->has_flow && box->reset_ns < at)
		at = box->reset_ns;
	return at;
}

/* Resets both sides, with the next insertion as last words. */
static void end_by_operator(struct box *box, const struct wk_tcp_env *env)
{
	uint8_t buf[PROTO_INSERT_MAX_B];
	uint32_t len_b = 0;

	box->reset_ns = UINT64_MAX;
	box->excused = true;
	if (box->judge.dir[WK_S2C].started && wk_tcp_state(&box->flow) == WK_TCP_ST_ESTABLISHED) {
		box->judge.wanted = box->judge.pulled + 1;
		len_b = judge_pull(&box->judge, buf, sizeof(buf));
	}
	wk_tcp_reset(&box->flow, env, buf, len_b);
}

void box_timer(struct box *box, uint64_t now_ns)
{
	struct wk_tcp_env env;

	box->now_ns = now_ns;
	env = box_env(box);
	settle(box, WK_C2S);
	if (now_ns >= box->poke_ns) {
		box->poke_ns = UINT64_MAX;
		box->judge.wanted++;
		box->judge.asks++;
		wk_tcp_poke(&box->flow, &env);
	}
	if (now_ns >= box->reset_ns)
		end_by_operator(box, &env);
	if (now_ns < wk_tcp_deadline(&box->flow, &box->cfg.limits))
		return;
	if (!wk_tcp_timer(&box->flow, &env)) {
		wk_tcp_fini(&box->flow, &env);
		box->has_flow = false;
	} else if (wk_tcp_deadline(&box->flow, &box->cfg.limits) <= now_ns) {
		check_fail(&box->check, "a deadline that has passed stays due");
	}
}
