/*
 * git.c - see git.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "main/work/git.h"

#define ARGS_MAX 48

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
pause_ms(long ms)
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

/* ---- one run ------------------------------------------------------------------------ */

/* In the child.  A hook that calls us has variables of its own repository. */
static void
child(const struct git *g, char **argv, int out, int err)
{
	static const char *const foreign[] = { "GIT_DIR", "GIT_WORK_TREE",
		"GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY",
		"GIT_COMMON_DIR", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
		"GIT_QUARANTINE_PATH" };
	int null = open("/dev/null", O_RDWR);

	for (size_t i = 0; i < COUNT(foreign); i++)
		unsetenv(foreign[i]);
	setenv("LC_ALL", "C", 1);
	setenv("GIT_TERMINAL_PROMPT", "0", 1);
	setenv("GIT_EDITOR", "true", 1);
	setenv(GIT_RUNS_FOR_US, "1", 1);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 ||
	    chdir(g->dir) != 0)
		_exit(126);
	execvp("git", argv);
	_exit(127);
}

/* One end is read until it closes; false then. */
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

static void
drain_both(struct git *g, int out, int err)
{
	struct pollfd p[] = { { out, POLLIN, 0 }, { err, POLLIN, 0 } };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].fd >= 0 && p[0].revents != 0 && !drain(out, &g->out))
			p[0].fd = -1;
		if (p[1].fd >= 0 && p[1].revents != 0 && !drain(err, &g->err))
			p[1].fd = -1;
	}
}

static int
run(struct git *g, char **argv, struct err *e)
{
	int out[2], err[2], status = 0;
	pid_t pid;

	buf_clear(&g->out);
	buf_clear(&g->err);
	if (pipe2(out, O_CLOEXEC) != 0)
		return err_set(e, ERR_IO, "pipe: %s", strerror(errno));
	if (pipe2(err, O_CLOEXEC) != 0) {
		close(out[0]);
		close(out[1]);
		return err_set(e, ERR_IO, "pipe: %s", strerror(errno));
	}
	pid = fork();
	if (pid == 0)
		child(g, argv, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (pid > 0)
		drain_both(g, out[0], err[0]);
	close(out[0]);
	close(err[0]);
	if (pid < 0)
		return err_set(e, ERR_IO, "fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	g->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return OK;
}

/* ---- locks of others ------------------------------------------------------------------ */

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
lock_wait(const char *path)
{
	struct stat st;

	for (long waited = 0; waited < LIMIT_WORK_GIT_LOCK_MS && stat(path, &st) == 0;
	    waited += 20)
		pause_ms(20);
}

/* What it complained of, in one line. */
static int
said(const struct git *g, const char *what, struct err *e)
{
	struct str rest = str_trim(buf_str(g->err.n > 0 ? &g->err : &g->out));
	char text[360];
	size_t n = 0;

	for (size_t i = 0; i < rest.n && n + 1 < sizeof text; i++)
		text[n++] = rest.p[i] == '\n' || rest.p[i] == '\t' ? ' ' : rest.p[i];
	text[n] = '\0';
	return err_set(e, ERR_INVALID, "git %s: %s", what, n > 0 ? text :
	    "it failed without a word");
}

int
git_run(struct git *g, const char *const *args, struct err *e)
{
	const char *argv[ARGS_MAX] = { "git" };
	size_t n = 1;
	int rc = OK;

	for (size_t i = 0; g->config != NULL && g->config[i] != NULL; i++) {
		argv[n++] = "-c";
		argv[n++] = g->config[i];
	}
	for (size_t i = 0; args[i] != NULL && n + 1 < ARGS_MAX; i++)
		argv[n++] = args[i];
	argv[n] = NULL;
	for (int tries = 0; rc == OK; tries++) {
		char path[4096];

		rc = run(g, (char **)(void *)argv, e);
		if (rc != OK || g->status == 0)
			return rc;
		if (g->status == 127)
			return err_set(e, ERR_NOTFOUND, "there is no git to be found");
		if (tries >= LIMIT_WORK_GIT_TRIES || !lock_path(g, path, sizeof path))
			return said(g, args[0], e);
		lock_wait(path);
	}
	return rc;
}
