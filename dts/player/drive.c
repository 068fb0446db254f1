/* SPDX-License-Identifier: Apache-2.0 */
#include "drive.h"

#include <stdlib.h>

#include "wire.h"

#define ACTIVE_MAX 256u
#define RETRY_NS   400000000u
#define TRIES      15u

void drive_input(enum side at, const uint8_t *frame, size_t len_b)
{
	struct tcp tcp;

	if (!frame_tcp_read(frame, len_b, &tcp)) {
		counts.unsound++;
		return;
	}
	if (!conn_input(at, &tcp))
		counts.answered += at == CLIENT;
}

static void begin(uint32_t number, enum step step, uint64_t now)
{
	wire_room(CLIENT);
	conn_at(number)->due_ns = now + RETRY_NS;
	conn_begin(number, step);
}

/* @return true: nothing is left to be done for it. */
static bool tend(uint32_t number, uint64_t now)
{
	struct conn *conn = conn_at(number);

	if (conn_done(conn)) {
		conn->step = STEP_NONE;
		return true;
	}
	if (conn->failed || conn->tries == TRIES) {
		conn->failed = true;
		counts.failed++;
		return true;
	}
	if (now >= conn->due_ns) {
		conn->due_ns = now + RETRY_NS;
		conn_again(number);
	}
	return false;
}

void drive(enum step step, uint32_t n, uint32_t stride)
{
	uint32_t active[ACTIVE_MAX];
	uint32_t most = options.window / 4 < ACTIVE_MAX ? options.window / 4 : ACTIVE_MAX;
	uint32_t n_active = 0, next = 0;

	while (next < n || n_active > 0) {
		uint64_t now = now_ns();

		for (; n_active < most && next < n; next += stride)
			if (!conn_at(next)->failed) {
				active[n_active++] = next;
				begin(next, step, now);
			}
		wire_poll(1);
		for (uint32_t i = 0; i < n_active;)
			if (tend(active[i], now))
				active[i] = active[--n_active];
			else
				i++;
	}
}
