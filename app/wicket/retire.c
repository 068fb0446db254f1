/* SPDX-License-Identifier: Apache-2.0 */
#include "retire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct wk_acl_prefix wk_retire_prefix(const struct wk_conf_prefix *prefix)
{
	struct wk_acl_prefix to = { .family = prefix->family, .len = prefix->len };

	memcpy(to.addr, prefix->addr, sizeof(to.addr));
	return to;
}

static int append(struct wk_snapshot_service *to, const struct wk_acl_prefix *prefix)
{
	struct wk_acl_prefix *grown =
		reallocarray(to->addresses, to->n_addresses + 1u, sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	grown[to->n_addresses++] = *prefix;
	to->addresses = grown;
	return 0;
}

int wk_retire_copy(const struct wk_conf_service *from, struct wk_snapshot_service *to)
{
	char *name = strdup(from->name);
	uint16_t *ports = calloc(from->ports.n, sizeof(*ports));
	int rc = name == NULL || ports == NULL ? -ENOMEM : 0;

	*to = (struct wk_snapshot_service){ .name = name, .ports = ports };
	for (; to->n_ports < from->ports.n && rc == 0; to->n_ports++)
		ports[to->n_ports] = (uint16_t)from->ports.v[to->n_ports];
	for (uint32_t i = 0; i < from->addresses.n && rc == 0; i++) {
		struct wk_acl_prefix prefix = wk_retire_prefix(&from->addresses.v[i]);

		rc = append(to, &prefix);
	}
	return rc;
}

static bool overlap(const struct wk_acl_prefix *a, const struct wk_conf_prefix *b)
{
	uint32_t len = a->len < b->len ? a->len : b->len;
	uint32_t bytes = len / 8u, bits = len % 8u;

	if (a->family != b->family || memcmp(a->addr, b->addr, bytes) != 0)
		return false;
	return bits == 0 || ((a->addr[bytes] ^ b->addr[bytes]) >> (8u - bits)) == 0;
}

static bool has_port(const struct wk_conf_service *service, uint16_t port)
{
	for (uint32_t i = 0; i < service->ports.n; i++)
		if (service->ports.v[i] == port)
			return true;
	return false;
}

/* Appends what no service of conf on that port covers, halving the prefix around every hole: 128
 * levels at most, and one prefix a level and hole. */
static int carve(struct wk_snapshot_service *to, struct wk_acl_prefix prefix,
		 const struct wk_conf *conf)
{
	bool hole = false;
	int rc;

	for (uint32_t s = 0; s < conf->n_services; s++) {
		const struct wk_conf_service *service = &conf->services[s];

		if (!has_port(service, to->ports[0]))
			continue;
		for (uint32_t i = 0; i < service->addresses.n; i++) {
			if (!overlap(&prefix, &service->addresses.v[i]))
				continue;
			if (service->addresses.v[i].len <= prefix.len)
				return 0;
			hole = true;
		}
	}
	if (!hole)
		return append(to, &prefix);
	/* A hole is longer than the prefix, so there is one more bit. */
	prefix.len++;
	rc = carve(to, prefix, conf);
	prefix.addr[(prefix.len - 1u) / 8u] |= (uint8_t)(0x80u >> ((prefix.len - 1u) % 8u));
	return rc != 0 ? rc : carve(to, prefix, conf);
}

int wk_retire(const struct wk_snapshot_service *from, uint16_t port, const struct wk_conf *conf,
	      struct wk_snapshot_service *to)
{
	int rc;

	*to = (struct wk_snapshot_service){ .ports = malloc(sizeof(port)), .retired = true };
	rc = to->ports == NULL ? -ENOMEM : 0;
	if (rc == 0)
		to->ports[to->n_ports++] = port;
	for (uint32_t i = 0; i < from->n_addresses && rc == 0; i++)
		rc = carve(to, from->addresses[i], conf);
	if (rc == 0 && to->n_addresses != 0) {
		to->name = strdup(from->name);
		rc = to->name == NULL ? -ENOMEM : 0;
	}
	if (rc != 0 || to->n_addresses == 0) {
		wk_retire_free(to);
		*to = (struct wk_snapshot_service){ 0 };
	}
	return rc;
}

bool wk_retire_join(struct wk_snapshot_service *to, const struct wk_snapshot_service *from)
{
	uint16_t *grown;

	if (to->n_addresses != from->n_addresses ||
	    memcmp(to->addresses, from->addresses, to->n_addresses * sizeof(*to->addresses)) != 0)
		return false;
	/* Without memory it stays a service of its own. */
	grown = reallocarray(to->ports, to->n_ports + 1u, sizeof(*grown));
	if (grown == NULL)
		return false;
	grown[to->n_ports++] = from->ports[0];
	to->ports = grown;
	return true;
}

void wk_retire_free(struct wk_snapshot_service *service)
{
	free(service->name);
	free(service->addresses);
	free(service->ports);
}
