/*
 * store_log.c - what a commit into the log costs: syncs of the folder, and the
 * log's length.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_priv.h"

static int folders;                          /* opened, to be synced */

static int
open_folder(const char *name, int *fd)
{
	char path[DB_PATH_MAX], *slash;

	folders++;
	snprintf(path, sizeof path, "%s", name);
	slash = strrchr(path, '/');
	if (slash != NULL)
		*slash = '\0';
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd >= 0 ? SQLITE_OK : SQLITE_CANTOPEN;
}

static void
watch_folders(sqlite3_syscall_ptr with)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	CHECK(vfs->xSetSystemCall(vfs, "openDirectory", with) == SQLITE_OK);
}

/* A process that opens, commits once and leaves; how often it synced folders. */
static int
commit_once(const char *vfs, const char *text, int64_t reach)
{
	struct err e;
	struct db db;
	int before;

	CHECK_RC(db_open(&db, "t.db", vfs, &store_sql, DB_WRITE, &e), OK);
	db_log_keep(&db, true);
	CHECK_RC(db_log_enable(&db, &e), OK);
	before = folders;
	CHECK_RC(db_exec(&db, "BEGIN IMMEDIATE", &e), OK);
	CHECK_RC(db_exec(&db, text, &e), OK);
	db_log_reach(&db, reach);
	CHECK_RC(db_exec(&db, "COMMIT", &e), OK);
	db_close(&db);
	return folders - before;
}

static int64_t
log_bytes(void)
{
	struct stat st;

	return stat("t.db-wal", &st) == 0 ? (int64_t)st.st_size : -1;
}

/* Goal: one sync a commit, but for the first into a new log. */
TEST(log_that_is_old_needs_no_folder)
{
	watch_folders((sqlite3_syscall_ptr)open_folder);
	CHECK_INT(commit_once(DB_LOG_LAYER, "CREATE TABLE t(a)", 0), 1);
	CHECK_INT(commit_once(DB_LOG_LAYER, "INSERT INTO t VALUES (1)", 0), 0);
	CHECK_INT(commit_once(NULL, "INSERT INTO t VALUES (2)", 0), 1);
	/* Emptied, it may be a new one. */
	CHECK(truncate("t.db-wal", 0) == 0);
	CHECK_INT(commit_once(DB_LOG_LAYER, "CREATE TABLE u(a)", 0), 1);
	watch_folders(NULL);
}

/* Goal: the length is made once, and read over by who comes next. */
TEST(log_that_was_lengthened_is_read)
{
	const int64_t reach = 200 * 1000;    /* no whole number of frames */
	struct err e;
	struct db db;
	int64_t n = 0;

	commit_once(DB_LOG_LAYER, "CREATE TABLE t(a)", reach);
	CHECK(log_bytes() < reach);          /* the first goes without */
	for (int i = 0; i < 5; i++) {
		commit_once(DB_LOG_LAYER, "INSERT INTO t VALUES (1)", reach);
		CHECK_INT(log_bytes(), reach);
	}
	CHECK_RC(db_open(&db, "t.db", NULL, &store_sql, DB_READ, &e), OK);
	CHECK_RC(db_read_i64(&db, "SELECT sum(a) FROM t", &n, &e), OK);
	CHECK_INT(n, 5);
	CHECK_INT(db_log_size(&db), reach);
	db_close(&db);
}
