/* SPDX-License-Identifier: Apache-2.0 */
/* side.h - which side a captured frame came in on.
 *
 * A capture of one place does not say. A SYN comes from the client, a packet to a service from the
 * client, one from a service from the server. For all other frames: where its source, or else its
 * destination, has been seen before; else the client. A case in which that is wrong on purpose (a
 * spoofed source) has a file in.sides: one letter a frame, c or s. */
#pragma once

#include "capture.h"
#include "wk_acl.h"
#include "wk_dir.h"

#define SIDE_MACS_MAX   64u
#define SIDE_FRAMES_MAX 1024u

struct side_mac {
	uint8_t addr[6];
	enum wk_dir dir;
};

struct side_rule {
	const struct wk_acl *acl;
	uint32_t n_macs;
	struct side_mac macs[SIDE_MACS_MAX];
	uint32_t n_letters;
	char letters[SIDE_FRAMES_MAX];
};

void side_rule_init(struct side_rule *rule, const struct wk_acl *acl, const char *dir);
enum wk_dir side_of(struct side_rule *rule, const struct capture_frame *frame, uint32_t number);
