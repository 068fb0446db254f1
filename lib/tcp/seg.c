/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "wk_seq.h"
#include "wk_tcp.h"

/* Option kinds (IANA TCP parameters). */
enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
	OPT_MD5 = 19,
	OPT_AO = 29,
};

#define WSCALE_MAX 14u /* RFC 7323 2.3 */

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static void parse_option(struct wk_tcp_seg *seg, const uint8_t *opt)
{
	uint8_t len = opt[1];

	switch (opt[0]) {
	case OPT_MSS:
		if (len == 4) {
			seg->has_mss = true;
			seg->mss = be16(opt + 2);
		}
		break;
	case OPT_WSCALE:
		if (len == 3) {
			seg->has_wscale = true;
			seg->wscale = opt[2] > WSCALE_MAX ? WSCALE_MAX : opt[2];
		}
		break;
	case OPT_SACK_PERMITTED:
		if (len == 2)
			seg->sack_permitted = true;
		break;
	case OPT_SACK:
		for (uint8_t i = 2; i + 8 <= len && seg->n_sack < WK_TCP_SACK_MAX; i += 8) {
			seg->sack[seg->n_sack].left = be32(opt + i);
			seg->sack[seg->n_sack].right = be32(opt + i + 4);
			seg->n_sack++;
		}
		break;
	case OPT_TS:
		if (len == 10) {
			seg->has_ts = true;
			seg->tsval = be32(opt + 2);
			seg->tsecr = be32(opt + 6);
		}
		break;
	case OPT_MD5:
	case OPT_AO:
		seg->has_auth = true;
		break;
	default:
		break;
	}
}

/* @return the length of the option at opts[i], 0 at the end of the list, -1 when it does not fit.
 */
static int option_len(const uint8_t *opts, uint32_t len_b, uint32_t i)
{
	if (opts[i] == OPT_END)
		return 0;
	if (opts[i] == OPT_NOP)
		return 1;
	if (i + 1 >= len_b || opts[i + 1] < 2 || i + opts[i + 1] > len_b)
		return -1;
	return opts[i + 1];
}

/* Nothing said yet. Field by field: to clear the whole struct, blocks and all, costs more than the
 * rest of the parser. */
static void forget_options(struct wk_tcp_seg *seg)
{
	seg->has_ts = false;
	seg->has_auth = false;
	seg->has_mss = false;
	seg->has_wscale = false;
	seg->sack_permitted = false;
	seg->n_sack = 0;
	seg->wscale = 0;
	seg->mss = 0;
	seg->tsval = 0;
	seg->tsecr = 0;
}

/* A timestamp alone, as RFC 7323 appendix A lays it out: so are nearly all segments. */
static bool is_stamp_alone(const struct wk_tcp_seg *seg)
{
	static const uint8_t layout[] = { OPT_NOP, OPT_NOP, OPT_TS, 10 };

	return seg->opts_len_b == 12 && memcmp(seg->opts, layout, sizeof(layout)) == 0;
}

int wk_tcp_seg_parse(struct wk_tcp_seg *seg, const uint8_t *tcp, uint32_t len_b)
{
	uint32_t hdr_b, i = 0;
	int n;

	forget_options(seg);
	if (len_b < WK_TCP_HDR_MIN_B)
		return -EBADMSG;
	hdr_b = (uint32_t)(tcp[12] >> 4) * 4;
	if (hdr_b < WK_TCP_HDR_MIN_B || hdr_b > len_b)
		return -EBADMSG;
	seg->seq = be32(tcp + 4);
	seg->ack = be32(tcp + 8);
	seg->flags = tcp[13];
	seg->wnd = be16(tcp + 14);
	seg->opts = tcp + WK_TCP_HDR_MIN_B;
	seg->opts_len_b = (uint8_t)(hdr_b - WK_TCP_HDR_MIN_B);
	seg->data = tcp + hdr_b;
	seg->data_len_b = len_b - hdr_b;
	if (is_stamp_alone(seg)) {
		parse_option(seg, seg->opts + 2);
		return 0;
	}
	while (i < seg->opts_len_b) {
		n = option_len(seg->opts, seg->opts_len_b, i);
		if (n < 0)
			return -EBADMSG;
		if (n == 0)
			break;
		if (n > 1)
			parse_option(seg, seg->opts + i);
		i += (uint32_t)n;
	}
	return 0;
}

static bool keep_in_syn(uint8_t kind)
{
	return kind == OPT_MSS || kind == OPT_WSCALE || kind == OPT_SACK_PERMITTED ||
	       kind == OPT_TS;
}

unsigned int wk_tcp_syn_filter(uint8_t *opts, uint32_t len_b)
{
	unsigned int taken = 0;
	uint32_t i = 0;
	int n;

	while (i < len_b) {
		n = option_len(opts, len_b, i);
		if (n < 0) {
			memset(opts + i, OPT_NOP, len_b - i);
			return taken + 1;
		}
		if (n == 0)
			break;
		if (n > 1 && !keep_in_syn(opts[i])) {
			memset(opts + i, OPT_NOP, (size_t)n);
			taken++;
		}
		i += (uint32_t)n;
	}
	return taken;
}

bool wk_tcp_refuse(const struct wk_tcp_seg *seg, enum wk_dir dir, struct wk_tcp_out *out)
{
	if (seg->flags & WK_TCP_RST)
		return false;
	memset(out, 0, sizeof(*out));
	out->dir = wk_dir_flip(dir);
	if (seg->flags & WK_TCP_ACK) {
		out->flags = WK_TCP_RST;
		out->seq = seg->ack;
		return true;
	}
	out->flags = WK_TCP_RST | WK_TCP_ACK;
	out->ack = seg->seq + seg->data_len_b + ((seg->flags & WK_TCP_SYN) ? 1u : 0u) +
		   ((seg->flags & WK_TCP_FIN) ? 1u : 0u);
	return true;
}
