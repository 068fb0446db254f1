/* SPDX-License-Identifier: Apache-2.0 */
#include "flood.h"

#include <string.h>

#include "wire.h"

#define PROTO_TCP      6u
#define MORE_FRAGMENTS 0x2000u
#define FRAG_MAX_B     64u

static void input(enum side at, const uint8_t *frame, size_t len_b)
{
	struct tcp tcp;

	if (!frame_tcp_read(frame, len_b, &tcp)) {
		counts.unsound++;
		return;
	}
	if (at == CLIENT) {
		counts.answered++;
		return;
	}
	counts.arrived++;
	if (options.answer && (tcp.flags & TCP_SYN)) {
		const struct tcp answer = {
			.src = tcp.dst,
			.dst = tcp.src,
			.sport = tcp.dport,
			.dport = tcp.sport,
			.seq = (uint32_t)draw(),
			.ack = tcp.seq + 1,
			.flags = TCP_SYN | TCP_ACK,
			.window = 65535,
		};

		wire_tcp(SERVER, &answer);
	}
}

static uint32_t random_source(void)
{
	return options.sources + ((uint32_t)draw() & (options.n_sources - 1));
}

/* What is said last is heard as well. */
static void end(void)
{
	wire_drain(CLIENT);
	wire_drain(SERVER);
	wire_poll(20);
}

void flood_syn(void)
{
	wire_open(input);
	for (uint32_t i = 0; i < options.count; i++) {
		const struct tcp syn = {
			.src = random_source(),
			.dst = options.server,
			.sport = (uint16_t)(1024 + draw() % 64512),
			.dport = options.port,
			.seq = (uint32_t)draw(),
			.flags = TCP_SYN,
			.window = 64240,
		};

		wire_room(CLIENT);
		wire_tcp(CLIENT, &syn);
	}
	end();
}

static void send_fragment(uint32_t src, uint16_t id, uint32_t at_b, uint32_t len_b, bool more)
{
	const struct ip ip = {
		.src = src,
		.dst = options.server,
		.id = id,
		.frag = (uint16_t)((more ? MORE_FRAGMENTS : 0) | at_b / 8),
		.proto = PROTO_TCP,
		.data_b = len_b,
	};
	uint8_t *frame;

	wire_room(CLIENT);
	frame = wire_slot(CLIENT);
	for (uint32_t i = 0; i < len_b; i++)
		frame[FRAME_TCP_OFF + i] = (uint8_t)draw();
	wire_put(CLIENT, frame_ip(frame, &ip));
}

void flood_fragments(void)
{
	uint64_t until;

	wire_open(input);
	until = counts.sent + options.count;
	while (counts.sent < until) {
		uint32_t src = random_source();
		uint16_t id = (uint16_t)draw();

		switch (draw() % 4) {
		case 0: /* a first one alone */
			send_fragment(src, id, 0, FRAG_MAX_B, true);
			break;
		case 1: /* a late one alone */
			send_fragment(src, id, 1024, FRAG_MAX_B, draw() % 2);
			break;
		case 2: /* tiny ones, without the first */
			for (uint32_t at_b = 8; at_b < 64; at_b += 8)
				send_fragment(src, id, at_b, 8, true);
			break;
		case 3: /* two that overlap */
			send_fragment(src, id, 0, 32, true);
			send_fragment(src, id, 16, 32, false);
			break;
		}
	}
	end();
}

static struct tcp forged(enum side from)
{
	static const uint8_t flags[] = { TCP_RST,           TCP_RST | TCP_ACK, TCP_ACK,
					 TCP_FIN | TCP_ACK, TCP_SYN,           TCP_SYN | TCP_ACK,
					 TCP_ACK | TCP_PSH };
	static const uint8_t bytes[32];
	uint64_t what = draw();
	struct tcp tcp = {
		.src = from == CLIENT ? options.target : options.server,
		.dst = from == CLIENT ? options.server : options.target,
		.sport = from == CLIENT ? options.target_port : options.port,
		.dport = from == CLIENT ? options.port : options.target_port,
		.seq = (uint32_t)draw(),
		.ack = (uint32_t)draw(),
		.flags = flags[what % sizeof(flags)],
		.window = (uint16_t)draw(),
	};

	if (tcp.flags == (TCP_ACK | TCP_PSH)) {
		tcp.data = bytes;
		tcp.data_b = sizeof(bytes);
	}
	return tcp;
}

void flood_blind(void)
{
	wire_open(input);
	for (uint32_t i = 0; i < options.count; i++) {
		enum side from = i % 4 == 3 ? SERVER : CLIENT;
		struct tcp tcp = forged(from);

		if (i % 4 == 2) { /* nobody's */
			tcp.src = random_source();
			tcp.sport = (uint16_t)draw();
			tcp.flags &= (uint8_t)~TCP_SYN;
			tcp.flags |= TCP_ACK;
		}
		wire_room(from);
		wire_tcp(from, &tcp);
	}
	end();
}
