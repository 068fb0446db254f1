/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h - one end of a connection: a compact TCP (RFC 9293, 7323, 2018, 6298, 5681) with an
 * application that writes a given stream and reads what comes, each at its own pace.
 *
 * Positions are 64-bit offsets from the initial sequence number: 0 is the SYN, 1 the first byte.
 * Everything received is kept, so that a byte that comes twice must come alike. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "choice.h"
#include "ranges.h"
#include "wire.h"

#define NEVER UINT64_MAX

enum ep_close {
	EP_CLOSE_WRITTEN = 0, /* FIN when everything is written */
	EP_CLOSE_AFTER_PEER,  /* FIN when everything is written and the peer has finished */
};

struct ep_cfg {
	const char *name;
	enum wk_dir dir; /* of what it sends */
	uint32_t isn;
	uint16_t mss; /* announced; 0: none, which means 536 */
	bool sack;
	bool dsack;
	bool ts;
	bool wscale;
	uint8_t shift;
	uint32_t rcvbuf_b;
	uint32_t ts_start;
	uint64_t ts_tick_ns; /* 0: its clock stands still */
	bool probe_empty;    /* window and keepalive probes without a byte */
	bool garbage;        /* keepalives carry a byte that was never there */
	bool aligned;        /* no segment ends inside a frame it could end before */
	uint32_t short_permille;
	bool ecn;
	uint32_t ce_permille;     /* of the segments that arrive */
	uint32_t renege_permille; /* of the segments that arrive while there is a hole */
	uint64_t mss_at_ns;       /* the path carries mss_low a segment from then on; NEVER */
	uint16_t mss_low;
	bool odd_syn;            /* with options that do not concern it, and with bytes */
	uint32_t face_permille;  /* segments of the other version of the stream */
	uint32_t again_permille; /* segments after which some bytes are sent once more */
	uint32_t lie_permille; /* retransmissions that say something else where that is harmless */
	bool strict;           /* bytes that come twice must be alike */
	bool besieged;         /* what makes no sense may be an attacker's */
	uint64_t open_ns;      /* of a client: its SYN */
	uint64_t write_gap_ns;
	uint32_t write_max_b;
	uint64_t read_gap_ns;
	uint32_t read_max_b;
	uint32_t stall_permille; /* of reads: the application pauses */
	uint64_t stall_ns;
	enum ep_close close;
	uint64_t close_delay_ns;
	uint64_t abort_ns; /* RST at this time */
};

/* What it sends. Not owned. */
struct ep_stream {
	const uint8_t *bytes;
	uint32_t len_b;
	const uint32_t *cuts; /* where frames begin, ascending */
	uint32_t n_cuts;
	const uint8_t *soft; /* bytes that a liar may change; NULL: none */
	const uint8_t *face; /* its other version; NULL: none */
};

enum ep_state {
	EP_CLOSED = 0,
	EP_LISTEN,
	EP_SYN_SENT,
	EP_SYN_RCVD,
	EP_OPEN,
	EP_DEAD, /* reset by either side */
};

struct ep {
	struct ep_cfg cfg;
	struct ep_stream stream;
	struct chooser chooser;
	void (*send)(void *user, struct sim_pkt *pkt);
	void *user;
	uint64_t now_ns;
	enum ep_state state;
	const char *fault; /* something that no honest network leads to */
	bool reset_by_peer;
	bool ts, sack, scaled, ecn; /* agreed */

	/* sending */
	uint32_t mss;      /* payload of a segment without options */
	uint32_t path_mss; /* the same as an ICMP error said; 0: none has */
	uint64_t una, nxt, max, edge, wl1, wl2;
	uint64_t avail; /* offset after what the application has written */
	bool closing;
	bool fin_acked;
	uint8_t peer_shift;
	uint64_t cwnd, ssthresh, recover, rexmit;
	bool in_recovery;
	uint32_t dupacks;
	struct ranges sacked;
	uint64_t srtt_ns, rttvar_ns, rto_ns, rtt_off, rtt_at;
	uint32_t backoffs, keepalives;
	bool cwr_due;
	uint64_t ecn_recover;

	/* receiving */
	uint32_t irs;
	uint64_t rcv_nxt, rcv_adv, read, fin_at;
	bool fin_rcvd;
	uint8_t *rx; /* byte at offset i is rx[i - 1] */
	uint64_t rx_cap;
	struct ranges got;  /* offsets of what it has received and kept */
	struct ranges ever; /* and of what it has thrown away */
	bool ece;           /* tells the sender of a mark */
	uint64_t recent[4];
	struct range dsack;
	uint32_t unacked; /* in-order bytes not yet acknowledged */
	uint32_t ts_recent;
	uint64_t last_ack;

	/* timers */
	uint64_t rto_at, persist_at, delack_at, write_at, read_at, close_at, keep_at, abort_at;
};

void ep_init(struct ep *ep, const struct ep_cfg *cfg, const struct ep_stream *stream,
	     const struct chooser *chooser, void (*send)(void *user, struct sim_pkt *pkt),
	     void *user);
void ep_fini(struct ep *ep);
uint64_t ep_deadline(const struct ep *ep);
void ep_timer(struct ep *ep, uint64_t now_ns);
void ep_input(struct ep *ep, const struct sim_pkt *pkt, uint64_t now_ns);
/* An ICMP error about a packet that it may have sent. */
void ep_icmp(struct ep *ep, const struct sim_pkt *quote, uint64_t now_ns);

/* Both directions have ended in order, or the connection has been reset. */
bool ep_finished(const struct ep *ep);
/* Payload bytes received in order. */
uint64_t ep_received_b(const struct ep *ep);

/* Between the files of the endpoint. */
uint64_t ep_write_gap(struct ep *ep);
void ep_output(struct ep *ep);
void ep_send_ack(struct ep *ep);
void ep_send_rst(struct ep *ep, uint64_t off);
/* Bytes that its SYN carries. */
uint32_t ep_syn_b(const struct ep *ep);
void ep_send_syn(struct ep *ep);
void ep_retransmit(struct ep *ep, uint64_t off);
void ep_on_rto(struct ep *ep);
void ep_on_persist(struct ep *ep);
void ep_on_keepalive(struct ep *ep);
void ep_on_ack(struct ep *ep, const struct wk_tcp_seg *seg, uint64_t seq);
bool ep_window_moves(const struct ep *ep);
