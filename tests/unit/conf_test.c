/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration file may say, and where a message points to when it says something else.
 * WK_CONFIG_DIR is the folder of the files that come with the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "wk_conf.h"

#define COUNT(a) (uint32_t)(sizeof(a) / sizeof((a)[0]))

#define PORTS                                                                                      \
	"ports = ( { name = \"a\"; device = \"net_tap0\"; }, "                                     \
	"{ name = \"b\"; device = \"net_tap1\"; } ); "
#define WIRES "wires = ( { client = \"a\"; server = \"b\"; } );"
/* Line 1; what a case adds begins in line 2. */
#define BASE "version = 1; " PORTS WIRES "\n"
#define RULE "{ name = \"r\"; from = [ \"10.0.0.0/8\" ]; allow = [ \"/S/M\" ]; }"
#define SVC(more)                                                                                  \
	BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = 50051;\n" more     \
	     " } );"

static char dir[64];
static char path[128];

static void write_file(const char *name, const char *text, size_t len_b)
{
	char file[192];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len_b, f), len_b);
	assert_int_equal(fclose(f), 0);
}

static int load_n(const char *text, size_t len_b, struct wk_conf **conf, struct wk_conf_error *err)
{
	write_file("t.conf", text, len_b);
	return wk_conf_load(path, conf, err);
}

static struct wk_conf *load(const char *text)
{
	struct wk_conf_error err;
	struct wk_conf *conf = NULL;

	if (load_n(text, strlen(text), &conf, &err) != 0)
		fail_msg("%s", err.text);
	assert_non_null(conf);
	return conf;
}

/* "FILE:line: ... fragment ..." with FILE in the test's folder. */
static void refuses(const char *text, size_t len_b, const char *file, uint32_t line,
		    const char *fragment)
{
	struct wk_conf *conf = (void *)1;
	struct wk_conf_error err;
	char start[192];

	snprintf(start, sizeof(start), "%s/%s:%u: ", dir, file, line);
	assert_int_equal(load_n(text, len_b, &conf, &err), -EINVAL);
	assert_null(conf);
	if (strncmp(err.text, start, strlen(start)) != 0 || strstr(err.text, fragment) == NULL)
		fail_msg("got '%s', not '%s...%s'\nof: %s", err.text, start, fragment, text);
}

static const struct {
	const char *text;
	uint32_t line;
	const char *fragment;
} bad_forms[] = {
	/* The form itself. */
	{ "", 1, "version is missing" },
	{ "version = 1;\n" PORTS, 1, "wires is missing" },
	{ "version = 1;\n" WIRES, 1, "ports is missing" },
	{ PORTS WIRES, 1, "version is missing" },
	{ "\nversion = 2;\n" PORTS WIRES, 2, "version is 2" },
	{ "version = \"1\";\n" PORTS WIRES, 1, "version must be an integer" },
	{ BASE "\n\nports = ( );", 4, "duplicate setting name" },
	{ BASE "mtu = ;", 2, "syntax error" },
	{ BASE "mtu 1500;", 2, "syntax error" },
	{ BASE "groups = { a = [ \"10.0.0.1\", 5 ]; };", 2, "mismatched element type" },
	{ BASE "groups = {\n a = [ \"10.0.0.1\" ];\n", 4, "syntax error" },
	{ BASE "\nlog = { level = \"info; };\n\n", 3, "string without an end" },
	{ BASE "/* all the rest\nmtu = 1400;\n", 2, "comment without an end" },
	{ BASE "sevices = ( );", 2, "unknown key \"sevices\", do you mean \"services\"?" },
	{ BASE "zzz = 1;", 2, "unknown key \"zzz\"" },
	{ BASE "limits = {\n flow = 64; };", 3,
	  "unknown key \"flow\" in limits, do you mean \"fl" },
	{ BASE "limits = ( 64 );", 2, "limits must be a group" },
	{ BASE "limits = 5;", 2, "limits must be a group" },
	{ BASE "groups = [ \"10.0.0.1\" ];", 2, "groups must be a group" },
	/* Integers. */
	{ BASE "mtu = 99999999999;", 2, "99999999999 does not fit" },
	{ BASE "limits = {\n flows = 4294967360; };", 3, "4294967360 does not fit" },
	{ BASE "mtu = 0xfffffffff;", 2, "0xfffffffff does not fit" },
	{ BASE "mtu = 4294968796L;", 2, "does not fit" },
	{ BASE "mtu = -4294965796;", 2, "does not fit" },
	{ BASE "mtu=99999999999999999999999999999999999999999999999999999999999999999999999;", 2,
	  "does not fit" },
	{ BASE "mtu = 575;", 2, "mtu is 575, not 576 to 9216" },
	{ BASE "mtu = 9217;", 2, "not 576 to 9216" },
	{ BASE "mtu = -1500;", 2, "mtu is -1500" },
	{ BASE "mtu = 1500.0;", 2, "mtu must be an integer" },
	{ BASE "mtu = true;", 2, "mtu must be an integer" },
	{ BASE "mtu = \"1500\";", 2, "mtu must be an integer" },
	{ BASE "workers = 2;", 2, "workers is 2, this version takes only 1" },
	{ BASE "workers = 0;", 2, "workers is 0" },
	{ BASE "limits = { flows = 1; };", 2, "limits.flows is 1, not 64" },
	{ BASE "limits = { idle_s = 60; };", 2, "limits.idle_s is 60, not 7440" },
	{ BASE "events = { per_second = 0; };", 2, "events.per_second is 0" },
	/* Words. */
	{ BASE "idle = \"poll\";", 2, "idle is \"poll\", not one of: spin, sleep" },
	{ BASE "idle = 1;", 2, "idle must be a string" },
	{ BASE "default = \"reject\";", 2, "not one of: pass, drop" },
	{ BASE "log = { level = \"verbose\"; };", 2,
	  "log.level is \"verbose\", not one of: emerg" },
	{ BASE "log = { file = \"wicket.log\"; };", 2, "neither an absolute path" },
	{ BASE "log = { file = \"\"; };", 2, "neither an absolute path" },
	{ BASE "events = { file = \"/var/log/\"; };", 2, "is a folder" },
	{ BASE "on = {\n\n tls = \"forward\"; };", 4, "on.tls is \"forward\", not one of: reset" },
	{ BASE "on = { tunnels = \"pass\"; };", 2, "do you mean \"tunnel\"?" },
	{ BASE "instance = \"\";", 2, "instance \"\" is empty" },
	{ BASE "instance = \"a/b\";", 2, "letters, digits" },
	{ BASE "instance = \"..\";", 2, "may not begin with" },
	{ BASE "instance = \"a\\x07\";", 2, "control character" },
	{ BASE "instance = \"a\\nb\";", 2, "control character" },
	{ BASE "eal = \"-l 0\";", 2, "eal must be an array" },
	{ BASE "eal = [ 1, 2 ];", 2, "eal must be a string" },
	{ BASE "eal = [ \"-l\", \"0\",\n\"--file-prefix=x\" ];", 3, "which `instance` sets" },
	{ BASE "eal = [ \"--proc-type\", \"auto\" ];", 2, "primary process" },
	{ BASE "eal = [ \"--\" ];", 2, "ends EAL's arguments" },
	{ BASE "eal = [ \"\" ];", 2, "empty argument" },
	/* Groups of sources. */
	{ BASE "groups = { a = [ ]; };", 2, "a is empty" },
	{ BASE "groups = { a = \"10.0.0.1\"; };", 2, "a must be an array" },
	{ BASE "groups = { a = [ \"10.0.0.1\" ];\n b-c = [ \"@a\" ]; };", 3,
	  "b-c takes no groups" },
	{ BASE "groups = { a = [\n\"10.0.0.1/33\" ]; };", 3, "not 0 to 32" },
	{ BASE "groups = { a = [ \"10.0.0.1/-1\" ]; };", 2, "not 0 to 32" },
	{ BASE "groups = { a = [ \"10.0.0.1/\" ]; };", 2, "not 0 to 32" },
	{ BASE "groups = { a = [ \"10.0.0.0/08\" ]; };", 2, "not 0 to 32" },
	{ BASE "groups = { a = [ \"fd00::/129\" ]; };", 2, "not 0 to 128" },
	{ BASE "groups = { a = [ \"10.0.0.1/8\" ]; };", 2, "bits set behind" },
	{ BASE "groups = { a = [ \"fd00::1/64\" ]; };", 2, "bits set behind" },
	{ BASE "groups = { a = [ \"10.0.0\" ]; };", 2, "not an IPv4 or IPv6 address" },
	{ BASE "groups = { a = [ \"10.0.0.256\" ]; };", 2, "not an IPv4 or IPv6 address" },
	{ BASE "groups = { a = [ \"door.example\" ]; };", 2, "not an IPv4 or IPv6 address" },
	{ BASE "groups = { a = [ \"\" ]; };", 2, "not an IPv4 or IPv6 address" },
	{ BASE "groups = { a = [ \"::ffff:10.0.0.1\" ]; };", 2, "write it as IPv4" },
	/* Services. */
	{ BASE "services = { name = \"s\"; };", 2, "services must be a list of groups" },
	{ BASE "services = ( \"s\" );", 2, "services must be a list of groups" },
	{ BASE "services = (\n{ addresses = [ \"10.1.0.1\" ]; port = 1; } );", 3,
	  "services.name is missing" },
	{ BASE "services = ( { name = \"s\"; port = 1; } );", 2, "services.addresses is missing" },
	{ BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ]; } );", 2,
	  "services.port is missing" },
	{ BASE "services = ( { name = \"s\"; addresses = [ ]; port = 1; } );", 2,
	  "services.addresses is empty" },
	{ BASE "services = ( { name = \"s\"; addresses = [ \"@g\" ]; port = 1; } );", 2,
	  "services.addresses takes no groups" },
	{ BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = 0; } );", 2,
	  "services.port is 0, not 1 to 65535" },
	{ BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = 65536; } );", 2,
	  "services.port is 65536" },
	{ BASE "services = ( { name = \"a b\"; addresses = [ \"10.1.0.1\" ]; port = 1; } );", 2,
	  "letters, digits" },
	{ BASE "services = ( { name = \"0123456789012345678901234567890123456789012345678901234567"
	       "890123\"; addresses = [ \"10.1.0.1\" ]; port = 1; } );",
	  2, "longer than 63 bytes" },
	{ SVC("mode = \"learn\";"), 3,
	  "services.mode is \"learn\", not one of: enforce, audit, off" },
	{ SVC("unlisted_source = \"pass\";"), 3, "not one of: drop, reset, reply" },
	{ SVC("reply = \"404\";"), 3, "not one of: http-403, grpc, reset" },
	{ SVC("acces = ( );"), 3, "unknown key \"acces\" in services, do you mean \"access\"?" },
	{ SVC("access = ( ); } , { name = \"s\";\naddresses = [ \"10.1.0.2\" ]; port = 1;"), 3,
	  "two services are called \"s\"" },
	{ SVC("} ,\n{ name = \"t\"; addresses = [ \"10.2.0.0\", \"10.1.0.0/24\" ]; port = 50051;"),
	  4, "services \"s\" and \"t\" both have 10.1.0.0/24 port 50051" },
	/* Access rules. */
	{ SVC("access = (\n{ from = [ \"10.0.0.0/8\" ]; allow = [ ]; } );"), 4,
	  "services.access.name is missing" },
	{ SVC("access = ( { name = \"r\"; allow = [ ]; } );"), 3,
	  "services.access.from is missing" },
	{ SVC("access = ( { name = \"r\"; from = [ ]; allow = [ ]; } );"), 3,
	  "services.access.from is empty" },
	{ SVC("access = ( { name = \"r\"; from = [ \"10.0.0.0/8\" ]; } );"), 3,
	  "services.access.allow is missing" },
	{ SVC("access = ( { name = \"r\"; from = [\n\"@nobody\" ]; allow = [ ]; } );"), 4,
	  "there is no group \"@nobody\"" },
	{ SVC("access = ( { name = \"r\"; from = [ \"10.0.0.0/8\" ]; allow = [ 1 ]; } );"), 3,
	  "services.access.allow must be a string" },
	{ SVC("access = ( { name = \"r\"; from = [ \"10.0.0.0/8\" ]; allow = \"/S/M\"; } );"), 3,
	  "services.access.allow must be an array" },
	{ SVC("access = ( { name = \"r\"; from = [ \"10.0.0.0/8\" ]; alow = [ ]; } );"), 3,
	  "unknown key \"alow\" in services.access, do you mean \"allow\"?" },
	{ SVC("access = ( " RULE ",\n" RULE " );"), 4,
	  "two access rules of \"s\" are called \"r\"" },
	/* Plain rules. */
	{ BASE "acl = ( {\nproto = \"tcp\"; } );", 2, "acl.action is missing" },
	{ BASE "acl = ( { action = \"reset\"; } );", 2, "not one of: pass, drop" },
	{ BASE "acl = ( { proto = \"sctp\"; action = \"drop\"; } );", 2, "acl.proto is \"sctp\"" },
	{ BASE "acl = ( { proto = 256; action = \"drop\"; } );", 2, "acl.proto is 256" },
	{ BASE "acl = ( { port = 22; action = \"drop\"; } );", 2, "acl.port needs proto" },
	{ BASE "acl = ( { proto = \"icmp\"; port = 2; action = \"drop\"; } );", 2, "needs proto" },
	{ BASE "acl = ( { proto = \"tcp\"; port = 65536; action = \"drop\"; } );", 2,
	  "acl.port is 65536" },
	{ BASE "acl = ( { proto = \"tcp\"; port = \"9-1\"; action = \"drop\"; } );", 2,
	  "acl.port is \"9-1\"" },
	{ BASE "acl = ( { proto = \"tcp\"; port = \"1-65536\"; action = \"drop\"; } );", 2,
	  "acl.port is" },
	{ BASE "acl = ( { proto = \"tcp\"; port = \"1-2-3\"; action = \"drop\"; } );", 2,
	  "acl.port is" },
	{ BASE "acl = ( { proto = \"tcp\"; port = \"ssh\"; action = \"drop\"; } );", 2,
	  "acl.port is" },
	{ BASE "acl = ( { vlan = 4095; action = \"drop\"; } );", 2, "acl.vlan is 4095" },
	{ BASE "acl = ( { from = [ ]; action = \"drop\"; } );", 2, "acl.from is empty" },
	{ BASE "acl = ( { from = [ \"10.0.0.1\" ]; to = [ \"fd00::1\" ]; action = \"drop\"; } );",
	  2, "no address family in common" },
	/* Limits that contradict each other. */
	{ BASE "limits = {\nflow_hold_kib = 32; };", 3, "below limits.header_block_kib" },
	{ BASE "limits = {\n\nheld_kib = 1024; };", 4, "no room for one connection" },
	{ BASE "limits = {\nhold_us = 10000;\nrto_min_ms = 10; };", 3, "would retransmit" },
};

#define PORT(name, device) "{ name = \"" name "\"; device = \"" device "\"; }"

static const struct {
	const char *text;
	uint32_t line;
	const char *fragment;
} bad_wires[] = {
	{ BASE "limits = { header_block_kib = 200; };", 2, "limits.flow_hold_kib (128) is below" },
	{ "version = 1; ports = ( );\nwires = ( );", 2, "there are no wires" },
	{ "version = 1; ports = ( { name = \"a\"; } );\n" WIRES, 1, "ports.device is missing" },
	{ "version = 1;\nports = ( " PORT("a", "eth0") " );\n" WIRES, 2, "neither a PCI address" },
	{ "version = 1;\nports = ( " PORT("a", "0000:3b:00.8") " );\n" WIRES, 2, "neither a PCI" },
	{ "version = 1;\nports = ( " PORT("a", "000:3b:00.0") " );\n" WIRES, 2, "neither a PCI" },
	{ "version = 1;\nports = ( " PORT("a", "") " );\n" WIRES, 2, "neither a PCI" },
	{ "version = 1;\nports = ( " PORT("a", "net_bonding0") " );\n" WIRES, 2, "neither a PCI" },
	{ "version = 1;\nports = ( " PORT("a", "net_tap0, iface=x") " );\n" WIRES, 2, "a blank" },
	{ "version = 1;\nports = ( " PORT("a", "net_tap/0") " );\n" WIRES, 2, "a device name" },
	{ "version = 1; ports = ( " PORT("a", "net_tap0") ",\n" PORT(
		  "a", "net_tap1") " );\n"
				   "wires = ( { client = \"a\"; server = \"a\"; } );",
	  2, "two ports are called \"a\"" },
	{ "version = 1; ports = ( " PORT("a", "net_tap0,iface=x") ",\n" PORT(
		  "b", "net_tap0,iface=y") " );\n" WIRES,
	  2, "ports \"a\" and \"b\" are the same device" },
	{ "version = 1; ports = ( " PORT("a", "0000:3b:00.0") ",\n" PORT("b",
									 "3B:00.0") " );\n" WIRES,
	  2, "the same device" },
	{ "version = 1; " PORTS "\nwires = ( { client = \"a\"; server = \"c\"; } );", 2,
	  "wires.server: there is no port \"c\"" },
	{ "version = 1; " PORTS "\nwires = ( { client = \"a\"; } );", 2,
	  "wires.server is missing" },
	{ "version = 1; " PORTS "\nwires = ( { client = \"a\"; server = \"a\"; } );", 2,
	  "\"a\" is on both sides" },
	{ "version = 1; " PORTS "\nwires = ( { client = 0; server = 1; } );", 2,
	  "must be a string" },
	{ "version = 1; " PORTS "\nwires = ( { client = \"a\"; server = \"b\"; },\n"
	  "{ client = \"b\"; server = \"a\"; } );",
	  3, "port \"b\" is in another wire already" },
	{ "version = 1; ports = ( " PORT("a", "net_tap0") ", " PORT("b", "net_tap1") ",\n\n" PORT(
		  "c", "net_tap2") " );\n" WIRES,
	  3, "port \"c\" is in no wire" },
	{ "version = 1; ports = ( " PORT("a",
					 "net_tap0") ", { name = \"b\"; device = \"net_tap1\";\n"
						     "mtu = 9000; } );\n" WIRES,
	  3, "differ in mtu: 1500 and 9000" },
	{ "version = 1; ports = ( { name = \"a\"; device = \"net_tap0\";\nmtu = 100; } ); " WIRES,
	  2, "ports.mtu is 100, not 576" },
};

static void a_bad_file_is_refused_at_its_line(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < COUNT(bad_forms); i++)
		refuses(bad_forms[i].text, strlen(bad_forms[i].text), "t.conf", bad_forms[i].line,
			bad_forms[i].fragment);
}

static void bad_ports_and_wires_are_refused_at_their_line(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < COUNT(bad_wires); i++)
		refuses(bad_wires[i].text, strlen(bad_wires[i].text), "t.conf", bad_wires[i].line,
			bad_wires[i].fragment);
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = BASE "\ninstance = \"a\0b\";";

	(void)state;
	refuses(text, sizeof(text) - 1, "t.conf", 3, "NUL byte");
}

static void a_nest_too_deep_is_refused(void **state)
{
	char *text = malloc(60000);

	(void)state;
	assert_non_null(text);
	memcpy(text, "a = ", 4);
	memset(text + 4, '(', 59996);
	refuses(text, 60000, "t.conf", 1, "");
	free(text);
}

static void too_many_elements_are_refused(void **state)
{
	char *text = malloc(400000);
	size_t n = (size_t)sprintf(text, BASE "acl = (");

	(void)state;
	for (uint32_t i = 0; i < WK_CONF_ACL_MAX + 1; i++)
		n += (size_t)sprintf(text + n, "%s{ action = \"drop\"; }", i == 0 ? "\n" : ",\n");
	n += (size_t)sprintf(text + n, " );");
	refuses(text, n, "t.conf", 2, "acl has 4097 elements, the most is 4096");
	free(text);
}

static void what_cannot_be_read_says_so(void **state)
{
	struct wk_conf_error err;
	struct wk_conf *conf = (void *)1;

	(void)state;
	assert_int_equal(wk_conf_load("/nonexistent/wicket.conf", &conf, &err), -ENOENT);
	assert_null(conf);
	assert_string_equal(err.text, "/nonexistent/wicket.conf: No such file or directory");
	assert_int_equal(wk_conf_load(dir, &conf, &err), -EIO);
	assert_non_null(strstr(err.text, "not a regular file"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(wk_conf_load(path, &conf, &err), -EIO);
	unlink(path);
}

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

static void an_error_in_an_included_file_names_it(void **state)
{
	static const struct {
		const char *inc;
		const char *file;
		uint32_t line;
		const char *fragment;
	} t[] = {
		{ "\nmtu = 1;", "more.inc", 2, "mtu is 1" },
		{ "\n\nmtu = 99999999999;", "more.inc", 3, "does not fit" },
		{ "\nmtu = ;", "more.inc", 2, "syntax error" },
		{ "foo = 1;", "more.inc", 1, "unknown key \"foo\"" },
		{ "/* no end", "more.inc", 1, "comment without an end" },
		{ "acl = (\n{ port = 1; action = 1; } );", "more.inc", 2, "acl.action must be" },
		{ "@include \"more.inc\"", "more.inc", 1, "nested more than" },
		{ "@include \"none.inc\"", "more.inc", 1, "none.inc: No such file" },
		{ "mtu = 1400;\n", "t.conf", 4, "default is \"x\"" },
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT(t); i++) {
		static const char text[] = BASE "\n@include \"more.inc\"\ndefault = \"x\";\n";

		write_file("more.inc", t[i].inc, strlen(t[i].inc));
		refuses(text, sizeof(text) - 1, t[i].file, t[i].line, t[i].fragment);
	}
}

static void an_included_folder_is_an_error_and_not_the_end(void **state)
{
	static const struct {
		const char *text;
		const char *fragment;
	} t[] = {
		{ BASE "@include \"sub.d\"", "not a regular file" },
		{ BASE "@include \".\"", "not a regular file" },
		{ BASE "@include \"\"", "takes a path relative" },
		{ BASE "@include \"/etc/passwd\"", "takes a path relative" },
		{ BASE "@include none", "takes a file name in quotes" },
		{ BASE "@include \"x", "string without an end" },
		{ BASE "@include", "takes a file name in quotes" },
	};
	char sub[192];

	(void)state;
	snprintf(sub, sizeof(sub), "%s/sub.d", dir);
	assert_int_equal(mkdir(sub, 0755), 0);
	for (uint32_t i = 0; i < COUNT(t); i++)
		refuses(t[i].text, strlen(t[i].text), "t.conf", 2, t[i].fragment);
	assert_int_equal(rmdir(sub), 0);
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
		assert_int_equal(c->n_services, 0);
		assert_int_equal(c->n_acl, 0);
	}
	wk_conf_free(conf);
	wk_conf_free(defaults);
}

#define FULL                                                                                       \
	"version = 1; instance = \"w2\"; workers = 1; idle = \"spin\"; mtu = 9000;\n"              \
	"eal = [ \"-l\", \"0,1\", \"a\\\\b\\\"c\" ];\n"                                            \
	"ports = ( { name = \"o\"; device = \"0000:3b:00.0,x=1\"; mtu = 1500; },\n"                \
	" { name = \"i\"; device = \"net_memif0,role=server\"; mtu = 1500; },\n"                   \
	" { name = \"p\"; device = \"net_pcap0,rx_pcap=/a\"; },\n"                                 \
	" { name = \"q\"; device = \"net_ring0\"; } );\n"                                          \
	"wires = ( { client = \"i\"; server = \"o\"; }, { client = \"p\"; server = \"q\"; } );\n"  \
	"groups = { pub-1 = [ \"10.11.0.0/16\", \"fd00:11::/48\" ]; two = ( \"10.0.0.1\" ); };\n"  \
	"services = ( { name = \"one\"; addresses = [ \"10.12.0.0/24\", \"fd00:12::10\" ];\n"      \
	"  port = 50051; mode = \"audit\"; unlisted_source = \"reply\"; reply = \"grpc\";\n"       \
	"  access = ( { name = \"r1\"; from = [ \"@pub-1\", \"0.0.0.0/0\" ];\n"                    \
	"    allow = [ \"/S/M\", \"@health\" ]; deny = [ \"/T/*\" ]; } ,\n"                        \
	"   { name = \"r2\"; from = [ \"@two\" ]; allow = [ ]; } ); },\n"                          \
	" { name = \"two\"; addresses = [ \"10.12.0.0/24\" ]; port = 443; } );\n"                  \
	"acl = ( { from = [ \"@two\" ]; to = [ \"10.0.0.0/8\" ]; proto = \"udp\"; port = "         \
	"\"1-9\";\n"                                                                               \
	"   action = \"drop\"; }, { proto = 47; vlan = 0; action = \"pass\"; },\n"                 \
	" { proto = \"tcp\"; port = 22; action = \"drop\"; }, { action = \"pass\"; } );\n"         \
	"default = \"drop\"; log = { level = \"debug\"; file = \"/var/log/w\"; };\n"               \
	"events = { file = \"-\"; per_second = 7; };\n"                                            \
	"limits = { flows = 64; syn_s = 9; };\n"                                                   \
	"on = { mid_stream = \"pass\"; fragment = \"pass\"; };\n"

static void every_key_arrives_in_its_field(void **state)
{
	struct wk_conf *conf = load(FULL);
	const struct wk_conf_service *one = &conf->services[0];
	static const uint8_t group[4] = { 10, 11, 0, 0 }, six[4] = { 0xfd, 0, 0, 0x11 };

	(void)state;
	assert_string_equal(conf->instance, "w2");
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
	assert_int_equal(conf->n_services, 2);
	assert_int_equal(one->port, 50051);
	assert_int_equal(one->mode, WK_CONF_AUDIT);
	assert_int_equal(one->unlisted_source, WK_CONF_UNLISTED_REPLY);
	assert_int_equal(one->reply, WK_CONF_REPLY_GRPC);
	assert_int_equal(one->addresses.n, 2);
	assert_int_equal(one->addresses.v[0].len, 24);
	assert_int_equal(one->addresses.v[1].family, 6);
	assert_int_equal(one->addresses.v[1].len, 128);
	assert_int_equal(one->at.line, 9);
	assert_string_equal(one->at.file, path);
	assert_int_equal(one->n_access, 2);
	assert_int_equal(one->access[0].at.line, 11);
	assert_int_equal(one->access[0].from.n, 3);
	assert_memory_equal(one->access[0].from.v[0].addr, group, 4);
	assert_memory_equal(one->access[0].from.v[1].addr, six, 4);
	assert_int_equal(one->access[0].from.v[2].len, 0);
	assert_string_equal(one->access[0].allow.v[1], "@health");
	assert_string_equal(one->access[0].deny.v[0], "/T/*");
	assert_int_equal(one->access[1].from.n, 1);
	assert_int_equal(conf->services[1].mode, WK_CONF_ENFORCE);
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
	assert_int_equal(conf->default_action, WK_CONF_DROP);
	assert_int_equal(conf->events.per_second, 7);
	assert_int_equal(conf->limits.syn_s, 9);
	assert_int_equal(conf->on.mid_stream, WK_CONF_ON_PASS);
	assert_int_equal(conf->on.fragment, WK_CONF_ON_PASS);
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
	static const char *const texts[] = { BASE, FULL };

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

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/wicket-conf-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/t.conf", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char file[192];

	(void)state;
	snprintf(file, sizeof(file), "%s/more.inc", dir);
	unlink(file);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_file_is_refused_at_its_line),
		cmocka_unit_test(bad_ports_and_wires_are_refused_at_their_line),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_nest_too_deep_is_refused),
		cmocka_unit_test(too_many_elements_are_refused),
		cmocka_unit_test(what_cannot_be_read_says_so),
		cmocka_unit_test(an_included_file_is_part_of_the_file),
		cmocka_unit_test(an_error_in_an_included_file_names_it),
		cmocka_unit_test(an_included_folder_is_an_error_and_not_the_end),
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
