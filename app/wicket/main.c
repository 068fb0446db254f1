/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - what is started, in order, and stopped, in reverse. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include "app.h"
#include "explain.h"
#include "log.h"

WK_LOG_TYPE(main);

static int log_init(struct wk_app *app)
{
	int rc = wk_log_open(app->conf->log.file);

	if (rc != 0)
		fprintf(stderr, "wicket: log.file %s: %s\n", app->conf->log.file, strerror(-rc));
	wk_log_level(app->conf->log.level);
	return rc;
}

static int events_init(struct wk_app *app)
{
	int rc;

	snprintf(app->instance, sizeof(app->instance), "%s", app->conf->instance);
	rc = wk_events_open(&app->events, app->conf->events.file, app->conf->events.per_second,
			    app->instance);
	if (rc != 0)
		WK_LOG(main, ERR, "events.file %s: %s\n", app->conf->events.file, strerror(-rc));
	return rc;
}

static void events_fini(struct wk_app *app)
{
	wk_events_say(&app->events, "stop", NULL, 0);
	wk_events_close(&app->events);
}

static int signals_init(struct wk_app *app)
{
	return wk_control_signals(app);
}

static void signals_fini(struct wk_app *app)
{
	close(app->signal_fd);
}

static int eal_init(struct wk_app *app)
{
	int rc = wk_eal_start(app->conf, app->args.eal, app->args.n_eal, &app->eal);

	if (rc != 0)
		wk_eal_argv_free(&app->eal);
	else
		wk_log_level(app->conf->log.level); /* EAL has set its own */
	return rc;
}

static void eal_fini(struct wk_app *app)
{
	rte_eal_cleanup();
	wk_eal_argv_free(&app->eal);
}

static int ports_init(struct wk_app *app)
{
	int rc = wk_ports_start(&app->ports);

	return rc == 0 ? wk_app_rss_init(app) : rc;
}

/* A step that fails has cleaned up after itself. */
static const struct {
	const char *name;
	int (*init)(struct wk_app *app);
	void (*fini)(struct wk_app *app);
} steps[] = {
	{ "log", log_init, NULL },
	{ "events", events_init, events_fini },
	{ "signals", signals_init, signals_fini },
	{ "EAL", eal_init, eal_fini },
	{ "tables", wk_app_tables_init, wk_app_tables_fini },
	{ "snapshot", wk_app_snapshot_init, wk_app_snapshot_fini },
	{ "workers", wk_app_workers_init, wk_app_workers_fini },
	{ "telemetry", wk_telemetry_init, wk_telemetry_fini },
	{ "ports", ports_init, NULL }, /* closed with the tables */
};

static int run(struct wk_app *app)
{
	size_t done = 0;
	int rc = 0;

	while (done < RTE_DIM(steps) && rc == 0) {
		rc = steps[done].init(app);
		if (rc == 0)
			done++;
		else
			WK_LOG(main, ERR, "start failed at: %s\n", steps[done].name);
	}
	if (rc == 0) {
		wk_app_run(app);
		wk_control_loop(app);
	}
	while (done-- > 0)
		if (steps[done].fini)
			steps[done].fini(app);
	wk_conf_free(app->conf);
	return rc == 0 ? WK_EXIT_OK : WK_EXIT_RUN;
}

/* Reads and validates all that can be validated without EAL. */
static int load(const char *file, struct wk_conf **conf)
{
	struct wk_conf_error err = { "" };
	int rc = wk_conf_load(file, conf, &err);

	if (rc == 0) {
		rc = wk_snapshot_check(*conf, &err);
		if (rc != 0)
			wk_conf_free(*conf);
	}
	if (rc != 0)
		fprintf(stderr, "%s\n", err.text);
	return rc;
}

static int dump(const char *file)
{
	struct wk_conf *conf = NULL;

	if (!file)
		conf = wk_conf_defaults();
	else if (load(file, &conf) != 0)
		return WK_EXIT_USAGE;
	if (!conf)
		return WK_EXIT_RUN;
	wk_conf_dump(conf, stdout);
	wk_conf_free(conf);
	return fflush(stdout) == 0 ? WK_EXIT_OK : WK_EXIT_RUN;
}

static int check(const char *file)
{
	struct wk_conf *conf;

	if (load(file, &conf) != 0)
		return WK_EXIT_USAGE;
	printf("%s: ok\n", file);
	wk_conf_free(conf);
	return WK_EXIT_OK;
}

static int explain(const char *file, const struct wk_args_call *call)
{
	struct wk_conf *conf;
	int rc;

	if (load(file, &conf) != 0)
		return WK_EXIT_USAGE;
	rc = wk_explain(conf, call, stdout, stderr);
	wk_conf_free(conf);
	return fflush(stdout) == 0 ? rc : WK_EXIT_RUN;
}

int main(int argc, char **argv)
{
	static struct wk_app app = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ask_lock = PTHREAD_MUTEX_INITIALIZER,
		.signal_fd = -1,
	};

	if (wk_args_parse(argc, argv, &app.args, stderr) != 0)
		return WK_EXIT_USAGE;
	switch (app.args.mode) {
	case WK_ARGS_HELP:
		wk_args_help(stdout);
		return WK_EXIT_OK;
	case WK_ARGS_VERSION:
		puts("wicket " WK_VERSION);
		return WK_EXIT_OK;
	case WK_ARGS_DUMP:
		return dump(app.args.file);
	case WK_ARGS_CHECK:
		return check(app.args.file);
	case WK_ARGS_EXPLAIN:
		return explain(app.args.file, &app.args.call);
	case WK_ARGS_RUN:
		break;
	}
	if (load(app.args.file, &app.conf) != 0)
		return WK_EXIT_USAGE;
	return run(&app);
}
