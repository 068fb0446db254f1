/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration file may say, and what becomes of it. WK_CONFIG_DIR is the folder of the
 * files that come with the program. */
#include "../support/conf_kit.h"

static void an_included_file_is_part_of_the_file(void **state)
{
	static const char inc[] = "\nmtu = 1400;\nlog = { level = \"debug\"; };\n";
	struct wk_conf *conf;

	(void)state;
	write_file("more.inc", inc, sizeof(inc) - 1);
	conf = load(BASE "  @include \"more.inc\"\nidle = \"spin\";\n");
	assert_int_equal(conf->mtu, 1400);
	assert_string_equal(conf->log.level, "debug");
	assert_false(conf->idle_sleep);
	wk_conf_free(conf);
}

static void names_comments_and_strings_are_no_integers(void **state)
{
	struct wk_conf *conf = load(
		BASE
		"# 99999999999\n// 99999999999 @include \"x\"\n/* 99999999999\n@include \"x\" */\n"
		"groups = { g-99999999999 = [ \"10.0.0.1\" ]; };\n"
		"instance = \"99999999999\"; eal = [ \"/* \\\" 99999999999\" ];\n"
		"mtu = 0x5dc; limits = { flows = 4096L; hold_us : 500 };");

	(void)state;
	assert_int_equal(conf->mtu, 1500);
	assert_int_equal(conf->limits.flows, 4096);
	assert_int_equal(conf->limits.hold_us, 500);
	assert_string_equal(conf->eal.v[0], "/* \" 99999999999");
	wk_conf_free(conf);
}

static void what_is_left_out_has_its_default(void **state)
{
	struct wk_conf *conf = load(BASE), *defaults = wk_conf_defaults();

	(void)state;
	assert_non_null(defaults);
	assert_int_equal(defaults->n_ports, 0);
	for (uint32_t i = 0; i < 2; i++) {
		const struct wk_conf *c = i == 0 ? conf : defaults;

		assert_string_equal(c->instance, "wicket");
		assert_int_equal(c->workers, 1);
		assert_int_equal(c->rss, WK_CONF_RSS_AUTO);
		assert_int_equal(c->hpack, WK_CONF_HPACK_KEEP);
		assert_int_equal(c->revoke, WK_CONF_REVOKE_NEXT_CALL);
		assert_int_equal(c->limits.handover, 1024);
		assert_true(c->idle_sleep);
		assert_int_equal(c->mtu, 1500);
		assert_int_equal(c->default_action, WK_CONF_PASS);
		assert_string_equal(c->log.level, "notice");
		assert_string_equal(c->log.file, "-");
		assert_string_equal(c->events.file, "");
		assert_int_equal(c->events.per_second, 1000);
		assert_int_equal(c->limits.flows, 65536);
		assert_int_equal(c->limits.hold_us, 1000);
		assert_int_equal(c->limits.header_list_kib, 64);
		assert_int_equal(c->limits.idle_s, 7440);
		assert_int_equal(c->on.mid_stream, WK_CONF_ON_RESET);
		assert_int_equal(c->on.table_full, WK_CONF_ON_DROP);
		assert_int_equal(c->on.tunnel, WK_CONF_ON_DROP);
		assert_int_equal(c->on.fragment, WK_CONF_ON_REASSEMBLE);
		assert_int_equal(c->n_services, 0);
		assert_int_equal(c->n_acl, 0);
	}
	wk_conf_free(conf);
	wk_conf_free(defaults);
}

#define FULL                                                                                       \
	"version = 1; instance = \"w2\"; workers = 3; rss = \"nic\"; idle = \"spin\"; "            \
	"hpack = \"reencode-always\"; revoke = \"end-streams\"; "                                  \
	"mtu = 9000;\n"                                                                            \
	"eal = [ \"-l\", \"0,1\", \"a\\\\b\\\"c\" ];\n"                                            \
	"ports = ( { name = \"o\"; device = \"0000:3b:00.0,x=1\"; mtu = 1500; },\n"                \
	" { name = \"i\"; device = \"net_memif0,role=server\"; mtu = 1500; },\n"                   \
	" { name = \"p\"; device = \"net_pcap0,rx_pcap=/a\"; },\n"                                 \
	" { name = \"q\"; device = \"net_ring0\"; } );\n"                                          \
	"wires = ( { client = \"i\"; server = \"o\"; }, { client = \"p\"; server = \"q\"; } );\n"  \
	"groups = { pub-1 = [ \"10.11.0.0/16\", \"fd00:11::/48\" ]; two = ( \"10.0.0.1\" ); };\n"  \
	"services = ( { name = \"one\"; addresses = [ \"10.12.0.0/24\", \"fd00:12::10\" ];\n"      \
	"  port = 50051; mode = \"audit\"; unlisted_source = \"reply\"; reply = \"grpc\";\n"       \
	"  http_method = \"any\"; content_type = \"any\"; te = \"optional\";"                      \
	"  scheme = \"https\"; host = \"any\";\n"                                                  \
	"  access = ( { name = \"r1\"; from = [ \"@pub-1\", \"0.0.0.0/0\" ];\n"                    \
	"    allow = [ \"/S/M\", \"@health\" ]; deny = [ \"/T/*\" ]; } ,\n"                        \
	"   { name = \"r2\"; from = [ \"@two\" ]; allow = [ ]; } ); },\n"                          \
	" { name = \"two\"; addresses = [ \"10.12.0.0/24\", \"fd00::/16\" ];\n"                    \
	"  port = [ 443, 8443, 65535 ]; } );\n"                                                    \
	"acl = ( { from = [ \"@two\" ]; to = [ \"10.0.0.0/8\" ]; proto = \"udp\"; port = "         \
	"\"1-9\";\n"                                                                               \
	"   action = \"drop\"; }, { proto = 47; vlan = 0; action = \"pass\"; },\n"                 \
	" { proto = \"tcp\"; port = 22; action = \"drop\"; }, { action = \"pass\"; } );\n"         \
	"default = \"drop\"; log = { level = \"debug\"; file = \"/var/log/w\"; };\n"               \
	"events = { file = \"-\"; per_second = 7; };\n"                                            \
	"limits = { flows = 64; syn_s = 9; };\n"                                                   \
	"on = { mid_stream = \"pass\"; fragment = \"pass\"; };\n"

static void expect_general(const struct wk_conf *conf)
{
	assert_string_equal(conf->instance, "w2");
	assert_int_equal(conf->workers, 3);
	assert_int_equal(conf->rss, WK_CONF_RSS_NIC);
	assert_int_equal(conf->hpack, WK_CONF_HPACK_REENCODE);
	assert_int_equal(conf->revoke, WK_CONF_REVOKE_END_STREAMS);
	assert_string_equal(conf->file, path);
	assert_false(conf->idle_sleep);
	assert_int_equal(conf->eal.n, 3);
	assert_string_equal(conf->eal.v[2], "a\\b\"c");
	assert_int_equal(conf->n_ports, 4);
	assert_string_equal(conf->ports[1].device, "net_memif0,role=server");
	assert_int_equal(conf->ports[1].mtu, 1500);
	assert_int_equal(conf->ports[2].mtu, 0);
	assert_int_equal(conf->n_wires, 2);
	assert_int_equal(conf->wires[0].client, 1);
	assert_int_equal(conf->wires[0].server, 0);
	assert_int_equal(conf->default_action, WK_CONF_DROP);
	assert_int_equal(conf->events.per_second, 7);
	assert_int_equal(conf->limits.syn_s, 9);
	assert_int_equal(conf->on.mid_stream, WK_CONF_ON_PASS);
	assert_int_equal(conf->on.fragment, WK_CONF_ON_PASS);
}

static void expect_services(const struct wk_conf *conf)
{
	const struct wk_conf_service *one = &conf->services[0];

	assert_int_equal(conf->n_services, 2);
	assert_int_equal(one->ports.n, 1);
	assert_int_equal(one->ports.v[0], 50051);
	assert_int_equal(conf->services[1].ports.n, 3);
	assert_int_equal(conf->services[1].ports.v[2], 65535);
	assert_int_equal(one->mode, WK_CONF_AUDIT);
	assert_int_equal(one->unlisted_source, WK_CONF_UNLISTED_REPLY);
	assert_int_equal(one->reply, WK_CONF_REPLY_GRPC);
	assert_true(one->any_method);
	assert_true(one->any_type);
	assert_true(one->te_optional);
	assert_true(one->any_host);
	assert_int_equal(one->scheme, WK_CONF_SCHEME_HTTPS);
	assert_int_equal(one->addresses.n, 2);
	assert_int_equal(one->addresses.v[0].len, 24);
	assert_int_equal(one->addresses.v[1].family, 6);
	assert_int_equal(one->addresses.v[1].len, 128);
	assert_int_equal(one->at.line, 9);
	assert_string_equal(one->at.file, path);
	assert_int_equal(conf->services[1].mode, WK_CONF_ENFORCE);
	assert_false(conf->services[1].any_method);
	assert_false(conf->services[1].any_type);
	assert_false(conf->services[1].te_optional);
	assert_false(conf->services[1].any_host);
	assert_int_equal(conf->services[1].scheme, WK_CONF_SCHEME_HTTP_OR_HTTPS);
}

static void expect_access(const struct wk_conf_service *one)
{
	static const uint8_t group[4] = { 10, 11, 0, 0 }, six[4] = { 0xfd, 0, 0, 0x11 };

	assert_int_equal(one->n_access, 2);
	assert_int_equal(one->access[0].at.line, 12);
	assert_int_equal(one->access[0].from.n, 3);
	assert_memory_equal(one->access[0].from.v[0].addr, group, 4);
	assert_memory_equal(one->access[0].from.v[1].addr, six, 4);
	assert_int_equal(one->access[0].from.v[2].len, 0);
	assert_string_equal(one->access[0].allow.v[1], "@health");
	assert_string_equal(one->access[0].deny.v[0], "/T/*");
	assert_int_equal(one->access[1].from.n, 1);
}

static void expect_acl(const struct wk_conf *conf)
{
	assert_int_equal(conf->n_acl, 4);
	assert_int_equal(conf->acl[0].proto, 17);
	assert_int_equal(conf->acl[0].port_low, 1);
	assert_int_equal(conf->acl[0].port_high, 9);
	assert_int_equal(conf->acl[0].vlan, -1);
	assert_int_equal(conf->acl[0].action, WK_CONF_DROP);
	assert_int_equal(conf->acl[1].proto, 47);
	assert_int_equal(conf->acl[1].vlan, 0);
	assert_int_equal(conf->acl[1].port_high, 65535);
	assert_int_equal(conf->acl[2].port_low, 22);
	assert_int_equal(conf->acl[2].port_high, 22);
	assert_int_equal(conf->acl[3].proto, WK_CONF_PROTO_ANY);
	assert_int_equal(conf->acl[3].from.n, 0);
}

static void every_key_arrives_in_its_field(void **state)
{
	struct wk_conf *conf = load(FULL);

	(void)state;
	expect_general(conf);
	expect_services(conf);
	expect_access(&conf->services[0]);
	expect_acl(conf);
	wk_conf_free(conf);
}

static char *dump(const struct wk_conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	wk_conf_dump(conf, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void a_dump_loads_to_the_same(void **state)
{
	static const char *const texts[] = {
		BASE,
		FULL,
		SVC(RULE_WITH("vlans = [ 7, 4094 ]; ingress = [ \"a\" ]; authority = [ \"*.x\" ]; "
			      "headers = ( { name = \"a\"; }, { name = \"b\"; value = \"\"; } ); "
			      "reply = \"grpc\";")),
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT(texts); i++) {
		struct wk_conf *first = load(texts[i]), *second;
		char *text = dump(first), *again;

		second = load(text);
		again = dump(second);
		assert_string_equal(text, again);
		assert_null(wk_conf_needs_restart(first, second));
		assert_int_equal(second->n_services, first->n_services);
		free(text);
		free(again);
		wk_conf_free(first);
		wk_conf_free(second);
	}
}

static void a_dump_of_the_defaults_names_every_key(void **state)
{
	static const char *const keys[] = {
		"# version:",
		"# ports:",
		"#   device:",
		"# services:",
		"#   access:",
		"#     deny:",
		"# acl:",
		"#   vlan:",
		"hold_us = 1000;",
		"(us; 100 to 100000; default 1000; restart)",
		"mid_stream = \"reset\";",
		"reset | drop | pass; default \"reset\"; reload)",
		"# groups:",
		"default = \"pass\";",
		"events = {",
	};
	struct wk_conf *conf = wk_conf_defaults();
	char *text = dump(conf);

	(void)state;
	for (uint32_t i = 0; i < COUNT(keys); i++)
		if (strstr(text, keys[i]) == NULL)
			fail_msg("no %s in\n%s", keys[i], text);
	free(text);
	wk_conf_free(conf);
}

static void what_a_reload_cannot_change_is_named(void **state)
{
	static const struct {
		const char *text;
		const char *key; /* NULL: a reload does it */
	} t[] = {
		{ BASE, NULL },
		{ BASE "instance = \"other\";", "instance" },
		{ BASE "mtu = 1400;", "mtu" },
		{ BASE "idle = \"spin\";", "idle" },
		{ BASE "eal = [ \"-l\", \"0\" ];", "eal" },
		{ BASE "limits = { flows = 128; };", "limits.flows" },
		{ BASE "limits = { syn_s = 31; };", "limits.syn_s" },
		{ "version = 1; " PORTS "wires = ( { client = \"b\"; server = \"a\"; } );",
		  "wires" },
		{ "version = 1; ports = ( " PORT("a", "net_tap0") ", " PORT(
			  "b", "net_tap2") " ); " WIRES,
		  "ports" },
		{ "version = 1; ports = ( " PORT("a", "net_tap0") ", " PORT(
			  "c", "net_tap1") " );"
					   "wires = ( { client = \"a\"; server = \"c\"; } );",
		  "ports" },
		{ SVC(""), NULL },
		{ BASE "acl = ( { action = \"drop\"; } ); default = \"drop\";", NULL },
		{ BASE "on = { tls = \"drop\"; }; events = { per_second = 5; };", NULL },
		{ BASE "log = { level = \"debug\"; };", NULL },
	};
	struct wk_conf *running = load(BASE);

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++) {
		struct wk_conf *next = load(t[i].text);
		const char *key = wk_conf_needs_restart(running, next);

		if (t[i].key == NULL)
			assert_null(key);
		else if (key == NULL)
			fail_msg("%s", t[i].text);
		else
			assert_string_equal(key, t[i].key);
		wk_conf_free(next);
	}
	wk_conf_free(running);
}

static void prefixes_are_read_as_they_stand(void **state)
{
	struct wk_conf_prefix p;
	static const uint8_t six[16] = { 0xfd, [15] = 1 };

	(void)state;
	assert_null(wk_conf_prefix_parse("fd00::1", &p));
	assert_int_equal(p.len, 128);
	assert_memory_equal(p.addr, six, 16);
	assert_null(wk_conf_prefix_parse("::/0", &p));
	assert_int_equal(p.len, 0);
	assert_null(wk_conf_prefix_parse("10.0.0.128/25", &p));
	assert_int_equal(p.family, 4);
	assert_non_null(wk_conf_prefix_parse("10.0.0.129/25", &p));
	assert_non_null(wk_conf_prefix_parse("10.0.0.1/32/32", &p));
	assert_non_null(wk_conf_prefix_parse(" 10.0.0.1", &p));
	assert_non_null(wk_conf_prefix_parse("010.0.0.1", &p));
	assert_non_null(wk_conf_prefix_parse("fe80::1%eth0", &p));
	assert_non_null(wk_conf_prefix_parse("/8", &p));
}

static void every_file_that_comes_along_loads(void **state)
{
	DIR *d = opendir(WK_CONFIG_DIR);
	struct dirent *entry;
	uint32_t n = 0;

	(void)state;
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');
		struct wk_conf_error err;
		struct wk_conf *conf;
		char file[512];

		if (dot == NULL || strcmp(dot, ".conf") != 0)
			continue;
		snprintf(file, sizeof(file), "%s/%s", WK_CONFIG_DIR, entry->d_name);
		if (wk_conf_load(file, &conf, &err) != 0)
			fail_msg("%s", err.text);
		assert_int_equal(conf->n_services, 1);
		wk_conf_free(conf);
		n++;
	}
	closedir(d);
	assert_true(n >= 3);
}

static void the_open_door_differs_in_its_mode_only(void **state)
{
	struct wk_conf_error err;
	struct wk_conf *shut, *open;
	char *a, *b, *mode;

	(void)state;
	assert_int_equal(wk_conf_load(WK_CONFIG_DIR "/cloud-city.conf", &shut, &err), 0);
	assert_int_equal(wk_conf_load(WK_CONFIG_DIR "/cloud-city-open.conf", &open, &err), 0);
	assert_null(wk_conf_needs_restart(shut, open));
	assert_int_equal(shut->services[0].mode, WK_CONF_ENFORCE);
	assert_int_equal(open->services[0].mode, WK_CONF_OFF);
	open->services[0].mode = WK_CONF_ENFORCE;
	a = dump(shut);
	b = dump(open);
	assert_string_equal(a, b);
	mode = strstr(a, "    mode = \"enforce\";");
	assert_non_null(mode);
	free(a);
	free(b);
	wk_conf_free(shut);
	wk_conf_free(open);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_included_file_is_part_of_the_file),
		cmocka_unit_test(names_comments_and_strings_are_no_integers),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(every_key_arrives_in_its_field),
		cmocka_unit_test(a_dump_loads_to_the_same),
		cmocka_unit_test(a_dump_of_the_defaults_names_every_key),
		cmocka_unit_test(what_a_reload_cannot_change_is_named),
		cmocka_unit_test(prefixes_are_read_as_they_stand),
		cmocka_unit_test(every_file_that_comes_along_loads),
		cmocka_unit_test(the_open_door_differs_in_its_mode_only),
	};

	return cmocka_run_group_tests_name("conf", tests, make_dir, remove_dir);
}
