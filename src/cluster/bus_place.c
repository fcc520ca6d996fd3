/*
 * bus_place.c - a shard's side of the bus: what the bus's thread has for it, in order.
 *
 * The thread adds what one read of the socket brought and posts one job; the job takes
 * all of it.  A shard that is behind by LIMIT_BUS_BEHIND_BYTES receives nothing more
 * until it has caught up, and is then notified of an outage.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/bus_priv.h"

void
bus_copy_drop(struct bus_copy *c)
{
	if (atomic_fetch_sub(&c->refs, 1) == 1)
		free(c);
}

static void
put(struct bus_row *row, struct bus_news news)
{
	mem_grow(row->at, row->n, row->cap);
	row->at[row->n++] = news;
}

/* Under the lock. */
static void
put_state(struct bus_place *p, bool up)
{
	if (p->up == up)
		return;
	p->up = up;
	put(&p->coming, (struct bus_news){ .kind = up ? NEWS_UP : NEWS_DOWN });
}

bool
bus_place_add(struct bus_place *p, struct bus_news news)
{
	bool taken = true;

	pthread_mutex_lock(&p->lock);
	switch (news.kind) {
	case NEWS_UP:
	case NEWS_DOWN:
		/* Who is behind is told that it is up when it has caught up. */
		if (!p->behind || news.kind == NEWS_DOWN)
			put_state(p, news.kind == NEWS_UP);
		if (news.kind == NEWS_DOWN)
			p->behind = false;
		break;
	case NEWS_GONE:
		put(&p->coming, news);
		break;
	case NEWS_HEARD:
		if (p->bytes + news.copy->bytes > LIMIT_BUS_BEHIND_BYTES && !p->behind) {
			p->behind = true;
			put_state(p, false);
		}
		taken = !p->behind;
		if (taken) {
			p->bytes += news.copy->bytes;
			put(&p->coming, news);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return taken;
}

void
bus_place_tell(struct bus_place *p)
{
	bool post;

	pthread_mutex_lock(&p->lock);
	post = p->coming.n > 0 && !p->posted;
	p->posted = p->posted || post;
	pthread_mutex_unlock(&p->lock);
	if (post)
		shard_post(p->shard, &p->job);
}

/* The shard. */

static void
tell_watchers(struct bus_place *p, bool up)
{
	for (struct list *l = p->watchers.next; l != &p->watchers; l = l->next) {
		struct bus_watcher *w = CONTAINER_OF(l, struct bus_watcher, in);

		if (w->up != up) {
			w->up = up;
			w->changed(w->ctx, up);
		}
	}
}

static void
forget_ear(struct bus_ear *ear)
{
	pthread_mutex_lock(&ear->bus->lock);
	list_remove(&ear->all);
	pthread_mutex_unlock(&ear->bus->lock);
	free(ear->subject);
	free(ear);
}

static void
hear(struct bus_place *p, const struct bus_news *n)
{
	switch (n->kind) {
	case NEWS_HEARD:
		if (!n->ear->stopped)
			n->ear->heard(n->ear->ctx, &n->copy->m);
		bus_copy_drop(n->copy);
		break;
	case NEWS_GONE:
		forget_ear(n->ear);
		break;
	case NEWS_UP:
	case NEWS_DOWN:
		tell_watchers(p, n->kind == NEWS_UP);
	}
}

static void
run(struct shard_job *job)
{
	struct bus_place *p = CONTAINER_OF(job, struct bus_place, job);
	struct bus_row row;
	bool again;

	pthread_mutex_lock(&p->lock);
	row = p->coming;
	p->coming = p->spare;
	p->spare = (struct bus_row){ 0 };
	p->bytes = 0;
	if (p->behind) {
		p->behind = false;
		put_state(p, true);
	}
	again = p->posted = p->coming.n > 0;
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < row.n; i++)
		hear(p, &row.at[i]);
	row.n = 0;
	pthread_mutex_lock(&p->lock);
	if (p->spare.at == NULL) {
		p->spare = row;
		row.at = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	free(row.at);
	if (again)
		shard_post(p->shard, &p->job);
}

void
bus_place_watch(struct bus_place *p, struct bus_watcher *w)
{
	bool up, post;

	list_append(&p->watchers, &w->in);
	pthread_mutex_lock(&p->lock);
	up = p->up;
	if (up)
		put(&p->coming, (struct bus_news){ .kind = NEWS_UP });
	post = up && !p->posted;
	p->posted = p->posted || post;
	pthread_mutex_unlock(&p->lock);
	if (post)
		shard_post(p->shard, &p->job);
}

static void
send_at_turn_end(struct shard_job *job)
{
	bus_send_now(CONTAINER_OF(job, struct bus_place, turn_end)->bus);
}

struct bus_place *
bus_place_new(struct bus *b, struct shard *s, bool up)
{
	struct bus_place *p = mem_new(struct bus_place);

	p->bus = b;
	p->shard = s;
	p->job.run = run;
	p->turn_end.run = send_at_turn_end;
	p->up = up;
	list_init(&p->watchers);
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void
bus_place_free(struct bus_place *p)
{
	struct list *next;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->coming.n; i++)
		if (p->coming.at[i].kind == NEWS_HEARD)
			bus_copy_drop(p->coming.at[i].copy);
	for (struct list *l = p->watchers.next; l != &p->watchers; l = next) {
		next = l->next;
		free(CONTAINER_OF(l, struct bus_watcher, in));
	}
	free(p->coming.at);
	free(p->spare.at);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
