/* SPDX-License-Identifier: Apache-2.0 */
/* pkt_bytes.h - private to lib/pkt: reads at any alignment, one's complement sums, header chains.
 */
#pragma once

#include <stdint.h>

#include "wk_pkt.h"

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

/* The sum of RFC 1071 over p[len_b], folded to 16 bits, in the byte order of the frame. An odd last
 * byte is followed by a zero. */
uint16_t wk_pkt_sum(const uint8_t *p, uint32_t len_b);

/* The sum of the pseudo header. */
uint32_t wk_pkt_pseudo_sum(uint8_t ip_version, const uint8_t *src, const uint8_t *dst,
			   uint8_t proto, uint32_t len_b);

static inline uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

/* RFC 1624, equation 3: the checksum after 16-bit words that summed up to `old` became `new`. */
static inline uint16_t csum_update(uint16_t csum, uint16_t old, uint16_t new)
{
	return (uint16_t)~sum_fold((uint32_t)(uint16_t)~csum + (uint16_t)~old + new);
}

/* Walks the IPv6 extension headers of pkt from *off to end, AH of IPv4 included. @return false when
 * the chain does not fit or is too long; otherwise *proto and *off name what ends it. */
bool wk_pkt_walk_ext(struct wk_pkt *pkt, uint8_t *proto, uint32_t *off, uint32_t end);
