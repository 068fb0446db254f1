/* SPDX-License-Identifier: Apache-2.0 */
/* flood_conn.c - floods on connections of our own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "drive.h"
#include "flood.h"
#include "wire.h"

#define FRAME_HDR_B  9u
#define CALL_TAIL_B  23u /* the DATA frame of a call: what precedes it leaves the call open */
#define PIECE_B      16384u
#define BULK_STREAM  3u
#define IN_FLIGHT_B  32768u
#define BULK_WAIT_NS 300000000u
#define BULK_TRIES   100u

/* Of an out-of-order flood: what each client says behind its first call. */
static uint8_t *image;
static uint32_t image_b;
static uint32_t *begins; /* its first number, by connection */

static void prepare(wire_handler *handler)
{
	wire_open(handler);
	conn_init(options.connections);
	drive(STEP_OPEN, options.connections, 1);
	drive(STEP_HELLO, options.connections, 1);
	drive(STEP_CALL, options.connections, 1);
	report("prepared");
}

static void finish(void)
{
	drive(STEP_CALL, options.connections, 1);
	drive(STEP_CLOSE, options.connections, 1);
	wire_drain(CLIENT);
}

void flood_denied(void)
{
	uint32_t rounds = options.count / options.connections;

	prepare(drive_input);
	for (uint32_t i = 0; i < rounds; i++)
		drive(STEP_DENIED, options.connections, 1);
	finish();
}

static void make_image(void)
{
	const struct h2_call call = { .stream = BULK_STREAM };
	uint32_t pieces = options.span_b / (PIECE_B + FRAME_HDR_B) + 1;
	uint8_t *p;

	image = malloc(FRAME_DATA_B + (size_t)pieces * (PIECE_B + FRAME_HDR_B));
	begins = calloc(options.connections, sizeof(*begins));
	if (!image || !begins)
		exit(1);
	p = image + h2_write(SAY_ALLOWED, &call, image) - CALL_TAIL_B;
	for (uint32_t i = 0; i < pieces; i++) {
		const uint8_t head[] = { 0, PIECE_B >> 8, 0, 0, i + 1 == pieces, 0, 0,
					 0, BULK_STREAM };

		memcpy(p, head, sizeof(head));
		p += FRAME_HDR_B;
		for (uint32_t k = 0; k < PIECE_B; k++)
			*p++ = (uint8_t)draw();
	}
	image_b = (uint32_t)(p - image);
}

/* Our server, once the clients speak from the image. */
static void image_input(enum side at, const uint8_t *frame, size_t len_b)
{
	struct conn_end *end;
	uint32_t number, off;
	struct tcp tcp;

	if (!frame_tcp_read(frame, len_b, &tcp)) {
		counts.unsound++;
		return;
	}
	if (!image || at == CLIENT || tcp.data_b == 0 || !conn_number(at, &tcp, &number)) {
		counts.answered += at == CLIENT;
		conn_input(at, &tcp);
		return;
	}
	end = &conn_at(number)->end[SERVER];
	off = tcp.seq - begins[number];
	if (off > image_b || tcp.data_b > image_b - off ||
	    memcmp(image + off, tcp.data, tcp.data_b) != 0)
		counts.wrong++;
	else if ((int32_t)(end->rcv - tcp.seq) >= 0 &&
		 (int32_t)(tcp.seq + tcp.data_b - end->rcv) > 0)
		end->rcv = tcp.seq + tcp.data_b;
	counts.arrived++;
	conn_ack(number, SERVER);
}

static void send_image(uint32_t number, uint32_t off, uint32_t len_b)
{
	wire_room(CLIENT);
	conn_send_at(number, begins[number] + off, TCP_ACK | TCP_PSH, image + off, len_b);
}

/* Single bytes with a gap before each: upwards on one connection, criss-cross on the next. */
static void scatter(void)
{
	uint32_t places = options.span_b / 2, rounds = options.count / options.connections;

	for (uint32_t i = 0; i < rounds; i++)
		for (uint32_t n = 0; n < options.connections; n++) {
			uint32_t place = n % 2 ? (uint32_t)((uint64_t)i * 7919 % places)
					       : i % places;

			if (!conn_at(n)->failed)
				send_image(n, 2 * place + 1, 1);
		}
}

/* Then the whole of it, in order. */
static void fill(uint32_t number)
{
	struct conn *conn = conn_at(number);
	uint32_t begin = begins[number];
	uint32_t next = 0, tries = 0;
	uint64_t due = now_ns() + BULK_WAIT_NS;

	while (conn->end[CLIENT].una - begin < image_b && !conn->failed) {
		uint32_t acked = conn->end[CLIENT].una - begin;

		if (next < acked)
			next = acked;
		if (next < image_b && next - acked < IN_FLIGHT_B) {
			uint32_t len_b = image_b - next;

			len_b = len_b < FRAME_DATA_B ? len_b : FRAME_DATA_B;
			send_image(number, next, len_b);
			next += len_b;
			continue;
		}
		wire_poll(1);
		if (conn->end[CLIENT].una - begin > acked) {
			due = now_ns() + BULK_WAIT_NS;
		} else if (now_ns() > due) {
			counts.retries++;
			conn->failed = ++tries == BULK_TRIES;
			next = acked;
			due = now_ns() + BULK_WAIT_NS;
		}
	}
	counts.failed += conn->failed;
	conn->end[CLIENT].nxt = begin + image_b;
	conn->stream = BULK_STREAM;
	conn->calls++;
}

void flood_ooo(void)
{
	prepare(image_input);
	make_image();
	for (uint32_t n = 0; n < options.connections; n++)
		begins[n] = conn_at(n)->end[CLIENT].nxt;
	scatter();
	wire_drain(CLIENT);
	report("scattered");
	pause_here();
	for (uint32_t n = 0; n < options.connections; n++)
		fill(n);
	report("filled");
	free(image);
	image = NULL;
	finish();
	free(begins);
}
