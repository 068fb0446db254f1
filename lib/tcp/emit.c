/* SPDX-License-Identifier: Apache-2.0 */
/* emit.c - the one place that makes packets. */
#include <string.h>

#include "internal.h"

#define MSS_MIN  48u /* below, options alone would fill a packet */
#define OPT_TS_B 12u /* a timestamp with its padding */

/* Walks the out space of a stream: records, and the transparent ranges between them. */
struct walk {
	bool again;             /* has gone out before */
	struct wk_tcp_rec *rec; /* next record at or behind the position */
	uint64_t base_in;
	uint64_t base_out;
};

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void put_ts(struct wk_tcp_out *out, uint32_t tsval, uint32_t tsecr)
{
	uint8_t *p = out->opts + out->opts_len_b;

	p[0] = 1;
	p[1] = 1;
	p[2] = 8;
	p[3] = 10;
	put32(p + 4, tsval);
	put32(p + 8, tsecr);
	out->opts_len_b = (uint8_t)(out->opts_len_b + OPT_TS_B);
}

static void put_sack(struct wk_tcp_out *out, const struct wk_tcp_sack *blocks, uint32_t n)
{
	uint8_t *p = out->opts + out->opts_len_b;

	if (n == 0)
		return;
	p[0] = 1;
	p[1] = 1;
	p[2] = 5;
	p[3] = (uint8_t)(2 + 8 * n);
	for (uint32_t i = 0; i < n; i++) {
		put32(p + 4 + 8 * i, blocks[i].left);
		put32(p + 8 + 8 * i, blocks[i].right);
	}
	out->opts_len_b = (uint8_t)(out->opts_len_b + 4 + 8 * n);
}

/* Has anything come that is not acknowledged yet, in order or not? */
static bool has_more(const struct wk_tcp_half *half)
{
	if (half->e_in + half->held_len_b > half->acked_in)
		return true;
	for (const struct wk_tcp_ooo *ooo = half->ooo; ooo; ooo = ooo->next)
		if (ooo->in_off + ooo->len_b > half->acked_in)
			return true;
	return false;
}

uint16_t window_raw(const struct wk_tcp_flow *flow, enum wk_dir dir)
{
	const struct wk_tcp_half *acked = &flow->half[wk_dir_flip(dir)];
	uint64_t room = edge_in(acked) - acked->acked_in;
	uint64_t wnd = room >> flow->half[dir].wscale;

	/* Less than a unit cannot be told. What its sender has sent there it may have to send
	 * again, and would do so byte by byte into a closed window. */
	if (wnd == 0 && room > 0 && has_more(acked))
		wnd = 1;
	return wnd > UINT16_MAX ? UINT16_MAX : (uint16_t)wnd;
}

/* Everything but sequence number, payload and SACK. */
static void out_begin(struct ctx *c, enum wk_dir dir, struct wk_tcp_out *out, uint8_t flags)
{
	struct wk_tcp_flow *flow = c->flow;
	struct wk_tcp_half *half = stream(flow, dir);
	struct wk_tcp_half *acked = acked_by(flow, dir);

	out->dir = dir;
	out->flags = (uint8_t)(flags | WK_TCP_ACK);
	out->opts_len_b = 0;
	out->ack = wk_seq_wrap(acked->isn, acked->acked_in);
	acked->told_in = acked->acked_in;
	out->wnd = window_raw(flow, dir);
	out->n_iov = 0;
	out->data_len_b = 0;
	if (flow->ts_on)
		put_ts(out, half->tsval, acked->tsval);
}

static void out_send(struct ctx *c, const struct wk_tcp_out *out)
{
	c->emitted[out->dir]++;
	c->env->hooks->tx(c->env->user, out);
}

static uint32_t payload_max(const struct wk_tcp_flow *flow, enum wk_dir dir, uint32_t opts_len_b)
{
	uint32_t mss = flow->half[wk_dir_flip(dir)].mss;

	if (mss == 0)
		mss = MSS_DEFAULT;
	if (mss < MSS_MIN)
		mss = MSS_MIN;
	return mss - opts_len_b;
}

uint32_t packet_room(const struct wk_tcp_flow *flow, enum wk_dir dir)
{
	return payload_max(flow, dir, flow->ts_on ? OPT_TS_B : 0);
}

static void walk_to(struct walk *walk, uint64_t out)
{
	while (walk->rec && walk->rec->out_off + walk->rec->out_len_b <= out) {
		walk->base_in = walk->rec->in_off + walk->rec->in_len_b;
		walk->base_out = walk->rec->out_off + walk->rec->out_len_b;
		walk->rec = walk->rec->next;
	}
}

/* The bytes at `out`, as many as are in one piece. @return 0 when nobody has them. */
static uint32_t piece(struct ctx *c, struct walk *walk, uint64_t out, const struct src *src,
		      uint32_t n, const uint8_t **data)
{
	struct wk_tcp_rec *rec;
	uint64_t in, len = UINT32_MAX;

	walk_to(walk, out);
	rec = walk->rec;
	if (rec && rec->out_off <= out) {
		rec->rexmit |= walk->again;
		rec->sent_ns = c->env->now_ns;
		*data = rec->bytes + (out - rec->out_off);
		return (uint32_t)(rec->out_off + rec->out_len_b - out);
	}
	if (rec)
		len = rec->out_off - out;
	in = walk->base_in + (out - walk->base_out);
	for (uint32_t i = 0; i < n; i++) {
		if (in < src[i].in_off || in >= src[i].in_off + src[i].len_b)
			continue;
		*data = src[i].data + (in - src[i].in_off);
		if (len > src[i].in_off + src[i].len_b - in)
			len = src[i].in_off + src[i].len_b - in;
		return (uint32_t)len;
	}
	return 0;
}

/* Fills one packet from `out` on. @return where it ends. */
static uint64_t fill(struct ctx *c, struct walk *walk, uint64_t out, uint64_t to,
		     const struct src *src, uint32_t n, struct wk_tcp_out *pkt)
{
	uint32_t room = payload_max(c->flow, pkt->dir, pkt->opts_len_b);
	const uint8_t *data;
	uint64_t len;

	while (out < to && room > 0 && pkt->n_iov < WK_TCP_IOV_MAX) {
		len = piece(c, walk, out, src, n, &data);
		if (len == 0)
			break;
		if (len > to - out)
			len = to - out;
		if (len > room)
			len = room;
		pkt->iov[pkt->n_iov].data = data;
		pkt->iov[pkt->n_iov].len_b = (uint32_t)len;
		pkt->n_iov++;
		pkt->data_len_b += (uint32_t)len;
		room -= (uint32_t)len;
		out += len;
	}
	return out;
}

void emit(struct ctx *c, enum wk_dir dir, uint64_t from, uint64_t to, const struct src *src,
	  uint32_t n, uint8_t flags)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct walk walk = { .base_in = half->base_in, .base_out = half->base_out };
	bool fin = (flags & WK_TCP_FIN) && half->fin_out && to >= half->fin_out;
	uint8_t ecn = flags & WK_TCP_ECE;
	uint64_t end = to;
	struct wk_tcp_out pkt;
	uint64_t next;

	if (c->flow->passive) {
		sent_up_to(half, to + (fin ? 1 : 0));
		return;
	}
	if (from < half->b_out)
		from = half->b_out;
	walk.rec = ledger_near(half, from);
	if (!half_plain(half) && end > half->edge_out)
		end = half->edge_out;
	while (from < end) {
		out_begin(c, dir, &pkt, ecn);
		pkt.seq = wk_seq_wrap(half->isn, from);
		walk.again = from < half->nxt_out;
		next = fill(c, &walk, from, end, src, n, &pkt);
		if (next == from)
			break;
		/* Only on data is it heard (RFC 3168 6.1.2). */
		if (half->cwr_owed)
			pkt.flags |= WK_TCP_CWR;
		half->cwr_owed = false;
		if (next == to) {
			pkt.flags |= flags & WK_TCP_PSH;
			if (fin)
				pkt.flags |= WK_TCP_FIN;
			fin = false;
		}
		sent_up_to(half, next + ((pkt.flags & WK_TCP_FIN) ? 1 : 0));
		out_send(c, &pkt);
		from = next;
	}
	if (fin && from == to) {
		out_begin(c, dir, &pkt, WK_TCP_FIN | ecn);
		pkt.seq = wk_seq_wrap(half->isn, to);
		sent_up_to(half, to + 1);
		out_send(c, &pkt);
	}
	own_arm(c, dir);
}

/* With timestamps there is room for one block less (RFC 2018 3). */
static uint32_t blocks_max(const struct wk_tcp_flow *flow)
{
	return flow->ts_on ? WK_TCP_SACK_MAX - 1 : WK_TCP_SACK_MAX;
}

static void send_ack(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t seq_out,
		     const struct span *again)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_half *acked = acked_by(c->flow, dir);
	struct wk_tcp_sack blocks[WK_TCP_SACK_MAX];
	struct wk_tcp_out pkt;
	uint32_t n = 0;

	if (c->flow->passive)
		return;
	out_begin(c, dir, &pkt, seg ? (uint8_t)(seg->flags & WK_TCP_ECE) : 0);
	pkt.seq = wk_seq_wrap(half->isn, seq_out);
	if (c->flow->sack_on)
		n = sack_blocks(acked, seg, again, blocks_max(c->flow), blocks);
	put_sack(&pkt, blocks, n);
	wk_count(c->env->stats, WK_CNT_BUILT_ACKS, 1);
	out_send(c, &pkt);
}

void emit_ack(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t seq_out)
{
	send_ack(c, dir, seg, seq_out, NULL);
}

void emit_ack_again(struct ctx *c, enum wk_dir dir, const struct span *again)
{
	send_ack(c, dir, NULL, stream(c->flow, dir)->nxt_out, again);
}

void emit_rst(struct ctx *c, enum wk_dir dir)
{
	struct wk_tcp_half *half = stream(c->flow, dir);
	struct wk_tcp_out pkt;

	if (c->flow->passive)
		return;
	out_begin(c, dir, &pkt, WK_TCP_RST);
	pkt.seq = wk_seq_wrap(half->isn, half->nxt_out);
	pkt.wnd = 0;
	wk_count(c->env->stats, WK_CNT_BUILT_RSTS, 1);
	out_send(c, &pkt);
}
