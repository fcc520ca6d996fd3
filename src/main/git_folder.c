/*
 * git_folder.c - see git_folder.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/git_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/package.h"
#include "workcli/git.h"

/* Whatever the user's configuration says. */
static const char *const config[] = { "core.hooksPath=/dev/null", "core.fsmonitor=false",
	"core.bigFileThreshold=1m", "protocol.allow=never", "protocol.file.allow=always",
	"protocol.git.allow=always", "protocol.http.allow=always", "protocol.https.allow=always",
	"protocol.ssh.allow=always", "submodule.recurse=false", "fetch.recurseSubmodules=false",
	"fetch.fsckObjects=true", "gc.auto=0", "maintenance.auto=false", NULL };
static const struct git_limits limits_of_git = { LIMIT_AGENT_SYNC_FETCH_BYTES,
	LIMIT_AGENT_SYNC_MEMORY_BYTES };

struct entry { struct str id, path; uint64_t size; };

struct take {
	const struct git_folder *g;
	const char *to;
	struct git git;
	struct buf list;                     /* what the entries are in */
	struct entry *at;
	size_t n, cap;
	struct err *e;
};

/* ---- arguments ------------------------------------------------------------------------ */

static int
check_ref(struct str ref, struct err *e)
{
	bool bad = ref.n == 0 || ref.p[0] == '-' || str_contains(ref, S("..")) ||
	    str_contains(ref, S("@{"));

	for (size_t i = 0; i < ref.n; i++)
		bad = bad || (unsigned char)ref.p[i] <= ' ' || str_char_in(ref.p[i],
		    "~^:?*[\\+\x7f");
	return !bad ? OK : err_set(e, ERR_INVALID, "--ref '%.*s': expected a branch, a tag or "
	    "the id of a commit", FMT(str_cut(ref, 100)));
}

int
git_folder_check(const struct git_folder *g, struct err *e)
{
	struct str source = str_of(g->source);
	struct err why;

	if (source.n == 0 || source.p[0] == '-' || str_contains(source, S("::")))
		return err_set(e, ERR_INVALID, "'%.*s': expected a git repository: a path, or an "
		    "address of https, http, ssh, git or file", FMT(str_cut(source, 100)));
	for (size_t i = 0; i < source.n; i++)
		if ((unsigned char)source.p[i] < ' ')
			return err_set(e, ERR_INVALID, "the repository's address has a control "
			    "character in it");
	if (g->ref != NULL && check_ref(str_of(g->ref), e) != OK)
		return e->code;
	if (g->path != NULL && (g->path[0] == '-' || package_path_check(str_of(g->path), &why) != OK))
		return err_set(e, ERR_INVALID, "--path '%.*s': expected a folder of the "
		    "repository, as agents/prod", FMT(str_cut(str_of(g->path), 100)));
	return OK;
}

void
git_folder_add_source(struct buf *b, const char *source)
{
	const char *scheme = strstr(source, "://");
	const char *host = scheme != NULL ? scheme + 3 : source;
	const char *at = scheme == NULL ? NULL : memchr(host, '@', strcspn(host, "/"));

	if (at != NULL)
		buf_add_fmt(b, "%.*s%s", (int)(host - source), source, at + 1);
	else
		buf_add_fmt(b, "%s", source);
}

/* ---- fetching ---------------------------------------------------------------------------- */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	remove(path);
	return 0;
}

void
folder_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int
cache_make(struct take *t)
{
	if (mkdir(t->g->cache, 0700) == 0) {
		t->git.dir = t->g->cache;
		return GIT(&t->git, t->e, "init", "-q", "--bare", "--template=", ".");
	}
	return errno == EEXIST ? OK : err_set(t->e, ERR_IO, "%s: %s", t->g->cache,
	    strerror(errno));
}

/* A git that was killed leaves locks: the file `cut` is there while one runs. */
static int
fetch(struct take *t)
{
	struct buf cut = BUF(64 * KB);
	const char *ref = t->g->ref != NULL ? t->g->ref : "HEAD";
	char *local = strstr(t->g->source, "://") == NULL ? realpath(t->g->source, NULL) : NULL;
	bool made = false;
	int rc;

	buf_add_fmt(&cut, "%s.cut", t->g->cache);
	buf_add_char(&cut, '\0');
	if (access(cut.p, F_OK) == 0)
		folder_remove(t->g->cache);
	rc = file_put(cut.p, STR_NONE, t->e);
	if (rc == OK)
		rc = cache_make(t);
	made = rc == OK;
	if (rc == OK)
		rc = GIT(&t->git, t->e, "fetch", "-q", "--depth=1", "--no-tags",
		    "--no-recurse-submodules", "--", local != NULL ? local : t->g->source, ref);
	if (made && rc != ERR_CANCELLED && rc != ERR_TIMEOUT)
		unlink(cut.p);
	if (rc == ERR_NOTFOUND)
		err_set(t->e, rc, "git is not in $PATH: this command needs it");
	if (rc != OK && t->git.err.n > 0 && strstr(t->git.err.p, "File too large") != NULL)
		rc = err_set(t->e, ERR_TOOBIG, "git fetch: more than %d bytes",
		    LIMIT_AGENT_SYNC_FETCH_BYTES);
	free(local);
	buf_release(&cut);
	return rc;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* "100644 blob ID    SIZE\tPATH" */
static int
entry_read(struct take *t, struct str line, uint64_t *bytes)
{
	struct str mode = STR_NONE, kind = STR_NONE, id = STR_NONE, size;
	ptrdiff_t tab = str_index(line, '\t');
	struct str head = str_sub(line, 0, tab < 0 ? 0 : (size_t)tab);
	struct entry x = { .path = str_sub(line, head.n + 1, line.n) };
	struct err why;

	str_next(&head, ' ', &mode);
	str_next(&head, ' ', &kind);
	str_next(&head, ' ', &id);
	size = str_trim(head);
	if (package_ignores_path(x.path))
		return OK;
	if (package_path_check(x.path, &why) != OK)
		return err_set(t->e, why.code, "in the commit: %s", why.text);
	if (!str_eq(mode, S("100644")) && !str_eq(mode, S("100755")) && !str_eq(mode, S("100664")))
		return err_set(t->e, ERR_INVALID, "%.*s: in the commit it is %s; expected a "
		    "file: links and submodules are refused", FMT(str_cut(x.path, 200)),
		    str_eq(mode, S("120000")) ? "a link" : str_eq(mode, S("160000")) ?
		    "a submodule" : "no file");
	if (!str_to_u64(size, &x.size) || x.size > LIMIT_PACKAGE_BYTES ||
	    (*bytes += x.size) > LIMIT_PACKAGE_BYTES)
		return err_set(t->e, ERR_TOOBIG, "%.*s: with it the commit's files have more than "
		    "%d bytes", FMT(str_cut(x.path, 200)), LIMIT_PACKAGE_BYTES);
	if (t->n == LIMIT_PACKAGE_FILES)
		return err_set(t->e, ERR_TOOBIG, "the commit has more than %d files",
		    LIMIT_PACKAGE_FILES);
	x.id = id;
	mem_grow(t->at, t->n, t->cap);
	t->at[t->n++] = x;
	return OK;
}

/* *commit is fetched: notes its id and lists the files. */
static int
list(struct take *t, char commit[GIT_ID_BYTES])
{
	char tree[2048], id[GIT_ID_BYTES];
	struct str rest, line;
	uint64_t bytes = 0;
	int rc = git_ask(&t->git, commit, GIT_ID_BYTES, (const char *const[]){ "rev-parse", "-q",
	    "--verify", "--end-of-options", "FETCH_HEAD^{commit}", NULL }, t->e);

	if (rc != OK)
		return rc;
	snprintf(tree, sizeof tree, "%s:%s", commit, t->g->path != NULL ? t->g->path : "");
	rc = GIT_ASK(&t->git, t->e, id, "rev-parse", "-q", "--verify", "--end-of-options", tree);
	if (rc == ERR_INVALID)
		return err_set(t->e, rc, "--path: the commit %.12s has no folder '%s'", commit,
		    t->g->path);
	buf_release(&t->git.out);
	t->git.out = BUF(LIMIT_AGENT_SYNC_LIST_BYTES);
	if (rc == OK)
		rc = GIT(&t->git, t->e, "ls-tree", "-r", "-z", "-l", "--full-tree", id);
	if (rc == ERR_INVALID && t->g->path != NULL)
		return err_set(t->e, rc, "--path: '%s' is no folder of the commit %.12s", t->g->path,
		    commit);
	if (rc == OK && t->git.out.failed)
		rc = err_set(t->e, ERR_TOOBIG, "the commit's list of files is longer than %d bytes",
		    LIMIT_AGENT_SYNC_LIST_BYTES);
	t->list = t->git.out;
	t->git.out = BUF((size_t)LIMIT_PACKAGE_BYTES + LIMIT_AGENT_SYNC_LIST_BYTES);
	rest = buf_str(&t->list);
	while (rc == OK && str_next(&rest, '\0', &line))
		if (line.n > 0)
			rc = entry_read(t, line, &bytes);
	return rc;
}

/* ---- the files ---------------------------------------------------------------------------------- */

/* Below the new folder, where there are no links. */
static int
put(struct take *t, struct str path, struct str content)
{
	struct buf full = BUF(64 * KB);
	int rc;

	buf_add_fmt(&full, "%s/%.*s", t->to, FMT(path));
	buf_add_char(&full, '\0');
	if (full.failed)
		return err_set(t->e, ERR_TOOBIG, "%s: its path is too long", t->to);
	for (char *c = full.p + strlen(t->to) + 1; *c != '\0'; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		(void)mkdir(full.p, 0777);           /* file_put tells */
		*c = '/';
	}
	rc = file_put(full.p, content, t->e);
	buf_release(&full);
	return rc;
}

/* "ID blob SIZE\nCONTENT\n", in the order of the entries. */
static int
put_all(struct take *t, struct str out)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < t->n; i++) {
		struct str head = STR_NONE, content;

		str_next(&out, '\n', &head);
		if (!str_starts(head, t->at[i].id) || out.n < t->at[i].size + 1)
			return err_set(t->e, ERR_INVALID, "git cat-file: %.*s is cut off",
			    FMT(str_cut(t->at[i].path, 200)));
		content = str_sub(out, 0, t->at[i].size);
		out = str_sub(out, t->at[i].size + 1, out.n);
		rc = put(t, t->at[i].path, content);
	}
	return rc;
}

static int
write_files(struct take *t)
{
	struct buf ids = BUF(LIMIT_AGENT_SYNC_LIST_BYTES);
	FILE *in = tmpfile();
	int rc = OK;

	for (size_t i = 0; i < t->n; i++)
		buf_add_fmt(&ids, "%.*s\n", FMT(t->at[i].id));
	if (in == NULL || file_write(fileno(in), buf_str(&ids)) != OK ||
	    lseek(fileno(in), 0, SEEK_SET) != 0)
		rc = err_set(t->e, ERR_IO, "a temporary file: %s", strerror(errno));
	if (rc == OK && mkdir(t->to, 0777) != 0)
		rc = err_set(t->e, ERR_IO, "%s: %s", t->to, strerror(errno));
	if (rc == OK) {
		t->git.in = fileno(in);
		rc = GIT(&t->git, t->e, "cat-file", "--batch");
		t->git.in = 0;
	}
	if (rc == OK)
		rc = put_all(t, buf_str(&t->git.out));
	if (in != NULL)
		fclose(in);
	buf_release(&ids);
	return rc;
}

int
git_folder_take(const struct git_folder *g, const char *to, char commit[GIT_ID_BYTES],
    struct err *e)
{
	struct take t = { .g = g, .to = to, .e = e };
	int rc;

	git_init(&t.git, g->cache);
	t.git.config = config;
	t.git.limits = &limits_of_git;
	rc = fetch(&t);
	if (rc == OK)
		rc = list(&t, commit);
	if (rc == OK)
		rc = write_files(&t);
	git_release(&t.git);
	buf_release(&t.list);
	free(t.at);
	return rc;
}
