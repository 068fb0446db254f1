/* SPDX-License-Identifier: Apache-2.0 */
#include "frag_kit.h"

#include <rte_ip.h>

#include "test_eal.h"
#include "test_frame.h"

#define POOL_MBUFS 1023u
#define FRAME_B    (14u + 8u + 40u + 64u + 65536u)

struct kit kit;

static void give_up(void *user, uint16_t wire, enum wk_dir dir, struct rte_mbuf **mbufs, uint32_t n,
		    enum wk_reason reason)
{
	(void)user;
	(void)wire;
	(void)dir;
	kit.stats.reason[reason] += n;
	rte_pktmbuf_free_bulk(mbufs, n);
}

static const struct wk_frag_hooks hooks = { .give_up = give_up };

void kit_start(const char *name)
{
	test_eal_start(name);
	kit.pool = rte_pktmbuf_pool_create(name, POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					   SOCKET_ID_ANY);
	if (!kit.pool)
		exit(1);
}

void kit_stop(void)
{
	rte_mempool_free(kit.pool);
	test_eal_stop();
}

int kit_set_up(void **state)
{
	(void)state;
	kit_start(program_invocation_short_name);
	return 0;
}

int kit_tear_down(void **state)
{
	(void)state;
	kit_stop();
	return 0;
}

int kit_open(uint32_t max_datagrams, uint32_t max_mbufs)
{
	const struct wk_frag_conf conf = {
		.name = "kit",
		.max_datagrams = max_datagrams,
		.max_mbufs = max_mbufs,
		.timeout_ns = KIT_TIMEOUT_NS,
		.secret = 0x5eed,
		.socket_id = SOCKET_ID_ANY,
		.pool = kit.pool,
		.stats = &kit.stats,
		.hooks = &hooks,
	};

	memset(&kit.stats, 0, sizeof(kit.stats));
	kit.rx = kit.put_together = 0;
	return wk_frag_create(&conf, &kit.frag);
}

int kit_close(void)
{
	wk_frag_free(kit.frag);
	kit.frag = NULL;
	return rte_mempool_in_use_count(kit.pool) == 0 ? 0 : -1;
}

int kit_open_default(void **state)
{
	(void)state;
	return kit_open(8, 128);
}

int kit_close_table(void **state)
{
	(void)state;
	return kit_close();
}

uint8_t kit_byte(const struct spec *spec, uint32_t at)
{
	static const uint8_t dest_opts[] = { IPPROTO_NONE, 0, 1, 4, 0, 0, 0, 0 };

	if (spec->proto == IPPROTO_DSTOPTS && at < sizeof(dest_opts))
		return dest_opts[at];
	if (spec->tcp && at == 12)
		return 32 / 4 << 4;
	if (spec->tcp && at == 13)
		return spec->tcp_flags;
	return (uint8_t)(at * 7 + (at >> 8) + spec->id * 13 + 1);
}

static uint8_t proto_of(const struct spec *spec)
{
	return spec->proto > 0 ? spec->proto : IPPROTO_TCP;
}

static uint32_t put_l2(uint8_t *p, const struct spec *spec)
{
	uint32_t off = 12;

	memset(p, 0x02, off);
	for (uint32_t i = 0; i < spec->n_tags; i++, off += 4) {
		put16(p + off, 0x8100);
		put16(p + off + 2, (uint16_t)(spec->vlan + i));
	}
	put16(p + off, spec->ip_version == 4 ? 0x0800 : 0x86dd);
	return off + 2;
}

static uint32_t put_ipv4(uint8_t *ip, const struct spec *spec, uint32_t data_b, bool whole)
{
	uint32_t hdr_b = 20u + (whole || spec->off == 0 ? spec->ip_opts_b : 0u);
	uint16_t csum;

	memset(ip, 0, 20);
	memset(ip + 20, 1, hdr_b - 20); /* no operation */
	ip[0] = (uint8_t)(0x40 | hdr_b / 4);
	ip[1] = (uint8_t)(0x28 | spec->ecn);
	put16(ip + 2, (uint16_t)(hdr_b + data_b));
	put16(ip + 4, (uint16_t)spec->id);
	if (!whole)
		put16(ip + 6, (uint16_t)(spec->off / 8 | (spec->more ? 0x2000 : 0)));
	ip[8] = 64;
	ip[9] = proto_of(spec);
	memcpy(ip + 12, (const uint8_t[]){ 10, 11, 0, spec->src, 10, 12, 0, 10 }, 8);
	csum = (uint16_t)~rte_raw_cksum(ip, hdr_b);
	if (spec->bad_csum)
		csum ^= 0x0100;
	memcpy(ip + 10, &csum, sizeof(csum));
	return hdr_b;
}

static uint32_t put_ipv6(uint8_t *ip, const struct spec *spec, uint32_t data_b, bool whole)
{
	uint32_t off = 40;
	uint8_t *next = ip + 6;

	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[1] = (uint8_t)(spec->ecn << 4);
	ip[7] = 64;
	ip[8] = ip[24] = 0xfd;
	ip[23] = spec->src;
	ip[39] = 10;
	if (spec->hop_b > 0) {
		uint8_t *hop = ip + off;

		*next = IPPROTO_HOPOPTS;
		memset(hop, 0, spec->hop_b); /* Pad1 */
		hop[1] = (uint8_t)(spec->hop_b / 8 - 1);
		next = hop;
		off += spec->hop_b;
	}
	if (!whole) {
		*next = IPPROTO_FRAGMENT;
		next = ip + off;
		put16(next, 0);
		put16(next + 2, (uint16_t)(spec->off | (spec->more ? 1 : 0)));
		put32(next + 4, spec->id);
		off += 8;
	}
	*next = proto_of(spec);
	put16(ip + 4, (uint16_t)(off - 40 + data_b));
	return off;
}

static uint32_t put_frame(uint8_t *p, const struct spec *spec, bool whole)
{
	uint32_t from = whole ? 0 : spec->off;
	uint32_t n = whole ? spec->total_b : spec->len;
	uint32_t off = put_l2(p, spec);

	off += spec->ip_version == 4 ? put_ipv4(p + off, spec, n, whole)
				     : put_ipv6(p + off, spec, n, whole);
	for (uint32_t i = 0; i < n; i++)
		p[off + i] = (uint8_t)(kit_byte(spec, from + i) + spec->change);
	return off + n;
}

static struct rte_mbuf *new_mbuf(void)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(kit.pool);

	if (!m)
		abort();
	return m;
}

static void input(struct rte_mbuf *m, const struct wk_pkt *pkt, const struct spec *spec,
		  uint64_t now_ns)
{
	kit.rx++;
	kit.last = wk_frag_input(kit.frag, pkt, spec->wire, spec->dir, spec->open, now_ns,
				 &kit.whole, &kit.reason);
	if (kit.last == WK_FRAG_END) {
		kit.stats.reason[kit.reason]++;
		rte_pktmbuf_free(m);
	} else if (kit.last == WK_FRAG_WHOLE) {
		kit.put_together += kit.whole.n;
		rte_pktmbuf_free_bulk(kit.whole.mbufs, kit.whole.n);
	}
}

enum wk_frag_verdict kit_input(const struct spec *spec, uint64_t now_ns)
{
	struct rte_mbuf *m = new_mbuf();
	struct wk_pkt pkt;
	uint32_t len_b = put_frame(rte_pktmbuf_mtod(m, uint8_t *), spec, false);

	rte_pktmbuf_append(m, (uint16_t)len_b);
	wk_pkt_parse_burst(&m, 1, &pkt);
	input(m, &pkt, spec, now_ns);
	return kit.last;
}

bool kit_input_frame(const uint8_t *frame, uint32_t len_b, uint64_t now_ns)
{
	static const struct spec nobody = { .ip_version = 4 };
	struct rte_mbuf *m = new_mbuf();
	struct wk_pkt pkt;

	memcpy(rte_pktmbuf_append(m, (uint16_t)len_b), frame, len_b);
	wk_pkt_parse_burst(&m, 1, &pkt);
	if ((pkt.flags & (WK_PKT_F_FRAG | WK_PKT_F_MALFORMED)) != WK_PKT_F_FRAG) {
		rte_pktmbuf_free(m);
		return false;
	}
	input(m, &pkt, &nobody, now_ns);
	return true;
}

void kit_send_all(struct spec *spec, uint32_t size_b)
{
	for (uint32_t off = 0; off < spec->total_b; off += size_b) {
		spec->off = (uint16_t)off;
		spec->len = (uint16_t)RTE_MIN(size_b, spec->total_b - off);
		spec->more = off + size_b < spec->total_b;
		kit_input(spec, 1);
	}
}

char kit_letter(enum wk_frag_verdict verdict)
{
	if (verdict != WK_FRAG_END)
		return verdict == WK_FRAG_KEPT ? 'k' : 'w';
	switch (kit.reason) {
	case WK_DROP_FRAG_OVERLAP:
		return 'o';
	case WK_DROP_FRAG_LEN:
		return 'l';
	case WK_DROP_FRAG_FULL:
		return 'f';
	case WK_DROP_FRAG_DUP:
		return 'd';
	default:
		return '?';
	}
}

bool kit_whole_is(const struct spec *spec)
{
	static uint8_t want[FRAME_B];
	uint32_t len_b = put_frame(want, spec, true);

	if (kit.whole.len_b != len_b) {
		printf("%u bytes, not %u\n", kit.whole.len_b, len_b);
		return false;
	}
	for (uint32_t i = 0; i < len_b; i++) {
		if (kit.whole.frame[i] == want[i])
			continue;
		printf("byte %u is %02x, not %02x\n", i, kit.whole.frame[i], want[i]);
		return false;
	}
	return true;
}

bool kit_books_even(void)
{
	uint64_t out = kit.stats.held + kit.put_together;

	for (int i = 0; i < WK_REASON_MAX; i++)
		out += kit.stats.reason[i];
	if (out != kit.rx)
		printf("%lu fragments in, %lu out\n", (unsigned long)kit.rx, (unsigned long)out);
	return out == kit.rx && rte_mempool_in_use_count(kit.pool) == kit.stats.held;
}
