/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes header blocks with nghttp2's HPACK decoder, each exactly once. */
#include <string.h>

#include "h2_priv.h"

#define FIELD_OVERHEAD_B 32u /* RFC 9113 6.5.2 */

/* Keeps one field: what the decoder gives is valid only until its next call. */
static void keep(struct wk_h2_lcore *lcore, const struct wk_h2_limits *limits, const nghttp2_nv *nv,
		 uint64_t *list_b)
{
	struct h2_list *list = &lcore->list;
	uint8_t *text = lcore->text + list->text_b;

	*list_b += nv->namelen + nv->valuelen + FIELD_OVERHEAD_B;
	if (list->over || *list_b > limits->header_list_b || *list_b > lcore->text_cap_b ||
	    list->n >= limits->fields || list->n >= lcore->nv_cap) {
		list->over = true;
		return;
	}
	memcpy(text, nv->name, nv->namelen);
	memcpy(text + nv->namelen, nv->value, nv->valuelen);
	list->nv[list->n++] = (nghttp2_nv){
		.name = text,
		.value = text + nv->namelen,
		.namelen = nv->namelen,
		.valuelen = nv->valuelen,
		.flags = nv->flags,
	};
	list->text_b += (uint32_t)(nv->namelen + nv->valuelen);
}

enum wk_h2_error h2_inflate(struct wk_h2_conn *conn, const struct wk_h2_env *env,
			    const uint8_t *block, uint32_t len_b)
{
	struct wk_h2_lcore *lcore = env->lcore;
	uint64_t list_b = 0;
	int flags = 0;

	if (!h2_unfold(conn, env))
		return WK_H2_E_MEMORY;
	lcore->list.n = 0;
	lcore->list.text_b = 0;
	lcore->list.over = false;
	do {
		nghttp2_nv nv;
		ssize_t used;

		flags = 0;
		used = nghttp2_hd_inflate_hd2(conn->inflater, &nv, &flags, block, len_b, 1);
		if (used < 0)
			return used == NGHTTP2_ERR_NOMEM ? WK_H2_E_MEMORY : WK_H2_E_HPACK;
		block += used;
		len_b -= (uint32_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			keep(lcore, env->limits, &nv, &list_b);
		else if (used == 0 && !(flags & NGHTTP2_HD_INFLATE_FINAL))
			return WK_H2_E_HPACK;
	} while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
	if (len_b > 0 || nghttp2_hd_inflate_end_headers(conn->inflater) != 0)
		return WK_H2_E_HPACK;
	conn->table_moved = false;
	return WK_H2_E_OK;
}
