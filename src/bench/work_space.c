/*
 * work_space.c - the environment of the measurements: a scratch folder,
 * workspaces in it, their daemon, and processes of the command line.
 *
 * A janitor process, forked at the start, cleans up even if this process is
 * killed: it waits for the end of a pipe that only this process writes to, then
 * kills the daemons whose pids it has read and removes the folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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
#define DAEMONS_MAX   16
#define TAIL_BYTES    300                    /* of the daemon's words, for a message */
#define COMMIT_BYTES  8192                   /* two pages, as a small commit */

/* The scratch folder. */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	remove(path);
	return 0;
}

static void
remove_tree(const char *root)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* told: the pid of a new daemon; negative: of one that has ended. */
static void
janitor_note(pid_t live[DAEMONS_MAX], pid_t told)
{
	pid_t seek = told > 0 ? 0 : -told;

	for (size_t i = 0; i < DAEMONS_MAX; i++)
		if (live[i] == seek) {
			live[i] = told > 0 ? told : 0;
			return;
		}
}

/* Lives until the pipe ends. */
_Noreturn static void
janitor_main(int pipe_end, const char *root, bool keep)
{
	pid_t live[DAEMONS_MAX] = { 0 }, told;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (;;) {
		ssize_t n = read(pipe_end, &told, sizeof told);

		if (n == (ssize_t)sizeof told)
			janitor_note(live, told);
		else if (n == 0 || errno != EINTR)
			break;
	}
	for (size_t i = 0; i < DAEMONS_MAX; i++)
		if (live[i] > 0)
			kill(live[i], SIGKILL);
	/* A daemon that was just killed may still make a file. */
	for (int i = 0; i < 3 && !keep && access(root, F_OK) == 0; i++)
		remove_tree(root);
	_exit(0);
}

static void
janitor_tell(struct scratch *s, pid_t told)
{
	ssize_t n = write(s->janitor_pipe, &told, sizeof told);

	(void)n;                             /* only a kill leaves something behind then */
}

int
scratch_make(struct scratch *s, const char *under, bool keep, struct err *e)
{
	const char *tmp = under != NULL ? under : getenv("TMPDIR");
	int ends[2];

	if (tmp == NULL || tmp[0] == '\0')
		tmp = "/tmp";
	s->keep = keep;
	if ((size_t)snprintf(s->root, sizeof s->root, "%s/cohort-bench-XXXXXX", tmp) >=
	    sizeof s->root - 128)
		return err_set(e, ERR_TOOBIG, "%s: too long a path", tmp);
	if (mkdtemp(s->root) == NULL)
		return err_set(e, ERR_IO, "%s: %s", s->root, strerror(errno));
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set(e, ERR_IO, "a pipe: %s", strerror(errno));
	s->janitor = fork();
	if (s->janitor == 0) {
		close(ends[1]);
		setpgid(0, 0);
		janitor_main(ends[0], s->root, keep);
	}
	close(ends[0]);
	s->janitor_pipe = ends[1];
	return OK;
}

void
scratch_remove(struct scratch *s)
{
	if (s->root[0] == '\0')
		return;
	close(s->janitor_pipe);
	if (s->janitor > 0)
		waitpid(s->janitor, NULL, 0);
	if (s->keep)
		fprintf(stderr, "kept: %s\n", s->root);
	else if (s->janitor < 0)
		remove_tree(s->root);
	s->root[0] = '\0';
}

int
scratch_commits(const struct scratch *s, size_t times, struct hist *out, struct err *e)
{
	static const char page[COMMIT_BYTES] = { 1 };
	char path[WB_PATH + 16];
	int fd, rc = OK;

	snprintf(path, sizeof path, "%s/commit", s->root);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	for (size_t i = 0; i < times && rc == OK; i++) {
		nsec began = clock_mono();

		if (write(fd, page, sizeof page) != (ssize_t)sizeof page ||
		    fdatasync(fd) != 0)
			rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
		hist_add(out, (uint64_t)(clock_mono() - began));
	}
	if (fd >= 0)
		close(fd);
	unlink(path);
	return rc;
}

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
	janitor_tell(p->scratch, -p->daemon);
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
	janitor_tell(p->scratch, p->daemon);
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
