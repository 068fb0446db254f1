/* SPDX-License-Identifier: Apache-2.0 */
/* From files to snapshots, one after the other, as reloads make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <arpa/inet.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_acl.h>

#include "../support/test_eal.h"
#include "../support/test_frame.h"
#include "gaps.h"
#include "snapshot.h"

#define COUNT(a) (uint32_t)(sizeof(a) / sizeof((a)[0]))

#define BASE                                                                                       \
	"version = 1; ports = ( { name = \"a\"; device = \"net_tap0\"; }, "                        \
	"{ name = \"b\"; device = \"net_tap1\"; } ); "                                             \
	"wires = ( { client = \"a\"; server = \"b\"; } );\n"
#define ACCESS(method)                                                                             \
	"access = ( { name = \"r\"; from = [ \"10.11.0.0/16\" ]; allow = [ \"/S/" method           \
	"\" ]; } );"
#define DOOR(more)                                                                                 \
	"{ name = \"door\"; addresses = [ \"10.12.0.10\", \"fd00:12::10\" ]; port = 50051; " more  \
	" }"
#define LIFT           "{ name = \"lift\"; addresses = [ \"10.13.0.0/24\" ]; port = 50052; }"
#define SERVICES(list) BASE "services = ( " list " );\n"

static uint64_t version;

static struct wk_conf *conf_of(const char *text)
{
	char path[] = "/tmp/wicket-snapshot-XXXXXX";
	struct wk_conf *conf = NULL;
	struct wk_conf_error err;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	if (wk_conf_load(path, &conf, &err) != 0)
		fail_msg("%s", err.text);
	unlink(path);
	return conf;
}

static struct wk_snapshot *build(const char *text, const struct wk_snapshot *previous,
				 uint32_t edited)
{
	struct wk_snapshot *snapshot = NULL;
	struct wk_conf_error err = { "" };

	if (wk_snapshot_build(conf_of(text), ++version, previous, edited, &snapshot, &err) != 0)
		fail_msg("%s", err.text);
	assert_non_null(snapshot);
	assert_int_equal(snapshot->version, version);
	assert_int_equal(wk_policy_version(snapshot->policy), version);
	return snapshot;
}

/* The verdict on a SYN from 10.11.0.9 or fd00:11::9. */
static struct wk_acl_verdict classify(const struct wk_snapshot *snapshot, const char *to,
				      uint16_t port)
{
	bool six = strchr(to, ':') != NULL;
	struct test_frame_spec spec = { .ip_version = six ? 6 : 4,
					.proto = IPPROTO_TCP,
					.sport = 40000,
					.dport = port,
					.tcp_flags = 2 };
	struct wk_acl_verdict verdict;
	struct test_frame frame;
	struct wk_pkt pkt;

	assert_int_equal(
		inet_pton(six ? AF_INET6 : AF_INET, six ? "fd00:11::9" : "10.11.0.9", spec.src), 1);
	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, to, spec.dst), 1);
	test_frame_build(&frame, &spec);
	wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
	wk_acl_classify_burst(snapshot->acl, &pkt, 1, &verdict);
	return verdict;
}

/* The service that guards an address, NULL if none does. The policy's number means the same. */
static const struct wk_snapshot_service *guard(const struct wk_snapshot *snapshot, const char *to,
					       uint16_t port)
{
	struct wk_acl_verdict verdict = classify(snapshot, to, port);
	const struct wk_snapshot_service *service;

	if (verdict.action != WK_ACL_GUARD)
		return NULL;
	assert_true(verdict.guarded_dst);
	assert_true(verdict.service_dst < snapshot->n_services);
	service = &snapshot->services[verdict.service_dst];
	assert_string_equal(wk_policy_service(snapshot->policy, verdict.service_dst)->name,
			    service->name);
	return service;
}

static enum wk_call_reason call(const struct wk_snapshot *snapshot, uint32_t service,
				const char *path)
{
	struct wk_policy_peer client = { .addr = { .family = 4, .addr = { 10, 11, 0, 9 } },
					 .vlan = WK_POLICY_VLAN_NONE };
	struct wk_policy_request request = { .path = { path, (uint32_t)strlen(path) } };
	struct wk_policy_verdict verdict;
	struct wk_policy_source source;

	wk_policy_source(snapshot->policy, service, &client, &source);
	wk_policy_match(snapshot->policy, &source, &request, NULL, &verdict);
	return verdict.reason;
}

static void classifier_and_policy_number_services_alike(void **state)
{
	struct wk_snapshot *s = build(SERVICES(LIFT "," DOOR(ACCESS("M"))), NULL, 0);

	(void)state;
	assert_int_equal(s->n_services, 2);
	assert_int_equal(s->n_retired, 0);
	assert_string_equal(guard(s, "10.12.0.10", 50051)->name, "door");
	assert_string_equal(guard(s, "fd00:12::10", 50051)->name, "door");
	assert_string_equal(guard(s, "10.13.0.77", 50052)->name, "lift");
	assert_null(guard(s, "10.12.0.10", 50052));
	assert_null(guard(s, "10.12.0.11", 50051));
	assert_int_equal(call(s, 1, "/S/M"), WK_CALL_ALLOWED);
	assert_int_equal(call(s, 1, "/S/N"), WK_CALL_DENIED_METHOD);
	assert_int_equal(call(s, 0, "/S/M"), WK_CALL_DENIED_SOURCE);
	wk_snapshot_free(s);
	wk_snapshot_free(NULL);
}

static void every_setting_reaches_its_reader(void **state)
{
	struct wk_snapshot *s =
		build(BASE "services = ( " DOOR(
			      "mode = \"audit\"; unlisted_source = \"reply\"; "
			      "reply = \"grpc\"; http_method = \"any\"; scheme = "
			      "\"any\"; "
			      "content_type = \"any\"; te = \"optional\"; host = "
			      "\"any\";") ","
					  "{ name = \"x\"; addresses = [ \"10.9.0.1\" ]; "
					  "port = 1; mode = \"off\"; "
					  "unlisted_source = \"reset\"; reply = "
					  "\"reset\"; } );\n"
					  "acl = ( { to = [ \"10.12.0.0/16\" ]; proto = "
					  "\"tcp\"; port = 22; "
					  "action = \"drop\"; }, { to = [ "
					  "\"10.5.0.0/16\" "
					  "]; action = \"pass\"; } );\n"
					  "default = \"drop\";\n"
					  "on = { mid_stream = \"pass\"; table_full = "
					  "\"reset\"; "
					  "protocol_error = \"drop\"; tls = \"pass\"; "
					  "http1 = \"drop\"; "
					  "fragment = \"pass\"; tunnel = \"reset\"; };\n",
		      NULL, 0);
	const struct wk_policy_service *door = wk_policy_service(s->policy, 0);
	const struct wk_policy_service *x = wk_policy_service(s->policy, 1);

	(void)state;
	assert_int_equal(door->mode, WK_MODE_AUDIT);
	assert_int_equal(door->unlisted, WK_UNLISTED_REPLY);
	assert_int_equal(door->reply, WK_REPLY_GRPC);
	assert_true(door->form.any_method);
	assert_true(door->form.any_type);
	assert_true(door->form.te_optional);
	assert_true(door->form.any_host);
	assert_int_equal(door->form.scheme, WK_SCHEME_ANY);
	assert_false(x->form.any_method);
	assert_false(x->form.any_type);
	assert_false(x->form.te_optional);
	assert_false(x->form.any_host);
	assert_int_equal(x->form.scheme, WK_SCHEME_HTTP_OR_HTTPS);
	assert_int_equal(x->mode, WK_MODE_OFF);
	assert_int_equal(x->unlisted, WK_UNLISTED_RESET);
	assert_int_equal(x->reply, WK_REPLY_RESET);
	assert_int_equal(classify(s, "10.12.0.1", 22).action, WK_ACL_DROP);
	assert_int_equal(classify(s, "10.12.0.1", 22).reason, WK_DROP_ACL);
	assert_int_equal(classify(s, "10.5.0.1", 22).action, WK_ACL_PASS);
	assert_int_equal(classify(s, "10.6.0.1", 22).reason, WK_DROP_DEFAULT);
	assert_int_equal(s->on.mid_stream, WK_ON_PASS);
	assert_int_equal(s->on.table_full, WK_ON_RESET);
	assert_int_equal(s->on.protocol_error, WK_ON_DROP);
	assert_int_equal(s->on.tls, WK_ON_PASS);
	assert_int_equal(s->on.http1, WK_ON_DROP);
	assert_false(s->reassemble);
	assert_int_equal(s->on_fragment, WK_ON_PASS);
	assert_int_equal(s->on_tunnel, WK_ON_RESET);
	wk_snapshot_free(s);
}

static void a_removed_service_is_retired_while_flows_are_edited(void **state)
{
	struct wk_snapshot *one = build(SERVICES(DOOR(ACCESS("M")) "," LIFT), NULL, 0);
	struct wk_snapshot *two = build(SERVICES(LIFT), one, 3), *three, *four;
	const struct wk_snapshot_service *door;
	struct wk_conf_error err;

	(void)state;
	wk_snapshot_free(one); /* nothing of it may be needed any more */
	assert_int_equal(two->n_services, 2);
	assert_int_equal(two->n_retired, 1);
	assert_string_equal(guard(two, "10.13.0.1", 50052)->name, "lift");
	door = guard(two, "10.12.0.10", 50051);
	assert_non_null(door);
	assert_true(door->retired);
	assert_ptr_equal(guard(two, "fd00:12::10", 50051), door);
	assert_int_equal(call(two, 1, "/S/anything at all"), WK_CALL_UNGUARDED);

	/* It stays over another reload, and goes when the last edited flow has gone. */
	three = build(SERVICES(LIFT), two, 1);
	wk_snapshot_free(two);
	assert_int_equal(three->n_retired, 1);
	assert_int_equal(wk_snapshot_rebuild(three, ++version, 0, &four, &err), 0);
	assert_ptr_equal(four->conf, three->conf);
	wk_snapshot_free(three);
	assert_int_equal(four->n_retired, 0);
	assert_null(guard(four, "10.12.0.10", 50051));
	assert_string_equal(guard(four, "10.13.0.1", 50052)->name, "lift");
	assert_int_equal(four->conf->n_services, 1);
	wk_snapshot_free(four);
}

static void nothing_is_retired_without_edited_flows(void **state)
{
	struct wk_snapshot *one = build(SERVICES(DOOR("")), NULL, 0);
	struct wk_snapshot *two = build(BASE, one, 0);

	(void)state;
	assert_int_equal(two->n_services, 0);
	assert_null(guard(two, "10.12.0.10", 50051));
	wk_snapshot_free(one);
	wk_snapshot_free(two);
}

static void what_the_new_file_guards_is_not_retired(void **state)
{
	struct wk_snapshot *one = build(SERVICES(DOOR("")), NULL, 0);
	/* Another name, another order, same addresses and more. */
	struct wk_snapshot *two =
		build(SERVICES(LIFT ", { name = \"gate\"; port = 50051; "
				    "addresses = [ \"10.12.0.0/24\", \"fd00:12::/64\" ]; }"),
		      one, 9);

	(void)state;
	assert_int_equal(two->n_retired, 0);
	assert_string_equal(guard(two, "10.12.0.10", 50051)->name, "gate");
	wk_snapshot_free(one);
	wk_snapshot_free(two);
}

static void a_moved_service_is_retired_where_it_was(void **state)
{
	struct wk_snapshot *one = build(SERVICES(LIFT), NULL, 0);
	/* One host of the network keeps the port, the rest of the name moves to another. */
	struct wk_snapshot *two = build(
		SERVICES("{ name = \"lift\"; addresses = [ \"10.13.0.0/24\" ]; port = 50053; }, "
			 "{ name = \"cab\"; addresses = [ \"10.13.0.77\" ]; port = 50052; }"),
		one, 1);
	uint32_t retired = 0;

	(void)state;
	assert_int_equal(two->n_services, 3);
	assert_int_equal(two->n_retired, 1);
	for (uint32_t host = 0; host < 256; host++) {
		const struct wk_snapshot_service *service;
		char to[32];

		snprintf(to, sizeof(to), "10.13.0.%u", host);
		assert_string_equal(guard(two, to, 50053)->name, "lift");
		service = guard(two, to, 50052);
		assert_non_null(service);
		if (host == 77)
			assert_string_equal(service->name, "cab");
		else
			assert_string_equal(service->name, "lift");
		assert_int_equal(service->retired, host != 77);
		retired += service->retired;
	}
	assert_int_equal(retired, 255);
	assert_int_equal(two->services[2].n_addresses, 8);
	assert_null(guard(two, "10.13.1.0", 50052));
	wk_snapshot_free(one);
	wk_snapshot_free(two);
}

/* Both ports of every address are guarded, and given up together or one by one. */
static void a_service_of_several_ports_is_retired_port_by_port(void **state)
{
#define GATE(ports)                                                                                \
	"{ name = \"gate\"; addresses = [ \"10.14.0.0/24\", \"fd00:14::1\" ]; port = " ports "; }"
	struct wk_snapshot *one = build(SERVICES(GATE("[ 443, 50051, 50052 ]")), NULL, 0);
	struct wk_snapshot *none = build(BASE, one, 1);
	struct wk_snapshot *less = build(SERVICES(GATE("50051")), one, 1);
	struct wk_snapshot *hole =
		build(SERVICES("{ name = \"t\"; addresses = [ \"10.14.0.0/25\", \"fd00:14::1\" ]; "
			       "port = [ 50052, 443 ]; }"),
		      none, 1);
	static const uint16_t ports[] = { 443, 50051, 50052 };

	(void)state;
	assert_int_equal(one->n_services, 1);
	assert_int_equal(none->n_retired, 1);
	assert_int_equal(none->services[0].n_ports, 3);
	assert_int_equal(less->n_retired, 1);
	assert_int_equal(less->services[1].n_ports, 2);
	assert_int_equal(hole->n_retired, 3);
	for (uint32_t i = 0; i < COUNT(ports); i++) {
		assert_string_equal(guard(one, "10.14.0.9", ports[i])->name, "gate");
		assert_string_equal(guard(one, "fd00:14::1", ports[i])->name, "gate");
		assert_true(guard(none, "10.14.0.9", ports[i])->retired);
		assert_int_equal(guard(less, "fd00:14::1", ports[i])->retired, ports[i] != 50051);
		assert_int_equal(guard(hole, "10.14.0.9", ports[i])->retired, ports[i] == 50051);
		assert_true(guard(hole, "10.14.0.200", ports[i])->retired);
	}
	assert_null(guard(one, "10.14.0.9", 444));
	wk_snapshot_free(one);
	wk_snapshot_free(none);
	wk_snapshot_free(less);
	wk_snapshot_free(hole);
}

static void a_service_that_comes_back_is_no_longer_retired(void **state)
{
	struct wk_snapshot *one = build(SERVICES(DOOR(ACCESS("M"))), NULL, 0);
	struct wk_snapshot *two = build(BASE, one, 1);
	struct wk_snapshot *three = build(SERVICES(DOOR(ACCESS("M"))), two, 1);

	(void)state;
	assert_int_equal(two->n_retired, 1);
	assert_int_equal(three->n_retired, 0);
	assert_int_equal(three->n_services, 1);
	assert_int_equal(call(three, 0, "/S/N"), WK_CALL_DENIED_METHOD);
	wk_snapshot_free(one);
	wk_snapshot_free(two);
	wk_snapshot_free(three);
}

static const struct wk_inspect_gap *gap_at(const struct wk_snapshot *snapshot, uint8_t family)
{
	for (uint32_t i = 0; i < snapshot->on.n_gaps; i++)
		if (snapshot->on.gaps[i].family == family)
			return &snapshot->on.gaps[i];
	return NULL;
}

/* Not while it is retired. It stays so when the service comes back: connections may be older. */
static void what_is_given_up_is_remembered(void **state)
{
	struct wk_snapshot *one = build(SERVICES(DOOR("") "," LIFT), NULL, 0);
	struct wk_snapshot *two = build(SERVICES(LIFT), one, UINT32_MAX), *three, *four;
	struct wk_conf_error err;
	uint64_t given_up;

	(void)state;
	assert_int_equal(one->on.n_gaps + two->on.n_gaps, 0);
	assert_int_equal(wk_snapshot_rebuild(two, ++version, 0, &three, &err), 0);
	given_up = version;
	four = build(SERVICES(DOOR("") "," LIFT), three, UINT32_MAX);
	wk_snapshot_free(one);
	wk_snapshot_free(two);
	wk_snapshot_free(three);
	assert_int_equal(four->on.n_gaps, 2);
	assert_int_equal(gap_at(four, 4)->version, given_up);
	assert_int_equal(gap_at(four, 4)->port, 50051);
	assert_int_equal(gap_at(four, 4)->len, 32);
	assert_memory_equal(gap_at(four, 4)->addr, ((const uint8_t[]){ 10, 12, 0, 10 }), 4);
	assert_int_equal(gap_at(four, 6)->len, 128);
	/* The same once more is the same gap, of later. */
	two = build(SERVICES(LIFT), four, 0);
	wk_snapshot_free(four);
	assert_int_equal(two->on.n_gaps, 2);
	assert_int_equal(gap_at(two, 4)->version, version);
	wk_snapshot_free(two);
}

static void too_many_gaps_are_one_for_all(void **state)
{
	struct wk_snapshot *one, *two = build(BASE, NULL, 0);

	(void)state;
	for (uint32_t i = 0; i <= WK_GAPS_MAX; i++) {
		char text[512];

		snprintf(text, sizeof(text),
			 BASE "services = ( { name = \"s\"; port = %u; "
			      "addresses = [ \"10.12.0.10\" ]; } );",
			 i + 1);
		one = build(text, two, 0);
		wk_snapshot_free(two);
		two = one;
		assert_int_equal(two->on.n_gaps, i);
	}
	one = build(BASE, two, 0);
	wk_snapshot_free(two);
	assert_int_equal(one->on.n_gaps, 2);
	for (uint8_t family = 4; family <= 6; family += 2) {
		assert_int_equal(gap_at(one, family)->version, version);
		assert_int_equal(gap_at(one, family)->port, 0);
		assert_int_equal(gap_at(one, family)->len, 0);
	}
	wk_snapshot_free(one);
}

static void a_version_is_used_once(void **state)
{
	struct wk_snapshot *one = build(BASE, NULL, 0), *two = (void *)1;
	struct wk_conf *conf = conf_of(BASE);
	struct wk_conf_error err = { "" };

	(void)state;
	assert_int_equal(wk_snapshot_build(conf, one->version, one, 0, &two, &err), -EINVAL);
	assert_null(two);
	assert_string_not_equal(err.text, "");
	assert_int_equal(wk_snapshot_build(conf, 0, NULL, 0, &two, &err), -EINVAL);
	wk_conf_free(conf); /* it stayed ours */
	wk_snapshot_free(one);
}

static void a_failed_build_leaves_nothing_behind(void **state)
{
	static const char text[] = SERVICES(DOOR(ACCESS("M")) ",\n" LIFT);
	struct wk_snapshot *one = build(SERVICES(DOOR("")), NULL, 0), *two = (void *)1;
	struct wk_conf *conf = conf_of(text);
	struct wk_conf_error err = { "" };
	char name[32];

	(void)state;
	/* What lib/conf lets pass and the policy does not. */
	conf->services[0].access[0].allow.v[0][0] = 'x';
	assert_int_equal(wk_snapshot_build(conf, ++version, one, 1, &two, &err), -EINVAL);
	assert_null(two);
	snprintf(name, sizeof(name), "wk4.%llu", (unsigned long long)version);
	assert_null(rte_acl_find_existing(name));
	conf->services[0].access[0].allow.v[0][0] = '/';
	assert_int_equal(wk_snapshot_build(conf, ++version, one, 1, &two, &err), 0);
	snprintf(name, sizeof(name), "wk4.%llu", (unsigned long long)version);
	assert_non_null(rte_acl_find_existing(name));
	wk_snapshot_free(one);
	wk_snapshot_free(two);
	assert_null(rte_acl_find_existing(name));
}

static void a_bad_pattern_is_told_with_its_rule_and_line(void **state)
{
	struct wk_conf *conf =
		conf_of(SERVICES("{ name = \"t\"; addresses = [ \"10.1.0.1\" ]; port = 1; " ACCESS(
			"M") " },\n"
			     "{ name = \"s\"; addresses = [ \"10.1.0.2\" ]; port = 1; access = (\n"
			     "{ name = \"good\"; from = [ \"10.0.0.1\" ]; allow = [ \"/S/M\" ]; "
			     "},\n"
			     "{ name = \"bad\"; from = [ \"10.0.0.1\" ]; allow = [ \"/S/M\" ];\n"
			     "  deny = [ \"/S/M\", \"/S/*/x\" ]; } ); }"));
	struct wk_conf_error err = { "" };

	(void)state;
	assert_int_equal(wk_snapshot_check(conf, &err), -EINVAL);
	if (strstr(err.text, ":5: service \"s\", rule \"bad\": \"/S/*/x\": '*' stands only") ==
	    NULL)
		fail_msg("%s", err.text);
	wk_conf_free(conf);
}

static void the_files_that_come_along_make_snapshots(void **state)
{
	static const char *const files[] = { "wicket.conf", "cloud-city.conf",
					     "cloud-city-open.conf" };
	struct wk_snapshot *last = NULL;

	(void)state;
	for (uint32_t i = 0; i < COUNT(files); i++) {
		struct wk_snapshot *next = NULL;
		struct wk_conf_error err;
		struct wk_conf *conf;
		char path[512];

		snprintf(path, sizeof(path), WK_CONFIG_DIR "/%s", files[i]);
		if (wk_conf_load(path, &conf, &err) != 0 || wk_snapshot_check(conf, &err) != 0 ||
		    wk_snapshot_build(conf, ++version, last, i, &next, &err) != 0)
			fail_msg("%s", err.text);
		assert_string_equal(guard(next, "10.12.0.10", 50051)->name, "door-manager");
		assert_int_equal(call(next, 0, "/cloudcity.DoorManager/SetAccessCode"),
				 i == 2 ? WK_CALL_UNGUARDED : WK_CALL_DENIED_METHOD);
		assert_int_equal(call(next, 0, "/cloudcity.DoorManager/GetName"),
				 i == 2 ? WK_CALL_UNGUARDED : WK_CALL_ALLOWED);
		wk_snapshot_free(last);
		last = next;
	}
	wk_snapshot_free(last);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(classifier_and_policy_number_services_alike),
		cmocka_unit_test(every_setting_reaches_its_reader),
		cmocka_unit_test(a_removed_service_is_retired_while_flows_are_edited),
		cmocka_unit_test(nothing_is_retired_without_edited_flows),
		cmocka_unit_test(what_the_new_file_guards_is_not_retired),
		cmocka_unit_test(a_moved_service_is_retired_where_it_was),
		cmocka_unit_test(a_service_of_several_ports_is_retired_port_by_port),
		cmocka_unit_test(a_service_that_comes_back_is_no_longer_retired),
		cmocka_unit_test(what_is_given_up_is_remembered),
		cmocka_unit_test(too_many_gaps_are_one_for_all),
		cmocka_unit_test(a_version_is_used_once),
		cmocka_unit_test(a_failed_build_leaves_nothing_behind),
		cmocka_unit_test(a_bad_pattern_is_told_with_its_rule_and_line),
		cmocka_unit_test(the_files_that_come_along_make_snapshots),
	};

	return cmocka_run_group_tests_name("snapshot", tests, test_eal_set_up, test_eal_tear_down);
}
