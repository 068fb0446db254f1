/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - raw sockets on both ends of the wire, in closed loop.
 *
 * A tap drops silently what it has no room for. So every few frames a fence is sent along: a UDP
 * frame that nothing guards. Frames of one direction keep their order, and when a fence arrives,
 * everything before it has gone through the box. No more than a window may be under way. */
#pragma once

#include "player.h"

/* A frame for one of our addresses has arrived on a side. */
typedef void wire_handler(enum side at, const uint8_t *frame, size_t len_b);

void wire_open(wire_handler *handler);
/* Where the next frame to leave on a side is to be written; its Ethernet header is there. */
uint8_t *wire_slot(enum side from);
void wire_put(enum side from, size_t len_b);
/* Writes and sends a segment. */
void wire_tcp(enum side from, const struct tcp *tcp);
/* Sends what has been put, and hears what has come; waits that long if nothing has. */
void wire_poll(int wait_ms);
/* Polls until another frame may be sent. */
void wire_room(enum side from);
/* Polls until everything sent so far has gone through. */
void wire_drain(enum side from);
