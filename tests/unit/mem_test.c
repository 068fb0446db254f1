/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "wk_mem.h"

#define ARENA_B (4u * WK_MEM_MAX_B)

static void *base;

static struct wk_mem *open_arena(size_t arena_b)
{
	struct wk_mem *mem;

	base = aligned_alloc(64, wk_mem_footprint(arena_b));
	assert_non_null(base);
	mem = wk_mem_create(base, wk_mem_footprint(arena_b));
	assert_non_null(mem);
	return mem;
}

static void close_arena(struct wk_mem *mem)
{
	wk_mem_destroy(mem);
	free(base);
}

static struct wk_mem_usage usage_of(const struct wk_mem *mem)
{
	struct wk_mem_usage usage;

	wk_mem_usage(mem, &usage);
	return usage;
}

/* The arena is whole again when it can be handed out in blocks of the largest size. */
static void assert_whole(struct wk_mem *mem)
{
	size_t n = usage_of(mem).arena_b / WK_MEM_MAX_B;
	void *blocks[64];

	assert_true(n <= 64);
	assert_int_equal(usage_of(mem).used_b, 0);
	for (size_t i = 0; i < n; i++) {
		blocks[i] = wk_mem_alloc(mem, WK_MEM_MAX_B);
		assert_non_null(blocks[i]);
	}
	assert_null(wk_mem_alloc(mem, 1));
	for (size_t i = 0; i < n; i++)
		wk_mem_free(mem, blocks[i]);
}

static void sizes_are_rounded_up_to_powers_of_two(void **state)
{
	static const struct {
		size_t size_b;
		size_t usable_b;
	} rows[] = {
		{ 0, 64 },          { 1, 64 },          { 64, 64 },     { 65, 128 },
		{ 128, 128 },       { 129, 256 },       { 4096, 4096 }, { 4097, 8192 },
		{ 131073, 262144 }, { 262144, 262144 },
	};
	struct wk_mem *mem = open_arena(ARENA_B);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *ptr = wk_mem_alloc(mem, rows[i].size_b);

		assert_non_null(ptr);
		assert_int_equal((uintptr_t)ptr % 64, 0);
		assert_int_equal(wk_mem_usable_b(mem, ptr), rows[i].usable_b);
		assert_int_equal(usage_of(mem).used_b, rows[i].usable_b);
		memset(ptr, 0xa5, rows[i].usable_b);
		wk_mem_free(mem, ptr);
	}
	assert_whole(mem);
	close_arena(mem);
}

static void an_arena_is_a_multiple_of_the_largest_block(void **state)
{
	struct wk_mem *mem = open_arena(WK_MEM_MAX_B + 1);

	(void)state;
	assert_int_equal(usage_of(mem).arena_b, 2u * WK_MEM_MAX_B);
	close_arena(mem);
	assert_null(wk_mem_create(NULL, 0));
	base = aligned_alloc(64, WK_MEM_MAX_B);
	assert_null(wk_mem_create(base, WK_MEM_MAX_B));
	free(base);
}

static void a_full_arena_refuses_counts_and_recovers(void **state)
{
	struct wk_mem *mem = open_arena(ARENA_B);
	uint32_t max = ARENA_B / WK_MEM_MIN_B;
	void **blocks = calloc(max, sizeof(*blocks));

	(void)state;
	assert_non_null(blocks);
	for (uint32_t i = 0; i < max; i++) {
		blocks[i] = wk_mem_alloc(mem, WK_MEM_MIN_B);
		assert_non_null(blocks[i]);
		memset(blocks[i], (int)(i & 0xff), WK_MEM_MIN_B);
	}
	assert_null(wk_mem_alloc(mem, 1));
	assert_null(wk_mem_alloc(mem, WK_MEM_MAX_B + 1));
	assert_null(wk_mem_calloc(mem, SIZE_MAX / 2, 3));
	assert_null(wk_mem_realloc(mem, blocks[7], WK_MEM_MAX_B + 1));
	assert_null(wk_mem_realloc(mem, blocks[7], 65));
	assert_int_equal(*(uint8_t *)blocks[7], 7);
	assert_int_equal(usage_of(mem).failures, 5);
	assert_int_equal(usage_of(mem).used_b, ARENA_B);
	/* Every second one back: half of the arena is free and yet no two units are neighbours. */
	for (uint32_t i = 0; i < max; i += 2)
		wk_mem_free(mem, blocks[i]);
	assert_null(wk_mem_alloc(mem, 65));
	for (uint32_t i = 1; i < max; i += 2) {
		assert_int_equal(*(uint8_t *)blocks[i], i & 0xff);
		wk_mem_free(mem, blocks[i]);
	}
	assert_int_equal(usage_of(mem).peak_b, ARENA_B);
	assert_whole(mem);
	free(blocks);
	close_arena(mem);
}

static void realloc_keeps_the_bytes(void **state)
{
	struct wk_mem *mem = open_arena(ARENA_B);
	uint8_t *ptr = wk_mem_realloc(mem, NULL, 10);
	uint8_t *same;

	(void)state;
	assert_non_null(ptr);
	for (uint32_t i = 0; i < 64; i++)
		ptr[i] = (uint8_t)i;
	same = wk_mem_realloc(mem, ptr, 64);
	assert_ptr_equal(same, ptr);
	for (size_t size_b = 100; size_b <= WK_MEM_MAX_B; size_b = size_b * 3 / 2) {
		ptr = wk_mem_realloc(mem, ptr, size_b);
		assert_non_null(ptr);
		for (uint32_t i = 0; i < 64; i++)
			assert_int_equal(ptr[i], i);
	}
	same = wk_mem_realloc(mem, ptr, 200);
	assert_ptr_equal(same, ptr);
	assert_int_equal(wk_mem_usable_b(mem, ptr), 256);
	assert_int_equal(usage_of(mem).used_b, 256);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(ptr[i], i);
	wk_mem_free(mem, ptr);
	assert_whole(mem);
	close_arena(mem);
}

static void calloc_gives_zeroes(void **state)
{
	struct wk_mem *mem = open_arena(WK_MEM_MAX_B);
	uint8_t *ptr = wk_mem_alloc(mem, 1000);

	(void)state;
	memset(ptr, 0xff, 1000);
	wk_mem_free(mem, ptr);
	ptr = wk_mem_calloc(mem, 10, 100);
	assert_non_null(ptr);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(ptr[i], 0);
	wk_mem_free(mem, ptr);
	wk_mem_free(mem, NULL);
	assert_whole(mem);
	close_arena(mem);
}

/* The model: live blocks, each filled with a byte of its own, and the sum of their sizes. */
struct model_block {
	uint8_t *ptr;
	size_t size_b;
	uint8_t fill;
};

static uint64_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rnd_state >> 33) % below;
}

static void check_block(const struct model_block *block)
{
	for (size_t i = 0; i < block->size_b; i += 1 + block->size_b / 97)
		assert_int_equal(block->ptr[i], block->fill);
	assert_int_equal(block->ptr[block->size_b - 1], block->fill);
}

static size_t random_size(void)
{
	return 1 + rnd(1u << (4 + rnd(13)));
}

static void model_step(struct wk_mem *mem, struct model_block *block)
{
	size_t size_b = random_size();
	uint8_t *ptr;

	if (!block->ptr) {
		block->ptr = wk_mem_alloc(mem, size_b);
		block->size_b = size_b;
	} else if (rnd(3) == 0) {
		size_t keep_b = size_b < block->size_b ? size_b : block->size_b;

		ptr = wk_mem_realloc(mem, block->ptr, size_b);
		if (!ptr)
			return;
		*block = (struct model_block){ ptr, keep_b, block->fill };
		check_block(block);
		block->size_b = size_b;
	} else {
		check_block(block);
		wk_mem_free(mem, block->ptr);
		block->ptr = NULL;
	}
	if (block->ptr) {
		block->fill = (uint8_t)rnd(256);
		memset(block->ptr, block->fill, block->size_b);
	}
}

static void random_use_agrees_with_a_model(void **state)
{
	enum { BLOCKS = 300, STEPS = 60000 };
	static struct model_block blocks[BLOCKS];
	struct wk_mem *mem = open_arena(ARENA_B);
	uint64_t used_b = 0;

	(void)state;
	rnd_state = 0x5eed;
	for (int i = 0; i < STEPS; i++)
		model_step(mem, &blocks[rnd(BLOCKS)]);
	for (int i = 0; i < BLOCKS; i++) {
		if (!blocks[i].ptr)
			continue;
		check_block(&blocks[i]);
		used_b += wk_mem_usable_b(mem, blocks[i].ptr);
	}
	assert_int_equal(usage_of(mem).used_b, used_b);
	assert_true(usage_of(mem).failures > 0);
	for (int i = 0; i < BLOCKS; i++)
		wk_mem_free(mem, blocks[i].ptr);
	assert_whole(mem);
	close_arena(mem);
}

static void double_free(struct wk_mem *mem)
{
	void *ptr = wk_mem_alloc(mem, 64);

	wk_mem_free(mem, ptr);
	wk_mem_free(mem, ptr);
}

static void free_of_foreign_memory(struct wk_mem *mem)
{
	wk_mem_free(mem, base);
}

static void free_inside_a_block(struct wk_mem *mem)
{
	wk_mem_free(mem, (uint8_t *)wk_mem_alloc(mem, 256) + 64);
}

static void a_wrong_free_aborts(void **state)
{
	static void (*const crimes[])(struct wk_mem *) = {
		double_free,
		free_of_foreign_memory,
		free_inside_a_block,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(crimes) / sizeof(crimes[0]); i++) {
		struct wk_mem *mem = open_arena(WK_MEM_MAX_B);
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			close(STDERR_FILENO);
			signal(SIGABRT, SIG_DFL);
			crimes[i](mem);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		close_arena(mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_rounded_up_to_powers_of_two),
		cmocka_unit_test(an_arena_is_a_multiple_of_the_largest_block),
		cmocka_unit_test(a_full_arena_refuses_counts_and_recovers),
		cmocka_unit_test(realloc_keeps_the_bytes),
		cmocka_unit_test(calloc_gives_zeroes),
		cmocka_unit_test(random_use_agrees_with_a_model),
		cmocka_unit_test(a_wrong_free_aborts),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
