/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - writes one JSON object on one line, in pure ASCII.
 *
 * Into a buffer of the caller; what does not fit is cut and told by wk_json_end, never written
 * half. Strings come off the wire: control characters, quotes and everything beyond ASCII is
 * escaped, so that a line can neither be broken nor play tricks on a terminal. A byte that is not
 * part of valid UTF-8 is shown as the four characters \xNN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wk_json {
	char *buf;
	size_t size_b;
	size_t len_b;
	bool overflow;
	bool comma; /* the next member needs one before it */
};

void wk_json_begin(struct wk_json *json, char *buf, size_t size_b);
void wk_json_str(struct wk_json *json, const char *key, const char *value);
void wk_json_bytes(struct wk_json *json, const char *key, const char *value, size_t len_b);
void wk_json_u64(struct wk_json *json, const char *key, uint64_t value);
/* An array of numbers. */
void wk_json_u16s(struct wk_json *json, const char *key, const uint16_t *values, uint32_t n);
/* Ends object and line with "}\n" and a NUL. @return its length, or 0 when it did not fit. */
size_t wk_json_end(struct wk_json *json);
