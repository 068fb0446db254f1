/* SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

#include <string.h>

#include <rte_common.h>

#include "net.h"

/* A datagram holds its number and a stripe that follows from it. Neither direction may lose or
 * reorder any. */
static uint64_t sent, sent_back, returned;
static uint8_t stripe[2048];

static void send(enum side side, uint64_t number)
{
	struct rte_mbuf *mbuf = net_frame();
	uint8_t *data = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, PLAIN_B);
	uint32_t data_b = options.plain_b - PLAIN_B;

	mbuf->data_len = (uint16_t)options.plain_b;
	mbuf->pkt_len = options.plain_b;
	memcpy(data, &number, sizeof(number));
	memcpy(data + sizeof(number), stripe + number % 256, data_b - sizeof(number));
	plain_write(mbuf, side);
	net_send(side, mbuf);
}

static bool due(void)
{
	uint64_t all = gen.counts.sent + net_waiting();

	/* Each goes there and back. */
	return (sent + sent_back) * 100 < all * options.plain_pct || options.plain_pct == 100;
}

void plain_begin(void)
{
	if (options.plain_pct == 0 || gen.stopping)
		return;
	if (sent == 0)
		for (uint32_t i = 0; i < sizeof(stripe); i++)
			stripe[i] = (uint8_t)gen_draw();
	while (plain_open() < options.flight / 2 && due())
		send(CLIENT, sent++);
}

void plain_receive(enum side side, const struct segment *seg)
{
	uint64_t *next = side == SERVER ? &sent_back : &returned;
	uint64_t number;

	if (seg->data_b != options.plain_b - PLAIN_B)
		gen_fail("a datagram of %u bytes, not %u", seg->data_b, options.plain_b - PLAIN_B);
	memcpy(&number, seg->data, sizeof(number));
	if (number != *next)
		gen_fail("at the %s, datagram %llu instead of %llu: lost or out of order",
			 side == SERVER ? "server" : "client", (unsigned long long)number,
			 (unsigned long long)*next);
	if (memcmp(seg->data + sizeof(number), stripe + number % 256,
		   seg->data_b - sizeof(number)) != 0)
		gen_fail("a wrong byte in datagram %llu", (unsigned long long)number);
	gen.counts.plain++;
	(*next)++;
	if (side == SERVER)
		send(SERVER, number);
}

uint64_t plain_open(void)
{
	return sent - returned;
}
