/* SPDX-License-Identifier: Apache-2.0 */
/* retire.h - what a reload gives up, but edited connections still need.
 *
 * The addresses of a service of the snapshot in force, minus what the new file guards on the same
 * port: whatever is new rules, and the two never overlap in the classifier. Main lcore only. */
#pragma once

#include "snapshot.h"

struct wk_acl_prefix wk_retire_prefix(const struct wk_conf_prefix *prefix);

/* A service of the file. @return 0 or -ENOMEM; *to is to be freed either way. */
int wk_retire_copy(const struct wk_conf_service *from, struct wk_snapshot_service *to);
/* What conf leaves of one port of a service, as a retired one; no addresses (and nothing to free)
 * when nothing is left. @return 0 or -ENOMEM with nothing to free. */
int wk_retire(const struct wk_snapshot_service *from, uint16_t port, const struct wk_conf *conf,
	      struct wk_snapshot_service *to);
/* Takes over the port of a retired service that has the same addresses. @return whether it has. */
bool wk_retire_join(struct wk_snapshot_service *to, const struct wk_snapshot_service *from);
void wk_retire_free(struct wk_snapshot_service *service);
