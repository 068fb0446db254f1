/* SPDX-License-Identifier: Apache-2.0 */
/* Quiet connections: what they keep is little, and all that they need. (All other tests of lib/h2
 * fold their connections after every feed in some of their runs.) */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h2_case.h"

#define SMALL_B 384u
#define CALLS   4u

static size_t used_b(const struct h2_kit *kit)
{
	struct wk_mem_usage usage;

	wk_mem_usage(kit->mem, &usage);
	return usage.used_b;
}

static void block(struct h2_kit *kit, uint32_t id, const char *bytes, size_t len_b)
{
	h2_kit_frame(kit, WK_C2S, 1, 5, id, bytes, (uint32_t)len_b);
}
#define BLOCK(kit, id, bytes) block(kit, id, bytes, sizeof(bytes) - 1)

static void settings(struct h2_kit *kit, uint32_t table_b)
{
	const uint32_t said[][2] = { { 1, table_b } };
	struct h2_bytes bytes = { 0 };

	h2_put_settings(&bytes, said, 1);
	h2_kit_send(kit, WK_S2C, bytes.p, bytes.n);
	h2_bytes_free(&bytes);
	h2_kit_frame(kit, WK_C2S, 4, 1, 0, NULL, 0);
}

static void start(struct h2_kit *kit, bool folding)
{
	h2_kit_init(kit, H2_WHOLE, 0);
	kit->folding = folding;
	h2_kit_start(kit);
}

static void a_folded_connection_takes_little_and_reads_on(void **state)
{
	struct h2_kit kit;
	size_t before;

	(void)state;
	h2_kit_init(&kit, H2_WHOLE, 0);
	h2_kit_start(&kit);
	before = used_b(&kit);
	for (uint32_t i = 0; i < CALLS; i++) {
		h2_kit_call(&kit, 4 * i + 1, H2_ALLOWED, true);
		h2_kit_frame(&kit, WK_S2C, 1, 5, 4 * i + 1, "\x88", 1);
		assert_true(wk_h2_awake(kit.conn));
		assert_true(used_b(&kit) > before + SMALL_B);
		wk_h2_fold(kit.conn, kit.mem);
		assert_false(wk_h2_awake(kit.conn));
		assert_true(used_b(&kit) <= before + SMALL_B);
	}
	assert_false(kit.ended);
	assert_int_equal(kit.n_decided, CALLS);
	for (uint32_t i = 0; i < CALLS; i++)
		assert_string_equal(kit.decided[i].path, H2_ALLOWED);
	h2_kit_fini(&kit);
}

/* The size that the client has chosen belongs to the table: entries beyond it are gone. */
static void the_size_of_a_table_survives(void **state)
{
	static const char path[] = "\x83\x86\x44\x14/attack.Allowed/Ping";
	struct h2_kit kit;

	(void)state;
	for (int folding = 0; folding < 2; folding++) {
		start(&kit, folding);
		BLOCK(&kit, 1, "\x3f\x11\x83\x86\x04\x14/attack.Allowed/Ping"); /* to 48 bytes */
		BLOCK(&kit, 3, "\x83\x86\x44\x14/attack.Allowed/Ping"); /* 57: finds no room */
		assert_false(kit.ended);
		BLOCK(&kit, 5, "\x83\x86\xbe");
		assert_true(kit.ended);
		assert_int_equal(wk_h2_error(kit.conn), WK_H2_E_HPACK);
		h2_kit_fini(&kit);

		start(&kit, folding);
		block(&kit, 1, path, sizeof(path) - 1);
		BLOCK(&kit, 3, "\x83\x86\xbe");
		assert_false(kit.ended);
		assert_int_equal(kit.n_decided, 2);
		h2_kit_fini(&kit);
	}
}

/* After SETTINGS that lower the table the next block begins with a size update. */
static void what_the_next_block_owes_is_not_forgotten(void **state)
{
	struct h2_kit kit;

	(void)state;
	for (int folding = 0; folding < 2; folding++) {
		start(&kit, folding);
		settings(&kit, 100);
		BLOCK(&kit, 1, "\x83\x86\x04\x14/attack.Allowed/Ping");
		assert_int_equal(wk_h2_error(kit.conn), WK_H2_E_HPACK);
		h2_kit_fini(&kit);

		start(&kit, folding);
		settings(&kit, 100);
		BLOCK(&kit, 1, "\x3f\x45\x83\x86\x44\x14/attack.Allowed/Ping");
		BLOCK(&kit, 3, "\x83\x86\xbe");
		BLOCK(&kit, 5, "\x3f\x45\x83\x86\xbe");
		assert_false(kit.ended);
		assert_int_equal(kit.n_decided, 3);
		BLOCK(&kit, 7, "\x3f\x46\x83\x86\xbe"); /* beyond what the server said */
		assert_int_equal(wk_h2_error(kit.conn), WK_H2_E_HPACK);
		h2_kit_fini(&kit);
	}
}

/* Strings and numbers of every length that the prefix of an integer tells apart. */
static void entries_of_any_length_survive(void **state)
{
	static const uint32_t lens_b[] = { 0, 1, 126, 127, 128, 254, 255, 256, 3000 };
	struct h2_bytes bytes = { 0 };
	char value[3000];
	struct h2_kit kit;

	(void)state;
	memset(value, 'v', sizeof(value));
	for (size_t i = 0; i < sizeof(lens_b) / sizeof(lens_b[0]); i++) {
		start(&kit, true);
		bytes.n = 0;
		h2_bytes_add(&bytes, "\x83\x86\x04\x14/attack.Allowed/Ping\x40\x01n", 27);
		h2_enc_int(&bytes, 0, 7, lens_b[i]);
		h2_bytes_add(&bytes, value, lens_b[i]);
		block(&kit, 1, (const char *)bytes.p, bytes.n);
		BLOCK(&kit, 3, "\x83\x86\x04\x14/attack.Allowed/Ping\xbe");
		assert_false(kit.ended);
		assert_int_equal(kit.n_decided, 2);
		h2_kit_fini(&kit);
	}
	h2_bytes_free(&bytes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folded_connection_takes_little_and_reads_on),
		cmocka_unit_test(the_size_of_a_table_survives),
		cmocka_unit_test(what_the_next_block_owes_is_not_forgotten),
		cmocka_unit_test(entries_of_any_length_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
