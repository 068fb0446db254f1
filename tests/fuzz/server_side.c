/* SPDX-License-Identifier: Apache-2.0 */
/* The server: a session of libnghttp2, which says what it reads. */
#include "server_side.h"

#include <stdio.h>
#include <string.h>

#include "must.h"

/* The first one counts. */
static void fail(struct server_side *server, const nghttp2_frame *frame, int error, const char *why)
{
	if (server->fault)
		return;
	server->fault = why;
	server->fault_error = error;
	server->fault_id = frame ? (uint32_t)frame->hd.stream_id : 0;
	server->fault_type = frame ? frame->hd.type : UINT8_MAX;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)session;
	block_begin(&((struct server_side *)user)->got, (uint32_t)frame->hd.stream_id,
		    frame->headers.cat == NGHTTP2_HCAT_REQUEST);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_b, const uint8_t *value, size_t value_b, uint8_t flags, void *user)
{
	const nghttp2_nv nv = { (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, name_b,
				value_b, flags };

	(void)session;
	(void)frame;
	block_field(&((struct server_side *)user)->got, &nv);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server_side *server = user;

	(void)session;
	server->told_off = server->told_off || frame->hd.type == NGHTTP2_GOAWAY;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	block_end(&server->got);
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && server->n_open < BLOCKS_MAX)
		server->open[server->n_open++] = (uint32_t)frame->hd.stream_id;
	return 0;
}

static void turned_away(struct server_side *server, uint32_t id)
{
	if (server->n_reset < BLOCKS_MAX)
		server->reset[server->n_reset++] = id;
}

/* What the library alone refuses, and only on its stream: a request that names no host, which gRPC
 * servers answer, and fields of trailers, by which nothing has been judged. */
static bool is_particular(const struct server_side *server, const nghttp2_frame *frame, int error)
{
	const struct block_list *got = &server->got;
	const uint8_t *p = got->text.p ? got->text.p + got->block[got->n].from : NULL;
	size_t n = got->text.n - got->block[got->n].from;

	if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_HTTP_MESSAGING)
		return false;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return true;
	return p && !memmem(p, n, "\t:authority: ", 13) && !memmem(p, n, "\thost: ", 7);
}

/* Settings of extensions, which are the server's business (RFC 8441, RFC 9218). */
static bool has_extension(const nghttp2_frame *frame)
{
	for (size_t i = 0; frame->hd.type == NGHTTP2_SETTINGS && i < frame->settings.niv; i++)
		if (frame->settings.iv[i].settings_id > NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE)
			return true;
	return false;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
	struct server_side *server = user;

	(void)session;
	if (error == NGHTTP2_ERR_REFUSED_STREAM || is_particular(server, frame, error))
		turned_away(server, (uint32_t)frame->hd.stream_id);
	else if (has_extension(frame))
		fail(server, frame, SERVER_EXTENSION, nghttp2_strerror(error));
	else
		fail(server, frame, error, nghttp2_strerror(error));
	return 0;
}

/* A field that the library would leave out of the request, or refuse the request for. Of "-bin"
 * fields, gRPC servers take any byte. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
			     const uint8_t *name, size_t name_b, const uint8_t *value,
			     size_t value_b, uint8_t flags, void *user)
{
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return on_header(session, frame, name, name_b, value, value_b, flags, user);
	if (name_b < 5 || memcmp(name + name_b - 4, "-bin", 4) != 0)
		fail(user, frame, 0, "an invalid field");
	return on_header(session, frame, name, name_b, value, value_b, flags, user);
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server_side *server = user;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != 0)
		fail(server, frame, (int)frame->goaway.error_code, "GOAWAY");
	if (frame->hd.type == NGHTTP2_RST_STREAM &&
	    !server_has_reset(server, (uint32_t)frame->hd.stream_id))
		fail(server, frame, 0, "RST_STREAM");
	return 0;
}

void server_init(struct server_side *server)
{
	nghttp2_session_callbacks *cb;

	memset(server, 0, sizeof(*server));
	must(nghttp2_session_callbacks_new(&cb) == 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	must(nghttp2_session_server_new(&server->session, cb, server) == 0);
	nghttp2_session_callbacks_del(cb);
}

void server_fini(struct server_side *server)
{
	nghttp2_session_del(server->session);
	block_list_fini(&server->got);
	h2_bytes_free(&server->announced);
}

void server_read(struct server_side *server, const uint8_t *bytes, uint32_t n)
{
	ssize_t used;

	if (n == server->read_b)
		return;
	used = nghttp2_session_mem_recv(server->session, bytes + server->read_b,
					n - server->read_b);
	if (used != (ssize_t)(n - server->read_b))
		fail(server, NULL, (int)used,
		     used < 0 ? nghttp2_strerror((int)used) : "reads no further");
	server->read_b = n;
}

void server_write(struct server_side *server, struct h2_bytes *to)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(server->session, &p)) > 0)
		h2_bytes_add(to, p, (size_t)n);
}

static uint32_t take_open(struct server_side *server, uint8_t which)
{
	uint32_t i = which % server->n_open, id = server->open[i];

	server->open[i] = server->open[--server->n_open];
	return id;
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
			   uint32_t *flags, nghttp2_data_source *source, void *user)
{
	static const nghttp2_nv trailer = { (uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, 0 };

	(void)source;
	(void)user;
	memset(buf, 'a', room < 30 ? room : 30);
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	nghttp2_submit_trailer(session, id, &trailer, 1);
	return room < 30 ? (ssize_t)room : 30;
}

void server_answer(struct server_side *server, uint8_t which, bool whole)
{
	static const nghttp2_nv answer[] = {
		{ (uint8_t *)":status", (uint8_t *)"200", 7, 3, 0 },
		{ (uint8_t *)"content-type", (uint8_t *)"application/grpc", 12, 16, 0 },
		{ (uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, 0 },
	};
	nghttp2_data_provider body = { .read_callback = read_answer };

	if (server->n_open > 0)
		nghttp2_submit_response(server->session, (int32_t)take_open(server, which), answer,
					whole ? 3 : 2, whole ? NULL : &body);
}

void server_reset(struct server_side *server, uint8_t which)
{
	uint32_t id;

	if (server->n_open == 0)
		return;
	id = take_open(server, which);
	turned_away(server, id);
	nghttp2_submit_rst_stream(server->session, NGHTTP2_FLAG_NONE, (int32_t)id,
				  which & 0x80 ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
}

void server_settings(struct server_side *server, uint8_t what)
{
	static const uint32_t tables[] = { 0, 64, 200, 512, 4096, 8192, 65536, 1 };
	nghttp2_settings_entry iv[3] = { { 0, 0 } };
	char text[64] = "";
	size_t n = 0, len = 0;

	for (uint32_t i = 0; i < (what >> 6 & 3u) && n < 2; i++)
		iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE,
						    tables[(what + 3 * i) % 8] };
	if (what & 0x20)
		iv[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
						    1 + (what >> 3 & 3u) };
	nghttp2_submit_settings(server->session, NGHTTP2_FLAG_NONE, iv, n);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%d %u ", iv[i].settings_id,
					iv[i].value);
	h2_bytes_add(&server->announced, text, len);
	h2_bytes_add(&server->announced, "\n", 1);
}

bool server_has_reset(const struct server_side *server, uint32_t id)
{
	for (uint32_t i = 0; i < server->n_reset; i++)
		if (server->reset[i] == id)
			return true;
	return false;
}
