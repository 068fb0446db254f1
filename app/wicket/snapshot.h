/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - one version of everything a reload can change: {conf, classifier, policy}.
 *
 * Built beside the running one on the main lcore, immutable from then on, read by workers under
 * RCU, freed on the main lcore after their grace period. All or nothing: a build that fails leaves
 * nothing behind. Service numbers mean the same in the classifier and in the policy of one
 * snapshot, and nothing in any other: first the file's services in its order, then the retired
 * ones. Memory: the tables of both rte_acl contexts, plus those of lib/policy and lib/conf. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_acl.h"
#include "wk_conf.h"
#include "wk_inspect.h"
#include "wk_policy.h"

/* What a snapshot guards; kept for the next reload, which may have to retire it. */
struct wk_snapshot_service {
	char *name;
	struct wk_acl_prefix *addresses;
	uint32_t n_addresses;
	uint16_t *ports; /* host order; each at every address */
	uint32_t n_ports;
	bool retired; /* no longer in the file, kept for edited flows: everything allowed */
};

struct wk_snapshot_conf; /* a struct wk_conf and how many snapshots share it */

struct wk_snapshot {
	uint64_t version;
	const struct wk_conf *conf; /* belongs to the snapshot(s) */
	struct wk_acl *acl;
	struct wk_policy *policy;
	struct wk_inspect_on on;     /* for wk_inspect_policy */
	struct wk_inspect_gap *gaps; /* what on.gaps shows */
	bool reassemble;             /* fragments are put together; on_fragment if not */
	enum wk_on on_fragment;      /* what a WK_ACL_FRAG or WK_ACL_TUNNEL verdict leads to; */
	enum wk_on on_tunnel;        /* there is no flow to reset: WK_ON_RESET acts as drop */
	struct wk_snapshot_service *services; /* index = service number */
	uint32_t n_services;                  /* retired ones included */
	uint32_t n_retired;                   /* the last n_retired of them */

	struct wk_snapshot_conf *shared; /* private */
};

/* Builds a snapshot. Needs EAL.
 * version: above every version ever asked for in this process, failed builds included (the
 *	classifier's contexts are named by it).
 * previous: the snapshot in force, or NULL at the start.
 * edited_flows: guarded connections whose numbers are translated right now, or may be. While there
 *	are any, guarded addresses of `previous` that `conf` gives up stay guarded as retired
 *services (mode off). Once there are none, wk_snapshot_rebuild sheds them; what is not guarded any
 *more is remembered (gaps.h).
 * @return 0; -ENOMEM, -EINVAL or rte_acl's error with *err filled and *snapshot NULL. On success
 * conf belongs to the snapshot; on failure it stays the caller's. */
int wk_snapshot_build(struct wk_conf *conf, uint64_t version, const struct wk_snapshot *previous,
		      uint32_t edited_flows, struct wk_snapshot **snapshot,
		      struct wk_conf_error *err);

/* The same configuration again under a new version: what is retired goes or stays as edited_flows
 * says. Errors as above. */
int wk_snapshot_rebuild(const struct wk_snapshot *previous, uint64_t version, uint32_t edited_flows,
			struct wk_snapshot **snapshot, struct wk_conf_error *err);

/* NULL is fine. No reader may be left. */
void wk_snapshot_free(struct wk_snapshot *snapshot);

/* What can be validated without EAL (`wicket --check`): the policy compiles.
 * @return 0, or -ENOMEM / -EINVAL with *err filled. */
int wk_snapshot_check(const struct wk_conf *conf, struct wk_conf_error *err);
