/* SPDX-License-Identifier: Apache-2.0 */
/* cut.c - a TCP datagram as packets that fit the path, as if its sender had known it: sequence
 * numbers go on, FIN and PSH belong to the last packet, CWR to the first. */
#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "frag_priv.h"

/* What every path must carry: RFC 791, RFC 8200 section 5. */
#define IPV4_LEAST_B 576u
#define IPV6_LEAST_B 1280u

bool wk_frag_cut_begin(struct wk_frag_cut *cut, const struct wk_pkt *pkt, uint32_t largest_b,
		       uint32_t limit_b)
{
	uint32_t least_b = pkt->ip_version == 4 ? IPV4_LEAST_B : IPV6_LEAST_B;
	uint32_t fits_b = RTE_MIN(RTE_MAX(largest_b, least_b), limit_b);
	uint32_t hdr_b = (uint32_t)pkt->data_off - pkt->l3_off;
	const struct rte_tcp_hdr *tcp = (const void *)(pkt->frame + pkt->l4_off);

	*cut = (struct wk_frag_cut){ .whole = pkt };
	if (fits_b < hdr_b || (fits_b == hdr_b && pkt->data_len_b > 0))
		return false;
	cut->room_b = fits_b - hdr_b;
	return pkt->data_len_b <= cut->room_b ||
	       (tcp->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG)) == 0;
}

static void head_ip(struct wk_frag *frag, const struct wk_frag_cut *cut, uint8_t *frame,
		    uint32_t l3_len_b)
{
	uint8_t *l3 = frame + cut->whole->l3_off;

	if (cut->whole->ip_version == 4) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(void *)l3;

		ip->total_length = rte_cpu_to_be_16((uint16_t)l3_len_b);
		/* Two packets of one id could be put together somewhere. */
		if (cut->from_b > 0)
			ip->packet_id = rte_cpu_to_be_16(frag->ident++);
		ip->hdr_checksum = 0;
		ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, rte_ipv4_hdr_len(ip));
	} else {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(void *)l3;

		ip->payload_len = rte_cpu_to_be_16((uint16_t)(l3_len_b - sizeof(*ip)));
	}
}

static void head_tcp(const struct wk_frag_cut *cut, uint8_t *frame, uint32_t l4_len_b, bool last)
{
	const struct wk_pkt *whole = cut->whole;
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(void *)(frame + whole->l4_off);

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + cut->from_b);
	if (!last)
		tcp->tcp_flags &= (uint8_t) ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (cut->from_b > 0)
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG;
	tcp->cksum = wk_pkt_tcp_csum(whole->ip_version, whole->src, whole->dst,
				     (const uint8_t *)tcp, l4_len_b);
}

static void lay_out(struct wk_frag *frag, const struct wk_frag_cut *cut, uint8_t *frame,
		    uint32_t len_b)
{
	const struct wk_pkt *whole = cut->whole;

	memcpy(frame, whole->frame, whole->data_off);
	memcpy(frame + whole->data_off, whole->frame + whole->data_off + cut->from_b, len_b);
	head_ip(frag, cut, frame, whole->data_off + len_b - whole->l3_off);
	head_tcp(cut, frame, whole->data_off + len_b - whole->l4_off,
		 cut->from_b + len_b == whole->data_len_b);
}

bool wk_frag_cut_next(struct wk_frag *frag, struct wk_frag_cut *cut, struct rte_mbuf **m)
{
	uint32_t len_b = RTE_MIN(cut->whole->data_len_b - cut->from_b, cut->room_b);
	uint8_t *frame;

	if (cut->done)
		return false;
	wk_count(frag->stats, WK_CNT_ORIGINATED, 1);
	*m = rte_pktmbuf_alloc(frag->pool);
	if (!*m) {
		frag->stats->reason[WK_DROP_NO_MBUF]++;
	} else {
		frame = (uint8_t *)rte_pktmbuf_append(*m, (uint16_t)(cut->whole->data_off + len_b));
		if (frame) {
			lay_out(frag, cut, frame, len_b);
		} else {
			frag->stats->reason[WK_DROP_OVERSIZE]++;
			rte_pktmbuf_free(*m);
			*m = NULL;
		}
	}
	cut->from_b += len_b;
	cut->done = cut->from_b == cut->whole->data_len_b;
	return true;
}
