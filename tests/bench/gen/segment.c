/* SPDX-License-Identifier: Apache-2.0 */
#define ALLOW_EXPERIMENTAL_API    /* rte_ipv4_udptcp_cksum_verify: no other reads a checksum of 0  \
				     right */
#include "segment.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define CLIENTS        RTE_IPV4(10, 11, 0, 1)
#define SERVER_ADDRESS RTE_IPV4(10, 12, 0, 10)
#define PER_CLIENT     8192u
#define FIRST_PORT     10000u
#define PLAIN_PORT     4000u
#define TTL            64u

#define OPT_TS_B    12u
#define SYN_OPTS_B  20u
#define OPT_END     0u
#define OPT_NOP     1u
#define OPT_MSS     2u
#define OPT_SCALE   3u
#define OPT_SACK_OK 4u
#define OPT_TS      8u

struct headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	union {
		struct rte_tcp_hdr tcp;
		struct rte_udp_hdr udp;
	};
} __rte_packed __rte_aligned(2);

static const struct rte_ether_addr macs[2] = {
	[CLIENT] = { { 0x02, 0, 0, 0, 1, 1 } },
	[SERVER] = { { 0x02, 0, 0, 0, 2, 2 } },
};

static void write_ip(struct headers *h, enum side from, uint32_t client, uint8_t proto,
		     uint32_t l4_b)
{
	rte_be32_t ends[2] = {
		[CLIENT] = rte_cpu_to_be_32(client),
		[SERVER] = RTE_BE32(SERVER_ADDRESS),
	};

	h->eth.dst_addr = macs[!from];
	h->eth.src_addr = macs[from];
	h->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	h->ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(h->ip) + l4_b)),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = TTL,
		.next_proto_id = proto,
		.src_addr = ends[from],
		.dst_addr = ends[!from],
	};
	h->ip.hdr_checksum = rte_ipv4_cksum(&h->ip);
}

static void put_be32(uint8_t *p, uint32_t value)
{
	rte_be32_t be = rte_cpu_to_be_32(value);

	memcpy(p, &be, sizeof(be));
}

static uint32_t get_be32(const uint8_t *p)
{
	rte_be32_t be;

	memcpy(&be, p, sizeof(be));
	return rte_be_to_cpu_32(be);
}

static uint32_t write_options(uint8_t *p, const struct segment *seg)
{
	static const uint8_t syn[] = { OPT_MSS,     4, SEG_MSS_B >> 8, SEG_MSS_B & 0xff,
				       OPT_SACK_OK, 2, OPT_TS,         10 };
	static const uint8_t plain[] = { OPT_NOP, OPT_NOP, OPT_TS, 10 };
	static const uint8_t scale[] = { OPT_NOP, OPT_SCALE, 3, SEG_SCALE };
	uint32_t head_b = sizeof(plain);

	if (seg->flags & SEG_SYN) {
		memcpy(p, syn, sizeof(syn));
		memcpy(p + sizeof(syn) + 8, scale, sizeof(scale));
		head_b = sizeof(syn);
	} else {
		memcpy(p, plain, sizeof(plain));
	}
	put_be32(p + head_b, seg->tsval);
	put_be32(p + head_b + 4, seg->tsecr);
	return seg->flags & SEG_SYN ? SYN_OPTS_B : OPT_TS_B;
}

void segment_write(struct rte_mbuf *mbuf, enum side from, const struct segment *seg)
{
	struct headers *h = rte_pktmbuf_mtod(mbuf, struct headers *);
	rte_be16_t port = rte_cpu_to_be_16((uint16_t)(FIRST_PORT + seg->connection % PER_CLIENT));
	uint32_t options_b = write_options((uint8_t *)(h + 1), seg);
	uint32_t l4_b = (uint32_t)sizeof(h->tcp) + options_b + seg->data_b;

	write_ip(h, from, CLIENTS + seg->connection / PER_CLIENT, IPPROTO_TCP, l4_b);
	h->tcp = (struct rte_tcp_hdr){
		.src_port = from == CLIENT ? port : RTE_BE16(SEG_SERVER_PORT),
		.dst_port = from == CLIENT ? RTE_BE16(SEG_SERVER_PORT) : port,
		.sent_seq = rte_cpu_to_be_32(seg->seq),
		.recv_ack = rte_cpu_to_be_32(seg->ack),
		.data_off = (uint8_t)((sizeof(h->tcp) + options_b) / 4 << 4),
		.tcp_flags = seg->flags,
		.rx_win = rte_cpu_to_be_16(seg->window),
	};
	h->tcp.cksum = rte_ipv4_udptcp_cksum(&h->ip, &h->tcp);
	mbuf->data_len = (uint16_t)(sizeof(h->eth) + sizeof(h->ip) + l4_b);
	mbuf->pkt_len = mbuf->data_len;
}

void plain_write(struct rte_mbuf *mbuf, enum side from)
{
	struct headers *h = rte_pktmbuf_mtod(mbuf, struct headers *);
	uint32_t l4_b = mbuf->data_len - (uint32_t)(sizeof(h->eth) + sizeof(h->ip));

	write_ip(h, from, CLIENTS, IPPROTO_UDP, l4_b);
	h->udp = (struct rte_udp_hdr){
		.src_port = RTE_BE16(PLAIN_PORT),
		.dst_port = RTE_BE16(PLAIN_PORT),
		.dgram_len = rte_cpu_to_be_16((uint16_t)l4_b),
	};
	h->udp.dgram_cksum = rte_ipv4_udptcp_cksum(&h->ip, &h->udp);
}

static void read_option(const uint8_t *p, uint32_t len_b, struct segment *seg)
{
	if (p[0] == OPT_TS && len_b == 10) {
		seg->ts = true;
		seg->tsval = get_be32(p + 2);
		seg->tsecr = get_be32(p + 6);
	} else if (p[0] == OPT_MSS && len_b == 4) {
		seg->mss = (uint32_t)p[2] << 8 | p[3];
	} else if (p[0] == OPT_SCALE && len_b == 3) {
		seg->scale = p[2];
	} else if (p[0] == OPT_SACK_OK && len_b == 2) {
		seg->sack = true;
	}
}

static void read_options(const uint8_t *p, const uint8_t *end, struct segment *seg)
{
	while (p < end && *p != OPT_END) {
		uint32_t len_b = 1;

		if (*p != OPT_NOP) {
			len_b = p + 1 < end ? p[1] : 0;
			if (len_b < 2 || len_b > (uint32_t)(end - p))
				gen_fail("a segment with a broken option");
			read_option(p, len_b, seg);
		}
		p += len_b;
	}
}

static enum seg_what read_tcp(const struct headers *h, uint32_t l4_b, enum side at,
			      struct segment *seg)
{
	uint32_t header_b = (uint32_t)(h->tcp.data_off >> 4) * 4;
	uint32_t client = rte_be_to_cpu_32(at == CLIENT ? h->ip.dst_addr : h->ip.src_addr);
	rte_be32_t server = at == CLIENT ? h->ip.src_addr : h->ip.dst_addr;
	rte_be16_t server_port = at == CLIENT ? h->tcp.src_port : h->tcp.dst_port;
	uint16_t port = rte_be_to_cpu_16(at == CLIENT ? h->tcp.dst_port : h->tcp.src_port);
	const uint8_t *tcp = (const uint8_t *)&h->tcp;

	if (l4_b < sizeof(h->tcp) || header_b < sizeof(h->tcp) || header_b > l4_b)
		gen_fail("a segment with a broken header");
	if (rte_ipv4_udptcp_cksum_verify(&h->ip, &h->tcp) != 0)
		gen_fail("a segment with a wrong checksum");
	if (server != RTE_BE32(SERVER_ADDRESS) || server_port != RTE_BE16(SEG_SERVER_PORT) ||
	    port < FIRST_PORT || port >= FIRST_PORT + PER_CLIENT || client < CLIENTS)
		gen_fail("a segment of a connection that is none of ours");
	*seg = (struct segment){
		.connection = (client - CLIENTS) * PER_CLIENT + port - FIRST_PORT,
		.seq = rte_be_to_cpu_32(h->tcp.sent_seq),
		.ack = rte_be_to_cpu_32(h->tcp.recv_ack),
		.window = rte_be_to_cpu_16(h->tcp.rx_win),
		.flags = h->tcp.tcp_flags,
		.data = tcp + header_b,
		.data_b = l4_b - header_b,
	};
	read_options(tcp + sizeof(h->tcp), seg->data, seg);
	return SEG_TCP;
}

enum seg_what segment_read(const struct rte_mbuf *mbuf, enum side at, struct segment *seg)
{
	const struct headers *h = rte_pktmbuf_mtod(mbuf, const struct headers *);
	uint32_t total_b;

	if (mbuf->nb_segs != 1)
		gen_fail("a frame in %u buffers", mbuf->nb_segs);
	if (mbuf->data_len < RTE_ETHER_HDR_LEN + sizeof(h->ip) ||
	    h->eth.ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	    (h->ip.next_proto_id != IPPROTO_TCP && h->ip.next_proto_id != IPPROTO_UDP))
		return SEG_FOREIGN;
	total_b = rte_be_to_cpu_16(h->ip.total_length);
	if (h->ip.version_ihl != RTE_IPV4_VHL_DEF || total_b < sizeof(h->ip) + sizeof(h->udp) ||
	    total_b + RTE_ETHER_HDR_LEN > mbuf->data_len || rte_ipv4_cksum(&h->ip) != 0)
		gen_fail("a frame with a broken IP header");
	if (h->ip.next_proto_id == IPPROTO_TCP)
		return read_tcp(h, total_b - (uint32_t)sizeof(h->ip), at, seg);
	if (h->udp.dst_port != RTE_BE16(PLAIN_PORT))
		return SEG_FOREIGN;
	if (rte_ipv4_udptcp_cksum_verify(&h->ip, &h->udp) != 0)
		gen_fail("a datagram with a wrong checksum");
	*seg = (struct segment){
		.data = (const uint8_t *)(&h->udp + 1),
		.data_b = total_b - (uint32_t)(sizeof(h->ip) + sizeof(h->udp)),
	};
	return SEG_PLAIN;
}

void segment_spoil(struct rte_mbuf *mbuf, const struct segment *seg)
{
	struct headers *h = rte_pktmbuf_mtod(mbuf, struct headers *);

	*(uint8_t *)(uintptr_t)(seg->data + seg->data_b - 1) ^= 1;
	h->tcp.cksum = 0;
	h->tcp.cksum = rte_ipv4_udptcp_cksum(&h->ip, &h->tcp);
}
