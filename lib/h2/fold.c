/* SPDX-License-Identifier: Apache-2.0 */
/* What a quiet connection keeps: its HPACK table, written as a header block that makes it anew.
 *
 * A decoder takes more than ten times the bytes of the fields in its table, and most connections
 * say nothing most of the time. It is made when a header block comes, and given back after a while
 * without any. */
#include <string.h>

#include "h2_priv.h"

#define STATIC_ENTRIES 61u   /* RFC 7541 A */
#define LITERAL        0x40u /* with incremental indexing, new name */
#define SIZE_UPDATE    0x20u
#define PREFIX_STRING  7u
#define PREFIX_SIZE    5u

/* RFC 7541 5.1. p: NULL to measure. @return its length. */
static size_t put_int(uint8_t *p, uint8_t pattern, uint32_t prefix, size_t value)
{
	size_t max = (1u << prefix) - 1, n = 0;
	uint8_t byte = (uint8_t)(pattern | (value < max ? value : max));

	if (p)
		p[n] = byte;
	n++;
	if (value < max)
		return n;
	for (value -= max;; value >>= 7) {
		byte = (uint8_t)(value & 0x7f);
		if (p)
			p[n] = value > 0x7f ? byte | 0x80 : byte;
		n++;
		if (value <= 0x7f)
			return n;
	}
}

static size_t put_string(uint8_t *p, const uint8_t *text, size_t len_b)
{
	size_t n = put_int(p, 0, PREFIX_STRING, len_b);

	if (p)
		memcpy(p + n, text, len_b);
	return n + len_b;
}

/* The block that fills a fresh decoder: oldest entry first. p: NULL to measure. */
static size_t put_table(const struct wk_h2_conn *conn, uint8_t *p)
{
	size_t max_b = nghttp2_hd_inflate_get_max_dynamic_table_size(conn->inflater);
	size_t at = nghttp2_hd_inflate_get_num_table_entries(conn->inflater);
	size_t n = 0;

	/* The size that the client has chosen, where it is not what a fresh decoder has; and where
	 * the server has lowered it, a decoder insists on one. */
	if (max_b != H2_TABLE_DEFAULT_B || conn->table_b < H2_TABLE_DEFAULT_B)
		n += put_int(p, SIZE_UPDATE, PREFIX_SIZE, max_b);
	for (; at > STATIC_ENTRIES; at--) {
		const nghttp2_nv *nv = nghttp2_hd_inflate_get_table_entry(conn->inflater, at);

		if (p)
			p[n] = LITERAL;
		n++;
		n += put_string(p ? p + n : NULL, nv->name, nv->namelen);
		n += put_string(p ? p + n : NULL, nv->value, nv->valuelen);
	}
	return n;
}

bool wk_h2_awake(const struct wk_h2_conn *conn)
{
	return conn->inflater || (conn->streams.v && conn->streams.n == 0);
}

void wk_h2_fold(struct wk_h2_conn *conn, struct wk_mem *mem)
{
	size_t len_b;

	if (conn->streams.n == 0)
		h2_streams_free(&conn->streams, mem);
	/* A size update that the next block must begin with cannot be told from one that it may. */
	if (!conn->inflater || conn->table_moved)
		return;
	len_b = put_table(conn, NULL);
	if (len_b > WK_MEM_MAX_B)
		return;
	conn->folded = len_b > 0 ? wk_mem_alloc(mem, len_b) : NULL;
	if (len_b > 0 && !conn->folded)
		return;
	conn->folded_b = (uint32_t)put_table(conn, conn->folded);
	nghttp2_hd_inflate_del(conn->inflater);
	conn->inflater = NULL;
}

static bool refill(struct wk_h2_conn *conn)
{
	const uint8_t *p = conn->folded;
	uint32_t left_b = conn->folded_b;
	int flags = 0;

	while (left_b > 0) {
		nghttp2_nv nv;
		ssize_t used = nghttp2_hd_inflate_hd2(conn->inflater, &nv, &flags, p, left_b, 1);

		if (used < 0)
			return false;
		p += used;
		left_b -= (uint32_t)used;
	}
	return nghttp2_hd_inflate_end_headers(conn->inflater) == 0;
}

bool h2_unfold(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	if (conn->inflater)
		return true;
	if (nghttp2_hd_inflate_new2(&conn->inflater, &env->lcore->mem) != 0)
		return false;
	if (conn->table_b != H2_TABLE_DEFAULT_B)
		nghttp2_hd_inflate_change_table_size(conn->inflater, conn->table_b);
	if (conn->folded_b > 0 && !refill(conn)) {
		nghttp2_hd_inflate_del(conn->inflater);
		conn->inflater = NULL;
		return false;
	}
	h2_fold_free(conn, env->mem);
	return true;
}

void h2_fold_free(struct wk_h2_conn *conn, struct wk_mem *mem)
{
	wk_mem_free(mem, conn->folded);
	conn->folded = NULL;
	conn->folded_b = 0;
}
