/* SPDX-License-Identifier: Apache-2.0 */
/* h2_case.h - a script that has to come out the same, however its bytes are cut. */
#pragma once

#include "h2_kit.h"

typedef void h2_script(struct h2_kit *kit, const void *arg);

/* Runs the script with whole inputs, byte by byte and with random cuts, and compares what went out,
 * the end, the verdicts and the counters. The script has its own assertions. */
void h2_case_run(h2_script *script, const void *arg);

/* The frames from the nth on as text: "S H1 D1e W0"; e is END_STREAM. In buf, which is returned. */
const char *h2_case_frames(const struct h2_kit *kit, enum wk_dir dir, uint32_t nth, char *buf,
			   size_t room_b);
