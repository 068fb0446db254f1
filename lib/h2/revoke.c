/* SPDX-License-Identifier: Apache-2.0 */
/* Running calls that a later policy denies.
 *
 * The server is told first, with RST_STREAM and a PING behind it: when the ACK comes, it has said
 * all that it will say on the stream, and the client is told. So no header block of the server's,
 * which may change the client's table, ever follows the end of a stream. */
#include <string.h>

#include "h2_priv.h"

#define RST_B           (H2_FRAME_HDR_B + 4)
#define WINDOW_UPDATE_B (H2_FRAME_HDR_B + 4)
#define MARK_B          8u
#define PING_B          (H2_FRAME_HDR_B + MARK_B)

struct h2_answer *h2_revoked_find(const struct wk_h2_conn *conn, uint32_t id)
{
	struct h2_answer *answer;

	STAILQ_FOREACH(answer, &conn->revoked, next)
	if (answer->id == id)
		return answer;
	return NULL;
}

static void fail(struct wk_h2_conn *conn, const struct wk_h2_env *env, enum wk_h2_error error)
{
	conn->error = error;
	wk_count(env->stats, WK_CNT_H2_CAPS, 1);
}

/* May the call go on? */
static bool may_go_on(const struct wk_h2_env *env, const struct h2_stream *stream,
		      struct wk_h2_decision *decision)
{
	struct wk_h2_request request = { .stream_id = stream->id };

	*decision = (struct wk_h2_decision){ .verdict = WK_H2_DENY, .grpc_status = 7 };
	if (h2_ticket_list(stream->ticket, env->lcore))
		h2_request_parse(&env->lcore->list, false, &request);
	env->hooks->review(env->user, &request, decision);
	return decision->verdict == WK_H2_ALLOW;
}

uint32_t wk_h2_review(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	struct wk_h2_decision decision;
	enum wk_h2_error error;
	uint32_t i = 0, ended = 0;

	while (conn->error == WK_H2_E_OK && i < conn->streams.n) {
		struct h2_stream *stream = &conn->streams.v[i];

		if (may_go_on(env, stream, &decision)) {
			i++;
			continue;
		}
		error = h2_answer_revoke(conn, env, stream, &decision);
		if (error != WK_H2_E_OK)
			fail(conn, env, error);
		h2_stream_remove(&conn->streams, env->mem, stream);
		ended++;
	}
	wk_count(env->stats, WK_CNT_REVOKED, ended);
	if (ended > 0) {
		if (!conn->revoking)
			conn->mark = env->mark;
		conn->revoking = true;
		/* What the client still says on these streams does not go on. */
		conn->deleting = true;
	}
	if (conn->revoked_ns == 0 && !STAILQ_EMPTY(&conn->revoked))
		conn->revoked_ns = env->now_ns;
	return ended;
}

void h2_revoked_release(struct wk_h2_conn *conn, const struct wk_h2_env *env, bool all)
{
	struct h2_answer *answer = STAILQ_FIRST(&conn->revoked);

	while (answer) {
		struct h2_answer *next = STAILQ_NEXT(answer, next);

		if (answer->sent && answer->mute && (answer->asked || all)) {
			h2_answer_drop(conn, env->mem, &conn->revoked, answer);
		} else if (answer->sent && (answer->asked || all)) {
			STAILQ_REMOVE(&conn->revoked, answer, h2_answer, next);
			STAILQ_INSERT_TAIL(&conn->answers, answer, next);
		}
		answer = next;
	}
	conn->ping_out = false;
	conn->revoked_ns = STAILQ_EMPTY(&conn->revoked) ? 0 : env->now_ns;
}

bool h2_revoked_is_ack(const struct wk_h2_conn *conn, const struct h2_frame *f,
		       const uint8_t *payload)
{
	return conn->ping_out && f->id == 0 && f->len_b == MARK_B &&
	       memcmp(payload, &conn->mark, MARK_B) == 0;
}

uint64_t h2_revoked_due(const struct wk_h2_conn *conn, const struct wk_h2_limits *limits)
{
	return conn->revoked_ns > 0 ? conn->revoked_ns + limits->revoke_ns + 1 : UINT64_MAX;
}

/* A server that does not answer keeps no client waiting. */
void h2_revoked_overdue(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	if (env->now_ns >= h2_revoked_due(conn, env->limits))
		h2_revoked_release(conn, env, true);
}

static bool credit_due(const struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	return conn->server_credit_b > 0 && conn->server_credit_b >= env->limits->credit_b;
}

/* The next frame to the server, into buf if there is one. @return its length, 0 for none. */
static uint32_t next_frame(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint8_t *buf)
{
	struct h2_answer *answer, *unasked = NULL;

	STAILQ_FOREACH(answer, &conn->revoked, next)
	{
		if (!answer->sent) {
			h2_put32(h2_put_frame(buf, 4, H2_RST_STREAM, 0, answer->id), WK_H2_CANCEL);
			answer->sent = true;
			wk_count(env->stats, WK_CNT_RST_STREAMS, 1);
			return RST_B;
		}
		if (!answer->asked)
			unasked = answer;
	}
	if (unasked && !conn->ping_out) {
		memcpy(h2_put_frame(buf, MARK_B, H2_PING, 0, 0), &conn->mark, MARK_B);
		STAILQ_FOREACH(answer, &conn->revoked, next)
		answer->asked = true;
		conn->ping_out = true;
		return PING_B;
	}
	if (!credit_due(conn, env))
		return 0;
	h2_put32(h2_put_frame(buf, 4, H2_WINDOW_UPDATE, 0, 0), conn->server_credit_b);
	conn->granted_b += conn->server_credit_b;
	conn->server_credit_b = 0;
	wk_count(env->stats, WK_CNT_CREDITS, 1);
	return WINDOW_UPDATE_B;
}

static bool may_insert(const struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	return conn->error == WK_H2_E_OK && !env->passive && conn->revoking &&
	       conn->c2s_state == H2_C2S_FRAMES && conn->data_left_b == 0;
}

uint32_t wk_h2_server_pending(const struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	const struct h2_answer *answer;

	if (!may_insert(conn, env))
		return 0;
	STAILQ_FOREACH(answer, &conn->revoked, next)
	if (!answer->sent || (!answer->asked && !conn->ping_out))
		return PING_B;
	return credit_due(conn, env) ? WINDOW_UPDATE_B : 0;
}

uint32_t wk_h2_server_pull(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint8_t *buf,
			   uint32_t room_b)
{
	uint32_t n, len_b = 0;

	if (!may_insert(conn, env))
		return 0;
	while (room_b - len_b >= PING_B && (n = next_frame(conn, env, buf + len_b)) > 0)
		len_b += n;
	return len_b;
}
