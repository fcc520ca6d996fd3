/*
 * store_file.c - the file: who may have it, what a kill leaves, how it ages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
file_exists(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0;
}

static void
put(struct fix *f, unsigned n)
{
	struct store_item_put p = { .item = { .ns = S("n"),
	    .key = arena_fmt(&f->a, "%u", n), .value_json = S("{}") } };

	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, 0), OK);
}

static bool
has(struct fix *f, unsigned n)
{
	struct store_item got;

	return store_item_get(f->r, 0, S("n"), arena_fmt(&f->a, "%u", n), 0, &f->a,
	    &got) == OK;
}

/* Goal: what is committed is there after a restart, and numbers go on. */
TEST(reopen)
{
	struct fix f;
	struct store_run run;
	struct store_checkpoint c;
	struct str m = S("\"hello\""), *got;
	struct step s = step_new(1, 0, 0, &m, 1);

	fix_open(&f, "sqlite");
	CHECK(strcmp(store_driver(f.st), "sqlite") == 0);
	put(&f, 1);
	run = start_run(&f, 7, 1, 1);
	CHECK_RC(finish_run(&f, 7, &run, &s, 1), OK);
	fix_reopen(&f);
	CHECK(has(&f, 1));
	CHECK_RC(store_checkpoint_get(f.r, 7, run.thread_seq, 0, &f.a, &c), OK);
	CHECK_RC(store_messages_get(f.r, c.list, 0, 1, &f.a, &got), OK);
	CHECK_STR(*got, "\"hello\"");
	CHECK(start_run(&f, 7, 2, 2).seq > run.seq);
	fix_close(&f);
}

/* Goal: the memory driver leaves nothing behind. */
TEST(memory_leaves_nothing)
{
	struct fix f;
	char dir[DB_PATH_MAX];

	fix_open(&f, "memory");
	CHECK(strcmp(store_driver(f.st), "memory") == 0);
	memcpy(dir, f.st->medium.dir, sizeof dir);
	put(&f, 1);
	CHECK(file_exists(dir));
	fix_reopen(&f);
	CHECK(!file_exists(dir));
	CHECK(!has(&f, 1));
	fix_close(&f);
}

/* Goal: nor does it when it was killed: the next one sweeps. */
TEST(memory_sweeps_after_a_kill)
{
	struct fix f;
	char dir[DB_PATH_MAX] = "";
	int ends[2], status;
	pid_t pid;

	CHECK(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		fix_open(&f, "memory");
		CHECK(write(ends[1], f.st->medium.dir, sizeof dir) > 0);
		pause();
	}
	CHECK(read(ends[0], dir, sizeof dir) == sizeof dir);
	fix_open(&f, "memory");
	CHECK(file_exists(dir));             /* alive: not touched */
	fix_close(&f);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fix_open(&f, "memory");
	CHECK(!file_exists(dir));
	fix_close(&f);
}

TEST(unknown_driver)
{
	struct store_options o = { .driver = S("mysql") };
	struct store *st;
	struct err e;

	CHECK_RC(store_open(&st, &o, &e), ERR_INVALID);
	CHECK(st == NULL && str_contains(str_of(e.text), S("mysql")));
	o.driver = S("sqlite");
	CHECK_RC(store_open(&st, &o, &e), ERR_INVALID);
	o.path = S("no/such/folder/db");
	CHECK_RC(store_open(&st, &o, &e), ERR_IO);
	CHECK(str_contains(str_of(e.text), S("no/such/folder")));
}

/* Goal: two servers never have one file; after a kill nobody has it. */
TEST(one_server_at_a_time)
{
	struct fix f;
	struct store *second;
	struct err e;
	int ends[2], status;
	char c;
	pid_t pid;

	fix_open(&f, "sqlite");
	CHECK_RC(store_open(&second, &f.options, &e), ERR_BUSY);
	CHECK(str_contains(str_of(e.text), S("in use by another server")));
	fix_close(&f);
	CHECK(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		fix_open(&f, "sqlite");
		CHECK(write(ends[1], "x", 1) == 1);
		pause();
	}
	CHECK(read(ends[0], &c, 1) == 1);
	CHECK_RC(store_open(&second, &f.options, &e), ERR_BUSY);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fix_open(&f, "sqlite");
	fix_close(&f);
}

/* ---- kill ---------------------------------------------------------------- */

static int storm_fd;

/* On the shard's own thread, while more is submitted. */
static void
storm_came(struct store_cmd *c)
{
	const struct store_item_put *p = (struct store_item_put *)c;
	uint32_t n = (uint32_t)p->item.created;

	CHECK_RC(c->rc, OK);
	CHECK(write(storm_fd, &n, sizeof n) == sizeof n);
}

_Noreturn static void
storm(int fd)
{
	enum { MANY = 20000 };
	struct store_item_put *p = calloc(MANY, sizeof *p);
	char (*keys)[12] = calloc(MANY, sizeof *keys);
	struct fix f;

	storm_fd = fd;
	fix_open(&f, "sqlite");
	CHECK_RC(shard_start(f.shard, &f.e), OK);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(keys[i], sizeof keys[i], "%u", i);
		p[i] = (struct store_item_put){
		    .cmd = { .op = STORE_ITEM_PUT, .done = storm_came },
		    .item = { .ns = S("n"), .key = str_of(keys[i]),
			.value_json = S("{}"), .created = i } };
		CHECK_RC(store_submit(f.st, f.shard, &p[i].cmd, true), OK);
	}
	pause();
	_exit(1);
}

/* Goal: kill -9 at any moment loses nothing that was acknowledged.  The child
 * tells of each acknowledgement through a pipe; it dies in mid-flow. */
TEST(kill_loses_nothing)
{
	for (unsigned round = 0; round < 3; round++) {
		uint32_t n, told = 0;
		int ends[2], status;
		struct fix f;
		pid_t pid;

		CHECK(pipe(ends) == 0);
		unlink("db");
		unlink("db-wal");
		unlink("db-shm");
		pid = fork();
		if (pid == 0)
			storm(ends[1]);
		close(ends[1]);
		/* Killed somewhere in a batch after so many answers. */
		while (told < 700 + 333 * round) {
			CHECK(read(ends[0], &n, sizeof n) == sizeof n);
			CHECK_INT(n, told);
			told++;
		}
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		while (read(ends[0], &n, sizeof n) == sizeof n)
			told = n + 1;
		close(ends[0]);
		fix_open(&f, "sqlite");
		for (unsigned i = 0; i < told; i++)
			CHECK(has(&f, i));
		fix_close(&f);
	}
}

/* ---- recovery ------------------------------------------------------------ */

struct seen {
	size_t n;
	owner_t owner;
	struct uuid thread;
};

static void
see(void *ctx, owner_t owner, int64_t thread_seq, const struct uuid *thread_id)
{
	struct seen *s = ctx;

	CHECK(thread_seq > 0);
	s->n++;
	s->owner = owner;
	s->thread = *thread_id;
}

/* Goal: a run cut off is tried again from its last checkpoint, three times in
 * all, and then it is an error that says why. */
TEST(recovery_tries_three_times)
{
	struct fix f;
	struct store_run run;
	struct store_thread t;
	int64_t next = 0, before = 0;

	fix_open(&f, "sqlite");
	run = start_run(&f, 7, 1, 1);
	change_file(&f, "UPDATE run SET base = '{\"run_attempt\":1,\"k\":2}'");
	for (int attempt = 2; attempt <= LIMIT_RUN_ATTEMPTS; attempt++) {
		struct seen s = { 0 };
		struct store_run_claim c = { .thread_seq = run.thread_seq, .now = 9 };
		char base[64];

		snprintf(base, sizeof base, "{\"run_attempt\":%d,\"k\":2}", attempt);
		fix_reopen(&f);
		CHECK_RC(store_recover(f.st, f.shard, 100, see, &s, &f.e), OK);
		CHECK_INT(s.n, 1);
		CHECK_INT(s.owner, 7);
		CHECK(uuid_eq(&s.thread, &run.thread_id));
		CHECK_RC(fix_do(&f, &c, STORE_RUN_CLAIM, 7), OK);
		CHECK_INT(c.run.attempt, attempt);
		CHECK_STR(c.run.base_json, base);
		CHECK(uuid_eq(&c.run.id, &run.id));
		/* readers may have been told more than was written */
		CHECK_RC(store_event_next(f.r, 7, run.thread_seq, &next), OK);
		CHECK(next >= before + 100000);
		before = next;
	}
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 200, see, &(struct seen){ 0 }, &f.e), OK);
	CHECK_RC(store_event_next(f.r, 7, run.thread_seq, &next), OK);
	CHECK(next >= before + 100000);
	CHECK_RC(store_run_get(f.r, 7, &run.id, &f.a, &run), OK);
	CHECK_INT(run.status, RUN_ERROR);
	CHECK_INT(run.updated, 200);
	CHECK(str_contains(run.error_json, S("\"error\":\"RunInterrupted\"")));
	CHECK_RC(store_thread_get(f.r, 7, &run.thread_id, &f.a, &t), OK);
	CHECK_INT(t.status, THREAD_ERROR);
	CHECK(str_eq(t.error_json, run.error_json));
	fix_close(&f);
}

/* Goal: a run given up does not block those that wait behind it. */
TEST(recovery_goes_on_with_the_queue)
{
	struct store_run_create next = run_new(1, 2), quiet = run_new(2, 3);
	struct store_thread t;
	struct seen s = { 0 };
	struct store_run run;
	struct fix f;

	fix_open(&f, "sqlite");
	run = start_run(&f, 7, 1, 1);
	CHECK_RC(fix_do(&f, &next, STORE_RUN_CREATE, 7), OK);
	quiet.create_thread = true;
	CHECK_RC(fix_do(&f, &quiet, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(finish_run(&f, 7, &quiet.run, NULL, 0), OK);
	change_file(&f, "UPDATE run SET attempt = 3 WHERE status = 1");
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 100, see, &s, &f.e), OK);
	CHECK_INT(s.n, 1);
	CHECK_RC(store_thread_get(f.r, 7, &run.thread_id, &f.a, &t), OK);
	CHECK_INT(t.status, THREAD_BUSY);
	fix_close(&f);
}

/* Goal: ids go on after those in the file even when the clock went back. */
TEST(recovery_keeps_ids_increasing)
{
	struct store_run_create c = run_new(1, 1);
	struct fix f;
	struct uuid next;

	fix_open(&f, "sqlite");
	c.create_thread = true;
	c.run.id = uuid_v7();
	c.run.id.b[0] |= 0x10;               /* centuries ahead */
	CHECK_RC(fix_do(&f, &c, STORE_RUN_CREATE, 7), OK);
	fix_reopen(&f);
	CHECK_RC(store_recover(f.st, f.shard, 1, see, &(struct seen){ 0 }, &f.e), OK);
	next = uuid_v7();
	CHECK(memcmp(next.b, c.run.id.b, 16) > 0);
	fix_close(&f);
}

/* Goal: start-up does not depend on how much the file remembers. */
TEST(recovery_is_quick_in_a_large_file)
{
	struct fix f;
	nsec since;
	struct seen s = { 0 };

	fix_open(&f, "memory");
	start_run(&f, 7, 1, 1);
	change_file(&f, "WITH RECURSIVE n(i) AS (SELECT 100 UNION"
	    " ALL SELECT i + 1 FROM n WHERE i < 100100) INSERT INTO run(seq, uuid,"
	    " thread, status, multitask, attempt, created, updated, assistant,"
	    " graph, kwargs, metadata, base) SELECT i, CAST(printf('%016d', i) AS"
	    " BLOB), 1, 2, 0, 1, 1, 1, x'00', 'agent', '{}', '{}', '{}' FROM n");
	since = clock_mono();
	CHECK_RC(store_recover(f.st, f.shard, 1, see, &s, &f.e), OK);
	CHECK(clock_mono() - since < 10 * NS_PER_S);
	CHECK_INT(s.n, 1);
	fix_close(&f);
}

/* Goal: a large delete that a restart interrupted is finished after it. */
TEST(buried_rows_go_after_a_restart)
{
	struct fix f;
	struct store_run run;

	fix_open(&f, "sqlite");
	run = start_run(&f, 7, 1, 1);
	CHECK_RC(finish_run(&f, 7, &run, NULL, 0), OK);
	change_file(&f, "UPDATE thread SET owner = -1, uuid = NULL");
	fix_reopen(&f);
	while (count_rows(&f, "thread") > 0)
		CHECK_RC(store_check(f.st, &f.e), OK);    /* the writer is at it */
	CHECK_INT(count_rows(&f, "run"), 0);
	f.broken = true;
	fix_close(&f);
}

/* ---- versions of the file ------------------------------------------------ */

static void
file_fill(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK(file != NULL);
	for (int i = 0; i < 1000; i++)
		fputs(text, file);
	fclose(file);
}

static void
check_refused(struct fix *f, const char *words)
{
	struct store *st;
	struct err e;

	CHECK_RC(store_open(&st, &f->options, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), str_of(words)));
	CHECK(str_contains(str_of(e.text), S("db")));
}

TEST(file_of_a_newer_server)
{
	struct fix f;

	fix_open(&f, "sqlite");
	change_file(&f, "PRAGMA user_version = 99");
	fix_close(&f);
	check_refused(&f, "newer");
}

TEST(file_of_another_program)
{
	struct fix f;
	struct db db;

	fix_open(&f, "sqlite");
	fix_close(&f);
	unlink("db");
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_exec(&db, "CREATE TABLE t(a)", &f.e), OK);
	db_close(&db);
	check_refused(&f, "another program");
	CHECK(!file_exists("db-wal"));       /* not touched */
}

TEST(file_that_is_no_database)
{
	struct fix f;

	fix_open(&f, "sqlite");
	fix_close(&f);
	file_fill("db", "this is not a database ");
	check_refused(&f, "not a database");
}

TEST(file_cut_short)
{
	struct fix f;

	fix_open(&f, "sqlite");
	fix_close(&f);
	CHECK(truncate("db", 8192) == 0);
	check_refused(&f, "malformed");
}

/* Goal: what is left of a file that was removed is not removed, too. */
TEST(file_of_which_the_log_is_left)
{
	static const char *const gone[] = { "missing", "empty" };
	struct fix f;
	struct stat before, after;

	for (size_t i = 0; i < COUNT(gone); i++) {
		fix_open(&f, "sqlite");
		fix_close(&f);
		unlink("db");
		file_fill("db-wal", "what was written last ");
		if (i > 0)
			close(open("db", O_CREAT | O_WRONLY, 0600));
		CHECK(stat("db-wal", &before) == 0);
		check_refused(&f, "was removed or is empty, and its log");
		CHECK(stat("db-wal", &after) == 0 && after.st_size == before.st_size);
		unlink("db");
		unlink("db-wal");
	}
}

/* Goal: a version rises by its migration, in one transaction, after a copy of
 * the file; one that fails leaves the file as it was. */
TEST(migration)
{
	static const char *const more[] = {
	    "ALTER TABLE item ADD COLUMN later INTEGER",
	    "CREATE TABLE x(a); UPDATE item SET later = 5;",
	    "CREATE TABLE y(a); INSERT INTO nowhere VALUES (1)" };
	const char *steps[64];
	const int now = store_format.sqlite.n;
	const struct db_format good = { STORE_APP, { steps, now + 2 } };
	const struct db_format broken = { STORE_APP, { steps, now + 3 } };
	char copy[32], part[40];
	struct db db;
	int64_t n;
	int version;
	struct fix f;

	CHECK((size_t)now + COUNT(more) <= COUNT(steps));
	memcpy(steps, store_format.sqlite.text, (size_t)now * sizeof *steps);
	memcpy(steps + now, more, sizeof more);
	snprintf(copy, sizeof copy, "db.bak-v%d", now);
	snprintf(part, sizeof part, "%s.part", copy);
	fix_open(&f, "sqlite");
	put(&f, 1);
	fix_close(&f);
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_version(&db, &good, &version, &f.e), OK);
	CHECK_INT(version, now);
	CHECK_RC(db_migrate(&db, &good, &f.e), OK);
	CHECK_RC(db_read_i64(&db, "SELECT later FROM item", &n, &f.e), OK);
	CHECK_INT(n, 5);
	CHECK(file_exists(copy) && !file_exists(part));
	CHECK_RC(db_version(&db, &broken, &version, &f.e), OK);
	CHECK_INT(version, good.sqlite.n);
	CHECK(db_migrate(&db, &broken, &f.e) != OK);
	CHECK_RC(db_version(&db, &broken, &version, &f.e), OK);
	CHECK_INT(version, good.sqlite.n);
	CHECK_RC(db_read_i64(&db, "SELECT count(*) FROM sqlite_schema WHERE name ="
	    " 'y'", &n, &f.e), OK);
	CHECK_INT(n, 0);
	db_close(&db);
	check_refused(&f, "newer");
	/* The copy is a whole store of the old version. */
	CHECK(rename(copy, "old") == 0);
	f.options.path = S("old");
	CHECK_RC(store_open(&f.st, &f.options, &f.e), OK);
	CHECK_RC(store_reader_open(f.st, &f.r, &f.e), OK);
	CHECK(has(&f, 1));
	fix_close(&f);
}

/* Goal: a new file needs no copy, and is its user's alone. */
TEST(new_file)
{
	static const char *const names[] = { "db", "db-wal", "db-lock" };
	struct fix f;

	umask(0);
	fix_open(&f, "sqlite");
	put(&f, 1);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct stat s;

		CHECK(stat(names[i], &s) == 0);
		CHECK_INT(s.st_mode & 0777, 0600);
	}
	fix_close(&f);
	CHECK(!file_exists("db.bak-v0"));
}

static int64_t
pages_of(struct fix *f)
{
	struct db db;
	int64_t n = 0;

	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_READ, &f->e), OK);
	CHECK_RC(db_read_i64(&db, "PRAGMA page_count", &n, &f->e), OK);
	db_close(&db);
	return n;
}

/* Goal: the file is small again after much was deleted. */
TEST(file_shrinks)
{
	static char body[1 << 20];
	struct str m = { body, sizeof body };
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_run run;
	int64_t large;
	struct fix f;

	memset(body, 'x', sizeof body);
	fix_open(&f, "sqlite");
	run = start_run(&f, 7, 1, 1);
	for (unsigned i = 0; i < 400; i++) {
		struct step s = step_new(i + 1, (int)i, i, &m, 1);
		struct store_run_save c = save_of(&f, &run, &s, 1);

		m.n = i < 32 ? sizeof body : 1;
		CHECK_RC(fix_do(&f, &c, STORE_RUN_SAVE, 7), OK);
	}
	CHECK_RC(finish_run(&f, 7, &run, NULL, 0), OK);
	large = pages_of(&f);
	CHECK_RC(fix_do(&f, &d, STORE_THREAD_DELETE, 7), OK);
	while (pages_of(&f) > large / 2)
		put(&f, 1);
	fix_close(&f);
}

/* Goal: a file from before that can be made so is made so. */
TEST(old_file_will_shrink)
{
	const struct db_format first = fix_format(1);
	struct fix f;
	struct db db;
	int64_t mode;

	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_migrate(&db, &first, &f.e), OK);
	CHECK_RC(db_read_i64(&db, "PRAGMA auto_vacuum", &mode, &f.e), OK);
	CHECK_INT(mode, 0);
	db_close(&db);
	fix_open(&f, "sqlite");
	fix_close(&f);
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_READ, &f.e), OK);
	CHECK_RC(db_read_i64(&db, "PRAGMA auto_vacuum", &mode, &f.e), OK);
	CHECK_INT(mode, 2);
	db_close(&db);
}
