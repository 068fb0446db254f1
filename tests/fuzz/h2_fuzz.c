/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes lib/h2 with both directions of a connection.
 *
 * Input: byte 0 picks the setting (see below), then chunks: one byte of what to do, two bytes of
 * length (big-endian), the bytes. What has to hold:
 *  - the chunks shown whole and cut at random come out the same
 *  - so they do where every header block is decoded, and where only one is remembered
 *  - a real server (libnghttp2) that reads what went out decodes no request that was not allowed,
 *    stream and path alike
 *  - it meets no HPACK error, unless its own SETTINGS would have changed its table
 *  - all memory is given back (the kit looks) */
#undef NDEBUG
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2_kit.h"
#include "h2_truth.h"
#include "must.h"

#define SET_PASSIVE    0x01u /* passive mode */
#define SET_SMALL      0x02u /* small limits */
#define SET_STARTED    0x04u /* preface and SETTINGS of both sides come first */
#define SET_GRPC_REPLY 0x08u
#define SET_NO_ROOM    0x10u /* nothing can be inserted at first */

#define CHUNK_S2C    0x80u
#define CHUNK_TIME   0x40u /* a second goes by first */
#define CHUNK_ROOM   0x20u /* insertions find room from here on */
#define CHUNK_POLICY 0x10u /* another policy from here on */
#define CHUNK_HDR_B  3u

/* Runs of one input. */
enum { WHOLE, CUT, DECODED, TIGHT, RUNS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(struct h2_kit *kit, enum h2_cuts cuts, uint32_t seed, uint8_t set,
		   uint32_t seen_blocks)
{
	h2_kit_init(kit, cuts, seed);
	if (set & SET_SMALL) {
		kit->limits.block_b = 300;
		kit->limits.continuations = 3;
		kit->limits.header_list_b = 400;
		kit->limits.fields = 10;
		kit->limits.streams = 3;
		kit->limits.pending = 3;
		kit->limits.control_burst = 12;
		kit->limits.control_frame_b = 64;
		kit->limits.credit_b = 100;
		h2_kit_restart(kit);
	}
	if (seen_blocks < kit->limits.seen_blocks)
		kit->limits.seen_blocks = seen_blocks;
	kit->env.passive = set & SET_PASSIVE;
	kit->reply = set & SET_GRPC_REPLY ? WK_H2_REPLY_GRPC : WK_H2_REPLY_HTTP_403;
	if (set & SET_NO_ROOM)
		kit->room_b = 0;
	if (set & SET_STARTED)
		h2_kit_start(kit);
}

static void run(struct h2_kit *kit, const uint8_t *data, size_t size)
{
	while (size >= CHUNK_HDR_B && !kit->ended) {
		uint8_t what = data[0];
		size_t n = (size_t)data[1] << 8 | data[2];

		data += CHUNK_HDR_B;
		size -= CHUNK_HDR_B;
		if (n > size)
			n = size;
		if (what & CHUNK_TIME)
			kit->env.now_ns += 1000000000ull;
		if (what & CHUNK_ROOM)
			kit->room_b = UINT32_MAX;
		if (what & CHUNK_POLICY) {
			kit->narrow = !kit->narrow;
			kit->env.version++;
		}
		h2_kit_send(kit, what & CHUNK_S2C ? WK_S2C : WK_C2S, data, n);
		data += n;
		size -= n;
	}
}

/* What was counted, but for the blocks that did not have to be decoded. */
static void compare_stats(const struct h2_kit *a, const struct h2_kit *b)
{
	for (uint32_t i = 0; i < WK_COUNTER_MAX; i++)
		must(a->stats.counter[i] == b->stats.counter[i] || i == WK_CNT_SEEN_HITS ||
		     i == WK_CNT_SEEN_MISSES || i == WK_CNT_SEEN_LONG);
	must(b->limits.seen_blocks == 0 ||
	     a->stats.counter[WK_CNT_SEEN_HITS] + a->stats.counter[WK_CNT_SEEN_MISSES] ==
		     b->stats.counter[WK_CNT_SEEN_HITS] + b->stats.counter[WK_CNT_SEEN_MISSES]);
}

static void compare(const struct h2_kit *a, const struct h2_kit *b)
{
	must(a->ended == b->ended);
	must(wk_h2_error(a->conn) == wk_h2_error(b->conn));
	must(h2_bytes_equal(&a->out[WK_C2S], &b->out[WK_C2S]));
	must(h2_bytes_equal(&a->out[WK_S2C], &b->out[WK_S2C]));
	must(a->n_decided == b->n_decided && a->n_refused == b->n_refused);
	must(memcmp(a->decided, b->decided, sizeof(a->decided)) == 0);
	must(memcmp(a->refused, b->refused, sizeof(a->refused)) == 0);
	compare_stats(a, b);
}

static bool was_allowed(const struct h2_kit *kit, const struct h2_truth_stream *stream)
{
	char want[96];

	for (uint32_t i = 0; i < kit->n_decided; i++) {
		if (kit->decided[i].id != stream->id || kit->decided[i].verdict != WK_H2_ALLOW)
			continue;
		snprintf(want, sizeof(want), ":path: %s\n", kit->decided[i].path);
		return strstr(stream->fields, want) != NULL;
	}
	return false;
}

/* Did the server's SETTINGS name a table size? */
static bool table_resized(const struct h2_kit *kit)
{
	struct h2_seen seen;

	for (uint32_t i = 0; h2_kit_nth(kit, WK_S2C, i, &seen); i++)
		for (uint32_t at = 0; seen.type == 4 && at + 6 <= seen.len_b; at += 6)
			if (seen.payload[at] == 0 && seen.payload[at + 1] == 1)
				return true;
	return false;
}

static void judge(struct h2_kit *kit)
{
	struct h2_truth *server = malloc(sizeof(*server));
	struct h2_bytes said = { 0 };

	must(server);
	h2_truth_server(server, NULL, 0);
	h2_truth_send(server, &said);
	h2_truth_recv(server, kit->out[WK_C2S].p, kit->out[WK_C2S].n);
	h2_truth_send(server, &said);
	for (uint32_t i = 0; i < server->n; i++)
		must(server->stream[i].requests == 0 || was_allowed(kit, &server->stream[i]));
	must(!server->hpack_broken || table_resized(kit));
	h2_truth_fini(server);
	h2_bytes_free(&said);
	free(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h2_kit *kit[RUNS];

	if (size < 1)
		return 0;
	for (uint32_t i = 0; i < RUNS; i++) {
		kit[i] = malloc(sizeof(*kit[i]));
		must(kit[i]);
		set_up(kit[i], i == CUT ? H2_RANDOM : H2_WHOLE, (uint32_t)size, data[0],
		       i == DECODED ? 0
		       : i == TIGHT ? 1
				    : UINT32_MAX);
		run(kit[i], data + 1, size - 1);
	}
	for (uint32_t i = CUT; i < RUNS; i++)
		compare(kit[WHOLE], kit[i]);
	if (!(data[0] & SET_PASSIVE) && kit[WHOLE]->n_decided < H2_KIT_CALLS)
		judge(kit[WHOLE]);
	for (uint32_t i = 0; i < RUNS; i++) {
		h2_kit_fini(kit[i]);
		free(kit[i]);
	}
	return 0;
}
