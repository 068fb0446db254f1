/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks seen lately: requests that were allowed, and need not be decoded again.
 *
 * A block that inserts nothing and changes no size means the same as long as the table is the same.
 * What is remembered here holds for the table as it is, and for the env's version and scope: when
 * one of them moves, all of it is forgotten. Only the whole block decides, never a hash: the client
 * chooses the bytes. What is denied is decoded each time, for its reply and its event. */
#include <string.h>

#include "h2_priv.h"

struct h2_seen_block {
	struct h2_seen_block *next;
	uint64_t version; /* the same in all blocks of a connection */
	uint32_t scope;   /* likewise */
	uint32_t len_b;
	struct h2_seen known;
	bool end_stream;
	uint8_t bytes[];
};

/* Takes one out of its list. */
static void forget(struct h2_seen_block **at, struct wk_mem *mem)
{
	struct h2_seen_block *kept = *at;

	*at = kept->next;
	h2_ticket_free(kept->known.ticket, mem);
	wk_mem_free(mem, kept);
}

void h2_seen_empty(struct wk_h2_conn *conn, struct wk_mem *mem)
{
	while (conn->seen)
		forget(&conn->seen, mem);
}

static bool is_same(const struct h2_seen_block *kept, const struct h2_block *block)
{
	return kept->len_b == block->fragment_b && kept->end_stream == block->end_stream &&
	       memcmp(kept->bytes, block->fragment, kept->len_b) == 0;
}

static void put_first(struct wk_h2_conn *conn, struct h2_seen_block *kept)
{
	kept->next = conn->seen;
	conn->seen = kept;
}

const struct h2_seen *h2_seen_find(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				   const struct h2_block *block)
{
	struct h2_seen_block *kept = conn->seen, **at;

	if (kept && (kept->version != env->version || kept->scope != env->scope))
		h2_seen_empty(conn, env->mem);
	for (at = &conn->seen; *at; at = &(*at)->next) {
		kept = *at;
		if (!is_same(kept, block))
			continue;
		if (kept != conn->seen) {
			*at = kept->next;
			put_first(conn, kept);
		}
		return &kept->known;
	}
	return NULL;
}

/* Leaves room for one block more. */
static void make_room(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	struct h2_seen_block **at = &conn->seen;

	for (uint32_t n = 1; *at && n < env->limits->seen_blocks; n++)
		at = &(*at)->next;
	if (*at)
		forget(at, env->mem);
}

void h2_seen_keep(struct wk_h2_conn *conn, const struct wk_h2_env *env,
		  const struct h2_block *block, const struct h2_seen *known)
{
	struct h2_seen_block *kept;

	if (env->limits->seen_blocks == 0)
		return;
	if (block->fragment_b > env->limits->seen_block_b) {
		wk_count(env->stats, WK_CNT_SEEN_LONG, 1);
		return;
	}
	/* A running call that is to be judged again needs its request. */
	if (env->limits->ticket_b > 0 && !known->ticket)
		return;
	make_room(conn, env);
	kept = wk_mem_alloc(env->mem, offsetof(struct h2_seen_block, bytes) + block->fragment_b);
	if (!kept)
		return;
	kept->version = env->version;
	kept->scope = env->scope;
	kept->len_b = block->fragment_b;
	kept->known = *known;
	kept->end_stream = block->end_stream;
	h2_ticket_share(known->ticket);
	memcpy(kept->bytes, block->fragment, kept->len_b);
	put_first(conn, kept);
}
