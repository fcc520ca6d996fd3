/*
 * build_lock.c - what a child that compiles may do: system calls (seccomp) and files
 * (Landlock).
 *
 * Landlock's constants are written out: the headers of Debian 12 know its first version.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "wasm/build_child.h"
#include "wasm/build_priv.h"

/* -- system calls -- */

/* All that wasm2c, wat2wasm, tcc, gcc, as and ld need of glibc 2.36 and later.  Another one
 * fails with ENOSYS, as in an older kernel. */
static const char *const calls[] = {
	"access", "arch_prctl", "brk", "clock_getres", "clock_gettime", "clock_nanosleep",
	"close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "execve", "exit",
	"exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate", "fcntl", "fstat",
	"fstatfs", "ftruncate", "futex", "getcwd", "getdents64", "getegid", "geteuid", "getgid",
	"getpgrp", "getpid", "getppid", "getrandom", "getrlimit", "getrusage", "gettid",
	"gettimeofday", "getuid", "lseek", "lstat", "madvise", "membarrier", "mkdir", "mkdirat",
	"mmap", "mprotect", "mremap", "munmap", "nanosleep", "newfstatat", "open", "openat",
	"pipe", "pipe2", "poll", "ppoll", "pread64", "preadv", "pselect6", "pwrite64",
	"pwritev", "read", "readlink", "readlinkat", "readv", "rename", "renameat",
	"renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "sched_getaffinity", "sched_yield", "select", "sendfile",
	"set_robust_list", "set_tid_address", "setrlimit", "sigaltstack", "stat", "statfs",
	"statx", "sysinfo", "time", "times", "umask", "uname", "unlink", "unlinkat", "wait4",
	"waitid", "write", "writev",
};

#define CLONE_NEW_ALL                                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	    CLONE_NEWPID | CLONE_NEWNET)

static bool
calls_add(scmp_filter_ctx f, bool forks)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		int number = seccomp_syscall_resolve_name(calls[i]);

		/* Below 0: this machine has it not. */
		if (number >= 0 && seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0) != 0)
			return false;
	}
	/* The limits of another process are not its to set; no file is a terminal. */
	if (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
	    SCMP_A0(SCMP_CMP_EQ, 0)) != 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0) != 0)
		return false;
	/* A linker makes its output executable, and mold fails if it cannot: it is told that it
	 * did (by fchmodat where there is no chmod, as on arm64).  Landlock would let it change the mode of any file. */
	if (seccomp_rule_add(f, SCMP_ACT_ERRNO(0), SCMP_SYS(chmod), 0) != 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(0), SCMP_SYS(fchmod), 0) != 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(0), SCMP_SYS(fchmodat), 0) != 0)
		return false;
	if (!forks)
		return true;
	/* clone3 is not there, its flags cannot be looked at; glibc then takes clone. */
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEW_ALL, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fork), 0) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(vfork), 0) == 0;
}

/* The filter as the kernel takes it; libseccomp gives it to a file only. */
static bool
program_read(scmp_filter_ctx f, struct sock_fprog *out)
{
	int fd = memfd_create("calls", MFD_CLOEXEC);
	struct stat st;
	bool ok = false;

	if (fd < 0)
		return false;
	if (seccomp_export_bpf(f, fd) == 0 && fstat(fd, &st) == 0) {
		out->filter = mem_alloc((size_t)st.st_size);
		out->len = (unsigned short)((size_t)st.st_size / sizeof *out->filter);
		ok = pread(fd, out->filter, (size_t)st.st_size, 0) == st.st_size;
	}
	close(fd);
	return ok;
}

static struct sock_fprog programs[2];
static bool programs_made[2];

static void
programs_make(void)
{
	for (int forks = 0; forks < 2; forks++) {
		scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

		programs_made[forks] = f != NULL && calls_add(f, forks) &&
		    program_read(f, &programs[forks]);
		seccomp_release(f);
	}
}

const struct sock_fprog *
wasm_calls_allowed(bool forks)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, programs_make);
	return programs_made[forks] ? &programs[forks] : NULL;
}

/* -- files -- */

enum {
	FS_EXECUTE = 1 << 0, FS_WRITE_FILE = 1 << 1, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4, FS_REMOVE_FILE = 1 << 5, FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8, FS_REFER = 1 << 13, FS_TRUNCATE = 1 << 14, FS_IOCTL_DEV = 1 << 15,
	FS_FIRST = (1 << 13) - 1,            /* all of the first version */
	FS_READ = FS_READ_FILE | FS_READ_DIR,
	FS_WRITE = FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
	    FS_TRUNCATE
};
#define NET_TCP 3u                           /* bind and connect */
#define SCOPED  3u                           /* abstract sockets and signals stay inside */

struct rules {                               /* struct landlock_ruleset_attr, of all versions */
	uint64_t fs, net, scoped;
};
struct __attribute__((packed)) rule { uint64_t allowed; int32_t parent; };

static int
landlock_version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	return v < 0 ? 0 : (int)v;
}

bool
wasm_child_is_confined(void)
{
	return landlock_version() > 0;
}

static uint64_t
rights(int version)
{
	return FS_FIRST | (version >= 2 ? FS_REFER : 0u) | (version >= 3 ? FS_TRUNCATE : 0u) |
	    (version >= 5 ? FS_IOCTL_DEV : 0u);
}

/* A path that is not there needs no rule. */
static int
rule_add(int fd, const char *path, uint64_t allowed)
{
	struct stat st;
	struct rule r = { allowed, open(path, O_PATH | O_CLOEXEC) };
	long rc;

	if (r.parent < 0)
		return 0;
	if (fstat(r.parent, &st) == 0 && !S_ISDIR(st.st_mode))
		r.allowed &= FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE;
	rc = syscall(SYS_landlock_add_rule, fd, 1, &r, 0);
	close(r.parent);
	return (int)rc;
}

static int
rules_fill(int fd, uint64_t all, const char *dir, const char *program)
{
	static const char *const system[] = {
		"/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/etc/alternatives",
	};
	char folder[512];
	size_t n = (size_t)(strrchr(program, '/') - program);

	for (size_t i = 0; i < COUNT(system); i++)
		if (rule_add(fd, system[i], all & (FS_READ | FS_EXECUTE)) != 0)
			return -1;
	if (n > 0 && n < sizeof folder) {
		memcpy(folder, program, n);
		folder[n] = '\0';
		if (rule_add(fd, folder, all & (FS_READ | FS_EXECUTE)) != 0)
			return -1;
	}
	if (rule_add(fd, "/dev/null", all & (FS_READ_FILE | FS_WRITE_FILE)) != 0)
		return -1;
	return dir == NULL ? 0 : rule_add(fd, dir, all & (FS_READ | FS_WRITE));
}

int
wasm_rules_new(int *out, const char *dir, const char *program, struct err *e)
{
	int version = landlock_version(), fd;
	uint64_t all = rights(version);
	struct rules r = { all, NET_TCP, SCOPED };

	*out = -1;
	if (version == 0) {
		log_warn("wasm", "landlock_missing",
		    "effect=\"compilers of modules can read what the server can\"");
		return OK;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &r,
	    version >= 6 ? sizeof r : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t), 0);
	if (fd < 0 || rules_fill(fd, all, dir, program) != 0) {
		int failed = errno;

		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_IO, "Landlock: %s", strerror(failed));
	}
	*out = wasm_fd_move(fd);
	return OK;
}
