/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "log.h"
#include "telemetry.h"

WK_LOG_TYPE(telemetry);

/* Commands cannot be taken back and outlive the program's tables: each passes this gate. */
static struct {
	pthread_mutex_t lock;
	struct wk_app *app; /* NULL: closed */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct {
	const char *cmd;
	wk_telemetry_fn *fn;
	const char *help;
} commands[] = {
	{ "/wicket/info", wk_telemetry_info,
	  "Version, instance, policy version, uptime, ports, services" },
	{ "/wicket/ports", wk_telemetry_ports, "Ports with device, MTU and link" },
	{ "/wicket/services", wk_telemetry_services, "Services with mode; parameter: first one" },
	{ "/wicket/lcores", wk_telemetry_lcores,
	  "Loops, cycles, sleeps and hand-over of each worker" },
	{ "/wicket/stats", wk_telemetry_stats, "Counters and calls by verdict" },
	{ "/wicket/reasons", wk_telemetry_reasons, "Packets by the reason they ended with" },
	{ "/wicket/tables", wk_telemetry_tables,
	  "Saturation of flow table, memory and packet buffers" },
	{ "/wicket/flows", wk_telemetry_flows, "Guarded connections; parameter: where to go on" },
};

static int handle(const char *cmd, const char *params, struct rte_tel_data *d)
{
	int rc = -EINVAL;

	pthread_mutex_lock(&gate.lock);
	for (size_t i = 0; gate.app && i < RTE_DIM(commands); i++)
		if (strcmp(commands[i].cmd, cmd) == 0)
			rc = commands[i].fn(gate.app, params, d);
	pthread_mutex_unlock(&gate.lock);
	return rc;
}

bool wk_telemetry_number(const char *params, uint64_t *number)
{
	char *end;

	*number = 0;
	if (!params || params[0] == '\0')
		return true;
	errno = 0;
	*number = strtoull(params, &end, 10);
	return errno == 0 && params[0] >= '0' && params[0] <= '9' && *end == '\0';
}

int wk_telemetry_init(struct wk_app *app)
{
	for (size_t i = 0; i < RTE_DIM(commands); i++) {
		int rc = rte_telemetry_register_cmd(commands[i].cmd, handle, commands[i].help);

		if (rc != 0) {
			WK_LOG(telemetry, ERR, "%s: %s\n", commands[i].cmd, strerror(-rc));
			return rc;
		}
	}
	pthread_mutex_lock(&gate.lock);
	gate.app = app;
	pthread_mutex_unlock(&gate.lock);
	return 0;
}

void wk_telemetry_fini(struct wk_app *app)
{
	(void)app;
	pthread_mutex_lock(&gate.lock);
	gate.app = NULL;
	pthread_mutex_unlock(&gate.lock);
}
