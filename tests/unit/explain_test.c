/* SPDX-License-Identifier: Apache-2.0 */
/* What --explain says, and its exit code. */
#include "../support/conf_kit.h"
#include "explain.h"

static const char text[] =
	"version = 1; " PORTS WIRES "\n"
	"services = (\n"
	"{ name = \"door\"; addresses = [ \"10.1.0.1\", \"fd00::/64\" ]; port = 50051;\n"
	"  access = (\n"
	"  { name = \"all\"; from = [ \"0.0.0.0/0\", \"::/0\" ]; allow = [ \"/S/Get\" ]; },\n"
	"  { name = \"cond\"; from = [ \"10.0.0.0/8\" ]; vlans = [ 7 ];\n"
	"    headers = ( { name = \"x-role\"; value = \"regex:a.*\"; } );\n"
	"    authority = [ \"door.example\" ]; allow = [ \"regex:/S/Set.*\" ];\n"
	"    deny = [ \"/S/Get\" ]; reply = \"grpc\"; }\n"
	"  ); },\n"
	"{ name = \"open\"; addresses = [ \"10.1.0.2\" ]; port = 1; mode = \"off\"; },\n"
	"{ name = \"shut\"; addresses = [ \"10.1.0.3\" ]; port = [ 9, 1 ]; }\n"
	");\n";

struct row {
	struct wk_args_call call;
	int rc;
	const char *says[3];
};

static const struct row verdicts[] = {
	{ { .from = "1.2.3.4", .to = "10.1.0.1:50051", .path = "/S/Get" },
	  WK_EXIT_OK,
	  { "allowed: ", "decided by rule \"all\" at ", ":5" } },
	{ { .from = "fd01::1", .to = "[fd00::9]:50051", .path = "/S/Get" },
	  WK_EXIT_OK,
	  { "allowed: ", "service \"door\"", ":3, mode enforce" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.1:50051", .path = "/S/Set" },
	  WK_EXIT_DENY,
	  { "(denied_method)", "also in rule \"all\"", "reply http-403" } },
	{ { .from = "10.2.3.4", .to = "10.1.0.1:50051", .path = "/S/SetX", .vlan = "7" },
	  WK_EXIT_DENY,
	  { "(denied_condition)", "\"cond\" at ", "reply grpc" } },
	{ { .from = "10.2.3.4",
	    .to = "10.1.0.1:50051",
	    .path = "/S/SetX",
	    .vlan = "7",
	    .authority = "door.example:50051",
	    .headers = { "x-role=admin" },
	    .n_headers = 1,
	    .ingress = "a" },
	  WK_EXIT_OK,
	  { "allowed: ", "decided by rule \"cond\" at ", ":6" } },
	{ { .from = "10.2.3.4",
	    .to = "10.1.0.1:50051",
	    .path = "/S/Get",
	    .vlan = "7",
	    .authority = "door.example",
	    .headers = { "x-role=admin" },
	    .n_headers = 1 },
	  WK_EXIT_DENY,
	  { "(denied_rule)", "decided by rule \"cond\"", "reply grpc" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.2:1", .path = "/S/Get" },
	  WK_EXIT_OK,
	  { "allowed: ", "(unguarded)", "mode off" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.3:1", .path = "/S/Get" },
	  WK_EXIT_DENY,
	  { "(denied_source)", "unlisted_source = \"drop\"", "" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.3:9", .path = "/S/Get" },
	  WK_EXIT_DENY,
	  { "(denied_source)", "service \"shut\"", "" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.3:2", .path = "/S/Get" },
	  WK_EXIT_OK,
	  { "not guarded", "10.1.0.3:2", "" } },
};

static const struct row refused[] = {
	{ { .from = "1.2.3", .to = "10.1.0.3:1", .path = "/" },
	  WK_EXIT_USAGE,
	  { "--from 1.2.3 is not", "", "" } },
	{ { .from = "10.0.0.0/8", .to = "10.1.0.3:1", .path = "/" },
	  WK_EXIT_USAGE,
	  { "is a prefix", "", "" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.3", .path = "/" },
	  WK_EXIT_USAGE,
	  { "is not ADDRESS:PORT", "", "" } },
	{ { .from = "1.2.3.4", .to = "[fd00::1:1", .path = "/" },
	  WK_EXIT_USAGE,
	  { "is not ADDRESS:PORT", "", "" } },
	{ { .from = "1.2.3.4", .to = "[fd00::1]:1", .path = "/" },
	  WK_EXIT_USAGE,
	  { "two address families", "", "" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.3:99999", .path = "/" },
	  WK_EXIT_USAGE,
	  { "out of range", "", "" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.3:1", .path = "/", .vlan = "4095" },
	  WK_EXIT_USAGE,
	  { "--vlan 4095 is out of range", "", "" } },
	{ { .from = "1.2.3.4", .to = "10.1.0.3:1", .path = "/", .ingress = "b" },
	  WK_EXIT_USAGE,
	  { "--ingress b", "", "" } },
	{ { .from = "1.2.3.4",
	    .to = "10.1.0.3:1",
	    .path = "/",
	    .headers = { "x" },
	    .n_headers = 1 },
	  WK_EXIT_USAGE,
	  { "is not NAME=VALUE", "", "" } },
};

static void check(const struct wk_conf *conf, const struct row *row)
{
	char *said = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&said, &size);

	assert_non_null(f);
	assert_int_equal(wk_explain(conf, &row->call, f, f), row->rc);
	assert_int_equal(fclose(f), 0);
	for (uint32_t i = 0; i < COUNT(row->says); i++)
		if (strstr(said, row->says[i]) == NULL)
			fail_msg("from %s to %s: no '%s' in: %s", row->call.from, row->call.to,
				 row->says[i], said);
	free(said);
}

static void the_verdict_comes_with_its_rule_and_line(void **state)
{
	struct wk_conf *conf = load(text);

	(void)state;
	for (uint32_t i = 0; i < COUNT(verdicts); i++)
		check(conf, &verdicts[i]);
	wk_conf_free(conf);
}

static void what_is_no_call_is_refused_by_its_name(void **state)
{
	struct wk_conf *conf = load(text);

	(void)state;
	for (uint32_t i = 0; i < COUNT(refused); i++)
		check(conf, &refused[i]);
	wk_conf_free(conf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_comes_with_its_rule_and_line),
		cmocka_unit_test(what_is_no_call_is_refused_by_its_name),
	};

	return cmocka_run_group_tests_name("explain", tests, make_dir, remove_dir);
}
