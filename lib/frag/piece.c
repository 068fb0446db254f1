/* SPDX-License-Identifier: Apache-2.0 */
/* piece.c - one fragment: where its bytes belong, and to which datagram. */
#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_jhash.h>

#include "frag_priv.h"

#define TCP_HDR_B    20u
#define TCP_DOFF_OFF 12u
#define V6_OFFSET    0xfff8u
#define V6_MORE      0x0001u

static void key_fill(struct frag_key *key, const struct wk_pkt *pkt, uint32_t id, uint8_t proto)
{
	memcpy(key->src, pkt->src, sizeof(key->src));
	memcpy(key->dst, pkt->dst, sizeof(key->dst));
	key->id = id;
	memcpy(key->vlan, pkt->vlan, sizeof(key->vlan));
	key->ip_version = pkt->ip_version;
	key->proto = proto;
}

static void read_ipv4(struct frag_piece *piece, struct frag_key *key, const struct wk_pkt *pkt)
{
	const uint8_t *ip = pkt->frame + pkt->l3_off;
	uint16_t word = frag_be16(ip + 6);

	piece->off_b = (uint32_t)(word & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS;
	piece->last = (word & RTE_IPV4_HDR_MF_FLAG) == 0;
	piece->unfrag_b = (uint16_t)((ip[0] & 0x0fu) * 4u);
	piece->at = (uint16_t)(pkt->l3_off + piece->unfrag_b);
	piece->ecn = ip[1] & FRAG_ECN_CE;
	key_fill(key, pkt, frag_be16(ip + 4), ip[9]);
}

/* RFC 7112: all headers up to and with TCP's must stand in the first fragment. */
static bool chain_whole(const struct wk_pkt *pkt)
{
	uint32_t len_b = (uint32_t)pkt->l3_off + pkt->l3_len_b - pkt->l4_off;

	if (pkt->proto != IPPROTO_TCP)
		return true;
	return len_b >= TCP_HDR_B &&
	       (uint32_t)(pkt->frame[pkt->l4_off + TCP_DOFF_OFF] >> 4) * 4u <= len_b;
}

/* The parser has been here: every length fits. @return false: a fragment header that says "whole"
 * in front of one that does not. */
static bool read_ipv6(struct frag_piece *piece, struct frag_key *key, const struct wk_pkt *pkt)
{
	const uint8_t *ip = pkt->frame + pkt->l3_off;
	uint32_t off = (uint32_t)pkt->l3_off + FRAG_IPV6_HDR_B;
	uint32_t next_off = (uint32_t)pkt->l3_off + 6;
	const uint8_t *hdr;
	uint16_t word;
	uint32_t id;

	while (pkt->frame[next_off] != IPPROTO_FRAGMENT) {
		hdr = pkt->frame + off;
		off += pkt->frame[next_off] == IPPROTO_AH ? (hdr[1] + 2u) * 4u
							  : (hdr[1] + 1u) * FRAG_EXT_HDR_B;
		next_off = (uint32_t)(hdr - pkt->frame);
	}
	hdr = pkt->frame + off;
	word = frag_be16(hdr + 2);
	if ((word & (V6_OFFSET | V6_MORE)) == 0)
		return false;
	memcpy(&id, hdr + 4, sizeof(id));
	piece->off_b = word & V6_OFFSET;
	piece->last = (word & V6_MORE) == 0;
	piece->unfrag_b = (uint16_t)(off - pkt->l3_off);
	piece->next_off = (uint16_t)next_off;
	piece->next = hdr[0];
	piece->at = (uint16_t)(off + FRAG_EXT_HDR_B);
	piece->ecn = (uint8_t)(ip[1] >> 4) & FRAG_ECN_CE;
	key_fill(key, pkt, id, 0);
	return piece->off_b > 0 || chain_whole(pkt);
}

enum wk_reason piece_read(struct frag_piece *piece, struct frag_key *key, const struct wk_pkt *pkt)
{
	uint32_t end = (uint32_t)pkt->l3_off + pkt->l3_len_b;

	memset(piece, 0, sizeof(*piece));
	memset(key, 0, sizeof(*key));
	piece->m = pkt->m;
	piece->l3_off = pkt->l3_off;
	piece->l3_len_b = pkt->l3_len_b;
	/* The header's own checksum; TCP's is checked when it is whole. */
	if (!wk_pkt_csum_ok(pkt))
		return WK_DROP_CSUM;
	if (pkt->ip_version == 4)
		read_ipv4(piece, key, pkt);
	else if (!read_ipv6(piece, key, pkt))
		return WK_DROP_V6_FRAG;
	if (piece->at >= end)
		return WK_DROP_FRAG_LEN;
	piece->end_b = piece->off_b + (end - piece->at);
	return WK_FWD_PLAIN;
}

bool wk_frag_hash(const struct wk_pkt *pkt, uint16_t wire, enum wk_dir dir, uint32_t hash[2])
{
	struct frag_piece piece;
	struct frag_key key;

	if (piece_read(&piece, &key, pkt) != WK_FWD_PLAIN)
		return false;
	key.wire = wire;
	key.dir = (uint8_t)dir;
	rte_jhash_32b_2hashes((const uint32_t *)(const void *)&key, sizeof(key) / sizeof(uint32_t),
			      &hash[0], &hash[1]);
	return true;
}
