/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of the table that headers are compressed with: what either side says of them, between
 * sessions of libnghttp2 and when the client knows more than it should. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2_case.h"
#include "h2_truth.h"

struct setup {
	nghttp2_settings_entry server[4];
	size_t n_server;
	nghttp2_settings_entry client[4];
	size_t n_client;
};

struct play {
	struct h2_truth client;
	struct h2_truth server;
};

static struct play *play_new(const struct setup *setup)
{
	struct play *play = malloc(sizeof(*play));

	assert_non_null(play);
	h2_truth_client(&play->client, setup->client, setup->n_client);
	h2_truth_server(&play->server, setup->server, setup->n_server);
	return play;
}

static void play_free(struct play *play)
{
	assert_false(play->client.broken);
	assert_false(play->server.broken);
	assert_int_equal(play->server.rst_sent, 0);
	h2_truth_fini(&play->client);
	h2_truth_fini(&play->server);
	free(play);
}

static void assert_denied(struct play *play, uint32_t id)
{
	assert_true(h2_truth_says(&play->client, id,
				  ":status: 403\ncontent-type: application/grpc\n"
				  "grpc-status: 7\ngrpc-message: "));
	assert_null(h2_truth_find(&play->server, id));
	assert_true(h2_truth_find(&play->client, id)->closed);
}

static void assert_served(struct play *play, uint32_t id, const char *path, uint64_t body_b)
{
	const struct h2_truth_stream *stream = h2_truth_find(&play->server, id);
	char want[512];

	assert_true(h2_truth_says(&play->client, id, ":status: 200\n"));
	assert_non_null(stream);
	assert_int_equal(stream->data_b, body_b);
	snprintf(want, sizeof(want),
		 ":method: POST\n:scheme: http\n:path: %s\n:authority: attack.example\n"
		 "content-type: application/grpc\nte: trailers\nx-note: %s\n!authorization: "
		 "secret\n",
		 path, path);
	assert_string_equal(stream->fields, want);
}

static const struct setup setups[] = {
	{ .n_server = 0 },
	{ .server = { { 1, 0 } }, .n_server = 1 },
	{ .server = { { 1, 512 } }, .n_server = 1 },
	{ .server = { { 1, 65536 }, { 3, 100 } }, .n_server = 2 },
	{ .client = { { 1, 0 } }, .n_client = 1 },
	{ .client = { { 1, 1024 } }, .n_client = 1 },
	{ .client = { { 1, 0 }, { 1, 2048 } }, .n_client = 2 },
	{ .server = { { 1, 0 }, { 1, 300 } },
	  .n_server = 2,
	  .client = { { 1, 65536 } },
	  .n_client = 1 },
};

static void run_mix(struct h2_kit *kit, const void *arg)
{
	static const char *const paths[] = { H2_ALLOWED, H2_DENIED, H2_ALLOWED2, H2_DENIED2 };
	struct play *play = play_new(arg);
	struct wk_h2_info info;
	uint32_t id[40];

	for (uint32_t i = 0; i < 40; i++) {
		id[i] = h2_truth_call(&play->client, paths[i % 4], 100 * i);
		if (i % 3 == 0)
			h2_truth_run(&play->client, &play->server, kit);
	}
	h2_truth_run(&play->client, &play->server, kit);
	assert_false(kit->ended);
	for (uint32_t i = 0; i < 40; i++) {
		if (i % 2)
			assert_denied(play, id[i]);
		else
			assert_served(play, id[i], paths[i % 4], 100 * i);
	}
	wk_h2_info(kit->conn, &info);
	assert_int_equal(info.open_streams, 0);
	play_free(play);
}

static void real_peers_agree_whatever_their_table_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++)
		h2_case_run(run_mix, &setups[i]);
}

/* The server changes its table size while the connection is edited. */
static void run_resize(struct h2_kit *kit, const void *arg)
{
	static const uint32_t sizes[] = { 0, 2048, 100, 4096, 8192, 0 };
	static const struct setup plain = { .n_server = 0 };
	struct play *play = play_new(&plain);
	const bool *deny = arg;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const nghttp2_settings_entry entry = { 1, sizes[i] };
		uint32_t a = h2_truth_call(&play->client, H2_ALLOWED, 10), d = 0, b;

		if (*deny)
			d = h2_truth_call(&play->client, H2_DENIED, 10);
		nghttp2_submit_settings(play->server.session, NGHTTP2_FLAG_NONE, &entry, 1);
		h2_truth_run(&play->client, &play->server, kit);
		b = h2_truth_call(&play->client, H2_ALLOWED2, 10);
		h2_truth_run(&play->client, &play->server, kit);
		assert_false(kit->ended);
		assert_served(play, a, H2_ALLOWED, 10);
		assert_served(play, b, H2_ALLOWED2, 10);
		if (*deny)
			assert_denied(play, d);
	}
	play_free(play);
}

static void table_sizes_that_change_on_the_way_are_followed(void **state)
{
	static const bool yes = true, no = false;

	(void)state;
	h2_case_run(run_resize, &yes);
	h2_case_run(run_resize, &no);
}

static void run_clamp(struct h2_kit *kit, const void *arg)
{
	static const uint32_t big[][2] = { { 3, 7 }, { 1, 65536 }, { 5, 32768 }, { 1, 4097 } };
	static const uint32_t want[][2] = { { 3, 7 }, { 1, 4096 }, { 5, 32768 }, { 1, 4096 } };
	struct h2_bytes hello = { 0 }, clamped = { 0 };
	const bool *passive = arg;

	kit->env.passive = *passive;
	h2_put_settings(&hello, big, 4);
	h2_put_settings(&clamped, want, 4);
	h2_kit_send(kit, WK_S2C, hello.p, hello.n);
	assert_true(h2_bytes_equal(&kit->out[WK_S2C], *passive ? &hello : &clamped));
	assert_int_equal(kit->stats.counter[WK_CNT_CLAMP_TABLE], *passive ? 0 : 2);
	h2_bytes_free(&hello);
	h2_bytes_free(&clamped);
}

static void a_large_table_is_clamped_unless_passive(void **state)
{
	static const bool yes = true, no = false;

	(void)state;
	h2_case_run(run_clamp, &yes);
	h2_case_run(run_clamp, &no);
}

/* SETTINGS that overtook a lost segment: the client uses the table it was told of. */
struct late {
	uint32_t said_b;
	uint32_t used_b;
	enum wk_h2_error error;
	bool gone;
};

static void run_late(struct h2_kit *kit, const void *arg)
{
	const struct late *late = arg;
	const uint32_t said[][2] = { { 1, late->said_b } };
	struct h2_bytes hello = { 0 }, block = { 0 };
	struct h2_seen seen;

	h2_kit_start(kit);
	h2_put_settings(&hello, said, 1);
	kit->gone = late->gone;
	h2_kit_send(kit, WK_S2C, hello.p, hello.n);
	kit->gone = false;
	if (!kit->ended) {
		assert_true(h2_kit_nth(kit, WK_S2C, 2, &seen));
		assert_int_equal(seen.payload[3] << 16 | seen.payload[4] << 8 | seen.payload[5],
				 late->gone ? late->said_b : 4096);
		h2_kit_frame(kit, WK_C2S, 4, 1, 0, NULL, 0);
		h2_enc_int(&block, 0x20, 5, late->used_b);
		h2_put_block(&kit->enc, &block, H2_ALLOWED);
		h2_kit_frame(kit, WK_C2S, 1, 5, 1, block.p, block.n);
	}
	assert_int_equal(wk_h2_error(kit->conn), late->error);
	h2_bytes_free(&hello);
	h2_bytes_free(&block);
}

static void a_large_table_that_the_client_knows_of_is_followed_up_to_a_limit(void **state)
{
	static const struct late rows[] = {
		{ 65536, 65536, WK_H2_E_OK, true },        { 65536, 100, WK_H2_E_OK, true },
		{ 8192, 8192, WK_H2_E_OK, true },          { 8192, 8193, WK_H2_E_HPACK, true },
		{ 65537, 65537, WK_H2_E_TABLE_CAP, true }, { 1u << 30, 0, WK_H2_E_TABLE_CAP, true },
		{ 65536, 4096, WK_H2_E_OK, false },        { 65536, 4097, WK_H2_E_HPACK, false },
		{ 1u << 30, 4096, WK_H2_E_OK, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		h2_case_run(run_late, &rows[i]);
}

/* A byte of the frame has gone, or none has. */
static void a_frame_of_which_nothing_has_gone_is_clamped(void **state)
{
	static const uint32_t said[][2] = { { 1, 8192 } };
	struct h2_kit kit;

	(void)state;
	for (uint32_t gone_b = 0; gone_b < 3; gone_b++) {
		struct h2_bytes bytes = { 0 };
		struct wk_op_list ops;

		h2_kit_init(&kit, H2_WHOLE, 0);
		h2_kit_start(&kit);
		h2_put(&bytes, 6, 0, 0, "12345678", 8);
		kit.env.gone_b = (uint32_t)bytes.n + gone_b - 1;
		h2_put_settings(&bytes, said, 1);
		assert_int_equal(wk_h2_feed(kit.conn, WK_S2C, bytes.p, (uint32_t)bytes.n, &kit.env,
					    &ops),
				 0);
		assert_int_equal(ops.ops[ops.n - 1].kind, gone_b < 2 ? WK_OP_PATCH : WK_OP_PASS);
		h2_bytes_free(&bytes);
		h2_kit_fini(&kit);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_peers_agree_whatever_their_table_sizes),
		cmocka_unit_test(table_sizes_that_change_on_the_way_are_followed),
		cmocka_unit_test(a_large_table_is_clamped_unless_passive),
		cmocka_unit_test(a_large_table_that_the_client_knows_of_is_followed_up_to_a_limit),
		cmocka_unit_test(a_frame_of_which_nothing_has_gone_is_clamped),
	};

	return cmocka_run_group_tests_name("h2_tables", tests, NULL, NULL);
}
