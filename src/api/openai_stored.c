/*
 * openai_stored.c - responses that are kept: GET, DELETE, cancel.
 *
 * A response is stored as its run and thread alone.  Its output is what the agent said
 * after the last message of a person, in the state that the run left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai_response.h"

#include "base/mem.h"

static int
unknown(struct call *c)
{
	return err_set(&c->err, ERR_NOTFOUND, "There is no response \"%.*s\"",
	    FMT(param_shown(c->param[0])));
}

/* The run of the path, and its thread; their ids in c. */
static int
find_run(struct call *c, struct store_run *run, struct store_thread *t)
{
	int rc = ERR_NOTFOUND;

	if (response_id_parse(c->param[0], "resp_", &c->run_id))
		rc = door_find_run(c, &c->run_id, c->route->access, run, t);
	if (rc < 0)
		return rc == ERR_NOTFOUND ? unknown(c) : rc;
	c->thread_id = t->id;
	return OK;
}

/* ---- output -------------------------------------------------------------------------- */

static void
add_raw(struct buf *b, jnode message)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);

	openai_add_text(&text, message);
	json_add_escaped(b, buf_str(&text));
	b->failed |= text.failed;
	buf_release(&text);
}

struct output {
	struct response_item *items;
	struct buf *texts;
	size_t n;
	struct str finish;                   /* of the last one */
};

static void
output_read(struct output *o, struct arena *a, jnode list)
{
	size_t n = json_count(list);

	o->items = mem_zero((n + 1) * sizeof *o->items);
	o->texts = mem_zero((n + 1) * sizeof *o->texts);
	for (size_t i = door_answer_begins(list); i < n; i++) {
		jnode m = json_at(list, i);
		struct buf *text = &o->texts[o->n];

		if (!str_eq(json_str(json_get(m, S("type"))), S("ai")))
			continue;
		*text = BUF(2 * (size_t)LIMIT_STATE_BYTES);
		add_raw(text, m);
		o->finish = arena_str(a, json_str(json_get(json_get(m,
		    S("response_metadata")), S("finish_reason"))));
		if (text->n > 0)
			o->items[o->n++] = (struct response_item){ .done = true,
			    .id = arena_str(a, json_str(json_get(m, S("id")))),
			    .raw = buf_str(text) };
		else
			buf_release(text);
	}
}

static void
output_release(struct output *o)
{
	for (size_t i = 0; i < o->n; i++)
		buf_release(&o->texts[i]);
	free(o->texts);
	free(o->items);
}

/* The messages of the state that the run left. */
static void
output_of(struct call *c, const struct store_state *s, const struct store_thread *t,
    struct output *o)
{
	static const struct str messages = { "messages", 8 };
	struct json_doc d = { 0 };
	jnode values = door_values(c, t, s, &messages, &d);

	output_read(o, &c->r->arena, json_get(values, messages));
	json_release(&d);
}

/* ---- the object ------------------------------------------------------------------------ */

static void
add_ended(struct call *c, struct response *r, const struct store_run *run,
    const struct output *o, struct door_failure *f)
{
	r->items = o->items;
	r->items_n = o->n;
	r->status = response_status(run);
	if (run->error_json.n > 0) {
		*f = door_failure(&c->r->arena, run->error_json);
		r->failure = f;
	} else if (run->status == RUN_INTERRUPTED && run->cancel_reason.p == NULL) {
		r->incomplete = S("input_required");
	} else if (run->status == RUN_SUCCESS) {
		r->incomplete = response_incomplete(o->finish);
		if (r->incomplete.n > 0)
			r->status = "incomplete";
	}
}

static int
state_found(struct call *c)
{
	const struct store_history *op = &c->op.history;
	struct output o = { 0 };
	struct store_thread t;
	struct store_run run;
	struct door_failure f;
	struct response r;
	int rc = find_run(c, &run, &t);

	if (rc < 0)
		return rc;
	if (!call_has_room(c))
		return OK;
	if (op->states_n > 0)
		output_of(c, &op->states[0], &t, &o);
	response_read(&r, &run, &c->r->arena);
	add_ended(c, &r, &run, &o, &f);
	r.usage = run.status == RUN_PENDING || run.status == RUN_RUNNING ? NULL : c->usage;
	response_add(call_out(c), &r);
	output_release(&o);
	return call_json(c, openai_lines(c, &run.thread_id, &run.id));
}

static int
usage_found(struct call *c)
{
	const struct store_usage *u = &c->op.usage_get.total;
	struct llm_usage *usage = arena_new(&c->r->arena, struct llm_usage);
	struct store_thread t;
	struct store_run run;
	int rc = find_run(c, &run, &t);

	if (usage != NULL)
		*usage = (struct llm_usage){ .input_tokens = u->input,
		    .cached_tokens = u->cached, .output_tokens = u->output,
		    .reasoning_tokens = u->reasoning };
	c->usage = usage;
	return rc < 0 ? rc : door_ask_state(c, t.seq, &run.id, state_found);
}

int
api_openai_response(struct call *c)
{
	struct store_thread t;
	struct store_run run;
	int rc = find_run(c, &run, &t);

	if (rc < 0)
		return rc;
	c->op.usage_get = (struct store_usage_get){ .run = run.id, .to = INT64_MAX, .limit = 1,
	    .group = USAGE_TOTAL };
	return call_submit(c, STORE_USAGE_GET, usage_found);
}

/* ---- ending it --------------------------------------------------------------------------- */

static void
cancelled(void *ctx, int rc)
{
	struct call *c = ctx;

	/* A run that ended before it could be cancelled is shown as it is. */
	if (rc < 0 && rc != ERR_NOTFOUND && rc != ERR_CONFLICT)
		call_finish(c, rc);
	else
		call_finish(c, api_openai_response(c));
}

int
api_openai_cancel(struct call *c)
{
	struct store_thread t;
	struct store_run run;
	int rc = find_run(c, &run, &t);

	if (rc < 0)
		return rc;
	if (run.status != RUN_PENDING && run.status != RUN_RUNNING)
		return api_openai_response(c);
	c->in = NULL;
	run_cancel(c->api->runs, c->owner, &c->thread_id, &c->run_id, 0,
	    S("api: cancelled by request"), cancelled, c);
	return OK;
}

static int
deleted(struct call *c)
{
	struct buf *b = call_out(c);

	json_add_fmt(b, "{'id':'resp_");
	uuid_add(b, &c->run_id);
	json_add_fmt(b, "','object':'response','deleted':true}");
	return call_json(c, STR_NONE);
}

int
api_openai_delete(struct call *c)
{
	struct store_thread t;
	struct store_run run;
	int rc = find_run(c, &run, &t);

	if (rc < 0)
		return rc;
	c->op.run_delete = (struct store_run_delete){ .thread_id = c->thread_id,
	    .run_id = c->run_id };
	return call_submit(c, STORE_RUN_DELETE, deleted);
}
