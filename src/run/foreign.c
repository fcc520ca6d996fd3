/*
 * foreign.c - watching a run of another node by what that one stores.
 *
 * This is the way without a bus: requests mostly go to the run's own node, and are
 * answered there (cluster/relay.h).  The events of a run that can be read again are
 * stored in batches; of another run its reader gets the end.  The store is asked soon
 * after something was new, and less often while nothing is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/run_priv.h"
#include "run/tape_priv.h"
#include "store/node.h"

#define FIRST_MS 100
#define MOST_MS  1600

struct foreign {
	struct list in;                      /* of rs->foreigners */
	struct runs *rs;
	struct bridge *bridge;
	owner_t owner;
	struct uuid run_id;
	int64_t told;                        /* the last event that was there */
	msec pause;
	struct wheel_timer timer;
};

static void
foreign_free(struct foreign *f)
{
	shard_timer_cancel(f->rs->shard, &f->timer);
	list_remove(&f->in);
	free(f);
}

static void
foreign_over(struct foreign *f, int rc, const struct run_end *end, const char *why)
{
	struct bridge *r = f->bridge;
	struct err e = { 0 };

	if (rc != OK)
		err_set(&e, rc, "%s", why);
	foreign_free(f);
	bridge_end(r, rc, end, &e);
}

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
begin_behind(struct foreign *f, const struct store_run *row)
{
	struct run_watch *w = bridge_watch(f->bridge), all = *w;
	struct tape_source s = { .rs = f->rs, .owner = f->owner, .run_seq = row->seq,
	    .thread_seq = row->thread_seq, .thread_id = row->thread_id,
	    .run_id = row->id, .ids = true };

	if (w->after != INT64_MAX)
		return;
	all.after = -1;
	all.frames = skip;
	(void)tape_replay(&s, &all, stays, NULL);
	w->after = all.after;
}

/* true: something is new. */
static bool
has_news(struct foreign *f, const struct store_run *row)
{
	struct store_events_size size = { .last = -1 };

	if (store_events_size(f->rs->reader, f->owner, row->seq, f->told, &size) != OK ||
	    size.last <= f->told)
		return false;
	f->told = size.last;
	return true;
}

static void on_time(struct wheel_timer *t);

static void
look_later(struct foreign *f, bool news)
{
	f->pause = news ? FIRST_MS : f->pause * 2 < MOST_MS ? f->pause * 2 : MOST_MS;
	f->timer.fire = on_time;
	shard_timer_set(f->rs->shard, &f->timer, f->pause);
}

/* The row says that the run goes on. */
static void
look_at(struct foreign *f, const struct store_run *row)
{
	struct bridge *r = f->bridge;
	bool news = has_news(f, row);
	int64_t node = 0;

	if (news && !bridge_replay(r, row)) {
		foreign_free(f);
		return;
	}
	if (store_thread_node(f->rs->reader, &row->thread_id, &node) == OK &&
	    (node == 0 || node == store_node(f->rs->sh->store))) {
		foreign_free(f);             /* it is to be had here */
		bridge_route(r);
		return;
	}
	look_later(f, news);
}

static void
on_time(struct wheel_timer *t)
{
	static const struct run_end gone = { .status = RUN_INTERRUPTED, .rolled_back = true };
	struct foreign *f = CONTAINER_OF(t, struct foreign, timer);
	struct bridge *r = f->bridge;
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	int rc;

	if (bridge_is_gone(r)) {
		bridge_free(r);
		foreign_free(f);
		return;
	}
	rc = store_run_get(f->rs->reader, f->owner, &f->run_id, &a, &row);
	if (rc == ERR_NOTFOUND) {
		foreign_over(f, OK, &gone, NULL);
	} else if (rc != OK) {
		look_later(f, false);
	} else if (row.status > RUN_RUNNING) {
		foreign_free(f);
		bridge_rest(r, &row);
	} else {
		look_at(f, &row);
	}
	arena_release(&a);
}

void
foreign_follow(struct runs *rs, struct bridge *r, owner_t owner,
    const struct uuid *run_id, const struct store_run *row)
{
	struct foreign *f = mem_new(struct foreign);

	f->rs = rs;
	f->bridge = r;
	f->owner = owner;
	f->run_id = *run_id;
	f->told = -1;
	list_append(&rs->foreigners, &f->in);
	begin_behind(f, row);
	if (has_news(f, row) && !bridge_replay(r, row)) {
		foreign_free(f);
		return;
	}
	look_later(f, true);
}

void
foreign_drain(struct runs *rs)
{
	while (!list_empty(&rs->foreigners)) {
		struct foreign *f = CONTAINER_OF(rs->foreigners.next, struct foreign, in);

		if (bridge_is_gone(f->bridge)) {
			bridge_free(f->bridge);
			foreign_free(f);
			continue;
		}
		foreign_over(f, ERR_CLOSED, NULL, "the server is stopping");
	}
}

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
