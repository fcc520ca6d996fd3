/*
 * worker_bench.c - what the registry of workers costs when there are many.
 *
 *   worker-bench [WORKERS] [OFFERS]
 *
 * Registers WORKERS that serve one name and poll with one slot each; then offers, takes and
 * ends OFFERS tasks of 1,000 owners.  All polls wait first, then all offers do; last, all
 * offers are pinned to a build that is busy, so that each poll looks at every one of them.
 * Prints the time for each, on one shard.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "worker/desk.h"

#define KEY ((uint8_t[SHA256_SIZE]){ 0 })

struct hand {
	struct worker_poll poll;
	struct worker_intake in;
	struct uuid id;
	unsigned tasks;
};

static struct workers *ws;
static struct worker_desk *desk;
static struct shard *shard;
static struct worker_offer *offers;
static struct hand *hands;
static unsigned workers_n = 20000, offers_n = 20000, taken, answered;

static void
fail(const char *what)
{
	fprintf(stderr, "worker-bench: %s\n", what);
	exit(1);
}

static void
on_entered(struct worker_intake *in, int rc, const char *why, const struct err *e)
{
	(void)why;
	if (rc < 0)
		fail(e->text);
	CONTAINER_OF(in, struct hand, in)->id = in->worker_id;
	arena_release(&in->arena);
}

static void
on_answered(struct worker_poll *p)
{
	answered++;
	buf_release(&p->text);
}

static bool
on_taken(struct worker_offer *o, const struct worker_who *w)
{
	(void)o, (void)w;
	taken++;
	return true;
}

static void
on_call(struct worker_offer *o, struct worker_call *c)
{
	(void)o, (void)c;
}

static void
on_lost(struct worker_offer *o, const char *why)
{
	(void)o;
	fail(why);
}

static const struct worker_hooks hooks = { on_taken, on_call, on_lost };

static void
enter(struct hand *h, const char *build)
{
	struct json_doc doc;
	struct buf b = BUF(KB);
	struct err e;

	buf_add_fmt(&b, "{\"name\":\"w\",\"build\":\"%s\",\"lang\":\"c\",\"slots\":{\"run\":1,"
	    "\"node\":1},\"nodes\":[{\"name\":\"n\"}]}", build);
	h->in = (struct worker_intake){ .arena = ARENA(MB), .done = on_entered };
	if (json_parse(&doc, buf_str(&b), &e) < 0 || worker_intake_read(&h->in, doc.root,
	    (struct worker_may){ NULL, 0 }, &e) < 0)
		fail(e.text);
	workers_register(desk, &h->in);
	json_release(&doc);
	buf_release(&b);
}

static void
ask(struct hand *h)
{
	struct err e;

	h->poll = (struct worker_poll){ .free = { 0, 1 }, .answered = on_answered };
	if (workers_poll(desk, &h->poll, &h->id, KEY, &e) < 0)
		fail(e.text);
}

static void
offer(struct worker_offer *o, size_t i, struct str build)
{
	struct err e;

	*o = (struct worker_offer){ .kind = WORKER_NODE, .name = S("n"),
		.owner = (owner_t)(1 + i % 1000), .attempt = 1, .build = build, .hooks = &hooks };
	if (workers_offer(desk, o, &e) < 0)
		fail(e.text);
}

/* So that a turn does not sleep for long. */
static void
on_tick(struct wheel_timer *t)
{
	shard_timer_set(shard, t, 1);
}

static struct wheel_timer tick = { .fire = on_tick };

/* Turns until so many were taken and their polls answered. */
static void
settle(unsigned n)
{
	while (taken < n || answered < n)
		shard_turn(shard);
}

static nsec
say(const char *what, nsec since, unsigned n)
{
	nsec now = clock_mono();

	printf("%-44s %8.2f us each\n", what, (double)(now - since) / 1000 / n);
	return clock_mono();
}

static void
withdraw_all(void)
{
	for (unsigned i = 0; i < offers_n; i++)
		workers_withdraw(&offers[i], "success");
	taken = answered = 0;
}

int
main(int argc, char **argv)
{
	struct workers_options o = WORKER_OPTIONS;
	struct err e;
	nsec t;

	if (argc > 1)
		workers_n = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		offers_n = (unsigned)strtoul(argv[2], NULL, 10);
	offers_n = offers_n < workers_n ? offers_n : workers_n;
	ws = workers_new(&o);
	if (workers_n < 2 || shard_new(&shard, 0, &e) < 0)
		fail("two workers or more");
	desk = worker_desk_new(ws, shard);
	on_tick(&tick);
	hands = mem_zero(workers_n * sizeof *hands);
	offers = mem_zero(offers_n * sizeof *offers);
	printf("%u workers, %u tasks\n", workers_n, offers_n);

	t = clock_mono();
	for (unsigned i = 0; i < workers_n; i++)
		enter(&hands[i], "b1");
	t = say("a worker registers", t, workers_n);
	for (unsigned i = 0; i < workers_n; i++)
		ask(&hands[i]);
	t = say("it polls", t, workers_n);
	for (unsigned i = 0; i < offers_n; i++)
		offer(&offers[i], i, STR_NONE);
	settle(offers_n);
	t = say("a task is offered and sent, polls wait", t, offers_n);
	withdraw_all();
	t = say("it is over", t, offers_n);
	for (unsigned i = offers_n; i < workers_n; i++)
		worker_poll_leave(&hands[i].poll);

	t = clock_mono();
	for (unsigned i = 0; i < offers_n; i++)
		offer(&offers[i], i, STR_NONE);
	t = say("a task is offered, nobody polls", t, offers_n);
	for (unsigned i = 0; i < offers_n; i++)
		ask(&hands[i]);
	settle(offers_n);
	t = say("a worker polls, and is sent it", t, offers_n);
	withdraw_all();

	if (workers_leave(desk, &hands[1].id, KEY, &e) < 0)
		fail(e.text);
	enter(&hands[1], "b2");
	for (unsigned i = 0; i < offers_n; i++)
		offer(&offers[i], i, S("b1"));
	t = clock_mono();
	for (unsigned i = 0; i < 100; i++) {
		ask(&hands[1]);
		worker_poll_leave(&hands[1].poll);
	}
	(void)say("a poll that may have none of those that wait", t, 100);
	withdraw_all();
	worker_desk_drain(desk);
	return 0;
}
