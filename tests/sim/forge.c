/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of an attacker. */
#include "forge.h"

static void garble(struct sim_pkt *pkt, const struct wk_tcp_seg *seg)
{
	uint8_t *data = pkt->b + (pkt->len_b - seg->data_len_b);

	for (uint32_t i = 0; i < seg->data_len_b; i++)
		data[i] ^= 0x3c;
}

/* End of what has arrived in order. */
static uint64_t in_order(const struct check_half *half)
{
	const struct range *r = ranges_find(&half->seen, 0);

	return r ? r->to : 0;
}

/* arg: twice the distance from what has arrived in order, odd: with ACK. */
static struct sim_pkt *forge_rst(struct sim_rng *rng, struct attack *attack,
				 const struct check_half *half, enum wk_dir dir,
				 struct wk_tcp_seg *seg)
{
	uint64_t end = in_order(half), at;

	if (rng) {
		attack->arg = 2 * (int64_t)rng_range(rng, 7, 3000);
		if (rng_chance(rng, 300))
			attack->arg = 2ll << 30;
		else if (rng_chance(rng, 300))
			attack->arg = end > 100 ? -200 : 200;
	}
	at = end + (uint64_t)(attack->arg >> 1);
	if (at == end || at == half->ack_in_max || at > INT32_MAX ||
	    ranges_find(&half->seen, at - 1))
		return NULL;
	if (rng)
		attack->arg |= rng_chance(rng, 500);
	seg->flags = WK_TCP_RST | (attack->arg & 1 ? WK_TCP_ACK : 0);
	seg->seq = half->isn + (uint32_t)at;
	return pkt_build(dir, seg);
}

/* arg: the flags. */
static struct sim_pkt *forge_flags(struct sim_rng *rng, struct attack *attack, enum wk_dir dir,
				   struct wk_tcp_seg *seg)
{
	static const uint8_t flags[] = { 0,          WK_TCP_SYN | WK_TCP_FIN, WK_TCP_PSH,
					 WK_TCP_FIN, WK_TCP_SYN | WK_TCP_RST, WK_TCP_URG };

	if (rng)
		attack->arg = flags[rng_range(rng, 0, sizeof(flags) - 1)];
	seg->flags = (uint8_t)attack->arg;
	return pkt_build(dir, seg);
}

static struct sim_pkt *forge_stale(const struct check_half *half, const struct sim_pkt *kept,
				   const struct wk_tcp_seg *seg)
{
	uint64_t end = (uint64_t)(seg->seq - half->isn) + seg->data_len_b;
	struct sim_pkt *pkt;

	if (seg->data_len_b == 0 || end > half->ack_in_max)
		return NULL;
	pkt = pkt_copy(kept);
	garble(pkt, seg);
	return pkt;
}

static struct sim_pkt *forge_urg(const struct sim_pkt *kept)
{
	struct sim_pkt *pkt = pkt_copy(kept);

	pkt->b[13] |= WK_TCP_URG;
	pkt->b[19] = 3;
	return pkt;
}

static struct sim_pkt *forge_paws(const struct check *check, enum wk_dir dir,
				  struct wk_tcp_seg *seg)
{
	const struct check_half *half = &check->half[dir];
	uint8_t opts[WK_TCP_OPTS_MAX_B];

	if (!check->ts || seg->data_len_b == 0 || seg->opts_len_b != 12)
		return NULL;
	seg->seq = half->isn + (uint32_t)in_order(half);
	opt_put_ts(opts, 0, seg->tsval - 1000000, seg->tsecr);
	seg->opts = opts;
	return pkt_build(dir, seg);
}

static struct sim_pkt *forge_keepalive(const struct check_half *half, enum wk_dir dir,
				       struct wk_tcp_seg *seg)
{
	if (half->ack_in_max < 2)
		return NULL;
	seg->seq = half->isn + (uint32_t)half->ack_in_max - 1;
	seg->data = (const uint8_t *)"?";
	seg->data_len_b = 1;
	seg->flags = WK_TCP_ACK;
	return pkt_build(dir, seg);
}

struct sim_pkt *forge(struct sim_rng *rng, struct attack *attack, const struct check *check,
		      const struct sim_pkt *kept)
{
	const struct check_half *half = &check->half[kept->dir];
	struct wk_tcp_seg seg;

	pkt_read(kept, &seg);
	switch (attack->kind) {
	case ATTACK_STALE:
		return forge_stale(half, kept, &seg);
	case ATTACK_BAD_ACK: /* arg: how much too high */
		if (rng)
			attack->arg = rng_chance(rng, 500) ? 1 << 20 : 1 << 30;
		seg.ack += (uint32_t)attack->arg;
		return pkt_build(kept->dir, &seg);
	case ATTACK_FLAGS:
		return forge_flags(rng, attack, kept->dir, &seg);
	case ATTACK_RST:
		return forge_rst(rng, attack, half, kept->dir, &seg);
	case ATTACK_SYN: /* arg: how far from the packet's number */
		if (rng)
			attack->arg = rng_range32(rng, 0, 100000);
		seg.flags = WK_TCP_SYN;
		seg.seq += (uint32_t)attack->arg;
		seg.data_len_b = 0;
		return pkt_build(kept->dir, &seg);
	case ATTACK_URG:
		return forge_urg(kept);
	case ATTACK_PAWS:
		return forge_paws(check, kept->dir, &seg);
	case ATTACK_WINDOW: /* arg: how far outside */
		if (rng)
			attack->arg = rng_chance(rng, 500) ? 1 << 30 : -(1 << 30);
		seg.seq += (uint32_t)attack->arg;
		return pkt_build(kept->dir, &seg);
	case ATTACK_KEEPALIVE:
		return forge_keepalive(half, kept->dir, &seg);
	case ATTACK_COPY:
		return pkt_copy(kept);
	default:
		return forge_siege(rng, attack, check, kept, &seg);
	}
}
