/* SPDX-License-Identifier: Apache-2.0 */
/* wk_seq.h - sequence number arithmetic (RFC 9293 section 3.4).
 *
 * A 32-bit sequence number (host order) lives on a circle; a 64-bit offset counts from the initial
 * sequence number: offset 0 is the SYN, offset 1 the first byte of data. Offsets never wrap. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline int32_t wk_seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool wk_seq_lt(uint32_t a, uint32_t b)
{
	return wk_seq_diff(a, b) < 0;
}

/* The offset nearest to `near` whose sequence number is `seq`. May be negative for numbers before
 * the SYN, so it is signed. */
static inline int64_t wk_seq_unwrap(uint32_t isn, uint32_t seq, uint64_t near)
{
	uint32_t near_seq = isn + (uint32_t)near;

	return (int64_t)near + wk_seq_diff(seq, near_seq);
}

static inline uint32_t wk_seq_wrap(uint32_t isn, uint64_t off)
{
	return isn + (uint32_t)off;
}
