/* SPDX-License-Identifier: Apache-2.0 */
/* h2.h - HTTP/2 at both ends: what is said, and that what arrives is what was said. */
#pragma once

#include "conn.h"

/* The handshake is over at this end: preface and SETTINGS. */
void h2_hello(struct conn *conn, enum side side);
/* Appends to what the end has to say; item.len_b is filled in. */
void h2_say(struct conn *conn, enum side side, struct item item);
/* The next bytes that the end has received, in order. Ends the process at the first wrong one. */
void h2_receive(struct conn *conn, enum side side, const uint8_t *bytes, uint32_t n);
