/* SPDX-License-Identifier: Apache-2.0 */
/* wk_tcp.h - the editable TCP stream: one guarded connection, both directions.
 *
 * TCP stays end to end. A flow follows the peers' own numbers, shows the in-order bytes of each
 * direction to a judge, and carries out what the judge says: bytes pass, are pinned, deleted,
 * replaced or inserted. What has been judged and is not yet acknowledged is kept in a ledger, so
 * that a retransmission is rebuilt from what was judged, whatever the sender repeats.
 *
 * Invariants:
 *  I1  for every out position, every packet ever emitted carries the same byte (payload of allowed
 *      DATA excepted)
 *  I2  nothing below the acknowledged edge is forwarded and, client to server, nothing that has not
 *      been judged, but the rest of a DATA frame whose header has been
 *  I3  towards each peer ACK and right window edge never go back (the window edge to within one
 * unit of its scale, since it is rounded down), and what is built here never carries a TSval below
 *      one that its receiver may have taken; no byte is acknowledged to its sender that is
 *      neither acknowledged by the receiver, nor deleted, nor owned
 *  I4  direction is the ingress port
 *
 * Words: `in` numbers are those of a stream's sender, `out` numbers those its receiver sees. The
 * stream WK_C2S is sent by the client; its acknowledgements travel in WK_S2C packets.
 *
 * No EAL, no mbuf, no clock, no randomness: time and packets come in, packets and verdicts go out.
 * Owner: one lcore. Memory: sizeof(struct wk_tcp_flow), embedded by the caller, plus blocks of
 * env->mem for the ledger and for held bytes, all freed by wk_tcp_fini. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"
#include "wk_mem.h"
#include "wk_op.h"
#include "wk_stats.h"
#include "wk_tcp_hs.h"
#include "wk_tcp_seg.h"

/* Bounds, each per direction of a flow; all counted, all fail closed. */
struct wk_tcp_limits {
	uint32_t hold_b; /* in-order bytes held unjudged; above: reset */
	uint32_t ooo_b;  /* memory for out-of-order bytes; above: DROP_OOO_CAP */
	uint32_t
		ooo_records; /* the same in pieces: rows of segments with a hole in front of them */
	uint32_t ledger_b;   /* bytes of judged, unacknowledged records; above: DROP_LEDGER_CAP */
	uint32_t ledger_records; /* the same in records */
	uint64_t hold_ns;        /* quiet time after which held bytes are owned (1 ms) */
	uint64_t rto_min_ns;     /* floor of our retransmission timer (200 ms) */
	uint64_t rto_max_ns;     /* ceiling of its exponential growth */
	uint32_t owned_retries;  /* retransmissions of one owned byte before both sides are reset */
	uint64_t insert_wait_ns; /* wait of an insertion while nothing moves (30 s), then reset */
	uint64_t insert_total_ns;  /* and its whole wait (900 s) */
	uint64_t closed_ns;        /* life of a tombstone (60 s) */
	uint64_t idle_ns;          /* silence after which both sides are asked (>= 7440 s) */
	uint64_t keepalive_ns;     /* between two such questions */
	uint32_t keepalive_probes; /* so many; then a flow ends whose sides do not both answer */
};

/* Sensible values for all of them. */
extern const struct wk_tcp_limits wk_tcp_limits_default;

/* What the flow asks of its surroundings. All hooks get env->user. */
struct wk_tcp_hooks {
	/* Judges in-order bytes, see wk_op.h. @return 0, or a negative value when the connection
	 * must end: the flow then resets both sides (a passive flow becomes untracked). */
	int (*judge)(void *user, enum wk_dir dir, const uint8_t *data, uint32_t len_b,
		     struct wk_op_list *ops);
	/* The sender of dir has finished: no byte follows what was judged (held bytes are lost). */
	void (*finished)(void *user, enum wk_dir dir);
	/* Bytes the next insertion towards the client needs, 0 if none is wanted or it may not be
	 * made yet. Only whole frames. */
	uint32_t (*pending)(void *user);
	/* Moves as many whole frames as fit in room_b into buf. @return their length, 0 if none. */
	uint32_t (*pull)(void *user, uint8_t *buf, uint32_t room_b);
	/* The same towards the server, where it is the judge that wants to say something: between
	 * two frames of the client. May be NULL, both of them. */
	uint32_t (*server_pending)(void *user);
	uint32_t (*server_pull)(void *user, uint8_t *buf, uint32_t room_b);
	/* Last words to the client when the judge has ended the connection; may be NULL.
	 * @return bytes written to buf[room_b]. */
	uint32_t (*farewell)(void *user, uint8_t *buf, uint32_t room_b);
	/* Sends a packet that was built here. */
	void (*tx)(void *user, const struct wk_tcp_out *out);
};

/* What a call needs besides the flow; valid for the duration of the call. */
struct wk_tcp_env {
	uint64_t now_ns; /* monotonic */
	struct wk_mem *mem;
	struct wk_stats *stats;
	const struct wk_tcp_limits *limits;
	const struct wk_tcp_hooks *hooks;
	void *user;
};

enum wk_tcp_verdict {
	WK_TCP_FORWARD = 0, /* send the packet on, after the edits asked for */
	WK_TCP_ABSORB = 1,  /* free it: its bytes are held, deleted or have gone out rebuilt */
	WK_TCP_DROP = 2,    /* free it */
};

/* Edits of a forwarded packet, in place. */
#define WK_TCP_EDIT_NUMBERS   0x1u /* write seq, ack and wnd of the result */
#define WK_TCP_EDIT_SYN_OPTS  0x2u /* run wk_tcp_syn_filter over its options */
#define WK_TCP_EDIT_TRIM_DATA 0x4u /* take its whole payload away (a SYN's) */
#define WK_TCP_EDIT_URG       0x8u /* clear URG and the urgent pointer */

struct wk_tcp_result {
	enum wk_tcp_verdict verdict;
	enum wk_reason reason;
	uint32_t edits;
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd;
};

enum wk_tcp_state {
	WK_TCP_ST_ESTABLISHED = 1, /* third segment seen; until both FINs are acknowledged */
	WK_TCP_ST_CLOSED = 2,      /* over: a client's SYN may start anew (fini and init) */
	WK_TCP_ST_UNTRACKED = 3,   /* passive flow whose stream was lost: everything passes */
};

#include "wk_tcp_flow.h"

/* Starts a handshake from a client's SYN (flags SYN, not ACK). Follow with wk_tcp_hs_input of that
 * SYN. A passive one (modes audit and off), and its flow, change, hold, drop and originate nothing.
 */
void wk_tcp_hs_start(struct wk_tcp_hs *hs, const struct wk_tcp_seg *syn, bool passive);
/* One packet that may belong to the handshake, from the side of dir's sender. */
enum wk_tcp_hs_step wk_tcp_hs_input(struct wk_tcp_hs *hs, enum wk_dir dir,
				    const struct wk_tcp_seg *seg, struct wk_stats *stats,
				    struct wk_tcp_result *result);
bool wk_tcp_hs_passive(const struct wk_tcp_hs *hs);
/* An ICMP error quotes a packet of the stream dir. @return false when none with that number is
 * under way. */
bool wk_tcp_hs_quoted(const struct wk_tcp_hs *hs, enum wk_dir dir, uint32_t seq);

/* Makes a flow of a handshake that is done. Follow with wk_tcp_input of its third segment. */
void wk_tcp_init(struct wk_tcp_flow *flow, const struct wk_tcp_hs *hs,
		 const struct wk_tcp_env *env);

/* Frees everything the flow keeps in env->mem. Sends nothing. */
void wk_tcp_fini(struct wk_tcp_flow *flow, const struct wk_tcp_env *env);

/* One packet of the flow that came in on the side of dir's sender. Packets built on the way are
 * sent by the tx hook before this returns, in order. The checksum has been verified by the caller.
 */
void wk_tcp_input(struct wk_tcp_flow *flow, enum wk_dir dir, const struct wk_tcp_seg *seg,
		  const struct wk_tcp_env *env, struct wk_tcp_result *result);

/* When wk_tcp_timer wants to be called (absolute, ns). Changes at every input, timer and poke.
 * Early calls do no harm. */
uint64_t wk_tcp_deadline(const struct wk_tcp_flow *flow, const struct wk_tcp_limits *limits);

/* @return false when the flow is over and may be forgotten (call wk_tcp_fini). */
bool wk_tcp_timer(struct wk_tcp_flow *flow, const struct wk_tcp_env *env);

/* Looks whether a pending insertion can be made now: to be called when the judge came to want one
 * outside of wk_tcp_input. */
void wk_tcp_poke(struct wk_tcp_flow *flow, const struct wk_tcp_env *env);

/* The judge may have come to another opinion of the client's bytes that are held, without any more
 * of them: shows them again. */
void wk_tcp_judge_again(struct wk_tcp_flow *flow, const struct wk_tcp_env *env);

/* From here on nothing of the server's goes on before it has been judged, so that it can be taken
 * out. */
void wk_tcp_in_order(struct wk_tcp_flow *flow);

/* Ends the connection: RST to the server, farewell[len_b] (may be empty; sent only where bytes may
 * be inserted) and RST to the client. The flow becomes a tombstone. */
void wk_tcp_reset(struct wk_tcp_flow *flow, const struct wk_tcp_env *env, const uint8_t *farewell,
		  uint32_t len_b);

/* Makes a passive flow an active one. @return false when it cannot be: it is not at a frame
 * boundary beyond everything that has gone out (try again after the next packet), or
 * *mid_stream = true: its state has a gap or its handshake agreed on an option we strip. */
bool wk_tcp_enforce(struct wk_tcp_flow *flow, bool *mid_stream);
/* Does a packet of dir acknowledge bytes that an unedited flow has never seen go by? Packets have
 * passed elsewhere then: the flow cannot be followed any more. */
bool wk_tcp_gap(const struct wk_tcp_flow *flow, enum wk_dir dir, const struct wk_tcp_seg *seg);
/* Makes an active flow passive again if it has never been edited. @return false if it has. */
bool wk_tcp_relax(struct wk_tcp_flow *flow);

enum wk_tcp_state wk_tcp_state(const struct wk_tcp_flow *flow);
/* The flow's numbers are not the same on both sides, or we owe one of them bytes. */
bool wk_tcp_edited(const struct wk_tcp_flow *flow);

/* Bytes that have not gone on wait here, held or behind a hole. Not in a passive flow. */
bool wk_tcp_waits(const struct wk_tcp_flow *flow);

/* An ICMP error quotes a packet of the stream dir, as its receiver's side numbers it. @return false
 * when nothing with that number is under way (RFC 5927 4.1); otherwise *in_seq is the number that
 * its sender knows. Not for a passive flow. */
bool wk_tcp_quoted(const struct wk_tcp_flow *flow, enum wk_dir dir, uint32_t seq, uint32_t *in_seq);
/* The quoted packet, len_b of payload, was too big for its path, which takes less since since_ns.
 * What it carried from the first byte on that its sender does not know as it is goes out again,
 * once. The caller makes smaller packets of it. */
void wk_tcp_too_big(struct wk_tcp_flow *flow, enum wk_dir dir, uint32_t seq, uint32_t len_b,
		    uint64_t since_ns, const struct wk_tcp_env *env);

/* The RST that answers a segment for which there is no connection (RFC 9293 3.10.7.1), to be sent
 * back to the sender; out->dir is the direction towards it. @return false for an RST. */
bool wk_tcp_refuse(const struct wk_tcp_seg *seg, enum wk_dir dir, struct wk_tcp_out *out);
