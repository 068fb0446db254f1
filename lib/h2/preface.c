/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of a client: the connection preface of RFC 9113 3.4, or something else. */
#include <string.h>

#include "h2_priv.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_B (sizeof(preface) - 1)

/* What an HTTP/1 request may begin with, and what a TLS record with a ClientHello does. */
static const char *const methods[] = { "GET ",     "HEAD ",    "POST ",  "PUT ",  "DELETE ",
				       "OPTIONS ", "CONNECT ", "TRACE ", "PATCH " };
static const char hello[] = "\x16\x03";

enum likeness { DIFFERENT, PREFIX, WHOLE };

static enum likeness compare(const uint8_t *data, uint32_t len_b, const char *want, size_t want_b)
{
	size_t n = len_b < want_b ? len_b : want_b;

	if (memcmp(data, want, n) != 0)
		return DIFFERENT;
	return n == want_b ? WHOLE : PREFIX;
}

enum h2_step h2_preface_step(struct h2_cut *cut)
{
	bool maybe = false;
	enum likeness like;

	if (cut->len_b == 0)
		return H2_MORE;
	like = compare(cut->data, cut->len_b, preface, PREFACE_B);
	if (like == WHOLE) {
		cut->conn->c2s_state = H2_C2S_SETTINGS;
		h2_take(cut, WK_OP_PIN, PREFACE_B, false);
		return H2_NEXT;
	}
	maybe = like == PREFIX;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		like = compare(cut->data, cut->len_b, methods[i], strlen(methods[i]));
		if (like == WHOLE)
			return h2_fail(cut, WK_H2_E_NOT_H2_HTTP1);
		maybe |= like == PREFIX;
	}
	like = compare(cut->data, cut->len_b, hello, sizeof(hello) - 1);
	if (like == WHOLE)
		return h2_fail(cut, WK_H2_E_NOT_H2_TLS);
	maybe |= like == PREFIX;
	return maybe ? H2_MORE : h2_fail(cut, WK_H2_E_NOT_H2);
}
