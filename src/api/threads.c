/*
 * threads.c - durable conversations: the thread, its state, its history.
 *
 * The current state is two point reads (latest checkpoint, its messages); past
 * states are a command for the store's reader thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#define HISTORY_DEFAULT 10

/* ---- finding ------------------------------------------------------------- */

int
api_thread_find(struct call *c, struct store_thread *out)
{
	return store_thread_get(c->api->reader, c->owner, &c->thread_id,
	    &c->r->arena, out);
}

/* The latest state of t; its checkpoint's seq is 0 when t never ran. */
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

static int
answer_thread(struct call *c, const struct store_thread *t)
{
	struct store_thread_found f = { .t = *t };
	int rc = state_find(c, t, &f.state);

	f.has_state = f.state.c.seq != 0;
	return rc < 0 ? rc : call_object(c, thread_members, &f);
}

/* ---- create, get, update, delete ----------------------------------------- */

/* With do_nothing it may be one that has run. */
static int
thread_created(struct call *c)
{
	return answer_thread(c, &c->op.thread_create.t);
}

int
api_thread_create(struct call *c)
{
	struct store_thread_create *op = &c->op.thread_create;
	msec now = shard_wall(c->api->shard);

	*op = (struct store_thread_create){ .t = { .config_json = S("{}"),
	    .metadata_json = S("{}"), .created = now, .updated = now } };
	call_read_id(c, "thread_id", &op->t.id);
	op->do_nothing = call_read_do_nothing(c);
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &op->t.metadata_json);
	return call_submit(c, STORE_THREAD_CREATE, thread_created);
}

int
api_thread_get(struct call *c)
{
	struct store_thread t;
	int rc = api_thread_find(c, &t);

	return rc < 0 ? rc : answer_thread(c, &t);
}

static int
thread_updated(struct call *c)
{
	return answer_thread(c, &c->op.thread_update.t);
}

int
api_thread_update(struct call *c)
{
	struct store_thread_update *op = &c->op.thread_update;
	bool minimal = str_contains(http_header(c->r, S("prefer")),
	    S("return=minimal"));

	*op = (struct store_thread_update){ .id = c->thread_id,
	    .now = shard_wall(c->api->shard) };
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &op->metadata_json);
	return call_submit(c, STORE_THREAD_UPDATE, minimal ? NULL : thread_updated);
}

int
api_thread_delete(struct call *c)
{
	c->op.thread_delete = (struct store_thread_delete){ .id = c->thread_id };
	return call_submit(c, STORE_THREAD_DELETE, NULL);
}

/* ---- state and history --------------------------------------------------- */

int
api_thread_state(struct call *c)
{
	struct store_history_item state;
	struct store_thread t;
	bool subgraphs = false;              /* there are none, asked for or not */
	int rc;

	param_bool(c, "subgraphs", &subgraphs);
	rc = c->in->rc;
	if (rc == OK)
		rc = api_thread_find(c, &t);
	if (rc == OK)
		rc = state_find(c, &t, &state);
	if (rc < 0)
		return rc;
	if (!call_has_room(c))
		return OK;
	api_state_add(call_out(c), &t.id, &state);
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
	buf_add_char(b, '[');
	for (size_t i = 0; i < op->items_n; i++)
		api_state_add(b, &c->thread_id, &op->items[i]);
	buf_add_char(b, ']');
	return call_json(c, STR_NONE);
}

/* c->op.history is filled but for the thread. */
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
	return call_submit(c, STORE_HISTORY, history_found);
}

static void
before_parse(struct call *c, struct str s)
{
	if (!uuid_parse(s, &c->op.history.before))
		fields_fail(c->in, "before", ERR_INVALID,
		    "expected a checkpoint's id, got \"%.*s\"", FMT(param_shown(s)));
}

/* `before`: a checkpoint's id, or a config that names one. */
static void
before_parse_json(struct call *c, jnode n)
{
	jnode configurable = json_get(n, S("configurable"));

	if (json_is_object(n))
		n = json_get(configurable != NULL ? configurable : n,
		    S("checkpoint_id"));
	else if (json_is_null(n))
		return;
	if (json_is_string(n))
		before_parse(c, json_str(n));
	else
		fields_fail(c->in, "before", ERR_INVALID, "expected a checkpoint's id or "
		    "{\"configurable\":{\"checkpoint_id\":...}}, got %s", json_kind(n));
}

/* RemoteGraph always names the root; there are no subgraphs below it. */
static void
check_root(struct call *c)
{
	struct str thread_id = STR_NONE, ns = STR_NONE, id = STR_NONE;
	struct uuid thread;
	struct fields at;

	fields_object(c->in, "checkpoint", &at);
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
		    "path, got \"%.*s\"", FMT(param_shown(thread_id)));
}

int
api_thread_history(struct call *c)
{
	struct store_history *op = &c->op.history;

	*op = (struct store_history){ .limit = HISTORY_DEFAULT };
	check_root(c);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	before_parse_json(c, fields_any(c->in, "before"));
	call_read_object(c, "metadata", LIMIT_FILTER_BYTES, &op->metadata_json);
	return history_ask(c);
}

/* GET: `before` is an id, or the JSON of the body's. */
int
api_thread_history_get(struct call *c)
{
	struct store_history *op = &c->op.history;
	struct str before = param_str(c, "before");
	struct json_doc doc = { 0 };
	struct err why;

	*op = (struct store_history){ .limit = HISTORY_DEFAULT };
	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	if (before.n > 0 && before.p[0] != '{')
		before_parse(c, before);
	else if (before.n > 0 && json_parse(&doc, before, &why) != OK)
		fields_fail(c->in, "before", ERR_SYNTAX, "%s", why.text);
	else
		before_parse_json(c, doc.root);
	json_release(&doc);
	return history_ask(c);
}
