/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through an enforcing inspector: allowed, denied, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

#define SECOND 1000000000ull

/* Every way a frame may be wrapped. */
static const struct pair_conf wraps[] = {
	{ .ip_version = 4, .timestamps = true },
	{ .ip_version = 4, .timestamps = false },
	{ .ip_version = 6, .timestamps = true },
	{ .ip_version = 4, .n_tags = 1, .vlan = { 100 }, .timestamps = true },
	{ .ip_version = 6, .n_tags = 1, .vlan = { 0x6065 }, .timestamps = true },
	{ .ip_version = 4, .n_tags = 2, .vlan = { 200, 31 }, .timestamps = true },
	{ .ip_version = 6, .n_tags = 2, .vlan = { 200, 31 } },
};

#define N_WRAPS (sizeof(wraps) / sizeof(wraps[0]))

static struct rig *wrapped(uint32_t i)
{
	struct rig_conf conf = rig_conf_default;

	conf.pair.ip_version = wraps[i].ip_version;
	conf.pair.n_tags = wraps[i].n_tags;
	conf.pair.vlan[0] = wraps[i].vlan[0];
	conf.pair.vlan[1] = wraps[i].vlan[1];
	conf.pair.timestamps = wraps[i].timestamps;
	return rig_new(&conf);
}

/* The reply that the client gets for a denied call, with status and message. */
static void expect_reply(struct rig *rig, uint32_t stream, const char *status,
			 const char *grpc_status)
{
	struct h2w_fields fields;

	assert_int_equal(rig_client_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":status"), status);
	assert_string_equal(h2w_field(&fields, "content-type"), RIG_GRPC);
	assert_string_equal(h2w_field(&fields, "grpc-status"), grpc_status);
	assert_memory_equal(h2w_field(&fields, "grpc-message"), "call denied by policy (ref ", 27);
}

static void expect_call(struct rig *rig, uint32_t stream, const char *path)
{
	struct h2w_fields fields;

	assert_int_equal(rig_server_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":path"), path);
}

/* The server's answer, as rig_answer sends it. */
static void expect_answer(struct rig *rig, uint32_t stream)
{
	struct h2w_fields fields;

	assert_int_equal(rig_client_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":status"), "200");
	assert_int_equal(rig_client_headers(rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, "grpc-status"), "0");
}

static void expect_no_call(struct rig *rig)
{
	struct h2w_fields fields;

	assert_int_equal(rig_server_headers(rig, &fields), 0);
}

static void allowed_calls_pass_bit_for_bit_from_syn_to_fin(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N_WRAPS; i++) {
		struct rig *rig = wrapped(i);

		rig_connect(rig);
		rig_greet(rig);
		for (uint32_t stream = 1; stream < 40; stream += 2) {
			assert_int_equal(rig_call(rig, stream, RIG_PATH_NAME), WK_INSPECT_FORWARD);
			assert_true(rig_all_same(rig));
			expect_call(rig, stream, RIG_PATH_NAME);
			rig_answer(rig, stream);
			assert_true(rig_all_same(rig));
		}
		rig_close(rig);
		assert_int_equal(rig->stats.counter[WK_CNT_ORIGINATED], 0);
		assert_int_equal(rig->stats.counter[WK_CNT_RX], rig->stats.reason[WK_FWD_GUARDED]);
		assert_int_equal(rig->stats.call[WK_CALL_ALLOWED], 20);
		assert_int_equal(rig->n_events, 0);
		rig_free(rig);
	}
}

static void a_denied_call_is_answered_and_never_reaches_the_server(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N_WRAPS; i++) {
		struct rig *rig = wrapped(i);
		uint32_t client_ack;

		rig_connect(rig);
		rig_greet(rig);
		rig_call(rig, 1, RIG_PATH_NAME);
		expect_call(rig, 1, RIG_PATH_NAME);
		rig_answer(rig, 1);
		expect_answer(rig, 1);
		client_ack = rig->pair.end[WK_C2S].ack;

		assert_int_equal(rig_call(rig, 3, RIG_PATH_SECRET), WK_INSPECT_FREE);
		assert_int_equal(rig_count_out(rig, WK_C2S), 0);
		assert_true(rig_count_out(rig, WK_S2C) >= 1);
		assert_int_equal(rig->out[0].seg.seq, client_ack);
		/* All that the client sent is acknowledged: nobody else ever will. */
		assert_int_equal(rig->out[rig->n_out - 1].seg.ack, rig->pair.end[WK_C2S].nxt);
		expect_reply(rig, 3, "403", "7");
		assert_int_equal(rig->stats.call[WK_CALL_DENIED_METHOD], 1);

		/* The client's ACK of the reply is no news to the server. */
		assert_int_equal(rig_ack(rig, WK_C2S), WK_INSPECT_FREE);
		assert_int_equal(rig->stats.reason[WK_ABSORB_ACK], 1);

		/* Both sides go on, each with its own numbers. */
		for (uint32_t stream = 5; stream < 15; stream += 2) {
			rig_call(rig, stream, RIG_PATH_PLACE);
			expect_call(rig, stream, RIG_PATH_PLACE);
			rig_answer(rig, stream);
			expect_answer(rig, stream);
		}
		rig_close(rig);
		rig_free(rig);
	}
}

static void the_event_of_a_denied_call_names_it(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	const struct wk_event *event = &rig->events[0];
	struct h2w_fields fields;
	char ref[64];

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_SECRET);
	assert_int_equal(rig->n_events, 1);
	assert_int_equal(event->kind, WK_EVENT_CALL);
	assert_true(event->enforced);
	assert_int_equal(event->ip_version, 4);
	assert_int_equal(event->wire, 3);
	assert_int_equal(event->client[3], RIG_HOST_LISTED);
	assert_int_equal(event->client_port, 40000);
	assert_int_equal(event->server_port, 50051);
	assert_int_equal(event->stream_id, 1);
	assert_int_equal(event->call_reason, WK_CALL_DENIED_METHOD);
	assert_int_equal(event->policy_version, 1);
	assert_int_equal(event->path_len_b, strlen(RIG_PATH_SECRET));
	assert_memory_equal(event->path, RIG_PATH_SECRET, event->path_len_b);
	assert_string_equal(event->service, "door-manager");
	assert_string_equal(event->rule, "default");

	snprintf(ref, sizeof(ref), "call denied by policy (ref %04x-%06x)",
		 (unsigned int)(event->ref >> 24), (unsigned int)(event->ref & 0xffffff));
	assert_int_equal(rig_client_headers(rig, &fields), 1);
	assert_string_equal(h2w_field(&fields, "grpc-message"), ref);

	/* A reader that cannot keep up loses events, not calls; they are counted. */
	rig->events_full = true;
	rig_call(rig, 3, RIG_PATH_SECRET);
	assert_int_equal(rig->stats.counter[WK_CNT_EVENTS_LOST], 1);
	expect_reply(rig, 3, "403", "7");
	rig_free(rig);
}

struct request_case {
	const char *method;
	const char *path;
	const char *type;
	enum wk_call_reason reason;
	const char *status;
	const char *grpc_status; /* NULL: a bare reply */
};

static const struct request_case requests[] = {
	{ "POST", RIG_PATH_NAME, RIG_GRPC, WK_CALL_ALLOWED, NULL, NULL },
	{ "POST", RIG_PATH_NAME, "application/grpc+proto", WK_CALL_ALLOWED, NULL, NULL },
	{ "POST", RIG_PATH_NAME, "application/grpc;charset=utf-8", WK_CALL_ALLOWED, NULL, NULL },
	{ "POST", RIG_PATH_NAME, "application/grpc-web", WK_CALL_DENIED_NOT_GRPC, "403", "" },
	{ "POST", RIG_PATH_NAME, "application/json", WK_CALL_DENIED_NOT_GRPC, "403", NULL },
	{ "POST", RIG_PATH_NAME, NULL, WK_CALL_DENIED_NOT_GRPC, "403", NULL },
	{ "GET", RIG_PATH_NAME, RIG_GRPC, WK_CALL_DENIED_NOT_POST, "403", "7" },
	{ "OPTIONS", RIG_PATH_NAME, RIG_GRPC, WK_CALL_DENIED_NOT_POST, "403", "7" },
	{ "post", RIG_PATH_NAME, RIG_GRPC, WK_CALL_DENIED_NOT_POST, "403", "7" },
	{ "POST", RIG_PATH_SECRET, RIG_GRPC, WK_CALL_DENIED_METHOD, "403", "7" },
	{ "POST", "/cloudcity.DoorManager/GetNam", RIG_GRPC, WK_CALL_DENIED_METHOD, "403", "7" },
	{ "POST", "/cloudcity.DoorManager/GetName2", RIG_GRPC, WK_CALL_DENIED_METHOD, "403", "7" },
	{ "POST", "/cloudcity.DoorManager/getname", RIG_GRPC, WK_CALL_DENIED_METHOD, "403", "7" },
	{ "POST", "/cloudcity.DoorManager/GetName/", RIG_GRPC, WK_CALL_DENIED_PATH, "403", "7" },
	{ "POST", "/cloudcity.DoorManager/GetName?x", RIG_GRPC, WK_CALL_DENIED_PATH, "403", "7" },
	{ "POST", "//cloudcity.DoorManager/GetName", RIG_GRPC, WK_CALL_DENIED_PATH, "403", "7" },
	{ "POST", "/grpc.health.v1.Health/Check", RIG_GRPC, WK_CALL_DENIED_METHOD, "403", "7" },
	{ "POST", "/grpc.health.v1.Health/Watch", RIG_GRPC, WK_CALL_DENIED_METHOD, "403", "12" },
	{ "POST", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", RIG_GRPC,
	  WK_CALL_DENIED_METHOD, "403", "12" },
	{ "POST", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", RIG_GRPC,
	  WK_CALL_DENIED_METHOD, "403", "12" },
};

static void each_request_gets_its_verdict_and_reply(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	uint64_t calls[WK_CALL_REASON_MAX] = { 0 };

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	for (uint32_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct request_case *want = &requests[i];
		uint32_t stream = 2 * i + 1;
		struct h2w_fields fields;
		uint8_t bytes[1024];
		uint32_t n;

		n = h2w_request(&rig->client, bytes, stream, want->method, want->path, want->type,
				12);
		rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n);
		calls[want->reason]++;
		assert_int_equal(rig->stats.call[want->reason], calls[want->reason]);
		if (want->reason == WK_CALL_ALLOWED) {
			expect_call(rig, stream, want->path);
			rig_answer(rig, stream);
			expect_answer(rig, stream);
			continue;
		}
		assert_int_equal(rig_server_headers(rig, &fields), 0);
		assert_int_equal(rig_client_headers(rig, &fields), stream);
		assert_string_equal(h2w_field(&fields, ":status"), want->status);
		if (!want->grpc_status)
			assert_null(h2w_field(&fields, "grpc-status"));
		else if (want->grpc_status[0])
			assert_string_equal(h2w_field(&fields, "grpc-status"), want->grpc_status);
		rig_ack(rig, WK_C2S);
	}
	rig_close(rig);
	rig_free(rig);
}

static void the_grpc_reply_has_status_200(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct rig *rig;

	(void)state;
	conf.reply = WK_REPLY_GRPC;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_greet(rig);
	rig_call(rig, 1, RIG_PATH_SECRET);
	expect_reply(rig, 1, "200", "7");
	rig_free(rig);
}

static void the_reset_reply_ends_the_connection_on_both_sides(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct wk_inspect_usage usage;
	struct rig *rig;

	(void)state;
	conf.reply = WK_REPLY_RESET;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_greet(rig);
	assert_int_equal(rig_call(rig, 1, RIG_PATH_SECRET), WK_INSPECT_FREE);
	assert_true(rig->pair.end[WK_C2S].reset);
	assert_true(rig->pair.end[WK_S2C].reset);
	assert_int_equal(rig->stats.call[WK_CALL_DENIED_METHOD], 1);
	assert_int_equal(rig->n_events, 2);
	assert_int_equal(rig->events[0].kind, WK_EVENT_CALL);
	assert_int_equal(rig->events[1].kind, WK_EVENT_CONN);
	/* The tombstone holds nothing. */
	assert_int_equal(rig_flows(rig), 1);
	wk_inspect_usage(rig->inspect, &usage);
	assert_int_equal(usage.mem.used_b, rig->mem_used_b);
	expect_no_call(rig);
	rig_free(rig);
}

struct other_case {
	const char *bytes;
	uint32_t len_b;
	enum wk_h2_error error;
};

static void what_is_not_http2_never_reaches_the_server(void **state)
{
	static const struct other_case cases[] = {
		{ "POST / HTTP/1.1\r\nHost: x\r\n\r\n", 28, WK_H2_E_NOT_H2_HTTP1 },
		{ "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, WK_H2_E_NOT_H2_TLS },
		{ "SSH-2.0-OpenSSH_9.2\r\n", 21, WK_H2_E_NOT_H2 },
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig = rig_new(&rig_conf_default);

		rig_connect(rig);
		assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, cases[i].bytes,
					  cases[i].len_b),
				 WK_INSPECT_FREE);
		assert_int_equal(rig->stats.reason[WK_DROP_NOT_H2], 1);
		assert_int_equal(rig->pair.end[WK_S2C].rx_len_b, 0);
		assert_true(rig->pair.end[WK_C2S].reset);
		assert_true(rig->pair.end[WK_S2C].reset);
		if (cases[i].error == WK_H2_E_NOT_H2_HTTP1)
			assert_memory_equal(rig->pair.end[WK_C2S].rx, "HTTP/1.1 403", 12);
		assert_int_equal(rig->n_events, 1);
		assert_int_equal(rig->events[0].kind, WK_EVENT_CONN);
		assert_int_equal(rig->events[0].h2_error, cases[i].error);
		assert_int_equal(rig->events[0].reason, WK_DROP_NOT_H2);
		rig_free(rig);
	}
}

/* A client that lets its packets die behind the box cannot make ours die with them (A08). */
static void our_packets_live_as_long_as_the_longest_of_their_sender(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	uint32_t resets = 0;

	(void)state;
	rig_connect(rig);
	rig->pair.end[WK_C2S].ttl = 2;
	assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK, "", 0), WK_INSPECT_FORWARD);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, "SSH-2.0-OpenSSH_9.2\r\n", 21);
	for (uint32_t i = 0; i < rig->n_out; i++) {
		if (rig->out[i].dir != WK_C2S || !rig->out[i].built)
			continue;
		assert_int_equal(rig->out[i].seg.ttl, 61);
		resets++;
	}
	assert_int_equal(resets, 1);
	rig_free(rig);
}

static void an_on_policy_may_drop_or_pass_what_is_not_http2(void **state)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	struct rig_conf conf = rig_conf_default;
	struct rig *rig;

	(void)state;
	conf.on.tls = WK_ON_DROP;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, hello, 11);
	assert_int_equal(rig->n_out, 0);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, hello, 11);
	assert_int_equal(rig->n_out, 0);
	rig_free(rig);

	conf.on.tls = WK_ON_PASS;
	rig = rig_new(&conf);
	rig_connect(rig);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, hello, 11),
				 WK_INSPECT_FORWARD);
		assert_int_equal(rig_send(rig, WK_S2C, PAIR_ACK | PAIR_PSH, hello, 11),
				 WK_INSPECT_FORWARD);
		assert_true(rig_all_same(rig));
	}
	assert_int_equal(rig->stats.counter[WK_CNT_H2_ERRORS], 1);
	rig_close(rig);
	rig_free(rig);
}

static void a_call_in_single_bytes_is_denied_all_the_same(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	uint8_t bytes[1024];
	uint32_t before_b;
	uint32_t n;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	before_b = rig->pair.end[WK_S2C].rx_len_b;
	n = h2w_request(&rig->client, bytes, 1, "POST", RIG_PATH_SECRET, RIG_GRPC, 12);
	for (uint32_t i = 0; i < n; i++)
		rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes + i, 1);
	assert_int_equal(rig->pair.end[WK_S2C].rx_len_b, before_b);
	expect_reply(rig, 1, "403", "7");
	rig_ack(rig, WK_C2S);
	n = h2w_request(&rig->client, bytes, 3, "POST", RIG_PATH_NAME, RIG_GRPC, 12);
	for (uint32_t i = 0; i < n; i++) {
		rig_send(rig, WK_C2S, PAIR_ACK, bytes + i, 1);
		rig_wait(rig, 2000000);
	}
	expect_call(rig, 3, RIG_PATH_NAME);
	rig_answer(rig, 3);
	expect_answer(rig, 3);
	rig_free(rig);
}

static void many_denied_and_allowed_calls_share_one_connection(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	for (uint32_t i = 0; i < 400; i++) {
		uint32_t stream = 2 * i + 1;

		if (i % 3 == 2) {
			rig->n_events = 0;
			rig_call(rig, stream, RIG_PATH_SECRET);
			expect_reply(rig, stream, "403", "7");
			rig_ack(rig, WK_C2S);
			continue;
		}
		rig_call(rig, stream, i % 3 ? RIG_PATH_PLACE : RIG_PATH_NAME);
		expect_call(rig, stream, i % 3 ? RIG_PATH_PLACE : RIG_PATH_NAME);
		rig_answer(rig, stream);
		expect_answer(rig, stream);
	}
	assert_int_equal(rig->stats.call[WK_CALL_ALLOWED], 267);
	assert_int_equal(rig->stats.call[WK_CALL_DENIED_METHOD], 133);
	assert_int_equal(rig->stats.counter[WK_CNT_REPLIES], 133);
	rig_close(rig);
	assert_int_equal(rig_flows(rig), 1);
	rig_wait(rig, 61 * SECOND);
	assert_int_equal(rig_flows(rig), 0);
	rig_free(rig);
}

static void the_ecn_mark_of_a_recut_segment_is_kept(void **state)
{
	struct rig *rig = rig_new(&rig_conf_default);
	uint8_t bytes[1024];
	uint32_t n;

	(void)state;
	rig_connect(rig);
	rig_greet(rig);
	n = h2w_request(&rig->client, bytes, 1, "POST", RIG_PATH_SECRET, RIG_GRPC, 0);
	n += h2w_request(&rig->client, bytes + n, 3, "POST", RIG_PATH_NAME, RIG_GRPC, 12);
	rig->pair.end[WK_C2S].tos = 0xb8 | 3;
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n);
	for (uint32_t i = 0; i < rig->n_out; i++) {
		bool data = rig->out[i].dir == WK_C2S && rig->out[i].seg.len_b > 0;

		assert_int_equal(rig->out[i].frame[15] & 3, data ? 3 : 0);
	}
	expect_call(rig, 3, RIG_PATH_NAME);
	rig_free(rig);
}

static void what_is_built_fits_the_wire(void **state)
{
	struct rig_conf conf = rig_conf_default;
	uint8_t bytes[1400];
	struct rig *rig;
	uint32_t n;

	(void)state;
	conf.mtu_b = 600;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_greet(rig);
	n = h2w_request(&rig->client, bytes, 1, "POST", RIG_PATH_SECRET, RIG_GRPC, 0);
	n += h2w_request(&rig->client, bytes + n, 3, "POST", RIG_PATH_NAME, RIG_GRPC, 1000);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, n);
	assert_int_equal(rig_count_out(rig, WK_C2S), 3);
	for (uint32_t i = 0, c2s = 0; i < rig->n_out; i++) {
		assert_in_range(rig->out[i].len_b, 54, 614);
		if (rig->out[i].dir == WK_C2S)
			assert_int_equal(rig->out[i].seg.flags,
					 ++c2s < 3 ? PAIR_ACK : PAIR_ACK | PAIR_PSH);
	}
	expect_call(rig, 3, RIG_PATH_NAME);
	rig_free(rig);
}

/* What events and clients are told names one connection and one call of the box. */
static void lcores_share_neither_numbers_nor_references(void **state)
{
	struct rig_conf conf = rig_conf_default;
	struct wk_event events[3];
	struct wk_inspect_flow row;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct rig *rig;
		uint32_t pos = 0;

		conf.lcore = i;
		rig = rig_new(&conf);
		rig_connect(rig);
		rig_greet(rig);
		rig_call(rig, 1, RIG_PATH_SECRET);
		assert_int_equal(rig->n_events, 1);
		events[i] = rig->events[0];
		assert_int_equal(wk_inspect_flows(rig->inspect, &pos, &row, 1), 1);
		assert_int_equal(row.id, events[i].flow_id);
		assert_in_range(row.id, i * conf.max_flows, (i + 1) * conf.max_flows - 1);
		assert_int_equal(events[i].ref & 0xffffff, events[0].ref & 0xffffff);
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(events[i].ref, events[k].ref);
		rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allowed_calls_pass_bit_for_bit_from_syn_to_fin),
		cmocka_unit_test(a_denied_call_is_answered_and_never_reaches_the_server),
		cmocka_unit_test(the_event_of_a_denied_call_names_it),
		cmocka_unit_test(each_request_gets_its_verdict_and_reply),
		cmocka_unit_test(the_grpc_reply_has_status_200),
		cmocka_unit_test(the_reset_reply_ends_the_connection_on_both_sides),
		cmocka_unit_test(what_is_not_http2_never_reaches_the_server),
		cmocka_unit_test(our_packets_live_as_long_as_the_longest_of_their_sender),
		cmocka_unit_test(an_on_policy_may_drop_or_pass_what_is_not_http2),
		cmocka_unit_test(a_call_in_single_bytes_is_denied_all_the_same),
		cmocka_unit_test(many_denied_and_allowed_calls_share_one_connection),
		cmocka_unit_test(what_is_built_fits_the_wire),
		cmocka_unit_test(the_ecn_mark_of_a_recut_segment_is_kept),
		cmocka_unit_test(lcores_share_neither_numbers_nor_references),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
