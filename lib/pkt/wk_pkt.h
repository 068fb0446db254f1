/* SPDX-License-Identifier: Apache-2.0 */
/* wk_pkt.h - the bytes of a frame as offsets, lengths and addresses; nothing is copied.
 *
 * Pure functions of the bytes (any thread); a struct wk_pkt lives as long as the burst. 88 bytes.
 * Parses Ethernet, VLAN tags (0x8100, 0x88a8, 0x9100; more than two are marked, more than
 * eight malformed), IPv4 with options, IPv6 with
 * extension headers, TCP and UDP, and the TCP packets that ICMP errors quote. What it does not know
 * is not an error: ip_version is 0 and the frame passes as unguarded traffic. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "wk_reasons.h"

#define WK_PKT_VLAN_NONE 0xffffu
#define WK_PKT_TAGS_MAX  2u
#define WK_PKT_TAGS_DEEP 8u

#define WK_PKT_F_MALFORMED  0x0001u /* lengths do not fit: of the IP header if ip_version is 0 */
#define WK_PKT_F_FRAG       0x0002u /* an IP fragment (atomic fragments of IPv6 are not) */
#define WK_PKT_F_FRAG_FIRST 0x0004u /* and its first */
#define WK_PKT_F_IP_OPTS    0x0008u /* IPv4 header with options */
#define WK_PKT_F_IP_ROUTE   0x0010u /* LSRR, SSRR or RR among them, or unparsable options */
#define WK_PKT_F_V6_EXT     0x0020u /* IPv6 extension headers present */
#define WK_PKT_F_TUNNEL     0x0040u /* IPIP, GRE, ESP and such, or UDP to a port of a tunnel */
#define WK_PKT_F_TCP        0x0080u /* a whole TCP header stands at l4_off */
#define WK_PKT_F_L4_PORTS   0x0100u /* sport and dport are valid */
#define WK_PKT_F_DEEP_TAGS  0x0200u /* more than WK_PKT_TAGS_MAX tags */
#define WK_PKT_F_ICMP_ERR   0x0400u /* an ICMP error, which quotes a packet: see wk_pkt_quoted */
#define WK_PKT_F_SEGMENTS   0x0800u /* in several buffers that could not be joined: not read */

enum wk_pkt_csum {
	WK_PKT_CSUM_UNKNOWN = 0, /* must be computed */
	WK_PKT_CSUM_GOOD = 1,    /* the port says so */
	WK_PKT_CSUM_BAD = 2,
	WK_PKT_CSUM_NONE = 3, /* left to whoever sends it (virtual ports): to be completed */
};

struct wk_pkt {
	struct rte_mbuf *m; /* NULL when parsed from plain bytes */
	const uint8_t *frame;
	uint32_t frame_len_b;
	uint16_t flags;     /* WK_PKT_F_* */
	uint8_t ip_version; /* 4, 6, or 0: not IP */
	uint8_t proto;      /* of the last header reached */
	uint8_t ttl;
	uint8_t n_tags;
	/* VLAN ids, outer first, or WK_PKT_VLAN_NONE. A priority tag (id 0) is counted above, but
	 * names none. */
	uint16_t vlan[WK_PKT_TAGS_MAX];
	uint16_t ethertype; /* behind the tags, host order */
	uint16_t l3_off;    /* = Ethernet header + tags */
	uint16_t l4_off;
	uint16_t data_off;   /* of the TCP or UDP payload */
	uint16_t data_len_b; /* by the IP length: trailer bytes of the frame do not count */
	uint16_t l3_len_b;   /* whole IP datagram: header + payload */
	uint16_t sport;      /* host order */
	uint16_t dport;
	enum wk_pkt_csum ip_csum;
	enum wk_pkt_csum l4_csum;
	uint8_t src[16]; /* network order, IPv4 in the first four bytes, rest zero */
	uint8_t dst[16];
};

/* Parses one frame of contiguous bytes. Checksum states are left UNKNOWN. */
void wk_pkt_parse(const uint8_t *frame, uint32_t len_b, struct wk_pkt *pkt);
/* Parses n mbufs and takes their checksum verdicts from ol_flags. A frame that carries
 * RX_VLAN_STRIPPED gets its tag back first. A frame in several segments is joined in the
 * first one; where that has no room, nothing is read of it (MALFORMED and SEGMENTS). */
void wk_pkt_parse_burst(struct rte_mbuf **mbufs, uint16_t n, struct wk_pkt *pkts);

/* Makes a checksum that its sender left out (state NONE) a whole one: TCP's and UDP's, of which
 * the pseudo header is there, and the IPv4 header's; m is writable.
 * wk_pkt_parse_burst has done so: no such checksum is ever forwarded. */
void wk_pkt_complete_csum(struct wk_pkt *pkt);

/* Verifies IPv4 header and TCP checksum in full unless the port already has. */
bool wk_pkt_csum_ok(const struct wk_pkt *pkt);

/* In-place edits of a TCP packet (pkt->m writable and contiguous), checksum updated incrementally
 * (RFC 1624); a pseudo-header-only checksum is completed first. */
void wk_pkt_set_numbers(struct wk_pkt *pkt, uint32_t seq, uint32_t ack, uint16_t wnd);
void wk_pkt_clear_urg(struct wk_pkt *pkt);
/* Lets fn change the TCP options in place (same length) and sets the checksum anew. */
void wk_pkt_edit_opts(struct wk_pkt *pkt, unsigned int (*fn)(uint8_t *opts, uint32_t len_b));
/* Takes the TCP payload away: lengths and checksums of the headers follow. */
void wk_pkt_trim_data(struct wk_pkt *pkt);

/* TCP checksum of a whole segment tcp[len_b] (its checksum field counted as zero) with the
 * pseudo header of IPv4 or IPv6 addresses in network order; returns network order. */
uint16_t wk_pkt_tcp_csum(uint8_t ip_version, const uint8_t *src, const uint8_t *dst,
			 const uint8_t *tcp, uint32_t len_b);

/* What an ICMP error (WK_PKT_F_ICMP_ERR) quotes, in fields that look like those of a packet. Valid
 * are ip_version, proto (TCP), addresses and ports, the tags of the frame around it, l3_off, l4_off
 * with at least eight bytes of TCP behind it, and l3_len_b, the length that the quoted packet says
 * it had. Quotes are cut: its other fields are 0, and nothing is read behind frame_len_b.
 * @return false when it quotes no TCP packet, a later fragment, or too little. */
bool wk_pkt_quoted(const struct wk_pkt *pkt, struct wk_pkt *quoted);
uint32_t wk_pkt_quoted_seq(const struct wk_pkt *quoted);
/* Writes another sequence number into the quote, pkt->m writable and contiguous; the checksums of
 * the message, and of the quoted segment where that is there, follow. */
void wk_pkt_set_quoted_seq(struct wk_pkt *pkt, const struct wk_pkt *quoted, uint32_t seq);
/* Verifies the IPv4 header and the ICMP message in full. */
bool wk_pkt_icmp_csum_ok(const struct wk_pkt *pkt);
/* Does the error say that a packet was too big for a link? *mtu_b is then what fits, 0 if the error
 * does not tell. */
bool wk_pkt_icmp_too_big(const struct wk_pkt *pkt, uint32_t *mtu_b);
