/*
 * work_space.c - the environment of the measurements: workspaces in the scratch
 * folder, their daemon, and processes of the command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define NAME_SOCKET   ".cohort/work.sock"
#define START_TIMEOUT (20 * NS_PER_S)
#define STOP_TIMEOUT  (10 * NS_PER_S)
#define OUT_BYTES     (64 * MB)
#define TAIL_BYTES    300                    /* of the daemon's words, for a message */

/* Processes. */

/* A clean environment: the caller's settings must not change the measurement;
 * $CI, for example, forbids the daemon. */
static char *const *
environment(void)
{
	static const char *const kept[] = { "PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH",
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" };
	static char text[COUNT(kept)][4096];
	static char *env[COUNT(kept) + 4];
	static char user[] = "USER=bench", actor[] = "BD_ACTOR=bench", lang[] = "LANG=C";
	size_t n = 0;

	if (env[0] != NULL)
		return env;
	env[n++] = user;
	env[n++] = actor;
	env[n++] = lang;
	for (size_t i = 0; i < COUNT(kept); i++) {
		const char *value = getenv(kept[i]);

		if (value != NULL && (size_t)snprintf(text[n - 3], sizeof text[0], "%s=%s",
		    kept[i], value) < sizeof text[0]) {
			env[n] = text[n - 3];
			n++;
		}
	}
	return env;
}

static int
code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* out_fd -1: /dev/null. */
static int
spawn(const struct process *r, int out_fd, int err_fd, pid_t *pid, struct err *e)
{
	const char *argv[RUN_ARGS_MAX + 4];
	posix_spawn_file_actions_t files;
	size_t n = 0;
	int rc;

	argv[n++] = r->space->tool.path;
	if (r->space->tool.word != NULL)
		argv[n++] = r->space->tool.word;
	for (size_t i = 0; r->args[i] != NULL && n < RUN_ARGS_MAX; i++)
		argv[n++] = r->args[i];
	if (r->last != NULL)
		argv[n++] = r->last;
	argv[n] = NULL;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addchdir_np(&files, r->space->dir);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (out_fd >= 0)
		posix_spawn_file_actions_adddup2(&files, out_fd, 1);
	else
		posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	if (err_fd >= 0)
		posix_spawn_file_actions_adddup2(&files, err_fd, 2);
	else
		posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawn(pid, argv[0], &files, NULL, (char *const *)argv, environment());
	posix_spawn_file_actions_destroy(&files);
	return rc == 0 ? OK : err_set(e, ERR_IO, "%s: %s", argv[0], strerror(rc));
}

int
process_run(struct process *r, struct err *e)
{
	int out[2] = { -1, -1 }, status = 0, rc;
	nsec began = clock_mono();
	pid_t pid;

	if (r->out != NULL && pipe2(out, O_CLOEXEC) != 0)
		return err_set(e, ERR_IO, "a pipe: %s", strerror(errno));
	rc = spawn(r, out[1], out[1], &pid, e);
	if (r->out != NULL)
		close(out[1]);
	if (rc == OK && r->out != NULL)
		file_add_fd(out[0], r->out, NULL, NULL);     /* or its beginning */
	if (r->out != NULL)
		close(out[0]);
	if (rc != OK)
		return rc;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	r->took = clock_mono() - began;
	r->code = code_of(status);
	return OK;
}

/* Workspaces. */

int
space_file_read(const struct space *p, const char *name, struct buf *out, struct err *e)
{
	char path[WB_PATH + 32];

	snprintf(path, sizeof path, "%s/%s", p->dir, name);
	return file_add(path, out, e);
}

int
space_file_write(const struct space *p, const char *name, struct str text, struct err *e)
{
	char path[WB_PATH + 32];

	snprintf(path, sizeof path, "%s/%s", p->dir, name);
	return file_put(path, text, e);
}

static void
forget_daemon(struct space *p)
{
	scratch_tell(p->scratch, -p->daemon);
	p->daemon = 0;
}

/* Asks until it answers; each try is a connection of its own. */
static int
await_daemon(struct space *p, struct err *e)
{
	nsec until = clock_mono() + START_TIMEOUT;
	struct buf tail = BUF(OUT_BYTES);
	struct agent a;
	struct err last;
	int status = 0, rc;

	for (;;) {
		rc = agent_open(&a, p, 0, &last);
		if (rc == OK)
			rc = agent_call(&a, "ping", NULL, &last, "%s", "");
		agent_close(&a);
		if (rc == OK || clock_mono() > until)
			break;
		if (waitpid(p->daemon, &status, WNOHANG) == p->daemon) {
			forget_daemon(p);
			rc = ERR_CLOSED;
			err_set(&last, rc, "it ended with code %d", code_of(status));
			break;
		}
		poll(NULL, 0, 1);
	}
	if (rc != OK) {
		space_file_read(p, "daemon.out", &tail, &(struct err){ 0 });
		if (tail.n > TAIL_BYTES)
			buf_drop_front(&tail, tail.n - TAIL_BYTES);
		err_set(e, rc, "the daemon does not answer: %s%s%.*s", last.text,
		    tail.n > 0 ? "; it said: " : "", FMT(str_trim(buf_str(&tail))));
	}
	buf_release(&tail);
	return rc;
}

static int
space_start(struct space *p, struct err *e)
{
	static const char *const args[] = { "daemon", "--foreground", NULL };
	const struct process r = { .space = p, .args = args };
	char path[WB_PATH + 16];
	int fd, rc;

	snprintf(path, sizeof path, "%s/daemon.out", p->dir);
	fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	rc = spawn(&r, fd, fd, &p->daemon, e);
	if (fd >= 0)
		close(fd);
	if (rc != OK) {
		p->daemon = 0;
		return rc;
	}
	scratch_tell(p->scratch, p->daemon);
	return await_daemon(p, e);
}

int
space_new(struct space *p, struct scratch *s, struct tool tool, bool daemon,
    struct err *e)
{
	static const char *const init[] = { "init", "--prefix", "w", NULL };
	static unsigned made;
	struct buf out = BUF(OUT_BYTES);
	/* A command without --no-daemon may start one of its own. */
	struct process r = { .space = p, .args = init, .last = "--no-daemon", .out = &out };
	int rc;

	*p = (struct space){ .scratch = s, .tool = tool };
	snprintf(p->dir, sizeof p->dir, "%.*s/%u", (int)sizeof p->dir - 32, s->root, made++);
	snprintf(p->sock, sizeof p->sock, "%.*s/" NAME_SOCKET, (int)sizeof p->sock - 32,
	    p->dir);
	if (mkdir(p->dir, 0700) != 0)
		return err_set(e, ERR_IO, "%s: %s", p->dir, strerror(errno));
	rc = process_run(&r, e);
	if (rc == OK && r.code != 0)
		rc = err_set(e, ERR_INVALID, "%s %s init: exit code %d: %.*s", tool.path,
		    tool.word != NULL ? tool.word : "", r.code, FMT(str_trim(buf_str(&out))));
	buf_release(&out);
	if (rc == OK && daemon)
		rc = space_start(p, e);
	return rc;
}

int
space_close(struct space *p, int rc, struct err *e)
{
	nsec until = clock_mono() + STOP_TIMEOUT;

	if (p->daemon <= 0)
		return rc;
	kill(p->daemon, SIGTERM);
	while (waitpid(p->daemon, NULL, WNOHANG) == 0) {
		if (clock_mono() > until) {
			kill(p->daemon, SIGKILL);
			waitpid(p->daemon, NULL, 0);
			if (rc == OK)
				rc = err_set(e, ERR_TIMEOUT, "the daemon did not stop on "
				    "SIGTERM");
			break;
		}
		poll(NULL, 0, 1);
	}
	forget_daemon(p);
	return rc;
}
