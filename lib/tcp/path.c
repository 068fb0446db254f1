/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - what ICMP errors say of packets on their way: translated for the sender, and acted upon
 * for what only we can send. */
#include "internal.h"

static bool under_way(const struct wk_tcp_flow *flow, enum wk_dir dir, uint32_t seq, uint64_t *out)
{
	const struct wk_tcp_half *half = &flow->half[dir];
	int64_t at = wk_seq_unwrap(half->isn, seq, half->b_out);

	if (flow->state != WK_TCP_ST_ESTABLISHED || at < (int64_t)half->b_out ||
	    at > (int64_t)half->nxt_out)
		return false;
	*out = (uint64_t)at;
	return true;
}

/* Its sender looks whether the number is between what it has been acknowledged and what it has
 * sent. A packet of ours, and one of bytes that are acknowledged to their sender already, is taken
 * for the first that is still under way: the path is the same. */
bool wk_tcp_quoted(const struct wk_tcp_flow *flow, enum wk_dir dir, uint32_t seq, uint32_t *in_seq)
{
	const struct wk_tcp_half *half = &flow->half[dir];
	uint64_t out, in;

	if (!under_way(flow, dir, seq, &out))
		return false;
	*in_seq = seq;
	if (half_plain(half))
		return true;
	in = half->fin_out && out > half->fin_out ? half->fin_in + 1 : ledger_in(half, out, false);
	if (in < half->acked_in)
		in = half->acked_in;
	*in_seq = wk_seq_wrap(half->isn, in);
	return true;
}

/* Its sender cannot send these bytes as they went out, and has not been helped since. */
static bool is_ours(const struct wk_tcp_rec *rec, uint64_t since_ns)
{
	return (rec->owned || rec->kind == REC_REPL) && rec->sent_ns < since_ns;
}

/* The first such bytes of *span, with those behind them that are here too. @return false when there
 * are none. */
static bool ours_in(const struct wk_tcp_half *half, uint64_t since_ns, struct span *span)
{
	const struct wk_tcp_rec *rec = ledger_near(half, span->from);
	uint64_t end, to = span->to;

	while (rec && (rec->out_off + rec->out_len_b <= span->from || !is_ours(rec, since_ns)))
		rec = rec->next;
	if (!rec || span->from >= to || rec->out_off >= to)
		return false;
	if (span->from < rec->out_off)
		span->from = rec->out_off;
	end = rec->out_off + rec->out_len_b;
	for (rec = rec->next; rec && rec->out_off == end; rec = rec->next)
		end += rec->out_len_b;
	span->to = end < to ? end : to;
	return true;
}

/* Bytes of the sender's may lie in between. They come again when it hears of the error, but what is
 * ours behind them would wait for our timer. */
void wk_tcp_too_big(struct wk_tcp_flow *flow, enum wk_dir dir, uint32_t seq, uint32_t len_b,
		    uint64_t since_ns, const struct wk_tcp_env *env)
{
	struct ctx c = { .flow = flow, .env = env };
	struct wk_tcp_half *half = stream(flow, dir);
	struct span span;
	uint64_t from, to;

	if (!under_way(flow, dir, seq, &from))
		return;
	to = from + len_b < half->nxt_out ? from + len_b : half->nxt_out;
	/* What has gone out since is small enough, whoever repeats the error. */
	for (span = (struct span){ from, to }; ours_in(half, since_ns, &span);
	     span = (struct span){ span.to, to }) {
		wk_count(env->stats, WK_CNT_OWNED_REXMIT, 1);
		emit(&c, dir, span.from, span.to, NULL, 0, WK_TCP_PSH);
	}
}
