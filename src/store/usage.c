/*
 * usage.c - what models took: tokens and money, by owner, thread, run, day, model.
 *
 * A run adds to its row in the transaction that holds the records of the calls.  A
 * thread that is deleted leaves its sums with the owner.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------- */

/* What a group's commands took of payers is written at its end, in one order, in which
 * other nodes lock these rows too. */
static int
payer_note(struct store *st, const struct uuid *id, int64_t day, int64_t tokens)
{
	struct payers *p = &st->payers;
	size_t i = 0;

	while (i < p->n && (p->at[i].day != day || !uuid_eq(&p->at[i].id, id)))
		i++;
	if (i == p->n)
		p->at[p->n++] = (struct payer){ *id, day, 0 };
	p->at[i].tokens += tokens;
	return p->n < COUNT(p->at) ? OK : payers_write(st);
}

static int
by_payer(const void *a, const void *b)
{
	const struct payer *x = a, *y = b;
	int order = memcmp(x->id.b, y->id.b, sizeof x->id.b);

	return order != 0 ? order : (x->day > y->day) - (x->day < y->day);
}

int
payers_write(struct store *st)
{
	struct payers *p = &st->payers;
	int rc = OK;

	qsort(p->at, p->n, sizeof p->at[0], by_payer);
	for (size_t i = 0; rc == OK && i < p->n; i++)
		rc = db_run(&st->w, SQL_PAYER_ADD, db_uuid(&p->at[i].id),
		    db_i64(p->at[i].day), db_i64(p->at[i].tokens));
	p->n = 0;
	return rc;
}

int
usage_add(struct store *st, owner_t owner, int64_t thread, int64_t run,
    const struct uuid *payer, const struct store_usage *list, size_t n)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++) {
		const struct store_usage *u = &list[i];

		rc = db_run(&st->w, SQL_USAGE_ADD, db_i64(owner), db_i64(thread),
		    db_i64(run), db_i64(u->day), db_text(u->model), db_i64(u->calls),
		    db_i64(u->input), db_i64(u->cached), db_i64(u->output),
		    db_i64(u->reasoning), db_i64(u->cost_nano));
		if (rc == OK && !uuid_is_zero(payer))
			rc = payer_note(st, payer, u->day, u->input + u->output);
	}
	return rc;
}

static int
usage_add_command(struct store *st, struct store_cmd *c)
{
	const struct store_usage_add *x = (const struct store_usage_add *)c;

	return usage_add(st, c->owner, 0, 0, &x->payer, x->usage, x->usage_n);
}

int
store_payer_tokens(struct store_reader *r, const struct uuid *payer, int64_t day, int64_t *out)
{
	int rc = query_one_i64(query_of(reader_db(r), SQL_PAYER_GET, db_uuid(payer),
	    db_i64(day)), out);

	if (rc != ERR_NOTFOUND)
		return rc;
	*out = 0;
	return OK;
}

static size_t
usage_add_bytes(const struct store_cmd *c)
{
	const struct store_usage_add *x = (const void *)c;
	size_t bytes = 0;

	for (size_t i = 0; i < x->usage_n; i++)
		bytes += 96 + x->usage[i].model.n;
	return bytes;
}
OP_LOCK(usage_add, lock_number(l, LOCK_USAGE, x->cmd.owner))
const struct op store_op_usage_add = { .run = usage_add_command,
    .bytes = usage_add_bytes, .locks = usage_add_locks };

int
usage_fold(struct store *st, owner_t owner, int64_t thread)
{
	int rc = db_run(&st->w, SQL_USAGE_FOLD, db_i64(owner), db_i64(thread));

	if (rc != OK || db_changes(&st->w) == 0)
		return rc;
	return db_run(&st->w, SQL_USAGE_DROP, db_i64(owner), db_i64(thread));
}

int
usage_fold_run(struct store *st, int64_t thread, int64_t run)
{
	int rc = db_run(&st->w, SQL_USAGE_FOLD_RUN, db_i64(thread), db_i64(run));

	if (rc != OK || db_changes(&st->w) == 0)
		return rc;
	return db_run(&st->w, SQL_USAGE_DROP_RUN, db_i64(thread), db_i64(run));
}

/* ---- reading --------------------------------------------------------------- */

struct range { int64_t thread[2], run[2]; };

/* The numbers of a run and a thread.  ERR_NOTFOUND. */
static int
range_find(struct db *db, const struct store_usage_get *x, struct range *r)
{
	struct query q;
	int rc = OK;

	*r = (struct range){ { 0, INT64_MAX }, { 0, INT64_MAX } };
	if (!uuid_is_zero(&x->run)) {
		q = query_of(db, SQL_RUN_GET, db_uuid(&x->run), db_i64(x->cmd.owner));
		rc = query_row(&q);
		if (rc == OK) {
			r->run[0] = r->run[1] = query_i64(&q, 3);
			r->thread[0] = r->thread[1] = query_i64(&q, 4);
		}
		query_end(&q);
	}
	if (rc == OK && !uuid_is_zero(&x->thread)) {
		q = query_of(db, SQL_THREAD_GET, db_uuid(&x->thread),
		    db_i64(x->cmd.owner));
		rc = query_row(&q);
		if (rc == OK && r->thread[0] != 0 && r->thread[0] != query_i64(&q, 1))
			rc = ERR_NOTFOUND;   /* the run is another's */
		if (rc == OK)
			r->thread[0] = r->thread[1] = query_i64(&q, 1);
		query_end(&q);
	}
	return rc;
}

static struct query
usage_query(struct db *db, const struct store_usage_get *x, const struct range *r,
    enum sql text, int64_t limit)
{
	/* Of all owners. */
	if (text == SQL_USAGE_ALL)
		return query_of(db, text, db_i64(x->from), db_i64(x->to));
	if (text == SQL_USAGE_BY_OWNER)
		return query_of(db, text, db_i64(x->from), db_i64(x->to), db_i64(limit),
		    db_i64(x->offset));
	return query_of(db, text, db_i64(x->cmd.owner), db_i64(r->thread[0]),
	    db_i64(r->thread[1]), db_i64(r->run[0]), db_i64(r->run[1]),
	    db_i64(x->from), db_i64(x->to), db_i64(limit),
	    db_i64(text == SQL_USAGE_TOTAL ? 0 : x->offset));
}

static struct store_usage
sums_of(struct query *q)
{
	return (struct store_usage){ .calls = query_i64(q, 0), .input = query_i64(q, 1),
	    .cached = query_i64(q, 2), .output = query_i64(q, 3),
	    .reasoning = query_i64(q, 4), .cost_nano = query_i64(q, 5) };
}

static void
found_read(struct query *q, struct store_usage_get *x, struct store_usage_found *out)
{
	*out = (struct store_usage_found){ .u = sums_of(q) };
	if (x->group == USAGE_BY_DAY)
		out->u.day = query_i64(q, 6);
	else if (x->group == USAGE_BY_MODEL)
		out->u.model = query_str(q, 6, x->cmd.arena);
	else if (x->group == USAGE_BY_THREAD)
		out->thread = query_uuid(q, 7);
	else if (x->group == USAGE_BY_OWNER)
		out->owner = query_str(q, 7, x->cmd.arena);
	else
		out->thread = query_uuid(q, 8);
	if (x->group == USAGE_BY_RUN)
		out->run = query_uuid(q, 9);
}

static int
groups_read(struct db *db, struct store_usage_get *x, const struct range *r)
{
	static const enum sql texts[] = { [USAGE_BY_DAY] = SQL_USAGE_BY_DAY,
		[USAGE_BY_MODEL] = SQL_USAGE_BY_MODEL,
		[USAGE_BY_THREAD] = SQL_USAGE_BY_THREAD,
		[USAGE_BY_RUN] = SQL_USAGE_BY_RUN, [USAGE_BY_OWNER] = SQL_USAGE_BY_OWNER };
	struct query q = usage_query(db, x, r, texts[x->group], x->limit);
	int rc = query_row(&q);

	for (; rc == OK; rc = query_row(&q))
		found_read(&q, x, &x->found[x->found_n++]);
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
usage_get(struct store *st, struct store_cmd *c)
{
	struct store_usage_get *x = (struct store_usage_get *)c;
	struct db *db = slow_db(st, c);
	bool all = x->group == USAGE_BY_OWNER;
	struct range r;
	struct query q;
	int rc;

	assert(x->limit > 0 && x->limit <= LIMIT_PAGE_ROWS && x->offset >= 0);
	assert(!all || (uuid_is_zero(&x->thread) && uuid_is_zero(&x->run)));
	x->found_n = 0;
	x->found = arena_alloc(c->arena, (size_t)x->limit * sizeof *x->found);
	rc = arena_rc(c->arena);
	if (rc == OK)
		rc = range_find(db, x, &r);
	if (rc != OK)
		return rc;
	q = usage_query(db, x, &r, all ? SQL_USAGE_ALL : SQL_USAGE_TOTAL, 1);
	rc = query_row(&q);
	if (rc == OK)
		x->total = sums_of(&q);
	query_end(&q);
	return rc == OK && x->group != USAGE_TOTAL ? groups_read(db, x, &r) : rc;
}
const struct op store_op_usage_get = { .run = usage_get, .lane = OP_READ };
