/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_bench.c - what a packet costs a connection whose server has acknowledged nothing for long.
 */
#include "bench.h"
#include "tcp_world.h"

#define OPS 100u

/* One byte after another. */
static void new_bytes(void *user)
{
	struct world *w = user;

	for (uint32_t i = 0; i < OPS; i++)
		from_client(w, "x");
}

/* The last byte of the last record, again and again. */
static void old_bytes(void *user)
{
	struct world *w = user;

	for (uint32_t i = 0; i < OPS; i++)
		give(w, WK_C2S, w->c_seq - 1, WK_TCP_ACK, "?");
}

/* The server misses the first byte and has the last. */
static void sack_blocks(void *user)
{
	struct world *w = user;
	uint32_t end = w->s_ack + (uint32_t)(w->flow.half[WK_C2S].e_out - 1);
	const uint32_t blocks[][2] = { { end - 2, end },
				       { end - 6, end - 4 },
				       { end - 10, end - 8 } };

	for (uint32_t i = 0; i < OPS; i++)
		give_sack(w, WK_S2C, w->s_seq, WK_TCP_ACK, "", blocks, 3);
}

static void rows(const char *how, uint32_t records)
{
	static const struct {
		const char *what;
		void (*fn)(void *user);
	} ops[] = {
		{ "old byte", old_bytes },
		{ "three SACK blocks", sack_blocks },
		{ "new byte", new_bytes },
	};
	void *world;

	if (set_up_sack_world(&world) != 0)
		abort();
	for (uint32_t i = 0; i < records; i++)
		from_client(world, "r123456789");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s, %s", ops[i].what, how);
		bench_row(name, OPS, ops[i].fn, world);
	}
	tear_down_world(&world);
}

int main(void)
{
	bench_begin();
	rows("1 record", 1);
	rows("1000 records", 1000);
	return 0;
}
