/* SPDX-License-Identifier: Apache-2.0 */
/* print.h - replies for a person to read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* What `status` shows, one reply each. */
struct ctl_status {
	struct json_object *info;
	struct json_object *ports;
	struct json_object *services;
	struct json_object *stats;
	struct json_object *reasons;
	struct json_object *tables;
};

void ctl_print_status(const struct ctl_status *status);
void ctl_print_stats(struct json_object *stats);
/* all: also those that are zero. */
void ctl_print_reasons(struct json_object *reasons, bool all);
void ctl_print_tables(struct json_object *tables);
void ctl_print_flows(struct json_object *flows);

/* A member of an object; 0 or "" when it is not there. */
uint64_t ctl_u64(struct json_object *object, const char *key);
const char *ctl_str(struct json_object *object, const char *key);
