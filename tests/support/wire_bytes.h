/* SPDX-License-Identifier: Apache-2.0 */
/* wire_bytes.h - numbers as they stand on the wire, and the Internet checksum (RFC 1071), with
 * nothing of DPDK and nothing of lib/, so that a mistake there is not made twice. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline void put16(uint8_t *to, uint32_t v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static inline void put32(uint8_t *to, uint32_t v)
{
	put16(to, v >> 16);
	put16(to + 2, v);
}

static inline uint32_t get16(const uint8_t *from)
{
	return (uint32_t)from[0] << 8 | from[1];
}

static inline uint32_t get32(const uint8_t *from)
{
	return get16(from) << 16 | get16(from + 2);
}

/* Adds bytes that begin at an even offset to a sum. */
static inline uint32_t sum16(uint32_t sum, const uint8_t *bytes, size_t len_b)
{
	for (; len_b > 1; bytes += 2, len_b -= 2)
		sum += get16(bytes);
	return len_b > 0 ? sum + ((uint32_t)bytes[0] << 8) : sum;
}

/* The checksum that belongs to a sum; 0 where one was added up with it and is right. */
static inline uint16_t fold16(uint32_t sum)
{
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)~sum;
}
