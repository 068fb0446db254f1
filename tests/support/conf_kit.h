/* SPDX-License-Identifier: Apache-2.0 */
/* conf_kit.h - files of configuration in a folder of their own, for tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "wk_conf.h"

#define COUNT(a) (uint32_t)(sizeof(a) / sizeof((a)[0]))

#define PORTS                                                                                      \
	"ports = ( { name = \"a\"; device = \"net_tap0\"; }, "                                     \
	"{ name = \"b\"; device = \"net_tap1\"; } ); "
#define WIRES "wires = ( { client = \"a\"; server = \"b\"; } );"
/* Line 1; what a case adds begins in line 2. */
#define BASE "version = 1; " PORTS WIRES "\n"
#define RULE "{ name = \"r\"; from = [ \"10.0.0.0/8\" ]; allow = [ \"/S/M\" ]; }"
#define RULE_WITH(more)                                                                            \
	"access = ( { name = \"r\"; from = [ \"10.0.0.0/8\" ]; allow = [ \"/S/M\" ]; " more " } "  \
	");"
#define SVC(more)                                                                                  \
	BASE "services = ( { name = \"s\"; addresses = [ \"10.1.0.1\" ]; port = 50051;\n" more     \
	     " } );"

#define PORT(name, device) "{ name = \"" name "\"; device = \"" device "\"; }"

static char dir[64];
static char path[128];

static inline void write_file(const char *name, const char *text, size_t len_b)
{
	char file[192];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len_b, f), len_b);
	assert_int_equal(fclose(f), 0);
}

static inline int load_n(const char *text, size_t len_b, struct wk_conf **conf,
			 struct wk_conf_error *err)
{
	write_file("t.conf", text, len_b);
	return wk_conf_load(path, conf, err);
}

static inline struct wk_conf *load(const char *text)
{
	struct wk_conf_error err;
	struct wk_conf *conf = NULL;

	if (load_n(text, strlen(text), &conf, &err) != 0)
		fail_msg("%s", err.text);
	assert_non_null(conf);
	return conf;
}

/* "FILE:line: ... fragment ..." with FILE in the test's folder. */
static inline void refuses(const char *text, size_t len_b, const char *file, uint32_t line,
			   const char *fragment)
{
	struct wk_conf *conf = (void *)1;
	struct wk_conf_error err;
	char start[192];

	snprintf(start, sizeof(start), "%s/%s:%u: ", dir, file, line);
	assert_int_equal(load_n(text, len_b, &conf, &err), -EINVAL);
	assert_null(conf);
	if (strncmp(err.text, start, strlen(start)) != 0 || strstr(err.text, fragment) == NULL)
		fail_msg("got '%s', not '%s...%s'\nof: %s", err.text, start, fragment, text);
}

static inline int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/wicket-conf-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/t.conf", dir);
	return 0;
}

static inline int remove_dir(void **state)
{
	char file[192];

	(void)state;
	snprintf(file, sizeof(file), "%s/more.inc", dir);
	unlink(file);
	unlink(path);
	return rmdir(dir);
}
