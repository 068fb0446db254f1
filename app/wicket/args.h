/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - the command line of wicket. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of the program. */
#define WK_EXIT_OK    0
#define WK_EXIT_RUN   1 /* something failed at run time */
#define WK_EXIT_USAGE 2 /* wrong arguments or a wrong configuration */
#define WK_EXIT_DENY  3 /* --explain: the call would be denied */

enum wk_args_mode {
	WK_ARGS_RUN = 0,
	WK_ARGS_CHECK = 1,
	WK_ARGS_DUMP = 2,
	WK_ARGS_VERSION = 3,
	WK_ARGS_HELP = 4,
	WK_ARGS_EXPLAIN = 5,
};

/* The call of --explain, as texts. */
#define WK_ARGS_HEADERS_MAX 32u
struct wk_args_call {
	const char *from;
	const char *to;
	const char *path;
	const char *authority; /* the others may be NULL */
	const char *vlan;
	const char *ingress;
	const char *headers[WK_ARGS_HEADERS_MAX]; /* "name=value" */
	uint32_t n_headers;
};

struct wk_args {
	enum wk_args_mode mode;
	const char *file; /* NULL with DUMP: the defaults */
	char **eal;       /* what stood behind "--" */
	int n_eal;
	struct wk_args_call call;
};

/* @return 0, or -EINVAL with a message on err. */
int wk_args_parse(int argc, char **argv, struct wk_args *args, FILE *err);
void wk_args_help(FILE *out);
