/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks: the server decodes what the client meant, whatever has been deleted in between. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h2_case.h"
#include "h2_truth.h"

/* The tests run in both modes: limits.reencode of the connections to come. */
static bool always;

static struct wk_h2_info info_of(const struct h2_kit *kit)
{
	struct wk_h2_info info;

	wk_h2_info(kit->conn, &info);
	return info;
}

/* What a server makes of all that went out to it. */
static void judge(struct h2_kit *kit, struct h2_truth *server)
{
	struct h2_bytes said = { 0 };

	h2_truth_server(server, NULL, 0);
	server->silent = true;
	h2_truth_recv(server, kit->out[WK_C2S].p, kit->out[WK_C2S].n);
	h2_truth_send(server, &said);
	assert_false(server->broken);
	assert_int_equal(server->rst_sent, 0);
	h2_bytes_free(&said);
}

/* Without an ACK for the server's SETTINGS: the truth has its own. */
static void start(struct h2_kit *kit)
{
	struct h2_bytes hello = { 0 };

	kit->limits.reencode = always;
	h2_put_preface(&hello);
	h2_put(&hello, 4, 0, 0, NULL, 0);
	h2_kit_send(kit, WK_C2S, hello.p, hello.n);
	h2_bytes_free(&hello);
	h2_kit_frame(kit, WK_S2C, 4, 0, 0, NULL, 0);
}

static const char *const prefix = ":method: POST\n:scheme: http\n:path: ";
static const char *const suffix = "\n:authority: attack.example:50051\n"
				  "content-type: application/grpc\nte: trailers\n";

static void assert_request(struct h2_truth *server, uint32_t id, const char *path)
{
	struct h2_truth_stream *stream = h2_truth_find(server, id);
	char want[512];

	assert_non_null(stream);
	snprintf(want, sizeof(want), "%s%s%s", prefix, path, suffix);
	assert_string_equal(stream->fields, want);
}

/* Three allowed calls prime the table, one denied call shifts it, later blocks refer to it. */
static void run_trap(struct h2_kit *kit, const void *arg)
{
	static const struct {
		uint32_t id;
		const char *path;
	} calls[] = {
		{ 1, H2_ALLOWED },  { 3, H2_ALLOWED2 },  { 5, H2_ALLOWED },   { 7, H2_DENIED },
		{ 9, H2_ALLOWED },  { 11, H2_ALLOWED2 }, { 13, H2_DENIED },   { 15, H2_DENIED2 },
		{ 17, H2_ALLOWED }, { 19, H2_DENIED2 },  { 21, H2_ALLOWED2 },
	};
	const size_t n_calls = sizeof(calls) / sizeof(calls[0]);
	struct h2_truth *server = malloc(sizeof(*server));
	uint32_t allowed = 0;

	(void)arg;
	start(kit);
	for (size_t i = 0; i < n_calls; i++)
		h2_kit_call(kit, calls[i].id, calls[i].path, true);
	assert_false(kit->ended);
	judge(kit, server);
	for (size_t i = 0; i < n_calls; i++) {
		bool ok = strcmp(calls[i].path, H2_ALLOWED) == 0 ||
			  strcmp(calls[i].path, H2_ALLOWED2) == 0;

		allowed += ok;
		if (ok)
			assert_request(server, calls[i].id, calls[i].path);
		else
			assert_null(h2_truth_find(server, calls[i].id));
	}
	assert_int_equal(server->n, allowed);
	assert_true(info_of(kit).reencoding);
	assert_int_equal(kit->stats.counter[WK_CNT_REENCODED], always ? allowed : allowed - 3);
	h2_truth_fini(server);
	free(server);
}

static void a_denied_block_that_shifts_the_table_misleads_nobody(void **state)
{
	(void)state;
	h2_case_run(run_trap, NULL);
}

/* A denied block that leaves the table alone costs nothing. */
static void run_clean_denial(struct h2_kit *kit, const void *arg)
{
	static const char literal[] = "\x83\x86\x04\x13/attack.Secret/Drop";
	struct h2_truth *server = malloc(sizeof(*server));

	(void)arg;
	start(kit);
	h2_kit_call(kit, 1, H2_ALLOWED, true);
	h2_kit_frame(kit, WK_C2S, 1, 5, 3, literal, sizeof(literal) - 1);
	h2_kit_call(kit, 5, H2_ALLOWED, true);
	judge(kit, server);
	assert_request(server, 5, H2_ALLOWED);
	assert_true(info_of(kit).deleting);
	assert_true(info_of(kit).reencoding == always);
	assert_int_equal(kit->stats.counter[WK_CNT_REENCODED], always ? 2 : 0);
	h2_truth_fini(server);
	free(server);
}

static void a_denied_block_that_leaves_the_table_alone_needs_no_reencoding(void **state)
{
	(void)state;
	h2_case_run(run_clean_denial, NULL);
}

static void run_fidelity(struct h2_kit *kit, const void *arg)
{
	struct h2_truth *server = malloc(sizeof(*server));
	struct h2_bytes block = { 0 };
	static const char binary[] = "\0\x01\xff raw";

	(void)arg;
	start(kit);
	h2_kit_call(kit, 1, H2_DENIED, true);
	h2_put_block(&kit->enc, &block, H2_ALLOWED);
	h2_enc_field(&kit->enc, &block, "x-twice", "one", H2_INDEXED);
	h2_enc_field(&kit->enc, &block, "x-twice", "two", H2_LITERAL);
	h2_enc_field(&kit->enc, &block, "x-secret", "never", H2_NEVER);
	h2_enc_field(&kit->enc, &block, "x-twice", "one", H2_INDEXED);
	h2_bytes_add(&block,
		     "\0\x07"
		     "x-a-bin\x07",
		     10);
	h2_bytes_add(&block, binary, sizeof(binary) - 1);
	h2_kit_frame(kit, WK_C2S, 1, 4, 3, block.p, block.n);
	h2_kit_frame(kit, WK_C2S, 0, 0, 3, "data", 4);
	block.n = 0;
	h2_enc_field(&kit->enc, &block, "x-twice", "one", H2_INDEXED);
	h2_enc_field(&kit->enc, &block, "x-trailer", "last", H2_INDEXED);
	h2_kit_frame(kit, WK_C2S, 1, 5, 3, block.p, block.n);
	assert_false(kit->ended);
	/* The server's library refuses raw bytes in a value: look at them on the wire. */
	assert_true(memmem(kit->out[WK_C2S].p, kit->out[WK_C2S].n, binary, sizeof(binary) - 1));
	h2_truth_server(server, NULL, 0);
	h2_truth_recv(server, kit->out[WK_C2S].p, kit->out[WK_C2S].n);
	assert_true(h2_truth_says(server, 3,
				  "te: trailers\nx-twice: one\nx-twice: two\n"
				  "!x-secret: never\nx-twice: one\n"));
	h2_truth_fini(server);
	free(server);
	h2_bytes_free(&block);
}

static void order_duplicates_and_never_indexed_survive_reencoding(void **state)
{
	(void)state;
	h2_case_run(run_fidelity, NULL);
}

static void run_trailers(struct h2_kit *kit, const void *arg)
{
	struct h2_truth *server = malloc(sizeof(*server));
	struct h2_bytes block = { 0 };

	(void)arg;
	start(kit);
	h2_kit_call(kit, 1, H2_ALLOWED, false);
	h2_kit_call(kit, 3, H2_DENIED, false);
	h2_enc_field(&kit->enc, &block, "x-denied", "trailer", H2_INDEXED);
	h2_kit_frame(kit, WK_C2S, 1, 5, 3, block.p, block.n);
	block.n = 0;
	h2_enc_field(&kit->enc, &block, "x-denied", "trailer", H2_INDEXED);
	h2_kit_frame(kit, WK_C2S, 1, 5, 1, block.p, block.n);
	h2_bytes_free(&block);
	judge(kit, server);
	assert_true(h2_truth_says(server, 1, "te: trailers\n--\nx-denied: trailer\n"));
	assert_null(h2_truth_find(server, 3));
	h2_truth_fini(server);
	free(server);
}

static void trailers_are_reencoded_too(void **state)
{
	(void)state;
	h2_case_run(run_trailers, NULL);
}

/* Only the trailers of a denied call touch the table. */
static void run_denied_trailers(struct h2_kit *kit, const void *arg)
{
	static const char literal[] = "\x83\x86\x04\x13/attack.Secret/Drop";
	struct h2_truth *server = malloc(sizeof(*server));
	struct h2_bytes block = { 0 };

	(void)arg;
	start(kit);
	h2_kit_call(kit, 1, H2_ALLOWED, true);
	h2_kit_frame(kit, WK_C2S, 1, 4, 3, literal, sizeof(literal) - 1);
	assert_true(info_of(kit).reencoding == always);
	h2_enc_field(&kit->enc, &block, "x-shift", "x", H2_INDEXED);
	h2_kit_frame(kit, WK_C2S, 1, 5, 3, block.p, block.n);
	assert_true(info_of(kit).reencoding);
	h2_kit_call(kit, 5, H2_ALLOWED, true);
	judge(kit, server);
	assert_request(server, 5, H2_ALLOWED);
	h2_truth_fini(server);
	free(server);
	h2_bytes_free(&block);
}

static void deleted_trailers_that_shift_the_table_are_noticed(void **state)
{
	(void)state;
	h2_case_run(run_denied_trailers, NULL);
}

/* A table entry of 1.6 KB is 1 byte on the wire, and 16 of them do not fit one frame any more. */
static void run_growth(struct h2_kit *kit, const void *arg)
{
	struct h2_truth *server = malloc(sizeof(*server));
	static char value[1601];
	struct h2_bytes block = { 0 };
	struct h2_seen seen;
	uint32_t n;

	(void)arg;
	memset(value, 'v', 1600);
	start(kit);
	h2_kit_call(kit, 1, H2_DENIED, true);
	h2_bytes_add(&block, "\0\0\0\1\7", 5);
	h2_put_block(&kit->enc, &block, H2_ALLOWED);
	h2_bytes_add(&block, "\x40\x04grow", 6);
	h2_enc_int(&block, 0, 7, 1600);
	h2_bytes_add(&block, value, 1600);
	for (int i = 0; i < 15; i++)
		h2_bytes_add(&block, "\xbe", 1);
	h2_kit_frame(kit, WK_C2S, 1, 4 | 0x20 | 1, 3, block.p, block.n);
	assert_false(kit->ended);
	n = h2_kit_count(kit, WK_C2S, 9, 3);
	assert_int_equal(n, 1);
	assert_true(h2_kit_nth(kit, WK_C2S, 1, &seen));
	assert_int_equal(seen.len_b, 16384);
	assert_int_equal(seen.flags, 0x21);
	assert_memory_equal(seen.payload, "\0\0\0\1\7\x20", 6);
	judge(kit, server);
	assert_int_equal(server->n, 1);
	assert_true(server->stream[0].ended);
	h2_truth_fini(server);
	free(server);
	h2_bytes_free(&block);
}

static void a_grown_block_is_split_into_continuations(void **state)
{
	(void)state;
	h2_case_run(run_growth, NULL);
}

/* The size update is written once, in front of the first block that leaves. */
static void run_update_once(struct h2_kit *kit, const void *arg)
{
	struct h2_seen seen;

	(void)arg;
	start(kit);
	h2_kit_call(kit, 1, H2_DENIED, true);
	h2_kit_call(kit, 3, H2_DENIED, true);
	h2_kit_call(kit, 5, H2_ALLOWED, true);
	h2_kit_call(kit, 7, H2_ALLOWED, true);
	assert_true(h2_kit_nth(kit, WK_C2S, 1, &seen));
	assert_int_equal(seen.payload[0], 0x20);
	assert_int_equal(seen.payload[1], 0x83);
	assert_true(h2_kit_nth(kit, WK_C2S, 2, &seen));
	assert_int_equal(seen.payload[0], 0x83);
}

static void the_size_update_leads_the_first_block_only(void **state)
{
	(void)state;
	h2_case_run(run_update_once, NULL);
}

/* clang-format off */
static const struct block_case {
	const char *name;
	const char *block;
	size_t n;
	enum wk_h2_error error;
	enum wk_call_reason refused; /* CALL_ALLOWED: not refused */
} blocks[] = {
#define BLOCK(name, block, error, refused) { name, block, sizeof(block) - 1, error, refused }
#define BAD(name, block)     BLOCK(name, block, WK_H2_E_HPACK, WK_CALL_ALLOWED)
#define REFUSED(name, block, why) BLOCK(name, block, WK_H2_E_OK, WK_CALL_REFUSED_##why)
#define FINE(name, block)    BLOCK(name, block, WK_H2_E_OK, WK_CALL_ALLOWED)
#define PATH		     "\x04\x14/attack.Allowed/Ping"
#define BASE		     "\x83\x86" PATH
	FINE("plain", BASE),
	FINE("two size updates first", "\x20\x3f\xe1\x1f" BASE),
	FINE("a huffman path", "\x83\x86\x04\x82\x60\xbf"),
	FINE("raw bytes in a binary field", BASE "\0\x05" "t-bin\x03\0\n\xff"),
	FINE("te trailers", BASE "\0\x02te\x08trailers"),
	FINE("a length without an end", BASE "\x0f\x0d\x01" "5"),
	FINE("an empty value", BASE "\0\x01x\0"),
	BAD("index zero", "\x80"),
	BAD("index beyond the table", BASE "\xbe"),
	BAD("size update above the limit", "\x3f\xe2\x1f" BASE),
	BAD("size update after a field", "\x83\x20\x86" PATH),
	BAD("three size updates", "\x20\x20\x20" BASE),
	BAD("an integer with leading zeros", BASE "\x0f\x80\0\x01" "x"),
	BAD("an integer of 2^31", "\x83\x86\x0f\x80\x80\x80\x80\x08" "x"),
	BAD("an integer without an end", "\x83\x86\x0f\xff"),
	BAD("a string beyond the block", "\x83\x86\x04\x15/attack.Allowed/Ping"),
	BAD("huffman padding of zeros", "\x83\x86\x04\x82\x60\xb0"),
	BAD("huffman with the end of string", "\x83\x86\x04\x84\xff\xff\xff\xff"),
	REFUSED("an empty block", "", MISSING),
	REFUSED("no path", "\x83\x86", MISSING),
	REFUSED("no method", "\x86" PATH, MISSING),
	REFUSED("no scheme", "\x83" PATH, MISSING),
	REFUSED("two paths, the last allowed", "\x83\x86\x04\x13/attack.Secret/Drop" PATH, TWICE),
	REFUSED("two paths, the first allowed", BASE "\x04\x13/attack.Secret/Drop", TWICE),
	REFUSED("two methods", "\x83" BASE, TWICE),
	REFUSED("two content types", BASE "\x0f\x10\x01" "a\x0f\x10\x01" "b", TWICE),
	REFUSED("an empty path", "\x83\x86\x04\0", VALUE),
	REFUSED("a late pseudo-header", "\x83\x86\0\x01x\x01y" PATH, ORDER),
	REFUSED("an unknown pseudo-header", BASE "\0\x03:ex\x01y", PSEUDO),
	REFUSED("a response pseudo-header", BASE "\x88", PSEUDO),
	REFUSED("a protocol pseudo-header", BASE "\0\x09:protocol\x01y", PSEUDO),
	REFUSED("an uppercase pseudo-header", "\x83\x86\0\x05:Path\x01/", PSEUDO),
	REFUSED("an uppercase name", BASE "\0\x02Xy\x01y", NAME),
	REFUSED("an empty name", BASE "\0\0\x01y", NAME),
	REFUSED("a blank in a name", BASE "\0\x03x y\x01y", NAME),
	REFUSED("a line break in a value", BASE "\0\x01x\x03" "a\nb", VALUE),
	REFUSED("a zero in a value", BASE "\0\x01x\x03" "a\0b", VALUE),
	REFUSED("a space in front of a value", BASE "\0\x01x\x02 y", VALUE),
	REFUSED("a space behind a value", BASE "\0\x01x\x02y ", VALUE),
	REFUSED("a tab behind a value", BASE "\0\x01x\x02y\t", VALUE),
	REFUSED("a connection field", BASE "\0\x0a" "connection\x05" "close", HOP),
	REFUSED("transfer-encoding", BASE "\0\x11transfer-encoding\x07" "chunked", HOP),
	REFUSED("upgrade", BASE "\0\x07upgrade\x03h2c", HOP),
	REFUSED("keep-alive", BASE "\0\x0akeep-alive\x01" "5", HOP),
	REFUSED("proxy-connection", BASE "\0\x10proxy-connection\x01" "x", HOP),
	REFUSED("te gzip", BASE "\0\x02te\x04gzip", TE),
	REFUSED("a length that is none", BASE "\x0f\x0d\x02" "5x", LENGTH),
	REFUSED("a length beyond all numbers", BASE "\x0f\x0d\x14" "99999999999999999999", LENGTH),
	REFUSED("two lengths", BASE "\x0f\x0d\x01" "5\x0f\x0d\x01" "5", TWICE),
	REFUSED("connect", "\0\x07:method\x07" "CONNECT\x86" PATH, CONNECT),
	REFUSED("a method that is none", "\0\x07:method\x04PO T\x86" PATH, VALUE),
	REFUSED("an authority that is none", BASE "\x01\x03" "a b", VALUE),
};
/* clang-format on */

static void run_block(struct h2_kit *kit, const void *arg)
{
	const struct block_case *c = arg;
	struct h2_seen seen;

	start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 4, 1, c->block, c->n);
	if (wk_h2_error(kit->conn) != c->error)
		fail_msg("%s: %s", c->name, wk_h2_error_key(wk_h2_error(kit->conn)));
	if (c->error == WK_H2_E_HPACK)
		assert_int_equal(kit->stats.counter[WK_CNT_HPACK_ERRORS], 1);
	if (c->refused == WK_CALL_ALLOWED) {
		if (kit->n_refused > 0)
			fail_msg("%s: refused", c->name);
		return;
	}
	if (kit->n_refused != 1 || kit->refused[0].reason != c->refused || kit->n_decided != 0)
		fail_msg("%s: not refused for this reason", c->name);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, -1), 0);
	assert_true(h2_kit_nth(kit, WK_S2C, 1, &seen));
	assert_int_equal(seen.type, 3);
	assert_memory_equal(seen.payload, "\0\0\0\1", 4);
}

static void blocks_are_read_as_the_rules_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		h2_case_run(run_block, &blocks[i]);
}

static void run_length_with_end(struct h2_kit *kit, const void *arg)
{
	static const char block[] = BASE "\x0f\x0d\x01"
					 "5";

	(void)arg;
	start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 5, 1, block, sizeof(block) - 1);
	assert_int_equal(kit->n_refused, 1);
}

static void a_body_that_cannot_come_is_malformed(void **state)
{
	(void)state;
	h2_case_run(run_length_with_end, NULL);
}

/* One request, written in three ways: a table, none, names and values apart. */
static void written(struct h2_kit *kit, const void *arg)
{
	static const char literal[] = "\x83\x86\x04\x14/attack.Allowed/Ping\x00\x01x\x01y";
	static const char indexed[] = "\x83\x86\x44\x14/attack.Allowed/Ping\x40\x01x\x01y";
	static const char updated[] =
		"\x3f\xe1\x1f\x83\x86\x04\x14/attack.Allowed/Ping\x00\x01x\x01y";

	(void)arg;
	start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 5, 1, literal, sizeof(literal) - 1);
	h2_kit_frame(kit, WK_C2S, 1, 5, 3, literal, sizeof(literal) - 1);
	h2_kit_frame(kit, WK_C2S, 1, 5, 5, indexed, sizeof(indexed) - 1);
	h2_kit_frame(kit, WK_C2S, 1, 5, 7, "\x83\x86\xbf\xbe", 4);
	h2_kit_frame(kit, WK_C2S, 1, 5, 9, updated, sizeof(updated) - 1);
}

static void run_one_way(struct h2_kit *kit, const void *arg)
{
	struct h2_seen first, other;

	written(kit, arg);
	assert_int_equal(kit->n_decided, 5);
	assert_true(h2_kit_nth(kit, WK_C2S, 1, &other));
	assert_int_equal(other.payload[0], 0x20); /* our size update leads the first */
	assert_true(h2_kit_nth(kit, WK_C2S, 2, &first));
	for (uint32_t i = 3; i <= 5; i++) {
		assert_true(h2_kit_nth(kit, WK_C2S, i, &other));
		assert_int_equal(other.len_b, first.len_b);
		assert_memory_equal(other.payload, first.payload, first.len_b);
	}
}

static void nothing_of_a_clients_encoding_reaches_the_server(void **state)
{
	(void)state;
	h2_case_run(run_one_way, NULL);
}

/* Where nothing may be changed, nothing is. */
static void run_passive(struct h2_kit *kit, const void *arg)
{
	kit->env.passive = true;
	written(kit, arg);
	assert_false(info_of(kit).reencoding);
	assert_int_equal(kit->stats.counter[WK_CNT_REENCODED], 0);
	assert_true(memmem(kit->out[WK_C2S].p, kit->out[WK_C2S].n, "\x83\x86\xbf\xbe", 4));
}

static void a_passive_connection_is_never_reencoded(void **state)
{
	(void)state;
	h2_case_run(run_passive, NULL);
}

static int set_always(void **state)
{
	(void)state;
	always = true;
	return 0;
}

/* DATA behind a content-length of 5. */
static const struct body_case {
	const char *name;
	struct {
		uint8_t type; /* 0 DATA, 1 trailers */
		uint8_t flags;
		uint8_t len_b;
		uint8_t pad_b;
	} frames[3];
	uint32_t pass; /* so many frames reach the server */
	bool fault;
} bodies[] = {
	{ "all at once", { { 0, 1, 5, 0 } }, 1, false },
	{ "in two frames", { { 0, 0, 2, 0 }, { 0, 1, 3, 0 } }, 2, false },
	{ "with padding", { { 0, 8, 5, 4 }, { 0, 9, 0, 3 } }, 2, false },
	{ "and trailers", { { 0, 0, 5, 0 }, { 1, 5, 0, 0 } }, 2, false },
	{ "not yet whole", { { 0, 0, 4, 0 } }, 1, false },
	{ "one byte more", { { 0, 1, 6, 0 } }, 0, true },
	{ "more in a later frame", { { 0, 0, 5, 0 }, { 0, 1, 1, 0 } }, 1, true },
	{ "one byte less", { { 0, 1, 4, 0 } }, 0, true },
	{ "padding is not body", { { 0, 9, 4, 1 } }, 0, true },
	{ "an end without the rest", { { 0, 0, 2, 0 }, { 0, 1, 0, 0 } }, 1, true },
	{ "trailers too early", { { 0, 0, 4, 0 }, { 1, 5, 0, 0 } }, 1, true },
};

static void run_body(struct h2_kit *kit, const void *arg)
{
	static const char head[] = BASE "\x0f\x0d\x01"
					"5";
	const struct body_case *c = arg;
	uint32_t got;

	start(kit);
	h2_kit_frame(kit, WK_C2S, 1, 4, 1, head, sizeof(head) - 1);
	for (size_t i = 0; i < 3 && (i == 0 || c->frames[i].flags != 0 || c->frames[i].len_b != 0);
	     i++) {
		uint8_t payload[16] = { 0 };
		size_t n = (size_t)c->frames[i].len_b + c->frames[i].pad_b;

		if (c->frames[i].flags & 8) {
			payload[0] = c->frames[i].pad_b;
			n++;
		}
		h2_kit_frame(kit, WK_C2S, c->frames[i].type, c->frames[i].flags, 1, payload, n);
	}
	if (wk_h2_error(kit->conn) != (c->fault ? WK_H2_E_LENGTH : WK_H2_E_OK))
		fail_msg("%s: %s", c->name, wk_h2_error_key(wk_h2_error(kit->conn)));
	got = h2_kit_count(kit, WK_C2S, -1, 1) - 1; /* the request itself */
	if (got != c->pass)
		fail_msg("%s: %u frames at the server, not %u", c->name, got, c->pass);
}

static void a_body_comes_to_its_length_or_ends_the_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		h2_case_run(run_body, &bodies[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_denied_block_that_shifts_the_table_misleads_nobody),
		cmocka_unit_test(a_denied_block_that_leaves_the_table_alone_needs_no_reencoding),
		cmocka_unit_test(order_duplicates_and_never_indexed_survive_reencoding),
		cmocka_unit_test(trailers_are_reencoded_too),
		cmocka_unit_test(deleted_trailers_that_shift_the_table_are_noticed),
		cmocka_unit_test(a_grown_block_is_split_into_continuations),
		cmocka_unit_test(the_size_update_leads_the_first_block_only),
		cmocka_unit_test(blocks_are_read_as_the_rules_say),
		cmocka_unit_test(a_body_that_cannot_come_is_malformed),
		cmocka_unit_test(a_body_comes_to_its_length_or_ends_the_connection),
	};
	static const struct CMUnitTest more[] = {
		cmocka_unit_test(nothing_of_a_clients_encoding_reaches_the_server),
		cmocka_unit_test(a_passive_connection_is_never_reencoded),
	};
	int failed = cmocka_run_group_tests_name("h2_hpack", tests, NULL, NULL);

	failed +=
		cmocka_run_group_tests_name("h2_hpack, always re-encoded", tests, set_always, NULL);
	return failed + cmocka_run_group_tests_name("h2_hpack, reencode-always alone", more,
						    set_always, NULL);
}
