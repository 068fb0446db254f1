/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - shared by the files of lib/tcp. */
#pragma once

#include "wk_seq.h"
#include "wk_tcp.h"

#define NEVER UINT64_MAX

/* RFC 9293 3.7.1: what a peer takes that announced no MSS. */
#define MSS_DEFAULT 536u
/* RFC 5681 3.2: so many say that something is lost. */
#define DUP_ACKS 3u

/* A record of the ledger: a range of the stream that must never change again. Sorted by both
 * offsets; between records offsets advance alike. */
struct wk_tcp_rec {
	struct wk_tcp_rec *next;
	struct wk_tcp_rec *skip; /* of one in some dozens: the next of those */
	uint64_t in_off;
	uint64_t out_off;
	uint64_t sent_ns; /* last time it went out; for our estimate */
	uint32_t in_len_b;
	uint32_t out_len_b;
	uint32_t cap_b; /* room in bytes[] */
	uint8_t kind;   /* enum rec_kind */
	bool owned;     /* nobody but us will retransmit it */
	bool rexmit;    /* has been retransmitted: no round-trip sample */
	uint8_t bytes[];
};

enum rec_kind {
	REC_PIN = 0,
	REC_DEL = 1,
	REC_REPL = 2,
	REC_INSERT = 3,
	REC_PATCH = 4,
};

/* Out-of-order bytes: a copy of a segment, or of several in a row. */
struct wk_tcp_ooo {
	struct wk_tcp_ooo *next;
	uint64_t in_off;
	uint32_t len_b;
	uint32_t cap_b; /* room in bytes[] */
	bool gone;      /* has been forwarded all the same (server to client) */
	bool touched;   /* not, but a later copy of some of it has */
	uint8_t bytes[];
};

/* Bytes at hand, for ranges that the ledger does not hold. */
struct src {
	uint64_t in_off;
	const uint8_t *data;
	uint32_t len_b;
};

#define SRC_MAX 2u

/* A range of a stream, [from, to). */
struct span {
	uint64_t from;
	uint64_t to;
};

/* Context of one call. */
struct ctx {
	struct wk_tcp_flow *flow;
	const struct wk_tcp_env *env;
	struct wk_tcp_result *result; /* NULL outside of input */
	bool fatal;                   /* the flow has been reset on the way */
	bool cut;                     /* the segment at hand cannot go on as it is */
	uint32_t emitted[WK_DIRS];    /* packets built so far, by direction */
};

static inline struct wk_tcp_half *stream(struct wk_tcp_flow *flow, enum wk_dir dir)
{
	return &flow->half[dir];
}

static inline struct wk_tcp_half *acked_by(struct wk_tcp_flow *flow, enum wk_dir dir)
{
	return &flow->half[wk_dir_flip(dir)];
}

/* Where what has been judged ends for the receiver, the FIN included. */
static inline uint64_t judged_out(const struct wk_tcp_half *half)
{
	return half->e_out + (half->fin_out ? 1 : 0);
}

/* The right edge that the sender may count on. A byte that came to probe a closed window may have
 * been taken beyond what it was given. */
static inline uint64_t edge_in(const struct wk_tcp_half *half)
{
	return half->edge_given > half->acked_in ? half->edge_given : half->acked_in;
}

/* Where the bytes that pass whatever they say end for the receiver: how far a client's stream may
 * have gone on. */
static inline uint64_t pass_out(const struct wk_tcp_half *half)
{
	if (half->fin_out || half->held_len_b > 0 || half->pass_in <= half->e_in)
		return judged_out(half);
	return half->e_out + (half->pass_in - half->e_in);
}

/* Everything below `out` has gone out, or goes now. */
static inline void sent_up_to(struct wk_tcp_half *half, uint64_t out)
{
	if (half->nxt_out < out)
		half->nxt_out = out;
}

static inline void set_drop(struct wk_tcp_result *result, enum wk_reason reason)
{
	result->verdict = WK_TCP_DROP;
	result->reason = reason;
}

static inline void set_absorb(struct wk_tcp_result *result, enum wk_reason reason)
{
	result->verdict = WK_TCP_ABSORB;
	result->reason = reason;
}

/* Flag combinations that no stack sends only serve to make two readers disagree. */
static inline bool flags_ok(const struct wk_tcp_seg *seg)
{
	uint8_t flags = seg->flags;

	if ((flags & WK_TCP_SYN) && (flags & (WK_TCP_FIN | WK_TCP_RST)))
		return false;
	if ((flags & WK_TCP_FIN) && (flags & WK_TCP_RST))
		return false;
	return flags & (WK_TCP_SYN | WK_TCP_RST | WK_TCP_ACK);
}

/* ledger.c */
static inline bool rec_same_len(const struct wk_tcp_rec *rec)
{
	return rec->kind == REC_PIN || rec->kind == REC_PATCH;
}
/* The numbers of a stream are the same on both sides now and for all that is unacknowledged. */
static inline bool half_plain(const struct wk_tcp_half *half)
{
	return half->e_in == half->e_out && half->n_edits == 0 && half->owned_in <= half->e_in;
}
bool ledger_add(struct ctx *c, struct wk_tcp_half *half, enum rec_kind kind, uint32_t in_len_b,
		const uint8_t *bytes, uint32_t out_len_b, bool owned);
void ledger_retire(struct ctx *c, struct wk_tcp_half *half);
/* It holds as much as a connection may pile up while a receiver acknowledges nothing. */
bool ledger_has_enough(const struct ctx *c, const struct wk_tcp_half *half);
void ledger_free(struct wk_tcp_half *half, struct wk_mem *mem);
/* A record not far before what is at `out`: those before it end at or below that. */
struct wk_tcp_rec *ledger_near(const struct wk_tcp_half *half, uint64_t out);
/* Where the byte `in` is for the receiver; ties map forward, inside a replacement down. */
uint64_t ledger_out(const struct wk_tcp_half *half, uint64_t in);
/* One past where the byte `in - 1` is; inside a replacement up. */
uint64_t ledger_out_end(const struct wk_tcp_half *half, uint64_t in);
/* The reverse: ties map forward; inside a replacement or insertion down, or up. */
uint64_t ledger_in(const struct wk_tcp_half *half, uint64_t out, bool up);
/* How far the sender may be acknowledged. */
uint64_t ledger_ack(const struct wk_tcp_half *half);
/* Does data[len_b] at `in` say something else than what is pinned there? */
bool ledger_differs(const struct wk_tcp_half *half, uint64_t in, const uint8_t *data,
		    uint32_t len_b);

/* hold.c */
/* Is there memory for more than what a connection needs to go on at all? */
bool room_to_pile_up(const struct wk_mem *mem);
/* Does data[len_b] at `in` say something else than what waits there, in order or not? */
bool hold_differs(const struct wk_tcp_half *half, uint64_t in, const uint8_t *data, uint32_t len_b);
bool hold_append(struct ctx *c, struct wk_tcp_half *half, const uint8_t *data, uint32_t len_b);
void hold_consume(struct wk_tcp_half *half, uint32_t len_b, struct wk_mem *mem);
/* Do all of [in, in + len_b) wait here, out of order? */
bool ooo_has(const struct wk_tcp_half *half, uint64_t in, uint32_t len_b);
bool ooo_insert(struct ctx *c, struct wk_tcp_half *half, uint64_t in, const uint8_t *data,
		uint32_t len_b, bool gone);
struct wk_tcp_ooo *ooo_pop(struct wk_tcp_half *half, uint64_t upto);
/* The reverse, of what has not become in order yet: some of it. */
void ooo_put_back(struct wk_tcp_half *half, struct wk_tcp_ooo *ooo);
void hold_free(struct wk_tcp_half *half, struct wk_mem *mem);

/* again.c: emits [from, to) because its sender has sent src again, as far as that may be answered.
 */
void again_emit(struct ctx *c, enum wk_dir dir, uint64_t from, uint64_t to, const struct src *src,
		uint8_t flags);

/* emit.c: the only place that makes packets. */
/* Sends the out range [from, to) of the stream dir, cut at the receiver's MSS, from the ledger and
 * from src[n]; stops where bytes are missing or beyond the receiver's edge. fin: the FIN follows if
 * the range reaches it. */
void emit(struct ctx *c, enum wk_dir dir, uint64_t from, uint64_t to, const struct src *src,
	  uint32_t n, uint8_t flags);
/* An empty packet of the stream dir that acknowledges the other one. */
void emit_ack(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t seq_out);
/* One that reports bytes of the other stream that have come again (RFC 2883): they lie below the
 * acknowledgement, or wait here behind a hole. */
void emit_ack_again(struct ctx *c, enum wk_dir dir, const struct span *again);
void emit_rst(struct ctx *c, enum wk_dir dir);
/* The raw window to announce in packets of dir. */
/* Payload of a full packet to the receiver of the stream dir. */
uint32_t packet_room(const struct wk_tcp_flow *flow, enum wk_dir dir);
uint16_t window_raw(const struct wk_tcp_flow *flow, enum wk_dir dir);

/* sack.c */
#define SACK_OWN 3u /* blocks of ours in an ACK: as many as fit beside timestamps */
_Static_assert(sizeof(((struct wk_tcp_half *)0)->arrived_in) == (SACK_OWN + 1) * sizeof(uint64_t),
	       "the reported blocks and one that has just arrived");
/* The blocks of an ACK to the sender of `acked`: what the receiver reports in seg (may be NULL),
 * and what waits here. again: bytes that its sender has sent twice, or NULL. @return their number.
 */
uint32_t sack_blocks(struct wk_tcp_half *acked, const struct wk_tcp_seg *seg,
		     const struct span *again, uint32_t max, struct wk_tcp_sack *blocks);
/* The byte `in` waits here from now on: its block is the next to be reported. */
void sack_arrived(struct wk_tcp_half *half, uint64_t in);
/* There is something to report. */
bool sack_waits(const struct wk_tcp_half *half);

/* accept.c */
/* Looks at number and timestamp. @return false: dropped (reason in the result) and answered. *acks:
 * its acknowledgement counts. */
bool accept_input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, bool *acks);
/* Takes its timestamp for what is built from now on, if it can be believed. */
void accept_stamp(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, uint64_t in);
/* May a bare ACK go on with its own timestamp? Either that is no news, or the ACK stays at a number
 * where its receiver takes none. */
bool accept_bare_stamp(const struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg,
		       uint64_t in);

/* ack.c */
struct ack_news {
	bool acked;    /* the sender learns of more acknowledged bytes */
	bool edge;     /* or of a larger window */
	bool old;      /* below what was acknowledged before */
	bool capped;   /* its window is more than the sender may be told */
	bool suppress; /* a pure ACK with this news need not be forwarded */
};
/* Takes the acknowledgement, window and SACK of a packet of dir. @return false: drop it (reason in
 * the result). */
bool ack_input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg, struct ack_news *news);
/* Recomputes what may be acknowledged to the sender of the stream dir. @return true if it grew. */
bool ack_refresh(struct wk_tcp_half *half);
/* Recomputes the right window edge to be given to it. @return true if it grew. */
bool edge_refresh(struct ctx *c, enum wk_dir dir, struct wk_tcp_half *half);

/* data.c */
void data_input(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg,
		const struct ack_news *news);

/* drain.c */
/* Judges what waited behind a hole that has been filled, and sends it, as far as there is room.
 * @return false when the flow has been reset. */
bool drain(struct ctx *c, enum wk_dir dir);
/* The same once there may be room again. @return true if its sender has more acknowledged. */
bool drain_resume(struct ctx *c, enum wk_dir dir);
/* Does something wait for room alone? Its copy of a byte is the one that counts. */
bool drain_waits(const struct wk_tcp_half *half);
/* What still waits for room there is ours all the same. @return true if its sender has more
 * acknowledged. */
bool drain_own_rest(struct ctx *c, struct wk_tcp_half *half);
/* Sends what has been judged since E was at from_in. */
void send_judged(struct ctx *c, enum wk_dir dir, uint64_t from_in, const struct src *src,
		 uint8_t flags);

/* consume.c */
/* Shows the judge data[len_b] at `in` (which meets the end of the held bytes) and carries out what
 * it says; what it cannot decide is held. gone: the bytes have gone out already. Sends nothing.
 * @return false when the flow has been reset. */
bool consume(struct ctx *c, enum wk_dir dir, uint64_t in, const uint8_t *data, uint32_t len_b,
	     bool gone);
/* Shows it the held bytes again, with nothing behind them. */
bool consume_held(struct ctx *c, enum wk_dir dir);
/* The sender's FIN, if everything before it has been judged or never will be. */
void consume_fin(struct ctx *c, enum wk_dir dir);

/* insert.c */
bool insert_try(struct ctx *c);
/* The same in the stream towards the server. */
bool insert_server(struct ctx *c);
/* After each packet: has anything moved towards the place of the insertion that waits? */
void insert_watch(struct ctx *c);
uint64_t insert_due(const struct wk_tcp_flow *flow, const struct wk_tcp_limits *limits);
void insert_timer(struct ctx *c);
/* Right edge that the server may be given while an insertion waits for room. */
uint64_t insert_edge_cap(struct ctx *c, uint64_t edge_in);

/* own.c */
bool own_held(struct ctx *c, enum wk_dir dir);
void own_arm(struct ctx *c, enum wk_dir dir);
/* after_hole: the receiver had reported that something was missing. */
void own_acked(struct ctx *c, enum wk_dir dir, uint64_t old_b_out, bool after_hole);
/* Sends the first owned bytes again, at most a packet; unless that is a probe, all others are taken
 * for lost as well. */
void own_rexmit(struct ctx *c, enum wk_dir dir, bool probe);
void own_timer(struct ctx *c, enum wk_dir dir);
uint64_t own_run_end(const struct wk_tcp_rec *rec);

/* repair.c */
/* @return false when there is no memory. */
bool repair_begin(struct ctx *c, struct wk_tcp_half *half, bool all);
void repair_end(struct wk_tcp_half *half, struct wk_mem *mem);
/* The next lost bytes of the stream dir, so many packets at most. */
void repair_go(struct ctx *c, enum wk_dir dir, uint32_t packets);
/* An acknowledgement of the stream dir has come, new or the same once more. */
void repair_acked(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg);

/* invariant.c */
/* After a packet or a timer: what must hold holds, or the flow is reset. */
void invariant_check(struct ctx *c);

/* handshake.c */
/* A SYN inside an established connection. @return false: go on with it as with any segment. */
bool handshake_syn_inside(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg);

/* idle.c */
/* When the silence has lasted long enough, or the next question is due. */
uint64_t idle_due(const struct wk_tcp_flow *flow, const struct wk_tcp_limits *limits);
/* A packet of dir's sender has been taken. */
void idle_heard(struct wk_tcp_flow *flow, enum wk_dir dir);
/* Asks those that have not answered. @return false when that has been done often enough, and the
 * connection ends. */
bool idle_probe(struct ctx *c);

/* close.c */
void close_rst(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg);
void close_fail(struct ctx *c);
void close_check(struct ctx *c);
void close_tombstone(struct ctx *c, enum wk_dir dir, const struct wk_tcp_seg *seg);
/* An ACK in answer to a segment that brought nothing, at most one a millisecond. */
void close_answer(struct ctx *c, enum wk_dir dir);
/* The same for bytes [from, to) of the other stream that came again and are acknowledged. Where
 * both sides know D-SACK each has its answer, at most some hundred at once. */
void close_answer_again(struct ctx *c, enum wk_dir dir, uint64_t from, uint64_t to);
void close_free(struct ctx *c, enum wk_tcp_state state);
