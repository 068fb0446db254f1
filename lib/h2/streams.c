/* SPDX-License-Identifier: Apache-2.0 */
/* The open allowed streams. */
#include <string.h>

#include "h2_priv.h"

#define STREAMS_FIRST 8u

struct h2_stream *h2_stream_find(struct h2_streams *streams, uint32_t id)
{
	uint32_t low = 0, high = streams->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (streams->v[mid].id == id)
			return &streams->v[mid];
		if (streams->v[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct h2_stream *h2_stream_add(struct h2_streams *streams, struct wk_mem *mem, uint32_t id,
				bool client_ended, struct h2_ticket *ticket)
{
	if (streams->n == streams->cap) {
		uint32_t cap = streams->cap ? streams->cap * 2 : STREAMS_FIRST;
		void *v = wk_mem_realloc(mem, streams->v, cap * sizeof(*streams->v));

		if (!v)
			return NULL;
		streams->v = v;
		streams->cap = cap;
	}
	streams->v[streams->n] = (struct h2_stream){
		.id = id,
		.client_ended = client_ended,
		.ticket = ticket,
		.left_b = -1,
	};
	return &streams->v[streams->n++];
}

bool h2_stream_body(struct h2_stream *stream, uint32_t body_b, bool end)
{
	if (stream->left_b < 0)
		return true;
	if (body_b > stream->left_b || (end && body_b != stream->left_b))
		return false;
	stream->left_b -= body_b;
	return true;
}

void h2_streams_free(struct h2_streams *streams, struct wk_mem *mem)
{
	for (uint32_t i = 0; i < streams->n; i++)
		h2_ticket_free(streams->v[i].ticket, mem);
	wk_mem_free(mem, streams->v);
	*streams = (struct h2_streams){ 0 };
}

void h2_stream_remove(struct h2_streams *streams, struct wk_mem *mem, struct h2_stream *stream)
{
	uint32_t at = (uint32_t)(stream - streams->v);

	h2_ticket_free(stream->ticket, mem);
	streams->n--;
	memmove(stream, stream + 1, (streams->n - at) * sizeof(*stream));
}

void h2_stream_client_ended(struct h2_streams *streams, struct wk_mem *mem,
			    struct h2_stream *stream)
{
	stream->client_ended = true;
	if (stream->server_ended)
		h2_stream_remove(streams, mem, stream);
}

void h2_stream_server_ended(struct h2_streams *streams, struct wk_mem *mem,
			    struct h2_stream *stream)
{
	stream->server_ended = true;
	if (stream->client_ended)
		h2_stream_remove(streams, mem, stream);
}
