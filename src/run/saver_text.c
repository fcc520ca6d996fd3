/*
 * saver_text.c - see saver_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/saver_text.h"

#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_rows.h"

#define ARENA_BYTES (64 * MB)

struct text_op {
	struct changes x;
	struct arena arena;
	union {
		struct store_cmd cmd;
		struct store_saver_text text;
		struct store_saver_list list;
	} op;
	void (*done)(void *ctx, int rc, struct str members, const struct err *e);
	void *ctx;
};

static void
op_end(struct text_op *t, int rc, struct str members, const struct err *e)
{
	t->done(t->ctx, rc, members, e);
	changes_release(&t->x);
	arena_release(&t->arena);
	free(t);
}

static void
came(struct store_cmd *cmd)
{
	struct text_op *t = CONTAINER_OF(cmd, struct text_op, op.cmd);
	struct buf members = BUF(SIZE_MAX / 2);      /* a page is bounded by the store */

	if (cmd->rc == OK && cmd->op == STORE_SAVER_LIST)
		hosted_list_write(&t->op.list, &members);
	op_end(t, cmd->rc, buf_str(&members), &cmd->err);
	buf_release(&members);
}

static void
submit(struct text_op *t, const struct saver_text_from *from, enum store_op op)
{
	struct store_cmd *c = &t->op.cmd;
	struct err e;
	int rc;

	c->op = op;
	c->owner = from->owner;
	c->arena = &t->arena;
	c->done = came;
	rc = store_submit(from->store, from->shard, c, false);
	if (rc < 0) {
		err_set(&e, rc, "the store is busy; try again");
		op_end(t, rc, STR_NONE, &e);
	}
}

/* ---- operations -------------------------------------------------------------------- */

static void
op_get(struct text_op *t, const struct hosted_from *at, jnode body)
{
	struct buf members = BUF(SIZE_MAX / 2);
	struct err e;
	int rc = hosted_rows_get(at, body, &members, NULL, &e);

	op_end(t, rc, buf_str(&members), &e);
	buf_release(&members);
}

static void
op_list(struct text_op *t, const struct saver_text_from *from, const struct hosted_from *at,
    jnode body, bool all)
{
	struct err e;
	int rc = hosted_list_read(&t->op.list, at, &t->arena, body, &e);

	if (rc < 0)
		op_end(t, rc, STR_NONE, &e);
	else if (!all && at->thread_seq == 0)
		op_end(t, OK, S("\"items\":[]"), NULL);
	else
		submit(t, from, STORE_SAVER_LIST);
}

static void
op_write(struct text_op *t, const struct saver_text_from *from, const struct hosted_from *at,
    jnode body, struct str thread, bool drop)
{
	struct store_saver_text *op = &t->op.text;
	struct err e;
	int rc = drop ? OK : hosted_rows_take(&t->x, at, NULL, body, &e);

	if (rc < 0) {
		op_end(t, rc, STR_NONE, &e);
		return;
	}
	op->thread = arena_str(&t->arena, thread);
	op->puts = t->x.saver_puts;
	op->puts_n = t->x.saver_puts_n;
	op->writes = t->x.saver_writes;
	op->writes_n = t->x.saver_writes_n;
	op->drop = drop;
	op->now = at->now;
	submit(t, from, STORE_SAVER_TEXT);
}

/* ---- the question -------------------------------------------------------------------- */

static int
find_thread(const struct saver_text_from *from, struct str name, int64_t *seq, struct err *e)
{
	struct arena a = ARENA(ARENA_BYTES);
	struct uuid id = store_saver_thread(from->owner, name);
	struct store_thread t;
	int rc = store_thread_get(from->reader, from->owner, &id, &a, &t);

	*seq = rc == OK ? t.seq : 0;
	arena_release(&a);
	return rc == OK || rc == ERR_NOTFOUND ? OK : err_set(e, rc, "the thread could not be "
	    "read");
}

void
saver_text(const struct saver_text_from *from, jnode body,
    void (*done)(void *ctx, int rc, struct str members, const struct err *e), void *ctx)
{
	struct hosted_from at = { .reader = from->reader, .owner = from->owner,
		.now = shard_wall(from->shard) };
	bool drop = str_eq(json_str(json_get(body, S("op"))), S("delete_thread"));
	struct text_op *t = mem_new(struct text_op);
	struct str thread = STR_NONE;
	struct err e;
	int op = drop ? HOSTED_WRITES : hosted_op(body, &e), rc = op < 0 ? ERR_INVALID : OK;

	changes_init(&t->x);
	t->arena = ARENA(ARENA_BYTES);
	t->done = done;
	t->ctx = ctx;
	if (rc == OK)
		rc = json_get_str(body, "thread_id", "thread_id", STR_NONE, LIMIT_NAME_BYTES,
		    &thread, &e);
	if (rc == OK && thread.p == NULL && op != HOSTED_LIST)
		rc = err_set(&e, ERR_INVALID, "thread_id: expected a text, got nothing");
	if (rc == OK && thread.p != NULL)
		rc = find_thread(from, thread, &at.thread_seq, &e);
	if (rc < 0)
		op_end(t, rc, STR_NONE, &e);
	else if (op == HOSTED_GET)
		op_get(t, &at, body);
	else if (op == HOSTED_LIST)
		op_list(t, from, &at, body, thread.p == NULL);
	else
		op_write(t, from, &at, body, thread, drop);
}
