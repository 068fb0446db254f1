/* SPDX-License-Identifier: Apache-2.0 */
/* reload_bench.c - what a reload of many rules costs the main lcore: the file, the classifier, the
 * policy; next to rte_acl_build alone of as many rules. In milliseconds. */
#include <rte_acl.h>
#include <rte_cycles.h>
#include <rte_ip.h>

#include "bench_eal.h"
#include "snapshot.h"

#define ROUNDS  5
#define METHODS 40u /* patterns of one access rule */
#define ACL_MAX 4096u

static uint32_t lcg;

/* Half of them are plain rules, if a file may have as many, the others are methods. */
static uint32_t plain_rules(uint32_t rules)
{
	return RTE_MIN(rules / 2, ACL_MAX);
}

static uint32_t rnd(uint32_t below)
{
	lcg = lcg * 1664525u + 1013904223u;
	return (lcg >> 8) % below;
}

static void write_conf(FILE *out, uint32_t rules)
{
	lcg = 1;
	fprintf(out,
		"version = 1;\nports = ( { name = \"a\"; device = \"net_ring0\"; }, "
		"{ name = \"b\"; device = \"net_ring1\"; } );\n"
		"wires = ( { client = \"a\"; server = \"b\"; } );\nservices = (\n"
		"{ name = \"door\"; addresses = [ \"10.12.0.10\" ]; port = 50051; access = (\n");
	for (uint32_t i = 0; i < rules - plain_rules(rules); i += METHODS) {
		fprintf(out, "%s{ name = \"rule%u\"; from = [ \"10.%u.%u.0/24\" ]; allow = [ ",
			i > 0 ? ",\n" : "", i, rnd(256), rnd(256));
		for (uint32_t k = 0; k < METHODS; k++)
			fprintf(out, "%s\"/site.part%u.Service%u/Method%u\"", k > 0 ? ", " : "",
				rnd(50), rnd(1000), i + k);
		fprintf(out, " ]; }");
	}
	fprintf(out, " ); } );\nacl = (\n");
	for (uint32_t i = 0; i < plain_rules(rules); i++)
		fprintf(out,
			"%s{ to = [ \"10.%u.%u.%u/32\" ]; proto = \"tcp\"; port = %u; "
			"action = \"drop\"; }",
			i > 0 ? ",\n" : "", rnd(64), rnd(256), rnd(256), 1 + rnd(60000));
	fprintf(out, " );\n");
}

RTE_ACL_RULE_DEF(five, 5);

/* The plain 5-tuple rules that examples of rte_acl have, as many. */
static double build_alone(uint32_t rules)
{
	static const uint8_t sizes[] = { 1, 4, 4, 2, 2 };
	static const uint8_t offsets[] = { 0, 4, 8, 12, 14 };
	static const uint8_t inputs[] = { 0, 1, 2, 3, 3 };
	const struct rte_acl_param param = {
		.name = "yardstick",
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(5),
		.max_rule_num = rules,
	};
	struct rte_acl_config config = { .num_categories = 1, .num_fields = 5 };
	struct rte_acl_ctx *ctx = rte_acl_create(&param);
	uint64_t begin = rte_rdtsc();

	lcg = 1;
	for (uint32_t f = 0; f < 5; f++)
		config.defs[f] = (struct rte_acl_field_def){
			.type = f == 0  ? RTE_ACL_FIELD_TYPE_BITMASK
				: f < 3 ? RTE_ACL_FIELD_TYPE_MASK
					: RTE_ACL_FIELD_TYPE_RANGE,
			.size = sizes[f],
			.field_index = (uint8_t)f,
			.input_index = inputs[f],
			.offset = offsets[f],
		};
	for (uint32_t i = 0; ctx && i < rules; i++) {
		struct five rule = {
			.data = { .userdata = i + 1,
				  .category_mask = 1,
				  .priority = (int32_t)(rules - i) },
		};
		uint16_t port = (uint16_t)(1 + rnd(60000));

		rule.field[0].value.u8 = IPPROTO_TCP;
		rule.field[0].mask_range.u8 = 0xff;
		rule.field[2].value.u32 = RTE_IPV4(10, rnd(64), rnd(256), rnd(256));
		rule.field[2].mask_range.u32 = 32;
		rule.field[3].mask_range.u16 = UINT16_MAX;
		rule.field[4].value.u16 = port;
		rule.field[4].mask_range.u16 = port;
		if (rte_acl_add_rules(ctx, (struct rte_acl_rule *)&rule, 1) != 0)
			abort();
	}
	if (!ctx || rte_acl_build(ctx, &config) != 0)
		abort();
	begin = rte_rdtsc() - begin;
	rte_acl_free(ctx);
	return (double)begin * 1e3 / (double)rte_get_tsc_hz();
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void row(const char *name, uint32_t rules, double *ms, double base)
{
	qsort(ms, ROUNDS, sizeof(*ms), compare);
	printf("%s\t%u\t%.2f\t%.2f\t%.2f\t%.2f\n", name, rules, ms[ROUNDS / 2], ms[0],
	       ms[ROUNDS - 1], ms[ROUNDS / 2] / base);
}

static void reload(uint32_t rules)
{
	static uint64_t version;
	char path[] = "/tmp/wicket-reload-XXXXXX";
	double load[ROUNDS], build[ROUNDS], alone[ROUNDS];
	struct wk_snapshot *snapshot;
	struct wk_conf_error error;
	struct wk_conf *conf;
	int fd = mkstemp(path);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!out)
		abort();
	write_conf(out, rules);
	fclose(out);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = rte_rdtsc(), loaded;

		if (wk_conf_load(path, &conf, &error) != 0) {
			fprintf(stderr, "%s\n", error.text);
			exit(1);
		}
		loaded = rte_rdtsc();
		if (wk_snapshot_build(conf, ++version, NULL, 0, &snapshot, &error) != 0) {
			fprintf(stderr, "%s\n", error.text);
			exit(1);
		}
		load[i] = (double)(loaded - begin) * 1e3 / (double)rte_get_tsc_hz();
		build[i] = (double)(rte_rdtsc() - loaded) * 1e3 / (double)rte_get_tsc_hz();
		wk_snapshot_free(snapshot);
		alone[i] = build_alone(plain_rules(rules));
	}
	unlink(path);
	qsort(alone, ROUNDS, sizeof(alone[0]), compare);
	row("rte_acl_build of the plain ones", rules, alone, alone[ROUNDS / 2]);
	row("the file is read and checked", rules, load, alone[ROUNDS / 2]);
	row("classifier and policy are built", rules, build, alone[ROUNDS / 2]);
}

int main(void)
{
	static const uint32_t numbers[] = { 100, 1000, 10000 };

	bench_eal_start("reload_bench", false, "1024");
	printf("name\trules\tms\tfastest\tslowest\tratio\n");
	for (size_t i = 0; i < RTE_DIM(numbers); i++)
		reload(numbers[i]);
	test_eal_stop();
	return 0;
}
