/*
 * prune.c - a thread keeps its newest state and loses what came before.
 *
 * What stays: the head of the root, and of each namespace below a task that comes next
 * in one that stays; their values and lists; what these tasks wrote, recorded and ask.
 * So the thread goes on from there, and a question that waits can be answered.
 *
 * A pass removes a bounded number of checkpoints, the oldest first, with the lists that
 * no other checkpoint names, so the thread is whole after each pass.  When only those
 * that stay are left, the last one removes values and tasks that they do not name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

struct numbers { int64_t *at; size_t n, cap; };
struct tasks { struct uuid *at; size_t n, cap; };

/* A value that stays. */
struct value {
	struct str ns, name;
	int64_t version;
};

struct pruning {
	struct store *st;
	int64_t thread;
	struct numbers heads;                /* of checkpoints that stay */
	struct tasks tasks;                  /* that come next in them */
	struct value *values;                /* that they name */
	size_t values_n, values_cap;
	struct channel_map map;              /* of the checkpoint that is looked at */
};

static bool
numbers_add(struct arena *a, struct numbers *s, int64_t x)
{
	if (s->n > 0 && s->at[s->n - 1] == x)
		return true;
	if (!arena_grow(a, s->at, s->n, s->cap))
		return false;
	s->at[s->n++] = x;
	return true;
}

static int
by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
numbers_sort(struct numbers *s)
{
	if (s->n > 1)
		qsort(s->at, s->n, sizeof *s->at, by_number);
}

static bool
numbers_have(const struct numbers *s, int64_t x)
{
	return s->n > 0 && bsearch(&x, s->at, s->n, sizeof x, by_number) != NULL;
}

static bool
task_stays(const struct pruning *p, const struct uuid *task)
{
	for (size_t i = 0; i < p->tasks.n; i++)
		if (uuid_eq(&p->tasks.at[i], task))
			return true;
	return false;
}

/* ---- what stays ------------------------------------------------------------- */

static int
tasks_keep(struct pruning *p, struct str json)
{
	struct arena *a = &p->st->scratch;
	struct task_ref *at;
	size_t n;
	int rc = tasks_parse(json, a, &at, &n);

	for (size_t i = 0; rc == OK && i < n; i++) {
		if (!arena_grow(a, p->tasks.at, p->tasks.n, p->tasks.cap))
			return ERR_TOOBIG;
		p->tasks.at[p->tasks.n++] = at[i].id;
	}
	return rc;
}

static int
values_keep(struct pruning *p, struct str ns, struct str channels)
{
	struct arena *a = &p->st->scratch;
	struct channel_map map = { 0 };
	int rc = channels_parse(&map, channels, a);

	for (size_t i = 0; rc == OK && i < map.n; i++) {
		if (map.at[i].is_list)
			continue;
		if (!arena_grow(a, p->values, p->values_n, p->values_cap))
			return ERR_TOOBIG;
		p->values[p->values_n++] = (struct value){ ns, map.at[i].name,
		    map.at[i].value };
	}
	return rc;
}

/* The head of a namespace, by a query that finds it. */
static int
head_keep(struct pruning *p, struct str ns, struct query q)
{
	struct arena *a = &p->st->scratch;
	struct str channels = STR_NONE, tasks = STR_NONE;
	int64_t seq = 0;
	int rc = query_row(&q);

	if (rc == OK) {
		seq = query_i64(&q, 0);
		channels = query_str(&q, 3, a);
		tasks = query_str(&q, 4, a);
	}
	query_end(&q);
	if (rc == OK && !numbers_add(a, &p->heads, seq))
		rc = ERR_TOOBIG;
	if (rc == OK)
		rc = values_keep(p, ns, channels);
	return rc == OK ? tasks_keep(p, tasks) : rc;
}

/* "a:TASK|b:TASK2" belongs to TASK2, and so does "a:TASK|b:TASK2|1", its second call of a
 * subgraph.  "a|b" is of a worker's graph: a subgraph that keeps its state over runs. */
static bool
ns_stays(const struct pruning *p, struct str ns)
{
	struct str task, rest;
	struct uuid id;
	size_t at = ns.n;

	while (at > 0 && ns.p[at - 1] != ':')
		at--;
	if (at == 0)
		return true;
	rest = str_sub(ns, at, ns.n - at);
	return str_next(&rest, '|', &task) && uuid_parse(task, &id) && task_stays(p, &id);
}

static int
ns_next(struct pruning *p, struct str *ns)
{
	struct query q = query_of(&p->st->w, SQL_NAMESPACE_AFTER, db_i64(p->thread),
	    db_text(*ns));
	int rc = query_row(&q);

	if (rc == OK)
		*ns = query_str(&q, 0, &p->st->scratch);
	query_end(&q);
	return rc == OK ? arena_rc(&p->st->scratch) : rc;
}

/* A namespace comes after the one that it is in. */
static int
heads_keep(struct pruning *p, int64_t root)
{
	struct str ns = S("");
	int rc = head_keep(p, ns, query_of(&p->st->w, SQL_PLACE_AT, db_i64(root)));

	while (rc == OK) {
		rc = ns_next(p, &ns);
		if (rc == OK && ns_stays(p, ns))
			rc = head_keep(p, ns, query_of(&p->st->w, SQL_PLACE_HEAD,
			    db_i64(p->thread), db_text(ns)));
	}
	numbers_sort(&p->heads);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- checkpoints ------------------------------------------------------------- */

/* What a pass removes: checkpoints, and the lists that they name. */
struct victims {
	struct numbers seqs, lists;
	struct numbers needed;               /* lists of those that stay for now */
	bool more;
};

static int
lists_note(struct pruning *p, struct numbers *out, struct str channels)
{
	int rc = channels_parse(&p->map, channels, &p->st->scratch);

	for (size_t i = 0; rc == OK && i < p->map.n; i++)
		if (p->map.at[i].is_list &&
		    !numbers_add(&p->st->scratch, out, p->map.at[i].list))
			rc = ERR_TOOBIG;
	return rc;
}

static int
victims_find(struct pruning *p, struct victims *v, int64_t max)
{
	struct query q = query_of(&p->st->w, SQL_PRUNE_READ, db_i64(p->thread));
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		int64_t seq = query_i64(&q, 0);
		bool stays = numbers_have(&p->heads, seq);

		if (!stays && (int64_t)v->seqs.n >= max)
			v->more = stays = true;
		if (!stays && !numbers_add(&p->st->scratch, &v->seqs, seq))
			rc = ERR_TOOBIG;
		if (rc == OK)
			rc = lists_note(p, stays ? &v->needed : &v->lists,
			    query_borrow(&q, 1));
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
list_leave(struct db *db, int64_t list)
{
	int64_t budget = INT64_MAX, need = 0;
	int rc = lists_drop(db, list, &budget);

	if (rc == OK)
		rc = query_one_i64(query_of(db, SQL_LIST_NEEDED, db_i64(list)), &need);
	return rc == OK && need > 0 ? lists_cut(db, list, (uint32_t)need) : rc;
}

static int
victims_drop(struct pruning *p, struct victims *v)
{
	struct db *db = &p->st->w;
	int rc = OK;

	numbers_sort(&v->lists);
	numbers_sort(&v->needed);
	for (size_t i = 0; rc == OK && i < v->seqs.n; i++)
		rc = db_run(db, SQL_CHECKPOINT_DROP, db_i64(v->seqs.at[i]),
		    db_i64(p->thread));
	for (size_t i = 0; rc == OK && i < v->lists.n; i++)
		if ((i == 0 || v->lists.at[i] != v->lists.at[i - 1]) &&
		    !numbers_have(&v->needed, v->lists.at[i]))
			rc = list_leave(db, v->lists.at[i]);
	return rc == OK && v->seqs.n > 0 ? db_run(db, SQL_PRUNE_PARENTS,
	    db_i64(p->thread)) : rc;
}

/* ---- values and tasks --------------------------------------------------------- */

static bool
value_stays(const struct pruning *p, const struct value *v)
{
	for (size_t i = 0; i < p->values_n; i++)
		if (p->values[i].version == v->version &&
		    str_eq(p->values[i].name, v->name) && str_eq(p->values[i].ns, v->ns))
			return true;
	return false;
}

static int
values_drop(struct pruning *p)
{
	struct arena *a = &p->st->scratch;
	struct query q = query_of(&p->st->w, SQL_PRUNE_VALUES, db_i64(p->thread));
	struct value *gone = NULL;
	size_t n = 0, cap = 0;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		struct value v = { query_borrow(&q, 0), query_borrow(&q, 1),
		    query_i64(&q, 2) };

		if (value_stays(p, &v))
			continue;
		if (!arena_grow(a, gone, n, cap))
			rc = ERR_TOOBIG;
		else
			gone[n++] = (struct value){ arena_str(a, v.ns), arena_str(a, v.name),
			    v.version };
	}
	query_end(&q);
	rc = rc == ERR_NOTFOUND ? arena_rc(a) : rc;
	for (size_t i = 0; rc == OK && i < n; i++)
		rc = db_run(&p->st->w, SQL_CHANNEL_DROP, db_i64(p->thread),
		    db_text(gone[i].ns), db_str(gone[i].name), db_i64(gone[i].version));
	return rc;
}

static int
tasks_drop(struct pruning *p)
{
	static const enum sql parts[] = { SQL_WRITES_DROP, SQL_RECORDS_DROP,
	    SQL_INTERRUPTS_DROP };
	struct query q = query_of(&p->st->w, SQL_PRUNE_TASKS, db_i64(p->thread));
	struct tasks gone = { 0 };
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		struct uuid task = query_uuid(&q, 0);

		if (task_stays(p, &task))
			continue;
		if (!arena_grow(&p->st->scratch, gone.at, gone.n, gone.cap))
			rc = ERR_TOOBIG;
		else
			gone.at[gone.n++] = task;
	}
	query_end(&q);
	rc = rc == ERR_NOTFOUND ? OK : rc;
	for (size_t i = 0; rc == OK && i < gone.n * COUNT(parts); i++)
		rc = db_run(&p->st->w, parts[i % COUNT(parts)], db_i64(p->thread),
		    db_uuid(&gone.at[i / COUNT(parts)]));
	return rc == OK ? db_run(&p->st->w, SQL_PRUNE_INTERRUPTS, db_i64(p->thread)) : rc;
}

int
prune_thread(struct store *st, const struct store_thread *t, int64_t *budget)
{
	struct pruning p = { .st = st, .thread = t->seq };
	struct victims v = { .more = false };
	int rc;

	assert(*budget > 0);
	if (t->checkpoint == 0)
		return OK;
	rc = heads_keep(&p, t->checkpoint);
	if (rc == OK)
		rc = victims_find(&p, &v, *budget);
	if (rc == OK)
		rc = victims_drop(&p, &v);
	*budget -= (int64_t)v.seqs.n;
	if (rc == OK && v.more)
		return ERR_AGAIN;
	if (rc == OK)
		rc = saver_prune(st, t->seq, budget);
	if (rc == OK)
		rc = values_drop(&p);
	return rc == OK ? tasks_drop(&p) : rc;
}

/* ---- by their ids -------------------------------------------------------------- */

static int
thread_prune_one(struct store *st, struct store_thread_prune *x, const struct uuid *id,
    int64_t *budget)
{
	struct store_thread t;
	int rc = query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(id),
	    db_i64(x->cmd.owner)), &store_thread_record, &t, &st->scratch);

	if (rc == ERR_NOTFOUND || (rc == OK && t.status == THREAD_BUSY))
		return OK;
	if (rc == OK)
		rc = x->strategy == TTL_DELETE ? threads_drop(st, x->cmd.owner, &t, budget) :
		    prune_thread(st, &t, budget);
	if (rc == OK)
		x->pruned[x->pruned_n++] = *id;
	return rc;
}

static int
thread_prune(struct store *st, struct store_cmd *c)
{
	struct store_thread_prune *x = (struct store_thread_prune *)c;
	int64_t budget = PRUNE_ROWS;
	size_t most = x->at + PRUNE_THREADS < x->n ? x->at + PRUNE_THREADS : x->n;
	int rc = OK;

	x->next = x->at;
	x->pruned_n = 0;
	x->pruned = arena_alloc(c->arena, PRUNE_THREADS * sizeof *x->pruned);
	if (x->pruned == NULL)
		return ERR_TOOBIG;
	while (rc == OK && x->next < most && budget > 0) {
		rc = thread_prune_one(st, x, &x->ids[x->next], &budget);
		if (rc == OK)
			x->next++;
		arena_clear(&st->scratch);
	}
	return rc == ERR_AGAIN ? OK : rc;
}
static void
thread_prune_locks(const struct store_cmd *c, struct lock_set *l)
{
	const struct store_thread_prune *x = (const struct store_thread_prune *)c;

	for (size_t i = x->at; i < x->n && i < x->at + PRUNE_THREADS; i++)
		lock_thread(l, &x->ids[i]);
}
const struct op store_op_thread_prune = { .run = thread_prune,
    .locks = thread_prune_locks };
