/* SPDX-License-Identifier: Apache-2.0 */
/* golden.c - captures through whole workers, compared frame by frame.
 *
 * golden [--workers N] DIR...: each DIR holds in.pcap, wicket.conf and what must come out:
 * expect.client.pcap and expect.server.pcap (the frames that leave on each side, in order, byte for
 * byte) and expect.stats (every reason that is not 0). The capture's time is the clock. With
 * several workers, frames arrive at them in turn, and the same must come out. Exit code: cases that
 * failed; what they gave is left in golden.<case>.{client,server}.pcap in the working folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "side.h"
#include "team_kit.h"

#define INBOX        64u
#define OWNER_SECRET 0x2u
/* References of replies are made of its upper half. */
#define SECRET UINT64_C(0x328eff5200000001)

static uint32_t workers = 1;

/* Takes what has left. outs: by direction, WK_S2C leaves on the client's side. */
static void collect(void *outs, uint64_t now_ns)
{
	for (int dir = 0; dir < WK_DIRS; dir++) {
		struct capture *out = (struct capture *)outs + dir;
		struct rte_mbuf *m;
		uint32_t queue;

		while ((m = team_sent(0, (enum wk_dir)dir, &queue)) != NULL) {
			capture_add(out, rte_pktmbuf_mtod(m, const uint8_t *),
				    rte_pktmbuf_data_len(m), now_ns);
			rte_pktmbuf_free(m);
		}
	}
}

/* Frame after frame to worker after worker: whose it is, most often it is another's. */
static int feed(const struct capture_frame *frame, enum wk_dir dir, uint32_t number,
		struct capture *outs)
{
	if (!team_feed(0, dir, number % workers, frame->bytes, frame->len_b))
		return -ENOSPC;
	team_run(frame->time_ns);
	collect(outs, frame->time_ns);
	return 0;
}

static bool same_stats(const char *dir)
{
	static const struct wk_stats zero;
	struct wk_stats want = zero;
	struct wk_stats got;
	char path[PATH_MAX];
	char line[128];
	bool same = true;
	FILE *file;

	snprintf(path, sizeof(path), "%s/expect.stats", dir);
	file = fopen(path, "r");
	if (!file) {
		printf("  %s: %s\n", path, strerror(errno));
		return false;
	}
	while (fgets(line, sizeof(line), file)) {
		char key[64];
		unsigned long n;

		if (sscanf(line, "%63s %lu", key, &n) != 2)
			continue;
		for (int i = 0; i < WK_REASON_MAX; i++)
			if (strcmp(key, wk_reason_key((enum wk_reason)i)) == 0)
				want.reason[i] = n;
		for (int i = 0; i < WK_CALL_REASON_MAX; i++)
			if (strcmp(key, wk_call_reason_key((enum wk_call_reason)i)) == 0)
				want.call[i] = n;
	}
	fclose(file);
	team_stats(&got);
	for (int i = 0; i < WK_REASON_MAX; i++) {
		if (got.reason[i] == want.reason[i])
			continue;
		printf("  reason %s: %lu, not %lu\n", wk_reason_key((enum wk_reason)i),
		       (unsigned long)got.reason[i], (unsigned long)want.reason[i]);
		same = false;
	}
	for (int i = 0; i < WK_CALL_REASON_MAX; i++) {
		if (got.call[i] == want.call[i])
			continue;
		printf("  calls %s: %lu, not %lu\n", wk_call_reason_key((enum wk_call_reason)i),
		       (unsigned long)got.call[i], (unsigned long)want.call[i]);
		same = false;
	}
	return same;
}

static bool same_side(const char *dir, const char *side, const struct capture *got)
{
	struct capture want = { 0 };
	char path[PATH_MAX];
	bool same;

	snprintf(path, sizeof(path), "%s/expect.%s.pcap", dir, side);
	if (!capture_read(&want, path))
		return false;
	same = capture_same(&want, got, side);
	capture_free(&want);
	if (!same) {
		const char *name = strrchr(dir, '/');

		snprintf(path, sizeof(path), "golden.%s.%s.pcap", name ? name + 1 : dir, side);
		capture_write(got, path);
	}
	return same;
}

/* Several workers: most of what is guarded was another's. */
static bool handed_over(void)
{
	struct wk_stats sum;

	team_stats(&sum);
	printf("  %lu handed over\n", (unsigned long)sum.counter[WK_CNT_HANDOVER]);
	return workers == 1 || sum.counter[WK_CNT_HANDOVER] > 0 ||
	       sum.reason[WK_FWD_GUARDED] + sum.reason[WK_FWD_EDITED] == 0;
}

static bool run_frames(const char *dir, const struct wk_snapshot *snapshot, struct capture *outs)
{
	struct capture in = { 0 };
	struct side_rule rule;
	char path[PATH_MAX];
	int ret = 0;

	snprintf(path, sizeof(path), "%s/in.pcap", dir);
	if (!capture_read(&in, path))
		return false;
	side_rule_init(&rule, snapshot->acl, dir);
	for (uint32_t i = 0; i < in.n && ret == 0; i++) {
		team_timers(in.frames[i].time_ns, collect, outs);
		ret = feed(&in.frames[i], side_of(&rule, &in.frames[i], i), i, outs);
	}
	if (ret != 0)
		printf("  feeding: %s\n", strerror(-ret));
	capture_free(&in);
	return ret == 0;
}

static bool run_workers(const char *dir, const struct wk_snapshot *snapshot)
{
	const struct team_conf conf = {
		.workers = workers,
		.inbox = INBOX,
		.owner_secret = OWNER_SECRET,
		.inspect_secret = SECRET,
	};
	struct capture outs[WK_DIRS] = { { 0 }, { 0 } };
	bool good = team_open(&conf, snapshot) == 0 && run_frames(dir, snapshot, outs);

	if (good) {
		good = same_side(dir, "client", &outs[WK_S2C]);
		good = same_side(dir, "server", &outs[WK_C2S]) && good;
		good = same_stats(dir) && good;
		good = team_balanced() && good;
		good = handed_over() && good;
	}
	capture_free(&outs[WK_C2S]);
	capture_free(&outs[WK_S2C]);
	return team_close() && good;
}

static bool run_case(const char *dir)
{
	static uint64_t version;
	struct wk_snapshot *snapshot = NULL;
	struct wk_conf_error error;
	struct wk_conf *conf = NULL;
	char path[PATH_MAX];
	bool good;

	snprintf(path, sizeof(path), "%s/wicket.conf", dir);
	if (wk_conf_load(path, &conf, &error) != 0) {
		printf("  %s\n", error.text);
		return false;
	}
	if (wk_snapshot_build(conf, ++version, NULL, 0, &snapshot, &error) != 0) {
		printf("  %s\n", error.text);
		wk_conf_free(conf);
		return false;
	}
	good = run_workers(dir, snapshot);
	wk_snapshot_free(snapshot);
	return good;
}

int main(int argc, char **argv)
{
	int first = 1;
	int failed = 0;

	if (argc > 2 && strcmp(argv[1], "--workers") == 0) {
		workers = (uint32_t)atoi(argv[2]);
		first = 3;
	}
	if (workers < 1 || workers > TEAM_WORKERS_MAX || team_start("golden") != 0) {
		fprintf(stderr, "no pool, no ports or too many workers\n");
		return 1;
	}
	for (int i = first; i < argc; i++) {
		printf("%s\n", argv[i]);
		fflush(stdout);
		if (!run_case(argv[i])) {
			printf("  FAILED\n");
			failed++;
		}
	}
	printf("%d cases, %d failed\n", argc - first, failed);
	team_stop();
	return failed;
}
