/*
 * wasm_host_lock.c - what a process that is locked in can still do.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"
#include "wasm/host/lock.h"

/* How a locked process ends that makes this call: its signal, or 0 if it goes on. */
static int
signal_of(long number, long a, long b, long c, long d)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct err e;

		if (lock_early(false, &e) != OK || lock_in(&e) != OK)
			_exit(1);
		syscall(number, a, b, c, d, -1, 0);
		syscall(SYS_exit_group, 0);  /* a sanitizer's _exit would look for leaks */
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

#define BLOCKED(...) CHECK_INT(signal_of(__VA_ARGS__), SIGSYS)
#define ALLOWED(...) CHECK_INT(signal_of(__VA_ARGS__), 0)

TEST(wasm_lock_blocks_the_world)
{
	static char path[] = "/etc/passwd";
	static char *argv[] = { path, NULL };

	BLOCKED(SYS_openat, AT_FDCWD, (long)path, O_RDONLY, 0);
#ifdef SYS_open
	BLOCKED(SYS_open, (long)path, O_RDONLY, 0, 0);
	BLOCKED(SYS_fork, 0, 0, 0, 0);
#endif
	BLOCKED(SYS_openat2, AT_FDCWD, (long)path, 0, 0);
	BLOCKED(SYS_socket, AF_INET, SOCK_STREAM, 0, 0);
	BLOCKED(SYS_connect, 0, 0, 0, 0);
	BLOCKED(SYS_sendmsg, 0, 0, 0, 0);
	BLOCKED(SYS_execve, (long)path, (long)argv, 0, 0);
	BLOCKED(SYS_execveat, AT_FDCWD, (long)path, (long)argv, 0);
	BLOCKED(SYS_clone, SIGCHLD, 0, 0, 0);
	BLOCKED(SYS_clone3, 0, 0, 0, 0);
	BLOCKED(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
	BLOCKED(SYS_process_vm_readv, 0, 0, 0, 0);
	BLOCKED(SYS_io_uring_setup, 1, 0, 0, 0);
	BLOCKED(SYS_memfd_create, (long)path, 0, 0, 0);
	/* The bells must stay as they are: one that blocks would hold up the server. */
	BLOCKED(SYS_fcntl, 0, F_SETFL, 0, 0);
	BLOCKED(SYS_ioctl, 0, 0, 0, 0);
	BLOCKED(SYS_ftruncate, 0, 0, 0, 0);
	BLOCKED(SYS_dup, 0, 0, 0, 0);
	BLOCKED(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0);
	BLOCKED(SYS_setrlimit, RLIMIT_CORE, 0, 0, 0);
	BLOCKED(SYS_sched_setscheduler, 0, 0, 0, 0);
	BLOCKED(SYS_kill, 1, 0, 0, 0);
	BLOCKED(SYS_tgkill, 1, 1, 0, 0);
}

TEST(wasm_lock_lets_no_code_in)
{
	BLOCKED(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
	BLOCKED(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE);
	BLOCKED(SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC, 0);
	ALLOWED(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	ALLOWED(SYS_mprotect, 0, 0, PROT_READ, 0);
}

TEST(wasm_lock_leaves_the_loop)
{
	ALLOWED(SYS_write, 2, (long)"", 0, 0);
	ALLOWED(SYS_read, 0, 0, 0, 0);
	ALLOWED(SYS_brk, 0, 0, 0, 0);
	ALLOWED(SYS_munmap, 0, 0, 0, 0);
	ALLOWED(SYS_madvise, 0, 0, MADV_DONTNEED, 0);
	ALLOWED(SYS_getpid, 0, 0, 0, 0);
}

/* Goal: nobody can read its memory, it leaves no core file and gets no rights by a program. */
TEST(wasm_lock_early_is_private_and_small)
{
	struct rlimit core;
	struct err e;
	char text[32] = "";
	int fd;

	CHECK_RC(lock_early(true, &e), OK);
	CHECK_INT(prctl(PR_GET_DUMPABLE), 0);
	CHECK_INT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0);
	CHECK_INT(sched_getscheduler(0), SCHED_IDLE);
	fd = open("/proc/self/oom_score_adj", O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
	CHECK(strcmp(text, "1000\n") == 0);
	close(fd);
	/* The end of a test is not for idle times only. */
	CHECK(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 }) == 0);
}
