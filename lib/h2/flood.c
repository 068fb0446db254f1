/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket of control frames. It fills with time and with what the server sends in answer:
 * control frames are fine in proportion to work done (a fast download needs many WINDOW_UPDATEs),
 * not for their own sake. */
#include "h2_priv.h"

#define NS_PER_S      1000000000ull
#define REFILL_MAX_NS (4 * NS_PER_S)

static void refill(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	uint64_t rate = env->limits->control_per_s;
	uint64_t elapsed, tokens;

	if (rate == 0 || env->now_ns <= conn->tokens_ns)
		return;
	elapsed = env->now_ns - conn->tokens_ns;
	if (elapsed > REFILL_MAX_NS) {
		elapsed = REFILL_MAX_NS;
		conn->tokens_ns = env->now_ns - elapsed;
	}
	tokens = elapsed * rate / NS_PER_S;
	if (tokens == 0)
		return;
	conn->tokens_ns += tokens * NS_PER_S / rate;
	h2_reward(conn, env, tokens > UINT32_MAX ? UINT32_MAX : (uint32_t)tokens);
}

void h2_reward(struct wk_h2_conn *conn, const struct wk_h2_env *env, uint32_t tokens)
{
	uint32_t burst = env->limits->control_burst;

	if (conn->tokens >= burst || tokens >= burst - conn->tokens)
		conn->tokens = burst;
	else
		conn->tokens += tokens;
}

bool h2_charge(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	if (conn->tokens == 0)
		refill(conn, env);
	if (conn->tokens == 0)
		return false;
	conn->tokens--;
	return true;
}
