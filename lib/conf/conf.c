/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to a struct wk_conf: look at the text, parse it, read it by the schema, check it. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

__attribute__((format(printf, 4, 0))) static int
fail(struct wk_conf_error *err, const char *file, uint32_t line, const char *format, va_list args)
{
	size_t size_b = sizeof(err->text);
	int n;

	if (line != 0)
		n = snprintf(err->text, size_b, "%s:%u: ", file, line);
	else
		n = snprintf(err->text, size_b, "%s: ", file);
	if (n >= 0 && (size_t)n < size_b)
		(void)vsnprintf(err->text + n, size_b - (size_t)n, format, args);
	return -EINVAL;
}

int wk_conf_fail(struct wk_conf_error *err, const char *file, uint32_t line, const char *format,
		 ...)
{
	va_list args;

	va_start(args, format);
	(void)fail(err, file, line, format, args);
	va_end(args);
	return -EINVAL;
}

int wk_conf_refuse(struct reader *reader, const config_setting_t *setting, const char *format, ...)
{
	const char *name = config_setting_source_file(setting);
	uint32_t line = config_setting_source_line(setting);
	char path[4096];
	va_list args;

	(void)wk_conf_file_path(reader, name != NULL ? name : reader->path, path, sizeof(path));
	va_start(args, format);
	/* What the file as a whole lacks, it lacks in line 1. */
	(void)fail(reader->err, path, line != 0 ? line : 1, format, args);
	va_end(args);
	return -EINVAL;
}

int wk_conf_no_memory(struct wk_conf_error *err)
{
	snprintf(err->text, sizeof(err->text), "out of memory");
	return -ENOMEM;
}

static struct box *new_box(const char *path)
{
	struct box *box = calloc(1, sizeof(*box));

	if (box == NULL)
		return NULL;
	box->pub.file = strdup(path);
	if (box->pub.file == NULL || wk_conf_set_defaults(wk_conf_schema, &box->pub) != 0) {
		wk_conf_free(&box->pub);
		return NULL;
	}
	return box;
}

static int parse_error(struct reader *reader, const config_t *config)
{
	const char *text = config_error_text(config);
	const char *name = config_error_file(config);
	int line = config_error_line(config);
	char path[4096];

	(void)wk_conf_file_path(reader, name != NULL ? name : reader->path, path, sizeof(path));
	return wk_conf_fail(reader->err, path, line > 0 ? (uint32_t)line : 1, "%s",
			    text != NULL ? text : "cannot be parsed");
}

/* With a configuration of libconfig's at hand. */
static int load_with(struct reader *reader, config_t *config)
{
	int rc = wk_conf_scan(reader);

	if (rc != 0)
		return rc;
	if (reader->dir[0] != '\0') /* it copies the string, NULL or not */
		config_set_include_dir(config, reader->dir);
	if (config_read_file(config, reader->path) != CONFIG_TRUE)
		return parse_error(reader, config);
	rc = wk_conf_read(reader, config_root_setting(config));
	return rc != 0 ? rc : wk_conf_check(reader, config_root_setting(config));
}

/* The folder of a file; "" is the current one. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return strdup("");
	if (slash == path)
		return strdup("/.");
	return strndup(path, (size_t)(slash - path));
}

static void end_reader(struct reader *reader)
{
	for (uint32_t i = 0; i < reader->n_groups; i++)
		free(reader->groups[i].prefixes.v);
	free(reader->groups);
}

int wk_conf_load(const char *path, struct wk_conf **conf, struct wk_conf_error *err)
{
	struct reader reader = { .err = err, .path = path };
	char *dir = folder_of(path);
	config_t config;
	int rc;

	*conf = NULL;
	err->text[0] = '\0';
	reader.box = new_box(path);
	if (reader.box == NULL || dir == NULL) {
		free(dir);
		wk_conf_free(reader.box != NULL ? &reader.box->pub : NULL);
		return wk_conf_no_memory(err);
	}
	reader.dir = dir;
	config_init(&config);
	rc = load_with(&reader, &config);
	config_destroy(&config);
	end_reader(&reader);
	free(dir);
	if (rc != 0)
		wk_conf_free(&reader.box->pub);
	else
		*conf = &reader.box->pub;
	return rc;
}

struct wk_conf *wk_conf_defaults(void)
{
	struct box *box = new_box("");

	return box != NULL ? &box->pub : NULL;
}

void wk_conf_free(struct wk_conf *conf)
{
	struct box *box = (struct box *)conf; /* its first member */

	if (conf == NULL)
		return;
	wk_conf_free_fields(wk_conf_schema, conf);
	for (uint32_t i = 0; i < box->n_files; i++)
		free(box->files[i]);
	free(box->files);
	free(conf->file);
	free(box);
}
