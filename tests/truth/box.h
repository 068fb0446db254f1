/* SPDX-License-Identifier: Apache-2.0 */
/* box.h - an inspector, and the wires of some connections through it. */
#pragma once

#include "rng.h"
#include "wire_pair.h"
#include "wk_inspect.h"

#define TRUTH_CONNS 3u

struct truth_box {
	struct wk_inspect *inspect;
	struct wk_policy *policy;
	struct wk_stats stats;
	uint64_t now_ns;
	uint64_t mem_used_b; /* with no flow */
	uint32_t n;          /* connections */
	struct pair *pair[TRUTH_CONNS];
	char fault[256]; /* the first one; empty: none */
};

void truth_fault(struct truth_box *box, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* EAL and what outlives a box. */
void truth_eal_start(void);
void truth_eal_stop(void);

void truth_box_init(struct truth_box *box, uint32_t n, enum wk_policy_reply reply,
		    struct sim_rng *rng);
/* Ends all connections: nothing may be left of them. */
void truth_box_fini(struct truth_box *box);
/* A segment of the sender of dir, payload from offset `from_b` of its stream on. */
void truth_box_send(struct truth_box *box, uint32_t conn, enum wk_dir dir, uint32_t from_b,
		    const uint8_t *data, uint32_t len_b, bool push);
void truth_box_wait(struct truth_box *box, uint64_t ns);
