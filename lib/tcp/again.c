/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - how much goes out because a sender has sent something again.
 *
 * A byte of a block that was replaced stands for all of what replaced it. Sent again one by one,
 * the bytes of a small block would make a flood of a large one, so what goes out beyond the size of
 * the segments that ask for it is bounded: by a ledger in the least time of a retransmission, which
 * is what a sender that has lost all of it needs. */
#include "internal.h"

static bool growth_due(struct ctx *c, uint64_t extra_b)
{
	const struct wk_tcp_limits *limits = c->env->limits;
	uint64_t now = c->env->now_ns;

	if (c->flow->growth_ns > now + limits->rto_min_ns)
		return false;
	if (c->flow->growth_ns < now)
		c->flow->growth_ns = now;
	c->flow->growth_ns += extra_b * limits->rto_min_ns / (limits->ledger_b + 1u);
	return true;
}

void again_emit(struct ctx *c, enum wk_dir dir, uint64_t from, uint64_t to, const struct src *src,
		uint8_t flags)
{
	uint64_t b_out = stream(c->flow, dir)->b_out;
	uint64_t fair;

	if (from < b_out && b_out <= to)
		from = b_out;
	fair = from + src->len_b;
	if (!c->flow->passive && to > fair && !growth_due(c, to - fair)) {
		wk_count(c->env->stats, WK_CNT_REXMIT_CUT, 1);
		to = fair;
		flags &= (uint8_t) ~(WK_TCP_FIN | WK_TCP_PSH);
	}
	wk_count(c->env->stats, WK_CNT_REBUILT_REXMIT, 1);
	emit(c, dir, from, to, src, 1, flags);
}
