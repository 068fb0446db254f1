/* SPDX-License-Identifier: Apache-2.0 */
/* Values that are no groups. What is stored is checked first: a struct wk_conf never holds a value
 * out of its range. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A printable string that is not too long. */
static int get_string(struct reader *reader, const char *path, const config_setting_t *setting,
		      const char **text)
{
	const char *s = config_setting_get_string(setting);

	if (config_setting_type(setting) != CONFIG_TYPE_STRING || s == NULL)
		return wk_conf_refuse(reader, setting, "%s must be a string", path);
	if (strlen(s) > STRING_MAX_B)
		return wk_conf_refuse(reader, setting, "%s is longer than %u bytes", path,
				      STRING_MAX_B);
	for (const char *c = s; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return wk_conf_refuse(reader, setting, "%s has a control character", path);
	*text = s;
	return 0;
}

static int get_int(struct reader *reader, const char *path, const config_setting_t *setting,
		   int64_t low, int64_t high, int64_t *value)
{
	int type = config_setting_type(setting);

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return wk_conf_refuse(reader, setting, "%s must be an integer", path);
	*value = type == CONFIG_TYPE_INT ? config_setting_get_int(setting)
					 : config_setting_get_int64(setting);
	if (low == high && *value != low)
		return wk_conf_refuse(reader, setting, "%s is %lld, this version takes only %lld",
				      path, (long long)*value, (long long)low);
	if (*value < low || *value > high)
		return wk_conf_refuse(reader, setting, "%s is %lld, not %lld to %lld", path,
				      (long long)*value, (long long)low, (long long)high);
	return 0;
}

/* The elements of an array; a list of strings is as good. */
static int get_array(struct reader *reader, const char *path, const config_setting_t *setting,
		     uint32_t *n)
{
	int length;

	if (!config_setting_is_array(setting) && !config_setting_is_list(setting))
		return wk_conf_refuse(reader, setting, "%s must be an array: [ \"...\", ... ]",
				      path);
	length = config_setting_length(setting);
	if (length < 0 || (uint32_t)length > ARRAY_MAX)
		return wk_conf_refuse(reader, setting, "%s has more than %u elements", path,
				      ARRAY_MAX);
	*n = (uint32_t)length;
	return 0;
}

static int read_int(struct reader *reader, const struct key *key, const config_setting_t *setting,
		    void *base)
{
	int64_t value;
	int rc = get_int(reader, key->path, setting, key->min, key->max, &value);

	if (rc == 0)
		wk_conf_set_int(key, base, value);
	return rc;
}

static int find_choice(struct reader *reader, const struct key *key,
		       const config_setting_t *setting, const char *text, int32_t *index)
{
	char list[160];
	size_t n = 0;

	for (int32_t i = 0; key->choices[i] != NULL; i++) {
		int len;

		if (strcmp(key->choices[i], text) == 0) {
			*index = i;
			return 0;
		}
		len = snprintf(list + n, sizeof(list) - n, "%s%s", i == 0 ? "" : ", ",
			       key->choices[i]);
		n += len > 0 && (size_t)len < sizeof(list) - n ? (size_t)len : 0;
	}
	return wk_conf_refuse(reader, setting, "%s is \"%s\", not one of: %s", key->path, text,
			      list);
}

static int read_choice(struct reader *reader, const struct key *key,
		       const config_setting_t *setting, void *base)
{
	const char *text;
	int32_t index = 0;
	int rc = get_string(reader, key->path, setting, &text);

	if (rc == 0)
		rc = find_choice(reader, key, setting, text, &index);
	if (rc == 0)
		wk_conf_set_int(key, base, index);
	return rc;
}

/* A checked copy. */
static int copy_string(struct reader *reader, const struct key *key,
		       const config_setting_t *setting, char **copy)
{
	const char *text, *wrong = NULL;
	int32_t index;
	int rc = get_string(reader, key->path, setting, &text);

	if (rc == 0 && key->choices != NULL)
		rc = find_choice(reader, key, setting, text, &index);
	if (rc != 0)
		return rc;
	if (key->check != NULL)
		wrong = key->check(text);
	if (wrong != NULL)
		return wk_conf_refuse(reader, setting, "%s \"%s\" %s", key->path, text, wrong);
	*copy = strdup(text);
	return *copy == NULL ? wk_conf_no_memory(reader->err) : 0;
}

static int read_string(struct reader *reader, const struct key *key,
		       const config_setting_t *setting, void *base)
{
	char **field = field_at(base, key->offset), *copy;
	int rc = copy_string(reader, key, setting, &copy);

	if (rc != 0)
		return rc;
	free(*field);
	*field = copy;
	return 0;
}

static int read_strings(struct reader *reader, const struct key *key,
			const config_setting_t *setting, void *base)
{
	struct wk_conf_strings *strings = field_at(base, key->offset);
	uint32_t n = 0;
	int rc = get_array(reader, key->path, setting, &n);

	if (rc != 0 || n == 0)
		return rc;
	strings->v = calloc(n, sizeof(*strings->v));
	if (strings->v == NULL)
		return wk_conf_no_memory(reader->err);
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		rc = copy_string(reader, key, config_setting_get_elem(setting, i), &strings->v[i]);
		if (rc == 0)
			strings->n++;
	}
	return rc;
}

static int read_ints(struct reader *reader, const struct key *key, const config_setting_t *setting,
		     void *base)
{
	struct wk_conf_ints *ints = field_at(base, key->offset);
	uint32_t n = 0;
	int64_t value;
	bool alone = key->scalar && !config_setting_is_aggregate(setting);
	int rc = 0;

	if (alone)
		n = 1;
	else
		rc = get_array(reader, key->path, setting, &n);
	/* As with prefixes: nobody means "any" by an empty list. */
	if (rc == 0 && n == 0)
		rc = wk_conf_refuse(reader, setting, "%s is empty", key->path);
	if (rc != 0)
		return rc;
	ints->v = calloc(n, sizeof(*ints->v));
	if (ints->v == NULL)
		return wk_conf_no_memory(reader->err);
	for (; ints->n < n && rc == 0; ints->n++) {
		const config_setting_t *elem = alone ? setting
						     : config_setting_get_elem(setting, ints->n);

		rc = get_int(reader, key->path, elem, key->min, key->max, &value);
		ints->v[ints->n] = rc == 0 ? (uint32_t)value : 0;
	}
	return rc;
}

static int append(struct reader *reader, const char *path, const config_setting_t *setting,
		  struct wk_conf_prefixes *to, const struct wk_conf_prefix *v, uint32_t n)
{
	struct wk_conf_prefix *grown;

	if (n > ARRAY_MAX - to->n)
		return wk_conf_refuse(reader, setting, "%s has more than %u prefixes", path,
				      ARRAY_MAX);
	grown = reallocarray(to->v, to->n + n, sizeof(*to->v));
	if (grown == NULL)
		return wk_conf_no_memory(reader->err);
	memcpy(grown + to->n, v, n * sizeof(*v));
	to->v = grown;
	to->n += n;
	return 0;
}

static int append_text(struct reader *reader, const char *path, bool groups,
		       const config_setting_t *setting, struct wk_conf_prefixes *to)
{
	struct wk_conf_prefix prefix;
	const char *text, *wrong;
	int rc = get_string(reader, path, setting, &text);

	if (rc != 0)
		return rc;
	if (text[0] == '@') {
		if (!groups)
			return wk_conf_refuse(reader, setting, "%s takes no groups: \"%s\"", path,
					      text);
		for (uint32_t i = 0; i < reader->n_groups; i++) {
			const struct group *g = &reader->groups[i];

			if (strcmp(g->name, text + 1) == 0)
				return append(reader, path, setting, to, g->prefixes.v,
					      g->prefixes.n);
		}
		return wk_conf_refuse(reader, setting, "%s: there is no group \"%s\"", path, text);
	}
	wrong = wk_conf_prefix_parse(text, &prefix);
	if (wrong != NULL)
		return wk_conf_refuse(reader, setting, "%s: \"%s\" %s", path, text, wrong);
	return append(reader, path, setting, to, &prefix, 1);
}

int wk_conf_read_prefixes(struct reader *reader, const char *path, bool groups,
			  const config_setting_t *setting, struct wk_conf_prefixes *prefixes)
{
	uint32_t n = 0;
	int rc = get_array(reader, path, setting, &n);

	/* Left out it may mean "any"; nobody writes an empty list and means that. */
	if (rc == 0 && n == 0)
		rc = wk_conf_refuse(reader, setting, "%s is empty", path);
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = append_text(reader, path, groups, config_setting_get_elem(setting, i),
				 prefixes);
	return rc;
}

static int read_port_ref(struct reader *reader, const struct key *key,
			 const config_setting_t *setting, void *base)
{
	const struct wk_conf *conf = &reader->box->pub;
	const char *text;
	int rc = get_string(reader, key->path, setting, &text);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		if (strcmp(conf->ports[i].name, text) != 0)
			continue;
		*(uint32_t *)field_at(base, key->offset) = i;
		return 0;
	}
	return wk_conf_refuse(reader, setting, "%s: there is no port \"%s\"", key->path, text);
}

static int read_proto(struct reader *reader, const struct key *key, const config_setting_t *setting,
		      void *base)
{
	uint16_t *field = field_at(base, key->offset);
	const char *text;
	int64_t value;
	int rc;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		rc = get_int(reader, key->path, setting, 0, UINT8_MAX, &value);
	} else {
		rc = get_string(reader, key->path, setting, &text);
		value = rc == 0 ? wk_conf_proto_number(text) : 0;
		if (value < 0)
			rc = wk_conf_refuse(reader, setting,
					    "%s is \"%s\", not tcp, udp, icmp, icmpv6 or a number",
					    key->path, text);
	}
	if (rc == 0)
		*field = (uint16_t)value;
	return rc;
}

/* "1024-65535", digits only. */
static bool parse_range(const char *text, uint16_t *low, uint16_t *high)
{
	uint32_t value[2] = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		size_t n = strspn(text, "0123456789");

		if (n == 0 || n > 5 || text[n] != (i == 0 ? '-' : '\0'))
			return false;
		for (size_t k = 0; k < n; k++)
			value[i] = value[i] * 10 + (uint32_t)(text[k] - '0');
		if (value[i] > UINT16_MAX)
			return false;
		text += n + 1;
	}
	*low = (uint16_t)value[0];
	*high = (uint16_t)value[1];
	return value[0] <= value[1];
}

static int read_port_range(struct reader *reader, const struct key *key,
			   const config_setting_t *setting, void *base)
{
	uint16_t low = 0, high = 0;
	const char *text;
	int64_t value;
	int rc;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		rc = get_int(reader, key->path, setting, 0, UINT16_MAX, &value);
		low = high = rc == 0 ? (uint16_t)value : 0;
	} else {
		rc = get_string(reader, key->path, setting, &text);
		if (rc == 0 && !parse_range(text, &low, &high))
			rc = wk_conf_refuse(reader, setting,
					    "%s is \"%s\", not a port or \"low-high\"", key->path,
					    text);
	}
	if (rc != 0)
		return rc;
	*(uint16_t *)field_at(base, key->offset) = low;
	*(uint16_t *)field_at(base, key->offset_2) = high;
	return 0;
}

static int read_version(struct reader *reader, const struct key *key,
			const config_setting_t *setting)
{
	int64_t value;
	int rc = get_int(reader, key->path, setting, 0, INT32_MAX, &value);

	if (rc == 0 && value != 1)
		rc = wk_conf_refuse(reader, setting, "version is %lld, this program reads 1",
				    (long long)value);
	return rc;
}

int wk_conf_read_value(struct reader *reader, const struct key *key,
		       const config_setting_t *setting, void *base)
{
	switch (key->type) {
	case KEY_VERSION:
		return read_version(reader, key, setting);
	case KEY_INT:
		return read_int(reader, key, setting, base);
	case KEY_CHOICE:
		return read_choice(reader, key, setting, base);
	case KEY_STRING:
		return read_string(reader, key, setting, base);
	case KEY_STRINGS:
		return read_strings(reader, key, setting, base);
	case KEY_INTS:
		return read_ints(reader, key, setting, base);
	case KEY_PREFIXES:
		return wk_conf_read_prefixes(reader, key->path, key->groups, setting,
					     field_at(base, key->offset));
	case KEY_PORT_REF:
		return read_port_ref(reader, key, setting, base);
	case KEY_PROTO:
		return read_proto(reader, key, setting, base);
	case KEY_PORT_RANGE:
		return read_port_range(reader, key, setting, base);
	default: /* read.c has the others */
		return -EINVAL;
	}
}
