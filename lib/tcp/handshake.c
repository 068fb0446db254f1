/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c - from the client's SYN to its first ACK (RFC 9293 3.5). */
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

static void forward_syn(struct ctx *c, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_result *result = c->result;

	result->verdict = WK_TCP_FORWARD;
	result->reason = WK_FWD_GUARDED;
	result->edits = 0;
	if (c->flow->passive)
		return;
	if (strips(seg)) {
		result->edits |= WK_TCP_EDIT_SYN_OPTS;
		wk_count(c->env->stats,
			 seg->has_auth ? WK_CNT_NORM_AUTH_OPT : WK_CNT_NORM_SYN_OPTION, 1);
	}
	if (seg->data_len_b > 0) {
		result->edits |= WK_TCP_EDIT_TRIM_DATA;
		wk_count(c->env->stats, WK_CNT_NORM_SYN_DATA, 1);
	}
	if (result->edits)
		result->reason = WK_FWD_EDITED;
}

/* What a side says of itself and of its receive window in its SYN. */
static void learn(struct wk_tcp_flow *flow, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_half *half = stream(flow, dir);

	/* Of two copies the newer one has the time. */
	if (!half->ts_known || half->isn != seg->seq || wk_seq_lt(half->tsval, seg->tsval))
		half->tsval = half->ts_recent = seg->tsval;
	half->isn = seg->seq;
	half->e_in = half->e_out = 1;
	half->b_out = 1;
	half->nxt_out = 1;
	half->acked_in = half->told_in = 1;
	half->base_in = half->base_out = 1;
	half->owned_in = half->gone_in = 0;
	half->fin_in = half->fin_out = 0;
	half->mss = seg->has_mss ? seg->mss : 0;
	half->has_wscale = seg->has_wscale;
	half->wscale = seg->wscale;
	half->sack_permitted = seg->sack_permitted;
	half->has_ts_option = seg->has_ts;
	half->ts_known = seg->has_ts;
	half->ts_ns = flow->last_ns;
	half->hold_at_ns = NEVER;
	half->rto_at_ns = NEVER;
	half->rto_ns = half->srtt_ns = 0;
	half->at_boundary = true;
	half->was_boundary = false;
	half->edited = half->altered = false;
	half->to_boundary_b = 0;
	/* A SYN's own window is never scaled (RFC 7323 2.2). */
	acked_by(flow, dir)->edge_out = 1u + seg->wnd;
	acked_by(flow, dir)->edge_given = 1u + seg->wnd;
	acked_by(flow, dir)->wnd_max_b = seg->wnd;
}

static void agree(struct wk_tcp_flow *flow)
{
	struct wk_tcp_half *c2s = stream(flow, WK_C2S), *s2c = stream(flow, WK_S2C);

	flow->ts_on = c2s->has_ts_option && s2c->has_ts_option;
	flow->sack_on = c2s->sack_permitted && s2c->sack_permitted;
	if (!c2s->has_wscale || !s2c->has_wscale)
		c2s->wscale = s2c->wscale = 0;
}

static void enter(struct ctx *c, enum wk_tcp_state state)
{
	c->flow->state = (uint8_t)state;
	c->flow->since_ns = c->env->now_ns;
}

void wk_tcp_init(struct wk_tcp_flow *flow, const struct wk_tcp_seg *syn, bool passive,
		 const struct wk_tcp_env *env)
{
	memset(flow, 0, sizeof(*flow));
	flow->state = WK_TCP_ST_SYN;
	flow->passive = passive;
	flow->since_ns = env->now_ns;
	flow->last_ns = env->now_ns;
	learn(flow, WK_C2S, syn);
	stream(flow, WK_S2C)->hold_at_ns = NEVER;
	stream(flow, WK_S2C)->rto_at_ns = NEVER;
}

static void from_client(struct ctx *c, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_flow *flow = c->flow;
	struct wk_tcp_half *s2c = stream(flow, WK_S2C);

	if (is_syn(seg)) {
		if (seg->seq != stream(flow, WK_C2S)->isn) {
			learn(flow, WK_C2S, seg);
			enter(c, WK_TCP_ST_SYN);
		}
		forward_syn(c, seg);
		return;
	}
	if (flow->state != WK_TCP_ST_SYN_ACK || !(seg->flags & WK_TCP_ACK) ||
	    seg->ack != s2c->isn + 1) {
		set_drop(c->result, WK_DROP_HS);
		return;
	}
	agree(flow);
	enter(c, WK_TCP_ST_ESTABLISHED);
}

static void from_server(struct ctx *c, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_flow *flow = c->flow;
	struct wk_tcp_half *c2s = stream(flow, WK_C2S);
	uint64_t edge_out;

	if (!is_syn_ack(seg) || seg->ack != c2s->isn + 1) {
		set_drop(c->result,
			 is_syn(seg) && !(seg->flags & WK_TCP_ACK) ? WK_DROP_SRV_SYN : WK_DROP_HS);
		return;
	}
	edge_out = stream(flow, WK_S2C)->edge_out;
	learn(flow, WK_S2C, seg);
	stream(flow, WK_S2C)->edge_out = edge_out;
	stream(flow, WK_S2C)->edge_given = edge_out;
	if (flow->passive && strips(seg))
		flow->stripped = true;
	enter(c, WK_TCP_ST_SYN_ACK);
	forward_syn(c, seg);
}

/* An RST that answers the handshake (RFC 9293 3.10.7.3). */
static void refused(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_flow *flow = c->flow;
	bool ok;

	if (dir == WK_S2C)
		ok = (seg->flags & WK_TCP_ACK) && seg->ack == stream(flow, WK_C2S)->isn + 1;
	else
		ok = seg->seq == stream(flow, WK_C2S)->isn + 1;
	if (!ok) {
		set_drop(c->result, WK_DROP_RST_BADSEQ);
		return;
	}
	c->result->verdict = WK_TCP_FORWARD;
	c->result->reason = WK_FWD_GUARDED;
	c->result->edits = seg->data_len_b > 0 && !flow->passive ? WK_TCP_EDIT_TRIM_DATA : 0;
	close_free(c, WK_TCP_ST_CLOSED);
}

void handshake_input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	if (seg->flags & WK_TCP_RST)
		refused(c, dir, seg);
	else if (dir == WK_C2S)
		from_client(c, seg);
	else
		from_server(c, seg);
}

bool handshake_syn_inside(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	struct wk_tcp_flow *flow = c->flow;

	if (dir == WK_C2S) {
		/* The server decides: an ACK of its connection, or a SYN-ACK if it has none. */
		flow->resyn = seg->seq != stream(flow, WK_C2S)->isn;
		flow->resyn_isn = seg->seq;
		forward_syn(c, seg);
		return true;
	}
	if (!(seg->flags & WK_TCP_ACK)) {
		set_drop(c->result, WK_DROP_SRV_SYN);
		return true;
	}
	if (seg->seq == stream(flow, WK_S2C)->isn && seg->ack == stream(flow, WK_C2S)->isn + 1) {
		if (flow->ts_on && seg->has_ts && wk_seq_lt(stream(flow, dir)->tsval, seg->tsval))
			stream(flow, dir)->tsval = seg->tsval;
		forward_syn(c, seg); /* the third ACK was lost behind us */
		return true;
	}
	set_drop(c->result, WK_DROP_SYN_IN_EST);
	if (flow->resyn && seg->ack == flow->resyn_isn + 1)
		close_free(c, WK_TCP_ST_CLOSED); /* it has forgotten the old connection */
	return true;
}
