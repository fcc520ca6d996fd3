/*
 * lock.c - see lock.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/str.h"
#include "wasm/host/lock.h"

/* A container may forbid it; then the kernel picks as it does. */
static void
oom_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	if (write(fd, "1000", 4) != 4)
		errno = 0;
	close(fd);
}

int
lock_early(bool idle, struct err *e)
{
	const struct rlimit none = { 0, 0 };
	const struct sched_param any = { 0 };

	oom_first();
	if (idle && sched_setscheduler(0, SCHED_IDLE, &any) != 0)
		return err_set(e, ERR_IO, "SCHED_IDLE: %m");
	if (setrlimit(RLIMIT_CORE, &none) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0) != 0 ||
	    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set(e, ERR_IO, "this process cannot be locked in: %m");
	return OK;
}

/* A call, and what one of its arguments must be. */
struct rule {
	int call;
	unsigned args;
	struct scmp_arg_cmp arg[2];
};

static int
rules_add(scmp_filter_ctx filter)
{
	const struct rule rules[] = {
		/* The rings' bells, and words for the log: all descriptors that there are. */
		{ SCMP_SYS(read), 0, { { 0 } } },
		{ SCMP_SYS(write), 0, { { 0 } } },
		{ SCMP_SYS(poll), 0, { { 0 } } },
		{ SCMP_SYS(ppoll), 0, { { 0 } } },
		/* The allocator and the memories: never code, never a file. */
		{ SCMP_SYS(brk), 0, { { 0 } } },
		{ SCMP_SYS(mmap), 2, { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		    SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS) } },
		{ SCMP_SYS(mprotect), 1, { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		{ SCMP_SYS(munmap), 0, { { 0 } } },
		{ SCMP_SYS(mremap), 0, { { 0 } } },
		{ SCMP_SYS(madvise), 0, { { 0 } } },
		/* The timer of calls. */
		{ SCMP_SYS(clock_gettime), 0, { { 0 } } },
		{ SCMP_SYS(timer_settime), 0, { { 0 } } },
		{ SCMP_SYS(rt_sigreturn), 0, { { 0 } } },
		{ SCMP_SYS(restart_syscall), 0, { { 0 } } },
		/* The end, also by a failed assertion. */
		{ SCMP_SYS(exit), 0, { { 0 } } },
		{ SCMP_SYS(exit_group), 0, { { 0 } } },
		{ SCMP_SYS(rt_sigprocmask), 0, { { 0 } } },
		{ SCMP_SYS(rt_sigaction), 0, { { 0 } } },
		{ SCMP_SYS(getpid), 0, { { 0 } } },
		{ SCMP_SYS(gettid), 0, { { 0 } } },
		{ SCMP_SYS(tgkill), 1, { SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()) } },
	};

	for (size_t i = 0; i < COUNT(rules); i++) {
		int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].args, rules[i].arg);

		/* poll is not a call of every machine. */
		if (rc != 0 && rc != -EDOM && rules[i].call >= 0)
			return rc;
	}
	return 0;
}

int
lock_in(struct err *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = filter == NULL ? -ENOMEM : rules_add(filter);

	if (rc == 0)
		rc = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	return rc == 0 ? OK : err_set(e, ERR_IO, "seccomp: %s", strerror(-rc));
}
