/*
 * pg_group.c - groups of commands on a server that may go away at any time.
 *
 * A connection that is lost behind COMMIT leaves a doubt.  Each group writes its number
 * into this process's row of node_batch, in its own transaction.  When there is a new
 * connection the old one has ended at the server (pg_conn.c), so the row does not change
 * any more: it has the group's number, or the group is not committed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "store/store_priv.h"

#define MARK_AGE (30 * 86400 * NS_PER_S)     /* of a process that is gone by then */

#define MARK_MAP(X)                                                            \
	X(SET, "INSERT INTO node_batch(node, batch) VALUES (?, ?)"             \
	    " ON CONFLICT (node) DO UPDATE SET batch = excluded.batch")        \
	X(GET, "SELECT batch FROM node_batch WHERE node = ?")                  \
	X(SWEEP, "DELETE FROM node_batch WHERE batch < ?")

enum {
#define X(name, text) MARK_##name,
	MARK_MAP(X)
#undef X
	MARK_COUNT
};

static const char *const mark_text[MARK_COUNT] = {
#define X(name, text) [MARK_##name] = text,
	MARK_MAP(X)
#undef X
};
static const struct db_sql mark_sql = { .text = mark_text, .n = MARK_COUNT };

/* Not the number of a node, which changes when a lease is lost.  Batches count up from the
 * time of the start, so rows tell how old they are.  Ignore failure: they are small. */
void
group_marks_open(struct store *st)
{
	db_share(&st->marks, &st->w, &mark_sql);
	id_random(&st->marker, sizeof st->marker);
	st->batch = clock_wall();
	if (db_is_server(&st->w))
		db_run(&st->marks, MARK_SWEEP, db_i64(st->batch - MARK_AGE));
}

void
group_marks_close(struct store *st)
{
	db_close(&st->marks);
}

bool
group_server_is_away(const struct store *st)
{
	return db_is_server(&st->w) && (st->held != NULL || atomic_load(&st->lost));
}

/* Of the doubt: the look may be the one that finds the server. */
int
group_server_look(struct store *st)
{
	int rc = db_revive(&st->w, 0);
	bool was = atomic_exchange(&st->lost, rc != OK);

	if (rc != OK && !was)
		log_error("store", "server_lost", "reason=%s", st->w.on->cause.text);
	else if (rc == OK && was)
		log_warn("store", "server_back", "in_doubt=%d", st->held != NULL);
	return rc;
}

int
group_mark(struct store *st)
{
	return db_run(&st->marks, MARK_SET, db_i64(st->marker), db_i64(st->batch));
}

int
group_settle(struct store *st, nsec until)
{
	int64_t batch = 0;
	int rc = db_revive(&st->w, until);

	if (rc != OK)
		return ERR_BUSY;
	st->w.on->fault = DB_SOUND;
	if (!db_in_doubt(&st->w))
		return ERR_AGAIN;
	rc = query_one_i64(query_of(&st->marks, MARK_GET, db_i64(st->marker)), &batch);
	if (rc != OK && rc != ERR_NOTFOUND) {
		st->w.on->fault = DB_LOST;   /* whatever it is: the doubt lasts */
		return ERR_BUSY;
	}
	log_warn("store", "commit_settled", "committed=%d", batch == st->batch);
	return batch == st->batch ? OK : ERR_AGAIN;
}

void
group_probe(struct store *st)
{
	int rc = db_begin(&st->w, DB_WRITE);

	st->w.on->fault = DB_SOUND;
	if (rc == OK)
		rc = group_mark(st);
	if (rc == OK)
		rc = db_commit(&st->w);
	if (rc == OK)
		return;
	if (st->w.on->fault == DB_FULL)
		st->last_full = clock_mono();
	db_rollback(&st->w);
}
