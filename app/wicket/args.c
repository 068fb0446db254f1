/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "args.h"

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", required_argument, NULL, 't' },
	{ "dump-config", optional_argument, NULL, 'd' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

void wk_args_help(FILE *out)
{
	fputs("usage: wicket -c FILE [-- EAL arguments]\n"
	      "       wicket --check FILE | --dump-config [FILE] | --version | --help\n"
	      "\n"
	      "A gRPC method firewall on the wire.\n"
	      "\n"
	      "  -c, --config FILE      run with this configuration\n"
	      "  -t, --check FILE       validate it and exit; needs neither root nor hugepages\n"
	      "      --dump-config [FILE]\n"
	      "                         print every key with its value, or all defaults\n"
	      "  -V, --version          print the version\n"
	      "  -h, --help             print this\n"
	      "\n"
	      "What follows \"--\" goes to EAL, behind the eal = [ ... ] of the file.\n"
	      "SIGHUP reloads the file, SIGUSR1 opens log and events anew, SIGTERM stops.\n"
	      "Exit codes: 0 ok, 1 failed at run time, 2 wrong arguments or configuration.\n",
	      out);
}

/* The first mode given counts; two different ones do not go together. */
static bool mode_set(struct wk_args *args, bool *given, enum wk_args_mode mode, const char *file)
{
	if (*given && args->mode != mode)
		return false;
	*given = true;
	args->mode = mode;
	args->file = file;
	return true;
}

/* @return -1 when the option is unknown, 0 when it does not fit with the others, else 1. */
static int one_option(int c, struct wk_args *args, bool *given)
{
	switch (c) {
	case 'c':
		return mode_set(args, given, WK_ARGS_RUN, optarg);
	case 't':
		return mode_set(args, given, WK_ARGS_CHECK, optarg);
	case 'd':
		return mode_set(args, given, WK_ARGS_DUMP, optarg);
	case 'V':
		return mode_set(args, given, WK_ARGS_VERSION, NULL);
	case 'h':
		return mode_set(args, given, WK_ARGS_HELP, NULL);
	default:
		return -1;
	}
}

int wk_args_parse(int argc, char **argv, struct wk_args *args, FILE *err)
{
	bool given = false;
	int own = argc; /* arguments before "--" */
	int c;
	int rc;

	*args = (struct wk_args){ .mode = WK_ARGS_RUN };
	for (int i = 1; i < argc && own == argc; i++)
		if (strcmp(argv[i], "--") == 0)
			own = i;
	if (own < argc) {
		args->eal = argv + own + 1;
		args->n_eal = argc - own - 1;
	}
	optind = 0; /* start anew, EAL and tests use getopt as well */
	opterr = 0;
	while ((c = getopt_long(own, argv, "+:c:t:Vh", options, NULL)) != -1) {
		rc = one_option(c, args, &given);
		if (rc == 1)
			continue;
		if (rc == 0)
			fprintf(err, "wicket: choose one of -c, --check, --dump-config\n");
		else if (c == ':')
			fprintf(err, "wicket: %s needs an argument\n", argv[optind - 1]);
		else
			fprintf(err, "wicket: unknown option %s\n", argv[optind - 1]);
		return -EINVAL;
	}
	/* An optional argument may stand apart: --dump-config FILE. */
	if (args->mode == WK_ARGS_DUMP && !args->file && optind < own)
		args->file = argv[optind++];
	if (optind < own) {
		fprintf(err, "wicket: unexpected argument %s\n", argv[optind]);
		return -EINVAL;
	}
	if (!given) {
		fprintf(err, "wicket: no configuration, see wicket --help\n");
		return -EINVAL;
	}
	return 0;
}
