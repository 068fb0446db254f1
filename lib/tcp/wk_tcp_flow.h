/* SPDX-License-Identifier: Apache-2.0 */
/* wk_tcp_flow.h - the state of an editable stream, to be embedded by its owner.
 *
 * Private to lib/tcp; public only so that its size is known. Offsets are 64 bit and unwrapped (see
 * wk_seq.h): 0 is the SYN, 1 the first byte. About 900 bytes a flow. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wk_dir.h"

struct wk_tcp_rec;
struct wk_tcp_ooo;
struct repair;

/* Of the processor's caches. What a packet of an ordinary connection looks at stands in the first
 * lines of these structs: with many connections, each line is one more that comes from memory. */
#define WK_TCP_LINE_B 64u

/* One stream: what its sender sends, what its receiver sees and acknowledges. */
struct wk_tcp_half {
	uint64_t e_in;       /* first byte not yet judged, as the sender numbers it */
	uint64_t e_out;      /* and as the receiver sees it */
	uint64_t b_out;      /* first byte the receiver has not acknowledged (FIN counts as one) */
	uint64_t nxt_out;    /* one past the highest that has gone out (FIN included) */
	uint64_t edge_out;   /* right window edge that the receiver has announced, highest */
	uint64_t acked_in;   /* how far the sender may be acknowledged; never goes back */
	uint64_t told_in;    /* highest acknowledgement that has gone to it */
	uint64_t edge_given; /* highest right edge given to the sender */

	uint64_t owned_in; /* bytes below are owned: acknowledged before the receiver did */
	uint64_t gone_in;  /* bytes below have gone out before they were judged */
	uint64_t pass_in;  /* client: bytes from e_in up to here pass whatever they say */
	uint64_t fin_in;   /* offset of the sender's FIN, 0: none seen */
	uint64_t fin_out;  /* where it is for the receiver, 0: not judged yet */
	/* Ledger: where the offsets meet below its first record, and the records. */
	uint64_t base_in;
	uint64_t base_out;
	struct wk_tcp_rec *head;

	struct wk_tcp_rec *skip_head; /* the stepping stones, for who looks something up */
	struct wk_tcp_ooo *ooo;       /* out-of-order segments, sorted, not overlapping */
	struct repair *repair;        /* while a loss of owned bytes is mended, else NULL */
	uint64_t drained_out; /* bytes below waited here behind a hole and went out at once */
	uint64_t hold_at_ns;  /* when held bytes are to be owned, UINT64_MAX: not armed */
	uint64_t rto_at_ns;   /* our retransmission timer, for owned bytes; as above */
	uint64_t ts_ns;       /* when a timestamp was last taken */
	uint32_t tsval;       /* highest that can be believed: what we build has it */
	uint32_t ts_recent;   /* highest of in-order segments: PAWS */

	uint32_t isn;
	uint32_t wnd_max_b; /* largest window that the receiver has announced */
	uint32_t ledger_b;
	uint32_t n_recs;
	uint32_t n_edits;    /* records that are not plain, unowned pins */
	uint32_t n_owned;    /* records with bytes that only we can send again */
	uint32_t held_len_b; /* in-order bytes from e_in on that the judge could not decide yet */
	uint32_t to_boundary_b; /* from e_in; WK_OP_BOUNDARY_UNKNOWN */
	uint32_t dup_acks;
	uint16_t mss; /* that the sender can receive */
	uint8_t wscale;
	bool has_ts_option; /* its SYN offered timestamps */
	bool has_wscale;
	bool sack_permitted;
	bool ts_known;
	bool hold_now;     /* own the held bytes as soon as all before them is acknowledged */
	bool at_boundary;  /* e_in is at a frame boundary */
	bool was_boundary; /* and has been before: the first frame has passed */
	bool cwr_owed;
	bool edited;  /* has ever been changed: its window edge may have moved by that */
	bool altered; /* its receiver has got other bytes than its sender sent */

	/* Rarely looked at from here on. */
	uint64_t even_out; /* from here to base_out, offsets advance alike */
	struct wk_tcp_rec *tail;
	struct wk_tcp_rec *skip_tail;
	uint8_t *held;
	uint32_t held_cap_b;
	uint32_t to_skip; /* records to come before one is a stepping stone */
	uint32_t ooo_b;   /* of the arena */
	uint32_t n_ooo;
	uint64_t arrived_in[4]; /* one byte in each of the blocks last reported, latest first */
	uint64_t rto_ns;
	uint64_t srtt_ns;
	uint64_t rttvar_ns;
	uint32_t retries;
	bool probing; /* the timer runs for a probe, not for a retransmission */
	bool probed;  /* since the last acknowledgement */
} __attribute__((aligned(WK_TCP_LINE_B)));

#define WK_TCP_HALF_HOT_B (4u * WK_TCP_LINE_B)

struct wk_tcp_flow {
	uint8_t state; /* enum wk_tcp_state */
	bool passive;
	bool ts_on; /* both sides agreed */
	bool sack_on;
	bool stripped; /* passive: the handshake agreed on an option that enforcing strips */
	bool doubtful; /* passive: the server may have other bytes of the client than were read */
	bool in_order; /* the server's bytes go on only behind the judge */
	bool both_closed; /* both FINs acknowledged: only stragglers are served */
	bool resyn;       /* a client's SYN inside the connection waits for the server's word */
	uint8_t probes;   /* questions so far, 0: none since anything was said */
	uint8_t heard;    /* bits of the senders that have spoken since the first one */
	uint32_t resyn_isn;
	uint64_t last_ns;   /* last packet that was not dropped */
	uint64_t since_ns;  /* of the present state */
	uint64_t probe_ns;  /* when silent sides are asked again */
	uint64_t insert_ns; /* since when an insertion waits for its place, 0: none */
	uint64_t moved_ns;  /* when anything last moved towards that place */
	uint64_t moved_out; /* and how far */

	struct wk_tcp_half half[WK_DIRS];

	uint32_t insert_b;  /* length of the insertion that waits */
	uint64_t answer_ns; /* last ACK sent to answer what brought nothing */
	uint64_t again_ns;  /* until when the answers to bytes that came again are spent */
	uint64_t growth_ns; /* the same of bytes that answered more than was sent again */
};

/* What a packet of an ordinary connection looks at. */
static inline void wk_tcp_prefetch(const struct wk_tcp_flow *flow)
{
	__builtin_prefetch(flow);
	for (int d = 0; d < WK_DIRS; d++)
		for (uint32_t off = 0; off < WK_TCP_HALF_HOT_B; off += WK_TCP_LINE_B)
			__builtin_prefetch((const uint8_t *)&flow->half[d] + off);
}
