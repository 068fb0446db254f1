/* SPDX-License-Identifier: Apache-2.0 */
/* rss.c - who says which worker owns the packets of a wire: its ports, or a hash of ours. */
#include <errno.h>

#include "app.h"
#include "log.h"

WK_LOG_TYPE(rss);

/* @return NULL when both ports of the wire spread alike, as told, or why not (static text) and by
 * whom. */
static const char *wire_by_nic(struct wk_app *app, const struct wk_conf_wire *wire,
			       const struct wk_port **port)
{
	struct wk_port *ends[WK_DIRS] = { &app->ports.v[wire->client],
					  &app->ports.v[wire->server] };

	for (int i = 0; i < WK_DIRS; i++) {
		const char *why;

		*port = ends[i];
		if (!ends[i]->pci)
			return "a virtual device spreads by rules of its own";
		why = wk_port_rss_set(ends[i]->id, app->n_workers, &ends[i]->rss);
		if (why)
			return why;
	}
	if (ends[0]->rss.types != ends[1]->rss.types ||
	    ends[0]->rss.reta_size != ends[1]->rss.reta_size)
		return "it does not spread as the other port of its wire";
	return NULL;
}

int wk_app_rss_init(struct wk_app *app)
{
	const struct wk_snapshot *snapshot = atomic_load(&app->snapshot);
	const struct wk_conf *conf = snapshot->conf;

	if (app->n_workers == 1)
		return 0;
	for (uint32_t w = 0; w < conf->n_wires; w++) {
		const struct wk_port *port = NULL;
		const char *why = "the configuration says so";

		if (conf->rss != WK_CONF_RSS_SOFTWARE)
			why = wire_by_nic(app, &conf->wires[w], &port);
		if (!why) {
			app->team.owners.reta_size[w] = port->rss.reta_size;
			WK_LOG(rss, NOTICE, "wire %s: its ports choose the worker\n",
			       app->wires[w]);
			continue;
		}
		if (conf->rss == WK_CONF_RSS_NIC) {
			WK_LOG(rss, ERR, "rss = \"nic\": port %s (%s): %s\n", port->name,
			       port->device, why);
			return -ENOTSUP;
		}
		WK_LOG(rss, NOTICE, "wire %s: a hash in software chooses the worker (%s%s%s)\n",
		       app->wires[w], port ? port->name : "", port ? ": " : "", why);
	}
	return 0;
}
