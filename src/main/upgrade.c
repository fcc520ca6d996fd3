/*
 * upgrade.c - see upgrade.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/process.h"

#define FIRST       3                        /* SD_LISTEN_FDS_START */
#define PROGRAM     "program"                /* in LISTEN_FDNAMES */
#define ANSWER_MAX  (4 * KB)                 /* of what the new program says */

static struct {
	char **argv, **environment;
	char self[PATH_MAX];                 /* our file, while it had that name */
	int before;                          /* the program that was; 0: none */
	int kept[LIMIT_UPGRADE_SOCKETS];     /* what it would need again */
	size_t kept_n;
} start;

/* ---- what came --------------------------------------------------------------- */

void
upgrade_note(char **argv, char **environment)
{
	size_t n = 0;
	ssize_t length = readlink("/proc/self/exe", start.self, sizeof start.self - 1);

	start.argv = argv;
	start.self[length > 0 ? length : 0] = '\0';
	/* setenv and unsetenv change the array, but not its texts. */
	while (environment[n] != NULL)
		n++;
	start.environment = mem_zero((n + 1) * sizeof *environment);
	memcpy(start.environment, environment, n * sizeof *environment);
}

static bool
is_ours(const char *pid)
{
	return pid != NULL && strtol(pid, NULL, 10) == (long)getpid();
}

/* The program comes last, and only from us. */
static bool
ends_with_program(const char *names)
{
	struct str s = names == NULL ? STR_NONE : str_of(names);

	return str_ends(s, S(":" PROGRAM));
}

static void
keep(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST);

		if (copy >= 0)
			start.kept[start.kept_n++] = copy;
	}
}

int
upgrade_take(int *fds, size_t max, size_t *n, struct err *e)
{
	const char *text = getenv("LISTEN_FDS");
	bool ours = is_ours(getenv("LISTEN_PID"));
	int64_t count = 0;

	*n = 0;
	if (ours && text != NULL && (!str_to_i64(str_of(text), &count) || count < 0 ||
	    count > (int64_t)(max < LIMIT_UPGRADE_SOCKETS ? max : LIMIT_UPGRADE_SOCKETS)))
		return err_set(e, ERR_INVALID, "LISTEN_FDS: expected a number up to %d, got \"%s\"",
		    LIMIT_UPGRADE_SOCKETS, text);
	for (int i = 0; i < (int)count; i++) {
		if (fcntl(FIRST + i, F_SETFD, FD_CLOEXEC) != 0)
			return err_set(e, ERR_INVALID, "LISTEN_FDS: descriptor %d is not open",
			    FIRST + i);
		fds[(*n)++] = FIRST + i;
	}
	if (*n > 0 && ends_with_program(getenv("LISTEN_FDNAMES"))) {
		start.before = fds[--*n];
		keep(fds, *n);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return OK;
}

void
upgrade_arrived(void)
{
	for (size_t i = 0; i < start.kept_n; i++)
		close(start.kept[i]);
	start.kept_n = 0;
	if (start.before > 0) {
		log_info("main", "upgraded", "to=%s", COHORT_VERSION);
		close(start.before);
	}
	start.before = 0;
}

/* ---- asking --------------------------------------------------------------------- */

struct ask {
	struct shard *shard;
	void (*done)(void *ctx, const struct err *e);
	void *ctx;
	struct process *child;
	struct buf answer, why;              /* its stdout and stderr */
	struct wheel_timer late;
};

static struct ask *asking;

static void
on_answer(void *ctx, struct str bytes)
{
	struct ask *a = ctx;

	buf_add(&a->answer, str_cut(bytes, ANSWER_MAX - a->answer.n));
}

static void
on_why(void *ctx, struct str bytes)
{
	struct ask *a = ctx;

	buf_add(&a->why, str_cut(bytes, ANSWER_MAX - a->why.n));
}

static void
ask_free(struct ask *a)
{
	asking = NULL;
	shard_timer_cancel(a->shard, &a->late);
	buf_release(&a->answer);
	buf_release(&a->why);
	free(a);
}

static void
ask_end(struct ask *a, const struct err *e)
{
	a->done(a->ctx, e);
	ask_free(a);
}

void
upgrade_forget(void)
{
	if (asking == NULL)
		return;
	process_stop(asking->child, 0);
	ask_free(asking);
}

/* It answers "ok" when it would start; an older one does not know the question.  Warnings
 * are no answer, and come when they come. */
static void
on_gone(void *ctx, const struct err *why)
{
	struct ask *a = ctx;
	struct str said = str_trim(buf_str(&a->why));
	struct err e;

	if (str_eq(str_trim(buf_str(&a->answer)), S("ok"))) {
		ask_end(a, NULL);
		return;
	}
	err_set(&e, ERR_INVALID, "the program on disk would not start: %.*s",
	    FMT(said.n > 0 ? said : str_of(why->text)));
	ask_end(a, &e);
}

static void
on_late(struct wheel_timer *t)
{
	struct ask *a = CONTAINER_OF(t, struct ask, late);
	struct err e;

	process_stop(a->child, 0);
	err_set(&e, ERR_TIMEOUT, "the program on disk did not say within %d ms whether it would "
	    "start", LIMIT_UPGRADE_ASK_MS);
	ask_end(a, &e);
}

int
upgrade_ask(struct shard *s, void (*done)(void *ctx, const struct err *e), void *ctx,
    struct err *e)
{
	struct ask *a;
	const char **argv;
	size_t n = 0;
	int rc;

	if (asking != NULL)
		return err_set(e, ERR_BUSY, "an upgrade has begun");
	a = mem_new(struct ask);
	*a = (struct ask){ .shard = s, .done = done, .ctx = ctx, .answer = BUF(ANSWER_MAX),
	    .why = BUF(ANSWER_MAX), .late.fire = on_late };
	while (start.argv[n] != NULL)
		n++;
	argv = mem_zero((n + 2) * sizeof *argv);
	argv[0] = start.argv[0];
	argv[1] = start.argv[1];             /* serve */
	argv[2] = "--check";
	for (size_t i = 2; i < n; i++)
		argv[i + 1] = start.argv[i];
	rc = process_start(&a->child, s, &(struct process_options){ .argv = argv,
	    .env = (const char *const *)start.environment }, &(struct process_hooks){
	    .out = on_answer, .err = on_why, .gone = on_gone, .ctx = a }, e);
	free(argv);
	if (rc != OK) {
		ask_free(a);
		return rc;
	}
	shard_timer_set(s, &a->late, LIMIT_UPGRADE_ASK_MS);
	asking = a;
	return OK;
}

/* ---- going ------------------------------------------------------------------------ */

/* The descriptors as 3, 4, ...: whatever was there is closed. */
static size_t
place(const int *fds, size_t n, int program)
{
	int high[LIMIT_UPGRADE_SOCKETS + 1];
	size_t placed = 0;

	for (size_t i = 0; i <= n; i++) {
		int fd = i < n ? fds[i] : program;

		high[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST + (int)n + 1);
	}
	for (size_t i = 0; i <= n; i++)
		if (high[i] >= 0 && dup2(high[i], FIRST + (int)placed) >= 0)
			placed++;
	return placed;
}

/* Ours as it was, with what is said of `n` descriptors. */
static char **
environment_with(size_t n, bool program)
{
	struct buf names = BUF(16 * KB), text = BUF(20 * KB);
	size_t count = 0, k = 0;
	char **env;

	while (start.environment[count] != NULL)
		count++;
	env = mem_zero((count + 4) * sizeof *env);
	for (size_t i = 0; i < count; i++) {
		const char *entry = start.environment[i];

		if (!env_names(entry, S("LISTEN_PID")) && !env_names(entry, S("LISTEN_FDS")) &&
		    !env_names(entry, S("LISTEN_FDNAMES")))
			env[k++] = start.environment[i];
	}
	for (size_t i = 0; i < n; i++)
		buf_add_fmt(&names, "%s%s", i > 0 ? ":" : "",
		    program && i + 1 == n ? PROGRAM : "listen");
	buf_add_fmt(&text, "LISTEN_PID=%d", (int)getpid());
	env[k++] = mem_cstr(buf_str(&text));
	text.n = 0;
	buf_add_fmt(&text, "LISTEN_FDS=%zu", n);
	env[k++] = mem_cstr(buf_str(&text));
	text.n = 0;
	buf_add_fmt(&text, "LISTEN_FDNAMES=%.*s", FMT(buf_str(&names)));
	env[k++] = mem_cstr(buf_str(&text));
	buf_release(&names);
	buf_release(&text);
	return env;
}

/* By the name that we were started by, which may stand for another file now; else ours. */
int
upgrade_go(const int *fds, size_t n, struct err *e)
{
	int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	size_t placed = place(fds, n, own);
	char **env = environment_with(placed, placed > n);

	signal(SIGUSR2, SIG_IGN);            /* a handler would not go along */
	signal(SIGHUP, SIG_IGN);
	execvpe(start.argv[0], start.argv, env);
	execve(start.self, start.argv, env);
	return err_set(e, ERR_IO, "%s: %s", start.self, strerror(errno));
}

void
upgrade_back(const struct err *why)
{
	int program;
	size_t placed;

	if (start.before <= 0)
		return;
	log_error("main", "upgrade_failed", "error=%s action=%s", why->text,
	    "the program before goes on");
	program = fcntl(start.before, F_DUPFD_CLOEXEC, FIRST + (int)start.kept_n + 1);
	placed = place(start.kept, start.kept_n, -1);
	fexecve(program, start.argv, environment_with(placed, false));
	log_error("main", "upgrade_failed", "error=%s", strerror(errno));
}
