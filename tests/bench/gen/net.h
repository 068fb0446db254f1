/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the two ports and EAL. What a port does not take at once waits here, in order. */
#pragma once

#include <rte_mbuf.h>

#include "gen.h"

#define NET_BURST 64u

/* Ends the process on failure. */
void net_open(void);
/* @return false: not both links are up. */
bool net_up(void);
/* A buffer for net_send(); never NULL. */
struct rte_mbuf *net_frame(void);
void net_send(enum side side, struct rte_mbuf *mbuf);
/* Up to NET_BURST frames. */
uint32_t net_receive(enum side side, struct rte_mbuf **mbufs);
/* Both ports. */
void net_flush(void);
/* Frames that wait for a port. */
uint32_t net_waiting(void);
void net_close(void);
/* After a failure: removes what EAL would leave on the disk. */
void net_abandon(void);
