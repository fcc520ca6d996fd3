/*
 * worker_fix.c - see worker_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker_fix.h"

#include <string.h>

#include "base/mem.h"

static void
on_tick(struct wheel_timer *t)
{
	shard_timer_set(CONTAINER_OF(t, struct place, tick)->shard, t, 1);
}

void
place_wait(struct place *p, msec ms)
{
	nsec end = clock_mono() + ms * NS_PER_MS;

	TURNS_UNTIL(p, clock_mono() >= end);
}

void
place_open(struct place *p, const struct workers_options *o)
{
	struct err e;

	*p = (struct place){ .ws = workers_new(o) };
	CHECK_RC(shard_new(&p->shard, 0, &e), OK);
	p->desk = worker_desk_new(p->ws, p->shard);
	p->tick.fire = on_tick;
	shard_timer_set(p->shard, &p->tick, 1);
}

void
place_close(struct place *p)
{
	worker_desk_drain(p->desk);
	place_wait(p, 3);                    /* parcels arrive */
	shard_timer_cancel(p->shard, &p->tick);
	worker_desk_free(p->desk);
	workers_free(p->ws);
	shard_free(p->shard);
}

/* ---- registering ---------------------------------------------------------------- */

struct entered { struct worker_intake in; bool done; int rc; const char *why; struct err e; };

static void
on_entered(struct worker_intake *in, int rc, const char *why, const struct err *e)
{
	struct entered *x = in->ctx;

	x->done = true;
	x->rc = rc;
	x->why = why;
	if (rc < 0)
		x->e = *e;
}

static struct str
quoted(struct buf *b, const char *format, const char *what, const char *build)
{
	buf_add_fmt(b, format, build, what);
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] == '\'')
			b->p[i] = '"';
	return buf_str(b);
}

int
place_register(struct place *p, const char *what, const char *build, uint8_t key,
    struct uuid *id, const char **why, struct err *e)
{
	struct entered x = { .in = { .arena = ARENA(MB), .done = on_entered } };
	struct buf text = BUF(MB);
	struct json_doc doc;
	int rc = json_parse(&doc, quoted(&text, "{'name':'w','build':'%s','lang':'c',"
	    "'slots':{'run':8,'node':8},%s}", what, build), e);

	CHECK_RC(rc, OK);
	x.in.ctx = &x;
	memset(x.in.key, key, sizeof x.in.key);
	rc = worker_intake_read(&x.in, doc.root, (struct worker_may){ NULL, 0 }, e);
	if (rc == OK) {
		workers_register(p->desk, &x.in);
		TURNS_UNTIL(p, x.done);
		rc = x.rc;
		*e = x.e;
	}
	*why = x.why;
	*id = x.in.worker_id;
	json_release(&doc);
	buf_release(&text);
	arena_release(&x.in.arena);
	return rc;
}

struct uuid
worker_new(struct place *p, const char *what, const char *build)
{
	struct uuid id;
	const char *why;
	struct err e = { .text = "" };

	if (place_register(p, what, build, 0, &id, &why, &e) < 0)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	return id;
}

/* ---- offers ------------------------------------------------------------------------- */

static bool
on_taken(struct worker_offer *o, const struct worker_who *w)
{
	struct job *j = CONTAINER_OF(o, struct job, offer);

	j->taken++;
	j->worker = w->worker_id;
	uuid_format(&o->task_id, j->id);
	memcpy(j->token, o->token, sizeof j->token);
	return !j->hold;
}

static void
on_call(struct worker_offer *o, struct worker_call *c)
{
	struct job *j = CONTAINER_OF(o, struct job, offer);

	j->calls++;
	if (c->verb == WORKER_END && j->end)
		workers_withdraw(o, "success");      /* the call may be gone after its answer */
	worker_call_answer(c, OK, S("\"x\":1"), NULL);
}

static void
on_lost(struct worker_offer *o, const char *why)
{
	struct job *j = CONTAINER_OF(o, struct job, offer);

	j->lost++;
	j->why = why;
}

const struct worker_hooks job_hooks = { on_taken, on_call, on_lost };

void
job_offer(struct place *p, struct job *j, const char *name, owner_t owner)
{
	struct err e;

	j->offer.name = str_of(name);
	j->offer.owner = owner;
	j->offer.attempt++;
	j->offer.hooks = &job_hooks;
	CHECK_RC(workers_offer(p->desk, &j->offer, &e), OK);
}

/* ---- polls ---------------------------------------------------------------------------- */

static void
on_answered(struct worker_poll *poll)
{
	struct asked *a = CONTAINER_OF(poll, struct asked, poll);
	struct buf text = BUF(MB);
	struct err e;

	a->answered = true;
	buf_add_fmt(&text, "{%.*s}", FMT(buf_str(&poll->text)));
	CHECK_RC(json_parse(&a->doc, buf_str(&text), &e), OK);
	buf_release(&text);
	buf_release(&poll->text);
}

void
ask_key(struct place *p, struct asked *a, const struct uuid *id, int64_t run, int64_t node,
    uint8_t k, int rc)
{
	uint8_t key[SHA256_SIZE];
	struct err e;

	memset(key, k, sizeof key);
	*a = (struct asked){ .poll = { .free = { run, node }, .answered = on_answered } };
	CHECK_RC(workers_poll(p->desk, &a->poll, id, key, &e), rc);
}

void
ask(struct place *p, struct asked *a, const struct uuid *id, int64_t run, int64_t node)
{
	ask_key(p, a, id, run, node, 0, OK);
}

size_t
answer_tasks(struct place *p, struct asked *a)
{
	TURNS_UNTIL(p, a->answered);
	return json_count(json_get(a->doc.root, S("tasks")));
}

jnode
answer_task(struct asked *a, size_t i)
{
	return json_at(json_get(a->doc.root, S("tasks")), i);
}

void
asked_end(struct asked *a)
{
	json_release(&a->doc);
	a->answered = false;
}

/* ---- calls ------------------------------------------------------------------------------ */

static void
on_done(struct worker_call *c)
{
	*(bool *)c->ctx = true;
}

int
call_about(struct place *p, enum worker_verb verb, struct str id, struct str token,
    uint8_t key, const char *body, const char **why, struct buf *answer)
{
	struct json_doc doc;
	bool done = false;
	struct worker_call c = { .verb = verb, .text = str_of(body), .token = token,
		.done = on_done, .ctx = &done };
	struct err e;

	CHECK_RC(json_parse(&doc, c.text, &e), OK);
	CHECK(uuid_parse(id, &c.task_id));
	memset(c.key, key, sizeof c.key);
	c.body = doc.root;
	workers_call(p->desk, &c);
	TURNS_UNTIL(p, done);
	json_release(&doc);
	if (why != NULL)
		*why = c.why;
	if (answer != NULL)
		buf_add(answer, buf_str(&c.out));
	buf_release(&c.out);
	return c.rc;
}
