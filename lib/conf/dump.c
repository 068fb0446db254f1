/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration as a file that loads to the same, with what the schema knows as comments. */
#include <inttypes.h>
#include <string.h>

#include "internal.h"

struct printer {
	FILE *out;
	const struct wk_conf *conf; /* for names of ports */
};

static void print_keys(const struct printer *p, const struct key *keys, const void *base,
		       unsigned int depth, bool comments);

static void indent(const struct printer *p, unsigned int depth)
{
	for (unsigned int i = 0; i < depth; i++)
		fputs("  ", p->out);
}

static void print_string(const struct printer *p, const char *text)
{
	fputc('"', p->out);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', p->out);
		fputc(*c, p->out);
	}
	fputc('"', p->out);
}

static void print_default(const struct printer *p, const struct key *key)
{
	if (key->required) {
		fputs("required", p->out);
		return;
	}
	switch (key->type) {
	case KEY_INT:
		if (key->def < key->min || key->def > key->max)
			fputs("default: not set", p->out);
		else
			fprintf(p->out, "default %d", (int)key->def);
		break;
	case KEY_CHOICE:
		fprintf(p->out, "default \"%s\"", key->choices[key->def]);
		break;
	case KEY_STRING:
		fprintf(p->out, "default \"%s\"", key->def_text != NULL ? key->def_text : "");
		break;
	case KEY_GROUP:
		break;
	default:
		fputs("default: none", p->out);
		break;
	}
}

/* name: text (unit; range; default; reload or restart); what a list holds, indented behind it */
static void print_comment(const struct printer *p, const struct key *key, unsigned int depth,
			  unsigned int level, bool restart)
{
	indent(p, depth);
	fputs("# ", p->out);
	indent(p, level);
	fprintf(p->out, "%s: %s", key->name, key->text);
	if (key->type == KEY_GROUP) {
		fputc('\n', p->out);
		return;
	}
	fputs(" (", p->out);
	if (key->unit != NULL)
		fprintf(p->out, "%s; ", key->unit);
	if (key->type == KEY_INT || key->type == KEY_INTS)
		fprintf(p->out, "%d to %d; ", (int)key->min, (int)key->max);
	for (uint32_t i = 0; key->choices != NULL && key->choices[i] != NULL; i++)
		fprintf(p->out, "%s%s", i == 0 ? "" : " | ", key->choices[i]);
	if (key->choices != NULL)
		fputs("; ", p->out);
	print_default(p, key);
	fprintf(p->out, "; %s)\n", restart ? "restart" : "reload");
	for (const struct key *sub = key->keys; sub != NULL && sub->name != NULL; sub++)
		print_comment(p, sub, depth, level + 1, restart);
}

static void print_prefixes(const struct printer *p, const struct wk_conf_prefixes *prefixes)
{
	char text[PREFIX_TEXT_MAX];

	fputs("[", p->out);
	for (uint32_t i = 0; i < prefixes->n; i++) {
		wk_conf_prefix_print(&prefixes->v[i], text);
		fprintf(p->out, "%s\"%s\"", i == 0 ? " " : ", ", text);
	}
	fputs(" ]", p->out);
}

static void print_strings(const struct printer *p, const struct wk_conf_strings *strings)
{
	fputs("[", p->out);
	for (uint32_t i = 0; i < strings->n; i++) {
		fputs(i == 0 ? " " : ", ", p->out);
		print_string(p, strings->v[i]);
	}
	fputs(" ]", p->out);
}

static void print_ints(const struct printer *p, const struct key *key,
		       const struct wk_conf_ints *ints)
{
	if (key->scalar && ints->n == 1) {
		fprintf(p->out, "%u", ints->v[0]);
		return;
	}
	fputs("[", p->out);
	for (uint32_t i = 0; i < ints->n; i++)
		fprintf(p->out, "%s%u", i == 0 ? " " : ", ", ints->v[i]);
	fputs(" ]", p->out);
}

static void print_list(const struct printer *p, const struct key *list, const void *base,
		       unsigned int depth)
{
	const char *const *array = field_in(base, list->offset);
	uint32_t n = *(const uint32_t *)field_in(base, list->offset_2);

	fputs("(", p->out);
	for (uint32_t i = 0; i < n; i++) {
		fputs(i == 0 ? "\n" : ",\n", p->out);
		indent(p, depth + 1);
		fputs("{\n", p->out);
		print_keys(p, list->keys, *array + (size_t)i * list->size, depth + 2, false);
		indent(p, depth + 1);
		fputs("}", p->out);
	}
	if (n == 0) {
		fputs(" )", p->out);
		return;
	}
	fputs("\n", p->out);
	indent(p, depth);
	fputs(")", p->out);
}

static void print_range(const struct printer *p, uint16_t low, uint16_t high)
{
	if (low == high)
		fprintf(p->out, "%u", low);
	else
		fprintf(p->out, "\"%u-%u\"", low, high);
}

static void print_proto(const struct printer *p, uint16_t proto)
{
	const char *name = wk_conf_proto_name(proto);

	if (name != NULL)
		print_string(p, name);
	else
		fprintf(p->out, "%u", proto);
}

static void print_value(const struct printer *p, const struct key *key, const void *base,
			unsigned int depth)
{
	const void *field = field_in(base, key->offset);

	switch (key->type) {
	case KEY_VERSION:
		fputs("1", p->out);
		break;
	case KEY_INT:
		fprintf(p->out, "%" PRId64, wk_conf_get_int(key, base));
		break;
	case KEY_CHOICE:
		print_string(p, key->choices[wk_conf_get_int(key, base)]);
		break;
	case KEY_STRING:
		print_string(p, *(char *const *)field);
		break;
	case KEY_STRINGS:
		print_strings(p, field);
		break;
	case KEY_INTS:
		print_ints(p, key, field);
		break;
	case KEY_PREFIXES:
		print_prefixes(p, field);
		break;
	case KEY_PORT_REF:
		print_string(p, p->conf->ports[*(const uint32_t *)field].name);
		break;
	case KEY_PROTO:
		print_proto(p, *(const uint16_t *)field);
		break;
	case KEY_PORT_RANGE:
		print_range(p, *(const uint16_t *)field,
			    *(const uint16_t *)field_in(base, key->offset_2));
		break;
	case KEY_GROUPS:
		fputs("{ }", p->out);
		break;
	case KEY_GROUP:
		fputs("{\n", p->out);
		print_keys(p, key->keys, base, depth + 1, true);
		indent(p, depth);
		fputs("}", p->out);
		break;
	case KEY_LIST:
		print_list(p, key, base, depth);
		break;
	}
}

static void print_keys(const struct printer *p, const struct key *keys, const void *base,
		       unsigned int depth, bool comments)
{
	for (const struct key *key = keys; key->name != NULL; key++) {
		if (comments && depth == 0)
			fputc('\n', p->out);
		if (comments)
			print_comment(p, key, depth, 0, key->restart);
		if (wk_conf_unset(key, base))
			continue;
		indent(p, depth);
		fprintf(p->out, "%s = ", key->name);
		print_value(p, key, base, depth);
		fputs(";\n", p->out);
	}
}

void wk_conf_dump(const struct wk_conf *conf, FILE *out)
{
	struct printer p = { out, conf };

	fputs("# Every key of the configuration. In brackets: unit, range or choices, default, "
	      "and\n"
	      "# whether a reload changes it or only a restart does.\n",
	      out);
	print_keys(&p, wk_conf_schema, conf, 0, true);
}
