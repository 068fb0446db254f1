/* SPDX-License-Identifier: Apache-2.0 */
/* encoder.h - an HPACK encoder that writes a header list in any of the ways that RFC 7541 allows,
 * as chance will have it. libnghttp2 chooses by itself how to write a field; a client of ill will
 * does as well. Its tables of Huffman codes and static entries are read out of libnghttp2. */
#pragma once

#include "h2_kit.h"
#include "rng.h"

#define TRUTH_FIELDS 32u

struct truth_field {
	const char *name;
	const char *value;
	uint32_t name_b;
	uint32_t value_b;
	bool never; /* never indexed */
};

/* The text belongs to someone else. */
struct truth_list {
	uint32_t n;
	struct truth_field field[TRUTH_FIELDS];
};

#define TRUTH_ENTRIES 2048u /* 64 KiB of the smallest */

/* One direction of one connection. The fields' text must outlive it. All zero but for max_b and
 * limit_b is a fresh one. */
struct truth_encoder {
	uint32_t limit_b; /* what the other side allows */
	uint32_t max_b;   /* what has been chosen */
	uint32_t size_b;
	uint32_t insert_permille; /* of the fields, in the block at hand */
	bool update_due;          /* the next block begins with an update to at most this */
	uint32_t due_b;
	uint32_t n;
	struct truth_field entry[TRUTH_ENTRIES]; /* newest first */
};

void truth_encoder_init(struct truth_encoder *enc);
/* The other side's SETTINGS, acknowledged here: its smallest and its last HEADER_TABLE_SIZE. */
void truth_encoder_limit(struct truth_encoder *enc, uint32_t min_b, uint32_t last_b);
/* Appends a header block. */
void truth_encode(struct truth_encoder *enc, const struct truth_list *list, struct sim_rng *rng,
		  struct h2_bytes *to);
