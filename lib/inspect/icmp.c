/* SPDX-License-Identifier: Apache-2.0 */
/* icmp.c - ICMP errors about guarded connections.
 *
 * A router quotes a packet as it saw it; the sender of that packet compares the quoted number with
 * its own, so the error is translated on its way back. What it says of the path holds for packets
 * that are built here as well. Nothing else is believed: anybody can send such errors, and only
 * one whose number is under way can be true (RFC 5927). */
#include "inspect_impl.h"

/* What every path must carry (RFC 791, RFC 8200 section 5): nothing is made smaller than that.
 * Where an IPv4 link takes less all the same, packets may be cut up on their way instead. */
#define IPV4_LEAST_B 576u
#define IPV6_LEAST_B 1280u

/* A path may get wider, and nobody says so: after a while the larger size is tried again (RFC 1191
 * 6.3, RFC 8201 4). */
#define PATH_AGE_NS (UINT64_C(600) * NS_PER_S)

#define TCP_HDR_B  20u
#define TCP_OFF_AT 12u

/* How much payload the quoted packet had, as far as the quote shows. */
static uint32_t quoted_data_b(const struct wk_pkt *quoted)
{
	uint32_t hdr_b = (uint32_t)quoted->l4_off - quoted->l3_off;

	if (quoted->frame_len_b - quoted->l4_off > TCP_OFF_AT)
		hdr_b += (uint32_t)(quoted->frame[quoted->l4_off + TCP_OFF_AT] >> 4) * 4u;
	else
		hdr_b += TCP_HDR_B;
	return quoted->l3_len_b > hdr_b ? quoted->l3_len_b - hdr_b : 0;
}

void wk_insp_path_age(const struct wk_inspect *inspect, struct wk_insp_flow *flow, enum wk_dir dir)
{
	if (flow->path_mtu_b[dir] == 0 ||
	    inspect->tcp_env.now_ns - flow->path_ns[dir] < PATH_AGE_NS)
		return;
	flow->path_mtu_b[dir] = 0;
	flow->path_below[dir] = false;
}

/* Takes note of a path that takes mtu_b. @return false if it says nothing about the quoted packet.
 */
static bool note(struct wk_inspect *inspect, struct wk_insp_flow *flow, enum wk_dir dir,
		 const struct wk_pkt *quoted, uint32_t mtu_b)
{
	uint32_t least_b = quoted->ip_version == 4 ? IPV4_LEAST_B : IPV6_LEAST_B;
	uint32_t known_b = flow->path_mtu_b[dir] > 0 ? flow->path_mtu_b[dir] : inspect->mtu_b;
	bool below = quoted->l3_len_b <= least_b && mtu_b < quoted->l3_len_b;

	/* An IPv6 sender takes no notice of such a claim (RFC 8201 section 4). */
	if (quoted->ip_version == 6 && mtu_b < least_b)
		return false;
	mtu_b = RTE_MAX(mtu_b, least_b);
	if (mtu_b >= quoted->l3_len_b && !below)
		return false;
	if (mtu_b >= known_b && (!below || flow->path_below[dir]))
		return true;
	if (flow->path_mtu_b[dir] == 0)
		wk_count(inspect->stats, WK_CNT_PATH_MTU, 1);
	flow->path_mtu_b[dir] = (uint16_t)RTE_MIN(mtu_b, known_b);
	flow->path_below[dir] |= below;
	flow->path_ns[dir] = inspect->tcp_env.now_ns;
	return true;
}

/* A packet of the stream dir did not fit. */
static void learn(struct wk_inspect *inspect, enum wk_dir dir, const struct wk_pkt *quoted,
		  uint32_t mtu_b)
{
	struct wk_insp_flow *flow = inspect->flow;
	uint64_t since_ns = UINT64_MAX;
	uint16_t before_b;

	wk_insp_path_age(inspect, flow, dir);
	before_b = flow->path_mtu_b[dir];
	if (!note(inspect, flow, dir, quoted, mtu_b))
		return;
	/* What went out so far was too big, also within this burst, which has one time for all. */
	if (flow->path_mtu_b[dir] == before_b)
		since_ns = flow->path_ns[dir];
	wk_tcp_too_big(&flow->tcp, dir, wk_pkt_quoted_seq(quoted), quoted_data_b(quoted), since_ns,
		       &inspect->tcp_env);
	wk_flow_arm(inspect->table, &flow->entry, wk_insp_deadline(inspect, flow));
}

/* About a SYN or a SYN-ACK: nothing is translated yet. */
static enum wk_reason early(const struct wk_tcp_hs *hs, const struct wk_pkt *pkt, enum wk_dir dir,
			    const struct wk_pkt *quoted)
{
	if (wk_tcp_hs_passive(hs))
		return WK_FWD_GUARDED;
	if (!wk_pkt_icmp_csum_ok(pkt))
		return WK_DROP_CSUM;
	return wk_tcp_hs_quoted(hs, dir, wk_pkt_quoted_seq(quoted)) ? WK_FWD_GUARDED : WK_DROP_ICMP;
}

static enum wk_reason way(struct wk_inspect *inspect, struct wk_pkt *pkt, uint16_t wire,
			  enum wk_dir dir, enum wk_reason plain, uint64_t now_ns)
{
	struct wk_insp_flow *flow;
	struct wk_flow_key key;
	struct wk_tcp_hs *hs;
	struct wk_pkt quoted;
	uint32_t seq, in_seq, mtu_b;

	if (!wk_pkt_quoted(pkt, &quoted))
		return plain;
	wk_flow_key_fill(&key, &quoted, wire, dir);
	flow = (struct wk_insp_flow *)wk_flow_lookup(inspect->table, &key);
	hs = flow && !wk_insp_over(flow) ? NULL : wk_flow_syn_find(inspect->syns, &key, now_ns);
	if (hs)
		return early(hs, pkt, dir, &quoted);
	if (!flow)
		return plain;
	if (flow->passive && !flow->dead)
		return WK_FWD_GUARDED;
	if (!wk_pkt_icmp_csum_ok(pkt))
		return WK_DROP_CSUM;
	seq = wk_pkt_quoted_seq(&quoted);
	if (flow->dead || !wk_tcp_quoted(&flow->tcp, dir, seq, &in_seq))
		return WK_DROP_ICMP;
	wk_insp_enter(inspect, flow, now_ns);
	if (wk_pkt_icmp_too_big(pkt, &mtu_b))
		learn(inspect, dir, &quoted, mtu_b);
	if (in_seq == seq)
		return WK_FWD_GUARDED;
	wk_pkt_set_quoted_seq(pkt, &quoted, in_seq);
	wk_count(inspect->stats, WK_CNT_ICMP_XLATE, 1);
	return WK_FWD_EDITED;
}

enum wk_inspect_verdict wk_inspect_icmp(struct wk_inspect *inspect, struct wk_pkt *pkt,
					uint16_t wire, enum wk_dir dir, enum wk_reason plain,
					uint64_t now_ns)
{
	enum wk_reason reason = way(inspect, pkt, wire, wk_dir_flip(dir), plain, now_ns);

	inspect->stats->reason[reason]++;
	return wk_reason_class(reason) == WK_REASON_FORWARD ? WK_INSPECT_FORWARD : WK_INSPECT_FREE;
}
