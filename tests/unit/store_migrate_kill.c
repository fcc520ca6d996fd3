/*
 * store_migrate_kill.c - old files are opened, and the process is killed in each write to
 * a file that this takes, halfway: what is left is the old version or the new one, whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/migration.h"

static void
make_old(const char *path, const char *made, int version)
{
	struct err e = { 0 };
	struct db db;
	char mark[96];

	snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
	    STORE_APP, version);
	CHECK_RC(db_open(&db, path, NULL, &store_sql, DB_WRITE, &e), OK);
	CHECK_RC(db_exec(&db, made, &e), OK);
	CHECK_RC(db_exec(&db, mark, &e), OK);
	db_close(&db);
}

/* One of version n that is made by the steps, for those without a fixture. */
static void
make_by_steps(const char *path, int version)
{
	const struct db_format f = { STORE_APP, { store_format.sqlite.text, version } };
	struct err e = { 0 };
	struct db db;

	CHECK_RC(db_open(&db, path, NULL, &store_sql, DB_WRITE, &e), OK);
	CHECK_RC(store_functions_add(&db, &e), OK);
	CHECK_RC(db_migrate(&db, &f, &e), OK);
	db_close(&db);
}

static void
copy_file(const char *from, const char *to)
{
	static const char *const ends[] = { "-wal", "-shm", "-lock" };
	struct buf b = BUF(64 * MB);
	struct err e = { 0 };
	char path[64];

	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(path, sizeof path, "%s%s", to, ends[i]);
		unlink(path);
	}
	CHECK_RC(file_add(from, &b, &e), OK);
	CHECK_RC(file_put(to, buf_str(&b), &e), OK);
	buf_release(&b);
}

/* False: it was done before its nth write. */
static bool
killed_at(int64_t n)
{
	struct vfs_faults faults = { .kill_write = n };
	const struct store_options o = { .driver = S("sqlite"), .path = S("db") };
	struct err e = { 0 };
	struct store *st;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int rc = store_open_with(&st, &o, &faults, &e);

		_exit(rc == OK ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status)) {
		CHECK_INT(WTERMSIG(status), SIGKILL);
		return true;
	}
	CHECK_INT(WEXITSTATUS(status), 0);
	return false;
}

/* The number of its threads, which each version has in a table of that name. */
static int64_t
check_file(const char *path, int old, bool may_be_new)
{
	struct err e = { 0 };
	int64_t bad = -1, threads = -1;
	struct db db;
	int version = -1;

	CHECK_RC(db_open(&db, path, NULL, &store_sql, DB_WRITE, &e), OK);
	CHECK_RC(db_version(&db, &store_format, &version, &e), OK);
	CHECK(version == old || (may_be_new && version == store_format.sqlite.n));
	CHECK_RC(db_read_i64(&db, "SELECT count(*) FROM pragma_integrity_check"
	    " WHERE integrity_check <> 'ok'", &bad, &e), OK);
	CHECK_INT(bad, 0);
	CHECK_RC(db_read_i64(&db, "SELECT count(*) FROM thread", &threads, &e), OK);
	db_close(&db);
	return threads;
}

/* Of a file of version `old`: how many writes there were to be killed in. */
static void
tell_writes(const char *report, int old, int64_t writes)
{
	FILE *f = fopen(report, "a");

	CHECK(f != NULL);
	fprintf(f, "version %d: killed in each of %lld writes\n", old, (long long)writes);
	fclose(f);
}

/* In one write of `stride`, or with EVERY_WRITE=FILE in each (minutes), which is told there. */
static void
check_kills(int old, int stride)
{
	const char *report = getenv("EVERY_WRITE");
	struct err e = { 0 };
	struct migration m;
	char copy[32];
	int64_t n, threads = check_file("old", old, false);
	bool killed;

	if (report != NULL) {
		test_unlimited();
		stride = 1;
	} else {
		stride = stride * 100 / (int)test_rounds(100);
	}
	n = 1 + old % stride - stride;
	snprintf(copy, sizeof copy, "db.bak-v%d", old);
	do {
		unlink(copy);
		copy_file("old", "db");
		killed = killed_at(n += stride);
		CHECK_INT(check_file("db", old, true), threads);
		if (access(copy, F_OK) == 0)
			CHECK_INT(check_file(copy, old, false), threads);
		if (n / stride % 16 == 1) {           /* and it can be done then */
			CHECK(!killed_at(INT64_MAX));
			CHECK_RC(store_migration_look(&m, "db", NULL, NULL, &e), OK);
			CHECK(!m.due);
		}
	} while (killed);
	CHECK(n > 20);
	if (report != NULL)
		tell_writes(report, old, n - 1);
}

TEST(migration_killed_in_each_write_of_version_3)
{
	make_old("old", store_v3, 3);
	check_kills(3, 7);
}

TEST(migration_killed_in_each_write_of_version_6)
{
	make_old("old", store_v6, 6);
	check_kills(6, 2);
}

TEST(migration_killed_in_each_write_of_the_others)
{
	for (int v = 1; v < store_format.sqlite.n; v++) {
		if (v == 3 || v == 6)
			continue;
		unlink("old");
		make_by_steps("old", v);
		check_kills(v, 37);
	}
}

/* Goal: looking changes no byte, and leaves no file. */
TEST(migration_look_changes_nothing)
{
	struct buf before = BUF(64 * MB), after = BUF(64 * MB);
	struct err e = { 0 };
	struct migration m;

	make_old("old", store_v3, 3);
	CHECK_RC(file_add("old", &before, &e), OK);
	CHECK_RC(store_migration_look(&m, "old", NULL, NULL, &e), OK);
	CHECK(m.due && m.copies && m.n == 1 && m.part[0].version == 3);
	CHECK(m.bytes == (int64_t)before.n && m.room > 0);
	CHECK_RC(file_add("old", &after, &e), OK);
	CHECK(str_eq(buf_str(&before), buf_str(&after)));
	CHECK(access("old-wal", F_OK) != 0 && access("old-shm", F_OK) != 0);
	CHECK_RC(store_migration_look(&m, "none", NULL, NULL, &e), ERR_NOTFOUND);
	CHECK_RC(file_put("old", S("this is not a database at all, only a text"), &e), OK);
	CHECK_RC(store_migration_look(&m, "old", NULL, NULL, &e), ERR_INVALID);
	buf_release(&before);
	buf_release(&after);
}
