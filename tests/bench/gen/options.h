/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what is asked of the generator. Written once, before anything else runs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kind.h"

#define OPT_STREAMS_MAX 128u

struct options {
	const char *device[2];   /* of the client's and of the server's port, NULL: back to back */
	const char *telemetry;   /* socket of the box, or NULL */
	const char *file_prefix; /* NULL: by the number of the process */
	const char *name;        /* of the row, in the report */
	uint32_t lcore;
	uint32_t memory_mib;
	bool huge;
	bool json;
	uint32_t connections; /* that make calls */
	uint32_t streams;     /* calls at a time on each */
	uint32_t idle;        /* connections that make idle_calls calls each, then none */
	uint32_t idle_calls;
	uint32_t opening; /* handshakes at a time */
	uint32_t share[KIND_MAX];
	uint32_t denied_pct, traced_pct, deadline_pct;
	uint32_t plain_pct; /* of the packets that are sent: UDP, which nothing guards */
	uint32_t plain_b;   /* size of such a frame */
	uint32_t flight;    /* packets between the ports at a time, about */
	uint32_t body_mib;  /* of a bulk call */
	double warmup_s, seconds;
	double limit_s; /* for everything */
	uint64_t calls; /* 0: any number */
	double stall_s; /* without a packet */
	uint64_t seed;
	uint64_t spoil; /* 0: none */
};

extern struct options options;

/* Ends the process if they are not sound: 0 after --help, 2 otherwise. */
void options_read(int argc, char **argv);
