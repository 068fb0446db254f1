/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_world.h - one flow of lib/tcp between two peers that say what the test wants.
 *
 * The judge is a toy. From the client, a byte 'd' begins a frame of ten bytes that is deleted and
 * replied to, 'r' one of ten that is replaced by REPL, 'h' one of ten that is held until whole and
 * pinned; 'p' and 'k' one of ten that streams through as soon as its first byte is judged: pinned,
 * then the rest passes, or all of it is deleted; any other byte passes. From the server every byte
 * is a frame, but 'f' begins one of ten that passes as it comes, and 'q' one of ten that is held
 * until whole. */
#pragma once

#include "wk_seq.h"
#include "wk_tcp.h"

#define FRAME   10u
#define REPL    "a longer replacement"
#define REPL_B  ((uint32_t)sizeof(REPL) - 1)
#define REPLY   "<403>"
#define REPLY_B ((uint32_t)sizeof(REPLY) - 1)
#define ISN_C   0xfffffff0u /* wraps early */
#define ISN_S   7000u
#define MS      1000000ull

struct world {
	struct wk_tcp_hs hs; /* until its third segment */
	enum wk_tcp_hs_step step;
	bool passive;
	bool shaking;
	bool open; /* there is a flow */
	struct wk_tcp_flow flow;
	struct wk_tcp_env env;
	struct wk_stats stats;
	struct wk_tcp_limits limits;
	void *arena;
	struct wk_tcp_result result;
	unsigned int replies; /* waiting */
	uint32_t left_b;      /* of the server's frame at hand */
	uint32_t c_left_b;    /* and of the client's that streams through */
	bool c_deleted;       /* that one is */
	bool fail;            /* the judge ends the connection at the next byte */
	struct {
		struct wk_tcp_out out;
		uint8_t data[4096];
	} sent[64];
	unsigned int n_sent;
	uint32_t c_seq, s_seq; /* next numbers of the peers */
	uint32_t c_ack, s_ack; /* what they acknowledge */
	uint16_t wnd[WK_DIRS]; /* what they announce, of their packets */
	bool ts;               /* they use timestamps */
	bool signs;            /* and signatures */
	uint8_t shift;         /* of both windows, 0: not scaled */
	uint32_t clock[WK_DIRS];
};

/* Before the first SYN, and after SYN and SYN-ACK. */
void new_world(struct world *w, bool passive);
void greet_world(struct world *w);
/* After the handshake. */
void open_world(struct world *w, bool passive);
/* The same with scaled windows, the server's (not yet scaled) of this size. */
void open_world_scaled(struct world *w, uint8_t shift, uint16_t server_wnd);
/* The same with timestamps. */
void open_world_timed(struct world *w);
/* The same with another window in the client's packets. */
void open_world_of(struct world *w, bool passive, uint16_t client_wnd);
/* Fails when memory is not given back. */
void close_world(struct world *w);

/* As fixtures of a test, whose state is the world: after the handshake, the same of a passive flow,
 * the same with SACK, with timestamps, and before the first SYN. */
int set_up_world(void **state);
int set_up_passive_world(void **state);
int set_up_sack_world(void **state);
int set_up_timed_world(void **state);
int set_up_new_world(void **state);
int tear_down_world(void **state);
#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up_world, tear_down_world)
#define passive_world_test(test)                                                                   \
	cmocka_unit_test_setup_teardown(test, set_up_passive_world, tear_down_world)
#define sack_world_test(test)                                                                      \
	cmocka_unit_test_setup_teardown(test, set_up_sack_world, tear_down_world)
#define timed_world_test(test)                                                                     \
	cmocka_unit_test_setup_teardown(test, set_up_timed_world, tear_down_world)
#define new_world_test(test)                                                                       \
	cmocka_unit_test_setup_teardown(test, set_up_new_world, tear_down_world)

/* One packet; w->sent begins anew. */
const struct wk_tcp_result *give(struct world *w, enum wk_dir dir, uint32_t seq, uint8_t flags,
				 const char *data);
/* The same with SACK blocks: n pairs of numbers. */
const struct wk_tcp_result *give_sack(struct world *w, enum wk_dir dir, uint32_t seq, uint8_t flags,
				      const char *data, const uint32_t (*blocks)[2], uint32_t n);
/* The peer's next bytes, with PSH. */
const struct wk_tcp_result *from_client(struct world *w, const char *data);
const struct wk_tcp_result *from_server(struct world *w, const char *data);
/* No bytes, with this acknowledgement. */
const struct wk_tcp_result *ack_from_client(struct world *w, uint32_t ack);
const struct wk_tcp_result *ack_from_server(struct world *w, uint32_t ack);
/* Runs the flow's timer after this time; w->sent begins anew. @return what it says. */
bool pass_time(struct world *w, uint64_t ns);

#define BLOCKS(...) ((const uint32_t[][2]){ __VA_ARGS__ })
/* The SACK blocks of the packet that was built as number i: these n, in this order. */
void assert_blocks(const struct world *w, unsigned int i, const uint32_t (*blocks)[2], uint32_t n);
/* The timestamp of the packet that was built as number i. */
uint32_t sent_tsval(const struct world *w, unsigned int i);
/* The packet that was built as number i. */
void assert_sent(const struct world *w, unsigned int i, enum wk_dir dir, uint32_t seq, uint32_t ack,
		 const char *data);
/* It is the only one. */
void assert_only(const struct world *w, enum wk_dir dir, uint32_t seq, uint32_t ack,
		 const char *data);
/* An RST to each side is all that was built. */
void assert_reset(const struct world *w);
