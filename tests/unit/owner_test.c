/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns a packet: the same worker for both directions, whatever the packet looks like. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_thash.h>

#include "../support/icmp_quote.h"
#include "../support/test_frame.h"
#include "owner.h"

#define FLOWS 4096u

static const struct wk_owners four = { .n = 4, .secret = { 0x12345678, 0x9abcdef0 } };

static struct test_frame frame;

/* A TCP packet of connection i. */
static struct test_frame_spec spec_of(uint32_t i, uint8_t ip_version)
{
	struct test_frame_spec spec = {
		.ip_version = ip_version,
		.proto = IPPROTO_TCP,
		.src = { 10, 11, (uint8_t)(i >> 8), (uint8_t)i },
		.dst = { 10, 12, 0, 10 },
		.sport = (uint16_t)(32768 + i % 251),
		.dport = 50051,
		.tcp_flags = 0x10,
	};

	return spec;
}

/* The same with headers between IP and TCP. */
static struct test_frame_spec with_more(const struct test_frame_spec *spec)
{
	static const uint8_t hop[8] = { IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0 };
	static const uint8_t opts[4] = { 1, 1, 1, 0 };
	struct test_frame_spec more = *spec;

	more.ip_opts = opts;
	more.ip_opts_b = sizeof(opts);
	more.ext = hop;
	more.ext_b = spec->ip_version == 6 ? sizeof(hop) : 0;
	more.ext_type = IPPROTO_HOPOPTS;
	return more;
}

static struct wk_pkt parse(const struct test_frame_spec *spec)
{
	struct wk_pkt pkt;

	test_frame_build(&frame, spec);
	wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
	return pkt;
}

static uint32_t owner_of(const struct wk_owners *owners, const struct test_frame_spec *spec,
			 uint16_t wire)
{
	struct wk_pkt pkt = parse(spec);

	return wk_owner_flow(owners, &pkt, wire);
}

static void both_directions_of_a_connection_have_one_owner(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct test_frame_spec there = spec_of(i, i % 2 ? 4 : 6);
		struct test_frame_spec answer;

		if (i % 3 == 0) { /* the same address at both ends */
			memcpy(there.src, there.dst, sizeof(there.src));
			there.sport = (uint16_t)(i + 1);
		}
		answer = test_frame_back(&there);
		assert_int_equal(owner_of(&four, &there, 1), owner_of(&four, &answer, 1));
	}
}

static void an_icmp_error_belongs_to_the_connection_that_it_quotes(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct test_frame_spec there = spec_of(i, i % 2 ? 4 : 6);
		const struct icmp_quote too_big = icmp_too_big(there.ip_version, 1300);
		uint8_t error[2 * TEST_FRAME_MAX_B];
		struct wk_pkt pkt, quoted;

		if (i % 3 == 0) {
			there.n_tags = 1;
			there.tpid[0] = 0x8100;
			there.vlan[0] = (uint16_t)(i & 0xfff);
		}
		test_frame_build(&frame, &there);
		wk_pkt_parse(error, icmp_build(error, frame.bytes, &too_big), &pkt);
		assert_true(wk_pkt_quoted(&pkt, &quoted));
		assert_int_equal(wk_owner_flow(&four, &quoted, 1), owner_of(&four, &there, 1));
	}
}

static void connections_are_spread_evenly(void **state)
{
	static const uint32_t workers[] = { 2, 3, 4, 7, 32 };

	(void)state;
	for (size_t w = 0; w < RTE_DIM(workers); w++) {
		struct wk_owners owners = { .n = workers[w], .secret = { 1, 2 } };
		uint32_t count[32] = { 0 };

		for (uint32_t i = 0; i < FLOWS; i++) {
			struct test_frame_spec spec = spec_of(i, 4);
			uint32_t owner = owner_of(&owners, &spec, 0);

			assert_true(owner < owners.n);
			count[owner]++;
		}
		for (uint32_t i = 0; i < owners.n; i++) {
			assert_true(count[i] > FLOWS / owners.n / 2);
			assert_true(count[i] < FLOWS / owners.n * 2);
		}
	}
}

/* Nobody who lacks the secret can choose the worker that he loads. */
static void another_secret_is_another_spread(void **state)
{
	const struct wk_owners other[] = {
		{ .n = 4, .secret = { 0x12345679, 0x9abcdef0 } },
		{ .n = 4, .secret = { 0x12345678, 0x9abcdef1 } },
	};

	(void)state;
	for (size_t k = 0; k < RTE_DIM(other); k++) {
		uint32_t same = 0;

		for (uint32_t i = 0; i < FLOWS; i++) {
			struct test_frame_spec spec = spec_of(i, 4);

			same += owner_of(&four, &spec, 0) == owner_of(&other[k], &spec, 0);
		}
		assert_true(same > FLOWS / 8 && same < FLOWS / 2);
	}
}

/* What differs in one thing alone goes elsewhere often enough to show that it counts. */
static void addresses_ports_tags_and_wire_all_count(void **state)
{
	uint32_t differ[5] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 256; i++) {
		struct test_frame_spec spec = spec_of(i, 4);
		struct test_frame_spec other[4] = { spec, spec, spec, spec };
		uint32_t owner = owner_of(&four, &spec, 0);

		other[0].src[0] ^= 1;
		other[1].sport ^= 1;
		other[2].n_tags = 1;
		other[2].tpid[0] = 0x8100;
		other[2].vlan[0] = 7;
		other[3].n_tags = 2;
		other[3].tpid[0] = other[3].tpid[1] = 0x8100;
		other[3].vlan[0] = 7;
		other[3].vlan[1] = (uint16_t)i;
		for (uint32_t k = 0; k < 4; k++)
			differ[k] += owner_of(&four, &other[k], 0) != owner;
		differ[4] += owner_of(&four, &spec, 1) != owner;
	}
	for (uint32_t k = 0; k < 5; k++)
		assert_in_range(differ[k], 128, 256);
}

static void headers_between_change_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 64; i++) {
		struct test_frame_spec plain = spec_of(i, i % 2 ? 4 : 6);
		struct test_frame_spec more = with_more(&plain);

		assert_int_equal(owner_of(&four, &plain, 0), owner_of(&four, &more, 0));
	}
}

/* Fragments of one datagram, the first with ports, the others without. */
static void fragments_of_a_datagram_have_one_owner(void **state)
{
	uint32_t count[4] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 256; i++) {
		struct test_frame_spec first = spec_of(i, 4);
		struct test_frame_spec next;
		struct wk_pkt pkt;
		uint32_t owner;

		first.frag = 0x2000;
		first.data_b = 28;
		pkt = parse(&first);
		owner = wk_owner(&four, &pkt, 0, WK_C2S, 9);
		assert_in_range(owner, 0, 3);
		count[owner]++;
		next = first;
		next.frag = 6;
		next.sport = 1;
		pkt = parse(&next);
		assert_int_equal(wk_owner(&four, &pkt, 0, WK_C2S, 9), owner);
	}
	for (uint32_t i = 0; i < 4; i++)
		assert_in_range(count[i], 32, 128);
}

static void what_is_no_good_fragment_stays_where_it_is(void **state)
{
	struct test_frame_spec spec = spec_of(1, 4);
	struct wk_pkt pkt;

	(void)state;
	spec.frag = 0x2000;
	spec.data_b = 28;
	pkt = parse(&spec);
	frame.bytes[frame.l3_off + 10] ^= 1; /* the header's checksum */
	assert_int_equal(wk_owner(&four, &pkt, 0, WK_C2S, 9), 9);
}

static void a_single_worker_owns_everything(void **state)
{
	const struct wk_owners one = { .n = 1 };
	struct test_frame_spec spec = spec_of(1, 4);
	struct wk_pkt pkt = parse(&spec);

	(void)state;
	assert_int_equal(wk_owner(&one, &pkt, 0, WK_C2S, 0), 0);
}

/* --- where the ports choose --- */

static const struct wk_owners nic = { .n = 3, .secret = { 1, 2 }, .reta_size = { 0, 128 } };

static void a_plain_packet_is_whose_queue_it_came_on(void **state)
{
	struct test_frame_spec spec = spec_of(1, 4);
	struct wk_pkt pkt = parse(&spec);

	(void)state;
	for (uint32_t self = 0; self < 3; self++)
		assert_int_equal(wk_owner(&nic, &pkt, 1, WK_C2S, self), self);
	spec.n_tags = 1;
	spec.tpid[0] = 0x8100;
	pkt = parse(&spec);
	assert_int_equal(wk_owner(&nic, &pkt, 1, WK_C2S, 2), 2);
}

/* The first vector of the specification that NICs follow, by its key, shows that the library's
 * function is theirs; ours is to be that function, over the same words, both ways alike. */
static void toeplitz_is_the_ports_and_symmetric(void **state)
{
	static const uint8_t key[40] = {
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
	};
	uint32_t known[3] = { RTE_IPV4(66, 9, 149, 187), RTE_IPV4(161, 142, 100, 80),
			      2794u << 16 | 1766u };

	(void)state;
	assert_int_equal(rte_softrss(known, 3, key), 0x51ccc178);
	for (uint32_t i = 0; i < 256; i++) {
		struct test_frame_spec there = spec_of(i, 4);
		struct test_frame_spec answer = test_frame_back(&there);
		uint32_t words[3];
		uint32_t hash;

		memcpy(words, there.src, 4);
		memcpy(words + 1, there.dst, 4);
		words[0] = rte_be_to_cpu_32(words[0]);
		words[1] = rte_be_to_cpu_32(words[1]);
		words[2] = (uint32_t)there.sport << 16 | there.dport;
		hash = rte_softrss(words, 3, wk_owner_rss_key);
		assert_int_equal(owner_of(&nic, &there, 1), hash % 128 % 3);
		assert_int_equal(owner_of(&nic, &answer, 1), hash % 128 % 3);
		there = spec_of(i, 6);
		answer = test_frame_back(&there);
		assert_int_equal(owner_of(&nic, &there, 1), owner_of(&nic, &answer, 1));
	}
}

/* A packet that a port may not have read to the ports goes where the others of its connection are.
 */
static void what_a_port_may_not_read_goes_where_it_would_send_it(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 64; i++) {
		struct test_frame_spec plain = spec_of(i, i % 2 ? 4 : 6);
		struct test_frame_spec odd = with_more(&plain);
		uint32_t owner = owner_of(&nic, &plain, 1);
		struct wk_pkt pkt;

		pkt = parse(&odd);
		assert_int_equal(wk_owner(&nic, &pkt, 1, WK_C2S, 9), owner);
		odd = plain;
		odd.n_tags = 2;
		odd.tpid[0] = 0x88a8;
		odd.tpid[1] = 0x8100;
		pkt = parse(&odd);
		assert_int_equal(wk_owner(&nic, &pkt, 1, WK_C2S, 9), owner);
	}
}

static void a_wire_in_software_is_not_touched_by_another_in_nic(void **state)
{
	struct test_frame_spec spec;
	uint32_t moved = 0;

	(void)state;
	for (uint32_t i = 0; i < 64; i++) {
		struct wk_pkt pkt;

		spec = spec_of(i, 4);
		pkt = parse(&spec);
		moved += wk_owner(&nic, &pkt, 0, WK_C2S, 0) != 0;
	}
	assert_in_range(moved, 20, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_of_a_connection_have_one_owner),
		cmocka_unit_test(an_icmp_error_belongs_to_the_connection_that_it_quotes),
		cmocka_unit_test(connections_are_spread_evenly),
		cmocka_unit_test(another_secret_is_another_spread),
		cmocka_unit_test(addresses_ports_tags_and_wire_all_count),
		cmocka_unit_test(headers_between_change_nothing),
		cmocka_unit_test(fragments_of_a_datagram_have_one_owner),
		cmocka_unit_test(what_is_no_good_fragment_stays_where_it_is),
		cmocka_unit_test(a_single_worker_owns_everything),
		cmocka_unit_test(a_plain_packet_is_whose_queue_it_came_on),
		cmocka_unit_test(toeplitz_is_the_ports_and_symmetric),
		cmocka_unit_test(what_a_port_may_not_read_goes_where_it_would_send_it),
		cmocka_unit_test(a_wire_in_software_is_not_touched_by_another_in_nic),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
