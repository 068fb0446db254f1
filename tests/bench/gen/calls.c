/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

#include <stdlib.h>

#include <rte_common.h>

#include "grpc.h"
#include "tcp.h"
#include "wire.h"

#define FOR_EVER      UINT32_MAX
#define CREDIT_LATE_B (16u << 10)

/* Connections that may begin a call; one with several streams may be in it as often. */
static struct {
	uint32_t *v;
	uint32_t mask;
	uint32_t head, tail;
} ready;

static uint32_t opening_next, opening_now, opening_busy;
static uint32_t closing_next, closing_now;
static uint32_t share_sum;
static uint8_t kind_of[1024]; /* by a number drawn */

static void ready_put(const struct conn *conn)
{
	ready.v[ready.tail++ & ready.mask] = conn_index(conn);
}

void calls_create(void)
{
	uint32_t n = rte_align32pow2(conn_count() * options.streams + 1);
	uint32_t at = 0;

	gen.last = UINT64_MAX;
	ready.v = calloc(n, sizeof(*ready.v));
	if (!ready.v)
		gen_fail("no memory for %u streams", n);
	ready.mask = n - 1;
	for (uint32_t kind = 0; kind < KIND_MAX; kind++)
		share_sum += options.share[kind];
	for (uint32_t i = 0; i < RTE_DIM(kind_of); i++) {
		uint64_t mark = (uint64_t)i * share_sum / RTE_DIM(kind_of);
		uint64_t sum = 0;

		for (at = 0; at < KIND_MAX - 1; at++) {
			sum += options.share[at];
			if (mark < sum)
				break;
		}
		kind_of[i] = (uint8_t)at;
	}
}

void calls_free(void)
{
	free(ready.v);
}

bool calls_opening(uint32_t from, uint32_t n)
{
	while (opening_next < n && opening_now < options.opening) {
		struct conn *conn = conn_at(from + opening_next++);

		conn->next_stream = 1;
		conn->calls_left = from + opening_next > options.connections ? options.idle_calls
									     : 0;
		opening_now++;
		tcp_open(conn);
	}
	if (opening_next < n || opening_now > 0 || opening_busy > 0)
		return false;
	opening_next = 0;
	return true;
}

void calls_ready(struct conn *conn)
{
	opening_now--;
	gen.counts.opened++;
	if (conn->calls_left > 0) {
		opening_busy++;
		ready_put(conn);
	}
}

/* In random order: connections that follow each other in memory here must not in the box. */
void calls_loose(uint32_t from, uint32_t n)
{
	uint32_t total = n * options.streams;

	if (options.calls > 0)
		gen.last = gen.begun + options.calls;
	for (uint32_t i = 0; i < total; i++) {
		struct conn *conn = conn_at(from + i % n);

		conn->calls_left = FOR_EVER;
		ready_put(conn);
	}
	for (uint32_t i = total; i > 1; i--) {
		uint32_t *a = &ready.v[(ready.head + i - 1) & ready.mask];
		uint32_t *b = &ready.v[(ready.head + (uint32_t)(gen_draw() % i)) & ready.mask];
		uint32_t swap = *a;

		*a = *b;
		*b = swap;
	}
}

static bool chance(uint64_t bits, uint32_t pct)
{
	return pct > 0 && (bits & 0xffff) * 100 < (uint64_t)pct << 16;
}

/* Called only if there is a stream for it. */
static void begin(struct conn *conn, struct call *call, uint64_t draw)
{
	call->kind = kind_of[draw % RTE_DIM(kind_of)];
	call->number = (uint32_t)gen.begun++;
	call->begin = gen.now;
	/* A first call that is denied has every later block written anew: only if all are. */
	call->denied = chance(draw >> 16, options.denied_pct) &&
		       (call->stream > 1 || options.denied_pct == 100);
	call->traced = chance(draw >> 32, options.traced_pct);
	call->deadline = chance(draw >> 48, options.deadline_pct);
	if (call->denied)
		conn->denied_b += wire_message_b(call, CLIENT);
	conn->open++;
	gen.open++;
	gen.flight += kind_flight(call->kind);
	grpc_request(conn, call);
}

void calls_begin(void)
{
	static uint64_t draw; /* of the call that is next: one that waits for room must not become
			       * a smaller one */

	while (ready.head != ready.tail && !gen.stopping && gen.begun < gen.last) {
		struct conn *conn = conn_at(ready.v[ready.head & ready.mask]);
		struct call *call;

		if (draw == 0)
			draw = gen_draw();
		if (gen.flight > 0 &&
		    gen.flight + kind_flight(kind_of[draw % RTE_DIM(kind_of)]) > options.flight)
			return;
		ready.head++;
		call = conn_take(conn);
		if (!call)
			conn_fail(conn, CLIENT, "no stream for a call");
		begin(conn, call, draw);
		draw = 0;
	}
}

static void count(const struct call *call)
{
	uint64_t ns = (uint64_t)((double)(gen.now - call->begin) * 1e9 / (double)gen.hz);

	if (call->denied) {
		gen.counts.denied++;
		if (gen.measuring)
			histogram_add(&gen.denial, ns);
		return;
	}
	gen.counts.calls++;
	gen.counts.body_bytes += kind_bytes(call->kind);
	if (gen.measuring) {
		gen.calls_of[call->kind]++;
		histogram_add(&gen.latency, ns);
	}
}

void calls_over(struct conn *conn, struct call *call)
{
	count(call);
	gen.flight -= kind_flight(call->kind);
	gen.open--;
	conn->open--;
	call->stream = 0;
	if (conn->calls_left == FOR_EVER) {
		ready_put(conn);
		return;
	}
	if (--conn->calls_left > 0) {
		ready_put(conn);
		return;
	}
	opening_busy--;
	/* It stays silent from now on. */
	if (conn->deflater)
		nghttp2_hd_deflate_del(conn->deflater);
	conn->deflater = NULL;
}

bool calls_closing(uint32_t from, uint32_t n)
{
	while (closing_next < n && closing_now < options.opening) {
		closing_now++;
		tcp_close(conn_at(from + closing_next++));
	}
	return closing_next == n && closing_now == 0;
}

void calls_closed(const struct conn *conn)
{
	/* What is missing beyond that would stop a client sooner or later. */
	if (conn->denied_b > CREDIT_LATE_B)
		conn_fail(conn, CLIENT, "no credit for %llu bytes of denied calls",
			  (unsigned long long)conn->denied_b);
	closing_now--;
	gen.counts.closed++;
}
