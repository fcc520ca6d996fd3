/*
 * hosted_save.c - calls of a worker's saver: what it puts is committed, then answered; what
 * it gets is read when nothing it has put is under way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/hmac.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/hosted_priv.h"

struct hosted_save {
	struct store_run_save c;
	struct changes changes;
	struct worker_call *call;            /* NULL: nobody waits */
	struct run *run;
	size_t answers_n;                    /* of the command, which it has taken along */
};

static struct hosted_from
from_of(const struct hosted *h)
{
	const struct run *run = h->job->run;

	return (struct hosted_from){ .reader = run->rs->reader, .owner = run->place.owner,
	    .thread_seq = run->thread_seq, .now = shard_wall(run->rs->shard) };
}

/* ---- what is put -------------------------------------------------------------------- */

static void read_waiting(struct hosted *h);

static void
note_saved(struct hosted *h, const struct hosted_save *s)
{
	if (s->call == NULL)
		return;
	h->progress = h->begun = true;
	hosted_said_saved(h, &s->changes);
	hosted_gave_saved(h, &s->changes);
}

/* They go with the next save. */
static void
answers_give_back(struct hosted *h, const struct hosted_save *s)
{
	if (s->answers_n > 0)
		h->answers_n = s->answers_n;
}

static void
answers_take(struct hosted *h, struct hosted_save *s)
{
	for (size_t i = 0; i < h->answers_n; i++)
		changes_answer(&s->changes, &h->answers[i].id, h->answers[i].value);
	s->answers_n = h->answers_n;
	h->answers_n = 0;
}

static void
note_unsaved(struct hosted *h, const struct hosted_save *s)
{
	char id[UUID_TEXT];

	uuid_format(&h->job->run->place.run_id, id);
	log_error("run", "step_lost", "run=%.*s rc=%s reason=%s", UUID_TEXT, id,
	    rc_name(s->c.cmd.rc), s->c.cmd.err.text);
	hosted_lists_forget(&h->lists);
	h->puts_n = 0;
	answers_give_back(h, s);
}

static void
save_done(struct store_cmd *cmd)
{
	struct hosted_save *s = CONTAINER_OF(cmd, struct hosted_save, c.cmd);
	struct run *run = s->run;
	struct hosted *h = run->job != NULL ? run->job->hosted : NULL;

	if (h != NULL && cmd->rc == OK)
		note_saved(h, s);
	else if (h != NULL)
		note_unsaved(h, s);
	if (s->call != NULL)
		worker_call_answer(s->call, cmd->rc, STR_NONE, &cmd->err);
	changes_release(&s->changes);
	free(s);
	if (h != NULL && --h->saving == 0) {
		read_waiting(h);
		hosted_saved(h);
	}
	run_returned(run);
}

/* s->changes is filled; ERR_TOOBIG: it was not, and s is the caller's. */
static int
save_submit(struct hosted *h, struct hosted_save *s, struct err *e)
{
	struct run *run = h->job->run;
	int rc = changes_fill(&s->changes, &s->c.changes, e);

	if (rc != OK)
		return rc;
	s->run = run;
	s->c.cmd.op = STORE_RUN_SAVE;
	s->c.cmd.lazy = s->call == NULL;
	s->c.cmd.done = save_done;
	s->c.run_seq = run->seq;
	s->c.thread_seq = run->thread_seq;
	h->saving++;
	rc = run_submit(run, &s->c.cmd);
	assert(rc == OK);                    /* forced */
	return OK;
}

static void
save_free(struct hosted_save *s)
{
	changes_release(&s->changes);
	free(s);
}

/* Results of its tasks since the last save: shown to clients, never resumed from. */
static void
save_results(struct hosted *h)
{
	struct job *j = h->job;
	struct hosted_save *s;
	struct err e;

	if (changes_empty(&j->changes))
		return;
	s = mem_new(struct hosted_save);
	changes_take(&j->changes, &s->changes);
	changes_transcript(&s->changes, &j->transcript);
	if (save_submit(h, s, &e) != OK)
		save_free(s);
}

static void
on_show(struct wheel_timer *t)
{
	struct hosted *h = CONTAINER_OF(t, struct hosted, shows);

	hosted_add_tasks(h, &h->job->changes);
	if (!h->job->over)
		save_results(h);
}

void
hosted_show_later(struct hosted *h)
{
	const struct hosted_graph *g = h->graphs;

	while (g != NULL && !g->dirty)
		g = g->next;
	if ((g == NULL && changes_empty(&h->job->changes)) || wheel_armed(&h->shows))
		return;
	h->shows.fire = on_show;
	shard_timer_set(h->job->run->rs->shard, &h->shows, LIMIT_HOSTED_SHOW_MS);
}

/* ---- questions ---------------------------------------------------------------------- */

static void
ask_free(struct hosted_ask *a)
{
	free(a->ns);
	val_drop(a->value);
	val_drop(a->schema);
	free(a);
}

void
hosted_asks_free(struct hosted *h)
{
	while (h->asks != NULL) {
		struct hosted_ask *a = h->asks;

		h->asks = a->next;
		ask_free(a);
	}
	h->asks_n = 0;
}

static void
asks_drop(struct hosted *h, const struct uuid *task)
{
	struct hosted_ask **at = &h->asks;

	while (*at != NULL) {
		struct hosted_ask *a = *at;

		if (!uuid_eq(&a->task, task)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		h->asks_n--;
		ask_free(a);
	}
}

static int
take_ask(struct hosted *h, jnode group, const struct uuid *task, jnode n, struct err *e)
{
	struct hosted_ask *a, **end = &h->asks;
	struct uuid checkpoint, id;

	if (!uuid_parse(json_str(json_get(group, S("id"))), &checkpoint))
		return err_set(e, ERR_INVALID, "groups[].id: expected a UUID");
	if (!hex_decode(json_str(json_get(n, S("id"))), id.b, sizeof id.b))
		return err_set(e, ERR_INVALID, "groups[].interrupts[].id: expected 32 hex "
		    "digits");
	if (h->asks_n >= LIMIT_HOSTED_TASKS)
		return err_set(e, ERR_LIMIT, "more than %d interrupts wait",
		    LIMIT_HOSTED_TASKS);
	h->asks_n++;
	a = mem_new(struct hosted_ask);
	*a = (struct hosted_ask){ .id = id, .task = *task, .checkpoint = checkpoint,
	    .ns = mem_cstr(json_str(json_get(group, S("ns")))),
	    .value = hosted_val(json_get(n, S("value"))),
	    .schema = json_is_object(json_get(n, S("response_schema"))) ?
	    hosted_val(json_get(n, S("response_schema"))) : VAL_UNDEF };
	while (*end != NULL)
		end = &(*end)->next;
	*end = a;
	return OK;
}

/* A task's questions are those of its last writes. */
static int
take_asks(struct hosted *h, jnode body, struct err *e)
{
	struct json_iter groups = json_each(json_get(body, S("groups")));
	int rc = OK;

	while (rc == OK && json_next(&groups)) {
		struct json_iter asks = json_each(json_get(groups.value, S("interrupts")));
		struct uuid task;

		if (!uuid_parse(json_str(json_get(groups.value, S("task_id"))), &task))
			continue;
		asks_drop(h, &task);
		while (rc == OK && json_next(&asks))
			rc = take_ask(h, groups.value, &task, asks.value, e);
	}
	return rc;
}

/* One that a graph below has asked is its; those above show it too. */
static bool
asked_below(const struct hosted *h, const struct hosted_ask *a)
{
	for (const struct hosted_ask *x = h->asks; x != NULL; x = x->next)
		if (x != a && uuid_eq(&x->id, &a->id) &&
		    (strlen(x->ns) > strlen(a->ns) ||
		    (strlen(x->ns) == strlen(a->ns) && x < a)))
			return true;
	return false;
}

static struct str
text_of(struct changes *x, struct val v)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str text;

	val_add_json(&b, v);
	x->arena.failed |= b.failed;
	text = arena_str(&x->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

/* Does a task of the graph, or of one below it, show the question? */
static bool
view_asks(jnode view, struct str id)
{
	struct json_iter tasks = json_each(json_get(view, S("tasks")));

	while (json_next(&tasks)) {
		struct json_iter asks = json_each(json_get(tasks.value, S("interrupts")));

		while (json_next(&asks))
			if (str_eq(json_str(json_get(asks.value, S("id"))), id))
				return true;
		if (view_asks(json_get(tasks.value, S("state")), id))
			return true;
	}
	return false;
}

static bool
still_asks(jnode view, const struct hosted_ask *a)
{
	struct buf hex = BUF(2 * sizeof a->id.b);
	bool yes;

	hex_add(&hex, a->id.b, sizeof a->id.b);
	yes = view_asks(view, buf_str(&hex));
	buf_release(&hex);
	return yes;
}

void
hosted_add_asks(struct hosted *h, jnode view, struct changes *x)
{
	msec now = shard_wall(h->job->run->rs->shard);

	for (const struct hosted_ask *a = h->asks; a != NULL; a = a->next) {
		if (asked_below(h, a) || !still_asks(view, a))
			continue;
		changes_interrupt_row(x, &(struct store_interrupt){ .id = a->id,
		    .ns = arena_str(&x->arena, str_of(a->ns)), .task = a->task,
		    .checkpoint = a->checkpoint, .value_json = text_of(x, a->value),
		    .schema_json = a->schema.kind == VAL_UNDEFINED ? STR_NONE :
		    text_of(x, a->schema), .created = now, .anew = true });
	}
}

/* ---- put, writes ----------------------------------------------------------------------- */

/* Tasks that were told before their checkpoint came are written with it. */
static void
join_tasks(struct hosted *h, struct changes *x)
{
	for (size_t i = 0; i < x->checkpoints_n; i++) {
		struct store_checkpoint_put *p = &x->checkpoints[i];
		struct str tasks = hosted_tasks_of(h, p->ns, &p->id, &x->arena);

		h->puts[h->puts_n++ % COUNT(h->puts)] = p->id;
		if (tasks.n > 0)
			p->tasks_json = tasks;
	}
}

static void
save(struct hosted *h, struct worker_call *call, int op)
{
	struct hosted_save *s = mem_new(struct hosted_save);
	struct hosted_from from = from_of(h);
	struct err e;
	int rc;

	changes_init(&s->changes);
	rc = hosted_rows_take(&s->changes, &from, &h->lists, call->body, &e);
	if (rc == OK && op == HOSTED_WRITES)
		rc = take_asks(h, call->body, &e);
	if (rc == OK) {
		join_tasks(h, &s->changes);
		hosted_add_tasks(h, &h->job->changes);
		save_results(h);
		shard_timer_cancel(h->job->run->rs->shard, &h->shows);
		answers_take(h, s);
		s->call = call;
		rc = save_submit(h, s, &e);
	}
	if (rc == OK)
		return;
	hosted_lists_forget(&h->lists);
	answers_give_back(h, s);
	worker_call_answer(call, rc, STR_NONE, &e);
	save_free(s);
}

/* ---- get, list ---------------------------------------------------------------------------- */

struct hosted_read {
	struct hosted_read *next;
	struct worker_call *call;
	int op;
};

struct hosted_listing {
	struct store_saver_list c;
	struct arena arena;
	struct worker_call *call;
	struct run *run;
};

static void
listed(struct store_cmd *cmd)
{
	struct hosted_listing *l = CONTAINER_OF(cmd, struct hosted_listing, c.cmd);
	struct run *run = l->run;
	struct buf members = BUF(SIZE_MAX / 2);

	if (cmd->rc == OK)
		hosted_list_write(&l->c, &members);
	worker_call_answer(l->call, cmd->rc, buf_str(&members), &cmd->err);
	buf_release(&members);
	arena_release(&l->arena);
	free(l);
	run_returned(run);
}

static void
list(struct hosted *h, struct worker_call *call)
{
	struct hosted_listing *l = mem_new(struct hosted_listing);
	struct hosted_from from = from_of(h);
	struct err e;
	int rc;

	l->arena = ARENA(LOAD_ARENA);
	rc = hosted_list_read(&l->c, &from, &l->arena, call->body, &e);
	if (rc != OK) {
		worker_call_answer(call, rc, STR_NONE, &e);
		arena_release(&l->arena);
		free(l);
		return;
	}
	l->call = call;
	l->run = h->job->run;
	l->c.cmd.done = listed;
	rc = run_submit(l->run, &l->c.cmd);
	assert(rc == OK);                    /* forced */
}

static void
get(struct hosted *h, struct worker_call *call)
{
	struct hosted_from from = from_of(h);
	struct buf members = BUF(SIZE_MAX / 2);
	struct uuid found = { 0 };
	struct err e;
	int rc = hosted_rows_get(&from, call->body, &members, &found, &e);

	if (!uuid_is_zero(&found))           /* events that follow belong to this one */
		h->puts[h->puts_n++ % COUNT(h->puts)] = found;

	worker_call_answer(call, rc, buf_str(&members), &e);
	buf_release(&members);
}

static void
read_now(struct hosted *h, struct worker_call *call, int op)
{
	if (op == HOSTED_GET)
		get(h, call);
	else
		list(h, call);
}

static void
read_waiting(struct hosted *h)
{
	while (h->reads != NULL && h->saving == 0) {
		struct hosted_read *r = h->reads;

		h->reads = r->next;
		read_now(h, r->call, r->op);
		free(r);
	}
}

static void
read_later(struct hosted *h, struct worker_call *call, int op)
{
	struct hosted_read *r = mem_new(struct hosted_read), **end = &h->reads;

	r->call = call;
	r->op = op;
	while (*end != NULL)
		end = &(*end)->next;
	*end = r;
}

void
hosted_reads_free(struct hosted *h)
{
	struct err e;

	err_set(&e, ERR_CLOSED, "the run has ended");
	while (h->reads != NULL) {
		struct hosted_read *r = h->reads;

		h->reads = r->next;
		worker_call_answer(r->call, ERR_CLOSED, STR_NONE, &e);
		free(r);
	}
}

void
hosted_saver(struct hosted *h, struct worker_call *c)
{
	struct err e;
	int op = hosted_op(c->body, &e);

	if (op < 0)
		worker_call_answer(c, ERR_INVALID, STR_NONE, &e);
	else if (op == HOSTED_PUT || op == HOSTED_WRITES)
		save(h, c, op);
	else if (h->saving > 0)
		read_later(h, c, op);
	else
		read_now(h, c, op);
}
