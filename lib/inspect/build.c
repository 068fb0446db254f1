/* SPDX-License-Identifier: Apache-2.0 */
/* build.c - frames that wicket makes itself.
 *
 * A bump in the wire has no addresses of its own: Ethernet, tags and IP header of a built frame are
 * those that frames of its direction carried last. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "inspect_impl.h"

#define PLAIN_V4_B          (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr))
#define ECN_MASK            0x03u
#define TTL_OWN             64u
#define STRAY_RSTS_PER_S    1000u
#define TOS_OF_V6(vtc_flow) ((uint8_t)((vtc_flow) >> 20))

/* One frame: headers from a template, payload from byte `from` of out. */
struct frame {
	struct wk_insp_tmpl tmpl;
	uint16_t sport; /* host order */
	uint16_t dport;
	uint32_t mtu_b;
	bool may_fragment; /* whatever the template says */
	uint8_t ecn;
	uint8_t flags;
	uint32_t from_b;
	uint32_t len_b;
};

static bool is_v4(const struct wk_insp_tmpl *tmpl)
{
	return tmpl->len_b - tmpl->l3_off == sizeof(struct rte_ipv4_hdr);
}

static uint8_t *ttl_of(struct wk_insp_tmpl *tmpl)
{
	uint8_t *l3 = tmpl->bytes + tmpl->l3_off;

	return is_v4(tmpl) ? &((struct rte_ipv4_hdr *)l3)->time_to_live
			   : &((struct rte_ipv6_hdr *)l3)->hop_limits;
}

/* The longest life seen stays: a sender whose packets die behind the box shall not make ours die.
 */
void wk_insp_tmpl_learn(struct wk_insp_tmpl *tmpl, const struct wk_pkt *pkt)
{
	uint32_t l3_b = pkt->ip_version == 4 ? sizeof(struct rte_ipv4_hdr)
					     : sizeof(struct rte_ipv6_hdr);
	uint32_t len_b = pkt->l3_off + l3_b;
	uint8_t ttl = tmpl->len_b > 0 ? *ttl_of(tmpl) : 0;

	if (len_b > WK_INSP_TMPL_MAX_B)
		return;
	tmpl->len_b = (uint8_t)len_b;
	tmpl->l3_off = (uint8_t)pkt->l3_off;
	/* Without tags, a length that the compiler knows: a copy of any length costs 40 cycles. */
	if (len_b == PLAIN_V4_B)
		memcpy(tmpl->bytes, pkt->frame, PLAIN_V4_B);
	else
		memcpy(tmpl->bytes, pkt->frame, len_b);
	if (*ttl_of(tmpl) < ttl)
		*ttl_of(tmpl) = ttl;
}

static void swap(uint8_t *a, uint8_t *b, size_t len_b)
{
	uint8_t tmp[16];

	memcpy(tmp, a, len_b);
	memcpy(a, b, len_b);
	memcpy(b, tmp, len_b);
}

/* The headers of an answer: addresses the other way round, and a life of its own, because how far
 * the packet that is answered had come says nothing about the way back. */
static void turn_around(struct wk_insp_tmpl *tmpl)
{
	uint8_t *l3 = tmpl->bytes + tmpl->l3_off;

	swap(tmpl->bytes, tmpl->bytes + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	if (is_v4(tmpl)) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)l3;

		swap((uint8_t *)&ip->src_addr, (uint8_t *)&ip->dst_addr, sizeof(ip->src_addr));
		ip->time_to_live = TTL_OWN;
	} else {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)l3;

		swap(ip->src_addr, ip->dst_addr, sizeof(ip->src_addr));
		ip->hop_limits = TTL_OWN;
	}
}

/* The ECN field of the packet at hand, where what is built carries its payload on: a CE mark must
 * not get lost. Everything else that is built is not ECN-capable (RFC 3168 section 6.1.4, 6.1.5).
 */
static uint8_t ecn_at_hand(const struct wk_inspect *inspect, const struct wk_tcp_out *out)
{
	const struct wk_pkt *pkt = inspect->pkt;
	const uint8_t *l3;
	rte_be32_t vtc_flow;

	if (!pkt || inspect->dir != out->dir || out->data_len_b == 0 || pkt->data_len_b == 0)
		return 0;
	l3 = pkt->frame + pkt->l3_off;
	if (pkt->ip_version == 4)
		return ((const struct rte_ipv4_hdr *)l3)->type_of_service & ECN_MASK;
	memcpy(&vtc_flow, l3, sizeof(vtc_flow));
	return TOS_OF_V6(rte_be_to_cpu_32(vtc_flow)) & ECN_MASK;
}

static void put_ipv4(struct wk_inspect *inspect, struct rte_ipv4_hdr *ip, const struct frame *frame,
		     uint32_t l4_len_b)
{
	bool df = !frame->may_fragment &&
		  (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) != 0;

	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->type_of_service = (uint8_t)((ip->type_of_service & ~ECN_MASK) | frame->ecn);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + l4_len_b));
	/* RFC 6864: meaningless where fragmentation is forbidden. */
	ip->packet_id = df ? 0 : rte_cpu_to_be_16(inspect->ident++);
	ip->fragment_offset = df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	ip->next_proto_id = IPPROTO_TCP;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void put_ipv6(struct rte_ipv6_hdr *ip, uint8_t ecn, uint32_t l4_len_b)
{
	uint32_t vtc_flow = rte_be_to_cpu_32(ip->vtc_flow);

	vtc_flow = (vtc_flow & ~(ECN_MASK << 20)) | (uint32_t)ecn << 20;
	ip->vtc_flow = rte_cpu_to_be_32(vtc_flow);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)l4_len_b);
	ip->proto = IPPROTO_TCP;
}

/* Copies the frame's part of the payload together. */
static void gather(uint8_t *to, const struct wk_tcp_out *out, uint32_t from_b, uint32_t len_b)
{
	for (uint32_t i = 0; i < out->n_iov && len_b > 0; i++) {
		const struct wk_tcp_iov *iov = &out->iov[i];
		uint32_t n;

		if (from_b >= iov->len_b) {
			from_b -= iov->len_b;
			continue;
		}
		n = RTE_MIN(iov->len_b - from_b, len_b);
		memcpy(to, iov->data + from_b, n);
		to += n;
		len_b -= n;
		from_b = 0;
	}
}

static void put_tcp(uint8_t *l4, const uint8_t *l3, bool v4, const struct wk_tcp_out *out,
		    const struct frame *frame)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)l4;
	uint32_t hdr_b = (uint32_t)sizeof(*tcp) + out->opts_len_b;

	tcp->src_port = rte_cpu_to_be_16(frame->sport);
	tcp->dst_port = rte_cpu_to_be_16(frame->dport);
	tcp->sent_seq = rte_cpu_to_be_32(out->seq + frame->from_b);
	tcp->recv_ack = rte_cpu_to_be_32(out->ack);
	tcp->data_off = (uint8_t)(hdr_b / 4 << 4);
	tcp->tcp_flags = frame->flags;
	tcp->rx_win = rte_cpu_to_be_16(out->wnd);
	tcp->cksum = 0;
	tcp->tcp_urp = 0;
	memcpy(l4 + sizeof(*tcp), out->opts, out->opts_len_b);
	gather(l4 + hdr_b, out, frame->from_b, frame->len_b);
	if (v4) {
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)l3;

		tcp->cksum = wk_pkt_tcp_csum(4, (const uint8_t *)&ip->src_addr,
					     (const uint8_t *)&ip->dst_addr, l4,
					     hdr_b + frame->len_b);
	} else {
		const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)l3;

		tcp->cksum =
			wk_pkt_tcp_csum(6, ip->src_addr, ip->dst_addr, l4, hdr_b + frame->len_b);
	}
}

/* Lays one frame out in m. @return false when it does not fit. */
static bool put_frame(struct wk_inspect *inspect, struct rte_mbuf *m, const struct wk_tcp_out *out,
		      const struct frame *frame)
{
	const struct wk_insp_tmpl *tmpl = &frame->tmpl;
	uint32_t l4_len_b = (uint32_t)sizeof(struct rte_tcp_hdr) + out->opts_len_b + frame->len_b;
	uint32_t len_b = tmpl->len_b + l4_len_b;
	bool v4 = is_v4(tmpl);
	uint8_t *bytes;
	uint8_t *l3;

	if (len_b > UINT16_MAX)
		return false;
	bytes = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len_b);
	if (!bytes)
		return false;
	memcpy(bytes, tmpl->bytes, tmpl->len_b);
	l3 = bytes + tmpl->l3_off;
	if (v4)
		put_ipv4(inspect, (struct rte_ipv4_hdr *)l3, frame, l4_len_b);
	else
		put_ipv6((struct rte_ipv6_hdr *)l3, frame->ecn, l4_len_b);
	put_tcp(bytes + tmpl->len_b, l3, v4, out, frame);
	return true;
}

/* Every frame that was asked for counts as originated, so that one which cannot be made is a drop
 * like any other. */
static void send_frame(struct wk_inspect *inspect, const struct wk_tcp_out *out,
		       const struct frame *frame)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(inspect->pool);

	wk_count(inspect->stats, WK_CNT_ORIGINATED, 1);
	if (!m) {
		inspect->stats->reason[WK_DROP_NO_MBUF]++;
		return;
	}
	if (!put_frame(inspect, m, out, frame)) {
		inspect->stats->reason[WK_DROP_OVERSIZE]++;
		rte_pktmbuf_free(m);
		return;
	}
	inspect->hooks->tx(inspect->user, inspect->wire, out->dir, m);
}

/* Cuts out->data into frames of at most the MTU of the path. FIN and PSH belong to the last one,
 * CWR and SYN to the first. */
static void send_all(struct wk_inspect *inspect, const struct wk_tcp_out *out, struct frame *frame)
{
	uint32_t hdr_b = (uint32_t)(frame->tmpl.len_b - frame->tmpl.l3_off) +
			 (uint32_t)sizeof(struct rte_tcp_hdr) + out->opts_len_b;
	uint32_t room_b = frame->mtu_b - hdr_b;

	frame->from_b = 0;
	do {
		uint32_t left_b = out->data_len_b - frame->from_b;

		frame->len_b = RTE_MIN(left_b, room_b);
		frame->flags = out->flags;
		if (left_b > room_b)
			frame->flags &= (uint8_t) ~(WK_TCP_FIN | WK_TCP_PSH);
		if (frame->from_b > 0)
			frame->flags &= (uint8_t) ~(WK_TCP_SYN | WK_TCP_CWR);
		send_frame(inspect, out, frame);
		frame->from_b += frame->len_b;
	} while (frame->from_b < out->data_len_b);
}

static uint32_t path_mtu(const struct wk_inspect *inspect, struct wk_insp_flow *flow,
			 enum wk_dir dir)
{
	uint32_t known_b;

	wk_insp_path_age(inspect, flow, dir);
	known_b = flow->path_mtu_b[dir];
	return known_b > 0 ? RTE_MIN(known_b, inspect->mtu_b) : inspect->mtu_b;
}

void wk_insp_send(struct wk_inspect *inspect, const struct wk_tcp_out *out)
{
	struct wk_insp_flow *flow = inspect->flow;
	const struct wk_flow_key *key = &flow->entry.key;
	uint32_t mtu_b = path_mtu(inspect, flow, out->dir);
	struct frame frame = {
		.sport = out->dir == WK_C2S ? key->client_port : key->server_port,
		.dport = out->dir == WK_C2S ? key->server_port : key->client_port,
		.mtu_b = mtu_b,
		.may_fragment = flow->path_below[out->dir],
		.ecn = ecn_at_hand(inspect, out),
	};

	if (flow->mute)
		return;
	if (flow->tmpl[out->dir].len_b > 0) {
		frame.tmpl = flow->tmpl[out->dir];
	} else {
		frame.tmpl = flow->tmpl[wk_dir_flip(out->dir)];
		turn_around(&frame.tmpl);
	}
	send_all(inspect, out, &frame);
}

void wk_insp_refuse(struct wk_inspect *inspect, const struct wk_tcp_seg *seg)
{
	struct frame frame = {
		.sport = inspect->pkt->dport,
		.dport = inspect->pkt->sport,
		.mtu_b = inspect->mtu_b,
	};
	struct wk_tcp_out out;

	if (!wk_tcp_refuse(seg, inspect->dir, &out))
		return;
	if (!wk_insp_take(&inspect->rsts, STRAY_RSTS_PER_S, inspect->tcp_env.now_ns))
		return;
	wk_insp_tmpl_learn(&frame.tmpl, inspect->pkt);
	turn_around(&frame.tmpl);
	wk_count(inspect->stats, WK_CNT_BUILT_RSTS, 1);
	send_all(inspect, &out, &frame);
}

void wk_insp_replace(struct wk_inspect *inspect, const struct wk_tcp_seg *seg)
{
	struct frame frame = {
		.sport = inspect->pkt->sport,
		.dport = inspect->pkt->dport,
		.mtu_b = inspect->mtu_b,
	};
	const struct wk_tcp_out out = {
		.dir = inspect->dir,
		.flags = WK_TCP_RST | WK_TCP_ACK,
		.seq = seg->seq,
		.ack = seg->ack,
	};

	wk_insp_tmpl_learn(&frame.tmpl, inspect->pkt);
	wk_count(inspect->stats, WK_CNT_BUILT_RSTS, 1);
	send_all(inspect, &out, &frame);
}
