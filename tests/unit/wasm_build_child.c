/*
 * wasm_build_child.c - a child that runs a compiler cannot do what a compiler need not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "wasm/build_child.h"

/* Tries what is forbidden and prints the number of each error; 0: it was done. */
static const char probe[] =
    "#define _GNU_SOURCE\n"
    "#include <errno.h>\n#include <fcntl.h>\n#include <sched.h>\n#include <signal.h>\n"
    "#include <stdio.h>\n#include <stdlib.h>\n#include <sys/mount.h>\n"
    "#include <sys/ptrace.h>\n#include <sys/resource.h>\n#include <sys/shm.h>\n"
    "#include <sys/socket.h>\n#include <sys/stat.h>\n#include <sys/syscall.h>\n"
    "#include <unistd.h>\n"
    "#define TRY(name, call) (errno = 0, (void)((long)(call) == -1), "
    "printf(\"%s=%d\\n\", name, errno))\n"
    "int main(int n, char **args)\n{\n"
    "	char file[600];\n"
    "	setvbuf(stdout, NULL, _IOLBF, 4096);\n"
    "	struct rlimit r = { 1, 1 };\n"
    "	snprintf(file, sizeof file, \"%s/new\", args[1]);\n"
    "	TRY(\"inside\", open(\"mine\", O_CREAT | O_WRONLY, 0600));\n"
    "	TRY(\"socket\", socket(AF_INET, SOCK_STREAM, 0));\n"
    "	TRY(\"unix\", socket(AF_UNIX, SOCK_STREAM, 0));\n"
    "	TRY(\"connect\", connect(1, (struct sockaddr *)file, sizeof(struct sockaddr)));\n"
    "	TRY(\"ptrace\", ptrace(PTRACE_TRACEME, 0, 0, 0));\n"
    "	TRY(\"kill\", kill(getppid(), 0));\n"
    "	TRY(\"mount\", mount(\"none\", \"/tmp\", \"tmpfs\", 0, 0));\n"
    "	TRY(\"unshare\", unshare(CLONE_NEWUSER));\n"
    "	TRY(\"prlimit\", prlimit(getppid(), RLIMIT_CPU, &r, 0));\n"
    "	TRY(\"shm\", shmget(IPC_PRIVATE, 4096, 0600));\n"
    "	TRY(\"setsid\", setsid());\n"
    "	TRY(\"io_uring\", syscall(425, 1, 0));\n"
    "	TRY(\"fork\", fork() == 0 ? (_exit(0), 0) : errno == 0 ? 0 : -1);\n"
    "	chmod(args[1], 0777);\n"
    "	TRY(\"create\", open(file, O_CREAT | O_WRONLY, 0600));\n"
    "	TRY(\"write\", open(args[2], O_WRONLY));\n"
    "	TRY(\"read\", open(args[2], O_RDONLY));\n"
    "	TRY(\"passwd\", open(\"/etc/passwd\", O_RDONLY));\n"
    "	TRY(\"unlink\", unlink(args[2]));\n"
    "	TRY(\"environ\", open(\"/proc/self/environ\", O_RDONLY));\n"
    "	return n == 3 && getenv(\"SECRET\") == NULL ? 0 : 3;\n}\n";

#define LONG 18000                           /* ms; the harness waits for 20 s */

static char here[PATH_MAX];

/* bin/NAME from C, by tcc in a child like the others: its chmod does nothing. */
static void
compile(const char *name, struct str text)
{
	struct buf said = BUF(4096);
	struct err e;
	char c[64], dir[PATH_MAX], out[PATH_MAX];
	const char *const argv[] = { "/usr/bin/tcc", "-w", "-o", name, c, NULL };
	struct wasm_child child = { .argv = argv, .dir = dir, .time = LONG };

	CHECK(snprintf(dir, sizeof dir, "%s/bin", here) < PATH_MAX);
	snprintf(out, sizeof out, "bin/%s.c", name);
	snprintf(c, sizeof c, "%s.c", name);
	CHECK_RC(file_put(out, text, &e), OK);
	if (wasm_child_run(&child, &said, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %.*s", e.text, FMT(buf_str(&said)));
	snprintf(out, sizeof out, "bin/%s", name);
	CHECK(chmod(out, 0700) == 0);
	buf_release(&said);
}

/* The probe in a folder of its own, a folder for the child, a file that is not its. */
static void
set_up(void)
{
	struct err e;

	CHECK(getcwd(here, sizeof here) != NULL);
	CHECK(mkdir("bin", 0700) == 0 && mkdir("work", 0700) == 0);
	compile("probe", str_of(probe));
	CHECK_RC(file_put("secret", S("x"), &e), OK);
	CHECK(setenv("SECRET", "1", 1) == 0);
}

static const char *
at(char *out, const char *name)
{
	CHECK(snprintf(out, PATH_MAX, "%s/%s", here, name) < PATH_MAX);
	return out;
}

static int
run(const char *program, bool forks, msec time, struct buf *said, struct err *e)
{
	char a0[PATH_MAX], a2[PATH_MAX], dir[PATH_MAX];
	const char *const argv[] = { program[0] == '/' ? program : at(a0, program), here,
	    at(a2, "secret"), NULL };
	struct wasm_child c = { .argv = argv, .dir = at(dir, "work"), .time = time, .forks = forks };

	return wasm_child_run(&c, said, e);
}

static bool
says(const struct buf *said, const char *line)
{
	return str_contains(buf_str(said), str_of(line));
}

TEST(wasm_child_cannot_leave)
{
	struct buf said = BUF(4096);
	struct err e = { 0 };
	static const char *const refused[] = { "socket", "unix", "connect", "ptrace", "kill",
	    "mount", "unshare", "prlimit", "shm", "setsid", "io_uring", "fork" };
	char line[40];
	struct stat st;

	set_up();
	CHECK_RC(run("bin/probe", false, LONG, &said, &e), OK);
	CHECK(says(&said, "inside=0\n"));
	for (size_t i = 0; i < COUNT(refused); i++) {
		snprintf(line, sizeof line, "%s=%d\n", refused[i], ENOSYS);
		CHECK(says(&said, line));
	}
	CHECK(stat(".", &st) == 0 && (st.st_mode & 0777) != 0777);
	CHECK(access("work/mine", F_OK) == 0);
	buf_release(&said);
}

TEST(wasm_child_sees_its_folder_only)
{
	struct buf said = BUF(4096);
	struct err e = { 0 };
	static const char *const refused[] = { "create", "write", "read", "passwd", "unlink",
	    "environ" };
	char line[40];

	if (!wasm_child_is_confined()) {
		printf("this kernel has no Landlock: not tested\n");
		return;
	}
	set_up();
	CHECK_RC(run("bin/probe", false, LONG, &said, &e), OK);
	for (size_t i = 0; i < COUNT(refused); i++) {
		snprintf(line, sizeof line, "%s=%d\n", refused[i], EACCES);
		CHECK(says(&said, line));
	}
	CHECK(access("secret", F_OK) == 0 && access("new", F_OK) != 0);
	/* What it made itself it cannot run. */
	CHECK(rename("bin/probe", "work/probe") == 0);
	CHECK_RC(file_put("run.sh", S("#!/bin/sh\nexec ./probe a b\n"), &e), OK);
	CHECK(chmod("run.sh", 0700) == 0 && rename("run.sh", "bin/run.sh") == 0);
	buf_clear(&said);
	CHECK_RC(run("bin/run.sh", true, LONG, &said, &e), ERR_INVALID);
	CHECK(says(&said, "Permission denied"));
	buf_release(&said);
}

TEST(wasm_child_that_spins_or_writes_without_end_is_ended)
{
	struct buf said = BUF(100);
	struct err e = { 0 };
	struct stat st;

	set_up();
	CHECK_RC(file_put("bin/talk", S("#!/bin/sh\nwhile :; do echo and so on; done\n"), &e), OK);
	CHECK(chmod("bin/talk", 0700) == 0);
	CHECK_RC(run("bin/talk", false, 3000, &said, &e), ERR_TIMEOUT);
	CHECK(str_contains(str_of(e.text), S("talk did not end within 3 s")));
	CHECK_INT(said.n, 100);
	compile("fill", S("#include <unistd.h>\n#include <fcntl.h>\n"
	    "int main(void) { int f = open(\"big\", O_CREAT | O_RDWR, 0600);\n"
	    "return pwrite(f, \"x\", 1, 1l << 40) == 1; }\n"));
	CHECK_RC(run("bin/fill", false, LONG, &said, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("fill wrote a file of more than")));
	CHECK(stat("work/big", &st) == 0 && st.st_size == 0);
	buf_release(&said);
}

TEST(wasm_child_missing_program_and_signal)
{
	struct buf said = BUF(100);
	struct err e = { 0 };

	set_up();
	CHECK_RC(run("bin/nothing", false, LONG, &said, &e), ERR_NOTFOUND);
	compile("die", S("int main(void) { return *(volatile int *)0; }\n"));
	CHECK_RC(run("bin/die", false, LONG, &said, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("die was ended by signal")));
	buf_release(&said);
}

static atomic_bool stop;

static void *
stop_when_it_runs(void *arg)
{
	(void)arg;
	/* Returns when the child has opened the other end. */
	CHECK(open("work/runs", O_RDONLY) >= 0);
	atomic_store(&stop, true);
	return NULL;
}

TEST(wasm_child_stopped_is_killed_with_what_it_started)
{
	struct buf said = BUF(100), pid = BUF(100);
	struct err e = { 0 };
	char program[PATH_MAX], dir[PATH_MAX];
	pthread_t other;
	int64_t n;
	int process;

	set_up();
	CHECK_RC(file_put("bin/wait",
	    S("#!/bin/sh\nsleep 1000 &\necho $! >pid\n>runs\nwait\n"), &e), OK);
	CHECK(chmod("bin/wait", 0700) == 0 && mkfifo("work/runs", 0600) == 0);
	const char *const argv[] = { at(program, "bin/wait"), NULL };
	struct wasm_child c = { .argv = argv, .dir = at(dir, "work"), .time = LONG, .forks = true,
	    .stop = &stop };
	CHECK(pthread_create(&other, NULL, stop_when_it_runs, NULL) == 0);
	CHECK_RC(wasm_child_run(&c, &said, &e), ERR_CANCELLED);
	pthread_join(other, NULL);
	CHECK_RC(file_add("work/pid", &pid, &e), OK);
	CHECK(str_to_i64(str_trim(buf_str(&pid)), &n));
	/* It was of the same group. */
	process = (int)syscall(SYS_pidfd_open, (pid_t)n, 0);
	CHECK(process >= 0 || errno == ESRCH);
	CHECK(process < 0 || poll(&(struct pollfd){ process, POLLIN, 0 }, 1, LONG) == 1);
	buf_release(&said);
	buf_release(&pid);
}
