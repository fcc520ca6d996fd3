/*
 * cluster_talk.c - what processes tell each other: words, looks, and limits of callers that
 * count over two nodes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "nats_fix.h"
#include "base/mem.h"
#include "cluster/counts.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct node {
	struct bus *bus;
	struct talk *talk;
	struct auth *auth;
	struct counts *counts;
	unsigned words, looks, ups, downs;
	uint64_t from;
	char said[32];
};

static struct shard *shard;
static struct node a, b;
static struct wheel_timer tick;

static void
on_tick(struct wheel_timer *t)
{
	shard_timer_set(shard, t, 2);
}

#define UNTIL(condition)            \
	while (!(condition))        \
		shard_turn(shard)

/* What is for the shard's own thread. */
static void (*step)(void);

static void
run_step(struct shard_job *job)
{
	(void)job;
	step();
	step = NULL;
}

static void
on_shard(void (*f)(void))
{
	struct shard_job job = { .run = run_step };

	step = f;
	shard_post(shard, &job);
	UNTIL(step == NULL);
}

static void
on_word(void *ctx, uint64_t from, struct str what)
{
	struct node *n = ctx;

	n->words++;
	n->from = from;
	snprintf(n->said, sizeof n->said, "%.*s", FMT(what));
}

static void
on_bus(void *ctx, bool up)
{
	struct node *n = ctx;

	n->ups += up;
	n->downs += !up;
}

static void
on_look(void *ctx)
{
	((struct node *)ctx)->looks++;
}

static void
open_node(struct node *n)
{
	char cluster[32];
	struct bus_options o = { .urls = nats_url(), .name = S("x") };
	struct auth_options ao = { .cache_max = 10 };

	/* The port of a server that was killed may be another test's by now. */
	snprintf(cluster, sizeof cluster, "c%ld", (long)getpid());
	o.cluster = str_of(cluster);
	CHECK_RC(bus_open(&n->bus, &o, NULL), OK);
	CHECK_RC(auth_new(&n->auth, &ao, NULL), OK);
	n->talk = talk_new(n->bus, shard);
	talk_on(n->talk, TALK_GRAPHS, &(struct talk_ear){ on_word, on_bus, on_look, n });
	n->counts = counts_new(n->talk, shard, n->auth);
}

static void
open_both(void)
{
	tick.fire = on_tick;
	on_tick(&tick);
	open_node(&a);
	open_node(&b);
}

static void
say_probe(void)
{
	(void)talk_say(a.talk, TALK_ALL, TALK_GRAPHS, &S("probe"), 1);
	(void)talk_say(b.talk, TALK_ALL, TALK_GRAPHS, &S("probe"), 1);
}

/* Both hear each other. */
static void
await_both(void)
{
	UNTIL(talk_is_up(a.talk) && talk_is_up(b.talk));
	a.words = b.words = 0;
	UNTIL((on_shard(say_probe), a.words > 0 && b.words > 0));
}

static void
start(void)
{
	nats_start(NULL);
	CHECK_RC(shard_new(&shard, 0, NULL), OK);
	on_shard(open_both);
	await_both();
}

static void
close_both(void)
{
	shard_timer_cancel(shard, &tick);
	counts_free(a.counts);
	counts_free(b.counts);
	bus_close(a.bus);
	bus_close(b.bus);
	talk_free(a.talk);
	talk_free(b.talk);
}

static void
finish(void)
{
	close_both();                        /* no turn follows */
	auth_free(a.auth);
	auth_free(b.auth);
	shard_free(shard);
}

static void
say_words(void)
{
	struct str pieces[2] = { S("two "), S("pieces") };

	CHECK_RC(talk_say(b.talk, b.from, TALK_GRAPHS, pieces, 2), OK);
}

TEST(talk_goes_to_others_and_not_to_its_sender)
{
	start();
	on_shard(say_words);
	UNTIL(strcmp(a.said, "two pieces") == 0);
	CHECK_STR(str_of(b.said), "probe");
	finish();
}

/* While NATS is away whoever keeps copies looks for himself, and once when it is back. */
TEST(talk_looks_while_nats_is_away)
{
	unsigned looks;

	start();
	CHECK(a.looks > 0 && b.looks > 0);
	looks = a.looks;
	nats_kill(SIGKILL);
	UNTIL(a.downs == 1 && b.downs == 1);
	CHECK_INT(a.looks, looks);
	UNTIL(a.looks >= looks + 2 && b.looks >= 2);
	looks = a.looks;
	nats_start(NULL);
	await_both();
	CHECK(a.looks > looks);
	CHECK_INT(a.ups, 2);
	finish();
}

/* Limits. */

static struct principal ann = { .limits = { .concurrency = 4 }, .payer = { { 1 } } };
static struct principal bob = { .limits = { .requests_per_second = 10 }, .payer = { { 2 } } };
static struct quota *places[64];
static size_t places_n;

static int
enter(struct node *n, const struct principal *p)
{
	int64_t retry;
	int rc = auth_enter(n->auth, p, clock_mono(), &places[places_n], &retry, NULL);

	if (rc == OK)
		places_n++;
	return rc;
}

static bool
may_enter(struct node *n, const struct principal *p)
{
	struct quota *place;
	int64_t retry;

	if (auth_enter(n->auth, p, clock_mono(), &place, &retry, NULL) != OK)
		return false;
	auth_leave(n->auth, place);
	return true;
}

TEST(limits_count_requests_under_way_at_all_nodes)
{
	start();
	for (int i = 0; i < 4; i++)
		CHECK_RC(enter(&a, &ann), OK);
	UNTIL(!may_enter(&b, &ann));
	CHECK(!may_enter(&a, &ann));
	auth_leave(a.auth, places[--places_n]);
	UNTIL(may_enter(&b, &ann));
	CHECK_RC(enter(&b, &ann), OK);
	UNTIL(!may_enter(&a, &ann) && !may_enter(&b, &ann));
	/* Each counts for itself while NATS is away, and is told again when it is back. */
	nats_kill(SIGKILL);
	UNTIL(may_enter(&a, &ann) && may_enter(&b, &ann));
	nats_start(NULL);
	UNTIL(!may_enter(&a, &ann) && !may_enter(&b, &ann));
	auth_leave(b.auth, places[--places_n]);
	while (places_n > 0)
		auth_leave(a.auth, places[--places_n]);
	UNTIL(may_enter(&a, &ann) && may_enter(&b, &ann));
	finish();
}

/* Who waits for what other nodes say. */

static struct principal eve = { .limits = { .concurrency = 1 }, .payer = { { 3 } } };

static struct entry {
	struct auth_entry w;
	bool done;
} entry;

static void
entry_done(struct auth_entry *w)
{
	CONTAINER_OF(w, struct entry, w)->done = true;
}

/* eve's only request is at a, and b knows it. */
static struct quota *
one_is_at_a(void)
{
	struct quota *place;
	int64_t retry;

	CHECK_RC(auth_enter(a.auth, &eve, clock_mono(), &place, &retry, NULL), OK);
	UNTIL(!may_enter(&b, &eve));
	return place;
}

static void
ask_at_b(void)
{
	struct quota *place;
	int64_t retry;

	CHECK_RC(auth_enter(b.auth, &eve, clock_mono(), &place, &retry, NULL), ERR_AGAIN);
	CHECK(place == NULL);
	entry = (struct entry){ .w = { .shard = shard, .done = entry_done } };
	auth_enter_ask(b.auth, &eve, &entry.w);
	CHECK(!entry.done);
}

TEST(who_has_an_answer_has_a_place_at_every_node)
{
	start();
	for (int i = 0; i < 100; i++) {
		struct quota *place = one_is_at_a();

		/* b has not been told yet. */
		auth_leave(a.auth, place);
		ask_at_b();
		UNTIL(entry.done);
		CHECK_RC(entry.w.rc, OK);
		CHECK(entry.w.place != NULL);
		UNTIL(!may_enter(&a, &eve));
		auth_leave(b.auth, entry.w.place);
		UNTIL(may_enter(&a, &eve));
	}
	finish();
}

TEST(who_has_a_request_under_way_elsewhere_has_no_place)
{
	struct quota *place;

	start();
	place = one_is_at_a();
	ask_at_b();
	UNTIL(entry.done);
	CHECK_RC(entry.w.rc, ERR_LIMIT);
	CHECK(entry.w.place == NULL && entry.w.retry_s == 1);
	CHECK(strstr(entry.w.err.text, "concurrency: 1 requests are under way") != NULL);
	/* Nobody can be asked: it counts alone. */
	ask_at_b();
	nats_kill(SIGKILL);
	UNTIL(entry.done && may_enter(&b, &eve) == (entry.w.rc != OK));
	if (entry.w.rc == OK)
		auth_leave(b.auth, entry.w.place);
	auth_leave(a.auth, place);
	finish();
}

/* Two nodes that are asked as fast as they can be: how many are let in. */
TEST(limits_of_a_rate_hold_for_all_nodes_together)
{
	nsec end;
	unsigned in = 0;

	start();
	end = clock_mono() + 3 * NS_PER_S;
	while (clock_mono() < end) {
		in += may_enter(&a, &bob) + may_enter(&b, &bob);
		shard_turn(shard);
	}
	/* 10 at once, 30 in three seconds, and what two nodes let in before they heard: alone
	 * they would let in 80. */
	CHECK(in >= 36 && in <= 60);
	finish();
}
