/* SPDX-License-Identifier: Apache-2.0 */
/* wk_tcp_hs.h - a handshake under way: all that is kept of a connection before its third segment.
 *
 * 26 bytes by value, without a pointer and without a time: the caller stores as many as it likes
 * where it likes, ages them, and may lose one at any moment; a client that sends its SYN again
 * makes it anew. Only at the client's valid acknowledgement of the server's SYN-ACK is a flow made
 * of it (wk_tcp_init). Fields are private to lib/tcp, in host order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"

/* What a side says of itself in its SYN. */
struct wk_tcp_hs_side {
	uint32_t isn;
	uint32_t tsval; /* highest that has gone by, if it offers timestamps */
	uint16_t wnd;   /* raw: a SYN's own window is never scaled (RFC 7323 2.2) */
	uint16_t mss;   /* that it can receive, 0: it did not say */
} __attribute__((packed, aligned(2)));

struct wk_tcp_hs {
	struct wk_tcp_hs_side side[WK_DIRS];
	uint8_t wscale; /* client's in the lower half, server's in the upper; 15: none */
	uint8_t flags;
} __attribute__((packed, aligned(2)));

_Static_assert(sizeof(struct wk_tcp_hs) == 26, "a cache line holds two with their tags");

/* What a packet means for the handshake. */
enum wk_tcp_hs_step {
	WK_TCP_HS_ALIEN = 0, /* it is none of its packets; the result says how it would end */
	WK_TCP_HS_ON = 1,    /* it goes on; the result says how to forward the packet */
	WK_TCP_HS_OVER = 2,  /* an RST that counts: forward it, forget the handshake */
	WK_TCP_HS_DONE = 3,  /* the third segment: wk_tcp_init, then wk_tcp_input of it */
};
