/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>

#include "clock.h"
#include "event_ring.h"
#include "events.h"
#include "log.h"

WK_LOG_TYPE(events);

#define DRAIN_BURST 32u

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * WK_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* @return 0 with *fd -1 for "none". */
static int file_open(const char *path, int *fd)
{
	*fd = -1;
	if (path[0] == '\0')
		return 0;
	if (strcmp(path, "-") == 0)
		*fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		*fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	return *fd < 0 ? -errno : 0;
}

static uint64_t lines_in(const char *buf, size_t len_b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len_b; i++)
		n += buf[i] == '\n';
	return n;
}

/* Gets the lines out. Not by stdio: a signal (net_tap's SIGIO) may interrupt a write to a pipe at
 * any byte. */
static void flush(struct wk_events *events)
{
	size_t done_b = 0;

	while (done_b < events->used_b) {
		ssize_t n = write(events->fd, events->buf + done_b, events->used_b - done_b);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done_b += (size_t)n;
	}
	if (done_b < events->used_b) {
		events->lost += lines_in(events->buf + done_b, events->used_b - done_b);
		if (!events->broken)
			WK_LOG(events, ERR, "cannot write events to %s: %s\n", events->path,
			       strerror(errno));
	}
	events->broken = done_b < events->used_b;
	events->used_b = 0;
}

int wk_events_change(struct wk_events *events, const char *path, uint32_t per_second)
{
	char *copy = strdup(path);
	int fd = -1;
	int rc = copy ? file_open(copy, &fd) : -ENOMEM;

	if (rc != 0) {
		free(copy);
		return rc;
	}
	wk_events_close(events);
	events->fd = fd;
	events->path = copy;
	events->per_second = per_second;
	events->broken = false;
	return 0;
}

int wk_events_open(struct wk_events *events, const char *path, uint32_t per_second,
		   const char *instance)
{
	memset(events, 0, sizeof(*events));
	events->fd = -1;
	events->instance = instance;
	events->budget = per_second;
	return wk_events_change(events, path, per_second);
}

int wk_events_reopen(struct wk_events *events)
{
	return wk_events_change(events, events->path, events->per_second);
}

void wk_events_close(struct wk_events *events)
{
	flush(events);
	if (events->fd >= 0)
		close(events->fd);
	free(events->path);
	events->fd = -1;
	events->path = NULL;
}

static void put_line(struct wk_events *events, const char *line, size_t len_b)
{
	if (len_b == 0) {
		events->lost++;
		return;
	}
	if (events->used_b + len_b > sizeof(events->buf))
		flush(events);
	memcpy(events->buf + events->used_b, line, len_b);
	events->used_b += len_b;
}

static void write_event(struct wk_events *events, const struct wk_event *event,
			const char *const *wires)
{
	/* The worker's clock knows no date: date it by how long ago it was. */
	uint64_t age_ns = events->now_ns > event->now_ns ? events->now_ns - event->now_ns : 0;
	struct wk_event_ctx ctx = {
		.instance = events->instance,
		.wire = wires[event->wire],
		.wall_ns = events->wall_ns - age_ns,
	};
	char line[WK_EVENT_LINE_MAX_B];

	if (events->fd < 0)
		return;
	if (events->budget == 0) {
		events->lost++;
		return;
	}
	events->budget--;
	put_line(events, line, wk_event_line(event, &ctx, line, sizeof(line)));
}

uint32_t wk_events_drain(struct wk_events *events, struct rte_ring *ring, uint64_t now_ns,
			 const char *const *wires)
{
	struct wk_event burst[DRAIN_BURST];
	uint32_t sum = 0;
	uint32_t n;

	events->now_ns = now_ns;
	events->wall_ns = clock_ns(CLOCK_REALTIME);
	/* Bounded by one ring, so that a storm of events leaves time for everything else. */
	while (sum < WK_EVENT_RING_SLOTS && (n = wk_event_ring_get(ring, burst, DRAIN_BURST)) > 0) {
		for (uint32_t i = 0; i < n; i++)
			write_event(events, &burst[i], wires);
		sum += n;
	}
	flush(events);
	return sum;
}

void wk_events_say(struct wk_events *events, const char *name,
		   const struct wk_event_member *members, uint32_t n)
{
	char line[WK_EVENT_LINE_MAX_B];
	struct wk_json json;

	if (events->fd < 0)
		return;
	wk_event_line_begin(&json, line, sizeof(line), clock_ns(CLOCK_REALTIME), name,
			    events->instance);
	for (uint32_t i = 0; i < n; i++) {
		if (members[i].value)
			wk_json_str(&json, members[i].key, members[i].value);
		else
			wk_json_u64(&json, members[i].key, members[i].number);
	}
	put_line(events, line, wk_json_end(&json));
	flush(events);
}

void wk_events_tick(struct wk_events *events)
{
	uint64_t second = clock_ns(CLOCK_MONOTONIC) / WK_NS_PER_S;
	uint64_t lost;

	if (second == events->second)
		return;
	events->second = second;
	events->budget = events->per_second;
	if (events->lost == events->lost_told)
		return;
	lost = events->lost - events->lost_told;
	events->lost_told = events->lost;
	wk_events_say(events, "events_lost",
		      &(struct wk_event_member){ .key = "count", .number = lost }, 1);
}
