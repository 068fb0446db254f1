/* SPDX-License-Identifier: Apache-2.0 */
/* insert.c - our frames in the stream towards the client. */
#include "internal.h"

#define PULL_B 4096u

/* A place where bytes may be inserted: a frame boundary with nothing beyond it sent. */
static bool may_insert(const struct wk_tcp_flow *flow)
{
	const struct wk_tcp_half *half = &flow->half[WK_S2C];

	return !flow->passive && flow->state == WK_TCP_ST_ESTABLISHED && half->at_boundary &&
	       half->nxt_out <= half->e_out && !half->fin_out;
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
		if (!may_insert(c->flow) || room < len) {
			if (c->flow->insert_ns == 0)
				c->flow->insert_ns = c->env->now_ns;
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
