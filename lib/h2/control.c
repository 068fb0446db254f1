/* SPDX-License-Identifier: Apache-2.0 */
/* The client's frames that are neither DATA nor part of a header block: held until complete, then
 * judged and pinned or deleted. */
#include "h2_priv.h"

#define ANY_LENGTH UINT32_MAX

/* The shape that RFC 9113 section 6 gives a frame. */
static enum wk_h2_error shape_error(const struct h2_frame *f)
{
	uint32_t length = ANY_LENGTH, min = 0;
	bool on_stream = false, on_zero = false;

	switch (f->type) {
	case H2_PRIORITY:
		length = 5;
		on_stream = true;
		break;
	case H2_RST_STREAM:
		length = 4;
		on_stream = true;
		break;
	case H2_SETTINGS:
		if (f->id != 0)
			return WK_H2_E_SETTINGS;
		if (f->len_b % 6 != 0 || ((f->flags & H2_FLAG_ACK) && f->len_b > 0))
			return WK_H2_E_FRAME_SIZE;
		break;
	case H2_PING:
		length = 8;
		on_zero = true;
		break;
	case H2_GOAWAY:
		min = 8;
		on_zero = true;
		break;
	case H2_WINDOW_UPDATE:
		length = 4;
		break;
	case H2_PRIORITY_UPDATE:
		min = 4;
		on_zero = true;
		break;
	default:
		break;
	}
	if ((on_stream && f->id == 0) || (on_zero && f->id != 0))
		return WK_H2_E_STREAM_ID;
	if ((length != ANY_LENGTH && f->len_b != length) || f->len_b < min)
		return WK_H2_E_FRAME_SIZE;
	return WK_H2_E_OK;
}

/* What has no stream is always kept, and what belongs to an open allowed stream. A frame on any
 * other stream is kept only while the server knows all streams that the client knows. */
static enum wk_h2_error stream_error(const struct wk_h2_conn *conn, const struct h2_frame *f,
				     const struct h2_stream *stream)
{
	if (f->id == 0 || stream || conn->deleting || !h2_is_idle(conn, f->id))
		return WK_H2_E_OK;
	return f->type == H2_PRIORITY || f->type == H2_RST_STREAM ? WK_H2_E_OK : WK_H2_E_STREAM_ID;
}

static enum wk_h2_error settings_frame(struct h2_cut *cut, const struct h2_frame *f,
				       const uint8_t *payload)
{
	struct wk_h2_conn *conn = cut->conn;
	enum wk_h2_error error;

	if (f->flags & H2_FLAG_ACK)
		return h2_settings_client_ack(conn, cut->env);
	error = h2_settings_client(conn, cut->env, payload, f->len_b);
	if (error == WK_H2_E_OK)
		conn->c2s_state = H2_C2S_FRAMES;
	return error;
}

/* A window that grows beyond its limit makes the server reset the stream or the connection: a cheap
 * way to keep it busy. The server cannot have more room left than counted here, and an honest
 * client never counts less. */
static enum wk_h2_error window_frame(struct wk_h2_conn *conn, const struct h2_frame *f,
				     struct h2_stream *stream, uint32_t increment_b)
{
	int64_t initial_b = f->id == 0 ? H2_WINDOW_DEFAULT_B : conn->window_b;
	int64_t *granted_b = f->id == 0 ? &conn->granted_b : stream ? &stream->granted_b : NULL;

	if (increment_b == 0)
		return WK_H2_E_WINDOW;
	if (!granted_b)
		return WK_H2_E_OK;
	*granted_b += increment_b;
	return initial_b + *granted_b > H2_ID_MASK ? WK_H2_E_FLOW_CONTROL : WK_H2_E_OK;
}

/* What the frame does to our view of the connection. *keep: whether the server may see it. */
static enum wk_h2_error apply(struct h2_cut *cut, const struct h2_frame *f,
			      struct h2_stream *stream, bool *keep)
{
	const uint8_t *payload = cut->data + H2_FRAME_HDR_B;
	struct wk_h2_conn *conn = cut->conn;
	uint32_t id;

	switch (f->type) {
	case H2_SETTINGS:
		return settings_frame(cut, f, payload);
	case H2_RST_STREAM:
		if (stream)
			h2_stream_remove(&conn->streams, cut->env->mem, stream);
		else
			h2_answers_forget(conn, cut->env->mem, f->id);
		return WK_H2_E_OK;
	case H2_PRIORITY:
		id = h2_get32(payload) & H2_ID_MASK;
		return id == f->id ? WK_H2_E_STREAM_ID : WK_H2_E_OK;
	case H2_WINDOW_UPDATE:
		return window_frame(conn, f, stream, h2_get32(payload) & H2_ID_MASK);
	case H2_PRIORITY_UPDATE:
		id = h2_get32(payload) & H2_ID_MASK;
		*keep = !conn->deleting || h2_stream_find(&conn->streams, id);
		return id == 0 ? WK_H2_E_STREAM_ID : WK_H2_E_OK;
	default:
		return WK_H2_E_OK;
	}
}

enum h2_step h2_control_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	struct h2_stream *stream = h2_stream_find(&conn->streams, f->id);
	bool keep = f->id == 0 || stream || !conn->deleting;
	enum wk_h2_error error = shape_error(f);
	uint32_t whole_b = H2_FRAME_HDR_B + f->len_b;

	if (error == WK_H2_E_OK)
		error = stream_error(conn, f, stream);
	if (error == WK_H2_E_OK &&
	    (f->len_b > conn->max_frame_b || f->len_b > cut->env->limits->control_frame_b))
		error = WK_H2_E_FRAME_SIZE;
	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	if (cut->len_b < whole_b)
		return H2_MORE;
	error = apply(cut, f, stream, &keep);
	if (error == WK_H2_E_OK && !h2_charge(conn, cut->env))
		error = WK_H2_E_FLOOD;
	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	if (!keep)
		wk_count(cut->env->stats, WK_CNT_SWALLOWED_BYTES, whole_b);
	h2_take(cut, keep ? WK_OP_PIN : WK_OP_DEL, whole_b, false);
	return H2_NEXT;
}
