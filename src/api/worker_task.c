/*
 * worker_task.c - what workers do with a task: events, checkpoints, the store, its end.
 *
 * The body is parsed here, on the shard of the request; then it goes to the home of the task,
 * which checks the token, and whoever offered the task reads it and answers.  With test hooks
 * the task `test` is a saver of threads with any name, under the token `test`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/worker.h"

#include <string.h>

#include "base/mem.h"
#include "run/saver_text.h"
#include "worker/desk.h"

struct task_call {
	struct worker_call call;
	struct call *c;
	struct buf body;
	struct json_doc doc;
};

static void
task_answered(struct worker_call *w)
{
	struct task_call *t = CONTAINER_OF(w, struct task_call, call);
	struct call *c = t->c;
	int rc = w->rc;
	struct buf *b;

	json_release(&t->doc);
	buf_release(&t->body);
	if (rc < 0) {
		buf_release(&w->out);
		worker_fail(c, rc, w->why, &w->err);
		return;
	}
	b = call_out(c);
	buf_add_char(b, '{');
	if (w->out.n > 0)
		json_add_fmt(b, "%-.*s,", FMT(buf_str(&w->out)));
	json_add_fmt(b, "'now':%lld}", (long long)shard_wall(c->r->shard));
	buf_release(&w->out);
	call_finish(c, call_json(c, STR_NONE));
}

static bool
is_test(const struct call *c)
{
	return c->api->shared->o.test_hooks && str_eq(c->param[0], S("test")) &&
	    str_eq(http_header(c->r, S("x-task-token")), S("test")) &&
	    c->route->arg == WORKER_SAVER;
}

static int
task_body(struct call *c, struct task_call *t)
{
	struct err why;
	int rc;

	t->body = http_take_body(c->r);
	if (t->body.n == 0)
		return err_set(&c->err, ERR_INVALID, "body: expected an object, got nothing");
	rc = json_parse(&t->doc, buf_str(&t->body), &why);
	if (rc < 0)
		return err_set(&c->err, rc, "%s%s", rc == ERR_SYNTAX ?
		    "Malformed JSON in request body: " : "", why.text);
	return json_is_object(t->doc.root) ? OK : err_set(&c->err, ERR_INVALID,
	    "body: expected an object, got %s", json_kind(t->doc.root));
}

static int
task_begin(struct call *c, struct task_call *t)
{
	int rc;

	t->call.token = http_header(c->r, S("x-task-token"));
	if (t->call.token.n == 0)
		return err_set(&c->err, ERR_UNAUTH, "X-Task-Token: expected the token of the "
		    "task, got nothing");
	if (!is_test(c) && !uuid_parse(c->param[0], &t->call.task_id))
		return err_set(&c->err, ERR_NOTFOUND, "no task of this id");
	rc = task_body(c, t);
	if (rc < 0)
		return rc;
	t->call.body = t->doc.root;
	t->call.text = buf_str(&t->body);
	t->call.rc = worker_body_check(t->call.verb, t->doc.root, is_test(c), &t->call.err);
	return OK;
}

/* ---- the task `test` ----------------------------------------------------------------- */

static void
test_answered(void *ctx, int rc, struct str members, const struct err *e)
{
	struct task_call *t = ctx;

	t->call.rc = rc;
	if (rc < 0)
		t->call.err = *e;
	buf_add(&t->call.out, members);
	task_answered(&t->call);
}

static void
test_saver(struct call *c, struct task_call *t)
{
	struct saver_text_from from = { .store = c->api->shared->o.store,
		.shard = c->r->shard, .reader = c->api->reader, .owner = c->owner };

	if (t->call.rc < 0) {
		task_answered(&t->call);
		return;
	}
	t->call.out = BUF(SIZE_MAX / 2);     /* a page is bounded by the store */
	saver_text(&from, t->call.body, test_answered, t);
}

/* ---- all of them ----------------------------------------------------------------------- */

int
api_worker_task(struct call *c)
{
	struct task_call *t = arena_new(&c->r->arena, struct task_call);
	int rc;

	if (t == NULL)
		return err_set(&c->err, ERR_TOOBIG, "too large");
	c->in = NULL;
	t->c = c;
	t->call.verb = c->route->arg;
	t->call.done = task_answered;
	principal_key(&c->who, t->call.key);
	rc = task_begin(c, t);
	if (rc < 0) {
		json_release(&t->doc);
		buf_release(&t->body);
		return rc;
	}
	if (t->call.verb == WORKER_EVENTS)
		workers_count_events(c->api->shared->o.workers,
		    json_count(json_get(t->doc.root, S("events"))));
	if (is_test(c))
		test_saver(c, t);
	else
		workers_call(c->api->desk, &t->call);
	return OK;
}
