/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and lists of groups: every child must be in the schema, every required key must be there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int read_group(struct reader *reader, const char *path, const struct key *keys,
		      const config_setting_t *setting, void *base);

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace) from a to b; both are short. */
static uint32_t distance(const char *a, const char *b)
{
	uint32_t row[32];
	size_t len_a = strlen(a), len_b = strlen(b);

	if (len_a >= 32 || len_b >= 32)
		return UINT32_MAX;
	for (uint32_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (uint32_t i = 1; i <= len_a; i++) {
		uint32_t diagonal = row[0];

		row[0] = i;
		for (uint32_t j = 1; j <= len_b; j++) {
			uint32_t above = row[j];

			row[j] = least(least(row[j - 1], above) + 1,
				       diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len_b];
}

static int refuse_unknown(struct reader *reader, const char *path, const struct key *keys,
			  const config_setting_t *setting)
{
	const char *name = config_setting_name(setting), *close = NULL;
	uint32_t best = 3; /* a typing error or two */

	for (const struct key *key = keys; key->name != NULL; key++) {
		uint32_t d = distance(name, key->name);

		if (d < best) {
			best = d;
			close = key->name;
		}
	}
	return wk_conf_refuse(reader, setting, "unknown key \"%s\"%s%s%s%s%s", name,
			      path[0] != '\0' ? " in " : "", path,
			      close != NULL ? ", do you mean \"" : "", close != NULL ? close : "",
			      close != NULL ? "\"?" : "");
}

static int refuse_unknown_keys(struct reader *reader, const char *path, const struct key *keys,
			       const config_setting_t *setting)
{
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *child = config_setting_get_elem(setting, (unsigned int)i);
		const struct key *key = keys;

		while (key->name != NULL && strcmp(key->name, config_setting_name(child)) != 0)
			key++;
		if (key->name == NULL)
			return refuse_unknown(reader, path, keys, child);
	}
	return 0;
}

/* A name that lives as long as the struct does, for places. */
static const char *keep_file_name(struct reader *reader, const char *name)
{
	struct box *box = reader->box;
	char path[4096];
	char **grown, *copy;

	(void)wk_conf_file_path(reader, name, path, sizeof(path));
	for (uint32_t i = 0; i < box->n_files; i++)
		if (strcmp(box->files[i], path) == 0)
			return box->files[i];
	grown = reallocarray(box->files, box->n_files + 1u, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	box->files = grown;
	copy = strdup(path);
	if (copy != NULL)
		box->files[box->n_files++] = copy;
	return copy;
}

static int read_element(struct reader *reader, const struct key *list,
			const config_setting_t *setting, void *element)
{
	struct wk_conf_at *at = element;
	int rc;

	if (!config_setting_is_group(setting))
		return wk_conf_refuse(reader, setting, "%s must be a list of groups: ( { ... } )",
				      list->path);
	at->file = keep_file_name(reader, config_setting_source_file(setting));
	at->line = config_setting_source_line(setting);
	if (at->file == NULL)
		return wk_conf_no_memory(reader->err);
	rc = wk_conf_set_defaults(list->keys, element);
	if (rc != 0)
		return wk_conf_no_memory(reader->err);
	return read_group(reader, list->path, list->keys, setting, element);
}

static int read_list(struct reader *reader, const struct key *list, const config_setting_t *setting,
		     void *base)
{
	char **array = field_at(base, list->offset);
	uint32_t *n = field_at(base, list->offset_2);
	int length = config_setting_length(setting), rc = 0;

	/* An empty array may pass for an empty list. */
	if (!config_setting_is_list(setting) && !(config_setting_is_array(setting) && length == 0))
		return wk_conf_refuse(reader, setting, "%s must be a list of groups: ( { ... } )",
				      list->path);
	if (length > list->max)
		return wk_conf_refuse(reader, setting, "%s has %d elements, the most is %d",
				      list->path, length, (int)list->max);
	if (length == 0)
		return 0;
	*array = calloc((size_t)length, list->size);
	if (*array == NULL)
		return wk_conf_no_memory(reader->err);
	for (uint32_t i = 0; i < (uint32_t)length && rc == 0; i++) {
		*n = i + 1; /* what is half read is freed all the same */
		rc = read_element(reader, list, config_setting_get_elem(setting, i),
				  *array + (size_t)i * list->size);
	}
	return rc;
}

static int read_groups(struct reader *reader, const struct key *key,
		       const config_setting_t *setting)
{
	int length = config_setting_length(setting), rc = 0;

	if (!config_setting_is_group(setting))
		return wk_conf_refuse(reader, setting,
				      "%s must be a group: { name = [ \"...\" ]; }", key->path);
	if (length == 0)
		return 0;
	reader->groups = calloc((size_t)length, sizeof(*reader->groups));
	if (reader->groups == NULL)
		return wk_conf_no_memory(reader->err);
	for (uint32_t i = 0; i < (uint32_t)length && rc == 0; i++) {
		const config_setting_t *child = config_setting_get_elem(setting, i);
		struct group *group = &reader->groups[reader->n_groups++];

		group->name = config_setting_name(child);
		rc = wk_conf_read_prefixes(reader, group->name, false, child, &group->prefixes);
	}
	return rc;
}

static int read_key(struct reader *reader, const struct key *key, const config_setting_t *setting,
		    void *base)
{
	switch (key->type) {
	case KEY_GROUP:
		return read_group(reader, key->path, key->keys, setting, base);
	case KEY_GROUPS:
		return read_groups(reader, key, setting);
	case KEY_LIST:
		return read_list(reader, key, setting, base);
	default:
		return wk_conf_read_value(reader, key, setting, base);
	}
}

static int read_group(struct reader *reader, const char *path, const struct key *keys,
		      const config_setting_t *setting, void *base)
{
	int rc;

	if (!config_setting_is_group(setting))
		return wk_conf_refuse(reader, setting, "%s must be a group: { ... }", path);
	rc = refuse_unknown_keys(reader, path, keys, setting);
	for (const struct key *key = keys; key->name != NULL && rc == 0; key++) {
		const config_setting_t *child = config_setting_get_member(setting, key->name);

		if (child != NULL)
			rc = read_key(reader, key, child, base);
		else if (key->required)
			rc = wk_conf_refuse(reader, setting, "%s is missing", key->path);
	}
	return rc;
}

int wk_conf_read(struct reader *reader, const config_setting_t *root)
{
	return read_group(reader, "", wk_conf_schema, root, &reader->box->pub);
}
