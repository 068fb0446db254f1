/* SPDX-License-Identifier: Apache-2.0 */
#include "kind.h"

#define SEGMENT_B    1448u
#define STREAM_TURNS 16u

struct kind_spec kinds[KIND_MAX] = {
	[KIND_UNARY64] = { "unary64", "/wicket.gen.Bench/Unary64", 1, 64, 64 },
	[KIND_UNARY1K] = { "unary1k", "/wicket.gen.Bench/Unary1K", 1, 1024, 1024 },
	[KIND_UNARY16K] = { "unary16k", "/wicket.gen.Bench/Unary16K", 1, 16384, 16384 },
	[KIND_STREAM] = { "stream", "/wicket.gen.Bench/Stream", STREAM_TURNS, 1024, 1024 },
	[KIND_BULK] = { "bulk", "/wicket.gen.Bench/Bulk", 1, 1u << 20, 64 },
};
/* Of the same length as the others. */
const char kind_denied_path[] = "/wicket.gen.Bench/SetCode";

uint32_t kind_bytes(enum kind kind)
{
	const struct kind_spec *spec = &kinds[kind];

	return spec->turns * (spec->request_b + spec->response_b);
}

uint32_t kind_flight(enum kind kind)
{
	const struct kind_spec *spec = &kinds[kind];

	uint32_t body_b = spec->request_b + spec->response_b;

	/* An acknowledgement for every second segment. */
	return 2 + (body_b < KIND_WINDOW_B ? body_b : KIND_WINDOW_B) / SEGMENT_B * 3 / 2;
}
