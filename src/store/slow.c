/*
 * slow.c - the reader thread, for reads that may take long; and the list of runs.
 * Each has LIMIT_SCAN_MS; a statement past it is interrupted (db.h, DB_SLOW).
 *
 * Short ones never wait for long ones.  They go first, and in between: while
 * a long one runs, the progress handler and the pace of comparisons (json.h)
 * look for them every few microseconds and run them on a connection of their
 * own, which sees what was committed by then.  Histories and lists of runs are
 * short, they follow an index.  A search is taken for a short one until it has
 * looked at READ_SHORT_ROWS rows, and whatever compares metadata until that has
 * taken READ_SHORT_MS; then it begins anew as a long one, behind those that are
 * waiting.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/find.h"
#include "store/store_priv.h"

struct db *
slow_db(struct store *st, const struct store_cmd *c)
{
	return store_ops[c->op]->lane == OP_READ_SHORT && !c->long_read ? &st->quick : &st->slow;
}

/* In one transaction: all statements read the same snapshot. */
static int
read_run(struct store *st, struct db *db, struct store_cmd *c)
{
	int rc = db_begin(db, DB_READ);

	if (rc != OK)
		return rc;
	rc = store_ops[c->op]->run(st, c);
	db_rollback(db);
	return rc;
}

static void
command_run(struct store *st, struct store_cmd *c)
{
	struct db *db = slow_db(st, c);
	struct db_conn *on = db->on;

	on->fault = DB_SOUND;
	on->err.text[0] = '\0';
	on->by_cpu = st->scan_cpu;
	on->deadline = db_clock(on) + st->scan_ms * NS_PER_MS;
	on->pace_until = db == &st->slow ? on->deadline :
	    db_clock(on) + READ_SHORT_MS * NS_PER_MS;
	on->pace_rc = db == &st->slow ? ERR_TIMEOUT : ERR_AGAIN;
	c->rc = read_run(st, db, c);
	if (c->rc == ERR_AGAIN && db == &st->quick) {
		c->long_read = true;
		queue_put_back(&st->reads, c);
		return;
	}
	if (c->rc == ERR_TIMEOUT)
		err_set(&c->err, c->rc, "the search took longer than %lld ms",
		    (long long)st->scan_ms);
	else if (c->rc != OK && c->err.text[0] == '\0')
		err_set(&c->err, c->rc, "%s", on->err.text[0] != '\0' ?
		    on->err.text : rc_text(c->rc));
	shard_post(c->shard, &c->job);
}

static void
in_between(void *arg)
{
	struct store *st = arg;
	struct store_cmd *c;

	for (c = queue_take_first(&st->reads); c != NULL;
	    c = queue_take_first(&st->reads))
		command_run(st, c);
}

void *
slow_main(void *arg)
{
	struct store *st = arg;
	struct store_cmd *c;
	bool closing = false;

	st->slow.on->meanwhile = in_between;
	st->slow.on->meanwhile_ctx = st;
	while (!closing) {
		if (queue_take(&st->reads, &c, 1, NEVER, &closing) > 0)
			command_run(st, c);
	}
	return NULL;
}

static int
run_list(struct store *st, struct store_cmd *c)
{
	struct store_run_list *x = (struct store_run_list *)c;
	int64_t limit = x->limit < LIMIT_PAGE_ROWS ? x->limit : LIMIT_PAGE_ROWS;
	struct query q;
	int rc;

	assert(limit >= 0 && x->offset >= 0);
	x->runs_n = 0;
	x->more = false;
	x->runs = arena_alloc(c->arena, ((size_t)limit + 1) * sizeof *x->runs);
	rc = arena_rc(c->arena);
	q = query_of(&st->quick, SQL_RUN_LIST, db_i64(x->thread_seq),
	    db_i64(c->owner), db_i64(x->status), db_i64(limit + 1),
	    db_i64(x->offset), db_uuid(&x->waits));
	while (rc == OK) {
		rc = query_row(&q);
		x->more = rc == OK && x->runs_n == (size_t)limit;
		if (x->more)
			break;
		if (rc == OK)
			rc = query_read(&q, &store_run_record,
			    &x->runs[x->runs_n++], c->arena);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}
const struct op store_op_run_list = { .run = run_list, .lane = OP_READ_SHORT };

static int
run_active(struct store *st, struct store_cmd *c)
{
	struct store_run_active *x = (struct store_run_active *)c;
	struct query q = query_of(&st->quick, SQL_RUNS_ACTIVE, db_i64(c->owner),
	    db_i64(x->status), db_i64(x->after), db_i64(x->limit),
	    uuid_is_zero(&x->assistant) ? db_null() : db_uuid(&x->assistant));

	return run_names_read(&q, c->arena, &x->found, &x->found_n);
}
const struct op store_op_run_active = { .run = run_active, .lane = OP_READ_SHORT };

static void
found_read(struct query *q, struct store_run_found *f, struct arena *a)
{
	f->seq = query_i64(q, 0);
	f->thread_id = query_uuid(q, 1);
	f->run_id = query_uuid(q, 2);
	f->assistant_id = query_uuid(q, 3);
	f->status = (enum run_status)query_i64(q, 4);
	f->created = query_i64(q, 5);
	f->updated = query_i64(q, 6);
	f->graph_id = query_str(q, 7, a);
}

/* What is under way has an index of its own, and so has a thread. */
static int
run_search(struct store *st, struct store_cmd *c)
{
	static const unsigned under_way = 1 << RUN_PENDING | 1 << RUN_RUNNING;
	struct store_run_search *x = (struct store_run_search *)c;
	enum sql text = x->thread_seq != 0 ? SQL_RUNS_FOUND_OF :
	    (x->statuses & ~under_way) == 0 ? SQL_RUNS_FOUND_ACTIVE : SQL_RUNS_FOUND;
	struct query q;
	int rc;

	assert(x->limit >= 0 && x->limit <= LIMIT_PAGE_ROWS);
	x->found_n = 0;
	x->more = false;
	x->found = arena_alloc(c->arena, ((size_t)x->limit + 1) * sizeof *x->found);
	rc = arena_rc(c->arena);
	q = query_of(&st->slow, text, db_i64(c->owner), db_i64(x->statuses),
	    db_i64(x->thread_seq),
	    uuid_is_zero(&x->assistant) ? db_null() : db_uuid(&x->assistant),
	    db_i64(x->before > 0 ? x->before : INT64_MAX),
	    db_i64(x->behind > 0 ? x->behind : INT64_MAX), db_i64(x->limit + 1));
	while (rc == OK) {
		rc = query_row(&q);
		x->more = rc == OK && x->found_n == (size_t)x->limit;
		if (x->more)
			break;
		if (rc == OK)
			found_read(&q, &x->found[x->found_n++], c->arena);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? arena_rc(c->arena) : rc;
}
const struct op store_op_run_search = { .run = run_search, .lane = OP_READ };
