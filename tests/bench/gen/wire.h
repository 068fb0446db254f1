/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - the bytes of items: frames, and messages that follow from the number of their call. */
#pragma once

#include "conn.h"

#define FRAME_DATA          0u
#define FRAME_HEADERS       1u
#define FRAME_RST_STREAM    3u
#define FRAME_SETTINGS      4u
#define FRAME_GOAWAY        7u
#define FRAME_WINDOW_UPDATE 8u

#define FLAG_END_STREAM  0x1u
#define FLAG_ACK         0x1u
#define FLAG_END_HEADERS 0x4u

#define WIRE_PREFACE_B      24u
#define WIRE_FRAME_MAX_B    16384u
#define WIRE_PREFIX_B       5u         /* of a message */
#define WIRE_WINDOW_B       (1u << 30) /* what each end adds to its connection's window */
#define WIRE_FIRST_WINDOW_B 65535u
#define WIRE_CREDIT_B       (16u << 20) /* DATA between two WINDOW_UPDATEs */

extern const uint8_t wire_preface[WIRE_PREFACE_B];
extern const uint8_t wire_settings[];
extern const uint32_t wire_settings_b;

void wire_create(void);
/* Of one direction, with its prefix. */
uint32_t wire_message_b(const struct call *call, enum side from);
bool wire_last_turn(const struct call *call, uint32_t turn);
/* Fills in item->len_b. */
void wire_measure(const struct conn *conn, enum side side, struct item *item);
uint32_t wire_write(const struct conn *conn, enum side side, const struct item *item, uint32_t off,
		    uint8_t *to, uint32_t n);
/* Are these the bytes at off (prefix included) of the message? */
bool wire_is(const struct call *call, enum side from, uint32_t turn, uint32_t off,
	     const uint8_t *bytes, uint32_t n);
