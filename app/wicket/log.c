/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>

#include "log.h"

/* The stream stays the same for ever and only what is behind it is exchanged, under its lock, so
 * that a message of another thread never meets a closed one. */
static struct {
	FILE *stream;
	char *path;
	int fd;
	bool line_begins;
} out = { .fd = -1, .line_begins = true };

static int open_fd(const char *path)
{
	if (strcmp(path, "-") == 0)
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

/* Writes all, whatever signals come. */
static bool write_all(const char *buf, size_t len_b)
{
	while (len_b > 0) {
		ssize_t n = write(out.fd, buf, len_b);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf += n;
		len_b -= (size_t)n;
	}
	return true;
}

/* Lines of a file begin with their time; whoever reads standard error has a clock. */
static void put_time(void)
{
	struct timespec ts;
	char text[64];
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03ldZ ", ts.tv_nsec / 1000000);
	write_all(text, n);
}

/* The stream's way out: the caller holds the stream's lock. */
static ssize_t put_lines(void *cookie, const char *buf, size_t len_b)
{
	(void)cookie;
	for (size_t i = 0; i < len_b;) {
		const char *end = memchr(buf + i, '\n', len_b - i);
		size_t n = end ? (size_t)(end - buf) + 1 - i : len_b - i;

		if (out.line_begins && strcmp(out.path, "-") != 0)
			put_time();
		out.line_begins = end != NULL;
		if (!write_all(buf + i, n))
			break;
		i += n;
	}
	/* A full disk must not end the stream for ever. */
	return (ssize_t)len_b;
}

static int stream_make(void)
{
	FILE *stream = fopencookie(NULL, "a", (cookie_io_functions_t){ .write = put_lines });

	if (!stream)
		return -errno;
	setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	if (rte_openlog_stream(stream) != 0) {
		fclose(stream);
		return -EINVAL;
	}
	out.stream = stream;
	return 0;
}

int wk_log_open(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open_fd(copy) : -1;
	int rc = fd < 0 ? -errno : 0;

	if (rc == 0 && !out.stream)
		rc = stream_make();
	if (rc != 0) {
		if (fd >= 0)
			close(fd);
		free(copy);
		return rc;
	}
	flockfile(out.stream);
	if (out.fd >= 0)
		close(out.fd);
	free(out.path);
	out.fd = fd;
	out.path = copy;
	funlockfile(out.stream);
	return 0;
}

int wk_log_reopen(void)
{
	return out.path ? wk_log_open(out.path) : 0;
}

/* The rte_log level of a name of the configuration file; 0: no such name. */
static uint32_t level_parse(const char *level)
{
	static const struct {
		const char *name;
		uint32_t level;
	} levels[] = {
		{ "emerg", RTE_LOG_EMERG },     { "alert", RTE_LOG_ALERT },
		{ "critical", RTE_LOG_CRIT },   { "error", RTE_LOG_ERR },
		{ "warning", RTE_LOG_WARNING }, { "notice", RTE_LOG_NOTICE },
		{ "info", RTE_LOG_INFO },       { "debug", RTE_LOG_DEBUG },
	};

	for (size_t i = 0; i < RTE_DIM(levels); i++)
		if (strcmp(levels[i].name, level) == 0)
			return levels[i].level;
	return 0;
}

void wk_log_level(const char *name)
{
	uint32_t level = level_parse(name);

	if (level == 0)
		return;
	/* The global level is a ceiling over that of each type. */
	if (level > rte_log_get_global_level())
		rte_log_set_global_level(level);
	rte_log_set_level_pattern("wicket.*", level);
}
