/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h - the inspector of the toy protocol, and the record of everything it was shown.
 *
 * What it says is a function of the bytes alone. The record (bytes judged, and where they went) is
 * for the checks: nothing here reads it back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto.h"
#include "ranges.h"
#include "wk_dir.h"
#include "wk_op.h"

/* Judged bytes [in, in + in_b) became [out, out + out_b). Payload offsets, from 0. */
struct judge_map {
	uint64_t in;
	uint64_t out;
	uint64_t pass_end; /* end of the last PASS at or before this one's end, as `in` */
	uint32_t in_b;
	uint32_t out_b;
	enum wk_op_kind kind;
};

struct judge_dir {
	bool started;   /* the preface, or the server's SETTINGS, has been judged */
	uint32_t rem_b; /* of the frame that streams through */
	uint8_t rem_kind;
	bool rem_watched;         /* it began while nothing was to be changed */
	uint8_t hdr[PROTO_HDR_B]; /* server: a header comes in pieces */
	uint32_t hdr_b;
	bool finished;
	uint32_t lost_b; /* held when it finished */

	/* the record */
	uint8_t *in;
	uint64_t in_b;
	uint64_t in_cap;
	uint64_t out_b; /* without insertions */
	struct judge_map *map;
	uint32_t n_map;
	uint32_t cap_map;
	int64_t shift_max; /* highest in - out since last asked */
	int64_t shift_min;
	struct ranges watched; /* frames that began while nothing was to be changed, or could */
	struct ranges kept;    /* what the box has had to keep for a while: payload offsets */
	uint8_t *held;         /* what was left over at the last call */
	uint32_t held_b;
	uint64_t held_cap;
};

struct judge {
	struct judge_dir dir[2];
	bool passive;  /* nothing is to be changed */
	uint64_t salt; /* of the insertions */
	uint32_t insert_max_b;
	uint32_t wanted; /* insertions towards the client */
	uint32_t pulled;
	uint32_t ask_max_b;    /* of those towards the server */
	uint32_t asks;         /* wanted */
	uint32_t asked;        /* pulled */
	uint64_t settings_end; /* payload offset after the server's first frame */
	const char *fault;     /* of whoever calls */
	bool gave_up;          /* the stream is not the protocol's */
	uint8_t *scratch;      /* what the operations of one call refer to */
	uint32_t scratch_b;
};

void judge_init(struct judge *judge, uint64_t salt, uint32_t insert_max_b);
void judge_fini(struct judge *judge);
int judge_bytes(struct judge *judge, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
		struct wk_op_list *ops);
void judge_finished(struct judge *judge, enum wk_dir dir);
uint32_t judge_pending(struct judge *judge);
uint32_t judge_pull(struct judge *judge, uint8_t *buf, uint32_t room_b);
/* The same towards the server: in front of the client's byte `in`, at `out` (payload offsets). */
uint32_t judge_ask_pending(struct judge *judge);
uint32_t judge_ask_pull(struct judge *judge, uint64_t in, uint64_t out, uint8_t *buf,
			uint32_t room_b);
/* What the n-th of those is made from. */
uint64_t judge_ask_salt(const struct judge *judge);
