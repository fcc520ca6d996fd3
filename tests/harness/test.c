/*
 * test.c - see test.h.  The parent keeps up to N children, each with its
 * output in a file of its own, and prints that file only for a failure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS 20                      /* of CPU: a busy machine is no failure */
#define HANG_SECONDS 120                     /* of the clock */
#define SLOWER       5                       /* under a sanitizer */
#define JOBS_MAX     16
#define MEMORY       "/dev/shm"
#define MEMORY_BYTES (1024 * 1024 * 1024)

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED_BY_CLANG
#endif
#endif

static struct test *tests;

struct job {
	pid_t pid;
	const struct test *test;
	char dir[PATH_MAX];
};

void
test_register(struct test *t)
{
	t->next = tests;
	tests = t;
}

unsigned
test_rounds(unsigned n)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || defined SANITIZED_BY_CLANG
	return (n + SLOWER - 1) / SLOWER;
#else
	return n;
#endif
}

void
test_unlimited(void)
{
	setitimer(ITIMER_PROF, &(struct itimerval){ 0 }, NULL);
	alarm(0);
}

void
test_fail(const char *file, int line, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	fflush(stderr);
	exit(1);
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void
remove_tree(const char *dir)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void
job_child(const struct job *job)
{
	char log[PATH_MAX + 8];

	snprintf(log, sizeof log, "%s.log", job->dir);
	if (chdir(job->dir) != 0 || freopen(log, "w", stdout) == NULL ||
	    dup2(fileno(stdout), STDERR_FILENO) < 0)
		_exit(2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = TEST_SECONDS }, NULL);
	alarm(HANG_SECONDS);
	job->test->run();
	exit(0);
}

/* Where the directories are made: in memory where there is room (a container
 * has 64 MB), for no test needs its files to outlive the machine. */
static const char *
root(void)
{
	const char *tmp = getenv("TMPDIR");
	struct statvfs s;

	if (tmp != NULL)
		return tmp;
	if (access(MEMORY, W_OK | X_OK) == 0 && statvfs(MEMORY, &s) == 0 &&
	    s.f_bavail >= MEMORY_BYTES / s.f_frsize)
		return MEMORY;
	return "/tmp";
}

static void
job_start(struct job *job, const struct test *t)
{
	job->test = t;
	snprintf(job->dir, sizeof job->dir, "%s/cohort-test-XXXXXX", root());
	if (mkdtemp(job->dir) == NULL) {
		perror(job->dir);
		exit(2);
	}
	fflush(NULL);
	job->pid = fork();
	if (job->pid < 0) {
		perror("fork");
		exit(2);
	}
	if (job->pid == 0)
		job_child(job);
}

static void
print_log(const char *path)
{
	char line[4096];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return;
	while (fgets(line, sizeof line, f) != NULL)
		printf("   %s", line);
	fclose(f);
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Reports how the job ended and frees its slot; true when it passed. */
static bool
job_finish(struct job *job, int status, const struct rusage *used, bool verbose)
{
	char log[PATH_MAX + 8];
	bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	snprintf(log, sizeof log, "%s.log", job->dir);
	if (!ok || verbose)
		printf("%s %5.2f s %s\n", ok ? "ok  " : "FAIL",
		    seconds(used->ru_utime) + seconds(used->ru_stime), job->test->name);
	if (!ok) {
		if (WIFSIGNALED(status))
			printf("   %s\n", WTERMSIG(status) == SIGALRM ||
			    WTERMSIG(status) == SIGPROF ?
			    "timed out" : strsignal(WTERMSIG(status)));
		print_log(log);
	}
	unlink(log);
	remove_tree(job->dir);
	job->pid = 0;
	return ok;
}

static bool
wanted(const struct test *t, char **patterns, int n)
{
	for (int i = 0; i < n; i++)
		if (strstr(t->name, patterns[i]) != NULL)
			return true;
	return n == 0;
}

static struct job *
job_of(struct job *jobs, int n, pid_t pid)
{
	for (int i = 0; i < n; i++)
		if (jobs[i].pid == pid)
			return &jobs[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	struct job jobs[JOBS_MAX] = { 0 };
	int slots = (int)sysconf(_SC_NPROCESSORS_ONLN) * 2, running = 0, opt;
	unsigned passed = 0, failed = 0;
	bool verbose = false;
	const struct test *t = tests;

	while ((opt = getopt(argc, argv, "vj:")) != -1) {
		if (opt == 'v')
			verbose = true;
		else if (opt == 'j')
			slots = (int)strtol(optarg, NULL, 10);
		else
			return 2;
	}
	slots = slots < 1 ? 1 : slots > JOBS_MAX ? JOBS_MAX : slots;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (t != NULL || running > 0) {
		struct rusage used;
		int status;
		pid_t pid;

		if (t != NULL && running < slots) {
			if (wanted(t, argv + optind, argc - optind)) {
				job_start(job_of(jobs, slots, 0), t);
				running++;
			}
			t = t->next;
			continue;
		}
		pid = wait4(-1, &status, 0, &used);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0 || job_of(jobs, slots, pid) == NULL)
			continue;
		running--;
		if (job_finish(job_of(jobs, slots, pid), status, &used, verbose))
			passed++;
		else
			failed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0 || passed == 0;
}
