/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the whole inspector with both directions of one connection, twice: in segments as large as
 * they may be, and in others.
 *
 * Input: byte 0 says how the box is set (below), byte 1 is the seed of the cuts, then chunks: one
 * byte of what to do, two bytes of length (big-endian), the bytes. All of a chunk has arrived
 * before the next one begins. What has to hold, besides what box_stage.c looks at by itself:
 *  - no frame of ours stands inside a header block of the server's
 *  - the server is sent the same bytes, the client the same frames
 *  - events, counts of calls, the connection's row in the flow list and how it ends are the same
 *
 * Allowed to differ, and why:
 *  - RST_STREAM(NO_ERROR) behind a reply to a denied call: it is for a client that has not ended
 *    its side by the time the reply leaves
 *  - WINDOW_UPDATE for deleted DATA: it is gathered until its frame has a place; less than one
 *    step of it may still wait
 *  - where the server's bytes came out of order: the place of our frames among the server's, since
 *    they cannot stand in front of what has gone out
 *  - where the server's bytes came out of order and name a table size above 4096: everything, it
 *    may have gone out before it could be patched
 *  - at an error, how much has gone on: the segment at fault goes no further as a whole, frames in
 *    front of the fault included. One is a prefix of the other, GOAWAY at its end aside; whether
 * anything has been edited goes with it */
#undef NDEBUG
#include <stdlib.h>
#include <string.h>

#include "box_stage.h"
#include "must.h"

#define SET_SMALL    0x01u
#define SET_STARTED  0x02u /* preface and SETTINGS of both sides come first */
#define SET_GRPC     0x04u
#define SET_IPV6     0x08u
#define SET_AUDIT    0x10u
#define SET_REENCODE 0x20u
#define SET_MESSY    0x40u /* the server's segments may come out of order as well */

#define CHUNK_S2C   0x80u
#define CHUNK_HDR_B 3u
#define SET_B       2u
#define SIZE_MAX_B  8192u

#define STEP_B       16384u /* of credit */
#define STEP_SMALL_B 100u

/* How one of the two runs is made. */
struct run {
	bool cut;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hello(struct box *box)
{
	struct h2_bytes client = { 0 }, server = { 0 };
	struct sim_rng rng = { 0 };

	h2_put_preface(&client);
	h2_put(&client, 4, 0, 0, NULL, 0);
	h2_put(&server, 4, 0, 0, NULL, 0);
	h2_put(&server, 4, 1, 0, NULL, 0);
	box_say(box, WK_C2S, client.p, client.n, BOX_WHOLE, &rng);
	box_say(box, WK_S2C, server.p, server.n, BOX_WHOLE, &rng);
	client.n = 0;
	h2_put(&client, 4, 1, 0, NULL, 0);
	box_say(box, WK_C2S, client.p, client.n, BOX_WHOLE, &rng);
	h2_bytes_free(&client);
	h2_bytes_free(&server);
}

static enum box_cut cut_of(uint8_t what, uint8_t set)
{
	static const enum box_cut cuts[] = { BOX_BYTES, BOX_FRAMES, BOX_RANDOM, BOX_MESSY };
	enum box_cut cut = cuts[what & 3];

	return cut == BOX_MESSY && (what & CHUNK_S2C) && !(set & SET_MESSY) ? BOX_RANDOM : cut;
}

static void play(struct box *box, const struct run *run, const uint8_t *data, size_t size)
{
	const struct box_conf conf = {
		.audit = data[0] & SET_AUDIT,
		.small = data[0] & SET_SMALL,
		.reencode = data[0] & SET_REENCODE,
		.grpc = data[0] & SET_GRPC,
		.ipv6 = data[0] & SET_IPV6,
		.secret = 0x5eed5eed12345678ull,
	};
	struct sim_rng rng = { .state = data[1] };
	uint8_t set = data[0];

	box_init(box, &conf);
	if (set & SET_STARTED)
		hello(box);
	data += SET_B;
	size -= SET_B;
	while (size >= CHUNK_HDR_B) {
		uint8_t what = data[0];
		size_t n = (size_t)data[1] << 8 | data[2];

		data += CHUNK_HDR_B;
		size -= CHUNK_HDR_B;
		if (n > size)
			n = size;
		box_say(box, what & CHUNK_S2C ? WK_S2C : WK_C2S, data, n,
			run->cut ? cut_of(what, set) : BOX_WHOLE, &rng);
		data += n;
		size -= n;
	}
}

/* ---- the client's frames ---- */

#define FRAMES_MAX 8192u
#define HDR_B      9u

struct frames {
	uint32_t n;
	uint64_t credit_b; /* all WINDOW_UPDATE of the connection */
	struct frame {
		const uint8_t *p;
		uint32_t len_b; /* whole, or what there is of the last */
	} frame[FRAMES_MAX];
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_reset_no_error(const uint8_t *p, uint32_t len_b)
{
	return len_b == HDR_B + 4 && p[3] == 3 && be32(p + HDR_B) == 0;
}

static bool is_credit(const uint8_t *p, uint32_t len_b)
{
	return len_b == HDR_B + 4 && p[3] == 8 && be32(p + 5) == 0;
}

static uint32_t frame_b(const uint8_t *p, uint32_t all_b)
{
	return all_b >= HDR_B && (be32(p) >> 8) <= all_b - HDR_B ? HDR_B + (be32(p) >> 8) : all_b;
}

/* Does the server name a table size above 4096? */
static bool names_more(const struct box *box)
{
	const struct h2_bytes *said = &box->talk[WK_S2C];

	for (uint32_t at = 0, n; at < said->n; at += n) {
		const uint8_t *p = said->p + at;

		n = frame_b(p, (uint32_t)said->n - at);
		for (uint32_t i = HDR_B; n > HDR_B && p[3] == 4 && i + 6 <= n; i += 6)
			if (p[i] == 0 && p[i + 1] == 1 && be32(p + i + 2) > 4096)
				return true;
	}
	return false;
}

/* Does CONTINUATION follow wherever it has to, and nothing else? */
static bool blocks_whole(const uint8_t *p, uint32_t all_b)
{
	bool open = false;

	for (uint32_t at = 0, n; at + HDR_B <= all_b; at += n) {
		n = frame_b(p + at, all_b - at);
		if (open != (p[at + 3] == 9))
			return false;
		if (p[at + 3] == 1 || p[at + 3] == 9)
			open = !(p[at + 4] & 4);
	}
	return true;
}

/* What is inserted must not stand inside a header block of the server's. */
static void check_blocks(const struct box *box)
{
	uint32_t all_b;
	const uint8_t *p = box_arrived(box, WK_S2C, &all_b);

	must(blocks_whole(p, all_b) ||
	     !blocks_whole(box->talk[WK_S2C].p, (uint32_t)box->talk[WK_S2C].n));
}

static void read_frames(const struct box *box, struct frames *frames)
{
	uint32_t all_b, at = 0;
	const uint8_t *p = box_arrived(box, WK_S2C, &all_b);

	frames->n = 0;
	frames->credit_b = 0;
	while (at < all_b) {
		uint32_t len_b = frame_b(p + at, all_b - at);

		if (is_credit(p + at, len_b)) {
			frames->credit_b += be32(p + at + HDR_B) & INT32_MAX;
		} else if (!is_reset_no_error(p + at, len_b)) {
			must(frames->n < FRAMES_MAX);
			frames->frame[frames->n++] = (struct frame){ p + at, len_b };
		}
		at += len_b;
	}
}

static int by_content(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;
	uint32_t n = x->len_b < y->len_b ? x->len_b : y->len_b;
	int differ = memcmp(x->p, y->p, n);

	return differ != 0 ? differ : (x->len_b > y->len_b) - (x->len_b < y->len_b);
}

/* The last frame may be a part of the other. */
static bool begins_same(const struct frame *a, const struct frame *b)
{
	return memcmp(a->p, b->p, a->len_b < b->len_b ? a->len_b : b->len_b) == 0;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void drop_goaway(struct frames *frames)
{
	if (frames->n > 0 && frames->frame[frames->n - 1].len_b > HDR_B &&
	    frames->frame[frames->n - 1].p[3] == 7)
		frames->n--;
}

static void compare_frames(struct frames *a, struct frames *b, bool ended, bool in_order,
			   uint32_t step_b)
{
	if (ended) {
		drop_goaway(a);
		drop_goaway(b);
		if (!in_order)
			return;
	} else {
		must(a->n == b->n);
		must(apart(a->credit_b, b->credit_b) < step_b);
	}
	if (!in_order) {
		qsort(a->frame, a->n, sizeof(a->frame[0]), by_content);
		qsort(b->frame, b->n, sizeof(b->frame[0]), by_content);
	}
	for (uint32_t i = 0; i < a->n && i < b->n; i++)
		must(by_content(&a->frame[i], &b->frame[i]) == 0 ||
		     (ended && (i + 1 == a->n || i + 1 == b->n) &&
		      begins_same(&a->frame[i], &b->frame[i])));
}

/* ---- both ---- */

static void compare_server(const struct box *a, const struct box *b)
{
	uint32_t a_b, b_b;
	const uint8_t *p = box_arrived(a, WK_C2S, &a_b), *q = box_arrived(b, WK_C2S, &b_b);

	must(a_b == b_b || box_ended(a));
	must(memcmp(p, q, a_b < b_b ? a_b : b_b) == 0);
}

static void compare_rows(struct box *a, struct box *b)
{
	struct wk_inspect_flow x, y;

	must(box_flow(a, &x) == box_flow(b, &y));
	must(x.state == y.state && x.passive == y.passive);
	must(x.edited == y.edited || box_ended(a));
	must(x.h2.open_streams == y.h2.open_streams && x.h2.highest_id == y.h2.highest_id);
	must(x.h2.denied_calls == y.h2.denied_calls && x.h2.allowed_calls == y.h2.allowed_calls);
	must(x.h2.deleting == y.h2.deleting && x.h2.reencoding == y.h2.reencoding);
}

static void compare(struct box *a, struct box *b, uint8_t set)
{
	static struct frames x, y;

	if (a->full || b->full)
		return;
	check_blocks(a);
	check_blocks(b);
	read_frames(a, &x);
	read_frames(b, &y);
	if ((set & SET_MESSY) && (names_more(a) || names_more(b)))
		return;
	must(box_ended(a) == box_ended(b));
	must(h2_bytes_equal(&a->told, &b->told));
	must(memcmp(a->stats.call, b->stats.call, sizeof(a->stats.call)) == 0);
	compare_rows(a, b);
	compare_server(a, b);
	compare_frames(&x, &y, box_ended(a), !(set & SET_MESSY),
		       set & SET_SMALL ? STEP_SMALL_B : STEP_B);
}

/* INSPECT_FUZZ_TRACE=1: what each of the two came to. */
static void trace(const char *name, struct box *box)
{
	struct wk_inspect_flow row = { 0 };
	bool there = box_flow(box, &row);

	if (!getenv("INSPECT_FUZZ_TRACE"))
		return;
	fprintf(stderr,
		"%s: %u to the server, %u to the client, ended %d, full %d, flow %d, state %d, "
		"edited %d, open %u, allowed %u, denied %u\n%.*s",
		name, box->pair.end[WK_S2C].rx_len_b, box->pair.end[WK_C2S].rx_len_b,
		box_ended(box), box->full, there, row.state, row.edited, row.h2.open_streams,
		row.h2.allowed_calls, row.h2.denied_calls, (int)box->told.n,
		box->told.n > 0 ? (const char *)box->told.p : "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct run whole = { .cut = false }, cut = { .cut = true };
	static struct box a, b; /* each is half a megabyte */

	if (size < SET_B || size > SIZE_MAX_B)
		return 0;
	box_start();
	play(&a, &whole, data, size);
	play(&b, &cut, data, size);
	trace("whole", &a);
	trace("cut", &b);
	compare(&a, &b, data[0]);
	box_fini(&a);
	box_fini(&b);
	return 0;
}
