/* SPDX-License-Identifier: Apache-2.0 */
/* build.c - the datagram that its sender cut up: headers of the first fragment, bytes of all. */
#include <string.h>

#include <rte_ip.h>

#include "frag_priv.h"

#define IPV4_TOS_OFF  1u
#define IPV4_LEN_OFF  2u
#define IPV4_FRAG_OFF 6u
#define IPV4_CSUM_OFF 10u
#define IPV6_LEN_OFF  4u

static const uint8_t *bytes_of(const struct frag_piece *piece)
{
	return rte_pktmbuf_mtod(piece->m, const uint8_t *);
}

/* A mark of one fragment marks the datagram (RFC 3168 section 5.3). */
static bool is_marked(const struct datagram *datagram)
{
	return (datagram->ecn_seen & (1u << FRAG_ECN_CE)) != 0;
}

static void head_ipv4(uint8_t *ip, const struct datagram *datagram, uint32_t l3_len_b)
{
	uint32_t hdr_b = datagram->piece[datagram->first].unfrag_b;
	uint16_t csum;

	if (is_marked(datagram))
		ip[IPV4_TOS_OFF] |= FRAG_ECN_CE;
	frag_put16(ip + IPV4_LEN_OFF, l3_len_b);
	frag_put16(ip + IPV4_FRAG_OFF, frag_be16(ip + IPV4_FRAG_OFF) & RTE_IPV4_HDR_DF_FLAG);
	memset(ip + IPV4_CSUM_OFF, 0, sizeof(csum));
	csum = (uint16_t)~rte_raw_cksum(ip, hdr_b);
	memcpy(ip + IPV4_CSUM_OFF, &csum, sizeof(csum));
}

static void head_ipv6(uint8_t *frame, const struct frag_piece *first,
		      const struct datagram *datagram, uint32_t l3_len_b)
{
	uint8_t *ip = frame + first->l3_off;

	if (is_marked(datagram))
		ip[1] |= FRAG_ECN_CE << 4;
	frag_put16(ip + IPV6_LEN_OFF, l3_len_b - FRAG_IPV6_HDR_B);
	frame[first->next_off] = first->next;
}

uint32_t build_frame(struct wk_frag *frag, const struct datagram *datagram)
{
	const struct frag_piece *first = &datagram->piece[datagram->first];
	uint32_t head_b = (uint32_t)first->l3_off + first->unfrag_b;
	uint32_t l3_len_b = first->unfrag_b + datagram->total_b;

	if (l3_len_b > FRAG_L3_MAX_B)
		return 0;
	memcpy(frag->frame, bytes_of(first), head_b);
	for (uint32_t i = 0; i < datagram->n; i++) {
		const struct frag_piece *piece = &datagram->piece[i];

		memcpy(frag->frame + head_b + piece->off_b, bytes_of(piece) + piece->at,
		       piece->end_b - piece->off_b);
	}
	if (datagram->key.ip_version == 4)
		head_ipv4(frag->frame + first->l3_off, datagram, l3_len_b);
	else
		head_ipv6(frag->frame, first, datagram, l3_len_b);
	return first->l3_off + l3_len_b;
}
