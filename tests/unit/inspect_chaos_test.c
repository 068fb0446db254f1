/* SPDX-License-Identifier: Apache-2.0 */
/* Whole conversations over a bad network: segments of any size, lost, repeated on other boundaries
 * and out of order. Whatever happens, the server sees exactly the allowed calls, and the client
 * gets an answer to each. A failure prints its seed; INSPECT_CHAOS_SEED runs one seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

#define SEEDS      1000u
#define CALLS      40u
#define STEPS_MAX  60000u
#define MS         1000000ull
#define SEGMENT_B  700u
#define WINDOW_B   30000u
#define BODY_MAX_B 2400u

/* What one end has to say. */
struct talk {
	uint32_t len_b;
	uint8_t bytes[PAIR_STREAM_MAX_B];
};

struct chaos {
	struct rig *rig;
	struct talk talk[WK_DIRS];
	bool denied[CALLS];
	uint32_t answered; /* by the server */
	uint32_t calls_seen;
	uint32_t status[CALLS]; /* that the client got */
	bool ended[CALLS];
	uint32_t n_ended;
	uint32_t credit_b;
	uint32_t body_b;
};

static void write_calls(struct chaos *chaos)
{
	static const char *const paths[] = { RIG_PATH_NAME, RIG_PATH_PLACE, RIG_PATH_SECRET };
	struct talk *talk = &chaos->talk[WK_C2S];

	talk->len_b = h2w_preface(talk->bytes);
	for (uint32_t i = 0; i < CALLS; i++) {
		uint32_t which = rig_random(chaos->rig, 3);
		uint32_t body_b = rig_random(chaos->rig, BODY_MAX_B) + 1;

		chaos->denied[i] = which == 2;
		if (which == 2)
			chaos->body_b += body_b;
		talk->len_b += h2w_request(&chaos->rig->client, talk->bytes + talk->len_b,
					   2 * i + 1, "POST", paths[which], RIG_GRPC, body_b);
	}
}

/* The server answers what has arrived in full. */
static void serve(struct chaos *chaos)
{
	struct talk *talk = &chaos->talk[WK_S2C];
	struct h2w_fields fields;
	struct h2w_frame frame;

	while (rig_server_next(chaos->rig, &frame)) {
		if (frame.type == H2W_SETTINGS && !(frame.flags & H2W_ACK)) {
			talk->len_b += h2w_frame(talk->bytes + talk->len_b, H2W_SETTINGS, H2W_ACK,
						 0, NULL, 0);
		} else if (frame.type == H2W_HEADERS) {
			assert_false(chaos->denied[frame.stream / 2]);
			assert_true(h2w_decode(&chaos->rig->server, &frame, &fields));
			assert_string_not_equal(h2w_field(&fields, ":path"), RIG_PATH_SECRET);
			chaos->calls_seen++;
		} else if (frame.type == H2W_DATA) {
			assert_false(chaos->denied[frame.stream / 2]);
			assert_true(frame.flags & H2W_END_STREAM);
			talk->len_b += h2w_response(&chaos->rig->server, talk->bytes + talk->len_b,
						    frame.stream);
			chaos->answered++;
		}
	}
}

static void listen(struct chaos *chaos)
{
	struct h2w_fields fields;
	struct h2w_frame frame;

	while (rig_client_next(chaos->rig, &frame)) {
		uint32_t call = frame.stream / 2;
		const char *status;

		if (frame.type == H2W_WINDOW_UPDATE && frame.stream == 0)
			chaos->credit_b += (uint32_t)frame.payload[1] << 16 |
					   (uint32_t)frame.payload[2] << 8 | frame.payload[3];
		if (frame.type != H2W_HEADERS)
			continue;
		assert_true(h2w_decode(&chaos->rig->client, &frame, &fields));
		status = h2w_field(&fields, ":status");
		if (status)
			chaos->status[call] = (uint32_t)atoi(status);
		if (frame.flags & H2W_END_STREAM) {
			assert_false(chaos->ended[call]);
			chaos->ended[call] = true;
			chaos->n_ended++;
		}
	}
}

/* A piece of what the other side has not acknowledged, or of what lies before it. */
static void say(struct chaos *chaos, enum wk_dir dir)
{
	struct rig *rig = chaos->rig;
	const struct talk *talk = &chaos->talk[dir];
	const struct pair_end *end = &rig->pair.end[dir];
	uint32_t start = end->isn + 1;
	uint32_t acked_b = end->una - start;
	uint8_t frame[PAIR_FRAME_MAX_B];
	uint32_t from_b = acked_b;
	uint32_t len_b;

	if (rig_random(rig, 4) == 0)
		from_b += rig_random(rig, WINDOW_B);
	else if (rig_random(rig, 8) == 0)
		from_b -= rig_random(rig, 200);
	if (from_b > talk->len_b)
		from_b = acked_b;
	len_b = rig_random(rig, 3) ? rig_random(rig, SEGMENT_B) + 1 : rig_random(rig, 20) + 1;
	if (len_b > talk->len_b - from_b)
		len_b = talk->len_b - from_b;
	if (rig_random(rig, 256) < rig->lose_in_256)
		return;
	rig->pair.clock++;
	len_b = pair_send_at(&rig->pair, dir, start + from_b, end->ack,
			     rig_random(rig, 2) ? PAIR_ACK : PAIR_ACK | PAIR_PSH,
			     talk->bytes + from_b, len_b, frame);
	rig_frame(rig, dir, frame, len_b);
}

static void step(struct chaos *chaos)
{
	struct rig *rig = chaos->rig;
	uint32_t dice = rig_random(rig, 16);

	if (dice < 7)
		say(chaos, WK_C2S);
	else if (dice < 14)
		say(chaos, WK_S2C);
	else
		rig_wait(rig, (1 + rig_random(rig, 5)) * MS);
	serve(chaos);
	listen(chaos);
}

static void check_end(const struct chaos *chaos)
{
	uint32_t n_denied = 0;

	for (uint32_t i = 0; i < CALLS; i++) {
		assert_int_equal(chaos->status[i], chaos->denied[i] ? 403 : 200);
		n_denied += chaos->denied[i];
	}
	assert_int_equal(chaos->calls_seen, CALLS - n_denied);
	assert_int_equal(chaos->rig->stats.call[WK_CALL_DENIED_METHOD], n_denied);
	assert_int_equal(chaos->rig->stats.call[WK_CALL_ALLOWED], CALLS - n_denied);
	assert_int_equal(chaos->rig->stats.counter[WK_CNT_FLOWS_RESET], 0);
	/* Never more than was taken away, and the rest is below the coalescing bound. */
	assert_true(chaos->credit_b <= chaos->body_b);
	assert_true(chaos->body_b - chaos->credit_b < 16384);
}

static void converse(uint32_t seed)
{
	struct rig_conf conf = rig_conf_default;
	struct chaos *chaos = calloc(1, sizeof(*chaos));
	struct rig *rig;
	uint32_t steps = 0;

	assert_non_null(chaos);
	conf.pair.ip_version = seed % 3 ? 4 : 6;
	conf.pair.timestamps = seed % 2;
	rig = rig_new(&conf);
	chaos->rig = rig;
	rig->random = seed;
	rig->events_off = true;
	rig_connect(rig);
	rig->lose_in_256 = rig_random(rig, 64);
	write_calls(chaos);
	chaos->talk[WK_S2C].len_b =
		h2w_frame(chaos->talk[WK_S2C].bytes, H2W_SETTINGS, 0, 0, NULL, 0);
	while (chaos->n_ended < CALLS && steps++ < STEPS_MAX)
		step(chaos);
	if (chaos->n_ended < CALLS)
		fail_msg("%u of %u calls ended", chaos->n_ended, CALLS);
	/* What is still under way, and what only our own timer repeats. */
	for (steps = 0; steps < 100; steps++) {
		step(chaos);
		rig_wait(rig, 100 * MS);
	}
	check_end(chaos);
	rig_free(rig);
	free(chaos);
}

static void every_call_gets_its_verdict_on_a_bad_network(void **state)
{
	const char *one = getenv("INSPECT_CHAOS_SEED");

	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		if (one && (uint32_t)atoi(one) != seed)
			continue;
		/* The last line before a failure. */
		print_message("seed %u\r", seed);
		converse(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_gets_its_verdict_on_a_bad_network),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
