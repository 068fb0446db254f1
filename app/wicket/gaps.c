/* SPDX-License-Identifier: Apache-2.0 */
#include "gaps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "retire.h"

static bool same(const struct wk_inspect_gap *a, const struct wk_inspect_gap *b)
{
	return a->family == b->family && a->len == b->len && a->port == b->port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* Places are for all of them. */
static void note(struct wk_snapshot *snapshot, const struct wk_inspect_gap *gap)
{
	uint32_t i = 0;

	while (i < snapshot->on.n_gaps && !same(&snapshot->gaps[i], gap))
		i++;
	if (i == WK_GAPS_MAX) {
		snapshot->gaps[0] =
			(struct wk_inspect_gap){ .family = 4, .version = snapshot->version };
		snapshot->gaps[1] =
			(struct wk_inspect_gap){ .family = 6, .version = snapshot->version };
		snapshot->on.n_gaps = 2;
		return;
	}
	snapshot->gaps[i] = *gap;
	if (i == snapshot->on.n_gaps)
		snapshot->on.n_gaps++;
}

static int note_port(struct wk_snapshot *snapshot, const struct wk_snapshot_service *service,
		     uint16_t port)
{
	struct wk_snapshot_service left;
	int rc = wk_retire(service, port, snapshot->conf, &left);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < left.n_addresses; i++) {
		struct wk_inspect_gap gap = {
			.family = left.addresses[i].family,
			.len = left.addresses[i].len,
			.port = port,
			.version = snapshot->version,
		};

		memcpy(gap.addr, left.addresses[i].addr, sizeof(gap.addr));
		note(snapshot, &gap);
	}
	wk_retire_free(&left);
	return 0;
}

static int note_service(struct wk_snapshot *snapshot, const struct wk_snapshot_service *service)
{
	int rc = 0;

	for (uint32_t i = 0; i < service->n_ports && rc == 0; i++)
		rc = note_port(snapshot, service, service->ports[i]);
	return rc;
}

int wk_gaps_fill(struct wk_snapshot *snapshot, const struct wk_snapshot *previous, bool retire)
{
	int rc = 0;

	snapshot->gaps = calloc(WK_GAPS_MAX, sizeof(*snapshot->gaps));
	if (snapshot->gaps == NULL)
		return -ENOMEM;
	snapshot->on.gaps = snapshot->gaps;
	for (uint32_t i = 0; previous != NULL && i < previous->on.n_gaps; i++)
		snapshot->gaps[snapshot->on.n_gaps++] = previous->gaps[i];
	for (uint32_t i = 0; previous != NULL && !retire && i < previous->n_services && rc == 0;
	     i++)
		rc = note_service(snapshot, &previous->services[i]);
	return rc;
}
