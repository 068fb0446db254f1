/* SPDX-License-Identifier: Apache-2.0 */
/* The client of a connection. */
#include <inttypes.h>
#include <string.h>

#include "conn.h"

#define HDR_B         9u
#define MAGIC_B       24u
#define CONTINUATIONS 6u /* libnghttp2 takes 8 */
#define HEADER_BUDGET 40000u
#define TABLE_DEFAULT 4096u
#define FRAME_MAX_B   16384u

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING = 6, WINDOW_UPDATE = 8, CONTINUATION };

/* ---- what it reads ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_b, const uint8_t *value, size_t value_b, uint8_t flags, void *user)
{
	struct truth_conn *conn = user;
	struct truth_call *call = truth_find(conn, (uint32_t)frame->hd.stream_id);
	const char *status = "200";

	(void)session;
	(void)flags;
	if (!call)
		return 0;
	call->heard_hash = truth_hash(call->heard_hash, name, name_b, value, value_b);
	if (call->want == TRUTH_DENY && !(call->grpc && conn->reply == WK_REPLY_GRPC))
		status = "403";
	if (name_b == 7 && memcmp(name, ":status", 7) == 0)
		call->status_right = value_b == 3 && memcmp(value, status, 3) == 0;
	/* The reason of a denial. */
	if (name_b == 11 && memcmp(name, "grpc-status", 11) == 0 && call->want == TRUTH_DENY &&
	    (!call->grpc || value_b != 1 || value[0] != '7'))
		truth_fault(conn->box, "stream %u: another grpc-status", call->id);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t len, void *user)
{
	struct truth_call *call = truth_find(user, (uint32_t)id);

	(void)session;
	(void)flags;
	(void)data;
	if (call)
		call->heard_b += (uint32_t)len;
	return 0;
}

/* A SETTINGS frame of the server, as it has arrived. */
static void note_settings(struct truth_conn *conn, const nghttp2_settings *settings)
{
	uint32_t *note = conn->note[conn->n_notes];

	if (conn->n_notes == TRUTH_NOTES) {
		truth_fault(conn->box, "too many SETTINGS without an ACK");
		return;
	}
	note[0] = note[1] = UINT32_MAX;
	for (size_t i = 0; i < settings->niv; i++) {
		if (settings->iv[i].settings_id != NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
			continue;
		note[1] = settings->iv[i].value;
		if (note[1] < note[0])
			note[0] = note[1];
	}
	conn->n_notes++;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct truth_conn *conn = user;

	(void)session;
	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		note_settings(conn, &frame->settings);
	if (frame->hd.type == NGHTTP2_GOAWAY)
		truth_fault(conn->box, "GOAWAY to the client, code %u", frame->goaway.error_code);
	return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
	struct truth_conn *conn = user;

	(void)session;
	truth_fault(conn->box, "the client reads an invalid frame of type %u on stream %d: %s",
		    frame->hd.type, frame->hd.stream_id, nghttp2_strerror(error));
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct truth_call *call = truth_find(user, (uint32_t)id);

	(void)session;
	(void)code;
	if (call)
		call->closed = true;
	return 0;
}

static ssize_t pad(nghttp2_session *session, const nghttp2_frame *frame, size_t max, void *user)
{
	struct truth_conn *conn = user;
	size_t len = frame->hd.length;

	(void)session;
	if (rng_chance(&conn->rng, 200))
		len += rng_range32(&conn->rng, 0, 200);
	return (ssize_t)(len < max ? len : max);
}

/* Counts what arrives for a stream, also where the session does not look any more. */
static void count_frames(struct truth_conn *conn)
{
	struct truth_frame f;

	while (truth_walk(conn, WK_S2C, &f)) {
		struct truth_call *call = truth_find(conn, f.id);

		if (call && f.type == HEADERS)
			call->replies++;
		if (call && f.type == RST_STREAM)
			call->resets++;
	}
}

void truth_client_read(struct truth_conn *conn)
{
	const struct pair_end *end = &conn->box->pair[conn->number]->end[WK_C2S];
	uint32_t n = end->rx_len_b - conn->read_b[WK_S2C];
	ssize_t used;

	if (n == 0)
		return;
	count_frames(conn);
	used = nghttp2_session_mem_recv(conn->client, end->rx + conn->read_b[WK_S2C], n);
	if (used != (ssize_t)n)
		truth_fault(conn->box, "the client cannot read on: %s",
			    nghttp2_strerror((int)used));
	conn->read_b[WK_S2C] += n;
}

/* ---- what it writes ---- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
			 uint32_t *flags, nghttp2_data_source *source, void *user)
{
	static const nghttp2_nv mark = { (uint8_t *)"x-end", (uint8_t *)"1", 5, 1, 0 };
	struct truth_call *call = source->ptr;
	struct truth_conn *conn = user;
	size_t n = call->left_b < room ? call->left_b : room;

	if (n > 0 && rng_chance(&conn->rng, 150)) {
		call->paused = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n > 1 && rng_chance(&conn->rng, 500))
		n = rng_range32(&conn->rng, 1, (uint32_t)n);
	memset(buf, 'b', n);
	call->left_b -= (uint32_t)n;
	if (call->left_b > 0)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (call->trailers.n > 0) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, id, &mark, 1);
	}
	return (ssize_t)n;
}

static void begin_call(struct truth_conn *conn)
{
	static const nghttp2_nv marks[] = {
		{ (uint8_t *)":method", (uint8_t *)"POST", 7, 4, 0 },
		{ (uint8_t *)":scheme", (uint8_t *)"http", 7, 4, 0 },
		{ (uint8_t *)":path", (uint8_t *)"/", 5, 1, 0 },
		{ (uint8_t *)":authority", (uint8_t *)"mark", 10, 4, 0 },
	};
	struct truth_call *call = &conn->call[conn->n_calls];
	nghttp2_data_provider body = { { .ptr = call }, read_body };
	int32_t id;

	truth_plan(call, &conn->words, &conn->rng);
	conn->header_b += truth_list_b(&call->request) + truth_list_b(&call->trailers);
	if (rng_chance(&conn->rng, 100)) {
		id = (int32_t)nghttp2_session_get_next_stream_id(conn->client);
		nghttp2_session_set_next_stream_id(
			conn->client, id + 2 * (int32_t)rng_range32(&conn->rng, 1, 40));
	}
	id = nghttp2_submit_request(conn->client, NULL, marks, 4, call->has_body ? &body : NULL,
				    NULL);
	if (id <= 0)
		truth_fault(conn->box, "no stream for a call: %s", nghttp2_strerror(id));
	call->id = (uint32_t)id;
	conn->n_calls++;
}

static void put_priority(struct h2_bytes *to, uint32_t id, struct sim_rng *rng)
{
	uint32_t parent = rng_chance(rng, 300) ? 0 : rng_range32(rng, 0, id + 20);
	uint32_t word = (parent == id ? 0 : parent) | (rng_chance(rng, 300) ? 1u << 31 : 0);
	const uint8_t bytes[5] = { (uint8_t)(word >> 24), (uint8_t)(word >> 16),
				   (uint8_t)(word >> 8), (uint8_t)word,
				   (uint8_t)rng_range32(rng, 0, 255) };

	h2_bytes_add(to, bytes, sizeof(bytes));
}

/* HEADERS and CONTINUATIONs, cut anywhere, the first one padded and with a priority or not. */
static void put_frames(struct truth_conn *conn, uint32_t id, bool end_stream,
		       const struct h2_bytes *block)
{
	uint32_t pad_b = rng_chance(&conn->rng, 150) ? rng_range32(&conn->rng, 0, 255) : 0;
	bool padded = pad_b > 0 || rng_chance(&conn->rng, 50);
	uint32_t more = rng_chance(&conn->rng, 350) ? rng_range32(&conn->rng, 1, CONTINUATIONS) : 0;
	uint8_t flags = end_stream ? 1 : 0, type = HEADERS;
	struct h2_bytes payload = { 0 };
	size_t at = 0, n;

	if (block->n > FRAME_MAX_B - 300 && more < 4)
		more = 4;
	for (uint32_t left = more + 1; left > 0; left--) {
		n = left == 1 ? block->n - at
			      : rng_range32(&conn->rng, 0, (uint32_t)(block->n - at));
		if (left > 1 && block->n > FRAME_MAX_B - 300)
			n = (block->n - at) / left;
		payload.n = 0;
		if (type == HEADERS && padded)
			h2_bytes_add(&payload, &(uint8_t){ (uint8_t)pad_b }, 1);
		if (type == HEADERS && rng_chance(&conn->rng, 150)) {
			flags |= NGHTTP2_FLAG_PRIORITY;
			put_priority(&payload, id, &conn->rng);
		}
		h2_bytes_add(&payload, block->p + at, n);
		if (type == HEADERS && padded) {
			static const uint8_t zeros[255];

			flags |= NGHTTP2_FLAG_PADDED;
			h2_bytes_add(&payload, zeros, pad_b);
		}
		flags |= left == 1 ? NGHTTP2_FLAG_END_HEADERS : 0;
		h2_put(&conn->talk[WK_C2S], type, flags, id, payload.p, payload.n);
		type = CONTINUATION;
		flags = 0;
		at += n;
	}
	h2_bytes_free(&payload);
}

static void expect(struct truth_conn *conn, char kind, uint32_t id, const struct truth_list *list)
{
	truth_put_block(&conn->want, kind, id);
	for (uint32_t i = 0; i < list->n; i++) {
		const struct truth_field *f = &list->field[i];

		truth_put_line(&conn->want, f->name, f->name_b, f->value, f->value_b, f->never);
	}
}

/* In the place of a header block of the session. */
static void write_block(struct truth_conn *conn, uint32_t id, bool end_stream)
{
	struct truth_call *call = truth_find(conn, id);
	const struct truth_list *list = call->sent ? &call->trailers : &call->request;
	struct h2_bytes block = { 0 };

	truth_encode(&conn->enc, list, &conn->rng, &block);
	put_frames(conn, id, end_stream, &block);
	h2_bytes_free(&block);
	if (call->want == TRUTH_ALLOW)
		expect(conn, call->sent ? 'T' : 'H', id, list);
	call->sent = true;
	call->ended = end_stream;
}

static void ack_settings(struct truth_conn *conn)
{
	if (conn->n_notes == 0) {
		truth_fault(conn->box, "the client acknowledges nothing");
		return;
	}
	if (conn->note[0][1] != UINT32_MAX)
		truth_encoder_limit(&conn->enc, conn->note[0][0], conn->note[0][1]);
	conn->n_notes--;
	memmove(conn->note[0], conn->note[1], conn->n_notes * sizeof(conn->note[0]));
}

static void rewrite(struct truth_conn *conn, const uint8_t *p, const struct truth_frame *f)
{
	struct truth_call *call = truth_find(conn, f->id);

	switch (f->type) {
	case HEADERS:
		write_block(conn, f->id, f->flags & NGHTTP2_FLAG_END_STREAM);
		return;
	case CONTINUATION:
		return;
	case SETTINGS:
		if (f->flags & NGHTTP2_FLAG_ACK)
			ack_settings(conn);
		break;
	case DATA:
		if (call && (f->flags & NGHTTP2_FLAG_END_STREAM))
			call->ended = true;
		break;
	case RST_STREAM:
		if (!call || !call->cancelled)
			truth_fault(conn->box, "the client resets stream %u", f->id);
		break;
	case NGHTTP2_GOAWAY:
		truth_fault(conn->box, "the client says GOAWAY");
		break;
	default:
		break;
	}
	h2_bytes_add(&conn->talk[WK_C2S], p, HDR_B + f->len_b);
}

static void parse_head(const uint8_t *p, struct truth_frame *f)
{
	f->len_b = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	f->type = p[3];
	f->flags = p[4];
	f->id = (uint32_t)(p[5] & 0x7f) << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
}

void truth_client_write(struct truth_conn *conn)
{
	struct truth_frame f;
	const uint8_t *p;
	size_t at = 0;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(conn->client, &p)) > 0)
		h2_bytes_add(&conn->raw, p, (size_t)n);
	if (!conn->magic_seen && conn->raw.n >= MAGIC_B) {
		h2_bytes_add(&conn->talk[WK_C2S], conn->raw.p, MAGIC_B);
		conn->magic_seen = true;
		at = MAGIC_B;
	}
	while (conn->raw.n - at >= HDR_B) {
		parse_head(conn->raw.p + at, &f);
		if (conn->raw.n - at < HDR_B + f.len_b)
			break;
		rewrite(conn, conn->raw.p + at, &f);
		at += HDR_B + f.len_b;
	}
	memmove(conn->raw.p, conn->raw.p + at, conn->raw.n - at);
	conn->raw.n -= at;
}

/* ---- what it does ---- */

static struct truth_call *any_call(struct truth_conn *conn)
{
	return conn->n_calls > 0 ? &conn->call[rng_range32(&conn->rng, 0, conn->n_calls - 1)]
				 : NULL;
}

static void resume(struct truth_conn *conn)
{
	for (uint32_t i = 0; i < conn->n_calls; i++) {
		if (!conn->call[i].paused)
			continue;
		conn->call[i].paused = false;
		nghttp2_session_resume_data(conn->client, (int32_t)conn->call[i].id);
	}
}

static void cancel(struct truth_conn *conn)
{
	struct truth_call *call = any_call(conn);

	if (!call || !call->sent || call->closed || call->cancelled)
		return;
	call->cancelled = true;
	nghttp2_submit_rst_stream(conn->client, NGHTTP2_FLAG_NONE, (int32_t)call->id,
				  NGHTTP2_CANCEL);
}

static void change_settings(struct truth_conn *conn)
{
	static const uint32_t tables[] = { 0, 64, 512, 2048, 4096, 8192 };
	static const uint32_t windows[] = { 1000, 65535, 200000 };
	nghttp2_settings_entry iv[3];
	size_t n = 0;

	if (conn->client_settings == TRUTH_SETTINGS)
		return;
	conn->client_settings++;
	for (uint32_t i = rng_range32(&conn->rng, 0, 2); i > 0; i--)
		iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE,
						    tables[rng_range32(&conn->rng, 0, 5)] };
	if (rng_chance(&conn->rng, 400))
		iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
						    windows[rng_range32(&conn->rng, 0, 2)] };
	nghttp2_submit_settings(conn->client, NGHTTP2_FLAG_NONE, iv, n);
}

/* Frames that no session would write: they change nothing, or belong to no stream of the server. */
static void interject(struct truth_conn *conn)
{
	static const uint8_t text[40] = "what nobody knows";
	struct h2_bytes *to = &conn->talk[WK_C2S];
	const struct truth_call *call = any_call(conn);
	struct h2_bytes payload = { 0 };

	if (!conn->magic_seen || conn->whims[WK_C2S]++ >= TRUTH_WHIMS)
		return;
	switch (rng_range32(&conn->rng, 0, 4)) {
	case 0:
		h2_put(to, PING, 0, 0, "pingpong", 8);
		break;
	case 1:
		h2_put(to, 0xfa, (uint8_t)rng_next(&conn->rng), 0, text,
		       rng_range32(&conn->rng, 0, sizeof(text)));
		break;
	case 2:
		/* A server may hear of a stream's priority before it hears of the stream. */
		if (!call || (!call->sent && call->want != TRUTH_ALLOW))
			break;
		put_priority(&payload, call->id, &conn->rng);
		h2_put(to, PRIORITY, 0, call->id, payload.p, payload.n);
		break;
	default:
		if (!call || !call->sent || call->want == TRUTH_ALLOW)
			break;
		if (rng_chance(&conn->rng, 500))
			h2_put(to, WINDOW_UPDATE, 0, call->id, "\0\0\0\7", 4);
		else
			h2_put(to, 0xfb, 0, call->id, text, sizeof(text));
		break;
	}
	h2_bytes_free(&payload);
}

void truth_client_act(struct truth_conn *conn)
{
	uint32_t dice = rng_range32(&conn->rng, 0, 99);

	if (dice < 60) {
		if (conn->n_calls < conn->style.calls && conn->header_b < HEADER_BUDGET)
			begin_call(conn);
		else
			conn->style.calls = conn->n_calls;
	} else if (dice < 75) {
		resume(conn);
	} else if (dice < 80) {
		cancel(conn);
	} else if (dice < 84) {
		change_settings(conn);
	} else {
		interject(conn);
	}
}

void truth_client_init(struct truth_conn *conn)
{
	nghttp2_session_callbacks *cb;

	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_select_padding_callback(cb, pad);
	nghttp2_session_client_new(&conn->client, cb, conn);
	nghttp2_session_callbacks_del(cb);
	truth_encoder_init(&conn->enc);
	change_settings(conn);
}
