/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - private to lib/flow: how many entries of a table each source has.
 *
 * There are never more sources than entries, so the count is exact and an add never
 * fails; it goes with the entries themselves and cannot drift from them. */
#pragma once

#include "wk_flow.h"

struct sources;

/* As wk_flow_table_create. */
int sources_create(const struct wk_flow_table_conf *conf, struct sources **sources);
void sources_free(struct sources *sources);

#define SOURCE_NONE UINT32_MAX

/* Another entry of the key's source. @return its number for sources_drop, SOURCE_NONE when the
 * source has as many as it may. */
uint32_t sources_take(struct sources *sources, const struct wk_flow_key *key);
void sources_drop(struct sources *sources, uint32_t number);
bool sources_room(const struct sources *sources, const struct wk_flow_key *key);
uint32_t sources_count(const struct sources *sources);
