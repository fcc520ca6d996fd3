/*
 * store_backup.c - backups: what is copied beside a writer, what is restored of it, and which
 * files are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/backup_priv.h"
#include "store/pages_priv.h"
#include "store/ship_priv.h"
#include "store/sqlite_priv.h"

static const struct db_sql no_sql = { .n = 0 };

static struct db
open_db(const char *path)
{
	struct err e = { 0 };
	struct db db;

	CHECK_RC(db_open(&db, path, NULL, &no_sql, DB_WRITE, &e), OK);
	CHECK_RC(db_log_enable(&db, &e), OK);
	CHECK_RC(db_exec(&db, "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b TEXT);"
	    "CREATE TABLE IF NOT EXISTS identity(id BLOB);", &e), OK);
	return db;
}

static void
run(struct db *db, const char *text)
{
	struct err e = { 0 };

	CHECK_RC(db_exec(db, text, &e), OK);
}

#define ROWS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) "

static int64_t
count(const char *path)
{
	struct err e = { 0 };
	struct db db;
	int64_t n = -1;

	CHECK_RC(db_open(&db, path, NULL, &no_sql, DB_READ, &e), OK);
	CHECK_RC(db_read_i64(&db, "SELECT sum(a) FROM t", &n, &e), OK);
	db_close(&db);
	return n;
}

static struct backup_made
make(const char *dir, bool full)
{
	struct backup_made m;
	struct err e = { 0 };

	CHECK_RC(backup_make("t.db", NULL, dir, full, NULL, &m, &e), OK);
	return m;
}

static int
restored(const char *dir, msec at, struct err *e)
{
	struct backup_restored out;

	return backup_restore(dir, "r.db", at, true, &out, e);
}

/* Goal: what is in the log but not yet in the file is in the backup; an increment holds what
 * changed, also after pages were freed; and the server's file is as it was. */
TEST(backup_full_and_increments_restore_what_was_committed)
{
	struct err e = { 0 };
	struct db db = open_db("t.db");
	struct backup_made full, inc;

	CHECK(mkdir("b", 0700) == 0);
	run(&db, ROWS "INSERT INTO t SELECT i, hex(randomblob(200)) FROM n");
	full = make("b", false);
	CHECK(full.kind == BACKUP_FULL && full.copied == full.pages);
	run(&db, "UPDATE t SET b = 'x' WHERE a = 7");
	inc = make("b", false);
	CHECK(inc.kind == BACKUP_INCREMENT && inc.copied < 10 && inc.copied > 0);
	run(&db, "DELETE FROM t WHERE a > 10; VACUUM");
	inc = make("b", false);
	CHECK(inc.pages < full.pages);
	CHECK_RC(restored("b", NEVER, &e), OK);
	CHECK_INT(count("r.db"), 55);
	CHECK_RC(restored("b", full.time, &e), OK);
	CHECK_INT(count("r.db"), 2001000);
	CHECK(access("r.db.replaced", F_OK) == 0);
	CHECK(make("b", true).kind == BACKUP_FULL);
	db_close(&db);
}

struct writing { struct db db; _Atomic bool stop; };

static void *
write_on(void *arg)
{
	struct writing *w = arg;

	/* Both tables always have the same sum. */
	while (!w->stop) {
		run(&w->db, "BEGIN IMMEDIATE; UPDATE t SET a = a + 100000, b = hex(randomblob(300))"
		    " WHERE a IN (SELECT a FROM t ORDER BY a LIMIT 20);"
		    "DELETE FROM u; INSERT INTO u SELECT sum(a) FROM t; COMMIT");
		if (w->db.on->log_frames > 300)
			db_log_move(&w->db, false);
	}
	return NULL;
}

/* Goal: beside a writer that commits and moves its log all the time each backup is one
 * moment. */
TEST(backup_beside_a_writer_is_one_moment)
{
	struct err e = { 0 };
	struct writing w = { .db = open_db("t.db") };
	pthread_t thread;

	CHECK(mkdir("b", 0700) == 0);
	run(&w.db, "CREATE TABLE u(s INTEGER);" ROWS "INSERT INTO t SELECT i, hex(randomblob(300))"
	    " FROM n; INSERT INTO u SELECT sum(a) FROM t");
	CHECK(pthread_create(&thread, NULL, write_on, &w) == 0);
	for (int i = 0; i < 12; i++) {
		struct db r;
		int64_t differ = -1;

		make("b", i % 5 == 0);
		CHECK_RC(restored("b", NEVER, &e), OK);
		CHECK_RC(db_open(&r, "r.db", NULL, &no_sql, DB_READ, &e), OK);
		CHECK_RC(db_read_i64(&r, "SELECT (SELECT sum(a) FROM t) - (SELECT s FROM u)", &differ,
		    &e), OK);
		CHECK_INT(differ, 0);
		CHECK_RC(db_read_i64(&r, "SELECT count(*) FROM pragma_integrity_check(1)"
		    " WHERE integrity_check <> 'ok'", &differ, &e), OK);
		CHECK_INT(differ, 0);
		db_close(&r);
	}
	w.stop = true;
	pthread_join(thread, NULL);
	db_close(&w.db);
}

/* ---- what is refused ------------------------------------------------------------------ */

static struct buf
read_file(const char *dir, const char *name)
{
	char path[256];
	struct buf b = BUF(16 * MB);
	struct err e;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	CHECK_RC(file_add(path, &b, &e), OK);
	return b;
}

static void
put_file(const char *dir, const char *name, struct str s)
{
	char path[256];
	struct err e;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	CHECK_RC(file_put(path, s, &e), OK);
}

/* Goal: a backup that was cut off anywhere, or in which any bit is another, is not
 * restored. */
TEST(backup_damaged_is_refused)
{
	struct err e = { 0 };
	struct db db = open_db("t.db");
	struct backup_made m;
	struct buf good;

	CHECK(mkdir("b", 0700) == 0);
	run(&db, "INSERT INTO t VALUES (1, 'one')");
	m = make("b", false);
	db_close(&db);
	good = read_file("b", m.name);
	for (size_t at = 0; at < good.n; at += 1 + at % 131) {
		good.p[at] ^= 0x10;
		put_file("b", m.name, buf_str(&good));
		CHECK_RC(restored("b", NEVER, &e), ERR_INVALID);
		good.p[at] ^= 0x10;
		put_file("b", m.name, str_sub(buf_str(&good), 0, at));
		CHECK_RC(restored("b", NEVER, &e), ERR_INVALID);
		CHECK(strstr(e.text, m.name) != NULL);
	}
	put_file("b", m.name, buf_str(&good));
	CHECK_RC(restored("b", NEVER, &e), OK);
	buf_release(&good);
}

/* Goal: a gap, another's parent, another database are told by name. */
TEST(backup_chain_is_checked)
{
	struct err e = { 0 };
	struct db db = open_db("t.db"), other = open_db("o.db");
	struct backup_made m[3];
	char path[128];
	struct buf b;

	CHECK(mkdir("b", 0700) == 0);
	run(&db, "INSERT INTO identity VALUES (randomblob(16))");
	run(&other, "INSERT INTO identity VALUES (randomblob(16))");
	for (int i = 0; i < 3; i++) {
		run(&db, "INSERT INTO t(b) VALUES ('more')");
		m[i] = make("b", false);
	}
	CHECK_RC(backup_make("o.db", NULL, "b", false, NULL, &m[0], &e), ERR_INVALID);
	CHECK(strstr(e.text, "another database") != NULL);
	b = read_file("b", m[1].name);
	snprintf(path, sizeof path, "b/%s", m[1].name);
	CHECK(unlink(path) == 0);
	CHECK_RC(restored("b", NEVER, &e), ERR_INVALID);
	CHECK(strstr(e.text, m[2].name) != NULL && strstr(e.text, "not there") != NULL);
	CHECK_RC(restored("b", m[1].time, &e), OK);
	CHECK(make("b", false).kind == BACKUP_INCREMENT);    /* of the full one */
	put_file("b", m[1].name, buf_str(&b));
	CHECK_RC(restored("b", NEVER, &e), OK);
	buf_release(&b);
	CHECK_RC(backup_make("t.db", NULL, "none", false, NULL, &m[0], &e), ERR_NOTFOUND);
	CHECK_RC(backup_make("none.db", NULL, "b", false, NULL, &m[0], &e), ERR_NOTFOUND);
	CHECK_RC(backup_make("postgres://x/y", NULL, "b", false, NULL, &m[0], &e), ERR_INVALID);
	CHECK(strstr(e.text, "pg_basebackup") != NULL);
	CHECK_RC(restored("b", 1000, &e), ERR_NOTFOUND);
	db_close(&other);
	db_close(&db);
}

static void
count_wrong(void *ctx, const struct backup_listed *b)
{
	*(int *)ctx += b->wrong != NULL;
}

TEST(backup_verify_looks_at_all_of_it)
{
	struct err e = { 0 };
	struct db db = open_db("t.db");
	struct backup_made first, m;
	struct buf b;
	int wrong = 0;

	CHECK(mkdir("b", 0700) == 0);
	run(&db, ROWS "INSERT INTO t SELECT i, 'x' FROM n");
	first = make("b", true);
	m = make("b", true);
	CHECK_RC(backup_verify("b", "scratch.db", NULL, count_wrong, &wrong, &e), OK);
	CHECK(wrong == 0 && access("scratch.db", F_OK) != 0);
	b = read_file("b", first.name);
	b.p[b.n / 2] ^= 1;
	put_file("b", first.name, buf_str(&b));
	CHECK_RC(backup_verify("b", "scratch.db", NULL, count_wrong, &wrong, &e), ERR_INVALID);
	CHECK_INT(wrong, 1);
	CHECK_RC(restored("b", NEVER, &e), OK);
	CHECK(strcmp(first.name, m.name) != 0);
	buf_release(&b);
	db_close(&db);
}

/* Goal: only whole chains go, and never the one that the oldest wanted moment needs. */
TEST(backup_prune_keeps_what_a_moment_needs)
{
	struct err e = { 0 };
	struct db db = open_db("t.db");
	struct backup_made m[4];
	size_t removed;

	CHECK(mkdir("b", 0700) == 0);
	for (int i = 0; i < 4; i++) {
		run(&db, "INSERT INTO t(b) VALUES ('more')");
		m[i] = make("b", i % 2 == 0);
	}
	CHECK_RC(backup_dir_prune("b", m[2].time - 1, &removed, &e), OK);
	CHECK_INT(removed, 0);
	CHECK_RC(backup_dir_prune("b", m[2].time, &removed, &e), OK);
	CHECK_INT(removed, 2);
	CHECK_RC(restored("b", m[3].time, &e), OK);
	CHECK_RC(restored("b", m[1].time, &e), ERR_NOTFOUND);
	db_close(&db);
}

/* ---- by a server ------------------------------------------------------------------------ */

/* Until a backup is there, and all that is committed before now is shipped. */
static void
wait_shipped(struct fix *f)
{
	msec now = clock_wall_ms();
	struct store_stats s;

	do {
		store_stats(f->st, &s);
		CHECK(s.backup.on && s.backup.failures == 0);
		poll(NULL, 0, 2);
	} while (s.backup.made == 0 || s.backup.logged <= now);
}

static int64_t
threads_at(msec at)
{
	struct err e = { 0 };
	struct db db;
	int64_t n = -1;
	int rc = restored("b", at, &e);

	if (rc != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	CHECK_RC(db_open(&db, "r.db", NULL, &no_sql, DB_READ, &e), OK);
	CHECK_RC(db_read_i64(&db, "SELECT count(*) FROM thread", &n, &e), OK);
	db_close(&db);
	return n;
}

/* Goal: of a server that ships its log each moment can be had again, also those before the
 * log was moved, and after the server has begun anew. */
TEST(backup_log_gives_each_moment)
{
	struct fix f;
	msec when[6];

	CHECK(mkdir("b", 0700) == 0);
	fix_open(&f, "sqlite");
	f.options.backup = (struct store_backup){ .to = S("b"), .every = 3600000,
	    .full_every = 86400000, .keep_days = 1, .log = true };
	fix_reopen(&f);
	for (unsigned i = 0; i < COUNT(when); i++) {
		struct store_thread_create x = thread_new(i + 1);

		if (i == 3) {
			wait_shipped(&f);
			fix_reopen(&f);
		}
		if (i == 0 || i == 3)
			wait_shipped(&f);
		CHECK_RC(fix_do(&f, &x, STORE_THREAD_CREATE, 1), OK);
		when[i] = clock_wall_ms();
		while (clock_wall_ms() <= when[i])
			poll(NULL, 0, 1);
	}
	fix_close(&f);
	for (unsigned i = 0; i < COUNT(when); i++)
		CHECK_INT(threads_at(when[i]), i + 1);
	CHECK_INT(threads_at(NEVER), COUNT(when));
}

/* Goal: a folder that takes nothing costs backups, not writes; the log is moved all the
 * same. */
TEST(backup_folder_that_goes_away_stops_nobody)
{
	struct store_stats s;
	struct fix f;

	CHECK(mkdir("b", 0700) == 0);
	fix_open(&f, "sqlite");
	f.options.backup = (struct store_backup){ .to = S("b"), .every = 3600000,
	    .full_every = 86400000, .keep_days = 1, .log = true };
	fix_reopen(&f);
	wait_shipped(&f);
	CHECK(rename("b", "gone") == 0);
	for (unsigned i = 0; i == 0 || s.backup.failures == 0; i++) {
		struct store_thread_create x = thread_new(i + 1);

		CHECK_RC(fix_do(&f, &x, STORE_THREAD_CREATE, 1), OK);
		store_stats(f.st, &s);
	}
	fix_close(&f);
}

/* Goal: when too much waits for a slow folder, the writer moves its log, and an increment
 * takes up.  Nothing is lost by that but moments. */
TEST(backup_log_that_is_behind_gives_way)
{
	struct store_thread_create x = thread_new(1), y = thread_new(2);
	struct store_stats s;
	struct fix f;

	CHECK(mkdir("b", 0700) == 0);
	fix_open(&f, "sqlite");
	f.options.backup = (struct store_backup){ .to = S("b"), .every = 3600000,
	    .full_every = 86400000, .keep_days = 1, .log = true };
	fix_reopen(&f);
	wait_shipped(&f);
	CHECK_RC(fix_do(&f, &x, STORE_THREAD_CREATE, 1), OK);
	ship_committed(f.st->ship, 1 << 24);         /* a commit that is never read */
	CHECK(!ship_lets_move(f.st->ship, 100));
	CHECK(ship_lets_move(f.st->ship, LIMIT_BACKUP_LAG_FRAMES));
	do {
		store_stats(f.st, &s);
		poll(NULL, 0, 2);
	} while (s.backup.made < 2);
	CHECK_INT(s.backup.gaps, 1);
	CHECK_INT(s.backup.failures, 0);
	CHECK_RC(fix_do(&f, &y, STORE_THREAD_CREATE, 1), OK);
	fix_close(&f);
	CHECK_INT(threads_at(NEVER), 2);
}

/* Goal: a file in the folder that is no backup is reported by backups that fail, and the server
 * works. */
TEST(backup_folder_with_a_wrong_file)
{
	struct store_thread_create x = thread_new(1);
	struct store_stats s;
	struct err e;
	struct fix f;

	CHECK(mkdir("b", 0700) == 0);
	CHECK_RC(file_put("b/old.backup", S("none"), &e), OK);
	fix_open(&f, "sqlite");
	f.options.backup = (struct store_backup){ .to = S("b"), .every = 3600000,
	    .full_every = 86400000, .keep_days = 1, .log = true };
	fix_reopen(&f);
	do
		store_stats(f.st, &s);
	while (s.backup.failures == 0);
	CHECK_RC(fix_do(&f, &x, STORE_THREAD_CREATE, 1), OK);
	fix_close(&f);
}
