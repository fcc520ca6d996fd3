/*
 * pg_begin.c - what a group of commands begins with on PostgreSQL, where other nodes
 * write too: the fence, the locks, the numbers.
 *
 * It is one round trip behind BEGIN:
 *
 *   fence     a lock on this node's row, shared; without the row the node counts as dead,
 *             and commands of its runs do nothing
 *   keys      advisory locks, in the order of their numbers
 *   threads   the rows of threads, in the order of theirs
 *   numbers   one block of each kind that commands mostly need
 *
 * Each statement sees what others committed before it began, so what a command reads
 * behind its lock is what it writes over.  Numbers are taken behind the locks too: those
 * of a thread's runs and states rise, whoever writes them, and a block that was not used
 * up goes with its group.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/pg_begin_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define TAKE_TRIES 100

#define BEGIN_MAP(X)                                                                    \
	X(FENCE, "SELECT 1 FROM node WHERE seq = ? AND state = 0 FOR KEY SHARE")        \
	X(KEYS, "SELECT count(*) FROM (SELECT pg_advisory_xact_lock(k)"                 \
	    " FROM unnest(CAST(? AS TEXT)::bigint[]) k) x")                             \
	X(THREADS, "WITH k AS MATERIALIZED (SELECT unnest(CAST(?1 AS TEXT)::bigint[])"  \
	    " AS seq UNION SELECT t.seq FROM thread t WHERE t.uuid ="                   \
	    " ANY(CAST(?2 AS TEXT)::bytea[]) UNION SELECT r.thread FROM run r"          \
	    " WHERE r.uuid = ANY(CAST(?3 AS TEXT)::bytea[]))"                           \
	    " SELECT count(*) FROM (SELECT t.seq FROM thread t WHERE t.seq IN"          \
	    " (SELECT seq FROM k) ORDER BY t.seq FOR NO KEY UPDATE OF t) x")            \
	X(NUMBERS, "SELECT nextval('seq_thread'), nextval('seq_run'),"                  \
	    " nextval('seq_checkpoint'), nextval('seq_list')")                          \
	X(THREAD_TRY, "SELECT 1 FROM thread WHERE seq = ? FOR NO KEY UPDATE SKIP LOCKED") \
	X(KEY_TRY, "SELECT 1 WHERE pg_try_advisory_xact_lock(?)")                       \
	X(TAKE, "SELECT min(v), max(v) FROM (SELECT nextval(CAST(CAST(?1 AS TEXT)"      \
	    " AS regclass)) AS v FROM generate_series(1, ?2)) x")

enum {
#define X(name, text) BEGIN_##name,
	BEGIN_MAP(X)
#undef X
	BEGIN_COUNT
};

static const char *const begin_text[BEGIN_COUNT] = {
#define X(name, text) [BEGIN_##name] = text,
	BEGIN_MAP(X)
#undef X
};
static const struct db_sql begin_sql = { .text = begin_text, .n = BEGIN_COUNT };

static const struct kind { const char *name; int64_t block; } kinds[SEQS] = {
	[SEQ_OWNER] = { "seq_owner", PG_BLOCK_ONE },
	[SEQ_ASSISTANT] = { "seq_assistant", PG_BLOCK_ONE },
	[SEQ_THREAD] = { "seq_thread", PG_BLOCK_SOME },
	[SEQ_RUN] = { "seq_run", PG_BLOCK_SOME },
	[SEQ_CHECKPOINT] = { "seq_checkpoint", PG_BLOCK_MANY },
	[SEQ_LIST] = { "seq_list", PG_BLOCK_SOME },
	[SEQ_MAIL] = { "seq_mail", PG_BLOCK_MANY },
	[SEQ_CRON] = { "seq_cron", PG_BLOCK_ONE },
	[SEQ_NODE] = { "seq_node", PG_BLOCK_ONE },
};

struct lock_set {
	uint64_t seed;                       /* of keys: a database may have several schemas */
	int64_t *key;
	size_t n, cap;
	struct buf seqs, ids, runs;          /* arrays, as PostgreSQL writes them */
};

struct pg_begin {
	struct db db;                        /* the writer's connection */
	struct lock_set locks;
	struct buf text;
	struct block { int64_t next, end; } block[SEQS];
};

/* ---- what commands ask for ------------------------------------------------------- */

static void
array_begin(struct buf *b)
{
	buf_clear(b);
	buf_add_char(b, '{');
}

static void
array_next(struct buf *b)
{
	if (b->n > 1)
		buf_add_char(b, ',');
}

static void
array_add_uuid(struct buf *b, const struct uuid *id)
{
	array_next(b);
	buf_lit(b, "\"\\\\x");
	for (size_t i = 0; i < sizeof id->b; i++)
		buf_add_fmt(b, "%02x", id->b[i]);
	buf_add_char(b, '"');
}

static struct str
array_end(struct buf *b)
{
	buf_add_char(b, '}');
	return buf_str(b);
}

void
lock_thread(struct lock_set *l, const struct uuid *id)
{
	array_add_uuid(&l->ids, id);
}

void
lock_thread_seq(struct lock_set *l, int64_t seq)
{
	array_next(&l->seqs);
	buf_add_i64(&l->seqs, seq);
}

void
lock_thread_new(struct lock_set *l, const struct uuid *id)
{
	lock_uuid(l, LOCK_THREAD, id);
	lock_thread(l, id);
}

void
lock_thread_of_run(struct lock_set *l, const struct uuid *run_id)
{
	array_add_uuid(&l->runs, run_id);
}

/* FNV-1a.  Two that share a number wait for each other once in a while. */
static int64_t
key_of(const struct lock_set *l, enum lock what, struct str key)
{
	uint64_t h = l->seed ^ (uint64_t)what;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (uint8_t)key.p[i]) * UINT64_C(0x100000001b3);
	return (int64_t)(h * UINT64_C(0x100000001b3));
}

static int64_t
key_of_number(const struct lock_set *l, enum lock what, int64_t n)
{
	return key_of(l, what, (struct str){ (const char *)&n, sizeof n });
}

static void
key_add(struct lock_set *l, int64_t key)
{
	mem_grow(l->key, l->n, l->cap);
	l->key[l->n++] = key;
}

void
lock_key(struct lock_set *l, enum lock what, struct str key)
{
	key_add(l, key_of(l, what, key));
}

void
lock_uuid(struct lock_set *l, enum lock what, const struct uuid *id)
{
	lock_key(l, what, (struct str){ (const char *)id->b, sizeof id->b });
}

void
lock_number(struct lock_set *l, enum lock what, int64_t n)
{
	key_add(l, key_of_number(l, what, n));
}

void
lock_nothing(const struct store_cmd *c, struct lock_set *l)
{
	(void)c;
	(void)l;
}

/* true: commands take numbers of threads, runs or states. */
static bool
locks_collect(struct lock_set *l, struct store_cmd *const *cmds, size_t n,
    const bool *left_out)
{
	bool numbers = false;

	l->n = 0;
	array_begin(&l->seqs);
	array_begin(&l->ids);
	array_begin(&l->runs);
	for (size_t i = 0; i < n; i++) {
		const struct op *op = store_ops[cmds[i]->op];

		if (left_out[i])
			continue;
		numbers |= op->numbers;
		if (op->locks != NULL)
			op->locks(cmds[i], l);
		else
			lock_number(l, LOCK_OP, (int64_t)cmds[i]->op);
		if (cmds[i]->once != NULL)
			lock_key(l, LOCK_ONCE, (struct str){ (const char *)
			    cmds[i]->once->key, STORE_HASH });
	}
	return numbers;
}

/* ---- the round trip --------------------------------------------------------------- */

static int
compare_keys(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Each once, in their order. */
static struct str
keys_text(struct pg_begin *g)
{
	struct lock_set *l = &g->locks;

	if (l->n > 1)
		qsort(l->key, l->n, sizeof *l->key, compare_keys);
	array_begin(&g->text);
	for (size_t i = 0; i < l->n; i++) {
		if (i > 0 && l->key[i] == l->key[i - 1])
			continue;
		array_next(&g->text);
		buf_add_i64(&g->text, l->key[i]);
	}
	return array_end(&g->text);
}

static int
row_wait(struct query *q)
{
	int rc = q->s == NULL ? OK : query_row(q);

	if (q->s != NULL)
		query_end(q);
	return rc;
}

static int
numbers_wait(struct pg_begin *g, struct query *q)
{
	static const enum seq which[] = { SEQ_THREAD, SEQ_RUN, SEQ_CHECKPOINT, SEQ_LIST };
	int rc = q->s == NULL ? OK : query_row(q);

	for (size_t i = 0; q->s != NULL && rc == OK && i < COUNT(which); i++) {
		int64_t first = query_i64(q, (int)i);

		g->block[which[i]] = (struct block){ first, first + kinds[which[i]].block };
	}
	if (q->s != NULL)
		query_end(q);
	return rc;
}

static struct query
start(struct query q)
{
	query_start(&q);
	return q;
}

int
group_begin(struct store *st, struct store_cmd *const *cmds, size_t n, const bool *left_out)
{
	struct pg_begin *g = st->begin;
	struct lock_set *l = &g->locks;
	struct query fence = { 0 }, keys = { 0 }, threads = { 0 }, numbers = { 0 };
	bool counts = locks_collect(l, cmds, n, left_out);
	int rc, got;

	for (int i = 0; i < SEQS; i++)
		g->block[i] = (struct block){ 0, 0 };
	if (st->us > 0)
		fence = start(query_of(&g->db, BEGIN_FENCE, db_i64(st->us)));
	if (l->n > 0)
		keys = start(query_of(&g->db, BEGIN_KEYS, db_str(keys_text(g))));
	if (l->seqs.n + l->ids.n + l->runs.n > 3)
		threads = start(query_of(&g->db, BEGIN_THREADS, db_str(array_end(&l->seqs)),
		    db_str(array_end(&l->ids)), db_str(array_end(&l->runs))));
	if (counts)
		numbers = start(query_of(&g->db, BEGIN_NUMBERS));
	rc = row_wait(&fence);
	st->fenced = rc == ERR_NOTFOUND;
	rc = st->fenced ? OK : rc;
	got = row_wait(&keys);
	rc = rc == OK ? got : rc;
	got = row_wait(&threads);
	rc = rc == OK ? got : rc;
	got = numbers_wait(g, &numbers);
	return rc == OK ? got : rc;
}

/* ---- found on the way ------------------------------------------------------------- */

static int
locked(int rc)
{
	return rc == ERR_NOTFOUND ? ERR_AGAIN : rc;
}

int
store_thread_try(struct store *st, int64_t seq)
{
	return !st->pg ? OK : locked(query_any(query_of(&st->begin->db, BEGIN_THREAD_TRY,
	    db_i64(seq))));
}

int
store_lock_try(struct store *st, enum lock what, int64_t n)
{
	return !st->pg ? OK : locked(query_any(query_of(&st->begin->db, BEGIN_KEY_TRY,
	    db_i64(key_of_number(&st->begin->locks, what, n)))));
}

/* ---- numbers ----------------------------------------------------------------------- */

/* At least n of them, without a gap: blocks that follow each other, which they do unless
 * another node takes one in between. */
static int
block_take(struct pg_begin *g, enum seq which, int64_t n)
{
	int64_t size = kinds[which].block, blocks = (n + size - 1) / size;
	int rc = OK;

	for (int i = 0; rc == OK && i < TAKE_TRIES; i++) {
		struct query q = query_of(&g->db, BEGIN_TAKE,
		    db_text(str_of(kinds[which].name)), db_i64(blocks));
		int64_t first = 0, last = 0;

		rc = query_row(&q);
		if (rc == OK) {
			first = query_i64(&q, 0);
			last = query_i64(&q, 1);
		}
		query_end(&q);
		if (rc == OK && last - first == (blocks - 1) * size) {
			g->block[which] = (struct block){ first, last + size };
			return OK;
		}
	}
	if (rc != OK)
		return rc;
	g->db.on->fault = DB_AGAIN;
	return err_set(&g->db.on->err, ERR_BUSY, "%s: other nodes took numbers between %d tries "
	    "for %lld in a row", kinds[which].name, TAKE_TRIES, (long long)n);
}

int64_t
store_seq_take(struct store *st, enum seq which, int64_t n)
{
	int64_t first = st->seq[which] + 1;
	struct block *b;

	assert(n >= 0);
	if (!st->pg) {
		st->seq[which] += n;
		return first;
	}
	b = &st->begin->block[which];
	/* A failure is a fault of the connection: the group that it spoils is not committed,
	 * so a number that may exist is as good as any. */
	if (b->end - b->next < n && block_take(st->begin, which, n) != OK)
		return first;
	first = b->next;
	b->next += n;
	return first;
}

int64_t
store_seq_next(struct store *st, enum seq which)
{
	return store_seq_take(st, which, 1);
}

/* ---- life --------------------------------------------------------------------------- */

int
group_begin_open(struct store *st, struct err *e)
{
	struct pg_begin *g = mem_new(struct pg_begin);
	int64_t schema = 0;
	int rc = db_read_i64(&st->w, "SELECT hashtextextended(current_schema(), 0)", &schema, e);
	size_t max = LIMIT_WRITER_BATCH * 256 * 64;

	g->locks.seqs = g->locks.ids = g->locks.runs = g->text = BUF(max);
	db_share(&g->db, &st->w, &begin_sql);
	g->locks.seed = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)schema;
	st->begin = g;
	return rc;
}

void
group_begin_close(struct store *st)
{
	struct pg_begin *g = st->begin;

	if (g == NULL)
		return;
	db_close(&g->db);
	free(g->locks.key);
	buf_release(&g->locks.seqs);
	buf_release(&g->locks.ids);
	buf_release(&g->locks.runs);
	buf_release(&g->text);
	free(g);
	st->begin = NULL;
}
