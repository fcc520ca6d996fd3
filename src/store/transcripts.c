/*
 * transcripts.c - rows of runs' transcripts; what is in them is the room's above.
 *
 * A row has the entries that a run made between two commits.  Rows go with their
 * run.  A copy of a thread has no runs, so it has no transcript.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

#include <assert.h>

int
transcript_put(struct store *st, int64_t run, const struct store_changes *x)
{
	assert(run != 0 && x->transcript.first <= x->transcript.last);
	return db_run(&st->w, SQL_TRANSCRIPT_INSERT, db_i64(run),
	    db_i64(x->transcript.last), db_i64(x->transcript.first),
	    db_blob(x->transcript.bytes));
}

int
store_transcript_last(struct store_reader *r, owner_t o, int64_t run_seq, int64_t *out)
{
	return query_one_i64(query_of(reader_db(r), SQL_TRANSCRIPT_LAST,
	    db_i64(run_seq), db_i64(o)), out);
}

/* ---- a page ----------------------------------------------------------------- */

/* A run of the thread; zero: `none`. */
static int
run_find(struct db *db, const struct store_transcript *x, int64_t thread,
    const struct uuid *id, int64_t none, int64_t *seq)
{
	struct store_run run;
	int rc;

	*seq = none;
	if (uuid_is_zero(id))
		return OK;
	rc = query_one(query_of(db, SQL_RUN_GET, db_uuid(id), db_i64(x->cmd.owner)),
	    &store_run_record, &run, x->cmd.arena);
	if (rc == OK && run.thread_seq != thread)
		rc = ERR_NOTFOUND;
	*seq = run.seq;
	return rc;
}

static bool
row_room(struct store_transcript *x, size_t *cap)
{
	size_t n = x->rows_n;

	return arena_grow(x->cmd.arena, x->rows, n, *cap);
}

static int
row_read(struct store_transcript *x, struct query *q, size_t *cap)
{
	struct store_transcript_row *row;

	if (!row_room(x, cap))
		return ERR_TOOBIG;
	row = &x->rows[x->rows_n++];
	row->run_id = query_uuid(q, 1);
	row->first = query_i64(q, 2);
	row->bytes = query_str(q, 3, x->cmd.arena);
	row->kwargs_json = query_str(q, 4, x->cmd.arena);
	row->graph_id = query_str(q, 5, x->cmd.arena);
	row->agent_hash = query_str(q, 6, x->cmd.arena);
	row->assistant_id = query_uuid(q, 7);
	return arena_rc(x->cmd.arena);
}

/* At least one row, or a reader would make no progress. */
static int
rows_read(struct store_transcript *x, struct query *q)
{
	size_t bytes = 0, cap = 0;
	int rc = OK;

	while (rc == OK) {
		rc = query_row(q);
		if (rc != OK)
			break;
		bytes += query_borrow(q, 3).n;
		if (x->rows_n > 0 && bytes > x->max_bytes) {
			x->more = true;
			return OK;
		}
		rc = row_read(x, q, &cap);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
transcript(struct store *st, struct store_cmd *c)
{
	struct store_transcript *x = (struct store_transcript *)c;
	struct db *db = slow_db(st, c);
	struct store_thread t;
	int64_t from, to, last;
	struct query q;
	int rc = query_one(query_of(db, SQL_THREAD_GET, db_uuid(&x->thread_id),
	    db_i64(c->owner)), &store_thread_record, &t, c->arena);

	x->rows = NULL;
	x->rows_n = 0;
	x->more = false;
	if (rc == OK)
		rc = run_find(db, x, t.seq, &x->run_id, INT64_MAX, &to);
	if (rc == OK)
		rc = run_find(db, x, t.seq, &x->after_run, uuid_is_zero(&x->run_id) ? 0 :
		    to, &from);
	if (rc != OK)
		return rc;
	if (!uuid_is_zero(&x->run_id) && from != to)
		return err_set(&c->err, ERR_INVALID, "after: of another run");
	last = x->after;
	q = query_of(db, SQL_TRANSCRIPT_PAGE, db_i64(t.seq), db_i64(c->owner),
	    db_i64(from), db_i64(to), db_i64(last));
	rc = rows_read(x, &q);
	query_end(&q);
	return rc;
}
const struct op store_op_transcript = { .run = transcript, .lane = OP_READ_SHORT };
