/* SPDX-License-Identifier: Apache-2.0 */
/* wk_dir.h - the two directions of a guarded connection.
 *
 * The client sent the SYN, the server answers it. A packet's direction is the port it came in on,
 * never what its addresses claim (invariant I4). */
#pragma once

enum wk_dir {
	WK_C2S = 0,
	WK_S2C = 1,
};

#define WK_DIRS 2

/* The other way. */
static inline enum wk_dir wk_dir_flip(enum wk_dir dir)
{
	return dir == WK_C2S ? WK_S2C : WK_C2S;
}
