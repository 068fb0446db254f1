/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.h - both ends of a connection as TCP: handshake, numbers, windows, acknowledgements, FIN.
 *
 * Nothing is sent again: the calls on their way are fewer than the packets that the rings between
 * us hold, so a box that loses one of them is wrong. */
#pragma once

#include "conn.h"
#include "segment.h"

void tcp_create(uint32_t n);
void tcp_free(void);
/* The SYN. */
void tcp_open(struct conn *conn);
/* The client's FIN; the server's follows. */
void tcp_close(struct conn *conn);
void tcp_receive(struct conn *conn, enum side side, const struct segment *seg);
/* The end may have something to send: it is looked at by the next tcp_send(). */
void tcp_touch(struct conn *conn, enum side side);
void tcp_send(void);
/* Acknowledges what nothing else has acknowledged meanwhile; to be called every few milliseconds.
 */
void tcp_late(void);
