/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - both ends of many conversations, and of floods, on raw sockets.
 *
 *     player [OPTION...] connections | syn | fragments | blind | ooo | denied
 *
 * The kernel takes no part: frames carry MAC addresses of our own, so that neither end answers
 * them with RSTs, and there are as many connections as there is memory. Every answer is checked.
 * Each phase ends with a line of JSON on stdout; the last one is called "end". */
#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"
#include "flood.h"
#include "wire.h"

struct options options = {
	.mac = { { { 0x02, 0x77, 0x6b, 0, 0, 0x0c } }, { { 0x02, 0x77, 0x6b, 0, 0, 0x05 } } },
	.port = 50051,
	.per_source = 8,
	.window = 256,
	.connections = 16,
	.count = 1000,
	.sample = 1,
	.span_b = 65536,
	.allowed = "/cloudcity.DoorManager/GetName",
	.denied = "/cloudcity.DoorManager/SetAccessCode",
};
struct counts counts;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* splitmix64 */
uint64_t draw(void)
{
	static uint64_t state;
	uint64_t z;

	if (state == 0)
		state = options.random;
	z = state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void report(const char *phase)
{
	static uint64_t last_ns;
	uint64_t now = now_ns();

	printf("{\"phase\": \"%s\", \"seconds\": %.3f", phase,
	       last_ns ? (double)(now - last_ns) * 1e-9 : 0.0);
#define COUNT_PRINT(name, text) printf(", \"" #name "\": %llu", (unsigned long long)counts.name);
	COUNTS(COUNT_PRINT)
	printf("}\n");
	fflush(stdout);
	last_ns = now;
}

void pause_here(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[64];

	if (!options.pause)
		return;
	while (poll(&in, 1, 0) == 0)
		wire_poll(10);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

static void phase(const char *name, enum step step, uint32_t stride)
{
	drive(step, options.count, stride);
	report(name);
	pause_here();
}

static void play_connections(void)
{
	wire_open(drive_input);
	conn_init(options.count);
	phase("opened", STEP_OPEN, 1);
	phase("greeted", STEP_HELLO, 1);
	phase("called", STEP_CALL, 1);
	phase("called_again", STEP_CALL, options.sample);
	phase("denied", STEP_DENIED, options.sample);
	phase("called_at_last", STEP_CALL, options.sample);
	drive(STEP_CLOSE, options.count, 1);
}

static const struct {
	const char *name;
	void (*play)(void);
} modes[] = {
	{ "connections", play_connections },
	{ "syn", flood_syn },
	{ "fragments", flood_fragments },
	{ "blind", flood_blind },
	{ "ooo", flood_ooo },
	{ "denied", flood_denied },
};

static _Noreturn void usage(const char *what)
{
	fprintf(stderr, "player: what is this: %s\n", what);
	exit(2);
}

static uint32_t number(const char *text)
{
	char *rest;
	unsigned long value = strtoul(text, &rest, 0);

	if (*text == 0 || *rest || value > UINT32_MAX)
		usage(text);
	return (uint32_t)value;
}

static uint32_t ip(const char *text)
{
	struct in_addr address;

	if (inet_aton(text, &address) == 0)
		usage(text);
	return ntohl(address.s_addr);
}

/* ADDRESS and a number behind a separator. */
static uint32_t ip_and(char *text, char separator, uint32_t *rest)
{
	char *at = strchr(text, separator);

	if (!at)
		usage(text);
	*at = 0;
	*rest = number(at + 1);
	return ip(text);
}

static struct mac mac(const char *text)
{
	unsigned int b[6];
	struct mac parsed;

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
		usage(text);
	for (uint32_t i = 0; i < 6; i++)
		parsed.b[i] = (uint8_t)b[i];
	return parsed;
}

/* NETNS-FILE,INTERFACE[,MAC] */
static void parse_side(enum side side, char *text)
{
	char *save;

	options.netns[side] = strtok_r(text, ",", &save);
	options.interface[side] = strtok_r(NULL, ",", &save);
	text = strtok_r(NULL, ",", &save);
	if (!options.interface[side])
		usage("a side is NETNS,INTERFACE[,MAC]");
	if (text)
		options.mac[side] = mac(text);
}

static const struct option long_options[] = {
	{ "client", required_argument, NULL, 'c' },
	{ "server", required_argument, NULL, 's' },
	{ "sources", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "target", required_argument, NULL, 'g' },
	{ "allowed", required_argument, NULL, 'a' },
	{ "denied", required_argument, NULL, 'd' },
	{ "per-source", required_argument, NULL, 'p' },
	{ "window", required_argument, NULL, 'w' },
	{ "linger", required_argument, NULL, 'l' },
	{ "connections", required_argument, NULL, 'C' },
	{ "count", required_argument, NULL, 'n' },
	{ "sample", required_argument, NULL, 'S' },
	{ "span", required_argument, NULL, 'b' },
	{ "seed", required_argument, NULL, 'r' },
	{ "answer", no_argument, NULL, 'A' },
	{ "pause", no_argument, NULL, 'P' },
	{ 0 },
};

static void parse_numbers(int option, const char *text)
{
	struct {
		int option;
		uint32_t *to;
	} fields[] = { { 'p', &options.per_source }, { 'w', &options.window },
		       { 'l', &options.linger_ms },  { 'C', &options.connections },
		       { 'n', &options.count },      { 'S', &options.sample },
		       { 'b', &options.span_b } };

	for (uint32_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].option == option) {
			*fields[i].to = number(text);
			if (*fields[i].to == 0)
				usage(text);
			return;
		}
	exit(2);
}

static void parse(int option, char *text)
{
	uint32_t rest;

	switch (option) {
	case 'c':
	case 's':
		parse_side(option == 'c' ? CLIENT : SERVER, text);
		break;
	case 'f':
		options.sources = ip_and(text, '/', &rest);
		if (rest < 1 || rest > 32)
			usage(text);
		options.n_sources = 1u << (32 - rest);
		break;
	case 't':
		options.server = ip_and(text, ':', &rest);
		options.port = (uint16_t)rest;
		break;
	case 'g':
		options.target = ip_and(text, ':', &rest);
		options.target_port = (uint16_t)rest;
		break;
	case 'a':
		options.allowed = text;
		break;
	case 'd':
		options.denied = text;
		break;
	case 'r':
		options.random = strtoull(text, NULL, 0);
		break;
	case 'A':
		options.answer = true;
		break;
	case 'P':
		options.pause = true;
		break;
	default:
		parse_numbers(option, text);
	}
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse(option, optarg);
	if (argc - optind != 1 || !options.interface[CLIENT] || !options.interface[SERVER] ||
	    options.n_sources == 0 || options.server == 0)
		usage("player --client SIDE --server SIDE --sources NET --to HOST:PORT ... MODE");
	h2_init();
	report("begin");
	for (uint32_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, argv[optind]) == 0) {
			modes[i].play();
			report("end");
			return 0;
		}
	usage(argv[optind]);
}
