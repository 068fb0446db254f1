/* SPDX-License-Identifier: Apache-2.0 */
/* Scratch space and the shared encoder of one lcore. */
#include "h2_priv.h"

/* What re-encoding adds to a list of the largest size: size update, priority, frame headers. */
#define FRAMING_MAX_B 512u

static void *mem_malloc(size_t size, void *user)
{
	return wk_mem_alloc(user, size);
}

static void mem_free(void *ptr, void *user)
{
	wk_mem_free(user, ptr);
}

static void *mem_calloc(size_t n, size_t size, void *user)
{
	return wk_mem_calloc(user, n, size);
}

static void *mem_realloc(void *ptr, size_t size, void *user)
{
	return wk_mem_realloc(user, ptr, size);
}

/* Only the first block that an encoder of table size 0 ever makes begins with a size update: it is
 * made here, so that all connections' blocks look alike. */
static bool prime(struct wk_h2_lcore *lcore)
{
	uint8_t name[] = ":method", value[] = "GET";
	const nghttp2_nv nv = { .name = name, .value = value, .namelen = 7, .valuelen = 3 };

	return nghttp2_hd_deflate_hd(lcore->deflater, lcore->encoded, lcore->encoded_cap_b, &nv,
				     1) > 0;
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
	return value < max ? value : max;
}

/* No limit asks for more than one block of the arena: what it allows beyond is refused instead. */
static void size_scratch(struct wk_h2_lcore *lcore, const struct wk_h2_limits *limits)
{
	uint32_t frames;

	lcore->block_cap_b = at_most(limits->block_b, WK_MEM_MAX_B);
	lcore->text_cap_b = at_most(limits->header_list_b, WK_MEM_MAX_B - FRAMING_MAX_B);
	lcore->nv_cap = at_most(limits->fields, WK_MEM_MAX_B / sizeof(*lcore->list.nv));
	lcore->encoded_cap_b = lcore->text_cap_b + 32;
	frames = lcore->encoded_cap_b / H2_FRAME_DEFAULT_B + 2;
	lcore->out_cap_b = lcore->encoded_cap_b + 5 + frames * H2_FRAME_HDR_B;
	if (lcore->out_cap_b < limits->control_frame_b + H2_FRAME_HDR_B)
		lcore->out_cap_b = at_most(limits->control_frame_b + H2_FRAME_HDR_B, WK_MEM_MAX_B);
}

struct wk_h2_lcore *wk_h2_lcore_create(struct wk_mem *mem, const struct wk_h2_limits *limits)
{
	struct wk_h2_lcore *lcore = wk_mem_calloc(mem, 1, sizeof(*lcore));

	if (!lcore)
		return NULL;
	lcore->mem = (nghttp2_mem){ mem, mem_malloc, mem_free, mem_calloc, mem_realloc };
	size_scratch(lcore, limits);
	lcore->block = wk_mem_alloc(mem, lcore->block_cap_b);
	lcore->text = wk_mem_alloc(mem, lcore->text_cap_b);
	lcore->encoded = wk_mem_alloc(mem, lcore->encoded_cap_b);
	lcore->out = wk_mem_alloc(mem, lcore->out_cap_b);
	lcore->list.nv = wk_mem_calloc(mem, lcore->nv_cap, sizeof(*lcore->list.nv));
	if (!lcore->block || !lcore->text || !lcore->encoded || !lcore->out || !lcore->list.nv ||
	    nghttp2_hd_deflate_new2(&lcore->deflater, 0, &lcore->mem) != 0 || !prime(lcore)) {
		wk_h2_lcore_free(lcore, mem);
		return NULL;
	}
	return lcore;
}

void wk_h2_lcore_free(struct wk_h2_lcore *lcore, struct wk_mem *mem)
{
	if (!lcore)
		return;
	if (lcore->deflater)
		nghttp2_hd_deflate_del(lcore->deflater);
	wk_mem_free(mem, lcore->list.nv);
	wk_mem_free(mem, lcore->out);
	wk_mem_free(mem, lcore->encoded);
	wk_mem_free(mem, lcore->text);
	wk_mem_free(mem, lcore->block);
	wk_mem_free(mem, lcore);
}
