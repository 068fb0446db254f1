/* SPDX-License-Identifier: Apache-2.0 */
/* plain.h - datagrams that nothing guards: the client's go to the server, which returns them. */
#pragma once

#include "segment.h"

/* Sends what keeps their share among all frames, as far as there is room. */
void plain_begin(void);
/* The datagram that has come; ends the process unless it is the next one. */
void plain_receive(enum side side, const struct segment *seg);
/* On their way. */
uint64_t plain_open(void);
