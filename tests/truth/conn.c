/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HDR_B     9u
#define MAGIC_B   24u
#define AHEAD_B   30000u /* under way at once */
#define PATIENCE  24u    /* segments without progress until all is sent again */
#define MS        1000000ull
#define COOKIE_B  20u /* a shorter one could be guessed */
#define FNV_PRIME 0x100000001b3ull

/* ---- what all of it shares ---- */

struct truth_call *truth_find(struct truth_conn *conn, uint32_t id)
{
	for (uint32_t i = 0; i < conn->n_calls; i++)
		if (conn->call[i].id == id)
			return &conn->call[i];
	return NULL;
}

void truth_put_block(struct h2_bytes *to, char kind, uint32_t id)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%c %u\n", kind, id);

	h2_bytes_add(to, text, (size_t)n);
}

void truth_put_line(struct h2_bytes *to, const void *name, size_t name_b, const void *value,
		    size_t value_b, bool never)
{
	h2_bytes_add(to, never ? "\t!" : "\t", never ? 2 : 1);
	h2_bytes_add(to, name, name_b);
	h2_bytes_add(to, ": ", 2);
	h2_bytes_add(to, value, value_b);
	h2_bytes_add(to, "\n", 1);
}

uint64_t truth_hash(uint64_t hash, const void *name, size_t name_b, const void *value,
		    size_t value_b)
{
	const uint8_t *p[] = { name, value };
	const size_t n[] = { name_b, value_b };

	for (int i = 0; i < 2; i++) {
		for (size_t at = 0; at < n[i]; at++)
			hash = (hash ^ p[i][at]) * FNV_PRIME;
		hash = (hash + 1) * FNV_PRIME;
	}
	return hash;
}

bool truth_walk(struct truth_conn *conn, enum wk_dir dir, struct truth_frame *frame)
{
	const struct pair_end *end = &conn->box->pair[conn->number]->end[wk_dir_flip(dir)];
	const uint8_t *p;

	if (dir == WK_C2S && conn->walked_b[dir] == 0)
		conn->walked_b[dir] = MAGIC_B;
	if (end->rx_len_b < conn->walked_b[dir] + HDR_B)
		return false;
	p = end->rx + conn->walked_b[dir];
	frame->len_b = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	frame->type = p[3];
	frame->flags = p[4];
	frame->id = (uint32_t)(p[5] & 0x7f) << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 |
		    p[8];
	conn->walked_b[dir] += HDR_B + frame->len_b;
	return true;
}

/* ---- segments ---- */

static uint32_t acked_b(const struct truth_conn *conn, enum wk_dir dir)
{
	const struct pair_end *end = &conn->box->pair[conn->number]->end[dir];

	return end->una - end->isn - 1;
}

/* Where the next segment begins. */
static uint32_t choose_place(struct truth_conn *conn, enum wk_dir dir)
{
	uint32_t acked = acked_b(conn, dir), sent = conn->sent_b[dir];

	if (acked > conn->acked_b[dir]) {
		conn->acked_b[dir] = acked;
		conn->stalled[dir] = 0;
	}
	if (acked < sent && ++conn->stalled[dir] > PATIENCE) {
		conn->stalled[dir] = 0;
		conn->sent_b[dir] = acked;
		return acked;
	}
	if (!conn->style.messy || rng_chance(&conn->rng, 800))
		return sent;
	if (rng_chance(&conn->rng, 500))
		return acked + rng_range32(&conn->rng, 0, sent + 2000 - acked);
	return acked - rng_range32(&conn->rng, 0, acked < 200 ? acked : 200);
}

static void say(struct truth_conn *conn, enum wk_dir dir)
{
	const struct h2_bytes *talk = &conn->talk[dir];
	uint32_t from_b = choose_place(conn, dir), all_b = (uint32_t)talk->n;
	uint32_t most_b = rng_chance(&conn->rng, 300) ? 20 : conn->style.segment_b;
	uint32_t len_b = rng_range32(&conn->rng, 1, most_b);

	if (from_b > all_b || from_b - conn->acked_b[dir] > AHEAD_B) /* wraps below acked */
		from_b = conn->sent_b[dir] < all_b ? conn->sent_b[dir] : all_b;
	if (from_b > conn->acked_b[dir] + AHEAD_B)
		len_b = 0;
	if (len_b > all_b - from_b)
		len_b = all_b - from_b;
	truth_box_send(conn->box, conn->number, dir, from_b, talk->p + from_b, len_b,
		       from_b + len_b == all_b || rng_chance(&conn->rng, 300));
	if (from_b <= conn->sent_b[dir] && from_b + len_b > conn->sent_b[dir])
		conn->sent_b[dir] = from_b + len_b;
}

void truth_conn_step(struct truth_conn *conn)
{
	uint32_t dice = rng_range32(&conn->rng, 0, 99);

	if (dice < 18)
		truth_client_act(conn);
	else if (dice < 26)
		truth_server_act(conn);
	else if (dice < 60)
		say(conn, WK_C2S);
	else if (dice < 95)
		say(conn, WK_S2C);
	else
		truth_box_wait(conn->box, rng_chance(&conn->rng, 50)
						  ? 300 * MS
						  : rng_range32(&conn->rng, 1, 5) * MS);
	truth_server_read(conn);
	truth_client_read(conn);
	truth_client_write(conn);
	truth_server_write(conn);
}

/* ---- the end ---- */

bool truth_conn_quiet(struct truth_conn *conn)
{
	if (conn->n_calls < conn->style.calls)
		return false;
	for (uint32_t i = 0; i < conn->n_calls; i++)
		if (!conn->call[i].closed)
			return false;
	for (int dir = 0; dir < WK_DIRS; dir++)
		if (acked_b(conn, (enum wk_dir)dir) < conn->talk[dir].n)
			return false;
	return true;
}

void truth_conn_hangs(struct truth_conn *conn)
{
	for (int dir = 0; dir < WK_DIRS; dir++)
		if (acked_b(conn, (enum wk_dir)dir) < conn->talk[dir].n)
			truth_fault(conn->box, "%u of %zu bytes arrive, direction %d",
				    acked_b(conn, (enum wk_dir)dir), conn->talk[dir].n, dir);
	for (uint32_t i = 0; i < conn->n_calls; i++) {
		const struct truth_call *call = &conn->call[i];

		if (!call->closed)
			truth_fault(conn->box,
				    "stream %u (%d) stays open: sent %d, ended %d, paused %d, left "
				    "%u, seen %d, answered %d, replies %u, resets %u",
				    call->id, call->want, call->sent, call->ended, call->paused,
				    call->left_b, call->seen, call->answered, call->replies,
				    call->resets);
	}
	if (conn->n_calls < conn->style.calls)
		truth_fault(conn->box, "calls are missing");
}

static void judge_denied(struct truth_conn *conn, const struct truth_call *call)
{
	uint32_t replies = call->want == TRUTH_DENY ? 1 : 0;

	if (call->replies > replies || call->resets > 1)
		truth_fault(conn->box, "stream %u: %u replies, %u resets", call->id, call->replies,
			    call->resets);
	if (call->cancelled)
		return;
	if (call->replies < replies || (call->want == TRUTH_REFUSE && call->resets == 0))
		truth_fault(conn->box, "stream %u: no answer", call->id);
	if (call->want == TRUTH_DENY && !call->status_right)
		truth_fault(conn->box, "stream %u: another status", call->id);
}

static void judge_allowed(struct truth_conn *conn, const struct truth_call *call)
{
	if (!call->seen && !call->turned_away)
		truth_fault(conn->box, "stream %u: the server has not seen it", call->id);
	if (call->cancelled || call->reset)
		return;
	if (call->read_b != call->body_b)
		truth_fault(conn->box, "stream %u: %u of %u bytes", call->id, call->read_b,
			    call->body_b);
	if (call->heard_b != call->answer_b || call->heard_hash != call->said_hash)
		truth_fault(conn->box, "stream %u: another answer", call->id);
}

static bool begins(const char *line, size_t n, const char *with)
{
	return n >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* libnghttp2, which writes blocks anew, never indexes these on its own account. */
static bool secret(const char *line, size_t n)
{
	static const char cookie[] = "cookie: ";

	return begins(line, n, "authorization: ") ||
	       (begins(line, n, cookie) && n < strlen(cookie) + COOKIE_B);
}

static const char *text_of(const struct h2_bytes *b)
{
	return b->n > 0 ? (const char *)b->p : "";
}

/* The length of a line without its end. */
static size_t line_b(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return newline ? (size_t)(newline - p) : (size_t)(end - p);
}

static bool same_line(const char *want, size_t want_n, const char *got, size_t got_n)
{
	if (want_n == got_n && memcmp(want, got, got_n) == 0)
		return true;
	return got_n == want_n + 1 && got[0] == '\t' && got[1] == '!' && want[0] == '\t' &&
	       memcmp(want + 1, got + 2, want_n - 1) == 0 && secret(want + 1, want_n - 1);
}

/* Trailers on a stream that the server has reset, and all of one that was too many for it. */
static bool may_miss(const struct truth_call *call, char kind)
{
	return kind == 'T' ? call->reset : call->turned_away;
}

/* What the server decoded is what was allowed, in order. */
static void judge_requests(struct truth_conn *conn)
{
	const char *want = text_of(&conn->want), *want_end = want + conn->want.n;
	const char *got = text_of(&conn->got), *got_end = got + conn->got.n;
	bool skipping = false;
	uint32_t id;

	while (want < want_end) {
		size_t want_n = line_b(want, want_end);
		size_t got_n = got < got_end ? line_b(got, got_end) : 0;

		if (want[0] != '\t')
			skipping = false;
		if (!skipping && got_n > 0 && same_line(want, want_n, got, got_n)) {
			got += got_n + 1;
		} else if (want[0] != '\t' && sscanf(want + 1, "%u", &id) == 1 &&
			   may_miss(truth_find(conn, id), want[0])) {
			skipping = true;
		} else if (!skipping) {
			truth_fault(conn->box, "the server decodes \"%.*s\", not \"%.*s\"",
				    (int)got_n, got_n > 0 ? got : "", (int)want_n, want);
			return;
		}
		want += want_n + 1;
	}
	if (got < got_end)
		truth_fault(conn->box, "the server decodes \"%.*s\" at the end",
			    (int)line_b(got, got_end), got);
}

void truth_conn_judge(struct truth_conn *conn)
{
	judge_requests(conn);
	for (uint32_t i = 0; i < conn->n_calls; i++) {
		if (conn->call[i].cancelled && !conn->call[i].sent)
			continue;
		if (conn->call[i].want == TRUTH_ALLOW)
			judge_allowed(conn, &conn->call[i]);
		else
			judge_denied(conn, &conn->call[i]);
	}
}

void truth_conn_init(struct truth_conn *conn, struct truth_box *box, uint32_t number,
		     const struct truth_style *style, enum wk_policy_reply reply,
		     struct sim_rng rng)
{
	memset(conn, 0, sizeof(*conn));
	conn->box = box;
	conn->number = number;
	conn->style = *style;
	conn->reply = reply;
	conn->rng = rng;
	truth_words_init(&conn->words, &conn->rng);
	truth_client_init(conn);
	truth_server_init(conn);
	truth_client_write(conn);
	truth_server_write(conn);
}

void truth_conn_fini(struct truth_conn *conn)
{
	nghttp2_session_del(conn->client);
	nghttp2_session_del(conn->server);
	truth_words_fini(&conn->words);
	for (int dir = 0; dir < WK_DIRS; dir++)
		h2_bytes_free(&conn->talk[dir]);
	h2_bytes_free(&conn->want);
	h2_bytes_free(&conn->got);
	h2_bytes_free(&conn->raw);
	h2_bytes_free(&conn->announced);
}
