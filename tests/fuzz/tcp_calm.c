/* SPDX-License-Identifier: Apache-2.0 */
/* The end of every run: whatever was said before, two honest peers must come to an end with each
 * other, and the receivers must have what the judge made of the streams. */
#include "tcp_stage.h"

#define MS_NS       1000000ull
#define ROUNDS      400u
#define SEGMENT_B   500u
#define SEGMENTS    4u
#define ROUND_MS    300u
#define GENEROUS_B  60000u
#define POOR_LONG_B 3000u /* to hold, with little memory */

/* Offset behind the last byte that this side has to say. */
static uint64_t end_of(const struct stage *stage, enum wk_dir dir)
{
	const struct wk_tcp_half *half = &stage->flow.half[dir];

	return half->fin_in ? half->fin_in : 1 + (uint64_t)stage->peer[dir].stream.len_b;
}

/* Has more been said than there is? Then nobody can say what follows. */
static bool beyond(const struct stage *stage, enum wk_dir dir)
{
	const struct wk_tcp_half *half = &stage->flow.half[dir];
	uint64_t last = half->e_in + half->held_len_b;

	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo; ooo = ooo->next)
		last = ooo->in_off + ooo->len_b;
	return last > end_of(stage, dir);
}

static void send(struct stage *stage, enum wk_dir dir, uint64_t in, uint32_t len_b, bool fin)
{
	const struct wk_tcp_half *half = &stage->flow.half[dir];
	struct say say = stage_says(stage, dir, in, len_b);
	uint32_t clock = stage->cfg.ts_base + 100u * dir + (uint32_t)(stage->now_ns / MS_NS);

	/* Some never push. */
	say.flags |= len_b > 0 && (stage->cfg.mix & 1) ? WK_TCP_PSH : 0;
	say.flags |= fin ? WK_TCP_FIN : 0;
	say.wnd_b = GENEROUS_B;
	/* Its clock is not behind what it has said before. */
	if (wk_seq_lt(clock, half->ts_recent))
		say.ts_step = wk_seq_diff(half->ts_recent, clock) + 1;
	stage_input(stage, &say);
}

/* An honest sender after a timeout: from what it was acknowledged on. */
static void speak(struct stage *stage, enum wk_dir dir)
{
	const struct tap_half *half = &stage->tap.half[dir];
	uint64_t in = half->told_ack, end = end_of(stage, dir);
	uint64_t edge = half->told_edge < end ? half->told_edge : end;
	bool fin = stage->flow.half[dir].fin_in > 0;

	for (uint32_t i = 0; i < SEGMENTS && in < edge; i++) {
		uint32_t len_b = edge - in < SEGMENT_B ? (uint32_t)(edge - in) : SEGMENT_B;

		send(stage, dir, in, len_b, fin && in + len_b == end);
		in += len_b;
	}
	if (half->told_ack < end && half->told_edge <= half->told_ack)
		send(stage, dir, half->told_ack, 1, fin && half->told_ack + 1 == end);
	if (fin && half->told_ack == end)
		send(stage, dir, end, 0, true);
}

static bool has_all(const struct stage *stage, enum wk_dir dir)
{
	const struct tap_half *half = &stage->tap.half[dir];
	uint64_t fin = stage->flow.half[dir].fin_in > 0;

	/* Of a frame that never ends some may have gone on before it was judged. */
	return half->told_ack == end_of(stage, dir) + fin &&
	       stage_received(stage, dir) >= 1 + tap_length(&stage->tap, dir) + fin;
}

static bool is_open(const struct stage *stage)
{
	return !stage->over && stage->flow.state == WK_TCP_ST_ESTABLISHED && !stage->tap.passive;
}

/* May the connection have been ended here, all the same? */
static bool excused(const struct stage *stage)
{
	uint32_t long_b = stage->limits.hold_b / 2;
	struct wk_mem_usage usage;

	if (stage->cfg.poor && long_b > POOR_LONG_B)
		long_b = POOR_LONG_B;
	wk_mem_usage(stage->mem, &usage);
	for (int d = 0; d < WK_DIRS; d++)
		if (stage->judge.dir[d].held_b > long_b)
			return true; /* a frame that was made too long */
	return stage->judge.gave_up || usage.failures > 0 ||
	       stage->stats.counter[WK_CNT_OWNED_TIMEOUT] > 0;
}

void stage_calm(struct stage *stage)
{
	if (!is_open(stage) || beyond(stage, WK_C2S) || beyond(stage, WK_S2C))
		return;
	stage->tap.half[WK_C2S].lose = stage->tap.half[WK_S2C].lose = 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		for (int d = 0; d < WK_DIRS && is_open(stage); d++)
			speak(stage, (enum wk_dir)d);
		for (int d = 0; d < WK_DIRS && is_open(stage); d++) {
			const struct wk_tcp_half *half = &stage->flow.half[d];
			uint64_t next = half->e_in + half->held_len_b + (half->fin_out ? 1 : 0);

			send(stage, (enum wk_dir)d, next, 0, false);
		}
		if (is_open(stage) && has_all(stage, WK_C2S) && has_all(stage, WK_S2C))
			return;
		stage_wait(stage, ROUND_MS * MS_NS);
		if (!is_open(stage))
			break;
	}
	must(stage->flow.both_closed || excused(stage));
}
