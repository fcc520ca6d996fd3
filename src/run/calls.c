/*
 * calls.c - a node that runs the tools the model asked for, all at once.
 *
 * The calls stand in the last ai message, so a run that comes back after a
 * crash finds them there.  What cannot be run twice is journalled: started
 * (committed) before it runs, done with its result.  After a crash a recorded
 * result is used as it is; a call that was started and not recorded is told
 * to the model as an unknown outcome, never repeated.
 *
 * An invalid call (invalid_tool_calls) is answered too, with the error, so that
 * the model can correct it.
 *
 * A slot outlives its job when the run is stopped while a tool works.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/run_priv.h"

#define WROTE_SHOWN 200                      /* of arguments that cannot be read */

struct tool_slot {
	struct store_call start;             /* its journal entry */
	struct job *job;                     /* NULL: nobody waits any more */
	struct run *run;
	char *id, *name, *args;
	char *actor, *project, *once;        /* as in struct tool_env */
	const struct tool *tool;             /* NULL: not for this run */
	char *problem;                       /* NULL: the call is valid */
	bool journal;
	struct message *result;
};

/* A result on its way to the journal. */
struct called {
	struct store_call c;
	struct message *result;
	char *id;
	struct run *run;
};

static void
slot_free(struct tool_slot *s)
{
	message_drop(s->result);
	free(s->id);
	free(s->name);
	free(s->args);
	free(s->actor);
	free(s->project);
	free(s->once);
	free(s->problem);
	free(s);
}

/* ---- results ------------------------------------------------------------- */

static struct message *
tool_message(const struct tool_slot *s, bool ok, struct str content)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct uuid id = uuid_v7();
	struct message *m;
	int rc;

	buf_add(&b, ok ? S("{\"status\":\"success\",\"content\":") :
	    S("{\"status\":\"error\",\"content\":"));
	json_add_str(&b, content);
	buf_lit(&b, ",\"tool_call_id\":");
	json_add_str(&b, str_of(s->id));
	buf_lit(&b, ",\"name\":");
	json_add_str(&b, str_of(s->name));
	buf_lit(&b, ",\"metadata\":{\"versions\":{\"cohort\":\"" COHORT_VERSION "\"}},"
	    "\"additional_kwargs\":{},\"response_metadata\":{},\"id\":\"run-");
	uuid_add(&b, &id);
	buf_lit(&b, "-tool-");
	json_add_escaped(&b, str_of(s->id));
	buf_lit(&b, "\",\"type\":\"tool\"}");
	rc = message_from_stored(&m, buf_str(&b), NULL);
	assert(rc == OK);
	buf_release(&b);
	return m;
}

static void
called_done(struct store_cmd *cmd)
{
	struct called *d = CONTAINER_OF(cmd, struct called, c.cmd);
	struct run *run = d->run;

	message_drop(d->result);
	free(d->id);
	free(d);
	run_returned(run);
}

/* Lazily: it is committed no later than the checkpoint that follows. */
static void
journal_result(struct tool_slot *s)
{
	struct called *d = mem_new(struct called);
	int rc;

	d->run = s->run;
	d->result = message_ref(s->result);
	d->id = mem_cstr(str_of(s->id));
	d->c = s->start;
	d->c.cmd = (struct store_cmd){ .op = STORE_CALL_DONE, .lazy = true,
	    .done = called_done };
	d->c.call_id = str_of(d->id);
	d->c.name = STR_NONE;
	d->c.result = d->result->json;
	rc = run_submit(s->run, &d->c.cmd);
	assert(rc == OK);
}

static void
node_done(struct job *j)
{
	struct message_list writes = { 0 };

	for (size_t i = 0; i < j->slots_n; i++)
		message_list_add(&writes, message_ref(j->slots[i]->result));
	calls_stop(j);
	job_node_done(j, &writes, val_object_empty());
}

/* One more result is there; with the last one the node is done. */
static void
slot_done(struct tool_slot *s, struct message *result)
{
	struct job *j = s->job;

	assert(s->result == NULL && j->slots_open > 0);
	s->result = result;
	if (s->journal)
		journal_result(s);
	if (--j->slots_open == 0)
		node_done(j);
}

/* ---- running ------------------------------------------------------------- */

static void
on_tool(void *ctx, const struct tool_result *r)
{
	struct tool_slot *s = ctx;
	struct run *run = s->run;

	if (s->job == NULL)
		slot_free(s);
	else
		slot_done(s, tool_message(s, r->ok, r->content));
	run_returned(run);
}

static void
slot_run(struct tool_slot *s)
{
	struct runs *rs = s->run->rs;
	struct tool_env env = { .store = rs->sh->store, .reader = rs->reader,
	    .shard = rs->shard, .owner = s->run->place.owner,
	    .now = shard_wall(rs->shard), .actor = str_of(s->actor),
	    .project = str_of(s->project), .once = str_of(s->once) };

	run_hold(s->run);
	runs_busy(rs, 1);
	tools_call(rs->sh->tools, str_of(s->name), str_of(s->args), &env, on_tool, s);
}

static void
on_started(struct store_cmd *cmd)
{
	struct tool_slot *s = CONTAINER_OF(cmd, struct tool_slot, start.cmd);
	struct run *run = s->run;

	if (s->job == NULL) {
		slot_free(s);
	} else if (cmd->rc != OK) {
		s->journal = false;
		slot_done(s, tool_message(s, false,
		    S("The call was not made: it could not be recorded.")));
	} else {
		slot_run(s);
	}
	run_returned(run);
}

static void
slot_journal(struct tool_slot *s, int step)
{
	int rc;

	s->journal = true;
	s->start = (struct store_call){
		.cmd = { .op = STORE_CALL_START, .done = on_started },
		.run_seq = s->run->seq, .thread_seq = s->run->thread_seq, .step = step,
		.call_id = str_of(s->id), .name = str_of(s->name),
	};
	rc = run_submit(s->run, &s->start.cmd);
	assert(rc == OK);
}

static void
slot_refuse(struct tool_slot *s)
{
	const struct plan *p = s->job->plan;
	const struct tools *t = s->run->rs->sh->tools;
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);

	buf_add_fmt(&b, "Error: there is no tool \"%.*s\" here.",
	    FMT(str_sub(str_of(s->name), 0, 64)));
	for (size_t i = 0, n = 0; i < tools_count(t); i++) {
		if (!plan_has_tool(p, tools_at(t, i)))
			continue;
		buf_add(&b, n++ == 0 ? S(" Available: ") : S(", "));
		buf_add(&b, str_of(tools_at(t, i)->name));
	}
	slot_done(s, tool_message(s, false, buf_str(&b)));
	buf_release(&b);
}

static void
slot_correct(struct tool_slot *s)
{
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct str wrote = str_sub(str_of(s->args), 0, WROTE_SHOWN);

	while (wrote.n > 0 && !str_is_utf8(wrote))
		wrote.n--;
	buf_lit(&b, "Error: the call was not made. ");
	buf_add(&b, str_of(s->problem));
	if (!str_ends(str_of(s->problem), S(".")))
		buf_add_char(&b, '.');
	buf_lit(&b, " Arguments are one complete JSON object; these were: ");
	buf_add(&b, wrote);
	if (wrote.n < strlen(s->args))
		buf_lit(&b, "...");
	slot_done(s, tool_message(s, false, buf_str(&b)));
	buf_release(&b);
}

static const struct store_call_row *
row_find(const struct store_call_row *rows, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].call_id, str_of(id)))
			return &rows[i];
	return NULL;
}

/* What becomes of one call; row: what the journal knows of it, or NULL. */
static void
slot_begin(struct tool_slot *s, const struct store_call_row *row, int step)
{
	struct message *m;

	if (row != NULL && row->done && message_from_stored(&m, row->result, NULL) == OK)
		slot_done(s, m);
	else if (s->problem != NULL)
		slot_correct(s);
	else if (s->tool == NULL)
		slot_refuse(s);
	else if (row != NULL && !row->done && !s->tool->idempotent)
		slot_done(s, tool_message(s, false, S("Error: unknown_outcome. The server "
		    "stopped while this call was under way; it may or may not have "
		    "taken effect. It was not repeated.")));
	else if (s->tool->idempotent || s->run->stateless)
		slot_run(s);
	else
		slot_journal(s, step);
}

/* ---- the calls ----------------------------------------------------------- */

static char *
text_of(jnode n)
{
	return mem_cstr(json_is_string(n) ? json_str(n) : STR_NONE);
}

/* A model may use an id again in a later step. */
static char *
once_of(const struct job *j, const char *call_id)
{
	struct buf b = BUF(LIMIT_LLM_BODY_BYTES);
	char *once;

	uuid_add(&b, &j->run->place.run_id);
	buf_add_fmt(&b, "/%d/%s", j->core.step, call_id);
	once = mem_cstr(buf_str(&b));
	buf_release(&b);
	return once;
}

/* problem: what is wrong with it, or NULL. */
static void
slot_add(struct job *j, jnode call, jnode problem)
{
	struct tool_slot *s = mem_new(struct tool_slot);
	struct buf args = BUF(LIMIT_LLM_BODY_BYTES);

	s->job = j;
	s->run = j->run;
	s->id = text_of(json_get(call, S("id")));
	s->name = text_of(json_get(call, S("name")));
	if (problem != NULL)
		buf_add(&args, json_str(json_get(call, S("args"))));
	else
		json_add_node(&args, json_get(call, S("args")));
	s->args = mem_cstr(buf_str(&args));
	s->problem = problem != NULL ? text_of(problem) : NULL;
	buf_release(&args);
	s->actor = mem_cstr(str_of(j->actor));
	s->project = mem_cstr(j->plan->work_project);
	s->once = once_of(j, s->id);
	s->tool = tools_find(j->run->rs->sh->tools, str_of(s->name));
	if (s->tool != NULL && !plan_has_tool(j->plan, s->tool))
		s->tool = NULL;
	j->slots[j->slots_n++] = s;
}

static void
slots_make(struct job *j)
{
	const struct message_list *l = &j->core.list;
	struct json_doc d = { 0 };
	jnode calls = NULL, invalid = NULL;
	size_t at = l->n;

	while (at > 0 && l->at[at - 1]->kind != MESSAGE_AI)
		at--;
	if (at > 0 && json_parse(&d, l->at[at - 1]->json, NULL) == OK) {
		calls = json_get(d.root, S("tool_calls"));
		invalid = json_get(d.root, S("invalid_tool_calls"));
	}
	j->slots = mem_alloc((json_count(calls) + json_count(invalid) + 1) *
	    sizeof *j->slots);
	for (struct json_iter it = json_each(calls); json_next(&it);)
		slot_add(j, it.value, NULL);
	for (struct json_iter it = json_each(invalid); json_next(&it);)
		if (json_is_string(json_get(it.value, S("error"))))
			slot_add(j, it.value, json_get(it.value, S("error")));
	json_release(&d);
}

void
calls_start(struct job *j)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_call_row *rows = NULL;
	struct run *run = run_hold(j->run);
	size_t n = 0, rows_n = 0;

	assert(j->slots == NULL);
	slots_make(j);
	if (j->resumed && store_calls_get(run->rs->reader, run->seq, j->core.step, &a,
	    &rows, &rows_n) != OK)
		rows_n = 0;
	n = j->slots_n;
	/* One more than there are, so that the node is not done before all of
	 * them have begun. */
	j->slots_open = n + 1;
	for (size_t i = 0; i < n; i++)
		slot_begin(j->slots[i], row_find(rows, rows_n, j->slots[i]->id),
		    j->core.step);
	arena_release(&a);
	if (--j->slots_open == 0)
		node_done(j);
	run_drop(run);
}

void
calls_stop(struct job *j)
{
	for (size_t i = 0; i < j->slots_n; i++) {
		struct tool_slot *s = j->slots[i];

		s->job = NULL;
		if (s->result != NULL)
			slot_free(s);        /* else its callback does */
	}
	free(j->slots);
	j->slots = NULL;
	j->slots_n = j->slots_open = 0;
}
