/*
 * threads.c - threads and stream blocks: the
 * commands that are one or two statements.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

/* ---- threads ------------------------------------------------------------- */

int
threads_index(struct store *st, owner_t owner, const struct store_thread *t)
{
	int rc = tally_add(st, owner, TALLY_STATUS(t->status), 1);

	return rc != OK ? rc : facets_change(st, &(struct thread_key){ owner,
	    t->created, t->seq }, STR_NONE, t->metadata_json);
}

int
threads_unindex(struct store *st, owner_t owner, const struct store_thread *t)
{
	int rc = tally_add(st, owner, TALLY_STATUS(t->status), -1);

	return rc != OK ? rc : facets_change(st, &(struct thread_key){ owner,
	    t->created, t->seq }, t->metadata_json, STR_NONE);
}

static int
thread_existing(struct store *st, struct store_thread_create *x)
{
	struct query q = query_of(&st->w, SQL_THREAD_GET, db_uuid(&x->t.id),
	    db_i64(x->cmd.owner));
	int rc = !x->do_nothing ? ERR_NOTFOUND :
	    query_one(q, &store_thread_record, &x->t, x->cmd.arena);

	if (rc == ERR_NOTFOUND)              /* or somebody else's */
		rc = err_set(&x->cmd.err, ERR_CONFLICT, "Thread already exists");
	return rc;
}

/* A history to begin with. */
static int
thread_seed(struct store *st, struct store_thread_create *x)
{
	struct changing w;
	int rc = changing_open(&w, st, &x->cmd, x->cmd.owner, x->t.seq);

	if (rc == OK)
		rc = changes_write(&w, x->changes);
	x->t.checkpoint = rc == OK ? place_root(&w)->seq : 0;
	if (w.updated > x->t.state_updated)
		x->t.state_updated = w.updated;
	return rc == OK ? thread_advance(&w) : rc;
}

static int
thread_create(struct store *st, struct store_cmd *c)
{
	struct store_thread_create *x = (struct store_thread_create *)c;
	struct uuid assistant = records_assistant(x->t.metadata_json);
	int64_t seq = store_seq_next(st, SEQ_THREAD);
	int rc;

	assert(!uuid_is_zero(&x->t.id));
	if (x->t.ttl.ms == 0)
		x->t.ttl = st->thread_ttl;
	x->t.expires = x->t.ttl.ms == 0 ? 0 : x->t.created + x->t.ttl.ms;
	rc = db_run(&st->w, SQL_THREAD_INSERT, db_i64(seq), db_uuid(&x->t.id),
	    db_i64(c->owner), db_i64(THREAD_IDLE), db_i64(x->t.created),
	    db_i64(x->t.updated), db_uuid(&assistant),
	    db_json(x->t.metadata_json), db_json(x->t.config_json),
	    db_i64(x->t.ttl.ms), db_i64(x->t.ttl.strategy), db_i64(x->t.expires),
	    db_i64(0));
	if (rc != OK)
		return rc;
	if (db_changes(&st->w) == 0)
		return thread_existing(st, x);
	rc = quota_check(st, c, QUOTA_THREADS, 1);
	if (rc != OK)
		return rc;
	x->t.seq = seq;
	x->t.status = THREAD_IDLE;
	x->t.checkpoint = 0;
	x->t.state_updated = x->t.created;
	x->t.error_json = STR_NONE;
	rc = threads_index(st, c->owner, &x->t);
	return rc == OK && x->changes != NULL ? thread_seed(st, x) : rc;
}

static size_t
thread_create_bytes(const struct store_cmd *c)
{
	const struct store_thread_create *x = (const void *)c;

	return x->changes != NULL ? changes_bytes(x->changes) : 0;
}
OP_LOCK(thread_create, lock_thread_new(l, &x->t.id), lock_quota(l, &x->cmd))
const struct op store_op_thread_create = { .run = thread_create,
    .bytes = thread_create_bytes,
    .texts = OP_TEXTS(OP_TEXT(thread_create, t.metadata_json),
    OP_TEXT(thread_create, t.config_json)), .locks = thread_create_locks, .numbers = true };

static int
ttl_change(struct store *st, struct store_thread_update *x)
{
	x->t.ttl = x->ttl;
	x->t.expires = x->now + x->ttl.ms;
	return db_run(&st->w, SQL_THREAD_TTL, db_i64(x->ttl.ms),
	    db_i64(x->ttl.strategy), db_i64(x->t.expires), db_i64(x->t.seq),
	    db_i64(x->cmd.owner));
}

static int
thread_update(struct store *st, struct store_cmd *c)
{
	struct store_thread_update *x = (struct store_thread_update *)c;
	struct uuid assistant;
	struct str before;
	int rc = query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(&x->id),
	    db_i64(c->owner)), &store_thread_record, &x->t, c->arena);

	before = x->t.metadata_json;
	if (rc == OK)
		rc = records_merge(c->arena, before, x->metadata_json,
		    &x->t.metadata_json, &c->err);
	if (rc != OK)
		return rc;
	x->t.updated = x->now;
	assistant = records_assistant(x->t.metadata_json);
	rc = db_run(&st->w, SQL_THREAD_UPDATE, db_i64(x->now),
	    db_uuid(&assistant), db_json(x->t.metadata_json), db_i64(x->t.seq),
	    db_i64(c->owner));
	if (rc == OK && x->ttl.ms > 0)
		rc = ttl_change(st, x);
	return rc != OK ? rc : facets_change(st,
	    &(struct thread_key){ c->owner, x->t.created, x->t.seq }, before,
	    x->t.metadata_json);
}
OP_LOCK(thread_update, lock_thread(l, &x->id))
const struct op store_op_thread_update = { .run = thread_update,
    .texts = OP_TEXTS(OP_TEXT(thread_update, metadata_json)),
    .locks = thread_update_locks };

int
threads_check_idle(struct store *st, struct store_cmd *c, int64_t seq)
{
	int64_t active = 0;
	struct query q = query_of(&st->w, SQL_RUN_ACTIVE, db_i64(seq));
	int rc = query_row(&q);

	if (rc == OK)
		active = query_i64(&q, 1);
	query_end(&q);
	if (rc == OK && active > 0)
		rc = err_set(&c->err, ERR_CONFLICT, "Thread has a run under way");
	return rc;
}

/* No other node begins anything on it any more.  ERR_AGAIN: one is at it. */
int
threads_hold_idle(struct store *st, struct store_cmd *c, int64_t seq)
{
	int rc = store_thread_try(st, seq);

	return rc == OK ? threads_check_idle(st, c, seq) : rc;
}

int
threads_drop(struct store *st, owner_t owner, const struct store_thread *t,
    int64_t *budget)
{
	int rc = threads_unindex(st, owner, t);

	if (rc == OK)
		rc = usage_fold(st, owner, t->seq);
	if (rc == OK)
		rc = mailer_drop(st, owner, &t->id);
	if (rc == OK)
		rc = *budget > 0 ? erase_thread(&st->w, t->seq, budget, &st->scratch) :
		    ERR_AGAIN;
	if (rc != ERR_AGAIN)
		return rc;
	st->dead = true;
	return db_run(&st->w, SQL_THREAD_BURY, db_i64(t->seq), db_i64(owner));
}

int
threads_settled(struct store *st, owner_t owner, int64_t seq)
{
	struct store_thread t;
	int64_t budget = ERASE_NOW;
	int rc = query_one(query_of(&st->w, SQL_THREAD_UNNEEDED, db_i64(seq),
	    db_i64(owner)), &store_thread_record, &t, &st->scratch);

	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	return threads_drop(st, owner, &t, &budget);
}

static int
thread_delete(struct store *st, struct store_cmd *c)
{
	struct store_thread_delete *x = (struct store_thread_delete *)c;
	struct store_thread t = { .seq = 0 };
	int64_t budget = ERASE_NOW;
	int rc = query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(&x->id),
	    db_i64(c->owner)), &store_thread_record, &t, &st->scratch);

	if (rc == OK)
		rc = threads_check_idle(st, c, t.seq);
	return rc == OK ? threads_drop(st, c->owner, &t, &budget) : rc;
}
OP_LOCK(thread_delete, lock_thread(l, &x->id))
const struct op store_op_thread_delete = { .run = thread_delete,
    .locks = thread_delete_locks };

/* ---- streams --------------------------------------------------------------- */

/* Through a SELECT that finds the run only for its owner. */
static int
stream_append(struct store *st, struct store_cmd *c)
{
	struct store_stream_append *x = (struct store_stream_append *)c;

	int rc;

	assert(x->first_id <= x->last_id);
	rc = db_run(&st->w, SQL_STREAM_INSERT, db_i64(x->run_seq), db_i64(c->owner),
	    db_i64(x->last_id), db_i64(x->first_id), db_blob(x->bytes));
	if (rc != OK || db_changes(&st->w) > 0)
		return rc;
	rc = query_any(query_of(&st->w, SQL_RUN_AT, db_i64(x->run_seq), db_i64(c->owner)));
	return rc != OK ? rc : err_set(&c->err, ERR_CONFLICT, "frames up to %lld are stored "
	    "already", (long long)x->last_id);
}
const struct op store_op_stream_append = { .run = stream_append, .fenced = true,
    .texts = OP_TEXTS(OP_TEXT(stream_append, bytes)) };
