/*
 * inject.c - a message that a client puts into the conversation of a run under way.
 *
 * It travels to the run's home shard, where a task that talks to a model takes it
 * (task/inbox.c), and is answered once the record that keeps it is committed: after a
 * crash the task finds it there.  What a task has not taken when it ends, fails or is
 * stopped, because the model had called tools or its state was left, goes to another
 * of its namespace, or to the one that begins next, with the checkpoint in which that
 * begins.
 *
 * A parked run is woken, and the message waits until its tasks are there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/job_priv.h"

#define TRIES_MAX 16
#define QUICK     4                            /* of them; then each waits for AGAIN_MS: */
#define AGAIN_MS  10                           /* another node has it, or will, in a commit */

struct inject {
	struct parcel parcel;
	struct inject *next;
	struct runs *away, *at;
	owner_t owner;
	struct uuid thread_id, run_id;
	char *ns;                            /* NULL: whichever talks */
	char *json;                          /* the message */
	void (*done)(void *ctx, int rc);
	void *ctx;
	int rc;
	unsigned tries, waited;
	struct wheel_timer again;
	/* while it is written */
	struct store_run_save c;
	struct changes changes;
	struct run *run;
};

/* ---- on its way ------------------------------------------------------------------- */

static void
close_open(void *ctx, struct parcel *p)
{
	struct inject *x = CONTAINER_OF(p, struct inject, parcel);

	(void)ctx;
	x->done(x->ctx, x->rc);
	free(x->ns);
	free(x->json);
	free(x);
}

static void
finish(struct inject *x, int rc)
{
	x->rc = rc;
	runs_forward(&x->at, x->away, &x->parcel, close_open);
}

static void
on_stored(struct store_cmd *cmd)
{
	struct inject *x = CONTAINER_OF(cmd, struct inject, c.cmd);
	struct run *run = x->run;

	changes_release(&x->changes);
	finish(x, cmd->rc);
	run_returned(run);
}

/* Not lazily: the client waits for it. */
static void
store(struct inject *x, struct run *run, const struct uuid *task, struct str key)
{
	struct err e;
	int rc;

	changes_init(&x->changes);
	changes_record(&x->changes, task, key, S("inject"), str_of(x->json));
	rc = changes_fill(&x->changes, &x->c.changes, &e);
	assert(rc == OK);
	x->run = run;
	x->c.cmd.op = STORE_RUN_SAVE;
	x->c.cmd.done = on_stored;
	x->c.run_seq = run->seq;
	x->c.thread_seq = run->thread_seq;
	rc = run_submit(run, &x->c.cmd);
	assert(rc == OK);                    /* forced */
}

/* ---- at home ------------------------------------------------------------------------ */

static bool
is_there(const struct inject *x, const struct job_task *t)
{
	return t->core != NULL && (x->ns == NULL ||
	    str_eq(core_event(t->core, EVENT_CUSTOM).ns, str_of(x->ns)));
}

static int
take(struct inject *x, struct run *run, struct job *j)
{
	struct buf key = BUF(64);
	struct val message = val_json_trusted(str_of(x->json));
	const struct uuid *task = NULL;
	int rc = ERR_CONFLICT;

	for (struct job_task *t = j->tasks; t != NULL && task == NULL; t = t->next) {
		int one = !is_there(x, t) ? ERR_CONFLICT :
		    task_event(t->task, S("inject"), message, &key);

		if (one == OK)
			task = &t->core->id;
		if (one != ERR_CONFLICT)
			rc = one;
	}
	if (task != NULL)
		store(x, run, task, buf_str(&key));
	val_drop(message);
	buf_release(&key);
	return rc;
}

static void
take_or_refuse(struct inject *x, struct run *run)
{
	struct job *j = run->job;
	int rc = run->phase == PHASE_LIVE && j != NULL && !j->over && !j->broken &&
	    !run->stateless ? take(x, run, j) : ERR_CONFLICT;

	if (rc != OK)
		finish(x, rc);
}

/* Its tasks are about to begin. */
static bool
is_waking(const struct run *run)
{
	const struct job *j = run->job;

	return run->phase == PHASE_PENDING ? run->wakes : run->phase == PHASE_LIVE &&
	    j != NULL && run->woken && !j->over && !j->broken && (j->holding || j->pumping ||
	    j->ready != NULL);
}

void
inject_look(struct run *run)
{
	if (run->injects == NULL || is_waking(run))
		return;
	for (struct inject *x = run->injects, *next; x != NULL; x = next) {
		next = x->next;
		run->injects = next;
		take_or_refuse(x, run);
	}
}

/* Behind those that are there: they are heard in the order in which they came. */
static void
wait_for_it(struct inject *x, struct run *run)
{
	struct inject **at = &run->injects;

	while (*at != NULL)
		at = &(*at)->next;
	x->next = NULL;
	*at = x;
}

static void route_open(void *ctx, struct parcel *p);

/* It has ended, or another node woke it: the store says which. */
void
inject_refuse(struct run *run)
{
	for (struct inject *x = run->injects, *next; x != NULL; x = next) {
		next = x->next;
		x->tries++;
		runs_forward(&x->at, x->away, &x->parcel, route_open);
	}
	run->injects = NULL;
}

static void
arrive_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct inject *x = CONTAINER_OF(p, struct inject, parcel);
	struct run *run = run_expect(here, x->owner, &x->run_id);

	if (run == NULL) {
		x->tries++;
		runs_forward(&x->at, x->away, &x->parcel, route_open);
		return;
	}
	run_hold(run);
	if (is_waking(run))
		wait_for_it(x, run);
	else
		take_or_refuse(x, run);
	run_drop(run);
}

static void
route(struct inject *x)
{
	struct runs *here = x->away;
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	struct runs *home = NULL;
	enum whereabouts at;
	int rc = OK;

	at = run_locate(here, x->owner, &x->thread_id, &x->run_id, &a, &home, &row, &rc);
	if (at == AT_NONE) {
		finish(x, rc);
	} else if (at == AT_REST || (at == AT_LARGE && row.status != RUN_RUNNING)) {
		finish(x, ERR_CONFLICT);
	} else if (x->tries >= TRIES_MAX || here->draining || at == AT_FOREIGN) {
		finish(x, ERR_BUSY);         /* foreign: its node cannot be asked now */
	} else if (at == AT_LARGE) {
		admit_large(here, x->owner, &row);   /* it is parked */
		x->tries++;
		runs_forward(&x->at, here, &x->parcel, route_open);
	} else {
		runs_forward(&x->at, home, &x->parcel, arrive_open);
	}
	arena_release(&a);
}

static void
on_again(struct wheel_timer *t)
{
	route(CONTAINER_OF(t, struct inject, again));
}

static void
route_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct inject *x = CONTAINER_OF(p, struct inject, parcel);

	assert(here == x->away);
	if (x->tries <= QUICK || here->draining || x->waited == x->tries) {
		route(x);
		return;
	}
	x->waited = x->tries;
	x->again.fire = on_again;
	shard_timer_set(here->shard, &x->again, AGAIN_MS);
}

void
run_inject(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, struct str ns, struct str message_json,
    void (*done)(void *ctx, int rc), void *ctx)
{
	struct inject *x = mem_new(struct inject);

	x->away = x->at = rs;
	x->owner = owner;
	x->thread_id = *thread_id;
	x->run_id = *run_id;
	x->ns = ns.p == NULL ? NULL : mem_cstr(ns);
	x->json = mem_cstr(message_json);
	x->done = done;
	x->ctx = ctx;
	runs_forward(&x->at, rs, &x->parcel, route_open);
}

/* ---- from task to task ----------------------------------------------------------------- */

/* The record goes with the checkpoint of what has ended or begun. */
static void
keep(struct job_task *t, size_t i, struct val message)
{
	struct buf key = BUF(64);

	if (!t->job->run->stateless) {
		buf_lit(&key, "inject/");
		buf_add_u64(&key, i);
		changes_record(&t->job->changes, &t->core->id, buf_str(&key), S("inject"),
		    val_json_text(message));
	}
	buf_release(&key);
}

/* Another task of the namespace: under way, or about to begin. */
static struct job_task *
heir_of(const struct job_task *t, struct str ns)
{
	struct job_task *const lists[] = { t->job->tasks, t->job->ready };

	for (size_t i = 0; i < 2; i++)
		for (struct job_task *x = lists[i]; x != NULL; x = x->next)
			if (x != t && x->core != NULL &&
			    str_eq(core_event(x->core, EVENT_CUSTOM).ns, ns))
				return x;
	return NULL;
}

static void
pass(struct job_task *heir, struct val message)
{
	if (heir->task != NULL) {
		keep(heir, task_give(heir->task, message), message);
		return;
	}
	if (heir->inbox.kind == VAL_UNDEFINED)
		heir->inbox = val_array_empty();
	keep(heir, val_count(heir->inbox), message);
	heir->inbox = val_push_take(heir->inbox, val_ref(message));
}

static struct left **
left_at(struct job *j, struct str ns)
{
	struct left **at = &j->left;

	while (*at != NULL && !str_eq(str_of((*at)->ns), ns))
		at = &(*at)->next;
	return at;
}

static void
left_free(struct left *l)
{
	val_drop(l->list);
	free(l->ns);
	free(l);
}

/* It has ended, failed or was stopped. */
static void
leave(struct job_task *t, struct val message)
{
	struct str ns = core_event(t->core, EVENT_CUSTOM).ns;
	struct job_task *heir = heir_of(t, ns);
	struct left **at;

	if (heir != NULL) {
		pass(heir, message);
		return;
	}
	at = left_at(t->job, ns);
	if (*at == NULL) {
		*at = mem_new(struct left);
		(*at)->ns = mem_cstr(ns);
		(*at)->list = val_array_empty();
	}
	(*at)->list = val_push_take((*at)->list, val_ref(message));
}

void
inject_leave(struct job_task *t)
{
	const struct val *list;
	size_t n;

	for (size_t i = 0; i < val_count(t->inbox); i++)
		leave(t, val_at(t->inbox, i));
	val_drop(t->inbox);
	t->inbox = VAL_UNDEF;
	if (t->task == NULL)
		return;
	list = task_untaken(t->task, &n);
	for (size_t i = 0; i < n; i++)
		leave(t, list[i]);
}

void
inject_hand_on(struct job_task *t)
{
	struct left **at, *l;

	if (t->job->left == NULL)
		return;
	at = left_at(t->job, core_event(t->core, EVENT_CUSTOM).ns);
	l = *at;
	if (l == NULL)
		return;
	*at = l->next;
	for (size_t i = 0; i < val_count(l->list); i++)
		pass(t, val_at(l->list, i));
	left_free(l);
}

void
inject_give(struct job_task *t)
{
	for (size_t i = 0; i < val_count(t->inbox); i++)
		task_give(t->task, val_at(t->inbox, i));
	val_drop(t->inbox);
	t->inbox = VAL_UNDEF;
}

void
inject_release(struct job *j)
{
	while (j->left != NULL) {
		struct left *l = j->left;

		j->left = l->next;
		left_free(l);
	}
}
