/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "noise.h"
#include "reference.h"
#include "script.h"

#define LIMIT_NS (900ull * 1000000000ull)
#define DRAIN_NS (8ull * 1000000000ull)
#define WAIT_NS  (10ull * 1000000000ull) /* of an insertion into a busy download */

struct run {
	const struct profile *profile;
	struct script *played, *recorded; /* NULL: not */
	struct proto_stream c2s, s2c;
	struct ep client, server;
	struct box box;
	struct net net;
	struct noise noise;
	uint64_t now_ns;
	uint64_t events;
	bool verbose;
	struct run_result *result;
};

static bool direct(const struct run *run)
{
	return run->profile->kind == PROFILE_DIRECT;
}

static void fail(struct run *run, const char *what)
{
	if (!run->result->fault[0])
		snprintf(run->result->fault, sizeof(run->result->fault), "%s", what);
}

static void from_client(void *user, struct sim_pkt *pkt)
{
	struct run *run = user;

	if (run->verbose)
		trace(run->now_ns, "client sends", pkt, "");
	net_send(&run->net, direct(run) ? LINK_BOX_SERVER : LINK_CLIENT_BOX, pkt, run->now_ns);
}

static void from_server(void *user, struct sim_pkt *pkt)
{
	struct run *run = user;

	if (run->verbose)
		trace(run->now_ns, "server sends", pkt, "");
	net_send(&run->net, direct(run) ? LINK_BOX_CLIENT : LINK_SERVER_BOX, pkt, run->now_ns);
}

static void from_box(void *user, struct sim_pkt *pkt)
{
	struct run *run = user;

	net_send(&run->net, pkt->dir == WK_C2S ? LINK_BOX_SERVER : LINK_BOX_CLIENT, pkt,
		 run->now_ns);
}

static struct ep_stream as_stream(const struct proto_stream *from, bool soft)
{
	return (struct ep_stream){
		.bytes = from->bytes,
		.len_b = from->len_b,
		.cuts = from->cuts,
		.n_cuts = from->n_cuts,
		.soft = soft ? from->soft : NULL,
		.face = from->face,
	};
}

static void make_streams(struct run *run, struct sim_rng streams)
{
	const struct profile *profile = run->profile;

	if (run->played) {
		proto_from_frames(&run->c2s, true, &run->played->frames[WK_C2S]);
		proto_from_frames(&run->s2c, false, &run->played->frames[WK_S2C]);
		return;
	}
	proto_make_client(&run->c2s, &profile->client_mix, &streams);
	proto_make_server(&run->s2c, &profile->server_mix, &streams);
	if (run->recorded) {
		proto_to_frames(&run->c2s, true, &run->recorded->frames[WK_C2S]);
		proto_to_frames(&run->s2c, false, &run->recorded->frames[WK_S2C]);
	}
}

static struct chooser chooser(const struct run *run, int part, struct sim_rng rng)
{
	struct script *script = run->played ? run->played : run->recorded;

	return (struct chooser){
		.rng = rng,
		.tape = script ? &script->tape : NULL,
		.part = (uint8_t)part,
	};
}

/* The peers, the links and the attacker, each with its own source of decisions. */
static void init_parts(struct run *run, struct sim_rng *rng, const struct ep_stream *c2s,
		       const struct ep_stream *s2c)
{
	const struct profile *profile = run->profile;
	struct chooser c = chooser(run, PART_CLIENT, rng_fork(rng)), s;

	s = chooser(run, PART_SERVER, rng_fork(rng));
	ep_init(&run->client, &profile->client, c2s, &c, from_client, run);
	ep_init(&run->server, &profile->server, s2c, &s, from_server, run);
	memcpy(run->net.cfg, profile->link, sizeof(run->net.cfg));
	run->net.rng = rng_fork(rng);
	for (int i = 0; i < LINKS; i++)
		run->net.chooser[i] = chooser(run, PART_LINK + i, run->net.rng);
}

static void init_noise(struct run *run, struct sim_rng rng)
{
	noise_init(&run->noise, run->profile->noise_gap_ns,
		   run->profile->kind == PROFILE_NOISE ? ATTACKS_NOISE : ATTACK_KINDS, rng);
	if (run->played)
		run->noise.played = &run->played->attacks;
	if (run->recorded)
		run->noise.recorded = &run->recorded->attacks;
}

static void run_init(struct run *run, const struct profile *profile, bool verbose)
{
	struct sim_rng rng = profile->rng, streams = rng_fork(&rng);
	bool lies = profile->client.lie_permille > 0;
	bool faces = profile->client.face_permille > 0;
	struct box_cfg box = {
		.passive = profile->kind == PROFILE_PASSIVE || profile->starts_passive,
		.verbose = verbose,
		.mistake = profile->mistake,
		.limits = profile->limits,
	};
	struct ep_stream c2s, s2c;
	uint64_t salt;

	make_streams(run, streams);
	if (profile->client.face_permille > 0)
		proto_other_face(&run->c2s);
	c2s = as_stream(&run->c2s, lies);
	s2c = as_stream(&run->s2c, false);
	init_parts(run, &rng, &c2s, &s2c);
	salt = rng_next(&rng);
	if (run->played)
		salt = profile->salt;
	if (run->recorded)
		run->recorded->profile.salt = salt;
	box_init(&run->box, &box, salt, profile->insert_max_b);
	run->box.judge.ask_max_b = profile->ask_max_b;
	run->box.send = from_box;
	run->box.user = run;
	run->box.poke_ns = profile->poke_ns;
	run->box.reset_ns = profile->reset_ns;
	if (profile->switch_ns > 0) {
		run->box.switch_ns = profile->switch_ns;
		run->box.switch_gap_ns = profile->switch_ns;
	}
	run->box.check.lies = lies || faces;
	run->box.check.got[WK_C2S] = &run->server.ever;
	run->box.check.got[WK_S2C] = &run->client.ever;
	init_noise(run, rng_fork(&rng));
}

static void run_fini(struct run *run)
{
	ep_fini(&run->client);
	ep_fini(&run->server);
	box_fini(&run->box);
	net_fini(&run->net);
	noise_fini(&run->noise);
	proto_free(&run->c2s);
	proto_free(&run->s2c);
}

static void arrive(struct run *run, struct ep *ep, const struct sim_pkt *pkt)
{
	if (run->verbose)
		trace(run->now_ns, ep == &run->server ? "server gets" : "client gets", pkt, "");
	if (pkt->quoted_b > 0)
		ep_icmp(ep, pkt, run->now_ns);
	else
		ep_input(ep, pkt, run->now_ns);
}

static void deliver(struct run *run)
{
	struct flight flight = net_pop(&run->net);

	switch (flight.link) {
	case LINK_CLIENT_BOX:
	case LINK_SERVER_BOX:
		noise_see(&run->noise, flight.pkt);
		box_input(&run->box, flight.pkt, false, run->now_ns);
		return;
	case LINK_BOX_SERVER:
		arrive(run, &run->server, flight.pkt);
		break;
	default:
		arrive(run, &run->client, flight.pkt);
		break;
	}
	free(flight.pkt);
}

static uint64_t next_event(const struct run *run)
{
	const uint64_t at[] = { net_next(&run->net), ep_deadline(&run->client),
				ep_deadline(&run->server), box_deadline(&run->box),
				noise_next(&run->noise) };
	uint64_t min = NEVER;

	for (uint32_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		min = at[i] < min ? at[i] : min;
	return min;
}

/* One event. @return false when nothing will ever happen again. */
static bool step(struct run *run)
{
	uint64_t at = next_event(run);

	if (at == NEVER)
		return false;
	if (at > run->now_ns)
		run->now_ns = at;
	run->events++;
	if (net_next(&run->net) <= run->now_ns)
		deliver(run);
	else if (ep_deadline(&run->client) <= run->now_ns)
		ep_timer(&run->client, run->now_ns);
	else if (ep_deadline(&run->server) <= run->now_ns)
		ep_timer(&run->server, run->now_ns);
	else if (box_deadline(&run->box) <= run->now_ns)
		box_timer(&run->box, run->now_ns);
	else
		noise_make(&run->noise, &run->box, run->now_ns);
	if (run->client.fault)
		fail(run, run->client.fault);
	if (run->server.fault)
		fail(run, run->server.fault);
	if (run->box.check.fault[0])
		fail(run, run->box.check.fault);
	return !run->result->fault[0];
}

static bool aborted(const struct run *run)
{
	return run->client.state == EP_DEAD || run->server.state == EP_DEAD;
}

/* What was judged is what the client sent: of two versions either, byte by byte. */
static bool was_sent(const struct run *run)
{
	const struct judge_dir *d = &run->box.judge.dir[WK_C2S];
	const struct proto_stream *sent = &run->c2s;
	bool lies = run->profile->client.lie_permille > 0;

	for (uint64_t i = 0; i < d->in_b; i++) {
		uint8_t was = d->in[i], lie = lies && sent->soft[i] ? 0x55 : 0;
		bool said = was == sent->bytes[i] || was == (sent->bytes[i] ^ lie);

		if (!said &&
		    (!sent->face || (was != sent->face[i] && was != (sent->face[i] ^ lie))))
			return false;
	}
	return true;
}

/* Payload of DATA may have come in any version, nothing else. */
static bool got_judged(const struct run *run, const uint8_t *want, uint64_t got_b)
{
	const struct judge_dir *d = &run->box.judge.dir[WK_C2S];
	const uint8_t *got = run->server.rx;
	bool lies = run->box.check.lies;
	uint32_t m = 0;

	for (uint64_t i = 0; i < got_b; i++) {
		while (m < d->n_map && d->map[m].out + d->map[m].out_b <= i)
			m++;
		if (got[i] != want[i] && !(lies && m < d->n_map && d->map[m].kind == WK_OP_PASS &&
					   got[i] == (want[i] ^ 0x55)))
			return false;
	}
	return true;
}

/* What the server should have got: the edit of the client's stream, with our frames in between. */
static uint8_t *wanted_by_server(struct run *run, const uint8_t *in, uint64_t in_b,
				 uint64_t *want_b)
{
	const struct judge *judge = &run->box.judge;
	struct reference_got got = {
		.bytes = run->server.rx,
		.len_b = ep_received_b(&run->server),
		.whole = !aborted(run),
		.salt = judge_ask_salt(judge),
		.max_b = judge->ask_max_b,
	};
	uint8_t *edit = reference_client(in, in_b, &judge->dir[WK_C2S].watched, want_b), *want;
	const char *wrong = NULL;

	want = reference_asked(edit, *want_b, &got, want_b, &wrong);
	if (wrong)
		fail(run, wrong);
	if (got.whole && got.inserted != judge->asked)
		fail(run, "an insertion towards the server was lost");
	run->result->asked = got.inserted;
	free(edit);
	return want;
}

/* The server must have got the edit of what was judged; and what was judged is what was sent. */
static void check_server_got(struct run *run)
{
	bool plain = direct(run) || run->profile->kind == PROFILE_PASSIVE;
	struct judge_dir *d = &run->box.judge.dir[WK_C2S];
	uint64_t in_b = run->c2s.len_b, want_b = in_b, got_b = ep_received_b(&run->server);
	const uint8_t *in = run->c2s.bytes;
	uint8_t *want = NULL;

	if (!plain && !was_sent(run))
		fail(run, "the judge was shown other bytes than the client sent");
	if (run->box.check.lies) {
		in = d->in;
		in_b = d->in_b;
	}
	/* What a passive flow lost track of went on all the same. */
	if (run->box.cfg.passive)
		ranges_add(&d->watched, d->in_b, NEVER);
	if (!plain)
		want = wanted_by_server(run, in, in_b, &want_b);
	if (got_b > want_b || (got_b < want_b && !aborted(run)))
		fail(run, "the server got a stream of another length than the reference");
	else if (!got_judged(run, want ? want : in, got_b))
		fail(run, "the server got other bytes than the reference");
	free(want);
}

static void check_client_got(struct run *run)
{
	struct reference_got got = {
		.bytes = run->client.rx,
		.len_b = ep_received_b(&run->client),
		.whole = !aborted(run),
		.salt = run->box.judge.salt,
		.max_b = run->profile->insert_max_b,
		.watched = &run->box.judge.dir[WK_S2C].watched,
		.judged_b = run->box.judge.dir[WK_S2C].in_b,
	};
	const char *wrong;

	if (direct(run) || run->profile->kind == PROFILE_PASSIVE) {
		if (got.len_b > run->s2c.len_b || (got.whole && got.len_b < run->s2c.len_b) ||
		    (got.len_b > 0 && memcmp(got.bytes, run->s2c.bytes, got.len_b) != 0))
			fail(run, "the client got other bytes than the server sent");
		return;
	}
	wrong = reference_server(run->s2c.bytes, run->s2c.len_b, &got);
	if (wrong)
		fail(run, wrong);
	if (got.whole && got.inserted != run->box.judge.pulled)
		fail(run, "an insertion was lost");
	run->result->inserted = got.inserted;
}

/* On a perfect network nothing is edited: every packet goes on as it came. */
static void check_clean(struct run *run)
{
	const struct box *box = &run->box;
	bool plain = run->profile->kind == PROFILE_CLEAN;

	if (plain && !aborted(run) &&
	    (box->edited > 0 || box->built > 0 || box->absorbed > 0 || box->dropped > 0))
		fail(run, "an unedited connection was not forwarded bit for bit");
	if (run->profile->kind == PROFILE_UNEDITED && box->judge.pulled > 0 && !box->excused)
		fail(run, "an insertion nobody wanted");
	if (run->profile->kind == PROFILE_BUSY && box->waited_ns > WAIT_NS)
		fail(run, "a busy download starved an insertion");
}

static void finish(struct run *run)
{
	uint64_t end = run->now_ns + DRAIN_NS;

	while (next_event(run) < end && step(run))
		continue;
	check_server_got(run);
	check_client_got(run);
	check_clean(run);
	box_close(&run->box);
	if (run->box.check.fault[0])
		fail(run, run->box.check.fault);
}

/* A server that has never heard of the client is finished with it too. */
static bool finished(const struct run *run)
{
	return ep_finished(&run->client) &&
	       (ep_finished(&run->server) ||
		(run->client.state == EP_DEAD && run->server.state == EP_LISTEN));
}

static void tell(const struct run *run)
{
	struct run_result *result = run->result;

	result->packets = run->net.sent;
	result->sim_ns = run->now_ns;
	result->c2s_b = ep_received_b(&run->server);
	result->s2c_b = ep_received_b(&run->client);
	result->waited_ns = run->box.waited_ns;
	result->wanted = run->box.judge.wanted;
	result->asks = run->box.judge.asks;
	result->quotes = run->box.quotes;
	result->forwarded = run->box.forwarded;
	result->edited = run->box.edited;
	result->absorbed = run->box.absorbed;
	result->dropped = run->box.dropped;
	result->built = run->box.built;
}

static bool run_all(struct run *run, const struct profile *profile, bool verbose,
		    struct run_result *result)
{
	bool reset;

	run->profile = profile;
	run->verbose = verbose;
	run->result = result;
	*result = (struct run_result){ 0 };
	run_init(run, profile, verbose);
	while (!finished(run)) {
		if (!step(run)) {
			fail(run, "both sides wait for ever");
			break;
		}
		if (run->now_ns > LIMIT_NS) {
			fail(run, "not finished in time");
			break;
		}
	}
	/* Once both sides have ended in order an RST is no more than the box's last word to what
	 * an attacker still says in their names. */
	reset = aborted(run);
	if (!result->fault[0])
		finish(run);
	if (reset && profile->end < END_CLIENT_RST && !run->box.excused)
		fail(run, "a connection was reset that nobody reset");
	tell(run);
	run_fini(run);
	return !result->fault[0];
}

bool run_profile(const struct profile *profile, bool verbose, struct script *record,
		 struct run_result *result)
{
	struct run run = { .recorded = record };

	if (record) {
		record->profile = *profile;
		record->tape.playing = false;
	}
	return run_all(&run, profile, verbose, result);
}

bool run_script(struct script *script, bool verbose, struct run_result *result)
{
	struct run run = { .played = script };

	return run_all(&run, &script->profile, verbose, result);
}
