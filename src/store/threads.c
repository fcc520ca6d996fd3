/*
 * threads.c - threads, store items, stream blocks and the journal: the
 * commands that are one or two statements.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

#define ERASE_NOW 300                        /* rows; more are buried */

/* ---- threads ------------------------------------------------------------- */

int
thread_enter(struct store *st, owner_t owner, const struct store_thread *t)
{
	int rc = tally_add(st, owner, TALLY_STATUS(t->status), 1);

	return rc != OK ? rc : facets_change(st, &(struct thread_key){ owner,
	    t->created, t->seq }, STR_NONE, t->metadata_json);
}

int
thread_leave(struct store *st, owner_t owner, const struct store_thread *t)
{
	int rc = tally_add(st, owner, TALLY_STATUS(t->status), -1);

	return rc != OK ? rc : facets_change(st, &(struct thread_key){ owner,
	    t->created, t->seq }, t->metadata_json, STR_NONE);
}

static int
thread_existing(struct store *st, struct store_thread_create *x)
{
	struct query q = query_of(&st->w, SQL_THREAD_GET);
	int rc;

	bind_uuid(&q, &x->t.id);
	bind_i64(&q, x->cmd.owner);
	rc = x->do_nothing ? query_row(&q) : ERR_NOTFOUND;
	if (rc == OK)
		rc = thread_read(&q, x->cmd.arena, &x->t);
	query_end(&q);
	if (rc == ERR_NOTFOUND)              /* or somebody else's */
		rc = err_set(&x->cmd.err, ERR_CONFLICT, "Thread already exists");
	return rc;
}

int
op_thread_create(struct store *st, struct store_cmd *c)
{
	struct store_thread_create *x = (struct store_thread_create *)c;
	struct uuid assistant = metadata_assistant(x->t.metadata_json);
	struct query q = query_of(&st->w, SQL_THREAD_INSERT);
	int64_t seq = seq_next(st, SEQ_THREAD);
	int rc;

	assert(!uuid_is_zero(&x->t.id));
	bind_i64(&q, seq);
	bind_uuid(&q, &x->t.id);
	bind_i64(&q, c->owner);
	bind_i64(&q, THREAD_IDLE);
	bind_i64(&q, x->t.created);
	bind_i64(&q, x->t.updated);
	bind_uuid(&q, &assistant);
	bind_json(&q, x->t.metadata_json);
	bind_json(&q, x->t.config_json);
	rc = query_run(&q);
	if (rc != OK)
		return rc;
	if (sqlite3_changes64(st->w.h) == 0)
		return thread_existing(st, x);
	x->t.seq = seq;
	x->t.status = THREAD_IDLE;
	x->t.checkpoint = 0;
	x->t.error_json = STR_NONE;
	return thread_enter(st, c->owner, &x->t);
}

int
op_thread_update(struct store *st, struct store_cmd *c)
{
	struct store_thread_update *x = (struct store_thread_update *)c;
	struct query q = query_of(&st->w, SQL_THREAD_GET);
	struct uuid assistant;
	struct str before;
	int rc;

	bind_uuid(&q, &x->id);
	bind_i64(&q, c->owner);
	rc = query_row(&q);
	if (rc == OK)
		rc = thread_read(&q, c->arena, &x->t);
	query_end(&q);
	before = x->t.metadata_json;
	if (rc == OK)
		rc = object_merge(c->arena, before, x->metadata_json,
		    &x->t.metadata_json, &c->err);
	if (rc != OK)
		return rc;
	x->t.updated = x->now;
	assistant = metadata_assistant(x->t.metadata_json);
	q = query_of(&st->w, SQL_THREAD_UPDATE);
	bind_i64(&q, x->now);
	bind_uuid(&q, &assistant);
	bind_json(&q, x->t.metadata_json);
	bind_i64(&q, x->t.seq);
	bind_i64(&q, c->owner);
	rc = query_run(&q);
	return rc != OK ? rc : facets_change(st,
	    &(struct thread_key){ c->owner, x->t.created, x->t.seq }, before,
	    x->t.metadata_json);
}

int
thread_is_quiet(struct store *st, struct store_cmd *c, int64_t seq)
{
	struct query q = query_of(&st->w, SQL_RUN_ACTIVE);
	int64_t active = 0;
	int rc;

	bind_i64(&q, seq);
	rc = query_row(&q);
	if (rc == OK)
		active = col_i64(&q, 1);
	query_end(&q);
	if (rc == OK && active > 0)
		rc = err_set(&c->err, ERR_CONFLICT, "Thread has a run under way");
	return rc;
}

int
op_thread_delete(struct store *st, struct store_cmd *c)
{
	struct store_thread_delete *x = (struct store_thread_delete *)c;
	struct query q = query_of(&st->w, SQL_THREAD_GET);
	struct store_thread t = { .seq = 0 };
	int64_t budget = ERASE_NOW, seq;
	int rc;

	bind_uuid(&q, &x->id);
	bind_i64(&q, c->owner);
	rc = query_row(&q);
	if (rc == OK)
		rc = thread_read(&q, &st->scratch, &t);
	query_end(&q);
	seq = t.seq;
	if (rc == OK)
		rc = thread_is_quiet(st, c, seq);
	if (rc == OK)
		rc = thread_leave(st, c->owner, &t);
	if (rc == OK)
		rc = thread_erase(&st->w, seq, &budget);
	if (rc != ERR_AGAIN)
		return rc;
	st->dead = true;
	q = query_of(&st->w, SQL_THREAD_BURY);
	bind_i64(&q, seq);
	bind_i64(&q, c->owner);
	return query_run(&q);
}

/* ---- items --------------------------------------------------------------- */

int
op_item_put(struct store *st, struct store_cmd *c)
{
	struct store_item_put *x = (struct store_item_put *)c;
	static const enum sql text[] = { SQL_ITEM_CHANGE, SQL_ITEM_INSERT };
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(text); i++) {
		struct query q = query_of(&st->w, text[i]);

		bind_i64(&q, c->owner);
		bind_text(&q, x->item.ns);
		bind_text(&q, x->item.key);
		bind_i64(&q, x->item.updated);
		bind_json(&q, x->item.value_json);
		if (text[i] == SQL_ITEM_INSERT)
			bind_i64(&q, x->item.created);
		rc = query_run(&q);
		if (rc == OK && sqlite3_changes64(st->w.h) > 0)
			break;               /* it was there */
	}
	return rc;
}

int
op_item_delete(struct store *st, struct store_cmd *c)
{
	struct store_item_delete *x = (struct store_item_delete *)c;
	struct query q = query_of(&st->w, SQL_ITEM_DELETE);

	bind_i64(&q, c->owner);
	bind_text(&q, x->ns);
	bind_text(&q, x->key);
	return query_run(&q);
}

/* ---- streams and the journal --------------------------------------------- */

/* Both write through a SELECT that finds the run only for its owner. */
static int
run_or_notfound(struct store *st, int rc)
{
	if (rc == OK && sqlite3_changes64(st->w.h) == 0)
		return ERR_NOTFOUND;
	return rc;
}

int
op_stream_append(struct store *st, struct store_cmd *c)
{
	struct store_stream_append *x = (struct store_stream_append *)c;
	struct query q = query_of(&st->w, SQL_STREAM_INSERT);

	assert(x->first_id <= x->last_id);
	bind_i64(&q, x->run_seq);
	bind_i64(&q, c->owner);
	bind_i64(&q, x->last_id);
	bind_i64(&q, x->first_id);
	bind_blob(&q, x->bytes);
	return run_or_notfound(st, query_run(&q));
}

static void
call_bind(struct query *q, const struct store_call *x)
{
	bind_i64(q, x->run_seq);
	bind_i64(q, x->thread_seq);
	bind_i64(q, x->cmd.owner);
	bind_i64(q, x->step);
	bind_text(q, x->call_id);
	bind_str(q, x->name);
}

/* Starting what is already there changes nothing: it tells a call that is
 * started again after a crash from one of another's run. */
int
op_call_start(struct store *st, struct store_cmd *c)
{
	struct store_call *x = (struct store_call *)c;
	struct query q = query_of(&st->w, SQL_CALL_START);
	int rc;

	call_bind(&q, x);
	rc = query_run(&q);
	if (rc != OK || sqlite3_changes64(st->w.h) > 0)
		return rc;
	q = query_of(&st->w, SQL_RUN_AT);
	bind_i64(&q, x->run_seq);
	bind_i64(&q, c->owner);
	rc = query_row(&q);
	if (rc == OK && col_i64(&q, 4) != x->thread_seq)
		rc = ERR_NOTFOUND;
	query_end(&q);
	return rc;
}

int
op_call_done(struct store *st, struct store_cmd *c)
{
	struct store_call *x = (struct store_call *)c;
	struct query q = query_of(&st->w, SQL_CALL_DONE);

	call_bind(&q, x);
	bind_text(&q, x->result);
	return run_or_notfound(st, query_run(&q));
}
