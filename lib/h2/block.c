/* SPDX-License-Identifier: Apache-2.0 */
/* The client's header blocks: joined, decoded once, judged. */
#include <string.h>

#include "h2_priv.h"

/* What the header of a HEADERS frame alone tells. */
static enum wk_h2_error head_error(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	const struct h2_stream *stream = h2_stream_find(&conn->streams, f->id);
	uint32_t fixed_b = (f->flags & H2_FLAG_PADDED ? 1u : 0u) +
			   (f->flags & H2_FLAG_PRIORITY ? 5u : 0u);

	if (!(f->id & 1))
		return WK_H2_E_STREAM_ID;
	if (stream && stream->client_ended)
		return WK_H2_E_STREAM_CLOSED;
	if (f->id <= conn->highest_id && !(f->flags & H2_FLAG_END_STREAM))
		return stream ? WK_H2_E_TRAILERS : WK_H2_E_STREAM_ID;
	if (f->len_b > conn->max_frame_b || f->len_b < fixed_b)
		return WK_H2_E_FRAME_SIZE;
	return WK_H2_E_OK;
}

static uint32_t block_cap(const struct h2_cut *cut)
{
	uint32_t limit = cut->env->limits->block_b, cap = cut->env->lcore->block_cap_b;

	return limit < cap ? limit : cap;
}

/* Walks over HEADERS and its CONTINUATIONs. H2_NEXT: *raw_b is the length of them all. */
static enum h2_step walk(struct h2_cut *cut, const struct h2_frame *head, uint32_t *raw_b)
{
	uint32_t at = 0, joined_b = 0, continuations = 0;
	struct h2_frame f = *head;

	for (;;) {
		joined_b += f.len_b;
		if (joined_b > block_cap(cut))
			return h2_fail(cut, WK_H2_E_BLOCK_CAP);
		if (cut->len_b - at < H2_FRAME_HDR_B + f.len_b)
			return H2_MORE;
		at += H2_FRAME_HDR_B + f.len_b;
		if (f.flags & H2_FLAG_END_HEADERS)
			break;
		if (cut->len_b - at < H2_FRAME_HDR_B)
			return H2_MORE;
		h2_get_frame(cut->data + at, &f);
		if (f.type != H2_CONTINUATION || f.id != head->id)
			return h2_fail(cut, WK_H2_E_SEQUENCE);
		if (++continuations > cut->env->limits->continuations)
			return h2_fail(cut, WK_H2_E_CONTINUATION_CAP);
		if (f.len_b > cut->conn->max_frame_b)
			return h2_fail(cut, WK_H2_E_FRAME_SIZE);
	}
	*raw_b = at;
	return H2_NEXT;
}

/* Takes padding and priority off the first fragment. */
static enum wk_h2_error strip(const uint8_t *data, const struct h2_frame *f, struct h2_block *block)
{
	const uint8_t *p = data + H2_FRAME_HDR_B;
	uint32_t len_b = f->len_b, pad_b = 0;

	if (f->flags & H2_FLAG_PADDED) {
		pad_b = *p++;
		len_b--;
	}
	if (f->flags & H2_FLAG_PRIORITY) {
		block->has_priority = true;
		memcpy(block->priority, p, sizeof(block->priority));
		p += sizeof(block->priority);
		len_b -= (uint32_t)sizeof(block->priority);
		if ((h2_get32(block->priority) & H2_ID_MASK) == f->id)
			return WK_H2_E_STREAM_ID;
	}
	if (pad_b > len_b)
		return WK_H2_E_PADDING;
	block->fragment = p;
	block->fragment_b = len_b - pad_b;
	return WK_H2_E_OK;
}

/* A block in several frames is put together in the lcore's scratch. */
static void join(struct h2_cut *cut, const struct h2_frame *head, struct h2_block *block)
{
	uint32_t at = H2_FRAME_HDR_B + head->len_b, n = block->fragment_b;
	uint8_t *to = cut->env->lcore->block;
	struct h2_frame f;

	if (at == block->raw_b)
		return;
	memcpy(to, block->fragment, n);
	while (at < block->raw_b) {
		h2_get_frame(cut->data + at, &f);
		memcpy(to + n, cut->data + at + H2_FRAME_HDR_B, f.len_b);
		n += f.len_b;
		at += H2_FRAME_HDR_B + f.len_b;
	}
	block->fragment = to;
	block->fragment_b = n;
}

/* The block goes to the server, as it is or written anew. */
static enum h2_step forward(struct h2_cut *cut, const struct h2_block *block)
{
	struct wk_h2_conn *conn = cut->conn;
	uint32_t out_b;

	conn->reencoding |= cut->env->limits->reencode && !cut->env->passive;
	if (!conn->reencoding) {
		h2_take(cut, WK_OP_PIN, block->raw_b, false);
		return H2_NEXT;
	}
	if (cut->env->lcore->list.over)
		return h2_fail(cut, WK_H2_E_BLOCK_CAP);
	out_b = h2_reencode(conn, cut->env, block);
	if (out_b == 0)
		return h2_fail(cut, WK_H2_E_MEMORY);
	wk_op_push_bytes(cut->ops, WK_OP_REPL, block->raw_b, cut->env->lcore->out, out_b, false);
	cut->data += block->raw_b;
	cut->len_b -= block->raw_b;
	return H2_STOP; /* the scratch is in use until the next call */
}

/* The block never reaches the server. */
static enum h2_step erase(struct h2_cut *cut, const struct h2_block *block, enum h2_scan scan)
{
	struct wk_h2_conn *conn = cut->conn;

	conn->deleting = true;
	if (scan != H2_SCAN_CLEAN)
		conn->reencoding = true;
	wk_count(cut->env->stats, WK_CNT_SWALLOWED_BYTES, block->raw_b);
	h2_take(cut, WK_OP_DEL, block->raw_b, false);
	return H2_NEXT;
}

/* Takes the ticket over. */
static enum h2_step allow(struct h2_cut *cut, const struct h2_block *block,
			  const struct h2_seen *known)
{
	struct wk_h2_conn *conn = cut->conn;
	struct h2_stream *stream = NULL;

	if (conn->streams.n < cut->env->limits->streams)
		stream = h2_stream_add(&conn->streams, cut->env->mem, block->id, block->end_stream,
				       known->ticket);
	if (!stream) {
		h2_ticket_free(known->ticket, cut->env->mem);
		return h2_fail(cut, WK_H2_E_MEMORY);
	}
	stream->left_b = known->length_b;
	conn->allowed_calls++;
	conn->forwarded_id = block->id;
	return forward(cut, block);
}

/* Refused without asking the policy. */
static enum h2_step refuse(struct h2_cut *cut, const struct h2_block *block, enum h2_scan scan,
			   enum wk_call_reason reason, const struct wk_h2_str *path)
{
	const struct wk_h2_refusal refusal = { block->id, reason, *path };
	enum wk_h2_code code = WK_H2_PROTOCOL_ERROR;
	enum wk_h2_error error;

	if (cut->env->hooks->refused)
		cut->env->hooks->refused(cut->env->user, &refusal);
	if (cut->env->passive) {
		const struct h2_seen once = { h2_ticket_keep(cut->env), -1, 0 };

		return allow(cut, block, &once);
	}
	if (reason == WK_CALL_REFUSED_STREAMS)
		code = WK_H2_REFUSED_STREAM;
	else if (reason == WK_CALL_REFUSED_LIST)
		code = WK_H2_ENHANCE_YOUR_CALM;
	error = h2_answer_rst(cut->conn, cut->env, block->id, code);
	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	cut->conn->denied_calls++;
	return erase(cut, block, scan);
}

static bool streams_full(const struct h2_cut *cut)
{
	const struct wk_h2_conn *conn = cut->conn;
	uint32_t cap = cut->env->limits->streams;

	if (!cut->env->passive && conn->max_streams < cap)
		cap = conn->max_streams;
	return conn->streams.n >= cap;
}

/* A block that is written anew has to be decoded. */
static bool decodes(const struct h2_cut *cut)
{
	return cut->conn->reencoding || (cut->env->limits->reencode && !cut->env->passive);
}

/* The same request has been allowed before, by the same policy. */
static enum h2_step repeat(struct h2_cut *cut, const struct h2_block *block,
			   const struct h2_seen *known)
{
	cut->conn->highest_id = block->id;
	wk_count(cut->env->stats, WK_CNT_SEEN_HITS, 1);
	cut->env->hooks->repeated(cut->env->user, block->id, known->note);
	h2_ticket_share(known->ticket);
	return allow(cut, block, known);
}

static enum h2_step permit(struct h2_cut *cut, const struct h2_block *block, enum h2_scan scan,
			   const struct h2_seen *known, bool again)
{
	if (again && scan == H2_SCAN_CLEAN && !decodes(cut))
		h2_seen_keep(cut->conn, cut->env, block, known);
	return allow(cut, block, known);
}

static enum h2_step request(struct h2_cut *cut, const struct h2_block *block, enum h2_scan scan)
{
	const struct wk_h2_env *env = cut->env;
	struct wk_h2_request req = { .stream_id = block->id, .end_stream = block->end_stream };
	struct wk_h2_decision decision = { .verdict = WK_H2_DENY, .grpc_status = 7 };
	enum wk_call_reason fault = h2_request_parse(&env->lcore->list, block->end_stream, &req);
	enum wk_h2_error error;

	cut->conn->highest_id = block->id;
	wk_count(env->stats, WK_CNT_SEEN_MISSES, env->limits->seen_blocks > 0);
	if (env->lcore->list.over)
		return refuse(cut, block, scan, WK_CALL_REFUSED_LIST, &req.path);
	if (fault != WK_CALL_ALLOWED)
		return refuse(cut, block, scan, fault, &req.path);
	if (streams_full(cut))
		return refuse(cut, block, scan, WK_CALL_REFUSED_STREAMS, &req.path);
	env->hooks->decide(env->user, &req, &decision);
	if (env->passive || decision.verdict == WK_H2_ALLOW) {
		const struct h2_seen known = { h2_ticket_keep(env), req.length_b, decision.note };

		return permit(cut, block, scan, &known, decision.again);
	}
	if (decision.verdict == WK_H2_RESET)
		return h2_fail(cut, WK_H2_E_POLICY);
	error = h2_answer_deny(cut->conn, env, &req, &decision);
	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	cut->conn->denied_calls++;
	return erase(cut, block, scan);
}

/* Trailers of an open allowed stream. */
static enum h2_step trailers(struct h2_cut *cut, const struct h2_block *block,
			     struct h2_stream *stream)
{
	const struct h2_list *list = &cut->env->lcore->list;

	if (h2_has_pseudo(list))
		return h2_fail(cut, WK_H2_E_TRAILERS);
	if (list->over)
		return h2_fail(cut, WK_H2_E_BLOCK_CAP);
	if (!h2_stream_body(stream, 0, true) && !cut->env->passive)
		return h2_fail(cut, WK_H2_E_LENGTH);
	h2_stream_client_ended(&cut->conn->streams, cut->env->mem, stream);
	return forward(cut, block);
}

/* Trailers of a stream that was denied, or has just been closed: decoded for the table's sake. */
static enum h2_step late_trailers(struct h2_cut *cut, const struct h2_block *block,
				  enum h2_scan scan)
{
	struct wk_h2_conn *conn = cut->conn;

	if (h2_has_pseudo(&cut->env->lcore->list))
		return h2_fail(cut, WK_H2_E_TRAILERS);
	/* What was not kept has not been looked at: a pseudo-header may hide there. */
	if (cut->env->lcore->list.over)
		return h2_fail(cut, WK_H2_E_BLOCK_CAP);
	if (!h2_charge(conn, cut->env))
		return h2_fail(cut, WK_H2_E_FLOOD);
	h2_answers_ended(conn, block->id);
	return conn->deleting ? erase(cut, block, scan) : forward(cut, block);
}

/* Where the answer would be a refusal, the observer is told the path. */
static const struct h2_seen *seen_before(struct h2_cut *cut, const struct h2_block *block)
{
	if (decodes(cut)) {
		h2_seen_empty(cut->conn, cut->env->mem);
		return NULL;
	}
	return streams_full(cut) ? NULL : h2_seen_find(cut->conn, cut->env, block);
}

enum h2_step h2_block_step(struct h2_cut *cut, const struct h2_frame *f)
{
	struct wk_h2_conn *conn = cut->conn;
	struct h2_block block = { .id = f->id, .end_stream = f->flags & H2_FLAG_END_STREAM };
	enum wk_h2_error error = head_error(cut, f);
	const struct h2_seen *known;
	struct h2_stream *stream;
	enum h2_scan scan;
	enum h2_step step;

	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	step = walk(cut, f, &block.raw_b);
	if (step != H2_NEXT)
		return step;
	error = strip(cut->data, f, &block);
	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	join(cut, f, &block);
	stream = h2_stream_find(&conn->streams, f->id);
	known = !stream && f->id > conn->highest_id ? seen_before(cut, &block) : NULL;
	if (known)
		return repeat(cut, &block, known);
	scan = h2_scan_block(block.fragment, block.fragment_b);
	if (scan == H2_SCAN_CHANGES)
		h2_seen_empty(conn, cut->env->mem);
	error = scan == H2_SCAN_ODD ? WK_H2_E_HPACK
				    : h2_inflate(conn, cut->env, block.fragment, block.fragment_b);
	if (error != WK_H2_E_OK)
		return h2_fail(cut, error);
	if (stream)
		return trailers(cut, &block, stream);
	if (f->id <= conn->highest_id)
		return late_trailers(cut, &block, scan);
	return request(cut, &block, scan);
}
