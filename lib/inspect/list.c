/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - the flow list and the usage of tables and memory. */
#include <string.h>

#include "inspect_impl.h"

static void fill(const struct wk_inspect *inspect, const struct wk_insp_flow *flow,
		 struct wk_inspect_flow *row)
{
	const struct wk_policy_service *svc = NULL;

	memset(row, 0, sizeof(*row));
	row->key = flow->entry.key;
	row->id = wk_insp_id(inspect, flow);
	row->state = flow->dead ? WK_TCP_ST_CLOSED : wk_tcp_state(&flow->tcp);
	row->passive = flow->passive;
	row->edited = wk_insp_edited(flow);
	row->bound = row->edited || wk_tcp_waits(&flow->tcp);
	for (int dir = 0; dir < WK_DIRS; dir++) {
		row->packets[dir] = flow->packets[dir];
		row->bytes[dir] = flow->bytes[dir];
	}
	row->opened_ns = flow->opened_ns;
	row->last_ns = flow->last_ns;
	/* Numbers change with each policy: a flow that has been silent since has no name. */
	if (flow->version == inspect->version && inspect->policy)
		svc = wk_policy_service(inspect->policy, flow->service);
	if (svc)
		wk_insp_copy_name(row->service, svc->name);
	if (flow->h2)
		wk_h2_info(flow->h2, &row->h2);
}

uint32_t wk_inspect_flows(struct wk_inspect *inspect, uint32_t *pos, struct wk_inspect_flow *rows,
			  uint32_t max)
{
	uint32_t n = 0;

	if (*pos == UINT32_MAX)
		return 0;
	while (n < max) {
		struct wk_flow_entry *entry = wk_flow_next(inspect->table, pos);

		if (!entry) {
			*pos = UINT32_MAX;
			break;
		}
		fill(inspect, (const struct wk_insp_flow *)entry, &rows[n++]);
	}
	return n;
}

void wk_inspect_usage(const struct wk_inspect *inspect, struct wk_inspect_usage *usage)
{
	usage->flows = wk_flow_count(inspect->table);
	usage->flows_max = wk_flow_capacity(inspect->table);
	usage->sources = wk_flow_sources(inspect->table);
	usage->syns = wk_flow_syn_count(inspect->syns);
	usage->syns_max = wk_flow_syn_capacity(inspect->syns);
	wk_mem_usage(inspect->mem, &usage->mem);
}
