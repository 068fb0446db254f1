/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "acl_priv.h"

#define PROTO_ICMPV6 58
#define ND_FIRST     133 /* router solicitation */
#define ND_LAST      137 /* redirect */
#define ND_HOP_LIMIT 255

/* The packets of one family within a burst. */
struct batch {
	uint32_t n;
	uint8_t index[WK_ACL_BURST_MAX];
	const uint8_t *keys[WK_ACL_BURST_MAX];
};

static void fill_tail(struct acl_key_tail *tail, const struct wk_pkt *pkt)
{
	/* Without ports both are 0, which only a rule for all ports can mean. */
	tail->sport = rte_cpu_to_be_16(pkt->sport);
	tail->dport = rte_cpu_to_be_16(pkt->dport);
	tail->vlan[0] = rte_cpu_to_be_16(pkt->vlan[0]);
	tail->vlan[1] = rte_cpu_to_be_16(pkt->vlan[1]);
}

static void fill_key4(struct acl_key4 *key, const struct wk_pkt *pkt)
{
	key->proto = pkt->proto;
	memcpy(key->src, pkt->src, sizeof(key->src));
	memcpy(key->dst, pkt->dst, sizeof(key->dst));
	fill_tail(&key->tail, pkt);
}

static void fill_key6(struct acl_key6 *key, const struct wk_pkt *pkt)
{
	key->proto = pkt->proto;
	memcpy(key->src, pkt->src, sizeof(key->src));
	memcpy(key->dst, pkt->dst, sizeof(key->dst));
	fill_tail(&key->tail, pkt);
}

/* Neighbour discovery that its receiver would believe (RFC 4861: hop limit 255). */
static bool is_nd(const struct wk_pkt *pkt)
{
	uint8_t type;

	if (pkt->ip_version != 6 || pkt->proto != PROTO_ICMPV6 || pkt->ttl != ND_HOP_LIMIT ||
	    (pkt->flags & (WK_PKT_F_FRAG | WK_PKT_F_MALFORMED)) != 0 || pkt->data_len_b == 0)
		return false;
	type = pkt->frame[pkt->l4_off];
	return type >= ND_FIRST && type <= ND_LAST;
}

/* Whether a fragment may carry a part of a TCP segment: headers that a later fragment hides count.
 */
static bool may_be_tcp(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
		return true;
	default:
		return false;
	}
}

static void set_services(struct wk_acl_verdict *verdict, const uint32_t *found)
{
	verdict->guarded_dst = found[ACL_CAT_DST] != 0;
	verdict->guarded_src = found[ACL_CAT_SRC] != 0;
	verdict->service_dst = verdict->guarded_dst ? found[ACL_CAT_DST] - 1 : 0;
	verdict->service_src = verdict->guarded_src ? found[ACL_CAT_SRC] - 1 : 0;
}

static void drop(struct wk_acl_verdict *verdict, enum wk_reason reason)
{
	*verdict = (struct wk_acl_verdict){
		.action = WK_ACL_DROP,
		.reason = (uint8_t)reason,
	};
}

static void judge(const struct wk_acl *acl, const struct wk_pkt *pkt, const uint32_t *found,
		  struct wk_acl_verdict *verdict)
{
	bool rule = found[ACL_CAT_RULES] != 0;
	bool address = found[ACL_CAT_ADDR] != 0;

	*verdict = (struct wk_acl_verdict){ .action = WK_ACL_PASS };
	if (is_nd(pkt))
		return;
	if (rule && acl->drop[found[ACL_CAT_RULES] - 1])
		drop(verdict, WK_DROP_ACL);
	else if (address && (pkt->flags & WK_PKT_F_MALFORMED) != 0)
		drop(verdict, WK_DROP_MALFORMED);
	else if (address && (pkt->flags & (WK_PKT_F_TUNNEL | WK_PKT_F_DEEP_TAGS)) != 0)
		verdict->action = WK_ACL_TUNNEL;
	else if (address && (pkt->flags & WK_PKT_F_FRAG) != 0 && may_be_tcp(pkt->proto))
		verdict->action = WK_ACL_FRAG;
	else if ((pkt->flags & WK_PKT_F_TCP) != 0 &&
		 (found[ACL_CAT_DST] != 0 || found[ACL_CAT_SRC] != 0))
		verdict->action = WK_ACL_GUARD;
	else if (!rule && acl->default_drop)
		drop(verdict, WK_DROP_DEFAULT);
	if (verdict->action == WK_ACL_FRAG || verdict->action == WK_ACL_TUNNEL)
		verdict->service_addr = found[ACL_CAT_ADDR] - 1;
	if (verdict->action == WK_ACL_GUARD)
		set_services(verdict, found);
}

static void judge_not_ip(const struct wk_acl *acl, const struct wk_pkt *pkt,
			 struct wk_acl_verdict *verdict)
{
	*verdict = (struct wk_acl_verdict){ .action = WK_ACL_PASS };
	if ((pkt->flags & WK_PKT_F_MALFORMED) != 0)
		drop(verdict, WK_DROP_MALFORMED);
	else if (acl->default_drop && pkt->ethertype != RTE_ETHER_TYPE_ARP)
		drop(verdict, WK_DROP_DEFAULT);
}

static void classify(const struct wk_acl *acl, enum acl_family family, const struct batch *batch,
		     const struct wk_pkt *pkts, struct wk_acl_verdict *verdicts)
{
	uint32_t found[WK_ACL_BURST_MAX * ACL_CATS];

	if (batch->n == 0)
		return;
	if (!acl->ctx[family]) {
		memset(found, 0, batch->n * ACL_CATS * sizeof(found[0]));
	} else if (rte_acl_classify(acl->ctx[family], (const uint8_t **)(uintptr_t)batch->keys,
				    found, batch->n, ACL_CATS) != 0) {
		/* It fails on wrong arguments alone; what cannot be judged does not pass. */
		for (uint32_t i = 0; i < batch->n; i++)
			drop(&verdicts[batch->index[i]], WK_DROP_ACL);
		return;
	}
	for (uint32_t i = 0; i < batch->n; i++)
		judge(acl, &pkts[batch->index[i]], &found[i * ACL_CATS],
		      &verdicts[batch->index[i]]);
}

/* Is an ICMP error about a guarded connection? An operator's drop stands; `default` does not keep
 * from a guarded connection what it needs to find out about its path. */
static void judge_quote(const struct wk_acl *acl, const struct wk_pkt *pkt,
			struct wk_acl_verdict *verdict)
{
	enum acl_family family = pkt->ip_version == 4 ? ACL_V4 : ACL_V6;
	uint32_t found[ACL_CATS];
	struct acl_key4 key4;
	struct acl_key6 key6;
	struct wk_pkt quoted;
	const uint8_t *key;

	if ((verdict->action != WK_ACL_PASS && verdict->reason != WK_DROP_DEFAULT) ||
	    !acl->ctx[family] || !wk_pkt_quoted(pkt, &quoted))
		return;
	if (family == ACL_V4) {
		fill_key4(&key4, &quoted);
		key = (const uint8_t *)&key4;
	} else {
		fill_key6(&key6, &quoted);
		key = (const uint8_t *)&key6;
	}
	if (rte_acl_classify(acl->ctx[family], &key, found, 1, ACL_CATS) != 0) {
		drop(verdict, WK_DROP_ACL);
		return;
	}
	if (found[ACL_CAT_DST] == 0 && found[ACL_CAT_SRC] == 0)
		return;
	verdict->action = WK_ACL_QUOTE;
	set_services(verdict, found);
}

void wk_acl_classify_burst(const struct wk_acl *acl, const struct wk_pkt *pkts, uint16_t n,
			   struct wk_acl_verdict *verdicts)
{
	struct acl_key4 keys4[WK_ACL_BURST_MAX];
	struct acl_key6 keys6[WK_ACL_BURST_MAX];
	struct batch v4 = { .n = 0 };
	struct batch v6 = { .n = 0 };

	for (uint16_t i = 0; i < n; i++) {
		if (pkts[i].ip_version == 4) {
			fill_key4(&keys4[v4.n], &pkts[i]);
			v4.keys[v4.n] = (const uint8_t *)&keys4[v4.n];
			v4.index[v4.n++] = (uint8_t)i;
		} else if (pkts[i].ip_version == 6) {
			fill_key6(&keys6[v6.n], &pkts[i]);
			v6.keys[v6.n] = (const uint8_t *)&keys6[v6.n];
			v6.index[v6.n++] = (uint8_t)i;
		} else {
			judge_not_ip(acl, &pkts[i], &verdicts[i]);
		}
	}
	classify(acl, ACL_V4, &v4, pkts, verdicts);
	classify(acl, ACL_V6, &v6, pkts, verdicts);
	for (uint16_t i = 0; i < n; i++)
		if ((pkts[i].flags & WK_PKT_F_ICMP_ERR) != 0)
			judge_quote(acl, &pkts[i], &verdicts[i]);
}
