/* SPDX-License-Identifier: Apache-2.0 */
#include "encoder.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define STATIC_N   61u
#define OVERHEAD_B 32u
#define DEFAULT_B  4096u

static struct truth_field fixed[STATIC_N];
static uint32_t huff_code[256];
static uint32_t huff_bits[256];

static void add_byte(struct h2_bytes *to, uint32_t byte)
{
	const uint8_t b = (uint8_t)byte;

	h2_bytes_add(to, &b, 1);
}

/* The Huffman code of a byte is what the library writes for it in front of enough zeros ('0' is
 * 00000) that Huffman is the shorter way, less the zeros and the padding. */
static void learn_code(nghttp2_hd_deflater *deflater, unsigned int byte)
{
	enum { ZEROS = 40 };
	uint8_t name[] = "x", value[1 + ZEROS], out[128];
	const nghttp2_nv nv = { name, value, 1, sizeof(value), NGHTTP2_NV_FLAG_NO_INDEX };
	uint32_t bits, at = 0, code = 0;
	ssize_t len;

	memset(value, '0', sizeof(value));
	value[0] = (uint8_t)byte;
	len = nghttp2_hd_deflate_hd(deflater, out, sizeof(out), &nv, 1);
	while (out[at] == 0x20) /* the update of the first block */
		at++;
	at += 3; /* never indexed, new name, "x" */
	if (len < 0 || out[at - 1] != 'x' || !(out[at] & 0x80))
		abort();
	at++;
	bits = 8 * ((uint32_t)len - at);
	while (out[at + (bits - 1) / 8] >> (7 - (bits - 1) % 8) & 1)
		bits--;
	bits -= 5 * ZEROS;
	for (uint32_t i = 0; i < bits; i++)
		code = code << 1 | ((uint32_t)out[at + i / 8] >> (7 - i % 8) & 1u);
	huff_code[byte] = code;
	huff_bits[byte] = bits;
}

static void learn(void)
{
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater; /* kept: the static entries may be its own */

	if (fixed[0].name)
		return;
	if (nghttp2_hd_deflate_new(&deflater, 0) != 0 || nghttp2_hd_inflate_new(&inflater) != 0)
		abort();
	for (unsigned int byte = 0; byte < 256; byte++)
		learn_code(deflater, byte);
	for (uint32_t i = 0; i < STATIC_N; i++) {
		const nghttp2_nv *nv = nghttp2_hd_inflate_get_table_entry(inflater, i + 1);

		fixed[i] = (struct truth_field){ .name = strndup((char *)nv->name, nv->namelen),
						 .value = strndup((char *)nv->value, nv->valuelen),
						 .name_b = (uint32_t)nv->namelen,
						 .value_b = (uint32_t)nv->valuelen };
	}
	nghttp2_hd_inflate_del(inflater);
	nghttp2_hd_deflate_del(deflater);
}

static void put_huffman(struct h2_bytes *to, const char *text, uint32_t len_b)
{
	uint64_t pending = 0;
	uint32_t n = 0, bits = 0;

	for (uint32_t i = 0; i < len_b; i++)
		bits += huff_bits[(uint8_t)text[i]];
	h2_enc_int(to, 0x80, 7, (bits + 7) / 8);
	for (uint32_t i = 0; i < len_b; i++) {
		pending = pending << huff_bits[(uint8_t)text[i]] | huff_code[(uint8_t)text[i]];
		n += huff_bits[(uint8_t)text[i]];
		for (; n >= 8; n -= 8)
			add_byte(to, pending >> (n - 8) & 0xff);
	}
	if (n > 0)
		add_byte(to, (pending << (8 - n) & 0xff) | 0xffu >> n);
}

static void put_string(struct h2_bytes *to, const char *text, uint32_t len_b, struct sim_rng *rng)
{
	if (rng_chance(rng, 500)) {
		put_huffman(to, text, len_b);
		return;
	}
	h2_enc_int(to, 0, 7, len_b);
	h2_bytes_add(to, text, len_b);
}

static void evict(struct truth_encoder *enc, uint32_t room_b)
{
	while (enc->n > 0 && (enc->size_b > enc->max_b || enc->max_b - enc->size_b < room_b)) {
		const struct truth_field *oldest = &enc->entry[--enc->n];

		enc->size_b -= oldest->name_b + oldest->value_b + OVERHEAD_B;
	}
}

static void insert(struct truth_encoder *enc, const struct truth_field *field)
{
	uint32_t b = field->name_b + field->value_b + OVERHEAD_B;

	evict(enc, b);
	if (b > enc->max_b)
		return;
	if (enc->n == TRUTH_ENTRIES)
		abort();
	memmove(&enc->entry[1], &enc->entry[0], enc->n++ * sizeof(enc->entry[0]));
	enc->entry[0] = *field;
	enc->size_b += b;
}

static const struct truth_field *entry_at(const struct truth_encoder *enc, uint32_t index)
{
	return index <= STATIC_N ? &fixed[index - 1] : &enc->entry[index - STATIC_N - 1];
}

/* One of the entries that fit, 0 if there is none. */
static uint32_t look_up(const struct truth_encoder *enc, const struct truth_field *field,
			bool whole, struct sim_rng *rng)
{
	uint32_t found = 0, n = 0;

	for (uint32_t i = 1; i <= STATIC_N + enc->n; i++) {
		const struct truth_field *e = entry_at(enc, i);

		if (e->name_b != field->name_b || memcmp(e->name, field->name, e->name_b) != 0)
			continue;
		if (whole && (e->value_b != field->value_b ||
			      memcmp(e->value, field->value, e->value_b) != 0))
			continue;
		if (rng_range32(rng, 0, n++) == 0)
			found = i;
	}
	return found;
}

static void put_field(struct truth_encoder *enc, const struct truth_field *field,
		      struct sim_rng *rng, struct h2_bytes *to)
{
	uint32_t index = field->never ? 0 : look_up(enc, field, true, rng);
	bool insertion = !field->never && rng_chance(rng, enc->insert_permille);

	if (index > 0 && rng_chance(rng, 850)) {
		h2_enc_int(to, 0x80, 7, index);
		return;
	}
	index = rng_chance(rng, 800) ? look_up(enc, field, false, rng) : 0;
	if (insertion)
		h2_enc_int(to, 0x40, 6, index);
	else
		h2_enc_int(to, field->never ? 0x10 : 0x00, 4, index);
	if (index == 0)
		put_string(to, field->name, field->name_b, rng);
	put_string(to, field->value, field->value_b, rng);
	if (insertion)
		insert(enc, field);
}

static void put_update(struct truth_encoder *enc, uint32_t size_b, struct h2_bytes *to)
{
	h2_enc_int(to, 0x20, 5, size_b);
	enc->max_b = size_b;
	evict(enc, 0);
}

/* None, one or two. */
static void put_updates(struct truth_encoder *enc, struct sim_rng *rng, struct h2_bytes *to)
{
	bool more = rng_chance(rng, 40);

	if (enc->update_due) {
		put_update(enc, enc->due_b, to);
		more = rng_chance(rng, 700);
	} else if (more && rng_chance(rng, 300)) {
		put_update(enc, rng_range32(rng, 0, enc->limit_b), to);
	}
	if (more)
		put_update(enc,
			   rng_chance(rng, 600) ? enc->limit_b : rng_range32(rng, 0, enc->limit_b),
			   to);
	enc->update_due = false;
}

void truth_encoder_init(struct truth_encoder *enc)
{
	learn();
	*enc = (struct truth_encoder){ .limit_b = DEFAULT_B, .max_b = DEFAULT_B };
}

void truth_encoder_limit(struct truth_encoder *enc, uint32_t min_b, uint32_t last_b)
{
	enc->limit_b = last_b;
	if (enc->update_due) {
		enc->due_b = min_b < enc->due_b ? min_b : enc->due_b;
	} else if (min_b < enc->max_b) {
		enc->update_due = true;
		enc->due_b = min_b;
	}
}

void truth_encode(struct truth_encoder *enc, const struct truth_list *list, struct sim_rng *rng,
		  struct h2_bytes *to)
{
	static const uint32_t rates[] = { 0, 100, 600 };

	/* Some blocks leave the table as it is. */
	enc->insert_permille = rates[rng_range32(rng, 0, 2)];
	put_updates(enc, rng, to);
	for (uint32_t i = 0; i < list->n; i++)
		put_field(enc, &list->field[i], rng, to);
}
