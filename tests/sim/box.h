/* SPDX-License-Identifier: Apache-2.0 */
/* box.h - the bump in the wire: one flow of lib/tcp with the toy judge behind it.
 *
 * Does what lib/inspect does around lib/tcp: carries out the edits of forwarded packets, begins and
 * ends the flow, answers what belongs to none. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "judge.h"
#include "mistake.h"
#include "wire.h"
#include "wk_tcp.h"

struct box_cfg {
	bool passive;
	bool verbose;
	enum mistake mistake;
	struct wk_tcp_limits limits;
};

struct box {
	struct box_cfg cfg;
	struct judge judge;
	struct check check;
	struct wk_mem *mem;
	void *arena;
	struct wk_stats stats;
	struct wk_tcp_hs hs; /* where has_hs: until its third segment */
	uint64_t hs_ns;      /* its last packet */
	struct wk_tcp_flow flow;
	bool has_hs;
	bool has_flow;
	bool had_flow;
	bool excused; /* the operator has reset it */
	uint64_t now_ns;
	uint64_t waits_ns;  /* since when the oldest insertion waits; 0: none does */
	uint64_t waited_ns; /* the longest wait */
	uint64_t poke_ns; /* when the judge comes to want an insertion by itself; UINT64_MAX: never
			   */
	uint64_t switch_ns; /* when the mode changes next; UINT64_MAX: never */
	uint64_t switch_gap_ns;
	bool want_passive; /* the mode asked for */
	uint64_t reset_ns; /* when the operator ends the connection; UINT64_MAX: never */
	void (*send)(void *user, struct sim_pkt *pkt);
	void *user;
	uint32_t path_mtu_b[2]; /* of packets that are built, by direction; 0: nobody knows */
	uint64_t path_ns[2];    /* since when */
	uint32_t quotes;        /* ICMP errors that went on */
	uint64_t forwarded, edited, absorbed, dropped, built;
};

void box_init(struct box *box, const struct box_cfg *cfg, uint64_t salt, uint32_t insert_max_b);
void box_fini(struct box *box);
/* A packet that arrives (ownership passes). forged: not its sender's, the taps ignore it. */
void box_input(struct box *box, struct sim_pkt *pkt, bool forged, uint64_t now_ns);
uint64_t box_deadline(const struct box *box);
void box_timer(struct box *box, uint64_t now_ns);
/* Ends the flow and looks whether it gave everything back. */
void box_close(struct box *box);

/* box_icmp.c: an ICMP error that arrives (ownership passes). */
void box_icmp(struct box *box, struct sim_pkt *pkt, bool forged);
/* box.c: for the above. */
struct wk_tcp_env box_env(struct box *box);

/* Prints one packet in a line. */
void trace(uint64_t now_ns, const char *where, const struct sim_pkt *pkt, const char *what);
