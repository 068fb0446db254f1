/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors about guarded connections, and paths that are narrower than the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/icmp_quote.h"
#include "inspect_rig.h"

#define ETH_B    14u
#define ERROR_B  (2u * PAIR_FRAME_MAX_B)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	uint8_t ip_version;
	uint8_t n_tags;
} families[] = { { 4, 0 }, { 6, 0 }, { 4, 1 }, { 6, 2 } };

static struct rig *start_mode(uint8_t ip_version, uint8_t n_tags, enum wk_policy_mode mode)
{
	struct rig_conf conf = rig_conf_default;
	struct rig *rig;

	conf.pair.ip_version = ip_version;
	conf.pair.n_tags = n_tags;
	conf.pair.vlan[0] = 100;
	conf.pair.vlan[1] = 200;
	conf.mode = mode;
	rig = rig_new(&conf);
	rig->events_off = true;
	rig_connect(rig);
	rig_greet(rig);
	return rig;
}

static struct rig *start(uint8_t ip_version, uint8_t n_tags)
{
	return start_mode(ip_version, n_tags, WK_MODE_ENFORCE);
}

/* Where the quoted number stands in an error, or a packet's own with 0. */
static uint32_t seq_off(const struct rig *rig, bool error)
{
	uint32_t ip_b = rig->conf.pair.ip_version == 4 ? 20 : 40;

	return ETH_B + 4u * rig->conf.pair.n_tags + ip_b + (error ? 8 + ip_b : 0) + 4;
}

static uint32_t l3_b(const struct rig *rig, uint32_t frame_b)
{
	return frame_b - ETH_B - 4u * rig->conf.pair.n_tags;
}

/* The checksum of the message is right. */
static void expect_sum(const struct rig *rig, const uint8_t *error, uint32_t len_b)
{
	uint32_t l3 = ETH_B + 4u * rig->conf.pair.n_tags;
	uint32_t ip_b = rig->conf.pair.ip_version == 4 ? 20 : 40;

	assert_int_equal(icmp_sum(error + l3, len_b - l3 - ip_b), 0);
}

/* An error about frame i that has come out. @return its length. */
static uint32_t error_about(const struct rig *rig, uint32_t i, uint32_t mtu_b, uint8_t *error)
{
	struct icmp_quote what = icmp_too_big(rig->conf.pair.ip_version, mtu_b);

	return icmp_build(error, rig->out[i].frame, &what);
}

static uint32_t find_out(const struct rig *rig, enum wk_dir dir)
{
	for (uint32_t i = 0; i < rig->n_out; i++)
		if (rig->out[i].dir == dir)
			return i;
	fail_msg("nothing came out that way");
	return 0;
}

/* HEADERS of denied calls, all in one segment: their replies make large packets. */
static void deny_many(struct rig *rig, uint32_t stream, uint32_t calls)
{
	static const uint8_t block[] = "\x83\x86\x04\x24" RIG_PATH_SECRET "\x0f\x10\x10" RIG_GRPC;
	uint8_t bytes[1400];
	uint32_t n = 0;

	for (uint32_t i = 0; i < calls; i++)
		n += h2w_frame(bytes + n, H2W_HEADERS, H2W_END_STREAM | H2W_END_HEADERS,
			       stream + 2 * i, block, sizeof(block) - 1);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n);
}

static void an_error_about_an_unedited_connection_stays_as_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct rig *rig = start(families[i].ip_version, families[i].n_tags);
		uint8_t error[ERROR_B], before[ERROR_B];
		uint32_t len_b;

		rig_call(rig, 1, RIG_PATH_NAME);
		len_b = error_about(rig, find_out(rig, WK_C2S), 1300, error);
		memcpy(before, error, len_b);
		assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FORWARD);
		assert_memory_equal(error, before, len_b);
		assert_int_equal(rig->stats.counter[WK_CNT_ICMP_XLATE], 0);
		rig_free(rig);
	}
}

/* Whatever the kind of error, and however little of the packet it quotes. */
static void a_client_finds_its_own_number_in_an_error(void **state)
{
	static const struct icmp_quote kinds[2][4] = {
		{ { 3, 4, 1300, 0, 99 },
		  { 3, 1, 0, 28, 99 },
		  { 11, 0, 0, 28, 99 },
		  { 4, 0, 0, 28, 99 } },
		{ { 2, 0, 1300, 0, 99 },
		  { 1, 0, 0, 48, 99 },
		  { 3, 0, 0, 60, 99 },
		  { 4, 1, 6, 48, 99 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct rig *rig = start(families[i].ip_version, families[i].n_tags);
		uint8_t sent[PAIR_FRAME_MAX_B], bytes[1400];
		uint32_t out, n;

		deny_many(rig, 1, 1);
		n = h2w_request(&rig->client, bytes, 3, "POST", RIG_PATH_NAME, RIG_GRPC, 12);
		n = pair_send(&rig->pair, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n, sent);
		assert_int_equal(rig_frame(rig, WK_C2S, sent, n), WK_INSPECT_FORWARD);
		out = find_out(rig, WK_C2S);
		assert_memory_not_equal(sent + seq_off(rig, false),
					rig->out[out].frame + seq_off(rig, false), 4);
		for (size_t k = 0; k < 4; k++) {
			uint8_t error[ERROR_B], before[ERROR_B];
			uint32_t len_b = icmp_build(error, rig->out[0].frame,
						    &kinds[families[i].ip_version == 6][k]);
			uint32_t at = seq_off(rig, true);
			uint32_t keep = rig->n_out;

			memcpy(before, error, len_b);
			assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FORWARD);
			assert_memory_equal(error + at, sent + seq_off(rig, false), 4);
			expect_sum(rig, error, len_b);
			/* Nothing else but the checksums has changed. */
			memcpy(before + at, error + at, 4);
			memcpy(before + at + 12, error + at + 12, len_b > at + 13 ? 2 : 0);
			n = seq_off(rig, true) - 4 - (rig->conf.pair.ip_version == 4 ? 28 : 48);
			memcpy(before + n + 2, error + n + 2, 2);
			assert_memory_equal(error, before, len_b);
			assert_int_equal(rig->stats.counter[WK_CNT_ICMP_XLATE], k + 1);
			rig->n_out = keep;
		}
		assert_int_equal(rig->stats.reason[WK_FWD_EDITED] >= 5, true);
		rig_free(rig);
	}
}

static void a_server_finds_its_own_number_in_an_error(void **state)
{
	struct rig *rig = start(4, 0);
	uint8_t error[ERROR_B];
	uint32_t nxt = rig->pair.end[WK_S2C].nxt, len_b;

	(void)state;
	/* The reply is no packet of the server's: to it, its next one. */
	rig_call(rig, 1, RIG_PATH_SECRET);
	len_b = error_about(rig, find_out(rig, WK_S2C), 1300, error);
	assert_int_equal(rig_icmp(rig, WK_C2S, error, len_b), WK_INSPECT_FORWARD);
	assert_int_equal(get32(error + seq_off(rig, true)), nxt);
	expect_sum(rig, error, len_b);
	rig_call(rig, 3, RIG_PATH_NAME);
	nxt = rig->pair.end[WK_S2C].nxt;
	rig_send(rig, WK_S2C, PAIR_ACK | PAIR_PSH, "\0\0\0\6\0\0\0\0\0", 9);
	len_b = error_about(rig, find_out(rig, WK_S2C), 1300, error);
	assert_int_not_equal(get32(error + seq_off(rig, true)), nxt);
	assert_int_equal(rig_icmp(rig, WK_C2S, error, len_b), WK_INSPECT_FORWARD);
	assert_int_equal(get32(error + seq_off(rig, true)), nxt);
	rig_free(rig);
}

static void put_seq(struct rig *rig, uint8_t *error, uint32_t len_b, uint32_t seq)
{
	uint32_t l3 = ETH_B + 4u * rig->conf.pair.n_tags;
	uint32_t icmp = l3 + (rig->conf.pair.ip_version == 4 ? 20 : 40);

	put16(error + seq_off(rig, true), seq >> 16);
	put16(error + seq_off(rig, true) + 2, seq & 0xffff);
	put16(error + icmp + 2, 0);
	put16(error + icmp + 2, icmp_sum(error + l3, len_b - icmp));
}

static void an_error_that_cannot_be_true_is_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct rig *rig = start(families[i].ip_version, families[i].n_tags);
		uint8_t frame[PAIR_FRAME_MAX_B], error[ERROR_B];
		uint32_t una, nxt, len_b;
		struct rig_out out;

		rig_call(rig, 1, RIG_PATH_SECRET);
		rig_ack(rig, WK_C2S);
		una = rig->pair.end[WK_S2C].ack;
		rig_call(rig, 3, RIG_PATH_NAME);
		out = rig->out[find_out(rig, WK_C2S)];
		nxt = una + out.seg.len_b;
		for (uint32_t k = 0; k < 6; k++) {
			const uint32_t seqs[] = { una - 1,           nxt + 1,
						  una + 0x40000000u, una - 0x40000000u,
						  una + 0x80000000u, 0 };

			rig->out[0] = out;
			len_b = error_about(rig, 0, 700, error);
			put_seq(rig, error, len_b, seqs[k]);
			assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FREE);
			assert_int_equal(rig->stats.reason[WK_DROP_ICMP], k + 1);
		}
		/* A bad checksum: nobody would take it, nor is it made good. */
		rig->out[0] = out;
		len_b = error_about(rig, 0, 700, error);
		error[len_b - 1] ^= 1;
		assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FREE);
		assert_int_equal(rig->stats.reason[WK_DROP_CSUM], 1);
		assert_int_equal(rig->stats.counter[WK_CNT_PATH_MTU], 0);
		/* From the wrong side it is about nothing that went out there. */
		rig->out[0] = out;
		len_b = error_about(rig, 0, 700, error);
		assert_int_equal(rig_icmp(rig, WK_C2S, error, len_b), WK_INSPECT_FORWARD);
		assert_int_equal(rig->stats.reason[WK_FWD_PLAIN], 1);
		assert_int_equal(rig->stats.counter[WK_CNT_ICMP_XLATE], 0);
		/* Nor when the connection is over. */
		len_b = pair_send_at(&rig->pair, WK_C2S, rig->pair.end[WK_C2S].nxt, 0, PAIR_RST,
				     NULL, 0, frame);
		rig_frame(rig, WK_C2S, frame, len_b);
		rig->out[0] = out;
		len_b = error_about(rig, 0, 700, error);
		assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FREE);
		assert_int_equal(rig->stats.reason[WK_DROP_ICMP], 7);
		rig_free(rig);
	}
}

static void an_error_about_nothing_that_is_followed_is_plain(void **state)
{
	struct rig *rig = start(4, 0);
	uint8_t error[ERROR_B];
	uint32_t len_b;

	(void)state;
	rig_call(rig, 1, RIG_PATH_NAME);
	rig->out[0].frame[ETH_B + 20] ^= 1; /* another port */
	len_b = error_about(rig, 0, 700, error);
	put_seq(rig, error, len_b, 12345);
	assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FORWARD);
	assert_int_equal(rig->stats.reason[WK_FWD_PLAIN], 1);
	rig_free(rig);
}

static void a_mode_that_only_looks_leaves_errors_alone(void **state)
{
	static const enum wk_policy_mode modes[] = { WK_MODE_AUDIT, WK_MODE_OFF };

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct rig *rig = start_mode(4, 0, modes[i]);
		uint8_t error[ERROR_B], before[ERROR_B];
		uint32_t len_b;

		rig_call(rig, 1, RIG_PATH_SECRET);
		len_b = error_about(rig, 0, 700, error);
		put_seq(rig, error, len_b, 12345);
		error[len_b - 1] ^= 1;
		memcpy(before, error, len_b);
		assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FORWARD);
		assert_memory_equal(error, before, len_b);
		rig_free(rig);
	}
}

static uint32_t largest(const struct rig *rig, enum wk_dir dir)
{
	uint32_t most_b = 0;

	for (uint32_t i = 0; i < rig->n_out; i++)
		if (rig->out[i].dir == dir && rig->out[i].len_b > most_b)
			most_b = rig->out[i].len_b;
	return most_b > 0 ? l3_b(rig, most_b) : 0;
}

static void what_is_built_fits_the_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct rig *rig = start(families[i].ip_version, families[i].n_tags);
		uint32_t path_b = families[i].ip_version == 4 ? 700 : 1300, len_b, first, resent;
		uint8_t error[ERROR_B], again[ERROR_B];
		struct h2w_fields fields;

		/* The first packet of the replies gets lost at a narrower link. */
		rig->lose_in_256 = 256;
		deny_many(rig, 1, 20);
		rig->lose_in_256 = 0;
		first = find_out(rig, WK_S2C);
		assert_in_range(largest(rig, WK_S2C), path_b + 1, 1500);
		len_b = error_about(rig, first, path_b, error);
		memcpy(again, error, len_b);
		resent = l3_b(rig, rig->out[first].len_b) - (families[i].ip_version == 4 ? 52 : 72);
		assert_int_equal(rig_icmp(rig, WK_C2S, error, len_b), WK_INSPECT_FORWARD);
		assert_in_range(largest(rig, WK_S2C), 100, path_b);
		/* All of it, at once, and only once however often the error comes. */
		for (uint32_t k = 0; k < rig->n_out; k++)
			resent -= rig->out[k].seg.len_b;
		assert_int_equal(resent, 0);
		assert_int_equal(rig->stats.counter[WK_CNT_PATH_MTU], 1);
		assert_int_equal(rig_icmp(rig, WK_C2S, again, len_b), WK_INSPECT_FORWARD);
		assert_int_equal(rig->n_out, 0);
		/* Retransmissions and later replies fit as well. */
		for (int k = 0; k < 20; k++) {
			rig_wait(rig, 300000000);
			assert_in_range(largest(rig, WK_S2C), 0, path_b);
			rig_ack(rig, WK_C2S);
		}
		deny_many(rig, 101, 20);
		assert_in_range(largest(rig, WK_S2C), 100, path_b);
		for (uint32_t stream = 1; stream < 40; stream += 2)
			assert_int_equal(rig_client_headers(rig, &fields), stream);
		/* The other way is another path. */
		assert_int_equal(rig->stats.counter[WK_CNT_PATH_MTU], 1);
		rig_free(rig);
	}
}

/* Nobody says that a path has become wider. */
static void a_narrow_path_is_forgotten_after_ten_minutes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct rig *rig = start(families[i].ip_version, families[i].n_tags);
		uint32_t path_b = families[i].ip_version == 4 ? 700 : 1300, len_b;
		uint8_t error[ERROR_B];
		uint64_t known_ns;

		deny_many(rig, 1, 20);
		for (uint32_t round = 1; round <= 3; round++) {
			/* Too large as it was learned, small while that is fresh, then tried again.
			 */
			assert_in_range(largest(rig, WK_S2C), path_b + 1, 1500);
			len_b = error_about(rig, find_out(rig, WK_S2C), path_b, error);
			known_ns = rig->now_ns;
			assert_int_equal(rig_icmp(rig, WK_C2S, error, len_b), WK_INSPECT_FORWARD);
			assert_int_equal(rig->stats.counter[WK_CNT_PATH_MTU], round);
			rig_ack(rig, WK_C2S);
			rig_wait(rig, known_ns + 590000000000 - rig->now_ns);
			deny_many(rig, 1000 * round + 1, 20);
			assert_in_range(largest(rig, WK_S2C), 100, path_b);
			rig_ack(rig, WK_C2S);
			rig_wait(rig, known_ns + 601000000000 - rig->now_ns);
			deny_many(rig, 1000 * round + 101, 20);
		}
		rig_free(rig);
	}
}

/* A SACK in the same burst has made us send what the error is about once more, as large as before:
 * the clock says that it went out no earlier than the path was known. */
static void what_went_out_in_the_same_burst_is_sent_again(void **state)
{
	struct rig *rig = start(4, 0);
	uint8_t error[ERROR_B], again[ERROR_B];
	uint64_t now_ns;
	uint32_t len_b;

	(void)state;
	rig->lose_in_256 = 256;
	now_ns = rig->now_ns;
	deny_many(rig, 1, 20);
	rig->lose_in_256 = 0;
	len_b = error_about(rig, find_out(rig, WK_S2C), 700, error);
	memcpy(again, error, len_b);
	rig->now_ns = now_ns;
	assert_int_equal(rig_icmp(rig, WK_C2S, error, len_b), WK_INSPECT_FORWARD);
	assert_in_range(largest(rig, WK_S2C), 100, 700);
	rig->now_ns = now_ns;
	assert_int_equal(rig_icmp(rig, WK_C2S, again, len_b), WK_INSPECT_FORWARD);
	assert_int_equal(rig->n_out, 0);
	rig_free(rig);
}

static void a_segment_that_is_put_together_fits_the_path(void **state)
{
	struct rig *rig = start(4, 0);
	uint8_t error[ERROR_B], bytes[1400], block[1200] = { 0x83, 0x86, 0x04, 30 };
	struct h2w_fields fields;
	uint32_t len_b, n = 4;

	(void)state;
	rig_call(rig, 1, RIG_PATH_NAME);
	/* The quoted packet must have been larger than what fits. */
	put16(rig->out[0].frame + ETH_B + 2, 1400);
	{
		struct icmp_quote what = icmp_too_big(4, 600);

		what.quote_b = 60;
		len_b = icmp_build(error, rig->out[0].frame, &what);
	}
	assert_int_equal(rig_icmp(rig, WK_S2C, error, len_b), WK_INSPECT_FORWARD);
	memcpy(block + n, RIG_PATH_NAME, 30);
	n += 30;
	memcpy(block + n, "\x0f\x10\x10" RIG_GRPC, 19);
	n += 19;
	memcpy(block + n, "\0\2te\10trailers", 13);
	n += 13;
	for (uint32_t i = 0; i < 8; i++) {
		memcpy(block + n, "\0\4x-f0\x64", 7);
		block[n + 5] = (uint8_t)('0' + i);
		memset(block + n + 7, 'f', 100);
		n += 107;
	}
	n = h2w_frame(bytes, H2W_HEADERS, H2W_END_STREAM | H2W_END_HEADERS, 3, block, n);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, 5);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes + 5, n - 5);
	assert_in_range(largest(rig, WK_C2S), 500, 600);
	assert_in_range(rig_count_out(rig, WK_C2S), 2, 3);
	assert_int_equal(rig_server_headers(rig, &fields), 1);
	assert_int_equal(rig_server_headers(rig, &fields), 3);
	rig_free(rig);
}

static void a_path_is_never_narrower_than_it_may_be(void **state)
{
	static const struct {
		uint8_t ip_version;
		uint32_t quoted_b; /* what the quoted packet says it was */
		uint32_t mtu_b;
		uint32_t want_b; /* of what is built afterwards */
		bool df;
	} rows[] = {
		{ 4, 1500, 1500, 1500, true }, /* fits, as it says itself */
		{ 4, 1400, 1450, 1500, true }, /* the same */
		{ 4, 1500, 1499, 1499, true }, { 4, 1500, 577, 577, true },
		{ 4, 1500, 68, 576, true },    { 4, 1500, 0, 576, true },
		{ 4, 576, 68, 576, false }, /* then routers may cut */
		{ 4, 576, 0, 576, false },     { 6, 1500, 1280, 1280, true },
		{ 6, 1500, 1279, 1500, true }, { 6, 1500, 0, 1500, true },
		{ 6, 1280, 600, 1500, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rig *rig = start(rows[i].ip_version, 0);
		struct icmp_quote what = icmp_too_big(rows[i].ip_version, rows[i].mtu_b);
		uint8_t error[ERROR_B], *ip = rig->out[0].frame + ETH_B;
		uint32_t len_b;

		rig_answer(rig, 1);
		rig_call(rig, 1, RIG_PATH_SECRET);
		rig->out[0] = rig->out[find_out(rig, WK_S2C)];
		what.quote_b = 64;
		if (rows[i].ip_version == 4)
			put16(ip + 2, rows[i].quoted_b);
		else
			put16(ip + 4, rows[i].quoted_b - 40);
		len_b = icmp_build(error, rig->out[0].frame, &what);
		assert_int_equal(rig_icmp(rig, WK_C2S, error, len_b), WK_INSPECT_FORWARD);
		deny_many(rig, 101, 20);
		if (largest(rig, WK_S2C) != rows[i].want_b)
			fail_msg("row %u: %u bytes", (unsigned int)i, largest(rig, WK_S2C));
		if (rows[i].ip_version == 4)
			assert_int_equal(rig->out[find_out(rig, WK_S2C)].frame[ETH_B + 6],
					 rows[i].df ? 0x40 : 0);
		rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_about_an_unedited_connection_stays_as_it_is),
		cmocka_unit_test(a_client_finds_its_own_number_in_an_error),
		cmocka_unit_test(a_server_finds_its_own_number_in_an_error),
		cmocka_unit_test(an_error_that_cannot_be_true_is_dropped),
		cmocka_unit_test(an_error_about_nothing_that_is_followed_is_plain),
		cmocka_unit_test(a_mode_that_only_looks_leaves_errors_alone),
		cmocka_unit_test(what_is_built_fits_the_path),
		cmocka_unit_test(a_narrow_path_is_forgotten_after_ten_minutes),
		cmocka_unit_test(what_went_out_in_the_same_burst_is_sent_again),
		cmocka_unit_test(a_segment_that_is_put_together_fits_the_path),
		cmocka_unit_test(a_path_is_never_narrower_than_it_may_be),
	};

	return cmocka_run_group_tests_name("inspect_icmp", tests, rig_eal_start, rig_eal_stop);
}
