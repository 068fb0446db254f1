/* SPDX-License-Identifier: Apache-2.0 */
/* telemetry_state.c - what it is and how it is set up. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ring.h>

#include "telemetry.h"

#define SERVICES_PAGE 64u
#define SERVICES_INFO 32u /* within the larger reply of /wicket/info */

static int add_row(struct rte_tel_data *d, uint32_t number, struct rte_tel_data *row)
{
	char key[16];

	snprintf(key, sizeof(key), "%" PRIu32, number);
	return rte_tel_data_add_dict_container(d, key, row, 0);
}

static int fill_ports(struct wk_app *app, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	for (uint32_t i = 0; i < app->ports.n; i++) {
		struct wk_port *port = &app->ports.v[i];
		struct rte_tel_data *row = rte_tel_data_alloc();

		if (!row)
			return -ENOMEM;
		rte_tel_data_start_dict(row);
		rte_tel_data_add_dict_string(row, "name", port->name);
		rte_tel_data_add_dict_string(row, "device", port->device);
		rte_tel_data_add_dict_u64(row, "port_id", port->id);
		rte_tel_data_add_dict_u64(row, "mtu", port->mtu);
		rte_tel_data_add_dict_string(row, "link", port->link_up ? "up" : "down");
		if (port->link_mbps != UINT32_MAX)
			rte_tel_data_add_dict_u64(row, "mbps", port->link_mbps);
		add_row(d, i, row);
	}
	return 0;
}

static const char *mode_name(const struct wk_snapshot *snapshot, uint32_t number)
{
	static const char *const names[] = {
		[WK_MODE_ENFORCE] = "enforce",
		[WK_MODE_AUDIT] = "audit",
		[WK_MODE_OFF] = "off",
	};
	const struct wk_policy_service *service = wk_policy_service(snapshot->policy, number);

	if (snapshot->services[number].retired)
		return "retired";
	return service ? names[service->mode] : "unknown";
}

static int fill_services(struct wk_app *app, struct rte_tel_data *d, uint64_t first, uint32_t max)
{
	const struct wk_snapshot *snapshot;
	int rc = 0;

	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&app->lock);
	snapshot = atomic_load(&app->snapshot);
	for (uint64_t i = first; i < snapshot->n_services && i - first < max; i++) {
		const struct wk_snapshot_service *service = &snapshot->services[i];
		struct rte_tel_data *row = rte_tel_data_alloc();

		if (!row) {
			rc = -ENOMEM;
			break;
		}
		rte_tel_data_start_dict(row);
		rte_tel_data_add_dict_string(row, "name", service->name);
		rte_tel_data_add_dict_string(row, "mode", mode_name(snapshot, (uint32_t)i));
		rte_tel_data_add_dict_u64(row, "port", service->ports[0]);
		/* All of 64 services with 64 ports are more than a message holds. */
		rte_tel_data_add_dict_u64(row, "more_ports", service->n_ports - 1u);
		add_row(d, (uint32_t)i, row);
	}
	if (rc == 0 && first < snapshot->n_services && snapshot->n_services - first > max)
		rte_tel_data_add_dict_u64(d, "next", first + max);
	pthread_mutex_unlock(&app->lock);
	return rc;
}

int wk_telemetry_ports(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	(void)params;
	return fill_ports(app, d);
}

int wk_telemetry_services(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	uint64_t first;

	if (!wk_telemetry_number(params, &first))
		return -EINVAL;
	return fill_services(app, d, first, SERVICES_PAGE);
}

int wk_telemetry_info(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	struct rte_tel_data *ports = rte_tel_data_alloc();
	struct rte_tel_data *services = rte_tel_data_alloc();
	const struct wk_snapshot *snapshot;
	int rc;

	(void)params;
	if (!ports || !services) {
		rte_tel_data_free(ports);
		rte_tel_data_free(services);
		return -ENOMEM;
	}
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "version", WK_VERSION);
	rte_tel_data_add_dict_string(d, "instance", app->instance);
	rte_tel_data_add_dict_u64(d, "pid", (uint64_t)getpid());
	rte_tel_data_add_dict_u64(d, "uptime_s",
				  (wk_clock_now(&app->clock) - app->started_ns) / 1000000000u);
	rte_tel_data_add_dict_u64(d, "workers", app->n_workers);
	pthread_mutex_lock(&app->lock);
	snapshot = atomic_load(&app->snapshot);
	rte_tel_data_add_dict_u64(d, "policy_version", snapshot->version);
	rte_tel_data_add_dict_u64(d, "services_count", snapshot->n_services);
	pthread_mutex_unlock(&app->lock);
	rc = fill_ports(app, ports);
	if (rc == 0)
		rc = fill_services(app, services, 0, SERVICES_INFO);
	rte_tel_data_add_dict_container(d, "ports", ports, 0);
	rte_tel_data_add_dict_container(d, "services", services, 0);
	return rc;
}

/* As they are: those of a box, all of one moment, are in /wicket/stats. */
static void add_packets(const struct wk_app *app, struct rte_tel_data *row,
			const struct wk_worker *worker)
{
	static const enum wk_counter counters[] = {
		WK_CNT_RX, WK_CNT_TX, WK_CNT_HANDOVER, WK_CNT_HANDOVER_BYTES, WK_CNT_TAKEN,
	};
	const struct rte_ring *inbox = app->team.inbox[worker->index];

	for (size_t i = 0; i < RTE_DIM(counters); i++)
		rte_tel_data_add_dict_u64(row, wk_counter_key(counters[i]),
					  worker->stats.counter[counters[i]]);
	rte_tel_data_add_dict_u64(row, wk_reason_key(WK_DROP_HANDOVER),
				  worker->stats.reason[WK_DROP_HANDOVER]);
	rte_tel_data_add_dict_u64(row, "inbox", inbox ? rte_ring_count(inbox) : 0);
	rte_tel_data_add_dict_u64(row, "inbox_capacity", inbox ? rte_ring_get_capacity(inbox) : 0);
}

int wk_telemetry_lcores(struct wk_app *app, const char *params, struct rte_tel_data *d)
{
	(void)params;
	rte_tel_data_start_dict(d);
	for (uint32_t i = 0; i < app->n_workers; i++) {
		struct wk_worker *worker = app->workers[i];
		struct rte_tel_data *row = rte_tel_data_alloc();

		if (!row)
			return -ENOMEM;
		rte_tel_data_start_dict(row);
		rte_tel_data_add_dict_u64(row, "lcore", worker->lcore);
		rte_tel_data_add_dict_u64(row, "loops", worker->load.loops);
		rte_tel_data_add_dict_u64(row, "busy_cycles", worker->load.busy_cycles);
		rte_tel_data_add_dict_u64(row, "sleeps", worker->load.sleeps);
		add_packets(app, row, worker);
		rte_tel_data_add_dict_u64(row, "tsc_hz", app->clock.hz);
		rte_tel_data_add_dict_u64(row, "tsc", rte_rdtsc());
		add_row(d, i, row);
	}
	return 0;
}
