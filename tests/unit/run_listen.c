/*
 * run_listen.c - readers of a thread, on its home shard and away from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_fix.h"

#include "run/listen.h"

#define SCRIPT "{\"default\":{\"reply\":\"Hello .\"}}"

struct hearer {
	struct thread_ear e;
	struct desk *d;
	struct store_thread t;
	struct buf text;
	const char *needle;                  /* waited for, so many times */
	size_t times;
	bool ended;
	int rc;
};

/* ---- callbacks ----------------------------------------------------------------- */

static void
on_frames(struct thread_ear *e, struct sse_block *b)
{
	struct hearer *h = CONTAINER_OF(e, struct hearer, e);

	CHECK(shard_is_current(h->d->shard));
	pthread_mutex_lock(&h->d->f->lock);
	CHECK(!h->ended);
	buf_add(&h->text, (struct str){ b->bytes, b->n });
	fix_changed(h->d->f);
	pthread_mutex_unlock(&h->d->f->lock);
}

static void
on_end(struct thread_ear *e, int rc)
{
	struct hearer *h = CONTAINER_OF(e, struct hearer, e);

	CHECK(shard_is_current(h->d->shard));
	pthread_mutex_lock(&h->d->f->lock);
	CHECK(!h->ended);
	h->ended = true;
	h->rc = rc;
	fix_changed(h->d->f);
	pthread_mutex_unlock(&h->d->f->lock);
}

/* ---- on a shard ------------------------------------------------------------------ */

static void
listen_do(struct desk *d, void *arg)
{
	struct hearer *h = arg;

	CHECK_RC(thread_listen(d->runs, 0, &h->t, &h->e), OK);
}

static void
unlisten_do(struct desk *d, void *arg)
{
	struct hearer *h = arg;

	(void)d;
	thread_unlisten(&h->e);
}

static void
gone_do(struct desk *d, void *arg)
{
	runs_thread_deleted(d->runs, arg);
}

static void
update_do(struct desk *d, void *arg)
{
	thread_updated(d->runs, 0, arg, S("{\"n\":1}"));
}

static void
ears_do(struct desk *d, void *arg)
{
	*(size_t *)arg += d->runs->ears.n;
}

/* ---- what tests say --------------------------------------------------------------- */

static void
hear(struct hearer *h, struct desk *d, unsigned thread, unsigned modes)
{
	struct uuid id = thread_no(thread);

	*h = (struct hearer){ .d = d, .text = BUF(MB), .t = thread_row(d->f, &id),
	    .e = { .modes = modes, .after = INT64_MAX, .frames = on_frames, .end = on_end } };
}

static void
listen_from(struct hearer *h, const struct uuid *run_id, int64_t after)
{
	if (run_id != NULL)
		h->e.run_id = *run_id;
	h->e.after = after;
	desk_do(h->d, listen_do, h);
}

static size_t
count(struct str text, const char *needle)
{
	size_t n = 0;

	for (size_t at = 0; at < text.n; at++)
		n += str_starts(str_sub(text, at, text.n), str_of(needle));
	return n;
}

static bool
has_heard(void *arg)
{
	struct hearer *h = arg;

	return count(buf_str(&h->text), h->needle) >= h->times;
}

static void
until_heard(struct hearer *h, const char *needle, size_t times)
{
	h->needle = needle;
	h->times = times;
	fix_until(h->d->f, has_heard, h, needle);
}

/* It hears: an update is told until it has come.  Runs begin after that. */
static void
until_there(struct hearer *h)
{
	bool there = false;

	h->needle = "event: state_update\n";
	h->times = 1;
	while (!there) {
		desk_do(&h->d->f->desks[0], update_do, &h->t.id);
		pthread_mutex_lock(&h->d->f->lock);
		there = has_heard(h);
		pthread_mutex_unlock(&h->d->f->lock);
	}
}

/* What it heard of runs, and after them. */
static struct str
of_runs(const struct hearer *h)
{
	struct str text = buf_str(&h->text);

	while (text.n > 0 && !str_starts(text, S("event: metadata\n")))
		text = str_sub(text, 1, text.n);
	return text;
}

static bool
has_ended(void *arg)
{
	return ((struct hearer *)arg)->ended;
}

static void
until_end(struct hearer *h, int rc)
{
	fix_until(h->d->f, has_ended, h, "the end of a listener");
	CHECK_INT(h->rc, rc);
}

static struct uuid
run_once(struct desk *d, unsigned thread)
{
	struct ear x;
	struct uuid id;

	CHECK_RC(ear_start(&x, d, (struct ask){ .thread = thread_no(thread), .input = HI,
	    .modes = MODE_VALUES, .resumable = true }), OK);
	ear_until_end(&x);
	id = x.run_id;
	ear_free(&x);
	return id;
}

/* Nothing of listeners is left on any shard.  Those that left travel back and forth: each
 * look makes both shards take a turn, so a few of them are enough. */
static void
check_nobody(struct fix *f)
{
	size_t ears = 1;

	for (unsigned tries = 0; tries < 100 && (ears > 0 ||
	    atomic_load(&f->sh->listeners) > 0); tries++) {
		ears = 0;
		for (unsigned i = 0; i < f->n; i++)
			desk_do(&f->desks[i], ears_do, &ears);
	}
	CHECK_INT(ears, 0);
	CHECK_INT(atomic_load(&f->sh->listeners), 0);
}

struct group { struct hearer *h; size_t n; };

static bool
one_has_ended(void *arg)
{
	const struct group *g = arg;
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->h[i].ended;
	return n == 1;
}

/* ---- tests ------------------------------------------------------------------------- */

/* Goal: wherever they are, listeners hear the same, and the end when the thread goes. */
TEST(listeners_of_two_shards_hear_the_same)
{
	struct uuid id = thread_no(1);
	struct hearer h[4];
	struct fix f;

	fix_open(&f, "memory", 2, SCRIPT);
	run_once(&f.desks[0], 1);
	for (unsigned i = 0; i < 4; i++) {
		hear(&h[i], &f.desks[i % 2], 1, LISTEN_UPDATES | (i < 3 ? LISTEN_RUNS : 0));
		listen_from(&h[i], NULL, INT64_MAX);
		until_there(&h[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		run_once(&f.desks[i], 1);
	for (unsigned i = 0; i < 3; i++)
		until_heard(&h[i], "event: end\n", 2);
	CHECK(count(of_runs(&h[0]), "event: values\n") >= 4);
	for (unsigned i = 1; i < 3; i++)
		CHECK(str_eq(of_runs(&h[i]), of_runs(&h[0])));
	CHECK_INT(count(buf_str(&h[3].text), "event: "),
	    count(buf_str(&h[3].text), "event: state_update\n"));
	desk_do(&f.desks[1], gone_do, &id);
	for (unsigned i = 0; i < 4; i++) {
		until_end(&h[i], ERR_NOTFOUND);
		buf_release(&h[i].text);
	}
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: what is kept is heard first: all of it, or what is behind one event. */
TEST(a_listener_goes_on_behind_an_event)
{
	struct uuid runs[2];
	struct hearer all, rest;
	struct fix f;
	struct str text;

	fix_open(&f, "memory", 2, SCRIPT);
	for (unsigned i = 0; i < 2; i++)
		runs[i] = run_once(&f.desks[0], 1);
	hear(&all, &f.desks[1], 1, LISTEN_RUNS);
	listen_from(&all, NULL, -1);
	until_heard(&all, "event: end\n", 2);
	hear(&rest, &f.desks[1], 1, LISTEN_RUNS);
	listen_from(&rest, &runs[1], 0);
	until_heard(&rest, "event: end\n", 1);
	text = buf_str(&all.text);
	CHECK_INT(count(text, "event: metadata\n"), 2);
	CHECK(rest.text.n < text.n);
	CHECK(str_eq(buf_str(&rest.text), str_sub(text, text.n - rest.text.n, text.n)));
	CHECK_INT(count(buf_str(&rest.text), "event: metadata\n"), 0);
	desk_do(all.d, unlisten_do, &all);
	desk_do(rest.d, unlisten_do, &rest);
	check_nobody(&f);
	buf_release(&all.text);
	buf_release(&rest.text);
	fix_close(&f);
}

/* Goal: of a long thread only the newest runs are repeated. */
TEST(a_replay_is_bounded)
{
	struct hearer h;
	struct fix f;

	fix_open(&f, "memory", 1, SCRIPT);
	for (unsigned i = 0; i < LIMIT_REPLAY_RUNS + 3; i++)
		run_once(&f.desks[0], 1);
	hear(&h, &f.desks[0], 1, LISTEN_LIFECYCLE | LISTEN_UPDATES);
	listen_from(&h, NULL, -1);
	until_there(&h);
	run_once(&f.desks[0], 1);
	until_heard(&h, "event: end\n", LIMIT_REPLAY_RUNS + 1);
	CHECK_INT(count(buf_str(&h.text), "event: metadata\n"), LIMIT_REPLAY_RUNS + 1);
	CHECK_INT(count(buf_str(&h.text), "event: end\n"), LIMIT_REPLAY_RUNS + 1);
	fix_close(&f);
	CHECK(h.ended);                              /* a server that stops says so */
	CHECK_INT(h.rc, ERR_CLOSED);
	buf_release(&h.text);
}

/* Goal: one listener too many is told; places are free again when others leave. */
TEST(a_thread_has_so_many_listeners)
{
	static struct hearer h[LIMIT_THREAD_LISTENERS + 1];
	struct group all = { h, COUNT(h) };
	struct fix f;

	fix_open(&f, "memory", 2, SCRIPT);
	run_once(&f.desks[0], 1);
	for (unsigned i = 0; i < COUNT(h); i++) {
		hear(&h[i], &f.desks[i % 2], 1, LISTEN_RUNS);
		listen_from(&h[i], NULL, INT64_MAX);
	}
	/* Parcels of two shards have no order, so any of them may come last. */
	fix_until(&f, one_has_ended, &all, "one too many");
	for (unsigned i = 0; i < COUNT(h); i++) {
		CHECK(!h[i].ended || h[i].rc == ERR_LIMIT);
		desk_do(h[i].d, unlisten_do, &h[i]);
	}
	check_nobody(&f);
	hear(&h[0], &f.desks[1], 1, LISTEN_LIFECYCLE | LISTEN_UPDATES);
	listen_from(&h[0], NULL, INT64_MAX);
	until_there(&h[0]);
	run_once(&f.desks[0], 1);
	until_heard(&h[0], "event: end\n", 1);
	fix_close(&f);
	buf_release(&h[0].text);
}
