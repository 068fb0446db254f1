/* SPDX-License-Identifier: Apache-2.0 */
#include "noise.h"

#include <stdlib.h>
#include <string.h>

#define NEVER    UINT64_MAX
#define TIRED_NS 20000000000ull /* the attacker gives up: a run must end */

enum noise_kind {
	NOISE_STALE = 0, /* acknowledged bytes, said otherwise */
	NOISE_BAD_ACK,   /* acknowledges what was never sent */
	NOISE_FLAGS,     /* flags that no stack sends, with payload */
	NOISE_RST,       /* near, but not at a number that counts */
	NOISE_SYN,       /* inside the connection */
	NOISE_URG,       /* a true copy with an urgent pointer */
	NOISE_PAWS,      /* next in order, but from the past */
	NOISE_WINDOW,    /* far outside */
	NOISE_KEEPALIVE, /* one garbage byte below the window */
	NOISE_COPY,      /* a true copy */
	NOISE_KINDS,
};

void noise_init(struct noise *noise, uint64_t gap_ns, struct sim_rng rng)
{
	*noise = (struct noise){
		.gap_ns = gap_ns,
		.at_ns = gap_ns ? gap_ns : NEVER,
		.rng = rng,
	};
}

void noise_fini(struct noise *noise)
{
	for (uint32_t i = 0; i < NOISE_KEPT; i++)
		free(noise->kept[i]);
}

void noise_see(struct noise *noise, const struct sim_pkt *pkt)
{
	uint32_t at;

	if (noise->gap_ns == 0 || (pkt->b[13] & (WK_TCP_SYN | WK_TCP_RST)))
		return;
	at = noise->n < NOISE_KEPT ? noise->n++ : rng_range32(&noise->rng, 0, NOISE_KEPT - 1);
	free(noise->kept[at]);
	noise->kept[at] = pkt_copy(pkt);
}

uint64_t noise_next(const struct noise *noise)
{
	return noise->n > 0 ? noise->at_ns : NEVER;
}

static void garble(struct sim_pkt *pkt, const struct wk_tcp_seg *seg)
{
	uint8_t *data = pkt->b + (pkt->len_b - seg->data_len_b);

	for (uint32_t i = 0; i < seg->data_len_b; i++)
		data[i] ^= 0x3c;
}

static struct sim_pkt *forge_rst(struct noise *noise, const struct check_half *half,
				 enum wk_dir dir, struct wk_tcp_seg *seg)
{
	const struct range *r = ranges_find(&half->seen, 0);
	uint64_t end = r ? r->to : 0;
	uint64_t at = end + rng_range(&noise->rng, 7, 3000);

	if (rng_chance(&noise->rng, 300))
		at = end + (1u << 30);
	else if (rng_chance(&noise->rng, 300))
		at = end > 100 ? end - 100 : end + 100;
	if (at == end || at == half->ack_in_max || ranges_find(&half->seen, at - 1))
		return NULL;
	seg->flags = WK_TCP_RST | (rng_chance(&noise->rng, 500) ? WK_TCP_ACK : 0);
	seg->seq = half->isn + (uint32_t)at;
	return pkt_build(dir, seg);
}

static struct sim_pkt *forge_flags(struct noise *noise, enum wk_dir dir, struct wk_tcp_seg *seg)
{
	static const uint8_t flags[] = { 0,          WK_TCP_SYN | WK_TCP_FIN, WK_TCP_PSH,
					 WK_TCP_FIN, WK_TCP_SYN | WK_TCP_RST, WK_TCP_URG };

	seg->flags = flags[rng_range(&noise->rng, 0, sizeof(flags) - 1)];
	return pkt_build(dir, seg);
}

/* A packet of `kind` made from kept->, or NULL where that cannot be. */
static struct sim_pkt *forge(struct noise *noise, const struct check *check, enum noise_kind kind,
			     const struct sim_pkt *kept)
{
	const struct check_half *half = &check->half[kept->dir];
	const struct range *r = ranges_find(&half->seen, 0);
	uint64_t end = r ? r->to : 0, seq_end;
	struct wk_tcp_seg seg;
	struct sim_pkt *pkt;
	uint8_t opts[WK_TCP_OPTS_MAX_B];

	pkt_read(kept, &seg);
	seq_end = (uint64_t)(seg.seq - half->isn) + seg.data_len_b;
	switch (kind) {
	case NOISE_STALE:
		if (seg.data_len_b == 0 || seq_end > half->ack_in_max)
			return NULL;
		pkt = pkt_copy(kept);
		garble(pkt, &seg);
		return pkt;
	case NOISE_BAD_ACK:
		seg.ack += rng_chance(&noise->rng, 500) ? 1u << 20 : 1u << 30;
		return pkt_build(kept->dir, &seg);
	case NOISE_FLAGS:
		return forge_flags(noise, kept->dir, &seg);
	case NOISE_RST:
		return forge_rst(noise, half, kept->dir, &seg);
	case NOISE_SYN:
		seg.flags = WK_TCP_SYN;
		seg.seq += rng_range32(&noise->rng, 0, 100000);
		seg.data_len_b = 0;
		return pkt_build(kept->dir, &seg);
	case NOISE_URG:
		pkt = pkt_copy(kept);
		pkt->b[13] |= WK_TCP_URG;
		pkt->b[19] = 3;
		return pkt;
	case NOISE_PAWS:
		if (!check->ts || seg.data_len_b == 0 || seg.opts_len_b != 12)
			return NULL;
		seg.seq = half->isn + (uint32_t)end;
		opt_put_ts(opts, 0, seg.tsval - 1000000, seg.tsecr);
		seg.opts = opts;
		return pkt_build(kept->dir, &seg);
	case NOISE_WINDOW:
		seg.seq += rng_chance(&noise->rng, 500) ? 1u << 30 : 0u - (1u << 30);
		return pkt_build(kept->dir, &seg);
	case NOISE_KEEPALIVE:
		if (half->ack_in_max < 2)
			return NULL;
		seg.seq = half->isn + (uint32_t)half->ack_in_max - 1;
		seg.data = (const uint8_t *)"?";
		seg.data_len_b = 1;
		seg.flags = WK_TCP_ACK;
		return pkt_build(kept->dir, &seg);
	default:
		return pkt_copy(kept);
	}
}

void noise_make(struct noise *noise, struct box *box, uint64_t now_ns)
{
	const struct sim_pkt *kept = noise->kept[rng_range(&noise->rng, 0, noise->n - 1)];
	enum noise_kind kind = (enum noise_kind)rng_range(&noise->rng, 0, NOISE_KINDS - 1);
	struct sim_pkt *pkt;

	/* A SYN behind the end is the beginning of another connection. */
	if (kind == NOISE_SYN && (!box->has_flow || wk_tcp_state(&box->flow) == WK_TCP_ST_CLOSED))
		kind = NOISE_COPY;
	pkt = forge(noise, &box->check, kind, kept);
	noise->at_ns = now_ns + rng_range(&noise->rng, 1, 2 * noise->gap_ns);
	if (now_ns > TIRED_NS)
		noise->at_ns = NEVER;
	if (!pkt)
		return;
	noise->made++;
	box_input(box, pkt, true, now_ns);
}
