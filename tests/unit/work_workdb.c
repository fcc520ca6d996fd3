/*
 * work_workdb.c - the tracker's file in this process: transactions around calls,
 * other processes that write too, and the log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "store/sqlite_priv.h"
#include "work/host/daemon.h"

static struct workspace workspace;

static void
workspace_setup(void)
{
	struct err e;

	CHECK_RC(workspace_make(&workspace, ".", S("t"), clock_wall_ms(), &e), OK);
}

static int64_t
stored(const char *sql)
{
	struct workdb d;
	struct err e;
	int64_t n = -1;

	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(db_read_i64(&d.db, sql, &n, &e), OK);
	workdb_close(&d);
	return n;
}

#define NEW    "{\"title\":\"x\"}"
#define ITEMS  "SELECT count(*) FROM work_item"
#define LEASES "SELECT count(*) FROM work_item WHERE lease_until > 0"

/* What SQLite keeps of the file. */
static int
cached(struct workdb *d)
{
	int now = 0, most;

	sqlite3_db_status(sqlite_of(&d->db), SQLITE_DBSTATUS_CACHE_USED, &now, &most, 0);
	return now;
}

/* Goal: a daemon with nothing to do is small, whatever it did. */
TEST(workdb_at_rest_keeps_no_pages)
{
	struct buf data = BUF(MB);
	struct work_call call = { .operation = S("list"), .actor = S("ann"),
	    .data = &data }, *calls[] = { &call };
	struct workdb d;
	struct err e;
	int rc;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	call.tracker = d.tracker;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK((size_t)cached(&d) > 8 * KB);
	workdb_rest(&d);
	CHECK((size_t)cached(&d) <= 8 * KB);
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK_RC(rc, OK);
	CHECK_STR(buf_str(&data), "[][]");
	workdb_close(&d);
	buf_release(&data);
}

/* ---- transactions ------------------------------------------------------------ */

static int
fail_commit(void *ctx)
{
	(void)ctx;
	return 1;
}

TEST(workdb_gives_all_the_failure_of_a_commit)
{
	struct buf out[2] = { BUF(1 * MB), BUF(1 * MB) };
	struct work_call call[2], *calls[2] = { &call[0], &call[1] };
	struct json_doc args;
	struct workdb d;
	struct err e;
	int rcs[2];

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(json_parse(&args, S("{\"title\":\"x\"}"), &e), OK);
	for (int i = 0; i < 2; i++)
		call[i] = (struct work_call){ .tracker = d.tracker,
			.operation = i == 0 ? S("create") : S("ready"),
			.args = i == 0 ? args.root : NULL, .actor = S("a"),
			.now = clock_wall_ms(), .data = &out[i] };
	sqlite3_commit_hook(sqlite_of(&d.db), fail_commit, NULL);
	CHECK(workdb_run(&d, calls, rcs, 2) != OK);
	CHECK_RC(rcs[0], ERR_IO);
	CHECK_RC(rcs[1], ERR_IO);
	CHECK(call[1].err.text[0] != '\0' && out[0].n == 0 && out[1].n == 0);
	sqlite3_commit_hook(sqlite_of(&d.db), NULL, NULL);
	CHECK_INT(stored(ITEMS), 0);
	CHECK_INT(d.commit.commits, 0);
	CHECK_RC(workdb_run(&d, calls, rcs, 2), OK);
	CHECK(rcs[0] == OK && rcs[1] == OK && out[1].n > 10);
	CHECK_INT(d.commit.commits, 1);
	CHECK_RC(workdb_run(&d, calls + 1, rcs, 1), OK);
	CHECK_INT(d.commit.commits, 1);                     /* nothing changed */
	CHECK_INT(stored(ITEMS), 1);
	workdb_close(&d);
	json_release(&args);
	buf_release(&out[0]);
	buf_release(&out[1]);
}

/* Counts how often a call was begun. */
static int
count_begun(void *ctx, size_t done, size_t total)
{
	if (done == 0 && total == 0)
		++*(int *)ctx;
	return OK;
}

/* Goal: of two calls in one transaction the one that failed leaves nothing, even
 * if it failed after a write; the other one is run again only then. */
TEST(workdb_keeps_nothing_of_a_call_that_failed_after_a_write)
{
	static const struct {
		const char *operation, *args, *once;
		size_t room;                         /* for the answer */
		int rc, begun;
	} others[] = {
		{ "create", NEW, "", 8, ERR_TOOBIG, 2 },
		{ "create", NEW, "k", 8, ERR_TOOBIG, 1 },
		{ "close", "{\"id\":\"none\"}", "", MB, ERR_NOTFOUND, 1 },
		{ "batch", "{\"operations\":[{\"operation\":\"create\",\"args\":" NEW
		  "},{\"operation\":\"close\",\"args\":{\"id\":\"none\"}}]}", "", MB,
		  ERR_NOTFOUND, 1 },
	};
	struct workdb d;
	struct err e;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	for (size_t i = 0; i < COUNT(others); i++) {
		struct buf good = BUF(MB), bad = BUF(others[i].room);
		struct json_doc create, args;
		struct work_call call[2], *calls[2] = { &call[0], &call[1] };
		int rcs[2], begun = 0;

		CHECK_RC(json_parse(&create, S(NEW), &e), OK);
		CHECK_RC(json_parse(&args, str_of(others[i].args), &e), OK);
		call[0] = (struct work_call){ .tracker = d.tracker, .data = &good,
			.operation = S("create"), .args = create.root, .actor = S("a"),
			.now = clock_wall_ms(), .tick = count_begun, .tick_ctx = &begun };
		call[1] = (struct work_call){ .tracker = d.tracker, .data = &bad,
			.operation = str_of(others[i].operation), .args = args.root,
			.actor = S("b"), .now = clock_wall_ms(),
			.once = str_of(others[i].once) };
		CHECK_RC(workdb_run(&d, calls, rcs, 2), OK);
		CHECK_RC(rcs[0], OK);
		CHECK_RC(rcs[1], others[i].rc);
		CHECK(call[1].err.text[0] != '\0' && good.n > 10);
		json_release(&create);
		CHECK_RC(json_parse(&create, buf_str(&good), &e), OK);   /* once */
		CHECK_INT(begun, others[i].begun);
		CHECK_INT(stored(ITEMS), (int64_t)i + 1);
		CHECK_INT(d.commit.commits, (int64_t)i + 1);
		json_release(&create);
		json_release(&args);
		buf_release(&good);
		buf_release(&bad);
	}
	workdb_close(&d);
}

/* Goal: when the medium fails nothing of any call stays, and all say so. */
TEST(workdb_gives_all_the_failure_of_the_medium)
{
	static const char *const operations[] = { "create", "label_list_all",
		"ping" };
	struct buf out[3] = { BUF(MB), BUF(MB), BUF(MB) };
	struct work_call call[3], *calls[3] = { &call[0], &call[1], &call[2] };
	struct json_doc args;
	struct workdb d;
	struct err e;
	int rcs[3];

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(json_parse(&args, S(NEW), &e), OK);
	for (size_t i = 0; i < COUNT(call); i++)
		call[i] = (struct work_call){ .tracker = d.tracker,
			.operation = str_of(operations[i]), .actor = S("a"),
			.args = i == 0 ? args.root : NULL,
			.now = clock_wall_ms(), .data = &out[i] };
	/* The second cannot be read. */
	CHECK_RC(db_exec(&d.db, "ALTER TABLE work_label RENAME TO gone", &e), OK);
	CHECK_RC(workdb_run(&d, calls, rcs, 3), ERR_IO);
	CHECK_INT(d.commit.ran, 3);
	for (size_t i = 0; i < COUNT(call); i++) {
		CHECK_RC(rcs[i], ERR_IO);
		CHECK(call[i].err.text[0] != '\0' && out[i].n == 0);
	}
	CHECK_INT(stored(ITEMS), 0);
	CHECK_RC(db_exec(&d.db, "ALTER TABLE gone RENAME TO work_label", &e), OK);
	CHECK_RC(workdb_run(&d, calls, rcs, 3), OK);
	CHECK_INT(stored(ITEMS), 1);
	workdb_close(&d);
	json_release(&args);
	for (size_t i = 0; i < COUNT(out); i++)
		buf_release(&out[i]);
}

/* Goal: while another process writes, a call waits as long as it may, and one
 * that only reads does not wait. */
TEST(workdb_waits_for_another_process_as_long_as_it_may)
{
	struct buf out = BUF(MB);
	struct work_call call = { .actor = S("a"), .data = &out }, *calls[] = { &call };
	struct json_doc args;
	struct workdb d, other;
	nsec since;
	struct err e;
	int rc;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(workdb_open(&other, &workspace, &e), OK);
	CHECK_RC(json_parse(&args, S(NEW), &e), OK);
	call.tracker = d.tracker;
	CHECK_RC(db_exec(&other.db, "BEGIN IMMEDIATE", &e), OK);
	call.operation = S("create");
	call.args = args.root;
	since = clock_mono();
	d.busy_until = since + 20 * NS_PER_MS;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), ERR_TIMEOUT);
	CHECK(clock_mono() >= d.busy_until);
	CHECK(clock_mono() - since < LIMIT_WORK_BUSY_MS / 2 * NS_PER_MS);
	CHECK(rc == ERR_TIMEOUT && out.n == 0 && d.commit.ran == 1);
	call.operation = S("list");
	call.args = NULL;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK_RC(rc, OK);
	CHECK_RC(db_exec(&other.db, "ROLLBACK", &e), OK);
	workdb_close(&other);
	workdb_close(&d);
	json_release(&args);
	buf_release(&out);
}

struct rival {
	struct workdb d;
	struct work_call call;
	int rc;
};

static void
rival_run(struct rival *r)
{
	struct work_call *calls[] = { &r->call };

	r->d.busy_until = clock_mono() + 1;
	workdb_run(&r->d, calls, &r->rc, 1);
}

static int
rival_tick(void *ctx, size_t done, size_t total)
{
	if (done == 0 && total == 0)
		rival_run(ctx);
	return OK;
}

/* Goal: an operation that reads keeps other processes from writing only if a
 * lease is past its time; and no process goes back before another's time. */
TEST(workdb_writes_only_where_a_lease_is_due)
{
	const msec now = clock_wall_ms(), late = now + 2 * LIMIT_WORK_LEASE_MS;
	struct buf out = BUF(MB), rest = BUF(MB);
	struct work_call call = { .operation = S("claim"), .actor = S("a"),
	    .now = now, .data = &out }, *calls[] = { &call };
	struct rival r = { .call = { .operation = S("create"), .actor = S("b"),
	    .now = now, .data = &rest } };
	struct workspace locked;
	struct json_doc args, ready;
	struct workdb d, ro;
	struct err e;
	int rc;

	workspace_setup();
	locked = workspace;
	locked.read_only = true;
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(workdb_open(&r.d, &workspace, &e), OK);
	CHECK_RC(workdb_open(&ro, &locked, &e), OK);
	CHECK_RC(json_parse(&args, S(NEW), &e), OK);
	CHECK_RC(json_parse(&ready, S("{\"ready\":true}"), &e), OK);
	call.tracker = r.call.tracker = d.tracker;
	r.call.args = args.root;
	rival_run(&r);
	CHECK_RC(r.rc, OK);
	call.args = ready.root;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK_RC(rc, OK);
	call.operation = S("list");
	call.args = NULL;
	call.now = late;                     /* one that may not write leaves it */
	CHECK_RC(workdb_run(&ro, calls, &rc, 1), OK);
	CHECK_RC(rc, OK);
	CHECK_INT(stored(LEASES), 1);
	call.now = now;
	call.tick = rival_tick;
	call.tick_ctx = &r;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK(rc == OK && r.rc == OK);
	call.now = late;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK(rc == OK && r.rc == ERR_TIMEOUT);
	CHECK_INT(stored(LEASES), 0);
	rival_run(&r);
	CHECK_RC(r.rc, OK);
	CHECK_INT(stored(ITEMS), 3);
	CHECK_INT(stored("SELECT count(*) FROM work_event a JOIN work_event b"
	    " ON b.seq = a.seq + 1 WHERE b.at < a.at"), 0);
	workdb_close(&ro);
	workdb_close(&r.d);
	workdb_close(&d);
	json_release(&args);
	json_release(&ready);
	buf_release(&out);
	buf_release(&rest);
}

/* Goal: what is read while it is held is of one moment, and nothing is written. */
TEST(workdb_held_reads_one_moment)
{
	struct buf out = BUF(MB), rest = BUF(MB);
	struct work_call call = { .operation = S("list"), .actor = S("a"),
	    .data = &out }, *calls[] = { &call };
	struct rival r = { .call = { .operation = S("create"), .actor = S("b"),
	    .data = &rest } };
	struct json_doc args;
	struct workdb d;
	struct err e;
	int rc;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(workdb_open(&r.d, &workspace, &e), OK);
	CHECK_RC(json_parse(&args, S(NEW), &e), OK);
	call.tracker = r.call.tracker = d.tracker;
	r.call.args = args.root;
	CHECK_RC(workdb_hold(&d, &e), OK);
	for (int i = 0; i < 3; i++) {
		buf_clear(&out);
		if (i == 2)
			workdb_let_go(&d);
		CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
		CHECK_RC(rc, OK);
		CHECK(str_eq(buf_str(&out), S("[]")) == (i < 2));
		rival_run(&r);
		CHECK_RC(r.rc, OK);
	}
	CHECK_RC(workdb_hold(&d, &e), OK);
	call.operation = S("create");
	call.args = args.root;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK_RC(rc, ERR_DENIED);
	workdb_let_go(&d);
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK_RC(rc, OK);
	CHECK_INT(stored(ITEMS), 4);
	workdb_close(&r.d);
	workdb_close(&d);
	json_release(&args);
	buf_release(&out);
	buf_release(&rest);
}

/* ---- the log ------------------------------------------------------------------- */

#define LOG_KEPT (512 * (int64_t)KB)         /* by processes of one command */

/* Of the log's file; -1: there is none. */
static int64_t
log_bytes(void)
{
	char path[DB_PATH_MAX + 8];
	struct stat st;

	snprintf(path, sizeof path, "%s-wal", workspace.db);
	return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static void
create(struct workdb *d, int bytes)
{
	struct buf out = BUF(MB), text = BUF(MB);
	struct work_call call = { .tracker = d->tracker, .operation = S("create"),
	    .actor = S("a"), .now = clock_wall_ms(), .data = &out };
	struct work_call *calls[] = { &call };
	struct json_doc args;
	struct err e;
	int rc;

	buf_add_fmt(&text, "{\"title\":\"x\",\"notes\":\"%0*d\"}", bytes, 0);
	CHECK_RC(json_parse(&args, buf_str(&text), &e), OK);
	call.args = args.root;
	CHECK_RC(workdb_run(d, calls, &rc, 1), OK);
	CHECK_RC(rc, OK);
	json_release(&args);
	buf_release(&text);
	buf_release(&out);
}

/* Goal: processes of one command share a log of a fixed length, and only one that
 * finds it longer empties it, unless there is a daemon. */
TEST(workdb_of_one_command_empties_a_long_log)
{
	char pid[DB_PATH_MAX + 8];
	struct workdb d;
	struct err e;
	int lock;

	workspace_setup();
	for (int i = 0; i < 3; i++) {
		CHECK_RC(workdb_open(&d, &workspace, &e), OK);
		create(&d, 1);
		workdb_close(&d);
		CHECK(log_bytes() > 0 && log_bytes() <= LOG_KEPT);
	}
	CHECK_INT(log_bytes(), LOG_KEPT);
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	for (int i = 0; i < 20; i++)
		create(&d, 60000);
	CHECK(log_bytes() > LOG_KEPT);
	workdb_close(&d);
	CHECK_INT(log_bytes(), 0);
	workspace_path(&workspace, "pid", pid);
	lock = open(pid, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(lock >= 0 && flock(lock, LOCK_EX) == 0);       /* as a daemon does */
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	for (int i = 0; i < 20; i++)
		create(&d, 60000);
	workdb_close(&d);
	CHECK(log_bytes() > LOG_KEPT);
	CHECK_INT(stored(ITEMS), 43);
}

/* Goal: a process that stays makes the log longer ahead of its commits, and
 * leaves none behind. */
TEST(workdb_that_stays_removes_the_log)
{
	struct workdb d;
	int64_t jump = 0;
	struct err e;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(workdb_settle(&d, &e), OK);
	for (int i = 0; i < 100 && jump < LOG_KEPT; i++) {
		int64_t before = log_bytes();

		create(&d, 1);
		jump = log_bytes() - before;
	}
	CHECK(jump >= LOG_KEPT);
	workdb_close(&d);
	CHECK_INT(log_bytes(), -1);
}

/* Goal: no process stays that can only read. */
TEST(workdb_that_cannot_be_written_does_not_stay)
{
	struct workspace locked;
	struct workdb d;
	struct err e;

	workspace_setup();
	locked = workspace;
	locked.read_only = true;
	CHECK_RC(workdb_open(&d, &locked, &e), OK);
	CHECK_RC(workdb_settle(&d, &e), ERR_IO);
	CHECK(e.text[0] != '\0');
	workdb_close(&d);
}

/* Goal: a log whose database went is neither moved into what is there now nor
 * removed: alone it is no whole database. */
TEST(workdb_keeps_the_log_of_a_database_that_went)
{
	struct stat st;
	struct workdb d;
	struct err e;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(workdb_settle(&d, &e), OK);
	create(&d, 1);
	CHECK(truncate(workspace.db, 0) == 0);
	d.commit.last = 1;                   /* long ago */
	workdb_checkpoint(&d, true);
	CHECK(d.gone && stat(workspace.db, &st) == 0 && st.st_size == 0);
	workdb_close(&d);
	CHECK(stat(workspace.db, &st) == 0 && st.st_size == 0);
	CHECK(log_bytes() > 0);
}

static void
pings(const struct workdb *d, struct work_call *call, struct buf *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		call[i] = (struct work_call){ .tracker = d->tracker, .data = &data[i],
			.operation = S("ping"), .actor = S("a"), .now = clock_wall_ms() };
}

/* Goal: what fills a round is answered before the next call begins. */
TEST(workdb_ends_a_round_that_is_full)
{
	struct buf data[3] = { BUF(MB), BUF(MB), BUF(MB) };
	struct work_call call[3], *calls[3] = { &call[0], &call[1], &call[2] };
	struct workdb d;
	struct err e;
	int rcs[3];

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	pings(&d, call, data, COUNT(call));
	CHECK_RC(workdb_run(&d, calls, rcs, 3), OK);
	CHECK_INT(d.commit.ran, 3);
	d.round_bytes = 1;
	CHECK_RC(workdb_run(&d, calls, rcs, 3), OK);
	CHECK_INT(d.commit.ran, 1);
	d.round_bytes = 0;
	d.round_time = 1;                    /* the first is run in any case */
	CHECK_RC(workdb_run(&d, calls, rcs, 3), OK);
	CHECK_INT(d.commit.ran, 1);
	workdb_close(&d);
	for (size_t i = 0; i < COUNT(data); i++)
		buf_release(&data[i]);
}

/* Goal: what could not run because the file is gone was answered all the same,
 * and nothing else was. */
TEST(workdb_gives_all_the_failure_of_a_lost_file)
{
	struct buf data[3] = { BUF(MB), BUF(MB), BUF(MB) };
	struct work_call call[3], *calls[3] = { &call[0], &call[1], &call[2] };
	struct workdb d;
	struct err e;
	int rcs[3];

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	pings(&d, call, data, COUNT(call));
	CHECK_RC(workdb_run(&d, calls, rcs, 2), OK);
	CHECK_INT(d.commit.ran, 2);
	CHECK(unlink(workspace.db) == 0);
	CHECK_RC(workdb_run(&d, calls, rcs, 1), ERR_IO);
	CHECK_INT(d.commit.ran, 1);
	CHECK_RC(workdb_run(&d, calls, rcs, 3), ERR_IO);
	CHECK_INT(d.commit.ran, 3);
	CHECK_RC(rcs[2], ERR_IO);
	workdb_close(&d);
	for (size_t i = 0; i < COUNT(data); i++)
		buf_release(&data[i]);
}

/* The second time it is asked it takes longer than a round may. */
static int
slow_again(void *ctx, size_t done, size_t total)
{
	nsec until = clock_mono() + 100 * NS_PER_MS;
	int *asked = ctx;

	(void)done, (void)total;
	++*asked;
	while (*asked > 1 && clock_mono() < until)
		;
	return OK;
}

/* Goal: a call that ran, was taken back with its group and then had to wait for
 * the next round has one answer. */
TEST(workdb_answers_once_what_waits_after_a_rollback)
{
	static const struct str operations[] = { S("ping"), S("ping"), S("create") };
	struct buf data[3] = { BUF(MB), BUF(MB), BUF(8) };    /* no room */
	struct work_call call[3], *calls[3] = { &call[0], &call[1], &call[2] };
	struct json_doc args;
	struct workdb d;
	struct err e;
	int rcs[3], asked = 0;
	size_t one;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(json_parse(&args, S(NEW), &e), OK);
	for (size_t i = 0; i < COUNT(call); i++)
		call[i] = (struct work_call){ .tracker = d.tracker, .data = &data[i],
			.operation = operations[i], .actor = S("a"),
			.args = i == 2 ? args.root : NULL, .now = clock_wall_ms() };
	call[0].tick = slow_again;
	call[0].tick_ctx = &asked;
	d.round_time = 50 * NS_PER_MS;
	CHECK_RC(workdb_run(&d, calls, rcs, 3), OK);
	CHECK_INT(d.commit.ran, 1);
	one = data[0].n;
	CHECK(one > 0 && data[1].n == 0 && data[2].n == 0);
	CHECK_RC(workdb_run(&d, calls + 1, rcs + 1, 2), OK);
	CHECK_INT(data[1].n, one);
	workdb_close(&d);
	json_release(&args);
	for (size_t i = 0; i < COUNT(data); i++)
		buf_release(&data[i]);
}

/* With one item, of version 1. */
static void
make_old(void)
{
	struct workdb d;
	struct err e;

	workspace_setup();
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	create(&d, 1);
	CHECK_RC(db_exec(&d.db, "DROP TABLE work_config; PRAGMA user_version = 1",
	    &e), OK);
	workdb_close(&d);
}

/* Goal: of processes that find an old file at once each can use it, and the
 * backup is of the old version. */
TEST(workdb_is_converted_once)
{
	struct workspace old;
	struct workdb d;
	struct err e;
	pid_t pid[6];
	int status, gate[2];
	char c;

	make_old();
	CHECK(pipe(gate) == 0);
	for (size_t i = 0; i < COUNT(pid); i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			close(gate[1]);
			if (read(gate[0], &c, 1) != 0)
				_exit(99);
			_exit(-workdb_open(&d, &workspace, &e));
		}
	}
	close(gate[0]);
	close(gate[1]);                      /* go */
	for (size_t i = 0; i < COUNT(pid); i++) {
		CHECK_INT(waitpid(pid[i], &status, 0), pid[i]);
		CHECK_INT(status, 0);
	}
	CHECK_INT(stored("PRAGMA user_version"), 2);
	old = workspace;
	old.read_only = true;
	memcpy(old.db + strlen(old.db), ".bak-v1", sizeof ".bak-v1");
	CHECK_RC(workdb_open(&d, &old, &e), OK);
	CHECK_RC(db_read_i64(&d.db, "PRAGMA user_version", &d.tracker, &e), OK);
	CHECK_INT(d.tracker, 1);
	workdb_close(&d);
}

/* Goal: a tracker of version 1 is read where it may not be converted. */
TEST(workdb_reads_an_old_file_that_may_not_be_written)
{
	struct buf out = BUF(MB);
	struct work_call call = { .operation = S("config_list"), .actor = S("a"),
	    .now = clock_wall_ms(), .data = &out }, *calls[] = { &call };
	struct workspace locked;
	struct workdb d;
	struct err e;
	int rc;

	make_old();
	locked = workspace;
	locked.read_only = true;
	CHECK_RC(workdb_open(&d, &locked, &e), OK);
	call.tracker = d.tracker;
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK_STR(buf_str(&out), "{\"issue_prefix\":\"t\"}");
	call.operation = S("list");
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK(rc == OK && str_contains(buf_str(&out), S("\"id\":\"t-")));
	call.operation = S("config_set");
	CHECK_RC(workdb_run(&d, calls, &rc, 1), OK);
	CHECK_RC(rc, ERR_DENIED);
	CHECK(db_exec(&d.db, "DELETE FROM work_config", &e) != OK);
	workdb_close(&d);
	CHECK_INT(stored(ITEMS), 1);         /* this one converts it */
	CHECK_INT(stored("PRAGMA user_version"), 2);
	buf_release(&out);
}
