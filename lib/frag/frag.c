/* SPDX-License-Identifier: Apache-2.0 */
/* frag.c - the table: datagrams that wait for the rest of their fragments. */
#include <errno.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include "frag_priv.h"

#define MAX_DATAGRAMS (1u << 20)
/* Given up in one go. */
#define EXPIRE_MAX 64u

uint64_t wk_frag_footprint(uint32_t max_datagrams)
{
	/* rte_hash keeps its own copy of the keys, and buckets for twice as many. */
	return sizeof(struct wk_frag) +
	       (uint64_t)max_datagrams * (sizeof(struct datagram) + 4 * sizeof(struct frag_key));
}

static int make_hash(const struct wk_frag_conf *conf, struct rte_hash **hash)
{
	/* Twice the datagrams, and buckets to extend into: an add never fails for want of a place.
	 */
	struct rte_hash_parameters params = {
		.name = conf->name,
		.entries = RTE_MAX(2 * conf->max_datagrams, 64u),
		.key_len = sizeof(struct frag_key),
		.hash_func = rte_jhash,
		.hash_func_init_val = conf->secret,
		.socket_id = conf->socket_id,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	if (strlen(conf->name) >= RTE_HASH_NAMESIZE)
		return -EINVAL;
	*hash = rte_hash_create(&params);
	return *hash ? 0 : -ENOMEM;
}

int wk_frag_create(const struct wk_frag_conf *conf, struct wk_frag **frag)
{
	struct wk_frag *made;
	int rc;

	*frag = NULL;
	if (conf->max_datagrams == 0 || conf->max_datagrams > MAX_DATAGRAMS || conf->max_mbufs == 0)
		return -EINVAL;
	made = rte_zmalloc_socket(conf->name, sizeof(*made), RTE_CACHE_LINE_SIZE, conf->socket_id);
	if (!made)
		return -ENOMEM;
	made->max_datagrams = conf->max_datagrams;
	made->max_mbufs = conf->max_mbufs;
	made->timeout_ns = conf->timeout_ns;
	made->ident = (uint16_t)conf->secret;
	made->pool = conf->pool;
	made->stats = conf->stats;
	made->hooks = conf->hooks;
	made->user = conf->user;
	made->all = rte_calloc_socket(conf->name, conf->max_datagrams, sizeof(*made->all),
				      RTE_CACHE_LINE_SIZE, conf->socket_id);
	rc = made->all ? make_hash(conf, &made->hash) : -ENOMEM;
	if (rc < 0) {
		wk_frag_free(made);
		return rc;
	}
	for (uint32_t i = conf->max_datagrams; i-- > 0;) {
		made->all[i].newer = made->free;
		made->free = &made->all[i];
	}
	*frag = made;
	return 0;
}

void wk_frag_free(struct wk_frag *frag)
{
	if (!frag)
		return;
	for (struct datagram *d = frag->oldest; d; d = d->newer)
		for (uint32_t i = 0; i < d->n; i++)
			rte_pktmbuf_free(d->piece[i].m);
	rte_hash_free(frag->hash);
	rte_free(frag->all);
	rte_free(frag);
}

uint32_t wk_frag_datagrams(const struct wk_frag *frag)
{
	return frag->n_datagrams;
}

uint32_t wk_frag_capacity(const struct wk_frag *frag)
{
	return frag->max_datagrams;
}

/* Takes the fragments out, in the order they came, to frag->done. */
static uint32_t take(struct wk_frag *frag, struct datagram *d)
{
	uint32_t n = d->n;

	for (uint32_t i = 0; i < n; i++)
		frag->done[i] = d->piece[i].m;
	d->n = 0;
	frag->n_mbufs -= n;
	frag->stats->held -= n;
	return n;
}

/* What an end means for a fragment: nothing is held against an open datagram. */
static enum wk_reason outcome(const struct datagram *d, enum wk_reason why)
{
	return d->open ? WK_FWD_PLAIN : why;
}

static void give_up(struct wk_frag *frag, struct datagram *d, enum wk_reason why)
{
	uint32_t n = take(frag, d);

	if (n > 0)
		frag->hooks->give_up(frag->user, d->key.wire, (enum wk_dir)d->key.dir, frag->done,
				     n, outcome(d, why));
}

static void forget(struct wk_frag *frag, struct datagram *d)
{
	rte_hash_del_key(frag->hash, &d->key);
	*(d->older ? &d->older->newer : &frag->oldest) = d->newer;
	*(d->newer ? &d->newer->older : &frag->newest) = d->older;
	d->state = DATAGRAM_FREE;
	d->newer = frag->free;
	frag->free = d;
	frag->n_datagrams--;
}

static void evict(struct wk_frag *frag, struct datagram *d, enum wk_reason why)
{
	give_up(frag, d, why);
	forget(frag, d);
}

static struct datagram *begin(struct wk_frag *frag, const struct frag_key *key, bool open,
			      uint64_t now_ns)
{
	struct datagram *d;

	if (!frag->free)
		evict(frag, frag->oldest, WK_DROP_FRAG_FULL);
	d = frag->free;
	if (rte_hash_add_key_data(frag->hash, key, d) != 0)
		return NULL;
	frag->free = d->newer;
	d->key = *key;
	d->older = frag->newest;
	d->newer = NULL;
	*(frag->newest ? &frag->newest->newer : &frag->oldest) = d;
	frag->newest = d;
	d->since_ns = now_ns;
	d->state = DATAGRAM_WAITS;
	d->open = open;
	d->ecn_seen = 0;
	d->n = 0;
	d->first = -1;
	d->why = WK_FWD_PLAIN;
	d->total_b = d->sum_b = d->reach_b = d->largest_b = 0;
	frag->n_datagrams++;
	return d;
}

/* The datagram is over; its entry stays to know the rest by. */
static enum wk_reason end(struct wk_frag *frag, struct datagram *d, enum wk_reason why)
{
	give_up(frag, d, why);
	d->state = DATAGRAM_ENDED;
	d->why = why;
	return outcome(d, why);
}

static bool same_bytes(const struct frag_piece *a, const struct frag_piece *b)
{
	return a->last == b->last &&
	       memcmp(rte_pktmbuf_mtod(a->m, const uint8_t *) + a->at,
		      rte_pktmbuf_mtod(b->m, const uint8_t *) + b->at, a->end_b - a->off_b) == 0;
}

/* @return FWD_PLAIN when the piece says nothing against the others, DROP_FRAG_DUP when it says the
 * same as one of them, otherwise why the datagram ends. */
static enum wk_reason compare(const struct datagram *d, const struct frag_piece *piece)
{
	if (piece->end_b > FRAG_L3_MAX_B)
		return WK_DROP_FRAG_LEN;
	for (uint32_t i = 0; i < d->n; i++) {
		const struct frag_piece *other = &d->piece[i];

		if (piece->end_b <= other->off_b || other->end_b <= piece->off_b)
			continue;
		if (piece->off_b == other->off_b && piece->end_b == other->end_b &&
		    same_bytes(piece, other))
			return WK_DROP_FRAG_DUP;
		return WK_DROP_FRAG_OVERLAP;
	}
	/* Two ends, or something behind the end. */
	if (piece->last ? d->total_b > 0 || d->reach_b > piece->end_b
			: d->total_b > 0 && piece->end_b >= d->total_b)
		return WK_DROP_FRAG_OVERLAP;
	return d->n == WK_FRAG_PIECES_MAX ? WK_DROP_FRAG_FULL : WK_FWD_PLAIN;
}

static void keep(struct wk_frag *frag, struct datagram *d, const struct frag_piece *piece)
{
	if (piece->off_b == 0)
		d->first = (int16_t)d->n;
	d->piece[d->n++] = *piece;
	d->sum_b += piece->end_b - piece->off_b;
	d->reach_b = RTE_MAX(d->reach_b, piece->end_b);
	if (piece->last)
		d->total_b = piece->end_b;
	d->largest_b = RTE_MAX(d->largest_b, (uint32_t)piece->l3_len_b);
	d->ecn_seen = (uint8_t)(d->ecn_seen | 1u << piece->ecn);
	frag->n_mbufs++;
	frag->stats->held++;
}

/* A fragment that was not ECN-capable cannot carry the mark of another (RFC 3168 section 5.3). */
static bool marks_agree(const struct datagram *d)
{
	const uint8_t both = 1u << FRAG_ECN_CE | 1u << FRAG_ECN_NONE;

	return (d->ecn_seen & both) != both;
}

static enum wk_frag_verdict complete(struct wk_frag *frag, struct datagram *d,
				     struct wk_frag_whole *whole)
{
	uint32_t len_b = build_frame(frag, d);

	if (len_b == 0 || !marks_agree(d)) {
		end(frag, d, len_b == 0 ? WK_DROP_FRAG_LEN : WK_DROP_FRAG_OVERLAP);
		return WK_FRAG_KEPT; /* and given up with the others */
	}
	*whole = (struct wk_frag_whole){
		.frame = frag->frame,
		.len_b = len_b,
		.largest_b = d->largest_b,
		.mbufs = frag->done,
		.n = take(frag, d),
		.open = d->open,
	};
	forget(frag, d);
	wk_count(frag->stats, WK_CNT_REASSEMBLED, 1);
	return WK_FRAG_WHOLE;
}

/* Room for one more mbuf. @return false when the datagram at hand is the oldest itself. */
static bool make_room(struct wk_frag *frag, const struct datagram *d)
{
	while (frag->n_mbufs >= frag->max_mbufs) {
		if (frag->oldest == d)
			return false;
		evict(frag, frag->oldest, WK_DROP_FRAG_FULL);
	}
	return true;
}

static enum wk_frag_verdict add(struct wk_frag *frag, struct datagram *d,
				const struct frag_piece *piece, struct wk_frag_whole *whole,
				enum wk_reason *reason)
{
	enum wk_reason why = d->state == DATAGRAM_ENDED ? d->why : compare(d, piece);

	if (why == WK_FWD_PLAIN && !make_room(frag, d))
		why = WK_DROP_FRAG_FULL;
	if (why != WK_FWD_PLAIN) {
		*reason = d->state == DATAGRAM_ENDED || why == WK_DROP_FRAG_DUP ? outcome(d, why)
										: end(frag, d, why);
		return WK_FRAG_END;
	}
	keep(frag, d, piece);
	if (d->total_b == 0 || d->sum_b < d->total_b)
		return WK_FRAG_KEPT;
	return complete(frag, d, whole);
}

enum wk_frag_verdict wk_frag_input(struct wk_frag *frag, const struct wk_pkt *pkt, uint16_t wire,
				   enum wk_dir dir, bool open, uint64_t now_ns,
				   struct wk_frag_whole *whole, enum wk_reason *reason)
{
	struct frag_piece piece;
	struct frag_key key;
	struct datagram *d = NULL;
	void *found;

	*reason = piece_read(&piece, &key, pkt);
	if (*reason != WK_FWD_PLAIN) {
		if (open)
			*reason = WK_FWD_PLAIN;
		return WK_FRAG_END;
	}
	key.wire = wire;
	key.dir = (uint8_t)dir;
	if (rte_hash_lookup_data(frag->hash, &key, &found) >= 0)
		d = found;
	/* Too old already: what comes now belongs to another one of its number. */
	if (d && now_ns - d->since_ns >= frag->timeout_ns) {
		evict(frag, d, WK_DROP_FRAG_TIMEOUT);
		d = NULL;
	}
	if (!d)
		d = begin(frag, &key, open, now_ns);
	if (!d) {
		*reason = open ? WK_FWD_PLAIN : WK_DROP_FRAG_FULL;
		return WK_FRAG_END;
	}
	d->open &= open;
	return add(frag, d, &piece, whole, reason);
}

void wk_frag_expire(struct wk_frag *frag, uint64_t now_ns)
{
	for (uint32_t i = 0; i < EXPIRE_MAX; i++) {
		struct datagram *d = frag->oldest;

		if (!d || now_ns - d->since_ns < frag->timeout_ns)
			return;
		evict(frag, d, WK_DROP_FRAG_TIMEOUT);
	}
}

void wk_frag_drain(struct wk_frag *frag, enum wk_reason reason)
{
	while (frag->oldest)
		evict(frag, frag->oldest, reason);
}
