/* SPDX-License-Identifier: Apache-2.0 */
#include "wk_pkt.h"

#include <netinet/ip_icmp.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "pkt_bytes.h"

#define ETH_HDR_B        14u
#define VLAN_TAG_B       4u
#define VLAN_ID_MASK     0x0fffu
#define ETHERTYPE_9100   0x9100u /* QinQ before 802.1ad gave it 0x88a8 */
#define IPV4_HDR_B       20u
#define IPV6_HDR_B       40u
#define IP_MAX_B         65535u
#define TCP_HDR_B        20u
#define UDP_HDR_B        8u
#define PORTS_B          4u
#define EXT_UNIT_B       8u
#define EXT_HEADERS_MAX  8u /* no stack sends more; longer chains only hide what is behind them */
#define IPV4_OPT_EOL     0u
#define IPV4_OPT_NOP     1u
#define IPV4_OPT_RR      7u
#define IPV4_OPT_LSRR    131u
#define IPV4_OPT_SSRR    137u
#define PROTO_DCCP       33u
#define PROTO_MOBILE     55u
#define PROTO_ETHERIP    97u
#define PROTO_ENCAP      98u
#define PROTO_IPCOMP     108u
#define PROTO_L2TP       115u
#define PROTO_UDPLITE    136u
#define PROTO_MPLS       137u
#define PORT_VXLAN       4789u
#define PORT_VXLAN_LINUX 8472u
#define PORT_VXLAN_GPE   4790u
#define PORT_GENEVE      6081u
#define PORT_GTPU        2152u
#define PORT_L2TP        1701u
#define PORT_TEREDO      3544u
#define PORT_LISP        4341u
#define PORT_ESP         4500u /* RFC 3948 */
#define PORT_MPLS        6635u
#define ICMP_HDR_B       8u
#define ICMPV6_ERR_LAST  127u /* RFC 4443 2.1: errors have the highest bit clear */
#define PREFETCH_AHEAD   4u

/* What carries a whole IP packet, frame or TCP segment in itself, by protocol number. */
static bool is_tunnel_proto(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
	case IPPROTO_GRE:
	case IPPROTO_ESP:
	case PROTO_MOBILE:
	case PROTO_ETHERIP:
	case PROTO_ENCAP:
	case PROTO_IPCOMP:
	case PROTO_L2TP:
	case PROTO_MPLS:
		return true;
	default:
		return false;
	}
}

static bool is_tunnel_port(uint16_t dport)
{
	switch (dport) {
	case PORT_VXLAN:
	case PORT_VXLAN_LINUX:
	case PORT_VXLAN_GPE:
	case PORT_GENEVE:
	case PORT_GTPU:
	case PORT_L2TP:
	case PORT_TEREDO:
	case PORT_LISP:
	case PORT_ESP:
	case PORT_MPLS:
		return true;
	default:
		return false;
	}
}

static bool begins_with_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == PROTO_DCCP || proto == PROTO_UDPLITE;
}

static void mark(struct wk_pkt *pkt, unsigned int flags)
{
	pkt->flags = (uint16_t)(pkt->flags | flags);
}

static void parse_tcp(struct wk_pkt *pkt, uint32_t end)
{
	uint32_t len_b = end - pkt->l4_off;
	uint32_t hdr_b;

	if (len_b < TCP_HDR_B) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	hdr_b = (uint32_t)(pkt->frame[pkt->l4_off + 12] >> 4) * 4;
	if (hdr_b < TCP_HDR_B || hdr_b > len_b) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	mark(pkt, WK_PKT_F_TCP);
	pkt->data_off = (uint16_t)(pkt->l4_off + hdr_b);
	pkt->data_len_b = (uint16_t)(len_b - hdr_b);
}

static void parse_udp(struct wk_pkt *pkt, uint32_t end)
{
	uint32_t len_b = end - pkt->l4_off;
	uint32_t udp_b;

	udp_b = len_b < UDP_HDR_B ? 0 : load_be16(pkt->frame + pkt->l4_off + 4);
	if (udp_b < UDP_HDR_B || udp_b > len_b) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	pkt->data_off = (uint16_t)(pkt->l4_off + UDP_HDR_B);
	pkt->data_len_b = (uint16_t)(udp_b - UDP_HDR_B);
}

/* Does a message of this type quote the packet that it is about? */
static bool is_icmp_error(uint8_t ip_version, uint8_t proto, uint8_t type)
{
	if (ip_version == 6)
		return proto == IPPROTO_ICMPV6 && type > 0 && type <= ICMPV6_ERR_LAST;
	if (proto != IPPROTO_ICMP)
		return false;
	switch (type) {
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return true;
	default:
		return false;
	}
}

/* What stands behind the IP headers, from off to end. */
static void parse_l4(struct wk_pkt *pkt, uint8_t proto, uint32_t off, uint32_t end)
{
	pkt->proto = proto;
	pkt->l4_off = (uint16_t)off;
	pkt->data_off = (uint16_t)off;
	pkt->data_len_b = (uint16_t)(end - off);
	if (is_tunnel_proto(proto))
		mark(pkt, WK_PKT_F_TUNNEL);
	if ((pkt->flags & WK_PKT_F_FRAG) != 0 && (pkt->flags & WK_PKT_F_FRAG_FIRST) == 0)
		return;
	if (begins_with_ports(proto) && end - off >= PORTS_B) {
		pkt->sport = load_be16(pkt->frame + off);
		pkt->dport = load_be16(pkt->frame + off + 2);
		mark(pkt, WK_PKT_F_L4_PORTS);
		if (proto == IPPROTO_UDP && is_tunnel_port(pkt->dport))
			mark(pkt, WK_PKT_F_TUNNEL);
	}
	/* A fragment's lengths are those of a whole that is not here. */
	if ((pkt->flags & WK_PKT_F_FRAG) != 0)
		return;
	if (proto == IPPROTO_TCP)
		parse_tcp(pkt, end);
	else if (proto == IPPROTO_UDP)
		parse_udp(pkt, end);
	else if (end - off >= ICMP_HDR_B && is_icmp_error(pkt->ip_version, proto, pkt->frame[off]))
		mark(pkt, WK_PKT_F_ICMP_ERR);
}

static void set_fragment(struct wk_pkt *pkt, uint32_t frag_off_b)
{
	mark(pkt, WK_PKT_F_FRAG | (frag_off_b == 0 ? WK_PKT_F_FRAG_FIRST : 0));
}

bool wk_pkt_walk_ext(struct wk_pkt *pkt, uint8_t *proto, uint32_t *off, uint32_t end)
{
	for (uint32_t n = 0;; n++) {
		const uint8_t *hdr = pkt->frame + *off;
		uint32_t hdr_b;

		if (*proto != IPPROTO_HOPOPTS && *proto != IPPROTO_ROUTING &&
		    *proto != IPPROTO_FRAGMENT && *proto != IPPROTO_DSTOPTS && *proto != IPPROTO_AH)
			return true;
		if (n == EXT_HEADERS_MAX || end - *off < EXT_UNIT_B)
			return false;
		if (*proto == IPPROTO_AH)
			hdr_b = (hdr[1] + 2u) * 4u;
		else if (*proto == IPPROTO_FRAGMENT)
			hdr_b = EXT_UNIT_B;
		else
			hdr_b = (hdr[1] + 1u) * EXT_UNIT_B;
		if (hdr_b > end - *off)
			return false;
		mark(pkt, pkt->ip_version == 6 ? WK_PKT_F_V6_EXT : 0);
		/* Segments left: the destination is a stop on the way, as with LSRR. */
		if (*proto == IPPROTO_ROUTING && hdr[3] != 0)
			mark(pkt, WK_PKT_F_IP_ROUTE);
		if (*proto == IPPROTO_FRAGMENT && (load_be16(hdr + 2) & ~0x6u) != 0) {
			uint32_t frag_off_b = load_be16(hdr + 2) & ~0x7u;
			bool more = (load_be16(hdr + 2) & 1u) != 0;
			uint32_t part_b = end - *off - hdr_b;

			if (frag_off_b + part_b > IP_MAX_B || (more && part_b % 8 != 0))
				return false;
			set_fragment(pkt, frag_off_b);
		}
		*proto = hdr[0];
		*off += hdr_b;
		/* Behind a later fragment's header there is no header. */
		if ((pkt->flags & WK_PKT_F_FRAG) != 0 && (pkt->flags & WK_PKT_F_FRAG_FIRST) == 0)
			return true;
	}
}

static void parse_behind_ip(struct wk_pkt *pkt, uint8_t proto, uint32_t off, uint32_t end)
{
	if (!wk_pkt_walk_ext(pkt, &proto, &off, end)) {
		pkt->proto = proto;
		pkt->l4_off = (uint16_t)off;
		pkt->data_off = (uint16_t)off;
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	parse_l4(pkt, proto, off, end);
}

/* Looks for options that route; options that cannot be told apart count as such. */
static void parse_ipv4_options(struct wk_pkt *pkt, const uint8_t *opts, uint32_t len_b)
{
	uint32_t i = 0;

	mark(pkt, WK_PKT_F_IP_OPTS);
	while (i < len_b && opts[i] != IPV4_OPT_EOL) {
		uint8_t kind = opts[i];

		if (kind == IPV4_OPT_NOP) {
			i++;
			continue;
		}
		if (kind == IPV4_OPT_RR || kind == IPV4_OPT_LSRR || kind == IPV4_OPT_SSRR ||
		    len_b - i < 2 || opts[i + 1] < 2 || opts[i + 1] > len_b - i) {
			mark(pkt, WK_PKT_F_IP_ROUTE);
			return;
		}
		i += opts[i + 1];
	}
}

static void parse_ipv4(struct wk_pkt *pkt)
{
	const uint8_t *ip = pkt->frame + pkt->l3_off;
	uint32_t room_b = pkt->frame_len_b - pkt->l3_off;
	uint32_t hdr_b = room_b < IPV4_HDR_B ? 0 : (ip[0] & 0x0fu) * 4u;
	uint32_t total_b = hdr_b == 0 ? 0 : load_be16(ip + 2);
	uint32_t frag;
	uint32_t frag_off_b;

	if (hdr_b < IPV4_HDR_B || ip[0] >> 4 != 4 || total_b < hdr_b || total_b > room_b) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	frag = load_be16(ip + 6);
	frag_off_b = (frag & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS;
	if (frag_off_b + total_b > IP_MAX_B) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	pkt->ip_version = 4;
	pkt->ttl = ip[8];
	pkt->l3_len_b = (uint16_t)total_b;
	memcpy(pkt->src, ip + 12, 4);
	memcpy(pkt->dst, ip + 16, 4);
	if (hdr_b > IPV4_HDR_B)
		parse_ipv4_options(pkt, ip + IPV4_HDR_B, hdr_b - IPV4_HDR_B);
	if ((frag & (RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG)) != 0)
		set_fragment(pkt, frag_off_b);
	if ((frag & RTE_IPV4_HDR_MF_FLAG) != 0 && (total_b - hdr_b) % 8 != 0)
		mark(pkt, WK_PKT_F_MALFORMED);
	if ((pkt->flags & WK_PKT_F_FRAG) == 0 && ip[9] == IPPROTO_AH)
		parse_behind_ip(pkt, ip[9], pkt->l3_off + hdr_b, pkt->l3_off + total_b);
	else
		parse_l4(pkt, ip[9], pkt->l3_off + hdr_b, pkt->l3_off + total_b);
}

static void parse_ipv6(struct wk_pkt *pkt)
{
	const uint8_t *ip = pkt->frame + pkt->l3_off;
	uint32_t room_b = pkt->frame_len_b - pkt->l3_off;
	uint32_t total_b = room_b < IPV6_HDR_B ? 0 : load_be16(ip + 4) + IPV6_HDR_B;

	if (total_b == 0 || ip[0] >> 4 != 6 || total_b > room_b || total_b > IP_MAX_B) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	pkt->ip_version = 6;
	pkt->ttl = ip[7];
	pkt->l3_len_b = (uint16_t)total_b;
	memcpy(pkt->src, ip + 8, 16);
	memcpy(pkt->dst, ip + 24, 16);
	parse_behind_ip(pkt, ip[6], pkt->l3_off + IPV6_HDR_B, pkt->l3_off + total_b);
}

static bool is_tag(uint16_t ethertype)
{
	return ethertype == RTE_ETHER_TYPE_VLAN || ethertype == RTE_ETHER_TYPE_QINQ ||
	       ethertype == ETHERTYPE_9100;
}

/* Fills everything but the bytes' place and the checksum states. */
/* Walks the tags from *off on. Priority tags (id 0) name no VLAN: receivers take off any number of
 * them, between other tags too. @return false when the tags do not end. */
static bool parse_tags(struct wk_pkt *pkt, uint32_t *off, uint16_t *ethertype)
{
	uint32_t n_vlans = 0;

	while (is_tag(*ethertype)) {
		uint16_t id;

		if (pkt->frame_len_b - *off < VLAN_TAG_B || pkt->n_tags == WK_PKT_TAGS_DEEP)
			return false;
		id = load_be16(pkt->frame + *off) & VLAN_ID_MASK;
		if (id != 0 && n_vlans < WK_PKT_TAGS_MAX)
			pkt->vlan[n_vlans++] = id;
		pkt->n_tags++;
		*ethertype = load_be16(pkt->frame + *off + 2);
		*off += VLAN_TAG_B;
	}
	return true;
}

static void parse(struct wk_pkt *pkt)
{
	uint32_t off = ETH_HDR_B;
	uint16_t ethertype;

	pkt->vlan[0] = WK_PKT_VLAN_NONE;
	pkt->vlan[1] = WK_PKT_VLAN_NONE;
	pkt->l3_off = ETH_HDR_B;
	if (pkt->frame_len_b < ETH_HDR_B) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	ethertype = load_be16(pkt->frame + 12);
	if (is_tag(ethertype) && !parse_tags(pkt, &off, &ethertype)) {
		mark(pkt, WK_PKT_F_MALFORMED);
		return;
	}
	if (pkt->n_tags > WK_PKT_TAGS_MAX)
		mark(pkt, WK_PKT_F_DEEP_TAGS);
	pkt->l3_off = (uint16_t)off;
	pkt->ethertype = ethertype;
	if (ethertype == RTE_ETHER_TYPE_IPV4)
		parse_ipv4(pkt);
	else if (ethertype == RTE_ETHER_TYPE_IPV6)
		parse_ipv6(pkt);
}

void wk_pkt_parse(const uint8_t *frame, uint32_t len_b, struct wk_pkt *pkt)
{
	memset(pkt, 0, sizeof(*pkt));
	pkt->frame = frame;
	pkt->frame_len_b = len_b;
	parse(pkt);
}

/* Puts back what the port stripped. @return false when there is no room for it. */
static bool restore_tags(struct rte_mbuf *m)
{
	bool outer = (m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) != 0;
	struct rte_vlan_hdr *tag;

	if (rte_vlan_insert(&m) != 0)
		return false;
	if (!outer)
		return true;
	m->vlan_tci = m->vlan_tci_outer;
	m->ol_flags &= ~RTE_MBUF_F_RX_QINQ_STRIPPED;
	if (rte_vlan_insert(&m) != 0)
		return false;
	tag = rte_pktmbuf_mtod_offset(m, struct rte_vlan_hdr *, 2 * RTE_ETHER_ADDR_LEN);
	/* The outer TPID is not told; 802.1ad names this one. */
	*(rte_be16_t *)(void *)tag = RTE_BE16(RTE_ETHER_TYPE_QINQ);
	return true;
}

static enum wk_pkt_csum ip_state(uint64_t ol_flags)
{
	switch (ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
	case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
		return WK_PKT_CSUM_GOOD;
	case RTE_MBUF_F_RX_IP_CKSUM_BAD:
		return WK_PKT_CSUM_BAD;
	case RTE_MBUF_F_RX_IP_CKSUM_NONE:
		return WK_PKT_CSUM_NONE;
	default:
		return WK_PKT_CSUM_UNKNOWN;
	}
}

static enum wk_pkt_csum l4_state(uint64_t ol_flags)
{
	switch (ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
		return WK_PKT_CSUM_GOOD;
	case RTE_MBUF_F_RX_L4_CKSUM_BAD:
		return WK_PKT_CSUM_BAD;
	case RTE_MBUF_F_RX_L4_CKSUM_NONE:
		return WK_PKT_CSUM_NONE;
	default:
		return WK_PKT_CSUM_UNKNOWN;
	}
}

/* All that is read must stand in one piece: a header that goes on in another segment would be read
 * by its receiver alone. */
static bool join(struct rte_mbuf *m)
{
	if (m->nb_segs == 1)
		return true;
	/* What others see too is not written to. */
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && rte_pktmbuf_linearize(m) == 0;
}

static void parse_mbuf(struct rte_mbuf *m, struct wk_pkt *pkt)
{
	bool joined = join(m);
	bool whole = joined;

	if (whole && (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
		whole = restore_tags(m);
	memset(pkt, 0, sizeof(*pkt));
	pkt->m = m;
	pkt->frame = rte_pktmbuf_mtod(m, const uint8_t *);
	pkt->frame_len_b = rte_pktmbuf_data_len(m);
	if (whole) {
		parse(pkt);
	} else {
		pkt->vlan[0] = WK_PKT_VLAN_NONE;
		pkt->vlan[1] = WK_PKT_VLAN_NONE;
		mark(pkt, WK_PKT_F_MALFORMED | (joined ? 0 : WK_PKT_F_SEGMENTS));
	}
	pkt->ip_csum = ip_state(m->ol_flags);
	pkt->l4_csum = l4_state(m->ol_flags);
	if (pkt->l4_csum == WK_PKT_CSUM_NONE || pkt->ip_csum == WK_PKT_CSUM_NONE)
		wk_pkt_complete_csum(pkt);
}

void wk_pkt_parse_burst(struct rte_mbuf **mbufs, uint16_t n, struct wk_pkt *pkts)
{
	for (uint16_t i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + PREFETCH_AHEAD], void *));
		parse_mbuf(mbufs[i], &pkts[i]);
	}
}
