/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c - from the client's SYN to its first ACK (RFC 9293 3.5), and SYNs that come later. */
#include <string.h>

#include "internal.h"

static bool is_syn(const struct wk_tcp_seg *seg)
{
	return seg->flags & WK_TCP_SYN;
}

static bool is_syn_ack(const struct wk_tcp_seg *seg)
{
	return (seg->flags & (WK_TCP_SYN | WK_TCP_ACK)) == (WK_TCP_SYN | WK_TCP_ACK);
}

/* Would an enforcing flow take an option away? */
static bool strips(const struct wk_tcp_seg *seg)
{
	uint8_t opts[WK_TCP_OPTS_MAX_B];

	if (seg->opts_len_b == 0)
		return false;
	memcpy(opts, seg->opts, seg->opts_len_b);
	return wk_tcp_syn_filter(opts, seg->opts_len_b) > 0;
}

enum {
	C_SACK = 1u << 0, /* the client's SYN permits it */
	C_TS = 1u << 1,
	S_SACK = 1u << 2,
	S_TS = 1u << 3,
	ANSWERED = 1u << 4, /* a SYN-ACK has been seen */
	PASSIVE = 1u << 5,
	STRIPPED = 1u << 6, /* passive: the server agreed to an option that enforcing strips */
};

#define WSCALE_NONE 15u

static uint8_t flag_of(enum wk_dir dir, uint8_t client_flag)
{
	return (uint8_t)(dir == WK_C2S ? client_flag : client_flag << 2);
}

static void forward_syn(const struct wk_tcp_seg *seg, bool passive, struct wk_stats *stats,
			struct wk_tcp_result *result)
{
	*result = (struct wk_tcp_result){ .verdict = WK_TCP_FORWARD, .reason = WK_FWD_GUARDED };
	if (passive)
		return;
	if (strips(seg)) {
		result->edits |= WK_TCP_EDIT_SYN_OPTS;
		wk_count(stats, seg->has_auth ? WK_CNT_NORM_AUTH_OPT : WK_CNT_NORM_SYN_OPTION, 1);
	}
	if (seg->data_len_b > 0) {
		result->edits |= WK_TCP_EDIT_TRIM_DATA;
		wk_count(stats, WK_CNT_NORM_SYN_DATA, 1);
	}
	if (result->edits)
		result->reason = WK_FWD_EDITED;
}

/* What a side says of itself and of its receive window in its SYN. */
static void learn(struct wk_tcp_hs *hs, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	unsigned int shift = dir == WK_C2S ? 0 : 4;
	unsigned int wscale = seg->has_wscale ? seg->wscale : WSCALE_NONE;
	const struct wk_tcp_hs_side *before = &hs->side[dir];
	bool copy = (hs->flags & flag_of(dir, C_TS)) && before->isn == seg->seq;

	hs->side[dir] = (struct wk_tcp_hs_side){
		.isn = seg->seq,
		/* Of two copies the newer one has the time. */
		.tsval = copy && wk_seq_lt(seg->tsval, before->tsval) ? before->tsval : seg->tsval,
		.wnd = seg->wnd,
		.mss = seg->has_mss ? seg->mss : 0,
	};
	hs->wscale = (uint8_t)((hs->wscale & ~(0xfu << shift)) | wscale << shift);
	hs->flags &= (uint8_t) ~(flag_of(dir, C_SACK) | flag_of(dir, C_TS));
	if (seg->sack_permitted)
		hs->flags |= flag_of(dir, C_SACK);
	if (seg->has_ts)
		hs->flags |= flag_of(dir, C_TS);
}

void wk_tcp_hs_start(struct wk_tcp_hs *hs, const struct wk_tcp_seg *syn, bool passive)
{
	*hs = (struct wk_tcp_hs){ .flags = passive ? PASSIVE : 0 };
	learn(hs, WK_C2S, syn);
}

bool wk_tcp_hs_passive(const struct wk_tcp_hs *hs)
{
	return hs->flags & PASSIVE;
}

bool wk_tcp_hs_quoted(const struct wk_tcp_hs *hs, enum wk_dir dir, uint32_t seq)
{
	if (dir == WK_S2C && !(hs->flags & ANSWERED))
		return false;
	return seq - hs->side[dir].isn <= 1;
}

/* A SYN again, or another one in its place. */
static void client_syn(struct wk_tcp_hs *hs, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_hs_side *client = &hs->side[WK_C2S];

	if (seg->seq != client->isn)
		wk_tcp_hs_start(hs, seg, hs->flags & PASSIVE);
	else if (seg->has_ts && wk_seq_lt(client->tsval, seg->tsval))
		client->tsval = seg->tsval;
}

/* The third segment: it acknowledges exactly the SYN-ACK. It may carry data, and, where the first
 * ones were lost, not the first byte; the server's window bounds it. */
static bool is_third(const struct wk_tcp_hs *hs, const struct wk_tcp_seg *seg)
{
	const struct wk_tcp_hs_side *client = &hs->side[WK_C2S], *server = &hs->side[WK_S2C];

	return (hs->flags & ANSWERED) && (seg->flags & WK_TCP_ACK) && seg->ack == server->isn + 1 &&
	       seg->seq - (client->isn + 1) <= server->wnd;
}

static enum wk_tcp_hs_step from_client(struct wk_tcp_hs *hs, const struct wk_tcp_seg *seg,
				       struct wk_stats *stats, struct wk_tcp_result *result)
{
	if ((seg->flags & (WK_TCP_SYN | WK_TCP_ACK)) == WK_TCP_SYN) {
		client_syn(hs, seg);
		forward_syn(seg, hs->flags & PASSIVE, stats, result);
		return WK_TCP_HS_ON;
	}
	if (!is_syn(seg) && is_third(hs, seg))
		return WK_TCP_HS_DONE;
	set_drop(result, WK_DROP_HS);
	return WK_TCP_HS_ALIEN;
}

static enum wk_tcp_hs_step from_server(struct wk_tcp_hs *hs, const struct wk_tcp_seg *seg,
				       struct wk_stats *stats, struct wk_tcp_result *result)
{
	if (!is_syn_ack(seg) || seg->ack != hs->side[WK_C2S].isn + 1) {
		set_drop(result,
			 is_syn(seg) && !(seg->flags & WK_TCP_ACK) ? WK_DROP_SRV_SYN : WK_DROP_HS);
		return WK_TCP_HS_ALIEN;
	}
	learn(hs, WK_S2C, seg);
	hs->flags |= ANSWERED;
	if ((hs->flags & PASSIVE) && strips(seg))
		hs->flags |= STRIPPED;
	forward_syn(seg, hs->flags & PASSIVE, stats, result);
	return WK_TCP_HS_ON;
}

/* An RST that answers the handshake (RFC 9293 3.10.7.3). */
static enum wk_tcp_hs_step refused(struct wk_tcp_hs *hs, enum wk_dir dir,
				   const struct wk_tcp_seg *seg, struct wk_tcp_result *result)
{
	uint32_t next = hs->side[WK_C2S].isn + 1;

	if (dir == WK_S2C ? !(seg->flags & WK_TCP_ACK) || seg->ack != next : seg->seq != next) {
		set_drop(result, WK_DROP_RST_BADSEQ);
		return WK_TCP_HS_ALIEN;
	}
	if (seg->data_len_b > 0 && !(hs->flags & PASSIVE)) {
		result->edits = WK_TCP_EDIT_TRIM_DATA;
		result->reason = WK_FWD_EDITED;
	}
	return WK_TCP_HS_OVER;
}

enum wk_tcp_hs_step wk_tcp_hs_input(struct wk_tcp_hs *hs, enum wk_dir dir,
				    const struct wk_tcp_seg *seg, struct wk_stats *stats,
				    struct wk_tcp_result *result)
{
	*result = (struct wk_tcp_result){ .verdict = WK_TCP_FORWARD, .reason = WK_FWD_GUARDED };
	if (!flags_ok(seg)) {
		set_drop(result, WK_DROP_BADFLAGS);
		return WK_TCP_HS_ALIEN;
	}
	if (seg->flags & WK_TCP_RST)
		return refused(hs, dir, seg, result);
	if (dir == WK_C2S)
		return from_client(hs, seg, stats, result);
	return from_server(hs, seg, stats, result);
}

static void fill_half(struct wk_tcp_flow *flow, enum wk_dir dir, const struct wk_tcp_hs *hs)
{
	const struct wk_tcp_hs_side *side = &hs->side[dir];
	struct wk_tcp_half *half = stream(flow, dir);
	uint8_t wscale = dir == WK_C2S ? hs->wscale & 0xfu : hs->wscale >> 4;

	half->isn = side->isn;
	half->e_in = half->e_out = 1;
	half->b_out = 1;
	half->nxt_out = 1;
	half->acked_in = half->told_in = 1;
	half->base_in = half->base_out = 1;
	half->mss = side->mss;
	half->has_wscale = wscale != WSCALE_NONE;
	half->wscale = half->has_wscale ? wscale : 0;
	half->sack_permitted = hs->flags & flag_of(dir, C_SACK);
	half->has_ts_option = half->ts_known = hs->flags & flag_of(dir, C_TS);
	half->tsval = side->tsval;
	half->ts_recent = side->tsval;
	half->ts_ns = flow->last_ns;
	half->hold_at_ns = NEVER;
	half->rto_at_ns = NEVER;
	half->at_boundary = true;
	acked_by(flow, dir)->edge_out = 1u + side->wnd;
	acked_by(flow, dir)->edge_given = 1u + side->wnd;
	acked_by(flow, dir)->wnd_max_b = side->wnd;
}

void wk_tcp_init(struct wk_tcp_flow *flow, const struct wk_tcp_hs *hs, const struct wk_tcp_env *env)
{
	struct wk_tcp_half *c2s = stream(flow, WK_C2S), *s2c = stream(flow, WK_S2C);

	memset(flow, 0, sizeof(*flow));
	flow->state = WK_TCP_ST_ESTABLISHED;
	flow->passive = hs->flags & PASSIVE;
	flow->stripped = hs->flags & STRIPPED;
	flow->since_ns = env->now_ns;
	flow->last_ns = env->now_ns;
	fill_half(flow, WK_C2S, hs);
	fill_half(flow, WK_S2C, hs);
	flow->ts_on = c2s->has_ts_option && s2c->has_ts_option;
	flow->sack_on = c2s->sack_permitted && s2c->sack_permitted;
	if (!c2s->has_wscale || !s2c->has_wscale)
		c2s->wscale = s2c->wscale = 0;
}

bool handshake_syn_inside(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_flow *flow = c->flow;

	if (dir == WK_C2S) {
		/* The server decides: an ACK of its connection, or a SYN-ACK if it has none. */
		flow->resyn = seg->seq != stream(flow, WK_C2S)->isn;
		flow->resyn_isn = seg->seq;
		forward_syn(seg, flow->passive, c->env->stats, c->result);
		return true;
	}
	if (!(seg->flags & WK_TCP_ACK)) {
		set_drop(c->result, WK_DROP_SRV_SYN);
		return true;
	}
	if (seg->seq == stream(flow, WK_S2C)->isn && seg->ack == stream(flow, WK_C2S)->isn + 1) {
		/* The third ACK was lost behind us. What it says is no news to its receiver, not
		 * even the time (RFC 9293 3.10.7.4): it is not read. */
		forward_syn(seg, flow->passive, c->env->stats, c->result);
		return true;
	}
	set_drop(c->result, WK_DROP_SYN_IN_EST);
	if (flow->resyn && seg->ack == flow->resyn_isn + 1)
		close_free(c, WK_TCP_ST_CLOSED); /* it has forgotten the old connection */
	return true;
}
