/*
 * usable.c - from a release's bytes to code: what the cache has, else tcc's, else gcc's; and
 * gcc's in place of tcc's when it is there.
 *
 *   STORED --needed--> (in the cache) ----------------> READY --gcc's--> READY
 *      ^  '----------> BUILDING ---built--------------^
 *      |                  '--not built--> FAILED
 *      '-- RETRY later, unless the module is to blame --'
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include <assert.h>

#include "base/log.h"

#define RETRY            (60 * NS_PER_S)
#define IMPROVE_AGAIN_MS 1000

/* ---- states, under the lock --------------------------------------------------------- */

/* Takes the code over, if it is better than what there is. */
static void
release_code_set(struct wasm_deploy *d, struct release *x, struct wasm_code *code)
{
	struct wasm_code *old = atomic_load(&x->r.code);

	if (old == NULL) {
		x->state = RELEASE_READY;
		atomic_store(&x->r.code, code);
		return;
	}
	if (old->compiler == WASM_GCC || code->compiler == WASM_TCC) {
		d->ops->code_drop(code);
		return;
	}
	/* It stays: the caller that read it is about to take a reference. */
	assert(x->first == NULL);
	x->first = old;
	atomic_store(&x->r.code, code);
	desks_replace(d, old, code);
}

static void
release_failed(struct release *x, int rc, const struct err *e)
{
	x->state = rc == ERR_LIMIT ? RELEASE_STORED : RELEASE_FAILED;
	x->why = *e;
	x->why.code = rc;
	x->failed = clock_mono();
}

static bool
release_may_be_tried(const struct release *x)
{
	return x->state == RELEASE_STORED || (x->state == RELEASE_FAILED &&
	    x->why.code != ERR_INVALID && clock_mono() - x->failed > RETRY);
}

/* ---- builds -------------------------------------------------------------------------- */

static int
bytes_load(struct wasm_desk *k, struct release *x, struct arena *a, struct str *out,
    struct err *e)
{
	int rc = OK;

	*out = x->bytes;
	if (out->n > 0)
		return OK;
	rc = k->reader == NULL ? ERR_NOTFOUND : store_wasm_bytes(k->reader, x->r.owner,
	    x->r.name, x->r.number, a, out);
	return rc == OK ? rc : err_set(e, rc, "version %lld of module '%.*s' is not in the store",
	    (long long)x->r.number, FMT(x->r.name));
}

static void
building_free(struct building *g)
{
	struct wasm_deploy *d = g->k->d;

	list_remove(&g->in);
	pthread_mutex_lock(&d->lock);
	release_let_go(g->x);
	pthread_mutex_unlock(&d->lock);
	arena_release(&g->bytes);
	free(g);
}

static void improve(struct wasm_desk *k, struct release *x, struct str bytes);

static void
improve_again(struct wheel_timer *t)
{
	struct building *g = CONTAINER_OF(t, struct building, later);
	struct err e;

	if (bytes_load(g->k, g->x, &g->bytes, &g->b.bytes, &e) != OK) {
		building_free(g);            /* it is gone */
		return;
	}
	g->k->d->ops->build_start(g->k->s, g->k->d->o.cache, &g->b);
	arena_clear(&g->bytes);              /* it has copied them */
	g->b.bytes = STR_NONE;
}

static void
improved(struct building *g, int rc, struct wasm_code *code, const struct err *e)
{
	struct wasm_deploy *d = g->k->d;

	if (rc == ERR_LIMIT) {
		g->later.fire = improve_again;
		shard_timer_set(g->k->s, &g->later, IMPROVE_AGAIN_MS);
		return;
	}
	if (rc != OK) {
		log_at(rc == ERR_NOTFOUND ? LOG_INFO : LOG_WARN, "wasm", "not_improved",
		    "module=%.*s version=%lld error=%s", FMT(g->x->r.name),
		    (long long)g->x->r.number, e->text);
	} else {
		pthread_mutex_lock(&d->lock);
		release_code_set(d, g->x, code);
		pthread_mutex_unlock(&d->lock);
	}
	building_free(g);
}

/* The last thing of it.  code: taken over; NULL: it failed, or x has code already.  Two desks may
 * build the same release: the second code is dropped. */
static void
building_over(struct building *g, int rc, struct wasm_code *code, const struct err *e)
{
	struct wasm_desk *k = g->k;
	bool improves;

	pthread_mutex_lock(&k->d->lock);
	improves = code != NULL && code->compiler == WASM_TCC &&
	    atomic_load(&g->x->r.code) == NULL;
	if (code != NULL)
		release_code_set(k->d, g->x, code);
	else if (rc != OK)
		release_failed(g->x, rc, e);
	if (g->tells)
		desks_tell(k->d, &(struct wasm_reload){ .to = &g->x->r }, NULL);
	pthread_mutex_unlock(&k->d->lock);
	if (improves)
		improve(k, g->x, g->b.bytes);
	if (g->then != NULL)
		g->then(g->ctx, rc, e);
	building_free(g);
}

static void
built(struct wasm_build *b, int rc, struct wasm_code *code, const struct err *e)
{
	struct building *g = CONTAINER_OF(b, struct building, b);
	struct wasm_desk *k = g->k;
	struct err why = rc == OK ? (struct err){ 0 } : *e;

	if (g->improves) {
		improved(g, rc, code, e);
	} else if (rc == ERR_NOTFOUND && b->compiler == WASM_TCC) {
		b->compiler = WASM_GCC;
		k->d->ops->build_start(k->s, k->d->o.cache, b);
	} else {
		building_over(g, rc, rc == OK ? code : NULL, &why);
	}
}

static struct building *
building_new(struct wasm_desk *k, struct release *x)
{
	struct building *g = mem_new(struct building);

	g->k = k;
	g->b = (struct wasm_build){ .compiler = WASM_TCC, .done = built };
	g->bytes = ARENA(LIMIT_WASM_MODULE_BYTES + 64 * KB);
	list_append(&k->builds, &g->in);
	pthread_mutex_lock(&k->d->lock);
	g->x = release_keep(x);
	pthread_mutex_unlock(&k->d->lock);
	return g;
}

/* gcc's object, in the background: the release is usable without it. */
static void
improve(struct wasm_desk *k, struct release *x, struct str bytes)
{
	struct building *g = building_new(k, x);

	g->improves = true;
	g->b.compiler = WASM_GCC;
	g->b.bytes = bytes;
	k->d->ops->build_start(k->s, k->d->o.cache, &g->b);
	g->b.bytes = STR_NONE;               /* it has copied them */
}

void
building_stop(struct building *g)
{
	if (g->job.run != NULL) {            /* begins or ends in a job: that frees it */
		g->then = NULL;
		list_remove(&g->in);
		return;
	}
	if (wheel_armed(&g->later))
		shard_timer_cancel(g->k->s, &g->later);
	else
		g->k->d->ops->build_stop(&g->b);
	pthread_mutex_lock(&g->k->d->lock);
	if (!g->improves && g->x->state == RELEASE_BUILDING)
		g->x->state = RELEASE_STORED;
	pthread_mutex_unlock(&g->k->d->lock);
	building_free(g);
}

/* What the cache has.  ERR_NOTFOUND: a build has to begin. */
static int
cached(struct wasm_desk *k, struct release *x, struct str bytes, struct err *e)
{
	struct wasm_code *code;
	int rc = k->d->o.cache == NULL ? err_set(e, ERR_NOTFOUND, "this server has no folder "
	    "for compiled modules (wasm.cache)") :
	    k->d->ops->build_cached(&code, k->d->o.cache, bytes, false, e);

	if (rc == ERR_NOTFOUND)
		return rc;
	pthread_mutex_lock(&k->d->lock);
	if (rc != OK) {
		release_failed(x, rc, e);
	} else if (atomic_load(&x->r.code) == NULL) {
		release_code_set(k->d, x, code);
		code = k->d->ops->code_hold(code);
	}
	pthread_mutex_unlock(&k->d->lock);
	if (rc == OK && code->compiler == WASM_TCC)
		improve(k, x, bytes);
	if (rc == OK)
		k->d->ops->code_drop(code);
	return rc;
}

/* In a job of the desk, so that whoever began it has its answer later. */
static void
build_run(struct shard_job *job)
{
	struct building *g = CONTAINER_OF(job, struct building, job);
	struct wasm_desk *k = g->k;
	struct err e = { 0 };
	int rc = OK;

	job->run = NULL;
	if (!list_joined(&g->in)) {          /* stopped */
		pthread_mutex_lock(&k->d->lock);
		if (g->x->state == RELEASE_BUILDING)
			g->x->state = RELEASE_STORED;
		pthread_mutex_unlock(&k->d->lock);
		building_free(g);
		desk_job_over(k);
		return;
	}
	if (atomic_load(&g->x->r.code) == NULL)
		rc = bytes_load(k, g->x, &g->bytes, &g->b.bytes, &e);
	if (rc == OK && atomic_load(&g->x->r.code) == NULL)
		rc = cached(k, g->x, g->b.bytes, &e);
	if (rc == ERR_NOTFOUND && g->b.bytes.n > 0 && k->d->o.cache != NULL)
		k->d->ops->build_start(k->s, k->d->o.cache, &g->b);
	else
		building_over(g, rc, NULL, &e);
	desk_job_over(k);
}

struct building *
build_begin(struct wasm_desk *k, struct release *x,
    void (*then)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct building *g = building_new(k, x);

	g->then = then;
	g->ctx = ctx;
	g->job.run = build_run;
	pthread_mutex_lock(&k->d->lock);
	if (x->state != RELEASE_READY)
		x->state = RELEASE_BUILDING;
	desk_post(k, &g->job);
	pthread_mutex_unlock(&k->d->lock);
	return g;
}

int
release_usable(struct wasm_desk *k, struct release *x, struct err *e)
{
	struct arena a = ARENA(LIMIT_WASM_MODULE_BYTES + 64 * KB);
	struct str bytes;
	bool begin = false;
	int rc = OK;

	pthread_mutex_lock(&k->d->lock);
	if (x->state == RELEASE_FAILED && !release_may_be_tried(x)) {
		rc = x->why.code;            /* it may have code that does not start */
		*e = x->why;
	} else if (atomic_load(&x->r.code) != NULL) {
		rc = OK;
	} else if (x->state == RELEASE_BUILDING || k->draining) {
		rc = ERR_BUSY;
	} else {
		begin = true;
	}
	pthread_mutex_unlock(&k->d->lock);
	if (begin) {
		rc = bytes_load(k, x, &a, &bytes, e);
		if (rc == OK)
			rc = cached(k, x, bytes, e);
		arena_release(&a);
		if (rc == ERR_NOTFOUND && k->d->o.cache != NULL && bytes.n > 0) {
			build_begin(k, x, NULL, NULL)->tells = true;
			rc = ERR_BUSY;
		}
	}
	return rc != ERR_BUSY ? rc : err_set(e, rc, "module '%.*s' is being built: try again "
	    "in a moment", FMT(x->r.name));
}
