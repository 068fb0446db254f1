/* SPDX-License-Identifier: Apache-2.0 */
/* wk_op.h - what to do with the next bytes of a stream: the common language of the inspector, which
 * judges bytes, and the editable TCP stream, which carries the judgement out.
 *
 * A judge is shown the in-order bytes [data, data + len) that start at the first byte not yet
 * judged, and answers with a list of operations that cover a prefix of them, in order. What the
 * list does not cover is held: the judge will be shown the same bytes again, with more behind them.
 * An empty list means "hold everything". The list is bounded: when it is full, the judge returns
 * and is called again with the rest. Bytes named by an operation must stay valid until the next
 * call of the judge for any flow of the lcore.
 *
 * Some of the bytes shown may have gone out already, out of order: they can be judged, but not
 * changed any more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum wk_op_kind {
	WK_OP_PASS = 0,  /* goes out as it is; may differ in a retransmission (DATA payload) */
	WK_OP_PIN = 1,   /* goes out as it is and must be the same in every retransmission */
	WK_OP_DEL = 2,   /* taken out of the stream */
	WK_OP_REPL = 3,  /* replaced by out_bytes[out_len], of any other length */
	WK_OP_PATCH = 4, /* replaced by out_bytes[in_len], same length */
};

struct wk_op {
	enum wk_op_kind kind;
	/* The stream is at an HTTP/2 frame boundary right after this operation: bytes may be
	 * inserted here. */
	bool boundary;
	uint32_t in_len_b;
	uint32_t out_len_b;       /* REPL and PATCH only */
	const uint8_t *out_bytes; /* REPL and PATCH only; owned by the judge, see above */
};

#define WK_OP_LIST_MAX 64

struct wk_op_list {
	uint32_t n;
	/* Set by the caller: none of the bytes shown at or beyond this place has gone out, some
	 * before it have. */
	uint32_t gone_b;
	/* Bytes from the end of the last operation to the next frame boundary, or
	 * WK_OP_BOUNDARY_UNKNOWN inside a frame header. */
	uint32_t to_boundary_b;
	/* Client to server: so many bytes after the last operation will be PASS whatever they say,
	 * and whatever is shown before them. Those that come out of order may go on at once. */
	uint32_t pass_b;
	struct wk_op ops[WK_OP_LIST_MAX];
};

#define WK_OP_BOUNDARY_UNKNOWN UINT32_MAX

/* Appends an operation; merges it into the last one where both are PASS, PIN or DEL of one kind
 * and no boundary lies between them. @return false when the list is full. */
static inline bool wk_op_push(struct wk_op_list *list, enum wk_op_kind kind, uint32_t in_len_b,
			      bool boundary)
{
	struct wk_op *last = list->n > 0 ? &list->ops[list->n - 1] : 0;

	if (last && last->kind == kind && !last->boundary && kind <= WK_OP_DEL) {
		last->in_len_b += in_len_b;
		last->boundary = boundary;
		return true;
	}
	if (list->n == WK_OP_LIST_MAX)
		return false;
	list->ops[list->n++] = (struct wk_op){
		.kind = kind,
		.boundary = boundary,
		.in_len_b = in_len_b,
	};
	return true;
}

/* Appends a REPL or PATCH. @return false when the list is full. */
static inline bool wk_op_push_bytes(struct wk_op_list *list, enum wk_op_kind kind,
				    uint32_t in_len_b, const uint8_t *out_bytes, uint32_t out_len_b,
				    bool boundary)
{
	if (list->n == WK_OP_LIST_MAX)
		return false;
	list->ops[list->n++] = (struct wk_op){
		.kind = kind,
		.boundary = boundary,
		.in_len_b = in_len_b,
		.out_len_b = out_len_b,
		.out_bytes = out_bytes,
	};
	return true;
}
