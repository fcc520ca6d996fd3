/*
 * service.c - `daemon` and `doctor`.
 *
 * A daemon that `daemon` started runs until it is stopped; one that another
 * command started exits when it is idle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"
#include "workcli/git.h"
#include "workcli/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "work/host/daemon.h"

#define SYNC_INTERVAL (300 * NS_PER_S)
#define SELF "/proc/self/exe"
#define IDLE "COHORT_WORK_IDLE"

/* ---- the daemon itself ------------------------------------------------------------------ */

/* Runs in a child process; becomes `sync`. */
static int
sync_exec(void *ctx)
{
	struct cli_ctx *x = ctx;
	char *actor = mem_cstr(x->actor);
	char *push = line_has(x->line, "auto-push") ? NULL : "--no-push";
	char *argv[] = { "cohort", "work", "sync", "--quiet", "--db", x->found.db,
		"--actor", actor, push, push != NULL ? "--no-pull" : NULL, NULL };

	execv(SELF, argv);
	return ERR_IO;
}

static int
log_to(struct cli_ctx *x, struct str path)
{
	char *name = mem_cstr(path);
	int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	free(name);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		return cli_fail(x, ERR_IO, "%.*s: %s", FMT(path), strerror(errno));
	close(fd);
	return OK;
}

static int
interval_of(struct cli_ctx *x, nsec *out)
{
	struct str s = line_text(x->line, "interval");
	bool git = line_has(x->line, "auto-commit") || line_has(x->line, "auto-push");

	*out = git ? SYNC_INTERVAL : 0;
	if (s.p == NULL)
		return OK;
	if (!cli_duration(s, out))
		return cli_fail(x, ERR_SYNTAX, "--interval takes a time such as 5m, not "
		    "\"%.*s\"", FMT(s));
	if (!git)
		return cli_fail(x, ERR_SYNTAX, "--interval goes with --auto-commit or "
		    "--auto-push");
	return OK;
}

static int
daemon_be(struct cli_ctx *x, nsec interval)
{
	struct daemon_options o = {
		.idle = line_has(x->line, "background") || getenv(IDLE) != NULL ?
		    daemon_idle() : NEVER,
		.foreground = !line_has(x->line, "background"),
		.interval = interval,
		.sync = interval > 0 ? sync_exec : NULL,
		.sync_ctx = x,
	};
	struct str log = line_text(x->line, "log");
	struct err e = { 0 };
	int rc = OK;

	if (log.p != NULL) {
		o.foreground = true;
		rc = log_to(x, log);
	}
	if (rc == OK)
		rc = daemon_run(x->workspace, &o, &e);
	return rc < 0 && e.code != OK ? cli_fail(x, rc, "%s", e.text) : rc;
}

/* ---- start, stop, status ------------------------------------------------------------------ */

/* Runs in the child: leaves the terminal's session and becomes the daemon. */
static _Noreturn void
start_exec(struct cli_ctx *x)
{
	struct str interval = line_text(x->line, "interval");
	struct str log = line_text(x->line, "log");
	char *argv[16] = { "cohort", "work", "daemon", "--background", "--db",
		x->found.db };
	int n = 6, null = open("/dev/null", O_RDWR);

	if (interval.p != NULL) {
		argv[n++] = "--interval";
		argv[n++] = mem_cstr(interval);
	}
	if (log.p != NULL) {
		argv[n++] = "--log";
		argv[n++] = mem_cstr(log);
	}
	if (line_has(x->line, "auto-commit"))
		argv[n++] = "--auto-commit";
	if (line_has(x->line, "auto-push"))
		argv[n++] = "--auto-push";
	setenv(IDLE, "never", 0);
	setsid();
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	execv(SELF, argv);
	_exit(127);
}

/* Waits until the daemon answers, exits, or the timeout has passed. */
static int
start_wait(struct cli_ctx *x, pid_t pid, struct daemon_status *s)
{
	nsec until = clock_mono() + x->timeout;
	struct err e = { 0 };

	while (clock_mono() < until) {
		if (daemon_status(x->workspace, s, &e) == OK && s->running)
			return OK;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return cli_fail(x, ERR_IO, "the daemon ended at once; see "
			    "%s/work.log", x->workspace->dir);
		git_pause_ms(5);
	}
	return cli_fail(x, ERR_TIMEOUT, "the daemon did not start in time; see %s/work.log",
	    x->workspace->dir);
}

static void
status_json(struct cli_ctx *x, const struct daemon_status *s)
{
	if (s->running)
		cli_add_json(x, "{'running':true,'pid':%lld,'version':%s,'folder':%s}",
		    (long long)s->pid, s->version, x->workspace->dir);
	else
		cli_add_json(x, "{'running':false,'folder':%s}", x->workspace->dir);
}

static int
daemon_begin(struct cli_ctx *x, const struct daemon_status *now)
{
	struct daemon_status s = { 0 };
	pid_t pid;
	int rc;

	if (now->running)
		return cli_fail(x, ERR_BUSY, "daemon already running (PID %lld)\n"
		    "Use '%s daemon --stop' to stop it first", (long long)now->pid,
		    x->program);
	if (x->workspace->read_only)
		return cli_fail(x, ERR_DENIED, "%s may not be written; commands work "
		    "without a daemon there", x->workspace->dir);
	pid = fork();
	if (pid == 0)
		start_exec(x);
	if (pid < 0)
		return cli_fail(x, ERR_IO, "fork: %s", strerror(errno));
	rc = start_wait(x, pid, &s);
	if (rc == OK && x->json)
		status_json(x, &s);
	else if (rc == OK && !x->quiet)
		buf_add_fmt(x->out, "\xe2\x9c\x93 Daemon started (PID %lld)\n",
		    (long long)s.pid);
	return rc;
}

static int
daemon_end(struct cli_ctx *x, const struct daemon_status *now)
{
	struct daemon_status s = { 0 };
	struct err e = { 0 };
	int rc = OK;

	if (now->running)
		rc = daemon_stop(x->workspace, x->timeout, &e);
	if (rc < 0 && rc != ERR_NOTFOUND)
		return cli_fail(x, rc, "%s", e.text);
	if (x->json)
		status_json(x, &s);
	else if (!x->quiet)
		buf_add(x->out, now->running ? S("\xe2\x9c\x93 Daemon stopped\n") :
		    S("Daemon is not running\n"));
	return OK;
}

static int
daemon_tell(struct cli_ctx *x, const struct daemon_status *s)
{
	if (x->json)
		status_json(x, s);
	else if (s->running)
		buf_add_fmt(x->out, "\xe2\x9c\x93 Daemon is running (PID %lld)\n"
		    "  Version: %s\n  Log: %s/work.log\n", (long long)s->pid, s->version,
		    x->workspace->dir);
	else
		buf_lit(x->out, "\xe2\x9c\x97 Daemon is not running\n");
	return OK;
}

int
cli_run_daemon(struct cli_ctx *x)
{
	const struct flag_line *l = x->line;
	struct daemon_status s = { 0 };
	struct err e = { 0 };
	nsec interval;
	int rc = interval_of(x, &interval);

	if (rc < 0)
		return rc;
	if (line_has(l, "background") || line_has(l, "foreground") ||
	    getenv("BD_DAEMON_FOREGROUND") != NULL)
		return daemon_be(x, interval);
	rc = daemon_status(x->workspace, &s, &e);
	if (rc < 0)
		return cli_fail(x, rc, "%s", e.text);
	if (line_has(l, "status") || line_has(l, "health"))
		return daemon_tell(x, &s);
	return line_has(l, "stop") ? daemon_end(x, &s) : daemon_begin(x, &s);
}

/* ---- doctor ------------------------------------------------------------------------------- */

struct doctor {
	struct cli_ctx *x;
	struct buf json;
	bool fix, sick;
};

/* Reports one check.  mended: it failed and was repaired. */
static void __attribute__((format(printf, 5, 6)))
found(struct doctor *d, const char *name, bool good, bool mended,
    const char *format, ...)
{
	struct cli_ctx *x = d->x;
	struct buf detail = BUF(64 * KB);
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&detail, format, ap);
	va_end(ap);
	d->sick |= !good && !mended;
	if (x->json) {
		json_add_fmt(&d->json, ",{'name':%s,'ok':%hhd,'fixed':%hhd,"
		    "'detail':%.*s}", name, good || mended, mended, FMT(buf_str(&detail)));
	} else {
		cli_add_ink(x, good || mended ? INK_GREEN : INK_RED,
		    good || mended ? S("\xe2\x9c\x93") : S("\xe2\x9c\x97"));
		buf_add_fmt(x->out, " %-13s ", name);
		cli_add_line(x->out, buf_str(&detail));
		buf_add_fmt(x->out, "%s\n", mended ? " (fixed)" : "");
	}
	buf_release(&detail);
}

static bool
is_wal(const char *path)
{
	unsigned char head[20] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool wal;

	if (fd < 0)
		return false;
	wal = read(fd, head, sizeof head) == (ssize_t)sizeof head && head[18] == 2 &&
	    head[19] == 2;
	close(fd);
	return wal;
}

static void
check_database(struct doctor *d)
{
	struct cli_ctx *x = d->x;
	struct reply r = { 0 };
	bool wal;

	if (client_call(x->client, "info", STR_NONE, &r) < 0) {
		found(d, "database", false, false, "%s", r.err.text);
	} else {
		found(d, "database", true, false, "%lld items, %lld events, schema %lld",
		    (long long)cli_get_int(r.data, "items", 0),
		    (long long)cli_get_int(r.data, "events", 0),
		    (long long)cli_get_int(r.data, "schema", 0));
		wal = is_wal(x->workspace->db);
		found(d, "journal", wal, false, "%s", wal ? "write-ahead log" :
		    "not a write-ahead log: readers and writers wait for each other on "
		    "this file system");
	}
	reply_release(&r);
}

static void
check_counts(struct doctor *d)
{
	struct reply r = { 0 };
	struct json_iter it;
	bool good;

	if (client_call(d->x->client, "recount", d->fix ? S("{\"fix\":true}") :
	    STR_NONE, &r) < 0) {
		found(d, "counts", false, false, "%s", r.err.text);
		reply_release(&r);
		return;
	}
	good = json_bool(json_get(r.data, S("ok")));
	found(d, "counts", good, !good && json_bool(json_get(r.data, S("fixed"))),
	    good ? "equal to a full recount" : "%lld differ from a full recount",
	    (long long)cli_get_int(r.data, "total", 0));
	it = json_each(json_get(r.data, S("differences")));
	while (!d->x->json && json_next(&it)) {
		buf_lit(d->x->out, "    ");
		json_add_node(d->x->out, it.value);
		buf_add_char(d->x->out, '\n');
	}
	reply_release(&r);
}

static void
check_daemon(struct doctor *d)
{
	struct daemon_status s = { 0 };
	struct err e = { 0 };
	bool same, mended;

	if (daemon_status(d->x->workspace, &s, &e) < 0) {
		found(d, "daemon", false, false, "%s", e.text);
		return;
	}
	if (!s.running) {
		found(d, "daemon", true, false, "not running");
		return;
	}
	same = strcmp(s.version, COHORT_VERSION) == 0;
	mended = !same && d->fix && daemon_stop(d->x->workspace, d->x->timeout, &e) == OK;
	found(d, "daemon", same, mended, "PID %lld, version %s%s", (long long)s.pid,
	    s.version, same ? "" : "; this is " COHORT_VERSION);
}

static void
check_socket(struct doctor *d)
{
	char path[DB_PATH_MAX + 8];
	struct stat st;
	bool closed, mended;

	workspace_path(d->x->workspace, "sock", path);
	if (lstat(path, &st) != 0)
		return;
	closed = S_ISSOCK(st.st_mode) && (st.st_mode & 077) == 0;
	mended = !closed && d->fix && S_ISSOCK(st.st_mode) && chmod(path, 0600) == 0;
	found(d, "socket", closed, mended, "%s", closed ? "only yours" :
	    "others may open it; its mode is to be 0600");
}

static void
check_gitignore(struct doctor *d)
{
	struct str want = S("*\n!issues.jsonl\n");
	char path[DB_PATH_MAX + 16];
	struct buf text = BUF(64 * KB);
	struct err e = { 0 };
	bool good, mended = false;

	snprintf(path, sizeof path, "%s/.gitignore", d->x->workspace->dir);
	good = cli_read_file(str_of(path), &text, &e) == OK &&
	    str_contains(buf_str(&text), S("*\n")) &&
	    str_contains(buf_str(&text), S("!issues.jsonl"));
	if (!good && d->fix)
		mended = replace_file(path, want, &e) == OK;
	found(d, "gitignore", good, mended, "%s", good ? "only issues.jsonl goes into git" :
	    "the database would go into git");
	buf_release(&text);
}

/* With --fix it was repaired before the workspace was opened. */
static void
check_file(struct doctor *d)
{
	struct buf faults = BUF(4 * KB);

	cli_file_faults(d->x, &faults);
	found(d, "issues.jsonl", faults.n == 0, false, "%.*s", FMT(faults.n == 0 ?
	    S("one line an item, no conflicts") : buf_str(&faults)));
	buf_release(&faults);
}

static void
check_merge_driver(struct doctor *d)
{
	static const char *const words[] = {
		[DRIVER_NONE] = "not installed; init --merge-driver does it",
		[DRIVER_NAMED] = ".gitattributes names it, but this clone's git does not "
		    "know it and merges issues.jsonl by lines (sync does not); init "
		    "--merge-driver tells it",
		[DRIVER_KNOWN] = "git merges issues.jsonl by fields",
	};
	enum driver has = cli_has_merge_driver(d->x->workspace);
	struct err e;
	bool mended = has == DRIVER_NAMED && d->fix &&
	    cli_install_merge_driver(d->x->workspace, &e) == OK;

	found(d, "merge driver", has != DRIVER_NAMED, mended, "%s", words[has]);
}

int
cli_run_doctor(struct cli_ctx *x)
{
	struct doctor d = { .x = x, .json = BUF(MB), .fix = line_has(x->line, "fix") };
	struct err e = { 0 };

	if (cli_open_client(x, &e) < 0) {
		found(&d, "database", false, false, "%s", e.text);
	} else {
		check_database(&d);
		check_counts(&d);
	}
	check_daemon(&d);
	check_socket(&d);
	if (strcmp(strrchr(x->workspace->dir, '/') + 1, WORKSPACE_FOLDER) == 0) {
		check_gitignore(&d);
		check_file(&d);
		check_merge_driver(&d);
	}
	if (x->json)
		cli_add_json(x, "{'ok':%hhd,'checks':[%-.*s]}", !d.sick,
		    FMT(buf_str(&d.json)));
	buf_release(&d.json);
	if (d.sick && !d.fix)
		buf_add_fmt(x->notes, "'%s doctor --fix' repairs what can be.\n",
		    x->program);
	return d.sick ? ERR_CONFLICT : OK;
}
