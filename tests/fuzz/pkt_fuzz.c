/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a frame: nothing is read beyond their end, what is said of them lies within them and
 * agrees with rte_net's parser, and an edited packet whose checksum was right has a right one. So
 * has an ICMP error whose quote was edited. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>

#include "must.h"
#include "wk_pkt.h"

#define INPUT_MAX_B 4096u
#define TAGS_OFF_B  12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

static struct rte_mbuf mbuf_of(uint8_t *bytes, uint32_t len_b)
{
	struct rte_mbuf m = { .buf_addr = bytes, .buf_len = (uint16_t)len_b };

	m.data_len = (uint16_t)len_b;
	m.pkt_len = len_b;
	m.nb_segs = 1;
	m.refcnt = 1;
	return m;
}

static void check_bounds(const struct wk_pkt *pkt)
{
	uint32_t end = (uint32_t)pkt->l3_off + pkt->l3_len_b;

	must(pkt->n_tags <= WK_PKT_TAGS_DEEP);
	if ((pkt->flags & WK_PKT_F_MALFORMED) == 0)
		must(((pkt->flags & WK_PKT_F_DEEP_TAGS) != 0) == (pkt->n_tags > WK_PKT_TAGS_MAX));
	if (pkt->ip_version == 0) {
		must((pkt->flags & ~(WK_PKT_F_MALFORMED | WK_PKT_F_DEEP_TAGS)) == 0);
		return;
	}
	must(end <= pkt->frame_len_b && pkt->l4_off <= end);
	must(pkt->data_off <= end && (uint32_t)pkt->data_off + pkt->data_len_b <= end);
	if ((pkt->flags & WK_PKT_F_TCP) != 0) {
		must((pkt->flags & (WK_PKT_F_FRAG | WK_PKT_F_MALFORMED)) == 0);
		must((pkt->flags & WK_PKT_F_L4_PORTS) != 0);
		must((uint32_t)pkt->data_off + pkt->data_len_b == end);
	}
	if ((pkt->flags & WK_PKT_F_FRAG_FIRST) != 0)
		must((pkt->flags & WK_PKT_F_FRAG) != 0);
}

/* rte_net knows one tag 0x8100, or 0x88a8 with another behind it, and not all extension headers. */
static bool comparable(const struct wk_pkt *pkt)
{
	static const uint16_t one[] = { RTE_ETHER_TYPE_VLAN };
	static const uint16_t two[] = { RTE_ETHER_TYPE_QINQ, RTE_ETHER_TYPE_VLAN };
	const uint16_t *tpids = pkt->n_tags == 2 ? two : one;

	if ((pkt->flags & (WK_PKT_F_V6_EXT | WK_PKT_F_DEEP_TAGS)) != 0 ||
	    (pkt->ip_version == 4 && pkt->frame[pkt->l3_off + 9] != IPPROTO_TCP))
		return false;
	for (uint32_t i = 0; i < pkt->n_tags; i++) {
		const uint8_t *tag = pkt->frame + TAGS_OFF_B + 4 * (size_t)i;

		if ((tag[0] << 8 | tag[1]) != tpids[i])
			return false;
	}
	return true;
}

static void compare(const struct wk_pkt *pkt, const struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens = { 0 };
	uint32_t ptype;

	if (!comparable(pkt))
		return;
	ptype = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	must((ptype & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP);
	must(lens.l2_len == pkt->l3_off);
	must(lens.l3_len == pkt->l4_off - pkt->l3_off);
	must(lens.l4_len == pkt->data_off - pkt->l4_off);
}

static unsigned int no_options(uint8_t *opts, uint32_t len_b)
{
	memset(opts, 1, len_b);
	return 0;
}

static void edit(struct wk_pkt *pkt, struct rte_mbuf *m, uint32_t number)
{
	bool good = wk_pkt_csum_ok(pkt);
	struct wk_pkt again;

	pkt->m = m;
	wk_pkt_set_numbers(pkt, number, ~number, (uint16_t)number);
	wk_pkt_clear_urg(pkt);
	wk_pkt_edit_opts(pkt, no_options);
	wk_pkt_trim_data(pkt);
	wk_pkt_parse(rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m), &again);
	must((again.flags & WK_PKT_F_TCP) != 0 && again.data_len_b == 0);
	must(wk_pkt_csum_ok(&again) == good);
}

/* A quote lies within its message, and has another number when it is given one. */
static void quote(struct wk_pkt *pkt, struct rte_mbuf *m, uint32_t number)
{
	bool good = wk_pkt_icmp_csum_ok(pkt);
	struct wk_pkt quoted;

	if (!wk_pkt_quoted(pkt, &quoted))
		return;
	must(quoted.l3_off >= pkt->l4_off + 8u && quoted.l4_off > quoted.l3_off);
	must(quoted.l4_off + 8u <= (uint32_t)pkt->l3_off + pkt->l3_len_b);
	must(quoted.proto == IPPROTO_TCP && quoted.ip_version == pkt->ip_version);
	pkt->m = m;
	wk_pkt_set_quoted_seq(pkt, &quoted, number);
	must(wk_pkt_quoted_seq(&quoted) == number);
	must(wk_pkt_icmp_csum_ok(pkt) == good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	uint32_t len_b = size_b > INPUT_MAX_B ? INPUT_MAX_B : (uint32_t)size_b;
	uint8_t *bytes = malloc(len_b > 0 ? len_b : 1);
	struct rte_mbuf m;
	struct wk_pkt pkt;

	if (!bytes)
		return 0;
	memcpy(bytes, data, len_b);
	m = mbuf_of(bytes, len_b);
	wk_pkt_parse(bytes, len_b, &pkt);
	check_bounds(&pkt);
	if ((pkt.flags & WK_PKT_F_TCP) != 0) {
		compare(&pkt, &m);
		edit(&pkt, &m, (uint32_t)size_b * 2654435761u);
	}
	if ((pkt.flags & WK_PKT_F_ICMP_ERR) != 0)
		quote(&pkt, &m, (uint32_t)size_b * 2654435761u);
	free(bytes);
	return 0;
}
