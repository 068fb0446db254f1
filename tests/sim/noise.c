/* SPDX-License-Identifier: Apache-2.0 */
/* When an attacker attacks, and what he has to make his packets from. */
#include "noise.h"

#include <stdlib.h>

#include "list.h"

#define NEVER    UINT64_MAX
#define TIRED_NS 20000000000ull /* the attacker gives up: a run must end */

static const char *const names[ATTACK_KINDS] = {
	"stale",     "bad-ack", "flags",   "rst",    "syn",      "urg",    "paws",    "window",
	"keepalive", "copy",    "syn-ack", "mirror", "bad-sack", "shrink", "options", "rewrite",
	"early-fin", "no-ts",   "old-ack", "ecn",    "syn-data", "quote",
};

const char *attack_name(enum attack_kind kind)
{
	return names[kind];
}

enum attack_kind attack_by_name(const char *name)
{
	return (enum attack_kind)list_find(names, ATTACK_KINDS, name);
}

void attack_add(struct attack_list *list, const struct attack *attack)
{
	list->attacks = list_room(list->attacks, list->n, &list->cap, sizeof(*list->attacks));
	list->attacks[list->n++] = *attack;
}

void noise_init(struct noise *noise, uint64_t gap_ns, enum attack_kind kinds, struct sim_rng rng)
{
	*noise = (struct noise){
		.gap_ns = gap_ns,
		.kinds = kinds,
		.at_ns = gap_ns ? gap_ns : NEVER,
		.rng = rng,
	};
}

void noise_fini(struct noise *noise)
{
	for (uint32_t i = 0; i < noise->n; i++)
		free(noise->kept[i]);
	free(noise->kept);
	free(noise->kept_no);
}

static uint32_t new_slot(struct noise *noise)
{
	if (noise->n == noise->cap) {
		noise->cap = noise->cap ? 2 * noise->cap : NOISE_KEPT;
		noise->kept = realloc(noise->kept, noise->cap * sizeof(struct sim_pkt *));
		noise->kept_no = realloc(noise->kept_no, noise->cap * sizeof(*noise->kept_no));
		if (!noise->kept || !noise->kept_no)
			abort();
	}
	noise->kept[noise->n] = NULL;
	return noise->n++;
}

void noise_see(struct noise *noise, const struct sim_pkt *pkt)
{
	bool any = noise->played ? noise->played->n > 0 : noise->gap_ns > 0;
	uint32_t at, no = noise->seen++;

	if (!any || pkt->quoted_b > 0 || (pkt->b[13] & (WK_TCP_SYN | WK_TCP_RST)))
		return;
	if (noise->played || noise->n < NOISE_KEPT)
		at = new_slot(noise);
	else
		at = rng_range32(&noise->rng, 0, NOISE_KEPT - 1);
	free(noise->kept[at]);
	noise->kept[at] = pkt_copy(pkt);
	noise->kept_no[at] = no;
}

uint64_t noise_next(const struct noise *noise)
{
	if (noise->played)
		return noise->next < noise->played->n ? noise->played->attacks[noise->next].at_ns
						      : NEVER;
	return noise->n > 0 ? noise->at_ns : NEVER;
}

static void make(struct noise *noise, struct box *box, struct attack *attack,
		 const struct sim_pkt *kept, uint64_t now_ns)
{
	struct sim_rng *rng = noise->played ? NULL : &noise->rng;
	struct sim_pkt *pkt;

	/* A SYN behind the end is the beginning of another connection. */
	if ((attack->kind == ATTACK_SYN || attack->kind == ATTACK_SYN_DATA) && !box->has_hs &&
	    (!box->has_flow || wk_tcp_state(&box->flow) == WK_TCP_ST_CLOSED))
		attack->kind = ATTACK_COPY;
	pkt = forge(rng, attack, &box->check, kept);
	if (rng) {
		noise->at_ns = now_ns + rng_range(rng, 1, 2 * noise->gap_ns);
		if (now_ns > TIRED_NS)
			noise->at_ns = NEVER;
	}
	if (noise->recorded)
		attack_add(noise->recorded, attack);
	if (!pkt)
		return;
	noise->made++;
	box_input(box, pkt, true, now_ns);
}

static void play(struct noise *noise, struct box *box, uint64_t now_ns)
{
	struct attack attack = noise->played->attacks[noise->next++];

	for (uint32_t i = 0; i < noise->n; i++) {
		if (noise->kept_no[i] == attack.of) {
			make(noise, box, &attack, noise->kept[i], now_ns);
			return;
		}
	}
}

void noise_make(struct noise *noise, struct box *box, uint64_t now_ns)
{
	struct attack attack = { .at_ns = now_ns };
	uint32_t slot;

	if (noise->played) {
		play(noise, box, now_ns);
		return;
	}
	slot = rng_range32(&noise->rng, 0, noise->n - 1);
	attack.of = noise->kept_no[slot];
	attack.kind = (uint8_t)rng_range(&noise->rng, 0, noise->kinds - 1);
	make(noise, box, &attack, noise->kept[slot], now_ns);
}
