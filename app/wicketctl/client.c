/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "client.h"

#define SOCKET_NAME "dpdk_telemetry.v2"
#define REPLY_MAX_B 65536u
#define TIMEOUT_S   5

/* Where a socket may be, in order. EAL takes the first of $RUNTIME_DIRECTORY, /var/run (as root),
 * $XDG_RUNTIME_DIR and /tmp. A service's $RUNTIME_DIRECTORY is not in our environment: by the unit
 * it is /run/wicket, or /run/<instance>.
 * @return false behind the last one; path is "" for a place that there is not. */
static bool candidate(unsigned int index, const char *instance, char *path, size_t size_b)
{
	char own[128];
	const char *const folders[] = {
		getenv("RUNTIME_DIRECTORY"), "/run", own, "/run/wicket", "/var/run",
		getenv("XDG_RUNTIME_DIR"),   "/tmp",
	};
	int n;

	if (index >= sizeof(folders) / sizeof(folders[0]))
		return false;
	path[0] = '\0';
	snprintf(own, sizeof(own), "/run/%s", instance);
	if (!folders[index])
		return true;
	n = snprintf(path, size_b, "%s/dpdk/%s/" SOCKET_NAME, folders[index], instance);
	if (n < 0 || (size_t)n >= size_b)
		path[0] = '\0';
	return true;
}

static int try_path(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	int fd;
	int saved;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* @return one message, to be freed, or NULL. */
static char *receive(struct ctl_client *client)
{
	char *buf = malloc(REPLY_MAX_B + 1);
	ssize_t n;

	if (!buf)
		return NULL;
	do {
		n = recv(client->fd, buf, REPLY_MAX_B, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		snprintf(client->error, sizeof(client->error), "no answer on %s: %s", client->path,
			 n == 0 ? "closed" : strerror(errno));
		free(buf);
		return NULL;
	}
	buf[n] = '\0';
	return buf;
}

static int connect_given(struct ctl_client *client, const char *given)
{
	struct stat st;

	if (stat(given, &st) == 0 && S_ISDIR(st.st_mode))
		snprintf(client->path, sizeof(client->path), "%s/" SOCKET_NAME, given);
	else
		snprintf(client->path, sizeof(client->path), "%s", given);
	client->fd = try_path(client->path);
	if (client->fd < 0)
		snprintf(client->error, sizeof(client->error), "wicket does not answer on %s: %s",
			 client->path, strerror(errno));
	return client->fd;
}

static int connect_found(struct ctl_client *client, const char *instance)
{
	int why = ENOENT;

	for (unsigned int i = 0;
	     client->fd < 0 && candidate(i, instance, client->path, sizeof(client->path)); i++) {
		if (client->path[0] == '\0')
			continue;
		client->fd = try_path(client->path);
		/* A socket that is there and refuses tells more than one that is not. */
		if (client->fd < 0 && errno != ENOENT && errno != ENOTDIR)
			why = errno;
	}
	if (client->fd < 0)
		snprintf(client->error, sizeof(client->error),
			 "no wicket with instance \"%s\" is running%s (looked in "
			 "$RUNTIME_DIRECTORY, "
			 "/run, /run/wicket, $XDG_RUNTIME_DIR and /tmp; -i or -s say where else)",
			 instance, why == EACCES ? " that this user may ask" : "");
	return client->fd;
}

int ctl_connect(struct ctl_client *client, const char *instance, const char *socket_path)
{
	char *hello;

	*client = (struct ctl_client){ .fd = -1 };
	if ((socket_path ? connect_given(client, socket_path) : connect_found(client, instance)) <
	    0)
		return -1;
	hello = receive(client); /* version and limits of the library */
	free(hello);
	return hello ? 0 : -1;
}

void ctl_close(struct ctl_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

struct json_object *ctl_ask(struct ctl_client *client, const char *command, char **raw)
{
	struct json_object *reply = NULL;
	struct json_object *value = NULL;
	char name[128];
	char *text;

	if (send(client->fd, command, strlen(command), MSG_NOSIGNAL) < 0) {
		snprintf(client->error, sizeof(client->error), "cannot ask on %s: %s", client->path,
			 strerror(errno));
		return NULL;
	}
	text = receive(client);
	if (!text)
		return NULL;
	/* The reply is { "/the/command": value }, its parameters left out. */
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(command, ","), command);
	reply = json_tokener_parse(text);
	if (reply && json_object_object_get_ex(reply, name, &value) && value)
		json_object_get(value);
	else
		snprintf(client->error, sizeof(client->error), "%s is not answered (%s)", name,
			 reply ? "unknown, or refused" : "the reply is cut");
	json_object_put(reply);
	if (raw && value)
		*raw = text;
	else
		free(text);
	return value;
}
