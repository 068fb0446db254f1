/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator's histogram says of latencies. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"

static struct histogram h;

static int empty(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	return 0;
}

static void an_empty_one_says_zero(void **state)
{
	(void)state;
	assert_int_equal(histogram_at(&h, 0.5), 0);
}

static void small_values_are_exact(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 60; i++)
		histogram_add(&h, i);
	assert_int_equal(histogram_at(&h, 0.5), 30);
	assert_int_equal(histogram_at(&h, 0.9), 54);
	assert_int_equal(histogram_at(&h, 1), 60);
	assert_int_equal(h.n, 60);
}

static void large_values_are_right_to_one_part_in_32(void **state)
{
	(void)state;
	for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 + 1) {
		uint64_t said;

		memset(&h, 0, sizeof(h));
		histogram_add(&h, value);
		histogram_add(&h, UINT64_MAX);
		said = histogram_at(&h, 0.5);
		assert_true(said >= value && said - value <= value / 32);
	}
}

static void the_largest_is_exact(void **state)
{
	(void)state;
	histogram_add(&h, 1000003);
	histogram_add(&h, UINT64_MAX);
	assert_true(histogram_at(&h, 1) == UINT64_MAX);
	empty(NULL);
	histogram_add(&h, 1000003);
	assert_int_equal(histogram_at(&h, 0.5), 1000003);
}

static void a_tail_is_found_behind_many(void **state)
{
	(void)state;
	for (int i = 0; i < 9990; i++)
		histogram_add(&h, 20);
	for (int i = 0; i < 10; i++)
		histogram_add(&h, 50);
	assert_int_equal(histogram_at(&h, 0.999), 20);
	assert_int_equal(histogram_at(&h, 0.9991), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_one_says_zero, empty),
		cmocka_unit_test_setup(small_values_are_exact, empty),
		cmocka_unit_test_setup(large_values_are_right_to_one_part_in_32, empty),
		cmocka_unit_test_setup(the_largest_is_exact, empty),
		cmocka_unit_test_setup(a_tail_is_found_behind_many, empty),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
