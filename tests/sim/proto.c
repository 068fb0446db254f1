/* SPDX-License-Identifier: Apache-2.0 */
#include "proto.h"

#include <stdlib.h>
#include <string.h>

#include "../support/wire_bytes.h"
#include "list.h"

void proto_read(const uint8_t *p, struct proto_hdr *hdr)
{
	hdr->len_b = (uint32_t)p[0] << 16 | get16(p + 1);
	hdr->kind = p[3];
	hdr->id = get32(p + 4);
}

void proto_write(uint8_t *p, uint32_t len_b, uint8_t kind, uint32_t id)
{
	p[0] = (uint8_t)(len_b >> 16);
	put16(p + 1, len_b);
	p[3] = kind;
	put32(p + 4, id);
}

static void grow(struct proto_stream *stream, uint32_t len_b)
{
	stream->bytes = realloc(stream->bytes, stream->len_b + len_b);
	stream->soft = realloc(stream->soft, stream->len_b + len_b);
	stream->cuts = realloc(stream->cuts, (stream->n_cuts + 1) * sizeof(*stream->cuts));
	stream->cap_b = stream->len_b + len_b;
	if (!stream->bytes || !stream->soft || !stream->cuts)
		abort();
}

static void append(struct proto_stream *stream, uint8_t kind, uint32_t id, uint32_t len_b,
		   struct sim_rng *rng)
{
	uint8_t *p;

	grow(stream, PROTO_HDR_B + len_b);
	p = stream->bytes + stream->len_b;
	proto_write(p, len_b, kind, id);
	memset(stream->soft + stream->len_b, 0, PROTO_HDR_B);
	memset(stream->soft + stream->len_b + PROTO_HDR_B, 1, len_b);
	for (uint32_t i = 0; i < len_b; i++)
		p[PROTO_HDR_B + i] = (uint8_t)rng_next(rng);
	stream->cuts[stream->n_cuts++] = stream->len_b;
	stream->len_b += PROTO_HDR_B + len_b;
}

/* Mostly short, sometimes up to max_b. */
static uint32_t length(struct sim_rng *rng, uint32_t max_b)
{
	uint32_t bound = rng_chance(rng, 700) ? 120 : max_b;

	return rng_range32(rng, 0, bound < max_b ? bound : max_b);
}

static uint8_t choose(const struct proto_mix *mix, struct sim_rng *rng)
{
	const struct {
		uint8_t kind;
		uint32_t weight;
	} all[] = {
		{ PROTO_DATA, mix->weight_data }, { PROTO_CTRL, mix->weight_ctrl },
		{ PROTO_DENY, mix->weight_deny }, { PROTO_DENY_STREAM, mix->weight_deny_stream },
		{ PROTO_EAT, mix->weight_eat },   { PROTO_REPL, mix->weight_repl },
		{ PROTO_HEAD, mix->weight_head }, { PROTO_SETTINGS, mix->weight_settings },
		{ PROTO_ASK, mix->weight_ask },
	};
	uint32_t sum = 0, at;

	for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sum += all[i].weight;
	at = rng_range32(rng, 0, sum - 1);
	for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (at < all[i].weight)
			return all[i].kind;
		at -= all[i].weight;
	}
	return PROTO_DATA;
}

static uint32_t max_of(const struct proto_mix *mix, uint8_t kind)
{
	switch (kind) {
	case PROTO_DATA:
	case PROTO_HEAD:
		return mix->data_max_b;
	case PROTO_DENY_STREAM:
	case PROTO_EAT:
		return mix->eat_max_b;
	default:
		return mix->whole_max_b;
	}
}

/* The frame at `at`, of two bytes at least, becomes one with a payload of to_b. */
static void put_replacement(struct proto_stream *stream, uint32_t at, uint32_t to_b)
{
	uint8_t *p = stream->bytes + at + PROTO_HDR_B;

	put16(p, to_b);
	memset(stream->soft + at + PROTO_HDR_B, 0, 2);
}

/* Lengths of replacements and wishes to be patched are in the payload: the judge reads nothing
 * else. */
static void steer(struct proto_stream *stream, uint32_t to_b, bool patch)
{
	uint32_t at = stream->cuts[stream->n_cuts - 1];
	struct proto_hdr hdr;
	uint8_t *p = stream->bytes + at + PROTO_HDR_B;

	proto_read(stream->bytes + at, &hdr);
	if (hdr.kind == PROTO_REPL && hdr.len_b >= 2)
		put_replacement(stream, at, to_b);
	if (hdr.kind == PROTO_SETTINGS && hdr.len_b >= 1) {
		p[0] = patch;
		stream->soft[at + PROTO_HDR_B] = 0;
	}
}

/* Steers the latest frame by chance. */
static void steer_drawn(struct proto_stream *stream, const struct proto_mix *mix,
			struct sim_rng *rng)
{
	uint32_t to_b = 0;
	struct proto_hdr hdr;
	bool patch = false;

	proto_read(stream->bytes + stream->cuts[stream->n_cuts - 1], &hdr);
	if (hdr.kind == PROTO_REPL && hdr.len_b >= 2)
		to_b = rng_chance(rng, 300) ? hdr.len_b : length(rng, mix->repl_max_b);
	if (hdr.kind == PROTO_SETTINGS && hdr.len_b >= 1)
		patch = rng_chance(rng, mix->patch_permille);
	steer(stream, to_b, patch);
}

static void frames(struct proto_stream *stream, const struct proto_mix *mix, struct sim_rng *rng)
{
	for (uint32_t i = 0; i < mix->frames; i++) {
		uint8_t kind = choose(mix, rng);

		/* The last may not leave insertions without a place. */
		if (kind == PROTO_HEAD && i + 1 == mix->frames)
			kind = PROTO_DATA;
		append(stream, kind, i, length(rng, max_of(mix, kind)), rng);
		steer_drawn(stream, mix, rng);
	}
}

static void preface(struct proto_stream *stream)
{
	grow(stream, PROTO_PREFACE_B);
	memcpy(stream->bytes, PROTO_PREFACE, PROTO_PREFACE_B);
	memset(stream->soft, 0, PROTO_PREFACE_B);
	stream->cuts[stream->n_cuts++] = 0;
	stream->len_b = PROTO_PREFACE_B;
}

/* No frame begins behind the end. */
static void drop_cuts(struct proto_stream *stream)
{
	while (stream->n_cuts > 1 && stream->cuts[stream->n_cuts - 1] >= stream->len_b)
		stream->n_cuts--;
}

void proto_make_client(struct proto_stream *stream, const struct proto_mix *mix,
		       struct sim_rng *rng)
{
	*stream = (struct proto_stream){ 0 };
	preface(stream);
	frames(stream, mix, rng);
	if (mix->truncated)
		stream->len_b -= rng_range32(rng, 0, stream->len_b - PROTO_PREFACE_B) % 300;
	drop_cuts(stream);
}

void proto_make_server(struct proto_stream *stream, const struct proto_mix *mix,
		       struct sim_rng *rng)
{
	*stream = (struct proto_stream){ 0 };
	append(stream, PROTO_SETTINGS, 0, rng_range32(rng, 0, 60), rng);
	steer_drawn(stream, mix, rng);
	frames(stream, mix, rng);
}

void proto_add(struct proto_frames *frames, const struct proto_frame *frame)
{
	frames->frames =
		list_room(frames->frames, frames->n, &frames->cap, sizeof(*frames->frames));
	frames->frames[frames->n++] = *frame;
}

void proto_from_frames(struct proto_stream *stream, bool client, const struct proto_frames *frames)
{
	struct sim_rng fill = { .state = client };
	uint32_t most_b;

	*stream = (struct proto_stream){ 0 };
	if (client)
		preface(stream);
	for (uint32_t i = 0; i < frames->n; i++) {
		const struct proto_frame *frame = &frames->frames[i];

		append(stream, frame->kind, i, frame->len_b, &fill);
		steer(stream, frame->to_b, frame->patch);
	}
	most_b = stream->len_b - (client ? PROTO_PREFACE_B : 0);
	stream->len_b -= frames->cut_b < most_b ? frames->cut_b : most_b;
	drop_cuts(stream);
}

void proto_to_frames(const struct proto_stream *stream, bool client, struct proto_frames *frames)
{
	uint32_t end = stream->len_b;

	frames->n = 0;
	for (uint32_t i = client; i < stream->n_cuts; i++) {
		const uint8_t *p = stream->bytes + stream->cuts[i];
		struct proto_frame frame;
		struct proto_hdr hdr;

		proto_read(p, &hdr);
		frame = (struct proto_frame){ .kind = hdr.kind, .len_b = hdr.len_b };
		if (hdr.kind == PROTO_REPL && hdr.len_b >= 2)
			frame.to_b = get16(p + PROTO_HDR_B);
		frame.patch = hdr.kind == PROTO_SETTINGS && hdr.len_b >= 1 && p[PROTO_HDR_B] == 1;
		proto_add(frames, &frame);
		end = stream->cuts[i] + PROTO_HDR_B + hdr.len_b;
	}
	frames->cut_b = end - stream->len_b;
}

static uint8_t other_kind(uint8_t kind)
{
	/* those that stream through among themselves, those that are held whole likewise */
	static const uint8_t kinds[] = { PROTO_DATA, PROTO_DENY_STREAM, PROTO_EAT,  PROTO_DATA, 0,
					 PROTO_CTRL, PROTO_REPL,        PROTO_DENY, PROTO_CTRL };

	for (uint32_t i = 0; i + 1 < sizeof(kinds); i++)
		if (kinds[i] == kind)
			return kinds[i + 1];
	return kind;
}

void proto_other_face(struct proto_stream *stream)
{
	stream->face = malloc(stream->cap_b);
	if (!stream->face)
		abort();
	/* What comes to be replaced in the other version says how in both. */
	for (uint32_t i = 1; i < stream->n_cuts; i++) {
		uint8_t *p = stream->bytes + stream->cuts[i];
		struct proto_hdr hdr;

		proto_read(p, &hdr);
		if (other_kind(hdr.kind) != PROTO_REPL || hdr.len_b < 2)
			continue;
		put_replacement(stream, stream->cuts[i], 2 * hdr.len_b % 3000);
	}
	for (uint32_t i = 0; i < stream->cap_b; i++)
		stream->face[i] = stream->bytes[i] ^ (stream->soft[i] ? 0x55 : 0);
	for (uint32_t i = 1; i < stream->n_cuts; i++)
		stream->face[stream->cuts[i] + 3] = other_kind(stream->bytes[stream->cuts[i] + 3]);
}

void proto_free(struct proto_stream *stream)
{
	free(stream->bytes);
	free(stream->soft);
	free(stream->face);
	free(stream->cuts);
	*stream = (struct proto_stream){ 0 };
}

uint32_t proto_replace(const uint8_t *frame, uint32_t len_b, uint8_t *out)
{
	uint32_t in_b = len_b - PROTO_HDR_B, out_b = 0;
	struct proto_hdr hdr;

	proto_read(frame, &hdr);
	if (in_b >= 2)
		out_b = get16(frame + PROTO_HDR_B);
	if (out_b > PROTO_REPL_MAX_B - PROTO_HDR_B)
		out_b = PROTO_REPL_MAX_B - PROTO_HDR_B;
	proto_write(out, out_b, PROTO_REPLACED, hdr.id);
	for (uint32_t i = 0; i < out_b; i++)
		out[PROTO_HDR_B + i] =
			(uint8_t)(frame[PROTO_HDR_B + i % in_b] ^ (i / in_b * 29 + 0xa5));
	return PROTO_HDR_B + out_b;
}

bool proto_patch(const uint8_t *frame, uint32_t len_b, uint8_t *out)
{
	if (len_b < PROTO_HDR_B + 2 || frame[PROTO_HDR_B] != 1)
		return false;
	for (uint32_t i = 0; i < len_b; i++)
		out[i] = i > PROTO_HDR_B ? frame[i] ^ 0x33 : frame[i];
	return true;
}

uint32_t proto_insertion_b(uint64_t salt, uint32_t n, uint32_t max_b)
{
	struct sim_rng rng = { .state = salt + n };
	uint32_t bound = rng_chance(&rng, 800) ? 150 : max_b;

	if (bound > max_b)
		bound = max_b;
	return rng_range32(&rng, PROTO_HDR_B, bound);
}

uint32_t proto_insertion(uint64_t salt, uint32_t n, uint32_t max_b, uint8_t *out)
{
	uint32_t len_b = proto_insertion_b(salt, n, max_b);

	proto_write(out, len_b - PROTO_HDR_B, PROTO_INSERT, n);
	for (uint32_t i = PROTO_HDR_B; i < len_b; i++)
		out[i] = (uint8_t)(n * 31 + i);
	return len_b;
}
