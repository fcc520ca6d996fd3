/*
 * folder.c - modules of the folder of agents: everybody's, kept in memory, reloaded when their
 * file has changed.
 *
 * The first desk builds them, one after another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include "base/log.h"

struct folder_news {
	struct wasm_folder_module *at;
	size_t n;
	struct arena arena;
};

void
folder_news_free(struct folder_news *n)
{
	if (n == NULL)
		return;
	arena_release(&n->arena);
	free(n->at);
	free(n);
}

struct folder_call {
	struct shard_job job;
	struct wasm_desk *k;
};

static void
folder_called(struct shard_job *job)
{
	struct folder_call *c = CONTAINER_OF(job, struct folder_call, job);
	struct wasm_desk *k = c->k;

	free(c);
	if (!k->draining)
		folder_take(k);
	desk_job_over(k);
}

void
wasm_deploy_folder(struct wasm_deploy *d, const struct wasm_folder_module *at, size_t n)
{
	struct folder_news *news = mem_new(struct folder_news);
	size_t bytes = 64 * KB;

	for (size_t i = 0; i < n; i++)
		bytes += at[i].bytes.n + 2 * (size_t)LIMIT_WASM_POLICY_BYTES;
	news->arena = ARENA(bytes);
	news->at = mem_zero((n + 1) * sizeof *news->at);
	for (size_t i = 0; i < n; i++) {
		struct wasm_folder_module *to = &news->at[news->n];

		to->name = arena_str(&news->arena, at[i].name);
		to->bytes = arena_str(&news->arena, at[i].bytes);
		if (wasm_policy_copy(&to->policy, &at[i].policy, &news->arena) == OK)
			news->n++;
		else
			log_error("wasm", "not_loaded", "module=%.*s error=%s", FMT(at[i].name), "its policy is too large");
	}
	pthread_mutex_lock(&d->lock);
	folder_news_free(d->news);
	d->news = news;
	if (d->desks[0] != NULL) {
		struct folder_call *c = mem_new(struct folder_call);

		*c = (struct folder_call){ { .run = folder_called }, d->desks[0] };
		desk_post(c->k, &c->job);
	}
	pthread_mutex_unlock(&d->lock);
}

/* ---- on the first desk ------------------------------------------------------------------ */

static bool
is_in(const struct folder_news *news, struct str name)
{
	for (size_t i = 0; i < news->n; i++)
		if (str_eq(news->at[i].name, name))
			return true;
	return false;
}

/* Under the lock: those whose file is gone.  Agents that run with them go on. */
static void
folder_drop(struct wasm_deploy *d, const struct folder_news *news)
{
	for (size_t i = d->n; i-- > 0;) {
		struct module *m = d->modules[i];

		if (!m->folder || is_in(news, m->name))
			continue;
		log_info("wasm", "gone", "module=%.*s", FMT(m->name));
		if (m->busy)
			m->leaves = true;            /* its move ends first */
		else
			module_remove(d, m);
	}
}

/* Under the lock: the newest three, and those in use. */
static void
folder_trim(struct module *m)
{
	size_t left = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct release *x = m->at[i];

		if (i + LIMIT_WASM_VERSIONS >= m->n || x == m->current || release_in_use(x))
			m->at[left++] = x;
		else
			release_let_go(x);
	}
	m->n = left;
}

/* Its next release, if the file has changed. */
static void
folder_changed(struct wasm_desk *k, const struct wasm_folder_module *f)
{
	struct wasm_deploy *d = k->d;
	struct release_spec spec = { .folder = true, .keep = true, .name = f->name,
	    .bytes = f->bytes, .policy = &f->policy, .number = 1,
	    .created = clock_wall_ms() };
	struct release *x, *last;
	struct module *m;
	struct move *v;
	struct err e;

	if (release_new(&x, d->ops, &spec, &e) != OK) {
		log_error("wasm", "not_loaded", "module=%.*s error=%s", FMT(f->name), e.text);
		return;
	}
	pthread_mutex_lock(&d->lock);
	m = module_make(d, 0, true, f->name);
	m->leaves = false;
	last = m->n > 0 ? m->at[m->n - 1] : NULL;
	if (last != NULL && memcmp(last->sha, x->sha, sizeof x->sha) == 0 &&
	    wasm_policy_eq(&last->r.policy, &x->r.policy)) {
		release_let_go(x);
		pthread_mutex_unlock(&d->lock);
		return;
	}
	x->r.number = last == NULL ? 1 : last->r.number + 1;
	x->state = RELEASE_BUILDING;
	module_add(m, x);
	folder_trim(m);
	pthread_mutex_unlock(&d->lock);
	v = move_new(k, MOVE_FOLDER, 0, f->name);
	v->x = x;
	list_append(&k->queue, &v->in);
}

void
folder_next(struct wasm_desk *k)
{
	for (struct list *l = k->moves.next; l != &k->moves; l = l->next)
		if (CONTAINER_OF(l, struct move, in)->kind == MOVE_FOLDER)
			return;
	if (!k->draining && !list_empty(&k->queue))
		move_go(CONTAINER_OF(k->queue.next, struct move, in));
}

void
folder_take(struct wasm_desk *k)
{
	struct wasm_deploy *d = k->d;
	struct folder_news *news;

	pthread_mutex_lock(&d->lock);
	news = d->news;
	d->news = NULL;
	if (news != NULL)
		folder_drop(d, news);
	pthread_mutex_unlock(&d->lock);
	for (size_t i = 0; news != NULL && i < news->n; i++)
		folder_changed(k, &news->at[i]);
	folder_news_free(news);
	folder_next(k);
}
