/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* "/24": digits without a leading zero. @return the number, or UINT32_MAX. */
static uint32_t parse_len(const char *digits)
{
	size_t n = strspn(digits, "0123456789");
	uint32_t len = 0;

	if (n == 0 || n > 3 || digits[n] != '\0' || (n > 1 && digits[0] == '0'))
		return UINT32_MAX;
	for (size_t i = 0; i < n; i++)
		len = len * 10 + (uint32_t)(digits[i] - '0');
	return len;
}

static bool host_bits_zero(const struct wk_conf_prefix *prefix)
{
	uint32_t bits = prefix->family == 4 ? 32 : 128;

	for (uint32_t i = prefix->len; i < bits; i++)
		if ((prefix->addr[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

const char *wk_conf_prefix_parse(const char *text, struct wk_conf_prefix *prefix)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const char *slash = strchr(text, '/');
	size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char addr[INET6_ADDRSTRLEN];
	uint32_t bits, len;

	memset(prefix, 0, sizeof(*prefix));
	if (size == 0 || size >= sizeof(addr))
		return "is not an IPv4 or IPv6 address";
	memcpy(addr, text, size);
	addr[size] = '\0';
	if (inet_pton(AF_INET, addr, prefix->addr) == 1)
		prefix->family = 4;
	else if (inet_pton(AF_INET6, addr, prefix->addr) == 1)
		prefix->family = 6;
	else
		return "is not an IPv4 or IPv6 address";
	bits = prefix->family == 4 ? 32 : 128;
	len = slash != NULL ? parse_len(slash + 1) : bits;
	if (len > bits)
		return prefix->family == 4 ? "has a prefix length that is not 0 to 32"
					   : "has a prefix length that is not 0 to 128";
	prefix->len = (uint8_t)len;
	if (prefix->family == 6 && memcmp(prefix->addr, mapped, sizeof(mapped)) == 0)
		return "is an IPv4 address in IPv6 form, which no packet carries: write it as IPv4";
	if (!host_bits_zero(prefix))
		return "has bits set behind its prefix length";
	return NULL;
}

void wk_conf_prefix_print(const struct wk_conf_prefix *prefix, char text[PREFIX_TEXT_MAX])
{
	char addr[INET6_ADDRSTRLEN] = "?";
	bool whole = prefix->len == (prefix->family == 4 ? 32 : 128);

	inet_ntop(prefix->family == 4 ? AF_INET : AF_INET6, prefix->addr, addr, sizeof(addr));
	if (whole)
		snprintf(text, PREFIX_TEXT_MAX, "%s", addr);
	else
		snprintf(text, PREFIX_TEXT_MAX, "%s/%u", addr, prefix->len);
}

bool wk_conf_prefix_overlap(const struct wk_conf_prefix *a, const struct wk_conf_prefix *b)
{
	uint32_t len = a->len < b->len ? a->len : b->len;
	uint32_t bytes = len / 8u, bits = len % 8u;

	if (a->family != b->family || memcmp(a->addr, b->addr, bytes) != 0)
		return false;
	return bits == 0 || ((a->addr[bytes] ^ b->addr[bytes]) >> (8u - bits)) == 0;
}
