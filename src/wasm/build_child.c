/*
 * build_child.c - starts a child locked in (build_child.h), and waits for it.
 *
 * The child is made by clone(CLONE_VM | CLONE_VFORK): a server's memory is not copied, and
 * no other thread's locks matter.  Until execve it therefore shares our memory: it makes
 * system calls only, on what its parent has prepared (struct start), and leaves errno's
 * value in start.failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/build_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "wasm/build_priv.h"

#define STACK_BYTES (64 * KB)
#define NICE        10
#define RULES       3                        /* descriptor, in the child */
#define LOOK_MS     50                       /* between looks at `stop` */

struct start {
	const struct wasm_child *c;
	const char *const *env;
	int output, rules;                   /* rules: of Landlock, or -1 */
	const struct sock_fprog *calls;
	rlim_t seconds;
	sigset_t signals;                    /* of the parent before */
	const char *failed_at;
	int failed;
};

static bool
limits_set(const struct start *s)
{
	const struct { __rlimit_resource_t what; rlim_t n; } rows[] = {
		{ RLIMIT_CPU, s->seconds },
		{ RLIMIT_AS, LIMIT_WASM_BUILD_MEMORY },
		{ RLIMIT_FSIZE, LIMIT_WASM_BUILD_FILE },
		{ RLIMIT_NOFILE, 64 },
		{ RLIMIT_CORE, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (setrlimit(rows[i].what, &(struct rlimit){ rows[i].n, rows[i].n + 1 }) != 0)
			return false;
	return true;
}

/* The ruleset becomes RULES, the rest is closed.  Both were above it (wasm_fd_move). */
static bool
files_set(const struct start *s)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) != 0 || dup2(s->output, 1) != 1 || dup2(1, 2) != 2)
		return false;
	if (s->rules >= 0 && dup2(s->rules, RULES) != RULES)
		return false;
	return syscall(SYS_close_range, s->rules >= 0 ? RULES + 1 : RULES, ~0u, 0) == 0;
}

static void
signals_reset(void)
{
	for (int n = 1; n < NSIG; n++)
		if (n != SIGKILL && n != SIGSTOP)
			(void)sigaction(n, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool
rules_set(const struct start *s)
{
	if (s->rules < 0)
		return true;
	return syscall(SYS_landlock_restrict_self, RULES, 0) == 0 && close(RULES) == 0;
}

/* The child, until it is another program. */
static int
child_main(void *arg)
{
	struct start *s = arg;

#define STEP(what) \
	if (!(what)) { s->failed = errno; s->failed_at = #what; _exit(127); }

	STEP(setpgid(0, 0) == 0);
	STEP(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	STEP(files_set(s));
	STEP(chdir(s->c->dir != NULL ? s->c->dir : "/") == 0);
	if (getpriority(PRIO_PROCESS, 0) < NICE)
		STEP(setpriority(PRIO_PROCESS, 0, NICE) == 0);
	STEP(limits_set(s));
	signals_reset();
	STEP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	STEP(rules_set(s));
	STEP(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, s->calls) == 0);
	execve(s->c->argv[0], (char *const *)(uintptr_t)s->c->argv,
	    (char *const *)(uintptr_t)s->env);
	s->failed = errno;
	s->failed_at = "execve";
	_exit(127);
#undef STEP
}

/* The child's number; its memory is its own when this returns. */
static pid_t
child_start(struct start *s)
{
	char *stack = mem_alloc(STACK_BYTES);
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &s->signals);
	pid = clone(child_main, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, s);
	if (pid < 0)
		s->failed = errno;
	pthread_sigmask(SIG_SETMASK, &s->signals, NULL);
	free(stack);
	return pid;
}

/* Drains what is there; past the buffer's end it is thrown away. */
static void
output_read(int fd, struct buf *said)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) > 0) {
		size_t room = said->max - said->n;
		buf_add(said, (struct str){ bytes, (size_t)n < room ? (size_t)n : room });
	}
}

static int
child_wait(const struct wasm_child *c, pid_t pid, int fd, struct buf *said)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0), rc = OK;
	nsec until = clock_mono() + c->time * NS_PER_MS;
	struct pollfd p[2] = { { process, POLLIN, 0 }, { fd, POLLIN, 0 } };

	if (process < 0)
		return ERR_IO;
	for (;;) {
		if (c->stop != NULL && atomic_load(c->stop))
			rc = ERR_CANCELLED;
		else if (clock_mono() >= until)
			rc = ERR_TIMEOUT;
		if (rc != OK)
			break;
		(void)poll(p, 2, LOOK_MS);
		if (p[1].revents & POLLIN)
			output_read(fd, said);
		else if (p[1].revents != 0)
			p[1].fd = -1;        /* all have closed it */
		if (p[0].revents & POLLIN)
			break;
	}
	close(process);
	return rc;
}

/* The words of a child that ended, by its status. */
static int
child_status(const struct wasm_child *c, int status, struct err *e)
{
	const char *name = strrchr(c->argv[0], '/') + 1;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return err_set(e, ERR_TIMEOUT, "%s took more than %lld s of CPU time", name,
		    (long long)(c->time / 1000));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ)
		return err_set(e, ERR_INVALID, "%s wrote a file of more than %lld bytes", name,
		    (long long)LIMIT_WASM_BUILD_FILE);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_INVALID, "%s was ended by signal %d", name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return err_set(e, ERR_INVALID, "%s failed (exit code %d)", name,
		    WEXITSTATUS(status));
	return OK;
}

/* Ends the whole group before its number is free for another. */
static int
child_reap(const struct wasm_child *c, pid_t pid, int rc, struct err *e)
{
	int status = 0;

	(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc == ERR_TIMEOUT)
		return err_set(e, rc, "%s did not end within %lld s",
		    strrchr(c->argv[0], '/') + 1, (long long)(c->time / 1000));
	if (rc != OK)
		return err_set(e, rc, "%s was stopped", strrchr(c->argv[0], '/') + 1);
	return child_status(c, status, e);
}

static int
child_run(struct start *s, int fd, struct buf *said, struct err *e)
{
	const struct wasm_child *c = s->c;
	pid_t pid = child_start(s);

	close(s->output);
	if (pid > 0 && s->failed == 0)
		return child_reap(c, pid, child_wait(c, pid, fd, said), e);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	if (s->failed == ENOENT && s->failed_at != NULL && strcmp(s->failed_at, "execve") == 0)
		return err_set(e, ERR_NOTFOUND, "%s: no such program", c->argv[0]);
	return err_set(e, ERR_IO, "%s cannot be started: %s: %s", c->argv[0],
	    s->failed_at != NULL ? s->failed_at : "clone", strerror(s->failed));
}

int
wasm_child_run(const struct wasm_child *c, struct buf *said, struct err *e)
{
	char home[512], tmp[512];
	const char *const env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", home, tmp, NULL };
	const char *dir = c->dir != NULL ? c->dir : "/";
	struct start s = { .c = c, .env = env, .rules = -1,
	    .seconds = (rlim_t)(c->time / 1000 + 1) };
	int fds[2], rc;

	if ((size_t)snprintf(home, sizeof home, "HOME=%s", dir) >= sizeof home ||
	    (size_t)snprintf(tmp, sizeof tmp, "TMPDIR=%s", dir) >= sizeof tmp)
		return err_set(e, ERR_TOOBIG, "%s: the path is too long", dir);
	s.calls = wasm_calls_allowed(c->forks);
	if (s.calls == NULL)
		return err_set(e, ERR_IO, "no list of system calls for this machine");
	rc = wasm_rules_new(&s.rules, c->dir, c->argv[0], e);
	if (rc != OK)
		return rc;
	if (pipe2(fds, O_CLOEXEC) != 0) {
		rc = err_set(e, ERR_IO, "pipe: %s", strerror(errno));
	} else {
		(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
		s.output = wasm_fd_move(fds[1]);
		rc = child_run(&s, fds[0], said, e);
		output_read(fds[0], said);
		close(fds[0]);
	}
	if (s.rules >= 0)
		close(s.rules);
	return rc;
}

/* A duplicate above the numbers that a child's own descriptors get; fd is closed. */
int
wasm_fd_move(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);

	close(fd);
	return moved;
}

bool
wasm_program_find(const char *name, char *out, size_t size)
{
	const char *path = getenv("PATH");
	struct str rest = str_of(path != NULL ? path : "/usr/bin:/bin"), part;

	while (str_next(&rest, ':', &part)) {
		if (part.n == 0 || part.p[0] != '/' ||
		    (size_t)snprintf(out, size, "%.*s/%s", FMT(part), name) >= size)
			continue;
		if (access(out, X_OK) == 0)
			return true;
	}
	return false;
}
