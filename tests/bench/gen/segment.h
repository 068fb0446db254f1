/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h - frames: TCP with timestamps in IPv4, and UDP. Written into a buffer; read with
 * lengths and checksums verified. Numbers are in host order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "gen.h"

#define SEG_SYN 0x02u
#define SEG_FIN 0x01u
#define SEG_RST 0x04u
#define SEG_PSH 0x08u
#define SEG_ACK 0x10u

#define SEG_MSS_B    1460u /* as the SYN says it */
#define SEG_DATA_B   1448u /* beside the timestamps */
#define SEG_SCALE    7u
#define SEG_HEADER_B 66u /* in front of the data, SYNs aside */
#define PLAIN_B      42u /* in front of the data of a datagram */

#define SEG_SERVER_PORT 50051u

struct segment {
	uint32_t connection;
	uint32_t seq, ack;
	uint32_t tsval, tsecr;
	uint32_t data_b;
	uint32_t mss; /* SYN only */
	uint16_t window;
	uint8_t flags;
	uint8_t scale; /* SYN only */
	bool sack;     /* SYN only: permitted */
	bool ts;       /* has timestamps */
	const uint8_t *data;
};

enum seg_what {
	SEG_TCP,
	SEG_PLAIN,   /* a datagram of ours: data and data_b only */
	SEG_FOREIGN, /* a protocol that we do not play */
};

/* The headers, in front of seg->data_b bytes that are in the buffer already, and their checksum;
 * with SYN, options and no data. `from` is the side that sends. */
void segment_write(struct rte_mbuf *mbuf, enum side from, const struct segment *seg);
/* The same for a datagram. */
void plain_write(struct rte_mbuf *mbuf, enum side from);
/* Ends the process if the frame is broken, or one that should not be on that port. `at` is the side
 * whose port it came to. */
enum seg_what segment_read(const struct rte_mbuf *mbuf, enum side at, struct segment *seg);
/* Changes the last byte of a segment that has data, its checksum with it. */
void segment_spoil(struct rte_mbuf *mbuf, const struct segment *seg);
