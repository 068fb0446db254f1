/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_fuzz.c - segments of both sides, and what else can happen to a flow, in any order.
 * What the input means is in tcp_input.h. The tap checks I1 to I4 (wk_tcp.h) with each packet; in
 * the end both peers are honest for a while and the streams must arrive (stage_calm). */
#include <string.h>

#include "tcp_input.h"
#include "tcp_stage.h"

#define STEPS        256u
#define END_B        20000u /* a stream that has come so far is long enough */
#define MS_NS        1000000ull
#define WHO          0x10u
#define ALL_ACK      0x40u
#define BURST_B      400u
#define THIRD_B      60u
#define THIRD_LATE_B 20u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct stage stage;

/* Numbers of interest to who says them. */
static uint64_t point_in(enum wk_dir dir, uint8_t which)
{
	const struct wk_tcp_half *half = &stage.flow.half[dir];
	const struct wk_tcp_rec *rec = half->head;

	switch (which & 15) {
	case 0:
		return stage.peer[dir].nxt;
	case 1:
		return half->acked_in;
	case 2:
		return half->e_in;
	case 3:
		return half->e_in + half->held_len_b;
	case 4:
		return half->ooo ? half->ooo->in_off : half->e_in + 10;
	case 5:
		return half->edge_given;
	case 6:
		return half->fin_in;
	case 7:
		return 0;
	case 8:
		return rec ? rec->in_off : half->base_in;
	case 9:
		return rec ? rec->in_off + rec->in_len_b : half->base_in;
	case 10:
		return half->tail ? half->tail->in_off : half->base_in;
	case 11:
		return half->owned_in;
	case 12:
		return half->gone_in;
	case 13:
		return half->to_boundary_b < 10000 ? half->e_in + half->to_boundary_b : half->e_in;
	case 14:
		return half->ooo ? half->ooo->in_off + half->ooo->len_b : half->e_in + 20;
	default:
		return 1;
	}
}

/* Numbers of interest to who reads the stream. */
static uint64_t point_out(enum wk_dir dir, uint8_t which)
{
	const struct wk_tcp_half *half = &stage.flow.half[dir];
	const struct wk_tcp_rec *rec = half->head;

	switch (which & 15) {
	case 0:
		return stage_received(&stage, dir);
	case 1:
		return half->b_out;
	case 2:
		return half->e_out;
	case 3:
		return half->nxt_out;
	case 4:
		return rec ? rec->out_off : half->base_out;
	case 5:
		return rec ? rec->out_off + rec->out_len_b : half->base_out;
	case 6:
		return half->tail ? half->tail->out_off : half->base_out;
	case 7:
		return half->tail ? half->tail->out_off + half->tail->out_len_b : half->base_out;
	case 8:
		return half->edge_out;
	case 9:
		return half->fin_out;
	case 10:
		return rec && rec->next ? rec->next->out_off : half->nxt_out;
	case 11:
		return 0;
	case 12:
		return half->drained_out;
	default:
		return stage_received(&stage, dir);
	}
}

static uint64_t beside(uint64_t at, uint8_t by)
{
	int64_t moved = (int64_t)at + (int8_t)by;

	return moved < 0 ? 0 : (uint64_t)moved;
}

static uint32_t length(uint8_t code)
{
	return code < 200 ? code : (code - 199u) * 64u;
}

static void put_sack(struct say *say, uint8_t how)
{
	const struct tap_half *half = &stage.tap.half[wk_dir_flip(say->dir)];
	enum wk_dir other = wk_dir_flip(say->dir);

	if (how == 0)
		return;
	if (how < 8) {
		/* What has arrived behind a hole, the last first. */
		for (uint32_t i = half->got.n; i-- > 0 && say->n_sack < (how & 3u) + 1;)
			if (half->got.r[i].from > say->ack) {
				say->sack[say->n_sack][0] = half->got.r[i].from;
				say->sack[say->n_sack++][1] = half->got.r[i].to;
			}
		return;
	}
	say->sack[0][0] = point_out(other, how);
	say->sack[0][1] = point_out(other, (uint8_t)(how - 6)) + (how & 1);
	say->sack[1][0] = say->ack + how;
	say->sack[1][1] = say->ack + 10u * how;
	say->n_sack = 1 + (how >> 2 & 1u);
}

static struct say read_say(const uint8_t *step, enum wk_dir dir)
{
	static const int32_t clocks[] = { 0, -1, -2000, 50000 };
	struct say say =
		stage_says(&stage, dir, beside(point_in(dir, step[2]), step[3]), length(step[5]));

	say.flags |= step[1] & (uint8_t) ~(WK_TCP_SYN | WK_TCP_RST | ALL_ACK | WK_TCP_ACK);
	say.version = step[7] & 3;
	say.ts_step = clocks[step[7] >> 2 & 3];
	if (step[6] & 15)
		say.wnd_b = (step[6] & 15) == 15 ? 0 : (step[6] & 15u) * 512u;
	put_sack(&say, step[6] >> 4);
	return say;
}

/* What nobody says who has to be believed. */
static void twist(struct say *say, const uint8_t *step)
{
	say->ack = beside(point_out(wk_dir_flip(say->dir), step[2] >> 4), step[4]);
	if (step[1] & ALL_ACK)
		say->flags &= (uint8_t)~WK_TCP_ACK;
}

static void say_next(const uint8_t *step, enum wk_dir dir, bool last)
{
	struct peer *peer = &stage.peer[dir];
	struct say say = read_say(step, dir);

	say.in = peer->nxt;
	if (!last)
		say.flags &= (uint8_t)~WK_TCP_FIN;
	else
		say.flags |= WK_TCP_FIN;
	if (peer->fin) {
		say.len_b = 0;
	} else if (say.in + say.len_b > 1u + peer->stream.len_b) {
		say.len_b = say.in > peer->stream.len_b
				    ? 0
				    : 1u + peer->stream.len_b - (uint32_t)say.in;
	}
	if (peer->fin && last)
		say.in--;
	else
		peer->nxt += say.len_b + (last ? 1u : 0u);
	peer->fin |= last;
	stage_input(&stage, &say);
}

static void say_burst(const uint8_t *step, enum wk_dir dir)
{
	struct say say = read_say(step, dir);
	uint64_t from = say.in;

	say.len_b = 1 + (step[7] >> 4);
	for (uint32_t at = 0; at < BURST_B && at < length(step[5]); at += 2 * say.len_b) {
		say.in = from + at;
		stage_input(&stage, &say);
	}
}

static void say_raw(const uint8_t *step, enum wk_dir dir, const uint8_t *opts)
{
	struct say say = read_say(step, dir);

	twist(&say, step);
	say.flags = step[1] & ALL_ACK ? step[1] : step[1] | WK_TCP_ACK;
	say.opts = opts;
	say.opts_len_b = STEP_B;
	stage_input(&stage, &say);
}

static void say_syn(const uint8_t *step, enum wk_dir dir)
{
	struct say say = read_say(step, dir);

	twist(&say, step);
	say.flags = dir == WK_S2C ? WK_TCP_SYN | WK_TCP_ACK : WK_TCP_SYN;
	if (step[1] & ALL_ACK)
		say.flags ^= WK_TCP_ACK;
	stage_input(&stage, &say);
}

static void say_other(const uint8_t *step, enum wk_dir dir)
{
	struct say say = read_say(step, dir);
	enum what what = step[0] & 15;

	switch (what) {
	case ANSWER:
		say.in = stage.peer[dir].nxt;
		say.len_b = 0;
		say.flags &= (uint8_t)~WK_TCP_FIN;
		break;
	case ACK:
		twist(&say, step);
		say.len_b = 0;
		break;
	case AGAIN:
		say.in = stage.tap.half[dir].told_ack;
		say.flags &= (uint8_t)~WK_TCP_FIN;
		break;
	case RST:
		twist(&say, step);
		say.flags |= WK_TCP_RST;
		say.flags &= (uint8_t)~WK_TCP_FIN;
		break;
	default:
		twist(&say, step);
		break;
	}
	stage_input(&stage, &say);
}

static void go_by(uint8_t code)
{
	static const uint32_t us[] = { 0, 0, 100, 1000, 5000, 250000, 2000000, 31000000 };

	stage_wait(&stage, us[code] * 1000ull);
}

static void one_step(const uint8_t *step, const uint8_t *next)
{
	enum wk_dir dir = step[0] & WHO ? WK_S2C : WK_C2S;
	static const uint32_t ages[] = { 0, 1, 1000 * MS_NS, 100 * MS_NS };
	uint64_t due;

	go_by(step[0] >> 5);
	switch ((enum what)(step[0] & 15)) {
	case NEXT:
		say_next(step, dir, false);
		break;
	case LAST:
		say_next(step, dir, true);
		break;
	case WAIT:
		due = stage_deadline(&stage);
		if (due < NEVER && due > stage.now_ns)
			stage_wait(&stage, due - stage.now_ns + step[5]);
		break;
	case POKE:
		stage_poke(&stage);
		break;
	case SWITCH:
		stage_switch(&stage);
		break;
	case QUOTE:
		if (step[5] == 255) /* nothing happens afterwards */
			stage_reset(&stage);
		else
			stage_too_big(&stage, dir, beside(point_out(dir, step[2] >> 4), step[4]),
				      length(step[5]), stage.now_ns - ages[step[7] & 3]);
		break;
	case DEAF:
		stage.tap.half[dir].lose = 1u + (step[5] & 7u);
		break;
	case SYN:
		say_syn(step, dir);
		break;
	case RAW:
		if (next)
			say_raw(step, dir, next);
		break;
	case LOSE:
		if (!stage.peer[dir].fin)
			stage.peer[dir].nxt += length(step[5]);
		break;
	case BURST:
		say_burst(step, dir);
		break;
	default:
		say_other(step, dir);
		break;
	}
}

/* Soon nothing is left, or about what the last quarter of the memory is. */
static uint32_t room_of(uint8_t code)
{
	return code < 32 ? code * 128u : WK_MEM_MAX_B / 4 + (code - 40u) * 1024u;
}

static struct stage_cfg read_cfg(const uint8_t *cfg)
{
	static const uint32_t isns[] = { 1000, 0xffffff00u, 0x7fffff00u, 0xfffffffeu };
	static const uint8_t wscales[] = { UINT8_MAX, 0, 2, 7 };
	static const uint16_t mss[] = { 1460, 0, 100, 536 };

	return (struct stage_cfg){
		.seed = (uint16_t)(cfg[0] | cfg[1] << 8),
		.mix = cfg[2],
		.ts = cfg[3] & 1,
		.sack = cfg[3] & 2,
		.passive = cfg[3] & 4,
		.small = cfg[3] & 8,
		.poor = cfg[3] & 0x10,
		.room_b = room_of(cfg[11] >> 2),
		.strange = (cfg[4] & 0xc0) == 0xc0,
		.third_b = cfg[3] & 0x20 ? THIRD_B : 0,
		.third_in = cfg[3] & 0x40 ? THIRD_LATE_B : 0,
		.third_fin = (cfg[3] & 0xe0) == 0xe0,
		.wscale = wscales[cfg[4] & 3],
		.mss = { mss[cfg[4] >> 2 & 3], mss[cfg[4] >> 4 & 3] },
		.wnd_b = { 64u + cfg[5] * 250u, 64u + cfg[6] * 250u },
		.isn = { isns[cfg[7] & 3] + cfg[8], isns[cfg[7] >> 2 & 3] + cfg[9] },
		.ts_base = cfg[10] * 0x01010101u,
	};
}

static bool far(void)
{
	for (int d = 0; d < WK_DIRS; d++)
		if (stage.tap.half[d].in_b > END_B || stage.tap.half[d].ref_b > END_B ||
		    stage.peer[d].nxt > END_B)
			return true;
	return stage.over;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stage_cfg cfg;

	if (size < CFG_B)
		return 0;
	cfg = read_cfg(data);
	cfg.n_noise = data[11] & 3;
	data += CFG_B;
	size -= CFG_B;
	if (cfg.n_noise * STEP_B > size)
		cfg.n_noise = 0;
	cfg.noise = data;
	stage_open(&stage, &cfg);
	data += cfg.n_noise * STEP_B;
	size -= cfg.n_noise * STEP_B;
	for (uint32_t i = 0; i < STEPS && size >= STEP_B && !far(); i++) {
		one_step(data, size >= 2 * STEP_B ? data + STEP_B : NULL);
		data += STEP_B;
		size -= STEP_B;
	}
	stage_calm(&stage);
	stage_close(&stage);
	return 0;
}
