/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of an attacker who besieges: those that only the profile siege has. */
#include "forge.h"

#include <string.h>

#include "wk_seq.h"

#define FAR_B (1u << 24) /* numbers that far apart are not in one window */

/* arg: twice the distance from the first SYN-ACK's number, odd: acknowledges what it did. */
static struct sim_pkt *forge_syn_ack(struct sim_rng *rng, struct attack *attack,
				     const struct check *check, struct wk_tcp_seg *seg)
{
	if (rng)
		attack->arg = (int64_t)rng_range(rng, 0, 200000);
	if (!check->half[WK_S2C].open)
		return NULL;
	seg->flags = WK_TCP_SYN | WK_TCP_ACK;
	seg->seq = check->half[WK_S2C].isn + (uint32_t)(attack->arg >> 1);
	seg->ack = attack->arg & 1 ? check->half[WK_C2S].isn + 1 : seg->ack;
	seg->data_len_b = 0;
	return pkt_build(WK_S2C, seg);
}

static struct sim_pkt *forge_mirror(const struct check *check, const struct sim_pkt *kept)
{
	uint32_t apart = check->half[WK_C2S].isn - check->half[WK_S2C].isn;
	struct sim_pkt *pkt;

	if (apart < FAR_B || apart > 0u - FAR_B)
		return NULL;
	pkt = pkt_copy(kept);
	pkt->dir = wk_dir_flip(kept->dir);
	return pkt;
}

/* arg: which lie. */
static struct sim_pkt *forge_bad_sack(struct sim_rng *rng, struct attack *attack,
				      const struct check *check, enum wk_dir dir,
				      struct wk_tcp_seg *seg)
{
	const struct check_half *acked = &check->half[wk_dir_flip(dir)];
	uint32_t end = acked->isn + (uint32_t)acked->end_out;
	struct wk_tcp_sack block = { .left = end + 1000, .right = end + 2000 };
	uint8_t opts[WK_TCP_OPTS_MAX_B];

	if (rng)
		attack->arg = (int64_t)rng_range(rng, 0, 3);
	if (attack->arg == 1)
		block = (struct wk_tcp_sack){ .left = end, .right = seg->ack };
	if (attack->arg == 2)
		block = (struct wk_tcp_sack){ .left = seg->ack, .right = seg->ack };
	if (attack->arg == 3)
		block = (struct wk_tcp_sack){ .left = end + (3u << 30), .right = end + (1u << 30) };
	seg->data_len_b = 0;
	seg->flags = WK_TCP_ACK;
	seg->opts_len_b = 0;
	if (check->ts)
		seg->opts_len_b = opt_put_ts(opts, 0, seg->tsval, seg->tsecr);
	seg->opts_len_b = opt_put_sack(opts, seg->opts_len_b, &block, 1);
	seg->opts = opts;
	return pkt_build(dir, seg);
}

/* arg: which option. */
static struct sim_pkt *forge_options(struct sim_rng *rng, struct attack *attack,
				     const struct check *check, enum wk_dir dir,
				     struct wk_tcp_seg *seg)
{
	static const struct {
		uint8_t len_b;
		uint8_t bytes[20];
	} all[] = {
		{ 4, { 254, 4, 1, 2 } },   /* nobody's */
		{ 20, { 19, 18, 1, 2 } },  /* MD5 */
		{ 16, { 29, 16, 1, 2 } },  /* AO */
		{ 8, { 30, 8, 0x20, 1 } }, /* MPTCP */
		{ 4, { 1, 1, 254, 0 } },   /* no length */
		{ 4, { 254, 20, 1, 1 } },  /* longer than the header */
		{ 4, { 2, 4, 0, 88 } },    /* an MSS that is too late */
		{ 4, { 1, 3, 3, 14 } },    /* a window scale that is too late */
		{ 4, { 5, 4, 1, 1 } },     /* SACK without a block */
		{ 4, { 0, 5, 2, 9 } },     /* behind the end */
	};
	uint16_t mss = check->half[wk_dir_flip(dir)].mss;
	uint8_t opts[WK_TCP_OPTS_MAX_B], len_b;

	if (rng)
		attack->arg = (int64_t)rng_range(rng, 0, sizeof(all) / sizeof(all[0]) - 1);
	if (attack->arg < 0 || (size_t)attack->arg >= sizeof(all) / sizeof(all[0]))
		return NULL;
	len_b = all[attack->arg].len_b;
	if (seg->opts_len_b + len_b > WK_TCP_OPTS_MAX_B ||
	    seg->data_len_b + seg->opts_len_b + len_b > mss)
		return NULL;
	if (seg->opts_len_b > 0)
		memcpy(opts, seg->opts, seg->opts_len_b);
	memcpy(opts + seg->opts_len_b, all[attack->arg].bytes, len_b);
	seg->opts = opts;
	seg->opts_len_b = (uint8_t)(seg->opts_len_b + len_b);
	return pkt_build(dir, seg);
}

/* Bytes that have been judged and are no payload of DATA: the box has them itself. */
static struct sim_pkt *forge_rewrite(const struct check *check, const struct sim_pkt *kept,
				     const struct wk_tcp_seg *seg)
{
	const struct judge_dir *d = &check->judge->dir[WK_C2S];
	int64_t off = wk_seq_unwrap(check->half[WK_C2S].isn, seg->seq, d->in_b) - 1;
	uint64_t from = (uint64_t)off, end = from + seg->data_len_b;
	struct sim_pkt *pkt;
	uint8_t *data;

	if (kept->dir != WK_C2S || seg->data_len_b == 0 || off < 0 || end > d->in_b)
		return NULL;
	pkt = pkt_copy(kept);
	data = pkt->b + (pkt->len_b - seg->data_len_b);
	for (uint32_t i = 0; i < d->n_map; i++) {
		const struct judge_map *map = &d->map[i];
		uint64_t to = map->in + map->in_b < end ? map->in + map->in_b : end;

		if (map->kind == WK_OP_PASS)
			continue;
		for (uint64_t in = map->in > from ? map->in : from; in < to; in++)
			data[in - from] ^= 0x3c;
	}
	return pkt;
}

/* arg: how far in front of what the box has taken: what has only arrived may have been dropped for
 * want of room, and then a FIN may be there. */
static struct sim_pkt *forge_early_fin(struct sim_rng *rng, struct attack *attack,
				       const struct check *check, enum wk_dir dir,
				       struct wk_tcp_seg *seg)
{
	const struct judge_dir *d = &check->judge->dir[dir];
	uint64_t end = 1 + d->in_b + d->held_b;

	if (rng)
		attack->arg = (int64_t)rng_range(rng, 2, 3000);
	if (end < 2 || attack->arg < 2 || (uint64_t)attack->arg > end - 1)
		return NULL;
	seg->seq = check->half[dir].isn + (uint32_t)(end - (uint64_t)attack->arg);
	seg->flags = WK_TCP_FIN | WK_TCP_ACK;
	seg->data_len_b = 0;
	return pkt_build(dir, seg);
}

/* One field of a true packet changed. */
static struct sim_pkt *forge_field(struct sim_rng *rng, struct attack *attack, enum wk_dir dir,
				   struct wk_tcp_seg *seg)
{
	switch (attack->kind) {
	case ATTACK_SHRINK: /* arg: the window */
		if (rng)
			attack->arg = rng_chance(rng, 500) ? 0 : rng_range32(rng, 0, 2000);
		if (seg->wnd > attack->arg)
			seg->wnd = (uint16_t)attack->arg;
		break;
	case ATTACK_OLD_ACK: /* arg: how old */
		if (rng)
			attack->arg = rng_chance(rng, 500) ? 1 << 30 : rng_range32(rng, 1, 50000);
		seg->ack -= (uint32_t)attack->arg;
		break;
	case ATTACK_ECN: /* arg: the flags */
		if (rng)
			attack->arg = rng_chance(rng, 500) ? WK_TCP_ECE : WK_TCP_CWR;
		seg->flags |= (uint8_t)attack->arg;
		break;
	default: /* ATTACK_SYN_DATA. arg: how far from the packet's number */
		if (rng)
			attack->arg = rng_range32(rng, 0, 100000);
		seg->flags = WK_TCP_SYN;
		seg->seq += (uint32_t)attack->arg;
		break;
	}
	return pkt_build(dir, seg);
}

/* arg: four times the distance from the end of what has left, and which MTU. One within what is
 * under way cannot be told from a true one: what it says of the path is believed. */
static struct sim_pkt *forge_quote(struct sim_rng *rng, struct attack *attack,
				   const struct check_half *half, const struct sim_pkt *kept)
{
	static const uint32_t mtus[] = { 0, 68, 600, 1300 };
	uint64_t flight = half->end_out - half->ack_max;
	struct sim_pkt *quote;
	int64_t apart;

	if (rng) {
		apart = (int64_t)rng_range(rng, 2, rng_chance(rng, 500) ? 3000 : 1u << 30);
		if (rng_chance(rng, 300))
			apart = -apart;
		else if (rng_chance(rng, 300) && flight < 1u << 30)
			apart = -(int64_t)rng_range(rng, 0, flight);
		attack->arg = 4 * apart + (int64_t)rng_range(rng, 0, 3);
	}
	quote = pkt_quote(kept, mtus[attack->arg & 3]);
	pkt_set_seq(quote, half->isn + (uint32_t)half->end_out + (uint32_t)(attack->arg >> 2));
	return quote;
}

struct sim_pkt *forge_siege(struct sim_rng *rng, struct attack *attack, const struct check *check,
			    const struct sim_pkt *kept, struct wk_tcp_seg *seg)
{
	switch (attack->kind) {
	case ATTACK_SYN_ACK:
		return forge_syn_ack(rng, attack, check, seg);
	case ATTACK_MIRROR:
		return forge_mirror(check, kept);
	case ATTACK_BAD_SACK:
		return forge_bad_sack(rng, attack, check, kept->dir, seg);
	case ATTACK_OPTIONS:
		return forge_options(rng, attack, check, kept->dir, seg);
	case ATTACK_REWRITE:
		return forge_rewrite(check, kept, seg);
	case ATTACK_EARLY_FIN:
		return forge_early_fin(rng, attack, check, kept->dir, seg);
	case ATTACK_QUOTE:
		return forge_quote(rng, attack, &check->half[kept->dir], kept);
	case ATTACK_NO_TS:
		if (!check->ts || seg->opts_len_b != 12)
			return NULL;
		seg->opts_len_b = 0;
		return pkt_build(kept->dir, seg);
	default:
		return forge_field(rng, attack, kept->dir, seg);
	}
}
