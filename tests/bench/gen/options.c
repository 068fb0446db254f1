/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {
	.name = "",
	.memory_mib = 256,
	.connections = 100,
	.streams = 1,
	.idle_calls = 1,
	.opening = 256,
	.share = { [KIND_UNARY64] = 100 },
	.plain_b = 64,
	.flight = 1024,
	.body_mib = 1,
	.warmup_s = 0.5,
	.seconds = 3,
	.limit_s = 300,
	.stall_s = 10,
	.seed = 1,
};

static const char usage[] =
	"wicket-gen: plays gRPC clients and servers at both ends of a box, and checks every byte\n"
	"\n"
	"  --client DEVICE --server DEVICE  the two ports, as EAL names virtual devices;\n"
	"                                   without them: back to back, through rings\n"
	"  --connections N (100)  --streams N (1)   connections that make calls, calls at a time\n"
	"  --mix KIND=SHARE,... (unary64=100)       unary64 unary1k unary16k stream bulk\n"
	"  --denied PCT (0)       calls of a method that the box denies\n"
	"  --traced PCT (0)       calls with a traceparent of their own\n"
	"  --deadline PCT (0)     calls with a grpc-timeout of their own\n"
	"  --plain PCT (0)        UDP among all packets; 100: nothing else, no connection\n"
	"  --plain-b N (64)       size of those frames\n"
	"  --idle N (0) --idle-calls N (1)   connections that then stay silent\n"
	"  --opening N (256)      handshakes at a time\n"
	"  --flight N (1024)      packets on their way at a time, about: below what rings hold\n"
	"  --body-mib N (1)       request of a bulk call\n"
	"  --warmup S (0.5) --seconds S (3) --calls N (any)   what comes first ends it\n"
	"  --limit S (300) --stall S (10)    time for everything; without a packet: failures\n"
	"  --telemetry SOCKET     of a wicket: its busy cycles are reported, too\n"
	"  --lcore N (0) --memory-mib N (256) --huge --file-prefix NAME   for EAL\n"
	"  --name NAME  --json    report in one line\n"
	"  --seed N (1)\n"
	"  --spoil N (0)          changes a byte of the N-th segment with data, which must be "
	"noticed\n"
	"\n"
	"Exit status: 0 good, 1 a wrong or missing byte, or it did not get as far, 2 arguments.\n";

/* What is wrong, and with which word, or NULL. */
__attribute__((noreturn)) static void refuse(const char *what, const char *word)
{
	fprintf(stderr, "wicket-gen: %s%s%s (--help)\n", what, word ? ": " : "", word ? word : "");
	exit(2);
}

static double number(const char *option, const char *text, double least, double most)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !(value >= least && value <= most))
		refuse("out of range, or no number", option);
	return value;
}

static void read_mix(char *text)
{
	memset(options.share, 0, sizeof(options.share));
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		char *value = strchr(word, '=');
		uint32_t i;

		if (!value)
			refuse("--mix has no share for it", word);
		*value++ = '\0';
		for (i = 0; i < KIND_MAX && strcmp(kinds[i].name, word) != 0; i++)
			;
		if (i == KIND_MAX)
			refuse("--mix knows no such kind of calls", word);
		options.share[i] = (uint32_t)number("mix", value, 0, 1000);
	}
}

/* X(option, field, least, most) */
#define NUMBERS(X)                                                                                 \
	X("connections", connections, 0, 4194304)                                                  \
	X("streams", streams, 1, OPT_STREAMS_MAX)                                                  \
	X("denied", denied_pct, 0, 100)                                                            \
	X("traced", traced_pct, 0, 100)                                                            \
	X("deadline", deadline_pct, 0, 100)                                                        \
	X("plain", plain_pct, 0, 100)                                                              \
	X("plain-b", plain_b, 60, 1514)                                                            \
	X("idle", idle, 0, 4194304)                                                                \
	X("idle-calls", idle_calls, 0, 1000)                                                       \
	X("opening", opening, 1, 65536)                                                            \
	X("flight", flight, 16, 16384)                                                             \
	X("body-mib", body_mib, 1, 64)                                                             \
	X("warmup", warmup_s, 0, 3600)                                                             \
	X("seconds", seconds, 0.01, 86400)                                                         \
	X("calls", calls, 0, 1e15)                                                                 \
	X("limit", limit_s, 1, 100000)                                                             \
	X("stall", stall_s, 0.1, 1000)                                                             \
	X("lcore", lcore, 0, 127)                                                                  \
	X("memory-mib", memory_mib, 64, 65536)                                                     \
	X("seed", seed, 0, 1e18)                                                                   \
	X("spoil", spoil, 0, 1e15)

/* X(option, field) */
#define TEXTS(X)                                                                                   \
	X("client", device[0])                                                                     \
	X("server", device[1])                                                                     \
	X("telemetry", telemetry)                                                                  \
	X("file-prefix", file_prefix)                                                              \
	X("name", name)

static void take(const char *option, char *value)
{
#define TAKE_NUMBER(text, field, least, most)                                                      \
	if (strcmp(option, text) == 0) {                                                           \
		options.field = (__typeof__(options.field))number(option, value, least, most);     \
		return;                                                                            \
	}
	NUMBERS(TAKE_NUMBER)
#define TAKE_TEXT(text, field)                                                                     \
	if (strcmp(option, text) == 0) {                                                           \
		options.field = value;                                                             \
		return;                                                                            \
	}
	TEXTS(TAKE_TEXT)
	if (strcmp(option, "mix") == 0) {
		read_mix(value);
	} else if (strcmp(option, "huge") == 0) {
		options.huge = true;
	} else if (strcmp(option, "json") == 0) {
		options.json = true;
	} else if (strcmp(option, "help") == 0) {
		fputs(usage, stdout);
		exit(0);
	}
}

static void check(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < KIND_MAX; i++)
		sum += options.share[i];
	if (sum == 0)
		refuse("--mix: every share is 0", NULL);
	if (!options.device[0] != !options.device[1])
		refuse("--client and --server: both or neither", NULL);
	if (options.plain_pct == 100)
		options.connections = options.idle = 0;
	else if (options.connections == 0 && options.idle == 0)
		refuse("no connection and not --plain 100: nothing to do", NULL);
	kinds[KIND_BULK].request_b = options.body_mib << 20;
}

void options_read(int argc, char **argv)
{
#define OPTION_NUMBER(text, field, least, most) { text, required_argument, NULL, 0 },
#define OPTION_TEXT(text, field)                { text, required_argument, NULL, 0 },
	static const struct option list[] = {
		NUMBERS(OPTION_NUMBER) TEXTS(OPTION_TEXT){ "mix", required_argument, NULL, 0 },
		{ "huge", no_argument, NULL, 0 },
		{ "json", no_argument, NULL, 0 },
		{ "help", no_argument, NULL, 0 },
		{ NULL, 0, NULL, 0 },
	};
	int at = 0;
	int got;

	while ((got = getopt_long(argc, argv, "", list, &at)) == 0)
		take(list[at].name, optarg);
	if (got != -1)
		exit(2);
	if (optind < argc)
		refuse("no such argument", argv[optind]);
	check();
}
