/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - the calls of a client: what they say, and what is to become of them. */
#pragma once

#include "encoder.h"

enum truth_want {
	TRUTH_ALLOW = 0,
	TRUTH_DENY = 1,   /* well-formed, but the policy has no rule for it */
	TRUTH_REFUSE = 2, /* no server may ever see such a request */
};

struct truth_call {
	uint32_t id;
	enum truth_want want;
	bool grpc; /* by its content-type */
	struct truth_list request;
	struct truth_list trailers; /* none: no field */
	bool has_body;
	uint32_t body_b;

	/* the client */
	uint32_t left_b;
	bool sent; /* HEADERS have been written */
	bool ended;
	bool cancelled;
	bool paused;
	bool closed;
	uint32_t replies; /* HEADERS that arrived, trailers aside */
	uint32_t trailers_seen;
	uint32_t resets;
	bool status_right;
	uint32_t heard_b;
	uint64_t heard_hash;

	/* the server */
	bool seen;
	uint32_t read_b;
	bool answered;
	bool reset;
	bool turned_away; /* above the limit that the server has announced just then */
	uint32_t answer_b;
	uint32_t answer_left_b;
	uint64_t said_hash;
};

/* The words of one connection: names and values come again, so that tables are of use. */
#define TRUTH_WORDS 12u
struct truth_words {
	char *value[TRUTH_WORDS];
	uint32_t value_b[TRUTH_WORDS];
	char *text; /* of all */
};

#define TRUTH_ALLOWED_1 "/cloudcity.DoorManager/GetName"
#define TRUTH_ALLOWED_2 "/cloudcity.DoorManager/GetLocation"
#define TRUTH_ALLOWED_3 "/cloudcity.DoorManager/RequestMaintenance"

void truth_words_init(struct truth_words *words, struct sim_rng *rng);
void truth_words_fini(struct truth_words *words);
/* Everything but its id. */
void truth_plan(struct truth_call *call, const struct truth_words *words, struct sim_rng *rng);
/* name + value of all fields. */
uint32_t truth_list_b(const struct truth_list *list);
