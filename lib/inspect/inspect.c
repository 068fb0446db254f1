/* SPDX-License-Identifier: Apache-2.0 */
/* inspect.c - one lcore's inspector: birth and death, its policy, and the way of a packet. */
#include <errno.h>

#include <rte_cycles.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include "inspect_impl.h"

/* Below it IPv4 has no right to expect anything (RFC 791). */
#define MTU_MIN_B 576u

bool wk_insp_take(struct wk_insp_bucket *bucket, uint32_t per_s, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - bucket->last_ns;
	uint64_t more;

	if (bucket->last_ns == 0 || passed_ns >= NS_PER_S) {
		bucket->tokens = per_s;
		bucket->last_ns = now_ns;
	} else {
		more = passed_ns * per_s / NS_PER_S;
		if (more > 0) {
			bucket->tokens = (uint32_t)RTE_MIN(bucket->tokens + more, per_s);
			bucket->last_ns = now_ns;
		}
	}
	if (bucket->tokens == 0)
		return false;
	bucket->tokens--;
	return true;
}

void wk_insp_set_service(struct wk_inspect *inspect, uint32_t service)
{
	inspect->service = service;
	inspect->svc = inspect->policy ? wk_policy_service(inspect->policy, service) : NULL;
	inspect->mode = inspect->svc ? inspect->svc->mode : WK_MODE_ENFORCE;
}

void wk_insp_enter(struct wk_inspect *inspect, struct wk_insp_flow *flow, uint64_t now_ns)
{
	inspect->flow = flow;
	inspect->pkt = NULL;
	inspect->tcp_env.now_ns = now_ns;
	inspect->wire = flow->entry.key.wire;
	wk_insp_set_service(inspect,
			    flow->version == inspect->version ? flow->service : UINT32_MAX);
	if (!inspect->svc && flow->passive)
		inspect->mode = WK_MODE_OFF;
}

static void drop_h2(struct wk_inspect *inspect, struct wk_insp_flow *flow)
{
	if (flow->h2)
		wk_h2_free(flow->h2, inspect->mem);
	flow->h2 = NULL;
}

void wk_insp_shed(struct wk_inspect *inspect, struct wk_insp_flow *flow)
{
	if (!flow->dead && wk_tcp_state(&flow->tcp) == WK_TCP_ST_ESTABLISHED)
		return;
	drop_h2(inspect, flow);
	wk_flow_release(inspect->table, &flow->entry);
}

bool wk_insp_edited(const struct wk_insp_flow *flow)
{
	struct wk_h2_info info;

	if (wk_tcp_edited(&flow->tcp))
		return true;
	if (!flow->h2)
		return false;
	wk_h2_info(flow->h2, &info);
	return info.deleting || info.reencoding;
}

uint64_t wk_insp_deadline(const struct wk_inspect *inspect, const struct wk_insp_flow *flow)
{
	uint64_t due;

	if (flow->dead)
		return flow->last_ns + inspect->tcp_limits.closed_ns;
	due = RTE_MIN(wk_tcp_deadline(&flow->tcp, &inspect->tcp_limits), flow->rest_ns);
	if (!flow->h2 || flow->blind)
		return due;
	return RTE_MIN(due, wk_h2_deadline(flow->h2, &inspect->h2_limits));
}

void wk_insp_forget(struct wk_inspect *inspect, struct wk_insp_flow *flow)
{
	wk_tcp_fini(&flow->tcp, &inspect->tcp_env);
	drop_h2(inspect, flow);
	wk_insp_ahead_forget(inspect);
	wk_flow_del(inspect->table, &flow->entry);
	wk_count(inspect->stats, WK_CNT_FLOWS_CLOSED, 1);
}

/* A service may be taken out of the configuration and come back: what its connections did in
 * between has not been seen. */
static bool has_gap(const struct wk_inspect *inspect, const struct wk_insp_flow *flow,
		    const struct wk_tcp_seg *seg)
{
	return flow->version != inspect->version && !wk_insp_edited(flow) &&
	       wk_tcp_gap(&flow->tcp, inspect->dir, seg);
}

/* Brings the flow to what the mode asks for. @return false when it cannot be guarded: it is to be
 * treated as met in the middle. */
static bool settle(struct wk_inspect *inspect, struct wk_insp_flow *flow,
		   const struct wk_tcp_seg *seg)
{
	bool mid_stream = false;

	if (inspect->mode != WK_MODE_ENFORCE) {
		if (wk_insp_unseen(inspect, flow) && !wk_insp_edited(flow))
			return false;
		if (!flow->passive && !wk_insp_edited(flow) && wk_tcp_relax(&flow->tcp))
			flow->passive = true;
		return true;
	}
	if (!flow->passive) {
		/* A reset, whatever `on` says: no packet talks its way out of being followed. */
		if (wk_insp_unseen(inspect, flow) || has_gap(inspect, flow, seg)) {
			wk_tcp_reset(&flow->tcp, &inspect->tcp_env, NULL, 0);
			wk_insp_event_conn(inspect, flow, &flow->entry.key, WK_DROP_MID_STREAM);
		}
		return true;
	}
	if (wk_insp_unseen(inspect, flow) || wk_tcp_gap(&flow->tcp, inspect->dir, seg))
		return false;
	if (wk_tcp_enforce(&flow->tcp, &mid_stream))
		flow->passive = false;
	return !mid_stream;
}

void wk_insp_edit(struct wk_inspect *inspect, const struct wk_tcp_result *result)
{
	struct wk_pkt *pkt = inspect->pkt;

	if (result->edits & WK_TCP_EDIT_TRIM_DATA)
		wk_pkt_trim_data(pkt);
	if (result->edits & WK_TCP_EDIT_SYN_OPTS)
		wk_pkt_edit_opts(pkt, wk_tcp_syn_filter);
	if (result->edits & WK_TCP_EDIT_URG)
		wk_pkt_clear_urg(pkt);
	if (result->edits & WK_TCP_EDIT_NUMBERS)
		wk_pkt_set_numbers(pkt, result->seq, result->ack, result->wnd);
}

/* What the verdict of lib/tcp means for the packet at hand. */
static enum wk_reason conclude(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			       const struct wk_tcp_seg *seg, const struct wk_tcp_result *result)
{
	bool lost = wk_tcp_state(&flow->tcp) == WK_TCP_ST_UNTRACKED;

	if (flow->passive) {
		/* It is to be enforced and could not be yet: neither a denied call nor what
		 * cannot be read may go on. */
		if (inspect->mode == WK_MODE_ENFORCE && (flow->caught || lost))
			return wk_insp_kill(inspect, flow, seg);
		return WK_FWD_GUARDED;
	}
	if (result->verdict == WK_TCP_FORWARD) {
		if (result->edits)
			wk_insp_edit(inspect, result);
		return result->reason;
	}
	if (result->reason == WK_DROP_PROTOCOL && flow->why != WK_FWD_PLAIN)
		return flow->why;
	return result->reason;
}

static enum wk_reason input(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			    const struct wk_tcp_seg *seg)
{
	uint64_t resets = inspect->stats->counter[WK_CNT_FLOWS_RESET];
	enum wk_dir dir = inspect->dir;
	struct wk_tcp_result result;
	enum wk_reason reason;

	flow->service = inspect->service;
	flow->version = inspect->version;
	flow->last_ns = inspect->tcp_env.now_ns;
	flow->packets[dir]++;
	flow->bytes[dir] += inspect->pkt->frame_len_b;

	wk_tcp_input(&flow->tcp, dir, seg, &inspect->tcp_env, &result);
	reason = conclude(inspect, flow, seg, &result);
	if (wk_reason_class(reason) != WK_REASON_DROP)
		wk_insp_tmpl_learn(&flow->tmpl[dir], inspect->pkt);
	if (inspect->stats->counter[WK_CNT_FLOWS_RESET] != resets)
		wk_insp_event_conn(inspect, flow, &flow->entry.key, reason);
	wk_insp_shed(inspect, flow);
	wk_insp_rest(inspect, flow);
	wk_flow_arm_by(inspect->table, &flow->entry, wk_insp_deadline(inspect, flow));
	return reason;
}

enum wk_reason wk_insp_follow(struct wk_inspect *inspect, struct wk_insp_flow *flow,
			      const struct wk_tcp_seg *seg, const struct wk_flow_key *key)
{
	inspect->flow = flow;
	if (flow->dead)
		return wk_insp_buried(inspect, flow, seg);
	if (settle(inspect, flow, seg))
		return input(inspect, flow, seg);
	wk_insp_forget(inspect, flow);
	inspect->flow = NULL;
	return wk_insp_stray(inspect, seg, key);
}

/* Looks at the packet alone. @return true if lib/tcp may see it. An active flow, and mode enforce,
 * drop what is not sound; where nothing may be changed it just passes. */
static bool sound(struct wk_inspect *inspect, bool strict, struct wk_tcp_seg *seg,
		  enum wk_reason *reason)
{
	const struct wk_pkt *pkt = inspect->pkt;
	uint32_t l4_len_b = (uint32_t)(pkt->l3_len_b - (pkt->l4_off - pkt->l3_off));

	if (wk_tcp_seg_parse(seg, pkt->frame + pkt->l4_off, l4_len_b) < 0)
		*reason = WK_DROP_MALFORMED;
	else if (strict && (pkt->flags & WK_PKT_F_IP_ROUTE))
		*reason = WK_DROP_IPOPT;
	else if (!wk_pkt_csum_ok(pkt))
		*reason = WK_DROP_CSUM;
	else
		return true;
	if (!strict)
		*reason = WK_FWD_GUARDED;
	return false;
}

static enum wk_reason way(struct wk_inspect *inspect)
{
	bool strict = inspect->mode == WK_MODE_ENFORCE;
	struct wk_insp_start start = { .hs = NULL };
	struct wk_insp_flow *flow;
	struct wk_flow_key key;
	struct wk_tcp_seg seg;
	enum wk_reason reason;

	if (!(inspect->pkt->flags & WK_PKT_F_TCP))
		return strict ? WK_DROP_MALFORMED : WK_FWD_GUARDED;
	if (inspect->pkt->flags & WK_PKT_F_FRAG)
		return strict ? WK_DROP_FRAG : WK_FWD_GUARDED;
	wk_flow_key_fill(&key, inspect->pkt, inspect->wire, inspect->dir);
	flow = wk_insp_find(inspect, &key);
	strict |= flow && !flow->passive;
	if (flow && !wk_insp_over(flow))
		return sound(inspect, strict, &seg, &reason)
			       ? wk_insp_follow(inspect, flow, &seg, &key)
			       : reason;
	start.key = &key;
	start.old = flow;
	start.hs = wk_flow_syn_find(inspect->syns, &key, inspect->tcp_env.now_ns);
	strict |= start.hs && !wk_tcp_hs_passive(start.hs);
	return sound(inspect, strict, &seg, &reason) ? wk_insp_begin(inspect, &seg, &start)
						     : reason;
}

enum wk_inspect_verdict wk_inspect_packet(struct wk_inspect *inspect, struct wk_pkt *pkt,
					  uint32_t service, uint16_t wire, enum wk_dir dir,
					  uint64_t now_ns)
{
	enum wk_reason reason;

	inspect->flow = NULL;
	inspect->pkt = pkt;
	inspect->dir = dir;
	inspect->wire = wire;
	inspect->tcp_env.now_ns = now_ns;
	wk_insp_set_service(inspect, service);
	reason = way(inspect);
	inspect->stats->reason[reason]++;
	return wk_reason_class(reason) == WK_REASON_FORWARD ? WK_INSPECT_FORWARD : WK_INSPECT_FREE;
}

bool wk_inspect_passive(struct wk_inspect *inspect, const struct wk_pkt *pkt, uint32_t service,
			uint16_t wire, enum wk_dir dir)
{
	const struct wk_insp_flow *flow;
	const struct wk_tcp_hs *hs;
	struct wk_flow_key key;

	wk_insp_set_service(inspect, service);
	if (inspect->mode == WK_MODE_ENFORCE)
		return false;
	wk_flow_key_fill(&key, pkt, wire, dir);
	flow = (const struct wk_insp_flow *)wk_flow_lookup(inspect->table, &key);
	if (flow && (!flow->passive || flow->dead))
		return false;
	if (flow && !wk_insp_over(flow))
		return true;
	hs = wk_flow_syn_find(inspect->syns, &key, inspect->tcp_env.now_ns);
	return !hs || wk_tcp_hs_passive(hs);
}

void wk_inspect_policy(struct wk_inspect *inspect, const struct wk_policy *policy,
		       const struct wk_inspect_on *on)
{
	uint64_t before = inspect->version;

	inspect->policy = policy;
	inspect->version = wk_policy_version(policy);
	inspect->on = *on;
	inspect->svc = NULL;
	if (before != 0 && inspect->h2_limits.ticket_b > 0 && inspect->hooks->service)
		inspect->review_pos = 0;
	wk_insp_gaps_taken(inspect, before);
}

static void fill_envs(struct wk_inspect *inspect)
{
	inspect->tcp_env = (struct wk_tcp_env){
		.mem = inspect->mem,
		.stats = inspect->stats,
		.limits = &inspect->tcp_limits,
		.hooks = &wk_insp_tcp_hooks,
		.user = inspect,
	};
	inspect->h2_env = (struct wk_h2_env){
		.mem = inspect->mem,
		.stats = inspect->stats,
		.limits = &inspect->h2_limits,
		.hooks = &wk_insp_h2_hooks,
		.lcore = inspect->lcore,
		.user = inspect,
	};
}

static int make_parts(struct wk_inspect *inspect, const struct wk_inspect_conf *conf)
{
	size_t footprint_b = wk_mem_footprint(conf->held_b);
	const struct wk_flow_table_conf table = {
		.name = conf->name,
		.max_flows = conf->max_flows,
		.flows_per_source = conf->flows_per_source,
		.entry_size_b = sizeof(struct wk_insp_flow),
		.secret = (uint32_t)conf->secret,
		.socket_id = conf->socket_id,
	};
	const struct wk_flow_syns_conf syns = {
		.max_entries = conf->max_syns,
		.life_ns = conf->syn_ns,
		.secret = conf->secret,
		.socket_id = conf->socket_id,
	};
	int rc;

	inspect->arena = rte_malloc_socket(conf->name, footprint_b, 64, conf->socket_id);
	if (!inspect->arena)
		return -ENOMEM;
	inspect->mem = wk_mem_create(inspect->arena, footprint_b);
	if (!inspect->mem)
		return -EINVAL;
	inspect->lcore = wk_h2_lcore_create(inspect->mem, &conf->h2);
	inspect->scratch = wk_policy_scratch_create(inspect->mem, conf->regex_steps);
	if (!inspect->lcore || !inspect->scratch)
		return -ENOMEM;
	rc = wk_flow_syns_create(&syns, &inspect->syns);
	return rc == 0 ? wk_flow_table_create(&table, &inspect->table) : rc;
}

int wk_inspect_create(const struct wk_inspect_conf *conf, struct wk_inspect **inspect)
{
	struct wk_inspect *made;
	uint32_t tag;
	int rc;

	if (conf->mtu_b < MTU_MIN_B)
		return -EINVAL;
	made = rte_zmalloc_socket(conf->name, sizeof(*made), 64, conf->socket_id);
	if (!made)
		return -ENOMEM;
	made->on = conf->on;
	made->stats = conf->stats;
	made->pool = conf->pool;
	made->hooks = conf->hooks;
	made->user = conf->user;
	made->mtu_b = conf->mtu_b;
	made->tcp_limits = conf->tcp;
	made->h2_limits = conf->h2;
	made->review_pos = UINT32_MAX;
	/* What clients read says nothing of the hash seed, and two lcores never say the same. */
	tag = rte_jhash_1word(0, (uint32_t)(conf->secret >> 32));
	made->mark_key = rte_jhash_1word(1, (uint32_t)(conf->secret >> 32));
	made->ref_tag = (uint16_t)(tag + conf->lcore);
	made->ident = (uint16_t)(tag >> 16);
	made->first_id = conf->lcore * conf->max_flows;
	rc = make_parts(made, conf);
	if (rc < 0) {
		wk_inspect_free(made);
		return rc;
	}
	fill_envs(made);
	*inspect = made;
	return 0;
}

void wk_inspect_free(struct wk_inspect *inspect)
{
	struct wk_flow_entry *entry;
	uint32_t pos = 0;

	if (!inspect)
		return;
	while (inspect->table && (entry = wk_flow_next(inspect->table, &pos)) != NULL)
		wk_insp_forget(inspect, (struct wk_insp_flow *)entry);
	if (inspect->table)
		wk_flow_table_free(inspect->table);
	wk_flow_syns_free(inspect->syns);
	if (inspect->lcore)
		wk_h2_lcore_free(inspect->lcore, inspect->mem);
	wk_policy_scratch_free(inspect->scratch, inspect->mem);
	wk_mem_destroy(inspect->mem);
	rte_free(inspect->arena);
	rte_free(inspect);
}
