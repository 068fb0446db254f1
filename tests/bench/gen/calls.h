/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h - which connections open, which calls are made on them, and what becomes of them: a
 * closed loop, in which the end of a call lets the next one begin. */
#pragma once

#include "conn.h"

void calls_create(void);
void calls_free(void);
/* Opens connections from..from+n, up to options.opening at a time. To be called each round until
 * it returns true: all are open, and their first calls are over. */
bool calls_opening(uint32_t from, uint32_t n);
/* Lets each of the connections make calls for ever. */
void calls_loose(uint32_t from, uint32_t n);
/* Begins what the room between the ports allows. */
void calls_begin(void);
/* The same for FINs: true once all connections from..from+n are closed. */
bool calls_closing(uint32_t from, uint32_t n);

/* From the connection: the server's SETTINGS have come; the client has the whole answer, or its
 * 403; both FINs have arrived. */
void calls_ready(struct conn *conn);
void calls_over(struct conn *conn, struct call *call);
void calls_closed(const struct conn *conn);
