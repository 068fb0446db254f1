/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection ends, and what the client is told. */
#include <string.h>

#include "h2_priv.h"

#define ERROR_KEY(sym, key, text)  [WK_H2_E_##sym] = #key,
#define ERROR_TEXT(sym, key, text) [WK_H2_E_##sym] = text,
static const char *const keys[] = { WK_H2_ERRORS(ERROR_KEY) };
static const char *const texts[] = { WK_H2_ERRORS(ERROR_TEXT) };

const char *wk_h2_error_key(enum wk_h2_error error)
{
	return (unsigned int)error < WK_H2_E_MAX ? keys[error] : "unknown";
}

const char *wk_h2_error_text(enum wk_h2_error error)
{
	return (unsigned int)error < WK_H2_E_MAX ? texts[error] : "unknown";
}

static const char http1_403[] = "HTTP/1.1 403 Forbidden\r\n"
				"Connection: close\r\n"
				"Content-Length: 0\r\n"
				"\r\n";

static enum wk_h2_code code_of(enum wk_h2_error error)
{
	switch (error) {
	case WK_H2_E_FRAME_SIZE:
		return WK_H2_FRAME_SIZE_ERROR;
	case WK_H2_E_FLOW_CONTROL:
		return WK_H2_FLOW_CONTROL_ERROR;
	case WK_H2_E_STREAM_CLOSED:
		return WK_H2_STREAM_CLOSED;
	case WK_H2_E_HPACK:
		return WK_H2_COMPRESSION_ERROR;
	case WK_H2_E_BLOCK_CAP:
	case WK_H2_E_CONTINUATION_CAP:
	case WK_H2_E_FLOOD:
	case WK_H2_E_QUEUE_CAP:
	case WK_H2_E_HOLD_TIME:
		return WK_H2_ENHANCE_YOUR_CALM;
	case WK_H2_E_MEMORY:
	case WK_H2_E_SERVER:
	case WK_H2_E_TABLE_CAP:
		return WK_H2_INTERNAL_ERROR;
	default:
		return WK_H2_PROTOCOL_ERROR;
	}
}

static enum wk_counter counter_of(enum wk_h2_error error)
{
	switch (error) {
	case WK_H2_E_HPACK:
		return WK_CNT_HPACK_ERRORS;
	case WK_H2_E_BLOCK_CAP:
	case WK_H2_E_CONTINUATION_CAP:
	case WK_H2_E_FLOOD:
	case WK_H2_E_QUEUE_CAP:
	case WK_H2_E_HOLD_TIME:
	case WK_H2_E_TABLE_CAP:
	case WK_H2_E_MEMORY:
		return WK_CNT_H2_CAPS;
	default:
		return WK_CNT_H2_ERRORS;
	}
}

enum h2_step h2_fail(struct h2_cut *cut, enum wk_h2_error error)
{
	cut->conn->error = error;
	if (error == WK_H2_E_HOLD_TIME)
		wk_count(cut->env->stats, WK_CNT_HDR_TIMEOUT, 1);
	if (error != WK_H2_E_POLICY)
		wk_count(cut->env->stats, counter_of(error), 1);
	return H2_FAIL;
}

enum wk_h2_error wk_h2_error(const struct wk_h2_conn *conn)
{
	return conn->error;
}

uint32_t wk_h2_farewell(const struct wk_h2_conn *conn, uint8_t *buf, uint32_t room_b)
{
	const uint32_t goaway_b = H2_FRAME_HDR_B + 8;
	uint8_t *p;

	switch (conn->error) {
	case WK_H2_E_OK:
	case WK_H2_E_POLICY:
	case WK_H2_E_NOT_H2:
	case WK_H2_E_NOT_H2_TLS:
		return 0;
	case WK_H2_E_NOT_H2_HTTP1:
		if (room_b < sizeof(http1_403) - 1)
			return 0;
		memcpy(buf, http1_403, sizeof(http1_403) - 1);
		return sizeof(http1_403) - 1;
	default:
		break;
	}
	/* The server's SETTINGS come first, and a frame or header block is never cut in two. */
	if (!conn->settings_passed || conn->in_block || conn->left_b > 0 || room_b < goaway_b)
		return 0;
	p = h2_put_frame(buf, 8, H2_GOAWAY, 0, 0);
	h2_put32(p, conn->forwarded_id);
	h2_put32(p + 4, code_of(conn->error));
	return goaway_b;
}
