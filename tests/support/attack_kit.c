/* SPDX-License-Identifier: Apache-2.0 */
#include "attack_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire_bytes.h"

/* Of a frame, lost or not. IPv4 without options and tags. */
static void read_frame(const struct rig_out *out, struct wk_tcp_seg *seg)
{
	const uint8_t *ip = out->frame + 14;
	uint32_t len_b = get16(ip + 2);

	assert_int_equal(ip[0], 0x45);
	assert_int_equal(wk_tcp_seg_parse(seg, ip + 20, len_b - 20), 0);
}

static void lay(struct attack *a, const struct wk_tcp_seg *seg)
{
	uint32_t off = seg->seq - a->rig->pair.end[WK_C2S].isn - 1;

	assert_true(seg->flags & WK_TCP_ACK);
	assert_false(seg->flags & WK_TCP_URG);
	for (uint32_t k = 0; k < seg->data_len_b; k++) {
		assert_true(off + k < TAP_B);
		if (!a->seen[off + k])
			a->first[off + k] = seg->data[k];
		a->last[off + k] = seg->data[k];
		a->seen[off + k] = true;
	}
	if (!(seg->flags & WK_TCP_FIN))
		return;
	off += seg->data_len_b;
	if (a->fin_at != 0)
		assert_int_equal(off, a->fin_at);
	a->fin_at = off;
}

void attack_tap(struct attack *a)
{
	for (uint32_t i = 0; i < a->rig->n_out; i++) {
		struct wk_tcp_seg seg;

		if (a->rig->out[i].dir != WK_C2S)
			continue;
		read_frame(&a->rig->out[i], &seg);
		if (seg.flags & (WK_TCP_SYN | WK_TCP_RST))
			assert_int_equal(seg.data_len_b, 0);
		else
			lay(a, &seg);
	}
	a->rig->n_out = 0;
}

struct attack *attack_new(const struct rig_conf *conf)
{
	struct attack *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->rig = rig_new(conf);
	a->rig->events_off = true;
	return a;
}

void attack_open(struct attack *a)
{
	rig_connect(a->rig);
	rig_greet(a->rig);
	a->at = a->rig->pair.end[WK_C2S].nxt;
	/* The preface is not the tap's business, but its place is. */
	memcpy(a->first, a->rig->pair.end[WK_S2C].rx, a->rig->pair.end[WK_S2C].rx_len_b);
	memcpy(a->last, a->first, a->rig->pair.end[WK_S2C].rx_len_b);
	memset(a->seen, 1, a->rig->pair.end[WK_S2C].rx_len_b);
}

struct attack *attack_start(void)
{
	struct attack *a = attack_new(&rig_conf_default);

	attack_open(a);
	return a;
}

static void clean(const uint8_t *bytes)
{
	assert_null(memmem(bytes, TAP_B, MARK, strlen(MARK)));
}

void attack_end(struct attack *a)
{
	attack_tap(a);
	clean(a->first);
	clean(a->last);
	/* Nothing behind the end, in any reading. */
	if (a->fin_at != 0 && a->fin_at < TAP_B)
		assert_false(a->seen[a->fin_at]);
	rig_free(a->rig);
	free(a);
}

enum wk_inspect_verdict put(struct attack *a, uint32_t seq, uint8_t flags, const void *data,
			    uint32_t len_b)
{
	uint8_t frame[PAIR_FRAME_MAX_B];
	enum wk_inspect_verdict verdict;
	uint32_t n;

	a->rig->pair.clock++;
	n = pair_send_at(&a->rig->pair, WK_C2S, seq, a->rig->pair.end[WK_C2S].ack, flags, data,
			 len_b, frame);
	verdict = rig_frame(a->rig, WK_C2S, frame, n);
	attack_tap(a);
	return verdict;
}

void put_lost(struct attack *a, uint32_t seq, uint8_t flags, const void *data, uint32_t len_b)
{
	a->rig->lose_in_256 = ALL;
	put(a, seq, flags, data, len_b);
	a->rig->lose_in_256 = 0;
}

void sent_to(struct attack *a, uint32_t seq)
{
	a->at = seq;
	a->rig->pair.end[WK_C2S].nxt = seq;
}

void server_acks(struct attack *a)
{
	rig_ack(a->rig, WK_S2C);
	attack_tap(a);
}

void quiet(struct attack *a, uint64_t ns)
{
	rig_wait(a->rig, ns);
	attack_tap(a);
}

uint32_t request(uint8_t *to, uint32_t stream, const char *path)
{
	static const uint8_t rest[] = "\x0f\x10\x10"
				      "application/grpc"
				      "\x00\x02te\x08trailers";
	uint8_t block[256] = { 0x83, 0x86, 0x04 };
	uint32_t n = 3;

	block[n++] = (uint8_t)strlen(path);
	memcpy(block + n, path, strlen(path));
	n += (uint32_t)strlen(path);
	memcpy(block + n, rest, sizeof(rest) - 1);
	n += (uint32_t)sizeof(rest) - 1;
	return h2w_frame(to, H2W_HEADERS, H2W_END_STREAM | H2W_END_HEADERS, stream, block, n);
}

void expect_served(struct attack *a, uint32_t stream, const char *path)
{
	struct h2w_fields fields;

	assert_int_equal(rig_server_headers(a->rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":path"), path);
}

void expect_nothing_served(struct attack *a)
{
	struct h2w_fields fields;

	assert_int_equal(rig_server_headers(a->rig, &fields), 0);
}

void expect_denied(struct attack *a, uint32_t stream)
{
	struct h2w_fields fields = { 0 };

	assert_int_equal(rig_client_headers(a->rig, &fields), stream);
	assert_string_equal(h2w_field(&fields, ":status"), "403");
}

void expect_alive(struct attack *a, uint32_t stream)
{
	uint8_t bytes[512];
	uint32_t n = request(bytes, stream, ALLOWED);

	put(a, a->at, PAIR_ACK | PAIR_PSH, bytes, n);
	sent_to(a, a->at + n);
	expect_served(a, stream, ALLOWED);
}
