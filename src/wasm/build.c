/*
 * build.c - builds wait in one queue of the process; at most LIMIT_WASM_BUILDS threads take
 * from it, and end when it is empty.  All but one of them may run gcc at once, so that a
 * quick build by tcc does not wait for slow ones.
 *
 *   wasm_build_start --> waiting --> running --> posted --> done
 *                             '---------'-----------'--> stopped: freed by who has it then
 *
 * A job belongs to its caller's build until wasm_build_stop (job->b is NULL then).
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "base/hmac.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "wasm/build_priv.h"

struct wasm_job {
	struct shard_job post;
	struct wasm_job *next;
	struct shard *shard;
	struct wasm_build *b;                /* NULL: stopped; under the lock */
	char *bytes, *cache;
	struct str module;                   /* in bytes */
	enum wasm_compiler compiler;
	bool any, unmetered;
	msec time;
	atomic_bool stop;                    /* its child is killed */
	char key[65];                        /* of what it builds; under the lock */
	int rc;
	struct wasm_code *code;
	struct err e;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;              /* a running job ended */
	struct wasm_job *waiting;            /* first to last */
	size_t waiting_n, threads;
	struct wasm_job *running[LIMIT_WASM_BUILDS];
	struct wasm_code *codes;             /* all of the process */
} builds = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* -- codes -- */

struct wasm_code *
wasm_code_hold(struct wasm_code *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

static void
code_unlist(struct wasm_code *c)
{
	struct wasm_code **at;

	pthread_mutex_lock(&builds.lock);
	for (at = &builds.codes; *at != NULL && *at != c; at = &(*at)->next)
		;
	if (*at != NULL)
		*at = c->next;
	pthread_mutex_unlock(&builds.lock);
}

void
wasm_code_drop(struct wasm_code *c)
{
	if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
		return;
	code_unlist(c);
	arena_release(&c->arena);
	free(c);
}

/* A code that has an object is known from now on, and its object stays. */
static struct wasm_code *
code_take(struct wasm_unit *u)
{
	struct wasm_code *c = u->code;

	u->code = NULL;
	pthread_mutex_lock(&builds.lock);
	c->next = builds.codes;
	builds.codes = c;
	pthread_mutex_unlock(&builds.lock);
	return c;
}

bool
wasm_code_uses(const char *path)
{
	bool found = false;

	pthread_mutex_lock(&builds.lock);
	for (struct wasm_code *c = builds.codes; c != NULL && !found; c = c->next)
		found = str_eq(c->path, str_of(path));
	pthread_mutex_unlock(&builds.lock);
	return found;
}

/* -- one build, on a thread of its own -- */

static bool
is_built_elsewhere(const struct wasm_job *j)
{
	for (size_t i = 0; i < LIMIT_WASM_BUILDS; i++) {
		const struct wasm_job *o = builds.running[i];

		if (o != NULL && o != j && o->compiler == j->compiler && o->key[0] != '\0' &&
		    strcmp(o->key, j->key) == 0)
			return true;
	}
	return false;
}

/* Waits while another thread builds the same; then the cache has it. */
static void
claim(struct wasm_job *j, const struct wasm_unit *u)
{
	pthread_mutex_lock(&builds.lock);
	memcpy(j->key, u->key, sizeof u->key);
	while (is_built_elsewhere(j)) {
		j->key[0] = '\0';
		pthread_cond_wait(&builds.changed, &builds.lock);
		memcpy(j->key, u->key, sizeof u->key);
	}
	pthread_mutex_unlock(&builds.lock);
}

static int
build(struct wasm_job *j, struct wasm_unit *u, struct err *e)
{
	char *folder;
	int rc = wasm_folder_new(&folder, j->cache, e);

	if (rc != OK)
		return rc;
	rc = wasm_make(u, j->compiler, folder, j->time, &j->stop, e);
	if (rc == OK)
		rc = wasm_cache_put(j->cache, u, j->compiler, folder, e);
	wasm_folder_remove(folder);
	free(folder);
	if (rc == OK && !wasm_cache_find(j->cache, u, j->compiler))
		rc = err_set(e, ERR_IO, "wasm.cache: %s: an object that was put there is gone",
		    j->cache);
	return rc;
}

static void
job_run(struct wasm_job *j)
{
	struct wasm_unit u = { 0 };
	nsec from = clock_mono();
	bool cached = true;
	int rc = wasm_cache_open(j->cache, &j->e);

	if (rc == OK)
		rc = wasm_unit_read(&u, j->module, j->any, j->unmetered, &j->e);
	if (rc == OK) {
		claim(j, &u);
		if (!wasm_cache_find(j->cache, &u, j->compiler)) {
			cached = false;
			wasm_cache_sweep(j->cache);
			rc = build(j, &u, &j->e);
		}
	}
	if (rc == OK)
		log_info("wasm", "built", "module=%.12s compiler=%s cached=%s ms=%lld", u.code->hash,
		    wasm_compiler_names[j->compiler], cached ? "true" : "false",
		    (long long)((clock_mono() - from) / NS_PER_MS));
	j->rc = rc;
	j->code = rc == OK ? code_take(&u) : NULL;
	wasm_unit_release(&u);
	hash_thread_end();
}

/* -- the queue -- */

/* The first that may run now; NULL: none.  Under the lock, as all here. */
static struct wasm_job *
job_take(void)
{
	size_t slow = 0;

	for (size_t i = 0; i < LIMIT_WASM_BUILDS; i++)
		slow += builds.running[i] != NULL && builds.running[i]->compiler == WASM_GCC;
	for (struct wasm_job **at = &builds.waiting; *at != NULL; at = &(*at)->next) {
		struct wasm_job *j = *at;

		if (j->compiler == WASM_GCC && slow + 1 >= LIMIT_WASM_BUILDS && slow > 0)
			continue;
		*at = j->next;
		builds.waiting_n--;
		return j;
	}
	return NULL;
}

static void
job_free(struct wasm_job *j)
{
	wasm_code_drop(j->code);
	free(j->bytes);
	free(j->cache);
	free(j);
}

/* On the shard, and so never at the same time as wasm_build_stop. */
static void
job_done(struct shard_job *post)
{
	struct wasm_job *j = CONTAINER_OF(post, struct wasm_job, post);
	struct wasm_build *b = j->b;
	struct wasm_code *code = j->code;

	j->code = NULL;
	if (b == NULL) {
		wasm_code_drop(code);
	} else {
		b->job = NULL;
		b->done(b, j->rc, code, &j->e);
	}
	job_free(j);
}

static struct wasm_job **
place_free(void)
{
	size_t i = 0;

	while (builds.running[i] != NULL)
		i++;
	return &builds.running[i];
}

static void *
builder_main(void *arg)
{
	struct wasm_job *j, **place;

	(void)arg;
	pthread_mutex_lock(&builds.lock);
	while ((j = job_take()) != NULL) {
		place = place_free();
		*place = j;
		pthread_mutex_unlock(&builds.lock);
		job_run(j);
		pthread_mutex_lock(&builds.lock);
		*place = NULL;
		pthread_cond_broadcast(&builds.changed);
		if (j->b != NULL) {
			shard_post(j->shard, &j->post);
		} else {
			pthread_mutex_unlock(&builds.lock);
			job_free(j);
			pthread_mutex_lock(&builds.lock);
		}
	}
	builds.threads--;
	pthread_mutex_unlock(&builds.lock);
	return NULL;
}

/* Under the lock. */
static int
builder_start(struct err *e)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (builds.threads >= LIMIT_WASM_BUILDS)
		return OK;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, builder_main, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0 && builds.threads == 0)
		return err_set(e, ERR_IO, "a thread for the build: %s", strerror(rc));
	builds.threads += rc == 0;
	return OK;
}

static int
job_queue(struct wasm_job *j, struct err *e)
{
	struct wasm_job **end = &builds.waiting;
	int rc;

	if (builds.waiting_n >= LIMIT_WASM_BUILDS_WAITING)
		return err_set(e, ERR_LIMIT, "%zu builds of modules wait already: try again later",
		    builds.waiting_n);
	rc = builder_start(e);
	if (rc != OK)
		return rc;
	while (*end != NULL)
		end = &(*end)->next;
	*end = j;
	builds.waiting_n++;
	return OK;
}

void
wasm_build_start(struct shard *s, const char *cache, struct wasm_build *b)
{
	struct wasm_job *j = mem_new(struct wasm_job);

	j->post.run = job_done;
	j->shard = s;
	j->b = b;
	j->bytes = mem_cstr(b->bytes);
	j->module = (struct str){ j->bytes, b->bytes.n };
	j->cache = mem_cstr(str_of(cache));
	j->compiler = b->compiler;
	j->any = b->any;
	j->unmetered = b->unmetered;
	j->time = b->time;
	atomic_init(&j->stop, false);
	b->job = j;
	pthread_mutex_lock(&builds.lock);
	j->rc = job_queue(j, &j->e);
	if (j->rc != OK)
		shard_post(s, &j->post);
	pthread_mutex_unlock(&builds.lock);
}

void
wasm_build_stop(struct wasm_build *b)
{
	struct wasm_job *j = b->job, **at;

	if (j == NULL)
		return;
	b->job = NULL;
	pthread_mutex_lock(&builds.lock);
	j->b = NULL;
	atomic_store(&j->stop, true);
	for (at = &builds.waiting; *at != NULL && *at != j; at = &(*at)->next)
		;
	if (*at != NULL) {
		*at = j->next;
		builds.waiting_n--;
		job_free(j);
	}
	pthread_mutex_unlock(&builds.lock);
}

int
wasm_build_cached(struct wasm_code **out, const char *cache, struct str bytes, bool any,
    struct err *e)
{
	struct wasm_unit u;
	int rc = wasm_cache_open(cache, e);

	if (rc == OK)
		rc = wasm_unit_read(&u, bytes, any, false, e);
	if (rc != OK)
		return rc;
	if (wasm_cache_find(cache, &u, WASM_GCC) || wasm_cache_find(cache, &u, WASM_TCC))
		*out = code_take(&u);
	else
		rc = err_set(e, ERR_NOTFOUND, "module %.12s is not in %s", u.code->hash, cache);
	wasm_unit_release(&u);
	return rc;
}
