/* SPDX-License-Identifier: Apache-2.0 */
/* telemetry.h - what the files of the telemetry commands share.
 *
 * Handlers run on the telemetry thread, one at a time and only between wk_telemetry_init and
 * wk_telemetry_fini. A reply is at most 16 KiB, or it is silently cut: lists come in pages. */
#pragma once

#include <rte_telemetry.h>

#include "app.h"

typedef int wk_telemetry_fn(struct wk_app *app, const char *params, struct rte_tel_data *d);

/* telemetry_state.c: what it is and how it is set up. */
wk_telemetry_fn wk_telemetry_info;
wk_telemetry_fn wk_telemetry_ports;
wk_telemetry_fn wk_telemetry_services;
wk_telemetry_fn wk_telemetry_lcores;

/* telemetry_stats.c: what it has done and how full it is. */
wk_telemetry_fn wk_telemetry_stats;
wk_telemetry_fn wk_telemetry_reasons;
wk_telemetry_fn wk_telemetry_tables;
wk_telemetry_fn wk_telemetry_flows;

/* The number that stands in params; 0 for none. @return false for anything else. */
bool wk_telemetry_number(const char *params, uint64_t *number);
