/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what a server is sent: a client's frames, well-made or not, go through the whole inspector
 * to a session of libnghttp2, whose answers come back.
 *
 * server_input.h says how an input is read, server_mutate.c changes it. What has to hold:
 *  - each header block that the server decodes is the client's, field by field, never-indexed ones
 *    as such, in order; the client's are read from its bytes by server_model.c
 *  - each request that it takes is one that the policy allows, and no event tells of it
 *  - it takes each request of the client's but for those that an event tells of, those above its
 *    own limit of streams, and what comes behind an error
 *  - it meets no error (server_side.h), whatever the client does; see excused() */
#undef NDEBUG
#include <stdlib.h>
#include <string.h>

#include "box_stage.h"
#include "encoder.h"
#include "must.h"
#include "server_input.h"
#include "server_side.h"

#define SIZE_MAX_B   1024u
#define HDR_B        9u
#define PREFACE_B    24u
#define SETTINGS_MAX 256u
#define ACK          0x1u
#define END_STREAM   0x1u
#define END_HEADERS  0x4u
#define PADDED       0x8u
#define PRIORITY     0x20u
#define FIELD(n, v, x)                                                                             \
	{                                                                                          \
		.name = (n), .value = (v), .name_b = sizeof(n) - 1, .value_b = sizeof(v) - 1,      \
		.never = (x)                                                                       \
	}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
	struct box box;
	struct server_side server;
	struct truth_encoder enc;
	struct sim_rng cuts;
	enum box_cut cut;
	uint32_t next_id;
	uint32_t walked_b; /* of what the client was sent */
	uint32_t n_settings;
	uint32_t settings[SETTINGS_MAX][2]; /* table sizes that the client was told */
};

/* ---- the two ends ---- */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void read_settings(struct play *play, const uint8_t *p, uint32_t len_b)
{
	uint32_t last = play->n_settings > 0 ? play->settings[play->n_settings - 1][1] : 4096;
	uint32_t least = UINT32_MAX;

	for (uint32_t at = 0; at + 6 <= len_b; at += 6)
		if (p[at] == 0 && p[at + 1] == 1) {
			last = be32(p + at + 2);
			least = last < least ? last : least;
		}
	must(play->n_settings < SETTINGS_MAX);
	play->settings[play->n_settings][0] = least < last ? least : last;
	play->settings[play->n_settings++][1] = last;
}

/* The client acknowledges SETTINGS. @return false if there were none. */
static bool client_read(struct play *play, struct h2_bytes *say)
{
	uint32_t all_b;
	const uint8_t *p = box_arrived(&play->box, WK_S2C, &all_b);

	while (all_b - play->walked_b >= HDR_B) {
		const uint8_t *hdr = p + play->walked_b;
		uint32_t len_b = be32(hdr) >> 8;

		if (len_b > all_b - play->walked_b - HDR_B)
			break;
		play->walked_b += HDR_B + len_b;
		if (hdr[3] != 4 || (hdr[4] & ACK))
			continue;
		read_settings(play, hdr + HDR_B, len_b);
		h2_put(say, 4, ACK, 0, NULL, 0);
		truth_encoder_limit(&play->enc, play->settings[play->n_settings - 1][0],
				    play->settings[play->n_settings - 1][1]);
	}
	return say->n > 0;
}

/* What the client says, and all that follows from it. */
static void say(struct play *play, struct h2_bytes *bytes)
{
	struct h2_bytes answer = { 0 };
	uint32_t n;

	do {
		const uint8_t *p;

		box_say(&play->box, WK_C2S, bytes->p, bytes->n, play->cut, &play->cuts);
		p = box_arrived(&play->box, WK_C2S, &n);
		server_read(&play->server, p, n);
		answer.n = 0;
		server_write(&play->server, &answer);
		box_say(&play->box, WK_S2C, answer.p, answer.n, BOX_WHOLE, &play->cuts);
		bytes->n = 0;
	} while (client_read(play, bytes) && !box_ended(&play->box));
	h2_bytes_free(&answer);
}

/* ---- what the client says ---- */

static void add(struct truth_list *list, const struct truth_field field)
{
	list->field[list->n++] = field;
}

static void plan_head(struct truth_list *list, const uint8_t *r)
{
	static const struct truth_field paths[] = {
		FIELD(":path", BOX_ALLOWED, false),
		FIELD(":path", BOX_ALLOWED, false),
		FIELD(":path", BOX_ALLOWED2, false),
		FIELD(":path", BOX_ALLOWED2, true),
		FIELD(":path", BOX_DENIED, false),
		FIELD(":path", BOX_DENIED, true),
		FIELD(":path", BOX_ALLOWED "/", false),
		FIELD(":path", "/attack.Allowed//Ping", false),
	};
	const struct truth_field post = FIELD(":method", "POST", false);
	const struct truth_field get = FIELD(":method", "GET", false);
	const struct truth_field scheme = FIELD(":scheme", "http", false);
	const struct truth_field authority = FIELD(":authority", "attack.example:50051", false);

	if (r[5] != 1)
		add(list, (r[3] & 0xf0) == 0xf0 ? get : post);
	if (r[5] != 2)
		add(list, scheme);
	add(list, paths[r[3] & 7]);
	if (r[5] == 3)
		add(list, paths[r[3] >> 4 & 7]);
	if (!(r[3] & 8))
		add(list, authority);
}

static void plan_rest(struct truth_list *list, const uint8_t *r)
{
	static const struct truth_field more[] = {
		FIELD("x-note", "a", false),
		FIELD("x-note", "a value of some length, which takes its room in the table", false),
		FIELD("authorization", "secret", true),
		FIELD("cookie", "short", false),
		FIELD("cookie", "long enough to be indexed by anybody", false),
		FIELD("x-bin-bin", "\x01\x7f", false),
		FIELD("grpc-timeout", "1S", true),
		FIELD("x-empty", "", false),
	};
	static const struct truth_field wrong[] = {
		FIELD("connection", "close", false),
		FIELD("te", "gzip", false),
		FIELD("X-Upper", "1", false),
		FIELD("content-length", "7", false),
		FIELD("x-nul", "a\0b", false),
		FIELD("host", "other.example", false),
		FIELD(":path", BOX_ALLOWED, false),
		FIELD("", "nameless", false),
		FIELD("x-sp", " around ", false),
		FIELD("content-length", "0", false),
		FIELD(":protocol", "websocket", false),
		FIELD("x y", "1", false),
		FIELD("content-type", "text/plain", false),
		FIELD("x-high", "\xff\x80", false),
		FIELD("expect", "100-continue", false),
		FIELD("priority", "u=9", false),
	};
	const struct truth_field type = FIELD("content-type", "application/grpc+proto", false);
	const struct truth_field te = FIELD("te", "trailers", false);

	if (r[5] != 4)
		add(list, type);
	add(list, te);
	for (uint32_t i = 0; i < 8; i++)
		if (r[4] >> i & 1)
			add(list, more[i]);
	if (r[5] >= 0xf0)
		add(list, wrong[r[5] & 15]);
}

/* A header block as HEADERS and CONTINUATION, with padding and priority as the flags say. */
static void put_block(struct h2_bytes *to, uint8_t flags, uint32_t id, const struct h2_bytes *block,
		      uint8_t splits)
{
	static const uint8_t front[6] = { 3, 0, 0, 0, 0, 15 };
	struct h2_bytes first = { 0 };
	size_t rest = splits & 3 ? block->n * (splits >> 2) / 64 : block->n;

	if (flags & PADDED)
		h2_bytes_add(&first, front, 1);
	if (flags & PRIORITY)
		h2_bytes_add(&first, front + 1, 5);
	h2_bytes_add(&first, block->p, rest);
	if (flags & PADDED)
		h2_bytes_add(&first, "\0\0\0", 3);
	h2_put(to, 1, rest < block->n ? flags & (uint8_t)~END_HEADERS : flags, id, first.p,
	       first.n);
	for (uint32_t i = splits & 3; rest < block->n; i--) {
		size_t n = i > 1 ? (block->n - rest) / 2 : block->n - rest;

		h2_put(to, 9, rest + n == block->n ? flags & END_HEADERS : 0, id, block->p + rest,
		       n);
		rest += n;
	}
	h2_bytes_free(&first);
}

/* The next one, or one of before, or any. */
static uint32_t stream_of(struct play *play, uint8_t which, bool request)
{
	if (request && which < 0xe0) {
		play->next_id += 2;
		return play->next_id - 2;
	}
	if (which >= 0xf8)
		return which & 7;
	if (play->next_id < 3 || which >= 0xf0)
		return play->next_id + (which & 3);
	return play->next_id - 2 - 2 * (which % ((play->next_id - 1) / 2));
}

static void put_headers(struct play *play, const uint8_t *r, struct h2_bytes *to)
{
	const bool request = r[0] % RECORDS == REC_REQUEST;
	struct sim_rng rng = { .state = r[6] };
	struct truth_list list = { 0 };
	struct h2_bytes block = { 0 };
	uint8_t flags = END_HEADERS;

	if (request)
		plan_head(&list, r);
	else
		flags |= END_STREAM;
	plan_rest(&list, r);
	truth_encode(&play->enc, &list, &rng, &block);
	put_block(to, flags ^ (r[1] & (END_STREAM | PADDED | PRIORITY)),
		  stream_of(play, r[2], request), &block, r[7]);
	h2_bytes_free(&block);
}

/* Frames whose payload are bytes of the record. */
static void put_frame(struct play *play, const uint8_t *r, struct h2_bytes *to)
{
	static const struct {
		uint8_t type;
		uint8_t len_b;
		bool stream;
	} kinds[RECORDS] = {
		[REC_RESET] = { 3, 4, true },    [REC_WINDOW] = { 8, 4, false },
		[REC_PRIORITY] = { 2, 5, true }, [REC_GOAWAY] = { 7, 8, false },
		[REC_PING] = { 6, 8, false },    [REC_OTHER] = { 0, 4, true },
	};
	uint8_t kind = r[0] % RECORDS, payload[16] = { 0 }, type = kinds[kind].type;
	uint32_t len_b = kinds[kind].len_b, id = stream_of(play, r[2], false);

	memcpy(payload, r + 3, 5);
	if (kind == REC_OTHER) {
		type = r[3];
		len_b = r[4] & 15;
	}
	if (!kinds[kind].stream && !(kind == REC_WINDOW && (r[1] & 0x80)) && r[2] < 0xf0)
		id = 0;
	h2_put(to, type, r[1] & 0x7f, id, payload, len_b);
}

static void put_data(struct play *play, const uint8_t *r, struct h2_bytes *to)
{
	uint8_t payload[512] = { 0 };
	uint32_t len_b = r[4] | (r[5] & 1u) << 8;

	memset(payload, r[3], len_b);
	h2_put(to, 0, r[1] & (END_STREAM | PADDED), stream_of(play, r[2], false), payload, len_b);
}

static void put_settings(const uint8_t *r, struct h2_bytes *to)
{
	static const uint32_t values[] = { 0, 1, 100, 4096, 16384, 65535, 65536, UINT32_MAX };
	const uint32_t pairs[2][2] = { { r[3] & 15u, values[r[4] & 7] },
				       { r[5] & 15u, values[r[6] & 7] } };

	h2_put_settings(to, pairs, r[7] % 3u);
}

/* @return how many records it took. */
static size_t act(struct play *play, const uint8_t *r, size_t left, struct h2_bytes *to)
{
	size_t n = r[3] % 16u;
	struct h2_bytes block = { 0 };

	n = n < left - 1 ? n : left - 1;
	switch (r[0] % RECORDS) {
	case REC_REQUEST:
	case REC_TRAILERS:
		put_headers(play, r, to);
		return 1;
	case REC_DATA:
		put_data(play, r, to);
		return 1;
	case REC_SETTINGS:
		put_settings(r, to);
		return 1;
	case REC_RAW:
		h2_bytes_add(to, r + RECORD_B, n * RECORD_B);
		return 1 + n;
	case REC_BLOCK:
		h2_bytes_add(&block, r + RECORD_B, n * RECORD_B);
		put_block(to, END_HEADERS ^ (r[1] & END_STREAM), stream_of(play, r[2], r[4] & 1),
			  &block, r[7]);
		h2_bytes_free(&block);
		return 1 + n;
	case REC_ANSWER:
		server_answer(&play->server, r[3], r[4] & 1);
		return 1;
	case REC_SERVER:
		if (r[4] < 0x60)
			server_settings(&play->server, r[3]);
		else if (r[4] < 0xc0)
			server_reset(&play->server, r[3]);
		else
			nghttp2_submit_ping(play->server.session, NGHTTP2_FLAG_NONE, NULL);
		return 1;
	default:
		put_frame(play, r, to);
		return 1;
	}
}

/* ---- what has to hold ---- */

static bool says(const struct block_list *list, uint32_t i, const char *line)
{
	return memmem(list->text.p + list->block[i].from, list->block[i].to - list->block[i].from,
		      line, strlen(line)) != NULL;
}

static bool same_block(const struct block_list *a, uint32_t i, const struct block_list *b,
		       uint32_t j)
{
	size_t n = a->block[i].to - a->block[i].from;

	return a->block[i].id == b->block[j].id && a->block[i].request == b->block[j].request &&
	       n == b->block[j].to - b->block[j].from &&
	       (n == 0 ||
		memcmp(a->text.p + a->block[i].from, b->text.p + b->block[j].from, n) == 0);
}

static bool told(const struct box *box, uint32_t id)
{
	const char *p = (const char *)box->told.p, *end = p ? p + box->told.n : NULL;
	char begin[16];
	size_t n = (size_t)snprintf(begin, sizeof(begin), "%u ", id);

	while (p && p < end) {
		if ((size_t)(end - p) > n && memcmp(p, begin, n) == 0)
			return true;
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	return false;
}

static bool allowed(const struct block_list *list, uint32_t i)
{
	return (says(list, i, ":path: " BOX_ALLOWED "\n") ||
		says(list, i, ":path: " BOX_ALLOWED2 "\n")) &&
	       says(list, i, ":method: POST\n") && says(list, i, "content-type: application/grpc");
}

/* Errors of the server's that the box lets its client make, as long as it has deleted nothing
 * (docs/h2.md): no request comes of them, and the server reads no further.
 *  - RST_STREAM of a stream that has not begun: what grpc-core cancels with
 *  - trailers and DATA of a stream that is over: the box keeps nothing of those
 *  - GOAWAY that names a stream which is none of the server's
 *  - settings of extensions that do not suit it */
static bool excused(const struct server_side *server)
{
	switch (server->fault_type) {
	case NGHTTP2_RST_STREAM:
		return server->fault_error == NGHTTP2_ERR_PROTO;
	case NGHTTP2_HEADERS:
		return server->fault_error == NGHTTP2_ERR_STREAM_CLOSED;
	case NGHTTP2_SETTINGS:
		return server->fault_error == SERVER_EXTENSION;
	case NGHTTP2_GOAWAY:
		return server->fault_error == NGHTTP2_STREAM_CLOSED ||
		       server->fault_error == NGHTTP2_ERR_PROTO;
	default:
		return false;
	}
}

/* Was the server sent HEADERS of this stream? */
static bool passed_on(const struct play *play, uint32_t id)
{
	uint32_t all_b;
	const uint8_t *p = box_arrived(&play->box, WK_C2S, &all_b);

	for (uint32_t at = PREFACE_B; at + HDR_B <= all_b; at += HDR_B + (be32(p + at) >> 8))
		if (p[at + 3] == 1 && (be32(p + at + 5) & INT32_MAX) == id)
			return true;
	return false;
}

/* The request was the client's, and the server has not taken it. */
static bool may_miss(const struct play *play, uint32_t id)
{
	if (box_ended(&play->box) || play->server.fault || told(&play->box, id))
		return true;
	return passed_on(play, id) &&
	       (server_has_reset(&play->server, id) || play->server.told_off);
}

static void judge_blocks(const struct play *play, const struct block_list *said)
{
	const struct block_list *got = &play->server.got;
	uint32_t j = 0;

	for (uint32_t i = 0; i < said->n; i++) {
		uint32_t id = said->block[i].id;

		if (j < got->n && same_block(said, i, got, j)) {
			must(!got->block[j].request || (allowed(got, j) && !told(&play->box, id)));
			j++;
		} else if (said->block[i].request) {
			must(may_miss(play, id));
		}
	}
	must(j == got->n);
}

static void put_list(const char *name, const struct block_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		fprintf(stderr, "%s %c %u\n%.*s", name, list->block[i].request ? 'H' : 'T',
			list->block[i].id, (int)(list->block[i].to - list->block[i].from),
			list->text.p ? (const char *)list->text.p + list->block[i].from : "");
}

/* SERVER_FUZZ_TRACE=1: what was said and what came of it. */
static void trace(const struct play *play, const struct block_list *said)
{
	if (!getenv("SERVER_FUZZ_TRACE"))
		return;
	put_list("said", said);
	put_list("got", &play->server.got);
	fprintf(stderr, "events:\n%.*sthe server: %s (type %u, stream %u); ended %d\n",
		(int)play->box.told.n, play->box.told.p ? (const char *)play->box.told.p : "",
		play->server.fault ? play->server.fault : "no fault", play->server.fault_type,
		play->server.fault_id, box_ended(&play->box));
}

static void judge(struct play *play)
{
	struct block_list said = { 0 };

	model_read(play->box.talk[WK_C2S].p, play->box.talk[WK_C2S].n, play->settings,
		   play->n_settings, &said);
	trace(play, &said);
	must(!play->server.fault || excused(&play->server));
	judge_blocks(play, &said);
	block_list_fini(&said);
}

/* ---- an input ---- */

static void begin(struct play *play, const uint8_t *data)
{
	const struct box_conf conf = {
		.small = data[0] & SET_SMALL,
		.grpc = data[0] & SET_GRPC,
		.reencode = data[0] & SET_REENCODE,
		.ipv6 = data[0] & SET_IPV6,
		.secret = 0x5eed5eed12345678ull,
	};
	struct h2_bytes hello = { 0 };

	box_init(&play->box, &conf);
	server_init(&play->server);
	truth_encoder_init(&play->enc);
	play->cuts = (struct sim_rng){ .state = data[1] };
	play->cut = (enum box_cut)(data[2] % (BOX_MESSY + 1));
	play->next_id = 1;
	play->walked_b = 0;
	play->n_settings = 0;
	server_settings(&play->server, data[2]);
	h2_put_preface(&hello);
	h2_put_settings(&hello, NULL, 0);
	say(play, &hello);
	h2_bytes_free(&hello);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play play; /* half a megabyte */
	struct h2_bytes bytes = { 0 };
	size_t left;

	if (size < CFG_B || size > SIZE_MAX_B)
		return 0;
	box_start();
	begin(&play, data);
	data += CFG_B;
	for (left = (size - CFG_B) / RECORD_B; left > 0 && !box_ended(&play.box);) {
		size_t took = act(&play, data, left, &bytes);

		/* Several frames go together where their flags say so. */
		if (!(data[1] & 0x40) || left == took)
			say(&play, &bytes);
		data += took * RECORD_B;
		left -= took;
	}
	if (!play.box.full)
		judge(&play);
	h2_bytes_free(&bytes);
	server_fini(&play.server);
	box_fini(&play.box);
	return 0;
}
