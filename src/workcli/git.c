/*
 * git.c - see git.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "workcli/cmd.h"
#include "workcli/git.h"

#define ARGS_MAX 48
#define KILL_MS  2000                        /* from SIGTERM to SIGKILL */

void
git_init(struct git *g, const char *dir)
{
	*g = (struct git){ .dir = dir, .out = BUF(LIMIT_WORK_GIT_BYTES),
		.err = BUF(LIMIT_WORK_GIT_BYTES) };
}

void
git_release(struct git *g)
{
	buf_release(&g->out);
	buf_release(&g->err);
}

void
git_pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

struct str
git_out(const struct git *g)
{
	struct str s = buf_str(&g->out);

	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

int
git_ask(struct git *g, char *out, size_t size, const char *const *args, struct err *e)
{
	int rc = git_run(g, args, e);

	snprintf(out, size, "%.*s", FMT(rc == OK ? git_out(g) : S("")));
	return rc;
}

bool
git_has(struct git *g, const char *revision)
{
	struct err e;

	return GIT(g, &e, "rev-parse", "-q", "--verify", revision) == OK;
}

int
git_path(struct git *g, const char *name, char *out, size_t size, struct err *e)
{
	int rc = GIT(g, e, "rev-parse", "--git-path", name);
	struct str path = git_out(g);
	bool whole = str_starts(path, S("/"));

	if (rc != OK)
		return rc;
	return snprintf(out, size, "%s%s%.*s", whole ? "" : g->dir, whole ? "" : "/",
	    FMT(path)) < (int)size ? OK :
	    err_set(e, ERR_TOOBIG, "the repository's path is too long");
}

/* ---- being asked to end ---------------------------------------------------- */

static volatile sig_atomic_t stopping;

static void
note_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

void
git_catch_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction sa = { .sa_handler = note_signal };

	for (size_t i = 0; i < COUNT(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

bool
git_is_stopping(void)
{
	return stopping != 0;
}

/* ---- one run --------------------------------------------------------------- */

struct child {
	pid_t pid;
	int end;                             /* pidfd, readable at its end; or -1 */
	int out, err;
	bool group;                          /* it has a process group of its own */
	bool remote;                         /* may be cut short */
	nsec until;
};

/* To ask for a password on the terminal, git must be in our process group. */
static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
limit(const struct git_limits *l)
{
	if (l == NULL)
		return;
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ l->file, l->file });
	setrlimit(RLIMIT_AS, &(struct rlimit){ l->memory, l->memory });
	signal(SIGXFSZ, SIG_IGN);            /* git says "File too large" */
}

/* In the child.  Removes variables of another repository, which a hook that calls
 * us has set.  The child gets SIGTERM when we end. */
static void
become_git(const struct git *g, char **argv, const struct child *c, pid_t us)
{
	static const char *const foreign[] = { "GIT_DIR", "GIT_WORK_TREE",
		"GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY",
		"GIT_COMMON_DIR", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
		"GIT_QUARANTINE_PATH" };
	int null = open("/dev/null", O_RDWR);

	if (c->group)
		setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (getppid() != us)
		_exit(126);
	for (size_t i = 0; i < COUNT(foreign); i++)
		unsetenv(foreign[i]);
	if (g->index != NULL)
		setenv("GIT_INDEX_FILE", g->index, 1);
	setenv("LC_ALL", "C", 1);
	setenv("GIT_TERMINAL_PROMPT", "0", 1);
	setenv("GIT_EDITOR", "true", 1);
	setenv(GIT_RUNS_FOR_US, "1", 1);
	limit(g->limits);
	if (null < 0 || dup2(g->in > 0 ? g->in : null, 0) < 0 || dup2(c->out, 1) < 0 ||
	    dup2(c->err, 2) < 0 || chdir(g->dir) != 0)
		_exit(126);
	execvp("git", argv);
	_exit(127);
}

/* Reads once; false: the other end is closed. */
static bool
drain(int fd, struct buf *b)
{
	char *room = buf_room(b, 16 * KB);
	char spill[4096];
	ssize_t n = read(fd, room != NULL ? room : spill,
	    room != NULL ? 16 * KB : sizeof spill);

	if (n > 0 && room != NULL)
		buf_added(b, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Reads what the pipe holds; another process may keep it open. */
static void
drain_rest(int fd, struct buf *b)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (drain(fd, b))
		continue;
}

static void
child_kill(const struct child *c, int sig)
{
	kill(c->group ? -c->pid : c->pid, sig);
}

static bool
child_ended(struct child *c, int *status)
{
	return waitpid(c->pid, status, WNOHANG) == c->pid;
}

/* Sends SIGTERM, then SIGKILL. */
static void
child_end(struct child *c, int *status)
{
	nsec until = clock_mono() + KILL_MS * NS_PER_MS;

	child_kill(c, SIGTERM);
	while (clock_mono() < until) {
		if (child_ended(c, status)) {
			child_kill(c, SIGKILL);      /* the rest of its group */
			return;
		}
		git_pause_ms(10);
	}
	child_kill(c, SIGKILL);
	while (waitpid(c->pid, status, 0) < 0 && errno == EINTR)
		continue;
}

/* Reads its output until it has ended, not until the pipes are closed: a process
 * that it left running may keep them open. */
static int
child_watch(struct git *g, struct child *c, int *status)
{
	struct pollfd p[] = { { c->out, POLLIN, 0 }, { c->err, POLLIN, 0 },
		{ c->end, POLLIN, 0 } };

	while (!child_ended(c, status)) {
		if (clock_mono() >= c->until) {
			child_end(c, status);
			return ERR_TIMEOUT;
		}
		if (stopping && c->remote) {
			child_end(c, status);
			return ERR_CANCELLED;
		}
		if (poll(p, 3, c->end >= 0 ? 200 : 5) < 0)
			continue;
		if (p[0].revents != 0 && !drain(c->out, &g->out))
			p[0].fd = -1;
		if (p[1].revents != 0 && !drain(c->err, &g->err))
			p[1].fd = -1;
	}
	drain_rest(c->out, &g->out);
	drain_rest(c->err, &g->err);
	return OK;
}

static nsec
time_allowed(bool remote)
{
	struct str s = str_of(getenv("COHORT_WORK_GIT_TIMEOUT"));
	nsec t;

	if (s.n > 0 && cli_duration(s, &t))
		return t;
	return (remote ? LIMIT_WORK_GIT_REMOTE_MS : LIMIT_WORK_GIT_MS) * NS_PER_MS;
}

static int
child_start(struct git *g, char **argv, struct child *c, struct err *e)
{
	int out[2], err[2];
	pid_t us = getpid();

	if (pipe2(out, O_CLOEXEC) != 0)
		return err_set(e, ERR_IO, "pipe: %s", strerror(errno));
	if (pipe2(err, O_CLOEXEC) != 0) {
		close(out[0]);
		close(out[1]);
		return err_set(e, ERR_IO, "pipe: %s", strerror(errno));
	}
	c->group = !has_terminal();
	c->out = out[1];
	c->err = err[1];
	c->pid = fork();
	if (c->pid == 0)
		become_git(g, argv, c, us);
	close(out[1]);
	close(err[1]);
	c->out = out[0];
	c->err = err[0];
	if (c->pid < 0) {
		close(out[0]);
		close(err[0]);
		return err_set(e, ERR_IO, "fork: %s", strerror(errno));
	}
	if (c->group)
		setpgid(c->pid, c->pid);
	c->end = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return OK;
}

static int
run(struct git *g, char **argv, const char *what, struct err *e)
{
	struct child c = { .remote = strcmp(what, "fetch") == 0 ||
	    strcmp(what, "push") == 0 };
	nsec allowed = time_allowed(c.remote);
	int status = 0, rc;

	buf_clear(&g->out);
	buf_clear(&g->err);
	if (stopping && !g->tidying)
		return err_set(e, ERR_CANCELLED, "git %s: not started after a "
		    "signal", what);
	c.until = clock_mono() + allowed;
	rc = child_start(g, argv, &c, e);
	if (rc != OK)
		return rc;
	rc = child_watch(g, &c, &status);
	close(c.out);
	close(c.err);
	if (c.end >= 0)
		close(c.end);
	g->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (rc == ERR_TIMEOUT)
		return err_set(e, rc, "git %s: no end after %lld s; it was stopped",
		    what, (long long)(allowed / NS_PER_S));
	return rc == OK ? OK : err_set(e, rc, "git %s: stopped", what);
}

/* ---- locks of others ------------------------------------------------------- */

/* "Unable to create '/x/.git/index.lock': File exists." */
static bool
lock_path(const struct git *g, char *path, size_t size)
{
	const char *end = g->err.n == 0 ? NULL :
	    strstr(g->err.p, ".lock': File exists");
	const char *begin = end;

	if (end == NULL)
		return false;
	end += strlen(".lock");
	while (begin > g->err.p && begin[-1] != '\'')
		begin--;
	return snprintf(path, size, "%.*s", (int)(end - begin), begin) < (int)size;
}

static void
age_write(char *out, size_t size, const struct stat *st)
{
	long long s = (long long)(time(NULL) - st->st_mtime);

	s = s < 0 ? 0 : s;
	if (s < 120)
		snprintf(out, size, "%lld s", s);
	else if (s < 7200)
		snprintf(out, size, "%lld min", s / 60);
	else
		snprintf(out, size, "%lld h", s / 3600);
}

/* Gives up when one and the same lock stays too long.  It is never removed, since
 * its owner may be alive. */
int
git_lock_wait(const char *path, bool tells, struct err *e)
{
	nsec longest = LIMIT_WORK_GIT_LOCK_MS * NS_PER_MS;
	nsec allowed = time_allowed(false);
	nsec until = clock_mono() + (allowed < longest ? allowed : longest);
	nsec tell = clock_mono() + NS_PER_S;
	struct stat first, st;
	char age[32];

	if (stat(path, &first) != 0)
		return OK;
	age_write(age, sizeof age, &first);
	while (!stopping && stat(path, &st) == 0) {
		if (st.st_ino != first.st_ino || st.st_mtime != first.st_mtime)
			return OK;           /* it is a new lock */
		if (tells && clock_mono() >= tell) {
			fprintf(stderr, "Waiting for another git (%s, %s old)...\n",
			    path, age);
			tells = false;
		}
		if (clock_mono() >= until) {
			age_write(age, sizeof age, &st);
			return err_set(e, ERR_BUSY, "%s exists, %s old: another git "
			    "is running, or was killed and left it\nHint: if no "
			    "git is running there, remove it: rm '%s'", path, age,
			    path);
		}
		git_pause_ms(20);
	}
	return OK;
}

/* What the user can do about it; NULL: unknown. */
static const char *
hint_for(const char *text)
{
	static const struct { const char *words, *hint; } hints[] = {
		{ "Permission denied (", "the remote does not let you in; try 'git "
		  "fetch' in a terminal" },
		{ "Authentication failed", "the remote does not let you in; try 'git "
		  "fetch' in a terminal" },
		{ "could not read Username", "the remote asks for a password and there "
		  "is no terminal; set up a credential helper or ssh" },
		{ "could not read Password", "the remote asks for a password and there "
		  "is no terminal; set up a credential helper or ssh" },
		{ "Host key verification failed", "connect once by hand to accept the "
		  "remote's key" },
		{ "Could not resolve", "the remote cannot be reached; what was "
		  "committed is pushed by the next sync" },
		{ "Could not read from remote", "the remote cannot be reached, or does "
		  "not let you in; what was committed is pushed by the next sync" },
		{ "does not appear to be a git repository", "see 'git remote -v'" },
		{ "hook declined", "a hook of the remote refused it" },
		{ "protected branch", "the remote's branch is protected" },
		{ "Please tell me who you are", "set user.name and user.email" },
		{ "unable to auto-detect email", "set user.name and user.email" },
		{ "refusing to merge unrelated histories", "the remote's branch has "
		  "another beginning; merge it by hand once" },
	};

	for (size_t i = 0; i < COUNT(hints); i++) {
		if (strstr(text, hints[i].words) != NULL)
			return hints[i].hint;
	}
	return NULL;
}

/* Sets e to its output in one line. */
static int
said(const struct git *g, const char *what, struct err *e)
{
	struct str rest = str_trim(buf_str(g->err.n > 0 ? &g->err : &g->out));
	char text[300];
	const char *hint;
	size_t n = 0;

	for (size_t i = 0; i < rest.n && n + 1 < sizeof text; i++)
		text[n++] = rest.p[i] == '\n' || rest.p[i] == '\t' ? ' ' : rest.p[i];
	text[n] = '\0';
	hint = g->err.n > 0 ? hint_for(g->err.p) : NULL;
	return err_set(e, ERR_INVALID, "git %s: %s%s%s", what, n > 0 ? text :
	    g->status < 0 ? "it was killed" : "it failed without a message",
	    hint != NULL ? "\nHint: " : "", hint != NULL ? hint : "");
}

int
git_run(struct git *g, const char *const *args, struct err *e)
{
	const char *argv[ARGS_MAX] = { "git" };
	size_t n = 1;
	int rc = OK;

	assert(g->dir != NULL && args[0] != NULL);
	for (size_t i = 0; g->config != NULL && g->config[i] != NULL; i++) {
		argv[n++] = "-c";
		argv[n++] = g->config[i];
	}
	for (size_t i = 0; args[i] != NULL; i++) {
		assert(n + 1 < ARGS_MAX);
		argv[n++] = args[i];
	}
	argv[n] = NULL;
	for (int tries = 0; rc == OK; tries++) {
		char path[4096];

		rc = run(g, (char **)(void *)argv, args[0], e);
		if (rc != OK || g->status == 0)
			return rc;
		if (g->status == 127)
			return err_set(e, ERR_NOTFOUND, "git is not in $PATH");
		if (tries >= LIMIT_WORK_GIT_TRIES || !lock_path(g, path, sizeof path))
			return said(g, args[0], e);
		rc = git_lock_wait(path, g->tells, e);
	}
	return rc;
}
