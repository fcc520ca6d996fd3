/*
 * writer.c - the one thread that writes.
 *
 * It takes what is queued, at most LIMIT_WRITER_BATCH commands, and runs them
 * in one transaction: the dearer a commit, the more commands share it.  After
 * COMMIT they go back to their shards, in order.
 *
 * What can fail is checked before a command's first write, so a refused
 * command has changed nothing and costs nothing.  For the rest there are no
 * savepoints, which would cost every command for the sake of a few:
 *
 *   - a command that failed after a write is *doomed*: the transaction is
 *     rolled back and the batch runs once more without it;
 *   - when the medium fails, nothing of the batch is kept and every command of
 *     it comes back with ERR_IO, or ERR_BUSY when the disk is full;
 *   - a guest's command undoes what it wrote itself, and what it leaves then
 *     (an answer it will give again) is meant.
 *
 * Running a command twice is safe: nothing of the first time was seen by
 * anybody, and the commands before the doomed one find what they found.
 *
 * Before each batch the file's presence is checked; without it the batch comes
 * back with ERR_BUSY.
 *
 * When nothing is queued it removes what is buried (erase.c), moves the log
 * into the database once, and looks after the file once a second.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/store_priv.h"

#define WAL_FRAMES_MAX   4096                /* of 4 KB: 16 MB */
#define WAL_FRAMES_MORE  1024                /* and again, if it did not restart */
#define IDLE_CHECKPOINT  (1 * NS_PER_S)      /* after the last commit */
#define IDLE_LOOK        (1 * NS_PER_S)      /* at the file, after the last */
#define ERASE_IDLE       500                 /* rows in a transaction of its own */
#define ERASE_ALONG      64                  /* rows in somebody's transaction */

struct batch {
	struct store_cmd *cmd[LIMIT_WRITER_BATCH];
	bool doomed[LIMIT_WRITER_BATCH];
	size_t n, seen;                      /* seen: started at least once */
};

int64_t
store_seq_next(struct store *st, enum seq which)
{
	return ++st->seq[which];
}

/* ---- the file -------------------------------------------------------------- */

/* Is the file still in its place?  Logs each change of the answer once. */
static int
medium_watch(struct store *st)
{
	struct err e = { 0 };
	int rc;
	bool was;

	st->last_look = clock_mono();
	if (!st->durable)
		return OK;
	rc = medium_look(&st->medium, &e);
	if (rc == OK && db_has_moved(&st->w))
		rc = err_set(&e, ERR_BUSY, "the database file was moved under the "
		    "running server; nothing is written any more");
	was = atomic_exchange(&st->lost, rc != OK);
	if (rc != OK && !was)
		log_error("store", "file_lost", "file=%s reason=%s",
		    st->medium.path, e.text);
	else if (rc == OK && was)
		log_warn("store", "file_back", "file=%s", st->medium.path);
	if (rc != OK)
		st->w.on->err = e;
	return rc;
}

static void
full_note(struct store *st)
{
	st->last_full = clock_mono();
	if (!atomic_exchange(&st->full, true))
		log_error("store", "disk_full", "file=%s error=%s",
		    st->medium.path, st->w.on->err.text);
	err_set(&st->w.on->err, ERR_BUSY, "the disk is full; nothing was written");
}

/* On a nearly full disk small writes still succeed, so only a period without
 * a failure means there is room again. */
static void
full_over(struct store *st)
{
	if (!atomic_load(&st->full) || clock_mono() - st->last_full < IDLE_LOOK)
		return;
	atomic_store(&st->full, false);
	log_info("store", "disk_has_room", "file=%s", st->medium.path);
}

static void
commit_count(struct store *st, nsec since)
{
	st->last_commit = clock_mono();
	if (st->w.on->log_frames < WAL_FRAMES_MAX)
		st->wal_limit = WAL_FRAMES_MAX;
	full_over(st);
	atomic_fetch_add_explicit(&st->counts.commits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&st->counts.commit_ns,
	    (uint64_t)(st->last_commit - since), memory_order_relaxed);
}

/* before: the count of changes at BEGIN.  Nothing changed, nothing is
 * committed. */
static int
tx_commit(struct store *st, int64_t before)
{
	nsec since = clock_mono();
	int rc;

	if (db_changes_all(&st->w) == before) {
		db_rollback(&st->w);
		return OK;
	}
	if (st->durable)
		db_log_lengthen(&st->w);
	rc = db_commit(&st->w);
	if (rc == OK)
		commit_count(st, since);
	return rc;
}

/* The test hook: this is the command that fails, after its writes. */
static bool
fault_due(struct store *st, struct batch *b, size_t i)
{
	if (i < b->seen)
		return false;                /* counted when it ran first */
	b->seen = i + 1;
	return ++st->write_no == st->fail_at;
}

/* Returns whether what it wrote must go. */
static bool
command_run(struct store *st, struct store_cmd *c, bool fault)
{
	int64_t before = db_changes_all(&st->w);
	bool clean;

	c->rc = store_ops[c->op]->run(st, c);
	clean = c->rc == OK || store_ops[c->op]->undoes;
	if (c->rc == OK && fault) {
		c->rc = err_set(&c->err, ERR_IO, "a fault for testing");
		clean = false;
	}
	if (c->rc != OK && c->err.text[0] == '\0')
		err_set(&c->err, c->rc, "%s", st->w.on->err.text[0] != '\0' ?
		    st->w.on->err.text : rc_text(c->rc));
	arena_clear(&st->scratch);
	return !clean && db_changes_all(&st->w) != before;
}

/* OK: all ran, not committed.  ERR_AGAIN: one is doomed.  ERR_IO. */
static int
batch_attempt(struct store *st, struct batch *b)
{
	st->w.on->fault = DB_SOUND;
	tally_clear(&st->tally);
	if (db_begin(&st->w, DB_WRITE) != OK)
		return ERR_IO;
	for (size_t i = 0; i < b->n; i++) {
		if (b->doomed[i])
			continue;
		st->w.on->err.text[0] = '\0';
		b->cmd[i]->err.text[0] = '\0';
		b->doomed[i] = command_run(st, b->cmd[i], fault_due(st, b, i));
		if (st->w.on->fault != DB_SOUND)
			return ERR_IO;
		if (b->doomed[i])
			return ERR_AGAIN;
	}
	return OK;
}

/* Some of what is buried goes along when there is a commit anyway. */
static int
batch_commit(struct store *st, int64_t before)
{
	int rc = tally_write(st);

	if (rc == OK && st->dead && db_changes_all(&st->w) != before)
		rc = erase_buried(st, ERASE_ALONG);
	return rc == OK || rc == ERR_AGAIN ? tx_commit(st, before) : rc;
}

static void
batch_fail(struct store *st, struct batch *b, int rc)
{
	if (rc != ERR_BUSY && st->w.on->fault == DB_FULL) {
		full_note(st);
		rc = ERR_BUSY;
	} else if (rc != ERR_BUSY) {
		log_error("store", "batch_failed", "commands=%zu error=%s", b->n,
		    st->w.on->err.text);
		rc = ERR_IO;
	}
	for (size_t i = 0; i < b->n; i++)
		b->cmd[i]->rc = err_set(&b->cmd[i]->err, rc, "%s",
		    st->w.on->err.text);
	st->dead = true;                     /* what was erased along is back */
}

static void
batch_post(struct store *st, struct batch *b)
{
	uint64_t failed = 0;

	for (size_t i = 0; i < b->n; i++)
		failed += b->cmd[i]->rc != OK;
	atomic_fetch_add_explicit(&st->counts.commands, b->n, memory_order_relaxed);
	atomic_fetch_add_explicit(&st->counts.failed, failed, memory_order_relaxed);
	for (size_t i = 0; i < b->n; i++)            /* theirs from here on */
		shard_post(b->cmd[i]->shard, &b->cmd[i]->job);
}

static void
batch_run(struct store *st, struct batch *b)
{
	int64_t before;
	int rc;

	memset(b->doomed, 0, sizeof b->doomed);
	b->seen = 0;
	rc = medium_watch(st);
	if (rc != OK) {
		batch_fail(st, b, rc);
		batch_post(st, b);
		return;
	}
	do {
		before = db_changes_all(&st->w);
		rc = batch_attempt(st, b);
		if (rc == OK)
			rc = batch_commit(st, before);
		if (rc != OK)
			db_rollback(&st->w);
	} while (rc == ERR_AGAIN);
	if (rc != OK)
		batch_fail(st, b, ERR_IO);
	batch_post(st, b);
}

/* ---- between batches ----------------------------------------------------- */

/* Passive: never waits for a reader.  What a reader still needs is moved next
 * time; until then the log grows, and is not tried again at every commit. */
static void
wal_checkpoint(struct store *st)
{
	st->wal_limit = st->w.on->log_frames + WAL_FRAMES_MORE;
	if (db_log_move(&st->w, false) != OK)
		log_warn("store", "checkpoint", "error=%s", st->w.on->err.text);
}

/* One bounded transaction of our own.  After a failure the rest waits for the
 * next burial or the next start. */
static void
idle_erase(struct store *st)
{
	int64_t before = db_changes_all(&st->w);
	int rc = db_begin(&st->w, DB_WRITE);

	if (rc == OK)
		rc = erase_buried(st, ERASE_IDLE);
	if (rc == OK || rc == ERR_AGAIN)
		rc = tx_commit(st, before);
	if (rc != OK) {
		db_rollback(&st->w);
		st->dead = false;
		log_error("store", "erase", "error=%s", st->w.on->err.text);
	}
}

/* Probe for room: a write without effect. */
static void
full_probe(struct store *st)
{
	char text[64];
	nsec since = clock_mono();

	snprintf(text, sizeof text, "BEGIN IMMEDIATE; PRAGMA user_version = %d;"
	    " COMMIT", store_format.sqlite.n);
	if (db_exec(&st->w, text, &st->w.on->err) == OK) {
		commit_count(st, since);
		return;
	}
	if (st->w.on->fault == DB_FULL)
		st->last_full = clock_mono();
	db_rollback(&st->w);
}

static nsec
idle_until(const struct store *st)
{
	nsec look = st->durable ? st->last_look + IDLE_LOOK : NEVER;
	nsec log = st->w.on->log_frames > 0 ? st->last_commit + IDLE_CHECKPOINT : NEVER;

	if (st->dead && !atomic_load(&st->lost))
		return 0;
	return look < log ? look : log;
}

static void
idle_work(struct store *st)
{
	nsec now = clock_mono();

	if (now >= st->last_look + IDLE_LOOK && medium_watch(st) == OK &&
	    atomic_load(&st->full))
		full_probe(st);
	if (st->dead && !atomic_load(&st->lost))
		idle_erase(st);
	else if (st->w.on->log_frames > 0 && now >= st->last_commit + IDLE_CHECKPOINT)
		wal_checkpoint(st);
}

void *
writer_main(void *arg)
{
	struct store *st = arg;
	struct batch *b = mem_new(struct batch);
	bool closing = false;

	st->wal_limit = WAL_FRAMES_MAX;
	st->last_look = clock_mono();
	st->w.on->log_frames = 0;            /* leave it until the first commit */
	while (!closing) {
		b->n = queue_take(&st->writes, b->cmd, COUNT(b->cmd),
		    idle_until(st), &closing);
		if (b->n > 0)
			batch_run(st, b);
		else if (!closing)
			idle_work(st);
		if (st->w.on->log_frames >= st->wal_limit)
			wal_checkpoint(st);
	}
	wal_checkpoint(st);
	free(b);
	return NULL;
}
