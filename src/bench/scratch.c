/*
 * scratch.c - see scratch.h.
 *
 * A janitor process, forked at the start, cleans up even if this process is
 * killed: it waits for the end of a pipe that only this process writes to, then
 * kills the daemons whose pids it has read and removes the folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define DAEMONS_MAX   16
#define COMMIT_BYTES  8192                   /* two pages, as a small commit */

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

void
scratch_tell(struct scratch *s, pid_t told)
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
