/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake on the stage, and what may come in between. */
#include "tcp_stage.h"

#define OPT_FAST_OPEN 34u

static uint8_t syn_opts(const struct stage *stage, enum wk_dir dir, uint8_t *opts)
{
	const struct stage_cfg *cfg = &stage->cfg;
	uint8_t n = 0;

	if (cfg->mss[dir] > 0)
		n = opt_put_mss(opts, n, cfg->mss[dir]);
	if (cfg->wscale != UINT8_MAX)
		n = opt_put_wscale(opts, n, cfg->wscale);
	if (cfg->sack)
		n = opt_put_sack_permitted(opts, n);
	if (cfg->ts)
		n = opt_put_ts(opts, n, cfg->ts_base + 100u * dir, 0);
	if (cfg->strange) {
		opts[n++] = OPT_FAST_OPEN;
		opts[n++] = 2;
	}
	while (n % 4 != 0)
		opts[n++] = 1;
	return n;
}

static void say_syn(struct stage *stage, struct wk_tcp_hs *hs, enum wk_dir dir)
{
	uint8_t opts[WK_TCP_OPTS_MAX_B];
	struct wk_tcp_seg seg = {
		.seq = stage->cfg.isn[dir],
		.ack = dir == WK_S2C ? stage->cfg.isn[WK_C2S] + 1 : 0,
		.flags = dir == WK_S2C ? WK_TCP_SYN | WK_TCP_ACK : WK_TCP_SYN,
		.wnd = (uint16_t)(stage->cfg.wnd_b[dir] > UINT16_MAX ? UINT16_MAX
								     : stage->cfg.wnd_b[dir]),
		.opts = opts,
		.opts_len_b = syn_opts(stage, dir, opts),
	};
	struct sim_pkt *pkt = pkt_build(dir, &seg);

	must(wk_tcp_seg_parse(&seg, pkt->b, pkt->len_b) == 0);
	if (dir == WK_C2S && stage->tap.half[dir].told_ack == 0)
		wk_tcp_hs_start(hs, &seg, stage->cfg.passive);
	must(wk_tcp_hs_input(hs, dir, &seg, &stage->stats, &stage->result) == WK_TCP_HS_ON);
	must(stage->result.verdict == WK_TCP_FORWARD &&
	     stage->result.edits ==
		     (stage->cfg.strange && !stage->cfg.passive ? WK_TCP_EDIT_SYN_OPTS : 0u));
	tap_syn(&stage->tap, dir, &seg);
	free(pkt);
}

/* Nothing in a SYN that goes on is left but what was negotiated always. */
static void check_syn(const struct stage *stage, struct sim_pkt *pkt)
{
	struct wk_tcp_seg seg;

	pkt_edit(pkt, &stage->result);
	must(wk_tcp_seg_parse(&seg, pkt->b, pkt->len_b) == 0 && seg.data_len_b == 0);
	for (uint32_t i = 0; i < seg.opts_len_b && seg.opts[i] != 0;) {
		uint8_t kind = seg.opts[i];

		must(kind == 1 || kind == 2 || kind == 3 || kind == 4 || kind == 8);
		i += kind == 1 ? 1 : seg.opts[i + 1];
	}
}

/* Another copy of the client's SYN, after one with another number: nobody knows which copy the
 * server has answered, and a client that says different things deceives itself. */
static bool takes_back(const struct wk_tcp_hs *hs, enum wk_dir dir, const struct wk_tcp_seg *seg,
		       uint32_t isn)
{
	return dir == WK_C2S && (seg->flags & WK_TCP_SYN) && seg->seq == isn &&
	       hs->side[WK_C2S].isn != isn;
}

/* A packet that the handshake did not wait for: who and options, flags, numbers, window, length. */
static void say_noise(struct stage *stage, struct wk_tcp_hs *hs, const uint8_t *how)
{
	enum wk_dir dir = how[0] & 1 ? WK_S2C : WK_C2S;
	const uint32_t *isn = stage->cfg.isn;
	uint8_t opts[] = { how[6], (uint8_t)(2 + how[7] % 7), 1, 2, 3, 4, 5, 1 };
	uint8_t data[32] = { 0 };
	struct wk_tcp_seg seg = {
		.flags = how[1],
		.seq = isn[dir] + how[2] - 8u,
		.ack = isn[wk_dir_flip(dir)] + how[3] - 8u,
		.wnd = (uint16_t)(how[4] << 8),
		.opts = opts,
		.opts_len_b = how[0] & 2 ? sizeof(opts) : 0,
		.data = data,
		.data_len_b = how[5] % sizeof(data),
	};
	struct sim_pkt *pkt = pkt_build(dir, &seg);
	enum wk_tcp_hs_step step;

	if (wk_tcp_seg_parse(&seg, pkt->b, pkt->len_b) == 0 && !seg.has_ts &&
	    !takes_back(hs, dir, &seg, isn[dir])) {
		step = wk_tcp_hs_input(hs, dir, &seg, &stage->stats, &stage->result);
		must((step == WK_TCP_HS_ALIEN) == (stage->result.verdict == WK_TCP_DROP));
		must(!stage->cfg.passive || stage->result.edits == 0);
		must(step != WK_TCP_HS_DONE || dir == WK_C2S);
		must(step != WK_TCP_HS_DONE || (uint32_t)seg.ack == hs->side[WK_S2C].isn + 1);
		if (step == WK_TCP_HS_ON && !stage->cfg.passive)
			check_syn(stage, pkt);
	}
	free(pkt);
}

void stage_shake_hands(struct stage *stage, struct wk_tcp_hs *hs)
{
	const struct stage_cfg *cfg = &stage->cfg;

	say_syn(stage, hs, WK_C2S);
	if (cfg->n_noise > 0 && (cfg->noise[0] & 4))
		say_syn(stage, hs, WK_S2C);
	for (uint32_t i = 0; i < cfg->n_noise; i++)
		say_noise(stage, hs, cfg->noise + i * STAGE_NOISE_B);
	if (cfg->n_noise > 0)
		say_syn(stage, hs, WK_C2S); /* again: the server knows one of them only */
	say_syn(stage, hs, WK_S2C);
}

struct say stage_third(struct stage *stage)
{
	const struct stage_cfg *cfg = &stage->cfg;
	struct peer *peer = &stage->peer[WK_C2S];
	uint32_t len_b = peer->stream.len_b;
	uint32_t in = cfg->third_in < len_b ? cfg->third_in : len_b;
	struct say say = stage_says(stage, WK_C2S, 1 + in,
				    cfg->third_b < len_b - in ? cfg->third_b : len_b - in);

	say.ack = 1; /* there is no flow yet */
	if (cfg->third_fin)
		say.flags |= WK_TCP_FIN;
	peer->nxt = say.in + say.len_b + cfg->third_fin;
	peer->fin = cfg->third_fin;
	return say;
}

void stage_check_third(struct stage *stage, struct wk_tcp_hs *hs, const struct sim_pkt *pkt)
{
	struct wk_tcp_seg seg;

	must(wk_tcp_seg_parse(&seg, pkt->b, pkt->len_b) == 0);
	must(wk_tcp_hs_passive(hs) == stage->cfg.passive);
	must(wk_tcp_hs_quoted(hs, WK_S2C, stage->cfg.isn[WK_S2C]));
	must(wk_tcp_hs_input(hs, WK_C2S, &seg, &stage->stats, &stage->result) == WK_TCP_HS_DONE);
	must(stage->result.verdict == WK_TCP_FORWARD);
}
