/*
 * desk.c - a shard's interface to the registry: which releases its guests run, and notices of
 * reloads for its listeners.
 *
 * A notice is one job for each desk, posted under the registry's lock, so that all desks see
 * reloads in the same order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include <assert.h>

#define SHOWN_BYTES (16 * MB)

/* ---- jobs ------------------------------------------------------------------------- */

struct news {
	struct shard_job job;
	struct wasm_desk *k;
	struct wasm_reload r;                /* of releases that are kept; to NULL: of codes */
	bool switched;
	int rc;                              /* of that */
	struct wasm_code *old, *now;         /* held */
};

void
desk_post(struct wasm_desk *k, struct shard_job *job)
{
	k->jobs++;
	shard_post(k->s, job);
}

void
desk_job_over(struct wasm_desk *k)
{
	pthread_mutex_lock(&k->d->lock);
	assert(k->jobs > 0);
	k->jobs--;
	pthread_mutex_unlock(&k->d->lock);
	desk_settle(k);
}

static void
news_free(struct wasm_deploy *d, struct news *n)
{
	pthread_mutex_lock(&d->lock);
	release_let_go(n->r.from == NULL ? NULL : release_of(n->r.from));
	release_let_go(n->r.to == NULL ? NULL : release_of(n->r.to));
	pthread_mutex_unlock(&d->lock);
	d->ops->code_drop(n->old);
	d->ops->code_drop(n->now);
	free(n);
}

static void
news_tell(struct shard_job *job)
{
	struct news *n = CONTAINER_OF(job, struct news, job);
	struct wasm_desk *k = n->k;

	if (n->r.to == NULL && k->pool != NULL)
		k->d->ops->pool_replace(k->pool, n->old, n->now);
	for (struct wasm_listener *l = n->r.to == NULL ? NULL : k->listeners; l != NULL;
	    l = l->next)
		if (n->switched)
			l->switched(l->ctx, &n->r, n->rc);
		else
			l->reload(l->ctx, &n->r);
	news_free(k->d, n);
	desk_job_over(k);
}

static struct news *
news_new(struct wasm_desk *k)
{
	struct news *n = mem_new(struct news);

	n->k = k;
	n->job.run = news_tell;
	return n;
}

size_t
desks_tell(struct wasm_deploy *d, const struct wasm_reload *r, const int *switched)
{
	size_t told = 0;

	assert(r->to != NULL);
	for (size_t i = 0; i < COUNT(d->desks); i++) {
		struct news *n;

		if (d->desks[i] == NULL)
			continue;
		n = news_new(d->desks[i]);
		n->r = *r;
		n->switched = switched != NULL;
		n->rc = switched != NULL ? *switched : OK;
		if (r->from != NULL)
			release_keep(release_of(r->from));
		release_keep(release_of(r->to));
		desk_post(d->desks[i], &n->job);
		told += d->desks[i]->listeners_n;
	}
	return told;
}

void
desks_replace(struct wasm_deploy *d, struct wasm_code *old, struct wasm_code *now)
{
	for (size_t i = 0; i < COUNT(d->desks); i++) {
		struct news *n;

		if (d->desks[i] == NULL)
			continue;
		n = news_new(d->desks[i]);
		n->old = d->ops->code_hold(old);
		n->now = d->ops->code_hold(now);
		desk_post(d->desks[i], &n->job);
	}
}

/* ---- life -------------------------------------------------------------------------- */

int
wasm_desk_new(struct wasm_desk **out, struct wasm_deploy *d, struct shard *s,
    struct store_reader *reader, struct err *e)
{
	struct wasm_desk *k = mem_new(struct wasm_desk);
	int rc;

	assert(shard_id(s) < d->o.shards_n && d->desks[shard_id(s)] == NULL);
	k->d = d;
	k->s = s;
	k->reader = reader;
	k->shown = ARENA(SHOWN_BYTES);
	list_init(&k->moves);
	list_init(&k->builds);
	list_init(&k->queue);
	rc = d->ops->pool_new(&k->pool, s, &d->o.pool, e);
	if (rc != OK && rc != ERR_NOTFOUND) {
		free(k);
		*out = NULL;
		return rc;
	}
	if (rc != OK) {
		k->pool = NULL;
		k->no_pool = *e;
	}
	*out = k;
	pthread_mutex_lock(&d->lock);
	d->desks[shard_id(s)] = k;
	pthread_mutex_unlock(&d->lock);
	if (shard_id(s) == 0)
		folder_take(k);
	return OK;
}

void
desk_settle(struct wasm_desk *k)
{
	void (*done)(void *ctx) = k->drained;
	size_t jobs;

	pthread_mutex_lock(&k->d->lock);
	jobs = k->jobs;
	pthread_mutex_unlock(&k->d->lock);
	if (done == NULL || jobs > 0 || k->commands > 0)
		return;
	k->drained = NULL;
	done(k->drained_ctx);
}

void
wasm_desk_drain(struct wasm_desk *k, void (*done)(void *ctx), void *ctx)
{
	struct list *l, *next;

	pthread_mutex_lock(&k->d->lock);
	k->draining = true;
	k->d->desks[shard_id(k->s)] = NULL;
	contests_drop(k);
	pthread_mutex_unlock(&k->d->lock);
	for (l = k->queue.next; l != &k->queue; l = next) {
		next = l->next;
		move_cancel(CONTAINER_OF(l, struct move, in));
	}
	for (l = k->moves.next; l != &k->moves; l = next) {
		next = l->next;
		move_cancel(CONTAINER_OF(l, struct move, in));
	}
	while (!list_empty(&k->builds))
		building_stop(CONTAINER_OF(k->builds.next, struct building, in));
	k->drained = done;
	k->drained_ctx = ctx;
	desk_settle(k);
}

void
wasm_desk_free(struct wasm_desk *k)
{
	if (k == NULL)
		return;
	pthread_mutex_lock(&k->d->lock);
	k->draining = true;
	if (k->d->desks[shard_id(k->s)] == k)
		k->d->desks[shard_id(k->s)] = NULL;
	assert(k->jobs == 0 && k->commands == 0);
	contests_drop(k);
	pthread_mutex_unlock(&k->d->lock);
	assert(list_empty(&k->moves) && list_empty(&k->builds) && list_empty(&k->queue));
	desk_show_clear(k);
	free(k->shown_kept);
	arena_release(&k->shown);
	if (k->pool != NULL)
		k->d->ops->pool_free(k->pool);
	free(k);
}

struct wasm_pool *
wasm_desk_pool(struct wasm_desk *k)
{
	return k->pool;
}

int
desk_pool_check(const struct wasm_desk *k, struct err *e)
{
	if (k->pool != NULL)
		return OK;
	*e = k->no_pool;
	return ERR_NOTFOUND;
}

void
wasm_desk_listen(struct wasm_desk *k, struct wasm_listener *l)
{
	pthread_mutex_lock(&k->d->lock);
	l->next = k->listeners;
	k->listeners = l;
	k->listeners_n++;
	pthread_mutex_unlock(&k->d->lock);
}

/* ---- finding ------------------------------------------------------------------------ */

/* number 0: the current one, or (there is none yet) the newest. */
static int
release_find(struct wasm_desk *k, owner_t owner, struct str name, int64_t number,
    struct wasm_release **out, struct err *e)
{
	struct module *m;
	struct release *x = NULL;
	int rc = desk_pool_check(k, e);

	*out = NULL;
	if (rc != OK)
		return rc;
	pthread_mutex_lock(&k->d->lock);
	m = module_for(k->d, owner, name);
	if (m != NULL && m->n > 0)
		x = number > 0 ? module_number(m, number) :
		    m->current != NULL ? m->current : m->at[m->n - 1];
	if (x != NULL)
		wasm_release_hold(&x->r);
	else
		rc = m == NULL ? module_missing(k->d, owner, name, e) : err_set(e, ERR_NOTFOUND,
		    "module '%.*s' has no version %lld any more", FMT(name),
		    (long long)number);
	pthread_mutex_unlock(&k->d->lock);
	if (rc == OK)
		rc = release_usable(k, x, e);
	if (rc == OK)
		*out = &x->r;
	else if (x != NULL)
		wasm_release_drop(&x->r);
	return rc;
}

/* Another node may have put it a moment ago. */
static int
find_or_look(struct wasm_desk *k, owner_t owner, struct str name, int64_t number,
    struct wasm_release **out, struct err *e)
{
	int rc = release_find(k, owner, name, number, out, e);

	if (rc != ERR_NOTFOUND || k->pool == NULL || !k->d->o.shared)
		return rc;
	wasm_desk_look(k);
	return release_find(k, owner, name, number, out, e);
}

int
wasm_desk_find(struct wasm_desk *k, owner_t owner, struct str name,
    struct wasm_release **out, struct err *e)
{
	return find_or_look(k, owner, name, 0, out, e);
}

int
wasm_desk_find_number(struct wasm_desk *k, owner_t owner, struct str name, int64_t number,
    struct wasm_release **out, struct err *e)
{
	return find_or_look(k, owner, name, number, out, e);
}

/* ---- messages ------------------------------------------------------------------------ */

/* The contest that the release takes part in, under the lock; NULL: none. */
static struct contest *
contest_of(struct wasm_deploy *d, const struct release *x)
{
	struct module *m = module_get(d, x->r.owner, x->r.folder, x->r.name);

	return m == NULL ? NULL : m->contest;
}

bool
wasm_desk_split(struct wasm_desk *k, struct wasm_release *from, struct wasm_release **to)
{
	struct release *x = NULL;
	struct contest *c;
	bool gives = false;

	*to = NULL;
	if (atomic_load(&k->d->contests) == 0)
		return false;
	pthread_mutex_lock(&k->d->lock);
	c = contest_of(k->d, release_of(from));
	if (c != NULL)
		gives = contest_gives(c, release_of(from), &x);
	if (gives)
		*to = wasm_release_hold(&x->r);
	pthread_mutex_unlock(&k->d->lock);
	return gives;
}

void
wasm_desk_report(struct wasm_desk *k, struct wasm_release *r, bool ok, nsec took)
{
	struct release *x = release_of(r);
	struct contest *c;

	pthread_mutex_lock(&x->lock);
	x->calls++;
	x->errors += !ok;
	hist_add(&x->took, took > 0 ? (uint64_t)took : 0);
	pthread_mutex_unlock(&x->lock);
	if (atomic_load(&k->d->contests) == 0)
		return;
	pthread_mutex_lock(&k->d->lock);
	c = contest_of(k->d, x);
	if (c != NULL)
		contest_count(c, x, ok, took);
	pthread_mutex_unlock(&k->d->lock);
}

void
wasm_desk_ready(struct wasm_desk *k, const struct wasm_release *to, int rc)
{
	const struct release *x = release_of((struct wasm_release *)to);
	struct contest *c;

	pthread_mutex_lock(&k->d->lock);
	c = contest_of(k->d, x);
	if (c != NULL)
		contest_ready(c, x, rc);
	pthread_mutex_unlock(&k->d->lock);
}
