/*
 * work_daemon.c - the daemon as its clients see it: real sockets, a real
 * database, a process of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "net/rpc.h"
#include "work/client.h"
#include "work/daemon.h"
#include "work/work_priv.h"

static struct home home;

static void
workspace(void)
{
	struct err e;

	CHECK_RC(home_make(&home, ".", S("t"), clock_wall_ms(), &e), OK);
	/* No test may start one by itself: it would be the test runner. */
	setenv("CI", "1", 1);
}

/* A daemon in a process of its own that ends with ours. */
static pid_t
start(nsec idle)
{
	struct daemon_options o = { .idle = idle, .foreground = false };
	struct daemon_status st = { 0 };
	pid_t pid = fork();
	struct err e;

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-daemon_run(&home, &o, &e));
	}
	while (!st.running) {
		CHECK_RC(daemon_status(&home, &st, &e), OK);
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

	home_path(&home, ending, path);
	return access(path, F_OK) == 0;
}

/* ---- raw lines ------------------------------------------------------------- */

static struct rpc_client
dial(void)
{
	char path[DB_PATH_MAX + 8];
	struct rpc_client c;
	struct err e;

	home_path(&home, "sock", path);
	CHECK_RC(rpc_connect(&c, path, 64 * MB, clock_mono() + 10 * NS_PER_S, &e), OK);
	return c;
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
	struct rpc_client c;
	struct stat st;
	pid_t pid;
	char path[DB_PATH_MAX + 8];

	workspace();
	pid = start(NEVER);
	home_path(&home, "sock", path);
	CHECK(stat(path, &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	c = dial();
	tell(&c, "{\"operation\":\"ping\",\"request_id\":\"a\\\"b\"}\n");
	CHECK_STR(hear(&c), "{\"request_id\":\"a\\\"b\"," PONG);
	tell(&c, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(&c), "{\"request_id\":7," PONG);
	tell(&c, "{\"operation\":\"ping\"}\n");
	CHECK_STR(hear(&c), "{\"request_id\":null," PONG);
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
		{ "{\"operation\":\"ping\",\"args\":{\"x\":1}}", "not an argument" },
		{ "{\"operation\":\"craete\",\"actor\":\"a\"}", "METHOD" },
		{ "\x01\xff\xfe", "SYNTAX" },
	};
	struct rpc_client c;

	workspace();
	start(NEVER);
	c = dial();
	for (size_t i = 0; i < COUNT(bad); i++) {
		tell(&c, bad[i].line);
		tell(&c, "\n\n");
		HEAR_HAS(&c, bad[i].words);
	}
	tell(&c, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(&c), "{\"request_id\":7," PONG);
}

TEST(daemon_refuses_a_line_over_the_limit)
{
	static char block[1 << 20];
	struct rpc_client c, other;
	struct str line;
	struct err e;

	workspace();
	start(NEVER);
	c = dial();
	memset(block, 'x', sizeof block);
	for (size_t sent = 0; sent <= LIMIT_WORK_LINE_BYTES; sent += sizeof block)
		CHECK_RC(rpc_send(&c, (struct str){ block, sizeof block },
		    clock_mono() + 10 * NS_PER_S, &e), OK);
	HEAR_HAS(&c, "TOOBIG");
	tell(&c, "\n");
	CHECK(rpc_receive(&c, &line, clock_mono() + 10 * NS_PER_S, &e) == ERR_CLOSED);
	other = dial();
	tell(&other, "{\"operation\":\"ping\",\"request_id\":7}\n");
	CHECK_STR(hear(&other), "{\"request_id\":7," PONG);
}

TEST(daemon_leaves_one_of_two)
{
	struct daemon_options o = { .idle = NEVER };
	struct err e;
	pid_t racer[4];
	struct daemon_status st = { 0 };
	int left = 0;

	workspace();
	for (size_t i = 0; i < COUNT(racer); i++) {
		racer[i] = fork();
		if (racer[i] == 0)
			_exit(-daemon_run(&home, &o, &e));
	}
	for (size_t i = 0; i < COUNT(racer) - 1; i++) {
		int status;
		pid_t pid = wait(&status);

		CHECK(pid > 0 && WIFEXITED(status));
		CHECK_INT(WEXITSTATUS(status), -ERR_BUSY);
	}
	while (!st.running)
		CHECK_RC(daemon_status(&home, &st, &e), OK);
	for (size_t i = 0; i < COUNT(racer); i++)
		left += racer[i] == st.pid;
	CHECK_INT(left, 1);
	CHECK_RC(daemon_stop(&home, 10 * NS_PER_S, &e), OK);
	CHECK(!has("sock") && !has("pid"));
	ended((pid_t)st.pid, 0);
}

TEST(daemon_killed_leaves_nothing_in_the_way)
{
	struct daemon_status st;
	struct err e;
	pid_t pid;

	workspace();
	pid = start(NEVER);
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK(has("sock") && has("pid"));
	CHECK_RC(daemon_status(&home, &st, &e), OK);
	CHECK(!st.running);
	CHECK_RC(daemon_stop(&home, NS_PER_S, &e), ERR_NOTFOUND);
	pid = start(NEVER);
	CHECK_RC(daemon_stop(&home, 10 * NS_PER_S, &e), OK);
	ended(pid, 0);
}

TEST(daemon_leaves_when_idle_and_when_its_files_are_gone)
{
	char path[DB_PATH_MAX + 8];
	pid_t pid;

	workspace();
	ended(start(20 * NS_PER_MS), 0);
	CHECK(!has("sock") && !has("pid"));
	pid = start(NEVER);
	CHECK(unlink(home.db) == 0);
	ended(pid, 0);
	CHECK(!has("sock") && !has("pid"));
	pid = start(NEVER);                          /* of a fresh one */
	home_path(&home, "sock", path);
	CHECK(unlink(path) == 0);
	ended(pid, 0);
	pid = start(NEVER);
	CHECK(rename(home.dir, "elsewhere") == 0);
	ended(pid, 0);
}
