/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors that pass the box, as lib/inspect treats them. */
#include <stdio.h>
#include <stdlib.h>

#include "box.h"
#include "internal.h" /* how far the sender has been acknowledged */

#define LEAST_B 576u /* nothing is made smaller */

/* A packet of the stream dir did not fit. */
static void learn(struct box *box, enum wk_dir dir, const struct sim_pkt *quote)
{
	uint32_t hdr_b = (uint32_t)(quote->b[12] >> 4) * 4;
	uint32_t mtu_b = quote->mtu_b < LEAST_B ? LEAST_B : quote->mtu_b;
	uint64_t since_ns = box->path_ns[dir];
	struct wk_tcp_env env = box_env(box);
	bool news = box->path_mtu_b[dir] == 0 || mtu_b < box->path_mtu_b[dir];

	if (mtu_b >= quote->quoted_b + SIM_IP_HDR_B)
		return;
	if (news) {
		box->path_mtu_b[dir] = mtu_b;
		box->path_ns[dir] = box->now_ns;
		since_ns = UINT64_MAX;
	}
	check_too_big(&box->check);
	wk_tcp_too_big(&box->flow, dir, pkt_seq(quote), quote->quoted_b - hdr_b, since_ns, &env);
	if (news)
		check_sent_again(&box->check, dir, pkt_seq(quote), quote->quoted_b - hdr_b);
}

void box_icmp(struct box *box, struct sim_pkt *pkt, bool forged)
{
	enum wk_dir dir = wk_dir_flip(pkt->dir);
	uint32_t seq = pkt_seq(pkt), in_seq = seq;
	struct wk_tcp_half *half = &box->flow.half[dir];
	uint64_t acked_in = half->acked_in;
	bool goes_on = true;

	if (box->has_flow && !box->cfg.passive) {
		goes_on = wk_tcp_quoted(&box->flow, dir, seq, &in_seq);
		check_quoted(&box->check, dir, seq,
			     wk_tcp_state(&box->flow) == WK_TCP_ST_ESTABLISHED,
			     goes_on ? &in_seq : NULL, acked_in);
		if (goes_on && pkt->mtu_b > 0)
			learn(box, dir, pkt);
	} else if (box->has_hs) {
		goes_on = wk_tcp_hs_passive(&box->hs) || wk_tcp_hs_quoted(&box->hs, dir, seq);
	}
	if (box->cfg.verbose)
		printf("%12.6f   %s, number %u\n", (double)box->now_ns / 1e9,
		       goes_on ? "forward" : "drop", in_seq);
	if (!goes_on || (forged && !box->has_flow)) {
		box->dropped++;
		free(pkt);
		return;
	}
	pkt_set_seq(pkt, in_seq);
	box->quotes++;
	box->send(box->user, pkt);
}
