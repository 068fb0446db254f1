/* SPDX-License-Identifier: Apache-2.0 */
/* What a request looks like besides its path, and the keys of a service that ask for less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "inspect_rig.h"

#define HOST "door-manager:50051"

struct look {
	const char *method;
	const char *scheme;
	const char *authority;
	const char *type;
	const char *te;
	const char *host;
};

static uint32_t put_look(struct h2w_end *end, uint8_t *to, uint32_t stream, const struct look *look)
{
	const struct {
		const char *name;
		const char *value;
	} fields[] = {
		{ ":method", look->method }, { ":scheme", look->scheme },
		{ ":path", RIG_PATH_NAME },  { ":authority", look->authority },
		{ "te", look->te },          { "content-type", look->type },
		{ "host", look->host },
	};
	nghttp2_nv nv[7];
	uint8_t block[512];
	size_t n = 0;
	ssize_t len;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].value)
			nv[n++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)fields[i].name,
						.namelen = strlen(fields[i].name),
						.value = (uint8_t *)(uintptr_t)fields[i].value,
						.valuelen = strlen(fields[i].value) };
	len = nghttp2_hd_deflate_hd(end->deflater, block, sizeof(block), nv, n);
	assert_true(len > 0);
	return h2w_frame(to, H2W_HEADERS, H2W_END_HEADERS | H2W_END_STREAM, stream, block,
			 (uint32_t)len);
}

/* One call on a connection of its own. Its reason is counted once, its event names it, and the
 * server has it only if it is allowed. */
static void expect(const struct look *look, const struct wk_policy_form *form,
		   enum wk_call_reason reason)
{
	struct rig_conf conf = rig_conf_default;
	bool allowed = reason == WK_CALL_ALLOWED;
	struct h2w_fields fields;
	uint8_t bytes[600];
	struct rig *rig;

	conf.form = *form;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_greet(rig);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes, put_look(&rig->client, bytes, 1, look));
	assert_int_equal(rig->stats.call[reason], 1);
	assert_int_equal(rig_server_headers(rig, &fields), allowed ? 1 : 0);
	assert_int_equal(rig->n_events, allowed ? 0 : 1);
	if (!allowed) {
		assert_int_equal(rig->events[0].call_reason, reason);
		/* A refusal is no reply: the frame behind it is RST_STREAM. */
		assert_int_equal(rig_client_headers(rig, &fields),
				 reason < WK_CALL_REFUSED_FIRST ? 1 : 0);
		if (reason < WK_CALL_REFUSED_FIRST)
			assert_string_equal(h2w_field(&fields, ":status"), "403");
	}
	rig_free(rig);
}

#define GOOD "POST", "http", HOST, RIG_GRPC, "trailers"

static const struct form_case {
	struct look look;
	struct wk_policy_form form; /* that asks for less, */
	enum wk_call_reason strict; /* what the default says, */
	enum wk_call_reason lax;    /* and what this one */
} cases[] = {
	{ { GOOD, NULL }, { 0 }, WK_CALL_ALLOWED, WK_CALL_ALLOWED },
	{ { GOOD, HOST }, { 0 }, WK_CALL_ALLOWED, WK_CALL_ALLOWED },
	{ { GOOD, "Door-Manager:50051" }, { 0 }, WK_CALL_ALLOWED, WK_CALL_ALLOWED },
	{ { "POST", "https", HOST, RIG_GRPC, "trailers", NULL },
	  { .scheme = WK_SCHEME_HTTP },
	  WK_CALL_ALLOWED,
	  WK_CALL_DENIED_SCHEME },
	{ { GOOD, NULL }, { .scheme = WK_SCHEME_HTTPS }, WK_CALL_ALLOWED, WK_CALL_DENIED_SCHEME },
	{ { "POST", "https", HOST, RIG_GRPC, "trailers", NULL },
	  { .scheme = WK_SCHEME_HTTPS },
	  WK_CALL_ALLOWED,
	  WK_CALL_ALLOWED },
	{ { "POST", "ftp", HOST, RIG_GRPC, "trailers", NULL },
	  { .scheme = WK_SCHEME_ANY },
	  WK_CALL_DENIED_SCHEME,
	  WK_CALL_ALLOWED },
	{ { "POST", "HTTP", HOST, RIG_GRPC, "trailers", NULL },
	  { .scheme = WK_SCHEME_HTTP },
	  WK_CALL_DENIED_SCHEME,
	  WK_CALL_DENIED_SCHEME },
	{ { "POST", "http", HOST, RIG_GRPC, NULL, NULL },
	  { .te_optional = true },
	  WK_CALL_DENIED_TE,
	  WK_CALL_ALLOWED },
	/* Malformed by HTTP/2 itself: no key allows it. */
	{ { "POST", "http", HOST, RIG_GRPC, "gzip", NULL },
	  { .te_optional = true },
	  WK_CALL_REFUSED_TE,
	  WK_CALL_REFUSED_TE },
	{ { "GET", "http", HOST, RIG_GRPC, "trailers", NULL },
	  { .any_method = true },
	  WK_CALL_DENIED_NOT_POST,
	  WK_CALL_ALLOWED },
	{ { "CONNECT", "http", HOST, RIG_GRPC, "trailers", NULL },
	  { .any_method = true },
	  WK_CALL_REFUSED_CONNECT,
	  WK_CALL_REFUSED_CONNECT },
	{ { "POST", "http", HOST, "application/json", "trailers", NULL },
	  { .any_type = true },
	  WK_CALL_DENIED_NOT_GRPC,
	  WK_CALL_ALLOWED },
	{ { "POST", "http", HOST, NULL, "trailers", NULL },
	  { .any_type = true },
	  WK_CALL_DENIED_NOT_GRPC,
	  WK_CALL_ALLOWED },
	{ { GOOD, "other:50051" },
	  { .any_host = true },
	  WK_CALL_DENIED_AUTHORITY,
	  WK_CALL_ALLOWED },
	{ { GOOD, "" }, { .any_host = true }, WK_CALL_DENIED_AUTHORITY, WK_CALL_ALLOWED },
	{ { "POST", "http", "me@" HOST, RIG_GRPC, "trailers", NULL },
	  { .any_host = true },
	  WK_CALL_DENIED_AUTHORITY,
	  WK_CALL_ALLOWED },
	{ { "POST", "http", NULL, RIG_GRPC, "trailers", "me@" HOST },
	  { .any_host = true },
	  WK_CALL_DENIED_AUTHORITY,
	  WK_CALL_ALLOWED },
	{ { "POST", "http", NULL, RIG_GRPC, "trailers", NULL },
	  { .any_host = true },
	  WK_CALL_ALLOWED,
	  WK_CALL_ALLOWED },
};

static void a_service_takes_grpc_calls_alone_unless_its_keys_say_less(void **state)
{
	static const struct wk_policy_form strict = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(&cases[i].look, &strict, cases[i].strict);
		expect(&cases[i].look, &cases[i].form, cases[i].lax);
	}
}

/* Each key loosens one rule: the others stand. */
static void a_key_says_nothing_of_the_other_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct form_case *c = &cases[i];
		struct wk_policy_form others = {
			.any_method = !c->form.any_method,
			.any_type = !c->form.any_type,
			.te_optional = !c->form.te_optional,
			.any_host = !c->form.any_host,
			.scheme = c->strict == WK_CALL_DENIED_SCHEME ? WK_SCHEME_HTTP_OR_HTTPS
								     : WK_SCHEME_ANY,
		};

		expect(&c->look, &others, c->strict);
	}
}

static void two_hosts_are_malformed(void **state)
{
	static const uint8_t block[] = "\x83\x86\x04\x1e" RIG_PATH_NAME "\x0f\x10\x10" RIG_GRPC
				       "\x00\x02te\x08trailers"
				       "\x00\x04host\x01x\x00\x04host\x01x";
	struct rig_conf conf = rig_conf_default;
	struct h2w_fields fields;
	uint8_t bytes[600];
	struct rig *rig;

	(void)state;
	conf.form.any_host = true;
	rig = rig_new(&conf);
	rig_connect(rig);
	rig_greet(rig);
	rig_send(rig, WK_C2S, PAIR_ACK | PAIR_PSH, bytes,
		 h2w_frame(bytes, H2W_HEADERS, H2W_END_HEADERS | H2W_END_STREAM, 1, block,
			   sizeof(block) - 1));
	assert_int_equal(rig->stats.call[WK_CALL_REFUSED_TWICE], 1);
	assert_int_equal(rig_server_headers(rig, &fields), 0);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_takes_grpc_calls_alone_unless_its_keys_say_less),
		cmocka_unit_test(a_key_says_nothing_of_the_other_rules),
		cmocka_unit_test(two_hosts_are_malformed),
	};

	return cmocka_run_group_tests_name("inspect_form", tests, rig_eal_start, rig_eal_stop);
}
