/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - the command line of wicket. */
#pragma once

#include <stdio.h>

/* Exit codes of the program. */
#define WK_EXIT_OK    0
#define WK_EXIT_RUN   1 /* something failed at run time */
#define WK_EXIT_USAGE 2 /* wrong arguments or a wrong configuration */

enum wk_args_mode {
	WK_ARGS_RUN = 0,
	WK_ARGS_CHECK = 1,
	WK_ARGS_DUMP = 2,
	WK_ARGS_VERSION = 3,
	WK_ARGS_HELP = 4,
};

struct wk_args {
	enum wk_args_mode mode;
	const char *file; /* NULL with DUMP: the defaults */
	char **eal;       /* what stood behind "--" */
	int n_eal;
};

/* @return 0, or -EINVAL with a message on err. */
int wk_args_parse(int argc, char **argv, struct wk_args *args, FILE *err);
void wk_args_help(FILE *out);
