/*
 * rollback.c - taking back a run, and a task.
 *
 * A run's checkpoints go where they are the newest of their namespaces: the
 * thread returns to the state before.  Those that later runs continued from stay,
 * without the run: after a restart another one may get its number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

/* A checkpoint at the end of its namespace, and the one before it. */
struct tip {
	int64_t seq, run, parent;
	struct uuid id;
	struct channel_map channels, before;
	struct str tasks, before_tasks;
};

static int
tip_read(struct query q, struct tip *t, struct arena *a)
{
	struct str text = STR_NONE;
	int rc = query_row(&q);

	*t = (struct tip){ .seq = 0 };
	if (rc == OK) {
		t->seq = query_i64(&q, 0);
		t->id = query_uuid(&q, 1);
		t->run = query_i64(&q, 2);
		text = query_str(&q, 3, a);
		t->tasks = query_str(&q, 4, a);
		t->parent = query_i64(&q, 5);
	}
	query_end(&q);
	return rc == OK ? channels_parse(&t->channels, text, a) : rc;
}

static int
parent_read(struct db *db, struct tip *t, struct arena *a)
{
	struct tip p;
	int rc = t->parent == 0 ? ERR_NOTFOUND :
	    tip_read(query_of(db, SQL_PLACE_AT, db_i64(t->parent)), &p, a);

	if (rc == OK) {
		t->before = p.channels;
		t->before_tasks = p.tasks;
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- what a checkpoint wrote ----------------------------------------------- */

static int
channel_undo(struct db *db, int64_t thread, struct str ns, const struct tip *t,
    const struct channel_ref *r)
{
	const struct channel_ref *was = channels_ref(&t->before, r->name);
	int64_t budget = INT64_MAX;

	if (!r->is_list)
		return r->value != t->seq ? OK : db_run(db, SQL_CHANNEL_DROP,
		    db_i64(thread), db_text(ns), db_str(r->name), db_i64(t->seq));
	if (was == NULL || was->list != r->list)
		return lists_drop(db, r->list, &budget);
	return was->len < r->len ? lists_cut(db, r->list, was->len) : OK;
}

static int
task_undo(struct db *db, int64_t thread, const struct uuid *task)
{
	static const enum sql parts[] = { SQL_WRITES_DROP, SQL_INTERRUPTS_DROP,
	    SQL_RECORDS_DROP };
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(parts); i++)
		rc = db_run(db, parts[i], db_i64(thread), db_uuid(task));
	return rc;
}

/* Those that began here: the checkpoint before does not name them. */
static int
tasks_undo(struct db *db, int64_t thread, const struct tip *t, struct arena *a)
{
	struct task_ref *at;
	size_t n;
	int rc = tasks_parse(t->tasks, a, &at, &n);

	for (size_t i = 0; rc == OK && i < n; i++) {
		char id[UUID_TEXT];

		uuid_format(&at[i].id, id);
		if (!str_contains(t->before_tasks, (struct str){ id, UUID_TEXT }))
			rc = task_undo(db, thread, &at[i].id);
	}
	return rc;
}

static int
tip_drop(struct store *st, int64_t thread, struct str ns, struct tip *t)
{
	int rc = parent_read(&st->w, t, &st->scratch);

	for (size_t i = 0; rc == OK && i < t->channels.n; i++)
		rc = channel_undo(&st->w, thread, ns, t, &t->channels.at[i]);
	if (rc == OK)
		rc = tasks_undo(&st->w, thread, t, &st->scratch);
	if (rc == OK)
		rc = saver_drop(&st->w, thread, ns, &t->id);
	return rc != OK ? rc : db_run(&st->w, SQL_CHECKPOINT_DROP, db_i64(t->seq),
	    db_i64(thread));
}

/* The newest checkpoints of a namespace while they are the run's; run < 0: any.
 * *dropped is left alone if there are none. */
static int
namespace_drop(struct store *st, int64_t thread, struct str ns, int64_t run,
    struct tip *t, bool *dropped)
{
	int rc = OK;

	while (rc == OK) {
		rc = tip_read(query_of(&st->w, SQL_PLACE_HEAD, db_i64(thread),
		    db_text(ns)), t, &st->scratch);
		if (rc == OK && run >= 0 && t->run != run)
			break;
		if (rc == OK)
			*dropped = true;
		if (rc == OK)
			rc = tip_drop(st, thread, ns, t);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
namespace_next(struct store *st, int64_t thread, struct str *ns)
{
	struct query q = query_of(&st->w, SQL_NAMESPACE_AFTER, db_i64(thread),
	    db_text(*ns));
	int rc = query_row(&q);

	if (rc == OK)
		*ns = query_str(&q, 0, &st->scratch);
	query_end(&q);
	return rc == OK ? arena_rc(&st->scratch) : rc;
}

/* ---- a task ---------------------------------------------------------------- */

int
task_drop(struct store *st, int64_t thread, const struct uuid *task)
{
	char part[UUID_TEXT + 1] = ":";
	struct str ns = S("");
	struct tip t;
	bool dropped;
	int rc;

	uuid_format(task, part + 1);
	rc = task_undo(&st->w, thread, task);
	while (rc == OK) {
		rc = namespace_next(st, thread, &ns);
		if (rc == OK && str_contains(ns, (struct str){ part, sizeof part }))
			rc = namespace_drop(st, thread, ns, -1, &t, &dropped);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- a run ----------------------------------------------------------------- */

/* One with too many rows is erased later, as a buried thread. */
static int
run_bury(struct store *st, int64_t run)
{
	int64_t grave = store_seq_next(st, SEQ_THREAD);
	int rc = db_run(&st->w, SQL_THREAD_GRAVE, db_i64(grave));

	if (rc != OK)
		return rc;
	st->dead = true;
	return db_run(&st->w, SQL_RUN_MOVE, db_i64(grave), db_i64(run));
}

int
run_erase(struct store *st, int64_t run, int64_t thread)
{
	static const enum sql rows[] = { SQL_STREAM_ERASE, SQL_EVENT_ERASE,
	    SQL_TRANSCRIPT_ERASE };
	int rc = hook_of_rollback(st, run);

	if (rc == OK)
		rc = db_run(&st->w, SQL_RECORDS_OF_RUN, db_i64(thread), db_i64(run));
	if (rc == OK)
		rc = db_run(&st->w, SQL_WAITS_OF_RUN, db_i64(thread), db_i64(run));
	if (rc == OK)
		rc = usage_fold_run(st, thread, run);
	for (size_t i = 0; rc == OK && i < COUNT(rows); i++) {
		rc = db_run(&st->w, rows[i], db_i64(run), db_i64(ERASE_NOW));
		if (rc == OK && db_changes(&st->w) >= ERASE_NOW)
			return run_bury(st, run);
	}
	return rc == OK ? db_run(&st->w, SQL_RUN_ERASE, db_i64(run)) : rc;
}

/* What is left at the end of a namespace.  Of a list that it gave up for another
 * nobody is left if the checkpoint before does not name it either. */
static int
namespace_settle(struct store *st, struct changing *w, struct str ns, struct tip *t)
{
	const struct channel_map *now;
	int64_t budget = INT64_MAX;
	int rc = place_rebase(w, ns, &now);

	if (rc == OK)
		rc = parent_read(&st->w, t, &st->scratch);
	for (size_t i = 0; rc == OK && i < t->channels.n; i++) {
		const struct channel_ref *r = &t->channels.at[i];
		const struct channel_ref *was = channels_ref(&t->before, r->name);
		const struct channel_ref *is = channels_ref(now, r->name);

		if (r->is_list && is->list != r->list &&
		    (was == NULL || was->list != r->list))
			rc = lists_drop(&st->w, r->list, &budget);
	}
	return rc;
}

static int
namespaces_drop(struct store *st, struct changing *w, int64_t run, int64_t *newest)
{
	struct str ns = S("");
	struct tip t;
	int rc;

	do {
		bool dropped = false;

		rc = namespace_drop(st, w->thread, ns, run, &t, &dropped);
		if (ns.n == 0)
			*newest = t.seq;
		if (rc == OK && dropped && t.seq != 0)
			rc = namespace_settle(st, w, ns, &t);
		if (rc == OK)
			rc = namespace_next(st, w->thread, &ns);
	} while (rc == OK);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
run_rollback(struct store *st, struct store_cmd *c, owner_t owner, int64_t run,
    int64_t thread, int64_t *newest)
{
	struct changing w = { .st = st, .c = c, .owner = owner, .thread = thread };
	int rc = namespaces_drop(st, &w, run, newest);

	if (rc == OK)
		rc = run_traces_drop(&st->w, thread, run);
	if (rc == OK)
		rc = db_run(&st->w, SQL_CHECKPOINT_ORPHAN, db_i64(thread), db_i64(run));
	return rc == OK ? run_erase(st, run, thread) : rc;
}

static int
run_find(struct store *st, struct store_run_delete *x, int64_t *run,
    struct store_thread *t)
{
	bool on_thread = false;
	struct query q = query_of(&st->w, SQL_RUN_GET, db_uuid(&x->run_id),
	    db_i64(x->cmd.owner));
	int rc = query_row(&q);

	if (rc == OK) {
		struct uuid thread = query_uuid(&q, 1);

		*run = query_i64(&q, 3);
		on_thread = uuid_eq(&thread, &x->thread_id);
	}
	query_end(&q);
	if (rc != OK || !on_thread)
		return rc == OK ? ERR_NOTFOUND : rc;
	return query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(&x->thread_id),
	    db_i64(x->cmd.owner)), &store_thread_record, t, &st->scratch);
}

static int
run_delete(struct store *st, struct store_cmd *c)
{
	struct store_run_delete *x = (struct store_run_delete *)c;
	struct store_thread t = { .seq = 0 };
	int64_t run = 0, newest;
	int rc = run_find(st, x, &run, &t);

	if (rc == OK)
		rc = threads_check_idle(st, c, t.seq);
	newest = t.checkpoint;
	if (rc == OK)
		rc = run_rollback(st, c, c->owner, run, t.seq, &newest);
	if (rc != OK || newest == t.checkpoint)
		return rc;
	return db_run(&st->w, SQL_THREAD_ADVANCE, db_i64(newest), db_i64(0),
	    db_i64(t.seq), db_i64(c->owner));
}
OP_LOCK(run_delete, lock_thread(l, &x->thread_id))
const struct op store_op_run_delete = { .run = run_delete,
    .locks = run_delete_locks, .numbers = true };
