/* SPDX-License-Identifier: Apache-2.0 */
/* insert.c - our frames in the streams towards client and server. */
#include "internal.h"

#define PULL_B 4096u

/* A place where bytes may be inserted: a frame boundary with nothing beyond it sent. */
static bool may_insert(const struct wk_tcp_flow *flow)
{
	const struct wk_tcp_half *half = &flow->half[WK_S2C];

	return !flow->passive && flow->state == WK_TCP_ST_ESTABLISHED && half->at_boundary &&
	       half->nxt_out <= half->e_out && !half->fin_out;
}

static void wait_from_now(struct ctx *c, bool another)
{
	if (c->flow->insert_ns != 0 && !another)
		return;
	c->flow->insert_ns = c->env->now_ns;
	c->flow->moved_ns = c->env->now_ns;
}

/* Bytes are missing, or under way to the client: before its sender has sent them again, which may
 * be a while if its timer has doubled a few times, no place can be reached. */
static bool is_lossy(const struct wk_tcp_half *half)
{
	return half->ooo || half->nxt_out > half->b_out;
}

void insert_watch(struct ctx *c)
{
	struct wk_tcp_flow *flow = c->flow;
	const struct wk_tcp_half *half = stream(flow, WK_S2C);
	uint64_t out = half->e_out + half->b_out;

	if (flow->insert_ns == 0 || (out == flow->moved_out && !is_lossy(half)))
		return;
	flow->moved_out = out;
	flow->moved_ns = c->env->now_ns;
}

uint64_t insert_due(const struct wk_tcp_flow *flow, const struct wk_tcp_limits *limits)
{
	uint64_t due = flow->insert_ns + limits->insert_total_ns;

	if (flow->insert_ns == 0)
		return NEVER;
	if (is_lossy(&flow->half[WK_S2C]) || due < flow->moved_ns + limits->insert_wait_ns)
		return due;
	return flow->moved_ns + limits->insert_wait_ns;
}

void insert_timer(struct ctx *c)
{
	struct wk_tcp_flow *flow = c->flow;

	if (c->env->now_ns < insert_due(flow, c->env->limits))
		return;
	if (!stream(flow, WK_S2C)->fin_out && c->env->hooks->pending(c->env->user) > 0)
		wk_tcp_reset(flow, c->env, NULL, 0);
	flow->insert_ns = 0;
}

/* Moves what waits into the ledger at E. The caller sends it. @return true if there was something.
 */
bool insert_try(struct ctx *c)
{
	struct wk_tcp_half *half = stream(c->flow, WK_S2C);
	uint8_t buf[PULL_B];
	uint64_t room;
	uint32_t len;
	bool any = false;

	if (c->flow->passive || c->flow->state != WK_TCP_ST_ESTABLISHED)
		return false;
	if (half->fin_out) {
		/* Nothing goes behind the server's FIN, and nothing waits for a place any more. */
		c->flow->insert_ns = 0;
		return false;
	}
	while ((len = c->env->hooks->pending(c->env->user)) > 0) {
		room = half->edge_out > half->e_out ? half->edge_out - half->e_out : 0;
		if (!may_insert(c->flow) || room < len || ledger_has_enough(c, half)) {
			wait_from_now(c, any);
			c->flow->insert_b = len;
			return any;
		}
		if (room > PULL_B)
			room = PULL_B;
		len = c->env->hooks->pull(c->env->user, buf, (uint32_t)room);
		if (len == 0)
			break;
		if (!ledger_add(c, half, REC_INSERT, 0, buf, len, true)) {
			close_fail(c);
			return false;
		}
		any = true;
		c->cut = true;
	}
	c->flow->insert_ns = 0;
	return any;
}

/* A client cannot keep these from their place: its frames end sooner or later, or are held. No time
 * is measured, and what finds no room in the server's window waits for it. */
bool insert_server(struct ctx *c)
{
	const struct wk_tcp_hooks *hooks = c->env->hooks;
	struct wk_tcp_half *half = stream(c->flow, WK_C2S);
	uint8_t buf[PULL_B];
	uint64_t room;
	uint32_t len;
	bool any = false;

	if (!hooks->server_pending || c->flow->passive || c->flow->state != WK_TCP_ST_ESTABLISHED ||
	    half->fin_out || !half->at_boundary || half->nxt_out > half->e_out)
		return false;
	while ((len = hooks->server_pending(c->env->user)) > 0) {
		room = half->edge_out > half->e_out ? half->edge_out - half->e_out : 0;
		if (room < len)
			return any;
		len = hooks->server_pull(c->env->user, buf,
					 room < PULL_B ? (uint32_t)room : PULL_B);
		if (len == 0)
			return any;
		if (!ledger_add(c, half, REC_INSERT, 0, buf, len, true)) {
			close_fail(c);
			return false;
		}
		any = true;
		c->cut = true;
	}
	return any;
}

/* While an insertion waits for room, the server may send to the next frame boundary and no further,
 * so that a busy download cannot starve the reply; never short of it, which would deadlock. */
uint64_t insert_edge_cap(struct ctx *c, uint64_t edge_in)
{
	const struct wk_tcp_half *half = stream(c->flow, WK_S2C);
	uint64_t cap;

	if (c->flow->insert_ns == 0 || half->to_boundary_b == WK_OP_BOUNDARY_UNKNOWN)
		return edge_in;
	cap = half->e_in + half->to_boundary_b;
	return cap + c->flow->insert_b > edge_in ? (cap < edge_in ? cap : edge_in) : edge_in;
}
