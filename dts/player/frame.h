/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - Ethernet frames with IPv4 in them: written, and read with their checksums verified.
 * Addresses, ports and numbers are in host order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX_B   1514u
#define FRAME_DATA_B  1460u /* payload of a full-sized TCP segment */
#define FRAME_IP_OFF  14u
#define FRAME_TCP_OFF 34u

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u

struct mac {
	uint8_t b[6];
};

struct tcp {
	uint32_t src, dst;
	uint32_t seq, ack;
	uint16_t sport, dport;
	uint16_t window;
	uint8_t flags;
	const uint8_t *data; /* read: into the frame */
	uint32_t data_b;
};

struct ip {
	uint32_t src, dst;
	uint16_t id;
	uint16_t frag; /* flags and offset, as on the wire */
	uint8_t proto;
	uint32_t data_b; /* the caller writes them behind the header */
};

void frame_eth(uint8_t *frame, const struct mac *dst, const struct mac *src);
/* Writes the IP header. @return the length of the frame. */
size_t frame_ip(uint8_t *frame, const struct ip *ip);
/* Writes IP and TCP; a SYN gets the usual options but for timestamps. @return the length. */
size_t frame_tcp(uint8_t *frame, const struct tcp *tcp);
/* @return false: not TCP in IPv4, or not sound. */
bool frame_tcp_read(const uint8_t *frame, size_t len_b, struct tcp *tcp);
