/*
 * worker_shards.c - several event loops offer, poll, call, cancel and leave at once: each
 * offer is ended once, and nobody speaks for what is not his.  For ThreadSanitizer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "worker/desk.h"

enum { SHARDS = 4, OFFERS = 400, POLLERS = 3, SLOTS = 8 };

struct loop;

struct job {
	struct worker_offer offer;
	struct loop *loop;
	bool over;
};

/* A worker process: it polls, says `end` for all that it gets, and polls again. */
struct hand {
	struct worker_poll poll;
	struct loop *loop;
	struct uuid id;
	struct worker_intake in;
	bool known, stops;
	unsigned polls;
};

struct loop {
	struct shard *shard;
	struct worker_desk *desk;
	struct shard_job begin, end;
	struct job jobs[OFFERS];
	struct hand hands[POLLERS];
	unsigned offered, over;
	struct wheel_timer more;
};

static struct workers *ws;
static struct loop loops[SHARDS];
static _Atomic unsigned over, lost, taken, refused;

/* ---- offers ------------------------------------------------------------------------ */

static bool
on_taken(struct worker_offer *o, const struct worker_who *w)
{
	(void)o;
	CHECK(w->worker_id.n == UUID_TEXT);
	atomic_fetch_add(&taken, 1);
	return true;
}

static void
job_over(struct job *j)
{
	CHECK(!j->over);
	j->over = true;
	j->loop->over++;
	if (atomic_fetch_add(&over, 1) + 1 == SHARDS * OFFERS)
		for (size_t i = 0; i < SHARDS; i++)
			shard_post(loops[i].shard, &loops[i].end);
}

static void
on_call(struct worker_offer *o, struct worker_call *c)
{
	struct job *j = CONTAINER_OF(o, struct job, offer);
	bool ends = c->verb == WORKER_END;

	CHECK(!j->over);
	if (ends)
		workers_withdraw(o, "success");
	worker_call_answer(c, OK, STR_NONE, NULL);
	if (ends)
		job_over(j);
}

static void
on_lost(struct worker_offer *o, const char *why)
{
	struct err e;

	(void)why;
	atomic_fetch_add(&lost, 1);
	o->attempt++;
	CHECK_RC(workers_offer(o->home, o, &e), OK);
}

static const struct worker_hooks hooks = { on_taken, on_call, on_lost };

/* A few at a time, with pauses, so that polls find queues and queues find polls. */
static void
on_more(struct wheel_timer *t)
{
	struct loop *l = CONTAINER_OF(t, struct loop, more);
	struct err e;

	for (int i = 0; i < 7 && l->offered < OFFERS; i++) {
		struct job *j = &l->jobs[l->offered++];

		j->loop = l;
		j->offer = (struct worker_offer){ .kind = l->offered % 2 == 0 ? WORKER_RUN :
		    WORKER_NODE, .name = S("g"), .owner = l->offered % 5, .attempt = 1,
		    .hooks = &hooks };
		CHECK_RC(workers_offer(l->desk, &j->offer, &e), OK);
		if (l->offered % 11 == 0)
			workers_cancel(&j->offer, false, S("test"));
	}
	if (l->offered < OFFERS)
		shard_timer_set(l->shard, t, 1);
}

/* ---- workers ------------------------------------------------------------------------- */

struct said {
	struct worker_call call;
	struct json_doc doc;
	char token[WORKER_TOKEN_CHARS];
};

static void
on_said(struct worker_call *c)
{
	struct said *s = CONTAINER_OF(c, struct said, call);

	if (c->rc == ERR_CONFLICT)
		atomic_fetch_add(&refused, 1);
	else
		CHECK_RC(c->rc, OK);
	buf_release(&c->out);
	json_release(&s->doc);
	free(s);
}

static void
say(struct hand *h, jnode task, enum worker_verb verb)
{
	struct said *s = mem_new(struct said);
	struct err e;

	memcpy(s->token, json_str(json_get(task, S("token"))).p, sizeof s->token);
	s->call = (struct worker_call){ .verb = verb, .text = S("{}"), .done = on_said,
		.token = { s->token, sizeof s->token } };
	CHECK(uuid_parse(json_str(json_get(task, S("task_id"))), &s->call.task_id));
	CHECK_RC(json_parse(&s->doc, S("{}"), &e), OK);
	s->call.body = s->doc.root;
	workers_call(h->loop->desk, &s->call);
}

static void hand_register(struct hand *h);

static void
hand_poll(struct hand *h)
{
	struct err e;

	h->poll.free[0] = h->poll.free[1] = SLOTS;
	if (!h->stops)
		CHECK_RC(workers_poll(h->loop->desk, &h->poll, &h->id,
		    (uint8_t[SHA256_SIZE]){ 0 }, &e), OK);
}

static void
on_tasks(struct worker_poll *p)
{
	struct hand *h = CONTAINER_OF(p, struct hand, poll);
	struct buf text = BUF(MB);
	struct json_doc doc;
	struct json_iter it;
	struct err e;
	bool leaves = ++h->polls % 17 == 0 && !h->stops;

	buf_add_fmt(&text, "{%.*s}", FMT(buf_str(&p->text)));
	buf_release(&p->text);
	CHECK_RC(json_parse(&doc, buf_str(&text), &e), OK);
	buf_release(&text);
	for (it = json_each(json_get(doc.root, S("tasks"))); json_next(&it);) {
		say(h, it.value, WORKER_EVENTS);
		if (!leaves)
			say(h, it.value, WORKER_END);
	}
	json_release(&doc);
	if (p->stopping)
		return;
	if (leaves) {
		CHECK_RC(workers_leave(h->loop->desk, &h->id, (uint8_t[SHA256_SIZE]){ 0 }, &e),
		    OK);
		hand_register(h);
	} else {
		hand_poll(h);
	}
}

static void
on_entered(struct worker_intake *in, int rc, const char *why, const struct err *e)
{
	struct hand *h = CONTAINER_OF(in, struct hand, in);

	(void)why, (void)e;
	CHECK_RC(rc, OK);
	h->id = in->worker_id;
	arena_release(&in->arena);
	h->poll.answered = on_tasks;
	hand_poll(h);
}

static void
hand_register(struct hand *h)
{
	struct json_doc doc;
	struct err e;

	h->in = (struct worker_intake){ .arena = ARENA(MB), .done = on_entered };
	CHECK_RC(json_parse(&doc, S("{\"name\":\"w\",\"build\":\"b\",\"lang\":\"c\","
	    "\"slots\":{\"run\":8,\"node\":8},\"runs\":[{\"id\":\"g\"}]}"), &e), OK);
	CHECK_RC(worker_intake_read(&h->in, doc.root, (struct worker_may){ NULL, 0 }, &e), OK);
	json_release(&doc);
	workers_register(h->loop->desk, &h->in);
}

/* ---- loops ---------------------------------------------------------------------------- */

static void
on_begin(struct shard_job *job)
{
	struct loop *l = CONTAINER_OF(job, struct loop, begin);

	l->more.fire = on_more;
	for (size_t i = 0; i < POLLERS; i++) {
		l->hands[i].loop = l;
		hand_register(&l->hands[i]);
	}
	on_more(&l->more);
}

/* A round later, so that what others have sent is there. */
static struct wheel_timer rests[SHARDS];

static void
on_rest(struct wheel_timer *t)
{
	struct loop *l = &loops[t - rests];

	worker_desk_free(l->desk);
	shard_stop(l->shard);
}

static void
on_end(struct shard_job *job)
{
	struct loop *l = CONTAINER_OF(job, struct loop, end);

	for (size_t i = 0; i < POLLERS; i++)
		l->hands[i].stops = true;
	worker_desk_drain(l->desk);
	rests[l - loops].fire = on_rest;
	shard_timer_set(l->shard, &rests[l - loops], 300);
}

TEST(worker_shards_end_each_offer_once)
{
	struct workers_options o = WORKER_OPTIONS;
	struct worker_figures f;
	struct err e;

	o.shards = SHARDS;
	o.sticky = 20;
	o.grace = 30;
	ws = workers_new(&o);
	for (unsigned i = 0; i < SHARDS; i++) {
		CHECK_RC(shard_new(&loops[i].shard, i, &e), OK);
		loops[i].desk = worker_desk_new(ws, loops[i].shard);
		loops[i].begin.run = on_begin;
		loops[i].end.run = on_end;
	}
	for (unsigned i = 0; i < SHARDS; i++)
		shard_post(loops[i].shard, &loops[i].begin);
	for (unsigned i = 1; i < SHARDS; i++)
		CHECK_RC(shard_start(loops[i].shard, &e), OK);
	shard_run(loops[0].shard);
	for (unsigned i = 1; i < SHARDS; i++)
		shard_join(loops[i].shard);
	CHECK_INT(atomic_load(&over), SHARDS * OFFERS);
	CHECK(atomic_load(&taken) >= SHARDS * OFFERS);
	workers_figures(ws, &f);
	CHECK_INT(f.waiting, 0);
	CHECK_INT(f.leases, 0);
	CHECK_INT(f.polls, 0);
	workers_free(ws);
	for (unsigned i = 0; i < SHARDS; i++)
		shard_free(loops[i].shard);
}
