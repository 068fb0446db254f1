/* SPDX-License-Identifier: Apache-2.0 */
/* Stateless re-encoding. Once a deleted block has changed the client's HPACK table, the server's
 * table is behind for ever: every later block is written anew without any dynamic table. */
#include <string.h>

#include "h2_priv.h"

#define SIZE_UPDATE_0   0x20u
#define BOUND_PER_FIELD 12u /* nghttp2_hd_deflate_bound: two integers of 6 bytes */
#define BOUND_FIXED     12u

/* Trailers may be without a single field. */
static bool encode(struct wk_h2_conn *conn, struct wk_h2_lcore *lcore, uint32_t *len_b)
{
	const struct h2_list *list = &lcore->list;
	uint32_t at = 0;
	ssize_t len;

	/* Room is certain: an encoder that runs out of it cannot be used again. */
	if (list->text_b + BOUND_PER_FIELD * list->n + BOUND_FIXED + 1 > lcore->encoded_cap_b)
		return false;
	if (!conn->table_emptied)
		lcore->encoded[at++] = SIZE_UPDATE_0;
	len = nghttp2_hd_deflate_hd(lcore->deflater, lcore->encoded + at, lcore->encoded_cap_b - at,
				    list->nv, list->n);
	*len_b = at + (uint32_t)len;
	return len >= 0;
}

/* HEADERS and as many CONTINUATIONs as it takes. */
static uint32_t frame_block(struct wk_h2_lcore *lcore, const struct h2_block *block, uint32_t len_b)
{
	const uint32_t prio_b = block->has_priority ? sizeof(block->priority) : 0;
	uint32_t room_b = H2_FRAME_DEFAULT_B - prio_b, at = 0;
	uint32_t n = len_b < room_b ? len_b : room_b;
	uint32_t flags = (n == len_b ? H2_FLAG_END_HEADERS : 0) |
			 (block->end_stream ? H2_FLAG_END_STREAM : 0) |
			 (prio_b ? H2_FLAG_PRIORITY : 0);
	uint8_t *p = h2_put_frame(lcore->out, prio_b + n, H2_HEADERS, flags, block->id);

	memcpy(p, block->priority, prio_b);
	memcpy(p + prio_b, lcore->encoded, n);
	p += prio_b + n;
	for (at = n; at < len_b; at += n) {
		n = len_b - at < H2_FRAME_DEFAULT_B ? len_b - at : H2_FRAME_DEFAULT_B;
		p = h2_put_frame(p, n, H2_CONTINUATION, at + n == len_b ? H2_FLAG_END_HEADERS : 0,
				 block->id);
		memcpy(p, lcore->encoded + at, n);
		p += n;
	}
	return (uint32_t)(p - lcore->out);
}

uint32_t h2_reencode(struct wk_h2_conn *conn, const struct wk_h2_env *env,
		     const struct h2_block *block)
{
	uint32_t len_b;

	if (!encode(conn, env->lcore, &len_b))
		return 0;
	conn->table_emptied = true;
	wk_count(env->stats, WK_CNT_REENCODED, 1);
	return frame_block(env->lcore, block, len_b);
}
