/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <rte_common.h>

#include "log.h"

/* The stream stays the same for ever and only its descriptor is exchanged, so that a message of
 * another thread never meets a closed stream. */
static struct {
	FILE *stream;
	char *path;
} out;

static int open_fd(const char *path)
{
	if (strcmp(path, "-") == 0)
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static int stream_make(int fd)
{
	FILE *stream = fdopen(fd, "a");

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

	if (rc == 0 && !out.stream) {
		rc = stream_make(fd);
		if (rc != 0)
			close(fd);
	} else if (rc == 0) {
		rc = dup3(fd, fileno(out.stream), O_CLOEXEC) < 0 ? -errno : 0;
		close(fd);
	}
	if (rc != 0) {
		free(copy);
		return rc;
	}
	free(out.path);
	out.path = copy;
	return 0;
}

int wk_log_reopen(void)
{
	return out.path ? wk_log_open(out.path) : 0;
}

uint32_t wk_log_level_parse(const char *level)
{
	static const struct {
		const char *name;
		uint32_t level;
	} levels[] = {
		{ "emerg", RTE_LOG_EMERG },   { "alert", RTE_LOG_ALERT },
		{ "critical", RTE_LOG_CRIT }, { "error", RTE_LOG_ERR },
		{ "warning", RTE_LOG_WARNING }, { "notice", RTE_LOG_NOTICE },
		{ "info", RTE_LOG_INFO },     { "debug", RTE_LOG_DEBUG },
	};

	for (size_t i = 0; i < RTE_DIM(levels); i++)
		if (strcmp(levels[i].name, level) == 0)
			return levels[i].level;
	return 0;
}

void wk_log_level(const char *name)
{
	uint32_t level = wk_log_level_parse(name);

	if (level == 0)
		return;
	/* The global level is a ceiling over that of each type. */
	if (level > rte_log_get_global_level())
		rte_log_set_global_level(level);
	rte_log_set_level_pattern("wicket.*", level);
}
