/* SPDX-License-Identifier: Apache-2.0 */
/* A look at the text before libconfig sees it, for what it would do without a word: an integer
 * above 31 bits wraps, a comment without an end swallows the rest of the file, a NUL cuts a string,
 * an included folder ends the process. Knows just enough of the form to tell strings, comments and
 * bare words apart; everything else is left to the parser. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define DEPTH_MAX  10u /* libconfig's own */
#define FILES_MAX  256u
#define SIZE_MAX_B (16u * 1024u * 1024u) /* of all files together */

struct scan {
	const struct reader *reader;
	uint32_t files;
	size_t left_b;
};

struct cursor {
	const char *file; /* as messages call it */
	const char *at;
	const char *end;
	uint32_t line;
	uint32_t depth;
};

static int scan_file(struct scan *scan, const char *file, const struct cursor *from);

/* "dir/" before the name of an included file, as libconfig does it. */
static int include_path(const struct reader *reader, const char *name, char *buf, size_t size_b)
{
	if (reader->dir[0] == '\0')
		return snprintf(buf, size_b, "%s", name);
	return snprintf(buf, size_b, "%s/%s", reader->dir, name);
}

int wk_conf_file_path(const struct reader *reader, const char *name, char *buf, size_t size_b)
{
	if (strcmp(name, reader->path) == 0)
		return snprintf(buf, size_b, "%s", name);
	return include_path(reader, name, buf, size_b);
}

/* Steps over one byte. */
static char take(struct cursor *c)
{
	if (*c->at == '\n')
		c->line++;
	return *c->at++;
}

static bool word_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '.' || c == '+' || c == '-' || c == '*';
}

/* Is it an integer, whatever its size? Its digits begin at *digits. */
static bool is_integer(const char *word, size_t len, const char **digits, int *base)
{
	size_t at = word[0] == '-' || word[0] == '+' ? 1 : 0, n = 0;
	bool hex = len > at + 2 && word[at] == '0' && (word[at + 1] == 'x' || word[at + 1] == 'X');
	const char *set = hex ? "0123456789abcdefABCDEF" : "0123456789";

	if (hex)
		at += 2;
	*digits = word + at;
	*base = hex ? 16 : 10;
	for (; at < len && strchr(set, word[at]) != NULL; at++)
		n++;
	while (at < len && word[at] == 'L')
		at++;
	return n > 0 && at == len;
}

static int scan_word(struct scan *scan, struct cursor *c)
{
	char word[64];
	const char *start = c->at, *digits;
	size_t len;
	int base;

	while (c->at < c->end && word_char(*c->at))
		c->at++;
	len = (size_t)(c->at - start);
	if (len >= sizeof(word)) {
		/* A name, unless it is all digits: those are too many for any integer. */
		if (!is_integer(start, sizeof(word) - 1, &digits, &base))
			return 0;
		len = sizeof(word) - 1;
	}
	memcpy(word, start, len);
	word[len] = '\0';
	if (!is_integer(word, len, &digits, &base))
		return 0;
	errno = 0;
	if (strtoull(digits, NULL, base) <= INT32_MAX && errno == 0)
		return 0;
	return wk_conf_fail(scan->reader->err, c->file, c->line,
			    "%s does not fit an integer of 31 bits", word);
}

/* A string; text, if given, gets it up to size_b. */
static int scan_string(struct scan *scan, struct cursor *c, char *text, size_t size_b)
{
	uint32_t line = c->line;
	size_t n = 0;

	take(c);
	while (c->at < c->end && *c->at != '"') {
		if (*c->at == '\\' && c->at + 1 < c->end)
			take(c);
		if (text != NULL && n + 1 < size_b)
			text[n++] = *c->at;
		take(c);
	}
	if (c->at == c->end)
		return wk_conf_fail(scan->reader->err, c->file, line, "string without an end");
	take(c);
	if (text != NULL)
		text[n] = '\0';
	return 0;
}

static int scan_include(struct scan *scan, struct cursor *c)
{
	char name[PATH_MAX], path[PATH_MAX];
	uint32_t line = c->line;
	struct cursor from; /* where messages about the file itself point to */
	int rc, len;

	c->at += strlen("@include");
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		take(c);
	if (c->at == c->end || *c->at != '"')
		return wk_conf_fail(scan->reader->err, c->file, line,
				    "@include takes a file name in quotes");
	rc = scan_string(scan, c, name, sizeof(name));
	if (rc != 0)
		return rc;
	len = include_path(scan->reader, name, path, sizeof(path));
	if (name[0] == '\0' || name[0] == '/' || strchr(name, '\\') != NULL || len < 0 ||
	    (size_t)len >= sizeof(path))
		return wk_conf_fail(scan->reader->err, c->file, line,
				    "@include takes a path relative to the main file's folder");
	if (c->depth + 1 >= DEPTH_MAX)
		return wk_conf_fail(scan->reader->err, c->file, line,
				    "@include nested more than %u deep", DEPTH_MAX);
	from = *c;
	from.line = line;
	return scan_file(scan, path, &from);
}

static int scan_comment(struct scan *scan, struct cursor *c)
{
	uint32_t line = c->line;

	c->at += 2;
	while (c->at < c->end) {
		if (c->at + 1 < c->end && c->at[0] == '*' && c->at[1] == '/') {
			c->at += 2;
			return 0;
		}
		take(c);
	}
	return wk_conf_fail(scan->reader->err, c->file, line, "comment without an end");
}

static bool starts_with(const struct cursor *c, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(c->end - c->at) >= len && memcmp(c->at, text, len) == 0;
}

static int scan_text(struct scan *scan, struct cursor *c)
{
	int rc = 0;

	while (c->at < c->end && rc == 0) {
		if (*c->at == '#' || starts_with(c, "//")) {
			while (c->at < c->end && *c->at != '\n')
				c->at++;
		} else if (starts_with(c, "/*")) {
			rc = scan_comment(scan, c);
		} else if (*c->at == '"') {
			rc = scan_string(scan, c, NULL, 0);
		} else if (starts_with(c, "@include")) {
			rc = scan_include(scan, c);
		} else if (word_char(*c->at)) {
			rc = scan_word(scan, c);
		} else {
			take(c);
		}
	}
	return rc;
}

/* A message about a file that cannot be read, at the line that wants it. */
static int cannot_read(struct scan *scan, const char *file, const struct cursor *from, int error,
		       const char *why)
{
	if (from != NULL)
		return wk_conf_fail(scan->reader->err, from->file, from->line, "cannot read %s: %s",
				    file, why);
	(void)wk_conf_fail(scan->reader->err, file, 0, "%s", why);
	return error;
}

static int read_error(int error)
{
	return error == ENOENT || error == EACCES ? -error : -EIO;
}

/* @return bytes read, or -1. *text is the caller's to free. */
static ssize_t read_all(FILE *f, size_t size_b, char **text)
{
	size_t n;

	*text = malloc(size_b + 1);
	if (*text == NULL)
		return -1;
	n = fread(*text, 1, size_b, f);
	(*text)[n] = '\0';
	return ferror(f) ? -1 : (ssize_t)n;
}

static int scan_open(struct scan *scan, FILE *f, const char *file, const struct cursor *from)
{
	char *text = NULL;
	struct stat st;
	struct cursor c;
	ssize_t n;
	int rc;

	if (fstat(fileno(f), &st) != 0)
		return cannot_read(scan, file, from, -EIO, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cannot_read(scan, file, from, -EIO, "not a regular file");
	if ((size_t)st.st_size > scan->left_b || ++scan->files > FILES_MAX)
		return cannot_read(scan, file, from, -EINVAL, "the configuration is too large");
	n = read_all(f, (size_t)st.st_size, &text);
	if (n < 0) {
		free(text);
		return cannot_read(scan, file, from, -EIO, "read error");
	}
	scan->left_b -= (size_t)n;
	c = (struct cursor){ file, text, text + n, 1, from != NULL ? from->depth + 1 : 0 };
	if (memchr(text, '\0', (size_t)n) != NULL) {
		while (*c.at != '\0')
			take(&c);
		rc = wk_conf_fail(scan->reader->err, file, c.line, "a NUL byte");
	} else {
		rc = scan_text(scan, &c);
	}
	free(text);
	return rc;
}

static int scan_file(struct scan *scan, const char *file, const struct cursor *from)
{
	/* A FIFO must not stop the daemon before it can be refused. */
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc;
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (f == NULL) {
		rc = errno;
		if (fd >= 0)
			close(fd);
		return cannot_read(scan, file, from, read_error(rc), strerror(rc));
	}
	rc = scan_open(scan, f, file, from);
	fclose(f);
	return rc;
}

int wk_conf_scan(const struct reader *reader)
{
	struct scan scan = { .reader = reader, .left_b = SIZE_MAX_B };

	return scan_file(&scan, reader->path, NULL);
}
