/*
 * host_peer.c - other agents, for tasks: spawned and stopped, as the run's owner.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/job_priv.h"
#include "run/mail_priv.h"

#define ARENA_BYTES (4u * LIMIT_HTTP_BODY_BYTES)

/* It keeps its run until it comes back, whatever became of the task. */
struct peer_call {
	struct office_spawn spawn;
	struct arena arena;
	char id[UUID_TEXT];
	struct err why;                      /* of a conflict, while it is looked at */
	bool again;
	struct task_peer *p;                 /* NULL: nobody waits any more */
	struct job_task *task;               /* while p is there */
	struct run *run;
};

static void
came(struct peer_call *x, int rc, const struct err *e)
{
	struct run *run = x->run;
	struct task_peer *p = x->p;

	if (p != NULL) {
		struct note note = job_task_note(x->task);

		note_result(&note, &(struct note_result){
		    .of = p->op == TASK_PEER_SPAWN ? S("spawn") : S("stop"), .what = p->agent,
		    .rc = rc, .words = rc != OK ? str_of(e->text) : STR_NONE });
		p->host_data = NULL;
		p->done(p, rc, e);
		job_pump_of(run);
	}
	arena_release(&x->arena);
	free(x);
	run_returned(run);
}

/* Is it the agent of an earlier attempt that is in the way? */
static void
looked(void *ctx, int rc, const struct office_shown *shown, const struct err *e)
{
	struct peer_call *x = ctx;

	(void)shown;
	(void)e;
	came(x, rc == OK ? OK : ERR_CONFLICT, rc == OK ? NULL : &x->why);
}

static void
spawned(struct office_spawn *s, int rc, const struct err *e)
{
	struct peer_call *x = CONTAINER_OF(s, struct peer_call, spawn);

	if (rc != ERR_CONFLICT) {
		came(x, rc, e);
		return;
	}
	x->why = *e;
	office_show(x->run->rs->office, s->spec.owner, (struct str){ x->id, UUID_TEXT }, looked,
	    x);
}

static void
stopped(void *ctx, int rc, const struct err *e)
{
	struct peer_call *x = ctx;

	came(x, rc == ERR_NOTFOUND && x->again ? OK : rc, e);
}

/* One that was spawned by an earlier attempt may have ended since: its thread is there. */
static bool
was_there(const struct run *run, const struct uuid *id)
{
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct store_thread t;
	int rc = store_thread_get(run->rs->reader, run->place.owner, id, &a, &t);

	arena_release(&a);
	return rc != ERR_NOTFOUND;
}

/* The agent's subject is the run's; no client can set that member. */
static struct str
subject_of(const struct run *run)
{
	struct val who = val_get(val_get(run->job->plan->config, S("configurable")),
	    S("langgraph_auth_user_id"));

	return who.kind == VAL_STRING ? val_str(who) : STR_NONE;
}

static void
spawn(struct peer_call *x, const struct task_peer *p)
{
	struct arena *a = &x->arena;
	struct office_spec *s = &x->spawn.spec;
	struct str *list = arena_zero(a, (p->capabilities_n + 1) * sizeof *list);
	struct err e;

	for (size_t i = 0; list != NULL && i < p->capabilities_n; i++)
		list[i] = arena_str(a, p->capabilities[i]);
	*s = (struct office_spec){ .owner = x->run->place.owner, .id = p->id,
		.subject = arena_str(a, subject_of(x->run)),
		.kind = p->memory ? S("chart") : S("run"), .name = arena_str(a, p->name),
		.graph_id = arena_str(a, p->agent), .capabilities = list,
		.capabilities_n = p->capabilities_n,
		.input_json = arena_str(a, p->input_json), .durable = !p->memory,
		.restart = RESTART_NEVER };
	x->spawn.done = spawned;
	uuid_format(&p->id, x->id);
	if (arena_rc(a) != OK)
		came(x, ERR_TOOBIG, (err_set(&e, ERR_TOOBIG, "the input is too large"), &e));
	else if (was_there(x->run, &p->id))
		came(x, OK, NULL);
	else
		office_spawn(x->run->rs->office, &x->spawn);
}

void
host_peer(void *ctx, struct task_peer *p)
{
	struct job_task *t = ctx;
	struct run *run = t->job->run;
	struct peer_call *x = mem_new(struct peer_call);
	struct err e;

	x->arena = ARENA(ARENA_BYTES);
	x->again = p->again;
	x->p = p;
	x->task = t;
	x->run = run_hold(run);
	runs_busy(run->rs, 1);
	p->host_data = x;
	if (run->rs->office == NULL)
		came(x, ERR_NOTFOUND, (err_set(&e, ERR_NOTFOUND, "there are no agents here"),
		    &e));
	else if (p->op == TASK_PEER_SPAWN)
		spawn(x, p);
	else
		office_stop(run->rs->office, run->place.owner, p->agent, p->drain, LIMIT_MAIL_DRAIN_MS,
		    stopped, x);
}

void
host_peer_forget(void *ctx, struct task_peer *p)
{
	struct peer_call *x = p->host_data;

	(void)ctx;
	if (x != NULL)
		x->p = NULL;
	p->host_data = NULL;
}
