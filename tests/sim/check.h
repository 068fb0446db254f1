/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - looks at every packet around the box and says which invariant it breaks.
 *
 * Sees what a tap on both sides would see, the judge's record, and, to know whether a SACK block
 * tells the truth, what the receivers really have. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "judge.h"
#include "ranges.h"
#include "wire.h"

/* An insertion. Payload offsets of its receiver. */
struct check_insert {
	uint64_t out;
	uint64_t len_b;
};

/* One stream and the acknowledgements that answer it. Offsets: 0 is the SYN. */
struct check_half {
	bool open; /* its SYN has been seen */
	uint32_t isn;
	uint8_t shift; /* of the windows in this stream's packets */
	bool has_shift;
	bool has_ts;
	uint16_t mss;       /* that its sender takes */
	struct ranges seen; /* in: what has arrived at the box */
	uint64_t fin_in;
	bool cwr_owed;    /* a sender has said that it slowed down, its receiver has not heard it */
	bool said_cwr;    /* in the packet at hand, in order */
	uint64_t ack_max; /* out: highest acknowledgement of its receiver that has arrived */
	uint64_t ack_sure; /* out: the same, of packets inside their own window */
	uint64_t edge_max; /* out: highest right edge, as it arrived */
	/* The same in packets at numbers that nobody looks at, too: known to be true. */
	uint64_t ack_heard, edge_heard;

	uint8_t *bytes; /* out: what left, by payload offset */
	uint64_t cap;
	struct ranges sent; /* out: offsets that have left */
	uint64_t fin_out;
	uint64_t end_out; /* highest offset that has left */

	uint64_t ack_in_max;  /* in: highest acknowledgement given to its sender */
	uint64_t edge_in_max; /* in: highest right edge given to its sender */
	uint64_t edge_bound;  /* in: how far that may go */
	uint32_t ts_out;      /* highest TSval that left in its packets */
	bool ts_known;
	uint32_t ts_in;                 /* highest that arrived */
	uint64_t stale_ack, stale_edge; /* maxima before the packet at hand */
	uint64_t stale_end;             /* end_out before it */
	uint64_t stale_heard;           /* and ack_heard */

	struct check_insert *inserts; /* ours in this stream */
	uint32_t n_inserts;
	uint32_t dups;       /* of its receiver's, since its last news */
	struct ranges again; /* offsets that have left more than once */
	struct ranges fresh; /* offsets that have left since an ICMP error came */
};

struct check {
	struct check_half half[2];
	const struct judge *judge;
	const struct ranges *got[2]; /* what the receiver of each stream has */
	/* Has the box a copy of the byte `in` (offset) that has yet to go on? */
	bool (*holds)(void *user, enum wk_dir dir, uint64_t in);
	void *user;
	bool lies; /* payload of DATA may come in two versions */
	bool scaled;
	bool ts;
	bool forged;      /* the packet at hand is an attacker's */
	bool mute;        /* only watch: the flow is passive */
	bool counts;      /* the packet at hand is at a number where its ACK is looked at */
	uint64_t left[2]; /* packets by direction */
	char fault[256];  /* empty: none */
};

void check_fini(struct check *check);
/* A genuine packet arrives at the box. */
void check_in(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg);
/* What has become of the packet at hand. Of one that was dropped nothing need go on. */
void check_settled(struct check *check, enum wk_dir dir, bool dropped);
/* A packet leaves the box towards the receiver of dir. `in` is what came in when it is forwarded,
 * NULL when it was built. */
void check_out(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg,
	       const struct wk_tcp_seg *in);
/* A packet of an attacker arrives: nobody's numbers. */
void check_forged(struct check *check);
/* An insertion goes to this place of the receiver's numbering: what lib/tcp says, which the byte
 * checks do not rely on. */
void check_inserted(struct check *check, enum wk_dir dir, uint64_t out, uint64_t len_b);
void check_fail(struct check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The map entry that holds the payload offset `out`, or NULL. */
const struct judge_map *check_map_at(const struct judge_dir *d, uint64_t out);

/* check_icmp.c: an error quotes a packet of the stream dir. open: the flow is established; in_seq:
 * what it goes on with, NULL: it does not; acked_in: how far its sender may be acknowledged. */
void check_quoted(struct check *check, enum wk_dir dir, uint32_t seq, bool open,
		  const uint32_t *in_seq, uint64_t acked_in);
/* Before and after the box has heard that a packet was too big: an insertion in it, which only the
 * box can send, must have left once more. */
void check_too_big(struct check *check);
void check_sent_again(struct check *check, enum wk_dir dir, uint32_t seq, uint32_t len_b);

/* check_ack.c */
/* Payload offset of the server's stream that the client's offset `out` stands for. */
uint64_t check_server_in(const struct check *check, uint64_t out);
/* Payload offset of the client's stream that the server's offset `out` stands for. */
uint64_t check_client_in(const struct judge_dir *d, uint64_t out);
/* Are three duplicates about a lost insertion answered with it? After each packet. */
void check_hole(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg);
/* No deletion waits for a timer: what the server has all before of is acknowledged to the client.
 */
void check_deleted(struct check *check);
/* Looks how far windows may go by now. */
void check_bound(struct check *check);
void check_ack(struct check *check, enum wk_dir dir, const struct wk_tcp_seg *seg,
	       const struct wk_tcp_seg *in);
