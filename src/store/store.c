/*
 * store.c - the store's life: open, close, submit, and its two outside views
 * (a check and the numbers).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/node.h"
#include "store/ship_priv.h"
#include "store/store_priv.h"

#define LOOSEN_BYTES ((int64_t)64 * 1024 * 1024)

const char *const thread_status_names[] = {
	"idle", "busy", "interrupted", "error", NULL
};
const char *const run_status_names[] = {
	"pending", "running", "success", "error", "timeout", "interrupted", NULL
};
const char *const multitask_names[] = { "enqueue", "reject", "interrupt", "rollback", NULL };
const char *const thread_ttl_names[] = { "delete", "keep_latest", NULL };
const char *const checkpoint_source_names[] = {
	"input", "loop", "update", "fork", NULL
};

static const char *const sql_text[SQL_COUNT] = {
#define X(name, text) [SQL_##name] = text,
	SQL_MAP(X)
#undef X
};
const struct db_sql store_sql = { .text = sql_text, .pg = store_sql_pg, .n = SQL_COUNT };

/* ---- open and close ------------------------------------------------------ */

/* Each number continues from the highest in its table.  It is kept in memory, so
 * that a removed row's number is not given again while somebody may hold it. */
static int
seqs_load(struct store *st, struct err *e)
{
	static const enum sql text[SEQS] = {
		[SEQ_OWNER] = SQL_SEQ_OWNER,
		[SEQ_ASSISTANT] = SQL_SEQ_ASSISTANT,
		[SEQ_THREAD] = SQL_SEQ_THREAD,
		[SEQ_RUN] = SQL_SEQ_RUN,
		[SEQ_CHECKPOINT] = SQL_SEQ_CHECKPOINT,
		[SEQ_LIST] = SQL_SEQ_LIST,
		[SEQ_MAIL] = SQL_SEQ_MAIL,
		[SEQ_CRON] = SQL_SEQ_CRON,
		[SEQ_NODE] = SQL_SEQ_NODE,
	};

	for (int i = 0; i < SEQS; i++) {
		if (query_one_i64(query_of(&st->w, text[i]), &st->seq[i]) != OK)
			return db_failed(&st->w, e);
	}
	return OK;
}

/* A small file of before is made anew, so that it can give pages back; a large one
 * would take too long and stays as it is. */
static int
file_loosen(struct store *st, struct err *e)
{
	int64_t mode = 0, pages = 0, size = 0;
	int rc = db_read_i64(&st->w, "PRAGMA auto_vacuum", &mode, e);

	if (rc == OK)
		rc = db_read_i64(&st->w, "PRAGMA page_count", &pages, e);
	if (rc == OK)
		rc = db_read_i64(&st->w, "PRAGMA page_size", &size, e);
	if (rc != OK || mode != 0 || pages * size >= LOOSEN_BYTES)
		return rc;
	return db_exec(&st->w, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM", e);
}

static int
writer_open(struct store *st, struct err *e)
{
	int version = 0;
	int rc = db_open(&st->w, st->medium.path, st->vfs, &store_sql, DB_WRITE, e);

	if (rc == OK)
		rc = db_version(&st->w, &store_format, &version, e);
	/* Freed pages can be given back; only a new file may be told so. */
	if (rc == OK && version == 0)
		rc = db_exec(&st->w, "PRAGMA auto_vacuum = INCREMENTAL", e);
	/* The file is known to be ours: now its mode may be changed. */
	if (rc == OK)
		rc = db_log_enable(&st->w, e);
	if (rc == OK)
		rc = db_exec(&st->w, "PRAGMA journal_size_limit = 16777216", e);
	if (rc == OK)
		rc = db_exec(&st->w, st->durable ? "PRAGMA synchronous = FULL" :
		    "PRAGMA synchronous = OFF", e);
	if (rc == OK)
		rc = store_migrate(&st->w, e);
	if (rc == OK)
		rc = file_loosen(st, e);
	if (rc == OK)
		rc = seqs_load(st, e);
	if (rc == OK && erase_find(st) != OK)
		rc = db_failed(&st->w, e);
	return rc;
}

/* The same on a database server, which other nodes use too.  Its numbers come from there,
 * and what a node that was killed has not erased may be anybody's work. */
static int
server_open(struct store *st, struct err *e)
{
	int rc = db_open(&st->w, st->medium.path, NULL, &store_sql, DB_WRITE, e);

	if (rc == OK)
		rc = pg_migrate(&st->w, e);
	if (rc == OK)
		rc = group_begin_open(st, e);
	if (rc == OK)
		rc = tokens_open(&st->tokens, e);
	if (rc == OK && erase_find(st) != OK)
		rc = db_failed(&st->w, e);
	return rc;
}

static int
database_open(struct store *st, struct err *e)
{
	const char *path = st->medium.path;
	int rc = st->pg ? server_open(st, e) : writer_open(st, e);

	if (rc == OK)
		rc = db_open(&st->slow, path, st->vfs, &store_sql, DB_SLOW, e);
	if (rc == OK && !st->pg)
		rc = words_rank_add(&st->slow, e);
	if (rc == OK)
		rc = db_open(&st->quick, path, st->vfs, &store_sql, DB_SLOW, e);
	if (rc == OK)
		rc = db_open(&st->check, path, st->vfs, &store_sql, DB_READ, e);
	if (st->pg)
		return rc;
	medium_remember(&st->medium);
	return rc == OK ? medium_look(&st->medium, e) : rc;
}

/* Before the writer begins: its connection is told of. */
static int
backups_start(struct store *st, const struct store_backup *o, struct err *e)
{
	int rc;

	if (o->to.n == 0 || !st->durable || st->pg)
		return OK;
	rc = ship_open(&st->ship, o, st->medium.path, st->vfs, e);
	if (rc == OK) {
		st->w.on->committed = ship_committed;
		st->w.on->committed_ctx = st->ship;
	}
	return rc;
}

static int
threads_start(struct store *st, struct err *e)
{
	int rc = pthread_create(&st->writer, NULL, writer_main, st);

	st->writer_runs = rc == 0;
	if (rc == 0)
		rc = pthread_create(&st->reader, NULL, slow_main, st);
	st->reader_runs = st->writer_runs && rc == 0;
	return rc == 0 ? OK : err_set(e, ERR_IO, "thread: %s", strerror(rc));
}

int
store_open_with(struct store **out, const struct store_options *o,
    struct vfs_faults *faults, struct err *e)
{
	struct store *st = mem_new(struct store);
	int rc;

	*out = NULL;
	queue_init(&st->writes);
	queue_init(&st->reads);
	pthread_mutex_init(&st->check_lock, NULL);
	st->fail_at = o->fail_at;
	st->slow_ms = o->slow_ms;
	st->scan_ms = o->scan_ms > 0 ? o->scan_ms : LIMIT_SCAN_MS;
	st->once_keys = o->once_keys > 0 ? o->once_keys : LIMIT_ONCE_KEYS;
	st->scan_cpu = o->scan_cpu;
	st->thread_ttl = o->thread_ttl;
	st->guest_house = o->guest_house;
	st->scratch = ARENA(4 * (size_t)LIMIT_STATE_BYTES);
	st->pack = BUF(4 * (size_t)LIMIT_STATE_BYTES);
	st->map = BUF(LIMIT_CHANNELS * (8 * LIMIT_NAME_BYTES + 64));
	st->vfs = o->layer;
	if (faults != NULL && o->layer == NULL)
		st->shim = vfs_shim_new(faults, &st->vfs);
	rc = medium_open(&st->medium, o, e);
	st->durable = st->medium.dir[0] == '\0';
	st->pg = str_eq(o->driver, S("postgres"));
	if (rc == OK)
		rc = database_open(st, e);
	if (rc == OK)
		rc = guests_open(st, o->guests, e);
	if (rc == OK)
		rc = backups_start(st, &o->backup, e);
	if (rc == OK)
		rc = threads_start(st, e);
	if (rc != OK) {
		store_close(st);
		return rc;
	}
	*out = st;
	return OK;
}

int
store_open(struct store **out, const struct store_options *o, struct err *e)
{
	static struct vfs_faults faults;     /* of the one store of a test server */

	if (o->fsync_delay_ms == 0)
		return store_open_with(out, o, NULL, e);
	atomic_store(&faults.sync_delay_ms, o->fsync_delay_ms);
	return store_open_with(out, o, &faults, e);
}

/* Accepts NULL and a half-opened store. */
void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	if (st->reader_runs) {
		queue_close(&st->reads);
		pthread_join(st->reader, NULL);
	}
	if (st->writer_runs) {
		queue_close(&st->writes);
		pthread_join(st->writer, NULL);
	}
	if (st->ship != NULL)
		st->w.on->committed = NULL;
	ship_close(st->ship);
	guests_close(st);
	vectors_close(st);
	group_begin_close(st);
	tokens_close(st->tokens);
	db_close(&st->check);
	db_close(&st->quick);
	db_close(&st->slow);
	db_close(&st->w);
	medium_close(&st->medium);
	vfs_shim_free(st->shim);
	queue_release(&st->reads);
	queue_release(&st->writes);
	pthread_mutex_destroy(&st->check_lock);
	arena_release(&st->scratch);
	buf_release(&st->pack);
	buf_release(&st->map);
	free(st);
}

const char *
store_driver(const struct store *st)
{
	return st->pg ? "postgres" : st->durable ? "sqlite" : "memory";
}

int
store_reader_open(struct store *st, struct store_reader **out, struct err *e)
{
	struct store_reader *r = mem_new(struct store_reader);
	int rc = db_open(&r->db, st->medium.path, st->vfs, &store_sql, DB_READ, e);

	*out = NULL;
	r->st = st;
	if (rc == OK)
		*out = r;
	else
		free(r);
	return rc;
}

void
store_reader_trim(struct store_reader *r)
{
	db_trim(&r->db);
}

void
store_reader_close(struct store_reader *r)
{
	if (r == NULL)
		return;
	db_close(&r->db);
	free(r);
}

/* ---- use ----------------------------------------------------------------- */

static void
check_store(const struct store *st)
{
	assert(st != NULL && st->scan_ms > 0);
	assert(st->durable == (st->medium.dir[0] == '\0'));
	assert(st->seats_n <= STORE_GUESTS);
}

static void
come_back(struct shard_job *job)
{
	struct store_cmd *c = CONTAINER_OF(job, struct store_cmd, job);

	c->under_way = false;
	if (c->done != NULL)
		c->done(c);
}

int
store_submit(struct store *st, struct shard *s, struct store_cmd *c, bool force)
{
	const struct op *op;
	int rc;

	check_store(st);
	assert((unsigned)c->op < STORE_OPS && !c->under_way);
	op = store_ops[c->op];
	assert(s != NULL && (op->lane == OP_WRITE || !c->lazy));
	c->under_way = true;
	c->shard = s;
	c->job.run = come_back;
	c->long_read = false;
	if (c->node == NODE_ALONE)           /* not one that is tried again */
		c->node = store_node(st);
	c->rc = OK;
	c->err.code = OK;
	c->err.text[0] = '\0';
	c->bytes = store_op_bytes(c);
	rc = queue_put(op->lane == OP_WRITE ? &st->writes : &st->reads, c, force,
	    op->lane == OP_READ_SHORT);
	if (rc != OK)
		c->under_way = false;
	return rc;
}

int
store_check(struct store *st, struct err *e)
{
	struct query q;
	int rc;

	check_store(st);
	pthread_mutex_lock(&st->check_lock);
	q = query_of(&st->check, SQL_CHECK);
	rc = query_row(&q);
	if (rc != OK)
		err_set(e, rc, "the store cannot be read: %s", st->check.on->err.text);
	query_end(&q);
	pthread_mutex_unlock(&st->check_lock);
	if (rc == OK && !st->pg)
		rc = medium_look(&st->medium, e);
	if (rc == OK && st->pg && atomic_load(&st->lost))
		rc = err_set(e, ERR_BUSY, "PostgreSQL cannot be reached; nothing can be "
		    "written");
	if (rc == OK && atomic_load(&st->full))
		rc = err_set(e, ERR_BUSY, "the disk is full; nothing can be written");
	return rc;
}

static uint64_t
file_bytes(const struct store *st)
{
	static const char *const ends[] = { "", "-wal" };
	char path[DB_PATH_MAX + 8];
	uint64_t sum = 0;
	struct stat s;

	if (st->pg)
		return 0;
	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(path, sizeof path, "%s%s", st->medium.path, ends[i]);
		if (stat(path, &s) == 0)
			sum += (uint64_t)s.st_size;
	}
	return sum;
}

void
store_stats(struct store *st, struct store_stats *out)
{
	*out = (struct store_stats){
		.commits = atomic_load(&st->counts.commits),
		.commands = atomic_load(&st->counts.commands),
		.failed = atomic_load(&st->counts.failed),
		.commit_ns_sum = atomic_load(&st->counts.commit_ns),
		.file_bytes = file_bytes(st),
		.full = atomic_load(&st->full), .lost = atomic_load(&st->lost),
	};
	if (st->ship != NULL)
		ship_stats(st->ship, &out->backup);
	pthread_mutex_lock(&st->writes.lock);
	out->queue_ops = st->writes.ops;
	out->queue_bytes = st->writes.bytes;
	pthread_mutex_unlock(&st->writes.lock);
}
