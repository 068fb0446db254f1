/* SPDX-License-Identifier: Apache-2.0 */
#include "owner.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_jhash.h>
#include <rte_thash.h>

#include "wk_frag.h"

#define K4  0x6d, 0x5a, 0x6d, 0x5a
#define K16 K4, K4, K4, K4
const uint8_t wk_owner_rss_key[WK_OWNER_RSS_KEY_B] = { K16, K16, K16, K16 };

/* Both ends of a connection, in an order that its two directions agree on. */
union ends {
	struct {
		uint8_t addr[2][16];
		uint16_t port[2];
		uint16_t vlan[2];
		uint16_t wire;
		uint16_t ip_version;
	};
	uint32_t words[11];
};

_Static_assert(sizeof(union ends) == 44, "hashed as it lies: no byte that nobody fills");

/* Hash to worker: the upper bits, without a division. */
static uint32_t spread(const struct wk_owners *owners, uint32_t hash)
{
	return (uint32_t)(((uint64_t)hash * owners->n) >> 32);
}

static uint32_t software(const struct wk_owners *owners, const struct wk_pkt *pkt, uint16_t wire)
{
	int order = memcmp(pkt->src, pkt->dst, sizeof(pkt->src));
	bool swap = order > 0 || (order == 0 && pkt->sport > pkt->dport);
	uint32_t hash[2] = { owners->secret[0], owners->secret[1] };
	union ends ends = {
		.port = { swap ? pkt->dport : pkt->sport, swap ? pkt->sport : pkt->dport },
		.vlan = { pkt->vlan[0], pkt->vlan[1] },
		.wire = wire,
		.ip_version = pkt->ip_version,
	};

	memcpy(ends.addr[0], swap ? pkt->dst : pkt->src, sizeof(ends.addr[0]));
	memcpy(ends.addr[1], swap ? pkt->src : pkt->dst, sizeof(ends.addr[1]));
	rte_jhash_32b_2hashes(ends.words, RTE_DIM(ends.words), &hash[0], &hash[1]);
	return spread(owners, hash[0]);
}

/* What the port would have made of a packet that it could read. */
static uint32_t toeplitz(const struct wk_owners *owners, const struct wk_pkt *pkt, uint16_t wire)
{
	uint32_t n = pkt->ip_version == 4 ? 1 : 4;
	uint32_t words[2 * 4 + 1];
	uint32_t hash;

	memcpy(words, pkt->src, n * sizeof(words[0]));
	memcpy(words + n, pkt->dst, n * sizeof(words[0]));
	for (uint32_t i = 0; i < 2 * n; i++)
		words[i] = rte_be_to_cpu_32(words[i]);
	words[2 * n] = (uint32_t)pkt->sport << 16 | pkt->dport;
	hash = rte_softrss(words, 2 * n + 1, wk_owner_rss_key);
	return hash % owners->reta_size[wire] % owners->n;
}

uint32_t wk_owner_flow(const struct wk_owners *owners, const struct wk_pkt *pkt, uint16_t wire)
{
	return owners->reta_size[wire] > 0 ? toeplitz(owners, pkt, wire)
					   : software(owners, pkt, wire);
}

uint32_t wk_owner_fragment(const struct wk_owners *owners, const struct wk_pkt *pkt, uint16_t wire,
			   enum wk_dir dir, uint32_t self)
{
	uint32_t hash[2] = { owners->secret[0], owners->secret[1] };

	return wk_frag_hash(pkt, wire, dir, hash) ? spread(owners, hash[0]) : self;
}
