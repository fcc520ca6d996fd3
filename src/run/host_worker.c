/*
 * host_worker.c - external workers, for tasks: a node or a tool is offered at the desk of
 * the shard (worker/worker.h), and what its worker says is handed to the task.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_priv.h"
#include "run/job_priv.h"
#include "worker/worker.h"

#define FACTS_BYTES ((size_t)LIMIT_WORKER_TASK_BYTES)

struct errand {
	struct worker_offer offer;
	struct buf members;                  /* of its task, with the place in a trace */
	struct task_worker *w;
	struct job_task *task;
	struct run *run;
	int64_t last;                        /* number of the last event of this attempt */
	bool *gone;                          /* set when it is freed, for a caller on the stack */
	bool deciding, go;                   /* inside of taken: it is to begin */
	bool again;                          /* its worker says that it may be done twice */
	bool begun;
};

static void
errand_free(struct errand *x)
{
	if (x->gone != NULL)
		*x->gone = true;
	x->w->host_data = NULL;
	buf_release(&x->members);
	run_drop(x->run);
	free(x);
}

/* ---- its end ---------------------------------------------------------------------- */

/* For the transcript; of a tool its call is there. */
static void
note_answer_of(const struct errand *x, int rc, struct val output,
    const struct task_worker_error *e)
{
	struct note note = job_task_note(x->task);

	if (x->begun && !x->w->tool)
		note_result(&note, &(struct note_result){ .of = S("worker"), .what = x->w->name,
		    .rc = rc, .value = output, .status = x->again,
		    .type = e != NULL ? e->name : STR_NONE,
		    .words = e != NULL ? e->message : STR_NONE });
}

/* The task may offer it again from inside. */
static void
errand_ends(struct errand *x, enum task_worker_end how, struct val output,
    const struct task_worker_error *e)
{
	struct task_worker *w = x->w;
	struct run *run = run_hold(x->run);

	note_answer_of(x, how == TASK_WORKER_DONE ? OK : ERR_CLOSED, output, e);
	errand_free(x);
	w->done(w, how, output, e);
	job_pump_drop(run);
}

static void
on_lost(struct worker_offer *o, const char *why)
{
	struct errand *x = CONTAINER_OF(o, struct errand, offer);
	const struct task_worker_error e = { .name = S("WorkerLost"), .message = str_of(why) };

	errand_ends(x, TASK_WORKER_LOST, VAL_UNDEF, &e);
}

/* ---- it is taken ------------------------------------------------------------------ */

static struct task_worker_facts
facts_of(const struct errand *x, struct arena *a)
{
	struct worker_facts f;

	if (!workers_find(worker_desk_workers(x->run->rs->desk), x->offer.kind, x->offer.name, a,
	    &f))
		return (struct task_worker_facts){ 0 };
	return (struct task_worker_facts){ .description = f.description,
	    .schema_json = f.schema_json, .idempotent = f.idempotent, .timeout = f.timeout };
}

static bool
on_taken(struct worker_offer *o, const struct worker_who *who)
{
	struct errand *x = CONTAINER_OF(o, struct errand, offer);
	struct run *run = run_hold(x->run);
	struct arena a = ARENA(FACTS_BYTES);
	struct task_worker_facts facts = facts_of(x, &a);
	bool gone = false, go;

	(void)who;
	x->last = 0;
	x->deciding = true;
	x->go = false;
	x->again = facts.idempotent;
	x->gone = &gone;
	x->w->taken(x->w, &facts);
	job_pump_of(run);
	go = !gone && x->go;
	if (!gone) {
		x->deciding = false;
		x->gone = NULL;
	}
	arena_release(&a);
	run_drop(run);
	return go;
}

void
host_worker_go(void *ctx, struct task_worker *w)
{
	struct errand *x = w->host_data;

	(void)ctx;
	x->begun = true;
	if (x->deciding)
		x->go = true;
	else
		workers_deliver(&x->offer);
}

/* ---- what it says ----------------------------------------------------------------- */

static struct val
val_of(jnode n)
{
	struct buf b = BUF(LIMIT_HTTP_BODY_BYTES);
	struct val v;

	if (n == NULL)
		return VAL_NIL;
	json_add_node(&b, n);
	v = val_json_trusted(buf_str(&b));
	buf_release(&b);
	return v;
}

static int
take_event(struct errand *x, jnode event, size_t i, struct err *e)
{
	struct str mode = json_str(json_get(event, S("mode")));
	struct val data;
	bool known;

	data = val_of(json_get(event, S("data")));
	known = x->w->event(x->w, mode, data);
	val_drop(data);
	return known ? OK : err_set(e, ERR_INVALID, "events[%zu].mode: expected custom, messages or "
	    "updates with data in their form, got \"%.*s\"", i, FMT(str_cut(mode, 40)));
}

/* Events with a number that was taken before are dropped. */
static int
take_events(struct errand *x, jnode list, struct err *e)
{
	struct json_iter it = json_each(list);
	bool gone = false;
	int rc = OK;

	x->gone = &gone;
	for (size_t i = 0; rc == OK && !gone && json_next(&it); i++) {
		jnode n = json_get(it.value, S("n"));

		if (!json_is_int(n) || json_int(n) < 1 ||
		    !json_is_string(json_get(it.value, S("mode"))))
			rc = err_set(e, ERR_INVALID, "events[%zu]: expected {n, mode, data} with n "
			    "a number from 1 on", i);
		else if (json_int(n) > x->last) {
			x->last = json_int(n);
			rc = take_event(x, it.value, i, e);
		}
	}
	if (!gone)
		x->gone = NULL;
	return rc;
}

static void
on_events(struct errand *x, struct worker_call *c)
{
	struct run *run = run_hold(x->run);
	jnode list = json_get(c->body, S("events"));
	struct err e = { 0 };
	int rc;

	if (list != NULL && !json_is_array(list))
		rc = err_set(&e, ERR_INVALID, "events: expected an array, got %s",
		    json_kind(list));
	else
		rc = take_events(x, list, &e);
	worker_call_answer(c, rc, STR_NONE, &e);
	job_pump_drop(run);
}

/* ---- how it ended ------------------------------------------------------------------ */

static int
read_end(jnode body, bool *done, struct err *e)
{
	struct str status = json_str(json_get(body, S("status")));
	jnode error = json_get(body, S("error"));

	*done = str_eq(status, S("success"));
	if (!*done && !str_eq(status, S("error")) && !str_eq(status, S("interrupted")))
		return err_set(e, ERR_INVALID, "status: expected success or error, got \"%.*s\"",
		    FMT(str_cut(status, 40)));
	if (error != NULL && !json_is_object(error) && !json_is_null(error))
		return err_set(e, ERR_INVALID, "error: expected {type, message, retryable}, got %s",
		    json_kind(error));
	return OK;
}

static void
errand_done(struct errand *x, struct val output)
{
	errand_ends(x, TASK_WORKER_DONE, output, NULL);
}

static void
errand_failed(struct errand *x, struct val error, bool cancelled)
{
	struct val type = VAL_UNDEF, message = VAL_UNDEF, again = VAL_UNDEF;
	struct task_worker_error e = { .name = S("WorkerError"),
	    .message = cancelled ? S("it was interrupted") : S("it failed without words") };

	if (error.kind == VAL_OBJECT) {
		type = val_get(error, S("type"));
		message = val_get(error, S("message"));
		again = val_get(error, S("retryable"));
	}
	if (type.kind == VAL_STRING && val_str(type).n > 0)
		e.name = str_cut(val_str(type), LIMIT_NAME_BYTES);
	if (message.kind == VAL_STRING && val_str(message).n > 0)
		e.message = str_cut(val_str(message), LIMIT_WORKER_ERROR_BYTES);
	e.final = again.kind == VAL_BOOL && !again.u.b;
	errand_ends(x, TASK_WORKER_FAILED, VAL_UNDEF, &e);
}

static void
on_end(struct errand *x, struct worker_call *c)
{
	struct val output, error;
	struct err e = { 0 };
	bool done, cancelled;
	int rc = read_end(c->body, &done, &e);

	if (rc != OK) {
		worker_call_answer(c, rc, STR_NONE, &e);
		return;
	}
	output = val_of(json_get(c->body, S("output")));
	error = val_of(json_get(c->body, S("error")));
	cancelled = str_eq(json_str(json_get(c->body, S("status"))), S("interrupted"));
	worker_call_answer(c, OK, STR_NONE, NULL);
	workers_withdraw(&x->offer, done ? "success" : "error");
	if (done)
		errand_done(x, output);
	else
		errand_failed(x, error, cancelled);
	val_drop(output);
	val_drop(error);
}

static void
on_call(struct worker_offer *o, struct worker_call *c)
{
	struct errand *x = CONTAINER_OF(o, struct errand, offer);
	struct err e;

	if (c->verb == WORKER_EVENTS)
		on_events(x, c);
	else if (c->verb == WORKER_END)
		on_end(x, c);
	else if (c->verb == WORKER_STORE)
		hosted_items_of(x->run, c);
	else
		worker_call_answer(c, ERR_INVALID, STR_NONE, (err_set(&e, ERR_INVALID,
		    "a task of kind %s has no %s: it works on the state that it was given, and its "
		    "output is what it changes", worker_kind_name(o->kind),
		    worker_verb_name(c->verb)), &e));
}

static const struct worker_hooks errand_hooks = {
	.taken = on_taken, .call = on_call, .lost = on_lost,
};

/* ---- the door --------------------------------------------------------------------- */

/* What the worker does is below the task, or below the call of the tool. */
static struct str
members_of(struct errand *x)
{
	char trace[TRACE_PARENT_SIZE + 1];
	struct str parent = task_trace_parent(x->task, x->w->tool ? x->w->name : STR_NONE,
	    trace);

	if (parent.n == 0)
		return x->w->members;
	x->members = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	buf_add(&x->members, x->w->members);
	json_add_fmt(&x->members, ",'traceparent':%.*s", FMT(parent));
	return x->members.failed ? x->w->members : buf_str(&x->members);
}

void
host_worker(void *ctx, struct task_worker *w)
{
	struct job_task *t = ctx;
	struct run *run = t->job->run;
	struct errand *x;
	struct err e = { 0 };

	if (run->rs->desk == NULL) {
		w->done(w, TASK_WORKER_REFUSED, VAL_UNDEF, &(struct task_worker_error){
		    S("NotFoundError"), S("there are no external workers here"), true });
		return;
	}
	x = mem_zero(sizeof *x);
	x->w = w;
	x->task = t;
	x->run = run_hold(run);
	w->host_data = x;
	x->offer.kind = w->tool ? WORKER_TOOL : WORKER_NODE;
	x->offer.name = w->name;
	x->offer.owner = run->place.owner;
	x->offer.run_id = run->place.run_id;
	x->offer.thread_id = run->place.thread_id;
	x->offer.attempt = w->attempt;
	x->offer.members = members_of(x);
	x->offer.hooks = &errand_hooks;
	if (workers_offer(run->rs->desk, &x->offer, &e) != OK)
		errand_ends(x, TASK_WORKER_REFUSED, VAL_UNDEF, &(struct task_worker_error){
		    S("LimitError"), str_of(e.text), false });
}

void
host_worker_stop(void *ctx, struct task_worker *w)
{
	struct errand *x = w->host_data;

	(void)ctx;
	if (x == NULL)
		return;
	workers_withdraw(&x->offer, "cancelled");
	errand_free(x);
}

bool
host_worker_there(void *ctx, const struct task_worker *w)
{
	const struct job_task *t = ctx;
	struct worker_desk *d = t->job->run->rs->desk;

	return d != NULL && workers_serving(worker_desk_workers(d), w->tool ? WORKER_TOOL :
	    WORKER_NODE, w->name) > 0;
}

bool
host_worker_tool(void *ctx, struct str name, struct arena *a, struct task_worker_facts *out)
{
	const struct job_task *t = ctx;
	struct worker_desk *d = t->job->run->rs->desk;
	struct worker_facts f;

	if (d == NULL || !workers_find(worker_desk_workers(d), WORKER_TOOL, name, a, &f))
		return false;
	*out = (struct task_worker_facts){ .description = f.description,
	    .schema_json = f.schema_json, .idempotent = f.idempotent, .timeout = f.timeout };
	return true;
}
