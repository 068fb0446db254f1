/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h - what a seed chooses: peers, network, streams, how the connection ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"
#include "mistake.h"
#include "net.h"
#include "proto.h"
#include "wk_tcp.h"

enum profile_end {
	END_CLIENT_FIRST = 0, /* half-close, then the server */
	END_SERVER_FIRST,
	END_BOTH, /* each when it has written everything */
	END_CLIENT_RST,
	END_SERVER_RST,
	END_BOX_RST, /* the operator's */
	ENDS,
};

/* A run of one kind; PROFILE_ANY leaves it to the seed. */
enum profile_kind {
	PROFILE_ANY = 0,
	PROFILE_EDIT,     /* everything */
	PROFILE_UNEDITED, /* nothing is denied, replaced or patched */
	PROFILE_CLEAN,    /* the same on a perfect network with aligned segments: bit for bit */
	PROFILE_PASSIVE,
	PROFILE_LIAR,    /* the client's retransmissions say something else */
	PROFILE_NOISE,   /* forged packets in between */
	PROFILE_SWITCH,  /* between passive and enforcing while it runs */
	PROFILE_BUSY,    /* insertions into a download that fills the client's window */
	PROFILE_DIRECT,  /* no box: the endpoints against each other */
	PROFILE_SIEGE,   /* every forged packet there is, of both sides */
	PROFILE_ODD,     /* ECN, reneging, an MSS that falls, odd SYNs, clumps */
	PROFILE_TWOFACE, /* a client whose every segment may say another of two versions */
	PROFILES,
};

struct profile {
	uint64_t seed;
	enum profile_kind kind;
	enum profile_end end;
	struct ep_cfg client;
	struct ep_cfg server;
	struct link_cfg link[LINKS];
	struct proto_mix client_mix;
	struct proto_mix server_mix;
	struct wk_tcp_limits limits;
	uint32_t insert_max_b;
	uint32_t ask_max_b; /* towards the server */
	uint64_t poke_ns;
	uint64_t reset_ns;
	uint64_t switch_ns; /* of the mode, back and forth; 0: never */
	bool starts_passive;
	uint64_t noise_gap_ns; /* 0: none */
	enum mistake mistake;  /* of the box */
	uint64_t salt;         /* of the insertions; 0: chance */
	struct sim_rng rng;    /* for the rest of the run */
};

void profile_choose(struct profile *profile, uint64_t seed, enum profile_kind kind);
const char *profile_end_name(enum profile_end end);
/* @return ENDS for a name that is none. */
enum profile_end profile_end_by_name(const char *name);
const char *profile_name(enum profile_kind kind);
/* @return PROFILES for a name that is none. */
enum profile_kind profile_by_name(const char *name);
