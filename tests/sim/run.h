/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one simulated connection from SYN to the end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "script.h"

struct run_result {
	char fault[320]; /* empty: passed */
	uint64_t packets;
	uint64_t sim_ns;
	uint64_t waited_ns;    /* longest wait of an insertion */
	uint64_t c2s_b, s2c_b; /* delivered */
	uint32_t wanted, inserted;
	uint32_t asks, asked; /* the same towards the server */
	uint32_t quotes;      /* ICMP errors that went on */
	uint64_t forwarded, edited, absorbed, dropped, built;
};

/* Runs what chance makes of the profile. record: an empty script gets what is decided, NULL: nobody
 * wants it.
 * @return true when every check held. */
bool run_profile(const struct profile *profile, bool verbose, struct script *record,
		 struct run_result *result);
/* Runs a script, and notes in it what its decisions met. */
bool run_script(struct script *script, bool verbose, struct run_result *result);
