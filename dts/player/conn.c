/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

#define PORT_FIRST 10000u
#define WINDOW     65535u

#define INDEXED_MAX 8u /* denied paths in a table: none is pushed out, an index is one byte */

static struct conn *conns;
static uint32_t n_conns;

void conn_init(uint32_t n)
{
	n_conns = n;
	conns = calloc(n, sizeof(*conns));
	if (!conns || (n + options.per_source - 1) / options.per_source > options.n_sources ||
	    PORT_FIRST + options.per_source > 65536) {
		fprintf(stderr, "player: no room for %u connections\n", n);
		exit(2);
	}
}

struct conn *conn_at(uint32_t number)
{
	return &conns[number];
}

static uint32_t isn(uint32_t number, enum side side)
{
	return (number * 2 + side + (uint32_t)options.random) * 0x9e3779b1u;
}

static uint32_t address(uint32_t number)
{
	return options.sources + number / options.per_source;
}

static uint16_t port(uint32_t number)
{
	return (uint16_t)(PORT_FIRST + number % options.per_source);
}

static void send_raw(uint32_t number, enum side from, uint32_t seq, uint8_t flags,
		     const uint8_t *data, uint32_t data_b)
{
	const struct conn_end *end = &conns[number].end[from];
	bool client = from == CLIENT;
	const struct tcp tcp = {
		.src = client ? address(number) : options.server,
		.dst = client ? options.server : address(number),
		.sport = client ? port(number) : options.port,
		.dport = client ? options.port : port(number),
		.seq = seq,
		.ack = flags & TCP_ACK ? end->rcv : 0,
		.flags = flags,
		.window = WINDOW,
		.data = data,
		.data_b = data_b,
	};

	wire_tcp(from, &tcp);
}

void conn_send_at(uint32_t number, uint32_t seq, uint8_t flags, const uint8_t *data,
		  uint32_t data_b)
{
	send_raw(number, CLIENT, seq, flags, data, data_b);
}

void conn_ack(uint32_t number, enum side from)
{
	send_raw(number, from, conns[number].end[from].nxt, TCP_ACK, NULL, 0);
}

static struct h2_call call_of(uint32_t number, enum side side)
{
	const struct conn *conn = &conns[number];

	return (struct h2_call){
		.number = number,
		.stream = side == CLIENT ? conn->stream : conn->srv_stream,
		.indexed = conn->indexed,
		.first = conn->calls == 1,
	};
}

/* again: what was said last, at its old place. */
static void say(uint32_t number, enum side from, enum say what, bool again)
{
	struct conn_end *end = &conns[number].end[from];
	const struct h2_call call = call_of(number, from);
	uint8_t data[FRAME_DATA_B];
	uint32_t data_b = h2_write(what, &call, data);

	send_raw(number, from, again ? end->nxt - data_b : end->nxt, TCP_ACK | TCP_PSH, data,
		 data_b);
	if (!again) {
		end->nxt += data_b;
		end->said = what;
	}
}

static void say_again(uint32_t number, enum side from)
{
	const struct conn_end *end = &conns[number].end[from];

	if (end->una != end->nxt)
		say(number, from, end->said, true);
	else
		conn_ack(number, from);
}

static void send_syn(uint32_t number)
{
	send_raw(number, CLIENT, isn(number, CLIENT), TCP_SYN, NULL, 0);
}

static void begin_call(uint32_t number, enum step step)
{
	struct conn *conn = &conns[number];
	enum say what = SAY_ALLOWED;

	if (conn->end[CLIENT].said == SAY_CALL_ODD)
		conn->indexed++;
	conn->stream = conn->calls++ ? conn->stream + 2 : 1;
	if (step == STEP_DENIED)
		what = number % 2 && conn->calls > 1 && conn->indexed < INDEXED_MAX ? SAY_CALL_ODD
										    : SAY_DENIED;
	say(number, CLIENT, what, false);
}

void conn_begin(uint32_t number, enum step step)
{
	struct conn *conn = &conns[number];

	conn->step = (uint8_t)step;
	conn->tries = 0;
	conn->bits[CLIENT] = conn->bits[SERVER] = 0;
	switch (step) {
	case STEP_NONE:
		break;
	case STEP_OPEN:
		conn->end[CLIENT].nxt = conn->end[CLIENT].una = isn(number, CLIENT) + 1;
		send_syn(number);
		break;
	case STEP_HELLO:
		say(number, CLIENT, SAY_HELLO, false);
		break;
	case STEP_CALL:
	case STEP_DENIED:
		begin_call(number, step);
		break;
	case STEP_CLOSE:
		send_raw(number, CLIENT, conn->end[CLIENT].nxt, TCP_RST | TCP_ACK, NULL, 0);
		break;
	}
}

static bool quiet(const struct conn *conn, enum side side)
{
	return conn->end[side].una == conn->end[side].nxt;
}

bool conn_done(const struct conn *conn)
{
	switch ((enum step)conn->step) {
	case STEP_NONE:
		return true;
	case STEP_OPEN:
		return conn->opened;
	case STEP_HELLO:
		return quiet(conn, CLIENT) && quiet(conn, SERVER) &&
		       (conn->bits[SERVER] & H2_ACK) && (conn->bits[CLIENT] & H2_ACK);
	case STEP_CALL:
		return quiet(conn, CLIENT) && quiet(conn, SERVER) &&
		       (conn->bits[CLIENT] & H2_ANSWER);
	case STEP_DENIED:
		return quiet(conn, CLIENT) && (conn->bits[CLIENT] & H2_FORBID);
	case STEP_CLOSE:
		return conn->closed;
	}
	return false;
}

void conn_again(uint32_t number)
{
	struct conn *conn = &conns[number];

	counts.retries++;
	conn->tries++;
	if (conn->step == STEP_OPEN && conn->end[CLIENT].rcv == 0)
		send_syn(number);
	else if (conn->step == STEP_CLOSE)
		conn_begin(number, STEP_CLOSE);
	else
		say_again(number, CLIENT);
	if (conn->opened && !conn->closed && !quiet(conn, SERVER))
		say_again(number, SERVER);
}

static void judge(struct conn *conn, enum side at, uint32_t bits)
{
	conn->bits[at] |= (uint8_t)bits;
	counts.wrong += (bits & (H2_WRONG | H2_LEAK)) != 0;
	counts.leaked += (bits & H2_LEAK) != 0;
	if (at == SERVER)
		return;
	counts.allowed += (bits & H2_ANSWER) != 0;
	counts.denied += (bits & H2_FORBID) != 0;
}

static void client_data(uint32_t number, const struct tcp *tcp)
{
	struct conn *conn = &conns[number];
	const struct h2_call call = call_of(number, CLIENT);
	uint32_t bits = h2_read_client(tcp->data, tcp->data_b, &call);

	judge(conn, CLIENT, bits);
	if (bits & H2_SETTINGS)
		say(number, CLIENT, SAY_THANKS, false);
	else
		conn_ack(number, CLIENT);
}

static void server_data(uint32_t number, const struct tcp *tcp)
{
	struct conn *conn = &conns[number];
	uint32_t stream;
	uint32_t bits = h2_read_server(tcp->data, tcp->data_b, number, &stream);

	judge(conn, SERVER, bits);
	if (bits & H2_SETTINGS) {
		say(number, SERVER, SAY_WELCOME, false);
	} else if (bits & H2_REQUEST) {
		conn->srv_stream = stream;
		say(number, SERVER, SAY_ANSWER, false);
	} else {
		conn_ack(number, SERVER);
	}
}

static void data(uint32_t number, enum side at, const struct tcp *tcp)
{
	struct conn_end *end = &conns[number].end[at];

	if (tcp->seq != end->rcv) {
		/* A copy wants its answer again, what comes too early only our ACK. */
		if (at == SERVER && (int32_t)(tcp->seq - end->rcv) < 0)
			say_again(number, SERVER);
		else
			conn_ack(number, at);
		return;
	}
	end->rcv += tcp->data_b;
	if (at == CLIENT)
		client_data(number, tcp);
	else
		server_data(number, tcp);
}

static void handshake(uint32_t number, enum side at, const struct tcp *tcp)
{
	struct conn *conn = &conns[number];
	struct conn_end *end = &conn->end[at];

	end->rcv = tcp->seq + 1;
	if (at == CLIENT) {
		conn_ack(number, CLIENT);
		return;
	}
	end->nxt = isn(number, SERVER) + 1;
	send_raw(number, SERVER, isn(number, SERVER), TCP_SYN | TCP_ACK, NULL, 0);
}

static void reset(struct conn *conn, enum side at)
{
	if (at == SERVER && conn->step == STEP_CLOSE) {
		conn->closed = true;
		return;
	}
	counts.resets += !conn->failed;
	conn->failed = true;
}

bool conn_number(enum side at, const struct tcp *tcp, uint32_t *number)
{
	uint32_t client = at == CLIENT ? tcp->dst : tcp->src;
	uint32_t its_port = at == CLIENT ? tcp->dport : tcp->sport;

	if (client - options.sources >= options.n_sources ||
	    its_port - PORT_FIRST >= options.per_source)
		return false;
	*number = (client - options.sources) * options.per_source + its_port - PORT_FIRST;
	return *number < n_conns;
}

bool conn_input(enum side at, const struct tcp *tcp)
{
	struct conn *conn;
	uint32_t number;

	if (!conn_number(at, tcp, &number))
		return false;
	conn = &conns[number];
	if (tcp->flags & TCP_RST) {
		reset(conn, at);
		return true;
	}
	if (tcp->flags & TCP_SYN) {
		if (!conn->opened)
			handshake(number, at, tcp);
		return true;
	}
	if ((int32_t)(tcp->ack - conn->end[at].una) > 0)
		conn->end[at].una = tcp->ack;
	if (at == SERVER && !conn->opened && tcp->ack == conn->end[SERVER].nxt) {
		conn->end[SERVER].una = tcp->ack;
		conn->opened = true;
	}
	if (tcp->data_b > 0)
		data(number, at, tcp);
	return true;
}
