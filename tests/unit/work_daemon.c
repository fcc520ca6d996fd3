/*
 * work_daemon.c - the daemon as its clients see it: real sockets, a real
 * database, a process of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "rpc/rpc.h"
#include "work/host/client.h"
#include "work/host/daemon.h"

static struct workspace workspace;

static void
workspace_setup(void)
{
	struct err e;

	CHECK_RC(workspace_make(&workspace, ".", S("t"), clock_wall_ms(), &e), OK);
	/* No test may start one by itself: it would be the test runner. */
	setenv("CI", "1", 1);
}

/* A daemon in a process of its own that ends with ours. */
static pid_t
begin(nsec idle)
{
	struct daemon_options o = { .idle = idle, .foreground = false };
	pid_t pid = fork();
	struct err e;

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-daemon_run(&workspace, &o, &e));
	}
	return pid;
}

/* The same, and it answers. */
static pid_t
start(nsec idle)
{
	struct daemon_status st = { 0 };
	pid_t pid = begin(idle);
	struct err e;

	while (!st.running) {
		CHECK_RC(daemon_status(&workspace, &st, &e), OK);
		CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	}
	CHECK_INT(st.pid, pid);
	return pid;
}

static void
ended(pid_t pid, int code)
{
	int status;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), code);
}

static bool
has(const char *ending)
{
	char path[DB_PATH_MAX + 8];

	workspace_path(&workspace, ending, path);
	return access(path, F_OK) == 0;
}

/* ---- raw lines ------------------------------------------------------------- */

/* Hung up by the end of the process. */
static struct rpc_client *
dial(void)
{
	static struct rpc_client clients[4];
	static size_t n;
	char path[DB_PATH_MAX + 8];
	struct err e;

	CHECK(n < COUNT(clients));
	workspace_path(&workspace, "sock", path);
	CHECK_RC(rpc_connect(&clients[n], path, 64 * MB,
	    clock_mono() + 10 * NS_PER_S, &e), OK);
	return &clients[n++];
}

static void
tell(struct rpc_client *c, const char *text)
{
	struct err e;

	CHECK_RC(rpc_send(c, str_of(text), clock_mono() + 10 * NS_PER_S, &e), OK);
}

static struct str
hear(struct rpc_client *c)
{
	struct str line;
	struct err e;

	CHECK_RC(rpc_receive(c, &line, clock_mono() + 10 * NS_PER_S, &e), OK);
	return line;
}

#define HEAR_HAS(c, part)                                                     \
	do {                                                                  \
		struct str line_ = hear(c);                                   \
		if (!str_contains(line_, str_of(part)))                       \
			test_fail(__FILE__, __LINE__, "no %s in %.*s", part,  \
			    FMT(line_));                                      \
	} while (0)

#define PONG "\"success\":true,\"data\":{\"message\":\"pong\",\"version\":\"" \
	COHORT_VERSION "\"}}"

TEST(daemon_answers_and_echoes_any_request_id)
{
	struct rpc_client *c;
	struct stat st;
	pid_t pid;
	char path[DB_PATH_MAX + 8];

	workspace_setup();
	pid = start(NEVER);
	workspace_path(&workspace, "sock", path);
	CHECK(stat(path, &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	c = dial();
	tell(c, "{\"operation\":\"ping\",\"request_id\":\"a\\\"b\"}\n");
	CHECK_STR(hear(c), "{\"request_id\":\"a\\\"b\"," PONG);
	tell(c, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(c), "{\"request_id\":7," PONG);
	tell(c, "{\"operation\":\"ping\"}\n");
	CHECK_STR(hear(c), "{\"request_id\":null," PONG);
	kill(pid, SIGTERM);
	ended(pid, 0);
	CHECK(!has("sock") && !has("pid"));
}

TEST(daemon_survives_malformed_lines)
{
	static const struct { const char *line, *words; } bad[] = {
		{ "{\"operation\":", "SYNTAX" },
		{ "[1]", "expected an object" },
		{ "{\"operation\":7}", "INVALID" },
		{ "{}", "\\\"operation\\\" is missing" },
		{ "{\"operation\":\"ping\",\"arsg\":{}}", "did you mean \\\"args\\\"" },
		{ "{\"operation\":\"ping\",\"request_id\":[]}", "request_id" },
		{ "{\"operation\":\"ping\",\"args\":[]}", "args" },
		{ "{\"operation\":\"ping\",\"deadline_ms\":-3}", "deadline_ms" },
		{ "{\"operation\":\"ping\",\"args\":{\"x\":1}}", "unknown argument" },
		{ "{\"operation\":\"craete\",\"actor\":\"a\"}", "METHOD" },
		{ "\x01\xff\xfe", "SYNTAX" },
	};
	struct rpc_client *c;

	workspace_setup();
	start(NEVER);
	c = dial();
	for (size_t i = 0; i < COUNT(bad); i++) {
		tell(c, bad[i].line);
		tell(c, "\n\n");
		HEAR_HAS(c, bad[i].words);
	}
	tell(c, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(c), "{\"request_id\":7," PONG);
}

TEST(daemon_refuses_a_line_over_the_limit)
{
	static char block[1 << 20];
	struct rpc_client *c, *other;
	struct str line;
	struct err e;

	workspace_setup();
	start(NEVER);
	c = dial();
	memset(block, 'x', sizeof block);
	for (size_t sent = 0; sent <= LIMIT_WORK_LINE_BYTES; sent += sizeof block)
		CHECK_RC(rpc_send(c, (struct str){ block, sizeof block },
		    clock_mono() + 10 * NS_PER_S, &e), OK);
	HEAR_HAS(c, "TOOBIG");
	tell(c, "\n");
	CHECK(rpc_receive(c, &line, clock_mono() + 10 * NS_PER_S, &e) == ERR_CLOSED);
	other = dial();
	tell(other, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(other), "{\"request_id\":7," PONG);
}

TEST(daemon_leaves_one_of_two)
{
	struct err e;
	pid_t racer[4];
	struct daemon_status st = { 0 };
	int left = 0;

	workspace_setup();
	for (size_t i = 0; i < COUNT(racer); i++)
		racer[i] = begin(NEVER);
	for (size_t i = 0; i < COUNT(racer) - 1; i++) {
		int status;
		pid_t pid = wait(&status);

		CHECK(pid > 0 && WIFEXITED(status));
		CHECK_INT(WEXITSTATUS(status), -ERR_BUSY);
	}
	while (!st.running)
		CHECK_RC(daemon_status(&workspace, &st, &e), OK);
	for (size_t i = 0; i < COUNT(racer); i++)
		left += racer[i] == st.pid;
	CHECK_INT(left, 1);
	CHECK_RC(daemon_stop(&workspace, 10 * NS_PER_S, &e), OK);
	CHECK(!has("sock") && !has("pid"));
	ended((pid_t)st.pid, 0);
}

TEST(daemon_killed_leaves_nothing_in_the_way)
{
	struct daemon_status st;
	struct err e;
	pid_t pid;

	workspace_setup();
	pid = start(NEVER);
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK(has("sock") && has("pid"));
	CHECK_RC(daemon_status(&workspace, &st, &e), OK);
	CHECK(!st.running);
	CHECK_RC(daemon_stop(&workspace, NS_PER_S, &e), ERR_NOTFOUND);
	pid = start(NEVER);
	CHECK_RC(daemon_stop(&workspace, 10 * NS_PER_S, &e), OK);
	ended(pid, 0);
}

TEST(daemon_leaves_when_idle_and_when_its_files_are_gone)
{
	char path[DB_PATH_MAX + 8];
	struct err e;
	pid_t pid;

	workspace_setup();
	ended(begin(20 * NS_PER_MS), 0);
	CHECK(!has("sock") && !has("pid"));
	pid = start(NEVER);
	CHECK(unlink(workspace.db) == 0);
	ended(pid, 0);
	CHECK(!has("sock") && !has("pid"));
	ended(begin(NEVER), -ERR_IO);                /* not of an empty one */
	CHECK(!has("sock") && !has("pid"));
	CHECK_RC(workspace_make(&workspace, ".", S("t"), clock_wall_ms(), &e), OK);
	pid = start(NEVER);
	CHECK(truncate(workspace.db, 0) == 0);
	tell(dial(), "{\"operation\":\"list\"}\n");
	ended(pid, 0);
	CHECK_RC(workspace_make(&workspace, ".", S("t"), clock_wall_ms(), &e), OK);
	pid = start(NEVER);
	workspace_path(&workspace, "sock", path);
	CHECK(unlink(path) == 0);
	ended(pid, 0);
	pid = start(NEVER);
	CHECK(rename(workspace.dir, "elsewhere") == 0);
	ended(pid, 0);
}

#define CREATE "{\"operation\":\"create\",\"actor\":\"ann\",\"args\":{\"title\":\"x\"}"

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

#define ITEMS  "SELECT count(*) FROM work_item"
#define EVENTS "SELECT count(*) FROM work_event WHERE actor = 'ann'"

TEST(daemon_shares_a_commit_and_keeps_the_order)
{
	struct buf many = BUF(1 * MB);
	struct rpc_client *c;
	char words[64];
	struct str line;
	pid_t pid;

	workspace_setup();
	pid = start(NEVER);
	c = dial();
	for (int i = 0; i < 100; i++)
		buf_add_fmt(&many, CREATE ",\"request_id\":%d}\n", i);
	buf_lit(&many, "{\"operation\":\"status\"}\n");
	tell(c, many.p);
	for (int i = 0; i < 100; i++) {
		snprintf(words, sizeof words, "{\"request_id\":%d,\"success\":true", i);
		HEAR_HAS(c, words);
	}
	line = hear(c);                      /* one, unless it began to read before all was sent */
	CHECK(str_contains(line, S("\"commits\":1,")) || str_contains(line, S("\"commits\":2,")));
	kill(pid, SIGKILL);                          /* what was told is there */
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(stored(ITEMS), 100);
	CHECK_INT(stored(EVENTS), 100);
	buf_release(&many);
}

/* Goal: the log is moved into the database while there is nothing to do. */
TEST(daemon_moves_the_log_when_idle)
{
	struct rpc_client *c;
	struct stat before, now;

	workspace_setup();
	start(NEVER);
	c = dial();
	poll(NULL, 0, 1100);                 /* that of its start */
	CHECK(stat(workspace.db, &before) == 0);
	tell(c, CREATE "}\n");
	HEAR_HAS(c, "true");
	do {
		poll(NULL, 0, 10);
		CHECK(stat(workspace.db, &now) == 0);
	} while (now.st_mtim.tv_sec == before.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

TEST(daemon_cancels_what_waits)
{
	struct rpc_client *c, *other;
	struct err e;

	workspace_setup();
	start(NEVER);
	c = dial();
	other = dial();
	tell(c, CREATE ",\"request_id\":\"a\"}\n" CREATE ",\"request_id\":\"b\"}\n"
	    "{\"operation\":\"cancel\",\"args\":{\"request_id\":\"a\"},"
	    "\"request_id\":9}\n{\"operation\":\"cancel\",\"args\":"
	    "{\"request_id\":\"z\"},\"request_id\":10}\n");
	CHECK_STR(hear(c), "{\"request_id\":9,\"success\":true,"
	    "\"data\":{\"cancelled\":true}}");
	HEAR_HAS(c, "\"cancelled\":false");
	HEAR_HAS(c, "\"code\":\"CANCELLED\"");
	HEAR_HAS(c, "{\"request_id\":\"b\",\"success\":true");
	/* Who hangs up with requests unread is not waited for. */
	tell(other, "{\"operation\":\"ping\"}\n");
	rpc_close(other);
	CHECK_RC(daemon_stop(&workspace, 10 * NS_PER_S, &e), OK);
	CHECK_INT(stored(ITEMS), 1);
}

TEST(daemon_starts_nothing_past_its_deadline)
{
	struct rpc_client *c;
	struct workdb d;
	struct err e;

	workspace_setup();
	start(NEVER);
	c = dial();
	tell(c, CREATE ",\"deadline_ms\":0,\"request_id\":1}\n");
	HEAR_HAS(c, "\"code\":\"TIMEOUT\"");
	/* Another process has the file. */
	CHECK_RC(workdb_open(&d, &workspace, &e), OK);
	CHECK_RC(db_exec(&d.db, "BEGIN IMMEDIATE", &e), OK);
	tell(c, CREATE ",\"deadline_ms\":20,\"request_id\":2}\n");
	HEAR_HAS(c, "\"code\":\"TIMEOUT\"");
	tell(c, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(c), "{\"request_id\":7," PONG);
	/* Another of the same transaction goes on waiting. */
	tell(c, CREATE ",\"deadline_ms\":100,\"request_id\":2}\n"
	    CREATE ",\"request_id\":3}\n");
	poll(NULL, 0, 200);
	CHECK_RC(db_exec(&d.db, "ROLLBACK", &e), OK);
	HEAR_HAS(c, "\"code\":\"TIMEOUT\"");
	HEAR_HAS(c, "{\"request_id\":3,\"success\":true");
	workdb_close(&d);
	CHECK_INT(stored(ITEMS), 1);
}

TEST(daemon_tells_subscribers_what_happens)
{
	struct rpc_client *a, *b;

	workspace_setup();
	start(NEVER);
	a = dial();
	b = dial();
	tell(b, CREATE "}\n");
	HEAR_HAS(b, "true");
	tell(a, "{\"operation\":\"subscribe\",\"request_id\":1}\n");
	CHECK_STR(hear(a), "{\"request_id\":1,\"success\":true,\"data\":{\"after\":1}}");
	tell(b, "{\"operation\":\"subscribe\",\"args\":{\"after\":0}}\n");
	HEAR_HAS(b, "{\"after\":0}");
	HEAR_HAS(b, "{\"event\":{\"seq\":1,\"kind\":\"created\"");
	tell(b, CREATE "}\n");
	HEAR_HAS(b, "\"success\":true");
	HEAR_HAS(a, "{\"event\":{\"seq\":2,");
	HEAR_HAS(b, "{\"event\":{\"seq\":2,");
	tell(a, "{\"operation\":\"unsubscribe\"}\n");
	HEAR_HAS(a, "true");
	tell(b, CREATE "}\n");
	HEAR_HAS(b, "\"success\":true");
	HEAR_HAS(b, "{\"event\":{\"seq\":3,");
	tell(a, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(a), "{\"request_id\":7," PONG);
}

TEST(daemon_answers_what_it_read_before_it_stops)
{
	struct rpc_client *c;
	struct str line;
	struct err e;
	pid_t pid;

	workspace_setup();
	pid = start(NEVER);
	c = dial();
	tell(c, CREATE ",\"request_id\":1}\n{\"operation\":\"shutdown\","
	    "\"request_id\":2}\n" CREATE ",\"request_id\":3}\n");
	HEAR_HAS(c, "{\"request_id\":1,\"success\":true");
	HEAR_HAS(c, "{\"request_id\":2,\"success\":true");
	CHECK(!has("sock") && !has("pid"));
	HEAR_HAS(c, "{\"request_id\":3,\"success\":true");
	CHECK_RC(rpc_receive(c, &line, clock_mono() + 10 * NS_PER_S, &e), ERR_CLOSED);
	ended(pid, 0);
	CHECK_INT(stored(ITEMS), 2);
}

/* ---- long operations ----------------------------------------------------------- */

TEST(daemon_tells_of_progress_when_asked)
{
	struct buf many = BUF(1 * MB);
	struct rpc_client *c;
	struct str line;
	int told = 0;

	workspace_setup();
	start(NEVER);
	c = dial();
	buf_lit(&many, "{\"operation\":\"batch\",\"actor\":\"ann\",\"request_id\":1,"
	    "\"progress\":true,\"args\":{\"operations\":[");
	for (int i = 0; i < 500; i++)
		buf_add_fmt(&many, "%s{\"operation\":\"create\",\"args\":"
		    "{\"title\":\"x\"}}", i > 0 ? "," : "");
	buf_lit(&many, "]}}\n");
	tell(c, many.p);
	for (line = hear(c); str_contains(line, S("\"progress\"")); line = hear(c)) {
		CHECK(str_starts(line, S("{\"request_id\":1,\"progress\":{\"done\":")));
		CHECK(str_ends(line, S(",\"total\":500}}")));
		told++;
	}
	CHECK(told > 0);
	CHECK(str_starts(line, S("{\"request_id\":1,\"success\":true")));
	CHECK_INT(stored(ITEMS), 500);
	buf_release(&many);
}
