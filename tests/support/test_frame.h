/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame.h - builds frames for tests, by the RFCs and with nothing of lib/pkt. */
#pragma once

#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "wire_bytes.h"

#define TEST_FRAME_MAX_B 2048u

struct test_frame_spec {
	uint8_t ip_version; /* 4 or 6 */
	uint8_t n_tags;
	uint16_t tpid[3];
	uint16_t vlan[3];
	uint8_t proto;
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd;
	uint8_t tcp_flags;
	const uint8_t *ip_opts; /* IPv4: multiple of 4 */
	uint32_t ip_opts_b;
	const uint8_t *ext; /* IPv6: whole extension headers, the first of type ext_type */
	uint32_t ext_b;
	uint8_t ext_type;
	const uint8_t *tcp_opts; /* multiple of 4 */
	uint32_t tcp_opts_b;
	uint32_t data_b; /* of the payload, filled with a pattern */
	uint32_t trailer_b;
	uint16_t frag; /* IPv4: flags and fragment offset */
};

struct test_frame {
	_Alignas(64) uint8_t bytes[TEST_FRAME_MAX_B];
	uint32_t len_b;
	uint32_t l3_off;
	uint32_t l4_off;
	uint32_t data_off;
};

static inline uint32_t test_put_l4(uint8_t *p, const struct test_frame_spec *spec)
{
	uint32_t hdr_b = spec->proto == IPPROTO_TCP ? 20 + spec->tcp_opts_b : 8;

	if (spec->proto != IPPROTO_TCP && spec->proto != IPPROTO_UDP)
		hdr_b = 0;
	memset(p, 0, hdr_b);
	for (uint32_t i = 0; i < spec->data_b; i++)
		p[hdr_b + i] = (uint8_t)(i * 7 + 3);
	if (hdr_b == 0)
		return 0;
	put16(p, spec->sport);
	put16(p + 2, spec->dport);
	if (spec->proto == IPPROTO_UDP) {
		put16(p + 4, (uint16_t)(8 + spec->data_b));
		return hdr_b;
	}
	put32(p + 4, spec->seq);
	put32(p + 8, spec->ack);
	p[12] = (uint8_t)(hdr_b / 4 << 4);
	p[13] = spec->tcp_flags;
	put16(p + 14, spec->wnd);
	if (spec->tcp_opts_b > 0)
		memcpy(p + 20, spec->tcp_opts, spec->tcp_opts_b);
	return hdr_b;
}

static inline uint32_t test_put_ip(uint8_t *ip, const struct test_frame_spec *spec)
{
	if (spec->ip_version == 4) {
		memset(ip, 0, 20);
		ip[0] = (uint8_t)(0x45 + spec->ip_opts_b / 4);
		put16(ip + 4, 0x1234);
		put16(ip + 6, spec->frag);
		ip[8] = 64;
		ip[9] = spec->proto;
		memcpy(ip + 12, spec->src, 4);
		memcpy(ip + 16, spec->dst, 4);
		if (spec->ip_opts_b > 0)
			memcpy(ip + 20, spec->ip_opts, spec->ip_opts_b);
		return 20 + spec->ip_opts_b;
	}
	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[6] = spec->ext_b > 0 ? spec->ext_type : spec->proto;
	ip[7] = 64;
	memcpy(ip + 8, spec->src, 16);
	memcpy(ip + 24, spec->dst, 16);
	if (spec->ext_b > 0)
		memcpy(ip + 40, spec->ext, spec->ext_b);
	return 40 + spec->ext_b;
}

/* Lengths and checksums, by the library's own whole-packet functions. */
static inline void test_finish(struct test_frame *frame, const struct test_frame_spec *spec)
{
	uint8_t *ip = frame->bytes + frame->l3_off;
	uint8_t *l4 = frame->bytes + frame->l4_off;
	uint32_t l4_b = frame->data_off - frame->l4_off + spec->data_b;
	uint32_t csum_off = spec->proto == IPPROTO_TCP ? 16 : 6;
	struct rte_ipv6_hdr pseudo = { .proto = spec->proto };
	uint16_t csum;

	pseudo.payload_len = rte_cpu_to_be_16((uint16_t)l4_b);
	if (spec->ip_version == 4) {
		struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)(void *)ip;
		struct rte_ipv4_hdr plain;

		put16(ip + 2, (uint16_t)(frame->l4_off - frame->l3_off + l4_b));
		v4->hdr_checksum = 0;
		v4->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, frame->l4_off - frame->l3_off);
		plain = *v4;
		plain.version_ihl = 0x45;
		plain.total_length = rte_cpu_to_be_16((uint16_t)(20 + l4_b));
		csum = rte_ipv4_udptcp_cksum(&plain, l4);
	} else {
		put16(ip + 4, (uint16_t)(frame->l4_off - frame->l3_off - 40 + l4_b));
		memcpy(pseudo.src_addr, ip + 8, 16);
		memcpy(pseudo.dst_addr, ip + 24, 16);
		csum = rte_ipv6_udptcp_cksum(&pseudo, l4);
	}
	if (spec->proto == IPPROTO_TCP || spec->proto == IPPROTO_UDP)
		memcpy(l4 + csum_off, &csum, sizeof(csum));
}

static inline void test_frame_build(struct test_frame *frame, const struct test_frame_spec *spec)
{
	uint32_t off = 12;

	memset(frame->bytes, 0x02, 12);
	for (uint32_t i = 0; i < spec->n_tags; i++, off += 4) {
		put16(frame->bytes + off, spec->tpid[i]);
		put16(frame->bytes + off + 2, spec->vlan[i]);
	}
	put16(frame->bytes + off, spec->ip_version == 4 ? 0x0800 : 0x86dd);
	frame->l3_off = off + 2;
	frame->l4_off = frame->l3_off + test_put_ip(frame->bytes + frame->l3_off, spec);
	frame->data_off = frame->l4_off + test_put_l4(frame->bytes + frame->l4_off, spec);
	test_finish(frame, spec);
	frame->len_b = frame->data_off + spec->data_b + spec->trailer_b;
	memset(frame->bytes + frame->len_b - spec->trailer_b, 0xee, spec->trailer_b);
}

/* The other direction of the same connection. */
static inline struct test_frame_spec test_frame_back(const struct test_frame_spec *spec)
{
	struct test_frame_spec back = *spec;

	memcpy(back.src, spec->dst, sizeof(back.src));
	memcpy(back.dst, spec->src, sizeof(back.dst));
	back.sport = spec->dport;
	back.dport = spec->sport;
	return back;
}
