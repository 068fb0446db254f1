/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - another configuration while packets flow: parse, validate, build beside, exchange. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_rcu_qsbr.h>

#include "app.h"
#include "log.h"

WK_LOG_TYPE(reload);

#define GRACE_NS 2000000000ull

/* Workers report themselves every 100 us: that one does not for so long is a bug, which a leak
 * survives and a free does not. */
static bool grace(struct wk_app *app)
{
	uint64_t token = rte_rcu_qsbr_start(app->rcu);
	uint64_t end = wk_clock_now(&app->clock) + GRACE_NS;

	while (rte_rcu_qsbr_check(app->rcu, token, false) == 0) {
		if (wk_clock_now(&app->clock) > end)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
	return true;
}

static void publish(struct wk_app *app, struct wk_snapshot *next)
{
	struct wk_snapshot *old;

	pthread_mutex_lock(&app->lock);
	old = atomic_exchange(&app->snapshot, next);
	pthread_mutex_unlock(&app->lock);
	if (grace(app))
		wk_snapshot_free(old);
	else
		WK_LOG(reload, CRIT, "a worker does not let go of policy version %" PRIu64 "\n",
		       old->version);
}

static int refuse(struct wk_app *app, struct wk_conf *conf, int rc, const char *why)
{
	const struct wk_event_member members[] = { { .key = "message", .value = why } };

	WK_LOG(reload, ERR, "reload refused, the old policy stays in force: %s\n", why);
	wk_events_say(&app->events, "reload_refused", members, RTE_DIM(members));
	wk_conf_free(conf);
	return rc;
}

/* Where log and events go. Opened before the exchange, so that it cannot fail afterwards. */
static int reopen_changed(struct wk_app *app, const struct wk_conf *old, const struct wk_conf *next,
			  struct wk_conf_error *err)
{
	int rc = 0;

	if (strcmp(old->events.file, next->events.file) != 0 ||
	    old->events.per_second != next->events.per_second)
		rc = wk_events_change(&app->events, next->events.file, next->events.per_second);
	if (rc != 0) {
		snprintf(err->text, sizeof(err->text), "%s: events.file %s: %s", next->file,
			 next->events.file, strerror(-rc));
		return rc;
	}
	if (strcmp(old->log.file, next->log.file) != 0)
		rc = wk_log_open(next->log.file);
	if (rc != 0) {
		snprintf(err->text, sizeof(err->text), "%s: log.file %s: %s", next->file,
			 next->log.file, strerror(-rc));
		/* The old file was good a moment ago. */
		wk_events_change(&app->events, old->events.file, old->events.per_second);
	}
	return rc;
}

int wk_app_reload(struct wk_app *app)
{
	const struct wk_snapshot *old = atomic_load(&app->snapshot);
	struct wk_conf_error err = { "" };
	struct wk_conf *conf = NULL;
	struct wk_snapshot *next = NULL;
	const char *key;
	int rc = wk_conf_load(app->args.file, &conf, &err);

	if (rc != 0)
		return refuse(app, NULL, rc, err.text);
	key = wk_conf_needs_restart(old->conf, conf);
	if (key) {
		snprintf(err.text, sizeof(err.text), "%s: %s cannot change without a restart",
			 conf->file, key);
		return refuse(app, conf, -EINVAL, err.text);
	}
	/* A call may be denied while we ask: all that the file gives up is retired first, and shed
	 * when no worker denies anything there any more. */
	rc = wk_snapshot_build(conf, ++app->last_version, old, UINT32_MAX, &next, &err);
	if (rc != 0)
		return refuse(app, conf, rc, err.text);
	rc = reopen_changed(app, old->conf, conf, &err);
	if (rc != 0) {
		wk_snapshot_free(next); /* and conf with it */
		return refuse(app, NULL, rc, err.text);
	}
	wk_log_level(conf->log.level);
	publish(app, next);
	WK_LOG(reload, NOTICE, "reloaded %s: policy version %" PRIu64 " is in force\n",
	       app->args.file, next->version);
	wk_events_say(&app->events, "reload",
		      &(struct wk_event_member){ .key = "policy_version", .number = next->version },
		      1);
	return 0;
}

void wk_app_shed_retired(struct wk_app *app)
{
	const struct wk_snapshot *old = atomic_load(&app->snapshot);
	struct wk_conf_error err = { "" };
	struct wk_snapshot *next = NULL;

	if (old->n_retired == 0 || wk_app_edited_flows(app) > 0)
		return;
	if (wk_snapshot_rebuild(old, ++app->last_version, 0, &next, &err) != 0) {
		WK_LOG(reload, ERR, "retired services stay guarded: %s\n", err.text);
		return;
	}
	publish(app, next);
	WK_LOG(reload, NOTICE,
	       "retired services are no longer guarded: policy version %" PRIu64 "\n",
	       next->version);
}

void wk_app_reopen(struct wk_app *app)
{
	int rc = wk_log_reopen();

	if (rc != 0)
		WK_LOG(reload, ERR, "cannot open the log anew: %s\n", strerror(-rc));
	rc = wk_events_reopen(&app->events);
	if (rc != 0)
		WK_LOG(reload, ERR, "cannot open %s anew: %s\n", app->events.path, strerror(-rc));
	else
		WK_LOG(reload, NOTICE, "log and events opened anew\n");
}
