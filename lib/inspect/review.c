/* SPDX-License-Identifier: Apache-2.0 */
/* review.c - a new policy and the calls that are running: some flows at a time, so that a large
 * table keeps no packet waiting. */
#include <rte_jhash.h>

#include "inspect_impl.h"

/* Flows that are looked at in one go, and calls that are judged before it ends. */
#define FLOWS_MAX 64u
#define CALLS_MAX 256u

/* What only the servers see, of each connection something else. */
static uint64_t mark(const struct wk_inspect *inspect, const struct wk_insp_flow *flow)
{
	const struct wk_flow_key *key = &flow->entry.key;
	uint32_t one = rte_jhash(key, sizeof(*key), inspect->mark_key);
	uint32_t two = rte_jhash_2words((uint32_t)flow->opened_ns, one, ~inspect->mark_key);

	return (uint64_t)one << 32 | two;
}

/* @return calls judged. */
static uint32_t review(struct wk_inspect *inspect, struct wk_insp_flow *flow, uint64_t now_ns)
{
	struct wk_h2_info info;
	uint32_t service;

	if (!flow->h2 || flow->passive || flow->blind || wk_insp_over(flow))
		return 0;
	wk_h2_info(flow->h2, &info);
	if (info.open_streams == 0 ||
	    !inspect->hooks->service(inspect->user, &flow->entry.key, &service))
		return 0;
	wk_insp_enter(inspect, flow, now_ns);
	wk_insp_set_service(inspect, service);
	if (inspect->mode != WK_MODE_ENFORCE)
		return 0;
	wk_insp_h2_env(inspect);
	inspect->h2_env.mark = mark(inspect, flow);
	if (wk_h2_review(flow->h2, &inspect->h2_env) > 0) {
		wk_tcp_in_order(&flow->tcp);
		wk_tcp_poke(&flow->tcp, &inspect->tcp_env);
		wk_insp_shed(inspect, flow);
		wk_flow_arm(inspect->table, &flow->entry, wk_insp_deadline(inspect, flow));
	}
	return info.open_streams;
}

void wk_insp_review(struct wk_inspect *inspect, uint64_t now_ns)
{
	uint32_t calls = 0;

	if (inspect->review_pos == UINT32_MAX)
		return;
	for (uint32_t i = 0; i < FLOWS_MAX && calls < CALLS_MAX; i++) {
		struct wk_flow_entry *entry = wk_flow_next(inspect->table, &inspect->review_pos);

		if (!entry) {
			inspect->review_pos = UINT32_MAX;
			return;
		}
		calls += review(inspect, (struct wk_insp_flow *)entry, now_ns);
	}
}
