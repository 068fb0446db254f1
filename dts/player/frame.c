/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <string.h>

#include "../../tests/support/wire_bytes.h"

#define IP_HDR_B  20u
#define TCP_HDR_B 20u
#define PROTO_TCP 6u
#define TTL       64u

/* MSS 1460, SACK permitted, window scale 7. */
static const uint8_t syn_opts[] = { 2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7 };

/* Of a TCP segment behind its IP header; 0 if the sum in it is right. */
static uint16_t tcp_csum(const uint8_t *ip, uint32_t len_b)
{
	return fold16(sum16(sum16(PROTO_TCP + len_b, ip + 12, 8), ip + IP_HDR_B, len_b));
}

void frame_eth(uint8_t *frame, const struct mac *dst, const struct mac *src)
{
	memcpy(frame, dst->b, sizeof(dst->b));
	memcpy(frame + 6, src->b, sizeof(src->b));
	put16(frame + 12, 0x0800);
}

size_t frame_ip(uint8_t *frame, const struct ip *ip)
{
	uint8_t *p = frame + FRAME_IP_OFF;

	p[0] = 0x45;
	p[1] = 0;
	put16(p + 2, IP_HDR_B + ip->data_b);
	put16(p + 4, ip->id);
	put16(p + 6, ip->frag);
	p[8] = TTL;
	p[9] = ip->proto;
	put16(p + 10, 0);
	put32(p + 12, ip->src);
	put32(p + 16, ip->dst);
	put16(p + 10, fold16(sum16(0, p, IP_HDR_B)));
	return FRAME_IP_OFF + IP_HDR_B + ip->data_b;
}

size_t frame_tcp(uint8_t *frame, const struct tcp *tcp)
{
	uint32_t opts_b = tcp->flags & TCP_SYN ? sizeof(syn_opts) : 0;
	uint32_t len_b = TCP_HDR_B + opts_b + tcp->data_b;
	const struct ip ip = {
		.src = tcp->src,
		.dst = tcp->dst,
		.frag = 0x4000,
		.proto = PROTO_TCP,
		.data_b = len_b,
	};
	uint8_t *p = frame + FRAME_TCP_OFF;
	size_t frame_b = frame_ip(frame, &ip);

	put16(p, tcp->sport);
	put16(p + 2, tcp->dport);
	put32(p + 4, tcp->seq);
	put32(p + 8, tcp->ack);
	p[12] = (uint8_t)((TCP_HDR_B + opts_b) << 2);
	p[13] = tcp->flags;
	put16(p + 14, tcp->window);
	put32(p + 16, 0);
	memcpy(p + TCP_HDR_B, syn_opts, opts_b);
	if (tcp->data_b > 0)
		memcpy(p + TCP_HDR_B + opts_b, tcp->data, tcp->data_b);
	put16(p + 16, tcp_csum(frame + FRAME_IP_OFF, len_b));
	return frame_b;
}

bool frame_tcp_read(const uint8_t *frame, size_t len_b, struct tcp *tcp)
{
	const uint8_t *ip = frame + FRAME_IP_OFF;
	const uint8_t *p = frame + FRAME_TCP_OFF;
	uint32_t total_b, hdr_b;

	if (len_b < FRAME_TCP_OFF + TCP_HDR_B || ip[0] != 0x45 || ip[9] != PROTO_TCP ||
	    (get16(ip + 6) & 0x3fffu) != 0)
		return false;
	total_b = get16(ip + 2);
	hdr_b = (uint32_t)(p[12] >> 4) * 4;
	if (FRAME_IP_OFF + total_b > len_b || hdr_b < TCP_HDR_B || IP_HDR_B + hdr_b > total_b)
		return false;
	if (fold16(sum16(0, ip, IP_HDR_B)) != 0 || tcp_csum(ip, total_b - IP_HDR_B) != 0)
		return false;
	*tcp = (struct tcp){
		.src = get32(ip + 12),
		.dst = get32(ip + 16),
		.seq = get32(p + 4),
		.ack = get32(p + 8),
		.sport = (uint16_t)get16(p),
		.dport = (uint16_t)get16(p + 2),
		.window = (uint16_t)get16(p + 14),
		.flags = p[13],
		.data = p + hdr_b,
		.data_b = total_b - IP_HDR_B - hdr_b,
	};
	return true;
}
