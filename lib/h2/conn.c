/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: its life, and the loop that judges bytes. */
#include "h2_priv.h"

#define LINE_B 64u /* of the processor's caches */

const struct wk_h2_limits wk_h2_limits_default = {
	.block_b = 64 * 1024,
	.continuations = 64,
	.header_list_b = 64 * 1024,
	.fields = 256,
	.streams = 1024,
	.pending = 512,
	.control_per_s = 1000,
	.control_burst = 2000,
	.control_frame_b = 16 * 1024,
	.credit_b = 16 * 1024,
	.table_b = 64 * 1024,
	.seen_blocks = 8,
	.seen_block_b = 512,
	.revoke_ns = 5 * 1000000000ull,
	.rest_ns = 200 * 1000000ull,
	.hold_ns = 60 * 1000000000ull,
};

struct wk_h2_conn *wk_h2_create(const struct wk_h2_env *env)
{
	struct wk_h2_conn *conn = wk_mem_calloc(env->mem, 1, sizeof(*conn));

	if (!conn)
		return NULL;
	STAILQ_INIT(&conn->answers);
	STAILQ_INIT(&conn->revoked);
	conn->table_b = H2_TABLE_DEFAULT_B;
	conn->max_frame_b = H2_FRAME_DEFAULT_B;
	conn->max_streams = UINT32_MAX;
	conn->window_b = H2_WINDOW_DEFAULT_B;
	conn->goaway_last = H2_ID_MASK;
	conn->reply_table_b = H2_TABLE_DEFAULT_B;
	conn->tokens = env->limits->control_burst;
	conn->tokens_ns = env->now_ns;
	return conn;
}

void wk_h2_free(struct wk_h2_conn *conn, struct wk_mem *mem)
{
	if (!conn)
		return;
	if (conn->inflater)
		nghttp2_hd_inflate_del(conn->inflater);
	h2_fold_free(conn, mem);
	h2_seen_empty(conn, mem);
	h2_notes_free(&conn->server_notes, mem);
	h2_notes_free(&conn->client_notes, mem);
	h2_answers_above(conn, mem, 0);
	h2_streams_free(&conn->streams, mem);
	wk_mem_free(mem, conn);
}

void wk_h2_prefetch(const struct wk_h2_conn *conn)
{
	for (size_t off = 0; off < H2_CONN_HOT_B; off += LINE_B)
		__builtin_prefetch((const uint8_t *)conn + off);
}

/* Between the client's frames nothing is ever half covered: a header block is covered whole. */
static uint32_t to_boundary(const struct wk_h2_conn *conn, enum wk_dir dir)
{
	if (dir == WK_C2S)
		return conn->data_left_b;
	return conn->in_block ? WK_OP_BOUNDARY_UNKNOWN : conn->left_b;
}

/* A client that feeds a frame byte by byte costs memory for as long as it likes. The clock runs
 * from the first feed that left more than part of a frame header uncovered: that much is cheap, and
 * a server that does not read for a while can leave an honest client there. */
void wk_h2_finished(struct wk_h2_conn *conn)
{
	conn->held_ns = 0;
}

static uint64_t hold_due(const struct wk_h2_conn *conn, const struct wk_h2_limits *limits)
{
	if (conn->held_ns == 0 || limits->hold_ns == 0)
		return UINT64_MAX;
	return conn->held_ns + limits->hold_ns;
}

uint64_t wk_h2_deadline(const struct wk_h2_conn *conn, const struct wk_h2_limits *limits)
{
	uint64_t due = hold_due(conn, limits), revoke = h2_revoked_due(conn, limits);

	if (conn->error != WK_H2_E_OK)
		return UINT64_MAX;
	return due < revoke ? due : revoke;
}

void wk_h2_timer(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	if (conn->error == WK_H2_E_OK)
		h2_revoked_overdue(conn, env);
}

static bool held_too_long(const struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	return env->now_ns >= hold_due(conn, env->limits);
}

static void note_held(struct wk_h2_conn *conn, const struct h2_cut *cut)
{
	if (cut->len_b < H2_FRAME_HDR_B)
		conn->held_ns = 0;
	else if (conn->held_ns == 0 || cut->ops->n > 0)
		conn->held_ns = cut->env->now_ns;
}

int wk_h2_feed(struct wk_h2_conn *conn, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
	       const struct wk_h2_env *env, struct wk_op_list *ops)
{
	struct h2_cut cut = { conn, env, data, len_b, data + env->gone_b, ops };
	enum h2_step step = H2_NEXT;

	ops->n = 0;
	ops->to_boundary_b = WK_OP_BOUNDARY_UNKNOWN;
	ops->pass_b = 0;
	if (conn->error != WK_H2_E_OK)
		return -1;
	h2_revoked_overdue(conn, env);
	if (dir == WK_C2S && held_too_long(conn, env))
		step = h2_fail(&cut, WK_H2_E_HOLD_TIME);
	while (step == H2_NEXT && ops->n + H2_STEP_OPS <= WK_OP_LIST_MAX)
		step = dir == WK_C2S ? h2_c2s_step(&cut) : h2_s2c_step(&cut);
	/* What came before a fault is still carried out: the fault is told at the next call. */
	if (step == H2_FAIL && ops->n == 0)
		return -1;
	if (dir == WK_C2S)
		note_held(conn, &cut);
	ops->to_boundary_b = to_boundary(conn, dir);
	if (dir == WK_C2S && conn->data_op == WK_OP_PASS)
		ops->pass_b = conn->data_left_b;
	if (ops->n > 0)
		ops->ops[ops->n - 1].boundary = ops->to_boundary_b == 0;
	return 0;
}

void wk_h2_info(const struct wk_h2_conn *conn, struct wk_h2_info *info)
{
	*info = (struct wk_h2_info){
		.open_streams = conn->streams.n,
		.highest_id = conn->highest_id,
		.denied_calls = conn->denied_calls,
		.allowed_calls = conn->allowed_calls,
		.deleting = conn->deleting,
		.reencoding = conn->reencoding,
	};
}
