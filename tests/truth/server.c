/* SPDX-License-Identifier: Apache-2.0 */
/* The server of a connection: libnghttp2 reads what the inspector lets through. */
#include <stdio.h>
#include <string.h>

#include "conn.h"

#define HDR_B      9u
#define FIELDS_MAX 12u
#define COUNT(a)   ((uint32_t)(sizeof(a) / sizeof((a)[0])))

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct truth_conn *conn = user;
	bool request = frame->headers.cat == NGHTTP2_HCAT_REQUEST;

	(void)session;
	truth_put_block(&conn->got, request ? 'H' : 'T', (uint32_t)frame->hd.stream_id);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_b, const uint8_t *value, size_t value_b, uint8_t flags, void *user)
{
	struct truth_conn *conn = user;

	(void)session;
	(void)frame;
	truth_put_line(&conn->got, name, name_b, value, value_b, flags & NGHTTP2_NV_FLAG_NO_INDEX);
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
		call->read_b += (uint32_t)len;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct truth_conn *conn = user;
	struct truth_call *call;

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	call = truth_find(conn, (uint32_t)frame->hd.stream_id);
	if (!call || call->want != TRUTH_ALLOW)
		truth_fault(conn->box, "the server gets a call on stream %d", frame->hd.stream_id);
	else
		call->seen = true;
	return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
	struct truth_conn *conn = user;
	struct truth_call *call = truth_find(conn, (uint32_t)frame->hd.stream_id);

	(void)session;
	if (error == NGHTTP2_ERR_REFUSED_STREAM && call && call->want == TRUTH_ALLOW) {
		call->reset = call->turned_away = true;
		return 0;
	}
	truth_fault(conn->box, "the server reads an invalid frame of type %u on stream %d: %s",
		    frame->hd.type, frame->hd.stream_id, nghttp2_strerror(error));
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct truth_conn *conn = user;
	const struct truth_call *call;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		truth_fault(conn->box, "the server says GOAWAY, code %u, %.*s",
			    frame->goaway.error_code, (int)frame->goaway.opaque_data_len,
			    (const char *)frame->goaway.opaque_data);
	if (frame->hd.type != NGHTTP2_RST_STREAM)
		return 0;
	call = truth_find(conn, (uint32_t)frame->hd.stream_id);
	if (!call || !call->reset)
		truth_fault(conn->box, "the server resets stream %d, code %u", frame->hd.stream_id,
			    frame->rst_stream.error_code);
	return 0;
}

/* No frame of a stream that it must not know, whatever its type. @return where the last whole frame
 * ends. */
static uint32_t check_frames(struct truth_conn *conn, uint32_t len_b)
{
	struct truth_frame f;

	while (truth_walk(conn, WK_C2S, &f)) {
		const struct truth_call *call = truth_find(conn, f.id);

		if (call && call->want != TRUTH_ALLOW && call->sent)
			truth_fault(conn->box, "a frame of type %u on stream %u gets through",
				    f.type, f.id);
		conn->frame_b = conn->walked_b[WK_C2S] - HDR_B - f.len_b;
	}
	return conn->walked_b[WK_C2S] <= len_b ? conn->walked_b[WK_C2S] : conn->frame_b;
}

/* Shows the session whole frames: it counts a CONTINUATION as many times as its header has pieces,
 * and ends the connection at the ninth of one block. */
void truth_server_read(struct truth_conn *conn)
{
	const struct pair_end *end = &conn->box->pair[conn->number]->end[WK_S2C];
	uint32_t whole_b = check_frames(conn, end->rx_len_b);
	uint32_t n = whole_b - conn->read_b[WK_C2S];
	ssize_t used;

	if (whole_b <= conn->read_b[WK_C2S])
		return;
	used = nghttp2_session_mem_recv(conn->server, end->rx + conn->read_b[WK_C2S], n);
	if (used != (ssize_t)n)
		truth_fault(conn->box, "the server cannot read on: %s",
			    nghttp2_strerror((int)used));
	conn->read_b[WK_C2S] = whole_b;
}

void truth_server_write(struct truth_conn *conn)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(conn->server, &p)) > 0)
		h2_bytes_add(&conn->talk[WK_S2C], p, (size_t)n);
}

/* ---- answers ---- */

/* @return how many fields. What is said is hashed. */
static size_t make_fields(struct truth_conn *conn, struct truth_call *call, nghttp2_nv *nv,
			  bool first, bool last)
{
	static const char *const names[] = { "server", "x-answer-a", "x-answer-b", "date", "etag" };
	size_t n = 0;

	if (first) {
		nv[n++] = (nghttp2_nv){ (uint8_t *)":status", (uint8_t *)"200", 7, 3, 0 };
		nv[n++] = (nghttp2_nv){ (uint8_t *)"content-type", (uint8_t *)"application/grpc",
					12, 16, 0 };
	}
	if (last)
		nv[n++] = (nghttp2_nv){ (uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, 0 };
	for (uint32_t i = rng_range32(&conn->rng, 0, 4); i > 0; i--) {
		const char *name = names[rng_range32(&conn->rng, 0, COUNT(names) - 1)];
		uint32_t word = rng_range32(&conn->rng, 0, TRUTH_WORDS - 1);

		nv[n++] = (nghttp2_nv){ (uint8_t *)name, (uint8_t *)conn->words.value[word],
					strlen(name), conn->words.value_b[word], 0 };
	}
	for (size_t i = 0; i < n; i++)
		call->said_hash = truth_hash(call->said_hash, nv[i].name, nv[i].namelen,
					     nv[i].value, nv[i].valuelen);
	return n;
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
			   uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct truth_call *call = source->ptr;
	size_t n = call->answer_left_b < room ? call->answer_left_b : room;
	nghttp2_nv nv[FIELDS_MAX];

	memset(buf, 'a', n);
	call->answer_left_b -= (uint32_t)n;
	if (call->answer_left_b > 0)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	nghttp2_submit_trailer(session, id, nv, make_fields(user, call, nv, false, true));
	return (ssize_t)n;
}

static void answer(struct truth_conn *conn, struct truth_call *call)
{
	nghttp2_data_provider body = { { .ptr = call }, read_answer };
	bool whole = rng_chance(&conn->rng, 300);
	nghttp2_nv nv[FIELDS_MAX];
	size_t n;

	call->answered = true;
	if (whole)
		call->answer_b = 0;
	call->answer_left_b = call->answer_b;
	n = make_fields(conn, call, nv, true, whole);
	nghttp2_submit_response(conn->server, (int32_t)call->id, nv, n, whole ? NULL : &body);
}

static void answer_one(struct truth_conn *conn)
{
	uint32_t n = 0;
	struct truth_call *chosen = NULL;

	for (uint32_t i = 0; i < conn->n_calls; i++) {
		struct truth_call *call = &conn->call[i];

		if (call->seen && !call->answered && !call->reset &&
		    rng_range32(&conn->rng, 0, n++) == 0)
			chosen = call;
	}
	if (!chosen)
		return;
	if (rng_chance(&conn->rng, 960)) {
		answer(conn, chosen);
		return;
	}
	chosen->reset = true;
	nghttp2_submit_rst_stream(conn->server, NGHTTP2_FLAG_NONE, (int32_t)chosen->id,
				  rng_chance(&conn->rng, 500) ? NGHTTP2_NO_ERROR
							      : NGHTTP2_INTERNAL_ERROR);
}

static void change_settings(struct truth_conn *conn)
{
	static const uint32_t tables[] = { 0, 64, 200, 512, 2048, 4096, 8192, 65536 };
	static const uint32_t windows[] = { 500, 65535, 200000 };
	nghttp2_settings_entry iv[5];
	size_t n = 0;

	if (conn->server_settings == TRUTH_SETTINGS)
		return;
	for (uint32_t i = rng_range32(&conn->rng, 0, 2); i > 0; i--)
		iv[n++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_HEADER_TABLE_SIZE,
			tables[rng_range32(&conn->rng, 0, COUNT(tables) - 1)]
		};
	if (rng_chance(&conn->rng, 200))
		iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
						    rng_range32(&conn->rng, 1, 30) };
	if (rng_chance(&conn->rng, 200))
		iv[n++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
			windows[rng_range32(&conn->rng, 0, COUNT(windows) - 1)]
		};
	if (rng_chance(&conn->rng, 200))
		iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 65536 };
	conn->server_settings++;
	for (size_t i = 0; i < n; i++) {
		char text[40];
		int len = snprintf(text, sizeof(text), "%d %u ", iv[i].settings_id, iv[i].value);

		h2_bytes_add(&conn->announced, text, (size_t)len);
	}
	h2_bytes_add(&conn->announced, "\n", 1);
	nghttp2_submit_settings(conn->server, NGHTTP2_FLAG_NONE, iv, n);
}

void truth_server_act(struct truth_conn *conn)
{
	uint32_t dice = rng_range32(&conn->rng, 0, 99);

	if (dice < 90)
		answer_one(conn);
	else if (dice < 94)
		change_settings(conn);
	else if (conn->whims[WK_S2C]++ < TRUTH_WHIMS)
		nghttp2_submit_ping(conn->server, NGHTTP2_FLAG_NONE, NULL);
}

void truth_server_init(struct truth_conn *conn)
{
	nghttp2_session_callbacks *cb;

	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_server_new(&conn->server, cb, conn);
	nghttp2_session_callbacks_del(cb);
	change_settings(conn);
}
