/* SPDX-License-Identifier: Apache-2.0 */
/* acl_kit.h - two services, addresses in and around them, and one packet at a time. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pkt_spec.h"
#include "wk_acl.h"

#define V4(a, b, c, d, l)                                                                          \
	{                                                                                          \
		.family = 4, .len = (l), .addr = { a, b, c, d }                                    \
	}
#define V6(a, z, l)                                                                                \
	{                                                                                          \
		.family = 6, .len = (l), .addr = { 0xfd, 0, 0, a, [15] = z }                       \
	}
#define ANY_PORT .port_low = 0, .port_high = 65535

#define CLIENT4                                                                                    \
	{                                                                                          \
		10, 11, 0, 1                                                                       \
	}
#define DOOR4                                                                                      \
	{                                                                                          \
		10, 12, 0, 10                                                                      \
	}
#define LIFT4                                                                                      \
	{                                                                                          \
		10, 13, 0, 77                                                                      \
	}
#define OTHER4                                                                                     \
	{                                                                                          \
		10, 12, 0, 11                                                                      \
	}
#define BAD4                                                                                       \
	{                                                                                          \
		10, 66, 0, 1                                                                       \
	}
#define CLIENT6                                                                                    \
	{                                                                                          \
		0xfd, 0, 0, 0x11, [15] = 1                                                         \
	}
#define DOOR6                                                                                      \
	{                                                                                          \
		0xfd, 0, 0, 0x12, [15] = 2                                                         \
	}
#define OTHER6                                                                                     \
	{                                                                                          \
		0xfd, 0, 0, 0x12, [15] = 11                                                        \
	}
#define TCP .proto = IPPROTO_TCP, .tcp_flags = RTE_TCP_ACK_FLAG

static uint64_t acl_versions; /* that have been made */

static const struct wk_acl_prefix door_addresses[] = { V4(10, 12, 0, 10, 32), V6(0x12, 2, 128) };
static const struct wk_acl_prefix lift_addresses[] = { V4(10, 13, 0, 0, 24) };
static const uint16_t door_port = 50051, lift_port = 50052;
static const struct wk_acl_service_in services[] = {
	{ door_addresses, COUNT(door_addresses), &door_port, 1, true },
	{ lift_addresses, COUNT(lift_addresses), &lift_port, 1, true },
};

static inline struct wk_acl *open_acl(const struct wk_acl_in *in)
{
	struct wk_acl_in copy = *in;
	struct wk_acl *acl = NULL;

	copy.version = ++acl_versions;
	copy.socket_id = SOCKET_ID_ANY;
	assert_int_equal(wk_acl_create(&copy, &acl), 0);
	assert_non_null(acl);
	return acl;
}

/* One packet that reaches the classifier through the parser. */
static inline struct wk_acl_verdict verdict_of(const struct wk_acl *acl,
					       const struct test_frame_spec *spec)
{
	struct wk_acl_verdict verdict;
	struct test_frame frame;
	struct wk_pkt pkt;

	test_frame_build(&frame, spec);
	wk_pkt_parse(frame.bytes, frame.len_b, &pkt);
	memset(&verdict, 0xff, sizeof(verdict));
	wk_acl_classify_burst(acl, &pkt, 1, &verdict);
	return verdict;
}

static inline void assert_verdict(const char *name, const struct wk_acl_verdict *got,
				  const struct wk_acl_verdict *want)
{
	if (got->action != want->action || got->reason != want->reason ||
	    got->guarded_dst != want->guarded_dst || got->guarded_src != want->guarded_src ||
	    got->service_dst != want->service_dst || got->service_src != want->service_src)
		fail_msg("%s: action %u reason %u dst %d/%u src %d/%u", name, got->action,
			 got->reason, got->guarded_dst, got->service_dst, got->guarded_src,
			 got->service_src);
}
