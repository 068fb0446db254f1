/* SPDX-License-Identifier: Apache-2.0 */
/* impair.c - a bad wire: a tap of its own, joined to an interface so that TCP on the way suffers.
 *
 *     impair --seed N [--to-wire SPEC] [--to-tap SPEC] WIRE TAP
 *
 * SPEC is loss=P,duplicate=P,reorder=P,corrupt=P,delay=MS,jitter=MS; P is in per cent. The fate of
 * the n-th TCP packet of a direction depends on seed, direction and n alone. What is not TCP goes
 * through as it is: no checksum guards ARP, and a link with a bad bit in it would not deliver it.
 * Corruption is one bit behind the Ethernet header, which every checksum finds.
 * At SIGTERM it prints what it has done, as one line of JSON. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "queue.h"

#define BURST           64u
#define SOCKET_B        (8 << 20)
#define MS_NS           1000000.0
#define REORDER_MIN_NS  1000000u /* how long a packet lets others overtake it */
#define REORDER_SPAN_NS 4000000u

#define COUNTS(X)                                                                                  \
	X(packets) X(tcp) X(lost) X(duplicated) X(reordered) X(corrupted) X(refused) X(no_slot)

struct way {
	double loss, duplicate, reorder, corrupt; /* probabilities, 0 to 1 */
	double delay_ns, jitter_ns;
	uint64_t random;  /* state of the generator */
	uint64_t last_ns; /* jitter alone does not reorder */
#define COUNT_FIELD(name) uint64_t name;
	COUNTS(COUNT_FIELD)
};

static struct way ways[2]; /* by to_tap */
static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* splitmix64 */
static uint64_t draw(struct way *way)
{
	uint64_t z = way->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double draw_unit(struct way *way)
{
	return (double)(draw(way) >> 11) * 0x1p-53;
}

static bool is_tcp(const struct frame *frame)
{
	const uint8_t *p = frame->bytes;
	uint32_t kind;

	if (frame->len_b < ETH_HLEN + 20)
		return false;
	kind = (uint32_t)p[12] << 8 | p[13];
	return (kind == ETHERTYPE_IP && p[ETH_HLEN + 9] == IPPROTO_TCP) ||
	       (kind == ETHERTYPE_IPV6 && p[ETH_HLEN + 6] == IPPROTO_TCP);
}

static void enqueue(struct frame *frame, uint64_t due_ns)
{
	static uint64_t number;

	frame->due_ns = due_ns;
	frame->number = number++;
	queue_put(frame);
}

static void enqueue_copy(struct way *way, const struct frame *frame, uint64_t due_ns)
{
	struct frame *copy = queue_slot();

	if (!copy) {
		way->no_slot++;
		return;
	}
	memcpy(copy->bytes, frame->bytes, frame->len_b);
	copy->len_b = frame->len_b;
	copy->to_tap = frame->to_tap;
	way->duplicated++;
	enqueue(copy, due_ns);
}

/* What becomes of a frame. The same number of draws for each TCP packet, whatever they say. */
static void arrived(struct way *way, struct frame *frame, uint64_t now)
{
	uint64_t due = now, extra, bit;
	bool lost, duplicate, reorder, corrupt;

	way->packets++;
	if (!is_tcp(frame)) {
		enqueue(frame, due);
		return;
	}
	way->tcp++;
	lost = draw_unit(way) < way->loss;
	duplicate = draw_unit(way) < way->duplicate;
	reorder = draw_unit(way) < way->reorder;
	corrupt = draw_unit(way) < way->corrupt;
	due += (uint64_t)(way->delay_ns + draw_unit(way) * way->jitter_ns);
	extra = REORDER_MIN_NS + draw(way) % REORDER_SPAN_NS;
	bit = draw(way) % ((frame->len_b - ETH_HLEN) * 8);
	if (due < way->last_ns)
		due = way->last_ns;
	way->last_ns = due;
	if (duplicate)
		enqueue_copy(way, frame, due);
	if (lost) {
		way->lost++;
		queue_free(frame);
		return;
	}
	if (corrupt) {
		frame->bytes[ETH_HLEN + bit / 8] ^= (uint8_t)(1u << bit % 8);
		way->corrupted++;
	}
	way->reordered += reorder;
	enqueue(frame, reorder ? due + extra : due);
}

static void receive(int fd, bool to_tap)
{
	struct frame *frame;
	ssize_t len;

	for (uint32_t i = 0; i < BURST; i++) {
		frame = queue_slot();
		if (!frame)
			return; /* it waits in its own queue */
		len = read(fd, frame->bytes, sizeof(frame->bytes));
		if (len <= 0) {
			queue_free(frame);
			return;
		}
		frame->len_b = (size_t)len;
		frame->to_tap = to_tap;
		arrived(&ways[to_tap], frame, now_ns());
	}
}

static void send_due(int wire, int tap)
{
	const struct frame *first;
	struct frame *frame;

	while ((first = queue_first()) && first->due_ns <= now_ns()) {
		frame = queue_take();
		/* The rest may come while an interface is not up yet. */
		if (write(frame->to_tap ? tap : wire, frame->bytes, frame->len_b) < 0 &&
		    is_tcp(frame))
			ways[frame->to_tap].refused++;
		queue_free(frame);
	}
}

static void run(int wire, int tap)
{
	struct pollfd fds[2] = { { .fd = wire, .events = POLLIN },
				 { .fd = tap, .events = POLLIN } };
	struct timespec wait;
	const struct frame *first;
	uint64_t now, ns;
	sigset_t open;

	sigemptyset(&open);
	while (!stopped) {
		first = queue_first();
		now = now_ns();
		ns = first && first->due_ns > now ? first->due_ns - now : 0;
		wait.tv_sec = (time_t)(ns / 1000000000u);
		wait.tv_nsec = (long)(ns % 1000000000u);
		if (ppoll(fds, 2, first ? &wait : NULL, &open) > 0) {
			receive(wire, true);
			receive(tap, false);
		}
		send_due(wire, tap);
	}
}

static int open_wire(const char *name)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	int size = SOCKET_B, on = 1;

	if (fd < 0 || address.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die(name);
	return fd;
}

static int open_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
		die(name);
	return fd;
}

static void parse_spec(struct way *way, char *spec)
{
	const struct {
		const char *key;
		double *field;
		double scale, max;
	} keys[] = {
		{ "loss", &way->loss, 0.01, 100 },
		{ "duplicate", &way->duplicate, 0.01, 100 },
		{ "reorder", &way->reorder, 0.01, 100 },
		{ "corrupt", &way->corrupt, 0.01, 100 },
		{ "delay", &way->delay_ns, MS_NS, 10000 },
		{ "jitter", &way->jitter_ns, MS_NS, 10000 },
	};
	const uint32_t n = sizeof(keys) / sizeof(keys[0]);
	char *save, *end;
	double number;
	size_t len;
	uint32_t k;

	for (char *p = strtok_r(spec, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		len = strcspn(p, "=");
		for (k = 0; k < n; k++)
			if (strlen(keys[k].key) == len && strncmp(keys[k].key, p, len) == 0)
				break;
		number = p[len] ? strtod(p + len + 1, &end) : -1;
		if (k == n || !p[len] || *end || number < 0 || number > keys[k].max) {
			fprintf(stderr, "impair: what is this: %s\n", p);
			exit(2);
		}
		*keys[k].field = number * keys[k].scale;
	}
}

static void report(const struct way *way, const char *name)
{
	const char *between = "";

	printf("\"%s\": {", name);
#define COUNT_PRINT(count)                                                                         \
	printf("%s\"" #count "\": %llu", between, (unsigned long long)way->count);                 \
	between = ", ";
	COUNTS(COUNT_PRINT)
	printf("}");
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
						 { "to-wire", required_argument, NULL, 'w' },
						 { "to-tap", required_argument, NULL, 't' },
						 { 0 } };
	struct sigaction action = { .sa_handler = stop };
	uint64_t seed = 0;
	sigset_t blocked;
	int wire, tap, option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'w' || option == 't')
			parse_spec(&ways[option == 't'], optarg);
		else
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: impair --seed N [--to-wire S] [--to-tap S] WIRE TAP\n");
		return 2;
	}
	for (uint64_t to_tap = 0; to_tap < 2; to_tap++) {
		ways[to_tap].random = seed * 2 + to_tap;
		ways[to_tap].random = draw(&ways[to_tap]);
	}
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	wire = open_wire(argv[optind]);
	tap = open_tap(argv[optind + 1]);
	printf("ready\n");
	fflush(stdout);
	run(wire, tap);
	printf("{");
	report(&ways[0], "to_wire");
	printf(", ");
	report(&ways[1], "to_tap");
	printf("}\n");
	return 0;
}
