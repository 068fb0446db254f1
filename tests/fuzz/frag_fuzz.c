/* SPDX-License-Identifier: Apache-2.0 */
/* frag_fuzz.c - fragments in any order, size and number.
 *
 * The first byte chooses. Bit 0 clear: the rest are orders of four bytes, each a fragment of one of
 * four datagrams; a naive model says what must come of it, and a whole datagram must be made of the
 * very bytes that were kept. Bit 0 set: the rest are frames, each behind two bytes of length; what
 * is put together must parse as a packet without a hole. Bit 1: IPv6. Bit 2: nothing is held
 * against the fragments. In all of it, each fragment has one end. */
#include <stdlib.h>

#include "frag_kit.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

#define DATAGRAMS 4u
#define ORDER_B   4u
#define FRAME_B   1500u

/* A datagram as a list of what was kept. */
struct model {
	struct spec piece[WK_FRAG_PIECES_MAX];
	uint32_t n;
	bool ended;
};

static struct model models[DATAGRAMS];

static uint32_t end_of(const struct spec *spec)
{
	return (uint32_t)spec->off + spec->len;
}

/* What must become of a fragment: as kit_letter says it. */
static char judge(const struct model *model, const struct spec *spec)
{
	uint32_t sum = spec->len;
	uint32_t total = spec->more ? 0 : end_of(spec);

	if (spec->len == 0)
		return 'l';
	if (model->ended)
		return '!';
	for (uint32_t i = 0; i < model->n; i++) {
		const struct spec *other = &model->piece[i];

		if (other->off == spec->off && other->len == spec->len &&
		    other->more == spec->more && other->change == spec->change)
			return 'd';
		if (other->off < end_of(spec) && spec->off < end_of(other))
			return 'o';
	}
	for (uint32_t i = 0; i < model->n; i++) {
		const struct spec *other = &model->piece[i];

		if (!other->more && (!spec->more || end_of(spec) >= end_of(other)))
			return 'o';
		if (!spec->more && end_of(other) > end_of(spec))
			return 'o';
		sum += other->len;
		total = other->more ? total : end_of(other);
	}
	if (model->n == WK_FRAG_PIECES_MAX)
		return 'f';
	return total > 0 && sum == total ? 'w' : 'k';
}

static void check_whole(struct model *model, uint32_t total_b)
{
	const uint8_t *payload = kit.whole.frame + kit.whole.len_b - total_b;

	must(kit.whole.n == model->n);
	for (uint32_t i = 0; i < model->n; i++) {
		const struct spec *spec = &model->piece[i];

		for (uint32_t at = spec->off; at < end_of(spec); at++)
			must(payload[at] == (uint8_t)(kit_byte(spec, at) + spec->change));
	}
}

static void note(struct model *model, const struct spec *spec, char want)
{
	uint32_t total_b = 0;

	if (want == 'o' || want == 'f') {
		model->ended = true;
		model->n = 0;
	}
	if (want != 'k' && want != 'w')
		return;
	model->piece[model->n++] = *spec;
	if (want == 'k')
		return;
	for (uint32_t i = 0; i < model->n; i++)
		total_b += model->piece[i].len;
	check_whole(model, total_b);
	model->n = 0;
}

static void order(const uint8_t *bytes, uint8_t how)
{
	struct spec spec = {
		.ip_version = (how & 2) != 0 ? 6 : 4,
		.proto = (how & 2) != 0 ? IPPROTO_DSTOPTS : 0,
		.open = (how & 4) != 0,
		.id = bytes[0] % DATAGRAMS,
		.more = (bytes[0] & 4) != 0,
		.change = (bytes[0] & 0x38) == 0x38,
		.off = (uint16_t)(bytes[1] * 8),
		.len = (uint16_t)(bytes[2] * 8 % 512),
	};
	struct model *model = &models[spec.id];
	char want;

	if (!spec.more)
		spec.len = (uint16_t)(spec.len + bytes[3] % 8);
	/* Not fragments, and not what the parser lets through. */
	if ((spec.off == 0 && !spec.more) || (spec.off == 0 && spec.len < 8) ||
	    (spec.off == 0 && spec.change != 0))
		return;
	want = judge(model, &spec);
	kit_input(&spec, 1);
	if (spec.open && want != 'k' && want != 'w')
		must(kit.last == WK_FRAG_END && kit.reason == WK_FWD_PLAIN);
	else if (want == '!')
		must(kit.last == WK_FRAG_END);
	else
		must(kit_letter(kit.last) == want);
	note(model, &spec, want);
}

static void orders(const uint8_t *data, size_t size_b, uint8_t how)
{
	for (; size_b >= ORDER_B; data += ORDER_B, size_b -= ORDER_B) {
		order(data, how);
		must(kit_books_even());
	}
}

static void frames(const uint8_t *data, size_t size_b)
{
	while (size_b > 2) {
		uint32_t len_b = ((uint32_t)data[0] << 8 | data[1]) % FRAME_B;
		struct wk_pkt pkt;

		data += 2;
		size_b -= 2;
		if (len_b > size_b)
			len_b = (uint32_t)size_b;
		if (kit_input_frame(data, len_b, 1) && kit.last == WK_FRAG_WHOLE) {
			wk_pkt_parse(kit.whole.frame, kit.whole.len_b, &pkt);
			must(pkt.ip_version != 0);
			must((uint32_t)pkt.l3_off + pkt.l3_len_b == kit.whole.len_b);
			must(pkt.ip_version == 6 || (pkt.flags & WK_PKT_F_FRAG) == 0);
		}
		must(kit_books_even());
		data += len_b;
		size_b -= len_b;
	}
}

static void finish(void)
{
	kit_stop();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	static bool started;

	if (!started) {
		kit_start("frag_fuzz");
		atexit(finish);
		started = true;
	}
	if (size_b == 0)
		return 0;
	/* As many places as it takes: the model knows no eviction. */
	must(kit_open(DATAGRAMS, DATAGRAMS * WK_FRAG_PIECES_MAX) == 0);
	memset(models, 0, sizeof(models));
	if ((data[0] & 1) == 0)
		orders(data + 1, size_b - 1, data[0]);
	else
		frames(data + 1, size_b - 1);
	must(kit_close() == 0);
	return 0;
}
