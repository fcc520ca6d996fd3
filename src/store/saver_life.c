/*
 * saver_life.c - rows of savers follow the checkpoints that they stand beside (saver.h):
 * what these go with takes them along; and what a run has left at another one's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

/* ---- with a checkpoint, with a run ------------------------------------------- */

int
saver_drop(struct db *db, int64_t thread, struct str ns, const struct uuid *checkpoint)
{
	static const enum sql parts[] = { SQL_SAVER_BLOBS_DROP, SQL_SAVER_WRITES_DROP,
	    SQL_SAVER_DROP };
	char id[UUID_TEXT];
	int rc = OK;

	uuid_format(checkpoint, id);
	for (size_t i = 0; rc == OK && i < COUNT(parts); i++)
		rc = db_run(db, parts[i], db_i64(thread), db_text(ns),
		    db_str((struct str){ id, sizeof id }));
	return rc;
}

int
run_traces_drop(struct db *db, int64_t thread, int64_t run)
{
	static const enum sql parts[] = { SQL_SAVER_BLOBS_OF_RUN, SQL_SAVER_PUTS_OF_RUN,
	    SQL_SAVER_WRITES_OF_RUN, SQL_INTERRUPTS_OF_RUN, SQL_INTERRUPTS_UNANSWER,
	    SQL_INTERRUPTS_ORPHAN, SQL_WRITES_OF_RUN, SQL_WRITES_ORPHAN,
	    SQL_CHECKPOINT_BEFORE_BACK, SQL_CHECKPOINT_BEFORE_DROP, SQL_SAVER_PUTS_ORPHAN,
	    SQL_SAVER_WRITES_YIELD, SQL_SAVER_WRITES_ORPHAN };
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(parts); i++)
		rc = db_run(db, parts[i], db_i64(thread), db_i64(run));
	return rc;
}

/* ---- a thread keeps its newest state ------------------------------------------- */

struct blob_name {
	struct str ns, id, channel;
};
struct blob_names {
	struct blob_name *at;
	size_t n, cap;
};

static bool
names_add(struct arena *a, struct blob_names *s, struct str ns, struct str id,
    struct str channel)
{
	if (!arena_grow(a, s->at, s->n, s->cap))
		return false;
	s->at[s->n++] = (struct blob_name){ arena_str(a, ns), arena_str(a, id),
	    arena_str(a, channel) };
	return true;
}

static int
names_of(struct arena *a, struct blob_names *s, const struct query *q)
{
	struct json_doc map = { 0 };
	int rc = json_parse(&map, query_borrow(q, 2), NULL) == OK ? OK : ERR_IO;

	for (struct json_iter it = json_each(map.root); rc == OK && json_next(&it); ) {
		struct str from = json_str(json_at(it.value, 1));

		if (json_count(it.value) == 2 && !names_add(a, s, query_borrow(q, 0),
		    from.n == 0 ? query_borrow(q, 1) : from, json_str(it.key)))
			rc = ERR_TOOBIG;
	}
	json_release(&map);
	return rc;
}

static bool
names_have(const struct blob_names *s, const struct blob_name *x)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->at[i].id, x->id) && str_eq(s->at[i].channel, x->channel) &&
		    str_eq(s->at[i].ns, x->ns))
			return true;
	return false;
}

/* Blobs that no checkpoint names any more, `max` at most. */
static int
blobs_unnamed(struct store *st, int64_t thread, size_t max, struct blob_names *gone)
{
	struct arena *a = &st->scratch;
	struct blob_names named = { .n = 0 };
	struct query q = query_of(&st->w, SQL_SAVER_MAPS, db_i64(thread));
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc)
		rc = names_of(a, &named, &q);
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return rc;
	q = query_of(&st->w, SQL_SAVER_BLOBS_OF, db_i64(thread));
	for (rc = query_row(&q); rc == OK && gone->n < max; rc = rc == OK ? query_row(&q) : rc) {
		struct blob_name x = { query_borrow(&q, 0), query_borrow(&q, 1),
		    query_borrow(&q, 2) };

		if (!names_have(&named, &x) && !names_add(a, gone, x.ns, x.id, x.channel))
			rc = ERR_TOOBIG;
	}
	query_end(&q);
	return rc == OK || rc == ERR_NOTFOUND ? arena_rc(a) : rc;
}

int
saver_prune(struct store *st, int64_t thread, int64_t *budget)
{
	static const enum sql parts[] = { SQL_SAVER_PRUNE_WRITES, SQL_SAVER_PRUNE_PUTS,
	    SQL_CHECKPOINT_BEFORE_PRUNE };
	struct blob_names gone = { .n = 0 };
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(parts) && *budget > 0; i++) {
		rc = db_run(&st->w, parts[i], db_i64(thread), db_i64(*budget));
		*budget -= rc == OK ? db_changes(&st->w) : 0;
	}
	if (rc == OK && *budget > 0)
		rc = blobs_unnamed(st, thread, (size_t)*budget, &gone);
	for (size_t i = 0; rc == OK && i < gone.n; i++)
		rc = db_run(&st->w, SQL_SAVER_BLOB_DROP, db_i64(thread),
		    db_str(gone.at[i].ns), db_str(gone.at[i].id),
		    db_str(gone.at[i].channel));
	*budget -= (int64_t)gone.n;
	return rc == OK && *budget <= 0 ? ERR_AGAIN : rc;
}

/* ---- a thread is copied ----------------------------------------------------------- */

int
saver_copy(struct db *db, int64_t from, int64_t to, const struct uuid *until)
{
	char id[UUID_TEXT];
	int rc = db_run(db, SQL_SAVER_COPY, db_i64(from), db_i64(to));

	if (rc != OK || db_changes(db) == 0)
		return rc;
	uuid_format(until, id);
	rc = db_run(db, SQL_SAVER_COPY_BLOBS, db_i64(from), db_i64(to));
	return rc != OK ? rc : db_run(db, SQL_SAVER_COPY_WRITES, db_i64(from), db_i64(to),
	    db_str(uuid_is_zero(until) ? S("") : (struct str){ id, sizeof id }));
}
