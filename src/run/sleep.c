/*
 * sleep.c - runs that only wait for a time leave memory, and come back; so do runs
 * that begin later.
 *
 *                     all tasks asleep, nobody watches
 *        LIVE ----------------------------------------------> parked
 *          ^      (its records and a row of `wait`, one commit)   |
 *          |                                                      |
 *          '------------------------------------------------------'
 *                 due, or somebody touches it  (RUN_CLAIM)
 *
 * A run stays as it is until the commit is done: if it was touched or went on
 * meanwhile, or the commit failed, it simply lives on, and the row is taken back.
 * What touches a parked run finds it running and nowhere, and takes it up
 * (join.c, cancel.c).
 *
 * The sleeper, on the first shard, has one timer for the process.  It reads what
 * is due from the store, the earliest first, and has it taken up by the shards in
 * turn; the next batch is read when the last of one is in memory.  So however many
 * fall due at once, few of them are on the way.  Questions whose time is over
 * (timeout.c) and crons (cron.c) are in the same batches.
 *
 * Threads: the home shard's; the sleeper's, the first shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/hook_priv.h"
#include "run/job_priv.h"
#include "run/mail_priv.h"
#include "store/node.h"

#define LOOK_MS  50                          /* what was decided goes to the store first */
#define RETRY_MS 1000

/* ---- may it leave? -------------------------------------------------------------- */

/* All that the run does is wait, and the store has the rest. */
static bool
is_asleep(const struct job *j, msec *until)
{
	const struct run *run = j->run;

	if (run->stateless || run->phase != PHASE_LIVE || run->cancel || j->core == NULL ||
	    j->over || j->broken || j->holding || j->pumping || j->ready != NULL || j->left != NULL ||
	    j->plan->durability == DURABILITY_EXIT)
		return false;
	*until = core_due(j->core);
	for (const struct job_task *t = j->tasks; t != NULL; t = t->next) {
		msec due;

		if (!task_sleeps(t->task, &due))
			return false;
		*until = due < *until ? due : *until;
	}
	return *until != CORE_NEVER || mail_waits(j);
}

/* Somebody would miss it. */
static bool
is_watched(const struct run *run)
{
	return run->stream.watchers != NULL || run->cancels != NULL || run->injects != NULL;
}

/* ---- leaving ----------------------------------------------------------------------- */

struct park {
	struct store_run_save c;
	struct changes changes;
	unsigned submits;                    /* of the run, this one among them */
	struct run *run;
};

static void look_later(struct job *j, msec ms);

static void
park_free(struct park *p)
{
	changes_release(&p->changes);
	free(p);
}

static void
park_submit(struct run *run, struct park *p, enum store_park how,
    void (*done)(struct store_cmd *c))
{
	int rc;

	p->run = run;
	p->c.cmd.op = STORE_RUN_SAVE;
	p->c.cmd.done = done;
	p->c.run_seq = run->seq;
	p->c.thread_seq = run->thread_seq;
	p->c.park = how;
	rc = changes_fill(&p->changes, &p->c.changes, &p->c.cmd.err);
	assert(rc == OK);
	rc = run_submit(run, &p->c.cmd);
	assert(rc == OK);                    /* forced */
	p->submits = run->submits;
}

static void
unparked(struct store_cmd *cmd)
{
	struct park *p = CONTAINER_OF(cmd, struct park, c.cmd);
	struct run *run = p->run;

	if (cmd->rc == OK && run->submits == p->submits)
		run->parked = false;
	if (run_is_fenced(run, cmd))
		run_abandon(run);            /* another node has woken it */
	if (cmd->rc == OK && run->phase == PHASE_LIVE)
		job_look(run->job);
	park_free(p);
	run_returned(run);
}

/* It goes on.  If this is not written the row stays for a while: it tells of a
 * state that was whole, and the run's next commit takes it back. */
static void
unpark(struct run *run)
{
	struct park *p = mem_new(struct park);

	changes_init(&p->changes);
	park_submit(run, p, PARK_CLEAR, unparked);
}

static void
parked(struct store_cmd *cmd)
{
	struct park *p = CONTAINER_OF(cmd, struct park, c.cmd);
	struct run *run = p->run;
	bool same = run->phase == PHASE_LIVE && run->submits == p->submits;
	msec until = 0, due = p->c.due;

	if (run->phase == PHASE_LIVE)
		run->job->parking = false;
	if (run_is_fenced(run, cmd)) {
		run_abandon(run);
	} else if (cmd->rc != OK) {
		log_warn("run", "not_parked", "rc=%s reason=%s", rc_name(cmd->rc),
		    cmd->err.text);
		if (run->phase == PHASE_LIVE)
			look_later(run->job, RETRY_MS);
	} else if (same && is_asleep(run->job, &until) && until == due &&
	    !is_watched(run) && !run->rs->draining) {
		sleep_note(run->rs, due);
		run_left(run);
	} else if (run->phase == PHASE_LIVE) {
		unpark(run);
	}
	park_free(p);
	run_returned(run);
}

/* What its tasks have done and not told the journal goes with it. */
static void
park(struct run *run, msec until)
{
	struct job *j = run->job;
	struct park *p = mem_new(struct park);

	changes_init(&p->changes);
	for (const struct job_task *t = j->tasks; t != NULL; t = t->next) {
		const struct task_record *r;
		size_t n;

		r = task_records(t->task, &n);
		for (size_t i = 0; i < n; i++)
			changes_record(&p->changes, &t->core->id, r[i].key, r[i].name,
			    r[i].result_json);
	}
	record_stream(run);
	changes_transcript(&p->changes, &j->transcript);
	p->c.due = until;
	run->parked = j->parking = true;
	park_submit(run, p, PARK_SET, parked);
}

/* ---- when to look -------------------------------------------------------------------- */

static void
on_look(struct wheel_timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, park);
	struct run *run = j->run;
	msec until;

	if (j->broken)
		job_pump(j);                 /* which ends it */
	else if (!j->parking && is_asleep(j, &until) && !is_watched(run) && !run->rs->draining &&
	    changes_empty(&j->changes) &&
	    until - shard_wall(run->rs->shard) > LIMIT_RUN_SLEEP_MS)
		park(run, until);
}

static void
look_later(struct job *j, msec ms)
{
	if (!j->asleep || j->over || j->run->stateless || wheel_armed(&j->park))
		return;
	j->park.fire = on_look;
	shard_timer_set(j->run->rs->shard, &j->park, ms);
}

void
job_look(struct job *j)
{
	if (j->asleep)
		look_later(j, LOOK_MS);
}

void
job_sleeps(struct job *j)
{
	j->asleep = true;
	look_later(j, LOOK_MS);
}

bool
sleep_drain(struct run *run)
{
	msec until;
	bool asleep = is_asleep(run->job, &until) && changes_empty(&run->job->changes);

	if (asleep)
		park(run, until);
	return asleep;
}

void
sleep_tell_cut(size_t n)
{
	if (n > 0)
		log_info("run", "cut_off", "runs=%zu reason=%s", n, "the server stops while "
		    "they work; the next one tries them again from their last checkpoint");
}

/* ---- the sleeper ------------------------------------------------------------------------ */

struct sleeper {
	struct runs *rs;
	struct wheel_timer timer;
	msec next;                           /* it looks then; INT64_MAX: never */
	size_t under_way, ok;                /* of the batch */
	unsigned turn;                       /* the shard of the next one */
	size_t start;
};

static void sleeper_look(struct sleeper *s);

static void
on_time(struct wheel_timer *t)
{
	sleeper_look(CONTAINER_OF(t, struct sleeper, timer));
}

static void
sleeper_set(struct sleeper *s, msec due)
{
	msec left = due - shard_wall(s->rs->shard);

	/* What other nodes write is not told here. */
	bool alone = store_node(s->rs->sh->store) == NODE_ALONE;
	msec most = alone ? LIMIT_CLOCK_CHECK_MS : LIMIT_NODE_LOOK_MS;

	shard_timer_cancel(s->rs->shard, &s->timer);
	s->next = due;
	if ((due == INT64_MAX && alone) || s->rs->draining)
		return;
	s->timer.fire = on_time;
	shard_timer_set(s->rs->shard, &s->timer, left <= 0 ? 1 : left < most ? left : most);
}

/* To whoever takes it up, or from there. */
struct wake {
	struct parcel parcel;
	struct waiting w;
	msec due;
	bool ok;
};

static void
wake_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct wake *x = CONTAINER_OF(p, struct wake, parcel);

	if (here->draining)
		directory_unpin(here->sh->directory, &x->w.thread_id);
	else
		admit_thread(here, &x->w);
	free(x);
}

/* The shards, in turn. */
static struct runs *
next_shard(struct sleeper *s)
{
	struct runs_shared *sh = s->rs->sh;

	return sh->at[s->turn++ % atomic_load_explicit(&sh->shards, memory_order_relaxed)];
}

/* The thread's home takes it; while it is on the way there the thread is pinned. */
static void
wake(struct sleeper *s, const struct store_due *d)
{
	struct runs_shared *sh = s->rs->sh;
	struct wake *x = mem_new(struct wake);
	struct runs *home;

	x->w = (struct waiting){ .owner = d->owner, .thread_seq = d->thread_seq,
	    .thread_id = d->thread_id, .wake = d->what == DUE_RUN, .counted = true };
	x->parcel.open = wake_open;
	home = directory_pin(sh->directory, &d->thread_id, next_shard(s));
	s->under_way++;
	runs_send(s->rs, home, &x->parcel);
}

static void
ask(struct sleeper *s, const struct store_due *d)
{
	s->under_way++;
	ask_times_out(s->rs, d);
}

static void
fire(struct sleeper *s, const struct store_due *d)
{
	s->under_way++;
	cron_fires(s->rs, next_shard(s), d);
}

static void (*const wakes[])(struct sleeper *s, const struct store_due *d) = {
	[DUE_RUN] = wake, [DUE_HELD] = wake, [DUE_QUESTION] = ask, [DUE_CRON] = fire,
};

/* A run that another node woke would not be seen by the readers here, and the reverse. */
static bool
is_left_to_others(const struct sleeper *s, const struct store_due *d)
{
	const struct runs_shared *sh = s->rs->sh;

	return sh->elsewhere != NULL &&
	    shard_wall(s->rs->shard) - d->due < LIMIT_NODE_YIELD_MS &&
	    sh->elsewhere(sh->listened_ctx, &d->thread_id);
}

/* The next batch; or when there will be one. */
static void
sleeper_look(struct sleeper *s)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_due *due = NULL;
	size_t n = 0;
	msec next = INT64_MAX;
	int rc = OK;

	if (s->under_way > 0 || s->rs->draining)
		return;
	if (!s->rs->lost)
		rc = store_due_get(s->rs->reader, shard_wall(s->rs->shard),
		    LIMIT_WAKE_BATCH, &a, &due, &n);
	if (rc == OK && n == 0 && !s->rs->lost)
		rc = store_due_next(s->rs->reader, &next);
	s->ok = 0;
	/* From another one each time: of several nodes each begins somewhere else. */
	s->start += store_node(s->rs->sh->store) == NODE_ALONE ? 0 :
	    (size_t)store_node(s->rs->sh->store);
	for (size_t i = 0; rc == OK && i < n; i++) {
		const struct store_due *d = &due[(i + s->start) % n];

		if (!is_left_to_others(s, d))
			wakes[d->what](s, d);
	}
	arena_release(&a);
	if (rc != OK)
		next = shard_wall(s->rs->shard) + RETRY_MS;
	if (s->under_way == 0)
		sleeper_set(s, next);
}

static void
one_is_up(struct sleeper *s, bool ok)
{
	assert(s->under_way > 0);
	s->ok += ok;
	if (--s->under_way > 0)
		return;
	/* What could not be taken up is there still: not at once again. */
	sleeper_set(s, shard_wall(s->rs->shard) + (s->ok > 0 ? 0 : RETRY_MS));
}

static void
woken_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct wake *x = CONTAINER_OF(p, struct wake, parcel);

	if (here->sleeper != NULL)
		one_is_up(here->sleeper, x->ok);
	free(x);
}

void
sleep_woken(struct runs *rs, bool ok)
{
	struct runs *first = rs->sh->at[0];
	struct wake *x = mem_new(struct wake);

	x->ok = ok;
	x->parcel.open = woken_open;
	runs_send(rs, first, &x->parcel);
}

static void
note_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct wake *x = CONTAINER_OF(p, struct wake, parcel);

	/* A batch under way is followed by another look. */
	if (here->sleeper != NULL && x->due < here->sleeper->next &&
	    here->sleeper->under_way == 0)
		sleeper_set(here->sleeper, x->due);
	free(x);
}

void
sleep_note(struct runs *rs, msec due)
{
	struct runs *first = rs->sh->at[0];
	struct wake *x;

	if (rs->draining || first == NULL)
		return;
	x = mem_new(struct wake);
	x->due = due;
	x->parcel.open = note_open;
	runs_send(rs, first, &x->parcel);
}

void
sleep_asked(struct runs *rs, const struct store_changes *x)
{
	msec due = INT64_MAX;

	for (size_t i = 0; i < x->interrupts_n; i++)
		if (x->interrupts[i].due > 0 && x->interrupts[i].due < due)
			due = x->interrupts[i].due;
	if (due < INT64_MAX)
		sleep_note(rs, due);
}

void
runs_wake_due(struct runs *rs)
{
	struct sleeper *s;

	hooks_open(rs);
	if (rs->index != 0 || rs->sleeper != NULL)
		return;
	s = rs->sleeper = mem_new(struct sleeper);
	s->rs = rs;
	sleeper_set(s, shard_wall(rs->shard));
}

void
sleep_close(struct runs *rs)
{
	if (rs->sleeper != NULL)
		shard_timer_cancel(rs->shard, &rs->sleeper->timer);
	free(rs->sleeper);
	rs->sleeper = NULL;
}
