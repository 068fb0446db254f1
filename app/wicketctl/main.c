/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - wicketctl, the operator's command. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "client.h"
#include "print.h"

#define EXIT_RUN   1
#define EXIT_USAGE 2

struct options {
	const char *instance;
	const char *socket_path;
	bool json;
};

typedef int command_fn(struct ctl_client *client, const struct options *options, char **args);

static int failed(const struct ctl_client *client)
{
	fprintf(stderr, "wicketctl: %s\n", client->error);
	return EXIT_RUN;
}

static void print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* A list that comes in pages: each names where the next one begins. */
static struct json_object *ask_pages(struct ctl_client *client, const char *command)
{
	struct json_object *all = json_object_new_object();
	uint64_t next = 0;

	do {
		struct json_object *page;
		char text[128];

		snprintf(text, sizeof(text), "%s,%" PRIu64, command, next);
		page = ctl_ask(client, text, NULL);
		if (!page) {
			json_object_put(all);
			return NULL;
		}
		next = ctl_u64(page, "next");
		json_object_object_foreach(page, key, value)
		{
			if (strcmp(key, "next") != 0)
				json_object_object_add(all, key, json_object_get(value));
		}
		json_object_put(page);
	} while (next > 0);
	return all;
}

/* Asks, prints as JSON or by `print`, and forgets. */
static int show(struct ctl_client *client, const struct options *options, struct json_object *reply,
		void (*print)(struct json_object *reply))
{
	if (!reply)
		return failed(client);
	if (options->json)
		print_json(reply);
	else
		print(reply);
	json_object_put(reply);
	return EXIT_SUCCESS;
}

static void print_all_reasons(struct json_object *reasons)
{
	ctl_print_reasons(reasons, true);
}

static int cmd_stats(struct ctl_client *client, const struct options *options, char **args)
{
	(void)args;
	return show(client, options, ctl_ask(client, "/wicket/stats", NULL), ctl_print_stats);
}

static int cmd_reasons(struct ctl_client *client, const struct options *options, char **args)
{
	(void)args;
	return show(client, options, ctl_ask(client, "/wicket/reasons", NULL), print_all_reasons);
}

static int cmd_tables(struct ctl_client *client, const struct options *options, char **args)
{
	(void)args;
	return show(client, options, ctl_ask(client, "/wicket/tables", NULL), ctl_print_tables);
}

static int cmd_flows(struct ctl_client *client, const struct options *options, char **args)
{
	(void)args;
	return show(client, options, ask_pages(client, "/wicket/flows"), ctl_print_flows);
}

static int cmd_raw(struct ctl_client *client, const struct options *options, char **args)
{
	struct json_object *value;
	char *text = NULL;

	(void)options;
	value = ctl_ask(client, args[0], &text);
	if (!value)
		return failed(client);
	puts(text);
	free(text);
	json_object_put(value);
	return EXIT_SUCCESS;
}

static int cmd_status(struct ctl_client *client, const struct options *options, char **args)
{
	static const char *const names[] = { "info",  "ports",   "services",
					     "stats", "reasons", "tables" };
	struct json_object *all = json_object_new_object();
	struct ctl_status status;
	size_t i;

	(void)args;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct json_object *reply;
		char command[64];

		snprintf(command, sizeof(command), "/wicket/%s", names[i]);
		reply = strcmp(names[i], "services") == 0 ? ask_pages(client, command)
							  : ctl_ask(client, command, NULL);
		if (!reply) {
			json_object_put(all);
			return failed(client);
		}
		json_object_object_add(all, names[i], reply);
	}
	status = (struct ctl_status){
		.info = json_object_object_get(all, "info"),
		.ports = json_object_object_get(all, "ports"),
		.services = json_object_object_get(all, "services"),
		.stats = json_object_object_get(all, "stats"),
		.reasons = json_object_object_get(all, "reasons"),
		.tables = json_object_object_get(all, "tables"),
	};
	if (options->json)
		print_json(all);
	else
		ctl_print_status(&status);
	json_object_put(all);
	return EXIT_SUCCESS;
}

static const struct {
	const char *name;
	command_fn *fn;
	int n_args;
} commands[] = {
	{ "status", cmd_status, 0 }, { "stats", cmd_stats, 0 },   { "reasons", cmd_reasons, 0 },
	{ "flows", cmd_flows, 0 },   { "tables", cmd_tables, 0 }, { "raw", cmd_raw, 1 },
};

static void help(FILE *out)
{
	fputs("usage: wicketctl [-i INSTANCE | -s SOCKET] [--json] COMMAND\n"
	      "\n"
	      "Asks a running wicket.\n"
	      "\n"
	      "  status     what it is, its ports and services, packets, calls, tables\n"
	      "  stats      all counters\n"
	      "  reasons    packets by the reason they ended with\n"
	      "  flows      guarded connections\n"
	      "  tables     how full its tables and memory are\n"
	      "  raw CMD    any command of the telemetry socket, such as /wicket/lcores\n"
	      "\n"
	      "  -i, --instance NAME   the instance of its configuration (default: wicket)\n"
	      "  -s, --socket PATH     its telemetry socket\n"
	      "  -j, --json            JSON instead of text\n"
	      "  -V, --version         print the version\n"
	      "  -h, --help            print this\n"
	      "\n"
	      "Exit codes: 0 ok, 1 wicket does not answer, 2 wrong arguments.\n",
	      out);
}

static int run(const struct options *options, int argc, char **argv)
{
	for (size_t i = 0; argc > 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct ctl_client client;
		int rc;

		if (strcmp(commands[i].name, argv[0]) != 0)
			continue;
		if (argc - 1 != commands[i].n_args)
			break;
		if (ctl_connect(&client, options->instance, options->socket_path) != 0) {
			rc = failed(&client);
		} else {
			rc = commands[i].fn(&client, options, argv + 1);
		}
		ctl_close(&client);
		return rc;
	}
	help(stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "instance", required_argument, NULL, 'i' },
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .instance = "wicket" };
	int c;

	while ((c = getopt_long(argc, argv, "i:s:jVh", long_options, NULL)) != -1) {
		switch (c) {
		case 'i':
			options.instance = optarg;
			break;
		case 's':
			options.socket_path = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'V':
			puts("wicketctl " WK_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			help(stdout);
			return EXIT_SUCCESS;
		default:
			help(stderr);
			return EXIT_USAGE;
		}
	}
	return run(&options, argc - optind, argv + optind);
}
