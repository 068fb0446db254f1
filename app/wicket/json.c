/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

static void put(struct wk_json *json, const char *text, size_t len_b)
{
	if (json->overflow || len_b >= json->size_b - json->len_b) {
		json->overflow = true;
		return;
	}
	memcpy(json->buf + json->len_b, text, len_b);
	json->len_b += len_b;
}

__attribute__((format(printf, 2, 3))) static void putf(struct wk_json *json, const char *format,
						       ...)
{
	char text[32];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	put(json, text, n > 0 ? (size_t)n : 0);
}

/* Decodes one character of valid UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
 * U+10FFFF). @return its length, 0 if it is none. */
static size_t utf8(const uint8_t *s, size_t len_b, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;

	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n > len_b)
		return 0;
	*code = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

static void put_code(struct wk_json *json, uint32_t code)
{
	char c = (char)code;

	if (code == '"' || code == '\\') {
		put(json, "\\", 1);
		put(json, &c, 1);
	} else if (code >= 0x20 && code < 0x7f) {
		put(json, &c, 1);
	} else if (code < 0x10000) {
		putf(json, "\\u%04x", code);
	} else {
		code -= 0x10000;
		putf(json, "\\u%04x\\u%04x", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
	}
}

static void put_string(struct wk_json *json, const char *value, size_t len_b)
{
	const uint8_t *s = (const uint8_t *)value;

	put(json, "\"", 1);
	for (size_t i = 0; i < len_b;) {
		uint32_t code;
		size_t n = utf8(s + i, len_b - i, &code);

		if (n == 0) {
			putf(json, "\\\\x%02x", s[i]);
			n = 1;
		} else {
			put_code(json, code);
		}
		i += n;
	}
	put(json, "\"", 1);
}

static void put_key(struct wk_json *json, const char *key)
{
	if (json->comma)
		put(json, ", ", 2);
	json->comma = true;
	put_string(json, key, strlen(key));
	put(json, ": ", 2);
}

void wk_json_begin(struct wk_json *json, char *buf, size_t size_b)
{
	*json = (struct wk_json){ .buf = buf, .size_b = size_b };
	put(json, "{", 1);
}

void wk_json_bytes(struct wk_json *json, const char *key, const char *value, size_t len_b)
{
	put_key(json, key);
	put_string(json, value, len_b);
}

void wk_json_str(struct wk_json *json, const char *key, const char *value)
{
	wk_json_bytes(json, key, value, strlen(value));
}

void wk_json_u64(struct wk_json *json, const char *key, uint64_t value)
{
	put_key(json, key);
	putf(json, "%llu", (unsigned long long)value);
}

void wk_json_u16s(struct wk_json *json, const char *key, const uint16_t *values, uint32_t n)
{
	put_key(json, key);
	put(json, "[", 1);
	for (uint32_t i = 0; i < n; i++)
		putf(json, "%s%u", i > 0 ? ", " : "", values[i]);
	put(json, "]", 1);
}

size_t wk_json_end(struct wk_json *json)
{
	put(json, "}\n", 2);
	if (json->overflow)
		return 0;
	json->buf[json->len_b] = '\0';
	return json->len_b;
}
