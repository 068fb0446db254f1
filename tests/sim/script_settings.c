/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name_, field_, time_)                                                                \
	{                                                                                          \
		.name = (name_), .at = offsetof(struct profile, field_),                           \
		.size_b = sizeof(((struct profile *)NULL)->field_), .is_time = (time_)             \
	}
#define PLAIN(field) FIELD(#field, field, false)
#define TIME(field)  FIELD(#field, field, true)
#define OF_PEER(peer)                                                                              \
	PLAIN(peer.isn), PLAIN(peer.mss), PLAIN(peer.sack), PLAIN(peer.dsack), PLAIN(peer.ts),     \
		PLAIN(peer.wscale), PLAIN(peer.shift), PLAIN(peer.rcvbuf_b), PLAIN(peer.ts_start), \
		TIME(peer.ts_tick_ns), PLAIN(peer.probe_empty), PLAIN(peer.garbage),               \
		PLAIN(peer.aligned), PLAIN(peer.lie_permille), PLAIN(peer.strict),                 \
		PLAIN(peer.besieged), PLAIN(peer.ecn), TIME(peer.mss_at_ns), PLAIN(peer.mss_low),  \
		PLAIN(peer.renege_permille), PLAIN(peer.odd_syn), PLAIN(peer.face_permille),       \
		PLAIN(peer.again_permille), TIME(peer.open_ns), PLAIN(peer.close),                 \
		TIME(peer.close_delay_ns), TIME(peer.abort_ns)

const struct setting settings[] = {
	OF_PEER(client),
	OF_PEER(server),
	FIELD("client>box.clump_ns", link[LINK_CLIENT_BOX].clump_ns, true),
	FIELD("box>server.clump_ns", link[LINK_BOX_SERVER].clump_ns, true),
	FIELD("server>box.clump_ns", link[LINK_SERVER_BOX].clump_ns, true),
	FIELD("box>client.clump_ns", link[LINK_BOX_CLIENT].clump_ns, true),
	FIELD("client>box.delay_ns", link[LINK_CLIENT_BOX].delay_ns, true),
	FIELD("box>server.delay_ns", link[LINK_BOX_SERVER].delay_ns, true),
	FIELD("server>box.delay_ns", link[LINK_SERVER_BOX].delay_ns, true),
	FIELD("box>client.delay_ns", link[LINK_BOX_CLIENT].delay_ns, true),
	FIELD("box>server.mtu_b", link[LINK_BOX_SERVER].mtu_b, false),
	FIELD("box>server.mtu_at_ns", link[LINK_BOX_SERVER].mtu_at_ns, true),
	FIELD("box>client.mtu_b", link[LINK_BOX_CLIENT].mtu_b, false),
	FIELD("box>client.mtu_at_ns", link[LINK_BOX_CLIENT].mtu_at_ns, true),
	PLAIN(limits.hold_b),
	PLAIN(limits.ooo_b),
	PLAIN(limits.ledger_b),
	PLAIN(limits.ledger_records),
	PLAIN(insert_max_b),
	PLAIN(ask_max_b),
	PLAIN(salt),
	TIME(poke_ns),
	TIME(reset_ns),
	TIME(switch_ns),
	PLAIN(starts_passive),
};
const uint32_t n_settings = sizeof(settings) / sizeof(settings[0]);

uint64_t setting_get(const struct setting *setting, const struct profile *profile)
{
	const uint8_t *at = (const uint8_t *)profile + setting->at;
	uint32_t u32;
	uint16_t u16;
	uint64_t u64;

	switch (setting->size_b) {
	case 1:
		return *at;
	case 2:
		memcpy(&u16, at, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, at, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, at, sizeof(u64));
		return u64;
	}
}

void setting_put(const struct setting *setting, struct profile *profile, uint64_t value)
{
	uint8_t *at = (uint8_t *)profile + setting->at;
	uint32_t u32 = (uint32_t)value;
	uint16_t u16 = (uint16_t)value;

	switch (setting->size_b) {
	case 1:
		*at = (uint8_t)value;
		break;
	case 2:
		memcpy(at, &u16, sizeof(u16));
		break;
	case 4:
		memcpy(at, &u32, sizeof(u32));
		break;
	default:
		memcpy(at, &value, sizeof(value));
		break;
	}
}

static struct ep_cfg plain_peer(const char *name, enum wk_dir dir)
{
	return (struct ep_cfg){
		.name = name,
		.dir = dir,
		.isn = dir == WK_C2S ? 1000 : 5000,
		.mss = 1460,
		.sack = true,
		.ts = true,
		.wscale = true,
		.shift = 2,
		.rcvbuf_b = 65535,
		.ts_start = 1000,
		.ts_tick_ns = 1000000,
		.probe_empty = true,
		.strict = true,
		.write_max_b = 1,
		.read_max_b = 1,
		.close = EP_CLOSE_WRITTEN,
		.abort_ns = NEVER,
		.mss_at_ns = NEVER,
	};
}

void settings_default(struct profile *profile)
{
	*profile = (struct profile){
		.kind = profile->kind,
		.end = END_BOTH,
		.client = plain_peer("client", WK_C2S),
		.server = plain_peer("server", WK_S2C),
		.limits = wk_tcp_limits_default,
		.insert_max_b = 100,
		.ask_max_b = 20,
		.salt = 1,
		.poke_ns = NEVER,
		.reset_ns = NEVER,
	};
	for (int i = 0; i < LINKS; i++)
		profile->link[i].delay_ns = 1000000;
}

void time_write(uint64_t ns, FILE *to)
{
	char digits[16];
	int n;

	if (ns == NEVER) {
		fputs("never", to);
		return;
	}
	n = snprintf(digits, sizeof(digits), "%06" PRIu64, ns % 1000000);
	while (n > 0 && digits[n - 1] == '0')
		digits[--n] = 0;
	fprintf(to, "%" PRIu64 "%s%sms", ns / 1000000, n > 0 ? "." : "", digits);
}

void setting_write(const struct setting *setting, uint64_t value, FILE *to)
{
	fprintf(to, "set %s ", setting->name);
	if (setting->is_time)
		time_write(value, to);
	else
		fprintf(to, "%" PRIu64, value);
	fputc('\n', to);
}

bool value_read(const char *word, uint64_t *value)
{
	char *end;

	if (strcmp(word, "never") == 0) {
		*value = NEVER;
		return true;
	}
	if (word[0] == '-' || word[0] == 0)
		return false;
	*value = strtoull(word, &end, 10);
	if (*end == 0)
		return true;
	*value = (uint64_t)llround(strtod(word, &end) * 1e6);
	return strcmp(end, "ms") == 0;
}
