/* SPDX-License-Identifier: Apache-2.0 */
/* timers.c - what happens to flows without a packet: their timers, and the end of the program. */
#include "inspect_impl.h"

/* A wave of expirations must not keep the lcore from its receive queue. */
#define TIMERS_MAX 256u

#define FAREWELL_MAX_B 256u

void wk_insp_rest(struct wk_inspect *inspect, struct wk_insp_flow *flow)
{
	uint64_t now_ns = inspect->tcp_env.now_ns;
	uint64_t quiet_ns = flow->last_ns + inspect->h2_limits.rest_ns;
	bool awake = flow->h2 && wk_h2_awake(flow->h2);

	if (awake && flow->rest_ns == UINT64_MAX) {
		flow->rest_ns = quiet_ns;
	} else if (flow->rest_ns <= now_ns) {
		if (awake && quiet_ns <= now_ns)
			wk_h2_fold(flow->h2, inspect->mem);
		flow->rest_ns = awake && quiet_ns > now_ns ? quiet_ns : UINT64_MAX;
	}
}

/* A client that has left a frame unfinished, a server that does not confirm the end of a call:
 * bytes would end that, and none come. */
static void overdue(struct wk_inspect *inspect, struct wk_insp_flow *flow)
{
	uint32_t service;

	if (!flow->h2 || flow->blind || flow->dead ||
	    inspect->tcp_env.now_ns < wk_h2_deadline(flow->h2, &inspect->h2_limits))
		return;
	if (inspect->hooks->service &&
	    inspect->hooks->service(inspect->user, &flow->entry.key, &service))
		wk_insp_set_service(inspect, service);
	wk_insp_h2_env(inspect);
	wk_h2_timer(flow->h2, &inspect->h2_env);
	wk_tcp_judge_again(&flow->tcp, &inspect->tcp_env);
	if (!flow->passive)
		wk_tcp_poke(&flow->tcp, &inspect->tcp_env);
}

static void run(struct wk_inspect *inspect, struct wk_insp_flow *flow)
{
	uint64_t resets = inspect->stats->counter[WK_CNT_FLOWS_RESET];
	bool alive;

	/* Packets have moved it away since it was armed. */
	if (inspect->tcp_env.now_ns < wk_insp_deadline(inspect, flow)) {
		wk_flow_arm(inspect->table, &flow->entry, wk_insp_deadline(inspect, flow));
		return;
	}
	overdue(inspect, flow);
	alive = !flow->dead && wk_tcp_timer(&flow->tcp, &inspect->tcp_env);
	if (inspect->stats->counter[WK_CNT_FLOWS_RESET] != resets)
		wk_insp_event_conn(inspect, flow, &flow->entry.key,
				   flow->why ? flow->why : WK_ABSORB_CLOSED);
	if (!alive) {
		wk_insp_forget(inspect, flow);
		return;
	}
	wk_insp_shed(inspect, flow);
	wk_insp_rest(inspect, flow);
	wk_flow_arm(inspect->table, &flow->entry, wk_insp_deadline(inspect, flow));
}

void wk_inspect_timers(struct wk_inspect *inspect, uint64_t now_ns)
{
	wk_flow_syn_sweep(inspect->syns, now_ns);
	wk_insp_review(inspect, now_ns);
	for (unsigned int i = 0; i < TIMERS_MAX; i++) {
		struct wk_flow_entry *entry = wk_flow_due(inspect->table, now_ns);

		if (!entry)
			return;
		wk_insp_enter(inspect, (struct wk_insp_flow *)entry, now_ns);
		run(inspect, inspect->flow);
	}
}

uint64_t wk_inspect_next_due(const struct wk_inspect *inspect)
{
	if (inspect->review_pos != UINT32_MAX)
		return 0;
	return RTE_MIN(wk_flow_next_due(inspect->table), wk_flow_syn_next_due(inspect->syns));
}

uint32_t wk_inspect_stop(struct wk_inspect *inspect, uint64_t now_ns)
{
	uint8_t farewell[FAREWELL_MAX_B];
	struct wk_flow_entry *entry;
	uint32_t n = 0;
	uint32_t pos = 0;

	while ((entry = wk_flow_next(inspect->table, &pos)) != NULL) {
		struct wk_insp_flow *flow = (struct wk_insp_flow *)entry;

		wk_insp_enter(inspect, flow, now_ns);
		if (!flow->dead && wk_tcp_state(&flow->tcp) == WK_TCP_ST_ESTABLISHED &&
		    wk_insp_edited(flow)) {
			uint32_t len_b = 0;

			if (flow->h2)
				len_b = wk_h2_farewell(flow->h2, farewell, sizeof(farewell));
			wk_tcp_reset(&flow->tcp, &inspect->tcp_env, farewell, len_b);
			wk_insp_event_conn(inspect, flow, &entry->key, WK_DROP_STOPPING);
			n++;
		}
		wk_insp_forget(inspect, flow);
	}
	return n;
}
