/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - the hooks between the TCP stream and the HTTP/2 inspector. */
#include "inspect_impl.h"

void wk_insp_h2_env(struct wk_inspect *inspect)
{
	inspect->h2_env.now_ns = inspect->tcp_env.now_ns;
	inspect->h2_env.passive = inspect->flow->passive;
	inspect->h2_env.version = inspect->version;
	inspect->h2_env.scope = inspect->service;
}

static enum wk_on on_error(const struct wk_inspect *inspect, enum wk_h2_error error)
{
	switch (error) {
	case WK_H2_E_NOT_H2_HTTP1:
		return inspect->on.http1;
	case WK_H2_E_NOT_H2_TLS:
		return inspect->on.tls;
	default:
		return inspect->on.protocol_error;
	}
}

static enum wk_reason reason_of(enum wk_h2_error error)
{
	switch (error) {
	case WK_H2_E_NOT_H2_HTTP1:
	case WK_H2_E_NOT_H2_TLS:
	case WK_H2_E_NOT_H2:
		return WK_DROP_NOT_H2;
	case WK_H2_E_MEMORY:
		return WK_DROP_MEM;
	default:
		return WK_DROP_PROTOCOL;
	}
}

/* From here on the flow's bytes are nobody's business. */
static int pass_all(struct wk_insp_flow *flow, uint32_t len_b, struct wk_op_list *ops)
{
	flow->blind = true;
	ops->n = 0;
	ops->to_boundary_b = WK_OP_BOUNDARY_UNKNOWN;
	ops->pass_b = 0;
	wk_op_push(ops, WK_OP_PASS, len_b, false);
	return 0;
}

/* The connection cannot go on as it is. A passive flow becomes untracked by itself; an active one
 * ends as its `on` policy says. It can be let through only as long as both sides have seen the same
 * bytes. */
static int give_up(struct wk_inspect *inspect, enum wk_h2_error error, uint32_t len_b,
		   struct wk_op_list *ops)
{
	struct wk_insp_flow *flow = inspect->flow;
	enum wk_on on;

	if (flow->passive)
		return -1;
	if (flow->why == WK_FWD_PLAIN) { /* else the policy wants the reset */
		on = inspect->mode == WK_MODE_ENFORCE ? on_error(inspect, error) : WK_ON_PASS;
		if (on == WK_ON_PASS && !wk_insp_edited(flow))
			return pass_all(flow, len_b, ops);
		flow->mute = on == WK_ON_DROP;
		flow->why = reason_of(error);
	}
	wk_insp_event_conn(inspect, flow, &flow->entry.key, flow->why);
	return -1;
}

static int judge(void *user, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
		 struct wk_op_list *ops)
{
	struct wk_inspect *inspect = user;
	struct wk_insp_flow *flow = inspect->flow;
	uint32_t covered_b = 0;

	if (flow->blind)
		return pass_all(flow, len_b, ops);
	wk_insp_h2_env(inspect);
	if (!flow->h2) {
		flow->h2 = wk_h2_create(&inspect->h2_env);
		if (!flow->h2)
			return give_up(inspect, WK_H2_E_MEMORY, len_b, ops);
	}
	inspect->h2_env.gone_b = ops->gone_b;
	if (wk_h2_feed(flow->h2, dir, data, len_b, &inspect->h2_env, ops) < 0)
		return give_up(inspect, wk_h2_error(flow->h2), len_b, ops);
	for (uint32_t i = 0; i < ops->n; i++)
		covered_b += ops->ops[i].in_len_b;
	/* A frame that is held is lib/tcp's to count. */
	flow->inside[dir] = covered_b == len_b && ops->to_boundary_b != 0;
	return 0;
}

static void finished(void *user, enum wk_dir dir)
{
	struct wk_inspect *inspect = user;

	if (dir != WK_C2S)
		return;
	if (inspect->flow->inside[dir])
		wk_count(inspect->stats, WK_CNT_HDR_TRUNCATED, 1);
	if (inspect->flow->h2)
		wk_h2_finished(inspect->flow->h2);
}

static uint32_t pending(void *user)
{
	struct wk_inspect *inspect = user;

	if (!inspect->flow->h2 || inspect->flow->blind || inspect->flow->passive)
		return 0;
	wk_insp_h2_env(inspect);
	return wk_h2_pending(inspect->flow->h2, &inspect->h2_env);
}

static uint32_t pull(void *user, uint8_t *buf, uint32_t room_b)
{
	struct wk_inspect *inspect = user;

	if (!inspect->flow->h2)
		return 0;
	wk_insp_h2_env(inspect);
	return wk_h2_pull(inspect->flow->h2, &inspect->h2_env, buf, room_b);
}

static uint32_t server_pending(void *user)
{
	struct wk_inspect *inspect = user;

	if (!inspect->flow->h2 || inspect->flow->blind || inspect->flow->passive)
		return 0;
	wk_insp_h2_env(inspect);
	return wk_h2_server_pending(inspect->flow->h2, &inspect->h2_env);
}

static uint32_t server_pull(void *user, uint8_t *buf, uint32_t room_b)
{
	struct wk_inspect *inspect = user;

	if (!inspect->flow->h2)
		return 0;
	wk_insp_h2_env(inspect);
	return wk_h2_server_pull(inspect->flow->h2, &inspect->h2_env, buf, room_b);
}

/* Last words make sense to a client that broke a rule, not where the policy wants a plain reset. */
static uint32_t farewell(void *user, uint8_t *buf, uint32_t room_b)
{
	struct wk_inspect *inspect = user;
	struct wk_insp_flow *flow = inspect->flow;

	if (!flow->h2 || flow->mute || flow->blind)
		return 0;
	if (wk_h2_error(flow->h2) == WK_H2_E_OK || wk_h2_error(flow->h2) == WK_H2_E_POLICY)
		return 0;
	return wk_h2_farewell(flow->h2, buf, room_b);
}

static void tx(void *user, const struct wk_tcp_out *out)
{
	wk_insp_send(user, out);
}

const struct wk_tcp_hooks wk_insp_tcp_hooks = {
	.judge = judge,
	.finished = finished,
	.pending = pending,
	.pull = pull,
	.server_pending = server_pending,
	.server_pull = server_pull,
	.farewell = farewell,
	.tx = tx,
};
