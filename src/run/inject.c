/*
 * inject.c - a message that a client puts into the conversation of a run under way.
 *
 * It travels to the run's home shard, where a task that talks to a model takes it
 * (task/inbox.c), and is answered once the record that keeps it is committed: after a
 * crash the task finds it there.  What a task has not taken when it ends, because the
 * model had called tools, goes to the task that begins next in its namespace, with the
 * checkpoint in which that begins.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/job_priv.h"

#define TRIES_MAX 16

struct inject {
	struct parcel parcel;
	struct runs *away, *at;
	owner_t owner;
	struct uuid thread_id, run_id;
	char *ns;                            /* NULL: whichever talks */
	char *json;                          /* the message */
	void (*done)(void *ctx, int rc);
	void *ctx;
	int rc;
	unsigned tries;
	/* while it is written */
	struct store_run_save c;
	struct changes changes;
	struct run *run;
};

/* ---- on its way ------------------------------------------------------------------- */

static void
send(struct inject *x, struct runs *to, void (*open)(struct runs *here, struct parcel *p))
{
	struct runs *from = x->at;

	x->parcel.open = open;
	x->at = to;
	courier_send(&from->courier, to, to->index, &x->parcel);
}

static void
close_open(struct runs *here, struct parcel *p)
{
	struct inject *x = CONTAINER_OF(p, struct inject, parcel);

	(void)here;
	x->done(x->ctx, x->rc);
	free(x->ns);
	free(x->json);
	free(x);
}

static void
finish(struct inject *x, int rc)
{
	x->rc = rc;
	send(x, x->away, close_open);
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

static void route_open(struct runs *here, struct parcel *p);

static void
arrive_open(struct runs *here, struct parcel *p)
{
	struct inject *x = CONTAINER_OF(p, struct inject, parcel);
	struct run *run = run_expect(here, x->owner, &x->run_id);
	int rc = ERR_CONFLICT;

	if (run == NULL) {
		x->tries++;
		send(x, x->away, route_open);
		return;
	}
	run_hold(run);
	if (run->phase == PHASE_LIVE && run->job != NULL && !run->job->over &&
	    !run->job->broken && !run->stateless)
		rc = take(x, run, run->job);
	if (rc != OK)
		finish(x, rc);
	run_drop(run);
}

static void
route_open(struct runs *here, struct parcel *p)
{
	struct inject *x = CONTAINER_OF(p, struct inject, parcel);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	struct runs *home = NULL;
	enum whereabouts at;
	int rc = OK;

	at = run_locate(here, x->owner, &x->thread_id, &x->run_id, &a, &home, &row, &rc);
	if (at == AT_NONE)
		finish(x, rc);
	else if (at != AT_HOME)
		finish(x, ERR_CONFLICT);
	else if (x->tries >= TRIES_MAX || here->draining)
		finish(x, ERR_BUSY);
	else
		send(x, home, arrive_open);
	arena_release(&a);
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
	send(x, rs, route_open);
}

/* ---- from task to task ----------------------------------------------------------------- */

void
inject_leave(struct job_task *t)
{
	struct job *j = t->job;
	const struct val *list;
	size_t n;

	list = task_untaken(t->task, &n);
	if (n == 0)
		return;
	inject_release(j);
	j->left_ns = mem_cstr(core_event(t->core, EVENT_CUSTOM).ns);
	j->left = val_array_empty();
	for (size_t i = 0; i < n; i++)
		j->left = val_push_take(j->left, val_ref(list[i]));
}

void
inject_hand_on(struct job_task *t)
{
	struct job *j = t->job;
	struct buf key = BUF(64);

	if (j->left.kind == VAL_UNDEFINED ||
	    !str_eq(core_event(t->core, EVENT_CUSTOM).ns, str_of(j->left_ns)))
		return;
	t->inbox = j->left;
	j->left = VAL_UNDEF;
	for (size_t i = 0; i < val_count(t->inbox) && !j->run->stateless; i++) {
		buf_clear(&key);
		buf_lit(&key, "inject/");
		buf_add_u64(&key, i);
		changes_record(&j->changes, &t->core->id, buf_str(&key), S("inject"),
		    val_json_text(val_at(t->inbox, i)));
	}
	buf_release(&key);
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
	val_drop(j->left);
	j->left = VAL_UNDEF;
	free(j->left_ns);
	j->left_ns = NULL;
}
