/*
 * office_fix.c - see office_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "office_fix.h"

#include <string.h>

#include "agent/agent.h"
#include "base/mem.h"
#include "task/kinds.h"

/* ---- shards ---------------------------------------------------------------------- */

struct doing {
	struct shard_job job;
	struct office_desk *d;
	void (*run)(struct office_desk *d, void *arg);
	void *arg;
	bool done;
};

void
office_changed(struct office_fix *f)
{
	pthread_cond_broadcast(&f->changed);
}

void
office_until(struct office_fix *f, bool (*is)(void *arg), void *arg)
{
	pthread_mutex_lock(&f->lock);
	while (!is(arg))
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

static bool
is_set(void *arg)
{
	return *(bool *)arg;
}

static void
set(struct office_fix *f, bool *flag)
{
	pthread_mutex_lock(&f->lock);
	*flag = true;
	office_changed(f);
	pthread_mutex_unlock(&f->lock);
}

static void
do_job(struct shard_job *job)
{
	struct doing *x = CONTAINER_OF(job, struct doing, job);

	x->run(x->d, x->arg);
	set(x->d->f, &x->done);
}

void
office_do(struct office_fix *f, unsigned desk, void (*run)(struct office_desk *d, void *arg),
    void *arg)
{
	struct doing x = { .job.run = do_job, .d = &f->desks[desk], .run = run, .arg = arg };

	shard_post(f->desks[desk].shard, &x.job);
	office_until(f, is_set, &x.done);
}

/* ---- offices ------------------------------------------------------------------------ */

const struct office_extra *office_extra;

static void
open_desk(struct office_desk *d, void *arg)
{
	struct err e;

	(void)arg;
	CHECK_RC(store_reader_open(d->f->st, &d->reader, &e), OK);
	CHECK_RC(office_new(&d->office, d->f->all, d->shard, d->reader, &e), OK);
	if (office_extra != NULL)
		office_extra->open(d);
}

static void
nothing(struct office_desk *d, void *arg)
{
	(void)d, (void)arg;
}

struct draining { struct office_fix *f; bool done; };

static void
drained(void *ctx)
{
	struct draining *x = ctx;

	set(x->f, &x->done);
}

static void
drain(struct office_desk *d, void *arg)
{
	office_drain(d->office, drained, arg);
}

static void
drain_extra(struct office_desk *d, void *arg)
{
	office_extra->drain(d, drained, arg);
}

static void
close_desk(struct office_desk *d, void *arg)
{
	(void)arg;
	post_check(office_post(d->office));
	office_free(d->office);
	if (office_extra != NULL)
		office_extra->close(d);
	store_reader_close(d->reader);
}

static void
offices_down(struct office_fix *f)
{
	struct draining x[DESKS_MAX];

	for (unsigned i = 0; i < f->n; i++) {
		x[i] = (struct draining){ .f = f };
		office_do(f, i, drain, &x[i]);
	}
	for (unsigned i = 0; i < f->n; i++)
		office_until(f, is_set, &x[i].done);
	for (unsigned i = 0; i < f->n && office_extra != NULL; i++) {
		x[i] = (struct draining){ .f = f };
		office_do(f, i, drain_extra, &x[i]);
		office_until(f, is_set, &x[i].done);
	}
	for (unsigned i = 0; i < f->n; i++)  /* what is on the way has come */
		office_do(f, i, nothing, NULL);
	for (unsigned i = 0; i < f->n; i++)
		office_do(f, i, close_desk, NULL);
	for (unsigned i = 0; i < f->n; i++)
		office_do(f, i, nothing, NULL);
	offices_free(f->all);
}

static void
recover(struct office_desk *d, void *arg)
{
	struct err e;

	(void)arg;
	CHECK_RC(office_recover(d->office, &e), OK);
}

static void
resume(struct office_desk *d, void *arg)
{
	struct err e;

	(void)arg;
	CHECK_RC(office_resume(d->office, &e), OK);
}

static void
offices_up(struct office_fix *f)
{
	f->all = offices_new(f->st, f->agents);
	for (unsigned i = 0; i < f->n; i++)
		office_do(f, i, open_desk, NULL);
	for (unsigned i = 0; i < f->n; i++)
		office_do(f, i, recover, NULL);
	for (unsigned i = 0; i < f->n; i++)
		office_do(f, i, resume, NULL);
}

void
office_fix_restart(struct office_fix *f)
{
	offices_down(f);
	offices_up(f);
}

void
office_fix_close(struct office_fix *f)
{
	offices_down(f);
	for (unsigned i = 0; i < f->n; i++) {
		shard_stop(f->desks[i].shard);
		shard_join(f->desks[i].shard);
	}
	store_close(f->st);
	for (unsigned i = 0; i < f->n; i++)
		shard_free(f->desks[i].shard);
	agents_free(f->agents);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
}

/* ---- up -------------------------------------------------------------------------- */

static void
load(struct office_fix *f, const char *text)
{
	struct agent *a;
	struct err e;
	int rc = agent_load(&a, str_of(text), S("test"), &task_kinds, &e);

	if (rc != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	CHECK_RC(agents_add(f->agents, a, &e), OK);
}

void
office_fix_open(struct office_fix *f, unsigned desks, const char *const *texts)
{
	const struct store_options o = { .driver = S("memory") };
	struct err e;

	*f = (struct office_fix){ .n = desks };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	CHECK_RC(store_open(&f->st, &o, &e), OK);
	f->agents = agents_new();
	for (; texts != NULL && *texts != NULL; texts++)
		load(f, *texts);
	CHECK_RC(agents_link(f->agents, &e), OK);
	for (unsigned i = 0; i < desks; i++) {
		f->desks[i] = (struct office_desk){ .f = f, .id = i };
		CHECK_RC(shard_new(&f->desks[i].shard, i, &e), OK);
		CHECK_RC(shard_start(f->desks[i].shard, &e), OK);
	}
	offices_up(f);
}

/* ---- books ------------------------------------------------------------------------- */

struct office_stats
office_stats_of(struct office_fix *f)
{
	struct office_stats s;
	const struct mail_books *b = &s.books;

	offices_stats(f->all, &s);
	if (b->sent != b->delivered + b->dead + b->expired + b->pending + b->gone - b->come)
		test_fail(__FILE__, __LINE__, "sent %llu, delivered %llu, dead %llu, expired "
		    "%llu, pending %llu, gone %llu, come %llu", (unsigned long long)b->sent,
		    (unsigned long long)b->delivered, (unsigned long long)b->dead,
		    (unsigned long long)b->expired, (unsigned long long)b->pending,
		    (unsigned long long)b->gone, (unsigned long long)b->come);
	return s;
}

/* A turn of each shard lies between two looks, so what they see is news. */
void
office_quiet(struct office_fix *f)
{
	struct mail_books b;
	int still = 0;

	while (still < 3) {
		for (unsigned i = 0; i < f->n; i++)
			office_do(f, i, nothing, NULL);
		b = office_stats_of(f).books;
		still = b.pending == 0 && b.gone == b.come ? still + 1 : 0;
	}
}

/* ---- calls -------------------------------------------------------------------------- */

struct call {
	struct office_fix *f;
	bool done;
	int rc;
	owner_t owner;
	const char *name;
	bool drain;
	msec deadline;
	const struct acl *m;
	struct office_shown *shown;
	struct office_spawn spawn;
	struct office_send send;
	struct uuid id;
	size_t n;
};

static void
answer(struct call *c, int rc, const struct err *e)
{
	c->rc = rc;
	if (e != NULL)
		c->f->e = *e;
	set(c->f, &c->done);
}

static void
spawned(struct office_spawn *s, int rc, const struct err *e)
{
	answer(CONTAINER_OF(s, struct call, spawn), rc, e);
}

static void
spawn(struct office_desk *d, void *arg)
{
	struct call *c = arg;

	c->spawn.done = spawned;
	office_spawn(d->office, &c->spawn);
}

int
office_spawn_wait(struct office_fix *f, unsigned desk, const struct office_spec *s,
    struct uuid *id)
{
	struct call c = { .f = f, .spawn.spec = *s };

	office_do(f, desk, spawn, &c);
	office_until(f, is_set, &c.done);
	if (id != NULL)
		*id = c.spawn.spec.id;
	return c.rc;
}

static void
stopped(void *ctx, int rc, const struct err *e)
{
	answer(ctx, rc, e);
}

static void
stop(struct office_desk *d, void *arg)
{
	struct call *c = arg;

	office_stop(d->office, c->owner, str_of(c->name), c->drain, c->deadline, stopped, c);
}

int
office_stop_wait(struct office_fix *f, unsigned desk, owner_t owner, const char *name,
    bool wait, msec deadline)
{
	struct call c = { .f = f, .owner = owner, .name = name, .drain = wait,
		.deadline = deadline };

	office_do(f, desk, stop, &c);
	office_until(f, is_set, &c.done);
	return c.rc;
}

static void
sent(struct office_send *s, int rc, const struct err *e)
{
	struct call *c = CONTAINER_OF(s, struct call, send);

	c->f->letters = s->letters;
	c->f->message_id = s->message_id;
	answer(c, rc, e);
}

static void
shown(void *ctx, int rc, const struct office_shown *x, const struct err *e)
{
	struct call *c = ctx;

	if (x != NULL)
		*c->shown = *x;
	answer(c, rc, e);
}

static void
show(struct office_desk *d, void *arg)
{
	struct call *c = arg;

	office_show(d->office, c->owner, str_of(c->name), shown, c);
}

int
office_state(struct office_fix *f, unsigned desk, owner_t owner, const char *name,
    struct office_shown *out)
{
	struct call c = { .f = f, .owner = owner, .name = name, .shown = out };

	office_do(f, desk, show, &c);
	office_until(f, is_set, &c.done);
	return c.rc == OK ? (int)out->state : -1;
}

static void
send(struct office_desk *d, void *arg)
{
	struct call *c = arg;

	c->send.done = sent;
	office_send(d->office, &c->send);
}

int
office_send_wait(struct office_fix *f, unsigned desk, owner_t owner, const char *from,
    const struct acl *m)
{
	struct call c = { .f = f, .send = { .owner = owner, .subject = S("client"), .m = m } };
	struct office_shown x;

	if (from != NULL) {
		CHECK(office_state(f, desk, owner, from, &x) >= 0);
		c.send.sender = x.spec.id;
	}
	office_do(f, desk, send, &c);
	office_until(f, is_set, &c.done);
	return c.rc;
}

int
office_say(struct office_fix *f, unsigned desk, owner_t owner, const char *from,
    const char *to, enum acl_act act, const char *content)
{
	const struct str receiver = str_of(to);
	const struct acl m = { .act = act, .receivers = &receiver, .receivers_n = 1,
		.content = content != NULL ? str_of(content) : STR_NONE };

	return office_send_wait(f, desk, owner, from, &m);
}

static void
dead_done(void *ctx, int rc, size_t letters, const struct err *e)
{
	((struct call *)ctx)->n = letters;
	answer(ctx, rc, e);
}

static void
dead(struct office_desk *d, void *arg)
{
	struct call *c = arg;

	office_dead(d->office, c->owner, &c->id, c->drain, dead_done, c);
}

int
office_dead_wait(struct office_fix *f, unsigned desk, owner_t owner, const struct uuid *id,
    bool drop, size_t *letters)
{
	struct call c = { .f = f, .owner = owner, .id = *id, .drain = drop };

	office_do(f, desk, dead, &c);
	office_until(f, is_set, &c.done);
	*letters = c.n;
	return c.rc;
}
