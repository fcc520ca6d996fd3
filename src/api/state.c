/*
 * state.c - states of threads: the newest, the one of a checkpoint, past ones; and
 * changes that a client makes without a run.
 *
 * One state is a few point reads; past states are a command for the store's reader
 * thread.  A change is decided here (run/update.h) and written by a command that
 * refuses it if the thread has moved on meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <stdio.h>

#include "base/scan.h"
#include "agent/agent.h"
#include "run/child.h"
#include "run/hosted_update.h"
#include "run/listen.h"
#include "run/view.h"

#define HISTORY_DEFAULT 10

/* ---- whose channels ---------------------------------------------------------------- */

struct str
api_thread_graph(const struct store_thread *t)
{
	struct str raw = scan_find(t->metadata_json, S("graph_id"));

	return raw.n > 2 && raw.p[0] == '"' ? str_sub(raw, 1, raw.n - 2) : STR_NONE;
}

const struct agent *
api_thread_agent(const struct call *c, const struct store_thread *t)
{
	struct str graph = api_thread_graph(t);

	return graph.n == 0 ? NULL : runs_agent(c->api->runs, graph);
}

/* ---- what is shown ----------------------------------------------------------------- */

/* Members, and `values.NAME` for one channel; none: all. */
static void
select_read(struct call *c, struct words list, struct view *v)
{
	struct str *channels = arena_alloc(&c->r->arena, (list.n + 1) * sizeof *channels);
	bool all = false;

	v->members = list.n == 0 ? VIEW_ALL : 0;
	for (size_t i = 0; i < list.n && channels != NULL && c->in->rc == OK; i++) {
		int at;

		if (str_starts(list.at[i], S("values.")) && list.at[i].n > 7) {
			channels[v->channels_n++] = str_sub(list.at[i], 7, list.at[i].n);
			v->members |= VIEW_VALUES;
			continue;
		}
		at = words_index(c, "select", view_names, list.at[i]);
		v->members |= at < 0 ? 0 : 1u << at;
		all = all || at == 0;
	}
	v->channels = channels;
	if (all)
		v->channels_n = 0;
}

void
call_open_view(struct call *c, const struct store_thread *t, struct str ns, struct view *v)
{
	const struct agent *root = runs_thread_agent(c->api->runs, c->owner, t,
	    api_thread_graph(t));

	v->thread_id = t->id;
	v->agent = root == NULL ? NULL : child_find(root, ns);
	v->reader = c->api->reader;
	v->owner = c->owner;
	v->thread_seq = t->seq;
	v->arena = &c->r->arena;
}

/* ---- one state ----------------------------------------------------------------------- */

/* in_list: as the only one of a list. */
static int
state_answer(struct call *c, const struct checkpoint_ref *ref, struct view *v,
    bool in_list)
{
	struct store_state s;
	struct store_thread t;
	struct buf *b;
	int rc = c->in->rc;

	if (rc == OK)
		rc = api_thread_find(c, &t);
	if (rc < 0)
		return rc;
	v->newest = uuid_is_zero(&ref->id);
	call_open_view(c, &t, ref->ns, v);
	rc = store_state_get(c->api->reader, c->owner, t.seq, ref->ns, &ref->id,
	    v->newest ? STATE_CHANNELS | STATE_TASKS : STATE_ALL, &c->r->arena, &s);
	if (rc < 0 && rc != ERR_NOTFOUND)
		return rc;
	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	if (in_list)
		buf_add_char(b, '[');
	if (rc == OK)
		rc = view_add_state(b, v, &s);
	else if (!in_list)
		view_add_nothing(b, v, ref->ns, &ref->id);
	if (in_list)
		buf_add_char(b, ']');
	return rc < 0 && rc != ERR_NOTFOUND ? rc : call_json(c, STR_NONE);
}

int
api_state_get(struct call *c)
{
	struct checkpoint_ref ref = { .ns = STR_NONE };
	struct view v = { .members = VIEW_ALL };

	if (c->param[1].p != NULL)
		call_parse_id(c, "checkpoint_id", c->param[1], &ref.id);
	param_bool(c, "subgraphs", &v.subgraphs);
	select_read(c, param_list(c, "select"), &v);
	return state_answer(c, &ref, &v, false);
}

/* Some SDKs send a boolean, some its name. */
static void
subgraphs_read(struct call *c, bool *out)
{
	static const char *const words[] = { "false", "true", NULL };
	jnode n = json_get(c->in->node, S("subgraphs"));
	int word = 0;

	if (!json_is_string(n))
		fields_bool(c->in, "subgraphs", out);
	else
		fields_enum(c->in, "subgraphs", words, &word);
	*out = *out || word == 1;
}

int
api_state_at(struct call *c)
{
	struct view v = { .members = VIEW_ALL };
	struct checkpoint_ref ref;

	if (!call_read_checkpoint(c, &ref))
		fields_fail(c->in, "checkpoint", ERR_INVALID, "expected an object with "
		    "checkpoint_id and checkpoint_ns, got nothing");
	subgraphs_read(c, &v.subgraphs);
	return state_answer(c, &ref, &v, false);
}

/* ---- past states ------------------------------------------------------------------------- */

static int
history_found(struct call *c)
{
	const struct store_history *op = &c->op.history;
	struct store_thread t;
	struct buf *b;
	int rc = api_thread_find(c, &t);

	if (rc < 0)
		return rc;
	if (!call_has_room(c))
		return OK;
	call_open_view(c, &t, op->ns, c->view);
	b = call_out(c);
	buf_add_char(b, '[');
	for (size_t i = 0; i < op->states_n && rc == OK; i++)
		rc = view_add_state(b, c->view, &op->states[i]);
	buf_add_char(b, ']');
	return rc < 0 ? rc : call_json(c, STR_NONE);
}

/* c->op.history is filled but for the thread; c->view with what is shown. */
static int
history_ask(struct call *c)
{
	struct store_thread t;
	int rc = c->in->rc;

	if (rc == OK)
		rc = api_thread_find(c, &t);
	if (rc < 0)
		return rc;
	c->op.history.thread_seq = t.seq;
	c->op.history.whole = true;
	return call_submit(c, STORE_HISTORY, history_found);
}

static void
before_parse(struct call *c, const char *path, struct str s)
{
	if (!uuid_parse(s, &c->op.history.before))
		fields_fail(c->in, path, ERR_INVALID, "expected a checkpoint's id, a UUID, "
		    "got \"%.*s\"", FMT(param_shown(s)));
}

/* `before`: a checkpoint's id, or a config or checkpoint that has one. */
static void
before_parse_json(struct call *c, jnode n)
{
	const char *path = "before";

	if (json_is_null(n))
		return;
	if (json_is_object(n) && json_get(n, S("configurable")) != NULL) {
		n = json_get(json_get(n, S("configurable")), S("checkpoint_id"));
		path = "before.configurable.checkpoint_id";
	} else if (json_is_object(n)) {
		n = json_get(n, S("checkpoint_id"));
		path = "before.checkpoint_id";
	}
	if (json_is_string(n))
		before_parse(c, path, json_str(n));
	else
		fields_fail(c->in, path, ERR_INVALID, "expected a checkpoint's id, a UUID, "
		    "got %s", n == NULL ? "nothing" : json_kind(n));
}

static struct view *
view_new(struct call *c)
{
	struct view *v = arena_new(&c->r->arena, struct view);

	if (v == NULL)
		fields_fail(c->in, "select", ERR_TOOBIG, "too large");
	return c->view = v;
}

int
api_history(struct call *c)
{
	struct store_history *op = &c->op.history;
	struct view *v = view_new(c);
	struct checkpoint_ref ref;
	jnode select;

	if (v == NULL)
		return c->in->rc;
	*op = (struct store_history){ .limit = HISTORY_DEFAULT };
	call_read_checkpoint(c, &ref);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	before_parse_json(c, fields_any(c->in, "before"));
	call_read_object(c, "metadata", LIMIT_FILTER_BYTES, &op->metadata_json);
	select = fields_any(c->in, "select");
	if (json_is_string(select))
		select_read(c, (struct words){ &(struct str){ json_str(select).p,
		    json_str(select).n }, 1 }, v);
	else
		select_read(c, words_read(c, "select", select, LIMIT_PAGE_ROWS), v);
	op->ns = ref.ns;
	if (!uuid_is_zero(&ref.id))
		return state_answer(c, &ref, v, true);
	return history_ask(c);
}

/* GET: `before` is an id, or the JSON of the body's. */
int
api_history_get(struct call *c)
{
	struct store_history *op = &c->op.history;
	struct str before = param_str(c, "before");
	struct view *v = view_new(c);
	struct json_doc doc = { 0 };
	struct err why;

	if (v == NULL)
		return c->in->rc;
	*op = (struct store_history){ .limit = HISTORY_DEFAULT };
	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	if (before.n > 0 && before.p[0] != '{')
		before_parse(c, "before", before);
	else if (before.n > 0 && json_parse(&doc, before, &why) != OK)
		fields_fail(c->in, "before", ERR_SYNTAX, "%s", why.text);
	else
		before_parse_json(c, doc.root);
	json_release(&doc);
	select_read(c, param_list(c, "select"), v);
	return history_ask(c);
}

/* ---- changes ------------------------------------------------------------------------------ */

int
call_val(struct call *c, const char *path, jnode n, struct val *out)
{
	struct err why;
	int rc = c->in->rc == OK ? json_to_val(n, out, &why) : c->in->rc;

	if (rc < 0 && c->in->rc == OK)
		fields_fail(c->in, path, rc, "%s", why.text);
	return c->in->rc;
}

/* An object, or several; null: none. */
void
call_check_values(struct call *c, const char *path, jnode n)
{
	struct json_iter it = json_each(n);
	char place[128];

	if (!json_is_null(n) && !json_is_object(n) && !json_is_array(n))
		fields_fail(c->in, path, ERR_INVALID, "expected an object, an array of "
		    "objects or null, got %s", json_kind(n));
	if (json_count(n) > LIMIT_UPDATES && json_is_array(n))
		fields_fail(c->in, path, ERR_INVALID, "expected at most %d, got %zu",
		    LIMIT_UPDATES, json_count(n));
	for (size_t i = 0; json_is_array(n) && c->in->rc == OK && json_next(&it); i++) {
		snprintf(place, sizeof place, "%s[%zu]", path, i);
		if (!json_is_object(it.value))
			fields_fail(c->in, place, ERR_INVALID, "expected an object, got "
			    "%s", json_kind(it.value));
	}
}

int
call_state_updated(struct call *c)
{
	struct buf *b = call_out(c);

	json_add_fmt(b, "{'checkpoint':{'thread_id':'");
	uuid_add(b, &c->thread_id);
	json_add_fmt(b, "','checkpoint_ns':%.*s,'checkpoint_id':'", FMT(c->made.ns));
	uuid_add(b, &c->made.id);
	buf_lit(b, "\"}}");
	thread_updated(c->api->runs, c->owner, &c->thread_id, buf_str(b));
	return call_json(c, STR_NONE);
}

static void
update_read(struct call *c, struct checkpoint_ref *ref, struct val *values,
    struct str *as_node)
{
	jnode n = fields_any(c->in, "values");

	if (n == NULL)
		fields_fail(c->in, "values", ERR_INVALID, "expected an object, an array "
		    "of objects or null, got nothing");
	call_check_values(c, "values", n);
	call_read_checkpoint(c, ref);
	call_read_str(c, "as_node", LIMIT_NAME_BYTES, as_node);
	(void)call_val(c, "values", n, values);
}

/* The thread of the path, at rest, and its agent. */
static int
thread_at_rest(struct call *c, struct store_thread *t, const struct agent **a)
{
	char id[UUID_TEXT];
	int rc = api_thread_find(c, t);

	if (rc < 0)
		return rc;
	uuid_format(&t->id, id);
	if (api_thread_graph(t).n == 0)
		return err_set(&c->err, ERR_SYNTAX, "Thread %.*s has no graph ID",
		    UUID_TEXT, id);
	*a = runs_thread_agent(c->api->runs, c->owner, t, api_thread_graph(t));
	if (*a == NULL)
		return err_set(&c->err, ERR_NOTFOUND, "Graph '%.*s' not found",
		    FMT(param_shown(api_thread_graph(t))));
	if (t->status == THREAD_BUSY)
		return err_set(&c->err, ERR_CONFLICT, "Thread is busy");
	return OK;
}

/* {"configurable": {...}} of the thread's runs: its assistant's, then its own. */
static struct str
config_of(struct call *c, const struct store_thread *t)
{
	struct str id = scan_find(t->metadata_json, S("assistant_id"));
	struct json_doc base = { 0 }, own = { 0 };
	struct buf *b = &c->api->scratch;
	struct store_assistant a;

	if (id.n > 2 && api_assistant_find(c, str_sub(id, 1, id.n - 2), &a) == OK)
		(void)json_parse(&base, a.config_json, NULL);
	(void)json_parse(&own, t->config_json, NULL);
	buf_clear(b);
	json_add_fmt(b, "{'configurable':");
	json_add_merged(b, json_get(base.root, S("configurable")),
	    json_get(own.root, S("configurable")));
	buf_add_char(b, '}');
	json_release(&base);
	json_release(&own);
	return arena_str(&c->r->arena, buf_str(b));
}

/* What an update means is the graph's code, which is in a worker. */
static int
hosted_begin(struct call *c, const struct update_request *q)
{
	struct hosted_update_request h = { .agent = q->agent, .ns = q->ns,
	    .checkpoint = q->checkpoint, .config_json = q->config_json,
	    .supersteps = graph_state_steps(c, q->steps, q->steps_n) };

	return graph_state_update(c, q->thread, &h);
}

int
api_state_update(struct call *c)
{
	struct store_state_update *op = &c->op.state_update;
	struct update_write w = { .values = VAL_UNDEF, .path = "values",
	    .node_path = "as_node" };
	struct update_request q = { .steps = &(struct update_step){ &w, 1 },
	    .steps_n = 1 };
	struct checkpoint_ref ref;
	struct store_thread t;
	int rc;

	update_read(c, &ref, &w.values, &w.as_node);
	rc = c->in->rc == OK ? thread_at_rest(c, &t, &q.agent) : c->in->rc;
	if (rc == OK) {
		q.graph_id = api_thread_graph(&t);
		q.thread_id = t.id;
		q.thread = &t;
		q.config_json = config_of(c, &t);
		q.reader = c->api->reader;
		q.owner = c->owner;
		q.ns = ref.ns;
		q.checkpoint = ref.id;
		q.now = shard_wall(c->api->shard);
	}
	if (rc == OK && q.agent->hosted != NULL)
		rc = hosted_begin(c, &q);
	else if (rc == OK)
		rc = update_new(&c->update, &q, &c->err);
	val_drop(w.values);
	if (rc < 0 || q.agent->hosted != NULL)
		return rc;
	c->made = (struct checkpoint_ref){ update_checkpoint(c->update), ref.ns };
	*op = (struct store_state_update){ .thread_id = t.id,
	    .head = update_head(c->update), .changes = *update_changes(c->update),
	    .status = update_status(c->update), .now = q.now };
	return call_submit(c, STORE_STATE_UPDATE, call_state_updated);
}
