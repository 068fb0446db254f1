/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the workers' clock: nanoseconds of the TSC since it began, monotonic, no system call.
 */
#pragma once

#include <stdint.h>

#include <rte_cycles.h>

#define WK_NS_PER_US 1000ull
#define WK_NS_PER_MS 1000000ull
#define WK_NS_PER_S  1000000000ull

/* Set once on the main lcore before workers start: ns = cycles * mult >> 32. */
struct wk_clock {
	uint64_t hz;
	uint64_t mult;
};

static inline void wk_clock_init(struct wk_clock *clock)
{
	clock->hz = rte_get_tsc_hz();
	clock->mult = (uint64_t)(((unsigned __int128)1000000000u << 32) / clock->hz);
}

static inline uint64_t wk_clock_ns(const struct wk_clock *clock, uint64_t cycles)
{
	return (uint64_t)(((unsigned __int128)cycles * clock->mult) >> 32);
}

static inline uint64_t wk_clock_now(const struct wk_clock *clock)
{
	return wk_clock_ns(clock, rte_rdtsc());
}
