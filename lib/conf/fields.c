/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the schema that need no file: defaults, freeing, comparing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int64_t wk_conf_get_int(const struct key *key, const void *base)
{
	const void *field = field_in(base, key->offset);
	uint16_t half;
	int32_t word;

	switch (key->size) {
	case sizeof(uint8_t):
		return *(const uint8_t *)field;
	case sizeof(uint16_t):
		memcpy(&half, field, sizeof(half));
		return half;
	default:
		/* Everything in the file fits 31 bits; -1 is "not set". */
		memcpy(&word, field, sizeof(word));
		return word;
	}
}

void wk_conf_set_int(const struct key *key, void *base, int64_t value)
{
	void *field = field_at(base, key->offset);
	uint16_t half = (uint16_t)value;
	int32_t word = (int32_t)value;

	switch (key->size) {
	case sizeof(uint8_t):
		*(uint8_t *)field = (uint8_t)value;
		break;
	case sizeof(uint16_t):
		memcpy(field, &half, sizeof(half));
		break;
	default:
		memcpy(field, &word, sizeof(word));
		break;
	}
}

bool wk_conf_unset(const struct key *key, const void *base)
{
	const uint16_t *low = field_in(base, key->offset), *high = field_in(base, key->offset_2);

	switch (key->type) {
	case KEY_INT:
		return wk_conf_get_int(key, base) < key->min ||
		       wk_conf_get_int(key, base) > key->max;
	case KEY_PROTO:
		return *low == WK_CONF_PROTO_ANY;
	case KEY_PORT_RANGE:
		return *low == 0 && *high == UINT16_MAX;
	case KEY_STRING:
		return *(char *const *)field_in(base, key->offset) == NULL;
	case KEY_INTS:
		return ((const struct wk_conf_ints *)field_in(base, key->offset))->n == 0;
	case KEY_PREFIXES:
		return ((const struct wk_conf_prefixes *)field_in(base, key->offset))->n == 0;
	default:
		return false;
	}
}

int wk_conf_set_defaults(const struct key *keys, void *base)
{
	int rc = 0;

	for (const struct key *key = keys; key->name != NULL && rc == 0; key++) {
		char **text = field_at(base, key->offset);

		switch (key->type) {
		case KEY_INT:
		case KEY_CHOICE:
			wk_conf_set_int(key, base, key->def);
			break;
		case KEY_PROTO:
			*(uint16_t *)field_at(base, key->offset) = WK_CONF_PROTO_ANY;
			break;
		case KEY_PORT_RANGE:
			*(uint16_t *)field_at(base, key->offset_2) = UINT16_MAX;
			break;
		case KEY_STRING:
			if (key->def_text == NULL)
				break;
			*text = strdup(key->def_text);
			rc = *text == NULL ? -ENOMEM : 0;
			break;
		case KEY_GROUP:
			rc = wk_conf_set_defaults(key->keys, base);
			break;
		default:
			break;
		}
	}
	return rc;
}

static void free_list(const struct key *key, void *base)
{
	char **array = field_at(base, key->offset);
	uint32_t n = *(uint32_t *)field_at(base, key->offset_2);

	for (uint32_t i = 0; i < n; i++)
		wk_conf_free_fields(key->keys, *array + (size_t)i * key->size);
	free(*array);
}

void wk_conf_free_fields(const struct key *keys, void *base)
{
	for (const struct key *key = keys; key->name != NULL; key++) {
		void *field = field_at(base, key->offset);
		struct wk_conf_strings *strings = field;

		switch (key->type) {
		case KEY_STRING:
			free(*(char **)field);
			break;
		case KEY_STRINGS:
			for (uint32_t i = 0; i < strings->n; i++)
				free(strings->v[i]);
			free(strings->v);
			break;
		case KEY_INTS:
			free(((struct wk_conf_ints *)field)->v);
			break;
		case KEY_PREFIXES:
			free(((struct wk_conf_prefixes *)field)->v);
			break;
		case KEY_GROUP:
			wk_conf_free_fields(key->keys, base);
			break;
		case KEY_LIST:
			free_list(key, base);
			break;
		default:
			break;
		}
	}
}

static bool same_strings(const struct wk_conf_strings *a, const struct wk_conf_strings *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

static bool same_prefixes(const struct wk_conf_prefixes *a, const struct wk_conf_prefixes *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->v[i].family != b->v[i].family || a->v[i].len != b->v[i].len ||
		    memcmp(a->v[i].addr, b->v[i].addr, sizeof(a->v[i].addr)) != 0)
			return false;
	return true;
}

static bool same_ints(const struct wk_conf_ints *a, const struct wk_conf_ints *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

/* NULL: not set. */
static bool same_string(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_field(const struct key *key, const void *a, const void *b);

static bool same_list(const struct key *list, const void *a, const void *b)
{
	const char *const *array_a = field_in(a, list->offset);
	const char *const *array_b = field_in(b, list->offset);
	uint32_t n = *(const uint32_t *)field_in(a, list->offset_2);

	if (n != *(const uint32_t *)field_in(b, list->offset_2))
		return false;
	for (uint32_t i = 0; i < n; i++)
		for (const struct key *key = list->keys; key->name != NULL; key++)
			if (!same_field(key, *array_a + (size_t)i * list->size,
					*array_b + (size_t)i * list->size))
				return false;
	return true;
}

static bool same_field(const struct key *key, const void *a, const void *b)
{
	const void *field_a = field_in(a, key->offset), *field_b = field_in(b, key->offset);

	switch (key->type) {
	case KEY_INT:
	case KEY_CHOICE:
		return wk_conf_get_int(key, a) == wk_conf_get_int(key, b);
	case KEY_PORT_REF:
		return *(const uint32_t *)field_a == *(const uint32_t *)field_b;
	case KEY_PROTO:
		return *(const uint16_t *)field_a == *(const uint16_t *)field_b;
	case KEY_PORT_RANGE:
		return *(const uint16_t *)field_a == *(const uint16_t *)field_b &&
		       *(const uint16_t *)field_in(a, key->offset_2) ==
			       *(const uint16_t *)field_in(b, key->offset_2);
	case KEY_STRING:
		return same_string(*(char *const *)field_a, *(char *const *)field_b);
	case KEY_STRINGS:
		return same_strings(field_a, field_b);
	case KEY_INTS:
		return same_ints(field_a, field_b);
	case KEY_PREFIXES:
		return same_prefixes(field_a, field_b);
	case KEY_LIST:
		return same_list(key, a, b);
	case KEY_GROUP:
		for (const struct key *sub = key->keys; sub->name != NULL; sub++)
			if (!same_field(sub, a, b))
				return false;
		return true;
	default: /* a version is always 1, groups are written out */
		return true;
	}
}

static const char *first_restart(const struct key *keys, const struct wk_conf *running,
				 const struct wk_conf *next)
{
	for (const struct key *key = keys; key->name != NULL; key++) {
		const char *path = NULL;

		if (key->restart && !same_field(key, running, next))
			return key->path;
		if (key->type == KEY_GROUP)
			path = first_restart(key->keys, running, next);
		if (path != NULL)
			return path;
	}
	return NULL;
}

const char *wk_conf_needs_restart(const struct wk_conf *running, const struct wk_conf *next)
{
	return first_restart(wk_conf_schema, running, next);
}
