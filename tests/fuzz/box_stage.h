/* SPDX-License-Identifier: Apache-2.0 */
/* box_stage.h - one connection through a whole inspector, its segments cut as a target wants them.
 *
 * What is said in one go takes the same time however it is cut: afterwards both ends have read
 * everything and acknowledged it, and a fixed time has gone by. Nothing gets lost on the way, but
 * segments may come twice and out of order. Any fault of TCP ends the process (must.h). */
#pragma once

#include "h2_kit.h"
#include "rng.h"
#include "wire_pair.h"
#include "wk_inspect.h"

#define BOX_ALLOWED  "/attack.Allowed/Ping"
#define BOX_ALLOWED2 "/attack.Allowed/Stream"
#define BOX_DENIED   "/attack.Secret/Drop"

/* Of one process: EAL and the buffers. */
void box_start(void);

struct box_conf {
	bool audit;
	bool small;      /* small limits */
	bool reencode;   /* every header block is written anew */
	bool grpc;       /* the reply's kind */
	bool ipv6;       /* and timestamps */
	uint64_t secret; /* of the inspector */
};

enum box_cut {
	BOX_WHOLE,  /* segments as large as they may be */
	BOX_BYTES,  /* one byte each, for the first hundred */
	BOX_FRAMES, /* at the borders of what looks like frames, and one byte around them */
	BOX_RANDOM, /* anywhere */
	BOX_MESSY,  /* also twice and out of order */
};

struct box {
	struct wk_inspect *inspect;
	struct wk_policy *policy;
	struct wk_stats stats;
	uint64_t now_ns;
	uint64_t slot_ns; /* when what is being said is over */
	uint64_t mem_used_b;
	struct pair pair;
	struct h2_bytes talk[WK_DIRS]; /* all that was said */
	uint32_t sent_b[WK_DIRS];
	struct h2_bytes told; /* the events, a line each, without what names the moment */
	bool full;            /* more has come than a test can take */
};

/* Opens the connection. */
void box_init(struct box *box, const struct box_conf *conf);
/* Ends it: everything must be given back. */
void box_fini(struct box *box);
void box_say(struct box *box, enum wk_dir dir, const void *p, size_t n, enum box_cut cut,
	     struct sim_rng *rng);
/* No more can be said: the connection was reset, or it is full. */
bool box_ended(const struct box *box);
/* What has arrived of the stream dir. */
const uint8_t *box_arrived(const struct box *box, enum wk_dir dir, uint32_t *len_b);
/* The connection's row in the flow list. @return false if there is none. */
bool box_flow(struct box *box, struct wk_inspect_flow *row);
