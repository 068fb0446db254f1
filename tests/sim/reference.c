/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

#include "proto.h"

/* Edits one frame of len_b bytes, or what there is of it. */
static uint64_t edit_frame(const uint8_t *p, uint64_t len_b, const struct proto_hdr *hdr,
			   uint8_t *out)
{
	bool whole = len_b == PROTO_HDR_B + (uint64_t)hdr->len_b;

	switch (hdr->kind) {
	case PROTO_DATA:
		memcpy(out, p, len_b);
		return len_b;
	case PROTO_CTRL:
	case PROTO_ASK:
		if (!whole)
			return 0;
		memcpy(out, p, len_b);
		return len_b;
	case PROTO_REPL:
		return whole ? proto_replace(p, (uint32_t)len_b, out) : 0;
	default:
		return 0;
	}
}

uint8_t *reference_client(const uint8_t *in, uint64_t len_b, const struct ranges *watched,
			  uint64_t *out_b)
{
	uint64_t at = PROTO_PREFACE_B, cap = len_b + PROTO_REPL_MAX_B;
	uint8_t *out = malloc(cap);
	struct proto_hdr hdr;

	*out_b = 0;
	if (!out)
		abort();
	if (len_b < PROTO_PREFACE_B)
		return out;
	memcpy(out, in, PROTO_PREFACE_B);
	*out_b = PROTO_PREFACE_B;
	while (len_b - at >= PROTO_HDR_B) {
		uint64_t n;

		proto_read(in + at, &hdr);
		n = PROTO_HDR_B + (uint64_t)hdr.len_b;
		if (n > len_b - at)
			n = len_b - at;
		if (*out_b + n + PROTO_REPL_MAX_B > cap) {
			cap = 2 * (*out_b + n + PROTO_REPL_MAX_B);
			out = realloc(out, cap);
			if (!out)
				abort();
		}
		if (ranges_find(watched, at)) {
			memcpy(out + *out_b, in + at, n);
			*out_b += n;
		} else {
			*out_b += edit_frame(in + at, n, &hdr, out + *out_b);
		}
		at += n;
	}
	return out;
}

/* An insertion at got->bytes[at], if there is one. Of the last one not even the kind may have
 * arrived. @return its length, 0 for none. */
static uint64_t insertion(struct reference_got *got, uint64_t at, bool may_insert,
			  const char **wrong)
{
	uint8_t want[PROTO_INSERT_MAX_B];
	uint64_t left_b = got->len_b - at, len_b;

	len_b = proto_insertion(got->salt, got->inserted, got->max_b, want);
	if (left_b < 4 ? !may_insert || got->whole || memcmp(want, got->bytes + at, left_b) != 0
		       : got->bytes[at + 3] != PROTO_INSERT)
		return 0;
	if (memcmp(want, got->bytes + at, left_b < len_b ? left_b : len_b) != 0)
		*wrong = "an insertion is not the one that was due";
	if (left_b < len_b && got->whole)
		*wrong = "the last insertion is cut off";
	got->inserted++;
	return left_b < len_b ? left_b : len_b;
}

enum patching {
	PATCH_MAY = 0,
	PATCH_MUST,
	PATCH_NEVER,
};

static const char *same_frame(const uint8_t *sent, uint64_t sent_b, const uint8_t *got,
			      uint64_t got_b, enum patching patching)
{
	uint64_t n = sent_b < got_b ? sent_b : got_b;
	uint8_t *patched = malloc(sent_b);
	const char *wrong = NULL;

	if (!patched)
		abort();
	if (memcmp(sent, got, n) != 0) {
		if (patching == PATCH_NEVER || sent[3] != PROTO_SETTINGS ||
		    !proto_patch(sent, (uint32_t)sent_b, patched) || memcmp(patched, got, n) != 0)
			wrong = "the client got other bytes than the server sent";
	} else if (patching == PATCH_MUST && n == sent_b && sent[3] == PROTO_SETTINGS &&
		   proto_patch(sent, (uint32_t)sent_b, patched)) {
		wrong = "SETTINGS were not patched";
	}
	free(patched);
	return wrong;
}

static enum patching patching_at(const struct reference_got *got, uint64_t at)
{
	if (at >= got->judged_b)
		return PATCH_MAY;
	return ranges_find(got->watched, at) ? PATCH_NEVER : PATCH_MUST;
}

const char *reference_server(const uint8_t *sent, uint64_t sent_b, struct reference_got *got)
{
	uint64_t at = 0, from = 0;
	const char *wrong = NULL;
	bool may_insert = false;
	struct proto_hdr hdr;

	while (from < got->len_b && !wrong) {
		uint64_t n = insertion(got, from, may_insert, &wrong);

		if (n > 0) {
			if (!may_insert)
				return "an insertion where none may be";
			from += n;
			continue;
		}
		if (at == sent_b)
			return "the client got more than the server sent";
		proto_read(sent + at, &hdr);
		n = PROTO_HDR_B + (uint64_t)hdr.len_b;
		wrong = same_frame(sent + at, n, got->bytes + from, got->len_b - from,
				   patching_at(got, at));
		may_insert = hdr.kind != PROTO_HEAD;
		from += n < got->len_b - from ? n : got->len_b - from;
		at += n;
		if (got->whole && from == got->len_b && at < sent_b)
			return "the client got less than the server sent";
	}
	return wrong;
}

uint8_t *reference_asked(const uint8_t *want, uint64_t want_b, struct reference_got *got,
			 uint64_t *out_b, const char **wrong)
{
	uint8_t *out = malloc(want_b + got->len_b + 1);
	bool may_insert = false;
	struct proto_hdr hdr;
	uint64_t at = 0, n;

	if (!out)
		abort();
	for (*out_b = 0; !*wrong; *out_b += n) {
		uint64_t left_b = want_b - at;

		n = *out_b < got->len_b && may_insert ? insertion(got, *out_b, true, wrong) : 0;
		if (n > 0) {
			memcpy(out + *out_b, got->bytes + *out_b, n);
			continue;
		}
		if (left_b == 0)
			break;
		n = at == 0 ? PROTO_PREFACE_B : PROTO_HDR_B;
		if (at > 0 && left_b >= PROTO_HDR_B) {
			proto_read(want + at, &hdr);
			n += hdr.len_b;
		}
		may_insert = n <= left_b;
		n = may_insert ? n : left_b;
		memcpy(out + *out_b, want + at, n);
		at += n;
	}
	return out;
}
