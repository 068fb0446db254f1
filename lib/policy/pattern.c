/* SPDX-License-Identifier: Apache-2.0 */
/* Grammar of paths and patterns. The gate is strict on purpose: a path that two parsers may read
 * differently (escapes, dot segments, empty segments, queries) never reaches a comparison. */
#include <string.h>

#include "internal.h"

static bool alpha(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool alnum(char c)
{
	return alpha(c) || (c >= '0' && c <= '9');
}

/* One identifier at s[pos]. @return the position behind it, or pos when there is none. */
static uint32_t identifier(const char *s, uint32_t len_b, uint32_t pos)
{
	if (pos >= len_b || !alpha(s[pos]))
		return pos;
	while (pos < len_b && alnum(s[pos]))
		pos++;
	return pos;
}

/* Identifiers joined by single dots. @return the position behind them, 0 when there are none; a
 * dot that no identifier follows is not taken. */
static uint32_t dotted(const char *s, uint32_t len_b, uint32_t pos)
{
	uint32_t end = identifier(s, len_b, pos);

	if (end == pos)
		return 0;
	while (end < len_b && s[end] == '.') {
		uint32_t next = identifier(s, len_b, end + 1);

		if (next == end + 1)
			break;
		end = next;
	}
	return end;
}

bool wk_policy_path_ok(const char *path, uint32_t len_b)
{
	uint32_t end;

	if (len_b == 0 || path[0] != '/')
		return false;
	end = dotted(path, len_b, 1);
	if (end == 0 || end >= len_b || path[end] != '/')
		return false;
	return end + 1 < len_b && identifier(path, len_b, end + 1) == len_b;
}

static const char *const group_health[] = {
	"/grpc.health.v1.Health/Check",
	"/grpc.health.v1.Health/Watch",
	NULL,
};
static const char *const group_reflection[] = {
	"/grpc.reflection.v1.ServerReflection/*",
	"/grpc.reflection.v1alpha.ServerReflection/*",
	NULL,
};
static const char *const group_channelz[] = {
	"/grpc.channelz.v1.Channelz/*",
	NULL,
};

const char *const *wk_policy_group(const char *name)
{
	if (strcmp(name, "@health") == 0)
		return group_health;
	if (strcmp(name, "@reflection") == 0)
		return group_reflection;
	if (strcmp(name, "@channelz") == 0)
		return group_channelz;
	return NULL;
}

const char *wk_policy_pattern_kind(const char *pattern, enum pattern_kind *kind)
{
	size_t size = pattern == NULL ? 0 : strlen(pattern);
	uint32_t len_b, end;

	if (size == 0)
		return "empty pattern";
	if (size > PATTERN_MAX_B)
		return "pattern is longer than 1024 bytes";
	len_b = (uint32_t)size;
	if (is_regex(pattern)) {
		*kind = PATTERN_REGEX;
		return NULL;
	}
	if (pattern[0] == '@') {
		*kind = PATTERN_GROUP;
		return wk_policy_group(pattern) != NULL
			       ? NULL
			       : "no such group of methods: @health, @reflection, @channelz";
	}
	if (pattern[0] != '/')
		return "a pattern begins with '/', '@' or \"regex:\"";
	if (wk_policy_path_ok(pattern, len_b)) {
		*kind = PATTERN_METHOD;
		return NULL;
	}
	end = dotted(pattern, len_b, 1);
	if (end != 0 && strcmp(pattern + end, "/*") == 0) {
		*kind = PATTERN_SERVICE;
		return NULL;
	}
	if (end != 0 && strcmp(pattern + end, ".*") == 0) {
		*kind = PATTERN_PACKAGE;
		return NULL;
	}
	if (strchr(pattern, '*') != NULL)
		return "'*' stands only at the end of /package.Service/* or /package.*";
	return "not of the form /package.Service/Method";
}
