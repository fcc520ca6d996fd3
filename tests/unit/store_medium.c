/*
 * store_medium.c - the file under the store: who may have it, by whatever name,
 * and what follows when it is taken away.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int
put(struct fix *f, const char *key)
{
	struct store_item_put p = { .item = { .ns = S("n"), .key = str_of(key),
	    .value_json = S("{}") } };
	int rc = fix_do(f, &p, STORE_ITEM_PUT, 0);

	f->e = p.cmd.err;
	return rc;
}

static bool
has(struct fix *f, const char *key)
{
	struct store_item got;

	return store_item_get(f->r, 0, S("n"), str_of(key), 0, &f->a, &got) == OK;
}

static bool
lost(struct fix *f)
{
	struct store_stats s;

	store_stats(f->st, &s);
	return s.lost;
}

/* A server in a process of its own, until it is killed. */
static pid_t
other_server(const char *path)
{
	int ends[2];
	struct fix f;
	char c;
	pid_t pid;

	CHECK(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		f.options = (struct store_options){ .driver = S("sqlite"),
		    .path = str_of(path) };
		CHECK_RC(store_open(&f.st, &f.options, &f.e), OK);
		CHECK(write(ends[1], "x", 1) == 1);
		pause();
	}
	CHECK(read(ends[0], &c, 1) == 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

/* Goal: the lock goes with the file: no other name of it, and no lock file
 * that was removed, lets a second server in. */
TEST(lock_follows_the_file)
{
	static const char *const names[] = { "db", "soft", "hard", "sub/up" };
	struct store_options o = { .driver = S("sqlite") };
	struct store *second;
	pid_t pid = other_server("db");
	char words[64];
	struct err e;
	int status;

	CHECK(symlink("db", "soft") == 0 && link("db", "hard") == 0);
	CHECK(mkdir("sub", 0700) == 0 && symlink("../db", "sub/up") == 0);
	for (size_t i = 0; i < COUNT(names); i++) {
		o.path = str_of(names[i]);
		CHECK_RC(store_open(&second, &o, &e), ERR_BUSY);
		CHECK(str_contains(str_of(e.text), S("in use by another server")));
	}
	snprintf(words, sizeof words, "(process %d)", (int)pid);
	o.path = S("soft");
	CHECK_RC(store_open(&second, &o, &e), ERR_BUSY);
	CHECK(str_contains(str_of(e.text), str_of(words)));
	CHECK(unlink("db-lock") == 0);
	for (size_t i = 0; i < COUNT(names); i++) {
		o.path = str_of(names[i]);
		CHECK_RC(store_open(&second, &o, &e), ERR_BUSY);
		CHECK(str_contains(str_of(e.text), S("in use by another server")));
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	o.path = S("soft");
	CHECK_RC(store_open(&second, &o, &e), OK);
	CHECK(access("db-wal", F_OK) == 0);  /* beside the file, not the link */
	store_close(second);
}

/* Goal: what is wrong with the path is said. */
TEST(folder_is_missing)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("no/such/db") };
	struct store *st;
	struct err e;

	CHECK_RC(store_open(&st, &o, &e), ERR_IO);
	CHECK(str_contains(str_of(e.text), S("there is no folder 'no/such'")));
}

static void
check_lost(struct fix *f, const char *word)
{
	struct err e;

	CHECK_RC(put(f, "2"), ERR_BUSY);
	CHECK(str_contains(str_of(f->e.text), str_of(word)));
	CHECK_RC(store_check(f->st, &e), ERR_BUSY);
	CHECK(str_contains(str_of(e.text), str_of(word)));
	CHECK(lost(f));
	CHECK(has(f, "1"));                  /* reads go on */
}

/* Goal: a write into a file that is not there any more is never acknowledged;
 * put back, the server goes on. */
TEST(file_is_moved_away_and_back)
{
	struct err e;
	struct fix f;

	fix_open(&f, "sqlite");
	CHECK_RC(put(&f, "1"), OK);
	CHECK_RC(store_check(f.st, &e), OK);
	CHECK(rename("db", "elsewhere") == 0);
	check_lost(&f, "deleted or moved");
	CHECK(rename("elsewhere", "db") == 0);
	CHECK_RC(put(&f, "2"), OK);
	CHECK_RC(store_check(f.st, &e), OK);
	CHECK(!lost(&f));
	fix_reopen(&f);
	CHECK(has(&f, "1") && has(&f, "2"));
	fix_close(&f);
}

TEST(file_is_replaced)
{
	struct fix f;
	FILE *other;

	fix_open(&f, "sqlite");
	CHECK_RC(put(&f, "1"), OK);
	CHECK(rename("db", "elsewhere") == 0);
	other = fopen("db", "w");
	CHECK(other != NULL && fclose(other) == 0);
	check_lost(&f, "replaced");
	f.broken = true;
	fix_close(&f);
	CHECK(access("db-wal", F_OK) == 0);  /* may be another server's by now */
}

TEST(log_is_deleted)
{
	struct fix f;

	fix_open(&f, "sqlite");
	CHECK_RC(put(&f, "1"), OK);
	CHECK(unlink("db-wal") == 0);
	check_lost(&f, "log");
	f.broken = true;
	fix_close(&f);
}

/* Goal: an idle server finds out too. */
TEST(file_is_deleted_under_an_idle_server)
{
	struct fix f;

	fix_open(&f, "sqlite");
	CHECK_RC(put(&f, "1"), OK);
	CHECK(unlink("db") == 0);
	while (!lost(&f))
		poll(NULL, 0, 1);
	check_lost(&f, "deleted");
	f.broken = true;
	fix_close(&f);
}

/* Goal: after a full disk an idle server notices that there is room again, and
 * says all the while that there is none. */
TEST(room_comes_back)
{
	struct vfs_faults x = { 0 };
	struct store_stats s;
	struct err e;
	struct fix f;

	fix_open_with(&f, "sqlite", &x);
	x.full = true;
	CHECK_RC(put(&f, "1"), ERR_BUSY);
	CHECK(str_contains(str_of(f.e.text), S("disk is full")));
	CHECK_RC(store_check(f.st, &e), ERR_BUSY);
	CHECK(str_contains(str_of(e.text), S("disk is full")));
	store_stats(f.st, &s);
	CHECK(s.full && !s.lost);
	x.full = false;
	for (; s.full; store_stats(f.st, &s))
		poll(NULL, 0, 1);
	CHECK_RC(store_check(f.st, &e), OK);
	CHECK_RC(put(&f, "1"), OK);
	fix_close(&f);
}
