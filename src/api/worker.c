/*
 * worker.c - workers over HTTP: they register, poll and leave; operators see and drain them.
 *
 * A worker's id is bound to the key that it was registered with.  What workers do with their
 * tasks is in worker_task.c, the lists are in worker_list.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/worker.h"

#include <stdio.h>

#include "api/peer.h"
#include "worker/desk.h"

int
worker_fail(struct call *c, int rc, const char *why, const struct err *e)
{
	struct err shown;
	int status = api_status(rc);
	struct buf *b;

	if (why == NULL) {
		call_fail(c, rc, e);
		return OK;
	}
	shown = call_words(c, rc, e);
	b = call_out(c);
	json_add_fmt(b, "{'detail':%s,'reason':%s}", shown.text, why);
	call_reply(c, status, S("application/json"), STR_NONE, buf_str(b));
	return OK;
}

/* ---- registering ---------------------------------------------------------------- */

/* A registration, and what other nodes said to its names. */
struct registering {
	struct worker_intake in;
	size_t waits;
	int rc;                              /* the first refusal */
	struct err err;
	char why[32];
};

#define ASKED_BYTES ((size_t)256 * KB)       /* answers of other nodes: a sentence each */

static void
answer_registered(void *ctx)
{
	const struct registering *g = ctx;
	const struct worker_intake *in = &g->in;
	struct call *c = in->ctx;
	struct workers *ws = c->api->shared->o.workers;
	double lease = (double)workers_lease(ws) / 1000;
	struct buf *b = call_out(c);

	buf_add_char(b, '{');
	show_id(b, "worker_id", &in->worker_id);
	json_add_fmt(b, ",'beat_s':%.3f,'lease_s':%.3f,'poll_s':%.3f,'now':%lld}", lease / 4,
	    lease, (double)workers_poll_wait(ws) / 1000, (long long)shard_wall(c->r->shard));
	call_finish(c, call_json(c, STR_NONE));
}

/* Its graphs are published here.  A client may go to any node next: all are asked to. */
static void
registered(struct worker_intake *in, int rc, const char *why, const struct err *e)
{
	struct registering *g = CONTAINER_OF(in, struct registering, in);
	struct call *c = in->ctx;
	struct buf b = BUF(LIMIT_WORKER_BYTES);
	bool asks = rc == OK && worker_intake_has_graphs(in);

	if (asks)
		worker_intake_question(in, INTAKE_GRAPHS, &b);
	arena_release(&in->arena);
	if (rc < 0)
		worker_fail(c, rc, why, e);
	else if (asks)
		peer_wait_all(c, arena_str(&c->r->arena, buf_str(&b)), answer_registered, g);
	else
		answer_registered(g);
	buf_release(&b);
}

/* A node that does not answer has no say. */
static void
other_answered(void *ctx, struct str body)
{
	struct registering *g = ctx;
	struct json_doc doc = { 0 };
	struct str why;

	if (g->rc == OK && json_parse(&doc, body, NULL) == OK) {
		why = json_str(json_get(doc.root, S("reason")));
		snprintf(g->why, sizeof g->why, "%.*s", FMT(why));
		if (why.n > 0)
			g->rc = err_set(&g->err, ERR_CONFLICT, "%.*s",
			    FMT(json_str(json_get(doc.root, S("detail")))));
	}
	json_release(&doc);
	if (--g->waits == 0)
		workers_names_asked(&g->in, g->rc, g->why, &g->err);
}

static void
ask_others(struct worker_intake *in)
{
	struct registering *g = CONTAINER_OF(in, struct registering, in);
	struct buf b = BUF(LIMIT_WORKER_BYTES);
	struct err e;

	worker_intake_question(in, INTAKE_NAMES, &b);
	if (b.failed)
		workers_names_asked(in, err_set(&e, ERR_TOOBIG, "too large"), NULL, &e);
	else
		g->waits = peer_ask_all(in->ctx, arena_str(&in->arena, buf_str(&b)),
		    ASKED_BYTES, other_answered, g);
	if (!b.failed && g->waits == 0)
		workers_names_asked(in, OK, NULL, NULL);
	buf_release(&b);
}

/* Of another node. */
static int
answer_names(struct call *c, struct worker_intake *in)
{
	const char *why = NULL;
	struct err e;
	int rc = workers_names_free(c->api->desk, in, &why, &e);
	struct buf *b = call_out(c);

	if (rc < 0)
		json_add_fmt(b, "{'reason':%s,'detail':%s}", why, e.text);
	else
		buf_lit(b, "{}");
	arena_release(&in->arena);
	return call_json(c, STR_NONE);
}

int
api_worker_register(struct call *c)
{
	struct registering *g = arena_new(&c->r->arena, struct registering);
	struct worker_may may = { c->who.graphs, c->who.graphs_n };
	struct worker_intake *in;
	int rc;

	if (g == NULL)
		return err_set(&c->err, ERR_TOOBIG, "too large");
	in = &g->in;
	in->arena = ARENA(4 * (size_t)LIMIT_WORKER_BYTES);
	in->done = registered;
	in->ask = ask_others;
	in->ctx = c;
	in->asked = peer_asks(c) ? INTAKE_NAMES : 0;
	principal_key(&c->who, in->key);
	rc = worker_intake_read(in, c->in->node, may, &c->err);
	c->in = NULL;
	if (rc == OK && in->asked == 0)
		rc = call_audit_as(c, "workers:register");
	if (rc < 0) {
		arena_release(&in->arena);
		return rc;
	}
	if (in->asked == INTAKE_NAMES)
		return answer_names(c, in);
	if (in->asked == INTAKE_GRAPHS) {
		arena_release(&in->arena);
		return graphs_see(c);
	}
	workers_register(c->api->desk, in);
	return OK;
}

/* ---- polling ---------------------------------------------------------------------- */

struct poll_call {
	struct worker_poll poll;
	struct call *c;
};

static void
poll_answered(struct worker_poll *p)
{
	struct poll_call *w = CONTAINER_OF(p, struct poll_call, poll);
	struct call *c = w->c;
	struct buf *b = call_out(c);

	http_on_gone(c->r, NULL);
	json_add_fmt(b, "{%-.*s,'now':%lld}", FMT(buf_str(&p->text)),
	    (long long)shard_wall(c->r->shard));
	buf_release(&p->text);
	call_finish(c, call_json(c, STR_NONE));
}

static void
poll_gone(struct http_req *r)
{
	struct call *c = r->user;
	struct poll_call *w = c->worker_poll;

	worker_poll_leave(&w->poll);
	buf_release(&w->poll.text);
	call_empty(c, 204);
}

/* The worker of the path; false: there can be none. */
static bool
path_worker(struct call *c, struct uuid *id)
{
	return uuid_parse(c->param[0], id);
}

static int
worker_unknown(struct call *c)
{
	err_set(&c->err, ERR_NOTFOUND, "no worker of this id; register again");
	return worker_fail(c, ERR_NOTFOUND, "unknown_worker", &c->err);
}

static int
poll_begin(struct call *c, struct poll_call *w)
{
	uint8_t key[SHA256_SIZE];
	struct uuid id;
	int rc;

	if (!path_worker(c, &id))
		return worker_unknown(c);
	principal_key(&c->who, key);
	c->worker_poll = w;
	http_on_gone(c->r, poll_gone);
	http_left_by_eof(c->r);
	rc = workers_poll(c->api->desk, &w->poll, &id, key, &c->err);
	if (rc < 0)
		http_on_gone(c->r, NULL);
	return rc == ERR_NOTFOUND ? worker_unknown(c) : rc;
}

int
api_worker_poll(struct call *c)
{
	struct poll_call *w = arena_new(&c->r->arena, struct poll_call);
	struct fields places;

	if (w == NULL)
		return err_set(&c->err, ERR_TOOBIG, "too large");
	w->c = c;
	w->poll.answered = poll_answered;
	if (fields_object(c->in, "free", &places)) {
		fields_int(&places, "run", 0, LIMIT_WORKER_SLOTS,
		    &w->poll.free[WORKER_SLOT_RUN]);
		fields_int(&places, "node", 0, LIMIT_WORKER_SLOTS,
		    &w->poll.free[WORKER_SLOT_NODE]);
		fields_end(&places);
	} else {
		fields_fail(c->in, "free", ERR_INVALID, "expected {\"run\":N,\"node\":N}, got "
		    "nothing");
	}
	if (fields_end(c->in) != OK)
		return c->in->rc;
	c->in = NULL;
	return poll_begin(c, w);
}

/* ---- leaving ------------------------------------------------------------------------- */

static int
answer_now(struct call *c)
{
	json_add_fmt(call_out(c), "{'ok':true,'now':%lld}",
	    (long long)shard_wall(c->r->shard));
	return call_json(c, STR_NONE);
}

int
api_worker_leave(struct call *c)
{
	uint8_t key[SHA256_SIZE];
	struct uuid id;
	int rc;

	if (fields_end(c->in) != OK)
		return c->in->rc;
	c->in = NULL;
	if (!path_worker(c, &id))
		return worker_unknown(c);
	principal_key(&c->who, key);
	rc = workers_leave(c->api->desk, &id, key, &c->err);
	if (rc == ERR_NOTFOUND)
		return worker_unknown(c);
	return rc == OK ? answer_now(c) : rc;
}

/* ---- operators ------------------------------------------------------------------------ */

int
api_worker_drain(struct call *c)
{
	struct uuid id;
	int rc;

	if (fields_end(c->in) != OK)
		return c->in->rc;
	c->in = NULL;
	if (!path_worker(c, &id))
		return worker_unknown(c);
	rc = workers_quiet(c->api->desk, &id, &c->err);
	return rc == OK ? answer_now(c) : rc == ERR_NOTFOUND ? worker_unknown(c) : rc;
}

int
api_worker_get(struct call *c)
{
	struct buf *b = call_out(c);
	struct uuid id;

	if (!path_worker(c, &id) || workers_add_one(c->api->shared->o.workers, &id,
	    shard_now(c->r->shard), b, &c->err) < 0)
		return worker_unknown(c);
	return call_json(c, STR_NONE);
}
