/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_tap_impl.h - what the files of the tap share. */
#pragma once

#include "tcp_tap.h"

/* The insertion that holds the payload offset `out` of the client, or NULL and where it lies in the
 * reference. */
const struct tap_insert *tap_insert_at(const struct tap *tap, uint64_t out, uint64_t *ref);
/* The other way: payload offset for the receiver. */
uint64_t tap_out(const struct tap *tap, enum wk_dir dir, uint64_t ref);
/* Acknowledgement, window and SACK of a packet that leaves: I3. */
void tap_acks(struct tap *tap, enum wk_dir dir, const struct wk_tcp_seg *seg,
	      const struct wk_tcp_seg *in);
