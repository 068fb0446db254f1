/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "../support/wire_bytes.h"

struct sim_pkt *pkt_new(enum wk_dir dir, uint32_t len_b)
{
	static uint64_t next_id;
	struct sim_pkt *pkt = calloc(1, sizeof(*pkt) + len_b);

	if (!pkt)
		abort();
	pkt->id = next_id++;
	pkt->dir = dir;
	pkt->len_b = len_b;
	return pkt;
}

struct sim_pkt *pkt_copy(const struct sim_pkt *pkt)
{
	struct sim_pkt *copy = pkt_new(pkt->dir, pkt->len_b);

	copy->id = pkt->id;
	copy->quoted_b = pkt->quoted_b;
	copy->mtu_b = pkt->mtu_b;
	memcpy(copy->b, pkt->b, pkt->len_b);
	return copy;
}

static void put_header(struct sim_pkt *pkt, uint32_t seq, uint32_t ack, uint8_t flags, uint16_t wnd,
		       uint32_t opts_len_b)
{
	put16(pkt->b, pkt->dir == WK_C2S ? 40000 : 50051);
	put16(pkt->b + 2, pkt->dir == WK_C2S ? 50051 : 40000);
	put32(pkt->b + 4, seq);
	put32(pkt->b + 8, ack);
	pkt->b[12] = (uint8_t)((WK_TCP_HDR_MIN_B + opts_len_b) / 4 << 4);
	pkt->b[13] = flags;
	put16(pkt->b + 14, wnd);
}

struct sim_pkt *pkt_build(enum wk_dir dir, const struct wk_tcp_seg *seg)
{
	uint32_t hdr_b = WK_TCP_HDR_MIN_B + seg->opts_len_b;
	struct sim_pkt *pkt = pkt_new(dir, hdr_b + seg->data_len_b);

	put_header(pkt, seg->seq, seg->ack, seg->flags, seg->wnd, seg->opts_len_b);
	if (seg->opts_len_b > 0)
		memcpy(pkt->b + WK_TCP_HDR_MIN_B, seg->opts, seg->opts_len_b);
	if (seg->data_len_b > 0)
		memcpy(pkt->b + hdr_b, seg->data, seg->data_len_b);
	return pkt;
}

struct sim_pkt *pkt_build_out(const struct wk_tcp_out *out)
{
	uint32_t at = WK_TCP_HDR_MIN_B + out->opts_len_b;
	struct sim_pkt *pkt = pkt_new(out->dir, at + out->data_len_b);

	put_header(pkt, out->seq, out->ack, out->flags, out->wnd, out->opts_len_b);
	memcpy(pkt->b + WK_TCP_HDR_MIN_B, out->opts, out->opts_len_b);
	for (uint32_t i = 0; i < out->n_iov; i++) {
		if (at + out->iov[i].len_b > pkt->len_b)
			abort();
		memcpy(pkt->b + at, out->iov[i].data, out->iov[i].len_b);
		at += out->iov[i].len_b;
	}
	if (at != pkt->len_b)
		abort();
	return pkt;
}

static bool read_sack(struct wk_tcp_seg *seg, const uint8_t *opt, uint8_t len_b)
{
	if (len_b % 8 != 2 || len_b < 10)
		return false;
	for (uint8_t i = 2; i < len_b && seg->n_sack < WK_TCP_SACK_MAX; i = (uint8_t)(i + 8)) {
		seg->sack[seg->n_sack].left = get32(opt + i);
		seg->sack[seg->n_sack].right = get32(opt + i + 4);
		seg->n_sack++;
	}
	return true;
}

static bool read_option(struct wk_tcp_seg *seg, const uint8_t *opt, uint8_t len_b)
{
	static const uint8_t lengths[] = { [2] = 4, [3] = 3, [4] = 2, [8] = 10 };

	if (opt[0] < sizeof(lengths) && lengths[opt[0]] > 0 && len_b != lengths[opt[0]])
		return false;
	switch (opt[0]) {
	case 2:
		seg->has_mss = true;
		seg->mss = (uint16_t)get16(opt + 2);
		break;
	case 3:
		seg->has_wscale = true;
		seg->wscale = opt[2];
		break;
	case 4:
		seg->sack_permitted = true;
		break;
	case 5:
		return read_sack(seg, opt, len_b);
	case 8:
		seg->has_ts = true;
		seg->tsval = get32(opt + 2);
		seg->tsecr = get32(opt + 6);
		break;
	default:
		break;
	}
	return true;
}

bool pkt_read(const struct sim_pkt *pkt, struct wk_tcp_seg *seg)
{
	uint32_t hdr_b, i = WK_TCP_HDR_MIN_B;

	*seg = (struct wk_tcp_seg){ 0 };
	if (pkt->len_b < WK_TCP_HDR_MIN_B)
		return false;
	hdr_b = (uint32_t)(pkt->b[12] >> 4) * 4;
	if (hdr_b < WK_TCP_HDR_MIN_B || hdr_b > pkt->len_b)
		return false;
	seg->seq = get32(pkt->b + 4);
	seg->ack = get32(pkt->b + 8);
	seg->flags = pkt->b[13];
	seg->wnd = (uint16_t)get16(pkt->b + 14);
	seg->opts = pkt->b + WK_TCP_HDR_MIN_B;
	seg->opts_len_b = (uint8_t)(hdr_b - WK_TCP_HDR_MIN_B);
	seg->data = pkt->b + hdr_b;
	seg->data_len_b = pkt->len_b - hdr_b;
	while (i < hdr_b && pkt->b[i] != 0) {
		if (pkt->b[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= hdr_b || pkt->b[i + 1] < 2 || i + pkt->b[i + 1] > hdr_b)
			return false;
		if (!read_option(seg, pkt->b + i, pkt->b[i + 1]))
			return false;
		i += pkt->b[i + 1];
	}
	return true;
}

struct sim_pkt *pkt_quote(const struct sim_pkt *pkt, uint32_t mtu_b)
{
	uint32_t hdr_b = (uint32_t)(pkt->b[12] >> 4) * 4;
	struct sim_pkt *quote = pkt_new(wk_dir_flip(pkt->dir), hdr_b);

	memcpy(quote->b, pkt->b, hdr_b);
	quote->quoted_b = pkt->len_b;
	quote->mtu_b = mtu_b;
	return quote;
}

uint32_t pkt_seq(const struct sim_pkt *pkt)
{
	return get32(pkt->b + 4);
}

void pkt_set_seq(struct sim_pkt *pkt, uint32_t seq)
{
	put32(pkt->b + 4, seq);
}

void pkt_edit(struct sim_pkt *pkt, const struct wk_tcp_result *result)
{
	uint32_t hdr_b = (uint32_t)(pkt->b[12] >> 4) * 4;

	if (result->edits & WK_TCP_EDIT_SYN_OPTS)
		wk_tcp_syn_filter(pkt->b + WK_TCP_HDR_MIN_B, hdr_b - WK_TCP_HDR_MIN_B);
	if (result->edits & WK_TCP_EDIT_TRIM_DATA)
		pkt->len_b = hdr_b;
	if (result->edits & WK_TCP_EDIT_URG) {
		pkt->b[13] &= (uint8_t)~WK_TCP_URG;
		put16(pkt->b + 18, 0);
	}
	if (result->edits & WK_TCP_EDIT_NUMBERS) {
		put32(pkt->b + 4, result->seq);
		put32(pkt->b + 8, result->ack);
		put16(pkt->b + 14, result->wnd);
	}
}

uint8_t opt_put_mss(uint8_t *opts, uint8_t len_b, uint16_t mss)
{
	opts[len_b] = 2;
	opts[len_b + 1] = 4;
	put16(opts + len_b + 2, mss);
	return (uint8_t)(len_b + 4);
}

uint8_t opt_put_wscale(uint8_t *opts, uint8_t len_b, uint8_t wscale)
{
	opts[len_b] = 1;
	opts[len_b + 1] = 3;
	opts[len_b + 2] = 3;
	opts[len_b + 3] = wscale;
	return (uint8_t)(len_b + 4);
}

uint8_t opt_put_sack_permitted(uint8_t *opts, uint8_t len_b)
{
	memcpy(opts + len_b, "\x01\x01\x04\x02", 4);
	return (uint8_t)(len_b + 4);
}

uint8_t opt_put_ts(uint8_t *opts, uint8_t len_b, uint32_t tsval, uint32_t tsecr)
{
	memcpy(opts + len_b, "\x01\x01\x08\x0a", 4);
	put32(opts + len_b + 4, tsval);
	put32(opts + len_b + 8, tsecr);
	return (uint8_t)(len_b + 12);
}

uint8_t opt_put_sack(uint8_t *opts, uint8_t len_b, const struct wk_tcp_sack *sack, uint32_t n)
{
	opts[len_b] = 1;
	opts[len_b + 1] = 1;
	opts[len_b + 2] = 5;
	opts[len_b + 3] = (uint8_t)(2 + 8 * n);
	len_b = (uint8_t)(len_b + 4);
	for (uint32_t i = 0; i < n; i++) {
		put32(opts + len_b, sack[i].left);
		put32(opts + len_b + 4, sack[i].right);
		len_b = (uint8_t)(len_b + 8);
	}
	return len_b;
}
