/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file: refused with a message that names the file, or taken, and then
 * its dump loads to the same dump. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wk_conf.h"

/* The nesting of a few kilobytes is as deep as that of many. */
#define INPUT_MAX_B 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b);

/* libconfig loses the string at hand, some 64 bytes, when it meets a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static char dir[] = "/tmp/wicket-conf-fuzz-XXXXXX";
static char path[64];

static void clean(void)
{
	unlink(path);
	rmdir(dir);
}

static void make_dir(void)
{
	if (path[0] != '\0')
		return;
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(path, sizeof(path), "%s/t.conf", dir);
	atexit(clean);
}

static struct wk_conf *load(const void *data, size_t size_b)
{
	struct wk_conf *conf = NULL;
	struct wk_conf_error err;
	FILE *f = fopen(path, "w");
	int rc;

	if (f == NULL || fwrite(data, 1, size_b, f) != size_b || fclose(f) != 0)
		abort();
	rc = wk_conf_load(path, &conf, &err);
	if ((rc == 0) != (conf != NULL))
		abort();
	/* An included file is in the same folder. */
	if (rc != 0 && (rc != -EINVAL || strncmp(err.text, dir, strlen(dir)) != 0 ||
			strchr(err.text + strlen(dir), ':') == NULL))
		abort();
	return conf;
}

static char *dump(const struct wk_conf *conf)
{
	char *text = NULL;
	size_t size_b = 0;
	FILE *f = open_memstream(&text, &size_b);

	if (f == NULL)
		abort();
	wk_conf_dump(conf, f);
	if (fclose(f) != 0)
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_b)
{
	struct wk_conf *first, *second;
	char *text, *again;

	make_dir();
	if (size_b > INPUT_MAX_B)
		return 0;
	first = load(data, size_b);
	if (first == NULL)
		return 0;
	text = dump(first);
	second = load(text, strlen(text));
	if (second == NULL)
		abort();
	again = dump(second);
	if (strcmp(text, again) != 0 || wk_conf_needs_restart(first, second) != NULL)
		abort();
	free(text);
	free(again);
	wk_conf_free(first);
	wk_conf_free(second);
	return 0;
}
