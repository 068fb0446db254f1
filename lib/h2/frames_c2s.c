/* SPDX-License-Identifier: Apache-2.0 */
/* The client's stream, cut into frames. DATA payload streams through; everything else is held until
 * it is complete. */
#include "h2_priv.h"

bool h2_is_idle(const struct wk_h2_conn *conn, uint32_t id)
{
	if (!(id & 1) && id <= conn->promised_id)
		return false;
	return id > conn->highest_id;
}

/* What a DATA frame's header decided holds to the end of the frame. */
static enum h2_step data_payload(struct h2_cut *cut)
{
	struct wk_h2_conn *conn = cut->conn;
	uint32_t n = conn->data_left_b < cut->len_b ? conn->data_left_b : cut->len_b;

	if (n == 0)
		return H2_MORE;
	if (conn->data_op == WK_OP_DEL) {
		conn->credit_b += n;
		wk_count(cut->env->stats, WK_CNT_SWALLOWED_BYTES, n);
	}
	h2_take(cut, conn->data_op, n, false);
	conn->data_left_b -= n;
	return H2_NEXT;
}

static enum wk_h2_error data_error(const struct wk_h2_conn *conn, const struct h2_frame *f,
				   const struct h2_stream *stream)
{
	if (f->id == 0)
		return WK_H2_E_STREAM_ID;
	if (!stream && !conn->deleting && h2_is_idle(conn, f->id))
		return WK_H2_E_STREAM_ID;
	if (stream && stream->client_ended)
		return WK_H2_E_STREAM_CLOSED;
	if (f->len_b > conn->max_frame_b || ((f->flags & H2_FLAG_PADDED) && f->len_b == 0))
		return WK_H2_E_FRAME_SIZE;
	return WK_H2_E_OK;
}

/* A server may read a body to its content-length or to its end, and take the rest for something
 * else. In a passive flow that is the server's business. */
static bool body_ok(const struct h2_cut *cut, const struct h2_frame *f, struct h2_stream *stream)
{
	uint32_t pad_b = f->flags & H2_FLAG_PADDED ? 1u + cut->data[H2_FRAME_HDR_B] : 0;

	if (h2_stream_body(stream, f->len_b - pad_b, f->flags & H2_FLAG_END_STREAM))
		return true;
	stream->left_b = -1;
	return cut->env->passive;
}

static enum h2_step data_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	struct h2_stream *stream = h2_stream_find(&conn->streams, f->id);
	enum wk_h2_error error = data_error(conn, f, stream);
	uint32_t pad_b = f->flags & H2_FLAG_PADDED ? 1 : 0;
	bool end = f->flags & H2_FLAG_END_STREAM, keep = stream || !conn->deleting;

	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	if (cut->len_b < H2_FRAME_HDR_B + pad_b)
		return H2_MORE;
	if (pad_b && cut->data[H2_FRAME_HDR_B] >= f->len_b)
		return h2_fail(cut, WK_H2_E_PADDING);
	if (stream && !body_ok(cut, f, stream))
		return h2_fail(cut, WK_H2_E_LENGTH);
	if (f->len_b == 0 && !end && !h2_charge(conn, cut->env))
		return h2_fail(cut, WK_H2_E_FLOOD);
	if (end && stream)
		h2_stream_client_ended(&conn->streams, cut->env->mem, stream);
	else if (end)
		h2_answers_ended(conn, f->id);
	if (!keep) {
		conn->credit_b += pad_b;
		wk_count(cut->env->stats, WK_CNT_SWALLOWED_BYTES, H2_FRAME_HDR_B + pad_b);
	}
	conn->data_op = keep ? WK_OP_PASS : WK_OP_DEL;
	conn->data_left_b = f->len_b - pad_b;
	h2_take(cut, keep ? WK_OP_PIN : WK_OP_DEL, H2_FRAME_HDR_B + pad_b, false);
	return H2_NEXT;
}

enum h2_step h2_c2s_step(struct h2_cut *cut)
{
	struct wk_h2_conn *conn = cut->conn;
	struct h2_frame f;

	if (conn->c2s_state == H2_C2S_PREFACE)
		return h2_preface_step(cut);
	if (conn->data_left_b > 0)
		return data_payload(cut);
	if (cut->len_b < H2_FRAME_HDR_B)
		return H2_MORE;
	h2_get_frame(cut->data, &f);
	if (conn->c2s_state == H2_C2S_SETTINGS &&
	    (f.type != H2_SETTINGS || (f.flags & H2_FLAG_ACK)))
		return h2_fail(cut, WK_H2_E_PREFACE);
	switch (f.type) {
	case H2_DATA:
		return data_step(cut, &f);
	case H2_HEADERS:
		return h2_block_step(cut, &f);
	case H2_CONTINUATION:
		return h2_fail(cut, WK_H2_E_SEQUENCE);
	case H2_PUSH_PROMISE:
		return h2_fail(cut, WK_H2_E_PUSH);
	default:
		return h2_control_step(cut, &f);
	}
}
