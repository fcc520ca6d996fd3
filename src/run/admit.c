/*
 * admit.c - how many runs live at once, and who comes next.
 *
 * Each shard has its share of what the process may have (run.c).  Past it, a thread's run stays
 * pending in the store and its thread waits here, pinned; a run without a
 * thread waits here itself.  First come, first served.
 *
 * Invariant: somebody waits only while there is no place; so whoever is given
 * a place has not overtaken anybody.  The one exception is a thread whose run
 * could not be taken because the store failed: it waits to be tried again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/hosted_priv.h"
#include "store/node.h"

size_t
admit_share(const struct runs *rs)
{
	unsigned shards = atomic_load_explicit(&rs->sh->shards, memory_order_relaxed);

	return rs->live_max > 0 ? rs->live_max : rs->sh->live_max / shards;
}

bool
admit_take(struct runs *rs)
{
	if (rs->live >= admit_share(rs))
		return false;
	rs->live++;
	return true;
}

void
admit_wait(struct runs *rs, const struct waiting *w)
{
	struct waiting *copy = mem_new(struct waiting);

	*copy = *w;
	copy->next = NULL;
	*rs->waiting_end = copy;
	rs->waiting_end = &copy->next;
}

static struct waiting *
pop(struct runs *rs)
{
	struct waiting *w = rs->waiting;

	if (w == NULL)
		return NULL;
	rs->waiting = w->next;
	if (rs->waiting == NULL)
		rs->waiting_end = &rs->waiting;
	return w;
}

void
admit_clear(struct runs *rs)
{
	struct waiting *w;

	shard_timer_cancel(rs->shard, &rs->again);
	for (w = pop(rs); w != NULL; w = pop(rs)) {
		if (w->create != NULL)
			create_drop(w->create);
		else
			directory_unpin(rs->sh->directory, &w->thread_id);
		free(w);
	}
}

void
admit_abandon(struct runs *rs)
{
	struct waiting *w, *stay = NULL, **end = &stay;

	for (w = pop(rs); w != NULL; w = pop(rs)) {
		if (w->create != NULL) {
			w->next = NULL;
			*end = w;
			end = &w->next;
			continue;
		}
		directory_unpin(rs->sh->directory, &w->thread_id);
		if (w->counted)
			sleep_woken(rs, false);
		free(w);
	}
	rs->waiting = stay;
	rs->waiting_end = stay == NULL ? &rs->waiting : end;
}

/* ---- taking a thread's run ----------------------------------------------- */

#define RETRY_MS 1000

struct claim {
	struct store_run_claim c;
	struct arena arena;
	struct waiting w;
	struct runs *rs;
};

static void begin_waiting(struct runs *rs);

static void
on_again(struct wheel_timer *t)
{
	begin_waiting(CONTAINER_OF(t, struct runs, again));
}

/* Its place is given back; the thread stays pinned. */
static void
claim_again(struct claim *x)
{
	struct runs *rs = x->rs;
	struct waiting w = x->w;

	rs->live--;
	admit_wait(rs, &w);
	if (wheel_armed(&rs->again))
		return;
	rs->again.fire = on_again;
	shard_timer_set(rs->shard, &rs->again, RETRY_MS);
}

/* The run lives here already: it was about to be parked when the store said so. */
static bool
is_here(const struct claim *x)
{
	const struct run *run = run_find(x->rs, &x->c.run.id);

	return run != NULL && run->phase != PHASE_PENDING;
}

/* It was parked, and is left as it was: the next server finds it due. */
struct back {
	struct store_run_save c;
	struct runs *rs;
};

static void
back_done(struct store_cmd *cmd)
{
	struct back *x = CONTAINER_OF(cmd, struct back, c.cmd);
	struct runs *rs = x->rs;

	if (cmd->rc != OK)
		log_warn("run", "not_parked", "rc=%s reason=%s", rc_name(cmd->rc),
		    cmd->err.text);
	free(x);
	runs_busy(rs, -1);
}

static void
park_again(const struct claim *x)
{
	struct back *b = mem_new(struct back);
	int rc;

	b->rs = x->rs;
	b->c.cmd.op = STORE_RUN_SAVE;
	b->c.cmd.owner = x->w.owner;
	b->c.cmd.done = back_done;
	b->c.run_seq = x->c.run.seq;
	b->c.thread_seq = x->c.run.thread_seq;
	b->c.park = PARK_SET;
	b->c.due = x->c.now;
	rc = store_submit(b->rs->sh->store, b->rs->shard, &b->c.cmd, true);
	assert(rc == OK);                    /* forced */
	runs_busy(b->rs, 1);
}

/* Another node has the thread: what waits for its turn here waits there. */
static void
thread_moved(const struct claim *x)
{
	struct runs *rs = x->rs;
	size_t n = 0;
	struct uuid *ids = directory_runs(rs->sh->directory, x->w.owner, &x->w.thread_id, &n);

	for (size_t i = 0; i < n; i++) {
		struct run *run = run_find(rs, &ids[i]);

		if (run != NULL && run->phase == PHASE_PENDING && !run->cancel)
			run_moved(run);
	}
	free(ids);
}

static void
claim_done(struct store_cmd *cmd)
{
	struct claim *x = CONTAINER_OF(cmd, struct claim, c.cmd);
	struct runs *rs = x->rs;
	bool taken = cmd->rc == OK && x->c.taken && !rs->draining && !is_here(x) &&
	    !store_is_late(rs->sh->store, cmd);

	if ((cmd->rc == ERR_IO || cmd->rc == ERR_BUSY) && !rs->draining && !rs->lost) {
		claim_again(x);
	} else {
		if (cmd->rc == ERR_NOTFOUND && x->c.foreign > 0)
			thread_moved(x);
		if (cmd->rc == OK && x->c.woken && rs->draining && !is_here(x))
			park_again(x);
		if (taken)
			admit_taken(rs, cmd->owner, &x->c.run, true, x->c.woken);
		directory_unpin(rs->sh->directory, &x->w.thread_id);
		if (!taken)
			admit_leave(rs);
		if (x->w.counted)
			sleep_woken(rs, cmd->rc == OK);
	}
	arena_release(&x->arena);
	free(x);
	runs_busy(rs, -1);
}

/* The place is taken already. */
static void
claim(struct runs *rs, const struct waiting *w)
{
	struct claim *x = mem_new(struct claim);
	int rc;

	x->arena = ARENA(THREAD_ARENA);
	x->w = *w;
	x->rs = rs;
	x->c.cmd.op = STORE_RUN_CLAIM;
	x->c.cmd.owner = w->owner;
	x->c.cmd.arena = &x->arena;
	x->c.cmd.done = claim_done;
	x->c.thread_seq = w->thread_seq;
	x->c.wake = w->wake;
	x->c.now = shard_wall(rs->shard);
	rc = store_submit(rs->sh->store, rs->shard, &x->c.cmd, true);
	assert(rc == OK);
	runs_busy(rs, 1);
}

/* Without a lease none is taken: whoever has one does. */
void
admit_thread(struct runs *rs, const struct waiting *w)
{
	if (rs->lost) {
		directory_unpin(rs->sh->directory, &w->thread_id);
		if (w->counted)
			sleep_woken(rs, false);
	} else if (admit_take(rs)) {
		claim(rs, w);
	} else {
		admit_wait(rs, w);
	}
}

static void
begin_waiting(struct runs *rs)
{
	while (rs->waiting != NULL && !rs->draining && !rs->lost && admit_take(rs)) {
		struct waiting *w = pop(rs);

		if (w->create == NULL) {
			claim(rs, w);
		} else if (create_run(w->create)->phase == PHASE_GONE) {
			create_drop(w->create);      /* it was cancelled here */
			rs->live--;
		} else {
			create_begin(w->create);
		}
		free(w);
	}
}

void
admit_leave(struct runs *rs)
{
	assert(rs->live > 0);
	rs->live--;
	begin_waiting(rs);
}

void
admit_resume(struct runs *rs)
{
	begin_waiting(rs);
}

void
admit_taken(struct runs *rs, owner_t owner, const struct store_run *row, bool placed,
    bool woken)
{
	struct run *run = run_find(rs, &row->id);

	if (run == NULL) {
		run = run_new(&row->id, &row->thread_id, owner);
		run->rs = rs;
		run_set_phase(run, PHASE_PENDING);
		directory_enter(rs->sh->directory, &run->place, false, rs);
		map_put(&rs->runs, run);
	}
	assert(run->phase == PHASE_PENDING && run->place.home == rs);
	run->seq = row->seq;
	run->thread_seq = row->thread_seq;
	run->held = false;
	run->placed = placed;
	run->woken = woken;
	if (!hosted_waits(run, row->graph_id))
		job_start(run, row, NULL, NULL, true);
}

static void
adopt(struct runs *rs, const struct waiting *w)
{
	struct directory *d = rs->sh->directory;

	if (directory_pin(d, &w->thread_id, rs) == rs)
		admit_thread(rs, w);
	else
		directory_unpin(d, &w->thread_id);   /* it has a home that will */
}

/* To the shard where an agent has its thread already (mail.c). */
struct adoption {
	struct parcel parcel;
	struct waiting w;
};

static void
adoption_open(void *ctx, struct parcel *p)
{
	struct adoption *x = CONTAINER_OF(p, struct adoption, parcel);
	struct runs *here = ctx;

	if (here->draining)
		directory_unpin(here->sh->directory, &x->w.thread_id);
	else
		admit_thread(here, &x->w);
	free(x);
}

void
runs_adopt(struct runs *rs, owner_t owner, int64_t thread_seq,
    const struct uuid *thread_id)
{
	struct waiting w = { .owner = owner, .thread_seq = thread_seq,
		.thread_id = *thread_id };
	struct runs *home = directory_pin(rs->sh->directory, thread_id, rs);
	struct adoption *x;

	if (home == rs) {
		admit_thread(rs, &w);
		return;
	}
	x = mem_new(struct adoption);
	x->w = w;
	x->parcel.open = adoption_open;
	runs_send(rs, home, &x->parcel);
}

void
admit_large(struct runs *rs, owner_t owner, const struct store_run *row)
{
	struct directory *d = rs->sh->directory;

	if (row->held > 0) {
		/* Its struct keeps the thread at home; another home makes it itself. */
		if (directory_pin(d, &row->thread_id, rs) == rs)
			run_expect(rs, owner, &row->id);
		directory_unpin(d, &row->thread_id);
		return;
	}
	adopt(rs, &(struct waiting){ .owner = owner, .thread_seq = row->thread_seq,
	    .thread_id = row->thread_id, .wake = row->status == RUN_RUNNING });
}
