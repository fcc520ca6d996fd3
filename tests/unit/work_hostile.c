/*
 * work_hostile.c - the daemon and what is not on its side: other users in the
 * folder, clients that send too much, read too little or change their mind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "rpc/rpc.h"
#include "work/host/client.h"
#include "work/host/daemon.h"

#define NOBODY 65534
#define LONG   (60 * NS_PER_S)

static struct workspace workspace;

static void
workspace_setup(void)
{
	struct err e;

	CHECK_RC(workspace_make(&workspace, ".", S("t"), clock_wall_ms(), &e), OK);
	setenv("CI", "1", 1);                /* no test may start one by itself */
}

static const char *
beside(const char *ending)
{
	static char path[DB_PATH_MAX + 8];

	workspace_path(&workspace, ending, path);
	return path;
}

static pid_t
child(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static int
code_of(pid_t pid)
{
	int status;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t
start(void)
{
	struct daemon_options o = { .idle = NEVER };
	struct daemon_status st = { 0 };
	pid_t pid = child();
	struct err e;

	if (pid == 0)
		_exit(-daemon_run(&workspace, &o, &e));
	while (!st.running) {
		CHECK_RC(daemon_status(&workspace, &st, &e), OK);
		CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	}
	return pid;
}

static void
dial(struct rpc_client *c)
{
	struct err e;

	CHECK_RC(rpc_connect(c, beside("sock"), 64 * MB, clock_mono() + LONG, &e), OK);
}

static void
tell(struct rpc_client *c, struct str text)
{
	struct err e;

	CHECK_RC(rpc_send(c, text, clock_mono() + LONG, &e), OK);
}

static struct str
hear(struct rpc_client *c)
{
	struct str line = STR_NONE;
	struct err e;

	CHECK_RC(rpc_receive(c, &line, clock_mono() + LONG, &e), OK);
	return line;
}

/* A number of the answer to an operation without arguments. */
static int64_t
ask(struct rpc_client *c, const char *operation, const char *key)
{
	struct json_doc d = { 0 };
	char line[64];
	int64_t n;

	snprintf(line, sizeof line, "{\"operation\":\"%s\"}\n", operation);
	tell(c, str_of(line));
	CHECK_RC(json_parse(&d, hear(c), NULL), OK);
	n = json_int(json_get(json_get(d.root, S("data")), str_of(key)));
	json_release(&d);
	return n;
}

static void
batch_add(struct buf *b, int id, int creates, int bytes, const char *more)
{
	buf_add_fmt(b, "{\"operation\":\"batch\",\"request_id\":%d%s,\"args\":"
	    "{\"operations\":[", id, more);
	for (int i = 0; i < creates; i++)
		buf_add_fmt(b, "%s{\"operation\":\"create\",\"args\":"
		    "{\"title\":\"x\",\"notes\":\"%0*d\"}}", i > 0 ? "," : "", bytes, i);
	buf_lit(b, "]}}\n");
}

/* ---- others in the folder ------------------------------------------------------ */

static void
victim(const char *path)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL && fputs("precious", f) >= 0 && fclose(f) == 0);
}

static bool
is_unharmed(const char *path)
{
	char text[64] = "";
	FILE *f = fopen(path, "r");

	CHECK(f != NULL);
	if (fread(text, 1, sizeof text - 1, f) == 0)
		text[0] = '\0';
	fclose(f);
	return strcmp(text, "precious") == 0;
}

TEST(hostile_links_are_not_followed)
{
	static const char *const names[] = { "log", "pid" };

	workspace_setup();
	for (size_t i = 0; i < 2 * COUNT(names); i++) {
		const char *at = beside(names[i / 2]);
		struct daemon_options o = { .idle = 1 };
		pid_t pid;
		struct err e;

		victim("victim");
		unlink(at);
		CHECK_INT(i % 2 == 0 ? symlink("../victim", at) :
		    link("victim", at), 0);
		pid = child();
		if (pid == 0)
			_exit(-daemon_run(&workspace, &o, &e));
		CHECK_INT(code_of(pid), i / 2 == 0 ? OK : -ERR_IO);
		CHECK(is_unharmed("victim"));
		unlink(beside(names[i / 2]));
	}
}

TEST(hostile_pipes_in_the_place_of_files_do_not_hang)
{
	struct daemon_options o = { .idle = 1 };
	struct err e;
	pid_t pid;

	workspace_setup();
	CHECK_INT(mkfifo(beside("log"), 0666), 0);
	pid = child();
	if (pid == 0)
		_exit(-daemon_run(&workspace, &o, &e));
	CHECK_INT(code_of(pid), OK);
	CHECK_INT(mkfifo(beside("pid"), 0666), 0);
	CHECK(!daemon_is_there(&workspace));
	CHECK_RC(daemon_run(&workspace, &o, &e), ERR_IO);
}

/* In the child: listens as another user and ends with what it was sent. */
static void
listen_as_nobody(int ready)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char byte;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), c;

	snprintf(sa.sun_path, sizeof sa.sun_path, ".cohort/work.sock");
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0 || listen(fd, 8) != 0 ||
	    write(ready, "x", 1) != 1)
		_exit(99);
	c = accept(fd, NULL, NULL);
	_exit(read(c, &byte, 1) == 1);
}

TEST(hostile_listener_is_told_nothing)
{
	struct client_options o = { .workspace = &workspace, .actor = S("ann"),
	    .timeout = LONG };
	struct client *c;
	struct reply r = { 0 };
	struct err e;
	char byte;
	int ready[2];
	pid_t pid;

	if (geteuid() != 0)
		return;                      /* only root can be another user */
	workspace_setup();
	CHECK_INT(pipe(ready), 0);
	pid = child();
	if (pid == 0)
		listen_as_nobody(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	CHECK_RC(client_open(&c, &o, &e), OK);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	reply_release(&r);
	client_close(c);
	CHECK_INT(code_of(pid), 0);
}

/* In the child: what it is answered as another user; 0: nothing. */
static void
call_as_nobody(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "work.sock" };
	char byte;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (chdir(".cohort") != 0 || chmod("work.sock", 0666) != 0 ||
	    chmod(".", 0755) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
		_exit(99);
	if (send(fd, "{\"operation\":\"ping\"}\n", 21, MSG_NOSIGNAL) < 0)
		_exit(0);
	_exit(read(fd, &byte, 1) == 1);
}

TEST(hostile_caller_is_told_nothing)
{
	struct rpc_client c;
	pid_t pid;

	if (geteuid() != 0)
		return;
	workspace_setup();
	start();
	pid = child();
	if (pid == 0)
		call_as_nobody();
	CHECK_INT(code_of(pid), 0);
	dial(&c);
	CHECK_INT(ask(&c, "status", "connections"), 1);
	rpc_close(&c);
}

/* ---- clients that want too much ------------------------------------------------ */

#define OPERATIONS 10000
/* So that it runs for seconds: who cancels it may have to wait for a core. */
#define HEAVY 4000

static void
long_batch(struct rpc_client *c)
{
	struct buf b = BUF(64 * MB);

	dial(c);
	batch_add(&b, 1, OPERATIONS, HEAVY, ",\"progress\":true");
	tell(c, buf_str(&b));
	buf_release(&b);
	CHECK(str_contains(hear(c), S("\"progress\"")));
}

TEST(hostile_cancel_of_what_runs_leaves_nothing)
{
	struct rpc_client c;
	struct str line;

	workspace_setup();
	start();
	long_batch(&c);
	tell(&c, S("{\"operation\":\"cancel\",\"args\":{\"request_id\":1},"
	    "\"request_id\":2}\n"));
	do
		line = hear(&c);
	while (str_contains(line, S("\"progress\"")));
	CHECK_STR(line, "{\"request_id\":2,\"success\":true,"
	    "\"data\":{\"cancelled\":true}}");
	do
		line = hear(&c);
	while (str_contains(line, S("\"progress\"")));
	CHECK(str_starts(line, S("{\"request_id\":1,\"success\":false")));
	CHECK(str_contains(line, S("\"code\":\"CANCELLED\"")));
	CHECK_INT(ask(&c, "stats", "total_issues"), 0);
	rpc_close(&c);
}

TEST(hostile_hang_up_while_it_runs_leaves_nothing)
{
	struct rpc_client c, other;

	workspace_setup();
	start();
	long_batch(&c);
	dial(&other);
	rpc_close(&c);
	CHECK_INT(ask(&other, "stats", "total_issues"), 0);
	rpc_close(&other);
}

TEST(hostile_deadline_of_what_runs_leaves_nothing)
{
	struct buf b = BUF(64 * MB);
	struct rpc_client c;
	struct str line;

	workspace_setup();
	start();
	dial(&c);
	batch_add(&b, 1, OPERATIONS, HEAVY, ",\"deadline_ms\":30");
	tell(&c, buf_str(&b));
	line = hear(&c);
	CHECK(str_contains(line, S("\"code\":\"TIMEOUT\"")));
	CHECK_INT(ask(&c, "stats", "total_issues"), 0);
	rpc_close(&c);
	buf_release(&b);
}

/* Its first answer comes when its first round is over, not when it has all. */
TEST(hostile_pipelining_lets_others_through)
{
	const int batches = 200, creates = 100;
	struct buf b = BUF(8 * MB);
	struct rpc_client greedy, other;
	char head[48];

	workspace_setup();
	start();
	dial(&greedy);
	dial(&other);
	for (int i = 0; i < batches; i++)
		batch_add(&b, i, creates, 1, "");
	tell(&greedy, buf_str(&b));
	CHECK(str_starts(hear(&greedy), S("{\"request_id\":0,\"success\":true")));
	CHECK(ask(&other, "stats", "total_issues") < batches * creates);
	for (int i = 1; i < batches; i++) {
		snprintf(head, sizeof head, "{\"request_id\":%d,\"success\":true", i);
		CHECK(str_starts(hear(&greedy), str_of(head)));
	}
	CHECK_INT(ask(&other, "stats", "total_issues"), batches * creates);
	rpc_close(&greedy);
	rpc_close(&other);
	buf_release(&b);
}

static void
large_items(struct rpc_client *c, int n)
{
	struct buf b = BUF(64 * MB);

	buf_lit(&b, "{\"operation\":\"batch\",\"args\":{\"operations\":[");
	for (int i = 0; i < n; i++)
		buf_add_fmt(&b, "%s{\"operation\":\"create\",\"args\":{\"title\":"
		    "\"x\",\"description\":\"%060000d\"}}", i > 0 ? "," : "", i);
	buf_lit(&b, "]}}\n");
	tell(c, buf_str(&b));
	buf_release(&b);
	CHECK(str_contains(hear(c), S("\"success\":true")));
}

/* 20 answers of 12 MB are more than may be unsent. */
TEST(hostile_reader_that_is_slow_gets_all_in_the_end)
{
	const int lists = 20;
	struct buf b = BUF(1 * MB);
	struct rpc_client slow, other;
	char head[48];

	workspace_setup();
	start();
	dial(&slow);
	dial(&other);
	large_items(&slow, 200);
	for (int i = 0; i < lists; i++)
		buf_add_fmt(&b, "{\"operation\":\"list\",\"request_id\":%d}\n", i);
	tell(&slow, buf_str(&b));
	for (int i = 0; i < 2 * lists; i++)
		CHECK_INT(ask(&other, "stats", "total_issues"), 200);
	for (int i = 0; i < lists; i++) {
		struct str line = hear(&slow);

		snprintf(head, sizeof head, "{\"request_id\":%d,\"success\":true", i);
		CHECK(str_starts(line, str_of(head)));
		CHECK(line.n > 12 * 1000 * 1000);
	}
	rpc_close(&slow);
	rpc_close(&other);
	buf_release(&b);
}

/* One who reads nothing holds up neither the others nor the end. */
TEST(hostile_reader_that_reads_nothing_holds_up_nobody)
{
	struct rpc_client deaf, other;
	struct buf b = BUF(8 * MB);
	struct err e;

	workspace_setup();
	start();
	dial(&deaf);
	dial(&other);
	large_items(&deaf, 100);
	for (int i = 0; i < 2 * LIMIT_WORK_QUEUE; i++)
		buf_lit(&b, "{\"operation\":\"list\",\"args\":{\"limit\":100}}\n");
	tell(&deaf, buf_str(&b));
	for (int i = 0; i < 50; i++)
		CHECK_INT(ask(&other, "stats", "total_issues"), 100);
	CHECK_RC(daemon_stop(&workspace, LONG, &e), OK);
	rpc_close(&deaf);
	rpc_close(&other);
	buf_release(&b);
}

/* A clone in a folder that may not be written: never an empty tracker. */
TEST(work_a_clone_that_may_not_be_written_is_told)
{
	struct workspace h = { .dir = "/nowhere/.cohort", .db = "/nowhere/.cohort/work.db",
		.read_only = true };
	struct workspace first;
	struct err e;

	CHECK_RC(workspace_first_begin(&h, &first, 1, &e), ERR_DENIED);
	CHECK(str_contains(str_of(e.text), S("may not be written")));
}
