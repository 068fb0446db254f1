/* SPDX-License-Identifier: Apache-2.0 */
/* reference.h - the edit of a whole stream at once: what the other side must have received. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ranges.h"

/* Edits the client's stream: a frame cut off by the end is left out, but for DATA. Frames that
 * begin in `watched` stay as they are. Heap. */
uint8_t *reference_client(const uint8_t *in, uint64_t len_b, const struct ranges *watched,
			  uint64_t *out_b);

struct reference_got {
	const uint8_t *bytes;
	uint64_t len_b;
	bool whole;    /* the stream has ended in order: nothing may be missing */
	uint64_t salt; /* of the insertions */
	uint32_t max_b;
	/* SETTINGS that begin there stay as they are: nothing was to be changed, or they had gone
	 * out already. */
	const struct ranges *watched;
	uint64_t judged_b; /* beyond it they may or may not */
	uint32_t inserted; /* result: insertions found */
};

/* Puts the insertions that the server got between the frames of `want`, the edit of the client's
 * stream. What else it got is not looked at. *wrong: NULL, or what is. Heap. */
uint8_t *reference_asked(const uint8_t *want, uint64_t want_b, struct reference_got *got,
			 uint64_t *out_b, const char **wrong);

/* Compares what the client got with what the server sent: the same frames, SETTINGS patched where
 * they say so, insertions in order and only where a frame ends.
 * @return NULL, or what is wrong. */
const char *reference_server(const uint8_t *sent, uint64_t sent_b, struct reference_got *got);
