/* SPDX-License-Identifier: Apache-2.0 */
/* wk_acl.h - the classifier: which frames are guarded, and what the plain L3/L4 rules say.
 *
 * Two rte_acl contexts (IPv4, IPv6) over one fixed key that this lib fills from struct wk_pkt, four
 * categories: 0 the operator's acl, 1 guarded as destination, 2 guarded as source, 3 guarded by
 * address alone (fragments, tunnels). A drop of category 0 beats a guard, a guard beats its pass.
 * Built and freed on the main lcore, immutable in between, read by every worker under RCU. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"
#include "wk_pkt.h"

struct wk_acl_prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t len;
	uint8_t addr[16]; /* network order */
};

struct wk_acl_service_in {
	const struct wk_acl_prefix *addresses;
	uint32_t n_addresses;
	const uint16_t *ports; /* host order; each at every address */
	uint32_t n_ports;
	bool enforced; /* speaks for the address where several services have it */
};

struct wk_acl_rule_in {
	const struct wk_acl_prefix *from; /* n 0: any */
	uint32_t n_from;
	const struct wk_acl_prefix *to;
	uint32_t n_to;
	uint16_t proto; /* 0..255, 256 any */
	uint16_t port_low;
	uint16_t port_high;
	int32_t vlan; /* outer VLAN id, 0 none, -1 any */
	bool drop;
};

struct wk_acl_in {
	uint64_t version; /* never used twice in a process: it names the contexts */
	const struct wk_acl_service_in *services; /* index = service number of the verdict */
	uint32_t n_services;
	const struct wk_acl_rule_in *rules; /* first match */
	uint32_t n_rules;
	bool default_drop;
	int socket_id;
	uint32_t max_size_b; /* bound of one context's run-time tables, 0: 64 MiB */
};

enum wk_acl_action {
	WK_ACL_PASS = 0,
	WK_ACL_DROP = 1,
	WK_ACL_GUARD = 2,  /* TCP to or from a guarded address and port */
	WK_ACL_FRAG = 3,   /* a fragment to or from a guarded address */
	WK_ACL_TUNNEL = 4, /* the same of a tunnel, or below more tags than are followed */
	WK_ACL_QUOTE = 5,  /* an ICMP error that quotes a packet to or from a guarded port */
};

struct wk_acl_verdict {
	uint8_t action;       /* enum wk_acl_action */
	uint8_t reason;       /* enum wk_reason: DROP_ACL, DROP_DEFAULT, DROP_MALFORMED for a drop;
			       * QUOTE: how an error ends that concerns no connection, FWD_PLAIN or
			       * DROP_DEFAULT */
	bool guarded_dst;     /* the destination is guarded: a packet of a client */
	bool guarded_src;     /* the source is: a packet of a server; QUOTE: of the quoted packet */
	uint32_t service_dst; /* service numbers, valid where the flag is set */
	uint32_t service_src;
	/* FRAG and TUNNEL: a service of the address, an enforced one if there is any. */
	uint32_t service_addr;
};

#define WK_ACL_BURST_MAX 64u

struct wk_acl;

/* @return 0, -ENOMEM, -EINVAL, or rte_acl's error. Needs EAL. */
int wk_acl_create(const struct wk_acl_in *in, struct wk_acl **acl);
void wk_acl_free(struct wk_acl *acl);

/* Classifies n <= WK_ACL_BURST_MAX parsed packets. Frames that are not IP pass, unless default is
 * drop: ARP and neighbour discovery pass always, other ethertypes then drop with DROP_DEFAULT. */
void wk_acl_classify_burst(const struct wk_acl *acl, const struct wk_pkt *pkts, uint16_t n,
			   struct wk_acl_verdict *verdicts);

/* The service a GUARD packet belongs to, by the side it came in on (invariant I4): a client's
 * packet is guarded as destination, a server's as source.
 * @return false when it is guarded only the other way: an address on the wrong side. */
static inline bool wk_acl_service(const struct wk_acl_verdict *verdict, enum wk_dir dir,
				  uint32_t *service)
{
	*service = dir == WK_C2S ? verdict->service_dst : verdict->service_src;
	return dir == WK_C2S ? verdict->guarded_dst : verdict->guarded_src;
}
