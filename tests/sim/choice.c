/* SPDX-License-Identifier: Apache-2.0 */
#include "choice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "list.h"

void tape_add(struct tape *tape, const struct choice *choice)
{
	tape->choices = list_room(tape->choices, tape->n, &tape->cap, sizeof(*tape->choices));
	tape->choices[tape->n++] = *choice;
}

static int compare(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->n < y->n ? -1 : x->n > y->n;
}

void tape_sort(struct tape *tape)
{
	if (tape->n > 0)
		qsort(tape->choices, tape->n, sizeof(*tape->choices), compare);
}

void tape_fini(struct tape *tape)
{
	free(tape->choices);
	*tape = (struct tape){ 0 };
}

static struct choice *find(const struct tape *tape, const struct choice *key)
{
	if (tape->n == 0)
		return NULL;
	return bsearch(key, tape->choices, tape->n, sizeof(*key), compare);
}

uint64_t choose_slow(struct chooser *chooser, enum choice_kind kind, uint64_t drawn)
{
	struct choice key = {
		.part = chooser->part,
		.kind = (uint8_t)kind,
		.n = chooser->n[kind]++,
		.value = drawn,
	};
	const struct choice *found;

	if (!chooser->tape->playing) {
		if (drawn > 0)
			tape_add(chooser->tape, &key);
		return drawn;
	}
	found = find(chooser->tape, &key);
	return found ? found->value : 0;
}

void choice_note(struct chooser *chooser, enum choice_kind kind, const char *fmt, ...)
{
	struct choice key = { .part = chooser->part, .kind = (uint8_t)kind }, *found;
	va_list ap;

	if (!chooser->tape || !chooser->tape->playing || chooser->n[kind] == 0)
		return;
	key.n = chooser->n[kind] - 1;
	found = find(chooser->tape, &key);
	if (!found)
		return;
	va_start(ap, fmt);
	vsnprintf(found->note, sizeof(found->note), fmt, ap);
	va_end(ap);
}
