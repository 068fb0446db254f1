/* SPDX-License-Identifier: Apache-2.0 */
/* proto.h - the toy protocol that stands in for HTTP/2, so that lib/tcp is tested without lib/h2.
 *
 * Client: PREFACE, then frames. Server: one SETTINGS frame, then frames. A frame is
 *     length of the payload (3 bytes) | kind (1) | id (4) | payload
 * Kinds say what the judge does with a frame; the edit of a frame is a function of its bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rng.h"

#define PROTO_PREFACE   "WICKET/SIM 1.0\r\n"
#define PROTO_PREFACE_B 16u
#define PROTO_HDR_B     8u

enum proto_kind {
	/* client to server */
	PROTO_DATA = 'D', /* header pinned, payload passes as it comes; the server sends it too */
	PROTO_CTRL = 'C', /* held until complete, pinned */
	PROTO_ASK = 'A',  /* the same, and one of ours follows to the server; from the server:
			   * passes,  and one follows likewise */
	PROTO_DENY = 'X', /* held until complete, deleted, answered */
	PROTO_DENY_STREAM = 'Y', /* deleted as it comes, answered */
	PROTO_EAT = 'E',         /* deleted as it comes, not answered */
	PROTO_REPL = 'R',        /* held until complete, replaced */
	PROTO_REPLACED = 'r',    /* what came of it */
	/* server to client */
	PROTO_SETTINGS = 'S', /* held until complete, patched where it says so */
	PROTO_HEAD = 'H',     /* no insertion between it and the next frame */
	PROTO_INSERT = 'I',   /* ours, in either direction */
};

struct proto_hdr {
	uint32_t len_b;
	uint8_t kind;
	uint32_t id;
};

/* A stream and where its frames begin. Heap. */
struct proto_stream {
	uint8_t *bytes;
	uint8_t *face; /* another version, see proto_other_face; NULL: none */
	uint8_t *soft; /* payload that may be lied about: changing it changes no frame's extent */
	uint32_t *cuts;
	uint32_t len_b;
	uint32_t cap_b; /* what was cut off at the end included */
	uint32_t n_cuts;
};

/* How a stream is made. */
struct proto_mix {
	uint32_t frames;
	uint32_t weight_data, weight_ctrl, weight_deny, weight_deny_stream, weight_eat, weight_repl;
	uint32_t weight_ask;
	uint32_t weight_head;     /* server */
	uint32_t weight_settings; /* server: more SETTINGS in midstream */
	uint32_t data_max_b;
	uint32_t whole_max_b; /* of a frame that is held until complete */
	uint32_t eat_max_b;
	uint32_t repl_max_b;     /* of its replacement */
	uint32_t patch_permille; /* of SETTINGS */
	bool truncated;          /* ends inside a frame */
};

/* A frame as a script names it. */
struct proto_frame {
	uint8_t kind;
	uint32_t len_b;
	uint32_t to_b; /* REPL: payload of the replacement */
	bool patch;    /* SETTINGS */
};

/* A whole stream, the client's preface left out. Heap. */
struct proto_frames {
	struct proto_frame *frames;
	uint32_t n;
	uint32_t cap;
	uint32_t cut_b; /* so much of the end is missing */
};

void proto_read(const uint8_t *p, struct proto_hdr *hdr);
void proto_write(uint8_t *p, uint32_t len_b, uint8_t kind, uint32_t id);

void proto_make_client(struct proto_stream *stream, const struct proto_mix *mix,
		       struct sim_rng *rng);
void proto_make_server(struct proto_stream *stream, const struct proto_mix *mix,
		       struct sim_rng *rng);
/* The stream that the frames describe, and back; the content of payload is not described. */
void proto_from_frames(struct proto_stream *stream, bool client, const struct proto_frames *frames);
void proto_to_frames(const struct proto_stream *stream, bool client, struct proto_frames *frames);
void proto_add(struct proto_frames *frames, const struct proto_frame *frame);
/* Makes the other version: frames of the same extent, other kinds, other payload. Every mix of the
 * two can be read. */
void proto_other_face(struct proto_stream *stream);
void proto_free(struct proto_stream *stream);

/* The replacement of a whole REPL frame. @return its length; out has room for PROTO_REPL_MAX_B. */
#define PROTO_REPL_MAX_B 8192u
uint32_t proto_replace(const uint8_t *frame, uint32_t len_b, uint8_t *out);
/* Whether a whole SETTINGS frame asks to be patched; then does it, out[len_b]. */
bool proto_patch(const uint8_t *frame, uint32_t len_b, uint8_t *out);
/* The n-th insertion. @return its length. */
#define PROTO_INSERT_MAX_B 1400u
uint32_t proto_insertion_b(uint64_t salt, uint32_t n, uint32_t max_b);
uint32_t proto_insertion(uint64_t salt, uint32_t n, uint32_t max_b, uint8_t *out);
