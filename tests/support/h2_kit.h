/* SPDX-License-Identifier: Apache-2.0 */
/* h2_kit.h - drives one wk_h2_conn as the TCP stream would: holds what is not covered, carries
 * operations out, inserts at boundaries. Every input can be shown whole, byte by byte or cut at
 * random. The policy: POST to /attack.Allowed/Ping and /attack.Allowed/Stream is allowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wk_h2.h"

/* A growing buffer. All zero is empty. */
struct h2_bytes {
	uint8_t *p;
	size_t n;
	size_t cap;
};
void h2_bytes_add(struct h2_bytes *b, const void *p, size_t n);
void h2_bytes_free(struct h2_bytes *b);
bool h2_bytes_equal(const struct h2_bytes *a, const struct h2_bytes *b);

/* An HPACK encoder with a dynamic table that indexes whatever it is told to, :path included. */
enum h2_indexing {
	H2_INDEXED, /* refer to the table, or insert */
	H2_LITERAL, /* neither */
	H2_NEVER,   /* never indexed */
};
#define H2_ENC_ENTRIES 128u
struct h2_enc {
	uint32_t n;
	struct {
		char name[64];
		char value[256];
	} entry[H2_ENC_ENTRIES]; /* newest first */
};
void h2_enc_field(struct h2_enc *enc, struct h2_bytes *to, const char *name, const char *value,
		  enum h2_indexing how);
void h2_enc_int(struct h2_bytes *to, uint8_t pattern, unsigned int bits, uint32_t value);

#define H2_ALLOWED  "/attack.Allowed/Ping"
#define H2_ALLOWED2 "/attack.Allowed/Stream"
#define H2_DENIED   "/attack.Secret/Drop"
#define H2_DENIED2  "/attack.Allowed/Pong"

enum h2_cuts {
	H2_WHOLE = 0,
	H2_BYTEWISE = 1,
	H2_RANDOM = 2,
};

#define H2_KIT_CALLS 512u
struct h2_kit {
	struct wk_mem *mem;
	void *base;
	struct wk_stats stats;
	struct wk_h2_limits limits;
	struct wk_h2_hooks hooks;
	struct wk_h2_env env;
	struct wk_h2_conn *conn;
	struct h2_enc enc; /* the client's */
	enum h2_cuts cuts;
	uint32_t seed;
	struct h2_bytes held[2]; /* not covered yet */
	struct h2_bytes out[2];  /* gone out */
	bool at_boundary;        /* of the stream to the client */
	bool at_server_boundary; /* and of that to the server */
	const char *revoked;     /* a path that running calls may not have any more */
	uint32_t n_ended;        /* of those */
	uint32_t promised_b;     /* of the client's: will pass whatever they say */
	uint32_t room_b;         /* for insertions */
	bool folding;            /* the connection is folded after every feed */
	bool gone;               /* what is shown has gone out already */
	bool ended;              /* feed said so */
	bool frozen_policy;      /* verdict RESET for what is not allowed */
	enum wk_h2_reply reply;
	const char *message;
	bool narrow;        /* only the first of the allowed paths is; env.version tells */
	uint32_t n_decided; /* be it again */
	struct {
		uint32_t id;
		enum wk_h2_verdict verdict;
		char path[64];
	} decided[H2_KIT_CALLS];
	uint32_t n_refused;
	struct {
		uint32_t id;
		enum wk_call_reason reason;
	} refused[H2_KIT_CALLS];
};

void h2_kit_init(struct h2_kit *kit, enum h2_cuts cuts, uint32_t seed);
/* Makes the connection anew with kit->limits as they are now. */
void h2_kit_restart(struct h2_kit *kit);
void h2_kit_fini(struct h2_kit *kit);

void h2_kit_send(struct h2_kit *kit, enum wk_dir dir, const void *p, size_t n);
/* Inserts what waits, if it may be inserted where the stream to the client is now. */
void h2_kit_insert(struct h2_kit *kit);

/* A new policy, which allows all but one path. @return running calls that end. */
uint32_t h2_kit_review(struct h2_kit *kit, const char *path);

/* Building blocks; all append. */
void h2_put(struct h2_bytes *to, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
	    size_t n);
void h2_put_preface(struct h2_bytes *to);
/* SETTINGS with n pairs (identifier, value). */
void h2_put_settings(struct h2_bytes *to, const uint32_t (*pairs)[2], size_t n);
/* The header block of a gRPC request. */
void h2_put_block(struct h2_enc *enc, struct h2_bytes *to, const char *path);

/* Sends at once. */
void h2_kit_start(struct h2_kit *kit); /* both SETTINGS and both ACKs */
void h2_kit_call(struct h2_kit *kit, uint32_t id, const char *path, bool end_stream);
void h2_kit_frame(struct h2_kit *kit, enum wk_dir dir, uint8_t type, uint8_t flags, uint32_t id,
		  const void *payload, size_t n);
/* A server's answer: HEADERS with END_STREAM, not touching the table. */
void h2_kit_answer(struct h2_kit *kit, uint32_t id);

/* Frames of out[dir] (a client preface is skipped). */
struct h2_seen {
	uint8_t type;
	uint8_t flags;
	uint32_t id;
	uint32_t len_b;
	const uint8_t *payload;
};
bool h2_kit_nth(const struct h2_kit *kit, enum wk_dir dir, uint32_t nth, struct h2_seen *seen);
/* How many frames of this type (any: -1) on this stream (any: -1). */
uint32_t h2_kit_count(const struct h2_kit *kit, enum wk_dir dir, int type, int64_t id);
