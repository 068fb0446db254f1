/* SPDX-License-Identifier: Apache-2.0 */
#include "h2_truth.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

struct h2_truth_stream *h2_truth_find(struct h2_truth *truth, uint32_t id)
{
	for (uint32_t i = 0; i < truth->n; i++)
		if (truth->stream[i].id == id)
			return &truth->stream[i];
	return NULL;
}

static struct h2_truth_stream *get(struct h2_truth *truth, int32_t id)
{
	struct h2_truth_stream *stream = h2_truth_find(truth, (uint32_t)id);

	if (stream)
		return stream;
	assert(truth->n < H2_TRUTH_STREAMS);
	stream = &truth->stream[truth->n++];
	memset(stream, 0, sizeof(*stream));
	stream->id = (uint32_t)id;
	return stream;
}

static void append(struct h2_truth_stream *stream, const void *p, size_t n)
{
	size_t at = strlen(stream->fields);

	if (at + n >= sizeof(stream->fields))
		n = sizeof(stream->fields) - 1 - at;
	memcpy(stream->fields + at, p, n);
	stream->fields[at + n] = '\0';
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2_truth_stream *stream = get(user, frame->hd.stream_id);

	(void)session;
	if (stream->blocks++ > 0)
		append(stream, "--\n", 3);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_b, const uint8_t *value, size_t value_b, uint8_t flags, void *user)
{
	struct h2_truth_stream *stream = get(user, frame->hd.stream_id);

	(void)session;
	if (flags & NGHTTP2_NV_FLAG_NO_INDEX)
		append(stream, "!", 1);
	append(stream, name, name_b);
	append(stream, ": ", 2);
	append(stream, value, value_b);
	append(stream, "\n", 1);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t len, void *user)
{
	(void)session;
	(void)flags;
	(void)data;
	get(user, id)->data_b += len;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	static const nghttp2_nv answer[] = {
		{ (uint8_t *)":status", (uint8_t *)"200", 7, 3, 0 },
		{ (uint8_t *)"content-type", (uint8_t *)"application/grpc", 12, 16, 0 },
		{ (uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, 0 },
	};
	struct h2_truth *truth = user;

	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		get(truth, frame->hd.stream_id)->requests++;
	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	get(truth, frame->hd.stream_id)->ended = true;
	if (nghttp2_session_check_server_session(session) && !truth->silent)
		nghttp2_submit_response(session, frame->hd.stream_id, answer, 3, NULL);
	return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
	(void)session;
	(void)frame;
	(void)error;
	((struct h2_truth *)user)->broken = true;
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2_truth *truth = user;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		truth->broken = true;
	if (frame->hd.type == NGHTTP2_GOAWAY &&
	    frame->goaway.error_code == NGHTTP2_COMPRESSION_ERROR)
		truth->hpack_broken = true;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		truth->rst_sent++;
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct h2_truth_stream *stream = get(user, id);

	(void)session;
	stream->closed = true;
	stream->close_code = code;
	return 0;
}

static nghttp2_session_callbacks *callbacks(void)
{
	nghttp2_session_callbacks *cb;

	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	return cb;
}

void h2_truth_server(struct h2_truth *truth, const nghttp2_settings_entry *settings, size_t n)
{
	nghttp2_session_callbacks *cb = callbacks();

	memset(truth, 0, offsetof(struct h2_truth, stream));
	nghttp2_session_server_new(&truth->session, cb, truth);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(truth->session, NGHTTP2_FLAG_NONE, settings, n);
}

void h2_truth_client(struct h2_truth *truth, const nghttp2_settings_entry *settings, size_t n)
{
	nghttp2_session_callbacks *cb = callbacks();

	memset(truth, 0, offsetof(struct h2_truth, stream));
	nghttp2_session_client_new(&truth->session, cb, truth);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(truth->session, NGHTTP2_FLAG_NONE, settings, n);
}

void h2_truth_fini(struct h2_truth *truth)
{
	nghttp2_session_del(truth->session);
}

void h2_truth_recv(struct h2_truth *truth, const void *p, size_t n)
{
	ssize_t used = n > 0 ? nghttp2_session_mem_recv(truth->session, p, n) : 0;

	if (used != (ssize_t)n)
		truth->broken = true;
}

void h2_truth_send(struct h2_truth *truth, struct h2_bytes *to)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(truth->session, &p)) > 0)
		h2_bytes_add(to, p, (size_t)n);
	if (n < 0)
		truth->broken = true;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
			 uint32_t *flags, nghttp2_data_source *source, void *user)
{
	intptr_t left = (intptr_t)source->ptr;
	size_t n = (size_t)left < room ? (size_t)left : room;

	(void)session;
	(void)id;
	(void)user;
	memset(buf, 'b', n);
	left -= (intptr_t)n;
	source->ptr = (void *)left;
	if (left == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static ssize_t read_never(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
			  uint32_t *flags, nghttp2_data_source *source, void *user)
{
	(void)session;
	(void)id;
	(void)buf;
	(void)room;
	(void)flags;
	(void)source;
	(void)user;
	return NGHTTP2_ERR_DEFERRED;
}

uint32_t h2_truth_call(struct h2_truth *truth, const char *path, int64_t body_b)
{
	const nghttp2_nv fields[] = {
		{ (uint8_t *)":method", (uint8_t *)"POST", 7, 4, 0 },
		{ (uint8_t *)":scheme", (uint8_t *)"http", 7, 4, 0 },
		{ (uint8_t *)":path", (uint8_t *)path, 5, strlen(path), 0 },
		{ (uint8_t *)":authority", (uint8_t *)"attack.example", 10, 14, 0 },
		{ (uint8_t *)"content-type", (uint8_t *)"application/grpc", 12, 16, 0 },
		{ (uint8_t *)"te", (uint8_t *)"trailers", 2, 8, 0 },
		{ (uint8_t *)"x-note", (uint8_t *)path, 6, strlen(path), 0 },
		{ (uint8_t *)"authorization", (uint8_t *)"secret", 13, 6, 0 },
	};
	nghttp2_data_provider body = { .read_callback = body_b < 0 ? read_never : read_body };
	int32_t id;

	body.source.ptr = (void *)(intptr_t)(body_b < 0 ? 0 : body_b);
	id = nghttp2_submit_request(truth->session, NULL, fields, 8, &body, NULL);
	assert(id > 0);
	return (uint32_t)id;
}

bool h2_truth_says(struct h2_truth *truth, uint32_t id, const char *line)
{
	const struct h2_truth_stream *stream = h2_truth_find(truth, id);

	return stream && strstr(stream->fields, line) != NULL;
}

void h2_truth_run(struct h2_truth *client, struct h2_truth *server, struct h2_kit *kit)
{
	struct h2_bytes said = { 0 };
	size_t moved;

	do {
		h2_truth_send(client, &said);
		h2_kit_send(kit, WK_C2S, said.p, said.n);
		h2_truth_recv(server, kit->out[WK_C2S].p, kit->out[WK_C2S].n);
		kit->out[WK_C2S].n = 0;
		moved = said.n;
		said.n = 0;
		h2_truth_send(server, &said);
		h2_kit_send(kit, WK_S2C, said.p, said.n);
		h2_truth_recv(client, kit->out[WK_S2C].p, kit->out[WK_S2C].n);
		moved += said.n + kit->out[WK_S2C].n;
		kit->out[WK_S2C].n = 0;
		said.n = 0;
	} while (moved > 0 && !kit->ended);
	h2_bytes_free(&said);
}
