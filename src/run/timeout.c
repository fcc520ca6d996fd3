/*
 * timeout.c - questions whose time is over: the server answers them itself, by a
 * run of its own.
 *
 * The row of that run and the check that the question still waits are one
 * transaction, so of an answer and the timeout one wins.  A thread that is busy is
 * looked at again later, and so is a question whose run could not be made.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/run_priv.h"
#include "task/task.h"

struct timeout {
	struct store_ask_later c;
	struct runs *rs;
	struct uuid id, thread_id;
	int64_t thread_seq;
};

static void
finish(struct timeout *x, bool ok)
{
	struct runs *rs = x->rs;

	free(x);
	sleep_woken(rs, ok);
}

/* ---- not now --------------------------------------------------------------------- */

static void
put_off(struct store_cmd *cmd)
{
	struct timeout *x = CONTAINER_OF(cmd, struct timeout, c.cmd);
	struct runs *rs = x->rs;

	finish(x, cmd->rc == OK || cmd->rc == ERR_CONFLICT);
	runs_busy(rs, -1);
}

static void
later(struct timeout *x)
{
	struct runs *rs = x->rs;
	int rc;

	x->c.cmd.op = STORE_ASK_LATER;
	x->c.cmd.done = put_off;
	x->c.thread_seq = x->thread_seq;
	x->c.id = x->id;
	x->c.due = shard_wall(rs->shard) + LIMIT_ASK_AGAIN_MS;
	rc = store_submit(rs->sh->store, rs->shard, &x->c.cmd, true);
	if (rc == OK)
		runs_busy(rs, 1);
	else
		finish(x, false);
}

static void
created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct timeout *x = ctx;

	(void)run;
	if (rc == OK || x->rs->draining) {
		finish(x, rc == OK);
		return;
	}
	if (rc != ERR_CONFLICT)
		log_warn("run", "timeout_put_off", "rc=%s reason=%s", rc_name(rc), e->text);
	later(x);
}

/* ---- the run ----------------------------------------------------------------------- */

/* The assistant of the run that asked. */
static int
assistant_of(struct runs *rs, const struct store_due *d, struct arena *a,
    struct store_assistant *out)
{
	struct store_run asked;
	int rc = store_run_get(rs->reader, d->owner, &d->run_id, a, &asked);

	if (rc != OK)
		return rc;
	rc = store_assistant_get(rs->reader, d->owner, &asked.assistant_id, a, out);
	if (rc == ERR_NOTFOUND) {            /* deleted since */
		*out = (struct store_assistant){ .id = asked.assistant_id,
		    .graph_id = asked.graph_id, .config_json = S("{}"),
		    .context_json = S("{}"), .metadata_json = S("{}"), .version = 1 };
		rc = OK;
	}
	return rc;
}

static void
start(struct timeout *x, struct run_request *q)
{
	char text[256], hex[33];
	struct json_doc d = { 0 };
	struct err e = { 0 };
	int rc;

	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", x->id.b[i]);
	snprintf(text, sizeof text, "{\"command\":{\"resume\":{\"%s\":{\"" TASK_TIMEOUT_KEY
	    "\":true}}},\"metadata\":{\"created_by\":\"timeout\",\"interrupt_id\":\"%s\"}}",
	    hex, hex);
	rc = json_parse(&d, str_of(text), &e);
	q->command = json_get(d.root, S("command"));
	q->metadata = json_get(d.root, S("metadata"));
	if (rc == OK)
		rc = run_start(x->rs, q, NULL, created, x, &e);
	json_release(&d);
	if (rc != OK)
		created(x, rc, NULL, &e);
}

void
ask_times_out(struct runs *rs, const struct store_due *due)
{
	struct timeout *x = mem_new(struct timeout);
	struct arena a = ARENA(8u * LIMIT_STATE_BYTES);
	struct run_request q = { .owner = due->owner, .thread_id = due->thread_id,
	    .headers_json = S("{}"), .modes_json = S("[\"values\"]"),
	    .modes = MODE_VALUES, .multitask = MULTITASK_REJECT, .times_out = due->id };
	struct err e = { 0 };
	int rc;

	x->rs = rs;
	x->id = due->id;
	x->thread_id = due->thread_id;
	x->thread_seq = due->thread_seq;
	rc = assistant_of(rs, due, &a, &q.assistant);
	if (rc == OK)
		start(x, &q);
	else
		created(x, err_set(&e, rc, "the run that asked cannot be read"), NULL, &e);
	arena_release(&a);
}
