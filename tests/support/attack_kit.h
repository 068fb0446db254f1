/* SPDX-License-Identifier: Apache-2.0 */
/* attack_kit.h - a client that knows how wicket works and wants a denied call to reach the server.
 *
 * Whatever comes out on the server's side is laid into two streams, one in which the first copy of
 * a byte counts and one in which the last one does: servers differ, and the denied name must stand
 * in neither. Frames can be lost behind wicket, which is what a short TTL, a bad checksum for the
 * server alone or plain luck gives an attacker. */
#pragma once

#include "inspect_rig.h"

#define TAP_B 16384u
#define ALL   256u /* of lose_in_256 */

/* Of one length: one can be laid over the other. */
#define ALLOWED "/cloudcity.DoorManager/GetName"
#define DENIED  "/cloudcity.DoorManager/SetName"
#define MARK    "SetName"

struct attack {
	struct rig *rig;
	uint32_t at; /* where the client's next byte goes, as the client numbers it */
	uint8_t first[TAP_B];
	uint8_t last[TAP_B];
	bool seen[TAP_B];
	uint32_t fin_at; /* where the server was told that the stream ends, 0: nowhere */
};

/* Takes what has come out. */
void attack_tap(struct attack *a);
struct attack *attack_new(const struct rig_conf *conf);
/* Handshake, preface and SETTINGS. */
void attack_open(struct attack *a);
/* Both, with the default configuration. */
struct attack *attack_start(void);
/* Looks for the denied name, and ends everything. */
void attack_end(struct attack *a);

/* A segment of the client, anywhere. */
enum wk_inspect_verdict put(struct attack *a, uint32_t seq, uint8_t flags, const void *data,
			    uint32_t len_b);
/* The same, but nothing that comes out of it arrives. */
void put_lost(struct attack *a, uint32_t seq, uint8_t flags, const void *data, uint32_t len_b);
/* What the client has sent up to now. */
void sent_to(struct attack *a, uint32_t seq);
void server_acks(struct attack *a);
void quiet(struct attack *a, uint64_t ns);
/* HEADERS of a request in plain literals, END_STREAM, no table. @return its length. */
uint32_t request(uint8_t *to, uint32_t stream, const char *path);

void expect_served(struct attack *a, uint32_t stream, const char *path);
void expect_nothing_served(struct attack *a);
void expect_denied(struct attack *a, uint32_t stream);
/* The connection works: an allowed call arrives. */
void expect_alive(struct attack *a, uint32_t stream);
