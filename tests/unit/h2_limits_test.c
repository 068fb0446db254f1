/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and floods: each has its error, and nothing grows. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "h2_case.h"

/* clang-format off */
#define GRPC	"\x0f\x10\x10" "application/grpc"
#define ALLOWED "\x83\x86\x04\x14/attack.Allowed/Ping" GRPC
#define DENIED	"\x83\x86\x04\x13/attack.Secret/Drop" GRPC
#define ES	1
#define EH	4

#define SEND(kit, dir, type, flags, id, p) \
	h2_kit_frame(kit, dir, type, flags, id, p, sizeof(p) - 1)
/* clang-format on */

static void run_continuations(struct h2_kit *kit, const void *arg)
{
	uint32_t n = 0;

	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, 0, 1, "");
	while (!kit->ended && n < 1000) {
		SEND(kit, WK_C2S, 9, 0, 1, "");
		n++;
	}
	assert_int_equal(n, kit->limits.continuations + 1);
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_CONTINUATION_CAP);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, -1), 0);
	assert_int_equal(kit->stats.counter[WK_CNT_H2_CAPS], 1);
}

static void a_flood_of_continuations_ends_the_connection(void **state)
{
	(void)state;
	h2_case_run(run_continuations, NULL);
}

static void run_block_cap(struct h2_kit *kit, const void *arg)
{
	static char part[16384];
	uint8_t head[9] = { 0x00, 0x20, 0x01, 1, 4, 0, 0, 0, 1 };
	const bool *joined = arg;

	kit->limits.block_b = *joined ? 40000 : 8192;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	if (*joined) {
		for (int i = 0; i < 3; i++)
			h2_kit_frame(kit, WK_C2S, i ? 9 : 1, 0, 1, part, sizeof(part));
	} else {
		h2_kit_send(kit, WK_C2S, head, 9); /* told by its header alone */
	}
	assert_true(kit->ended);
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_BLOCK_CAP);
}

static void a_block_above_its_limit_ends_the_connection(void **state)
{
	static const bool yes = true, no = false;

	(void)state;
	h2_case_run(run_block_cap, &yes);
	h2_case_run(run_block_cap, &no);
}

/* One entry of 3 900 bytes, referred to 4 000 times. */
static void run_bomb(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes block = { 0 };
	static char value[3900];
	struct h2_seen seen;

	(void)arg;
	memset(value, 'v', sizeof(value));
	h2_kit_start(kit);
	h2_bytes_add(&block, ALLOWED, sizeof(ALLOWED) - 1);
	h2_bytes_add(&block, "\x40\x01x", 3);
	h2_enc_int(&block, 0, 7, sizeof(value));
	h2_bytes_add(&block, value, sizeof(value));
	for (int i = 0; i < 4000; i++)
		h2_bytes_add(&block, "\xbe", 1);
	h2_kit_frame(kit, WK_C2S, 1, EH | ES, 1, block.p, block.n);
	h2_bytes_free(&block);
	assert_false(kit->ended);
	assert_int_equal(kit->n_refused, 1);
	assert_int_equal(kit->refused[0].reason, WK_CALL_REFUSED_LIST);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, -1), 0);
	assert_true(h2_kit_nth(kit, WK_S2C, 2, &seen));
	assert_memory_equal(seen.payload, "\0\0\0\x0b", 4);
	h2_kit_call(kit, 3, H2_ALLOWED, true); /* the table was kept in step */
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, 3), 1);
}

static void an_hpack_bomb_is_refused(void **state)
{
	(void)state;
	h2_case_run(run_bomb, NULL);
}

/* RFC 9113 6.5.2: each field counts 32 bytes more than its name and value. */
static void run_list_size(struct h2_kit *kit, const void *arg)
{
	const uint32_t *fields = arg;
	struct h2_bytes block = { 0 };

	kit->limits.header_list_b = 203 + 5 * 33;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	h2_bytes_add(&block, ALLOWED, sizeof(ALLOWED) - 1);
	for (uint32_t i = 0; i < *fields; i++)
		h2_bytes_add(&block, "\x00\x01x\x00", 4);
	h2_kit_frame(kit, WK_C2S, 1, EH | ES, 1, block.p, block.n);
	h2_bytes_free(&block);
	assert_int_equal(kit->n_refused, *fields > 5);
}

static void a_header_list_is_measured_as_the_rfc_says(void **state)
{
	static const uint32_t fits = 5, over = 6;

	(void)state;
	h2_case_run(run_list_size, &fits);
	h2_case_run(run_list_size, &over);
}

static void run_fields(struct h2_kit *kit, const void *arg)
{
	struct h2_bytes block = { 0 };

	(void)arg;
	h2_kit_start(kit);
	h2_bytes_add(&block, ALLOWED, sizeof(ALLOWED) - 1);
	for (uint32_t i = 0; i < kit->limits.fields; i++)
		h2_bytes_add(&block, "\x00\x01x\x00", 4);
	h2_kit_frame(kit, WK_C2S, 1, EH | ES, 1, block.p, block.n);
	h2_bytes_free(&block);
	assert_int_equal(kit->n_refused, 1);
	assert_int_equal(kit->refused[0].reason, WK_CALL_REFUSED_LIST);
}

static void too_many_fields_are_refused(void **state)
{
	(void)state;
	h2_case_run(run_fields, NULL);
}

struct flood {
	const char *name;
	uint8_t type;
	uint8_t flags;
	uint32_t id;
	const char *payload;
	size_t n;
	bool open; /* on an open allowed stream 1 */
};

/* clang-format off */
#define FLOOD(name, type, flags, id, p, open) { name, type, flags, id, p, sizeof(p) - 1, open }
static const struct flood floods[] = {
	FLOOD("ping", 6, 0, 0, "12345678", false),
	FLOOD("ping ack", 6, 1, 0, "12345678", false),
	FLOOD("priority", 2, 0, 9, "\0\0\0\0\1", false),
	FLOOD("rst_stream", 3, 0, 9, "\0\0\0\0", false),
	FLOOD("window update", 8, 0, 0, "\0\0\0\1", false),
	FLOOD("unknown", 0xee, 0, 0, "", false),
	FLOOD("empty data", 0, 0, 1, "", true),
};
/* clang-format on */

static void run_flood(struct h2_kit *kit, const void *arg)
{
	const struct flood *flood = arg;
	uint32_t n = 0, spare;

	kit->limits.control_burst = 50;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	if (flood->open)
		SEND(kit, WK_C2S, 1, EH, 1, ALLOWED);
	while (!kit->ended && n++ < 1000)
		h2_kit_frame(kit, WK_C2S, flood->type, flood->flags, flood->id, flood->payload,
			     flood->n);
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_FLOOD);
	assert_in_range(n, 45, 52);
	/* Spread over time the same is fine. */
	h2_kit_restart(kit);
	h2_kit_start(kit);
	if (flood->open)
		SEND(kit, WK_C2S, 1, EH, 1, ALLOWED);
	for (spare = 0; spare < 200 && !kit->ended; spare++) {
		kit->env.now_ns += 1000000000ull / kit->limits.control_per_s;
		h2_kit_frame(kit, WK_C2S, flood->type, flood->flags, flood->id, flood->payload,
			     flood->n);
	}
	assert_false(kit->ended);
}

static void control_frames_are_limited_by_rate(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++)
		h2_case_run(run_flood, &floods[i]);
}

static void run_settings_flood(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	h2_kit_start(kit);
	for (int i = 0; i < 16; i++)
		SEND(kit, WK_C2S, 4, 0, 0, "");
	assert_false(kit->ended);
	SEND(kit, WK_C2S, 4, 0, 0, "");
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_FLOOD);
}

static void settings_that_nobody_acknowledges_are_limited(void **state)
{
	(void)state;
	h2_case_run(run_settings_flood, NULL);
}

/* A download needs many WINDOW_UPDATEs, and its own DATA pays for them. */
static void run_download(struct h2_kit *kit, const void *arg)
{
	(void)arg;
	kit->limits.control_burst = 20;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH | ES, 1, ALLOWED);
	for (int i = 0; i < 500; i++) {
		SEND(kit, WK_S2C, 0, 0, 1, "data");
		SEND(kit, WK_C2S, 8, 0, 0, "\0\0\0\4");
		SEND(kit, WK_C2S, 8, 0, 1, "\0\0\0\4");
	}
	assert_false(kit->ended);
}

static void a_download_may_send_window_updates(void **state)
{
	(void)state;
	h2_case_run(run_download, NULL);
}

static void run_rapid_reset(struct h2_kit *kit, const void *arg)
{
	const char *block = arg;
	uint32_t id = 1;

	kit->limits.control_burst = 100;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	kit->room_b = 0;
	for (; id < 4001 && !kit->ended; id += 2) {
		h2_kit_frame(kit, WK_C2S, 1, EH, id, block, strlen(block));
		SEND(kit, WK_C2S, 3, 0, id, "\0\0\0\x08");
	}
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_FLOOD);
	assert_in_range(id, 180, 210);
}

static void rapid_resets_are_limited(void **state)
{
	(void)state;
	h2_case_run(run_rapid_reset, ALLOWED);
	h2_case_run(run_rapid_reset, DENIED);
}

/* A client that makes the server reset streams. */
static void run_made_reset(struct h2_kit *kit, const void *arg)
{
	uint32_t id = 1;

	(void)arg;
	kit->limits.control_burst = 100;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	for (; id < 4001 && !kit->ended; id += 2) {
		SEND(kit, WK_C2S, 1, EH, id, ALLOWED);
		SEND(kit, WK_S2C, 3, 0, id, "\0\0\0\1");
	}
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_FLOOD);
	assert_in_range(id, 180, 210);
}

static void resets_that_the_server_is_made_to_send_are_limited(void **state)
{
	(void)state;
	h2_case_run(run_made_reset, NULL);
}

static void run_queue(struct h2_kit *kit, const void *arg)
{
	uint32_t id = 1;

	(void)arg;
	h2_kit_start(kit);
	kit->room_b = 0;
	for (; id < 4001 && !kit->ended; id += 2)
		SEND(kit, WK_C2S, 1, EH | ES, id, DENIED);
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_QUEUE_CAP);
	assert_int_equal(id, 2 * kit->limits.pending + 3);
}

static void waiting_replies_are_limited(void **state)
{
	(void)state;
	h2_case_run(run_queue, NULL);
}

static void run_streams(struct h2_kit *kit, const void *arg)
{
	const bool *by_server = arg;
	struct h2_seen seen;

	kit->limits.streams = *by_server ? 100 : 3;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	if (*by_server)
		SEND(kit, WK_S2C, 4, 0, 0, "\0\3\0\0\0\3");
	for (uint32_t id = 1; id <= 5; id += 2)
		SEND(kit, WK_C2S, 1, EH, id, ALLOWED);
	if (*by_server) {
		SEND(kit, WK_C2S, 1, EH | ES, 7, ALLOWED); /* not acknowledged yet */
		SEND(kit, WK_C2S, 4, 1, 0, "");
		h2_kit_answer(kit, 7);
	}
	SEND(kit, WK_C2S, 1, EH, 9, ALLOWED);
	SEND(kit, WK_C2S, 0, ES, 9, "body");
	assert_int_equal(kit->n_refused, 1);
	assert_int_equal(kit->refused[0].reason, WK_CALL_REFUSED_STREAMS);
	assert_true(h2_kit_nth(kit, WK_S2C, h2_kit_count(kit, WK_S2C, -1, -1) - 1, &seen));
	assert_int_equal(seen.type, 3);
	assert_int_equal(seen.id, 9);
	assert_memory_equal(seen.payload, "\0\0\0\7", 4);
	assert_int_equal(h2_kit_count(kit, WK_C2S, -1, 9), 0);
	SEND(kit, WK_C2S, 0, ES, 1, "");
	h2_kit_answer(kit, 1);
	SEND(kit, WK_C2S, 1, EH, 11, ALLOWED);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, 11), 1);
	assert_false(kit->ended);
}

static void calls_above_the_stream_limit_are_refused_one_by_one(void **state)
{
	static const bool yes = true, no = false;

	(void)state;
	h2_case_run(run_streams, &yes);
	h2_case_run(run_streams, &no);
}

static void run_many(struct h2_kit *kit, const void *arg)
{
	struct wk_h2_info info;

	(void)arg;
	h2_kit_start(kit);
	for (uint32_t id = 1; id < 2000; id += 2)
		h2_kit_call(kit, id, id % 3 ? H2_ALLOWED : H2_DENIED, false);
	for (uint32_t id = 1; id < 2000; id += 2) {
		SEND(kit, WK_C2S, 0, ES, id, "x");
		if (id % 3)
			h2_kit_answer(kit, id);
	}
	wk_h2_info(kit->conn, &info);
	assert_false(kit->ended);
	assert_int_equal(info.open_streams, 0);
	assert_int_equal(info.denied_calls, 333);
	assert_int_equal(info.allowed_calls, 667);
	assert_int_equal(info.highest_id, 1999);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, -1), 667);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 0, -1), 667);
}

static void a_thousand_streams_open_and_close(void **state)
{
	(void)state;
	h2_case_run(run_many, NULL);
}

/* One byte a second of a header block. */
static void run_slow(struct h2_kit *kit, const void *arg)
{
	uint32_t s = 0;

	(void)arg;
	h2_kit_start(kit);
	SEND(kit, WK_C2S, 1, EH, 1, ALLOWED);
	for (; s < 100; s++) { /* DATA may take its time */
		kit->env.now_ns += 1000000000ull;
		SEND(kit, WK_C2S, 0, 0, 1, "slow");
	}
	h2_kit_send(kit, WK_C2S, "\0\0\x64\1\4\0\0\0\3", 9);
	for (s = 0; s < 90 && !kit->ended; s++) {
		kit->env.now_ns += 1000000000ull;
		h2_kit_send(kit, WK_C2S, "\x83", 1);
	}
	assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_HOLD_TIME);
	assert_int_equal(s, 60);
	assert_int_equal(kit->stats.counter[WK_CNT_HDR_TIMEOUT], 1);
}

static void a_block_that_trickles_in_ends_the_connection(void **state)
{
	(void)state;
	h2_case_run(run_slow, NULL);
}

/* Limits of any size make scratch space that the arena can give. */
static void absurd_limits_are_cut_down(void **state)
{
	struct h2_kit *kit = malloc(sizeof(*kit));

	(void)state;
	h2_kit_init(kit, H2_WHOLE, 0);
	kit->limits.block_b = kit->limits.header_list_b = kit->limits.fields = UINT32_MAX;
	kit->limits.control_frame_b = 1u << 24;
	h2_kit_restart(kit);
	h2_kit_start(kit);
	h2_kit_call(kit, 1, H2_DENIED, true);
	h2_kit_call(kit, 3, H2_ALLOWED, true);
	assert_int_equal(h2_kit_count(kit, WK_C2S, 1, 3), 1);
	h2_kit_fini(kit);
	free(kit);
}

/* Memory runs out at any point: the connection ends, nothing leaks (the kit looks). Every other one
 * is folded all the time, and must find memory to unfold. */
static void running_out_of_memory_ends_the_connection(void **state)
{
	struct h2_kit *kit = malloc(sizeof(*kit));
	void *taken[4096];
	uint32_t n_taken, spared = 0;

	(void)state;
	for (uint32_t keep = 0; keep < 40; keep++) {
		h2_kit_init(kit, H2_WHOLE, 0);
		kit->folding = keep % 2;
		for (n_taken = 0; n_taken < 4096; n_taken++) {
			taken[n_taken] = wk_mem_alloc(kit->mem, 256 * 1024);
			if (!taken[n_taken])
				break;
		}
		while (n_taken < 4096 && (taken[n_taken] = wk_mem_alloc(kit->mem, 4096)) != NULL)
			n_taken++;
		while (n_taken < 4096 && (taken[n_taken] = wk_mem_alloc(kit->mem, 64)) != NULL)
			n_taken++;
		for (uint32_t i = 0; i < keep && n_taken > 0; i++)
			wk_mem_free(kit->mem, taken[--n_taken]);
		h2_kit_start(kit);
		for (uint32_t id = 1; id < 60 && !kit->ended; id += 2)
			h2_kit_call(kit, id, id % 3 ? H2_ALLOWED : H2_DENIED, false);
		if (kit->ended)
			assert_int_equal(wk_h2_error(kit->conn), WK_H2_E_MEMORY);
		else
			spared++;
		while (n_taken > 0)
			wk_mem_free(kit->mem, taken[--n_taken]);
		h2_kit_fini(kit);
	}
	assert_true(spared < 40);
	free(kit);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_of_continuations_ends_the_connection),
		cmocka_unit_test(a_block_above_its_limit_ends_the_connection),
		cmocka_unit_test(an_hpack_bomb_is_refused),
		cmocka_unit_test(a_header_list_is_measured_as_the_rfc_says),
		cmocka_unit_test(too_many_fields_are_refused),
		cmocka_unit_test(control_frames_are_limited_by_rate),
		cmocka_unit_test(settings_that_nobody_acknowledges_are_limited),
		cmocka_unit_test(a_download_may_send_window_updates),
		cmocka_unit_test(rapid_resets_are_limited),
		cmocka_unit_test(resets_that_the_server_is_made_to_send_are_limited),
		cmocka_unit_test(waiting_replies_are_limited),
		cmocka_unit_test(calls_above_the_stream_limit_are_refused_one_by_one),
		cmocka_unit_test(a_thousand_streams_open_and_close),
		cmocka_unit_test(a_block_that_trickles_in_ends_the_connection),
		cmocka_unit_test(absurd_limits_are_cut_down),
		cmocka_unit_test(running_out_of_memory_ends_the_connection),
	};

	return cmocka_run_group_tests_name("h2_limits", tests, NULL, NULL);
}
