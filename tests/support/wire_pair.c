/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wire_bytes.h"
#include "wire_pair.h"

#define ETH_B      14u
#define TCP_B      20u
#define TS_B       12u
#define PROTO_TCP  6u
#define ISN_CLIENT 0xfffff000u /* numbers wrap soon */
#define ISN_SERVER 0x10000000u
#define SYN_WND    64240u /* never scaled */

static const uint8_t macs[WK_DIRS][6] = {
	{ 0x02, 0, 0, 0, 0, 0x0c },
	{ 0x02, 0, 0, 0, 0, 0x05 },
};

/* MSS 1460, SACK permitted, window scale 7; timestamps are put in front by put_options. */
static const uint8_t syn_opts[] = { 2, 4, 5, 180, 4, 2, 3, 3, 7, 1, 1, 1 };

static uint32_t addr_len_b(const struct pair *pair)
{
	return pair->conf.ip_version == 4 ? 4 : 16;
}

static uint32_t ip_hdr_b(const struct pair *pair)
{
	return pair->conf.ip_version == 4 ? 20 : 40;
}

static void address(const struct pair *pair, enum wk_dir end, uint8_t *to)
{
	uint8_t host = end == WK_C2S ? pair->conf.client_host : 10;
	uint8_t net = end == WK_C2S ? 11 : 12;

	if (pair->conf.ip_version == 4) {
		const uint8_t v4[4] = { 10, net, 0, host };

		memcpy(to, v4, sizeof(v4));
	} else {
		const uint8_t v6[16] = { 0xfd, 0, 0, net, [15] = host };

		memcpy(to, v6, sizeof(v6));
	}
}

static uint16_t tcp_csum(const struct pair *pair, const uint8_t *src_dst, const uint8_t *tcp,
			 uint32_t len_b)
{
	uint32_t sum = sum16(0, src_dst, 2 * addr_len_b(pair));

	return fold16(sum16(sum + PROTO_TCP + len_b, tcp, len_b));
}

void pair_init(struct pair *pair, const struct pair_conf *conf)
{
	memset(pair, 0, sizeof(*pair));
	pair->conf = *conf;
	pair->clock = 1000;
	for (int i = 0; i < WK_DIRS; i++) {
		struct pair_end *end = &pair->end[i];

		end->isn = i == WK_C2S ? ISN_CLIENT : ISN_SERVER;
		end->nxt = end->isn;
		end->una = end->isn;
		end->wnd = 512;
		end->ttl = i == WK_C2S ? 61 : 63;
	}
}

static uint32_t put_l2(const struct pair *pair, enum wk_dir dir, uint8_t *frame)
{
	uint8_t *at = frame + 12;

	memcpy(frame, macs[wk_dir_flip(dir)], 6);
	memcpy(frame + 6, macs[dir], 6);
	for (uint32_t i = 0; i < pair->conf.n_tags; i++, at += 4) {
		put16(at, pair->conf.n_tags == 2 && i == 0 ? 0x88a8 : 0x8100);
		put16(at + 2, pair->conf.vlan[i]);
	}
	put16(at, pair->conf.ip_version == 4 ? 0x0800 : 0x86dd);
	return (uint32_t)(at + 2 - frame);
}

static void put_l3(struct pair *pair, enum wk_dir dir, uint32_t l4_len_b, uint8_t *ip)
{
	const struct pair_end *end = &pair->end[dir];

	memset(ip, 0, ip_hdr_b(pair));
	if (pair->conf.ip_version == 4) {
		ip[0] = 0x45;
		ip[1] = end->tos;
		put16(ip + 2, 20 + l4_len_b);
		put16(ip + 4, ++pair->ident);
		ip[6] = 0x40;
		ip[8] = end->ttl;
		ip[9] = PROTO_TCP;
		address(pair, dir, ip + 12);
		address(pair, wk_dir_flip(dir), ip + 16);
		put16(ip + 10, fold16(sum16(0, ip, 20)));
	} else {
		put32(ip, 6u << 28 | (uint32_t)end->tos << 20 | 0x12345u);
		put16(ip + 4, l4_len_b);
		ip[6] = PROTO_TCP;
		ip[7] = end->ttl;
		address(pair, dir, ip + 8);
		address(pair, wk_dir_flip(dir), ip + 24);
	}
}

/* @return their length. */
static uint32_t put_options(const struct pair *pair, enum wk_dir dir, uint8_t flags, uint8_t *to)
{
	uint32_t len_b = 0;

	if (pair->conf.timestamps && !(flags & PAIR_RST)) {
		put32(to, 0x0101080au);
		put32(to + 4, pair->clock + (dir == WK_C2S ? 0 : 0x70000000u));
		put32(to + 8, pair->end[dir].peer_tsval);
		len_b = TS_B;
	}
	if ((flags & PAIR_SYN) && !pair->conf.bare) {
		memcpy(to + len_b, syn_opts, sizeof(syn_opts));
		len_b += (uint32_t)sizeof(syn_opts);
		if (pair->conf.fast_open) {
			put32(to + len_b, 0x22020101u);
			len_b += 4;
		}
	}
	return len_b;
}

uint32_t pair_send_at(struct pair *pair, enum wk_dir dir, uint32_t seq, uint32_t ack, uint8_t flags,
		      const void *data, uint32_t len_b, uint8_t *frame)
{
	uint32_t l2_b = put_l2(pair, dir, frame);
	uint8_t *ip = frame + l2_b;
	uint8_t *tcp = ip + ip_hdr_b(pair);
	uint32_t opts_b = put_options(pair, dir, flags, tcp + TCP_B);
	uint32_t l4_b = TCP_B + opts_b + len_b;
	const uint8_t *src_dst = ip + (pair->conf.ip_version == 4 ? 12 : 8);
	uint32_t from = dir == WK_C2S ? pair->conf.client_port : pair->conf.server_port;
	uint32_t to = dir == WK_C2S ? pair->conf.server_port : pair->conf.client_port;

	put_l3(pair, dir, l4_b, ip);
	put16(tcp, from);
	put16(tcp + 2, to);
	put32(tcp + 4, seq);
	put32(tcp + 8, flags & PAIR_ACK ? ack : 0);
	tcp[12] = (uint8_t)((TCP_B + opts_b) / 4 << 4);
	tcp[13] = flags;
	put16(tcp + 14, flags & PAIR_SYN ? SYN_WND : pair->end[dir].wnd);
	put32(tcp + 16, flags & PAIR_URG ? 1 : 0);
	if (len_b > 0)
		memcpy(tcp + TCP_B + opts_b, data, len_b);
	put16(tcp + 16, tcp_csum(pair, src_dst, tcp, l4_b));
	return l2_b + ip_hdr_b(pair) + l4_b;
}

uint32_t pair_send(struct pair *pair, enum wk_dir dir, uint8_t flags, const void *data,
		   uint32_t len_b, uint8_t *frame)
{
	struct pair_end *end = &pair->end[dir];
	uint32_t seq = end->nxt;

	pair->clock++;
	end->nxt += len_b + (flags & PAIR_SYN ? 1 : 0) + (flags & PAIR_FIN ? 1 : 0);
	return pair_send_at(pair, dir, seq, end->ack, flags, data, len_b, frame);
}

static const char *check_l2(const struct pair *pair, enum wk_dir dir, const uint8_t *frame,
			    uint32_t len_b)
{
	uint8_t want[ETH_B + 8];
	uint32_t l2_b = put_l2(pair, dir, want);

	if (len_b < l2_b)
		return "shorter than its Ethernet header";
	return memcmp(frame, want, l2_b) == 0 ? NULL : "another Ethernet header or other tags";
}

/* @return what is wrong, or NULL and the length of the TCP segment. */
static const char *check_l3(const struct pair *pair, enum wk_dir dir, const uint8_t *ip,
			    uint32_t len_b, uint32_t *l4_b, uint8_t *ttl)
{
	uint32_t n = addr_len_b(pair);
	const uint8_t *src = ip + (pair->conf.ip_version == 4 ? 12 : 8);
	uint8_t want[32];
	uint32_t total_b;

	if (len_b < ip_hdr_b(pair))
		return "shorter than its IP header";
	if (pair->conf.ip_version == 4) {
		if (ip[0] != 0x45 || ip[9] != PROTO_TCP)
			return "no plain IPv4 header of TCP";
		if (fold16(sum16(0, ip, 20)) != 0)
			return "bad IPv4 checksum";
		total_b = get16(ip + 2);
		*ttl = ip[8];
	} else {
		if (ip[0] >> 4 != 6 || ip[6] != PROTO_TCP)
			return "no plain IPv6 header of TCP";
		total_b = 40 + get16(ip + 4);
		*ttl = ip[7];
	}
	address(pair, dir, want);
	address(pair, wk_dir_flip(dir), want + n);
	if (memcmp(src, want, 2 * n) != 0)
		return "other addresses";
	if (total_b > len_b || total_b < ip_hdr_b(pair) + TCP_B)
		return "IP length does not fit";
	*l4_b = total_b - ip_hdr_b(pair);
	return NULL;
}

static const char *check_l4(const struct pair *pair, enum wk_dir dir, const uint8_t *src_dst,
			    const uint8_t *tcp, uint32_t l4_b)
{
	uint32_t from = dir == WK_C2S ? pair->conf.client_port : pair->conf.server_port;
	uint32_t to = dir == WK_C2S ? pair->conf.server_port : pair->conf.client_port;
	uint32_t hdr_b = (uint32_t)tcp[12] >> 4 << 2;

	if (tcp_csum(pair, src_dst, tcp, l4_b) != 0)
		return "bad TCP checksum";
	if (get16(tcp) != from || get16(tcp + 2) != to)
		return "other ports";
	return hdr_b < TCP_B || hdr_b > l4_b ? "bad TCP data offset" : NULL;
}

/* Takes what is new of the segment. */
static const char *take(struct pair_end *end, const struct pair_seg *seg)
{
	uint32_t start = end->ack - end->rx_len_b; /* number of rx[0] */
	uint32_t off = seg->seq - start;

	if (seg->flags & PAIR_SYN) {
		end->ack = seg->seq + 1;
		end->synced = true;
		return NULL;
	}
	if (!end->synced || off > end->rx_len_b)
		return NULL;
	for (uint32_t i = 0; i < seg->len_b; i++) {
		uint32_t at = off + i;

		if (at < end->rx_len_b) {
			if (end->rx[at] != seg->data[i])
				return "a byte has changed since it was first sent";
			continue;
		}
		if (at == PAIR_STREAM_MAX_B)
			return "the test's stream is too long";
		end->rx[at] = seg->data[i];
		end->rx_len_b++;
		end->ack++;
	}
	if ((seg->flags & PAIR_FIN) && !end->closed && seg->seq + seg->len_b == end->ack) {
		end->closed = true;
		end->ack++;
	}
	return NULL;
}

const char *pair_receive(struct pair *pair, enum wk_dir dir, const uint8_t *frame, uint32_t len_b,
			 struct pair_seg *seg)
{
	struct pair_end *end = &pair->end[wk_dir_flip(dir)];
	uint32_t l2_b = ETH_B + 4u * pair->conf.n_tags;
	const uint8_t *ip = frame + l2_b;
	const uint8_t *tcp = ip + ip_hdr_b(pair);
	const uint8_t *src_dst = ip + (pair->conf.ip_version == 4 ? 12 : 8);
	const char *wrong;
	uint32_t hdr_b;
	uint32_t l4_b;

	memset(seg, 0, sizeof(*seg));
	wrong = check_l2(pair, dir, frame, len_b);
	if (!wrong)
		wrong = check_l3(pair, dir, ip, len_b - l2_b, &l4_b, &seg->ttl);
	if (!wrong)
		wrong = check_l4(pair, dir, src_dst, tcp, l4_b);
	if (wrong)
		return wrong;
	hdr_b = (uint32_t)tcp[12] >> 4 << 2;
	seg->seq = get32(tcp + 4);
	seg->ack = get32(tcp + 8);
	seg->flags = tcp[13];
	seg->wnd = (uint16_t)get16(tcp + 14);
	seg->data = tcp + hdr_b;
	seg->len_b = l4_b - hdr_b;
	if (hdr_b >= TCP_B + TS_B && get32(tcp + TCP_B) == 0x0101080au)
		end->peer_tsval = get32(tcp + TCP_B + 4);
	if (seg->flags & PAIR_RST) {
		end->reset = true;
		return NULL;
	}
	if ((seg->flags & PAIR_ACK) && (int32_t)(seg->ack - end->una) > 0)
		end->una = seg->ack;
	return take(end, seg);
}
