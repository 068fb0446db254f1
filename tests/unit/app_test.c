/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the daemon that are pure functions: EAL arguments, the command line, JSON lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "args.h"
#include "eal.h"
#include "events.h"
#include "json.h"

/* --- EAL arguments --- */

static struct wk_conf_port ports[] = {
	{ .name = (char *)"outside", .device = (char *)"net_tap0,iface=x" },
	{ .name = (char *)"inside", .device = (char *)"net_tap1,iface=y" },
	{ .name = (char *)"nic", .device = (char *)"3b:00.1,arg=1" },
};
static struct wk_conf_wire wire = { .client = 0, .server = 1 };

static struct wk_conf conf_of(uint32_t n_ports)
{
	return (struct wk_conf){
		.instance = (char *)"door",
		.workers = 1,
		.mtu = 1500,
		.ports = ports,
		.n_ports = n_ports,
		.wires = &wire,
		.n_wires = 1,
		.limits = { .flows = 1024, .held_kib = 4096, .held_mbufs = 100 },
	};
}

static void join(const struct wk_eal_argv *argv, char *line, size_t size_b)
{
	line[0] = '\0';
	for (int i = 0; i < argv->n; i++) {
		size_t len_b = strlen(line);

		snprintf(line + len_b, size_b - len_b, "%s%s", i > 0 ? " " : "", argv->v[i]);
	}
}

static void expect_argv(const struct wk_conf *conf, const struct wk_eal_host *host,
			char *const *extra, int n_extra, const char *expected)
{
	struct wk_eal_argv argv;
	char line[1024];

	assert_int_equal(wk_eal_argv_build(conf, host, extra, n_extra, &argv), 0);
	join(&argv, line, sizeof(line));
	assert_string_equal(line, expected);
	wk_eal_argv_free(&argv);
}

static const struct wk_eal_host poor = { .n_cpus = 4, .cpus = { 2, 3, 5, 7 } };
static const struct wk_eal_host rich = {
	.huge_free_b = 4ull << 30,
	.n_cpus = 2,
	.cpus = { 0, 1 },
};
static const struct wk_eal_host lone = { .huge_free_b = 4ull << 30, .n_cpus = 1, .cpus = { 6 } };

static void virtual_devices_without_hugepages_get_enough_memory(void **state)
{
	struct wk_conf conf = conf_of(2);
	char expected[512];

	(void)state;
	snprintf(expected, sizeof(expected),
		 "wicket --file-prefix=door --lcores 0@2,1@3 --no-huge -m %u "
		 "--vdev net_tap0,iface=x --vdev net_tap1,iface=y --no-pci",
		 wk_eal_memory_mib(&conf));
	expect_argv(&conf, &poor, NULL, 0, expected);
}

static void hugepages_are_used_where_there_are_enough(void **state)
{
	struct wk_conf conf = conf_of(2);

	(void)state;
	expect_argv(&conf, &rich, NULL, 0,
		    "wicket --file-prefix=door --lcores 0@0,1@1 --huge-unlink "
		    "--vdev net_tap0,iface=x --vdev net_tap1,iface=y --no-pci");
}

static void a_single_cpu_is_shared_by_both_lcores(void **state)
{
	struct wk_conf conf = conf_of(2);

	(void)state;
	expect_argv(&conf, &lone, NULL, 0,
		    "wicket --file-prefix=door --lcores (0-1)@(6) --huge-unlink "
		    "--vdev net_tap0,iface=x --vdev net_tap1,iface=y --no-pci");
}

static void what_the_operator_says_is_not_said_again(void **state)
{
	struct wk_conf conf = conf_of(2);
	char *eal[] = { (char *)"-l", (char *)"0,1", (char *)"-m1000" };
	char *extra[] = { (char *)"--no-huge", (char *)"--file-prefix=mine" };

	(void)state;
	conf.eal = (struct wk_conf_strings){ .v = eal, .n = RTE_DIM(eal) };
	expect_argv(&conf, &rich, extra, RTE_DIM(extra),
		    "wicket --vdev net_tap0,iface=x --vdev net_tap1,iface=y --no-pci "
		    "-l 0,1 -m1000 --no-huge --file-prefix=mine");
}

static void a_pci_device_is_allowed_and_switches_the_bus_on(void **state)
{
	struct wk_conf conf = conf_of(3);

	(void)state;
	expect_argv(&conf, &rich, NULL, 0,
		    "wicket --file-prefix=door --lcores 0@0,1@1 --huge-unlink "
		    "--vdev net_tap0,iface=x --vdev net_tap1,iface=y -a 3b:00.1,arg=1");
}

static void a_pci_device_without_hugepages_is_refused(void **state)
{
	struct wk_conf conf = conf_of(3);
	struct wk_eal_argv argv;

	(void)state;
	assert_int_equal(wk_eal_argv_build(&conf, &poor, NULL, 0, &argv), -EINVAL);
	wk_eal_argv_free(&argv);
}

static void devices_are_named_as_ethdev_names_them(void **state)
{
	static const struct {
		const char *device;
		const char *name;
		bool pci;
	} rows[] = {
		{ "net_tap0,iface=x", "net_tap0", false }, { "net_ring0", "net_ring0", false },
		{ "0000:3b:00.0", "0000:3b:00.0", true },  { "3b:00.0,a=1", "0000:3b:00.0", true },
		{ "0001:AB:1f.7", "0001:ab:1f.7", true },
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		assert_int_equal(wk_eal_device(rows[i].device, name, sizeof(name)), rows[i].pci);
		assert_string_equal(name, rows[i].name);
	}
}

static void each_worker_has_an_lcore_beside_the_main_one(void **state)
{
	struct wk_conf conf = conf_of(2);

	(void)state;
	conf.workers = 3;
	expect_argv(&conf, &poor, (char *[]){ (char *)"--no-huge", (char *)"-m1" }, 2,
		    "wicket --file-prefix=door --lcores 0@2,1@3,2@5,3@7 "
		    "--vdev net_tap0,iface=x --vdev net_tap1,iface=y --no-pci --no-huge -m1");
	expect_argv(&conf, &rich, NULL, 0,
		    "wicket --file-prefix=door --lcores (0-3)@(0,1) --huge-unlink "
		    "--vdev net_tap0,iface=x --vdev net_tap1,iface=y --no-pci");
}

static void buffers_grow_with_the_queues_of_every_worker(void **state)
{
	struct wk_conf conf = conf_of(2);
	uint32_t one = wk_eal_mbufs(&conf);
	uint32_t one_mib = wk_eal_memory_mib(&conf);

	(void)state;
	conf.limits.handover = 1000;
	assert_int_equal(wk_eal_mbufs(&conf), one);
	conf.workers = 2;
	assert_int_equal(wk_eal_mbufs(&conf), one + 2 * (WK_PORT_RX_DESC + WK_PORT_TX_DESC) +
						      4 * WK_BURST_MAX + WK_POOL_CACHE + 2 * 1000);
	/* What is shared does not grow. */
	assert_in_range(wk_eal_memory_mib(&conf), one_mib + 1, one_mib + 20);
}

static void memory_grows_with_every_table(void **state)
{
	struct wk_conf conf = conf_of(2);
	uint32_t base = wk_eal_memory_mib(&conf);

	(void)state;
	conf.limits.held_kib += 100 * 1024;
	assert_in_range(wk_eal_memory_mib(&conf), base + 100, base + 150);
	conf = conf_of(2);
	conf.limits.held_mbufs += 100000;
	assert_true(wk_eal_memory_mib(&conf) > base + 150);
	conf = conf_of(2);
	conf.limits.flows += 100000;
	assert_true(wk_eal_memory_mib(&conf) > base + 50);
	conf = conf_of(2);
	conf.mtu = 9000;
	assert_true(wk_eal_memory_mib(&conf) > base);
}

/* --- the command line --- */

static const struct {
	const char *line[12];
	int rc;
	enum wk_args_mode mode;
	const char *file;
	int n_eal;
} lines[] = {
	{ { "-c", "a" }, 0, WK_ARGS_RUN, "a", 0 },
	{ { "--config=a", "--", "-l", "0" }, 0, WK_ARGS_RUN, "a", 2 },
	{ { "-c", "a", "--" }, 0, WK_ARGS_RUN, "a", 0 },
	{ { "-c", "a", "--", "-c", "b" }, 0, WK_ARGS_RUN, "a", 2 },
	{ { "-t", "a" }, 0, WK_ARGS_CHECK, "a", 0 },
	{ { "--check", "a" }, 0, WK_ARGS_CHECK, "a", 0 },
	{ { "--dump-config" }, 0, WK_ARGS_DUMP, NULL, 0 },
	{ { "--dump-config", "a" }, 0, WK_ARGS_DUMP, "a", 0 },
	{ { "--dump-config=a" }, 0, WK_ARGS_DUMP, "a", 0 },
	{ { "-e", "a", "--from", "1.1.1.1", "--to", "2.2.2.2:1", "--path", "/S/M" },
	  0,
	  WK_ARGS_EXPLAIN,
	  "a",
	  0 },
	{ { "--explain=a", "--from=1.1.1.1", "--to=2.2.2.2:1", "--path=/S/M", "--header=a=b",
	    "--header=c=d", "--vlan=7", "--ingress=p" },
	  0,
	  WK_ARGS_EXPLAIN,
	  "a",
	  0 },
	{ { "-e", "a", "--from", "1.1.1.1", "--to", "2.2.2.2:1" }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
	{ { "-e", "a", "--from=1.1.1.1", "--from=1.1.1.2", "--to=2.2.2.2:1", "--path=/S/M" },
	  -EINVAL,
	  WK_ARGS_RUN,
	  NULL,
	  0 },
	{ { "-c", "a", "--path", "/S/M" }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
	{ { "-V" }, 0, WK_ARGS_VERSION, NULL, 0 },
	{ { "--help" }, 0, WK_ARGS_HELP, NULL, 0 },
	{ { NULL }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
	{ { "-c" }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
	{ { "-x" }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
	{ { "--nope" }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
	{ { "-c", "a", "b" }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
	{ { "-c", "a", "-t", "b" }, -EINVAL, WK_ARGS_RUN, NULL, 0 },
};

static void the_command_line_is_read_or_refused(void **state)
{
	FILE *null = fopen("/dev/null", "w");

	(void)state;
	assert_non_null(null);
	for (size_t i = 0; i < RTE_DIM(lines); i++) {
		char *argv[14] = { (char *)"wicket" };
		struct wk_args args;
		int argc = 1;

		for (int j = 0; j < 12 && lines[i].line[j]; j++)
			argv[argc++] = (char *)(uintptr_t)lines[i].line[j];
		assert_int_equal(wk_args_parse(argc, argv, &args, null), lines[i].rc);
		if (lines[i].rc != 0)
			continue;
		assert_int_equal(args.mode, lines[i].mode);
		assert_int_equal(args.n_eal, lines[i].n_eal);
		if (lines[i].file)
			assert_string_equal(args.file, lines[i].file);
		else
			assert_null(args.file);
	}
	fclose(null);
}

/* --- JSON --- */

static void strings_from_the_wire_come_out_as_plain_ascii(void **state)
{
	static const struct {
		const char *in;
		size_t len_b;
		const char *out;
	} rows[] = {
		{ "/a.B/C", 6, "/a.B/C" },
		{ "\"\\", 2, "\\\"\\\\" },
		{ "\n\r\t\0x\x1b\x7f", 7, "\\u000a\\u000d\\u0009\\u0000x\\u001b\\u007f" },
		{ "\xc3\xa9", 2, "\\u00e9" },
		{ "\xe2\x82\xac", 3, "\\u20ac" },
		{ "\xf0\x9f\x98\x80", 4, "\\ud83d\\ude00" },
		{ "\xff", 1, "\\\\xff" },
		{ "\xc3", 1, "\\\\xc3" },
		{ "\xc3(", 2, "\\\\xc3(" },
		{ "\xc0\x80", 2, "\\\\xc0\\\\x80" },                       /* overlong */
		{ "\xe0\x80\x80", 3, "\\\\xe0\\\\x80\\\\x80" },            /* overlong */
		{ "\xed\xa0\x80", 3, "\\\\xed\\\\xa0\\\\x80" },            /* a surrogate */
		{ "\xed\xbf\xbf", 3, "\\\\xed\\\\xbf\\\\xbf" },            /* the last one */
		{ "\xf4\x90\x80\x80", 4, "\\\\xf4\\\\x90\\\\x80\\\\x80" }, /* above U+10FFFF */
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct wk_json json;
		char expected[128];
		char buf[128];

		wk_json_begin(&json, buf, sizeof(buf));
		wk_json_bytes(&json, "p", rows[i].in, rows[i].len_b);
		assert_int_not_equal(wk_json_end(&json), 0);
		snprintf(expected, sizeof(expected), "{\"p\": \"%s\"}\n", rows[i].out);
		assert_string_equal(buf, expected);
	}
}

static void an_object_that_does_not_fit_is_never_half_written(void **state)
{
	char whole[64];

	(void)state;
	for (size_t size_b = 2; size_b <= sizeof(whole); size_b++) {
		struct wk_json json;
		size_t len_b;

		memset(whole, '#', sizeof(whole));
		wk_json_begin(&json, whole, size_b);
		wk_json_str(&json, "key", "value \x01");
		wk_json_u64(&json, "n", 42);
		len_b = wk_json_end(&json);
		if (len_b == 0)
			assert_true(size_b <
				    strlen("{\"key\": \"value \\u0001\", \"n\": 42}\n") + 1);
		else
			assert_string_equal(whole, "{\"key\": \"value \\u0001\", \"n\": 42}\n");
		for (size_t i = size_b; i < sizeof(whole); i++)
			assert_int_equal(whole[i], '#');
	}
}

static struct wk_event denied_call(void)
{
	struct wk_event event = {
		.kind = WK_EVENT_CALL,
		.enforced = true,
		.ip_version = 4,
		.vlan = { 7, WK_PKT_VLAN_NONE },
		.client = { 10, 11, 0, 5 },
		.server = { 10, 12, 0, 10 },
		.client_port = 40000,
		.server_port = 50051,
		.stream_id = 3,
		.flow_id = 9,
		.call_reason = WK_CALL_DENIED_METHOD,
		.policy_version = 2,
		.ref = 0x7f3aull << 24 | 0x123,
		.path_len_b = 5,
		.path = "/S/\"M",
		.service = "door",
		.rule = "default",
	};

	return event;
}

static const struct wk_event_ctx ctx = {
	.instance = "wk",
	.wire = "o-i",
	.wall_ns = 1700000000123456789u,
};

static void a_denied_call_says_who_what_and_why(void **state)
{
	struct wk_event event = denied_call();
	char line[WK_EVENT_LINE_MAX_B];
	size_t len_b = wk_event_line(&event, &ctx, line, sizeof(line));

	(void)state;
	assert_int_equal(len_b, strlen(line));
	assert_string_equal(
		line, "{\"time\": \"2023-11-14T22:13:20.123456Z\", \"event\": \"call_denied\", "
		      "\"instance\": \"wk\", \"wire\": \"o-i\", \"vlan\": [7], "
		      "\"client\": \"10.11.0.5\", \"client_port\": 40000, "
		      "\"server\": \"10.12.0.10\", \"server_port\": 50051, \"service\": \"door\", "
		      "\"stream\": 3, \"path\": \"/S/\\\"M\", \"rule\": \"default\", "
		      "\"reason\": \"denied_method\", \"ref\": \"7f3a-000123\", \"flow\": 9, "
		      "\"policy_version\": 2}\n");
}

static void each_kind_of_event_has_its_name(void **state)
{
	static const struct {
		enum wk_event_kind kind;
		bool enforced;
		enum wk_call_reason reason;
		const char *name;
	} rows[] = {
		{ WK_EVENT_CALL, true, WK_CALL_DENIED_SOURCE, "\"call_denied\"" },
		{ WK_EVENT_CALL, false, WK_CALL_DENIED_RULE, "\"call_would_be_denied\"" },
		{ WK_EVENT_CALL, true, WK_CALL_REFUSED_STREAMS, "\"call_refused\"" },
		{ WK_EVENT_CALL, false, WK_CALL_REFUSED_LIST, "\"call_would_be_refused\"" },
		{ WK_EVENT_CONN, true, WK_CALL_ALLOWED, "\"connection_reset\"" },
		{ WK_EVENT_CONN, false, WK_CALL_ALLOWED, "\"connection_would_be_reset\"" },
	};
	char line[WK_EVENT_LINE_MAX_B];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct wk_event event = denied_call();

		event.kind = rows[i].kind;
		event.enforced = rows[i].enforced;
		event.call_reason = rows[i].reason;
		event.reason = WK_DROP_PROTOCOL;
		event.h2_error = WK_H2_E_FLOOD;
		assert_int_not_equal(wk_event_line(&event, &ctx, line, sizeof(line)), 0);
		assert_non_null(strstr(line, rows[i].name));
		if (rows[i].kind == WK_EVENT_CONN)
			assert_non_null(strstr(line, "\"reason\": \"drop_protocol\", "
						     "\"h2_error\": \"flood_ctl\""));
	}
}

static void the_longest_path_of_the_worst_bytes_fits_in_a_line(void **state)
{
	struct wk_event event = denied_call();
	char line[WK_EVENT_LINE_MAX_B];

	(void)state;
	event.ip_version = 6;
	event.path_len_b = 9000;
	memset(event.client, 0xfd, sizeof(event.client));
	memset(event.server, 0xfd, sizeof(event.server));
	memset(event.path, 0x01, sizeof(event.path));
	memset(event.service, 0x01, sizeof(event.service) - 1);
	memset(event.rule, 0x01, sizeof(event.rule) - 1);
	assert_int_not_equal(wk_event_line(&event, &ctx, line, sizeof(line)), 0);
	assert_non_null(strstr(line, "\"path_length\": 9000"));
	assert_non_null(strstr(line, "\"client\": \"fdfd:fdfd:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtual_devices_without_hugepages_get_enough_memory),
		cmocka_unit_test(hugepages_are_used_where_there_are_enough),
		cmocka_unit_test(a_single_cpu_is_shared_by_both_lcores),
		cmocka_unit_test(what_the_operator_says_is_not_said_again),
		cmocka_unit_test(a_pci_device_is_allowed_and_switches_the_bus_on),
		cmocka_unit_test(a_pci_device_without_hugepages_is_refused),
		cmocka_unit_test(devices_are_named_as_ethdev_names_them),
		cmocka_unit_test(each_worker_has_an_lcore_beside_the_main_one),
		cmocka_unit_test(buffers_grow_with_the_queues_of_every_worker),
		cmocka_unit_test(memory_grows_with_every_table),
		cmocka_unit_test(the_command_line_is_read_or_refused),
		cmocka_unit_test(strings_from_the_wire_come_out_as_plain_ascii),
		cmocka_unit_test(an_object_that_does_not_fit_is_never_half_written),
		cmocka_unit_test(a_denied_call_says_who_what_and_why),
		cmocka_unit_test(each_kind_of_event_has_its_name),
		cmocka_unit_test(the_longest_path_of_the_worst_bytes_fits_in_a_line),
	};

	return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
