/* SPDX-License-Identifier: Apache-2.0 */
/* h2_truth.h - what a real HTTP/2 peer (libnghttp2) makes of a stream of bytes. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "h2_kit.h"

#define H2_TRUTH_STREAMS 512u

struct h2_truth {
	nghttp2_session *session;
	bool broken;       /* the connection came to an error */
	bool hpack_broken; /* COMPRESSION_ERROR */
	bool silent;       /* a server that answers nothing */
	uint32_t rst_sent; /* RST_STREAM frames this peer wanted to send */
	uint32_t n;
	struct h2_truth_stream {
		uint32_t id;
		char fields[2048]; /* "name: value\n" in order, trailers after "--\n"; '!' marks a
				    * never-indexed field */
		uint64_t data_b;
		uint32_t blocks;
		uint32_t requests; /* complete and well-formed ones */
		bool ended;        /* END_STREAM arrived */
		bool closed;
		uint32_t close_code;
	} stream[H2_TRUTH_STREAMS];
};

void h2_truth_server(struct h2_truth *truth, const nghttp2_settings_entry *settings, size_t n);
void h2_truth_client(struct h2_truth *truth, const nghttp2_settings_entry *settings, size_t n);
void h2_truth_fini(struct h2_truth *truth);

void h2_truth_recv(struct h2_truth *truth, const void *p, size_t n);
/* Everything this peer has to say by now. */
void h2_truth_send(struct h2_truth *truth, struct h2_bytes *to);
/* A client's call: body_b bytes of DATA with the end of the stream, none if it is negative (then
 * the stream stays open). @return its stream. */
uint32_t h2_truth_call(struct h2_truth *truth, const char *path, int64_t body_b);
struct h2_truth_stream *h2_truth_find(struct h2_truth *truth, uint32_t id);
bool h2_truth_says(struct h2_truth *truth, uint32_t id, const char *line);

/* Runs client and server against each other through the kit until both are quiet. */
void h2_truth_run(struct h2_truth *client, struct h2_truth *server, struct h2_kit *kit);
