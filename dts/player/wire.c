/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../tests/support/wire_bytes.h"

#define BATCH         64u
#define SOCKET_B      (64 << 20)
#define FENCE_WAIT_NS 500000000u
#define FENCES        4u /* in a window */
#define PROTO_UDP     17u
#define FENCE_SRC     0xc0000201u /* 192.0.2.1 */
#define FENCE_DST     0xc0000202u
#define FENCE_PORT    9u
#define FENCE_B       16u /* UDP header and number */

struct end {
	int fd;
	uint8_t out[BATCH][FRAME_MAX_B];
	size_t out_b[BATCH];
	uint32_t n_out;
	uint64_t sent;    /* frames, fences not among them */
	uint64_t fenced;  /* of these, followed by a fence */
	uint64_t through; /* of these, known to have gone through the box */
	uint64_t fence_ns;
};

static struct end ends[SIDES];
static wire_handler *handle;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Only what is for our address: the kernel's own traffic on the wire is not ours to read. */
static void set_filter(int fd, const struct mac *mac)
{
	const uint8_t *b = mac->b;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, get32(b), 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, get16(b + 4), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		die("filter");
}

static int open_socket(enum side side)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	int netns = open(options.netns[side], O_RDONLY | O_CLOEXEC);
	int size = SOCKET_B, on = 1, fd;

	if (netns < 0 || setns(netns, CLONE_NEWNET) != 0)
		die(options.netns[side]);
	close(netns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address.sll_ifindex = (int)if_nametoindex(options.interface[side]);
	if (fd < 0 || address.sll_ifindex == 0)
		die(options.interface[side]);
	set_filter(fd, &options.mac[side]);
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die(options.interface[side]);
	return fd;
}

void wire_open(wire_handler *handler)
{
	handle = handler;
	for (enum side side = CLIENT; side < SIDES; side++) {
		ends[side].fd = open_socket(side);
		for (uint32_t i = 0; i < BATCH; i++)
			frame_eth(ends[side].out[i], &options.mac[!side], &options.mac[side]);
	}
}

static void flush(enum side from)
{
	struct end *end = &ends[from];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	uint32_t done = 0;
	int n;

	for (uint32_t i = 0; i < end->n_out; i++) {
		iov[i] = (struct iovec){ end->out[i], end->out_b[i] };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (done < end->n_out) {
		n = sendmmsg(end->fd, msgs + done, end->n_out - done, 0);
		if (n > 0) {
			done += (uint32_t)n;
		} else if (errno == EAGAIN || errno == EINTR) {
			struct pollfd wait = { .fd = end->fd, .events = POLLOUT };

			poll(&wait, 1, 10);
		} else if (errno == ENOBUFS) {
			counts.refused++;
			done++;
		} else {
			die("send");
		}
	}
	end->n_out = 0;
}

uint8_t *wire_slot(enum side from)
{
	if (ends[from].n_out == BATCH)
		flush(from);
	return ends[from].out[ends[from].n_out];
}

static void put_fence(enum side from)
{
	struct end *end = &ends[from];
	const struct ip ip = {
		.src = FENCE_SRC, .dst = FENCE_DST, .proto = PROTO_UDP, .data_b = FENCE_B
	};
	uint8_t *frame = wire_slot(from);
	uint8_t *udp = frame + FRAME_TCP_OFF;

	memset(udp, 0, FENCE_B);
	udp[1] = udp[3] = FENCE_PORT;
	udp[5] = FENCE_B;
	memcpy(udp + 8, &end->sent, sizeof(end->sent));
	end->out_b[end->n_out++] = frame_ip(frame, &ip);
	end->fenced = end->sent;
	end->fence_ns = now_ns();
}

void wire_put(enum side from, size_t len_b)
{
	struct end *end = &ends[from];

	end->out_b[end->n_out++] = len_b;
	end->sent++;
	counts.sent++;
	if (end->sent - end->fenced >= options.window / FENCES)
		put_fence(from);
}

void wire_tcp(enum side from, const struct tcp *tcp)
{
	uint8_t *frame = wire_slot(from);

	wire_put(from, frame_tcp(frame, tcp));
}

static bool is_fence(enum side at, const uint8_t *frame, size_t len_b)
{
	struct end *end = &ends[!at];
	uint64_t number;

	if (len_b < FRAME_TCP_OFF + FENCE_B || frame[FRAME_IP_OFF + 9] != PROTO_UDP)
		return false;
	memcpy(&number, frame + FRAME_TCP_OFF + 8, sizeof(number));
	if (number > end->through && number <= end->sent)
		end->through = number;
	return true;
}

static uint32_t receive(enum side at)
{
	static uint8_t in[BATCH][2048];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int n;

	for (uint32_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(ends[at].fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		if (is_fence(at, in[i], msgs[i].msg_len))
			continue;
		counts.received++;
		handle(at, in[i], msgs[i].msg_len);
	}
	return n > 0 ? (uint32_t)n : 0;
}

static void count_drops(enum side side)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(ends[side].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		counts.socket_drops += stats.tp_drops;
}

void wire_poll(int wait_ms)
{
	struct pollfd fds[SIDES] = { { .fd = ends[CLIENT].fd, .events = POLLIN },
				     { .fd = ends[SERVER].fd, .events = POLLIN } };
	uint32_t n = 0;

	flush(CLIENT);
	flush(SERVER);
	n += receive(CLIENT);
	n += receive(SERVER);
	if (n == 0 && wait_ms > 0) {
		poll(fds, SIDES, wait_ms);
		count_drops(CLIENT);
		count_drops(SERVER);
	}
}

/* A fence that got lost is sent again; what it stood for may be lost as well. */
static void wait_below(enum side from, uint64_t most)
{
	struct end *end = &ends[from];

	while (end->sent - end->through > most) {
		wire_poll(1);
		if (end->sent - end->through > most && now_ns() - end->fence_ns > FENCE_WAIT_NS) {
			counts.fences_lost++;
			put_fence(from);
		}
	}
}

void wire_room(enum side from)
{
	wait_below(from, options.window - 1);
}

void wire_drain(enum side from)
{
	if (ends[from].fenced < ends[from].sent)
		put_fence(from);
	wait_below(from, 0);
	for (uint64_t end_ns = now_ns() + options.linger_ms * 1000000ull; now_ns() < end_ns;)
		wire_poll(1);
}
