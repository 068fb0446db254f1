/* SPDX-License-Identifier: Apache-2.0 */
/* busy.h - what a wicket says of its workers: cycles of loops that moved a packet. */
#pragma once

#include <stdint.h>

struct busy {
	uint64_t cycles;  /* of all workers */
	uint64_t packets; /* received by them */
};

/* Asks the telemetry socket; ends the process if there is no answer within some seconds. */
struct busy busy_ask(const char *socket_path);
