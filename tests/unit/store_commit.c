/*
 * store_commit.c - group commit by itself: who is run how often, what stays, and
 * when the log is moved.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

enum { PUT, SUM, STATEMENTS };
static const char *const text[STATEMENTS] = {
	[PUT] = "INSERT INTO t(n) VALUES (?)",
	[SUM] = "SELECT coalesce(sum(n), 0) FROM t",
};
static const struct db_sql sql = { text, STATEMENTS };

enum how { READS, WRITES, REFUSED, FAILS, UNDONE, BREAKS };

struct bed {
	struct db db, other;
	struct commit c;
	enum how how[8];
	int runs[8], begun, finished;
	size_t enough;                       /* members; 0: no limit */
	int finish_rc;
	bool wrote;
	int64_t seen;                        /* by the last that reads */
};

static void
bed_open(struct bed *b, enum commit_log log)
{
	struct err e;

	*b = (struct bed){ .seen = -1 };
	CHECK_RC(db_open(&b->db, "t.db", NULL, &sql, DB_WRITE, &e), OK);
	CHECK_RC(db_log_enable(&b->db, &e), OK);
	CHECK_RC(db_exec(&b->db, "CREATE TABLE IF NOT EXISTS t(n)", &e), OK);
	CHECK_RC(db_open(&b->other, "t.db", NULL, &sql, DB_WRITE, &e), OK);
	commit_init(&b->c, &b->db, log);
}

static void
bed_close(struct bed *b)
{
	db_close(&b->db);
	db_close(&b->other);
}

static int64_t
sum(struct db *db)
{
	struct query q = query_of(db, SUM);
	int64_t n = -1;

	if (query_row(&q) == OK)
		n = query_i64(&q, 0);
	query_end(&q);
	return n;
}

static void
put(struct db *db, int64_t n)
{
	CHECK_RC(query_run(query_of(db, PUT, db_i64(n))), OK);
}

static int
bed_begin(void *ctx)
{
	struct bed *b = ctx;

	b->begun++;
	return db_begin(&b->db, DB_WRITE);
}

/* Member i writes 2^i. */
static bool
bed_run(void *ctx, size_t i)
{
	struct bed *b = ctx;

	b->runs[i]++;
	if (b->how[i] == READS)
		b->seen = sum(&b->db);
	if (b->how[i] == WRITES || b->how[i] == FAILS || b->how[i] == UNDONE)
		put(&b->db, 1 << i);
	if (b->how[i] == UNDONE)
		put(&b->db, -(1 << i));
	if (b->how[i] == BREAKS)
		db_exec(&b->db, "SELECT * FROM nothing", NULL);
	return b->how[i] != REFUSED && b->how[i] != FAILS;
}

static bool
bed_is_full(void *ctx)
{
	struct bed *b = ctx;
	int runs = 0;

	for (size_t i = 0; i < COUNT(b->runs); i++)
		runs += b->runs[i];
	return b->enough > 0 && (size_t)runs >= b->enough;
}

static int
bed_finish(void *ctx, bool wrote)
{
	struct bed *b = ctx;

	b->finished++;
	b->wrote = wrote;
	return b->finish_rc;
}

static int
go(struct bed *b, const enum how *how, size_t n)
{
	const struct commit_group g = { .n = n, .ctx = b, .begin = bed_begin,
	    .run = bed_run, .is_full = bed_is_full, .finish = bed_finish };

	memcpy(b->how, how, n * sizeof *how);
	memset(b->runs, 0, sizeof b->runs);
	b->begun = b->finished = 0;
	return commit_run(&b->c, &g);
}

#define GO(b, ...)                                                             \
	go((b), (const enum how[]){ __VA_ARGS__ },                             \
	    sizeof (enum how[]){ __VA_ARGS__ } / sizeof (enum how))

/* Goal: who fails after a write is left out, and only then others run again. */
TEST(commit_leaves_out_who_failed_after_a_write)
{
	struct bed b;

	bed_open(&b, COMMIT_LOG_PLAIN);
	CHECK_RC(GO(&b, WRITES, FAILS, WRITES, FAILS, READS), OK);
	CHECK(b.runs[0] == 3 && b.runs[1] == 1 && b.runs[2] == 2 && b.runs[3] == 1);
	CHECK_INT(b.runs[4], 1);
	CHECK_INT(b.seen, 1 + 4);
	CHECK(b.begun == 3 && b.finished == 1 && b.wrote);
	CHECK(b.c.ran == 5 && b.c.commits == 1);
	CHECK_INT(sum(&b.other), 1 + 4);
	CHECK_RC(GO(&b, WRITES, REFUSED, UNDONE, READS), OK);
	CHECK(b.begun == 1 && b.runs[0] == 1 && b.runs[1] == 1 && b.runs[2] == 1);
	CHECK(b.c.commits == 2 && sum(&b.other) == 6);
	/* What the last group left out is run in the next. */
	CHECK_RC(GO(&b, FAILS, FAILS), OK);
	CHECK_RC(GO(&b, WRITES, WRITES), OK);
	CHECK(b.c.commits == 3 && sum(&b.other) == 9);
	bed_close(&b);
}

/* Goal: nothing written, nothing committed. */
TEST(commit_is_none_where_nothing_was_written)
{
	struct bed b;

	bed_open(&b, COMMIT_LOG_PLAIN);
	CHECK_RC(GO(&b, READS, REFUSED), OK);
	CHECK(b.c.commits == 0 && b.finished == 1 && !b.wrote);
	CHECK(commit_log_due(&b.c) == NEVER && b.c.last == 0);
	put(&b.other, 1);                    /* the lock is free */
	bed_close(&b);
}

/* Goal: of a group whose medium failed nothing stays, wherever it failed. */
TEST(commit_of_a_failed_medium_keeps_nothing)
{
	struct err e;
	struct bed b;

	bed_open(&b, COMMIT_LOG_PLAIN);
	CHECK_RC(GO(&b, WRITES, BREAKS, WRITES), ERR_IO);
	CHECK(b.runs[2] == 0 && b.finished == 0 && b.c.ran == 3);
	CHECK(db_broken(&b.db) && b.db.on->err.text[0] != '\0');
	b.finish_rc = ERR_IO;
	CHECK_RC(GO(&b, WRITES), ERR_IO);
	CHECK_INT(b.c.ran, 1);
	b.finish_rc = OK;
	db_on_busy(&b.db, NULL, NULL);
	CHECK_RC(db_exec(&b.other, "BEGIN IMMEDIATE", &e), OK);
	CHECK_RC(GO(&b, WRITES, WRITES), ERR_IO);
	CHECK(b.runs[0] == 0 && b.c.ran == 2 && b.db.on->fault == DB_BUSY);
	CHECK_RC(db_exec(&b.other, "ROLLBACK", &e), OK);
	CHECK(b.c.commits == 0 && sum(&b.db) == 0);
	CHECK_RC(GO(&b, WRITES), OK);        /* the next is not concerned */
	CHECK(!db_broken(&b.db) && sum(&b.other) == 1);
	bed_close(&b);
}

/* Goal: a group that is full commits what ran; the rest did not run. */
TEST(commit_of_a_full_group_is_of_its_first_members)
{
	struct bed b;

	bed_open(&b, COMMIT_LOG_PLAIN);
	b.enough = 2;
	CHECK_RC(GO(&b, WRITES, WRITES, WRITES), OK);
	CHECK(b.c.ran == 2 && b.runs[2] == 0);
	CHECK_INT(sum(&b.other), 3);
	bed_close(&b);
}

/* Goal: while it is held all groups see what the first saw. */
TEST(commit_held_is_of_one_moment)
{
	struct bed b;

	bed_open(&b, COMMIT_LOG_PLAIN);
	put(&b.other, 100);
	CHECK_RC(commit_hold(&b.c), OK);
	CHECK_RC(GO(&b, READS), OK);
	put(&b.other, 100);
	CHECK_RC(GO(&b, READS, REFUSED), OK);
	CHECK(b.seen == 100 && b.begun == 0);
	commit_let_go(&b.c);
	commit_let_go(&b.c);
	CHECK_RC(GO(&b, READS), OK);
	CHECK_INT(b.seen, 200);
	bed_close(&b);
}

/* ---- the log ------------------------------------------------------------------- */

/* Commits until the log has so many frames. */
static void
fill(struct bed *b, int frames)
{
	char many[128];
	struct err e;

	while (b->db.on->log_frames < frames) {
		int left = frames - b->db.on->log_frames;

		snprintf(many, sizeof many, "INSERT INTO t SELECT zeroblob(%d)",
		    (left > 2 ? left - 2 : 1) * 4096);
		CHECK_RC(db_exec(&b->db, many, &e), OK);
		CHECK_RC(GO(b, WRITES), OK);
	}
}

/* Goal: the log is moved past its limit, and when nothing was committed for some
 * time; one that a reader needs is not tried again at every commit. */
TEST(commit_moves_the_log)
{
	struct err e;
	struct bed b;

	bed_open(&b, COMMIT_LOG_PLAIN);
	CHECK_RC(GO(&b, WRITES), OK);
	CHECK(commit_log_due(&b.c) > clock_mono() && !commit_log_is_due(&b.c, true));
	b.c.last -= NS_PER_S;
	CHECK(commit_log_is_due(&b.c, true) && !commit_log_is_due(&b.c, false));
	CHECK_RC(commit_log_move(&b.c), OK);
	CHECK(commit_log_due(&b.c) == NEVER && !commit_log_is_due(&b.c, true));
	fill(&b, 4000);
	CHECK(!commit_log_is_due(&b.c, false));
	CHECK_RC(db_exec(&b.other, "BEGIN; SELECT * FROM t LIMIT 1", &e), OK);
	fill(&b, 4096);
	CHECK(commit_log_is_due(&b.c, false));
	CHECK_RC(commit_log_move(&b.c), OK);
	CHECK(!commit_log_is_due(&b.c, false));
	CHECK_RC(GO(&b, WRITES), OK);        /* it could not begin anew */
	CHECK(b.db.on->log_frames > 4096 && !commit_log_is_due(&b.c, false));
	fill(&b, 4096 + 1024 + 100);
	CHECK(commit_log_is_due(&b.c, false));
	CHECK_RC(db_exec(&b.other, "ROLLBACK", &e), OK);
	CHECK_RC(commit_log_move(&b.c), OK);
	CHECK_RC(GO(&b, WRITES), OK);
	CHECK(b.db.on->log_frames < 100 && !commit_log_is_due(&b.c, false));
	fill(&b, 4096);                      /* the limit is the first one again */
	CHECK(commit_log_is_due(&b.c, false));
	bed_close(&b);
}

/* Goal: its file has the length that was asked for. */
TEST(commit_gives_the_log_its_length)
{
	struct bed b;

	bed_open(&b, COMMIT_LOG_FIXED);
	CHECK_RC(GO(&b, WRITES), OK);
	CHECK_INT(db_log_size(&b.db), COMMIT_LOG_BYTES);
	bed_close(&b);
	bed_open(&b, COMMIT_LOG_STEPS);
	fill(&b, 40);
	CHECK_RC(GO(&b, WRITES), OK);
	CHECK(db_log_size(&b.db) > 40 * 4096 + COMMIT_LOG_BYTES / 2);
	bed_close(&b);
	bed_open(&b, COMMIT_LOG_PLAIN);
	fill(&b, 40);
	CHECK_RC(GO(&b, WRITES), OK);
	CHECK(db_log_size(&b.db) < 40 * 4096 + COMMIT_LOG_BYTES / 2);
	bed_close(&b);
}
