/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the representations of a header block (RFC 7541 section 6) without decoding strings: did
 * it change the dynamic table? The table's size and entry count cannot tell, they stay the same
 * when an insertion evicts an entry of its own size. */
#include "h2_priv.h"

struct reader {
	const uint8_t *p;
	const uint8_t *end;
};

/* An integer with a prefix of `bits` bits (RFC 7541 5.1), minimal and below 2^28.
 * @return false if it is not one. */
static bool read_int(struct reader *r, unsigned int bits, uint32_t *value)
{
	uint32_t max = (1u << bits) - 1, v;
	unsigned int shift = 0;
	uint8_t byte;

	v = *r->p++ & max;
	if (v < max) {
		*value = v;
		return true;
	}
	do {
		if (r->p == r->end || shift > 21)
			return false;
		byte = *r->p++;
		v += (uint32_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	*value = v;
	/* A last byte of zero adds nothing, unless it is the only one. */
	return byte != 0 || shift == 7;
}

static bool skip_string(struct reader *r)
{
	uint32_t len;

	if (r->p == r->end || !read_int(r, 7, &len) || len > (size_t)(r->end - r->p))
		return false;
	r->p += len;
	return true;
}

/* A literal: name by index or as a string, then the value. */
static bool skip_literal(struct reader *r, unsigned int bits)
{
	uint32_t index;

	if (!read_int(r, bits, &index))
		return false;
	if (index == 0 && !skip_string(r))
		return false;
	return skip_string(r);
}

enum h2_scan h2_scan_block(const uint8_t *block, uint32_t len_b)
{
	struct reader r = { block, block + len_b };
	enum h2_scan result = H2_SCAN_CLEAN;
	unsigned int updates = 0;
	bool fields = false;
	uint32_t value;

	while (r.p < r.end) {
		uint8_t byte = *r.p;

		if (byte & 0x80) { /* indexed */
			if (!read_int(&r, 7, &value) || value == 0)
				return H2_SCAN_ODD;
			fields = true;
		} else if (byte & 0x40) { /* literal with incremental indexing */
			if (!skip_literal(&r, 6))
				return H2_SCAN_ODD;
			result = H2_SCAN_CHANGES;
			fields = true;
		} else if (byte & 0x20) { /* size update: at most two, before any field */
			if (!read_int(&r, 5, &value) || fields || ++updates > 2)
				return H2_SCAN_ODD;
			result = H2_SCAN_CHANGES;
		} else { /* literal without indexing, or never indexed */
			if (!skip_literal(&r, 4))
				return H2_SCAN_ODD;
			fields = true;
		}
	}
	return result;
}
