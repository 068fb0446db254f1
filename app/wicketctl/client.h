/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - asks a running wicket over the DPDK telemetry socket. */
#pragma once

#include <stddef.h>

struct json_object;

struct ctl_client {
	int fd;
	char path[108]; /* of the socket */
	char error[512];
};

/* socket_path NULL: looks where EAL of that instance puts its socket. @return 0, or -1 with error
 * filled. */
int ctl_connect(struct ctl_client *client, const char *instance, const char *socket_path);
void ctl_close(struct ctl_client *client);

/* Sends a command; *raw (may be NULL) is the reply as it came, to be freed. @return what the reply
 * holds for the command, to be put with json_object_put, or NULL with error filled. */
struct json_object *ctl_ask(struct ctl_client *client, const char *command, char **raw);
