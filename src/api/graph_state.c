/*
 * graph_state.c - states of threads whose graph is in a worker, changed by clients: the
 * worker is asked, the request waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>

#include "agent/agent.h"
#include "run/hosted_update.h"

static void
write_add(struct buf *b, struct val values, struct str as_node)
{
	json_add_fmt(b, ",{'values':");
	val_add_json(b, values.kind == VAL_UNDEFINED ? VAL_NIL : values);
	if (as_node.p != NULL)
		json_add_fmt(b, ",'as_node':%.*s", FMT(as_node));
	buf_add_char(b, '}');
}

/* Several objects are several returns of the node; LangGraph wants them one by one. */
static void
step_add(struct buf *b, const struct update_step *s)
{
	json_add_comma(b);
	buf_add_char(b, '[');
	for (size_t i = 0; i < s->n; i++) {
		const struct update_write *w = &s->at[i];
		size_t n = w->values.kind == VAL_ARRAY ? val_count(w->values) : 0;
		bool apart = n == 1 || (n > 1 && w->as_node.p != NULL &&
		    !str_starts(w->as_node, S("__")));

		for (size_t k = 0; apart && k < n; k++)
			write_add(b, val_at(w->values, k), w->as_node);
		if (!apart)
			write_add(b, w->values, w->as_node);
	}
	buf_add_char(b, ']');
}

struct str
graph_state_steps(struct call *c, const struct update_step *steps, size_t n)
{
	struct buf b = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	struct str text;

	buf_add_char(&b, '[');
	for (size_t i = 0; i < n; i++)
		step_add(&b, &steps[i]);
	buf_add_char(&b, ']');
	text = b.failed ? STR_NONE : arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

static void
updated(void *ctx, int rc, const struct err *e, struct str ns, const struct uuid *id)
{
	struct call *c = ctx;

	if (rc < 0) {
		call_fail(c, rc, e);
		return;
	}
	c->made = (struct checkpoint_ref){ *id, arena_str(&c->r->arena, ns) };
	call_finish(c, call_state_updated(c));
}

int
graph_state_update(struct call *c, const struct store_thread *t,
    struct hosted_update_request *q)
{
	int rc;

	if (q->supersteps.n == 0)
		return err_set(&c->err, ERR_TOOBIG, "values: too large");
	q->thread_id = t->id;
	q->thread_seq = t->seq;
	q->owner = c->owner;
	rc = hosted_update_begin(c->api->runs, q, updated, c, &c->err);
	if (rc == OK)
		c->in = NULL;
	return rc;
}

/* ---- a new thread --------------------------------------------------------------------- */

struct seeding {
	struct call *c;
	int (*then)(struct call *c);
	int rc;
	struct err err;
};

static int
taken_back(struct call *c)
{
	c->err = c->seeding->err;
	return c->seeding->rc;
}

/* The thread is deleted if its history could not be made. */
static int
take_back(struct seeding *s, int rc, const struct err *e)
{
	struct call *c = s->c;

	s->rc = rc;
	s->err = *e;
	c->with_key = false;                 /* it is of the thread's creation */
	c->op.thread_delete = (struct store_thread_delete){ .id = c->thread_id };
	return call_submit(c, STORE_THREAD_DELETE, taken_back);
}

static void
seeded(void *ctx, int rc, const struct err *e, struct str ns, const struct uuid *id)
{
	struct seeding *s = ctx;
	struct call *c = s->c;

	(void)ns;
	(void)id;
	call_finish(c, rc == OK ? s->then(c) : take_back(s, rc, e));
}

int
graph_state_seed(struct call *c, int (*then)(struct call *c))
{
	struct seeding *s = arena_new(&c->r->arena, struct seeding);
	struct hosted_update_request q = { .owner = c->owner, .supersteps = c->seed,
	    .thread_id = c->thread_id, .thread_seq = c->op.thread_create.t.seq };
	const struct agent *a = api_thread_agent(c, &c->op.thread_create.t);
	struct err e;
	int rc = ERR_NOTFOUND;

	assert(s != NULL);
	*s = (struct seeding){ .c = c, .then = then };
	c->seeding = s;
	q.agent = a;
	if (a == NULL || a->hosted == NULL)
		err_set(&e, rc, "metadata.graph_id: the graph is not there any more");
	else
		rc = hosted_update_begin(c->api->runs, &q, seeded, s, &e);
	return rc == OK ? OK : take_back(s, rc, &e);
}
