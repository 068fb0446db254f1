/* SPDX-License-Identifier: Apache-2.0 */
/* A client's bytes, read as plainly as can be. */
#include <string.h>

#include "must.h"
#include "server_side.h"

#define PREFACE_B    24u
#define HDR_B        9u
#define END_HEADERS  0x4u
#define PADDED       0x8u
#define PRIORITY     0x20u
#define ACK          0x1u
#define HEADERS      1u
#define SETTINGS     4u
#define CONTINUATION 9u

void block_begin(struct block_list *list, uint32_t id, bool request)
{
	must(list->n < BLOCKS_MAX);
	list->block[list->n].id = id;
	list->block[list->n].request = request;
	list->block[list->n].from = list->text.n;
	list->block[list->n].to = list->text.n;
}

/* libnghttp2, which writes blocks anew, never indexes these on its own account. */
static bool secret(const nghttp2_nv *nv)
{
	return (nv->namelen == 13 && memcmp(nv->name, "authorization", 13) == 0) ||
	       (nv->namelen == 6 && memcmp(nv->name, "cookie", 6) == 0 && nv->valuelen < 20);
}

void block_field(struct block_list *list, const nghttp2_nv *nv)
{
	bool never = (nv->flags & NGHTTP2_NV_FLAG_NO_INDEX) || secret(nv);

	h2_bytes_add(&list->text, never ? "\t!" : "\t", never ? 2 : 1);
	h2_bytes_add(&list->text, nv->name, nv->namelen);
	h2_bytes_add(&list->text, ": ", 2);
	h2_bytes_add(&list->text, nv->value, nv->valuelen);
	h2_bytes_add(&list->text, "\n", 1);
}

void block_end(struct block_list *list)
{
	list->block[list->n++].to = list->text.n;
}

void block_list_fini(struct block_list *list)
{
	h2_bytes_free(&list->text);
}

struct model {
	nghttp2_hd_inflater *inflater;
	struct block_list *list;
	const uint32_t (*settings)[2];
	uint32_t n_settings;
	uint32_t n_acks;
	uint32_t highest;
	uint32_t id; /* of the header block that is being joined, 0: none */
	struct h2_bytes joined;
};

static bool decode(struct model *m)
{
	const uint8_t *p = m->joined.n > 0 ? m->joined.p : (const uint8_t *)"";
	size_t left = m->joined.n;
	int flags = 0;

	block_begin(m->list, m->id, m->id > m->highest);
	do {
		nghttp2_nv nv;
		ssize_t used = nghttp2_hd_inflate_hd2(m->inflater, &nv, &flags, p, left, 1);

		if (used < 0)
			return false;
		p += used;
		left -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			block_field(m->list, &nv);
	} while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
	nghttp2_hd_inflate_end_headers(m->inflater);
	block_end(m->list);
	if (m->id > m->highest)
		m->highest = m->id;
	m->id = 0;
	m->joined.n = 0;
	return true;
}

/* The fragment of a HEADERS frame. @return false where it cannot be one. */
static bool begin_block(struct model *m, uint8_t flags, const uint8_t *p, uint32_t len_b)
{
	uint32_t front_b = (flags & PADDED ? 1u : 0u) + (flags & PRIORITY ? 5u : 0u);
	uint32_t pad_b = flags & PADDED && len_b > 0 ? p[0] : 0;

	if (len_b < front_b + pad_b)
		return false;
	h2_bytes_add(&m->joined, p + front_b, len_b - front_b - pad_b);
	return true;
}

static bool take(struct model *m, const uint8_t *hdr, uint32_t len_b)
{
	uint32_t id = (uint32_t)(hdr[5] & 0x7f) << 24 | (uint32_t)hdr[6] << 16 |
		      (uint32_t)hdr[7] << 8 | hdr[8];
	uint8_t type = hdr[3], flags = hdr[4];

	if (m->id > 0 && (type != CONTINUATION || id != m->id))
		return false;
	if (type == SETTINGS && (flags & ACK) && m->n_acks < m->n_settings) {
		for (uint32_t i = 0; i < 2; i++)
			nghttp2_hd_inflate_change_table_size(m->inflater,
							     m->settings[m->n_acks][i]);
		m->n_acks++;
	}
	if (type == HEADERS) {
		m->id = id;
		if (id == 0 || !begin_block(m, flags, hdr + HDR_B, len_b))
			return false;
	} else if (type == CONTINUATION) {
		if (m->id == 0)
			return false;
		h2_bytes_add(&m->joined, hdr + HDR_B, len_b);
	} else {
		return true;
	}
	return !(flags & END_HEADERS) || (m->list->n < BLOCKS_MAX && decode(m));
}

void model_read(const uint8_t *bytes, size_t n, const uint32_t (*settings)[2], uint32_t n_settings,
		struct block_list *list)
{
	struct model m = { .list = list, .settings = settings, .n_settings = n_settings };

	must(nghttp2_hd_inflate_new(&m.inflater) == 0);
	for (size_t at = PREFACE_B; at + HDR_B <= n;) {
		uint32_t len_b = (uint32_t)bytes[at] << 16 | (uint32_t)bytes[at + 1] << 8 |
				 bytes[at + 2];

		if (len_b > n - at - HDR_B || !take(&m, bytes + at, len_b))
			break;
		at += HDR_B + len_b;
	}
	nghttp2_hd_inflate_del(m.inflater);
	h2_bytes_free(&m.joined);
}
