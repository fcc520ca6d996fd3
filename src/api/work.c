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

#include "base/mem.h"

/* ---- what every request has ------------------------------------------------- */

static void
name_check(struct call *c, const char *what, struct str s)
{
	if (c->in->rc == OK)
		c->in->rc = work_name_check(what, s, LIMIT_WORK_NAME_BYTES, &c->err);
}

struct str
api_work_project(struct call *c)
{
	struct str s = param_str(c, "project");

	if (s.p == NULL)
		s = http_header(c->r, S("x-project"));
	if (s.p == NULL)
		s = S(WORK_PROJECT);
	if (c->in->rc == OK)
		c->in->rc = work_project_check(s, &c->err);
	return s;
}

/* `actor` of the body comes first; it is not an argument. */
static struct str
read_actor(struct call *c)
{
	struct str s = STR_NONE;

	fields_str(c->in, "actor", LIMIT_WORK_NAME_BYTES, &s);
	if (s.n == 0)
		s = http_header(c->r, S("x-actor"));
	if (s.n == 0)
		s = c->who.subject;
	if (s.n == 0)
		s = S("http");
	name_check(c, "actor", s);
	return arena_str(&c->r->arena, s);
}

void
api_work_prepare(struct call *c)
{
	struct work_cmd *w = &c->op.work;

	*w = (struct work_cmd){ .now = shard_wall(c->api->shard) };
	w->once = http_header(c->r, S("idempotency-key"));
	w->project = api_work_project(c);
	w->actor = read_actor(c);
	name_check(c, "Idempotency-Key", w->once);
}

static void
work_done(struct store_cmd *cmd)
{
	struct call *c = CONTAINER_OF(cmd, struct call, op.work.cmd);

	call_finish(c, c->then(c));
}

int
api_work_send(struct call *c, struct str operation, int (*then)(struct call *c))
{
	struct work_cmd *w = &c->op.work;
	int rc;

	if (c->in->rc == OK)
		c->in->rc = call_may(c, work_operation_writes(operation) ? WORK_UPDATE :
		    WORK_READ, STR_NONE);
	if (c->in->rc == OK && str_eq(operation, S("delete")))
		c->in->rc = call_audit_as(c, "work:delete");
	if (c->in->rc == OK && str_eq(operation, S("config_set")))
		c->in->rc = call_audit_as(c, "work:config_set");
	if (c->in->rc < 0)
		return c->in->rc;
	c->in = NULL;
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
args_end(struct call *c)
{
	struct buf *b = &c->api->scratch;

	buf_lit(b, "}");
	c->op.work.args_json = arena_str(&c->r->arena, buf_str(b));
	if (b->failed || c->op.work.args_json.p == NULL)
		fields_fail(c->in, NULL, ERR_TOOBIG, "too large");
}

static void
args_body(struct call *c, struct buf *b)
{
	struct json_iter it = json_each(c->in->node);

	while (json_next(&it)) {
		if (!str_eq(json_str(it.key), S("actor")))
			json_add_fmt(b, ",%.*s:%p", FMT(json_str(it.key)), it.value);
	}
}

/* {id} of the path, and the body's members, which may not name another. */
static void
args_id(struct call *c, struct buf *b)
{
	if (json_get(c->in->node, S("id")) != NULL)
		fields_fail(c->in, "id", ERR_INVALID, "the path has it; leave it out");
	json_add_fmt(b, ",'id':%.*s", FMT(c->param[0]));
}

static void
args_list(struct call *c, struct buf *b, const char *param, const char *arg)
{
	struct words list = param_list(c, param);

	if (list.n == 0)
		return;
	json_add_fmt(b, ",%s:[", arg);
	for (size_t i = 0; i < list.n; i++)
		json_add_fmt(b, ",%.*s", FMT(list.at[i]));
	buf_add_char(b, ']');
}

/* An argument that is in the query. */
static void
args_param(struct call *c, struct buf *b, const struct work_arg *a)
{
	struct str s = param_str(c, a->name);
	int64_t n = 0;
	bool on = false;

	if (s.n == 0)
		return;
	switch (a->kind) {
	case ARG_INT:
		param_int(c, a->name, a->min, a->max, &n);
		json_add_fmt(b, ",%s:%lld", a->name, (long long)n);
		break;
	case ARG_BOOL:
		param_bool(c, a->name, &on);
		json_add_fmt(b, ",%s:%hhd", a->name, on);
		break;
	case ARG_TEXTS: case ARG_ARRAY:
		args_list(c, b, a->name, a->name);
		break;
	default:
		json_add_fmt(b, ",%s:%.*s", a->name, FMT(s));
	}
}

/* `label`, repeated, is `labels`. */
static void
args_query(struct call *c, struct buf *b)
{
	const struct work_arg *a = work_args(str_of(c->route->operation));

	for (; a->name != NULL; a++) {
		if (str_eq(str_of(a->name), S("label")))
			args_list(c, b, "label", "labels");
		else
			args_param(c, b, a);
	}
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

/* ---- routes ------------------------------------------------------------------- */

static int
work_args_send(struct call *c, int (*then)(struct call *c))
{
	args_end(c);
	return api_work_send(c, str_of(c->route->operation), then);
}

/* The route's operation, with arguments from the path, the body or the query. */
int
api_work_operation(struct call *c)
{
	struct buf *b = args_begin(c);
	bool batch = str_eq(str_of(c->route->operation), S("batch"));

	api_work_prepare(c);
	if (c->param[0].n > 0)
		args_id(c, b);
	else if ((c->route->flags & ROUTE_BODY) == 0)
		args_query(c, b);
	args_body(c, b);
	return work_args_send(c, batch ? answer_batch : answer);
}

int
api_work_delete(struct call *c)
{
	struct buf *b = args_begin(c);

	api_work_prepare(c);
	json_add_fmt(b, "'ids':[%.*s],'force':true", FMT(c->param[0]));
	return work_args_send(c, answer);
}

/* Without an id: the next that is ready. */
int
api_work_claim(struct call *c)
{
	struct buf *b = args_begin(c);
	jnode body = c->in->node;

	api_work_prepare(c);
	args_body(c, b);
	if (json_is_null(json_get(body, S("id"))) && json_get(body, S("ready")) == NULL)
		json_add_fmt(b, ",'ready':true");
	return work_args_send(c, answer);
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

int
api_work_rpc(struct call *c)
{
	struct work_cmd *w = &c->op.work;
	struct str operation = STR_NONE;
	int64_t deadline = 0;

	api_work_prepare(c);
	w->args_json = S("{}");
	c->request_id = S("null");
	call_read_str(c, "operation", LIMIT_WORK_NAME_BYTES, &operation);
	if (operation.n == 0)
		fields_fail(c->in, "operation", ERR_INVALID,
		    "expected a string, got nothing");
	call_read_object(c, "args", LIMIT_HTTP_BODY_BYTES, &w->args_json);
	call_read_json(c, "request_id", fields_any(c->in, "request_id"), LIMIT_NAME_BYTES,
	    &c->request_id);
	call_read_str(c, "once", LIMIT_WORK_ONCE_BYTES, &w->once);
	name_check(c, "once", w->once);
	fields_int(c->in, "deadline_ms", 1, LIMIT_WORK_TIMEOUT_MS, &deadline);
	fields_end(c->in);
	if (deadline > 0)
		w->deadline = clock_mono() + deadline * NS_PER_MS;
	return api_work_send(c, operation, answer_rpc);
}
