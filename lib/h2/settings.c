/* SPDX-License-Identifier: Apache-2.0 */
/* SETTINGS of both sides: what they announce takes effect when the other side's ACK passes, at the
 * ACK's place in its own stream. */
#include "h2_priv.h"

#define SETTING_B 6u

enum setting {
	HEADER_TABLE_SIZE = 0x1,
	ENABLE_PUSH = 0x2,
	MAX_CONCURRENT_STREAMS = 0x3,
	INITIAL_WINDOW_SIZE = 0x4,
	MAX_FRAME_SIZE = 0x5,
};

/* full: what it means that too many wait. */
static enum wk_h2_error push(struct h2_notes *notes, struct wk_mem *mem, const struct h2_note *note,
			     enum wk_h2_error full)
{
	if (notes->n == H2_NOTES_MAX)
		return full;
	if (!notes->v)
		notes->v = wk_mem_alloc(mem, H2_NOTES_MAX * sizeof(*notes->v));
	if (!notes->v)
		return WK_H2_E_MEMORY;
	notes->v[(notes->head + notes->n++) % H2_NOTES_MAX] = *note;
	return WK_H2_E_OK;
}

static bool pop(struct h2_notes *notes, struct wk_mem *mem, struct h2_note *note)
{
	if (notes->n == 0)
		return false;
	*note = notes->v[notes->head];
	notes->head = (uint8_t)((notes->head + 1) % H2_NOTES_MAX);
	if (--notes->n == 0)
		h2_notes_free(notes, mem);
	return true;
}

void h2_notes_free(struct h2_notes *notes, struct wk_mem *mem)
{
	wk_mem_free(mem, notes->v);
	*notes = (struct h2_notes){ 0 };
}

static bool value_ok(uint32_t id, uint32_t value)
{
	switch (id) {
	case ENABLE_PUSH:
		return value <= 1;
	case INITIAL_WINDOW_SIZE:
		return value <= 0x7fffffffu;
	case MAX_FRAME_SIZE:
		return value >= H2_FRAME_DEFAULT_B && value <= 0xffffffu;
	default:
		return true;
	}
}

static void note_table(struct h2_note *note, uint32_t value)
{
	if (value > H2_ID_MASK)
		value = H2_ID_MASK;
	if (note->table_min_b == H2_ABSENT || value < note->table_min_b)
		note->table_min_b = value;
	note->table_last_b = value;
}

/* @return what is wrong with a value (RFC 9113 6.5.2). *max_frame_b grows with the frame's. */
static enum wk_h2_error read_settings(const uint8_t *payload, uint32_t len_b, struct h2_note *note,
				      uint32_t *max_frame_b)
{
	*note = (struct h2_note){ H2_ABSENT, H2_ABSENT, H2_ABSENT, H2_ABSENT };
	for (uint32_t at = 0; at + SETTING_B <= len_b; at += SETTING_B) {
		uint32_t id = (uint32_t)payload[at] << 8 | payload[at + 1];
		uint32_t value = h2_get32(payload + at + 2);

		if (!value_ok(id, value))
			return id == INITIAL_WINDOW_SIZE ? WK_H2_E_FLOW_CONTROL : WK_H2_E_SETTINGS;
		if (id == HEADER_TABLE_SIZE)
			note_table(note, value);
		else if (id == MAX_CONCURRENT_STREAMS)
			note->streams = value;
		else if (id == INITIAL_WINDOW_SIZE)
			note->window_b = value;
		else if (id == MAX_FRAME_SIZE && value > *max_frame_b)
			*max_frame_b = value;
	}
	return WK_H2_E_OK;
}

enum wk_h2_error h2_settings_client(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				    const uint8_t *payload, uint32_t len_b)
{
	uint32_t unused = 0;
	struct h2_note note;
	enum wk_h2_error error = read_settings(payload, len_b, &note, &unused);

	if (error != WK_H2_E_OK)
		return error;
	if (note.window_b != H2_ABSENT)
		conn->window_b = note.window_b;
	return push(&conn->client_notes, env->mem, &note, WK_H2_E_FLOOD);
}

/* clamped: the client is certain to read H2_TABLE_DEFAULT_B instead of any higher table size. If it
 * is not, what it has been told is followed up to a limit. */
enum wk_h2_error h2_settings_server(struct wk_h2_conn *conn, const struct wk_h2_env *env,
				    const uint8_t *payload, uint32_t len_b, bool clamped)
{
	uint32_t table_max_b = env->limits->table_b;
	uint32_t cap = clamped ? H2_TABLE_DEFAULT_B : H2_ID_MASK;
	struct h2_note note;

	if (read_settings(payload, len_b, &note, &conn->max_frame_b) != WK_H2_E_OK)
		return WK_H2_E_SERVER;
	if (note.table_last_b != H2_ABSENT) {
		note.table_min_b = note.table_min_b > cap ? cap : note.table_min_b;
		note.table_last_b = note.table_last_b > cap ? cap : note.table_last_b;
		if (note.table_last_b > H2_TABLE_DEFAULT_B && note.table_last_b > table_max_b)
			return WK_H2_E_TABLE_CAP;
	}
	return push(&conn->server_notes, env->mem, &note, WK_H2_E_SERVER);
}

/* What every decoder begins with need not be told to one. */
static bool moves_table(const struct wk_h2_conn *conn, const struct h2_note *note)
{
	return note->table_last_b != H2_ABSENT &&
	       (note->table_min_b != conn->table_b || note->table_last_b != conn->table_b);
}

static bool move_table(struct wk_h2_conn *conn, const struct wk_h2_env *env,
		       const struct h2_note *note)
{
	if (!h2_unfold(conn, env))
		return false;
	if (note->table_min_b < note->table_last_b)
		nghttp2_hd_inflate_change_table_size(conn->inflater, note->table_min_b);
	nghttp2_hd_inflate_change_table_size(conn->inflater, note->table_last_b);
	conn->table_b = note->table_last_b;
	conn->table_moved = true;
	h2_seen_empty(conn, env->mem);
	return true;
}

/* The client acknowledges the server's oldest SETTINGS: its encoder follows from here on.
 * There must be something to acknowledge. */
enum wk_h2_error h2_settings_client_ack(struct wk_h2_conn *conn, const struct wk_h2_env *env)
{
	struct h2_note note;

	if (!pop(&conn->server_notes, env->mem, &note))
		return WK_H2_E_SETTINGS;
	if (note.streams != H2_ABSENT)
		conn->max_streams = note.streams;
	if (moves_table(conn, &note) && !move_table(conn, env, &note))
		return WK_H2_E_MEMORY;
	return WK_H2_E_OK;
}

/* The server acknowledges the client's oldest SETTINGS: if they lowered the table, the next block
 * that the client reads has to begin with a size update, even if it is ours. */
void h2_settings_server_ack(struct wk_h2_conn *conn, struct wk_mem *mem)
{
	struct h2_note note;

	if (!pop(&conn->client_notes, mem, &note) || note.table_last_b == H2_ABSENT)
		return;
	if (conn->reply_update_due) {
		if (note.table_min_b < conn->reply_update_min_b)
			conn->reply_update_min_b = note.table_min_b;
	} else if (note.table_min_b < conn->reply_table_b) {
		conn->reply_update_due = true;
		conn->reply_update_min_b = note.table_min_b;
	}
	conn->reply_table_b = note.table_last_b;
}
