/*
 * contest.c - an old and a new release side by side, until one of them is chosen.
 *
 * split: so many per cent of the messages go to the new one.  It goes as soon as it has had
 * enough messages and too many errors; when `calls` messages or `wait` ms are over its p99 is
 * compared, too (of fewer than 500 messages a lower percentile: one slow message is chance),
 * and else it takes over.  With fewer messages than LIMIT_WASM_SPLIT_LEAST
 * (or `calls`, if that is less) nothing is judged.
 *
 * parallel: it takes over when all listeners have their new instances ready, and goes if one
 * cannot start its own.
 *
 * Counted on any shard, under the registry's lock; ended on the shard of the desk where it
 * began, by a job: the store is told, then the desks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"

#define ERROR_PERCENT 5.0
#define P99_FACTOR    3.0
#define P99_FLOOR     (1000 * 1000)          /* ns: below it all are as fast */
#define OVER_LEAST    5                      /* messages that are slower than what is compared */

struct side {
	uint64_t n, errors;
	struct hist took;
};

struct contest {
	struct wasm_desk *home;
	struct module *m;
	struct wasm_reload r;                /* of releases that are kept */
	bool over, won;
	int rc;                              /* of what was lost */
	unsigned share;                      /* per cent that the new one is owed */
	size_t awaited;                      /* listeners */
	struct side old, now;
	struct wheel_timer timer;
	struct shard_job job;                /* its end */
	struct arena arena;
	struct store_wasm_current cmd;
};

const char *
contest_name(const struct contest *c)
{
	return wasm_strategy_names[c->r.strategy];
}

/* ---- its end ---------------------------------------------------------------------- */

/* Under the lock. */
static void
contest_free(struct contest *c)
{
	struct wasm_deploy *d = c->home->d;

	c->m->contest = NULL;
	atomic_fetch_sub(&d->contests, 1);
	release_let_go(release_of(c->r.from));
	release_let_go(release_of(c->r.to));
	arena_release(&c->arena);
	free(c);
}

static void
contest_settle(struct contest *c)
{
	struct wasm_desk *k = c->home;
	struct wasm_reload r = { .strategy = WASM_GRACEFUL, .drain = c->r.drain,
	    .from = c->won ? c->r.from : c->r.to, .to = c->won ? c->r.to : c->r.from };

	pthread_mutex_lock(&k->d->lock);
	if (c->won)
		c->m->current = release_of(c->r.to);
	log_info("wasm", "reload_over", "module=%.*s version=%lld strategy=%s outcome=%s",
	    FMT(c->m->name), (long long)c->r.to->number, contest_name(c), c->m->outcome.text);
	if (c->r.strategy == WASM_PARALLEL)
		desks_tell(k->d, &c->r, c->won ? &(int){ OK } : &c->rc);
	else
		desks_tell(k->d, &r, NULL);
	contest_free(c);
	pthread_mutex_unlock(&k->d->lock);
}

static void
stored(struct store_cmd *cmd)
{
	struct contest *c = CONTAINER_OF(cmd, struct contest, cmd.cmd);
	struct wasm_desk *k = c->home;

	if (cmd->rc != OK) {
		pthread_mutex_lock(&k->d->lock);
		c->won = false;
		c->rc = cmd->rc;
		err_set(&c->m->outcome, cmd->rc, "rolled_back: the store could not take it: %s",
		    cmd->err.text);
		pthread_mutex_unlock(&k->d->lock);
	}
	contest_settle(c);
	if (k->d->o.changed != NULL)
		k->d->o.changed(k->d->o.ctx);
	k->commands--;
	desk_settle(k);
}

static void
contest_end(struct shard_job *job)
{
	struct contest *c = CONTAINER_OF(job, struct contest, job);
	struct wasm_desk *k = c->home;

	shard_timer_cancel(k->s, &c->timer);
	if (c->won && !c->m->folder) {
		c->cmd = (struct store_wasm_current){ .name = c->m->name,
		    .number = c->r.to->number };
		c->cmd.cmd.op = STORE_WASM_CURRENT;
		c->cmd.cmd.owner = c->m->owner;
		c->cmd.cmd.arena = &c->arena;
		c->cmd.cmd.done = stored;
		k->commands++;
		store_submit(k->d->o.store, k->s, &c->cmd.cmd, true);
	} else {
		contest_settle(c);
	}
	desk_job_over(k);
}

/* The first one counts.  Under the lock. */
static void
contest_over(struct contest *c, bool won, int rc)
{
	assert(!c->over);
	c->over = true;
	c->won = won;
	c->rc = rc;
	c->job.run = contest_end;
	desk_post(c->home, &c->job);
}

bool
contest_stop(struct contest *c, const char *why)
{
	if (c->over)
		return false;
	err_set(&c->m->outcome, ERR_CANCELLED, "rolled_back: %s", why);
	contest_over(c, false, ERR_CANCELLED);
	return true;
}

void
contests_drop(struct wasm_desk *k)
{
	for (size_t i = 0; i < k->d->n; i++) {
		struct contest *c = k->d->modules[i]->contest;

		if (c == NULL || c->home != k || c->over)
			continue;
		shard_timer_cancel(k->s, &c->timer);
		contest_free(c);
	}
}

/* ---- judging, under the lock ---------------------------------------------------------- */

static double
percent(const struct side *s)
{
	return s->n == 0 ? 0 : 100.0 * (double)s->errors / (double)s->n;
}

/* The percentile that is compared: p99, or a lower one. */
static double
judged(const struct contest *c)
{
	double p = 100 - 100.0 * OVER_LEAST / (double)(c->now.n > 0 ? c->now.n : 1);

	return p > 99 ? 99 : p < 50 ? 50 : p;
}

static double
took_ms(const struct side *s, double percentile)
{
	return (double)hist_percentile(&s->took, percentile) / 1e6;
}

static bool
is_slow(const struct contest *c, uint64_t least)
{
	double old = (double)hist_percentile(&c->old.took, judged(c));
	double now = (double)hist_percentile(&c->now.took, judged(c));

	return c->old.n >= least && now > c->r.p99_factor * (old > P99_FLOOR ? old : P99_FLOOR);
}

static void
contest_judge(struct contest *c, bool last)
{
	uint64_t least = (uint64_t)(c->r.calls < LIMIT_WASM_SPLIT_LEAST ? c->r.calls :
	    LIMIT_WASM_SPLIT_LEAST);
	struct err *words = &c->m->outcome;
	const struct side *now = &c->now;

	if (now->n >= least && percent(now) > c->r.error_percent) {
		err_set(words, ERR_LIMIT, "rolled_back: %.1f %% errors of %llu messages, the limit "
		    "is %.1f %%", percent(now), (unsigned long long)now->n,
		    c->r.error_percent);
		contest_over(c, false, ERR_LIMIT);
		return;
	}
	if (!last && now->n < (uint64_t)c->r.calls)
		return;
	if (now->n >= least && is_slow(c, least)) {
		err_set(words, ERR_LIMIT, "rolled_back: p%.0f %.3f ms of %llu messages, the limit "
		    "is %.1f times the %.3f ms of version %lld", judged(c),
		    took_ms(now, judged(c)), (unsigned long long)now->n, c->r.p99_factor,
		    took_ms(&c->old, judged(c)), (long long)c->r.from->number);
		contest_over(c, false, ERR_LIMIT);
		return;
	}
	err_set(words, OK, "promoted: version %lld after %llu messages%s, %.1f %% errors, p%.0f "
	    "%.3f ms (version %lld: %.3f ms)", (long long)c->r.to->number,
	    (unsigned long long)now->n, now->n < least ? " (too few to judge)" : "",
	    percent(now), judged(c), took_ms(now, judged(c)), (long long)c->r.from->number,
	    took_ms(&c->old, judged(c)));
	contest_over(c, true, OK);
}

void
contest_count(struct contest *c, const struct release *x, bool ok, nsec took)
{
	struct side *s = &x->r == c->r.to ? &c->now : &x->r == c->r.from ? &c->old : NULL;

	if (s == NULL || c->over || c->r.strategy != WASM_SPLIT)
		return;
	s->n++;
	s->errors += !ok;
	hist_add(&s->took, took > 0 ? (uint64_t)took : 0);
	if (s == &c->now)
		contest_judge(c, false);
}

bool
contest_gives(struct contest *c, const struct release *from, struct release **to)
{
	if (c->over || c->r.strategy != WASM_SPLIT || &from->r != c->r.from)
		return false;
	c->share += c->r.percent;
	if (c->share < 100)
		return false;
	c->share -= 100;
	*to = release_of(c->r.to);
	return true;
}

void
contest_ready(struct contest *c, const struct release *to, int rc)
{
	if (c->over || c->r.strategy != WASM_PARALLEL || &to->r != c->r.to)
		return;
	assert(c->awaited > 0);
	c->awaited--;
	if (rc != OK) {
		err_set(&c->m->outcome, rc, "rolled_back: version %lld could not be started for "
		    "all agents: %s", (long long)to->r.number, rc_text(rc));
		contest_over(c, false, rc);
	} else if (c->awaited == 0) {
		err_set(&c->m->outcome, OK, "promoted: version %lld, all at once",
		    (long long)to->r.number);
		contest_over(c, true, OK);
	}
}

static void
contest_late(struct wheel_timer *t)
{
	struct contest *c = CONTAINER_OF(t, struct contest, timer);
	pthread_mutex_t *lock = &c->home->d->lock;

	pthread_mutex_lock(lock);
	if (!c->over && c->r.strategy == WASM_SPLIT) {
		contest_judge(c, true);
	} else if (!c->over) {
		err_set(&c->m->outcome, ERR_TIMEOUT, "rolled_back: version %lld was not started "
		    "for all agents within %d ms", (long long)c->r.to->number,
		    LIMIT_WASM_READY_MS);
		contest_over(c, false, ERR_TIMEOUT);
	}
	pthread_mutex_unlock(lock);
}

/* ---- its beginning --------------------------------------------------------------------- */

void
contest_begin(struct wasm_desk *k, struct module *m, struct release *x,
    const struct wasm_reload *how)
{
	struct contest *c;

	assert(m->contest == NULL && m->current != NULL && m->current != x);
	if (k->draining)
		return;
	c = mem_new(struct contest);
	c->home = k;
	c->m = m;
	c->arena = ARENA(4 * KB);
	c->r = *how;
	c->r.from = &release_keep(m->current)->r;
	c->r.to = &release_keep(x)->r;
	c->r.calls = how->calls > 0 ? how->calls : LIMIT_WASM_SPLIT_CALLS;
	c->r.wait = how->wait > 0 ? how->wait : LIMIT_WASM_SPLIT_MS;
	c->r.error_percent = how->error_percent > 0 ? how->error_percent : ERROR_PERCENT;
	c->r.p99_factor = how->p99_factor > 0 ? how->p99_factor : P99_FACTOR;
	c->timer.fire = contest_late;
	m->contest = c;
	atomic_fetch_add(&k->d->contests, 1);
	shard_timer_set(k->s, &c->timer, how->strategy == WASM_SPLIT ? c->r.wait :
	    LIMIT_WASM_READY_MS);
	c->awaited = desks_tell(k->d, &c->r, NULL);
	if (how->strategy == WASM_PARALLEL && c->awaited == 0) {
		err_set(&m->outcome, OK, "promoted: version %lld, no agent uses it",
		    (long long)x->r.number);
		contest_over(c, true, OK);
	}
}
