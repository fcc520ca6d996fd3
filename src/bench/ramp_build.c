/*
 * ramp_build.c - the engine of another commit with the benchmark of this checkout:
 * a detached worktree in the scratch folder, src/bench copied over it, a build.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/ramp_priv.h"

#define LOG_TAIL  300
#define COMMAND_BYTES 8192

/* Runs a shell command with its output in the scratch folder's log; words are for
 * errors. */
static int
shell(const struct ramp *r, const char *words, struct err *e, const char *command)
{
	char log[WB_PATH + 16], text[64 * 1024];
	struct str said;
	int status = 0;
	pid_t pid;

	snprintf(log, sizeof log, "%s/build.log", r->scratch.root);
	pid = fork();
	if (pid == 0) {
		int fd = open(log, O_CREAT | O_TRUNC | O_WRONLY, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_set(e, ERR_IO, "%s: %s", words, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return OK;
	said = str_trim(file_head(log, text, sizeof text));
	if (said.n > LOG_TAIL)
		said = str_sub(said, said.n - LOG_TAIL, said.n);
	return err_set(e, ERR_INVALID, "%s failed: %.*s", words, FMT(said));
}

/* Only what cannot be taken for something else by a shell. */
static bool
ref_is_plain(const char *ref)
{
	return ref[0] != '\0' && ref[0] != '-' && strspn(ref, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-~^@{}") == strlen(ref);
}

int
ramp_build(struct ramp *r, struct err *e)
{
	const char *ref = r->o->before_ref;
	char command[COMMAND_BYTES], dir[WB_PATH + 16];
	int rc;

	if (!ref_is_plain(ref))
		return err_set(e, ERR_INVALID, "--before-ref: not the name of a commit: "
		    "\"%.60s\"", ref);
	snprintf(dir, sizeof dir, "%s/before", r->scratch.root);
	snprintf(command, sizeof command, "git worktree add --detach '%s' %s", dir,
	    strcmp(ref, "auto") == 0 ? "\"$(git merge-base HEAD main)\"" : ref);
	rc = shell(r, "git worktree add (in a checkout of the source?)", e, command);
	if (rc != OK)
		return rc;
	snprintf(r->worktree, sizeof r->worktree, "%.1000s", dir);
	fprintf(stderr, "ramp: building %s\n", ref);
	snprintf(command, sizeof command, "set -e; top=$(git rev-parse --show-toplevel); "
	    "rm -rf '%s/src/bench'; cp -r \"$top/src/bench\" '%s/src/bench'; "
	    "cp \"$top\"/src/main/cmd_bench.c \"$top\"/src/main/cmd.h '%s/src/main/'; "
	    "cd '%s'; meson setup build --buildtype=debugoptimized; "
	    "ninja -C build cohort cohortd", dir, dir, dir, dir);
	rc = shell(r, "the build of --before-ref", e, command);
	if (rc == OK && (size_t)snprintf(r->side[0].path, sizeof r->side[0].path,
	    "%.900s/build/cohortd", dir) >= sizeof r->side[0].path)
		rc = err_set(e, ERR_TOOBIG, "%s: too long a path", dir);
	return rc;
}

void
ramp_unbuild(struct ramp *r)
{
	char command[COMMAND_BYTES];
	struct err e;

	if (r->worktree[0] == '\0')
		return;
	snprintf(command, sizeof command, "git worktree remove --force '%s'; "
	    "git worktree prune", r->worktree);
	(void)shell(r, "git worktree remove", &e, command);
	r->worktree[0] = '\0';
}
