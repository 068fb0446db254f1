/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration file may not say, and where the message points to. */
#include "../support/conf_kit.h"

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
	{ BASE "workers = 33;", 2, "workers is 33" },
	{ BASE "workers = 0;", 2, "workers is 0" },
	{ BASE "revoke = \"now\";", 2, "not one of: next-call, end-streams" },
	{ BASE "hpack = \"always\";", 2, "not one of: keep, reencode-always" },
	{ BASE "rss = \"hardware\";", 2, "not one of: auto, software, nic" },
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
	{ BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = \"1\"; } );", 2,
	  "services.port must be an integer" },
	{ BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ];\n port = [ ]; } );", 3,
	  "services.port is empty" },
	{ BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = [ 1,\n0 ]; } );",
	  3, "services.port is 0, not 1 to 65535" },
	{ BASE
	  "services = (\n{ name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = [ 7, 1, 7 ]; } );",
	  3, "service \"s\" has port 7 twice" },
	{ BASE
	  "services = (\n{ name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = [ 1,2,3,4,5,6,7,8,"
	  "9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,"
	  "37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,"
	  "65 ]; } );",
	  3, "service \"s\" has 65 ports, not 1 to 64" },
	{ BASE "services = ( { name = \"a b\"; addresses = [ \"10.1.0.1\" ]; port = 1; } );", 2,
	  "letters, digits" },
	{ BASE "services = ( { name = \"0123456789012345678901234567890123456789012345678901234567"
	       "890123\"; addresses = [ \"10.1.0.1\" ]; port = 1; } );",
	  2, "longer than 63 bytes" },
	{ SVC("mode = \"learn\";"), 3,
	  "services.mode is \"learn\", not one of: enforce, audit, off" },
	{ SVC("unlisted_source = \"pass\";"), 3, "not one of: drop, reset, reply" },
	{ SVC("reply = \"404\";"), 3, "not one of: http-403, grpc, reset" },
	{ SVC("http_method = \"get\";"), 3,
	  "services.http_method is \"get\", not one of: post, any" },
	{ SVC("content_type = \"\";"), 3, "not one of: grpc, any" },
	{ SVC("te = \"any\";"), 3, "services.te is \"any\", not one of: trailers, optional" },
	{ SVC("scheme = \"ftp\";"), 3, "not one of: http-or-https, http, https, any" },
	{ SVC("host = \"doors.example\";"), 3, "not one of: authority, any" },
	{ SVC("te = true;"), 3, "services.te" },
	{ SVC("acces = ( );"), 3, "unknown key \"acces\" in services, do you mean \"access\"?" },
	{ SVC("access = ( ); } , { name = \"s\";\naddresses = [ \"10.1.0.2\" ]; port = 1;"), 3,
	  "two services are called \"s\"" },
	{ SVC("} ,\n{ name = \"t\"; addresses = [ \"10.2.0.0\", \"10.1.0.0/24\" ]; port = 50051;"),
	  4, "services \"s\" and \"t\" both have 10.1.0.0/24 port 50051" },
	{ SVC("} ,\n{ name = \"t\"; addresses = [ \"fd00::1\", \"10.1.0.0/16\" ]; port = [ 1, "
	      "50051 ];"),
	  4, "services \"s\" and \"t\" both have 10.1.0.0/16 port 50051" },
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
	{ SVC(RULE_WITH("vlans = [ 1, 4095 ];")), 3, "services.access.vlans is 4095" },
	{ SVC(RULE_WITH("vlans = [ \"1\" ];")), 3, "services.access.vlans must be an integer" },
	{ SVC(RULE_WITH("vlans = [ ];")), 3, "services.access.vlans is empty" },
	{ SVC(RULE_WITH("vlans = 7;")), 3, "services.access.vlans must be an array" },
	{ SVC(RULE_WITH("ingress = [ \"b\" ];")), 3, "no wire has a client port \"b\"" },
	{ SVC(RULE_WITH("headers = ( { value = \"v\"; } );")), 3,
	  "services.access.headers.name is missing" },
	{ SVC(RULE_WITH("headers = ( { name = \"v\"; values = \"\"; } );")), 3,
	  "do you mean \"value\"?" },
	{ SVC(RULE_WITH("reply = \"none\";")), 3, "not one of: http-403, grpc, reset, service" },
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
	{ BASE "limits = {\ninsert_total_s = 29; };", 3, "below limits.insert_wait_s" },
	{ BASE "workers = 32; limits = {\nheld_kib = 65536; };", 3, "of each worker (32)" },
	{ BASE "workers = 9; limits = {\nfragments = 8; };", 3, "is below workers (9)" },
	{ BASE "limits = {\nhold_us = 10000;\nrto_min_ms = 10; };", 3, "would retransmit" },
};

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_file_is_refused_at_its_line),
		cmocka_unit_test(bad_ports_and_wires_are_refused_at_their_line),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_nest_too_deep_is_refused),
		cmocka_unit_test(too_many_elements_are_refused),
		cmocka_unit_test(what_cannot_be_read_says_so),
		cmocka_unit_test(an_error_in_an_included_file_names_it),
		cmocka_unit_test(an_included_folder_is_an_error_and_not_the_end),
	};

	return cmocka_run_group_tests_name("conf_bad", tests, make_dir, remove_dir);
}
