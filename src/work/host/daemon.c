/*
 * daemon.c - the daemon's life: lock, socket, loop, end.
 *
 * The pid file is locked before the socket is bound, and both are removed under
 * the lock: its holder owns the socket's name, and files that a killed daemon
 * left belong to nobody.  The kernel drops the lock however the process ends.
 *
 * No timer ticks while it sleeps.  inotify reports that the database or the socket
 * was deleted or replaced; without it, check before each round.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "work/host/daemon_priv.h"

#define IDLE_DEFAULT     (600 * NS_PER_S)
#define REST             (5 * NS_PER_S)      /* after the last request */
#define WATCH_OTHERS     (1 * NS_PER_S)      /* events of other processes */
#define WATCH_LAGGING    (10 * NS_PER_MS)
#define FINISH           (2 * NS_PER_S)      /* for readers of the last answers */
#define STATUS_WAIT      (2 * NS_PER_S)

/* The answer to a connection past the limit. */
#define FULL_LINE "{\"request_id\":null,\"success\":false,\"error\":\"the daemon " \
	"has no room for more connections\",\"code\":\"BUSY\"}\n"

/* ---- the pid file ------------------------------------------------------------ */

static bool
same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
	    a.st_dev == b.st_dev;
}

static int
lock_sign(int fd, const char *path, struct err *e)
{
	char text[96];
	int n = snprintf(text, sizeof text, "%d " COHORT_VERSION "\n", (int)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	return OK;
}

/* A file that was removed between open and flock locks nothing: try again. */
static int
lock_take(struct daemon *d, struct err *e)
{
	char path[DB_PATH_MAX + 8];

	workspace_path(d->workspace, "pid", path);
	for (;;) {
		d->lock = workspace_open_file(path, O_RDWR);
		if (d->lock < 0)
			return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
		if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
			int rc = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;

			close(d->lock);
			d->lock = -1;
			return err_set(e, rc, rc == ERR_BUSY ?
			    "%s: there is a daemon already" : "%s: no lock", path);
		}
		if (same_file(d->lock, path))
			return lock_sign(d->lock, path, e);
		close(d->lock);
	}
}

/* ---- signals and deleted files ---------------------------------------------------- */

static int
signals_open(struct daemon *d, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signals < 0 || rpc_watch(d->rpc, d->signals, &d->signalled) != OK)
		return err_set(e, ERR_IO, "signals: %s", strerror(errno));
	return OK;
}

static void
watch_open(struct daemon *d)
{
	char sock[DB_PATH_MAX + 8];

	workspace_path(d->workspace, "sock", sock);
	d->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->watch < 0)
		return;
	if (inotify_add_watch(d->watch, d->workspace->db, IN_ATTRIB | IN_MOVE_SELF) < 0 ||
	    inotify_add_watch(d->watch, sock, IN_ATTRIB | IN_MOVE_SELF) < 0 ||
	    inotify_add_watch(d->watch, d->workspace->dir, IN_MOVE_SELF) < 0 ||
	    rpc_watch(d->rpc, d->watch, &d->stirred) != OK) {
		close(d->watch);
		d->watch = -1;
	}
}

/* Do the paths still lead to the open files? */
static bool
is_in_place(struct daemon *d)
{
	char path[DB_PATH_MAX + 8];

	if (!workdb_in_place(&d->workdb))
		return false;
	workspace_path(d->workspace, "pid", path);
	if (!same_file(d->lock, path))
		return false;
	workspace_path(d->workspace, "sock", path);
	return access(path, F_OK) == 0;
}

static void
stop(struct daemon *d, const char *why)
{
	d->stopping = true;
	d->why = why;
}

/* After failures the pause doubles. */
static void
sync_reap(struct daemon *d)
{
	nsec longest = LIMIT_WORK_SYNC_BACKOFF_MS * NS_PER_MS;
	int status = 0;

	if (d->child == 0 || waitpid((pid_t)d->child, &status, WNOHANG) != d->child)
		return;
	d->child = 0;
	d->sync_pause = status == 0 ? 0 : d->sync_pause == 0 ? d->o.interval :
	    2 * d->sync_pause;
	if (d->sync_pause > longest)
		d->sync_pause = longest;
	if (status != 0 && !d->stopping)
		log_warn("work", "sync", "failed=true again_in_s=%lld",
		    (long long)((d->o.interval + d->sync_pause) / NS_PER_S));
	d->sync_due = clock_mono() + d->o.interval + d->sync_pause;
}

/* SIGTERM first: the child ends at a safe point, and may send requests until then.
 * True: it has ended. */
static bool
sync_ends(struct daemon *d)
{
	nsec now = clock_mono();

	if (d->child == 0)
		return true;
	if (d->child_until == 0) {
		d->child_until = now + LIMIT_WORK_SYNC_STOP_MS * NS_PER_MS;
		kill((pid_t)d->child, SIGTERM);
	}
	if (now < d->child_until)
		return false;
	kill(-(pid_t)d->child, SIGKILL);
	while (waitpid((pid_t)d->child, NULL, 0) < 0 && errno == EINTR)
		continue;
	d->child = 0;
	return true;
}

static void
hear_signals(struct daemon *d)
{
	struct signalfd_siginfo si;

	d->signalled = false;
	while (read(d->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo != SIGCHLD)
			stop(d, "signal");
	}
	sync_reap(d);
}

static void
hear_watch(struct daemon *d)
{
	char waste[4096];

	if (d->watch >= 0) {
		if (!d->stirred)
			return;
		d->stirred = false;
		while (read(d->watch, waste, sizeof waste) > 0)
			;
	}
	if (!is_in_place(d))
		stop(d, "files_gone");
}

/* ---- work between rounds ---------------------------------------------------------- */

static nsec
wake_at(const struct daemon *d)
{
	nsec at = NEVER;

	if (d->turns != NULL)
		return 0;
	if (d->stopping)
		return d->child_until;
	if (rpc_conns(d->rpc) == 0 && d->o.idle != NEVER)
		at = d->active + d->o.idle;
	at = clock_least(at, commit_log_due(&d->workdb.commit));
	if (!d->rested)
		at = clock_least(at, d->looked + REST);
	if (d->o.sync != NULL && d->child == 0)
		at = clock_least(at, d->sync_due);
	if (d->subscribed != NULL)
		at = clock_least(at, clock_mono() +
		    (d->lagging ? WATCH_LAGGING : WATCH_OTHERS));
	return at;
}

static void
sync_start(struct daemon *d)
{
	sigset_t none;
	pid_t pid = fork();

	d->sync_due = clock_mono() + d->o.interval;
	if (pid < 0)
		log_warn("work", "sync", "error=%s", strerror(errno));
	if (pid != 0) {
		d->child = pid > 0 ? pid : 0;
		d->child_until = 0;
		return;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	_exit(d->o.sync(d->o.sync_ctx) == 0 ? 0 : 1);
}

static void
between(struct daemon *d)
{
	nsec now = clock_mono();

	if (rpc_conns(d->rpc) > 0)
		d->active = now;
	else if (d->o.idle != NEVER && now - d->active >= d->o.idle)
		stop(d, "idle");
	workdb_checkpoint(&d->workdb, true);
	if (!d->rested && now - d->looked >= REST) {
		workdb_rest(&d->workdb);
		d->rested = true;
	}
	if (d->o.sync != NULL && d->child == 0 && now >= d->sync_due)
		sync_start(d);
	if (d->subscribed != NULL)
		serve_events(d);
}

static void
loop(struct daemon *d)
{
	while (!d->stopping || !sync_ends(d)) {
		rpc_wait(d->rpc, wake_at(d));
		if (d->signalled)
			hear_signals(d);
		if (!d->stopping)
			hear_watch(d);
		if (d->stopping && d->child == 0)
			break;
		serve_unpark(d);
		serve_intake(d);
		if (d->turns != NULL)
			serve_round(d);
		else if (!d->stopping)
			between(d);
		if (d->workdb.gone && !d->stopping)
			stop(d, "files_gone");
		workdb_checkpoint(&d->workdb, false);
	}
}

/* ---- beginning and end ------------------------------------------------------------ */

static void
log_open(struct daemon *d)
{
	char path[DB_PATH_MAX + 8];
	struct stat st;
	int fd;

	workspace_path(d->workspace, "log", path);
	fd = workspace_open_file(path, O_WRONLY | O_APPEND);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > LIMIT_WORK_LOG_BYTES &&
	    ftruncate(fd, 0) != 0)
		log_warn("work", "log", "error=%s", strerror(errno));
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* As many as the process may open files; the soft limit is raised to the hard. */
static size_t
conns_allowed(void)
{
	struct rlimit files;
	size_t n = LIMIT_WORK_CONNS_MIN;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return LIMIT_WORK_CONNS;
	if (files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0)
			getrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur > LIMIT_WORK_FILES + n)
		n = files.rlim_cur - LIMIT_WORK_FILES;
	return n < LIMIT_WORK_CONNS ? n : LIMIT_WORK_CONNS;
}

static int
begin(struct daemon *d, struct err *e)
{
	char sock[DB_PATH_MAX + 8];
	struct rpc_options o = {
		.path = sock,
		.conns_max = conns_allowed(),
		.full = S(FULL_LINE),
		.line_max = LIMIT_WORK_LINE_BYTES,
		.out_max = LIMIT_WORK_OUT_BYTES,
		.held_max = account_share(account_memory_limit(), LIMIT_WORK_HELD_BYTES),
		.closed = serve_conn_closed,
		.ctx = d,
	};
	int rc;

	if (d->workspace->read_only)
		return err_set(e, ERR_DENIED, "%s may not be written",
		    d->workspace->dir);
	rc = lock_take(d, e);
	if (rc != OK)
		return rc;
	if (!d->o.foreground)
		log_open(d);
	rc = workdb_open(&d->workdb, d->workspace, e);
	if (rc == OK)
		rc = workdb_settle(&d->workdb, e);
	if (rc != OK)
		return rc;
	d->workdb.round_bytes = LIMIT_WORK_ROUND_BYTES;
	d->workdb.round_time = LIMIT_WORK_ROUND_MS * NS_PER_MS;
	workspace_path(d->workspace, "sock", sock);
	rc = rpc_new(&d->rpc, &o, e);
	if (rc == OK)
		rc = signals_open(d, e);
	if (rc == OK)
		watch_open(d);
	return rc;
}

/* Requests that were read are run and answered.  The files are removed before the
 * answers leave: a client that is told of the end can rely on it. */
static void
finish(struct daemon *d)
{
	bool mine = is_in_place(d);
	char path[DB_PATH_MAX + 8];

	rpc_stop_reading(d->rpc);
	serve_unpark(d);
	serve_intake(d);
	while (mine && d->turns != NULL) {
		serve_round(d);
		serve_intake(d);
	}
	serve_refuse(d, ERR_IO, "the tracker's files were deleted or replaced");
	workspace_path(d->workspace, "pid", path);
	if (same_file(d->lock, path)) {
		unlink(path);
		workspace_path(d->workspace, "sock", path);
		unlink(path);
	}
	rpc_finish(d->rpc, clock_mono() + FINISH);
}

static void
release(struct daemon *d)
{
	sigset_t none;

	serve_release(d);
	workdb_close(&d->workdb);
	rpc_free(d->rpc);
	if (d->signals >= 0)
		close(d->signals);
	if (d->watch >= 0)
		close(d->watch);
	if (d->lock >= 0)
		close(d->lock);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int
daemon_run(const struct workspace *h, const struct daemon_options *o, struct err *e)
{
	struct daemon *d = mem_new(struct daemon);
	char pid[DB_PATH_MAX + 8];
	int rc;

	d->workspace = h;
	d->o = *o;
	d->lock = d->signals = d->watch = -1;
	d->turns_end = &d->turns;
	d->started = d->active = d->looked = clock_mono();
	d->sync_due = d->started + o->interval;
	rc = begin(d, e);
	if (rc == OK) {
		log_info("work", "daemon", "pid=%d version=%s database=%s",
		    (int)getpid(), COHORT_VERSION, h->db);
		loop(d);
		finish(d);
		log_info("work", "stopped", "why=%s requests=%llu commits=%llu",
		    d->why, (unsigned long long)d->requests,
		    (unsigned long long)d->workdb.commit.commits);
	} else if (d->lock >= 0) {
		log_error("work", "daemon", "error=%s", e->text);
		workspace_path(h, "pid", pid);
		unlink(pid);
	}
	release(d);
	free(d);
	return rc;
}

nsec
daemon_idle(void)
{
	struct str text = str_of(getenv("COHORT_WORK_IDLE"));
	nsec idle;

	if (str_eq(text, S("never")))
		return NEVER;
	return clock_parse(text, NS_PER_S, &idle) && idle > 0 ? idle : IDLE_DEFAULT;
}

/* ---- from other processes --------------------------------------------------------- */

static void
become_daemon(const struct workspace *h)
{
	char *argv[] = { (char *)"cohort", (char *)"work", (char *)"daemon",
		(char *)"--background", (char *)"--db", (char *)h->db, NULL };
	int null = open("/dev/null", O_RDWR);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (chdir("/") == 0)
		execv("/proc/self/exe", argv);
	_exit(127);
}

bool
daemon_is_there(const struct workspace *h)
{
	char path[DB_PATH_MAX + 8];
	int fd;
	bool locked;

	workspace_path(h, "pid", path);
	fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return locked;
}

bool
daemon_is_trusted(const struct workspace *h, const struct rpc_client *c)
{
	int64_t uid = rpc_client_uid(c);
	struct stat st;

	return uid == geteuid() || uid == 0 ||
	    (stat(h->db, &st) == 0 && uid == st.st_uid);
}

/* Forked twice, so that no parent has to wait for it. */
void
daemon_spawn(const struct workspace *h)
{
	struct stat st;
	pid_t pid;

	/* Only the folder's owner (or root) starts a process that stays. */
	if (stat(h->dir, &st) != 0 || (st.st_uid != geteuid() && geteuid() != 0) ||
	    daemon_is_there(h))
		return;
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() == 0)
			become_daemon(h);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Asks the daemon, on a connection of its own.  ERR_NOTFOUND: there is none. */
static int
ask(struct rpc_client *c, const struct workspace *h, struct str line, nsec deadline,
    struct json_doc *answer, struct err *e)
{
	char sock[DB_PATH_MAX + 8];
	struct str text;
	int rc;

	workspace_path(h, "sock", sock);
	rc = rpc_connect(c, sock, LIMIT_WORK_OUT_BYTES, deadline, e);
	if (rc == OK && !daemon_is_trusted(h, c))
		rc = err_set(e, ERR_DENIED, "%s belongs to another user", sock);
	if (rc == OK)
		rc = rpc_send(c, line, deadline, e);
	if (rc == OK)
		rc = rpc_receive(c, &text, deadline, e);
	if (rc == OK)
		rc = json_parse(answer, text, e);
	if (rc == ERR_CLOSED || rc == ERR_AGAIN)     /* it is stopping */
		rc = err_set(e, ERR_NOTFOUND, "no daemon");
	return rc;
}

int
daemon_status(const struct workspace *h, struct daemon_status *out, struct err *e)
{
	struct json_doc answer = { 0 };
	struct rpc_client c = { .fd = -1 };
	int rc = ask(&c, h, S("{\"operation\":\"status\"}\n"),
	    clock_mono() + STATUS_WAIT, &answer, e);

	*out = (struct daemon_status){ .running = rc == OK };
	if (rc == OK) {
		jnode data = json_get(answer.root, S("data"));
		struct str version = json_str(json_get(data, S("version")));

		out->pid = json_int(json_get(data, S("pid")));
		snprintf(out->version, sizeof out->version, "%.*s", FMT(version));
	}
	json_release(&answer);
	rpc_close(&c);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
daemon_stop(const struct workspace *h, nsec timeout, struct err *e)
{
	nsec deadline = clock_mono() + timeout;
	struct json_doc answer = { 0 };
	struct rpc_client c = { .fd = -1 };
	struct str rest;
	int rc = ask(&c, h, S("{\"operation\":\"shutdown\"}\n"), deadline, &answer, e);

	while (rc == OK)                     /* until it hangs up, when all is done */
		rc = rpc_receive(&c, &rest, deadline, e);
	json_release(&answer);
	rpc_close(&c);
	return rc == ERR_CLOSED || rc == ERR_AGAIN ? OK : rc;
}
