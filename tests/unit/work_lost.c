/*
 * work_lost.c - a workspace whose database was taken away says so; it is not an
 * empty tracker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "store/sqlite_priv.h"
#include "work/host/client.h"
#include "work/host/workspace_priv.h"

static struct workspace workspace;

static void
workspace_setup(void)
{
	struct err e;

	setenv("COHORT_NO_DAEMON", "1", 1);
	CHECK_RC(workspace_make(&workspace, ".", S("t"), clock_wall_ms(), &e), OK);
}

static void
lose_deleted(void)
{
	CHECK(unlink(workspace.db) == 0);
}

static void
lose_emptied(void)
{
	CHECK(truncate(workspace.db, 0) == 0);
}

static void
lose_replaced(void)
{
	int fd;

	CHECK(rename(workspace.db, "kept") == 0);
	fd = open(workspace.db, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && close(fd) == 0);
}

/* Nothing but a header, as a tool that repairs may leave it. */
static void
lose_blanked(void)
{
	sqlite3 *h;

	CHECK(rename(workspace.db, "kept") == 0);
	CHECK(sqlite3_open(workspace.db, &h) == SQLITE_OK);
	CHECK(sqlite3_exec(h, "PRAGMA user_version = 0; CREATE TABLE x(y);"
	    "DROP TABLE x", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(h);
}

static const struct { void (*lose)(void); const char *words; } ways[] = {
	{ lose_deleted, "is gone" }, { lose_emptied, "is empty" },
	{ lose_replaced, "is empty" }, { lose_blanked, "has no tables" },
};

static void
is_lost(const char *words)
{
	struct workdb d;
	struct err e = { 0 };

	CHECK_RC(workdb_open(&d, &workspace, &e), ERR_IO);
	CHECK(str_contains(str_of(e.text), str_of(words)));
	CHECK(str_contains(str_of(e.text), S("though there was a tracker here")));
}

TEST(workdb_does_not_make_anew_what_was_lost)
{
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct workdb d;
		struct err e;

		workspace_setup();
		ways[i].lose();
		is_lost(ways[i].words);
		is_lost(ways[i].words);              /* nor at the second try */
		if (i == COUNT(ways) - 1) {
			CHECK(unlink(workspace.db) == 0 && unlink(".cohort/work.db-wal") != 0);
			break;
		}
		/* It is made by who asks for it. */
		CHECK_RC(workspace_make(&workspace, ".", S("u"), clock_wall_ms(), &e), OK);
		CHECK_RC(workdb_open(&d, &workspace, &e), OK);
		workdb_close(&d);
		CHECK_RC(workspace_make(&workspace, ".", S("u"), clock_wall_ms(), &e),
		    ERR_CONFLICT);
		CHECK(unlink(workspace.db) == 0 && unlink(".cohort/.gitignore") == 0);
	}
}

/* A clone has the export, and no trace of a tracker that was here. */
TEST(workdb_makes_the_tracker_of_a_fresh_clone)
{
	struct workdb d;
	struct err e;
	int fd;

	CHECK(mkdir(".cohort", 0755) == 0);
	fd = open(".cohort/issues.jsonl", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK_RC(workspace_find(&workspace, ".", STR_NONE, &e), OK);
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	workdb_close(&d);
}

static int
create(struct client *c, struct reply *r)
{
	return client_call(c, "create", S("{\"title\":\"x\"}"), r);
}

/* A client that stays, as an MCP server does. */
TEST(client_notices_that_its_database_went)
{
	for (size_t i = 0; i < 3; i++) {
		struct client_options o = { .workspace = &workspace, .actor = S("ann"),
			.timeout = 10 * NS_PER_S };
		struct reply r = { 0 };
		struct client *c;
		struct err e;

		workspace_setup();
		CHECK_RC(client_open(&c, &o, &e), OK);
		CHECK_RC(create(c, &r), OK);
		ways[i].lose();
		CHECK_RC(create(c, &r), ERR_IO);
		CHECK(str_contains(str_of(r.err.text), S("nothing was done")));
		CHECK_RC(client_call(c, "list", STR_NONE, &r), ERR_IO);
		CHECK(str_contains(str_of(r.err.text), S("there was a tracker here")));
		unlink(workspace.db);
		CHECK_RC(workspace_make(&workspace, ".", S("u"), clock_wall_ms(), &e), OK);
		CHECK_RC(create(c, &r), OK);         /* there is one again */
		reply_release(&r);
		client_close(c);
		CHECK(unlink(workspace.db) == 0 && unlink(".cohort/.gitignore") == 0);
		unlink(".cohort/work.db-wal");
	}
}
