/*
 * cluster_self.c - which nodes of this machine are known to be dead.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/node_priv.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"

#define NOBODY 65534

/* A process that waits until it is killed. */
static pid_t
sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK(pid > 0);
	return pid;
}

/* "BOOT NAMESPACE PID START" with another number and the same start. */
static void
mark_of(struct buf *b, long pid)
{
	struct buf own = BUF(4096);
	struct str rest, word;

	self_add_mark(&own);
	rest = buf_str(&own);
	for (int i = 0; str_next(&rest, ' ', &word); i++)
		if (i == 2)
			buf_add_fmt(b, "%ld ", pid);
		else
			buf_add_fmt(b, "%.*s%s", FMT(word), i < 3 ? " " : "");
	buf_release(&own);
}

/* Goal: only a process that has ended, or whose number another one has now, is dead. */
TEST(self_is_dead_when_its_process_has_ended)
{
	struct buf own = BUF(4096), other = BUF(4096), gone = BUF(4096);
	pid_t pid = sleeper();

	self_add_mark(&own);
	CHECK(own.n > 0);
	CHECK(!self_is_dead(buf_str(&own)));
	buf_add_fmt(&other, "%.*s0", FMT(buf_str(&own)));    /* it began at another time */
	CHECK(self_is_dead(buf_str(&other)));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	mark_of(&gone, (long)pid);
	CHECK(self_is_dead(buf_str(&gone)));
	CHECK(!self_is_dead(S("another-boot 1 1 1")));
	CHECK(!self_is_dead(S("")));
	buf_release(&own);
	buf_release(&other);
	buf_release(&gone);
}

/* As systemd's ProtectProc=invisible does it. */
static bool
hide_others(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("proc", "/proc", "proc", 0, "hidepid=2") == 0 &&
	    setgid(NOBODY) == 0 && setuid(NOBODY) == 0;
}

/* Goal: a node that may not see other users' processes does not take the runs of one that
 * is alive. */
TEST(self_is_not_dead_where_proc_hides_it)
{
	struct buf own = BUF(4096);
	int status = 0;
	pid_t pid;

	self_add_mark(&own);
	pid = fork();
	if (pid == 0) {
		if (!hide_others())
			_exit(2);
		if (access("/proc/1/stat", F_OK) == 0)
			_exit(3);
		_exit(self_is_dead(buf_str(&own)) ? 1 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		printf("skipped: /proc cannot be mounted here\n");
	else
		CHECK_INT(WEXITSTATUS(status), 0);
	buf_release(&own);
}
