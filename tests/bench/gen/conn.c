/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <rte_common.h>

#include "tcp.h"

#define ITEMS_MORE 8u /* beside those of calls */

/* calls, then the items of both ends, behind each struct conn. */
static uint8_t *table;
static size_t table_b;
static size_t stride_b;
static uint32_t n_conns, n_slots, n_items;

void conn_create(uint32_t n)
{
	n_conns = n;
	n_slots = rte_align32pow2(2 * options.streams);
	n_items = rte_align32pow2(2 * options.streams + ITEMS_MORE);
	stride_b = RTE_ALIGN_CEIL(sizeof(struct conn) + n_slots * sizeof(struct call) +
					  2 * n_items * sizeof(struct item),
				  RTE_CACHE_LINE_SIZE);
	table_b = RTE_MAX(stride_b * n, (size_t)1);
	table = mmap(NULL, table_b, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (table == MAP_FAILED)
		gen_fail("no memory for %u connections of %zu bytes", n, stride_b);
	madvise(table, table_b, MADV_HUGEPAGE);
}

void conn_free(void)
{
	for (uint32_t i = 0; i < n_conns; i++) {
		struct conn *conn = conn_at(i);

		if (conn->deflater)
			nghttp2_hd_deflate_del(conn->deflater);
		if (conn->inflater)
			nghttp2_hd_inflate_del(conn->inflater);
		free(conn->end[CLIENT].partial);
		free(conn->end[SERVER].partial);
	}
	munmap(table, table_b);
}

struct conn *conn_at(uint32_t index)
{
	return (struct conn *)(void *)(table + stride_b * index);
}

uint32_t conn_index(const struct conn *conn)
{
	return (uint32_t)((size_t)((const uint8_t *)conn - table) / stride_b);
}

uint32_t conn_slots(void)
{
	return n_slots;
}

uint32_t conn_count(void)
{
	return n_conns;
}

struct call *conn_call(struct conn *conn, uint32_t stream)
{
	struct call *call = &conn->calls[(stream >> 1) & (n_slots - 1)];

	return stream != 0 && call->stream == stream ? call : NULL;
}

struct call *conn_take(struct conn *conn)
{
	for (uint32_t i = 0; i < n_slots; i++) {
		uint32_t stream = conn->next_stream;
		struct call *call = &conn->calls[(stream >> 1) & (n_slots - 1)];

		if (stream > INT32_MAX - 2)
			conn_fail(conn, CLIENT, "no stream number left");
		conn->next_stream += 2;
		if (call->stream == 0) {
			*call = (struct call){ .stream = stream };
			return call;
		}
	}
	return NULL;
}

uint8_t conn_slot(const struct conn *conn, const struct call *call)
{
	return (uint8_t)(call - conn->calls);
}

void conn_fail(const struct conn *conn, enum side side, const char *format, ...)
{
	const struct end *end = &conn->end[side];
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	gen_fail("connection %u, at the %s, stream %u: %s", conn_index(conn),
		 side == CLIENT ? "client" : "server", end->stream, what);
}

static struct item *items(struct conn *conn, enum side side)
{
	return (struct item *)(void *)(conn->calls + n_slots) + side * n_items;
}

struct item *conn_item(struct conn *conn, enum side side)
{
	struct end *end = &conn->end[side];

	return end->n > 0 ? &items(conn, side)[end->head & (n_items - 1)] : NULL;
}

void conn_say(struct conn *conn, enum side side, const struct item *item)
{
	struct end *end = &conn->end[side];

	if (end->n == n_items)
		conn_fail(conn, side, "more to say than there is room for");
	items(conn, side)[(end->head + end->n) & (n_items - 1)] = *item;
	end->n++;
	tcp_touch(conn, side);
}

void conn_said(struct conn *conn, enum side side)
{
	struct end *end = &conn->end[side];

	end->head++;
	end->n--;
	end->item_off = 0;
}
