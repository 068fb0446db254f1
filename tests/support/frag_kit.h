/* SPDX-License-Identifier: Apache-2.0 */
/* frag_kit.h - makes fragments by the RFCs, gives them to one table, and keeps the books. */
#pragma once

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

#include "wk_frag.h"

#define KIT_TIMEOUT_NS 1000000000ull

/* One fragment of a datagram whose bytes follow from its id. */
struct spec {
	uint8_t ip_version;
	uint8_t proto; /* 0: TCP */
	uint8_t src;   /* last byte of the address */
	uint8_t n_tags;
	uint16_t vlan;
	uint16_t wire;
	enum wk_dir dir;
	uint32_t id;
	uint32_t total_b; /* of the datagram's payload */
	uint16_t off;
	uint16_t len;
	bool more;
	uint8_t change; /* added to every byte: another version */
	uint8_t ecn;
	uint8_t ip_opts_b; /* IPv4, of the first fragment */
	uint8_t hop_b;     /* IPv6, hop-by-hop options in front of the fragment header */
	bool tcp;          /* a TCP header of 32 bytes begins the payload */
	uint8_t tcp_flags;
	bool bad_csum;
	bool open;
};

struct kit {
	struct wk_frag *frag;
	struct rte_mempool *pool;
	struct wk_stats stats; /* reasons of what was given up */
	uint64_t rx;
	uint64_t put_together; /* mbufs of whole datagrams */
	enum wk_frag_verdict last;
	enum wk_reason reason;
	struct wk_frag_whole whole; /* its mbufs are freed */
};

extern struct kit kit;

/* EAL and a pool, once. */
void kit_start(const char *name);
void kit_stop(void);
/* Both as fixtures of a group of tests. */
int kit_set_up(void **state);
int kit_tear_down(void **state);
/* A fresh table and empty books. @return 0 */
int kit_open(uint32_t max_datagrams, uint32_t max_mbufs);
/* @return 0, or -1 when a buffer has not come back. */
int kit_close(void);
/* Both as fixtures of a test, with room for 8 datagrams. */
int kit_open_default(void **state);
int kit_close_table(void **state);
enum wk_frag_verdict kit_input(const struct spec *spec, uint64_t now_ns);
/* All fragments of a datagram, in order, of at most size_b bytes (a multiple of 8). */
void kit_send_all(struct spec *spec, uint32_t size_b);
/* A frame as it is. @return false when it is no fragment that the table may see. */
bool kit_input_frame(const uint8_t *frame, uint32_t len_b, uint64_t now_ns);
/* A byte of the payload that the fragments are cut from. */
uint8_t kit_byte(const struct spec *spec, uint32_t at);
/* k, w, or of which reason: o overlap, l length, f full, d duplicate, ? other. */
char kit_letter(enum wk_frag_verdict verdict);
/* Is the last whole datagram the one that spec is of? @return false and says why if not. */
bool kit_whole_is(const struct spec *spec);
/* Has every fragment an end? */
bool kit_books_even(void);

#define kit_check_whole(spec) assert_true(kit_whole_is(spec))
#define kit_account()         assert_true(kit_books_even())
#define KIT_TEST(name)        cmocka_unit_test_setup_teardown(name, kit_open_default, kit_close_table)
