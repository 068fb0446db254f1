/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - the main lcore: signals, events, links, the service manager. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "app.h"
#include "log.h"

WK_LOG_TYPE(control);

#define TICK_NS (20 * WK_NS_PER_MS)
#define SLOW_NS (1000 * WK_NS_PER_MS)
/* Everything that happens between a request to stop and the end. */
#define STOP_S 5u

static void our_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
}

int wk_control_signals(struct wk_app *app)
{
	sigset_t set;

	/* Only ours: net_tap signals each arrival with SIGIO and needs it delivered. */
	our_signals(&set);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -EINVAL;
	signal(SIGPIPE, SIG_IGN);
	app->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return app->signal_fd < 0 ? -errno : 0;
}

/* A second signal, or a stop that takes too long, ends the process at once. */
static void stop_begins(int signo)
{
	sigset_t set;

	WK_LOG(control, NOTICE, "stopping on signal %d\n", signo);
	sd_notify(0, "STOPPING=1\nSTATUS=stopping");
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	our_signals(&set);
	sigdelset(&set, SIGHUP);
	sigdelset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	alarm(STOP_S);
}

static void notify_status(const struct wk_app *app, const char *state)
{
	const struct wk_snapshot *snapshot = atomic_load(&app->snapshot);

	sd_notifyf(0, "%s\nSTATUS=policy version %" PRIu64 ", %u services", state,
		   snapshot->version, snapshot->conf->n_services);
}

static void reload(struct wk_app *app)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u);
	wk_app_reload(app);
	notify_status(app, "READY=1");
}

/* @return the signal that stops the program, or 0. */
static int take_signals(struct wk_app *app)
{
	struct signalfd_siginfo info;

	while (read(app->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGHUP:
			reload(app);
			break;
		case SIGUSR1:
			wk_app_reopen(app);
			break;
		default:
			return (int)info.ssi_signo;
		}
	}
	return 0;
}

static void link_changed(void *user, struct wk_port *port)
{
	struct wk_app *app = user;
	const struct wk_event_member members[] = {
		{ .key = "port", .value = port->name },
		{ .key = "link", .value = port->link_up ? "up" : "down" },
	};

	WK_LOG(control, NOTICE, "port %s: link %s\n", port->name, port->link_up ? "up" : "down");
	wk_events_say(&app->events, "link", members, RTE_DIM(members));
}

struct watchdog {
	uint64_t interval_ns; /* 0: nobody watches */
	uint64_t fed_ns;
	uint64_t loops[WK_CONF_WORKERS_MAX];
	bool told;
};

static void watchdog_init(struct watchdog *dog)
{
	uint64_t us = 0;

	*dog = (struct watchdog){ .interval_ns = 0 };
	if (sd_watchdog_enabled(0, &us) > 0)
		dog->interval_ns = us * 1000u / 3u;
}

/* Fed only if every worker has moved since the last time. */
static void watchdog_feed(struct watchdog *dog, struct wk_app *app, uint64_t now_ns)
{
	bool stuck = false;

	if (dog->interval_ns == 0 || now_ns - dog->fed_ns < dog->interval_ns)
		return;
	for (uint32_t i = 0; i < app->launched; i++) {
		uint64_t loops = atomic_load(&app->workers[i]->load.loops);

		stuck |= loops == dog->loops[i];
		dog->loops[i] = loops;
	}
	dog->fed_ns = now_ns;
	if (!stuck)
		sd_notify(0, "WATCHDOG=1");
	else if (!dog->told)
		WK_LOG(control, CRIT, "a worker does not move: the watchdog is not fed\n");
	dog->told = stuck;
}

void wk_control_loop(struct wk_app *app)
{
	struct pollfd fd = { .fd = app->signal_fd, .events = POLLIN };
	const struct timespec tick = { .tv_nsec = (long)TICK_NS };
	struct watchdog dog;
	uint64_t tick_ns = 0;
	uint64_t slow_ns = 0;
	int stop = 0;

	watchdog_init(&dog);
	notify_status(app, "READY=1");
	WK_LOG(control, NOTICE, "ready\n");
	wk_events_say(&app->events, "start",
		      &(struct wk_event_member){ .key = "version", .value = WK_VERSION }, 1);
	while (stop == 0) {
		uint64_t now_ns;

		if (ppoll(&fd, 1, &tick, NULL) > 0)
			stop = take_signals(app);
		/* Interrupted by SIGIO at each arrival: look at the clock before doing more. */
		now_ns = wk_clock_now(&app->clock);
		if (now_ns - tick_ns < TICK_NS)
			continue;
		tick_ns = now_ns;
		wk_app_drain(app);
		wk_events_tick(&app->events);
		watchdog_feed(&dog, app, now_ns);
		if (now_ns - slow_ns < SLOW_NS)
			continue;
		slow_ns = now_ns;
		wk_ports_poll_links(&app->ports, link_changed, app);
		wk_app_shed_retired(app);
	}
	stop_begins(stop);
}
