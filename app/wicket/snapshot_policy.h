/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_policy.h - from struct wk_conf to a compiled policy. Needs no EAL. */
#pragma once

#include <stddef.h>

#include "snapshot.h"

/* What the compilers copy: blocks that all go at once. */
struct wk_scratch {
	void **blocks;
	uint32_t n;
};

/* Zeroed. @return NULL when out of memory. */
void *wk_scratch_calloc(struct wk_scratch *scratch, size_t n, size_t size_b);
void wk_scratch_free(struct wk_scratch *scratch);

/* Fills err. @return -ENOMEM. */
int wk_snapshot_no_memory(struct wk_conf_error *err);

/* The file's services, then n_retired ones that allow everything. @return 0, or -ENOMEM / -EINVAL
 * with *err filled. */
int wk_snapshot_policy(const struct wk_conf *conf, uint64_t version,
		       const struct wk_snapshot_service *retired, uint32_t n_retired,
		       struct wk_policy **policy, struct wk_conf_error *err);
