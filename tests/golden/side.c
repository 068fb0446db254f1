/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <rte_tcp.h>

#define MAC_B         6u
#define TCP_FLAGS_OFF 13u

void side_rule_init(struct side_rule *rule, const struct wk_acl *acl, const char *dir)
{
	char path[PATH_MAX];
	FILE *file;
	int c;

	*rule = (struct side_rule){ .acl = acl };
	snprintf(path, sizeof(path), "%s/in.sides", dir);
	file = fopen(path, "r");
	if (!file)
		return;
	while ((c = fgetc(file)) != EOF && rule->n_letters < SIDE_FRAMES_MAX)
		if (c == 'c' || c == 's')
			rule->letters[rule->n_letters++] = (char)c;
	fclose(file);
}

static const struct side_mac *find(const struct side_rule *rule, const uint8_t *addr)
{
	for (uint32_t i = 0; i < rule->n_macs; i++)
		if (memcmp(rule->macs[i].addr, addr, MAC_B) == 0)
			return &rule->macs[i];
	return NULL;
}

static bool is_syn(const struct wk_pkt *pkt)
{
	uint8_t flags;

	if ((pkt->flags & WK_PKT_F_TCP) == 0)
		return false;
	flags = pkt->frame[pkt->l4_off + TCP_FLAGS_OFF];
	return (flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) == RTE_TCP_SYN_FLAG;
}

static enum wk_dir by_content(const struct side_rule *rule, const struct capture_frame *frame)
{
	struct wk_acl_verdict verdict;
	const struct side_mac *mac;
	struct wk_pkt pkt;

	wk_pkt_parse(frame->bytes, frame->len_b, &pkt);
	wk_acl_classify_burst(rule->acl, &pkt, 1, &verdict);
	if (is_syn(&pkt))
		return WK_C2S;
	if (verdict.action == WK_ACL_GUARD && verdict.guarded_dst != verdict.guarded_src)
		return verdict.guarded_dst ? WK_C2S : WK_S2C;
	if (frame->len_b < 2 * MAC_B)
		return WK_C2S;
	mac = find(rule, frame->bytes + MAC_B);
	if (mac)
		return mac->dir;
	mac = find(rule, frame->bytes);
	return mac ? wk_dir_flip(mac->dir) : WK_C2S;
}

enum wk_dir side_of(struct side_rule *rule, const struct capture_frame *frame, uint32_t number)
{
	enum wk_dir dir;

	if (number < rule->n_letters)
		return rule->letters[number] == 'c' ? WK_C2S : WK_S2C;
	dir = by_content(rule, frame);
	if (frame->len_b >= 2 * MAC_B && !find(rule, frame->bytes + MAC_B) &&
	    rule->n_macs < SIDE_MACS_MAX) {
		memcpy(rule->macs[rule->n_macs].addr, frame->bytes + MAC_B, MAC_B);
		rule->macs[rule->n_macs++].dir = dir;
	}
	return dir;
}
