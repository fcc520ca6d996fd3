/*
 * writer.c - the one thread that writes.
 *
 * It takes what is queued, at most LIMIT_WRITER_BATCH commands, and runs them
 * as one group (commit.h).  After the commit they go back to their shards, in
 * order.  When the medium fails every command of the batch comes back with
 * ERR_IO, or ERR_BUSY when the disk is full.  Before each batch the file's
 * presence is checked; without it the batch comes back with ERR_BUSY.
 *
 * On a database server (pg_group.c) a batch whose commit is in doubt is held until there
 * is a connection again, for LIMIT_PG_DOUBT_MS at most; meanwhile others come back with
 * ERR_BUSY at once.
 *
 * When nothing is queued it removes what is buried (erase.c), moves the log
 * into the database once, and looks after the file once a second.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/node.h"
#include "store/ship_priv.h"
#include "store/store_priv.h"

#define IDLE_LOOK        (1 * NS_PER_S)      /* at the file, after the last */
#define MOVE_AGAIN       (50 * NS_PER_MS)    /* a log that is being shipped */
#define AWAY_LOOK        (20 * NS_PER_MS)    /* at a server that is away */
#define ERASE_IDLE       500                 /* rows in a transaction of its own */
#define ERASE_ALONG      64                  /* rows in somebody's transaction */
#define FREE_PAGES       1024                /* kept for what comes next */
#define FREE_AT_ONCE     "256"               /* pages given back in a transaction */

struct batch {
	struct store *st;
	struct store_cmd *cmd[LIMIT_WRITER_BATCH];
	size_t n, seen;                      /* seen: started at least once */
	nsec until;                          /* it waits for a lost server */
};
_Static_assert(LIMIT_WRITER_BATCH <= COMMIT_MEMBERS, "a batch is a group");

/* ---- the file -------------------------------------------------------------- */

/* Is the file still in its place?  Logs each change of the answer once. */
static int
medium_watch(struct store *st)
{
	struct err e = { 0 };
	int rc;
	bool was;

	st->last_look = clock_mono();
	if (!st->durable || st->pg)
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
		    db_path(&st->w), st->w.on->err.text);
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
	log_info("store", "disk_has_room", "file=%s", db_path(&st->w));
}

/* What it waited for: its commands, or the disk (a server: its answer to COMMIT). */
static void
tell_slow(const struct store *st, const struct commit_group *g, nsec took, nsec in_commit,
    uint64_t again)
{
	if (took < st->slow_ms * NS_PER_MS)
		return;
	log_warn("store", "slow_commit", "ms=%.1f commands_ms=%.1f commit_ms=%.1f commands=%zu "
	    "again=%llu", (double)took / NS_PER_MS, (double)(took - in_commit) / NS_PER_MS,
	    (double)in_commit / NS_PER_MS, g->n, (unsigned long long)again);
}

/* The engine's counts belong to this thread; others read these. */
static int
group_run(struct store *st, const struct commit_group *g)
{
	uint64_t commits = st->commit.commits, again = st->commit.again;
	nsec since = st->slow_ms > 0 ? clock_mono() : 0, in_commit = st->commit.commit_ns;
	int rc = commit_run(&st->commit, g);

	if (st->commit.commits != commits)
		full_over(st);
	if (since > 0 && st->commit.commits != commits)
		tell_slow(st, g, clock_mono() - since, st->commit.commit_ns - in_commit,
		    st->commit.again - again);
	atomic_store_explicit(&st->counts.commits, st->commit.commits,
	    memory_order_relaxed);
	atomic_store_explicit(&st->counts.commit_ns, (uint64_t)st->commit.commit_ns,
	    memory_order_relaxed);
	return rc;
}

/* ---- a batch --------------------------------------------------------------- */

static int
batch_begin(void *ctx)
{
	struct batch *b = ctx;
	int rc = db_begin(&b->st->w, DB_WRITE);

	b->st->us = store_node(b->st);
	tally_clear(&b->st->tally);
	b->st->payers.n = 0;
	b->st->batch++;
	return rc != OK || !b->st->pg ? rc : group_begin(b->st, b->cmd, b->n,
	    b->st->commit.left_out);
}

/* The test hook: this is the command that fails, after its writes. */
static bool
fault_due(struct batch *b, size_t i)
{
	if (i < b->seen)
		return false;                /* counted when it ran first */
	b->seen = i + 1;
	return ++b->st->write_no == b->st->fail_at;
}

static const char in_doubt[] = "PostgreSQL went away during the commit; whether it was "
    "written is not known";

/* One command alone had its turn, and its transaction failed. */
static void
command_failed(void *ctx, size_t i, int rc)
{
	struct batch *b = ctx;
	struct store_cmd *c = b->cmd[i];
	struct db_conn *on = b->st->w.on;

	if (on->fault == DB_FULL) {
		full_note(b->st);
		rc = ERR_BUSY;
	}
	if (on->fault == DB_LOST && db_in_doubt(&b->st->w))
		c->rc = err_set(&c->err, ERR_BUSY, "%s", in_doubt);
	else if (c->rc == OK || on->fault != DB_ABORTED)
		c->rc = err_set(&c->err, rc, "%s", on->err.text[0] != '\0' ?
		    on->err.text : rc_text(rc));
}

/* What a run does is refused when its node is not this one any more. */
static int
command_admit(const struct store *st, struct store_cmd *c)
{
	if (!store_ops[c->op]->fenced ||
	    (!st->fenced && c->node == st->us && !store_is_late(st, c)))
		return OK;
	return err_set(&c->err, ERR_CANCELLED, "this server has lost its lease, and is "
	    "joining again; other servers have taken its runs");
}

static bool
command_run(void *ctx, size_t i)
{
	struct batch *b = ctx;
	struct store_cmd *c = b->cmd[i];
	struct db_conn *on = b->st->w.on;

	on->err.text[0] = c->err.text[0] = '\0';
	c->undone = false;
	c->rc = command_admit(b->st, c);
	if (c->rc == OK && c->once != NULL)
		c->rc = once_check(b->st, c);
	if (c->rc != OK)
		c->undone = true;            /* nothing was written */
	else
		c->rc = store_ops[c->op]->run(b->st, c);
	if (c->rc == OK && c->once != NULL)
		c->rc = once_keep(b->st, c);
	if (fault_due(b, i) && c->rc == OK)
		c->rc = err_set(&c->err, ERR_IO, "a fault for testing");
	if (c->rc != OK && c->err.text[0] == '\0')
		err_set(&c->err, c->rc, "%s", on->err.text[0] != '\0' ?
		    on->err.text : rc_text(c->rc));
	arena_clear(&b->st->scratch);
	return c->rc == OK || c->undone;
}

/* Some of what is buried goes along when there is a commit anyway. */
static int
batch_finish(void *ctx, bool wrote)
{
	struct store *st = ((struct batch *)ctx)->st;
	int rc = tally_write(st);

	if (rc == OK && st->dead && wrote)
		rc = erase_buried(st, ERASE_ALONG);
	if (rc == ERR_AGAIN)
		rc = OK;
	return rc == OK && wrote && db_is_server(&st->w) ? group_mark(st) : rc;
}

static int
batch_settle(void *ctx)
{
	struct batch *b = ctx;

	return group_settle(b->st, b->until);
}

static void
batch_fail(struct batch *b, int rc)
{
	struct store *st = b->st;
	struct err *e = &st->w.on->err;

	if (rc != ERR_BUSY && st->w.on->fault == DB_FULL) {
		full_note(st);
		rc = ERR_BUSY;
	} else if (st->w.on->fault == DB_LOST || st->w.on->fault == DB_BUSY) {
		rc = ERR_BUSY;
	} else if (rc != ERR_BUSY) {
		log_error("store", "batch_failed", "commands=%zu error=%s", b->n,
		    e->text);
		rc = ERR_IO;
	}
	for (size_t i = 0; i < b->n; i++)
		b->cmd[i]->rc = err_set(&b->cmd[i]->err, rc, "%s", e->text);
	st->dead = true;                     /* what was erased along is back */
}

static void
batch_post(struct batch *b)
{
	struct store *st = b->st;
	uint64_t failed = 0;

	for (size_t i = 0; i < b->n; i++)
		failed += b->cmd[i]->rc != OK;
	atomic_fetch_add_explicit(&st->counts.commands, b->n, memory_order_relaxed);
	atomic_fetch_add_explicit(&st->counts.failed, failed, memory_order_relaxed);
	for (size_t i = 0; i < b->n; i++)            /* theirs from here on */
		shard_post(b->cmd[i]->shard, &b->cmd[i]->job);
}

/* False: whether it is committed is not known. */
static bool
batch_try(struct batch *b)
{
	const struct commit_group g = { .n = b->n, .ctx = b, .begin = batch_begin,
	    .run = command_run, .finish = batch_finish, .settle = batch_settle,
	    .failed = command_failed };
	int rc;

	b->seen = 0;
	b->until = clock_mono() + LIMIT_PG_WAIT_MS * NS_PER_MS;
	rc = group_run(b->st, &g);
	if (rc != OK && b->st->w.on->fault == DB_LOST && db_in_doubt(&b->st->w))
		return false;
	if (rc != OK)
		batch_fail(b, b->st->w.on->fault == DB_FULL ? ERR_IO : rc);
	batch_post(b);
	return true;
}

static int
server_look(struct store *st)
{
	return db_is_server(&st->w) ? group_server_look(st) : medium_watch(st);
}

static void
held_end(struct store *st)
{
	free(st->held);
	st->held = NULL;
}

/* The batch in doubt, if there is one.  ERR_BUSY: it is still. */
static int
held_look(struct store *st, bool give_up)
{
	struct batch *b = st->held;
	int rc;

	if (b == NULL)
		return OK;
	rc = group_settle(st, 0);
	if (rc == OK) {
		batch_post(b);
	} else if (rc == ERR_AGAIN) {
		if (!batch_try(b))
			return ERR_BUSY;
	} else if (give_up || clock_mono() >= st->held_until) {
		err_set(&st->w.on->err, ERR_BUSY, "%s", in_doubt);
		batch_fail(b, ERR_BUSY);
		batch_post(b);
	} else {
		return ERR_BUSY;
	}
	held_end(st);
	return OK;
}

/* False: b is held, and is not the caller's any more. */
static bool
batch_run(struct batch *b)
{
	struct store *st = b->st;
	int rc = server_look(st);

	if (rc == OK)
		rc = held_look(st, false);
	if (rc == OK && !batch_try(b)) {
		st->held = b;
		st->held_until = clock_mono() + LIMIT_PG_DOUBT_MS * NS_PER_MS;
		return false;
	}
	if (rc != OK) {
		batch_fail(b, rc);
		batch_post(b);
	}
	return true;
}

/* ---- between batches ----------------------------------------------------- */

/* False: some of it is not shipped yet. */
static bool
log_move(struct store *st)
{
	if (st->ship != NULL && !ship_lets_move(st->ship, st->w.on->log_frames)) {
		st->move_after = clock_mono() + MOVE_AGAIN;
		return false;
	}
	if (commit_log_move(&st->commit) != OK)
		log_warn("store", "checkpoint", "error=%s", st->w.on->err.text);
	return true;
}

static int
erase_some_buried(void *ctx, bool wrote)
{
	int rc = erase_buried(ctx, ERASE_IDLE);

	(void)wrote;
	return rc == ERR_AGAIN ? OK : rc;
}

/* One bounded transaction of our own.  After a failure the rest waits for the
 * next burial or the next start. */
static void
idle_erase(struct store *st)
{
	const struct commit_group g = { .ctx = st,
	    .finish = erase_some_buried };

	if (group_run(st, &g) == OK)
		return;
	if (st->w.on->fault == DB_LOST) {
		server_look(st);             /* the rest when it is back */
		return;
	}
	st->dead = false;
	log_error("store", "erase", "error=%s", st->w.on->err.text);
}

/* Probe for room: a write without effect. */
static void
full_probe(struct store *st)
{
	char text[64];

	if (db_is_server(&st->w)) {
		group_probe(st);
		return;
	}
	snprintf(text, sizeof text, "BEGIN IMMEDIATE; PRAGMA user_version = %d;"
	    " COMMIT", store_format.sqlite.n);
	if (db_exec(&st->w, text, &st->w.on->err) == OK) {
		full_over(st);
		return;
	}
	if (st->w.on->fault == DB_FULL)
		st->last_full = clock_mono();
	db_rollback(&st->w);
}

/* After much was deleted the file gives pages back, some at a time.  Ignore
 * failure: the pages stay free. */
static void
file_shrink(struct store *st)
{
	int64_t spare = 0, pages = 0;
	struct err *e = &st->w.on->err;
	int rc;

	if (db_is_server(&st->w)) {
		st->shrinks = false;
		return;
	}
	rc = db_read_i64(&st->w, "PRAGMA freelist_count", &spare, e);
	if (rc == OK)
		rc = db_read_i64(&st->w, "PRAGMA page_count", &pages, e);
	st->shrinks = rc == OK && spare > FREE_PAGES && spare > pages / 8;
	if (st->shrinks && db_exec(&st->w, "PRAGMA incremental_vacuum("
	    FREE_AT_ONCE ")", e) != OK)
		st->shrinks = false;
	st->w.on->fault = DB_SOUND;
}

static nsec
idle_until(const struct store *st)
{
	nsec look = st->durable && !st->pg ? st->last_look + IDLE_LOOK : NEVER;
	nsec log = commit_log_due(&st->commit);

	log = log < st->move_after ? st->move_after : log;
	if (group_server_is_away(st))
		return clock_mono() + AWAY_LOOK;
	if ((st->dead || st->shrinks) && !atomic_load(&st->lost))
		return 0;
	return look < log ? look : log;
}

static void
idle_work(struct store *st)
{
	if (group_server_is_away(st)) {
		if (server_look(st) == OK)
			held_look(st, false);
		return;
	}
	if (clock_mono() >= st->last_look + IDLE_LOOK && medium_watch(st) == OK &&
	    atomic_load(&st->full))
		full_probe(st);
	if (st->dead && !atomic_load(&st->lost)) {
		idle_erase(st);
	} else if (st->shrinks && !atomic_load(&st->lost)) {
		file_shrink(st);
	} else if (commit_log_is_due(&st->commit, true) && clock_mono() >= st->move_after) {
		st->shrinks |= log_move(st);
	}
}

static struct batch *
batch_new(struct store *st)
{
	struct batch *b = mem_new(struct batch);

	b->st = st;
	return b;
}

void *
writer_main(void *arg)
{
	struct store *st = arg;
	struct batch *b = batch_new(st);
	bool closing = false;

	group_marks_open(st);
	commit_init(&st->commit, &st->w,
	    st->durable ? COMMIT_LOG_STEPS : COMMIT_LOG_PLAIN);
	st->last_look = clock_mono();
	while (!closing) {
		b->n = queue_take(&st->writes, b->cmd, COUNT(b->cmd),
		    idle_until(st), &closing);
		if (b->n > 0 && !batch_run(b))
			b = batch_new(st);
		else if (b->n == 0 && !closing)
			idle_work(st);
		if (st->scrub_due)
			owner_scrub(st);
		if (commit_log_is_due(&st->commit, false))
			log_move(st);
	}
	held_look(st, true);
	log_move(st);
	group_marks_close(st);
	free(b);
	return NULL;
}
