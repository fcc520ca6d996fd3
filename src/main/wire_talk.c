/*
 * wire_talk.c - see wire_talk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wire_talk.h"

#include <string.h>

#include "base/mem.h"

/* ---- graphs --------------------------------------------------------------------- */

static void
look_at_graphs(void *ctx)
{
	struct wire_talk *w = ctx;

	if (w->serving)
		catalog_look(w->catalog, w->reader);
}

static void
graphs_heard(void *ctx, uint64_t from, struct str what)
{
	(void)from, (void)what;
	look_at_graphs(ctx);
}

void
wire_talk_graphs(void *ctx)
{
	struct wire_talk *w = ctx;

	if (w->talk != NULL)
		(void)talk_say(w->talk, TALK_ALL, TALK_GRAPHS, NULL, 0);
}

/* ---- modules --------------------------------------------------------------------- */

static void
look_at_modules(void *ctx)
{
	struct wire_talk *w = ctx;

	if (w->serving && w->modules != NULL)
		wasm_desk_look(w->modules);
}

static void
modules_heard(void *ctx, uint64_t from, struct str what)
{
	(void)from, (void)what;
	look_at_modules(ctx);
}

static void
look_posted(struct shard_job *job)
{
	struct wire_talk *w = CONTAINER_OF(job, struct wire_talk, look);

	atomic_store(&w->posted, false);
	look_at_modules(w);
}

/* Looks here too: a change of another node may have had to wait for ours. */
void
wire_talk_modules(void *ctx)
{
	struct wire_talk *w = ctx;

	if (w->talk == NULL)
		return;
	(void)talk_say(w->talk, TALK_ALL, TALK_MODULES, NULL, 0);
	if (!atomic_exchange(&w->posted, true))
		shard_post(w->shard, &w->look);
}

/* ---- threads ---------------------------------------------------------------------- */

/* Its readers here are ended.  While NATS is away they are found by looks at the store. */
static void
threads_heard(void *ctx, uint64_t from, struct str what)
{
	struct wire_talk *w = ctx;
	struct uuid id;

	(void)from;
	if (!w->serving || what.n != sizeof id.b)
		return;
	memcpy(id.b, what.p, sizeof id.b);
	runs_thread_gone(w->runs, &id);
}

static void
threads_changed(void *ctx, bool up)
{
	struct wire_talk *w = ctx;

	runs_set_informed(w->runs, up);
}

void
wire_talk_deleted(void *ctx, const struct uuid *thread_id)
{
	struct wire_talk *w = ctx;
	struct str id = { (const char *)thread_id->b, sizeof thread_id->b };

	if (w->talk != NULL)
		(void)talk_say(w->talk, TALK_ALL, TALK_THREADS, &id, 1);
}

/* ---- workers -------------------------------------------------------------------------- */

static bool
say_to_workers(void *ctx, uint64_t to, const struct str *pieces, size_t n)
{
	return talk_say(((struct wire_talk *)ctx)->talk, to, TALK_WORKERS, pieces, n) == OK;
}

static void
workers_heard(void *ctx, uint64_t from, struct str what)
{
	worker_away_heard(((struct wire_talk *)ctx)->away, from, what);
}

static void
workers_changed(void *ctx, bool up)
{
	if (up)
		worker_away_tell(((struct wire_talk *)ctx)->away);
}

/* ---- life --------------------------------------------------------------------------- */

void
wire_talk_open(struct wire_talk *w, const struct wire_talk_needs *n)
{
	w->shard = n->shard;
	w->catalog = n->catalog;
	w->modules = n->modules;
	w->reader = n->reader;
	w->runs = n->runs;
	w->look.run = look_posted;
	w->talk = talk_new(n->bus, n->shard);
	talk_on(w->talk, TALK_GRAPHS, &(struct talk_ear){ .heard = graphs_heard,
	    .look = look_at_graphs, .ctx = w });
	talk_on(w->talk, TALK_MODULES, &(struct talk_ear){ .heard = modules_heard,
	    .look = look_at_modules, .ctx = w });
	w->away = worker_away_new(n->desk, &(struct worker_away_options){ say_to_workers, w });
	talk_on(w->talk, TALK_WORKERS, &(struct talk_ear){ .heard = workers_heard,
	    .changed = workers_changed, .ctx = w });
	talk_on(w->talk, TALK_THREADS, &(struct talk_ear){ .heard = threads_heard,
	    .changed = threads_changed, .ctx = w });
	w->passes = shared_passes_new(w->talk, n->shard, n->auth);
	w->counts = counts_new(w->talk, n->shard, n->auth);
}

void
wire_talk_serve(struct wire_talk *w)
{
	w->serving = w->talk != NULL;
	look_at_graphs(w);
	look_at_modules(w);
}

void
wire_talk_drain(struct wire_talk *w)
{
	w->serving = false;
	if (w->away != NULL)
		worker_away_drain(w->away);
}

void
wire_talk_close(struct wire_talk *w)
{
	worker_away_free(w->away);
	counts_free(w->counts);
	shared_passes_free(w->passes);
	talk_free(w->talk);
	w->talk = NULL;
}
