/*
 * sync.c - the tracker and git: export, commit, pull, import, push.
 *
 * A lock in the workspace's folder admits one sync at a time; other commands go on
 * meanwhile.  Only .cohort/issues.jsonl is committed; the rest of the index does
 * not change.
 *
 * The file is exchanged with git; the tracker has the lines that both sides had
 * last (import's base).  A file that differs from our export was pulled by hand or
 * by a run that was killed: it is imported before it is replaced.  docs/work.md
 * has the order of steps, and what each leaves if it is the last.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/id.h"
#include "base/limits.h"
#include "workcli/merge_driver.h"
#include "workcli/cmd.h"
#include "workcli/lines.h"
#include "workcli/replace.h"
#include "workcli/pull.h"
#include "workcli/git.h"

#define FILE_NAME "issues.jsonl"

struct sync {
	struct cli_ctx *x;
	const struct cli_sync_options *o;
	struct err *e;
	struct pull pull;
	struct git *git;                     /* pull.git */
	char file[PATH_MAX];
	int lock;
	struct replace now;                  /* our export, before it replaces the file */
	struct line_set known;               /* lines that are noted as base */
	size_t items;
	bool killed;                         /* the last sync was */
	bool noted;                          /* the base equals the file */
	bool committed, pulled, pushed;
	int64_t created, updated, deleted;
	struct buf conflicts;                /* of all imports: JSON values */
};

static void
say(struct sync *s, const char *what)
{
	if (s->x->json || s->x->quiet)
		return;
	buf_add_fmt(s->x->out, "\xe2\x86\x92 %s\n", what);
	cli_flush(s->x);
}

/* ---- the queue ------------------------------------------------------------- */

static int
lock_take(struct sync *s)
{
	char path[PATH_MAX];
	int rc, waited = 0;

	snprintf(path, sizeof path, "%.*s/sync.lock", PATH_MAX - 16,
	    s->x->workspace->dir);
	s->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (s->lock < 0)
		return err_set(s->e, ERR_IO, "%s: %s", path, strerror(errno));
	while ((rc = flock(s->lock, LOCK_EX | LOCK_NB)) != 0 &&
	    (errno == EWOULDBLOCK || errno == EINTR)) {
		if (git_is_stopping())
			return err_set(s->e, ERR_CANCELLED, "stopped while another sync "
			    "was under way");
		if (waited++ == 50 && !s->x->quiet) {
			buf_lit(s->x->notes, "Waiting for another sync...\n");
			cli_flush(s->x);
		}
		git_pause_ms(20);
	}
	return rc == 0 ? OK : err_set(s->e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* ---- the tracker's side ---------------------------------------------------- */

static void
import_note(struct sync *s, const struct reply *r)
{
	const struct { const char *key; int64_t *to; } counts[] = {
		{ "created", &s->created }, { "updated", &s->updated },
		{ "deleted", &s->deleted },
	};
	static const char *const lists[] = { "conflicts", "renamed", "warnings" };
	struct json_iter at = json_each(json_get(r->data, S("conflicts")));
	int64_t changes = 0;

	for (size_t i = 0; i < COUNT(counts); i++) {
		*counts[i].to += cli_get_int(r->data, counts[i].key, 0);
		changes += cli_get_int(r->data, counts[i].key, 0);
	}
	for (size_t i = 0; i < COUNT(lists); i++)
		changes += (int64_t)json_count(json_get(r->data, str_of(lists[i])));
	while (json_next(&at))
		json_add_fmt(&s->conflicts, ",%p", at.value);
	if (changes > 0 && !s->x->quiet)
		cli_import_report(s->x, r);
	cli_flush(s->x);
}

static int
import_lines(struct sync *s, struct lines *l)
{
	const struct cli_import_options o = { .strict = s->o->strict,
		.resolve_cycles = !s->o->strict };
	struct reply r = { 0 };
	int rc = cli_import_file(s->x->client, s->file, l, &o, &r, s->e);

	if (rc == OK)
		import_note(s, &r);
	reply_release(&r);
	return rc;
}

/* Imports the lines that `known` has not.  If one of them is a rename, all lines
 * are imported, since which ids the file has decides about the old one. */
static int
import_file(struct sync *s)
{
	struct lines l = { .fd = -1 };
	struct err why;
	bool renames;
	int rc = lines_open_present(&l, s->file, s->e);

	if (rc == OK && s->known.n > 0) {
		rc = lines_keep_new(&l, &s->known, &renames, s->e);
		if (rc == OK && renames) {
			lines_release(&l);
			rc = lines_open_present(&l, s->file, s->e);
		}
	}
	if (rc == OK && l.n > 0) {
		rc = import_lines(s, &l);
	} else if (rc != OK && rc != ERR_IO) {
		why = *s->e;
		err_set(s->e, rc, "%s: %s%s", s->file, why.text,
		    cli_bad_line_hint(&why, false));
	}
	lines_release(&l);
	return rc;
}

/* Notes as base the lines of our export that the file did not have. */
static int
base_note(struct sync *s, const struct line_set *had)
{
	const struct cli_import_options o = { .base = true };
	struct lines l = { .fd = -1 };
	struct reply r = { 0 };
	bool renames;
	int rc = lines_open_present(&l, s->file, s->e);

	lines_set_release(&s->known);
	if (rc == OK)
		rc = lines_set_of(&s->known, &l, s->e);
	if (rc == OK)
		rc = lines_keep_new(&l, had, &renames, s->e);
	if (rc == OK && l.n > 0) {
		rc = cli_import(s->x->client, &l, &o, &r);
		if (rc != OK)
			*s->e = r.err;
	}
	reply_release(&r);
	lines_release(&l);
	s->noted = rc == OK;
	return rc;
}

static int
export_add(void *ctx, struct str lines, struct err *e)
{
	struct sync *s = ctx;

	return replace_add(&s->now, lines, e);
}

static int
export_now(struct sync *s)
{
	const struct cli_sink sink = { export_add, s };
	int rc;

	replace_release(&s->now);
	rc = replace_begin(&s->now, s->file, s->e);
	return rc == OK ? cli_export(s->x->client, STR_NONE, &sink, &s->items,
	    s->e) : rc;
}

/* Does the file equal our export? */
static bool
file_is_ours(const struct sync *s)
{
	static char a[64 * 1024], b[64 * 1024];
	int fd = open(s->file, O_RDONLY | O_CLOEXEC);
	off_t at = 0;
	ssize_t n = 0, m = 0;
	struct stat st;
	bool same = fd < 0 ? errno == ENOENT && s->now.bytes == 0 :
	    fstat(fd, &st) == 0 && (uint64_t)st.st_size == s->now.bytes;

	while (fd >= 0 && same) {
		n = pread(fd, a, sizeof a, at);
		m = pread(s->now.fd, b, sizeof b, at);
		same = n >= 0 && n == m && memcmp(a, b, (size_t)n) == 0;
		if (n <= 0)
			break;
		at += n;
	}
	if (fd >= 0)
		close(fd);
	return same;
}

/* -1: there is none. */
static off_t
file_size(const struct sync *s)
{
	struct stat st;

	return stat(s->file, &st) == 0 ? st.st_size : -1;
}

static int
file_lines(struct sync *s, struct line_set *set)
{
	struct lines l = { .fd = -1 };
	int rc = lines_open_present(&l, s->file, s->e);

	if (rc == OK)
		rc = lines_set_of(set, &l, s->e);
	lines_release(&l);
	return rc;
}

/* If git was killed while it wrote the file, imports the committed one. */
static int
import_committed(struct sync *s, int rc)
{
	struct lines l = { .fd = -1 };
	struct err ignored;

	buf_release(&s->git->out);
	s->git->out = BUF(LIMIT_WORK_MEMORY_BYTES);
	if (!s->killed || s->o->flush_only || GIT(s->git, &ignored, "show",
	    "HEAD:./" FILE_NAME) != OK)
		return rc;
	if (s->git->out.n == 0)
		return OK;
	rc = lines_open_text(&l, buf_str(&s->git->out), s->e);
	if (rc == OK)
		rc = import_lines(s, &l);
	lines_release(&l);
	return rc;
}

/* Replaces the file with the export and notes its lines as base. */
static int
file_put(struct sync *s)
{
	struct line_set had = { .list = NULL };
	int rc;

	if (file_lines(s, &had) != OK)       /* not a list of items: replace all */
		had.n = 0;
	s->noted = false;
	rc = replace_end(&s->now, s->e);
	if (rc == OK)
		rc = base_note(s, &had);
	lines_set_release(&had);
	return rc;
}

/* Makes the file the tracker's export, after importing what is new in it. */
static int
flush(struct sync *s)
{
	const struct line_set none = { .list = NULL };
	int rc = export_now(s);

	if (rc != OK || s->o->dry_run)
		return rc;
	if (file_is_ours(s)) {
		/* A sync that was killed may not have noted this. */
		if (s->killed)
			return base_note(s, &none);
		/* `export -o` may have written it: `known` stays empty. */
		s->noted = true;
		return OK;
	}
	if (file_size(s) > 0) {
		rc = import_file(s);
		if (rc == ERR_SYNTAX || rc == ERR_INVALID)
			rc = import_committed(s, rc);
		if (rc == OK)
			rc = export_now(s);
	}
	return rc == OK ? file_put(s) : rc;
}

/* ---- git's side ------------------------------------------------------------ */

static int
repository_check(struct sync *s)
{
	int rc = GIT(s->git, s->e, "rev-parse", "--is-inside-work-tree");

	if (rc == OK && !str_eq(git_out(s->git), S("true")))
		return err_set(s->e, ERR_INVALID, "%s: the git repository has no "
		    "checkout here (it is bare)\nHint: sync from a clone of it, or use "
		    "sync --flush-only", s->x->workspace->dir);
	if (rc == ERR_INVALID)
		return err_set(s->e, rc, "not in a git repository: %s\n"
		    "Hint: run 'git init' to initialize a repository",
		    s->x->workspace->dir);
	return rc == OK ? pull_check(&s->pull, s->e) : rc;
}

static void
message_make(struct sync *s, char *out, size_t size)
{
	struct tm tm;
	time_t now = time(NULL);
	char when[32] = "";

	if (s->o->message.n > 0) {
		snprintf(out, size, "%.*s", FMT(s->o->message));
		return;
	}
	if (localtime_r(&now, &tm) != NULL)
		strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out, size, "work: sync %s", when);
}

static int
commit(struct sync *s)
{
	char message[4096];
	struct pull_commit c = { .file = FILE_NAME, .message = message };
	int rc = GIT(s->git, s->e, "status", "--porcelain", "--untracked-files=all",
	    "--", FILE_NAME);

	if (rc != OK)
		return rc;
	if (git_out(s->git).n == 0) {
		rc = GIT(s->git, s->e, "check-ignore", "-q", "--", FILE_NAME);
		if (rc == OK && s->items > 0)
			return err_set(s->e, ERR_INVALID, "%s is ignored by git; take it "
			    "out of .gitignore, or use sync --flush-only", s->file);
		say(s, "No changes to commit");
		return s->git->status == 1 || rc == OK ? OK : rc;
	}
	if (s->o->dry_run) {
		say(s, "[DRY RUN] Would commit changes to git");
		return OK;
	}
	if (file_size(s) < 0)
		return OK;
	say(s, "Committing changes to git...");
	message_make(s, message, sizeof message);
	rc = pull_commit(&s->pull, &c, s->e);
	s->committed = rc == OK && c.made;
	return rc;
}

/* Imports what was pulled.  If the tracker then differs from the file (an edge of
 * a cycle dropped, an id renamed), commits that as well. */
static int
take_in(struct sync *s)
{
	int rc = export_now(s);

	if (rc != OK || file_is_ours(s))
		return rc;
	say(s, "Importing updated JSONL...");
	rc = import_file(s);
	if (rc == OK)
		rc = export_now(s);
	if (rc != OK || file_is_ours(s))
		return rc;
	rc = file_put(s);
	return rc == OK ? commit(s) : rc;
}

static int
exchange_once(struct sync *s, bool *again)
{
	int rc = OK;

	*again = false;
	if (!s->o->no_pull) {
		say(s, "Pulling from remote...");
		rc = pull_run(&s->pull, s->x->notes, s->e);
		if (rc == OK)
			rc = take_in(s);
		s->pulled = rc == OK;
	}
	if (rc != OK || s->o->no_push || !pull_is_ahead(&s->pull))
		return rc;
	say(s, "Pushing to remote...");
	rc = pull_push(&s->pull, again, s->e);
	s->pushed = rc == OK;
	return rc;
}

/* If another pushes first, pulls and pushes again. */
static int
exchange(struct sync *s)
{
	bool again = true;
	uint8_t draw;
	int rc = OK;

	if (!s->pull.upstream) {
		if (!s->o->no_pull || !s->o->no_push)
			say(s, "No upstream branch: nothing to pull or push ('git push "
			    "-u' sets one)");
		return OK;
	}
	if (s->o->dry_run) {
		if (!s->o->no_pull)
			say(s, "[DRY RUN] Would pull from remote");
		if (!s->o->no_push)
			say(s, "[DRY RUN] Would push to remote");
		return OK;
	}
	for (int i = 0; again && i < LIMIT_WORK_SYNC_TRIES; i++) {
		if (i > 0) {
			id_random(&draw, sizeof draw);
			git_pause_ms(20L * i + draw);
		}
		rc = exchange_once(s, &again);
		again = again && !s->o->no_pull;
	}
	return rc;
}

/* ---- all of it ------------------------------------------------------------- */

static void
answer(struct sync *s)
{
	struct buf *b = s->x->out;

	if (!s->x->json) {
		if (!s->x->quiet)
			buf_add(b, s->o->dry_run ?
			    S("\n\xe2\x9c\x93 Dry run complete (no changes made)\n") :
			    S("\n\xe2\x9c\x93 Sync complete\n"));
		return;
	}
	json_add_fmt(b, "{'items':%zu,'created':%lld,'updated':%lld,'deleted':%lld,"
	    "'committed':%hhd,'pulled':%hhd,'pushed':%hhd,'dry_run':%hhd,"
	    "'conflicts':[%-.*s]}\n", s->items, (long long)s->created,
	    (long long)s->updated, (long long)s->deleted, s->committed, s->pulled,
	    s->pushed, s->o->dry_run, FMT(buf_str(&s->conflicts)));
}

static int
sync_run(struct sync *s)
{
	struct err ignored;
	int rc = lock_take(s);

	replace_sweep(s->file);
	replace_sweep(s->pull.state);
	if (rc == OK && !s->o->dry_run)
		rc = pull_recover(&s->pull, &s->killed, s->e);
	if (rc == OK && !s->o->flush_only)
		rc = repository_check(s);
	if (rc == OK && !s->o->dry_run)
		rc = pull_state(&s->pull, "sync\n", s->e);
	if (rc != OK)
		return rc;
	say(s, "Exporting pending changes to JSONL...");
	rc = flush(s);
	if (rc == OK && !s->o->flush_only)
		rc = commit(s);
	if (rc == OK && !s->o->flush_only)
		rc = exchange(s);
	if (!s->o->dry_run && s->noted && rc != ERR_TIMEOUT &&
	    (rc == OK || rc == ERR_CANCELLED || !git_is_stopping()))
		pull_state(&s->pull, NULL, &ignored);
	if (rc == OK)
		answer(s);
	return rc;
}

int
cli_sync(struct cli_ctx *x, const struct cli_sync_options *o, struct err *e)
{
	struct sync s = { .x = x, .o = o, .e = e, .lock = -1,
		.now = { .fd = -1 },
		.conflicts = BUF(LIMIT_WORK_MEMORY_BYTES) };
	int rc;

	if (x->workspace == NULL)
		return err_set(e, ERR_INVALID, "sync works with the git repository of a "
		    "workspace; a server has none");
	if (getenv(GIT_RUNS_FOR_US) != NULL) {
		buf_lit(x->notes, "sync: called by a hook of a running sync; nothing "
		    "to do\n");
		return OK;
	}
	if (snprintf(s.file, sizeof s.file, "%s/" FILE_NAME, x->workspace->dir) >=
	    (int)sizeof s.file)
		return err_set(e, ERR_TOOBIG, "the workspace's path is too long");
	git_catch_signals();
	pull_init(&s.pull, x->workspace->dir);
	s.git = &s.pull.git;
	s.git->tells = !x->quiet;
	rc = sync_run(&s);
	if (s.lock >= 0)
		close(s.lock);
	pull_release(&s.pull);
	replace_release(&s.now);
	lines_set_release(&s.known);
	buf_release(&s.conflicts);
	return rc;
}
