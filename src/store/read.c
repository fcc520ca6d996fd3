/*
 * read.c - the point reads of a shard.  Each is one statement, run to its end
 * here, so no read transaction outlives the call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/cron.h"
#include "store/store_priv.h"

struct db *
reader_db(struct store_reader *r)
{
	assert(r != NULL && r->db.on != NULL && r->db.sql == &store_sql);
	return &r->db;
}

int
store_owner_find(struct store_reader *r, struct str subject, owner_t *out)
{
	return query_one_i64(query_of(reader_db(r), SQL_OWNER_FIND, db_text(subject)),
	    out);
}

int
store_assistant_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_assistant *out)
{
	return query_one(query_of(reader_db(r), SQL_ASSISTANT_GET, db_uuid(id),
	    db_i64(o)), &store_assistant_record, out, a);
}

int
store_thread_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_thread *out)
{
	return query_one(query_of(reader_db(r), SQL_THREAD_GET, db_uuid(id),
	    db_i64(o)), &store_thread_record, out, a);
}

int
store_run_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_run *out)
{
	return query_one(query_of(reader_db(r), SQL_RUN_GET, db_uuid(id), db_i64(o)),
	    &store_run_record, out, a);
}

int
store_cron_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_cron *out)
{
	return query_one(query_of(reader_db(r), SQL_CRON_GET, db_uuid(id), db_i64(o)),
	    &store_cron_record, out, a);
}

int
run_names_read(struct query *q, struct arena *a, struct store_run_name **out, size_t *n)
{
	size_t cap = 0;
	int rc;

	*out = NULL;
	*n = 0;
	for (rc = query_row(q); rc == OK; rc = query_row(q)) {
		if (!arena_grow(a, *out, *n, cap)) {
			rc = ERR_TOOBIG;
			break;
		}
		(*out)[(*n)++] = (struct store_run_name){ query_i64(q, 0), query_uuid(q, 1),
		    query_uuid(q, 2), (enum run_status)query_i64(q, 3) };
	}
	query_end(q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
store_runs_newest(struct store_reader *r, owner_t o, int64_t thread_seq, size_t max,
    struct arena *a, struct store_run_name **out, size_t *n)
{
	struct query q = query_of(reader_db(r), SQL_RUNS_NEWEST, db_i64(thread_seq),
	    db_i64(o), db_i64((int64_t)max));

	return run_names_read(&q, a, out, n);
}

static int
checkpoint_one(struct db *db, struct query q, int64_t thread, struct arena *a,
    struct store_checkpoint *out)
{
	int rc = query_row(&q);

	if (rc == OK)
		rc = checkpoint_read(db, &q, thread, a, out);
	query_end(&q);
	return rc;
}

int
store_checkpoint_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    int64_t seq, struct arena *a, struct store_checkpoint *out)
{
	struct query q = seq == 0 ? query_of(reader_db(r), SQL_CHECKPOINT_LATEST,
	    db_i64(thread_seq), db_i64(o)) : query_of(reader_db(r), SQL_CHECKPOINT_AT,
	    db_i64(thread_seq), db_i64(o), db_i64(seq));

	return checkpoint_one(reader_db(r), q, thread_seq, a, out);
}

int
store_checkpoint_find(struct store_reader *r, owner_t o, int64_t thread_seq,
    const struct uuid *id, struct arena *a, struct store_checkpoint *out)
{
	return checkpoint_one(reader_db(r), query_of(reader_db(r), SQL_CHECKPOINT_FIND,
	    db_i64(thread_seq), db_i64(o), db_str(S("")), db_uuid(id)), thread_seq, a,
	    out);
}

int
store_run_steps(struct store_reader *r, owner_t o, int64_t run_seq, int64_t *out)
{
	return query_one_i64(query_of(reader_db(r), SQL_RUN_STEPS, db_i64(run_seq),
	    db_i64(o)), out);
}

int
store_messages_get(struct store_reader *r, int64_t list, uint32_t from,
    uint32_t to, struct arena *a, struct str **out)
{
	return lists_read(reader_db(r), list, from, to, a, out);
}

/* ---- streams ------------------------------------------------------------- */

static bool
run_is_owned(struct db *db, owner_t o, int64_t run_seq)
{
	bool found;
	struct query q = query_of(db, SQL_RUN_AT, db_i64(run_seq), db_i64(o));

	found = query_row(&q) == OK;
	query_end(&q);
	return found;
}

struct blocks {
	struct str *at;
	size_t n, cap, bytes;
};

/* Doubles inside the arena; the old array is garbage until the arena goes. */
static bool
blocks_room(struct blocks *l, struct arena *a)
{
	size_t cap = l->cap == 0 ? 16 : l->cap * 2;
	struct str *at;

	if (l->n < l->cap)
		return true;
	at = arena_alloc(a, cap * sizeof *at);
	if (at == NULL)
		return false;
	if (l->n > 0)
		memcpy(at, l->at, l->n * sizeof *at);
	l->at = at;
	l->cap = cap;
	return true;
}

static int
blocks_read(struct query *q, struct arena *a, size_t max_bytes, struct blocks *l,
    int64_t *last_id)
{
	int rc = OK;

	while (rc == OK) {
		rc = query_row(q);
		if (rc != OK)
			break;
		/* At least one, or the caller would make no progress. */
		if (l->n > 0 && l->bytes + query_borrow(q, 1).n > max_bytes)
			return OK;
		if (!blocks_room(l, a))
			return ERR_TOOBIG;
		l->at[l->n] = query_str(q, 1, a);
		l->bytes += l->at[l->n++].n;
		*last_id = query_i64(q, 0);
		rc = arena_rc(a);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* Of rows (last, body) of a run. */
static int
blocks_get(struct store_reader *r, enum sql text, owner_t o, int64_t run_seq,
    int64_t after, size_t max_bytes, struct arena *a, struct str **out,
    size_t *n_out, int64_t *last_id)
{
	struct query q;
	struct blocks l = { 0 };
	int rc;

	*last_id = after;
	q = query_of(reader_db(r), text, db_i64(run_seq), db_i64(o), db_i64(after));
	rc = blocks_read(&q, a, max_bytes, &l, last_id);
	query_end(&q);
	if (rc == OK && l.n == 0 && !run_is_owned(reader_db(r), o, run_seq))
		rc = ERR_NOTFOUND;
	*out = l.at;
	*n_out = l.n;
	return rc;
}

int
store_stream_get(struct store_reader *r, owner_t o, int64_t run_seq,
    int64_t after, size_t max_bytes, struct arena *a, struct str **out,
    size_t *n_out, int64_t *last_id)
{
	return blocks_get(r, SQL_STREAM_GET, o, run_seq, after, max_bytes, a, out,
	    n_out, last_id);
}

int
store_events_get(struct store_reader *r, owner_t o, int64_t run_seq,
    int64_t after, size_t max_bytes, struct arena *a, struct str **out,
    size_t *n_out, int64_t *last)
{
	return blocks_get(r, SQL_EVENT_GET, o, run_seq, after, max_bytes, a, out,
	    n_out, last);
}

int
store_events_size(struct store_reader *r, owner_t o, int64_t run_seq, int64_t after,
    struct store_events_size *out)
{
	struct query q = query_of(reader_db(r), SQL_EVENT_SIZE, db_i64(run_seq),
	    db_i64(o), db_i64(after));
	int rc = query_row(&q);

	if (rc == OK)
		*out = (struct store_events_size){ query_i64(&q, 0), query_i64(&q, 1),
		    query_i64(&q, 2) };
	query_end(&q);
	return rc;
}

int
store_event_next(struct store_reader *r, owner_t o, int64_t thread_seq, int64_t *out)
{
	return query_one_i64(query_of(reader_db(r), SQL_EVENT_NEXT,
	    db_i64(thread_seq), db_i64(o)), out);
}

int64_t
store_stream_last(struct store_reader *r, int64_t run_seq)
{
	int64_t last = -1;
	struct query q = query_of(reader_db(r), SQL_STREAM_LAST, db_i64(run_seq));

	if (query_row(&q) == OK && query_borrow(&q, 0).p != NULL)
		last = query_i64(&q, 0);
	query_end(&q);
	return last;
}
