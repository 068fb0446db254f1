/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors: none is believed about what is not under way, and the number that goes on is the one
 * that the sender knows the byte by. */
#include "check.h"

#include "wk_seq.h"

/* What the sender of the stream calls the offset `out` of its receiver. */
static uint64_t sender_knows(const struct check *check, enum wk_dir dir, uint64_t out)
{
	const struct check_half *half = &check->half[dir];
	const struct judge_dir *d = &check->judge->dir[dir];

	if (half->fin_out > 0 && out > half->fin_out)
		return half->fin_in + 1;
	if (dir == WK_S2C)
		return 1 + check_server_in(check, out - 1);
	if (out - 1 >= d->out_b)
		return 1 + d->in_b + (out - 1 - d->out_b);
	return 1 + check_client_in(d, out - 1);
}

void check_quoted(struct check *check, enum wk_dir dir, uint32_t seq, bool open,
		  const uint32_t *in_seq, uint64_t acked_in)
{
	const struct check_half *half = &check->half[dir];
	int64_t out = wk_seq_unwrap(half->isn, seq, half->ack_max);
	int64_t end = (int64_t)half->end_out +
		      (half->fin_out == half->end_out && half->fin_out > 0);
	uint64_t seen_end = half->seen.n > 0 ? half->seen.r[half->seen.n - 1].to : 0, in, knows;

	if (!in_seq) {
		if (open && out >= (int64_t)half->ack_heard && out <= end)
			check_fail(check, "no error about byte %ld of stream %d is believed", out,
				   dir);
		return;
	}
	in = (uint64_t)wk_seq_unwrap(half->isn, *in_seq, half->ack_in_max);
	if (out < (int64_t)half->ack_sure || out > end) {
		check_fail(check, "an error about %ld of stream %d is believed, under way: %lu-%ld",
			   out, dir, half->ack_sure, end);
		return;
	}
	if (in < half->ack_in_max || in > seen_end)
		check_fail(check, "an error about %lu of stream %d goes on, its sender has %lu-%lu",
			   in, dir, half->ack_in_max, seen_end);
	knows = sender_knows(check, dir, (uint64_t)out);
	if (in != (knows > acked_in ? knows : acked_in))
		check_fail(check,
			   "an error about %lu of stream %d goes on, its sender calls it %lu", in,
			   dir, knows);
}

void check_too_big(struct check *check)
{
	ranges_clear(&check->half[WK_C2S].fresh);
	ranges_clear(&check->half[WK_S2C].fresh);
}

void check_sent_again(struct check *check, enum wk_dir dir, uint32_t seq, uint32_t len_b)
{
	const struct check_half *half = &check->half[dir];
	uint64_t from = (uint64_t)wk_seq_unwrap(half->isn, seq, half->ack_max), to = from + len_b;

	for (uint32_t i = 0; i < half->n_inserts; i++) {
		uint64_t first = half->inserts[i].out + 1, end = first + half->inserts[i].len_b;

		if (first < from)
			first = from;
		if (first < half->ack_max)
			first = half->ack_max;
		if (first < end && first < to && first < half->end_out &&
		    !ranges_find(&half->fresh, first)) {
			check_fail(check,
				   "the insertion at %lu of stream %d was too big, and is not sent "
				   "again",
				   first, dir);
			return;
		}
	}
}
