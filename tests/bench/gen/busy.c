/* SPDX-License-Identifier: Apache-2.0 */
#include "busy.h"

#include <json-c/json.h>

#include "../../../app/wicketctl/client.h"
#include "gen.h"

static uint64_t number_of(struct json_object *row, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(row, key, &value))
		gen_fail("wicket's answer has no %s", key);
	return json_object_get_uint64(value);
}

struct busy busy_ask(const char *socket_path)
{
	struct ctl_client client;
	struct json_object *lcores;
	struct busy busy = { .cycles = 0 };

	if (ctl_connect(&client, NULL, socket_path) != 0)
		gen_fail("%s", client.error);
	lcores = ctl_ask(&client, "/wicket/lcores", NULL);
	if (!lcores)
		gen_fail("%s", client.error);
	json_object_object_foreach(lcores, name, row)
	{
		(void)name;
		busy.cycles += number_of(row, "busy_cycles");
		busy.packets += number_of(row, "rx");
	}
	json_object_put(lcores);
	ctl_close(&client);
	return busy;
}
