/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to the client: replies to denied calls, RST_STREAM, connection-window credit. It
 * waits here until it can be inserted. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "h2_priv.h"

#define REPLY_MAX_B      256u
#define RST_B            (H2_FRAME_HDR_B + 4)
#define WINDOW_UPDATE_B  (H2_FRAME_HDR_B + 4)
#define REWARD_PER_REPLY 2u /* clients answer a reply with RST_STREAM or WINDOW_UPDATE */

/* Percent-encodes as gRPC does (space to tilde but '%' stay), cut at whole characters.
 * @return bytes written, at most WK_H2_MESSAGE_MAX_B. */
static uint32_t encode_message(const char *text, char out[WK_H2_MESSAGE_MAX_B])
{
	static const char hex[] = "0123456789ABCDEF";
	uint32_t n = 0;

	for (const char *p = text; p < text + WK_H2_MESSAGE_MAX_B && *p; p++) {
		unsigned char c = (unsigned char)*p;
		bool plain = c >= ' ' && c <= '~' && c != '%';

		if (n + (plain ? 1 : 3) > WK_H2_MESSAGE_MAX_B)
			break;
		if (plain) {
			out[n++] = (char)c;
		} else {
			out[n++] = '%';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 0xf];
		}
	}
	return n;
}

static struct h2_answer *new_answer(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				    uint32_t id, uint32_t message_b, enum wk_h2_error *error)
{
	struct h2_answer *answer;

	*error = WK_H2_E_OK;
	/* After the server's GOAWAY the client already counts it as not processed. */
	if (id > conn->goaway_last)
		return NULL;
	*error = WK_H2_E_QUEUE_CAP;
	if (conn->n_answers >= env->limits->pending)
		return NULL;
	*error = WK_H2_E_MEMORY;
	answer = wk_mem_alloc(env->mem, sizeof(*answer) + message_b);
	if (!answer)
		return NULL;
	*error = WK_H2_E_OK;
	memset(answer, 0, sizeof(*answer));
	answer->id = id;
	STAILQ_INSERT_TAIL(&conn->answers, answer, next);
	conn->n_answers++;
	return answer;
}

static bool is_grpc(const struct wk_h2_str *type)
{
	static const char grpc[] = "application/grpc";

	return type->s && type->len_b >= sizeof(grpc) - 1 &&
	       strncasecmp(type->s, grpc, sizeof(grpc) - 1) == 0;
}

enum wk_h2_error h2_answer_deny(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				const struct wk_h2_request *request,
				const struct wk_h2_decision *decision)
{
	char message[WK_H2_MESSAGE_MAX_B];
	uint32_t len_b = encode_message(decision->message, message);
	enum wk_h2_error error;
	struct h2_answer *answer = new_answer(conn, env, request->stream_id, len_b, &error);

	if (!answer)
		return error;
	answer->bare = !is_grpc(&request->content_type);
	answer->client_ended = request->end_stream;
	answer->reply = (uint8_t)decision->reply;
	answer->grpc_status = decision->grpc_status;
	answer->message_len_b = (uint8_t)len_b;
	memcpy(answer->message, message, len_b);
	return WK_H2_E_OK;
}

enum wk_h2_error h2_answer_revoke(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				  const struct h2_stream *stream,
				  const struct wk_h2_decision *decision)
{
	char message[WK_H2_MESSAGE_MAX_B];
	uint32_t len_b = encode_message(decision->message, message);
	enum wk_h2_error error;
	struct h2_answer *answer = new_answer(conn, env, stream->id, len_b, &error);

	if (!answer)
		return error;
	STAILQ_REMOVE(&conn->answers, answer, h2_answer, next);
	STAILQ_INSERT_TAIL(&conn->revoked, answer, next);
	answer->revoked = true;
	answer->trailers = stream->answered;
	answer->client_ended = stream->client_ended;
	answer->reply = WK_H2_REPLY_GRPC;
	answer->grpc_status = decision->grpc_status;
	answer->message_len_b = (uint8_t)len_b;
	memcpy(answer->message, message, len_b);
	return WK_H2_E_OK;
}

enum wk_h2_error h2_answer_rst(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint32_t id,
			       enum wk_h2_code code)
{
	enum wk_h2_error error;
	struct h2_answer *answer = new_answer(conn, env, id, 0, &error);

	if (!answer)
		return error;
	answer->rst_only = true;
	answer->code = (uint8_t)code;
	return WK_H2_E_OK;
}

void h2_answer_drop(struct wk_h2_conn *conn, struct wk_mem *mem, struct h2_answers *list,
		    struct h2_answer *answer)
{
	STAILQ_REMOVE(list, answer, h2_answer, next);
	conn->n_answers--;
	wk_mem_free(mem, answer);
}

struct h2_answer *h2_answer_find(const struct wk_h2_conn *conn, uint32_t id)
{
	struct h2_answer *answer;

	STAILQ_FOREACH(answer, &conn->answers, next)
	if (answer->id == id)
		return answer;
	return h2_revoked_find(conn, id);
}

/* The stream is over for the client: it wants no answer any more. The server may still have to be
 * told. */
void h2_answers_forget(struct wk_h2_conn *conn, struct wk_mem *mem, uint32_t id)
{
	struct h2_answer *answer = h2_answer_find(conn, id);

	if (answer && h2_revoked_find(conn, id) == answer)
		answer->mute = true;
	else if (answer)
		h2_answer_drop(conn, mem, &conn->answers, answer);
}

static void drop_above(struct wk_h2_conn *conn, struct wk_mem *mem, struct h2_answers *list,
		       uint32_t last)
{
	struct h2_answer *answer = STAILQ_FIRST(list);

	while (answer) {
		struct h2_answer *next = STAILQ_NEXT(answer, next);

		if (answer->id > last)
			h2_answer_drop(conn, mem, list, answer);
		answer = next;
	}
}

void h2_answers_above(struct wk_h2_conn *conn, struct wk_mem *mem, uint32_t last)
{
	drop_above(conn, mem, &conn->answers, last);
	drop_above(conn, mem, &conn->revoked, last);
}

void h2_answers_ended(struct wk_h2_conn *conn, uint32_t id)
{
	struct h2_answer *answer = h2_answer_find(conn, id);

	if (answer)
		answer->client_ended = true;
}

static uint8_t *put_int(uint8_t *p, uint8_t pattern, unsigned int bits, uint32_t value)
{
	uint32_t max = (1u << bits) - 1;

	if (value < max) {
		*p++ = (uint8_t)(pattern | value);
		return p;
	}
	*p++ = (uint8_t)(pattern | max);
	for (value -= max; value > 0x7f; value >>= 7)
		*p++ = (uint8_t)(0x80 | (value & 0x7f));
	*p++ = (uint8_t)value;
	return p;
}

static uint8_t *put_string(uint8_t *p, const char *s, size_t len_b)
{
	p = put_int(p, 0, 7, (uint32_t)len_b);
	memcpy(p, s, len_b);
	return p + len_b;
}

/* What only the first header block of a response has. */
static uint8_t *put_head(const struct h2_answer *answer, uint8_t *p)
{
	if (!answer->bare && answer->reply == WK_H2_REPLY_GRPC) {
		*p++ = 0x88; /* :status 200 */
	} else {
		p = put_int(p, 0x00, 4, 8); /* :status */
		p = put_string(p, "403", 3);
	}
	if (answer->bare)
		return p;
	p = put_int(p, 0x00, 4, 31); /* content-type */
	return put_string(p, "application/grpc", 16);
}

/* Static-table and literal fields only: the client's decoder table stays as the server thinks. */
static uint8_t *put_block(const struct wk_h2_conn *conn, const struct h2_answer *answer, uint8_t *p)
{
	char status[4];
	int status_b;

	if (conn->reply_update_due) {
		p = put_int(p, 0x20, 5, conn->reply_update_min_b);
		if (conn->reply_table_b > conn->reply_update_min_b)
			p = put_int(p, 0x20, 5, conn->reply_table_b);
	}
	if (!answer->trailers)
		p = put_head(answer, p);
	if (answer->bare)
		return p;
	status_b = snprintf(status, sizeof(status), "%u", (unsigned int)answer->grpc_status);
	*p++ = 0x00;
	p = put_string(p, "grpc-status", 11);
	p = put_string(p, status, (size_t)status_b);
	if (answer->message_len_b > 0) {
		*p++ = 0x00;
		p = put_string(p, "grpc-message", 12);
		p = put_string(p, answer->message, answer->message_len_b);
	}
	return p;
}

static uint8_t *put_rst(uint8_t *p, uint32_t id, uint32_t code)
{
	p = h2_put_frame(p, 4, H2_RST_STREAM, 0, id);
	h2_put32(p, code);
	return p + 4;
}

/* Writes an answer's frames into buf[REPLY_MAX_B]. @return their length. */
static uint32_t put_answer(const struct wk_h2_conn *conn, const struct h2_answer *answer,
			   uint8_t *buf)
{
	uint8_t *p = buf + H2_FRAME_HDR_B;

	if (answer->rst_only)
		return (uint32_t)(put_rst(buf, answer->id, answer->code) - buf);
	p = put_block(conn, answer, p);
	h2_put_frame(buf, (uint32_t)(p - buf) - H2_FRAME_HDR_B, H2_HEADERS,
		     H2_FLAG_END_STREAM | H2_FLAG_END_HEADERS, answer->id);
	/* The client need not go on with a request that has its answer. */
	if (!answer->client_ended)
		p = put_rst(p, answer->id, WK_H2_NO_ERROR);
	return (uint32_t)(p - buf);
}

static bool credit_due(const struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	return conn->credit_b > 0 && conn->credit_b >= env->limits->credit_b;
}

bool h2_wants_insertion(const struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	if (conn->error != WK_H2_E_OK || !conn->settings_passed || conn->in_block)
		return false;
	return credit_due(conn, env) || !STAILQ_EMPTY(&conn->answers);
}

uint32_t wk_h2_pending(const struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	uint8_t buf[REPLY_MAX_B];

	if (!h2_wants_insertion(conn, env))
		return 0;
	if (credit_due(conn, env))
		return WINDOW_UPDATE_B;
	return put_answer(conn, STAILQ_FIRST(&conn->answers), buf);
}

static uint32_t pull_credit(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint8_t *buf,
			    uint32_t room_b)
{
	uint32_t n = conn->credit_b > H2_ID_MASK ? H2_ID_MASK : conn->credit_b;

	if (!credit_due(conn, env) || room_b < WINDOW_UPDATE_B)
		return 0;
	h2_put32(h2_put_frame(buf, 4, H2_WINDOW_UPDATE, 0, 0), n);
	conn->credit_b -= n;
	wk_count(env->stats, WK_CNT_CREDITS, 1);
	return WINDOW_UPDATE_B;
}

static uint32_t pull_answer(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint8_t *buf,
			    uint32_t room_b)
{
	struct h2_answer *answer = STAILQ_FIRST(&conn->answers);
	uint8_t whole[REPLY_MAX_B];
	uint32_t len_b;

	if (!answer)
		return 0;
	len_b = put_answer(conn, answer, whole);
	if (len_b > room_b)
		return 0;
	memcpy(buf, whole, len_b);
	if (answer->rst_only || !answer->client_ended)
		wk_count(env->stats, WK_CNT_RST_STREAMS, 1);
	if (!answer->rst_only) {
		wk_count(env->stats, WK_CNT_REPLIES, 1);
		conn->reply_update_due = false;
		h2_reward(conn, env, REWARD_PER_REPLY);
	}
	h2_answer_drop(conn, env->mem, &conn->answers, answer);
	return len_b;
}

uint32_t wk_h2_pull(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint8_t *buf,
		    uint32_t room_b)
{
	uint32_t n, len_b = 0;

	if (!h2_wants_insertion(conn, env))
		return 0;
	len_b = pull_credit(conn, env, buf, room_b);
	while ((n = pull_answer(conn, env, buf + len_b, room_b - len_b)) > 0)
		len_b += n;
	return len_b;
}
