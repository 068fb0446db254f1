/* SPDX-License-Identifier: Apache-2.0 */
#include "profile.h"

#include <string.h>

#include "list.h"

#define MS 1000000ull
#define US 1000ull

static const char *const names[PROFILES] = {
	"any",    "edit", "unedited", "clean", "passive", "liar",    "noise",
	"switch", "busy", "direct",   "siege", "odd",     "twoface",
};

const char *profile_name(enum profile_kind kind)
{
	return names[kind];
}

static const char *const end_names[ENDS] = {
	"client-first", "server-first", "both", "client-rst", "server-rst", "box-rst",
};

const char *profile_end_name(enum profile_end end)
{
	return end_names[end];
}

enum profile_end profile_end_by_name(const char *name)
{
	return (enum profile_end)list_find(end_names, ENDS, name);
}

enum profile_kind profile_by_name(const char *name)
{
	return (enum profile_kind)list_find(names, PROFILES, name);
}

/* Often just before a wrap. */
static uint32_t isn(struct sim_rng *rng)
{
	if (rng_chance(rng, 400))
		return UINT32_MAX - rng_range32(rng, 0, 20000);
	if (rng_chance(rng, 100))
		return INT32_MAX - rng_range32(rng, 0, 20000);
	return (uint32_t)rng_next(rng);
}

static void choose_options(struct ep_cfg *cfg, struct sim_rng *rng)
{
	static const uint16_t sizes[] = { 1460, 1460, 1448, 8960, 1220, 536, 800 };
	uint64_t what = rng_range(rng, 0, 9);

	if (what < 5) { /* full */
		cfg->mss = sizes[rng_range(rng, 0, 6)];
		cfg->sack = cfg->ts = cfg->wscale = true;
		cfg->dsack = rng_chance(rng, 500);
		cfg->shift = (uint8_t)rng_range(rng, 0, 10);
	} else if (what < 7) { /* bare */
		cfg->mss = rng_chance(rng, 500) ? 0 : 536;
	} else {
		cfg->mss = sizes[rng_range(rng, 0, 6)];
		cfg->sack = rng_chance(rng, 500);
		cfg->dsack = cfg->sack && rng_chance(rng, 500);
		cfg->ts = rng_chance(rng, 500);
		cfg->wscale = rng_chance(rng, 500);
		cfg->shift = (uint8_t)rng_range(rng, 0, 14);
	}
}

/* No stack chooses a unit that its whole buffer is only a few of. */
static void bound_shift(struct ep_cfg *cfg)
{
	while (cfg->shift > 0 && (1u << cfg->shift) > cfg->rcvbuf_b / 16)
		cfg->shift--;
}

static void choose_pace(struct ep_cfg *cfg, struct sim_rng *rng)
{
	static const uint64_t ticks[] = { MS, MS, 10 * MS, 1000 * MS, 0 };
	uint32_t buffers[] = { 4096, 8192, 16384, 65536, 262144 };

	cfg->rcvbuf_b = buffers[rng_range(rng, 0, 4)] + rng_range32(rng, 0, 999);
	bound_shift(cfg);
	cfg->ts_start = rng_chance(rng, 300) ? UINT32_MAX - rng_range32(rng, 0, 3000)
					     : (uint32_t)rng_next(rng);
	cfg->ts_tick_ns = ticks[rng_range(rng, 0, 4)];
	cfg->probe_empty = rng_chance(rng, 500);
	cfg->short_permille = rng_chance(rng, 500) ? rng_range32(rng, 0, 400) : 0;
	cfg->write_gap_ns = rng_chance(rng, 500) ? 200 * US : rng_range(rng, 1, 20) * MS;
	cfg->write_max_b = rng_chance(rng, 200) ? 40 : rng_range32(rng, 100, 20000);
	cfg->read_gap_ns = rng_range(rng, 0, 10) * MS;
	cfg->read_max_b = rng_chance(rng, 500) ? 1u << 20 : rng_range32(rng, 500, 20000);
	cfg->stall_permille = rng_chance(rng, 300) ? rng_range32(rng, 0, 60) : 0;
	cfg->stall_ns = rng_range(rng, 10, 1500) * MS;
	cfg->close_delay_ns = rng_range(rng, 0, 200) * MS;
	cfg->abort_ns = NEVER;
	cfg->mss_at_ns = NEVER;
	cfg->strict = true;
}

static void choose_links(struct profile *profile, struct sim_rng *rng)
{
	uint32_t worst = rng_chance(rng, 300) ? 0 : rng_range32(rng, 0, 150);

	for (int i = 0; i < LINKS; i++) {
		struct link_cfg *link = &profile->link[i];

		link->delay_ns = rng_range(rng, 20 * US, 15 * MS);
		link->loss_permille = rng_range32(rng, 0, worst);
		link->dup_permille = rng_chance(rng, 300) ? rng_range32(rng, 0, 100) : 0;
		link->reorder_permille = rng_chance(rng, 400) ? rng_range32(rng, 0, 300) : 0;
		link->jitter_ns = rng_range(rng, 100 * US, 30 * MS);
	}
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void choose_mix(struct profile *profile, struct sim_rng *rng)
{
	struct proto_mix *c = &profile->client_mix, *s = &profile->server_mix;
	bool edited = profile->kind != PROFILE_UNEDITED && profile->kind != PROFILE_CLEAN;

	c->frames = rng_range32(rng, 1, rng_chance(rng, 200) ? 250 : 80);
	c->weight_data = rng_range32(rng, 1, 10);
	c->weight_ctrl = rng_range32(rng, 0, 10);
	if (edited) {
		c->weight_deny = rng_range32(rng, 0, 5);
		c->weight_deny_stream = rng_range32(rng, 0, 3);
		c->weight_eat = rng_range32(rng, 0, 3);
		c->weight_repl = rng_range32(rng, 0, 5);
		c->weight_ask = rng_chance(rng, 300) ? rng_range32(rng, 1, 4) : 0;
		s->weight_ask = rng_chance(rng, 300) ? rng_range32(rng, 1, 4) : 0;
		s->patch_permille = 500;
		s->weight_settings = rng_chance(rng, 80);
	}
	c->data_max_b = rng_range32(rng, 100, rng_chance(rng, 300) ? 40000 : 5000);
	c->eat_max_b = rng_range32(rng, 10, rng_chance(rng, 300) ? 40000 : 3000);
	/* A frame that must be held whole has to fit in the receiver's window, or nobody could
	 * ever send its end. */
	c->whole_max_b = least(rng_range32(rng, 50, 4000), profile->server.rcvbuf_b / 2 - 200);
	c->repl_max_b = rng_range32(rng, 10, 6000);
	c->truncated = rng_chance(rng, 150);
	s->frames = rng_range32(rng, 0, rng_chance(rng, 200) ? 200 : 60);
	s->weight_data = 5;
	s->weight_head = rng_range32(rng, 0, 3);
	s->data_max_b = rng_range32(rng, 50, rng_chance(rng, 300) ? 30000 : 4000);
	s->whole_max_b = least(300, profile->client.rcvbuf_b / 4);
	profile->insert_max_b = least(PROTO_INSERT_MAX_B, profile->client.rcvbuf_b / 4);
	profile->ask_max_b =
		least(rng_chance(rng, 700) ? 60 : PROTO_INSERT_MAX_B, profile->server.rcvbuf_b / 4);
	if (edited && rng_chance(rng, 200))
		profile->poke_ns = rng_range(rng, 50, 3000) * MS;
}

static void choose_end(struct profile *profile, struct sim_rng *rng)
{
	struct ep_cfg *client = &profile->client, *server = &profile->server;
	uint64_t at = rng_range(rng, 30, 4000) * MS;

	profile->end = rng_chance(rng, 880) ? (enum profile_end)rng_range(rng, 0, 2)
					    : (enum profile_end)rng_range(rng, 3, ENDS - 1);
	client->close = server->close = EP_CLOSE_WRITTEN;
	if (profile->end == END_CLIENT_FIRST)
		server->close = EP_CLOSE_AFTER_PEER;
	if (profile->end == END_SERVER_FIRST)
		client->close = EP_CLOSE_AFTER_PEER;
	if (profile->end == END_CLIENT_RST)
		client->abort_ns = at;
	if (profile->end == END_SERVER_RST)
		server->abort_ns = at;
	if (profile->end == END_BOX_RST &&
	    (profile->kind == PROFILE_PASSIVE || profile->kind == PROFILE_SWITCH ||
	     profile->kind == PROFILE_DIRECT))
		profile->end = END_BOTH;
	if (profile->end == END_BOX_RST)
		profile->reset_ns = at;
}

/* Sometimes hardly any room: what does not fit must come again, not be lost. */
static void choose_limits(struct profile *profile, struct sim_rng *rng)
{
	struct wk_tcp_limits *limits = &profile->limits;

	if (profile->kind == PROFILE_PASSIVE || profile->kind == PROFILE_SWITCH ||
	    profile->kind == PROFILE_CLEAN || profile->kind == PROFILE_TWOFACE ||
	    !rng_chance(rng, 250))
		return;
	limits->hold_b = 10000 + profile->client.mss;
	limits->ooo_b = rng_range32(rng, 2000, 20000);
	limits->ledger_b = rng_range32(rng, 300, 10000);
	limits->ledger_records = rng_range32(rng, 2, 32);
}

/* Peers that do what hardly any does, and links that deliver in clumps. */
static void choose_odd(struct profile *profile, struct sim_rng *rng)
{
	struct ep_cfg *peers[] = { &profile->client, &profile->server };
	bool ecn = rng_chance(rng, 600);

	for (int i = 0; i < 2; i++) {
		struct ep_cfg *cfg = peers[i];

		cfg->ecn = ecn;
		cfg->ce_permille = rng_chance(rng, 500) ? rng_range32(rng, 1, 200) : 0;
		cfg->renege_permille = rng_chance(rng, 500) ? rng_range32(rng, 10, 300) : 0;
		cfg->again_permille = rng_chance(rng, 300) ? rng_range32(rng, 1, 200) : 0;
		if (rng_chance(rng, 400)) {
			cfg->mss_at_ns = rng_range(rng, 20, 1000) * MS;
			cfg->mss_low = (uint16_t)rng_range32(rng, 200, 1300);
		}
	}
	profile->client.odd_syn = rng_chance(rng, 400);
	for (int i = 0; i < LINKS; i++)
		if (rng_chance(rng, 300))
			profile->link[i].clump_ns = rng_range(rng, 1, 20) * MS;
}

/* A router behind the box whose next link takes less. */
static void choose_path(struct profile *profile, struct sim_rng *rng)
{
	static const enum sim_link links[] = { LINK_BOX_SERVER, LINK_BOX_CLIENT };

	if (profile->kind == PROFILE_CLEAN || profile->kind == PROFILE_DIRECT)
		return;
	for (int i = 0; i < 2; i++) {
		struct link_cfg *link = &profile->link[links[i]];

		if (!rng_chance(rng, 120))
			continue;
		link->mtu_b = rng_range32(rng, 576, rng_chance(rng, 500) ? 700 : 1480);
		link->mtu_at_ns = rng_chance(rng, 400) ? 0 : rng_range(rng, 10, 2000) * MS;
	}
}

static void choose_clean(struct profile *profile, struct sim_rng *rng)
{
	memset(profile->link, 0, sizeof(profile->link));
	for (int i = 0; i < LINKS; i++)
		profile->link[i].delay_ns = rng_range(rng, 20 * US, 15 * MS);
	profile->client.aligned = profile->server.aligned = true;
	profile->client.short_permille = profile->server.short_permille = 0;
	profile->client.rcvbuf_b = profile->server.rcvbuf_b = 60000;
	bound_shift(&profile->client);
	bound_shift(&profile->server);
	profile->client.stall_permille = profile->server.stall_permille = 0;
	profile->client.read_gap_ns = profile->server.read_gap_ns = 0;
	profile->client.read_max_b = profile->server.read_max_b = 1u << 20;
	profile->client_mix.whole_max_b = 400;
	profile->client_mix.truncated = false;
}

static void choose_busy(struct profile *profile, struct sim_rng *rng)
{
	for (int i = 0; i < LINKS; i++)
		profile->link[i].loss_permille /= 5;
	profile->client.rcvbuf_b = rng_range32(rng, 4096, 16384);
	bound_shift(&profile->client);
	profile->client.stall_permille = 0;
	profile->client.read_gap_ns = rng_range(rng, 1, 8) * MS;
	profile->client.read_max_b = rng_range32(rng, 800, 4000);
	profile->server.write_gap_ns = 200 * US;
	profile->server.write_max_b = 20000;
	profile->server_mix.frames = 40;
	profile->server_mix.data_max_b = 30000;
	profile->server_mix.weight_head = 0;
	profile->client_mix.weight_deny = 5;
	profile->insert_max_b = PROTO_INSERT_MAX_B / 2;
}

/* What distinguishes the kinds of run. */
static void choose_kind(struct profile *profile, struct sim_rng *rng)
{
	switch (profile->kind) {
	case PROFILE_CLEAN:
		choose_clean(profile, rng);
		break;
	case PROFILE_LIAR:
		profile->client.lie_permille = 500;
		profile->server.strict = false;
		break;
	case PROFILE_BUSY:
		choose_busy(profile, rng);
		break;
	case PROFILE_SWITCH:
		profile->starts_passive = rng_chance(rng, 700);
		profile->switch_ns = rng_range(rng, 20, 400) * MS;
		profile->client_mix.truncated = false;
		break;
	case PROFILE_ODD:
		choose_odd(profile, rng);
		break;
	case PROFILE_TWOFACE:
		profile->client.face_permille = rng_range32(rng, 50, 500);
		profile->client.again_permille = rng_range32(rng, 0, 300);
		profile->client.lie_permille = rng_chance(rng, 500) ? 300 : 0;
		profile->server.strict = false;
		break;
	case PROFILE_SIEGE:
		profile->client.besieged = profile->server.besieged = true;
		profile->noise_gap_ns = rng_range(rng, 1, 50) * MS;
		break;
	case PROFILE_NOISE:
		profile->noise_gap_ns = rng_range(rng, 1, 50) * MS;
		break;
	default:
		break;
	}
}

void profile_choose(struct profile *profile, uint64_t seed, enum profile_kind kind)
{
	struct sim_rng rng = { .state = seed * 0x100000001b3ull + 7 };
	uint64_t what = rng_range(&rng, 0, 99);

	*profile = (struct profile){
		.seed = seed, .poke_ns = NEVER, .reset_ns = NEVER, .limits = wk_tcp_limits_default
	};
	if (kind == PROFILE_ANY && seed % 16 == 5)
		kind = PROFILE_SIEGE;
	else if (kind == PROFILE_ANY && seed % 16 == 9)
		kind = PROFILE_ODD;
	else if (kind == PROFILE_ANY && seed % 16 == 13)
		kind = PROFILE_TWOFACE;
	else if (kind == PROFILE_ANY)
		kind = what < 58   ? PROFILE_EDIT
		       : what < 70 ? PROFILE_UNEDITED
		       : what < 76 ? PROFILE_CLEAN
		       : what < 82 ? PROFILE_PASSIVE
		       : what < 88 ? PROFILE_LIAR
		       : what < 93 ? PROFILE_NOISE
		       : what < 95 ? PROFILE_BUSY
				   : PROFILE_SWITCH;
	profile->kind = kind;
	profile->client.name = "client";
	profile->client.dir = WK_C2S;
	profile->server.name = "server";
	profile->server.dir = WK_S2C;
	profile->client.isn = isn(&rng);
	profile->server.isn = isn(&rng);
	choose_options(&profile->client, &rng);
	choose_options(&profile->server, &rng);
	choose_pace(&profile->client, &rng);
	choose_pace(&profile->server, &rng);
	choose_links(profile, &rng);
	choose_mix(profile, &rng);
	choose_end(profile, &rng);
	choose_kind(profile, &rng);
	profile->client.garbage = profile->server.garbage = profile->kind != PROFILE_PASSIVE &&
							    profile->kind != PROFILE_SWITCH &&
							    profile->kind != PROFILE_DIRECT;
	choose_limits(profile, &rng);
	choose_path(profile, &rng);
	profile->rng = rng_fork(&rng);
}
