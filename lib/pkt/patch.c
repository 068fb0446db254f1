/* SPDX-License-Identifier: Apache-2.0 */
#include "wk_pkt.h"

#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "pkt_bytes.h"

#define IPV4_HDR_B 20u

/* The frame of an mbuf that the caller says is writable. */
static uint8_t *bytes_at(struct wk_pkt *pkt, uint32_t off)
{
	return rte_pktmbuf_mtod_offset(pkt->m, uint8_t *, off);
}

static struct rte_tcp_hdr *tcp_of(struct wk_pkt *pkt)
{
	return (struct rte_tcp_hdr *)(void *)bytes_at(pkt, pkt->l4_off);
}

static uint32_t l4_len_b(const struct wk_pkt *pkt)
{
	return (uint32_t)pkt->l3_off + pkt->l3_len_b - pkt->l4_off;
}

static void complete_udp(struct wk_pkt *pkt)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(void *)bytes_at(pkt, pkt->l4_off);
	uint32_t len_b = (uint32_t)pkt->data_len_b + sizeof(*udp);
	uint16_t csum;

	udp->dgram_cksum = 0;
	csum = (uint16_t)~sum_fold(
		wk_pkt_pseudo_sum(pkt->ip_version, pkt->src, pkt->dst, IPPROTO_UDP, len_b) +
		wk_pkt_sum((const uint8_t *)udp, len_b));
	/* 0 says "none" in UDP. */
	udp->dgram_cksum = csum == 0 ? 0xffff : csum;
}

static void complete_ip(struct wk_pkt *pkt)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(void *)bytes_at(pkt, pkt->l3_off);

	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~wk_pkt_sum((const uint8_t *)ip, rte_ipv4_hdr_len(ip));
}

void wk_pkt_complete_csum(struct wk_pkt *pkt)
{
	if (pkt->ip_csum == WK_PKT_CSUM_NONE) {
		if (pkt->ip_version == 4)
			complete_ip(pkt);
		pkt->ip_csum = WK_PKT_CSUM_GOOD;
	}
	if (pkt->l4_csum != WK_PKT_CSUM_NONE ||
	    (pkt->flags & (WK_PKT_F_MALFORMED | WK_PKT_F_FRAG)) != 0)
		return;
	if ((pkt->flags & WK_PKT_F_TCP) != 0) {
		struct rte_tcp_hdr *tcp = tcp_of(pkt);

		tcp->cksum = wk_pkt_tcp_csum(pkt->ip_version, pkt->src, pkt->dst,
					     (const uint8_t *)tcp, l4_len_b(pkt));
		pkt->l4_csum = WK_PKT_CSUM_GOOD;
	} else if (pkt->ip_version != 0 && pkt->proto == IPPROTO_UDP) {
		complete_udp(pkt);
		pkt->l4_csum = WK_PKT_CSUM_GOOD;
	}
}

static void put_be16(struct rte_tcp_hdr *tcp, rte_be16_t *field, rte_be16_t value)
{
	tcp->cksum = csum_update(tcp->cksum, *field, value);
	*field = value;
}

static void put_be32(struct rte_tcp_hdr *tcp, rte_be32_t *field, rte_be32_t value)
{
	tcp->cksum = csum_update(tcp->cksum, sum_fold(*field), sum_fold(value));
	*field = value;
}

void wk_pkt_set_numbers(struct wk_pkt *pkt, uint32_t seq, uint32_t ack, uint16_t wnd)
{
	struct rte_tcp_hdr *tcp = tcp_of(pkt);
	rte_be32_t words[2] = { tcp->sent_seq, tcp->recv_ack };
	rte_be16_t window = tcp->rx_win;

	wk_pkt_complete_csum(pkt);
	put_be32(tcp, &words[0], rte_cpu_to_be_32(seq));
	put_be32(tcp, &words[1], rte_cpu_to_be_32(ack));
	put_be16(tcp, &window, rte_cpu_to_be_16(wnd));
	tcp->sent_seq = words[0];
	tcp->recv_ack = words[1];
	tcp->rx_win = window;
}

void wk_pkt_clear_urg(struct wk_pkt *pkt)
{
	struct rte_tcp_hdr *tcp = tcp_of(pkt);
	const uint8_t *word = (const uint8_t *)tcp + offsetof(struct rte_tcp_hdr, data_off);
	uint16_t old[2] = { 0, tcp->tcp_urp };
	uint16_t flags;

	wk_pkt_complete_csum(pkt);
	memcpy(&old[0], word, sizeof(old[0]));
	tcp->tcp_flags = (uint8_t)(tcp->tcp_flags & ~RTE_TCP_URG_FLAG);
	tcp->tcp_urp = 0;
	memcpy(&flags, word, sizeof(flags));
	tcp->cksum = csum_update(tcp->cksum, old[0], flags);
	tcp->cksum = csum_update(tcp->cksum, old[1], 0);
}

void wk_pkt_edit_opts(struct wk_pkt *pkt, unsigned int (*fn)(uint8_t *opts, uint32_t len_b))
{
	struct rte_tcp_hdr *tcp = tcp_of(pkt);
	uint8_t *opts = (uint8_t *)(tcp + 1);
	uint32_t len_b = (uint32_t)pkt->data_off - pkt->l4_off - (uint32_t)sizeof(*tcp);
	uint16_t old;

	wk_pkt_complete_csum(pkt);
	old = wk_pkt_sum(opts, len_b);
	fn(opts, len_b);
	tcp->cksum = csum_update(tcp->cksum, old, wk_pkt_sum(opts, len_b));
}

static void set_l3_len(struct wk_pkt *pkt, uint16_t len_b)
{
	uint8_t *ip = bytes_at(pkt, pkt->l3_off);

	if (pkt->ip_version == 4) {
		struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)(void *)ip;
		rte_be16_t total = rte_cpu_to_be_16(len_b);

		v4->hdr_checksum = csum_update(v4->hdr_checksum, v4->total_length, total);
		v4->total_length = total;
	} else {
		struct rte_ipv6_hdr *v6 = (struct rte_ipv6_hdr *)(void *)ip;

		v6->payload_len = rte_cpu_to_be_16((uint16_t)(len_b - sizeof(*v6)));
	}
	pkt->l3_len_b = len_b;
}

void wk_pkt_trim_data(struct wk_pkt *pkt)
{
	struct rte_tcp_hdr *tcp = tcp_of(pkt);
	uint16_t old_len = rte_cpu_to_be_16((uint16_t)l4_len_b(pkt));
	uint16_t old_sum;
	uint32_t end;

	if (pkt->data_len_b == 0)
		return;
	wk_pkt_complete_csum(pkt);
	old_sum = wk_pkt_sum(bytes_at(pkt, pkt->data_off), pkt->data_len_b);
	set_l3_len(pkt, (uint16_t)(pkt->l3_len_b - pkt->data_len_b));
	pkt->data_len_b = 0;
	tcp->cksum = csum_update(tcp->cksum, old_sum, 0);
	tcp->cksum = csum_update(tcp->cksum, old_len, rte_cpu_to_be_16((uint16_t)l4_len_b(pkt)));
	/* What follows goes with it, the trailer of the frame too. */
	end = (uint32_t)pkt->l3_off + pkt->l3_len_b;
	rte_pktmbuf_trim(pkt->m, (uint16_t)(pkt->frame_len_b - end));
	pkt->frame_len_b = end;
}
