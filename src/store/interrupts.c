/*
 * interrupts.c - what waits for a person.
 *
 * An interrupt waits until it is answered, once, or void.  It is void when its
 * task is no longer among those that come next in the newest checkpoint of its
 * namespace, or when that holds for a task that the namespace belongs to: of
 * "a:T|b:U" these are T in "" and U in "a:T".
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/guard.h"
#include "store/store_priv.h"

static const char gone[] = "the interrupt does not wait any more: it was answered, or the "
    "thread has moved on";

int
interrupts_answer(struct store *st, struct store_cmd *c, int64_t thread, int64_t run,
    const struct store_answer *answers, size_t n)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++) {
		rc = db_run(&st->w, SQL_INTERRUPT_ANSWER, db_text(answers[i].answer_json),
		    db_i64(run), db_i64(thread), db_uuid(&answers[i].id));
		if (rc == OK && db_changes(&st->w) == 0)
			rc = err_set(&c->err, ERR_CONFLICT, "%s", gone);
	}
	return rc;
}

int
interrupts_wait(struct store *st, struct store_cmd *c, int64_t thread,
    const struct uuid *ids, size_t n)
{
	struct query q = query_of(&st->w, SQL_INTERRUPTS_WAIT, db_i64(thread));
	size_t found = 0;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		struct uuid id = query_uuid(&q, 0);

		for (size_t i = 0; i < n; i++)
			found += uuid_eq(&ids[i], &id);
	}
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return rc;
	return found == n ? OK : err_set(&c->err, ERR_CONFLICT, "%s", gone);
}

static int
waiting_count(struct store *st, int64_t thread, int64_t *n)
{
	struct query q = query_of(&st->w, SQL_INTERRUPTS_WAIT, db_i64(thread));
	int rc;

	*n = 0;
	do {
		rc = query_row(&q);
		*n += rc == OK;
	} while (rc == OK);
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
interrupts_check(struct store *st, int64_t thread, struct err *e)
{
	int64_t n = 0;
	int rc = waiting_count(st, thread, &n);

	if (rc == OK && n > LIMIT_INTERRUPTS)
		rc = err_set(e, ERR_LIMIT, "over %d interrupts wait on the thread",
		    LIMIT_INTERRUPTS);
	return rc;
}

int
interrupts_any(struct store *st, int64_t thread, bool *any)
{
	int rc = query_any(query_of(&st->w, SQL_INTERRUPTS_WAIT, db_i64(thread)));

	*any = rc == OK;
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- void ------------------------------------------------------------------ */

/* Does the task come next in the namespace? */
static int
task_comes(struct store *st, int64_t thread, struct str ns, const struct uuid *task,
    bool *yes)
{
	char id[UUID_TEXT];
	struct query q = query_of(&st->w, SQL_PLACE_HEAD, db_i64(thread), db_text(ns));
	int rc = query_row(&q);

	uuid_format(task, id);
	*yes = rc == OK && str_contains(query_borrow(&q, 4),
	    (struct str){ id, UUID_TEXT });
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* The tasks that a namespace belongs to.  A part without an id (of a child that
 * keeps its state, or a further child) tells nothing. */
static int
ancestors_come(struct store *st, int64_t thread, struct str ns, bool *yes)
{
	struct str rest = ns, part;
	int rc = OK;

	while (rc == OK && *yes && str_next(&rest, '|', &part)) {
		struct str up = { ns.p, (size_t)(part.p - ns.p) };
		struct uuid task;

		if (part.n < UUID_TEXT || !uuid_parse(str_sub(part,
		    part.n - UUID_TEXT, UUID_TEXT), &task))
			continue;
		up.n -= up.n > 0;            /* the bar */
		rc = task_comes(st, thread, up, &task, yes);
	}
	return rc;
}

int
interrupts_void_moved(struct store *st, int64_t thread)
{
	struct waiting { struct uuid id, task; struct str ns; } *at = NULL;
	struct query q = query_of(&st->w, SQL_INTERRUPTS_WAIT, db_i64(thread));
	size_t n = 0, cap = 0;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(&st->scratch, at, n, cap))
			break;
		at[n++] = (struct waiting){ query_uuid(&q, 0), query_uuid(&q, 2),
		    query_str(&q, 1, &st->scratch) };
	}
	query_end(&q);
	rc = rc == ERR_NOTFOUND ? OK : rc;
	if (rc == OK)
		rc = arena_rc(&st->scratch);
	for (size_t i = 0; rc == OK && i < n; i++) {
		bool yes = false;

		rc = task_comes(st, thread, at[i].ns, &at[i].task, &yes);
		if (rc == OK)
			rc = ancestors_come(st, thread, at[i].ns, &yes);
		if (rc == OK && !yes)
			rc = db_run(&st->w, SQL_INTERRUPT_VOID, db_i64(thread),
			    db_uuid(&at[i].id));
	}
	return rc;
}

/* ---- reading --------------------------------------------------------------- */

#define C(member) DB_COLUMN(struct store_interrupt, member)
static const struct db_column interrupt_columns[] = {
	C(id), C(ns), C(task), C(checkpoint), C(key), C(value_json),
	C(schema_json), C(created), C(state), C(answer_json), C(run_id),
	C(thread_id), C(thread_seq),
};
#undef C
static const struct db_record interrupt_record = DB_RECORD(interrupt_columns);

int
interrupts_load(struct query *q, struct arena *a, size_t max,
    struct store_interrupt **out, size_t *n, size_t *cap)
{
	int rc = OK;

	while (rc == OK && *n < max) {
		rc = query_row(q);
		if (rc == OK && !arena_grow(a, *out, *n, *cap))
			rc = ERR_TOOBIG;
		if (rc != OK)
			break;
		(*out)[*n] = (struct store_interrupt){ .created = 0 };
		rc = query_read(q, &interrupt_record, &(*out)[(*n)++], a);
	}
	query_end(q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static struct query
waiting_of(struct db *db, const struct store_interrupt_search *x, int64_t limit,
    int64_t offset)
{
	return x->assignee.n > 0 ? query_of(db, SQL_INTERRUPTS_BY_ASSIGNEE,
	    db_i64(x->cmd.owner), db_text(x->assignee), db_i64(limit), db_i64(offset)) :
	    query_of(db, SQL_INTERRUPTS_BY_OWNER, db_i64(x->cmd.owner), db_i64(limit),
	    db_i64(offset));
}

/* Those whose threads pass the guard. */
static int
guarded_load(struct db *db, struct store_interrupt_search *x, size_t limit)
{
	struct query q = waiting_of(db, x, INT64_MAX, 0);
	int64_t skip = x->offset;
	size_t cap = 0;
	int rc = OK;

	while (rc == OK && x->found_n < limit) {
		struct store_interrupt found = { .created = 0 };
		struct store_thread t;

		rc = query_row(&q);
		if (rc == OK)
			rc = query_read(&q, &interrupt_record, &found, x->cmd.arena);
		if (rc == OK)
			rc = query_one(query_of(db, SQL_THREAD_AT, db_i64(found.thread_seq),
			    db_i64(x->cmd.owner)), &store_thread_record, &t, x->cmd.arena);
		if (rc != OK || !guard_test(x->cmd.guard, t.metadata_json) || skip-- > 0)
			continue;
		if (!arena_grow(x->cmd.arena, x->found, x->found_n, cap))
			rc = ERR_TOOBIG;
		else
			x->found[x->found_n++] = found;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
interrupt_search(struct store *st, struct store_cmd *c)
{
	struct store_interrupt_search *x = (struct store_interrupt_search *)c;
	int64_t limit = x->limit < LIMIT_PAGE_ROWS ? x->limit : LIMIT_PAGE_ROWS;
	struct query q;
	size_t cap = 0;

	assert(limit >= 0 && x->offset >= 0);
	x->found = NULL;
	x->found_n = 0;
	if (c->guard.n > 0)
		return guarded_load(slow_db(st, c), x, (size_t)limit);
	q = waiting_of(slow_db(st, c), x, limit, x->offset);
	return interrupts_load(&q, c->arena, (size_t)limit, &x->found, &x->found_n, &cap);
}
const struct op store_op_interrupt_search = { .run = interrupt_search,
    .lane = OP_READ_SHORT };
