/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of an open call's request, so that another policy can judge it: its fields, packed.
 */
#include <string.h>

#include "h2_priv.h"

/* Lengths in front of each field: 16 bits, since no ticket is larger. */
#define TICKET_MAX_B 65535u

struct h2_ticket {
	uint32_t shares; /* open streams and seen blocks that have it */
	uint32_t n;
	uint8_t bytes[];
};

static uint8_t *put(uint8_t *p, const uint8_t *text, size_t len_b)
{
	const uint16_t len = (uint16_t)len_b;

	memcpy(p, &len, sizeof(len));
	memcpy(p + sizeof(len), text, len_b);
	return p + sizeof(len) + len_b;
}

static const uint8_t *get(const uint8_t *p, uint8_t **text, size_t *len_b)
{
	uint16_t len;

	memcpy(&len, p, sizeof(len));
	*len_b = len;
	*text = (uint8_t *)(uintptr_t)(p + sizeof(len));
	return p + sizeof(len) + len;
}

struct h2_ticket *h2_ticket_keep(const struct wk_h2_env *env)
{
	const struct h2_list *list = &env->lcore->list;
	uint32_t size_b = list->text_b + list->n * 2 * (uint32_t)sizeof(uint16_t);
	struct h2_ticket *ticket;
	uint8_t *p;

	if (list->over || size_b > env->limits->ticket_b || size_b > TICKET_MAX_B)
		return NULL;
	ticket = wk_mem_alloc(env->mem, sizeof(*ticket) + size_b);
	if (!ticket)
		return NULL;
	ticket->shares = 1;
	ticket->n = list->n;
	p = ticket->bytes;
	for (uint32_t i = 0; i < list->n; i++) {
		p = put(p, list->nv[i].name, list->nv[i].namelen);
		p = put(p, list->nv[i].value, list->nv[i].valuelen);
	}
	return ticket;
}

void h2_ticket_share(struct h2_ticket *ticket)
{
	if (ticket)
		ticket->shares++;
}

void h2_ticket_free(struct h2_ticket *ticket, struct wk_mem *mem)
{
	if (ticket && --ticket->shares == 0)
		wk_mem_free(mem, ticket);
}

bool h2_ticket_list(const struct h2_ticket *ticket, struct wk_h2_lcore *lcore)
{
	struct h2_list *list = &lcore->list;
	const uint8_t *p;

	list->n = 0;
	list->text_b = 0;
	list->over = false;
	if (!ticket || ticket->n > lcore->nv_cap)
		return false;
	p = ticket->bytes;
	for (; list->n < ticket->n; list->n++) {
		nghttp2_nv *nv = &list->nv[list->n];

		*nv = (nghttp2_nv){ .flags = 0 };
		p = get(p, &nv->name, &nv->namelen);
		p = get(p, &nv->value, &nv->valuelen);
	}
	return true;
}
