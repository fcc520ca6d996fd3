/*
 * work.c - the engine: a call from its row to its answer (the counts, answers kept
 * under a key), and trackers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "work/graph.h"
#include "work/row.h"

#define TICK_STEPS 256                       /* between two looks up */

/* ---- between calls ----------------------------------------------------------- */

/* Nothing of one call is left for the next but what is only kept to be fast. */
static void
check_work(const struct work *w)
{
	assert(w != NULL && w->call == NULL);
	assert(w->clock >= 0 && w->ids_n >= 0 && w->ids_left >= 0);
}

/* After one that is OK: what it changed of the tracker's numbers is written. */
static void
check_saved(const struct work *w)
{
	for (int i = 0; i < STATES; i++)
		assert(w->t.counts[i] == 0);
	assert(w->t.lead_change == 0 && !w->t.edges_changed);
}

/* ---- failing --------------------------------------------------------------- */

int
work_fail(struct work *w, int rc, const char *format, ...)
{
	struct err *e = &w->call->err;
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->text, sizeof e->text, format, ap);
	va_end(ap);
	e->code = rc;
	return rc;
}

int
work_fail_db(struct work *w, int rc)
{
	return work_fail(w, rc, "%s", w->db.on->err.text[0] != '\0' ? w->db.on->err.text :
	    rc_text(rc));
}

int
work_db(struct work *w, int rc)
{
	return rc == OK ? OK : work_fail_db(w, rc);
}

int
work_has(struct work *w, struct query q, bool *yes)
{
	int rc = query_row(&q);

	*yes = rc == OK;
	return work_rows_end(w, &q, rc);
}

int
work_rows_end(struct work *w, struct query *q, int rc)
{
	bool told = w->call->err.text[0] != '\0' && w->call->err.code == rc;

	query_end(q);
	return rc == OK || rc == ERR_NOTFOUND ? OK : told ? rc : work_fail_db(w, rc);
}

/* ---- trackers --------------------------------------------------------------- */

int
work_tracker_find(struct work *w, int64_t owner, struct str project,
    int64_t *tracker, struct err *e)
{
	int rc = query_one_i64(query_of(&w->db, SQL_TRACKER_FIND, db_i64(owner),
	    db_text(project)), tracker);

	if (rc == ERR_NOTFOUND)
		return err_set(e, rc, "no project \"%.*s\"", FMT(project));
	return rc == OK ? OK : err_set(e, rc, "%s", w->db.on->err.text);
}

static int
room_check(struct work *w, int64_t owner, struct err *e)
{
	int64_t n = 0;
	int rc = query_one_i64(query_of(&w->db, SQL_TRACKER_COUNT,
	    db_i64(owner)), &n);

	if (rc != OK)
		return err_set(e, rc, "%s", w->db.on->err.text);
	return n < LIMIT_WORK_PROJECTS ? OK : err_set(e, ERR_LIMIT,
	    "project: there are %d already, which is the most one owner may have",
	    LIMIT_WORK_PROJECTS);
}

int
work_tracker_make(struct work *w, int64_t owner, struct str project,
    struct str prefix, msec now, int64_t *tracker, struct err *e)
{
	int rc = work_tracker_find(w, owner, project, tracker, e);

	if (rc != ERR_NOTFOUND)
		return rc;
	rc = prefix_check(prefix, e);
	if (rc == OK)
		rc = room_check(w, owner, e);
	if (rc != OK)
		return rc;
	rc = query_insert(query_of(&w->db, SQL_TRACKER_MAKE, db_i64(owner),
	    db_text(project), db_text(prefix), db_i64(now)), tracker);
	return rc == OK ? OK : err_set(e, rc, "%s", w->db.on->err.text);
}

void
work_tracker_drop(struct work *w, int64_t tracker)
{
	db_run(&w->db, SQL_TRACKER_DROP, db_i64(tracker));
}

int
work_owner_erase(struct work *w, int64_t owner)
{
	/* What names an item goes before it. */
	static const enum sql texts[] = { SQL_ERASE_ONCE, SQL_ERASE_CONFIG, SQL_ERASE_BASE,
		SQL_ERASE_COUNT, SQL_ERASE_LOOSE, SQL_ERASE_LABEL, SQL_ERASE_EVENT,
		SQL_ERASE_COMMENT, SQL_ERASE_EDGE, SQL_ERASE_ITEM, SQL_TRACKER_DROP };
	int64_t tracker;
	int rc;

	check_work(w);
	do {
		rc = query_one_i64(query_of(&w->db, SQL_TRACKER_ANY, db_i64(owner)), &tracker);
		for (size_t i = 0; rc == OK && i < COUNT(texts); i++)
			rc = db_run(&w->db, texts[i], db_i64(tracker));
	} while (rc == OK);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
tracker_load(struct work *w, int64_t tracker)
{
	struct query q;
	int rc;

	w->t = (struct tracker){ .seq = tracker, .prefix = w->call->prefix };
	if (tracker == WORK_TRACKER_NONE)
		return OK;
	q = query_of(&w->db, SQL_TRACKER_GET, db_i64(tracker));
	rc = query_row(&q);
	if (rc == OK) {
		w->t.prefix = query_str(&q, 0, &w->a);
		w->t.edges = query_i64(&q, 1);
		w->t.lead_ms = query_i64(&q, 2);
	}
	query_end(&q);
	return rc == OK ? OK : work_fail_db(w, rc);
}

/* Random, not a count: a rollback restores the old number while the graph in
 * memory keeps the new one, and a later change must not draw it again. */
static int64_t
edges_number(void)
{
	uint64_t n;

	id_random(&n, sizeof n);
	return (int64_t)(n >> 1);
}

/* What the operation changed of the tracker's numbers, once at its end. */
static int
tracker_save(struct work *w)
{
	int rc = OK;

	for (int i = 0; rc == OK && i < STATES; i++) {
		if (w->t.counts[i] == 0)
			continue;
		rc = db_run(&w->db, SQL_COUNT_ADD, db_i64(w->t.seq), db_i64(i),
		    db_i64(w->t.counts[i]));
		w->t.counts[i] = 0;
	}
	if (rc == OK && (w->t.edges_changed || w->t.lead_change != 0)) {

		rc = db_run(&w->db, SQL_TRACKER_SET, db_i64(w->t.edges),
		    db_i64(w->t.lead_ms + w->t.lead_change), db_i64(w->t.seq));
		w->t.lead_ms += w->t.lead_change;
		w->t.lead_change = 0;
		w->t.edges_changed = false;
	}
	return rc == OK ? OK : work_fail_db(w, rc);
}

void
work_edges_changed(struct work *w)
{
	if (!w->t.edges_changed)
		w->t.edges = edges_number();
	w->t.edges_changed = true;
}

/* ---- answers kept under a key -------------------------------------------------- */

/* A key belongs to an actor and an operation: agents number their steps from 1. */
static struct str
once_key(struct work *w, const struct work_call *c)
{
	return arena_join(&w->a, arena_join(&w->a, c->once, S("\n"), c->operation),
	    S("\n"), c->actor);
}

/* Appends the answer that is kept under the key; false: there is none. */
static bool
once_answer(struct work *w, struct work_call *c, int *rc)
{
	struct query q = query_of(&w->db, SQL_ONCE_GET, db_i64(c->tracker),
	    db_str(once_key(w, c)));

	*rc = query_row(&q);
	if (*rc == OK)
		buf_add(c->data, query_borrow(&q, 0));
	query_end(&q);
	if (*rc != OK && *rc != ERR_NOTFOUND)
		work_fail_db(w, *rc);
	return *rc != ERR_NOTFOUND;
}

static int
once_keep(struct work *w, struct work_call *c, struct str data)
{
	int rc = work_exec(w, SQL_ONCE_PUT, db_i64(c->tracker),
	    db_str(once_key(w, c)), db_i64(c->now), db_str(data));

	return rc == OK ? work_exec(w, SQL_ONCE_PRUNE, db_i64(c->tracker),
	    db_i64(c->now - LIMIT_WORK_ONCE_MS)) : rc;
}

/* ---- a call -------------------------------------------------------------------- */

struct work *
work_new(const struct db *on)
{
	struct work *w = mem_new(struct work);

	db_share(&w->db, on, &work_sql);
	w->a = ARENA(LIMIT_WORK_MEMORY_BYTES);
	w->scratch = BUF(LIMIT_WORK_MEMORY_BYTES);
	return w;
}

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	graph_drop(w);
	db_close(&w->db);
	arena_release(&w->a);
	buf_release(&w->scratch);
	free(w);
}

void
work_rest(struct work *w)
{
	arena_release(&w->a);
	buf_release(&w->scratch);
}

bool
work_call_writes(const struct work *w)
{
	const struct operation *op = work_operation_find(w->call->operation);

	return op != NULL && (op->flags & OP_WRITES) != 0;
}

static bool
has_savepoint(const struct operation *op, const struct work_call *c)
{
	return (op->flags & OP_SAVEPOINT) != 0 || c->once.n > 0;
}

bool
work_call_undoes(const struct work_call *c)
{
	const struct operation *op = work_operation_find(c->operation);

	return op == NULL || has_savepoint(op, c);
}

bool
work_means_to_write(struct work *w, const struct work_call *c)
{
	const struct operation *op = work_operation_find(c->operation);

	(void)w;
	return op != NULL && ((op->flags & OP_WRITES) != 0 || c->once.n > 0);
}

bool
work_writes(struct work *w, const struct work_call *c)
{
	msec now = c->now > w->clock ? c->now : w->clock;

	return work_means_to_write(w, c) ||
	    (work_operation_find(c->operation) != NULL &&
	    lease_due(w, c->tracker, now));
}

static int
savepoint_run(struct work *w, enum sql what)
{
	return work_db(w, db_run(&w->db, what));
}

int
work_savepoint_begin(struct work *w)
{
	assert(w->call != NULL);
	return savepoint_run(w, SQL_SAVEPOINT);
}

int
work_savepoint_end(struct work *w, int rc, bool keep)
{
	struct err why = w->call->err;
	int end = OK;

	if (db_broken(&w->db))
		return rc;
	if (rc != OK || !keep)
		end = savepoint_run(w, SQL_SAVEPOINT_BACK);
	if (end == OK)
		end = savepoint_run(w, SQL_SAVEPOINT_END);
	if (end != OK)
		w->db.on->fault = DB_BROKEN;
	if (rc == OK)
		return end;
	w->call->err = why;
	return rc;
}

int
work_tick(struct work *w, size_t done, size_t total)
{
	struct work_call *c = w->call;
	int rc = c->tick == NULL || done % TICK_STEPS != 0 ? OK :
	    c->tick(c->tick_ctx, done, total);

	return rc == OK ? OK : work_fail(w, rc, "%.*s was ended after %zu of %zu steps "
	    "(%s); nothing was changed", FMT(c->operation), done, total, rc_text(rc));
}

/* The operation with its arguments checked; its changes of the counts too. */
static int
operation_run(struct work *w, const struct operation *op, struct work_call *c)
{
	int rc = work_args_check(op, c->args, &c->err);

	if (rc == OK)
		rc = op->run(w, c);
	if (rc == OK)
		rc = tracker_save(w);
	if (rc == OK && (c->data->failed || w->a.failed || w->scratch.failed))
		rc = work_fail(w, ERR_TOOBIG, "%s: the answer is too large", op->name);
	return rc;
}

/* In a savepoint if it may fail halfway.  What was not written is forgotten. */
static int
operation_guard(struct work *w, const struct operation *op, struct work_call *c)
{
	size_t at = c->data->n;
	int rc;

	if (!has_savepoint(op, c))
		return operation_run(w, op, c);
	rc = work_savepoint_begin(w);
	if (rc != OK)
		return rc;
	rc = operation_run(w, op, c);
	if (rc == OK && c->once.n > 0)
		rc = once_keep(w, c, str_sub(buf_str(c->data), at, c->data->n - at));
	rc = work_savepoint_end(w, rc, true);
	if (rc != OK)
		graph_drop(w);
	return rc;
}

int
work_run_inner(struct work *w, struct work_call *c)
{
	const struct operation *op = work_operation_find(c->operation);
	struct work_call *outer = w->call;
	int rc;

	w->call = c;
	w->db.on->err.text[0] = '\0';
	w->scratch.failed = false;
	c->err.text[0] = '\0';
	if (op == NULL)
		rc = work_operation_unknown(c->operation, &c->err);
	else if ((op->flags & OP_WHOLE) != 0)
		rc = work_fail(w, ERR_INVALID, "%s cannot be part of a batch", op->name);
	else
		rc = operation_run(w, op, c);
	w->call = outer;
	return rc;
}

int
work_run_apart(struct work *w, struct work_call *c)
{
	struct tracker kept = w->t;
	int rc = work_savepoint_begin(w);

	if (rc != OK)
		return rc;
	rc = work_run_inner(w, c);
	if (rc != OK)
		w->t = kept;
	return work_savepoint_end(w, rc, true);
}

static int
call_run(struct work *w, const struct operation *op, struct work_call *c)
{
	int rc = tracker_load(w, c->tracker);

	if (rc == OK)
		rc = lease_expire(w);
	if (rc == OK)
		rc = tracker_save(w);
	if (rc == OK)
		rc = operation_guard(w, op, c);
	if (rc == OK)
		check_saved(w);
	return rc;
}

int
work_run(struct work *w, struct work_call *c)
{
	const struct operation *op = work_operation_find(c->operation);
	int rc;

	check_work(w);
	assert(c->actor.n > 0 && c->data != NULL);
	w->call = c;
	w->db.on->err.text[0] = '\0';
	w->db.on->fault = DB_SOUND;
	arena_clear(&w->a);
	w->a.failed = w->scratch.failed = false;
	c->err.text[0] = '\0';
	if (w->clock == 0 && work_call_writes(w))
		work_follow(w);
	if (c->now < w->clock)
		c->now = w->clock;
	w->clock = c->now;
	if (op == NULL)
		rc = work_operation_unknown(c->operation, &c->err);
	else if (c->once.n == 0 || !once_answer(w, c, &rc))
		rc = call_run(w, op, c);
	w->call = NULL;
	return rc;
}
