/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp.h"

#include <stdlib.h>

#include "calls.h"
#include "grpc.h"
#include "h2.h"
#include "net.h"
#include "wire.h"

#define OWED_MAX   2u
#define SYN_WINDOW 65535u

/* Ends, as index of the connection and side. */
struct list {
	uint32_t n;
	uint32_t *v;
};

static struct list dirty, late;

static void list_create(struct list *list, uint32_t n)
{
	list->n = 0;
	list->v = calloc((size_t)n * 2 + 1, sizeof(*list->v));
	if (!list->v)
		gen_fail("no memory for a list of %u connections", n);
}

void tcp_create(uint32_t n)
{
	list_create(&dirty, n);
	list_create(&late, n);
}

void tcp_free(void)
{
	free(dirty.v);
	free(late.v);
}

static void put(struct list *list, const struct conn *conn, enum side side)
{
	list->v[list->n++] = conn_index(conn) << 1 | side;
}

void tcp_touch(struct conn *conn, enum side side)
{
	struct end *end = &conn->end[side];

	if (end->dirty)
		return;
	end->dirty = true;
	put(&dirty, conn, side);
}

static uint32_t now_ms(void)
{
	return (uint32_t)(gen.now / (gen.hz / 1000)) + 1;
}

/* One segment with data_b bytes that are in its place already. */
static void emit(struct conn *conn, enum side side, struct rte_mbuf *mbuf, uint8_t flags,
		 uint32_t data_b)
{
	struct end *end = &conn->end[side];
	const struct segment seg = {
		.connection = conn_index(conn),
		.seq = end->snd_nxt,
		.ack = flags & SEG_ACK ? end->rcv_nxt : 0,
		.tsval = now_ms(),
		.tsecr = end->ts_recent,
		.window = flags & SEG_SYN ? SYN_WINDOW : KIND_WINDOW_B >> SEG_SCALE,
		.flags = flags,
		.data_b = data_b,
	};

	segment_write(mbuf, side, &seg);
	end->snd_nxt += data_b + ((flags & (SEG_SYN | SEG_FIN)) != 0);
	end->owed = 0;
	end->ack_now = false;
	net_send(side, mbuf);
}

static void emit_bare(struct conn *conn, enum side side, uint8_t flags)
{
	emit(conn, side, net_frame(), flags, 0);
}

void tcp_open(struct conn *conn)
{
	struct end *client = &conn->end[CLIENT];
	struct end *server = &conn->end[SERVER];

	client->snd_una = client->snd_nxt = (uint32_t)gen_draw();
	server->snd_una = server->snd_nxt = (uint32_t)gen_draw();
	client->state = ST_SYN_SENT;
	emit_bare(conn, CLIENT, SEG_SYN);
}

void tcp_close(struct conn *conn)
{
	struct end *client = &conn->end[CLIENT];

	client->state = ST_FINISHED;
	emit_bare(conn, CLIENT, SEG_FIN | SEG_ACK);
}

static void check_syn(const struct conn *conn, enum side side, const struct segment *seg)
{
	if (!seg->ts || !seg->sack || seg->mss == 0 || seg->mss > SEG_MSS_B ||
	    seg->scale != SEG_SCALE || seg->data_b > 0)
		conn_fail(conn, side, "a SYN that lacks an option or has another: MSS %u, scale %u",
			  seg->mss, seg->scale);
}

static void handshake(struct conn *conn, enum side side, const struct segment *seg)
{
	struct end *end = &conn->end[side];

	check_syn(conn, side, seg);
	if (seg->flags != (side == CLIENT ? SEG_SYN | SEG_ACK : SEG_SYN) ||
	    end->state != (side == CLIENT ? ST_SYN_SENT : ST_CLOSED))
		conn_fail(conn, side, "a SYN with flags 0x%x in state %u", seg->flags, end->state);
	if (side == CLIENT && seg->ack != end->snd_nxt)
		conn_fail(conn, side, "a SYN-ACK of %u, the SYN was %u", seg->ack,
			  end->snd_nxt - 1);
	end->rcv_nxt = seg->seq + 1;
	end->ts_recent = seg->tsval;
	end->scale = seg->scale;
	end->snd_edge = end->snd_nxt + seg->window; /* never scaled in a SYN */
	if (side == SERVER) {
		end->state = ST_SYN_RECEIVED;
		emit_bare(conn, side, SEG_SYN | SEG_ACK);
		end->snd_edge = end->snd_nxt + seg->window;
		return;
	}
	end->snd_una = seg->ack;
	end->state = ST_OPEN;
	emit_bare(conn, side, SEG_ACK);
	h2_hello(conn, CLIENT);
}

static void take_ack(struct conn *conn, enum side side, const struct segment *seg)
{
	struct end *end = &conn->end[side];
	uint32_t edge = seg->ack + ((uint32_t)seg->window << end->scale);

	if ((int32_t)(seg->ack - end->snd_una) < 0)
		conn_fail(conn, side, "an ACK that goes back by %u", end->snd_una - seg->ack);
	if ((int32_t)(end->snd_nxt - seg->ack) < 0)
		conn_fail(conn, side, "an ACK of %u bytes that were never sent",
			  seg->ack - end->snd_nxt);
	/* Whoever translates a window rounds it down. */
	if ((int32_t)(edge - end->snd_edge) <= -(1 << SEG_SCALE))
		conn_fail(conn, side, "a window whose right edge goes back by %u",
			  end->snd_edge - edge);
	if ((int32_t)(edge - end->snd_edge) < 0)
		edge = end->snd_edge;
	if (end->n > 0 && edge != end->snd_edge)
		tcp_touch(conn, side);
	end->snd_una = seg->ack;
	end->snd_edge = edge;
	if (end->state == ST_SYN_RECEIVED) {
		if (seg->ack != end->snd_nxt)
			conn_fail(conn, side, "the handshake's last ACK is of another number");
		end->state = ST_OPEN;
		h2_hello(conn, SERVER);
	}
}

static void check(const struct conn *conn, enum side side, const struct segment *seg)
{
	const struct end *end = &conn->end[side];

	if (seg->flags & SEG_RST)
		conn_fail(conn, side, "reset");
	if (!(seg->flags & SEG_ACK))
		conn_fail(conn, side, "a segment without ACK");
	if (end->state == ST_CLOSED || end->state == ST_SYN_SENT)
		conn_fail(conn, side, "a segment before the handshake");
	if (!seg->ts || (int32_t)(seg->tsval - end->ts_recent) < 0)
		conn_fail(conn, side, "a timestamp that is missing or goes back");
	if ((int32_t)(seg->tsecr - now_ms()) > 0)
		conn_fail(conn, side, "an echo of a timestamp that was never sent");
}

static void take_data(struct conn *conn, enum side side, const struct segment *seg)
{
	struct end *end = &conn->end[side];
	uint32_t old_b = end->rcv_nxt - seg->seq;

	if ((int32_t)old_b < 0)
		conn_fail(conn, side, "%u bytes are missing: lost on the way, or taken out",
			  seg->seq - end->rcv_nxt);
	end->owed++;
	if (old_b >= seg->data_b) {
		gen.counts.old++;
		end->ack_now = true;
		tcp_touch(conn, side);
		return;
	}
	end->rcv_nxt += seg->data_b - old_b;
	tcp_touch(conn, side);
	h2_receive(conn, side, seg->data + old_b, seg->data_b - old_b);
}

static void take_fin(struct conn *conn, enum side side, const struct segment *seg)
{
	struct end *end = &conn->end[side];

	if (seg->seq + seg->data_b != end->rcv_nxt)
		conn_fail(conn, side, "a FIN in the middle of what was sent");
	if (end->fin || conn->end[!side].state != ST_FINISHED)
		conn_fail(conn, side, "a FIN that nobody sent");
	end->fin = true;
	end->rcv_nxt++;
	if (side == SERVER) {
		end->state = ST_FINISHED;
		emit_bare(conn, side, SEG_FIN | SEG_ACK);
	} else {
		emit_bare(conn, side, SEG_ACK);
	}
}

void tcp_receive(struct conn *conn, enum side side, const struct segment *seg)
{
	struct end *end = &conn->end[side];

	if (seg->flags & SEG_SYN) {
		handshake(conn, side, seg);
		return;
	}
	check(conn, side, seg);
	end->ts_recent = seg->tsval;
	take_ack(conn, side, seg);
	if (seg->data_b > 0)
		take_data(conn, side, seg);
	if (seg->flags & SEG_FIN)
		take_fin(conn, side, seg);
	/* The last ACK of all: the server's FIN has arrived. */
	if (side == SERVER && end->state == ST_FINISHED && end->snd_una == end->snd_nxt)
		calls_closed(conn);
}

/* Fills one segment with what is to be said. */
static void send_data(struct conn *conn, enum side side, uint32_t room_b)
{
	struct end *end = &conn->end[side];
	struct rte_mbuf *mbuf = net_frame();
	uint8_t *to = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, SEG_HEADER_B);
	struct item *item;
	uint32_t data_b = 0;

	while (data_b < room_b && (item = conn_item(conn, side)) != NULL) {
		uint32_t n =
			wire_write(conn, side, item, end->item_off, to + data_b, room_b - data_b);

		data_b += n;
		end->item_off += n;
		if (end->item_off == item->len_b) {
			struct item done = *item;

			conn_said(conn, side);
			grpc_written(conn, side, &done);
		}
	}
	emit(conn, side, mbuf, SEG_ACK | (end->n == 0 ? SEG_PSH : 0), data_b);
}

static void send_end(struct conn *conn, enum side side)
{
	struct end *end = &conn->end[side];

	while (end->n > 0) {
		uint32_t room_b = end->snd_edge - end->snd_nxt;

		if (room_b == 0)
			break;
		send_data(conn, side, RTE_MIN(room_b, SEG_DATA_B));
	}
	if (end->owed >= OWED_MAX || end->ack_now) {
		gen.counts.acks++;
		emit_bare(conn, side, SEG_ACK);
	} else if (end->owed > 0 && !end->late) {
		end->late = true;
		put(&late, conn, side);
	}
}

void tcp_send(void)
{
	for (uint32_t i = 0; i < dirty.n; i++) {
		struct conn *conn = conn_at(dirty.v[i] >> 1);
		enum side side = dirty.v[i] & 1;

		conn->end[side].dirty = false;
		send_end(conn, side);
	}
	dirty.n = 0;
}

void tcp_late(void)
{
	for (uint32_t i = 0; i < late.n; i++) {
		struct conn *conn = conn_at(late.v[i] >> 1);
		struct end *end = &conn->end[late.v[i] & 1];

		end->late = false;
		if (end->owed == 0)
			continue;
		gen.counts.acks++;
		emit_bare(conn, late.v[i] & 1, SEG_ACK);
	}
	late.n = 0;
}
