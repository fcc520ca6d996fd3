/*
 * events.c - runs' events as fields, in batches; what is in them is the room's
 * above.
 *
 * A thread keeps the events of its last run, and those of runs that are kept.
 * Numbers are never given again: event_next of the thread is past all that were
 * used, also by runs whose events are gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

#include <assert.h>

/* The events of the run before go, unless they are kept. */
static int
events_begin(struct store *st, const struct store_events_append *x)
{
	int rc = db_run(&st->w, SQL_EVENT_DROP, db_i64(x->thread_seq),
	    db_i64(x->run_seq));

	return rc != OK ? rc : db_run(&st->w, SQL_EVENT_BEGIN, db_i64(x->thread_seq),
	    db_i64(x->keeps ? 0 : x->run_seq));
}

int
events_write(struct store *st, owner_t owner, const struct store_events_append *x)
{
	int rc;

	assert(x->first <= x->last && x->last < x->next);
	rc = db_run(&st->w, SQL_EVENT_INSERT, db_i64(x->run_seq),
	    db_i64(x->thread_seq), db_i64(owner), db_i64(x->last),
	    db_i64(x->first), db_blob(x->bytes));
	if (rc == OK && db_changes(&st->w) == 0)
		rc = ERR_NOTFOUND;
	if (rc == OK && x->begins)
		rc = events_begin(st, x);
	return rc != OK ? rc : db_run(&st->w, SQL_EVENT_RESERVE,
	    db_i64(x->thread_seq), db_i64(x->next));
}

static int
events_append(struct store *st, struct store_cmd *c)
{
	return events_write(st, c->owner, (const struct store_events_append *)c);
}
OP_LOCK(events_append, lock_thread_seq(l, x->thread_seq))
const struct op store_op_events_append = { .fenced = true, .run = events_append,
    .texts = OP_TEXTS(OP_TEXT(events_append, bytes)),
    .locks = events_append_locks };
