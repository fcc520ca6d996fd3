/*
 * hosted.c - the life of a run whose graph is in a worker.
 *
 *            offer             taken               end
 *   start ---------> queued ---------> leased ----------------> finish
 *                      ^                 |
 *                      '------ lost -----'   LIMIT_HOSTED_LOSSES in a row without a step
 *                                            saved: the run fails
 *
 * The row is RUNNING all the time; while no worker has the run it is shown as pending
 * (place.waits).  What was saved of a run makes it go on from there: the worker then
 * gives its graph no input (`again`).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/hmac.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scan.h"
#include "run/hosted_priv.h"

#define OFFER_AGAIN_MS 1000
#define BUILD_KEY "build"                    /* of its record: who began the run */

static struct hosted *
of_offer(struct worker_offer *o)
{
	return CONTAINER_OF(o, struct hosted, offer);
}

/* ---- who had the thread last ------------------------------------------------------ */

/* A table without chains: a thread that falls on another's place takes it. */
struct hosted_sticky {
	struct { struct uuid thread; char worker[UUID_TEXT + 1]; } at[LIMIT_HOSTED_STICKY];
};

static void
sticky_put(struct runs *rs, const struct uuid *thread, struct str worker)
{
	size_t i = uuid_hash(thread) % LIMIT_HOSTED_STICKY;

	if (worker.n > UUID_TEXT)
		return;
	if (rs->sticky == NULL)
		rs->sticky = mem_new(struct hosted_sticky);
	rs->sticky->at[i].thread = *thread;
	memcpy(rs->sticky->at[i].worker, worker.p, worker.n);
	rs->sticky->at[i].worker[worker.n] = '\0';
}

static struct str
sticky_get(const struct runs *rs, const struct uuid *thread)
{
	size_t i = uuid_hash(thread) % LIMIT_HOSTED_STICKY;

	return rs->sticky != NULL && uuid_eq(&rs->sticky->at[i].thread, thread) ?
	    str_of(rs->sticky->at[i].worker) : STR_NONE;
}

void
hosted_close(struct runs *rs)
{
	free(rs->sticky);
	rs->sticky = NULL;
}

/* ---- the end ------------------------------------------------------------------------ */

static void
set_waits(struct hosted *h, bool waits)
{
	struct run *run = h->job->run;

	directory_set_waits(run->rs->sh->directory, &run->place, waits);
}

/* The job's changes get what only the end knows. */
static void
finish(struct hosted *h, enum run_status status, enum thread_status after)
{
	struct job *j = h->job;

	j->over = true;
	hosted_gave_all(h);
	hosted_add_tasks(h, &j->changes);
	j->changes.void_moved = h->waits && h->begun;
	record_finish(j->run, status, after, STR_NONE);
}

static void
end_open_messages(struct hosted *h)
{
	hosted_release_held(h);
	hosted_said_end(h, NULL, VAL_UNDEF);
}

static void
end_cancelled(struct hosted *h)
{
	end_open_messages(h);
	hosted_gave_free(h);                 /* of that only what was saved */
	finish(h, RUN_INTERRUPTED, THREAD_IDLE);
}

/* The step that failed stands in the one checkpoint of durability exit. */
static void
tie_last_step(struct hosted *h, struct hosted_graph *root)
{
	if (h->job->plan->durability == DURABILITY_EXIT && root->tasks != NULL)
		root->dirty = hosted_lists_at(&h->lists, STR_NONE, &root->head);
}

static void
fail(struct hosted *h, struct str name, struct str message)
{
	struct hosted_graph *root = hosted_graph_find(h, STR_NONE);

	end_open_messages(h);
	if (str_eq(name, S("UnknownInterruptError")) && h->pending.kind != VAL_UNDEFINED) {
		struct run_event ev = { .kind = EVENT_REFUSED };

		ev.u.refused.unknown = h->unknown;
		ev.u.refused.pending = h->pending;
		job_tell_event(h->job, &ev);
	}
	if (root != NULL)
		hosted_tell_life(h, root, EVENT_FAILED, name, message);
	if (root != NULL)
		tie_last_step(h, root);
	hosted_gave_all(h);
	hosted_add_tasks(h, &h->job->changes);
	h->job->changes.void_moved = h->waits && h->begun;
	job_end_failed(h->job, name, message);
}

/* ---- offering ------------------------------------------------------------------------ */

static void offer(struct hosted *h);

static void
on_offer_again(struct wheel_timer *t)
{
	offer(CONTAINER_OF(t, struct hosted, offer_again));
}

static void
offer(struct hosted *h)
{
	struct job *j = h->job;
	struct runs *rs = j->run->rs;
	struct worker_offer *o = &h->offer;
	struct err e;
	int rc;

	h->taken = false;
	set_waits(h, true);
	o->attempt++;
	o->again = h->begun;
	o->build = str_of(h->build);
	o->prefer = str_of(h->prefer);
	rc = workers_offer(rs->desk, o, &e);
	if (rc == OK)
		return;
	/* Too many wait: it is not an attempt. */
	o->attempt--;
	h->offer_again.fire = on_offer_again;
	shard_timer_set(rs->shard, &h->offer_again, OFFER_AGAIN_MS);
}

static void
replace(char **text, struct str s)
{
	free(*text);
	*text = mem_cstr(s);
}

/* A run that goes on after a crash keeps its build: it is written with its first step. */
static void
note_build(struct hosted *h, struct str build)
{
	struct job *j = h->job;

	if (h->build != NULL && str_eq(str_of(h->build), build))
		return;
	replace(&h->build, build);
	if (!j->run->stateless)
		changes_record(&j->changes, &j->run->place.run_id, S(BUILD_KEY), build,
		    STR_NONE);
}

static bool
on_taken(struct worker_offer *o, const struct worker_who *w)
{
	struct hosted *h = of_offer(o);
	struct run *run = h->job->run;

	h->taken = true;
	h->progress = false;
	h->last = 0;
	set_waits(h, false);
	note_build(h, w->build);
	replace(&h->prefer, w->worker_id);
	sticky_put(run->rs, &run->place.thread_id, w->worker_id);
	return true;
}

/* Its lease is void.  What nobody has saved of it did not happen. */
static void
on_lost(struct worker_offer *o, const char *why)
{
	struct hosted *h = of_offer(o);
	struct job *j = h->job;
	char id[UUID_TEXT];

	if (j->over)
		return;
	h->taken = false;
	if (h->cancelled) {
		end_cancelled(h);
		return;
	}
	h->losses = h->progress ? 0 : h->losses + 1;
	uuid_format(&j->run->place.run_id, id);
	log_warn("run", "worker_lost", "run=%.*s graph=%.*s attempt=%u losses=%u why=%s",
	    UUID_TEXT, id, FMT(o->name), o->attempt, h->losses, why);
	hosted_release_held(h);
	hosted_retract(h);
	hosted_asks_free(h);
	hosted_gave_free(h);
	hosted_graphs_free(h);
	if (h->losses >= LIMIT_HOSTED_LOSSES)
		fail(h, S("WorkerLost"), S("worker lost"));
	else if (h->saving > 0)
		h->offers = true;            /* is it to go on, or to begin? */
	else
		offer(h);
}

void
hosted_saved(struct hosted *h)
{
	if (h->offers && !h->job->over)
		offer(h);
	h->offers = false;
}

/* ---- the worker's end ------------------------------------------------------------------ */

static struct str
text_or(jnode n, struct str none)
{
	return json_is_string(n) && json_str(n).n > 0 ? json_str(n) : none;
}

/* Have tasks of the step ended where it stops?  Then the state has what they gave. */
static bool
some_ended(const struct hosted *h)
{
	const struct hosted_graph *root = hosted_graph_find(h, STR_NONE);
	const struct hosted_task *t = root != NULL ? root->tasks : NULL;

	while (t != NULL && (!t->ended || t->waits))
		t = t->next;
	return t != NULL;
}

/* The state as the graph tells it, over what its checkpoint's channels show. */
static struct str
overlay(jnode view, struct changes *x)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str text = STR_NONE;

	if (json_is_object(json_get(view, S("values")))) {
		buf_lit(&b, "{\"values\":");
		json_add_node(&b, json_get(view, S("values")));
		buf_add_char(&b, '}');
		text = b.failed ? STR_NONE : arena_str(&x->arena, buf_str(&b));
	}
	buf_release(&b);
	return text;
}

/* What comes next, as the graph says it: a breakpoint's tasks were never told.  whole:
 * with its values. */
static void
take_view(struct hosted *h, jnode view, bool whole)
{
	struct changes *x = &h->job->changes;
	struct str ns = json_str(json_get(json_get(view, S("checkpoint")), S("checkpoint_ns")));
	struct str id = json_str(json_get(json_get(view, S("checkpoint")), S("checkpoint_id")));
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct json_iter it = json_each(json_get(view, S("tasks")));
	struct store_checkpoint_tasks t = { .ns = arena_str(&x->arena, ns) };

	if (!uuid_parse(id, &t.checkpoint))
		return;
	buf_add_char(&b, '[');
	while (json_next(&it)) {
		struct uuid task;

		if (!uuid_parse(json_str(json_get(it.value, S("id"))), &task))
			continue;
		json_add_fmt(&b, ",{'id':%.*s,'name':%.*s", FMT(json_str(json_get(it.value,
		    S("id")))), FMT(json_str(json_get(it.value, S("name")))));
		if (json_is_array(json_get(it.value, S("path"))))
			json_add_fmt(&b, ",'path':%p", (void *)json_get(it.value, S("path")));
		buf_add_char(&b, '}');
	}
	buf_add_char(&b, ']');
	t.tasks_json = b.failed ? STR_NONE : arena_str(&x->arena, buf_str(&b));
	buf_release(&b);
	if (whole)
		t.snapshot = overlay(view, x);
	changes_tasks(x, &t);
}

/* The same of the graphs below that stop, too. */
static void
take_views(struct hosted *h, jnode view, bool whole)
{
	struct json_iter it = json_each(json_get(view, S("tasks")));

	take_view(h, view, whole);
	while (json_next(&it))
		if (json_is_object(json_get(it.value, S("state"))))
			take_views(h, json_get(it.value, S("state")), whole);
}

static void
end_interrupted(struct hosted *h, jnode view)
{
	if (h->cancelled || !json_is_object(view)) {
		end_cancelled(h);
		return;
	}
	end_open_messages(h);
	hosted_tell_waits(h);
	hosted_add_tasks(h, &h->job->changes);
	take_views(h, view, some_ended(h));
	hosted_add_asks(h, view, &h->job->changes);
	finish(h, RUN_INTERRUPTED, THREAD_INTERRUPTED);
}

/* view: of a graph whose checkpoints do not have all of its state (delta channels). */
static void
end_success(struct hosted *h, jnode view)
{
	struct hosted_graph *root = hosted_graph_find(h, STR_NONE);

	end_open_messages(h);
	if (root != NULL)
		hosted_tell_life(h, root, EVENT_COMPLETED, STR_NONE, STR_NONE);
	hosted_add_tasks(h, &h->job->changes);
	if (json_is_object(view))
		take_view(h, view, true);
	finish(h, RUN_SUCCESS, THREAD_IDLE);
}

static void
on_end(struct hosted *h, struct worker_call *c)
{
	static const char *const words[] = { "success", "interrupted", "error", NULL };
	jnode error = json_get(c->body, S("error")), view = json_get(c->body, S("view"));
	struct str name = text_or(json_get(error, S("type")), S("Error"));
	struct str message = text_or(json_get(error, S("message")), S(""));
	struct err e;
	int word = -1;
	int rc = json_get_enum(c->body, "status", "status", words, -1, &word, &e);

	if (rc == OK && word < 0)
		rc = err_set(&e, ERR_INVALID, "status: expected \"success\", \"interrupted\" "
		    "or \"error\"");
	if (rc == OK && word == 2 && !json_is_object(error))
		rc = err_set(&e, ERR_INVALID, "error: expected an object");
	if (rc != OK) {
		worker_call_answer(c, rc, STR_NONE, &e);
		return;
	}
	h->taken = false;
	h->end = c;
	h->end_how = h->cancelled ? "cancelled" : words[word];
	if (h->cancelled)
		end_cancelled(h);
	else if (word == 0)
		end_success(h, view);
	else if (word == 1)
		end_interrupted(h, view);
	else
		fail(h, name, message);
}

void
hosted_ended(struct job *j, int rc, const struct err *e)
{
	struct hosted *h = j->hosted;
	struct worker_call *c = h != NULL ? h->end : NULL;

	if (c == NULL)
		return;
	h->end = NULL;
	worker_call_answer(c, rc, STR_NONE, e);
	workers_withdraw(&h->offer, h->end_how);
}

/* The end is not stored yet.  Once it is, the worker's next try is answered by the desk. */
static void
refuse_ended(struct worker_call *c)
{
	struct err e;

	err_set(&e, ERR_BUSY, "the end of the task is being stored");
	worker_call_answer(c, ERR_BUSY, STR_NONE, &e);
}

static void
on_call(struct worker_offer *o, struct worker_call *c)
{
	static void (*const by_verb[])(struct hosted *h, struct worker_call *c) = {
		[WORKER_EVENTS] = hosted_events, [WORKER_SAVER] = hosted_saver,
		[WORKER_STORE] = hosted_items, [WORKER_END] = on_end,
	};
	struct hosted *h = of_offer(o);
	struct run *run = run_hold(h->job->run);

	assert((size_t)c->verb < COUNT(by_verb));
	if (h->job->over)
		refuse_ended(c);
	else
		by_verb[c->verb](h, c);
	run_drop(run);
}

static const struct worker_hooks hooks = { on_taken, on_call, on_lost };

/* ---- what the run's command answers ----------------------------------------------------- */

static bool
wants_answer(struct val resume, const struct core_interrupt *i, size_t open, struct val *value)
{
	struct buf hex = BUF(2 * sizeof i->id.b);

	*value = resume;
	if (!core_is_resume_map(resume))
		return open == 1;            /* one value for one question */
	hex_add(&hex, i->id.b, sizeof i->id.b);
	*value = val_get(resume, buf_str(&hex));
	buf_release(&hex);
	return value->kind != VAL_UNDEFINED;
}

/* If the graph refuses the answers: to whom, and what waits (core_tell_refused). */
static void
note_ids(struct hosted *h, const struct core_saved *s)
{
	h->pending = val_array_empty();
	h->unknown = val_array_empty();
	for (size_t i = 0; i < s->interrupts_n; i++) {
		struct buf hex = BUF(2 * sizeof s->interrupts[i].id.b);

		hex_add(&hex, s->interrupts[i].id.b, sizeof s->interrupts[i].id.b);
		if (s->interrupts[i].waits)
			h->pending = val_push_take(h->pending, val_string(buf_str(&hex)));
		buf_release(&hex);
	}
	for (size_t i = 0; core_is_resume_map(h->resume) && i < val_count(h->resume); i++) {
		struct val id = val_string(val_key(h->resume, i));
		bool known = false;

		for (size_t k = 0; k < val_count(h->pending); k++)
			known = known || val_equal(val_at(h->pending, k), id);
		if (known)
			val_drop(id);
		else
			h->unknown = val_push_take(h->unknown, id);
	}
}

/* The rows of what is answered; written with the first step of the run. */
static void
read_answers(struct hosted *h, const struct core_saved *s)
{
	struct val resume = h->resume, value;
	size_t open = 0;

	for (size_t i = 0; i < s->interrupts_n; i++)
		open += s->interrupts[i].waits;
	h->waits = open > 0;
	if (resume.kind == VAL_UNDEFINED)
		return;
	note_ids(h, s);
	if (open == 0)
		return;
	h->answers = mem_alloc(open * sizeof *h->answers);
	for (size_t i = 0; i < s->interrupts_n; i++) {
		const struct core_interrupt *x = &s->interrupts[i];

		if (x->waits && wants_answer(resume, x, open, &value))
			h->answers[h->answers_n++] = (struct hosted_answer){ x->id, value };
	}
}

static void
look_at_questions(struct hosted *h)
{
	struct job *j = h->job;
	struct saved_from from = { .reader = j->run->rs->reader,
	    .owner = j->run->place.owner, .thread_seq = j->run->thread_seq };
	struct core_saved *s = NULL;

	if (j->run->stateless || !j->has_checkpoints)
		return;
	if (saved_load_waiting(&from, &s) == OK && s != NULL)
		read_answers(h, s);
	saved_free(s);
}

static void
tell_answered(struct hosted *h)
{
	struct run_event ev = { .kind = EVENT_ANSWERED };
	struct val resume = h->resume, ids;

	if (!core_is_resume_map(resume))
		return;
	ids = val_array_empty();
	for (size_t i = 0; i < val_count(resume); i++)
		ids = val_push_take(ids, val_string(val_key(resume, i)));
	ev.u.answered.ids = ids;
	job_tell_event(h->job, &ev);
	val_drop(ids);
}

/* ---- for job.c ------------------------------------------------------------------------------ */

/* Of a run that was here before a crash: what is saved, and whose build began it. */
static void
recall(struct hosted *h)
{
	struct run *run = h->job->run;
	struct arena a = ARENA(LOAD_ARENA);
	struct store_record *rows;
	size_t n;

	if (store_saver_began(run->rs->reader, run->place.owner, run->thread_seq, run->seq,
	    &h->begun) != OK)
		h->begun = false;
	if (store_records_get(run->rs->reader, run->place.owner, run->thread_seq,
	    &run->place.run_id, &a, &rows, &n) == OK)
		for (size_t i = 0; i < n; i++)
			if (str_eq(rows[i].key, S(BUILD_KEY)))
				replace(&h->build, rows[i].name);
	arena_release(&a);
}

/* What its worker does is below the run. */
static void
add_trace(struct job *j)
{
	char trace[TRACE_PARENT_SIZE + 1];
	struct str parent = job_trace_parent(j, trace);

	if (parent.n > 0)
		json_add_fmt(&j->plan->task, ",'traceparent':%.*s", FMT(parent));
}

void
hosted_start(struct job *j, const struct store_run *row)
{
	struct hosted *h = mem_new(struct hosted);
	struct run *run = j->run;
	struct str resume;

	j->hosted = h;
	h->job = j;
	run->rs->hosted++;
	if (run->rs->desk == NULL) {
		job_end_failed(j, S("NoWorkers"), S("this server takes no workers"));
		return;
	}
	resume = scan_find(scan_find(row->kwargs_json, S("command")), S("resume"));
	if (resume.n > 0 && !str_eq(resume, S("null")))
		h->resume = val_json_trusted(resume);
	if (row->attempt > 1 && !run->stateless)
		recall(h);
	look_at_questions(h);
	if (row->attempt <= 1) {
		tell_answered(h);
		if (job_wants(j, EVENT_COMPLETE, true))
			h->given = val_json_trusted(scan_find(row->kwargs_json, S("input")));
	}
	replace(&h->prefer, sticky_get(run->rs, &run->place.thread_id));
	add_trace(j);
	h->offer = (struct worker_offer){ .kind = WORKER_RUN,
	    .name = j->definition.agent->id, .owner = run->place.owner,
	    .run_id = run->place.run_id, .thread_id = run->place.thread_id,
	    .attempt = (unsigned)(row->attempt > 0 ? row->attempt - 1 : 0),
	    .newest = j->plan->q.has_command, .hooks = &hooks,
	    .members = buf_str(&j->plan->task) };
	offer(h);
	inject_look(run);                    /* nobody in it takes messages */
}

bool
hosted_cancel(struct job *j)
{
	struct hosted *h = j->hosted;
	struct run *run = j->run;

	if (h == NULL || !h->taken || j->over || j->broken)
		return false;
	if (!h->cancelled) {
		h->cancelled = true;
		workers_cancel(&h->offer, run->rollback, str_of(run->why));
	}
	return true;
}

void
hosted_stop(struct job *j)
{
	struct hosted *h = j->hosted;

	if (h == NULL || j->run->rs->desk == NULL)
		return;
	shard_timer_cancel(j->run->rs->shard, &h->offer_again);
	shard_timer_cancel(j->run->rs->shard, &h->held.timer);
	shard_timer_cancel(j->run->rs->shard, &h->shows);
	workers_withdraw(&h->offer, "stopped");
	h->taken = false;
	set_waits(h, false);
}

void
hosted_release(struct job *j)
{
	struct hosted *h = j->hosted;

	if (h == NULL)
		return;
	assert(h->end == NULL);
	hosted_stop(j);
	j->run->rs->hosted--;
	hosted_reads_free(h);
	hosted_said_free(h);
	hosted_asks_free(h);
	hosted_gave_free(h);
	hosted_graphs_free(h);
	hosted_lists_release(&h->lists);
	val_drop(h->held.values);
	val_drop(h->values);
	val_drop(h->asked);
	val_drop(h->given);
	val_drop(h->resume);
	val_drop(h->pending);
	val_drop(h->unknown);
	free(h->answers);
	free(h->build);
	free(h->prefer);
	free(h);
	j->hosted = NULL;
}

bool
hosted_values(const struct job *j, struct buf *out)
{
	const struct hosted *h = j->hosted;
	const struct run *run = j->run;

	if (h->values.kind != VAL_UNDEFINED)
		val_add_json(out, h->values);
	else if (h->begun)                   /* it told none */
		thread_values(run->rs, run->place.owner, run->thread_seq, out);
	return out->n > 0;
}

struct val
hosted_asked(const struct job *j)
{
	return j->hosted->asked;
}

bool
hosted_stands(const struct job *j, struct run_event *ev)
{
	const struct hosted *h = j->hosted;
	const struct hosted_graph *root = hosted_graph_find(h, STR_NONE);

	if (root == NULL || h->values.kind == VAL_UNDEFINED)
		return false;
	*ev = hosted_event(h, root, EVENT_VALUES);
	ev->u.state = (struct event_state){ .values = val_ref(h->values),
	    .id = ev->checkpoint, .parent = root->parent, .source = root->source };
	return true;
}
