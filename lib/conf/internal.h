/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of lib/conf share: the schema, the reader's state.
 *
 * One table (schema.c) names every key with its type, range, default, unit and text. Reading,
 * defaults, freeing, comparing and printing all walk it; none of them names a key. */
#pragma once

#include <stddef.h>
#include <libconfig.h>

#include "wk_conf.h"

/* Of a name: what an event and a telemetry key have room for. */
#define NAME_MAX_B   63u
#define STRING_MAX_B 4095u
/* Elements of any one array of the file, and prefixes of one list after its groups. */
#define ARRAY_MAX 65536u

enum key_type {
	KEY_VERSION,    /* the number 1; no field */
	KEY_INT,        /* an integer of .size bytes */
	KEY_CHOICE,     /* a word of .choices, stored as its index in .size bytes */
	KEY_STRING,     /* char * */
	KEY_STRINGS,    /* struct wk_conf_strings */
	KEY_INTS,       /* struct wk_conf_ints, each within .min and .max */
	KEY_PREFIXES,   /* struct wk_conf_prefixes; groups only where .groups */
	KEY_PORT_REF,   /* the name of a port, stored as its index */
	KEY_PROTO,      /* a word or number, uint16_t */
	KEY_PORT_RANGE, /* a number or "low-high", two uint16_t */
	KEY_GROUPS,     /* names of prefix lists, kept in the reader */
	KEY_GROUP,      /* a group with .keys, in the same struct */
	KEY_LIST,       /* groups with .keys, an array of structs that begin with their place */
};

struct key {
	const char *name; /* NULL ends a table */
	const char *path; /* as messages and documents call it */
	enum key_type type;
	bool required;
	bool restart; /* a reload cannot change it */
	bool groups;
	bool scalar; /* INTS: a number may stand alone */
	uint32_t offset;
	uint32_t offset_2; /* LIST: of the count; PORT_RANGE: of the upper port */
	uint32_t size;     /* of the field; LIST: of an element */
	int32_t min;
	int32_t max; /* INT: range; LIST: elements */
	/* INT and CHOICE. An INT default out of its range means "not set" and is not printed. */
	int32_t def;
	const char *def_text; /* STRING */
	const char *const *choices;
	/* STRING, and each of STRINGS. @return what is wrong, or NULL. */
	const char *(*check)(const char *text);
	const struct key *keys;
	const char *unit;
	const char *text;
};

extern const struct key wk_conf_schema[];

/* The public struct, and the file names that its places point to. */
struct box {
	struct wk_conf pub; /* first */
	char **files;
	uint32_t n_files;
};

struct group {
	const char *name; /* libconfig's */
	struct wk_conf_prefixes prefixes;
};

struct reader {
	struct box *box;
	struct wk_conf_error *err;
	const char *path; /* of the main file */
	const char *dir;  /* its folder, that @include starts from; "" is the current one */
	struct group *groups;
	uint32_t n_groups;
};

/* Fills err with "file:line: ...". @return -EINVAL. */
int wk_conf_fail(struct wk_conf_error *err, const char *file, uint32_t line, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));
/* The same for a setting. */
int wk_conf_refuse(struct reader *reader, const config_setting_t *setting, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int wk_conf_no_memory(struct wk_conf_error *err);

/* scan.c: what libconfig would swallow, wrap or exit on, in the file and all it includes. */
int wk_conf_scan(const struct reader *reader);
/* The path of a file that libconfig calls `name`. @return its length as snprintf. */
int wk_conf_file_path(const struct reader *reader, const char *name, char *buf, size_t size_b);

/* read.c: everything in the schema. */
int wk_conf_read(struct reader *reader, const config_setting_t *root);
/* values.c: one value that is not a group. */
int wk_conf_read_value(struct reader *reader, const struct key *key,
		       const config_setting_t *setting, void *base);
int wk_conf_read_prefixes(struct reader *reader, const char *path, bool groups,
			  const config_setting_t *setting, struct wk_conf_prefixes *prefixes);
/* check.c: what one key alone does not show. */
int wk_conf_check(struct reader *reader, const config_setting_t *root);

/* fields.c */
int wk_conf_set_defaults(const struct key *keys, void *base);
void wk_conf_free_fields(const struct key *keys, void *base);
int64_t wk_conf_get_int(const struct key *key, const void *base);
void wk_conf_set_int(const struct key *key, void *base, int64_t value);
/* An INT or PROTO that stands for "not set", an empty list, every port. */
bool wk_conf_unset(const struct key *key, const void *base);

static inline void *field_at(void *base, uint32_t offset)
{
	return (char *)base + offset;
}

static inline const void *field_in(const void *base, uint32_t offset)
{
	return (const char *)base + offset;
}

/* prefix.c */
#define PREFIX_TEXT_MAX 64u
void wk_conf_prefix_print(const struct wk_conf_prefix *prefix, char text[PREFIX_TEXT_MAX]);

/* schema.c: IP protocols by name. @return NULL for a number without one. */
const char *wk_conf_proto_name(uint16_t proto);
/* @return -1 for no such name. */
int wk_conf_proto_number(const char *name);
