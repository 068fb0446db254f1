/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - wicket-gen: gRPC clients and servers at both ends of a box, in one thread.
 *
 * A round takes what has come at both ports, lets calls begin, and sends. The phases of a run are
 * loops of rounds, each with a deadline. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "block.h"
#include "calls.h"
#include "net.h"
#include "plain.h"
#include "report.h"
#include "tcp.h"
#include "wire.h"

#define LATE_MS 10u
#define LINK_S  20.0

struct gen gen;
static uint64_t began, deadline, late_at;
static const char *phase = "opening";
static volatile sig_atomic_t interrupted;

void gen_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "wicket-gen: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	net_abandon();
	exit(1);
}

uint64_t gen_draw(void)
{
	static uint64_t state;

	if (state == 0)
		state = options.seed * UINT64_C(0x9e3779b97f4a7c15) + 0x1234567;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* As a box might: what follows must notice it. */
static void spoil(struct rte_mbuf *mbuf, const struct segment *seg)
{
	static uint64_t n;

	if (options.spoil > 0 && seg->data_b > 0 && ++n == options.spoil)
		segment_spoil(mbuf, seg);
}

static void take(enum side side, struct rte_mbuf *mbuf)
{
	struct segment seg;

	gen.counts.received++;
	gen.counts.bytes += mbuf->pkt_len;
	switch (segment_read(mbuf, side, &seg)) {
	case SEG_TCP:
		if (seg.connection >= conn_count())
			gen_fail("a segment of connection %u of %u", seg.connection, conn_count());
		spoil(mbuf, &seg);
		tcp_receive(conn_at(seg.connection), side, &seg);
		break;
	case SEG_PLAIN:
		plain_receive(side, &seg);
		break;
	case SEG_FOREIGN:
		gen.counts.foreign++;
		break;
	}
	rte_pktmbuf_free(mbuf);
}

static void check_time(void)
{
	if (interrupted)
		gen_fail("interrupted");
	if (gen.now > deadline)
		gen_fail("no end within %.0f s", options.limit_s);
	if ((double)(gen.now - gen.moved) > options.stall_s * (double)gen.hz)
		gen_fail("nothing has come for %.1f s while %s: %llu calls and %llu datagrams are "
			 "on their way, %u frames wait for a port, of %u connections %llu have "
			 "opened and %llu closed",
			 options.stall_s, phase, (unsigned long long)gen.open,
			 (unsigned long long)plain_open(), net_waiting(), conn_count(),
			 (unsigned long long)gen.counts.opened,
			 (unsigned long long)gen.counts.closed);
}

static void one_round(void)
{
	struct rte_mbuf *mbufs[NET_BURST];
	uint32_t got = 0;

	gen.now = rte_rdtsc();
	for (int side = CLIENT; side <= SERVER; side++) {
		uint32_t n = net_receive(side, mbufs);

		for (uint32_t i = 0; i < n; i++)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
		for (uint32_t i = 0; i < n; i++)
			take(side, mbufs[i]);
		got += n;
	}
	calls_begin();
	plain_begin();
	tcp_send();
	if (gen.now >= late_at) {
		tcp_late();
		late_at = gen.now + gen.hz / 1000 * LATE_MS;
	}
	net_flush();
	if (got > 0) {
		gen.moved = gen.now;
		return;
	}
	check_time();
	rte_pause();
}

static double since(uint64_t tsc)
{
	return (double)(rte_rdtsc() - tsc) / (double)gen.hz;
}

static void wait_for_links(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	while (!net_up()) {
		if (interrupted)
			gen_fail("interrupted");
		if (since(began) > LINK_S)
			gen_fail("no link within %.0f s: is there a box at the other end?", LINK_S);
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "wicket-gen: both links are up\n");
}

static void open_all(struct window *window)
{
	uint64_t begin = rte_rdtsc();

	gen.moved = begin;
	while (!calls_opening(0, conn_count()))
		one_round();
	window->open_s = since(begin);
	window->opened = gen.counts.opened;
}

static void run_for(double seconds)
{
	uint64_t end = rte_rdtsc() + (uint64_t)(seconds * (double)gen.hz);

	do {
		one_round();
		check_time();
	} while (gen.now < end && gen.begun < gen.last);
}

static void measure(struct window *window)
{
	phase = "measuring";
	run_for(options.warmup_s);
	if (options.telemetry)
		window->busy_begin = busy_ask(options.telemetry);
	window->at_begin = gen.counts;
	window->begin = rte_rdtsc();
	gen.measuring = true;
	run_for(options.seconds);
	gen.measuring = false;
	window->at_end = gen.counts;
	window->end = rte_rdtsc();
	if (options.telemetry)
		window->busy_end = busy_ask(options.telemetry);
}

/* What is on its way must still arrive. */
static void drain(void)
{
	phase = "draining";
	gen.stopping = true;
	gen.moved = rte_rdtsc();
	while (gen.open > 0 || plain_open() > 0 || net_waiting() > 0)
		one_round();
}

static void close_all(void)
{
	phase = "closing";
	gen.moved = rte_rdtsc();
	while (!calls_closing(0, conn_count()))
		one_round();
}

static void create(uint32_t n)
{
	wire_create();
	conn_create(n);
	tcp_create(n);
	block_create(n);
	calls_create();
}

static void destroy(void)
{
	calls_free();
	block_free();
	tcp_free();
	conn_free();
}

int main(int argc, char **argv)
{
	static struct window window;
	struct sigaction action = { .sa_handler = on_signal };

	options_read(argc, argv);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	net_open();
	gen.hz = rte_get_tsc_hz();
	began = gen.now = rte_rdtsc();
	deadline = began + (uint64_t)(options.limit_s * (double)gen.hz);
	create(options.connections + options.idle);
	wait_for_links();
	open_all(&window);
	calls_loose(0, options.connections);
	measure(&window);
	drain();
	close_all();
	report(&window);
	destroy();
	net_close();
	return 0;
}
