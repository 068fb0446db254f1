/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what a run came to: rows of name and value, or one line of JSON. */
#pragma once

#include "busy.h"
#include "gen.h"

struct window {
	uint64_t begin, end; /* TSC */
	struct gen_counts at_begin, at_end;
	struct busy busy_begin, busy_end;
	double open_s; /* that opening took */
	uint64_t opened;
};

void report(const struct window *window);
