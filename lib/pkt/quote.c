/* SPDX-License-Identifier: Apache-2.0 */
/* quote.c - what ICMP errors quote. A quote is the beginning of a packet, cut anywhere behind the
 * first eight bytes of its TCP header (RFC 792), and often says longer lengths than it has. */
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "pkt_bytes.h"

#define ICMP_HDR_B  8u
#define IPV4_HDR_B  20u
#define IPV6_HDR_B  40u
#define TCP_QUOTE_B 8u /* ports and sequence number */
#define SEQ_OFF     4u
#define SUM_OFF     16u
#define FRAG_OFF    0x1fffu

static uint32_t icmp_end(const struct wk_pkt *pkt)
{
	return (uint32_t)pkt->l3_off + pkt->l3_len_b;
}

/* @return where TCP begins, 0 if there is none. */
static uint32_t quoted_ipv4(struct wk_pkt *quoted)
{
	const uint8_t *ip = quoted->frame + quoted->l3_off;
	uint32_t room_b = quoted->frame_len_b - quoted->l3_off;
	uint32_t hdr_b = room_b < IPV4_HDR_B ? 0 : (ip[0] & 0x0fu) * 4u;

	if (hdr_b < IPV4_HDR_B || hdr_b > room_b || ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP ||
	    (load_be16(ip + 6) & FRAG_OFF) != 0)
		return 0;
	quoted->l3_len_b = load_be16(ip + 2);
	memcpy(quoted->src, ip + 12, 4);
	memcpy(quoted->dst, ip + 16, 4);
	return quoted->l3_off + hdr_b;
}

static uint32_t quoted_ipv6(struct wk_pkt *quoted)
{
	const uint8_t *ip = quoted->frame + quoted->l3_off;
	uint32_t room_b = quoted->frame_len_b - quoted->l3_off;
	uint32_t off = quoted->l3_off + IPV6_HDR_B;
	uint32_t total_b;
	uint8_t proto;

	if (room_b < IPV6_HDR_B || ip[0] >> 4 != 6)
		return 0;
	proto = ip[6];
	/* Nobody cuts IPv6 packets up on their way, and guarded ones do not leave in fragments. */
	if (!wk_pkt_walk_ext(quoted, &proto, &off, quoted->frame_len_b) || proto != IPPROTO_TCP ||
	    (quoted->flags & WK_PKT_F_FRAG) != 0)
		return 0;
	total_b = load_be16(ip + 4) + IPV6_HDR_B;
	quoted->l3_len_b = total_b > UINT16_MAX ? UINT16_MAX : (uint16_t)total_b;
	memcpy(quoted->src, ip + 8, 16);
	memcpy(quoted->dst, ip + 24, 16);
	return off;
}

bool wk_pkt_quoted(const struct wk_pkt *pkt, struct wk_pkt *quoted)
{
	uint32_t off;

	memset(quoted, 0, sizeof(*quoted));
	if ((pkt->flags & WK_PKT_F_ICMP_ERR) == 0)
		return false;
	quoted->frame = pkt->frame;
	quoted->frame_len_b = icmp_end(pkt);
	quoted->ip_version = pkt->ip_version;
	quoted->n_tags = pkt->n_tags;
	memcpy(quoted->vlan, pkt->vlan, sizeof(quoted->vlan));
	quoted->l3_off = (uint16_t)(pkt->l4_off + ICMP_HDR_B);
	off = pkt->ip_version == 4 ? quoted_ipv4(quoted) : quoted_ipv6(quoted);
	if (off == 0 || quoted->frame_len_b - off < TCP_QUOTE_B)
		return false;
	quoted->proto = IPPROTO_TCP;
	quoted->l4_off = (uint16_t)off;
	quoted->sport = load_be16(pkt->frame + off);
	quoted->dport = load_be16(pkt->frame + off + 2);
	quoted->flags = WK_PKT_F_L4_PORTS;
	return true;
}

uint32_t wk_pkt_quoted_seq(const struct wk_pkt *quoted)
{
	const uint8_t *seq = quoted->frame + quoted->l4_off + SEQ_OFF;

	return (uint32_t)load_be16(seq) << 16 | load_be16(seq + 2);
}

/* Every word of the quote is at an even distance from the message, whose checksum sees it too. */
static void put_word(uint8_t *word, uint16_t value, uint8_t **sums, uint32_t n)
{
	uint16_t old, new, sum;

	memcpy(&old, word, sizeof(old));
	word[0] = (uint8_t)(value >> 8);
	word[1] = (uint8_t)value;
	memcpy(&new, word, sizeof(new));
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&sum, sums[i], sizeof(sum));
		sum = csum_update(sum, old, new);
		memcpy(sums[i], &sum, sizeof(sum));
	}
}

void wk_pkt_set_quoted_seq(struct wk_pkt *pkt, const struct wk_pkt *quoted, uint32_t seq)
{
	uint8_t *frame = rte_pktmbuf_mtod(pkt->m, uint8_t *);
	uint8_t *tcp = frame + quoted->l4_off;
	uint8_t *icmp_sum = frame + pkt->l4_off + 2;
	bool has_sum = quoted->frame_len_b - quoted->l4_off >= SUM_OFF + 2;
	/* The quoted checksum is itself quoted: it follows first, in a copy. */
	uint8_t tcp_sum[2] = { 0, 0 };
	uint8_t *sums[2] = { icmp_sum, tcp_sum };

	if (has_sum)
		memcpy(tcp_sum, tcp + SUM_OFF, sizeof(tcp_sum));
	put_word(tcp + SEQ_OFF, (uint16_t)(seq >> 16), sums, 2);
	put_word(tcp + SEQ_OFF + 2, (uint16_t)seq, sums, 2);
	if (has_sum)
		put_word(tcp + SUM_OFF, load_be16(tcp_sum), sums, 1);
}

bool wk_pkt_icmp_too_big(const struct wk_pkt *pkt, uint32_t *mtu_b)
{
	const uint8_t *icmp = pkt->frame + pkt->l4_off;

	if (pkt->ip_version == 6) {
		*mtu_b = (uint32_t)load_be16(icmp + 4) << 16 | load_be16(icmp + 6);
		return icmp[0] == ICMP6_PACKET_TOO_BIG;
	}
	*mtu_b = load_be16(icmp + 6);
	return icmp[0] == ICMP_DEST_UNREACH && icmp[1] == ICMP_FRAG_NEEDED;
}
