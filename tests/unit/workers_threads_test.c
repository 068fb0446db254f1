/* SPDX-License-Identifier: Apache-2.0 */
/* Workers in threads of their own, as they run: each hands most of what it gets to the others,
 * while somebody asks for their counters. For a build with -fsanitize=thread, too
 * (docs/testing.md): a buffer is used once only, since the pool's own ring is not instrumented. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "../support/test_frame.h"
#include "team_kit.h"

#define MS     1000000ull
#define FRAMES 200u /* of each: those of all cases fit in the pool once */
#define CUTS   200u

static const char *const conf_text =
	"version = 1; ports = ( { name = \"a\"; device = \"net_ring0\"; },"
	" { name = \"b\"; device = \"net_ring1\"; } );"
	"wires = ( { client = \"a\"; server = \"b\"; } );"
	"services = ( { name = \"s\"; addresses = [ \"10.12.0.10\" ]; port = 50051; "
	"access = ( { name = \"r\"; from = [ \"10.0.0.0/8\" ]; allow = [ \"/S/M\" ]; } ); } );";

static uint32_t n_workers;
static _Atomic uint32_t asked;                      /* number of the cut that is wanted */
static _Atomic uint32_t answered[TEAM_WORKERS_MAX]; /* and of those that were made */
static _Atomic uint32_t fed;                        /* workers that have nothing more to send */
static _Atomic bool over;

static void feed(uint32_t self, uint32_t number)
{
	struct test_frame_spec spec = {
		.ip_version = 4,
		.proto = IPPROTO_TCP,
		.src = { 10, 11, (uint8_t)self, (uint8_t)(number >> 8) },
		.dst = { 10, 12, 0, 10 },
		.sport = (uint16_t)(40000 + number),
		.dport = 50051,
		.seq = number,
		.wnd = 1000,
		.tcp_flags = 0x02,
	};
	struct test_frame frame;

	test_frame_build(&frame, &spec);
	if (!team_feed(0, WK_C2S, self, frame.bytes, frame.len_b))
		abort();
}

static void answer(struct wk_worker *worker)
{
	uint32_t number = atomic_load_explicit(&asked, memory_order_acquire);

	if (number == atomic_load_explicit(&answered[worker->index], memory_order_relaxed))
		return;
	wk_worker_cut(worker, number);
	atomic_store_explicit(&answered[worker->index], number, memory_order_release);
}

static void *run(void *arg)
{
	struct wk_worker *worker = arg;
	uint32_t sent = 0;
	uint64_t now_ns = MS;

	while (!atomic_load(&over)) {
		if (sent < FRAMES) {
			feed(worker->index, sent++);
			if (sent == FRAMES)
				atomic_fetch_add(&fed, 1);
		}
		wk_worker_step(worker, now_ns++);
		answer(worker);
		sched_yield();
	}
	return NULL;
}

/* @return false where the books of one moment do not balance. */
static bool moment(uint32_t number)
{
	struct wk_stats sum = { .held = 0 };

	atomic_store_explicit(&asked, number, memory_order_release);
	for (uint32_t i = 0; i < n_workers; i++)
		while (atomic_load_explicit(&answered[i], memory_order_acquire) != number)
			sched_yield();
	for (uint32_t i = 0; i < n_workers; i++)
		wk_stats_add(&sum, &team.worker[i]->cut);
	if (sum.counter[WK_CNT_TAKEN] > sum.counter[WK_CNT_HANDOVER])
		return false;
	wk_stats_close(&sum);
	return sum.counter[WK_CNT_RX] + sum.counter[WK_CNT_ORIGINATED] ==
	       sum.counter[WK_CNT_TX] + wk_stats_dropped(&sum) + sum.held;
}

static void run_all(uint32_t n)
{
	const struct team_conf conf = { .workers = n, .inbox = 256, .owner_secret = 5 };
	struct wk_snapshot *snapshot = team_snapshot(conf_text);
	pthread_t threads[TEAM_WORKERS_MAX];
	struct wk_stats sum;
	uint32_t number = 0;
	bool good = true;

	n_workers = n;
	atomic_store(&asked, 0);
	atomic_store(&fed, 0);
	atomic_store(&over, false);
	for (uint32_t i = 0; i < n; i++)
		atomic_store(&answered[i], 0);
	assert_non_null(snapshot);
	assert_int_equal(team_open(&conf, snapshot), 0);
	for (uint32_t i = 0; i < n_workers; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, team.worker[i]), 0);
	while (number < CUTS || atomic_load(&fed) < n_workers)
		good &= moment(++number);
	atomic_store(&over, true);
	for (uint32_t i = 0; i < n_workers; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(good);
	team_run(2 * MS);
	team_stats(&sum);
	assert_int_equal(sum.counter[WK_CNT_RX], n * FRAMES);
	assert_int_equal(sum.counter[WK_CNT_TAKEN], sum.counter[WK_CNT_HANDOVER]);
	assert_in_range(sum.counter[WK_CNT_HANDOVER], n * FRAMES / 4, n * FRAMES);
	assert_int_equal(sum.reason[WK_DROP_HANDOVER], 0);
	assert_true(team_balanced());
	assert_true(team_close());
	wk_snapshot_free(snapshot);
}

static void two_workers_that_run_at_once_lose_nothing(void **state)
{
	(void)state;
	run_all(2);
}

static void three_workers_that_run_at_once_lose_nothing(void **state)
{
	(void)state;
	run_all(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_workers_that_run_at_once_lose_nothing),
		cmocka_unit_test(three_workers_that_run_at_once_lose_nothing),
	};

	return cmocka_run_group_tests_name("workers_threads", tests, team_set_up, team_tear_down);
}
