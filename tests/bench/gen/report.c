/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>

static void row(const char *name, double value)
{
	static bool more;

	if (options.json)
		printf("%s\"%s\": %.10g", more ? ", " : "", name, value);
	else
		printf("%-22s %16.*f\n", name, value < 1000 && value != (double)(long)value ? 3 : 0,
		       value);
	more = true;
}

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void latency(const char *name, const struct histogram *h)
{
	static const struct {
		const char *name;
		double part;
	} marks[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
	char full[64];

	if (h->n == 0)
		return;
	for (uint32_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		snprintf(full, sizeof(full), "%s_%s_us", name, marks[i].name);
		row(full, (double)histogram_at(h, marks[i].part) / 1e3);
	}
	snprintf(full, sizeof(full), "%s_max_us", name);
	row(full, (double)h->max / 1e3);
}

static void kinds_made(void)
{
	char name[64];

	for (uint32_t i = 0; i < KIND_MAX; i++) {
		if (options.share[i] == 0 || gen.latency.n == 0)
			continue;
		snprintf(name, sizeof(name), "calls_%s", kinds[i].name);
		row(name, (double)gen.calls_of[i]);
	}
}

static void busy(const struct window *w, double packets, double calls, double seconds)
{
	double cycles = (double)(w->busy_end.cycles - w->busy_begin.cycles);
	double seen = (double)(w->busy_end.packets - w->busy_begin.packets);

	row("box_busy_cycles", cycles);
	row("box_busy_share", ratio(cycles, seconds * (double)gen.hz));
	row("box_cycles_a_packet", ratio(cycles, seen > 0 ? seen : packets));
	row("box_cycles_a_call", ratio(cycles, calls));
	row("box_cpu_s_100k_calls", ratio(cycles / (double)gen.hz, calls) * 1e5);
}

void report(const struct window *w)
{
	double seconds = (double)(w->end - w->begin) / (double)gen.hz;
	double packets = (double)(w->at_end.received - w->at_begin.received);
	double calls = (double)(w->at_end.calls - w->at_begin.calls);
	double denied = (double)(w->at_end.denied - w->at_begin.denied);
	double bytes = (double)(w->at_end.bytes - w->at_begin.bytes);

	if (options.json)
		printf("{\"name\": \"%s\", ", options.name);
	row("seconds", seconds);
	row("tsc_hz", (double)gen.hz);
	row("packets_s", ratio(packets, seconds));
	row("gbit_s", ratio(bytes * 8 / 1e9, seconds));
	row("calls_s", ratio(calls + denied, seconds));
	row("denied_s", ratio(denied, seconds));
	row("packets_a_call", ratio(packets, calls + denied));
	row("cycles_a_packet", ratio(seconds * (double)gen.hz, packets));
	row("open_s", w->open_s);
	row("opened_s", ratio((double)w->opened, w->open_s));
	kinds_made();
	latency("latency", &gen.latency);
	latency("denial", &gen.denial);
	if (options.telemetry)
		busy(w, packets, calls + denied, seconds);
#define ROW(name, text) row("all_" #name, (double)gen.counts.name);
	GEN_COUNTS(ROW)
	if (options.json)
		printf("}\n");
	fflush(stdout);
}
