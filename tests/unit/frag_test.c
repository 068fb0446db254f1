/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frag_kit.h"

#define V4_DATA_B 100u

/* One fragment: bytes [off, off + len) of the datagram, as a sender sends it. */
struct bit {
	uint16_t off;
	uint16_t len;
	uint8_t more;   /* the flag */
	uint8_t change; /* another version of its bytes */
};

/* What a list of fragments comes to. One letter each: k kept, w whole, o l f d the reason it ends
 * with (overlap, length, full, duplicate), e: ends its datagram by the way. */
static const struct row {
	const char *name;
	struct bit bit[8];
	const char *want;
	uint32_t held; /* afterwards */
} rows[] = {
	{ "in order", { { 0, 40, 1, 0 }, { 40, 40, 1, 0 }, { 80, 20, 0, 0 } }, "kkw", 0 },
	{ "backwards", { { 80, 20, 0, 0 }, { 40, 40, 1, 0 }, { 0, 40, 1, 0 } }, "kkw", 0 },
	{ "the middle last", { { 0, 40, 1, 0 }, { 80, 20, 0, 0 }, { 40, 40, 1, 0 } }, "kkw", 0 },
	{ "uneven sizes", { { 8, 88, 1, 0 }, { 96, 4, 0, 0 }, { 0, 8, 1, 0 } }, "kkw", 0 },
	{ "a hole", { { 0, 40, 1, 0 }, { 80, 20, 0, 0 } }, "kk", 2 },
	{ "no end", { { 0, 40, 1, 0 }, { 40, 40, 1, 0 } }, "kk", 2 },
	{ "no beginning", { { 40, 40, 1, 0 }, { 80, 20, 0, 0 } }, "kk", 2 },
	{ "an exact duplicate", { { 0, 40, 1, 0 }, { 0, 40, 1, 0 }, { 40, 60, 0, 0 } }, "kdw", 0 },
	{ "a duplicate of the last",
	  { { 40, 60, 0, 0 }, { 40, 60, 0, 0 }, { 0, 40, 1, 0 } },
	  "kdw",
	  0 },
	{ "the same place, other bytes",
	  { { 0, 40, 1, 0 }, { 0, 40, 1, 1 }, { 40, 60, 0, 0 } },
	  "koo",
	  0 },
	{ "the same bytes, but the last one", { { 8, 40, 1, 0 }, { 8, 40, 0, 0 } }, "ko", 0 },
	{ "overlaps from the left", { { 40, 40, 1, 0 }, { 0, 48, 1, 0 } }, "ko", 0 },
	{ "overlaps from the right", { { 0, 48, 1, 0 }, { 40, 60, 0, 0 } }, "ko", 0 },
	{ "inside", { { 0, 80, 1, 0 }, { 16, 8, 1, 0 } }, "ko", 0 },
	{ "inside, at the beginning", { { 0, 80, 1, 0 }, { 0, 8, 1, 0 } }, "ko", 0 },
	{ "inside, at the end", { { 0, 80, 1, 0 }, { 72, 8, 1, 0 } }, "ko", 0 },
	{ "around", { { 16, 8, 1, 0 }, { 0, 80, 1, 0 } }, "ko", 0 },
	{ "around, as the last", { { 16, 8, 1, 0 }, { 8, 92, 0, 0 } }, "ko", 0 },
	{ "over two", { { 0, 40, 1, 0 }, { 40, 40, 1, 0 }, { 16, 48, 1, 0 } }, "kko", 0 },
	{ "two ends", { { 40, 40, 0, 0 }, { 80, 20, 0, 0 } }, "ko", 0 },
	{ "an end in front of the end", { { 80, 20, 0, 0 }, { 40, 40, 0, 0 } }, "ko", 0 },
	{ "behind the end", { { 8, 32, 0, 0 }, { 40, 40, 1, 0 } }, "ko", 0 },
	{ "next to each other", { { 40, 60, 0, 0 }, { 16, 8, 1, 0 }, { 24, 16, 1, 0 } }, "kkk", 3 },
	{ "more at the end itself", { { 40, 40, 0, 0 }, { 72, 8, 1, 0 } }, "ko", 0 },
	{ "no bytes", { { 0, 0, 1, 0 }, { 40, 0, 0, 0 }, { 40, 0, 1, 0 } }, "lll", 0 },
	{ "no bytes do no harm", { { 0, 40, 1, 0 }, { 40, 0, 1, 0 }, { 40, 60, 0, 0 } }, "klw", 0 },
	{ "what comes after an overlap",
	  { { 0, 48, 1, 0 }, { 40, 60, 0, 0 }, { 0, 40, 1, 0 }, { 40, 60, 0, 0 } },
	  "kooo",
	  0 },
};

static void letters_of(const struct row *row, struct spec *spec, char *letters)
{
	uint32_t n = 0;

	for (; n < 8 && row->want[n] != '\0'; n++) {
		spec->off = row->bit[n].off;
		spec->len = row->bit[n].len;
		spec->more = row->bit[n].more != 0;
		spec->change = row->bit[n].change;
		letters[n] = kit_letter(kit_input(spec, 1));
	}
	letters[n] = '\0';
}

static void rows_in(uint8_t ip_version)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct spec spec = { .ip_version = ip_version, .id = 7, .total_b = V4_DATA_B };
		char letters[9];

		/* IPv6 wants all headers in the first fragment. */
		if (ip_version == 6)
			spec.proto = IPPROTO_DSTOPTS;
		assert_int_equal(kit_open(8, 128), 0);
		letters_of(&rows[i], &spec, letters);
		if (strcmp(letters, rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].name, letters, rows[i].want);
		if (kit.stats.held != rows[i].held)
			fail_msg("%s: %lu held", rows[i].name, (unsigned long)kit.stats.held);
		kit_account();
		assert_int_equal(kit_close(), 0);
	}
}

static void lists_of_fragments_come_to_what_the_table_says(void **state)
{
	(void)state;
	rows_in(4);
}

static void the_same_in_ipv6(void **state)
{
	(void)state;
	rows_in(6);
}

static void a_datagram_is_the_one_that_was_cut(void **state)
{
	static const struct {
		uint32_t total_b;
		uint32_t size_b;
	} sizes[] = { { 64, 8 },      { 512, 8 },      { 100, 24 },    { 1480, 1480 - 8 },
		      { 3000, 1480 }, { 60000, 1480 }, { 65515, 1480 } };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (uint8_t version = 4; version <= 6; version += 2) {
			struct spec spec = { .ip_version = version,
					     .id = (uint32_t)(100 + i),
					     .n_tags = (uint8_t)(i % 3),
					     .total_b = sizes[i].total_b };

			/* 65535 bytes in all. */
			if (version == 6 && spec.total_b > 65495)
				spec.total_b = 65495;
			spec.proto = version == 6 ? IPPROTO_DSTOPTS : 0;
			kit_send_all(&spec, sizes[i].size_b);
			assert_int_equal(kit.last, WK_FRAG_WHOLE);
			kit_check_whole(&spec);
		}
	}
	assert_int_equal(kit.stats.held, 0);
}

static void a_datagram_above_65535_bytes_ends(void **state)
{
	struct spec spec = { .ip_version = 4, .id = 1, .total_b = 65515, .ip_opts_b = 40 };

	(void)state;
	kit_send_all(&spec, 1472);
	assert_int_equal(kit.last, WK_FRAG_KEPT);
	assert_true(kit.stats.reason[WK_DROP_FRAG_LEN] > 40);
	assert_int_equal(kit.stats.held, 0);
	kit_account();
}

static void what_tells_datagrams_apart(void **state)
{
	const struct spec base = { .ip_version = 4, .id = 7, .total_b = 80 };
	struct spec other[8];

	(void)state;
	for (size_t i = 0; i < 8; i++)
		other[i] = base;
	other[0].id = 8;
	other[1].src = 1;
	other[2].vlan = 5;
	other[2].n_tags = 1;
	other[3].vlan = 5;
	other[3].n_tags = 2;
	other[4].vlan = 9;
	other[4].n_tags = 1;
	other[5].wire = 1;
	other[6].dir = WK_S2C;
	other[7].proto = IPPROTO_AH;
	for (size_t i = 0; i < 8; i++) {
		struct spec first = base;

		kit_close();
		kit_open(8, 128);
		first.len = 40;
		first.more = true;
		other[i].off = 40;
		other[i].len = 40;
		assert_int_equal(kit_input(&first, 1), WK_FRAG_KEPT);
		assert_int_equal(kit_input(&other[i], 1), WK_FRAG_KEPT);
		assert_int_equal(wk_frag_datagrams(kit.frag), 2);
	}
}

static void ipv6_does_not_look_at_the_protocol_of_later_fragments(void **state)
{
	struct spec spec = {
		.ip_version = 6, .proto = IPPROTO_DSTOPTS, .total_b = 80, .len = 40, .more = true
	};

	(void)state;
	assert_int_equal(kit_input(&spec, 1), WK_FRAG_KEPT);
	spec.proto = IPPROTO_TCP;
	spec.off = 40;
	spec.more = false;
	assert_int_equal(kit_input(&spec, 1), WK_FRAG_WHOLE);
	spec.proto = IPPROTO_DSTOPTS;
	kit_check_whole(&spec);
}

static void headers_in_front_of_the_fragment_header_stay(void **state)
{
	struct spec spec = {
		.ip_version = 6, .proto = IPPROTO_DSTOPTS, .total_b = 80, .hop_b = 16
	};

	(void)state;
	kit_send_all(&spec, 40);
	assert_int_equal(kit.last, WK_FRAG_WHOLE);
	kit_check_whole(&spec);
}

static void an_ipv6_first_fragment_holds_all_headers(void **state)
{
	struct spec spec = { .ip_version = 6, .proto = IPPROTO_TCP, .total_b = 80, .more = true };

	(void)state;
	spec.tcp = true;
	for (spec.len = 8; spec.len <= 40; spec.len = (uint16_t)(spec.len + 8)) {
		spec.id++;
		kit_input(&spec, 1);
		/* 20 bytes, and 12 of options. */
		assert_int_equal(kit.last, spec.len < 32 ? WK_FRAG_END : WK_FRAG_KEPT);
		if (spec.len < 32)
			assert_int_equal(kit.reason, WK_DROP_V6_FRAG);
	}
}

static void a_bad_header_checksum_is_dropped(void **state)
{
	struct spec spec = {
		.ip_version = 4, .total_b = 80, .len = 40, .more = true, .bad_csum = true
	};

	(void)state;
	kit_input(&spec, 1);
	assert_int_equal(kit.last, WK_FRAG_END);
	assert_int_equal(kit.reason, WK_DROP_CSUM);
}

static void congestion_marks_are_not_lost(void **state)
{
	static const struct {
		uint8_t a;
		uint8_t b;
		uint8_t want; /* 4: the datagram ends */
	} marks[] = { { 0, 0, 0 }, { 2, 2, 2 }, { 2, 3, 3 }, { 3, 1, 3 },
		      { 3, 3, 3 }, { 0, 3, 4 }, { 3, 0, 4 }, { 0, 2, 0 } };

	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2) {
		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
			struct spec spec = { .ip_version = version,
					     .proto = version == 6 ? IPPROTO_DSTOPTS : 0,
					     .id = (uint32_t)i,
					     .total_b = 80,
					     .len = 40,
					     .more = true,
					     .ecn = marks[i].a };

			kit_input(&spec, 1);
			spec.ecn = marks[i].b;
			spec.off = 40;
			spec.more = false;
			kit_input(&spec, 1);
			assert_int_equal(kit.last,
					 marks[i].want == 4 ? WK_FRAG_KEPT : WK_FRAG_WHOLE);
			if (marks[i].want < 4) {
				spec.ecn = marks[i].want;
				kit_check_whole(&spec);
			}
		}
	}
	assert_int_equal(kit.stats.reason[WK_DROP_FRAG_OVERLAP], 8);
}

static void more_than_64_fragments_are_too_many(void **state)
{
	struct spec spec = { .ip_version = 4, .total_b = 65 * 8 };

	(void)state;
	kit_send_all(&spec, 8);
	assert_int_equal(kit.last, WK_FRAG_END);
	assert_int_equal(kit.stats.reason[WK_DROP_FRAG_FULL], 65);
	spec.id = 1;
	spec.total_b = 64 * 8;
	kit_send_all(&spec, 8);
	assert_int_equal(kit.last, WK_FRAG_WHOLE);
	kit_check_whole(&spec);
}

static void a_flood_of_first_fragments_stays_in_its_bounds(void **state)
{
	struct spec spec = { .ip_version = 4, .total_b = 80, .more = true };

	(void)state;
	for (uint32_t i = 0; i < 65536; i++) {
		spec.id = i;
		spec.src = (uint8_t)(i >> 13);
		spec.off = 0;
		spec.len = 40;
		spec.more = true;
		assert_int_equal(kit_input(&spec, 1), WK_FRAG_KEPT);
		assert_true(kit.stats.held <= 8);
		/* Others get through all the while. */
		if (i % 1024 != 0)
			continue;
		spec.src = 77;
		kit_input(&spec, 1);
		spec.off = 40;
		spec.more = false;
		assert_int_equal(kit_input(&spec, 1), WK_FRAG_WHOLE);
	}
	assert_int_equal(kit.stats.reason[WK_DROP_FRAG_FULL], 65536 - 8);
	kit_account();
}

static void buffers_are_bounded_apart_from_datagrams(void **state)
{
	struct spec spec = { .ip_version = 4, .total_b = 400 };

	(void)state;
	kit_close();
	assert_int_equal(kit_open(8, 10), 0);
	/* Two datagrams of 6 fragments in 10 buffers: the older one has to go. */
	for (uint32_t i = 0; i < 12; i++) {
		spec.id = i / 6;
		spec.off = (uint16_t)(i % 6 * 40);
		spec.len = 40;
		spec.more = true;
		assert_int_equal(kit_input(&spec, 1), WK_FRAG_KEPT);
		assert_true(kit.stats.held <= 10);
	}
	assert_int_equal(wk_frag_datagrams(kit.frag), 1);
	assert_int_equal(kit.stats.reason[WK_DROP_FRAG_FULL], 6);
	/* One that is too large for them by itself. */
	for (uint32_t i = 6; i < 11; i++) {
		spec.off = (uint16_t)(i * 32 + 48);
		spec.len = 32;
		kit_input(&spec, 1);
	}
	assert_int_equal(kit.last, WK_FRAG_END);
	assert_int_equal(kit.reason, WK_DROP_FRAG_FULL);
	assert_int_equal(kit.stats.held, 0);
	kit_account();
}

static void what_waits_too_long_is_given_up(void **state)
{
	struct spec spec = { .ip_version = 4, .total_b = 80, .len = 40, .more = true };

	(void)state;
	kit_input(&spec, 1000);
	spec.id = 1;
	kit_input(&spec, 1000 + KIT_TIMEOUT_NS / 2);
	wk_frag_expire(kit.frag, 1000 + KIT_TIMEOUT_NS - 1);
	assert_int_equal(kit.stats.held, 2);
	wk_frag_expire(kit.frag, 1000 + KIT_TIMEOUT_NS);
	assert_int_equal(kit.stats.held, 1);
	assert_int_equal(kit.stats.reason[WK_DROP_FRAG_TIMEOUT], 1);
	/* Nobody has looked, and the number comes again. */
	spec.off = 40;
	spec.more = false;
	assert_int_equal(kit_input(&spec, 1000 + 2 * KIT_TIMEOUT_NS), WK_FRAG_KEPT);
	assert_int_equal(kit.stats.reason[WK_DROP_FRAG_TIMEOUT], 2);
	assert_int_equal(kit.stats.held, 1);
	wk_frag_drain(kit.frag, WK_DROP_STOPPING);
	assert_int_equal(kit.stats.reason[WK_DROP_STOPPING], 1);
	assert_int_equal(kit.stats.held, 0);
	kit_account();
}

static void an_overlap_is_remembered_no_longer_than_a_datagram(void **state)
{
	struct spec spec = { .ip_version = 4, .total_b = 80, .len = 40, .more = true };

	(void)state;
	kit_input(&spec, 1);
	spec.change = 1;
	assert_int_equal(kit_input(&spec, 1), WK_FRAG_END);
	spec.change = 0;
	assert_int_equal(kit_input(&spec, KIT_TIMEOUT_NS), WK_FRAG_END);
	assert_int_equal(kit_input(&spec, 1 + KIT_TIMEOUT_NS), WK_FRAG_KEPT);
}

static void nothing_is_held_against_an_open_datagram(void **state)
{
	struct spec spec = {
		.ip_version = 4, .total_b = 80, .len = 40, .more = true, .open = true
	};

	(void)state;
	kit_input(&spec, 1);
	kit_input(&spec, 1); /* a duplicate */
	assert_int_equal(kit.reason, WK_FWD_PLAIN);
	spec.change = 1;
	kit_input(&spec, 1); /* an overlap */
	assert_int_equal(kit.reason, WK_FWD_PLAIN);
	spec.id = 1;
	spec.len = 0;
	kit_input(&spec, 1); /* empty */
	assert_int_equal(kit.reason, WK_FWD_PLAIN);
	spec.len = 40;
	spec.bad_csum = true;
	kit_input(&spec, 1);
	assert_int_equal(kit.reason, WK_FWD_PLAIN);
	spec.bad_csum = false;
	for (spec.id = 2; spec.id < 12; spec.id++)
		kit_input(&spec, 1); /* more than there is room for */
	wk_frag_expire(kit.frag, 1 + KIT_TIMEOUT_NS);
	assert_int_equal(kit.stats.held, 0);
	assert_int_equal(kit.stats.reason[WK_FWD_PLAIN], 15);
	assert_int_equal(wk_stats_dropped(&kit.stats), 0);
	kit_account();
}

static void one_enforced_fragment_closes_a_datagram(void **state)
{
	struct spec spec = {
		.ip_version = 4, .total_b = 80, .len = 40, .more = true, .open = true
	};

	(void)state;
	kit_input(&spec, 1);
	spec.open = false;
	spec.off = 8;
	kit_input(&spec, 1);
	assert_int_equal(kit.stats.reason[WK_DROP_FRAG_OVERLAP], 2);
}

static void wrong_sizes_are_refused(void **state)
{
	struct wk_frag_conf conf = { .name = "wrong", .max_datagrams = 0, .max_mbufs = 1 };
	struct wk_frag *frag;

	(void)state;
	assert_int_equal(wk_frag_create(&conf, &frag), -EINVAL);
	conf.max_datagrams = 1;
	conf.max_mbufs = 0;
	assert_int_equal(wk_frag_create(&conf, &frag), -EINVAL);
	assert_null(frag);
	wk_frag_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_fragments_come_to_what_the_table_says),
		cmocka_unit_test(the_same_in_ipv6),
		KIT_TEST(a_datagram_is_the_one_that_was_cut),
		KIT_TEST(a_datagram_above_65535_bytes_ends),
		KIT_TEST(what_tells_datagrams_apart),
		KIT_TEST(ipv6_does_not_look_at_the_protocol_of_later_fragments),
		KIT_TEST(headers_in_front_of_the_fragment_header_stay),
		KIT_TEST(an_ipv6_first_fragment_holds_all_headers),
		KIT_TEST(a_bad_header_checksum_is_dropped),
		KIT_TEST(congestion_marks_are_not_lost),
		KIT_TEST(more_than_64_fragments_are_too_many),
		KIT_TEST(a_flood_of_first_fragments_stays_in_its_bounds),
		KIT_TEST(buffers_are_bounded_apart_from_datagrams),
		KIT_TEST(what_waits_too_long_is_given_up),
		KIT_TEST(an_overlap_is_remembered_no_longer_than_a_datagram),
		KIT_TEST(nothing_is_held_against_an_open_datagram),
		KIT_TEST(one_enforced_fragment_closes_a_datagram),
		cmocka_unit_test(wrong_sizes_are_refused),
	};

	return cmocka_run_group_tests_name("frag", tests, kit_set_up, kit_tear_down);
}
