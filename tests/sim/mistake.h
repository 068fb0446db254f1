/* SPDX-License-Identifier: Apache-2.0 */
/* mistake.h - what the box can do wrong on purpose, so that the checks and the shrinker can be
 * tested in a build where lib/tcp is right. */
#pragma once

#include "wk_tcp.h"

enum mistake {
	MISTAKE_NONE = 0,
	MISTAKE_OLD,     /* old segments go on as they came */
	MISTAKE_NUMBERS, /* sequence numbers are not translated */
	MISTAKE_ACK,     /* acknowledgements are not translated */
	MISTAKE_WINDOW,  /* windows are not translated */
	MISTAKE_URG,     /* urgent pointers stay */
	MISTAKE_OOO,     /* what came out of order goes on unjudged */
	MISTAKES,
};

const char *mistake_name(enum mistake mistake);
/* @return MISTAKES for a name that is none. */
enum mistake mistake_by_name(const char *name);
/* Spoils what lib/tcp said about a packet. */
void mistake_make(enum mistake mistake, const struct wk_tcp_seg *seg, struct wk_tcp_result *result);
