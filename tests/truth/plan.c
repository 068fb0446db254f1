/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(a)   ((uint32_t)(sizeof(a) / sizeof((a)[0])))
#define WORD_MAX_B 2000u

static const char *const allowed[] = { TRUTH_ALLOWED_1, TRUTH_ALLOWED_2, TRUTH_ALLOWED_3 };
static const char *const denied[] = {
	"/cloudcity.DoorManager/SetAccessCode",
	"/cloudcity.DoorManager/GetStatus",
	"/cloudcity.DoorManager/GetNam",
	"/cloudcity.DoorManager/GetName2",
	"/cloudcity.DoorManager/getname",
	"/cloudcity.DoorManager/GetName/",
	"/cloudcity.DoorManager/GetName?x=1",
	"//cloudcity.DoorManager/GetName",
	"cloudcity.DoorManager/GetName",
	"/cloudcity.DoorManager/./GetName",
	"/cloudcity.DoorManager/%47etName",
	"/other.Service/GetName",
	"*",
	"/",
};
static const char *const names[] = {
	"user-agent",    "grpc-timeout",
	"grpc-encoding", "accept-encoding",
	"x-trace-a",     "x-trace-b",
	"authorization", "cookie",
	"x-trace-bin",   "x-empty",
	"x-a",           "accept",
	"via",           "x-quite-a-long-name-of-a-field",
};

void truth_words_init(struct truth_words *words, struct sim_rng *rng)
{
	words->text = malloc(TRUTH_WORDS * (WORD_MAX_B + 1));
	if (!words->text)
		abort();
	for (uint32_t i = 0; i < TRUTH_WORDS; i++) {
		char *p = words->text + i * (WORD_MAX_B + 1);
		uint32_t most = rng_chance(rng, 50) ? WORD_MAX_B : rng_chance(rng, 250) ? 300 : 24;
		bool digits = rng_chance(rng, 200);

		words->value[i] = p;
		words->value_b[i] = rng_range32(rng, 0, most);
		for (uint32_t at = 0; at < words->value_b[i]; at++)
			p[at] = (char)(digits ? rng_range32(rng, '0', '9')
					      : rng_range32(rng, '!', '~'));
		p[words->value_b[i]] = '\0';
	}
}

void truth_words_fini(struct truth_words *words)
{
	free(words->text);
}

static struct truth_field field_of(const char *name, const char *value)
{
	return (struct truth_field){ name, value, (uint32_t)strlen(name), (uint32_t)strlen(value),
				     false };
}

static void add(struct truth_list *list, const char *name, const char *value)
{
	if (list->n == TRUTH_FIELDS)
		abort();
	list->field[list->n++] = field_of(name, value);
}

static void add_random(struct truth_list *list, const struct truth_words *words, uint32_t most,
		       struct sim_rng *rng)
{
	uint32_t n = rng_range32(rng, 0, most);

	for (uint32_t i = 0; i < n; i++) {
		const char *name = names[rng_range32(rng, 0, COUNT(names) - 1)];

		add(list, name, words->value[rng_range32(rng, 0, TRUTH_WORDS - 1)]);
		list->field[list->n - 1].never = rng_chance(rng, 150);
	}
}

static void shuffle(struct truth_field *field, uint32_t n, struct sim_rng *rng)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t other = rng_range32(rng, 0, i - 1);
		struct truth_field kept = field[i - 1];

		field[i - 1] = field[other];
		field[other] = kept;
	}
}

/* One field that a denied call may differ in from an allowed one. */
static void choose(struct truth_call *call, const char **path, const char **method,
		   const char **type, bool *te, struct sim_rng *rng)
{
	static const char *const others[] = { "text/plain", "application/json", "", NULL };

	*path = allowed[rng_range32(rng, 0, COUNT(allowed) - 1)];
	*method = "POST";
	*type = rng_chance(rng, 800) ? "application/grpc" : "application/grpc+proto";
	*te = true;
	call->grpc = true;
	if (call->want != TRUTH_DENY)
		return;
	if (rng_chance(rng, 800)) {
		*path = denied[rng_range32(rng, 0, COUNT(denied) - 1)];
	} else if (rng_chance(rng, 300)) {
		*te = false;
	} else if (rng_chance(rng, 400)) {
		*method = rng_chance(rng, 500) ? "GET" : "PUT";
	} else {
		*type = others[rng_range32(rng, 0, COUNT(others) - 1)];
		call->grpc = false;
	}
}

static void well_formed(struct truth_call *call, const struct truth_words *words,
			struct sim_rng *rng)
{
	const char *path, *method, *type;
	struct truth_list *list = &call->request;
	bool host = rng_chance(rng, 100), te;
	uint32_t pseudo;

	choose(call, &path, &method, &type, &te, rng);
	add(list, ":method", method);
	add(list, ":path", path);
	add(list, ":scheme", rng_chance(rng, 800) ? "http" : "https");
	if (!host)
		add(list, ":authority", rng_chance(rng, 700) ? "door:50051" : "10.12.0.10");
	for (uint32_t i = 0; i < list->n; i++)
		list->field[i].never = rng_chance(rng, 40);
	pseudo = list->n;
	if (rng_chance(rng, 500))
		shuffle(list->field, pseudo, rng);
	if (host)
		add(list, "host", "door:50051");
	if (type)
		add(list, "content-type", type);
	if (te)
		add(list, "te", "trailers");
	add_random(list, words, rng_chance(rng, 100) ? 18 : 6, rng);
	if (rng_chance(rng, 300))
		shuffle(list->field + pseudo, list->n - pseudo, rng);
}

/* Makes a well-formed request malformed. */
static void spoil(struct truth_list *list, struct sim_rng *rng)
{
	static const char *const bad[][2] = {
		{ ":path", TRUTH_ALLOWED_1 }, /* the second one, and behind the others */
		{ ":status", "200" },
		{ ":protocol", "x" },
		{ "X-Upper", "v" },
		{ "connection", "close" },
		{ "transfer-encoding", "chunked" },
		{ "te", "gzip" },
		{ "content-type", "application/grpc" },
		{ "content-length", "five" },
		{ "x-bad", "a\nb" },
		{ "", "no name" },
		{ "x y", "v" },
	};
	uint32_t which = rng_range32(rng, 0, COUNT(bad) + 1);
	uint32_t at = rng_range32(rng, 0, list->n - 1);

	if (which < COUNT(bad)) {
		add(list, bad[which][0], bad[which][1]);
		/* Each is wrong wherever it stands. */
		struct truth_field kept = list->field[at];

		list->field[at] = list->field[list->n - 1];
		list->field[list->n - 1] = kept;
		return;
	}
	/* No :path, or a pseudo-header where none may be. */
	for (at = 0; at < list->n && strcmp(list->field[at].name, ":path") != 0; at++)
		;
	if (which == COUNT(bad))
		list->field[at] = field_of(":authority", "again");
	else
		list->field[at] = field_of("x-instead", "of it");
}

uint32_t truth_list_b(const struct truth_list *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->n; i++)
		n += list->field[i].name_b + list->field[i].value_b;
	return n;
}

void truth_plan(struct truth_call *call, const struct truth_words *words, struct sim_rng *rng)
{
	uint32_t dice = rng_range32(rng, 0, 99);

	memset(call, 0, sizeof(*call));
	call->want = dice < 55 ? TRUTH_ALLOW : dice < 90 ? TRUTH_DENY : TRUTH_REFUSE;
	well_formed(call, words, rng);
	if (call->want == TRUTH_REFUSE)
		spoil(&call->request, rng);
	call->has_body = rng_chance(rng, 800);
	if (call->has_body)
		call->body_b = rng_chance(rng, 60) ? rng_range32(rng, 0, 20000)
						   : rng_range32(rng, 0, 300);
	call->left_b = call->body_b;
	if (call->has_body && rng_chance(rng, 200)) {
		add(&call->trailers, "x-end", words->value[0]);
		add_random(&call->trailers, words, 5, rng);
	}
	call->answer_b = rng_chance(rng, 60) ? rng_range32(rng, 0, 9000) : rng_range32(rng, 0, 200);
}
