/* SPDX-License-Identifier: Apache-2.0 */
/* gaps.h - which addresses have been given up, and when.
 *
 * A connection of before must not be taken up again when its address is guarded once more. Carried
 * on from snapshot to snapshot; main lcore only. Memory: 32 bytes a prefix and port. */
#pragma once

#include "snapshot.h"

/* Above so many, all addresses are taken for given up just now. */
#define WK_GAPS_MAX 256u

/* Fills gaps of a snapshot that retires nothing of `previous`, or (retire) everything. @return 0 or
 * -ENOMEM. */
int wk_gaps_fill(struct wk_snapshot *snapshot, const struct wk_snapshot *previous, bool retire);
