/*
 * work_client.c - workspaces, and how a command reaches its tracker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "work/host/client.h"
#include "work/host/daemon.h"

static struct workspace workspace;

static void
file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void
folder(const char *path)
{
	CHECK(mkdir(path, 0755) == 0);
}

static void
make(const char *dir, const char *prefix)
{
	struct err e;

	CHECK_RC(workspace_make(&workspace, dir, str_of(prefix), clock_wall_ms(), &e), OK);
	setenv("CI", "1", 1);
}

static struct client *
client(nsec timeout, const char *once)
{
	static struct client_options o;
	struct client *c;
	struct err e;

	o = (struct client_options){ .workspace = &workspace, .actor = S("ann"),
		.timeout = timeout, .once = str_of(once) };
	CHECK_RC(client_open(&c, &o, &e), OK);
	return c;
}

static pid_t
start(void)
{
	struct daemon_options o = { .idle = NEVER };
	struct daemon_status st = { 0 };
	pid_t pid = fork();
	struct err e;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-daemon_run(&workspace, &o, &e));
	}
	while (!st.running)
		CHECK_RC(daemon_status(&workspace, &st, &e), OK);
	return pid;
}

static const char *
prefix_of(struct reply *r)
{
	static char out[64];
	struct str id = json_str(json_get(r->data, S("id")));

	snprintf(out, sizeof out, "%.*s", FMT(id));
	CHECK(strrchr(out, '-') != NULL);
	*strrchr(out, '-') = '\0';
	return out;
}

/* ---- workspaces ---------------------------------------------------------------- */

TEST(home_is_the_nearest_with_its_database)
{
	struct workspace h;
	struct err e;
	char dir[DB_PATH_MAX];

	CHECK_RC(workspace_find(&h, ".", STR_NONE, &e), ERR_NOTFOUND);
	CHECK(str_contains(str_of(e.text), S("cohort work init")));
	make(".", "t");
	CHECK_RC(workspace_make(&h, ".", S("t"), 0, &e), ERR_CONFLICT);
	folder("a");
	folder("a/b");
	CHECK_RC(workspace_find(&h, "a/b", STR_NONE, &e), OK);
	CHECK_STR(str_of(h.db), workspace.db);
	CHECK(!h.read_only);
	CHECK_RC(workspace_find(&h, "/", str_of(workspace.db), &e), OK);
	CHECK_STR(str_of(h.dir), workspace.dir);
	CHECK_RC(workspace_find(&h, ".", S("missing.db"), &e), ERR_NOTFOUND);
	CHECK_RC(workspace_find(&h, ".", S(".cohort"), &e), ERR_INVALID);
	/* A clone inside it has none yet, and gets its own. */
	folder("a/.git");
	folder("a/.cohort");
	CHECK_RC(workspace_find(&h, "a/b", STR_NONE, &e), OK);
	CHECK(getcwd(dir, sizeof dir) != NULL);
	CHECK(str_ends(str_of(h.dir), S("/a/.cohort")));
}

TEST(home_of_a_linked_worktree_is_its_main_checkouts)
{
	struct workspace h;
	struct err e;

	folder("main");
	folder("main/.git");
	folder("main/.git/worktrees");
	folder("main/.git/worktrees/wt");
	file("main/.git/worktrees/wt/commondir", "../..\n");
	folder("wt");
	file("wt/.git", "gitdir: ../main/.git/worktrees/wt\n");
	folder("wt/.cohort");                        /* issues.jsonl is in git */
	make("main", "t");
	CHECK_RC(workspace_find(&h, "wt", STR_NONE, &e), OK);
	CHECK_STR(str_of(h.db), workspace.db);
	CHECK(rmdir("wt/.cohort") == 0);
	CHECK_RC(workspace_find(&h, "wt", STR_NONE, &e), OK);
	CHECK_STR(str_of(h.db), workspace.db);
	/* A submodule is no worktree. */
	CHECK(unlink("main/.git/worktrees/wt/commondir") == 0);
	CHECK_RC(workspace_find(&h, "wt", STR_NONE, &e), ERR_NOTFOUND);
}

TEST(home_takes_its_prefix_from_the_export_or_the_folder)
{
	struct reply r = { 0 };
	struct client *c;
	struct workspace h;
	struct err e;

	folder("9 My.app--");
	make("9 My.app--", "");
	c = client(NEVER, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	CHECK_STR(str_of(prefix_of(&r)), "My-app");
	client_close(c);
	CHECK_RC(workspace_make(&h, "/proc", S("t"), 0, &e), ERR_IO);
	folder("clone");
	folder("clone/.cohort");
	file("clone/.cohort/issues.jsonl", "{\"id\":\"old-one-12\",\"title\":\"x\"}\n");
	CHECK_RC(workspace_find(&workspace, "clone", STR_NONE, &e), OK);
	c = client(NEVER, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	CHECK_STR(str_of(prefix_of(&r)), "old-one");
	CHECK(access("clone/.cohort/.gitignore", F_OK) == 0);
	client_close(c);
	reply_release(&r);
	CHECK_RC(workspace_make(&h, "clone/.cohort", S("-"), 0, &e), ERR_INVALID);
}

TEST(home_read_only_is_read_and_refuses_writes)
{
	struct reply r = { 0 };
	struct client *c;

	make(".", "t");
	c = client(NEVER, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	client_close(c);
	workspace.read_only = true;
	c = client(NEVER, NULL);
	CHECK_RC(client_call(c, "ready", STR_NONE, &r), OK);
	CHECK_INT(json_count(r.data), 1);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), ERR_DENIED);
	CHECK_RC(client_call(c, "ready", STR_NONE, &r), OK);
	CHECK_INT(json_count(r.data), 1);
	client_close(c);
	reply_release(&r);
}

/* ---- calls ---------------------------------------------------------------------- */

static void
same_either_way(const char *operation, const char *args)
{
	struct reply direct = { 0 }, asked = { 0 };
	struct client *c = client(NEVER, NULL);
	int rc;

	setenv("COHORT_NO_DAEMON", "1", 1);
	{
		struct client *d = client(NEVER, NULL);

		rc = client_call(d, operation, str_of(args), &direct);
		client_close(d);
	}
	unsetenv("COHORT_NO_DAEMON");
	CHECK_RC(client_call(c, operation, str_of(args), &asked), rc);
	CHECK(str_eq(direct.data_text, asked.data_text));
	CHECK_STR(str_of(direct.err.text), asked.err.text);
	client_close(c);
	reply_release(&direct);
	reply_release(&asked);
}

TEST(client_gets_the_same_answer_with_and_without_a_daemon)
{
	struct reply r = { 0 };
	struct client *c;
	char id[64], args[96];

	make(".", "t");
	start();
	c = client(NEVER, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\",\n\"priority\":1}"), &r),
	    OK);
	snprintf(id, sizeof id, "%.*s", FMT(json_str(json_get(r.data, S("id")))));
	snprintf(args, sizeof args, "{\"id\":\"%s\"}", id);
	client_close(c);
	reply_release(&r);
	same_either_way("ping", "");
	same_either_way("show", args);
	same_either_way("ready", "{}");
	same_either_way("show", "{\"id\":\"nobody\"}");
	same_either_way("show", "{\"i\":\"nobody\"}");
	same_either_way("show", "[1]");
	same_either_way("show", "{\"id\":");
	same_either_way("shwo", "{}");
}

TEST(client_keeps_its_time)
{
	struct reply r = { 0 };
	struct client *c;
	pid_t pid;

	make(".", "t");
	c = client(1, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), ERR_TIMEOUT);
	CHECK_STR(str_of(r.err.text), "timed out after 1 ns");
	client_close(c);
	pid = start();
	c = client(1, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), ERR_TIMEOUT);
	client_close(c);
	kill(pid, SIGSTOP);                          /* it hangs: not directly */
	c = client(30 * NS_PER_MS, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), ERR_TIMEOUT);
	CHECK_STR(str_of(r.err.text), "timed out after 30 ms");
	kill(pid, SIGCONT);
	client_close(c);
	c = client(10 * NS_PER_S, NULL);             /* and had no effect */
	CHECK_RC(client_call(c, "ready", STR_NONE, &r), OK);
	CHECK_INT(json_count(r.data), 0);
	client_close(c);
	reply_release(&r);
}

TEST(client_does_without_a_daemon_that_died_between_calls)
{
	struct reply r = { 0 };
	struct client *c;
	pid_t pid;

	make(".", "t");
	pid = start();
	c = client(10 * NS_PER_S, NULL);
	CHECK_RC(client_call(c, "ping", STR_NONE, &r), OK);
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	start();
	CHECK_RC(client_call(c, "ready", STR_NONE, &r), OK);
	CHECK_INT(json_count(r.data), 1);
	client_close(c);
	reply_release(&r);
}

/* Something that reads one request and dies. */
static void
false_daemon(bool answers, const char *answer)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char path[DB_PATH_MAX + 8], text[4096];

	workspace_path(&workspace, "sock", path);
	unlink(path);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%.*s",
	    (int)sizeof sa.sun_path - 1, ".cohort/work.sock");
	CHECK(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
	CHECK(listen(fd, 5) == 0);
	if (fork() == 0) {
		int at = accept(fd, NULL, NULL);

		close(fd);                           /* the next finds nobody */
		CHECK(read(at, text, sizeof text) > 0);
		if (answers)
			CHECK(write(at, answer, strlen(answer)) > 0);
		_exit(0);
	}
	close(fd);
}

TEST(client_does_not_do_twice_what_may_have_been_done)
{
	struct reply r = { 0 };
	struct client *c;

	make(".", "t");
	false_daemon(false, NULL);
	c = client(10 * NS_PER_S, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), ERR_CLOSED);
	CHECK(str_contains(str_of(r.err.text), S("unknown")));
	client_close(c);
	false_daemon(false, NULL);
	c = client(10 * NS_PER_S, NULL);             /* reading again is no harm */
	CHECK_RC(client_call(c, "ready", STR_NONE, &r), OK);
	CHECK_INT(json_count(r.data), 0);
	client_close(c);
	false_daemon(false, NULL);
	c = client(10 * NS_PER_S, "key-1");          /* nor doing it once */
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"y\"}"), &r), OK);
	client_close(c);
	c = client(10 * NS_PER_S, "key-1");          /* nor the whole command again */
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"y\"}"), &r), OK);
	CHECK_RC(client_call(c, "ready", STR_NONE, &r), OK);
	client_close(c);
	c = client(10 * NS_PER_S, NULL);
	CHECK_RC(client_call(c, "ready", STR_NONE, &r), OK);
	CHECK_INT(json_count(r.data), 2);
	client_close(c);
	reply_release(&r);
}

TEST(client_does_without_a_daemon_of_another_version)
{
	struct reply r = { 0 };
	struct client *c;

	make(".", "t");
	false_daemon(true, "{\"request_id\":1,\"success\":false,\"error\":\"\","
	    "\"code\":\"CONFLICT\",\"version\":\"9\"}\n");
	c = client(10 * NS_PER_S, NULL);
	CHECK_RC(client_call(c, "create", S("{\"title\":\"x\"}"), &r), OK);
	client_close(c);
	reply_release(&r);
}
