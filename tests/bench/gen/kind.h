/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h - the kinds of calls: how many messages of what size go each way. */
#pragma once

#include <stdint.h>

#define KIND_WINDOW_B (256u << 10) /* receive window of a connection */

enum kind {
	KIND_UNARY64 = 0,
	KIND_UNARY1K,
	KIND_UNARY16K,
	KIND_STREAM, /* messages and answers in turn */
	KIND_BULK,   /* one long request */
	KIND_MAX,
};

struct kind_spec {
	const char *name;
	const char *path;
	uint32_t turns;      /* messages each way */
	uint32_t request_b;  /* of one message */
	uint32_t response_b; /* the same */
};

extern struct kind_spec kinds[KIND_MAX];
extern const char kind_denied_path[];

/* Both ways, the gRPC prefix of each message not among them. */
uint32_t kind_bytes(enum kind kind);
/* Segments that a call has on the wire at a time, at most, both ways and their acknowledgements. */
uint32_t kind_flight(enum kind kind);
