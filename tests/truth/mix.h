/* SPDX-License-Identifier: Apache-2.0 */
/* mix.h - a mix of calls on some connections through one inspector. */
#pragma once

#include "rng.h"

struct truth_result {
	uint32_t conns;
	uint32_t allowed; /* calls */
	uint32_t denied;
	uint32_t refused;
	uint32_t reencoded; /* header blocks */
	uint64_t packets;   /* into the inspector */
	char fault[256];
};

/* Everything follows from the seed. dump: a folder for what the servers got, or NULL.
 * @return false if something is not as it should be. */
bool truth_mix(uint64_t seed, const char *dump, struct truth_result *result);
