/* SPDX-License-Identifier: Apache-2.0 */
/* choice.h - every decision of a run that chance makes, by name, so that it can be written down,
 * left out and made again.
 *
 * A decision is a part of the run, a kind, and the how many-th of that kind it is. Its value is 0
 * where nothing special happens (a packet that arrives in order, a write of everything there is):
 * what a tape does not name is 0. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rng.h"

enum choice_part {
	PART_CLIENT = 0,
	PART_SERVER,
	PART_LINK, /* and the other three, in the order of enum sim_link */
	PARTS = PART_LINK + 4,
};

enum choice_kind {
	/* of an endpoint */
	CHOICE_WRITE = 0, /* the application writes so many bytes; 0: all */
	CHOICE_WRITE_GAP, /* ns before the next write, the first one included */
	CHOICE_READ,      /* the application reads so many bytes; 0: all */
	CHOICE_READ_GAP,  /* ns before it reads on */
	CHOICE_STALL,     /* ns for which it does not look at all */
	CHOICE_WAKE,      /* ns from the arrival of bytes to the read */
	CHOICE_CUT,       /* length of a segment; 0: as long as it can be */
	CHOICE_LIE,       /* a retransmission says something else */
	CHOICE_CE,        /* a segment arrives with a congestion mark */
	CHOICE_RENEGE,    /* the receiver throws away what it has out of order */
	CHOICE_FACE,      /* a segment says the other of two versions */
	CHOICE_AGAIN,     /* sends so many bytes again, of the last so many in the upper half */
	/* of a link */
	CHOICE_LOST,
	CHOICE_TWICE, /* sent twice, the first one by this many ns - 1 too late */
	CHOICE_LATE,  /* ns too late */
	CHOICE_KINDS,
};

#define CHOICE_NOTE_B 80u

struct choice {
	uint8_t part;
	uint8_t kind;
	uint32_t n;
	uint64_t value;
	char note[CHOICE_NOTE_B]; /* what it met when it was last played */
};

/* The decisions of a run other than 0, in the order of part, kind and n when it is played. */
struct tape {
	bool playing;
	struct choice *choices;
	uint32_t n;
	uint32_t cap;
};

/* Makes the decisions of one part. */
struct chooser {
	struct sim_rng rng;
	struct tape *tape; /* NULL: chance decides and nobody writes down */
	uint8_t part;
	uint32_t n[CHOICE_KINDS];
};

void tape_add(struct tape *tape, const struct choice *choice);
void tape_sort(struct tape *tape);
void tape_fini(struct tape *tape);

/* What is decided where chance says `drawn`. */
uint64_t choose_slow(struct chooser *chooser, enum choice_kind kind, uint64_t drawn);

static inline uint64_t choose(struct chooser *chooser, enum choice_kind kind, uint64_t drawn)
{
	return chooser->tape ? choose_slow(chooser, kind, drawn) : drawn;
}

/* Says what the latest decision of this kind was about, if it was one of a tape. */
void choice_note(struct chooser *chooser, enum choice_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
