/*
 * a2a_push.c - push notifications: a URL that gets a message when a task ends or asks.
 *
 * A task has one configuration, which is the webhook of its newest run: the rules of
 * webhooks hold for it, and they deliver the message (run/hook.h).  The next run of the
 * task inherits it.  It is stored as
 *
 *   {"id", "url", "token", "scheme", "credentials", "old"}
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"

#include "run/hook.h"

/* ---- reading --------------------------------------------------------------------------- */

/* A string that becomes part of a header line. */
static int
read_line(struct call *c, jnode n, const char *path, struct str *out)
{
	*out = json_str(n);
	if (!json_is_null(n) && !json_is_string(n))
		return err_set(&c->err, ERR_INVALID, "%s: expected a string, got %s", path,
		    json_kind(n));
	for (size_t i = 0; i < out->n; i++)
		if (out->p[i] < ' ' || out->p[i] > '~')
			return err_set(&c->err, ERR_INVALID, "%s: expected printable ASCII",
			    path);
	return out->n <= LIMIT_A2A_PUSH_TEXT_BYTES ? OK : err_set(&c->err, ERR_INVALID,
	    "%s: longer than %d bytes", path, LIMIT_A2A_PUSH_TEXT_BYTES);
}

/* 1.0 has one scheme, 0.3 a list of them. */
static int
read_authentication(struct call *c, jnode n, struct str *scheme, struct str *credentials)
{
	jnode first = c->a2a->old ? json_at(json_get(n, S("schemes")), 0) :
	    json_get(n, S("scheme"));
	int rc = OK;

	if (!json_is_null(n) && !json_is_object(n))
		return err_set(&c->err, ERR_INVALID, "authentication: expected an object, got %s",
		    json_kind(n));
	rc = read_line(c, first, "authentication.scheme", scheme);
	if (rc == OK)
		rc = read_line(c, json_get(n, S("credentials")), "authentication.credentials",
		    credentials);
	if (rc == OK && str_index(*scheme, ' ') >= 0)
		rc = err_set(&c->err, ERR_INVALID, "authentication.scheme: expected one word, "
		    "as Bearer");
	return rc;
}

int
a2a_read_push(struct call *c, jnode n, struct str *url, struct str *push_json)
{
	static const char *const keys[] = { "id", "url", "token", "authentication", "taskId",
	    "tenant", NULL };
	struct str id, token = STR_NONE, scheme = STR_NONE, credentials = STR_NONE;
	struct buf b = BUF(16 * KB);
	int rc;

	if (!json_is_object(n))
		return err_set(&c->err, ERR_INVALID, "push notification config: expected an "
		    "object, got %s", n == NULL ? "nothing" : json_kind(n));
	rc = a2a_check_keys(c, "push notification config: ", n, keys);
	if (rc == OK)
		rc = read_line(c, json_get(n, S("id")), "id", &id);
	if (rc == OK)
		rc = read_line(c, json_get(n, S("url")), "url", url);
	if (rc == OK)
		rc = read_line(c, json_get(n, S("token")), "token", &token);
	if (rc == OK)
		rc = read_authentication(c, json_get(n, S("authentication")), &scheme,
		    &credentials);
	if (rc == OK)
		rc = runs_check_hook(c->api->runs, *url, &c->err);
	if (rc != OK)
		return rc;
	json_add_fmt(&b, "{'id':%.*s,'url':%.*s,'token':%.*s,'scheme':%.*s,'credentials':%.*s,"
	    "'old':%hhd}", FMT(id.n > 0 ? id : S("push")), FMT(*url), FMT(token), FMT(scheme),
	    FMT(credentials), c->a2a->old);
	*url = arena_str(&c->r->arena, *url);
	*push_json = arena_str(&c->r->arena, buf_str(&b));
	rc = b.failed ? err_set(&c->err, ERR_INVALID, "push notification config: too large") :
	    OK;
	buf_release(&b);
	return rc;
}

/* ---- the message ------------------------------------------------------------------------- */

void
a2a_add_push(struct buf *b, const struct store_hook *h)
{
	struct json_doc d = { 0 };
	struct buf task = BUF(64 * KB);
	struct a2a_shown t = { .thread = h->run.thread_id, .run = h->run.id,
	    .first = a2a_first_of(&h->run), .state = a2a_state_of_run(&h->run), .at = h->ended };

	if (json_parse(&d, h->push_json, NULL) == OK)
		t.old = json_bool(json_get(d.root, S("old")));
	if (t.old) {
		a2a_add_task(&task, &t);     /* without its braces */
		buf_add(b, str_sub(buf_str(&task), 1, task.n - 2));
	} else {
		json_add_key(b, "statusUpdate");
		a2a_add_status(b, &t, true);
	}
	b->failed |= task.failed;
	json_release(&d);
	buf_release(&task);
}

/* ---- configurations ------------------------------------------------------------------------ */

/* Credentials are not shown again. */
static void
add_config(struct call *c, struct buf *b, struct str push_json)
{
	const struct a2a_call *a = c->a2a;
	struct json_doc d = { 0 };
	struct str scheme;

	if (json_parse(&d, push_json, NULL) != OK)
		b->failed = true;            /* it was written here */
	scheme = json_str(json_get(d.root, S("scheme")));
	json_add_fmt(b, "{'taskId':\"");
	uuid_add(b, &a->thread.id);
	buf_add_char(b, ':');
	uuid_add(b, &a->first);
	buf_add_char(b, '"');
	if (a->old)
		json_add_fmt(b, ",'pushNotificationConfig':{");
	json_add_fmt(b, ",'id':%p,'url':%p,'token':%p", (void *)json_get(d.root, S("id")),
	    (void *)json_get(d.root, S("url")), (void *)json_get(d.root, S("token")));
	if (scheme.n > 0)
		json_add_fmt(b, a->old ? ",'authentication':{'schemes':[%.*s]}" :
		    ",'authentication':{'scheme':%.*s}", FMT(scheme));
	buf_add(b, a->old ? S("}}") : S("}"));
	json_release(&d);
}

static int
answer_config(struct call *c, struct str push_json)
{
	struct buf *b = call_out(c);

	jsonrpc_add_head(b, c->request_id);
	json_add_key(b, "result");
	add_config(c, b, push_json);
	buf_add_char(b, '}');
	return call_json(c, STR_NONE);
}

static int
config_of(struct call *c, struct str *out)
{
	return store_run_push_get(c->api->reader, c->owner, &c->a2a->run.id, &c->r->arena, out);
}

static int
set(struct call *c)
{
	runs_expect_hook(c->api->runs);
	return answer_config(c, c->op.run_push.push_json);
}

/* The task was found; the body is read again. */
static int
create(struct call *c)
{
	struct a2a_call *a = c->a2a;
	struct store_run_push *op = &c->op.run_push;
	struct str url, push;
	struct jsonrpc q;
	int rc;

	if (!a2a_under_way(&a->run) && !a2a_waits(&a->run))
		return jsonrpc_refuse(c, A2A_UNSUPPORTED, "the task has ended");
	rc = jsonrpc_read(c, &q);
	if (rc == OK)
		rc = a2a_read_push(c, a->old ? json_get(q.params, S("pushNotificationConfig")) :
		    q.params, &url, &push);
	jsonrpc_release(&q);
	if (rc != OK)
		return a2a_fail(c, rc);
	*op = (struct store_run_push){ .run_id = a->run.id, .url = url, .push_json = push };
	return call_submit(c, STORE_RUN_PUSH, set);
}

/* ERR_NOTFOUND: the task has none, or one with another id than asked for. */
static int
find_config(struct call *c, struct str *out)
{
	struct json_doc d = { 0 };
	struct str wanted = c->a2a->config;
	int rc = config_of(c, out);

	if (rc == OK && out->n > 0 && wanted.n > 0 && json_parse(&d, *out, NULL) == OK &&
	    !str_eq(json_str(json_get(d.root, S("id"))), wanted))
		*out = STR_NONE;
	json_release(&d);
	return rc != OK || out->n > 0 ? rc : ERR_NOTFOUND;
}

static int
no_config(struct call *c)
{
	return jsonrpc_refuse(c, A2A_NO_TASK, "the task has no such push notification config");
}

static int
get(struct call *c)
{
	struct str push;
	int rc = find_config(c, &push);

	return rc == ERR_NOTFOUND ? no_config(c) : rc != OK ? rc : answer_config(c, push);
}

static int
list(struct call *c)
{
	struct buf *b = call_out(c);
	struct str push;
	int rc = config_of(c, &push);

	if (rc != OK)
		return rc;
	jsonrpc_add_head(b, c->request_id);
	json_add_key(b, "result");
	json_add_fmt(b, c->a2a->old ? "[" : "{'configs':[");
	if (push.n > 0)
		add_config(c, b, push);
	json_add_fmt(b, c->a2a->old ? "]}" : "],'nextPageToken':''}}");
	return call_json(c, STR_NONE);
}

static int
gone(struct call *c)
{
	struct buf *b = call_out(c);

	jsonrpc_add_head(b, c->request_id);
	json_add_fmt(b, ",'result':%-s}", c->a2a->old ? "null" : "{}");
	return call_json(c, STR_NONE);
}

static int
delete(struct call *c)
{
	struct str push;
	int rc = find_config(c, &push);

	if (rc != OK)
		return rc == ERR_NOTFOUND ? no_config(c) : rc;
	c->op.run_push = (struct store_run_push){ .run_id = c->a2a->run.id };
	return call_submit(c, STORE_RUN_PUSH, gone);
}

/* In 1.0 `taskId` names the task and `id` the config; in 0.3 `id`, but for a new one,
 * and `pushNotificationConfigId`. */
static int
find(struct call *c, const struct jsonrpc *q, enum access access, int (*then)(struct call *c))
{
	struct a2a_call *a = c->a2a;
	jnode task = json_get(q->params, S("taskId"));

	if (a->old && then != create)
		task = json_get(q->params, S("id"));
	a->config = arena_str(&c->r->arena, json_str(json_get(q->params, a->old ?
	    S("pushNotificationConfigId") : S("id"))));
	return a2a_find_task(c, json_str(task), access, then);
}

int
a2a_push_create(struct call *c, const struct jsonrpc *q)
{
	return find(c, q, THREADS_UPDATE, create);
}

int
a2a_push_get(struct call *c, const struct jsonrpc *q)
{
	return find(c, q, THREADS_READ, get);
}

int
a2a_push_list(struct call *c, const struct jsonrpc *q)
{
	return find(c, q, THREADS_READ, list);
}

int
a2a_push_delete(struct call *c, const struct jsonrpc *q)
{
	return find(c, q, THREADS_UPDATE, delete);
}
