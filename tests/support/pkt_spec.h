/* SPDX-License-Identifier: Apache-2.0 */
/* pkt_spec.h - parts of a struct test_frame_spec, and the flags of a good TCP packet. */
#pragma once

#include <rte_tcp.h>

#include "test_frame.h"
#include "wk_pkt.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MSS_OPT  2, 4, 5, 0xb4
#define NOP4     1, 1, 1, 1

#define V4_BASE .ip_version = 4, .src = { 10, 11, 0, 1 }, .dst = { 10, 12, 0, 10 }
#define V6_BASE                                                                                    \
	.ip_version = 6, .src = { 0xfd, 0, 0, 0x11, [15] = 1 },                                    \
	.dst = { 0xfd, 0, 0, 0x12, [15] = 2 }
#define TCP_BASE                                                                                   \
	.proto = IPPROTO_TCP, .sport = 40001, .dport = 50051, .seq = 0xfffffff0u,                  \
	.ack = 0x01020304u, .wnd = 502, .tcp_flags = RTE_TCP_ACK_FLAG
#define TCP_33         TCP_BASE, .data_b = 33
#define UDP_BASE       .proto = IPPROTO_UDP, .sport = 40001, .dport = 53, .data_b = 16
#define IP_OPTS(o)     .ip_opts = (o), .ip_opts_b = sizeof(o)
#define EXT(type, e)   .ext_type = (type), .ext = (e), .ext_b = sizeof(e)
#define TAGS1(a)       .n_tags = 1, .tpid = { 0x8100 }, .vlan = { a }
#define TAGS2(t, a, b) .n_tags = 2, .tpid = { t, 0x8100 }, .vlan = { a, b }
#define F_TCP          (WK_PKT_F_TCP | WK_PKT_F_L4_PORTS)
