/* SPDX-License-Identifier: Apache-2.0 */
/* gen.h - what the files of the generator share: sides, counters, how it fails. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "options.h"

enum side {
	CLIENT = 0,
	SERVER = 1,
};

/* X(name, what it counts) */
#define GEN_COUNTS(X)                                                                              \
	X(sent, "frames that left a port of ours")                                                 \
	X(received, "frames that came, each checked")                                              \
	X(bytes, "their bytes")                                                                    \
	X(plain, "of them, such as nothing guards")                                                \
	X(foreign, "frames of a kind that we do not play")                                         \
	X(old, "segments of which everything had come before")                                     \
	X(acks, "segments without bytes that we sent")                                             \
	X(opened, "connections")                                                                   \
	X(closed, "connections that ended with FINs of both sides")                                \
	X(calls, "allowed calls that had their whole answer")                                      \
	X(denied, "denied calls that had their 403")                                               \
	X(edited, "connections on which the server met header blocks written anew")                \
	X(body_bytes, "of messages, both ways")

struct gen_counts {
#define GEN_FIELD(name, text) uint64_t name;
	GEN_COUNTS(GEN_FIELD)
};

struct gen {
	struct gen_counts counts;
	uint64_t hz;
	uint64_t now;    /* TSC at the begin of the round */
	uint64_t moved;  /* TSC of the last round that received a frame */
	uint64_t open;   /* calls on their way */
	uint64_t begun;  /* calls, ever */
	uint64_t last;   /* no call begins beyond so many */
	uint32_t flight; /* what they may have on the wire */
	bool measuring;
	bool stopping;            /* no further call begins */
	struct histogram latency; /* ns of calls that ended while measuring */
	struct histogram denial;  /* the same of denied ones */
	uint64_t calls_of[KIND_MAX];
};

extern struct gen gen;

/* Says what is wrong and ends the process with 1: after a wrong byte nothing that follows means
 * anything. */
void gen_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Pseudorandom, the same in each run with the same seed. */
uint64_t gen_draw(void);
