/* SPDX-License-Identifier: Apache-2.0 */
/* Two methods of one hash: an attacker finds such a pair in no time, the comparison has to tell. */
#include "../support/policy_kit.h"
#include "internal.h"

#define NAMES     (1u << 18)
#define PATH_SIZE 24u
#define ARENA_B   (1u << 20)

struct named {
	uint32_t hash;
	uint32_t number;
};

/* Names that differ in many places: those that do in a few hardly meet. */
static uint32_t name_of(uint32_t number, char *path)
{
	return (uint32_t)snprintf(path, PATH_SIZE, "/S/M%08x%08x", number * 2654435761u,
				  (number + 1) * 2246822519u);
}

static uint32_t hash_of(uint32_t service, const char *path, uint32_t len_b)
{
	uint32_t hash = hash_begin(service);

	for (uint32_t i = 0; i < len_b; i++)
		hash = hash_add(hash, path[i]);
	return hash_end(hash);
}

static int by_hash(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The first pair of service 0. */
static void find_pair(char pair[2][PATH_SIZE])
{
	struct named *names = calloc(NAMES, sizeof(*names));
	uint32_t at = 1;

	assert_non_null(names);
	for (uint32_t i = 0; i < NAMES; i++) {
		char path[PATH_SIZE];
		uint32_t len_b = name_of(i, path);

		names[i] = (struct named){ hash_of(0, path, len_b), i };
	}
	qsort(names, NAMES, sizeof(*names), by_hash);
	while (at < NAMES && names[at].hash != names[at - 1].hash)
		at++;
	assert_true(at < NAMES);
	(void)name_of(names[at - 1].number, pair[0]);
	(void)name_of(names[at].number, pair[1]);
	free(names);
}

static void check(const char *pattern, const char *allowed, const char *denied)
{
	size_t footprint_b = wk_mem_footprint(ARENA_B);
	struct wk_policy *policy = of_patterns(&pattern, 1, NULL, 0);
	struct wk_policy_peer from = { .addr = addr("1.2.3.4") };
	const char *const asked[] = { allowed, denied, allowed, denied };
	struct wk_policy_scratch *scratch;
	struct wk_policy_source source;
	struct wk_mem *mem;
	void *base = NULL;

	assert_int_equal(posix_memalign(&base, 64, footprint_b), 0);
	mem = wk_mem_create(base, footprint_b);
	scratch = wk_policy_scratch_create(mem, 1000);
	assert_non_null(scratch);
	wk_policy_source(policy, 0, &from, &source);
	for (uint32_t i = 0; i < COUNT(asked); i++) {
		struct wk_policy_request request = { .path = { asked[i],
							       (uint32_t)strlen(asked[i]) } };
		struct wk_policy_verdict verdict;

		wk_policy_match(policy, &source, &request, scratch, &verdict);
		assert_int_equal(verdict.reason,
				 i % 2 == 0 ? WK_CALL_ALLOWED : WK_CALL_DENIED_METHOD);
	}
	wk_policy_scratch_free(scratch, mem);
	wk_mem_destroy(mem);
	free(base);
	wk_policy_free(policy);
}

static void a_method_with_the_hash_of_an_allowed_one_is_denied(void **state)
{
	char pair[2][PATH_SIZE];

	(void)state;
	find_pair(pair);
	check(pair[0], pair[0], pair[1]);
	check(pair[1], pair[1], pair[0]);
}

static void what_is_remembered_of_a_path_is_not_of_another_with_its_hash(void **state)
{
	char pair[2][PATH_SIZE], pattern[2 * PATH_SIZE];

	(void)state;
	find_pair(pair);
	snprintf(pattern, sizeof(pattern), "regex:%s", pair[0]);
	check(pattern, pair[0], pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_method_with_the_hash_of_an_allowed_one_is_denied),
		cmocka_unit_test(what_is_remembered_of_a_path_is_not_of_another_with_its_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
