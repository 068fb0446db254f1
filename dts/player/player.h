/* SPDX-License-Identifier: Apache-2.0 */
/* player.h - what the files of the player share: what is asked of it, what it has counted. */
#pragma once

#include "frame.h"

enum side {
	CLIENT = 0,
	SERVER = 1,
	SIDES = 2,
};

/* X(NAME, what it counts) */
#define COUNTS(X)                                                                                  \
	X(sent, "frames of ours, fences not among them")                                           \
	X(received, "frames that came to us")                                                      \
	X(arrived, "frames of a flood that reached the other side")                                \
	X(answered, "frames that came back to the side that the flood came from")                  \
	X(unsound, "frames that came with a bad checksum or length")                               \
	X(wrong, "answers, or requests at our server, that are not what they must be")             \
	X(leaked, "denied requests that reached our server")                                       \
	X(resets, "RSTs for connections that were to live")                                        \
	X(retries, "segments sent again after a timeout")                                          \
	X(failed, "connections that did not finish a step")                                        \
	X(allowed, "allowed calls with the right answer")                                          \
	X(denied, "denied calls with their 403")                                                   \
	X(fences_lost, "fences that did not arrive in time")                                       \
	X(refused, "frames that an interface did not take")                                        \
	X(socket_drops, "frames that our sockets had no room for")

struct counts {
#define COUNT_FIELD(name, text) uint64_t name;
	COUNTS(COUNT_FIELD)
};

struct options {
	const char *netns[SIDES];
	const char *interface[SIDES];
	struct mac mac[SIDES]; /* that frames come from and go to */
	uint32_t sources;      /* first address */
	uint32_t n_sources;    /* a power of two */
	uint32_t per_source;   /* connections of one address */
	uint32_t server;
	uint16_t port;
	const char *allowed, *denied;
	uint32_t window;      /* frames on their way in one direction, at most */
	uint32_t linger_ms;   /* time for what a fence may have overtaken, in another queue */
	uint32_t connections; /* of a flood that needs some */
	uint32_t count;
	uint32_t sample; /* every so many-th connection makes the late calls; 1: each */
	uint32_t span_b; /* of an out-of-order flood */
	uint32_t target; /* of a blind flood: a client */
	uint16_t target_port;
	bool answer; /* SYNs of a flood are answered by our server */
	bool pause;  /* each phase waits for a line on stdin */
	uint64_t random;
};

extern struct options options;
extern struct counts counts;

uint64_t now_ns(void);
uint64_t draw(void);
/* One line of JSON: what has been counted, and the seconds since the last report. */
void report(const char *phase);
/* With --pause: keeps answering until a line comes. */
void pause_here(void);
