/* SPDX-License-Identifier: Apache-2.0 */
/* telemetry_stats.c - what it has done and how full it is. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <rte_mempool.h>

#include "telemetry.h"

/* A place in the flow list: which worker, and where in its table. */
#define FLOWS_WORKER(place)      ((uint32_t)((place) >> 32))
#define FLOWS_POS(place)         ((uint32_t)(place))
#define FLOWS_PLACE(worker, pos) ((uint64_t)(worker) << 32 | (pos))

/* Counters of all workers at one moment, so that the sum rule holds for them. A worker that does
 * not answer is read as it is. */
static void sum_stats(struct wk_app *app, struct wk_stats *sum)
{
	*sum = (struct wk_stats){ .held = 0 };
	pthread_mutex_lock(&app->ask_lock);
	app->cut_number++;
	for (uint32_t i = 0; i < app->n_workers; i++) {
		const struct wk_ask *ask =
			wk_worker_ask(app->workers[i], WK_ASK_STATS, app->cut_number);

		wk_stats_add(sum, ask ? &ask->stats : &app->workers[i]->stats);
	}
	pthread_mutex_unlock(&app->ask_lock);
	wk_stats_close(sum);
	sum->counter[WK_CNT_EVENTS_LOST] += app->events.lost;
}

static void add_calls(struct rte_tel_data *d, const struct wk_stats *sum)
{
	uint64_t denied = 0;
	uint64_t refused = 0;
	char key[64];

	for (int i = 0; i < WK_CALL_REASON_MAX; i++) {
		snprintf(key, sizeof(key), "calls_%s", wk_call_reason_key((enum wk_call_reason)i));
		rte_tel_data_add_dict_u64(d, key, sum->call[i]);
		if (i >= WK_CALL_REFUSED_FIRST)
			refused += sum->call[i];
		else if (i >= WK_CALL_DENIED_METHOD)
			denied += sum->call[i];
	}
	rte_tel_data_add_dict_u64(d, "calls_denied", denied);
	rte_tel_data_add_dict_u64(d, "calls_refused", refused);
}

int wk_telemetry_stats(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	struct wk_stats sum;

	(void)params;
	sum_stats(app, &sum);
	rte_tel_data_start_dict(d);
	for (int i = 0; i < WK_COUNTER_MAX; i++)
		rte_tel_data_add_dict_u64(d, wk_counter_key((enum wk_counter)i), sum.counter[i]);
	rte_tel_data_add_dict_u64(d, "dropped", wk_stats_dropped(&sum));
	rte_tel_data_add_dict_u64(d, "held", sum.held);
	add_calls(d, &sum);
	return 0;
}

int wk_telemetry_reasons(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	struct wk_stats sum;

	(void)params;
	sum_stats(app, &sum);
	rte_tel_data_start_dict(d);
	for (int i = 0; i < WK_REASON_MAX; i++)
		rte_tel_data_add_dict_u64(d, wk_reason_key((enum wk_reason)i), sum.reason[i]);
	return 0;
}

struct table {
	uint64_t used;
	uint64_t capacity;
	uint64_t peak;     /* 0: not known */
	uint64_t failures; /* the same */
};

static int add_table(struct rte_tel_data *d, const char *name, const struct table *table)
{
	struct rte_tel_data *row = rte_tel_data_alloc();

	if (!row)
		return -ENOMEM;
	rte_tel_data_start_dict(row);
	rte_tel_data_add_dict_u64(row, "used", table->used);
	rte_tel_data_add_dict_u64(row, "capacity", table->capacity);
	rte_tel_data_add_dict_u64(row, "peak", table->peak);
	rte_tel_data_add_dict_u64(row, "failures", table->failures);
	return rte_tel_data_add_dict_container(d, name, row, 0);
}

static void add_pools(const struct wk_app *app, struct table *table)
{
	for (uint32_t i = 0; i < app->ports.n; i++) {
		const struct rte_mempool *pool = app->ports.v[i].pool;
		bool counted = false;

		for (uint32_t j = 0; j < i; j++)
			counted |= app->ports.v[j].pool == pool;
		if (counted)
			continue;
		table->used += rte_mempool_in_use_count(pool);
		table->capacity += pool->size;
	}
}

int wk_telemetry_tables(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	struct table flows = { .used = 0 };
	struct table sources = { .used = 0 };
	struct table syns = { .used = 0 };
	struct table memory = { .used = 0 };
	struct table fragments = { .used = 0 };
	struct table buffers = { .used = 0 };
	int rc;

	(void)params;
	for (uint32_t i = 0; i < app->n_workers; i++) {
		const struct wk_worker *worker = app->workers[i];
		struct wk_inspect_usage usage;

		wk_inspect_usage(worker->inspect, &usage);
		flows.used += usage.flows;
		flows.capacity += usage.flows_max;
		flows.failures += worker->stats.reason[WK_DROP_TABLE_FULL];
		sources.used += usage.sources;
		sources.capacity += usage.flows_max;
		sources.failures += worker->stats.reason[WK_DROP_SOURCE_FULL];
		syns.used += usage.syns;
		syns.capacity += usage.syns_max;
		syns.failures += worker->stats.counter[WK_CNT_SYN_EVICTED];
		memory.used += usage.mem.used_b;
		memory.capacity += usage.mem.arena_b;
		memory.peak += usage.mem.peak_b;
		memory.failures += usage.mem.failures;
		fragments.used += wk_frag_datagrams(worker->frag);
		fragments.capacity += wk_frag_capacity(worker->frag);
		fragments.failures += worker->stats.reason[WK_DROP_FRAG_FULL];
		buffers.failures += worker->stats.reason[WK_DROP_NO_MBUF];
	}
	add_pools(app, &buffers);
	rte_tel_data_start_dict(d);
	rc = add_table(d, "flows", &flows);
	if (rc == 0)
		rc = add_table(d, "sources", &sources);
	if (rc == 0)
		rc = add_table(d, "handshakes", &syns);
	if (rc == 0)
		rc = add_table(d, "held_bytes", &memory);
	if (rc == 0)
		rc = add_table(d, "fragments", &fragments);
	if (rc == 0)
		rc = add_table(d, "packet_buffers", &buffers);
	return rc;
}

static void add_end(struct rte_tel_data *row, const char *key, const struct wk_inspect_flow *flow,
		    const uint8_t *addr, uint16_t port)
{
	bool v4 = flow->key.ip_version == 4;
	char host[INET6_ADDRSTRLEN];
	char text[INET6_ADDRSTRLEN + 16];

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, addr, host, sizeof(host)))
		return;
	snprintf(text, sizeof(text), v4 ? "%s:%u" : "[%s]:%u", host, port);
	rte_tel_data_add_dict_string(row, key, text);
}

static const char *state_name(const struct wk_inspect_flow *flow)
{
	switch (flow->state) {
	case WK_TCP_ST_ESTABLISHED:
		return "established";
	case WK_TCP_ST_CLOSED:
		return "closed";
	case WK_TCP_ST_UNTRACKED:
		return "untracked";
	}
	return "unknown";
}

/* At most 400 bytes of JSON: WK_ASK_ROWS of them fit in a reply. */
static int add_flow(struct wk_app *app, struct rte_tel_data *d, uint32_t worker,
		    const struct wk_inspect_flow *flow)
{
	struct rte_tel_data *row = rte_tel_data_alloc();
	char text[128];

	if (!row)
		return -ENOMEM;
	rte_tel_data_start_dict(row);
	add_end(row, "client", flow, flow->key.client, flow->key.client_port);
	add_end(row, "server", flow, flow->key.server, flow->key.server_port);
	rte_tel_data_add_dict_string(row, "service", flow->service);
	rte_tel_data_add_dict_string(row, "state", state_name(flow));
	snprintf(text, sizeof(text), "%s%s%s", flow->passive ? "passive" : "active",
		 flow->edited ? ",edited" : "", flow->h2.reencoding ? ",reencoding" : "");
	rte_tel_data_add_dict_string(row, "flags", text);
	rte_tel_data_add_dict_u64(row, "open", flow->h2.open_streams);
	rte_tel_data_add_dict_u64(row, "allowed", flow->h2.allowed_calls);
	rte_tel_data_add_dict_u64(row, "denied", flow->h2.denied_calls);
	rte_tel_data_add_dict_u64(row, "packets", flow->packets[WK_C2S] + flow->packets[WK_S2C]);
	rte_tel_data_add_dict_u64(row, "idle_s",
				  (wk_clock_now(&app->clock) - flow->last_ns) / 1000000000u);
	snprintf(text, sizeof(text), "%u_%u", worker, flow->id);
	return rte_tel_data_add_dict_container(d, text, row, 0);
}

/* A part of one worker's table. *place: where to go on, 0 at the end. @return rows, or -errno. */
static int add_flows(struct wk_app *app, struct rte_tel_data *d, uint64_t *place)
{
	uint32_t index = FLOWS_WORKER(*place);
	const struct wk_ask *ask =
		wk_worker_ask(app->workers[index], WK_ASK_FLOWS, FLOWS_POS(*place));
	int rc = ask ? 0 : -ETIMEDOUT;

	*place = 0;
	for (uint32_t i = 0; ask && i < ask->n && rc == 0; i++)
		rc = add_flow(app, d, index, &ask->rows[i]);
	if (rc != 0)
		return rc;
	if (ask->pos != UINT32_MAX)
		*place = FLOWS_PLACE(index, ask->pos);
	else if (index + 1 < app->n_workers)
		*place = FLOWS_PLACE(index + 1, 0);
	return (int)ask->n;
}

int wk_telemetry_flows(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	uint64_t place;
	int n;

	if (!wk_telemetry_number(params, &place) || FLOWS_WORKER(place) >= app->n_workers)
		return -EINVAL;
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&app->ask_lock);
	/* No page is empty but the last one. */
	do
		n = add_flows(app, d, &place);
	while (n == 0 && place > 0);
	pthread_mutex_unlock(&app->ask_lock);
	if (n >= 0 && place > 0)
		rte_tel_data_add_dict_u64(d, "next", place);
	return n < 0 ? n : 0;
}
