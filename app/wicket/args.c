/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "args.h"

/* Long options without a letter. */
enum { OPT_FROM = 256, OPT_TO, OPT_PATH, OPT_AUTHORITY, OPT_HEADER, OPT_VLAN, OPT_INGRESS };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", required_argument, NULL, 't' },
	{ "dump-config", optional_argument, NULL, 'd' },
	{ "explain", required_argument, NULL, 'e' },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "path", required_argument, NULL, OPT_PATH },
	{ "authority", required_argument, NULL, OPT_AUTHORITY },
	{ "header", required_argument, NULL, OPT_HEADER },
	{ "vlan", required_argument, NULL, OPT_VLAN },
	{ "ingress", required_argument, NULL, OPT_INGRESS },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

void wk_args_help(FILE *out)
{
	fputs("usage: wicket -c FILE [-- EAL arguments]\n"
	      "       wicket --explain FILE --from IP --to IP:PORT --path /SERVICE/METHOD\n"
	      "              [--authority HOST] [--header NAME=VALUE]... [--vlan ID]\n"
	      "              [--ingress PORT]\n"
	      "       wicket --check FILE | --dump-config [FILE] | --version | --help\n"
	      "\n"
	      "A gRPC method firewall on the wire.\n"
	      "\n"
	      "  -c, --config FILE      run with this configuration\n"
	      "  -t, --check FILE       validate it and exit; needs neither root nor hugepages\n"
	      "      --dump-config [FILE]\n"
	      "                         print every key with its value, or all defaults\n"
	      "  -e, --explain FILE     what this configuration says of one call, and which rule\n"
	      "                         on which line; [ADDRESS]:PORT for IPv6\n"
	      "  -V, --version          print the version\n"
	      "  -h, --help             print this\n"
	      "\n"
	      "What follows \"--\" goes to EAL, behind the eal = [ ... ] of the file.\n"
	      "SIGHUP reloads the file, SIGUSR1 opens log and events anew, SIGTERM stops.\n"
	      "Exit codes: 0 ok, 1 failed at run time, 2 wrong arguments or configuration,\n"
	      "3 the explained call would be denied.\n",
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

/* A word of the call to explain. @return false when it has been said before, or too often. */
static bool call_set(struct wk_args_call *call, int c)
{
	const char **word[] = { &call->from, &call->to,   &call->path,   &call->authority,
				NULL,        &call->vlan, &call->ingress };

	if (c == OPT_HEADER) {
		if (call->n_headers == WK_ARGS_HEADERS_MAX)
			return false;
		call->headers[call->n_headers++] = optarg;
		return true;
	}
	if (*word[c - OPT_FROM])
		return false;
	*word[c - OPT_FROM] = optarg;
	return true;
}

static bool has_call(const struct wk_args_call *call)
{
	return call->from || call->to || call->path || call->authority || call->vlan ||
	       call->ingress || call->n_headers > 0;
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
	case 'e':
		return mode_set(args, given, WK_ARGS_EXPLAIN, optarg);
	case 'V':
		return mode_set(args, given, WK_ARGS_VERSION, NULL);
	case 'h':
		return mode_set(args, given, WK_ARGS_HELP, NULL);
	default:
		return c >= OPT_FROM && c <= OPT_INGRESS ? call_set(&args->call, c) : -1;
	}
}

static int check_call(const struct wk_args *args, FILE *err)
{
	const struct wk_args_call *call = &args->call;

	if (args->mode == WK_ARGS_EXPLAIN && (!call->from || !call->to || !call->path))
		fprintf(err, "wicket: --explain needs --from, --to and --path\n");
	else if (args->mode != WK_ARGS_EXPLAIN && has_call(call))
		fprintf(err, "wicket: --from, --to, --path and the like go with --explain\n");
	else
		return 0;
	return -EINVAL;
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
	while ((c = getopt_long(own, argv, "+:c:t:e:Vh", options, NULL)) != -1) {
		rc = one_option(c, args, &given);
		if (rc == 1)
			continue;
		if (rc == 0)
			fprintf(err, "wicket: %s does not go with what stands before it\n",
				argv[optind - 1]);
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
	return check_call(args, err);
}
