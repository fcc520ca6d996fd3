/*
 * inject.c - POST /threads/{thread_id}/runs/{run_id}/inject: a message for the
 * conversation of a run under way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/peer.h"
#include "state/message.h"

#define TRIES 3                              /* while nodes park the run and wake it */

struct str
call_read_namespace(struct call *c)
{
	jnode n = fields_any(c->in, "namespace");
	struct words list = { 0 };
	struct buf b = BUF(LIMIT_CHECKPOINT_NS_BYTES);
	struct str ns = STR_NONE;

	if (json_is_null(n) || c->in->rc != OK)
		return ns;
	if (json_is_string(n)) {
		call_read_str(c, "namespace", LIMIT_CHECKPOINT_NS_BYTES, &ns);
		return ns;
	}
	list = words_read(c, "namespace", n, LIMIT_NAMESPACE_SEGMENTS);
	for (size_t i = 0; i < list.n; i++) {
		buf_add(&b, i > 0 ? S("|") : STR_NONE);
		buf_add(&b, list.at[i]);
	}
	if (b.failed)
		fields_fail(c->in, "namespace", ERR_INVALID, "longer than %d bytes",
		    LIMIT_CHECKPOINT_NS_BYTES);
	ns = arena_str(&c->r->arena, b.n > 0 ? buf_str(&b) : S(""));
	buf_release(&b);
	return ns;
}

/* A message of a person, or a system message. */
static int
read_message(struct call *c, struct str *out)
{
	jnode n = fields_any(c->in, "message");
	struct val given, message;
	int rc;

	if (json_is_null(n))
		return err_set(&c->err, ERR_INVALID, "message: missing");
	rc = call_val(c, "message", n, &given);
	if (rc != OK)
		return rc;
	rc = message_from(given, "message", &message, NULL, &c->err);
	val_drop(given);
	if (rc != OK)
		return rc;
	if (message_type(message) != MSG_HUMAN && message_type(message) != MSG_SYSTEM)
		rc = err_set(&c->err, ERR_INVALID, "message.role: expected user or system");
	else
		*out = arena_str(&c->r->arena, val_json_text(message));
	val_drop(message);
	return rc;
}

struct injecting { struct str ns, message; unsigned tries; };

static void
injected(void *ctx, int rc)
{
	struct call *c = ctx;
	struct injecting *x = c->injecting;

	/* Of two nodes that wake a run one has it. */
	if ((rc == ERR_CONFLICT || rc == ERR_BUSY) && peer_took(c))
		return;
	/* Nor is it that one's any more: it is parked again. */
	if (rc == ERR_BUSY && ++x->tries < TRIES) {
		run_inject(c->api->runs, c->owner, &c->thread_id, &c->run_id, x->ns, x->message,
		    injected, c);
		return;
	}
	if (rc == ERR_CONFLICT)
		err_set(&c->err, rc, "no conversation with a model is under way in this run");
	else if (rc == ERR_LIMIT)
		err_set(&c->err, rc, "%d messages wait for the next turn already",
		    LIMIT_LLM_INJECTS);
	else if (rc == ERR_NOTFOUND)
		err_set(&c->err, rc, "there is no such run on the thread");
	else if (rc < 0)
		err_set(&c->err, rc, "the message could not be stored");
	if (rc < 0)
		call_fail(c, rc, &c->err);
	else
		call_finish(c, c->then(c));
}

int
call_inject(struct call *c, int (*then)(struct call *c))
{
	struct str message = STR_NONE, ns = call_read_namespace(c);
	int rc = c->in->rc;

	if (rc == OK)
		rc = read_message(c, &message);
	if (rc == OK && arena_rc(&c->r->arena) != OK)
		rc = ERR_TOOBIG;
	if (rc != OK)
		return rc;
	c->then = then;
	c->injecting = arena_zero(&c->r->arena, sizeof *c->injecting);
	if (c->injecting == NULL)
		return ERR_TOOBIG;
	*c->injecting = (struct injecting){ ns, message, 0 };
	run_inject(c->api->runs, c->owner, &c->thread_id, &c->run_id, ns, message,
	    injected, c);
	return OK;
}

static int
answer(struct call *c)
{
	buf_lit(call_out(c), "{}");
	return call_json(c, STR_NONE);
}

int
api_run_inject(struct call *c)
{
	return call_inject(c, answer);
}
