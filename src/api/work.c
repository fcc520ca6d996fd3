/*
 * work.c - the tracker over HTTP: one operation a request.
 *
 * Every route names the project (?project= or X-Project; "default"), the actor
 * (`actor` of the body, X-Actor, else who is authenticated, else "http") and,
 * if it likes, an Idempotency-Key, under which the answer is kept.
 *
 * A body's other members are the operation's arguments; the tracker checks
 * them.  /work/rpc takes and answers what a workspace's daemon does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "api/params.h"
#include "base/mem.h"

/* ---- what every request has ------------------------------------------------- */

static int
name_check(const char *what, struct str s, struct err *e)
{
	if (s.n > LIMIT_WORK_NAME_BYTES)
		return err_set(e, ERR_INVALID, "%s: longer than %d bytes", what,
		    LIMIT_WORK_NAME_BYTES);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return err_set(e, ERR_INVALID,
			    "%s: expected no control characters", what);
	if (!str_is_utf8(s))
		return err_set(e, ERR_INVALID, "%s: expected UTF-8", what);
	return OK;
}

int
work_project(struct call *c, struct str *out)
{
	struct str s = param_str(c->r, "project");

	if (s.p == NULL)
		s = http_header(c->r, S("x-project"));
	if (s.p == NULL)
		s = S(WORK_PROJECT);
	*out = s;
	return work_project_check(s, &c->err);
}

/* `actor` of the body comes first; it is not an argument. */
static int
read_actor(struct call *c, struct str *out)
{
	struct str s;
	int rc = json_get_str(c->in->node, "actor", "actor", STR_NONE,
	    LIMIT_WORK_NAME_BYTES, &s, &c->err);

	if (rc == OK && s.n == 0)
		s = http_header(c->r, S("x-actor"));
	if (rc == OK && s.n == 0)
		s = c->who.subject;
	if (rc == OK && s.n == 0)
		s = S("http");
	if (rc == OK)
		rc = name_check("actor", s, &c->err);
	*out = arena_str(&c->r->arena, s);
	return rc;
}

int
work_prepare(struct call *c)
{
	struct work_cmd *w = &c->op.work;
	int rc;

	*w = (struct work_cmd){ .now = shard_wall(c->api->shard) };
	w->once = http_header(c->r, S("idempotency-key"));
	rc = work_project(c, &w->project);
	if (rc == OK)
		rc = read_actor(c, &w->actor);
	if (rc == OK)
		rc = name_check("Idempotency-Key", w->once, &c->err);
	return rc;
}

static void
work_done(struct store_cmd *cmd)
{
	struct call *c = CONTAINER_OF(cmd, struct call, op.work.cmd);

	call_finish(c, c->then(c));
}

int
work_send(struct call *c, struct str operation, int (*then)(struct call *c))
{
	struct work_cmd *w = &c->op.work;
	int rc;

	w->operation = operation;
	w->cmd.owner = c->owner;
	w->cmd.arena = &c->r->arena;
	w->cmd.done = work_done;
	c->then = then;
	rc = work_submit(c->api->shared->o.store, c->api->shard, w);
	return rc == OK ? OK : err_set(&c->err, rc, "the store is busy; try again");
}

/* ---- arguments --------------------------------------------------------------- */

static struct buf *
args_begin(struct call *c)
{
	struct buf *b = &c->api->scratch;

	buf_clear(b);
	b->failed = false;
	buf_lit(b, "{");
	return b;
}

static void
args_key(struct buf *b, struct str key)
{
	if (b->n > 1)
		buf_lit(b, ",");
	json_add_str(b, key);
	buf_lit(b, ":");
}

static int
args_end(struct call *c)
{
	struct buf *b = &c->api->scratch;

	buf_lit(b, "}");
	c->op.work.args_json = arena_str(&c->r->arena, buf_str(b));
	if (b->failed || c->op.work.args_json.p == NULL)
		return err_set(&c->err, ERR_TOOBIG, "the body is too large");
	return OK;
}

static void
args_body(struct call *c, struct buf *b)
{
	struct json_iter it = json_each(c->in->node);

	while (json_next(&it)) {
		if (str_eq(json_str(it.key), S("actor")))
			continue;
		args_key(b, json_str(it.key));
		json_add_node(b, it.value);
	}
}

/* {id} of the path, and the body's members, which may not name another. */
static int
args_id(struct call *c, struct buf *b)
{
	if (json_get(c->in->node, S("id")) != NULL)
		return err_set(&c->err, ERR_INVALID, "id: stands in the path; leave "
		    "it out");
	args_key(b, S("id"));
	json_add_str(b, c->param[0]);
	return OK;
}

/* Those of the query that are there. */
static const struct query_arg { const char *name; bool number; } filters[] = {
	{ "status", false }, { "priority", true }, { "assignee", false },
	{ "issue_type", false }, { "title", false }, { "limit", true },
};

static int
args_query(struct call *c, struct buf *b)
{
	struct str *labels;
	size_t n;
	int rc = param_list(c->r, "label", &labels, &n, &c->err);

	for (size_t i = 0; rc == OK && i < COUNT(filters); i++) {
		struct str s = param_str(c->r, filters[i].name);
		int64_t v;

		if (s.n == 0)
			continue;
		args_key(b, str_of(filters[i].name));
		if (filters[i].number)
			rc = param_int(c->r, filters[i].name, 0, 0, INT32_MAX, &v,
			    &c->err);
		if (rc == OK && filters[i].number)
			buf_add_i64(b, v);
		else
			json_add_str(b, s);
	}
	if (rc != OK || n == 0)
		return rc;
	args_key(b, S("labels"));
	for (size_t i = 0; i < n; i++) {
		buf_add(b, i == 0 ? S("[") : S(","));
		json_add_str(b, labels[i]);
	}
	buf_lit(b, "]");
	return OK;
}

/* ---- answers ------------------------------------------------------------------ */

/* An unknown operation is a mistake in the body (422, not 405); a request over
 * the tracker's limits fails again when repeated (422, not 429). */
static int
shown_rc(int rc)
{
	return rc == ERR_METHOD || rc == ERR_LIMIT ? ERR_INVALID : rc;
}

static int
answer(struct call *c)
{
	const struct work_cmd *w = &c->op.work;

	if (w->cmd.rc < 0) {
		c->err = w->cmd.err;
		return shown_rc(w->cmd.rc);
	}
	if (call_has_room(c))
		call_reply(c, 200, S("application/json"), STR_NONE, w->data);
	return OK;
}

/* A batch that failed tells how far it came, too. */
static int
answer_batch(struct call *c)
{
	const struct work_cmd *w = &c->op.work;
	struct buf *b;

	if (w->cmd.rc == OK || w->data.n == 0 || c->api->shared->o.plain_errors)
		return answer(c);
	b = call_out(c);
	json_add_fmt(b, "{'detail':%s,'code':%s,'data':%-.*s}", w->cmd.err.text,
	    rc_name(w->cmd.rc), FMT(w->data));
	call_reply(c, api_status(shown_rc(w->cmd.rc)), S("application/json"),
	    STR_NONE, buf_str(b));
	return OK;
}

/* Arguments from the path and the body, and off. */
static int
work_call_body(struct call *c, struct str operation, bool with_id,
    int (*then)(struct call *c))
{
	struct buf *b = args_begin(c);
	int rc = work_prepare(c);

	if (rc == OK && with_id)
		rc = args_id(c, b);
	args_body(c, b);
	if (rc == OK)
		rc = args_end(c);
	return rc == OK ? work_send(c, operation, then) : rc;
}

/* ---- routes ------------------------------------------------------------------- */

int
work_item_create(struct call *c)
{
	return work_call_body(c, S("create"), false, answer);
}

int
work_item_get(struct call *c)
{
	return work_call_body(c, S("show"), true, answer);
}

int
work_item_update(struct call *c)
{
	return work_call_body(c, S("update"), true, answer);
}

int
work_item_close(struct call *c)
{
	return work_call_body(c, S("close"), true, answer);
}

int
work_batch(struct call *c)
{
	return work_call_body(c, S("batch"), false, answer_batch);
}

int
work_item_delete(struct call *c)
{
	struct buf *b = args_begin(c);
	int rc = work_prepare(c);

	json_add_fmt(b, "'ids':[%.*s],'force':true", FMT(c->param[0]));
	if (rc == OK)
		rc = args_end(c);
	return rc == OK ? work_send(c, S("delete"), answer) : rc;
}

/* Without an id: the next that is ready. */
int
work_claim(struct call *c)
{
	struct buf *b = args_begin(c);
	jnode body = c->in->node;
	int rc = work_prepare(c);

	args_body(c, b);
	if (json_is_null(json_get(body, S("id"))) && json_get(body, S("ready")) == NULL)
		json_add_fmt(b, ",'ready':true");
	if (rc == OK)
		rc = args_end(c);
	return rc == OK ? work_send(c, S("claim"), answer) : rc;
}

static int
work_query(struct call *c, struct str operation)
{
	struct buf *b = args_begin(c);
	int rc = work_prepare(c);

	if (rc == OK)
		rc = args_query(c, b);
	if (rc == OK)
		rc = args_end(c);
	return rc == OK ? work_send(c, operation, answer) : rc;
}

int
work_item_list(struct call *c)
{
	return work_query(c, S("list"));
}

int
work_ready(struct call *c)
{
	return work_query(c, S("ready"));
}

/* ---- rpc ---------------------------------------------------------------------- */

/* The same object as a daemon's, with the status its code has elsewhere. */
static int
answer_rpc(struct call *c)
{
	const struct work_cmd *w = &c->op.work;
	struct buf *b = call_out(c);
	int status = api_status(shown_rc(w->cmd.rc));

	if (status == 500) {
		c->err = w->cmd.err;
		return w->cmd.rc;
	}
	json_add_fmt(b, "{'request_id':%-.*s,'success':%hhd", FMT(c->request_id),
	    w->cmd.rc == OK);
	if (w->cmd.rc != OK)
		json_add_fmt(b, ",'error':%s,'code':%s", w->cmd.err.text,
		    rc_name(w->cmd.rc));
	if (w->data.n > 0)
		json_add_fmt(b, ",'data':%-.*s", FMT(w->data));
	buf_lit(b, "}");
	if (b->failed)
		return call_json(c, STR_NONE);
	call_reply(c, status, S("application/json"), STR_NONE, buf_str(b));
	return OK;
}

static int
rpc_keys(struct call *c)
{
	static const char *const known[] = { "operation", "args", "actor",
	    "request_id", "once", "deadline_ms", NULL };
	struct json_iter it = json_each(c->in->node);

	while (json_next(&it))
		if (word_index(known, json_str(it.key)) < 0)
			return word_error(&c->err, "body", known, json_str(it.key));
	return OK;
}

static int
rpc_read(struct call *c, struct str *operation)
{
	struct work_cmd *w = &c->op.work;
	jnode body = c->in->node, args;
	int64_t deadline;
	struct str once;
	int rc = rpc_keys(c);

	if (rc == OK)
		rc = json_get_str(body, "operation", "operation", STR_NONE,
		    LIMIT_WORK_NAME_BYTES, operation, &c->err);
	if (rc == OK && operation->n == 0)
		rc = err_set(&c->err, ERR_INVALID,
		    "operation: expected a string, got nothing");
	if (rc == OK)
		rc = json_get_object(body, "args", "args", &args, &c->err);
	if (rc == OK)
		rc = call_text(c, args, "args", S("{}"), LIMIT_HTTP_BODY_BYTES,
		    &w->args_json);
	if (rc == OK)
		rc = call_text(c, json_get(body, S("request_id")), "request_id",
		    S("null"), LIMIT_NAME_BYTES, &c->request_id);
	if (rc == OK)
		rc = json_get_str(body, "once", "once", w->once,
		    LIMIT_WORK_ONCE_BYTES, &once, &c->err);
	if (rc == OK)
		rc = name_check("once", once, &c->err);
	if (rc == OK)
		rc = json_get_int(body, "deadline_ms", "deadline_ms", 0, 1,
		    LIMIT_WORK_TIMEOUT_MS, &deadline, &c->err);
	if (rc != OK)
		return rc;
	w->once = arena_str(&c->r->arena, once);
	*operation = arena_str(&c->r->arena, *operation);
	if (deadline > 0)
		w->deadline = clock_mono() + deadline * NS_PER_MS;
	return OK;
}

int
work_rpc(struct call *c)
{
	struct str operation;
	int rc = work_prepare(c);

	if (rc == OK)
		rc = rpc_read(c, &operation);
	return rc == OK ? work_send(c, operation, answer_rpc) : rc;
}
