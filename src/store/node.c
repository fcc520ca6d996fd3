/*
 * node.c - see node.h.
 *
 * A thread's `node` is > 0 while that node has its runs in memory; < 0: nobody has,
 * and that one had it last.  So of a run that was parked a late command of its node
 * is told from one of before another node woke it (changes.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/node.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/store_priv.h"

void
store_set_node(struct store *st, int64_t node)
{
	atomic_store(&st->node, node);
}

int64_t
store_node(const struct store *st)
{
	return atomic_load_explicit(&st->node, memory_order_acquire);
}

bool
store_is_full(const struct store *st)
{
	return atomic_load(&st->full);
}

bool
store_is_late(const struct store *st, const struct store_cmd *c)
{
	return c->node != store_node(st) || c->node == NODE_NONE;
}

/* ---- whose a thread is ------------------------------------------------------ */

int64_t
node_foreign(const struct store *st, int64_t thread_node)
{
	return thread_node > 0 && thread_node != st->us ? thread_node : 0;
}

int64_t
node_ours(const struct store *st)
{
	return st->us > 0 ? st->us : 0;
}

int
node_of_thread(struct store *st, int64_t thread, int64_t *node)
{
	int rc;

	*node = 0;
	if (st->us == NODE_ALONE)
		return OK;
	rc = query_one_i64(query_of(&st->w, SQL_THREAD_NODE_AT, db_i64(thread)), node);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
node_set(struct store *st, int64_t thread, int64_t node)
{
	return st->us == NODE_ALONE ? OK : db_run(&st->w, SQL_THREAD_NODE_SET,
	    db_i64(thread), db_i64(node));
}

enum { WANTED_CANCEL = 1, WANTED_ROLLBACK };

int
run_want_cancel(struct store *st, int64_t run, bool rollback, struct str why)
{
	return db_run(&st->w, SQL_WANTED_PUT, db_i64(run),
	    db_i64(rollback ? WANTED_ROLLBACK : WANTED_CANCEL), db_text(why));
}

int
store_thread_node(struct store_reader *r, const struct uuid *thread_id, int64_t *node)
{
	int rc;

	*node = 0;
	if (store_node(r->st) == NODE_ALONE)
		return OK;
	rc = query_one_i64(query_of(reader_db(r), SQL_THREAD_NODE_OF, db_uuid(thread_id)),
	    node);
	if (*node < 0)
		*node = 0;
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- many at once ----------------------------------------------------------- */

#define NUMBERS_MAX (24u * LIMIT_FOREIGN_BATCH)      /* bytes of their text */

static void
numbers_add(struct buf *b, int64_t n)
{
	buf_add_char(b, b->n == 0 ? '[' : ',');
	buf_add_i64(b, n);
}

static struct query
numbers_query(struct store_reader *r, int sql, struct buf *b)
{
	buf_add_char(b, ']');
	return query_of(reader_db(r), sql, db_str(buf_str(b)));
}

static void
news_read(const struct query *q, struct store_run_news *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct store_run_news *x = &at[i];

		if (x->run_seq != query_i64(q, 0) || x->owner != query_i64(q, 1))
			continue;
		x->gone = false;
		x->status = (enum run_status)query_i64(q, 2);
		x->node = query_i64(q, 3) > 0 ? query_i64(q, 3) : 0;
		x->last = query_i64(q, 4);
	}
}

int
store_runs_news(struct store_reader *r, struct store_run_news *at, size_t n)
{
	struct buf numbers = BUF(NUMBERS_MAX);
	struct query q;
	int rc;

	assert(n > 0 && n <= LIMIT_FOREIGN_BATCH);
	for (size_t i = 0; i < n; i++) {
		at[i].gone = true;
		numbers_add(&numbers, at[i].run_seq);
	}
	q = numbers_query(r, SQL_RUNS_NEWS, &numbers);
	while ((rc = query_row(&q)) == OK)
		news_read(&q, at, n);
	query_end(&q);
	buf_release(&numbers);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
store_threads_there(struct store_reader *r, struct store_thread_there *at, size_t n)
{
	struct buf numbers = BUF(NUMBERS_MAX);
	struct query q;
	int rc;

	assert(n > 0 && n <= LIMIT_FOREIGN_BATCH);
	for (size_t i = 0; i < n; i++) {
		at[i].there = false;
		numbers_add(&numbers, at[i].thread_seq);
	}
	q = numbers_query(r, SQL_THREADS_THERE, &numbers);
	while ((rc = query_row(&q)) == OK)
		for (size_t i = 0; i < n; i++)
			at[i].there |= at[i].thread_seq == query_i64(&q, 0) &&
			    at[i].owner == query_i64(&q, 1);
	query_end(&q);
	buf_release(&numbers);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- the lease ------------------------------------------------------------ */

struct store_pulse {
	struct db db;
};

int
store_pulse_open(struct store *st, struct store_pulse **out, struct err *e)
{
	struct store_pulse *p = mem_new(struct store_pulse);
	int rc = db_open(&p->db, st->medium.path, st->vfs, &store_sql, DB_WRITE, e);

	*out = NULL;
	if (rc == OK)
		*out = p;
	else
		free(p);
	return rc;
}

void
store_pulse_close(struct store_pulse *p)
{
	if (p == NULL)
		return;
	db_close(&p->db);
	free(p);
}

int
store_pulse_beat(struct store_pulse *p, int64_t node, msec lease, nsec patience,
    struct err *e)
{
	int rc;

	p->db.on->fault = DB_SOUND;
	p->db.on->patience = patience / NS_PER_MS > 0 ? patience / NS_PER_MS : 1;
	rc = db_run(&p->db, SQL_NODE_BEAT, db_i64(node), db_i64(lease));
	if (rc != OK)
		return db_failed(&p->db, e);
	return db_changes(&p->db) > 0 ? OK : err_set(e, ERR_NOTFOUND,
	    "another server has marked the lease as over");
}

/* ---- coming and going -------------------------------------------------------- */

static int
node_join(struct store *st, struct store_cmd *c)
{
	struct store_node_join *x = (struct store_node_join *)c;
	int rc = OK;

	if (x->before > 0)
		rc = db_run(&st->w, SQL_NODE_LEAVE, db_i64(x->before));
	for (size_t i = 0; rc == OK && i < x->dead_n; i++)
		rc = db_run(&st->w, SQL_NODE_MARK, db_i64(x->dead[i]));
	x->node = store_seq_next(st, SEQ_NODE);
	return rc != OK ? rc : db_run(&st->w, SQL_NODE_INSERT, db_i64(x->node),
	    db_text(x->name), db_text(x->address), db_text(x->info), db_i64(x->lease));
}
const struct op store_op_node_join = { .run = node_join, .locks = lock_nothing };

static int
node_leave(struct store *st, struct store_cmd *c)
{
	const struct store_node_leave *x = (const struct store_node_leave *)c;

	return db_run(&st->w, SQL_NODE_LEAVE, db_i64(x->node));
}
const struct op store_op_node_leave = { .run = node_leave, .locks = lock_nothing };

/* ---- taking over -------------------------------------------------------------- */

/* Numbers, and what belongs to each. */
struct numbers {
	struct number { int64_t seq, state; } *at;
	size_t n, cap;
};

static int
numbers_load(struct store *st, struct query q, bool states, struct numbers *l)
{
	int rc;

	*l = (struct numbers){ 0 };
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(&st->scratch, l->at, l->n, l->cap))
			break;
		l->at[l->n++] = (struct number){ query_i64(&q, 0),
		    states ? query_i64(&q, 1) : 0 };
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_TOOBIG : rc;
}

/* Not this one: it may be late itself, and its own thread sees to that. */
static int
late_mark(struct store *st, struct store_node_take *x)
{
	struct numbers l;
	int rc = numbers_load(st, query_of(&st->w, SQL_NODES_LATE), false, &l);

	for (size_t i = 0; rc == OK && i < l.n; i++) {
		if (l.at[i].seq == st->us)
			continue;
		rc = db_run(&st->w, SQL_NODE_MARK, db_i64(l.at[i].seq));
		x->marked++;
	}
	return rc;
}

/* Is a run pending that may be claimed, now or when one that is parked has ended? */
static int
thread_waits(struct store *st, int64_t thread, bool *out)
{
	struct query q = query_of(&st->w, SQL_RUNS_UNDER_WAY, db_i64(thread));
	int rc;

	*out = false;
	for (rc = query_row(&q); rc == OK; rc = query_row(&q))
		*out = *out || (query_i64(&q, 1) == RUN_PENDING && query_i64(&q, 2) == 0);
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* What of a thread was cut off.  *claim: a run of it is to be claimed. */
static int
thread_take(struct store *st, struct store_node_take *x, int64_t thread, bool counts,
    bool *claim, size_t *given_up)
{
	struct query q = query_of(&st->w, SQL_RUN_CUT_OFF, db_i64(thread));
	struct cut_off cut = { 0 };
	int rc = query_row(&q);
	bool running = rc == OK, waits = false;

	if (rc == OK)
		cut = cut_off_read(&q);
	query_end(&q);
	if (rc == ERR_NOTFOUND)
		rc = OK;
	if (rc == OK && running)
		rc = run_recover(st, &x->cmd, &cut, x->now, counts, given_up);
	if (rc == OK)
		rc = thread_waits(st, thread, &waits);
	*claim = waits;
	return rc == OK ? node_set(st, thread, waits ? node_ours(st) : 0) : rc;
}

static int
node_drain(struct store *st, struct store_node_take *x, const struct number *node,
    size_t *cap)
{
	struct query q = query_of(&st->w, SQL_NODE_THREADS, db_i64(node->seq),
	    db_i64(x->limit - (int64_t)x->taken_n));
	struct store_taken *l = NULL;
	size_t n = 0, l_cap = 0, given_up = 0;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(&st->scratch, l, n, l_cap))
			break;
		l[n++] = (struct store_taken){ .thread_seq = query_i64(&q, 0),
		    .thread_id = query_uuid(&q, 1), .owner = query_i64(&q, 2) };
	}
	query_end(&q);
	rc = rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_TOOBIG : rc;
	for (size_t i = 0; rc == OK && i < n; i++) {
		bool claim = false;

		rc = thread_take(st, x, l[i].thread_seq, node->state != NODE_LEFT, &claim,
		    &given_up);
		if (rc != OK || !claim)
			continue;
		if (!arena_grow(x->cmd.arena, x->taken, x->taken_n, *cap))
			return ERR_TOOBIG;
		x->taken[x->taken_n++] = l[i];
	}
	if (rc == OK && n > 0)
		log_info("store", "took_over", "node=%lld threads=%zu given_up=%zu",
		    (long long)node->seq, n, given_up);
	return rc != OK ? rc : db_run(&st->w, SQL_NODE_ERASE, db_i64(node->seq));
}

/* One of ours: what the node was told of a commit was not what became of it, as when the
 * database was lost over it. */
static int
thread_retake(struct store *st, struct store_node_take *x, const struct store_lost *lost,
    size_t *cap)
{
	int64_t thread = lost->thread_seq;
	struct query q = query_of(&st->w, SQL_THREAD_PLACE, db_i64(thread),
	    db_i64(st->us), db_i64(lost->run_seq));
	struct store_taken t = { .thread_seq = thread };
	size_t given_up = 0;
	bool claim = false;
	int rc = query_row(&q);

	if (rc == OK) {
		t.thread_id = query_uuid(&q, 0);
		t.owner = query_i64(&q, 1);
	}
	query_end(&q);
	if (rc == OK)
		rc = store_thread_try(st, thread);
	if (rc == OK)
		rc = thread_take(st, x, thread, false, &claim, &given_up);
	if (rc != OK)
		return rc == ERR_NOTFOUND || rc == ERR_AGAIN ? OK : rc;
	log_warn("store", "retaken", "thread=%lld claim=%d", (long long)thread, claim);
	if (!claim)
		return OK;
	if (!arena_grow(x->cmd.arena, x->taken, x->taken_n, *cap))
		return ERR_TOOBIG;
	x->taken[x->taken_n++] = t;
	return OK;
}

static int
node_take(struct store *st, struct store_cmd *c)
{
	struct store_node_take *x = (struct store_node_take *)c;
	struct numbers l;
	uint32_t first = 0;
	size_t cap = 0;
	int rc;

	l.n = 0;
	x->taken = NULL;
	x->taken_n = 0;
	x->marked = x->from = 0;
	rc = x->spare ? OK : late_mark(st, x);
	if (rc == OK && x->tidy)
		rc = db_run(&st->w, SQL_WANTED_OVER);
	for (size_t i = 0; rc == OK && i < x->lost_n; i++)
		rc = thread_retake(st, x, &x->lost[i], &cap);
	if (rc == OK)
		rc = numbers_load(st, query_of(&st->w, SQL_NODES_OVER), true, &l);
	/* Of many: not all begin with the same one, whose threads others have locked. */
	if (l.n > NODE_TAKE_NODES)
		id_random(&first, sizeof first);
	for (size_t i = 0; rc == OK && i < l.n && i < NODE_TAKE_NODES &&
	    (int64_t)x->taken_n < x->limit; i++) {
		const struct number *from = &l.at[(first + i) % l.n];

		x->from = from->seq;
		rc = node_drain(st, x, from, &cap);
	}
	st->dead = st->dead || x->from != 0; /* they may have left some that is buried */
	x->more = rc == OK && l.n > 0;
	return rc;
}
const struct op store_op_node_take = { .run = node_take, .locks = lock_nothing,
    .fenced = true };

/* ---- reads ---------------------------------------------------------------------- */

static int
node_list(struct store *st, struct store_cmd *c)
{
	struct store_node_list *x = (struct store_node_list *)c;
	struct query q = query_of(&st->quick, SQL_NODE_LIST, db_i64(x->counts));
	size_t cap = 0;
	int rc;

	x->nodes = NULL;
	x->nodes_n = 0;
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(c->arena, x->nodes, x->nodes_n, cap))
			break;
		x->nodes[x->nodes_n++] = (struct store_node_row){ .node = query_i64(&q, 0),
		    .name = query_str(&q, 1, c->arena), .address = query_str(&q, 2, c->arena),
		    .info = query_str(&q, 3, c->arena),
		    .state = (enum node_state)query_i64(&q, 4), .started = query_i64(&q, 5),
		    .left = query_i64(&q, 6), .threads = query_i64(&q, 7) };
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? arena_rc(c->arena) : rc == OK ? ERR_TOOBIG : rc;
}
const struct op store_op_node_list = { .run = node_list, .lane = OP_READ_SHORT };

static int
cancels_read(struct store *st, struct store_node_wanted *x, int64_t us)
{
	struct query q = query_of(&st->quick, SQL_WANTED_CANCELS, db_i64(us));
	size_t cap = 0;
	int rc;

	x->cancels = NULL;
	x->cancels_n = 0;
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(x->cmd.arena, x->cancels, x->cancels_n, cap))
			break;
		x->cancels[x->cancels_n++] = (struct store_wanted_run){
		    .owner = query_i64(&q, 0), .thread_id = query_uuid(&q, 1),
		    .run_id = query_uuid(&q, 2),
		    .rollback = query_i64(&q, 3) == WANTED_ROLLBACK,
		    .why = query_str(&q, 4, x->cmd.arena) };
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? arena_rc(x->cmd.arena) : rc == OK ? ERR_TOOBIG : rc;
}

static int
runs_read(struct store *st, struct store_node_wanted *x, int64_t us)
{
	struct query q = query_of(&st->quick, SQL_WANTED_THREADS, db_i64(us),
	    db_i64(LIMIT_NODE_RUNS), db_i64(x->after));
	size_t cap = 0;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(x->cmd.arena, x->runs, x->runs_n, cap))
			break;
		x->runs[x->runs_n++] = (struct store_under_way){ .thread = {
		    .owner = query_i64(&q, 0), .thread_seq = query_i64(&q, 1),
		    .thread_id = query_uuid(&q, 2) }, .run_id = query_uuid(&q, 3),
		    .running = query_i64(&q, 4) == RUN_RUNNING,
		    .run_seq = query_i64(&q, 5) };
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_TOOBIG : rc;
}

static int
node_wanted(struct store *st, struct store_cmd *c)
{
	struct store_node_wanted *x = (struct store_node_wanted *)c;
	int64_t us = store_node(st), stale = 0;
	int rc = cancels_read(st, x, us);

	x->runs = NULL;
	x->runs_n = 0;
	if (rc == OK && !x->cancels_only)
		rc = runs_read(st, x, us);
	if (rc == OK)
		rc = query_one_i64(query_of(&st->quick, SQL_WANTED_STALE), &stale);
	x->stale = stale > 0;
	return rc;
}
const struct op store_op_node_wanted = { .run = node_wanted, .lane = OP_READ_SHORT };
