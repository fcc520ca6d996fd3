/*
 * foreign.c - see foreign_priv.h.
 *
 * This is the way without a bus: requests mostly go to the run's own node, and are
 * answered there (cluster/relay.h).  The events of a run that can be read again are
 * stored in batches; of another run its readers get the end.  The store is asked soon
 * after something was new, and less often while nothing is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/foreign_priv.h"

#include "base/limits.h"
#include "base/mem.h"

#define FIRST_MS 100
#define MOST_MS  1600
#define TOGETHER_MS 5
#define BURST    (50 * NS_PER_MS)            /* of queries at once: what is allowed in that */

struct foreign {
	struct list in;                      /* the desk's due or news; in none: its timer runs */
	struct foreign_desk *desk;
	struct foreign_readers readers;
	int64_t told;                        /* the last event that was there */
	bool ended;
	msec pause;
	struct wheel_timer timer;
};

/* ---- how often --------------------------------------------------------------------- */

void
foreign_rate_pay(struct foreign_rate *r, unsigned queries, unsigned shards, nsec now)
{
	nsec price = NS_PER_S * (shards > 0 ? shards : 1) / LIMIT_FOREIGN_QUERIES;

	r->paid = (r->paid > now ? r->paid : now) + queries * price;
}

nsec
foreign_rate_wait(const struct foreign_rate *r, nsec now)
{
	return r->paid - BURST - now;
}

void
foreign_pay(struct foreign_desk *d, unsigned queries)
{
	d->queries += queries;
	foreign_rate_pay(&d->rate, queries, atomic_load(&d->rs->sh->shards), clock_mono());
}

/* ---- one run -------------------------------------------------------------------------- */

static void
foreign_free(struct foreign *f)
{
	struct foreign_desk *d = f->desk;

	shard_timer_cancel(d->rs->shard, &f->timer);
	list_remove(&f->in);
	map_take(&d->runs, &f->readers.source.run_id);
	free(f);
}

static void
foreign_over(struct foreign *f, int rc, const struct run_end *end, const char *why)
{
	struct err e = { 0 };

	if (rc != OK)
		err_set(&e, rc, "%s", why);
	foreign_end(&f->readers, rc, end, &e);
	foreign_free(f);
}

static void
foreign_is_gone(struct foreign *f)
{
	static const struct run_end gone = { .status = RUN_INTERRUPTED, .rolled_back = true };

	foreign_over(f, OK, &gone, NULL);
}

static void on_turn(struct wheel_timer *t);

/* Others whose time comes now too are asked about with it. */
static void
on_time(struct wheel_timer *t)
{
	struct foreign *f = CONTAINER_OF(t, struct foreign, timer);
	struct foreign_desk *d = f->desk;

	list_append(&d->due, &f->in);
	d->turn.fire = on_turn;
	if (!wheel_armed(&d->turn))
		shard_timer_set(d->rs->shard, &d->turn, TOGETHER_MS);
}

static void
look_later(struct foreign *f, bool news)
{
	f->pause = news ? FIRST_MS : f->pause * 2 < MOST_MS ? f->pause * 2 : MOST_MS;
	f->timer.fire = on_time;
	shard_timer_set(f->desk->rs->shard, &f->timer, f->pause);
}

/* What is stored, then the end. */
static void
foreign_rest(struct foreign *f)
{
	const struct tape_source *s = &f->readers.source;
	struct buf values = BUF(2u * LIMIT_STATE_BYTES);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	int rc = store_run_get(s->rs->reader, s->owner, &s->run_id, &a, &row);

	foreign_pay(f->desk, 1);
	if (rc == ERR_NOTFOUND) {
		foreign_is_gone(f);
	} else if (rc != OK || row.status <= RUN_RUNNING) {
		f->ended = false;
		look_later(f, false);
	} else {
		struct run_end end = { .status = row.status, .error_json = row.error_json };

		foreign_pay(f->desk, foreign_read(&f->readers));
		if (foreign_wait_for_end(&f->readers)) {
			thread_values(s->rs, s->owner, s->thread_seq, &values);
			foreign_pay(f->desk, 1);
		}
		end.values_json = buf_str(&values);
		foreign_over(f, OK, &end, NULL);
	}
	buf_release(&values);
	arena_release(&a);
}

static void
news_look(struct foreign_desk *d)
{
	struct foreign *f = CONTAINER_OF(d->news.next, struct foreign, in);

	list_remove(&f->in);
	if (!foreign_tidy(&f->readers)) {
		foreign_free(f);
	} else if (f->ended) {
		foreign_rest(f);
	} else {
		foreign_pay(d, foreign_read(&f->readers));
		look_later(f, true);
	}
}

/* ---- many ------------------------------------------------------------------------------- */

static void
look_at(struct foreign *f, const struct store_run_news *x)
{
	bool news = x->last > f->told;

	if (x->gone) {
		foreign_is_gone(f);
		return;
	}
	f->ended = x->status > RUN_RUNNING;
	if (!f->ended && (x->node == 0 || x->node == store_node(f->desk->rs->sh->store))) {
		foreign_route(&f->readers);          /* it is to be had here */
		foreign_free(f);
		return;
	}
	f->told = news ? x->last : f->told;
	if (news || f->ended)
		list_append(&f->desk->news, &f->in);
	else
		look_later(f, false);
}

/* Those that wait longest. */
static size_t
due_take(struct foreign_desk *d, struct foreign **out, struct store_run_news *news)
{
	size_t n = 0;

	while (n < LIMIT_FOREIGN_BATCH && !list_empty(&d->due)) {
		struct foreign *f = CONTAINER_OF(d->due.next, struct foreign, in);

		list_remove(&f->in);
		if (!foreign_tidy(&f->readers)) {
			foreign_free(f);
			continue;
		}
		news[n] = (struct store_run_news){ .owner = f->readers.source.owner,
		    .run_seq = f->readers.source.run_seq };
		out[n++] = f;
	}
	return n;
}

static void
due_look(struct foreign_desk *d)
{
	struct store_run_news news[LIMIT_FOREIGN_BATCH];
	struct foreign *at[LIMIT_FOREIGN_BATCH];
	size_t n = due_take(d, at, news);
	int rc = n > 0 ? store_runs_news(d->rs->reader, news, n) : OK;

	foreign_pay(d, n > 0);
	for (size_t i = 0; i < n; i++) {
		if (rc == OK)
			look_at(at[i], &news[i]);
		else
			look_later(at[i], false);
	}
}

static void
on_turn(struct wheel_timer *t)
{
	foreign_turn(CONTAINER_OF(t, struct foreign_desk, turn));
}

void
foreign_turn(struct foreign_desk *d)
{
	nsec wait;

	for (;;) {
		wait = foreign_rate_wait(&d->rate, clock_mono());
		if (wait > 0)
			break;
		if (!list_empty(&d->news))
			news_look(d);
		else if (foreign_gone_waits(d))
			foreign_gone_look(d);
		else if (!list_empty(&d->due))
			due_look(d);
		else
			return;
	}
	d->turn.fire = on_turn;
	shard_timer_set(d->rs->shard, &d->turn, wait / NS_PER_MS + 1);
}

/* ---- who comes ----------------------------------------------------------------------------- */

static void
skip(struct run_watch *w, struct sse_block *b)
{
	(void)w;
	(void)b;
}

static bool
stays(const void *ctx)
{
	(void)ctx;
	return false;
}

/* A reader of new events only begins behind those that are stored. */
static void
begin_behind(const struct tape_source *s, struct run_watch *w)
{
	struct run_watch all = *w;

	if (w->after != INT64_MAX || !w->wants_events)
		return;
	all.after = -1;
	all.frames = skip;
	(void)tape_replay(s, &all, stays, NULL);
	w->after = all.after;
}

static struct foreign *
foreign_of(struct foreign_desk *d, owner_t owner, const struct store_run *row)
{
	struct foreign *f = map_get(&d->runs, &row->id);
	struct store_events_size size = { .last = -1 };

	if (f != NULL)
		return f;
	f = mem_new(struct foreign);
	f->desk = d;
	f->readers.source = (struct tape_source){ .rs = d->rs, .owner = owner,
	    .run_seq = row->seq, .thread_seq = row->thread_seq, .thread_id = row->thread_id,
	    .run_id = row->id, .ids = true };
	f->told = store_events_size(d->rs->reader, owner, row->seq, INT64_MAX, &size) == OK ?
	    size.last : -1;
	map_put(&d->runs, f);
	look_later(f, true);
	return f;
}

void
foreign_follow(struct runs *rs, struct bridge *r, owner_t owner, const struct store_run *row)
{
	struct foreign *f = foreign_of(rs->foreign, owner, row);

	begin_behind(&f->readers.source, bridge_watch(r));
	if (bridge_replay(r, row))
		foreign_add(&f->readers, r);
}

/* ---- life ------------------------------------------------------------------------------------ */

static uint64_t
hash(const void *key)
{
	return uuid_hash(key);
}

static const void *
key_of(const void *value)
{
	return &((const struct foreign *)value)->readers.source.run_id;
}

static bool
eq(const void *value, const void *key)
{
	return uuid_eq(key_of(value), key);
}

void
foreign_open(struct runs *rs)
{
	struct foreign_desk *d = mem_new(struct foreign_desk);

	d->rs = rs;
	map_init(&d->runs, hash, eq, key_of);
	list_init(&d->due);
	list_init(&d->news);
	rs->foreign = d;
}

void
foreign_close(struct runs *rs)
{
	assert(rs->foreign->runs.n == 0);
	map_release(&rs->foreign->runs);
	free(rs->foreign);
}

void
foreign_drain(struct runs *rs)
{
	struct foreign_desk *d = rs->foreign;
	struct foreign *f;
	size_t at = 0;

	while ((f = map_each(&d->runs, &at)) != NULL)
		foreign_over(f, ERR_CLOSED, NULL, "the server is stopping");
	shard_timer_cancel(rs->shard, &d->turn);
	foreign_gone_close(d);
}

uint64_t
foreign_queries(const struct runs *rs)
{
	return rs->foreign->queries;
}

/* ---- what is written for another node ---------------------------------------------------------- */

void
runs_shared_set_foreign(struct runs_shared *sh, void (*wrote)(void *ctx, int64_t node),
    void *ctx)
{
	sh->foreign_wrote = wrote;
	sh->foreign_ctx = ctx;
}

void
foreign_tell(struct runs *rs, int64_t node)
{
	if (rs->sh->foreign_wrote != NULL)
		rs->sh->foreign_wrote(rs->sh->foreign_ctx, node);
}
