/*
 * host_store.c - the store of items, for tasks: read at once, written and searched
 * by commands.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/job_priv.h"

struct item_call {
	union {
		struct store_cmd cmd;
		struct store_item_put put;
		struct store_item_delete del;
		struct store_item_search search;
	} c;
	struct arena arena;
	struct task_store *s;                /* NULL: nobody waits any more */
	struct job_task *task;               /* while s is there */
	struct job *job;
	struct run *run;
};

static void
note_item(const struct job_task *t, const struct task_store *s, int rc, struct val result,
    const struct err *e)
{
	static const char *const names[] = { [TASK_STORE_GET] = "store.get",
		[TASK_STORE_PUT] = "store.put", [TASK_STORE_SEARCH] = "store.search",
		[TASK_STORE_DELETE] = "store.delete" };
	struct note note = job_task_note(t);
	struct buf what = BUF(LIMIT_STATE_BYTES);

	buf_add(&what, s->ns);
	buf_add_char(&what, '/');
	buf_add(&what, s->op == TASK_STORE_SEARCH ? s->query : s->key);
	note_result(&note, &(struct note_result){ .of = str_of(names[s->op]),
	    .what = buf_str(&what), .rc = rc, .value = result,
	    .words = rc != OK ? str_of(e->text) : STR_NONE });
	buf_release(&what);
}

static void
item_came(struct store_cmd *cmd)
{
	struct item_call *x = CONTAINER_OF(cmd, struct item_call, c.cmd);
	struct run *run = x->run;
	struct val result = VAL_NIL;
	struct job *j = x->job;

	if (x->s != NULL) {
		if (cmd->rc == OK && cmd->op == STORE_ITEM_SEARCH) {
			result = val_array_empty();
			for (size_t i = 0; i < x->c.search.items_n; i++)
				result = val_push_take(result,
				    saved_item(&x->c.search.items[i]));
			items_touch(run->rs, cmd->owner, x->c.search.items,
			    x->c.search.items_n);
		}
		x->s->host_data = NULL;
		note_item(x->task, x->s, cmd->rc, result, &cmd->err);
		x->s->done(x->s, cmd->rc, result, &cmd->err);
		val_drop(result);
		job_pump(j);
	}
	arena_release(&x->arena);
	free(x);
	run_returned(run);
}

static void
item_get(struct job_task *t, struct task_store *s)
{
	struct job *j = t->job;
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct store_item item;
	struct err e = { 0 };
	int rc = store_item_get(j->run->rs->reader, j->run->place.owner, s->ns, s->key,
	    shard_wall(j->run->rs->shard), &a, &item);
	struct val result = rc == OK ? saved_item(&item) : VAL_NIL;

	if (rc == OK)
		items_touch(j->run->rs, j->run->place.owner, &item, 1);
	if (rc != OK && rc != ERR_NOTFOUND)
		err_set(&e, rc, "the item could not be read");
	rc = rc == ERR_NOTFOUND ? OK : rc;
	note_item(t, s, rc, result, &e);
	s->done(s, rc, result, &e);
	val_drop(result);
	arena_release(&a);
}

static struct str
value_text(struct arena *a, struct val v)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str text;

	val_add_json(&b, v);
	text = arena_str(a, buf_str(&b));
	if (b.failed)
		a->failed = true;
	buf_release(&b);
	return text;
}

static void
item_fill(struct item_call *x, const struct task_store *s, msec now)
{
	struct str ns = arena_str(&x->arena, s->ns), key = arena_str(&x->arena, s->key);

	if (s->op == TASK_STORE_PUT) {
		x->c.put.item = (struct store_item){ .ns = ns, .key = key,
		    .value_json = value_text(&x->arena, s->value), .created = now,
		    .updated = now, .ttl = ITEM_TTL_DEFAULT };
		x->c.cmd.op = STORE_ITEM_PUT;
	} else if (s->op == TASK_STORE_DELETE) {
		x->c.del.ns = ns;
		x->c.del.key = key;
		x->c.cmd.op = STORE_ITEM_DELETE;
	} else {
		x->c.search.ns = ns;
		x->c.search.filter_json = s->filter.kind == VAL_UNDEFINED ? S("{}") :
		    value_text(&x->arena, s->filter);
		x->c.search.query = arena_str(&x->arena, s->query);
		x->c.search.limit = s->limit;
		x->c.search.offset = s->offset;
		x->c.search.now = now;
		x->c.cmd.op = STORE_ITEM_SEARCH;
	}
}

void
host_store(void *ctx, struct task_store *s)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct runs *rs = j->run->rs;
	struct item_call *x;
	struct err e;

	if (s->op == TASK_STORE_GET) {
		item_get(t, s);
		return;
	}
	x = mem_new(struct item_call);
	x->arena = ARENA(4u * LIMIT_STATE_BYTES);
	item_fill(x, s, shard_wall(rs->shard));
	x->s = s;
	x->task = t;
	x->job = j;
	x->run = run_hold(j->run);
	runs_busy(rs, 1);
	x->c.cmd.owner = j->run->place.owner;
	x->c.cmd.arena = &x->arena;
	x->c.cmd.done = item_came;
	s->host_data = x;
	if (arena_rc(&x->arena) == OK &&
	    items_submit(rs, &x->c.cmd) == OK)
		return;
	s->host_data = NULL;
	s->done(s, ERR_BUSY, VAL_NIL, (err_set(&e, ERR_BUSY, "the value is too large, "
	    "or the write queue is full"), &e));
	arena_release(&x->arena);
	free(x);
	run_returned(j->run);
}

void
host_store_stop(void *ctx, struct task_store *s)
{
	struct item_call *x = s->host_data;

	(void)ctx;
	if (x != NULL)
		x->s = NULL;
	s->host_data = NULL;
}
