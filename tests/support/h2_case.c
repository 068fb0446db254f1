/* SPDX-License-Identifier: Apache-2.0 */
#include "h2_case.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM_RUNS 4u

static void compare(const struct h2_kit *a, const struct h2_kit *b)
{
	assert_true(a->ended == b->ended);
	assert_int_equal(wk_h2_error(a->conn), wk_h2_error(b->conn));
	assert_true(h2_bytes_equal(&a->out[WK_C2S], &b->out[WK_C2S]));
	assert_true(h2_bytes_equal(&a->out[WK_S2C], &b->out[WK_S2C]));
	assert_int_equal(a->n_decided, b->n_decided);
	assert_memory_equal(a->decided, b->decided, sizeof(a->decided));
	assert_int_equal(a->n_refused, b->n_refused);
	assert_memory_equal(a->refused, b->refused, sizeof(a->refused));
	assert_memory_equal(&a->stats, &b->stats, sizeof(a->stats));
}

void h2_case_run(h2_script *script, const void *arg)
{
	struct h2_kit *whole = malloc(sizeof(*whole)), *cut = malloc(sizeof(*cut));

	assert_non_null(whole);
	assert_non_null(cut);
	h2_kit_init(whole, H2_WHOLE, 0);
	script(whole, arg);
	for (uint32_t run = 0; run <= RANDOM_RUNS; run++) {
		h2_kit_init(cut, run == 0 ? H2_BYTEWISE : H2_RANDOM, run);
		script(cut, arg);
		compare(whole, cut);
		h2_kit_fini(cut);
	}
	h2_kit_fini(whole);
	free(whole);
	free(cut);
}

const char *h2_case_frames(const struct h2_kit *kit, enum wk_dir dir, uint32_t nth, char *buf,
			   size_t room_b)
{
	static const char letters[] = "DHPRSXIAWC";
	struct h2_seen seen;
	size_t at = 0;

	buf[0] = '\0';
	for (; h2_kit_nth(kit, dir, nth, &seen); nth++) {
		char letter = seen.type < sizeof(letters) - 1 ? letters[seen.type] : 'U';
		bool end = seen.type < 2 && (seen.flags & 1);
		int n = snprintf(buf + at, room_b - at, "%s%c%u%s", at ? " " : "", letter, seen.id,
				 end ? "e" : "");

		assert_true(n > 0 && (size_t)n < room_b - at);
		at += (size_t)n;
	}
	return buf;
}
