/* SPDX-License-Identifier: Apache-2.0 */
/* events.h - what happened, for whoever has to know: one JSON object a line.
 *
 * Written by the main lcore to the file that the configuration names. Verdicts come from the
 * workers through their rings; starts, stops, reloads and link changes from the main lcore itself.
 * At most events.per_second lines of verdicts a second; what is above that is counted, told once a
 * second, and gone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "wk_inspect.h"

struct rte_ring;

#define WK_EVENT_LINE_MAX_B 4096u
#define WK_EVENTS_BUF_B     65536u

struct wk_events {
	int fd; /* -1: nobody wants them */
	char *path;
	const char *instance;
	uint32_t per_second;
	uint32_t budget;    /* lines left of this second */
	uint64_t second;    /* CLOCK_MONOTONIC */
	uint64_t lost;      /* since the start: over the rate, or not written */
	uint64_t lost_told; /* of which a line has been written */
	uint64_t now_ns;    /* the workers' clock, at wall_ns */
	uint64_t wall_ns;
	bool broken;   /* the last write failed: told once */
	size_t used_b; /* of buf: whole lines that have not been written yet */
	char buf[WK_EVENTS_BUF_B];
};

/* What the line needs besides the event. */
struct wk_event_ctx {
	const char *instance;
	const char *wire;
	uint64_t wall_ns; /* when it happened, since the epoch */
};

/* event_line.c: pure. @return the length of the line, 0 when it does not fit. */
size_t wk_event_line(const struct wk_event *event, const struct wk_event_ctx *ctx, char *buf,
		     size_t size_b);
/* Starts a line with its time, name and instance. */
void wk_event_line_begin(struct wk_json *json, char *buf, size_t size_b, uint64_t wall_ns,
			 const char *name, const char *instance);

/* path "-" is stdout, "" is none; instance has to outlive this. @return 0 or -errno. */
int wk_events_open(struct wk_events *events, const char *path, uint32_t per_second,
		   const char *instance);
void wk_events_close(struct wk_events *events);
/* Another path or rate; on failure the old one stays. @return 0 or -errno. */
int wk_events_change(struct wk_events *events, const char *path, uint32_t per_second);
/* The same path anew, after a rotation. @return 0 or -errno. */
int wk_events_reopen(struct wk_events *events);

/* Writes what has come. wires: names by number. @return events taken out of the ring. */
uint32_t wk_events_drain(struct wk_events *events, struct rte_ring *ring, uint64_t now_ns,
			 const char *const *wires);
/* To be called a few times a second: tells of lost events, gets lines onto the disk. */
void wk_events_tick(struct wk_events *events);

/* An event of the program itself, with further members: text, or a number where value is NULL. */
struct wk_event_member {
	const char *key;
	const char *value;
	uint64_t number;
};
void wk_events_say(struct wk_events *events, const char *name,
		   const struct wk_event_member *members, uint32_t n);
