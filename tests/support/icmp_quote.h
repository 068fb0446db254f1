/* SPDX-License-Identifier: Apache-2.0 */
/* icmp_quote.h - ICMP errors about a frame, for tests, by RFC 792, 1191 and 4443 and with nothing
 * of lib/pkt. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wire_bytes.h"

#define ICMP_Q_UNREACHABLE 3u
#define ICMP_Q_FRAG_NEEDED 4u
#define ICMP_Q_V6_TOO_BIG  2u

struct icmp_quote {
	uint8_t type;
	uint8_t code;
	uint32_t rest;    /* the four bytes behind the checksum */
	uint32_t quote_b; /* of the packet, from its IP header on; 0: all of it */
	uint8_t router;   /* last byte of its address */
};

/* An error with a smaller MTU, as a router of the IP version says it. */
static inline struct icmp_quote icmp_too_big(uint8_t ip_version, uint32_t mtu_b)
{
	struct icmp_quote error = {
		.type = ICMP_Q_UNREACHABLE, .code = ICMP_Q_FRAG_NEEDED, .rest = mtu_b, .router = 99
	};

	if (ip_version == 6) {
		error.type = ICMP_Q_V6_TOO_BIG;
		error.code = 0;
	}
	return error;
}

/* The checksum of ICMP message len_b behind the IP header at ip; 0 if the one in it is right. */
static inline uint16_t icmp_sum(const uint8_t *ip, uint32_t len_b)
{
	if (ip[0] >> 4 == 4)
		return fold16(sum16(0, ip + (ip[0] & 15u) * 4u, len_b));
	return fold16(sum16(sum16(58u + len_b, ip + 8, 32), ip + 40, len_b));
}

/* Where the IP header of a frame begins. */
static inline uint32_t icmp_l3_off(const uint8_t *frame)
{
	uint32_t off = 12;

	while (frame[off] == 0x81 || frame[off] == 0x88 || frame[off] == 0x91)
		off += 4;
	return off + 2;
}

/* Length of the packet at ip by its own header. */
static inline uint32_t icmp_l3_len(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? get16(ip + 2) : 40 + get16(ip + 4);
}

/* The error that a router sends back to the sender of a frame. @return its length. */
static inline uint32_t icmp_build(uint8_t *to, const uint8_t *frame, const struct icmp_quote *error)
{
	uint32_t l3 = icmp_l3_off(frame);
	const uint8_t *quoted = frame + l3;
	uint32_t quote_b = error->quote_b > 0 ? error->quote_b : icmp_l3_len(quoted);
	uint32_t icmp_b = 8 + quote_b;
	bool v4 = quoted[0] >> 4 == 4;
	uint8_t *ip = to + l3, *icmp = ip + (v4 ? 20 : 40);

	memcpy(to, frame + 6, 6);
	memcpy(to + 6, frame, 6);
	memcpy(to + 12, frame + 12, l3 - 12);
	memset(ip, 0, v4 ? 20 : 40);
	if (v4) {
		ip[0] = 0x45;
		put16(ip + 2, 20 + icmp_b);
		ip[8] = 64;
		ip[9] = 1;
		memcpy(ip + 12, quoted + 16, 4);
		ip[15] = error->router;
		memcpy(ip + 16, quoted + 12, 4);
		put16(ip + 10, fold16(sum16(0, ip, 20)));
	} else {
		ip[0] = 0x60;
		put16(ip + 4, icmp_b);
		ip[6] = 58;
		ip[7] = 64;
		memcpy(ip + 8, quoted + 24, 16);
		ip[23] = error->router;
		memcpy(ip + 24, quoted + 8, 16);
	}
	icmp[0] = error->type;
	icmp[1] = error->code;
	put16(icmp + 2, 0);
	put32(icmp + 4, error->rest);
	memcpy(icmp + 8, quoted, quote_b);
	put16(icmp + 2, icmp_sum(ip, icmp_b));
	return l3 + (v4 ? 20 : 40) + icmp_b;
}
