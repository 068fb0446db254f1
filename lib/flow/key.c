/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wk_flow.h"

_Static_assert(sizeof(struct wk_flow_key) == 48, "the key has bytes that nobody fills");

void wk_flow_key_fill(struct wk_flow_key *key, const struct wk_pkt *pkt, uint16_t wire,
		      enum wk_dir dir)
{
	bool from_client = dir == WK_C2S;

	memcpy(key->client, from_client ? pkt->src : pkt->dst, sizeof(key->client));
	memcpy(key->server, from_client ? pkt->dst : pkt->src, sizeof(key->server));
	key->client_port = from_client ? pkt->sport : pkt->dport;
	key->server_port = from_client ? pkt->dport : pkt->sport;
	key->vlan[0] = pkt->vlan[0];
	key->vlan[1] = pkt->vlan[1];
	key->wire = wire;
	key->ip_version = pkt->ip_version;
	key->zero = 0;
	key->zero4 = 0;
}
