/* SPDX-License-Identifier: Apache-2.0 */
#include "wk_stats.h"

struct reason_row {
	const char *key;
	const char *text;
	enum wk_reason_class class;
};

struct row {
	const char *key;
	const char *text;
};

#define REASON_ROW(sym, key, class, text) [WK_##sym] = { #key, text, WK_REASON_##class },
static const struct reason_row reasons[] = { WK_REASONS(REASON_ROW) };

#define ROW(sym, key, text) [WK_##sym] = { #key, text },
static const struct row call_reasons[] = { WK_CALL_REASONS(ROW) };
static const struct row counters[] = { WK_COUNTERS(ROW) };

const char *wk_reason_key(enum wk_reason reason)
{
	return reasons[reason].key;
}

const char *wk_reason_text(enum wk_reason reason)
{
	return reasons[reason].text;
}

enum wk_reason_class wk_reason_class(enum wk_reason reason)
{
	return reasons[reason].class;
}

const char *wk_call_reason_key(enum wk_call_reason reason)
{
	return call_reasons[reason].key;
}

const char *wk_call_reason_text(enum wk_call_reason reason)
{
	return call_reasons[reason].text;
}

const char *wk_counter_key(enum wk_counter counter)
{
	return counters[counter].key;
}

const char *wk_counter_text(enum wk_counter counter)
{
	return counters[counter].text;
}

uint64_t wk_stats_dropped(const struct wk_stats *stats)
{
	uint64_t sum = 0;

	for (int i = 0; i < WK_REASON_MAX; i++)
		if (reasons[i].class != WK_REASON_FORWARD)
			sum += stats->reason[i];
	return sum;
}

void wk_stats_add(struct wk_stats *sum, const struct wk_stats *one)
{
	for (int i = 0; i < WK_REASON_MAX; i++)
		sum->reason[i] += one->reason[i];
	for (int i = 0; i < WK_CALL_REASON_MAX; i++)
		sum->call[i] += one->call[i];
	for (int i = 0; i < WK_COUNTER_MAX; i++)
		sum->counter[i] += one->counter[i];
	sum->held += one->held;
}

void wk_stats_close(struct wk_stats *sum)
{
	sum->held += sum->counter[WK_CNT_HANDOVER] - sum->counter[WK_CNT_TAKEN];
}
