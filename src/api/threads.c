/*
 * threads.c - durable conversations: the thread, its state, its history.
 *
 * The state of now is two point reads (latest checkpoint, its messages); the
 * past is a command for the store's reader thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "api/fields.h"
#include "api/params.h"
#include "base/fields.h"

#define HISTORY_DEFAULT 10

/* ---- finding ------------------------------------------------------------- */

int
thread_find(struct call *c, struct store_thread *out)
{
	return store_thread_get(c->api->reader, c->owner, &c->thread_id,
	    &c->r->arena, out);
}

/* The latest state of t; its checkpoint's seq is 0 when it never ran. */
static int
state_find(struct call *c, const struct store_thread *t,
    struct store_history_item *out)
{
	int rc;

	*out = (struct store_history_item){ 0 };
	if (t->checkpoint == 0)
		return OK;
	rc = store_checkpoint_get(c->api->reader, c->owner, t->seq, 0,
	    &c->r->arena, &out->c);
	if (rc == ERR_NOTFOUND)
		return OK;
	if (rc < 0 || out->c.list == 0)
		return rc;
	out->messages_n = out->c.len;
	return store_messages_get(c->api->reader, out->c.list, 0, out->c.len,
	    &c->r->arena, &out->messages);
}

/* ---- showing ------------------------------------------------------------- */

/* A pending task has an entry even when it asks nothing. */
static void
add_interrupts(struct buf *b, const struct store_thread *t,
    const struct store_checkpoint *c)
{
	json_add_fmt(b, ",'interrupts':{");
	if (c->next.n > 0 && t->status != THREAD_BUSY &&
	    !uuid_is_zero(&c->task_id)) {
		buf_lit(b, "\"");
		uuid_add(b, &c->task_id);
		buf_lit(b, "\":[]");
	}
	buf_lit(b, "}");
}

void
thread_add_json(struct buf *b, const struct store_thread *t,
    const struct store_history_item *state, unsigned select)
{
	buf_lit(b, "{");
	if (select & SELECT_ID)
		add_uuid_key(b, "thread_id", &t->id);
	if (select & SELECT_CREATED)
		add_time_key(b, "created_at", t->created);
	if (select & SELECT_UPDATED)
		add_time_key(b, "updated_at", t->updated);
	if (select & SELECT_METADATA)
		add_json_key(b, "metadata", t->metadata_json);
	if (select & SELECT_STATUS)
		add_text_key(b, "status", str_of(thread_status_names[t->status]));
	if (select & SELECT_CONFIG)
		add_json_key(b, "config", t->config_json);
	if (state != NULL && (select & SELECT_VALUES)) {
		json_add_key(b, "values");
		values_add_json(b, state->messages, state->messages_n);
	}
	if (state != NULL && (select & SELECT_INTERRUPTS))
		add_interrupts(b, t, &state->c);
	if (t->error_json.n > 0 && (select & SELECT_ERROR))
		add_json_key(b, "error", t->error_json);
	buf_lit(b, "}");
}

int
answer_thread(struct call *c, const struct store_thread *t)
{
	struct store_history_item state;
	int rc = state_find(c, t, &state);

	if (rc < 0)
		return rc;
	if (!call_has_room(c))
		return OK;
	thread_add_json(call_out(c), t, state.c.seq != 0 ? &state : NULL, SELECT_ALL);
	return call_json(c, STR_NONE);
}

/* ---- create, get, delete ------------------------------------------------- */

/* do_nothing may have found one that has run. */
static int
thread_created(struct call *c)
{
	return answer_thread(c, &c->op.thread_create.t);
}

int
thread_create(struct call *c)
{
	jnode body = c->in->node;
	struct store_thread_create *op = &c->op.thread_create;
	struct fields f, metadata;
	int if_exists = 0;

	*op = (struct store_thread_create){ .t = { .config_json = S("{}") } };
	fields_open(&f, body, "body", &c->err);
	f.rc = field_check(body, FIELD_THREAD, &c->err);
	if (f.rc == OK)
		f.rc = call_new_id(c, body, "thread_id", &op->t.id);
	fields_enum(&f, "if_exists", api_if_exists, &if_exists);
	fields_object(&f, "metadata", &metadata);
	if (f.rc == OK)
		f.rc = call_text(c, metadata.node, "metadata", S("{}"),
		    LIMIT_METADATA_BYTES, &op->t.metadata_json);
	if (f.rc < 0)
		return f.rc;
	op->do_nothing = if_exists == 1;
	op->t.created = op->t.updated = shard_wall(c->api->shard);
	return call_submit(c, STORE_THREAD_CREATE, thread_created);
}

int
thread_get(struct call *c)
{
	struct store_thread t;
	int rc = thread_find(c, &t);

	return rc < 0 ? rc : answer_thread(c, &t);
}

int
thread_delete(struct call *c)
{
	c->op.thread_delete = (struct store_thread_delete){ .id = c->thread_id };
	return call_submit(c, STORE_THREAD_DELETE, NULL);
}

/* ---- state and history --------------------------------------------------- */

int
thread_state(struct call *c)
{
	struct store_thread t;
	struct store_history_item state;
	bool subgraphs;
	int rc;

	rc = param_bool(c->r, "subgraphs", false, &subgraphs, &c->err);
	if (rc == OK)
		rc = field_check_query(c->r, FIELD_STATE, &c->err);
	if (rc < 0)
		return rc;
	rc = thread_find(c, &t);
	if (rc == OK)
		rc = state_find(c, &t, &state);
	if (rc < 0)
		return rc;
	if (!call_has_room(c))
		return OK;
	state_add_json(call_out(c), &t.id, &state);
	return call_json(c, STR_NONE);
}

static int
history_found(struct call *c)
{
	const struct store_history *op = &c->op.history;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_lit(b, "[");
	for (size_t i = 0; i < op->items_n; i++) {
		json_add_comma(b);
		state_add_json(b, &c->thread_id, &op->items[i]);
	}
	buf_lit(b, "]");
	return call_json(c, STR_NONE);
}

/* c->op.history is filled but for the thread. */
static int
history_ask(struct call *c)
{
	struct store_thread t;
	int rc = thread_find(c, &t);

	if (rc < 0)
		return rc;
	c->op.history.thread_seq = t.seq;
	return call_submit(c, STORE_HISTORY, history_found);
}

static int
before_parse(struct call *c, struct str s)
{
	if (uuid_parse(s, &c->op.history.before))
		return OK;
	return err_set(&c->err, ERR_INVALID,
	    "before: expected a checkpoint's id, got \"%.*s\"",
	    FMT(shown(s)));
}

/* `before`: a checkpoint's id, or a config that names one. */
static int
before_parse_json(struct call *c, jnode n)
{
	if (json_is_null(n))
		return OK;
	if (json_is_object(n)) {
		jnode configurable = json_get(n, S("configurable"));

		if (configurable != NULL)
			n = configurable;
		n = json_get(n, S("checkpoint_id"));
	}
	if (!json_is_string(n))
		return err_set(&c->err, ERR_INVALID,
		    "before: expected a checkpoint's id or "
		    "{\"configurable\":{\"checkpoint_id\":...}}, got %s",
		    json_kind(n));
	return before_parse(c, json_str(n));
}

/* RemoteGraph always names the root; there are no subgraphs below it. */
static int
check_root(struct call *c, jnode body)
{
	struct str thread_id = STR_NONE, ns = STR_NONE, id = STR_NONE;
	struct fields f, at;
	struct uuid thread;

	fields_open(&f, body, "body", &c->err);
	fields_object(&f, "checkpoint", &at);
	fields_str(&at, "thread_id", LIMIT_NAME_BYTES, &thread_id);
	fields_str(&at, "checkpoint_ns", LIMIT_NAME_BYTES, &ns);
	fields_str(&at, "checkpoint_id", LIMIT_NAME_BYTES, &id);
	if (ns.n > 0)
		fields_fail(&at, "checkpoint_ns", ERR_INVALID, "not supported (there "
		    "are no subgraphs to look into); leave it out");
	if (id.n > 0)
		fields_fail(&at, "checkpoint_id", ERR_INVALID, "not supported; use before");
	if (thread_id.n > 0 && (!uuid_parse(thread_id, &thread) ||
	    !uuid_eq(&thread, &c->thread_id)))
		fields_fail(&at, "thread_id", ERR_INVALID, "expected the thread of the "
		    "path, got \"%.*s\"", FMT(shown(thread_id)));
	return f.rc;
}

int
thread_history(struct call *c)
{
	jnode body = c->in->node;
	struct store_history *op = &c->op.history;
	struct fields f, metadata;

	*op = (struct store_history){ .limit = HISTORY_DEFAULT };
	fields_open(&f, body, "body", &c->err);
	f.rc = field_check(body, FIELD_HISTORY, &c->err);
	if (f.rc == OK)
		f.rc = check_root(c, body);
	fields_int(&f, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	if (f.rc == OK)
		f.rc = before_parse_json(c, json_get(body, S("before")));
	fields_object(&f, "metadata", &metadata);
	if (f.rc == OK)
		f.rc = call_text(c, metadata.node, "metadata", STR_NONE,
		    LIMIT_FILTER_BYTES, &op->metadata_json);
	return f.rc < 0 ? f.rc : history_ask(c);
}

/* GET: `before` is an id, or the JSON of the body's. */
int
thread_history_get(struct call *c)
{
	struct store_history *op = &c->op.history;
	struct str before = param_str(c->r, "before");
	struct json_doc doc = { 0 };
	int rc;

	*op = (struct store_history){ 0 };
	rc = param_int(c->r, "limit", HISTORY_DEFAULT, 1, LIMIT_PAGE_ROWS,
	    &op->limit, &c->err);
	if (rc == OK)
		rc = field_check_query(c->r, FIELD_HISTORY_GET, &c->err);
	if (rc == OK && before.n > 0 && before.p[0] == '{') {
		rc = json_parse(&doc, before, &c->err);
		if (rc == OK)
			rc = before_parse_json(c, doc.root);
		json_release(&doc);
	} else if (rc == OK && before.n > 0) {
		rc = before_parse(c, before);
	}
	return rc < 0 ? rc : history_ask(c);
}
