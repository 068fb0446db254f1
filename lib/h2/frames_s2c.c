/* SPDX-License-Identifier: Apache-2.0 */
/* The server's stream: everything passes (but for one clamped SETTINGS value); what is read are
 * frame headers, SETTINGS and GOAWAY, so that our own frames find their place between the server's.
 */
#include <string.h>

#include "h2_priv.h"

#define REWARD_ANSWER       2u /* a client follows up with at most a WINDOW_UPDATE for stream and all */
#define REWARD_ASK          1u /* and acknowledges SETTINGS and PING */
#define GOAWAY_LAST_B       4u
#define GOAWAY_ANNOUNCEMENT H2_ID_MASK

/* While something waits to be inserted, a feed ends at every boundary, so that it is shown and the
 * state is that of the boundary: what follows may change how a reply has to be written. */
static enum h2_step frame_end(struct h2_cut *cut)
{
	return h2_wants_insertion(cut->conn, cut->env) ? H2_STOP : H2_NEXT;
}

static enum h2_step pass(struct h2_cut *cut)
{
	struct wk_h2_conn *conn = cut->conn;
	uint32_t n = conn->left_b < cut->len_b ? conn->left_b : cut->len_b;

	if (n == 0)
		return H2_MORE;
	h2_take(cut, conn->left_op, n, false);
	conn->left_b -= n;
	return conn->left_b == 0 ? frame_end(cut) : H2_NEXT;
}

static enum h2_step pass_frame(struct h2_cut *cut, const struct h2_frame *f)
{
	cut->conn->left_op = WK_OP_PASS;
	cut->conn->left_b = H2_FRAME_HDR_B + f->len_b;
	return pass(cut);
}

/* The client has had the end of the stream: what a server says on it all the same goes no further.
 * The room that it takes in the connection's window is given back. */
static enum h2_step swallow_data(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;

	conn->server_credit_b += f->len_b;
	wk_count(cut->env->stats, WK_CNT_SWALLOWED_BYTES, H2_FRAME_HDR_B + f->len_b);
	conn->left_op = WK_OP_DEL;
	conn->left_b = H2_FRAME_HDR_B + f->len_b;
	return pass(cut);
}

/* A frame in the place of one of the same length. The scratch is in use until the next call. */
static enum h2_step patch(struct h2_cut *cut, uint32_t len_b)
{
	wk_op_push_bytes(cut->ops, WK_OP_PATCH, len_b, cut->env->lcore->out, len_b, true);
	cut->data += len_b;
	cut->len_b -= len_b;
	return H2_STOP;
}

/* Writes the frame with every higher HEADER_TABLE_SIZE lowered. @return true if there was one. */
static bool clamp(struct h2_cut *cut, const struct h2_frame *f)
{
	uint8_t *to = cut->env->lcore->out;
	uint32_t whole_b = H2_FRAME_HDR_B + f->len_b, n = 0;

	memcpy(to, cut->data, whole_b);
	for (uint8_t *p = to + H2_FRAME_HDR_B; p < to + whole_b; p += 6) {
		if (p[0] != 0 || p[1] != 1 || h2_get32(p + 2) <= H2_TABLE_DEFAULT_B)
			continue;
		h2_put32(p + 2, H2_TABLE_DEFAULT_B);
		n++;
	}
	wk_count(cut->env->stats, WK_CNT_CLAMP_TABLE, n);
	return n > 0;
}

static enum h2_step settings_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	uint32_t whole_b = H2_FRAME_HDR_B + f->len_b;
	bool clamping = !cut->env->passive && whole_b <= cut->env->lcore->out_cap_b;
	enum wk_h2_error error;

	if (f->id != 0 || f->len_b % 6 != 0 || f->len_b > cut->env->limits->control_frame_b)
		return h2_fail(cut, WK_H2_E_SERVER);
	if (cut->len_b < whole_b)
		return H2_MORE;
	if (f->flags & H2_FLAG_ACK) {
		h2_settings_server_ack(conn, cut->env->mem);
		return pass_frame(cut, f);
	}
	/* What the client may have read already cannot be changed, and counts. */
	if (cut->data < cut->gone_end)
		clamping = false;
	error = h2_settings_server(conn, cut->env, cut->data + H2_FRAME_HDR_B, f->len_b, clamping);
	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	h2_reward(conn, cut->env, REWARD_ASK);
	conn->settings_passed = true;
	if (!clamping || !clamp(cut, f))
		return pass_frame(cut, f);
	return patch(cut, whole_b);
}

static enum h2_step goaway_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	uint32_t last;

	if (f->len_b < 8)
		return h2_fail(cut, WK_H2_E_SERVER);
	if (cut->len_b < H2_FRAME_HDR_B + GOAWAY_LAST_B)
		return H2_MORE;
	last = h2_get32(cut->data + H2_FRAME_HDR_B) & H2_ID_MASK;
	if (last != GOAWAY_ANNOUNCEMENT && last < conn->goaway_last) {
		conn->goaway_last = last;
		h2_answers_above(conn, cut->env->mem, last);
	}
	return pass_frame(cut, f);
}

static void begin_block(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;

	conn->in_block = !(f->flags & H2_FLAG_END_HEADERS);
	conn->block_id = f->id;
	conn->reply_update_due = false; /* this block has to carry it */
	h2_reward(conn, cut->env, REWARD_ANSWER);
}

static enum h2_step promise_step(struct h2_cut *cut, const struct h2_frame *f)
{
	uint32_t at = H2_FRAME_HDR_B + (f->flags & H2_FLAG_PADDED ? 1 : 0), id;

	if (f->len_b < at + 4 - H2_FRAME_HDR_B)
		return h2_fail(cut, WK_H2_E_SERVER);
	if (cut->len_b < at + 4)
		return H2_MORE;
	id = h2_get32(cut->data + at) & H2_ID_MASK;
	if (id > cut->conn->promised_id)
		cut->conn->promised_id = id;
	begin_block(cut, f);
	return pass_frame(cut, f);
}

/* A server that resets the stream of a call which a reload has ended: the client hears why, and
 * from us. A WINDOW_UPDATE stands in its place, which leaves all numbers as they are. */
static enum h2_step reset_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	const uint32_t whole_b = H2_FRAME_HDR_B + 4;
	struct h2_answer *answer;

	if (f->len_b != 4)
		return h2_fail(cut, WK_H2_E_SERVER);
	if (cut->len_b < whole_b)
		return H2_MORE;
	/* A client that makes the server reset streams gains nothing by it. */
	if (!h2_charge(conn, cut->env))
		return h2_fail(cut, WK_H2_E_FLOOD);
	answer = h2_answer_find(conn, f->id);
	if (!answer || !answer->revoked || answer->mute)
		return pass_frame(cut, f);
	if (cut->data < cut->gone_end) { /* it has heard it already */
		h2_answers_forget(conn, cut->env->mem, f->id);
		return pass_frame(cut, f);
	}
	h2_put32(h2_put_frame(cut->env->lcore->out, 4, H2_WINDOW_UPDATE, 0, f->id), 1);
	return patch(cut, whole_b);
}

static enum h2_step ping_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	uint32_t whole_b = H2_FRAME_HDR_B + f->len_b;

	if (!(f->flags & H2_FLAG_ACK))
		h2_reward(conn, cut->env, REWARD_ASK);
	if (!(f->flags & H2_FLAG_ACK) || !conn->ping_out || f->len_b != 8)
		return pass_frame(cut, f);
	if (cut->len_b < whole_b)
		return H2_MORE;
	if (!h2_revoked_is_ack(conn, f, cut->data + H2_FRAME_HDR_B) || cut->data < cut->gone_end)
		return pass_frame(cut, f);
	h2_take(cut, WK_OP_DEL, whole_b, false);
	h2_revoked_release(conn, cut->env, false);
	return frame_end(cut);
}

/* A response of a call that a reload has ended, before its client has been told: its header blocks
 * go on, since they may change the client's table. */
static void late_response(struct wk_h2_conn *conn, struct wk_mem *mem, const struct h2_frame *f)
{
	struct h2_answer *answer;

	if (f->flags & H2_FLAG_END_STREAM) {
		h2_answers_forget(conn, mem, f->id);
	} else if (f->type == H2_HEADERS) {
		answer = h2_answer_find(conn, f->id);
		if (answer)
			answer->trailers = true;
	}
}

/* The client has been told that the stream is over, by its peer or by us. */
static bool is_over(const struct wk_h2_conn *conn, const struct h2_frame *f,
		    const struct h2_stream *stream)
{
	return conn->revoking && !stream && (f->id & 1) && !h2_answer_find(conn, f->id);
}

/* DATA, HEADERS and RST_STREAM: the life of a stream. */
static enum h2_step stream_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	struct h2_stream *stream = h2_stream_find(&conn->streams, f->id);

	if (f->type == H2_DATA) {
		conn->granted_b -= f->len_b;
		if (stream)
			stream->granted_b -= f->len_b;
	}
	if (f->type == H2_DATA && is_over(conn, f, stream) && cut->data >= cut->gone_end)
		return swallow_data(cut, f);
	if (f->type == H2_RST_STREAM) {
		if (!stream && conn->revoking)
			return reset_step(cut, f);
		/* A client that makes the server reset streams gains nothing by it. */
		if (!h2_charge(conn, cut->env))
			return h2_fail(cut, WK_H2_E_FLOOD);
		if (stream)
			h2_stream_remove(&conn->streams, cut->env->mem, stream);
	} else {
		if (!stream && conn->revoking)
			late_response(conn, cut->env->mem, f);
		if (stream && (f->flags & H2_FLAG_END_STREAM))
			h2_stream_server_ended(&conn->streams, cut->env->mem, stream);
		else if (stream)
			stream->answered |= f->type == H2_HEADERS;
		if (f->type == H2_HEADERS)
			begin_block(cut, f);
		else if (f->len_b > 0)
			h2_reward(conn, cut->env, REWARD_ANSWER);
	}
	return pass_frame(cut, f);
}

enum h2_step h2_s2c_step(struct h2_cut *cut)
{
	struct wk_h2_conn *conn = cut->conn;
	struct h2_frame f;

	if (conn->left_b > 0)
		return pass(cut);
	if (cut->len_b < H2_FRAME_HDR_B)
		return H2_MORE;
	h2_get_frame(cut->data, &f);
	if (!conn->settings_passed && (f.type != H2_SETTINGS || (f.flags & H2_FLAG_ACK)))
		return h2_fail(cut, WK_H2_E_SERVER);
	if (conn->in_block != (f.type == H2_CONTINUATION) ||
	    (conn->in_block && f.id != conn->block_id))
		return h2_fail(cut, WK_H2_E_SERVER);
	switch (f.type) {
	case H2_CONTINUATION:
		conn->in_block = !(f.flags & H2_FLAG_END_HEADERS);
		return pass_frame(cut, &f);
	case H2_DATA:
	case H2_HEADERS:
	case H2_RST_STREAM:
		return stream_step(cut, &f);
	case H2_SETTINGS:
		return settings_step(cut, &f);
	case H2_PUSH_PROMISE:
		return promise_step(cut, &f);
	case H2_GOAWAY:
		return goaway_step(cut, &f);
	case H2_PING:
		return ping_step(cut, &f);
	default:
		return pass_frame(cut, &f);
	}
}
