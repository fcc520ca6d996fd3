/*
 * worker.c - work of an external worker: a function that it has registered, or an agent of
 * another framework.
 *
 * It sees the channels, its input and the run's config.  What it answers is the result; the
 * members that are named as channels are written.
 *
 * The journal records its begin when a worker has been chosen, before the task is sent: work
 * that is only queued has not begun, and its key is the same after a crash.  If it began and
 * did not end (the worker or the server was lost), it is repeated if it is idempotent, else its
 * outcome is unknown.
 *
 * While no worker serves it, it sleeps: the run leaves memory, and is loaded to check again
 * after LIMIT_WORKER_LOOK_MS.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/worker_priv.h"

#define PART S("worker")                     /* its record */

struct worker_piece {
	struct piece p;
	struct worker_use *use;
	struct worker_said said;
	struct worker_start *start;          /* on its way to the journal */
	struct task_timer look;
	bool looks, asleep;
	msec due;                            /* asleep: it looks again then */
	bool open;                           /* begun, and not to be done twice */
	bool again;
};

/* The journal returns it even if the piece is gone. */
struct worker_start {
	struct worker_piece *w;              /* NULL: it is gone */
	struct task *task;
};

static struct worker_piece *
worker_of(struct piece *p)
{
	return CONTAINER_OF(p, struct worker_piece, p);
}

static struct str
name_of(const struct worker_piece *w)
{
	return agent_name(piece_field(&w->p, WORKER_FIELD_NAME));
}

static void
look_stop(struct worker_piece *w)
{
	struct task *t = w->p.task;

	if (w->looks)
		t->host->timer_stop(t->ctx, &w->look);
	w->looks = w->asleep = false;
}

static void
worker_leave(struct piece *p)
{
	struct worker_piece *w = worker_of(p);

	look_stop(w);
	if (w->start != NULL)
		w->start->w = NULL;
	w->start = NULL;
	worker_use_free(w->use);
	w->use = NULL;
	said_end(&w->said, p, VAL_UNDEF);
}

/* ---- how it ends ------------------------------------------------------------------- */

static void
fail(struct worker_piece *w, const struct task_worker_error *e)
{
	struct buf event = BUF(LIMIT_NAME_BYTES + 64);

	buf_lit(&event, "error.worker.");
	buf_add(&event, name_of(w));
	piece_fail_with(&w->p, &(struct task_error){ buf_str(&event), e->name.n > 0 ? e->name :
	    S("WorkerError"), e->message });
	buf_release(&event);
}

static void
fail_unknown(struct worker_piece *w, struct str why)
{
	struct str name = name_of(w);

	piece_fail(&w->p, "error.tool.unknown_outcome", "WorkerLost", "%.*s; \"%.*s\" may or may "
	    "not have taken effect, and was not repeated (idempotent: true allows that)",
	    FMT(why), FMT(name));
}

static void
on_called(void *ctx, enum worker_how how, struct val output,
    const struct task_worker_error *e)
{
	struct worker_piece *w = ctx;
	struct piece *p = &w->p;

	look_stop(w);
	w->open = false;
	said_end(&w->said, p, how == WORKER_OK ? output : VAL_UNDEF);
	worker_use_free(w->use);
	w->use = NULL;
	if (p->task->over)
		return;
	if (how == WORKER_GONE && !w->again)
		fail_unknown(w, e->message);
	else if (how != WORKER_OK)
		fail(w, e);
	else if (!piece_writes_default(p) || piece_write_named(p, output))
		piece_done(p, val_ref(output));
}

/* ---- how it begins ------------------------------------------------------------------ */

static void
on_started(void *arg, int rc)
{
	struct worker_start *s = arg;
	struct worker_piece *w = s->w;
	struct task *t = s->task;

	free(s);
	if (w == NULL || !task_enter(t))
		return;
	w->start = NULL;
	w->open = rc == OK && !w->again;
	if (rc == OK)
		worker_use_call(w->use, w->again);
	else
		fail(w, &(struct task_worker_error){ .name = S("StorageError"),
		    .message = S("it was not begun: that could not be recorded") });
	task_leave(t);
}

static void
record_begin(struct worker_piece *w)
{
	struct task *t = w->p.task;
	struct buf key = BUF(KEY_BYTES);

	w->start = mem_new(struct worker_start);
	*w->start = (struct worker_start){ w, t };
	piece_add_key(&key, &w->p, PART);
	t->host->record_start(t->ctx, buf_str(&key), name_of(w), on_started, w->start);
	buf_release(&key);
}

static void
on_found(void *ctx, bool again)
{
	struct worker_piece *w = ctx;
	const struct agent_value *says = piece_field(&w->p, WORKER_FIELD_IDEMPOTENT);
	bool begun = record_find(&w->p, PART) != NULL;

	look_stop(w);
	w->again = agent_bool(says, again);
	if (!w->again && begun) {
		worker_use_free(w->use);
		w->use = NULL;
		fail_unknown(w, S("the server stopped while a worker had it"));
	} else if (begun || w->p.task->host->record_start == NULL) {
		worker_use_call(w->use, w->again);
	} else if (w->start == NULL) {
		record_begin(w);
	}
}

static bool
on_event(void *ctx, struct str mode, struct val data)
{
	struct worker_piece *w = ctx;
	struct task *t = w->p.task;
	struct val name;

	if (str_eq(mode, S("messages")))
		return said_hear(&w->said, &w->p, data);
	if (!str_eq(mode, S("custom")))
		return str_eq(mode, S("updates"));   /* its answer is its update */
	name = data.kind == VAL_OBJECT ? val_get(data, S("name")) : VAL_UNDEF;
	if (t->host->emit != NULL)
		t->host->emit(t->ctx, name.kind == VAL_STRING ? val_str(name) : STR_NONE, data);
	return true;
}

static const struct worker_use_hooks use_hooks = {
	.found = on_found, .event = on_event, .called = on_called,
};

/* ---- nobody is there ----------------------------------------------------------------- */

static void
look_again(struct worker_piece *w, msec ms)
{
	struct task *t = w->p.task;

	w->looks = true;
	t->host->timer_set(t->ctx, &w->look, ms);
}

/* Made again after it, it is offered anew: there is nothing to record. */
static void
sleep_begin(struct worker_piece *w)
{
	struct task *t = w->p.task;

	w->asleep = true;
	w->due = t->host->now(t->ctx) + LIMIT_WORKER_LOOK_MS;
	look_again(w, LIMIT_WORKER_LOOK_MS);
}

static void
on_look(struct task_timer *timer)
{
	struct worker_piece *w = CONTAINER_OF(timer, struct worker_piece, look);
	struct task *t = w->p.task;

	w->looks = w->asleep = false;
	if (!task_enter(t))
		return;
	if (worker_use_waits(w->use) && !worker_use_is_there(w->use))
		sleep_begin(w);
	else if (worker_use_waits(w->use))
		look_again(w, LIMIT_WORKER_ABSENT_MS);
	task_leave(t);
}

static bool
worker_sleeps(const struct piece *p, msec *until)
{
	const struct worker_piece *w = CONTAINER_OF(p, const struct worker_piece, p);

	*until = w->due;
	return w->asleep;
}

/* ---- what it gets --------------------------------------------------------------------- */

static void
add_state(struct buf *b, const struct channels *cs)
{
	buf_lit(b, "\"state\":{");
	for (size_t i = 0; i < channels_count(cs); i++) {
		struct val v = channels_get(cs, i);

		if (v.kind == VAL_UNDEFINED)
			continue;
		json_add_fmt(b, ",%.*s:", FMT(channels_def(cs, i)->name));
		val_add_json(b, v);
	}
	buf_add_char(b, '}');
}

static bool
add_input(struct piece *p, struct buf *b)
{
	struct val v;

	if (!agent_has(piece_field(p, WORKER_FIELD_INPUT)))
		v = val_ref(p->task->input);
	else if (!piece_eval(p, WORKER_FIELD_INPUT, &v))
		return false;
	buf_lit(b, ",\"input\":");
	if (v.kind == VAL_UNDEFINED)
		buf_lit(b, "null");
	else
		val_add_json(b, v);
	val_drop(v);
	return true;
}

static bool
members_make(struct piece *p, struct buf *b)
{
	const struct channels *cs = piece_state(p);

	if (cs == NULL)
		return false;
	add_state(b, cs);
	if (!add_input(p, b))
		return false;
	buf_lit(b, ",\"key\":\"");
	worker_use_add_key(b, p, STR_NONE);
	buf_add_char(b, '"');
	if (!b->failed)
		return true;
	piece_fail(p, "error.execution", "LimitError", "line %u: worker: the state and its input "
	    "are larger than %d bytes", p->spec->line, LIMIT_WORKER_INPUT_BYTES);
	return false;
}

static void
worker_start(struct piece *p)
{
	struct worker_piece *w = worker_of(p);
	struct task *t = p->task;
	struct buf b = BUF(LIMIT_WORKER_INPUT_BYTES);

	if (t->host->worker == NULL)
		piece_fail(p, "error.execution", "NotFoundError", "line %u: worker: there are no "
		    "external workers here; `cohort serve` has them", p->spec->line);
	else if (members_make(p, &b)) {
		w->look.fire = on_look;
		w->use = worker_use_new(p, false, name_of(w), buf_str(&b), &use_hooks, w);
		look_again(w, LIMIT_WORKER_ABSENT_MS);
		worker_use_find(w->use);
	}
	buf_release(&b);
}

static void
worker_release(struct piece *p)
{
	said_release(&worker_of(p)->said);
}

static bool
worker_is_open(const struct piece *p)
{
	return CONTAINER_OF(p, const struct worker_piece, p)->open;
}

const struct task_run task_worker = {
	.size = sizeof(struct worker_piece), .traits = TASK_EFFECT,
	.start = worker_start, .stop = worker_leave, .release = worker_release,
	.is_open = worker_is_open, .sleeps = worker_sleeps,
};
