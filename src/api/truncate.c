/*
 * truncate.c - POST /internal/truncate: deletes all that the caller owns, for tests.
 *
 * 404 unless the server was started with --test-hooks.  The assistants of graphs stay.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

/* Kinds in the order in which they go. */
static const char *const names[TRUNCATES] = {
	[TRUNCATE_THREADS] = "threads", [TRUNCATE_ASSISTANTS] = "assistants",
	[TRUNCATE_ITEMS] = "store",
};

static int truncated(struct call *c);

/* The next kind from `what` on that was asked for; c->done has them as bits. */
static int
truncate_next(struct call *c, int what)
{
	struct store_truncate *op = &c->op.truncate;

	while (what < TRUNCATES && !(c->done & 1 << what))
		what++;
	if (what < TRUNCATES) {
		*op = (struct store_truncate){ .what = (enum store_truncated)what };
		return call_submit(c, STORE_TRUNCATE, truncated);
	}
	json_add_fmt(call_out(c), "{'ok':true}");
	return call_json(c, STR_NONE);
}

static int
truncated(struct call *c)
{
	const struct store_truncate *op = &c->op.truncate;

	for (size_t i = 0; i < op->gone_n; i++)
		runs_thread_deleted(c->api->runs, &op->gone[i]);
	return truncate_next(c, (int)op->what + !op->more);
}

int
api_truncate(struct call *c)
{
	bool runs = false, checkpointer = false;

	if (!c->api->shared->o.test_hooks)
		return err_set(&c->err, ERR_NOTFOUND, "404 Not Found");
	c->done = 0;
	for (int i = 0; i < TRUNCATES; i++) {
		bool yes = false;

		fields_bool(c->in, names[i], &yes);
		c->done |= yes ? 1 << i : 0;
	}
	fields_bool(c->in, "runs", &runs);
	fields_bool(c->in, "checkpointer", &checkpointer);
	if ((runs || checkpointer) && !(c->done & 1 << TRUNCATE_THREADS))
		fields_fail(c->in, runs ? "runs" : "checkpointer", ERR_INVALID, "these go with "
		    "their threads; send \"threads\": true");
	return c->in->rc < 0 ? c->in->rc : truncate_next(c, 0);
}
