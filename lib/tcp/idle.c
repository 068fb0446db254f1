/* SPDX-License-Identifier: Apache-2.0 */
/* idle.c - the end of a connection in which nothing has been said for hours.
 *
 * Forgetting one whose peers still think of it would only move the reset to their next call. So
 * both are asked first, as their own keepalives would (RFC 9293 3.8.4): with a number that each has
 * acknowledged, which makes it answer with what it knows. */
#include "internal.h"

#define ALL_HEARD ((1u << WK_C2S) | (1u << WK_S2C))

uint64_t idle_due(const struct wk_tcp_flow *flow, const struct wk_tcp_limits *limits)
{
	return flow->probes > 0 ? flow->probe_ns : flow->last_ns + limits->idle_ns;
}

void idle_heard(struct wk_tcp_flow *flow, enum wk_dir dir)
{
	if (flow->probes == 0)
		return;
	flow->heard |= (uint8_t)(1u << dir);
	/* The silence begins anew with the later of both. */
	if (flow->heard == ALL_HEARD)
		flow->probes = 0;
}

bool idle_probe(struct ctx *c)
{
	struct wk_tcp_flow *flow = c->flow;

	if (flow->passive || flow->probes >= c->env->limits->keepalive_probes)
		return false;
	if (flow->probes == 0)
		flow->heard = 0;
	for (int d = 0; d < WK_DIRS; d++) {
		enum wk_dir to = (enum wk_dir)d;

		/* A packet of the stream `to` is for its receiver, who speaks in the other one. */
		if ((uint32_t)flow->heard >> wk_dir_flip(to) & 1u)
			continue;
		emit_ack(c, to, NULL, stream(flow, to)->b_out - 1);
		wk_count(c->env->stats, WK_CNT_KEEPALIVES, 1);
	}
	flow->probes++;
	flow->probe_ns = c->env->now_ns + c->env->limits->keepalive_ns;
	return true;
}
